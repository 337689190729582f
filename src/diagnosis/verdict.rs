//! The verdict: what happened, why, who must act, and how sure that is.
//!
//! Outcome, reason, actor and confidence are four answers, never one. A mailbox is called dead only by a 5yz that says so: never
//! because of silence, a 4yz, a closed connection or a refusal that is about the sender.

mod own_side;
mod ports;
mod routeless;
mod unreached;

pub use self::own_side::SeenHere;

use serde::{Deserialize, Serialize};

use self::own_side::weigh;
use self::routeless::by_route;
pub use self::routeless::of_route;
use self::unreached::unreached;
use super::answer::SessionAnswer;
use super::connection::is_rejected_as_unreachable;
use super::delivery::Tls;
use super::greylisting::{counts, is_superseded};
use super::port::{in_other_mode, is_wrong_mode};
use super::side::intercepted;
use super::transport_security::is_too_old;
use super::{Case, Evidence, Finding, SessionCase, login, quote, recipient};
use crate::knowledge::{Actor, Confidence, Fix, Reason};
use crate::probe::{Role, SessionFacts};
use crate::route::Origin;
use crate::settings::Question;
use crate::smtp::{EnhancedCode, Event, FailureKind, Purpose, ReplyCode, Stage, TlsUse, Verb};
use crate::target::{Mailbox, Port};

/// What a probe comes to; also its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The stage asked for was reached, and the server said yes.
    Accepted,
    /// Refused for good: this mailbox, this sender, this message, or a domain that takes no mail.
    Rejected,
    /// Refused for now.
    Deferred,
    /// There was no SMTP conversation: DNS, connection, greeting or TLS failed.
    Unreachable,
    /// The answers contradict each other, or were cut off.
    Inconclusive,
}

/// The conclusion of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What happened.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Who acts first.
    pub actor: Actor,
    /// How sure the reason is.
    pub confidence: Confidence,
    /// Where it was decided.
    pub stage: Stage,
    /// The reply's code; none if it was no reply that decided.
    pub code: Option<ReplyCode>,
    /// The reply's enhanced code; none if none was sent.
    pub enhanced: Option<EnhancedCode>,
    /// The reply's words; none if it was no reply that decided.
    pub text: Option<String>,
    /// The host that gave the answer shown; none if the route decided.
    pub host: Option<String>,
    /// The session shown as proof; none if the route decided.
    pub session: Option<usize>,
    /// What is special about the case, beside the reason.
    pub twist: Twist,
    /// What happened, in the terms of whoever refused; none leaves it to the reason.
    pub cause: Option<String>,
    /// What to do, the reader's next step first.
    pub fix: Vec<Fix>,
    /// What the sender's own side says of it.
    pub seen_here: SeenHere,
    /// The events and lookups that prove it.
    pub evidence: Vec<Evidence>,
}

/// What a reason alone does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Twist {
    /// Nothing.
    #[default]
    None,
    /// Some hosts say yes and some say no.
    Contradiction,
    /// The server takes every address.
    CatchAll,
    /// postmaster was refused alike, so it is not the mailbox.
    RefusedForAll,
    /// The probe was stopped before it was through.
    CutShort,
    /// Control hosts cannot be reached on the port either: it is shut on this side.
    ShutHere,
    /// Control hosts cannot be got to either: this network leads nowhere.
    NoWay,
    /// This machine's own rules shut the port.
    LocalFirewall,
    /// A control host can be reached on the port: it is shut on the target's side.
    TheirSide,
    /// Of the ports asked for, some are open.
    Partly,
    /// There was no login, and not because the server refused it.
    NoLogin,
    /// The target is this machine, or is behind the same router.
    OwnAddress,
    /// A message went out whole, and no reply tells what became of it.
    MaybeDelivered,
}

