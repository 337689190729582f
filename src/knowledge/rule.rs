//! A rule: words of a server, and the reason that they name.

use std::ops::Range;
use std::str::FromStr;

use serde::Deserialize;

use super::pattern::Pattern;
use super::{Actor, Confidence, Reason};
use crate::smtp::{EnhancedCode, Reply, Verb};

/// One rule, as its file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) reason: Reason,
    /// One of these, in small letters, is in every text that the rule fits; none if its numbers say it all.
    #[serde(default)]
    pub(super) words: Vec<String>,
    /// What the text has to match; none if the words say it all.
    pub(super) pattern: Option<Pattern>,
    /// Prefixes of the code; empty is any refusal.
    #[serde(default)]
    codes: Vec<String>,
    /// Enhanced codes and ranges of them; a reply without one fits as well. Empty is any.
    #[serde(default)]
    enhanced: Vec<EnhancedRange>,
    /// What must have been answered; empty is anything.
    #[serde(default)]
    pub(super) at: Vec<Verb>,
    pub(super) confidence: Confidence,
    /// Who acts first; none leaves it to the reason.
    pub(super) actor: Option<Actor>,
    /// What happened, in the terms of whoever says it; none leaves it to the reason.
    pub(super) cause: Option<String>,
    /// What to do; none leaves it to the reason.
    pub(super) fix: Option<String>,
    /// A reply that it fits.
    #[serde(default)]
    #[cfg_attr(not(test), allow(dead_code, reason = "the tests try it"))]
    pub(super) example: String,
    /// Where it is known from.
    #[serde(default)]
    pub(super) source: String,
}

/// Enhanced codes of one subject: `5.7.1`, `x.2.2`, `5.7.606-649`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct EnhancedRange {
    /// None for any.
    class: Option<u8>,
    subject: u16,
    first: u16,
    last: u16,
}

impl TryFrom<String> for EnhancedRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for EnhancedRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.splitn(3, '.');
            let (class, subject, details) = (parts.next()?, parts.next()?, parts.next()?);
            let (first, last) = details.split_once('-').unwrap_or((details, details));
            let class =
                if class.eq_ignore_ascii_case("x") { None } else { Some(class.parse().ok().filter(|class| [2, 4, 5].contains(class))?) };
            Some(Self { class, subject: subject.parse().ok()?, first: first.parse().ok()?, last: last.parse().ok()? })
        };
        read().ok_or_else(|| format!("{text:?} is no enhanced code or range of them, such as 5.2.2, x.2.2, 5.7.606-649"))
    }
}

impl EnhancedRange {
    pub(super) fn holds(self, code: EnhancedCode) -> bool {
        self.class.is_none_or(|class| class == code.class)
            && self.subject == code.subject
            && (self.first..=self.last).contains(&code.detail)
    }

    /// How many details it holds beyond the first.
    pub(super) fn width(self) -> u16 {
        self.last.saturating_sub(self.first)
    }
}

impl Rule {
    /// Whether its numbers allow it for `reply`.
    pub(super) fn fits(&self, reply: &Reply) -> bool {
        let number = reply.code.number();
        let digits = [number / 100, number / 10 % 10, number % 10];
        let begins = |prefix: &String| prefix.bytes().zip(digits).all(|(wanted, digit)| u16::from(wanted) == u16::from(b'0') + digit);
        // Without words it is the enhanced code that says it, which must be there then.
        let is_told = self.pattern.is_some() || !self.words.is_empty();
        (self.codes.is_empty() || self.codes.iter().any(begins))
            && (self.enhanced.is_empty() || reply.enhanced.map_or(is_told, |code| self.enhanced.iter().any(|range| range.holds(code))))
    }

    /// Whether it is for answers to `verb`.
    pub(super) fn is_for(&self, verb: Option<Verb>) -> bool {
        self.at.is_empty() || verb.is_some_and(|verb| self.at.contains(&verb))
    }

    /// The place in `text` that makes it apply; none if it does not. `text` is the reply's [text](Reply::text) without addresses;
    /// `word` is where one of the rule's words stands in it, none for a rule without words.
    pub(super) fn place(&self, text: &str, word: Option<Range<usize>>) -> Option<Range<usize>> {
        match (&self.pattern, word) {
            (Some(pattern), _) => pattern.find(text),
            (None, None) => Some(0..0),
            // Small letters may have another length than large ones; then the words are not pointed at.
            (None, Some(word)) => Some(text.get(word.clone()).map_or(0..0, |_| word)),
        }
    }

    /// The first command that it is for; none if it is for all.
    #[cfg(test)]
    pub(super) fn first_place(&self) -> Option<Verb> {
        self.at.first().copied()
    }
}
