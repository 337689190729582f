//! A scenario file: a small mail world and what a probe of it should conclude, in some twenty lines of TOML.
//!
//! ```toml
//! address = "full@demo.test"
//! title = "Mailbox full"
//! teaches = "What one learns from it, in one line."
//! expect = { outcome = "rejected", reason = "mailbox_full", actor = "recipient", confidence = "certain" }
//! signed = ["demo.test"]           # optional: domains whose names, and those below, the resolver has validated
//!
//! [probe]                          # optional, in milliseconds: timeout, connect_timeout, greeting_timeout, command_timeout,
//! greeting_timeout = 5000          # gap_timeout, session_timeout; size, the octets to declare in MAIL; ports = true asks for
//! control = ["mx.control.test"]    # ports instead of mail; control names hosts to compare with where port 25 is shut
//!
//! [dns]                            # what is not named does not exist; types A, AAAA, MX, CNAME, PTR, TXT, TLSA; ANY takes a word
//! "demo.test MX" = ["10 mx1.demo.test"]
//! "mx1.demo.test A" = ["192.0.2.1"]
//! "mx1.demo.test AAAA" = "TIMEOUT" # words: SERVFAIL, TIMEOUT, NODATA, and BOGUS for what does not validate
//! "_smtp._tls.demo.test TXT" = ["v=TLSRPTv1; rua=mailto:tls@demo.test"]   # each text is one record, however long
//! "_25._tcp.mx1.demo.test TLSA" = ["3 1 1 0123ab", "3 1 1 own", "2 0 1 issuer"]   # own is what matches the certificate shown
//!                                  # at that host and port, one record for each server there; issuer the world's authority
//! "192.0.2.1 PTR" = ["mx1.demo.test"]
//!
//! [[server]]                       # addresses without a server refuse connections
//! at = ["192.0.2.1:25"]
//! tls = "starttls"                 # none, starttls, implicit, broken, closes, alert, self_signed, expired, wrong_name; old: TLS 1.0
//!                                  # alone; hangs: silent after 220; injectable: takes what came behind STARTTLS for said inside
//! chain = "with_issuer"            # or alone: whether the authority's certificate is sent, too, as for TLSA records of usage 2
//! greeting = "220 mx1.demo.test ESMTP"
//! ehlo = ["PIPELINING"]            # keywords instead of the usual ones; STARTTLS comes by itself
//! mailboxes = ["anna"]             # known beside postmaster; or catch_all = true
//! domains = ["demo.test"]          # taken mail for, instead of the address's own
//!                                  # or nothing but: silent = true, refused = true
//! [[server.reply]]                 # the first that fits is taken; without one the server says what is usual
//! to = "RCPT TO:<full@"            # how the client's line begins, in any case; or CONNECT, or . for the end of the message;
//!                                  # "" is any command
//! say = "552 5.2.2 over quota"     # may have several lines; none is the usual reply, or nothing where `then` stands
//! delay_ms = 100                   # before the first byte
//! bytewise_ms = 10                 # between bytes
//! then = "close"                   # or reset, silent
//! raw = true                       # `say` goes out as it is, line ends and all
//! once = true                      # for the first time only; the next fitting reply serves from then on
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::manners::{Moment, Policy};
use super::tls::{Chain, Paper};
use super::tlsa;
use super::zone::{Value, Zone};
use crate::settings::{Control, Question, Settings};
use crate::target::{DomainName, Host, Target, TargetError};

/// A mail world with the address to probe in it, and what is to be concluded.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// A short name: that of its file, or its address if it does not come with the program.
    pub name: String,
    /// What to probe, such as `full@demo.test`.
    pub address: String,
    /// What is the matter, in a few words.
    pub title: String,
    /// What one learns from it, in one line.
    pub teaches: String,
    /// What a probe should conclude.
    pub expect: Expectation,
    pub(super) probe: Probe,
    pub(super) zone: Zone,
    pub(super) servers: Vec<Server>,
}

/// The conclusion that a scenario leads to, in the names that reports use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Such as `rejected`.
    pub outcome: String,
    /// Such as `mailbox_full`.
    pub reason: String,
    /// Who must act, such as `recipient`.
    pub actor: String,
    /// How sure it is, such as `certain`.
    pub confidence: String,
    /// Findings that must be among those made.
    #[serde(default)]
    pub findings: Vec<String>,
}

