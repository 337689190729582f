//! From MX records to mail hosts (RFC 5321 §5.1, RFC 7505).

use std::net::IpAddr;

use hickory_resolver::proto::rr::{Name, RData};

use super::answer::domain_name;
use super::{HostFault, MailHost};
use crate::target::Host;

/// So many hosts are looked up; the others are named, but left out.
const HOSTS_LIMIT: usize = 32;

/// What a domain's MX records say.
pub(super) enum Exchangers {
    /// It takes no mail: the root is the only exchange (RFC 7505 §3).
    Null,
    /// These hosts, those with the lowest preference first, else in the order of the answer. Empty if no exchange is a name
    /// that a host can have.
    Hosts(Vec<MailHost>),
}

/// Reads MX records. The root beside other exchanges breaks RFC 7505 and leads nowhere: it is left out, as is what is no name
/// that a host can have; both remain readable in the lookup.
pub(super) fn read(records: &[RData]) -> Exchangers {
    let mut exchangers: Vec<(u16, &Name)> =
        records.iter().filter_map(|data| if let RData::MX(mx) = data { Some((mx.preference, &mx.exchange)) } else { None }).collect();
    if exchangers.iter().all(|(_, name)| name.is_root()) {
        return Exchangers::Null;
    }
    exchangers.sort_by_key(|(preference, _)| *preference);
    let mut hosts: Vec<MailHost> = Vec::new();
    for (preference, name) in exchangers {
        if let Some((name, fault)) = host(name)
            && !hosts.iter().any(|host| host.name == name)
        {
            let fault = fault.or((hosts.len() >= HOSTS_LIMIT).then_some(HostFault::LeftOut));
            hosts.push(MailHost { preference: Some(preference), fault, ..MailHost::new(name) });
        }
    }
    Exchangers::Hosts(hosts)
}

/// The host that an exchange names, and what is wrong with it as a name already.
fn host(name: &Name) -> Option<(Host, Option<HostFault>)> {
    if let Some(address) = literal(name) {
        return Some((Host::Address(address), Some(HostFault::LiteralAsName)));
    }
    // No top-level domain is a number: this was meant to be an address.
    let digits = name.iter().all(|label| label.iter().all(u8::is_ascii_digit));
    Some((Host::Name(domain_name(name)?), digits.then_some(HostFault::LiteralAsName)))
}

/// The address that somebody put where a name has to stand, bare or in brackets; a server hands it out cut at the dots.
fn literal(name: &Name) -> Option<IpAddr> {
    let labels: Vec<&[u8]> = name.iter().collect();
    let text = String::from_utf8(labels.join(&b'.')).ok()?;
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
