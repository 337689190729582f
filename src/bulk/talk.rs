//! One session of a run: which recipients go into its transactions, and which reply is whose.
//!
//! Replies to a group of commands count only once the next command goes out and nothing more has come: a server that sends more
//! replies than it was asked for, or fewer, would otherwise speak of the wrong mailboxes.

use std::collections::VecDeque;
use std::time::Duration;

use super::Settled;
use super::destination::{Inquiry, Round};
use super::domain::CatchAll;
use super::judgement::{Course, Judgement, Voice, wait_named};
use super::ledger::{Ledger, Start};
use super::manners::{Answered, Push};
use super::plan::{LINGER, LINGERS, LONGEST_REST, Used, WORTHWHILE};
use crate::knowledge::Reason;
use crate::probe::control_recipient;
use crate::smtp::{
    Answers, CodeClass, Command, Elapsed, ErrorLimit, Event, FailureKind, Handling, Purpose, Reply, Session, Stage, TlsUse, Transaction,
    Transcript, Verb,
};
use crate::target::{MailDomain, Mailbox};

/// A server that names a longer time is asked after this.
const LONGEST_WAIT: u64 = 3600;

/// What is known of a session that is being held.
#[allow(clippy::struct_excessive_bools, reason = "each is learnt by itself")]
pub(super) struct Talk {
    id: u32,
    place: usize,
    turn: u32,
    voice: Voice,
    tls: TlsUse,
    pipelining: bool,
    used: Used,
    /// Events that were looked at.
    seen: usize,
    /// Commands without a reply, and how many went out together with the first of them.
    awaited: usize,
    group: usize,
    /// The recipients of the transaction that have no reply.
    asked: VecDeque<Inquiry>,
    /// Replies that do not count yet.
    heard: Vec<(Inquiry, Reply)>,
    /// Recipients of the transaction that were accepted.
    taken: usize,
    refused_sender: Option<Reply>,
    /// Whose catch-all question is being asked.
    catch_all: Option<(MailDomain, Option<Reply>)>,
    out_of_step: bool,
    /// Whether QUIT has been said.
    parting: bool,
    broken_off: bool,
    resting: bool,
    lingered: u32,
    introduced: bool,
    /// The lot that the recipients of the transaction were drawn from.
    lot: u32,
    /// Mailboxes that were answered for.
    fruit: usize,
    closing: Option<(Verb, Reply)>,
    /// The last thing that kept a mailbox from being answered for.
    last: Option<Judgement>,
}

impl Talk {
    pub(super) fn new(start: &Start, tls: TlsUse, began: Elapsed) -> Self {
        Self {
            id: start.id,
            place: start.place,
            turn: start.turn,
            voice: Voice { host: start.host.to_string(), greeting: None, is_mail_host: start.is_mail_host },
            tls,
            pipelining: start.pipelining,
            used: Used { began, ..Used::default() },
            seen: 0,
            awaited: 0,
            group: 0,
            asked: VecDeque::new(),
            heard: Vec::new(),
            taken: 0,
            refused_sender: None,
            catch_all: None,
            out_of_step: false,
            parting: false,
            broken_off: false,
            resting: false,
            lingered: 0,
            introduced: false,
            lot: 0,
            fruit: 0,
            closing: None,
            last: None,
        }
    }

    /// Looks at what has happened, and says what comes next.
    pub(super) fn go_on(&mut self, ledger: &mut Ledger<'_>, session: &mut Session) {
        self.follow(ledger, session.transcript());
        self.expect(ledger, session);
        if self.out_of_step && !self.broken_off {
            self.broken_off = true;
            session.broke(ledger.clock.now(), FailureKind::Interrupted.into());
        }
        if !session.is_idle() || self.broken_off {
            return;
        }
        // A rest of no length shows whether more comes than was asked for.
        if !self.heard.is_empty() && !self.resting {
            return self.rest(ledger, session, Duration::ZERO);
        }
        self.resting = false;
        self.commit(ledger);
        self.end_transaction(ledger);
        if !std::mem::replace(&mut self.introduced, true)
            && let Some(destination) = ledger.at(self.id)
        {
            destination.prove();
            ledger.queue(self.id);
        }
        if !ledger.finishing {
            self.next(ledger, session);
        }
    }

