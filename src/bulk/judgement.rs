//! What a reply, a failure or a route means for one mailbox, and whether it is asked again. Pure.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::diagnosis::{Outcome, of_failure, of_route};
use crate::knowledge::{Actor, Confidence, Knowledge, Reason, Speaker, Subject};
use crate::reading::Mentions;
use crate::route::{HostFault, LookupFailure, MailHost, Origin, Route};
use crate::smtp::{CodeClass, FailureKind, Reply, Stage, Verb};
use crate::target::{Mailbox, Target};

use super::manners::Push;
use super::{Answer, Settled};

/// What becomes of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) settled: Settled,
    pub(super) reason: Reason,
    pub(super) actor: Actor,
    pub(super) confidence: Confidence,
    pub(super) code: Option<u16>,
    pub(super) enhanced: Option<String>,
    pub(super) text: Option<String>,
    pub(super) host: Option<String>,
    pub(super) error: Option<String>,
}

/// Who speaks.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub(super) host: String,
    pub(super) greeting: Option<String>,
    /// Whether the DNS sends the domain's mail there.
    pub(super) is_mail_host: bool,
}

/// What is done after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// The mailbox is answered for.
    Settle,
    /// It is asked again later, and the server pushed back or did not.
    AskAgain(Option<Push>),
    /// It is asked again in the next transaction.
    NextTransaction,
}

impl Judgement {
    fn new(knowledge: &Knowledge, (settled, reason, confidence): (Settled, Reason, Confidence)) -> Self {
        let actor = knowledge.reason(reason).actor;
        Self { settled, reason, actor, confidence, code: None, enhanced: None, text: None, host: None, error: None }
    }

    /// Of `reply` as an answer to `verb`.
    pub(super) fn of_reply(knowledge: &Knowledge, voice: &Voice, verb: Verb, reply: &Reply) -> Self {
        let speaker = Speaker { host: Some(&voice.host), greeting: voice.greeting.as_deref(), ..Speaker::default() };
        let reading = knowledge.hear(speaker, reply).answering(Some(verb));
        let (settled, reason, confidence) = match reply.code.class() {
            _ if reply.code.is_yes_to(verb) => (Settled::Accepted, Reason::Accepted, Confidence::Likely),
            CodeClass::Permanent => (Settled::Rejected, reading.reason, reading.confidence),
            CodeClass::Transient => (Settled::Deferred, reading.reason, reading.confidence),
            _ => (Settled::Inconclusive, Reason::Undetermined, Confidence::Unsure),
        };
        let judgement = Self::new(knowledge, (settled, reason, confidence));
        // Whoever speaks so may have meant somebody else by it than the reason tells of everybody.
        let told =
            reading.said.filter(|said| said.cause.is_some() && !said.is_generic && reading.reason == reason).and_then(|said| said.actor);
        let actor = match reason {
            // A domain's own mail host does not know the domain: either it or the DNS is wrong, and both are the receiver's.
            Reason::RelayDenied if voice.is_mail_host => Actor::RecipientAdmin,
            _ => told.unwrap_or(judgement.actor),
        };
        Self {
            actor,
            code: Some(reply.code.number()),
            enhanced: reply.enhanced.map(|code| code.to_string()),
            text: Some(reply.text()),
            host: Some(voice.host.clone()),
            ..judgement
        }
    }

    /// Of a session that broke at `stage`.
    pub(super) fn of_failure(knowledge: &Knowledge, host: &str, stage: Stage, kind: &FailureKind) -> Self {
        let (outcome, reason, confidence) =
            of_failure(stage, kind).unwrap_or((Outcome::Inconclusive, Reason::Undetermined, Confidence::Unsure));
        let error = if let FailureKind::Local(words) = kind { Some(words.clone()) } else { None };
        Self { host: Some(host.to_owned()), error, ..Self::new(knowledge, (settled(outcome), reason, confidence)) }
    }

