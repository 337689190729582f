//! What goes wrong between this machine and a SOCKS5 proxy, or is said by the proxy (RFC 1928 §3 to §6, RFC 1929 §2).

use std::fmt;
use std::time::Duration;

use super::FailureKind;

/// Why there is no connection by way of a proxy. All of it is known from the proxy alone: nothing of it was seen of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyFailure {
    /// The proxy's name leads to no address.
    NoAddress,
    /// There is no connection to the proxy.
    Unreachable(Box<FailureKind>),
    /// The proxy was connected to, and said nothing for this long; it may have waited for the target itself.
    Silent(Duration),
    /// It closed the connection.
    Closed,
    /// It speaks something else.
    NotSocks,
    /// It takes none of the ways to log in that were offered.
    NoMethod,
    /// It refused name or password.
    LoginRefused,
    /// It answered, and did not connect.
    Said(SocksReply),
}

/// The reply of a SOCKS5 proxy that did not connect (RFC 1928 §6): any number but 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocksReply(pub u8);

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "general failure",
            2 => "not allowed by its rules",
            3 => "network unreachable from there",
            4 => "host unreachable from there",
            5 => "connection refused, as seen from there",
            6 => "time to live expired on the way from there",
            7 => "it knows no CONNECT",
            8 => "it knows no such kind of address",
            _ => "a reply that is not assigned",
        };
        write!(f, "{name} (reply {})", self.0)
    }
}
