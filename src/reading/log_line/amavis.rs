//! Lines of amavis: which message its filter stopped, and what for.

use super::words::{between, name_of, one_line};
use crate::reading::{Action, RecipientReport};
use crate::smtp::Verb;

/// `(00123-01) Blocked SPAM {RejectedInbound}, [192.0.2.9] <bert@example.net> -> <anna@example.com>, Queue-ID: 4Z0Abc, …`; what passed is
/// under way and has no outcome yet.
pub(super) fn read(message: &str, from: Option<&str>) -> Option<RecipientReport> {
    let at = message.find("Blocked ").filter(|at| *at == 0 || message[..*at].ends_with(' '))?;
    let told = &message[at..];
    let (what, rest) = told.split_once(", ")?;
    let (_, to) = rest.split_once(" -> ")?;
    Some(RecipientReport {
        recipient: between(to, "<", ">").map(name_of),
        action: Some(Action::Failed),
        diagnostic: one_line(what),
        command: Some(Verb::DataEnd),
        reporting_mta: from.map(name_of),
        queue_id: between(rest, "Queue-ID: ", ",").map(name_of),
        ..RecipientReport::default()
    })
}
