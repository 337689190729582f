//! The report for people: route, sessions with every reply explained, findings, and at the bottom the verdict.
//!
//! Read from the bottom up. Marks are those of swaks: `->` and `<-` plain, `~>` and `<~` inside TLS, `**` for what was not
//! expected, `==` for what we say. Colours only help; the same text without them loses nothing.

mod policies;
mod ports;
mod session;

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use serde::Deserialize;
use unicode_width::UnicodeWidthStr;

use self::session::has_words;
use super::page::{BOLD, Look, ODD, PLAIN, Page, SOFT, name_in, to_do};
use super::sender::Own;
use super::{EvidencePart, FindingPart, HostPart, LetterState, Report, SessionPart, VerdictPart, safe};
use crate::diagnosis::{Outcome, Severity, fill, gist};
use crate::knowledge::{Fix, Knowledge, Reason};
use crate::probe::Role;
use crate::smtp::Stage;

/// Where annotations and the words of the verdict begin.
const INDENT: &str = "          ";
/// The verdict has at most this many lines.
const VERDICT_LINES: usize = 10;

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
    tls_up: String,
    certificate_trusted: String,
    certificate_unverified: String,
    control_catch_all: String,
    control_postmaster: String,
    control_relay: String,
    injection: String,
    surveyed: String,
    dropped: String,
    content: String,
    message: String,
    letter: String,
    no_id: String,
    not_sent: String,
    signed: String,
    queued: String,
    left_out: String,
    publish: String,
    cipher: String,
    subject: String,
    issuer: String,
    names: String,
    validity: String,
    key: String,
    fingerprint: String,
    key_fingerprint: String,
}

/// Draws a report.
#[must_use]
pub fn render(report: &Report, knowledge: &Knowledge, look: Look) -> String {
    let mut view = View { page: Page::new(look), phrases: knowledge.phrases("terminal"), knowledge, report, look };
    if report.target.question == "ports" && !(report.sessions.is_empty() && report.route.left_out.is_empty()) {
        view.ports();
        if look.verbose {
            view.sessions();
        }
    } else {
        view.own_side();
        view.route();
        view.sessions();
        view.letter();
    }
    view.policies();
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
    let proof: Vec<String> = verdict.why.first().into_iter().chain(verdict.caveats.first()).map(|words| format!("; {words}")).collect();
    let proof = proof.concat();
    let line = format!(
        "{}  {}: {} ({}){proof}",
        name_in(&outcomes, verdict.outcome),
        report.target.input,
        verdict.title,
        name_in(&confidences, verdict.confidence),
    );
    safe(&line) + "\n"
}

