//! Findings about the conversation between greeting and recipient: EHLO, TLS, broken rules, broken connections.

use super::connection::words;
use super::message::doubt;
use super::port::without_wrong_mode;
use super::side::starttls_differs;
use super::transport_security::is_too_old;
use super::{Case, Evidence, Rule, SessionCase, Severity};
use crate::smtp::{Answer, Capabilities, CodeClass, Command, Event, Failure, FailureKind, Flaw, Purpose, Reply, Stage, TlsUse, Verb};

/// What is told as missing where it is XCLIENT, or one of its attributes.
const XCLIENT: &str = "XCLIENT";

pub(super) const RULES: &[Rule] = &[
    Rule { id: "ehlo_refused", severity: Severity::Note, reference: "RFC 5321 section 3.2", check: ehlo_refused },
    Rule { id: "hello_refused", severity: Severity::Failure, reference: "RFC 5321 section 4.1.4", check: hello_refused },
    Rule { id: "keywords_masked", severity: Severity::Warning, reference: "RFC 5321 section 4.1.1.1", check: keywords_masked },
    Rule { id: "no_starttls", severity: Severity::Warning, reference: "RFC 3207 section 3", check: no_starttls },
    Rule { id: "starttls_refused", severity: Severity::Warning, reference: "RFC 3207 section 4", check: starttls_refused },
    Rule { id: "login_in_clear", severity: Severity::Warning, reference: "RFC 4954 section 4", check: login_in_clear },
    Rule { id: "offers_lost", severity: Severity::Note, reference: "RFC 3207 section 4.2", check: offers_lost },
    Rule { id: "tls_failed", severity: Severity::Failure, reference: "RFC 3207 section 4.1", check: tls_failed },
    Rule { id: "plaintext_before_tls", severity: Severity::Failure, reference: "RFC 3207 section 4.2", check: plaintext_before_tls },
    Rule { id: "unasked_bytes", severity: Severity::Warning, reference: "RFC 5321 section 4.2", check: unasked_bytes },
    Rule { id: "reply_irregular", severity: Severity::Note, reference: "RFC 5321 section 4.2.1", check: reply_irregular },
    Rule {
        id: "reply_endless",
        severity: Severity::Failure,
        reference: "RFC 5321 section 4.5.3.1.5",
        check: |case| broken(case, |_, f| f.kind == FailureKind::ReplyTooLong),
    },
    Rule { id: "closed_by_421", severity: Severity::Warning, reference: "RFC 5321 section 3.8", check: closed_by_421 },
    Rule {
        id: "closed_early",
        severity: Severity::Failure,
        reference: "RFC 5321 section 3.8",
        check: |case| broken(case, |s, f| talking(s) && matches!(f.kind, FailureKind::Closed | FailureKind::Reset)),
    },
    Rule {
        id: "reply_missing",
        severity: Severity::Failure,
        reference: "RFC 5321 section 4.5.3.2",
        check: |case| broken(case, |s, f| talking(s) && matches!(f.kind, FailureKind::TimedOut(_) | FailureKind::Stalled(_))),
    },
    Rule {
        id: "smtputf8_missing",
        severity: Severity::Failure,
        reference: "RFC 6531 section 3.2",
        check: |case| broken(case, |_, f| f.kind == FailureKind::NotOffered("SMTPUTF8")),
    },
    Rule {
        id: "xclient_missing",
        severity: Severity::Failure,
        reference: "RFC 5321 section 4.1.1.1",
        check: |case| broken(case, |_, f| matches!(f.kind, FailureKind::NotOffered(keyword) if keyword.starts_with(XCLIENT))),
    },
    Rule { id: "size_above_limit", severity: Severity::Failure, reference: "RFC 1870 section 4", check: size_above_limit },
    Rule { id: "size_not_offered", severity: Severity::Note, reference: "RFC 1870 section 4", check: size_not_offered },
];

/// The reply as it was sent, lines joined with line feeds, for marks of software.
#[must_use]
pub fn as_sent(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.raw).lines().collect::<Vec<_>>().join("\n")
}

/// One piece of evidence for each session that `find` finds something in.
fn each(case: &Case<'_>, find: impl Fn(usize, &SessionCase<'_>) -> Option<Evidence>) -> Vec<Evidence> {
    case.each().filter_map(|(index, session)| find(index, session)).collect()
}

fn broken(case: &Case<'_>, applies: impl Fn(Stage, &Failure) -> bool) -> Vec<Evidence> {
    each(case, |index, session| {
        // What a message in doubt means is told by a finding of its own.
        let failure = session.facts.transcript.failure().filter(|_| case.is_needed(session) && doubt(session).is_none());
        let (event, stage, failure) = failure.filter(|(_, stage, failure)| applies(*stage, failure))?;
        Some(Evidence::event(index, session, event, words(failure)).with("stage", stage.as_str()))
    })
}

