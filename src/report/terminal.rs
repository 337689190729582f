//! The report for people: route, sessions with every reply explained, findings, and at the bottom the verdict.
//!
//! Read from the bottom up. Marks are those of swaks: `->` and `<-` plain, `~>` and `<~` inside TLS, `**` for what was not
//! expected, `==` for what we say. Colours only help; the same text without them loses nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use unicode_width::UnicodeWidthStr;

use super::{CertificatePart, EventKind, EventPart, EvidencePart, Report, SessionPart, VerdictPart, safe};
use crate::diagnosis::{Outcome, Severity, fill};
use crate::knowledge::{Actor, Fix, Knowledge, Reason};
use crate::smtp::{Capabilities, Purpose, Reply, Stage, Verb};

/// Where annotations and the words of the verdict begin.
const INDENT: &str = "          ";
/// The verdict has at most this many lines.
const VERDICT_LINES: usize = 10;

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

#[derive(Deserialize)]
struct Phrases {
    why: String,
    who: String,
    #[serde(rename = "do")]
    act: String,
    open: String,
    same: String,
    same_as: String,
    direct: String,
    implicit_mx: String,
    null_mx: String,
    no_route: String,
    no_address: String,
    tls_up: String,
    certificate_trusted: String,
    certificate_unverified: String,
    certificate_names: String,
    unknown_issuer: String,
    expired: String,
    not_yet_valid: String,
    control_catch_all: String,
    control_postmaster: String,
    dropped: String,
    left_out: String,
}

/// Draws a report.
#[must_use]
pub fn render(report: &Report, knowledge: &Knowledge, look: Look) -> String {
    let mut view = View { page: Page::new(look), phrases: knowledge.phrases("terminal"), knowledge, report, look };
    view.route();
    view.sessions();
    view.findings();
    view.verdict();
    view.page.text
}

/// The verdict in one line.
#[must_use]
pub fn headline(report: &Report, knowledge: &Knowledge) -> String {
    let outcomes: BTreeMap<String, String> = knowledge.phrases("outcome");
    let confidences: BTreeMap<String, String> = knowledge.phrases("confidence");
    let verdict = &report.verdict;
    let proof = verdict.why.first().map(|why| format!("; {why}")).unwrap_or_default();
    let line = format!(
        "{}  {}: {} ({}){proof}",
        name_in(&outcomes, verdict.outcome),
        report.target.input,
        verdict.title,
        name_in(&confidences, verdict.confidence),
    );
    safe(&line) + "\n"
}

/// The word for a value, by the name that it has in JSON.
pub(crate) fn name_in(words: &BTreeMap<String, String>, value: impl serde::Serialize) -> String {
    let name = serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
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
const SENT: Style = AnsiColor::Cyan.on_default();
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default();

fn of_outcome(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Accepted => AnsiColor::Green.on_default().bold(),
        Outcome::Rejected | Outcome::Unreachable => AnsiColor::Red.on_default().bold(),
        Outcome::Deferred | Outcome::Inconclusive => AnsiColor::Yellow.on_default().bold(),
    }
}

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
        let options = textwrap::Options::new(self.width).initial_indent(&first).subsequent_indent(rest);
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

    pub(crate) fn gap(&mut self) {
        self.text.push('\n');
    }
}

struct View<'a> {
    page: Page,
    phrases: Phrases,
    knowledge: &'a Knowledge,
    report: &'a Report,
    look: Look,
}

