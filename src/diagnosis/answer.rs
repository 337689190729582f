//! What a single session says about the question asked.

use super::timing;
use super::verdict::Outcome;
use crate::annotation::Annotation;
use crate::knowledge::{Confidence, Reason};
use crate::probe::{Facts, SessionFacts};
use crate::smtp::{Answer, CodeClass, FailureKind, LoginFailure, Purpose, Stage, TlsUse, Transcript, Verb};

/// One session's answer, with the event that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionAnswer {
    /// What it comes to.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// How sure the reason is.
    pub confidence: Confidence,
    /// Where it was decided.
    pub stage: Stage,
    /// The event that shows it; none if the session had none that does.
    pub event: Option<usize>,
}

/// Sums a session up; none if it was given up because another address answered.
pub(super) fn of(facts: &Facts, session: &SessionFacts, annotations: &[(usize, Annotation)]) -> Option<SessionAnswer> {
    let transcript = &session.transcript;
    // STARTTLS is asked for where it is offered; a server without it has still answered.
    let goal = if facts.until == Stage::StartTls { Stage::Ehlo } else { facts.until };
    let asked = |answer: &Answer<'_>| answer.purpose == Purpose::Target && !answer.unasked;
    let proof = transcript.replies().rfind(|answer| asked(answer) && Stage::of(answer.verb) == goal).map(|answer| answer.event);
    // After a yes to the question itself, nothing takes it back: not a 421 to QUIT, not a connection lost over a control question.
    let settled = {
        // A chunk that was taken is not the message.
        let whole = |answer: &Answer<'_>| answer.verb != Verb::Bdat;
        transcript
            .replies()
            .find(|answer| asked(answer) && goal >= Stage::Mail && Stage::of(answer.verb) == goal && answer.is_yes() && whole(answer))
    };
    let before = settled.map_or(usize::MAX, |answer| answer.event);

    if let Some((event, stage, failure)) =
        transcript.failure().filter(|(event, _, failure)| *event < before && is_above_replies(&failure.kind))
    {
        let (outcome, reason, confidence) = of_failure(stage, &failure.kind)?;
        return Some(SessionAnswer { outcome, reason, confidence, stage, event: Some(event) });
    }
    if let Some(refusal) = decisive_refusal(transcript, session.tls).filter(|refusal| refusal.event < before) {
        let annotation = annotations.iter().find(|(event, _)| *event == refusal.event).map(|(_, annotation)| annotation)?;
        let (outcome, reason, confidence) = match refusal.reply.code.class() {
            CodeClass::Permanent => (Outcome::Rejected, annotation.reason, annotation.confidence),
            CodeClass::Transient => (Outcome::Deferred, annotation.reason, annotation.confidence),
            // Neither yes nor no: a farewell, a "go on", or a code of no class in the wrong place.
            _ if refusal.reply.code.closes_channel() => (Outcome::Inconclusive, Reason::ConnectionClosed, Confidence::Likely),
            _ => (Outcome::Inconclusive, Reason::Undetermined, Confidence::Unsure),
        };
        return Some(SessionAnswer { outcome, reason, confidence, stage: Stage::of(refusal.verb), event: Some(refusal.event) });
    }
    if let Some((event, stage, failure)) = transcript.failure().filter(|(event, ..)| *event < before) {
        let (mut outcome, mut reason, mut confidence) = of_failure(stage, &failure.kind)?;
        if matches!(failure.kind, FailureKind::SessionTimeOver | FailureKind::ProbeTimeOver) && dripped_last(transcript, event) {
            (outcome, reason, confidence) = (of_stage(stage), Reason::Tarpit, Confidence::Likely);
        }
        return Some(SessionAnswer { outcome, reason, confidence, stage, event: Some(event) });
    }
    let (outcome, reason) = (Outcome::Accepted, Reason::Accepted);
    if transcript.reached >= Some(goal) {
        return Some(SessionAnswer { outcome, reason, confidence: Confidence::Likely, stage: goal, event: proof });
    }
    let last = transcript.replies().rfind(|answer| answer.verb != Verb::Quit);
    let (stage, event) = last.map_or((Stage::Connect, None), |a| (Stage::of(a.verb), Some(a.event)));
    Some(SessionAnswer { outcome: Outcome::Inconclusive, reason: Reason::Undetermined, confidence: Confidence::Unsure, stage, event })
}

/// Whether what the server replies is worth nothing: it was found to speak something else, or the login was given up on our side.
const fn is_above_replies(kind: &FailureKind) -> bool {
    matches!(kind, FailureKind::NotSmtp(_) | FailureKind::Login(_))
}

