//! What two hosts said to each other, as a notice quotes it: `>>>` and `<<<` of Sendmail and Courier, and their likes.
//!
//! Sendmail adds its own verdict for each recipient (`550 5.1.1 <anna@example.com>... User unknown`); what the other host had answered
//! before that is the cause.

use super::answer::{self, Said};
use super::words::Phrases;
use super::{address, signs, words};
use crate::reading::reply;
use crate::smtp::{CodeClass, Reply, ReplyCode, Verb};

/// What stands before a server's line.
const SERVER: [&str; 6] = ["<<< ", "Received >>> ", "Out: ", "S: ", "<- ", "<-- "];
/// What stands before a client's line.
const CLIENT: [&str; 6] = [">>> ", "Sent <<< ", "In: ", "C: ", "-> ", "--> "];

/// Without one of these there is no refusal to read.
static MARKS: Phrases =
    Phrases::new(&["<<< ", ">>> ", "... ", "out: 4", "out: 5", "s: 4", "s: 5", "<- 4", "<- 5", "<-- 4", "<-- 5", "mailer error"]);
/// How Sendmail passes on the status of a program that it does not know (`554 5.3.0 unknown mailer error 1`).
static MAILER: Phrases = Phrases::new(&["unknown mailer error"]);

/// What a transcript tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    /// The first refusal; none if there is none.
    pub(super) reply: Option<Reply>,
    /// What it answers.
    pub(super) command: Option<Verb>,
    /// Who refused.
    pub(super) host: Option<String>,
    /// The host that was talked to, if there was but one.
    pub(super) sole_host: Option<String>,
    /// What a delivering program said before a verdict that names nobody.
    pub(super) program: Option<String>,
    /// Whom the refusals are about.
    pub(super) recipients: Vec<Said>,
}

/// How far the reading has come.
#[derive(Default)]
struct Reader {
    session: Session,
    host: Option<String>,
    /// The hosts so far; two tell that there is not one alone.
    hosts: Vec<Option<String>>,
    command: Option<Verb>,
    recipient: Option<String>,
    /// A refusal that no verdict followed yet.
    open: Option<Reply>,
    /// What a program that delivers said in the last line; the verdict below it is about that.
    program: Option<String>,
}

/// Reads the transcript in `text`; none if there is none.
pub(super) fn read(text: &str) -> Option<Session> {
    if !MARKS.any(text) {
        return None;
    }
    let mut reader = Reader::default();
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let program = reader.program.take();
        if let Some(said) = marked(line, &SERVER) {
            let mut whole = said.to_owned();
            while whole.len() < words::LINE && last_line_continues(&whole) {
                let Some(more) = lines.next_if(|next| marked(next, &SERVER).is_some()) else { break };
                whole.push('\n');
                whole.push_str(marked(more, &SERVER).unwrap_or_default());
            }
            reader.answered(&whole);
        } else if let Some(said) = marked(line, &CLIENT) {
            reader.asked(said);
        } else if let Some(rest) = words::after(line.trim_start_matches(['.', ' ']), "while talking to ") {
            reader.talks_to(words::host(rest).map(str::to_owned));
        } else {
            reader.verdict(line, program);
            reader.program = words_of_program(line).map(str::to_owned);
        }
    }
    let mut session = reader.session;
    session.sole_host = if let [host] = reader.hosts.as_mut_slice() { host.take() } else { None };
    (session.reply.is_some() || session.program.is_some() || !session.recipients.is_empty()).then_some(session)
}

/// What follows a mark, if that is a command, a reply, or at least no second mark.
fn marked<'a>(line: &'a str, marks: &[&str]) -> Option<&'a str> {
    // Some put the time before each line.
    let timed = line
        .split_once(": ")
        .filter(|(time, _)| time.starts_with(|c: char| c.is_ascii_alphanumeric()) && time.ends_with(|c: char| c.is_ascii_digit()));
    let line = timed.map_or(line, |(_, rest)| rest);
    marks.iter().find_map(|mark| line.strip_prefix(mark)).map(str::trim_start)
}

fn last_line_continues(reply: &str) -> bool {
    reply.lines().last().is_some_and(|line| line.as_bytes().get(3) == Some(&b'-') && line.as_bytes()[..3].iter().all(u8::is_ascii_digit))
}

