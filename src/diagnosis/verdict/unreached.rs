//! The verdict where no session got an answer: why, and whose side it is.

use super::{Given, Outcome, Twist, Verdict, best, conclude};
use crate::diagnosis::side::{Shut, Side, is_local_firewall};
use crate::diagnosis::{Case, Evidence};
use crate::knowledge::{Actor, Confidence, Reason};
use crate::route::{HostFault, Origin};
use crate::settings::Question;
use crate::smtp::Stage;
use crate::target::is_nonpublic;

/// No session got an answer.
pub(super) fn unreached(case: &Case<'_>, nothing: &[&Given<'_>], cut: bool) -> Verdict {
    // An address family that this machine does not have says nothing about the host.
    let telling: Vec<&Given<'_>> = nothing.iter().filter(|given| given.answer.reason != Reason::NetworkUnreachable).copied().collect();
    // Nor does a port that this side shuts.
    let ours: Vec<usize> = Shut::of(case).into_iter().filter(Shut::is_ours).flat_map(|family| family.asked).collect();
    let theirs: Vec<&Given<'_>> = telling.iter().filter(|given| !ours.contains(&given.index)).copied().collect();
    let considered = [&theirs, &telling].into_iter().find(|some| !some.is_empty()).map_or(nothing, Vec::as_slice);
    let shown = best(considered).unwrap_or(nothing[0]);
    let same: Vec<&Given<'_>> = considered.iter().filter(|given| given.answer.reason == shown.answer.reason).copied().collect();
    let public = |given: &&Given<'_>| !is_nonpublic(given.session.facts.address.ip());
    let by_mx = case.facts.route.origin == Origin::Mx;
    let unresolved = case.facts.route.hosts.iter().any(|host| matches!(host.fault, Some(HostFault::Lookup(_))));
    if by_mx && !cut && !unresolved && !nothing.iter().any(public) && shown.answer.stage == Stage::Connect {
        // What the records say is certain, whatever silence there was here.
        return Verdict { confidence: Confidence::Certain, ..conclude(case, Outcome::Rejected, Reason::MxUnusable, shown, &same) };
    }
    let (outcome, reason) = (shown.answer.outcome, shown.answer.reason);
    let confidence = if same.len() == considered.len() { shown.answer.confidence } else { shown.answer.confidence.min(Confidence::Likely) };
    let verdict = Verdict { confidence, ..conclude(case, outcome, reason, shown, &same) };
    let verdict = if cut { Verdict { twist: Twist::CutShort, ..verdict } } else { verdict };
    if cut { verdict } else { own_aside(case, considered, whose_side(case, considered, verdict)) }
}

/// Nothing that is reached from here, or not reached, tells how others reach an address of this side's own.
pub(super) fn own_aside(case: &Case<'_>, shown: &[&Given<'_>], verdict: Verdict) -> Verdict {
    let own = |given: &&Given<'_>| {
        let address = given.session.facts.address.ip();
        case.facts.vantage.own.iter().find(|own| own.address == address)
    };
    let all: Vec<_> = shown.iter().filter_map(own).collect();
    // That a port is shut on this side was found out elsewhere.
    if all.len() < shown.len() || matches!(verdict.twist, Twist::ShutHere | Twist::NoWay | Twist::LocalFirewall) {
        return verdict;
    }
    let behind_router = all.iter().any(|own| !own.here);
    // Whoever asks about mail at this very machine wants to know how it answers, and a server that was reached has answered for itself.
    if case.facts.question == Question::Mail && (!behind_router || verdict.stage > Stage::Connect) {
        return verdict;
    }
    let verdict = Verdict { confidence: Confidence::Unsure, twist: Twist::OwnAddress, ..verdict };
    match verdict.outcome {
        Outcome::Accepted => verdict,
        // A router that does not lead its own address back inside is no fault of the host's.
        _ if behind_router => Verdict { reason: Reason::Undetermined, actor: Actor::SenderAdmin, ..verdict },
        _ => Verdict { actor: Actor::SenderAdmin, ..verdict },
    }
}

/// Says whose side shuts the port, where connections beside those asked for tell it.
fn whose_side(case: &Case<'_>, shut: &[&Given<'_>], verdict: Verdict) -> Verdict {
    let of_reason = |reason, confidence, twist, verdict: Verdict| {
        let text = case.knowledge.reason(reason);
        Verdict { reason, confidence, twist, actor: text.actor, fix: text.fix.clone(), ..verdict }
    };
    if shut.iter().all(|given| is_local_firewall(given.session)) {
        return Verdict {
            actor: Actor::SenderAdmin,
            ..of_reason(Reason::PortBlockedHere, Confidence::Certain, Twist::LocalFirewall, verdict)
        };
    }
    let families = Shut::of(case);
    let beside = |indexes: &[usize], role| indexes.iter().map(|index| Evidence::beside(case, *index, role)).collect::<Vec<_>>();
    let (outside, ours): (Vec<&Given<'_>>, Vec<&Given<'_>>) =
        shut.iter().copied().partition(|given| !families.iter().any(|family| family.is_ours() && family.asked.contains(&given.index)));
    if outside.is_empty() {
        let of_them: Vec<&Shut> =
            families.iter().filter(|family| family.asked.iter().any(|i| ours.iter().any(|g| g.index == *i))).collect();
        let surest =
            of_them.iter().map(|family| family.side()).filter_map(|side| if let Side::Ours(c) = side { Some(c) } else { None }).min();
        let mut verdict = match surest {
            Some(confidence) => of_reason(Reason::PortBlockedHere, confidence, Twist::ShutHere, verdict),
            None => of_reason(Reason::NetworkUnreachable, Confidence::Certain, Twist::NoWay, verdict),
        };
        for family in of_them {
            verdict.evidence.extend(beside(&family.failed_controls, "control"));
            verdict.evidence.extend(beside(&family.other_ports, "other_port"));
        }
        return verdict;
    }
    let Some(family) =
        families.iter().find(|family| family.side() == Side::Theirs && verdict.session.is_some_and(|shown| family.asked.contains(&shown)))
    else {
        return verdict;
    };
    // What a control tells holds for its own family.
    let mut verdict = Verdict { actor: Actor::RecipientAdmin, twist: Twist::TheirSide, ..verdict };
    verdict.evidence.retain(|evidence| evidence.session.is_some_and(|index| family.asked.contains(&index)));
    verdict.evidence.extend(beside(&family.open_controls, "control"));
    verdict.evidence.extend(beside(&family.other_ports, "other_port"));
    verdict
}
