//! What the text of a rule has to match.
//!
//! One reply asks a dozen patterns once: then the engine that takes least to make a pattern ready is the best. A stream asks the same
//! ones over and over, and soon gets the engine that takes longer for that, and much less time for each answer.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use regex_automata::meta::Regex as Fast;
use regex_automata::util::syntax;
use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;

/// A pattern that was asked so often is worth the faster engine.
const OFTEN: u32 = 4;

/// A regular expression as the crate `regex-lite` understands it; letters match large and small, a full stop matches every character.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pattern {
    text: String,
    plain: OnceLock<Option<Regex>>,
    fast: OnceLock<Option<Fast>>,
    asked: AtomicU32,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

impl Clone for Pattern {
    fn clone(&self) -> Self {
        self.text.clone().into()
    }
}

impl Pattern {
    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it can be understood.
    pub(super) fn is_valid(&self) -> bool {
        self.plain().is_some()
    }

    /// Where it matches in `text` first.
    pub(super) fn find(&self, text: &str) -> Option<Range<usize>> {
        if self.asked.fetch_add(1, Ordering::Relaxed) < OFTEN { self.find_once(text) } else { self.find_often(text) }
    }

    pub(super) fn find_once(&self, text: &str) -> Option<Range<usize>> {
        self.plain()?.find(text).map(|found| found.range())
    }

    pub(super) fn find_often(&self, text: &str) -> Option<Range<usize>> {
        let build = || {
            // Looking for literals that a search could begin with takes half of the time, and no search for them is built in.
            let config = Fast::config().auto_prefilter(false).utf8_empty(false);
            let syntax = syntax::Config::new().case_insensitive(true).unicode(false).utf8(false);
            Fast::builder().configure(config).syntax(syntax).build(&with_characters(&self.text)).ok()
        };
        match self.fast.get_or_init(build) {
            Some(fast) => fast.find(text).map(|found| on_characters(text, found.range())),
            None => self.find_once(text),
        }
    }

    fn plain(&self) -> Option<&Regex> {
        let build = || RegexBuilder::new(&self.text).case_insensitive(true).dot_matches_new_line(true).build().ok();
        self.plain.get_or_init(build).as_ref()
    }
}

/// The pattern with each full stop that stands for a character written so that it does not stand for an octet.
fn with_characters(pattern: &str) -> String {
    let (mut written, mut is_escaped, mut in_class) = (String::with_capacity(pattern.len()), false, false);
    for letter in pattern.chars() {
        match letter {
            '.' if !is_escaped && !in_class => written.push_str("(?su:.)"),
            letter => written.push(letter),
        }
        in_class = if is_escaped { in_class } else { letter == '[' || (in_class && letter != ']') };
        is_escaped = letter == '\\' && !is_escaped;
    }
    written
}

/// `range` of octets, as wide as the characters that it touches.
fn on_characters(text: &str, range: Range<usize>) -> Range<usize> {
    let Range { mut start, mut end } = range;
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_find_the_same() {
        for (pattern, text, expected) in [
            ("does ?n.?t", "It Doesn\u{2019}t exist", Some("Doesn\u{2019}t")),
            ("n.t", "a n\nt", Some("n\nt")),
            (r"[.x]\.b", "a.b x.b", Some("x.b")),
            (r"\bfull\b", "überfull, full", Some("full")),
            (r"größe \S+", "die größe ümlaut zählt", Some("größe ümlaut")),
            (r"[éü]b", "über", Some("üb")),
            ("quota", "QUOTA", Some("QUOTA")),
            ("quota", "none", None),
        ] {
            let pattern = Pattern::from(pattern.to_owned());
            let found = |range: Option<Range<usize>>| range.and_then(|range| text.get(range));
            assert_eq!(found(pattern.find_once(text)), expected, "{pattern:?}");
            assert_eq!(found(pattern.find_often(text)), expected, "{pattern:?}");
        }
    }
}
