//! Messages that are really sent, to servers of the demo's mail world: what arrives, how often, and what is told of it.

use std::future::Future;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use smtpprobe::demo::{Arrived, Said, Scenario, World};
use smtpprobe::diagnosis::{Case, Outcome, Twist, Verdict, judge};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::message::Message;
use smtpprobe::message::dkim::{Signer, SigningKey};
use smtpprobe::probe::{Facts, Role, WaitEnd, probe};
use smtpprobe::settings::{Letter, Policies, Settings};
use smtpprobe::smtp::{Event, Handling, ReplyCode, Stage, StageTimes, Transfer, Verb};
use smtpprobe::target::{Host, Port};

const HEAD: &str = r#"
address = "anna@sent.test"
title = "t"
teaches = "l"
expect = { outcome = "accepted", reason = "accepted", actor = "nobody", confidence = "certain" }
[dns]
"sent.test MX" = ["10 mx1.sent.test", "20 mx2.sent.test"]
"mx1.sent.test A" = ["192.0.2.1", "192.0.2.3"]
"mx2.sent.test A" = ["192.0.2.2"]
"#;

/// A server at each of the world's addresses, with these further lines.
fn servers(lines: &str) -> String {
    let server = |at: &str| {
        format!(
            "[[server]]\nat = [\"{at}:25\"]\nmailboxes = [\"anna\"]\n\
             ehlo = [\"PIPELINING\", \"SIZE 52428800\", \"ENHANCEDSTATUSCODES\", \"8BITMIME\", \"SMTPUTF8\", \"CHUNKING\"]\n{lines}\n"
        )
    };
    ["192.0.2.1", "192.0.2.3", "192.0.2.2"].map(server).concat()
}

struct Sent {
    facts: Facts,
    verdict: Verdict,
    arrived: Vec<Arrived>,
    said: Vec<Said>,
}

/// Sends `letter` into a world of such servers; `interrupt` may stop it.
fn sent(lines: &str, letter: Letter, change: impl Fn(Settings) -> Settings, interrupt: impl Future<Output = ()>) -> Sent {
    let scenario = Scenario::parse(&format!("{HEAD}{}", servers(lines))).expect("a scenario");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let target = scenario.address.parse().expect("a target");
    let knowledge = Knowledge::english();
    let (facts, arrived, said) = runtime.block_on(async {
        let world = World::start(&scenario).await.expect("loopback sockets");
        let base = Settings { hello: Some("probe.example.net".parse().expect("a name")), letter: Some(letter), ..Settings::default() };
        let facts = probe(&target, &change(world.settings(base)), &knowledge, interrupt, |_| {}).await;
        (facts, world.arrived(), world.log())
    });
    let verdict = judge(&Case::new(&facts, &knowledge));
    Sent { facts, verdict, arrived, said }
}

fn delivered(lines: &str, letter: Letter) -> Sent {
    sent(lines, letter, |settings| settings, std::future::pending())
}

fn message(octets: impl Into<Vec<u8>>) -> Message {
    Message::new(octets.into()).expect("a message")
}

fn chunks(settings: Settings) -> Settings {
    Settings { handling: Handling { transfer: Transfer::Chunks, ..Handling::default() }, ..settings }
}

/// Ten million octets, with dots wherever they hurt.
fn large() -> Message {
    let line = ".A line with a dot before it, and one behind it.\r\n..\r\n";
    message([b"Subject: large\r\n\r\n".to_vec(), line.repeat(10_000_000 / line.len()).into_bytes()].concat())
}

