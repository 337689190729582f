//! Which addresses are this machine's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The address that packets to `address` would leave from; none if there is no way. Nothing is sent to find out.
#[must_use]
pub fn source(address: IpAddr) -> Option<IpAddr> {
    const DISCARD: u16 = 9;
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // Connecting a UDP socket looks the route up, and no more.
    socket.connect(SocketAddr::new(address, DISCARD)).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

/// Whether `address` is this machine's own: packets to it would leave from it.
#[must_use]
pub fn is_own(address: IpAddr) -> bool {
    !address.is_unspecified() && (address.is_loopback() || source(address) == Some(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_own_and_a_stranger_is_not() {
        let address = |text: &str| text.parse::<IpAddr>().expect(text);
        assert!(is_own(address("127.0.0.1")) && is_own(address("127.8.8.8")) && is_own(address("::1")));
        assert!(!is_own(address("192.0.2.1")) && !is_own(address("2001:db8::1")) && !is_own(address("0.0.0.0")));
        assert_eq!(source(address("127.0.0.1")), Some(address("127.0.0.1")));
    }
}
