//! The policy that a domain publishes for those who send it mail, fetched from its policy host (RFC 8461 §3.3).

use std::future::Future;
use std::pin::pin;

use crate::policy::{FetchFailure, FetchStep, Fetched};
use crate::route::{self, Lookup, MailHost, Resolver};
use crate::target::DomainName;
use crate::transport::Line;

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

/// Fetches the policy of `domain`, until `enough` says that nobody waits any longer. None if the domain's name is too long to have
/// a policy host.
pub async fn fetch_policy(
    domain: &DomainName,
    line: &Line<'_>,
    resolver: &Resolver,
    enough: impl Future<Output = ()>,
) -> Option<PolicyFetch> {
    let name: DomainName = format!("mta-sts.{domain}").parse().ok()?;
    let at = line.clock.now();
    let mut enough = pin!(enough);
    let found = tokio::select! {
        biased;
        found = route::locate(&name, line.settings, resolver) => Some(found),
        () = enough.as_mut() => None,
    };
    let Some((host, lookups)) = found else {
        let took = line.clock.now().since(at);
        let fetched = Fetched::without_address(&name, PATH, at, took, FetchFailure::TimedOut(FetchStep::Lookup));
        return Some(PolicyFetch { host: None, lookups: Vec::new(), fetched });
    };
    let fetched = line.fetch(&name, PATH, &host.addresses, enough).await;
    Some(PolicyFetch { host: Some(host), lookups, fetched })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::net::{TcpListener, UdpSocket};

    use super::*;
    use crate::route::HostFault;
    use crate::settings::{Clock, Settings};
    use crate::smtp::FailureKind;
    use crate::transport::TlsClient;

    async fn fetch(domain: &str, settings: &Settings, limit: Duration) -> Option<PolicyFetch> {
        let (clock, tls) = (Clock::start(), TlsClient::new(&[]));
        let line = Line { settings, clock, tls: &tls, connect_timeout: settings.connect_timeout };
        let resolver = Resolver::new(settings, clock);
        fetch_policy(&domain.parse().expect(domain), &line, &resolver, tokio::time::sleep(limit)).await
    }

    /// An address where nothing listens.
    async fn closed() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address")
    }

    #[tokio::test]
    async fn the_host_has_a_name_of_its_own_and_its_addresses_are_looked_up() {
        let closed = closed().await;
        let settings = Settings {
            resolve: [("mta-sts.example.com".parse().expect("a name"), vec!["192.0.2.1".parse().expect("an address")])].into(),
            connect_to: [("192.0.2.1:443".parse().expect("an address"), closed)].into(),
            ..Settings::default()
        };
        let fetch = fetch("example.com", &settings, Duration::from_secs(5)).await.expect("a fetch");
        assert_eq!(fetch.fetched.url, "https://mta-sts.example.com/.well-known/mta-sts.txt");
        assert_eq!((fetch.host.map(|host| host.addresses.len()), fetch.lookups.len()), (Some(1), 2));
        assert!(matches!(fetch.fetched.body, Err(FetchFailure::Connect(failure)) if failure.kind == FailureKind::Refused));
    }

    #[tokio::test]
    async fn without_an_address_the_lookups_say_why() {
        let settings = Settings { resolvers: vec![closed().await], ..Settings::default() };
        let fetch = fetch("example.com", &settings, Duration::from_secs(5)).await.expect("a fetch");
        assert_eq!(fetch.fetched.body, Err(FetchFailure::NoAddress));
        assert!(matches!(fetch.host.and_then(|host| host.fault), Some(HostFault::Lookup(_))));
        assert_eq!(fetch.lookups.len(), 2);
    }

    #[tokio::test]
    async fn a_silent_resolver_takes_no_longer_than_the_limit() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let settings = Settings { resolvers: vec![silent.local_addr().expect("an address")], ..Settings::default() };
        let limit = Duration::from_millis(300);
        let fetch = fetch("example.com", &settings, limit).await.expect("a fetch");
        assert_eq!(fetch.fetched.body, Err(FetchFailure::TimedOut(FetchStep::Lookup)));
        assert!(fetch.fetched.took >= limit && fetch.fetched.took < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_name_without_room_has_no_policy_host() {
        let label = "x".repeat(61);
        let long = [label.as_str(); 4].join(".");
        assert_eq!(fetch(&long, &Settings::default(), Duration::from_secs(1)).await, None);
    }
}