#[test]
fn whatever_is_in_a_message_arrives_octet_for_octet() {
    let odd: Vec<Message> = vec![
        message("Subject: dots\n\n.\n..\n.x\n...\n. \n"),
        message("Subject: ends\r\rone\rtwo\nthree\r\n.\rfour\n\r.\n"),
        message(format!("Subject: long\n\n{}\n.{}\n{}.", "a".repeat(1_000), "b".repeat(16_384), "c".repeat(5_000))),
        message("Subject: \u{f6}\n\nb\u{f6}dy\n"),
        message(b"Subject: octets\n\n\xff\xfe\x00\x01\x7f\x80\n".to_vec()),
        message("\n"),
        message("no header at all"),
    ];
    for tls in ["tls = \"starttls\"", "tls = \"none\""] {
        for given in &odd {
            for transfer in [Transfer::Data, Transfer::Chunks] {
                let change = |settings| if transfer == Transfer::Data { settings } else { chunks(settings) };
                let sent = sent(tls, Letter::Given(given.clone()), change, std::future::pending());
                let [arrived] = sent.arrived.as_slice() else { panic!("{given:?} arrived {} times", sent.arrived.len()) };
                assert_eq!(arrived.octets, given.octets(), "{given:?}");
                assert_eq!((arrived.chunked, arrived.secured), (transfer == Transfer::Chunks, tls.contains("starttls")));
                assert_eq!(sent.verdict.outcome, Outcome::Accepted);
            }
        }
    }
}

#[test]
fn ten_million_octets_arrive_by_either_way() {
    let large = large();
    for change in [std::convert::identity, chunks] {
        let sent = sent("", Letter::Given(large.clone()), change, std::future::pending());
        let [arrived] = sent.arrived.as_slice() else { panic!("arrived {} times", sent.arrived.len()) };
        assert!(arrived.octets == large.octets(), "{} octets of {} arrived, or others", arrived.octets.len(), large.size());
        assert_eq!(sent.verdict.outcome, Outcome::Accepted);
    }
}

#[test]
fn of_several_hosts_and_addresses_one_gets_it_once() {
    for tls in ["", "tls = \"none\"", "tls = \"broken\"", "[[server.reply]]\nto = \"CONNECT\"\ndelay_ms = 400"] {
        let sent = delivered(tls, Letter::Given(message("Subject: x\n\nonce\n")));
        assert_eq!(sent.arrived.len(), 1, "{tls} {:?}", sent.said);
        assert_eq!(sent.said.iter().filter(|said| said.line.eq_ignore_ascii_case("DATA")).count(), 1, "{tls}");
        assert_eq!(sent.verdict.outcome, Outcome::Accepted, "{tls}");
        // No control question is asked beside it.
        assert!(sent.said.iter().filter(|said| said.line.starts_with("RCPT")).all(|said| said.line == "RCPT TO:<anna@sent.test>"));
    }
}

#[test]
fn what_may_have_been_delivered_is_sent_nowhere_else() {
    for (then, tls) in [("close", ""), ("reset", ""), ("close", "tls = \"none\""), ("reset", "tls = \"broken\"")] {
        let sent =
            delivered(&format!("{tls}\n[[server.reply]]\nto = \".\"\nthen = \"{then}\""), Letter::Given(message("Subject: x\n\nonce\n")));
        assert_eq!(sent.arrived.len(), 1, "{then} {tls}");
        assert_eq!((sent.verdict.outcome, sent.verdict.twist), (Outcome::Inconclusive, Twist::MaybeDelivered), "{then} {tls}");
    }
    // Stopped by the user, or out of time, after the end of it.
    let silent = "[[server.reply]]\nto = \".\"\nthen = \"silent\"";
    let stop = tokio_after(Duration::from_millis(700));
    let stopped = sent(silent, Letter::Given(message("Subject: x\n\nonce\n")), |settings| settings, stop);
    assert_eq!((stopped.arrived.len(), stopped.verdict.twist), (1, Twist::MaybeDelivered));
}

async fn tokio_after(time: Duration) {
    tokio::time::sleep(time).await;
}

#[test]
fn the_time_for_the_probe_does_not_cut_off_a_message() {
    let slow = "[[server.reply]]\nto = \".\"\ndelay_ms = 1500";
    let hasty = |settings| Settings { timeout: Duration::from_millis(900), ..settings };
    let sent = sent(slow, Letter::Given(message("Subject: x\n\nslow\n")), hasty, std::future::pending());
    assert_eq!((sent.arrived.len(), sent.verdict.outcome), (1, Outcome::Accepted));
}

