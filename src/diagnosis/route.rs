//! Findings about the route: what DNS says about where the mail goes.

use super::{Case, Evidence, Rule, Severity};
use crate::probe::LeftOutWhy;
use crate::route::{HostFault, LookupFailure, LookupKind, LookupResult, MailHost, Origin};
use crate::target::is_nonpublic;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "domain_unknown",
        severity: Severity::Failure,
        reference: "RFC 2308 section 2.1",
        check: |case| origin(case, |o| o == Origin::Failed(LookupFailure::NxDomain)),
    },
    Rule {
        id: "null_mx",
        severity: Severity::Failure,
        reference: "RFC 7505 section 3",
        check: |case| origin(case, |o| o == Origin::NullMx),
    },
    Rule {
        id: "no_mail_host",
        severity: Severity::Failure,
        reference: "RFC 5321 section 5.1",
        check: |case| origin(case, |o| o == Origin::Failed(LookupFailure::NoMailHost)),
    },
    Rule { id: "lookup_failed", severity: Severity::Failure, reference: "RFC 5321 section 5.1", check: lookup_failed },
    Rule { id: "resolver_trouble", severity: Severity::Warning, reference: "RFC 1035 section 7", check: resolver_trouble },
    Rule {
        id: "implicit_mx",
        severity: Severity::Note,
        reference: "RFC 5321 section 5.1",
        check: |case| origin(case, |o| o == Origin::ImplicitMx),
    },
    Rule { id: "null_mx_beside_others", severity: Severity::Warning, reference: "RFC 7505 section 3", check: null_mx_beside_others },
    Rule { id: "mx_alias", severity: Severity::Warning, reference: "RFC 2181 section 10.3", check: mx_alias },
    Rule {
        id: "mx_literal",
        severity: Severity::Failure,
        reference: "RFC 5321 section 5.1",
        check: |case| faulty(case, |f| f == HostFault::LiteralAsName),
    },
    Rule {
        id: "host_unknown",
        severity: Severity::Failure,
        reference: "RFC 5321 section 5.1",
        check: |case| faulty(case, |f| f == HostFault::NxDomain),
    },
    Rule {
        id: "host_without_address",
        severity: Severity::Failure,
        reference: "RFC 5321 section 5.1",
        check: |case| faulty(case, |f| matches!(f, HostFault::NoAddress | HostFault::FamilyExcluded)),
    },
    Rule {
        id: "host_lookup_failed",
        severity: Severity::Failure,
        reference: "RFC 5321 section 5.1",
        check: |case| faulty(case, |f| matches!(f, HostFault::Lookup(_))),
    },
    Rule { id: "mx_nonpublic", severity: Severity::Warning, reference: "RFC 6890 section 2.2", check: mx_nonpublic },
    Rule { id: "left_out", severity: Severity::Note, reference: "RFC 5321 section 5.1", check: left_out },
];

/// A lookup's question, answer and server in one line, as `dig` users would put it.
#[must_use]
pub(crate) fn lookup_line(case: &Case<'_>, index: usize) -> String {
    let Some(lookup) = case.facts.route.lookups.get(index) else { return String::new() };
    let answer = match &lookup.result {
        LookupResult::Found(records) => records.join(", "),
        LookupResult::NoData => "no such record".to_owned(),
        LookupResult::NxDomain => "NXDOMAIN".to_owned(),
        LookupResult::Failed(failure) => failure_words(*failure),
    };
    let server = lookup.server.map(|server| format!(" from {server}")).unwrap_or_default();
    format!("{} {}: {answer}{server}", lookup.name, lookup.kind.as_str())
}

/// A failed lookup in a few words.
pub(super) fn failure_words(failure: LookupFailure) -> String {
    match failure {
        LookupFailure::ServFail => "SERVFAIL".to_owned(),
        LookupFailure::Refused => "REFUSED".to_owned(),
        LookupFailure::OtherCode(code) => format!("response code {code}"),
        LookupFailure::TimedOut => "no answer".to_owned(),
        LookupFailure::ResolverUnreachable(Some(errno)) => format!("resolver unreachable (errno {errno})"),
        LookupFailure::ResolverUnreachable(None) => "resolver unreachable".to_owned(),
        LookupFailure::NoResolver => "no resolver is configured".to_owned(),
        LookupFailure::Malformed => "an answer that cannot be read".to_owned(),
        LookupFailure::AliasLoop => "aliases in a circle".to_owned(),
        LookupFailure::NxDomain => "NXDOMAIN".to_owned(),
        LookupFailure::NoMailHost => "neither MX nor address".to_owned(),
    }
}

/// The lookup that proves what the route's origin is: the last MX lookup.
pub(super) fn deciding_lookup(case: &Case<'_>) -> Option<usize> {
    case.facts.route.lookups.iter().rposition(|lookup| lookup.kind == LookupKind::Mx)
}

fn origin(case: &Case<'_>, applies: impl Fn(Origin) -> bool) -> Vec<Evidence> {
    let Some(lookup) = deciding_lookup(case).filter(|_| applies(case.facts.route.origin)) else { return Vec::new() };
    vec![Evidence::lookup(case.facts, Some(lookup), lookup_line(case, lookup))]
}