/// Why a text is no scenario.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    /// Not TOML, or not the fields of a scenario.
    #[error("this is not a scenario: {0}")]
    Toml(#[from] toml::de::Error),
    /// The address names nothing that can be probed.
    #[error("the address of the scenario cannot be probed: {0}")]
    Address(#[from] TargetError),
    /// An entry under `[dns]`.
    #[error("[dns] {key:?}: {reason}")]
    Dns {
        /// The entry's key.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A `[[server]]`.
    #[error("[[server]] number {number}: {reason}")]
    Server {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What a scenario asks of the probe, in milliseconds and octets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Probe {
    timeout: Option<u64>,
    connect_timeout: Option<u64>,
    greeting_timeout: Option<u64>,
    command_timeout: Option<u64>,
    gap_timeout: Option<u64>,
    session_timeout: Option<u64>,
    size: Option<u64>,
    /// `ports` instead of mail.
    #[serde(default)]
    ports: bool,
    /// Control hosts.
    #[serde(default, deserialize_with = "names")]
    control: Vec<DomainName>,
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<DomainName>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
}

impl Probe {
    /// Puts what is given over `settings`.
    pub(super) fn apply(&self, settings: &mut Settings) {
        let put = |time: &mut Duration, millis: Option<u64>| *time = millis.map_or(*time, Duration::from_millis);
        put(&mut settings.timeout, self.timeout);
        put(&mut settings.connect_timeout, self.connect_timeout);
        put(&mut settings.times.greeting, self.greeting_timeout);
        put(&mut settings.times.command, self.command_timeout);
        let given = |millis: Option<u64>| millis.map(Duration::from_millis);
        settings.times.gap = given(self.gap_timeout).or(settings.times.gap);
        settings.times.session = given(self.session_timeout).or(settings.times.session);
        settings.size = self.size.or(settings.size);
        // Nobody outside of the world is asked.
        settings.control = self.control.iter().cloned().map(|name| Control::Host(Host::Name(name))).collect();
        if self.ports {
            settings.question = Question::Ports;
        }
    }
}

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

    fn shows_a_certificate(&self) -> bool {
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
    Talks(Script),
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
    /// At the end of the message.
    MessageOver,
}

impl Cue {
    /// Whether this is the moment.
    pub(super) fn meets(&self, moment: Moment<'_>) -> bool {
        match (self, moment) {
            (Self::Connect, Moment::Connected) | (Self::MessageOver, Moment::MessageOver) => true,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    address: String,
    title: String,
    teaches: String,
    expect: Expectation,
    #[serde(default, deserialize_with = "names")]
    signed: Vec<DomainName>,
    #[serde(default)]
    probe: Probe,
    #[serde(default)]
    dns: BTreeMap<String, Value>,
    #[serde(default)]
    server: Vec<ServerEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerEntry {
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
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// If it is no TOML, has a field that no scenario has, or says what cannot be; the message names the place.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let file: File = toml::from_str(text)?;
        let home = match file.address.parse()? {
            Target::Mailbox(mailbox) => Some(mailbox.domain().to_string()),
            Target::Domain(domain) => Some(domain.to_string()),
            Target::Host { .. } => None,
        };
        let mut zone = Zone::default();
        for (key, value) in &file.dns {
            zone.insert(key, value).map_err(|reason| ScenarioError::Dns { key: key.clone(), reason })?;
        }
        zone.sign(file.signed);
        let mut servers: Vec<Server> = Vec::new();
        for (index, entry) in file.server.into_iter().enumerate() {
            let wrong = |reason| ScenarioError::Server { number: index + 1, reason };
            let server = entry.into_server(&zone, home.as_deref()).map_err(wrong)?;
            if servers.iter().flat_map(|earlier| &earlier.at).any(|address| server.at.contains(address)) {
                return Err(wrong("one of its addresses is another server's too"));
            }
            servers.push(server);
        }
        for owner in zone.owners_of_own() {
            if !servers.iter().any(|server| server.shows_a_certificate() && server.is_meant_by(owner, &zone)) {
                let reason = "own needs a server at that host and port that shows a certificate";
                return Err(ScenarioError::Dns { key: format!("{owner} TLSA"), reason });
            }
        }
        let File { address, title, teaches, expect, probe, .. } = file;
        Ok(Self { name: address.clone(), address, title, teaches, expect, probe, zone, servers })
    }
}

impl ServerEntry {
    fn into_server(self, zone: &Zone, home: Option<&str>) -> Result<Server, &'static str> {
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
        };
        if self.chain == Chain::WithIssuer && self.tls.paper().is_none() {
            return Err("who shows no certificate has no chain");
        }
        let rules = self.reply.into_iter().map(ReplyEntry::into_rule).collect::<Result<_, _>>()?;
        Ok(Server { at: self.at, conduct: Conduct::Talks(Script { names, tls: self.tls, chain: self.chain, policy, rules }) })
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
        let cue = match self.to.as_str() {
            "CONNECT" => Cue::Connect,
            "." => Cue::MessageOver,
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

    const HEAD: &str = "address = \"anna@demo.test\"\ntitle = \"t\"\nteaches = \"l\"\n\
        expect = { outcome = \"accepted\", reason = \"accepted\", actor = \"nobody\", confidence = \"certain\" }\n";

    fn parse(rest: &str) -> Result<Scenario, ScenarioError> {
        Scenario::parse(&format!("{HEAD}{rest}"))
    }

    fn script(scenario: &Scenario) -> &Script {
        match &scenario.servers[0].conduct {
            Conduct::Talks(script) => script,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_left_out_is_usual() {
        let scenario =
            parse("[dns]\n\"mx1.demo.test A\" = [\"192.0.2.1\"]\n[[server]]\nat = [\"192.0.2.1:25\", \"[2001:db8::1]:25\"]").unwrap();
        assert_eq!(scenario.name, "anna@demo.test");
        let script = script(&scenario);
        assert_eq!((script.names.as_slice(), script.tls), (&["mx1.demo.test".to_owned()][..], TlsConduct::Starttls));
        assert_eq!(script.policy.domains, ["demo.test"]);
        assert!(script.policy.starttls && script.policy.greeting.is_none() && script.policy.keywords.is_none());
        let mut settings = Settings::default();
        scenario.probe.apply(&mut settings);
        assert_eq!((settings.timeout, settings.size), (Settings::default().timeout, None));
    }

    #[test]
    fn the_probe_is_told_its_times() {
        let text = "[probe]\ntimeout = 1\nconnect_timeout = 2\ngreeting_timeout = 3\ncommand_timeout = 4\nsize = 5\n\
            gap_timeout = 6\nsession_timeout = 7\nports = true\ncontrol = [\"mx.control.test\"]";
        let scenario = parse(text).unwrap();
        let mut settings = Settings::default();
        scenario.probe.apply(&mut settings);
        let times = [settings.timeout, settings.connect_timeout, settings.times.greeting, settings.times.command];
        assert_eq!((times.map(|time| time.as_millis()), settings.size), ([1, 2, 3, 4], Some(5)));
        let within = [settings.times.gap, settings.times.session].map(|time| time.map(|time| time.as_millis()));
        assert_eq!((within, settings.question), ([Some(6), Some(7)], Question::Ports));
        let control = Control::Host(Host::Name("mx.control.test".parse().expect("a name")));
        assert_eq!(settings.control, [control]);
    }

    #[test]
    fn replies_become_bytes_and_cues() {
        let scenario = parse(
            "[[server]]\nat = [\"192.0.2.1:25\"]\n\
             [[server.reply]]\nto = \"CONNECT\"\nsay = \"220-a\\n220 b\"\n\
             [[server.reply]]\nto = \".\"\nsay = \"250 x\"\nraw = true\n\
             [[server.reply]]\nto = \"rcpt to:<j\\u00f6rg@\"\nthen = \"reset\"",
        )
        .unwrap();
        let script = script(&scenario);
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

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let server = |rest: &str| format!("[[server]]\nat = [\"192.0.2.1:25\"]\n{rest}");
        let own = |rest: &str| {
            let dns = "\"mx.demo.test A\" = [\"192.0.2.1\"]\n\"_25._tcp.mx.demo.test TLSA\" = [\"3 1 1 own\"]";
            format!("[dns]\n{dns}\n{}", server(rest))
        };
        assert!(parse(&own("")).is_ok());
        for (text, word) in [
            ("colour = 1".to_owned(), "colour"),
            ("signed = [\"demo..test\"]".to_owned(), "demo..test"),
            ("[probe]\ncontrol = [\"mx.control..test\"]".to_owned(), "mx.control..test"),
            ("[dns]\n\"demo.test MX\" = [\"mx1.demo.test\"]".to_owned(), "[dns] \"demo.test MX\": an MX record"),
            ("[[server]]\nat = []".to_owned(), "number 1: `at` is empty"),
            ("[[server]]\nat = [\"mx1.demo.test:25\"]".to_owned(), "invalid socket address"),
            (server("tls = \"maybe\""), "maybe"),
            (server("tls = \"none\"\nchain = \"with_issuer\""), "no certificate has no chain"),
            (own("tls = \"none\""), "[dns] \"_25._tcp.mx.demo.test TLSA\": own needs a server"),
            (own("[[server]]\nat = [\"192.0.2.2:25\"]").replace("192.0.2.1:25", "192.0.2.1:465"), "own needs a server"),
            (own("").replace("_25._tcp.", ""), "own needs a server"),
            (server("silent = true\nrefused = true"), "at once"),
            (server("silent = true\n[[server.reply]]\nto = \"MAIL\""), "no replies"),
            (server("[[server]]\nat = [\"192.0.2.1:25\"]"), "number 2: one of its addresses"),
            (server("[[server.reply]]\nto = \"MAIL\"\nsay = \"\""), "`say` is empty"),
            (server("[[server.reply]]\nto = \"MAIL\"\nraw = true"), "`raw` needs"),
            (server("[[server.reply]]\nto = \"MAIL\"\nthen = \"explode\""), "explode"),
        ] {
            let error = parse(&text).expect_err(&text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        let error = Scenario::parse(&HEAD.replace("anna@demo.test", "anna@")).unwrap_err();
        assert!(matches!(error, ScenarioError::Address(_)), "{error}");
    }
}
