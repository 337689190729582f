//! Records of names that need be none of a host.

use std::time::{Duration, Instant};

use super::super::*;
use super::zone::Server;
use super::{asking, script};
use crate::settings::Clock;
use crate::smtp::Elapsed;

#[tokio::test]
async fn any_name_can_be_asked_for_its_records() {
    let server = Server::start(
        "foo:bar/baz.example.com A 192.0.2.1
         example.com TXT v=spf1| -a|ll
         example.com MX 0 .
         example.com MX 10 odd:name.example.com
         1.2.0.192.in-addr.arpa PTR mx.example.com
         slow.example.com * @slow 3000",
    )
    .await;
    let resolver = Resolver::new(&asking(&[&server]), Clock::start());
    let name = |text: &str| text.parse::<QueryName>().expect(text);
    let later = Elapsed(Duration::from_secs(60));
    for (asked, kind, expected) in [
        ("foo:bar/baz.EXAMPLE.com", LookupKind::A, Records::Found(vec![Record::Address("192.0.2.1".parse().unwrap())])),
        ("example.com", LookupKind::Txt, Records::Found(vec![Record::Text(b"v=spf1 -all".to_vec())])),
        (
            "example.com",
            LookupKind::Mx,
            Records::Found(vec![Record::Exchange(0, None), Record::Exchange(10, Some(name("odd:name.example.com")))]),
        ),
        ("1.2.0.192.in-addr.arpa", LookupKind::Ptr, Records::Found(vec![Record::Pointer(Some(name("mx.example.com")))])),
        ("example.com", LookupKind::A, Records::NoData),
        ("gone.example.com", LookupKind::A, Records::NxDomain),
    ] {
        assert_eq!(records(&name(asked), kind, &resolver, later).await, expected, "{asked} {kind:?}");
    }
    // Time that is over is not waited for.
    let begun = Instant::now();
    let soon = Elapsed(resolver.clock().now().0 + Duration::from_millis(100));
    let timed_out = Records::Failed(LookupFailure::TimedOut);
    assert_eq!(records(&name("slow.example.com"), LookupKind::A, &resolver, soon).await, timed_out);
    assert_eq!(records(&name("example.com"), LookupKind::Txt, &resolver, soon).await, timed_out);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_everybody_wants_to_have_at_a_name_does_not_hide_the_rest() {
    let texts = script(300, |n| format!("example.com TXT verification-{n}"));
    let server = Server::start(&texts).await;
    let resolver = Resolver::new(&asking(&[&server]), Clock::start());
    let found = records(&"example.com".parse().unwrap(), LookupKind::Txt, &resolver, Elapsed(Duration::from_secs(60))).await;
    let Records::Found(found) = found else { panic!("{found:?}") };
    assert_eq!(found.len(), 256);
}

#[tokio::test]
async fn whoever_asks_for_many_domains_asks_for_a_shared_host_once() {
    let domains = script(40, |n| format!("d{n}.example MX 10 mx.example"));
    let server = Server::start(&format!("{domains}\nmx.example A 192.0.2.1")).await;
    let settings = asking(&[&server]);
    let resolver = Resolver::new(&settings, Clock::start()).remembering();
    for _ in 0..2 {
        let routes = (0..40).map(|n| {
            let (unheard, _) = tokio::sync::mpsc::unbounded_channel();
            let (settings, resolver) = (&settings, &resolver);
            async move { resolve(&format!("d{n}.example").parse().unwrap(), settings, resolver, unheard).await }
        });
        for route in futures_util::future::join_all(routes).await {
            assert_eq!(route.hosts[0].addresses, ["192.0.2.1".parse::<std::net::IpAddr>().unwrap()]);
        }
    }
    let mut asked = server.asked();
    asked.retain(|question| !question.starts_with("udp MX d"));
    asked.sort();
    assert_eq!(asked, ["udp A mx.example", "udp AAAA mx.example"]);
    assert_eq!(server.asked().len(), 42, "each domain once");
    assert!(resolver.lookups().is_empty());
}
