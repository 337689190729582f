//! Files of rules that map a server's words to a reason: one for each provider, gateway or software, and the generic ones.
//!
//! There are a thousand rules, and a reply needs one of them. So a file is only scanned for the words that have to be in a text
//! before a rule can fit; all of them together make one [`Index`], and a rule is parsed when it becomes a candidate.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::OnceLock;

use serde::Deserialize;

use super::index::Index;
use super::rule::Rule;
use crate::smtp::Reply;

/// Whose words a file holds; in the order in which they are asked where nobody is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// The user's own.
    Own,
    /// Block lists, by their names.
    Lists,
    /// A mail server's software.
    Software,
    /// Servers of any make.
    Generic,
    /// A gateway that stands before servers.
    Gateway,
    /// One provider.
    Provider,
}

/// One file of rules.
#[derive(Debug)]
pub(super) struct Book {
    /// The file's name without its ending: `google`.
    pub(super) key: Cow<'static, str>,
    /// As a person calls it: `Gmail`.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Names of its mail hosts, `*.` for any labels before.
    mx: Vec<String>,
    /// What its greeting has in it, in small letters.
    greeting: Vec<String>,
    text: Cow<'static, str>,
    slots: Vec<Slot>,
}

/// The place of one rule.
#[derive(Debug)]
struct Slot {
    at: Range<usize>,
    rule: OnceLock<Option<Box<Rule>>>,
}

impl Book {
    /// A built-in file; `scan` is what the build has made of it: its head, and of each rule the place in the file and the words. Tells
    /// each word that a rule needs, with the rule's number.
    fn scan(key: &'static str, text: &'static str, scan: &'static str, mut word: impl FnMut(&'static str, Option<usize>)) -> Self {
        let mut book = Self {
            key: key.into(),
            name: key.to_owned(),
            kind: Kind::Generic,
            mx: Vec::new(),
            greeting: Vec::new(),
            text: text.into(),
            slots: Vec::new(),
        };
        for line in scan.lines() {
            let place = || {
                let (begin, end) = line.split_once(' ')?;
                Some(begin.parse().ok()?..end.parse().ok()?)
            };
            if let Some(at) = place() {
                book.slots.push(Slot { at, rule: OnceLock::new() });
                continue;
            }
            let Some((name, value)) = line.split_once(" = ") else { continue };
            match (name, book.slots.len().checked_sub(1)) {
                ("words", Some(rule)) => strings(value).for_each(|text| word(text, Some(rule))),
                ("name", None) => strings(value).next().unwrap_or_default().clone_into(&mut book.name),
                ("kind", None) => book.kind = kind(value),
                ("mx", None) => book.mx.extend(strings(value).map(str::to_owned)),
                ("greeting", None) => book.greeting.extend(strings(value).map(str::to_owned)),
                ("text", None) => strings(value).for_each(|mark| word(mark, None)),
                _ => {}
            }
        }
        book
    }

    /// Whether this is who runs the host, or greets so; both in small letters.
    fn is(&self, host: Option<&str>, greeting: Option<&str>) -> bool {
        let named = |pattern: &String| match (pattern.strip_prefix('*'), host) {
            (Some(end), Some(host)) => host.len() > end.len() && host.ends_with(end),
            (None, Some(host)) => host == pattern,
            (_, None) => false,
        };
        self.mx.iter().any(named) || greeting.is_some_and(|greeting| self.greeting.iter().any(|mark| greeting.contains(mark.as_str())))
    }

    pub(super) fn rule(&self, number: usize) -> Option<&Rule> {
        let slot = self.slots.get(number)?;
        slot.rule.get_or_init(|| toml::from_str(self.text.get(slot.at.clone())?).ok().map(Box::new)).as_deref()
    }

    /// The user's own rules.
    fn own(rules: Vec<Rule>) -> Self {
        let slot = |rule| Slot { at: 0..0, rule: OnceLock::from(Some(Box::new(rule))) };
        Self {
            key: "own".into(),
            name: String::new(),
            kind: Kind::Own,
            mx: Vec::new(),
            greeting: Vec::new(),
            text: "".into(),
            slots: rules.into_iter().map(slot).collect(),
        }
    }

    /// How many rules it has.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

