//! The list, read line by line: bounded memory however long it is, and a line that is no address is told and passed over.
//!
//! A list is lines of one address each, or a table (comma-separated values with a head, RFC 4180, or one JSON object a line) of which
//! one column holds the addresses. A record of a table that runs over several lines counts as its first line.

mod address;
mod lines;
mod table;

use std::io::{self, BufRead};

pub use address::address;

use crate::target::{Mailbox, TargetError};
use lines::{Content, Lines};
use table::Records;

/// So many octets of a line, or of a record of a table, are read; a longer one is told and passed over.
pub const LONGEST: usize = 64 * 1024;

/// So many characters of a line are kept to be shown.
pub const SHOWN: usize = 1000;

/// How the addresses stand in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// One address a line; blank lines and lines that begin with `#` are passed over.
    Lines,
    /// A table; a list whose first octet is `{` is JSON objects, any other has a head and commas, semicolons or tabulators.
    Table {
        /// The column with the addresses.
        column: String,
    },
}

/// One line that asks for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number; the first line of the list is 1.
    pub line: u64,
    /// The line, or of a table the value of its column; at most [`SHOWN`] characters of it. Octets that are no UTF-8 are replaced.
    pub raw: String,
    /// The mailbox in it, or what is wrong with it.
    pub mailbox: Result<Mailbox, Wrong>,
}

/// What is wrong with one line; the others go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// More than [`LONGEST`] octets.
    #[error("the line is longer than {} KB: no address is", LONGEST / 1024)]
    TooLong,
    /// A record of a table that does not end within [`LONGEST`] octets.
    #[error("the record does not end within {} KB: a quote is not closed", LONGEST / 1024)]
    Unclosed,
    /// Octets that are no UTF-8.
    #[error("octet {0} of it is not UTF-8: save the list as UTF-8")]
    NotUtf8(usize),
    /// The column, or the quotes, hold nothing.
    #[error("there is no address in it")]
    Nothing,
    /// A text that is far longer than an address can be.
    #[error("it is longer than any address can be")]
    NoAddress,
    /// Not an address.
    #[error(transparent)]
    Address(#[from] TargetError),
    /// A JSON object where a line with an address is expected.
    #[error("it is a JSON object: name the field that holds the address with --column")]
    Object,
    /// Not a JSON object.
    #[error("it is not a JSON object: {0}")]
    Json(String),
    /// A JSON object without a text in that field.
    #[error("the JSON object has no text in {0:?}")]
    NoField(String),
    /// A record with too few cells.
    #[error("the record ends before column {0:?}")]
    NoCell(String),
}

/// Why a list cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file, or standard input, gave an error.
    #[error("the list cannot be read after line {line}: {source}")]
    Read {
        /// The last line that was read whole.
        line: u64,
        /// What the operating system says.
        source: io::Error,
    },
    /// The list begins with UTF-16's byte order mark.
    #[error("the list is UTF-16: save it as UTF-8")]
    Utf16,
    /// The table's head does not name the column.
    #[error("there is no column {column:?} in the head of the list; its columns are {}", .there.join(", "))]
    Column {
        /// The column that was asked for.
        column: String,
        /// The columns that there are; at most 20.
        there: Vec<String>,
    },
    /// The table's head is too long, no UTF-8, or missing.
    #[error("the list has no head that names its columns: {0}")]
    Head(Wrong),
}

/// The lines of a list that ask for an answer, in order; ends after the first error.
#[derive(Debug)]
pub struct List<R> {
    source: Source<R>,
    is_over: bool,
}

#[derive(Debug)]
enum Source<R> {
    /// The first line decides.
    Unopened {
        lines: Lines<R>,
        column: String,
    },
    Lines(Lines<R>),
    Objects {
        lines: Lines<R>,
        column: String,
    },
    Records(Box<Records<R>>),
    /// For the moment of opening.
    None,
}

impl<R: BufRead> List<R> {
    /// Reads `input` as `form` says; nothing is read before the first line is asked for.
    pub fn new(input: R, form: Form) -> Self {
        let lines = Lines::new(input);
        let source = match form {
            Form::Lines => Source::Lines(lines),
            Form::Table { column } => Source::Unopened { lines, column },
        };
        Self { source, is_over: false }
    }

    fn read(&mut self) -> Result<Option<Entry>, InputError> {
        if let Source::Unopened { .. } = self.source {
            self.source = match std::mem::replace(&mut self.source, Source::None) {
                Source::Unopened { lines, column } => opened(lines, column)?,
                other => other,
            };
        }
        match &mut self.source {
            Source::Lines(lines) => plain(lines),
            Source::Objects { lines, column } => object(lines, column),
            Source::Records(records) => records.read(),
            Source::Unopened { .. } | Source::None => Ok(None),
        }
    }
}

impl Entry {
    fn new(line: u64, mut raw: String, mailbox: Result<Mailbox, Wrong>) -> Self {
        if let Some((end, _)) = raw.char_indices().nth(SHOWN) {
            raw.truncate(end);
            raw += "...";
        }
        Self { line, raw, mailbox }
    }
}

impl<R: BufRead> Iterator for List<R> {
    type Item = Result<Entry, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let read = self.read();
        self.is_over = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}

/// Whether a table is JSON objects or has a head.
fn opened<R: BufRead>(mut lines: Lines<R>, column: String) -> Result<Source<R>, InputError> {
    while let Some(line) = lines.read()? {
        if line.is_blank() {
            continue;
        }
        let is_object = line.octets().trim_ascii_start().starts_with(b"{");
        lines.put_back([line]);
        return if is_object { Ok(Source::Objects { lines, column }) } else { Ok(Source::Records(Box::new(Records::new(lines, column)?))) };
    }
    Ok(Source::None)
}

/// The next line of a list of addresses.
fn plain<R: BufRead>(lines: &mut Lines<R>) -> Result<Option<Entry>, InputError> {
    while let Some(line) = lines.read()? {
        if line.is_blank() || line.octets().trim_ascii_start().starts_with(b"#") {
            continue;
        }
        let (raw, text) = line.text();
        let mailbox = text.and_then(|()| if raw.starts_with('{') { Err(Wrong::Object) } else { address(&raw) });
        return Ok(Some(Entry::new(line.number, raw, mailbox)));
    }
    Ok(None)
}

/// The next of a list of JSON objects.
fn object<R: BufRead>(lines: &mut Lines<R>, column: &str) -> Result<Option<Entry>, InputError> {
    while let Some(line) = lines.read()? {
        if line.is_blank() {
            continue;
        }
        let (whole, text) = line.text();
        let value = text.and_then(|()| field(&whole, column));
        let (raw, mailbox) = match value {
            Ok(value) => {
                let mailbox = address(&value);
                (value, mailbox)
            }
            Err(wrong) => (whole, Err(wrong)),
        };
        return Ok(Some(Entry::new(line.number, raw, mailbox)));
    }
    Ok(None)
}

fn field(object: &str, column: &str) -> Result<String, Wrong> {
    let mut object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(object).map_err(|error| Wrong::Json(error.to_string()))?;
    match object.remove(column) {
        Some(serde_json::Value::String(value)) => Ok(value),
        _ => Err(Wrong::NoField(column.to_owned())),
    }
}

#[cfg(test)]
mod tests;
