//! What to connect to, and when: plain computation over the route's steps and the time.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::beside::usual;
use super::{LeftOut, LeftOutWhy, Role, until};
use crate::route::{Lookup, MailHost, Route, Step};
use crate::settings::{Question, Settings, Walk};
use crate::smtp::{Elapsed, Protocol, Stage, TlsUse};
use crate::target::{Host, Port, Scheme, Target};

/// Connections of one probe, at most.
const CONNECTIONS_LIMIT: usize = 16;
/// The same where ports are asked for: they are told apart by connecting, and little is said to each.
const CONNECTIONS_LIMIT_OF_PORTS: usize = 96;
/// Addresses of one family and host, at most; where ports are asked for, all of them.
const FAMILY_LIMIT: usize = 2;
/// Walking as an MTA: an address (or a lookup) that stays silent for this long no longer holds up the next (RFC 8305 §5).
const PATIENCE: Duration = Duration::from_millis(250);
/// The same once one is silent already: the other address of a dead host is most likely dead, too.
const PATIENCE_LEFT: Duration = Duration::from_millis(50);

/// One conversation to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// What for.
    pub(super) role: Role,
    /// The host's place in the route; none for a control host.
    pub(super) host: Option<usize>,
    /// The host.
    pub(super) name: Host,
    /// Where to connect.
    pub(super) address: SocketAddr,
    /// The port of the address.
    pub(super) port: Port,
    /// How TLS is used there.
    pub(super) tls: TlsUse,
    /// The last stage to ask for.
    pub(super) until: Stage,
    /// How long connecting may take.
    pub(super) connect_timeout: Duration,
}

/// How an attempt ended, as a mail server would see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a yes or no to the question itself: nobody else is asked.
    Definite,
    /// Without one: the next is asked.
    Open,
    /// Another was faster to connect.
    Overtaken,
}

#[derive(Debug, Default)]
struct HostPlan {
    /// Addresses that nothing was decided about yet.
    untried: Vec<IpAddr>,
    /// Addresses that are or were connected to.
    tried: Vec<IpAddr>,
    /// Whether all its lookups are in.
    done: bool,
}

/// What to connect to, and when.
#[derive(Debug)]
pub(super) struct Plan {
    target: Target,
    question: Question,
    walk: Walk,
    /// The last stage to ask for; none is as far as it takes to tell what a port is.
    until: Option<Stage>,
    connect_timeout: Duration,
    ports: Vec<Port>,
    /// Those of them that have to be open, where a server has no port of its own: the ones that the user named, else 25.
    common: Vec<Port>,
    server_ports: Vec<Option<Port>>,
    /// What the user wants, on every port.
    tls: Option<TlsUse>,
    /// The target's own port, where its scheme says that TLS comes first there.
    implicit: Option<Port>,
    mail_hosts: Vec<MailHost>,
    hosts: Vec<HostPlan>,
    /// The hosts in the order in which they are asked.
    order: Vec<usize>,
    routed: bool,
    /// Attempts that wait for nothing but their turn.
    ready: Vec<Attempt>,
    /// Addresses on ports that need not be open, while there may not be enough connections for those that have to; none once all
    /// addresses are known.
    later: Option<Vec<(usize, SocketAddr, Port)>>,
    /// Attempts that another was faster than.
    overtaken: Vec<Attempt>,
    seen: BTreeSet<SocketAddr>,
    started: usize,
    /// Attempts that have not ended.
    open: usize,
    /// Since when the next step is held up by something silent.
    waiting_since: Option<Elapsed>,
    left_out: Vec<LeftOut>,
    over: bool,
}

