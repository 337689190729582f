//! The records of any name that a query can carry, host name or not: what sender policies ask for (RFC 7208 §4.8, RFC 2181 §11).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hickory_resolver::proto::rr::{Name, RData};
use tokio::time::timeout;

use super::answer::Outcome;
use super::{LookupFailure, LookupKind, Resolver};
use crate::smtp::Elapsed;
use crate::target::DomainName;

/// A name that a query can carry: ASCII labels of 1 to 63 octets, at most 253 octets in all, without the final dot. Unlike a
/// [`DomainName`] it may have any character in its labels but a dot.
#[derive(Clone, Debug)]
pub struct QueryName(String);

/// Why a text is no name that a query can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NameFault {
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// Two dots in a row, or one at the beginning.
    #[error("there is nothing between two dots")]
    EmptyLabel,
    /// A label of more than 63 octets.
    #[error("a part between dots is longer than 63 characters")]
    LongLabel,
    /// More than 253 octets.
    #[error("it is longer than 253 characters")]
    Long,
    /// A character beyond ASCII.
    #[error("it has a character beyond ASCII")]
    NotAscii,
}

impl NameFault {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::EmptyLabel => "empty_label",
            Self::LongLabel => "long_label",
            Self::Long => "long",
            Self::NotAscii => "not_ascii",
        }
    }
}

impl QueryName {
    /// The most octets that a name has in this form.
    pub const LIMIT: usize = 253;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `domain`, or below it. Upper and lower case are the same.
    #[must_use]
    pub fn is_within(&self, domain: &Self) -> bool {
        let labels = |name: &Self| name.0.to_ascii_lowercase();
        let (own, other) = (labels(self), labels(domain));
        own.strip_suffix(&other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Whether it has at least two labels, as a name in the public DNS has.
    #[must_use]
    pub fn is_qualified(&self) -> bool {
        self.0.contains('.')
    }

    /// A name from an answer; none for the root, and for one whose labels cannot be told apart in text.
    fn of(name: &Name) -> Option<Self> {
        let mut labels = Vec::new();
        for label in name {
            let label = std::str::from_utf8(label).ok()?;
            if label.contains('.') {
                return None;
            }
            labels.push(label);
        }
        labels.join(".").parse().ok()
    }
}

impl FromStr for QueryName {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<Self, NameFault> {
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.is_empty() {
            return Err(NameFault::Empty);
        }
        if !bare.is_ascii() {
            return Err(NameFault::NotAscii);
        }
        for label in bare.split('.') {
            match label.len() {
                0 => return Err(NameFault::EmptyLabel),
                1..=63 => {}
                _ => return Err(NameFault::LongLabel),
            }
        }
        if bare.len() > Self::LIMIT { Err(NameFault::Long) } else { Ok(Self(bare.to_owned())) }
    }
}

impl From<&DomainName> for QueryName {
    fn from(name: &DomainName) -> Self {
        Self(name.as_str().to_owned())
    }
}

impl PartialEq for QueryName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for QueryName {}

impl fmt::Display for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// MX: preference and host; no host if it is the root, as in a null MX (RFC 7505).
    Exchange(u16, Option<QueryName>),
    /// PTR; none if it is the root.
    Pointer(Option<QueryName>),
    /// TXT, its strings joined without anything between them.
    Text(Vec<u8>),
}

/// What a question for records came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// The records, in the order of the answer; at least one, at most 64, of TXT 256.
    Found(Vec<Record>),
    /// The name exists, but has none of this type.
    NoData,
    /// The name, or the last of its aliases, does not exist.
    NxDomain,
    /// No answer that could be used.
    Failed(LookupFailure),
}

/// Asks for the records of type `kind` at `name`: A, AAAA, MX, PTR or TXT; of other types there are none. After `until` no question
/// is asked any more, and no answer waited for: that is [`LookupFailure::TimedOut`].
pub async fn records(name: &QueryName, kind: LookupKind, resolver: &Resolver, until: Elapsed) -> Records {
    let left = until.0.saturating_sub(resolver.clock().now().0);
    if left.is_zero() {
        return Records::Failed(LookupFailure::TimedOut);
    }
    let Ok(answer) = timeout(left, resolver.lookup_text(name.as_str(), kind)).await else {
        return Records::Failed(LookupFailure::TimedOut);
    };
    match answer.outcome {
        Outcome::Found(data) => {
            let records: Vec<Record> = data.iter().filter_map(record).collect();
            if records.is_empty() { Records::NoData } else { Records::Found(records) }
        }
        Outcome::NoData => Records::NoData,
        Outcome::NxDomain => Records::NxDomain,
        Outcome::Failed(failure) => Records::Failed(failure),
    }
}

fn record(data: &RData) -> Option<Record> {
    match data {
        RData::MX(mx) => Some(Record::Exchange(mx.preference, QueryName::of(&mx.exchange))),
        RData::PTR(name) => Some(Record::Pointer(QueryName::of(&name.0))),
        RData::TXT(txt) => Some(Record::Text(txt.txt_data.concat())),
        other => other.ip_addr().map(Record::Address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_query_can_carry_is_a_name() {
        let long = format!("{}.example.com", "a".repeat(64));
        let longest = [&"a".repeat(63), &"b".repeat(63), &"c".repeat(63), &"d".repeat(61)].map(String::as_str).join(".");
        for (text, expected) in [
            ("example.com", Ok("example.com")),
            ("Example.com.", Ok("Example.com")),
            ("foo:bar/baz.example.com", Ok("foo:bar/baz.example.com")),
            ("a b.example.com", Ok("a b.example.com")),
            (&longest, Ok(&*longest)),
            (&format!("{longest}e"), Err(NameFault::Long)),
            ("", Err(NameFault::Empty)),
            (".", Err(NameFault::Empty)),
            ("a..b", Err(NameFault::EmptyLabel)),
            (".a", Err(NameFault::EmptyLabel)),
            ("a..", Err(NameFault::EmptyLabel)),
            ("r\u{e9}mi.example.com", Err(NameFault::NotAscii)),
            (&long, Err(NameFault::LongLabel)),
        ] {
            assert_eq!(text.parse::<QueryName>().as_ref().map(QueryName::as_str).map_err(|fault| *fault), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_within_a_domain_by_whole_labels() {
        let name = |text: &str| text.parse::<QueryName>().expect(text);
        for (inner, outer, within) in [
            ("mail.example.com", "example.com", true),
            ("EXAMPLE.com", "example.COM", true),
            ("mail.bad-example.com", "example.com", false),
            ("example.com", "mail.example.com", false),
        ] {
            assert_eq!(name(inner).is_within(&name(outer)), within, "{inner} {outer}");
        }
    }
}
