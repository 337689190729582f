//! What a session is to say, how far it goes, and how long it waits (RFC 5321 §4.5.3.2).

use std::time::Duration;

use super::{Handling, HelloName, Login, ProxyHeader, Purpose, Stage, Xclient};
use crate::message::Message;
use crate::target::{MailDomain, Mailbox};

/// How TLS is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsUse {
    /// Never, even if offered.
    Never,
    /// STARTTLS where it is offered.
    #[default]
    IfOffered,
    /// STARTTLS, and nothing without it.
    Require,
    /// From the first byte (RFC 8314 §3.3).
    Implicit,
}

/// Which protocol is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP (RFC 5321).
    #[default]
    Smtp,
    /// LMTP (RFC 2033): LHLO instead of EHLO, and after a message one reply for each recipient.
    Lmtp,
}

/// What the TLS handshake is held for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handshake {
    /// To go on inside TLS.
    #[default]
    Usual,
    /// To learn what a server would choose that knows only old TLS; the session ends there.
    Survey,
    /// To learn whether the server obeys, inside TLS, what was sent in the clear behind STARTTLS, where anybody on the way can put
    /// words into the client's mouth (CVE-2011-0411). That is a QUIT, which does no harm and cannot be mistaken for the answer to
    /// EHLO.
    Injection,
}

/// How long to wait for what, after RFC 5321 §4.5.3.2 but shorter: a person is waiting. A reply has to begin within its stage's
/// time; from then on it may go on for as long as bytes keep coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageTimes {
    /// For the greeting, from the moment the connection stands (RFC: 5 minutes).
    pub greeting: Duration,
    /// For each reply to a command (RFC: 5 minutes; DATA 2 minutes).
    pub command: Duration,
    /// For the next byte of a reply that has begun; none takes the stage's own time.
    pub gap: Option<Duration>,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For each part of a message to be taken by the connection (RFC: 3 minutes).
    pub block: Duration,
    /// For the reply to the end of the message, and to each chunk of it (RFC: 10 minutes). [`session`](Self::session) does not cut
    /// it short: whoever hangs up here does not know whether the message was taken.
    pub message: Duration,
    /// For the reply to QUIT, which changes nothing; zero does not wait for it.
    pub farewell: Duration,
    /// For the whole session from the first try to connect on; none leaves it to the time of the whole probe.
    pub session: Option<Duration>,
}

impl Default for StageTimes {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(30),
            command: Duration::from_secs(30),
            gap: None,
            handshake: Duration::from_secs(15),
            block: Duration::from_secs(180),
            message: Duration::from_secs(600),
            farewell: Duration::from_secs(2),
            session: None,
        }
    }
}

/// What to say, and how far to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialogue {
    /// Which protocol is spoken.
    pub protocol: Protocol,
    /// The PROXY protocol's header to be sent ahead of everything else; none sends none.
    pub proxy_header: Option<ProxyHeader>,
    /// What XCLIENT says behind EHLO, inside TLS if that is used; none says nothing.
    pub xclient: Option<Xclient>,
    /// The name for EHLO; none takes the literal of the connection's own address (RFC 5321 §4.1.3).
    pub hello: Option<HelloName>,
    /// How TLS is used.
    pub tls: TlsUse,
    /// The last stage to ask for; transactions beyond it are not begun. At [`Stage::Data`] the connection is dropped after 354, so
    /// that nothing is delivered. Where TLS is implicit, [`Stage::Tls`] comes before the
    /// greeting and ends the session there.
    pub until: Stage,
    /// What the TLS handshake is held for.
    pub handshake: Handshake,
    /// Whether commands may be sent ahead where the server offers it.
    pub pipelining: bool,
    /// Who logs in once TLS is up, if the dialogue goes so far; none if nobody does.
    pub login: Option<Login>,
    /// How long to wait.
    pub times: StageTimes,
}

/// One mail transaction: MAIL, its RCPTs, and perhaps a message (RFC 5321 §3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The reverse-path; none is `<>`.
    pub from: Option<Mailbox>,
    /// The recipients, asked one by one.
    pub recipients: Vec<Mailbox>,
    /// A host to be named as a source route in front of each recipient (RFC 5321 appendix C); none names none.
    pub via: Option<MailDomain>,
    /// Octets to declare with SIZE, where it is offered; none declares those of the message.
    pub size: Option<u64>,
    /// How the message is to be handled.
    pub handling: Handling,
    /// What is sent, if the [target's](Purpose::Target) transaction it is, a recipient is taken, and the dialogue goes as far as
    /// [`Stage::Message`]; none sends nothing.
    pub message: Option<Message>,
    /// For whose sake.
    pub purpose: Purpose,
}
