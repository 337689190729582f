//! Findings about what is published on transport security, and whether servers keep to it: DANE (RFC 7672), MTA-STS (RFC 8461),
//! TLS-RPT (RFC 8460); old TLS, TLS that fails, and commands put in ahead of it (RFC 3207).

use std::collections::BTreeMap;

use super::certificate::distrust_words;
use super::delivery::{self, Cause, Delivery, Tls, is_proved};
use super::route::lookup_line;
use super::{Case, Evidence, Rule, SessionCase, Severity, fill};
use crate::knowledge::Knowledge;
use crate::policy::mta_sts::{MAX_AGE_LIMIT, Mode, Policy};
use crate::policy::tls_rpt::TlsRptError;
use crate::policy::{DaneFault, DaneVerdict, FetchFailure, FetchStep, Fetched, Matched, RecordVerdict, Tlsa, TxtError};
use crate::probe::{HostKeys, MtaSts, Role, Unread};
use crate::route::{Doubt, LookupKind, Security, TlsaOutcome};
use crate::smtp::{Event, LegacyFlaw, LegacyTls, Purpose, Stage, Verb};
use crate::target::{DomainName, Host, Port};

/// A policy that is kept for less than this, in seconds, protects nobody from whoever can suppress it for a day.
const SHORT_LIVED: u32 = 24 * 60 * 60;
/// Of the data of a TLSA record so many hexadecimal digits are told.
const DIGITS_TOLD: usize = 16;
/// A line to publish is broken after so many digits.
const DIGITS_IN_LINE: usize = 32;

pub(super) const RULES: &[Rule] = &[
    Rule { id: "tls_too_old", severity: Severity::Failure, reference: "RFC 8996 section 3", check: tls_too_old },
    Rule { id: "sent_in_clear", severity: Severity::Warning, reference: "RFC 7435 section 3", check: sent_in_clear },
    Rule { id: "injection_answered", severity: Severity::Failure, reference: "RFC 3207 section 4.2", check: injection_answered },
    Rule { id: "injection_not_answered", severity: Severity::Ok, reference: "RFC 3207 section 4.2", check: injection_not_answered },
    Rule { id: "dane_failed", severity: Severity::Failure, reference: "RFC 7672 section 2.2", check: dane_failed },
    Rule { id: "dane_without_starttls", severity: Severity::Failure, reference: "RFC 7672 section 2.2", check: dane_without_starttls },
    Rule { id: "dane_lookup_failed", severity: Severity::Failure, reference: "RFC 7672 section 2.1.2", check: dane_lookup_failed },
    Rule { id: "dane_unusable", severity: Severity::Warning, reference: "RFC 7672 section 3.1.3", check: dane_unusable },
    Rule { id: "dane_leftover", severity: Severity::Note, reference: "RFC 7671 section 8.1", check: dane_leftover },
    Rule { id: "dane_untrusted", severity: Severity::Note, reference: "RFC 7672 section 2.2", check: dane_untrusted },
    Rule { id: "dane_ok", severity: Severity::Ok, reference: "RFC 7672 section 3.1", check: dane_ok },
    Rule { id: "mta_sts_record_invalid", severity: Severity::Warning, reference: "RFC 8461 section 3.1", check: mta_sts_record_invalid },
    Rule { id: "mta_sts_fetch_failed", severity: Severity::Warning, reference: "RFC 8461 section 3.3", check: mta_sts_fetch_failed },
    Rule { id: "mta_sts_policy_invalid", severity: Severity::Warning, reference: "RFC 8461 section 3.2", check: mta_sts_policy_invalid },
    Rule {
        id: "mta_sts_host_unlisted",
        severity: Severity::Failure,
        reference: "RFC 8461 section 4.1",
        check: |case| unmet(case, Mode::Enforce, &[Cause::HostUnlisted]),
    },
    Rule {
        id: "mta_sts_certificate",
        severity: Severity::Failure,
        reference: "RFC 8461 section 4.2",
        check: |case| unmet(case, Mode::Enforce, &[Cause::CertificateBad]),
    },
    Rule {
        id: "mta_sts_without_starttls",
        severity: Severity::Failure,
        reference: "RFC 8461 section 4.2",
        check: |case| unmet(case, Mode::Enforce, &[Cause::PolicyNoTls]),
    },
    Rule {
        id: "mta_sts_testing_unmet",
        severity: Severity::Warning,
        reference: "RFC 8461 section 5",
        check: |case| unmet(case, Mode::Testing, &[Cause::HostUnlisted, Cause::CertificateBad, Cause::PolicyNoTls]),
    },
    Rule { id: "mta_sts_odd", severity: Severity::Note, reference: "RFC 8461 section 3.2", check: mta_sts_odd },
    Rule { id: "mta_sts_short_lived", severity: Severity::Note, reference: "RFC 8461 section 3.2", check: mta_sts_short_lived },
    Rule { id: "mta_sts_unknown", severity: Severity::Note, reference: "RFC 8461 section 3.1", check: mta_sts_unknown },
    Rule { id: "mta_sts_ok", severity: Severity::Ok, reference: "RFC 8461 section 4", check: mta_sts_ok },
    Rule { id: "tls_rpt_invalid", severity: Severity::Warning, reference: "RFC 8460 section 3", check: tls_rpt_invalid },
    Rule { id: "tls_rpt_missing", severity: Severity::Note, reference: "RFC 8460 section 3", check: tls_rpt_missing },
];

