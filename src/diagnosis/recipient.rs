//! Findings about the recipient: control questions, contradictions, and answers that are worth less than they look.

use super::greylisting::is_superseded;
use super::{Case, Evidence, Outcome, Rule, SessionCase, Severity, gist};
use crate::knowledge::Reason;
use crate::settings::Question;
use crate::smtp::{Answer, Answers, CodeClass, Command, Event, Purpose, ReplyCode, Verb};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "catch_all",
        severity: Severity::Warning,
        reference: "RFC 5321 section 3.3",
        check: |case| control(case, Purpose::CatchAll, is_taken),
    },
    Rule { id: "not_catch_all", severity: Severity::Ok, reference: "RFC 5321 section 3.3", check: |case| not_catch_all(case) },
    Rule {
        id: "postmaster_refused",
        severity: Severity::Warning,
        reference: "RFC 5321 section 4.5.1",
        check: |case| control(case, Purpose::Postmaster, is_permanent),
    },
    Rule {
        id: "postmaster_accepted",
        severity: Severity::Note,
        reference: "RFC 5321 section 4.5.1",
        check: |case| control(case, Purpose::Postmaster, is_taken),
    },
    Rule { id: "control_inconclusive", severity: Severity::Note, reference: "RFC 5321 section 4.2.1", check: control_inconclusive },
    Rule { id: "hosts_disagree", severity: Severity::Warning, reference: "RFC 5321 section 5.1", check: hosts_disagree },
    Rule { id: "words_against_number", severity: Severity::Note, reference: "RFC 3463 section 2", check: words_against_number },
    Rule { id: "sender_refused", severity: Severity::Failure, reference: "RFC 5321 section 3.3", check: sender_refused },
    Rule { id: "will_forward", severity: Severity::Note, reference: "RFC 5321 section 3.4", check: |case| answered(case, 251) },
    Rule { id: "cannot_verify", severity: Severity::Note, reference: "RFC 5321 section 3.5.3", check: |case| answered(case, 252) },
];

fn is_taken(code: ReplyCode) -> bool {
    code.is_yes_to(Verb::Rcpt)
}

fn is_permanent(code: ReplyCode) -> bool {
    code.class() == CodeClass::Permanent
}

/// The reply to a control question, where it was asked and not lost in a refused MAIL.
pub(super) fn control_reply<'a>(session: &'a SessionCase<'_>, purpose: Purpose) -> Option<Answer<'a>> {
    session
        .facts
        .transcript
        .reply_to(Verb::Rcpt, purpose)
        .filter(|_| session.facts.transcript.reply_to(Verb::Mail, purpose).is_some_and(|mail| mail.is_yes()))
}

/// Why a control question was answered as it was.
pub(super) fn control_reason(session: &SessionCase<'_>, purpose: Purpose) -> Option<Reason> {
    let answer = control_reply(session, purpose)?;
    session.annotation(answer.event).map(|annotation| annotation.reason)
}

/// Whether postmaster was refused in a way that speaks against the sender: for another reason than that there is no postmaster,
/// or in the very words that the mailbox was refused in.
pub(super) fn blames_sender(session: &SessionCase<'_>) -> bool {
    let said =
        |purpose| session.facts.transcript.reply_to(Verb::Rcpt, purpose).map(|a| (a.reply.code, a.reply.enhanced, gist(&a.reply.text())));
    let refused = control_reply(session, Purpose::Postmaster).is_some_and(|answer| is_permanent(answer.reply.code));
    let no_postmaster = matches!(control_reason(session, Purpose::Postmaster), Some(Reason::UserUnknown | Reason::UserDisabled));
    refused && (!no_postmaster || said(Purpose::Postmaster) == said(Purpose::Target))
}

fn control(case: &Case<'_>, purpose: Purpose, applies: impl Fn(ReplyCode) -> bool) -> Vec<Evidence> {
    case.each()
        .filter_map(|(index, session)| {
            let answer = control_reply(session, purpose).filter(|answer| applies(answer.reply.code))?;
            Some(Evidence::reply(index, session, &answer).with("recipient", recipient(session, &answer)))
        })
        .collect()
}

