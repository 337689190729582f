//! How far a run has come, in figures.

use std::time::Duration;

use super::Settled;
use super::destination::Destination;
use crate::smtp::Elapsed;

/// So many destinations are told of by name.
pub const BUSIEST: usize = 10;

/// How far a run has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Lines read.
    pub read: u64,
    /// Lines answered, by what came of them: in the order of [`Settled`].
    pub settled: [u64; 6],
    /// Sessions open.
    pub open: usize,
    /// Sessions begun; connections that did not come about are among them.
    pub begun: u64,
    /// The search for the mail hosts of domains.
    pub lookups: Lookups,
    /// Mailboxes that wait for their turn at a destination.
    pub waiting: usize,
    /// Mailboxes that were put off, and are asked again later.
    pub put_off: usize,
    /// Destinations that are remembered.
    pub destinations: usize,
    /// The destinations with the most mailboxes waiting or put off, largest first; at most [`BUSIEST`], each name once.
    pub busiest: Vec<Busy>,
    /// The destination with the most mailboxes waiting, and how many; none if nobody waits.
    pub slowest: Option<(String, usize)>,
    /// Whether the whole list has been read.
    pub all_read: bool,
}

/// Domains whose mail hosts were looked for. One whose lookup is tried again counts each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// Those that have one with an address.
    pub found: u64,
    /// Those without.
    pub none: u64,
    /// Those for which it could not be found out.
    pub failed: u64,
    /// Those being looked for.
    pub open: usize,
}

/// One destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Busy {
    /// The name of its first host.
    pub name: String,
    /// Mailboxes that wait for their turn.
    pub waiting: usize,
    /// Mailboxes that were put off.
    pub put_off: usize,
    /// Sessions open.
    pub open: usize,
    /// Recipients a second that are allowed now; none if they are not limited.
    pub rate: Option<f64>,
    /// How long nothing is asked there; zero if something may be.
    pub pause: Duration,
}

impl Tally {
    /// Lines answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.settled.iter().sum()
    }

    /// Lines that came to `settled`.
    #[must_use]
    pub fn of(&self, settled: Settled) -> u64 {
        self.settled.get(settled as usize).copied().unwrap_or_default()
    }

    /// The same with what is known of `destinations`.
    pub(super) fn with<'a>(&self, destinations: impl Iterator<Item = &'a Destination>, now: Elapsed) -> Self {
        let mut tally = self.clone();
        let mut busy: Vec<&Destination> = Vec::new();
        for destination in destinations {
            tally.destinations += 1;
            tally.waiting += destination.waiting.len();
            tally.put_off += destination.later.len();
            if destination.waits() > 0 {
                busy.push(destination);
            }
        }
        // Names may be shared, so that a few more are looked at than are told of.
        let most = BUSIEST * 2;
        if busy.len() > most {
            busy.select_nth_unstable_by_key(most, |destination| std::cmp::Reverse(destination.waits()));
            busy.truncate(most);
        }
        busy.sort_by_key(|destination| std::cmp::Reverse(destination.waits()));
        tally.slowest = busy.first().map(|destination| (destination.name.clone(), destination.waits()));
        for destination in busy {
            if tally.busiest.len() < BUSIEST && !tally.busiest.iter().any(|known| known.name == destination.name) {
                tally.busiest.push(Busy {
                    name: destination.name.clone(),
                    waiting: destination.waiting.len(),
                    put_off: destination.later.len(),
                    open: destination.open,
                    rate: destination.manners.rate(),
                    pause: destination.manners.pause(now).unwrap_or_default(),
                });
            }
        }
        tally
    }
}
