//! What a probe makes of the world's transport security, by the very parts that it asks a real one with.

use super::*;
use crate::policy::{DaneVerdict, FetchFailure, FetchStep, Fetched, Matched};
use crate::route::{Resolver, Security, TlsaOutcome, Validator, locate, resolve, tlsa, txt};
use crate::settings::Clock;
use crate::smtp::{CertificateVerdict, TlsVersion};
use crate::target::{Host, Port};
use crate::transport::dane::verify;
use crate::transport::{Line, TlsClient, legacy};

const DNS: &str = r#"
address = "anna@dane.test"
title = "t"
teaches = "l"
expect = { outcome = "accepted", reason = "accepted", actor = "nobody", confidence = "certain" }
signed = ["dane.test"]
[dns]
"dane.test MX" = ["10 mx1.dane.test"]
"mx1.dane.test A" = ["192.0.2.1"]
"mx1.dane.test AAAA" = ["2001:db8::1"]
"plain.test MX" = ["10 mx1.dane.test"]
"alias.dane.test CNAME" = ["mx1.plain.test"]
"mx1.plain.test A" = ["192.0.2.2"]
"bogus.test MX" = "BOGUS"
"dead.test MX" = "SERVFAIL"
"_smtp._tls.dane.test TXT" = ["v=TLSRPTv1; rua=mailto:tls@dane.test"]
"#;

const SECURE: Security = Security::Secure(Validator::Resolver);
const INSECURE: Security = Security::Insecure(Validator::Resolver);

