//! Text that a domain publishes under a name: how it wants its mail to be sent, and reports about it (RFC 8460, RFC 8461).

use hickory_resolver::proto::rr::RData;

use super::answer::{self, Outcome};
use super::security::{Doubt, Security};
use super::{Lookup, LookupFailure, LookupKind, Resolver};
use crate::target::DomainName;

/// The TXT records of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxtAnswer {
    /// The text of each record, its strings joined, in the order of the answer; at most 256, of at most 8192 octets each. Empty if
    /// there are none. What is no UTF-8 is replaced. The failure, if that could not be found out.
    pub records: Result<Vec<String>, LookupFailure>,
    /// Whether the answer is authentic; neither MTA-STS nor TLS-RPT asks for it.
    pub security: Security,
    /// What was asked.
    pub lookups: Vec<Lookup>,
}

impl TxtAnswer {
    /// There are none, and nobody was asked.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { records: Ok(Vec::new()), security: Security::Unknown(Doubt::AtHand), lookups: Vec::new() }
    }
}

/// Asks for the TXT records at `name`.
pub async fn txt(name: &DomainName, resolver: &Resolver) -> TxtAnswer {
    let answer = resolver.lookup(name, LookupKind::Txt).await;
    let text = |data: &RData| if let RData::TXT(txt) = data { Some(answer::txt_text(txt)) } else { None };
    let records = match answer.outcome {
        Outcome::Found(records) => Ok(records.iter().filter_map(text).collect()),
        Outcome::NoData | Outcome::NxDomain => Ok(Vec::new()),
        Outcome::Failed(failure) => Err(failure),
    };
    TxtAnswer { records, security: answer.security, lookups: answer.lookups }
}
