//! Destinations that are treated otherwise than the rest: whom an entry of the user's is meant for, and what it changes. Pure.
//!
//! Limits belong to the servers that keep them, so that an entry names mail hosts, and counts whichever domain leads there. Who knows
//! a provider by the domain of its mailboxes alone names that, and means the hosts that its mail goes to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use super::manners::Limits;
use super::plan::{Usage, Way};
use crate::target::{DomainName, Host, MailDomain};

/// How one destination is treated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// What it is burdened with.
    pub limits: Limits,
    /// How sessions are used there.
    pub usage: Usage,
    /// How often a mailbox is asked again that was put off.
    pub retries: u32,
    /// How long after, where the server names no time.
    pub retry_after: Duration,
}

/// What is otherwise at one destination; none is as everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Override {
    /// Recipients a second; `Some(None)` does not limit them.
    pub rate: Option<Option<f64>>,
    /// Connections at a time.
    pub connections: Option<usize>,
    /// Recipients of one transaction.
    pub transaction: Option<usize>,
    /// Recipients of one session.
    pub session: Option<usize>,
    /// How often a mailbox is asked again that was put off.
    pub retries: Option<u32>,
    /// How long after.
    pub retry_after: Option<Duration>,
}

impl Override {
    /// `terms` with what is otherwise.
    #[must_use]
    pub fn applied_to(&self, terms: Terms) -> Terms {
        let limits = Limits {
            rate: self.rate.unwrap_or(terms.limits.rate),
            connections: self.connections.unwrap_or(terms.limits.connections),
            ..terms.limits
        };
        let usage = Usage {
            transaction: self.transaction.unwrap_or(terms.usage.transaction),
            session: self.session.unwrap_or(terms.usage.session),
            ..terms.usage
        };
        Terms { limits, usage, retries: self.retries.unwrap_or(terms.retries), retry_after: self.retry_after.unwrap_or(terms.retry_after) }
    }
}

/// Whom an entry is meant for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// The mail host of this name: `mx1.example.net`.
    Name(DomainName),
    /// The mail host with this address: `192.0.2.1`.
    Address(IpAddr),
    /// The hosts that mail for this domain goes to: `@example.com`.
    MailFor(DomainName),
    /// All mail hosts below this name, at whatever depth, and not the name itself: `*.example.net`.
    Below(DomainName),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it should be a mail host such as mx.example.net, *.example.net or 192.0.2.1, or a domain of mailboxes such as @example.com")]
pub struct PatternError;

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let name = |text: &str| text.parse::<DomainName>().map_err(|_| PatternError);
        if let Some(domain) = text.strip_prefix('@') {
            return Ok(Self::MailFor(name(domain)?));
        }
        if let Some(parent) = text.strip_prefix("*.") {
            return Ok(Self::Below(name(parent)?));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        match bare.parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => Ok(Self::Name(name(text)?)),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::MailFor(domain) => write!(f, "@{domain}"),
            Self::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}

impl Pattern {
    /// Whether it is meant for the hosts of `way`, where mail for `domain` goes.
    fn fits(&self, way: &Way, domain: &MailDomain) -> bool {
        let any = |fits: &dyn Fn(&Host) -> bool| way.addresses().iter().any(|(host, _)| fits(host));
        match self {
            Self::Name(wanted) => any(&|host| matches!(host, Host::Name(name) if name == wanted)),
            Self::Address(wanted) => way.addresses().iter().any(|(_, address)| address.ip() == *wanted),
            Self::MailFor(wanted) => matches!(domain, MailDomain::Name(name) if name == wanted),
            Self::Below(parent) => any(&|host| match host {
                Host::Name(name) => name.as_str().strip_suffix(parent.as_str()).is_some_and(|rest| rest.ends_with('.')),
                _ => false,
            }),
        }
    }

    /// How narrowly it is meant: a host before a domain of mailboxes before many hosts, and of those the longer name.
    fn narrowness(&self) -> (u8, usize) {
        match self {
            Self::Name(_) | Self::Address(_) => (2, 0),
            Self::MailFor(_) => (1, 0),
            Self::Below(parent) => (0, parent.as_str().split('.').count()),
        }
    }
}

/// The user's entries, with no pattern twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides(Vec<(Pattern, Override)>);

impl Overrides {
    /// Adds one; gives back whether its pattern is new. A pattern that is there keeps its first entry.
    pub fn add(&mut self, pattern: Pattern, change: Override) -> bool {
        let is_new = !self.0.iter().any(|(known, _)| *known == pattern);
        if is_new {
            self.0.push((pattern, change));
        }
        is_new
    }

