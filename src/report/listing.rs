//! The list of what is known: `smtpprobe.codes/1`, and how it is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::{Look, PLAIN, Page, name_in};
use super::{Table, name};
use crate::knowledge::{Actor, Entry, Knowledge, Meaning, Reason};
use crate::smtp::Verb;

/// The name and version of the contract.
pub const SCHEMA: &str = "smtpprobe.codes/1";

/// Codes that fit a filter: reply codes, then enhanced codes, in numeric order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listing {
    /// Always `smtpprobe.codes/1`.
    pub schema: String,
    /// The filter; absent if all codes were asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub filter: Option<String>,
    /// The codes.
    pub codes: Vec<ListedCode>,
}

/// One code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListedCode {
    /// The code; `X` as the class of an enhanced code stands for any.
    pub code: String,
    /// A few words.
    pub title: String,
    /// Completes "552 says that ...".
    pub says: String,
    /// Who acts first.
    pub actor: Actor,
    /// What the code alone allows to conclude.
    pub reason: Reason,
}

/// What a filter asks for.
enum Filter {
    All,
    /// The beginning of a reply code, or the class of an enhanced one.
    Digits(String),
    /// A class, where it is given, a subject, and perhaps a detail.
    Enhanced {
        class: Option<u8>,
        subject: u16,
        detail: Option<u16>,
    },
    Answers(Verb),
    Reason(Reason),
    /// Words in lower case; all must occur.
    Words(Vec<String>),
}

impl Filter {
    fn of(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            return Self::All;
        }
        if text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Digits(text.to_owned());
        }
        if let Some(filter) = Self::enhanced(text) {
            return filter;
        }
        let reason = serde_json::from_value(serde_json::Value::String(text.to_lowercase()));
        match (text.parse(), reason) {
            (Ok(verb), _) => Self::Answers(verb),
            (_, Ok(reason)) => Self::Reason(reason),
            _ => Self::Words(text.to_lowercase().split_whitespace().map(str::to_owned).collect()),
        }
    }

    /// `5.7`, `5.7.`, `x.7`, `5.7.1`, `5.7.x`.
    fn enhanced(text: &str) -> Option<Self> {
        let open = |part: &str| part.eq_ignore_ascii_case("x");
        let mut parts = text.trim_end_matches('.').split('.');
        let class = parts.next().filter(|class| open(class) || matches!(*class, "2" | "4" | "5"))?;
        let subject = parts.next()?.parse().ok()?;
        let detail = match parts.next() {
            None => None,
            Some(part) if open(part) => None,
            Some(part) => Some(part.parse().ok()?),
        };
        parts.next().is_none().then_some(Self::Enhanced { class: class.parse().ok(), subject, detail })
    }

    fn takes_code(&self, code: &str, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Digits(digits) => code.starts_with(digits),
            Self::Enhanced { .. } => false,
            Self::Answers(verb) => entry.commands.iter().any(|command| command == "ANY" || command == verb.as_str()),
            Self::Reason(reason) => says(entry, entry.at.keys(), |meaning| meaning.reason == *reason),
            Self::Words(words) => says(entry, entry.at.keys(), |meaning| has(meaning, words)),
        }
    }

    /// The classes for which the detail is listed; none at all if it does not fit, and `X` if they do not matter.
    fn takes_detail(&self, (of, at): (u16, u16), entry: &Entry) -> Vec<Option<u8>> {
        let any = |fits: bool| if fits { vec![None] } else { Vec::new() };
        let one = |class: u8, fits: bool| if fits && entry.classes.contains(&class) { vec![Some(class)] } else { Vec::new() };
        match self {
            Self::All => any(true),
            Self::Digits(digits) => digits.parse().map_or(Vec::new(), |class| one(class, true)),
            Self::Enhanced { class, subject, detail } => {
                let fits = *subject == of && detail.is_none_or(|detail| detail == at);
                class.map_or_else(|| any(fits), |class| one(class, fits))
            }
            Self::Answers(_) => Vec::new(),
            Self::Reason(reason) => any(says(entry, entry.at.keys(), |meaning| meaning.reason == *reason)),
            Self::Words(words) => any(says(entry, entry.at.keys(), |meaning| has(meaning, words))),
        }
    }
}

/// Whether the entry, in general or in one of its places, is what is asked for.
fn says<'a>(entry: &Entry, mut places: impl Iterator<Item = &'a String>, asked: impl Fn(&Meaning) -> bool) -> bool {
    asked(&entry.meaning(None)) || places.any(|place| asked(&entry.meaning(Some(place))))
}

