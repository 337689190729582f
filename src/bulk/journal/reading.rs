//! What a journal holds, and what is to be put right in it; changes nothing before the whole of it has been judged.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use roaring::RoaringTreemap;

use super::identity::Head;
use super::{Identity, JournalError, Repairs, SCHEMA};
use crate::bulk::Answer;

/// No line that was written here is longer; each octet of an input and of a reply may take six as an escape.
const LONGEST: u64 = 4 * 1024 * 1024;

/// A journal with more lines that are no answers is not put right.
const DAMAGED: usize = 10_000;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) answered: RoaringTreemap,
    /// So many octets are whole lines; none at all if the first line has yet to be written.
    pub(super) length: u64,
    pub(super) repairs: Repairs,
    /// Where lines are no answers, and how many octets those have without their ends.
    damaged: Vec<(u64, u64)>,
}

impl Found {
    /// Cuts off and blanks what is no answer.
    pub(super) fn repair(&self, file: &mut File) -> io::Result<()> {
        if self.repairs.torn > 0 {
            file.set_len(self.length)?;
        }
        for (start, octets) in &self.damaged {
            file.seek(SeekFrom::Start(*start))?;
            io::copy(&mut io::repeat(b' ').take(*octets), file)?;
        }
        if self.repairs.torn > 0 || !self.damaged.is_empty() {
            file.flush()?;
            file.sync_all()?;
        }
        Ok(())
    }
}

/// A line, its end left out.
enum Line {
    Whole(Vec<u8>),
    /// Longer than any that was written here: so many octets, and whether they are blanks, as are left where a line was put right.
    Long {
        octets: u64,
        is_blank: bool,
    },
    /// Without its end: its beginning, and all its octets.
    Torn(Vec<u8>, u64),
    End,
}

/// Reads the journal at `path` from its first octet; each first answer to a line goes to `each`.
pub(super) fn read(file: &mut File, path: &Path, identity: &Identity, each: &mut dyn FnMut(Answer)) -> Result<Found, JournalError> {
    let failed = |source| JournalError::Open { path: path.to_owned(), source };
    let mut found = Found::default();
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut input = BufReader::with_capacity(64 * 1024, file);
    match line(&mut input).map_err(failed)? {
        Line::End => return Ok(found),
        Line::Torn(beginning, octets) if is_beginning(&beginning) => {
            found.repairs.torn = octets;
            return Ok(found);
        }
        Line::Whole(octets) => {
            same(&octets, path, identity)?;
            found.length = octets.len() as u64 + 1;
        }
        Line::Long { .. } | Line::Torn(..) => return Err(JournalError::NotAJournal(path.to_owned())),
    }
    loop {
        let octets = match line(&mut input).map_err(failed)? {
            Line::End => return Ok(found),
            Line::Torn(_, octets) => {
                found.repairs.torn = octets;
                return Ok(found);
            }
            Line::Whole(octets) => {
                let length = octets.len() as u64;
                match serde_json::from_slice::<Answer>(&octets) {
                    Ok(answer) if answer.line > 0 => {
                        if found.answered.insert(answer.line) {
                            each(answer);
                        } else {
                            found.repairs.twice += 1;
                        }
                        found.length += length + 1;
                        continue;
                    }
                    _ if octets.trim_ascii().is_empty() => {
                        found.length += length + 1;
                        continue;
                    }
                    _ => length,
                }
            }
            Line::Long { octets, is_blank: true } => {
                found.length += octets + 1;
                continue;
            }
            Line::Long { octets, is_blank: false } => octets,
        };
        found.damaged.push((found.length, octets));
        found.repairs.damaged += 1;
        found.length += octets + 1;
        if found.damaged.len() > DAMAGED {
            return Err(JournalError::Damaged { path: path.to_owned(), lines: found.repairs.damaged });
        }
    }
}

/// The next line of a bounded length.
fn line(input: &mut impl BufRead) -> io::Result<Line> {
    let mut octets = Vec::new();
    let count = input.by_ref().take(LONGEST).read_until(b'\n', &mut octets)? as u64;
    if octets.last() == Some(&b'\n') {
        octets.pop();
        return Ok(Line::Whole(octets));
    }
    if count == 0 {
        return Ok(Line::End);
    }
    let mut length = count;
    let mut is_blank = octets.trim_ascii().is_empty();
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(Line::Torn(octets, length));
        }
        let end = buffer.iter().position(|octet| *octet == b'\n');
        let (read, more) = end.map_or((buffer.len(), buffer.len()), |end| (end + 1, end));
        is_blank &= buffer.get(..more).is_some_and(|part| part.trim_ascii().is_empty());
        input.consume(read);
        length += more as u64;
        if end.is_some() {
            return Ok(Line::Long { octets: length, is_blank });
        }
    }
}

/// Whether a file that is one line without its end is what a crash left of a journal's first line: its beginning, or nothing but
/// zeros where the disk had the length and not the octets.
fn is_beginning(octets: &[u8]) -> bool {
    let head = format!("{{\"schema\":\"{SCHEMA}\",");
    let common = octets.len().min(head.len());
    octets.get(..common) == head.as_bytes().get(..common) || octets.iter().all(|octet| *octet == 0)
}

/// Whether the first line belongs to this list, asked in this way.
fn same(head: &[u8], path: &Path, ours: &Identity) -> Result<(), JournalError> {
    let theirs = match serde_json::from_slice::<Head>(head) {
        Ok(head) if head.schema == SCHEMA => head.identity,
        _ => return Err(JournalError::NotAJournal(path.to_owned())),
    };
    if !theirs.is_same_list(ours) {
        return Err(JournalError::OtherList { path: path.to_owned(), theirs: theirs.to_string(), ours: ours.to_string() });
    }
    let different = theirs.different(ours);
    if different.is_empty() {
        return Ok(());
    }
    Err(JournalError::OtherOptions { path: path.to_owned(), theirs: different, ours: ours.different(&theirs) })
}
