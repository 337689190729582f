//! What a scenario file says of a mail server: where it is, how it does TLS (RFC 3207), and what it says otherwise than usual. The
//! language is told in [`scenario`](super::scenario).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use super::logins::{LoginConduct, Logins};
use super::manners::{Moment, Policy};
use super::tls::{Chain, Paper};
use super::tlsa;
use super::zone::Zone;
use crate::smtp::Secret;

/// What plays the host at some addresses.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) at: Vec<SocketAddr>,
    pub(super) conduct: Conduct,
}

impl Server {
    /// Whether TLSA records at `owner` speak of it.
    pub(super) fn is_meant_by(&self, owner: &str, zone: &Zone) -> bool {
        tlsa::place(owner).is_some_and(|(port, host)| {
            let addresses = zone.addresses_of(host);
            self.at.iter().any(|at| at.port() == port && addresses.contains(&at.ip()))
        })
    }

    /// Whether a client comes to see a certificate of it.
    pub(super) fn shows_a_certificate(&self) -> bool {
        matches!(&self.conduct, Conduct::Talks(script) if script.tls.paper().is_some())
    }
}

/// How a host meets a connection.
#[derive(Clone, Debug)]
pub(super) enum Conduct {
    /// With a reset.
    Refuses,
    /// Not at all.
    Silent,
    /// By talking.
    Talks(Box<Script>),
}

/// What a talking server does.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// The names its certificate is for, at least one.
    pub(super) names: Vec<String>,
    pub(super) tls: TlsConduct,
    pub(super) chain: Chain,
    pub(super) policy: Policy,
    pub(super) rules: Vec<Rule>,
}

/// How a server does TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TlsConduct {
    /// Not at all.
    None,
    /// By STARTTLS, as it should be.
    #[default]
    Starttls,
    /// From the first byte.
    Implicit,
    /// By STARTTLS; the handshake is answered with garbage.
    Broken,
    /// By STARTTLS; the handshake is answered by closing the connection.
    Closes,
    /// By STARTTLS; the handshake is refused as by a server that has no cipher in common with the client.
    Alert,
    /// By STARTTLS, with a self-signed certificate.
    SelfSigned,
    /// By STARTTLS, with a certificate whose time is over.
    Expired,
    /// By STARTTLS, with the certificate of another host.
    WrongName,
    /// By STARTTLS, as by a server that knows nothing newer than TLS 1.0: a hello of today is refused for its version, an older one
    /// is answered by the first flight alone.
    Old,
    /// By STARTTLS; the handshake is never answered.
    Hangs,
    /// By STARTTLS; commands that came behind it in the clear are answered inside TLS (CVE-2011-0411).
    Injectable,
}

impl TlsConduct {
    /// Which certificate it comes to; none if it comes to none.
    pub(super) const fn paper(self) -> Option<Paper> {
        match self {
            Self::Starttls | Self::Implicit | Self::Old | Self::Injectable => Some(Paper::Good),
            Self::SelfSigned => Some(Paper::SelfSigned),
            Self::Expired => Some(Paper::Expired),
            Self::WrongName => Some(Paper::WrongName),
            Self::None | Self::Broken | Self::Closes | Self::Alert | Self::Hangs => None,
        }
    }
}

/// One thing that a server says otherwise than usual.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) cue: Cue,
    /// The bytes to send; none leaves the usual reply, or nothing if `then` is there.
    pub(super) say: Option<Vec<u8>>,
    pub(super) delay: Duration,
    pub(super) bytewise: Duration,
    pub(super) then: Option<Then>,
    pub(super) once: bool,
}

/// When a rule holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cue {
    /// Instead of the greeting.
    Connect,
    /// When a line begins so.
    Line(String),
    /// In the middle of the message, after so many octets.
    Grown(usize),
    /// When a challenge of a login is answered.
    Response,
    /// At the end of the message.
    MessageOver,
}

impl Cue {
    /// Whether this is the moment.
    pub(super) fn meets(&self, moment: Moment<'_>) -> bool {
        match (self, moment) {
            (Self::Connect, Moment::Connected) | (Self::MessageOver, Moment::MessageOver) | (Self::Response, Moment::Response(_)) => true,
            (Self::Grown(octets), Moment::Grown(size)) => size >= *octets,
            (Self::Line(prefix), Moment::Said(line)) => {
                line.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
            }
            _ => false,
        }
    }
}

/// What a server does after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Then {
    /// Closes the connection in good order.
    Close,
    /// Tears it down.
    Reset,
    /// Holds it, and never says anything again.
    Silent,
}

/// A `[[server]]` of a scenario file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerEntry {
    at: Vec<SocketAddr>,
    #[serde(default)]
    tls: TlsConduct,
    #[serde(default)]
    chain: Chain,
    greeting: Option<String>,
    ehlo: Option<Vec<String>>,
    domains: Option<Vec<String>>,
    #[serde(default)]
    mailboxes: Vec<String>,
    #[serde(default)]
    catch_all: bool,
    #[serde(default)]
    users: BTreeMap<String, String>,
    mechanisms: Option<Vec<String>>,
    #[serde(default)]
    login: LoginConduct,
    #[serde(default)]
    silent: bool,
    #[serde(default)]
    refused: bool,
    #[serde(default)]
    reply: Vec<ReplyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyEntry {
    to: String,
    say: Option<String>,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    bytewise_ms: u64,
    then: Option<Then>,
    #[serde(default)]
    raw: bool,
    #[serde(default)]
    once: bool,
    after_octets: Option<usize>,
}

