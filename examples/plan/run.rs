//! One run of `bulk` over a list, event by event: sessions, groups of commands, pace and connections, without a network.
//!
//! Which recipients may be asked when is decided by the library's own [`Manners`], [`Capacity`], [`Usage`] and [`ErrorLimit`]; what is
//! simulated here is only the time that servers take. Left out are pushes of servers, failures, and the catch-all question.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use smtpprobe::bulk::Order;
use smtpprobe::bulk::manners::{Answered, Limits, Manners};
use smtpprobe::bulk::plan::{Capacity, LINGER, LINGERS, LONGEST_REST, Used, WORTHWHILE};
use smtpprobe::smtp::{Capabilities, Elapsed, ErrorLimit};

/// How long a destination's servers take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delays {
    /// Until a connection stands.
    pub(crate) connect: Duration,
    /// Until the greeting; until the reply to a command, or to a group of them.
    pub(crate) reply: Duration,
    /// For each recipient, beside that: the server looks it up.
    pub(crate) recipient: Duration,
    /// For STARTTLS from its reply on; none without TLS.
    pub(crate) handshake: Option<Duration>,
    /// Whether commands may go out together.
    pub(crate) pipelining: bool,
}

impl Delays {
    /// From the attempt to the moment when MAIL may be said: connection, greeting, EHLO, and STARTTLS with a second EHLO.
    fn introduction(&self) -> Duration {
        let tls = self.handshake.map_or(Duration::ZERO, |handshake| self.reply * 2 + handshake);
        self.connect + self.reply * 2 + tls
    }
}

/// A destination, and what the list holds of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) mailboxes: u64,
    pub(crate) limits: Limits,
    pub(crate) delays: Delays,
    /// The share of mailboxes that are unknown there, from 0 to 1.
    pub(crate) unknown: f64,
    /// The share that is put off when asked for the first time, from 0 to 1.
    pub(crate) put_off: f64,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Course {
    /// How long it took.
    pub(crate) took: Duration,
    /// When a quarter of the mailboxes were answered, and when three quarters were.
    pub(crate) quarters: [Duration; 2],
    /// For how long sessions were open, all of them together.
    pub(crate) open: Duration,
    pub(crate) sessions: u64,
}

/// Where a share of all is due: each time that it adds up to one.
#[derive(Clone, Copy, Debug, Default)]
struct Share(f64);

impl Share {
    fn falls(&mut self, share: f64) -> bool {
        self.0 += share;
        let falls = self.0 >= 1.0;
        self.0 -= f64::from(u8::from(falls));
        falls
    }
}

struct State {
    place: Place,
    manners: Manners,
    capacity: Capacity,
    /// Mailboxes that wait: for the first time, and once more.
    fresh: u64,
    again: u64,
    open: usize,
    greets: bool,
    queued: bool,
    unknown: Share,
    put_off: Share,
    lot: Lot,
}

/// Those who are drawn from at random, as the library draws them: what has become of some tells what to expect of the rest.
#[derive(Clone, Copy, Debug, Default)]
struct Lot {
    number: u64,
    left: u64,
    answered: usize,
    refused: usize,
}

impl Lot {
    /// Of a hundred so many are expected to be refused.
    fn refusals(&self) -> usize {
        (self.refused + 10) * 100 / (self.answered + 20)
    }
}

impl State {
    fn waiting(&self) -> usize {
        usize::try_from(self.fresh + self.again).unwrap_or(usize::MAX)
    }
}

#[derive(Default)]
struct Talking {
    place: usize,
    began: Duration,
    used: Used,
    /// Recipients of the transaction that have not been asked, and those asked in the group whose replies are awaited.
    left: (u64, u64),
    asked: (u64, u64),
    refusals: usize,
    lingered: u32,
    lot: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The list brings a mailbox of this place.
    Brought(usize),
    /// A mailbox that was put off is asked again.
    Due(usize),
    /// A place may be asked again.
    Wake(usize),
    /// A place has greeted a session.
    Greeted(usize),
    /// What this session waits for is there.
    Step(u64),
    /// This session has been closed.
    Closed(u64),
}

/// Simulates a run over `places`. Their mailboxes are there at once, or come in no order while the list is read for `spread`.
pub(crate) fn simulate(order: &Order, places: &[Place], spread: Option<Duration>) -> Course {
    Run::new(order, places, spread).held()
}

struct Run<'a> {
    order: &'a Order,
    now: Duration,
    places: Vec<State>,
    sessions: BTreeMap<u64, Talking>,
    next: u64,
    ready: VecDeque<usize>,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    count: u64,
    to_come: u64,
    total: u64,
    answered: u64,
    refused: u64,
    course: Course,
}

