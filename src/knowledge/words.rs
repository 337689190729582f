//! From a reply to a [`Reason`]: words first, then the enhanced code, then the number in its place.
//!
//! The number alone names the right reason for three refusals in ten; so text beats number, and what was concluded from a bare
//! number is never more than unsure. Wording of single providers stands before the generic rules, in the same form.

use std::ops::Range;
use std::sync::Arc;

use super::book::{Candidate, Kind, Look, Speaker};
use super::needs::Text;
use super::private::Owned;
use super::rule::Rule;
use super::{Actor, Confidence, Entry, Knowledge, Reason};
use crate::smtp::{CodeClass, EnhancedCode, Reply, ReplyCode, Verb};

/// What a reply was concluded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The words; the rule's id.
    Wording(String),
    /// The enhanced code.
    Enhanced,
    /// The code as an answer to its command.
    Code,
}

/// What a reply says, and how surely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Why.
    pub reason: Reason,
    /// How sure that is.
    pub confidence: Confidence,
    /// What decided.
    pub basis: Basis,
    /// What the numbers say, where that is something else.
    pub conflict: Option<Reason>,
    /// What the rule adds that decided; none if no words did.
    pub said: Option<Said>,
}

/// What a rule adds to the reason that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The words of the reply that decided; empty if the numbers did.
    pub words: String,
    /// Whose way of speaking it is: `Gmail`, `Postfix`; none if it is anybody's.
    pub provider: Option<String>,
    /// A few words, in their terms; none leaves it to the reason.
    pub title: Option<String>,
    /// What happened, in the terms of whoever says so; none leaves it to the reason.
    pub cause: Option<String>,
    /// Who acts first; none leaves it to the reason.
    pub actor: Option<Actor>,
    /// What to do; none leaves it to the reason.
    pub fix: Option<String>,
    /// Where that is known from.
    pub source: String,
    /// Whether anybody may say it: then it tells no more than numbers that agree with it.
    pub is_generic: bool,
}

impl Said {
    fn of(found: &Candidate<'_>, rule: &Rule, words: String) -> Self {
        let book = found.book;
        let source = rule.source.clone();
        // What a provider means by it is another matter where somebody else says it.
        if found.is_strange() {
            return Self { words, provider: None, title: None, cause: None, actor: None, fix: None, source, is_generic: true };
        }
        let provider = matches!(book.kind, Kind::Provider | Kind::Gateway | Kind::Software).then(|| book.name.clone());
        Self {
            words,
            provider,
            title: None,
            cause: rule.cause.clone(),
            actor: rule.actor,
            fix: rule.fix.clone(),
            source,
            is_generic: book.kind == Kind::Generic,
        }
    }

    /// What a number says by itself to those who use it in a sense of their own.
    fn by_number(owned: &Owned, words: String) -> Self {
        let Owned { provider, private } = owned;
        Self {
            words,
            provider: Some(provider.clone()),
            title: Some(private.title.clone()),
            cause: Some(private.meaning.clone()),
            actor: Some(private.actor),
            fix: Some(private.fix.clone()),
            source: private.source.clone(),
            is_generic: false,
        }
    }
}

/// What is quoted of a reply has at most this many characters.
const QUOTED: usize = 60;

/// The place where a pattern matched, as whole words.
fn whole_words(text: &str, start: usize, end: usize) -> String {
    let start = text[..start].rfind(' ').map_or(0, |at| at + 1);
    let end = text[end..].find(' ').map_or(text.len(), |at| end + at);
    let words =
        text.get(start..end).unwrap_or_default().trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '<' | '>' | '[' | ']'));
    let words = words.replace("<x@x>", "...").replace("x@x", "...");
    match words.char_indices().nth(QUOTED) {
        Some((at, _)) => format!("{}...", &words[..at]),
        None => words,
    }
}

/// Whether a reason can be meant there: before a recipient was named, or at a login, no reply is about a recipient's mailbox.
fn fits_stage(reason: Reason, verb: Option<Verb>) -> bool {
    let about_mailbox = matches!(
        reason,
        Reason::UserUnknown
            | Reason::UserDisabled
            | Reason::UserMoved
            | Reason::MailboxFull
            | Reason::RecipientRateLimited
            | Reason::RecipientRestricted
    );
    match verb {
        Some(Verb::Connect | Verb::Ehlo | Verb::Helo | Verb::StartTls) => !about_mailbox,
        // A login is no message that SPF or DKIM could be asked of.
        Some(Verb::Auth) => !about_mailbox && reason != Reason::AuthChecksFailed,
        _ => true,
    }
}

