//! What is called when, as tables: attempts with what became of them, and a time.

mod chance;

use std::time::Duration;

use super::*;
use crate::settings::Control;
use crate::smtp::{Connected, Event, Failure, IcmpError};

const SILENT: &str = "192.0.2.1:25";
const SILENT_V6: &str = "[2001:db8::1]:25";

fn ms(millis: u64) -> Elapsed {
    Elapsed(Duration::from_millis(millis))
}

fn host(name: &str) -> Host {
    Host::Name(name.parse().expect(name))
}

fn attempt(address: &str) -> Attempt {
    let address: SocketAddr = address.parse().expect(address);
    let port = Port::try_from(address.port()).expect("a port");
    Attempt {
        role: Role::Asked,
        host: Some(0),
        name: host("mx1.example.com"),
        address,
        port,
        tls: TlsUse::IfOffered,
        until: Stage::Rcpt,
        connect_timeout: Duration::from_secs(10),
    }
}

/// What became of an attempt.
fn ended(stage: Stage, kind: FailureKind) -> Transcript {
    let mut transcript = Transcript::default();
    if stage > Stage::Connect {
        let any: SocketAddr = "192.0.2.9:40000".parse().expect("an address");
        transcript.events.push((ms(1), Event::Connected(Connected { local: any, peer: any })));
        transcript.reached = Some(Stage::Connect);
    }
    transcript.events.push((ms(1), Event::Broke { stage, failure: kind.into() }));
    transcript
}

fn refused() -> Transcript {
    ended(Stage::Connect, FailureKind::Refused)
}

/// Two control hosts, each with both families.
fn controls() -> Vec<(Host, IpAddr)> {
    [("mx.one.test", "203.0.113.1"), ("mx.one.test", "2001:db8:c::1"), ("mx.two.test", "203.0.113.2"), ("mx.two.test", "2001:db8:c::2")]
        .map(|(name, address)| (host(name), address.parse().expect(address)))
        .to_vec()
}

fn of(question: Question) -> Beside {
    Beside::new(&Settings { question, control: vec![Control::Host(host("mx.one.test"))], ..Settings::default() })
}

/// All that is called at a time, by role and address.
fn called(beside: &mut Beside, at: u64) -> Vec<String> {
    let mut called = Vec::new();
    while let Some(attempt) = beside.next(ms(at), true, |_, _| Some(true)) {
        beside.began(&attempt, ms(at));
        called.push(format!("{:?} {}", attempt.role, attempt.address));
    }
    called
}

#[test]
fn silence_is_waited_for_and_a_refusal_is_not() {
    let mut beside = of(Question::Ports);
    beside.began(&attempt(SILENT), ms(0));
    assert_eq!(called(&mut beside, 2_999), [""; 0]);
    assert!(!beside.wants_controls());
    assert_eq!(beside.wake(ms(2_999)), Some(Duration::from_millis(1)));
    assert_eq!(called(&mut beside, 3_000), [""; 0]);
    assert!(beside.wants_controls() && !beside.wants_controls(), "it is said once");
    beside.found(controls());
    assert_eq!(called(&mut beside, 3_100), ["Control 203.0.113.1:25"]);

    let mut beside = of(Question::Ports);
    beside.began(&attempt(SILENT), ms(0));
    beside.ended(&attempt(SILENT), &refused());
    assert_eq!(called(&mut beside, 1), [""; 0]);
    assert!(beside.wants_controls());
}

#[test]
fn a_port_that_is_open_somewhere_is_nobodys_question() {
    let elsewhere = || attempt("198.51.100.1:25");
    for (settle, wanted) in [
        (Box::new(|beside: &mut Beside| beside.stands(elsewhere().address)) as Box<dyn Fn(&mut Beside)>, false),
        (Box::new(|beside| beside.ended(&elsewhere(), &refused())), true),
        // What this machine itself does not let out tells nothing, and so is left aside.
        (Box::new(|beside| beside.ended(&elsewhere(), &ended(Stage::Connect, FailureKind::NoRoute))), true),
        (Box::new(|beside| beside.ended(&elsewhere(), &ended(Stage::Greeting, FailureKind::Reset))), true),
        (Box::new(|beside| beside.ended(&elsewhere(), &ended(Stage::Greeting, FailureKind::TimedOut(Duration::from_secs(5))))), false),
    ] {
        let mut beside = of(Question::Ports);
        for one in [attempt(SILENT), elsewhere()] {
            beside.began(&one, ms(0));
        }
        beside.ended(&attempt(SILENT), &refused());
        settle(&mut beside);
        called(&mut beside, 10);
        assert_eq!(beside.wants_controls(), wanted);
    }
}

