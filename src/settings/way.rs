//! By which way a server is reached: through a SOCKS5 proxy (RFC 1928), with its login (RFC 1929).

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::target::{Host, Port, host_and_port};

/// Where SOCKS proxies listen (RFC 1928 §3).
const SOCKS: u16 = 1080;
/// A name and a password have so many octets at most (RFC 1929 §2).
const LOGIN_LIMIT: usize = 255;

/// A SOCKS5 proxy that every TCP connection of a probe goes through. The DNS is asked directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The proxy's host; a name is looked up by this machine's own means.
    pub host: Host,
    /// Its port.
    pub port: Port,
    /// The login; none if the proxy asks for none.
    pub login: Option<ProxyLogin>,
}

impl fmt::Display for Proxy {
    /// As a URL, without the login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            Host::Address(address) if address.is_ipv6() => write!(f, "socks5://[{address}]:{}", self.port),
            _ => write!(f, "socks5://{}:{}", self.host, self.port),
        }
    }
}

/// Name and password for a SOCKS5 proxy; the password wipes itself, and is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyLogin {
    name: String,
    password: Zeroizing<String>,
}

impl ProxyLogin {
    /// A login whose parts have 1 to 255 octets each; none otherwise (RFC 1929 §2).
    #[must_use]
    pub fn new(name: String, password: Zeroizing<String>) -> Option<Self> {
        let fits = |part: &str| (1..=LOGIN_LIMIT).contains(&part.len());
        (fits(&name) && fits(&password)).then_some(Self { name, password })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The password, to be sent to the proxy and nowhere else.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for ProxyLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyLogin").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a text names no proxy. What was given is not repeated: there may be a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Another scheme, or none.
    #[error("a proxy looks like socks5://192.0.2.1:1080 or socks5://user:password@proxy.example.com:1080")]
    Scheme,
    /// Host or port.
    #[error("the proxy's host or port is wrong; it should look like socks5://proxy.example.com:1080")]
    Place,
    /// User name or password.
    #[error(
        "the proxy's login is wrong: it should be user:password, each of 1 to 255 octets, with %40 for @, %3A for :, %2F for / and %25 for %"
    )]
    Login,
}

impl FromStr for Proxy {
    type Err = ProxyError;

    /// Takes `socks5://[user:password@]host[:port]`; in the login, `%` and two hexadecimal digits stand for an octet (RFC 3986 §2.1).
    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.split_once("://").ok_or(ProxyError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("socks5") {
            return Err(ProxyError::Scheme);
        }
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let (host, port) = host_and_port(place.strip_suffix('/').unwrap_or(place)).map_err(|_| ProxyError::Place)?;
        let port = match port {
            Some(port) => port,
            None => Port::try_from(SOCKS).map_err(|_| ProxyError::Place)?,
        };
        let login = match login {
            None => None,
            Some(login) => {
                let (name, password) = login.split_once(':').ok_or(ProxyError::Login)?;
                let (name, password) = (decoded(name).ok_or(ProxyError::Login)?, decoded(password).ok_or(ProxyError::Login)?);
                Some(ProxyLogin::new(name.to_string(), password).ok_or(ProxyError::Login)?)
            }
        };
        Ok(Self { host, port, login })
    }
}

/// The text behind percent-encoding; none if it is broken, or no UTF-8.
pub(crate) fn decoded(text: &str) -> Option<Zeroizing<String>> {
    // Room for all of it from the start, so that no copy is left behind where it grew.
    let mut octets = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        octets.push(if byte == b'%' { digit(rest.next())? << 4 | digit(rest.next())? } else { byte });
    }
    std::str::from_utf8(&octets).ok().map(|text| Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_from_its_url() {
        for (text, shown, login) in [
            ("socks5://192.0.2.1", "socks5://192.0.2.1:1080", None),
            ("SOCKS5://proxy.example.com:9050/", "socks5://proxy.example.com:9050", None),
            ("socks5://[2001:db8::1]:1", "socks5://[2001:db8::1]:1", None),
            ("socks5://anna:p%40ss%3a%25@h.example", "socks5://h.example:1080", Some(("anna", "p@ss:%"))),
            ("socks5://anna:a@b@h.example", "socks5://h.example:1080", Some(("anna", "a@b"))),
        ] {
            let proxy: Proxy = text.parse().expect(text);
            assert_eq!(proxy.to_string(), shown);
            assert_eq!(proxy.login.as_ref().map(|login| (login.name(), login.password())), login, "{text}");
        }
        for (text, error) in [
            ("192.0.2.1:1080", ProxyError::Scheme),
            ("http://192.0.2.1:1080", ProxyError::Scheme),
            ("socks5://", ProxyError::Place),
            ("socks5://h.example:0", ProxyError::Place),
            ("socks5://h.example/path", ProxyError::Place),
            ("socks5://anna@h.example", ProxyError::Login),
            ("socks5://:secret@h.example", ProxyError::Login),
            ("socks5://anna:@h.example", ProxyError::Login),
            ("socks5://anna:%4@h.example", ProxyError::Login),
            ("socks5://anna:%ff@h.example", ProxyError::Login),
        ] {
            assert_eq!(text.parse::<Proxy>(), Err(error), "{text}");
        }
        let long = format!("socks5://anna:{}@h.example", "x".repeat(256));
        assert_eq!(long.parse::<Proxy>(), Err(ProxyError::Login));
    }

    #[test]
    fn the_password_is_shown_nowhere() {
        let proxy: Proxy = "socks5://anna:geheim@h.example".parse().expect("a proxy");
        for shown in [proxy.to_string(), format!("{proxy:?}"), format!("{proxy:#?}")] {
            assert!(!shown.contains("geheim"), "{shown}");
        }
        for error in [ProxyError::Scheme, ProxyError::Place, ProxyError::Login] {
            assert_eq!(error.to_string().lines().count(), 1);
        }
    }
}