#[test]
fn a_refusal_in_the_middle_is_heard_and_the_rest_stays_here() {
    let refusal = "[[server.reply]]\nto = \".\"\nafter_octets = 50000\nsay = \"552 5.3.4 Message too big for system\"\nthen = \"silent\"";
    for change in [std::convert::identity, chunks] {
        // The server goes on reading, which it need not do.
        let sent = sent(refusal, Letter::Given(large()), change, std::future::pending());
        assert!(sent.arrived.is_empty());
        assert_eq!((sent.verdict.outcome, sent.verdict.code.map(ReplyCode::number)), (Outcome::Rejected, Some(552)));
        let transcript = &sent.facts.sessions.iter().find(|session| session.transcript.reached >= Some(Stage::Rcpt)).unwrap().transcript;
        let gone = transcript
            .events
            .iter()
            .rev()
            .find_map(|(_, event)| if let Event::Content { written, of, .. } = event { Some((*written, *of)) } else { None });
        assert!(gone.is_some_and(|(written, of)| written < of), "{gone:?}");
    }
    // Without a word: it is lost, and is not delivered.
    let silence = "[[server.reply]]\nto = \".\"\nafter_octets = 50000\nthen = \"reset\"";
    let sent = delivered(silence, Letter::Given(large()));
    assert!(sent.arrived.is_empty() && sent.verdict.twist != Twist::MaybeDelivered, "{:?}", sent.verdict);
}

/// A server that answers in its own words, each after a line of the client's, and reads nothing more after the last of them.
fn deaf(words: &'static [&'static str]) -> (SocketAddr, std::thread::JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = listener.local_addr().expect("an address");
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut lines = BufReader::new(stream.try_clone().expect("a second hold of it"));
        for (turn, said) in words.iter().enumerate() {
            if turn > 0 {
                lines.read_line(&mut String::new()).expect("a line");
            }
            stream.write_all(said.as_bytes()).expect("it can be said");
        }
        stream
    });
    (address, serving)
}

