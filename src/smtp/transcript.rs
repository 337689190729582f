//! What happened in one session, as timed facts without any judgement.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Capabilities, Command, Failure, LegacyTls, Reply, TlsFacts, Verb};

/// Time since the probe began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Elapsed(pub Duration);

impl Elapsed {
    /// Whole and broken milliseconds.
    #[must_use]
    pub fn millis(self) -> f64 {
        self.0.as_secs_f64() * 1000.0
    }

    /// The time from `earlier` to here; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// How far a probe goes, and where it was when something happened; in the order of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Looking up where the mail goes.
    Dns,
    /// Opening the TCP connection.
    Connect,
    /// Waiting for the server's first reply.
    Greeting,
    /// EHLO or HELO.
    Ehlo,
    /// The STARTTLS command.
    StartTls,
    /// The TLS handshake.
    Tls,
    /// Logging in.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// The DATA command.
    Data,
    /// The message, up to the reply after the final dot.
    Message,
    /// QUIT.
    Quit,
}

impl Stage {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Ehlo => "ehlo",
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Message => "message",
            Self::Quit => "quit",
        }
    }

    /// The stage in which `verb` is answered.
    #[must_use]
    pub const fn of(verb: Verb) -> Self {
        match verb {
            Verb::Connect => Self::Greeting,
            Verb::Ehlo | Verb::Helo | Verb::Xclient => Self::Ehlo,
            Verb::StartTls => Self::StartTls,
            Verb::Auth => Self::Auth,
            Verb::Rcpt => Self::Rcpt,
            Verb::Data => Self::Data,
            Verb::DataEnd | Verb::Bdat | Verb::Burl | Verb::LmtpData => Self::Message,
            Verb::Quit => Self::Quit,
            // The others are said between transactions; a failure there is one of the mail transaction.
            Verb::Mail | Verb::Rset | Verb::Noop | Verb::Vrfy | Verb::Expn | Verb::Help | Verb::Etrn | Verb::Atrn => Self::Mail,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a transaction is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It asks what the user wants to know.
    #[default]
    Target,
    /// A random local part: does the server take every address?
    CatchAll,
    /// postmaster, which every domain must take (RFC 5321 §4.5.1): is it the mailbox, or the sender?
    Postmaster,
    /// A recipient that is nobody of the server's, from a sender who is not either: does it relay for strangers?
    Relay,
    /// QUIT in the clear behind STARTTLS: does the server obey inside TLS what was said before it (RFC 3207 §4.2)?
    Injection,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The TCP connection stands.
    Connected(Connected),
    /// A command went out.
    Sent {
        /// What was said.
        command: Command,
        /// For whose sake.
        purpose: Purpose,
    },
    /// A reply came.
    Received {
        /// What it answers; a reply that answers nothing (an unasked 421) has the verb last awaited or answered.
        verb: Verb,
        /// What it was sent in answer to.
        answers: Answers,
        /// For whose sake the command was sent.
        purpose: Purpose,
        /// When its first byte came; the event's own time is that of the last one.
        began: Elapsed,
        /// The reply.
        reply: Reply,
    },
    /// Bytes came that answer nothing: sent ahead of a command, left unread before a TLS handshake, or no reply at all.
    Premature {
        /// Where the session was.
        stage: Stage,
        /// When the first of them came.
        began: Elapsed,
        /// The bytes as they came, at most 64 KiB.
        bytes: Vec<u8>,
    },
    /// Octets of a message went out: all of them, a chunk, or what had gone when it was broken off.
    Content {
        /// How many have gone so far in this session, without stuffing and final dot.
        written: u64,
        /// How many the message has.
        of: u64,
        /// Whether the whole message has gone with all that ends it, so that the server may take it.
        whole: bool,
    },
    /// TLS is up.
    Secured(TlsFacts),
    /// The server has shown what it would choose of the TLS that was ever usual; that is all that was wanted.
    Surveyed(LegacyTls),
    /// The session could not go on.
    Broke {
        /// What was being done.
        stage: Stage,
        /// What went wrong.
        failure: Failure,
    },
}

/// What a reply was sent in answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// The connection: it is the greeting.
    Connection,
    /// The command sent at this event.
    Command(usize),
    /// Nothing: nobody asked.
    Nothing,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Our address and port.
    pub local: SocketAddr,
    /// The server's.
    pub peer: SocketAddr,
}

