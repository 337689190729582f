//! Files of rules that map a server's words to a reason: one for each provider, gateway or software, and the generic ones.
//!
//! There are two thousand rules, and a reply needs one of them. So the build lists the words that have to be in a text before a rule
//! can fit; all of them together make one [`Index`]. A rule is parsed when it becomes a candidate, and the text holds what its pattern
//! needs.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::OnceLock;

use serde::Deserialize;

use super::books::{BUILT_IN, FILTER, HEADS, NEXT, Place, SCANS, Scan, WORDLESS, WORDS};
use super::index::{Index, SHORTEST};
use super::needs::Text;
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
    /// Names of its mail hosts, `*` for any labels.
    mx: Vec<String>,
    /// What its greeting has in it, in small letters.
    greeting: Vec<String>,
    /// Domains whose mail it takes itself, written like names of hosts.
    domains: Vec<String>,
    text: &'static str,
    /// Where its rules are in that; none of the user's own, which are all read.
    places: &'static [Place],
    /// The rules that were read.
    rules: Vec<OnceLock<Option<Box<Rule>>>>,
}

impl Book {
    /// A built-in file.
    fn built_in((key, text): (&'static str, &'static str), scan: &Scan) -> Self {
        let mut book = Self {
            key: key.into(),
            name: key.to_owned(),
            kind: Kind::Generic,
            mx: Vec::new(),
            greeting: Vec::new(),
            domains: Vec::new(),
            text,
            places: scan.rules,
            rules: scan.rules.iter().map(|_| OnceLock::new()).collect(),
        };
        for (name, value) in scan.head.lines().filter_map(|line| line.split_once(" = ")) {
            match name {
                "name" => strings(value).next().unwrap_or_default().clone_into(&mut book.name),
                "kind" => book.kind = kind(value),
                "mx" => book.mx.extend(strings(value).map(str::to_owned)),
                "greeting" => book.greeting.extend(strings(value).map(str::to_owned)),
                "domains" => book.domains.extend(strings(value).map(str::to_owned)),
                _ => {}
            }
        }
        book
    }

    /// Whether this is who runs the host, or greets so; both in small letters.
    fn is(&self, host: Option<&str>, greeting: Option<&str>) -> bool {
        let named = |host: &str| self.mx.iter().any(|pattern| is_named(host, pattern));
        host.is_some_and(named) || greeting.is_some_and(|greeting| self.greeting.iter().any(|mark| greeting.contains(mark.as_str())))
    }

    pub(super) fn rule(&self, number: usize) -> Option<&Rule> {
        let read = || toml::from_str(self.text.get(self.places.get(number)?.rule())?).ok().map(Box::new);
        self.rules.get(number)?.get_or_init(read).as_deref()
    }

    /// Whether the pattern of a rule can match in a text.
    pub(super) fn may_match(&self, number: usize, text: &Text) -> bool {
        self.places.get(number).is_none_or(|place| text.meets(place.needs()))
    }

    /// The user's own rules.
    fn own(rules: Vec<Rule>) -> Self {
        Self {
            key: "own".into(),
            name: String::new(),
            kind: Kind::Own,
            mx: Vec::new(),
            greeting: Vec::new(),
            domains: Vec::new(),
            text: "",
            places: &[],
            rules: rules.into_iter().map(|rule| OnceLock::from(Some(Box::new(rule)))).collect(),
        }
    }

    /// How many rules it has.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }
}

/// Whether `name` is as `pattern` says, whose `*` stands for anything.
fn is_named(name: &str, pattern: &str) -> bool {
    // Most are told apart by their last letter.
    if !pattern.ends_with('*') && pattern.as_bytes().last() != name.as_bytes().last() {
        return false;
    }
    let Some((begin, end)) = pattern.split_once('*') else { return name == pattern };
    name.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)).is_some_and(|any| !any.is_empty())
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
    /// The domain of the recipient that it speaks of: a provider's own is told by it where host and greeting tell nobody.
    pub domain: Option<&'a str>,
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
    /// A word is too short to lead to its rule.
    #[error("rule {id}: the word {word:?} is too short; it takes at least {SHORTEST} octets")]
    Word {
        /// The rule.
        id: String,
        /// The word.
        word: String,
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
    /// Whether the text holds what the rule's pattern needs, once that was asked.
    may_match: OnceCell<bool>,
    /// Where the text matches, once that was asked.
    place: OnceCell<Option<Range<usize>>>,
}

