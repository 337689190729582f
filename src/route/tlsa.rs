//! Which keys and certificates a mail host is said to have (DANE: RFC 6698, RFC 7671 §7, RFC 7672 §2.2).
//!
//! TLSA records are asked for only where everything that leads to the host is authentic. That is no thrift: where the addresses
//! could be forged, so could the name under which to ask; and name servers of unsigned zones that do not know the type and fail
//! would hold up mail for nothing.

use hickory_resolver::proto::rr::RData;

use super::answer::{self, Outcome};
use super::security::{Doubt, Security};
use super::{Lookup, LookupFailure, LookupKind, MailHost, Resolver};
use crate::policy::Tlsa;
use crate::target::{DomainName, Host, Port};

/// What is published about the keys of one host on one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsaAnswer {
    /// The TLSA base domain: the name that was asked under last, which is also the name to ask for in TLS (SNI) and to find in
    /// the certificate where that counts (RFC 7672 §3.2). None if nothing was asked.
    pub base: Option<DomainName>,
    /// The answer.
    pub outcome: TlsaOutcome,
    /// What was asked.
    pub lookups: Vec<Lookup>,
}

/// What a sender that honours DANE gets to know of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsaOutcome {
    /// These records, authentic; at least one, at most 64. They may all be unusable.
    Records(Vec<Tlsa>),
    /// There are none, and that is authentic: TLS is opportunistic.
    Absent,
    /// What leads to the host, or the TLSA answer itself, is not signed: DANE does not apply. That is the normal case.
    Insecure,
    /// Nobody here can tell whether what leads to the host, or the TLSA answer itself, is authentic.
    Unknown(Doubt),
    /// The answer does not validate, with the resolver's extended error: a sender must not deliver to this host
    /// (RFC 7672 §2.1.2).
    Bogus(Option<u16>),
    /// The lookup failed: a sender must not deliver to this host, as whoever can suppress an answer can do more
    /// (RFC 7672 §2.1.2).
    Failed(LookupFailure),
}

impl TlsaOutcome {
    /// The name used in JSON; a failed lookup is `failed`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Records(_) => "records",
            Self::Absent => "absent",
            Self::Insecure => "insecure",
            Self::Unknown(_) => "unknown",
            Self::Bogus(_) => "bogus",
            Self::Failed(_) => "failed",
        }
    }

    /// Whether a sender that honours DANE has to pass this host by until the lookup works.
    #[must_use]
    pub const fn must_defer(&self) -> bool {
        matches!(self, Self::Bogus(_) | Self::Failed(_))
    }
}

impl From<Security> for TlsaOutcome {
    /// What follows where nothing is asked, or nothing that was found counts.
    fn from(security: Security) -> Self {
        match security {
            Security::Secure(_) => Self::Absent,
            Security::Insecure(_) => Self::Insecure,
            Security::Bogus(code) => Self::Bogus(code),
            Security::Unknown(doubt) => Self::Unknown(doubt),
        }
    }
}

/// Asks for the TLSA records of `host` on `port`, if what leads to the host is authentic.
///
/// `host` is as [`Step::Done`](super::Step::Done) or [`Route`](super::Route) tell of it. A host that the user named and gave the
/// address of is asked about, too: there the DNS leads nowhere. A host that stands for an alias is asked about under the name at
/// the alias's end, and, if there is nothing, under its own (RFC 7671 §7); under its own alone if only the alias itself is
/// authentic, but not what it leads to (RFC 7672 §2.2.2).
pub async fn tlsa(host: &MailHost, port: Port, resolver: &Resolver) -> TlsaAnswer {
    let mut search = Search { port, resolver, lookups: Vec::new() };
    let (base, outcome) = search.run(host).await;
    TlsaAnswer { base, outcome, lookups: search.lookups }
}

struct Search<'a> {
    port: Port,
    resolver: &'a Resolver,
    lookups: Vec<Lookup>,
}

impl Search<'_> {
    async fn run(&mut self, host: &MailHost) -> (Option<DomainName>, TlsaOutcome) {
        let nothing = |outcome| (None, outcome);
        // An address has no name to publish anything under.
        let Host::Name(name) = &host.name else { return nothing(TlsaOutcome::Absent) };
        if !leads(host.named) {
            return nothing(host.named.into());
        }
        let end = host.aliases.last();
        if !leads(host.security) {
            if end.is_none() || !matches!(host.security, Security::Insecure(_)) || !self.is_secure_alias(name).await {
                return nothing(host.security.into());
            }
            return self.under(name).await;
        }
        if let Some(end) = end {
            let found = self.under(end).await;
            if !matches!(found.1, TlsaOutcome::Absent | TlsaOutcome::Insecure) {
                return found;
            }
        }
        self.under(name).await
    }

    /// Whether the alias at `name` itself is authentic, wherever it leads.
    async fn is_secure_alias(&mut self, name: &DomainName) -> bool {
        let answer = self.resolver.lookup(name, LookupKind::Cname).await;
        self.lookups.extend(answer.lookups);
        answer.security.is_secure() && matches!(answer.outcome, Outcome::Found(_))
    }

    async fn under(&mut self, base: &DomainName) -> (Option<DomainName>, TlsaOutcome) {
        // A name may be too long to have another under it.
        let Ok(name) = format!("_{}._tcp.{base}", self.port.number()).parse::<DomainName>() else {
            return (Some(base.clone()), TlsaOutcome::Absent);
        };
        let answer = self.resolver.lookup(&name, LookupKind::Tlsa).await;
        self.lookups.extend(answer.lookups);
        let outcome = match (answer.outcome, answer.security) {
            (_, Security::Bogus(code)) => TlsaOutcome::Bogus(code),
            (Outcome::Failed(failure), _) => TlsaOutcome::Failed(failure),
            (Outcome::Found(records), Security::Secure(_)) => TlsaOutcome::Records(records.iter().filter_map(tlsa_of).collect()),
            (Outcome::Found(_) | Outcome::NoData | Outcome::NxDomain, security) => security.into(),
        };
        (Some(base.clone()), outcome)
    }
}

/// Whether DANE may go on from here.
const fn leads(security: Security) -> bool {
    matches!(security, Security::Secure(_) | Security::Unknown(Doubt::AtHand))
}

fn tlsa_of(data: &RData) -> Option<Tlsa> {
    if let RData::TLSA(tlsa) = data { Some(answer::tlsa(tlsa)) } else { None }
}
