//! Notices as JSON in a mail's text, as Amazon's SES sends them through its notification service (SES Developer Guide, "Contents of
//! notifications").

use serde_json::Value;

use super::answer::{self, Said};
use super::letter::Letter;
use super::{Notice, NoticeKind, RECIPIENTS, words};
use crate::reading::{Action, RecipientReport};

/// The notice, if the letter's text is one.
pub(super) fn read(letter: &Letter<'_>) -> Option<Notice> {
    let text = letter.prose.trim_start();
    if !text.starts_with('{') || !["notificationType", "eventType", "\"Message\""].iter().any(|name| text.contains(name)) {
        return None;
    }
    // A host on the way may have broken lines that were too long for it.
    let value = first_value(text).or_else(|| first_value(&text.replace("!\n ", "")))?;
    // The service's own envelope holds the notice as a string.
    let value = match value.get("Message").and_then(Value::as_str) {
        Some(inner) => first_value(inner)?,
        None => value,
    };
    let kind = value.get("notificationType").or_else(|| value.get("eventType"))?.as_str()?;
    let notice = match kind {
        "Bounce" => bounce(value.get("bounce")?),
        "Delivery" => delivery(value.get("delivery")?),
        "Complaint" => complaint(value.get("complaint")?),
        _ => return None,
    };
    (!notice.reports.is_empty()).then_some(notice)
}

/// The first JSON value; what follows it may be anything.
fn first_value(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten().take(RECIPIENTS)
}

fn host(value: &Value, name: &str) -> Option<String> {
    let text = text(value, name)?;
    words::host(text.rsplit(';').next()?).map(str::to_owned)
}

fn bounce(bounce: &Value) -> Notice {
    let delayed = text(bounce, "bounceType") == Some("Transient");
    let reports = list(bounce, "bouncedRecipients").map(|recipient| {
        let diagnostic = text(recipient, "diagnosticCode").unwrap_or_default();
        let mut said = answer::read(diagnostic.strip_prefix("smtp;").unwrap_or(diagnostic).trim());
        said.recipient = text(recipient, "emailAddress").map(str::to_owned);
        said.status = text(recipient, "status").and_then(|status| status.parse().ok());
        said.reporting_mta = host(bounce, "reportingMTA");
        said.remote_host = host(bounce, "remoteMtaIp").or(said.remote_host);
        let failed = text(recipient, "action").is_none_or(|action| action == "failed");
        said.into_report(Some(if failed || !delayed { Action::Failed } else { Action::Delayed }))
    });
    notice(NoticeKind::Bounce, reports.collect(), None)
}

fn delivery(delivery: &Value) -> Notice {
    let response = text(delivery, "smtpResponse").unwrap_or_default();
    let reply = crate::smtp::Reply::parse(response);
    let reports = list(delivery, "recipients").filter_map(Value::as_str).map(|recipient| {
        let said = Said {
            recipient: Some(recipient.to_owned()),
            reply: reply.clone(),
            diagnostic: words::line(response),
            reporting_mta: host(delivery, "reportingMTA"),
            remote_host: host(delivery, "remoteMtaIp"),
            ..Said::default()
        };
        said.into_report(Some(Action::Delivered))
    });
    notice(NoticeKind::Delivered, reports.collect(), None)
}

fn complaint(complaint: &Value) -> Notice {
    let reports = list(complaint, "complainedRecipients")
        .map(|recipient| RecipientReport { recipient: text(recipient, "emailAddress").map(str::to_owned), ..RecipientReport::default() });
    let kind = text(complaint, "complaintFeedbackType").unwrap_or("abuse");
    notice(NoticeKind::Feedback, reports.collect(), Some(words::line(kind)))
}

fn notice(kind: NoticeKind, reports: Vec<RecipientReport>, feedback_type: Option<String>) -> Notice {
    Notice { kind, reports, feedback_type }
}
