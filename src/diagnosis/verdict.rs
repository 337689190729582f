//! The verdict: what happened, why, who must act, and how sure that is.
//!
//! Outcome, reason, actor and confidence are four answers, never one. A mailbox is called dead only by a 5yz that says so: never
//! because of silence, a 4yz, a closed connection or a refusal that is about the sender.

mod ports;

use serde::{Deserialize, Serialize};

use super::answer::SessionAnswer;
use super::connection::is_rejected_as_unreachable;
use super::port::{in_other_mode, is_wrong_mode};
use super::side::{Shut, Side, intercepted, is_local_firewall};
use super::{Case, Evidence, SessionCase, quote, recipient, route};
use crate::knowledge::{Actor, Confidence, Fix, Reason};
use crate::probe::SessionFacts;
use crate::route::{HostFault, LookupFailure, LookupResult, Origin};
use crate::settings::Question;
use crate::smtp::{EnhancedCode, Event, FailureKind, Purpose, ReplyCode, Stage, TlsUse, Verb};
use crate::target::{Mailbox, Port, Target, is_nonpublic};

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
    /// What to do, the reader's next step first.
    pub fix: Vec<Fix>,
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
    /// The target is this machine, or is behind the same router.
    OwnAddress,
}

/// Draws the conclusion.
pub(super) fn of(case: &Case<'_>) -> Verdict {
    let answers: Vec<Given<'_>> = case
        .each()
        .filter_map(|(index, session)| session.answer.clone().map(|answer| Given { index, session, answer }))
        .map(|given| as_explained(case, with_controls(case, given)))
        .collect();
    let cut = case.facts.cut_short.is_some();
    if answers.is_empty() {
        return by_route(case);
    }
    if let Some(verdict) = by_another(case, &answers) {
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
    let twist = if refused_for_all && reason == Reason::PolicyRejected { Twist::RefusedForAll } else { Twist::None };
    let verdict = conclude(case, outcome, reason, shown, &same);
    // When everybody is refused, it is this sender's business to find out why.
    let actor = if twist == Twist::RefusedForAll { Actor::SenderAdmin } else { verdict.actor };
    let verdict = Verdict { actor, confidence, twist, ..verdict };
    if twist == Twist::RefusedForAll { verdict.with_control(given, Purpose::Postmaster) } else { verdict }
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

/// No session got an answer.
fn unreached(case: &Case<'_>, nothing: &[&Given<'_>], cut: bool) -> Verdict {
    // An address family that this machine does not have says nothing about the host.
    let telling: Vec<&Given<'_>> = nothing.iter().filter(|given| given.answer.reason != Reason::NetworkUnreachable).copied().collect();
    // Nor does a port that this side shuts.
    let ours: Vec<usize> = Shut::of(case).into_iter().filter(Shut::is_ours).flat_map(|family| family.asked).collect();
    let theirs: Vec<&Given<'_>> = telling.iter().filter(|given| !ours.contains(&given.index)).copied().collect();
    let considered = [&theirs, &telling].into_iter().find(|some| !some.is_empty()).map_or(nothing, Vec::as_slice);
    let shown = best(considered).unwrap_or(nothing[0]);
    let same: Vec<&Given<'_>> = considered.iter().filter(|given| given.answer.reason == shown.answer.reason).copied().collect();
    let public = |given: &&Given<'_>| !is_nonpublic(given.session.facts.address.ip());
    let by_mx = case.facts.route.origin == Origin::Mx;
    let unresolved = case.facts.route.hosts.iter().any(|host| matches!(host.fault, Some(HostFault::Lookup(_))));
    if by_mx && !cut && !unresolved && !nothing.iter().any(public) && shown.answer.stage == Stage::Connect {
        // What the records say is certain, whatever silence there was here.
        return Verdict { confidence: Confidence::Certain, ..conclude(case, Outcome::Rejected, Reason::MxUnusable, shown, &same) };
    }
    let (outcome, reason) = (shown.answer.outcome, shown.answer.reason);
    let confidence = if same.len() == considered.len() { shown.answer.confidence } else { shown.answer.confidence.min(Confidence::Likely) };
    let twist = if cut { Twist::CutShort } else { Twist::None };
    let verdict = Verdict { confidence, twist, ..conclude(case, outcome, reason, shown, &same) };
    if cut { verdict } else { own_aside(case, considered, whose_side(case, considered, verdict)) }
}

/// Nothing that is reached from here, or not reached, tells how others reach an address of this side's own.
fn own_aside(case: &Case<'_>, shown: &[&Given<'_>], verdict: Verdict) -> Verdict {
    let own = |given: &&Given<'_>| {
        let address = given.session.facts.address.ip();
        case.facts.vantage.own.iter().find(|own| own.address == address)
    };
    let all: Vec<_> = shown.iter().filter_map(own).collect();
    // That a port is shut on this side was found out elsewhere.
    if all.len() < shown.len() || matches!(verdict.twist, Twist::ShutHere | Twist::NoWay | Twist::LocalFirewall) {
        return verdict;
    }
    let behind_router = all.iter().any(|own| !own.here);
    // Whoever asks about mail at this very machine wants to know how it answers, and a server that was reached has answered for itself.
    if case.facts.question == Question::Mail && (!behind_router || verdict.stage > Stage::Connect) {
        return verdict;
    }
    let verdict = Verdict { confidence: Confidence::Unsure, twist: Twist::OwnAddress, ..verdict };
    match verdict.outcome {
        Outcome::Accepted => verdict,
        // A router that does not lead its own address back inside is no fault of the host's.
        _ if behind_router => Verdict { reason: Reason::Undetermined, actor: Actor::SenderAdmin, ..verdict },
        _ => Verdict { actor: Actor::SenderAdmin, ..verdict },
    }
}

