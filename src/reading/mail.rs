//! One mail → what it tells of other mail: a delivery report (RFC 3464, carried as RFC 6522 says), a bounce of a server's own form,
//! a feedback report (RFC 5965), an automatic reply (RFC 3834), or nothing of the kind.
//!
//! A report's fields are read first; what a person is told beside them completes them, and stands for them where they are missing.
//! No server's form is known by its name: what is read is what such texts have in common. Mail comes from anybody, so that time
//! and memory are bounded and nothing in it is trusted to be well formed.

mod address;
mod answer;
mod away;
mod boundary;
mod entries;
mod feedback;
mod fields;
mod html;
mod kind;
mod letter;
mod notification;
mod phrases;
mod prose;
mod report;
mod returned;
mod signs;
mod transcript;
mod words;

#[cfg(test)]
mod tests;

pub(super) use address::owned as addresses;

use super::{Action, RecipientReport};
use answer::Said;
use kind::Looks;
use letter::Letter;

/// What a mail turned out to be, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is.
    pub kind: NoticeKind,
    /// What became of a message, for each recipient that is named: of a feedback report, who complained; of an automatic reply,
    /// who sends it. Empty if it is [`NotABounce`](NoticeKind::NotABounce).
    pub reports: Vec<RecipientReport>,
    /// What a feedback report is about (Feedback-Type): `abuse`, `auth-failure` …; none for any other kind.
    pub feedback_type: Option<String>,
}

/// What kind of mail it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// A message could not be delivered, or not yet.
    Bounce,
    /// A message was delivered, or handed on.
    Delivered,
    /// An automatic reply of a person who is away.
    Vacation,
    /// A recipient's complaint, or another report about mail that did arrive.
    Feedback,
    /// Anything else, also a mail in which a person quotes or forwards one of the above.
    NotABounce,
}

impl NoticeKind {
    /// Its name in `smtpprobe.explanation/1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Delivered => "delivered",
            Self::Vacation => "vacation",
            Self::Feedback => "feedback",
            Self::NotABounce => "not_a_bounce",
        }
    }
}

/// At most this many recipients are reported of one mail.
pub const RECIPIENTS: usize = 5000;
/// A notice may be wrapped in this many others.
const WRAPPINGS: usize = 3;

/// Reads a mail; whatever it is, there is an answer.
///
/// Only the first megabyte is looked at: what a report says stands before the message that it returns.
#[must_use]
pub fn read(mail: &[u8]) -> Notice {
    letter::with(mail, |letter| notice(letter, WRAPPINGS))
}

/// Whether `text` is a mail, and not something that a person took out of a log, a terminal or a mail's text.
///
/// It begins with fields of a header, and two of those that every mail has are among them.
#[must_use]
pub fn looks_like_mail(text: &[u8]) -> bool {
    letter::has_head(text)
}

fn notice(letter: &Letter<'_>, wrappings: usize) -> Notice {
    if let Some(notice) = feedback::read(letter).or_else(|| notification::read(letter)) {
        return notice;
    }
    if letter.reports.is_empty() && is_other_report(letter) {
        return Notice { kind: NoticeKind::NotABounce, reports: Vec::new(), feedback_type: None };
    }
    let looks = Looks::of(letter);
    if !letter.reports.is_empty() || looks.is_notice() {
        let (told, fields) = report::read(letter);
        let text = prose::read(letter, fields);
        if told.is_empty()
            && !text.recipients.iter().any(Said::tells_a_code)
            && let Some(inner) = wrapped(letter, wrappings)
            && (text.recipients.is_empty() || inner.reports.iter().any(|report| is_meant(report, &text, letter)))
        {
            return inner;
        }
        let reports = joined(told, text, &looks);
        let done = |report: &RecipientReport| matches!(report.action, Some(Action::Delivered | Action::Relayed | Action::Expanded));
        if !reports.is_empty() {
            let kind = if reports.iter().all(done) { NoticeKind::Delivered } else { NoticeKind::Bounce };
            return Notice { kind, reports, feedback_type: None };
        }
    }
    if looks.is_automatic_reply() {
        let (kind, action) =
            if looks.address_is_dead() { (NoticeKind::Bounce, Some(Action::Failed)) } else { (NoticeKind::Vacation, None) };
        let said = Said { recipient: letter.from.clone(), diagnostic: words::line(&letter.prose), ..Said::default() };
        return Notice { kind, reports: vec![said.into_report(action)], feedback_type: None };
    }
    if looks.is_notice() {
        // It says that something failed, and not for whom.
        let said = answer::read(letter.own_words());
        return Notice { kind: NoticeKind::Bounce, reports: vec![said.into_report(Some(looks.action()))], feedback_type: None };
    }
    Notice { kind: NoticeKind::NotABounce, reports: Vec::new(), feedback_type: None }
}

