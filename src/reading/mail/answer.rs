//! The answer that decided, in the words around it: reply code, enhanced code (RFC 3463), what was answered, and by which host.
//!
//! A number is a reply code only where a server's words can stand: at the beginning of a line, behind a colon, quote or bracket, or
//! with an enhanced code of its class behind it. A relay may quote another server's answer in its own; the innermost one names the
//! cause.

use super::transcript::{self, Session};
use super::{address, signs, words};
use crate::reading::{Action, RecipientReport, reply};
use crate::smtp::{EnhancedCode, Reply, Verb};

/// What is said of one recipient, or of all: a report in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) recipient: Option<String>,
    pub(super) original: Option<String>,
    pub(super) action: Option<Action>,
    pub(super) reply: Option<Reply>,
    /// The enhanced code that stands in the words.
    pub(super) enhanced: Option<EnhancedCode>,
    /// The enhanced code of a field of its own (Status).
    pub(super) status: Option<EnhancedCode>,
    pub(super) diagnostic: String,
    /// What a delivering program said before that.
    pub(super) program: Option<String>,
    pub(super) command: Option<Verb>,
    pub(super) remote_host: Option<String>,
    pub(super) reporting_mta: Option<String>,
    pub(super) queue_id: Option<String>,
}

impl Said {
    /// Whether both name the same recipient.
    pub(super) fn is_about(&self, other: &Self) -> bool {
        let names = [&other.recipient, &other.original];
        self.recipient.as_ref().is_some_and(|mine| names.into_iter().flatten().any(|name| address::same(mine, name)))
    }

    /// Whether a code of any kind is in it.
    pub(super) fn tells_a_code(&self) -> bool {
        self.reply.is_some() || self.enhanced.is_some() || self.status.is_some()
    }

    /// Takes over what `other` says and this does not.
    pub(super) fn complete_with(&mut self, other: &Self) {
        fn fill<T: Clone>(mine: &mut Option<T>, other: Option<&T>) {
            if mine.is_none() {
                *mine = other.cloned();
            }
        }
        // Some name a file or a host where an address should stand.
        if self.recipient.as_deref().is_some_and(|recipient| address::all(recipient).next().is_none()) && other.recipient.is_some() {
            self.recipient = None;
        }
        let alone = self.reply.is_none() && self.diagnostic.is_empty();
        fill(&mut self.recipient, other.recipient.as_ref());
        fill(&mut self.original, other.original.as_ref());
        fill(&mut self.action, other.action.as_ref());
        fill(&mut self.reply, other.reply.as_ref());
        fill(&mut self.enhanced, other.enhanced.as_ref());
        fill(&mut self.status, other.status.as_ref());
        fill(&mut self.program, other.program.as_ref());
        fill(&mut self.command, other.command.as_ref());
        fill(&mut self.remote_host, other.remote_host.as_ref());
        fill(&mut self.reporting_mta, other.reporting_mta.as_ref());
        fill(&mut self.queue_id, other.queue_id.as_ref());
        if alone {
            self.diagnostic.clone_from(&other.diagnostic);
        }
    }

    /// The report; `action` stands where none was said.
    pub(super) fn into_report(self, action: Option<Action>) -> RecipientReport {
        // `5.0.0` says no more than the class does, so that another code wins over it.
        let codes = [self.reply.as_ref().and_then(|reply| reply.enhanced), self.enhanced, self.status];
        let telling = codes.into_iter().flatten().find(|code| (code.subject, code.detail) != (0, 0));
        let another = |original: &String| self.recipient.as_ref().is_none_or(|recipient| !address::same(recipient, original));
        RecipientReport {
            original: self.original.filter(another),
            recipient: self.recipient,
            action: self.action.or(action),
            status: telling.or_else(|| codes.into_iter().flatten().next()),
            reply: self.reply,
            diagnostic: self.diagnostic,
            program: self.program,
            command: self.command,
            remote_host: self.remote_host,
            reporting_mta: self.reporting_mta,
            queue_id: self.queue_id,
        }
    }
}

