//! Which software speaks: marks in greetings and replies.

use std::sync::OnceLock;

use regex_lite::Regex;
use serde::Deserialize;

use super::{Confidence, Knowledge};

/// Where a mark is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The whole greeting.
    Greeting,
    /// One line of the EHLO reply.
    Ehlo,
    /// Any other reply.
    Reply,
    /// The reply to QUIT.
    Quit,
}

/// What a mark gives away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// Its name.
    pub name: String,
    /// How sure that is.
    pub confidence: Confidence,
    /// Whether it is a device on the path that speaks for the server.
    pub middlebox: bool,
    /// Whether it only wastes a client's time.
    pub tarpit: bool,
    /// Whether it swallows mail for tests.
    pub sink: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    pub(super) software: String,
    pub(super) place: Place,
    pattern: String,
    confidence: Confidence,
    #[allow(dead_code, reason = "the tests read it")]
    pub(super) example: String,
    #[allow(dead_code, reason = "stands in the file for its readers")]
    source: String,
    #[serde(default)]
    middlebox: bool,
    #[serde(default)]
    tarpit: bool,
    #[serde(default)]
    sink: bool,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mark: Vec<Mark>,
}

pub(super) fn built_in() -> Vec<Mark> {
    let file = include_str!("data/software.toml").parse::<toml::Table>().and_then(File::deserialize);
    file.unwrap_or_else(|error| panic!("the built-in software.toml is wrong: {error}")).mark
}

impl Mark {
    pub(super) fn matches(&self, text: &str) -> bool {
        let fits = |text| self.regex().is_some_and(|pattern| pattern.is_match(text));
        if self.place == Place::Ehlo { text.lines().any(fits) } else { fits(text) }
    }

    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&self.pattern).ok()).as_ref()
    }
}

impl Knowledge {
    /// The software that `text` gives away: a reply as sent, lines joined with line feeds. The first mark that fits.
    #[must_use]
    pub fn software(&self, place: Place, text: &str) -> Option<Software> {
        let mark = self.software_marks().iter().find(|mark| mark.place == place && mark.matches(text))?;
        Some(Software {
            name: mark.software.clone(),
            confidence: mark.confidence,
            middlebox: mark.middlebox,
            tarpit: mark.tarpit,
            sink: mark.sink,
        })
    }
}
