//! Asking the DNS servers in turn, along aliases.
//!
//! A library's resolver would cache, reorder and retry on its own and then name one result. A diagnosis wants each question
//! with the server asked, the time it took and what came back, and asks little enough to need no cache.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use hickory_resolver::Hosts;
use hickory_resolver::config::ProtocolConfig;
use hickory_resolver::proto::op::Query;
use hickory_resolver::system_conf::read_system_conf;

use super::answer::{self, Chain, Outcome, Reading};
use super::exchange::{self, Patience};
use super::{Lookup, LookupFailure, LookupKind};
use crate::settings::{Clock, Settings};
use crate::target::DomainName;

/// The DNS servers to ask, and what is remembered of them. Holds no connection.
#[derive(Debug)]
pub struct Resolver {
    servers: Vec<Server>,
    clock: Clock,
    /// The system's hosts file, read when it is needed for the first time.
    hosts: OnceLock<Hosts>,
    /// What servers were asked, in the order of the answers.
    asked: Mutex<Vec<Lookup>>,
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    /// Whether it gave no answer when it was asked last; then it is asked after the others.
    silent: AtomicBool,
}

/// The answer to one lookup, and all that was asked for it.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) aliases: Vec<DomainName>,
    pub(super) lookups: Vec<Lookup>,
}

impl Resolver {
    /// Takes the servers from the settings, else from the system. If there are none, each lookup fails with
    /// [`LookupFailure::NoResolver`].
    #[must_use]
    pub fn new(settings: &Settings, clock: Clock) -> Self {
        let addresses = if settings.resolvers.is_empty() { system_servers() } else { settings.resolvers.clone() };
        let servers = addresses.into_iter().map(|address| Server { address, silent: AtomicBool::new(false) }).collect();
        Self { servers, clock, hosts: OnceLock::new(), asked: Mutex::default() }
    }

    /// A resolver on a system with these servers and this hosts file.
    #[cfg(test)]
    pub(super) fn on_system(addresses: &[SocketAddr], hosts: &str) -> Self {
        let settings = Settings { resolvers: vec![SocketAddr::from(([127, 0, 0, 1], 53))], ..Settings::default() };
        let mut read = Hosts::default();
        read.read_hosts_conf(hosts.as_bytes()).expect("a slice can be read");
        let servers = addresses.iter().map(|address| Server { address: *address, silent: AtomicBool::new(false) }).collect();
        Self { servers, hosts: OnceLock::from(read), ..Self::new(&settings, Clock::start()) }
    }

    /// Everything that servers were asked so far, in the order of the answers: what is known of a route that was not waited for.
    #[must_use]
    pub fn lookups(&self) -> Vec<Lookup> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The clock by which lookups are timed.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The addresses in the system's hosts file; a file that cannot be read is an empty one.
    pub(super) fn in_hosts_file(&self, name: &DomainName) -> Vec<IpAddr> {
        let Ok(chain) = Chain::from(name) else { return Vec::new() };
        let hosts = self.hosts.get_or_init(|| Hosts::from_system().unwrap_or_default());
        [LookupKind::A, LookupKind::Aaaa]
            .into_iter()
            .filter_map(|kind| hosts.lookup_static_host(&Query::query(chain.end().clone(), answer::record_type(kind))))
            .flat_map(|lookup| lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }

    /// Looks up `kind` at `name`, and at what it is an alias of.
    pub(super) async fn lookup(&self, name: &DomainName, kind: LookupKind) -> Answer {
        let mut lookups = Vec::new();
        let Ok(mut chain) = Chain::from(name) else {
            return Answer { outcome: Outcome::Failed(LookupFailure::Malformed), aliases: Vec::new(), lookups };
        };
        // It ends because each step onward makes the chain longer, and its length is limited.
        let outcome = loop {
            if let Reading::Final(outcome) = self.ask_in_turn(kind, &mut chain, &mut lookups).await {
                break outcome;
            }
        };
        Answer { outcome, aliases: chain.aliases(0), lookups }
    }

    /// Asks one server after the other for the end of the chain until one has an answer.
    async fn ask_in_turn(&self, kind: LookupKind, chain: &mut Chain, lookups: &mut Vec<Lookup>) -> Reading {
        let mut failure = LookupFailure::NoResolver;
        for server in self.in_turn() {
            let (lookup, reading, further) = self.ask(server, kind, chain).await;
            lookups.push(lookup);
            match reading {
                // Another server may know better; but aliases in a circle are an answer, and no other server's will differ.
                Reading::Final(Outcome::Failed(reason)) if reason != LookupFailure::AliasLoop => {
                    failure = failure.or_more_telling(reason);
                }
                reading => {
                    *chain = further;
                    return reading;
                }
            }
        }
        let outcome = Outcome::Failed(failure);
        if self.servers.is_empty() {
            lookups.push(Lookup::of_nobody(answer::name_text(chain.end()), kind, self.clock.now(), outcome.result()));
        }
        Reading::Final(outcome)
    }

    /// Asks one server for the end of the chain. Returns the chain as its answer extends it.
    async fn ask(&self, server: &Server, kind: LookupKind, chain: &Chain) -> (Lookup, Reading, Chain) {
        let question = Query::query(chain.end().clone(), answer::record_type(kind));
        let at = self.clock.now();
        let exchange = exchange::ask(&question, server.address, self.patience()).await;
        let took = self.clock.now().since(at);

        server.remember(exchange.answer.as_ref().err().copied());
        let mut further = chain.clone();
        let reading = match exchange.answer {
            Ok(message) => answer::read(&message, kind, &mut further),
            Err(failure) => Reading::Final(Outcome::Failed(failure)),
        };
        let lookup = Lookup {
            name: answer::name_text(chain.end()),
            kind,
            server: Some(server.address),
            tcp: exchange.tcp,
            at,
            took,
            result: reading.result(),
            chain: further.aliases(chain.links()),
        };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(lookup.clone());
        (lookup, reading, further)
    }

    fn patience(&self) -> Patience {
        if self.servers.len() == 1 { Patience::LONG } else { Patience::SHORT }
    }

    /// The servers in their order, those last that were silent.
    fn in_turn(&self) -> impl Iterator<Item = &Server> {
        let (silent, ready): (Vec<_>, Vec<_>) = self.servers.iter().partition(|server| server.silent.load(Ordering::Relaxed));
        ready.into_iter().chain(silent)
    }
}

impl Server {
    fn remember(&self, failure: Option<LookupFailure>) {
        let silent = matches!(failure, Some(LookupFailure::TimedOut | LookupFailure::ResolverUnreachable(_)));
        self.silent.store(silent, Ordering::Relaxed);
    }
}

fn system_servers() -> Vec<SocketAddr> {
    let Ok((config, _)) = read_system_conf() else { return Vec::new() };
    let mut addresses = Vec::new();
    for server in config.name_servers() {
        let plain = server.connections.iter().find(|connection| matches!(connection.protocol, ProtocolConfig::Udp));
        let address = plain.map(|connection| SocketAddr::new(server.ip, connection.port));
        addresses.extend(address.filter(|address| !addresses.contains(address)));
    }
    addresses
}