/// Whether it is a report of another kind (RFC 6522): that a message was read (RFC 8098), or how TLS went (RFC 8460).
fn is_other_report(letter: &Letter<'_>) -> bool {
    letter.field("Content-Type").is_some_and(|value| {
        let lower = words::cut(&value, 1000).to_ascii_lowercase();
        lower.starts_with("multipart/report") && (lower.contains("disposition-notification") || lower.contains("tlsrpt"))
    })
}

/// Whether an inner notice tells of a recipient whom the outer one names, or writes to. A notice may as well return another one.
fn is_meant(report: &RecipientReport, text: &prose::Text, letter: &Letter<'_>) -> bool {
    let outer = text.recipients.iter().filter_map(|said| said.recipient.as_ref()).chain(&letter.to);
    report.recipient.as_ref().is_some_and(|recipient| outer.into_iter().any(|outer| address::same(outer, recipient)))
}

/// A notice that a server wrapped in its own words, as an attached mail or within the text.
fn wrapped(letter: &Letter<'_>, wrappings: usize) -> Option<Notice> {
    let inner = wrappings.checked_sub(1)?;
    let found = if let Some(message) = letter.attached {
        letter::with_message(message, |letter| notice(letter, inner))
    } else {
        let quoted = letter.quoted();
        // A heading may stand before it.
        let below = quoted.split_once('\n').map_or("", |(_, below)| below);
        let quoted = [quoted, below].into_iter().find(|quoted| looks_like_mail(quoted.as_bytes()))?;
        letter::with(quoted.as_bytes(), |letter| notice(letter, inner))
    };
    matches!(found.kind, NoticeKind::Bounce | NoticeKind::Delivered).then_some(found)
}

/// What is said of each recipient: by the fields of a report, by the text, by both.
fn joined(mut told: Vec<Said>, mut text: prose::Text, looks: &Looks<'_>) -> Vec<RecipientReport> {
    let report = |said: Said| {
        let action = said.action.unwrap_or_else(|| looks.action());
        said.into_report(Some(action))
    };
    if told.is_empty() {
        let named = if text.recipients.is_empty() { text.guessed } else { text.recipients };
        return named.into_iter().take(RECIPIENTS).map(report).collect();
    }
    let alone = told.len() == 1 && text.recipients.len() <= 1;
    told.truncate(RECIPIENTS);
    told.into_iter()
        .map(|mut said| {
            let same = if alone {
                text.recipients.pop()
            } else {
                text.recipients.iter().position(|other| other.is_about(&said)).map(|at| text.recipients.swap_remove(at))
            };
            let same = same.as_ref();
            // A report that was cut off may end within the address.
            if let Some(whole) = same.and_then(|same| same.recipient.as_ref())
                && said.recipient.as_ref().is_some_and(|part| part.len() < whole.len() && whole.starts_with(part.as_str()))
            {
                said.recipient = Some(whole.clone());
            }
            said.complete_with(same.unwrap_or(&text.all));
            report(said)
        })
        .collect()
}
