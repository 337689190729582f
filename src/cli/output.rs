//! Where results go, and in which form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};

use clap::ValueEnum;
use serde::Serialize;
use smtpprobe::demo::{Arrived, Scenario};
use smtpprobe::diagnosis::fill;
use smtpprobe::knowledge::Knowledge;
use smtpprobe::report::{self, Look, Report, Table, safe};

use super::Trouble;
use super::args::{OutputArgs, ReportArgs};

/// The forms of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object; of several targets an array
    Json,
    /// One JSON object a line
    Ndjson,
    /// Rows for a spreadsheet
    Csv,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    Always,
    Never,
}

/// Lines of a message that arrived in the demo's world.
const SHOWN_LINES: usize = 100;
/// Columns in a pipe.
const PIPE_WIDTH: usize = 80;

/// The place that results are written to.
pub(crate) struct Output {
    to: BufWriter<Box<dyn Write>>,
    format: Format,
    look: Look,
    quiet: bool,
    compact: bool,
    /// What parts the last result from one that takes a line.
    gap: &'static str,
    terminal: bool,
    /// Results so far.
    count: usize,
    /// The only JSON object so far: whether it stands alone or in an array is known with the second, or at the end.
    held: Option<String>,
    /// The last result, as it is written again.
    last: String,
    /// Where reports are kept as well.
    record: Option<Box<Output>>,
}

impl Output {
    /// Opens it; a file is made anew.
    pub(crate) fn open(args: &OutputArgs) -> Result<Self, Trouble> {
        let to: Box<dyn Write> = match &args.output_file {
            Some(path) => match File::create(path) {
                Ok(file) => Box::new(file),
                Err(error) => return Err(Trouble::Usage(format!("{} cannot be written: {error}", path.display()))),
            },
            None => Box::new(io::stdout().lock()),
        };
        let terminal = args.output_file.is_none() && io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = match args.color {
            Colour::Auto => terminal && !plain,
            Colour::Always => true,
            Colour::Never => false,
        };
        let columns = terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
        let width = columns.filter(|_| terminal).unwrap_or(PIPE_WIDTH);
        Ok(Self {
            to: BufWriter::with_capacity(1 << 16, to),
            format: args.output,
            look: Look { width, colour, verbose: args.verbose },
            quiet: args.quiet,
            compact: false,
            gap: "",
            terminal,
            count: 0,
            held: None,
            last: String::new(),
            record: None,
        })
    }

    /// The same for reports, which may be kept in a file as well.
    pub(crate) fn of_reports(args: &ReportArgs) -> Result<Self, Trouble> {
        let record = args.record.as_ref().map(|path| {
            let (output, output_file) = (Format::Json, Some(path.clone()));
            Self::open(&OutputArgs { output, output_file, color: Colour::Never, verbose: false, quiet: false }).map(Box::new)
        });
        Ok(Self { record: record.transpose()?, ..Self::open(&args.output)? })
    }

    /// Whether somebody may watch: a terminal that is to be drawn on.
    pub(crate) fn is_live(&self) -> bool {
        self.terminal && self.format == Format::Text && !self.quiet && io::stderr().is_terminal()
    }

    /// Whether the verdict is all that will be shown.
    pub(crate) fn is_verdict_alone(&self) -> bool {
        self.quiet && self.format == Format::Text
    }

    pub(crate) const fn is_text(&self) -> bool {
        matches!(self.format, Format::Text)
    }

    /// Whether everything is shown to people.
    pub(crate) fn is_unfolded(&self) -> bool {
        self.format == Format::Text && self.look.verbose
    }

    pub(crate) fn look(&self) -> Look {
        self.look
    }

    /// One line for each result from now on, unless everything is to be unfolded: there will be many.
    pub(crate) fn close_up(&mut self) {
        self.compact = !self.look.verbose;
    }

    /// Each result in full again.
    pub(crate) fn unfold(&mut self) {
        self.compact = false;
    }

    /// Writes a report.
    pub(crate) fn report(&mut self, report: &Report, knowledge: &Knowledge) -> Result<(), Trouble> {
        if let Some(record) = &mut self.record {
            record.report(report, knowledge)?;
        }
        let render = |look| report::render(report, knowledge, look);
        self.item(report, || report::headline(report, knowledge), render, || report::table(report))?;
        self.flush()
    }

    /// Writes a result in whichever form is wanted.
    pub(crate) fn item<T: Serialize>(
        &mut self,
        item: &T,
        headline: impl FnOnce() -> String,
        render: impl FnOnce(Look) -> String,
        table: impl FnOnce() -> Table,
    ) -> Result<(), Trouble> {
        self.last = match self.format {
            Format::Text if self.quiet || self.compact => headline(),
            Format::Text => render(self.look),
            Format::Ndjson => report::lines(std::slice::from_ref(item)).map_err(io::Error::from)?,
            Format::Json => report::array(std::slice::from_ref(item)).map_err(io::Error::from)?,
            Format::Csv => table().csv(self.count == 0),
        };
        self.put()?;
        if self.format == Format::Csv && self.count == 1 {
            // Another one comes without the head.
            self.last = self.last.split_once('\n').map(|(_, rows)| rows.to_owned()).unwrap_or_default();
        }
        Ok(())
    }