/// The strings of a line's value: `["a", "b"]` or `"a"`, without escapes.
fn strings(value: &str) -> impl Iterator<Item = &str> {
    value.split('"').skip(1).step_by(2)
}

fn kind(value: &str) -> Kind {
    match value.trim().trim_matches('"') {
        "provider" => Kind::Provider,
        "gateway" => Kind::Gateway,
        "lists" => Kind::Lists,
        "software" => Kind::Software,
        _ => Kind::Generic,
    }
}

/// Who speaks, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speaker<'a> {
    /// The host's name, as its MX or the report says.
    pub host: Option<&'a str>,
    /// What it greeted with.
    pub greeting: Option<&'a str>,
}

/// A file of the user's own rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnFile {
    #[serde(default)]
    rule: Vec<Rule>,
}

/// A file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It is no TOML, or a field is wrong; with line and field.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A pattern is no regular expression.
    #[error("rule {id}: the pattern {pattern:?} is no regular expression that is understood")]
    Pattern {
        /// The rule.
        id: String,
        /// Its pattern.
        pattern: String,
    },
}

/// What a text is looked up to in the books.
pub(super) struct Look<'a> {
    /// The books of whoever speaks, or writes as nobody else does.
    pub(super) speakers: Vec<&'a Book>,
    /// Rules of which a word is in the text, in the order in which they are asked.
    pub(super) candidates: Vec<Candidate<'a>>,
}

/// A rule of which a word is in a text.
pub(super) struct Candidate<'a> {
    pub(super) book: &'a Book,
    number: usize,
    /// Where the word stands; none for a rule without words.
    word: Option<Range<usize>>,
    /// Whether it is known that whoever speaks is the one whose book it is.
    recognised: bool,
    /// Where the text matches, once that was asked.
    place: OnceCell<Option<Range<usize>>>,
}

impl<'a> Candidate<'a> {
    pub(super) fn rule(&self) -> Option<&'a Rule> {
        self.book.rule(self.number)
    }

    /// The place in `text` that makes the rule apply, if its numbers allow it; none if it does not.
    pub(super) fn place(&self, reply: &Reply, text: &str) -> Option<Range<usize>> {
        let place = || self.rule().filter(|rule| rule.fits(reply))?.place(text, self.word.clone());
        self.place.get_or_init(place).clone()
    }

    /// Whether it is the way of speaking of one provider or gateway, and somebody else's mouth, as far as is known.
    pub(super) fn is_strange(&self) -> bool {
        matches!(self.book.kind, Kind::Provider | Kind::Gateway) && !self.recognised
    }
}

/// A word that is in a text before a rule fits, or that marks a book. There are many, so they are small.
#[derive(Clone, Copy, Debug)]
struct Word<T> {
    text: T,
    book: u16,
    /// None for a mark of the book itself.
    rule: Option<u16>,
}

impl<T> Word<T> {
    /// More rules than that have no file.
    fn new(text: T, book: usize, rule: Option<usize>) -> Self {
        let small = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        Self { text, book: small(book), rule: rule.map(small) }
    }
}

/// All books, and where each word of them leads.
pub(super) struct Library {
    books: Vec<Book>,
    index: OnceLock<Index>,
    /// Each word with the book and the rule that it is of; without a rule it marks the book itself.
    words: Vec<Word<&'static str>>,
    /// Those of the user's rules, counted on from the others.
    own_words: Vec<Word<String>>,
    /// Rules without words, which are told by their numbers alone, and count only where the book is recognised.
    wordless: Vec<(usize, usize)>,
}

