//! Many recipients in one session: rests, and refusals that a server would count.

use super::*;

const PIPELINING: [&str; 2] = ["220 hi|", "250-hi|250 PIPELINING|"];

fn introduced(server: &[&str]) -> Session {
    let mut session = Session::new(dialogue(Stage::Rcpt), Elapsed::default());
    let ends = Connected { local: address("192.0.2.9:40000"), peer: address("192.0.2.1:25") };
    session.connected(Elapsed::default(), ends);
    for text in server {
        if matches!(session.need(), Need::Write(_)) {
            session.sent(Elapsed::default());
        }
        session.received(Elapsed::default(), text.replace('|', "\r\n").as_bytes());
    }
    session
}

fn at(seconds: u64) -> Elapsed {
    Elapsed(Duration::from_secs(seconds))
}

#[test]
fn a_session_rests_until_it_is_asked_for_more() {
    let mut session = introduced(&PIPELINING);
    assert!(session.is_idle());
    session.rest(at(1), Duration::from_secs(10));
    assert_eq!(session.need(), Need::Rest(Duration::from_secs(10)));
    assert!(session.is_idle() && !session.is_answered());
    session.enqueue(ask(&["a@example.com"]));
    assert_eq!(session.need(), Need::Write(b"MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\n".to_vec()));
    session.sent(at(2));
    assert!(!session.is_idle());
    session.received(at(2), b"250 ok\r\n250 ok\r\n");
    session.rest(at(2), Duration::from_secs(1));
    session.rested(at(3));
    assert_eq!(session.need(), Need::Write(b"QUIT\r\n".to_vec()));
    assert!(session.is_idle(), "until QUIT is written");
    session.sent(at(3));
    assert!(!session.is_idle());
    session.rest(at(3), Duration::from_secs(1));
    assert!(matches!(session.need(), Need::Read(_)), "whoever has said QUIT does not rest");
}

#[test]
fn what_happens_in_a_rest_ends_it_or_is_unasked() {
    let mut session = introduced(&PIPELINING);
    session.rest(at(0), Duration::from_secs(10));
    session.received(at(4), b"250 what\r\n");
    assert_eq!(session.need(), Need::Rest(Duration::from_secs(6)));
    session.received(at(5), b"421 4.4.2 timeout exceeded\r\n");
    assert_eq!(session.need(), Need::Close);
    let said = account(session.transcript());
    assert_eq!(said[said.len() - 2..], ["** mail 250 what|", "** 421"]);

    let mut session = introduced(&PIPELINING);
    session.rest(at(0), Duration::from_secs(10));
    session.broke(at(1), FailureKind::Closed.into());
    assert_eq!((session.need(), session.is_idle()), (Need::Close, false));

    let mut session = introduced(&PIPELINING);
    session.rest(at(0), Duration::from_secs(10));
    session.broke(at(1), FailureKind::Interrupted.into());
    assert_eq!(session.need(), Need::Write(b"QUIT\r\n".to_vec()));
    assert!(!session.is_idle());
}

/// The sizes of the groups that go out when each recipient but those named `a...` is refused.
fn groups(limit: ErrorLimit, recipients: &[&str]) -> (Vec<usize>, bool) {
    let mut session = introduced(&PIPELINING);
    session.bear(limit);
    session.enqueue(ask(recipients));
    let mut sizes = Vec::new();
    while let Need::Write(bytes) = session.need() {
        let text = String::from_utf8(bytes).unwrap();
        if text.starts_with("QUIT") {
            break;
        }
        sizes.push(text.lines().count());
        session.sent(Elapsed::default());
        let replies: String = text
            .lines()
            .map(|line| if line.starts_with("RCPT TO:<a") || line.starts_with("MAIL") { "250 ok\r\n" } else { "550 no\r\n" })
            .collect();
        session.received(Elapsed::default(), replies.as_bytes());
    }
    (sizes, session.is_idle())
}

#[test]
fn no_more_refusals_are_asked_for_than_the_server_bears() {
    let limit = ErrorLimit { enough: 3, most: 5, percent: 0, drawn: None };
    for (recipients, sizes, idle) in [
        (&["a1@x.test"; 9][..], &[5, 5][..], true),
        (
            &["a1@x.test", "a2@x.test", "no@x.test", "a3@x.test", "a4@x.test", "a5@x.test", "a6@x.test", "a7@x.test", "a8@x.test"],
            &[5, 4, 1],
            true,
        ),
        (&["no@x.test"; 9], &[5], false),
        (&["a1@x.test", "a2@x.test", "no@x.test", "no@x.test", "no@x.test", "no@x.test", "no@x.test", "no@x.test"], &[5, 3], false),
    ] {
        assert_eq!(groups(limit, recipients), (sizes.to_vec(), idle), "{recipients:?}");
    }
}

#[test]
fn groups_are_as_large_as_the_refusals_to_be_expected_allow() {
    for (percent, refusals, group) in [
        (0, 0, 19),
        (5, 0, 19),
        (20, 0, 19),
        (20, 5, 10),
        (20, 8, 2),
        (50, 0, 9),
        (50, 8, 1),
        (100, 0, 4),
        (100, 9, 1),
        (0, 8, 11),
        (0, 30, 1),
    ] {
        let limit = ErrorLimit { enough: 9, most: 19, percent, drawn: None };
        assert_eq!(limit.group(refusals), group, "{percent} % after {refusals}");
    }
}

#[test]
fn groups_of_recipients_that_are_drawn_at_random_are_larger() {
    for (percent, refusals, group) in
        [(0, 0, 250), (2, 0, 125), (5, 0, 50), (10, 0, 25), (20, 0, 19), (50, 0, 9), (2, 8, 25), (5, 8, 10), (20, 8, 2), (0, 30, 1)]
    {
        let limit = ErrorLimit { enough: 9, most: 19, percent, drawn: Some(percent) };
        assert_eq!(limit.group(refusals), group, "{percent} % after {refusals}");
    }
}

#[test]
fn a_group_reaches_the_limit_less_than_once_in_a_billion() {
    for percent in 1..=50_u32 {
        for refusals in 0..9_u32 {
            let limit = ErrorLimit { enough: 9, most: 19, percent: percent as usize, drawn: Some(percent as usize) };
            let group = u32::try_from(limit.group(refusals as usize)).expect("a small number");
            if group + refusals <= 19 {
                continue;
            }
            // The binomial distribution's tail, term by term.
            let (n, share) = (f64::from(group), f64::from(percent) / 100.0);
            let mut term = (1.0 - share).powf(n);
            let mut below = 0.0;
            for k in (0..19 - refusals).map(f64::from) {
                below += term;
                term *= (n - k) / (k + 1.0) * share / (1.0 - share);
            }
            let tail: f64 = 1.0 - below;
            assert!(tail < 1e-9, "{tail:e} for {group} recipients, {percent} % and {refusals} refusals");
        }
    }
}
