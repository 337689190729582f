//! The message that a notice returns: where it begins in a text, and whom it was for.

use std::ops::Range;

use super::{address, words};

/// Where in a text the words up to the returned message, or a copy of it, stand; and where that stands.
///
/// Where a notice begins with the returned message's head, its own words are what follows.
pub(super) fn own_words(text: &str) -> (Range<usize>, Range<usize>) {
    let mut at = 0;
    let mut last = "";
    for line in text.split_inclusive('\n') {
        // The first words may be a heading.
        if at > 0 && begins_message(line) {
            if last.trim_end().ends_with("header fields:")
                && let Some(end) = text[at..].find("\n\n")
            {
                return (at + end..text.len(), at..at + end);
            }
            break;
        }
        at += line.len();
        if !line.trim_ascii().is_empty() {
            last = line;
        }
    }
    (0..at, at..text.len())
}

/// Whether a line announces or begins the returned message.
fn begins_message(line: &str) -> bool {
    const FIELDS: [&str; 10] = [
        "received: from",
        "received: by",
        "received: (",
        "return-path:",
        "dkim-signature:",
        "x-received:",
        "x-google-smtp-source:",
        "arc-seal:",
        "delivered-to:",
        "mime-version: 1.0",
    ];
    const SENTENCES: [&str; 20] = [
        "below this line is a copy",
        "below is a copy",
        "enclosed is a copy",
        "this is a copy of",
        "unsent message",
        "message headers follow",
        "message header follows",
        "message text follows",
        "message body follows",
        "the header of the original",
        "the headers of the original",
        "included is a copy",
        "returned message follows",
        "possibly truncated original message",
        "begin forwarded message",
        "the body of your message",
        "copy of your message",
        "a copy of your message",
        "text of your message",
        "headers of your message",
    ];
    // Words that also begin sentences about delivery; a heading has no more than a word or two behind them.
    const HEADINGS: [&str; 6] =
        ["original message", "original mail", "returned message", "forwarded message", "your original message", "message header"];
    let line = line.trim_start();
    if one_beginning(line, &FIELDS).is_some() {
        return true;
    }
    let bare = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    one_beginning(bare, &SENTENCES).is_some()
        || one_beginning(bare, &HEADINGS).and_then(|heading| words::after(bare, heading)).is_some_and(|rest| {
            let letters = rest.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            // What Exchange tells of it stands before its own words on why.
            letters.clone().count() <= 2 && rest.len() < 60 && !rest.contains('@') && !words::starts(rest.trim_start(), "details")
        })
}

/// The one of the lower-case `beginnings` that begins the text; their first letters decide for most lines.
fn one_beginning<'a>(text: &str, beginnings: &[&'a str]) -> Option<&'a str> {
    let first = text.as_bytes().first()?.to_ascii_lowercase();
    beginnings.iter().find(|beginning| beginning.as_bytes().first() == Some(&first) && words::starts(text, beginning)).copied()
}

/// Whom the returned message was for: its envelope, where a host noted it, else its field To.
pub(super) fn recipient(head: &str) -> Option<String> {
    let mut to = None;
    let mut lines = head.lines().take(200).peekable();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        if let Some(value) = words::after(line, "to:").or_else(|| words::after(line, "x-original-to:")) {
            let value = if value.trim().is_empty() { lines.peek().copied().unwrap_or_default() } else { value };
            to = to.or_else(|| address::all(value).next());
        } else if let Some(found) = line.find("for <").and_then(|at| address::all(&line[at..]).next()) {
            return Some(found.text.to_owned());
        }
    }
    to.map(|found| found.text.to_owned())
}
