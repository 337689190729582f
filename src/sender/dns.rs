//! The one way to the DNS from here, so that what is concluded from answers can be told from how they came.

use std::future::Future;
use std::time::Duration;

use crate::route::{self, LookupFailure, LookupKind, QueryName, Records, Resolver};
use crate::smtp::Elapsed;

/// Something that answers questions of the DNS: a resolver, or a zone at hand.
pub trait Dns: Sync {
    /// The records of type `kind` at `name`, or at what it is an alias of.
    fn ask(&self, name: &QueryName, kind: LookupKind) -> impl Future<Output = Records> + Send;
}

/// A resolver that is asked for so long and no longer: later questions are answered with [`LookupFailure::TimedOut`].
#[derive(Clone, Copy, Debug)]
pub struct Patient<'a> {
    resolver: &'a Resolver,
    until: Elapsed,
}

impl<'a> Patient<'a> {
    /// So long may all the questions of one check take together: at least 20 seconds (RFC 7208 §4.6.4).
    pub const LIMIT: Duration = Duration::from_secs(20);

    /// Gives `limit`, from now on, to all the questions together.
    #[must_use]
    pub fn new(resolver: &'a Resolver, limit: Duration) -> Self {
        Self { resolver, until: Elapsed(resolver.clock().now().0.saturating_add(limit)) }
    }
}

impl Dns for Patient<'_> {
    async fn ask(&self, name: &QueryName, kind: LookupKind) -> Records {
        route::records(name, kind, self.resolver, self.until).await
    }
}

/// One question, and what came of it. The resolver keeps the whole of it ([`Resolver::lookups`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The name asked for, without the final dot.
    pub name: String,
    /// The type of record asked for.
    pub kind: LookupKind,
    /// What came of it.
    pub answer: Answered,
}

impl Query {
    /// The question with its answer.
    pub(super) fn new(name: &QueryName, kind: LookupKind, records: &Records) -> Self {
        Self { name: name.to_string(), kind, answer: records.into() }
    }
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// So many records; at least one.
    Found(usize),
    /// The name exists, but has no record of this type.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// No answer that could be used.
    Failed(LookupFailure),
}

impl Answered {
    /// The name used in JSON; a failure has its own.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::NoData => "no_data",
            Self::NxDomain => "nxdomain",
            Self::Failed(failure) => failure.as_str(),
        }
    }

    /// Whether the answer is that there is nothing: a void lookup (RFC 7208 §4.6.4).
    #[must_use]
    pub const fn is_void(self) -> bool {
        matches!(self, Self::NoData | Self::NxDomain)
    }
}

impl From<&Records> for Answered {
    fn from(records: &Records) -> Self {
        match records {
            Records::Found(found) => Self::Found(found.len()),
            Records::NoData => Self::NoData,
            Records::NxDomain => Self::NxDomain,
            Records::Failed(failure) => Self::Failed(*failure),
        }
    }
}
