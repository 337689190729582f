//! What became of one line of the list: the contract `smtpprobe.bulk/1`, one JSON object a line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::knowledge::{Actor, Confidence, Reason};

/// The name and version of the contract.
pub const SCHEMA: &str = "smtpprobe.bulk/1";

/// The answer to one line. Absent fields are what there was none of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// Which line of the input it was; the first is 1. No line is answered twice.
    pub line: u64,
    /// The line, or of a table the value of its column.
    pub input: String,
    /// The mailbox that was asked for; none if the line is no address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// What came of it.
    pub outcome: Settled,
    /// Why.
    pub reason: Reason,
    /// Who acts first.
    pub actor: Actor,
    /// How sure that is.
    pub confidence: Confidence,
    /// The number of the reply that decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<u16>,
    /// Its enhanced code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub enhanced: Option<String>,
    /// Its words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// The host that gave it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host: Option<String>,
    /// Where mail for the domain goes: the name of the first host; domains with the same set of hosts share it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destination: Option<String>,
    /// Whether the domain takes mail for any address; none if that was not asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub catch_all: Option<bool>,
    /// How often it was asked.
    pub attempts: u32,
    /// When the answer came (RFC 3339).
    pub at: String,
    /// What is wrong with the line, or with our own machine.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// What came of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// The server takes mail for it.
    Accepted,
    /// It is refused for good, or nothing can ever be delivered there.
    Rejected,
    /// The server said "not now" for as long as was allowed.
    Deferred,
    /// No conversation came about.
    Unreachable,
    /// It cannot be told: answers were cut off, or the destination was stopped.
    Inconclusive,
    /// The line is no address.
    Invalid,
}