/// Draws the conclusion.
pub(super) fn of(case: &Case<'_>) -> Verdict {
    let answers: Vec<Given<'_>> = case
        .each()
        .filter(|(_, session)| !is_answered_elsewhere(case, session) && !is_superseded(case, session))
        .filter(|(_, session)| session.facts.role != Role::Retry || counts(session))
        .filter_map(|(index, session)| session.answer.clone().map(|answer| Given { index, session, answer }))
        .map(|given| as_explained(case, with_controls(case, given)))
        .collect();
    let cut = case.facts.cut_short.is_some();
    if answers.is_empty() {
        return by_route(case);
    }
    if let Some(verdict) = by_another(case, &answers).or_else(|| in_doubt(case, &answers)) {
        return verdict;
    }
    if case.facts.question == Question::Ports {
        return ports::of(case, &answers);
    }
    let of_kind = |outcome| answers.iter().filter(|given| given.answer.outcome == outcome).collect::<Vec<_>>();
    let (yes, mut no, mut later) = (of_kind(Outcome::Accepted), of_kind(Outcome::Rejected), of_kind(Outcome::Deferred));
    if !yes.is_empty() {
        // A host that refuses to talk sends a mail server on to the next one, as a deferral does: it does not contradict a yes.
        let (early, about_the_question) = no.into_iter().partition(|given: &&Given<'_>| given.answer.stage < Stage::Mail);
        no = about_the_question;
        later.extend::<Vec<_>>(early);
    }
    let nothing: Vec<_> = answers.iter().filter(|g| matches!(g.answer.outcome, Outcome::Unreachable | Outcome::Inconclusive)).collect();
    match (yes.is_empty(), no.is_empty(), later.is_empty()) {
        (false, false, _) => contradiction(case, &yes, &no),
        (false, true, _) => accepted(case, &yes, later.is_empty()),
        (true, false, _) => agreed(case, Outcome::Rejected, &no, later.is_empty()),
        (true, true, false) => agreed(case, Outcome::Deferred, &later, true),
        (true, true, true) => unreached(case, &nothing, cut),
    }
}

/// A session's answer, with the session.
struct Given<'a> {
    index: usize,
    session: &'a SessionCase<'a>,
    answer: SessionAnswer,
}

/// Of the two tries at a host whose TLS fails, with it and without, the one that got an answer counts.
fn is_answered_elsewhere(case: &Case<'_>, session: &SessionCase<'_>) -> bool {
    let Some((_, again)) = case.in_the_clear(session.facts) else { return false };
    let answered = counts(again);
    let failed = matches!(Tls::of(session), Tls::Failed);
    if session.facts.role == Role::InClear { !answered } else { answered && failed }
}

/// What the answers to control questions add: they can take certainty from a yes, and the blame from a mailbox.
fn with_controls<'a>(case: &Case<'_>, mut given: Given<'a>) -> Given<'a> {
    let (host, port) = (given.session.facts.host, given.session.facts.address.port());
    let asked = |purpose: Purpose| {
        let mut same_place = case
            .each()
            .map(|(_, session)| session)
            .filter(move |session| session.facts.host == host && session.facts.address.port() == port);
        same_place.find_map(move |session| Some((session, recipient::control_reply(session, purpose)?.reply.code)))
    };
    let (made_up, postmaster) = (asked(Purpose::CatchAll), asked(Purpose::Postmaster));
    let answer = &mut given.answer;
    match answer.outcome {
        Outcome::Accepted => match made_up {
            Some((_, code)) if code.is_yes_to(Verb::Rcpt) => answer.confidence = Confidence::Unsure,
            Some((session, _)) if recipient::control_reason(session, Purpose::CatchAll) == Some(Reason::UserUnknown) => {
                answer.confidence = Confidence::Certain;
            }
            _ => {}
        },
        Outcome::Rejected if answer.stage == Stage::Rcpt => match postmaster {
            Some((_, code)) if code.is_yes_to(Verb::Rcpt) && answer.reason == Reason::UserUnknown => {
                answer.confidence = answer.confidence.max(Confidence::Likely);
            }
            Some((session, _)) if unclear(answer) && recipient::blames_sender(session) => {
                (answer.reason, answer.confidence) = (Reason::PolicyRejected, Confidence::Likely);
            }
            _ => {}
        },
        _ => {}
    }
    given
}