#[test]
fn nothing_is_called_for_what_is_this_machines_own_doing_or_nobody_elses_business() {
    let icmp = IcmpError { kind: 3, code: 3, from: "192.0.2.9".parse().expect("an address"), here: true };
    let mut own = Transcript::default();
    let failure = Failure { kind: FailureKind::Rejected, errno: Some(111), icmp: Some(icmp) };
    own.events.push((ms(1), Event::Broke { stage: Stage::Connect, failure }));
    for (address, transcript) in [
        (SILENT, own),
        (SILENT, ended(Stage::Connect, FailureKind::Forbidden)),
        (SILENT, ended(Stage::Connect, FailureKind::NoRoute)),
        (SILENT, ended(Stage::Connect, FailureKind::Overtaken)),
        // A private address does not tell what gets out of this network.
        ("10.0.0.1:25", refused()),
        // Control hosts listen on port 25.
        ("192.0.2.1:587", refused()),
    ] {
        let mut beside = of(Question::Ports);
        beside.began(&attempt(address), ms(0));
        beside.ended(&attempt(address), &transcript);
        assert_eq!(called(&mut beside, 10_000), [""; 0], "{address} {transcript:?}");
        assert!(!beside.wants_controls(), "{address} {transcript:?}");
    }
    let mut forbidden = Beside::new(&Settings { control: Vec::new(), ..Settings::default() });
    forbidden.began(&attempt(SILENT), ms(0));
    forbidden.doubt(attempt(SILENT).address);
    called(&mut forbidden, 5_000);
    assert!(!forbidden.wants_controls());
}

#[test]
fn the_next_control_is_called_when_one_stays_silent_and_none_when_it_answers() {
    let shut = || {
        let mut beside = of(Question::Ports);
        beside.began(&attempt(SILENT), ms(0));
        called(&mut beside, 3_000);
        beside.found(controls());
        assert_eq!(called(&mut beside, 3_000), ["Control 203.0.113.1:25"]);
        beside
    };
    let mut silent = shut();
    assert_eq!(called(&mut silent, 3_999), [""; 0]);
    assert_eq!(called(&mut silent, 4_000), ["Control 203.0.113.2:25"]);
    assert_eq!(called(&mut silent, 9_000), [""; 0], "two are enough, as there are no more");
    let mut open = shut();
    open.stands("203.0.113.1:25".parse().expect("an address"));
    assert_eq!(called(&mut open, 9_000), [""; 0]);
}

#[test]
fn each_family_has_its_own_controls_and_the_targets_own_hosts_are_none() {
    let mut beside = of(Question::Ports);
    beside.began(&attempt(SILENT), ms(0));
    beside.began(&attempt(SILENT_V6), ms(0));
    beside.stands(attempt(SILENT).address);
    called(&mut beside, 3_000);
    beside.found(controls());
    assert_eq!(called(&mut beside, 3_000), ["Control [2001:db8:c::1]:25"]);

    let mut kin = of(Question::Ports);
    kin.began(&attempt(SILENT), ms(0));
    called(&mut kin, 3_000);
    kin.found(vec![(host("mx9.example.com"), "203.0.113.9".parse().expect("an address"))]);
    kin.found(vec![(host("mx.one.test"), attempt(SILENT).address.ip())]);
    assert_eq!(called(&mut kin, 3_000), [""; 0]);
}

#[test]
fn who_answers_is_asked_of_one_control() {
    let mut beside = of(Question::Ports);
    beside.began(&attempt(SILENT), ms(0));
    beside.stands(attempt(SILENT).address);
    beside.doubt("192.0.2.1:587".parse().expect("an address"));
    assert!(!beside.wants_controls(), "a submission server may have any name");
    beside.doubt(attempt(SILENT).address);
    assert!(beside.wants_controls());
    beside.found(controls());
    assert_eq!(called(&mut beside, 10), ["Control 203.0.113.1:25"]);
    assert_eq!(called(&mut beside, 9_000), [""; 0], "its silence calls no other");
}