    /// Of a route that leads to no address.
    pub(super) fn of_route(knowledge: &Knowledge, route: &Route, target: &Target) -> Self {
        let (outcome, reason, confidence) = of_route(route, target);
        Self::new(knowledge, (settled(outcome), reason, confidence))
    }

    /// Whether `route` leads to no address because a lookup failed, so that another one may tell.
    pub(super) fn is_of_failed_lookup(route: &Route) -> bool {
        let may_pass = |failure: LookupFailure| match failure {
            LookupFailure::ServFail
            | LookupFailure::Refused
            | LookupFailure::OtherCode(_)
            | LookupFailure::TimedOut
            | LookupFailure::ResolverUnreachable(_)
            | LookupFailure::Malformed => true,
            LookupFailure::NoResolver | LookupFailure::AliasLoop | LookupFailure::NxDomain | LookupFailure::NoMailHost => false,
        };
        let of_host = |host: &MailHost| matches!(host.fault, Some(HostFault::Lookup(failure)) if may_pass(failure));
        match route.origin {
            Origin::Failed(failure) => may_pass(failure),
            _ => route.hosts.iter().all(|host| host.addresses.is_empty()) && route.hosts.iter().any(of_host),
        }
    }

    /// Of a line that is no address.
    pub(super) fn invalid(knowledge: &Knowledge, error: String) -> Self {
        Self { error: Some(error), ..Self::new(knowledge, (Settled::Invalid, Reason::AddressSyntax, Confidence::Certain)) }
    }

    /// Of what this program does not ask, and why.
    pub(super) fn unasked(knowledge: &Knowledge, error: String) -> Self {
        let judgement = Self::new(knowledge, (Settled::Inconclusive, Reason::Undetermined, Confidence::Unsure));
        Self { actor: Actor::SenderUser, error: Some(error), ..judgement }
    }

    /// Of a server whose replies cannot be told apart.
    pub(super) fn out_of_step(knowledge: &Knowledge, host: &str) -> Self {
        let judgement = Self::new(knowledge, (Settled::Inconclusive, Reason::ReplyMalformed, Confidence::Likely));
        let error = "the server sends more replies than it was asked for, or fewer: which is whose cannot be told".to_owned();
        Self { host: Some(host.to_owned()), error: Some(error), ..judgement }
    }

    /// Of a server that does not offer SMTPUTF8, which the mailbox needs (RFC 6531 §3.1).
    pub(super) fn without_smtputf8(knowledge: &Knowledge, host: &str) -> Self {
        let judgement = Self::new(knowledge, (Settled::Rejected, Reason::FeatureUnsupported, Confidence::Certain));
        Self { actor: Actor::RecipientAdmin, host: Some(host.to_owned()), ..judgement }
    }

    /// What to do now that `reply` said so.
    pub(super) fn course(&self, knowledge: &Knowledge, reply: &Reply) -> Course {
        let transient = reply.code.class() == CodeClass::Transient;
        match self.reason {
            Reason::TooManyRecipients => Course::NextTransaction,
            _ if self.settled == Settled::Accepted => Course::Settle,
            Reason::TooManyConnections => Course::AskAgain(Some(Push::Connections)),
            Reason::RateLimited => Course::AskAgain(Some(Push::Pace)),
            Reason::Greylisted if transient => Course::AskAgain(Some(Push::Greylist)),
            _ if !transient => Course::Settle,
            // What is wrong with the mailbox itself will not have passed in minutes.
            reason if knowledge.reason(reason).subject == Subject::Mailbox => Course::Settle,
            _ if reply.code.closes_channel() || reply.enhanced.is_some_and(|code| code.subject == 7) => Course::AskAgain(Some(Push::Pace)),
            _ => Course::AskAgain(None),
        }
    }

