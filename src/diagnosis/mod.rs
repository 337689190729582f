//! Conclusions from the facts of a probe: findings, one file per topic, one entry per check; and the verdict.
//!
//! A check gives evidence or it does not apply: no proof, no finding. What a finding says stands in the knowledge's data under
//! its id; its evidence fills the gaps.

mod answer;
mod certificate;
mod connection;
mod delivery;
mod greeting;
mod greylisting;
mod login;
mod message;
mod port;
mod recipient;
mod relay;
mod route;
mod sender;
mod session;
mod side;
mod timing;
mod transport_security;
mod verdict;

pub use answer::{SessionAnswer, of_failure};
pub use certificate::{days_left, distrust_about, distrust_words};
pub use connection::words as failure_words;
pub use delivery::{Cause, Delivery, Outlook, Sender};
pub use port::PortState;
pub use relay::{Relaying, relaying};
pub use sender::{OwnSide, decision as spf_decision, of_sender};
pub use session::as_sent;
pub use timing::seconds;
pub use transport_security::{dane_words, fetch_words};
pub use verdict::{Outcome, SeenHere, Twist, Verdict, of_route};

use serde::{Deserialize, Serialize};

use crate::annotation::{Annotation, annotate_all};
use crate::knowledge::Knowledge;
use crate::probe::{Facts, SessionFacts};
use crate::settings::Question;
use crate::smtp::{Answer, Reply};
use crate::target::Host;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Looked at, and in order.
    Ok,
    /// Worth knowing.
    Note,
    /// Mail may suffer from it.
    Warning,
    /// Mail does suffer from it.
    Failure,
}

/// One check.
#[derive(Debug)]
pub struct Rule {
    /// Its name, under which its texts stand.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// RFC and section that say so.
    pub reference: &'static str,
    /// Gives the evidence; empty if the rule does not apply.
    pub check: fn(&Case<'_>) -> Vec<Evidence>,
}

/// Something that a reader can look up: an event of a session, a lookup, or a quotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The session's place in [`Facts::sessions`].
    pub session: Option<usize>,
    /// The event's place in the session's transcript.
    pub event: Option<usize>,
    /// The lookup's place in the route's lookups.
    pub lookup: Option<usize>,
    /// What was said, found or measured.
    pub quote: String,
    /// What fills the gaps of the finding's texts.
    pub slots: Vec<(&'static str, String)>,
    /// Lines that are right, ready to publish; mostly none.
    pub publish: Vec<String>,
}

/// A rule that applies, with its proof.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// The proof; never empty.
    pub evidence: Vec<Evidence>,
}

/// What the rules look at: the facts with each reply explained and each session summed up.
#[derive(Debug)]
pub struct Case<'a> {
    /// What happened.
    pub facts: &'a Facts,
    /// What is known of replies.
    pub knowledge: &'a Knowledge,
    /// The sessions, in the order of the facts.
    pub sessions: Vec<SessionCase<'a>>,
    /// What senders with different policies would do, by host.
    pub outlooks: Vec<Outlook>,
}

/// A session with its replies explained.
#[derive(Debug)]
pub struct SessionCase<'a> {
    /// What happened.
    pub facts: &'a SessionFacts,
    /// What the port turned out to be.
    pub state: PortState,
    /// Each reply's event with its explanation.
    pub annotations: Vec<(usize, Annotation)>,
    /// What the session says about the question; none if another address answered first, or if the question was not put.
    pub answer: Option<SessionAnswer>,
}

impl<'a> Case<'a> {
    /// Explains every reply, and sums up each session.
    #[must_use]
    pub fn new(facts: &'a Facts, knowledge: &'a Knowledge) -> Self {
        let sum_up = |session: &'a SessionFacts| {
            let host = session.name.to_string();
            let annotations = annotate_all(knowledge, Some(&host), &session.transcript);
            let answer = answer::of(facts, session, &annotations).filter(|_| session.role.asks_the_question());
            SessionCase { facts: session, state: PortState::of(session), annotations, answer }
        };
        let mut case = Self { facts, knowledge, sessions: facts.sessions.iter().map(sum_up).collect(), outlooks: Vec::new() };
        case.outlooks = delivery::outlooks(&case);
        case
    }

    /// The sessions in which the question was put, with their places.
    fn each(&self) -> impl Iterator<Item = (usize, &SessionCase<'a>)> {
        self.sessions.iter().enumerate().filter(|(_, session)| session.facts.role.asks_the_question())
    }

    /// Whether mail needs the port of `session`: every port that a mail is to be handed over at, and of several ports that are
    /// only looked at, those that the user named.
    #[must_use]
    pub fn is_needed(&self, session: &SessionCase<'_>) -> bool {
        self.needs(session.facts.address.port())
    }

    fn needs(&self, port: u16) -> bool {
        self.facts.question == Question::Mail || self.facts.needed.iter().any(|needed| needed.number() == port)
    }
}

