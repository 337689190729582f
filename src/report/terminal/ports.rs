//! Which ports can be reached, at a glance: a row for each address, a column for each port.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::{View, duration, place};
use crate::diagnosis::{PortState, fill, gist};
use crate::probe::Role;
use crate::report::page::{BOLD, ODD, PLAIN, SOFT, name_in};
use crate::report::{EventKind, EventPart, SessionPart, safe};
use crate::smtp::{ForeignProtocol, Purpose, Verb};

/// A greeting that takes longer is worth its time in the table.
const LATE_MS: f64 = 1000.0;
/// What the name of another host may take of a cell: as much as the widest of the usual words.
const ROOM: usize = 16;
/// Between two columns.
const GAP: usize = 3;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// One connection in words, with what they are worth.
struct Cell {
    style: Style,
    words: String,
}

/// A host with its addresses, and a cell for each of their ports; or why there are none.
struct Row {
    host: String,
    addresses: Vec<(String, Vec<Cell>)>,
    fault: Option<String>,
}

impl View<'_> {
    /// The table, what greets, and connections beside those asked for.
    pub(super) fn ports(&mut self) {
        let report = self.report;
        let mut ports: Vec<u16> = report.sessions.iter().filter(|s| s.role == Role::Asked).map(|session| session.port).collect();
        ports.extend(report.route.left_out.iter().map(|left| left.port));
        ports.sort_unstable();
        ports.dedup();
        let states: BTreeMap<String, String> = self.knowledge.phrases("port_state");
        let mut rows: Vec<Row> = Vec::new();
        for host in &report.route.hosts {
            let of_address = |ip: &std::net::IpAddr| {
                let cells = ports.iter().map(|port| self.cell(&states, &host.name, *ip, *port)).collect();
                (ip.to_string(), cells)
            };
            let addresses: Vec<(String, Vec<Cell>)> = host.addresses.iter().map(|address| of_address(&address.ip)).collect();
            let fault = addresses.is_empty().then(|| self.fault(host));
            rows.push(Row { host: safe(&host.name), addresses, fault });
        }
        let first = rows.iter().flat_map(|row| &row.addresses).map(|(address, _)| address.width() + 2).max().unwrap_or(0).max(10);
        let widths: Vec<usize> = ports
            .iter()
            .enumerate()
            .map(|(column, port)| {
                let cells = rows.iter().flat_map(|row| &row.addresses).filter_map(|(_, cells)| cells.get(column));
                cells.map(|cell| cell.words.width()).max().unwrap_or(0).max(port.to_string().len())
            })
            .collect();
        let wide = first + widths.iter().map(|width| width + GAP).sum::<usize>() <= self.page.width;
        if wide {
            let mut head = " ".repeat(first);
            for (port, width) in ports.iter().zip(&widths) {
                let _ = write!(head, "{:GAP$}{port:<width$}", "");
            }
            self.page.line(BOLD, head.trim_end());
        }
        for Row { host, addresses, fault } in rows {
            if addresses.iter().all(|(address, _)| *address != host) {
                self.page.paragraph(BOLD, "", "  ", &host);
            }
            if let Some(fault) = fault {
                self.page.paragraph(PLAIN, "  ", "    ", &fault);
            }
            for (address, cells) in addresses {
                if wide {
                    let mut line = vec![(PLAIN, format!("  {address:<rest$}", rest = first - 2))];
                    for (cell, width) in cells.into_iter().zip(&widths) {
                        line.push((PLAIN, " ".repeat(GAP)));
                        let room = width.saturating_sub(cell.words.width());
                        line.push((cell.style, cell.words));
                        line.push((PLAIN, " ".repeat(room)));
                    }
                    self.page.parts(&line);
                } else {
                    self.page.line(PLAIN, &format!("  {address}"));
                    for (cell, port) in cells.into_iter().zip(&ports) {
                        self.page.parts(&[(PLAIN, format!("    {port:>5}  ")), (cell.style, cell.words)]);
                    }
                }
            }
            self.greetings(&host);
        }
        // A second try that worked stands in its cell, and unfolded sessions follow the table.
        let verbose = self.look.verbose;
        let told = |session: &&SessionPart| verbose || (session.role == Role::OtherMode && session.state.is_open());
        for session in report.sessions.iter().filter(|session| session.role != Role::Asked && !told(session)) {
            self.beside_line(session);
        }
        self.page.gap();
    }

    /// What the servers of a host greet with, each once.
    fn greetings(&mut self, host: &str) {
        let mut shown: Vec<String> = Vec::new();
        for session in self.report.sessions.iter().filter(|s| s.role == Role::Asked && safe(&s.host) == host) {
            let Some(greeting) = session.events.iter().find(|event| event.answers == Some(Verb::Connect)) else { continue };
            let code = greeting.code.map(|code| format!("{code:03} ")).unwrap_or_default();
            let words = format!("{code}{}", greeting.lines.join(" "));
            if !shown.contains(&gist(&words)) {
                shown.push(gist(&words));
                let line = self.page.wrapped("  ", "    ", &words).into_iter().next().unwrap_or_default();
                self.page.line(SOFT, &line);
            }
        }
    }

    /// A connection that nobody asked for, in one line.
    pub(super) fn beside_line(&mut self, session: &SessionPart) {
        let roles: BTreeMap<String, String> = self.knowledge.phrases("role");
        let role = name_in(&roles, session.role);
        let failure = session.events.iter().find_map(|event| event.failure.clone());
        let what = match session.role {
            Role::OldTls => {
                let chosen = session.old_tls.as_ref().map(|old| format!("{} with {}", old.version, old.cipher));
                std::iter::once(role).chain(chosen.or(failure)).collect::<Vec<_>>().join(", ")
            }
            Role::Injection => {
                let obeyed = session.events.iter().any(|event| event.purpose == Some(Purpose::Injection) && event.code.is_some());
                let key = if obeyed && session.certificate.is_some() { "injection_obeyed" } else { "injection_dropped" };
                failure.map_or_else(|| roles.get(key).cloned().unwrap_or_default(), |failure| format!("{role}, {failure}"))
            }
            _ => format!("{role}, {}", words(&self.knowledge.phrases("port_state"), session, None).words),
        };
        self.page.ends(PLAIN, &place(session), &what);
    }

    fn cell(&self, states: &BTreeMap<String, String>, host: &str, ip: std::net::IpAddr, port: u16) -> Cell {
        let at = |session: &&SessionPart| session.address == ip && session.port == port;
        let sessions = || self.report.sessions.iter().filter(at);
        let other_mode = sessions().find(|session| session.role == Role::OtherMode);
        if let Some(session) = sessions().find(|session| session.role == Role::Asked && session.host == host) {
            return words(states, session, other_mode);
        }
        let left = self.report.route.left_out.iter().find(|left| left.host == host && left.address == ip && left.port == port);
        let same = left.is_some_and(|left| left.why == "same_address");
        let asked = sessions().find(|session| session.role == Role::Asked).filter(|_| same);
        let words = asked.and_then(|session| {
            let short = self.short(&session.host);
            states.get("same_address_as").map(|template| fill(template, |_| Some(short.clone())))
        });
        let otherwise = || states.get(if same { "same_address" } else { "left_out" }).cloned().unwrap_or_default();
        Cell { style: SOFT, words: words.map(|words| safe(&words)).filter(|words| words.width() <= ROOM).unwrap_or_else(otherwise) }
    }

    /// The first part of a host's name, if no other host of the route has the same; else the whole name.
    fn short(&self, host: &str) -> String {
        let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let alone = self.report.route.hosts.iter().filter(|other| first(&other.name) == first(host)).count() == 1;
        if alone && host.parse::<std::net::IpAddr>().is_err() { first(host) } else { host.to_owned() }
    }
}