impl<'a> Run<'a> {
    fn new(order: &'a Order, places: &[Place], spread: Option<Duration>) -> Self {
        let state = |place: &Place| State {
            place: *place,
            manners: Manners::new(place.limits, Elapsed::default()),
            capacity: Capacity::default(),
            fresh: 0,
            again: 0,
            open: 0,
            greets: false,
            queued: false,
            unknown: Share::default(),
            put_off: Share::default(),
            lot: Lot::default(),
        };
        let total = places.iter().map(|place| place.mailboxes).sum();
        let mut run = Self {
            order,
            now: Duration::ZERO,
            places: places.iter().map(state).collect(),
            sessions: BTreeMap::new(),
            next: 0,
            ready: VecDeque::new(),
            events: BinaryHeap::new(),
            count: 0,
            to_come: if spread.is_some() { total } else { 0 },
            total,
            answered: 0,
            refused: 0,
            course: Course::default(),
        };
        // A fixed seed: the same question has the same answer.
        let mut random = fastrand::Rng::with_seed(1);
        for (place, Place { mailboxes, .. }) in places.iter().enumerate() {
            match spread {
                Some(spread) => (0..*mailboxes).for_each(|_| run.at(spread.mul_f64(random.f64()), Event::Brought(place))),
                None => run.wait_at(place, *mailboxes),
            }
        }
        run
    }

    fn at(&mut self, when: Duration, event: Event) {
        self.count += 1;
        self.events.push(Reverse((when, self.count, event)));
    }

    fn after(&mut self, span: Duration, event: Event) {
        self.at(self.now + span, event);
    }

    fn wait_at(&mut self, place: usize, mailboxes: u64) {
        self.places[place].fresh += mailboxes;
        self.queue(place);
    }

    fn queue(&mut self, place: usize) {
        if !std::mem::replace(&mut self.places[place].queued, true) {
            self.ready.push_back(place);
        }
    }

