//! What is known of mail servers in general: codes, words, reasons, software. Data files with texts, and the enums that they map to.
//!
//! If code decides on it, it is an enum; if code only shows it, it is an entry in a file under `data/`. English stands with what it
//! explains; another language is an overlay of the same tables and keys with its own texts ([`Knowledge::with_texts`]).

mod book;
mod books;
mod codes;
#[cfg(test)]
mod headings;
mod index;
mod lists;
#[cfg(test)]
mod literals;
mod needs;
mod pattern;
mod private;
mod reason;
mod rule;
mod shelf;
mod software;
mod words;

pub use book::{RulesError, Speaker};
pub use codes::{CodeStatus, Entry, Meaning, Variant};
pub use lists::{BlockList, ListSubject};
pub use reason::{Actor, Confidence, Fix, Permanence, Reason, Subject};
pub use software::{Place, Software};
pub use words::{Basis, Heard, Reading, Said};

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::smtp::{EnhancedCode, ReplyCode, Verb};
use rule::EnhancedRange;
use shelf::Shelf;

/// Where the entries of each file stand.
#[allow(clippy::unreadable_literal, reason = "nobody reads them")]
mod places {
    use super::shelf::Places;
    include!(concat!(env!("OUT_DIR"), "/places.rs"));
}

/// Everything that is known, in one language.
pub struct Knowledge {
    codes: Shelf,
    enhanced: Shelf,
    reasons: Shelf,
    findings: Shelf,
    phrases: Shelf,
    private: Shelf,
    /// The codes that `private` has, once they have been asked for.
    private_ranges: OnceLock<Vec<(&'static str, EnhancedRange)>>,
    lists: Shelf,
    library: OnceLock<book::Library>,
    software: OnceLock<Vec<software::Mark>>,
}

impl fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Knowledge").finish_non_exhaustive()
    }
}

impl Default for Knowledge {
    fn default() -> Self {
        Self::english()
    }
}

/// What a reason means to the person who runs the probe.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonText {
    /// The verdict's headline.
    pub title: String,
    /// What it is about.
    pub subject: Subject,
    /// Who acts first.
    pub actor: Actor,
    /// How long it holds, where no reply says more.
    pub permanence: Permanence,
    /// Whether only another address helps.
    pub hard: bool,
    /// What happened, in one to three sentences.
    pub meaning: String,
    /// What to do; the first entry is the reader's next step.
    pub fix: Vec<Fix>,
    /// What stays unknown; none if nothing does.
    pub unknown: Option<String>,
}

/// The texts of one finding. Braces hold what the evidence fills in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingText {
    /// One line.
    pub title: String,
    /// What it means.
    pub detail: String,
    /// Who acts first.
    pub actor: Actor,
    /// What to do; empty if nothing has to be done.
    #[serde(default)]
    pub fix: Vec<Fix>,
}

/// A file of another language does not fit.
#[derive(Debug, thiserror::Error)]
#[error("the texts for {part} cannot be read: {error}")]
pub struct TextsError {
    part: &'static str,
    error: toml::de::Error,
}

impl Knowledge {
    /// The built-in knowledge in English. Nothing is parsed before it is asked for.
    #[must_use]
    pub fn english() -> Self {
        Self {
            codes: Shelf::new(include_str!("data/codes.toml"), &places::CODES),
            enhanced: Shelf::new(include_str!("data/enhanced.toml"), &places::ENHANCED),
            reasons: Shelf::new(include_str!("data/reasons.toml"), &places::REASONS),
            findings: Shelf::new(include_str!("data/findings.toml"), &places::FINDINGS),
            phrases: Shelf::new(include_str!("data/phrases.toml"), &places::PHRASES),
            private: Shelf::new(include_str!("data/private.toml"), &places::PRIVATE),
            private_ranges: OnceLock::new(),
            lists: Shelf::new(include_str!("data/lists.toml"), &places::LISTS),
            library: OnceLock::new(),
            software: OnceLock::new(),
        }
    }

    /// The same knowledge with another language's texts laid over it. `texts` holds tables `codes`, `enhanced`, `reasons`,
    /// `findings`, `phrases`, `private` and `lists`; below them stand the keys of the built-in files, with the texts to replace.
    ///
    /// # Errors
    /// If `texts` is no TOML, or has another shape.
    pub fn with_texts(mut self, texts: &str) -> Result<Self, TextsError> {
        let wrong = |part| move |error| TextsError { part, error };
        let mut parts: BTreeMap<String, BTreeMap<String, toml::Table>> = toml::from_str(texts).map_err(wrong("the language"))?;
        for (part, shelf) in [
            ("codes", &mut self.codes),
            ("enhanced", &mut self.enhanced),
            ("reasons", &mut self.reasons),
            ("findings", &mut self.findings),
            ("phrases", &mut self.phrases),
            ("private", &mut self.private),
            ("lists", &mut self.lists),
        ] {
            shelf.overlay(parts.remove(part).unwrap_or_default());
        }
        match parts.into_keys().next() {
            None => Ok(self),
            Some(unknown) => Err(wrong("the language")(serde::de::Error::custom(format!("there is no part called {unknown}")))),
        }
    }

