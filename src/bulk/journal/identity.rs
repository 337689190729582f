//! What tells one list, asked in one way, from another.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek as _};
use std::path::Path;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::SCHEMA;
use crate::bulk::input::LONGEST;

/// So many octets of a file are looked at.
const BEGINNING: u64 = 1024 * 1024;

/// A stream from its first octet on, though its first line has been looked at.
pub type Anew<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// Which list it is, and the options that make its lines or their answers other ones.
///
/// A file is known by its length and its first megabyte; what cannot be read twice, such as standard input, by its first line. What
/// is changed in a long file behind the first megabyte without a change of length is not noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its path as given, or `-`; said, not compared: a list may be moved.
    pub list: String,
    /// Its octets; none if it is no file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub octets: Option<u64>,
    /// SHA-256 of what was looked at, in hexadecimal digits.
    pub sha256: String,
    /// Options by name, such as `--column`; empty values are options that were not given.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// The first line of a journal.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) schema: String,
    #[serde(flatten)]
    pub(super) identity: Identity,
}

impl Identity {
    /// Opens the list at `path`, and tells which it is; what is read from it begins with its first octet.
    ///
    /// # Errors
    /// If it cannot be opened or read.
    pub fn open(path: &Path, options: BTreeMap<String, String>) -> io::Result<(Self, Box<dyn BufRead + Send>)> {
        let mut file = File::open(path)?;
        let name = path.display().to_string();
        let found = file.metadata()?;
        if !found.is_file() {
            let (identity, input) = Self::of_stream(name, BufReader::new(file), options)?;
            return Ok((identity, Box::new(input)));
        }
        let mut beginning = Vec::new();
        file.by_ref().take(BEGINNING).read_to_end(&mut beginning)?;
        file.rewind()?;
        let identity = Self { list: name, octets: Some(found.len()), sha256: hexadecimal(&beginning), options };
        Ok((identity, Box::new(BufReader::with_capacity(LONGEST, file))))
    }

    /// Tells which list a stream is, such as standard input, by its first line, and gives it back from its first octet on.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of_stream<R: BufRead>(name: String, mut input: R, options: BTreeMap<String, String>) -> io::Result<(Self, Anew<R>)> {
        let mut first = Vec::new();
        input.by_ref().take(LONGEST as u64).read_until(b'\n', &mut first)?;
        let identity = Self { list: name, octets: None, sha256: hexadecimal(&first), options };
        Ok((identity, Cursor::new(first).chain(input)))
    }

    /// Whether it is the same list, wherever it lies.
    pub(super) fn is_same_list(&self, other: &Self) -> bool {
        self.octets == other.octets && self.sha256 == other.sha256
    }

    /// The options in which `self` differs from `other`, as they are in `self`.
    pub(super) fn different(&self, other: &Self) -> String {
        let names = self.options.keys().chain(other.options.keys().filter(|name| !self.options.contains_key(*name)));
        let value = |identity: &Self, name: &String| identity.options.get(name).cloned().unwrap_or_default();
        let differing = names.filter(|name| value(self, name) != value(other, name));
        let said = differing.map(|name| match value(self, name).as_str() {
            "" => format!("no {name}"),
            value => format!("{name} {value}"),
        });
        said.collect::<Vec<_>>().join(", ")
    }

    /// The line that begins a journal of it.
    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(&Head { schema: SCHEMA.to_owned(), identity: self.clone() })?;
        line.push(b'\n');
        Ok(line)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.list)?;
        match self.octets {
            Some(octets) => write!(f, "{octets} octets, ")?,
            None => f.write_str("a stream, ")?,
        }
        write!(f, "SHA-256 {}", self.sha256.get(..12).unwrap_or(&self.sha256))
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    digest(&SHA256, octets).as_ref().iter().fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}