impl View<'_> {
    fn route(&mut self) {
        let route = &self.report.route;
        let name = self.report.target.domain.clone().unwrap_or_else(|| self.report.target.input.clone());
        let head = safe(&name);
        if route.hosts.is_empty() {
            let what = if route.origin == "null_mx" { &self.phrases.null_mx } else { &self.phrases.no_route };
            self.page.paragraph(BOLD, &format!("{head}  "), "  ", what);
            return self.page.gap();
        }
        let given = match route.origin.as_str() {
            "implicit_mx" => self.phrases.implicit_mx.clone(),
            "given" if self.report.target.domain.is_some() => self.phrases.direct.clone(),
            _ => String::new(),
        };
        if !given.is_empty() {
            self.page.paragraph(BOLD, &format!("{head}  "), "  ", &given);
        }
        let lead = if route.origin == "mx" { head.width() + 2 } else { 2 };
        // A long domain leaves no room beside it.
        let beside = lead + 40 <= self.page.width;
        let lead = if beside { lead } else { 2 };
        if route.origin == "mx" && !beside {
            self.page.line(BOLD, &head);
        }
        let digits = route.hosts.iter().filter_map(|host| host.preference).max().map_or(0, |most| most.to_string().len());
        let names = route.hosts.iter().map(|host| safe(&host.name).width()).max().unwrap_or(0).min(self.page.width / 2);
        for (index, host) in route.hosts.iter().enumerate() {
            let start = if index == 0 && route.origin == "mx" && beside { format!("{head}  ") } else { " ".repeat(lead) };
            let preference = host.preference.map(|p| format!("{p:>digits$} ")).unwrap_or_default();
            let addresses: Vec<String> = host.addresses.iter().map(|address| address.ip.to_string()).collect();
            let addresses = if addresses.is_empty() { self.phrases.no_address.clone() } else { addresses.join("  ") };
            let own_name = host.addresses.len() == 1 && host.addresses[0].ip.to_string() == host.name;
            let line = if own_name { host.name.clone() } else { format!("{:<names$}   {addresses}", safe(&host.name)) };
            let rest = " ".repeat(lead + preference.len() + 2);
            self.page.paragraph(PLAIN, &format!("{start}{preference}"), &rest, &line);
        }
        for left in route.left_out.iter().filter(|left| left.why.starts_with("enough")) {
            let line = format!("{}: {} {}", self.phrases.left_out, left.host, left.address);
            self.page.paragraph(SOFT, "  ", "    ", &line);
        }
        self.page.gap();
    }

    fn sessions(&mut self) {
        let report = self.report;
        let mut shown: Vec<(Key, String)> = Vec::new();
        let mut keys: Vec<Key> = report.sessions.iter().map(key).collect();
        keys.sort();
        keys.dedup();
        for session in &report.sessions {
            let (place, key) = (place(session), key(session));
            let before = shown.iter().find(|(other, _)| *other == key).map(|(_, place)| place.clone());
            match before {
                Some(first) if !self.look.verbose => {
                    let same =
                        if keys.len() == 1 { self.phrases.same.clone() } else { fill(&self.phrases.same_as, |_| Some(first.clone())) };
                    self.page.ends(PLAIN, &place, &format!("{same}, {}", duration(session.total_ms)));
                }
                _ => {
                    self.session(session, &place);
                    shown.push((key, place));
                }
            }
        }
        if !report.sessions.is_empty() {
            self.page.gap();
        }
    }

    fn session(&mut self, session: &SessionPart, place: &str) {
        let told = session.events.iter().any(|event| matches!(event.kind, EventKind::Reply | EventKind::Premature | EventKind::Secured));
        if !told && let Some(failed) = session.events.iter().find(|event| event.kind == EventKind::Failed) {
            let failure = failed.failure.clone().unwrap_or_default();
            return self.page.ends(PLAIN, place, &failure);
        }
        let version = session.certificate.as_ref().map(|certificate| certificate.version.clone());
        let about: Vec<String> = session.software.clone().into_iter().chain(version).chain([duration(session.total_ms)]).collect();
        self.page.ends(BOLD, place, &about.join(", "));
        let mut last_sent = None;
        let mut secure = session.tls == "implicit";
        for (index, event) in session.events.iter().enumerate() {
            self.introduce_control(session, index);
            if self.is_hidden(event) {
                continue;
            }
            let again = event.kind == EventKind::Sent && last_sent == Some(event.at_ms);
            last_sent = (event.kind == EventKind::Sent).then_some(event.at_ms);
            let at = if again { String::new() } else { format!("{:.0}", (event.at_ms - session.began_ms).max(0.0)) };
            self.event(session, index, event, &at, secure);
            secure |= event.kind == EventKind::Secured;
        }
    }

    /// What belongs to a control question's set-up says nothing.
    fn is_hidden(&self, event: &EventPart) -> bool {
        let frame =
            matches!(event.answers, Some(Verb::Mail | Verb::Rset)) || event.command.as_ref().is_some_and(|c| !c.starts_with("RCPT"));
        let yes = event.code.is_none_or(|code| code < 400);
        !self.look.verbose && (event.kind == EventKind::Connected || (event.purpose.is_some() && frame && yes))
    }

    fn introduce_control(&mut self, session: &SessionPart, index: usize) {
        let purpose = session.events[index].purpose;
        let known = session.events[..index].iter().any(|event| event.purpose == purpose);
        let words = match purpose {
            Some(Purpose::CatchAll) => &self.phrases.control_catch_all,
            Some(Purpose::Postmaster) => &self.phrases.control_postmaster,
            _ => return,
        };
        if !known {
            self.page.paragraph(SOFT, "      ==  ", INDENT, words);
        }
    }

    fn event(&mut self, session: &SessionPart, index: usize, event: &EventPart, at: &str, secure: bool) {
        let lead = |mark: &str| format!("{at:>5} {mark:<4}");
        match event.kind {
            EventKind::Connected => self.page.paragraph(SOFT, &lead("=="), INDENT, "TCP"),
            EventKind::Sent => {
                let mark = if secure { " ~>" } else { " ->" };
                self.page.paragraph(SENT, &lead(mark), INDENT, event.command.as_deref().unwrap_or_default());
            }
            EventKind::Reply => {
                let mark = match (event.unasked, secure) {
                    (true, _) => "**",
                    (false, true) => "<~",
                    (false, false) => "<-",
                };
                self.reply(session, index, event, &lead(mark));
            }
            EventKind::Premature => self.page.paragraph(ODD, &lead("**"), INDENT, event.text.as_deref().unwrap_or_default().trim_end()),
            EventKind::Secured => {
                let words = session.certificate.as_ref().map(|c| self.certificate(session, c)).unwrap_or_default();
                self.page.paragraph(SOFT, &lead("=="), INDENT, &words);
            }
            EventKind::Failed => self.page.paragraph(ODD, &lead("**"), INDENT, event.failure.as_deref().unwrap_or_default()),
        }
    }

    fn reply(&mut self, session: &SessionPart, index: usize, event: &EventPart, lead: &str) {
        let Some(code) = event.code else { return };
        let extensions = event.answers == Some(Verb::Ehlo) && code == 250;
        if extensions && !self.look.verbose {
            // The extensions in words are their own annotation.
            return self.page.paragraph(PLAIN, lead, INDENT, &format!("{code:03} {}", self.extensions(event)));
        }
        for (place, line) in as_sent(event, code).iter().enumerate() {
            let lead = if place == 0 { lead } else { INDENT };
            self.page.paragraph(PLAIN, lead, INDENT, line);
        }
        let Some(annotation) = &event.annotation else { return };
        let decides = event.purpose.is_none() && session.answer.as_ref().is_some_and(|answer| answer.event == Some(index));
        let words = if decides || self.look.verbose {
            format!("{}: {}", annotation.title, annotation.meaning)
        } else {
            format!("{}.", annotation.title)
        };
        self.page.paragraph(SOFT, INDENT, INDENT, &words);
        if code == 354 {
            self.page.paragraph(SOFT, INDENT, INDENT, &self.phrases.dropped.clone());
        }
    }

    /// An EHLO reply in words: what an administrator wants to know of it, the most telling first.
    fn extensions(&self, event: &EventPart) -> String {
        let words: BTreeMap<String, String> = self.knowledge.phrases("keywords");
        let lines = event.lines.join("\r\n250-");
        let Some(reply) = Reply::parse(&format!("250-{lines}\r\n250 \r\n")) else { return String::new() };
        let offered = Capabilities::from_reply(&reply);
        let word = |key: &str| {
            let filled = fill(words.get(key)?, |slot| match slot {
                "size" => offered.size_limit().map(size),
                "mechanisms" => Some(offered.login_mechanisms().join(" ")),
                _ => None,
            });
            Some(filled)
        };
        let telling =
            [("SIZE", "size"), ("STARTTLS", "starttls"), ("AUTH", "login"), ("PIPELINING", "pipelining"), ("SMTPUTF8", "smtputf8")]
                .into_iter()
                .chain([("REQUIRETLS", "requiretls"), ("DSN", "dsn"), ("CHUNKING", "chunking")])
                .filter(|(keyword, _)| offered.has(keyword))
                .filter_map(|(keyword, key)| word(if keyword == "SIZE" && offered.size_limit().is_none() { "size_open" } else { key }));
        let masked = offered.masked().map(|capability| capability.keyword.clone());
        let said: Vec<String> = telling.chain(masked).collect();
        if said.is_empty() { word("none").unwrap_or_default() } else { said.join(", ") }
    }

    fn certificate(&self, session: &SessionPart, certificate: &CertificatePart) -> String {
        let names = || fill(&self.phrases.certificate_names, |_| Some(certificate.names.join(", ")));
        let why = match certificate.verdict.as_str() {
            "trusted" => {
                let days = certificate.days_left.unwrap_or_default().to_string();
                let good =
                    fill(&self.phrases.certificate_trusted, |slot| Some(if slot == "days" { days.clone() } else { session.host.clone() }));
                return self.tls_up(certificate, &good);
            }
            "unknown_issuer" => self.phrases.unknown_issuer.clone(),
            "expired" => self.phrases.expired.clone(),
            "not_yet_valid" => self.phrases.not_yet_valid.clone(),
            "wrong_name" => names(),
            words => words.to_owned(),
        };
        self.tls_up(certificate, &fill(&self.phrases.certificate_unverified, |_| Some(why.clone())))
    }

    fn tls_up(&self, certificate: &CertificatePart, words: &str) -> String {
        fill(&self.phrases.tls_up, |slot| Some(if slot == "version" { certificate.version.clone() } else { words.to_owned() }))
    }

    /// Findings that say more than the rest: not those whose proof is the verdict's own, or that of a closer finding.
    fn findings(&mut self) {
        let report = self.report;
        let severities: BTreeMap<String, String> = self.knowledge.phrases("severity");
        let mut any = false;
        for (index, finding) in report.findings.iter().enumerate() {
            let quiet = finding.severity == Severity::Ok || finding.id == "no_route_here";
            let closer = report.findings[index + 1..].iter().filter(|other| other.severity >= Severity::Warning);
            let told = is_within(&finding.evidence, &report.verdict.evidence)
                || closer.into_iter().any(|other| is_within(&finding.evidence, &other.evidence));
            if !self.look.verbose && (quiet || told) {
                continue;
            }
            any = true;
            let word = name_in(&severities, finding.severity);
            let style = if finding.severity >= Severity::Warning { ODD } else { PLAIN };
            self.page.paragraph(style, &format!("{word:<10}"), INDENT, &finding.title);
            if self.look.verbose || finding.severity >= Severity::Warning {
                self.page.paragraph(SOFT, INDENT, INDENT, &finding.detail);
            }
            if self.look.verbose {
                for fix in &finding.fix {
                    let words = self.fix(fix);
                    self.page.paragraph(PLAIN, INDENT, INDENT, &words);
                }
                self.page.paragraph(SOFT, INDENT, INDENT, &finding.references.join(", "));
            }
        }
        if any {
            self.page.gap();
        }
    }

    fn verdict(&mut self) {
        let outcomes: BTreeMap<String, String> = self.knowledge.phrases("outcome");
        let confidences: BTreeMap<String, String> = self.knowledge.phrases("confidence");
        let verdict = &self.report.verdict;
        let head = format!("{}  {}", name_in(&outcomes, verdict.outcome), verdict.title);
        self.page.ends(of_outcome(verdict.outcome), &head, &name_in(&confidences, verdict.confidence));
        let full = self.block(verdict, 2, true);
        let lines = if full.len() < VERDICT_LINES { full } else { self.block(verdict, 1, true) };
        let lines = if lines.len() < VERDICT_LINES { lines } else { self.block(verdict, 1, false) };
        for line in lines {
            self.page.line(PLAIN, &line);
        }
    }

    /// Why, who, what to do, and what is left open, with so many of the fixes.
    fn block(&self, verdict: &VerdictPart, fixes: usize, meaning: bool) -> Vec<String> {
        let actors: BTreeMap<String, String> = self.knowledge.phrases("actor");
        let mut lines = Vec::new();
        let mut say = |label: &str, text: &str| {
            let first = format!("  {label:<8}");
            lines.extend(self.page.wrapped(&first, INDENT, text));
        };
        let contradiction = verdict.outcome == Outcome::Inconclusive && verdict.reason == Reason::Undetermined;
        let why = if meaning || contradiction { verdict.why.len() } else { 1 };
        for (index, words) in verdict.why.iter().take(why).enumerate() {
            say(if index == 0 { &self.phrases.why } else { "" }, words);
        }
        if verdict.outcome != Outcome::Accepted && !(contradiction && verdict.fix.is_empty()) {
            say(&self.phrases.who, &name_in(&actors, verdict.actor));
        }
        for (index, fix) in verdict.fix.iter().take(fixes).enumerate() {
            let words = if index == 0 { fix.text.clone() } else { self.fix(fix) };
            say(if index == 0 { &self.phrases.act } else { "" }, &words);
        }
        if let Some(unknown) = &verdict.unknown {
            say(&self.phrases.open, unknown);
        }
        lines
    }

    /// A fix with the name of who should do it.
    fn fix(&self, fix: &Fix) -> String {
        to_do(&self.knowledge.phrases("actor_short"), fix)
    }
}

