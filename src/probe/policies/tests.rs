//! When policies are waited for, and what they forbid: against a name server that says what a test wants it to say.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, MessageType, Metadata, ResponseCode};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::*;
use crate::policy::FetchStep;
use crate::settings::{Clock, Settings};
use crate::target::Host;
use crate::transport::TlsClient;

/// A name server that answers NXDOMAIN, but for names with one of these parts, to which it never answers.
async fn name_server(silent: &'static [&'static str]) -> SocketAddr {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a port"));
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut bytes = [0; 2048];
        while let Ok((length, client)) = socket.recv_from(&mut bytes).await {
            let Ok(request) = Message::from_vec(&bytes[..length]) else { continue };
            let name = request.queries.first().map(|query| query.name().to_ascii()).unwrap_or_default();
            if silent.iter().any(|part| name.contains(part)) {
                continue;
            }
            let mut answer = Message::new(0, MessageType::Response, request.metadata.op_code);
            answer.metadata = Metadata::response_from_request(&request.metadata);
            answer.metadata.response_code = ResponseCode::NXDomain;
            answer.add_queries(request.queries.iter().cloned());
            let _ = socket.send_to(&answer.to_vec().expect("an answer"), client).await;
        }
    });
    address
}

/// Waits as a probe does whose conversations are over at once, and says what was found and how long that took.
async fn waited(settings: &Settings, wanted: bool) -> (Published, Duration) {
    let (clock, tls) = (Clock::start(), TlsClient::new(&[]));
    let line = Line { settings, clock, tls: &tls, connect_timeout: settings.connect_timeout };
    let resolver = Resolver::new(settings, clock);
    let domain = "example.com".parse().expect("a name");
    let mut policies = Policies::new(Some(&domain), wanted, line, &resolver);
    while !policies.may_end(clock.now()) {
        let wake = policies.wake(clock.now()).unwrap_or(Duration::from_secs(30));
        let _ = timeout(wake, policies.advance()).await;
    }
    (policies.into_parts().0, clock.now().0)
}

#[tokio::test]
async fn what_is_not_there_is_known_at_once_and_what_is_not_wanted_is_not_asked() {
    let settings = Settings { resolvers: vec![name_server(&[]).await], ..Settings::default() };
    let (published, took) = waited(&settings, true).await;
    assert_eq!(published.mta_sts.map(|known| known.record), Some(Err(Unread::Wrong(TxtError::Absent))));
    assert_eq!(published.tls_rpt, Some(Err(Unread::Wrong(TlsRptError::Record(TxtError::Absent)))));
    assert!(took < GRACE, "{took:?}");
    let (published, took) = waited(&settings, false).await;
    assert_eq!((published, took < Duration::from_millis(50)), (Published::default(), true));
}

#[tokio::test]
async fn whoever_stays_silent_holds_up_nothing() {
    for (silent, mta_sts, tls_rpt) in [
        (&["_mta-sts"][..], Unread::Late, Unread::Wrong(TlsRptError::Record(TxtError::Absent))),
        (&["_smtp._tls"], Unread::Wrong(TxtError::Absent), Unread::Late),
    ] {
        let settings = Settings { resolvers: vec![name_server(silent).await], ..Settings::default() };
        let (published, took) = waited(&settings, true).await;
        assert_eq!(published.mta_sts.map(|known| known.record), Some(Err(mta_sts)), "{silent:?}");
        assert_eq!(published.tls_rpt, Some(Err(tls_rpt)), "{silent:?}");
        assert!(took >= GRACE && took < GRACE + Duration::from_millis(400), "{took:?}");
    }
}

#[tokio::test]
async fn keys_are_waited_for_because_that_they_cannot_be_had_is_an_answer() {
    let settings = Settings { resolvers: vec![name_server(&["_25._tcp"]).await], trust_ad: true, ..Settings::default() };
    let (clock, tls) = (Clock::start(), TlsClient::new(&[]));
    let line = Line { settings: &settings, clock, tls: &tls, connect_timeout: settings.connect_timeout };
    let resolver = Resolver::new(&settings, clock);
    let mut policies = Policies::new(None, true, line, &resolver);
    let mut host = MailHost::new(Host::Name("mx1.example.com".parse().expect("a name")));
    policies.located(1, &host, [Port::SMTP].into_iter());
    assert!(policies.is_empty(), "a host without an address is asked nothing");
    host.addresses.push("192.0.2.1".parse().expect("an address"));
    policies.located(0, &host, [Port::SMTP].into_iter());
    assert_eq!(policies.let_go_in_the_clear(0, Port::SMTP), None);
    while !policies.may_end(clock.now()) {
        policies.advance().await;
    }
    assert_eq!(policies.let_go_in_the_clear(0, Port::SMTP), Some(false));
    let keys = policies.into_parts().0.keys;
    assert_eq!(keys.first().and_then(|keys| keys.outcome.clone()), Some(TlsaOutcome::Failed(LookupFailure::TimedOut)));
}

#[test]
fn what_is_published_allows_or_forbids_to_go_on_in_the_clear() {
    let settings = Settings::default();
    let (clock, tls) = (Clock::start(), TlsClient::new(&[]));
    let resolver = Resolver::new(&settings, clock);
    let line = || Line { settings: &settings, clock, tls: &tls, connect_timeout: settings.connect_timeout };
    let host = |outcome| HostKeys { host: 0, port: Port::SMTP, base: None, outcome };
    let policy = |mode: &str| {
        let text = format!("version: STSv1\nmode: {mode}\nmx: mx.example.com\nmax_age: 86400\n");
        let record = StsRecord::find(&["v=STSv1; id=1"]).map_err(Unread::Wrong);
        Some(MtaSts { record, fetch: None, policy: Some(Policy::parse(text.as_bytes())) })
    };
    let unfetched = || Some(MtaSts { policy: None, ..policy("enforce").expect("a policy") });
    let records = || Some(TlsaOutcome::Records(vec![(3, 1, 1, vec![0; 32]).into()]));
    for (outcome, mta_sts, expected) in [
        (Some(TlsaOutcome::Insecure), None, Some(true)),
        (Some(TlsaOutcome::Absent), policy("testing"), Some(true)),
        (Some(TlsaOutcome::Absent), policy("none"), Some(true)),
        (Some(TlsaOutcome::Absent), unfetched(), Some(true)),
        (Some(TlsaOutcome::Absent), policy("enforce"), Some(false)),
        (records(), None, Some(false)),
        (Some(TlsaOutcome::Bogus(None)), None, Some(false)),
        (Some(TlsaOutcome::Failed(LookupFailure::ServFail)), None, Some(false)),
        (None, None, None),
        (Some(TlsaOutcome::Absent), Some(MtaSts::LATE), None),
    ] {
        let mut policies = Policies::new(None, true, line(), &resolver);
        policies.published.keys.push(host(outcome.clone()));
        policies.published.mta_sts.clone_from(&mta_sts);
        assert_eq!(policies.let_go_in_the_clear(0, Port::SMTP), expected, "{outcome:?} {mta_sts:?}");
        if mta_sts == Some(MtaSts::LATE) {
            policies.enough.send_replace(true);
            assert_eq!(policies.let_go_in_the_clear(0, Port::SMTP), Some(true), "nobody waits any longer");
        }
    }
    assert_eq!(Policies::new(None, false, line(), &resolver).let_go_in_the_clear(0, Port::SMTP), Some(true));
    assert!(matches!(FetchFailure::TimedOut(FetchStep::Answer).as_str(), "timed_out"));
}