/// The search for the hosts came to nothing, for another reason than that there are none.
fn lookup_failed(case: &Case<'_>) -> Vec<Evidence> {
    match case.facts.route.origin {
        Origin::Failed(LookupFailure::NxDomain | LookupFailure::NoMailHost) => Vec::new(),
        Origin::Failed(failure) => match deciding_lookup(case) {
            Some(lookup) => vec![Evidence::lookup(case.facts, Some(lookup), lookup_line(case, lookup))],
            None => vec![Evidence::lookup(case.facts, None, failure_words(failure)).with("name", case.facts.target.to_string())],
        },
        _ => Vec::new(),
    }
}

/// A server gave no usable answer, and another one did.
fn resolver_trouble(case: &Case<'_>) -> Vec<Evidence> {
    let lookups = &case.facts.route.lookups;
    let failed = lookups.iter().enumerate().filter(|(_, lookup)| matches!(lookup.result, LookupResult::Failed(_)));
    let mended = failed.filter(|(_, lookup)| {
        lookups
            .iter()
            .any(|other| (other.kind, &other.name) == (lookup.kind, &lookup.name) && !matches!(other.result, LookupResult::Failed(_)))
    });
    mended
        .filter_map(|(index, lookup)| {
            let server = lookup.server?.to_string();
            Some(Evidence::lookup(case.facts, Some(index), lookup_line(case, index)).with("server", server))
        })
        .collect()
}

fn null_mx_beside_others(case: &Case<'_>) -> Vec<Evidence> {
    let lookups = case.facts.route.lookups.iter().enumerate();
    lookups
        .filter(|(_, lookup)| match &lookup.result {
            LookupResult::Found(records) => {
                lookup.kind == LookupKind::Mx && records.len() > 1 && records.iter().any(|record| record.ends_with(" ."))
            }
            _ => false,
        })
        .map(|(index, _)| Evidence::lookup(case.facts, Some(index), lookup_line(case, index)))
        .collect()
}

fn mx_alias(case: &Case<'_>) -> Vec<Evidence> {
    let hosts = case.facts.route.hosts.iter().filter(|host| host.preference.is_some() && !host.aliases.is_empty());
    hosts
        .map(|host| {
            let chain: Vec<String> = host.aliases.iter().map(ToString::to_string).collect();
            of_host(case, host, format!("{} is an alias of {}", host.name, chain.join(", then of ")))
        })
        .collect()
}

/// Evidence about a host, with the lookup of its address where there was one.
fn of_host(case: &Case<'_>, host: &MailHost, quote: String) -> Evidence {
    let name = host.name.to_string();
    let lookup = case.facts.route.lookups.iter().rposition(|lookup| lookup.name == name && lookup.kind != LookupKind::Mx);
    Evidence::lookup(case.facts, lookup, quote).with("host", name)
}

/// Hosts without an address, with the reason in words.
pub(super) fn faulty(case: &Case<'_>, applies: impl Fn(HostFault) -> bool) -> Vec<Evidence> {
    let faults = case.facts.route.hosts.iter().filter_map(|host| host.fault.map(|fault| (host, fault)));
    faults
        .filter(|(_, fault)| applies(*fault))
        .map(|(host, fault)| {
            let words = match fault {
                HostFault::NxDomain => "NXDOMAIN".to_owned(),
                HostFault::NoAddress => no_address(case, host),
                HostFault::FamilyExcluded => "no address of the family that -4, -6 or --bind leave".to_owned(),
                HostFault::Lookup(failure) => failure_words(failure),
                HostFault::LiteralAsName => "an address where a name has to stand".to_owned(),
                HostFault::LeftOut => "not looked up".to_owned(),
            };
            of_host(case, host, format!("{}: {words}", host.name))
        })
        .collect()
}

/// Which kinds of address were looked up in vain.
fn no_address(case: &Case<'_>, host: &MailHost) -> String {
    let name = host.aliases.last().map_or_else(|| host.name.to_string(), ToString::to_string);
    let asked = |kind| case.facts.route.lookups.iter().any(|lookup| lookup.kind == kind && lookup.name == name);
    match (asked(LookupKind::A), asked(LookupKind::Aaaa)) {
        (true, false) => "no A".to_owned(),
        (false, true) => "no AAAA".to_owned(),
        _ => "neither A nor AAAA".to_owned(),
    }
}

/// An MX that leads to an address which means something else, or nothing, elsewhere.
fn mx_nonpublic(case: &Case<'_>) -> Vec<Evidence> {
    let mut all = Vec::new();
    for host in case.facts.route.hosts.iter().filter(|host| host.preference.is_some()) {
        for address in host.addresses.iter().filter(|address| is_nonpublic(**address)) {
            all.push(of_host(case, host, format!("{} {address}", host.name)).with("address", address.to_string()));
        }
    }
    all
}

/// Addresses that were not asked because there were enough; those that another answer made needless are no matter.
fn left_out(case: &Case<'_>) -> Vec<Evidence> {
    let needless = |why| matches!(why, LeftOutWhy::Answered | LeftOutWhy::SameAddress);
    let left = case.facts.left_out.iter().filter(|left| !needless(left.why));
    let addresses = left.map(|left| {
        let name = case.facts.route.hosts.get(left.host).map(|host| host.name.to_string()).unwrap_or_default();
        Evidence { quote: format!("{name} {}", left.address), ..Evidence::default() }
            .with("host", name)
            .with("address", left.address.to_string())
    });
    let hosts = case.facts.route.hosts.iter().filter(|host| host.fault == Some(HostFault::LeftOut));
    let hosts = hosts.map(|host| of_host(case, host, host.name.to_string()).with("address", host.name.to_string()));
    addresses.chain(hosts).collect()
}
