//! What publisher and workers tell each other: JSON of a version, bounded in size, and read as if it came from an enemy.

mod otherwise;

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use self::otherwise::Otherwise;
use crate::bulk::input::{Entry, SHOWN};
use crate::bulk::journal::Identity;
use crate::bulk::manners::{Limits, UnknownUsers};
use crate::bulk::plan::Way;
use crate::bulk::run::Wanted;
use crate::bulk::{Answer, Order};
use crate::settings::{Controls, Families, Settings};
use crate::smtp::{StageTimes, TlsUse};
use crate::target::{Host, Mailbox, Port, host_and_port};

/// The version of all messages. Another one is not understood.
pub const VERSION: u32 = 1;

/// No message has more octets.
pub const LONGEST: usize = 64 * 1024;

/// So many characters of a reply travel.
const WORDS: usize = 4000;

/// So many addresses of a destination travel; no mail server tries more.
const ADDRESSES: usize = 64;

/// The most connections to a destination, and the most retries, that are believed.
const MANY: usize = 10_000;

/// The longest time that is believed.
const LONG: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why a message is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// More than [`LONGEST`] octets.
    #[error("it has {0} octets")]
    TooLong(usize),
    /// No JSON, or not of this form.
    #[error("{0}")]
    Form(String),
    /// Of another version.
    #[error("it is of version {0}, and this program knows version {VERSION}: all machines need the same release")]
    Version(u64),
    /// A value that cannot be.
    #[error("its {0} cannot be")]
    Value(&'static str),
}

/// The octets of a message.
///
/// # Errors
/// If it would have too many.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, MessageError> {
    let octets = serde_json::to_vec(message).map_err(|error| MessageError::Form(error.to_string()))?;
    if octets.len() > LONGEST { Err(MessageError::TooLong(octets.len())) } else { Ok(octets) }
}

/// The message in `octets`.
///
/// # Errors
/// If there is none that is understood.
pub fn decode<T: DeserializeOwned>(octets: &[u8]) -> Result<T, MessageError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    if octets.len() > LONGEST {
        return Err(MessageError::TooLong(octets.len()));
    }
    let wrong = |error: serde_json::Error| MessageError::Form(error.to_string());
    let Versioned { version } = serde_json::from_slice(octets).map_err(wrong)?;
    if version != u64::from(VERSION) {
        return Err(MessageError::Version(version));
    }
    serde_json::from_slice(octets).map_err(wrong)
}

/// What a run is called at the broker: 1 to 40 of a-z, 0-9, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunName(String);

/// Not a name of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a run has 1 to 40 of the characters a-z, 0-9, _ and -")]
pub struct RunNameError;

impl FromStr for RunName {
    type Err = RunNameError;

    fn from_str(text: &str) -> Result<Self, RunNameError> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if (1..=40).contains(&text.len()) && text.chars().all(fits) { Ok(Self(text.to_owned())) } else { Err(RunNameError) }
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RunName {
    /// That of a list, asked in one way: the same command has the same one, wherever the list lies.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        let octets = identity.octets.map_or_else(String::new, |octets| octets.to_string());
        let whole = format!("{octets}\n{}\n{:?}", identity.sha256, identity.options);
        Self(digest(&SHA256, whole.as_bytes()).as_ref().iter().take(8).fold(String::new(), |text, octet| text + &format!("{octet:02x}")))
    }
}

