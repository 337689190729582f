//! Routes found by asking scripted DNS servers on loopback.

mod records;
mod security;
mod signing;
mod validation;
mod zone;

use std::io;
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::{Edns, Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::opt::EdnsOption;
use proptest::prelude::*;
use tokio::sync::mpsc;

use self::zone::{Server, closed_port};
use super::*;
use crate::settings::Clock;

/// Resolves `target` and returns the route and the steps.
async fn route_and_steps(target: &str, settings: &Settings) -> (Route, Vec<Step>) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let resolver = Resolver::new(settings, Clock::start());
    let route = resolve(&target.parse().unwrap(), settings, &resolver, sender).await;
    let mut steps = Vec::new();
    while let Some(step) = receiver.recv().await {
        steps.push(step);
    }
    (route, steps)
}

async fn route(target: &str, settings: &Settings) -> Route {
    route_and_steps(target, settings).await.0
}

fn asking(servers: &[&Server]) -> Settings {
    Settings { resolvers: servers.iter().map(|server| server.address).collect(), ..Settings::default() }
}

/// `mx | 10 mx.example.com 192.0.2.1 | 20 other.example.com -> alias.example.com !nxdomain`
fn shape(route: &Route) -> String {
    let mut words = vec![route.origin.as_str().to_owned()];
    if let Origin::Failed(failure) = route.origin {
        words.push(format!("{failure:?}"));
    }
    for host in &route.hosts {
        words.push("|".to_owned());
        words.extend(host.preference.map(|preference| preference.to_string()));
        words.push(host.name.to_string());
        words.extend(host.aliases.iter().map(|alias| format!("-> {alias}")));
        words.extend(host.addresses.iter().map(ToString::to_string));
        words.extend(host.fault.map(|fault| format!("!{}", fault.as_str())));
    }
    words.join(" ")
}

/// `MX example.com -> alias.example.com: 10 mx.example.com, 20 other.example.com`
fn lookup_lines(route: &Route) -> Vec<String> {
    route.lookups.iter().map(lookup_line).collect()
}

fn lookup_line(lookup: &Lookup) -> String {
    let mut words = vec![lookup.kind.as_str().to_owned(), lookup.name.clone()];
    words.extend(lookup.chain.iter().map(|alias| format!("-> {alias}")));
    let result = if let LookupResult::Found(records) = &lookup.result { records.join(", ") } else { lookup.result.as_str().to_owned() };
    format!("{}: {result}", words.join(" "))
}

