//! Lines of Exchange's protocol logs (`SmtpSend`, `SmtpReceive`): CSV, one line for each command and reply of a session.
//!
//! (Microsoft's "Protocol logging", section "Structure of the protocol log files".)

use std::collections::VecDeque;

use super::exchange::cells;
use super::words::{action_of, because, between, host, name_of, verb};
use crate::reading::RecipientReport;
use crate::smtp::Verb;

/// So many commands may wait for their answer.
const WAITING: usize = 200;

/// What was asked in the session that the last lines were about.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    session: String,
    commands: VecDeque<(Option<Verb>, Option<String>)>,
}

/// Whether `line` has the seven columns of such a log; it is known to begin with a time.
pub(super) fn is_one(line: &str) -> bool {
    let mut cells = line.split(',').skip(3);
    let numbered = cells.next().is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    numbered && cells.nth(2).is_some_and(|event| matches!(event, "+" | "-" | ">" | "<" | "*"))
}

/// The refusal in `line`, of whichever side.
pub(super) fn read(line: &str, asked: &mut Asked) -> Option<RecipientReport> {
    let cells = cells(line);
    let [_, _, session, _, local, remote, event, data, ..] = cells.as_slice() else { return None };
    if asked.session != *session {
        *asked = Asked { session: name_of(session), commands: VecDeque::new() };
    }
    if !matches!(*event, ">" | "<") {
        return None;
    }
    let data = data.replace("\"\"", "\"");
    let mut report = RecipientReport::default();
    because(&mut report, &data);
    let Some(reply) = &report.reply else {
        if asked.commands.len() < WAITING {
            let recipient = data.get(..5).filter(|word| word.eq_ignore_ascii_case("RCPT ")).and_then(|_| between(&data, "<", ">"));
            asked.commands.push_back((verb(&data), recipient.map(name_of)));
        }
        return None;
    };
    let (command, recipient) =
        if data.as_bytes().get(3) == Some(&b'-') { asked.commands.front().cloned() } else { asked.commands.pop_front() }
            .unwrap_or_default();
    report.action = Some(action_of(reply.code)?);
    report.command = command;
    report.recipient = recipient;
    // Who answers is the other side of what this host sent, and this host of what it received.
    if *event == "<" {
        report.remote_host = endpoint(remote);
    } else {
        report.reporting_mta = endpoint(local);
    }
    Some(report)
}

/// `192.0.2.25:25`, `[2001:db8::1]:25`.
fn endpoint(text: &str) -> Option<String> {
    host(text.rsplit_once(':').map_or(text, |(address, _)| address))
}
