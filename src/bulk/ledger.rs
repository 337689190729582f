//! The books of one run: which mailbox waits where, what is known of domains and destinations, and what has been answered.
//!
//! Everything in it is bounded: mailboxes by [`Order::window`] and [`Order::most`], domains and destinations by forgetting those with nothing left to
//! ask, duplicates by keeping the last answers alone.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::ops::ControlFlow;

use tokio::sync::Notify;

use super::destination::{Destination, Inquiry};
use super::domain::{CatchAll, Domain, Whereto};
use super::input::Entry;
use super::judgement::Judgement;
use super::lines::{Line, Lines, Listed};
use super::manners::{Answered, UnknownUsers};
use super::order::Order;
use super::overrides::Terms;
use super::plan::{DestinationKey, LONGEST_REST, Way};
use super::pool::{Permit, Pool};
use super::tally::Tally;
use super::{Answer, Guessing, Settled};
use crate::knowledge::{Confidence, Knowledge};
use crate::route::Route;
use crate::settings::{Clock, Controls, Settings};
use crate::smtp::Elapsed;
use crate::target::{Host, MailDomain, Mailbox, Port, Target};

/// Domains that are remembered at least.
const DOMAINS: usize = 16_384;
/// Accepted mailboxes of one domain that wait for its catch-all question at most.
const HELD: usize = 100;
/// How often the catch-all question is tried.
const CATCH_ALL_TRIES: u8 = 2;

/// Which session to begin.
pub(super) struct Start {
    pub(super) id: u32,
    pub(super) place: usize,
    pub(super) turn: u32,
    pub(super) host: Host,
    pub(super) address: std::net::SocketAddr,
    pub(super) pipelining: bool,
    pub(super) in_the_clear: bool,
    pub(super) is_mail_host: bool,
    /// Given back where the session ends, in whatever way.
    pub(super) permit: Permit,
}

