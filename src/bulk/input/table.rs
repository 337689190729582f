//! Comma-separated values (RFC 4180) with a head, a record at a time.
//!
//! Records are put together from lines rather than read from the whole input: so a quote that is never closed costs one record and
//! not the rest of the list.

use std::io::BufRead;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::lines::{Line, Lines};
use super::{Content, Entry, InputError, LONGEST, Wrong, address};

/// Of the head so many columns are named in an error.
const NAMED: usize = 20;
/// Of a name so many letters.
const LETTERS: usize = 60;

/// What may stand between cells.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// The records of a table, after its head.
#[derive(Debug)]
pub(super) struct Records<R> {
    lines: Lines<R>,
    column: String,
    /// The column's place.
    place: usize,
    separator: u8,
}

/// What a record turned out to be.
enum Record {
    Cells(Vec<Vec<u8>>),
    Wrong(String, Wrong),
}

impl<R: BufRead> Records<R> {
    /// Reads the head, and finds `column` in it: by the very name, else whatever the case.
    pub(super) fn new(mut lines: Lines<R>, column: String) -> Result<Self, InputError> {
        let Some(first) = lines.read()? else { return Err(InputError::Head(Wrong::Nothing)) };
        let count = |separator: &u8| memchr::memchr_iter(*separator, first.octets()).count();
        // Of several the first: `max_by_key` would take the last.
        let separator = SEPARATORS.into_iter().rev().max_by_key(count).unwrap_or(b',');
        lines.put_back([first]);
        let head = match record(&mut lines, separator)? {
            Some((_, Record::Cells(cells))) => cells,
            Some((_, Record::Wrong(_, wrong))) => return Err(InputError::Head(wrong)),
            None => return Err(InputError::Head(Wrong::Nothing)),
        };
        let names: Vec<String> = head.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
        let place = names.iter().position(|name| *name == column).or_else(|| {
            let wanted = column.trim().to_lowercase();
            names.iter().position(|name| name.to_lowercase() == wanted)
        });
        if let Some(place) = place {
            return Ok(Self { lines, column, place, separator });
        }
        let there = names.iter().take(NAMED).map(|name| name.chars().take(LETTERS).collect());
        Err(InputError::Column { column, there: there.collect() })
    }

    /// The next record; none at the end.
    pub(super) fn read(&mut self) -> Result<Option<Entry>, InputError> {
        let Some((line, record)) = record(&mut self.lines, self.separator)? else { return Ok(None) };
        let cells = match record {
            Record::Cells(cells) => cells,
            Record::Wrong(raw, wrong) => return Ok(Some(Entry::new(line, raw, Err(wrong)))),
        };
        let entry = match cells.into_iter().nth(self.place) {
            None => Entry::new(line, String::new(), Err(Wrong::NoCell(self.column.clone()))),
            Some(cell) => {
                let cell = Line { number: line, content: Content::Whole(cell) };
                let (raw, text) = cell.text();
                let mailbox = text.and_then(|()| address(&raw));
                Entry::new(line, raw, mailbox)
            }
        };
        Ok(Some(entry))
    }
}

/// The next record with the number of its first line; blank lines are passed over.
fn record<R: BufRead>(lines: &mut Lines<R>, separator: u8) -> Result<Option<(u64, Record)>, InputError> {
    let first = loop {
        match lines.read()? {
            Some(line) if line.is_blank() => {}
            Some(line) => break line,
            None => return Ok(None),
        }
    };
    let number = first.number;
    let raw = first.text().0;
    let mut parser = Parser::new(separator);
    let mut rest: Vec<Line> = Vec::new();
    let mut length = 0;
    let mut line = first;
    loop {
        let Content::Whole(octets) = &line.content else {
            // A line of its own that is too long, or one inside a record: then the record is given up, and this line told by itself.
            return Ok(Some(if rest.is_empty() && line.number == number {
                (number, Record::Wrong(line.text().0, Wrong::TooLong))
            } else {
                rest.push(line);
                lines.put_back(rest);
                (number, Record::Wrong(raw, Wrong::Unclosed))
            }));
        };
        length += octets.len() + 1;
        if parser.feed(octets) {
            return Ok(Some((number, Record::Cells(parser.cells()))));
        }
        if line.number != number {
            rest.push(line);
        }
        let next = if length <= LONGEST { lines.read()? } else { None };
        let Some(next) = next else {
            // The lines behind the quote that is never closed are records of their own.
            lines.put_back(rest);
            return Ok(Some((number, Record::Wrong(raw, Wrong::Unclosed))));
        };
        line = next;
    }
}

/// A record in the making.
struct Parser {
    reader: Reader,
    cells: Vec<u8>,
    ends: Vec<usize>,
}

impl Parser {
    fn new(separator: u8) -> Self {
        Self { reader: ReaderBuilder::new().delimiter(separator).build(), cells: Vec::new(), ends: Vec::new() }
    }

    /// Takes one more line; whether the record ends with it.
    fn feed(&mut self, line: &[u8]) -> bool {
        let mut input = Vec::with_capacity(line.len() + 1);
        input.extend_from_slice(line);
        input.push(b'\n');
        let mut rest = input.as_slice();
        let (mut output, mut ends) = (vec![0; input.len() + 1], vec![0; input.len() + 1]);
        // One octet of input gives at most one of output and one end: neither runs full.
        loop {
            let (result, read, written, ended) = self.reader.read_record(rest, &mut output, &mut ends);
            self.cells.extend_from_slice(output.get(..written).unwrap_or_default());
            self.ends.extend_from_slice(ends.get(..ended).unwrap_or_default());
            rest = rest.get(read..).unwrap_or_default();
            match result {
                ReadRecordResult::Record => return true,
                _ if rest.is_empty() => return false,
                _ => {}
            }
        }
    }

    /// The cells that were read.
    fn cells(self) -> Vec<Vec<u8>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.cells.get(start..*end).unwrap_or_default().to_vec()).collect()
    }
}
