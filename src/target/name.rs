//! Names, hosts and ports (RFC 1035 §2.3, RFC 5890): what can stand in a query or a command, by construction.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::TargetError;

/// A TCP port from 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(u16);

impl Port {
    /// Relay between mail servers (RFC 5321 §4.5.4.2).
    pub const SMTP: Self = Self(25);
    /// LMTP; the port that is usual, for none is assigned (RFC 2033 §4).
    pub const LMTP: Self = Self(24);
    /// Message submission, TLS from the first byte (RFC 8314 §7.3).
    pub const SUBMISSIONS: Self = Self(465);
    /// Message submission (RFC 6409 §3.1).
    pub const SUBMISSION: Self = Self(587);

    /// The port's number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u16> for Port {
    type Error = TargetError;

    fn try_from(number: u16) -> Result<Self, TargetError> {
        if number == 0 { Err(TargetError::Port("0".to_owned())) } else { Ok(Self(number)) }
    }
}

impl FromStr for Port {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        match text.parse::<u16>() {
            Ok(number) if number > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(Self(number)),
            _ => Err(TargetError::Port(text.to_owned())),
        }
    }
}

/// Whether an address means nothing outside its own machine or network: loopback, private (RFC 1918, RFC 4193), link-local,
/// shared (RFC 6598) or unspecified.
#[must_use]
pub fn is_nonpublic(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// A domain name as DNS and SMTP carry it: ASCII (A-labels), lower case, without the final dot, at most 253 octets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// The name in ASCII, as it stands in a query or a command.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for people: U-labels where the name is internationalised, else the same as [`as_str`](Self::as_str).
    #[must_use]
    pub fn to_unicode(&self) -> String {
        let (unicode, verdict) = idna::domain_to_unicode(&self.0);
        if verdict.is_ok() { unicode } else { self.0.clone() }
    }

    /// Whether both names end in the same two labels, so that the same people may be behind them. Nothing tells that for sure:
    /// under `co.uk` it says yes to strangers.
    #[must_use]
    pub fn may_be_kin(&self, other: &Self) -> bool {
        fn end(name: &str) -> &str {
            name.rmatch_indices('.').nth(1).map_or(name, |(dot, _)| &name[dot + 1..])
        }
        end(&self.0) == end(&other.0)
    }

    /// Whether the name has at least two labels, as a name in the public DNS has.
    #[must_use]
    pub fn is_qualified(&self) -> bool {
        self.0.contains('.')
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for DomainName {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let wrong = |reason| TargetError::Domain { name: text.to_owned(), reason };
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.is_empty() {
            return Err(wrong("it is empty"));
        }
        let ascii = if bare.is_ascii() {
            bare.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(bare).map_err(|_| wrong("it has characters that no domain name can have"))?
        };
        if ascii.len() > 253 {
            return Err(wrong("it is longer than 253 characters"));
        }
        for label in ascii.split('.') {
            if label.is_empty() {
                return Err(wrong("there is nothing between two dots"));
            }
            if label.len() > 63 {
                return Err(wrong("a part between dots is longer than 63 characters"));
            }
            // The underscore is no host name character, but names with one are in the DNS and do receive mail.
            if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
                return Err(wrong("only letters, digits, hyphens and dots can be in it"));
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(wrong("a part begins or ends with a hyphen"));
            }
        }
        Ok(Self(ascii))
    }
}

/// The path of a UNIX socket: absolute, without control characters, and no longer than every system allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketPath(String);

impl SocketPath {
    /// The longest path that fits into the address of a socket everywhere, in octets.
    const LIMIT: usize = 103;

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SocketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for SocketPath {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let fits = text.starts_with('/') && text.len() <= Self::LIMIT && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(TargetError::Socket(text.to_owned())) }
    }
}

/// A host: by name, or by address; or this machine, at one of its UNIX sockets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// To be looked up.
    Name(DomainName),
    /// An address as such.
    Address(IpAddr),
    /// A UNIX socket, which is reached by its path. Where an address is asked for, it has the unspecified one.
    Socket(SocketPath),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Socket(path) => path.fmt(f),
        }
    }
}
