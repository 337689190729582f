//! One line of a mail server's log: what became of a message for one recipient, and who said why.
//!
//! Each software has a file here with one function that takes the message or declines. What a log collector puts before a line
//! (RFC 3164, RFC 5424, journald) is taken off first. The line may be a stranger's: everything in it is bounded, and nothing is
//! believed but its form.

mod amavis;
mod courier;
mod dovecot;
mod exchange;
mod exim;
mod haraka;
mod json;
mod opensmtpd;
mod postfix;
mod powermta;
mod prelude;
mod protocol;
mod qmail;
mod sendmail;
mod words;

use self::exchange::Columns;
use self::prelude::{Prelude, Program};
use super::{LIMIT, RecipientReport};

/// What a line of a log says of a message for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Whose log it is: `postfix`, `exim`, `sendmail`, `opensmtpd`, `haraka`, `kumomta`, `exchange`,
    /// `powermta`, `qmail`, `courier`, `dovecot` or `amavis`.
    pub software: &'static str,
    /// What became of the message. Where the line names several recipients alike, it is about the first.
    pub report: RecipientReport,
}

/// Reads a line that stands alone.
///
/// None if it is longer than [`LIMIT`], comes from no log that is known, or has neither a reply nor a reason nor an outcome in it.
#[must_use]
pub fn read(line: &str) -> Option<LogLine> {
    LogReader::default().read(line)
}

/// Reads the lines of a log one after the other. Some name their columns once for a whole file, or a recipient lines before what became
/// of the message, so somebody has to remember.
#[derive(Clone, Debug, Default)]
pub struct LogReader {
    columns: Option<Columns>,
    accounting: Option<powermta::Columns>,
    asked: protocol::Asked,
    deliveries: qmail::Deliveries,
}

impl LogReader {
    /// Reads the next line; none as with [`read`].
    #[must_use]
    pub fn read(&mut self, line: &str) -> Option<LogLine> {
        let line = line.trim();
        if line.len() > LIMIT {
            return None;
        }
        if let Some(names) = line.strip_prefix("#Fields:") {
            // A header and a line of the same file may have been pasted together.
            let (names, rest) = names.split_once('\n').unwrap_or((names, ""));
            self.columns = Some(Columns::named(names));
            return if rest.is_empty() { None } else { self.read(rest) };
        }
        if let Some(columns) = powermta::Columns::named(line) {
            self.accounting = Some(columns);
            return None;
        }
        let of = |software, report: Option<RecipientReport>| report.map(|report| LogLine { software, report });
        match line.as_bytes() {
            [b'{', ..] => return json::read(line),
            _ if exchange::is_one(line) && protocol::is_one(line) => return of("exchange", protocol::read(line, &mut self.asked)),
            _ if powermta::is_one(line) => return of("powermta", powermta::read(line, self.accounting.as_ref())),
            _ if qmail::is_one(line) => return of("qmail", qmail::read(line, &mut self.deliveries)),
            _ if exchange::is_one(line) => return of("exchange", exchange::read(line, self.columns.as_ref())),
            _ if exim::is_one(line) => return of("exim", exim::read(line, None)),
            _ if haraka::is_one(line) => return of("haraka", haraka::read(line)),
            _ => {}
        }
        let Prelude { program, host, message } = prelude::read(line);
        match program {
            Program::Postfix(daemon) => of("postfix", postfix::read(daemon, host, message)),
            Program::Exim => of("exim", exim::read(message, host)),
            Program::Sendmail => of("sendmail", sendmail::read(message, host)),
            Program::OpenSmtpd => of("opensmtpd", opensmtpd::read(message, host)),
            Program::Courier => of("courier", courier::read(message, host)),
            Program::Dovecot => of("dovecot", dovecot::read(message, host)),
            Program::Amavis => of("amavis", amavis::read(message, host)),
            Program::Haraka => of("haraka", haraka::read(message)),
            Program::Unknown => by_content(message, host),
        }
    }
}

/// The daemon of Postfix that wrote `line`, and its message.
pub(super) fn of_postfix(line: &str) -> Option<(&str, &str)> {
    let Prelude { program, message, .. } = prelude::read(line.trim());
    if let Program::Postfix(daemon) = program { Some((daemon, message)) } else { None }
}

/// A message whose program is not told, or has a name that its administrator gave it: known by fields that only one software writes.
fn by_content(message: &str, host: Option<&str>) -> Option<LogLine> {
    let (software, report) = if message.contains(", stat=") || message.contains("ruleset=") {
        ("sendmail", sendmail::read(message, host)?)
    } else if (message.contains("to=<") && (message.contains(" status=") || message.contains("reject: "))) || message.contains(" said: ") {
        ("postfix", postfix::read("smtp", host, message)?)
    } else if message.contains(" result=") {
        ("opensmtpd", opensmtpd::read(message, host)?)
    } else if exim::is_one(message) {
        ("exim", exim::read(message, host)?)
    } else if haraka::is_one(message) {
        ("haraka", haraka::read(message)?)
    } else {
        return None;
    };
    Some(LogLine { software, report })
}

#[cfg(test)]
mod tests;