/// Between the greeting and the end, TLS apart.
fn talking(stage: Stage) -> bool {
    !matches!(stage, Stage::Dns | Stage::Connect | Stage::Greeting | Stage::Tls | Stage::Quit)
}

fn refused<'a>(session: &'a SessionCase<'_>, verb: Verb) -> Option<Answer<'a>> {
    session.facts.transcript.replies().find(|a| a.verb == verb && a.purpose == Purpose::Target && !a.unasked && !a.is_yes())
}

fn ehlo_refused(case: &Case<'_>) -> Vec<Evidence> {
    each(case, |index, session| {
        let helo = session.facts.transcript.reply_to(Verb::Helo, Purpose::Target)?;
        let refusal = refused(session, Verb::Ehlo)?;
        helo.is_yes().then(|| Evidence::reply(index, session, &refusal))
    })
}

fn hello_refused(case: &Case<'_>) -> Vec<Evidence> {
    each(case, |index, session| {
        let last = session.facts.transcript.replies().rfind(|a| matches!(a.verb, Verb::Ehlo | Verb::Helo) && !a.unasked)?;
        (last.reply.code.class() == CodeClass::Permanent).then(|| Evidence::reply(index, session, &last))
    })
}

fn keywords_masked(case: &Case<'_>) -> Vec<Evidence> {
    each(case, |index, session| {
        let answer = session.facts.transcript.reply_to(Verb::Ehlo, Purpose::Target)?;
        let masked: Vec<String> = session.facts.transcript.capabilities()?.masked().map(|c| c.keyword.clone()).collect();
        (!masked.is_empty()).then(|| Evidence::event(index, session, answer.event, masked.join(" ")))
    })
}

fn no_starttls(case: &Case<'_>) -> Vec<Evidence> {
    // Of a host that offers it elsewhere, this is told as a difference.
    let differing: Vec<Option<usize>> = starttls_differs(case).iter().map(|evidence| evidence.session).collect();
    each(case, |index, session| {
        let wanted = matches!(session.facts.tls, TlsUse::IfOffered | TlsUse::Require)
            && case.facts.until >= Stage::StartTls
            && !differing.contains(&Some(index));
        let transcript = &session.facts.transcript;
        // What speaks LMTP is near its client, and nobody else's mail goes there.
        let local = transcript.events.iter().any(|(_, event)| matches!(event, Event::Sent { command: Command::Lhlo(_), .. }));
        let missing = !local
            && transcript.tls().is_none()
            && transcript.capabilities().is_some_and(|c| !c.has("STARTTLS") && c.masked().next().is_none());
        let answer = transcript.replies().rfind(|a| matches!(a.verb, Verb::Ehlo | Verb::Helo) && a.is_yes())?;
        (wanted && missing).then(|| Evidence::event(index, session, answer.event, super::quote(answer.reply)))
    })
}

fn starttls_refused(case: &Case<'_>) -> Vec<Evidence> {
    each(case, |index, session| refused(session, Verb::StartTls).map(|answer| Evidence::reply(index, session, &answer)))
}

/// What the server offered before TLS came up, with the event; none if it never said so.
fn offers_in_clear(session: &SessionCase<'_>) -> Option<(usize, Capabilities)> {
    let transcript = &session.facts.transcript;
    let secured = transcript.events.iter().position(|(_, event)| matches!(event, Event::Secured(_))).unwrap_or(usize::MAX);
    let answer = transcript.replies().find(|answer| answer.verb == Verb::Ehlo && answer.is_yes() && answer.event < secured)?;
    Some((answer.event, Capabilities::from_reply(answer.reply)))
}

/// Ways to log in that show the password to everybody on the way, offered before TLS.
fn login_in_clear(case: &Case<'_>) -> Vec<Evidence> {
    each(case, |index, session| {
        let (event, offers) = offers_in_clear(session)?;
        let open: Vec<String> =
            offers.login_mechanisms().into_iter().filter(|m| ["PLAIN", "LOGIN"].iter().any(|open| m.eq_ignore_ascii_case(open))).collect();
        (!open.is_empty()).then(|| Evidence::event(index, session, event, open.join(" ")))
    })
}

/// Keywords that stood in the first reply to EHLO and are missing inside TLS, where everything counts anew.
fn offers_lost(case: &Case<'_>) -> Vec<Evidence> {
    each(case, |index, session| {
        session.facts.transcript.tls()?;
        let (event, before) = offers_in_clear(session)?;
        let after = session.facts.transcript.replies().rfind(|a| a.verb == Verb::Ehlo && a.is_yes() && a.event > event)?;
        let offered = Capabilities::from_reply(after.reply);
        let lost = before.iter().map(|c| c.keyword.as_str()).filter(|keyword| *keyword != "STARTTLS" && !offered.has(keyword));
        let lost: Vec<&str> = lost.collect();
        (!lost.is_empty()).then(|| Evidence::event(index, session, after.event, lost.join(" ")))
    })
}

