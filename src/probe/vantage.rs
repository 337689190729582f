//! From where a probe was held: this machine's names and addresses, and whether the targets are its own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Role, SessionFacts};
use crate::sender::{Known, Sender};
use crate::settings::Settings;
use crate::smtp::{Answer, Command, Event, Purpose, Reply, Transcript, Verb};
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
    /// The addresses that it is seen with from outside, as servers named them in their replies to EHLO, and in refusals.
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
    /// The same with what servers named in refusals of this client.
    pub(super) fn naming(mut self, sender: Option<&Sender>) -> Self {
        let told = sender.iter().flat_map(|sender| &sender.addresses).filter(|known| known.egress.known == Known::Told);
        for address in told.map(|known| known.egress.address) {
            if !self.egress.contains(&address) {
                self.egress.push(address);
            }
        }
        self
    }

    /// Gathers it from the sessions. `own_name` holds the addresses that the DNS has for this host's name.
    /// Addresses that the settings lead elsewhere are nobody's.
    pub(super) fn of(sessions: &[SessionFacts], settings: &Settings, hostname: Option<&DomainName>, own_name: &[IpAddr]) -> Self {
        let transcripts = || sessions.iter().map(|session| &session.transcript);
        let mut addresses: BTreeSet<IpAddr> = transcripts().filter_map(local_address).collect();
        let mut egress: BTreeSet<IpAddr> = transcripts().filter_map(greeted_as).filter(|address| !is_nonpublic(*address)).collect();
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

pub(super) fn local_address(transcript: &Transcript) -> Option<IpAddr> {
    transcript.events.iter().find_map(|(_, event)| if let Event::Connected(ends) = event { Some(ends.local.ip()) } else { None })
}

fn said_hello(transcript: &Transcript) -> Option<String> {
    transcript.events.iter().find_map(|(_, event)| match event {
        Event::Sent { command: Command::Ehlo(name) | Command::Lhlo(name), .. } => Some(name.to_string()),
        _ => None,
    })
}

/// The client's address as the server names it in its reply to EHLO, as many do: `mx.example.com Hello probe [192.0.2.9]`.
pub(super) fn greeted_as(transcript: &Transcript) -> Option<IpAddr> {
    let answer = transcript.reply_to(Verb::Ehlo, Purpose::Target).filter(Answer::is_yes)?;
    let mut words = answer.reply.lines.first()?.split([' ', ',', '(', ')']);
    let literal = |word: &str| {
        let inside = word.strip_prefix('[')?.split(']').next()?;
        inside.strip_prefix("IPv6:").unwrap_or(inside).parse::<IpAddr>().ok()
    };
    words.find_map(literal).map(|address| address.to_canonical())
}

/// The one public address of the connection's family that a refusal of the client names, if it is not the server's own:
/// `Client host [192.0.2.9] blocked`.
pub(super) fn turned_away(reply: &Reply, peer: IpAddr) -> Option<IpAddr> {
    let mut found: Option<IpAddr> = None;
    for line in &reply.lines {
        let words = line.split(|c: char| c.is_whitespace() || "[](),;<>\"'=/?&".contains(c));
        let addresses = words.filter_map(|word| {
            let word = word.trim_end_matches(['.', ':', '!']);
            word.strip_prefix("IPv6:").unwrap_or(word).parse::<IpAddr>().ok().map(|address| address.to_canonical())
        });
        for address in addresses.filter(|address| !is_nonpublic(*address) && address.is_ipv4() == peer.is_ipv4() && *address != peer) {
            if found.is_some_and(|other| other != address) {
                return None;
            }
            found = Some(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_whom_it_turns_away() {
        let peer = "192.0.2.1".parse().expect("an address");
        for (text, expected) in [
            ("554 5.7.1 Client host [203.0.113.9] blocked using zen.example; https://list.example/ip/203.0.113.9", Some("203.0.113.9")),
            ("550 5.7.25 203.0.113.9: no PTR record.", Some("203.0.113.9")),
            ("550 see https://list.example/?ip=203.0.113.9", Some("203.0.113.9")),
            ("550 5.7.1 192.0.2.1 does not like you", None),
            ("550 5.7.1 [10.0.0.7] blocked, 127.0.0.2", None),
            ("550 5.7.1 203.0.113.9 and 203.0.113.10", None),
            ("550 5.7.1 [IPv6:2001:db8::9] blocked", None),
            ("550 5.7.1 no", None),
        ] {
            let reply = Reply::parse(&format!("{text}\r\n")).expect(text);
            assert_eq!(turned_away(&reply, peer).map(|address| address.to_string()).as_deref(), expected, "{text}");
        }
        let reply = Reply::parse("550 5.7.1 [IPv6:2001:db8::9] blocked\r\n").expect("a reply");
        assert_eq!(turned_away(&reply, "2001:db8::1".parse().expect("an address")), "2001:db8::9".parse().ok());
    }
}