impl ServerEntry {
    /// Finds its names in the world.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn into_server(self, zone: &Zone, home: Option<&str>) -> Result<Server, &'static str> {
        if self.at.is_empty() {
            return Err("`at` is empty; it should look like [\"192.0.2.1:25\"]");
        }
        let conduct = match (self.silent, self.refused) {
            (true, true) => return Err("it cannot be silent and refused at once"),
            (true, false) => Conduct::Silent,
            (false, true) => Conduct::Refuses,
            (false, false) => return self.into_talking(zone, home),
        };
        if self.reply.is_empty() { Ok(Server { at: self.at, conduct }) } else { Err("who is silent or refused has no replies") }
    }

    fn into_talking(self, zone: &Zone, home: Option<&str>) -> Result<Server, &'static str> {
        let addresses: Vec<IpAddr> = self.at.iter().map(SocketAddr::ip).collect();
        let names = zone.names_or_addresses(&addresses);
        let policy = Policy {
            greeting: self.greeting,
            domains: self.domains.unwrap_or_else(|| home.into_iter().map(str::to_owned).collect()),
            mailboxes: self.mailboxes,
            catch_all: self.catch_all,
            keywords: self.ehlo,
            starttls: !matches!(self.tls, TlsConduct::None | TlsConduct::Implicit),
            logins: Logins {
                users: self.users.into_iter().map(|(user, password)| (user, Secret::from(password))).collect(),
                mechanisms: self.mechanisms,
                conduct: self.login,
            },
        };
        if self.chain == Chain::WithIssuer && self.tls.paper().is_none() {
            return Err("who shows no certificate has no chain");
        }
        let rules = self.reply.into_iter().map(ReplyEntry::into_rule).collect::<Result<_, _>>()?;
        Ok(Server { at: self.at, conduct: Conduct::Talks(Box::new(Script { names, tls: self.tls, chain: self.chain, policy, rules })) })
    }
}

impl ReplyEntry {
    fn into_rule(self) -> Result<Rule, &'static str> {
        let say = match self.say {
            Some(text) if text.is_empty() => return Err("`say` is empty; leave it out, and let `then` say what happens instead"),
            Some(text) if self.raw => Some(text.into_bytes()),
            Some(text) => Some(wire_lines(&text)),
            None if self.raw => return Err("`raw` needs a `say`"),
            None => None,
        };
        let cue = match (self.to.as_str(), self.after_octets) {
            (".", Some(octets)) => Cue::Grown(octets),
            (_, Some(_)) => return Err("`after_octets` is about the message: `to` has to be \".\""),
            ("CONNECT", None) => Cue::Connect,
            ("RESPONSE", None) => Cue::Response,
            (".", None) => Cue::MessageOver,
            _ => Cue::Line(self.to),
        };
        let millis = Duration::from_millis;
        Ok(Rule { cue, say, delay: millis(self.delay_ms), bytewise: millis(self.bytewise_ms), then: self.then, once: self.once })
    }
}

/// The lines of `text` with the line ends of SMTP.
pub(super) fn wire_lines(text: &str) -> Vec<u8> {
    text.lines().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_become_bytes_and_cues() {
        let text = "at = [\"192.0.2.1:25\"]\n\
             [[reply]]\nto = \"CONNECT\"\nsay = \"220-a\\n220 b\"\n\
             [[reply]]\nto = \".\"\nsay = \"250 x\"\nraw = true\n\
             [[reply]]\nto = \"rcpt to:<j\\u00f6rg@\"\nthen = \"reset\"";
        let server = toml::from_str::<ServerEntry>(text).unwrap().into_server(&Zone::default(), None).unwrap();
        let Conduct::Talks(script) = server.conduct else { panic!("{server:?}") };
        assert_eq!(script.names, ["192.0.2.1"]);
        let bytes: Vec<Option<&[u8]>> = script.rules.iter().map(|rule| rule.say.as_deref()).collect();
        assert_eq!(bytes, [Some(&b"220-a\r\n220 b\r\n"[..]), Some(&b"250 x"[..]), None]);
        for (rule, moment, meets) in [
            (0, Moment::Connected, true),
            (0, Moment::Said("CONNECT"), false),
            (1, Moment::MessageOver, true),
            (1, Moment::Said("."), false),
            (2, Moment::Said("RCPT TO:<J\u{f6}rg@demo.test>"), true),
            (2, Moment::Said("RCPT TO:<\u{f6}@demo.test>"), false),
            (2, Moment::Said("RCPT"), false),
        ] {
            assert_eq!(script.rules[rule].cue.meets(moment), meets, "{rule} {moment:?}");
        }
    }
}
