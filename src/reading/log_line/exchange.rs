//! Lines of Exchange's message tracking log: CSV, with the columns named once at the top of a file.
//!
//! (Microsoft's "Message tracking", section "Fields in the message tracking log files".)

use super::words::{because, between, host, name_of};
use crate::reading::{Action, RecipientReport};

/// A line is not read beyond so many columns.
const COLUMNS: usize = 64;

/// Where the columns that matter stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    server: usize,
    server_ip: usize,
    event: usize,
    message: usize,
    recipient: usize,
    status: usize,
    related: usize,
}

impl Columns {
    /// The order since Exchange 2013. Exchange 2010 has one column less before the recipient.
    const USUAL: Self = Self { server_ip: 3, server: 4, event: 8, message: 10, recipient: 12, status: 13, related: 16 };
    const OF_2010: Self = Self { recipient: 11, status: 12, related: 15, ..Self::USUAL };

    /// Those that the header `date-time,client-ip,…` names; a column that is not named lies beyond every line.
    pub(super) fn named(header: &str) -> Self {
        let names: Vec<&str> = header.split(',').map(str::trim).take(COLUMNS).collect();
        let place = |name: &str| names.iter().position(|other| other.eq_ignore_ascii_case(name)).unwrap_or(COLUMNS);
        Self {
            server: place("server-hostname"),
            server_ip: place("server-ip"),
            event: place("event-id"),
            message: place("message-id"),
            recipient: place("recipient-address"),
            status: place("recipient-status"),
            related: place("related-recipient-address"),
        }
    }
}

/// Whether `line` begins with a time and a comma: `2025-03-04T10:11:00.000Z,`.
pub(super) fn is_one(line: &str) -> bool {
    let Some((time, _)) = line.split_once(',') else { return false };
    let time = time.trim_matches('"').as_bytes();
    (20..=30).contains(&time.len()) && time[4] == b'-' && time[10] == b'T' && time[0].is_ascii_digit() && time.ends_with(b"Z")
}

pub(super) fn read(line: &str, columns: Option<&Columns>) -> Option<RecipientReport> {
    let cells = cells(line);
    let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
    let guess = || if cell(Columns::OF_2010.recipient).contains('@') { Columns::OF_2010 } else { Columns::USUAL };
    let columns = columns.copied().unwrap_or_else(guess);
    let action = match cell(columns.event) {
        "FAIL" | "DSN" | "POISONMESSAGE" => Action::Failed,
        "DEFER" => Action::Delayed,
        "DELIVER" | "SEND" | "SENDEXTERNAL" => Action::Delivered,
        _ => return None,
    };
    let mut report = RecipientReport { action: Some(action), ..RecipientReport::default() };
    let first = |text: &str| text.split(';').next().map(str::trim).filter(|text| !text.is_empty()).map(name_of);
    // A DSN goes to the sender; whom it is about stands elsewhere.
    let related = Some(cell(columns.related)).filter(|address| cell(columns.event) == "DSN" && !address.is_empty());
    report.recipient = first(related.unwrap_or_else(|| cell(columns.recipient)));
    report.queue_id = Some(cell(columns.message).trim_matches(['<', '>'])).filter(|id| !id.is_empty()).map(name_of);
    let status = unquoted(cell(columns.status));
    why(&mut report, &status);
    if report.remote_host.is_none() && action != Action::Failed {
        report.remote_host = [columns.server, columns.server_ip].into_iter().map(cell).find(|name| !name.is_empty()).and_then(host);
    }
    (action == Action::Delivered || report.reply.is_some() || !report.diagnostic.is_empty()).then_some(report)
}

/// The cells of a line of CSV, with their quotes taken off; a doubled quote in them stays doubled.
pub(super) fn cells(line: &str) -> Vec<&str> {
    let mut cells = Vec::with_capacity(32);
    let mut rest = line;
    while cells.len() < COLUMNS {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(inner) => {
                let end = closing(inner);
                (&inner[..end], inner.get(end + 1..).unwrap_or_default().strip_prefix(','))
            }
            None => rest.split_once(',').map_or((rest, None), |(cell, after)| (cell, Some(after))),
        };
        cells.push(cell);
        let Some(after) = after else { break };
        rest = after;
    }
    cells
}

/// Where the quote that closes stands.
fn closing(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'"', Some(b'"')) => at += 2,
            (b'"', _) => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn unquoted(cell: &str) -> String {
    cell.replace("\"\"", "\"")
}

/// `[{LRT=…};{LED=550 5.1.1 …};{MSG=…};{FQDN=mx.example.com};{IP=192.0.2.1}]`, or a reply by itself.
fn why(report: &mut RecipientReport, status: &str) {
    let part = |key: &str| Some(between(status, key, "}").or_else(|| Some(&status[status.find(key)? + key.len()..]))?.trim());
    let text = part("{LED=").or_else(|| part("{MSG=")).filter(|text| !text.is_empty());
    because(report, text.unwrap_or_else(|| if status.starts_with('[') { "" } else { status.split(';').next().unwrap_or_default() }));
    if report.reply.is_none()
        && let Some(text) = part("{MSG=").filter(|text| !text.is_empty())
    {
        let words = std::mem::take(&mut report.diagnostic);
        because(report, text);
        if !words.is_empty() && report.reply.is_none() {
            report.diagnostic = words;
        }
    }
    let named = || between(status, "[LastAttemptedServerName=", "]");
    let address = || part("{IP=").or_else(|| between(status, "[LastAttemptedIP=", "]"));
    let known = |name: &&str| !name.is_empty();
    report.remote_host = part("{FQDN=").filter(known).or_else(named).filter(known).or_else(address).filter(known).map(name_of);
}
