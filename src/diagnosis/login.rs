//! Findings about the login (RFC 4954, RFC 8314): that it works, why it was not tried, and what a server does wrong in it.

use super::connection::words;
use super::{Case, Evidence, Finding, Rule, SessionCase, Severity};
use crate::smtp::{
    CertificateVerdict, Command, Event, FailureKind, Flaw, LoginFailure, LoginLine, Mechanism, Shown, Stage, Verb, challenge_text,
    server_error,
};

/// What SCRAM should do at least (RFC 7677 §4).
const LEAST_ROUNDS: u64 = 4096;

pub(super) const RULES: &[Rule] = &[
    Rule { id: "login_works", severity: Severity::Ok, reference: "RFC 4954 section 4", check: login_works },
    Rule {
        id: "login_withheld",
        severity: Severity::Failure,
        reference: "RFC 8314 section 3",
        check: |case| failed(case, |f| kind(f) == "login_withheld"),
    },
    Rule {
        id: "login_not_offered",
        severity: Severity::Failure,
        reference: "RFC 4954 section 3",
        check: |case| failed(case, |f| kind(f) == "login_not_offered"),
    },
    Rule {
        id: "login_unpreparable",
        severity: Severity::Failure,
        reference: "RFC 4013 section 2.3",
        check: |case| failed(case, |f| kind(f) == "login_unpreparable"),
    },
    Rule {
        id: "login_broken",
        severity: Severity::Failure,
        reference: "RFC 4954 section 4",
        check: |case| failed(case, |f| kind(f) == "login_broken"),
    },
    Rule {
        id: "login_server_unproved",
        severity: Severity::Failure,
        reference: "RFC 5802 section 3",
        check: |case| failed(case, |f| kind(f) == "login_server_unproved"),
    },
    Rule { id: "login_error_told", severity: Severity::Note, reference: "RFC 7628 section 3.2.2", check: login_error_told },
    Rule { id: "login_few_rounds", severity: Severity::Note, reference: "RFC 7677 section 4", check: login_few_rounds },
    Rule { id: "login_in_danger", severity: Severity::Warning, reference: "RFC 8314 section 3", check: login_in_danger },
    Rule { id: "password_repeated", severity: Severity::Warning, reference: "RFC 4954 section 9", check: password_repeated },
];

/// The finding that explains a login which did not come about.
const fn kind(failure: &LoginFailure) -> &'static str {
    match failure {
        LoginFailure::NotEncrypted | LoginFailure::Untrusted => "login_withheld",
        LoginFailure::NotOffered
        | LoginFailure::MechanismNotOffered(_)
        | LoginFailure::NoCommonMechanism(_)
        | LoginFailure::NoBinding(_) => "login_not_offered",
        LoginFailure::Unpreparable | LoginFailure::NoRandomness => "login_unpreparable",
        LoginFailure::NotBase64
        | LoginFailure::BadChallenge(_)
        | LoginFailure::OneChallengeTooMany
        | LoginFailure::TooManyIterations(_)
        | LoginFailure::ResponseTooLong => "login_broken",
        LoginFailure::ForeignNonce | LoginFailure::ServerProofWrong | LoginFailure::ServerProofMissing => "login_server_unproved",
    }
}

/// Why a session's login failed, apart from what the server answered; with its event.
pub(super) fn failure<'a>(session: &'a SessionCase<'_>) -> Option<(usize, &'a LoginFailure)> {
    session.facts.transcript.events.iter().enumerate().find_map(|(at, (_, event))| match event {
        Event::Broke { failure, .. } => match &failure.kind {
            FailureKind::Login(failure) => Some((at, failure)),
            _ => None,
        },
        _ => None,
    })
}

/// What explains that failure.
pub(super) fn finding(index: usize, session: &SessionCase<'_>) -> Option<Finding> {
    let (at, failure) = failure(session)?;
    let rule = RULES.iter().find(|rule| rule.id == kind(failure))?;
    Some(Finding { rule, evidence: vec![evidence(index, session, at, failure)] })
}

fn evidence(index: usize, session: &SessionCase<'_>, at: usize, failure: &LoginFailure) -> Evidence {
    let quote = words(&FailureKind::Login(failure.clone()).into());
    let why = quote.split_once(": ").map_or(quote.as_str(), |(_, why)| why).to_owned();
    Evidence::event(index, session, at, quote).with("why", why)
}

