//! A report of ours that was saved as JSON: its sessions become transcripts again, to be explained with what is known today.
//!
//! Only the fields that the facts stand in are read; what was concluded from them then is left behind. A report may be of another
//! version, or a stranger's: whatever in it makes no sense is passed over.

mod papers;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::papers::{CertificateView, OldTlsView};
use super::conversation::tls_facts;
use super::{Conversation, LIMIT, content, failure, reply};
use crate::smtp::{
    Answers, Command, Connected, Elapsed, Event, Failure, IcmpError, Item, Purpose, Reply, ReplyReader, Said, Stage, Transcript, Verb,
};

/// Names of the contract begin so, whatever its version.
const SCHEMA: &str = "smtpprobe.report/";
/// Bytes that answer nothing are kept up to this many, as in a session.
const PREMATURE: usize = 64 * 1024;

/// What a saved report holds of facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedReport {
    /// What was asked for, as the user wrote it.
    pub target: String,
    /// When the probe began (RFC 3339), as the report has it.
    pub started_at: Option<String>,
    /// The sessions, in the report's order, with their times.
    pub conversations: Vec<Conversation>,
}

/// Reads one report, an array of them, or one after the other, as with a line for each.
///
/// None if `text` is longer than [`LIMIT`], or holds no report. What stands behind a report that was cut off is lost with it.
#[must_use]
pub fn read(text: &str) -> Option<Vec<SavedReport>> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.len() > LIMIT || !text.starts_with(['{', '[']) {
        return None;
    }
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>().map_while(Result::ok);
    let each = values.flat_map(|value| match value {
        Value::Array(all) => all,
        one => vec![one],
    });
    let reports: Vec<SavedReport> = each.filter_map(saved).collect();
    (!reports.is_empty()).then_some(reports)
}

#[derive(Deserialize)]
struct ReportView {
    schema: String,
    target: Option<TargetView>,
    started_at: Option<String>,
    #[serde(default)]
    sessions: Vec<Value>,
}

#[derive(Deserialize)]
struct TargetView {
    #[serde(default)]
    input: String,
}

#[derive(Deserialize)]
struct SessionView {
    role: Option<String>,
    host: Option<String>,
    address: Option<IpAddr>,
    port: Option<u16>,
    #[serde(default)]
    began_ms: f64,
    reached: Option<String>,
    certificate: Option<Value>,
    old_tls: Option<Value>,
    #[serde(default)]
    events: Vec<Value>,
}

#[derive(Deserialize)]
struct EventView {
    #[serde(default)]
    at_ms: f64,
    began_ms: Option<f64>,
    kind: String,
    stage: Option<String>,
    purpose: Option<String>,
    command: Option<String>,
    answers: Option<String>,
    #[serde(default)]
    unasked: bool,
    code: Option<u16>,
    text: Option<String>,
    #[serde(default)]
    lines: Vec<String>,
    raw: Option<String>,
    failure: Option<String>,
    errno: Option<i32>,
    icmp: Option<IcmpView>,
}

#[derive(Deserialize)]
struct IcmpView {
    #[serde(rename = "type")]
    kind: u8,
    code: u8,
    from: IpAddr,
    #[serde(default)]
    here: bool,
}

fn saved(value: Value) -> Option<SavedReport> {
    let report: ReportView = serde_json::from_value(value).ok()?;
    report.schema.starts_with(SCHEMA).then(|| SavedReport {
        target: report.target.map(|target| target.input).unwrap_or_default(),
        started_at: report.started_at,
        conversations: report.sessions.into_iter().filter_map(|session| serde_json::from_value(session).ok()).map(conversation).collect(),
    })
}

fn conversation(session: SessionView) -> Conversation {
    let peer = session.address.zip(session.port).map(SocketAddr::from);
    let mut course =
        Course { peer, certificate: session.certificate, old_tls: session.old_tls, events: Vec::new(), answered: HashSet::new() };
    for event in session.events {
        if let Ok(event) = serde_json::from_value::<EventView>(event) {
            course.add(event);
        }
    }
    let transcript = Transcript { began: elapsed(session.began_ms), events: course.events, reached: named(session.reached.as_deref()) };
    Conversation {
        host: session.host.filter(|host| host.parse::<IpAddr>().is_err()),
        peer,
        asked: session.role.is_none_or(|role| role == "asked"),
        transcript,
    }
}

/// A value by its name in JSON; none if it is none that is known today.
fn named<T: DeserializeOwned>(name: Option<&str>) -> Option<T> {
    serde_json::from_value(Value::from(name?)).ok()
}

fn elapsed(millis: f64) -> Elapsed {
    Elapsed(Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default())
}