/// The books.
pub(super) struct Ledger<'a> {
    pub(super) order: &'a Order,
    pub(super) settings: &'a Settings,
    pub(super) knowledge: &'a Knowledge,
    pub(super) clock: Clock,
    pool: &'a Pool,
    stir: &'a Notify,
    answer: &'a mut dyn FnMut(Answer) -> ControlFlow<()>,
    domains: HashMap<MailDomain, Domain>,
    tidy_at: usize,
    destinations: HashMap<u32, Destination>,
    next_id: u32,
    keys: HashMap<DestinationKey, u32>,
    lines: Lines,
    guessing: Guessing,
    sought: VecDeque<MailDomain>,
    /// Domains that are looked up again, and when; the time between is the same for all, so that they stand in order.
    sought_again: VecDeque<(Elapsed, MailDomain)>,
    ready: VecDeque<u32>,
    timers: BinaryHeap<Reverse<(Elapsed, u32)>>,
    /// Mailboxes that destinations have beyond their share of the window; exact when figures are taken.
    surplus: usize,
    /// Whether nothing new is begun.
    pub(super) finishing: bool,
    /// Sessions that are open and have said QUIT.
    pub(super) parting: usize,
    pub(super) tally: Tally,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        (order, settings, knowledge): (&'a Order, &'a Settings, &'a Knowledge),
        (clock, pool): (Clock, &'a Pool),
        stir: &'a Notify,
        answer: &'a mut dyn FnMut(Answer) -> ControlFlow<()>,
    ) -> Self {
        Self {
            order,
            settings,
            knowledge,
            clock,
            pool,
            stir,
            answer,
            domains: HashMap::new(),
            tidy_at: DOMAINS,
            destinations: HashMap::new(),
            next_id: 0,
            keys: HashMap::new(),
            lines: Lines::new(order.remembered),
            guessing: Guessing::default(),
            sought: VecDeque::new(),
            sought_again: VecDeque::new(),
            ready: VecDeque::new(),
            timers: BinaryHeap::new(),
            surplus: 0,
            finishing: false,
            parting: 0,
            tally: Tally::default(),
        }
    }

    /// How many more lines can be taken.
    pub(super) fn room(&self) -> usize {
        let waiting = usize::try_from(self.tally.read.saturating_sub(self.tally.answered())).unwrap_or(usize::MAX);
        let counted = waiting.saturating_sub(self.surplus);
        if self.finishing { 0 } else { self.order.most.saturating_sub(waiting).min(self.order.window.saturating_sub(counted)) }
    }

    /// Mailboxes of one destination that count as waiting.
    const fn share(&self) -> usize {
        self.order.window / 4
    }

    /// Whether all that was read is answered.
    pub(super) fn is_done(&self) -> bool {
        self.tally.all_read && self.tally.read == self.tally.answered()
    }

    /// Whether nobody is talked to any more; whoever has said QUIT need not wait for the reply.
    pub(super) const fn is_silent(&self) -> bool {
        self.tally.open == self.parting
    }

    /// How many of a hundred recipients have been refused so far, wherever that was; before anything is known, 50.
    pub(super) fn refusals(&self) -> u32 {
        let (taken, refused) = (self.tally.of(Settled::Accepted), self.tally.of(Settled::Rejected));
        u32::try_from((refused + 10) * 100 / (taken + refused + 20)).unwrap_or(100)
    }

    /// A line of the list, and where its mail goes if that is known; what is known of its domain already goes before that.
    pub(super) fn read(&mut self, entry: Entry, way: Option<Way>) {
        self.tally.read += 1;
        let listed = Listed { number: entry.line, input: entry.raw };
        let mailbox = match entry.mailbox {
            Ok(mailbox) => mailbox,
            Err(error) => return self.write(listed, None, &Judgement::invalid(self.knowledge, error.to_string()), None, None, 0),
        };
        let listed = match self.lines.ask(&mailbox, listed) {
            Line::First(listed) => listed,
            Line::Waits => return,
            Line::Answered(answer) => return self.give(answer),
        };
        let guessed = self.order.limits.unknown_users == UnknownUsers::Stop && self.guessing.notice(&mailbox);
        let domain = mailbox.domain().clone();
        let inquiry = Inquiry::new(mailbox, listed);
        self.seek(&domain, way);
        let Some(known) = self.domains.get_mut(&domain) else { return };
        known.open += 1;
        if guessed && known.refused.is_none() {
            self.refuse(&domain);
        }
        self.place(&domain, inquiry);
        if let Some(Whereto::At(id)) = self.domains.get(&domain).map(|known| &known.whereto)
            && self.destinations.get(id).is_some_and(|destination| destination.waits() > self.share())
        {
            self.surplus += 1;
        }
        if self.domains.len() > self.tidy_at {
            self.tidy();
        }
    }

    /// Has it looked up where a domain's mail goes, unless that is known for a short time, or somebody waits for it.
    fn seek(&mut self, domain: &MailDomain, way: Option<Way>) {
        let now = self.clock.now();
        let is_fresh = |known: &Domain| !known.is_done() || now.since(known.sought) < self.order.look_again;
        if self.domains.get(domain).is_some_and(is_fresh) {
            return;
        }
        let whereto = if let Some(way) = way {
            Whereto::At(self.destination(way, domain))
        } else {
            self.sought.push_back(domain.clone());
            Whereto::Sought(Vec::new())
        };
        let new = || Domain {
            whereto: Whereto::Sought(Vec::new()),
            sought: now,
            open: 0,
            held: Vec::new(),
            catch_all: CatchAll::Unasked(0),
            failed: 0,
            refused: None,
        };
        let known = self.domains.entry(domain.clone()).or_insert_with(new);
        (known.whereto, known.sought, known.failed) = (whereto, now, 0);
    }

    /// Puts an inquiry where its domain's mail goes.
    fn place(&mut self, domain: &MailDomain, inquiry: Inquiry) {
        let Some(known) = self.domains.get_mut(domain) else { return };
        let nowhere = match (&known.refused, &known.whereto) {
            (Some(refused), _) => Some(refused.clone()),
            (None, Whereto::Nowhere(judgement)) => Some(judgement.clone()),
            (None, Whereto::At(id)) => self.destinations.get(id).and_then(|destination| destination.end.clone()),
            (None, Whereto::Sought(_)) => None,
        };
        match (nowhere, &mut known.whereto) {
            (Some(judgement), _) => self.judged(inquiry, judgement),
            (None, Whereto::Sought(waiting)) => waiting.push(inquiry),
            (None, Whereto::At(id)) => {
                let id = *id;
                self.put_back(id, [inquiry]);
            }
            (None, Whereto::Nowhere(_)) => {}
        }
    }

    /// The addresses at a domain look generated: none of them is asked any more.
    fn refuse(&mut self, domain: &MailDomain) {
        let error = format!(
            "the addresses at {domain} look counted up or spelt through, as for guessing; --i-own-this-domain asks them all the same"
        );
        let judgement = Judgement::unasked(self.knowledge, error);
        let Some(known) = self.domains.get_mut(domain) else { return };
        known.refused = Some(judgement.clone());
        let waiting = match &mut known.whereto {
            Whereto::Sought(waiting) => std::mem::take(waiting),
            Whereto::At(id) => self.destinations.get_mut(id).map(|destination| destination.withdraw(domain)).unwrap_or_default(),
            Whereto::Nowhere(_) => Vec::new(),
        };
        for inquiry in waiting {
            self.judged(inquiry, judgement.clone());
        }
    }

    /// A domain whose mail hosts are to be looked up.
    pub(super) fn next_sought(&mut self) -> Option<MailDomain> {
        let next = if self.finishing { None } else { self.sought.pop_front() };
        self.tally.lookups.open += usize::from(next.is_some());
        next
    }

    /// The lookups of a domain are in.
    pub(super) fn routed(&mut self, domain: &MailDomain, target: &Target, route: &Route) {
        let port = self.settings.ports.first().copied().unwrap_or(Port::SMTP);
        let way = Way::along(route, &self.settings.servers, port);
        let lookups = &mut self.tally.lookups;
        lookups.open = lookups.open.saturating_sub(1);
        let has_failed = way.is_none() && Judgement::is_of_failed_lookup(route);
        *match &way {
            Some(_) => &mut lookups.found,
            None if has_failed => &mut lookups.failed,
            None => &mut lookups.none,
        } += 1;
        if let Some(known) = self.domains.get_mut(domain).filter(|known| has_failed && known.failed < self.order.retries) {
            known.failed += 1;
            let due = Elapsed(self.clock.now().0.saturating_add(self.order.retry_after));
            return self.sought_again.push_back((due, domain.clone()));
        }
        let whereto = match way {
            Some(way) => Whereto::At(self.destination(way, domain)),
            None => Whereto::Nowhere(Judgement::of_route(self.knowledge, route, target)),
        };
        let Some(known) = self.domains.get_mut(domain) else { return };
        if let Whereto::Sought(waiting) = std::mem::replace(&mut known.whereto, whereto) {
            for inquiry in waiting {
                self.place(domain, inquiry);
            }
        }
    }

    fn destination(&mut self, way: Way, domain: &MailDomain) -> u32 {
        let keys = way.keys();
        let (order, now) = (self.order, self.clock.now());
        let known = keys.iter().find_map(|key| self.keys.get(key).copied());
        let id = known.unwrap_or_else(|| {
            self.next_id = self.next_id.wrapping_add(1);
            let id = self.next_id;
            self.destinations.insert(id, Destination::new(way, order.terms(), self.settings.pipelining, now));
            id
        });
        if let Some(destination) = self.destinations.get_mut(&id).filter(|_| !order.overrides.is_empty()) {
            destination.choose(&order.overrides, domain, order.terms(), now);
        }
        for key in keys {
            self.keys.entry(key).or_insert(id);
        }
        id
    }

    /// How a destination is treated.
    pub(super) fn terms(&self, id: u32) -> Terms {
        self.destinations.get(&id).map_or_else(|| self.order.terms(), |destination| destination.terms)
    }

    pub(super) fn at(&mut self, id: u32) -> Option<&mut Destination> {
        self.destinations.get_mut(&id)
    }

    /// These are to be asked, after those that wait already.
    pub(super) fn put_back(&mut self, id: u32, inquiries: impl IntoIterator<Item = Inquiry>) {
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        let (end, mut ended) = (destination.end.clone(), Vec::new());
        for inquiry in inquiries {
            if end.is_some() { ended.push(inquiry) } else { destination.waiting.push(inquiry) }
        }
        if let Some(judgement) = end {
            for inquiry in ended {
                self.judged(inquiry, judgement.clone());
            }
        }
        self.queue(id);
    }

    /// This is to be asked again at `due`.
    pub(super) fn put_off(&mut self, id: u32, inquiry: Inquiry, due: Elapsed) {
        let Some(destination) = self.destinations.get_mut(&id).filter(|destination| destination.end.is_none()) else {
            return self.put_back(id, [inquiry]);
        };
        destination.later.push((due, inquiry));
        self.wake_at(id, due);
    }

    pub(super) fn wake_at(&mut self, id: u32, due: Elapsed) {
        self.timers.push(Reverse((due, id)));
        self.stir.notify_one();
    }

    /// A destination may have something to do.
    pub(super) fn queue(&mut self, id: u32) {
        if let Some(destination) = self.destinations.get_mut(&id)
            && !std::mem::replace(&mut destination.queued, true)
        {
            self.ready.push_back(id);
            self.stir.notify_one();
        }
    }

    /// Whether somebody else waits for a connection.
    pub(super) fn is_crowded(&self) -> bool {
        self.pool.is_full()
    }

    /// When something falls due; none if nothing will.
    pub(super) fn wake(&self) -> Option<Elapsed> {
        let timer = self.timers.peek().map(|Reverse((due, _))| *due);
        let lookup = self.sought_again.front().map(|(due, _)| *due);
        timer.into_iter().chain(lookup).min()
    }

    /// Queues what has fallen due.
    pub(super) fn due(&mut self) {
        let now = self.clock.now();
        while self.sought_again.front().is_some_and(|(due, _)| *due <= now)
            && let Some((_, domain)) = self.sought_again.pop_front()
        {
            self.sought.push_back(domain);
        }
        while self.timers.peek().is_some_and(|Reverse((due, _))| *due <= now)
            && let Some(Reverse((_, id))) = self.timers.pop()
        {
            if let Some(destination) = self.destinations.get_mut(&id) {
                destination.fall_due(now);
            }
            self.queue(id);
        }
    }

    /// The next session to begin; none if there is none now.
    pub(super) fn start(&mut self) -> Option<Start> {
        let now = self.clock.now();
        while !self.finishing
            && !self.is_crowded()
            && let Some(id) = self.ready.pop_front()
        {
            let Some(destination) = self.destinations.get_mut(&id) else { continue };
            destination.queued = false;
            if !destination.wants_a_session(self.order.usage.errors.most) {
                continue;
            }
            // A session that would have to leave before it may ask for anybody is not begun.
            let wait = Some(destination.manners.wait(now, 1)).filter(|wait| *wait > LONGEST_REST);
            if let Some(pause) = destination.manners.pause(now).or(wait) {
                self.wake_at(id, Elapsed(now.0.saturating_add(pause)));
                continue;
            }
            let Some((host, address)) = destination.way.addresses().get(destination.place).cloned() else { continue };
            let permit = self.pool.take();
            destination.open += 1;
            self.tally.open += 1;
            self.tally.begun += 1;
            let start = Start {
                id,
                place: destination.place,
                turn: destination.turn,
                host,
                address,
                pipelining: destination.pipelining,
                in_the_clear: destination.in_the_clear,
                is_mail_host: self.settings.servers.is_empty() && address.port() == Port::SMTP.number(),
                permit,
            };
            self.queue(id);
            return Some(start);
        }
        None
    }

    /// Nobody is asked at a destination any more: this is the answer for all.
    pub(super) fn end(&mut self, id: u32, judgement: &Judgement) {
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        destination.end = Some(judgement.clone());
        let inquiries = destination
            .waiting
            .take(|_| true)
            .into_iter()
            .chain(destination.later.drain(..).map(|(_, inquiry)| inquiry))
            .collect::<Vec<_>>();
        let due = std::mem::take(&mut destination.catch_alls);
        for inquiry in inquiries {
            self.judged(inquiry, judgement.clone());
        }
        for domain in due {
            self.told(&domain, CatchAll::Untold);
        }
    }

    /// What becomes of a mailbox is known; where it was accepted, up to the domain's catch-all question.
    pub(super) fn judged(&mut self, inquiry: Inquiry, judgement: Judgement) {
        let domain = inquiry.mailbox.domain().clone();
        let controls = self.settings.controls;
        let Some(known) = self.domains.get_mut(&domain) else { return };
        known.open = known.open.saturating_sub(1);
        let asks = match controls {
            Controls::Off => false,
            Controls::Auto => judgement.settled == Settled::Accepted,
            Controls::Always => judgement.code.is_some(),
        };
        if asks && matches!(known.catch_all, CatchAll::Unasked(_) | CatchAll::Due(_)) {
            known.held.push((inquiry, judgement));
        } else {
            let catch_all = known.catch_all;
            self.close(inquiry, judgement, catch_all);
        }
        self.consider(&domain);
    }

    /// Asks the catch-all question of a domain once there is nobody else left to ask, or too many wait for it.
    fn consider(&mut self, domain: &MailDomain) {
        let Some(known) = self.domains.get_mut(domain) else { return };
        let (CatchAll::Unasked(tries), Whereto::At(id)) = (known.catch_all, &known.whereto) else { return };
        if known.held.is_empty() || (known.open > 0 && known.held.len() < HELD) {
            return;
        }
        known.catch_all = CatchAll::Due(tries);
        let id = *id;
        match self.destinations.get_mut(&id) {
            Some(destination) if destination.end.is_none() => {
                destination.catch_alls.push_back(domain.clone());
                self.queue(id);
            }
            _ => self.told(domain, CatchAll::Untold),
        }
    }

    /// Somebody at `domain`, whose siblings can be made up.
    pub(super) fn somebody_at(&self, domain: &MailDomain) -> Option<&Mailbox> {
        self.domains.get(domain)?.held.first().map(|(inquiry, _)| &inquiry.mailbox)
    }

    /// The catch-all question of a domain had no answer: it is asked again, or given up.
    pub(super) fn untold(&mut self, domain: &MailDomain) {
        let Some(known) = self.domains.get_mut(domain) else { return };
        match known.catch_all {
            CatchAll::Due(tries) if tries + 1 < CATCH_ALL_TRIES => {
                known.catch_all = CatchAll::Unasked(tries + 1);
                self.consider(domain);
            }
            _ => self.told(domain, CatchAll::Untold),
        }
    }

    /// The catch-all question of a domain is answered.
    pub(super) fn told(&mut self, domain: &MailDomain, catch_all: CatchAll) {
        let Some(known) = self.domains.get_mut(domain) else { return };
        known.catch_all = catch_all;
        for (inquiry, judgement) in std::mem::take(&mut known.held) {
            self.close(inquiry, judgement, catch_all);
        }
    }

    fn close(&mut self, inquiry: Inquiry, mut judgement: Judgement, catch_all: CatchAll) {
        if judgement.settled == Settled::Accepted {
            judgement.confidence = match catch_all {
                CatchAll::Takes => Confidence::Unsure,
                CatchAll::RefusesUnknown => Confidence::Certain,
                _ => Confidence::Likely,
            };
        }
        let takes_all = match catch_all {
            CatchAll::Takes => Some(true),
            CatchAll::RefusesUnknown | CatchAll::Refuses => Some(false),
            _ => None,
        };
        let whereto = self.domains.get(inquiry.mailbox.domain()).map(|known| &known.whereto);
        let destination = match whereto {
            Some(Whereto::At(id)) => self.destinations.get(id).map(|destination| destination.name.clone()),
            _ => None,
        };
        let others = self.lines.others(&inquiry.mailbox);
        let Inquiry { mailbox, listed, asked, .. } = inquiry;
        for listed in std::iter::once(listed).chain(others) {
            self.write(listed, Some(&mailbox), &judgement, destination.clone(), takes_all, asked);
        }
        self.stir.notify_one();
    }

    fn write(
        &mut self,
        listed: Listed,
        mailbox: Option<&Mailbox>,
        judgement: &Judgement,
        destination: Option<String>,
        catch_all: Option<bool>,
        attempts: u32,
    ) {
        let answer = judgement.answer((listed.number, listed.input), mailbox, destination, catch_all, attempts);
        if let Some(mailbox) = mailbox {
            self.lines.keep(mailbox, &answer);
        }
        self.give(answer);
    }

    fn give(&mut self, answer: Answer) {
        if let Some(count) = self.tally.settled.get_mut(answer.outcome as usize) {
            *count += 1;
        }
        if (self.answer)(answer).is_break() {
            self.finishing = true;
            self.stir.notify_one();
        }
    }

    /// What a mailbox was answered with, for the destination's manners; where too many are, the destination is stopped.
    pub(super) fn count(&mut self, id: u32, what: Answered) {
        let Some(destination) = self.destinations.get_mut(&id).filter(|destination| destination.end.is_none()) else { return };
        destination.manners.answered(what);
        if let Some(percent) = destination.manners.looks_like_guessing() {
            let name = &destination.name;
            let error = format!(
                "stopped: {percent} % of the users asked for at {name} are unknown, as if they were guessed; --i-own-this-domain asks on"
            );
            let judgement = Judgement::unasked(self.knowledge, error);
            self.end(id, &judgement);
        }
    }

    /// Counts, and where most wait.
    pub(super) fn tally(&mut self) -> Tally {
        let share = self.share();
        self.surplus = self.destinations.values().map(|destination| destination.waits().saturating_sub(share)).sum();
        self.tally.with(self.destinations.values(), self.clock.now())
    }

    /// Forgets domains and destinations that have nothing left to ask.
    fn tidy(&mut self) {
        self.domains.retain(|_, domain| !domain.is_done());
        let used: std::collections::HashSet<u32> =
            self.domains.values().filter_map(|domain| if let Whereto::At(id) = domain.whereto { Some(id) } else { None }).collect();
        let now = self.clock.now();
        self.destinations.retain(|id, destination| used.contains(id) || !destination.is_idle(now));
        self.keys.retain(|_, id| self.destinations.contains_key(id));
        self.tidy_at = DOMAINS.max(self.domains.len() * 2);
    }
}
