//! Asking a SOCKS5 proxy for a connection (RFC 1928, RFC 1929): the dialogue as plain computation, octets in and octets out.
//!
//! Only CONNECT to an address is asked for, and of the ways to log in, none and name with password are known.

use std::net::{IpAddr, SocketAddr};

use zeroize::Zeroizing;

use crate::settings::ProxyLogin;
use crate::smtp::{ProxyFailure, SocksReply};

/// The version (RFC 1928 §3), and that of the login's own dialogue (RFC 1929 §2).
const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;
/// Ways to log in (RFC 1928 §3).
const NO_LOGIN: u8 = 0;
const NAME_AND_PASSWORD: u8 = 2;
const CONNECT: u8 = 1;
/// Kinds of addresses (RFC 1928 §5).
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write these octets; they may hold a password.
    Say(Zeroizing<Vec<u8>>),
    /// Read so many octets, and no more: what comes after them belongs to the server behind the proxy.
    Hear(usize),
    /// The connection stands; the address that the proxy has on its far side, if it tells.
    Done(Option<SocketAddr>),
}

/// What is being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Method,
    Login,
    /// The fixed part of the answer to CONNECT.
    Head,
    /// The length of the name in it.
    Length,
    /// Its address and port.
    Bound,
}

/// One dialogue with a proxy.
#[derive(Debug)]
pub(super) struct Negotiation<'a> {
    login: Option<&'a ProxyLogin>,
    to: SocketAddr,
    awaited: Awaited,
    next: Step,
    /// So many octets are to be heard after what is to be said.
    due: usize,
}

impl<'a> Negotiation<'a> {
    /// Asks for a connection to `to`.
    pub(super) fn new(login: Option<&'a ProxyLogin>, to: SocketAddr) -> Self {
        let methods: &[u8] = if login.is_some() { &[NO_LOGIN, NAME_AND_PASSWORD] } else { &[NO_LOGIN] };
        let count = if login.is_some() { 2 } else { 1 };
        let hello = Zeroizing::new([&[VERSION, count], methods].concat());
        Self { login, to, awaited: Awaited::Method, next: Step::Say(hello), due: 2 }
    }

    /// What is to be done now.
    pub(super) fn step(&mut self) -> Step {
        let after = match self.next {
            Step::Say(_) => Step::Hear(self.due),
            Step::Hear(count) => Step::Hear(count),
            Step::Done(bound) => Step::Done(bound),
        };
        std::mem::replace(&mut self.next, after)
    }

    /// These octets came: as many as [`Step::Hear`] named.
    ///
    /// # Errors
    /// If the proxy refuses, or speaks something else.
    pub(super) fn heard(&mut self, octets: &[u8]) -> Result<(), ProxyFailure> {
        match (self.awaited, octets) {
            // Some proxies answer the login with the other version; only the status counts.
            (Awaited::Method, [VERSION, NO_LOGIN]) | (Awaited::Login, [_, 0]) => self.ask(),
            (Awaited::Method, [VERSION, NAME_AND_PASSWORD]) => {
                let login = self.login.ok_or(ProxyFailure::NoMethod)?;
                (self.next, self.awaited, self.due) = (Step::Say(said_login(login)), Awaited::Login, 2);
            }
            (Awaited::Method, [VERSION, _]) => return Err(ProxyFailure::NoMethod),
            (Awaited::Login, [_, _]) => return Err(ProxyFailure::LoginRefused),
            (Awaited::Head, [VERSION, 0, _, kind]) => match *kind {
                V4 => self.hear(Awaited::Bound, 4 + 2),
                V6 => self.hear(Awaited::Bound, 16 + 2),
                NAME => self.hear(Awaited::Length, 1),
                _ => return Err(ProxyFailure::NotSocks),
            },
            (Awaited::Head, [VERSION, reply, ..]) => return Err(ProxyFailure::Said(SocksReply(*reply))),
            (Awaited::Length, [length]) => self.hear(Awaited::Bound, usize::from(*length) + 2),
            (Awaited::Bound, bound) => self.next = Step::Done(address(bound)),
            _ => return Err(ProxyFailure::NotSocks),
        }
        Ok(())
    }

    fn hear(&mut self, awaited: Awaited, count: usize) {
        (self.next, self.awaited) = (Step::Hear(count), awaited);
    }

    fn ask(&mut self) {
        let mut request = vec![VERSION, CONNECT, 0];
        match self.to.ip() {
            IpAddr::V4(v4) => {
                request.push(V4);
                request.extend(v4.octets());
            }
            IpAddr::V6(v6) => {
                request.push(V6);
                request.extend(v6.octets());
            }
        }
        request.extend(self.to.port().to_be_bytes());
        (self.next, self.awaited, self.due) = (Step::Say(Zeroizing::new(request)), Awaited::Head, 4);
    }
}

