//! Our own report for people, read back: heads of sessions, replies that were wrapped, and the explanations between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::super::failure;
use crate::knowledge::{Entry, Knowledge};
use crate::smtp::{Failure, Purpose, Reply};

/// Explanations, and what a reply was wrapped to, stand so far to the right.
const INDENT: usize = 10;

/// What is known of the report so far.
#[derive(Default)]
pub(super) struct Own {
    /// The columns that it was written for; none before a session's head was seen.
    width: Option<usize>,
    /// The columns of its longest line, where no head tells more.
    longest: usize,
    /// Whether the head of a session had no room for what it says of it.
    open_head: bool,
    /// The columns of the last line that a reply was wrapped to; none if it was not.
    last: Option<usize>,
    /// Whether the explanation of the last reply has begun.
    explained: bool,
    phrases: BTreeMap<String, String>,
    roles: Vec<String>,
    knowledge: Option<Knowledge>,
}

/// The line that a session begins with.
pub(super) struct Head {
    pub(super) host: Option<String>,
    pub(super) peer: SocketAddr,
    pub(super) asked: bool,
    /// What the connection failed with, where that is all there is to tell.
    pub(super) failure: Option<Failure>,
}

impl Own {
    pub(super) fn new(text: &str) -> Self {
        Self { longest: text.lines().map(|line| line.chars().count()).max().unwrap_or(0), ..Self::default() }
    }

    /// Whether it has turned out to be our report.
    pub(super) fn is_ours(&self) -> bool {
        self.width.is_some()
    }

    /// A line with a mark came: what was said before it is over.
    pub(super) fn marked(&mut self) {
        (self.last, self.explained, self.open_head) = (None, false, false);
    }

    /// `mx1.example.com 192.0.2.1:25        Postfix, TLS 1.3, 184 ms`.
    pub(super) fn head(&mut self, line: &str) -> Option<Head> {
        if line.starts_with(' ') {
            return None;
        }
        self.marked();
        let mut words = line.split(' ');
        let first = words.next()?;
        let (host, peer) = match first.parse() {
            Ok(peer) => (None, peer),
            Err(_) => (Some(first.to_owned()), words.next()?.parse().ok()?),
        };
        let rest: Vec<&str> = words.collect();
        let about = rest.join(" ");
        // Between both ends stand two blanks at least.
        if !about.is_empty() && !about.starts_with(' ') {
            return None;
        }
        let about = about.trim();
        if self.knowledge.is_none() {
            let knowledge = Knowledge::english();
            self.phrases = knowledge.phrases("terminal");
            self.roles = knowledge.phrases::<BTreeMap<String, String>>("role").into_values().collect();
            self.knowledge = Some(knowledge);
        }
        self.open_head = about.is_empty();
        if !about.is_empty() {
            self.width = Some(line.chars().count());
        }
        let (asked, failure) = self.judged(about);
        Some(Head { host, peer, asked, failure })
    }

    /// What a head says that had no room on its own line.
    pub(super) fn about(&mut self, line: &str) -> Option<(bool, Option<Failure>)> {
        let is_open = std::mem::take(&mut self.open_head);
        let words = line.strip_prefix("  ").filter(|words| is_open && !words.starts_with(' '))?;
        self.width.get_or_insert(self.longest);
        Some(self.judged(words))
    }

    /// Whether a session was asked for, by what its head says, and what became of the connection where that is all.
    fn judged(&self, about: &str) -> (bool, Option<Failure>) {
        let role = self.roles.iter().filter(|role| about.starts_with(role.as_str())).map(String::len).max();
        let words = role.map_or(about, |length| about[length..].trim_start_matches([',', ' ']));
        (role.is_none(), failure::ours(words))
    }

    /// What the questions are for that follow the note `words`.
    pub(super) fn introduces(&self, words: &str) -> Option<Purpose> {
        // The note may be wrapped.
        let begins = |key: &str| self.phrases.get(key).is_some_and(|phrase| words.len() > INDENT && phrase.starts_with(words));
        [
            ("control_catch_all", Purpose::CatchAll),
            ("control_postmaster", Purpose::Postmaster),
            ("control_relay", Purpose::Relay),
            ("injection", Purpose::Injection),
        ]
        .into_iter()
        .find(|(key, _)| begins(key))
        .map(|(_, purpose)| purpose)
    }

    /// What `line` adds to the reply whose lines so far are `open`: a further line of it, or the rest of one that was wrapped.
    pub(super) fn folded<'a>(&mut self, line: &'a str, open: &[String]) -> Option<&'a str> {
        let width = self.width?;
        let text = line.trim();
        if self.explained || text.is_empty() || line.len() - line.trim_start().len() != INDENT {
            self.explained = true;
            return None;
        }
        let said = open.last()?;
        // The first line of a reply has its gutter before it, which is as wide as the indent.
        let columns = self.last.unwrap_or(INDENT + said.chars().count());
        if said.get(..3).is_some_and(|code| text.starts_with(code)) && said.as_bytes().get(3) == Some(&b'-') && super::line::is_reply(text)
        {
            self.last = None;
            return Some(text);
        }
        let word = text.split(' ').next().unwrap_or_default().chars().count();
        if columns + 1 + word <= width || self.explains(text, open) {
            self.explained = true;
            return None;
        }
        self.last = Some(line.chars().count());
        Some(text)
    }

    /// Whether `text` begins with a title that an explanation of the reply could have.
    fn explains(&self, text: &str, open: &[String]) -> bool {
        let (Some(knowledge), Some(reply)) = (&self.knowledge, Reply::parse(&open.join("\r\n"))) else { return false };
        let reading = knowledge.read(&reply, None);
        let of_entry = |entry: Arc<Entry>| {
            let places: Vec<Option<&str>> = entry.at.keys().map(|place| Some(place.as_str())).chain([None]).collect();
            places.into_iter().map(|place| entry.meaning(place).title).collect::<Vec<_>>()
        };
        let by_code = knowledge.code_entry(reply.code).map(of_entry).unwrap_or_default().into_iter();
        let by_enhanced = reply.enhanced.and_then(|code| knowledge.enhanced(code)).map(|meaning| meaning.title);
        by_code
            .chain(by_enhanced)
            .chain([knowledge.reason(reading.reason).title.clone()])
            .any(|title| text.strip_prefix(title.as_str()).is_some_and(|rest| rest.starts_with([':', '.'])))
    }
}