/// A reply's lines with their codes, as they came: from the bytes where the reply breaks a rule.
fn as_sent(event: &EventPart, code: u16) -> Vec<String> {
    if let Some(bytes) = event.raw.as_ref().and_then(|raw| BASE64.decode(raw).ok()) {
        return String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect();
    }
    let last = event.lines.len().saturating_sub(1);
    let separator = |place| if place < last { '-' } else { ' ' };
    event.lines.iter().enumerate().map(|(place, line)| format!("{code:03}{}{line}", separator(place)).trim_end().to_owned()).collect()
}

/// Whether each place that `some` point to is one that `others` point to.
fn is_within(some: &[EvidencePart], others: &[EvidencePart]) -> bool {
    let place = |evidence: &EvidencePart| (evidence.session, evidence.event, evidence.lookup);
    some.iter().all(|evidence| place(evidence) != (None, None, None) && others.iter().any(|other| place(other) == place(evidence)))
}

/// What makes two sessions say the same.
type Key = (Option<Outcome>, Option<Reason>, Option<Stage>, Option<u16>, Option<String>);

fn key(session: &SessionPart) -> Key {
    let answer = session.answer.as_ref();
    let event = answer.and_then(|answer| session.events.get(answer.event?));
    (
        answer.map(|a| a.outcome),
        answer.map(|a| a.reason),
        answer.map(|a| a.stage),
        event.and_then(|e| e.code),
        // Without a code the words are ours and tell failures apart.
        event.and_then(|e| e.enhanced.clone().or_else(|| e.failure.clone())),
    )
}

/// `mx1.example.com 192.0.2.1:25`, with brackets round IPv6.
fn place(session: &SessionPart) -> String {
    let address = std::net::SocketAddr::new(session.address, session.port).to_string();
    if session.host == session.address.to_string() { address } else { format!("{} {address}", session.host) }
}

fn duration(millis: f64) -> String {
    crate::diagnosis::seconds(std::time::Duration::from_secs_f64(millis.max(0.0) / 1000.0))
}

/// Octets in the unit that administrators think in: `50 MB` (of 1,048,576 octets, as servers set it) or the number.
fn size(octets: u64) -> String {
    const MEGA: u64 = 1 << 20;
    match octets {
        0..MEGA => format!("{octets} octets"),
        _ if octets.is_multiple_of(MEGA) || octets >= 100 * MEGA => format!("{} MB", octets / MEGA),
        _ => format!("{}.{} MB", octets / MEGA, (octets % MEGA) * 10 / MEGA),
    }
}