/// Reads what `text` says of why.
pub(super) fn read(text: &str) -> Said {
    read_with(text, transcript::read(text))
}

/// The same, where the transcript in it was read.
pub(super) fn read_with(text: &str, session: Option<Session>) -> Said {
    // In one line, since a sign may be folded.
    let diagnostic = words::line(text);
    let program = session.as_ref().and_then(|session| session.program.clone());
    let session = session.filter(|session| session.reply.is_some());
    let (reply, enhanced) = match &session {
        Some(session) => (session.reply.clone(), None),
        None => (decisive(text), enhanced(text)),
    };
    let session = session.unwrap_or_default();
    let (command, host) = signs::read(&diagnostic);
    let remote_host = session.host.or_else(|| host.map(str::to_owned));
    Said {
        enhanced: enhanced.filter(|_| reply.as_ref().is_none_or(|reply| reply.enhanced.is_none())),
        reply,
        command: session.command.or(command),
        remote_host,
        diagnostic,
        program,
        ..Said::default()
    }
}

/// A number in a text that may be a reply code.
struct Candidate {
    at: usize,
    rank: Rank,
}

/// How much speaks for a number being a reply code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It stands behind a word that announces it.
    Announced,
    /// It stands where a server's words begin.
    Begins,
    /// An enhanced code of its class follows.
    Enhanced,
}

/// Whether a server's refusal stands in `text`.
pub(super) fn refuses(text: &str) -> bool {
    candidates(text).any(|candidate| candidate.rank >= Rank::Begins)
}

/// Whether a reply's number stands in `text`, be it only announced.
pub(super) fn has_number(text: &str) -> bool {
    candidates(text).next().is_some()
}

/// The reply that decided; none if there is no reply code.
pub(super) fn decisive(text: &str) -> Option<Reply> {
    let mut all = candidates(text);
    let mut best = all.next()?;
    let mut inner = Vec::new();
    for candidate in all {
        if quotes_another(text, best.at, candidate.at, candidate.rank) {
            inner.push(candidate);
        } else if (candidate.rank > best.rank || candidate.rank == best.rank && is_placeholder(text, best.at)) && inner.is_empty() {
            best = candidate;
        }
    }
    // Quoted by the one that was chosen, in the same line.
    let innermost = inner.iter().rev().find(|candidate| candidate.at > best.at && !text[best.at..candidate.at].contains('\n'));
    reply_at(text, innermost.map_or(best.at, |candidate| candidate.at))
}

/// Whether no server said it: Exchange writes 400 where it only means that it has not given up.
fn is_placeholder(text: &str, at: usize) -> bool {
    text[at..].starts_with("400")
}

/// Whether the number at `at` begins an answer that the one at `outer` quotes.
fn quotes_another(text: &str, outer: usize, at: usize, rank: Rank) -> bool {
    let Some(between) = text.get(outer + 3..at) else { return false };
    let before = between.trim_end_matches([' ', '\'', '"']);
    if before.ends_with("->") || before.ends_with('<') {
        return true;
    }
    let said = before.trim_end_matches(':');
    let announced = ["said", "was", "returned", "response", "error", "replied", "responded"].iter().any(|word| said.ends_with(word));
    (before.ends_with(':') && (rank == Rank::Enhanced || announced))
        || (rank == Rank::Enhanced && announced && (before.contains("server") || before.contains("host")))
        || (rank == Rank::Enhanced && before.ends_with(['(', '[']))
}

fn candidates(text: &str) -> impl Iterator<Item = Candidate> {
    let bytes = text.as_bytes();
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + memchr::memchr2(b'4', b'5', bytes.get(from..)?)?;
            from = at + 1;
            if let Some(rank) = rank(text, at) {
                from = at + 3;
                return Some(Candidate { at, rank });
            }
        }
    })
}