    /// Tells the session how many refusals are to be expected.
    fn expect(&self, ledger: &mut Ledger<'_>, session: &mut Session) {
        let (errors, elsewhere) = (ledger.order.usage.errors, ledger.refusals());
        if let Some(destination) = ledger.at(self.id) {
            let percent = usize::try_from(destination.manners.refusals(elsewhere)).unwrap_or(100);
            session.bear(ErrorLimit { percent, drawn: destination.waiting.refusals(self.lot), ..errors });
        }
    }

    fn rest(&mut self, ledger: &Ledger<'_>, session: &mut Session, span: Duration) {
        self.resting = true;
        session.rest(ledger.clock.now(), span);
    }

    /// The next transaction; without one the session leaves.
    fn next(&mut self, ledger: &mut Ledger<'_>, session: &mut Session) {
        let now = ledger.clock.now();
        let offered = session.transcript().capabilities().unwrap_or_default();
        let usage = ledger.terms(self.id).usage;
        let (all_read, crowded) = (ledger.tally.all_read, ledger.is_crowded());
        let Some(destination) = ledger.at(self.id).filter(|destination| destination.end.is_none()) else { return };
        let waiting = destination.waiting.len();
        if waiting == 0 && destination.catch_alls.is_empty() {
            if !all_read && !crowded && self.lingered < LINGERS {
                self.lingered += 1;
                self.rest(ledger, session, LINGER);
            }
            return;
        }
        self.lingered = 0;
        if let Some(pause) = destination.manners.pause(now) {
            return ledger.wake_at(self.id, Elapsed(now.0.saturating_add(pause)));
        }
        // Towards the end each session gets its share, or some would have all of it and the others nothing.
        let share = waiting.div_ceil(destination.manners.connections()).max(usage.errors.most).min(waiting);
        let most = destination.capacity.next(&usage, &offered, self.used, now, share.max(1));
        if most == 0 {
            return;
        }
        let wait = destination.manners.wait(now, most.min(WORTHWHILE));
        if !wait.is_zero() {
            if wait <= LONGEST_REST {
                self.rest(ledger, session, wait);
            } else {
                ledger.wake_at(self.id, Elapsed(now.0.saturating_add(wait)));
            }
            return;
        }
        let granted = destination.manners.take(now, most);
        if waiting == 0 {
            return self.ask_catch_all(ledger, session);
        }
        let (mut recipients, lot) = destination.waiting.draw(granted);
        self.lot = lot;
        destination.manners.give_back(granted - recipients.len());
        let utf8 = offered.has("SMTPUTF8");
        let unsendable: Vec<Inquiry> = recipients.extract_if(.., |inquiry| !utf8 && inquiry.mailbox.needs_smtputf8()).collect();
        destination.manners.give_back(unsendable.len());
        for inquiry in unsendable {
            self.fruit += 1;
            let judgement = Judgement::without_smtputf8(ledger.knowledge, &self.voice.host);
            ledger.judged(inquiry, judgement);
        }
        if recipients.is_empty() {
            return self.rest(ledger, session, Duration::ZERO);
        }
        self.used.recipients += recipients.len();
        let mailboxes = recipients.iter().map(|inquiry| inquiry.mailbox.clone()).collect();
        self.asked = recipients.into();
        self.begin(ledger, session, mailboxes, Purpose::Target);
    }

    fn ask_catch_all(&mut self, ledger: &mut Ledger<'_>, session: &mut Session) {
        let Some(domain) = ledger.at(self.id).and_then(|destination| destination.catch_alls.pop_front()) else { return };
        let made_up = ledger.somebody_at(&domain).and_then(|somebody| control_recipient(Purpose::CatchAll, somebody));
        if let Some(made_up) = made_up {
            self.catch_all = Some((domain, None));
            self.used.recipients += 1;
            self.begin(ledger, session, vec![made_up], Purpose::CatchAll);
        } else {
            ledger.told(&domain, CatchAll::Untold);
            self.rest(ledger, session, Duration::ZERO);
        }
    }

    fn begin(&mut self, ledger: &mut Ledger<'_>, session: &mut Session, recipients: Vec<Mailbox>, purpose: Purpose) {
        self.expect(ledger, session);
        self.used.transactions += 1;
        self.taken = 0;
        let from = ledger.settings.from.clone();
        let size = ledger.settings.size;
        session.enqueue(Transaction { from, recipients, via: None, size, handling: Handling::default(), message: None, purpose });
    }