    fn held(mut self) -> Course {
        self.start();
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            self.now = now;
            match event {
                Event::Brought(place) => {
                    self.to_come -= 1;
                    self.wait_at(place, 1);
                }
                Event::Due(place) => {
                    self.places[place].again += 1;
                    self.queue(place);
                }
                Event::Wake(place) => self.queue(place),
                Event::Greeted(place) => {
                    self.places[place].greets = true;
                    self.queue(place);
                }
                Event::Step(session) => self.step(session),
                Event::Closed(session) => {
                    if let Some(talking) = self.sessions.remove(&session) {
                        self.course.open += now.saturating_sub(talking.began);
                        self.course.took = now;
                        self.places[talking.place].open -= 1;
                        self.queue(talking.place);
                    }
                }
            }
            self.start();
        }
        self.course
    }

    /// Begins sessions as long as there are connections for them: a destination's first, and further ones that have a group of
    /// recipients for themselves.
    fn start(&mut self) {
        while self.sessions.len() < self.order.connections
            && let Some(place) = self.ready.pop_front()
        {
            let state = &mut self.places[place];
            state.queued = false;
            let allowed = if state.greets { state.manners.connections() } else { 1 };
            let waiting = state.waiting();
            let worthwhile = state.open == 0 || waiting > state.open * self.order.usage.errors.most;
            if waiting == 0 || state.open >= allowed || !worthwhile {
                continue;
            }
            let wait = state.manners.wait(Elapsed(self.now), 1);
            if wait > LONGEST_REST {
                self.after(wait, Event::Wake(place));
                continue;
            }
            let state = &mut self.places[place];
            state.open += 1;
            let delays = state.place.delays;
            let used = Used { began: Elapsed(self.now), ..Used::default() };
            self.next += 1;
            self.sessions.insert(self.next, Talking { place, began: self.now, used, ..Talking::default() });
            self.course.sessions += 1;
            self.after(delays.connect + delays.reply, Event::Greeted(place));
            self.after(delays.introduction(), Event::Step(self.next));
            self.queue(place);
        }
    }

    fn step(&mut self, session: u64) {
        let Some(mut talking) = self.sessions.remove(&session) else { return };
        let place = talking.place;
        self.hear(&mut talking);
        let errors = self.order.usage.errors;
        let next = if talking.refusals >= errors.enough {
            let (fresh, again) = std::mem::take(&mut talking.left);
            self.places[place].fresh += fresh;
            self.places[place].again += again;
            None
        } else if talking.left != (0, 0) {
            Some(self.say(&mut talking, 0))
        } else {
            self.begin(&mut talking)
        };
        match next {
            Some(span) => self.after(span, Event::Step(session)),
            None => self.after(self.places[place].place.delays.reply, Event::Closed(session)),
        }
        self.sessions.insert(session, talking);
    }

    /// The replies to a group are there.
    fn hear(&mut self, talking: &mut Talking) {
        let (fresh, again) = std::mem::take(&mut talking.asked);
        for index in 0..fresh + again {
            let state = &mut self.places[talking.place];
            if index < fresh && state.put_off.falls(state.place.put_off) {
                talking.refusals += 1;
                self.after(self.order.retry_after, Event::Due(talking.place));
                continue;
            }
            let is_unknown = state.unknown.falls(state.place.unknown);
            talking.refusals += usize::from(is_unknown);
            state.manners.answered(if is_unknown { Answered::Unknown } else { Answered::Taken });
            if state.lot.number == talking.lot {
                state.lot.answered += 1;
                state.lot.refused += usize::from(is_unknown);
            }
            self.answered += 1;
            self.refused += u64::from(is_unknown);
            for (quarters, at) in [1, 3].into_iter().zip(&mut self.course.quarters) {
                if self.answered * 4 <= self.total * quarters {
                    *at = self.now;
                }
            }
        }
    }

    /// The next transaction, and how long until something comes of it; none if the session leaves.
    fn begin(&mut self, talking: &mut Talking) -> Option<Duration> {
        let now = Elapsed(self.now);
        let crowded = self.sessions.len() + 1 >= self.order.connections;
        let state = &mut self.places[talking.place];
        let waiting = state.waiting();
        if waiting == 0 {
            let stays = self.to_come > 0 && !crowded && talking.lingered < LINGERS;
            talking.lingered += 1;
            return stays.then_some(LINGER);
        }
        talking.lingered = 0;
        let share = waiting.div_ceil(state.manners.connections()).max(self.order.usage.errors.most).min(waiting);
        let most = state.capacity.next(&self.order.usage, &Capabilities::default(), talking.used, now, share);
        if most == 0 {
            return None;
        }
        let wait = state.manners.wait(now, most.min(WORTHWHILE));
        if wait > LONGEST_REST {
            return None;
        }
        if !wait.is_zero() {
            return Some(wait);
        }
        let granted = state.manners.take(now, most);
        if state.lot.left == 0 {
            state.lot = Lot { number: state.lot.number + 1, left: state.fresh + state.again, ..Lot::default() };
        }
        let drawn = granted.min(usize::try_from(state.lot.left).unwrap_or(usize::MAX));
        state.manners.give_back(granted - drawn);
        let granted = u64::try_from(drawn).unwrap_or(u64::MAX);
        state.lot.left -= granted;
        talking.lot = state.lot.number;
        let fresh = granted.min(state.fresh);
        talking.left = (fresh, granted - fresh);
        state.fresh -= fresh;
        state.again -= granted - fresh;
        talking.used.recipients += usize::try_from(granted).unwrap_or(usize::MAX);
        let reset = usize::from(talking.used.transactions > 0);
        talking.used.transactions += 1;
        Some(self.say(talking, reset + 1))
    }

    /// Of a hundred recipients so many have been refused so far, wherever that was.
    fn refusals(&self) -> u32 {
        u32::try_from((self.refused + 10) * 100 / (self.answered + 20)).unwrap_or(100)
    }

    /// Says a group of commands, of which so many go before the recipients; returns how long until all replies are there.
    fn say(&self, talking: &mut Talking, mut before: usize) -> Duration {
        let state = &self.places[talking.place];
        let delays = state.place.delays;
        let percent = usize::try_from(state.manners.refusals(self.refusals())).unwrap_or(100);
        let drawn = (talking.lot == state.lot.number).then(|| state.lot.refusals());
        let group = ErrorLimit { percent, drawn, ..self.order.usage.errors }.group(talking.refusals);
        let mut span = delays.reply;
        if !delays.pipelining {
            // MAIL and RSET have replies of their own.
            span += delays.reply * u32::try_from(before).unwrap_or(0);
            before = 0;
        }
        while delays.pipelining && before >= group {
            before -= group;
            span += delays.reply;
        }
        let room = if delays.pipelining { u64::try_from(group - before).unwrap_or(1) } else { 1 };
        let fresh = room.min(talking.left.0);
        let again = (room - fresh).min(talking.left.1);
        talking.left = (talking.left.0 - fresh, talking.left.1 - again);
        talking.asked = (fresh, again);
        span + delays.recipient * u32::try_from(fresh + again).unwrap_or(0)
    }
}
