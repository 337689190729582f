//! The boundary of a mail that does not say which one it has, or names another than stands in it (RFC 2046 §5.1.1).

use mail_parser::{HeaderName, Message, MimeHeaders, PartType};

use super::words;

/// It stands among so many octets of the body, if there is one.
const NEAR: usize = 16 * 1024;
/// A boundary is no longer than this (RFC 2046 §5.1.1).
const LONGEST: usize = 70;

/// The mail with the boundary that stands in it, where it should have parts and none were found.
pub(super) fn supplied(message: &Message<'_>) -> Option<Vec<u8>> {
    let whole = message.parts.first()?;
    let has_parts = matches!(&whole.body, PartType::Multipart(parts) if !parts.is_empty());
    if has_parts || !message.content_type()?.ctype().eq_ignore_ascii_case("multipart") {
        return None;
    }
    let raw = message.raw_message.as_ref();
    let boundary = first(raw.get(whole.raw_body_offset() as usize..)?)?;
    let header = message.headers().iter().find(|header| header.name == HeaderName::ContentType)?;
    let (start, end) = (header.offset_start() as usize, header.offset_end() as usize);
    let value = raw.get(start..end)?;
    // Of two boundaries the first one holds.
    let kind = start + value.iter().position(|b| *b == b';').unwrap_or(value.trim_ascii_end().len());
    Some([raw.get(..kind)?, b"; boundary=\"", boundary.as_bytes(), b"\"", raw.get(kind..)?].concat())
}

/// The boundary before the first part: the head of a part, or the blank line in place of one, stands behind it.
fn first(body: &[u8]) -> Option<&str> {
    let body = &body[..body.len().min(NEAR)];
    let mut lines = body.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end).peekable();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix(b"--").filter(|name| !name.is_empty() && name.len() <= LONGEST) else { continue };
        let is_name = name.iter().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(b)) && name.iter().any(u8::is_ascii_alphanumeric);
        let next = lines.peek().copied().unwrap_or_default();
        let is_head = next.is_empty() || std::str::from_utf8(next).is_ok_and(|next| words::starts(next, "content-"));
        if is_name && is_head {
            return std::str::from_utf8(name).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    #[test]
    fn a_boundary_is_supplied_where_none_is_named_or_another_one() {
        let body = "\n\nnote\n--b=1\nContent-Type: text/plain\n\nanna\n--b=1--\n";
        for (kind, supplied_kind) in [
            ("multipart/report; report-type=x", Some("multipart/report; boundary=\"b=1\"; report-type=x")),
            ("multipart/mixed", Some("multipart/mixed; boundary=\"b=1\"")),
            ("multipart/mixed; boundary=other", Some("multipart/mixed; boundary=\"b=1\"; boundary=other")),
            ("multipart/mixed; boundary=\"b=1\"", None),
            ("text/plain", None),
        ] {
            let mail = format!("Subject: a\nContent-Type: {kind}{body}");
            let message = MessageParser::new().parse(mail.as_bytes()).unwrap();
            let expected = supplied_kind.map(|kind| format!("Subject: a\nContent-Type: {kind}{body}"));
            assert_eq!(supplied(&message).map(|mail| String::from_utf8(mail).unwrap()), expected, "{kind}");
            if let Some(mail) = expected {
                let message = MessageParser::new().parse(mail.as_bytes()).unwrap();
                assert_eq!(supplied(&message), None, "{kind}");
            }
        }
        assert_eq!(first(b"-- \nregards\n--\n----\nno--b\n--b c\n\n"), None);
    }
}
