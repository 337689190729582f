//! How long a list takes with so many workers and addresses, and what bounds it.
//!
//! Destinations of one kind are alike, so that one of each kind is [simulated](super::run), the largest in part; from its pace and from
//! how long its sessions are open follows what all of them need.

use std::time::Duration;

use smtpprobe::bulk::Order;

use super::run::{Course, Place, simulate};

/// So many mailboxes of one destination are simulated; beyond them its pace stays as it is.
const SIMULATED: u64 = 6_000;

/// How many destinations of a kind there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// So many, however long the list is.
    Fixed(u64),
    /// One for so many mailboxes each, up to a number.
    Growing { each: u64, most: u64 },
}

/// Destinations of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Of the list's mailboxes, from 0 to 1.
    pub(crate) share: f64,
    pub(crate) number: Number,
    /// Domains that lead to one of them; no more than it has mailboxes.
    pub(crate) domains: u64,
    /// One of them; how many mailboxes it has follows from the rest.
    pub(crate) place: Place,
}

impl Kind {
    /// How many destinations of this kind a list of `mailboxes` has.
    #[allow(clippy::cast_precision_loss, reason = "counts of mailboxes, as shares of each other")]
    pub(crate) fn count(&self, mailboxes: u64) -> f64 {
        match self.number {
            Number::Fixed(count) => count as f64,
            Number::Growing { each, most } => (mailboxes as f64 * self.share / each as f64).clamp(1.0, most as f64),
        }
    }
}

/// What the list is asked with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fleet {
    /// Processes, each with the connections, lookups and window of the order. A destination belongs to one of them, or they keep its
    /// limits together.
    pub(crate) workers: u64,
    /// Addresses that they connect from, where each destination allows its limits to each of them: only then.
    pub(crate) addresses: u64,
    /// Until the mail hosts of a domain and their addresses are known.
    pub(crate) lookup: Duration,
    /// Of one core, for each mailbox, and for each session.
    pub(crate) processor: [Duration; 2],
}

/// What a run cannot be faster than.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// One destination of this kind.
    Destination(&'static str),
    /// The time after which mailboxes are asked again that were put off.
    PutOff,
    /// Connections in all.
    Connections,
    Lookups,
    Processor,
}

/// How long a list takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forecast {
    /// In seconds.
    pub(crate) seconds: f64,
    /// What takes so long.
    pub(crate) bound: Bound,
    /// What the slowest destination, connections in all, lookups and processors would take each by itself, in seconds.
    pub(crate) each: [f64; 4],
}

/// What one destination of a kind needs.
struct Need {
    name: &'static str,
    count: f64,
    mailboxes: f64,
    place: Place,
}

/// How long it takes, and for how long its sessions are open, in seconds; and how many they are.
struct Needed {
    took: f64,
    open: f64,
    sessions: f64,
}

/// How long `mailboxes` take. A list longer than the window is in no order: so it is best, and so it is assumed.
#[allow(clippy::cast_precision_loss, reason = "counts of mailboxes, as shares of each other")]
pub(crate) fn forecast(order: &Order, kinds: &[Kind], mailboxes: u64, fleet: Fleet) -> Forecast {
    let (workers, addresses) = (fleet.workers as f64, fleet.addresses as f64);
    let all = mailboxes as f64;
    let mut lookups = 0.0;
    let mut needs = Vec::new();
    for kind in kinds {
        let of_kind = all * kind.share;
        let count = kind.count(mailboxes);
        lookups += count * (kind.domains as f64).min(of_kind / count).max(1.0);
        // To a destination that goes by addresses each of them is a client of its own.
        let split = addresses.min(of_kind / count).max(1.0);
        needs.push(Need { name: kind.name, count: count * split, mailboxes: (of_kind / count / split).max(1.0), place: kind.place });
    }
    let alone: Vec<Needed> = needs.iter().map(|need| need.course(order, None)).collect();
    let slowest = needs.iter().zip(&alone).map(|(need, needed)| (need.bound(order, needed.took), needed.took));
    let slowest = slowest.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((Bound::Processor, 0.0));
    let lookups = (Bound::Lookups, lookups * fleet.lookup.as_secs_f64() / (order.lookups as f64 * workers));
    let [mailbox, session] = fleet.processor.map(|time| time.as_secs_f64());
    let bounds = |all_needed: &[Needed]| {
        let sum = |of: fn(&Needed) -> f64| needs.iter().zip(all_needed).map(|(need, needed)| need.count * of(needed)).sum::<f64>();
        let connections = (Bound::Connections, sum(|needed| needed.open) / (order.connections as f64 * workers));
        let processor = (Bound::Processor, (all * mailbox + sum(|needed| needed.sessions) * session) / workers);
        [slowest, connections, lookups, processor]
    };
    let longest = |bounds: [(Bound, f64); 4]| bounds.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a }).unwrap_or(slowest);
    let mut each = bounds(&alone);
    if all > order.window as f64 * workers {
        // The slower the list is read, the fewer mailboxes of a small destination share a session.
        for _ in 0..6 {
            let spread = longest(each).1;
            each = bounds(&needs.iter().map(|need| need.course(order, Some(spread))).collect::<Vec<_>>());
            if longest(each).1 <= spread * 1.01 {
                break;
            }
        }
    }
    let (bound, seconds) = longest(each);
    Forecast { seconds, bound, each: each.map(|(_, seconds)| seconds) }
}

impl Need {
    /// What it is that takes so long there.
    fn bound(&self, order: &Order, took: f64) -> Bound {
        let waits = self.place.put_off > 0.0 && took < 2.0 * order.retry_after.as_secs_f64();
        if waits { Bound::PutOff } else { Bound::Destination(self.name) }
    }

    /// What one of them needs. Its mailboxes are there at once, or come while a list is read for `spread` seconds.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands at most")]
    fn course(&self, order: &Order, spread: Option<f64>) -> Needed {
        let simulated = (self.mailboxes.ceil() as u64).min(SIMULATED);
        let part = simulated as f64 / self.mailboxes.max(simulated as f64);
        let spread = spread.map(|seconds| Duration::from_secs_f64(seconds * part));
        let place = Place { mailboxes: simulated, ..self.place };
        let Course { took, quarters: [first, third], open, sessions } = simulate(order, &[place], spread);
        let (took, open) = (took.as_secs_f64(), open.as_secs_f64());
        // The first ones go ahead of the pace, and those put off come last: it is the pace between them that goes on.
        let each = third.saturating_sub(first).as_secs_f64() / (simulated as f64 / 2.0);
        let more = (self.mailboxes - simulated as f64).max(0.0);
        Needed { took: took + more * each, open: open / part, sessions: sessions as f64 / part }
    }
}
