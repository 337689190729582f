//! Arguments, and how they become [`Settings`].

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use smtpprobe::route::read_anchors;
use smtpprobe::settings::{Control, Controls, Families, Policies, Question, Settings, Validation, Walk};
use smtpprobe::smtp::{HelloName, Stage, StageTimes, TlsUse};
use smtpprobe::target::{DomainName, Host, Mailbox, Port, Target, TargetError, host_and_port, server as read_server};
use smtpprobe::transport::read_roots;

use super::Trouble;
use super::login::LoginArgs;
use super::message::MessageOptions;
use super::output::{Colour, Format};
use super::way::{AgreedOptions, ProxyUrl};

const TARGETS: &str =
    "user@example.com, example.com, mx.example.com[:PORT], 192.0.2.1, [2001:db8::1]:25, smtp://HOST, smtps://HOST, submission://HOST";

const AFTER_HELP: &str = "\
Exit codes: 0 accepted, 1 rejected, 2 wrong usage, 3 deferred, 4 unreachable, 5 inconclusive, 70 own failure, 130 stopped.
Each long option but --send can be set in the environment: SMTPPROBE_TIMEOUT=20. A target called like a command goes after --.
No message is delivered without --send: a probe ends with QUIT after RCPT TO.";

const PORTS_EXAMPLES: &str = "\
Examples:
  smtpprobe ports example.com                every MX host and address, ports 25, 465 and 587
  smtpprobe ports mx.example.com -p 25,2525  these ports of one host
  smtpprobe ports --until starttls example.com   also whether each port offers STARTTLS
Exit codes: 0 port 25 (or each port named with -p) is open wherever that can be judged from here,
4 it is not, 1 the domain takes no mail or does not exist, 5 cut short.
In the environment --until is SMTPPROBE_PORTS_UNTIL here, because SMTPPROBE_UNTIL is for probes.";

/// Find out why mail does not arrive: walks an SMTP session, explains every reply, and says who must act.
#[derive(Debug, Parser)]
#[command(name = "smtpprobe", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = AFTER_HELP)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Long options and their values, in TOML [default: config.toml in smtpprobe's folder at the platform's usual place]
    #[arg(long, global = true, value_name = "FILE", env = "SMTPPROBE_CONFIG", hide_env = true, help_heading = "Output")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) probe: ProbeArgs,
}