/// Whether the host of `session` was found to speak only TLS that nobody else does any more.
pub(super) fn is_too_old(case: &Case<'_>, session: &SessionCase<'_>) -> bool {
    let place = |other: &SessionCase<'_>| (other.facts.host, other.facts.address.port());
    case.sessions.iter().filter(|other| place(other) == place(session)).any(|other| of_old_tls(other).is_some())
}

/// What a host would choose that knows only old TLS, with the event.
fn of_old_tls<'a>(session: &'a SessionCase<'_>) -> Option<(usize, &'a LegacyTls)> {
    session.facts.transcript.legacy_tls().filter(|(_, legacy)| session.facts.role == Role::OldTls && !legacy.flaws().is_empty())
}

fn tls_too_old(case: &Case<'_>) -> Vec<Evidence> {
    let sessions = case.sessions.iter().enumerate();
    let found = sessions.filter_map(|(index, session)| {
        let (event, legacy) = of_old_tls(session)?;
        let flaws: Vec<String> = legacy.flaws().iter().map(|flaw| flaw_words(case.knowledge, flaw)).collect();
        let quote = format!("{} with {}", legacy.version, legacy.cipher);
        Some(Evidence::event(index, session, event, quote).with("flaws", flaws.join("; ")))
    });
    found.collect()
}

/// What keeps a client of today from speaking to a server that knows only old TLS, in words.
fn flaw_words(knowledge: &Knowledge, flaw: &LegacyFlaw) -> String {
    let texts: BTreeMap<String, String> = knowledge.phrases("old_tls");
    let about = match flaw {
        LegacyFlaw::OldVersion(version) => version.to_string(),
        LegacyFlaw::FiniteField(bits) => bits.map(|bits| bits.to_string()).unwrap_or_default(),
        LegacyFlaw::WeakKey(key) => key.to_string(),
        LegacyFlaw::WeakSignature(algorithm) => algorithm.clone(),
        LegacyFlaw::Anonymous | LegacyFlaw::RsaKeyExchange | LegacyFlaw::WeakCipher | LegacyFlaw::Cbc => String::new(),
    };
    let key = if *flaw == LegacyFlaw::FiniteField(None) { "finite_field_open" } else { flaw.name() };
    fill(texts.get(key).map_or("", String::as_str), |_| Some(about.clone()))
}

/// Hosts where TLS failed, and the question was answered without it.
fn sent_in_clear(case: &Case<'_>) -> Vec<Evidence> {
    let again = case.sessions.iter().enumerate().filter(|(_, session)| session.facts.role == Role::InClear);
    let answered = again.filter_map(|(index, session)| {
        let event = session.answer.as_ref().filter(|answer| answer.stage > Stage::Greeting)?.event;
        let answer = session.facts.transcript.replies().find(|answer| Some(answer.event) == event)?;
        Some(Evidence::reply(index, session, &answer))
    });
    answered.collect()
}

