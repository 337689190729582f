//! Answers, written as they come.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use clap::ValueEnum;
use smtpprobe::bulk::Answer;
use smtpprobe::report::Table;

use super::super::Trouble;

/// The forms of the answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object a line
    #[default]
    Ndjson,
    /// One JSON array
    Json,
    /// Rows for a spreadsheet
    Csv,
}

const COLUMNS: [&str; 16] = [
    "line",
    "input",
    "address",
    "outcome",
    "reason",
    "actor",
    "confidence",
    "code",
    "enhanced",
    "text",
    "host",
    "destination",
    "catch_all",
    "attempts",
    "at",
    "error",
];

/// So many answers wait for whoever reads them before the run waits too.
const WAITING: usize = 4096;

/// The place that answers are written to, on a thread of its own.
pub(super) struct Answers {
    answers: SyncSender<Answer>,
    thread: JoinHandle<io::Result<()>>,
}

impl Answers {
    /// Opens it. A file that is there already is left alone: it may hold the answers of hours.
    pub(super) fn open(format: Format, file: Option<&Path>) -> Result<Self, Trouble> {
        let to: Box<dyn Write + Send> = match file {
            Some(path) => match OpenOptions::new().write(true).create_new(true).open(path) {
                Ok(file) => Box::new(file),
                Err(error) => return Err(Trouble::Usage(format!("{} cannot be begun: {error}", path.display()))),
            },
            None => Box::new(io::stdout()),
        };
        let (answers, received) = sync_channel(WAITING);
        let writer = Writer { to: BufWriter::with_capacity(1 << 16, to), format, count: 0 };
        let thread = thread::Builder::new().name("answers".to_owned()).spawn(move || writer.write_all(&received))?;
        Ok(Self { answers, thread })
    }

    /// Hands in an answer; false if no more can be written, for a reason that [`close`](Self::close) gives.
    pub(super) fn hand(&self, answer: Answer) -> bool {
        self.answers.send(answer).is_ok()
    }

    /// Writes what waits, and what is missing at the end.
    pub(super) fn close(self) -> io::Result<()> {
        drop(self.answers);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

struct Writer {
    to: BufWriter<Box<dyn Write + Send>>,
    format: Format,
    count: u64,
}

impl Writer {
    /// Writes until nobody hands in any more. Whoever reads along has each answer before the next one is waited for.
    fn write_all(mut self, answers: &Receiver<Answer>) -> io::Result<()> {
        loop {
            match answers.try_recv() {
                Ok(answer) => self.write(&answer)?,
                Err(TryRecvError::Disconnected) => return self.end(),
                Err(TryRecvError::Empty) => {
                    self.to.flush()?;
                    let Ok(answer) = answers.recv() else { return self.end() };
                    self.write(&answer)?;
                }
            }
        }
    }

    fn write(&mut self, answer: &Answer) -> io::Result<()> {
        let first = self.count == 0;
        self.count += 1;
        match self.format {
            Format::Ndjson => {
                serde_json::to_writer(&mut self.to, answer)?;
                self.to.write_all(b"\n")
            }
            Format::Json => {
                self.to.write_all(if first { b"[\n" } else { b",\n" })?;
                Ok(serde_json::to_writer(&mut self.to, answer)?)
            }
            Format::Csv => {
                let mut table = Table::new(&COLUMNS);
                table.rows.push(cells(answer)?);
                write!(self.to, "{}", table.csv(first))
            }
        }
    }

    fn end(mut self) -> io::Result<()> {
        match (self.format, self.count) {
            (Format::Json, 0) => writeln!(self.to, "[]")?,
            (Format::Json, _) => writeln!(self.to, "\n]")?,
            (Format::Csv, 0) => write!(self.to, "{}", Table::new(&COLUMNS).csv(true))?,
            _ => {}
        }
        self.to.flush()
    }
}

/// The fields in the order of the columns; what there is none of is an empty cell.
fn cells(answer: &Answer) -> io::Result<Vec<String>> {
    let fields = serde_json::to_value(answer)?;
    let cell = |name: &&str| match fields.get(*name) {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Ok(COLUMNS.iter().map(cell).collect())
}