impl Plan {
    pub(super) fn new(target: &Target, settings: &Settings) -> Self {
        let (own_port, scheme) = match target {
            Target::Host { port, scheme, .. } => (*port, *scheme),
            _ => (None, None),
        };
        let named: Vec<Port> = if settings.ports.is_empty() { own_port.into_iter().collect() } else { settings.ports.clone() };
        let usual = match settings.protocol {
            Protocol::Lmtp => Port::LMTP,
            Protocol::Smtp if settings.login.is_some() => Port::SUBMISSION,
            Protocol::Smtp => Port::SMTP,
        };
        let ports = match settings.question {
            Question::Ports if named.is_empty() => vec![Port::SMTP, Port::SUBMISSIONS, Port::SUBMISSION],
            _ => named.clone(),
        };
        Self {
            target: target.clone(),
            question: settings.question,
            walk: settings.walked(),
            until: (settings.question == Question::Mail || settings.until.is_some()).then(|| until(target, settings)),
            connect_timeout: settings.connect_timeout,
            common: if named.is_empty() { vec![usual] } else { named.clone() },
            ports: if ports.is_empty() { vec![usual] } else { ports },
            server_ports: settings.servers.iter().map(|(_, port)| *port).collect(),
            tls: settings.tls,
            implicit: own_port.filter(|_| scheme == Some(Scheme::Submissions)),
            mail_hosts: Vec::new(),
            hosts: Vec::new(),
            order: Vec::new(),
            routed: false,
            ready: Vec::new(),
            later: Some(Vec::new()),
            overtaken: Vec::new(),
            seen: BTreeSet::new(),
            started: 0,
            open: 0,
            waiting_since: None,
            left_out: Vec::new(),
            over: false,
        }
    }

    /// Takes in what the route has found.
    pub(super) fn take(&mut self, step: Step, now: Elapsed) {
        match step {
            Step::Hosts(hosts) => {
                self.hosts = hosts.iter().map(|_| HostPlan::default()).collect();
                self.order = (0..hosts.len()).collect();
                // Hosts that the user gives stand in the user's order.
                if self.walk == Walk::First && hosts.iter().all(|host| host.preference.is_some()) {
                    // Hosts of equal preference share the load (RFC 5321 §5.1): shuffled, then sorted by preference.
                    fastrand::shuffle(&mut self.order);
                    self.order.sort_by_key(|host| hosts[*host].preference);
                }
                self.mail_hosts = hosts;
                self.routed = true;
                self.waiting_since = Some(now);
            }
            Step::Address { host, address } => {
                if let Some(plan) = self.hosts.get_mut(host) {
                    plan.untried.push(address);
                    self.mail_hosts[host].addresses.push(address);
                }
                if self.walk == Walk::All {
                    self.spread(host, address);
                }
            }
            Step::Done { host, .. } => {
                if let Some(plan) = self.hosts.get_mut(host) {
                    plan.done = true;
                }
            }
        }
    }

    /// No further address will be found: what is left of the connections is for ports that need not be open.
    pub(super) fn all_found(&mut self) {
        for (host, socket, port) in self.later.take().unwrap_or_default() {
            self.prepare(host, socket, port);
        }
    }

    /// The hosts, once, when they have become known.
    pub(super) fn just_routed(&mut self) -> Option<&[MailHost]> {
        std::mem::take(&mut self.routed).then_some(self.mail_hosts.as_slice())
    }

    /// The next conversation to begin now; none if none is due. `speaking` says whether one is under way on a connection that stands.
    pub(super) fn next(&mut self, now: Elapsed, speaking: bool) -> Option<Attempt> {
        if self.over {
            return None;
        }
        if self.walk == Walk::First && self.ready.is_empty() {
            if speaking || (self.open > 0 && self.is_patient(now)) {
                return None;
            }
            if !self.overtaken.is_empty() {
                self.ready.push(self.overtaken.remove(0));
            }
            // An address that is left out makes nothing ready, and the next one has its turn.
            while self.ready.is_empty() {
                let (host, address) = self.candidate(now)?;
                self.spread(host, address);
            }
        }
        if self.ready.is_empty() {
            return None;
        }
        self.waiting_since = Some(now);
        self.open += 1;
        Some(self.ready.remove(0))
    }

    /// How long nothing is to be done, if time alone will change that.
    pub(super) fn wake(&self, now: Elapsed) -> Option<Duration> {
        let waiting = self.walk == Walk::First && !self.over && self.is_patient(now);
        let left = self.patience().saturating_sub(now.since(self.waiting_since?));
        waiting.then_some(left.max(Duration::from_millis(1)))
    }

    /// An attempt has ended. Returns whether that settles it, so that nothing that still tries to connect is worth waiting for.
    pub(super) fn finished(&mut self, attempt: &Attempt, ending: Ending) -> bool {
        self.open = self.open.saturating_sub(1);
        if self.walk == Walk::All {
            return false;
        }
        match ending {
            Ending::Definite => self.over = true,
            // Its turn comes if the one that was faster does not settle it.
            Ending::Overtaken if !self.over => self.overtaken.push(attempt.clone()),
            Ending::Overtaken => {}
            // What failed is not waited for.
            Ending::Open => self.waiting_since = None,
        }
        self.over
    }

