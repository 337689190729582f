//! What no scenario can bring about on loopback: failures of the network, dates, and long times, made by hand.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::knowledge::{Actor, Confidence, Reason};
use crate::probe::{Role, Vantage};
use crate::route::{Lookup, LookupKind, LookupResult, MailHost, Origin, Route, Security, Validator};
use crate::settings::{Question, Walk};
use crate::smtp::{
    Answers, Certificate, CertificateVerdict, Connected, Elapsed, Event, Failure, FailureKind, Purpose, Stage, TlsFacts, TlsUse,
    Transcript, Verb,
};
use crate::target::Port;

const NOW: u64 = 1_795_000_000;

fn at(seconds: u64) -> Elapsed {
    Elapsed(Duration::from_secs(seconds))
}

fn session(host: usize, address: &str, events: Vec<(Elapsed, Event)>, reached: Option<Stage>) -> SessionFacts {
    let address: SocketAddr = address.parse().expect(address);
    let name = Host::Name(format!("mx{host}.example.com").parse().expect("a name"));
    SessionFacts {
        role: Role::Asked,
        host: Some(host),
        name,
        address,
        tls: TlsUse::IfOffered,
        transcript: Transcript { began: at(0), events, reached },
    }
}

/// A session that never came to be.
fn failed(host: usize, address: &str, kind: FailureKind, errno: Option<i32>) -> SessionFacts {
    session(host, address, vec![(at(1), Event::Broke { stage: Stage::Connect, failure: Failure { kind, errno, icmp: None } })], None)
}

/// A session that got as far as a greeting, after so many seconds.
fn greeted(host: usize, address: &str, after: u64) -> SessionFacts {
    let ends = Connected { local: "192.0.2.9:40000".parse().unwrap(), peer: address.parse().unwrap() };
    let reply = Reply::parse("220 hi\r\n").unwrap();
    let began = at(1 + after);
    let greeting = Event::Received { verb: Verb::Connect, answers: Answers::Connection, purpose: Purpose::Target, began, reply };
    session(host, address, vec![(at(1), Event::Connected(ends)), (at(1 + after), greeting)], Some(Stage::Greeting))
}

fn facts(sessions: Vec<SessionFacts>) -> Facts {
    let host = |index: u16| MailHost {
        preference: Some(10 * (index + 1)),
        addresses: sessions.iter().filter(|s| s.host == Some(usize::from(index))).map(|s| s.address.ip()).collect(),
        ..MailHost::new(Host::Name(format!("mx{index}.example.com").parse().unwrap()))
    };
    let lookup = Lookup {
        name: "example.com".to_owned(),
        kind: LookupKind::Mx,
        server: Some("192.0.2.53:53".parse().unwrap()),
        tcp: false,
        at: at(0),
        took: Duration::from_secs(3),
        result: LookupResult::Found(vec!["10 mx0.example.com".to_owned()]),
        chain: Vec::new(),
        security: Security::Insecure(Validator::Resolver),
    };
    Facts {
        question: Question::Mail,
        needed: vec![Port::SMTP],
        identities: Vec::new(),
        target: "anna@example.com".parse().unwrap(),
        until: Stage::Rcpt,
        walk: Walk::All,
        size: None,
        started_at: UNIX_EPOCH + Duration::from_secs(NOW),
        duration: Duration::from_secs(10),
        vantage: Vantage::default(),
        route: Route {
            origin: Origin::Mx,
            domain: Some("example.com".parse().unwrap()),
            hosts: vec![host(0), host(1)],
            security: Security::Insecure(Validator::Resolver),
            lookups: vec![lookup],
        },
        sessions,
        left_out: Vec::new(),
        cut_short: None,
    }
}

fn found(facts: &Facts) -> Vec<&'static str> {
    let knowledge = Knowledge::english();
    diagnose(&Case::new(facts, &knowledge)).iter().map(|finding| finding.rule.id).filter(|id| *id != "slow_lookup").collect()
}

fn verdict(facts: &Facts) -> (Outcome, Reason, Actor, Confidence) {
    let knowledge = Knowledge::english();
    let verdict = judge(&Case::new(facts, &knowledge));
    (verdict.outcome, verdict.reason, verdict.actor, verdict.confidence)
}

#[test]
fn every_failure_to_connect_has_its_finding_and_its_reason() {
    use Outcome::Unreachable;
    for (kind, errno, id, reason, confidence) in [
        (FailureKind::Refused, Some(111), "connection_refused", Reason::ConnectionRefused, Confidence::Certain),
        (FailureKind::TimedOut(Duration::from_secs(10)), None, "port_silent", Reason::PortFiltered, Confidence::Likely),
        (FailureKind::Rejected, Some(13), "connection_rejected", Reason::ConnectionRejected, Confidence::Certain),
        (FailureKind::HostUnreachable, Some(113), "host_unreachable", Reason::HostUnreachable, Confidence::Certain),
        (FailureKind::NoRoute, Some(101), "no_route_here", Reason::NetworkUnreachable, Confidence::Certain),
        (FailureKind::Reset, Some(104), "connect_reset", Reason::ConnectionReset, Confidence::Likely),
        (FailureKind::Local("too many open files".to_owned()), Some(24), "local_trouble", Reason::Undetermined, Confidence::Unsure),
    ] {
        let facts = facts(vec![failed(0, "192.0.2.1:25", kind.clone(), errno)]);
        assert_eq!(found(&facts), [id], "{kind:?}");
        let (outcome, got, _, sure) = verdict(&facts);
        assert_eq!((outcome, got, sure), (Unreachable, reason, confidence), "{kind:?}");
    }
}

