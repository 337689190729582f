//! What a notice tells a person: whom a message did not reach, and why.
//!
//! No form of a server is known here, but what they have in common: the text ends where the returned message begins; an address that
//! opens a line opens what is said of it; where no line does so, an address in a sentence about delivery is meant; where none is named,
//! the returned message tells whom it was for. The reason stands behind the address, or before all of them, or in a transcript.

use std::cell::LazyCell;

use super::answer::{self, Said};
use super::letter::Letter;
use super::words::Phrases;
use super::{address, returned, transcript, words};

/// At most this many addresses are taken from a text.
const MOST: usize = 1000;

/// What a text tells.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// What it says of each recipient that it names.
    pub(super) recipients: Vec<Said>,
    /// The same of whom it seems to mean, where it names none.
    pub(super) guessed: Vec<Said>,
    /// What it says altogether.
    pub(super) all: Said,
}

/// An address that opens a line, and what follows it up to the next one.
struct Entry<'a> {
    address: &'a str,
    original: Option<&'a str>,
    text: String,
}

/// Reads what the letter tells a person.
pub(super) fn read(letter: &Letter<'_>) -> Text {
    let (own, quoted) = (letter.own_words(), letter.quoted());
    let (list, session) = parted(own);
    let (before, entries) = entries(list);
    let told = transcript::read(if session.is_empty() { own } else { session });
    let reporter = reporting_mta(own);
    // These are read only where they are wanted.
    let all = LazyCell::new(|| {
        let session = if session.is_empty() { told.clone() } else { transcript::read(own) };
        Said { reporting_mta: reporter.clone(), ..answer::read_with(own, session) }
    });
    let first = LazyCell::new(|| answer::read(before));
    let mut recipients: Vec<Said> = Vec::new();
    let single = entries.len() == 1;
    for entry in entries {
        let mut said = answer::read(&entry.text);
        said.recipient = Some(entry.address.to_owned());
        said.original = entry.original.map(str::to_owned);
        if let Some(told) = told.as_ref().and_then(|told| told.recipients.iter().find(|other| other.is_about(&said))) {
            said.complete_with(told);
        }
        // What is said before a list, or at its end, is said of all of it.
        if said.reply.is_none() && first.reply.is_some() {
            said.complete_with(&first);
        }
        let wanting = said.reply.is_none() || said.command.is_none() || said.remote_host.is_none();
        if said.reply.is_none() && said.diagnostic.is_empty() || single && wanting {
            said.complete_with(&all);
        }
        if said.remote_host.is_none() {
            said.remote_host = told.as_ref().and_then(|told| told.sole_host.clone());
        }
        said.reporting_mta.clone_from(&reporter);
        if !said.tells_a_code() && !said.diagnostic.is_empty() && !WHY.any(words::cut(&said.diagnostic, 60)) {
            // What follows the address is something else; the reason may stand before it.
            said.diagnostic = words::line(&format!("{before} {}", said.diagnostic));
        }
        if said.diagnostic.is_empty() {
            said.diagnostic = words::line(before);
        }
        recipients.push(said);
    }
    for told in told.iter().flat_map(|told| &told.recipients) {
        if !recipients.iter().any(|said| said.is_about(told)) {
            recipients.push(told.clone());
        }
    }
    let to = LazyCell::new(|| returned::recipient(&letter.returned).or_else(|| returned::recipient(quoted)));
    let failed = failed_recipients(letter);
    let about = |recipient: String| {
        // The message was for another address, which led to this one.
        let original = to.clone().filter(|to| !address::same(to, &recipient));
        Said { recipient: Some(recipient), original, ..all.clone() }
    };
    if !failed.is_empty() && !recipients.iter().any(|said| failed.iter().any(|failed| same(said, failed))) {
        recipients = match failed.as_slice() {
            [failed] => vec![about(failed.clone())],
            _ => failed.into_iter().map(|failed| Said { recipient: Some(failed), ..all.clone() }).collect(),
        };
    }
    let mut guessed = Vec::new();
    if recipients.is_empty() {
        let in_sentence = in_sentence(own, letter);
        if let Some((Mention::Meant | Mention::Labelled, recipient)) = in_sentence {
            let original = labelled(own, "original address:").map(str::to_owned);
            recipients.push(Said { recipient: Some(recipient.to_owned()), original, ..all.clone() });
        } else if let Some(recipient) = to.clone().or_else(|| in_sentence.map(|(_, recipient)| recipient.to_owned())) {
            guessed.push(Said { recipient: Some(recipient), ..all.clone() });
        }
    }
    let all = if recipients.len() == 1 { Said::default() } else { LazyCell::force(&all).clone() };
    Text { recipients, guessed, all }
}