/// The reply of the host behind, where a gateway quotes it that asked for the recipient before it answered; with the host's name.
fn quoted(text: &str) -> Option<(&str, Reply)> {
    let (before, inner) = text.rsplit_once(" said: ")?;
    let (asked, host) = before.rsplit_once("address: host ")?;
    // Of a sender, what that host says of a mailbox is no news about the recipient's.
    let is_recipient = !asked.to_ascii_lowercase().contains("sender address");
    let is_asked = is_recipient && (asked.ends_with("undeliverable ") || asked.ends_with("unverified "));
    let reply = Reply::parse(inner).filter(|_| is_asked)?;
    Some((host.split(['[', ' ']).next()?, reply))
}

/// The enhanced code that a number nobody has listed may be, its dots left out.
fn undotted(code: ReplyCode) -> Option<EnhancedCode> {
    let digits = code.to_string().chars().map(String::from).collect::<Vec<_>>();
    digits.join(".").parse().ok()
}

/// Whoever answers a command was reached: it is the next host that it tells of.
fn from_inside(reason: Reason, verb: Option<Verb>) -> Reason {
    match (reason, verb) {
        (Reason::ConnectionRefused | Reason::ConnectionClosed | Reason::HostUnreachable, Some(_)) => Reason::RoutingError,
        (reason, _) => reason,
    }
}

/// "No such domain" is the sender's where 5.1.7 or 5.1.8 says that it speaks of the sender's address (RFC 3463 section 3.2).
fn of_sender(reason: Reason, enhanced: Option<EnhancedCode>) -> Reason {
    let is_senders = enhanced.is_some_and(|code| code.subject == 1 && matches!(code.detail, 7 | 8));
    match reason {
        Reason::UserUnknown | Reason::DomainUnknown if is_senders => Reason::SenderRejected,
        reason => reason,
    }
}

/// `text` with each mailbox in it written as `x@x`: an address that is echoed is not the server's own words.
pub(super) fn without_addresses(text: &str) -> String {
    let in_local = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let in_domain = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        let lead = before.trim_end_matches(in_local);
        let tail = after.trim_start_matches(in_domain);
        let is_address = lead.len() < before.len() && tail.len() < after.len();
        plain.push_str(if is_address { lead } else { before });
        plain.push_str(if is_address { "x@x" } else { "@" });
        rest = if is_address { tail } else { after };
    }
    plain + rest
}

/// The domain of the recipient whom `text` echoes; none if it echoes nobody, or speaks of the sender. `low` is it in small letters.
fn echoed<'a>(text: &'a str, low: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once('@')?;
    let domain = rest.split(|c: char| !c.is_alphanumeric() && c != '.' && c != '-').next()?;
    let is_senders = low.contains("sender") || low.contains("mail from");
    Some(domain.trim_end_matches('.')).filter(|domain| !domain.is_empty() && !is_senders)
}

/// A reply that was looked at once, to be read as the answer to one command or another.
pub struct Heard<'a> {
    knowledge: &'a Knowledge,
    reply: &'a Reply,
    /// What is known of its code.
    entry: Option<Arc<Entry>>,
    /// What a refusal says; none for what is none.
    refusal: Option<Refusal<'a>>,
}

/// What a reply says as the answer to one command, before it is put in words.
struct Conclusion<'a> {
    reason: Reason,
    confidence: Confidence,
    conflict: Option<Reason>,
    ground: Ground<'a>,
}

/// What a conclusion rests on.
enum Ground<'a> {
    /// The reply of the host behind.
    Behind(Box<Reading>),
    /// Words, here in the text; and the provider's own sense of the number, where that says the same.
    Words { candidate: &'a Candidate<'a>, rule: &'a Rule, place: Range<usize>, private: Option<&'a Owned> },
    /// The enhanced code, maybe in a provider's own sense.
    Enhanced(Option<&'a Owned>),
    /// The code in its place.
    Code,
}

