//! The fields of a delivery report (RFC 3464 §2.2, §2.3; RFC 6533 §3), in a part of their own or within a text.

use std::borrow::Cow;

use super::answer::{self, Said};
use super::fields::{Field, Item, items};
use super::letter::Letter;
use super::words::Phrases;
use super::{RECIPIENTS, address, words};
use crate::reading::{Action, reply};
use crate::smtp::{CodeClass, Reply};

/// Fields that tell a report within a text.
static FIELDS: Phrases = Phrases::new(&["final-recipient:", "original-recipient:", "diagnostic-code:", "reporting-mta:"]);

/// What the report says of each recipient, and where its fields begin in the letter's own words, if that is where they stand.
pub(super) fn read(letter: &Letter<'_>) -> (Vec<Said>, Option<usize>) {
    let mut all = Vec::new();
    let mut place = None;
    for text in &letter.reports {
        groups(text, &mut all);
    }
    if all.is_empty() {
        let text = letter.own_words();
        if let Some((_, start, _)) = FIELDS.all(text).next() {
            groups(text, &mut all);
            place = Some(start).filter(|_| !all.is_empty());
        }
    }
    for said in &mut all {
        // The part before the `@` alone, where the other field has all of it.
        if let (Some(name), Some(original)) = (&said.recipient, &said.original)
            && words::after(original, name).is_some_and(|rest| rest.starts_with('@'))
        {
            said.recipient = said.original.take();
        }
    }
    let failed: Vec<String> = letter.fields("X-Failed-Recipients").flat_map(|value| address::owned(&value)).collect();
    if let ([said], [failed]) = (all.as_mut_slice(), failed.as_slice())
        && said.recipient.as_ref().is_none_or(|recipient| !recipient.contains('@'))
    {
        // Exim names the file that it could not write to.
        said.recipient = Some(failed.clone());
    }
    (all, place)
}

/// Adds the groups of `text` that are about a recipient.
fn groups(text: &str, all: &mut Vec<Said>) {
    let mut message = Said::default();
    let mut group = Said::default();
    let first = all.len();
    for item in items(text) {
        match item {
            Item::Break => close(&mut group, all),
            Item::Field(field) => {
                // Some put no blank line before a group.
                if field.is("Final-Recipient") && group.recipient.is_some() {
                    close(&mut group, all);
                }
                of_message(&field, &mut message);
                of_recipient(&field, &mut group);
            }
        }
        if all.len() >= RECIPIENTS {
            break;
        }
    }
    close(&mut group, all);
    for said in &mut all[first..] {
        said.reporting_mta.clone_from(&message.reporting_mta);
        said.queue_id.clone_from(&message.queue_id);
    }
}

/// Keeps the group, if there is something in it.
fn close(group: &mut Said, all: &mut Vec<Said>) {
    let said = std::mem::take(group);
    if said.recipient.is_some() || (said.original.is_some() && (said.action.is_some() || said.status.is_some())) {
        all.push(said);
    } else if said.action.is_some() || said.status.is_some() || !said.diagnostic.is_empty() {
        // A blank line too many; what follows belongs to it, or what came before.
        match all.last_mut().filter(|last| last.status.is_none() && last.diagnostic.is_empty()) {
            Some(last) => last.complete_with(&said),
            None => *group = said,
        }
    } else {
        *group = said;
    }
}

fn of_message(field: &Field<'_>, message: &mut Said) {
    if field.is("Reporting-MTA") {
        message.reporting_mta = words::host(field.typed().1).map(str::to_owned);
    } else if field.name.len() > 8 && field.name[field.name.len() - 8..].eq_ignore_ascii_case("queue-id") {
        message.queue_id = Some(words::line(&field.value)).filter(|id| !id.is_empty());
    }
}

