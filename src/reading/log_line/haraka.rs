//! Lines of Haraka: what its outbound queue delivers, puts off and bounces, and what its own hooks deny.

use super::words::{action_of, because, host, name_of};
use crate::reading::{Action, RecipientReport, reply};
use crate::smtp::{CodeClass, Verb};

/// How loud a line is.
const LEVELS: [&str; 10] = ["[NOTICE]", "[INFO]", "[WARN]", "[ERROR]", "[CRIT]", "[ALERT]", "[EMERG]", "[DEBUG]", "[PROTOCOL]", "[DATA]"];

/// Whether `line` begins as Haraka writes: `[NOTICE] [UUID] [outbound] …`, with or without a time before it.
pub(super) fn is_one(line: &str) -> bool {
    let rest = if line.starts_with('[') { line } else { line.split_once(' ').map_or("", |(_, rest)| rest) };
    let level = rest.split(' ').next().unwrap_or_default();
    LEVELS.contains(&level) && rest[level.len()..].trim_start().starts_with('[')
}

pub(super) fn read(line: &str) -> Option<RecipientReport> {
    // The level, the connection and the part of the program stand in brackets.
    let at = line.find('[')?;
    let mut rest = &line[at..];
    let (mut queue_id, mut part) = (None, "");
    let mut place = 0;
    while let Some((inner, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        match place {
            1 => queue_id = Some(inner).filter(|id| *id != "-"),
            2 => part = inner,
            _ => {}
        }
        place += 1;
        rest = after.trim_start();
    }
    said(part, queue_id, rest)
}

/// What `part` of the program wrote about the connection `queue_id`.
pub(super) fn said(part: &str, queue_id: Option<&str>, message: &str) -> Option<RecipientReport> {
    let mut report = if part == "outbound" { outbound(message)? } else { denied(message)? };
    report.queue_id = queue_id.map(name_of);
    Some(report)
}

/// `bouncing mail: 550 …`, `recipient <anna@example.com> deferred: 450 …`, `delivered file=… host=mx.example.com response="250 …"`.
fn outbound(message: &str) -> Option<RecipientReport> {
    const WORDS: [(&str, Action); 8] = [
        ("bounc", Action::Failed),
        ("rejected", Action::Failed),
        ("deferred", Action::Delayed),
        ("temp fail", Action::Delayed),
        ("Temp fail", Action::Delayed),
        ("deferring", Action::Delayed),
        ("delivered", Action::Delivered),
        ("Delivered", Action::Delivered),
    ];
    let (at, action) = WORDS.iter().filter_map(|(word, action)| Some((message.find(word)?, *action))).min_by_key(|(at, _)| *at)?;
    let mut report = RecipientReport { action: Some(action), ..RecipientReport::default() };
    report.recipient = address(message);
    report.remote_host = value(message, "host=").and_then(host).or_else(|| value(message, "ip=").map(name_of));
    let response = value(message, "response=").or_else(|| value(message, "reason=")).or_else(|| value(message, "err="));
    let text = match response.or_else(|| first_reply(&message[at..])) {
        Some(text) => text,
        None => message[at..].split_once(": ").map_or("", |(_, text)| text),
    };
    because(&mut report, text);
    if report.command.is_none() && report.recipient.is_some() && message.starts_with("recipient ") {
        report.command = Some(Verb::Rcpt);
    }
    (report.reply.is_some() || !report.diagnostic.is_empty()).then_some(report)
}

/// `hook=rcpt plugin=… params="…" retval=DENY msg="no such user"`.
fn denied(message: &str) -> Option<RecipientReport> {
    let action = match value(message, "retval=")? {
        "DENY" | "DENYDISCONNECT" => Action::Failed,
        "DENYSOFT" | "DENYSOFTDISCONNECT" => Action::Delayed,
        _ => return None,
    };
    let mut report = RecipientReport { action: Some(action), ..RecipientReport::default() };
    report.command = match value(message, "hook=") {
        Some("connect" | "lookup_rdns") => Some(Verb::Connect),
        Some("helo") => Some(Verb::Helo),
        Some("ehlo") => Some(Verb::Ehlo),
        Some("mail") => Some(Verb::Mail),
        Some("rcpt" | "rcpt_ok") => Some(Verb::Rcpt),
        Some("data") => Some(Verb::Data),
        Some("data_post" | "queue") => Some(Verb::DataEnd),
        _ => None,
    };
    because(&mut report, value(message, "msg=").unwrap_or_default());
    report.action = report.reply.as_ref().and_then(|reply| action_of(reply.code)).or(Some(action));
    report.recipient = address(message).filter(|_| report.command == Some(Verb::Rcpt));
    (!report.diagnostic.is_empty()).then_some(report)
}

/// The first thing in angle brackets with an `@` in it.
fn address(text: &str) -> Option<String> {
    let mut inner = text.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(inner, _)| inner);
    inner.find(|inner| inner.contains('@') && !inner.contains(' ')).map(name_of)
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let at = text.match_indices(key).map(|(at, _)| at).find(|at| *at == 0 || text[..*at].ends_with(' '))?;
    let rest = &text[at + key.len()..];
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split([' ', ',']).next(),
    }
    .filter(|value| !value.is_empty())
}

/// From the first word on that is a code of a refusal or a success.
fn first_reply(text: &str) -> Option<&str> {
    let starts = text.match_indices(' ').map(|(at, _)| at + 1);
    let is_code = |at: &usize| {
        let followed = matches!(text.as_bytes().get(at + 3), None | Some(b' ' | b'-'));
        followed
            && reply::leading_code(&text[*at..]).is_some_and(|code| !matches!(code.class(), CodeClass::Unknown | CodeClass::Intermediate))
    };
    starts.into_iter().find(is_code).map(|at| &text[at..])
}
