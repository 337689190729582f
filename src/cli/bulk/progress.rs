//! How far a run has come: one line on a terminal, else a line a minute, on standard error.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use smtpprobe::bulk::{Settled, Tally};
use smtpprobe::report::safe;

use super::super::lines::Lines;

/// Where nobody watches, it is told this often.
const SELDOM: Duration = Duration::from_secs(60);

/// Tells how far it has come.
pub(super) struct Progress {
    line: Option<Lines<()>>,
    quiet: bool,
    /// What [`Tally::open`] counts.
    open: &'static str,
    began: Instant,
    told: Instant,
    /// When the last tally was taken, and what was answered by then.
    last: (Instant, u64),
    rate: f64,
}

impl Progress {
    /// `open` is what the tally counts as open. Where `answers` go to the terminal themselves, a line would only stand between them.
    pub(super) fn new(quiet: bool, answers: Option<&PathBuf>, open: &'static str) -> Self {
        let between = answers.is_none() && io::stdout().is_terminal();
        let line = (!quiet && !between && io::stderr().is_terminal()).then(Lines::new);
        let now = Instant::now();
        Self { line, quiet, open, began: now, told: now, last: (now, 0), rate: 0.0 }
    }

    pub(super) fn show(&mut self, tally: &Tally) {
        let now = Instant::now();
        let (before, answered) = self.last;
        let passed = now.duration_since(before).as_secs_f64();
        if passed > 0.5 {
            #[allow(clippy::cast_precision_loss, reason = "a count of lines")]
            let current = (tally.answered() - answered) as f64 / passed;
            self.rate = if answered == 0 { current } else { self.rate * 0.7 + current * 0.3 };
            self.last = (now, tally.answered());
        }
        if let Some(line) = &self.line {
            line.show((), words(tally, self.rate, self.open));
        } else if !self.quiet && now.duration_since(self.told) >= SELDOM {
            self.told = now;
            eprintln!("smtpprobe: {}", words(tally, self.rate, self.open));
        }
    }

    /// What it has come to; nothing where nothing was to be asked.
    pub(super) fn end(&mut self, tally: &Tally) {
        self.line = None;
        if !self.quiet && (tally.read > 0 || !tally.all_read) {
            let passed = self.began.elapsed().as_secs_f64();
            #[allow(clippy::cast_precision_loss, reason = "a count of lines")]
            let rate = tally.answered() as f64 / passed.max(0.001);
            eprintln!("smtpprobe: {} in {passed:.0} s", words(&Tally { slowest: None, ..tally.clone() }, rate, self.open));
        }
    }

    /// Says so where the list was read, and nothing was to be asked.
    pub(super) fn nothing(&self, tally: &Tally, before: u64) {
        if let Some(words) = nothing_to_ask(tally, before).filter(|_| !self.quiet) {
            eprintln!("smtpprobe: {words}");
        }
    }
}

/// Why nothing was asked, when so many lines had an answer `before`; none if something was to be.
fn nothing_to_ask(tally: &Tally, before: u64) -> Option<&'static str> {
    match (tally.read, before) {
        (1.., _) => None,
        (0, _) if !tally.all_read => None,
        (0, 0) => Some("the list has no line to answer: it is empty, or there are only blank lines, comments or a table's head"),
        (0, _) => Some("nothing is left to ask: every line of the list has its answer"),
    }
}

fn words(tally: &Tally, rate: f64, open: &str) -> String {
    let kinds = [
        (Settled::Accepted, "accepted"),
        (Settled::Rejected, "rejected"),
        (Settled::Deferred, "deferred"),
        (Settled::Unreachable, "unreachable"),
        (Settled::Inconclusive, "inconclusive"),
        (Settled::Invalid, "no address"),
    ];
    let counts: Vec<String> =
        kinds.iter().filter(|(kind, _)| tally.of(*kind) > 0).map(|(kind, name)| format!("{} {name}", tally.of(*kind))).collect();
    let counts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    let left = tally.read - tally.answered();
    let more = if tally.all_read { "" } else { ", list read in part" };
    let slowest = tally.slowest.as_ref().map(|(name, waits)| format!(", most at {}: {waits}", safe(name))).unwrap_or_default();
    format!("{} answered{counts}, {left} left{more}, {rate:.0}/s, {} {open}{slowest}", tally.answered(), tally.open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_lines_is_told_from_one_that_is_answered() {
        let tally = Tally { all_read: true, ..Tally::default() };
        assert!(nothing_to_ask(&tally, 0).is_some_and(|words| words.starts_with("the list has no line")));
        assert!(nothing_to_ask(&tally, 7).is_some_and(|words| words.starts_with("nothing is left")));
        assert_eq!(nothing_to_ask(&Tally { read: 1, ..tally.clone() }, 0), None);
        assert_eq!(nothing_to_ask(&Tally { all_read: false, ..tally }, 0), None, "stopped before it could be read");
    }

    #[test]
    fn the_line_tells_what_there_is() {
        let mut tally = Tally { read: 20, open: 2, ..Tally::default() };
        assert_eq!(words(&tally, 0.0, "sessions"), "0 answered, 20 left, list read in part, 0/s, 2 sessions");
        tally.settled[Settled::Accepted as usize] = 12;
        tally.settled[Settled::Invalid as usize] = 1;
        tally.slowest = Some(("mx.example.com".to_owned(), 7));
        tally.all_read = true;
        assert_eq!(
            words(&tally, 4.4, "sessions"),
            "13 answered (12 accepted, 1 no address), 7 left, 4/s, 2 sessions, most at mx.example.com: 7"
        );
    }
}
