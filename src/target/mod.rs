//! What to probe: a mailbox, a domain, a host, an address literal or an SMTP URL.
//!
//! Everything here is parsed once, at the edge, into types that cannot hold what would break a command: no CR, LF or NUL,
//! no label that DNS cannot carry. Addresses follow RFC 5321 §4.1.2 (syntax) and RFC 6531 §3.3 (UTF-8); names that are not
//! ASCII become A-labels (RFC 5890) for DNS and SMTP, and stay readable for people.

mod mailbox;
mod name;

pub use mailbox::{MailDomain, Mailbox};
pub use name::{DomainName, Host, Port, SocketPath, is_nonpublic};

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What the user named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `user@example.com`: asked with RCPT at each of the domain's mail hosts.
    Mailbox(Mailbox),
    /// `example.com`: each of the domain's mail hosts, without a recipient.
    Domain(DomainName),
    /// `mx.example.com:587`, `192.0.2.1`, `[2001:db8::1]:25`, `smtps://mx.example.com`: this host, without an MX lookup.
    Host {
        /// The name or address.
        host: Host,
        /// The port, if one was given or implied by a URL's scheme.
        port: Option<Port>,
        /// The URL's scheme, if it was one.
        scheme: Option<Scheme>,
    },
}

/// The schemes of a URL that names a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `smtp://`: relay, with STARTTLS.
    Smtp,
    /// `smtps://` and `submissions://`: TLS from the first byte (RFC 8314 §3.3).
    Submissions,
    /// `submission://`: submission, with STARTTLS.
    Submission,
}

impl Scheme {
    /// The port where the URL names none.
    #[must_use]
    pub const fn port(self) -> Port {
        match self {
            Self::Smtp => Port::SMTP,
            Self::Submissions => Port::SUBMISSIONS,
            Self::Submission => Port::SUBMISSION,
        }
    }
}

/// The address inside an address literal's brackets (RFC 5321 §4.1.3); a bare IPv6 address is taken too.
fn literal(text: &str) -> Option<IpAddr> {
    if let Some(v6) = text.get(..5).filter(|tag| tag.eq_ignore_ascii_case("ipv6:")).map(|_| &text[5..]) {
        return v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse::<IpAddr>().ok()
}

impl Target {
    /// The mailbox, if the target is one.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox> {
        if let Self::Mailbox(mailbox) = self { Some(mailbox) } else { None }
    }

    /// The domain whose mail it is about; none for a host, and for a mailbox at an address literal.
    #[must_use]
    pub fn domain(&self) -> Option<&DomainName> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Mailbox(mailbox) => match mailbox.domain() {
                MailDomain::Name(name) => Some(name),
                MailDomain::Literal(_) => None,
            },
            Self::Host { .. } => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(mailbox) => mailbox.fmt(f),
            Self::Domain(domain) => domain.fmt(f),
            Self::Host { host, port: None, .. } => host.fmt(f),
            Self::Host { host: Host::Address(IpAddr::V6(address)), port: Some(port), .. } => write!(f, "[{address}]:{port}"),
            Self::Host { host, port: Some(port), .. } => write!(f, "{host}:{port}"),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if text.is_empty() {
            return Err(TargetError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(TargetError::Control(text.to_owned()));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return url(text, scheme, rest);
        }
        if let Some(address) = text.strip_prefix("mailto:") {
            return address.parse().map(Self::Mailbox);
        }
        if text.contains('@') {
            return text.parse().map(Self::Mailbox);
        }
        match host_and_port(text)? {
            (Host::Name(name), None) => Ok(Self::Domain(name)),
            (host, port) => Ok(Self::Host { host, port, scheme: None }),
        }
    }
}

/// Reads what [`host_and_port`] does, and `unix:/path` for a UNIX socket.
///
/// # Errors
/// If the name, the port or the path is none.
pub fn server(text: &str) -> Result<(Host, Option<Port>), TargetError> {
    match text.strip_prefix("unix:") {
        Some(path) => Ok((Host::Socket(path.parse()?), None)),
        None => host_and_port(text),
    }
}