/// Says whose side shuts the port, where connections beside those asked for tell it.
fn whose_side(case: &Case<'_>, shut: &[&Given<'_>], verdict: Verdict) -> Verdict {
    let of_reason = |reason, confidence, twist, verdict: Verdict| {
        let text = case.knowledge.reason(reason);
        Verdict { reason, confidence, twist, actor: text.actor, fix: text.fix, ..verdict }
    };
    if shut.iter().all(|given| is_local_firewall(given.session)) {
        return Verdict {
            actor: Actor::SenderAdmin,
            ..of_reason(Reason::PortBlockedHere, Confidence::Certain, Twist::LocalFirewall, verdict)
        };
    }
    let families = Shut::of(case);
    let beside = |indexes: &[usize], role| indexes.iter().map(|index| Evidence::beside(case, *index, role)).collect::<Vec<_>>();
    let (outside, ours): (Vec<&Given<'_>>, Vec<&Given<'_>>) =
        shut.iter().copied().partition(|given| !families.iter().any(|family| family.is_ours() && family.asked.contains(&given.index)));
    if outside.is_empty() {
        let of_them: Vec<&Shut> =
            families.iter().filter(|family| family.asked.iter().any(|i| ours.iter().any(|g| g.index == *i))).collect();
        let surest =
            of_them.iter().map(|family| family.side()).filter_map(|side| if let Side::Ours(c) = side { Some(c) } else { None }).min();
        let mut verdict = match surest {
            Some(confidence) => of_reason(Reason::PortBlockedHere, confidence, Twist::ShutHere, verdict),
            None => of_reason(Reason::NetworkUnreachable, Confidence::Certain, Twist::NoWay, verdict),
        };
        for family in of_them {
            verdict.evidence.extend(beside(&family.failed_controls, "control"));
            verdict.evidence.extend(beside(&family.other_ports, "other_port"));
        }
        return verdict;
    }
    let Some(family) =
        families.iter().find(|family| family.side() == Side::Theirs && verdict.session.is_some_and(|shown| family.asked.contains(&shown)))
    else {
        return verdict;
    };
    // What a control tells holds for its own family.
    let mut verdict = Verdict { actor: Actor::RecipientAdmin, twist: Twist::TheirSide, ..verdict };
    verdict.evidence.retain(|evidence| evidence.session.is_some_and(|index| family.asked.contains(&index)));
    verdict.evidence.extend(beside(&family.open_controls, "control"));
    verdict.evidence.extend(beside(&family.other_ports, "other_port"));
    verdict
}

