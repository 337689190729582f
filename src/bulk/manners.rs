//! Politeness towards one destination: how many connections, how many recipients a second, when to wait, when to stop. Pure: it is
//! told the time.
//!
//! Whoever is pushed back halves its pace and waits; answers that go through bring the pace back step by step (additive increase,
//! multiplicative decrease, as TCP does: RFC 5681 §3.1).

use std::time::Duration;

use crate::smtp::Elapsed;

/// What one destination is burdened with at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Connections at a time, at least one.
    pub connections: usize,
    /// Recipients a second; none does not limit them.
    pub rate: Option<f64>,
    /// How long a pause is after the first push; each further one without an answer between them doubles it.
    pub pause: Duration,
    /// Pauses are no longer than this.
    pub longest_pause: Duration,
    /// Whether a destination is stopped where most of the users are unknown: it looks like guessing.
    pub unknown_users: UnknownUsers,
}

/// What is made of many unknown users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownUsers {
    /// The destination is stopped.
    Stop,
    /// Nothing: it is the user's own domain.
    Own,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2,
            rate: Some(50.0),
            pause: Duration::from_secs(30),
            longest_pause: Duration::from_secs(600),
            unknown_users: UnknownUsers::Stop,
        }
    }
}

/// How a server says that it is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// It asks for fewer connections.
    Connections,
    /// It asks for less, or for later.
    Pace,
    /// It does not take this client's mail at once, however slowly it comes: only time helps.
    Greylist,
}

/// What a mailbox was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A yes.
    Taken,
    /// There is none of that name.
    Unknown,
    /// A refusal for another reason.
    Refused,
}

/// Answers before the share of unknown users says anything.
const UNKNOWN_LEAST: u32 = 50;
/// Of a hundred answers so many unknown users look like guessing.
const UNKNOWN_PERCENT: u32 = 60;
/// The slowest pace: a recipient in ten seconds.
const SLOWEST: f64 = 0.1;
/// The pace that is halved where none was set.
const UNLIMITED: f64 = 100.0;
/// Answers that bring a tenth of the pace back.
const STEP: u32 = 20;

/// How one destination is treated now.
#[derive(Clone, Debug)]
pub struct Manners {
    limits: Limits,
    connections: usize,
    rate: Option<f64>,
    tokens: f64,
    filled: Elapsed,
    paused: Elapsed,
    /// Pushes without an answer between them.
    pushes: u32,
    /// Answers since the pace was changed last.
    since_change: u32,
    answers: u32,
    unknown: u32,
    refused: u32,
}

impl Manners {
    /// Those towards a destination that nothing is known of.
    #[must_use]
    pub fn new(limits: Limits, now: Elapsed) -> Self {
        Self {
            limits,
            connections: limits.connections.max(1),
            rate: limits.rate,
            tokens: limits.rate.map_or(0.0, |rate| rate.max(1.0)),
            filled: now,
            paused: Elapsed::default(),
            pushes: 0,
            since_change: 0,
            answers: 0,
            unknown: 0,
            refused: 0,
        }
    }

    /// From now on it is burdened with this at most. What was learnt of it stays: a pace that it has been pushed to is not quickened.
    pub fn limit(&mut self, now: Elapsed, limits: Limits) {
        if let Some(rate) = self.rate {
            self.fill(now, rate);
        }
        let connections = limits.connections.max(1);
        let was_pushed = self.connections < self.limits.connections.max(1);
        self.connections = if was_pushed { self.connections.min(connections) } else { connections };
        let was_slowed = self.rate != self.limits.rate;
        let rate = if was_slowed { [self.rate, limits.rate].into_iter().flatten().reduce(f64::min) } else { limits.rate };
        self.tokens = match (self.rate, rate) {
            (Some(_), Some(rate)) => self.tokens.min(rate.max(1.0)),
            (None, Some(rate)) => rate.max(1.0),
            (_, None) => 0.0,
        };
        (self.rate, self.filled, self.limits) = (rate, now, limits);
    }

    /// How many connections may be open.
    #[must_use]
    pub const fn connections(&self) -> usize {
        self.connections
    }

