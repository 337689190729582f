//! What a domain publishes about how mail is to be sent to it, looked up while the conversations go on (RFC 7672, 8460, 8461).
//!
//! Nobody waits for it who need not: it begins with the probe, and once the conversations are over, MTA-STS and TLS-RPT have
//! [`GRACE`] left. TLSA lookups come to their own end, which is near: that one fails is an answer, too.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use super::{PolicyFetch, fetch_policy};
use crate::policy::mta_sts::{Mode, Policy, PolicyError, StsRecord};
use crate::policy::tls_rpt::{TlsRpt, TlsRptError};
use crate::policy::{FetchFailure, TxtError};
use crate::route::{self, Lookup, LookupFailure, MailHost, Resolver, TlsaOutcome, TxtAnswer};
use crate::smtp::Elapsed;
use crate::target::{DomainName, Port};
use crate::transport::Line;

/// How long the policies of a domain may take after everything else is over.
const GRACE: Duration = Duration::from_millis(500);

/// What is published about how mail is to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// TLSA records of the mail hosts, by host and port; none of hosts that were not asked for.
    pub keys: Vec<HostKeys>,
    /// MTA-STS; none if it was not asked for.
    pub mta_sts: Option<MtaSts>,
    /// TLS-RPT; none if it was not asked for.
    pub tls_rpt: Option<Result<TlsRpt, Unread<TlsRptError>>>,
}

/// What is published about the keys of one host on one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeys {
    /// The host's place in the route.
    pub host: usize,
    /// The port.
    pub port: Port,
    /// The name that the records stand under (RFC 7672 §2.2.3); none if nothing was asked.
    pub base: Option<DomainName>,
    /// What is known; none if the lookup was not over in time.
    pub outcome: Option<TlsaOutcome>,
}

/// MTA-STS as a domain publishes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtaSts {
    /// The TXT record.
    pub record: Result<StsRecord, Unread<TxtError>>,
    /// The fetch of the policy; none without a record.
    pub fetch: Option<PolicyFetch>,
    /// What stands in the policy; none if there is no text.
    pub policy: Option<Result<Policy, Vec<PolicyError>>>,
}

/// Why a record says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread<E> {
    /// It was not known in time.
    Late,
    /// It could not be looked up.
    Lookup(LookupFailure),
    /// There is none, or it does not count.
    Wrong(E),
}

impl MtaSts {
    const LATE: Self = Self { record: Err(Unread::Late), fetch: None, policy: None };

    /// The policy, if there is one that counts.
    #[must_use]
    pub fn valid(&self) -> Option<&Policy> {
        self.policy.as_ref()?.as_ref().ok()
    }

    /// The policy, if mail has to be held back where it is not met.
    #[must_use]
    pub fn enforced(&self) -> Option<&Policy> {
        self.valid().filter(|policy| policy.mode == Mode::Enforce)
    }

    /// Why there is no text of the policy; none if there is one, or none was asked for.
    #[must_use]
    pub fn fetch_failure(&self) -> Option<&FetchFailure> {
        self.fetch.as_ref()?.fetched.body.as_ref().err()
    }
}

impl Published {
    /// What is published about the keys of a host on a port.
    #[must_use]
    pub fn keys_of(&self, host: usize, port: Port) -> Option<&HostKeys> {
        self.keys.iter().find(|keys| (keys.host, keys.port) == (host, port))
    }
}

enum Found {
    MtaSts(Box<MtaSts>),
    TlsRpt(Result<TlsRpt, Unread<TlsRptError>>),
    Keys(HostKeys),
}

type Asking<'a> = Pin<Box<dyn Future<Output = (Found, Vec<Lookup>)> + 'a>>;

/// What is being looked up, and what has been found.
pub(super) struct Policies<'a> {
    line: Line<'a>,
    resolver: &'a Resolver,
    domain: Option<&'a DomainName>,
    wanted: bool,
    running: FuturesUnordered<Asking<'a>>,
    /// Tells the policies of the domain that nobody waits any longer.
    enough: watch::Sender<bool>,
    /// Since when everything else is over.
    alone: Option<Elapsed>,
    published: Published,
    lookups: Vec<Lookup>,
}

impl fmt::Debug for Policies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("published", &self.published).finish_non_exhaustive()
    }
}

impl<'a> Policies<'a> {
    /// Begins with what the domain publishes; `wanted` says whether anything is.
    pub(super) fn new(domain: Option<&'a DomainName>, wanted: bool, line: Line<'a>, resolver: &'a Resolver) -> Self {
        let mut policies = Self {
            line,
            resolver,
            domain: domain.filter(|domain| wanted && domain.is_qualified()),
            wanted,
            running: FuturesUnordered::new(),
            enough: watch::Sender::new(false),
            alone: None,
            published: Published::default(),
            lookups: Vec::new(),
        };
        if let Some(domain) = policies.domain {
            policies.published.mta_sts = Some(MtaSts::LATE);
            policies.published.tls_rpt = Some(Err(Unread::Late));
            policies.running.push(Box::pin(mta_sts(domain, policies.line.clone(), resolver, policies.enough.subscribe())));
            policies.running.push(Box::pin(until(policies.enough.subscribe(), tls_rpt(domain, resolver))));
        }
        policies
    }