/// One line of a script for each number below `count`.
fn script(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_dns_decides_where_mail_goes() {
    for (script, target, expected) in [
        (
            "example.com MX 20 b.example.com
             example.com MX 10 c.example.com
             example.com MX 20 a.example.com
             a.example.com A 192.0.2.1
             b.example.com A 192.0.2.2
             b.example.com AAAA 2001:db8::2
             c.example.com AAAA 2001:db8::3",
            "anna@example.com",
            "mx | 10 c.example.com 2001:db8::3 | 20 b.example.com 192.0.2.2 2001:db8::2 | 20 a.example.com 192.0.2.1",
        ),
        // Names are compared without regard to case; the better preference of a host counts.
        (
            "example.com MX 30 mx.example.com
             example.com MX 10 MX.Example.COM
             example.com MX 20 other.example.com
             mx.example.com A 192.0.2.1
             other.example.com A 192.0.2.2",
            "example.com",
            "mx | 10 mx.example.com 192.0.2.1 | 20 other.example.com 192.0.2.2",
        ),
        ("example.com MX 0 .", "anna@example.com", "null_mx"),
        ("example.com MX 10 .", "anna@example.com", "null_mx"),
        (
            "example.com MX 0 .
             example.com MX 10 mx.example.com
             mx.example.com A 192.0.2.1",
            "anna@example.com",
            "mx | 10 mx.example.com 192.0.2.1",
        ),
        ("example.com A 192.0.2.1", "anna@example.com", "implicit_mx | example.com 192.0.2.1"),
        ("example.com AAAA 2001:db8::1", "example.com", "implicit_mx | example.com 2001:db8::1"),
        ("example.com * @slow 0", "anna@example.com", "failed NoMailHost | example.com !no_address"),
        ("example.com A @code 2\nexample.com AAAA @slow 0", "example.com", "failed ServFail | example.com !servfail"),
        ("example.org A 192.0.2.1", "anna@example.com", "failed NxDomain"),
        ("example.com MX @code 2", "anna@example.com", "failed ServFail"),
        ("example.com MX @code 5", "anna@example.com", "failed Refused"),
        ("example.com MX @code 1", "anna@example.com", "failed OtherCode(1)"),
        ("example.com MX @garbage", "anna@example.com", "failed Malformed"),
        ("example.com MX @echo", "anna@example.com", "failed Malformed"),
        // Faults of a single host.
        (
            "example.com MX 10 gone.example.com
             example.com MX 20 bare.example.com
             example.com MX 30 broken.example.com
             example.com MX 40 half.example.com
             bare.example.com MX 10 bare.example.com
             broken.example.com * @code 2
             half.example.com A 192.0.2.4
             half.example.com AAAA @code 2",
            "anna@example.com",
            "mx | 10 gone.example.com !nxdomain | 20 bare.example.com !no_address | 30 broken.example.com !servfail \
             | 40 half.example.com 192.0.2.4",
        ),
        // What cannot be looked up.
        (
            "example.com MX 10 192.0.2.1
             example.com MX 20 300.1.1.1
             example.com MX 30 2001:db8::1
             example.com MX 40 [192.0.2.2]
             example.com MX 50 http://mx.example.com",
            "anna@example.com",
            "mx | 10 192.0.2.1 !literal_as_name | 20 300.1.1.1 !literal_as_name | 30 2001:db8::1 !literal_as_name \
             | 40 192.0.2.2 !literal_as_name",
        ),
        // Aliases, at the domain and at the host.
        (
            "example.com CNAME shop.example
             shop.example CNAME host.example
             host.example MX 10 mx.host.example
             mx.host.example CNAME real.host.example
             real.host.example A 192.0.2.1",
            "anna@example.com",
            "mx | 10 mx.host.example -> real.host.example 192.0.2.1",
        ),
        (
            "example.com CNAME host.example
             host.example A 192.0.2.1",
            "anna@example.com",
            "implicit_mx | example.com -> host.example 192.0.2.1",
        ),
        ("example.com CNAME gone.example", "anna@example.com", "failed NxDomain"),
        ("example.com CNAME a.example\na.example CNAME example.com", "anna@example.com", "failed AliasLoop"),
        ("example.com MX 10 mx.example.com\nmx.example.com CNAME mx.example.com", "anna@example.com", "mx | 10 mx.example.com !alias_loop"),
        // Records of other names prove nothing.
        (
            "example.com MX 10 mx.example.com
             example.com * @foreign
             other.example MX 5 evil.example
             mx.example.com A 192.0.2.1
             mx.example.com * @foreign
             evil.example A 192.0.2.66",
            "anna@example.com",
            "mx | 10 mx.example.com 192.0.2.1",
        ),
        ("example.com * @foreign\nother.example A 192.0.2.66", "example.com", "failed NoMailHost | example.com !no_address"),
    ] {
        let server = Server::start(script).await;
        assert_eq!(shape(&route(target, &asking(&[&server])).await), expected, "{script}");
    }
}

#[tokio::test]
async fn every_lookup_can_be_read_and_none_is_for_nothing() {
    for (script, target, lookups) in [
        (
            "example.com MX 10 mx.example.com
             example.com MX 0 .
             mx.example.com A 192.0.2.2
             mx.example.com A 192.0.2.1",
            "anna@example.com",
            vec!["MX example.com: 10 mx.example.com, 0 .", "A mx.example.com: 192.0.2.2, 192.0.2.1", "AAAA mx.example.com: no_data"],
        ),
        ("example.com MX 0 .", "anna@example.com", vec!["MX example.com: 0 ."]),
        ("a.example A 192.0.2.1", "anna@example.com", vec!["MX example.com: nxdomain"]),
        (
            "example.com AAAA 2001:db8::1",
            "anna@example.com",
            vec!["MX example.com: no_data", "A example.com: no_data", "AAAA example.com: 2001:db8::1"],
        ),
        (
            "example.com CNAME a.example\na.example CNAME b.example\nb.example A 192.0.2.1\nb.example AAAA @code 5",
            "anna@example.com",
            vec![
                "MX example.com -> a.example -> b.example: no_data",
                "A example.com -> a.example -> b.example: 192.0.2.1",
                "AAAA example.com -> a.example -> b.example: no_data",
            ],
        ),
        // An answer that ends with an alias is followed up with one question for the alias.
        (
            "example.com CNAME a.example\nexample.com * @half\na.example MX 0 .",
            "anna@example.com",
            vec!["MX example.com -> a.example: no_data", "MX a.example: 0 ."],
        ),
        (
            "example.com CNAME a.example\nexample.com * @half\na.example CNAME b.example\na.example * @half\nb.example MX @dead 22",
            "anna@example.com",
            vec!["MX example.com -> a.example: no_data", "MX a.example -> b.example: no_data", "MX b.example: servfail"],
        ),
        (
            "example.com CNAME a.example\nexample.com * @half\na.example CNAME example.com\na.example * @half",
            "anna@example.com",
            vec!["MX example.com -> a.example: no_data", "MX a.example: alias_loop"],
        ),
        ("mx.example.com A 192.0.2.1", "mx.example.com:25", vec!["A mx.example.com: 192.0.2.1", "AAAA mx.example.com: no_data"]),
        ("a.example A 192.0.2.1", "192.0.2.1", vec![]),
        ("a.example A 192.0.2.1", "anna@[IPv6:2001:db8::1]", vec![]),
    ] {
        let server = Server::start(script).await;
        let route = route(target, &asking(&[&server])).await;
        assert_eq!(lookup_lines(&route), lookups, "{script}");
        assert_eq!(server.asked().len(), lookups.len(), "{:?}", server.asked());
        for lookup in &route.lookups {
            assert_eq!((lookup.server, lookup.tcp), (Some(server.address), false));
        }
    }
}

#[tokio::test]
async fn a_chain_of_aliases_has_an_end() {
    for (links, half, expected) in
        [(8, false, "null_mx"), (9, false, "failed AliasLoop"), (8, true, "null_mx"), (9, true, "failed AliasLoop")]
    {
        let chain = script(links, |n| format!("n{n}.example CNAME n{}.example", n + 1));
        let halves = script(links, |n| if half { format!("n{n}.example * @half") } else { String::new() });
        let server = Server::start(&format!("{chain}\n{halves}\nn{links}.example MX 0 .")).await;
        assert_eq!(shape(&route("n0.example", &asking(&[&server])).await), expected, "{links} {half}");
    }
}

#[tokio::test]
async fn what_is_given_is_not_looked_up_by_mx() {
    let script = "example.com MX 10 mx.example.com
                  mx.example.com A 192.0.2.1
                  mx.example.com AAAA 2001:db8::1
                  given.example A 192.0.2.9";
    let server = Server::start(script).await;
    let plain = asking(&[&server]);
    let name = |text: &str| Host::Name(text.parse().unwrap());
    let servers = Settings {
        servers: vec![(name("given.example"), None), (Host::Address("192.0.2.7".parse().unwrap()), None), (name("no.example"), None)],
        ..plain.clone()
    };
    let resolve = Settings {
        resolve: [("mx.example.com".parse().unwrap(), vec!["198.51.100.1".parse().unwrap(), "2001:db8::51".parse().unwrap()])].into(),
        ..plain.clone()
    };
    let only_v4 = Settings { families: Families::V4, ..plain.clone() };
    let only_v6 = Settings { families: Families::V6, ..plain.clone() };
    let bound = Settings { bind: Some("::1".parse().unwrap()), ..plain.clone() };
    let neither = Settings { bind: Some("::1".parse().unwrap()), families: Families::V4, ..plain.clone() };
    let override_line = "given | given.example 192.0.2.9 | 192.0.2.7 192.0.2.7 | no.example !nxdomain";
    for (target, settings, expected) in [
        ("mx.example.com:587", &plain, "given | mx.example.com 192.0.2.1 2001:db8::1"),
        ("192.0.2.3:25", &plain, "given | 192.0.2.3 192.0.2.3"),
        ("anna@[192.0.2.3]", &plain, "given | 192.0.2.3 192.0.2.3"),
        ("anna@[IPv6:2001:db8::3]", &plain, "given | 2001:db8::3 2001:db8::3"),
        ("anna@[IPv6:2001:db8::3]", &only_v4, "given | 2001:db8::3 !family_excluded"),
        ("smtp://localhost", &plain, "given | localhost 127.0.0.1 ::1"),
        ("smtp://mail.localhost", &only_v6, "given | mail.localhost ::1"),
        ("localhost", &plain, "implicit_mx | localhost 127.0.0.1 ::1"),
        ("anna@example.com", &servers, override_line),
        ("example.com", &servers, override_line),
        ("192.0.2.3", &servers, override_line),
        ("anna@example.com", &resolve, "mx | 10 mx.example.com 198.51.100.1 2001:db8::51"),
        ("mx.example.com:25", &resolve, "given | mx.example.com 198.51.100.1 2001:db8::51"),
        ("anna@example.com", &only_v4, "mx | 10 mx.example.com 192.0.2.1"),
        ("anna@example.com", &only_v6, "mx | 10 mx.example.com 2001:db8::1"),
        ("anna@example.com", &bound, "mx | 10 mx.example.com 2001:db8::1"),
        ("anna@example.com", &neither, "mx | 10 mx.example.com !family_excluded"),
        // No MX, and an address of the other family: the domain is not without a mail host.
        ("given.example", &only_v6, "implicit_mx | given.example !family_excluded"),
    ] {
        assert_eq!(shape(&route(target, settings).await), expected, "{target}");
    }
    assert!(server.asked().iter().all(|question| !question.contains("localhost")));
    assert_eq!(route("anna@example.com", &servers).await.domain.unwrap().as_str(), "example.com");
    assert_eq!(route("192.0.2.3", &servers).await.domain, None);
}

#[tokio::test]
async fn what_is_at_hand_names_no_server() {
    let server = Server::start("a.example A 192.0.2.1").await;
    let settings = Settings { resolve: [("a.example".parse().unwrap(), vec!["192.0.2.7".parse().unwrap()])].into(), ..asking(&[&server]) };
    let route = route("a.example:25", &settings).await;
    assert_eq!(lookup_lines(&route), ["A a.example: 192.0.2.7", "AAAA a.example: no_data"]);
    assert!(route.lookups.iter().all(|lookup| lookup.server.is_none()));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn another_server_is_asked_where_one_cannot_tell() {
    let good = "example.com MX 0 .";
    for (first, result) in [
        ("example.com MX @code 5", "refused"),
        ("example.com MX @code 2", "servfail"),
        ("example.com MX @code 1", "other_code"),
        ("example.com MX @garbage", "malformed"),
    ] {
        let (first, second) = (Server::start(first).await, Server::start(good).await);
        let route = route("example.com", &asking(&[&first, &second])).await;
        assert_eq!(route.origin, Origin::NullMx);
        assert_eq!(lookup_lines(&route), [format!("MX example.com: {result}"), "MX example.com: 0 .".to_owned()]);
        assert_eq!(route.lookups[0].server, Some(first.address));
        assert_eq!(route.lookups[1].server, Some(second.address));
        assert!(route.lookups[1].at >= route.lookups[0].at);
    }
    // No such name and no such record are answers.
    for (first, origin) in [
        ("other.example A 192.0.2.1", Origin::Failed(LookupFailure::NxDomain)),
        ("example.com * @slow 0", Origin::Failed(LookupFailure::NoMailHost)),
    ] {
        let (first, second) = (Server::start(first).await, Server::start(good).await);
        assert_eq!(route("example.com", &asking(&[&first, &second])).await.origin, origin);
        assert!(second.asked().is_empty());
    }
}

#[tokio::test]
async fn of_several_failures_the_most_telling_is_kept() {
    let broken = Server::start("example.com MX @code 2").await;
    let refusing = Server::start("example.com MX @code 5").await;
    let closed = closed_port().await;
    for (resolvers, expected) in [
        (vec![closed, broken.address, refusing.address], LookupFailure::ServFail),
        (vec![refusing.address, broken.address], LookupFailure::ServFail),
        (vec![refusing.address, closed], LookupFailure::Refused),
    ] {
        let count = resolvers.len();
        let route = route("example.com", &Settings { resolvers, ..Settings::default() }).await;
        assert_eq!((route.origin, route.lookups.len()), (Origin::Failed(expected), count));
    }
}

#[tokio::test]
async fn a_silent_server_is_left_for_the_next_and_asked_last_from_then_on() {
    let silent = Server::start("example.com MX @silent").await;
    let good = Server::start("example.com MX 10 mx.example.com\nmx.example.com A 192.0.2.1").await;
    let settings = asking(&[&silent, &good]);
    let begin = Instant::now();
    let route = route("anna@example.com", &settings).await;
    let took = begin.elapsed();
    assert!((Duration::from_millis(1900)..Duration::from_millis(2900)).contains(&took), "{took:?}");
    assert_eq!(shape(&route), "mx | 10 mx.example.com 192.0.2.1");
    // Sent twice to the first server, and nothing after it was found silent.
    assert_eq!(silent.asked(), ["udp MX example.com", "udp MX example.com"]);
    assert_eq!(good.asked().len(), 3);
    assert_eq!(route.lookups[0].result, LookupResult::Failed(LookupFailure::TimedOut));
    assert!(route.lookups[0].took >= Duration::from_millis(1900));
}

#[tokio::test]
async fn an_only_server_has_more_time() {
    let silent = Server::start("example.com MX @silent").await;
    let late = Server::start("example.com MX 0 .\nexample.com MX @slow 3500").await;
    let begin = Instant::now();
    let (settings, patient) = (asking(&[&silent]), asking(&[&late]));
    let (failed, found) = tokio::join!(route("example.com", &settings), route("example.com", &patient));
    let took = begin.elapsed();
    assert_eq!(failed.origin, Origin::Failed(LookupFailure::TimedOut));
    assert_eq!(found.origin, Origin::NullMx);
    assert!((Duration::from_millis(4900)..Duration::from_secs(6)).contains(&took), "{took:?}");
    assert_eq!(silent.asked().len(), 3);
}

#[tokio::test]
async fn answers_to_nobody_are_no_answers() {
    for behaviour in ["wrong-id", "other-question"] {
        let (liar, good) = (Server::start(&format!("example.com MX @{behaviour}")).await, Server::start("example.com MX 0 .").await);
        let route = route("example.com", &asking(&[&liar, &good])).await;
        assert_eq!(lookup_lines(&route), ["MX example.com: timed_out", "MX example.com: 0 ."], "{behaviour}");
    }
}

#[tokio::test]
async fn a_closed_port_is_seen_at_once() {
    let settings = Settings { resolvers: vec![closed_port().await], ..Settings::default() };
    let begin = Instant::now();
    let route = route("example.com", &settings).await;
    assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
    let Origin::Failed(LookupFailure::ResolverUnreachable(Some(errno))) = route.origin else { panic!("{route:?}") };
    assert_eq!(io::Error::from_raw_os_error(errno).kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn without_a_server_the_lookup_says_so() {
    let resolver = Resolver::on_system(&[], "");
    let (sender, _) = mpsc::unbounded_channel();
    let route = resolve(&"anna@example.com".parse().unwrap(), &Settings::default(), &resolver, sender).await;
    assert_eq!(shape(&route), "failed NoResolver");
    assert_eq!(lookup_lines(&route), ["MX example.com: no_resolver"]);
}

#[tokio::test]
async fn only_a_host_that_is_given_is_sought_in_the_hosts_file() {
    let server = Server::start("example.com MX 10 mx.example.com\nmx.example.com A 192.0.2.1").await;
    let hosts = "192.0.2.7 MX.example.com mail # ours\n2001:db8::7 mx.example.com\n192.0.2.8 mail";
    let resolver = Resolver::on_system(&[server.address], hosts);
    for (target, expected) in [
        ("anna@example.com", "mx | 10 mx.example.com 192.0.2.1"),
        ("mx.example.com", "implicit_mx | mx.example.com 192.0.2.1"),
        ("mx.example.com:25", "given | mx.example.com 192.0.2.7 2001:db8::7"),
        ("mail:25", "given | mail 192.0.2.7 192.0.2.8"),
    ] {
        let (sender, _) = mpsc::unbounded_channel();
        let (target, settings) = (target.parse().unwrap(), Settings::default());
        let search = resolve(&target, &settings, &resolver, sender);
        is_send(&search);
        assert_eq!(shape(&search.await), expected, "{target}");
    }
}

/// A service may want to move a search to another thread.
fn is_send(_: &impl Send) {}

#[tokio::test]
async fn a_truncated_answer_is_fetched_over_tcp() {
    let server = Server::start("example.com MX 0 .\nexample.com * @over-tcp").await;
    let found = route("example.com", &asking(&[&server])).await;
    assert_eq!(found.origin, Origin::NullMx);
    assert_eq!(server.asked(), ["udp MX example.com", "tcp MX example.com"]);
    assert_eq!(found.lookups.len(), 1);
    assert!(found.lookups[0].tcp);
}

#[tokio::test]
async fn what_goes_wrong_over_tcp_is_told_apart() {
    let good = Server::start("example.com MX 0 .").await;
    for (behaviour, result) in
        [("silent", "resolver_unreachable"), ("slow 60000", "timed_out"), ("other-question", "malformed"), ("code 5", "refused")]
    {
        let server = Server::start(&format!("example.com MX 10 mx.example.com\nexample.com MX @over-tcp {behaviour}")).await;
        let route = route("example.com", &asking(&[&server, &good])).await;
        assert_eq!(lookup_lines(&route), [format!("MX example.com: {result}"), "MX example.com: 0 .".to_owned()], "{behaviour}");
        assert!(route.lookups[0].tcp && route.lookups[0].took < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn an_answer_is_read_within_bounds() {
    let hosts = script(40, |n| format!("example.com MX {n} m{n}.example\nm{n}.example A 192.0.2.1"));
    let addresses = script(80, |n| format!("many.example A 192.0.2.{n}"));
    let server = Server::start(&format!("{hosts}\n{addresses}")).await;
    let (found, steps) = route_and_steps("anna@example.com", &asking(&[&server])).await;
    assert_eq!(found.hosts.len(), 40);
    assert!(found.hosts[..32].iter().all(|host| host.addresses.len() == 1));
    assert!(found.hosts[32..].iter().all(|host| host.fault == Some(HostFault::LeftOut)));
    assert_eq!(found.lookups.len(), 1 + 2 * 32);
    assert_eq!(steps.iter().filter(|step| matches!(step, Step::Done { .. })).count(), 40);

    let found = route("many.example:25", &asking(&[&server])).await;
    assert_eq!(found.hosts[0].addresses.len(), 16);
    let LookupResult::Found(records) = &found.lookups[0].result else { panic!("{found:?}") };
    assert_eq!(records.len(), 64);
}

#[tokio::test]
async fn an_address_is_handed_on_before_what_is_slower() {
    let server = Server::start(
        "example.com MX 10 slow.example.com
         example.com MX 20 fast.example.com
         example.com MX 30 192.0.2.9
         slow.example.com A 192.0.2.1
         slow.example.com AAAA 2001:db8::1
         slow.example.com AAAA @slow 300
         slow.example.com A @slow 600
         fast.example.com A 192.0.2.2
         fast.example.com AAAA @slow 150",
    )
    .await;
    let (route, steps) = route_and_steps("anna@example.com", &asking(&[&server])).await;
    let done = |host: usize| Step::Done { host, found: Box::new(route.hosts[host].clone()) };
    let address = |host: usize, address: &str| Step::Address { host, address: address.parse().unwrap() };
    let Some(Step::Hosts(hosts)) = steps.first() else { panic!("{steps:?}") };
    assert!(hosts.iter().zip(&route.hosts).all(|(early, late)| early.name == late.name && early.addresses.is_empty()));
    let expected = [done(2), address(1, "192.0.2.2"), done(1), address(0, "2001:db8::1"), address(0, "192.0.2.1"), done(0)];
    assert_eq!(steps[1..], expected);
    // The order in which answers came is not the route's.
    assert_eq!(
        shape(&route),
        "mx | 10 slow.example.com 192.0.2.1 2001:db8::1 | 20 fast.example.com 192.0.2.2 | 30 192.0.2.9 !literal_as_name"
    );
    let kinds: Vec<_> = route.lookups.iter().map(|lookup| lookup.kind.as_str()).collect();
    assert_eq!(kinds, ["MX", "A", "AAAA", "A", "AAAA"]);
}

proptest! {
    #[test]
    fn no_answer_can_do_harm(
        records in prop::collection::vec((0..4_usize, 0..6_usize), 0..12),
        code in 0..6_u8,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let data = [("MX", "10 a.example"), ("CNAME", "b.example"), ("A", "192.0.2.1"), ("CNAME", "example.com"), ("TXT", "v=STSv1;|id=1"), ("TLSA", "3 1 1 7")];
        let owners = ["example.com", "a.example", "b.example", "c.example"];
        let mut message = Message::response(1, OpCode::Query);
        message.metadata.response_code = ResponseCode::from(0, code);
        for (owner, kind) in records {
            message.answers.push(Record::from_rdata(zone::name(owners[owner]), 1, zone::rdata(data[kind].0, data[kind].1)));
        }
        let mut edns = Edns::new();
        edns.options_mut().insert(EdnsOption::Unknown(15, vec![0, 6, b'x']));
        message.edns = Some(edns);
        let mut bytes = message.to_vec().unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let Ok(message) = Message::from_vec(&bytes) else { return Ok(()) };
        let _ = (super::security::of_answer(&message, true), super::security::suspicion(&message));
        for kind in [LookupKind::Mx, LookupKind::A, LookupKind::Aaaa, LookupKind::Cname, LookupKind::Txt, LookupKind::Tlsa] {
            let mut chain = answer::Chain::from("example.com").unwrap();
            let reading = answer::read(&message, kind, &mut chain);
            prop_assert!(chain.links() <= 8 && chain.aliases(0).len() <= 8);
            if let LookupResult::Found(texts) = reading.result() {
                prop_assert!(texts.iter().all(|text| !text.chars().any(char::is_control)));
            }
            if let answer::Reading::Final(Outcome::Found(records)) = reading {
                prop_assert!(!records.is_empty());
                let _ = exchangers::read(&records);
            }
        }
    }
}
