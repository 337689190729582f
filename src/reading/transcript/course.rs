//! What was said, put in order: which reply answers which command, where a message or a secret stands, where a session ends.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::super::conversation::tls_facts;
use super::super::{Conversation, content, failure, reply};
use super::line::{Form, Mark, is_reply};
use super::note::Note;
use crate::smtp::{Answers, Command, Elapsed, Event, Failure, FailureKind, LoginLine, Purpose, Reply, ReplyCode, Said, Stage, Verb};

/// A text may hold so many events in all, and so many conversations.
const EVENTS: usize = 20_000;
const CONVERSATIONS: usize = 1000;
/// A reply may have so many lines.
const LINES: usize = 500;
/// Bytes that answer nothing are kept up to this many.
const PREMATURE: usize = 8 * 1024;

/// What the client is saying that is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    None,
    /// A message, up to the dot.
    Message,
    /// A piece of a message, up to the reply.
    Chunk,
    /// A secret that the server has asked for, one line.
    Secret,
}

/// What is told of the connection itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Connection {
    Untold,
    Begun,
    Stands,
}

/// A command that waits for its reply.
struct Awaited {
    verb: Verb,
    event: usize,
    purpose: Purpose,
}

/// The conversations so far, and the one that goes on.
pub(super) struct Course {
    form: Form,
    done: Vec<Conversation>,
    now: Conversation,
    connection: Connection,
    /// Whether nothing more is to be expected: QUIT was answered, or the server has left.
    left: bool,
    /// The lines of the reply that came last; more may follow.
    open: Vec<String>,
    waiting: VecDeque<Awaited>,
    body: Body,
    /// LMTP answers a message once for each recipient that was taken (RFC 2033 §4.2).
    lmtp: bool,
    taken: usize,
    events: usize,
    /// For whose sake the next commands are said.
    pub(super) purpose: Purpose,
    /// Whether a dot follows that ends the message.
    pub(super) message_goes_on: bool,
}

impl Course {
    pub(super) fn new(form: Form) -> Self {
        Self {
            form,
            done: Vec::new(),
            now: Conversation::default(),
            connection: Connection::Untold,
            left: false,
            open: Vec::new(),
            waiting: VecDeque::new(),
            body: Body::None,
            lmtp: false,
            taken: 0,
            events: 0,
            purpose: Purpose::Target,
            message_goes_on: false,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.events >= EVENTS || self.done.len() >= CONVERSATIONS
    }

    /// The lines of the reply that may go on.
    pub(super) fn open(&self) -> &[String] {
        &self.open
    }

    pub(super) fn server(&mut self, text: &str, mark: Mark) {
        if self.body == Body::Message && self.message_goes_on {
            return;
        }
        if !is_reply(text) {
            return self.premature(text);
        }
        if self.open.last().is_some_and(|last| last.as_bytes().get(3) != Some(&b'-')) {
            self.close();
        }
        if self.open.is_empty() {
            self.mark(mark);
            if self.body == Body::Message {
                // The message itself was left out.
                self.end_of_message();
            }
            self.body = Body::None;
        }
        if self.open.len() < LINES {
            self.open.push(text.to_owned());
        }
        // Only our own report wraps lines; elsewhere what follows may be a message.
        if self.form != Form::Marked && text.as_bytes().get(3) != Some(&b'-') {
            self.close();
        }
    }

    /// A further line of the reply, or the rest of its last one.
    pub(super) fn folded(&mut self, more: &str) {
        let full = self.open.len() >= LINES;
        match self.open.last_mut() {
            Some(last) if last.as_bytes().get(3) != Some(&b'-') || !is_reply(more) => {
                last.push(' ');
                last.push_str(more);
            }
            _ if full => {}
            _ => self.open.push(more.to_owned()),
        }
    }

    pub(super) fn client(&mut self, text: &str, mark: Mark) {
        self.close();
        match self.body {
            Body::Secret => {
                self.body = Body::None;
                // Our own report shows what was said, without what is secret in it.
                if let Some(line @ (LoginLine::Answer(_) | LoginLine::Cancel)) = LoginLine::read(text) {
                    self.mark(mark);
                    self.waiting.pop_front();
                    self.sent(Command::Auth(line));
                }
            }
            Body::Message if text == "." => self.end_of_message(),
            Body::Message | Body::Chunk => {
                if let Some(event) = content::of_line(text) {
                    self.poured(event);
                }
            }
            Body::None => {
                self.mark(mark);
                let known = Command::read(text);
                let marked = || (self.form != Form::Bare && !text.is_empty()).then(|| Command::Said(Said::unknown(text)));
                if let Some(command) = known.or_else(marked) {
                    self.lmtp |= text.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case("LHLO"));
                    self.sent(command);
                }
            }
        }
    }