    /// The answer to a line, given by its number and what it reads; `destination` is where its mail goes, `catch_all` whether the domain takes
    /// mail for any address, `attempts` how often the mailbox was asked for.
    pub(super) fn answer(
        &self,
        (line, input): (u64, String),
        mailbox: Option<&Mailbox>,
        destination: Option<String>,
        catch_all: Option<bool>,
        attempts: u32,
    ) -> Answer {
        let judgement = self.clone();
        let now = OffsetDateTime::now_utc();
        Answer {
            line,
            input,
            address: mailbox.map(ToString::to_string),
            outcome: judgement.settled,
            reason: judgement.reason,
            actor: judgement.actor,
            confidence: judgement.confidence,
            code: judgement.code,
            enhanced: judgement.enhanced,
            text: judgement.text,
            host: judgement.host,
            destination,
            catch_all,
            attempts,
            at: now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default(),
            error: judgement.error,
        }
    }

    /// How much of the question is answered by it: of several, the one that says most is shown.
    pub(super) const fn weight(&self) -> u8 {
        match self.settled {
            Settled::Rejected => 4,
            Settled::Deferred => 3,
            Settled::Inconclusive => 2,
            _ => 1,
        }
    }
}

/// How long the reply asks to be left alone, in seconds; none if it does not say.
pub(super) fn wait_named(reply: &Reply) -> Option<u64> {
    Mentions::of(reply).wait.filter(|seconds| *seconds > 0)
}

const fn settled(outcome: Outcome) -> Settled {
    match outcome {
        Outcome::Accepted => Settled::Accepted,
        Outcome::Rejected => Settled::Rejected,
        Outcome::Deferred => Settled::Deferred,
        Outcome::Unreachable => Settled::Unreachable,
        Outcome::Inconclusive => Settled::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_settles_the_mailbox_or_it_is_asked_again() {
        let knowledge = Knowledge::english();
        let voice = Voice { host: "mx.example.com".to_owned(), greeting: None, is_mail_host: true };
        for (text, settled, reason, course) in [
            ("250 2.1.5 Ok", Settled::Accepted, Reason::Accepted, Course::Settle),
            ("550 5.1.1 <a@example.com>: User unknown", Settled::Rejected, Reason::UserUnknown, Course::Settle),
            ("452 4.2.2 mailbox is full", Settled::Deferred, Reason::MailboxFull, Course::Settle),
            ("452 4.5.3 Too many recipients", Settled::Deferred, Reason::TooManyRecipients, Course::NextTransaction),
            ("552 5.5.3 Too many recipients", Settled::Rejected, Reason::TooManyRecipients, Course::NextTransaction),
            ("450 4.2.0 Greylisted, try again later", Settled::Deferred, Reason::Greylisted, Course::AskAgain(Some(Push::Greylist))),
            (
                "421 4.7.0 Too many connections from your host",
                Settled::Deferred,
                Reason::TooManyConnections,
                Course::AskAgain(Some(Push::Connections)),
            ),
            ("451 4.3.0 Temporary lookup failure", Settled::Deferred, Reason::SystemError, Course::AskAgain(None)),
            ("554 5.7.1 Relay access denied", Settled::Rejected, Reason::RelayDenied, Course::Settle),
            ("354 go on", Settled::Inconclusive, Reason::Undetermined, Course::Settle),
        ] {
            let reply = Reply::parse(text).expect(text);
            let judgement = Judgement::of_reply(&knowledge, &voice, Verb::Rcpt, &reply);
            assert_eq!((judgement.settled, judgement.reason), (settled, reason), "{text}");
            assert_eq!(judgement.course(&knowledge, &reply), course, "{text}: {judgement:?}");
        }
        let pace = Reply::parse("450 4.7.1 Client host rejected: cannot find your hostname").expect("a reply");
        let judgement = Judgement::of_reply(&knowledge, &voice, Verb::Rcpt, &pace);
        assert_eq!(judgement.course(&knowledge, &pace), Course::AskAgain(Some(Push::Pace)));
        let relay = Reply::parse("554 5.7.1 Relay access denied").expect("a reply");
        assert_eq!(Judgement::of_reply(&knowledge, &voice, Verb::Rcpt, &relay).actor, Actor::RecipientAdmin);
    }
}