/// What a delivering program says by its name: `mail.local: unknown user: anna`, `procmail: Quota exceeded`.
fn words_of_program(line: &str) -> Option<&str> {
    let (name, said) = line.split_once(": ")?;
    let is_name = name.len() < 60 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b));
    (is_name && !said.trim().is_empty()).then(|| words::cut(line, words::LINE))
}

fn one_reply(text: &str) -> Option<Reply> {
    reply::replies(text, 10).ok()?.into_iter().next()
}

fn refuses(reply: &Reply) -> bool {
    matches!(reply.code.class(), CodeClass::Transient | CodeClass::Permanent)
}

impl Reader {
    fn talks_to(&mut self, host: Option<String>) {
        if self.hosts.len() < 2 && !self.hosts.contains(&host) {
            self.hosts.push(host.clone());
        }
        self.host = host;
        self.open = None;
    }

    fn asked(&mut self, said: &str) {
        let lower = words::cut(said, 40).to_ascii_lowercase();
        let verb = if lower.trim_end() == "mail" { Some(Verb::Mail) } else { signs::verb(&lower) };
        // `.` alone, and whatever else is no command, leaves it at that.
        self.command = if said == "." { Some(Verb::DataEnd) } else { verb.or(self.command) };
        if verb == Some(Verb::Rcpt) {
            self.recipient = address::all(said).next().map(|found| found.text.to_owned());
        }
    }

    fn answered(&mut self, said: &str) {
        let Some(reply) = one_reply(said) else { return };
        if reply.code.number() == 354 {
            self.command = Some(Verb::DataEnd);
        }
        if !refuses(&reply) {
            return;
        }
        if self.command == Some(Verb::Rcpt)
            && let Some(recipient) = self.recipient.clone()
        {
            self.add(recipient, Some(reply.clone()), said);
        }
        if self.session.reply.is_none() {
            self.session.command = self.command;
            self.session.host.clone_from(&self.host);
            self.session.reply = Some(reply.clone());
            if self.command == Some(Verb::DataEnd)
                && let Some(recipient) = self.recipient.take()
            {
                self.add(recipient, Some(reply.clone()), said);
            }
        }
        self.open.get_or_insert(reply);
    }

    /// `550 5.1.1 <anna@example.com>... User unknown`, `<anna@example.com>... Deferred: Connection refused`
    /// `program` is what a program said right above.
    fn verdict(&mut self, line: &str, program: Option<String>) {
        let Some(dots) = line.find("... ") else {
            if MAILER.any(line) && self.session.program.is_none() {
                self.session.program = program;
            }
            return;
        };
        let Some(found) = address::all(&line[..dots]).last().filter(|found| found.place.end == dots) else { return };
        let before = line[..found.place.start].trim();
        let code = before
            .get(..3)
            .and_then(|code| code.parse::<ReplyCode>().ok())
            .filter(|_| before[3..].is_empty() || before[3..].starts_with(' '));
        // Without a code it may be any line of a folded text.
        if code.is_none() && !(before.is_empty() && words::starts(&line[dots + 4..], "deferred")) {
            return;
        }
        let inner = answer::decisive(&line[dots + 4..]);
        let own = || one_reply(line).filter(refuses);
        let program = program.filter(|_| self.open.is_none());
        let reply = self.open.take().or(inner).or_else(own);
        self.add(found.text.to_owned(), reply, line);
        if let Some(added) = self.session.recipients.last_mut().filter(|said| said.recipient.as_deref() == Some(found.text)) {
            added.program = added.program.take().or(program);
        }
    }

    fn add(&mut self, recipient: String, reply: Option<Reply>, words: &str) {
        if self.session.recipients.len() >= super::RECIPIENTS
            || self.session.recipients.iter().rev().take(50).any(|said| said.recipient.as_ref() == Some(&recipient))
        {
            return;
        }
        self.session.recipients.push(Said {
            recipient: Some(recipient),
            reply,
            diagnostic: words::line(words),
            command: self.command,
            remote_host: self.host.clone().or_else(|| signs::read(words).1.map(str::to_owned)),
            ..Said::default()
        });
    }
}
