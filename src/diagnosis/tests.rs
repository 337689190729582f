//! What no scenario can bring about on loopback: failures of the network, dates, and long times, made by hand.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::knowledge::{Actor, Confidence, Reason};
use crate::probe::{Published, Role, Vantage};
use crate::route::{Lookup, LookupKind, LookupResult, MailHost, Origin, Route, Security, Validator};
use crate::settings::{Question, Walk};
use crate::smtp::{
    Answers, Certificate, CertificateFault, CertificateVerdict, Connected, Distrust, Elapsed, Event, Failure, FailureKind, Handling,
    PublicKey, Purpose, SentCertificate, Stage, TlsFacts, TlsUse, Transcript, Verb,
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
        dane: None,
        come_back: None,
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
        sender: None,
        target: "anna@example.com".parse().unwrap(),
        until: Stage::Rcpt,
        walk: Walk::All,
        size: None,
        letter: None,
        handling: Handling::default(),
        waited: None,
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
        published: Published::default(),
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

/// A session beside those asked for.
fn beside(role: Role, session: SessionFacts) -> SessionFacts {
    let (host, name) = match role {
        Role::Control => (None, Host::Name("mx.control.example".parse().unwrap())),
        _ => (session.host, session.name.clone()),
    };
    SessionFacts { role, host, name, ..session }
}

#[test]
fn what_is_shut_here_is_not_blamed_on_a_host() {
    let silent = |host, address| failed(host, address, FailureKind::TimedOut(Duration::from_secs(10)), None);
    let control = || beside(Role::Control, silent(0, "[2001:db8::25]:25"));
    let family = facts(vec![greeted(0, "192.0.2.1:25", 0), silent(0, "[2001:db8::1]:25"), control()]);
    assert_eq!(found(&family), ["port_silent", "port_blocked_here"]);
    let first = facts(vec![silent(0, "[2001:db8::1]:25"), greeted(1, "192.0.2.2:25", 0), control()]);
    assert_eq!(found(&first), ["port_silent", "port_blocked_here"]);
    let unreachable = |host, address| failed(host, address, FailureKind::HostUnreachable, Some(113));
    let control = beside(Role::Control, unreachable(0, "[2001:db8::25]:25"));
    let nowhere = facts(vec![greeted(0, "192.0.2.1:25", 0), unreachable(0, "[2001:db8::1]:25"), control]);
    assert_eq!(found(&nowhere), ["host_unreachable"]);
}

#[test]
fn whose_side_it_is_takes_a_control_that_fails_alike_or_answers() {
    const SILENT: FailureKind = FailureKind::TimedOut(Duration::from_secs(10));
    let asked = |address, kind| failed(0, address, kind, None);
    let other = |session| beside(Role::OtherPort, session);
    let control = |session| beside(Role::Control, session);
    let (target, second, elsewhere) = ("192.0.2.1:25", "192.0.2.2:25", "203.0.113.25:25");
    let silent_control = || control(asked(elsewhere, SILENT));
    let (here, filtered) = (Reason::PortBlockedHere, Reason::PortFiltered);
    for (what, sessions, expected) in [
        (
            "nothing but silence may be the whole network",
            vec![asked(target, SILENT), silent_control()],
            (here, Actor::NetworkAdmin, Confidence::Likely),
        ),
        (
            "another port answers",
            vec![asked(target, SILENT), silent_control(), other(greeted(0, "192.0.2.1:587", 0))],
            (here, Actor::NetworkAdmin, Confidence::Likely),
        ),
        (
            "another port answers, and a second control is silent",
            vec![asked(target, SILENT), silent_control(), control(asked("203.0.113.26:25", SILENT)), other(greeted(0, "192.0.2.1:587", 0))],
            (here, Actor::NetworkAdmin, Confidence::Certain),
        ),
        (
            "a reset is an answer",
            vec![asked(target, SILENT), silent_control(), other(asked("192.0.2.1:587", FailureKind::Refused))],
            (here, Actor::NetworkAdmin, Confidence::Likely),
        ),
        (
            "another host's port says nothing about this one's",
            vec![asked(target, SILENT), silent_control(), other(greeted(1, "192.0.2.2:587", 0))],
            (here, Actor::NetworkAdmin, Confidence::Likely),
        ),
        ("no control", vec![asked(target, SILENT)], (filtered, Actor::EitherSide, Confidence::Likely)),
        (
            "the control answers",
            vec![asked(target, SILENT), control(greeted(0, elsewhere, 0))],
            (filtered, Actor::RecipientAdmin, Confidence::Likely),
        ),
        (
            "one of two controls answers",
            vec![asked(target, SILENT), silent_control(), control(greeted(0, "203.0.113.26:25", 0))],
            (filtered, Actor::RecipientAdmin, Confidence::Likely),
        ),
        (
            "a control of the other family says nothing",
            vec![asked(target, SILENT), control(asked("[2001:db8::25]:25", SILENT))],
            (filtered, Actor::EitherSide, Confidence::Likely),
        ),
        (
            "the control refuses, the target is silent",
            vec![asked(target, SILENT), control(asked(elsewhere, FailureKind::Refused))],
            (filtered, Actor::EitherSide, Confidence::Likely),
        ),
        (
            "the target refuses, the control is silent",
            vec![asked(target, FailureKind::Refused), silent_control()],
            (Reason::ConnectionRefused, Actor::RecipientAdmin, Confidence::Certain),
        ),
        (
            "of two hosts one refuses",
            vec![asked(target, SILENT), failed(1, second, FailureKind::Refused, None), silent_control()],
            (Reason::ConnectionRefused, Actor::RecipientAdmin, Confidence::Likely),
        ),
        (
            "both refuse",
            vec![asked(target, FailureKind::Refused), control(asked(elsewhere, FailureKind::Refused))],
            (here, Actor::NetworkAdmin, Confidence::Likely),
        ),
        (
            "a firewall speaks once and is silent once",
            vec![asked(target, FailureKind::Rejected), silent_control()],
            (here, Actor::NetworkAdmin, Confidence::Likely),
        ),
        (
            "a family that this machine lacks is left aside",
            vec![asked(target, SILENT), asked("[2001:db8::1]:25", FailureKind::NoRoute), silent_control()],
            (here, Actor::NetworkAdmin, Confidence::Likely),
        ),
        (
            "this machine's own rules",
            vec![asked(target, FailureKind::Forbidden), silent_control()],
            (here, Actor::SenderAdmin, Confidence::Certain),
        ),
    ] {
        let (_, reason, actor, confidence) = verdict(&facts(sessions));
        assert_eq!((reason, actor, confidence), expected, "{what}");
    }
}

#[test]
fn one_family_is_not_blamed_for_the_other() {
    const SILENT: FailureKind = FailureKind::TimedOut(Duration::from_secs(10));
    let (v4, v6) = ("192.0.2.1:25", "[2001:db8::1]:25");
    let silent = |host, address| failed(host, address, SILENT, None);
    let control = |session| beside(Role::Control, session);
    let (dead_v6, live_v4) = (|| control(silent(0, "[2001:db8:c::25]:25")), || control(greeted(0, "203.0.113.25:25", 0)));
    let hung_up = || {
        let ends = Connected { local: "192.0.2.9:40000".parse().unwrap(), peer: v4.parse().unwrap() };
        let broke = Event::Broke { stage: Stage::Greeting, failure: FailureKind::Closed.into() };
        session(0, v4, vec![(at(1), Event::Connected(ends)), (at(1), broke)], Some(Stage::Connect))
    };
    // IPv6 is shut here; what happened over IPv4 is told as what it is.
    for (sessions, reason, actor) in [
        (vec![hung_up(), silent(0, v6), dead_v6()], Reason::ConnectionClosed, Actor::RecipientAdmin),
        (vec![silent(0, v4), silent(0, v6), dead_v6(), live_v4()], Reason::PortFiltered, Actor::RecipientAdmin),
        (vec![silent(0, v4), silent(0, v6), dead_v6()], Reason::PortFiltered, Actor::EitherSide),
    ] {
        let facts = facts(sessions);
        let (outcome, found_reason, found_actor, _) = verdict(&facts);
        assert_eq!((outcome, found_reason, found_actor), (Outcome::Unreachable, reason, actor));
        assert!(found(&facts).contains(&"port_blocked_here"));
        let knowledge = Knowledge::english();
        let proof = judge(&Case::new(&facts, &knowledge)).evidence;
        let of_v6 = |evidence: &Evidence| evidence.session.is_some_and(|index| facts.sessions[index].address.is_ipv6());
        assert!(!proof.iter().any(of_v6), "{proof:?}");
    }
}

#[test]
fn ports_are_open_only_if_all_that_mail_needs_were_looked_at() {
    let of_ports = |sessions: Vec<SessionFacts>| Facts { question: Question::Ports, until: Stage::Greeting, ..facts(sessions) };
    let (one, two) = ("192.0.2.1:25", "192.0.2.2:25");
    let stopped = || failed(1, two, FailureKind::ProbeTimeOver, None);
    let open = of_ports(vec![greeted(0, one, 0), greeted(1, two, 0), failed(0, "192.0.2.1:587", FailureKind::Refused, None)]);
    assert_eq!(verdict(&open), (Outcome::Accepted, Reason::Accepted, Actor::Nobody, Confidence::Certain));
    assert_eq!(found(&open), [""; 0]);
    let cut = Facts { cut_short: Some(FailureKind::ProbeTimeOver), ..of_ports(vec![greeted(0, one, 0), stopped()]) };
    let (outcome, _, _, confidence) = verdict(&cut);
    assert_eq!((outcome, confidence), (Outcome::Inconclusive, Confidence::Unsure));
    let shut = Facts { needed: vec![Port::SUBMISSION], ..of_ports(vec![failed(0, "192.0.2.1:587", FailureKind::Refused, None)]) };
    assert_eq!(verdict(&shut), (Outcome::Unreachable, Reason::ConnectionRefused, Actor::RecipientAdmin, Confidence::Certain));
}

#[test]
fn nothing_is_judged_of_an_address_of_ones_own() {
    let one = "192.0.2.1:25";
    let own = |here, question, sessions| {
        let vantage = Vantage { own: vec![crate::probe::Own { address: "192.0.2.1".parse().unwrap(), here }], ..Vantage::default() };
        Facts { vantage, question, until: Stage::Greeting, ..facts(sessions) }
    };
    let silent = || vec![failed(0, one, FailureKind::TimedOut(Duration::from_secs(10)), None)];
    for question in [Question::Mail, Question::Ports] {
        let behind = own(false, question, silent());
        assert_eq!(verdict(&behind), (Outcome::Unreachable, Reason::Undetermined, Actor::SenderAdmin, Confidence::Unsure));
        assert!(found(&behind).contains(&"own_address"));
    }
    let open = verdict(&own(true, Question::Ports, vec![greeted(0, one, 0)]));
    assert_eq!(open, (Outcome::Accepted, Reason::Accepted, Actor::Nobody, Confidence::Unsure));
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

/// A session in which TLS came up.
fn secured(chain: Vec<SentCertificate>, verdict: CertificateVerdict) -> SessionFacts {
    let mut session = greeted(0, "192.0.2.1:25", 0);
    let chain_length = chain.len();
    let tls =
        TlsFacts { version: "TLS 1.3".to_owned(), cipher: String::new(), server_name: None, group: None, chain, chain_length, verdict };
    session.transcript.events.push((at(1), Event::Secured(tls)));
    session
}

fn certificate(subject: &str, seconds_left: i64) -> SentCertificate {
    let read = Certificate {
        subject: subject.to_owned(),
        issuer: String::new(),
        names: vec!["mx0.example.com".to_owned()],
        common_name: None,
        serial: "01".to_owned(),
        key: PublicKey::Rsa(2048),
        signature_algorithm: "sha256WithRSAEncryption".to_owned(),
        not_before: 0,
        not_after: i64::try_from(NOW).unwrap() + seconds_left,
        spki_sha256: String::new(),
        issuer_url: None,
    };
    SentCertificate { der: Vec::new(), sha256: String::new(), read: Some(read) }
}

#[test]
fn an_old_reply_that_was_slow_is_told() {
    let mut slow = greeted(0, "192.0.2.1:25", 0);
    let events = &mut slow.transcript.events;
    let sent = Event::Sent { command: crate::smtp::Command::Ehlo("probe.example.net".parse().unwrap()), purpose: Purpose::Target };
    events.push((at(1), sent));
    let reply = Reply::parse("250-hi\r\n250 STARTTLS\r\n").unwrap();
    events.push((at(9), Event::Received { verb: Verb::Ehlo, answers: Answers::Command(2), purpose: Purpose::Target, began: at(9), reply }));
    events.extend(secured(Vec::new(), CertificateVerdict::Trusted).transcript.events.pop().map(|(_, event)| (at(10), event)));
    assert_eq!(found(&facts(vec![slow])), ["slow_replies"]);
}

#[test]
fn a_certificate_that_ends_soon_is_told_once() {
    for (seconds, expected) in [
        (15 * 86_400, None),
        (14 * 86_400 + 1, None),
        (14 * 86_400, Some("certificate_expiring")),
        (3 * 86_400 + 1, Some("certificate_expiring")),
        (3 * 86_400, Some("certificate_expiring_now")),
        (0, Some("certificate_expiring_now")),
        (-1, None),
    ] {
        let session = secured(vec![certificate("", seconds)], CertificateVerdict::Trusted);
        assert_eq!(found(&facts(vec![session])), expected.into_iter().collect::<Vec<_>>(), "{seconds}");
    }
}

#[test]
fn everything_that_is_wrong_with_a_certificate_is_told() {
    let day = 1_700_000_000;
    for (why, place, told) in [
        (Distrust::SelfSigned, 0, "it is self-signed"),
        (Distrust::Unreadable, 0, "it cannot be parsed"),
        (Distrust::UnknownIssuer { issuer: "CN=Root".to_owned() }, 1, "the chain ends at CN=Root, which is not trusted here"),
        (
            Distrust::MissingIntermediate { issuer: "CN=Over".to_owned() },
            0,
            "its issuer, CN=Over, was not sent with it and is not trusted here",
        ),
        (Distrust::Expired { since: day }, 1, "certificate 2 of those sent, CN=Between: it expired on 2023-11-14"),
        (Distrust::NotYetValid { until: day }, 0, "it is not valid before 2023-11-14"),
        (Distrust::WrongName { asked: "a".to_owned(), has: vec!["b".to_owned(), "c".to_owned()] }, 0, "it is for b, c only"),
        (Distrust::WrongName { asked: "a".to_owned(), has: vec!["b".to_owned(); 6] }, 0, "it is for b, b, b, b, b and others only"),
        (Distrust::WrongName { asked: "a".to_owned(), has: Vec::new() }, 0, "it names no host"),
        (Distrust::BadSignature, 0, "it is not signed with its issuer's key"),
        (Distrust::Unproved, 0, "the server does not prove that it holds its key"),
        (Distrust::MarkedAsAuthority, 0, "it is marked as the certificate of an authority, not of a server"),
        (Distrust::NotAnAuthority, 1, "certificate 2 of those sent, CN=Between: it signs others, but is not marked as an authority's"),
        (Distrust::NotForServers, 0, "its extended key usage does not allow servers"),
        (Distrust::UnhandledExtension("1.2.3".to_owned()), 0, "it has a critical extension that is not understood (1.2.3)"),
        (Distrust::WeakKey(PublicKey::Rsa(1024)), 0, "its key is too short (RSA 1024)"),
        (Distrust::WeakSignature("ecdsa-with-SHA1".to_owned()), 0, "its signature is too weak (ecdsa-with-SHA1)"),
        (Distrust::Other("odd".to_owned()), 0, "odd"),
    ] {
        let chain = vec![certificate("CN=mx0", 99 * 86_400), certificate("CN=Between", 99 * 86_400)];
        let faults = vec![CertificateFault { why: why.clone(), place }];
        let facts = facts(vec![secured(chain, CertificateVerdict::Untrusted(faults))]);
        let knowledge = Knowledge::english();
        let findings = diagnose(&Case::new(&facts, &knowledge));
        let finding = findings.iter().find(|finding| finding.rule.id == "certificate_unverified").expect(told);
        assert_eq!(finding.evidence[0].quote, told);
    }
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
