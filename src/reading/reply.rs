//! The text of replies, as pasted from a terminal, a log or a transcript.
//!
//! Where it was copied from shows: marks of a transcript stand before the lines, lines are folded, and a reply of several lines
//! may have become one. None of it is the server's, so it is undone before the reply is read like one from a socket.

use super::ReadingError;
use crate::smtp::{Reply, ReplyCode};

/// What transcripts put before a server's line: swaks' marks, curl's, and those of people.
const SERVER_MARKS: [&str; 9] = ["<** ", "<~* ", "<-- ", "<- ", "<~ ", "<<< ", "< ", "S: ", "S:"];
/// What they put before a client's line, which ends a reply.
const CLIENT_MARKS: [&str; 8] = ["-> ", "~> ", "--> ", ">>> ", "> ", "C: ", "C:", "** "];
/// A line may have this many octets, well below what a reply's reader gives up at.
const LINE: usize = 4000;
/// A reply may have this many lines.
const LINES: usize = 100;

/// All replies in `text`, in order; lines that belong to none are left out.
pub(super) fn replies(text: &str, most: usize) -> Result<Vec<Reply>, ReadingError> {
    let mut replies = Vec::new();
    let mut open: Vec<Line<'_>> = Vec::new();
    for line in text.lines().flat_map(unfold) {
        match line {
            Some(line) if line.code.is_some() => {
                if open.last().is_some_and(|last| !last.continues()) {
                    replies.extend(close(&mut open));
                }
                open.push(line);
            }
            // Folded by whatever it was copied from.
            Some(line) if !open.is_empty() => open.push(line),
            Some(_) => {}
            None => replies.extend(close(&mut open)),
        }
        if replies.len() > most {
            return Err(ReadingError::TooMany);
        }
    }
    replies.extend(close(&mut open));
    if replies.len() > most { Err(ReadingError::TooMany) } else { Ok(replies) }
}

/// One line of a reply.
struct Line<'a> {
    /// None for a line that was folded.
    code: Option<ReplyCode>,
    text: &'a str,
}

impl Line<'_> {
    /// Whether the reply goes on after it.
    fn continues(&self) -> bool {
        self.code.is_none() || self.text.as_bytes().get(3) == Some(&b'-')
    }
}

/// The lines that `line` was before it was pasted: none where a reply ends.
fn unfold(line: &str) -> Vec<Option<Line<'_>>> {
    let line = line.trim();
    if line.is_empty() || CLIENT_MARKS.iter().any(|mark| line.starts_with(mark)) {
        return vec![None];
    }
    let text = SERVER_MARKS.iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line).trim_start();
    let Some(code) = leading_code(text) else { return vec![Some(Line { code: None, text })] };
    let mut lines = Vec::new();
    let mut rest = text;
    // `550-5.1.1 one 550-5.1.1 two 550 5.1.1 three`: the lines of a reply, joined by a shell or a log.
    while rest.as_bytes().get(3) == Some(&b'-')
        && let Some(next) = next_line(rest, code)
    {
        lines.push(Some(Line { code: Some(code), text: rest[..next].trim_end() }));
        rest = &rest[next..];
    }
    lines.push(Some(Line { code: Some(code), text: rest }));
    lines
}

/// The code that `text` begins with.
pub(super) fn leading_code(text: &str) -> Option<ReplyCode> {
    let digits = text.get(..3)?;
    let alone = !text[3..].starts_with(|c: char| c.is_ascii_digit() || c == '.');
    digits.parse().ok().filter(|_| alone)
}

/// Where the same code stands again after a blank, with a hyphen or blank behind it.
fn next_line(text: &str, code: ReplyCode) -> Option<usize> {
    let code = code.to_string();
    let begins = |at: usize| text[at..].strip_prefix(&code).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ' ']));
    text.match_indices(' ').map(|(at, _)| at + 1).find(|at| begins(*at))
}

