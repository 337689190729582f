//! A scenario file: a small mail world and what a probe of it should conclude, in some twenty lines of TOML.
//!
//! ```toml
//! address = "full@demo.test"
//! title = "Mailbox full"
//! teaches = "What one learns from it, in one line."
//! expect = { outcome = "rejected", reason = "mailbox_full", actor = "recipient", confidence = "certain" }
//! signed = ["demo.test"]           # optional: domains in and below which the resolver says that answers are authentic
//!
//! [probe]                          # optional, in milliseconds: timeout, connect_timeout, greeting_timeout, command_timeout,
//! greeting_timeout = 5000          # handshake_timeout, gap_timeout, session_timeout; size, the octets to declare in MAIL;
//! send = "Subject: x\n\ntext\n"     # this message is delivered; "test" is the probe's own
//! notify = "never"                 # or success,failure,delay; also ret = "full" or "headers", bdat = true, requiretls = true,
//! wait = 15000                     # how long greylisting is waited for; message_timeout, for the reply to the message
//! from = "shop@example.net"        # the envelope sender; helo, the name in EHLO;
//! control = ["mx.control.test"]    # ports = true asks for ports instead of mail; check_injection = true tries that; control names
//!                                  # hosts to compare with where port 25 is shut; relay_test asks for this address as of an open relay
//! until = "auth"                   # the last stage to ask for
//! login = { user = "anna", password = "tanstaaf" }   # who logs in; mechanism = "PLAIN" takes that alone, insecure = true any connection
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
//! users = { anna = "tanstaaf" }     # who can log in, with the password or token; AUTH is then offered by itself
//! mechanisms = ["PLAIN"]           # instead of all that take a password
//! login = "impostor"               # says yes to every password; stalling: asks for endless rounds in SCRAM; hasty: for 100
//! domains = ["demo.test"]          # taken mail for, instead of the address's own
//!                                  # or nothing but: silent = true, refused = true
//! [[server.reply]]                 # the first that fits is taken; without one the server says what is usual
//! to = "RCPT TO:<full@"            # how the client's line begins, in any case; or CONNECT, RESPONSE for the answer to a
//!                                  # challenge, or . for the end of the message;
//!                                  # "" is any command
//! say = "552 5.2.2 over quota"     # may have several lines; none is the usual reply, or nothing where `then` stands
//! delay_ms = 100                   # before the first byte
//! bytewise_ms = 10                 # between bytes
//! then = "close"                   # or reset, silent
//! raw = true                       # `say` goes out as it is, line ends and all
//! once = true                      # for the first time only; the next fitting reply serves from then on
//! after_octets = 1000              # with to = ".": in the middle of the message, as soon as so much of it has come
//!
//! [[policy]]                       # a web server on port 443 of its host's addresses, where else nobody listens
//! host = "mta-sts.demo.test"       # has a policy at /.well-known/mta-sts.txt and nothing else
//! text = """
//! version: STSv1
//! mode: enforce
//! mx: mx1.demo.test
//! max_age: 604800
//! """
//! tls = "good"                     # or self_signed, expired, wrong_name
//! delay_ms = 100                   # before the answer
//! status = 301                     # instead of 200; then `text` may be left out
//! location = "https://demo.test/"  # where a status from 300 to 399 leads
//! octets = 70000                   # a body of this size, instead of `text`
//!                                  # or, beside `tls`, nothing but: silent = true, which never answers the request
//! ```

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::policy_host::{PolicyEntry, PolicyHost};
use super::script::{Server, ServerEntry};
use super::zone::{Value, Zone};
use crate::message::Message;
use crate::settings::{Control, Letter, Question, Settings};
use crate::smtp::{HelloName, Login, LoginOver, Mechanism, Notify, Ret, Secret, Stage, Transfer};
use crate::target::{DomainName, Host, Mailbox, Target, TargetError};

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
    pub(super) policy_hosts: Vec<PolicyHost>,
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
    /// A `[[policy]]`.
    #[error("[[policy]] number {number}: {reason}")]
    Policy {
        /// Counted from 1.
        number: usize,
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
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own in the file; enums begin behind it")]
pub(super) struct Probe {
    timeout: Option<u64>,
    connect_timeout: Option<u64>,
    greeting_timeout: Option<u64>,
    command_timeout: Option<u64>,
    handshake_timeout: Option<u64>,
    gap_timeout: Option<u64>,
    session_timeout: Option<u64>,
    size: Option<u64>,
    message_timeout: Option<u64>,
    wait: Option<u64>,
    #[serde(default, deserialize_with = "letter")]
    send: Option<Letter>,
    #[serde(default, deserialize_with = "notify")]
    notify: Option<Notify>,
    #[serde(default)]
    ret: Option<RetWord>,
    #[serde(default)]
    bdat: bool,
    #[serde(default)]
    requiretls: bool,
    /// The envelope sender.
    #[serde(default, deserialize_with = "parsed")]
    from: Option<Mailbox>,
    /// The name in EHLO.
    #[serde(default, deserialize_with = "parsed")]
    helo: Option<HelloName>,
    /// Whether what is sent ahead of TLS is obeyed inside it is to be tried.
    #[serde(default)]
    check_injection: bool,
    /// Who logs in.
    login: Option<LoginEntry>,
    /// The last stage to ask for.
    until: Option<Stage>,
    /// The address to ask for as open relays are asked.
    #[serde(default)]
    relay_test: Option<String>,
    /// `ports` instead of mail.
    #[serde(default)]
    ports: bool,
    /// Control hosts.
    #[serde(default, deserialize_with = "names")]
    control: Vec<DomainName>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RetWord {
    Full,
    Headers,
}

fn letter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Letter>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "test" {
        return Ok(Some(Letter::Test(None)));
    }
    Message::new(text.into_bytes()).map(|message| Some(Letter::Given(message))).map_err(D::Error::custom)
}

fn notify<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Notify>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

/// Who logs in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginEntry {
    user: String,
    #[serde(deserialize_with = "secret")]
    password: Secret,
    #[serde(default, deserialize_with = "mechanism")]
    mechanism: Option<Mechanism>,
    #[serde(default)]
    insecure: bool,
}