    /// Recipients a second; none if they are not limited.
    #[must_use]
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// How long nothing may be asked; none if something may.
    #[must_use]
    pub fn pause(&self, now: Elapsed) -> Option<Duration> {
        Some(self.paused.since(now)).filter(|left| !left.is_zero())
    }

    /// Takes leave to ask `wanted` recipients, and tells how many of them may be asked now.
    #[must_use]
    pub fn take(&mut self, now: Elapsed, wanted: usize) -> usize {
        if self.pause(now).is_some() {
            return 0;
        }
        let Some(rate) = self.rate else { return wanted };
        self.fill(now, rate);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the rate and not negative")]
        let granted = (self.tokens.floor() as usize).min(wanted);
        #[allow(clippy::cast_precision_loss, reason = "no more than there are tokens")]
        let spent = granted as f64;
        self.tokens -= spent;
        granted
    }

    /// Gives back the leave for `unused` recipients that were not asked after all.
    pub fn give_back(&mut self, unused: usize) {
        if let Some(rate) = self.rate {
            #[allow(clippy::cast_precision_loss, reason = "no more than were taken")]
            let unused = unused as f64;
            self.tokens = (self.tokens + unused).min(rate.max(1.0));
        }
    }

    /// How long to wait before it is worth asking again: until `wanted` may be asked, or as many as ever can be at once.
    #[must_use]
    pub fn wait(&self, now: Elapsed, wanted: usize) -> Duration {
        if let Some(pause) = self.pause(now) {
            return pause;
        }
        let Some(rate) = self.rate else { return Duration::ZERO };
        #[allow(clippy::cast_precision_loss, reason = "some hundreds at most")]
        let wanted = (wanted as f64).min(rate.max(1.0)).max(1.0);
        let there = self.tokens + now.since(self.filled).as_secs_f64() * rate;
        Duration::from_secs_f64(((wanted - there) / rate).max(0.0))
    }

    fn fill(&mut self, now: Elapsed, rate: f64) {
        let grown = now.since(self.filled).as_secs_f64() * rate;
        self.tokens = (self.tokens + grown).min(rate.max(1.0));
        self.filled = now;
    }

    /// The server pushed back. What it says several times in one breath counts once.
    pub fn pushed(&mut self, now: Elapsed, push: Push) {
        if self.pause(now).is_some() {
            return;
        }
        match push {
            // Its mailboxes are asked again later; others may be taken at once.
            Push::Greylist => return,
            Push::Connections if self.connections > 1 => self.connections /= 2,
            Push::Connections | Push::Pace => {
                self.fill(now, self.rate.unwrap_or(UNLIMITED));
                self.rate = Some((self.rate.unwrap_or(UNLIMITED) / 2.0).max(SLOWEST.min(self.limits.rate.unwrap_or(SLOWEST))));
                self.tokens = self.tokens.min(1.0);
            }
        }
        let doubled = self.limits.pause.saturating_mul(2_u32.saturating_pow(self.pushes.min(16)));
        self.paused = Elapsed(now.0.saturating_add(doubled.min(self.limits.longest_pause)));
        self.pushes = self.pushes.saturating_add(1);
        self.since_change = 0;
    }

    /// Nothing is asked for so long, because nobody could be reached.
    pub fn rest(&mut self, now: Elapsed, span: Duration) {
        self.paused = self.paused.max(Elapsed(now.0.saturating_add(span)));
    }

    /// A mailbox was answered for.
    pub fn answered(&mut self, what: Answered) {
        self.pushes = 0;
        self.answers = self.answers.saturating_add(1);
        self.unknown = self.unknown.saturating_add(u32::from(what == Answered::Unknown));
        self.refused = self.refused.saturating_add(u32::from(what != Answered::Taken));
        self.since_change += 1;
        if self.since_change >= STEP {
            self.since_change = 0;
            self.connections = (self.connections + 1).min(self.limits.connections.max(1));
            self.rate = match (self.rate, self.limits.rate) {
                (Some(rate), Some(limit)) => Some((rate + limit / 10.0).min(limit)),
                (Some(rate), None) if rate >= UNLIMITED => None,
                (Some(rate), None) => Some(rate + UNLIMITED / 10.0),
                (None, limit) => limit,
            };
        }
    }

