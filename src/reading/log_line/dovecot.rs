//! Lines of Dovecot's delivery (lmtp, lda): what was saved, and what was not.

use super::words::{because, between, name_of};
use crate::reading::{Action, RecipientReport};
use crate::smtp::Verb;

pub(super) fn read(message: &str, from: Option<&str>) -> Option<RecipientReport> {
    let service = ["lmtp(", "lda(", "deliver("].iter().find_map(|name| message.strip_prefix(name))?;
    let (user, rest) = service.split_once(')')?;
    let mut report = refused_recipient(rest).or_else(|| outcome(rest))?;
    let is_process = user.bytes().all(|b| b.is_ascii_digit());
    report.recipient = report.recipient.or_else(|| Some(user).filter(|user| !is_process && !user.is_empty()).map(name_of));
    report.reporting_mta = from.map(name_of);
    Some(report)
}

/// `…: rcpt anna@example.com: …: 550 5.1.1 <anna@example.com> User doesn't exist`.
fn refused_recipient(text: &str) -> Option<RecipientReport> {
    let (recipient, rest) = text.split_once(" rcpt ")?.1.split_once(": ")?;
    let at = rest.match_indices(": ").map(|(at, _)| at + 2).chain([0]).find(|at| super::words::reply(&rest[*at..]).is_some())?;
    let mut report = RecipientReport {
        recipient: Some(name_of(recipient.trim_matches(['<', '>']))),
        command: Some(Verb::Rcpt),
        ..RecipientReport::default()
    };
    because(&mut report, &rest[at..]);
    report.action = report.reply.as_ref().and_then(|reply| super::words::action_of(reply.code));
    Some(report)
}

/// `msgid=<1@example.net>: save failed to INBOX: Quota exceeded (mailbox for user is full)`, `saved mail to INBOX`.
fn outcome(text: &str) -> Option<RecipientReport> {
    const FAILED: [&str; 4] = ["save failed to ", "failed to store into mailbox ", "failed to store mail into ", "failed to store into "];
    let queue_id = between(text, "msgid=<", ">").map(name_of);
    let says = |words: &str| text.find(words).map(|at| &text[at + words.len()..]);
    if let Some(rest) = FAILED.iter().find_map(|words| says(words)) {
        let mut report = RecipientReport { queue_id, ..RecipientReport::default() };
        because(&mut report, rest.split_once(": ").map_or(rest, |(_, why)| why));
        // What it answered is not told; over quota, it is a failure unless it was set up otherwise.
        let full = report.diagnostic.to_ascii_lowercase().contains("quota exceeded");
        report.action = Some(if full { Action::Failed } else { Action::Delayed });
        return Some(report);
    }
    let saved = ["saved mail to ", "stored mail into mailbox "].iter().any(|words| says(words).is_some());
    saved.then(|| RecipientReport { queue_id, action: Some(Action::Delivered), ..RecipientReport::default() })
}
