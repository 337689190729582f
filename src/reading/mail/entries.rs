//! The addresses that a text lists, each with what it says of that one.

use super::words::{self, Phrases};
use super::{address, answer};

/// At most this many addresses are taken from a text.
pub(super) const MOST: usize = 1000;

/// An address that opens a line, and what follows it up to the next one.
pub(super) struct Entry<'a> {
    pub(super) address: &'a str,
    /// The address that led to it, if the text names one.
    pub(super) original: Option<&'a str>,
    pub(super) text: String,
}

/// What stands before the first address that opens a line, and what is said of each.
pub(super) fn read(text: &str) -> (&str, Vec<Entry<'_>>) {
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
        let goes_on = depth == 0 && text[at..].starts_with([' ', '\t']);
        if let Some(opened) = opened(line, goes_on).filter(|_| entries.len() < MOST && depth <= indent && !is_sender) {
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
            let (label, rest) = (&line[..found.place.start], &line[found.place.end..]);
            let alone = rest.trim_matches(['>', ']', '"', ' ', '\t', '\r', '\n']).is_empty() && is_labelled(label);
            entries.len() < MOST && (alone || is_among_fields(label) && answer::has_number(rest))
        });
        match (found, entries.last_mut()) {
            (Some(found), last) if last.as_ref().is_none_or(|last| !address::same(last.address, found.text)) => {
                if last.is_none() {
                    before = &text[..start];
                }
                entries.push(Entry { address: found.text, original: None, text: line[found.place.end..].to_owned() });
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

/// The addresses that open a line, each with what follows it; none if none does. Where a deeper line follows, `goes_on`.
fn opened(line: &str, goes_on: bool) -> Option<Vec<(&str, &str)>> {
    let bare = without_number(line.trim_start()).trim_start_matches(['*', '-', '\u{2022}', '>', ' ', '\t']);
    let found = address::all(bare).next()?;
    if let Some(at) = bare.find("<mailto:").filter(|at| found.place.end >= *at) {
        // A name, with its address as a link.
        let linked = address::all(&bare[at..]).next()?.text;
        return (at < 80).then(|| vec![(linked, "\n")]);
    }
    let rest = &bare[found.place.end..];
    if found.place.start != 0 {
        // Exchange: `Bob (bob@example.net) on 23.11.2026 09:00`; others put what is said below.
        let (name, after) = (&bare[..found.place.start], rest.trim_start_matches([')', '>', ' ']));
        let is_name = name.len() < 80 && !name.contains(':') && name.split_ascii_whitespace().all(may_be_name);
        let is_bracketed = name.ends_with('(') || found.place.len() > found.text.len();
        let heads = goes_on && after.trim_matches([':', '\r', '\n']).is_empty();
        let tells = heads || after.starts_with("on ") || is_dated(after);
        return (is_name && is_bracketed && tells).then(|| vec![(found.text, rest)]);
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

/// A line without the number that it has in a list: `2. `, `3) `.
fn without_number(line: &str) -> &str {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = line.len() - rest.len() <= 4 && rest.len() < line.len();
    rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") ")).filter(|_| numbered).unwrap_or(line)
}

/// Whether a word may be part of a person's name, and is none of a sentence.
fn may_be_name(word: &str) -> bool {
    !word.trim_start_matches(['"', '\'', '(']).starts_with(char::is_lowercase)
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
pub(super) static WHY: Phrases = Phrases::new(&[
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

/// The address behind a label that begins a line.
pub(super) fn labelled<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| address::all(words::after(line.trim_start(), label)?).next().map(|found| found.text))
}

/// Whether the label before an address follows other fields in its line: `[Status: Error, Address: <`.
fn is_among_fields(label: &str) -> bool {
    let name = label.trim_end_matches(['<', ' ']).strip_suffix(':').and_then(|label| label.rsplit_once([',', ';']));
    name.is_some_and(|(before, name)| {
        before.contains(':') && ["address", "recipient"].iter().any(|known| name.trim().eq_ignore_ascii_case(known))
    })
}

/// Whether an address stands behind such a label as `Recipient address:` alone in its line.
pub(super) fn is_labelled(line: &str) -> bool {
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
