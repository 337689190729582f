//! Findings about a message that was sent, or was to be: what it is like, and what became of it (RFC 5321 §4.5.3, RFC 5322, RFC 8689).

use super::connection::words;
use super::{Case, Evidence, Rule, SessionCase, Severity};
use crate::message::{LINE_LIMIT, Message};
use crate::smtp::{Answer, Event, FailureKind, Verb};

pub(super) const RULES: &[Rule] = &[
    Rule { id: "message_in_doubt", severity: Severity::Failure, reference: "RFC 5321 section 4.5.3.2.6", check: in_doubt },
    Rule { id: "refused_ahead", severity: Severity::Note, reference: "RFC 5321 section 4.1.1.4", check: refused_ahead },
    Rule {
        id: "extension_missing",
        severity: Severity::Failure,
        reference: "RFC 5321 section 2.2.1",
        check: |case| broken(case, |kind| matches!(kind, FailureKind::NotOffered(keyword) if *keyword != "SMTPUTF8")),
    },
    Rule {
        id: "requiretls_unproven",
        severity: Severity::Failure,
        reference: "RFC 8689 section 4.2.1",
        check: |case| broken(case, |kind| *kind == FailureKind::Unauthenticated),
    },
    Rule {
        id: "long_lines",
        severity: Severity::Warning,
        reference: "RFC 5321 section 4.5.3.1.6",
        check: |case| {
            of_message(case, |message| (message.longest_line() > LINE_LIMIT).then(|| format!("{} octets", message.longest_line())))
        },
    },
    Rule {
        id: "nul_in_message",
        severity: Severity::Warning,
        reference: "RFC 5322 section 4.1",
        check: |case| of_message(case, |message| message.has_nul().then(|| "NUL".to_owned())),
    },
    Rule {
        id: "header_incomplete",
        severity: Severity::Warning,
        reference: "RFC 5322 section 3.6",
        check: |case| of_message(case, |message| Some(message.missing_fields().join(", ")).filter(|missing| !missing.is_empty())),
    },
    Rule {
        id: "line_ends_mended",
        severity: Severity::Note,
        reference: "RFC 5321 section 2.3.8",
        check: |case| of_message(case, |message| message.had_odd_line_ends().then(|| message.mended_line_ends().to_string())),
    },
];

/// The place where a message went out whole without a reply.
pub(super) fn doubt(session: &SessionCase<'_>) -> Option<usize> {
    let transcript = &session.facts.transcript;
    transcript.failure().filter(|_| transcript.is_in_doubt()).map(|(event, ..)| event)
}

fn in_doubt(case: &Case<'_>) -> Vec<Evidence> {
    let each = case.each().filter_map(|(index, session)| {
        let (event, _, failure) = session.facts.transcript.failure().filter(|_| doubt(session).is_some())?;
        Some(Evidence::event(index, session, event, words(failure)))
    });
    each.collect()
}

/// A message that was refused before it was all there.
fn refused_ahead(case: &Case<'_>) -> Vec<Evidence> {
    let each = case.each().filter_map(|(index, session)| {
        let events = &session.facts.transcript.events;
        let (broken_off, part) = events.iter().enumerate().rfind(|(_, (_, event))| matches!(event, Event::Content { .. }))?;
        let (_, Event::Content { written, of, whole: false }) = part else { return None };
        let ahead =
            |answer: &Answer<'_>| answer.event == broken_off + 1 && matches!(answer.verb, Verb::DataEnd | Verb::Bdat) && !answer.is_yes();
        let answer = session.facts.transcript.replies().find(ahead)?;
        Some(Evidence::reply(index, session, &answer).with("written", written.to_string()).with("size", of.to_string()))
    });
    each.collect()
}

fn broken(case: &Case<'_>, applies: impl Fn(&FailureKind) -> bool) -> Vec<Evidence> {
    let each = case.each().filter_map(|(index, session)| {
        let (event, _, failure) = session.facts.transcript.failure().filter(|(_, _, failure)| applies(&failure.kind))?;
        Some(Evidence::event(index, session, event, words(failure)))
    });
    each.collect()
}

fn of_message(case: &Case<'_>, find: impl Fn(&Message) -> Option<String>) -> Vec<Evidence> {
    let found = case.facts.letter.as_ref().and_then(|letter| find(&letter.message));
    found.into_iter().map(|quote| Evidence { quote, ..Evidence::default() }).collect()
}
