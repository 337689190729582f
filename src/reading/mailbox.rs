//! Where mail lies: an mbox (RFC 4155, and its older relatives), a Maildir, or one mail by itself.
//!
//! A mailbox is read as it comes, so that no more than one mail is in memory, and of that no more than a limit. A mail beyond the
//! limit is told and skipped; those behind it are read.

use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

/// A mail may have this many octets, unless another limit is given.
pub const MAIL_LIMIT: usize = 32 << 20;

/// Most notices have fewer octets.
const USUAL: usize = 8 << 10;

/// What stands next in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A mail, without the line that an mbox puts before it, and with the lines that it quotes (`>From`) as they were.
    Mail(Vec<u8>),
    /// A mail beyond the limit, which was skipped.
    TooLarge {
        /// How many octets it has.
        octets: u64,
    },
}

/// The mails in `reader`: of an mbox if it begins as one does, else all of it as one mail.
pub fn mails<R: BufRead>(reader: R, limit: usize) -> Mails<R> {
    Mails { reader, limit, form: None, line_end: b'\n', ended: false }
}

/// The mails of a mailbox, in order; see [`mails`].
#[derive(Debug)]
pub struct Mails<R> {
    reader: R,
    limit: usize,
    /// None before the first line.
    form: Option<Form>,
    line_end: u8,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Mbox,
    OneMail,
}

/// A mail while it is read.
struct Growing {
    octets: u64,
    bytes: Vec<u8>,
    /// The line before was blank, as it is before a line that parts two mails.
    after_blank: bool,
}

impl Growing {
    fn new() -> Self {
        Self { octets: 0, bytes: Vec::with_capacity(USUAL), after_blank: false }
    }

    /// Whether no more than `limit` octets came.
    fn fits(&self, limit: usize) -> bool {
        usize::try_from(self.octets).is_ok_and(|octets| octets <= limit)
    }

    /// Keeps the line at the end, of which `octets` came.
    fn keep(&mut self, octets: u64, limit: usize) {
        self.octets += octets;
        if !self.fits(limit) {
            self.bytes = Vec::new();
        }
    }

    fn entry(mut self, form: Form, limit: usize) -> Option<Entry> {
        if !self.fits(limit) {
            return Some(Entry::TooLarge { octets: self.octets });
        }
        if form == Form::Mbox && self.after_blank {
            // The blank line belongs to the mbox.
            let end =
                self.bytes.strip_suffix(b"\r\n").or_else(|| self.bytes.strip_suffix(b"\n")).or_else(|| self.bytes.strip_suffix(b"\r"));
            let end = end.map_or(self.bytes.len(), <[u8]>::len);
            self.bytes.truncate(end);
        }
        (!self.bytes.iter().all(u8::is_ascii_whitespace)).then_some(Entry::Mail(self.bytes))
    }
}

impl<R: BufRead> Mails<R> {
    fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        let mut growing = Growing::new();
        loop {
            let begin = growing.bytes.len();
            let octets = self.read_line(&mut growing.bytes, self.limit.saturating_sub(begin))?;
            if octets == 0 {
                self.ended = true;
                return Ok(growing.entry(self.form.unwrap_or(Form::OneMail), self.limit));
            }
            let line = &growing.bytes[begin..];
            let Some(form) = self.form else {
                // Blank lines may stand before the first one.
                if !is_blank(line) {
                    self.form = Some(if line.starts_with(b"From ") { Form::Mbox } else { Form::OneMail });
                }
                if self.form == Some(Form::OneMail) {
                    growing.keep(octets, self.limit);
                } else {
                    growing.bytes.truncate(begin);
                }
                continue;
            };
            if form == Form::Mbox && growing.after_blank && parts(line) {
                growing.bytes.truncate(begin);
                if let Some(entry) = std::mem::replace(&mut growing, Growing::new()).entry(form, self.limit) {
                    return Ok(Some(entry));
                }
                continue;
            }
            growing.after_blank = is_blank(line);
            if form == Form::Mbox && is_quoted(line) {
                growing.bytes.remove(begin);
            }
            growing.keep(octets, self.limit);
        }
    }

    /// Reads up to and with the next line end, and says how many octets came; of those, what has room is added to `bytes`.
    fn read_line(&mut self, bytes: &mut Vec<u8>, room: usize) -> io::Result<u64> {
        if self.form.is_none() {
            let first = self.reader.fill_buf()?;
            if memchr::memchr(b'\n', first).is_none() && memchr::memchr(b'\r', first).is_some() {
                self.line_end = b'\r';
            }
        }
        // The line that parts two mails must be seen also where there is no room.
        let mut room = room.max(256);
        let mut octets = 0;
        loop {
            let piece = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                piece => piece?,
            };
            let end = memchr::memchr(self.line_end, piece);
            let length = end.map_or(piece.len(), |end| end + 1);
            let kept = length.min(room);
            bytes.extend_from_slice(&piece[..kept]);
            room -= kept;
            octets += length as u64;
            self.reader.consume(length);
            if end.is_some() || length == 0 {
                return Ok(octets);
            }
        }
    }
}

impl<R: BufRead> Iterator for Mails<R> {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let entry = self.next_entry();
        self.ended |= entry.is_err();
        entry.transpose()
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| matches!(b, b'\r' | b'\n'))
}