fn of_recipient(field: &Field<'_>, group: &mut Said) {
    if field.is("Final-Recipient") {
        group.recipient = recipient(field);
    } else if field.is("Original-Recipient") {
        group.original = recipient(field).filter(|original| original.contains('@'));
    } else if field.is("X-Actual-Recipient") {
        group.recipient = group.recipient.take().or_else(|| recipient(field));
    } else if field.is("Action") {
        group.action = action(&field.value);
    } else if field.is("Status") {
        let end = field.value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(field.value.len());
        group.status = field.value[..end].parse().ok();
        if group.diagnostic.is_empty() {
            group.diagnostic = comment(&field.value[end..]);
        }
    } else if field.is("Remote-MTA") {
        group.remote_host = words::host(field.typed().1).map(str::to_owned);
    } else if field.is("Diagnostic-Code") {
        let text = field.typed().1;
        let said = answer::read(text);
        group.reply = said.reply.or_else(|| success(text).filter(|_| field.typed().0.eq_ignore_ascii_case("smtp")));
        group.enhanced = said.enhanced;
        group.command = said.command;
        group.diagnostic = if is_exit_status(field) { format!("exit status {text}") } else { said.diagnostic };
        if group.remote_host.is_none() {
            group.remote_host = said.remote_host;
        }
    }
}

/// The reply of a host that took the message.
fn success(text: &str) -> Option<Reply> {
    reply::leading_code(text).filter(|code| code.class() == CodeClass::Success)?;
    reply::replies(text, 1).ok()?.into_iter().next()
}

/// The words of a comment, as in `5.2.1 (mailbox disabled)`.
fn comment(text: &str) -> String {
    words::line(text.trim().strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or_default())
}

/// Whether it is the status of a program that Sendmail gave the message to, as in `X-Unix; 127`.
fn is_exit_status(field: &Field<'_>) -> bool {
    let (kind, text) = field.typed();
    kind.eq_ignore_ascii_case("x-unix") && !text.is_empty() && text.len() <= 3 && text.bytes().all(|octet| octet.is_ascii_digit())
}

fn action(value: &str) -> Option<Action> {
    const NAMES: [(&str, Action); 6] = [
        ("fail", Action::Failed),
        ("delay", Action::Delayed),
        ("deliver", Action::Delivered),
        ("relay", Action::Relayed),
        ("expand", Action::Expanded),
        ("expire", Action::Failed),
    ];
    NAMES.iter().find(|(name, _)| words::starts(value.trim(), name)).map(|(_, action)| *action)
}

/// The address in a field; whatever else stands there if it is none.
fn recipient(field: &Field<'_>) -> Option<String> {
    let (kind, value) = field.typed();
    let value = if kind.eq_ignore_ascii_case("utf-8") { unicode(value) } else { Cow::Borrowed(value) };
    let found = address::all(&value).next().map(|found| xtext(found.text, kind).into_owned());
    let rest = words::line(value.trim_matches(['<', '>', ' ']));
    found.or_else(|| Some(rest).filter(|rest| !rest.is_empty()))
}

/// Undoes xtext (RFC 3461 §4): `+2B` is a plus. A plus with anything else behind it, or a field of another type, is left alone.
fn xtext<'a>(text: &'a str, kind: &str) -> Cow<'a, str> {
    let coded = |at: usize| text.get(at + 1..at + 3).filter(|hex| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')));
    // Only what xtext must code is undone, since many write addresses as they are and `+` is common in those.
    let decode = |at: usize| coded(at).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|byte| matches!(byte, b'+' | b'='));
    if !kind.eq_ignore_ascii_case("rfc822") || !text.match_indices('+').any(|(at, _)| decode(at).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = 0;
    for (at, _) in text.match_indices('+') {
        if let Some(byte) = decode(at).filter(|_| at >= rest) {
            plain.push_str(&text[rest..at]);
            plain.push(char::from(byte));
            rest = at + 3;
        }
    }
    plain.push_str(&text[rest..]);
    Cow::Owned(plain)
}

/// Undoes the coding of an address of type utf-8 (RFC 6533 §3): `\x{E9}` is é.
fn unicode(text: &str) -> Cow<'_, str> {
    if !text.contains("\\x{") {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split("\\x{");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let coded = part.split_once('}').and_then(|(hex, rest)| {
            let c = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).filter(|c| !c.is_control())?;
            Some((c, rest))
        });
        if let Some((c, rest)) = coded {
            plain.push(c);
            plain.push_str(rest);
        } else {
            plain.push_str("\\x{");
            plain.push_str(part);
        }
    }
    Cow::Owned(plain)
}
