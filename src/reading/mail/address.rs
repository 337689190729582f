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
    let start = local_part(bytes, from.max(at.saturating_sub(LONGEST)), at)?;
    let mut end = at + 1;
    if bytes.get(end) == Some(&b'[') {
        end += memchr::memchr(b']', &bytes[end..bytes.len().min(end + LONGEST)])? + 1;
    } else {
        let limit = bytes.len().min(end + LONGEST);
        while end < limit && (bytes[end].is_ascii_alphanumeric() || matches!(bytes[end], b'.' | b'-' | b'_') || bytes[end] >= 0x80) {
            end += 1;
        }
        while end > at + 1 && matches!(bytes[end - 1], b'.' | b'-' | b'_') {
            end -= 1;
        }
    }
    // A stretch of the limit may end inside a character.
    let text = text.get(start..end).filter(|_| end > at + 1)?;
    let opened = start.checked_sub(1).and_then(|before| bytes.get(before));
    let closed = bytes.get(end);
    let bracketed = matches!((opened, closed), (Some(b'<'), Some(b'>')) | (Some(b'"'), Some(b'"')) | (Some(b'\''), Some(b'\'')));
    Some(Found { text, place: if bracketed { start - 1..end + 1 } else { start..end } })
}

/// Where the local part before `at` begins; none if there is none.
fn local_part(bytes: &[u8], from: usize, at: usize) -> Option<usize> {
    let before = bytes.get(from..at)?;
    if before.last() == Some(&b'"') {
        let open = memchr::memrchr(b'"', &before[..before.len() - 1])?;
        return (open + 2 < before.len()).then_some(from + open);
    }
    let part = |b: u8| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{}~-".contains(&b) || b >= 0x80;
    let mut start = at - before.iter().rev().take_while(|b| part(**b)).count();
    // Quotes and marks of a list that stand close to it.
    while start < at && matches!(bytes[start], b'\'' | b'*' | b'.' | b'`') {
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
