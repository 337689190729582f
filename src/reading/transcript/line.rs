//! One line of a pasted conversation: who says it.

use std::net::SocketAddr;

use crate::reading::log_line;
use crate::reading::reply::leading_code;
use crate::smtp::{CodeClass, Command, Verb};

/// How a text shows who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By a mark before the line.
    Marked,
    /// By Postfix' marks, with the prelude of a log before them.
    Postfix,
    /// Not at all.
    Bare,
}

/// What a mark says besides who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing, or that it is said in the clear.
    Plain,
    /// That it is said inside TLS.
    Secure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Server {
        text: &'a str,
        mark: Mark,
    },
    Client {
        text: &'a str,
        mark: Mark,
    },
    /// What the tool says about the connection.
    Note(&'a str),
    /// Marked as not expected: a reply nobody asked for, or a failure.
    Odd(&'a str),
    Other(&'a str),
}

/// The server's marks of swaks (and ours), msmtp, Sendmail, curl, Exim, `PHPMailer` and people.
const SERVER: [(&str, Mark); 12] = [
    ("<** ", Mark::Plain),
    ("<~* ", Mark::Secure),
    ("<-- ", Mark::Plain),
    ("<- ", Mark::Plain),
    ("<~ ", Mark::Secure),
    ("<<< ", Mark::Plain),
    ("< ", Mark::Plain),
    ("SMTP<< ", Mark::Plain),
    ("SERVER -> CLIENT: ", Mark::Plain),
    ("S: ", Mark::Plain),
    ("S:", Mark::Plain),
    ("s: ", Mark::Plain),
];
/// The client's.
const CLIENT: [(&str, Mark); 13] = [
    ("**> ", Mark::Plain),
    ("*~> ", Mark::Secure),
    ("--> ", Mark::Plain),
    ("-> ", Mark::Plain),
    ("~> ", Mark::Secure),
    (">>> ", Mark::Plain),
    ("> ", Mark::Plain),
    ("SMTP>> ", Mark::Plain),
    ("SMTP>| ", Mark::Plain),
    ("CLIENT -> SERVER: ", Mark::Plain),
    ("C: ", Mark::Plain),
    ("C:", Mark::Plain),
    ("c: ", Mark::Plain),
];
/// The tools' own: swaks, ourselves, curl.
const NOTES: [&str; 4] = ["=== ", "== ", "*** ", "* "];

impl Form {
    /// The form that most of `text` has.
    pub(super) fn of(text: &str) -> Self {
        let (mut marked, mut heard, mut logged) = (0, false, 0);
        for line in text.lines() {
            match read(line, Self::Marked) {
                Line::Client { .. } => marked += 1,
                Line::Server { text, .. } if is_reply(text) => (marked, heard) = (marked + 1, true),
                _ => {}
            }
            logged += usize::from(matches!(read(line, Self::Postfix), Line::Server { .. } | Line::Client { .. }));
        }
        match (logged, marked) {
            (2.., _) => Self::Postfix,
            (_, 2..) if heard => Self::Marked,
            // A record may be of tries that came to nothing.
            (_, _) if text.lines().any(|line| ["=== ", "*** "].iter().any(|mark| line.starts_with(mark))) => Self::Marked,
            _ => Self::Bare,
        }
    }
}

/// Whether `text` was quoted in a mail: `>` stands before each line, and no line of a server is marked.
pub(super) fn is_quoted(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    lines.peek().is_some() && lines.all(|line| line.starts_with('>') && !line.starts_with(">>>"))
}

pub(super) fn read(line: &str, form: Form) -> Line<'_> {
    match form {
        Form::Marked => marked(line),
        Form::Postfix => postfix(line),
        Form::Bare => bare(line),
    }
}

fn marked(line: &str) -> Line<'_> {
    let text = line.trim();
    // Before our own marks, and those of some others, stand milliseconds.
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let text = if digits.len() < text.len() && digits.starts_with(' ') && begins_with_mark(digits.trim_start()) {
        digits.trim_start()
    } else {
        text
    };
    let strip = |marks: &[(&str, Mark)]| marks.iter().find_map(|(mark, kind)| Some((strip_mark(text, mark)?, *kind)));
    if let Some((text, mark)) = strip(&SERVER) {
        return Line::Server { text, mark };
    }
    if let Some((text, mark)) = strip(&CLIENT) {
        return Line::Client { text, mark };
    }
    if let Some(words) = text.strip_prefix("** ") {
        return Line::Odd(words.trim_start());
    }
    match NOTES.iter().find_map(|mark| text.strip_prefix(mark)) {
        Some(words) => Line::Note(words.trim_start()),
        None => Line::Other(line),
    }
}

