//! The message itself: after 354 with the dot at its end (RFC 5321 §4.1.1.4), or in chunks that are counted (RFC 3030 §2).
//!
//! It goes out in bounded pieces, and what the server says meanwhile is heard. A refusal before the end is the answer: the rest stays
//! here and the connection is dropped, since a message without its end is not delivered (RFC 5321 §4.1.1.4).

use super::{Answers, Awaited, Session, State};
use crate::message::{Message, Stuffed};
use crate::smtp::{
    Capabilities, CertificateVerdict, CodeClass, Command, Elapsed, Event, FailureKind, Handling, Purpose, Reply, Stage, Transfer, Verb,
};

/// Octets of one chunk.
const CHUNK: usize = 1024 * 1024;
/// Octets of a chunk that are handed out at once.
const PIECE: usize = 16 * 1024;

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    message: Message,
    form: Form,
    /// Octets to be written now, of which the first `gone` have been.
    piece: Vec<u8>,
    gone: usize,
    /// Octets of the message that had gone before this piece.
    before: usize,
    /// The event of the command that the octets belong to.
    asked: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Stuffed(Stuffed),
    Chunks {
        /// Octets that have been written, or are in the piece.
        at: usize,
        /// Where the chunk ends that was announced last.
        end: usize,
    },
}

impl Outgoing {
    pub(super) fn new(message: Message, transfer: Transfer) -> Self {
        let form = match transfer {
            Transfer::Data => Form::Stuffed(message.stuffed()),
            Transfer::Chunks => Form::Chunks { at: 0, end: 0 },
        };
        Self { message, form, piece: Vec::new(), gone: 0, before: 0, asked: 0 }
    }

    /// What asks for leave to send it, or its next chunk.
    pub(super) fn command(&mut self) -> Command {
        let size = self.message.octets().len();
        match &mut self.form {
            Form::Stuffed(_) => Command::Data,
            Form::Chunks { end, .. } => {
                let begin = *end;
                *end = size.min(begin + CHUNK);
                Command::Bdat { octets: (*end - begin) as u64, last: *end == size }
            }
        }
    }

    /// Has the next piece at hand, if the last one has gone; the event of its command is `asked`.
    fn begin(&mut self, asked: usize) {
        self.asked = asked;
        self.refill();
    }

    fn refill(&mut self) {
        if self.gone < self.piece.len() {
            return;
        }
        self.before = self.taken();
        self.gone = 0;
        self.piece = match &mut self.form {
            Form::Stuffed(stuffed) => stuffed.next().unwrap_or_default(),
            Form::Chunks { at, end } => {
                let piece = self.message.octets()[*at..(*end).min(*at + PIECE)].to_vec();
                *at += piece.len();
                piece
            }
        };
    }

    fn rest(&self) -> &[u8] {
        &self.piece[self.gone..]
    }

    /// The octets of the message that have gone or are in the piece.
    fn taken(&self) -> usize {
        match &self.form {
            Form::Stuffed(stuffed) => stuffed.taken(),
            Form::Chunks { at, .. } => *at,
        }
    }

    /// The octets of the message that have gone. How much of a piece that is not through is stuffing is not worth the counting.
    fn written(&self) -> usize {
        self.taken().min(self.before + self.gone)
    }

    /// Whether all of the message has been handed out with what ends it.
    fn is_whole(&self) -> bool {
        let size = self.message.octets().len();
        self.rest().is_empty()
            && match &self.form {
                Form::Stuffed(stuffed) => stuffed.taken() == size,
                Form::Chunks { at, end } => *at == size && *end == size,
            }
    }
}

