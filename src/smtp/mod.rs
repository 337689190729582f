//! The SMTP conversation without I/O (RFC 5321, 3207, 2034, 2920, 1870, 6531).
//!
//! Bytes go in, bytes come out, and the time is told from outside; no socket, clock or runtime is known here. A [`Session`]
//! says what it [`Need`]s next; whoever drives it (a socket, a test, a saved recording) does that and reports back. What
//! happened is left behind as a [`Transcript`] of timed facts, which say nothing about what they mean.

mod capability;
mod command;
mod dialogue;
mod failure;
mod proxy_failure;
mod proxy_header;
mod reply;
mod said;
mod session;
mod tls;
mod transcript;
mod xclient;

pub use capability::{Capabilities, Capability};
pub use command::{Command, HelloName, HelloNameError, Verb, VerbError};
pub use dialogue::{Dialogue, Handshake, Protocol, StageTimes, TlsUse, Transaction};
pub use failure::{Failure, FailureKind, ForeignProtocol, IcmpError};
pub use proxy_failure::{ProxyFailure, SocksReply};
pub use proxy_header::{ProxyHeader, ProxyHeaderError, ProxyLine, ProxyVersion};
pub use reply::{CodeClass, EnhancedCode, Flaw, Item, Reply, ReplyCode, ReplyReader};
pub use said::Said;
pub use session::{Need, Session};
pub use tls::{
    CHAIN_LIMIT, Certificate, CertificateFault, CertificateVerdict, Distrust, HandshakeFailure, KeyExchange, LegacyFlaw, LegacyTls,
    PublicKey, SentCertificate, TlsAlert, TlsFacts, TlsVersion,
};
pub use transcript::{Answer, Answers, Connected, Elapsed, Event, Purpose, Stage, Transcript};
pub use xclient::{Xclient, XclientAttribute, XclientError};
