//! The kernel's own reason for a failed connection: ICMP errors from the socket's error queue (Linux, ip(7) `IP_RECVERR`).
//!
//! `connect` tells an error number alone, and "connection refused" can be the host's RST or a firewall's ICMP error. With the
//! error queue switched on, the kernel keeps the ICMP message with its type, its code, and who sent it; it also gives up at once
//! over IPv6, where it otherwise waits for the next retransmission. Other systems have no such queue: there the number is all.

#[cfg(target_os = "linux")]
pub(super) use linux::ErrorQueue;
#[cfg(not(target_os = "linux"))]
pub(super) use other::ErrorQueue;

#[cfg(target_os = "linux")]
mod linux {
    use std::io::IoSliceMut;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};

    use nix::libc::{SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, sock_extended_err, sockaddr_in, sockaddr_in6};
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
    use tokio::net::TcpSocket;

    use crate::smtp::IcmpError;
    use crate::transport::own::is_own;

    /// Messages read of one queue, at most: the first that is ICMP's decides.
    const MESSAGES_LIMIT: usize = 8;

    /// The error queue of a socket that is being connected.
    pub(in crate::transport) struct ErrorQueue {
        /// The socket again: connecting takes it away, and closes it when it fails.
        socket: OwnedFd,
        v6: bool,
    }

    /// One entry of the queue: an ICMP error, or something else.
    struct Entry(Option<IcmpError>);

    impl ErrorQueue {
        /// Switches the queue of `socket` on. None if the system does not let us, which costs no more than the reason.
        pub(in crate::transport) fn of(socket: &TcpSocket, v6: bool) -> Option<Self> {
            let queue = Self { socket: socket.as_fd().try_clone_to_owned().ok()?, v6 };
            queue.switch(true).then_some(queue)
        }

        /// Switches it off: on a connection that stands, a passing ICMP error is no reason to end it (RFC 1122 §4.2.3.9).
        pub(in crate::transport) fn close(self) {
            self.switch(false);
        }

        fn switch(&self, on: bool) -> bool {
            let done = if self.v6 {
                setsockopt(&self.socket, sockopt::Ipv6RecvErr, &on)
            } else {
                setsockopt(&self.socket, sockopt::Ipv4RecvErr, &on)
            };
            done.is_ok()
        }

        /// The ICMP error that the kernel kept; none if the failure came from elsewhere.
        pub(in crate::transport) fn take(&self) -> Option<IcmpError> {
            (0..MESSAGES_LIMIT).map_while(|_| self.next()).find_map(|Entry(icmp)| icmp)
        }

        /// The next entry; none if there is no more.
        fn next(&self) -> Option<Entry> {
            // The packet that the error is about would come along; only what the kernel says of it is wanted.
            let mut packet = [0; 64];
            let mut control = nix::cmsg_space!(sock_extended_err, sockaddr_in6);
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let mut parts = [IoSliceMut::new(&mut packet)];
            let message = recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), flags).ok()?;
            let icmp = message.cmsgs().ok()?.find_map(|message| match message {
                ControlMessageOwned::Ipv4RecvErr(error, offender) => read(&error, offender.map_or(Ipv4Addr::UNSPECIFIED.into(), v4)),
                ControlMessageOwned::Ipv6RecvErr(error, offender) => read(&error, offender.map_or(Ipv6Addr::UNSPECIFIED.into(), v6)),
                _ => None,
            });
            Some(Entry(icmp))
        }
    }

    fn v4(address: sockaddr_in) -> IpAddr {
        Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into()
    }

    fn v6(address: sockaddr_in6) -> IpAddr {
        Ipv6Addr::from(address.sin6_addr.s6_addr).into()
    }

    /// What an entry says; none if it is not from ICMP (the kernel reports trouble of its own in the same queue).
    fn read(error: &sock_extended_err, from: IpAddr) -> Option<IcmpError> {
        let icmp = matches!(error.ee_origin, SO_EE_ORIGIN_ICMP | SO_EE_ORIGIN_ICMP6);
        icmp.then(|| IcmpError { kind: error.ee_type, code: error.ee_code, from, here: is_own(from) })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn entry(ee_origin: u8, ee_type: u8, ee_code: u8) -> sock_extended_err {
            sock_extended_err { ee_errno: 113, ee_origin, ee_type, ee_code, ee_pad: 0, ee_info: 0, ee_data: 0 }
        }

        #[test]
        fn an_entry_is_read_if_it_is_of_icmp() {
            const LOCAL: u8 = 1;
            const TIMESTAMP: u8 = 4;
            let router: IpAddr = "192.0.2.1".parse().expect("an address");
            let router6: IpAddr = "2001:db8::1".parse().expect("an address");
            let nobody: IpAddr = Ipv4Addr::UNSPECIFIED.into();
            let itself: IpAddr = "127.0.0.1".parse().expect("an address");
            let icmp = |kind, code, from, here| Some(IcmpError { kind, code, from, here });
            for (origin, kind, code, from, expected) in [
                (SO_EE_ORIGIN_ICMP, 3, 13, router, icmp(3, 13, router, false)),
                (SO_EE_ORIGIN_ICMP, 3, 1, itself, icmp(3, 1, itself, true)),
                (SO_EE_ORIGIN_ICMP, 11, 0, nobody, icmp(11, 0, nobody, false)),
                (SO_EE_ORIGIN_ICMP6, 1, 1, router6, icmp(1, 1, router6, false)),
                (LOCAL, 0, 0, router, None),
                (TIMESTAMP, 0, 0, router, None),
                (0, 3, 13, router, None),
                (255, 255, 255, router, None),
            ] {
                assert_eq!(read(&entry(origin, kind, code), from), expected, "{origin} {kind}/{code} {from}");
            }
        }

        #[test]
        fn offenders_are_read_in_network_order() {
            let v4_address = sockaddr_in {
                sin_family: 2,
                sin_port: 0,
                sin_addr: nix::libc::in_addr { s_addr: u32::from_ne_bytes([198, 51, 100, 1]) },
                sin_zero: [0; 8],
            };
            assert_eq!(v4(v4_address).to_string(), "198.51.100.1");
            let s6_addr = "2001:db8::f".parse::<Ipv6Addr>().expect("an address").octets();
            let v6_address = sockaddr_in6 {
                sin6_family: 10,
                sin6_port: 0,
                sin6_flowinfo: 0,
                sin6_addr: nix::libc::in6_addr { s6_addr },
                sin6_scope_id: 0,
            };
            assert_eq!(v6(v6_address).to_string(), "2001:db8::f");
        }

        #[test]
        fn a_socket_without_trouble_has_an_empty_queue() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let _guard = runtime.enter();
            let socket = TcpSocket::new_v4().expect("a socket");
            let queue = ErrorQueue::of(&socket, false).expect("Linux has the queue");
            assert_eq!(queue.take(), None);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use tokio::net::TcpSocket;

    use crate::smtp::IcmpError;

    /// A queue that there never is.
    pub(in crate::transport) enum ErrorQueue {}

    impl ErrorQueue {
        pub(in crate::transport) fn of(_: &TcpSocket, _: bool) -> Option<Self> {
            None
        }

        pub(in crate::transport) fn close(self) {
            match self {}
        }

        pub(in crate::transport) fn take(&self) -> Option<IcmpError> {
            match *self {}
        }
    }
}
