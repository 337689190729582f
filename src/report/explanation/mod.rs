//! What an offline input means: the contract `smtpprobe.explanation/1`, and how it is shown.

mod build;
mod text;

pub use build::{explain, explain_topic};
pub use text::{headline, render};

pub(crate) use build::sentence;
pub(crate) use text::{Sheet, answer_kind, queue_words, standing_note};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::knowledge::{Actor, Confidence, Fix, Permanence, Reason};
use crate::smtp::{Stage, Verb};

/// The name and version of the contract.
pub const SCHEMA: &str = "smtpprobe.explanation/1";

/// What one input means. Absent fields are what there was none of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// Always `smtpprobe.explanation/1`.
    pub schema: String,
    /// The file that held the input; `-` is standard input.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// The input, where it came as an argument.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<String>,
    /// What the input is.
    pub kind: InputKind,
    /// One entry for each code or reply in it.
    pub explanations: Vec<ExplanationPart>,
}

impl Explanation {
    /// Whether something is known of every code in it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.explanations.iter().all(|part| part.standing != Standing::NoCode)
    }
}

/// The kinds of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// A reply code.
    Code,
    /// An enhanced code.
    Enhanced,
    /// The text of a reply.
    Reply,
}

/// What one code or reply means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplanationPart {
    /// The code or reply itself.
    pub reply: ReplyPart,
    /// The command that it answers, where that was said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<Verb>,
    /// The stage of a session that the command belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stage: Option<Stage>,
    /// Why a server answers so.
    pub reason: Reason,
    /// Whether a sender's queue retries; `either` where the first digit is left open.
    pub permanence: Permanence,
    /// Whether mail to the address will not work until the address is changed.
    pub hard: bool,
    /// Who acts first.
    pub actor: Actor,
    /// How sure the reason is.
    pub confidence: Confidence,
    /// What decided.
    pub basis: BasisName,
    /// The words of the reply that decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub words: Option<String>,
    /// Whose way of speaking it is: `Gmail`, `Postfix`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider: Option<String>,
    /// What the enhanced code says by itself, where the words say something else.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conflict: Option<Reason>,
    /// Where the code comes from; of a reply, where its reply code does.
    pub standing: Standing,
    /// A few words.
    pub title: String,
    /// Completes "552 says that ..."; absent where words decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub says: Option<String>,
    /// What it means.
    pub meaning: String,
    /// When one sees it; empty where words decided that belong to no code.
    pub when: String,
    /// What to do.
    pub fix: Vec<Fix>,
    /// What the code can answer, `ANY` for everything; empty for enhanced codes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub answers: Vec<String>,
    /// Whether the server closes the connection with it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub closes: bool,
    /// Codes of the other form that come with it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub companions: Vec<CompanionPart>,
    /// The places where it means something of its own, where none of them was named.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub places: Vec<PlacePart>,
    /// RFC and section, or URL.
    pub references: Vec<String>,
}

/// A code or reply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyPart {
    /// The reply code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<u16>,
    /// The enhanced code; `X` as its class stands for any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub enhanced: Option<String>,
    /// The words, lines joined and enhanced codes removed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// The lines, without the codes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lines: Vec<String>,
}

impl ReplyPart {
    /// What to call it: the reply code, else the enhanced code.
    #[must_use]
    pub fn name(&self) -> String {
        self.code.map(|code| format!("{code:03}")).or_else(|| self.enhanced.clone()).unwrap_or_default()
    }
}

/// What a conclusion rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BasisName {
    /// The words.
    Wording,
    /// The enhanced code.
    Enhanced,
    /// The reply code.
    Code,
}

/// Where a code comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A standard defines it.
    Standard,
    /// IANA lists it, and no text says what it means.
    RegistryOnly,
    /// It belongs to an experiment.
    Experimental,
    /// It is no longer in use.
    Obsolete,
    /// Some software uses it.
    Nonstandard,
    /// It is not listed; its first digit, or its class and subject, still say something.
    Unlisted,
    /// It is no code of SMTP: nothing is known of it.
    NoCode,
}

/// A code that comes with another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CompanionPart {
    /// The code.
    pub code: String,
    /// What it is called; absent if it is registered nowhere.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
}

/// What a code means in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlacePart {
    /// The command answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<Verb>,
    /// The first digit of an enhanced code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<u8>,
    /// A few words.
    pub title: String,
    /// A sentence.
    pub summary: String,
    /// Why a server answers so there.
    pub reason: Reason,
    /// Who acts first.
    pub actor: Actor,
    /// How sure the reason is.
    pub confidence: Confidence,
}

#[cfg(test)]
pub(crate) mod tests;
