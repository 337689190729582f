//! Why a connection failed, from the words of a record: those of our own reports, and those of other tools.

use std::time::Duration;

use crate::smtp::{
    Failure, FailureKind, ForeignProtocol, HandshakeFailure, IcmpError, LoginFailure, ProxyFailure, SocksReply, Stage, TlsAlert,
};

/// Extensions that a transaction may need and not be offered, by the names that a report has them under.
const EXTENSIONS: [&str; 16] = [
    "SMTPUTF8",
    "SIZE",
    "8BITMIME",
    "REQUIRETLS",
    "DSN",
    "CHUNKING",
    "XCLIENT",
    "XCLIENT NAME",
    "XCLIENT REVERSE_NAME",
    "XCLIENT ADDR",
    "XCLIENT PORT",
    "XCLIENT PROTO",
    "XCLIENT HELO",
    "XCLIENT LOGIN",
    "XCLIENT DESTADDR",
    "XCLIENT DESTPORT",
];

/// The failure that one of our reports tells as `words`; none if they are not ours.
pub(super) fn ours(words: &str) -> Option<Failure> {
    let words = words.trim();
    let (words, errno) = match words.strip_suffix(')').and_then(|start| start.rsplit_once(" (errno ")) {
        Some((start, number)) => (start, Some(number.parse().ok()?)),
        None => (words, None),
    };
    Some(Failure { kind: kind(words)?, errno, icmp: None })
}

/// The failure behind an ICMP error, which a report tells instead of what the system said.
pub(super) fn of_icmp(errno: Option<i32>, icmp: IcmpError) -> Failure {
    let kind = if icmp.is_refusal() { FailureKind::Rejected } else { FailureKind::HostUnreachable };
    Failure { kind, errno, icmp: Some(icmp) }
}

/// What words that are nobody's known ones make of a failure at `stage`.
pub(super) fn unknown(words: &str, stage: Stage) -> FailureKind {
    match stage {
        Stage::Tls => FailureKind::TlsHandshake(HandshakeFailure::Ours(words.to_owned())),
        _ => FailureKind::Local(words.to_owned()),
    }
}

/// What is told of a proxy.
fn of_proxy(words: &str) -> Option<ProxyFailure> {
    Some(match words {
        "the SOCKS proxy's name has no address" => ProxyFailure::NoAddress,
        "the SOCKS proxy closed the connection" => ProxyFailure::Closed,
        "what should be the SOCKS proxy does not speak SOCKS5" => ProxyFailure::NotSocks,
        "the SOCKS proxy takes no login that was offered" => ProxyFailure::NoMethod,
        "the SOCKS proxy refused the login" => ProxyFailure::LoginRefused,
        _ => {
            if let Some(rest) = words.strip_prefix("the SOCKS proxy cannot be reached: ") {
                return Some(ProxyFailure::Unreachable(Box::new(kind(rest)?)));
            }
            if let Some(time) = words.strip_prefix("the SOCKS proxy did not answer within ") {
                return duration(time).map(ProxyFailure::Silent);
            }
            let said = words.strip_prefix("the SOCKS proxy answered: ")?.strip_suffix(')')?;
            ProxyFailure::Said(SocksReply(said.rsplit_once("(reply ")?.1.parse().ok()?))
        }
    })
}

fn kind(words: &str) -> Option<FailureKind> {
    if let Some(failure) = LoginFailure::read(words) {
        return Some(FailureKind::Login(failure));
    }
    if let Some(failure) = of_proxy(words) {
        return Some(FailureKind::Proxy(failure));
    }
    Some(match words {
        "connection refused" => FailureKind::Refused,
        "host unreachable" => FailureKind::HostUnreachable,
        "no route from this machine" => FailureKind::NoRoute,
        "administratively prohibited" => FailureKind::Rejected,
        "forbidden by this machine" => FailureKind::Forbidden,
        "connection reset" => FailureKind::Reset,
        "connection closed" => FailureKind::Closed,
        "the server answered with something that is not TLS" => FailureKind::NotTls,
        "endless reply" => FailureKind::ReplyTooLong,
        "STARTTLS not offered" => FailureKind::TlsNotOffered,
        "REQUIRETLS, and the certificate does not verify" => FailureKind::Unauthenticated,
        "the time for the session was over" => FailureKind::SessionTimeOver,
        "the time for the whole probe was over" => FailureKind::ProbeTimeOver,
        "stopped by the user" => FailureKind::Interrupted,
        "another address answered first" => FailureKind::Overtaken,
        "the server closed the connection during the TLS handshake" => FailureKind::TlsHandshake(HandshakeFailure::Closed),
        "the connection was reset during the TLS handshake" => FailureKind::TlsHandshake(HandshakeFailure::Reset),
        _ => return with_detail(words),
    })
}

fn with_detail(words: &str) -> Option<FailureKind> {
    if let Some(time) = words.strip_prefix("no answer within ") {
        return duration(time).map(FailureKind::TimedOut);
    }
    if let Some(time) = words.strip_prefix("nothing more for ") {
        return duration(time).map(FailureKind::Stalled);
    }
    if let Some(time) = words.strip_prefix("no answer to the TLS handshake within ") {
        return duration(time).map(|time| FailureKind::TlsHandshake(HandshakeFailure::Hung(time)));
    }
    if let Some(name) = words.strip_prefix("not SMTP (").and_then(|rest| rest.strip_suffix(')')) {
        use ForeignProtocol::{Ftp, Http, Imap, Pop3, Ssh, Tls, Unknown};
        let protocol = [Http, Ssh, Imap, Pop3, Tls, Ftp].into_iter().find(|protocol| protocol.as_str() == name);
        return Some(FailureKind::NotSmtp(protocol.unwrap_or(Unknown)));
    }
    if let Some(name) = words.strip_prefix("the server sent the TLS alert ") {
        let alert = (0..=u8::MAX).map(TlsAlert).find(|alert| alert.to_string() == name)?;
        return Some(FailureKind::TlsHandshake(HandshakeFailure::Alert(alert)));
    }
    let keyword = words.strip_suffix(" not offered")?;
    EXTENSIONS.iter().find(|known| **known == keyword).map(|known| FailureKind::NotOffered(known))
}

