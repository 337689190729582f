//! How often what happens: many explanations, counted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Explanation, ExplanationPart};
use crate::knowledge::{Actor, Knowledge, Reason};
use crate::report::page::name_in;
use crate::report::{Table, name};

/// So many destinations are told apart; what goes beyond is counted under its reason alone.
const DESTINATIONS: usize = 100_000;

/// The name and version of the contract.
pub const SUMMARY_SCHEMA: &str = "smtpprobe.summary/1";

/// How often each reason was met, by destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Always `smtpprobe.summary/1`.
    pub schema: String,
    /// Everything that was counted.
    pub total: usize,
    /// The counts, largest first.
    pub rows: Vec<SummaryRow>,
    #[serde(skip)]
    counts: BTreeMap<(String, Reason, Actor), usize>,
}

/// One reason at one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SummaryRow {
    /// How often.
    pub count: usize,
    /// Why.
    pub reason: Reason,
    /// The domain that the mail was for, else the host that answered; empty where neither is known.
    pub destination: String,
    /// Who acts first.
    pub actor: Actor,
}

impl Default for Summary {
    fn default() -> Self {
        Self { schema: SUMMARY_SCHEMA.to_owned(), total: 0, rows: Vec::new(), counts: BTreeMap::new() }
    }
}

impl Summary {
    /// Counts what `explanation` says, an entry at a time.
    pub fn add(&mut self, explanation: &Explanation) {
        for part in &explanation.explanations {
            self.total += 1;
            let full = self.counts.len() >= DESTINATIONS;
            let destination = if full { String::new() } else { destination(part) };
            *self.counts.entry((destination, part.reason, part.actor)).or_default() += 1;
        }
    }

    /// Puts the counts in order.
    pub fn close(&mut self) {
        let row = |((destination, reason, actor), count): (&(String, Reason, Actor), &usize)| SummaryRow {
            count: *count,
            reason: *reason,
            destination: destination.clone(),
            actor: *actor,
        };
        self.rows = self.counts.iter().map(row).collect();
        self.rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    }

    /// The counts as a table.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(&["count", "reason", "destination", "actor"]);
        let cells = |row: &SummaryRow| vec![row.count.to_string(), name(row.reason), row.destination.clone(), name(row.actor)];
        table.rows = self.rows.iter().map(cells).collect();
        table
    }

    /// The counts in words, in columns.
    #[must_use]
    pub fn render(&self, knowledge: &Knowledge, width: usize) -> String {
        let (actors, heads): (BTreeMap<String, String>, BTreeMap<String, String>) =
            (knowledge.phrases("actor_short"), knowledge.phrases("summary"));
        let head = |key: &str| heads.get(key).cloned().unwrap_or_default();
        let cells = |row: &SummaryRow| {
            let destination = if row.destination.is_empty() { "-".to_owned() } else { row.destination.clone() };
            vec![row.count.to_string(), knowledge.reason(row.reason).title.clone(), destination, name_in(&actors, row.actor)]
        };
        let table =
            Table { head: ["count", "reason", "destination", "actor"].map(head).to_vec(), rows: self.rows.iter().map(cells).collect() };
        if self.rows.is_empty() { head("nothing") + "\n" } else { table.text(width) }
    }
}

/// The domain of the recipient, else the host that answered.
fn destination(part: &ExplanationPart) -> String {
    let domain = part.recipient.as_deref().and_then(|address| address.rsplit_once('@')).map(|(_, domain)| domain);
    domain.or(part.remote_host.as_deref()).unwrap_or_default().trim_end_matches('>').to_ascii_lowercase()
}
