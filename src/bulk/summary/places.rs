//! Counts by destination: the large ones exactly, however many small ones there are beside them.

use std::collections::HashMap;

use super::{Counts, DestinationRow};
use crate::bulk::Settled;

/// So many destinations are told apart while counting. What is dropped beyond has few answers: to be in the summary it would have to
/// come back with more than the fiftieth.
const HELD: usize = 8192;

/// A destination's name has at most so many octets, as a domain's has (RFC 1035 §2.3.4); what is longer is cut.
const NAME: usize = 255;

#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    held: HashMap<Box<str>, Counts>,
    /// What was dropped.
    dropped: Counts,
    nowhere: Counts,
}

impl Places {
    pub(super) fn add(&mut self, destination: Option<&str>, outcome: Settled) {
        let Some(name) = destination else {
            self.nowhere.count(outcome);
            return;
        };
        let end = (0..=NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
        let name = name.get(..end).unwrap_or_default();
        if let Some(counts) = self.held.get_mut(name) {
            counts.count(outcome);
            return;
        }
        if self.held.len() >= HELD {
            self.drop_smaller_half();
        }
        self.held.entry(name.into()).or_default().count(outcome);
    }

    /// The answers without a destination.
    pub(super) fn nowhere(&self) -> &Counts {
        &self.nowhere
    }

    /// The `count` largest, and all others together.
    pub(super) fn largest(&self, count: usize) -> (Vec<DestinationRow>, Counts) {
        let rows = self.held.iter().map(|(name, counts)| DestinationRow { destination: name.to_string(), counts: *counts });
        let mut rows: Vec<DestinationRow> = rows.collect();
        rows.sort_by(|a, b| b.counts.total().cmp(&a.counts.total()).then_with(|| a.destination.cmp(&b.destination)));
        let mut others = self.dropped;
        for row in rows.drain(count.min(rows.len())..) {
            others.add(&row.counts);
        }
        (rows, others)
    }

    fn drop_smaller_half(&mut self) {
        let (rows, others) = self.largest(HELD / 2);
        self.dropped = others;
        self.held = rows.into_iter().map(|row| (row.destination.into_boxed_str(), row.counts)).collect();
    }
}
