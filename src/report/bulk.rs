//! What became of a list, shown: in columns for a terminal, as a long table for a spreadsheet, as a page with charts.
//!
//! The JSON of it is [`Summary`] itself, the contract `smtpprobe.bulk_summary/1`.

mod html;
mod metrics;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::page::name_in;
use super::{Table, name};
use crate::bulk::Settled;
use crate::bulk::summary::{Counts, DestinationRow, Summary};
use crate::knowledge::Knowledge;

pub use html::html;
pub use metrics::{METRICS_TYPE, metrics};

/// The words of a summary.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    title: String,
    total: String,
    catch_all: String,
    between: String,
    nothing: String,
    count: String,
    outcome: String,
    reason: String,
    actor: String,
    destination: String,
    others: String,
    nowhere: String,
    time: String,
    all: String,
    by_reason: String,
    by_destination: String,
    by_time: String,
    per: String,
    numbers: String,
    settled: BTreeMap<String, String>,
    short: BTreeMap<String, String>,
}

/// What is shown of a summary, its values as words.
struct View<'a> {
    summary: &'a Summary,
    words: Words,
    actors: BTreeMap<String, String>,
    knowledge: &'a Knowledge,
}

impl<'a> View<'a> {
    fn new(summary: &'a Summary, knowledge: &'a Knowledge) -> Self {
        Self { summary, words: knowledge.phrases("bulk_summary"), actors: knowledge.phrases("actor_short"), knowledge }
    }

    fn outcome(&self, outcome: Settled) -> String {
        name_in(&self.words.settled, outcome)
    }

    /// The outcomes that there are.
    fn outcomes(&self) -> Vec<Settled> {
        self.summary.outcomes.each().into_iter().filter(|(_, count)| *count > 0).map(|(outcome, _)| outcome).collect()
    }

    /// How many lines there are, and what became of them, in one line.
    fn total(&self) -> String {
        let counted = self.summary.outcomes.each().into_iter().filter(|(_, count)| *count > 0);
        let parts: Vec<String> = counted.map(|(outcome, count)| format!("{count} {}", self.outcome(outcome))).collect();
        self.words.total.replace("{total}", &self.summary.total.to_string()).replace("{parts}", &parts.join(", "))
    }

    /// That some of those accepted tell little; none if there are none.
    fn catch_all(&self) -> Option<String> {
        let count = self.summary.accepted_at_catch_all;
        (count > 0).then(|| self.words.catch_all.replace("{count}", &count.to_string()))
    }

    /// When the answers came; none if no time is known.
    fn between(&self) -> Option<String> {
        let (first, last) = self.summary.times.first().zip(self.summary.times.last())?;
        Some(self.words.between.replace("{first}", &first.from).replace("{last}", &last.from))
    }

    /// The destinations, then all others and those without one where there are any.
    fn destinations(&self) -> Vec<DestinationRow> {
        let rest = [(&self.words.others, self.summary.other_destinations), (&self.words.nowhere, self.summary.no_destination)];
        let rest = rest.into_iter().filter(|(_, counts)| counts.total() > 0);
        let rest = rest.map(|(name, counts)| DestinationRow { destination: name.clone(), counts });
        self.summary.destinations.iter().cloned().chain(rest).collect()
    }

    fn reasons(&self) -> Table {
        let words = &self.words;
        let rows = self.summary.reasons.iter().map(|row| {
            let title = self.knowledge.reason(row.reason).title.clone();
            vec![row.count.to_string(), self.outcome(row.outcome), title, name_in(&self.actors, row.actor)]
        });
        let head = [&words.count, &words.outcome, &words.reason, &words.actor].map(Clone::clone).to_vec();
        Table { head, rows: rows.collect() }
    }

    /// Counts by outcome in columns with these heads, those outcomes left out that there are none of.
    fn counted(&self, heads: &BTreeMap<String, String>, what: &str, rows: impl IntoIterator<Item = (String, Counts)>) -> Table {
        let outcomes = self.outcomes();
        let head = std::iter::once(self.words.all.clone()).chain(outcomes.iter().map(|outcome| name_in(heads, *outcome)));
        let row = |(name, counts): (String, Counts)| {
            let of = counts.each().into_iter().filter(|(outcome, _)| outcomes.contains(outcome)).map(|(_, count)| count.to_string());
            std::iter::once(counts.total().to_string()).chain(of).chain([name]).collect()
        };
        Table { head: head.chain([what.to_owned()]).collect(), rows: rows.into_iter().map(row).collect() }
    }
}

/// In columns: the outcomes, the reasons, then the destinations.
#[must_use]
pub fn text(summary: &Summary, knowledge: &Knowledge, width: usize) -> String {
    let view = View::new(summary, knowledge);
    if summary.total == 0 {
        return view.words.nothing + "\n";
    }
    let head = [Some(view.total()), view.catch_all(), view.between()].into_iter().flatten();
    let head: String = head
        .flat_map(|line| textwrap::wrap(&line, width.max(30)).into_iter().map(|line| format!("{line}\n")).collect::<Vec<_>>())
        .collect();
    let destinations = view.destinations().into_iter().map(|row| (row.destination, row.counts));
    let destinations = view.counted(&view.words.short, &view.words.destination, destinations);
    format!("{head}\n{}\n{}", view.reasons().text(width), destinations.text(width))
}

/// As rows of one count each: `by` tells what `name` is, in the terms of the JSON (`reason`, `destination`, `time`).
/// Rows by `other_destinations` and `no_destination` have no name.
#[must_use]
pub fn table(summary: &Summary) -> Table {
    let mut table = Table::new(&["by", "name", "outcome", "actor", "count"]);
    for row in &summary.reasons {
        table.rows.push(vec!["reason".to_owned(), name(row.reason), name(row.outcome), name(row.actor), row.count.to_string()]);
    }
    let mut counted = |by: &str, what: &str, counts: &Counts| {
        for (outcome, count) in counts.each().into_iter().filter(|(_, count)| *count > 0) {
            table.rows.push(vec![by.to_owned(), what.to_owned(), name(outcome), String::new(), count.to_string()]);
        }
    };
    for row in &summary.destinations {
        counted("destination", &row.destination, &row.counts);
    }
    counted("other_destinations", "", &summary.other_destinations);
    counted("no_destination", "", &summary.no_destination);
    for row in &summary.times {
        counted("time", &row.from, &row.counts);
    }
    table
}

#[cfg(test)]
mod tests;