/// What another connection to the same address explains: the wrong TLS mode, or a firewall that gives a wrong reason.
fn as_explained<'a>(case: &Case<'_>, mut given: Given<'a>) -> Given<'a> {
    let sessions = &case.facts.sessions;
    if is_wrong_mode(given.session.facts, sessions) {
        let confirmed = in_other_mode(given.session.facts, sessions).is_some();
        given.answer.reason = Reason::WrongTlsMode;
        given.answer.confidence = if confirmed { Confidence::Certain } else { Confidence::Likely };
    }
    if given.answer.reason == Reason::TlsFailed && is_too_old(case, given.session) {
        given.answer.reason = Reason::TlsTooOld;
    }
    if is_rejected_as_unreachable(case, given.session) {
        given.answer.reason = Reason::ConnectionRejected;
    }
    given
}

/// Somebody else answers in the place of every server, so that nothing is known of the target's.
fn by_another(case: &Case<'_>, answers: &[Given<'_>]) -> Option<Verdict> {
    let proof = intercepted(case);
    let shown = answers.iter().find(|given| proof.iter().any(|evidence| evidence.session == Some(given.index)))?;
    let verdict = conclude(case, Outcome::Unreachable, Reason::MiddleboxInterference, shown, &[shown]);
    Some(Verdict {
        confidence: Confidence::Certain,
        stage: Stage::Greeting,
        code: None,
        enhanced: None,
        text: None,
        evidence: proof,
        ..verdict
    })
}

/// A message may have been delivered, whatever other hosts have said before.
fn in_doubt(case: &Case<'_>, answers: &[Given<'_>]) -> Option<Verdict> {
    let shown = answers.iter().find(|given| given.session.facts.transcript.is_in_doubt())?;
    let verdict = conclude(case, Outcome::Inconclusive, shown.answer.reason, shown, &[shown]);
    Some(Verdict { twist: Twist::MaybeDelivered, actor: Actor::SenderUser, confidence: Confidence::Unsure, ..verdict })
}

fn unclear(answer: &SessionAnswer) -> bool {
    answer.confidence == Confidence::Unsure || matches!(answer.reason, Reason::PolicyRejected | Reason::Undetermined)
}

fn contradiction(case: &Case<'_>, yes: &[&Given<'_>], no: &[&Given<'_>]) -> Verdict {
    let all: Vec<&Given<'_>> = yes.iter().chain(no).copied().collect();
    let shown = best(no).unwrap_or(all[0]);
    // Whoever is right, only those who run the hosts can make them agree.
    let verdict = conclude(case, Outcome::Inconclusive, Reason::Undetermined, shown, &all);
    Verdict { twist: Twist::Contradiction, confidence: Confidence::Unsure, actor: Actor::RecipientAdmin, ..verdict }
}

fn accepted(case: &Case<'_>, yes: &[&Given<'_>], all_agree: bool) -> Verdict {
    let shown = yes[0];
    let weakest = yes.iter().map(|given| given.answer.confidence).min().unwrap_or(Confidence::Likely);
    let asked_a_mailbox = case.facts.until >= Stage::Rcpt;
    let confidence = match weakest {
        _ if !asked_a_mailbox => Confidence::Certain,
        Confidence::Certain if !all_agree => Confidence::Likely,
        weakest => weakest,
    };
    let verdict = conclude(case, Outcome::Accepted, Reason::Accepted, shown, yes);
    if confidence != Confidence::Unsure {
        return Verdict { confidence, ..verdict };
    }
    Verdict { confidence, twist: Twist::CatchAll, ..verdict }.with_control(yes, Purpose::CatchAll)
}

