//! Asking the DNS servers in turn, along aliases.
//!
//! A library's resolver would cache, reorder and retry on its own and then name one result. A diagnosis wants each question
//! with the server asked, the time it took and what came back, and asks little enough to need no cache; only whoever asks for
//! thousands of domains has one.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use futures_util::future::{join, join_all};
use hickory_resolver::Hosts;
use hickory_resolver::config::ProtocolConfig;
use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::system_conf::read_system_conf;

use super::answer::{self, Chain, Outcome, Reading};
use super::cache::Cache;
use super::exchange::{self, Patience, Signatures};
use super::security::{self, Suspicion};
use super::trust::{Claim, Trust};
use super::{Doubt, Lookup, LookupFailure, LookupKind, Security};
use crate::settings::{Clock, Settings};
use crate::target::DomainName;

/// The DNS servers to ask, and what is remembered of them. Holds no connection.
#[derive(Debug)]
pub struct Resolver {
    servers: Vec<Server>,
    patience: Patience,
    clock: Clock,
    /// The system's hosts file, read when it is needed for the first time.
    hosts: OnceLock<Hosts>,
    /// What servers were asked, in the order of the answers.
    asked: Mutex<Vec<Lookup>>,
    /// The answers that are used again; none where each question is to be asked.
    cache: Option<Cache>,
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    /// Whether it is believed when it says that an answer is authentic.
    trusted: bool,
    /// Where its answers are validated here, too.
    trust: Option<Trust>,
    /// Whether it gave no answer when it was asked last; then it is asked after the others.
    silent: AtomicBool,
}

/// The answer to one lookup, and all that was asked for it.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) aliases: Vec<DomainName>,
    /// Of all the answers on the way.
    pub(super) security: Security,
    pub(super) lookups: Vec<Lookup>,
}

impl Resolver {
    /// Takes the servers from the settings, else from the system. If there are none, each lookup fails with
    /// [`LookupFailure::NoResolver`].
    #[must_use]
    pub fn new(settings: &Settings, clock: Clock) -> Self {
        let (addresses, trust_ad) =
            if settings.resolvers.is_empty() { (system_servers(), system_trusts_ad()) } else { (settings.resolvers.clone(), false) };
        Self::asking(&addresses, trust_ad || settings.trust_ad, settings, clock)
    }

    fn asking(addresses: &[SocketAddr], trust_ad: bool, settings: &Settings, clock: Clock) -> Self {
        let patience = if addresses.len() == 1 { Patience::LONG } else { Patience::SHORT };
        let server = |address: &SocketAddr| Server {
            address: *address,
            trusted: trust_ad || address.ip().to_canonical().is_loopback(),
            trust: Trust::new(&settings.validation, *address, patience),
            silent: AtomicBool::new(false),
        };
        Self {
            servers: addresses.iter().map(server).collect(),
            patience,
            clock,
            hosts: OnceLock::new(),
            asked: Mutex::default(),
            cache: None,
        }
    }

    /// The same, but answers are used again for as long as they last: for whoever asks for many domains. It keeps the answers to 4,096
    /// questions, and nothing in [`lookups`](Self::lookups).
    #[must_use]
    pub fn remembering(self) -> Self {
        Self { cache: Some(Cache::default()), ..self }
    }

    /// A resolver on a system with these servers and this hosts file.
    #[cfg(test)]
    pub(super) fn on_system(addresses: &[SocketAddr], hosts: &str) -> Self {
        let mut read = Hosts::default();
        read.read_hosts_conf(hosts.as_bytes()).expect("a slice can be read");
        Self { hosts: OnceLock::from(read), ..Self::asking(addresses, false, &Settings::default(), Clock::start()) }
    }