/// What else it can do.
#[allow(clippy::large_enum_variant, reason = "there is one, and it lives as long as the program")]
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Which ports of the mail hosts can be reached, and whose side shuts the others
    #[command(after_help = PORTS_EXAMPLES)]
    Ports(PortsArgs),
    /// The same probe against a mail world inside the program; without ADDRESS, its list of mailboxes
    Demo {
        /// Such as full@demo.test
        address: Option<String>,
        #[command(flatten)]
        options: ProbeOptions,
        #[command(flatten)]
        output: ReportArgs,
    },
    /// What a code, a reply, a bounce, a log or a recorded session means, and what to do about it
    #[command(after_help = super::explain::EXAMPLES)]
    Explain(super::explain::ExplainArgs),
    /// Two codes side by side, and the difference that matters
    #[command(after_help = super::compare::EXAMPLES)]
    Compare(super::compare::CompareArgs),
    /// Many mailboxes: each line of a list is answered once, with few connections and no haste
    #[command(after_help = super::bulk::EXAMPLES)]
    Bulk(super::bulk::BulkArgs),
    /// Takes jobs that bulk --queue has published, on as many machines as one likes
    #[command(after_help = super::worker::EXAMPLES)]
    Worker(super::worker::WorkerArgs),
    /// The list of the codes that are known
    #[command(after_help = super::codes::EXAMPLES)]
    Codes(super::codes::CodesArgs),
    /// The sender's own side alone: address, PTR, EHLO name, SPF, DMARC, DKIM keys, block lists
    #[command(after_help = super::sender::EXAMPLES)]
    Sender(super::sender::SenderArgs),
    /// The JSON Schema of what -o json prints
    Schema {
        /// Which one
        kind: SchemaKind,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SchemaKind {
    /// `smtpprobe.report/1`: a probe
    Report,
    /// `smtpprobe.explanation/1`: explain
    Explanation,
    /// `smtpprobe.summary/1`: explain --summary
    Summary,
    /// `smtpprobe.comparison/1`: compare
    Comparison,
    /// `smtpprobe.codes/1`: codes
    Codes,
    /// `smtpprobe.sender/1`: sender
    Sender,
    /// `smtpprobe.bulk/1`: bulk, one line of it
    Bulk,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ProbeArgs {
    /// What to probe
    #[arg(required = true, value_name = "TARGET", help = TARGETS)]
    pub(crate) targets: Vec<String>,
    #[command(flatten)]
    pub(crate) options: ProbeOptions,
    #[command(flatten)]
    pub(crate) output: ReportArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PortsArgs {
    /// Domain, whose MX hosts are taken, or host
    #[arg(required = true, value_name = "HOST|DOMAIN", help = "example.com, mx.example.com, 192.0.2.1, [2001:db8::1]:2525")]
    pub(crate) targets: Vec<String>,
    /// Last step to take [default: greeting, and on port 465 the TLS handshake]
    #[arg(long, value_name = "STAGE", env = "SMTPPROBE_PORTS_UNTIL", hide_env = true)]
    until: Option<PortsUntil>,
    #[command(flatten)]
    route: RouteOptions,
    #[command(flatten)]
    pub(crate) output: ReportArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PortsUntil {
    Connect,
    Greeting,
    Ehlo,
    Starttls,
}

impl PortsArgs {
    /// The settings that the options stand for.
    pub(crate) fn settings(&self) -> Result<Settings, Trouble> {
        let until = self.until.map(|until| match until {
            PortsUntil::Connect => Stage::Connect,
            PortsUntil::Greeting => Stage::Greeting,
            PortsUntil::Ehlo => Stage::Ehlo,
            PortsUntil::Starttls => Stage::StartTls,
        });
        Ok(Settings { question: Question::Ports, until, ..self.route.settings()? })
    }
}

#[derive(Debug, ClapArgs)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line; enums begin behind it")]
#[command(next_help_heading = "Conversation")]
pub(crate) struct ProbeOptions {
    /// Sender in MAIL FROM [default: <>, the null sender]
    #[arg(short, long, value_name = "ADDR", env = "SMTPPROBE_FROM", hide_env = true)]
    from: Option<String>,
    /// Name in EHLO [default: this host's name, else its address]
    #[arg(long, value_name = "NAME", env = "SMTPPROBE_HELO", hide_env = true)]
    helo: Option<HelloName>,
    /// Last step to take [default: rcpt for a mailbox, auth with --auth-user, starttls otherwise]
    #[arg(long, value_name = "STAGE", env = "SMTPPROBE_UNTIL", hide_env = true)]
    until: Option<Until>,
    /// Size of a message to declare in MAIL FROM, while none is sent; K, M and G are powers of 1024
    #[arg(long, value_name = "BYTES", value_parser = octets, env = "SMTPPROBE_SIZE", hide_env = true)]
    size: Option<u64>,
    /// When to ask a made-up address or postmaster, too
    #[arg(long, value_name = "WHEN", default_value = "auto", env = "SMTPPROBE_CONTROLS", hide_env = true)]
    controls: ControlsArg,
    /// How to use TLS [default: implicit on port 465, else STARTTLS where offered]
    #[arg(long, value_name = "HOW", env = "SMTPPROBE_TLS", hide_env = true)]
    tls: Option<TlsArg>,
    /// Certificates of authorities to trust beside the system's (PEM)
    #[arg(long, value_name = "FILE", env = "SMTPPROBE_TLS_CA", hide_env = true)]
    tls_ca: Option<PathBuf>,
    /// Leave out what the domain publishes about TLS: DANE, MTA-STS, TLS-RPT
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_NO_POLICIES", hide_env = true)]
    no_policies: bool,
    /// Try on one more connection whether the server obeys, inside TLS, a QUIT sent in the clear ahead of it
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_CHECK_INJECTION", hide_env = true)]
    check_injection: bool,
    /// Send one command at a time
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_NO_PIPELINING", hide_env = true)]
    no_pipelining: bool,
    #[command(flatten)]
    agreed: AgreedOptions,

    /// Walk the MX list as a mail server would, and stop at the first definite answer
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_FIRST", hide_env = true, help_heading = "Route")]
    first: bool,
    /// For each other reply to begin
    #[arg(long, value_name = "SECONDS", value_parser = duration, env = "SMTPPROBE_COMMAND_TIMEOUT", hide_env = true, help_heading = "Times")]
    command_timeout: Option<Duration>,
    #[command(flatten)]
    message: MessageOptions,
    #[command(flatten)]
    login: LoginArgs,
    #[command(flatten)]
    own_side: super::sender::OwnSideOptions,
    #[command(flatten)]
    route: RouteOptions,
}

/// Which hosts, by which way, and how long.
#[derive(Debug, ClapArgs)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line; enums begin behind it")]
pub(crate) struct RouteOptions {
    /// Ports to ask [default: the target's own, else 25, with --auth-user 587; ports: 25, 465, 587]
    #[arg(short, long, value_name = "N[,N]", value_delimiter = ',', value_parser = port, env = "SMTPPROBE_PORT", hide_env = true, help_heading = "Route")]
    port: Vec<Port>,
    /// Ask this host instead of those that MX names; may be repeated
    #[arg(short, long, value_name = "HOST[:PORT]|unix:PATH", env = "SMTPPROBE_SERVER", hide_env = true, help_heading = "Route")]
    server: Vec<String>,
    /// IPv4 only
    #[arg(short = '4', long = "ipv4", conflicts_with = "ipv6", value_parser = BoolishValueParser::new(), env = "SMTPPROBE_IPV4", hide_env = true, help_heading = "Route")]
    ipv4: bool,
    /// IPv6 only
    #[arg(short = '6', long = "ipv6", value_parser = BoolishValueParser::new(), env = "SMTPPROBE_IPV6", hide_env = true, help_heading = "Route")]
    ipv6: bool,
    /// DNS server to ask [default: the system's]
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = resolver, env = "SMTPPROBE_RESOLVER", hide_env = true, help_heading = "Route")]
    resolver: Vec<SocketAddr>,
    /// Believe the DNS server when it says that an answer is authentic (AD): it validates, and the way to it is safe [default: if it runs on this machine, or resolv.conf says trust-ad]
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_TRUST_AD", hide_env = true, help_heading = "Route")]
    trust_ad: bool,
    /// Validate DNSSEC here, too, beginning with the DNSKEY records in FILE; "root" takes the root's well-known keys
    #[arg(long, value_name = "FILE", env = "SMTPPROBE_DNSSEC_ANCHOR", hide_env = true, help_heading = "Route")]
    dnssec_anchor: Option<PathBuf>,
    /// Use ADDR for HOST instead of looking it up; may be repeated
    #[arg(long, value_name = "HOST:ADDR", value_parser = resolve, env = "SMTPPROBE_RESOLVE", hide_env = true, help_heading = "Route")]
    resolve: Vec<(DomainName, IpAddr)>,
    /// Local address to connect from
    #[arg(long, value_name = "ADDR", env = "SMTPPROBE_BIND", hide_env = true, help_heading = "Route")]
    bind: Option<IpAddr>,
    /// Connect by way of this SOCKS5 proxy; the DNS is asked directly. A password is better kept in the environment or the configuration than on the command line, where others can read it
    #[arg(long, value_name = "socks5://[USER:PASSWORD@]HOST[:PORT]", env = "SMTPPROBE_PROXY", hide_env = true, help_heading = "Route")]
    proxy: Option<ProxyUrl>,
    /// Host known to listen on port 25, asked where that port is shut everywhere, or where a greeting is masked or names somebody else [default: the MX of gmail.com, of outlook.com]
    #[arg(long, value_name = "HOST", value_parser = host, conflicts_with = "no_control", env = "SMTPPROBE_CONTROL", hide_env = true, help_heading = "Route")]
    control: Vec<Host>,
    /// Connect to no host but the target's
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_NO_CONTROL", hide_env = true, help_heading = "Route")]
    no_control: bool,

    /// For the whole probe of a target [default: 60, or what the other times need]
    #[arg(long, value_name = "SECONDS", value_parser = duration, env = "SMTPPROBE_TIMEOUT", hide_env = true, help_heading = "Times")]
    timeout: Option<Duration>,
    /// For each TCP connection
    #[arg(long, value_name = "SECONDS", value_parser = duration, env = "SMTPPROBE_CONNECT_TIMEOUT", hide_env = true, help_heading = "Times")]
    connect_timeout: Option<Duration>,
    /// For the greeting to begin
    #[arg(long, value_name = "SECONDS", value_parser = duration, env = "SMTPPROBE_GREETING_TIMEOUT", hide_env = true, help_heading = "Times")]
    greeting_timeout: Option<Duration>,
    /// For the next byte of a reply that has begun [default: what its beginning has]
    #[arg(long, value_name = "SECONDS", value_parser = duration, env = "SMTPPROBE_GAP_TIMEOUT", hide_env = true, help_heading = "Times")]
    gap_timeout: Option<Duration>,
    /// For each session from connecting to QUIT [default: the whole probe's]
    #[arg(long, value_name = "SECONDS", value_parser = duration, env = "SMTPPROBE_SESSION_TIMEOUT", hide_env = true, help_heading = "Times")]
    session_timeout: Option<Duration>,
}

#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// How to show the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text", env = "SMTPPROBE_OUTPUT", hide_env = true)]
    pub(crate) output: Format,
    /// Where to write it [default: standard output]
    #[arg(long, value_name = "FILE", env = "SMTPPROBE_OUTPUT_FILE", hide_env = true)]
    pub(crate) output_file: Option<PathBuf>,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto", env = "SMTPPROBE_COLOR", hide_env = true)]
    pub(crate) color: Colour,
    /// Unfold everything, with the bytes
    #[arg(short, long, conflicts_with = "quiet", value_parser = BoolishValueParser::new(), env = "SMTPPROBE_VERBOSE", hide_env = true)]
    pub(crate) verbose: bool,
    /// The verdict alone, in one line
    #[arg(short, long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_QUIET", hide_env = true)]
    pub(crate) quiet: bool,
}

/// Where reports go.
#[derive(Debug, ClapArgs)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Keep the report in a file as well, as -o json writes it: `smtpprobe explain FILE` reads it again
    #[arg(long, value_name = "FILE", env = "SMTPPROBE_RECORD", hide_env = true, help_heading = "Output")]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Until {
    Connect,
    Greeting,
    Ehlo,
    Starttls,
    /// Logs in, with --auth-user
    Auth,
    Mail,
    Rcpt,
    /// Stops after 354 and drops the connection: nothing is delivered
    Data,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ControlsArg {
    /// Where the answer changes the verdict
    #[default]
    Auto,
    Off,
    Always,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TlsArg {
    /// STARTTLS where it is offered; from the first byte on port 465
    Auto,
    Off,
    /// STARTTLS, and nothing without it
    Require,
    /// From the first byte
    Implicit,
}

impl RouteOptions {
    /// The time given for the whole; none if none was.
    pub(super) const fn time(&self) -> Option<Duration> {
        self.timeout
    }

    /// The settings that the options stand for.
    pub(super) fn settings(&self) -> Result<Settings, Trouble> {
        let base = Settings::default();
        let servers: Result<Vec<(Host, Option<Port>)>, _> = self.server.iter().map(|server| read_server(server)).collect();
        can_bind(self.bind)?;
        let servers = servers.map_err(|error| Trouble::Usage(error.to_string()))?;
        super::way::one_socket_alone(&servers, self.proxy.is_some())?;
        let validation = match &self.dnssec_anchor {
            None => Validation::Off,
            Some(file) if file.as_os_str() == "root" => Validation::FromRoot,
            Some(file) => read_anchors(file).map_err(|error| Trouble::Usage(error.to_string()))?,
        };
        let mut resolve: BTreeMap<DomainName, Vec<IpAddr>> = BTreeMap::new();
        for (name, address) in &self.resolve {
            resolve.entry(name.clone()).or_default().push(*address);
        }
        let connect_timeout = self.connect_timeout.unwrap_or(base.connect_timeout);
        // Whoever gives a stage more time wants it to be waited for.
        let longest = [self.greeting_timeout, self.gap_timeout, self.session_timeout].into_iter().flatten().max();
        let needed = longest.map_or(connect_timeout, |longest| connect_timeout + longest);
        Ok(Settings {
            ports: self.port.clone(),
            servers,
            families: match (self.ipv4, self.ipv6) {
                (true, _) => Families::V4,
                (_, true) => Families::V6,
                _ => Families::Both,
            },
            control: match (self.no_control, self.control.is_empty()) {
                (true, _) => Vec::new(),
                (_, true) => base.control,
                _ => self.control.iter().cloned().map(Control::Host).collect(),
            },
            resolvers: self.resolver.clone(),
            trust_ad: self.trust_ad,
            validation,
            resolve,
            bind: self.bind,
            proxy: self.proxy.as_ref().map(ProxyUrl::read).transpose()?,
            timeout: self.timeout.unwrap_or(base.timeout.max(needed)),
            connect_timeout,
            times: StageTimes {
                greeting: self.greeting_timeout.unwrap_or(base.times.greeting),
                gap: self.gap_timeout,
                session: self.session_timeout,
                ..base.times
            },
            ..base
        })
    }
}

impl ProbeOptions {
    /// The settings that the options stand for.
    pub(crate) fn settings(&self) -> Result<Settings, Trouble> {
        let usage = |error: &dyn std::fmt::Display| Trouble::Usage(error.to_string());
        let base = self.route.settings()?;
        let extra_roots = match &self.tls_ca {
            Some(file) => read_roots(file).map_err(|error| usage(&error))?,
            None => Vec::new(),
        };
        self.agreed.fit(&base.servers)?;
        let command = self.command_timeout.unwrap_or(base.times.command);
        let timeout = match (self.route.timeout, self.command_timeout) {
            (None, Some(command)) => base.timeout.max(base.connect_timeout + command),
            _ => base.timeout,
        };
        let tls = self.tls.and_then(TlsArg::into_use);
        self.message.settings(Settings {
            from: sender(self.from.as_deref())?,
            hello: self.helo.clone(),
            until: self.until.map(Into::into),
            size: self.size,
            walk: if self.first { Walk::First } else { Walk::All },
            controls: self.controls.into(),
            tls,
            login: self.login.login(tls)?,
            extra_roots,
            timeout,
            times: StageTimes { command, ..base.times },
            pipelining: !self.no_pipelining,
            policies: if self.no_policies { Policies::Off } else { Policies::Auto },
            check_injection: self.check_injection,
            proxy_header: self.agreed.proxy_protocol,
            xclient: self.agreed.xclient.clone(),
            protocol: self.agreed.protocol(),
            relay: self.agreed.relay_test.clone(),
            sender_checks: self.own_side.when(),
            block_lists: self.own_side.lists.block_lists(),
            ..base
        })
    }

    /// Whether the last step asked for can be taken with `target`.
    pub(crate) fn fits(&self, target: &Target) -> Result<(), Trouble> {
        self.message.fits(target)?;
        if let Target::Host { host, .. } = target {
            self.agreed.is_foreign_to(host)?;
        }
        match self.until {
            _ if self.agreed.is_of_one_server() && !matches!(target, Target::Host { .. }) && self.route.server.is_empty() => {
                Err(Trouble::Usage(format!(
                    "--relay-test, --proxy-protocol, --xclient and --lmtp are for a server of your own: name it with --server, or as smtp://HOST instead of {target}"
                )))
            }
            Some(Until::Rcpt | Until::Data) if target.mailbox().is_none() => Err(Trouble::Usage(format!(
                "--until rcpt and data need a mailbox, such as user@{target}; for {target} the last step is mail"
            ))),
            Some(Until::Auth) if !self.login.is_given() => Err(Trouble::Usage("--until auth needs --auth-user".to_owned())),
            Some(Until::Connect | Until::Greeting | Until::Ehlo | Until::Starttls) if self.login.is_given() => {
                Err(Trouble::Usage("--auth-user needs --until auth, or a later step".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

impl TlsArg {
    /// How TLS is used; none leaves it to the port.
    pub(super) const fn into_use(self) -> Option<TlsUse> {
        match self {
            Self::Auto => None,
            Self::Off => Some(TlsUse::Never),
            Self::Require => Some(TlsUse::Require),
            Self::Implicit => Some(TlsUse::Implicit),
        }
    }
}

impl From<ControlsArg> for Controls {
    fn from(when: ControlsArg) -> Self {
        match when {
            ControlsArg::Auto => Self::Auto,
            ControlsArg::Off => Self::Off,
            ControlsArg::Always => Self::Always,
        }
    }
}

impl From<Until> for Stage {
    fn from(until: Until) -> Self {
        match until {
            Until::Connect => Self::Connect,
            Until::Greeting => Self::Greeting,
            Until::Ehlo => Self::Ehlo,
            Until::Starttls => Self::StartTls,
            Until::Auth => Self::Auth,
            Until::Mail => Self::Mail,
            Until::Rcpt => Self::Rcpt,
            Until::Data => Self::Data,
        }
    }
}

/// An address that is not this machine's can be connected from nowhere.
pub(super) fn can_bind(local: Option<IpAddr>) -> Result<(), Trouble> {
    let Some(local) = local else { return Ok(()) };
    let bound = UdpSocket::bind((local, 0));
    bound.map(drop).map_err(|error| Trouble::Usage(format!("--bind {local}: {error}; it has to be an address of this machine")))
}

/// The sender; none is the null sender.
pub(super) fn sender(from: Option<&str>) -> Result<Option<Mailbox>, Trouble> {
    match from {
        None | Some("" | "<>") => Ok(None),
        Some(address) => address.parse().map(Some).map_err(|error: TargetError| Trouble::Usage(error.to_string())),
    }
}

fn port(text: &str) -> Result<Port, String> {
    text.parse::<Port>().map_err(|_| "it should be a number from 1 to 65535, such as 25, 465 or 587".to_owned())
}

fn host(text: &str) -> Result<Host, String> {
    match host_and_port(text) {
        Ok((host, None)) => Ok(host),
        Ok(_) => Err("it is asked on port 25 alone: give the host without a port".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn resolver(text: &str) -> Result<SocketAddr, String> {
    let address = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    address.or_else(|_| text.parse()).map_err(|_| "it should look like 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53".to_owned())
}

fn resolve(text: &str) -> Result<(DomainName, IpAddr), String> {
    let wrong = || "it should look like mx.example.com:192.0.2.1".to_owned();
    let (name, address) = text.split_once(':').ok_or_else(wrong)?;
    let address = address.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| wrong())?;
    Ok((name.parse().map_err(|_| wrong())?, address))
}

pub(crate) fn octets(text: &str) -> Result<u64, String> {
    let wrong = || "it should be a number of octets, such as 26214400 or 25M".to_owned();
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1_u64),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0);
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "it should be a number of seconds above 0, such as 10 or 2.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(options: &[&str]) -> [Settings; 2] {
        let parsed =
            |command: &[&str]| Args::try_parse_from([&["smtpprobe"][..], command, &["example.com"], options].concat()).expect("options");
        let probe = parsed(&[]).probe.options.settings();
        let ports = match parsed(&["ports"]).command {
            Some(Command::Ports(args)) => args.settings(),
            other => panic!("{other:?}"),
        };
        [probe, ports].map(|settings| settings.expect("settings"))
    }

    #[test]
    fn whoever_gives_a_stage_more_time_gives_it_to_the_whole_probe() {
        for (options, seconds) in [
            (&[][..], 60),
            (&["--greeting-timeout", "20"], 60),
            (&["--greeting-timeout", "300"], 310),
            (&["--greeting-timeout", "300", "--connect-timeout", "30"], 330),
            (&["--session-timeout", "100"], 110),
            (&["--gap-timeout", "90"], 100),
            (&["--connect-timeout", "120"], 120),
            (&["--greeting-timeout", "300", "--timeout", "5"], 5),
        ] {
            for settings in settings(options) {
                assert_eq!(settings.timeout, Duration::from_secs(seconds), "{options:?} {:?}", settings.question);
            }
        }
        let [probe, ports] = settings(&["--greeting-timeout", "300", "--gap-timeout", "7"]);
        assert_eq!([probe.times.greeting, ports.times.greeting], [Duration::from_secs(300); 2]);
        assert_eq!([probe.times.gap, ports.times.gap], [Some(Duration::from_secs(7)); 2]);
    }

    #[test]
    fn controls_are_the_usual_ones_the_users_or_none() {
        for (options, expected) in [
            (&[][..], Settings::default().control),
            (&["--no-control"], Vec::new()),
            (
                &["--control", "mx.example.net", "--control", "192.0.2.1"],
                vec![
                    Control::Host(Host::Name("mx.example.net".parse().expect("a name"))),
                    Control::Host(Host::Address("192.0.2.1".parse().expect("an address"))),
                ],
            ),
        ] {
            for settings in settings(options) {
                assert_eq!(settings.control, expected, "{options:?}");
            }
        }
    }
}
