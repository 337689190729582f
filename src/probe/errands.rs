//! What is looked up while the conversations go on: control hosts, strange names in greetings, this host's own name.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::Role;
use super::own_side::can_be_about_sender;
use super::plan::Attempt;
use super::vantage::{greeted_as, local_address, turned_away};
use crate::knowledge::{Knowledge, Reason};
use crate::route::{self, Identity, MailHost, Resolver, Step};
use crate::settings::{Control, Families, Settings};
use crate::smtp::{Answer, Purpose, Reply, Stage, Transcript, Verb};
use crate::target::{DomainName, Host, Target, is_nonpublic};
use crate::transport::source;

/// Whatever takes longer is not waited for: it only adds to what is known.
const PATIENCE: Duration = Duration::from_secs(3);
/// The least time for a lookup, however little of the time for connecting is left.
const LEAST: Duration = Duration::from_millis(500);
/// Once a control host has one address, the other family's gets this long.
const REST: Duration = Duration::from_millis(500);
/// Names in greetings that are looked up, at most.
const IDENTITIES_LIMIT: usize = 4;

/// What a conversation tells while it goes on.
#[derive(Debug)]
pub(super) enum News {
    /// The connection stands.
    Stands(SocketAddr),
    /// Something on the way has made the greeting unreadable.
    Masked(SocketAddr),
    /// The greeting names somebody whose name is not like the host's.
    Stranger(DomainName, SocketAddr),
    /// How this side is seen at a host.
    Seen(Seen),
    /// A host has refused, for this reason, which can be about the sender.
    Refused(Reason),
}

/// How this side is seen at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The host, if it has a name.
    pub(super) host: Option<DomainName>,
    /// The socket's address.
    pub(super) local: IpAddr,
    /// The address that the host names; none if it does not.
    pub(super) egress: Option<IpAddr>,
}

impl Seen {
    /// Whether anybody outside this machine has seen it.
    pub(super) fn is_from_outside(&self) -> bool {
        !self.local.is_loopback() || self.egress.is_some_and(|address| !is_nonpublic(address))
    }
}

/// What a conversation has told already.
#[derive(Debug, Default)]
pub(super) struct Told {
    stands: bool,
    greeted: bool,
    introduced: bool,
    /// Events that were looked at for refusals.
    heard: usize,
}

impl Told {
    /// What there is to tell now.
    pub(super) fn news(&mut self, attempt: &Attempt, transcript: &Transcript) -> Vec<News> {
        let mut news = Vec::new();
        if transcript.reached >= Some(Stage::Connect) && !std::mem::replace(&mut self.stands, true) {
            news.push(News::Stands(attempt.address));
        }
        if attempt.role == Role::Asked
            && !self.greeted
            && let Some(answer) = transcript.reply_to(Verb::Connect, Purpose::Target)
        {
            self.greeted = true;
            let text = answer.reply.text();
            let name = text.split_whitespace().next().and_then(|word| word.parse::<DomainName>().ok()).filter(DomainName::is_qualified);
            match (&attempt.name, name) {
                _ if text.contains("****") => news.push(News::Masked(attempt.address)),
                (Host::Name(host), Some(name)) if !host.may_be_kin(&name) => news.push(News::Stranger(name, attempt.address)),
                _ => {}
            }
        }
        news
    }

    /// How this side is seen, and which replies may refuse it, as far as that was not told.
    pub(super) fn about_sender(&mut self, attempt: &Attempt, transcript: &Transcript, knowledge: &Knowledge) -> Vec<News> {
        if !attempt.role.asks_the_question() {
            return Vec::new();
        }
        let heard = std::mem::replace(&mut self.heard, transcript.events.len());
        let of_target = |answer: &Answer<'_>| answer.event >= heard && answer.purpose == Purpose::Target && !answer.unasked;
        let new: Vec<Answer<'_>> = transcript.replies().filter(of_target).collect();
        let greets = |answer: &Answer<'_>| matches!(answer.verb, Verb::Ehlo | Verb::Helo) && answer.is_yes();
        let refusals = new.iter().filter(|answer| !answer.is_yes() && Stage::of(answer.verb) <= Stage::Rcpt);
        let read = refusals.map(|answer| (answer.reply, knowledge.read(answer.reply, Some(answer.verb)).reason));
        let blaming: Vec<(&Reply, Reason)> = read.filter(|(_, reason)| can_be_about_sender(*reason)).collect();
        let mut news = Vec::new();
        let is_first = new.iter().any(greets) && !std::mem::replace(&mut self.introduced, true);
        if (is_first || !blaming.is_empty())
            && let Some(local) = local_address(transcript)
        {
            let host = if let Host::Name(name) = &attempt.name { Some(name.clone()) } else { None };
            let named = || blaming.iter().find_map(|(reply, _)| turned_away(reply, attempt.address.ip()));
            news.push(News::Seen(Seen { host, local, egress: greeted_as(transcript).or_else(named) }));
        }
        news.extend(blaming.into_iter().map(|(_, reason)| News::Refused(reason)));
        news
    }
}