impl Library {
    /// The books of `files`, each with a part of `scans`.
    pub(super) fn of(files: &[(&'static str, &'static str)], scans: &'static str) -> Self {
        let mut words = Vec::new();
        let mut wordless = Vec::new();
        let books: Vec<Book> = files
            .iter()
            .zip(scans.split("\n.\n"))
            .enumerate()
            .map(|(place, ((key, text), scan))| {
                let mut has_words = BTreeSet::new();
                let book = Book::scan(key, text, scan, |word, rule| {
                    has_words.extend(rule);
                    words.push(Word::new(word, place, rule));
                });
                wordless.extend((0..book.len()).filter(|rule| !has_words.contains(rule)).map(|rule| (place, rule)));
                book
            })
            .collect();
        Self { books, index: OnceLock::new(), words, own_words: Vec::new(), wordless }
    }

    /// Puts the user's rules before all others.
    pub(super) fn add_own(&mut self, text: &str) -> Result<(), RulesError> {
        let file: OwnFile = toml::from_str(text)?;
        let place = self.books.len();
        for (number, rule) in file.rule.iter().enumerate() {
            if rule.pattern.is_some() && rule.regex().is_none() {
                return Err(RulesError::Pattern { id: rule.id.clone(), pattern: rule.pattern.clone().unwrap_or_default() });
            }
            if rule.words.is_empty() {
                self.wordless.push((place, number));
            }
            self.own_words.extend(rule.words.iter().map(|word| Word::new(word.to_lowercase(), place, Some(number))));
        }
        let lower = |mut rule: Rule| {
            rule.words.iter_mut().for_each(|word| *word = word.to_lowercase());
            rule
        };
        self.books.push(Book::own(file.rule.into_iter().map(lower).collect()));
        self.index = OnceLock::new();
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn books(&self) -> &[Book] {
        &self.books
    }

    fn index(&self) -> &Index {
        let all = || (0..self.words.len() + self.own_words.len()).map(|place| self.word(place).text);
        self.index.get_or_init(|| Index::of(all()))
    }

    /// A word, the built-in ones first.
    fn word(&self, place: usize) -> Word<&str> {
        if let Some(word) = self.words.get(place) {
            return *word;
        }
        let own = &self.own_words[place - self.words.len()];
        Word { text: &own.text, book: own.book, rule: own.rule }
    }

    /// What a text leads to, `low` being it in small letters.
    pub(super) fn look(&self, speaker: Speaker<'_>, low: &str) -> Look<'_> {
        let mut recognised: Vec<usize> = self.recognised(speaker);
        let mut found: Vec<(usize, usize, Option<Range<usize>>)> = Vec::new();
        self.index().find(
            low,
            |place| self.word(place).text,
            |place, at| match self.word(place) {
                Word { text, book, rule: Some(rule) } => found.push((book.into(), rule.into(), Some(at..at + text.len()))),
                Word { book, rule: None, .. } => recognised.push(book.into()),
            },
        );
        let wordless = self.wordless.iter().filter(|(book, _)| recognised.contains(book) || self.books[*book].kind == Kind::Own);
        found.extend(wordless.map(|(book, rule)| (*book, *rule, None)));
        let rank = |book: usize| (self.books[book].kind != Kind::Own && !recognised.contains(&book), self.books[book].kind, book);
        // Of a word that is there more than once, the first place comes first.
        found.sort_by_key(|(book, rule, _)| (rank(*book), *rule));
        found.dedup_by_key(|(book, rule, _)| (*book, *rule));
        let candidate = |(book, number, word): (usize, usize, _)| Candidate {
            book: &self.books[book],
            number,
            word,
            recognised: recognised.contains(&book),
            place: OnceCell::new(),
        };
        let candidates = found.into_iter().map(candidate).collect();
        Look { speakers: recognised.iter().filter_map(|place| self.books.get(*place)).collect(), candidates }
    }

    /// The books of whoever speaks.
    fn recognised(&self, speaker: Speaker<'_>) -> Vec<usize> {
        if speaker == Speaker::default() {
            return Vec::new();
        }
        let (host, greeting) = (speaker.host.map(str::to_ascii_lowercase), speaker.greeting.map(str::to_lowercase));
        let books = self.books.iter().enumerate();
        books.filter(|(_, book)| book.is(host.as_deref(), greeting.as_deref())).map(|(place, _)| place).collect()
    }
}