impl SessionCase<'_> {
    /// The explanation of the reply at `event`.
    #[must_use]
    pub fn annotation(&self, event: usize) -> Option<&Annotation> {
        self.annotations.iter().find(|(at, _)| *at == event).map(|(_, annotation)| annotation)
    }

    /// `mx.example.com 192.0.2.1:25`, as evidence names it.
    fn place(&self) -> String {
        place(&self.facts.name, self.facts.address)
    }
}

/// `mx.example.com 192.0.2.1:25`; an address that is its own name stands once.
#[must_use]
pub fn place(name: &Host, address: std::net::SocketAddr) -> String {
    match name {
        // A record may not tell the address.
        Host::Name(name) if address.ip().is_unspecified() => name.to_string(),
        Host::Socket(path) => path.to_string(),
        Host::Name(name) => format!("{name} {address}"),
        Host::Address(_) => address.to_string(),
    }
}

impl Evidence {
    /// An event of a session.
    fn event(index: usize, session: &SessionCase<'_>, event: usize, quote: impl Into<String>) -> Self {
        let slots =
            vec![("host", session.facts.name.to_string()), ("address", session.facts.address.to_string()), ("place", session.place())];
        Self { session: Some(index), event: Some(event), quote: quote.into(), slots, ..Self::default() }
    }

    /// A reply.
    fn reply(index: usize, session: &SessionCase<'_>, answer: &Answer<'_>) -> Self {
        Self::event(index, session, answer.event, quote(answer.reply)).with("verb", answer.verb.as_str())
    }

    /// A lookup, or something found in it.
    fn lookup(facts: &Facts, lookup: Option<usize>, quote: impl Into<String>) -> Self {
        let name = lookup.and_then(|index| facts.route.lookups.get(index)).map(|l| l.name.clone()).unwrap_or_default();
        Self { lookup, quote: quote.into(), slots: vec![("name", name)], ..Self::default() }
    }

    /// Fills one more gap.
    fn with(mut self, slot: &'static str, value: impl Into<String>) -> Self {
        self.slots.push((slot, value.into()));
        self
    }

    /// What fills the gap `slot`.
    #[must_use]
    pub fn slot(&self, slot: &str) -> Option<&str> {
        if slot == "quote" {
            return Some(&self.quote);
        }
        self.slots.iter().rev().find(|(name, _)| *name == slot).map(|(_, value)| value.as_str())
    }
}

impl Finding {
    /// `template` with its gaps filled: `{quote}`, `{host}` and the like from the evidence (several values joined), and `{count}`.
    #[must_use]
    pub fn fill(&self, template: &str) -> String {
        fill(template, |slot| {
            if slot == "count" {
                return Some(self.evidence.len().to_string());
            }
            let mut values: Vec<&str> = Vec::new();
            for value in self.evidence.iter().filter_map(|evidence| evidence.slot(slot)) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            (!values.is_empty()).then(|| values.join(", "))
        })
    }
}

/// Replaces each `{slot}` by its value; a slot without a value stays as it is, which tests forbid.
pub fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((slot, tail)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        match value(slot) {
            Some(value) => filled.push_str(&value),
            None => filled.extend(["{", slot, "}"]),
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

/// What a text says, for comparing: its words without those that hold a name, a number or an address, which differ by server.
#[must_use]
pub fn gist(text: &str) -> String {
    let words = text.split_whitespace().map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation()));
    let plain = words.filter(|word| !word.is_empty() && word.chars().all(|c| c.is_alphabetic() || c == '-' || c == '\''));
    plain.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// A reply in one line: code, and the words of all lines.
#[must_use]
pub fn quote(reply: &Reply) -> String {
    let words: Vec<&str> = reply.lines.iter().flat_map(|line| line.split_whitespace()).collect();
    format!("{} {}", reply.code, words.join(" ")).trim_end().to_owned()
}

/// Every rule, by topic.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        route::RULES,
        connection::RULES,
        side::RULES,
        greeting::RULES,
        session::RULES,
        login::RULES,
        certificate::RULES,
        transport_security::RULES,
        recipient::RULES,
        message::RULES,
        greylisting::RULES,
        relay::RULES,
        timing::RULES,
    ]
    .into_iter()
    .flatten()
    .chain(sender::RULES.iter().map(|own| &own.rule))
}

/// Applies every rule. What somebody else said in a host's place is no evidence for anything but that.
#[must_use]
pub fn diagnose(case: &Case<'_>) -> Vec<Finding> {
    let taken: Vec<Option<usize>> = side::intercepted(case).iter().map(|evidence| evidence.session).collect();
    let counts =
        |rule: &Rule, evidence: &Evidence| rule.id == "intercepted" || evidence.session.is_none() || !taken.contains(&evidence.session);
    let apply = |rule: &'static Rule| {
        let evidence: Vec<Evidence> = (rule.check)(case).into_iter().filter(|evidence| counts(rule, evidence)).collect();
        (!evidence.is_empty()).then_some(Finding { rule, evidence })
    };
    rules().filter_map(apply).collect()
}

/// The conclusion of the whole probe.
#[must_use]
pub fn judge(case: &Case<'_>) -> Verdict {
    verdict::of(case)
}

#[cfg(test)]
mod tests;