    /// Takes notice of what has happened since the last time.
    fn follow(&mut self, ledger: &mut Ledger<'_>, transcript: &Transcript) {
        let first = std::mem::replace(&mut self.seen, transcript.events.len());
        for (_, event) in transcript.events.get(first..).unwrap_or_default() {
            match event {
                Event::Sent { command, purpose } => {
                    if *command == Command::Quit && !std::mem::replace(&mut self.parting, true) {
                        ledger.parting += 1;
                    }
                    if self.awaited == 0 {
                        self.commit(ledger);
                        self.group = 0;
                    }
                    self.awaited += 1;
                    self.group += 1;
                    if let (Command::Rcpt { to, .. }, Purpose::Target) = (command, purpose)
                        && let Some(inquiry) = self.asked.iter_mut().find(|inquiry| !inquiry.said && inquiry.mailbox == *to)
                    {
                        inquiry.said = true;
                        inquiry.asked += 1;
                    }
                }
                // Somebody is there: others may come.
                Event::Connected(_) => {
                    if let Some(destination) = ledger.at(self.id).filter(|destination| destination.turn == self.turn) {
                        destination.is_there = true;
                        ledger.queue(self.id);
                    }
                }
                Event::Received { verb, answers, purpose, reply, .. } => self.hear(transcript, *verb, *answers, *purpose, reply),
                Event::Premature { stage, .. } => self.out_of_step |= *stage >= Stage::Mail && !self.parting,
                _ => {}
            }
        }
    }

    fn hear(&mut self, transcript: &Transcript, verb: Verb, answers: Answers, purpose: Purpose, reply: &Reply) {
        if let Answers::Command(_) = answers {
            self.awaited = self.awaited.saturating_sub(1);
        }
        if verb == Verb::Connect {
            self.voice.greeting = Some(reply.text());
        }
        // It is about the session, whatever it answers.
        if reply.code.closes_channel() {
            if verb != Verb::Quit {
                self.closing = Some((verb, reply.clone()));
            }
            return;
        }
        match (verb, purpose) {
            (Verb::Mail, Purpose::Target) => self.refused_sender = (!reply.code.is_yes_to(verb)).then(|| reply.clone()),
            // Without a sender the replies to recipients are only the echo of that.
            (Verb::Rcpt, Purpose::Target) if self.refused_sender.is_none() => {
                if let Some(inquiry) = self.whose(transcript, answers) {
                    let text = reply.text();
                    let names = |other: &Inquiry| text.contains(&format!("<{}>", other.mailbox));
                    self.out_of_step |= !names(&inquiry) && text.contains('@') && self.asked.iter().any(|other| other.said && names(other));
                    self.taken += usize::from(reply.code.is_yes_to(verb));
                    self.heard.push((inquiry, reply.clone()));
                }
            }
            (Verb::Rcpt, Purpose::CatchAll) => {
                if let Some((_, answer)) = &mut self.catch_all {
                    *answer = Some(reply.clone());
                }
            }
            _ => {}
        }
    }

    /// Takes out the inquiry whose RCPT is answered.
    fn whose(&mut self, transcript: &Transcript, answers: Answers) -> Option<Inquiry> {
        let Answers::Command(event) = answers else { return None };
        let (_, Event::Sent { command: Command::Rcpt { to, .. }, .. }) = transcript.events.get(event)? else { return None };
        let at = self.asked.iter().position(|inquiry| inquiry.said && inquiry.mailbox == *to)?;
        self.asked.remove(at)
    }

    /// What was heard counts.
    fn commit(&mut self, ledger: &mut Ledger<'_>) {
        if self.out_of_step {
            return;
        }
        for (inquiry, reply) in std::mem::take(&mut self.heard) {
            let judgement = Judgement::of_reply(ledger.knowledge, &self.voice, Verb::Rcpt, &reply);
            match judgement.course(ledger.knowledge, &reply) {
                Course::Settle => {
                    self.fruit += 1;
                    let what = match (judgement.settled, judgement.reason) {
                        (Settled::Accepted, _) => Answered::Taken,
                        (_, Reason::UserUnknown) => Answered::Unknown,
                        _ => Answered::Refused,
                    };
                    if let Some(destination) = ledger.at(self.id) {
                        destination.waiting.answered(inquiry.lot, what != Answered::Taken);
                    }
                    ledger.judged(inquiry, judgement);
                    ledger.count(self.id, what);
                }
                Course::NextTransaction if self.taken > 0 => {
                    if let Some(destination) = ledger.at(self.id) {
                        destination.capacity.too_many(self.taken);
                    }
                    self.put_back(ledger, inquiry);
                }
                Course::NextTransaction => self.put_off(ledger, inquiry, judgement, &reply, Some(Push::Pace)),
                Course::AskAgain(push) => self.put_off(ledger, inquiry, judgement, &reply, push),
            }
        }
    }

