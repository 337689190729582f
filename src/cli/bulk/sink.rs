//! Where answers go: to standard output or a new file as they come, or into a journal, from which the same command goes on.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use smtpprobe::bulk::journal::{Answered, Identity, Journal, Pace, Scribe};
use smtpprobe::bulk::summary::{Summary, Tally};
use smtpprobe::bulk::{Answer, Settled};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::report::{self, safe};

use super::super::Trouble;
use super::output::{Answers, Format};

/// The list that was opened.
pub(super) struct Opened {
    /// From its first octet on.
    pub(super) input: Box<dyn BufRead + Send>,
    /// The lines of it that have an answer already; none if there is no journal.
    pub(super) answered: Option<Answered>,
    /// Which one it is.
    #[cfg_attr(not(feature = "queue"), allow(dead_code, reason = "only a queue has to name it"))]
    pub(super) identity: Identity,
}

/// Opens a list, and tells which one it is.
pub(super) fn open_list(list: &Path, options: BTreeMap<String, String>) -> Result<(Identity, Box<dyn BufRead + Send>), Trouble> {
    let unread = |error: io::Error| Trouble::Usage(safe(&format!("{}: {error}", list.display())));
    if list.as_os_str() != "-" {
        return Identity::open(list, options).map_err(unread).map(|(identity, input)| (identity, input as _));
    }
    let (identity, input) = Identity::of_stream("-".to_owned(), BufReader::new(io::stdin()), options).map_err(unread)?;
    Ok((identity, Box::new(input)))
}

/// The place that answers are written to.
pub(super) struct Sink {
    to: To,
    /// All answers, those of earlier runs of the journal among them.
    counted: Arc<Mutex<Tally>>,
}

enum To {
    Plain(Answers),
    Journal(Scribe),
}

impl Sink {
    /// Opens the list and the place for its answers. A file that gets one JSON object a line is a journal; the other forms cannot be
    /// gone on with, so that their file must not be there yet. `options` are those that change the answers. `is_written` is told, on
    /// another thread, which lines' answers are in the journal for good.
    pub(super) fn open(
        list: &Path,
        options: BTreeMap<String, String>,
        format: Format,
        file: Option<&Path>,
        mut is_written: impl FnMut(Vec<u64>) + Send + 'static,
    ) -> Result<(Self, Opened), Trouble> {
        let counted: Arc<Mutex<Tally>> = Arc::default();
        let (identity, input) = open_list(list, options)?;
        let (Some(file), Format::Ndjson) = (file, format) else {
            return Ok((Self { to: To::Plain(Answers::open(format, file)?), counted }, Opened { input, answered: None, identity }));
        };
        let mut before = Tally::default();
        let opened = Journal::open(file, &identity, Pace::default(), &mut |answer| before.add(&answer));
        let (journal, repairs) = opened.map_err(|error| Trouble::Usage(safe(&error.to_string())))?;
        if !repairs.is_empty() {
            eprintln!("smtpprobe: {}: {}", safe(&file.display().to_string()), safe(&repairs.to_string()));
        }
        let answered = journal.answered();
        if !answered.is_empty() {
            eprintln!("smtpprobe: {} lines are answered already; going on", answered.len());
        }
        *counted.lock().unwrap_or_else(PoisonError::into_inner) = before;
        let written = Arc::clone(&counted);
        let scribe = Scribe::start(journal, move |answers| {
            let mut counted = written.lock().unwrap_or_else(PoisonError::into_inner);
            for answer in &answers {
                counted.add(answer);
            }
            drop(counted);
            is_written(answers.iter().map(|answer| answer.line).collect());
        })?;
        Ok((Self { to: To::Journal(scribe), counted }, Opened { input, answered: Some(answered), identity }))
    }

    /// Whether it is known only later that an answer is written down.
    #[cfg(feature = "queue")]
    pub(super) const fn is_journal(&self) -> bool {
        matches!(self.to, To::Journal(_))
    }

    /// Takes one answer; whether there is room for more. If there is not, [`close`](Self::close) tells why.
    pub(super) fn take(&self, answer: Answer) -> ControlFlow<()> {
        let taken = match &self.to {
            To::Plain(answers) => {
                self.counted.lock().unwrap_or_else(PoisonError::into_inner).add(&answer);
                answers.hand(answer)
            }
            To::Journal(scribe) => scribe.hand(answer).is_ok(),
        };
        if taken { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// Writes what is missing at the end, and gives all answers, counted.
    pub(super) fn close(self) -> Result<Summary, Trouble> {
        match self.to {
            To::Plain(answers) => answers.close()?,
            To::Journal(scribe) => {
                scribe.close().map_err(|error| Trouble::Machine(io::Error::other(safe(&error.to_string()))))?;
            }
        }
        Ok(self.counted.lock().unwrap_or_else(PoisonError::into_inner).summary())
    }
}

/// How the answers are to be summed up.
pub(super) struct Wanted<'a> {
    /// As a table for people.
    pub(super) table: bool,
    /// As a page with charts, into this file.
    pub(super) page: Option<&'a PathBuf>,
    /// Whether standard output has the answers already.
    pub(super) beside_answers: bool,
}

impl Wanted<'_> {
    /// Shows it: the table where the answers are not.
    pub(super) fn show(&self, summary: &Summary, list: &Path, knowledge: &Knowledge) -> Result<(), Trouble> {
        if self.table {
            let width = terminal_size::terminal_size().map_or(80, |(columns, _)| usize::from(columns.0));
            let text = report::bulk::text(summary, knowledge, width);
            if self.beside_answers { eprint!("{text}") } else { print!("{text}") }
        }
        if let Some(page) = self.page {
            let text = report::bulk::html(summary, knowledge, &list.display().to_string());
            fs::write(page, text).map_err(|error| Trouble::Usage(format!("{} cannot be written: {error}", page.display())))?;
        }
        Ok(())
    }
}

/// The exit code of the outcome of most concern, in the contract's order.
pub(super) fn exit_code(summary: &Summary) -> u8 {
    const CONCERN: [(Settled, u8); 5] =
        [(Settled::Unreachable, 4), (Settled::Deferred, 3), (Settled::Rejected, 1), (Settled::Invalid, 1), (Settled::Inconclusive, 5)];
    let count = |outcome: Settled| summary.outcomes.each().into_iter().find(|(known, _)| *known == outcome).map_or(0, |(_, count)| count);
    CONCERN.iter().find(|(outcome, _)| count(*outcome) > 0).map_or(0, |(_, code)| *code)
}