#[test]
fn a_family_that_this_machine_lacks_says_nothing_about_the_host() {
    let unrouted = || failed(0, "[2001:db8::1]:25", FailureKind::NoRoute, Some(101));
    let alive = facts(vec![greeted(0, "192.0.2.1:25", 0), unrouted()]);
    assert_eq!(found(&alive), ["no_route_here"]);
    let refused = facts(vec![failed(0, "192.0.2.1:25", FailureKind::Refused, Some(111)), unrouted()]);
    assert_eq!(verdict(&refused).1, Reason::ConnectionRefused);
}

#[test]
fn a_dead_family_and_a_dead_first_host_are_told() {
    let silent = |host, address| failed(host, address, FailureKind::TimedOut(Duration::from_secs(10)), None);
    assert_eq!(found(&facts(vec![greeted(0, "192.0.2.1:25", 0), silent(0, "[2001:db8::1]:25")])), ["port_silent", "family_broken"]);
    assert_eq!(found(&facts(vec![silent(0, "192.0.2.1:25"), greeted(1, "192.0.2.2:25", 0)])), ["port_silent", "first_host_dead"]);
    assert_eq!(found(&facts(vec![greeted(0, "192.0.2.1:25", 0), silent(1, "192.0.2.2:25")])), ["port_silent"]);
}

#[test]
fn what_is_slow_is_told_with_its_time() {
    assert_eq!(found(&facts(vec![greeted(0, "192.0.2.1:25", 4)])), [""; 0]);
    let slow = facts(vec![greeted(0, "192.0.2.1:25", 6)]);
    assert_eq!(found(&slow), ["slow_greeting"]);
    let knowledge = Knowledge::english();
    let all = diagnose(&Case::new(&slow, &knowledge));
    let lookup = all.iter().find(|finding| finding.rule.id == "slow_lookup").expect("three seconds are slow");
    assert_eq!(lookup.evidence[0].quote, "3 s");
}

#[test]
fn an_old_reply_that_was_slow_and_a_certificate_that_ends_soon_are_told() {
    let mut slow = greeted(0, "192.0.2.1:25", 0);
    let events = &mut slow.transcript.events;
    let sent = Event::Sent { command: crate::smtp::Command::Ehlo("probe.example.net".parse().unwrap()), purpose: Purpose::Target };
    events.push((at(1), sent));
    let reply = Reply::parse("250-hi\r\n250 STARTTLS\r\n").unwrap();
    events.push((at(9), Event::Received { verb: Verb::Ehlo, answers: Answers::Command(2), purpose: Purpose::Target, began: at(9), reply }));
    let certificate = Certificate {
        subject: String::new(),
        issuer: String::new(),
        names: vec!["mx0.example.com".to_owned()],
        not_before: 0,
        not_after: i64::try_from(NOW).unwrap() + 3 * 86_400 + 5,
        sha256: String::new(),
    };
    let tls = TlsFacts {
        version: "TLS 1.3".to_owned(),
        cipher: String::new(),
        group: None,
        chain: Vec::new(),
        certificate: Some(certificate),
        verdict: CertificateVerdict::Trusted,
    };
    events.push((at(10), Event::Secured(tls)));
    assert_eq!(found(&facts(vec![slow])), ["certificate_expiring", "slow_replies"]);
}

#[test]
fn days_are_counted_down_to_zero_and_below() {
    let now: SystemTime = UNIX_EPOCH + Duration::from_secs(1_000_000);
    for (until, days) in [(1_000_000 + 86_400, 1), (1_000_000 + 86_399, 0), (1_000_000, 0), (999_999, -1), (0, -12)] {
        assert_eq!(days_left(now, until), days);
    }
}

#[test]
fn addresses_that_mean_nothing_elsewhere_are_known() {
    for (address, nonpublic) in [
        ("127.0.0.1", true),
        ("10.1.2.3", true),
        ("172.16.0.1", true),
        ("192.168.1.1", true),
        ("169.254.1.1", true),
        ("100.64.0.1", true),
        ("0.0.0.0", true),
        ("::1", true),
        ("fe80::1", true),
        ("fd00::1", true),
        ("::ffff:10.0.0.1", true),
        ("192.0.2.1", false),
        ("100.128.0.1", false),
        ("172.32.0.1", false),
        ("2001:db8::1", false),
        ("::ffff:192.0.2.1", false),
    ] {
        assert_eq!(crate::target::is_nonpublic(address.parse().unwrap()), nonpublic, "{address}");
    }
}

#[test]
fn gaps_are_filled_once_and_unknown_ones_stay_to_be_seen() {
    let value = |slot: &str| (slot == "a").then(|| "{b}".to_owned());
    for (template, filled) in
        [("", ""), ("x {a} y", "x {b} y"), ("{a}{a}", "{b}{b}"), ("{c}", "{c}"), ("open {a", "open {a"), ("}{a}", "}{b}")]
    {
        assert_eq!(fill(template, value), filled);
    }
}

#[test]
fn times_are_short() {
    for (millis, text) in
        [(0, "0 ms"), (184, "184 ms"), (999, "999 ms"), (1000, "1 s"), (3240, "3.2 s"), (9999, "9.9 s"), (10_000, "10 s"), (30_499, "30 s")]
    {
        assert_eq!(seconds(Duration::from_millis(millis)), text);
    }
}

#[test]
fn every_rule_has_a_name_of_its_own_a_source_and_its_texts() {
    let knowledge = Knowledge::english();
    let mut names: Vec<&str> = rules().map(|rule| rule.id).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for rule in rules() {
        let text = knowledge.finding(rule.id);
        assert!(!text.title.is_empty() && !text.detail.is_empty(), "{}", rule.id);
        assert!(rule.reference.starts_with("RFC ") && rule.reference.contains(" section "), "{}", rule.id);
    }
}
