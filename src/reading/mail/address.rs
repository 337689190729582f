//! Addresses in running text (RFC 5321 §4.1.2, RFC 6531 §3.3), as far as a reader takes them for one.

use std::ops::Range;

/// An address, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// The address alone, without brackets.
    pub(super) text: &'a str,
    /// Where it stands, with the brackets or quotes that belong to it.
    pub(super) place: Range<usize>,
}

/// A local part or a domain may have this many octets; the RFCs allow 64 and 255.
const LONGEST: usize = 320;

/// The addresses in `text`, in order.
pub(super) fn all(text: &str) -> impl Iterator<Item = Found<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + memchr::memchr(b'@', text.as_bytes().get(from..)?)?;
            if let Some(found) = around(text, from, at) {
                from = found.place.end;
                return Some(found);
            }
            from = at + 1;
        }
    })
}

/// The same, without the places.
pub(in crate::reading) fn owned(text: &str) -> Vec<String> {
    all(text).map(|found| found.text.to_owned()).collect()
}

/// The address whose `@` stands at `at`; nothing before `from` belongs to it.
fn around(text: &str, from: usize, at: usize) -> Option<Found<'_>> {
    let bytes = text.as_bytes();
    let start = local_part(text, from.max(at.saturating_sub(LONGEST)), at)?;
    let mut end = at + 1;
    if bytes.get(end) == Some(&b'[') {
        end += memchr::memchr(b']', &bytes[end..bytes.len().min(end + LONGEST)])? + 1;
    } else {
        end = domain_end(text, end);
    }
    let text = text.get(start..end).filter(|_| end > at + 1)?;
    let opened = start.checked_sub(1).and_then(|before| bytes.get(before));
    let closed = bytes.get(end);
    let bracketed = matches!((opened, closed), (Some(b'<'), Some(b'>')) | (Some(b'"'), Some(b'"')) | (Some(b'\''), Some(b'\'')));
    Some(Found { text, place: if bracketed { start - 1..end + 1 } else { start..end } })
}

/// Where the name that begins at `start` ends.
fn domain_end(text: &str, start: usize) -> usize {
    let mut end = start;
    let mut label_is_ascii = false;
    for c in text.get(start..).unwrap_or_default().chars() {
        let last_was_dot = end == start || text[..end].ends_with('.');
        let fits = c.is_ascii_alphanumeric()
            || matches!(c, '.' | '-' | '_')
            || (is_letter(c) && (last_was_dot || !(label_is_ascii && needs_no_blank(c))));
        if !fits || end - start > LONGEST {
            break;
        }
        label_is_ascii = if last_was_dot { c.is_ascii() } else { label_is_ascii && c.is_ascii() };
        end += c.len_utf8();
    }
    start + text[start..end].trim_end_matches(['.', '-', '_']).len()
}

/// Whether a character beyond ASCII may stand in an address; marks and blanks may not.
fn is_letter(c: char) -> bool {
    !c.is_ascii() && (c.is_alphanumeric() || is_mark(c))
}

/// Marks that belong to the letter before them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{dff}')
}

/// Whether a letter belongs to a script that puts no blanks between words, so that an address may stand right beside it.
fn needs_no_blank(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{2e80}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..)
}

/// Where the local part before `at` begins; none if there is none.
fn local_part(text: &str, from: usize, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let before = bytes.get(from..at)?;
    if before.last() == Some(&b'"') {
        let open = memchr::memrchr(b'"', &before[..before.len() - 1])?;
        return (open + 2 < before.len()).then_some(from + open);
    }
    let part = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{}~-".contains(c) || is_letter(c);
    let mut start = at;
    for c in text.get(..at)?.chars().rev() {
        let beside = needs_no_blank(c) && text[start..at].starts_with(|c: char| c.is_ascii());
        if !part(c) || beside || start - from < c.len_utf8() {
            break;
        }
        start -= c.len_utf8();
    }
    // Quotes and marks of a list that stand close to it.
    while start < at && matches!(bytes[start], b'\'' | b'*' | b'.' | b'`' | b'{') {
        start += 1;
    }
    (start < at).then_some(start)
}

/// Whether two addresses are the same for those who compare mailboxes by eye.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_text() {
        for (text, addresses) in [
            ("<anna@example.com>: host", &["anna@example.com"][..]),
            ("to anna@example.com.", &["anna@example.com"]),
            ("'anna@example.com' is", &["anna@example.com"]),
            ("rfc822;anna+x@example.com", &["anna+x@example.com"]),
            ("\"a b\"@example.com", &["\"a b\"@example.com"]),
            ("a@[192.0.2.1], b@c.example", &["a@[192.0.2.1]", "b@c.example"]),
            ("ü@example.com a@é.example", &["ü@example.com", "a@é.example"]),
            ("@example.com a@ @ a @b", &[]),
            ("a@b@c", &["a@b"]),
            ("at GATE {anna@example.com}", &["anna@example.com"]),
            ("收件人：anna@example.com。", &["anna@example.com"]),
            ("无法发送到anna@example.com的邮箱", &["anna@example.com"]),
            ("宛先「anna@example.jp」は", &["anna@example.jp"]),
            ("用户@例子.广告 存在", &["用户@例子.广告"]),
            ("«anna@example.com»\u{a0}é@exämple.com…", &["anna@example.com", "é@exämple.com"]),
            ("받는사람:anna@example.com은", &["anna@example.com"]),
            ("", &[]),
        ] {
            let found: Vec<&str> = all(text).map(|found| found.text).collect();
            assert_eq!(found, addresses, "{text}");
        }
        assert_eq!(all("to <anna@example.com>:").next().map(|found| found.place), Some(3..21));
        assert_eq!(all(&"a".repeat(100_000)).count(), 0);
        assert_eq!(all(&"@".repeat(100_000)).count(), 0);
    }
}
