//! What the logs have in common: a reply in one line, names of commands and hosts, and limits.

use crate::reading::{Action, RecipientReport, reply};
use crate::smtp::{CodeClass, EnhancedCode, Reply, ReplyCode, Verb};

/// Addresses, host names and numbers in a queue have at most this many octets.
const NAME: usize = 1024;
/// A diagnostic has at most this many octets.
const DIAGNOSTIC: usize = 4096;

/// The reply that `text` begins with; a log has put its lines into one. None if it begins with no code.
pub(super) fn reply(text: &str) -> Option<Reply> {
    let code = code(text)?;
    if text.as_bytes().get(3) == Some(&b'-') { reply::of_lines(&lines(text, code)) } else { reply::of_lines(&[text]) }
}

fn code(text: &str) -> Option<ReplyCode> {
    reply::leading_code(text).filter(|code| code.class() != CodeClass::Unknown)
}

/// `550-5.1.1 one 550-5.1.1 two 550 5.1.1 three`, cut before each code. Exim writes a line feed as a backslash and an n.
fn lines(text: &str, code: ReplyCode) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    let mut sought = code;
    while rest.as_bytes().get(3) == Some(&b'-') {
        let again = next_line(rest, |found| found == sought);
        // 220-mx1.example.com 421 4.7.0 try later: a server may change its mind within a reply.
        let Some((end, start)) = again.or_else(|| next_line(rest, |found| matches!(found.number(), 421 | 450..=459 | 550..=559))) else {
            break;
        };
        lines.push(&rest[..end]);
        rest = &rest[start..];
        sought = reply::leading_code(rest).unwrap_or(sought);
    }
    lines.push(rest);
    lines
}

/// Where a line of the reply ends, and where the next one begins with a code that `is_next`.
fn next_line(text: &str, is_next: impl Fn(ReplyCode) -> bool) -> Option<(usize, usize)> {
    let start = |gap: usize| match text.as_bytes()[gap] {
        b' ' | b'\n' => Some(gap + 1),
        b'\\' if text[gap..].starts_with("\\n") => Some(gap + 2),
        _ => None,
    };
    let begins = |at: usize| {
        let rest = &text[at..];
        matches!(rest.as_bytes().get(3), None | Some(b'-' | b' ')) && rest.get(..3).and_then(|d| d.parse().ok()).is_some_and(&is_next)
    };
    let gaps = text.match_indices([' ', '\n', '\\']).map(|(gap, _)| gap);
    gaps.filter_map(|gap| Some((gap, start(gap)?))).find(|(_, at)| begins(*at))
}

/// The enhanced code that `text` begins with.
pub(super) fn enhanced(text: &str) -> Option<EnhancedCode> {
    text.split([' ', ':', ',']).next()?.parse().ok()
}

/// The command that a log names: `RCPT TO:<anna@example.com>`, `end of DATA`, `initial connection`.
pub(super) fn verb(text: &str) -> Option<Verb> {
    const NAMES: [(&str, Verb); 24] = [
        ("RCPT", Verb::Rcpt),
        ("MAIL", Verb::Mail),
        ("END OF DATA", Verb::DataEnd),
        ("END OF MESSAGE", Verb::DataEnd),
        ("END-OF-MESSAGE", Verb::DataEnd),
        ("SENDING DATA BLOCK", Verb::DataEnd),
        ("SENDING END OF DATA", Verb::DataEnd),
        ("SENDING MESSAGE BODY", Verb::DataEnd),
        ("DATA", Verb::Data),
        ("EHLO", Verb::Ehlo),
        ("LHLO", Verb::Ehlo),
        ("HELO", Verb::Helo),
        ("STARTTLS", Verb::StartTls),
        ("AUTH", Verb::Auth),
        ("BDAT", Verb::Bdat),
        ("QUIT", Verb::Quit),
        ("RSET", Verb::Rset),
        ("NOOP", Verb::Noop),
        ("VRFY", Verb::Vrfy),
        ("EXPN", Verb::Expn),
        ("ETRN", Verb::Etrn),
        ("CONN", Verb::Connect),
        ("INITIAL", Verb::Connect),
        (".", Verb::DataEnd),
    ];
    let text = text.trim_start();
    let text = strip_prefix(text, "pipelined ").unwrap_or(text);
    NAMES.iter().find(|(name, _)| strip_prefix(text, name).is_some()).map(|(_, verb)| *verb)
}

/// What follows `prefix`, in whatever case it is written.
pub(super) fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// What stands between `start` and the next `end`.
pub(super) fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    Some(&rest[..rest.find(end)?])
}

/// The host in `mx.example.com[192.0.2.1]:25`, `mx.example.com. [192.0.2.1]` or `[192.0.2.1]`: its name, else its address.
pub(super) fn host(text: &str) -> Option<String> {
    let text = text.trim();
    let name = text.split(['[', ' ', '(']).next().unwrap_or_default().trim_end_matches('.');
    let known = |name: &&str| !name.is_empty() && !name.eq_ignore_ascii_case("unknown");
    let address = || between(text, "[", "]").filter(known);
    Some(name).filter(known).or_else(address).map(name_of)
}

/// An address, a host or a number, within its limit.
pub(super) fn name_of(text: &str) -> String {
    cut(text, NAME).to_owned()
}

/// Words in one line, within their limit.
pub(super) fn one_line(text: &str) -> String {
    let text = cut(text, DIAGNOSTIC).trim();
    if text.contains(['\n', '\r', '\t']) || text.contains("  ") {
        return text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    text.to_owned()
}

/// At most so many octets of `text`, and no half character.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// What the first digit of a reply makes of a message.
pub(super) fn action_of(code: ReplyCode) -> Option<Action> {
    match code.class() {
        CodeClass::Permanent => Some(Action::Failed),
        CodeClass::Transient => Some(Action::Delayed),
        _ => None,
    }
}

/// Puts the words that tell why into `report`: the reply that they are, or begin with, and the enhanced code.
pub(super) fn because(report: &mut RecipientReport, text: &str) {
    report.reply = reply(text);
    report.status = match &report.reply {
        Some(reply) => reply.enhanced,
        None => enhanced(text),
    }
    .or(report.status);
    report.diagnostic = one_line(text);
}
