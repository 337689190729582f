//! The verdict where nobody could be asked: the route itself is the answer.

use super::{Outcome, Twist, Verdict};
use crate::diagnosis::{Case, Evidence, route};
use crate::knowledge::{Confidence, Reason};
use crate::route::{HostFault, LookupFailure, LookupResult, Origin, Route};
use crate::smtp::Stage;
use crate::target::Target;

/// Nobody could be asked: the route itself is the answer.
pub(super) fn by_route(case: &Case<'_>) -> Verdict {
    let facts = case.facts;
    let (outcome, reason, confidence) = match facts.cut_short {
        Some(_) => (Outcome::Inconclusive, Reason::Undetermined, Confidence::Unsure),
        None => of_route(&facts.route, &facts.target),
    };
    let lookups = &facts.route.lookups;
    let asked: Vec<Evidence> = match facts.route.origin {
        Origin::NullMx | Origin::Failed(_) => route::deciding_lookup(case).into_iter().collect::<Vec<_>>(),
        _ => (0..lookups.len()).filter(|index| !matches!(lookups[*index].result, LookupResult::Found(_))).collect(),
    }
    .into_iter()
    .map(|index| Evidence::lookup(facts, Some(index), route::lookup_line(case, index)))
    .collect();
    // Without a lookup, the hosts themselves show why none was asked.
    let proof = if asked.is_empty() { route::faulty(case, |_| true) } else { asked };
    let text = case.knowledge.reason(reason);
    Verdict {
        outcome,
        reason,
        actor: text.actor,
        confidence,
        stage: Stage::Dns,
        code: None,
        enhanced: None,
        text: None,
        host: None,
        session: None,
        cause: None,
        seen_here: super::SeenHere::Nothing,
        twist: if facts.cut_short.is_some() { Twist::CutShort } else { Twist::None },
        fix: text.fix.clone(),
        evidence: proof,
    }
}

/// What a route comes to that leads to no address.
#[must_use]
pub fn of_route(route: &Route, target: &Target) -> (Outcome, Reason, Confidence) {
    match route.origin {
        Origin::NullMx | Origin::Failed(LookupFailure::NoMailHost) => (Outcome::Rejected, Reason::NoMailService, Confidence::Certain),
        Origin::Failed(LookupFailure::NxDomain) => (Outcome::Rejected, Reason::DomainUnknown, Confidence::Certain),
        Origin::Failed(failure) => of_lookup(route, failure),
        Origin::Mx | Origin::ImplicitMx | Origin::Given | Origin::Recorded => by_faults(route, target),
    }
}

/// A lookup that failed: of the domain's servers, of this machine's resolver, or of its network?
fn of_lookup(route: &Route, failure: LookupFailure) -> (Outcome, Reason, Confidence) {
    const ENETUNREACH: i32 = 101;
    let answered = route.lookups.iter().any(|lookup| match lookup.result {
        LookupResult::Failed(failure) => {
            matches!(failure, LookupFailure::ServFail | LookupFailure::OtherCode(_) | LookupFailure::AliasLoop)
        }
        _ => true,
    });
    let (reason, confidence) = match failure {
        LookupFailure::AliasLoop => (Reason::DnsFailure, Confidence::Certain),
        // Nearly always the domain's servers or signatures; now and then the resolver itself.
        LookupFailure::ServFail | LookupFailure::OtherCode(_) | LookupFailure::Malformed => (Reason::DnsFailure, Confidence::Likely),
        LookupFailure::ResolverUnreachable(Some(ENETUNREACH)) => (Reason::NetworkUnreachable, Confidence::Certain),
        LookupFailure::ResolverUnreachable(_) | LookupFailure::NoResolver => (Reason::ResolverUnusable, Confidence::Certain),
        // The resolver is alive, so the silence is the domain's.
        _ if answered => (Reason::DnsFailure, Confidence::Likely),
        _ => (Reason::ResolverUnusable, Confidence::Likely),
    };
    (Outcome::Unreachable, reason, confidence)
}

/// There are hosts, but none with an address to connect to.
fn by_faults(route: &Route, target: &Target) -> (Outcome, Reason, Confidence) {
    let faults: Vec<HostFault> = route.hosts.iter().filter_map(|host| host.fault).collect();
    let failed = faults.iter().find_map(|fault| if let HostFault::Lookup(failure) = fault { Some(*failure) } else { None });
    match (failed, target) {
        (Some(failure), _) => of_lookup(route, failure),
        // An option of the user's own kept it from being asked.
        (None, _) if faults.contains(&HostFault::FamilyExcluded) => (Outcome::Unreachable, Reason::Undetermined, Confidence::Unsure),
        (None, Target::Host { .. }) if faults.contains(&HostFault::NxDomain) => {
            (Outcome::Rejected, Reason::DomainUnknown, Confidence::Certain)
        }
        // A host that the user gave says nothing about the domain.
        (None, _) if route.origin == Origin::Given => (Outcome::Unreachable, Reason::Undetermined, Confidence::Unsure),
        (None, _) => (Outcome::Rejected, Reason::MxUnusable, Confidence::Certain),
    }
}
