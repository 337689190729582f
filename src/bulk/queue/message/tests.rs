//! Messages there and back, and those that nobody should believe.

use super::*;
use crate::bulk::Settled;
use crate::bulk::input::{Form, List};
use crate::bulk::overrides::Override;
use crate::knowledge::{Actor, Confidence, Reason};

fn way(hosts: &[(&str, &str)]) -> Way {
    let place = |(name, address): &(&str, &str)| (host(name).expect("a host"), address.parse().expect("an address"));
    Way::to(hosts.iter().map(place).collect()).expect("a way")
}

fn answer(line: u64, text: &str) -> Answer {
    Answer {
        line,
        input: "ann@example.com".to_owned(),
        address: Some("ann@example.com".to_owned()),
        outcome: Settled::Rejected,
        reason: Reason::UserUnknown,
        actor: Actor::SenderUser,
        confidence: Confidence::Certain,
        code: Some(550),
        enhanced: None,
        text: Some(text.to_owned()),
        host: None,
        destination: None,
        catch_all: Some(false),
        attempts: 1,
        at: "2026-01-02T03:04:05Z".to_owned(),
        error: None,
    }
}

#[test]
fn a_job_arrives_as_it_was_sent() {
    let lines = "ann@example.com\n\"odd one\"@[192.0.2.7]\nüm@münchen.example\n";
    let way = way(&[("mx.example.com", "192.0.2.1:25"), ("mx.example.com", "[2001:db8::1]:25"), ("192.0.2.7", "192.0.2.7:2525")]);
    for entry in List::new(lines.as_bytes(), Form::Lines) {
        let entry = entry.expect("a line");
        let mailbox = entry.mailbox.clone().expect("a mailbox");
        let octets = encode(&Job::new(entry.line, entry.raw.clone(), &mailbox, &way)).expect("a message");
        let wanted = decode::<Job>(&octets).and_then(Job::wanted).expect("a job");
        assert_eq!((wanted.entry, wanted.way.as_ref()), (entry, Some(&way)));
    }
}

#[test]
fn the_longest_lines_fit_and_their_addresses_are_counted() {
    let longest = format!("{}{}", "ö".repeat(SHOWN), "...");
    let hosts: Vec<(Host, SocketAddr)> = (0..500_u16)
        .map(|n| {
            let name = [&"a".repeat(59)[..]; 4].join(".") + &format!(".mx{n}.test");
            (host(&name).expect("a host"), SocketAddr::from(([192, 0, 2, 1], 1000 + n)))
        })
        .collect();
    let many = Way::to(hosts).expect("a way");
    let mailbox: Mailbox = format!("{}@example.com", "a".repeat(64)).parse().expect("a mailbox");
    let octets = encode(&Job::new(u64::MAX, longest, &mailbox, &many)).expect("a message");
    let wanted = decode::<Job>(&octets).and_then(Job::wanted).expect("a job");
    assert_eq!(wanted.way.map(|way| way.addresses().len()), Some(ADDRESSES));
}

