//! Counts by time, in stretches that grow with the run so that there are never many.

use std::collections::BTreeMap;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::{Counts, TimeRow};
use crate::bulk::Settled;

/// So many stretches lie between the first and the last answer at most.
const STRETCHES: i64 = 120;

/// How long a stretch can be, in seconds; each is a multiple of the one before. Beyond the last they double.
const WIDTHS: [i64; 12] = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 21_600, 86_400, 604_800];

#[derive(Clone, Debug)]
pub(super) struct Timeline {
    seconds: i64,
    /// By the number of the stretch since 1970.
    stretches: BTreeMap<i64, Counts>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { seconds: 1, stretches: BTreeMap::new() }
    }
}

impl Timeline {
    /// Counts an answer that came `at` this time (RFC 3339); one that cannot be read is left out.
    pub(super) fn add(&mut self, at: &str, outcome: Settled) {
        let Ok(at) = OffsetDateTime::parse(at, &Rfc3339) else { return };
        self.stretches.entry(at.unix_timestamp().div_euclid(self.seconds)).or_default().count(outcome);
        while self.span() > STRETCHES {
            self.widen();
        }
    }

    /// How long a stretch is; 0 if there is none.
    pub(super) fn seconds(&self) -> i64 {
        if self.stretches.is_empty() { 0 } else { self.seconds }
    }

    pub(super) fn rows(&self) -> Vec<TimeRow> {
        let row = |(number, counts): (&i64, &Counts)| {
            let from = OffsetDateTime::from_unix_timestamp(number * self.seconds).ok()?.to_offset(UtcOffset::UTC);
            Some(TimeRow { from: from.format(&Rfc3339).ok()?, counts: *counts })
        };
        self.stretches.iter().filter_map(row).collect()
    }

    fn span(&self) -> i64 {
        let ends = self.stretches.first_key_value().zip(self.stretches.last_key_value());
        ends.map_or(0, |((first, _), (last, _))| last - first + 1)
    }

    fn widen(&mut self) {
        let wider = WIDTHS.into_iter().find(|width| *width > self.seconds).unwrap_or(self.seconds * 2);
        let times = wider / self.seconds;
        self.seconds = wider;
        for (number, counts) in std::mem::take(&mut self.stretches) {
            self.stretches.entry(number.div_euclid(times)).or_default().add(&counts);
        }
    }
}
