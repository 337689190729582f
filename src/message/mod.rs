//! A mail message as it goes over the wire (RFC 5321 §2.3.8, RFC 5322 §2.1): octets in lines that end with CRLF, by construction.
//!
//! A [`Message`] is made from the octets of a file or composed as a [`TestMessage`]; [`dkim`] signs it. How it is sent is two forms
//! of the same octets: [`Message::stuffed`] for DATA (RFC 5321 §4.5.2), and as they are for BDAT (RFC 3030 §2).

mod compose;
pub mod dkim;
mod stuffed;

use std::fmt;
use std::sync::Arc;

use memchr::{memchr, memchr_iter, memchr2, memchr2_iter, memmem};

pub use self::compose::{ComposeError, TestMessage};
pub use self::stuffed::Stuffed;

/// Octets of a message, at most: more than any public server takes, and no more than this machine should hold.
pub const SIZE_LIMIT: usize = 128 * 1024 * 1024;
/// Octets of a line without its CRLF, at most, by the standard (RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6).
pub const LINE_LIMIT: usize = 998;
/// Octets of a header field that are read, at most.
const FIELD_LIMIT: usize = 4096;

/// A message in wire form: at least one line, each ends with CRLF, and neither CR nor LF stands alone.
///
/// It is cheap to clone. Lines of any length and every other octet are kept as they were given.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    wire: Arc<Vec<u8>>,
    header_end: usize,
    longest_line: usize,
    mended: usize,
    mixed: bool,
    eight_bit: bool,
    nul: bool,
}

/// Why octets are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// There are none.
    #[error("the message is empty")]
    Empty,
    /// There are too many.
    #[error("the message has more than {SIZE_LIMIT} octets")]
    TooLong,
}

impl Message {
    /// Takes the octets of a message whose lines end with LF, CR or CRLF, mixed at will; a last line without an end gets one.
    ///
    /// # Errors
    /// If there are no octets, or more than [`SIZE_LIMIT`].
    pub fn new(octets: Vec<u8>) -> Result<Self, MessageError> {
        if octets.is_empty() {
            return Err(MessageError::Empty);
        }
        if octets.len() > SIZE_LIMIT {
            return Err(MessageError::TooLong);
        }
        let mixed = is_mixed(&octets);
        let (wire, mended) = normalised(octets);
        if wire.len() > SIZE_LIMIT {
            return Err(MessageError::TooLong);
        }
        let mut start = 0;
        let mut longest_line = 0;
        for end in memchr_iter(b'\n', &wire) {
            longest_line = longest_line.max((end + 1 - start).saturating_sub(2));
            start = end + 1;
        }
        let header_end = if wire.starts_with(b"\r\n") { 0 } else { memmem::find(&wire, b"\r\n\r\n").map_or(wire.len(), |at| at + 2) };
        Ok(Self {
            header_end,
            longest_line,
            mended,
            mixed,
            eight_bit: !wire.is_ascii(),
            nul: memchr(0, &wire).is_some(),
            wire: Arc::new(wire),
        })
    }

