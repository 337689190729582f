//! How an address and the name given with EHLO look to a receiver: the names of the address (PTR), whether they lead back to it
//! (RFC 1912 §2.1), and whether the EHLO name is one that means this host (RFC 5321 §2.3.5, §4.1.4).

use std::net::IpAddr;

use futures_util::future::{join, join_all};

use super::{Dns, Generic};
use crate::route::{LookupFailure, LookupKind, QueryName, Record, Records, reverse_name};
use crate::smtp::HelloName;
use crate::target::DomainName;

/// Names of one address that are looked at: nobody looks at more (RFC 7208 §5.5).
const POINTERS: usize = 10;
/// Addresses kept of a name.
const ADDRESSES: usize = 16;

/// An address that mail leaves from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Egress {
    /// As receivers see it.
    pub address: IpAddr,
    /// How it is known.
    pub known: Known,
    /// What the socket had; none if there was none, as for an address that the user gives.
    pub local: Option<IpAddr>,
}

impl Egress {
    /// Whether an address translator stands between the socket and the receiver: the address is another one on the way out.
    #[must_use]
    pub fn is_translated(&self) -> bool {
        self.local.is_some_and(|local| local.to_canonical() != self.address.to_canonical())
    }
}

/// How it is known with which address receivers see this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// A server named it.
    Told,
    /// The socket has it, and it is public.
    Socket,
    /// The user gave it.
    Given,
}

impl Known {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Socket => "socket",
            Self::Given => "given",
        }
    }
}

/// The names of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointers {
    /// These; at least one, at most 10.
    Found(Vec<Pointer>),
    /// None.
    Absent,
    /// It could not be found out.
    Failed(LookupFailure),
}

impl Pointers {
    /// The names, if there are any.
    #[must_use]
    pub fn all(&self) -> &[Pointer] {
        if let Self::Found(pointers) = self { pointers } else { &[] }
    }

    /// Whether one of the names leads back to the address; none if that cannot be told.
    #[must_use]
    pub fn are_confirmed(&self) -> Option<bool> {
        match self {
            Self::Found(pointers) if pointers.iter().any(|pointer| pointer.forward == Forward::Confirmed) => Some(true),
            Self::Found(pointers) if pointers.iter().any(|pointer| matches!(pointer.forward, Forward::Failed(_))) => None,
            Self::Found(_) | Self::Absent => Some(false),
            Self::Failed(_) => None,
        }
    }

    /// What makes all of the names look generic, by the first; none if one of them does not.
    #[must_use]
    pub fn generic(&self) -> Option<(&Pointer, &Generic)> {
        let pointers = self.all();
        let all = pointers.iter().all(|pointer| pointer.generic.is_some());
        pointers.first().filter(|_| all).and_then(|first| Some((first, first.generic.as_ref()?)))
    }
}

/// One name of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The name.
    pub name: String,
    /// Whether it leads back.
    pub forward: Forward,
    /// What makes it look generic; none if nothing does.
    pub generic: Option<Generic>,
}

/// Where the name of an address leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Back to the address, maybe among others.
    Confirmed,
    /// To other addresses; at most 16.
    Elsewhere(Vec<IpAddr>),
    /// Nowhere: the name does not exist, or has no address of that family.
    Nowhere,
    /// It could not be found out.
    Failed(LookupFailure),
}

/// The names of `address`, and where they lead.
pub async fn pointers<D: Dns>(address: IpAddr, dns: &D) -> Pointers {
    let address = address.to_canonical();
    let Some(reverse) = reverse_name(address) else { return Pointers::Absent };
    let names = match dns.ask(&QueryName::from(&reverse), LookupKind::Ptr).await {
        Records::Failed(failure) => return Pointers::Failed(failure),
        Records::NoData | Records::NxDomain => return Pointers::Absent,
        Records::Found(records) => records,
    };
    let mut kept: Vec<QueryName> = Vec::new();
    for record in names {
        match record {
            Record::Pointer(Some(name)) if !kept.contains(&name) && kept.len() < POINTERS => kept.push(name),
            _ => {}
        }
    }
    let looked_at = join_all(kept.iter().map(|name| async {
        let forward = match addresses(name, address, dns).await {
            Ok(found) if found.contains(&address) => Forward::Confirmed,
            Ok(found) if found.is_empty() => Forward::Nowhere,
            Ok(found) => Forward::Elsewhere(found),
            Err(failure) => Forward::Failed(failure),
        };
        Pointer { name: name.to_string(), forward, generic: Generic::of(name.as_str(), address) }
    }));
    let found = looked_at.await;
    if found.is_empty() { Pointers::Absent } else { Pointers::Found(found) }
}

/// The addresses of `name` of the family of `like`; empty if it has none.
async fn addresses<D: Dns>(name: &QueryName, like: IpAddr, dns: &D) -> Result<Vec<IpAddr>, LookupFailure> {
    let kind = if like.is_ipv4() { LookupKind::A } else { LookupKind::Aaaa };
    match dns.ask(name, kind).await {
        Records::Failed(failure) => Err(failure),
        Records::NoData | Records::NxDomain => Ok(Vec::new()),
        Records::Found(records) => {
            let address = |record: &Record| if let Record::Address(address) = record { Some(*address) } else { None };
            Ok(records.iter().filter_map(address).take(ADDRESSES).collect())
        }
    }
}

