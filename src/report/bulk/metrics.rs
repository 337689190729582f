//! A run in figures, as Prometheus reads them (text exposition format 0.0.4): names as its conventions want them, base units, and no
//! more series for a longer list. Of destinations only those are named where most wait; nobody's address is.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use crate::bulk::Settled;
use crate::bulk::tally::{Busy, Tally};
use crate::report::{name, safe};

/// What the text is, for whoever fetches it.
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const OUTCOMES: [Settled; 6] =
    [Settled::Accepted, Settled::Rejected, Settled::Deferred, Settled::Unreachable, Settled::Inconclusive, Settled::Invalid];

/// The text; a run that goes on from a journal counts what it does itself. `began` is in seconds since 1970, and `since` is the time
/// since then.
#[must_use]
pub fn metrics(tally: &Tally, began: u64, since: Duration) -> String {
    let mut text = Exposition::default();
    text.gauge("smtpprobe_build_info", "The version of smtpprobe; always 1.").sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.gauge("smtpprobe_bulk_start_time_seconds", "When the run began, in seconds since 1970.").sample(&[], began);
    text.gauge("smtpprobe_bulk_duration_seconds", "How long the run has been going on.").sample(&[], since.as_secs_f64());
    text.counter("smtpprobe_bulk_lines_read_total", "Lines of the list that were read.").sample(&[], tally.read);
    text.gauge("smtpprobe_bulk_list_read", "Whether the whole list has been read (1) or not (0).").sample(&[], u8::from(tally.all_read));
    text.counter("smtpprobe_bulk_answers_total", "Lines that were answered, by outcome.");
    for outcome in OUTCOMES {
        text.sample(&[("outcome", &name(outcome))], tally.of(outcome));
    }
    text.gauge("smtpprobe_bulk_sessions_open", "SMTP sessions that are open.").sample(&[], tally.open);
    text.counter("smtpprobe_bulk_sessions_begun_total", "SMTP sessions that were begun, with those that got no connection.")
        .sample(&[], tally.begun);
    text.counter("smtpprobe_bulk_lookups_total", "Domains whose mail hosts were looked up, by result.");
    let lookups = tally.lookups;
    for (result, count) in [("found", lookups.found), ("none", lookups.none), ("failed", lookups.failed)] {
        text.sample(&[("result", result)], count);
    }
    text.gauge("smtpprobe_bulk_lookups_open", "Domains whose mail hosts are being looked up.").sample(&[], lookups.open);
    text.gauge("smtpprobe_bulk_mailboxes_waiting", "Mailboxes that wait for their turn at a destination.").sample(&[], tally.waiting);
    text.gauge("smtpprobe_bulk_mailboxes_put_off", "Mailboxes that were put off and are asked again later.").sample(&[], tally.put_off);
    text.gauge("smtpprobe_bulk_destinations", "Destinations that are remembered.").sample(&[], tally.destinations);
    destinations(&mut text, &tally.busiest);
    text.0
}

/// What can be told of one destination.
type Figure = fn(&Busy) -> Option<f64>;

#[allow(clippy::cast_precision_loss, reason = "the window is far below 2^52")]
fn destinations(text: &mut Exposition, busiest: &[Busy]) {
    const FIGURES: [(&str, &str, Figure); 5] = [
        (
            "smtpprobe_bulk_destination_mailboxes_waiting",
            "Mailboxes that wait for their turn, at the ten destinations where most wait or are put off.",
            |busy| Some(busy.waiting as f64),
        ),
        ("smtpprobe_bulk_destination_mailboxes_put_off", "Mailboxes that were put off, at the same destinations.", |busy| {
            Some(busy.put_off as f64)
        }),
        ("smtpprobe_bulk_destination_sessions_open", "SMTP sessions that are open, at the same destinations.", |busy| {
            Some(busy.open as f64)
        }),
        (
            "smtpprobe_bulk_destination_limit_recipients_per_second",
            "Recipients a second that are allowed now, at those of them where they are limited.",
            |busy| busy.rate,
        ),
        ("smtpprobe_bulk_destination_pause_seconds", "How long nothing is asked, at the same destinations.", |busy| {
            Some(busy.pause.as_secs_f64())
        }),
    ];
    for (family, help, figure) in FIGURES {
        text.gauge(family, help);
        for busy in busiest {
            if let Some(value) = figure(busy) {
                text.sample(&[("destination", &safe(&busy.name))], value);
            }
        }
    }
}

/// Families of figures, each with its samples behind it.
#[derive(Default)]
struct Exposition(String, &'static str);

impl Exposition {
    fn gauge(&mut self, family: &'static str, help: &str) -> &mut Self {
        self.family(family, "gauge", help)
    }

    fn counter(&mut self, family: &'static str, help: &str) -> &mut Self {
        self.family(family, "counter", help)
    }

    fn family(&mut self, family: &'static str, kind: &str, help: &str) -> &mut Self {
        self.1 = family;
        let _ = write!(self.0, "# HELP {family} {help}\n# TYPE {family} {kind}\n");
        self
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels: Vec<String> = labels.iter().map(label).collect();
        let braced = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{}{braced} {value}", self.1);
    }
}

/// A label's value within its quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::tally::Lookups;

    #[test]
    fn the_figures_of_a_run() {
        let busy =
            |name: &str, rate| Busy { name: name.to_owned(), waiting: 7, put_off: 2, open: 1, rate, pause: Duration::from_millis(1500) };
        let tally = Tally {
            read: 120,
            settled: [80, 9, 1, 2, 0, 3],
            open: 4,
            begun: 6,
            lookups: Lookups { found: 5, none: 1, failed: 2, open: 3 },
            waiting: 20,
            put_off: 5,
            destinations: 5,
            busiest: vec![busy("mx1.example.net", Some(12.5)), busy("mx\"\\\n.test", None)],
            slowest: None,
            all_read: false,
        };
        insta::assert_snapshot!(
            metrics(&tally, 1_767_323_045, Duration::from_millis(61_250)).replace(env!("CARGO_PKG_VERSION"), "VERSION")
        );
    }

    #[test]
    fn a_run_that_begins_has_all_families_with_zeros() {
        let text = metrics(&Tally::default(), 0, Duration::ZERO);
        assert!(text.contains("smtpprobe_bulk_answers_total{outcome=\"inconclusive\"} 0\n") && text.ends_with('\n'), "{text}");
        assert!(!text.contains("destination=\""));
    }
}
