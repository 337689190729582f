//! How many recipients go where: which domains share a destination, how many are asked in a transaction, and how long a session
//! is used (RFC 5321 §4.5.3.1.8, RFC 9422). Pure: it is told the time.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::route::Route;
use crate::smtp::{Capabilities, Elapsed, ErrorLimit};
use crate::target::{Host, Port};

/// A pace that makes a session wait longer than this between transactions is kept by leaving it.
pub const LONGEST_REST: Duration = Duration::from_secs(20);
/// Recipients that are worth waiting for when the pace allows only a few at once.
pub const WORTHWHILE: usize = 25;
/// A session without work stays this long for what the list may still bring, [so many times](LINGERS).
pub const LINGER: Duration = Duration::from_millis(100);
/// See [`LINGER`].
pub const LINGERS: u32 = 10;

/// How sessions are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Recipients of one transaction; every server has to take 100 (RFC 5321 §4.5.3.1.8).
    pub transaction: usize,
    /// Recipients of one session.
    pub session: usize,
    /// How long a session is used; the transaction that has begun by then is held to its end.
    pub time: Duration,
    /// Refusals of one session. By default fewer than the ten from which on Postfix slows down; never as many as the twenty at which
    /// it hangs up.
    pub errors: ErrorLimit,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            transaction: 100,
            session: 1000,
            time: Duration::from_secs(300),
            errors: ErrorLimit { enough: 9, most: 19, percent: 50, drawn: None },
        }
    }
}

/// How much of a session has been used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// When it began.
    pub began: Elapsed,
    /// Recipients that were asked in it.
    pub recipients: usize,
    /// Transactions that were begun in it.
    pub transactions: usize,
}

/// What a destination has been found to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Recipients of a transaction, where a reply said that there were too many; none if none has.
    learnt: Option<usize>,
}

impl Capacity {
    /// A server took `taken` recipients of a transaction and then said that there were too many (RFC 5321 §4.5.3.1.10).
    pub fn too_many(&mut self, taken: usize) {
        self.learnt = Some(self.learnt.map_or(taken, |known| known.min(taken)).max(1));
    }

    /// How many of the recipients that are `waiting` go into the next transaction of a session; zero if it is to be left.
    #[must_use]
    pub fn next(&self, usage: &Usage, offered: &Capabilities, used: Used, now: Elapsed, waiting: usize) -> usize {
        let worn = now.since(used.began) >= usage.time || limit(offered, "MAILMAX").is_some_and(|limit| used.transactions >= limit);
        if worn {
            return 0;
        }
        let at_once = [self.learnt, limit(offered, "RCPTMAX")].into_iter().flatten().fold(usage.transaction, usize::min).max(1);
        waiting.min(at_once).min(usage.session.saturating_sub(used.recipients))
    }
}

/// What the server says of its own limits (RFC 9422 §3); none if it says nothing of `name`, or nothing that can be.
fn limit(offered: &Capabilities, name: &str) -> Option<usize> {
    let named = |parameter: &String| {
        let (key, value) = parameter.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.parse::<usize>().ok()).flatten()
    };
    offered.parameters("LIMITS")?.iter().find_map(named).filter(|limit| *limit > 0)
}

/// The hosts that mail goes to, in the order in which a mail server would try their addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way(Vec<(Host, SocketAddr)>);

impl Way {
    /// The way along `route`; none if it leads to no address. `given` are the ports that stand beside the route's hosts, where the
    /// settings name those; else it is `port`.
    #[must_use]
    pub fn along(route: &Route, given: &[(Host, Option<Port>)], port: Port) -> Option<Self> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for (place, host) in route.hosts.iter().enumerate() {
            let port = given.get(place).and_then(|(_, port)| *port).unwrap_or(port);
            for address in &host.addresses {
                let address = SocketAddr::new(*address, port.number());
                if seen.insert(address) {
                    all.push((host.name.clone(), address));
                }
            }
        }
        (!all.is_empty()).then_some(Self(all))
    }

    /// The way to these addresses, in this order; none if there are none.
    #[cfg(feature = "queue")]
    pub(super) fn to(addresses: Vec<(Host, SocketAddr)>) -> Option<Self> {
        (!addresses.is_empty()).then_some(Self(addresses))
    }

    /// The addresses with their hosts, at least one.
    #[must_use]
    pub fn addresses(&self) -> &[(Host, SocketAddr)] {
        &self.0
    }

    /// The first host's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.first().map(|(host, _)| host.to_string()).unwrap_or_default()
    }

    /// What makes two ways one destination: either of these being the same. A provider's hosts change their addresses from lookup
    /// to lookup, and its customers give them names of their own.
    #[must_use]
    pub fn keys(&self) -> [DestinationKey; 2] {
        let hosts = self.0.iter().map(|(host, address)| (host.to_string().to_ascii_lowercase(), address.port())).collect();
        let addresses = self.0.iter().map(|(_, address)| *address).collect();
        [DestinationKey::Hosts(hosts), DestinationKey::Addresses(addresses)]
    }
}

