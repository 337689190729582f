//! Lines that are JSON: `KumoMTA`'s records, Haraka's with `format=json`, and those of journald, whose message is a line by itself.

use serde::Deserialize;

use super::words::{action_of, because, name_of, one_line, verb};
use super::{LogLine, by_content, haraka, postfix, prelude};
use crate::reading::{Action, RecipientReport, reply};
use crate::smtp::EnhancedCode;

/// What is needed of a record, of whatever kind.
#[derive(Deserialize)]
struct Record {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
    recipient: Option<Recipients>,
    response: Option<Response>,
    peer_address: Option<Peer>,
    /// Haraka's.
    source: Option<String>,
    /// Haraka's, and what collectors of logs call a line of any software.
    message: Option<String>,
    /// A line of any software, as Docker keeps it.
    log: Option<String>,
    uuid: Option<String>,
    /// journald's.
    #[serde(rename = "MESSAGE")]
    entry: Option<String>,
    #[serde(rename = "SYSLOG_IDENTIFIER")]
    program: Option<String>,
    #[serde(rename = "_HOSTNAME")]
    host: Option<String>,
}

/// Newer versions of `KumoMTA` write a list where a message has several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Recipients {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct Response {
    code: u16,
    enhanced_code: Option<Enhanced>,
    #[serde(default)]
    content: String,
    command: Option<String>,
}

#[derive(Deserialize)]
struct Enhanced {
    class: u8,
    subject: u16,
    detail: u16,
}

#[derive(Deserialize)]
struct Peer {
    name: Option<String>,
    addr: Option<String>,
}

pub(super) fn read(line: &str) -> Option<LogLine> {
    let record: Record = serde_json::from_str(line).ok()?;
    if let Some(entry) = &record.entry {
        return of_journal(entry, record.program.as_deref().unwrap_or_default(), record.host.as_deref());
    }
    if let (Some(source), Some(message)) = (&record.source, &record.message) {
        let report = haraka::said(source, record.uuid.as_deref(), message)?;
        return Some(LogLine { software: "haraka", report });
    }
    if record.kind.is_none()
        && let Some(line) = record.log.as_ref().or(record.message.as_ref()).filter(|line| !line.trim_start().starts_with('{'))
    {
        return super::read(line);
    }
    Some(LogLine { software: "kumomta", report: of_kumomta(record)? })
}

fn of_journal(entry: &str, program: &str, host: Option<&str>) -> Option<LogLine> {
    if let prelude::Program::Postfix(daemon) = prelude::Program::named(program) {
        return Some(LogLine { software: "postfix", report: postfix::read(daemon, host, entry)? });
    }
    by_content(entry, host)
}

fn of_kumomta(record: Record) -> Option<RecipientReport> {
    let response = record.response?;
    let kind = record.kind?;
    let action = match kind.as_str() {
        "Bounce" | "AdminBounce" | "Expiration" | "OOB" => Some(Action::Failed),
        "TransientFailure" => Some(Action::Delayed),
        "Delivery" => Some(Action::Delivered),
        // What its own server says to a client: a message that was taken is under way, a refused one is not.
        "Reception" => None,
        "Rejection" => crate::smtp::ReplyCode::new(response.code).and_then(action_of),
        _ => return None,
    };
    let mut report = RecipientReport { action, ..RecipientReport::default() };
    report.recipient = match &record.recipient {
        Some(Recipients::One(address)) => Some(address),
        Some(Recipients::Several(all)) => all.first(),
        None => None,
    }
    .map(|address| name_of(address));
    let status = response.enhanced_code.as_ref().map(|e| EnhancedCode { class: e.class, subject: e.subject, detail: e.detail });
    let status = status.filter(|status| matches!(status.class, 2 | 4 | 5) && status.subject < 1000 && status.detail < 1000);
    let lead = format!("{:03} {}", response.code, status.map(|status| format!("{status} ")).unwrap_or_default());
    let separated = format!("{:03}-", response.code);
    let lines: Vec<String> = response
        .content
        .lines()
        .enumerate()
        .map(|(at, line)| if at == 0 { format!("{lead}{line}") } else { format!("{separated}{line}") })
        .collect();
    report.reply = if lines.is_empty() { reply::of_lines(&[lead.as_str()]) } else { reply::of_lines(&lines) };
    report.status = status.or(report.reply.as_ref().and_then(|reply| reply.enhanced));
    report.diagnostic = one_line(&format!("{lead}{}", response.content));
    if report.reply.is_none() {
        because(&mut report, &response.content);
    }
    report.command = response.command.as_deref().and_then(verb);
    report.remote_host = record
        .peer_address
        .and_then(|peer| peer.name.filter(|name| !name.is_empty()).or(peer.addr))
        .map(|name| name_of(name.trim_end_matches('.')));
    report.queue_id = record.id.as_deref().map(name_of);
    Some(report)
}