/// Reads `name`, `name:port`, `address`, `[address]` and `[address]:port`; a bare IPv6 address has no port.
///
/// # Errors
/// If the name or the port is none.
pub fn host_and_port(text: &str) -> Result<(Host, Option<Port>), TargetError> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok((Host::Address(address), None));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let wrong = || TargetError::Literal(text.to_owned());
        let (inner, after) = rest.split_once(']').ok_or_else(wrong)?;
        let address = literal(inner).ok_or_else(wrong)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((Host::Address(address), Some(port.parse()?))),
            None if after.is_empty() => Ok((Host::Address(address), None)),
            None => Err(wrong()),
        };
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port.parse()?)),
        None => (text, None),
    };
    // "192.0.2" and "300.1.1.1" are names by the letter and typing errors by experience.
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return match name.parse::<Ipv4Addr>() {
            Ok(address) => Ok((Host::Address(IpAddr::V4(address)), port)),
            Err(_) => Err(TargetError::Literal(text.to_owned())),
        };
    }
    Ok((Host::Name(name.parse()?), port))
}

/// `smtp://`, `smtps://`, `submission://` and `submissions://` URLs; a path or a user name is not accepted.
fn url(whole: &str, scheme: &str, rest: &str) -> Result<Target, TargetError> {
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "smtp" => Scheme::Smtp,
        "smtps" | "submissions" => Scheme::Submissions,
        "submission" => Scheme::Submission,
        _ => return Err(TargetError::Scheme(whole.to_owned())),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '@', '?', '#']) {
        return Err(TargetError::Url(whole.to_owned()));
    }
    let (host, port) = host_and_port(rest)?;
    Ok(Target::Host { host, port: Some(port.unwrap_or(scheme.port())), scheme: Some(scheme) })
}

