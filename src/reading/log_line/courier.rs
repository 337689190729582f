//! Lines of Courier: what became of a message (courieresmtp, courierlocal …), and what its own server refuses (courieresmtpd).

use super::words::{action_of, because, between, host, name_of};
use crate::reading::{Action, RecipientReport};
use crate::smtp::CodeClass;

pub(super) fn read(message: &str, from: Option<&str>) -> Option<RecipientReport> {
    let mut report = if let Some(fields) = message.strip_prefix("error,") { refusal(fields)? } else { delivery(message)? };
    report.reporting_mta = from.map(name_of);
    Some(report)
}

/// `id=…,from=<bert@example.net>,addr=<anna@example.com>: 550 User unknown`, or `…,addr=<anna@example.com>,success: delivered: …`.
fn delivery(message: &str) -> Option<RecipientReport> {
    let rest = message.strip_prefix("id=")?;
    let (id, rest) = rest.split_once(',')?;
    let (address, rest) = rest.split_once("addr=<")?.1.split_once('>')?;
    let mut report = RecipientReport { recipient: Some(name_of(address)), queue_id: Some(name_of(id)), ..RecipientReport::default() };
    if let Some(said) = rest.strip_prefix(": ") {
        because(&mut report, said);
        let reply = report.reply.as_ref()?;
        report.action = match reply.code.class() {
            CodeClass::Success => Some(Action::Delivered),
            _ => action_of(reply.code),
        };
        return Some(report);
    }
    let (_, delivered) = rest.split_once("success: delivered")?;
    report.action = Some(Action::Delivered);
    report.remote_host = host(delivered.trim_start_matches([':', ' ']));
    Some(report)
}

/// `relay=::ffff:192.0.2.9,from=<bert@example.net>,to=<anna@example.com>: 550 User unknown.`
fn refusal(fields: &str) -> Option<RecipientReport> {
    let at = fields.rfind(">: ").map(|at| at + 1).or_else(|| fields.find(": "))?;
    let mut report = RecipientReport { recipient: between(fields, "to=<", ">").map(name_of), ..RecipientReport::default() };
    because(&mut report, &fields[at + 2..]);
    report.action = Some(report.reply.as_ref().and_then(|reply| action_of(reply.code)).unwrap_or(Action::Failed));
    Some(report)
}
