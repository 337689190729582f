//! `smtpprobe sender`: the sender's own side alone, and the options about it that a probe has as well.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::SystemTime;

use clap::Args as ClapArgs;
use clap::builder::BoolishValueParser;
use smtpprobe::diagnosis::{OwnSide, of_sender};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::report::sender;
use smtpprobe::route::Resolver;
use smtpprobe::sender::{Egress, Inquiry, Known, Patient, Plan, host_name, lists};
use smtpprobe::settings::{BlockLists, Clock, SenderChecks, Settings};
use smtpprobe::smtp::HelloName;
use smtpprobe::target::{DomainName, is_nonpublic};
use smtpprobe::transport::source;

use super::Trouble;
use super::args::{self, OutputArgs};
use super::output::Output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  smtpprobe sender --from shop@example.com               may this machine send for example.com?
  smtpprobe sender --address 203.0.113.9 --helo mail.example.com    another machine
  smtpprobe sender --from shop@example.com --dkim-selector s1       its DKIM key, too
  smtpprobe sender -v                                    every step, with the terms of the lists

No mail server is connected to. Block lists are asked one question for each address and for the domain;
some of them are free for low volumes alone: -v names the terms. --no-dnsbl asks none.

Exit codes: 0 nothing is wrong that receivers refuse for, 1 something is, 2 wrong usage,
5 not all could be found out.";

/// Something could not be found out.
const CANNOT_TELL: u8 = 5;
/// Something is wrong that receivers refuse for.
const FAULTY: u8 = 1;

#[derive(Debug, ClapArgs)]
pub(crate) struct SenderArgs {
    /// Sender in MAIL FROM [default: <>, the null sender]
    #[arg(short, long, value_name = "ADDR", env = "SMTPPROBE_FROM", hide_env = true)]
    from: Option<String>,
    /// Name in EHLO [default: this host's name, else its address]
    #[arg(long, value_name = "NAME", env = "SMTPPROBE_HELO", hide_env = true)]
    helo: Option<HelloName>,
    /// Address that mail leaves from, as receivers see it; may be repeated [default: this machine's]
    #[arg(long, value_name = "IP", env = "SMTPPROBE_ADDRESS", hide_env = true)]
    address: Vec<IpAddr>,
    /// Selector of a DKIM key of the sender's domain; may be repeated
    #[arg(long, value_name = "SELECTOR", requires = "from", env = "SMTPPROBE_DKIM_SELECTOR", hide_env = true)]
    dkim_selector: Vec<String>,
    #[command(flatten)]
    lists: ListOptions,
    /// DNS server to ask [default: the system's]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = args::resolver, env = "SMTPPROBE_RESOLVER", hide_env = true)]
    resolver: Vec<SocketAddr>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Which block lists are asked.
#[derive(Debug, ClapArgs)]
pub(crate) struct ListOptions {
    /// Block list to ask about the sender instead of the usual ones; may be repeated
    #[arg(long, value_name = "ZONE", conflicts_with = "no_dnsbl", env = "SMTPPROBE_DNSBL", hide_env = true, help_heading = "Sender")]
    dnsbl: Vec<DomainName>,
    /// Ask no block list
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_NO_DNSBL", hide_env = true, help_heading = "Sender")]
    no_dnsbl: bool,
}

impl ListOptions {
    /// The lists that the options stand for.
    pub(crate) fn block_lists(&self) -> BlockLists {
        match (self.no_dnsbl, self.dnsbl.is_empty()) {
            (true, _) => BlockLists::None,
            (false, true) => BlockLists::Usual,
            (false, false) => BlockLists::These(self.dnsbl.clone()),
        }
    }
}

/// What a probe is told about the sender's own side.
#[derive(Debug, ClapArgs)]
pub(crate) struct OwnSideOptions {
    /// Look at your own side in any case: address, PTR, EHLO name, SPF, DMARC, block lists [default: after a refusal that can be about the sender; without lists also if --from names one]
    #[arg(long, conflicts_with = "no_sender", value_parser = BoolishValueParser::new(), env = "SMTPPROBE_SENDER", hide_env = true, help_heading = "Sender")]
    sender: bool,
    /// Never look at it
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_NO_SENDER", hide_env = true, help_heading = "Sender")]
    no_sender: bool,
    #[command(flatten)]
    pub(crate) lists: ListOptions,
}

impl OwnSideOptions {
    /// When to look at it. Whoever names a list wants it asked.
    pub(crate) fn when(&self) -> SenderChecks {
        match (self.no_sender, self.sender || !self.lists.dnsbl.is_empty()) {
            (true, _) => SenderChecks::Off,
            (false, true) => SenderChecks::Always,
            (false, false) => SenderChecks::Auto,
        }
    }
}

pub(crate) fn run(args: &SenderArgs) -> Result<u8, Trouble> {
    let from = args::sender(args.from.as_deref())?;
    let knowledge = Knowledge::english();
    let (lists, closed) = lists(&args.lists.block_lists(), &knowledge);
    let (seen, hidden) = addresses(&args.address);
    let own = seen.first().map(|egress| egress.local.unwrap_or(egress.address)).or_else(|| hidden.first().copied());
    let hello = args.helo.clone().or_else(|| host_name().map(HelloName::Domain)).or_else(|| own.map(HelloName::Literal));
    let plan = Plan { from, hello, targets: Vec::new(), selectors: args.dkim_selector.clone(), lists, closed };

    let settings = Settings { resolvers: args.resolver.clone(), ..Settings::default() };
    let (clock, started_at) = (Clock::start(), SystemTime::now());
    let resolver = Resolver::new(&settings, clock);
    let runtime = super::runtime()?;
    let facts = runtime.block_on(async {
        let mut inquiry = Inquiry::new(plan, &resolver, Patient::LIMIT);
        for egress in seen {
            inquiry.add(egress);
        }
        for local in hidden {
            inquiry.add_hidden(local);
        }
        inquiry.finish().await
    });
    runtime.shutdown_background();
    let findings = of_sender(&facts);
    let report = sender::report(&facts, &findings, started_at, clock.now().0, &knowledge);
    let mut output = Output::open(&args.output)?;
    let render = |look| sender::render(&report, &knowledge, look);
    output.item(&report, || sender::headline(&report, &knowledge), render, || sender::table(&report))?;
    output.close()?;
    Ok(match OwnSide::of(&facts, &findings) {
        OwnSide::Clean => 0,
        OwnSide::Faulty => FAULTY,
        OwnSide::Unknown => CANNOT_TELL,
    })
}

/// The addresses given, or else those that this machine would send from; and those of them that mean nothing outside.
fn addresses(given: &[IpAddr]) -> (Vec<Egress>, Vec<IpAddr>) {
    if !given.is_empty() {
        return (given.iter().map(|address| Egress { address: *address, known: Known::Given, local: None }).collect(), Vec::new());
    }
    // Nothing is sent there; any address beyond the default route would do.
    let beyond: [IpAddr; 2] = [Ipv4Addr::new(192, 0, 2, 1).into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()];
    let local: Vec<IpAddr> = beyond.into_iter().filter_map(source).filter(|address| !address.is_loopback()).collect();
    let (hidden, seen): (Vec<IpAddr>, Vec<IpAddr>) = local.into_iter().partition(|address| is_nonpublic(*address));
    (seen.into_iter().map(|address| Egress { address, known: Known::Socket, local: Some(address) }).collect(), hidden)
}
