//! Whether a name that a server gives itself has anything to do with the address it answers at (RFC 5321 §4.1.4, RFC 1912 §2.1).

use std::net::IpAddr;

use futures_util::future::join;
use hickory_resolver::proto::rr::{Name, RData};

use super::answer::{self, Outcome};
use super::{LookupKind, Resolver};
use crate::target::DomainName;

/// Names and addresses kept of each answer.
const KEPT: usize = 16;

/// What the DNS says of a name and of an address that is said to be its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub name: DomainName,
    /// The address.
    pub address: IpAddr,
    /// The name's addresses of the same family.
    pub addresses: Vec<IpAddr>,
    /// The names of the address (PTR).
    pub pointers: Vec<DomainName>,
    /// Whether both lookups had an answer, be it that there is nothing; else nothing can be concluded.
    pub answered: bool,
}

/// Asks for the addresses of `name`, and for the names of `address`.
pub async fn identify(name: DomainName, address: IpAddr, resolver: &Resolver) -> Identity {
    let reverse = reverse_name(address);
    let pointers = async {
        match &reverse {
            Some(reverse) => resolver.lookup(reverse, LookupKind::Ptr).await.outcome,
            None => Outcome::NoData,
        }
    };
    let (forward, pointers) = join(resolver.lookup(&name, kind(address)), pointers).await;
    let forward = forward.outcome;
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
    let answered = !failed(&forward) && !failed(&pointers);
    let records = |outcome| if let Outcome::Found(records) = outcome { records } else { Vec::new() };
    let pointer = |data: &RData| if let RData::PTR(name) = data { answer::domain_name(&name.0) } else { None };
    Identity {
        name,
        address,
        addresses: records(forward).iter().filter_map(RData::ip_addr).take(KEPT).collect(),
        pointers: records(pointers).iter().filter_map(pointer).take(KEPT).collect(),
        answered,
    }
}

/// The addresses of `name` of the family of `like`; none if it has none, or if they could not be found out.
pub async fn addresses_of(name: &DomainName, like: IpAddr, resolver: &Resolver) -> Vec<IpAddr> {
    match resolver.lookup(name, kind(like)).await.outcome {
        Outcome::Found(records) => records.iter().filter_map(RData::ip_addr).take(KEPT).collect(),
        _ => Vec::new(),
    }
}

const fn kind(address: IpAddr) -> LookupKind {
    if address.is_ipv4() { LookupKind::A } else { LookupKind::Aaaa }
}

/// The name under which the names of `address` stand: `1.2.0.192.in-addr.arpa`.
#[must_use]
pub fn reverse_name(address: IpAddr) -> Option<DomainName> {
    answer::domain_name(&Name::from(address))
}

impl Identity {
    /// Whether name and address belong together: the name leads to the address, or the address has a name of the same domain.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.addresses.contains(&self.address) || self.pointers.iter().any(|pointer| pointer.may_be_kin(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_turned_round() {
        let turned = |address: &str| reverse_name(address.parse().expect("an address")).map(|name| name.to_string());
        assert_eq!(turned("192.0.2.1").as_deref(), Some("1.2.0.192.in-addr.arpa"));
        let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(turned("2001:db8::1").as_deref(), Some(v6));
    }

    #[test]
    fn either_direction_is_enough() {
        let name = |text: &str| text.parse::<DomainName>().expect(text);
        let address = |text: &str| text.parse::<IpAddr>().expect(text);
        let identity = |addresses: &[&str], pointers: &[&str]| Identity {
            name: name("mx7.provider.example"),
            address: address("192.0.2.1"),
            addresses: addresses.iter().map(|text| address(text)).collect(),
            pointers: pointers.iter().map(|text| name(text)).collect(),
            answered: true,
        };
        assert!(identity(&["192.0.2.9", "192.0.2.1"], &[]).holds());
        assert!(identity(&[], &["static-1.provider.example"]).holds());
        assert!(!identity(&["192.0.2.9"], &["mail.example.com"]).holds());
        assert!(!identity(&[], &[]).holds());
    }
}