/// Why a text names nothing that can be probed. Each message is one line and shows how it should look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing was given.
    #[error("the target is empty: give user@example.com, example.com or mx.example.com:25")]
    Empty,
    /// A line break, NUL or the like.
    #[error("{0:?} has a control character in it, such as a line break: give user@example.com")]
    Control(String),
    /// Not an address: the local part.
    #[error("{address:?} is not an address: {reason}; it should look like user@example.com")]
    Mailbox {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not an address: the domain.
    #[error("{address:?} is not an address: the domain is wrong, {reason}; it should look like user@example.com")]
    MailboxDomain {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not a domain or host name.
    #[error("{name:?} is not a host or domain name: {reason}; it should look like mx.example.com")]
    Domain {
        /// What was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not an address literal.
    #[error("{0:?} is not an IP address; it should look like 192.0.2.1, [2001:db8::1] or [2001:db8::1]:25")]
    Literal(String),
    /// Not the path of a socket.
    #[error("{0:?} is not the path of a UNIX socket; it should be absolute and at most 103 octets long, as in unix:/var/run/dovecot/lmtp")]
    Socket(String),
    /// Not a port.
    #[error("{0:?} is not a port; it should be a number from 1 to 65535, such as 25, 465 or 587")]
    Port(String),
    /// Not a scheme of ours.
    #[error("{0:?} has a scheme that is not one of smtp://, smtps://, submission://, submissions://")]
    Scheme(String),
    /// A URL with more than host and port.
    #[error("{0:?} has more in it than a host and a port; it should look like smtp://mx.example.com:25")]
    Url(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> String {
        match text.parse::<Target>() {
            Ok(Target::Mailbox(mailbox)) => format!("mailbox {mailbox}"),
            Ok(Target::Domain(domain)) => format!("domain {domain}"),
            Ok(target @ Target::Host { scheme, .. }) => format!("host {target} {scheme:?}"),
            Err(error) => format!("error {error}"),
        }
    }

    #[test]
    fn every_form_of_the_contract_is_read() {
        for (text, expected) in [
            ("anna@example.com", "mailbox anna@example.com"),
            ("<anna@Example.COM.>", "mailbox anna@example.com"),
            ("mailto:anna@example.com", "mailbox anna@example.com"),
            ("\"an na\\\"\"@example.com", "mailbox \"an na\\\"\"@example.com"),
            ("\"a@b\"@example.com", "mailbox \"a@b\"@example.com"),
            ("anna@[192.0.2.1]", "mailbox anna@[192.0.2.1]"),
            ("anna@[IPv6:2001:db8::1]", "mailbox anna@[IPv6:2001:db8::1]"),
            ("anna@[2001:db8::1]", "mailbox anna@[IPv6:2001:db8::1]"),
            ("anna@bücher.example", "mailbox anna@xn--bcher-kva.example"),
            ("jörg@bücher.example", "mailbox jörg@xn--bcher-kva.example"),
            ("o'hara+tag/x=y@example.com", "mailbox o'hara+tag/x=y@example.com"),
            ("example.com", "domain example.com"),
            ("Bücher.example.", "domain xn--bcher-kva.example"),
            ("_mail.example.com", "domain _mail.example.com"),
            ("mx.example.com:587", "host mx.example.com:587 None"),
            ("192.0.2.1", "host 192.0.2.1 None"),
            ("192.0.2.1:2525", "host 192.0.2.1:2525 None"),
            ("2001:db8::1", "host 2001:db8::1 None"),
            ("[2001:db8::1]:25", "host [2001:db8::1]:25 None"),
            ("[192.0.2.1]", "host 192.0.2.1 None"),
            ("smtp://mx.example.com", "host mx.example.com:25 Some(Smtp)"),
            ("SMTPS://mx.example.com/", "host mx.example.com:465 Some(Submissions)"),
            ("submission://mx.example.com:2587", "host mx.example.com:2587 Some(Submission)"),
            ("smtps://[2001:db8::1]:2465", "host [2001:db8::1]:2465 Some(Submissions)"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        for (text, word) in [
            ("", "empty"),
            ("anna@", "nothing after"),
            ("@example.com", "nothing before"),
            ("a b@example.com", "double quotes"),
            (".anna@example.com", "a dot stands"),
            ("an..na@example.com", "a dot stands"),
            ("\"anna@example.com", "quote is not closed"),
            ("\"@example.com", "quote is not closed"),
            ("\"anna\\\"@example.com", "quote is not closed"),
            ("anna@exa mple.com", "only letters"),
            ("anna@-example.com", "hyphen"),
            ("anna@example..com", "between two dots"),
            ("anna@[garbage]", "no IP address"),
            ("anna@[192.0.2.1", "no IP address"),
            ("anna@example.com\r\nRCPT TO:<x@y>", "control character"),
            ("anna\0@example.com", "control character"),
            ("example.com:0", "is not a port"),
            ("example.com:70000", "is not a port"),
            ("example.com:+25", "is not a port"),
            ("300.1.1.1", "is not an IP address"),
            ("[2001:db8::1", "is not an IP address"),
            ("[2001:db8::1]x", "is not an IP address"),
            ("http://example.com", "scheme"),
            ("smtp://user@example.com", "more in it"),
            ("smtp://example.com/path", "more in it"),
        ] {
            let message = text.parse::<Target>().expect_err(text).to_string();
            assert!(message.contains(word), "{text:?}: {message}");
            assert_eq!(message.lines().count(), 1, "{text:?}: {message}");
        }
        assert!(format!("{}@example.com", "a".repeat(65)).parse::<Mailbox>().is_err());
        assert!(format!("a@{}.com", "a".repeat(64)).parse::<Mailbox>().is_err());
    }

    #[test]
    fn only_a_local_part_beyond_ascii_needs_smtputf8() {
        assert!("jörg@example.com".parse::<Mailbox>().unwrap().needs_smtputf8());
        assert!(!"anna@bücher.example".parse::<Mailbox>().unwrap().needs_smtputf8());
    }
}