fn conclude(case: &Case<'_>, outcome: Outcome, reason: Reason, shown: &Given<'_>, proof: &[&Given<'_>]) -> Verdict {
    let reply = reply_at(shown.session.facts, shown.answer.event);
    let text = case.knowledge.reason(reason);
    Verdict {
        outcome,
        reason,
        actor: actor(case, reason, shown).unwrap_or(text.actor),
        confidence: shown.answer.confidence,
        stage: shown.answer.stage,
        code: reply.map(|reply| reply.code),
        enhanced: reply.and_then(|reply| reply.enhanced),
        text: reply.map(crate::smtp::Reply::text),
        host: Some(shown.session.facts.name.to_string()),
        session: Some(shown.index),
        twist: Twist::None,
        fix: text.fix,
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

/// Nobody could be asked: the route itself is the answer.
fn by_route(case: &Case<'_>) -> Verdict {
    let facts = case.facts;
    let (outcome, reason, confidence) = match facts.route.origin {
        _ if facts.cut_short.is_some() => (Outcome::Inconclusive, Reason::Undetermined, Confidence::Unsure),
        Origin::NullMx | Origin::Failed(LookupFailure::NoMailHost) => (Outcome::Rejected, Reason::NoMailService, Confidence::Certain),
        Origin::Failed(LookupFailure::NxDomain) => (Outcome::Rejected, Reason::DomainUnknown, Confidence::Certain),
        Origin::Failed(failure) => of_lookup(case, failure),
        Origin::Mx | Origin::ImplicitMx | Origin::Given => by_faults(case),
    };
    let lookups = &facts.route.lookups;
    let asked: Vec<Evidence> = match facts.route.origin {
        Origin::NullMx | Origin::Failed(_) => route::deciding_lookup(case).into_iter().collect::<Vec<_>>(),
        _ => (0..lookups.len()).filter(|index| !matches!(lookups[*index].result, LookupResult::Found(_))).collect(),
    }
    .into_iter()
    .map(|index| Evidence::lookup(facts, Some(index), route::lookup_line(case, index)))
    .collect();
    // Without a lookup, the hosts themselves show why none was asked.
    let proof = if asked.is_empty() { route::faulty(case, |_| true) } else { asked };
    let text = case.knowledge.reason(reason);
    Verdict {
        outcome,
        reason,
        actor: text.actor,
        confidence,
        stage: Stage::Dns,
        code: None,
        enhanced: None,
        text: None,
        host: None,
        session: None,
        twist: if facts.cut_short.is_some() { Twist::CutShort } else { Twist::None },
        fix: text.fix,
        evidence: proof,
    }
}

/// A lookup that failed: of the domain's servers, of this machine's resolver, or of its network?
fn of_lookup(case: &Case<'_>, failure: LookupFailure) -> (Outcome, Reason, Confidence) {
    const ENETUNREACH: i32 = 101;
    let answered = case.facts.route.lookups.iter().any(|lookup| match lookup.result {
        LookupResult::Failed(failure) => {
            matches!(failure, LookupFailure::ServFail | LookupFailure::OtherCode(_) | LookupFailure::AliasLoop)
        }
        _ => true,
    });
    let (reason, confidence) = match failure {
        LookupFailure::AliasLoop => (Reason::DnsFailure, Confidence::Certain),
        // Nearly always the domain's servers or signatures; now and then the resolver itself.
        LookupFailure::ServFail | LookupFailure::OtherCode(_) | LookupFailure::Malformed => (Reason::DnsFailure, Confidence::Likely),
        LookupFailure::ResolverUnreachable(Some(ENETUNREACH)) => (Reason::NetworkUnreachable, Confidence::Certain),
        LookupFailure::ResolverUnreachable(_) | LookupFailure::NoResolver => (Reason::ResolverUnusable, Confidence::Certain),
        // The resolver is alive, so the silence is the domain's.
        _ if answered => (Reason::DnsFailure, Confidence::Likely),
        _ => (Reason::ResolverUnusable, Confidence::Likely),
    };
    (Outcome::Unreachable, reason, confidence)
}

/// There are hosts, but none with an address to connect to.
fn by_faults(case: &Case<'_>) -> (Outcome, Reason, Confidence) {
    let faults: Vec<HostFault> = case.facts.route.hosts.iter().filter_map(|host| host.fault).collect();
    let failed = faults.iter().find_map(|fault| if let HostFault::Lookup(failure) = fault { Some(*failure) } else { None });
    match (failed, &case.facts.target) {
        (Some(failure), _) => of_lookup(case, failure),
        // An option of the user's own kept it from being asked.
        (None, _) if faults.contains(&HostFault::FamilyExcluded) => (Outcome::Unreachable, Reason::Undetermined, Confidence::Unsure),
        (None, Target::Host { .. }) if faults.contains(&HostFault::NxDomain) => {
            (Outcome::Rejected, Reason::DomainUnknown, Confidence::Certain)
        }
        // A host that the user gave says nothing about the domain.
        (None, _) if case.facts.route.origin == Origin::Given => (Outcome::Unreachable, Reason::Undetermined, Confidence::Unsure),
        (None, _) => (Outcome::Rejected, Reason::MxUnusable, Confidence::Certain),
    }
}