/// The words of a refusal, and where they lead.
struct Refusal<'a> {
    /// The reply's text without addresses.
    text: String,
    /// The same in small letters.
    low: Text,
    candidates: Vec<Candidate<'a>>,
    /// What whoever speaks means by the enhanced code.
    private: Option<Owned>,
    /// What the registry says of it.
    registered: Option<Reason>,
    /// The host behind a gateway, and its reply.
    behind: Option<(String, Reply)>,
}

impl Knowledge {
    /// What `reply` says as an answer to `verb`, whoever speaks; none where it is not known what was answered.
    #[must_use]
    pub fn read(&self, reply: &Reply, verb: Option<Verb>) -> Reading {
        self.hear(Speaker::default(), reply).answering(verb)
    }

    /// Looks at the reply of somebody of whom something may be known.
    #[must_use]
    pub fn hear<'a>(&'a self, speaker: Speaker<'_>, reply: &'a Reply) -> Heard<'a> {
        let is_refusal = matches!(reply.code.class(), CodeClass::Transient | CodeClass::Permanent);
        let refusal = || {
            let whole = reply.text();
            let text = without_addresses(&whole);
            let low = text.to_lowercase();
            let speaker = Speaker { domain: speaker.domain.or_else(|| echoed(&whole, &low)), ..speaker };
            let Look { speakers, candidates } = self.library().look(speaker, &low);
            let private = reply.enhanced.and_then(|code| self.private(&speakers, code));
            let registered = reply.enhanced.and_then(|code| self.registered(code));
            let behind = quoted(&whole).map(|(host, reply)| (host.to_owned(), reply));
            Refusal { text, low: Text::new(low), candidates, private, registered, behind }
        };
        Heard { knowledge: self, reply, entry: self.code_entry(reply.code), refusal: is_refusal.then(refusal) }
    }

    fn registered(&self, code: EnhancedCode) -> Option<Reason> {
        let entry = self.enhanced_entry(code).filter(|_| self.knows_enhanced(code));
        entry.map(|entry| entry.reason(Some(&code.class.to_string())))
    }
}

