//! One namespace, with everything on its loopback device: near servers, and nothing between.
//!
//! [`DEAD_V4`] and [`DEAD_V6`] lead into a tunnel that nobody reads, and stay silent.

use super::lab::Lab;

/// Where the mail server listens.
pub(crate) const MX: &str = "192.0.2.25";
/// The same over IPv6.
pub(crate) const MX_V6: &str = "2001:db8::25";
/// More addresses for mail servers with other manners.
pub(crate) const SLOW: &str = "192.0.2.26";
pub(crate) const CLOSING: &str = "192.0.2.27";
pub(crate) const SCREENED: &str = "192.0.2.28";
pub(crate) const BARE: &str = "192.0.2.29";
/// DNS servers that are not asked by way of a loopback address: as if they were on other machines.
pub(crate) const RESOLVER: &str = "192.0.2.53";
pub(crate) const NAMESERVER: &str = "192.0.2.54";
/// Addresses that packets go to, and nothing comes back from.
pub(crate) const DEAD_V4: &str = "203.0.113.25";
pub(crate) const DEAD_V6: &str = "2001:db8:dead::25";

/// Makes a lab of one namespace.
pub(crate) fn open(title: &str, programs: &[&str]) -> Option<Lab> {
    Lab::open(title, programs, &["all"], lay_out)
}

fn lay_out(lab: &Lab) -> Result<(), String> {
    let ip = |arguments: &str| lab.client().ip(arguments);
    for address in [MX, SLOW, CLOSING, SCREENED, BARE, RESOLVER, NAMESERVER] {
        ip(&format!("address add {address}/32 dev lo"))?;
    }
    ip(&format!("address add {MX_V6}/128 dev lo nodad"))?;
    ip("tuntap add mode tun dev dead0")?;
    ip("link set dead0 up")?;
    ip(&format!("route add {DEAD_V4}/32 dev dead0"))?;
    ip(&format!("-6 route add {DEAD_V6}/128 dev dead0"))
}