/// What speaks for a reply code at `at`; none if it is some other number.
fn rank(text: &str, at: usize) -> Option<Rank> {
    let bytes = text.as_bytes();
    let digits = bytes.get(at..at + 3)?;
    // Codes that servers are known to send have a middle digit of 0 to 7.
    if !digits[1..].iter().all(u8::is_ascii_digit) || digits[1] > b'7' {
        return None;
    }
    let rest = text.get(at + 3..)?;
    let separated = rest.is_empty() || rest.starts_with([' ', '\t', '\n', '-', ':', ',', ';', '.', ')', ']', '>', '"', '\'']);
    if !separated || rest.starts_with('.') && rest[1..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let before = &text[..at];
    if before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '/' | '=' | '+' | '@' | '_' | '%' | '&')) {
        // `-> 550` has a blank; `SMTP-550` and its like have not.
        return None;
    }
    // A telephone number.
    let digits_follow = |rest: &str| rest.bytes().take_while(u8::is_ascii_digit).count();
    if rest.starts_with(") ") && digits_follow(&rest[2..]) == 3 || rest.starts_with('-') && digits_follow(&rest[1..]) >= 3 {
        return None;
    }
    // The time of day.
    if before.ends_with(':') && before[..at - 1].ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Some(code) = following_enhanced(rest)
        && code.class == digits[0] - b'0'
    {
        return Some(Rank::Enhanced);
    }
    let words = rest.trim_start_matches([' ', '\t', '-', ':', ',', '\'', '"']);
    if is_unit(words) {
        return None;
    }
    let line = before.trim_end_matches([' ', '\t', '\u{a0}', '#', '\'', '"']);
    if line.is_empty()
        || line.ends_with(['\n', ':', ';', '(', '[', '<', '>', '：', '（', '「', '“', '„', '«', '‘', '‚'])
        || line.ends_with("...")
        || line.ends_with("],")
        || rest.starts_with(['\'', '"'])
    {
        return Some(Rank::Begins);
    }
    if rest.starts_with("-'") || rest.starts_with("-\"") {
        return Some(Rank::Begins);
    }
    let word = line.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let known = ["error", "returned", "response", "smtp", "said", "with", "status", "reply"];
    let is_announced = known.iter().any(|known| word.eq_ignore_ascii_case(known)) || ends_in_code(word) || ends_in_number(line);
    is_announced.then_some(Rank::Announced)
}

/// `code`, or a name that ends so: `ResponseCode`.
fn ends_in_code(word: &str) -> bool {
    let from = word.len().saturating_sub(4);
    word.get(from..).is_some_and(|end| end.eq_ignore_ascii_case("code"))
}

/// Whether a number or an address in brackets stands there, as before the answer that it belongs to: `(000B09B6)`, `(192.0.2.25)`.
fn ends_in_number(line: &str) -> bool {
    let Some(inner) = line.strip_suffix(')').and_then(|line| line.rsplit('(').next()).filter(|inner| inner.len() < 40) else {
        return false;
    };
    inner.bytes().any(|b| b.is_ascii_digit()) && inner.bytes().all(|b| b.is_ascii_hexdigit() || b == b'.' || b == b':')
}

/// Whether what follows a number makes it an amount.
fn is_unit(words: &str) -> bool {
    const UNITS: [&str; 14] =
        ["mb", "kb", "gb", "bytes", "byte", "seconds", "minutes", "hours", "days", "messages", "recipients", "mails", "attempts", "octets"];
    let word = words.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    UNITS.iter().any(|unit| word.eq_ignore_ascii_case(unit))
}

/// The enhanced code right behind a reply code.
fn following_enhanced(rest: &str) -> Option<EnhancedCode> {
    let token = rest.trim_start_matches([' ', '-', ':', '\t', '#', '\'', '"', '(', '[']);
    // No more than a separator and a mark may stand between.
    if rest.len() - token.len() > 4 {
        return None;
    }
    enhanced_at(token)
}

