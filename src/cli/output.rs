//! Where results go, and in which form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};

use clap::ValueEnum;
use serde::Serialize;
use smtpprobe::demo::Scenario;
use smtpprobe::diagnosis::fill;
use smtpprobe::knowledge::Knowledge;
use smtpprobe::report::{self, Look, Report, safe};

use super::Trouble;
use super::args::OutputArgs;

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

/// Columns in a pipe.
const PIPE_WIDTH: usize = 80;

/// The place that results are written to.
pub(crate) struct Output {
    to: Box<dyn Write>,
    format: Format,
    look: Look,
    quiet: bool,
    terminal: bool,
    written: bool,
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
            to,
            format: args.output,
            look: Look { width, colour, verbose: args.verbose },
            quiet: args.quiet,
            terminal,
            written: false,
        })
    }

    /// Whether somebody may watch: a terminal that is to be drawn on.
    pub(crate) fn is_live(&self) -> bool {
        self.terminal && self.format == Format::Text && !self.quiet && io::stderr().is_terminal()
    }

    /// Whether the verdict is all that will be shown.
    pub(crate) fn is_verdict_alone(&self) -> bool {
        self.quiet && self.format == Format::Text
    }

    pub(crate) fn look(&self) -> Look {
        self.look
    }

    /// Writes a report, where the form allows to write each when it is there.
    pub(crate) fn report(&mut self, report: &Report, knowledge: &Knowledge) -> Result<(), Trouble> {
        self.item(report, || report::headline(report, knowledge), |look| report::render(report, knowledge, look))
    }

    /// Writes a result, where the form allows to write each when it is there: in one line, or in full.
    pub(crate) fn item<T: Serialize>(
        &mut self,
        item: &T,
        headline: impl FnOnce() -> String,
        render: impl FnOnce(Look) -> String,
    ) -> Result<(), Trouble> {
        let text = match self.format {
            Format::Text if self.quiet => headline(),
            Format::Text => {
                let gap = if std::mem::replace(&mut self.written, true) { "\n" } else { "" };
                format!("{gap}{}", render(self.look))
            }
            Format::Ndjson => report::lines(std::slice::from_ref(item)).map_err(io::Error::from)?,
            Format::Json => return Ok(()),
        };
        self.write(&text)
    }

    /// Writes what had to wait for the last result.
    pub(crate) fn finish<T: Serialize>(&mut self, items: &[T]) -> Result<(), Trouble> {
        if self.format == Format::Json {
            let text = report::array(items).map_err(io::Error::from)?;
            self.write(&text)?;
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, text: &str) -> Result<(), Trouble> {
        self.to.write_all(text.as_bytes())?;
        Ok(self.to.flush()?)
    }
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
