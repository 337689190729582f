//! Feedback reports (RFC 5965, RFC 6591): a recipient complains of a message, or a receiver tells what did not authenticate.

use super::fields::{Item, items};
use super::letter::Letter;
use super::{Notice, NoticeKind, RECIPIENTS, address, words};
use crate::reading::RecipientReport;

/// Where Hotmail names who complains.
const COMPLAINER: &str = "X-HmXmrOriginalRecipient";

/// The notice, if the letter is such a report.
pub(super) fn read(letter: &Letter<'_>) -> Option<Notice> {
    let fields = match &letter.feedback {
        Some(fields) => fields.as_str(),
        // Some write them where a person reads.
        None if is_report(letter) => letter.own_words(),
        None => return without_fields(letter),
    };
    let mut kind = None;
    let mut reporter = None;
    let mut recipients = Vec::new();
    for item in items(fields) {
        let Item::Field(field) = item else { continue };
        if field.is("Feedback-Type") {
            kind = Some(words::line(&field.value).to_ascii_lowercase());
        } else if field.is("Reporting-MTA") {
            reporter = words::host(field.typed().1).map(str::to_owned);
        } else if (field.is("Original-Rcpt-To") || field.is("Removal-Recipient")) && recipients.len() < RECIPIENTS {
            recipients.extend(address::all(&field.value).map(|found| found.text.to_owned()));
        }
    }
    if recipients.is_empty() {
        recipients.extend(returned_recipient(&letter.returned));
    }
    Some(notice(letter, kind, recipients, reporter))
}

fn is_report(letter: &Letter<'_>) -> bool {
    letter.field("Content-Type").is_some_and(|value| {
        let lower = words::cut(&value, 1000).to_ascii_lowercase();
        lower.starts_with("multipart/report") && lower.contains("feedback-report")
    })
}

/// Reports in the form of some large receivers, which carry no such fields.
fn without_fields(letter: &Letter<'_>) -> Option<Notice> {
    if letter.field("X-Apple-Unsubscribe").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Some(notice(letter, Some("opt-out".to_owned()), letter.from.iter().cloned().collect(), None));
    }
    let lower = words::cut(&letter.subject, 200).to_ascii_lowercase();
    let complainer = letter.field(COMPLAINER).into_iter().flat_map(|value| address::owned(&value)).next();
    let hotmail = complainer.is_some() || memchr::memmem::find(letter.returned.as_bytes(), COMPLAINER.as_bytes()).is_some();
    if !hotmail && !lower.trim_start().starts_with("complaint about message from") {
        return None;
    }
    let complainer = complainer.or_else(|| returned_recipient(&letter.returned));
    Some(notice(letter, Some("abuse".to_owned()), complainer.into_iter().collect(), None))
}

/// Whom the message that is complained of was for.
fn returned_recipient(head: &str) -> Option<String> {
    let mut to = None;
    for item in items(head) {
        let Item::Field(field) = item else { continue };
        let found = || address::all(&field.value).next().map(|found| found.text.to_owned());
        if field.is(COMPLAINER) {
            return found();
        } else if field.is("To") && to.is_none() {
            to = found();
        }
    }
    to
}

fn notice(letter: &Letter<'_>, kind: Option<String>, recipients: Vec<String>, reporter: Option<String>) -> Notice {
    let report = RecipientReport { diagnostic: words::line(&letter.prose), reporting_mta: reporter, ..RecipientReport::default() };
    let mut reports: Vec<RecipientReport> =
        recipients.into_iter().take(RECIPIENTS).map(|recipient| RecipientReport { recipient: Some(recipient), ..report.clone() }).collect();
    if reports.is_empty() {
        reports.push(report);
    }
    Notice { kind: NoticeKind::Feedback, reports, feedback_type: kind.or_else(|| Some("abuse".to_owned())) }
}