#[test]
fn a_server_that_stops_reading_is_heard_and_not_waited_for() {
    const UP_TO_DATA: [&str; 5] = ["220 deaf.test\r\n", "250 deaf.test\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"];
    const REFUSING: [&str; 5] = ["220 deaf.test\r\n", "250 deaf.test\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n552 5.3.4 no\r\n"];
    for (words, outcome, stage) in [(&UP_TO_DATA, Outcome::Inconclusive, Stage::Message), (&REFUSING, Outcome::Rejected, Stage::Message)] {
        let (address, serving) = deaf(words);
        let times = StageTimes { block: Duration::from_millis(800), ..StageTimes::default() };
        let port = Port::try_from(address.port()).expect("a port");
        let settings = Settings {
            servers: vec![(Host::Address(address.ip()), Some(port))],
            letter: Some(Letter::Given(large())),
            policies: Policies::Off,
            times,
            ..Settings::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let knowledge = Knowledge::english();
        let target = "anna@deaf.test".parse().expect("a target");
        let began = std::time::Instant::now();
        let facts = runtime.block_on(probe(&target, &settings, &knowledge, std::future::pending(), |_| {}));
        assert!(began.elapsed() < Duration::from_secs(20));
        let verdict = judge(&Case::new(&facts, &knowledge));
        assert_eq!((verdict.outcome, verdict.stage, verdict.twist), (outcome, stage, Twist::None), "{verdict:?}");
        drop(serving.join());
    }
}

#[test]
fn until_data_sends_nothing_even_with_a_message_at_hand() {
    for change in [std::convert::identity, chunks] {
        let until = |settings| change(Settings { until: Some(Stage::Data), ..settings });
        let sent = sent("", Letter::Given(message("Subject: x\n\nno\n")), until, std::future::pending());
        assert!(sent.arrived.is_empty());
        assert!(sent.said.iter().any(|said| said.line == "DATA") && sent.said.iter().all(|said| !said.line.starts_with("BDAT")));
        assert_eq!(sent.verdict.outcome, Outcome::Accepted);
    }
    // Nor does a stage beyond it without one.
    let without = |settings| Settings { until: Some(Stage::Message), letter: None, ..settings };
    let sent = sent("", Letter::Test(None), without, std::future::pending());
    assert!(sent.arrived.is_empty() && sent.verdict.outcome == Outcome::Accepted);
}

#[test]
fn a_test_message_arrives_signed_and_says_who_sent_it() {
    let pem = include_bytes!("../src/message/dkim/keys/ed25519.pem");
    let key = SigningKey::from_pem(pem).expect("a key");
    let signer = Signer { domain: "example.net".parse().unwrap(), selector: "mail".parse().unwrap(), key };
    let sent = delivered("", Letter::Test(Some(signer)));
    let [arrived] = sent.arrived.as_slice() else { panic!("arrived {} times", sent.arrived.len()) };
    let text = String::from_utf8(arrived.octets.clone()).unwrap();
    for part in [
        "DKIM-Signature: v=1; a=ed25519-sha256;",
        "From: postmaster@probe.example.net\r\n",
        "To: anna@sent.test\r\n",
        "@probe.example.net>\r\n",
        "This is a test message.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(sent.said.iter().any(|said| said.line.starts_with("MAIL FROM:<> SIZE=")));
    let letter = sent.facts.letter.expect("it was written");
    assert!(letter.is_test);
    let signature = letter.signature().map(|(domain, selector)| (domain.to_string(), selector.to_string()));
    assert_eq!(signature, Some(("example.net".to_owned(), "mail".to_owned())));
}

#[test]
fn coming_back_says_the_same_from_the_same_address() {
    let grey = "[[server.reply]]\nto = \".\"\nsay = \"451 4.7.1 Greylisted, please try again in 1 second\"\nonce = true";
    let patient = |settings| Settings { wait: Some(Duration::from_secs(5)), ..settings };
    let sent = sent(grey, Letter::Test(None), patient, std::future::pending());
    // Each host puts it off once; the first that is asked again takes it. The servers keep what they refuse, too.
    assert_eq!(sent.verdict.outcome, Outcome::Accepted);
    let retried: Vec<_> = sent.facts.sessions.iter().filter(|session| session.role == Role::Retry).collect();
    assert_eq!(retried.len(), 1);
    let taken = |session: &&&smtpprobe::probe::SessionFacts| session.transcript.replies().any(|a| a.verb == Verb::DataEnd && a.is_yes());
    assert_eq!(sent.facts.sessions.iter().filter(|session| taken(&session)).count(), 1);
    // It is the same message, its Message-ID and all.
    assert!(sent.arrived.len() > 1 && sent.arrived.windows(2).all(|pair| pair[0].octets == pair[1].octets));
    let waited = sent.facts.waited.expect("it was waited");
    assert_eq!(waited.end, WaitEnd::Answered);
    assert!(waited.waited >= Duration::from_secs(1) && waited.waited <= waited.limit);
}

#[test]
fn a_wait_that_is_broken_off_leaves_the_first_answer() {
    let grey = "[[server.reply]]\nto = \"RCPT\"\nsay = \"450 4.7.1 Greylisted, please try again in 60 seconds\"";
    let patient = |settings| Settings { wait: Some(Duration::from_secs(100)), letter: None, ..settings };
    let began = std::time::Instant::now();
    let sent = sent(grey, Letter::Test(None), patient, tokio_after(Duration::from_millis(1500)));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!((sent.verdict.outcome, sent.verdict.code.map(ReplyCode::number)), (Outcome::Deferred, Some(450)));
    assert_eq!(sent.facts.waited.map(|waited| waited.end), Some(WaitEnd::BrokenOff));
}
