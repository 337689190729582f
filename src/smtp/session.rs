//! The client's side of one SMTP session as a state machine (RFC 5321 §3 and §4, RFC 3207, RFC 2920).
//!
//! The rules stand at [`Session`]; every decision about what to say next is in [`Session::decide`].

mod login;
mod message;
mod waiting;

use std::collections::VecDeque;
use std::time::Duration;

use zeroize::Zeroizing;

use self::login::{LoggingIn, Progress, Talk};
use self::message::{Outgoing, missing};
use self::waiting::Waiting;
use super::failure::{Failure, FailureKind, ForeignProtocol};
use super::tls::TlsFacts;
use super::transcript::{Answers, Connected, Elapsed, Event, Purpose, Stage, Transcript};
use super::{
    Capabilities, ChannelBinding, CodeClass, Command, Dialogue, Handshake, HelloName, Item, LegacyTls, MailParameters, Protocol, Reply,
    ReplyReader, Secret, TlsUse, Transaction, Verb,
};
use crate::message::Message;
use crate::target::Mailbox;

/// Bytes that answer nothing are kept up to this many in one session; what comes after is dropped unseen.
const PREMATURE_LIMIT: usize = 64 * 1024;
/// Lines that are no reply are passed over up to this many; then what speaks is not SMTP.
const GARBAGE_LIMIT: usize = 20;

/// What the driver must do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Write these bytes and say [`Session::sent`]. Whatever can be read before the first byte goes out belongs to
    /// [`Session::received`] first.
    Write(Vec<u8>),
    /// Write as much of these bytes of a message as the connection takes, at least one within this time, and say
    /// [`Session::wrote`]; or, as soon as something can be read, [`Session::received`] instead.
    WriteSome(Vec<u8>, Duration),
    /// Write these bytes, a line of a login, with as few copies as can be, and say [`Session::sent`]. The same holds for what can be read.
    WriteSecret(Secret),
    /// Wait for bytes, at most this long, and say [`Session::received`] or [`Session::broke`].
    Read(Duration),
    /// Do a TLS handshake, at most this long, and say [`Session::secured`] or [`Session::broke`].
    Handshake(Duration),
    /// Learn what old TLS the server would speak, at most this long, and say [`Session::surveyed`] or [`Session::broke`].
    Survey(Duration),
    /// Say nothing for this long, and then [`Session::rested`]; if bytes come before, [`Session::received`], or [`Session::broke`].
    Rest(Duration),
    /// Close the connection: it is over.
    Close,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The connection does not stand yet.
    Connecting,
    /// The PROXY protocol's header is due, before anything else.
    Preface,
    /// The server speaks first.
    Greeting,
    /// The TLS handshake is due.
    Handshake,
    /// EHLO or HELO is on its way.
    Hello,
    /// STARTTLS is on its way.
    StartTls,
    /// A line of the login is on its way.
    Auth(Box<Talk>),
    /// XCLIENT is on its way; a yes begins the session anew.
    Xclient,
    /// Introduced; a transaction may begin, or is being answered.
    Ready,
    /// Introduced; nothing is said before this time.
    Resting(Elapsed),
    /// DATA is on its way.
    Data,
    /// The message is on its way, or waits for its reply.
    Message,
    /// QUIT is on its way.
    Quit,
    /// Nothing more will be said.
    Over,
}

/// How many refusals a session asks for. Servers count them, and slow down, hang up or lock out whoever has too many: by default
/// Postfix slows down from the 10th on and hangs up at the 20th (`smtpd_soft_error_limit`, `smtpd_hard_error_limit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorLimit {
    /// After so many the session leaves.
    pub enough: usize,
    /// There are never more than this: no longer group of commands goes out ahead of its replies than would reach it if all were
    /// refused.
    pub most: usize,
    /// Of a hundred recipients so many are expected to be refused: groups are so small that twice as many come to no more than enough.
    pub percent: usize,
    /// The same, where the recipients are drawn at random from those whose answers it goes by, so that refusals do not come in a row;
    /// none if they are not. Then a group may be so large that [`most`](Self::most) is passed less than once in a billion groups.
    pub drawn: Option<usize>,
}