/// What has been looked up.
#[derive(Debug)]
pub(super) enum Errand {
    /// A control host, with an address of each family.
    Controls(Vec<(Host, IpAddr)>),
    /// A name in the greeting at an address.
    Identity(Identity, SocketAddr),
    /// The addresses of this host's own name.
    OwnName(Vec<IpAddr>),
    /// Nothing in time.
    Nothing,
}

/// Lookups under way.
pub(super) struct Errands<'a> {
    settings: &'a Settings,
    resolver: &'a Resolver,
    hostname: Option<&'a DomainName>,
    identified: Vec<(DomainName, IpAddr)>,
    /// Addresses that were considered for being behind the same router as this host.
    unreached: BTreeSet<IpAddr>,
    own_name_sought: bool,
    running: FuturesUnordered<Pin<Box<dyn Future<Output = Errand> + 'a>>>,
}

impl<'a> Errands<'a> {
    pub(super) fn new(settings: &'a Settings, resolver: &'a Resolver, hostname: Option<&'a DomainName>) -> Self {
        Self {
            settings,
            resolver,
            hostname,
            identified: Vec::new(),
            unreached: BTreeSet::new(),
            own_name_sought: false,
            running: FuturesUnordered::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// The next one that is done; none if there is none.
    pub(super) async fn next(&mut self) -> Option<Errand> {
        self.running.next().await
    }

    /// Finds the addresses of the control hosts, each by itself. Half of the `left` time is for connecting to them.
    pub(super) fn find_controls(&mut self, left: Duration) {
        let (settings, resolver) = (self.settings, self.resolver);
        for control in &settings.control {
            self.running.push(Box::pin(async move { Errand::Controls(find(control, settings, resolver, within(left / 2)).await) }));
        }
    }

    /// Asks whether `name`, which the server at `address` gives itself, has anything to do with that address.
    pub(super) fn identify(&mut self, name: DomainName, address: SocketAddr, left: Duration) {
        let both = (name.clone(), address.ip());
        if self.identified.len() < IDENTITIES_LIMIT && !self.identified.contains(&both) {
            self.identified.push(both);
            let asked = route::identify(name, address.ip(), self.resolver);
            self.running.push(Box::pin(async move {
                timeout(within(left), asked).await.map_or(Errand::Nothing, |identity| Errand::Identity(identity, address))
            }));
        }
    }

    /// Finds the addresses of this host's own name, if the target that cannot be reached may be behind the same router.
    pub(super) fn find_own_name(&mut self, target: IpAddr, left: Duration) {
        if self.own_name_sought || !self.unreached.insert(target) {
            return;
        }
        let behind_router = !is_nonpublic(target) && source(target).is_some_and(is_nonpublic);
        let Some(name) = self.hostname.filter(|_| behind_router) else { return };
        self.own_name_sought = true;
        let asked = route::addresses_of(name, target, self.resolver);
        self.running.push(Box::pin(async move { timeout(within(left), asked).await.map_or(Errand::Nothing, Errand::OwnName) }));
    }
}

/// How long a lookup may take when so much is `left` of the time for connecting.
fn within(left: Duration) -> Duration {
    left.clamp(LEAST, PATIENCE)
}

/// A host and one address of each family for a control, as far as they are known in time.
async fn find(control: &Control, settings: &Settings, resolver: &Resolver, limit: Duration) -> Vec<(Host, IpAddr)> {
    let target = match control {
        Control::Domain(domain) => Target::Domain(domain.clone()),
        Control::Host(host) => Target::Host { host: host.clone(), port: None, scheme: None },
    };
    let settings = Settings { servers: Vec::new(), families: Families::Both, ..settings.clone() };
    let (found, mut steps) = mpsc::unbounded_channel();
    let mut resolving = pin!(route::resolve(&target, &settings, resolver, found));
    let (mut hosts, mut until, mut over) = (Vec::<MailHost>::new(), Instant::now() + limit, false);
    while !over {
        let step = tokio::select! {
            biased;
            step = steps.recv() => step,
            _ = &mut resolving => { over = true; None }
            () = sleep_until(until) => { over = true; None }
        };
        for step in step.into_iter().chain(std::iter::from_fn(|| steps.try_recv().ok())) {
            match step {
                Step::Hosts(named) => hosts = named,
                Step::Address { host, address } => {
                    until = until.min(Instant::now() + REST);
                    if let Some(host) = hosts.get_mut(host) {
                        host.addresses.push(address);
                    }
                }
                Step::Done { .. } => {}
            }
        }
    }
    let of_family = |v4: bool| {
        hosts.iter().find_map(|host| host.addresses.iter().find(|a| a.is_ipv4() == v4).map(|address| (host.name.clone(), *address)))
    };
    [of_family(true), of_family(false)].into_iter().flatten().collect()
}
