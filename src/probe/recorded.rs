//! A conversation that somebody else held, or this program at another time: the same facts, as far as the record goes.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::{Facts, Published, Role, SessionFacts, Vantage};
use crate::route::{Doubt, MailHost, Origin, Route, Security};
use crate::settings::{Question, Walk};
use crate::smtp::{Command, Event, Handling, Purpose, Stage, TlsUse, Transcript, Verb};
use crate::target::{DomainName, Host, Mailbox, Port, Target};

/// The host of a record that tells no name and no address; a name that cannot exist (RFC 6761 §6.4).
const NOBODY: &str = "server.invalid";

/// One recorded conversation.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The server's name; none if the record does not tell, and then what it greets as stands for it.
    pub host: Option<String>,
    /// Its address and port; none if the record does not tell.
    pub peer: Option<SocketAddr>,
    /// What was said.
    pub transcript: Transcript,
}

impl Facts {
    /// What the conversations tell about `target`; without one, about the recipient that was named in them, else the host.
    ///
    /// Nothing was looked up and nothing is published as far as a record tells. An address that is not told is the unspecified one.
    #[must_use]
    pub fn recorded(target: Option<Target>, conversations: Vec<Recorded>) -> Self {
        let named = conversations.iter().find_map(|recorded| recipient(&recorded.transcript)).cloned();
        let until = conversations.iter().map(|recorded| last_stage(&recorded.transcript)).max().unwrap_or(Stage::Greeting);
        let sessions: Vec<SessionFacts> = conversations.into_iter().map(session).collect();
        let mut seen = BTreeSet::new();
        let hosts: Vec<Host> = sessions.iter().map(|session| session.name.clone()).filter(|name| seen.insert(name.to_string())).collect();
        let first = hosts.first().cloned().or_else(nobody);
        let target = target
            .or_else(|| named.map(Target::Mailbox))
            .or_else(|| first.map(|host| Target::Host { host, port: None, scheme: None }))
            .unwrap_or(Target::Host { host: Host::Address(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port: None, scheme: None });
        let place = |session: SessionFacts| SessionFacts { host: hosts.iter().position(|host| *host == session.name), ..session };
        let sessions: Vec<SessionFacts> = sessions.into_iter().map(place).collect();
        let addresses = |host: &Host| {
            sessions
                .iter()
                .filter(|session| session.name == *host)
                .map(|session| session.address.ip())
                .filter(|ip| !ip.is_unspecified())
                .collect()
        };
        let mail_host = |host: &Host| MailHost { addresses: addresses(host), ..MailHost::new(host.clone()) };
        Self {
            target,
            question: Question::Mail,
            needed: vec![Port::SMTP],
            until,
            walk: Walk::All,
            size: None,
            letter: None,
            handling: Handling::default(),
            waited: None,
            started_at: SystemTime::UNIX_EPOCH,
            duration: Duration::ZERO,
            vantage: Vantage::default(),
            route: Route {
                origin: Origin::Recorded,
                domain: None,
                hosts: hosts.iter().map(mail_host).collect(),
                security: Security::Unknown(Doubt::AtHand),
                lookups: Vec::new(),
            },
            sessions,
            published: Published::default(),
            identities: Vec::new(),
            sender: None,
            left_out: Vec::new(),
            cut_short: None,
        }
    }
}

fn session(recorded: Recorded) -> SessionFacts {
    let Recorded { host, peer, transcript } = recorded;
    let greeting = transcript.replies().find(|answer| answer.verb == Verb::Connect).map(|answer| answer.reply.text());
    let greeted = greeting.and_then(|text| text.split_whitespace().next().map(str::to_owned)).filter(|name| name.contains('.'));
    let name = host.or(greeted).and_then(|name| name.parse::<DomainName>().ok()).map(Host::Name);
    let by_address = || peer.map(|peer| Host::Address(peer.ip()));
    let unknown = Host::Address(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let encrypted_first = transcript.events.iter().find_map(|(_, event)| match event {
        Event::Secured(_) => Some(true),
        Event::Received { .. } | Event::Sent { .. } => Some(false),
        _ => None,
    });
    SessionFacts {
        role: Role::Asked,
        host: None,
        name: name.or_else(by_address).or_else(nobody).unwrap_or(unknown),
        address: peer.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, Port::SMTP.number()))),
        tls: if encrypted_first == Some(true) { TlsUse::Implicit } else { TlsUse::IfOffered },
        transcript,
        dane: None,
        come_back: None,
    }
}

fn nobody() -> Option<Host> {
    NOBODY.parse::<DomainName>().ok().map(Host::Name)
}

/// The first recipient that is the question itself.
fn recipient(transcript: &Transcript) -> Option<&Mailbox> {
    transcript.events.iter().find_map(|(_, event)| match event {
        Event::Sent { command: Command::Rcpt { to, .. }, purpose: Purpose::Target, .. } => Some(to),
        _ => None,
    })
}

/// The last stage that was asked for; leaving is none.
fn last_stage(transcript: &Transcript) -> Stage {
    let asked = |(_, event): &(_, Event)| match event {
        Event::Sent { command, purpose: Purpose::Target, .. } => Some(Stage::of(command.verb())).filter(|stage| *stage != Stage::Quit),
        Event::Content { .. } => Some(Stage::Message),
        _ => None,
    };
    transcript.events.iter().filter_map(asked).max().unwrap_or(Stage::Greeting)
}