    /// Whether nothing is left to be tried, as far as the route has been found.
    pub(super) fn is_done(&self) -> bool {
        let waiting = self.ready.len() + self.overtaken.len();
        self.over || (waiting == 0 && (self.walk == Walk::All || self.hosts.iter().all(|host| host.untried.is_empty())))
    }

    /// Whether a mail server would ask no further, whatever the route may still bring.
    pub(super) fn is_settled(&self) -> bool {
        self.walk == Walk::First && self.over
    }

    /// The ports that have to be open: those that the user named, else 25. A server that was given with a port is asked only there.
    pub(super) fn needed(&self) -> Vec<Port> {
        let portless = self.server_ports.is_empty() || self.server_ports.contains(&None);
        let mut needed = if portless { self.common.clone() } else { Vec::new() };
        for port in self.server_ports.iter().flatten() {
            if !needed.contains(port) {
                needed.push(*port);
            }
        }
        needed
    }

    /// Begins nothing more.
    pub(super) fn give_up(&mut self) {
        self.over = true;
    }

    /// What is known of a route that was not resolved to its end.
    pub(super) fn route_so_far(&self, lookups: Vec<Lookup>) -> Route {
        Route::unfinished(&self.target, !self.server_ports.is_empty(), self.mail_hosts.clone(), lookups)
    }

    /// What was not connected to.
    pub(super) fn left_out(&self, route: &Route) -> Vec<LeftOut> {
        let mut all = self.left_out.clone();
        for (host, plan) in self.hosts.iter().enumerate().filter(|_| self.walk == Walk::First) {
            for address in &plan.untried {
                all.extend(self.ports_of(host).map(|port| LeftOut {
                    host,
                    address: SocketAddr::new(*address, port.number()),
                    why: LeftOutWhy::Answered,
                }));
            }
        }
        all.sort_by_key(|left| rank(route, Some(left.host), left.address));
        all
    }

    fn is_patient(&self, now: Elapsed) -> bool {
        self.waiting_since.is_some_and(|since| now.since(since) < self.patience())
    }

    const fn patience(&self) -> Duration {
        if self.open > 1 { PATIENCE_LEFT } else { PATIENCE }
    }

    /// The next address as a mail server would choose it: hosts by preference, a host's families in turn, IPv6 first.
    fn candidate(&mut self, now: Elapsed) -> Option<(usize, IpAddr)> {
        let patient = self.is_patient(now);
        for &host in &self.order {
            let plan = &mut self.hosts[host];
            let wants_v6 = plan.tried.last().is_none_or(IpAddr::is_ipv4);
            let place = plan.untried.iter().position(|a| a.is_ipv6() == wants_v6).or((!plan.untried.is_empty()).then_some(0));
            if let Some(place) = place {
                let address = plan.untried.remove(place);
                return Some((host, address));
            }
            // A host whose lookups are slow keeps its turn for a moment.
            if !plan.done && patient {
                return None;
            }
        }
        None
    }

    /// Makes an address ready on each port, or notes why not.
    fn spread(&mut self, host: usize, address: IpAddr) {
        let Some(plan) = self.hosts.get_mut(host) else { return };
        plan.untried.retain(|other| *other != address);
        let family_limit = if self.question == Question::Ports { usize::MAX } else { FAMILY_LIMIT };
        let same_family = plan.tried.iter().filter(|other| other.is_ipv4() == address.is_ipv4()).count();
        if same_family < family_limit {
            plan.tried.push(address);
        }
        let needed = self.needed();
        for port in self.ports_of(host).collect::<Vec<_>>() {
            let socket = SocketAddr::new(address, port.number());
            if same_family >= family_limit {
                self.left_out.push(LeftOut { host, address: socket, why: LeftOutWhy::EnoughOfTheHost });
                continue;
            }
            let at_once = needed.contains(&port) || self.started < self.connections_limit() / 2;
            match &mut self.later {
                Some(later) if !at_once => later.push((host, socket, port)),
                _ => self.prepare(host, socket, port),
            }
        }
    }