    /// The last result as it was written.
    pub(crate) fn last_written(&self) -> &str {
        &self.last
    }

    /// Writes once more what was written before.
    pub(crate) fn again(&mut self, text: &str) -> Result<(), Trouble> {
        self.last.clear();
        self.last.push_str(text);
        self.put()
    }

    /// The last result takes its place among the others.
    fn put(&mut self) -> Result<(), Trouble> {
        let first = self.count == 0;
        self.count += 1;
        // A blank line stands on both sides of what is more than a line.
        let folded = self.quiet || self.compact;
        let gap = std::mem::replace(&mut self.gap, if folded { "" } else { "\n" });
        match self.format {
            Format::Json if first => {
                self.held = Some(self.last.clone());
                Ok(())
            }
            Format::Json => {
                if let Some(held) = self.held.take() {
                    write!(self.to, "[\n{}", within(&held))?;
                }
                Ok(write!(self.to, ",\n{}", within(&self.last))?)
            }
            Format::Text if !first && !folded => Ok(write!(self.to, "\n{}", self.last)?),
            Format::Text => Ok(write!(self.to, "{gap}{}", self.last)?),
            _ => Ok(self.to.write_all(self.last.as_bytes())?),
        }
    }

    /// Ends what was begun.
    pub(crate) fn close(&mut self) -> Result<(), Trouble> {
        match (self.format, self.held.take()) {
            (Format::Json, Some(held)) => self.to.write_all(held.as_bytes())?,
            (Format::Json, None) if self.count == 0 => self.to.write_all(b"[]\n")?,
            (Format::Json, None) => self.to.write_all(b"\n]\n")?,
            _ => {}
        }
        if let Some(record) = &mut self.record {
            record.close()?;
        }
        self.flush()
    }

    /// Lets others see what was written.
    pub(crate) fn flush(&mut self) -> Result<(), Trouble> {
        Ok(self.to.flush()?)
    }

    /// Writes what is no result.
    pub(crate) fn write(&mut self, text: &str) -> Result<(), Trouble> {
        self.to.write_all(text.as_bytes())?;
        self.flush()
    }
}

/// A JSON object as it stands within an array.
fn within(object: &str) -> String {
    format!("  {}", object.trim_end().replace('\n', "\n  "))
}

/// A message as it arrived in the demo's world, line by line; of a long one the beginning.
pub(crate) fn arrived(message: &Arrived, phrases: &BTreeMap<String, String>) -> String {
    let phrase = |key: &str, value: String| fill(phrases.get(key).map_or("", String::as_str), |_| Some(value.clone()));
    let text = String::from_utf8_lossy(&message.octets);
    let mut lines = text.lines();
    let mut shown = format!("\n{}\n", phrase("arrived", message.to.to_string()));
    for line in lines.by_ref().take(SHOWN_LINES) {
        let _ = writeln!(shown, "  {}", safe(line));
    }
    let more = lines.count();
    if more > 0 {
        let _ = writeln!(shown, "  {}", phrase("arrived_more", more.to_string()));
    }
    shown
}

/// The demo's mailboxes, a line each.
pub(crate) fn demo_list(scenarios: &[Scenario], phrases: &BTreeMap<String, String>, look: Look) -> String {
    let widest = scenarios.iter().map(|scenario| scenario.address.chars().count()).max().unwrap_or(0);
    let phrase = |key: &str| phrases.get(key).cloned().unwrap_or_default();
    let mut text = textwrap::fill(&phrase("intro"), look.width) + "\n\n";
    // Beside the address where there is room for some words, else below it.
    let beside = look.width >= widest + 4 + 24;
    for scenario in scenarios {
        let title = safe(&scenario.title);
        let first = if beside { format!("  {:<widest$}  ", scenario.address) } else { format!("  {}\n    ", scenario.address) };
        let rest = if beside { " ".repeat(widest + 4) } else { "    ".to_owned() };
        let lines = textwrap::wrap(&title, look.width.saturating_sub(rest.len()).max(1));
        let _ = writeln!(text, "{first}{}", lines.join(&format!("\n{rest}")));
    }
    let first = scenarios.iter().find(|scenario| scenario.address.starts_with("full@")).or(scenarios.first());
    let try_this = fill(&phrase("try"), |_| first.map(|scenario| scenario.address.clone()));
    let _ = writeln!(text, "\n{try_this}");
    text
}