impl LoginEntry {
    /// None if nobody can have such a name or password.
    fn login(&self) -> Option<Login> {
        let login = Login::new(&self.user, self.password.clone()).ok()?;
        let login = if let Some(mechanism) = self.mechanism { login.by(mechanism) } else { login };
        Some(if self.insecure { login.over(LoginOver::Anything) } else { login })
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}

fn mechanism<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mechanism>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<DomainName>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<Option<T>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

impl Probe {
    /// Puts what is given over `settings`.
    pub(super) fn apply(&self, settings: &mut Settings) {
        let put = |time: &mut Duration, millis: Option<u64>| *time = millis.map_or(*time, Duration::from_millis);
        put(&mut settings.timeout, self.timeout);
        put(&mut settings.connect_timeout, self.connect_timeout);
        put(&mut settings.times.greeting, self.greeting_timeout);
        put(&mut settings.times.command, self.command_timeout);
        put(&mut settings.times.handshake, self.handshake_timeout);
        let given = |millis: Option<u64>| millis.map(Duration::from_millis);
        settings.times.gap = given(self.gap_timeout).or(settings.times.gap);
        settings.times.session = given(self.session_timeout).or(settings.times.session);
        settings.size = self.size.or(settings.size);
        put(&mut settings.times.message, self.message_timeout);
        settings.wait = given(self.wait).or(settings.wait);
        // What the user sends comes first.
        settings.letter = settings.letter.take().or_else(|| self.send.clone());
        let handling = &mut settings.handling;
        handling.notify = self.notify.or(handling.notify);
        handling.ret = self.ret.map(|ret| if matches!(ret, RetWord::Full) { Ret::Full } else { Ret::Headers }).or(handling.ret);
        handling.require_tls |= self.requiretls;
        if self.bdat {
            handling.transfer = Transfer::Chunks;
        }
        settings.from = self.from.clone().or(settings.from.take());
        settings.hello = self.helo.clone().or(settings.hello.take());
        settings.check_injection |= self.check_injection;
        settings.until = settings.until.or(self.until);
        if settings.login.is_none() {
            settings.login = self.login.as_ref().and_then(LoginEntry::login);
        }
        settings.relay = self.relay_test.as_ref().and_then(|own| own.parse().ok()).or(settings.relay.take());
        // Nobody outside of the world is asked.
        settings.control = self.control.iter().cloned().map(|name| Control::Host(Host::Name(name))).collect();
        if self.ports {
            settings.question = Question::Ports;
        }
    }
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
    #[serde(default)]
    policy: Vec<PolicyEntry>,
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
        let mut policy_hosts: Vec<PolicyHost> = Vec::new();
        for (index, entry) in file.policy.into_iter().enumerate() {
            let wrong = |reason| ScenarioError::Policy { number: index + 1, reason };
            let host = entry.into_host(&zone).map_err(wrong)?;
            let mut taken = servers.iter().flat_map(|server| &server.at).chain(policy_hosts.iter().flat_map(|earlier| &earlier.at));
            if taken.any(|address| host.at.contains(address)) {
                return Err(wrong("one of its addresses is another server's too"));
            }
            policy_hosts.push(host);
        }
        let File { address, title, teaches, expect, probe, .. } = file;
        Ok(Self { name: address.clone(), address, title, teaches, expect, probe, zone, servers, policy_hosts })
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Conduct, Script, TlsConduct};
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
    fn what_is_wrong_is_said_with_its_place() {
        let server = |rest: &str| format!("[[server]]\nat = [\"192.0.2.1:25\"]\n{rest}");
        let own = |rest: &str| {
            let dns = "\"mx.demo.test A\" = [\"192.0.2.1\"]\n\"_25._tcp.mx.demo.test TLSA\" = [\"3 1 1 own\"]";
            format!("[dns]\n{dns}\n{}", server(rest))
        };
        assert!(parse(&own("")).is_ok());
        let policy = |rest: &str| format!("[dns]\n\"sts.demo.test A\" = [\"192.0.2.1\"]\n[[policy]]\nhost = \"sts.demo.test\"\n{rest}");
        assert!(parse(&policy("text = \"x\"")).is_ok());
        for (text, word) in [
            ("colour = 1".to_owned(), "colour"),
            ("signed = [\"demo..test\"]".to_owned(), "demo..test"),
            ("[probe]\ncontrol = [\"mx.control..test\"]".to_owned(), "mx.control..test"),
            ("[dns]\n\"demo.test MX\" = [\"mx1.demo.test\"]".to_owned(), "[dns] \"demo.test MX\": an MX record"),
            ("[[server]]\nat = []".to_owned(), "number 1: `at` is empty"),
            ("[[server]]\nat = [\"mx1.demo.test:25\"]".to_owned(), "invalid socket address"),
            (policy(""), "number 1: `text` is missing"),
            (policy("text = \"x\"\n[[policy]]\nhost = \"sts.demo.test\"\ntext = \"y\""), "number 2: one of its addresses"),
            (policy("text = \"x\"\n[[server]]\nat = [\"192.0.2.1:443\"]"), "[[policy]] number 1: one of its addresses"),
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
