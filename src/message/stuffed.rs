//! A message as it goes out after DATA (RFC 5321 §4.5.2): dots at the start of a line doubled, and a dot alone at the end.

use memchr::memchr_iter;

use super::Message;

/// Octets of the message that go into one piece: a TLS record takes no more (RFC 8446 §5.1).
const PIECE: usize = 16 * 1024;

/// The octets of a [`Message`] between 354 and the reply to it, in pieces of about 16 KiB. All pieces together end with
/// CRLF, dot, CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuffed {
    message: Message,
    at: usize,
    over: bool,
}

impl Stuffed {
    pub(super) const fn new(message: Message) -> Self {
        Self { message, at: 0, over: false }
    }

    /// How many octets of the message, stuffing apart, the pieces given so far hold.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.at
    }
}

impl Iterator for Stuffed {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.over {
            return None;
        }
        let wire = self.message.octets();
        let end = wire.len().min(self.at + PIECE);
        let raw = &wire[self.at..end];
        let mut piece = Vec::with_capacity(raw.len() + 64);
        let mut done = 0;
        for dot in memchr_iter(b'.', raw) {
            let before = (self.at + dot).checked_sub(1).map(|before| wire[before]);
            if before.is_none_or(|before| before == b'\n') {
                piece.extend_from_slice(&raw[done..dot]);
                piece.push(b'.');
                done = dot;
            }
        }
        piece.extend_from_slice(&raw[done..]);
        self.at = end;
        if end == wire.len() {
            piece.extend_from_slice(b".\r\n");
            self.over = true;
        }
        Some(piece)
    }
}