    /// Everything that servers were asked so far, in the order of the answers: what is known of a route that was not waited for.
    #[must_use]
    pub fn lookups(&self) -> Vec<Lookup> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The clock by which lookups are timed.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The addresses in the system's hosts file; a file that cannot be read is an empty one.
    pub(super) fn in_hosts_file(&self, name: &DomainName) -> Vec<IpAddr> {
        let Ok(chain) = Chain::from(name.as_str()) else { return Vec::new() };
        let hosts = self.hosts.get_or_init(|| Hosts::from_system().unwrap_or_default());
        [LookupKind::A, LookupKind::Aaaa]
            .into_iter()
            .filter_map(|kind| hosts.lookup_static_host(&Query::query(chain.end().clone(), answer::record_type(kind))))
            .flat_map(|lookup| lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }

    /// Looks up `kind` at `name`, and at what it is an alias of.
    pub(super) async fn lookup(&self, name: &DomainName, kind: LookupKind) -> Answer {
        self.lookup_text(name.as_str(), kind).await
    }

    /// The same for a name that need be none of a host: its labels, with dots between them.
    pub(super) async fn lookup_text(&self, name: &str, kind: LookupKind) -> Answer {
        let mut lookups = Vec::new();
        let Ok(mut chain) = Chain::from(name) else {
            let security = Security::Unknown(Doubt::NoAnswer);
            return Answer { outcome: Outcome::Failed(LookupFailure::Malformed), aliases: Vec::new(), security, lookups };
        };
        let mut security = Security::Unknown(Doubt::AtHand);
        // It ends because each step onward makes the chain longer, and its length is limited.
        let outcome = loop {
            let (reading, of_step) = self.ask_in_turn(kind, &mut chain, &mut lookups).await;
            security = security.and(of_step);
            if let Reading::Final(outcome) = reading {
                break outcome;
            }
        };
        Answer { outcome, aliases: chain.aliases(0), security, lookups }
    }

    /// Asks one server after the other for the end of the chain until one has an answer.
    async fn ask_in_turn(&self, kind: LookupKind, chain: &mut Chain, lookups: &mut Vec<Lookup>) -> (Reading, Security) {
        let question = Query::query(chain.end().clone(), answer::record_type(kind));
        let first = lookups.len();
        let mut suspects = Vec::new();
        let mut failure = LookupFailure::NoResolver;
        let mut answered = None;
        for server in self.in_turn() {
            let (lookup, reading, further, suspicion) = self.ask(server, &question, kind, chain).await;
            suspects.extend(suspicion.map(|suspicion| (lookups.len(), server, suspicion)));
            let security = lookup.security;
            lookups.push(lookup);
            match reading {
                // Another server may know better; but aliases in a circle are an answer, and no other server's will differ.
                Reading::Final(Outcome::Failed(reason)) if reason != LookupFailure::AliasLoop => {
                    failure = failure.or_more_telling(reason);
                }
                reading => {
                    *chain = further;
                    answered = Some((reading, security));
                    break;
                }
            }
        }
        // With an answer at hand, nobody waits for what may have been the matter with a server.
        suspects.retain(|(_, _, suspicion)| answered.is_none() || *suspicion != Suspicion::Unsaid);
        let confirmed = suspects.into_iter().map(|(index, server, suspicion)| {
            let hidden = server.hides(&question, suspicion);
            async move { (index, hidden.await) }
        });
        for (index, bogus) in join_all(confirmed).await {
            if let Some(bogus) = bogus {
                lookups[index].security = bogus;
                self.amend(&lookups[index]);
            }
        }
        answered.unwrap_or_else(|| {
            let outcome = Outcome::Failed(failure);
            if self.servers.is_empty() {
                lookups.push(Lookup::of_nobody(answer::name_text(chain.end()), kind, self.clock.now(), outcome.result()));
            }
            (Reading::Final(outcome), Security::of_all(lookups[first..].iter().map(|lookup| lookup.security)))
        })
    }

    /// Asks one server for the end of the chain. Returns the chain as its answer extends it, and what may be behind a refusal.
    async fn ask(&self, server: &Server, question: &Query, kind: LookupKind, chain: &Chain) -> (Lookup, Reading, Chain, Option<Suspicion>) {
        let signatures = if server.trust.is_some() { Signatures::Sent } else { Signatures::Judged };
        let at = self.clock.now();
        let exchange = Box::pin(exchange::ask(question, server.address, self.patience, signatures));
        let exchange = match &self.cache {
            Some(cache) => cache.ask((server.address, question.clone()), self.clock, exchange).await,
            None => exchange.await,
        };
        let took = self.clock.now().since(at);

        server.remember(exchange.answer.as_ref().err().copied());
        let mut further = chain.clone();
        let (reading, security, suspicion) = match &exchange.answer {
            Ok(message) => {
                let reading = answer::read(message, kind, &mut further);
                let denies = matches!(reading, Reading::Final(Outcome::NoData | Outcome::NxDomain));
                let claim = Claim { names: &further.names(chain.links()), kind: question.query_type, denies };
                (reading, server.judge(question, message, &claim).await, security::suspicion(message))
            }
            Err(failure) => (Reading::Final(Outcome::Failed(*failure)), Security::Unknown(Doubt::NoAnswer), None),
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
            security,
        };
        if self.cache.is_none() {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(lookup.clone());
        }
        (lookup, reading, further, suspicion)
    }

    /// Tells those who have not waited, too, what has become known of a lookup.
    fn amend(&self, lookup: &Lookup) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |other: &&mut Lookup| {
            (&other.name, other.kind, other.server, other.at) == (&lookup.name, lookup.kind, lookup.server, lookup.at)
        };
        if let Some(other) = asked.iter_mut().find(same) {
            other.security = lookup.security;
        }
    }