fn same(said: &Said, other: &str) -> bool {
    said.recipient.as_deref().is_some_and(|recipient| address::same(recipient, other))
}

/// The addresses that a server put into the head of its notice.
fn failed_recipients(letter: &Letter<'_>) -> Vec<String> {
    let values = ["X-Failed-Recipients", "X-Bounced-Address"].iter().flat_map(|name| letter.fields(name));
    values.flat_map(|value| address::owned(&value)).take(MOST).collect()
}

/// The text before a transcript that has a heading of its own, and the transcript.
fn parted(text: &str) -> (&str, &str) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches(|c: char| !c.is_alphanumeric());
        if words::starts(bare, "transcript of session") {
            return text.split_at(at);
        }
        at += line.len();
    }
    (text, "")
}

/// What stands before the first address that opens a line, and what is said of each.
fn entries(text: &str) -> (&str, Vec<Entry<'_>>) {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut before = text;
    let mut current: Option<usize> = None;
    let mut indent = usize::MAX;
    let mut at = 0;
    let mut last = "";
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        // A line that stands deeper than the first one was folded.
        let depth = line.len() - line.trim_start().len();
        let is_sender = announces_sender(last);
        if !line.trim_ascii().is_empty() {
            last = line;
        }
        if let Some(opened) = opened(line).filter(|_| entries.len() < MOST && depth <= indent && !is_sender) {
            indent = indent.min(depth.saturating_add(1));
            if entries.is_empty() {
                before = &text[..start];
            }
            for (address, rest) in opened {
                // The same address again continues what was said of it.
                let known = entries.iter().rposition(|entry| address::same(entry.address, address));
                let index = known.unwrap_or_else(|| {
                    entries.push(Entry { address, original: None, text: String::new() });
                    entries.len() - 1
                });
                entries[index].text.push_str(rest);
                current = Some(index);
            }
        } else if let Some(entry) = current.and_then(|index| entries.get_mut(index)) {
            if entry.original.is_none() && entry.text.len() < 200 {
                entry.original = expanded_from(line);
            }
            entry.text.push_str(line);
        }
    }
    if entries.is_empty() {
        (before, entries) = labelled_entries(text);
    }
    // A list of addresses with one reason behind it.
    let mut reason = String::new();
    for entry in entries.iter_mut().rev() {
        if entry.text.trim().is_empty() {
            entry.text.clone_from(&reason);
        } else if reason.is_empty() {
            reason.clone_from(&entry.text);
        }
    }
    (before, entries)
}

/// The same where each address stands alone behind a label, of which there is more than one: `Recipient address: bob@example.net`.
fn labelled_entries(text: &str) -> (&str, Vec<Entry<'_>>) {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut before = text;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let found = line.contains('@').then(|| address::all(line).next()).flatten().filter(|found| {
            let rest = line[found.place.end..].trim_matches(['>', ']', '"', ' ', '\t', '\r', '\n']);
            entries.len() < MOST && rest.is_empty() && is_labelled(&line[..found.place.start])
        });
        match (found, entries.last_mut()) {
            (Some(found), last) if last.as_ref().is_none_or(|last| !address::same(last.address, found.text)) => {
                if last.is_none() {
                    before = &text[..start];
                }
                entries.push(Entry { address: found.text, original: None, text: String::new() });
            }
            (_, Some(entry)) => {
                entry.original = entry.original.or_else(|| labelled(line, "original address:"));
                entry.text.push_str(line);
            }
            (_, None) => {}
        }
    }
    if entries.len() > 1 { (before, entries) } else { (text, Vec::new()) }
}

