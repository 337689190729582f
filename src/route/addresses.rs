//! The addresses of mail hosts: every host and both families at once, each address handed on the moment it is known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_resolver::proto::rr::RData;
use tokio::sync::mpsc::UnboundedSender;

use super::answer::Outcome;
use super::resolver::{Answer, Resolver};
use super::{HostFault, Lookup, LookupFailure, LookupKind, MailHost, Origin, Security, Step};
use crate::settings::Settings;
use crate::target::{DomainName, Host};

/// So many addresses of a host are kept.
const ADDRESSES_LIMIT: usize = 16;

/// Finds the addresses of `hosts`, and says what is wrong with those that have none. Returns the hosts in the same order, and
/// what was looked up for them.
pub(super) async fn find(
    hosts: Vec<MailHost>,
    origin: Origin,
    settings: &Settings,
    resolver: &Resolver,
    steps: &UnboundedSender<Step>,
) -> (Vec<MailHost>, Vec<Lookup>) {
    let kinds = kinds(settings);
    let mut searches: Vec<Search<'_>> = hosts.into_iter().enumerate().map(|(index, host)| Search::new(index, host, steps)).collect();
    let mut asked = FuturesUnordered::new();
    for search in &mut searches {
        match &search.host.name {
            Host::Name(name) if search.host.fault.is_none() && !kinds.is_empty() => {
                for kind in kinds.iter().copied() {
                    let (index, name) = (search.index, name.clone());
                    asked.push(async move { (index, kind, look_up(&name, kind, origin, settings, resolver).await) });
                }
            }
            Host::Address(address) if search.host.fault.is_none() && kinds.contains(&kind_of(*address)) => {
                search.take(*address);
                search.conclude();
            }
            Host::Socket(_) => {
                search.take(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                search.conclude();
            }
            _ => search.conclude(),
        }
    }
    while let Some((index, kind, answer)) = asked.next().await {
        let search = &mut searches[index];
        search.learn(kind, answer);
        if search.answers.len() == kinds.len() {
            search.conclude();
        }
    }

    let mut found = Vec::with_capacity(searches.len());
    let mut lookups = Vec::new();
    for search in searches {
        found.push(search.host);
        lookups.extend(search.answers.into_iter().flat_map(|(_, answer)| answer.lookups));
    }
    (found, lookups)
}

/// The kinds of address to look for: as the settings say, and as the local address allows.
fn kinds(settings: &Settings) -> Vec<LookupKind> {
    [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)]
        .into_iter()
        .filter(|family| settings.families.include(*family))
        .filter(|family| settings.bind.is_none_or(|local| local.is_ipv4() == family.is_ipv4()))
        .map(kind_of)
        .collect()
}

/// IPv4 and IPv6.
const FAMILIES: usize = 2;

const fn kind_of(address: IpAddr) -> LookupKind {
    if address.is_ipv4() { LookupKind::A } else { LookupKind::Aaaa }
}

/// Looks for one kind of address: at hand, else in the DNS.
async fn look_up(name: &DomainName, kind: LookupKind, origin: Origin, settings: &Settings, resolver: &Resolver) -> Answer {
    let Some(known) = at_hand(name, origin, settings, resolver) else { return resolver.lookup(name, kind).await };
    let records: Vec<RData> = known.into_iter().filter(|address| kind_of(*address) == kind).map(RData::from).collect();
    let outcome = if records.is_empty() { Outcome::NoData } else { Outcome::Found(records) };
    let lookup = Lookup::of_nobody(name.to_string(), kind, resolver.clock().now(), outcome.result());
    Answer { outcome, aliases: Vec::new(), security: lookup.security, lookups: vec![lookup] }
}

/// The addresses of a name that the DNS is not asked for. They are all it has, so that one family can be without.
fn at_hand(name: &DomainName, origin: Origin, settings: &Settings, resolver: &Resolver) -> Option<Vec<IpAddr>> {
    if let Some(addresses) = settings.resolve.get(name) {
        return Some(addresses.clone());
    }
    if is_localhost(name) {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    // A mail server does not consult its hosts file for what an MX record names; a person who names a host expects it.
    let listed = if origin == Origin::Given { resolver.in_hosts_file(name) } else { Vec::new() };
    if listed.is_empty() { None } else { Some(listed) }
}

/// Whether the name means this machine whatever the DNS says (RFC 6761 §6.3).
pub(super) fn is_localhost(name: &DomainName) -> bool {
    name.as_str() == "localhost" || name.as_str().ends_with(".localhost")
}

/// The search for one host's addresses.
struct Search<'a> {
    index: usize,
    host: MailHost,
    answers: Vec<(LookupKind, Answer)>,
    steps: &'a UnboundedSender<Step>,
}

impl<'a> Search<'a> {
    fn new(index: usize, host: MailHost, steps: &'a UnboundedSender<Step>) -> Self {
        Self { index, host, answers: Vec::new(), steps }
    }

    fn learn(&mut self, kind: LookupKind, answer: Answer) {
        if let Outcome::Found(records) = &answer.outcome {
            for address in records.iter().filter_map(RData::ip_addr) {
                self.take(address);
            }
        }
        self.answers.push((kind, answer));
    }

    fn take(&mut self, address: IpAddr) {
        if self.host.addresses.len() < ADDRESSES_LIMIT && !self.host.addresses.contains(&address) {
            self.host.addresses.push(address);
            self.tell(Step::Address { host: self.index, address });
        }
    }

    /// Puts in order what came in any order, and says what is wrong if no address did.
    fn conclude(&mut self) {
        self.answers.sort_by_key(|(kind, _)| *kind);
        self.host.addresses.sort_by_key(IpAddr::is_ipv6);
        let chains = self.answers.iter().map(|(_, answer)| &answer.aliases);
        self.host.aliases = chains.max_by_key(|aliases| aliases.len()).cloned().unwrap_or_default();
        self.host.security = self.security();
        if self.host.addresses.is_empty() && self.host.fault.is_none() {
            self.host.fault = Some(self.fault());
        }
        self.tell(Step::Done { host: self.index, found: Box::new(self.host.clone()) });
    }

    /// A family that brings nothing leads nowhere, so that it does not count beside one that does.
    fn security(&self) -> Security {
        let found = |answer: &&Answer| matches!(answer.outcome, Outcome::Found(_));
        let answers = || self.answers.iter().map(|(_, answer)| answer);
        match answers().filter(found).map(|answer| answer.security).reduce(Security::and) {
            Some(security) => security,
            None => Security::of_all(answers().map(|answer| answer.security)),
        }
    }

    fn fault(&self) -> HostFault {
        let outcomes = || self.answers.iter().map(|(_, answer)| &answer.outcome);
        let failures = outcomes().filter_map(|outcome| if let Outcome::Failed(failure) = outcome { Some(*failure) } else { None });
        match failures.reduce(LookupFailure::or_more_telling) {
            Some(failure) => HostFault::Lookup(failure),
            None if outcomes().any(|outcome| *outcome == Outcome::NxDomain) => HostFault::NxDomain,
            None if self.answers.len() < FAMILIES => HostFault::FamilyExcluded,
            None => HostFault::NoAddress,
        }
    }

    fn tell(&self, step: Step) {
        // Nobody may be listening: the route is complete without.
        let _ = self.steps.send(step);
    }
}