fn of_outcome(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Accepted => AnsiColor::Green.on_default().bold(),
        Outcome::Rejected | Outcome::Unreachable => AnsiColor::Red.on_default().bold(),
        Outcome::Deferred | Outcome::Inconclusive => AnsiColor::Yellow.on_default().bold(),
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
    /// Who sends, at the head: in a few words, or everything that was found out.
    fn own_side(&mut self) {
        let Some(part) = &self.report.sender else { return };
        let own = Own::new(part, self.knowledge, self.look.verbose);
        if self.look.verbose {
            own.sheet(&mut self.page);
        } else {
            self.page.paragraph(PLAIN, &format!("{}  ", own.label()), INDENT, &own.brief());
        }
        self.page.gap();
    }

    fn route(&mut self) {
        let route = &self.report.route;
        // The sessions of a record name their hosts.
        if route.origin == "recorded" {
            return;
        }
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
            let is_socket = host.fault.is_none() && host.name.starts_with('/');
            let addresses = if addresses.is_empty() && !is_socket { self.fault(host) } else { addresses.join("  ") };
            let own_name = host.addresses.len() == 1 && host.addresses[0].ip.to_string() == host.name;
            let line = if own_name || is_socket { host.name.clone() } else { format!("{:<names$}   {addresses}", safe(&host.name)) };
            let rest = " ".repeat(lead + preference.len() + 2);
            self.page.paragraph(PLAIN, &format!("{start}{preference}"), &rest, &line);
        }
        for left in route.left_out.iter().filter(|left| left.why.starts_with("enough")) {
            let line = format!("{}: {} {}", self.phrases.left_out, left.host, left.address);
            self.page.paragraph(SOFT, "  ", "    ", &line);
        }
        self.page.gap();
    }

    /// Why a host has no address. Without a fault its lookups were not done when the probe ended.
    fn fault(&self, host: &HostPart) -> String {
        let faults: BTreeMap<String, String> = self.knowledge.phrases("host_fault");
        name_in(&faults, host.fault.as_deref().unwrap_or("unfinished"))
    }

    fn sessions(&mut self) {
        let report = self.report;
        let mut shown: Vec<(Key, String)> = Vec::new();
        let mut keys: Vec<Key> = report.sessions.iter().filter(|session| session.role.asks_the_question()).map(key).collect();
        keys.sort();
        keys.dedup();
        for session in &report.sessions {
            if !session.role.asks_the_question() && !self.look.verbose {
                // Another port that is shut as well adds nothing.
                if session.role != Role::OtherPort || session.reached.is_some() {
                    self.beside_line(session);
                }
                continue;
            }
            let (place, key) = (place(session), key(session));
            let before = shown.iter().find(|(other, _)| *other == key).map(|(_, place)| place.clone());
            match before {
                // Silence is told as such, not as the same answer.
                Some(first) if !self.look.verbose && has_words(session) => {
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

    /// What was to be delivered, and where it is now.
    fn letter(&mut self) {
        let Some(letter) = self.report.message.clone() else { return };
        let unknown = || self.phrases.no_id.clone();
        let told = fill(&self.phrases.letter, |slot| {
            Some(match slot {
                "size" => letter.size.to_string(),
                "id" => letter.message_id.clone().unwrap_or_else(unknown),
                _ => letter.from.clone().unwrap_or_default(),
            })
        });
        let signed = letter.dkim.as_ref().map(|dkim| {
            fill(&self.phrases.signed, |slot| Some(if slot == "domain" { dkim.domain.clone() } else { dkim.selector.clone() }))
        });
        let queued = letter.queue_id.as_ref().map(|id| fill(&self.phrases.queued, |_| Some(id.clone())));
        let not_sent = (letter.state == LetterState::NotSent).then(|| self.phrases.not_sent.clone());
        let words: Vec<String> = [Some(told), signed, queued, not_sent].into_iter().flatten().collect();
        let label = format!("{}  ", self.phrases.message);
        self.page.paragraph(BOLD, &label, INDENT, &words.join("; "));
        self.page.gap();
    }

    fn findings(&mut self) {
        let report = self.report;
        let severities: BTreeMap<String, String> = self.knowledge.phrases("severity");
        let mut any = false;
        for (index, finding) in report.findings.iter().enumerate() {
            // Other ports that answer stand in the table, if there is one.
            let tabled = finding.id == "other_ports_answer" && report.target.question == "ports";
            let quiet = finding.severity == Severity::Ok || finding.id == "no_route_here" || tabled;
            let closer = report.findings[index + 1..].iter().filter(|other| other.severity >= Severity::Warning);
            let told = is_within(&finding.evidence, &self.explained())
                || closer.into_iter().any(|other| is_within(&finding.evidence, &other.evidence));
            // The verdict explains the refusal that it stands in, not that.
            let apart = finding.id == "password_repeated";
            if !self.look.verbose && (quiet || (told && !apart)) {
                continue;
            }
            any = true;
            let word = name_in(&severities, finding.severity);
            let style = if finding.severity >= Severity::Warning { ODD } else { PLAIN };
            self.page.paragraph(style, &format!("{word:<10}"), INDENT, &finding.title);
            if self.look.verbose || finding.severity >= Severity::Warning {
                self.page.paragraph(SOFT, INDENT, INDENT, &finding.detail);
                self.publish(finding);
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

    /// What is right, line by line, to be copied.
    fn publish(&mut self, finding: &FindingPart) {
        if !finding.publish.is_empty() {
            self.page.paragraph(PLAIN, INDENT, INDENT, &self.phrases.publish.clone());
        }
        for line in &finding.publish {
            self.page.paragraph(PLAIN, "            ", "            ", line);
        }
    }

    /// The places that the verdict explains. A yes is not explained: what else was noticed at it has to be told beside it.
    fn explained(&self) -> Vec<EvidencePart> {
        let verdict = &self.report.verdict;
        let session = |evidence: &EvidencePart| self.report.sessions.get(evidence.session?);
        let is_the_yes = |evidence: &EvidencePart| {
            let answer = session(evidence).and_then(|session| session.answer.as_ref());
            verdict.outcome == Outcome::Accepted && answer.is_some_and(|answer| answer.event == evidence.event)
        };
        verdict.evidence.iter().filter(|evidence| !is_the_yes(evidence)).cloned().collect()
    }

    fn verdict(&mut self) {
        let outcomes: BTreeMap<String, String> = self.knowledge.phrases("outcome");
        let confidences: BTreeMap<String, String> = self.knowledge.phrases("confidence");
        let verdict = &self.report.verdict;
        let head = format!("{}  {}", name_in(&outcomes, verdict.outcome), verdict.title);
        self.page.ends(of_outcome(verdict.outcome), &head, &name_in(&confidences, verdict.confidence));
        // What is left out first, where there is too much of it: the second advice, what the reason means, what policies add.
        let blocks = [(2, true, true), (1, true, true), (1, false, true), (1, false, false)];
        let mut lines = Vec::new();
        for (fixes, meaning, caveats) in blocks {
            lines = self.block(verdict, fixes, meaning, caveats);
            if lines.len() < VERDICT_LINES {
                break;
            }
        }
        for line in lines {
            self.page.line(PLAIN, &line);
        }
    }

    /// Why, who, what to do, and what is left open, with so many of the fixes.
    fn block(&self, verdict: &VerdictPart, fixes: usize, meaning: bool, caveats: bool) -> Vec<String> {
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
        for words in verdict.caveats.iter().filter(|_| caveats) {
            say("", words);
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

/// Whether each place that `some` point to is one that `others` point to.
fn is_within(some: &[EvidencePart], others: &[EvidencePart]) -> bool {
    let place = |evidence: &EvidencePart| (evidence.session, evidence.event, evidence.lookup);
    some.iter().all(|evidence| place(evidence) != (None, None, None) && others.iter().any(|other| place(other) == place(evidence)))
}

/// What makes two sessions say the same.
type Key = (Option<Outcome>, Option<Reason>, Option<Stage>, Option<u16>, Option<String>, Option<String>);

fn key(session: &SessionPart) -> Key {
    let answer = session.answer.as_ref();
    let event = answer.and_then(|answer| session.events.get(answer.event?));
    (
        answer.map(|a| a.outcome),
        answer.map(|a| a.reason),
        answer.map(|a| a.stage),
        event.and_then(|e| e.code),
        event.and_then(|e| e.enhanced.clone()),
        // Without a code the words are ours and tell failures apart.
        event.and_then(|e| e.failure.clone().or_else(|| e.text.as_deref().filter(|_| e.code >= Some(400)).map(gist))),
    )
}

/// `mx1.example.com 192.0.2.1:25`, with brackets round IPv6.
fn place(session: &SessionPart) -> String {
    // A record may not tell it.
    if session.address.is_unspecified() {
        return session.host.clone();
    }
    let address = std::net::SocketAddr::new(session.address, session.port).to_string();
    if session.host == session.address.to_string() { address } else { format!("{} {address}", session.host) }
}

fn duration(millis: f64) -> String {
    crate::diagnosis::seconds(std::time::Duration::from_secs_f64(millis.max(0.0) / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{HostFault, LookupFailure};

    #[test]
    fn every_fault_of_a_host_has_its_words() {
        let words: BTreeMap<String, String> = Knowledge::english().phrases("host_fault");
        let lookups = [
            LookupFailure::ServFail,
            LookupFailure::Refused,
            LookupFailure::OtherCode(9),
            LookupFailure::TimedOut,
            LookupFailure::ResolverUnreachable(None),
            LookupFailure::NoResolver,
            LookupFailure::Malformed,
            LookupFailure::AliasLoop,
        ];
        let own = [HostFault::NxDomain, HostFault::NoAddress, HostFault::FamilyExcluded, HostFault::LiteralAsName, HostFault::LeftOut];
        for fault in lookups.map(HostFault::Lookup).into_iter().chain(own) {
            assert!(words.contains_key(fault.as_str()), "{}", fault.as_str());
        }
        assert!(words.contains_key("unfinished"));
    }
}