    fn put_back(&self, ledger: &mut Ledger<'_>, inquiry: Inquiry) {
        ledger.put_back(self.id, [Inquiry { said: false, ..inquiry }]);
    }

    /// Asks again later, as often as that is allowed; then the reply is the answer.
    fn put_off(&mut self, ledger: &mut Ledger<'_>, inquiry: Inquiry, judgement: Judgement, reply: &Reply, push: Option<Push>) {
        let now = ledger.clock.now();
        if let (Some(push), Some(destination)) = (push, ledger.at(self.id)) {
            destination.manners.pushed(now, push);
        }
        // To be told to come back is what whoever greylists says first.
        self.fruit += usize::from(push == Some(Push::Greylist));
        self.last = Some(judgement.clone());
        let terms = ledger.terms(self.id);
        if inquiry.put_off >= terms.retries {
            self.fruit += 1;
            return ledger.judged(inquiry, judgement);
        }
        let named = wait_named(reply).map(|seconds| Duration::from_secs(seconds.min(LONGEST_WAIT)));
        let due = Elapsed(now.0.saturating_add(named.unwrap_or(terms.retry_after)));
        ledger.put_off(self.id, Inquiry { said: false, put_off: inquiry.put_off + 1, ..inquiry }, due);
    }

    /// What a transaction leaves behind: a sender that was refused, recipients that nobody asked for, the catch-all question.
    fn end_transaction(&mut self, ledger: &mut Ledger<'_>) {
        if let Some(reply) = self.refused_sender.take() {
            let judgement = Judgement::of_reply(ledger.knowledge, &self.voice, Verb::Mail, &reply);
            let for_good = judgement.settled == Settled::Rejected && judgement.course(ledger.knowledge, &reply) == Course::Settle;
            if for_good {
                ledger.end(self.id, &judgement);
            }
            for inquiry in std::mem::take(&mut self.asked) {
                if for_good {
                    self.fruit += 1;
                    ledger.judged(inquiry, judgement.clone());
                } else {
                    self.put_off(ledger, inquiry, judgement.clone(), &reply, Some(Push::Pace));
                }
            }
        }
        for inquiry in std::mem::take(&mut self.asked) {
            self.put_back(ledger, inquiry);
        }
        if let Some((domain, reply)) = self.catch_all.take() {
            let reading = |reply: &Reply| Judgement::of_reply(ledger.knowledge, &self.voice, Verb::Rcpt, reply).reason;
            match reply.filter(|_| !self.out_of_step) {
                Some(reply) if reply.code.is_yes_to(Verb::Rcpt) => ledger.told(&domain, CatchAll::Takes),
                Some(reply) if reply.code.class() == CodeClass::Permanent && reading(&reply) == Reason::UserUnknown => {
                    ledger.told(&domain, CatchAll::RefusesUnknown);
                }
                Some(reply) if reply.code.class() == CodeClass::Permanent => ledger.told(&domain, CatchAll::Refuses),
                _ => ledger.untold(&domain),
            }
        }
    }

    /// The session is over.
    pub(super) fn ended(mut self, ledger: &mut Ledger<'_>, transcript: &Transcript) {
        self.follow(ledger, transcript);
        let (id, now) = (self.id, ledger.clock.now());
        ledger.tally.open = ledger.tally.open.saturating_sub(1);
        ledger.parting -= usize::from(self.parting);
        if let Some(destination) = ledger.at(id) {
            destination.open = destination.open.saturating_sub(1);
        }
        let failure = transcript.failure().map(|(_, stage, failure)| (stage, failure.kind.clone()));
        let failure = failure.filter(|(_, kind)| *kind != FailureKind::Interrupted);
        if self.introduced {
            self.settle(ledger, now, failure.as_ref());
        } else if !matches!(transcript.failure(), Some((_, _, failure)) if failure.kind == FailureKind::Interrupted) {
            self.not_begun(ledger, now, transcript, failure);
        }
        ledger.queue(id);
    }

