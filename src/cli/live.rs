//! On a terminal: one line for each open session, on standard error, until the report takes its place.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use smtpprobe::diagnosis::{place, quote};
use smtpprobe::probe::Progress;
use smtpprobe::report::safe;
use smtpprobe::smtp::{Event, Transcript};

/// The lines; none are drawn where nobody watches.
pub(crate) struct Live {
    lines: Option<MultiProgress>,
    open: RefCell<BTreeMap<SocketAddr, ProgressBar>>,
}

impl Live {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { lines: wanted.then(MultiProgress::new), open: RefCell::default() }
    }

    pub(crate) fn show(&self, progress: Progress<'_>) {
        let (Some(lines), Progress::Session { name, address, transcript, over }) = (&self.lines, progress) else { return };
        let mut open = self.open.borrow_mut();
        let line = open.entry(address).or_insert_with(|| {
            let line = lines.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                line.set_style(style);
            }
            line.enable_steady_tick(Duration::from_millis(120));
            line
        });
        line.set_message(format!("{}  {}", safe(&place(name, address)), last_word(transcript)));
        if over {
            line.finish_and_clear();
        }
    }

    /// Takes all lines away.
    pub(crate) fn clear(&self) {
        if let Some(lines) = &self.lines {
            for line in self.open.borrow().values() {
                line.finish_and_clear();
            }
            let _ = lines.clear();
        }
    }
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
