//! What of a message a signature holds for: the relaxed forms of a field and of the body (RFC 6376 §3.4.2, §3.4.4).

use memchr::memchr_iter;

/// A field as it is signed, without a line end: the name in lower case, the value in one line with single blanks and none at its ends.
pub(super) fn relaxed_field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut field = name.to_ascii_lowercase();
    field.push(b':');
    let unfolded: Vec<u8> = value.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect();
    let start = unfolded.iter().position(|octet| !is_blank(*octet)).unwrap_or(unfolded.len());
    squeeze(&unfolded[start..], &mut field);
    field
}

/// The body as it is signed: single blanks, none at the end of a line, and no empty lines at the end.
pub(super) fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut relaxed = Vec::with_capacity(body.len());
    let mut kept = 0;
    let mut start = 0;
    for end in memchr_iter(b'\n', body) {
        let line = body[start..end].strip_suffix(b"\r").unwrap_or(&body[start..end]);
        let before = relaxed.len();
        squeeze(line, &mut relaxed);
        let is_empty = relaxed.len() == before;
        relaxed.extend_from_slice(b"\r\n");
        if !is_empty {
            kept = relaxed.len();
        }
        start = end + 1;
    }
    relaxed.truncate(kept);
    relaxed
}

/// Adds `text` with each run of blanks as one, but for those at the end.
fn squeeze(text: &[u8], to: &mut Vec<u8>) {
    let mut blank = false;
    for octet in text {
        if is_blank(*octet) {
            blank = true;
            continue;
        }
        if std::mem::take(&mut blank) {
            to.push(b' ');
        }
        to.push(*octet);
    }
}

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard() {
        // RFC 6376 §3.4.5.
        assert_eq!(relaxed_field(b"A", b" X\r\n"), b"a:X");
        assert_eq!(relaxed_field(b"B", b" Y\t\r\n\tZ  \r\n"), b"b:Y Z");
        assert_eq!(relaxed_body(b"x\r\n \t\r\n"), b"x\r\n", "blanks alone are an empty line");
        assert_eq!(relaxed_body(b" C \r\nD \t E\r\n\r\n\r\n"), b" C\r\nD E\r\n");
    }

    #[test]
    fn an_empty_body_is_nothing() {
        for body in [&b""[..], b"\r\n", b"\r\n \t\r\n\r\n"] {
            assert_eq!(relaxed_body(body), b"");
        }
        assert_eq!(relaxed_body(b"\r\nx\r\n"), b"\r\nx\r\n");
    }
}
