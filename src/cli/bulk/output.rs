//! Answers, written as they come.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;

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

/// The place that answers are written to.
pub(super) struct Answers {
    to: BufWriter<Box<dyn Write>>,
    format: Format,
    count: u64,
}

impl Answers {
    /// Opens it. A file that is there already is left alone: it may hold the answers of hours.
    pub(super) fn open(format: Format, file: Option<&Path>) -> Result<Self, Trouble> {
        let to: Box<dyn Write> = match file {
            Some(path) => match OpenOptions::new().write(true).create_new(true).open(path) {
                Ok(file) => Box::new(file),
                Err(error) => return Err(Trouble::Usage(format!("{} cannot be begun: {error}", path.display()))),
            },
            None => Box::new(io::stdout()),
        };
        Ok(Self { to: BufWriter::new(to), format, count: 0 })
    }

    /// Writes one; whoever reads along has it at once.
    pub(super) fn write(&mut self, answer: &Answer) -> io::Result<()> {
        let first = self.count == 0;
        self.count += 1;
        match self.format {
            Format::Ndjson => writeln!(self.to, "{}", serde_json::to_string(answer)?)?,
            Format::Json => write!(self.to, "{}{}", if first { "[\n" } else { ",\n" }, serde_json::to_string(answer)?)?,
            Format::Csv => {
                let mut table = Table::new(&COLUMNS);
                table.rows.push(cells(answer)?);
                write!(self.to, "{}", table.csv(first))?;
            }
        }
        self.to.flush()
    }

    /// Writes what is missing at the end.
    pub(super) fn close(mut self) -> io::Result<()> {
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