impl ErrorLimit {
    /// How many commands may go out at once after so many refusals; at least one.
    #[must_use]
    pub fn group(self, refusals: usize) -> usize {
        let hard = self.most.saturating_sub(refusals);
        let soft = self.enough.saturating_sub(refusals) * 100 / (self.percent.max(1) * 2);
        // The number of refusals is all but Poisson's, with mean m; that it comes to k or more has a chance of at most
        // exp(k - m - k ln(k / m)), which is below 1e-9 where m is a quarter of k - 9 (for k up to 19).
        let drawn = self.drawn.map_or(0, |percent| hard.saturating_sub(9) * 100 / (percent.max(1) * 4));
        hard.min(soft).max(drawn).max(1)
    }
}

#[derive(Clone, Debug)]
struct Awaited {
    verb: Verb,
    event: usize,
    purpose: Purpose,
}

/// One session, from the connection to QUIT.
///
/// 1. Every decision about what to say next is in one function of the source, `decide`.
/// 2. The session never asks for the time; it is told.
/// 3. It speaks ahead only as RFC 2920 §3.1 allows (MAIL, RCPT and RSET in one group) and only when PIPELINING was offered. Replies
///    answer commands in order; bytes that answer nothing are [`Event::Premature`] and are never given to a later command.
/// 4. What lies unread before a TLS handshake is recorded and dropped (RFC 3207 §4.2). Nothing is said behind STARTTLS in the clear,
///    unless that is what is to be tried ([`Handshake::Injection`]).
/// 5. A password leaves it only inside TLS with a certificate that proves the server's name, unless the login says otherwise
///    ([`LoginOver`](super::LoginOver)); the transcript never has it, whatever the server repeats. A message leaves it only in the
///    target's own transaction and where the dialogue goes as far as [`Stage::Message`], whole and once; what it needs and the server
///    does not offer ends the transaction before MAIL.
/// 6. QUIT goes out on every path that still can: not before a greeting, after a reply that closes the channel, after 354 where no
///    whole message has been sent, or where the server may take it for a line of the login.
/// 7. What is agreed on with one's own server comes before all that depends on it: the PROXY header ahead of everything, TLS too;
///    XCLIENT behind EHLO, inside TLS where that is used, and only where all of it is offered. After its yes nothing that the server
///    said before counts.
#[derive(Clone, Debug)]
pub struct Session {
    dialogue: Dialogue,
    state: State,
    hello: HelloName,
    capabilities: Option<Capabilities>,
    secured: bool,
    /// Whether MAIL was said since the last RSET, so that the next transaction must begin with one.
    dirty: bool,
    queue: VecDeque<Transaction>,
    /// Commands of the running transaction that are not sent yet, with their purpose.
    unsaid: VecDeque<(Command, Purpose)>,
    /// Commands handed out to be written.
    outbox: Vec<(Command, Purpose)>,
    awaited: VecDeque<Awaited>,
    /// What was said in the clear behind STARTTLS, and has no answer.
    injected: Option<Awaited>,
    /// Whether a recipient of the target's transaction was taken, so that DATA has a sense.
    taken: bool,
    /// The message of the target's transaction.
    outgoing: Option<Outgoing>,
    /// What there is to log in with.
    login: Option<Box<LoggingIn>>,
    /// How many refusals are enough; none if they are not counted.
    error_limit: Option<ErrorLimit>,
    /// Refusals so far.
    refusals: usize,
    reader: ReplyReader,
    premature: usize,
    garbage: usize,
    waiting: Waiting,
    transcript: Transcript,
}

