//! From a reply to a [`Reason`]: words first, then the enhanced code, then the number in its place.
//!
//! The number alone names the right reason for three refusals in ten; so text beats number, and what was concluded from a bare
//! number is never more than unsure. Wording of single providers will stand before the generic rules, in the same form.

use std::sync::OnceLock;

use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;

use super::{Confidence, Knowledge, Reason};
use crate::smtp::{CodeClass, Reply, Verb};

/// What a reply was concluded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The words; the rule's id.
    Wording(String),
    /// The enhanced code.
    Enhanced,
    /// The code as an answer to its command.
    Code,
}

/// What a reply says, and how surely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Why.
    pub reason: Reason,
    /// How sure that is.
    pub confidence: Confidence,
    /// What decided.
    pub basis: Basis,
    /// What the numbers say, where that is something else.
    pub conflict: Option<Reason>,
}

/// One rule of `wording.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) reason: Reason,
    pattern: String,
    /// Prefixes of the code; empty is any refusal.
    #[serde(default)]
    codes: Vec<String>,
    /// What must have been answered; empty is anything.
    #[serde(default)]
    at: Vec<Verb>,
    confidence: Confidence,
    #[allow(dead_code, reason = "the tests read it")]
    pub(super) example: String,
    #[allow(dead_code, reason = "stands in the file for its readers")]
    source: String,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

pub(super) fn built_in() -> Vec<Rule> {
    let file: File =
        toml::from_str(include_str!("data/wording.toml")).unwrap_or_else(|error| panic!("the built-in wording.toml is wrong: {error}"));
    file.rule
}

impl Rule {
    /// Whether it applies; `text` is the reply's [text](Reply::text).
    pub(super) fn matches(&self, reply: &Reply, verb: Option<Verb>, text: &str) -> bool {
        let code = reply.code.to_string();
        (self.codes.is_empty() || self.codes.iter().any(|prefix| code.starts_with(prefix)))
            && (self.at.is_empty() || verb.is_some_and(|verb| self.at.contains(&verb)))
            && self.regex().is_some_and(|regex| regex.is_match(text))
    }

    /// The first command that it is for; none if it is for all.
    #[cfg(test)]
    pub(super) fn first_place(&self) -> Option<Verb> {
        self.at.first().copied()
    }

    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| RegexBuilder::new(&self.pattern).case_insensitive(true).build().ok()).as_ref()
    }
}

/// What is quoted of a reply has at most this many characters.
const QUOTED: usize = 60;

/// The place where a pattern matched, as whole words.
fn whole_words(text: &str, start: usize, end: usize) -> String {
    let start = text[..start].rfind(' ').map_or(0, |at| at + 1);
    let end = text[end..].find(' ').map_or(text.len(), |at| end + at);
    let words =
        text.get(start..end).unwrap_or_default().trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '<' | '>' | '[' | ']'));
    match words.char_indices().nth(QUOTED) {
        Some((at, _)) => format!("{}...", &words[..at]),
        None => words.to_owned(),
    }
}

/// Whether a reason can be meant there: before a recipient was named, no reply is about a mailbox.
fn fits_stage(reason: Reason, verb: Option<Verb>) -> bool {
    let about_mailbox = matches!(
        reason,
        Reason::UserUnknown
            | Reason::UserDisabled
            | Reason::UserMoved
            | Reason::MailboxFull
            | Reason::RecipientRateLimited
            | Reason::RecipientRestricted
    );
    !(about_mailbox && matches!(verb, Some(Verb::Connect | Verb::Ehlo | Verb::Helo | Verb::StartTls)))
}

/// `text` with each mailbox in it written as `x@x`: an address that is echoed is not the server's own words.
fn without_addresses(text: &str) -> String {
    let in_local = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let in_domain = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        let lead = before.trim_end_matches(in_local);
        let tail = after.trim_start_matches(in_domain);
        let is_address = lead.len() < before.len() && tail.len() < after.len();
        plain.push_str(if is_address { lead } else { before });
        plain.push_str(if is_address { "x@x" } else { "@" });
        rest = if is_address { tail } else { after };
    }
    plain + rest
}

impl Knowledge {
    /// The words of `reply` that made the wording rule `id` apply; none if it does not.
    #[must_use]
    pub fn words(&self, id: &str, reply: &Reply) -> Option<String> {
        let text = reply.text();
        let rule = self.wording().iter().find(|rule| rule.id == id)?;
        let text = without_addresses(&text);
        let found = rule.regex()?.find(&text)?;
        Some(whole_words(&text, found.start(), found.end())).filter(|words| !words.is_empty())
    }

    /// What `reply` says as an answer to `verb`; none where it is not known what was answered.
    #[must_use]
    pub fn read(&self, reply: &Reply, verb: Option<Verb>) -> Reading {
        let by_code = self.code(reply.code, verb).map_or(Reason::Undetermined, |meaning| meaning.reason);
        match reply.code.class() {
            CodeClass::Transient | CodeClass::Permanent => {}
            CodeClass::Success | CodeClass::Intermediate => {
                return Reading { reason: by_code, confidence: Confidence::Certain, basis: Basis::Code, conflict: None };
            }
            CodeClass::Unknown => {
                return Reading { reason: Reason::Undetermined, confidence: Confidence::Unsure, basis: Basis::Code, conflict: None };
            }
        }
        // A subject's or class's own entry names no cause, and the catch-alls of security (X.7.0, X.7.1) hide at least ten.
        let telling = |reason: &Reason| !matches!(reason, Reason::Undetermined | Reason::PolicyRejected | Reason::Accepted);
        let by_enhanced = reply.enhanced.filter(|e| self.knows_enhanced(*e)).and_then(|e| self.enhanced(e)).map(|meaning| meaning.reason);
        let text = without_addresses(&reply.text());
        let by_number = by_enhanced.filter(telling).filter(|reason| fits_stage(*reason, verb));
        if let Some(rule) = self.wording().iter().find(|rule| fits_stage(rule.reason, verb) && rule.matches(reply, verb, &text)) {
            let conflict = by_number.filter(|reason| *reason != rule.reason);
            let confidence = match by_number {
                Some(_) if conflict.is_none() => Confidence::Certain,
                // Words that may mean something else, against a number that says so.
                Some(_) if rule.confidence == Confidence::Likely => Confidence::Unsure,
                _ => rule.confidence,
            };
            return Reading { reason: rule.reason, confidence, basis: Basis::Wording(rule.id.clone()), conflict };
        }
        if let Some(reason) = by_number {
            let confidence = if reason == by_code { Confidence::Certain } else { Confidence::Likely };
            return Reading { reason, confidence, basis: Basis::Enhanced, conflict: None };
        }
        let reason = match (by_enhanced, by_code) {
            // "Not authorised" takes the mailbox out of the number: 550 5.7.1 is no unknown user.
            (Some(Reason::PolicyRejected), _) => Reason::PolicyRejected,
            // Nor does a detail that nobody has registered, under a subject that is not the mailbox.
            (None, Reason::UserUnknown) => match reply.enhanced.map(|enhanced| enhanced.subject) {
                Some(7) => Reason::PolicyRejected,
                Some(3..=6) => Reason::Undetermined,
                _ => by_code,
            },
            (_, by_code) => by_code,
        };
        Reading { reason, confidence: Confidence::Unsure, basis: Basis::Code, conflict: None }
    }
}
