//! What is known of one destination, and who waits there.

use std::collections::VecDeque;
use std::time::Duration;

use super::Settled;
use super::judgement::Judgement;
use super::lines::Listed;
use super::manners::Manners;
use super::overrides::{Overrides, Terms};
use super::plan::{Capacity, Way};
use super::waiting::Waiting;
use crate::smtp::Elapsed;
use crate::target::{MailDomain, Mailbox};

/// One mailbox to be asked for.
#[derive(Clone, Debug)]
pub(super) struct Inquiry {
    pub(super) mailbox: Mailbox,
    pub(super) listed: Listed,
    /// How often RCPT was said for it.
    pub(super) asked: u32,
    /// How often it was put off.
    pub(super) put_off: u32,
    /// Whether RCPT has been said for it in the transaction that is being held.
    pub(super) said: bool,
    /// The lot that it was drawn from; zero before that.
    pub(super) lot: u32,
}

impl Inquiry {
    pub(super) const fn new(mailbox: Mailbox, listed: Listed) -> Self {
        Self { mailbox, listed, asked: 0, put_off: 0, said: false, lot: 0 }
    }
}

/// What came of a round over all addresses of a destination, none of which could be talked to.
pub(super) enum Round {
    /// There is another address to try.
    Next,
    /// All of them are tried again, after this time.
    Again(Duration),
    /// It is given up.
    Over(Judgement),
}

/// A destination.
#[allow(clippy::struct_excessive_bools, reason = "each is learnt by itself")]
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) name: String,
    pub(super) way: Way,
    /// Which of its addresses is used.
    pub(super) place: usize,
    /// Why addresses could not be talked to, by their place.
    setbacks: Vec<Option<Judgement>>,
    rounds: u32,
    pub(super) terms: Terms,
    /// Which of the user's entries they come from.
    pub(super) chosen: Option<usize>,
    pub(super) capacity: Capacity,
    pub(super) manners: Manners,
    pub(super) waiting: Waiting,
    pub(super) later: Vec<(Elapsed, Inquiry)>,
    /// Domains whose catch-all question is to be asked.
    pub(super) catch_alls: VecDeque<MailDomain>,
    /// Sessions open.
    pub(super) open: usize,
    /// Whether a connection to the address in use has come about.
    pub(super) is_there: bool,
    /// How often an address could not be talked to. Sessions that began before the last time have nothing to add to it.
    pub(super) turn: u32,
    /// Whether a session has got as far as MAIL at the address in use.
    pub(super) proven: bool,
    pub(super) pipelining: bool,
    /// Whether TLS is left out, because it was offered and failed.
    pub(super) in_the_clear: bool,
    /// Sessions in a row that brought no answer.
    pub(super) fruitless: u32,
    pub(super) queued: bool,
    /// The answer for everybody, once there is nothing more to be asked.
    pub(super) end: Option<Judgement>,
}

impl Destination {
    pub(super) fn new(way: Way, terms: Terms, pipelining: bool, now: Elapsed) -> Self {
        Self {
            name: way.name(),
            setbacks: vec![None; way.addresses().len()],
            way,
            place: 0,
            rounds: 0,
            terms,
            chosen: None,
            capacity: Capacity::default(),
            manners: Manners::new(terms.limits, now),
            waiting: Waiting::default(),
            later: Vec::new(),
            catch_alls: VecDeque::new(),
            open: 0,
            is_there: false,
            turn: 0,
            proven: false,
            pipelining,
            in_the_clear: false,
            fruitless: 0,
            queued: false,
            end: None,
        }
    }

    /// Finds the entry that is meant for it, now that mail for `domain` goes there, too.
    pub(super) fn choose(&mut self, overrides: &Overrides, domain: &MailDomain, terms: Terms, now: Elapsed) {
        let chosen = overrides.choose(&self.way, domain, self.chosen);
        if chosen != self.chosen {
            self.chosen = chosen;
            self.terms = overrides.terms(chosen, terms);
            self.manners.limit(now, self.terms.limits);
        }
    }

    /// Whether another session is worth its while. The first one finds out whether there is anybody to talk to; a further one has
    /// to have a group of recipients for itself.
    pub(super) fn wants_a_session(&self, group: usize) -> bool {
        let has_work = !self.waiting.is_empty() || !self.catch_alls.is_empty();
        let allowed = if self.is_there { self.manners.connections() } else { 1 };
        self.end.is_none() && has_work && self.open < allowed && (self.open == 0 || self.waiting.len() > self.open * group)
    }

    /// Mailboxes that wait.
    pub(super) fn waits(&self) -> usize {
        self.waiting.len() + self.later.len()
    }

    pub(super) fn is_idle(&self, now: Elapsed) -> bool {
        let has_nobody = self.waits() == 0 && self.open == 0 && self.catch_alls.is_empty();
        has_nobody && self.manners.pause(now).is_none()
    }

    /// Those whose time has come wait again.
    pub(super) fn fall_due(&mut self, now: Elapsed) {
        let (due, later) = std::mem::take(&mut self.later).into_iter().partition(|(due, _)| *due <= now);
        self.later = later;
        let due: Vec<(Elapsed, Inquiry)> = due;
        for (_, inquiry) in due {
            self.waiting.push(inquiry);
        }
    }

    /// Takes out those of a domain who wait.
    pub(super) fn withdraw(&mut self, domain: &MailDomain) -> Vec<Inquiry> {
        let mut out = self.waiting.take(|inquiry| inquiry.mailbox.domain() == domain);
        let (of_domain, later) = std::mem::take(&mut self.later).into_iter().partition(|(_, inquiry)| inquiry.mailbox.domain() == domain);
        self.later = later;
        let of_domain: Vec<(Elapsed, Inquiry)> = of_domain;
        out.extend(of_domain.into_iter().map(|(_, inquiry)| inquiry));
        out
    }

    /// A session at the address in use can be worked with.
    pub(super) fn prove(&mut self) {
        self.proven = true;
        self.rounds = 0;
        self.setbacks.fill(None);
    }

    /// The address at `place` could not be talked to.
    pub(super) fn set_back(&mut self, place: usize, why: Judgement, retries: u32, pause: Duration) -> Round {
        if let Some(setback) = self.setbacks.get_mut(place) {
            *setback = Some(why.clone());
        }
        (self.is_there, self.proven) = (false, false);
        self.turn = self.turn.wrapping_add(1);
        if let Some(next) = self.setbacks.iter().position(Option::is_none) {
            self.place = next;
            return Round::Next;
        }
        let worst = self.setbacks.drain(..).flatten().max_by_key(Judgement::weight).unwrap_or(why);
        self.setbacks = vec![None; self.way.addresses().len()];
        self.place = 0;
        self.rounds += 1;
        let allowed = match worst.settled {
            Settled::Rejected => 0,
            Settled::Deferred => retries,
            // Where nobody answers, a second look is enough.
            _ => retries.min(1),
        };
        if self.rounds > allowed { Round::Over(worst) } else { Round::Again(pause) }
    }
}
