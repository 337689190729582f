//! On a terminal: one line for each open session, on standard error, until the report takes its place.

use std::net::SocketAddr;
use std::time::Duration;

use smtpprobe::diagnosis::{place, quote};
use smtpprobe::probe::{Pause, Progress};
use smtpprobe::report::safe;
use smtpprobe::smtp::{Event, Transcript};

use super::lines::Lines;

/// The lines, until it is dropped; none are drawn where nobody watches.
pub(crate) struct Live {
    lines: Option<Lines<SocketAddr>>,
    /// Whether a long wait is told where no lines are drawn.
    announces: bool,
}

impl Live {
    pub(crate) fn new(wanted: bool, announces: bool) -> Self {
        Self { lines: wanted.then(Lines::new), announces }
    }

    pub(crate) fn show(&self, progress: Progress<'_>) {
        match (&self.lines, progress) {
            (Some(lines), Progress::Session { name, address, transcript, over }) => {
                let words = format!("{}  {}", safe(&place(name, address)), last_word(transcript));
                draw(lines, address, words, over);
            }
            (Some(lines), Progress::Waiting(Pause { name, address, left, .. })) => {
                let words = format!("{}  greylisted, asked again in {} s", safe(&place(name, address)), whole_seconds(left));
                draw(lines, address, words, left.is_zero());
            }
            (None, Progress::Waiting(Pause { name, address, left, begins: true })) if self.announces => {
                eprintln!("smtpprobe: {} greylists; asked again in {} s", safe(&place(name, address)), whole_seconds(left));
            }
            _ => {}
        }
    }
}

fn draw(lines: &Lines<SocketAddr>, address: SocketAddr, words: String, over: bool) {
    if over { lines.remove(&address) } else { lines.show(address, words) }
}

/// Seconds, the last one begun counted as one.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// The last thing said, by either side.
fn last_word(transcript: &Transcript) -> String {
    let words = match transcript.events.last().map(|(_, event)| event) {
        None => "...".to_owned(),
        Some(Event::Connected(_)) => "connected".to_owned(),
        Some(Event::Sent { command, .. }) => format!("-> {command}"),
        Some(Event::Received { reply, .. }) => format!("<- {}", quote(reply)),
        Some(Event::Content { written, of, .. }) => format!("-> {written} of {of} octets"),
        Some(Event::Secured(tls)) => tls.version.clone(),
        Some(Event::Surveyed(legacy)) => legacy.version.to_string(),
        Some(Event::Premature { .. }) => "** unexpected bytes".to_owned(),
        Some(Event::Broke { failure, .. }) => smtpprobe::diagnosis::failure_words(failure),
    };
    safe(&words)
}