fn has(meaning: &Meaning, words: &[String]) -> bool {
    let text = [&meaning.title, &meaning.says, &meaning.meaning].map(|text| text.to_lowercase()).join(" ");
    words.iter().all(|word| text.contains(word))
}

/// The codes that fit `filter`: the beginning of a code, a command, a reason's name, or words of the text; all if it is empty.
#[must_use]
pub fn list(knowledge: &Knowledge, filter: &str) -> Listing {
    let asked = Filter::of(filter);
    let listed = |code: String, meaning: Meaning| ListedCode {
        code,
        title: meaning.title,
        says: meaning.says,
        actor: meaning.actor,
        reason: meaning.reason,
    };
    let place = if let Filter::Answers(verb) = &asked { Some(verb.as_str()) } else { None };
    let mut codes = Vec::new();
    for code in knowledge.codes() {
        let fits = |entry: &Arc<Entry>| asked.takes_code(&code.to_string(), entry);
        codes.extend(knowledge.code_entry(code).filter(fits).map(|entry| listed(code.to_string(), entry.meaning(place))));
    }
    for (subject, detail) in knowledge.enhanced_details() {
        let Some(entry) = knowledge.detail_entry(subject, detail) else { continue };
        for class in asked.takes_detail((subject, detail), &entry) {
            let class = class.map(|class| class.to_string());
            let code = format!("{}.{subject}.{detail}", class.as_deref().unwrap_or("X"));
            codes.push(listed(code, entry.meaning(class.as_deref())));
        }
    }
    Listing { schema: SCHEMA.to_owned(), filter: Some(filter.to_owned()).filter(|filter| !filter.is_empty()), codes }
}

/// One line for each code: code, title, who acts.
#[must_use]
pub fn render(listing: &Listing, knowledge: &Knowledge, look: Look) -> String {
    let actors: BTreeMap<String, String> = knowledge.phrases("actor_short");
    let mut page = Page::new(look);
    for listed in &listing.codes {
        page.ends(PLAIN, &format!("{:<7} {}", listed.code, listed.title), &name_in(&actors, listed.actor));
    }
    page.text
}

/// A row for each code.
#[must_use]
pub fn table(listing: &Listing) -> Table {
    let mut table = Table::new(&["code", "title", "reason", "actor"]);
    let cells = |code: &ListedCode| vec![code.code.clone(), code.title.clone(), name(code.reason), name(code.actor)];
    table.rows = listing.codes.iter().map(cells).collect();
    table
}

/// The codes alone, one a line.
#[must_use]
pub fn names(listing: &Listing) -> String {
    listing.codes.iter().flat_map(|listed| [listed.code.as_str(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_find_what_they_say() {
        let knowledge = Knowledge::english();
        let all = list(&knowledge, "").codes.len();
        assert_eq!(all, knowledge.codes().len() + knowledge.enhanced_details().len());
        for (filter, some, not) in [
            ("4", &["450", "4.2.2"][..], &["550", "5.2.2", "X.2.2"][..]),
            ("55", &["550", "556"], &["450", "5.5.1"]),
            ("552", &["552"], &["550"]),
            ("5.7", &["5.7.1", "5.7.30"], &["4.7.1", "5.2.2", "550"]),
            ("x.7.x", &["X.7.1", "X.7.30"], &["5.7.1", "X.1.1"]),
            ("5.7.1", &["5.7.1"], &["5.7.10"]),
            ("quota", &["552", "X.2.2"], &["250"]),
            ("RCPT", &["250", "552", "421"], &["354", "X.1.1"]),
            ("rcpt to", &["250"], &["354"]),
            ("mailbox_full", &["552", "X.2.2"], &["550"]),
            ("null mx", &["X.1.10"], &["550"]),
        ] {
            let codes: Vec<String> = list(&knowledge, filter).codes.into_iter().map(|listed| listed.code).collect();
            let has = |code: &&str| codes.iter().any(|known| known == code);
            assert!(some.iter().all(has) && !not.iter().any(has), "{filter}: {codes:?}");
        }
        for filter in ["zzz", "6", "5.9", "7.1.1", "\u{1b}"] {
            assert!(list(&knowledge, filter).codes.is_empty(), "{filter}");
        }
    }

    #[test]
    fn a_listing_is_a_line_for_each_code() {
        let knowledge = Knowledge::english();
        let look = Look { width: 80, colour: false, verbose: false };
        let all = list(&knowledge, "");
        let text = render(&all, &knowledge, look);
        assert_eq!(text.lines().count(), all.codes.len());
        assert!(text.lines().all(|line| line.chars().count() <= 80));
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!("codes_55", render(&list(&knowledge, "55"), &knowledge, look));
        });
    }
}