fn tls_failed(case: &Case<'_>) -> Vec<Evidence> {
    let stopped = |kind: &FailureKind| matches!(kind, FailureKind::ProbeTimeOver | FailureKind::Interrupted | FailureKind::Overtaken);
    let failed =
        broken(case, |stage, failure| (stage == Stage::Tls && !stopped(&failure.kind)) || failure.kind == FailureKind::TlsNotOffered);
    // What the server would speak instead is told by a finding of its own.
    let told =
        |evidence: &Evidence| evidence.session.and_then(|index| case.sessions.get(index)).is_some_and(|session| is_too_old(case, session));
    without_wrong_mode(case, failed.into_iter().filter(|evidence| !told(evidence)).collect())
}

/// Bytes that answer nothing, between STARTTLS and the handshake or elsewhere.
fn premature(case: &Case<'_>, before_tls: bool) -> Vec<Evidence> {
    let mut all = Vec::new();
    // Of another protocol's first words, that they are no SMTP is all there is to say.
    let foreign = |session: &SessionCase<'_>| {
        session
            .facts
            .transcript
            .failure()
            .is_some_and(|(_, _, failure)| matches!(failure.kind, FailureKind::NotSmtp(_) | FailureKind::NotTls))
    };
    for (index, session) in case.each().filter(|(_, session)| !foreign(session)) {
        for (at, (_, event)) in session.facts.transcript.events.iter().enumerate() {
            if let Event::Premature { stage, bytes, .. } = event
                && (*stage == Stage::Tls) == before_tls
            {
                let text = String::from_utf8_lossy(bytes);
                let shown: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(100).collect();
                all.push(Evidence::event(index, session, at, shown).with("stage", stage.as_str()));
            }
        }
    }
    all
}

fn plaintext_before_tls(case: &Case<'_>) -> Vec<Evidence> {
    premature(case, true)
}

fn unasked_bytes(case: &Case<'_>) -> Vec<Evidence> {
    premature(case, false)
}

fn reply_irregular(case: &Case<'_>) -> Vec<Evidence> {
    let mut all = Vec::new();
    for (index, session) in case.each() {
        for answer in session.facts.transcript.replies().filter(|answer| answer.purpose == Purpose::Target) {
            for flaw in &answer.reply.flaws {
                let what = match flaw {
                    Flaw::MixedCodes => "its lines have different codes",
                    Flaw::BareLineFeed => "a line ends without CR",
                    Flaw::NoSeparator => "no blank follows the code",
                    Flaw::LineWithoutCode => "a line has no code",
                    Flaw::LongLine => "a line is longer than 512 octets",
                    Flaw::NotUtf8 => "it has bytes that are not UTF-8",
                    Flaw::UnknownClass => "no such class of codes exists",
                    // What was in it is told by a finding of its own.
                    Flaw::RepeatsPassword => continue,
                    Flaw::ClassMismatch => "code and enhanced code are of different classes",
                };
                all.push(Evidence::reply(index, session, &answer).with("flaw", what));
            }
        }
    }
    all
}

fn closed_by_421(case: &Case<'_>) -> Vec<Evidence> {
    each(case, |index, session| {
        let answer = session
            .facts
            .transcript
            .replies()
            .find(|a| a.reply.code.number() == 421 && (a.unasked || !matches!(a.verb, Verb::Connect | Verb::Quit)))?;
        Some(Evidence::reply(index, session, &answer))
    })
}

fn size_above_limit(case: &Case<'_>) -> Vec<Evidence> {
    each(case, |index, session| {
        let size = case.facts.size.or_else(|| Some(case.facts.letter.as_ref()?.message.size()))?;
        let limit = session.facts.transcript.capabilities()?.size_limit()?;
        let answer = session.facts.transcript.reply_to(Verb::Ehlo, Purpose::Target)?;
        let evidence = || Evidence::event(index, session, answer.event, format!("SIZE {limit}"));
        (size > limit).then(|| evidence().with("size", size.to_string()).with("limit", limit.to_string()))
    })
}

fn size_not_offered(case: &Case<'_>) -> Vec<Evidence> {
    each(case, |index, session| {
        case.facts.size?;
        let answer = session.facts.transcript.reply_to(Verb::Ehlo, Purpose::Target)?;
        let missing = !session.facts.transcript.capabilities()?.has("SIZE");
        missing.then(|| Evidence::reply(index, session, &answer))
    })
}
