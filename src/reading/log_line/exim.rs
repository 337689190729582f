//! Lines of Exim's main log: `**` failed, `==` put off, `=>` `->` `>>` delivered, what a host said in between, and what is rejected
//! at the door. (Exim's specification, chapter 53, "Log files".)

use super::words::{action_of, because, host, name_of, strip_prefix, verb};
use crate::reading::{Action, RecipientReport};
use crate::smtp::Verb;

/// Whether `line` begins as Exim writes: with a date and a blank, or with a message's number.
pub(super) fn is_one(line: &str) -> bool {
    date(line).is_some() || (is_message_id(first_word(line)) && line.contains(' '))
}

pub(super) fn read(line: &str, from: Option<&str>) -> Option<RecipientReport> {
    let mut rest = date(line).unwrap_or(line);
    // The logs may be told to hold milliseconds, time zone and process number as well.
    while rest.starts_with(['+', '[', '.']) || first_word(rest).starts_with('-') && first_word(rest).len() == 5 {
        rest = rest.split_once(' ')?.1;
    }
    let queue_id = Some(first_word(rest)).filter(|word| is_message_id(word));
    if let Some(id) = queue_id {
        rest = rest[id.len()..].trim_start();
    }
    let (flag, fields) = rest.split_once(' ')?;
    // Other programs put such marks behind such a date, too.
    let is_told = queue_id.is_some();
    let mut report = match flag {
        "**" if is_told => delivery(fields, Action::Failed)?,
        "==" if is_told => delivery(fields, Action::Delayed)?,
        "=>" | "->" | ">>" | "*>" if is_told => delivery(fields, Action::Delivered)?,
        _ if rest.contains("rejected ") => rejection(rest)?,
        _ => passing(rest)?,
    };
    report.queue_id = queue_id.map(name_of);
    report.reporting_mta = from.map(name_of);
    Some(report)
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// What follows `2025-03-04 10:11:00 `, also with a fraction of the second.
fn date(line: &str) -> Option<&str> {
    let bytes = line.as_bytes();
    let form = b"dddd-dd-dd dd:dd:dd";
    let fits = bytes.len() > form.len()
        && form.iter().zip(bytes).all(|(form, byte)| if *form == b'd' { byte.is_ascii_digit() } else { form == byte });
    let rest = fits.then(|| &line[form.len()..])?;
    Some(rest.split_once(' ')?.1)
}

/// `1tpA00-0001Xy-2Z`, and the longer `1tpA00-00000000Xyz-2ZAB` since Exim 4.97.
fn is_message_id(word: &str) -> bool {
    let mut parts = word.split('-').map(|part| if part.bytes().all(|b| b.is_ascii_alphanumeric()) { part.len() } else { 0 });
    matches!(
        (parts.next(), parts.next(), parts.next(), parts.next()),
        (Some(6), Some(6), Some(2), None) | (Some(6), Some(11), Some(4), None)
    )
}

/// `anna@example.com <alias@example.com> F=<…> R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1]: SMTP error from …`.
fn delivery(text: &str, action: Action) -> Option<RecipientReport> {
    let mut report = RecipientReport { action: Some(action), ..RecipientReport::default() };
    let (address, rest) = address(text)?;
    report.recipient = Some(address);
    let mut rest = rest.trim_start();
    if let Some((original, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        // A mailbox of this machine, a file or a command is the end of an address that the sender knows better.
        let known = report.recipient.as_ref().is_some_and(|address| address.contains('@'));
        if !known {
            report.recipient = Some(name_of(original));
        } else if report.recipient.as_deref() != Some(original) {
            report.original = Some(name_of(original));
        }
        rest = after.trim_start();
    }
    let (fields, why) = fields_and_text(rest);
    report.remote_host = fields.find("H=").filter(|at| *at == 0 || fields[..*at].ends_with(' ')).and_then(|at| host(&fields[at + 2..]));
    if action == Action::Delivered {
        let answer = fields.find(" C=\"").map(|at| fields[at + 4..].trim_end().trim_end_matches('"'));
        because(&mut report, answer.unwrap_or_default());
        return Some(report);
    }
    // What the system said stands before the host, what somebody else said behind it.
    let (why, behind) = match why.split_once(" H=") {
        Some((system, rest)) if report.remote_host.is_none() => {
            report.remote_host = host(rest);
            (system, rest.split_once(": ").map(|(_, said)| said))
        }
        _ => (why, None),
    };
    said(&mut report, behind.unwrap_or(why));
    (!report.diagnostic.is_empty()).then_some(report)
}

/// The address at the start; a local part in quotes may hold blanks.
fn address(text: &str) -> Option<(String, &str)> {
    let quoted = text.starts_with('"').then(|| text.find("\"@")).flatten().unwrap_or(0);
    let end = text[quoted..].find(' ').map_or(text.len(), |end| quoted + end);
    let word = text[..end].trim_end_matches(':');
    // A failed address may have nothing behind it but the reason: `** anna@example.com: Unrouteable address`.
    let rest = if word.len() < end { &text[word.len()..] } else { &text[end..] };
    (!word.is_empty()).then(|| (name_of(word), rest))
}

/// The `key=value` pairs, and the text behind the first colon that is followed by a blank and stands in no quotes.
fn fields_and_text(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let mut last = b' ';
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b' ' if last == b':' && !quoted => return (&text[..at - 1], &text[at + 1..]),
            _ => {}
        }
        last = byte;
    }
    (text, "")
}

