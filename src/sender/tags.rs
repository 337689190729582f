//! The form that records of DMARC (RFC 9989 §4.8) and DKIM (RFC 6376 §3.2) share: `name=value` between semicolons.

/// Of a text that is wrong, this many characters are kept to be shown.
const SHOWN: usize = 100;

/// What stands between two semicolons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// Where it begins, blanks left out, in octets counted from 0.
    pub(super) at: usize,
    /// The whole of it, without blanks around it.
    pub(super) text: &'a str,
    /// Its name and value, each without blanks around it; none if it has no equals sign.
    pub(super) tag: Option<(&'a str, Value<'a>)>,
}

/// A value with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    /// Where it begins, in octets counted from 0.
    pub(super) at: usize,
    pub(super) text: &'a str,
}

impl<'a> Value<'a> {
    /// The items of a list, each without blanks around it.
    pub(super) fn items(self, separator: char) -> impl Iterator<Item = Value<'a>> {
        places(self.text, separator).map(move |(at, text)| Value { at: self.at + at, text })
    }
}

/// The parts of a record. An empty one is none: a semicolon may stand at the end.
pub(super) fn parts(record: &str) -> impl Iterator<Item = Part<'_>> {
    places(record, ';').filter(|(_, text)| !text.is_empty()).map(|(at, text)| {
        let tag = text.split_once('=').map(|(name, value)| {
            let blanks = value.len() - value.trim_start_matches(is_blank).len();
            (name.trim_end_matches(is_blank), Value { at: at + name.len() + 1 + blanks, text: value.trim_matches(is_blank) })
        });
        Part { at, text, tag }
    })
}

/// What stands between the separators, without blanks around it, and where that begins.
fn places(text: &str, separator: char) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    text.split(separator).map(move |part| {
        let begin = next;
        next += part.len() + separator.len_utf8();
        let bare = part.trim_start_matches(is_blank);
        (begin + part.len() - bare.len(), bare.trim_end_matches(is_blank))
    })
}

/// Whether it may stand around names and values: blanks, and the line ends of folded lines.
pub(super) const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// As much of a text as is worth showing.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_place() {
        let told: Vec<String> = parts("v=DMARC1; p = none ;;x;rua=a, b;")
            .map(|part| match part.tag {
                Some((name, value)) => format!("{} {name} {} {}", part.at, value.at, value.text),
                None => format!("{} {}", part.at, part.text),
            })
            .collect();
        assert_eq!(told, ["0 v 2 DMARC1", "10 p 14 none", "21 x", "23 rua 27 a, b"]);
        let items: Vec<_> = Value { at: 26, text: "a, b,," }.items(',').map(|item| (item.at, item.text)).collect();
        assert_eq!(items, [(26, "a"), (29, "b"), (31, ""), (32, "")]);
        assert_eq!(parts("").count(), 0);
    }
}
