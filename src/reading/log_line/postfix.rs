//! Lines of Postfix: deliveries (smtp, lmtp, local, virtual, pipe, error, bounce), what a host said in between, and what smtpd and
//! postscreen reject.

use super::words::{action_of, because, between, host, name_of, verb};
use crate::reading::{Action, RecipientReport};
use crate::smtp::Verb;

/// Reads a message that `daemon` of the host `from` wrote.
pub(super) fn read(daemon: &str, from: Option<&str>, message: &str) -> Option<RecipientReport> {
    let (queue_id, rest) =
        message.split_once(": ").filter(|(id, _)| is_queue_id(id)).map_or((None, message), |(id, rest)| (Some(id), rest));
    let mut report = if let Some((fields, status)) = rest.split_once(" status=") {
        delivery(daemon, fields, status)?
    } else if let Some((kind, rejected)) = rest.split_once("reject: ").filter(|(kind, _)| !kind.contains(' ')) {
        rejection(kind, rejected)?
    } else if is_trouble(rest) {
        reason(daemon, rest)
    } else {
        return None;
    };
    report.queue_id = queue_id.filter(|id| *id != "NOQUEUE").map(name_of);
    report.reporting_mta = from.map(name_of);
    Some(report)
}

/// The short form in hex, the long form in letters and digits, and the word for a client that has sent no message yet.
fn is_queue_id(text: &str) -> bool {
    let is_word = text.bytes().all(|b| b.is_ascii_lowercase());
    text.len() >= 5 && text.bytes().all(|b| b.is_ascii_alphanumeric()) && !is_word
}

/// Lines that smtp and lmtp write before they try the next host.
fn is_trouble(text: &str) -> bool {
    text.starts_with("connect to ")
        || text.starts_with("lost connection with ")
        || text.starts_with("conversation with ")
        || (text.starts_with("host ") && (text.contains(" said: ") || text.contains(" refused to talk to me: ")))
}

/// `to=<anna@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=2.3, dsn=5.1.1, status=bounced (host … said: …)`.
fn delivery(daemon: &str, fields: &str, status: &str) -> Option<RecipientReport> {
    let (word, text) = status.split_once([' ', ',']).unwrap_or((status, ""));
    let action = match word {
        "bounced" | "expired" | "undeliverable" => Action::Failed,
        "deferred" | "SOFTBOUNCE" => Action::Delayed,
        "sent" | "deliverable" => Action::Delivered,
        _ => return None,
    };
    // The queue manager tells no more than this.
    let text = if word == "expired" && text.starts_with(" returned") { status } else { text.trim() };
    let text = text.strip_prefix('(').map_or(text, |text| text.strip_suffix(')').unwrap_or(text));
    let mut report = reason(daemon, text);
    report.action = Some(action);
    let mut fields = fields.trim_end_matches(',');
    while !fields.is_empty() {
        let (value, rest) = field(fields);
        match value {
            ("to", address) => report.recipient = Some(name_of(address)),
            ("orig_to", address) => report.original = Some(name_of(address)),
            ("relay", relay) if relay.contains('[') => report.remote_host = report.remote_host.or_else(|| host(relay)),
            ("dsn", code) => report.status = report.status.or_else(|| code.parse().ok()),
            _ => {}
        }
        fields = rest;
    }
    Some(report)
}

/// The next `key=value` and what follows it. An address may hold a comma.
fn field(text: &str) -> ((&str, &str), &str) {
    let Some((key, rest)) = text.split_once('=') else { return ((text, ""), "") };
    if let Some(rest) = rest.strip_prefix('<') {
        let (address, rest) = rest.split_once(">,").unwrap_or((rest.trim_end_matches('>'), ""));
        return ((key, address), rest.trim_start());
    }
    let (value, rest) = rest.split_once(", ").unwrap_or((rest, ""));
    ((key, value), rest)
}