fn injections<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (usize, &'a SessionCase<'a>)> {
    case.sessions.iter().enumerate().filter(|(_, session)| session.facts.role == Role::Injection)
}

fn injection_answered(case: &Case<'_>) -> Vec<Evidence> {
    let answered = injections(case).filter_map(|(index, session)| {
        session.facts.transcript.tls()?;
        let answer = session.facts.transcript.reply_to(Verb::Quit, Purpose::Injection)?;
        Some(Evidence::reply(index, session, &answer))
    });
    answered.collect()
}

fn injection_not_answered(case: &Case<'_>) -> Vec<Evidence> {
    let dropped = injections(case).filter_map(|(index, session)| {
        let transcript = &session.facts.transcript;
        let inside = transcript.events.iter().position(|(_, event)| matches!(event, Event::Secured(_)))?;
        let answer = transcript.reply_to(Verb::Ehlo, Purpose::Target).filter(|answer| answer.event > inside && answer.is_yes())?;
        Some(Evidence::reply(index, session, &answer))
    });
    dropped.collect()
}

/// Each session that has TLS, with the place of that event.
fn secured<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (usize, &'a SessionCase<'a>, usize)> {
    case.each().filter_map(|(index, session)| {
        let mut events = session.facts.transcript.events.iter();
        events.position(|(_, event)| matches!(event, Event::Secured(_))).map(|event| (index, session, event))
    })
}

/// What is published about the keys of a session's host.
fn keys_of<'a>(case: &'a Case<'_>, session: &SessionCase<'_>) -> Option<(&'a HostKeys, &'a [Tlsa])> {
    let keys = case.facts.published.keys_of(session.facts.host?, Port::try_from(session.facts.address.port()).ok()?)?;
    match &keys.outcome {
        Some(TlsaOutcome::Records(records)) => Some((keys, records)),
        _ => None,
    }
}

fn dane_failed(case: &Case<'_>) -> Vec<Evidence> {
    let failed = secured(case).filter_map(|(index, session, event)| {
        let dane = session.facts.dane.as_ref()?;
        let (keys, _) = keys_of(case, session)?;
        let would_match = match &dane.verdict {
            DaneVerdict::Failed { would_match } => would_match.as_ref(),
            DaneVerdict::Authenticated { .. } if session.facts.transcript.tls().is_some_and(|facts| !is_proved(facts)) => None,
            _ => return None,
        };
        Some(Evidence {
            publish: to_publish(keys, would_match),
            ..Evidence::event(index, session, event, dane_words(case, session).join("; "))
        })
    });
    failed.collect()
}

/// Each TLSA record of a session's host with what it did, in words.
#[must_use]
pub fn dane_words(case: &Case<'_>, session: &SessionCase<'_>) -> Vec<String> {
    let Some((dane, (_, records))) = session.facts.dane.as_ref().zip(keys_of(case, session)) else { return Vec::new() };
    let words = |(record, verdict): (&Tlsa, &RecordVerdict)| format!("{}: {}", told(record), record_words(case.knowledge, verdict));
    records.iter().zip(&dane.records).map(words).collect()
}

/// The record that would match, as it stands in a zone file.
fn to_publish(keys: &HostKeys, would_match: Option<&Tlsa>) -> Vec<String> {
    would_match.zip(keys.base.as_ref()).map(|(record, base)| zone_lines(record, keys.port, base)).unwrap_or_default()
}

