//! Lines of a width: what every text for people is laid out with, and the one place where it is made safe.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::safe;
use crate::knowledge::{Actor, Fix};

/// How it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns; never exceeded except by a word that is longer.
    pub width: usize,
    /// Whether ANSI colours are used.
    pub colour: bool,
    /// Whether everything is unfolded, with the bytes.
    pub verbose: bool,
}

/// The word for a value, by the name that it has in JSON.
pub(crate) fn name_in(words: &BTreeMap<String, String>, value: impl serde::Serialize) -> String {
    let name = super::name(value);
    words.get(&name).cloned().unwrap_or(name)
}

/// What to do, behind the name of who should do it; waiting is for everybody.
pub(crate) fn to_do(actors: &BTreeMap<String, String>, fix: &Fix) -> String {
    match fix.actor {
        Actor::Nobody | Actor::Wait => fix.text.clone(),
        actor => format!("{}: {}", name_in(actors, actor), fix.text),
    }
}

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const SOFT: Style = Style::new().dimmed();
pub(crate) const SENT: Style = AnsiColor::Cyan.on_default();
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default();

/// Lines of a width, safe to show.
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) width: usize,
    colour: bool,
}

impl Page {
    pub(crate) fn new(look: Look) -> Self {
        Self { text: String::new(), width: look.width.max(30), colour: look.colour }
    }

    /// A paragraph: `text` behind `first`, further lines behind `rest`.
    pub(crate) fn paragraph(&mut self, style: Style, first: &str, rest: &str, text: &str) {
        for line in self.wrapped(first, rest, text) {
            self.line(style, &line);
        }
    }

    pub(crate) fn wrapped(&self, first: &str, rest: &str, text: &str) -> Vec<String> {
        let first = safe(first);
        // A host name is not broken at its hyphens: it has to survive copying.
        let options = textwrap::Options::new(self.width)
            .initial_indent(&first)
            .subsequent_indent(rest)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::wrap(&safe(text), options).into_iter().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Two texts at both ends of a line; the right one goes below where both do not fit.
    pub(crate) fn ends(&mut self, style: Style, left: &str, right: &str) {
        let (left, right) = (safe(left), safe(right));
        let room = self.width.saturating_sub(left.width() + right.width());
        if right.is_empty() {
            self.paragraph(style, "", "  ", &left);
        } else if room >= 2 {
            self.line(style, &format!("{left}{}{right}", " ".repeat(room)));
        } else {
            self.paragraph(style, "", "  ", &left);
            self.paragraph(PLAIN, "  ", "  ", &right);
        }
    }

    /// One line as it is; it must be safe already.
    pub(crate) fn line(&mut self, style: Style, line: &str) {
        if self.colour && style != PLAIN {
            let _ = writeln!(self.text, "{style}{line}{style:#}");
        } else {
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// One line of parts, each in a style of its own; they must be safe already.
    pub(crate) fn parts(&mut self, parts: &[(Style, String)]) {
        let mut line = String::new();
        let last = parts.iter().rposition(|(_, text)| !text.trim_end().is_empty()).map_or(0, |last| last + 1);
        for (style, text) in &parts[..last] {
            if self.colour && *style != PLAIN {
                let _ = write!(line, "{style}{text}{style:#}");
            } else {
                line.push_str(text);
            }
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }

    pub(crate) fn gap(&mut self) {
        self.text.push('\n');
    }
}
