//! What a notice tells a person: whom a message did not reach, and why.
//!
//! No form of a server is known here, but what they have in common: the text ends where the returned message begins; an address that
//! opens a line opens what is said of it; where no line does so, an address in a sentence about delivery is meant; where none is named,
//! the returned message tells whom it was for. The reason stands behind the address, or before all of them, or in a transcript.

use std::cell::LazyCell;

use super::answer::{self, Said};
use super::entries::{MOST, WHY, is_labelled, labelled};
use super::letter::Letter;
use super::words::Phrases;
use super::{address, entries, returned, transcript, words};

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

/// Reads what the letter tells a person; not the fields of a report, which may begin at a place of its own words.
pub(super) fn read(letter: &Letter<'_>, fields: Option<usize>) -> Text {
    let (own, quoted) = (letter.own_words(), letter.quoted());
    let before = fields.and_then(|at| own.get(..at)).filter(|before| before.contains(char::is_alphanumeric));
    let own = before.unwrap_or(own);
    let (list, session) = parted(own);
    let (before, entries) = entries::read(list);
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
            let more = listed_after(own, recipient).filter(|more| !address::same(more, recipient));
            recipients.extend(more.map(|more| Said { recipient: Some(more.to_owned()), ..all.clone() }));
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

/// The addresses in one list with `first`, if the words before it say that there is one: `recipients: bob@example.net, carol@example.net`.
fn listed_after<'a>(text: &'a str, first: &str) -> impl Iterator<Item = &'a str> {
    let place = address::all(text).take(MOST).find(|found| found.text == first).map(|found| found.place);
    let is_list = place.as_ref().is_some_and(|place| {
        let before = text[..place.start].trim_end_matches([' ', ':', '\n', '\t']);
        ["recipients", "addresses"].iter().any(|word| before.ends_with(word))
    });
    let rest = place.filter(|_| is_list).map_or("", |place| &text[place.end..]);
    let mut end = 0;
    let continues = move |found: &address::Found<'_>| {
        let between = &rest[end..found.place.start];
        end = found.place.end;
        between.contains([',', ';']) && between.trim_matches([',', ';', ' ', '\n', '\t']).is_empty()
    };
    address::all(rest).take(MOST).take_while(continues).map(|found| found.text)
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