#[test]
fn what_makes_no_sense_is_not_understood() {
    let good = r#"{"version":1,"line":1,"input":"a","address":"a@b.test","hosts":[["mx.b.test","192.0.2.1:25"]]}"#;
    assert!(decode::<Job>(good.as_bytes()).and_then(Job::wanted).is_ok());
    for (from, to, words) in [
        ("{", "", "expected"),
        (r#""version":1,"#, "", "missing field `version`"),
        (r#""version":1"#, r#""version":2"#, "it is of version 2, and this program knows version 1: all machines need the same release"),
        (r#""version":1"#, r#""version":"one""#, "invalid type"),
        (r#""line":1"#, r#""line":0"#, "its line cannot be"),
        (r#""line":1"#, r#""line":-1"#, "invalid value"),
        (r#""line":1"#, r#""line":1,"more":2"#, "unknown field `more`"),
        ("a@b.test", "a@b.test>\\r\\nDATA", "its address cannot be"),
        ("a@b.test", "b.test", "its address cannot be"),
        (r#"[["mx.b.test","192.0.2.1:25"]]"#, "[]", "its destination cannot be"),
        ("192.0.2.1:25", "192.0.2.1:0", "its destination cannot be"),
        ("192.0.2.1:25", "192.0.2.1", "invalid socket address"),
        (r#""mx.b.test""#, r#""unix:/run/lmtp""#, "its host cannot be"),
        (r#""mx.b.test""#, r#""mx b""#, "its host cannot be"),
    ] {
        let bad = good.replace(from, to);
        let error = decode::<Job>(bad.as_bytes()).and_then(Job::wanted).map(|_| ()).expect_err(&bad).to_string();
        assert!(error.contains(words) && error.lines().count() == 1, "{bad}: {error}");
    }
    let long = good.replace(r#""a""#, &format!("{:?}", "x".repeat(SHOWN + 4)));
    assert_eq!(decode::<Job>(long.as_bytes()).and_then(Job::wanted).map(|_| ()), Err(MessageError::Value("input")));
    let endless = vec![b'x'; LONGEST + 1];
    assert_eq!(decode::<Job>(&endless), Err(MessageError::TooLong(LONGEST + 1)));
    assert_eq!(encode(&"x".repeat(LONGEST)), Err(MessageError::TooLong(LONGEST + 2)));
}

#[test]
fn an_answer_arrives_with_as_much_of_the_reply_as_is_read() {
    let short = answer(7, "User unknown");
    let octets = encode(&Outcome::new(short.clone())).expect("a message");
    assert_eq!(decode::<Outcome>(&octets).map(|outcome| outcome.answer), Ok(short));
    // Each control character takes six octets.
    let octets = encode(&Outcome::new(answer(7, &"\u{1}".repeat(100_000)))).expect("a message");
    let text = decode::<Outcome>(&octets).expect("an answer").answer.text.expect("a text");
    assert_eq!((text.chars().count(), text.ends_with("...")), (WORDS + 3, true));
}

#[test]
fn all_workers_act_by_the_terms_of_the_run() {
    let limits = Limits { connections: 3, rate: Some(0.5), unknown_users: UnknownUsers::Own, ..Limits::default() };
    let mut order = Order { limits, retries: 7, retry_after: Duration::from_secs(60), ..Order::default() };
    let slow = Override { rate: Some(Some(2.5)), connections: Some(4), retry_after: Some(Duration::from_secs(9)), ..Override::default() };
    let fast = Override { rate: Some(None), transaction: Some(50), session: Some(500), retries: Some(1), ..Override::default() };
    for (pattern, change) in [("*.example.net", slow), ("@example.org", fast)] {
        assert!(order.overrides.add(pattern.parse().expect("a pattern"), change));
    }
    let published = Settings {
        from: "probe@example.com".parse().ok(),
        tls: Some(TlsUse::Require),
        controls: Controls::Always,
        families: Families::V6,
        servers: vec![("192.0.2.1".parse().map(Host::Address).expect("an address"), "2525".parse().ok())],
        connect_timeout: Duration::from_millis(2500),
        times: StageTimes { greeting: Duration::from_secs(300), gap: Some(Duration::from_secs(4)), ..StageTimes::default() },
        ..Settings::default()
    };
    let terms = Terms::new(&order, &published, 1000);
    let octets = encode(&terms).expect("a message");
    let arrived: Terms = decode(&octets).expect("terms");
    assert_eq!((&arrived, arrived.created()), (&terms, 1000));
    let own = Settings { hello: "worker.example.com".parse().ok(), bind: "192.0.2.9".parse().ok(), ..Settings::default() };
    let (applied, settings) = arrived.apply(&own, 50).expect("terms");
    assert_eq!(applied, Order { window: 50, ..order.clone() });
    assert_eq!((settings.bind, &settings.hello), (own.bind, &own.hello), "that is the worker's own");
    assert_eq!((settings.from, settings.tls, settings.controls), (published.from.clone(), published.tls, published.controls));
    assert_eq!((settings.families, settings.servers.len()), (published.families, 1));
    assert_eq!((settings.connect_timeout, settings.times), (published.connect_timeout, published.times));
    // A name that the run gives goes before the worker's own.
    let named = Settings { hello: "run.example.com".parse().ok(), ..published };
    let (_, settings) = Terms::new(&order, &named, 1000).apply(&own, 50).expect("terms");
    assert_eq!(settings.hello, named.hello);

    let text = String::from_utf8(octets).expect("text");
    for (from, to) in [
        (r#""connections":3"#, r#""connections":0"#),
        (r#""connections":3"#, r#""connections":1000000"#),
        (r#""connections":4"#, r#""connections":0"#),
        (r#""rate":{"limited":2.5}"#, r#""rate":{"limited":-1.0}"#),
        ("*.example.net", "*.example..net"),
        ("@example.org", "*.example.net"),
        (r#""rate":0.5"#, r#""rate":0.0"#),
        (r#""rate":0.5"#, r#""rate":1e300"#),
        (r#""retries":7"#, r#""retries":4000000000"#),
        (r#""retry_after_ms":60000"#, r#""retry_after_ms":18446744073709551615"#),
        (r#""greeting_ms":300000"#, r#""greeting_ms":18446744073709551615"#),
        ("probe@example.com", "probe@example.com>"),
        ("192.0.2.1", "a b"),
    ] {
        let bad = text.replace(from, to);
        assert!(bad != text && decode::<Terms>(bad.as_bytes()).and_then(|terms| terms.apply(&own, 50)).is_err(), "{bad}");
    }
}

#[test]
fn the_same_command_names_the_same_run() {
    let identity = |list: &str, options: &[(&str, &str)]| {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Identity::of_stream("-".to_owned(), list.as_bytes(), options).expect("a list").0
    };
    let one = RunName::of(&identity("a@b.test\n", &[("--from", "")]));
    assert_eq!(one.to_string().parse(), Ok(one.clone()));
    assert_eq!(one, RunName::of(&Identity { list: "elsewhere".to_owned(), ..identity("a@b.test\n", &[("--from", "")]) }));
    assert_ne!(one, RunName::of(&identity("a@c.test\n", &[("--from", "")])));
    assert_ne!(one, RunName::of(&identity("a@b.test\n", &[("--from", "x@y.test")])));
    for text in ["", "Members", "a.b", "a>", "*", "a b", &"a".repeat(41)] {
        assert_eq!(text.parse::<RunName>(), Err(RunNameError), "{text}");
    }
}
