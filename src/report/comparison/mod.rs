//! Two codes side by side: the contract `smtpprobe.comparison/1`, and how it is shown.

mod build;
mod relation;
mod text;

pub use build::compare;
pub use text::{headline, render};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Table;
use super::explanation::{ExplanationPart, Standing};

/// The name and version of the contract.
pub const SCHEMA: &str = "smtpprobe.comparison/1";

/// Two codes, and what sets them apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Always `smtpprobe.comparison/1`.
    pub schema: String,
    /// The two codes, in the order asked for.
    pub explanations: [ExplanationPart; 2],
    /// What sets them apart; the one that matters most stands first.
    pub differences: Vec<DifferencePart>,
}

impl Comparison {
    /// Whether something is known of both.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.explanations.iter().all(|part| part.standing != Standing::NoCode)
    }
}

/// A row for each of both.
#[must_use]
pub fn table(comparison: &Comparison) -> Table {
    let rows = comparison.explanations.iter().map(ExplanationPart::cells).collect();
    Table { rows, ..Table::new(&ExplanationPart::COLUMNS) }
}

/// One difference, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DifferencePart {
    /// What it is about.
    pub id: DifferenceId,
    /// Whole sentences.
    pub text: String,
}

/// What a difference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceId {
    /// What the codes decide and why: the one that matters.
    Decision,
    /// What a sending server does with the message.
    Queue,
    /// Who acts first.
    Actor,
    /// Which commands they answer, and so when one meets which.
    Place,
    /// Whether the connection stays open.
    Connection,
    /// Which of them a standard defines.
    Standing,
}

#[cfg(test)]
mod tests;