/// The name given with EHLO, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The name, or an address literal.
    pub name: HelloName,
    /// Its addresses of both families; the failure, if one of the two lookups had no answer. None if nobody asked, as for a literal
    /// and for a name that nobody could look up.
    pub addresses: Option<Result<Vec<IpAddr>, LookupFailure>>,
}

/// What is wrong with a name given with EHLO.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HelloFault {
    /// It means any machine and none: `localhost`, or a name below a domain that is never in the public DNS.
    Local,
    /// It has no dot, so it is no fully qualified name.
    Unqualified,
    /// It is the name of the receiver, or of its domain.
    Targets,
    /// It does not exist, or has no address.
    Unresolved,
    /// It leads to addresses, but not to this one.
    OtherAddress(IpAddr),
    /// The literal is another address than this one.
    OtherLiteral(IpAddr),
    /// A literal, which many receivers refuse though the standard allows it to a host without a name.
    Literal,
    /// This address is called otherwise (PTR).
    OtherPointer(IpAddr),
}

impl HelloFault {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Unqualified => "unqualified",
            Self::Targets => "targets_name",
            Self::Unresolved => "unresolved",
            Self::OtherAddress(_) => "other_address",
            Self::OtherLiteral(_) => "other_literal",
            Self::Literal => "literal",
            Self::OtherPointer(_) => "other_pointer",
        }
    }
}

impl Hello {
    /// The name with nothing known of it.
    #[must_use]
    pub const fn new(name: HelloName) -> Self {
        Self { name, addresses: None }
    }

    /// Looks the name up.
    pub async fn look_up<D: Dns>(name: HelloName, dns: &D) -> Self {
        let addresses = match &name {
            HelloName::Domain(domain) if domain.is_qualified() && !is_local(domain) => {
                let query = QueryName::from(domain);
                let (v4, v6) = join(addresses(&query, IpAddr::from([0; 4]), dns), addresses(&query, IpAddr::from([0; 16]), dns)).await;
                Some(v4.and_then(|v4| v6.map(|v6| [v4, v6].concat())))
            }
            _ => None,
        };
        Self { name, addresses }
    }

    /// The name, if it is one.
    #[must_use]
    pub const fn domain(&self) -> Option<&DomainName> {
        if let HelloName::Domain(domain) = &self.name { Some(domain) } else { None }
    }

    /// What is wrong with it for a client that is seen at `egress`, and says it to the hosts of `targets`. A name that could not be
    /// looked up is not wrong.
    #[must_use]
    pub fn faults(&self, egress: &[(IpAddr, &Pointers)], targets: &[DomainName]) -> Vec<HelloFault> {
        let domain = match &self.name {
            HelloName::Literal(literal) => {
                let others =
                    egress.iter().filter(|(address, _)| is_like(*address, *literal) && address.to_canonical() != literal.to_canonical());
                let other = others.map(|(address, _)| HelloFault::OtherLiteral(*address)).next();
                return std::iter::once(HelloFault::Literal).chain(other).collect();
            }
            HelloName::Domain(domain) => domain,
        };
        if is_local(domain) {
            return vec![HelloFault::Local];
        }
        if !domain.is_qualified() {
            return vec![HelloFault::Unqualified];
        }
        let mut faults: Vec<HelloFault> = targets.contains(domain).then_some(HelloFault::Targets).into_iter().collect();
        match &self.addresses {
            Some(Ok(known)) if known.is_empty() => faults.push(HelloFault::Unresolved),
            Some(Ok(known)) => {
                let apart = egress.iter().filter(|(address, _)| !known.contains(&address.to_canonical()));
                faults.extend(apart.map(|(address, _)| HelloFault::OtherAddress(*address)));
            }
            Some(Err(_)) | None => {}
        }
        let called_otherwise = egress.iter().filter(|(_, pointers)| {
            let names = pointers.all();
            !names.is_empty() && !names.iter().any(|pointer| pointer.name.eq_ignore_ascii_case(domain.as_str()))
        });
        faults.extend(called_otherwise.map(|(address, _)| HelloFault::OtherPointer(*address)));
        faults
    }
}

const fn is_like(one: IpAddr, other: IpAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
}

/// Whether nobody elsewhere can look the name up (RFC 6761, RFC 6762, RFC 9476, and what routers and systems make up).
fn is_local(name: &DomainName) -> bool {
    let last = name.as_str().rsplit('.').next().unwrap_or_default();
    let names = ["localhost", "localdomain", "local", "lan", "home", "internal", "intranet", "invalid", "alt", "workgroup"];
    names.contains(&last) || name.as_str().ends_with(".home.arpa")
}

#[cfg(test)]
mod tests;
