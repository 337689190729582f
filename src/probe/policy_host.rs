//! The policy that a domain publishes for those who send it mail, fetched from its policy host (RFC 8461 §3.3).

use std::time::Duration;

use tokio::time::timeout;

use crate::route::{self, Lookup, MailHost, Resolver};
use crate::target::DomainName;
use crate::transport::{FetchFailure, FetchStep, Fetched, Line};

/// The policy's place on its host.
const PATH: &str = "/.well-known/mta-sts.txt";

/// What came of fetching a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFetch {
    /// The policy host with its addresses; none if they were not known in time.
    pub host: Option<MailHost>,
    /// What was looked up for it.
    pub lookups: Vec<Lookup>,
    /// The rest.
    pub fetched: Fetched,
}

/// Fetches the policy of `domain`, all within `limit`. None if the domain's name is too long to have a policy host.
pub async fn fetch_policy(domain: &DomainName, line: &Line<'_>, resolver: &Resolver, limit: Duration) -> Option<PolicyFetch> {
    let name: DomainName = format!("mta-sts.{domain}").parse().ok()?;
    let at = line.clock.now();
    let Ok((host, lookups)) = timeout(limit, route::locate(&name, line.settings, resolver)).await else {
        let took = line.clock.now().since(at);
        let fetched = Fetched::without_address(&name, PATH, at, took, FetchFailure::TimedOut(FetchStep::Lookup));
        return Some(PolicyFetch { host: None, lookups: Vec::new(), fetched });
    };
    let rest = limit.saturating_sub(line.clock.now().since(at));
    let fetched = line.fetch(&name, PATH, &host.addresses, rest).await;
    Some(PolicyFetch { host: Some(host), lookups, fetched })
}