fn failed(case: &Case<'_>, applies: impl Fn(&LoginFailure) -> bool) -> Vec<Evidence> {
    let of_session = |(index, session)| {
        let (at, failure) = failure(session).filter(|(_, failure)| applies(failure))?;
        Some(evidence(index, session, at, failure))
    };
    case.each().filter_map(of_session).collect()
}

/// Each line of a login in a session, with its event.
fn lines<'a>(session: &'a SessionCase<'_>) -> impl DoubleEndedIterator<Item = (usize, &'a LoginLine)> {
    session.facts.transcript.events.iter().enumerate().filter_map(|(at, (_, event))| match event {
        Event::Sent { command: Command::Auth(line), .. } => Some((at, line)),
        _ => None,
    })
}

/// The mechanism used last.
fn mechanism(session: &SessionCase<'_>) -> Option<Mechanism> {
    lines(session).rev().find_map(|(_, line)| if let LoginLine::Begin { mechanism, .. } = line { Some(*mechanism) } else { None })
}

fn login_works(case: &Case<'_>) -> Vec<Evidence> {
    let works = |(index, session): (usize, &SessionCase<'_>)| {
        let mechanism = mechanism(session).filter(|_| failure(session).is_none())?;
        let answer = session.facts.transcript.replies().rfind(|answer| answer.verb == Verb::Auth && answer.is_yes())?;
        let user = lines(session).find_map(|(_, line)| user(line)).unwrap_or_default().to_owned();
        Some(Evidence::reply(index, session, &answer).with("mechanism", mechanism.as_str()).with("user", user))
    };
    case.each().filter_map(works).collect()
}

fn user(line: &LoginLine) -> Option<&str> {
    let (LoginLine::Begin { first: Some(shown), .. } | LoginLine::Answer(shown)) = line else { return None };
    match shown {
        Shown::User(user)
        | Shown::UserAndPassword(user)
        | Shown::UserAndToken(user)
        | Shown::UserAndProof(user)
        | Shown::UserAndNonce { user, .. } => Some(user),
        Shown::Password | Shown::Proof | Shown::Nothing => None,
    }
}

/// What the server says about a refusal inside the login, where no reply code is.
fn login_error_told(case: &Case<'_>) -> Vec<Evidence> {
    let told = |(index, session): (usize, &SessionCase<'_>)| {
        let (event, error) = session.facts.transcript.replies().find_map(|answer| Some((answer.event, server_error(answer.reply)?)))?;
        let scope = error.scope.map(|scope| format!(", scope {scope}")).unwrap_or_default();
        Some(Evidence::event(index, session, event, format!("{}{scope}", error.name)))
    };
    case.each().filter_map(told).collect()
}

/// SCRAM with so few rounds that whoever sees a proof can try passwords fast.
fn login_few_rounds(case: &Case<'_>) -> Vec<Evidence> {
    let few = |(index, session): (usize, &SessionCase<'_>)| {
        session.facts.transcript.replies().filter(|answer| answer.verb == Verb::Auth).find_map(|answer| {
            let challenge = challenge_text(answer.reply).filter(|challenge| challenge.starts_with("r="))?;
            let rounds: u64 = challenge.split(',').find_map(|part| part.strip_prefix("i="))?.parse().ok()?;
            (rounds < LEAST_ROUNDS).then(|| Evidence::event(index, session, answer.event, rounds.to_string()))
        })
    };
    case.each().filter_map(few).collect()
}

/// A secret went out over a connection that others can read, or that nobody knows the other end of.
fn login_in_danger(case: &Case<'_>) -> Vec<Evidence> {
    let in_danger = |(index, session): (usize, &SessionCase<'_>)| {
        let verdict = session.facts.transcript.tls().map(|facts| &facts.verdict);
        let (at, _) = lines(session).next()?;
        let said = format!("AUTH {}", mechanism(session)?);
        let how = match verdict {
            None => "without TLS",
            Some(CertificateVerdict::Untrusted(_)) => "over TLS with a certificate that proves nothing",
            Some(_) => return None,
        };
        Some(Evidence::event(index, session, at, said).with("how", how).with("stage", Stage::Auth.as_str()))
    };
    case.each().filter_map(in_danger).collect()
}

fn password_repeated(case: &Case<'_>) -> Vec<Evidence> {
    let mut all = Vec::new();
    for (index, session) in case.each() {
        let repeats = session.facts.transcript.replies().filter(|answer| answer.reply.flaws.contains(&Flaw::RepeatsPassword));
        all.extend(repeats.map(|answer| Evidence::reply(index, session, &answer)));
    }
    all
}