/// Refusals or deferrals alone. Of several reasons the one that looked furthest counts, with less confidence.
fn agreed(case: &Case<'_>, outcome: Outcome, given: &[&Given<'_>], undisputed: bool) -> Verdict {
    let shown = best(given).unwrap_or(given[0]);
    let reason = shown.answer.reason;
    let same: Vec<&Given<'_>> = given.iter().filter(|other| other.answer.reason == reason).copied().collect();
    let surest = same.iter().map(|other| other.answer.confidence).max().unwrap_or(Confidence::Unsure);
    let confidence = if same.len() == given.len() && undisputed { surest } else { surest.min(Confidence::Likely) };
    let refused_for_all = given.iter().any(|other| recipient::blames_sender(other.session));
    let verdict = conclude(case, outcome, reason, shown, &same);
    let twist = if refused_for_all && reason == Reason::PolicyRejected { Twist::RefusedForAll } else { verdict.twist };
    // When everybody is refused, it is this sender's business to find out why.
    let actor = if twist == Twist::RefusedForAll { Actor::SenderAdmin } else { verdict.actor };
    let verdict = Verdict { actor, confidence, twist, ..verdict };
    let verdict = if twist == Twist::RefusedForAll { verdict.with_control(given, Purpose::Postmaster) } else { verdict };
    weigh(case, verdict, shown.session)
}