fn enhanced_at(text: &str) -> Option<EnhancedCode> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let code: EnhancedCode = text[..end].trim_end_matches('.').parse().ok()?;
    let followed = text[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (code.subject < 10 && !followed).then_some(code)
}

/// The first enhanced code of a failure in a text; not the parts of a version or an address.
pub(super) fn enhanced(text: &str) -> Option<EnhancedCode> {
    let bytes = text.as_bytes();
    memchr::memchr2_iter(b'4', b'5', bytes).find_map(|at| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        if bytes.get(at + 1) != Some(&b'.') || before.is_some_and(|b| b.is_ascii_alphanumeric() || b"./-_@".contains(b) || *b >= 0x80) {
            return None;
        }
        let word = text[..at].trim_end().rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let version = ["version", "postfix", "exim", "sendmail", "server", "id"].iter().any(|known| word.eq_ignore_ascii_case(known));
        enhanced_at(&text[at..]).filter(|_| !version)
    })
}

/// The reply whose first code stands at `at`.
fn reply_at(text: &str, at: usize) -> Option<Reply> {
    let mut lines = text.get(at..)?.lines();
    let first = lines.next()?;
    let code = first.get(..3)?;
    // `Diagnostic code: smtp;550 no`, and more of the kind below it.
    let labelled = is_label(text[..at].rsplit('\n').next().unwrap_or_default());
    let mut whole = words::cut(first, words::LINE).trim_end().to_owned();
    let mut open = first[3..].starts_with('-');
    let mut folded = true;
    for line in lines {
        let bare = line.trim_start();
        let again = bare.strip_prefix(code).filter(|rest| rest.is_empty() || rest.starts_with([' ', '-']));
        if let Some(rest) = again.filter(|_| open) {
            whole.push('\n');
            open = rest.starts_with('-');
            folded = true;
        } else if labelled && bare.find(": ").is_some_and(|colon| is_label(&bare[..=colon])) {
            break;
        } else if folded && line.starts_with([' ', '\t']) && !bare.is_empty() && !bare.starts_with(['(', '>']) && !bare.starts_with("<<<") {
            whole.push('\n');
        } else {
            break;
        }
        whole.push_str(bare.trim_end());
        if whole.len() > words::LINE {
            break;
        }
    }
    // `550: text`, and a reply in quotes behind its code: `550-'5.1.1 text'`.
    if whole[3..].starts_with(':') {
        whole.replace_range(3..4, " ");
    }
    if whole[3..].starts_with(['-', ' ']) && whole[4..].starts_with(['\'', '"']) {
        whole.remove(4);
    }
    cut_tail(&mut whole);
    reply::replies(&whole, 1).ok()?.into_iter().next()
}

/// Whether a text is a name with a colon, perhaps with a type behind it: `Reason: `, `Diagnostic code: smtp;`.
fn is_label(text: &str) -> bool {
    let Some((name, kind)) = text.trim_start().split_once(':') else { return false };
    let kind = kind.trim();
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.len() < 40
        && name.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'-'))
        && (kind.is_empty() || kind.ends_with(';'))
}

/// Removes what the reporting host wrote behind the reply.
fn cut_tail(text: &mut String) {
    const NOTES: [&str; 5] = ["(in reply to", "(delivery attempts:", "##", "[RCPT_TO]", "[MAIL_FROM]"];
    for note in NOTES {
        if let Some(at) = text.find(note).filter(|at| *at > 3) {
            text.truncate(at);
        }
    }
    loop {
        let end = text.trim_end();
        let unpaired = [('(', ')'), ('[', ']'), ('<', '>')]
            .iter()
            .any(|(open, close)| end.ends_with(*close) && end.matches(*open).count() < end.matches(*close).count());
        let quoted = ['\'', '"'].iter().any(|quote| end.ends_with(*quote) && end.matches(*quote).count() % 2 == 1);
        let keep = end.len() - usize::from(unpaired || quoted);
        text.truncate(keep);
        if !(unpaired || quoted) {
            break;
        }
    }
}