    /// All lookups of a host are in: now its keys can be asked about on these ports.
    pub(super) fn located(&mut self, host: usize, found: &MailHost, ports: impl Iterator<Item = Port>) {
        if !self.wanted || found.addresses.is_empty() {
            return;
        }
        for port in ports {
            self.published.keys.push(HostKeys { host, port, base: None, outcome: None });
            let (found, resolver) = (found.clone(), self.resolver);
            self.running.push(Box::pin(async move {
                let answer = route::tlsa(&found, port, resolver).await;
                (Found::Keys(HostKeys { host, port, base: answer.base, outcome: Some(answer.outcome) }), answer.lookups)
            }));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Takes in the next answer; never comes back if there is none to come.
    pub(super) async fn advance(&mut self) {
        let Some((found, lookups)) = self.running.next().await else { return std::future::pending().await };
        self.lookups.extend(lookups);
        match found {
            Found::MtaSts(mta_sts) => self.published.mta_sts = Some(*mta_sts),
            Found::TlsRpt(tls_rpt) => self.published.tls_rpt = Some(tls_rpt),
            Found::Keys(keys) => {
                if let Some(place) = self.published.keys.iter_mut().find(|known| (known.host, known.port) == (keys.host, keys.port)) {
                    *place = keys;
                }
            }
        }
    }

    /// Everything else is over. Returns whether there is nothing left to wait for.
    pub(super) fn may_end(&mut self, now: Elapsed) -> bool {
        if now.since(*self.alone.get_or_insert(now)) >= GRACE {
            self.enough.send_replace(true);
        }
        self.is_empty()
    }

    /// When time alone will change something.
    pub(super) fn wake(&self, now: Elapsed) -> Option<Duration> {
        let left = GRACE.saturating_sub(now.since(self.alone?));
        (!left.is_zero()).then_some(left)
    }

    /// Whether a sender that honours what is published may send to the host in the clear; none as long as that is not known.
    pub(super) fn let_go_in_the_clear(&self, host: usize, port: Port) -> Option<bool> {
        if !self.wanted {
            return Some(true);
        }
        let keys = self.published.keys_of(host, port).map(|keys| keys.outcome.as_ref());
        let mta_sts = self.published.mta_sts.as_ref();
        if matches!(keys, Some(None)) || mta_sts.is_some_and(|known| known.record == Err(Unread::Late) && !*self.enough.borrow()) {
            return None;
        }
        let by_keys = keys.flatten().is_some_and(|outcome| matches!(outcome, TlsaOutcome::Records(_)) || outcome.must_defer());
        Some(!by_keys && mta_sts.and_then(MtaSts::enforced).is_none())
    }

    /// The names that TLS is to ask hosts for where they have TLSA records (RFC 7672 §3.2.1, RFC 7671 §7).
    pub(super) fn bases(&self) -> BTreeMap<(usize, Port), DomainName> {
        let with_records = self.published.keys.iter().filter(|keys| matches!(keys.outcome, Some(TlsaOutcome::Records(_))));
        with_records.filter_map(|keys| Some(((keys.host, keys.port), keys.base.clone()?))).collect()
    }

    /// What was found, and what was looked up for it.
    pub(super) fn into_parts(self) -> (Published, Vec<Lookup>) {
        (self.published, self.lookups)
    }
}

/// Waits until nobody waits any longer.
async fn over(mut enough: watch::Receiver<bool>) {
    if enough.wait_for(|enough| *enough).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What `asking` finds, unless nobody waits for it any longer.
async fn until(enough: watch::Receiver<bool>, asking: impl Future<Output = (Found, Vec<Lookup>)>) -> (Found, Vec<Lookup>) {
    tokio::select! {
        biased;
        found = asking => found,
        () = over(enough) => (Found::TlsRpt(Err(Unread::Late)), Vec::new()),
    }
}

/// The record, and the policy if there is a record.
async fn mta_sts(domain: &DomainName, line: Line<'_>, resolver: &Resolver, enough: watch::Receiver<bool>) -> (Found, Vec<Lookup>) {
    let mut lookups = Vec::new();
    let record = tokio::select! {
        biased;
        answer = text("_mta-sts", domain, resolver) => {
            lookups.extend(answer.lookups);
            answer.records.map_err(Unread::Lookup).and_then(|texts| StsRecord::find(&texts).map_err(Unread::Wrong))
        }
        () = over(enough.clone()) => Err(Unread::Late),
    };
    let mut fetch = if record.is_ok() { fetch_policy(domain, &line, resolver, over(enough)).await } else { None };
    if let Some(fetch) = &mut fetch {
        lookups.append(&mut fetch.lookups);
    }
    let policy = fetch.as_ref().and_then(|fetch| fetch.fetched.body.as_ref().ok()).map(|body| Policy::parse(body));
    (Found::MtaSts(Box::new(MtaSts { record, fetch, policy })), lookups)
}

async fn tls_rpt(domain: &DomainName, resolver: &Resolver) -> (Found, Vec<Lookup>) {
    let answer = text("_smtp._tls", domain, resolver).await;
    let found = answer.records.map_err(Unread::Lookup).and_then(|texts| TlsRpt::find(&texts).map_err(Unread::Wrong));
    (Found::TlsRpt(found), answer.lookups)
}

/// The TXT records under a name below the domain; a domain with a name too long for that has none.
async fn text(below: &str, domain: &DomainName, resolver: &Resolver) -> TxtAnswer {
    match format!("{below}.{domain}").parse() {
        Ok(name) => route::txt(&name, resolver).await,
        Err(_) => TxtAnswer::nothing(),
    }
}

#[cfg(test)]
mod tests;