    /// How many of a hundred recipients are to be expected to be refused, where it is `elsewhere` at the other destinations.
    #[must_use]
    pub const fn refusals(&self, elsewhere: u32) -> u32 {
        self.refused.saturating_mul(100).saturating_add(elsewhere.saturating_mul(20)) / self.answers.saturating_add(20)
    }

    /// The share of unknown users in percent, where it is so high that it looks like guessing; none if it is not.
    #[must_use]
    pub fn looks_like_guessing(&self) -> Option<u32> {
        let percent = self.unknown.saturating_mul(100) / self.answers.max(1);
        let judged = self.limits.unknown_users == UnknownUsers::Stop && self.answers >= UNKNOWN_LEAST;
        Some(percent).filter(|percent| judged && *percent > UNKNOWN_PERCENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Elapsed {
        Elapsed(Duration::from_millis(millis))
    }

    #[test]
    fn no_second_has_more_recipients_than_the_rate_after_the_first() {
        let mut manners = Manners::new(Limits::default(), at(0));
        for (millis, wanted, granted) in
            [(0, 100, 50), (0, 100, 0), (10, 100, 0), (500, 100, 25), (1000, 10, 10), (1000, 100, 15), (60_000, 100, 50), (60_020, 100, 1)]
        {
            assert_eq!(manners.take(at(millis), wanted), granted, "{millis} ms");
        }
        manners.give_back(1);
        assert_eq!(manners.take(at(60_020), 5), 1);
        let mut slow = Manners::new(Limits { rate: Some(0.5), ..Limits::default() }, at(0));
        assert_eq!((slow.take(at(0), 3), slow.take(at(1000), 3), slow.take(at(2000), 3)), (1, 0, 1));
        let mut free = Manners::new(Limits { rate: None, ..Limits::default() }, at(0));
        assert_eq!((free.take(at(0), 3000), free.wait(at(0), 100)), (3000, Duration::ZERO));
    }

    #[test]
    fn the_wait_ends_when_as_many_may_be_asked() {
        let mut manners = Manners::new(Limits { rate: Some(10.0), ..Limits::default() }, at(0));
        assert_eq!(manners.wait(at(0), 10), Duration::ZERO);
        let _ = manners.take(at(0), 10);
        for (wanted, millis) in [(1, 100), (5, 500), (10, 1000), (100, 1000)] {
            assert_eq!(manners.wait(at(0), wanted), Duration::from_millis(millis), "{wanted}");
        }
        let wait = manners.wait(at(0), 5);
        assert_eq!(manners.take(Elapsed(wait), 5), 5);
    }

    #[test]
    fn a_push_halves_the_pace_and_pauses_once_a_breath() {
        let limits = Limits { rate: Some(40.0), ..Limits::default() };
        let mut manners = Manners::new(limits, at(0));
        let steps =
            [(0, 20.0, 30), (30_000, 10.0, 60), (90_000, 5.0, 120), (210_000, 2.5, 240), (450_000, 1.25, 480), (930_000, 0.625, 600)];
        for (millis, rate, pause) in steps {
            for _ in 0..5 {
                manners.pushed(at(millis), Push::Pace);
            }
            assert_eq!(manners.rate(), Some(rate), "{millis}");
            assert_eq!(manners.pause(at(millis)), Some(Duration::from_secs(pause)));
            assert_eq!((manners.take(at(millis + 1), 9), manners.connections()), (0, 2));
        }
        for _ in 0..40 {
            manners.answered(Answered::Taken);
        }
        assert_eq!(manners.rate(), Some(8.625));
        manners.pushed(at(2_000_000), Push::Pace);
        assert_eq!(manners.pause(at(2_000_000)), Some(Duration::from_secs(30)), "an answer ends the row");
        for _ in 0..400 {
            manners.answered(Answered::Taken);
        }
        assert_eq!(manners.rate(), Some(40.0), "never above what was asked for");
        for _ in 0..1000 {
            manners.pushed(at(10_000_000), Push::Pace);
            manners.paused = Elapsed::default();
        }
        assert_eq!(manners.rate(), Some(SLOWEST));
    }

    #[test]
    fn too_many_connections_cost_connections_first() {
        let mut manners = Manners::new(Limits { connections: 8, rate: None, pause: Duration::ZERO, ..Limits::default() }, at(0));
        let seen: Vec<_> = (0..4)
            .map(|_| {
                manners.pushed(at(0), Push::Connections);
                (manners.connections(), manners.rate())
            })
            .collect();
        assert_eq!(seen, [(4, None), (2, None), (1, None), (1, Some(50.0))]);
        for _ in 0..20 * 20 {
            manners.answered(Answered::Taken);
        }
        assert_eq!((manners.connections(), manners.rate()), (8, None));
    }

    #[test]
    fn other_limits_hold_at_once_and_what_was_learnt_stays() {
        let limits = |rate, connections| Limits { rate, connections, pause: Duration::ZERO, ..Limits::default() };
        for (push, to, expected) in [
            (None, limits(Some(5.0), 1), (Some(5.0), 1)),
            (None, limits(Some(500.0), 9), (Some(500.0), 9)),
            (None, limits(None, 9), (None, 9)),
            (Some(Push::Pace), limits(Some(500.0), 9), (Some(20.0), 9)),
            (Some(Push::Pace), limits(Some(5.0), 9), (Some(5.0), 9)),
            (Some(Push::Pace), limits(None, 9), (Some(20.0), 9)),
            (Some(Push::Connections), limits(Some(500.0), 9), (Some(500.0), 2)),
            (Some(Push::Connections), limits(Some(500.0), 1), (Some(500.0), 1)),
        ] {
            let mut manners = Manners::new(limits(Some(40.0), 4), at(0));
            if let Some(push) = push {
                manners.pushed(at(0), push);
            }
            manners.limit(at(0), to);
            assert_eq!((manners.rate(), manners.connections()), expected, "{push:?} {to:?}");
            assert!(manners.take(at(0), 1000) <= 1000);
        }
        let mut free = Manners::new(limits(None, 1), at(0));
        free.limit(at(0), limits(Some(7.0), 1));
        assert_eq!(free.take(at(0), 100), 7);
        let mut spent = Manners::new(limits(Some(40.0), 1), at(0));
        let _ = spent.take(at(0), 40);
        spent.limit(at(100), limits(Some(100.0), 1));
        assert_eq!((spent.take(at(100), 100), spent.take(at(200), 100)), (4, 10));
    }

    #[test]
    fn greylisting_holds_up_nobody_else() {
        let mut manners = Manners::new(Limits::default(), at(0));
        manners.pushed(at(0), Push::Greylist);
        assert_eq!((manners.pause(at(0)), manners.rate()), (None, Some(50.0)));
    }

    #[test]
    fn many_unknown_users_look_like_guessing() {
        for (unknown, known, own, expected) in [
            (49, 0, UnknownUsers::Stop, None),
            (50, 0, UnknownUsers::Stop, Some(100)),
            (60, 40, UnknownUsers::Stop, None),
            (62, 38, UnknownUsers::Stop, Some(62)),
            (1000, 0, UnknownUsers::Own, None),
            (0, 1000, UnknownUsers::Stop, None),
        ] {
            let mut manners = Manners::new(Limits { unknown_users: own, ..Limits::default() }, at(0));
            for index in 0..unknown + known {
                manners.answered(if index < unknown { Answered::Unknown } else { Answered::Taken });
            }
            assert_eq!(manners.looks_like_guessing(), expected, "{unknown} {known}");
        }
    }

    #[test]
    fn what_was_refused_so_far_is_expected_to_go_on() {
        let mut manners = Manners::new(Limits::default(), at(0));
        let mut seen = vec![manners.refusals(50)];
        for what in [Answered::Taken, Answered::Refused, Answered::Unknown] {
            for _ in 0..100 {
                manners.answered(what);
            }
            seen.push(manners.refusals(50));
        }
        assert_eq!(seen, [50, 8, 50, 65]);
        assert_eq!(Manners::new(Limits::default(), at(0)).refusals(3), 3, "nothing is known of it but what is so elsewhere");
    }
}