impl<'a> Candidate<'a> {
    /// Whether the rule's pattern can match in the text; told without reading the rule.
    pub(super) fn may_match(&self, text: &Text) -> bool {
        *self.may_match.get_or_init(|| self.book.may_match(self.number, text))
    }

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

/// All books, and where each word of them leads.
pub(super) struct Library {
    books: Vec<Book>,
    /// Of the built-in words.
    index: Index,
    own: OwnWords,
    /// Rules without words, which are told by their numbers alone, and count only where the book is recognised.
    wordless: Vec<(usize, usize)>,
}

/// The words of the user's rules.
struct OwnWords {
    /// Each with its book and rule.
    words: Vec<(String, usize, usize)>,
    index: Index,
}

impl Library {
    /// The books that come with the program.
    pub(super) fn built_in() -> Self {
        Self {
            books: BUILT_IN.iter().zip(&SCANS).map(|(file, scan)| Book::built_in(*file, scan)).collect(),
            index: Index { filter: (&FILTER[..]).into(), heads: (&HEADS[..]).into(), next: (&NEXT[..]).into() },
            own: OwnWords { words: Vec::new(), index: Index::of([].into_iter()) },
            wordless: WORDLESS.iter().map(|(book, rule)| (usize::from(*book), usize::from(*rule))).collect(),
        }
    }

    /// Puts the user's rules before all others.
    pub(super) fn add_own(&mut self, text: &str) -> Result<(), RulesError> {
        let file: OwnFile = toml::from_str(text)?;
        let place = self.books.len();
        for (number, rule) in file.rule.iter().enumerate() {
            if let Some(pattern) = rule.pattern.as_ref().filter(|pattern| !pattern.is_valid()) {
                return Err(RulesError::Pattern { id: rule.id.clone(), pattern: pattern.as_str().to_owned() });
            }
            if let Some(word) = rule.words.iter().find(|word| word.len() < SHORTEST) {
                return Err(RulesError::Word { id: rule.id.clone(), word: word.clone() });
            }
            if rule.words.is_empty() {
                self.wordless.push((place, number));
            }
            self.own.words.extend(rule.words.iter().map(|word| (word.to_lowercase(), place, number)));
        }
        self.own.index = Index::of(self.own.words.iter().map(|(word, ..)| word.as_str()));
        self.books.push(Book::own(file.rule));
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn books(&self) -> &[Book] {
        &self.books
    }

    /// What a text leads to, `low` being it in small letters.
    pub(super) fn look(&self, speaker: Speaker<'_>, low: &str) -> Look<'_> {
        let mut recognised: Vec<usize> = self.recognised(speaker);
        let mut found: Vec<(usize, usize, Option<Range<usize>>)> = Vec::new();
        self.index.find(
            low,
            |place| WORDS[place].octets(),
            |place, at| {
                let word = WORDS[place];
                match word.rule() {
                    Some(rule) => found.push((word.book(), rule, Some(at..at + word.octets().len()))),
                    None => recognised.push(word.book()),
                }
            },
        );
        if !self.own.words.is_empty() {
            self.own.index.find(
                low,
                |place| self.own.words[place].0.as_bytes(),
                |place, at| {
                    let (word, book, rule) = &self.own.words[place];
                    found.push((*book, *rule, Some(at..at + word.len())));
                },
            );
        }
        let wordless = self.wordless.iter().filter(|(book, _)| recognised.contains(book) || self.books[*book].kind == Kind::Own);
        found.extend(wordless.map(|(book, rule)| (*book, *rule, None)));
        let rank = |book: usize| (self.books[book].kind != Kind::Own && !recognised.contains(&book), self.books[book].kind, book);
        // Of a word that is there more than once, the first place comes first.
        found.sort_by_cached_key(|(book, rule, _)| (rank(*book), *rule));
        found.dedup_by_key(|(book, rule, _)| (*book, *rule));
        let candidate = |(book, number, word): (usize, usize, _)| Candidate {
            book: &self.books[book],
            number,
            word,
            recognised: recognised.contains(&book),
            may_match: OnceCell::new(),
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
        let books = || self.books.iter().enumerate();
        let mut places: Vec<usize> =
            books().filter(|(_, book)| book.is(host.as_deref(), greeting.as_deref())).map(|(place, _)| place).collect();
        let is_told = places.iter().any(|place| matches!(self.books[*place].kind, Kind::Provider | Kind::Gateway));
        if let Some(domain) = speaker.domain.filter(|_| !is_told).map(str::to_ascii_lowercase) {
            let serves = |book: &Book| book.domains.iter().any(|pattern| is_named(&domain, pattern));
            places.extend(books().filter(|(_, book)| serves(book)).map(|(place, _)| place));
        }
        places
    }
}
