//! What a probe makes of the world's transport security, by the very parts that it asks a real one with.

use super::*;
use crate::route::{Resolver, Security, Validator, resolve, txt};
use crate::settings::Clock;

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
