//! Findings about the server's certificate, and what is wrong with it in words (RFC 5280, RFC 9525).

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

use super::{Case, Evidence, Rule, Severity, fill};
use crate::knowledge::Knowledge;
use crate::settings::Question;
use crate::smtp::{CertificateFault, Distrust, Event, TlsFacts};

const DAY: i64 = 24 * 60 * 60;
/// A certificate that ends within this time is worth a warning: automatic renewal should have come first.
const EXPIRES_SOON: i64 = 14 * DAY;
/// Within this time somebody has to act today.
const EXPIRES_NOW: i64 = 3 * DAY;
/// So many names are told of many.
const NAMES_SHOWN: usize = 5;

pub(super) const RULES: &[Rule] = &[
    Rule { id: "certificate_unverified", severity: Severity::Warning, reference: "RFC 3207 section 4.1", check: unverified },
    Rule {
        id: "certificate_expiring",
        severity: Severity::Warning,
        reference: "RFC 5280 section 4.1.2.5",
        check: |case| expiring(case, EXPIRES_NOW + 1, EXPIRES_SOON),
    },
    Rule {
        id: "certificate_expiring_now",
        severity: Severity::Failure,
        reference: "RFC 5280 section 4.1.2.5",
        check: |case| expiring(case, 0, EXPIRES_NOW),
    },
];

/// Each session that has TLS, with the place of that event. Which ports can be reached has nothing to do with whom one finds there.
fn secured<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (usize, &'a super::SessionCase<'a>, usize, &'a TlsFacts)> {
    case.each().filter(|_| case.facts.question == Question::Mail).filter_map(|(index, session)| {
        session.facts.transcript.events.iter().enumerate().find_map(|(at, (_, event))| match event {
            Event::Secured(facts) => Some((index, session, at, facts)),
            _ => None,
        })
    })
}

fn unverified(case: &Case<'_>) -> Vec<Evidence> {
    secured(case)
        .filter(|(.., facts)| !facts.verdict.faults().is_empty())
        .map(|(index, session, event, facts)| {
            let why: Vec<String> = facts.verdict.faults().iter().map(|fault| distrust_words(case.knowledge, facts, fault)).collect();
            Evidence::event(index, session, event, why.join("; "))
        })
        .collect()
}

/// Certificates whose end is from `least` to `most` seconds away.
fn expiring(case: &Case<'_>, least: i64, most: i64) -> Vec<Evidence> {
    secured(case)
        .filter_map(|(index, session, event, facts)| {
            let until = facts.certificate()?.not_after;
            let days = days_left(case.facts.started_at, until).to_string();
            let within = (least..=most).contains(&seconds_left(case.facts.started_at, until));
            within.then(|| Evidence::event(index, session, event, days.clone()).with("days", days))
        })
        .collect()
}

/// What is wrong with a certificate, in words that follow "certificate of the host: ".
#[must_use]
pub fn distrust_words(knowledge: &Knowledge, facts: &TlsFacts, fault: &CertificateFault) -> String {
    let texts: BTreeMap<String, String> = knowledge.phrases("certificate");
    let text = |key: &str| texts.get(key).cloned().unwrap_or_default();
    let key = match &fault.why {
        Distrust::WrongName { has, .. } if has.is_empty() => "no_name",
        Distrust::Other(words) => return words.clone(),
        other => other.name(),
    };
    let about = distrust_about(&fault.why).unwrap_or_default();
    let words = fill(&text(key), |slot| match (slot, &fault.why) {
        ("names", Distrust::WrongName { has, .. }) => Some(listed(has)),
        ("about", _) => Some(about.clone()),
        _ => None,
    });
    // Where the chain leads is said of the whole; the rest of the one certificate.
    if fault.place == 0 || matches!(fault.why, Distrust::UnknownIssuer { .. }) {
        return words;
    }
    let subject = facts.chain.get(fault.place).and_then(|sent| sent.read.as_ref()).map(|c| c.subject.clone()).unwrap_or_default();
    fill(&text("of_chain"), |slot| match slot {
        "number" => Some((fault.place + 1).to_string()),
        "subject" => Some(subject.clone()),
        "why" => Some(words.clone()),
        _ => None,
    })
}

/// What a reason is about: the issuer, the day, the name asked for, the key, the algorithm; none if it says all by itself.
#[must_use]
pub fn distrust_about(why: &Distrust) -> Option<String> {
    match why {
        Distrust::UnknownIssuer { issuer } | Distrust::MissingIntermediate { issuer } => Some(issuer.clone()),
        Distrust::Expired { since } => Some(day(*since)),
        Distrust::NotYetValid { until } => Some(day(*until)),
        Distrust::WrongName { asked, .. } => Some(asked.clone()),
        Distrust::WeakKey(key) => Some(key.to_string()),
        Distrust::WeakSignature(words) | Distrust::UnhandledExtension(words) | Distrust::Other(words) => Some(words.clone()),
        Distrust::Unreadable
        | Distrust::SelfSigned
        | Distrust::BadSignature
        | Distrust::Unproved
        | Distrust::MarkedAsAuthority
        | Distrust::NotAnAuthority
        | Distrust::NotForServers => None,
    }
}

/// The day (UTC) of a moment in seconds since 1970: `2026-11-22`.
fn day(moment: i64) -> String {
    OffsetDateTime::from_unix_timestamp(moment).map_or_else(|_| moment.to_string(), |moment| moment.date().to_string())
}

/// The first few of many names.
fn listed(names: &[String]) -> String {
    let more = if names.len() > NAMES_SHOWN { " and others" } else { "" };
    names.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ") + more
}

fn seconds_left(now: SystemTime, until: i64) -> i64 {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |passed| i64::try_from(passed.as_secs()).unwrap_or(i64::MAX));
    until.saturating_sub(now)
}

/// Whole days from `now` to a moment in seconds since 1970; negative when it is over.
#[must_use]
pub fn days_left(now: SystemTime, until: i64) -> i64 {
    seconds_left(now, until).div_euclid(DAY)
}
