//! What was answered, written down so that a crash, a kill or a power cut loses no answer and repeats none.
//!
//! A journal is a file: a line that tells which list it belongs to, then one [`Answer`] a line in the order in which they came. Answers
//! are written and synced in groups; none is given back as written before the disk has it. Whoever opens it has it alone. On opening,
//! a last line that was torn is cut off, and a line that is no answer (what a disk leaves of a page that it never wrote) is
//! blanked: whatever was reported as written had been synced before.

mod identity;
mod reading;
mod scribe;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use roaring::RoaringTreemap;

pub use identity::{Anew, Identity};
pub use scribe::{Closed, Scribe};

use super::Answer;

/// The name and version of the line that begins a journal.
pub const SCHEMA: &str = "smtpprobe.journal/1";

/// A group is written when it has so many octets, however few answers that is.
const GROUP: usize = 1024 * 1024;

/// How long answers may wait for their group to be synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// So long after the first of the group.
    pub every: Duration,
    /// Or when it has so many answers.
    pub answers: usize,
}

impl Default for Pace {
    /// 200 ms, 1,000 answers: a disk syncs a few times a second whatever the rate, and little is asked again after a crash.
    fn default() -> Self {
        Self { every: Duration::from_millis(200), answers: 1000 }
    }
}

/// What was put right when a journal was opened; says so in one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// So many octets of a last line without its end were cut off.
    pub torn: u64,
    /// So many lines were no answers, and were blanked; what they may have told is asked again.
    pub damaged: u64,
    /// So many answers were to lines that had one already, and were passed over.
    pub twice: u64,
}

impl Repairs {
    /// Whether there was nothing to put right.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.torn, "octet of a torn line", "octets of a torn line"),
            (self.damaged, "line that held no answer", "lines that held no answer"),
            (self.twice, "answer to a line that had one already", "answers to lines that had one already"),
        ];
        let there = parts.iter().filter(|(count, ..)| *count > 0);
        let said: Vec<String> = there.map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many })).collect();
        write!(f, "repaired: {}", if said.is_empty() { "nothing".to_owned() } else { said.join(", ") })
    }
}

/// Why a journal cannot be opened or written on.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened, read or put right.
    #[error("the journal {} cannot be opened: {source}", path.display())]
    Open {
        /// The journal.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It is a pipe, a folder or a device.
    #[error("{} is not a file: a journal has to be one", .0.display())]
    NotAFile(PathBuf),
    /// Another run has it open.
    #[error("another run is writing the journal {}: wait for its end, or name another file", .0.display())]
    Busy(PathBuf),
    /// The file is something else, and is left alone.
    #[error("{} is no journal and is left as it is: name another file", .0.display())]
    NotAJournal(PathBuf),
    /// It belongs to another list.
    #[error("{} is the journal of another list ({theirs}), and this is {ours}: name another file, or move that one away", path.display())]
    OtherList {
        /// The journal.
        path: PathBuf,
        /// The list that it belongs to.
        theirs: String,
        /// The list that is to be asked now.
        ours: String,
    },
    /// It was begun with other options.
    #[error("{} was begun with {theirs}, and now it is {ours}: repeat it as it was, or name another file", path.display())]
    OtherOptions {
        /// The journal.
        path: PathBuf,
        /// The options that differ, as they were.
        theirs: String,
        /// The same as they are now.
        ours: String,
    },
    /// So many of its lines are no answers that it is left alone.
    #[error("{lines} lines of the journal {} are no answers: it is left as it is; look at the disk, then name another file", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// How many were met.
        lines: u64,
    },
    /// The line has its answer already; nothing was written, and the journal can go on.
    #[error("line {0} has been answered already")]
    Answered(u64),
    /// It cannot be written or synced; nothing can be appended any more.
    #[error("the journal {} cannot be written: {source}. The {safe} answers before that are safe: once it is put right, the same command goes on after them", path.display())]
    Write {
        /// The journal.
        path: PathBuf,
        /// So many answers are safe.
        safe: u64,
        /// What the operating system says, such as that there is no space left.
        source: io::Error,
    },
}

/// Lines that have their answers: about a bit a line, in whatever order they came.
#[derive(Clone, Debug, Default)]
pub struct Answered(RoaringTreemap);

impl Answered {
    /// Whether the line is one of them.
    #[must_use]
    pub fn contains(&self, line: u64) -> bool {
        self.0.contains(line)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where a journal's octets go; a file, but for tests of what disks do.
trait Store: Write + Send {
    /// Waits until the disk has what was written.
    fn sync(&mut self) -> io::Result<()>;
    /// Takes back everything after so many octets.
    fn cut(&mut self, to: u64) -> io::Result<()>;
}

impl Store for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, to: u64) -> io::Result<()> {
        self.set_len(to)?;
        self.seek(SeekFrom::Start(to)).map(drop)
    }
}

