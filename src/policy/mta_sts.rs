//! MTA-STS (RFC 8461): a TXT record says that there is a policy and which edition, a text fetched over HTTPS says what it is.
//!
//! Both are read as the RFC says, no more leniently: a sender that finds them invalid takes the domain for one without a policy.

mod pattern;
mod reading;

use std::collections::BTreeSet;
use std::fmt;

pub use self::pattern::{MxPattern, MxPatternError};
use super::txt::{self, FieldFault, TxtError};
use crate::target::DomainName;

/// What the TXT record begins with, and what the policy's version is.
const VERSION: &str = "v=STSv1";
/// The longest time in seconds that a policy may ask to be kept: about a year (§3.2).
pub const MAX_AGE_LIMIT: u32 = 31_557_600;
/// A policy longer than this is not read (§3.3 leaves the limit to the sender and suggests 64 kilobytes).
pub const SIZE_LIMIT: usize = 64 * 1024;

/// The TXT record at `_mta-sts.<domain>` (§3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsRecord {
    /// The edition of the policy: 1 to 32 letters and digits. When it changes, senders fetch the policy anew.
    pub id: String,
    /// Fields that the RFC does not know, with their values, in the order given.
    pub extensions: Vec<(String, String)>,
    /// The values of further `id` fields: only the first counts (§3.2).
    pub repeated: Vec<String>,
}

impl StsRecord {
    /// Finds and reads the record among the TXT records at `_mta-sts.<domain>`, each with its strings [joined](super::join).
    ///
    /// # Errors
    /// If not exactly one of them begins with `v=STSv1;`, or that one is wrong.
    pub fn find<S: AsRef<[u8]>>(records: &[S]) -> Result<Self, TxtError> {
        let mut ids = Vec::new();
        let mut extensions = Vec::new();
        for field in txt::fields(VERSION, records)? {
            if field.name == "id" {
                if !(1..=32).contains(&field.value.len()) || !field.value.bytes().all(|b| b.is_ascii_alphanumeric()) {
                    return Err(field.wrong(FieldFault::Id));
                }
                ids.push(field.value.to_owned());
            } else if field.is_extension() {
                extensions.push((field.name.to_owned(), field.value.to_owned()));
            } else {
                return Err(field.wrong(FieldFault::Value));
            }
        }
        let mut ids = ids.into_iter();
        let id = ids.next().ok_or(TxtError::Missing("id"))?;
        Ok(Self { id, extensions, repeated: ids.collect() })
    }
}

/// What senders are to do where a host does not fit the policy (§5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Not deliver there.
    Enforce,
    /// Deliver, and report it by TLS-RPT.
    Testing,
    /// Behave as if there were no policy.
    None,
}

impl Mode {
    /// As in the policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A valid policy (§3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What senders are to do.
    pub mode: Mode,
    /// How long senders keep it, in seconds; at most [`MAX_AGE_LIMIT`].
    pub max_age: u32,
    /// Which hosts may be MX hosts, in the order given; at least one unless the mode is none.
    pub mx: Vec<MxPattern>,
    /// What does not make it invalid but may not be meant, at most 20.
    pub notes: Vec<PolicyNote>,
}

/// One thing that makes a policy invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The line, counted from 1; none if it is about the whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub kind: PolicyErrorKind,
}

