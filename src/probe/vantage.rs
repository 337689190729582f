//! From where a probe was held: this machine's names and addresses, and whether the targets are its own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Role, SessionFacts};
use crate::settings::Settings;
use crate::smtp::{Answer, Command, Event, Purpose, Transcript, Verb};
use crate::target::{DomainName, Host, is_nonpublic};
use crate::transport::{is_own, source};

/// From where the probe was held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vantage {
    /// This host's name; none if it has none that is qualified.
    pub hostname: Option<String>,
    /// The name said in EHLO; none if nothing was said.
    pub hello: Option<String>,
    /// This machine's addresses, as its connections had them.
    pub addresses: Vec<IpAddr>,
    /// The addresses that it is seen with from outside, as servers named them in their replies to EHLO.
    pub egress: Vec<IpAddr>,
    /// Targets' addresses that lead back to this side.
    pub own: Vec<Own>,
    /// The proxy that all connections went through, as a URL without its login; none if there was none. What a connection comes to
    /// then says nothing about this network or the target's.
    pub proxy: Option<String>,
}

/// A target's address that is this side's own: reaching it from here says nothing about how others reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own {
    /// The address.
    pub address: IpAddr,
    /// Whether it is this machine's; else it is that of a router that this machine is behind.
    pub here: bool,
}

impl Vantage {
    /// Gathers it from the sessions. `own_name` holds the addresses that the DNS has for this host's name.
    /// Addresses that the settings lead elsewhere are nobody's.
    pub(super) fn of(sessions: &[SessionFacts], settings: &Settings, hostname: Option<&DomainName>, own_name: &[IpAddr]) -> Self {
        let transcripts = || sessions.iter().map(|session| &session.transcript);
        let mut addresses: BTreeSet<IpAddr> = transcripts().filter_map(local_address).collect();
        let mut egress: BTreeSet<IpAddr> = transcripts().filter_map(seen_as).filter(|address| !is_nonpublic(*address)).collect();
        if settings.proxy.is_some() {
            // They are the proxy's, as far as it tells.
            egress.extend(std::mem::take(&mut addresses).into_iter().filter(|address| !is_nonpublic(*address)));
        }
        let mut own: Vec<Own> = Vec::new();
        let real = |session: &&SessionFacts| {
            session.role == Role::Asked && settings.proxy.is_none() && !settings.connect_to.contains_key(&session.address)
        };
        for session in sessions.iter().filter(real) {
            let address = session.address.ip();
            let here = is_own(address);
            let private = source(address).is_some_and(is_nonpublic) && !is_nonpublic(address);
            let named = private && hostname.is_some_and(|hostname| session.name == Host::Name(hostname.clone()));
            let behind = named || own_name.contains(&address) || egress.contains(&address);
            if (here || behind) && own.iter().all(|known| known.address != address) {
                own.push(Own { address, here });
            }
        }
        Self {
            hostname: hostname.map(ToString::to_string),
            hello: transcripts().find_map(said_hello),
            addresses: addresses.into_iter().collect(),
            egress: egress.into_iter().collect(),
            own,
            proxy: settings.proxy.as_ref().map(ToString::to_string),
        }
    }
}

fn local_address(transcript: &Transcript) -> Option<IpAddr> {
    transcript.events.iter().find_map(|(_, event)| if let Event::Connected(ends) = event { Some(ends.local.ip()) } else { None })
}

fn said_hello(transcript: &Transcript) -> Option<String> {
    transcript.events.iter().find_map(|(_, event)| match event {
        Event::Sent { command: Command::Ehlo(name) | Command::Lhlo(name), .. } => Some(name.to_string()),
        _ => None,
    })
}

/// The client's address in a reply to EHLO, as many servers name it: `mx.example.com Hello probe [192.0.2.9]`.
fn seen_as(transcript: &Transcript) -> Option<IpAddr> {
    let answer = transcript.reply_to(Verb::Ehlo, Purpose::Target).filter(Answer::is_yes)?;
    let mut words = answer.reply.lines.first()?.split([' ', ',', '(', ')']);
    let literal = |word: &str| {
        let inside = word.strip_prefix('[')?.split(']').next()?;
        inside.strip_prefix("IPv6:").unwrap_or(inside).parse::<IpAddr>().ok()
    };
    words.find_map(literal).map(|address| address.to_canonical())
}
