//! Lines of `OpenSMTPD`: deliveries (`result="PermFail" stat="550 …"`), and commands that its own server refused.

use super::words::{action_of, because, between, host, name_of, verb};
use crate::reading::{Action, RecipientReport};

pub(super) fn read(message: &str, from: Option<&str>) -> Option<RecipientReport> {
    let result = value(message, "result=")?;
    let mut report = match result {
        "Ok" | "Delivered" | "PermFail" | "TempFail" | "Loop" => delivery(message, result),
        _ => refusal(message, result)?,
    };
    report.queue_id = value(message, "evpid=").or_else(|| value(message, "msgid=")).map(name_of);
    report.reporting_mta = from.map(name_of);
    Some(report)
}

/// What stands behind ` key=`: in quotes, in angle brackets, or up to the next blank.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let at = text.match_indices(key).map(|(at, _)| at).find(|at| *at == 0 || text[..*at].ends_with(' '))?;
    let rest = &text[at + key.len()..];
    match rest.as_bytes().first() {
        // A reply may hold quotes of its own; only the last one before the next key, or the line's end, closes it.
        Some(b'"') if key == "stat=" || key == "result=" => {
            let rest = &rest[1..];
            let end = rest.find("\" stat=").or_else(|| rest.trim_end().strip_suffix('"').map(str::len));
            end.or_else(|| rest.find('"')).map(|end| &rest[..end])
        }
        Some(b'"') => rest[1..].split('"').next(),
        Some(b'<') => rest[1..].split('>').next(),
        _ => rest.split([' ', ',']).next(),
    }
}

/// `mta delivery evpid=… from=<…> to=<anna@example.com> rcpt=<-> source="…" relay="192.0.2.1 (mx.example.com)" result="…" stat="…"`.
fn delivery(message: &str, result: &str) -> RecipientReport {
    let mut report = RecipientReport {
        action: Some(match result {
            "TempFail" => Action::Delayed,
            "PermFail" | "Loop" => Action::Failed,
            _ => Action::Delivered,
        }),
        recipient: value(message, "to=").map(name_of),
        // A dash says that it is the same.
        original: value(message, "rcpt=").filter(|address| *address != "-" && !address.is_empty()).map(name_of),
        remote_host: value(message, "relay=").and_then(|relay| host(between(relay, "(", ")").unwrap_or(relay))),
        ..RecipientReport::default()
    };
    because(&mut report, value(message, "stat=").unwrap_or_default());
    report
}

/// `smtp failed-command command="RCPT TO:<anna@example.com>" result="550 Invalid recipient"`.
fn refusal(message: &str, result: &str) -> Option<RecipientReport> {
    let command = value(message, "command=")?;
    let mut report = RecipientReport { command: verb(command), ..RecipientReport::default() };
    because(&mut report, result);
    report.action = action_of(report.reply.as_ref()?.code);
    report.recipient = command.to_ascii_uppercase().starts_with("RCPT").then(|| between(command, "<", ">")).flatten().map(name_of);
    Some(report)
}