/// What makes a policy invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyErrorKind {
    /// Nothing is in it.
    #[error("the policy is empty")]
    Empty,
    /// It has this many octets, more than are read ([`SIZE_LIMIT`]).
    #[error("the policy has {0} octets, more than senders read")]
    TooLong(usize),
    /// It is a web page.
    #[error("this is a web page, no policy")]
    WebPage,
    /// It begins with a byte order mark, which some editors write unasked.
    #[error("the file begins with a byte order mark: save it as plain ASCII or as UTF-8 without it")]
    ByteOrderMark,
    /// An octet that is no text: NUL, a carriage return by itself, an escape.
    #[error("the control character with the number {0} is in it")]
    Control(u8),
    /// Octets that are not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// A line without a colon.
    #[error("{0:?} has no colon: a line is a key, a colon and a value")]
    NoColon(String),
    /// What stands before the colon is no key.
    #[error("{0:?} is no key: it has letters, digits, '_', '-' and '.', at most 32, and no blank around it")]
    Key(String),
    /// Nothing stands after the colon.
    #[error("{0} has no value")]
    NoValue(String),
    /// Not the version that there is.
    #[error("the version is {0:?}, and there is only STSv1")]
    Version(String),
    /// Not a mode.
    #[error("{0:?} is no mode: it is enforce, testing or none, in small letters")]
    Mode(String),
    /// Not a number of one to ten digits.
    #[error("{0:?} is no number of seconds")]
    MaxAge(String),
    /// More than [`MAX_AGE_LIMIT`].
    #[error("{0} seconds are more than 31557600, about a year")]
    MaxAgeTooLarge(u64),
    /// Not a pattern for hosts.
    #[error("{text:?} cannot stand after mx: {error}")]
    Mx {
        /// What stands there.
        text: String,
        /// Why it cannot.
        error: MxPatternError,
    },
    /// A key that must be there is not.
    #[error("the line {0} is missing")]
    Missing(&'static str),
    /// The mode asks for hosts, and none is named.
    #[error("no mx line names a host, so that none may take mail")]
    NoMx,
    /// More errors than are kept.
    #[error("and more")]
    More,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

impl std::error::Error for PolicyError {}

/// One thing in a valid policy that may not be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyNote {
    /// The line, counted from 1.
    pub line: usize,
    /// What it is.
    pub kind: PolicyNoteKind,
}

/// What may not be meant in a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyNoteKind {
    /// The key was there before, and only the first counts (§3.2).
    #[error("{0} was given before, and only the first counts")]
    Repeated(String),
    /// A key that the RFC does not know, which is passed over (§3.2).
    #[error("nobody knows the key {0:?}, so it is passed over")]
    UnknownKey(String),
    /// The version does not stand first. The RFC does not ask for it, yet some readers do.
    #[error("the version does not stand in the first line, where some senders look for it")]
    VersionNotFirst,
    /// The same pattern is there before.
    #[error("mx: {0} was given before")]
    RepeatedMx(MxPattern),
    /// A line with nothing in it.
    #[error("the line is empty")]
    EmptyLine,
    /// A wildcard before a name of one label: `*.com`.
    #[error("{0} covers a whole top-level domain")]
    Broad(MxPattern),
}

impl Policy {
    /// Reads the text of a policy (§3.2).
    ///
    /// # Errors
    /// If it is invalid: everything that is wrong, in the order of the lines, then what is missing; at most 20, and at least one.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<PolicyError>> {
        reading::policy(body)
    }

    /// The pattern that lets this host be an MX host; none if the policy has no such pattern, which forbids delivery there if the
    /// mode is [`Mode::Enforce`] (§4.1, §5).
    #[must_use]
    pub fn pattern_for(&self, host: &DomainName) -> Option<&MxPattern> {
        self.mx.iter().find(|pattern| pattern.matches(host))
    }

    /// The policy that would be right for these MX hosts, each named once, in their order; its [`Display`](fmt::Display) is the
    /// text to publish. None without a host, unless the mode is none. `max_age` is cut to [`MAX_AGE_LIMIT`].
    #[must_use]
    pub fn for_hosts<'a>(mode: Mode, max_age: u32, hosts: impl IntoIterator<Item = &'a DomainName>) -> Option<Self> {
        let mut seen = BTreeSet::new();
        let named = hosts.into_iter().filter(|host| seen.insert(host.as_str()));
        let mx: Vec<MxPattern> = named.map(|host| MxPattern { wildcard: false, name: host.clone() }).collect();
        (mode == Mode::None || !mx.is_empty()).then(|| Self { mode, max_age: max_age.min(MAX_AGE_LIMIT), mx, notes: Vec::new() })
    }
}

/// The text to publish, with CRLF at the end of each line (§3.2); notes are no part of it.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version: STSv1\r\nmode: {}\r\n", self.mode)?;
        for pattern in &self.mx {
            write!(f, "mx: {pattern}\r\n")?;
        }
        write!(f, "max_age: {}\r\n", self.max_age)
    }
}

#[cfg(test)]
mod tests;
