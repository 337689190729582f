//! What a block list says of an address or a domain (RFC 5782).
//!
//! An answer of 127/8 is a listing, but not each: lists answer 127.255.255.x, and some 127.0.0.1, where they refuse the question
//! itself, as they do for the large public resolvers. Whoever takes that for a listing turns everybody away.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use hickory_resolver::proto::rr::RData;

use super::answer::Outcome;
use super::identity::reverse_name;
use super::{Lookup, LookupFailure, LookupKind, Resolver, txt};
use crate::target::DomainName;

/// Answers and texts kept of a list.
const KEPT: usize = 16;

/// What a list can be asked about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Listable {
    /// An address (RFC 5782 §2.1 and §2.4).
    Address(IpAddr),
    /// A domain (RFC 5782 §2.2).
    Domain(DomainName),
}

impl fmt::Display for Listable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(name) => name.fmt(f),
        }
    }
}

/// What one list says of one address or domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The list, by the zone that was asked.
    pub zone: DomainName,
    /// What it was asked about.
    pub subject: Listable,
    /// What it says.
    pub answer: ListAnswer,
    /// What the list publishes beside a listing or a refusal (TXT); at most 16 records.
    pub texts: Vec<String>,
    /// What was asked.
    pub lookups: Vec<Lookup>,
}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListAnswer {
    /// It is on the list: the list's answers, of 127/8, at most 16. What each means is the list's own business.
    Listed(Vec<Ipv4Addr>),
    /// It is not.
    NotListed,
    /// The list refuses the question of this resolver: the answer that says so.
    Refused(Ipv4Addr),
    /// Something outside 127/8: no list answers so. The zone has been given up or sold, or somebody on the way makes answers up.
    Foreign(IpAddr),
    /// It could not be found out.
    Failed(LookupFailure),
}

impl ListAnswer {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Listed(_) => "listed",
            Self::NotListed => "not_listed",
            Self::Refused(_) => "refused",
            Self::Foreign(_) => "foreign",
            Self::Failed(_) => "failed",
        }
    }

    fn of(addresses: &[Ipv4Addr]) -> Self {
        if let Some(foreign) = addresses.iter().find(|address| !address.is_loopback()) {
            return Self::Foreign((*foreign).into());
        }
        if let Some(refusal) = addresses.iter().find(|address| is_refusal(**address)) {
            return Self::Refused(*refusal);
        }
        if addresses.is_empty() { Self::NotListed } else { Self::Listed(addresses.iter().copied().take(KEPT).collect()) }
    }
}

/// 127.255.255.x says that the question is refused, by an agreement of the lists' makers; 127.0.0.1 must not be a listing
/// (RFC 5782 §5), and is what URIBL refuses with.
const fn is_refusal(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [127, 255, 255, _] | [127, 0, 0, 1])
}

/// Asks the list `zone` about `subject`; for its text only where there is something to tell.
pub async fn listing(subject: Listable, zone: DomainName, resolver: &Resolver) -> Listing {
    let Some(name) = question(&subject, &zone) else {
        return Listing { zone, subject, answer: ListAnswer::Failed(LookupFailure::Malformed), texts: Vec::new(), lookups: Vec::new() };
    };
    let asked = resolver.lookup(&name, LookupKind::A).await;
    let address = |data: &RData| if let RData::A(address) = data { Some(address.0) } else { None };
    let answer = match asked.outcome {
        Outcome::Found(records) => ListAnswer::of(&records.iter().filter_map(address).collect::<Vec<_>>()),
        Outcome::NoData | Outcome::NxDomain => ListAnswer::NotListed,
        Outcome::Failed(failure) => ListAnswer::Failed(failure),
    };
    let mut lookups = asked.lookups;
    let mut texts = Vec::new();
    if matches!(answer, ListAnswer::Listed(_) | ListAnswer::Refused(_)) {
        let told = txt(&name, resolver).await;
        texts = told.records.unwrap_or_default().into_iter().take(KEPT).collect();
        lookups.extend(told.lookups);
    }
    Listing { zone, subject, answer, texts, lookups }
}

/// The name to ask for: the address turned round, or the domain itself, before the zone; none if that is too long for a name.
fn question(subject: &Listable, zone: &DomainName) -> Option<DomainName> {
    let front = match subject {
        Listable::Address(address) => {
            let turned = reverse_name(address.to_canonical())?;
            turned.as_str().trim_end_matches(".in-addr.arpa").trim_end_matches(".ip6.arpa").to_owned()
        }
        Listable::Domain(name) => name.to_string(),
    };
    format!("{front}.{zone}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_turned_round_and_domains_as_they_are() {
        let zone: DomainName = "dnsbl.example".parse().unwrap();
        let address = |text: &str| question(&Listable::Address(text.parse().unwrap()), &zone).map(|name| name.to_string());
        assert_eq!(address("192.0.2.99").as_deref(), Some("99.2.0.192.dnsbl.example"));
        assert_eq!(address("::ffff:192.0.2.99").as_deref(), Some("99.2.0.192.dnsbl.example"));
        let v6 = "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.dnsbl.example";
        assert_eq!(address("2001:db8::2").as_deref(), Some(v6));
        let domain = question(&Listable::Domain("shop.example.net".parse().unwrap()), &zone);
        assert_eq!(domain.map(|name| name.to_string()).as_deref(), Some("shop.example.net.dnsbl.example"));
    }

    #[test]
    fn not_every_answer_is_a_listing() {
        let of = |texts: &[&str]| ListAnswer::of(&texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>());
        let [two, eleven] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 11)];
        assert_eq!(of(&["127.0.0.2", "127.0.0.11"]), ListAnswer::Listed(vec![two, eleven]));
        assert_eq!(of(&["127.1.0.2"]), ListAnswer::Listed(vec![Ipv4Addr::new(127, 1, 0, 2)]));
        assert_eq!(of(&["127.255.255.254"]), ListAnswer::Refused(Ipv4Addr::new(127, 255, 255, 254)));
        assert_eq!(of(&["127.0.0.1"]), ListAnswer::Refused(Ipv4Addr::LOCALHOST));
        assert_eq!(of(&["203.0.113.7", "127.0.0.2"]), ListAnswer::Foreign("203.0.113.7".parse().unwrap()));
        assert_eq!(of(&[]), ListAnswer::NotListed);
    }
}
