//! DMARC (RFC 9989): what a domain asks to be done with mail that says it is from there but cannot show it.
//!
//! Nothing tells where one organization's names end but the DNS: [`look_up`] walks from the author's domain upward, with at most
//! eight questions, and finds both the record that counts and the organizational domain by what stands on the way (§4.10).

mod record;
#[cfg(test)]
mod tests;
mod walk;

pub use self::record::{Asked, Fault, FaultKind, Mode, Policy, Psd, Record};
pub use self::walk::{Found, Visit};

use self::walk::{Walk, Walker};
use super::{Dns, Query};
use crate::route::{LookupFailure, LookupKind, QueryName, Records};
use crate::target::DomainName;

/// So many questions has one walk at most (§4.10).
pub const WALK_LIMIT: usize = 8;

/// What applies to mail from a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dmarc {
    /// The author's domain: that of the From field.
    pub domain: DomainName,
    /// The names asked for a record on the way up, the domain's own first; at most [`WALK_LIMIT`].
    pub walk: Vec<Visit>,
    /// The organizational domain: the domain itself if no record tells otherwise.
    pub organization: String,
    /// Which of the visits, by its place, has the record that applies; none if none does.
    pub applies: Option<usize>,
    /// What it asks for; none without a record, and if its policy cannot be read and it names nobody to report to (§4.10.1).
    pub policy: Option<Applied>,
    /// Whether the domain that SPF is asked about could stand for the author's; none if there is none.
    pub spf: Option<Alignment>,
    /// Every question asked, in that order: those of the walk, whether the domain exists, those of SPF's domain.
    pub queries: Vec<Query>,
    /// The first answer that could not be had: what is told may be wrong then.
    pub failure: Option<LookupFailure>,
}

impl Dmarc {
    /// The record that applies.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        let visit = self.applies.and_then(|index| self.walk.get(index))?;
        if let Found::Record { record, .. } = &visit.found { Some(record) } else { None }
    }
}

/// The policy that applies to a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What is asked for, `t=y` taken into account.
    pub policy: Policy,
    /// What stands in the record.
    pub published: Policy,
    /// Which tag says so.
    pub by: PolicyTag,
}

/// The tags that name a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyTag {
    /// `p=`: for the domain that the record is of.
    Own,
    /// `sp=`: for a subdomain.
    Subdomain,
    /// `np=`: for a subdomain that does not exist: the answer to a question for it is NXDOMAIN.
    Nonexistent,
    /// None: nothing that can be read stands there, which means none.
    Default,
}

impl PolicyTag {
    /// The tag's name, also in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "p",
            Self::Subdomain => "sp",
            Self::Nonexistent => "np",
            Self::Default => "default",
        }
    }
}

/// How the domain that SPF is asked about stands to the author's (§4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// The domain that SPF is asked about: the envelope sender's, or for the null sender the EHLO name.
    pub domain: DomainName,
    /// Its organizational domain.
    pub organization: String,
    /// How they stand to each other.
    pub kinship: Kinship,
    /// Whether that is close enough for the record's `aspf`: then an SPF result of pass is one of DMARC. Without a record it is
    /// measured by the default, relaxed.
    pub aligned: bool,
}

/// How two domains stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kinship {
    /// They are the same.
    Same,
    /// Both have the same organizational domain.
    Organization,
    /// Neither.
    Strangers,
}

impl Kinship {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Organization => "organization",
            Self::Strangers => "strangers",
        }
    }
}

/// Finds what applies to mail from `domain`. `spf` is the domain that SPF is asked about for it: that of the envelope sender, or for
/// the null sender the EHLO name (RFC 7208 §2.4).
pub async fn look_up<D: Dns>(domain: &DomainName, spf: Option<&DomainName>, dns: &D) -> Dmarc {
    let mut walker = Walker::new(dns);
    let Walk { visits, organization } = walker.walk(domain).await;
    let applies = applies(&visits, &organization);
    let record = applies.and_then(|index| visits.get(index)).and_then(Visit::record);
    let policy = match (applies, record) {
        (Some(0), Some(record)) => own(record),
        (_, Some(record)) => {
            let exists = record.nonexistent == Asked::Absent || exists(domain, &mut walker).await;
            inherited(record, exists)
        }
        (_, None) => None,
    };
    let mode = record.map_or(Mode::Relaxed, |record| record.spf);
    let spf = match spf {
        None => None,
        Some(other) => {
            let theirs = if other == domain { organization.clone() } else { walker.walk(other).await.organization };
            let kinship = if other == domain {
                Kinship::Same
            } else if theirs == organization {
                Kinship::Organization
            } else {
                Kinship::Strangers
            };
            let aligned = kinship == Kinship::Same || (kinship == Kinship::Organization && mode == Mode::Relaxed);
            Some(Alignment { domain: other.clone(), organization: theirs, kinship, aligned })
        }
    };
    Dmarc {
        domain: domain.clone(),
        walk: visits,
        organization,
        applies,
        policy,
        spf,
        failure: walker.failure(),
        queries: walker.into_queries(),
    }
}

/// The visit whose record applies: that of the domain itself, of its organization, or of the public suffix (§4.10.1).
fn applies(visits: &[Visit], organization: &str) -> Option<usize> {
    let with_record = |wanted: &dyn Fn(usize, &Visit) -> bool| {
        let mut visits = visits.iter().enumerate();
        visits.find(|(index, visit)| visit.record().is_some() && wanted(*index, visit)).map(|(index, _)| index)
    };
    with_record(&|index, _| index == 0)
        .or_else(|| with_record(&|_, visit| visit.domain == organization))
        .or_else(|| with_record(&|_, visit| visit.record().is_some_and(|record| record.psd == Psd::Yes)))
}

/// What a record asks for its own domain.
fn own(record: &Record) -> Option<Applied> {
    settle(record, record.policy, PolicyTag::Own)
}

/// What a record asks for a subdomain.
fn inherited(record: &Record, exists: bool) -> Option<Applied> {
    if !exists && record.nonexistent != Asked::Absent {
        return settle(record, record.nonexistent, PolicyTag::Nonexistent);
    }
    match record.subdomains {
        Asked::Absent => own(record),
        asked => settle(record, asked, PolicyTag::Subdomain),
    }
}

/// The policy that follows; where none can be read, that is none, if there is at least somebody to report to (§4.10.1).
fn settle(record: &Record, asked: Asked, by: PolicyTag) -> Option<Applied> {
    let is_broken = [record.policy, record.subdomains, record.nonexistent].contains(&Asked::Wrong);
    if is_broken && record.aggregate.is_empty() {
        return None;
    }
    match asked.policy() {
        Some(published) if !is_broken => {
            let policy = if record.testing { published.milder() } else { published };
            Some(Applied { policy, published, by })
        }
        _ => Some(Applied { policy: Policy::None, published: Policy::None, by: PolicyTag::Default }),
    }
}

/// Whether the DNS knows the name, be it without records (RFC 8020); also if that cannot be found out.
async fn exists<D: Dns>(domain: &DomainName, walker: &mut Walker<'_, D>) -> bool {
    walker.ask(&QueryName::from(domain), LookupKind::A).await != Records::NxDomain
}