    /// The octets as they go out in chunks, and as they should arrive.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.wire
    }

    /// The octets as they go out after DATA: each dot at the start of a line doubled, and `.` alone on a line at the end.
    #[must_use]
    pub fn stuffed(&self) -> Stuffed {
        Stuffed::new(self.clone())
    }

    /// How many octets it has, as SIZE declares them: without the stuffing (RFC 1870 §6).
    #[must_use]
    pub fn size(&self) -> u64 {
        self.wire.len() as u64
    }

    /// Whether an octet above 127 is in it, so that it needs 8BITMIME (RFC 6152 §3).
    #[must_use]
    pub const fn is_eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// Whether its header has UTF-8 beyond ASCII, so that it needs SMTPUTF8 (RFC 6532 §3, RFC 6531 §3.4). Octets above 127 that
    /// are no UTF-8 are no such header: no extension allows them.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        self.eight_bit && std::str::from_utf8(self.header()).is_ok_and(|header| !header.is_ascii())
    }

    /// Octets of its longest line, without the CRLF.
    #[must_use]
    pub const fn longest_line(&self) -> usize {
        self.longest_line
    }

    /// How many line ends were given as CR or LF alone, or were missing at the very end.
    #[must_use]
    pub const fn mended_line_ends(&self) -> usize {
        self.mended
    }

    /// Whether it was given with line ends that are CR alone, or of more than one kind, as no text should be.
    #[must_use]
    pub const fn had_odd_line_ends(&self) -> bool {
        self.mixed
    }

    /// Whether a NUL is in it, which no message may have (RFC 5322 §4.1) and servers refuse, drop or replace.
    #[must_use]
    pub const fn has_nul(&self) -> bool {
        self.nul
    }

    /// The fields of its header, to the empty line before the body; each ends with CRLF.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.wire[..self.header_end]
    }

    /// What follows the empty line after the header; empty if there is nothing.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.wire.get(self.header_end + 2..).unwrap_or_default()
    }

    /// The value of the first field called `name`, unfolded; at most 4096 octets are read. None if there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        let (_, value) = fields(self.header()).find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))?;
        let text = String::from_utf8_lossy(&value[..value.len().min(FIELD_LIMIT)]);
        Some(text.replace("\r\n", "").replace('\t', " ").trim().to_owned())
    }

    /// Which of the fields that every message has to have are missing (RFC 5322 §3.6): `From`, `Date`.
    #[must_use]
    pub fn missing_fields(&self) -> Vec<&'static str> {
        let is_missing = |name: &&str| !fields(self.header()).any(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        ["From", "Date"].into_iter().filter(is_missing).collect()
    }

    /// The same message with a field on top; `field` is in wire form.
    fn headed(&self, field: &str) -> Result<Self, MessageError> {
        let (mended, mixed) = (self.mended, self.mixed);
        Ok(Self { mended, mixed, ..Self::new([field.as_bytes(), self.octets()].concat())? })
    }
}

impl fmt::Debug for Message {
    /// What it is like, and not what it says: it may be long, and private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("size", &self.size()).field("longest_line", &self.longest_line).finish_non_exhaustive()
    }
}

/// Whether a line ends with CR alone, or lines end with LF and with CRLF.
fn is_mixed(octets: &[u8]) -> bool {
    let (mut lone, mut both) = (false, false);
    for at in memchr2_iter(b'\r', b'\n', octets) {
        match octets[at] {
            b'\r' if octets.get(at + 1) != Some(&b'\n') => return true,
            b'\r' => both = true,
            _ => lone |= at == 0 || octets[at - 1] != b'\r',
        }
    }
    lone && both
}

/// Each line end as CRLF, one at the very end, and how many were not so.
fn normalised(octets: Vec<u8>) -> (Vec<u8>, usize) {
    let Some(first) = first_wrong(&octets) else { return (octets, 0) };
    let mut wire = Vec::with_capacity(octets.len() + octets.len() / 32);
    wire.extend_from_slice(&octets[..first]);
    let mut rest = &octets[first..];
    let mut mended = 0;
    while let Some(at) = memchr2(b'\r', b'\n', rest) {
        let right = rest[at..].starts_with(b"\r\n");
        mended += usize::from(!right);
        wire.extend_from_slice(&rest[..at]);
        wire.extend_from_slice(b"\r\n");
        rest = &rest[at + if right { 2 } else { 1 }..];
    }
    wire.extend_from_slice(rest);
    if !wire.ends_with(b"\r\n") {
        mended += 1;
        wire.extend_from_slice(b"\r\n");
    }
    (wire, mended)
}

/// Where the first line begins whose end is no CRLF; none if there is none, and the last one has its end.
fn first_wrong(octets: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(at) = memchr2(b'\r', b'\n', &octets[start..]) {
        if !octets[start + at..].starts_with(b"\r\n") {
            return Some(start);
        }
        start += at + 2;
    }
    (start < octets.len()).then_some(start)
}

/// Each field of a header with its name and what follows the colon, folds and all. Lines that are no field are passed over.
fn fields(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = header;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let ends = memchr_iter(b'\n', rest).map(|at| at + 1);
            let end = ends.into_iter().find(|end| !matches!(rest.get(*end), Some(b' ' | b'\t'))).unwrap_or(rest.len());
            let (field, after) = rest.split_at(end);
            rest = after;
            if let Some(colon) = memchr(b':', field) {
                let name = field[..colon].trim_ascii_end();
                if !name.is_empty() && name.iter().all(u8::is_ascii_graphic) {
                    return Some((name, &field[colon + 1..]));
                }
            }
        }
        None
    })
}

#[cfg(test)]
mod tests;
