//! Lines of at most so many octets, with their numbers.

use std::collections::VecDeque;
use std::io::{BufRead, Read as _};

use super::{InputError, LONGEST, Wrong};

/// Of a line that is too long so many octets are shown.
const BEGINNING: usize = 200;

/// One line, without what ends it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Whole(Vec<u8>),
    /// The beginning of a line that is too long.
    Cut(Vec<u8>),
}

impl Line {
    /// What was read of it.
    pub(super) fn octets(&self) -> &[u8] {
        match &self.content {
            Content::Whole(octets) | Content::Cut(octets) => octets,
        }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.octets().trim_ascii().is_empty()
    }

    /// What can be shown of it, and whether that is all of it.
    pub(super) fn text(&self) -> (String, Result<(), Wrong>) {
        match &self.content {
            Content::Cut(octets) => (String::from_utf8_lossy(octets).into_owned() + "...", Err(Wrong::TooLong)),
            Content::Whole(octets) => match std::str::from_utf8(octets) {
                Ok(text) => (text.trim().to_owned(), Ok(())),
                Err(error) => (String::from_utf8_lossy(octets).into_owned(), Err(Wrong::NotUtf8(error.valid_up_to() + 1))),
            },
        }
    }
}

/// The lines of an input, ended by LF or CRLF; the last one may lack its end.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    number: u64,
    /// Lines that were looked at and are to be read again.
    back: VecDeque<Line>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0, back: VecDeque::new() }
    }

    /// Puts lines before those to come.
    pub(super) fn put_back(&mut self, lines: impl IntoIterator<Item = Line, IntoIter: DoubleEndedIterator>) {
        for line in lines.into_iter().rev() {
            self.back.push_front(line);
        }
    }

    /// The next line; none at the end.
    pub(super) fn read(&mut self) -> Result<Option<Line>, InputError> {
        if let Some(line) = self.back.pop_front() {
            return Ok(Some(line));
        }
        let mut octets = Vec::new();
        let limit = LONGEST as u64 + 2;
        self.input.by_ref().take(limit).read_until(b'\n', &mut octets).map_err(|source| self.failed(source))?;
        if octets.is_empty() {
            return Ok(None);
        }
        let is_whole = octets.last() == Some(&b'\n') || (octets.len() as u64) < limit;
        self.number += 1;
        if self.number == 1 {
            if octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff") {
                return Err(InputError::Utf16);
            }
            if octets.starts_with("\u{feff}".as_bytes()) {
                octets.drain(..3);
            }
        }
        if !is_whole {
            self.skip()?;
        }
        let end = octets.strip_suffix(b"\n").map_or(octets.len(), |line| line.strip_suffix(b"\r").unwrap_or(line).len());
        octets.truncate(end);
        let content = if !is_whole || octets.len() > LONGEST {
            octets.truncate(BEGINNING);
            Content::Cut(octets)
        } else {
            Content::Whole(octets)
        };
        Ok(Some(Line { number: self.number, content }))
    }

    /// Passes over what is left of a line.
    fn skip(&mut self) -> Result<(), InputError> {
        self.input.skip_until(b'\n').map(drop).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> InputError {
        InputError::Read { line: self.number, source }
    }
}