impl Session {
    /// A session that has not been connected yet, and begins to connect at `began`.
    #[must_use]
    pub fn new(dialogue: Dialogue, began: Elapsed) -> Self {
        Self {
            hello: dialogue.hello.clone().unwrap_or_default(),
            login: dialogue.login.clone().map(LoggingIn::new).map(Box::new),
            dialogue,
            state: State::Connecting,
            capabilities: None,
            secured: false,
            dirty: false,
            queue: VecDeque::new(),
            unsaid: VecDeque::new(),
            outbox: Vec::new(),
            awaited: VecDeque::new(),
            injected: None,
            taken: false,
            outgoing: None,
            error_limit: None,
            refusals: 0,
            reader: ReplyReader::default(),
            premature: 0,
            garbage: 0,
            waiting: Waiting::new(began),
            transcript: Transcript { began, ..Transcript::default() },
        }
    }

    /// Leaves after so many refusals, and asks for no more of them. It may be said again whenever more is known.
    pub fn bear(&mut self, limit: ErrorLimit) {
        self.error_limit = Some(limit);
    }

    /// Adds a transaction to be held after all others. It is dropped if the session ends before its turn.
    pub fn enqueue(&mut self, transaction: Transaction) {
        self.queue.push_back(transaction);
        if self.may_stay() {
            self.outbox.clear();
            self.state = State::Ready;
            self.decide();
        }
    }

