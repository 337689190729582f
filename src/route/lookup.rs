//! What was asked of the DNS, and what came back: facts for the report, in the words of the DNS (RFC 1035, 2308).

use std::net::SocketAddr;
use std::time::Duration;

use super::{Doubt, Security};
use crate::smtp::Elapsed;
use crate::target::DomainName;

/// One question and its answer. Each server that was asked has an entry of its own, and so has each step along aliases that
/// one answer did not hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The name asked for, without the final dot.
    pub name: String,
    /// The type of record asked for.
    pub kind: LookupKind,
    /// The DNS server; none if the answer was at hand: the hosts file, `--resolve`, `localhost`, or nobody to ask.
    pub server: Option<SocketAddr>,
    /// Whether the answer was fetched, or tried to be, over TCP: the one over UDP was truncated.
    pub tcp: bool,
    /// When the question was sent.
    pub at: Elapsed,
    /// Until the answer came, or was no longer waited for; resent questions and TCP included.
    pub took: Duration,
    /// The answer.
    pub result: LookupResult,
    /// The aliases (CNAME) that the answer led along, in order, without the name asked for. [`LookupResult::NoData`] with a
    /// chain may only mean that the answer ends there; the next entry then asks for the chain's last name.
    pub chain: Vec<DomainName>,
    /// Whether the answer is authentic, and who says so.
    pub security: Security,
}

impl Lookup {
    /// A lookup for which no server was asked.
    pub(super) fn of_nobody(name: String, kind: LookupKind, at: Elapsed, result: LookupResult) -> Self {
        let security = Security::Unknown(match result {
            LookupResult::Failed(_) => Doubt::NoAnswer,
            _ => Doubt::AtHand,
        });
        Self { name, kind, server: None, tcp: false, at, took: Duration::ZERO, result, chain: Vec::new(), security }
    }
}

/// The type of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LookupKind {
    /// A mail exchange.
    Mx,
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// The name of an address (RFC 1035 §3.5).
    Ptr,
    /// What a name is an alias of; asked for only where it matters whether the alias itself is authentic.
    Cname,
    /// Text that belongs to a name, each record's strings joined (RFC 1035 §3.3.14).
    Txt,
    /// Which certificates and keys belong to a server (RFC 6698).
    Tlsa,
}

impl LookupKind {
    /// The type's name in the DNS.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mx => "MX",
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Ptr => "PTR",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
            Self::Tlsa => "TLSA",
        }
    }
}

/// What one question brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupResult {
    /// Records as a person would read them, in the order of the answer: `10 mx1.example.com`, `192.0.2.1`.
    Found(Vec<String>),
    /// The name exists, but has no record of this type.
    NoData,
    /// The name, or the last of its aliases, does not exist.
    NxDomain,
    /// No answer that could be used.
    Failed(LookupFailure),
}

impl LookupResult {
    /// The name used in JSON; a failure has its own.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::NoData => "no_data",
            Self::NxDomain => "nxdomain",
            Self::Failed(failure) => failure.as_str(),
        }
    }
}

/// Why a lookup, or the whole search for a target's mail hosts, came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LookupFailure {
    /// SERVFAIL: the DNS server could not find out.
    ServFail,
    /// REFUSED: the DNS server does not want to answer this, or not to us.
    Refused,
    /// Any other response code that is no answer.
    OtherCode(u16),
    /// No answer in the time given.
    TimedOut,
    /// Nothing listens there, or no way leads there; with the kernel's error number, none if a connection ended before the
    /// answer came.
    ResolverUnreachable(Option<i32>),
    /// No DNS server is configured.
    NoResolver,
    /// What came is no DNS message, or answers another question.
    Malformed,
    /// Aliases that lead in a circle, or on and on.
    AliasLoop,
    /// The domain does not exist. Only in [`Origin::Failed`](super::Origin::Failed).
    NxDomain,
    /// The domain exists, but has neither MX nor address. Only in [`Origin::Failed`](super::Origin::Failed).
    NoMailHost,
}

impl LookupFailure {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServFail => "servfail",
            Self::Refused => "refused",
            Self::OtherCode(_) => "other_code",
            Self::TimedOut => "timed_out",
            Self::ResolverUnreachable(_) => "resolver_unreachable",
            Self::NoResolver => "no_resolver",
            Self::Malformed => "malformed",
            Self::AliasLoop => "alias_loop",
            Self::NxDomain => "nxdomain",
            Self::NoMailHost => "no_mail_host",
        }
    }

    /// The failure that says more of the two, the first if they are alike: one about the name beats one about the server
    /// asked, and any answer beats none.
    pub(super) fn or_more_telling(self, other: Self) -> Self {
        if other.weight() > self.weight() { other } else { self }
    }

    const fn weight(self) -> u8 {
        match self {
            Self::NxDomain | Self::NoMailHost | Self::AliasLoop => 7,
            Self::ServFail => 6,
            Self::OtherCode(_) => 5,
            Self::Refused => 4,
            Self::Malformed => 3,
            Self::TimedOut => 2,
            Self::ResolverUnreachable(_) => 1,
            Self::NoResolver => 0,
        }
    }
}
