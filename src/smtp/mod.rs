//! The SMTP conversation without I/O (RFC 5321, 3207, 2034, 2920, 1870, 4954, 6152, 6531, 3461, 3030, 8689).
//!
//! Bytes go in, bytes come out, and the time is told from outside; no socket, clock or runtime is known here. A [`Session`]
//! says what it [`Need`]s next; whoever drives it (a socket, a test, a saved recording) does that and reports back. What
//! happened is left behind as a [`Transcript`] of timed facts, which say nothing about what they mean.

mod capability;
mod command;
mod dialogue;
mod echo;
mod failure;
mod handling;
mod login;
mod proxy_failure;
mod proxy_header;
mod reply;
mod said;
mod sasl;
mod secret;
mod session;
mod tls;
mod transcript;
mod xclient;

pub use capability::{Capabilities, Capability};
pub use command::{Command, HelloName, HelloNameError, MailParameters, Verb, VerbError};
pub use dialogue::{Dialogue, Handshake, Protocol, StageTimes, TlsUse, Transaction};
pub use failure::{Failure, FailureKind, ForeignProtocol, IcmpError};
pub use handling::{Handling, Notify, NotifyError, Ret, Transfer};
pub use login::{Login, LoginError, LoginFailure, LoginOver};
pub use proxy_failure::{ProxyFailure, SocksReply};
pub use proxy_header::{ProxyHeader, ProxyHeaderError, ProxyLine, ProxyVersion};
pub use reply::{CodeClass, EnhancedCode, Flaw, Item, Reply, ReplyCode, ReplyReader};
pub use said::Said;
pub use sasl::{
    BindingKind, ChannelBinding, ITERATIONS_LIMIT, LoginLine, Mechanism, MechanismError, ServerError, Shown, challenge_text, server_error,
};
pub use secret::Secret;
pub use session::{ErrorLimit, Need, Session};
pub use tls::{
    CHAIN_LIMIT, Certificate, CertificateFault, CertificateVerdict, Distrust, HandshakeFailure, KeyExchange, LegacyFlaw, LegacyTls,
    PublicKey, SentCertificate, TlsAlert, TlsFacts, TlsVersion,
};
pub use transcript::{Answer, Answers, Connected, Elapsed, Event, Purpose, Stage, Transcript};
pub use xclient::{Xclient, XclientAttribute, XclientError};
