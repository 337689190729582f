//! Offline input → the same facts that a probe finds: what a person pastes, and what a file holds.
//!
//! Each kind of input is one file here with one function that takes the text or declines, and one variant of [`Input`]. The
//! kinds are asked in turn, the narrow before the wide.

mod code;
mod content;
mod conversation;
mod failure;
pub mod log_line;
pub mod mail;
pub mod mailbox;
mod mentions;
mod recipient_report;
mod reply;
pub mod saved_report;
pub mod transcript;

pub use code::{EnhancedPattern, Topic};
pub use conversation::Conversation;
pub use log_line::{LogLine, LogReader};
pub use mentions::Mentions;
pub use recipient_report::{Action, RecipientReport};
pub use saved_report::SavedReport;

use std::borrow::Cow;

use self::mail::Notice;
use crate::smtp::Reply;

/// An input may have this many octets.
pub const LIMIT: usize = 1 << 20;
/// An input may hold this many replies.
const REPLIES_LIMIT: usize = 1000;
/// A complaint quotes at most this many characters of the input.
const QUOTED: usize = 40;

/// What an input turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A code by itself.
    Topic(Topic),
    /// The text of at least one reply, in the order given.
    Replies(Vec<Reply>),
    /// A mail, and what it says of other mail.
    Mail(Box<Notice>),
    /// A line of a mail server's log.
    LogLine(Box<LogLine>),
    /// Sessions as somebody has recorded them.
    Conversations(Vec<Conversation>),
    /// Reports of this program.
    Reports(Vec<SavedReport>),
}

/// Why an input cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// It exceeds [`LIMIT`].
    #[error("the input is longer than {} MB", LIMIT >> 20)]
    TooLong,
    /// It holds more replies than anybody can read.
    #[error("the input holds more than {REPLIES_LIMIT} replies")]
    TooMany,
    /// It looks like an enhanced code, but its first digit is none that exists.
    #[error("{0} is no enhanced code: those begin with 2, 4 or 5, or with x for any of them")]
    NoClass(String),
    /// It is an enhanced code with words, which leaves open what the server's reply code was.
    #[error("the reply code before {0} is missing; give the whole reply, such as 550 5.1.1 user unknown, or {0} alone")]
    NoReplyCode(String),
    /// Nothing in it is understood.
    #[error(
        "{}; what is understood: a reply code (552), an enhanced code (5.2.2), a reply (550 5.1.1 user unknown)",
        without_code(.0)
    )]
    NoCode(String),
}

/// Finds out what `text` is.
///
/// # Errors
/// If it is too long, or nothing that is understood.
pub fn read(text: &str) -> Result<Input, ReadingError> {
    if text.len() > LIMIT {
        return Err(ReadingError::TooLong);
    }
    // In very old files, lines end with a carriage return alone.
    let text = text.trim();
    let old = !text.contains('\n') && text.contains('\r');
    let text = if old { Cow::Owned(text.replace('\r', "\n")) } else { Cow::Borrowed(text) };
    let text = text.as_ref();
    if let Some(topic) = code::topic(text)? {
        return Ok(Input::Topic(topic));
    }
    if mail::looks_like_mail(text.as_bytes()) {
        return Ok(Input::Mail(Box::new(mail::read(text.as_bytes()))));
    }
    if let Some(line) = Some(text).filter(|text| !text.contains('\n')).and_then(log_line::read) {
        return Ok(Input::LogLine(Box::new(line)));
    }
    if let Some(saved) = saved_report::read(text) {
        return Ok(Input::Reports(saved));
    }
    if let Some(conversations) = transcript::read(text) {
        return Ok(Input::Conversations(conversations));
    }
    let replies = reply::replies(text, REPLIES_LIMIT)?;
    if !replies.is_empty() {
        return Ok(Input::Replies(replies));
    }
    match code::topic(text.split_whitespace().next().unwrap_or_default()) {
        Ok(Some(Topic::Enhanced(pattern))) => Err(ReadingError::NoReplyCode(pattern.to_string())),
        _ => Err(ReadingError::NoCode(beginning(text))),
    }
}

/// Reads codes that stand side by side, with blanks or commas between them.
///
/// # Errors
/// If `text` is too long, or anything in it is no code.
pub fn topics(text: &str) -> Result<Vec<Topic>, ReadingError> {
    if text.len() > LIMIT {
        return Err(ReadingError::TooLong);
    }
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    words.map(|word| code::topic(word)?.ok_or_else(|| ReadingError::NoCode(beginning(word)))).collect()
}

fn without_code(text: &str) -> String {
    if text.is_empty() { "it is empty, so there is no code in it".to_owned() } else { format!("there is no code in {text:?}") }
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_input_is_told_by_its_looks() {
        for (text, kind) in [
            ("552", "Topic(Code(ReplyCode(552)))"),
            (" 552\n", "Topic(Code(ReplyCode(552)))"),
            ("999", "Topic(Code(ReplyCode(999)))"),
            ("5.2.2", "Topic(Enhanced(One"),
            ("#5.2.2", "Topic(Enhanced(One"),
            ("x.2.2", "Topic(Enhanced(AnyClass { subject: 2, detail: 2 }))"),
            ("X.7.26", "Topic(Enhanced(AnyClass { subject: 7, detail: 26 }))"),
            ("5.7.515", "Topic(Enhanced(One"),
            ("550 5.1.1 user unknown", "Replies"),
            ("552 5.2.2", "Replies"),
            ("250-a\n250 b", "Replies"),
            ("<- 550 no", "Replies"),
        ] {
            let input = read(text).map(|input| format!("{input:?}")).expect(text);
            assert!(input.starts_with(kind), "{text:?}: {input}");
        }
    }

    #[test]
    fn what_holds_no_code_is_said_to_hold_none() {
        for text in ["", "hello", "5.2", "55", "5520", "2026-11-22", "anna@example.com", "the 552"] {
            assert!(matches!(read(text), Err(ReadingError::NoCode(_))), "{text:?}: {:?}", read(text));
        }
        assert_eq!(read("5.1.1 user unknown"), Err(ReadingError::NoReplyCode("5.1.1".into())));
        assert_eq!(read("3.1.1"), Err(ReadingError::NoClass("3.1.1".into())));
        assert_eq!(read(&"5".repeat(LIMIT + 1)), Err(ReadingError::TooLong));
        assert_eq!(read(&"550 no\n".repeat(REPLIES_LIMIT + 1)), Err(ReadingError::TooMany));
        let complaint = read(&"é".repeat(1000)).unwrap_err().to_string();
        assert!(complaint.chars().count() < 200, "{complaint}");
    }

    #[test]
    fn codes_side_by_side_are_read_one_by_one() {
        let names = |text: &str| topics(text).map(|all| all.iter().map(Topic::to_string).collect::<Vec<_>>());
        assert_eq!(names("552 5.2.2, x.7.1\n099").unwrap(), ["552", "5.2.2", "X.7.1", "099"]);
        assert_eq!(names(" "), Ok(Vec::new()));
        assert_eq!(names("552 full"), Err(ReadingError::NoCode("full".into())));
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[ -~\n\r\t\u{0}-\u{1f}é2345.-]{0,300}") {
            let _ = read(&text);
        }
    }
}