#[test]
fn a_probe_of_mail_looks_at_other_ports_once_and_not_where_the_host_was_reached() {
    let others = ["OtherPort 192.0.2.1:587", "OtherPort 192.0.2.1:465"];
    let mut beside = of(Question::Mail);
    for address in [SILENT, "192.0.2.1:2525"] {
        beside.began(&attempt(address), ms(0));
        beside.ended(&attempt(address), &refused());
    }
    assert_eq!(called(&mut beside, 10), others);
    assert_eq!(called(&mut beside, 20), [""; 0]);

    let mut cut = of(Question::Mail);
    cut.began(&attempt(SILENT), ms(0));
    cut.ended(&attempt(SILENT), &ended(Stage::Greeting, FailureKind::Closed));
    assert_eq!(called(&mut cut, 10), [""; 0]);
    assert!(cut.wants_controls());
}

#[test]
fn nobody_goes_further_or_waits_longer_than_the_user_wants() {
    let mut beside = Beside::new(&Settings { until: Some(Stage::Connect), ..Settings::default() });
    beside.began(&attempt(SILENT), ms(0));
    called(&mut beside, 3_000);
    beside.found(controls());
    let control = beside.next(ms(4_000), true, |_, _| Some(true)).expect("a control");
    assert_eq!((control.until, control.connect_timeout), (Stage::Connect, Duration::from_secs(6)));
    assert_eq!(beside.time_left(ms(9_900)), Duration::from_secs(10) / 3, "a third at least");
}

#[test]
fn the_other_mode_is_tried_where_the_first_looks_wrong() {
    let mute = |seconds| ended(Stage::Greeting, FailureKind::TimedOut(Duration::from_secs(seconds)));
    let implicit = Attempt { tls: TlsUse::Implicit, until: Stage::Tls, ..attempt("192.0.2.1:465") };
    let mut plain = ended(Stage::Tls, FailureKind::NotTls);
    plain.events.insert(1, (ms(1), Event::Premature { stage: Stage::Tls, began: ms(1), bytes: b"220 hi".to_vec() }));
    for (first, transcript, second) in [
        (attempt(SILENT), mute(20), Some((TlsUse::Implicit, Stage::Tls))),
        // Whoever is only late would take it for speaking out of turn.
        (attempt(SILENT), mute(19), None),
        (attempt(SILENT), ended(Stage::Greeting, FailureKind::NotSmtp(ForeignProtocol::Tls)), Some((TlsUse::Implicit, Stage::Tls))),
        (attempt(SILENT), ended(Stage::Greeting, FailureKind::NotSmtp(ForeignProtocol::Http)), None),
        (implicit.clone(), plain, Some((TlsUse::Never, Stage::Greeting))),
        (implicit.clone(), ended(Stage::Tls, FailureKind::NotTls), None),
        (implicit, mute(30), None),
    ] {
        let mut beside = of(Question::Ports);
        beside.began(&first, ms(0));
        beside.ended(&first, &transcript);
        let next = beside.next(ms(1), false, |_, _| Some(true)).filter(|attempt| attempt.role == Role::OtherMode);
        assert_eq!(next.map(|attempt| (attempt.tls, attempt.until)), second, "{transcript:?}");
    }
}

/// A session that got inside TLS.
fn inside() -> Transcript {
    let mut transcript = ended(Stage::Quit, FailureKind::Closed);
    transcript.events.pop();
    let (version, cipher) = ("TLS 1.3".to_owned(), String::new());
    let verdict = crate::smtp::CertificateVerdict::Trusted;
    let facts = crate::smtp::TlsFacts { version, cipher, server_name: None, group: None, chain: Vec::new(), chain_length: 0, verdict };
    transcript.events.push((ms(2), Event::Secured(facts)));
    transcript
}

