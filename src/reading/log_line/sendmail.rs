//! Lines of Sendmail: deliveries with `stat=`, and what a rule set or a milter rejects. (Sendmail's operation guide, section 2.1.)

use super::words::{action_of, because, between, host, name_of, one_line};
use crate::reading::{Action, RecipientReport};
use crate::smtp::Verb;

pub(super) fn read(message: &str, from: Option<&str>) -> Option<RecipientReport> {
    let (queue_id, rest) =
        message.split_once(": ").filter(|(id, _)| !id.contains(['=', ' '])).map_or((None, message), |(id, rest)| (Some(id), rest));
    let mut report = if let Some((fields, stat)) = rest.split_once(", stat=") { delivery(fields, stat)? } else { rejection(rest)? };
    report.queue_id = queue_id.filter(|id| *id != "NOQUEUE").map(name_of);
    report.reporting_mta = from.map(name_of);
    Some(report)
}

/// `to=<anna@example.com>, delay=00:00:01, mailer=esmtp, relay=mx.example.com. [192.0.2.1], dsn=5.1.1, stat=User unknown`.
fn delivery(fields: &str, stat: &str) -> Option<RecipientReport> {
    let mut report = RecipientReport::default();
    for field in fields.split(", ") {
        match field.split_once('=') {
            Some(("to", to)) => report.recipient = first_address(to),
            Some(("relay", relay)) => report.remote_host = host(relay),
            Some(("dsn", code)) => report.status = code.parse().ok(),
            _ => {}
        }
    }
    let words = stat.trim();
    // Since 8.16 the reply stands by itself, which may hold commas.
    let reply = fields.split_once(", reply=").map(|(_, reply)| reply);
    let (action, text) = match words.split_once([' ', ':']).map_or(words, |(first, _)| first) {
        "Sent" => (Action::Delivered, words["Sent".len()..].trim().trim_start_matches('(').trim_end_matches(')')),
        "Deferred" => (Action::Delayed, words["Deferred".len()..].trim_start_matches([':', ' '])),
        "queued" => return None,
        _ => (report.status.filter(|status| status.class == 4).map_or(Action::Failed, |_| Action::Delayed), words),
    };
    report.action = Some(action);
    because(&mut report, text);
    if let (None, Some(reply)) = (&report.reply, reply) {
        because(&mut report, reply);
        if report.reply.is_none() {
            report.diagnostic = one_line(text);
        }
    }
    Some(report)
}

/// `<anna@example.com>,<bert@example.com>`, also without brackets.
fn first_address(to: &str) -> Option<String> {
    let address = match to.strip_prefix('<') {
        Some(rest) => rest.split('>').next()?,
        None => to.split(',').next()?,
    };
    (!address.is_empty()).then(|| name_of(address))
}

/// `ruleset=check_rcpt, arg1=<anna@example.com>, relay=…, reject=553 5.3.0 …`, `Milter: to=<anna@example.com>, reject=550 …`.
fn rejection(text: &str) -> Option<RecipientReport> {
    // `<anna@example.com>... User unknown`
    if let Some((recipient, words)) = text.strip_prefix('<').and_then(|text| text.split_once(">... ")) {
        let mut report = RecipientReport { recipient: Some(name_of(recipient)), command: Some(Verb::Rcpt), ..RecipientReport::default() };
        because(&mut report, words);
        report.action = Some(Action::Failed);
        return Some(report);
    }
    let (about, said) = text.split_once(", reject=")?;
    let mut report = RecipientReport::default();
    because(&mut report, said);
    report.action = report.reply.as_ref().and_then(|reply| action_of(reply.code)).or(Some(Action::Failed));
    let argument = between(about, "arg1=<", ">").map(name_of);
    if let Some(milter) = about.strip_prefix("Milter: ") {
        report.recipient = between(milter, "to=<", ">").map(name_of);
        report.command = match milter.split(['=', ',', ' ']).next() {
            Some("to") => Some(Verb::Rcpt),
            Some("from") => Some(Verb::Mail),
            Some("connect") => Some(Verb::Connect),
            Some("helo") => Some(Verb::Ehlo),
            Some("data" | "header" | "eoh" | "body" | "eom") => Some(Verb::DataEnd),
            _ => None,
        };
    } else {
        report.command = match between(about, "ruleset=", ",") {
            Some("check_rcpt") => Some(Verb::Rcpt),
            Some("check_mail") => Some(Verb::Mail),
            Some("check_relay") => Some(Verb::Connect),
            Some("check_data") => Some(Verb::Data),
            Some("check_eom") => Some(Verb::DataEnd),
            _ => None,
        };
        report.recipient = argument.filter(|_| report.command == Some(Verb::Rcpt));
    }
    Some(report)
}