impl Verdict {
    /// Adds the answers to a control question to the proof.
    fn with_control(mut self, given: &[&Given<'_>], purpose: Purpose) -> Self {
        self.evidence.extend(given.iter().filter_map(|given| {
            let answer = recipient::control_reply(given.session, purpose)?;
            Some(Evidence::reply(given.index, given.session, &answer).with("control", "yes"))
        }));
        self
    }
}

/// The answer that tells most: at the latest stage, most surely, at the most preferred host.
fn best<'a, 'b>(given: &[&'b Given<'a>]) -> Option<&'b Given<'a>> {
    given.iter().copied().max_by_key(|given| (given.answer.stage, given.answer.confidence, std::cmp::Reverse(given.index)))
}

fn conclude(case: &Case<'_>, outcome: Outcome, reason: Reason, shown: &Given<'_>, proof: &[&Given<'_>]) -> Verdict {
    let verdict = conclude_by_reason(case, outcome, reason, shown, proof);
    let of_login = login::failure(shown.session).is_some_and(|(at, _)| shown.answer.event == Some(at));
    match login::finding(shown.index, shown.session).filter(|_| of_login) {
        Some(finding) => without_login(case, verdict, &finding),
        None => verdict,
    }
}

/// Why there was no login, and what to do about it, is told by a finding.
fn without_login(case: &Case<'_>, verdict: Verdict, finding: &Finding) -> Verdict {
    let text = case.knowledge.finding(finding.rule.id);
    let fix = text.fix.iter().map(|fix| Fix { actor: fix.actor, text: finding.fill(&fix.text) }).collect();
    Verdict { twist: Twist::NoLogin, cause: Some(finding.fill(&text.detail)), actor: text.actor, fix, ..verdict }
}

fn conclude_by_reason(case: &Case<'_>, outcome: Outcome, reason: Reason, shown: &Given<'_>, proof: &[&Given<'_>]) -> Verdict {
    let reply = reply_at(shown.session.facts, shown.answer.event);
    let text = case.knowledge.reason(reason);
    // Whoever speaks so may have meant more by it than the reason tells of everybody; so may words that put the fault elsewhere.
    let annotation = shown.answer.event.and_then(|event| shown.session.annotation(event)).filter(|annotation| annotation.reason == reason);
    let told = annotation.filter(|annotation| {
        let other_side = annotation.actor != text.actor;
        annotation.said.as_ref().is_some_and(|said| said.cause.is_some() && (!said.is_generic || other_side))
    });
    Verdict {
        outcome,
        reason,
        actor: actor(case, reason, shown).or(told.map(|annotation| annotation.actor)).unwrap_or(text.actor),
        confidence: shown.answer.confidence,
        stage: shown.answer.stage,
        code: reply.map(|reply| reply.code),
        enhanced: reply.and_then(|reply| reply.enhanced),
        text: reply.map(crate::smtp::Reply::text),
        host: Some(shown.session.facts.name.to_string()),
        session: Some(shown.index),
        twist: Twist::None,
        fix: told.map_or(&text.fix, |annotation| &annotation.fix).clone(),
        cause: told.map(|annotation| annotation.meaning.clone()),
        seen_here: SeenHere::Nothing,
        evidence: proof.iter().filter_map(|given| evidence(given)).chain(confirmations(case, reason, proof)).collect(),
    }
}

/// The second tries that show what was wrong with the first ones.
fn confirmations(case: &Case<'_>, reason: Reason, proof: &[&Given<'_>]) -> Vec<Evidence> {
    let second = proof.iter().filter(|_| reason == Reason::WrongTlsMode);
    let second = second.filter_map(|given| in_other_mode(given.session.facts, &case.facts.sessions));
    second.map(|(index, _)| Evidence::beside(case, index, "other_mode")).collect()
}

/// Who acts, where the case tells more than the reason does.
fn actor(case: &Case<'_>, reason: Reason, shown: &Given<'_>) -> Option<Actor> {
    let by_dns = matches!(case.facts.route.origin, Origin::Mx | Origin::ImplicitMx);
    let failure = shown.session.facts.transcript.failure().map(|(_, _, failure)| &failure.kind);
    match reason {
        // A domain's own mail host does not know the domain: either it or the DNS is wrong, and both are the receiver's.
        Reason::RelayDenied if by_dns && shown.session.facts.address.port() == Port::SMTP.number() => Some(Actor::RecipientAdmin),
        // On a port that has its mode by the standards, it is the server that has the wrong one.
        Reason::WrongTlsMode if is_usual_mode(shown.session.facts) => Some(Actor::RecipientAdmin),
        // The mailbox cannot be addressed at a server that lacks what its name needs; a sender's name can be changed.
        // What the server does in a login is its own.
        Reason::ProtocolError if matches!(failure, Some(FailureKind::Login(_))) => Some(Actor::RecipientAdmin),
        Reason::FeatureUnsupported if matches!(failure, Some(FailureKind::NotOffered(_))) => {
            let for_mailbox = case.facts.target.mailbox().is_some_and(Mailbox::needs_smtputf8);
            Some(if for_mailbox { Actor::RecipientAdmin } else { Actor::SenderUser })
        }
        _ => None,
    }
}

/// Whether TLS was used as the port's number demands (RFC 8314 §3, RFC 3207).
fn is_usual_mode(session: &SessionFacts) -> bool {
    let implicit = session.tls == TlsUse::Implicit;
    match Port::try_from(session.address.port()) {
        Ok(Port::SUBMISSIONS) => implicit,
        Ok(Port::SMTP | Port::SUBMISSION) => !implicit,
        _ => false,
    }
}

fn reply_at(session: &SessionFacts, event: Option<usize>) -> Option<&crate::smtp::Reply> {
    match session.transcript.events.get(event?) {
        Some((_, Event::Received { reply, .. })) => Some(reply),
        _ => None,
    }
}

fn evidence(given: &Given<'_>) -> Option<Evidence> {
    let event = given.answer.event?;
    let quote = match given.session.facts.transcript.events.get(event).map(|(_, event)| event)? {
        Event::Received { reply, .. } => quote(reply),
        Event::Broke { failure, .. } => super::connection::words(failure),
        _ => return None,
    };
    let verb = match given.session.facts.transcript.events.get(event) {
        Some((_, Event::Received { verb, .. })) => verb.as_str(),
        _ => Verb::Connect.as_str(),
    };
    Some(Evidence::event(given.index, given.session, event, quote).with("verb", verb))
}