/// `250 ms`, `1.5 s`, `10 s`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_once(' ')?;
    let number: f64 = number.parse().ok()?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// What telnet, swaks, curl, openssl and their systems say when a connection fails; none if that is not what `words` are about.
pub(super) fn of_tools(words: &str) -> Option<FailureKind> {
    const WORDS: [(&str, FailureKind); 14] = [
        ("connection refused", FailureKind::Refused),
        ("timed out", FailureKind::TimedOut(Duration::ZERO)),
        ("connection timeout", FailureKind::TimedOut(Duration::ZERO)),
        ("no route to host", FailureKind::HostUnreachable),
        ("host is unreachable", FailureKind::HostUnreachable),
        ("host unreachable", FailureKind::HostUnreachable),
        ("network is unreachable", FailureKind::NoRoute),
        ("network unreachable", FailureKind::NoRoute),
        ("connection reset", FailureKind::Reset),
        ("closed by foreign host", FailureKind::Closed),
        ("remote host closed connection", FailureKind::Closed),
        ("server closed", FailureKind::Closed),
        ("unexpected eof", FailureKind::Closed),
        ("wrong version number", FailureKind::NotTls),
    ];
    let words = words.to_ascii_lowercase();
    WORDS.into_iter().find(|(known, _)| words.contains(known)).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::failure_words;

    #[test]
    fn our_own_words_lead_back_to_the_failure() {
        let plain = [
            FailureKind::Refused,
            FailureKind::TimedOut(Duration::from_secs(10)),
            FailureKind::TimedOut(Duration::from_millis(250)),
            FailureKind::Stalled(Duration::from_millis(1500)),
            FailureKind::HostUnreachable,
            FailureKind::NoRoute,
            FailureKind::Rejected,
            FailureKind::Forbidden,
            FailureKind::Reset,
            FailureKind::Closed,
            FailureKind::NotSmtp(ForeignProtocol::Http),
            FailureKind::NotSmtp(ForeignProtocol::Unknown),
            FailureKind::NotTls,
            FailureKind::ReplyTooLong,
            FailureKind::TlsNotOffered,
            FailureKind::TlsHandshake(HandshakeFailure::Alert(TlsAlert(40))),
            FailureKind::TlsHandshake(HandshakeFailure::Alert(TlsAlert(200))),
            FailureKind::TlsHandshake(HandshakeFailure::Closed),
            FailureKind::TlsHandshake(HandshakeFailure::Reset),
            FailureKind::TlsHandshake(HandshakeFailure::Hung(Duration::from_secs(15))),
            FailureKind::NotOffered("SMTPUTF8"),
            FailureKind::NotOffered("CHUNKING"),
            FailureKind::Unauthenticated,
            FailureKind::Login(LoginFailure::Untrusted),
            FailureKind::Login(LoginFailure::ServerProofWrong),
            FailureKind::NotOffered("XCLIENT ADDR"),
            FailureKind::SessionTimeOver,
            FailureKind::ProbeTimeOver,
            FailureKind::Interrupted,
            FailureKind::Overtaken,
            FailureKind::Proxy(ProxyFailure::NoAddress),
            FailureKind::Proxy(ProxyFailure::Unreachable(Box::new(FailureKind::TimedOut(Duration::from_secs(2))))),
            FailureKind::Proxy(ProxyFailure::Silent(Duration::from_secs(10))),
            FailureKind::Proxy(ProxyFailure::Closed),
            FailureKind::Proxy(ProxyFailure::NotSocks),
            FailureKind::Proxy(ProxyFailure::NoMethod),
            FailureKind::Proxy(ProxyFailure::LoginRefused),
            FailureKind::Proxy(ProxyFailure::Said(SocksReply(5))),
            FailureKind::Proxy(ProxyFailure::Said(SocksReply(77))),
        ];
        for kind in plain {
            let failure = Failure { kind, errno: None, icmp: None };
            assert_eq!(ours(&failure_words(&failure)), Some(failure));
        }
        let numbered = Failure { kind: FailureKind::Refused, errno: Some(111), icmp: None };
        assert_eq!(ours(&failure_words(&numbered)), Some(numbered));
        for words in ["", "postmaster", "it failed (errno x)", "no answer within a day", "no answer within NaN s", "X not offered"] {
            assert_eq!(ours(words), None, "{words}");
        }
    }

    #[test]
    fn the_words_of_other_tools_are_known() {
        for (words, kind) in [
            ("telnet: Unable to connect to remote host: Connection refused", FailureKind::Refused),
            ("*** \tIO::Socket::INET6: connect: timeout: Connection timed out", FailureKind::TimedOut(Duration::ZERO)),
            ("Recv failure: Connection reset by peer", FailureKind::Reset),
            ("Connection closed by foreign host.", FailureKind::Closed),
            ("connect: No route to host", FailureKind::HostUnreachable),
        ] {
            assert_eq!(of_tools(words), Some(kind), "{words}");
        }
        assert_eq!(of_tools("closing connection"), None);
    }
}
