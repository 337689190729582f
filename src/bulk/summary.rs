//! What became of a list, counted while its answers stream by: memory does not grow with the list.

mod places;
mod timeline;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Settled};
use crate::knowledge::{Actor, Reason};
use places::Places;
use timeline::Timeline;

/// The name and version of the contract.
pub const SUMMARY_SCHEMA: &str = "smtpprobe.bulk_summary/1";

/// So many destinations are told apart in a summary.
pub const DESTINATIONS: usize = 50;

/// How many answers there were of each outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// The server takes mail for it.
    pub accepted: u64,
    /// Refused for good.
    pub rejected: u64,
    /// "Not now" for as long as was allowed.
    pub deferred: u64,
    /// No conversation came about.
    pub unreachable: u64,
    /// It cannot be told.
    pub inconclusive: u64,
    /// The line is no address.
    pub invalid: u64,
}

impl Counts {
    /// The outcomes with their counts, in a fixed order.
    #[must_use]
    pub const fn each(&self) -> [(Settled, u64); 6] {
        [
            (Settled::Accepted, self.accepted),
            (Settled::Rejected, self.rejected),
            (Settled::Deferred, self.deferred),
            (Settled::Unreachable, self.unreachable),
            (Settled::Inconclusive, self.inconclusive),
            (Settled::Invalid, self.invalid),
        ]
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.each().iter().map(|(_, count)| count).sum()
    }

    fn count(&mut self, outcome: Settled) {
        *match outcome {
            Settled::Accepted => &mut self.accepted,
            Settled::Rejected => &mut self.rejected,
            Settled::Deferred => &mut self.deferred,
            Settled::Unreachable => &mut self.unreachable,
            Settled::Inconclusive => &mut self.inconclusive,
            Settled::Invalid => &mut self.invalid,
        } += 1;
    }

    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.deferred += other.deferred;
        self.unreachable += other.unreachable;
        self.inconclusive += other.inconclusive;
        self.invalid += other.invalid;
    }
}

/// Answers, counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    outcomes: Counts,
    catch_all: u64,
    reasons: BTreeMap<(Settled, Reason, Actor), u64>,
    places: Places,
    times: Timeline,
}

/// What became of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Always `smtpprobe.bulk_summary/1`.
    pub schema: String,
    /// How many lines were answered.
    pub total: u64,
    /// The same by outcome.
    pub outcomes: Counts,
    /// Of those accepted, how many are at domains that take mail for any address.
    pub accepted_at_catch_all: u64,
    /// By reason, largest first.
    pub reasons: Vec<ReasonRow>,
    /// The destinations with the most answers, at most 50, largest first. Once more than 8,192 were met, the smaller half is dropped
    /// each time: then a count may lack what came before such a moment.
    pub destinations: Vec<DestinationRow>,
    /// All other destinations in one.
    pub other_destinations: Counts,
    /// Answers whose line never came so far as to have a destination.
    pub no_destination: Counts,
    /// How long each of `times` is, in seconds; 0 if there is none.
    pub seconds: i64,
    /// When the answers came, in order; times without answers are left out.
    pub times: Vec<TimeRow>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasonRow {
    /// What came of it.
    pub outcome: Settled,
    /// Why.
    pub reason: Reason,
    /// Who acts first.
    pub actor: Actor,
    /// How often.
    pub count: u64,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DestinationRow {
    /// The name of its first host.
    pub destination: String,
    /// What came of its lines.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeRow {
    /// When it began (RFC 3339, UTC).
    pub from: String,
    /// What came in it.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Tally {
    /// Counts one answer.
    pub fn add(&mut self, answer: &Answer) {
        self.outcomes.count(answer.outcome);
        let is_accepted = answer.outcome == Settled::Accepted;
        self.catch_all += u64::from(is_accepted && answer.catch_all == Some(true));
        *self.reasons.entry((answer.outcome, answer.reason, answer.actor)).or_default() += 1;
        self.places.add(answer.destination.as_deref(), answer.outcome);
        self.times.add(&answer.at, answer.outcome);
    }

    /// What has been counted so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let row = |((outcome, reason, actor), count): (&(Settled, Reason, Actor), &u64)| ReasonRow {
            outcome: *outcome,
            reason: *reason,
            actor: *actor,
            count: *count,
        };
        let mut reasons: Vec<ReasonRow> = self.reasons.iter().map(row).collect();
        reasons.sort_by_key(|row| std::cmp::Reverse(row.count));
        let (destinations, other_destinations) = self.places.largest(DESTINATIONS);
        Summary {
            schema: SUMMARY_SCHEMA.to_owned(),
            total: self.outcomes.total(),
            outcomes: self.outcomes,
            accepted_at_catch_all: self.catch_all,
            reasons,
            destinations,
            other_destinations,
            no_destination: *self.places.nowhere(),
            seconds: self.times.seconds(),
            times: self.times.rows(),
        }
    }
}

#[cfg(test)]
mod tests;
