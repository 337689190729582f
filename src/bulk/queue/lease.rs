//! Who may talk to the destinations of a partition, and how long. Pure: it is told the time.
//!
//! The broker forgets a lease once its span has passed since it was taken or renewed last. Its holder counts from the moment at which
//! it asked for that, which lies before the broker's, and stops earlier: even if it was stopped or asleep, it does nothing under a lease
//! that somebody else may have.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

/// How long a lease lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(Duration);

impl Default for Span {
    /// 15 seconds: as long as a destination may be left alone when a worker dies.
    fn default() -> Self {
        Self(Duration::from_secs(15))
    }
}

impl Span {
    /// That of this length, but at least a second.
    #[must_use]
    pub fn new(length: Duration) -> Self {
        Self(length.max(Duration::from_secs(1)))
    }

    /// Its whole length.
    #[must_use]
    pub const fn length(self) -> Duration {
        self.0
    }

    /// How often whoever holds leases looks after them.
    #[must_use]
    pub fn beat(self) -> Duration {
        (self.0 / 12).min(Duration::from_secs(1))
    }
}

/// A moment by two clocks: one that is never set, and one that goes on while the machine sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    steady: Duration,
    wall: Duration,
}

impl Moment {
    /// At `steady` and `wall`, each since some beginning of its own.
    #[must_use]
    pub const fn new(steady: Duration, wall: Duration) -> Self {
        Self { steady, wall }
    }

    /// Now, for whoever began at `began`.
    #[must_use]
    pub fn now(began: Instant) -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { steady: began.elapsed(), wall }
    }

    /// How much time may have passed since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.steady.saturating_sub(earlier.steady).max(self.wall.saturating_sub(earlier.wall))
    }
}

/// How far a lease has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    /// Sessions may be held.
    Good,
    /// The same, and it is to be renewed.
    Due,
    /// Sessions are to be ended, and none is begun; there is time for a QUIT.
    Ending,
    /// Nothing may be said under it any more.
    Void,
}

impl Span {
    /// How far a lease has come that was asked for, or asked to be renewed, at `asked`.
    #[must_use]
    pub fn age(self, asked: Moment, now: Moment) -> Age {
        let passed = now.since(asked);
        match () {
            () if passed >= self.0 * 5 / 6 => Age::Void,
            () if passed >= self.0 * 2 / 3 => Age::Ending,
            () if passed >= self.0 / 3 => Age::Due,
            () => Age::Good,
        }
    }
}

/// What a worker sees of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Partitions with jobs.
    pub active: BTreeSet<u16>,
    /// Partitions that somebody holds, this worker among them.
    pub held: BTreeSet<u16>,
    /// Those that this worker holds.
    pub own: BTreeSet<u16>,
    /// How much it can do: its connections.
    pub weight: u64,
    /// How much the others can do.
    pub others: u64,
}

/// What a worker should do about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Take these.
    pub take: Vec<u16>,
    /// Give these up, because others have too few.
    pub give_up: Vec<u16>,
    /// Give these up, because there is nothing to do.
    pub idle: Vec<u16>,
}

impl View {
    /// How many of the active partitions are this worker's share; at least one, if there is any.
    #[must_use]
    pub fn share(&self) -> usize {
        let (weight, total) = (u128::from(self.weight.max(1)), u128::from(self.weight.max(1)) + u128::from(self.others));
        usize::try_from((self.active.len() as u128 * weight).div_ceil(total)).unwrap_or(self.active.len())
    }