    /// The servers in their order, those last that were silent.
    fn in_turn(&self) -> impl Iterator<Item = &Server> {
        let (silent, ready): (Vec<_>, Vec<_>) = self.servers.iter().partition(|server| server.silent.load(Ordering::Relaxed));
        ready.into_iter().chain(silent)
    }
}

impl Server {
    /// Whether its answer is authentic, by validation here or by its own word.
    async fn judge(&self, question: &Query, message: &Message, claim: &Claim<'_>) -> Security {
        let said = security::of_answer(message, self.trusted);
        match &self.trust {
            Some(trust) if said != Security::Unknown(Doubt::NoAnswer) => match trust.judge(question, message, claim).await {
                Security::Unknown(_) if said.is_secure() => said,
                proven => proven,
            },
            _ => said,
        }
    }

    /// Whether it refuses an answer only because of its signatures: then it gives it away unchecked. If it has not said that
    /// this is the reason, it has to refuse once more, so that a passing failure is not taken for it.
    async fn hides(&self, question: &Query, suspicion: Suspicion) -> Option<Security> {
        let ask = |signatures| exchange::ask(question, self.address, Patience::SCANT, signatures);
        let again = async {
            match suspicion {
                Suspicion::Said(code) => Some(Some(code)),
                Suspicion::Unsaid => {
                    let refused =
                        ask(Signatures::Judged).await.answer.is_ok_and(|message| message.metadata.response_code == ResponseCode::ServFail);
                    refused.then_some(None)
                }
            }
        };
        let (unchecked, refused) = join(ask(Signatures::Unchecked), again).await;
        let given =
            unchecked.answer.is_ok_and(|message| matches!(message.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain));
        refused.filter(|_| given).map(Security::Bogus)
    }

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

/// Whether the administrator says that the way to the system's resolvers is safe (resolv.conf(5), `options trust-ad`).
fn system_trusts_ad() -> bool {
    cfg!(unix) && std::fs::read_to_string("/etc/resolv.conf").is_ok_and(|text| says_trust_ad(&text))
}

fn says_trust_ad(resolv_conf: &str) -> bool {
    let mut lines = resolv_conf.lines().map(str::split_ascii_whitespace);
    lines.any(|mut words| words.next() == Some("options") && words.any(|word| word == "trust-ad"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_may_vouch_for_its_resolvers() {
        for (text, trusts) in [
            ("nameserver 192.0.2.53\noptions edns0 trust-ad ndots:2\n", true),
            ("options edns0\n\toptions\ttrust-ad", true),
            ("nameserver 192.0.2.53\noptions edns0\n", false),
            ("# options trust-ad\n;options trust-ad\nsearch trust-ad", false),
            ("options no-trust-ad", false),
            ("", false),
        ] {
            assert_eq!(says_trust_ad(text), trusts, "{text:?}");
        }
        let settings = |trust_ad| Settings {
            resolvers: ["127.0.0.1:53", "[::1]:53", "[::ffff:127.0.0.53]:53", "192.0.2.53:53"].map(|text| text.parse().unwrap()).to_vec(),
            trust_ad,
            ..Settings::default()
        };
        let trusted =
            |trust_ad| Resolver::new(&settings(trust_ad), Clock::start()).servers.iter().map(|server| server.trusted).collect::<Vec<_>>();
        assert_eq!(trusted(false), [true, true, true, false]);
        assert_eq!(trusted(true), [true; 4]);
    }
}
