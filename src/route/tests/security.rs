//! What is known of the authenticity of answers, and what is published where they are authentic.

use super::*;
use crate::target::Port;

const SECURE: Security = Security::Secure(Validator::Resolver);
const INSECURE: Security = Security::Insecure(Validator::Resolver);
const NO_ANSWER: Security = Security::Unknown(Doubt::NoAnswer);

fn securities(route: &Route) -> Vec<Security> {
    route.lookups.iter().map(|lookup| lookup.security).collect()
}

#[tokio::test]
async fn a_route_is_as_secure_as_its_weakest_answer() {
    let zone = "example.com MX 10 mx.example.com\nmx.example.com A 192.0.2.1";
    for (behaviour, target, route_is, hosts, lookups) in [
        ("* * @ad", "example.com", SECURE, &[SECURE][..], &[SECURE, SECURE, SECURE][..]),
        ("", "example.com", INSECURE, &[INSECURE], &[INSECURE, INSECURE, INSECURE]),
        // Secure addresses make good no insecure MX, and the other way round.
        ("mx.example.com * @ad", "example.com", INSECURE, &[INSECURE], &[INSECURE, SECURE, SECURE]),
        ("example.com * @ad", "example.com", INSECURE, &[INSECURE], &[SECURE, INSECURE, INSECURE]),
        // A family without addresses leads nowhere.
        ("example.com * @ad\nmx.example.com A @ad", "example.com", SECURE, &[SECURE], &[SECURE, SECURE, INSECURE]),
        // Without MX, that there is none counts as well.
        ("* * @ad", "mx.example.com", SECURE, &[SECURE], &[SECURE, SECURE, SECURE]),
        ("mx.example.com A @ad", "mx.example.com", INSECURE, &[INSECURE], &[INSECURE, SECURE, INSECURE]),
        ("* * @ad", "mx.example.com:25", SECURE, &[SECURE], &[SECURE, SECURE]),
        ("* * @ad", "nothing.example.com", SECURE, &[], &[SECURE]),
    ] {
        let server = Server::start(&format!("{zone}\n{behaviour}")).await;
        let route = route(target, &asking(&[&server])).await;
        assert_eq!(route.security, route_is, "{behaviour} {target}");
        assert_eq!(route.hosts.iter().map(MailHost::way).collect::<Vec<_>>(), hosts, "{behaviour} {target}");
        assert_eq!(securities(&route), lookups, "{behaviour} {target}");
        assert!(server.asked().iter().all(|asked| !asked.contains("unchecked")));
        assert_eq!(server.asked().len(), lookups.len(), "no question more than without");
    }
}

#[tokio::test]
async fn an_alias_is_as_secure_as_what_it_leads_along() {
    let zone = "mx.example.com CNAME real.example.net\nreal.example.net A 192.0.2.1";
    for (behaviour, expected) in [
        ("* * @ad", SECURE),
        ("mx.example.com * @ad", SECURE),
        ("mx.example.com * @half", INSECURE),
        ("mx.example.com * @half\nreal.example.net * @ad", INSECURE),
    ] {
        let server = Server::start(&format!("{zone}\n{behaviour}")).await;
        let route = route("mx.example.com:25", &asking(&[&server])).await;
        assert_eq!((route.security, route.hosts[0].aliases.len()), (expected, 1), "{behaviour}");
    }
}

#[tokio::test]
async fn what_is_at_hand_is_not_asked_for() {
    let settings =
        Settings { resolve: [("mx.example.com".parse().unwrap(), vec!["192.0.2.1".parse().unwrap()])].into(), ..Settings::default() };
    let route = route("mx.example.com:25", &settings).await;
    assert_eq!(route.security, Security::Unknown(Doubt::AtHand));
    assert!(securities(&route).iter().all(|security| *security == Security::Unknown(Doubt::AtHand)));
}

#[tokio::test]
async fn a_refusal_is_bogus_only_if_the_answer_is_given_unchecked() {
    for (behaviour, expected, asked) in [
        ("@bogus 6", Security::Bogus(Some(6)), &["udp MX example.com", "udp unchecked MX example.com"][..]),
        ("@bogus 7", Security::Bogus(Some(7)), &["udp MX example.com", "udp unchecked MX example.com"]),
        // Without a reason it has to be refused twice.
        ("@bogus", Security::Bogus(None), &["udp MX example.com", "udp unchecked MX example.com", "udp MX example.com"]),
        ("@passing", NO_ANSWER, &["udp MX example.com", "udp unchecked MX example.com", "udp MX example.com"]),
        ("@code 2", NO_ANSWER, &["udp MX example.com", "udp unchecked MX example.com", "udp MX example.com"]),
        ("@dead 6", NO_ANSWER, &["udp MX example.com", "udp unchecked MX example.com"]),
        // No Reachable Authority.
        ("@dead 22", NO_ANSWER, &["udp MX example.com"]),
        ("@code 5", NO_ANSWER, &["udp MX example.com"]),
    ] {
        let server = Server::start(&format!("example.com MX 10 mx.example.com\nexample.com MX {behaviour}")).await;
        let settings = asking(&[&server]);
        let resolver = Resolver::new(&settings, Clock::start());
        let (sender, _) = mpsc::unbounded_channel();
        let route = resolve(&"example.com".parse().unwrap(), &settings, &resolver, sender).await;
        assert_eq!((route.security, securities(&route)), (expected, vec![expected]), "{behaviour}");
        assert_eq!(resolver.lookups(), route.lookups, "{behaviour}");
        let mut sorted = server.asked();
        sorted.sort();
        let mut asked = asked.to_vec();
        asked.sort_unstable();
        assert_eq!(sorted, asked, "{behaviour}");
    }
}

