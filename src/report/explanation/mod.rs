//! What an offline input means: the contract `smtpprobe.explanation/1`, and how it is shown.

mod build;
mod excerpt;
mod listings;
mod recipient;
mod recording;
mod summary;
mod text;

pub use build::{explain, explain_topic};
pub use listings::{ListQuestion, ListingAnswer, ListingPart};
pub use summary::{SUMMARY_SCHEMA, Summary, SummaryRow};
pub use text::{headline, render};

pub(crate) use build::sentence;
pub(crate) use text::{Sheet, answer_kind, queue_words, standing_note};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::knowledge::{Actor, Basis, Confidence, Fix, Permanence, Reason};
use crate::reading::Mentions;
use crate::reading::mail::NoticeKind;
use crate::report::{Report, Table, name};
use crate::smtp::{Reply, Stage, Verb};

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
    /// Which of several mails in the file, or which line of a log; the first is 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub number: Option<usize>,
    /// The input, where it came as an argument or as a line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<String>,
    /// What the input is.
    pub kind: InputKind,
    /// One entry for each code or reply in it; of a mail or a line of a log, for each recipient.
    pub explanations: Vec<ExplanationPart>,
    /// Of a conversation or a saved report: what a probe would say of it now, with each reply in its place.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reports: Vec<Report>,
    /// Why nothing can be said of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

impl Explanation {
    /// What there is to say of `input`, which could not be read because of `error`.
    #[must_use]
    pub fn nothing(input: &str, error: &str) -> Self {
        let (input, error) = (Some(input.to_owned()), Some(error.to_owned()));
        Self { input, error, ..Self::new(InputKind::Unknown, Vec::new()) }
    }

    fn new(kind: InputKind, explanations: Vec<ExplanationPart>) -> Self {
        Self { schema: SCHEMA.to_owned(), file: None, number: None, input: None, kind, explanations, reports: Vec::new(), error: None }
    }

    /// Whether something is known of every code in it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.error.is_none() && self.explanations.iter().all(|part| part.standing != Standing::NoCode)
    }
}

/// A row for each code, reply or recipient.
#[must_use]
pub fn table(explanation: &Explanation) -> Table {
    let from = |value: &Option<String>| value.clone().unwrap_or_default();
    let place = [
        from(&explanation.file),
        explanation.number.map(|number| number.to_string()).unwrap_or_default(),
        from(&explanation.input),
        name(explanation.kind),
    ];
    let head = ["file", "number", "input", "kind"].into_iter().chain(ExplanationPart::COLUMNS).collect::<Vec<_>>();
    let row = |cells: Vec<String>| place.iter().cloned().chain(cells).collect();
    let mut rows: Vec<Vec<String>> = explanation.explanations.iter().map(|part| row(part.cells())).collect();
    if rows.is_empty() {
        rows.push(row(vec![String::new(); ExplanationPart::COLUMNS.len()]));
    }
    Table { rows, ..Table::new(&head) }
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
    /// A line of a mail server's log.
    LogLine,
    /// A mail that says that a message could not be delivered, or not yet.
    Bounce,
    /// A mail that says that a message was delivered or handed on.
    Delivered,
    /// An automatic reply of a person who is away.
    Vacation,
    /// A complaint, or another report on mail that did arrive.
    Feedback,
    /// Ordinary mail.
    NotABounce,
    /// What was said in a session.
    Transcript,
    /// A report of this program.
    Report,
    /// Nothing that could be read.
    Unknown,
}

impl InputKind {
    pub(super) const fn of(kind: NoticeKind) -> Self {
        match kind {
            NoticeKind::Bounce => Self::Bounce,
            NoticeKind::Delivered => Self::Delivered,
            NoticeKind::Vacation => Self::Vacation,
            NoticeKind::Feedback => Self::Feedback,
            NoticeKind::NotABounce => Self::NotABounce,
        }
    }
}

/// What one code or reply means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplanationPart {
    /// The recipient that it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recipient: Option<String>,
    /// The address that the sender had given, where that is another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub original_recipient: Option<String>,
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
    /// What was done with the message: `failed`, `delayed`, `delivered`, `relayed` or `expanded`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action: Option<String>,
    /// The host that refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remote_host: Option<String>,
    /// The host that says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reporting_mta: Option<String>,
    /// The number under which that host had the message in its queue.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queue_id: Option<String>,
    /// The words that tell why, as they stand in the report.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diagnostic: Option<String>,
    /// What a program that delivers for the reporting host had said before (`mail.local: unknown user: anna`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub program: Option<String>,
    /// What the reply talks about.
    #[serde(skip_serializing_if = "Mentions::is_empty", default)]
    pub mentions: Mentions,
    /// What the block list that the reply names says itself, where it was asked.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub listings: Vec<ListingPart>,
    /// What a complaint is about: `abuse`, `auth-failure`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub feedback_type: Option<String>,
    /// RFC and section, or URL.
    pub references: Vec<String>,
}

impl ExplanationPart {
    /// The columns of a table of them.
    pub(crate) const COLUMNS: [&str; 14] = [
        "recipient",
        "action",
        "code",
        "enhanced",
        "reason",
        "permanence",
        "hard",
        "actor",
        "confidence",
        "provider",
        "host",
        "queue_id",
        "title",
        "text",
    ];

    /// The cells of those columns.
    pub(crate) fn cells(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        vec![
            text(&self.recipient),
            text(&self.action),
            self.reply.code.map(|code| format!("{code:03}")).unwrap_or_default(),
            text(&self.reply.enhanced),
            name(self.reason),
            name(self.permanence),
            self.hard.to_string(),
            name(self.actor),
            name(self.confidence),
            text(&self.provider),
            text(&self.remote_host),
            text(&self.queue_id),
            self.title.clone(),
            self.reply.text.clone().or_else(|| self.diagnostic.clone()).unwrap_or_default(),
        ]
    }
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

impl From<&Reply> for ReplyPart {
    fn from(reply: &Reply) -> Self {
        Self {
            code: Some(reply.code.number()),
            enhanced: reply.enhanced.map(|enhanced| enhanced.to_string()),
            text: Some(reply.text()),
            lines: reply.lines.clone(),
        }
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
    /// What the report says of itself: that it is none of a refusal.
    Report,
}

impl From<&Basis> for BasisName {
    fn from(basis: &Basis) -> Self {
        match basis {
            Basis::Wording(_) => Self::Wording,
            Basis::Enhanced => Self::Enhanced,
            Basis::Code => Self::Code,
        }
    }
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
