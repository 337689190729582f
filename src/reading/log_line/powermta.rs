//! Lines of `PowerMTA`'s accounting files: CSV, with the columns named in the first line of a file.
//!
//! (`PowerMTA` User's Guide, "Accounting and statistics"; without the first line, the order of the default configuration is assumed.)

use super::exchange::cells;
use super::words::{because, host, name_of};
use crate::reading::{Action, RecipientReport};

/// A line is not read beyond so many columns.
const COLUMNS: usize = 64;

/// Where the columns that matter stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    recipient: usize,
    original: usize,
    action: usize,
    status: usize,
    diagnostic: usize,
    mta: usize,
}

impl Columns {
    const USUAL: Self = Self { recipient: 4, original: 5, action: 6, status: 7, diagnostic: 8, mta: 9 };

    /// Those that the line `type,timeLogged,…` names; none if this is another line.
    pub(super) fn named(line: &str) -> Option<Self> {
        line.strip_prefix("type,time")?;
        let names: Vec<&str> = line.split(',').map(str::trim).take(COLUMNS).collect();
        let place = |name: &str| names.iter().position(|other| other.eq_ignore_ascii_case(name)).unwrap_or(COLUMNS);
        Some(Self {
            recipient: place("rcpt"),
            original: place("orcpt"),
            action: place("dsnAction"),
            status: place("dsnStatus"),
            diagnostic: place("dsnDiag"),
            mta: place("dsnMta"),
        })
    }
}

/// Whether `line` begins with the type of a record and a time: `b,2025-03-04 10:11:00+0000,`.
pub(super) fn is_one(line: &str) -> bool {
    let Some((kind, rest)) = line.split_once(',') else { return false };
    let time = rest.trim_start_matches('"').as_bytes();
    matches!(kind, "d" | "b" | "t" | "rb" | "rs") && time.len() > 19 && time[4] == b'-' && time[7] == b'-' && time[13] == b':'
}

pub(super) fn read(line: &str, columns: Option<&Columns>) -> Option<RecipientReport> {
    let columns = columns.copied().unwrap_or(Columns::USUAL);
    let cells = cells(line);
    let cell = |place: usize| cells.get(place).copied().unwrap_or_default().trim();
    let action = match (cell(0), cell(columns.action)) {
        ("d", "relayed") => Action::Relayed,
        ("d", _) => Action::Delivered,
        ("t", _) => Action::Delayed,
        _ => Action::Failed,
    };
    let mut report = RecipientReport { action: Some(action), ..RecipientReport::default() };
    let address = |text: &str| Some(text).filter(|text| !text.is_empty()).map(name_of);
    report.recipient = address(cell(columns.recipient));
    report.original = address(cell(columns.original)).filter(|original| report.recipient.as_ref() != Some(original));
    report.status = cell(columns.status).split(' ').next().and_then(|code| code.parse().ok());
    let diagnostic = cell(columns.diagnostic).replace("\"\"", "\"");
    let diagnostic = diagnostic.split_once(';').filter(|(kind, _)| !kind.contains(' ')).map_or(diagnostic.as_str(), |(_, words)| words);
    because(&mut report, diagnostic.trim());
    if report.diagnostic.is_empty() {
        // `5.1.1 (bad destination mailbox address)`
        because(&mut report, cell(columns.status));
    }
    report.remote_host = host(cell(columns.mta));
    report.recipient.is_some().then_some(report)
}