async fn start(more: &str) -> World {
    World::start(&Scenario::parse(&format!("{DNS}{more}")).unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_route_is_as_secure_as_the_scenario_says() {
    let world = start("").await;
    let settings = world.settings(Settings::default());
    let resolver = Resolver::new(&settings, Clock::start());
    for (target, expected) in [
        ("dane.test", Some(SECURE)),
        ("nothing.dane.test", Some(SECURE)),
        ("plain.test", Some(INSECURE)),
        ("alias.dane.test", Some(INSECURE)),
        ("bogus.test", Some(Security::Bogus(Some(6)))),
        ("dead.test", None),
    ] {
        let (sender, _) = tokio::sync::mpsc::unbounded_channel();
        let route = resolve(&target.parse().unwrap(), &settings, &resolver, sender).await;
        assert_eq!(Some(route.security).filter(|security| security.as_str() != "unknown"), expected, "{target}");
    }
    let text = txt(&"_smtp._tls.dane.test".parse().unwrap(), &resolver).await;
    assert_eq!((text.records, text.security), (Ok(vec!["v=TLSRPTv1; rua=mailto:tls@dane.test".to_owned()]), SECURE));
}

/// What a sender makes of the certificates shown at 192.0.2.1, which has these records.
async fn measured(records: &str, server: &str) -> (usize, DaneVerdict) {
    let world = start(&format!("\"_25._tcp.mx1.dane.test TLSA\" = [{records}]\n[[server]]\nat = [\"192.0.2.1:25\"]\n{server}")).await;
    let settings = world.settings(Settings::default());
    let resolver = Resolver::new(&settings, Clock::start());
    let (sender, _) = tokio::sync::mpsc::unbounded_channel();
    let route = resolve(&"dane.test".parse().unwrap(), &settings, &resolver, sender).await;
    let found = tlsa(&route.hosts[0], Port::SMTP, &resolver).await;
    let TlsaOutcome::Records(records) = found.outcome else { panic!("{:?}", found.outcome) };
    let mut client = Client::to(&world).await;
    client.reply().await;
    client.say("STARTTLS").await;
    let stream = shake(&world, client.0.into_inner(), "mx1.dane.test").await.unwrap();
    let chain: Vec<Vec<u8>> = stream.get_ref().1.peer_certificates().unwrap().iter().map(|certificate| certificate.to_vec()).collect();
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    (records.len(), verify(&chain, &records, &["mx1.dane.test".parse().unwrap()], now).verdict)
}

#[tokio::test]
async fn records_match_the_server_of_their_host_or_the_authority() {
    let authenticated = |record, matched| DaneVerdict::Authenticated { record, matched, uncounted: Vec::new() };
    for (records, server, expected) in [
        ("\"3 1 1 own\"", "", authenticated(0, Matched::Sent(0))),
        ("\"3 0 2 own\"", "", authenticated(0, Matched::Sent(0))),
        ("\"3 1 0 own\"", "", authenticated(0, Matched::Sent(0))),
        ("\"2 0 1 issuer\"", "chain = \"with_issuer\"", authenticated(0, Matched::Sent(1))),
        ("\"2 1 2 issuer\"", "chain = \"with_issuer\"", authenticated(0, Matched::Sent(1))),
        ("\"2 0 0 issuer\"", "", authenticated(0, Matched::Published)),
    ] {
        let (length, verdict) = measured(records, server).await;
        assert_eq!((length, verdict), (1, expected), "{records}");
    }
    for (records, server) in [("\"2 0 1 issuer\"", ""), ("\"3 0 1 issuer\"", "chain = \"with_issuer\""), ("\"3 1 1 00ff\"", "")] {
        assert!(matches!(measured(records, server).await.1, DaneVerdict::Failed { .. } | DaneVerdict::Unusable { .. }), "{records}");
    }
    // The same host at another address shows another certificate.
    let (length, verdict) = measured("\"3 1 1 own\"", "[[server]]\nat = [\"[2001:db8::1]:25\"]").await;
    assert_eq!((length, verdict), (2, authenticated(0, Matched::Sent(0))));
}

#[tokio::test]
async fn an_old_server_shows_what_it_would_have_chosen() {
    let dns = "\"_25._tcp.mx1.dane.test TLSA\" = [\"3 0 0 own\"]";
    let world = start(&format!("{dns}\n[[server]]\nat = [\"192.0.2.1:25\"]\ntls = \"old\"\nchain = \"with_issuer\"")).await;
    let mut client = Client::to(&world).await;
    client.reply().await;
    assert!(client.say("STARTTLS").await.starts_with("220 "));
    let name = Host::Name("mx1.dane.test".parse().unwrap());
    let found = legacy::ask(&mut client.0, &name, PATIENCE).await.unwrap();
    assert_eq!((found.version, found.cipher.as_str()), (TlsVersion::TLS_1_0, "TLS_RSA_WITH_AES_128_CBC_SHA"));
    let root = &world.settings(Settings::default()).extra_roots[0];
    assert_eq!((found.chain.len(), &found.chain[1].der), (2, root));
    assert_eq!(found.chain[0].read.as_ref().unwrap().names, ["mx1.dane.test"]);
    assert!(client.is_closed().await);
}

/// A policy fetched as a sender does, within a second.
async fn fetched(policy: &str) -> Fetched {
    let world =
        start(&format!("\"mta-sts.dane.test CNAME\" = [\"www.plain.test\"]\n\"www.plain.test A\" = [\"192.0.2.80\"]\n{policy}")).await;
    let settings = world.settings(Settings::default());
    let clock = Clock::start();
    let name = "mta-sts.dane.test".parse().unwrap();
    let (host, _) = locate(&name, &settings, &Resolver::new(&settings, clock)).await;
    let tls = TlsClient::new(&settings.extra_roots);
    let line = Line { settings: &settings, clock, tls: &tls, connect_timeout: PATIENCE };
    line.fetch(&name, "/.well-known/mta-sts.txt", &host.addresses, tokio::time::sleep(Duration::from_secs(1))).await
}

#[tokio::test]
async fn a_policy_is_fetched_or_not_as_the_scenario_says() {
    let policy = |rest: &str| format!("[[policy]]\nhost = \"mta-sts.dane.test\"\n{rest}");
    let text = "text = \"\"\"\nversion: STSv1\nmode: enforce\nmx: mx1.dane.test\nmax_age: 604800\n\"\"\"\n";
    let body = "version: STSv1\r\nmode: enforce\r\nmx: mx1.dane.test\r\nmax_age: 604800\r\n";
    for (rest, expected) in [
        (text, Ok(body.as_bytes().to_vec())),
        ("text = \"x\"\ndelay_ms = 50", Ok(b"x\r\n".to_vec())),
        ("text = \"x\"\ndelay_ms = 5000", Err(FetchFailure::TimedOut(FetchStep::Answer))),
        ("silent = true", Err(FetchFailure::TimedOut(FetchStep::Answer))),
        ("status = 404", Err(FetchFailure::Status(404, None))),
        ("status = 302\nlocation = \"https://dane.test/x\"", Err(FetchFailure::Status(302, Some("https://dane.test/x".to_owned())))),
        ("octets = 65536", Ok(vec![b'x'; 65536])),
        ("octets = 70000", Err(FetchFailure::TooLarge)),
        ("text = \"x\"\ntls = \"self_signed\"", Err(FetchFailure::Certificate)),
        ("text = \"x\"\ntls = \"expired\"", Err(FetchFailure::Certificate)),
        ("text = \"x\"\ntls = \"wrong_name\"", Err(FetchFailure::Certificate)),
    ] {
        let fetched = fetched(&policy(rest)).await;
        assert_eq!(fetched.body, expected, "{rest}");
        let is_trusted = fetched.tls.as_ref().is_some_and(|facts| facts.verdict == CertificateVerdict::Trusted);
        assert_eq!(is_trusted, expected != Err(FetchFailure::Certificate), "{rest}");
        assert!(fetched.status.is_none() || fetched.is_plain_text(), "{rest}");
    }
    assert!(matches!(fetched("").await.body, Err(FetchFailure::Connect(_))));
}