/// What a destination is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DestinationKey {
    /// The set of its hosts, with their port.
    Hosts(BTreeSet<(String, u16)>),
    /// The set of its addresses.
    Addresses(BTreeSet<SocketAddr>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Doubt, MailHost, Origin, Security};
    use crate::smtp::Reply;

    fn offers(words: &str) -> Capabilities {
        Capabilities::from_reply(&Reply::parse(&format!("250-hi\r\n250-PIPELINING\r\n250 {words}\r\n")).expect(words))
    }

    #[test]
    fn transactions_are_as_large_as_all_sides_allow() {
        let usage = Usage::default();
        let used = |recipients, transactions| Used { began: Elapsed(Duration::from_secs(10)), recipients, transactions };
        let plain = "8BITMIME";
        for (offered, learnt, used, seconds, waiting, expected) in [
            (plain, None, used(0, 0), 10, 5000, 100),
            (plain, None, used(0, 0), 10, 7, 7),
            (plain, None, used(0, 0), 10, 0, 0),
            (plain, Some(30), used(0, 0), 10, 5000, 30),
            (plain, Some(0), used(0, 0), 10, 5000, 1),
            (plain, None, used(950, 10), 10, 5000, 50),
            (plain, None, used(1000, 10), 10, 5000, 0),
            (plain, None, used(0, 0), 309, 5000, 100),
            (plain, None, used(0, 0), 310, 5000, 0),
            ("LIMITS RCPTMAX=20", None, used(0, 0), 10, 5000, 20),
            ("LIMITS rcptmax=20", Some(8), used(0, 0), 10, 5000, 8),
            ("LIMITS RCPTMAX=500", None, used(0, 0), 10, 5000, 100),
            ("LIMITS RCPTMAX=0", None, used(0, 0), 10, 5000, 100),
            ("LIMITS RCPTMAX=-3 RCPTMAX", None, used(0, 0), 10, 5000, 100),
            ("LIMITS RCPTDOMAINMAX=1 MAILMAX=5", None, used(40, 4), 10, 5000, 100),
            ("LIMITS MAILMAX=5 RCPTMAX=10", None, used(50, 5), 10, 5000, 0),
        ] {
            let mut capacity = Capacity::default();
            if let Some(taken) = learnt {
                capacity.too_many(taken);
            }
            let now = Elapsed(Duration::from_secs(seconds));
            assert_eq!(capacity.next(&usage, &offers(offered), used, now, waiting), expected, "{offered} {learnt:?} {used:?} {seconds}");
        }
    }

    #[test]
    fn what_was_learnt_only_shrinks() {
        let mut capacity = Capacity::default();
        for (taken, expected) in [(40, 40), (60, 40), (10, 10), (0, 1)] {
            capacity.too_many(taken);
            let now = Elapsed::default();
            assert_eq!(capacity.next(&Usage::default(), &Capabilities::default(), Used::default(), now, 5000), expected);
        }
    }

    fn route(hosts: &[(&str, &[&str])]) -> Route {
        let host = |(name, addresses): &(&str, &[&str])| MailHost {
            addresses: addresses.iter().map(|address| address.parse().expect("an address")).collect(),
            ..MailHost::new(Host::Name(name.parse().expect("a name")))
        };
        let security = Security::Unknown(Doubt::AtHand);
        Route { origin: Origin::Mx, domain: None, hosts: hosts.iter().map(host).collect(), security, lookups: Vec::new() }
    }

    #[test]
    fn domains_behind_the_same_hosts_or_addresses_share_a_destination() {
        let way = |hosts: &[(&str, &[&str])]| Way::along(&route(hosts), &[], Port::SMTP).expect("a way");
        let big = way(&[("mx1.big.test", &["192.0.2.1", "2001:db8::1"]), ("mx2.big.test", &["192.0.2.2"])]);
        assert_eq!((big.name().as_str(), big.addresses().len()), ("mx1.big.test", 3));
        let same = |other: &Way| big.keys().iter().any(|key| other.keys().contains(key));
        assert!(same(&way(&[("MX2.big.test", &["192.0.2.2"]), ("mx1.big.test", &["192.0.2.1", "2001:db8::1"])])), "in another order");
        assert!(same(&way(&[("mx1.big.test", &["192.0.2.77"]), ("mx2.big.test", &["192.0.2.2"])])), "with another address");
        assert!(same(&way(&[("mx.own.test", &["192.0.2.2", "192.0.2.1", "2001:db8::1"])])), "by another name");
        assert!(!same(&way(&[("mx1.big.test", &["192.0.2.1"])])), "a part of it");
        assert!(!same(&way(&[("mx.other.test", &["192.0.2.9"])])));
        assert_eq!(Way::along(&route(&[("mx.empty.test", &[])]), &[], Port::SMTP), None);
        let host: Host = Host::Name("mx1.big.test".parse().expect("a name"));
        let given = Way::along(&route(&[("mx1.big.test", &["192.0.2.1"])]), &[(host, "2525".parse().ok())], Port::SMTP).expect("a way");
        assert_eq!(given.addresses().iter().map(|(_, address)| address.port()).collect::<Vec<_>>(), [2525]);
        assert_ne!(given.keys(), way(&[("mx1.big.test", &["192.0.2.1"])]).keys());
    }
}
