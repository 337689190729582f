//! How far a run has come: one line on a terminal, else a line a minute, on standard error.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use smtpprobe::bulk::{Settled, Tally};
use smtpprobe::report::safe;

/// Where nobody watches, it is told this often.
const SELDOM: Duration = Duration::from_secs(60);

/// Tells how far it has come.
pub(super) struct Progress {
    line: Option<ProgressBar>,
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
    /// `open` is what the tally counts as open.
    pub(super) fn new(quiet: bool, open: &'static str) -> Self {
        let line = (!quiet && io::stderr().is_terminal()).then(ProgressBar::new_spinner);
        if let (Some(line), Ok(style)) = (&line, ProgressStyle::with_template("{spinner} {wide_msg}")) {
            line.set_style(style);
        }
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
            line.set_message(words(tally, self.rate, self.open));
            line.tick();
        } else if !self.quiet && now.duration_since(self.told) >= SELDOM {
            self.told = now;
            eprintln!("smtpprobe: {}", words(tally, self.rate, self.open));
        }
    }

    /// Takes the line off the terminal.
    pub(super) fn clear(&self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }

    /// What it has come to.
    pub(super) fn end(&self, tally: &Tally) {
        self.clear();
        if !self.quiet {
            let passed = self.began.elapsed().as_secs_f64();
            #[allow(clippy::cast_precision_loss, reason = "a count of lines")]
            let rate = tally.answered() as f64 / passed.max(0.001);
            eprintln!("smtpprobe: {} in {passed:.0} s", words(&Tally { slowest: None, ..tally.clone() }, rate, self.open));
        }
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
