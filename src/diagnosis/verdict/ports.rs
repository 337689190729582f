//! The verdict on ports: whether each one that mail needs is open at every address that can be judged from here.

use super::{Given, Outcome, Twist, Verdict, by_route, conclude, unreached};
use crate::diagnosis::{Case, PortState};
use crate::knowledge::{Actor, Confidence, Reason};

/// Draws the conclusion.
pub(super) fn of(case: &Case<'_>, answers: &[Given<'_>]) -> Verdict {
    let needed: Vec<&Given<'_>> = answers.iter().filter(|given| case.is_needed(given.session)).collect();
    // What there is no way to from here says nothing about the target.
    let judged: Vec<&Given<'_>> =
        needed.iter().copied().filter(|given| !matches!(given.session.state, PortState::NoRoute | PortState::Untested)).collect();
    let cut = case.facts.cut_short.is_some();
    match (needed.is_empty(), judged.is_empty()) {
        (true, _) => return by_route(case),
        (_, true) => return unreached(case, &needed, cut),
        _ => {}
    }
    let (open, shut): (Vec<&Given<'_>>, Vec<&Given<'_>>) = judged.iter().copied().partition(|given| given.session.state.is_open());
    if shut.is_empty() {
        let verdict = conclude(case, Outcome::Accepted, Reason::Accepted, open[0], &open);
        let twist = if cut { Twist::CutShort } else { verdict.twist };
        return own_aside(case, &open, Verdict { confidence: Confidence::Certain, twist, ..verdict });
    }
    let verdict = unreached(case, &shut, cut);
    let verdict = match (open.is_empty(), verdict.twist) {
        (false, Twist::None | Twist::TheirSide) => partly(case, &open, &shut, verdict),
        _ => verdict,
    };
    own_aside(case, &shut, verdict)
}

/// Some are open and some are not.
fn partly(case: &Case<'_>, open: &[&Given<'_>], shut: &[&Given<'_>], verdict: Verdict) -> Verdict {
    let v4 = shut[0].session.facts.address.is_ipv4();
    let at = |given: &Given<'_>| (given.session.facts.host, given.session.facts.address.port());
    // The same port of the same host is open over the other family, for each one that is shut.
    let by_family = shut.iter().all(|one| {
        one.session.facts.address.is_ipv4() == v4
            && open.iter().any(|other| at(other) == at(one) && other.session.facts.address.is_ipv4() != v4)
            && !open.iter().any(|other| at(other) == at(one) && other.session.facts.address.is_ipv4() == v4)
    });
    let connected = shut.iter().any(|given| given.session.facts.transcript.reached.is_some());
    // That the family works from here is shown by a control host, or by another host of the target.
    let family_works = verdict.twist == Twist::TheirSide || open.iter().any(|given| given.session.facts.address.is_ipv4() == v4);
    if by_family && family_works && !connected {
        let text = case.knowledge.reason(Reason::FamilyBroken);
        let confidence = if verdict.twist == Twist::TheirSide { Confidence::Certain } else { Confidence::Likely };
        return Verdict { reason: Reason::FamilyBroken, actor: text.actor, fix: text.fix, confidence, twist: Twist::Partly, ..verdict };
    }
    Verdict { twist: Twist::Partly, ..verdict }
}

/// Nothing that is reached from here tells how others reach an address of this side's own.
fn own_aside(case: &Case<'_>, shown: &[&Given<'_>], verdict: Verdict) -> Verdict {
    let own = |given: &&Given<'_>| {
        let address = given.session.facts.address.ip();
        case.facts.vantage.own.iter().find(|own| own.address == address)
    };
    let all: Vec<_> = shown.iter().filter_map(own).collect();
    if all.len() < shown.len() {
        return verdict;
    }
    let behind_router = all.iter().any(|own| !own.here);
    let verdict = Verdict { confidence: Confidence::Unsure, twist: Twist::OwnAddress, ..verdict };
    match verdict.outcome {
        Outcome::Accepted => verdict,
        // A router that does not lead its own address back inside is no fault of the host's.
        _ if behind_router => Verdict { reason: Reason::Undetermined, actor: Actor::SenderAdmin, ..verdict },
        _ => Verdict { actor: Actor::SenderAdmin, ..verdict },
    }
}