    /// A line that nobody is known to have said. After a 334 it is the secret.
    pub(super) fn other(&mut self) {
        if self.body == Body::Secret {
            self.body = Body::None;
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        self.close();
        match note {
            Note::Begins { host, peer, stands } => {
                if !self.now.transcript.events.is_empty() {
                    self.end();
                }
                self.connection = self.connection.max(if stands { Connection::Stands } else { Connection::Begun });
                self.place(host, peer);
            }
            Note::Secured { version, cipher } => self.secure(&version, &cipher),
            Note::Broke(kind) => self.broke(kind.into()),
        }
    }

    /// With whom it is held.
    pub(super) fn place(&mut self, host: Option<String>, peer: Option<SocketAddr>) {
        self.now.host = host.or(self.now.host.take());
        self.now.peer = peer.or(self.now.peer);
    }

    pub(super) fn asked(&mut self, asked: bool) {
        self.now.asked = asked;
    }

    /// What our own report marks as not expected.
    pub(super) fn odd(&mut self, words: &str) {
        self.close();
        let closes = reply::leading_code(words).is_some_and(ReplyCode::closes_channel);
        if is_reply(words) && closes {
            if let Some(reply) = reply::of_lines(&[words]) {
                let verb = self.last_verb();
                self.left = true;
                self.received(verb, Answers::Nothing, Purpose::Target, reply);
            }
        } else if let Some(failure) = failure::ours(words) {
            self.broke(failure);
        } else {
            self.premature(words);
        }
    }

    pub(super) fn broke(&mut self, failure: Failure) {
        // After the farewell both sides hang up.
        if self.left || !(self.is_begun() || self.is_heard()) {
            return;
        }
        self.left = true;
        let hung_up = matches!(failure.kind, FailureKind::Closed | FailureKind::Stalled(_) | FailureKind::NotSmtp(_));
        if hung_up || self.is_heard() {
            self.connection = self.connection.max(Connection::Stands);
        }
        let stage = self.stage();
        let failure = if stage == Stage::Tls { Failure { kind: failure.kind.in_handshake(), ..failure } } else { failure };
        self.push(Event::Broke { stage, failure });
    }

    /// All conversations; none if there is none.
    pub(super) fn finish(mut self) -> Option<Vec<Conversation>> {
        self.close();
        self.end();
        (!self.done.is_empty()).then_some(self.done)
    }

    fn is_begun(&self) -> bool {
        self.connection > Connection::Untold
    }

    fn is_secured(&self) -> bool {
        self.now.transcript.tls().is_some()
    }

    fn is_heard(&self) -> bool {
        self.now.transcript.replies().next().is_some()
    }

    fn stage(&self) -> Stage {
        let last = self.now.transcript.replies().next_back();
        match (self.waiting.front(), last) {
            (Some(awaited), _) => Stage::of(awaited.verb),
            (None, Some(answer)) if answer.verb == Verb::StartTls && answer.is_yes() && !self.is_secured() => Stage::Tls,
            (None, Some(answer)) => Stage::of(answer.verb),
            (None, None) if self.connection == Connection::Stands => Stage::Greeting,
            (None, None) => Stage::Connect,
        }
    }

    fn last_verb(&self) -> Verb {
        self.now.transcript.replies().next_back().map_or(Verb::Connect, |answer| answer.verb)
    }

    fn push(&mut self, event: Event) {
        self.events += 1;
        self.now.transcript.events.push((Elapsed::default(), event));
    }

    fn reach(&mut self, stage: Stage) {
        let reached = &mut self.now.transcript.reached;
        *reached = (*reached).max(Some(stage).filter(|stage| *stage < Stage::Quit));
    }

    fn mark(&mut self, mark: Mark) {
        if mark == Mark::Secure {
            self.secure("", "");
        }
    }

    fn secure(&mut self, version: &str, cipher: &str) {
        if !self.is_secured() {
            self.push(Event::Secured(tls_facts(version, cipher)));
            self.reach(Stage::Tls);
        }
    }

    fn sent(&mut self, command: Command) {
        let verb = command.verb();
        let is_chunk = verb == Verb::Bdat || matches!(command, Command::Bdat { .. });
        let purpose = if verb == Verb::Quit && self.purpose != Purpose::Injection { Purpose::Target } else { self.purpose };
        let event = self.now.transcript.events.len();
        self.push(Event::Sent { command, purpose });
        if purpose == Purpose::Injection {
            // Nobody should answer what stands behind STARTTLS.
            self.purpose = Purpose::Target;
            return;
        }
        let answers = if verb == Verb::LmtpData { self.taken.clamp(1, LINES) } else { 1 };
        self.waiting.extend((0..answers).map(|_| Awaited { verb, event, purpose }));
        if is_chunk {
            self.body = Body::Chunk;
        }
    }

    /// What our own report tells of a message that it leaves out.
    fn poured(&mut self, content: Event) {
        let (event, purpose) = (self.now.transcript.events.len(), Purpose::Target);
        let is_whole = matches!(content, Event::Content { whole: true, .. });
        self.push(content);
        if self.body == Body::Message && is_whole {
            self.waiting.push_back(Awaited { verb: Verb::DataEnd, event, purpose });
        }
        self.body = Body::None;
    }

    fn end_of_message(&mut self) {
        self.body = Body::None;
        let said = Said::end_of_message(self.lmtp);
        self.sent(Command::Said(said));
        self.taken = 0;
    }

    fn premature(&mut self, text: &str) {
        self.close();
        if !self.is_heard() && !self.is_begun() {
            return;
        }
        let text = &text.as_bytes()[..text.len().min(PREMATURE)];
        if let Some((_, Event::Premature { bytes, .. })) = self.now.transcript.events.last_mut() {
            if bytes.len() + text.len() < PREMATURE {
                bytes.push(b'\n');
                bytes.extend_from_slice(text);
            }
        } else {
            let stage = self.stage();
            self.push(Event::Premature { stage, began: Elapsed::default(), bytes: text.to_vec() });
        }
    }

    /// The reply that was open is complete.
    fn close(&mut self) {
        let lines = std::mem::take(&mut self.open);
        if let Some(reply) = reply::of_lines(&lines) {
            self.replied(reply);
        }
    }

    fn replied(&mut self, reply: Reply) {
        let number = reply.code.number();
        if number == 334 && self.waiting.front().is_some_and(|awaited| awaited.verb == Verb::Auth) {
            self.body = Body::Secret;
            if let Some(Awaited { verb, event, purpose }) = self.waiting.pop_front() {
                self.waiting.push_front(Awaited { verb, event, purpose });
                self.received(verb, Answers::Command(event), purpose, reply);
            }
            return;
        }
        if let Some(Awaited { verb, event, purpose }) = self.waiting.pop_front() {
            if verb == Verb::Data && number == 354 {
                self.body = Body::Message;
            }
            self.left |= verb == Verb::Quit || reply.code.closes_channel();
            return self.received(verb, Answers::Command(event), purpose, reply);
        }
        let silent = self.now.transcript.events.iter().all(|(_, event)| matches!(event, Event::Secured(_)));
        // 220 answers a connection, or STARTTLS, which would wait for it.
        if !silent && (self.left || number == 220) {
            self.end();
        } else if !silent {
            let verb = self.last_verb();
            self.left |= reply.code.closes_channel();
            return self.received(verb, Answers::Nothing, Purpose::Target, reply);
        }
        // openssl shows the last line of what was answered to the EHLO that it said by itself.
        if number == 220 || number >= 400 {
            self.left |= reply.code.closes_channel();
            self.received(Verb::Connect, Answers::Connection, Purpose::Target, reply);
        }
    }

    fn received(&mut self, verb: Verb, answers: Answers, purpose: Purpose, reply: Reply) {
        self.reach(Stage::Connect);
        if reply.code.is_yes_to(verb) && answers != Answers::Nothing {
            self.reach(Stage::of(verb));
            self.taken += usize::from(verb == Verb::Rcpt);
        }
        self.push(Event::Received { verb, answers, purpose, began: Elapsed::default(), reply });
    }

    /// The conversation is over; it is kept if anything was found out in it.
    fn end(&mut self) {
        let mut now = std::mem::take(&mut self.now);
        let any = |what: fn(&Event) -> bool| now.transcript.events.iter().any(|(_, event)| what(event));
        let asked = any(|event| matches!(event, Event::Sent { .. }));
        let heard = any(|event| matches!(event, Event::Received { .. }));
        let broke = any(|event| matches!(event, Event::Broke { .. }));
        if self.connection == Connection::Stands {
            now.transcript.reached = now.transcript.reached.max(Some(Stage::Connect));
        }
        if (heard && (asked || self.is_begun())) || (broke && self.is_begun()) {
            self.done.push(now);
        }
        let (form, done, events) = (self.form, std::mem::take(&mut self.done), self.events);
        *self = Self { done, events, message_goes_on: self.message_goes_on, ..Self::new(form) };
    }
}