/// The events of one session so far.
struct Course {
    peer: Option<SocketAddr>,
    /// What the session knows of TLS; taken by the event that it belongs to.
    certificate: Option<Value>,
    old_tls: Option<Value>,
    events: Vec<(Elapsed, Event)>,
    /// The commands that have their reply.
    answered: HashSet<usize>,
}

impl Course {
    fn add(&mut self, view: EventView) {
        let at = elapsed(view.at_ms);
        if let Some(event) = self.event(view, at) {
            self.events.push((at, event));
        }
    }

    fn event(&mut self, view: EventView, at: Elapsed) -> Option<Event> {
        let began = view.began_ms.map_or(at, elapsed);
        let purpose = named(view.purpose.as_deref()).unwrap_or_default();
        let stage = named(view.stage.as_deref());
        Some(match view.kind.as_str() {
            "connected" => Event::Connected(connected(self.peer?)),
            "sent" => {
                let line = view.command?;
                let command = Command::read(&line).unwrap_or_else(|| Command::Said(Said::unknown(&line)));
                Event::Sent { command, purpose }
            }
            "content" => content::of_words(view.text.as_deref()?)?,
            "reply" => {
                let verb = named(view.answers.as_deref()).unwrap_or(Verb::Connect);
                let answers = if view.unasked { Answers::Nothing } else { self.answers(verb, purpose) };
                Event::Received { verb, answers, purpose, began, reply: reply(&view)? }
            }
            "premature" => {
                let mut bytes = bytes(view.raw.as_deref()).or_else(|| view.text.map(String::into_bytes))?;
                bytes.truncate(PREMATURE);
                Event::Premature { stage: stage.unwrap_or(Stage::Greeting), began, bytes }
            }
            "secured" => {
                let papers = self.certificate.take().and_then(|value| serde_json::from_value::<CertificateView>(value).ok());
                Event::Secured(papers.map_or_else(|| tls_facts("", ""), CertificateView::into_facts))
            }
            "surveyed" => {
                let old: OldTlsView = serde_json::from_value(self.old_tls.take()?).ok()?;
                Event::Surveyed(old.into_facts()?)
            }
            "failed" => {
                let stage = stage.unwrap_or(Stage::Connect);
                Event::Broke { stage, failure: broken(&view, stage) }
            }
            _ => return None,
        })
    }

    /// What a reply to `verb` answers: the first command of that kind that has none yet, else the last one.
    fn answers(&mut self, verb: Verb, purpose: Purpose) -> Answers {
        if verb == Verb::Connect {
            return Answers::Connection;
        }
        let is_it = |event: &Event| match event {
            Event::Sent { command, purpose: whose } => command.verb() == verb && *whose == purpose,
            Event::Content { whole, .. } => *whole && verb == Verb::DataEnd,
            _ => false,
        };
        let sent = || self.events.iter().enumerate().filter(|(_, (_, event))| is_it(event)).map(|(index, _)| index);
        match sent().find(|index| !self.answered.contains(index)).or_else(|| sent().next_back()) {
            Some(index) => {
                self.answered.insert(index);
                Answers::Command(index)
            }
            None => Answers::Nothing,
        }
    }
}

/// The report does not say from which address it was held.
fn connected(peer: SocketAddr) -> Connected {
    let local = if peer.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    Connected { local: SocketAddr::new(local, 0), peer }
}

fn bytes(raw: Option<&str>) -> Option<Vec<u8>> {
    BASE64.decode(raw?).ok()
}

/// The reply from its bytes, where the report has them; else from its code and lines.
fn reply(view: &EventView) -> Option<Reply> {
    if let Some(bytes) = bytes(view.raw.as_deref()) {
        let mut reader = ReplyReader::default();
        reader.push(&bytes);
        let item = reader.next();
        if let Some(Item::Reply(reply)) = item.or_else(|| reader.finish()) {
            return Some(reply);
        }
    }
    let code = view.code.filter(|code| *code < 1000)?;
    let last = view.lines.len().saturating_sub(1);
    let lines = view.lines.iter().enumerate().map(|(at, line)| {
        let line = line.replace(char::is_control, " ");
        format!("{code:03}{}{line}", if at < last { '-' } else { ' ' })
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { reply::of_lines(&[format!("{code:03}")]) } else { reply::of_lines(&lines) }
}

fn broken(view: &EventView, stage: Stage) -> Failure {
    let words = view.failure.as_deref().unwrap_or_default();
    if let Some(IcmpView { kind, code, from, here }) = view.icmp {
        return failure::of_icmp(view.errno, IcmpError { kind, code, from, here });
    }
    let failure = failure::ours(words).unwrap_or_else(|| failure::unknown(words, stage).into());
    Failure { errno: view.errno.or(failure.errno), ..failure }
}

#[cfg(test)]
mod tests;