/// What became of a connection, in the room of a cell.
fn words(states: &BTreeMap<String, String>, session: &SessionPart, other_mode: Option<&SessionPart>) -> Cell {
    let greeting = session.events.iter().find(|event| event.answers == Some(Verb::Connect));
    let refusal = greeting.and_then(|event| event.code).filter(|code| *code >= 400);
    let took = greeting.map(|event| event.at_ms - session.began_ms - session.connect_ms.unwrap_or_default());
    let protocol = session.events.iter().find(|event| event.kind == EventKind::Premature).and_then(|event| {
        let known = ForeignProtocol::recognise(event.text.as_deref().unwrap_or_default().as_bytes())?;
        (session.state == PortState::NotSmtp).then(|| known.as_str().to_owned())
    });
    let confirmed = other_mode.filter(|other| other.state.is_open());
    let (key, style) = match (session.state, confirmed.map(|other| other.state)) {
        (_, Some(PortState::Tls)) => ("tls_only", ODD),
        (_, Some(_)) => ("plain_only", ODD),
        (PortState::Greeted, _) if refusal.is_some() => ("greeted_no", ODD),
        (PortState::Greeted, _) if took.is_some_and(|took| took >= LATE_MS) => ("greeted_late", ODD),
        (PortState::NotSmtp, _) if protocol.is_some() => ("not_smtp_but", ODD),
        // Greeted inside TLS: that it was TLS says more.
        (PortState::Greeted, _) if session.tls == "implicit" => ("tls", GOOD),
        (PortState::Greeted, _) => ("greeted", GOOD),
        (PortState::Tls, _) => ("tls", GOOD),
        (PortState::Open, _) => ("open", GOOD),
        (PortState::TlsFailed, _) => ("tls_failed", ODD),
        (PortState::Plain, _) => ("plain", ODD),
        (PortState::Silent, _) => ("silent", ODD),
        (PortState::NotSmtp, _) => ("not_smtp", ODD),
        (PortState::Closed, _) => ("closed", ODD),
        (PortState::Reset, _) => ("reset", BAD),
        (PortState::Refused, _) => ("refused", BAD),
        (PortState::Rejected, _) => ("rejected", BAD),
        (PortState::Filtered, _) => ("filtered", BAD),
        (PortState::Unreachable, _) => ("unreachable", BAD),
        (PortState::NoRoute, _) => ("no_route", SOFT),
        (PortState::Forbidden, _) => ("forbidden", BAD),
        (PortState::Untested, _) => ("untested", SOFT),
    };
    let template = states.get(key).cloned().unwrap_or_default();
    let words = fill(&template, |slot| match slot {
        "time" if key == "greeted_late" => took.map(duration),
        "time" => confirmed.unwrap_or(session).connect_ms.map(duration),
        "code" => refusal.map(|code| code.to_string()),
        "protocol" => protocol.clone(),
        _ => None,
    });
    let offer = if confirmed.is_none() { starttls(session).and_then(|key| states.get(key)) } else { None };
    let words = offer.map_or(words.clone(), |template| fill(template, |_| Some(words.clone())));
    Cell { style, words }
}

/// The name of the phrase for whether STARTTLS is offered; none where that was not asked, or where TLS is up from the first byte.
fn starttls(session: &SessionPart) -> Option<&'static str> {
    let hello = |event: &EventPart| matches!(event.answers, Some(Verb::Ehlo | Verb::Helo)) && event.code.is_some_and(|code| code < 300);
    if session.tls == "implicit" || !session.events.iter().any(hello) {
        return None;
    }
    // Inside TLS it is not offered again.
    let offered = session.tls == "starttls" || session.capabilities.keys().any(|keyword| keyword.eq_ignore_ascii_case("STARTTLS"));
    Some(if offered { "starttls" } else { "no_starttls" })
}