/// Name and password, each behind its length.
fn said_login(login: &ProxyLogin) -> Zeroizing<Vec<u8>> {
    let parts = [login.name(), login.password()];
    let mut octets = Zeroizing::new(Vec::with_capacity(3 + parts.iter().map(|part| part.len()).sum::<usize>()));
    octets.push(LOGIN_VERSION);
    for part in parts {
        octets.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        octets.extend_from_slice(part.as_bytes().get(..usize::from(u8::MAX)).unwrap_or(part.as_bytes()));
    }
    octets
}

/// The address and port; none for a name, and for an unspecified address, with which a proxy tells nothing.
fn address(octets: &[u8]) -> Option<SocketAddr> {
    let (address, port) = octets.split_last_chunk::<2>()?;
    let ip = match address.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
        _ => return None,
    };
    (!ip.is_unspecified()).then(|| SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Proxy;

    /// The dialogue with a proxy that answers with these octets, however many are asked for at a time: what was said, and the end.
    fn dialogue(proxy: &str, to: &str, mut answers: &[u8]) -> (Vec<Vec<u8>>, Result<Option<SocketAddr>, ProxyFailure>) {
        let proxy: Proxy = proxy.parse().expect(proxy);
        let mut negotiation = Negotiation::new(proxy.login.as_ref(), to.parse().expect(to));
        let mut said = Vec::new();
        loop {
            match negotiation.step() {
                Step::Say(octets) => said.push(octets.to_vec()),
                Step::Done(bound) => {
                    assert!(answers.is_empty(), "everything is heard");
                    return (said, Ok(bound));
                }
                Step::Hear(count) => {
                    let Some((heard, rest)) = answers.split_at_checked(count) else { return (said, Err(ProxyFailure::Closed)) };
                    answers = rest;
                    if let Err(failure) = negotiation.heard(heard) {
                        return (said, Err(failure));
                    }
                }
            }
        }
    }

    const PLAIN: &str = "socks5://192.0.2.9";
    const LOGIN: &str = "socks5://anna:geheim@192.0.2.9";

    #[test]
    fn a_connection_is_asked_for_octet_by_octet() {
        let (said, bound) = dialogue(PLAIN, "192.0.2.1:25", &[5, 0, 5, 0, 0, 1, 198, 51, 100, 7, 0x30, 0x39]);
        assert_eq!(said, [&[5, 1, 0][..], &[5, 1, 0, 1, 192, 0, 2, 1, 0, 25]]);
        assert_eq!(bound, Ok(Some("198.51.100.7:12345".parse().expect("an address"))));

        let (said, bound) = dialogue(LOGIN, "[2001:db8::1]:587", &[&[5, 2, 1, 0, 5, 0, 0, 4][..], &[0; 18]].concat());
        let connect = [&[5, 1, 0, 4, 0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1, 2, 0x4b]].concat();
        assert_eq!(said, [&[5, 2, 0, 2][..], b"\x01\x04anna\x06geheim", &connect]);
        assert_eq!(bound, Ok(None), "an unspecified address tells nothing");

        // A login that the proxy does not want is not sent, and a name instead of an address is passed over.
        let (said, bound) = dialogue(LOGIN, "192.0.2.1:25", b"\x05\x00\x05\x00\x00\x03\x01x\x00\x00");
        assert!(said.iter().all(|octets| !octets.windows(6).any(|part| part == b"geheim")), "{said:?}");
        assert_eq!(bound, Ok(None));
    }

    #[test]
    fn every_refusal_has_its_name() {
        for (proxy, answers, failure) in [
            (PLAIN, &[5, 255][..], ProxyFailure::NoMethod),
            (LOGIN, &[5, 255], ProxyFailure::NoMethod),
            (PLAIN, &[5, 2], ProxyFailure::NoMethod),
            (PLAIN, &[5, 1], ProxyFailure::NoMethod),
            (PLAIN, b"HT", ProxyFailure::NotSocks),
            (PLAIN, &[4, 0], ProxyFailure::NotSocks),
            (LOGIN, &[5, 2, 1, 1], ProxyFailure::LoginRefused),
            (LOGIN, &[5, 2, 1], ProxyFailure::Closed),
            (PLAIN, &[5, 0, 4, 0, 0, 1], ProxyFailure::NotSocks),
            (PLAIN, &[5, 0, 5, 0, 0, 9], ProxyFailure::NotSocks),
            (PLAIN, &[5, 0, 5, 0, 0, 1, 0], ProxyFailure::Closed),
        ] {
            assert_eq!(dialogue(proxy, "192.0.2.1:25", answers).1, Err(failure), "{answers:?}");
        }
        for reply in 1..=u8::MAX {
            let failure = dialogue(PLAIN, "192.0.2.1:25", &[5, 0, 5, reply, 0, 1]).1;
            assert_eq!(failure, Err(ProxyFailure::Said(SocksReply(reply))));
        }
        assert_eq!(SocksReply(5).to_string(), "connection refused, as seen from there (reply 5)");
    }
}