/// The made-up address was refused where the one asked for was taken: the yes tells mailboxes apart.
fn not_catch_all(case: &Case<'_>) -> Vec<Evidence> {
    let taken = |index: Option<usize>| {
        let session = index.and_then(|index| case.sessions.get(index));
        session.and_then(|s| s.facts.transcript.reply_to(Verb::Rcpt, Purpose::Target)).is_some_and(|a| a.is_yes())
    };
    // A refusal for another reason, such as a limit, tells nothing apart.
    let unknown = |evidence: &Evidence| {
        let session = evidence.session.and_then(|index| case.sessions.get(index));
        session.is_some_and(|session| control_reason(session, Purpose::CatchAll) == Some(Reason::UserUnknown))
    };
    let refused = control(case, Purpose::CatchAll, is_permanent).into_iter();
    refused.filter(|evidence| taken(evidence.session) && unknown(evidence)).collect()
}

/// The mailbox that a reply to RCPT is about.
fn recipient(session: &SessionCase<'_>, answer: &Answer<'_>) -> String {
    let events = &session.facts.transcript.events;
    let asked = events.get(answer.event).and_then(|(_, event)| match event {
        Event::Received { answers: Answers::Command(sent), .. } => events.get(*sent),
        _ => None,
    });
    match asked {
        Some((_, Event::Sent { command: Command::Rcpt { to, .. }, .. })) => to.to_string(),
        _ => String::new(),
    }
}

/// A control question was answered with "not now", or its transaction was not allowed: it says neither yes nor no.
fn control_inconclusive(case: &Case<'_>) -> Vec<Evidence> {
    let mut all = Vec::new();
    for (index, session) in case.each() {
        for purpose in [Purpose::CatchAll, Purpose::Postmaster] {
            let open =
                session.facts.transcript.replies().find(|a| {
                    a.purpose == purpose && (a.reply.code.class() == CodeClass::Transient || (a.verb == Verb::Mail && !a.is_yes()))
                });
            all.extend(open.map(|answer| Evidence::reply(index, session, &answer)));
        }
    }
    all
}

/// Definite answers that contradict each other. Greetings of unlike ports are no answers to one question.
fn hosts_disagree(case: &Case<'_>) -> Vec<Evidence> {
    if case.facts.question == Question::Ports {
        return Vec::new();
    }
    let definite = |session: &SessionCase<'_>| {
        session
            .answer
            .as_ref()
            .filter(|answer| matches!(answer.outcome, Outcome::Accepted | Outcome::Rejected | Outcome::Deferred))
            .cloned()
    };
    // A server that greylists and is asked again does not contradict itself.
    let counted = case.each().filter(|(_, session)| !is_superseded(case, session));
    let answers: Vec<_> = counted.filter_map(|(index, session)| definite(session).map(|answer| (index, session, answer))).collect();
    let differ = answers.windows(2).any(|pair| pair[0].2.outcome != pair[1].2.outcome);
    if !differ {
        return Vec::new();
    }
    answers
        .iter()
        .filter_map(|(index, session, answer)| {
            let reply = session.facts.transcript.replies().find(|a| Some(a.event) == answer.event)?;
            Some(Evidence::reply(*index, session, &reply))
        })
        .collect()
}

fn words_against_number(case: &Case<'_>) -> Vec<Evidence> {
    let mut all = Vec::new();
    for (index, session) in case.each() {
        for answer in session.facts.transcript.replies().filter(|a| a.purpose == Purpose::Target) {
            if let Some(annotation) = session.annotation(answer.event)
                && let Some(by_number) = annotation.conflict
            {
                let title = |reason| case.knowledge.reason(reason).title.clone();
                all.push(Evidence::reply(index, session, &answer).with("words", title(annotation.reason)).with("number", title(by_number)));
            }
        }
    }
    all
}

fn sender_refused(case: &Case<'_>) -> Vec<Evidence> {
    case.each()
        .filter_map(|(index, session)| {
            let answer = session.facts.transcript.reply_to(Verb::Mail, Purpose::Target).filter(|a| is_permanent(a.reply.code))?;
            Some(Evidence::reply(index, session, &answer))
        })
        .collect()
}

fn answered(case: &Case<'_>, code: u16) -> Vec<Evidence> {
    case.each()
        .filter_map(|(index, session)| {
            let answer = session.facts.transcript.reply_to(Verb::Rcpt, Purpose::Target).filter(|a| a.reply.code.number() == code)?;
            Some(Evidence::reply(index, session, &answer))
        })
        .collect()
}