fn begins_with_mark(text: &str) -> bool {
    ["<- ", "<~ ", "-> ", "~> ", "** ", "== "].iter().any(|mark| strip_mark(text, mark).is_some())
}

/// What stands behind `mark`; an empty line has lost the blank of its mark.
fn strip_mark<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(mark).or_else(|| (text == mark.trim_end() && mark.ends_with(' ')).then_some(""))?;
    Some(rest.trim_start())
}

/// `… postfix/smtp[1]: > mx.example.com[192.0.2.1]:25: EHLO …`; smtpd's `<` is the client's.
fn postfix(line: &str) -> Line<'_> {
    let Some((daemon, message)) = log_line::of_postfix(line) else { return Line::Other(line) };
    let (mark, rest) = message.split_at_checked(2).unwrap_or(("", message));
    let text = || {
        // Behind an address with its brackets may stand a port.
        let port = rest.split_once(']').map_or(rest, |(_, port)| port);
        port.split_once(": ").map(|(_, text)| text)
    };
    let is_server = match (mark, daemon.starts_with("smtpd") || daemon == "postscreen") {
        ("< ", false) | ("> ", true) => true,
        ("> ", false) | ("< ", true) => false,
        _ => return Line::Note(message),
    };
    match text() {
        Some(text) if is_server => Line::Server { text, mark: Mark::Plain },
        Some(text) => Line::Client { text, mark: Mark::Plain },
        None => Line::Other(line),
    }
}

/// The server that a line of Postfix' client is about.
pub(super) fn peer(line: &str) -> Option<(String, SocketAddr)> {
    let (_, message) = log_line::of_postfix(line).filter(|(daemon, _)| matches!(*daemon, "smtp" | "lmtp"))?;
    let (name, rest) = message.strip_prefix(['<', '>'])?.trim_start().split_once('[')?;
    let (address, rest) = rest.split_once("]:")?;
    let port = rest.split(':').next()?.parse::<u16>().ok()?;
    Some((name.to_owned(), SocketAddr::new(address.parse().ok()?, port)))
}

fn bare(line: &str) -> Line<'_> {
    let text = line.trim();
    if is_reply(text) {
        return Line::Server { text, mark: Mark::Plain };
    }
    if is_typed(text) { Line::Client { text, mark: Mark::Plain } } else { Line::Other(line) }
}

/// Whether `text` begins as a line of a reply does.
pub(super) fn is_reply(text: &str) -> bool {
    leading_code(text).is_some_and(|code| code.class() != CodeClass::Unknown) && matches!(text.as_bytes().get(3), None | Some(b' ' | b'-'))
}

/// Whether `text` can be nothing but a command: prose begins with such words, too.
fn is_typed(text: &str) -> bool {
    let Some(command) = Command::read(text) else { return false };
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    let count = words.clone().count();
    match command.verb() {
        _ if first.eq_ignore_ascii_case("BDAT") => words.next().is_some_and(|size| size.bytes().all(|b| b.is_ascii_digit())),
        Verb::StartTls | Verb::Data | Verb::Rset | Verb::Quit | Verb::DataEnd => count == 0,
        Verb::Ehlo | Verb::Helo | Verb::Vrfy | Verb::Expn | Verb::Etrn => count <= 1,
        Verb::Mail => is_path(text, "MAIL", "FROM:"),
        Verb::Rcpt => is_path(text, "RCPT", "TO:"),
        Verb::Auth => count <= 2 && !command.to_string().starts_with("AUTH *"),
        // Both are words of every day: only as servers' manuals write them.
        _ => count <= 1 && !first.contains(|c: char| c.is_ascii_lowercase()),
    }
}

/// `MAIL FROM:<…>`, also with blanks round the colon and without brackets.
fn is_path(text: &str, verb: &str, word: &str) -> bool {
    let squeezed: String = text.split_whitespace().collect();
    let rest = squeezed.split_at_checked(verb.len() + word.len()).filter(|(start, _)| start.eq_ignore_ascii_case(&format!("{verb}{word}")));
    rest.is_some_and(|(_, path)| path.is_empty() || path.starts_with('<') || path.contains('@'))
}