impl Heard<'_> {
    /// What it says as an answer to `verb`; none where it is not known what was answered.
    #[must_use]
    pub fn answering(&self, verb: Option<Verb>) -> Reading {
        let Conclusion { reason, confidence, conflict, ground } = self.conclude(verb);
        let (basis, said) = match ground {
            Ground::Behind(reading) => (reading.basis, reading.said),
            Ground::Words { candidate, rule, place, private } => {
                let text = self.refusal.as_ref().map_or("", |refusal| refusal.text.as_str());
                let words = whole_words(text, place.start, place.end);
                let said = match private {
                    Some(owned) => Said::by_number(owned, words),
                    // A cause and a remedy that were written for the recipient's address are none for the sender's.
                    None if reason == Reason::SenderRejected && rule.reason != reason => {
                        Said { cause: None, actor: None, fix: None, ..Said::of(candidate, rule, words) }
                    }
                    None => Said::of(candidate, rule, words),
                };
                (Basis::Wording(rule.id.clone()), Some(said))
            }
            Ground::Enhanced(private) => (Basis::Enhanced, private.map(|owned| Said::by_number(owned, String::new()))),
            Ground::Code => (Basis::Code, None),
        };
        Reading { reason, confidence, basis, conflict, said }
    }

    /// The reason alone that it gives as an answer to `verb`.
    #[must_use]
    pub fn reason(&self, verb: Option<Verb>) -> Reason {
        self.conclude(verb).reason
    }

    fn conclude(&self, verb: Option<Verb>) -> Conclusion<'_> {
        let by_code = self.entry.as_ref().map_or(Reason::Undetermined, |entry| entry.reason(verb.map(Verb::as_str)));
        if let Some(refusal) = &self.refusal {
            return self.refusing(refusal, verb, by_code);
        }
        let is_told = self.reply.code.class() != CodeClass::Unknown && by_code != Reason::Undetermined;
        let reason = if is_told { by_code } else { Reason::Undetermined };
        let confidence = if is_told { Confidence::Certain } else { Confidence::Unsure };
        Conclusion { reason, confidence, conflict: None, ground: Ground::Code }
    }

    fn refusing<'s>(&'s self, refusal: &'s Refusal<'_>, verb: Option<Verb>, by_code: Reason) -> Conclusion<'s> {
        let Refusal { text, low, candidates, private, registered, behind } = refusal;
        // A subject's or class's own entry names no cause, and the catch-alls of security (X.7.0, X.7.1) hide at least ten.
        let telling = |reason: &Reason| !matches!(reason, Reason::Undetermined | Reason::PolicyRejected | Reason::Accepted);
        let private = private.as_ref().filter(|owned| fits_stage(owned.private.reason, verb));
        let by_enhanced = private.map(|owned| owned.private.reason).or(*registered);
        // Where its owner speaks, even "policy" is said on purpose.
        let tells = |reason: &Reason| telling(reason) || (private.is_some() && *reason == Reason::PolicyRejected);
        let by_number = by_enhanced.filter(tells).filter(|reason| fits_stage(*reason, verb));
        if let Some((host, inner)) = behind {
            let speaker = Speaker { host: Some(host), ..Speaker::default() };
            let behind = self.knowledge.hear(speaker, inner).answering(verb.or(Some(Verb::Rcpt)));
            if matches!(behind.basis, Basis::Wording(_)) {
                let conflict = by_number.filter(|reason| *reason != behind.reason);
                let Reading { reason, confidence, .. } = behind;
                return Conclusion { reason, confidence, conflict, ground: Ground::Behind(Box::new(behind)) };
            }
        }
        let found = candidates.iter().filter(|candidate| candidate.may_match(low)).find_map(|candidate| {
            let rule = candidate.rule().filter(|rule| rule.is_for(verb) && fits_stage(rule.reason, verb))?;
            Some((candidate, rule, candidate.place(self.reply, text)?))
        });
        // Anybody's "blocked" or "denied" names no cause, and the number does.
        let is_empty = |found: &Candidate<'_>, rule: &Rule| {
            found.book.kind == Kind::Generic && matches!(rule.reason, Reason::PolicyRejected | Reason::Undetermined)
        };
        let found = found.filter(|(found, rule, _)| by_number.is_none() || !is_empty(found, rule));
        if let Some((found, rule, place)) = found {
            let strange = found.is_strange();
            let reason = of_sender(from_inside(rule.reason, verb), self.reply.enhanced);
            let conflict = by_number.filter(|number| *number != reason);
            let confidence = match by_number {
                Some(_) if conflict.is_none() => Confidence::Certain,
                // Words that may mean something else, against a number that says so.
                Some(_) if rule.confidence == Confidence::Likely => Confidence::Unsure,
                _ if strange && rule.confidence == Confidence::Certain => Confidence::Likely,
                _ if strange => Confidence::Unsure,
                _ => rule.confidence,
            };
            let private = private.filter(|owned| found.book.kind == Kind::Generic && owned.private.reason == rule.reason);
            let ground = Ground::Words { candidate: found, rule, place, private };
            return Conclusion { reason, confidence, conflict, ground };
        }
        if let Some(reason) = by_number {
            let confidence = if reason == by_code { Confidence::Certain } else { Confidence::Likely };
            return Conclusion { reason, confidence, conflict: None, ground: Ground::Enhanced(private) };
        }
        let is_listed = self.knowledge.knows_code(self.reply.code) || self.reply.enhanced.is_some();
        let mirrored = undotted(self.reply.code).filter(|_| !is_listed).and_then(|code| self.knowledge.registered(code));
        let by_code = mirrored.filter(telling).filter(|reason| fits_stage(*reason, verb)).unwrap_or(by_code);
        let reason = match (by_enhanced, by_code) {
            // "Not authorised" takes the mailbox out of the number: 550 5.7.1 is no unknown user.
            (Some(Reason::PolicyRejected), _) => Reason::PolicyRejected,
            // Nor does a detail that nobody has registered, under a subject that is not the mailbox.
            (None, Reason::UserUnknown) => match self.reply.enhanced.map(|enhanced| enhanced.subject) {
                Some(7) => Reason::PolicyRejected,
                Some(3..=6) => Reason::Undetermined,
                _ => by_code,
            },
            (_, by_code) => by_code,
        };
        Conclusion { reason, confidence: Confidence::Unsure, conflict: None, ground: Ground::Code }
    }
}
