//! Where the mail for a target goes: MX, implicit MX, null MX, addresses (RFC 5321 §5.1, RFC 7505, RFC 1035).
//!
//! [`resolve`] walks from a [`Target`] to a [`Route`]. Whatever the DNS says or does not say is part of the route, never an
//! error: each question is kept as a [`Lookup`] with the server asked, its time and its answer. While it walks it tells of
//! each [`Step`], so that the first address can be connected to while others are still being looked up.
//!
//! A DNS server is believed, but bounded: 64 records of an answer (of texts, 256), 8 aliases, 32 mail hosts with 16 addresses each, and
//! seconds for each question.

mod addresses;
mod anchors;
mod answer;
mod cache;
mod exchange;
mod exchangers;
mod identity;
mod listing;
mod lookup;
mod records;
mod resolver;
mod security;
#[cfg(test)]
mod tests;
mod tlsa;
mod trust;
mod txt;

use std::net::IpAddr;

use tokio::sync::mpsc::UnboundedSender;

pub use self::anchors::{AnchorsError, read_anchors};
pub use self::identity::{Identity, addresses_of, identify, reverse_name};
pub use self::listing::{ListAnswer, Listable, Listing, listing};
pub use self::lookup::{Lookup, LookupFailure, LookupKind, LookupResult};
pub use self::records::{NameFault, QueryName, Record, Records, records};
pub use self::resolver::Resolver;
pub use self::security::{Doubt, Security, Validator};
pub use self::tlsa::{TlsaAnswer, TlsaOutcome, tlsa};
pub use self::txt::{TxtAnswer, txt};

use self::answer::Outcome;
use self::exchangers::Exchangers;
use crate::settings::{Families, Settings};
use crate::target::{DomainName, Host, MailDomain, Target};

/// Where the mail goes, and how that was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What named the hosts.
    pub origin: Origin,
    /// The mail domain; none for a host and for an address literal.
    pub domain: Option<DomainName>,
    /// The hosts in the order of preference; of equal ones in the order of the answer, which servers shuffle. Hosts that the
    /// settings give stand in the settings' order, one for one.
    pub hosts: Vec<MailHost>,
    /// Whether all that leads to the addresses is authentic: the MX answer, and those with the addresses of every host
    /// (RFC 7672 §2.2). For one host see [`MailHost::way`].
    pub security: Security,
    /// All that was looked up: MX first, then host by host.
    pub lookups: Vec<Lookup>,
}

/// What named a target's mail hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// MX records. Without hosts if none of them names one.
    Mx,
    /// The domain itself, as it has no MX (RFC 5321 §5.1).
    ImplicitMx,
    /// Nothing: the domain takes no mail (RFC 7505).
    NullMx,
    /// The user: a host, an address, or servers to ask instead of those in the DNS.
    Given,
    /// A record of conversations that were held with them; nothing was looked up.
    Recorded,
    /// Nothing: it could not be found out, or there is no such domain or mail host.
    Failed(LookupFailure),
}

impl Origin {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::ImplicitMx => "implicit_mx",
            Self::NullMx => "null_mx",
            Self::Given => "given",
            Self::Recorded => "recorded",
            Self::Failed(_) => "failed",
        }
    }
}

/// A host that should take the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailHost {
    /// Its name; an address if one was given, or stands where an MX record has to have a name.
    pub name: Host,
    /// The preference of its MX record, of several the lowest; none if it was not named by one.
    pub preference: Option<u16>,
    /// The aliases (CNAME) that lead from its name to its addresses, in order, without the name itself; empty as it should be
    /// (RFC 2181 §10.3).
    pub aliases: Vec<DomainName>,
    /// Its addresses of the families in use, IPv4 first, at most 16.
    pub addresses: Vec<IpAddr>,
    /// Whether the answer that named it is authentic: MX, or that there is none. [`Doubt::AtHand`] if the user named it.
    pub named: Security,
    /// Whether the answers that brought its addresses are, aliases included; if none did, all answers.
    pub security: Security,
    /// Why it has no address here; none if it has one, or if its lookups are not done.
    pub fault: Option<HostFault>,
}

impl MailHost {
    /// A host of which no more is known yet.
    #[must_use]
    pub const fn new(name: Host) -> Self {
        let unasked = Security::Unknown(Doubt::AtHand);
        Self { name, preference: None, aliases: Vec::new(), addresses: Vec::new(), named: unasked, security: unasked, fault: None }
    }

    /// Whether all that leads to its addresses is authentic.
    #[must_use]
    pub fn way(&self) -> Security {
        self.named.and(self.security)
    }
}

/// Why a host has no address to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostFault {
    /// Its name does not exist.
    NxDomain,
    /// Its name exists, but has no address of a family in use.
    NoAddress,
    /// It has no address of the families in use, and the settings leave one out.
    FamilyExcluded,
    /// Its addresses could not be found out.
    Lookup(LookupFailure),
    /// The MX record holds an address, or digits meant as one, where a name has to stand. It was not looked up.
    LiteralAsName,
    /// The domain has too many MX hosts: this one was not looked up.
    LeftOut,
}

impl HostFault {
    /// The name used in JSON; a failed lookup has the failure's.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NxDomain => "nxdomain",
            Self::NoAddress => "no_address",
            Self::FamilyExcluded => "family_excluded",
            Self::Lookup(failure) => failure.as_str(),
            Self::LiteralAsName => "literal_as_name",
            Self::LeftOut => "left_out",
        }
    }
}