    /// Makes one port of an address ready, or notes why not.
    fn prepare(&mut self, host: usize, address: SocketAddr, port: Port) {
        let why = if self.seen.contains(&address) {
            Some(LeftOutWhy::SameAddress)
        } else if self.started >= self.connections_limit() {
            Some(LeftOutWhy::EnoughInAll)
        } else {
            None
        };
        if let Some(why) = why {
            return self.left_out.push(LeftOut { host, address, why });
        }
        self.seen.insert(address);
        self.started += 1;
        let (usual, enough) = usual(port);
        let tls = if self.implicit == Some(port) { TlsUse::Implicit } else { usual };
        self.ready.push(Attempt {
            role: Role::Asked,
            host: Some(host),
            name: self.mail_hosts[host].name.clone(),
            address,
            port,
            tls: self.tls.unwrap_or(tls),
            until: self.until.unwrap_or(enough),
            connect_timeout: self.connect_timeout,
        });
    }

    const fn connections_limit(&self) -> usize {
        match self.question {
            Question::Mail => CONNECTIONS_LIMIT,
            Question::Ports => CONNECTIONS_LIMIT_OF_PORTS,
        }
    }

    /// The ports that a host is asked at.
    pub(super) fn ports_of(&self, host: usize) -> impl Iterator<Item = Port> {
        let own = self.server_ports.get(host).copied().flatten();
        let ports = match own {
            Some(port) => vec![port],
            None => self.ports.clone(),
        };
        ports.into_iter()
    }
}