/// Whether the address in the next line is the sender's: `A message sent by`.
fn announces_sender(line: &str) -> bool {
    let end = line.trim_end().trim_end_matches(':');
    let end = &end.as_bytes()[end.len().saturating_sub(8)..];
    end.eq_ignore_ascii_case(b" sent by") || end.ends_with(b"sender")
}

/// The addresses that open a line, each with what follows it; none if none does.
fn opened(line: &str) -> Option<Vec<(&str, &str)>> {
    let bare = line.trim_start().trim_start_matches(['*', '-', '\u{2022}', '>', ' ', '\t']);
    let found = address::all(bare).next()?;
    if let Some(at) = bare.find("<mailto:").filter(|at| found.place.end >= *at) {
        // A name, with its address as a link.
        let linked = address::all(&bare[at..]).next()?.text;
        return (at < 80).then(|| vec![(linked, "\n")]);
    }
    let rest = &bare[found.place.end..];
    if found.place.start != 0 {
        // Exchange: `Bob (bob@example.net) on 23.11.2026 09:00`.
        let (name, after) = (&bare[..found.place.start], rest.trim_start_matches([')', '>', ' ']));
        let named = name.len() < 80 && !name.contains(':') && (name.ends_with('(') || found.place.len() > found.text.len());
        return (named && (after.starts_with("on ") || is_dated(after))).then(|| vec![(found.text, rest)]);
    }
    let bracketed = found.place.len() > found.text.len();
    let next = rest.trim_start();
    if next.is_empty() || rest.starts_with(':') || next.starts_with(['(', '[', '<', ';']) || next.starts_with("...") {
        return Some(vec![(found.text, rest)]);
    }
    if rest.starts_with([' ', '\t']) && (bracketed || next.starts_with("- ") || tells_why(next) || is_dated(next)) {
        return Some(vec![(found.text, rest)]);
    }
    if next.starts_with(',') && address::all(next).all(|found| found.place.start < 400) {
        let mut list = vec![(found.text, "")];
        list.extend(address::all(rest).map(|found| (found.text, "")));
        let words = next.split([',', ' ', '\n']).filter(|word| !word.is_empty());
        if words.clone().all(|word| word.contains('@')) {
            return Some(list);
        }
        return (list.len() == 1 && (tells_why(next) || answer::refuses(next))).then(|| vec![(found.text, rest)]);
    }
    None
}

/// Whether a day stands among the first words: `am 23.11.2026 09:00`.
fn is_dated(text: &str) -> bool {
    let is_day = |word: &str| {
        let mut marks = word.bytes().filter(|b| !b.is_ascii_digit());
        let (one, other) = (marks.next(), marks.next());
        matches!(one, Some(b'.' | b'/' | b'-')) && one == other && marks.next().is_none() && (6..=10).contains(&word.len())
    };
    text.split_ascii_whitespace().take(3).any(is_day)
}

/// Words behind an address that tell what became of it.
static WHY: Phrases = Phrases::new(&[
    "said", "unknown", "invalid", "not ", "no such", "reject", "refus", "fail", "error", "full", "quota", "exceed", "disabled", "delay",
    "deliver", "on ", "reason", "illegal",
]);

/// Whether the words behind an address tell what became of it.
fn tells_why(words: &str) -> bool {
    WHY.any(words::cut(words, 200))
}

/// The address that stood there before an alias was followed: `(expanded from <anna@example.com>)`.
fn expanded_from(line: &str) -> Option<&str> {
    let at = line.find("expanded from").or_else(|| line.find("generated from"))?;
    address::all(&line[at..]).next().map(|found| found.text)
}

/// How surely an address in a sentence is the recipient's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mention {
    /// It is the address that the notice itself came from or went to.
    Own,
    /// Nothing tells.
    There,
    /// The word before it says so.
    Meant,
    /// It stands alone behind the name of such a field.
    Labelled,
}

/// The address behind a label that begins a line.
fn labelled<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| address::all(words::after(line.trim_start(), label)?).next().map(|found| found.text))
}