#[test]
fn after_a_failed_handshake_old_tls_is_asked_for_and_the_question_put_in_the_clear() {
    use HandshakeFailure::{Closed, Hung, Malformed, Reset};
    let failed = |failure| ended(Stage::Tls, FailureKind::TlsHandshake(failure));
    let alert = || failed(HandshakeFailure::Alert(crate::smtp::TlsAlert(70)));
    let (both, clear, old) =
        (&["OldTls 192.0.2.1:25", "InClear 192.0.2.1:25"][..], &["InClear 192.0.2.1:25"][..], &["OldTls 192.0.2.1:25"][..]);
    let tls = |tls| Attempt { tls, ..attempt(SILENT) };
    for (asked, transcript, expected) in [
        (attempt(SILENT), alert(), both),
        (attempt(SILENT), failed(Closed), both),
        (attempt(SILENT), failed(Reset), both),
        (attempt(SILENT), failed(Malformed("x")), both),
        // Whoever is silent, or answers in plain text, does so again.
        (attempt(SILENT), failed(Hung(Duration::from_secs(15))), clear),
        (attempt(SILENT), ended(Stage::Tls, FailureKind::NotTls), clear),
        // Whoever insists on TLS, or whose port begins with it, has no way in the clear.
        (tls(TlsUse::Require), alert(), old),
        (tls(TlsUse::Implicit), alert(), old),
        (attempt(SILENT), ended(Stage::Greeting, FailureKind::Closed), &[]),
        (attempt(SILENT), inside(), &[]),
    ] {
        let mut beside = of(Question::Mail);
        beside.began(&asked, ms(0));
        beside.ended(&asked, &transcript);
        assert_eq!(called(&mut beside, 1), expected, "{:?} {transcript:?}", asked.tls);
    }
    // Of ports nothing is asked but what they are.
    let mut ports = of(Question::Ports);
    ports.ended(&attempt(SILENT), &alert());
    assert_eq!(called(&mut ports, 1), [""; 0]);

    // Each host once, and three hosts at most.
    let mut beside = of(Question::Mail);
    for place in 0..5 {
        for last in [1, 2] {
            let asked = Attempt { host: Some(place), ..attempt(&format!("192.0.2.{}:25", 10 * place + last)) };
            beside.ended(&asked, &alert());
        }
    }
    let calls = called(&mut beside, 1);
    let of_role = |role: &str| calls.iter().filter_map(|call| call.strip_prefix(role)).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(of_role("OldTls "), ["192.0.2.1:25", "192.0.2.11:25", "192.0.2.21:25"]);
    assert_eq!(of_role("OldTls "), of_role("InClear "));
}

#[test]
fn nobody_is_asked_in_the_clear_before_it_is_known_that_policies_allow_it() {
    let failed = ended(Stage::Tls, FailureKind::TlsHandshake(HandshakeFailure::Hung(Duration::from_secs(15))));
    for (known, expected) in [(Some(true), 1), (Some(false), 0)] {
        let mut beside = of(Question::Mail);
        beside.ended(&attempt(SILENT), &failed);
        assert!(beside.next(ms(1), true, |_, _| None).is_none() && beside.waits_for_policies());
        assert!(beside.next(ms(2), false, |_, _| known).is_none(), "others may still be asked, who have TLS");
        let calls = std::iter::from_fn(|| beside.next(ms(3), true, |_, _| known)).count();
        assert_eq!((calls, beside.waits_for_policies()), (expected, false));
    }
}

#[test]
fn injection_is_tried_once_where_tls_came_up_by_starttls() {
    let wanted = || Beside::new(&Settings { check_injection: true, control: Vec::new(), ..Settings::default() });
    let implicit = Attempt { tls: TlsUse::Implicit, ..attempt(SILENT) };
    for (asked, transcript, expected) in [
        (attempt(SILENT), inside(), &["Injection 192.0.2.1:25"][..]),
        (implicit, inside(), &[]),
        (attempt(SILENT), ended(Stage::Greeting, FailureKind::Closed), &[]),
    ] {
        let mut beside = wanted();
        beside.ended(&asked, &transcript);
        assert_eq!(called(&mut beside, 1), expected);
    }
    let mut beside = wanted();
    for address in ["192.0.2.1:25", "192.0.2.2:25"] {
        beside.ended(&attempt(address), &inside());
    }
    // Also where a definite answer was had, and nobody else is called.
    assert_eq!(beside.next_in_any_case().map(|attempt| attempt.until), Some(Stage::StartTls));
    assert!(beside.next_in_any_case().is_none());
    let mut unwanted = of(Question::Mail);
    unwanted.ended(&attempt(SILENT), &inside());
    assert_eq!(called(&mut unwanted, 1), [""; 0]);
}
