//! Text made comparable: one line of it, and phrases found whatever their case.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

/// A diagnostic has at most this many octets.
pub(super) const LINE: usize = 4096;

/// The words of `text` with one blank between them, at most [`LINE`] octets of it.
pub(super) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LINE));
    let is_blank = |c: char| c.is_whitespace() || c == '\0';
    text.split_ascii_whitespace().all(|piece| {
        // Most pieces cannot have a blank of another kind in them.
        if piece.bytes().all(|octet| octet.is_ascii_graphic()) {
            add(piece, &mut line)
        } else {
            piece.split(is_blank).filter(|word| !word.is_empty()).all(|word| add(word, &mut line))
        }
    });
    line
}

/// Adds a word, and says whether there was room for it; of the first one, what has room is added.
fn add(word: &str, line: &mut String) -> bool {
    let has_room = line.len() + word.len() < LINE;
    if line.is_empty() {
        line.push_str(cut(word, LINE));
    } else if has_room {
        line.push(' ');
        line.push_str(word);
    }
    has_room
}

/// At most the first `most` octets of `text`, whole characters of them.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Phrases that are looked for together, whatever the case of ASCII letters; others stand in the list as they are written, in lower
/// case where the text is.
pub(super) struct Phrases {
    list: &'static [&'static str],
    automaton: OnceLock<Option<AhoCorasick>>,
}

impl Phrases {
    pub(super) const fn new(list: &'static [&'static str]) -> Self {
        Self { list, automaton: OnceLock::new() }
    }

    fn automaton(&self) -> Option<&AhoCorasick> {
        // A list of words has no more states than an automaton may have.
        self.automaton.get_or_init(|| AhoCorasick::builder().ascii_case_insensitive(true).build(self.list).ok()).as_ref()
    }

    /// Whether one of them stands in `text`.
    pub(super) fn any(&self, text: &str) -> bool {
        self.automaton().is_some_and(|automaton| automaton.is_match(text))
    }

    /// Each place where one of them stands in `text`: which one, where it begins, and where it ends.
    pub(super) fn all(&self, text: &str) -> impl Iterator<Item = (usize, usize, usize)> {
        let found = self.automaton().map(|automaton| automaton.find_overlapping_iter(text));
        found.into_iter().flatten().map(|found| (found.pattern().as_usize(), found.start(), found.end()))
    }

    /// The places in the order of the list, at most `most` of them.
    pub(super) fn ranked(&self, text: &str, most: usize) -> Vec<(usize, usize, usize)> {
        let mut all: Vec<_> = self.all(text).take(most).collect();
        all.sort_unstable();
        all
    }
}

/// Whether `text` begins with `start`, whatever the case of ASCII letters.
pub(super) fn starts(text: &str, start: &str) -> bool {
    text.as_bytes().get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start.as_bytes()))
}

/// What follows `start` in `text`, whatever the case of ASCII letters; none if `text` begins with something else.
pub(super) fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    if starts(text, start) { text.get(start.len()..) } else { None }
}

/// The name or address of a host at the beginning of `text`, without brackets, port and the final dot; none if there is none.
pub(super) fn host(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([' ', '\t', '[', '<', '(', '"', '\'']);
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'))).unwrap_or(text.len());
    let name = text[..end].trim_end_matches(['.', ':', '-']);
    // A port; an IPv6 address has more than one colon.
    let name = match name.split_once(':') {
        Some((name, port)) if !port.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => name,
    };
    let known = name.contains(['.', ':']) && name.len() < 256 && !name.starts_with(['.', '-', ':']) && !is_class(name);
    (known && name.bytes().any(|b| b.is_ascii_alphanumeric())).then_some(name)
}

/// Whether it is the name of a program's class, whose last part has capitals within: `javax.mail.SendFailedException`.
fn is_class(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_however_it_is_written() {
        for (text, name) in [
            ("mx1.example.com[192.0.2.1] said", Some("mx1.example.com")),
            ("mx1.example.com.:", Some("mx1.example.com")),
            ("[192.0.2.1]", Some("192.0.2.1")),
            ("<192.0.2.1> refused", Some("192.0.2.1")),
            ("mx1.example.com:25: no", Some("mx1.example.com")),
            ("[2001:db8::1]:25", Some("2001:db8::1")),
            ("localhost", None),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(host(text), name, "{text:?}");
        }
    }

    #[test]
    fn phrases_are_found_in_any_case() {
        static PHRASES: Phrases = Phrases::new(&["host: ", "host ", "é"]);
        assert!(PHRASES.any("a HOST b") && PHRASES.any("é") && !PHRASES.any("hosts É"));
        assert_eq!(PHRASES.ranked("host a Host: b", 10), [(0, 7, 13), (1, 0, 5)]);
    }

    #[test]
    fn a_line_is_bounded() {
        assert_eq!(line(" a\n\t b\r\n\0c "), "a b c");
        assert!(line(&"é".repeat(5000)).len() <= LINE);
        assert!(line(&"word ".repeat(5000)).len() <= LINE);
    }
}
