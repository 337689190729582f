//! What a check asks of the DNS, and what it counts (RFC 7208 §4.6.4, §5.3 to §5.5, §7).

use std::net::IpAddr;

use super::evaluate::{Check, problem};
use super::macros::{MacroString, Values, reverse_name};
use super::{LOOKUP_LIMIT, NAMES_LIMIT, Problem, ProblemKind, VOID_LIMIT};
use crate::route::{LookupKind, NameFault, QueryName, Record, Records};
use crate::sender::{Dns, Query};

impl<D: Dns> Check<'_, D> {
    /// The addresses of `name` of the family of the sender's.
    pub(super) async fn addresses(&mut self, index: usize, name: &QueryName, domain: &QueryName) -> Result<Vec<IpAddr>, Problem> {
        let records = self.ask(index, name, address_kind(self.address), domain).await?;
        Ok(addresses(&records))
    }

    /// The mail hosts of `name`, the preferred first (§5.4).
    pub(super) async fn mail_hosts(&mut self, index: usize, name: &QueryName, domain: &QueryName) -> Result<Vec<QueryName>, Problem> {
        let records = self.ask(index, name, LookupKind::Mx, domain).await?;
        if records.len() > NAMES_LIMIT {
            return Err(problem(domain, ProblemKind::TooManyHosts(records.len())));
        }
        let host = |record| if let Record::Exchange(preference, Some(host)) = record { Some((preference, host)) } else { None };
        let mut hosts: Vec<(u16, QueryName)> = records.into_iter().filter_map(host).collect();
        hosts.sort_by_key(|(preference, _)| *preference);
        Ok(hosts.into_iter().map(|(_, host)| host).collect())
    }

    /// Finds the names of the address that lead back to it, unless that was done before (§5.5).
    pub(super) async fn validate(&mut self, index: usize) -> Result<(), Problem> {
        let queries = self.find_names().await;
        let is_void = queries.first().is_some_and(|query| query.answer.is_void());
        for query in queries {
            self.note(index, query);
        }
        // Those that own the address decide which names it has: only that it has none counts for the policy.
        if is_void { self.count_void() } else { Ok(()) }
    }

    /// Finds the names of the address that lead back to it. Returns what was asked: nothing if it was before.
    pub(super) async fn find_names(&mut self) -> Vec<Query> {
        let mut queries = Vec::new();
        if self.names.is_some() {
            return queries;
        }
        let mut validated = Vec::new();
        if let Ok(reverse) = reverse_name(self.address) {
            let records = self.dns.ask(&reverse, LookupKind::Ptr).await;
            queries.push(Query::new(&reverse, LookupKind::Ptr, &records));
            let Records::Found(records) = records else {
                self.names = Some(validated);
                return queries;
            };
            let pointer = |record| if let Record::Pointer(name) = record { name } else { None };
            for name in records.into_iter().take(NAMES_LIMIT).filter_map(pointer) {
                let kind = address_kind(self.address);
                let records = self.dns.ask(&name, kind).await;
                queries.push(Query::new(&name, kind, &records));
                if matches!(records, Records::Found(records) if addresses(&records).contains(&self.address)) {
                    validated.push(name);
                }
            }
        }
        self.names = Some(validated);
        queries
    }

    /// The name that `%{p}` stands for in a policy of `domain` (§7.3).
    pub(super) fn pointer(&self, domain: &QueryName) -> String {
        let names = || self.names.iter().flatten();
        let best = names().find(|name| *name == domain).or_else(|| names().find(|name| name.is_within(domain)));
        best.or_else(|| names().next()).map_or_else(|| "unknown".to_owned(), ToString::to_string)
    }

    /// The name that a term is about, and notes it; without one of its own it is the policy's domain.
    pub(super) async fn target(
        &mut self,
        index: usize,
        target: Option<&MacroString>,
        domain: &QueryName,
    ) -> Result<Result<QueryName, NameFault>, Problem> {
        let name = match target {
            None => Ok(domain.clone()),
            Some(target) => {
                if target.needs_pointer() {
                    self.validate(index).await?;
                }
                target.name(&self.values(domain, &self.pointer(domain)))
            }
        };
        if let (Ok(name), Some(step)) = (&name, self.trace.get_mut(index)) {
            step.target = Some(name.to_string());
        }
        Ok(name)
    }

    pub(super) fn values<'v>(&'v self, domain: &'v QueryName, pointer: &'v str) -> Values<'v> {
        Values {
            local: self.local,
            sender_domain: self.sender_domain,
            domain: domain.as_str(),
            address: self.address,
            hello: &self.question.hello,
            receiver: &self.question.receiver,
            time: self.question.time,
            pointer,
        }
    }

    /// Asks for a term, and counts an answer that there is nothing.
    pub(super) async fn ask(
        &mut self,
        index: usize,
        name: &QueryName,
        kind: LookupKind,
        domain: &QueryName,
    ) -> Result<Vec<Record>, Problem> {
        let records = self.dns.ask(name, kind).await;
        self.note(index, Query::new(name, kind, &records));
        match records {
            Records::Found(records) => Ok(records),
            Records::NoData | Records::NxDomain => self.count_void().map(|()| Vec::new()),
            Records::Failed(failure) => Err(problem(domain, ProblemKind::Lookup { name: name.to_string(), kind, failure })),
        }
    }

    /// Counts a term that asks.
    pub(super) fn count(&mut self) -> Result<(), Problem> {
        self.lookups += 1;
        if self.lookups > LOOKUP_LIMIT { Err(self.exceeded(ProblemKind::TooManyLookups)) } else { Ok(()) }
    }

    fn count_void(&mut self) -> Result<(), Problem> {
        self.void += 1;
        if self.void > VOID_LIMIT { Err(self.exceeded(ProblemKind::TooManyVoid)) } else { Ok(()) }
    }

    /// A limit on all policies together: whoever owns the first has to mend it.
    fn exceeded(&self, kind: ProblemKind) -> Problem {
        Problem { domain: self.sender_domain.to_owned(), kind }
    }

    pub(super) fn note(&mut self, index: usize, query: Query) {
        if let Some(step) = self.trace.get_mut(index) {
            step.queries.push(query);
        }
    }
}

fn addresses(records: &[Record]) -> Vec<IpAddr> {
    records.iter().filter_map(|record| if let Record::Address(address) = record { Some(*address) } else { None }).collect()
}

const fn address_kind(address: IpAddr) -> LookupKind {
    if address.is_ipv4() { LookupKind::A } else { LookupKind::Aaaa }
}