/// A record as it is told: `3 1 1 0123456789abcdef…`.
fn told(record: &Tlsa) -> String {
    let text = record.to_string();
    match text.char_indices().nth("3 1 1 ".len() + DIGITS_TOLD) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// A record as lines of a zone file, none of them long (RFC 1035 §5.1, RFC 6698 §2.2).
fn zone_lines(record: &Tlsa, port: Port, base: &DomainName) -> Vec<String> {
    let line = record.zone_line(port, base);
    let Some((head, data)) = line.rsplit_once(' ') else { return vec![line] };
    let chunks = data.as_bytes().chunks(DIGITS_IN_LINE).map(|chunk| format!("  {}", String::from_utf8_lossy(chunk)));
    std::iter::once(format!("{head} (")).chain(chunks).chain([")".to_owned()]).collect()
}

/// What a record did, in words that follow the record and a colon.
fn record_words(knowledge: &Knowledge, verdict: &RecordVerdict) -> String {
    let texts: BTreeMap<String, String> = knowledge.phrases("tlsa_record");
    let (key, about) = match verdict {
        RecordVerdict::Authenticates(_) => ("authenticates", String::new()),
        RecordVerdict::NoMatch => ("no_match", String::new()),
        RecordVerdict::OwnCertificate => ("own_certificate", String::new()),
        RecordVerdict::Outweighed { .. } => ("outweighed", String::new()),
        RecordVerdict::Untried => ("untried", String::new()),
        RecordVerdict::Unusable(why) => ("unusable", why.to_string()),
        RecordVerdict::Distrusted { matched, faults } => {
            ("distrusted", faults.iter().map(|fault| fault_words(&texts, *matched, fault)).collect::<Vec<_>>().join(", "))
        }
    };
    fill(texts.get(key).map_or("", String::as_str), |_| Some(about.clone()))
}

fn fault_words(texts: &BTreeMap<String, String>, authority: Matched, fault: &DaneFault) -> String {
    let of = |certificate: &Matched, own: &str, of_authority: &str| {
        if *certificate == authority { of_authority.to_owned() } else { own.to_owned() }
    };
    let (key, about) = match fault {
        DaneFault::Expired { certificate, .. } => (of(certificate, "expired", "authority_expired"), String::new()),
        DaneFault::NotYetValid { certificate, .. } => (of(certificate, "not_yet_valid", "authority_not_yet_valid"), String::new()),
        DaneFault::WrongName { names } => ("wrong_name".to_owned(), names.join(", ")),
        DaneFault::NoAuthority { .. } => ("no_authority".to_owned(), String::new()),
        DaneFault::PathTooLong { .. } => ("path_too_long".to_owned(), String::new()),
        DaneFault::MarkedAsAuthority => ("marked_as_authority".to_owned(), String::new()),
        DaneFault::NoPath => ("no_path".to_owned(), String::new()),
        DaneFault::BadSignature => ("bad_signature".to_owned(), String::new()),
        DaneFault::Other(words) => return words.clone(),
    };
    fill(texts.get(&key).map_or("", String::as_str), |_| Some(about.clone()))
}

/// What shows that there is no TLS: the handshake's failure, the refusal, or the offers without STARTTLS.
fn without_tls(index: usize, session: &SessionCase<'_>) -> Option<Evidence> {
    let transcript = &session.facts.transcript;
    match Tls::of(session) {
        Tls::Up(_) | Tls::Unknown => None,
        Tls::Failed => {
            let (event, _, failure) = transcript.failure()?;
            Some(Evidence::event(index, session, event, super::failure_words(failure)))
        }
        Tls::Refused => Some(Evidence::reply(index, session, &transcript.reply_to(Verb::StartTls, Purpose::Target)?)),
        Tls::NotOffered => {
            let answer = transcript.replies().rfind(|answer| matches!(answer.verb, Verb::Ehlo | Verb::Helo) && answer.is_yes())?;
            Some(Evidence::event(index, session, answer.event, "STARTTLS is not offered"))
        }
    }
}

fn dane_without_starttls(case: &Case<'_>) -> Vec<Evidence> {
    let bare = case.each().filter(|(_, session)| keys_of(case, session).is_some());
    bare.filter_map(|(index, session)| without_tls(index, session)).collect()
}

fn dane_lookup_failed(case: &Case<'_>) -> Vec<Evidence> {
    let failed = case.facts.published.keys.iter().filter(|keys| keys.outcome.as_ref().is_some_and(TlsaOutcome::must_defer));
    failed
        .filter_map(|keys| {
            let host = case.facts.route.hosts.get(keys.host)?.name.to_string();
            let name = keys.base.as_ref().map_or_else(|| host.clone(), |base| format!("_{}._tcp.{base}", keys.port.number()));
            let lookup = last_lookup(case, LookupKind::Tlsa, &name).or_else(|| last_lookup(case, LookupKind::A, &host));
            let line = lookup.map_or(name, |lookup| lookup_line(case, lookup));
            let bogus = matches!(keys.outcome, Some(TlsaOutcome::Bogus(_)));
            let line = if bogus { format!("{line}, as its signatures do not hold") } else { line };
            Some(Evidence::lookup(case.facts, lookup, line).with("host", host))
        })
        .collect()
}

fn last_lookup(case: &Case<'_>, kind: LookupKind, name: &str) -> Option<usize> {
    case.facts.route.lookups.iter().rposition(|lookup| lookup.kind == kind && lookup.name == name)
}

fn dane_unusable(case: &Case<'_>) -> Vec<Evidence> {
    let unusable = secured(case).filter_map(|(index, session, event)| {
        let dane = session.facts.dane.as_ref()?;
        let DaneVerdict::Unusable { would_match } = &dane.verdict else { return None };
        let (keys, _) = keys_of(case, session)?;
        let quote = dane_words(case, session).join("; ");
        Some(Evidence { publish: to_publish(keys, would_match.as_ref()), ..Evidence::event(index, session, event, quote) })
    });
    unusable.collect()
}

/// Records beside the one that matches.
fn dane_leftover(case: &Case<'_>) -> Vec<Evidence> {
    let left = secured(case).filter_map(|(index, session, event)| {
        let dane = session.facts.dane.as_ref().filter(|dane| matches!(dane.verdict, DaneVerdict::Authenticated { .. }))?;
        let (_, records) = keys_of(case, session)?;
        let unmatched = dane
            .unmatched()
            .chain(dane.records.iter().enumerate().filter_map(|(at, verdict)| matches!(verdict, RecordVerdict::Unusable(_)).then_some(at)));
        let told: Vec<String> = unmatched.filter_map(|at| records.get(at)).map(told).collect();
        (!told.is_empty()).then(|| Evidence::event(index, session, event, told.join("; ")))
    });
    left.collect()
}

/// The resolver says that DANE may apply, and nobody knows whether it was the resolver.
fn dane_untrusted(case: &Case<'_>) -> Vec<Evidence> {
    let signed = Security::Unknown(Doubt::Untrusted { says_secure: true });
    let doubted =
        case.facts.published.keys.iter().any(|keys| keys.outcome == Some(TlsaOutcome::Unknown(Doubt::Untrusted { says_secure: true })));
    let lookup = case.facts.route.lookups.iter().position(|lookup| lookup.security == signed).filter(|_| doubted);
    lookup.map(|lookup| Evidence::lookup(case.facts, Some(lookup), lookup_line(case, lookup))).into_iter().collect()
}

fn dane_ok(case: &Case<'_>) -> Vec<Evidence> {
    let good = secured(case).filter_map(|(index, session, event)| {
        let DaneVerdict::Authenticated { record, .. } = session.facts.dane.as_ref()?.verdict else { return None };
        let (_, records) = keys_of(case, session)?;
        session.facts.transcript.tls().filter(|facts| is_proved(facts))?;
        Some(Evidence::event(index, session, event, told(records.get(record)?)))
    });
    good.collect()
}

fn mta_sts<'a>(case: &'a Case<'_>) -> Option<&'a MtaSts> {
    case.facts.published.mta_sts.as_ref()
}

/// Evidence about a record of the domain: the lookup of `below`, with a quotation.
fn of_record(case: &Case<'_>, below: &str, quote: String) -> Evidence {
    let domain = case.facts.target.domain().map(ToString::to_string).unwrap_or_default();
    let lookup = last_lookup(case, LookupKind::Txt, &format!("{below}.{domain}"));
    Evidence::lookup(case.facts, lookup, quote).with("name", format!("{below}.{domain}")).with("domain", domain)
}

fn of_policy(case: &Case<'_>, quote: String) -> Evidence {
    let url = mta_sts(case).and_then(|known| known.fetch.as_ref()).map(|fetch| fetch.fetched.url.clone()).unwrap_or_default();
    of_record(case, "_mta-sts", quote).with("url", url)
}

fn mta_sts_record_invalid(case: &Case<'_>) -> Vec<Evidence> {
    match mta_sts(case).map(|known| &known.record) {
        Some(Err(Unread::Wrong(error))) if *error != TxtError::Absent => vec![of_record(case, "_mta-sts", error.to_string())],
        _ => Vec::new(),
    }
}

fn mta_sts_fetch_failed(case: &Case<'_>) -> Vec<Evidence> {
    let Some(known) = mta_sts(case) else { return Vec::new() };
    let Some((failure, fetch)) = known.fetch_failure().zip(known.fetch.as_ref()) else { return Vec::new() };
    vec![of_policy(case, fetch_words(case.knowledge, failure, &fetch.fetched))]
}

/// Why a policy could not be fetched, in words that follow its address and a colon.
#[must_use]
pub fn fetch_words(knowledge: &Knowledge, failure: &FetchFailure, fetched: &Fetched) -> String {
    let texts: BTreeMap<String, String> = knowledge.phrases("fetch");
    let (key, about) = match failure {
        FetchFailure::NoAddress => ("no_address", String::new()),
        FetchFailure::Connect(failure) => ("connect", super::failure_words(failure)),
        FetchFailure::Tls(failure) => ("tls", super::failure_words(failure)),
        FetchFailure::Certificate => {
            let faults = fetched.tls.as_ref().map(|facts| {
                let each = facts.verdict.faults().iter().map(|fault| distrust_words(knowledge, facts, fault));
                each.collect::<Vec<_>>().join("; ")
            });
            ("certificate", faults.unwrap_or_default())
        }
        FetchFailure::Status(status, Some(location)) => ("redirect", format!("{status} to {location}")),
        FetchFailure::Status(status, None) => ("status", status.to_string()),
        FetchFailure::TooLarge => ("too_large", String::new()),
        FetchFailure::Http(words) => ("http", words.clone()),
        FetchFailure::TimedOut(step) => {
            let step = match step {
                FetchStep::Lookup => "late_lookup",
                FetchStep::Connect => "late_connect",
                FetchStep::Tls => "late_tls",
                FetchStep::Answer => "late_answer",
                FetchStep::Body => "late_body",
            };
            (step, super::seconds(fetched.took))
        }
    };
    fill(texts.get(key).map_or("", String::as_str), |_| Some(about.clone()))
}

fn mta_sts_policy_invalid(case: &Case<'_>) -> Vec<Evidence> {
    let Some(Err(errors)) = mta_sts(case).and_then(|known| known.policy.as_ref()) else { return Vec::new() };
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let mut evidence = of_policy(case, told.join("; "));
    evidence.publish = right_policy(case);
    vec![evidence]
}

/// The policy that would be right for the domain's MX hosts, line by line. One that was not valid is best tried out first.
fn right_policy(case: &Case<'_>) -> Vec<String> {
    let named = mta_sts(case).and_then(MtaSts::valid);
    let (mode, max_age) =
        named.map_or((Mode::Testing, 7 * SHORT_LIVED), |policy| (policy.mode, policy.max_age.clamp(SHORT_LIVED, MAX_AGE_LIMIT)));
    let hosts = case.facts.route.hosts.iter().filter_map(|host| if let Host::Name(name) = &host.name { Some(name) } else { None });
    let right = Policy::for_hosts(mode, max_age, hosts).map(|policy| policy.to_string()).unwrap_or_default();
    right.lines().map(str::to_owned).collect()
}

/// What does not meet the policy of this mode, and for which of these causes.
fn unmet(case: &Case<'_>, mode: Mode, causes: &[Cause]) -> Vec<Evidence> {
    let Some(published) = mta_sts(case).filter(|known| known.valid().is_some_and(|policy| policy.mode == mode)) else { return Vec::new() };
    let mut all = Vec::new();
    for (index, session) in case.each() {
        let (_, why) = delivery::meets(published, session);
        if !causes.contains(&why) {
            continue;
        }
        let evidence = match why {
            Cause::HostUnlisted => {
                let mut evidence = of_policy(case, format!("{} is in no mx line of the policy", session.facts.name))
                    .with("host", session.facts.name.to_string());
                evidence.publish = right_policy(case);
                Some(evidence)
            }
            Cause::CertificateBad => secured(case).find(|(other, ..)| *other == index).and_then(|(_, _, event)| {
                let facts = session.facts.transcript.tls()?;
                let why: Vec<String> = facts.verdict.faults().iter().map(|fault| distrust_words(case.knowledge, facts, fault)).collect();
                Some(Evidence::event(index, session, event, why.join("; ")))
            }),
            _ => without_tls(index, session),
        };
        all.extend(evidence.filter(|evidence| !all.contains(evidence)));
    }
    all
}

/// What does not make the policy invalid and may not be meant; an answer that is no plain text; patterns for no host.
fn mta_sts_odd(case: &Case<'_>) -> Vec<Evidence> {
    let Some((known, policy)) = mta_sts(case).and_then(|known| Some((known, known.valid()?))) else { return Vec::new() };
    let mut told: Vec<String> = policy.notes.iter().map(|note| format!("line {}: {}", note.line, note.kind)).collect();
    if let Some(fetch) = known.fetch.as_ref().filter(|fetch| !fetch.fetched.is_plain_text()) {
        let kind = fetch.fetched.content_type.clone().unwrap_or_else(|| "no type".to_owned());
        told.push(format!("it is sent as {kind} instead of text/plain"));
    }
    let hosts: Vec<&DomainName> =
        case.facts.route.hosts.iter().filter_map(|host| if let Host::Name(name) = &host.name { Some(name) } else { None }).collect();
    let unused = policy.mx.iter().filter(|pattern| !hosts.iter().any(|host| pattern.matches(host)));
    told.extend(unused.map(|pattern| format!("mx: {pattern} is for none of the MX hosts")));
    if told.is_empty() { Vec::new() } else { vec![of_policy(case, told.join("; "))] }
}

fn mta_sts_short_lived(case: &Case<'_>) -> Vec<Evidence> {
    let short = mta_sts(case).and_then(MtaSts::valid).filter(|policy| policy.mode != Mode::None && policy.max_age < SHORT_LIVED);
    short.map(|policy| of_policy(case, format!("max_age: {}", policy.max_age))).into_iter().collect()
}

/// Whether there is a policy could not be found out.
fn mta_sts_unknown(case: &Case<'_>) -> Vec<Evidence> {
    match mta_sts(case).map(|known| &known.record) {
        Some(Err(Unread::Late)) => vec![of_record(case, "_mta-sts", "no answer in time".to_owned())],
        Some(Err(Unread::Lookup(failure))) => vec![of_record(case, "_mta-sts", super::route::failure_words(*failure))],
        _ => Vec::new(),
    }
}

fn mta_sts_ok(case: &Case<'_>) -> Vec<Evidence> {
    let Some(known) = mta_sts(case).filter(|known| known.enforced().is_some()) else { return Vec::new() };
    let met: Vec<Delivery> =
        case.each().map(|(_, session)| delivery::meets(known, session).0).filter(|delivery| *delivery != Delivery::Unknown).collect();
    let all = !met.is_empty() && met.iter().all(|delivery| *delivery == Delivery::Authenticated);
    let id = known.record.as_ref().map(|record| record.id.clone()).unwrap_or_default();
    if all { vec![of_policy(case, format!("mode: enforce, id {id}"))] } else { Vec::new() }
}

fn tls_rpt_invalid(case: &Case<'_>) -> Vec<Evidence> {
    match &case.facts.published.tls_rpt {
        Some(Err(Unread::Wrong(error))) if !matches!(error, TlsRptError::Record(TxtError::Absent)) => {
            vec![of_record(case, "_smtp._tls", error.to_string())]
        }
        Some(Ok(record)) if !record.faults.is_empty() => {
            let told: Vec<String> = record.faults.iter().map(ToString::to_string).collect();
            vec![of_record(case, "_smtp._tls", told.join("; "))]
        }
        _ => Vec::new(),
    }
}

/// A domain that asks senders for authenticated TLS and does not want to hear when that fails.
fn tls_rpt_missing(case: &Case<'_>) -> Vec<Evidence> {
    let published = &case.facts.published;
    let absent = matches!(published.tls_rpt, Some(Err(Unread::Wrong(TlsRptError::Record(TxtError::Absent)))));
    let asks = mta_sts(case).and_then(MtaSts::valid).is_some_and(|policy| policy.mode != Mode::None)
        || published.keys.iter().any(|keys| matches!(keys.outcome, Some(TlsaOutcome::Records(_))));
    if absent && asks { vec![of_record(case, "_smtp._tls", "no record".to_owned())] } else { Vec::new() }
}