/// One session's events in the order in which they happened, each with its time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// When the connection was begun.
    pub began: Elapsed,
    /// What happened.
    pub events: Vec<(Elapsed, Event)>,
    /// The last stage that the server answered with a yes; [`Stage::Connect`] once the connection stands; none before.
    pub reached: Option<Stage>,
}

impl Transcript {
    /// When the last thing happened.
    #[must_use]
    pub fn ended(&self) -> Elapsed {
        self.events.last().map_or(self.began, |(at, _)| *at)
    }

    /// How long the TCP connection took; none if it never stood.
    #[must_use]
    pub fn connect_time(&self) -> Option<Duration> {
        self.events.iter().find_map(|(at, event)| matches!(event, Event::Connected(_)).then(|| at.since(self.began)))
    }

    /// All replies with their place in [`events`](Self::events).
    #[must_use]
    pub fn replies(&self) -> impl DoubleEndedIterator<Item = Answer<'_>> {
        self.events.iter().enumerate().filter_map(|(index, (_, event))| match event {
            Event::Received { verb, answers, purpose, reply, .. } => {
                Some(Answer { event: index, verb: *verb, unasked: *answers == Answers::Nothing, purpose: *purpose, reply })
            }
            _ => None,
        })
    }

    /// The last reply to `verb` said for `purpose`.
    #[must_use]
    pub fn reply_to(&self, verb: Verb, purpose: Purpose) -> Option<Answer<'_>> {
        self.replies().rfind(|answer| answer.verb == verb && answer.purpose == purpose && !answer.unasked)
    }

    /// What the server offered last: after TLS, if there was TLS. None before an EHLO was answered with a yes.
    #[must_use]
    pub fn capabilities(&self) -> Option<Capabilities> {
        let answer = self.replies().rfind(|a| matches!(a.verb, Verb::Ehlo | Verb::Helo) && a.is_yes())?;
        Some(if answer.verb == Verb::Ehlo { Capabilities::from_reply(answer.reply) } else { Capabilities::default() })
    }

    /// What TLS agreed upon; none if it never was up.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.events.iter().find_map(|(_, event)| if let Event::Secured(facts) = event { Some(facts) } else { None })
    }

    /// What the server would choose of the TLS that was ever usual; none if it was not asked, or did not say.
    #[must_use]
    pub fn legacy_tls(&self) -> Option<(usize, &LegacyTls)> {
        self.events
            .iter()
            .enumerate()
            .find_map(|(at, (_, event))| if let Event::Surveyed(legacy) = event { Some((at, legacy)) } else { None })
    }

    /// Whether a message went out whole and no reply says what became of it: it may have been delivered (RFC 1047).
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        let whole = self.events.iter().position(|(_, event)| matches!(event, Event::Content { whole: true, .. }));
        whole.is_some_and(|whole| !self.replies().any(|answer| answer.event > whole && answer.verb == Verb::DataEnd && !answer.unasked))
    }

    /// The octets of a message that went out last; none if none did.
    #[must_use]
    pub fn content(&self) -> Option<(usize, &Event)> {
        self.events.iter().enumerate().map(|(index, (_, event))| (index, event)).rfind(|(_, event)| matches!(event, Event::Content { .. }))
    }

    /// Whether the bytes that came instead of TLS begin like a reply.
    #[must_use]
    pub fn speaks_plain_smtp(&self) -> bool {
        self.events.iter().any(|(_, event)| match event {
            Event::Premature { stage: Stage::Tls, bytes, .. } => {
                bytes.first_chunk::<3>().is_some_and(|code| code.iter().all(u8::is_ascii_digit))
            }
            _ => false,
        })
    }

    /// The first failure, with its place in [`events`](Self::events).
    #[must_use]
    pub fn failure(&self) -> Option<(usize, Stage, &Failure)> {
        self.events.iter().enumerate().find_map(|(index, (_, event))| match event {
            Event::Broke { stage, failure } => Some((index, *stage, failure)),
            _ => None,
        })
    }
}

/// A reply in its place.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The index of its event.
    pub event: usize,
    /// What it answers.
    pub verb: Verb,
    /// Whether nobody asked for it.
    pub unasked: bool,
    /// For whose sake the command was said.
    pub purpose: Purpose,
    /// The reply itself.
    pub reply: &'a Reply,
}

impl Answer<'_> {
    /// Whether it is a yes to what it answers.
    #[must_use]
    pub const fn is_yes(&self) -> bool {
        self.reply.code.is_yes_to(self.verb)
    }
}