/// Whether an address stands behind such a label as `Recipient address:` alone in its line.
fn is_labelled(line: &str) -> bool {
    const LABELS: [&str; 12] = [
        "recipient",
        "failed recipient",
        "final recipient",
        "empfänger",
        "destinataire",
        "destinatario",
        "destinatário",
        "получатель",
        "收件人",
        "宛先",
        "받는사람",
        "ontvanger",
    ];
    let Some((label, rest)) = line.split_once([':', '：']).filter(|_| line.len() < 100) else { return false };
    let label = label.trim().to_lowercase();
    LABELS.iter().any(|known| label.starts_with(known)) && rest.trim_matches([' ', '\t', '<', '[', '"']).is_empty()
}

/// What stands before what looks like an address and is none.
static MESSAGE_ID: Phrases = Phrases::new(&["message-id"]);

/// The address in a sentence about delivery.
fn in_sentence<'a>(text: &'a str, letter: &Letter<'_>) -> Option<(Mention, &'a str)> {
    const ABOUT: [&str; 24] = [
        "to",
        "recipient",
        "recipients",
        "address",
        "addresses",
        "user",
        "userid",
        "mailbox",
        "account",
        "for",
        "attempts",
        "errors",
        "domain",
        "rcpt",
        "following",
        "an",
        "dest",
        "destinataire",
        "destinatario",
        "empfänger",
        "получатель",
        "адрес",
        "member",
        "mail",
    ];
    const NOT_ABOUT: [&str; 12] =
        ["from", "contact", "sender", "by", "reply-to", "envelope-from", "help", "visit", "support", "postmaster", "ask", "email"];
    let own = |address: &str| {
        letter.from.as_deref().is_some_and(|from| address::same(from, address)) || letter.to.iter().any(|to| address::same(to, address))
    };
    let mut best: Option<(Mention, &str)> = None;
    for found in address::all(text).take(MOST) {
        let before = text[..found.place.start].trim_end_matches(|c: char| !c.is_alphanumeric());
        let word = before.rsplit(|c: char| !c.is_alphanumeric() && c != '-').next().unwrap_or_default().to_lowercase();
        let line = text[..found.place.start].rsplit('\n').next().unwrap_or_default();
        let tried = before.ends_with("tried to contact") || before.ends_with("tried to reach") || before.ends_with("tried to email");
        let of_message = MESSAGE_ID.any(words::cut(line, 200));
        if (NOT_ABOUT.contains(&word.as_str()) && !tried) || of_message || words::starts(line.trim_start(), "from") {
            continue;
        }
        let rank = match (own(found.text), tried || ABOUT.contains(&word.as_str())) {
            (false, _) if is_labelled(line) => Mention::Labelled,
            (false, true) => Mention::Meant,
            (false, false) => Mention::There,
            (true, true) => Mention::Own,
            (true, false) => continue,
        };
        if best.is_none_or(|(known, _)| rank > known) {
            best = Some((rank, found.text));
        }
    }
    best
}

/// What stands before the name of the host that writes.
static REPORTER: Phrases = Phrases::new(&[
    "mail system at host",
    "program at host",
    "send program at",
    "mail agent v",
    "generating server:",
    "amavisd-new at host",
    "mail server on",
    "james mail server at",
    "haraka mail program at",
    "indimail mta at",
    "generando servidor:",
    "servidor de generación:",
    "generierender server:",
    "serveur de génération :",
    "server di generazione:",
    "genererande server:",
    "生成サーバー:",
    "mail system at",
    "relay on",
]);
/// The one of them that stands before a version.
const VERSION_FIRST: usize = 3;

/// The host that writes, where it says so.
fn reporting_mta(text: &str) -> Option<String> {
    let text = words::cut(text, 4096);
    REPORTER.ranked(text, 64).into_iter().find_map(|(sign, _, end)| {
        let rest = &text[end..];
        let rest = if sign == VERSION_FIRST { words::cut(rest, 40).split_once(" at ")?.1 } else { rest.trim_start() };
        words::host(rest).map(str::to_owned)
    })
}
