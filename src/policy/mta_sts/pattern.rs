//! The patterns of a policy's `mx` lines (RFC 8461 §3.2, §4.1).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::target::DomainName;

/// Which hosts may be MX hosts: one name, or all names with one more label before it (§4.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MxPattern {
    /// Whether it begins with `*.`.
    pub wildcard: bool,
    /// The name, without the `*.`.
    pub name: DomainName,
}

impl MxPattern {
    /// Whether the host fits. `*.` stands for exactly one label, the left-most.
    #[must_use]
    pub fn matches(&self, host: &DomainName) -> bool {
        if !self.wildcard {
            return *host == self.name;
        }
        host.as_str().split_once('.').is_some_and(|(_, rest)| rest == self.name.as_str())
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.wildcard { "*." } else { "" }, self.name)
    }
}

/// Why a text is no pattern for hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MxPatternError {
    /// There is none.
    #[error("nothing is named")]
    Empty,
    /// Letters beyond ASCII: the A-label (`xn--...`) belongs there.
    #[error("it is not ASCII: write the name in its xn-- form")]
    NotAscii,
    /// More than one name in a line.
    #[error("only one name can stand in a line: write an mx line for each")]
    Several,
    /// A `*` that is not the whole of the left-most label.
    #[error("a * can stand only for the whole left-most label: *.example.com")]
    Asterisk,
    /// A dot at the beginning, as in early drafts of the RFC.
    #[error("it begins with a dot: write *.example.com for all hosts under example.com")]
    LeadingDot,
    /// A dot at the end.
    #[error("it ends with a dot")]
    TrailingDot,
    /// An address instead of a name.
    #[error("it is an address, and a name belongs there")]
    Address,
    /// Anything else that no name can be.
    #[error("it is no host name")]
    Name,
}

impl FromStr for MxPattern {
    type Err = MxPatternError;

    fn from_str(text: &str) -> Result<Self, MxPatternError> {
        let (wildcard, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        if name.is_empty() {
            return Err(MxPatternError::Empty);
        }
        if !text.is_ascii() {
            return Err(MxPatternError::NotAscii);
        }
        if name.contains([' ', '\t', ',', ';']) {
            return Err(MxPatternError::Several);
        }
        if name.contains('*') {
            return Err(MxPatternError::Asterisk);
        }
        if name.starts_with('.') {
            return Err(MxPatternError::LeadingDot);
        }
        if name.ends_with('.') {
            return Err(MxPatternError::TrailingDot);
        }
        if name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            return Err(MxPatternError::Address);
        }
        let name = name.parse().map_err(|_| MxPatternError::Name)?;
        Ok(Self { wildcard, name })
    }
}