/// `SMTP error from remote mail server after RCPT TO:<anna@example.com>: host mx.example.com [192.0.2.1]: 550 …`, or any other reason.
fn said(report: &mut RecipientReport, why: &str) {
    let Some((what, after)) = why.split_once(" after ") else { return because(report, why) };
    let is_answer = what.ends_with(" error") || what.contains(" error from remote mail");
    let is_silence = what.starts_with("SMTP timeout") || what.starts_with("LMTP timeout") || what.contains("closed connection");
    if !is_answer && !is_silence {
        return because(report, why);
    }
    report.command = verb(after);
    let Some((command, rest)) = command_and_rest(after).filter(|_| is_answer) else { return because(report, why) };
    if report.recipient.is_none() && report.command == Some(Verb::Rcpt) {
        report.recipient = command.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| name_of(address));
    }
    let rest = match rest.strip_prefix("host ").and_then(|rest| rest.split_once("]: ")) {
        Some((name, rest)) => {
            report.remote_host = report.remote_host.take().or_else(|| host(name));
            rest
        }
        None => rest,
    };
    because(report, rest);
}

/// The command, up to the colon behind it: an address in it may hold one, too.
fn command_and_rest(text: &str) -> Option<(&str, &str)> {
    let past =
        text.find('<').filter(|open| !text[..*open].contains(": ")).and_then(|open| text[open..].find('>').map(|close| open + close));
    let from = past.unwrap_or(0);
    let colon = from + text[from..].find(": ")?;
    Some((&text[..colon], &text[colon + 2..]))
}

/// `H=client (helo) [192.0.2.9] F=<bert@example.net> rejected RCPT <anna@example.com>: relay not permitted`.
fn rejection(text: &str) -> Option<RecipientReport> {
    let at = text.find("rejected ").filter(|at| *at == 0 || text[..*at].ends_with(' '))?;
    let what = &text[at + "rejected ".len()..];
    let stage = strip_prefix(what, "after ").or_else(|| strip_prefix(what, "during ")).unwrap_or(what);
    let command = match first_word(stage).trim_end_matches(':') {
        // At the end of the message its content is looked at.
        "DATA" | "MIME" => Some(Verb::DataEnd),
        _ if stage.starts_with("by local_scan") => Some(Verb::DataEnd),
        _ => verb(stage),
    };
    let mut report = RecipientReport { command: Some(command?), ..RecipientReport::default() };
    let (_, why) = command_and_rest(what)?;
    because(&mut report, why);
    if command == Some(Verb::Rcpt) {
        report.recipient = what.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| name_of(address));
    }
    let kept = if text[..at].ends_with("temporarily ") { Action::Delayed } else { Action::Failed };
    report.action = report.reply.as_ref().and_then(|reply| action_of(reply.code)).or(Some(kept));
    (!report.diagnostic.is_empty()).then_some(report)
}

/// What a host said before the next one is tried: `H=mx.example.com [192.0.2.1]: SMTP error from remote mail server after …`.
fn passing(text: &str) -> Option<RecipientReport> {
    let at = text.find("SMTP error from remote mail").or_else(|| text.find("LMTP error after "))?;
    let mut report = RecipientReport { remote_host: text[..at].strip_prefix("H=").and_then(host), ..RecipientReport::default() };
    said(&mut report, &text[at..]);
    Some(report)
}