/// The reply that the open lines make; they are gone afterwards.
fn close(open: &mut Vec<Line<'_>>) -> Option<Reply> {
    let mut lines: Vec<String> = Vec::new();
    for line in open.drain(..) {
        if line.code.is_none() {
            if let Some(last) = lines.last_mut().filter(|last| last.len() < LINE) {
                last.push(' ');
                last.push_str(line.text);
            }
        } else if lines.len() < LINES {
            lines.push(line.text.to_owned());
        }
    }
    of_lines(&lines)
}

/// The reply that consists of `lines`, each with its code; what exceeds the limits is cut off.
pub(super) fn of_lines(lines: &[impl AsRef<str>]) -> Option<Reply> {
    let lines = &lines[..lines.len().min(LINES)];
    // All but the last continue, and the last one ends, whatever was cut off when it was copied.
    let last = lines.len().checked_sub(1)?;
    let whole: Vec<String> = lines.iter().enumerate().map(|(at, line)| separated(line.as_ref(), at < last)).collect();
    Reply::parse(&(whole.join("\r\n") + "\r\n"))
}

/// The line with the separator that its place asks for, and within the limit.
fn separated(line: &str, more: bool) -> String {
    let end = line.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= LINE).last().unwrap_or(0);
    let (code, rest) = line[..end].split_at(3.min(end));
    let text = rest.strip_prefix(['-', ' ', '\t']).unwrap_or(rest);
    format!("{code}{}{text}", if more { '-' } else { ' ' }).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u16, String, String)> {
        let all = replies(text, 10).expect(text);
        all.iter().map(|r| (r.code.number(), r.enhanced.map(|e| e.to_string()).unwrap_or_default(), r.text())).collect()
    }

    #[test]
    fn a_reply_is_found_however_it_was_copied() {
        let unknown = (550, "5.1.1".to_owned(), "<anna@example.com>: user unknown".to_owned());
        for text in [
            "550 5.1.1 <anna@example.com>: user unknown",
            "<- 550 5.1.1 <anna@example.com>: user unknown",
            "<~* 550 5.1.1 <anna@example.com>: user unknown\r\n",
            "S: 550 5.1.1 <anna@example.com>: user unknown",
            "550-5.1.1 <anna@example.com>: user unknown",
            "550 5.1.1 <anna@example.com>:\n    user unknown",
            "550-5.1.1 <anna@example.com>:\n550 5.1.1 user unknown",
            "550-5.1.1 <anna@example.com>: 550-5.1.1 user 550 5.1.1 unknown",
            "This is what I got:\n\n550-5.1.1 <anna@example.com>:\n550 5.1.1 user unknown\n\nThank you",
            "-> RCPT TO:<anna@example.com>\n<** 550 5.1.1 <anna@example.com>: user unknown\n-> QUIT",
        ] {
            assert_eq!(read(text), std::slice::from_ref(&unknown), "{text:?}");
        }
    }

    #[test]
    fn several_replies_are_told_apart() {
        let text = "220 mx1.example.com ESMTP\n250-mx1.example.com\n250 SIZE\n\n552 full\n";
        let codes: Vec<u16> = read(text).into_iter().map(|(code, ..)| code).collect();
        assert_eq!(codes, [220, 250, 552]);
        assert_eq!(read("220-a\n554 b"), [(554, String::new(), "a b".to_owned())], "mixed codes are one reply");
    }

    #[test]
    fn long_replies_are_cut_and_not_lost() {
        let line = format!("550 {}", "é".repeat(200_000));
        assert_eq!(read(&line).len(), 1);
        let lines = "550-more\n".repeat(5000);
        assert_eq!(read(&lines).len(), 1);
    }

    #[test]
    fn numbers_are_not_codes() {
        for text in ["5.7.1 no", "127.0.0.1", "2500 messages", "20", "äöü", "-> 550"] {
            assert!(read(text).is_empty(), "{text:?}");
        }
    }
}