/// An open journal; nobody else can open it meanwhile.
pub struct Journal {
    store: Box<dyn Store>,
    path: PathBuf,
    pace: Pace,
    /// The lines that are answered, those that wait among them.
    answered: RoaringTreemap,
    /// The octets of the answers that wait.
    group: Vec<u8>,
    waiting: Vec<Answer>,
    since: Option<Instant>,
    /// So many octets are safe.
    length: u64,
    /// So many answers are safe.
    safe: u64,
    is_broken: bool,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("path", &self.path).field("safe", &self.safe).finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal at `path`, or begins it there; `before` gets each answer that it holds, in their order.
    ///
    /// # Errors
    /// If it is another run's, another list's or no journal, or if the file cannot be read or put right. It is changed in no such case.
    pub fn open(path: &Path, identity: &Identity, pace: Pace, before: &mut dyn FnMut(Answer)) -> Result<(Self, Repairs), JournalError> {
        let failed = |source| JournalError::Open { path: path.to_owned(), source };
        // A pipe or a device would block or swallow; a folder cannot be opened for writing at all.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(JournalError::NotAFile(path.to_owned()));
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => return Err(JournalError::Busy(path.to_owned())),
            Err(fs4::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut read = reading::read(&mut file, path, identity, before)?;
        read.repair(&mut file).map_err(failed)?;
        if read.length == 0 {
            read.length = begin(&mut file, path, identity).map_err(failed)?;
        }
        file.seek(SeekFrom::Start(read.length)).map_err(failed)?;
        let safe = read.answered.len();
        let journal = Self {
            store: Box::new(file),
            path: path.to_owned(),
            pace,
            answered: read.answered,
            group: Vec::new(),
            waiting: Vec::new(),
            since: None,
            length: read.length,
            safe,
            is_broken: false,
        };
        Ok((journal, read.repairs))
    }

    /// Whether the line has its answer, be it written or waiting to be.
    #[must_use]
    pub fn is_answered(&self, line: u64) -> bool {
        self.answered.contains(line)
    }

    /// The lines that have their answers now, for whoever reads the list while the journal is written elsewhere.
    #[must_use]
    pub fn answered(&self) -> Answered {
        Answered(self.answered.clone())
    }

    /// How many answers are safe on the disk.
    #[must_use]
    pub fn safe(&self) -> u64 {
        self.safe
    }

    /// Takes an answer, and gives back those that are safe on the disk because of it: none as a rule, else it and those that waited.
    ///
    /// Until it has been given back, here or by [`commit`](Self::commit), it may be lost, and must not be reported as written.
    ///
    /// # Errors
    /// [`JournalError::Answered`] if the line has an answer: then nothing has changed. [`JournalError::Write`] if the disk fails.
    pub fn append(&mut self, answer: Answer, now: Instant) -> Result<Vec<Answer>, JournalError> {
        if self.is_broken {
            return Err(self.broken(io::Error::other("it has failed before")));
        }
        if self.answered.contains(answer.line) {
            return Err(JournalError::Answered(answer.line));
        }
        let before = self.group.len();
        if let Err(error) = serde_json::to_writer(&mut self.group, &answer) {
            self.group.truncate(before);
            return Err(self.broken(error.into()));
        }
        self.group.push(b'\n');
        self.answered.insert(answer.line);
        self.waiting.push(answer);
        let since = *self.since.get_or_insert(now);
        let is_due = now.saturating_duration_since(since) >= self.pace.every;
        if is_due || self.waiting.len() >= self.pace.answers || self.group.len() >= GROUP { self.commit() } else { Ok(Vec::new()) }
    }

    /// When [`commit`](Self::commit) is to be called at the latest; none while nothing waits.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + self.pace.every)
    }

    /// Writes and syncs what waits, and gives it back: it is safe on the disk. Takes as long as the disk does.
    ///
    /// # Errors
    /// If the disk is full or fails: then what waited is taken back as far as that can be, and the journal takes no more. A sync
    /// that failed is not tried again: the operating system may have dropped the pages, and would call a second one a success.
    pub fn commit(&mut self) -> Result<Vec<Answer>, JournalError> {
        if self.is_broken {
            return Err(self.broken(io::Error::other("it has failed before")));
        }
        if self.waiting.is_empty() {
            return Ok(Vec::new());
        }
        if let Err(source) = self.store.write_all(&self.group).and_then(|()| self.store.sync()) {
            // Where even this fails, the next run finds a torn line, or answers that were not reported: it can go on from both.
            let _ = self.store.cut(self.length);
            return Err(self.broken(source));
        }
        self.length += self.group.len() as u64;
        self.safe += self.waiting.len() as u64;
        self.group.clear();
        self.since = None;
        Ok(std::mem::take(&mut self.waiting))
    }

    fn broken(&mut self, source: io::Error) -> JournalError {
        self.is_broken = true;
        JournalError::Write { path: self.path.clone(), safe: self.safe, source }
    }
}

/// Writes the first line, and makes sure that the file itself outlives a power cut; its length.
fn begin(file: &mut File, path: &Path, identity: &Identity) -> io::Result<u64> {
    let head = identity.line()?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&head)?;
    file.sync_all()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Not every system can sync a folder; there the file's name is as safe as the system makes it.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(head.len() as u64)
}

#[cfg(test)]
mod tests;
