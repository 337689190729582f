//! Why a session could not go on, and what else than SMTP may have answered.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::LoginFailure;
use super::proxy_failure::ProxyFailure;
use super::tls::HandshakeFailure;

/// Why a session could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of thing happened.
    pub kind: FailureKind,
    /// The operating system's number for it; none if it was not the system that said so.
    pub errno: Option<i32>,
    /// The ICMP error behind it; none if there was none, or where the system does not tell.
    pub icmp: Option<IcmpError>,
}

impl From<FailureKind> for Failure {
    fn from(kind: FailureKind) -> Self {
        Self { kind, errno: None, icmp: None }
    }
}

/// An ICMP error about a connection (RFC 792, RFC 4443): somebody on the way, or the host itself, says why a packet went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// The type; its meaning depends on the family of [`from`](Self::from).
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// Who sent it; unspecified if the system does not know.
    pub from: IpAddr,
    /// Whether that is this machine itself.
    pub here: bool,
}

impl IcmpError {
    /// Whether a firewall or a rule of a router's says no (RFC 1812 §5.2.7.1, RFC 4443 §3.1). What is left says that the packet
    /// found no way. A protocol or port that is unreachable belongs to a rule, too: no host answers TCP so.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self.from {
            IpAddr::V4(_) => self.kind == 3 && matches!(self.code, 2 | 3 | 9 | 10 | 13..=15),
            IpAddr::V6(_) => self.kind == 1 && matches!(self.code, 1 | 4..=6),
        }
    }
}

impl fmt::Display for IcmpError {
    /// `administratively prohibited (ICMP 3/13)`, with the name of the RFC that defines the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (protocol, name) = match (self.from, self.kind, self.code) {
            (IpAddr::V4(_), 3, code) => {
                let name = match code {
                    0 | 11 => "network unreachable",
                    1 | 12 => "host unreachable",
                    2 => "protocol unreachable",
                    3 => "port unreachable",
                    5 => "source route failed",
                    6 => "network unknown",
                    7 => "host unknown",
                    8 => "source host isolated",
                    9 => "network administratively prohibited",
                    10 => "host administratively prohibited",
                    13 => "administratively prohibited",
                    14 => "precedence violation",
                    15 => "precedence cutoff",
                    _ => "destination unreachable",
                };
                ("ICMP", name)
            }
            (IpAddr::V4(_), 11, _) => ("ICMP", "time exceeded in transit"),
            (IpAddr::V4(_), ..) => ("ICMP", "error"),
            (IpAddr::V6(_), 1, code) => {
                let name = match code {
                    0 => "no route to destination",
                    1 => "administratively prohibited",
                    2 => "beyond scope of source address",
                    3 => "address unreachable",
                    4 => "port unreachable",
                    5 => "source address failed policy",
                    6 => "reject route to destination",
                    _ => "destination unreachable",
                };
                ("ICMPv6", name)
            }
            (IpAddr::V6(_), 3, _) => ("ICMPv6", "time exceeded in transit"),
            (IpAddr::V6(_), ..) => ("ICMPv6", "error"),
        };
        write!(f, "{name} ({protocol} {}/{})", self.kind, self.code)
    }
}

/// The kinds of failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The host answered with a reset: nothing listens there.
    Refused,
    /// Nothing came for this long.
    TimedOut(Duration),
    /// A reply had begun, and nothing more of it came for this long.
    Stalled(Duration),
    /// The network says that it does not get to the host.
    HostUnreachable,
    /// This machine has no route to it.
    NoRoute,
    /// A firewall said no, by an ICMP error.
    Rejected,
    /// This machine itself does not let it out: a rule of its own, or a route that prohibits.
    Forbidden,
    /// The proxy on this side, which tells nothing about the target.
    Proxy(ProxyFailure),
    /// The connection was torn down after it stood.
    Reset,
    /// The peer closed the connection in an orderly way, but too early.
    Closed,
    /// What answers does not speak SMTP.
    NotSmtp(ForeignProtocol),
    /// What answers the TLS handshake is not TLS; its first bytes stand before this in the transcript.
    NotTls,
    /// A reply without end, or longer than any limit.
    ReplyTooLong,
    /// TLS was asked for (`require`) and the server does not offer it.
    TlsNotOffered,
    /// The TLS handshake failed.
    TlsHandshake(HandshakeFailure),
    /// What the transaction needs is not offered by the server; the extension's keyword.
    NotOffered(&'static str),
    /// The message must go to a host whose certificate verifies (REQUIRETLS, RFC 8689 §4.2.1), and this one's does not.
    Unauthenticated,
    /// There was no login, or none that counts.
    Login(LoginFailure),
    /// The time for the whole session was over.
    SessionTimeOver,
    /// The time for the whole probe was over.
    ProbeTimeOver,
    /// The user stopped the probe.
    Interrupted,
    /// Another address answered first, as happens to a mail server that tries several.
    Overtaken,
    /// Our own machine could not do it, in the system's words.
    Local(String),
}

impl FailureKind {
    /// Whether time ran out, ours or the server's, on a connection that may still stand.
    #[must_use]
    pub const fn is_of_time(&self) -> bool {
        matches!(
            self,
            Self::TimedOut(_)
                | Self::Stalled(_)
                | Self::SessionTimeOver
                | Self::ProbeTimeOver
                | Self::TlsHandshake(HandshakeFailure::Hung(_))
        )
    }

    /// What it is when it happens during the TLS handshake.
    #[must_use]
    pub fn in_handshake(self) -> Self {
        match self {
            Self::TimedOut(waited) => Self::TlsHandshake(HandshakeFailure::Hung(waited)),
            Self::Closed => Self::TlsHandshake(HandshakeFailure::Closed),
            Self::Reset => Self::TlsHandshake(HandshakeFailure::Reset),
            other => other,
        }
    }
}

/// What else than SMTP may answer on a port, known by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignProtocol {
    /// HTTP.
    Http,
    /// SSH.
    Ssh,
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// A TLS record.
    Tls,
    /// FTP, by its wording.
    Ftp,
    /// None that is known.
    Unknown,
}

impl ForeignProtocol {
    /// The name for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Ssh => "SSH",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Tls => "TLS",
            Self::Ftp => "FTP",
            Self::Unknown => "unknown",
        }
    }

    /// Recognises a protocol by the first bytes that its side sends unasked; none if they give nothing away.
    #[must_use]
    pub fn recognise(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x15 | 0x16, 3, 0..=4, ..] => Some(Self::Tls),
            _ if bytes.starts_with(b"HTTP/") || bytes.starts_with(b"<!DOCTYPE") || bytes.starts_with(b"<html") => Some(Self::Http),
            _ if bytes.starts_with(b"SSH-") => Some(Self::Ssh),
            _ if bytes.starts_with(b"* OK") || bytes.starts_with(b"* BYE") || bytes.starts_with(b"* PREAUTH") => Some(Self::Imap),
            _ if bytes.starts_with(b"+OK") || bytes.starts_with(b"-ERR") => Some(Self::Pop3),
            _ => None,
        }
    }
}