/// Where an address stands in the order of the route: by host, then as the host's addresses are listed, then by port.
pub(super) fn rank(route: &Route, host: Option<usize>, address: SocketAddr) -> (usize, usize, u16) {
    let host = host.unwrap_or(usize::MAX);
    let place = route.hosts.get(host).and_then(|h| h.addresses.iter().position(|a| *a == address.ip()));
    (host, place.unwrap_or(usize::MAX), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Elapsed {
        Elapsed(Duration::from_millis(millis))
    }

    fn hosts(preferences: &[u16]) -> Step {
        let host = |(index, preference): (usize, &u16)| MailHost {
            preference: Some(*preference),
            ..MailHost::new(Host::Name(format!("mx{index}.example.com").parse().expect("a name")))
        };
        Step::Hosts(preferences.iter().enumerate().map(host).collect())
    }

    fn plan(settings: &Settings, preferences: &[u16], addresses: &[(usize, &str)]) -> Plan {
        let mut plan = Plan::new(&"anna@example.com".parse().expect("a target"), settings);
        plan.take(hosts(preferences), ms(0));
        for (host, address) in addresses {
            plan.take(Step::Address { host: *host, address: address.parse().expect(address) }, ms(0));
        }
        plan
    }

    fn first() -> Settings {
        Settings { walk: Walk::First, ..Settings::default() }
    }

    /// What begins at a moment, as addresses.
    fn begun(plan: &mut Plan, at: u64, speaking: bool) -> Vec<String> {
        std::iter::from_fn(|| plan.next(ms(at), speaking)).map(|attempt| attempt.address.to_string()).collect()
    }

    fn attempt(address: &str) -> Attempt {
        Attempt {
            role: Role::Asked,
            host: Some(0),
            name: Host::Name("mx0.example.com".parse().expect("a name")),
            address: address.parse().expect(address),
            port: Port::SMTP,
            tls: TlsUse::IfOffered,
            until: Stage::Rcpt,
            connect_timeout: Duration::from_secs(10),
        }
    }

    #[test]
    fn by_default_every_address_is_asked_at_once_and_what_is_left_out_is_said() {
        let found = [(0, "192.0.2.1"), (0, "192.0.2.2"), (0, "192.0.2.3"), (0, "2001:db8::1"), (1, "192.0.2.1"), (1, "192.0.2.9")];
        let mut plan = plan(&Settings::default(), &[10, 20], &found);
        assert_eq!(begun(&mut plan, 0, false), ["192.0.2.1:25", "192.0.2.2:25", "[2001:db8::1]:25", "192.0.2.9:25"]);
        assert!(plan.is_done());
        let left: Vec<(String, LeftOutWhy)> = plan.left_out.iter().map(|left| (left.address.to_string(), left.why)).collect();
        let expected = [("192.0.2.3:25", LeftOutWhy::EnoughOfTheHost), ("192.0.2.1:25", LeftOutWhy::SameAddress)];
        assert_eq!(left, expected.map(|(address, why)| (address.to_owned(), why)));
    }

    #[test]
    fn sixteen_connections_are_enough() {
        let many: Vec<(usize, String)> = (0..20).map(|host| (host, format!("192.0.2.{host}"))).collect();
        let many: Vec<(usize, &str)> = many.iter().map(|(host, address)| (*host, address.as_str())).collect();
        let mut plan = plan(&Settings::default(), &[10; 20], &many);
        assert_eq!(begun(&mut plan, 0, false).len(), CONNECTIONS_LIMIT);
        assert!(plan.left_out.len() == 4 && plan.left_out.iter().all(|left| left.why == LeftOutWhy::EnoughInAll));
    }

    #[test]
    fn port_25_of_the_last_host_comes_before_other_ports_of_the_first_ones() {
        let many: Vec<(usize, String)> = (0..40).map(|host| (host, format!("192.0.2.{host}"))).collect();
        let many: Vec<(usize, &str)> = many.iter().map(|(host, address)| (*host, address.as_str())).collect();
        let mut plan = plan(&Settings { question: Question::Ports, ..Settings::default() }, &[10; 40], &many);
        let first = begun(&mut plan, 0, false);
        let on_25 = first.iter().filter(|address| address.ends_with(":25")).count();
        assert_eq!((on_25, first.len()), (40, 72), "half of the connections are for any port, the rest waits");
        plan.all_found();
        assert_eq!(begun(&mut plan, 0, false).len(), CONNECTIONS_LIMIT_OF_PORTS - 72);
        let left: Vec<u16> = plan.left_out.iter().map(|left| left.address.port()).collect();
        assert!(left.len() == 120 - CONNECTIONS_LIMIT_OF_PORTS && !left.contains(&25), "{left:?}");
    }

    #[test]
    fn each_port_is_asked_and_465_begins_with_tls() {
        let ports = vec![Port::SMTP, Port::SUBMISSIONS];
        let mut plan = plan(&Settings { ports, ..Settings::default() }, &[10], &[(0, "192.0.2.1")]);
        let uses: Vec<TlsUse> = std::iter::from_fn(|| plan.next(ms(0), false)).map(|attempt| attempt.tls).collect();
        assert_eq!(uses, [TlsUse::IfOffered, TlsUse::Implicit]);
    }

    #[test]
    fn a_server_with_a_port_of_its_own_needs_that_one() {
        let server = |text: &str, port| (Host::Name(text.parse().expect(text)), port);
        let own = Some(Port::SUBMISSION);
        for (servers, ports, expected) in [
            (vec![server("a.example.com", own)], vec![], vec![Port::SUBMISSION]),
            (vec![server("a.example.com", own), server("b.example.com", own)], vec![Port::SMTP], vec![Port::SUBMISSION]),
            (vec![server("a.example.com", own), server("b.example.com", None)], vec![], vec![Port::SMTP, Port::SUBMISSION]),
            (vec![server("a.example.com", None)], vec![Port::SUBMISSIONS], vec![Port::SUBMISSIONS]),
            (vec![], vec![], vec![Port::SMTP]),
        ] {
            let settings = Settings { servers, ports, question: Question::Ports, ..Settings::default() };
            assert_eq!(plan(&settings, &[10], &[]).needed(), expected, "{:?} {:?}", settings.servers, settings.ports);
        }
    }

    #[test]
    fn a_scheme_says_how_its_own_port_is_used_and_no_other() {
        let ports = vec![Port::SMTP, "2465".parse().expect("a port")];
        let settings = Settings { ports, question: Question::Ports, ..Settings::default() };
        let mut plan = Plan::new(&"smtps://mx0.example.com:2465".parse().expect("a target"), &settings);
        plan.take(hosts(&[10]), ms(0));
        plan.take(Step::Address { host: 0, address: "192.0.2.1".parse().expect("an address") }, ms(0));
        let uses: Vec<TlsUse> = std::iter::from_fn(|| plan.next(ms(0), false)).map(|attempt| attempt.tls).collect();
        assert_eq!(uses, [TlsUse::IfOffered, TlsUse::Implicit]);
    }

    #[test]
    fn as_an_mta_the_next_is_tried_when_one_stays_silent() {
        let found = [(1, "192.0.2.2"), (0, "192.0.2.1"), (0, "2001:db8::1")];
        let mut plan = plan(&first(), &[10, 20], &found);
        assert_eq!(begun(&mut plan, 0, false), ["[2001:db8::1]:25"]);
        assert_eq!(begun(&mut plan, 249, false), [""; 0]);
        assert_eq!(plan.wake(ms(249)), Some(Duration::from_millis(1)));
        assert_eq!(begun(&mut plan, 250, false), ["192.0.2.1:25"]);
        assert_eq!(begun(&mut plan, 300, false), ["192.0.2.2:25"]);
        assert!(plan.is_done());
    }

    #[test]
    fn as_an_mta_a_failure_is_not_waited_for_and_an_answer_is() {
        let mut plan = plan(&first(), &[10, 20], &[(0, "192.0.2.1"), (1, "192.0.2.2")]);
        assert_eq!(begun(&mut plan, 0, false), ["192.0.2.1:25"]);
        assert!(!plan.finished(&attempt("192.0.2.1:25"), Ending::Open));
        assert_eq!(begun(&mut plan, 1, false), ["192.0.2.2:25"]);
        assert_eq!(begun(&mut plan, 9_000, true), [""; 0], "while somebody speaks nobody else is called");
        assert!(plan.finished(&attempt("192.0.2.2:25"), Ending::Definite));
        assert!(plan.is_done());
    }

    #[test]
    fn as_an_mta_who_was_overtaken_has_another_turn_if_the_faster_one_settles_nothing() {
        let mut plan = plan(&first(), &[10, 20], &[(0, "192.0.2.1"), (1, "192.0.2.2")]);
        assert_eq!(begun(&mut plan, 0, false), ["192.0.2.1:25"]);
        assert_eq!(begun(&mut plan, 250, false), ["192.0.2.2:25"]);
        assert!(!plan.finished(&attempt("192.0.2.1:25"), Ending::Overtaken));
        assert!(!plan.is_done());
        assert!(!plan.finished(&attempt("192.0.2.2:25"), Ending::Open));
        assert_eq!(begun(&mut plan, 400, false), ["192.0.2.1:25"]);
    }

    #[test]
    fn as_an_mta_a_slow_lookup_keeps_its_turn_for_a_moment() {
        let mut plan = plan(&first(), &[10, 20], &[(1, "192.0.2.2")]);
        assert_eq!(begun(&mut plan, 100, false), [""; 0]);
        let found = Box::new(MailHost::new("mx0.example.com".parse::<crate::target::DomainName>().map(Host::Name).expect("a name")));
        plan.take(Step::Done { host: 0, found }, ms(120));
        assert_eq!(begun(&mut plan, 121, false), ["192.0.2.2:25"], "a host without an address has no turn");
        let mut plan = super::tests::plan(&first(), &[10, 20], &[(1, "192.0.2.2")]);
        assert_eq!(begun(&mut plan, 250, false), ["192.0.2.2:25"]);
    }

    #[test]
    fn as_an_mta_what_is_left_out_does_not_hold_up_the_rest() {
        let found = [(0, "192.0.2.1"), (0, "192.0.2.2"), (0, "192.0.2.3"), (1, "192.0.2.1"), (1, "192.0.2.9")];
        let mut plan = plan(&first(), &[10, 20], &found);
        for (millis, address) in [(0, "192.0.2.1:25"), (1, "192.0.2.2:25"), (2, "192.0.2.9:25")] {
            assert_eq!(begun(&mut plan, millis, false), [address]);
            plan.finished(&attempt(address), Ending::Open);
        }
        assert!(plan.is_done());
    }

    #[test]
    fn as_an_mta_what_was_not_needed_is_said() {
        let mut plan = plan(&first(), &[10, 20], &[(0, "192.0.2.1"), (1, "192.0.2.2")]);
        begun(&mut plan, 0, false);
        plan.finished(&attempt("192.0.2.1:25"), Ending::Definite);
        let left = plan.left_out(&plan.route_so_far(Vec::new()));
        assert_eq!((left.len(), left[0].why, left[0].host), (1, LeftOutWhy::Answered, 1));
    }
}