    /// The same knowledge with rules of the user's own, which are asked before all others: a file of `[[rule]]` tables like those in
    /// this crate's `src/knowledge/data/providers`.
    ///
    /// # Errors
    /// If `rules` is no TOML, has a field that is wrong, or a pattern that is none.
    pub fn with_rules(mut self, rules: &str) -> Result<Self, RulesError> {
        self.library();
        if let Some(library) = self.library.get_mut() {
            library.add_own(rules)?;
        }
        Ok(self)
    }

    /// What a reply code means as an answer to `verb`; without a verb, in general. Codes that are not listed get what their first
    /// digit tells; none if that is none of 2 to 5.
    #[must_use]
    pub fn code(&self, code: ReplyCode, verb: Option<Verb>) -> Option<Meaning> {
        let entry = self.code_entry(code)?;
        Some(entry.meaning(verb.map(Verb::as_str)))
    }

    /// The whole entry of a reply code, or of its class if it is not listed.
    #[must_use]
    pub fn code_entry(&self, code: ReplyCode) -> Option<Arc<Entry>> {
        let class = || format!("{}yz", code.number() / 100);
        self.codes.shared(&code.to_string()).or_else(|| self.codes.shared(&class()))
    }

    /// Whether the code is listed by itself.
    #[must_use]
    pub fn knows_code(&self, code: ReplyCode) -> bool {
        self.codes.has(&code.to_string())
    }

    /// All reply codes listed.
    #[must_use]
    pub fn codes(&self) -> Vec<ReplyCode> {
        self.codes.keys().filter_map(|key| key.parse().ok()).collect()
    }

    /// What an enhanced code means. A detail that is not registered gets what its subject tells.
    #[must_use]
    pub fn enhanced(&self, code: EnhancedCode) -> Option<Meaning> {
        let class = code.class.to_string();
        Some(self.enhanced_entry(code)?.meaning(Some(&class)))
    }

    /// The whole entry of an enhanced code, or of its subject or class if the detail is not registered.
    #[must_use]
    pub fn enhanced_entry(&self, code: EnhancedCode) -> Option<Arc<Entry>> {
        self.detail_entry(code.subject, code.detail).or_else(|| self.enhanced.shared(&format!("{}.X.X", code.class)))
    }

    /// The whole entry of an enhanced code of whatever class, or of its subject if the detail is not registered.
    #[must_use]
    pub fn detail_entry(&self, subject: u16, detail: u16) -> Option<Arc<Entry>> {
        self.enhanced.shared(&detail_key(subject, detail)).or_else(|| self.enhanced.shared(&format!("X.{subject}.X")))
    }

    /// Whether the detail is registered.
    #[must_use]
    pub fn knows_enhanced(&self, code: EnhancedCode) -> bool {
        self.knows_detail(code.subject, code.detail)
    }

    /// Whether the detail is registered, for whatever class.
    #[must_use]
    pub fn knows_detail(&self, subject: u16, detail: u16) -> bool {
        self.enhanced.has(&detail_key(subject, detail))
    }

    /// All registered details as `(subject, detail)`, in numeric order.
    #[must_use]
    pub fn enhanced_details(&self) -> Vec<(u16, u16)> {
        let pair = |key: &str| {
            let (subject, detail) = key.strip_prefix("X.")?.split_once('.')?;
            Some((subject.parse().ok()?, detail.parse().ok()?))
        };
        let mut all: Vec<_> = self.enhanced.keys().filter_map(pair).collect();
        all.sort_unstable();
        all
    }

    /// What a reason means.
    #[must_use]
    pub fn reason(&self, reason: Reason) -> Arc<ReasonText> {
        self.reasons.expected(&reason.name())
    }

    /// The texts of the finding `id`.
    #[must_use]
    pub fn finding(&self, id: &str) -> FindingText {
        self.findings.required(id)
    }

    /// A table of short texts for reports.
    #[must_use]
    pub fn phrases<T: DeserializeOwned>(&self, table: &str) -> T {
        self.phrases.required(table)
    }

    /// The same, for a table that is asked for over and over.
    pub(crate) fn shared_phrases<T: DeserializeOwned + Send + Sync + 'static>(&self, table: &str) -> Arc<T> {
        self.phrases.expected(table)
    }

    fn library(&self) -> &book::Library {
        self.library.get_or_init(book::Library::built_in)
    }

    fn software_marks(&self) -> &[software::Mark] {
        self.software.get_or_init(software::built_in)
    }
}

fn detail_key(subject: u16, detail: u16) -> String {
    format!("X.{subject}.{detail}")
}

#[cfg(test)]
mod tests;