/// Why: `host mx.example.com[192.0.2.1] said: 550 … (in reply to RCPT TO command)`, or what became of the connection.
fn reason(daemon: &str, text: &str) -> RecipientReport {
    let mut report = RecipientReport::default();
    let text = text.strip_prefix("delivery temporarily suspended: ").unwrap_or(text);
    let (start, said) = if let Some((start, said)) = text.split_once(" said: ") {
        let (said, command) = match said.rfind(" (in reply to ") {
            Some(at) => (&said[..at], verb(&said[at + " (in reply to ".len()..])),
            None => (said, None),
        };
        report.command = command;
        (start, said)
    } else if let Some((start, said)) = text.split_once(" refused to talk to me: ") {
        report.command = Some(Verb::Connect);
        (start, said)
    } else {
        connection(&mut report, text);
        because(&mut report, text);
        return report;
    };
    if daemon == "lmtp" && report.command == Some(Verb::DataEnd) {
        report.command = Some(Verb::LmtpData);
    }
    report.remote_host = start.rsplit(' ').next().and_then(host);
    because(&mut report, said);
    report
}

/// `connect to mx.example.com[192.0.2.1]:25: Connection timed out`, `lost connection with mx.example.com[192.0.2.1] while sending MAIL FROM`.
fn connection(report: &mut RecipientReport, text: &str) {
    if let Some(peer) = text.strip_prefix("connect to ") {
        report.command = Some(Verb::Connect);
        report.remote_host = peer.split(' ').next().and_then(host);
    } else if let Some(peer) = text.strip_prefix("lost connection with ").or_else(|| text.strip_prefix("conversation with ")) {
        report.remote_host = peer.split(' ').next().and_then(host);
        let doing = text.split_once(" while ").map_or("", |(_, doing)| doing);
        let what = ["sending ", "receiving the ", "performing the "].iter().find_map(|word| doing.strip_prefix(word));
        report.command = what.and_then(verb).or_else(|| verb(doing));
    }
}

/// What a check of the content found, with its verdict at the end:
/// `Subject: … from mx.example.net[192.0.2.9]; from=<…> to=<anna@example.com> proto=ESMTP helo=<…>: 5.7.1 message looks like spam`.
fn content(text: &str) -> RecipientReport {
    let about = text.rfind("; from=<").map_or("", |at| &text[at..]);
    let said = about.rsplit_once(">: ").map_or("", |(_, said)| said);
    let mut report = RecipientReport { command: Some(Verb::DataEnd), ..RecipientReport::default() };
    because(&mut report, said);
    report.recipient = between(about, " to=<", ">").map(name_of);
    report.action = Some(if report.status.is_some_and(|status| status.class == 4) { Action::Delayed } else { Action::Failed });
    report
}

/// `RCPT from unknown[192.0.2.9]: 554 5.7.1 …; from=<> to=<anna@example.com> proto=ESMTP helo=<…>`, before it `milter-` or nothing.
fn rejection(kind: &str, text: &str) -> Option<RecipientReport> {
    // What is only said to be rejected is taken all the same.
    if !matches!(kind, "" | "milter-" | "proxy-") {
        return None;
    }
    let (stage, rest) = text.split_once([' ', ':'])?;
    if matches!(stage, "header" | "body" | "mime-header" | "nested-header") {
        return Some(content(rest));
    }
    let said = match rest.strip_prefix("from ") {
        Some(client) => client.split_once("]: ").or_else(|| client.split_once(": ")).map_or(client, |(_, said)| said),
        None => rest.trim_start(),
    };
    // postscreen writes the client's port behind its address.
    let port = said.split_once(": ").or_else(|| rest.split_once("]:")?.1.split_once(": "));
    let said = port.filter(|(port, _)| port.bytes().all(|b| b.is_ascii_digit())).map_or(said, |(_, said)| said);
    let end = [said.rfind("; from=<"), said.rfind("; proto="), said.rfind("; to=<")].into_iter().flatten().min().unwrap_or(said.len());
    let (said, about) = said.split_at(end);
    let mut report = RecipientReport { command: verb(stage), ..RecipientReport::default() };
    because(&mut report, said);
    report.recipient = between(about, " to=<", ">").map(name_of);
    report.action = match (&report.reply, report.status) {
        (Some(reply), _) => action_of(reply.code),
        (None, Some(status)) => Some(if status.class == 4 { Action::Delayed } else { Action::Failed }),
        (None, None) => Some(Action::Failed),
    };
    Some(report)
}