/// What a transaction needs of the server; the first that it does not offer, or cannot give over this connection.
pub(super) fn missing(
    handling: Handling,
    message: Option<&Message>,
    smtputf8: bool,
    offered: Option<&Capabilities>,
    certificate: Option<&CertificateVerdict>,
) -> Option<FailureKind> {
    let has = |keyword| offered.is_some_and(|offered| offered.has(keyword));
    let eight_bit = message.is_some_and(Message::is_eight_bit);
    let chunks = message.is_some() && handling.transfer == Transfer::Chunks;
    let needed = [
        (smtputf8, "SMTPUTF8"),
        // Without it no octet above 127 may go out (RFC 6152 §3). A mail server encodes the message anew or gives it back; it is
        // not changed here, because a changed one shows nothing about this one, and its signatures break.
        (eight_bit, "8BITMIME"),
        (handling.needs_dsn(), "DSN"),
        // It is offered inside TLS alone (RFC 8689 §2), and asked for nowhere else.
        (handling.require_tls && (certificate.is_none() || !has("REQUIRETLS")), "REQUIRETLS"),
        (chunks, "CHUNKING"),
    ];
    let absent = |(is_needed, keyword): &(bool, &'static str)| *is_needed && (*keyword == "REQUIRETLS" || !has(keyword));
    if let Some((_, keyword)) = needed.iter().find(|need| absent(need)) {
        return Some(FailureKind::NotOffered(keyword));
    }
    (handling.require_tls && certificate != Some(&CertificateVerdict::Trusted)).then_some(FailureKind::Unauthenticated)
}

impl Session {
    /// Octets of the message to be written now; none if none are.
    pub(super) fn pouring(&self) -> Option<&[u8]> {
        let outgoing = self.outgoing.as_ref().filter(|_| self.state == State::Message && self.outbox.is_empty())?;
        Some(outgoing.rest()).filter(|rest| !rest.is_empty())
    }

    /// Whether a message is on its way or waits for its reply, so that to end the session now would leave in doubt what becomes of it.
    #[must_use]
    pub fn is_delivering(&self) -> bool {
        self.state == State::Message
    }

    /// The next bytes of a message were written: so many of those that [`Need::WriteSome`](super::Need::WriteSome) named.
    pub fn wrote(&mut self, at: Elapsed, bytes: usize) {
        self.tick(at);
        let Some(outgoing) = &mut self.outgoing else { return };
        outgoing.gone = outgoing.piece.len().min(outgoing.gone + bytes);
        outgoing.refill();
        // The server has its own time for a reply, from when it has everything.
        if self.waiting.is_idle() {
            self.waiting.restart();
        }
        if self.pouring().is_none() {
            let event = self.note_content();
            if self.awaited.is_empty() {
                self.awaited.push_back(Awaited { verb: Verb::DataEnd, event, purpose: Purpose::Target });
            }
        }
    }

    /// Goes on with the message: the server has said that it may be sent, or has taken a chunk.
    pub(super) fn pour(&mut self, asked: usize) {
        self.state = State::Message;
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.begin(asked);
        }
    }

    /// The server has answered the whole message, or a chunk of it.
    pub(super) fn after_content(&mut self, verb: Verb, yes: bool) {
        let next = self.outgoing.as_mut().filter(|_| yes && verb == Verb::Bdat).map(Outgoing::command);
        match next {
            Some(command) => self.outbox.push((command, Purpose::Target)),
            None => self.leave(),
        }
    }

    /// A reply while the message is being written. One that refuses it is its answer; any other answers nothing.
    pub(super) fn take_ahead(&mut self, since: Elapsed, reply: Reply) {
        if !matches!(reply.code.class(), CodeClass::Transient | CodeClass::Permanent) && !reply.code.closes_channel() {
            return self.note_premature(since, reply.raw);
        }
        self.note_content();
        let asked = self.outgoing.as_ref().map_or(0, |outgoing| outgoing.asked);
        let verb = self.awaited.pop_front().map_or(Verb::DataEnd, |awaited| awaited.verb);
        self.outgoing = None;
        // QUIT would be taken for a part of the message.
        self.state = State::Over;
        self.receive(since, verb, Answers::Command(asked), Purpose::Target, reply);
    }

    /// Records how much of the message has gone.
    pub(super) fn note_content(&mut self) -> usize {
        let event = self.transcript.events.len();
        if let Some(outgoing) = &self.outgoing {
            let (written, of) = (outgoing.written() as u64, outgoing.message.size());
            self.record(Event::Content { written, of, whole: outgoing.is_whole() });
        }
        event
    }

    /// Whether the dialogue goes as far as to send a message, and there is one.
    pub(super) fn sends(&self) -> bool {
        self.dialogue.until >= Stage::Message && self.outgoing.is_some()
    }
}