    /// What to do; `turn` is where this worker begins to look, so that not all of them reach for the same one.
    #[must_use]
    pub fn moves(&self, turn: u16) -> Moves {
        let share = self.share();
        let busy: Vec<u16> = self.own.intersection(&self.active).copied().collect();
        let free = || self.active.difference(&self.held).copied().filter(|partition| !self.own.contains(partition));
        let in_turn = free().filter(|partition| *partition >= turn).chain(free().filter(|partition| *partition < turn));
        Moves {
            take: in_turn.take(share.saturating_sub(busy.len())).collect(),
            give_up: busy.get(share..).unwrap_or_default().to_vec(),
            idle: self.own.difference(&self.active).copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(steady: u64, wall: u64) -> Moment {
        Moment::new(Duration::from_millis(steady), Duration::from_millis(wall))
    }

    #[test]
    fn a_lease_ends_before_the_broker_forgets_it() {
        let span = Span::new(Duration::from_secs(12));
        for (now, age) in [
            (at(0, 5000), Age::Good),
            (at(3999, 8999), Age::Good),
            (at(4000, 9000), Age::Due),
            (at(7999, 12_999), Age::Due),
            (at(8000, 13_000), Age::Ending),
            (at(9999, 14_999), Age::Ending),
            (at(10_000, 15_000), Age::Void),
            (at(u64::MAX / 2, 5000), Age::Void),
            // The machine slept: only the wall clock went on.
            (at(100, 15_000), Age::Void),
            // The wall clock was set back.
            (at(100, 0), Age::Good),
            (at(10_000, 0), Age::Void),
        ] {
            assert_eq!(span.age(at(0, 5000), now), age, "{now:?}");
        }
        assert_eq!(Span::new(Duration::ZERO).length(), Duration::from_secs(1));
        assert!(Span::default().beat() * 4 < Span::default().length() / 3, "there is time for several tries to renew");
    }

    fn view(active: &[u16], held: &[u16], own: &[u16], weight: u64, others: u64) -> View {
        let set = |all: &[u16]| all.iter().copied().collect();
        View { active: set(active), held: set(held), own: set(own), weight, others }
    }

    #[test]
    fn each_worker_takes_its_share_and_no_more() {
        for (view, turn, take, give_up, idle) in [
            // Alone it takes all, from its turn on.
            (view(&[1, 2, 3], &[], &[], 500, 0), 2, &[2, 3, 1][..], &[][..], &[][..]),
            // Of two alike each takes half, rounded up.
            (view(&[1, 2, 3], &[], &[], 500, 500), 0, &[1, 2], &[], &[]),
            (view(&[1, 2, 3], &[1, 2], &[], 500, 500), 0, &[3], &[], &[]),
            // Whoever comes later gets what is over.
            (view(&[1, 2, 3, 4], &[1, 2, 3, 4], &[1, 2, 3, 4], 500, 500), 0, &[], &[3, 4], &[]),
            (view(&[1, 2, 3], &[1, 2, 3], &[1, 2, 3], 500, 500), 0, &[], &[3], &[]),
            (view(&[1, 2, 3], &[1, 2, 3], &[1, 2], 500, 500), 0, &[], &[], &[]),
            // A small machine beside a large one.
            (view(&[1, 2, 3, 4], &[], &[], 100, 300), 0, &[1], &[], &[]),
            (view(&[1, 2, 3, 4], &[], &[], 300, 100), 3, &[3, 4, 1], &[], &[]),
            (view(&[1], &[], &[], 1, u64::MAX), 0, &[1], &[], &[]),
            // What is held is left alone, be it by a worker that is not seen any more.
            (view(&[1, 2], &[1, 2], &[], 500, 0), 0, &[], &[], &[]),
            // Where there is nothing to do, nothing is kept.
            (view(&[2], &[1, 2], &[1, 2], 500, 0), 0, &[], &[], &[1]),
            (view(&[], &[], &[], 0, 0), 0, &[], &[], &[]),
        ] {
            let expected = Moves { take: take.to_vec(), give_up: give_up.to_vec(), idle: idle.to_vec() };
            assert_eq!(view.moves(turn), expected, "{view:?}");
        }
    }

    #[test]
    fn shares_settle_and_leave_nothing_out() {
        // Any number of workers, each doing what it should in turn, until nobody has anything to do.
        for (partitions, weights) in [(128, &[500, 500, 500][..]), (5, &[500, 500]), (1, &[1, 1, 1]), (128, &[10, 500]), (3, &[7; 10])] {
            let active: BTreeSet<u16> = (0..partitions).collect();
            let mut held: Vec<BTreeSet<u16>> = vec![BTreeSet::new(); weights.len()];
            held[0].clone_from(&active);
            let mut rounds = 0;
            loop {
                let before = held.clone();
                for (worker, weight) in weights.iter().enumerate() {
                    let all: BTreeSet<u16> = held.iter().flatten().copied().collect();
                    assert_eq!(all.len(), held.iter().map(BTreeSet::len).sum::<usize>(), "nobody holds what another holds");
                    let others = weights.iter().sum::<u64>() - weight;
                    let view = View { active: active.clone(), held: all, own: held[worker].clone(), weight: *weight, others };
                    let moves = view.moves(0);
                    held[worker].extend(moves.take);
                    held[worker].retain(|partition| !moves.give_up.contains(partition));
                }
                rounds += 1;
                if held == before {
                    break;
                }
            }
            assert!(rounds <= 4, "{rounds}");
            assert_eq!(held.iter().flatten().count(), usize::from(partitions), "{held:?}");
        }
    }
}