    /// Whether everything is answered, and a further transaction would be held.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.may_stay() && !self.has_enough()
    }

    /// Stays for `span` without a word where the session [is idle](Self::is_idle), and decides then whether to leave. A transaction
    /// that is [enqueued](Self::enqueue) before ends it.
    pub fn rest(&mut self, at: Elapsed, span: Duration) {
        self.tick(at);
        if self.is_idle() {
            self.outbox.clear();
            self.waiting.restart();
            self.state = State::Resting(Elapsed(at.0.saturating_add(span)));
        }
    }

    /// The rest is over.
    pub fn rested(&mut self, at: Elapsed) {
        self.tick(at);
        if matches!(self.state, State::Resting(_)) {
            self.state = State::Ready;
            self.decide();
        }
    }

    /// Whether the decision to leave for want of work can be taken back, as long as QUIT has not been written.
    fn may_stay(&self) -> bool {
        let undecided = matches!(self.state, State::Resting(_)) || (self.state == State::Quit && !self.outbox.is_empty());
        undecided && self.capabilities.is_some() && self.transcript.failure().is_none()
    }

    fn has_enough(&self) -> bool {
        self.error_limit.is_some_and(|limit| self.refusals >= limit.enough)
    }

    /// What has happened so far.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// What happened.
    #[must_use]
    pub fn into_transcript(self) -> Transcript {
        self.transcript
    }

    /// Whether the server's answers are complete, so that only the farewell remains.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.state == State::Over || (self.state == State::Quit && self.outbox.is_empty())
    }

    /// What the driver must do now.
    #[must_use]
    pub fn need(&self) -> Need {
        let times = &self.dialogue.times;
        let limit = match self.state {
            State::Over => return Need::Close,
            State::Handshake => {
                let limit = times.handshake.min(self.waiting.in_all(times));
                return if self.dialogue.handshake == Handshake::Survey { Need::Survey(limit) } else { Need::Handshake(limit) };
            }
            State::Connecting | State::Greeting => times.greeting,
            State::Quit if self.outbox.is_empty() && times.farewell.is_zero() => return Need::Close,
            State::Quit => times.farewell,
            State::Resting(until) => return Need::Rest(until.since(self.waiting.now)),
            State::Message => {
                return match self.pouring() {
                    Some(bytes) => Need::WriteSome(bytes.to_vec(), self.waiting.left_alone(times, times.block)),
                    None if self.outbox.is_empty() => Need::Read(self.waiting.left_alone(times, times.message)),
                    None => Need::Write(self.lines()),
                };
            }
            _ => times.command,
        };
        if self.outbox.is_empty() {
            Need::Read(self.waiting.left(times, limit))
        } else if let State::Auth(talk) = &self.state
            && let Some(need) = talk.need()
        {
            need
        } else {
            Need::Write(self.lines())
        }
    }

    fn lines(&self) -> Vec<u8> {
        self.outbox.iter().flat_map(|(command, _)| command.octets()).collect()
    }

    /// The connection stands.
    pub fn connected(&mut self, at: Elapsed, ends: Connected) {
        self.tick(at);
        if self.dialogue.hello.is_none() {
            self.hello = HelloName::Literal(ends.local.ip().to_canonical());
        }
        self.record(Event::Connected(ends));
        self.transcript.reached = Some(Stage::Connect);
        self.waiting.restart();
        if let Some(header) = self.dialogue.proxy_header.filter(|_| self.dialogue.until > Stage::Connect) {
            self.state = State::Preface;
            return self.outbox.push((Command::Proxy(header.on(&ends)), Purpose::Target));
        }
        self.open();
    }

    /// Nothing stands before the conversation any more.
    fn open(&mut self) {
        self.state = match (self.dialogue.until, self.dialogue.tls) {
            (Stage::Dns | Stage::Connect, _) => State::Over,
            (_, TlsUse::Implicit) => State::Handshake,
            _ => State::Greeting,
        };
    }

    /// All that [`Need::Write`] named was written.
    pub fn sent(&mut self, at: Elapsed) {
        self.tick(at);
        if self.state == State::Preface {
            for (command, purpose) in std::mem::take(&mut self.outbox) {
                self.record(Event::Sent { command, purpose });
            }
            self.waiting.restart();
            self.open();
            // A greeting that did not wait for the header is a greeting all the same.
            return self.digest(at);
        }
        // A line that began before we spoke cannot be the answer to what we said.
        let since = self.waiting.coming_since();
        let early = self.reader.take_rest();
        self.note_premature(since, early);
        self.waiting.restart();
        if let State::Auth(talk) = &mut self.state {
            talk.sent();
        }
        for (command, purpose) in std::mem::take(&mut self.outbox) {
            let awaited = Awaited { verb: command.verb(), event: self.transcript.events.len(), purpose };
            // Nobody should answer what stands behind STARTTLS.
            if purpose == Purpose::Injection {
                self.injected = Some(awaited);
            } else {
                self.awaited.push_back(awaited);
            }
            self.record(Event::Sent { command, purpose });
        }
        // A chunk follows its command at once.
        if self.state == State::Message {
            self.pour(self.transcript.events.len().saturating_sub(1));
        }
    }

    /// Bytes came from the server.
    pub fn received(&mut self, at: Elapsed, bytes: &[u8]) {
        self.tick(at);
        self.reader.push(bytes);
        if self.state != State::Preface {
            self.digest(at);
        }
    }

    /// Takes what can be read.
    fn digest(&mut self, at: Elapsed) {
        let mut since = self.waiting.coming_since();
        while self.state != State::Over && self.state != State::Handshake {
            let Some(item) = self.reader.next() else { break };
            self.take(since, item);
            since = at;
        }
        if self.state == State::Handshake {
            let early = self.reader.take_rest();
            self.note_premature(since, early);
        } else if !self.reader.is_empty() && self.state != State::Quit {
            self.waiting.partial(since);
        }
        // Whoever sends without end and unasked is not waited for.
        if self.premature >= PREMATURE_LIMIT && !matches!(self.state, State::Over | State::Quit) {
            self.fail(FailureKind::ReplyTooLong.into());
            self.state = State::Over;
        }
    }

    /// TLS is about to be [up](Self::secured), and a login can be bound to it by this.
    pub fn binds(&mut self, binding: ChannelBinding) {
        self.note_binding(binding);
    }

    /// TLS is up.
    pub fn secured(&mut self, at: Elapsed, facts: TlsFacts) {
        self.tick(at);
        self.record(Event::Secured(facts));
        self.reach(Stage::Tls);
        self.secured = true;
        self.waiting.restart();
        if self.dialogue.tls == TlsUse::Implicit {
            // Before the greeting nothing may be said, QUIT neither.
            self.state = if self.dialogue.until == Stage::Tls { State::Over } else { State::Greeting };
        } else {
            // What was learnt before TLS does not count any more (RFC 3207 §4.2).
            self.capabilities = None;
            self.introduce();
        }
    }

    /// The server has shown what old TLS it would speak. Over that nothing is ever said.
    pub fn surveyed(&mut self, at: Elapsed, legacy: LegacyTls) {
        self.tick(at);
        self.record(Event::Surveyed(legacy));
        self.state = State::Over;
    }

    /// What [`Need`] asked for did not come to pass.
    pub fn broke(&mut self, at: Elapsed, failure: Failure) {
        self.tick(at);
        let kind = match failure.kind {
            // Whichever time was shorter: nobody answered.
            FailureKind::TimedOut(_) if self.state == State::Connecting => FailureKind::TimedOut(at.since(self.transcript.began)),
            FailureKind::TimedOut(_) => self.waiting.over(&self.dialogue.times),
            kind => kind,
        };
        let failure = Failure { kind, ..failure };
        let since = self.waiting.coming_since();
        let ended = matches!(failure.kind, FailureKind::Closed | FailureKind::Reset);
        if ended && let Some(item) = self.reader.finish() {
            self.take(since, item);
        }
        match self.state {
            State::Over => return,
            // Whatever becomes of the farewell, the answers have been given (RFC 5321 §4.1.1.10).
            State::Quit => return self.state = State::Over,
            _ => {}
        }
        let partial = self.reader.take_rest();
        self.note_premature(since, partial);
        let failure = self.foreign().map_or(failure, |protocol| FailureKind::NotSmtp(protocol).into());
        let failure = match self.state {
            State::Handshake => Failure { kind: failure.kind.in_handshake(), ..failure },
            _ => failure,
        };
        let pouring = self.pouring().is_some();
        if pouring {
            self.note_content();
        }
        let can_quit = failure.kind.is_of_time() || failure.kind == FailureKind::Interrupted;
        self.fail(failure);
        // Without a greeting nothing may be said, after a failed handshake nothing can, after DATA it might become a message, and in a
        // login a password.
        let mute = pouring || matches!(self.state, State::Handshake | State::Data | State::Auth(_));
        if can_quit && !mute && self.transcript.reached >= Some(Stage::Greeting) {
            self.leave();
            self.dialogue.times.farewell = Duration::ZERO;
        } else {
            self.state = State::Over;
        }
    }

    fn take(&mut self, since: Elapsed, item: Item) {
        match item {
            Item::Reply(reply) if self.state == State::Greeting => {
                self.receive(since, Verb::Connect, Answers::Connection, Purpose::Target, reply);
            }
            // 220 answers a connection or STARTTLS, never EHLO: a second greeting that was on its way.
            Item::Reply(reply) if self.state == State::Hello && reply.code.number() == 220 => self.note_premature(since, reply.raw),
            // The answer to what was said in the clear, ahead of the one to what was said inside TLS.
            Item::Reply(reply) if self.state == State::Hello && reply.code.number() == 221 && self.injected.is_some() => {
                self.answer_injected(since, reply);
            }
            Item::Reply(reply) if self.pouring().is_some() => self.take_ahead(since, reply),
            Item::Reply(reply) => match self.awaited.pop_front() {
                Some(Awaited { verb, event, purpose }) => self.receive(since, verb, Answers::Command(event), purpose, reply),
                // Nobody asked, but it says that the server is leaving (RFC 5321 §3.8).
                None if reply.code.closes_channel() => {
                    let verb = self.transcript.replies().next_back().map_or(Verb::Connect, |last| last.verb);
                    self.receive(since, verb, Answers::Nothing, Purpose::Target, reply);
                }
                None => self.note_premature(since, reply.raw),
            },
            Item::Garbage(bytes) => {
                let foreign = ForeignProtocol::recognise(&bytes).filter(|_| self.state == State::Greeting);
                self.note_premature(since, bytes);
                self.garbage += 1;
                if let Some(protocol) = foreign.or((self.garbage >= GARBAGE_LIMIT).then_some(ForeignProtocol::Unknown)) {
                    self.fail(FailureKind::NotSmtp(protocol).into());
                    self.state = State::Over;
                }
            }
            Item::TooLong(bytes) => {
                self.note_premature(since, bytes);
                self.fail(FailureKind::ReplyTooLong.into());
                self.state = State::Over;
            }
        }
    }

    fn answer_injected(&mut self, since: Elapsed, reply: Reply) {
        if let Some(Awaited { verb, event, purpose }) = self.injected.take() {
            self.receive(since, verb, Answers::Command(event), purpose, reply);
        }
    }

    fn receive(&mut self, began: Elapsed, verb: Verb, answers: Answers, purpose: Purpose, reply: Reply) {
        let code = reply.code;
        let challenge = matches!(self.state, State::Auth(_)).then(|| Zeroizing::new(reply.lines.concat()));
        let reply = self.without_secrets(reply);
        let capabilities = (verb == Verb::Ehlo).then(|| Capabilities::from_reply(&reply));
        self.record(Event::Received { verb, answers, purpose, began, reply });
        self.waiting.restart();
        let yes = code.is_yes_to(verb);
        self.refusals += usize::from(!yes && matches!(verb, Verb::Mail | Verb::Rcpt | Verb::Rset));
        // Whether a yes to a login can be believed is not said by its code alone.
        if yes && purpose == Purpose::Target && answers != Answers::Nothing && verb != Verb::Auth {
            // A chunk that is not the last is a message in part.
            self.reach(if verb == Verb::Bdat { Stage::Data } else { Stage::of(verb) });
        }
        // 421 may come at any moment and ends everything; so does a 221 that QUIT did not ask for.
        if code.closes_channel() {
            self.state = State::Over;
            return;
        }
        if let (State::Auth(talk), Some(challenge)) = (&self.state, challenge) {
            let talk = Talk::clone(talk);
            return self.go_on_with_login(talk, code.number(), &challenge);
        }
        match (&self.state, verb) {
            (State::Quit, _) => self.state = State::Over,
            (State::Greeting, _) if yes && self.dialogue.until > Stage::Greeting => self.introduce(),
            // LMTP has no older word (RFC 2033 §4.1).
            (State::Hello, Verb::Ehlo) if code.number() / 100 == 5 && self.dialogue.protocol == Protocol::Smtp => {
                self.outbox.push((Command::Helo(self.hello.clone()), Purpose::Target));
            }
            // It is another client from here on: nothing that was said before counts.
            (State::Xclient, _) if yes => {
                self.capabilities = None;
                self.introduce();
            }
            (State::Hello, _) if yes => {
                self.capabilities = Some(capabilities.unwrap_or_default());
                self.state = State::Ready;
                self.decide();
            }
            (State::StartTls, _) if code.number() == 220 => self.state = State::Handshake,
            // Then the QUIT behind it was said in its place.
            (State::StartTls, _) if self.injected.is_some() => {
                self.awaited.extend(self.injected.take());
                self.state = State::Quit;
            }
            // A server that offers STARTTLS and then refuses it is gone on with in the clear, as an opportunistic sender does.
            (State::StartTls, _) if self.dialogue.tls == TlsUse::IfOffered => {
                self.dialogue.tls = TlsUse::Never;
                self.state = State::Ready;
                self.decide();
            }
            (State::StartTls, _) if code.class() == CodeClass::Success => {
                self.fail(FailureKind::TlsNotOffered.into());
                self.leave();
            }
            // An FTP server greets with 220, too, and does not know either word.
            (State::Hello, Verb::Helo) if self.greeted_by_ftp() => {
                self.fail(FailureKind::NotSmtp(ForeignProtocol::Ftp).into());
                self.leave();
            }
            (State::Data, _) if yes && self.sends() => self.pour(if let Answers::Command(asked) = answers { asked } else { 0 }),
            (State::Data, _) => {
                // After 354 the server waits for a message; only closing the connection delivers nothing.
                if yes { self.state = State::Over } else { self.leave() }
            }
            (State::Message, _) => self.after_content(verb, yes),
            (State::Over, _) => {}
            (State::Ready, _) => {
                match verb {
                    Verb::Mail if !yes => self.unsaid.retain(|(command, _)| command.verb() != Verb::Rcpt),
                    Verb::Rcpt if purpose == Purpose::Target => self.taken |= yes,
                    _ => {}
                }
                if self.awaited.is_empty() && self.outbox.is_empty() {
                    self.decide();
                }
            }
            _ => self.leave(),
        }
    }

    /// The one place where it is decided what to say next, whenever every reply is in.
    fn decide(&mut self) {
        let offered = |keyword| self.capabilities.as_ref().is_some_and(|c| c.has(keyword));
        let (starttls, pipelining) = (offered("STARTTLS"), offered("PIPELINING") && self.dialogue.pipelining);
        let wants_tls = !self.secured && self.dialogue.until >= Stage::StartTls;
        match self.dialogue.tls {
            TlsUse::IfOffered | TlsUse::Require if wants_tls && starttls => {
                self.state = State::StartTls;
                self.outbox.push((Command::StartTls, Purpose::Target));
                if self.dialogue.handshake == Handshake::Injection {
                    self.outbox.push((Command::Quit, Purpose::Injection));
                }
                return;
            }
            TlsUse::Require if wants_tls => {
                self.fail(FailureKind::TlsNotOffered.into());
                return self.leave();
            }
            _ => {}
        }
        if let Some(xclient) = self.dialogue.xclient.take() {
            if let Some(missing) = xclient.missing_in(&self.capabilities.clone().unwrap_or_default()) {
                self.fail(FailureKind::NotOffered(missing).into());
                return self.leave();
            }
            self.state = State::Xclient;
            return self.outbox.push((Command::Xclient(xclient), Purpose::Target));
        }
        match self.login_progress() {
            Progress::Due => return self.log_in(),
            Progress::Failed => return self.leave(),
            Progress::Done | Progress::NotWanted => {}
        }
        if self.has_enough() {
            return self.leave();
        }
        if self.unsaid.is_empty() {
            if self.dialogue.until >= Stage::Data && self.taken {
                let sent = self.outgoing.as_mut().filter(|_| self.dialogue.until >= Stage::Message).map(Outgoing::command);
                let command = sent.unwrap_or(Command::Data);
                self.state = if command == Command::Data { State::Data } else { State::Message };
                return self.outbox.push((command, Purpose::Target));
            }
            match self.queue.pop_front() {
                Some(transaction) if self.dialogue.until >= Stage::Mail => {
                    if !self.begin(transaction) {
                        return self.leave();
                    }
                }
                _ => return self.leave(),
            }
        }
        let bearable = self.error_limit.map_or(usize::MAX, |limit| limit.group(self.refusals));
        let group = if pipelining { self.unsaid.len().min(bearable) } else { 1 };
        self.outbox.extend(self.unsaid.drain(..group));
    }

    /// Lays out a transaction's commands; false if the server does not offer what it needs.
    fn begin(&mut self, transaction: Transaction) -> bool {
        let Transaction { from, recipients, via, size, handling, message, purpose } = transaction;
        let message = message.filter(|_| purpose == Purpose::Target && self.dialogue.until >= Stage::Message);
        let addresses = from.iter().chain(&recipients);
        let smtputf8 = addresses.into_iter().any(Mailbox::needs_smtputf8) || message.as_ref().is_some_and(Message::needs_smtputf8);
        let certificate = self.transcript.tls().map(|tls| &tls.verdict);
        if let Some(failure) = missing(handling, message.as_ref(), smtputf8, self.capabilities.as_ref(), certificate) {
            self.fail(failure.into());
            return false;
        }
        let sized = self.capabilities.as_ref().is_some_and(|c| c.has("SIZE"));
        let parameters = MailParameters {
            size: size.or(message.as_ref().map(Message::size)).filter(|_| sized),
            eight_bit: message.as_ref().is_some_and(Message::is_eight_bit),
            smtputf8,
            ret: handling.ret,
            require_tls: handling.require_tls,
        };
        self.outgoing = message.map(|message| Outgoing::new(message, handling.transfer));
        if std::mem::replace(&mut self.dirty, true) {
            self.unsaid.push_back((Command::Rset, purpose));
        }
        self.unsaid.push_back((Command::Mail { from, parameters }, purpose));
        if self.dialogue.until >= Stage::Rcpt {
            let notify = handling.notify;
            let rcpt = |to| match &via {
                Some(via) => Command::RcptVia(via.clone(), to),
                None => Command::Rcpt { to, notify },
            };
            self.unsaid.extend(recipients.into_iter().map(|to| (rcpt(to), purpose)));
        }
        true
    }

    /// What has spoken instead of a greeting, if it was anything but the beginning of one.
    fn foreign(&self) -> Option<ForeignProtocol> {
        match self.transcript.events.last() {
            Some((_, Event::Premature { stage: Stage::Greeting, bytes, .. })) if !bytes[0].is_ascii_digit() => {
                Some(ForeignProtocol::recognise(bytes).unwrap_or(ForeignProtocol::Unknown))
            }
            _ => None,
        }
    }

    fn greeted_by_ftp(&self) -> bool {
        let greeting = self.transcript.replies().next();
        greeting.is_some_and(|answer| answer.reply.text().to_ascii_lowercase().contains("ftp"))
    }

    fn introduce(&mut self) {
        self.state = State::Hello;
        let hello = self.hello.clone();
        let command = if self.dialogue.protocol == Protocol::Lmtp { Command::Lhlo(hello) } else { Command::Ehlo(hello) };
        self.outbox.push((command, Purpose::Target));
    }

    fn leave(&mut self) {
        self.state = State::Quit;
        self.unsaid.clear();
        self.awaited.clear();
        self.outbox = vec![(Command::Quit, Purpose::Target)];
    }

    fn fail(&mut self, failure: Failure) {
        let stage = self.stage();
        self.record(Event::Broke { stage, failure });
    }

    /// Where the session is: the stage of what is awaited, or of what is about to be said.
    fn stage(&self) -> Stage {
        let verb = self.awaited.front().map(|a| a.verb).or_else(|| self.outbox.first().map(|(command, _)| command.verb()));
        match self.state {
            State::Connecting => Stage::Connect,
            State::Preface | State::Greeting => Stage::Greeting,
            State::Handshake => Stage::Tls,
            State::Hello | State::Xclient => Stage::Ehlo,
            State::StartTls => Stage::StartTls,
            State::Auth(_) => Stage::Auth,
            State::Data => Stage::Data,
            State::Message => Stage::Message,
            State::Quit => Stage::Quit,
            // Between EHLO and MAIL, what is missing is either TLS or the first command of a transaction.
            State::Ready | State::Resting(_) | State::Over => match verb {
                Some(verb) => Stage::of(verb),
                None if self.dialogue.tls == TlsUse::Require && !self.secured => Stage::StartTls,
                None if self.login_progress() == Progress::Due => Stage::Auth,
                None => Stage::Mail,
            },
        }
    }

    fn reach(&mut self, stage: Stage) {
        self.transcript.reached = self.transcript.reached.max(Some(stage).filter(|s| *s < Stage::Quit));
    }

    fn tick(&mut self, at: Elapsed) {
        self.waiting.now = at;
    }

    fn record(&mut self, event: Event) {
        self.transcript.events.push((self.waiting.now, event));
    }

    fn note_premature(&mut self, began: Elapsed, mut bytes: Vec<u8>) {
        bytes.truncate(PREMATURE_LIMIT - self.premature);
        if bytes.is_empty() {
            return;
        }
        self.premature += bytes.len();
        if let Some(hidden) = self.login.as_ref().and_then(|login| login.hide(&bytes)) {
            bytes = hidden;
        }
        let stage = self.stage();
        match self.transcript.events.last_mut() {
            Some((_, Event::Premature { stage: last, bytes: kept, .. })) if *last == stage => {
                // What came in two pieces may be a secret as a whole.
                kept.append(&mut bytes);
                if let Some(hidden) = self.login.as_ref().and_then(|login| login.hide(kept)) {
                    *kept = hidden;
                }
            }
            _ => self.record(Event::Premature { stage, began, bytes }),
        }
    }
}

#[cfg(test)]
mod tests;