/// The first refusal that ended the session's question: what follows is only its echo (a 503 to RCPT after a refused MAIL).
fn decisive_refusal(transcript: &Transcript, tls: TlsUse) -> Option<Answer<'_>> {
    let introduced =
        |after: usize| transcript.replies().any(|a| a.event > after && matches!(a.verb, Verb::Ehlo | Verb::Helo) && a.is_yes());
    // Of several mechanisms that were refused, the last one decides.
    let logged_in =
        |after: usize| transcript.replies().any(|a| a.event > after && a.verb == Verb::Auth && !a.unasked && a.reply.code.number() != 334);
    transcript.replies().filter(|a| a.purpose == Purpose::Target && !a.is_yes()).find(|answer| match answer.verb {
        Verb::Quit | Verb::Rset => false,
        _ if answer.reply.code.closes_channel() => true,
        // Refused EHLO is followed by HELO, and refused STARTTLS by going on in the clear.
        Verb::Ehlo | Verb::Helo => !introduced(answer.event),
        Verb::StartTls => tls == TlsUse::Require,
        // The login goes on, or did so by another mechanism.
        Verb::Auth => answer.reply.code.number() != 334 && !logged_in(answer.event),
        _ => true,
    })
}

/// Before a conversation a host is unreachable; in the middle of one it is cut off.
const fn of_stage(stage: Stage) -> Outcome {
    match stage {
        Stage::Dns | Stage::Connect | Stage::Greeting | Stage::StartTls | Stage::Tls => Outcome::Unreachable,
        _ => Outcome::Inconclusive,
    }
}

/// Whether the reply that was being read when the session broke at `event` had been dripping in.
fn dripped_last(transcript: &Transcript, event: usize) -> bool {
    timing::drips(transcript).any(|drip| drip.event + 1 == event)
}

/// What a session comes to that broke at `stage`; none if it was given up because another address answered.
#[must_use]
pub fn of_failure(stage: Stage, kind: &FailureKind) -> Option<(Outcome, Reason, Confidence)> {
    use Confidence::{Certain, Likely, Unsure};
    let outcome = of_stage(stage);
    let (reason, confidence) = match kind {
        FailureKind::Overtaken => return None,
        FailureKind::SessionTimeOver | FailureKind::ProbeTimeOver | FailureKind::Interrupted => {
            return Some((Outcome::Inconclusive, Reason::Undetermined, Unsure));
        }
        FailureKind::Unauthenticated => return Some((Outcome::Rejected, Reason::TlsFailed, Certain)),
        FailureKind::Login(failure) => return Some(of_login(failure)),
        FailureKind::NotOffered(_) => return Some((Outcome::Rejected, Reason::FeatureUnsupported, Certain)),
        _ if stage == Stage::Tls => (Reason::TlsFailed, Certain),
        FailureKind::NotTls | FailureKind::TlsHandshake(_) | FailureKind::TlsNotOffered => (Reason::TlsFailed, Certain),
        FailureKind::Refused => (Reason::ConnectionRefused, Certain),
        FailureKind::TimedOut(_) | FailureKind::Stalled(_) => match stage {
            Stage::Connect => (Reason::PortFiltered, Likely),
            Stage::Greeting => (Reason::NoGreeting, Certain),
            _ => (Reason::Timeout, Certain),
        },
        FailureKind::HostUnreachable => (Reason::HostUnreachable, Certain),
        FailureKind::NoRoute => (Reason::NetworkUnreachable, Certain),
        FailureKind::Rejected | FailureKind::Forbidden => (Reason::ConnectionRejected, Certain),
        // The server, or something on the way that speaks in its name.
        FailureKind::Reset => (Reason::ConnectionReset, Likely),
        FailureKind::Closed => (Reason::ConnectionClosed, Likely),
        FailureKind::NotSmtp(_) => return Some((Outcome::Unreachable, Reason::NotSmtp, Certain)),
        FailureKind::ReplyTooLong => (Reason::ReplyMalformed, Certain),
        FailureKind::Proxy(_) => (Reason::ProxyFailed, Certain),
        FailureKind::Local(_) => (Reason::Undetermined, Unsure),
    };
    Some((outcome, reason, confidence))
}

/// What a login comes to that was not tried, or given up.
const fn of_login(failure: &LoginFailure) -> (Outcome, Reason, Confidence) {
    use Confidence::{Certain, Likely, Unsure};
    match failure {
        LoginFailure::NotEncrypted | LoginFailure::Untrusted => (Outcome::Inconclusive, Reason::TlsFailed, Certain),
        LoginFailure::NotOffered
        | LoginFailure::MechanismNotOffered(_)
        | LoginFailure::NoCommonMechanism(_)
        | LoginFailure::NoBinding(_) => (Outcome::Rejected, Reason::FeatureUnsupported, Certain),
        LoginFailure::Unpreparable => (Outcome::Rejected, Reason::CredentialsInvalid, Likely),
        LoginFailure::NoRandomness => (Outcome::Inconclusive, Reason::Undetermined, Unsure),
        _ => (Outcome::Inconclusive, Reason::ProtocolError, Certain),
    }
}