#[tokio::test]
async fn one_resolver_that_validates_is_enough_to_see_it() {
    let zone = "example.com MX 10 mx.example.com\nmx.example.com A 192.0.2.1";
    let strict = Server::start(&format!("{zone}\nexample.com MX @bogus 9")).await;
    let lax = Server::start(zone).await;
    let found = route("example.com", &asking(&[&strict, &lax])).await;
    assert_eq!(securities(&found)[..2], [Security::Bogus(Some(9)), INSECURE]);
    assert_eq!(found.security, INSECURE, "the answer that was used");

    // Nobody waits for the reason of a failure that was made good.
    let failing = Server::start("* * @code 2").await;
    let found = route("example.com", &asking(&[&failing, &lax])).await;
    assert_eq!(securities(&found)[..2], [NO_ANSWER, INSECURE]);
    assert_eq!(failing.asked(), ["udp MX example.com", "udp A mx.example.com", "udp AAAA mx.example.com"]);
}

/// Asks about the first host of the route to `target`.
async fn ask_tlsa(target: &str, settings: &Settings) -> TlsaAnswer {
    let resolver = Resolver::new(settings, Clock::start());
    let (sender, _) = mpsc::unbounded_channel();
    let route = resolve(&target.parse().unwrap(), settings, &resolver, sender).await;
    tlsa(&route.hosts[0], Port::SMTP, &resolver).await
}

#[tokio::test]
async fn tlsa_records_count_where_all_that_leads_to_them_is_secure() {
    let zone = "example.com MX 10 mx.example.com\nmx.example.com A 192.0.2.1\nalias.example CNAME mx.example.com";
    let both = "_25._tcp.mx.example.com TLSA 3 1 1 171 205\n_25._tcp.mx.example.com TLSA 9 8 7 1";
    let records = || TlsaOutcome::Records(vec![(3, 1, 1, vec![0xab, 0xcd]).into(), (9, 8, 7, vec![1]).into()]);
    let asked = &["_25._tcp.mx.example.com"][..];
    let failed = |failure| TlsaOutcome::Failed(failure);
    for (more, target, outcome, names) in [
        (format!("{both}\n* * @ad"), "example.com", records(), asked),
        (format!("{both}\n* * @ad"), "mx.example.com", records(), asked),
        (format!("{both}\n* * @ad"), "mx.example.com:25", records(), asked),
        ("* * @ad".to_owned(), "example.com", TlsaOutcome::Absent, asked),
        ("_25._tcp.mx.example.com A 192.0.2.1\n* * @ad".to_owned(), "example.com", TlsaOutcome::Absent, asked),
        // Not even asked for where something before is insecure.
        (both.to_owned(), "example.com", TlsaOutcome::Insecure, &[]),
        (format!("{both}\n_25._tcp.mx.example.com * @ad\nmx.example.com * @ad"), "example.com", TlsaOutcome::Insecure, &[]),
        (format!("{both}\n_25._tcp.mx.example.com * @ad\nexample.com * @ad"), "example.com", TlsaOutcome::Insecure, &[]),
        // The answer itself.
        (format!("{both}\nexample.com * @ad\nmx.example.com * @ad"), "example.com", TlsaOutcome::Insecure, asked),
        (format!("{both}\n_25._tcp.mx.example.com * @bogus 7\n* * @ad"), "example.com", TlsaOutcome::Bogus(Some(7)), asked),
        (format!("{both}\n_25._tcp.mx.example.com * @bogus\n* * @ad"), "example.com", TlsaOutcome::Bogus(None), asked),
        ("_25._tcp.mx.example.com * @dead 22\n* * @ad".to_owned(), "example.com", failed(LookupFailure::ServFail), asked),
        ("_25._tcp.mx.example.com * @code 5\n* * @ad".to_owned(), "example.com", failed(LookupFailure::Refused), asked),
        ("_25._tcp.mx.example.com * @garbage\n* * @ad".to_owned(), "example.com", failed(LookupFailure::Malformed), asked),
        // A host whose addresses do not validate.
        ("mx.example.com * @bogus 6\n* * @ad".to_owned(), "example.com", TlsaOutcome::Bogus(Some(6)), &[]),
        ("mx.example.com * @dead 22\n* * @ad".to_owned(), "example.com", TlsaOutcome::Unknown(Doubt::NoAnswer), &[]),
        ("* * @ad".to_owned(), "192.0.2.1", TlsaOutcome::Absent, &[]),
    ] {
        let server = Server::start(&format!("{zone}\n{more}")).await;
        let answer = ask_tlsa(target, &asking(&[&server])).await;
        assert_eq!(answer.outcome, outcome, "{target} {more}");
        assert_eq!(answer.lookups.iter().map(|lookup| lookup.name.as_str()).collect::<Vec<_>>(), names, "{target} {more}");
        assert_eq!(answer.base.map(|base| base.to_string()).as_deref(), names.first().map(|_| "mx.example.com"));
        let questions = server.asked().iter().filter(|asked| asked.contains("TLSA")).count();
        assert_eq!(questions > 0, !names.is_empty(), "{target} {more}");
    }
}

