//! What is looked up while the conversations go on: control hosts, strange names in greetings, this host's own name.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Role;
use super::plan::Attempt;
use crate::route::{self, Identity, Resolver};
use crate::settings::{Control, Families, Settings};
use crate::smtp::{Purpose, Stage, Transcript, Verb};
use crate::target::{DomainName, Host, Target, is_nonpublic};
use crate::transport::source;

/// Whatever takes longer is not waited for: it only adds to what is known.
const PATIENCE: Duration = Duration::from_secs(3);
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
}

/// What a conversation has told already.
#[derive(Debug, Default)]
pub(super) struct Told {
    stands: bool,
    greeted: bool,
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
}

/// What has been looked up.
#[derive(Debug)]
pub(super) enum Errand {
    /// Control hosts, in the order of the settings, with an address of each family.
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
    own_name_sought: bool,
    running: FuturesUnordered<Pin<Box<dyn Future<Output = Errand> + 'a>>>,
}

impl<'a> Errands<'a> {
    pub(super) fn new(settings: &'a Settings, resolver: &'a Resolver, hostname: Option<&'a DomainName>) -> Self {
        Self { settings, resolver, hostname, identified: Vec::new(), own_name_sought: false, running: FuturesUnordered::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// The next one that is done; none if there is none.
    pub(super) async fn next(&mut self) -> Option<Errand> {
        self.running.next().await
    }

    /// Finds the addresses of the control hosts.
    pub(super) fn find_controls(&mut self) {
        let (settings, resolver) = (self.settings, self.resolver);
        self.running.push(Box::pin(async move {
            let found = join_all(settings.control.iter().map(|control| find(control, settings, resolver))).await;
            Errand::Controls(found.into_iter().flatten().collect())
        }));
    }

    /// Asks whether `name`, which the server at `address` gives itself, has anything to do with that address.
    pub(super) fn identify(&mut self, name: DomainName, address: SocketAddr) {
        let both = (name.clone(), address.ip());
        if self.identified.len() < IDENTITIES_LIMIT && !self.identified.contains(&both) {
            self.identified.push(both);
            let asked = route::identify(name, address.ip(), self.resolver);
            self.running.push(Box::pin(async move {
                timeout(PATIENCE, asked).await.map_or(Errand::Nothing, |identity| Errand::Identity(identity, address))
            }));
        }
    }

    /// Finds the addresses of this host's own name, if the target that cannot be reached may be behind the same router.
    pub(super) fn find_own_name(&mut self, target: IpAddr) {
        let behind_router = !is_nonpublic(target) && source(target).is_some_and(is_nonpublic);
        let Some(name) = self.hostname.filter(|_| behind_router && !self.own_name_sought) else { return };
        self.own_name_sought = true;
        let asked = route::addresses_of(name, target, self.resolver);
        self.running.push(Box::pin(async move { timeout(PATIENCE, asked).await.map_or(Errand::Nothing, Errand::OwnName) }));
    }
}

/// A host and one address of each family for a control; nothing if there is none in time.
async fn find(control: &Control, settings: &Settings, resolver: &Resolver) -> Vec<(Host, IpAddr)> {
    let target = match control {
        Control::Domain(domain) => Target::Domain(domain.clone()),
        Control::Host(host) => Target::Host { host: host.clone(), port: None, scheme: None },
    };
    let settings = Settings { servers: Vec::new(), families: Families::Both, ..settings.clone() };
    let (steps, _) = mpsc::unbounded_channel();
    let Ok(route) = timeout(PATIENCE, route::resolve(&target, &settings, resolver, steps)).await else { return Vec::new() };
    let of_family = |v4: bool| {
        route.hosts.iter().find_map(|host| host.addresses.iter().find(|a| a.is_ipv4() == v4).map(|address| (host.name.clone(), *address)))
    };
    [of_family(true), of_family(false)].into_iter().flatten().collect()
}
