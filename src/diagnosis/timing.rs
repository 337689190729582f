//! Findings about time: slow greetings, slow replies, slow lookups.

use std::time::Duration;

use super::{Case, Evidence, Rule, Severity};
use crate::smtp::{Answers, Elapsed, Event, Transcript, Verb};

/// A greeting that takes longer is held back on purpose, or by a busy server (many wait for a reverse lookup).
const SLOW_GREETING: Duration = Duration::from_secs(5);
/// A reply that takes longer.
const SLOW_REPLY: Duration = Duration::from_secs(5);
/// A reply whose bytes take longer to come is made to drip.
const DRIP: Duration = Duration::from_secs(5);
/// A lookup that takes longer.
const SLOW_LOOKUP: Duration = Duration::from_secs(2);

pub(super) const RULES: &[Rule] = &[
    Rule { id: "slow_greeting", severity: Severity::Note, reference: "RFC 5321 section 4.5.3.2.1", check: slow_greeting },
    Rule { id: "slow_replies", severity: Severity::Note, reference: "RFC 5321 section 4.5.3.2", check: slow_replies },
    Rule { id: "dripping", severity: Severity::Warning, reference: "RFC 5321 section 4.5.3.2", check: dripping },
    Rule { id: "slow_lookup", severity: Severity::Note, reference: "RFC 1035 section 7", check: slow_lookup },
];

/// A time for people: `184 ms`, `3.2 s`, `30 s`.
#[must_use]
pub fn seconds(time: Duration) -> String {
    match time.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        millis @ 1000..10_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100).replace(".0 s", " s"),
        millis => format!("{} s", (millis + 500) / 1000),
    }
}

fn slow_greeting(case: &Case<'_>) -> Vec<Evidence> {
    slow(case, SLOW_GREETING, |verb| verb == Verb::Connect)
}

fn slow_replies(case: &Case<'_>) -> Vec<Evidence> {
    slow(case, SLOW_REPLY, |verb| verb != Verb::Connect)
}

fn slow(case: &Case<'_>, limit: Duration, applies: impl Fn(Verb) -> bool) -> Vec<Evidence> {
    let mut all = Vec::new();
    for (index, session) in case.each() {
        let events = &session.facts.transcript.events;
        let asked = |answers: Answers| -> Option<Elapsed> {
            match answers {
                Answers::Command(event) => events.get(event).map(|(at, _)| *at),
                Answers::Nothing => None,
                Answers::Connection => {
                    events.iter().rfind(|(_, e)| matches!(e, Event::Connected(_) | Event::Secured(_))).map(|(at, _)| *at)
                }
            }
        };
        for (at, (_, event)) in events.iter().enumerate() {
            if let Event::Received { verb, answers, began, .. } = event
                && applies(*verb)
                && let Some(taken) = asked(*answers).map(|since| began.since(since)).filter(|taken| *taken >= limit)
            {
                all.push(Evidence::event(index, session, at, seconds(taken)).with("time", seconds(taken)).with("verb", verb.as_str()));
            }
        }
    }
    all
}

/// Bytes that came over a long time.
pub(super) struct Drip {
    /// Their event.
    pub(super) event: usize,
    octets: usize,
    time: Duration,
}

/// Replies whose bytes dripped in, whole ones and one that never came to its end.
pub(super) fn drips(transcript: &Transcript) -> impl Iterator<Item = Drip> {
    let of_event = |(event, (at, what)): (usize, &(Elapsed, Event))| match what {
        Event::Received { began, reply, .. } => Some(Drip { event, octets: reply.raw.len(), time: at.since(*began) }),
        Event::Premature { began, bytes, .. } => Some(Drip { event, octets: bytes.len(), time: at.since(*began) }),
        _ => None,
    };
    transcript.events.iter().enumerate().filter_map(of_event).filter(|drip| drip.time >= DRIP)
}

fn dripping(case: &Case<'_>) -> Vec<Evidence> {
    let mut all = Vec::new();
    for (index, session) in case.each() {
        for drip in drips(&session.facts.transcript) {
            let quote = format!("{} octets in {}", drip.octets, seconds(drip.time));
            all.push(Evidence::event(index, session, drip.event, quote));
        }
    }
    all
}

fn slow_lookup(case: &Case<'_>) -> Vec<Evidence> {
    let lookups = case.facts.route.lookups.iter().enumerate();
    lookups
        .filter(|(_, lookup)| lookup.took >= SLOW_LOOKUP)
        .map(|(index, lookup)| Evidence::lookup(case.facts, Some(index), seconds(lookup.took)).with("time", seconds(lookup.took)))
        .collect()
}
