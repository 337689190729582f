//! The verdict on ports: whether each one that mail needs is open at every address that can be judged from here.

use super::routeless::by_route;
use super::unreached::{own_aside, unreached};
use super::{Given, Outcome, Twist, Verdict, conclude};
use crate::diagnosis::{Case, PortState};
use crate::knowledge::{Confidence, Reason};
use crate::probe::LeftOutWhy;

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
    if shut.is_empty() && cut {
        // What was not looked at may be shut.
        let verdict = conclude(case, Outcome::Inconclusive, Reason::Undetermined, open[0], &open);
        return Verdict { confidence: Confidence::Unsure, twist: Twist::CutShort, ..verdict };
    }
    if shut.is_empty() {
        let verdict = conclude(case, Outcome::Accepted, Reason::Accepted, open[0], &open);
        let left_out = case.facts.left_out.iter().any(|left| left.why != LeftOutWhy::SameAddress && case.needs(left.address.port()));
        let confidence = if left_out { Confidence::Likely } else { Confidence::Certain };
        return own_aside(case, &open, Verdict { confidence, ..verdict });
    }
    let verdict = unreached(case, &shut, cut);
    match (open.is_empty(), verdict.twist) {
        (false, Twist::None | Twist::TheirSide) => partly(case, &open, &shut, verdict),
        _ => verdict,
    }
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
        return Verdict {
            reason: Reason::FamilyBroken,
            actor: text.actor,
            fix: text.fix.clone(),
            confidence,
            twist: Twist::Partly,
            ..verdict
        };
    }
    // What a control tells is more than that some are open.
    Verdict { twist: if verdict.twist == Twist::TheirSide { Twist::TheirSide } else { Twist::Partly }, ..verdict }
}