    /// What is left of a session in which recipients were asked.
    fn settle(mut self, ledger: &mut Ledger<'_>, now: Elapsed, failure: Option<&(Stage, FailureKind)>) {
        let silent = matches!(failure, Some((_, FailureKind::TimedOut(_) | FailureKind::Stalled(_) | FailureKind::SessionTimeOver)));
        // With a reply missing in the middle, those that came may be the others'.
        let uncertain = self.out_of_step || (silent && self.awaited > 0 && self.group > 1);
        if uncertain {
            for (inquiry, _) in std::mem::take(&mut self.heard).into_iter().rev() {
                self.asked.push_front(inquiry);
            }
            self.refused_sender = None;
            if let Some(destination) = ledger.at(self.id) {
                destination.pipelining = false;
            }
            // One at a time it may do better, and at once.
            if self.pipelining {
                return self.end_transaction(ledger);
            }
        }
        self.commit(ledger);
        let why = match (&self.closing, failure) {
            _ if self.out_of_step => Some(Judgement::out_of_step(ledger.knowledge, &self.voice.host)),
            (Some((verb, reply)), _) => Some(Judgement::of_reply(ledger.knowledge, &self.voice, *verb, reply)),
            (None, Some((stage, kind))) => Some(Judgement::of_failure(ledger.knowledge, &self.voice.host, *stage, kind)),
            (None, None) => None,
        };
        let Some(why) = why else {
            self.end_transaction(ledger);
            return self.account(ledger, now);
        };
        if let (Some((_, reply)), Some(destination)) = (&self.closing, ledger.at(self.id)) {
            let push = if why.reason == Reason::TooManyConnections { Push::Connections } else { Push::Pace };
            // 221 is a farewell without a complaint.
            if reply.code.number() == 421 {
                destination.manners.pushed(now, push);
            }
        }
        // Where the next answer would have been, it went wrong.
        if let Some(at) = self.asked.iter().position(|inquiry| inquiry.said).filter(|_| self.refused_sender.is_none())
            && let Some(inquiry) = self.asked.remove(at)
        {
            if inquiry.put_off >= ledger.terms(self.id).retries {
                self.fruit += 1;
                ledger.judged(inquiry, why.clone());
            } else {
                self.put_back(ledger, Inquiry { put_off: inquiry.put_off + 1, ..inquiry });
            }
        }
        self.last = Some(why);
        self.end_transaction(ledger);
        self.account(ledger, now);
    }

    /// Whether it was worth it: a destination where session after session brings nothing is given up.
    fn account(self, ledger: &mut Ledger<'_>, now: Elapsed) {
        let retries = ledger.terms(self.id).retries;
        let Some(destination) = ledger.at(self.id) else { return };
        match self.last {
            _ if self.fruit > 0 => destination.fruitless = 0,
            Some(why) => {
                destination.fruitless += 1;
                destination.manners.pushed(now, Push::Pace);
                if destination.fruitless > retries {
                    ledger.end(self.id, &why);
                }
            }
            None => {}
        }
    }

    /// The session did not get as far as a transaction.
    fn not_begun(mut self, ledger: &mut Ledger<'_>, now: Elapsed, transcript: &Transcript, failure: Option<(Stage, FailureKind)>) {
        let terms = ledger.terms(self.id);
        let Some(destination) = ledger.at(self.id) else { return };
        // As mail servers do that take TLS only if they can get it.
        if self.tls == TlsUse::IfOffered && matches!(failure, Some((Stage::Tls, _))) {
            destination.in_the_clear = true;
            return;
        }
        // Another session has found the same, and something else is tried already.
        if destination.turn != self.turn {
            return;
        }
        // While others are talked to, it is the number of connections that is wrong.
        if destination.proven && destination.open > 0 {
            return destination.manners.pushed(now, Push::Connections);
        }
        let refusal = transcript.replies().rfind(|answer| answer.verb != Verb::Quit && !answer.is_yes()).map(|a| (a.verb, a.reply.clone()));
        let why = match (self.closing.take().or(refusal), failure) {
            (Some((verb, reply)), _) => Judgement::of_reply(ledger.knowledge, &self.voice, verb, &reply),
            (None, Some((stage, kind))) => Judgement::of_failure(ledger.knowledge, &self.voice.host, stage, &kind),
            (None, None) => Judgement::of_failure(ledger.knowledge, &self.voice.host, Stage::Ehlo, &FailureKind::Closed),
        };
        let Some(destination) = ledger.at(self.id) else { return };
        match destination.set_back(self.place, why, terms.retries, terms.limits.pause) {
            Round::Next => {}
            Round::Again(pause) => {
                destination.manners.rest(now, pause);
                ledger.wake_at(self.id, Elapsed(now.0.saturating_add(pause)));
            }
            Round::Over(why) => ledger.end(self.id, &why),
        }
    }
}
