//! Lines of qmail-send and its kin, as multilog or a syslog keeps them: which delivery is for whom, and how it ended.
//!
//! (qmail-log(5). A delivery's report is written with `_` for a blank and `/` for the end of a line.)

use std::collections::HashMap;

use super::words::{because, host, name_of};
use crate::reading::{Action, RecipientReport};
use crate::smtp::Verb;

/// So many deliveries are remembered; qmail-send runs fewer at a time.
const REMEMBERED: usize = 1024;

/// Whom the deliveries under way are for: a line on how one ended tells its number alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Deliveries(HashMap<u32, String>);

/// Whether `line` carries a time as multilog writes it (TAI64N), or tells of a delivery.
pub(super) fn is_one(line: &str) -> bool {
    ended(line).is_some() || started(line).is_some()
}

pub(super) fn read(line: &str, deliveries: &mut Deliveries) -> Option<RecipientReport> {
    if let Some((number, recipient)) = started(line) {
        if deliveries.0.len() >= REMEMBERED {
            deliveries.0.clear();
        }
        deliveries.0.insert(number, name_of(recipient));
        return None;
    }
    let (number, action, text) = ended(line)?;
    let text = plain(text);
    let mut report = RecipientReport { action: Some(action), recipient: deliveries.0.remove(&number), ..RecipientReport::default() };
    let (about, said) = match text.split_once("Remote host said: ") {
        Some((about, said)) => (about, said.split(" Giving up on ").next().unwrap_or(said)),
        None => (text.as_str(), text.as_str()),
    };
    because(&mut report, said.trim());
    report.status = report.status.or_else(|| text.split_once("(#")?.1.split([')', ' ']).next()?.parse().ok());
    let named = about.strip_prefix("Connected to ").unwrap_or(about);
    let named = named.split_once(" Connected to ").map_or(named, |(_, named)| named);
    let given_up = text.split_once("Giving up on ").map(|(_, name)| name);
    let known = |text: &str| text.split(' ').next().filter(|name| name.contains('.')).and_then(|name| host(name.trim_end_matches('.')));
    report.remote_host = known(named).or_else(|| given_up.and_then(known));
    report.command = [
        ("does not like recipient", Verb::Rcpt),
        ("recipient was rejected", Verb::Rcpt),
        ("sender was rejected", Verb::Mail),
        ("failed on DATA", Verb::Data),
        ("failed after I sent the message", Verb::DataEnd),
        ("accepted message", Verb::DataEnd),
        ("my name was rejected", Verb::Helo),
        ("greeting failed", Verb::Connect),
    ]
    .iter()
    .find(|(words, _)| about.contains(words))
    .map(|(_, verb)| *verb);
    Some(report)
}

/// `starting delivery 7: msg 42 to remote anna@example.com`: the number, and for whom it is.
fn started(line: &str) -> Option<(u32, &str)> {
    let (number, rest) = line.split_once("starting delivery ")?.1.split_once(": msg ")?;
    let recipient = rest.split_once(" to remote ").or_else(|| rest.split_once(" to local "))?.1;
    Some((number.parse().ok()?, recipient.trim()))
}

/// `delivery 7: failure: …`.
fn ended(line: &str) -> Option<(u32, Action, &str)> {
    let (number, rest) = line.split_once("delivery ")?.1.split_once(": ")?;
    let (word, text) = rest.split_once(": ")?;
    let action = match word {
        "failure" => Action::Failed,
        "deferral" => Action::Delayed,
        "success" => Action::Delivered,
        _ => return None,
    };
    Some((number.parse().ok()?, action, text))
}

/// The words as they were: a slash ends a line where a sentence or a code follows it, and else may belong to an address of a page.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.trim_end_matches('/');
    while let Some(at) = rest.find('/') {
        let (line, next) = (&rest[..at], &rest[at + 1..]);
        plain.push_str(line);
        let code = next.len() > 3 && next.as_bytes()[..3].iter().all(u8::is_ascii_digit) && matches!(next.as_bytes()[3], b'_' | b'-');
        let note = next.starts_with("Giving_up_on_") || next.starts_with("Remote_host_said:");
        let ends = code || note || line.ends_with(['.', ')', ':', '!']) && next.starts_with(|c: char| c.is_ascii_uppercase());
        plain.push(if ends { ' ' } else { '/' });
        rest = next;
    }
    plain.push_str(rest);
    plain.replace('_', " ")
}