#[tokio::test]
async fn the_base_domain_is_where_a_secure_alias_leads() {
    let zone = "mx.example.com CNAME real.example.net\nreal.example.net A 192.0.2.1";
    let own = "_25._tcp.mx.example.com TLSA 3 1 1 1";
    let real = "_25._tcp.real.example.net TLSA 3 1 1 2";
    let records = |data: u8| TlsaOutcome::Records(vec![(3, 1, 1, vec![data]).into()]);
    let (at_own, at_real, alias) = ("TLSA _25._tcp.mx.example.com", "TLSA _25._tcp.real.example.net", "CNAME mx.example.com");
    for (more, base, outcome, lookups) in [
        (format!("{own}\n{real}\n* * @ad"), Some("real.example.net"), records(2), &[at_real][..]),
        (format!("{own}\n* * @ad"), Some("mx.example.com"), records(1), &[at_real, at_own]),
        ("* * @ad".to_owned(), Some("mx.example.com"), TlsaOutcome::Absent, &[at_real, at_own]),
        // A failure under the better name is not passed by.
        (
            format!("{own}\n_25._tcp.real.example.net * @dead 22\n* * @ad"),
            Some("real.example.net"),
            TlsaOutcome::Failed(LookupFailure::ServFail),
            &[at_real],
        ),
        // The chain is insecure, its first link is not.
        (
            format!("{own}\n{real}\nmx.example.com CNAME @ad\n_25._tcp.mx.example.com * @ad"),
            Some("mx.example.com"),
            records(1),
            &[alias, at_own],
        ),
        (format!("{own}\n{real}\n_25._tcp.mx.example.com * @ad"), None, TlsaOutcome::Insecure, &[alias]),
    ] {
        let server = Server::start(&format!("{zone}\n{more}")).await;
        let answer = ask_tlsa("mx.example.com:25", &asking(&[&server])).await;
        assert_eq!((answer.base.map(|base| base.to_string()).as_deref(), answer.outcome), (base, outcome), "{more}");
        let asked: Vec<String> = answer.lookups.iter().map(|lookup| format!("{} {}", lookup.kind.as_str(), lookup.name)).collect();
        assert_eq!(asked, lookups, "{more}");
    }
}

#[tokio::test]
async fn a_host_at_a_given_address_is_asked_about_all_the_same() {
    let server = Server::start("_2525._tcp.mx.example.com TLSA 3 1 1 1\n* * @ad").await;
    let settings =
        Settings { resolve: [("mx.example.com".parse().unwrap(), vec!["192.0.2.1".parse().unwrap()])].into(), ..asking(&[&server]) };
    let resolver = Resolver::new(&settings, Clock::start());
    let (sender, _) = mpsc::unbounded_channel();
    let route = resolve(&"mx.example.com:2525".parse().unwrap(), &settings, &resolver, sender).await;
    let answer = tlsa(&route.hosts[0], "2525".parse().unwrap(), &resolver).await;
    assert_eq!(answer.outcome, TlsaOutcome::Records(vec![(3, 1, 1, vec![1]).into()]));
    assert!(matches!(&answer.lookups[0].result, LookupResult::Found(text) if text == &["3 1 1 01"]));
}

#[tokio::test]
async fn the_strings_of_a_txt_record_are_one_text() {
    let long = "x".repeat(255);
    let script = format!(
        "_mta-sts.example.com TXT v=STSv1; |id=2\n_mta-sts.example.com TXT other\nlong.example TXT {long}|{long}\nodd.example TXT a\u{1b}[31mb\n\
         empty.example A 192.0.2.1\nbroken.example TXT @code 5"
    );
    let server = Server::start(&script).await;
    let settings = asking(&[&server]);
    let resolver = Resolver::new(&settings, Clock::start());
    for (name, expected) in [
        ("_mta-sts.example.com", Ok(vec!["v=STSv1; id=2".to_owned(), "other".to_owned()])),
        ("long.example", Ok(vec![format!("{long}{long}")])),
        ("odd.example", Ok(vec!["a\u{1b}[31mb".to_owned()])),
        ("empty.example", Ok(Vec::new())),
        ("none.example", Ok(Vec::new())),
        ("broken.example", Err(LookupFailure::Refused)),
    ] {
        let answer = txt(&name.parse().unwrap(), &resolver).await;
        assert_eq!(answer.records, expected, "{name}");
        if let LookupResult::Found(texts) = &answer.lookups[0].result {
            assert!(texts.iter().all(|text| !text.chars().any(char::is_control)), "{texts:?}");
        }
    }
}