    /// All of them, in the order in which they were added.
    #[must_use]
    pub fn entries(&self) -> &[(Pattern, Override)] {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The place of the entry that is meant most narrowly for the hosts of `way`, where mail for `domain` goes, or that has been
    /// `chosen` for them; of equally narrow ones the one chosen, else the first. None if there is none.
    #[must_use]
    pub fn choose(&self, way: &Way, domain: &MailDomain, chosen: Option<usize>) -> Option<usize> {
        let narrowness = |place: usize| self.0.get(place).map(|(pattern, _)| pattern.narrowness());
        let fitting = self.0.iter().enumerate().filter(|(_, (pattern, _))| pattern.fits(way, domain)).map(|(place, _)| place);
        chosen.into_iter().chain(fitting).reduce(|best, next| if narrowness(next) > narrowness(best) { next } else { best })
    }

    /// `terms`, as the entry at `place` has them; as they are without one.
    #[must_use]
    pub fn terms(&self, place: Option<usize>, terms: Terms) -> Terms {
        place.and_then(|place| self.0.get(place)).map_or(terms, |(_, change)| change.applied_to(terms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Doubt, MailHost, Origin, Route, Security};
    use crate::target::Port;

    fn way(hosts: &[(&str, &str)]) -> Way {
        let host = |(name, address): &(&str, &str)| MailHost {
            addresses: vec![address.parse().expect("an address")],
            ..MailHost::new(Host::Name(name.parse().expect("a name")))
        };
        let security = Security::Unknown(Doubt::AtHand);
        let route = Route { origin: Origin::Mx, domain: None, hosts: hosts.iter().map(host).collect(), security, lookups: Vec::new() };
        Way::along(&route, &[], Port::SMTP).expect("a way")
    }

    fn domain(name: &str) -> MailDomain {
        MailDomain::Name(name.parse().expect("a name"))
    }

    fn overrides(patterns: &[&str]) -> Overrides {
        let mut all = Overrides::default();
        for pattern in patterns {
            assert!(all.add(pattern.parse().expect(pattern), Override::default()), "{pattern}");
        }
        all
    }

    #[test]
    fn the_narrowest_entry_that_fits_is_chosen() {
        let google = way(&[("aspmx.l.google.com", "192.0.2.1"), ("alt1.aspmx.l.google.com", "192.0.2.2")]);
        for (patterns, of, expected) in [
            (&["*.google.com"][..], "customer.test", Some(0)),
            (&["*.com", "*.google.com", "*.l.google.com"], "customer.test", Some(2)),
            (&["*.l.google.com", "@customer.test"], "customer.test", Some(1)),
            (&["*.l.google.com", "@customer.test"], "other.test", Some(0)),
            (&["@customer.test", "aspmx.l.google.com"], "customer.test", Some(1)),
            (&["ALT1.aspmx.l.google.com."], "customer.test", Some(0)),
            (&["alt1.aspmx.l.google.com", "aspmx.l.google.com"], "customer.test", Some(0)),
            (&["192.0.2.2", "*.google.com"], "customer.test", Some(0)),
            (&["[192.0.2.9]"], "customer.test", None),
            (&["google.com"], "customer.test", None),
            (&["*.aspmx.l.google.com", "*.oogle.com"], "customer.test", Some(0)),
            (&["*.oogle.com", "*.mail.google.com", "@l.google.com"], "customer.test", None),
            (&["customer.test"], "customer.test", None),
        ] {
            assert_eq!(overrides(patterns).choose(&google, &domain(of), None), expected, "{patterns:?} {of}");
        }
    }

    #[test]
    fn another_domain_may_bring_a_narrower_one_and_takes_none_away() {
        let hosts = way(&[("mx.big.test", "192.0.2.1")]);
        let all = overrides(&["*.big.test", "@a.test", "@b.test", "mx.big.test"]);
        for (of, chosen, expected) in [("a.test", Some(0), 3), ("a.test", Some(3), 3)] {
            assert_eq!(all.choose(&hosts, &domain(of), chosen), Some(expected));
        }
        let all = overrides(&["*.big.test", "@a.test", "@b.test"]);
        for (of, chosen, expected) in
            [("c.test", None, 0), ("a.test", Some(0), 1), ("b.test", Some(1), 1), ("c.test", Some(1), 1), ("b.test", Some(0), 2)]
        {
            assert_eq!(all.choose(&hosts, &domain(of), chosen), Some(expected), "{of} {chosen:?}");
        }
    }

    #[test]
    fn an_entry_changes_what_it_names_alone() {
        let terms = Terms { limits: Limits::default(), usage: Usage::default(), retries: 3, retry_after: Duration::from_secs(300) };
        assert_eq!(Override::default().applied_to(terms), terms);
        let change = Override { rate: Some(None), connections: Some(5), session: Some(20), retries: Some(0), ..Override::default() };
        let mut all = Overrides::default();
        assert!(all.add("*.big.test".parse().expect("a pattern"), change));
        assert!(!all.add("*.BIG.test".parse().expect("a pattern"), Override::default()), "once is enough");
        let changed = all.terms(Some(0), terms);
        assert_eq!((changed.limits.rate, changed.limits.connections, changed.limits.pause), (None, 5, terms.limits.pause));
        assert_eq!((changed.usage.session, changed.usage.transaction, changed.usage.errors), (20, 100, terms.usage.errors));
        assert_eq!((changed.retries, changed.retry_after), (0, terms.retry_after));
        assert_eq!((all.terms(None, terms), all.terms(Some(7), terms)), (terms, terms));
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for text in ["", "*", "*.", "@", "a b", "mx.*.test", "a@b.test", "*.*.test", "-x.test", "[mx.test]"] {
            assert_eq!(text.parse::<Pattern>(), Err(PatternError), "{text}");
        }
        for text in ["mx.example.net", "192.0.2.1", "2001:db8::1", "@example.com", "*.example.net"] {
            assert_eq!(text.parse::<Pattern>().expect(text).to_string(), text);
        }
    }
}