/// Whether a line behind a blank one parts two mails: `From anna@example.com Sun Nov 22 10:00:00 2026`. Such lines have a time and a
/// year; a sentence of a mail that was not quoted has not.
fn parts(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let words = || rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let time = |word: &[u8]| {
        let mut numbers = word.split(|b| *b == b':');
        word.contains(&b':') && numbers.all(|number| matches!(number.len(), 1 | 2) && number.iter().all(u8::is_ascii_digit))
    };
    let year = |word: &[u8]| word.len() == 4 && word.iter().all(u8::is_ascii_digit);
    words().any(time) && words().any(year)
}

/// Whether an mbox has put a mark before the line.
fn is_quoted(line: &[u8]) -> bool {
    let marks = line.iter().take_while(|b| **b == b'>').count();
    marks > 0 && line[marks..].starts_with(b"From ")
}

/// The files that hold the mails of a Maildir, old and new ones, by name; none if `folder` is no Maildir.
///
/// # Errors
/// If the folder cannot be read.
pub fn maildir(folder: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    let parts = [folder.join("cur"), folder.join("new")];
    if !parts.iter().all(|part| part.is_dir()) {
        return Ok(None);
    }
    let mut files = Vec::new();
    for part in parts {
        for entry in fs::read_dir(part)? {
            let path = entry?.path();
            let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
            if !hidden && path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    Ok(Some(files))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn all(mailbox: &[u8], limit: usize) -> Vec<Entry> {
        // Pieces of a few octets, as a pipe may hand them over.
        mails(BufReader::with_capacity(7, mailbox), limit).collect::<io::Result<_>>().expect("no error")
    }

    fn mail(text: &str) -> Entry {
        Entry::Mail(text.as_bytes().to_vec())
    }

    const FROM: &str = "From anna@example.com Sun Nov 22 10:00:00 2026\n";

    #[test]
    fn an_mbox_is_parted_into_its_mails() {
        let mbox = format!("\n{FROM}A: 1\n\n>From here\n>>From there\nFrom now on\n\nFrom now on: nothing\n\n{FROM}B: 2\n\ntext\n\n");
        let entries = [mail("A: 1\n\nFrom here\n>From there\nFrom now on\n\nFrom now on: nothing\n"), mail("B: 2\n\ntext\n")];
        assert_eq!(all(mbox.as_bytes(), 1000), entries);
        let crlf: Vec<Entry> = entries
            .iter()
            .map(|entry| match entry {
                Entry::Mail(text) => mail(&String::from_utf8_lossy(text).replace('\n', "\r\n")),
                other @ Entry::TooLarge { .. } => other.clone(),
            })
            .collect();
        assert_eq!(all(mbox.replace('\n', "\r\n").as_bytes(), 1000), crlf);
        assert_eq!(mails(mbox.replace('\n', "\r").as_bytes(), 1000).count(), 2);
    }

    #[test]
    fn what_is_no_mbox_is_one_mail() {
        let text = format!("A: 1\n\n>From here\n\n{FROM}B: 2\n");
        assert_eq!(all(text.as_bytes(), 1000), [mail(&text)]);
        assert_eq!(all(b"", 1000), []);
        assert_eq!(all(b"\n\n", 1000), []);
        assert_eq!(all(FROM.as_bytes(), 1000), []);
        assert_eq!(all(b"no line end", 1000), [mail("no line end")]);
    }

    #[test]
    fn a_mail_that_is_too_large_is_told_and_skipped() {
        let large = "x".repeat(5000);
        let mbox = format!("{FROM}A: 1\n\n{FROM}B: {large}\n{large}\n\n{FROM}C: 3\n\n");
        let entries = all(mbox.as_bytes(), 300);
        assert_eq!(entries.len(), 3);
        assert_eq!((&entries[0], &entries[2]), (&mail("A: 1\n"), &mail("C: 3\n")));
        assert!(matches!(entries[1], Entry::TooLarge { octets } if octets > 10_000), "{entries:?}");
        assert!(matches!(all(large.as_bytes(), 300)[..], [Entry::TooLarge { octets: 5000 }]));
        assert_eq!(all(large.as_bytes(), 5000), [mail(&large)]);
    }

    #[test]
    fn a_maildir_is_listed() {
        let folder = std::env::temp_dir().join(format!("smtpprobe-maildir-{}", std::process::id()));
        assert_eq!(maildir(&folder).expect("no error"), None);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.join(part)).expect("a folder");
        }
        for name in ["new/2.mx", "cur/1.mx:2,S", "cur/.hidden", "tmp/3.mx"] {
            fs::write(folder.join(name), "A: 1\n").expect("a file");
        }
        let files = maildir(&folder).expect("no error").expect("a Maildir");
        assert_eq!(files, [folder.join("cur/1.mx:2,S"), folder.join("new/2.mx")]);
        fs::remove_dir_all(&folder).expect("the folder goes");
    }

    proptest! {
        #[test]
        fn nothing_exceeds_the_limit(mailbox in "(From a Sun Nov 22 10:00:00 2026\n|A: b\n|\n|>From x\n|[a-z]{0,80}\n|\r){0,60}", limit in 1usize..400) {
            for entry in all(mailbox.as_bytes(), limit) {
                if let Entry::Mail(bytes) = entry {
                    prop_assert!(bytes.len() <= limit);
                }
            }
        }
    }
}