/// What has become known on the way. Hosts are numbered by their place in [`Step::Hosts`] and [`Route::hosts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The hosts and their order; addresses not yet. Comes first, and once; not at all if there are none.
    Hosts(Vec<MailHost>),
    /// A host has this address.
    Address {
        /// Which host.
        host: usize,
        /// One of its addresses.
        address: IpAddr,
    },
    /// All lookups of a host are in. Comes once for each host, also for one that is not looked up.
    Done {
        /// Which host.
        host: usize,
        /// What it has turned out to be.
        found: Box<MailHost>,
    },
}

/// Finds the hosts that take the target's mail, and their addresses.
///
/// Hosts in the settings replace those of the target. A mailbox or domain is looked up by MX; if it has none, it is its own
/// mail host; so is `localhost`, for which the DNS is not asked at all. Addresses are sent to `steps` as they come; nobody
/// needs to listen.
pub async fn resolve(target: &Target, settings: &Settings, resolver: &Resolver, steps: UnboundedSender<Step>) -> Route {
    let destination = destination(target);
    let mut lookups = Vec::new();
    let mut named = None;
    let (mut origin, mut hosts) = match &destination {
        _ if !settings.servers.is_empty() => {
            (Origin::Given, settings.servers.iter().map(|(host, _)| MailHost::new(host.clone())).collect())
        }
        Destination::Host(host) => (Origin::Given, vec![MailHost::new(host.clone())]),
        Destination::Domain(domain) => by_mx(domain, resolver, &mut lookups, &mut named).await,
    };
    for host in &mut hosts {
        host.named = named.unwrap_or(host.named);
    }
    if !hosts.is_empty() {
        let _ = steps.send(Step::Hosts(hosts.clone()));
        let (found, more) = addresses::find(hosts, origin, settings, resolver, &steps).await;
        hosts = found;
        lookups.extend(more);
    }
    if let (Origin::ImplicitMx, [host]) = (origin, hosts.as_slice()) {
        origin = implicit_mx(host, settings);
    }
    let domain = if let Destination::Domain(domain) = destination { Some(domain) } else { None };
    let security = Security::of_all(hosts.iter().map(MailHost::way).chain(named));
    Route { origin, domain, hosts, security, lookups }
}

/// Finds the addresses of a host that takes no mail, such as the one that a policy is published on. Returns it as a mail host,
/// with what was looked up; the settings' `resolve` and families apply as they do to mail hosts.
pub async fn locate(name: &DomainName, settings: &Settings, resolver: &Resolver) -> (MailHost, Vec<Lookup>) {
    let host = MailHost::new(Host::Name(name.clone()));
    let (unheard, _) = tokio::sync::mpsc::unbounded_channel();
    let (mut found, lookups) = addresses::find(vec![host.clone()], Origin::Mx, settings, resolver, &unheard).await;
    (found.pop().unwrap_or(host), lookups)
}

/// Where a target's mail goes by its own words.
enum Destination {
    /// To the mail hosts of this domain.
    Domain(DomainName),
    /// To this host.
    Host(Host),
}

fn destination(target: &Target) -> Destination {
    match target {
        Target::Mailbox(mailbox) => match mailbox.domain() {
            MailDomain::Name(name) => Destination::Domain(name.clone()),
            MailDomain::Literal(address) => Destination::Host(Host::Address(*address)),
        },
        Target::Domain(name) => Destination::Domain(name.clone()),
        Target::Host { host, .. } => Destination::Host(host.clone()),
    }
}

/// The mail hosts that the domain's MX records name, else the domain itself.
async fn by_mx(
    domain: &DomainName,
    resolver: &Resolver,
    lookups: &mut Vec<Lookup>,
    security: &mut Option<Security>,
) -> (Origin, Vec<MailHost>) {
    let itself = || (Origin::ImplicitMx, vec![MailHost::new(Host::Name(domain.clone()))]);
    if addresses::is_localhost(domain) {
        return itself();
    }
    let answer = resolver.lookup(domain, LookupKind::Mx).await;
    lookups.extend(answer.lookups);
    *security = Some(answer.security);
    match answer.outcome {
        Outcome::Found(records) => match exchangers::read(&records) {
            Exchangers::Null => (Origin::NullMx, Vec::new()),
            Exchangers::Hosts(hosts) => (Origin::Mx, hosts),
        },
        Outcome::NoData => itself(),
        // No name, no record of whatever type (RFC 8020): addresses need not be asked for.
        Outcome::NxDomain => (Origin::Failed(LookupFailure::NxDomain), Vec::new()),
        Outcome::Failed(failure) => (Origin::Failed(failure), Vec::new()),
    }
}

/// What is to be said of a domain without MX once its own addresses have been looked up.
const fn implicit_mx(host: &MailHost, settings: &Settings) -> Origin {
    match host.fault {
        None | Some(HostFault::LiteralAsName | HostFault::LeftOut) => Origin::ImplicitMx,
        Some(HostFault::Lookup(failure)) => Origin::Failed(failure),
        // With one family alone in use there may be an address of the other.
        Some(_) if settings.bind.is_some() || !matches!(settings.families, Families::Both) => Origin::ImplicitMx,
        Some(HostFault::NxDomain | HostFault::NoAddress | HostFault::FamilyExcluded) => Origin::Failed(LookupFailure::NoMailHost),
    }
}
