//! Text in UTF-16, read as UTF-8.

use std::io::{self, BufRead, Read};

/// A reader of UTF-16 that gives UTF-8, without the mark of the order of bytes; what is no character becomes U+FFFD.
pub(crate) struct Utf16<R> {
    reader: R,
    to_unit: fn([u8; 2]) -> u16,
    /// What was decoded and not yet asked for.
    ready: Vec<u8>,
    given: usize,
    /// The first half of a character that the next unit completes.
    half: Option<u16>,
}

impl Utf16<()> {
    /// The low byte comes first.
    pub(crate) const LITTLE: fn([u8; 2]) -> u16 = u16::from_le_bytes;
    /// The high byte comes first.
    pub(crate) const BIG: fn([u8; 2]) -> u16 = u16::from_be_bytes;
}

impl<R: BufRead> Utf16<R> {
    pub(crate) fn new(reader: R, to_unit: fn([u8; 2]) -> u16) -> Self {
        Self { reader, to_unit, ready: Vec::new(), given: 0, half: None }
    }

    /// Decodes what lies ready below, at least one unit of it; nothing is added at the end.
    fn decode(&mut self) -> io::Result<()> {
        let mut units: Vec<u16> = self.half.take().into_iter().collect();
        let known = units.len();
        let available = self.reader.fill_buf()?;
        let whole = available.len() - available.len() % 2;
        units.extend(available[..whole].chunks_exact(2).map(|pair| (self.to_unit)([pair[0], pair[1]])));
        self.reader.consume(whole);
        if whole == 0 {
            // One byte alone: the other may still come.
            let mut pair = [0; 2];
            let mut length = 0;
            while length < 2 {
                match self.reader.read(&mut pair[length..])? {
                    0 => break,
                    more => length += more,
                }
            }
            match length {
                0 => {}
                1 => units.push(0xFFFD),
                _ => units.push((self.to_unit)(pair)),
            }
        }
        let is_end = units.len() == known;
        if !is_end && let Some(last) = units.last().copied().filter(|unit| (0xD800..0xDC00).contains(unit)) {
            units.pop();
            self.half = Some(last);
        }
        let mut room = [0; 4];
        for c in char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).filter(|c| *c != '\u{feff}') {
            self.ready.extend_from_slice(c.encode_utf8(&mut room).as_bytes());
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
            let is_end = self.half.is_none() && self.reader.fill_buf()?.is_empty();
            if is_end || to.is_empty() {
                return Ok(0);
            }
            self.decode()?;
        }
        let length = to.len().min(self.ready.len() - self.given);
        to[..length].copy_from_slice(&self.ready[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn both_orders_are_read_however_they_are_cut() {
        let text = "550 5.1.1 Empf\u{e4}nger \u{1f4ec} unbekannt\r\n";
        let read = |bytes: &[u8], order, room: usize| {
            let mut found = String::new();
            Utf16::new(BufReader::with_capacity(room, bytes), order).read_to_string(&mut found).map(|_| found)
        };
        let units: Vec<u16> = std::iter::once(0xFEFF).chain(text.encode_utf16()).collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for room in [1, 2, 3, 7, 1000] {
            assert_eq!(read(&little, Utf16::LITTLE, room).unwrap(), text, "{room}");
            assert_eq!(read(&big, Utf16::BIG, room).unwrap(), text, "{room}");
        }
        // Half a character, and half a unit.
        assert_eq!(read(&[0xFF, 0xFE, 0x35, 0, 0x3D, 0xD8], Utf16::LITTLE, 4).unwrap(), "5\u{fffd}");
        assert_eq!(read(&[0xFF, 0xFE, 0x35, 0, 0x35], Utf16::LITTLE, 4).unwrap(), "5\u{fffd}");
    }
}
