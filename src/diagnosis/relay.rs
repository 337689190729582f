//! Findings about relaying: whether the server takes mail from strangers for strangers (RFC 5321 §7.8), where that was asked.

use super::{Case, Evidence, Rule, SessionCase, Severity, quote};
use crate::smtp::{Answers, Event, Purpose, Verb};

pub(super) const RULES: &[Rule] = &[
    Rule { id: "open_relay", severity: Severity::Failure, reference: "RFC 2505 section 2.1", check: open_relay },
    Rule { id: "no_open_relay", severity: Severity::Ok, reference: "RFC 2505 section 2.1", check: no_open_relay },
    Rule { id: "relay_unknown", severity: Severity::Note, reference: "RFC 5321 section 3.6.2", check: relay_unknown },
];

/// The answer to one form.
struct Form {
    /// The event of the reply.
    event: usize,
    /// The line that it answers.
    line: String,
    /// What was said.
    words: String,
    taken: bool,
}

/// The forms that were answered after a sender that was taken: a RCPT behind a refused MAIL is refused for its order alone.
fn forms(session: &SessionCase<'_>) -> Vec<Form> {
    let events = &session.facts.transcript.events;
    let mut sender_taken = false;
    let mut all = Vec::new();
    for (event, (_, what)) in events.iter().enumerate() {
        let Event::Received { verb, answers: Answers::Command(sent), purpose: Purpose::Relay, reply, .. } = what else { continue };
        match (verb, events.get(*sent)) {
            (Verb::Mail, _) => sender_taken = reply.code.is_yes_to(Verb::Mail),
            // Whoever hangs up has not answered the question.
            (Verb::Rcpt, Some((_, Event::Sent { command, .. }))) if sender_taken && !reply.code.closes_channel() => {
                let taken = reply.code.is_yes_to(Verb::Rcpt);
                all.push(Form { event, line: command.to_string(), words: quote(reply), taken });
            }
            _ => {}
        }
    }
    all
}

/// What came of asking whether strangers' mail for strangers is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relaying {
    /// It was not asked, or not answered.
    Unknown,
    /// Each of so many forms was refused, on all connections together.
    Refused(usize),
    /// A form was taken.
    Open,
}

/// Sums up what the servers said to the forms that open relays fall for.
#[must_use]
pub fn relaying(case: &Case<'_>) -> Relaying {
    let forms: Vec<Form> = case.each().flat_map(|(_, session)| forms(session)).collect();
    match forms.len() {
        0 => Relaying::Unknown,
        _ if forms.iter().any(|form| form.taken) => Relaying::Open,
        count => Relaying::Refused(count),
    }
}

fn open_relay(case: &Case<'_>) -> Vec<Evidence> {
    let taken = |(index, session)| {
        let evidence = move |form: Form| {
            let both = format!("{} was answered with {}", form.line, form.words);
            Evidence::event(index, session, form.event, both).with("form", form.line)
        };
        forms(session).into_iter().filter(|form| form.taken).map(evidence).collect::<Vec<_>>()
    };
    case.each().flat_map(taken).collect()
}

fn no_open_relay(case: &Case<'_>) -> Vec<Evidence> {
    let refused = |(index, session)| {
        let forms = forms(session);
        let first = forms.first().filter(|_| forms.iter().all(|form| !form.taken))?;
        Some(Evidence::event(index, session, first.event, first.words.clone()).with("forms", forms.len().to_string()))
    };
    if relaying(case) == Relaying::Open { Vec::new() } else { case.each().filter_map(refused).collect() }
}

/// It was to be asked, and the session did not get there, or no sender was taken.
fn relay_unknown(case: &Case<'_>) -> Vec<Evidence> {
    let unknown = |(index, session): (usize, &SessionCase<'_>)| {
        let of_relay = |answer: &crate::smtp::Answer<'_>| answer.purpose == Purpose::Relay && answer.verb == Verb::Mail;
        let answer = session.facts.transcript.replies().find(of_relay).filter(|_| forms(session).is_empty())?;
        Some(Evidence::reply(index, session, &answer))
    };
    case.each().filter_map(unknown).collect()
}
