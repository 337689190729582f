//! Findings about greylisting (RFC 6647): when to come back, and what came of it.

use super::timing::seconds;
use super::{Case, Evidence, Outcome, Rule, SessionCase, Severity, quote};
use crate::probe::{ComeBack, Role, WaitEnd};
use crate::smtp::{Event, Reply};

pub(super) const RULES: &[Rule] = &[
    Rule { id: "come_back", severity: Severity::Note, reference: "RFC 6647 section 5", check: |case| due(case, |come| come.named) },
    Rule {
        id: "come_back_usually",
        severity: Severity::Note,
        reference: "RFC 6647 section 5",
        check: |case| due(case, |come| !come.named),
    },
    Rule { id: "wait_too_long", severity: Severity::Note, reference: "RFC 6647 section 5", check: wait_too_long },
    Rule { id: "greylisting_passed", severity: Severity::Note, reference: "RFC 6647 section 5", check: |case| came_back(case, true) },
    Rule { id: "greylisting_goes_on", severity: Severity::Warning, reference: "RFC 6647 section 5", check: |case| came_back(case, false) },
];

/// Whether the same question was put to the same address again and answered, so that the first answer no longer counts.
pub(super) fn is_superseded(case: &Case<'_>, session: &SessionCase<'_>) -> bool {
    case.sessions.iter().any(|again| is_retry_of(again, session) && counts(again))
}

/// Whether the session says more than the one that it repeats; a try that came to nothing does not.
pub(super) fn counts(session: &SessionCase<'_>) -> bool {
    let answered = |outcome| !matches!(outcome, Outcome::Unreachable | Outcome::Inconclusive);
    session.facts.transcript.is_in_doubt() || session.answer.as_ref().is_some_and(|answer| answered(answer.outcome))
}

fn is_retry_of(again: &SessionCase<'_>, first: &SessionCase<'_>) -> bool {
    again.facts.role == Role::Retry
        && again.facts.address == first.facts.address
        && again.facts.transcript.began > first.facts.transcript.began
}

fn put_off<'a>(session: &SessionCase<'a>) -> Option<(ComeBack, &'a Reply)> {
    let come_back = session.facts.come_back?;
    match session.facts.transcript.events.get(come_back.event) {
        Some((_, Event::Received { reply, .. })) => Some((come_back, reply)),
        _ => None,
    }
}

/// Servers that are to be asked again.
fn due(case: &Case<'_>, applies: impl Fn(&ComeBack) -> bool) -> Vec<Evidence> {
    let open = case.each().filter(|(_, session)| !is_superseded(case, session));
    let told = open.filter_map(|(index, session)| {
        let (come_back, reply) = put_off(session).filter(|(come_back, _)| applies(come_back))?;
        Some(Evidence::event(index, session, come_back.event, quote(reply)).with("wait", seconds(come_back.after)))
    });
    told.collect()
}

fn wait_too_long(case: &Case<'_>) -> Vec<Evidence> {
    let Some(waited) = case.facts.waited else { return Vec::new() };
    let WaitEnd::TooLong(next) = waited.end else { return Vec::new() };
    let fill = |evidence: Evidence| evidence.with("next", seconds(next)).with("limit", seconds(waited.limit));
    due(case, |_| true).into_iter().map(fill).collect()
}

/// Servers that were asked again, by whether they put off once more; each with its first answer and the time between.
fn came_back(case: &Case<'_>, passed: bool) -> Vec<Evidence> {
    let mut all = Vec::new();
    for (index, again) in case.each().filter(|(_, session)| session.facts.role == Role::Retry && counts(session)) {
        let first = case.each().find(|(_, first)| is_retry_of(again, first) && put_off(first).is_some());
        let last = again.answer.as_ref().and_then(|answer| answer.event);
        if let (Some((_, first)), Some(event)) = (first, last)
            && !is_superseded(case, again)
            && again.facts.come_back.is_none() == passed
            && let Some((_, Event::Received { reply, .. })) = again.facts.transcript.events.get(event)
            && let Some((come_back, before)) = put_off(first)
        {
            let since = first.facts.transcript.events.get(come_back.event).map_or(first.facts.transcript.began, |(at, _)| *at);
            let took = again.facts.transcript.events.get(event).map_or(again.facts.transcript.began, |(at, _)| *at).since(since);
            all.push(Evidence::event(index, again, event, quote(reply)).with("first", quote(before)).with("time", seconds(took)));
        }
    }
    all
}
