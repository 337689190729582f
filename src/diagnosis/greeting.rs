//! Findings about the greeting: refused, masked, missing, or not SMTP at all.

use super::connection::words;
use super::port::without_wrong_mode;
use super::side::masked_here;
use super::{Case, Evidence, Rule, SessionCase, Severity};
use crate::knowledge::Place;
use crate::smtp::{Answer, CodeClass, FailureKind, Purpose, Stage, Verb};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "greeting_refused",
        severity: Severity::Failure,
        reference: "RFC 5321 section 3.1",
        check: |case| greeted(case, |a, _| a.reply.code.class() == CodeClass::Permanent),
    },
    Rule {
        id: "greeting_deferred",
        severity: Severity::Warning,
        reference: "RFC 5321 section 3.8",
        check: |case| greeted(case, |a, _| a.reply.code.class() == CodeClass::Transient),
    },
    Rule { id: "greeting_masked", severity: Severity::Warning, reference: "RFC 5321 section 4.2", check: greeting_masked },
    Rule {
        id: "greeting_of_tarpit",
        severity: Severity::Warning,
        reference: "RFC 5321 section 4.5.3.2",
        check: |case| greeted(case, |a, c| software(a, c).is_some_and(|s| s.tarpit)),
    },
    Rule {
        id: "greeting_of_sink",
        severity: Severity::Warning,
        reference: "RFC 5321 section 6.1",
        check: |case| greeted(case, |a, c| software(a, c).is_some_and(|s| s.sink)),
    },
    Rule {
        id: "no_greeting",
        severity: Severity::Failure,
        reference: "RFC 5321 section 4.5.3.2.1",
        check: |case| broken(case, |k| matches!(k, FailureKind::TimedOut(_) | FailureKind::Stalled(_) | FailureKind::SessionTimeOver)),
    },
    Rule {
        id: "closed_without_greeting",
        severity: Severity::Failure,
        reference: "RFC 5321 section 3.1",
        check: |case| broken(case, |k| matches!(k, FailureKind::Closed | FailureKind::Reset)),
    },
    Rule { id: "not_smtp", severity: Severity::Failure, reference: "RFC 5321 section 4.2", check: not_smtp },
];

fn greeted(case: &Case<'_>, applies: impl Fn(&Answer<'_>, &Case<'_>) -> bool) -> Vec<Evidence> {
    case.each()
        .filter_map(|(index, session)| {
            let answer = session.facts.transcript.reply_to(Verb::Connect, Purpose::Target).filter(|answer| applies(answer, case))?;
            Some(Evidence::reply(index, session, &answer))
        })
        .collect()
}

/// Where no control host tells at whose end it is.
fn greeting_masked(case: &Case<'_>) -> Vec<Evidence> {
    let mut masked = greeted(case, |answer, _| answer.reply.text().contains("****"));
    masked.retain(|evidence| evidence.session.is_none_or(|index| masked_here(case, &case.sessions[index]).is_none()));
    masked
}

fn software(answer: &Answer<'_>, case: &Case<'_>) -> Option<crate::knowledge::Software> {
    case.knowledge.software(Place::Greeting, &super::session::as_sent(answer.reply))
}

fn broken(case: &Case<'_>, kind: impl Fn(&FailureKind) -> bool) -> Vec<Evidence> {
    let waiting = |session: &SessionCase<'_>| match session.facts.transcript.failure() {
        Some((event, Stage::Greeting, failure)) if kind(&failure.kind) => Some((event, words(failure))),
        _ => None,
    };
    let broken = case.each().filter(|(_, session)| case.is_needed(session)).filter_map(|(index, session)| {
        let (event, words) = waiting(session)?;
        Some(Evidence::event(index, session, event, words))
    });
    without_wrong_mode(case, broken.collect())
}

fn not_smtp(case: &Case<'_>) -> Vec<Evidence> {
    let foreign = case.each().filter_map(|(index, session)| match session.facts.transcript.failure() {
        Some((event, _, failure)) => match failure.kind {
            FailureKind::NotSmtp(protocol) => {
                Some(Evidence::event(index, session, event, words(failure)).with("protocol", protocol.as_str()))
            }
            _ => None,
        },
        None => None,
    });
    without_wrong_mode(case, foreign.collect())
}