/// How a run is held: what all its workers have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    version: u32,
    /// When the run was first published, in milliseconds since 1970; older runs go first.
    created: u64,
    from: Option<String>,
    helo: Option<String>,
    tls: Option<Tls>,
    controls: When,
    /// Hosts that were named instead of those of MX.
    servers: Vec<String>,
    families: Family,
    connect_ms: u64,
    greeting_ms: u64,
    command_ms: u64,
    gap_ms: Option<u64>,
    session_ms: Option<u64>,
    rate: Option<f64>,
    connections: usize,
    owned: bool,
    retries: u32,
    retry_after_ms: u64,
    /// Destinations that are treated otherwise.
    destinations: Vec<Otherwise>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tls {
    Never,
    IfOffered,
    Require,
    Implicit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    Auto,
    Off,
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Family {
    Both,
    V4,
    V6,
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn span(millis: u64) -> Result<Duration, MessageError> {
    Some(Duration::from_millis(millis)).filter(|span| *span <= LONG).ok_or(MessageError::Value("time"))
}

impl Terms {
    /// Those of a run that was begun at `created`, in milliseconds since 1970.
    #[must_use]
    pub fn new(order: &Order, settings: &Settings, created: u64) -> Self {
        Self {
            version: VERSION,
            created,
            from: settings.from.as_ref().map(ToString::to_string),
            helo: settings.hello.as_ref().map(ToString::to_string),
            tls: settings.tls.map(|tls| match tls {
                TlsUse::Never => Tls::Never,
                TlsUse::IfOffered => Tls::IfOffered,
                TlsUse::Require => Tls::Require,
                TlsUse::Implicit => Tls::Implicit,
            }),
            controls: match settings.controls {
                Controls::Auto => When::Auto,
                Controls::Off => When::Off,
                Controls::Always => When::Always,
            },
            servers: settings.servers.iter().map(|(host, _)| host.to_string()).collect(),
            families: match settings.families {
                Families::Both => Family::Both,
                Families::V4 => Family::V4,
                Families::V6 => Family::V6,
            },
            connect_ms: millis(settings.connect_timeout),
            greeting_ms: millis(settings.times.greeting),
            command_ms: millis(settings.times.command),
            gap_ms: settings.times.gap.map(millis),
            session_ms: settings.times.session.map(millis),
            rate: order.limits.rate,
            connections: order.limits.connections,
            owned: order.limits.unknown_users == UnknownUsers::Own,
            retries: order.retries,
            retry_after_ms: millis(order.retry_after),
            destinations: Otherwise::all(&order.overrides),
        }
    }

    /// When the run was first published, in milliseconds since 1970.
    #[must_use]
    pub const fn created(&self) -> u64 {
        self.created
    }

    /// The same at the time at which the run was really begun.
    #[must_use]
    pub fn since(self, created: u64) -> Self {
        Self { created, ..self }
    }

    /// What a worker does by them: `own` are its own settings, which say by which way it connects, and how it calls itself where the run
    /// does not.
    ///
    /// # Errors
    /// If a value cannot be.
    pub fn apply(&self, own: &Settings, window: usize) -> Result<(Order, Settings), MessageError> {
        let base = Order::default();
        if self.connections == 0 || self.connections > MANY {
            return Err(MessageError::Value("number of connections"));
        }
        if self.rate.is_some_and(|rate| !(0.001..=1e6).contains(&rate)) {
            return Err(MessageError::Value("rate"));
        }
        if self.retries as usize > MANY {
            return Err(MessageError::Value("number of retries"));
        }
        let unknown_users = if self.owned { UnknownUsers::Own } else { UnknownUsers::Stop };
        let limits = Limits { connections: self.connections, rate: self.rate, unknown_users, ..base.limits };
        let overrides = Otherwise::overrides(&self.destinations)?;
        let order = Order { limits, retries: self.retries, retry_after: span(self.retry_after_ms)?, window, overrides, ..base };
        let from = self.from.as_deref().map(|from| from.parse().map_err(|_| MessageError::Value("sender"))).transpose()?;
        let hello = self.helo.as_deref().map(|helo| helo.parse().map_err(|_| MessageError::Value("EHLO name"))).transpose()?;
        let server = |server: &String| host(server).map(|host| (host, None));
        let times = StageTimes {
            greeting: span(self.greeting_ms)?,
            command: span(self.command_ms)?,
            gap: self.gap_ms.map(span).transpose()?,
            session: self.session_ms.map(span).transpose()?,
            ..own.times
        };
        let settings = Settings {
            from,
            hello: hello.or_else(|| own.hello.clone()),
            tls: self.tls.map(|tls| match tls {
                Tls::Never => TlsUse::Never,
                Tls::IfOffered => TlsUse::IfOffered,
                Tls::Require => TlsUse::Require,
                Tls::Implicit => TlsUse::Implicit,
            }),
            controls: match self.controls {
                When::Auto => Controls::Auto,
                When::Off => Controls::Off,
                When::Always => Controls::Always,
            },
            servers: self.servers.iter().map(server).collect::<Result<_, _>>()?,
            families: match self.families {
                Family::Both => Families::Both,
                Family::V4 => Families::V4,
                Family::V6 => Families::V6,
            },
            connect_timeout: span(self.connect_ms)?,
            times,
            ..own.clone()
        };
        Ok((order, settings))
    }
}

fn host(text: &str) -> Result<Host, MessageError> {
    match host_and_port(text) {
        Ok((host, None)) => Ok(host),
        _ => Err(MessageError::Value("host")),
    }
}

/// A number by which this process knows what a line reads.
pub(super) fn mark(input: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    hasher.finish()
}

/// One mailbox to be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    version: u32,
    /// The line of the list; the first is 1.
    pub line: u64,
    input: String,
    address: String,
    /// Where its mail goes: hosts and their addresses, in order.
    hosts: Vec<(String, SocketAddr)>,
}

impl Job {
    /// For `mailbox` of a line that reads `input`, by `way`.
    #[must_use]
    pub fn new(line: u64, input: String, mailbox: &Mailbox, way: &Way) -> Self {
        let hosts = way.addresses().iter().take(ADDRESSES).map(|(host, address)| (host.to_string(), *address)).collect();
        Self { version: VERSION, line, input, address: mailbox.to_string(), hosts }
    }

    /// What its line reads.
    pub(super) fn mark(&self) -> u64 {
        mark(&self.input)
    }

    /// What is to be answered.
    ///
    /// # Errors
    /// If a value cannot be.
    pub(in crate::bulk) fn wanted(self) -> Result<Wanted, MessageError> {
        if self.line == 0 {
            return Err(MessageError::Value("line"));
        }
        // The list's lines are cut at that and get three dots.
        if self.input.chars().count() > SHOWN + 3 {
            return Err(MessageError::Value("input"));
        }
        let mailbox: Mailbox = self.address.parse().map_err(|_| MessageError::Value("address"))?;
        if self.hosts.len() > ADDRESSES || self.hosts.iter().any(|(_, address)| Port::try_from(address.port()).is_err()) {
            return Err(MessageError::Value("destination"));
        }
        let hosts = self.hosts.iter().map(|(name, address)| Ok((host(name)?, *address))).collect::<Result<Vec<_>, MessageError>>()?;
        let way = Way::to(hosts).ok_or(MessageError::Value("destination"))?;
        Ok(Wanted { entry: Entry { line: self.line, raw: self.input, mailbox: Ok(mailbox) }, way: Some(way) })
    }
}

/// What came of one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    version: u32,
    /// The answer to its line.
    pub answer: Answer,
}

impl Outcome {
    /// Of an answer, whose reply is cut where it is endless.
    #[must_use]
    pub fn new(mut answer: Answer) -> Self {
        if let Some(text) = &mut answer.text
            && let Some((end, _)) = text.char_indices().nth(WORDS)
        {
            text.truncate(end);
            *text += "...";
        }
        Self { version: VERSION, answer }
    }
}

#[cfg(test)]
mod tests;
