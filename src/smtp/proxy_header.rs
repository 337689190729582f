//! The PROXY protocol's header (`HAProxy`, "The PROXY protocol", versions 1 and 2): what a load balancer sends a server ahead of
//! everything else, to say whom the connection is really from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::Connected;

/// What version 2 begins with (section 2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command PROXY.
const VERSION_AND_COMMAND: u8 = 0x21;
/// TCP over either family.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The form of the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text (section 2.1).
    V1,
    /// Octets (section 2.2).
    #[default]
    V2,
}

/// The header to be sent on each connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Its form.
    pub version: ProxyVersion,
    /// The address to be from; none takes the connection's own.
    pub source: Option<IpAddr>,
    /// The port to be from; none takes the connection's own.
    pub port: Option<u16>,
}

impl ProxyHeader {
    /// What it says on this connection.
    #[must_use]
    pub fn on(&self, ends: &Connected) -> ProxyLine {
        let source = SocketAddr::new(self.source.unwrap_or(ends.local.ip()), self.port.unwrap_or(ends.local.port()));
        ProxyLine { version: self.version, source, destination: ends.peer }
    }
}

/// Why a text is no such header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} should look like v1, v2, v2,192.0.2.1 or v1,[2001:db8::1]:4321")]
pub struct ProxyHeaderError(String);

impl FromStr for ProxyHeader {
    type Err = ProxyHeaderError;

    /// Takes `v1` or `v2`, an address with or without a port, or both with a comma between.
    fn from_str(text: &str) -> Result<Self, ProxyHeaderError> {
        let wrong = || ProxyHeaderError(text.to_owned());
        let (version, source) = match text.split_once(',') {
            Some((version, source)) => (Some(version), Some(source)),
            None if matches!(text, "v1" | "v2") => (Some(text), None),
            None => (None, Some(text)),
        };
        let version = match version {
            Some("v1") => ProxyVersion::V1,
            Some("v2") | None => ProxyVersion::V2,
            Some(_) => return Err(wrong()),
        };
        let Some(source) = source else { return Ok(Self { version, source: None, port: None }) };
        if let Ok(socket) = source.parse::<SocketAddr>() {
            return Ok(Self { version, source: Some(socket.ip()), port: Some(socket.port()) });
        }
        let bare = source.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(source);
        let address = bare.parse().map_err(|_| wrong())?;
        Ok(Self { version, source: Some(address), port: None })
    }
}

/// The header of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyLine {
    /// Its form.
    pub version: ProxyVersion,
    /// Whom the connection is said to be from.
    pub source: SocketAddr,
    /// Whom it is said to be to.
    pub destination: SocketAddr,
}

impl ProxyLine {
    /// Both ends in one family: where they differ, IPv4 is written as IPv6 (RFC 4291 §2.5.5.2).
    fn ends(&self) -> (SocketAddr, SocketAddr) {
        let (source, destination) = (self.source, self.destination);
        let wide = |socket: SocketAddr| match socket.ip() {
            IpAddr::V4(v4) => SocketAddr::new(IpAddr::V6(v4.to_ipv6_mapped()), socket.port()),
            IpAddr::V6(_) => socket,
        };
        if source.is_ipv4() == destination.is_ipv4() { (source, destination) } else { (wide(source), wide(destination)) }
    }

    /// The octets of the header.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        if self.version == ProxyVersion::V1 {
            return format!("{}\r\n", self.words()).into_bytes();
        }
        let (source, destination) = self.ends();
        let mut addresses = Vec::new();
        for ip in [source.ip(), destination.ip()] {
            match ip {
                IpAddr::V4(v4) => addresses.extend(v4.octets()),
                IpAddr::V6(v6) => addresses.extend(v6.octets()),
            }
        }
        let (family, length) = if source.is_ipv4() { (TCP4, 12_u16) } else { (TCP6, 36) };
        let mut octets = SIGNATURE.to_vec();
        octets.extend([VERSION_AND_COMMAND, family]);
        octets.extend(length.to_be_bytes());
        octets.extend(addresses);
        octets.extend(source.port().to_be_bytes());
        octets.extend(destination.port().to_be_bytes());
        octets
    }

    fn words(&self) -> String {
        let (source, destination) = self.ends();
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        format!("PROXY {family} {} {} {} {}", source.ip(), destination.ip(), source.port(), destination.port())
    }
}

impl fmt::Display for ProxyLine {
    /// As version 1 writes it; that of version 2 is marked, because its octets are not for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())?;
        if self.version == ProxyVersion::V2 { f.write_str(" (version 2)") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str, local: &str, peer: &str) -> ProxyLine {
        let ends = Connected { local: local.parse().expect(local), peer: peer.parse().expect(peer) };
        text.parse::<ProxyHeader>().expect(text).on(&ends)
    }

    #[test]
    fn each_form_is_sent_octet_by_octet() {
        let (v4, v6) = ("192.0.2.9:50000", "[2001:db8::9]:50000");
        for (text, local, peer, line) in [
            ("v1", v4, "192.0.2.1:25", "PROXY TCP4 192.0.2.9 192.0.2.1 50000 25\r\n"),
            ("v1", v6, "[2001:db8::1]:25", "PROXY TCP6 2001:db8::9 2001:db8::1 50000 25\r\n"),
            ("v1,198.51.100.7", v4, "192.0.2.1:25", "PROXY TCP4 198.51.100.7 192.0.2.1 50000 25\r\n"),
            ("v1,[2001:db8::7]:4321", v6, "[2001:db8::1]:25", "PROXY TCP6 2001:db8::7 2001:db8::1 4321 25\r\n"),
            ("v1,2001:db8::7", v4, "192.0.2.1:25", "PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 50000 25\r\n"),
        ] {
            assert_eq!(String::from_utf8(header(text, local, peer).octets()).expect("text"), line);
        }
        let start = *b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a";
        let octets = header("198.51.100.7:4321", v4, "192.0.2.1:25").octets();
        assert_eq!(octets, [&start[..], &[0x21, 0x11, 0, 12, 198, 51, 100, 7, 192, 0, 2, 1, 0x10, 0xe1, 0, 25]].concat());
        let octets = header("v2", v6, "[2001:db8::1]:465").octets();
        let address = |last: u8| [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[last]].concat();
        let expected = [&start[..], &[0x21, 0x21, 0, 36], &address(9), &address(1), &[0xc3, 0x50, 1, 0xd1]].concat();
        assert_eq!(octets, expected);
        assert_eq!(header("v2", v4, "192.0.2.1:25").to_string(), "PROXY TCP4 192.0.2.9 192.0.2.1 50000 25 (version 2)");
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in ["", "v3", "v1,", "v2,mx.example.com", "v1,192.0.2.1:70000", "v1,192.0.2.1\r\nEHLO x", "192.0.2.1,v1"] {
            assert!(text.parse::<ProxyHeader>().is_err(), "{text:?}");
        }
    }
}
