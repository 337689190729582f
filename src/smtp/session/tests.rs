//! Whole conversations as tables: what the server does against everything that happened.

mod ways;

use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::smtp::{CertificateFault, CertificateVerdict, Distrust, Handling, HandshakeFailure, KeyExchange, StageTimes, TlsVersion};

/// What the server does whenever the session waits for it. Text is sent as it stands, with `|` for CRLF; words in angle brackets
/// are `<closes>`, `<silence>`, `<stop>` and, for the handshake, `<tls>`, `<untrusted>`, `<tls fails>` and `<old>`.
pub(super) fn talk(dialogue: Dialogue, transactions: &[Transaction], server: &[&str]) -> Vec<String> {
    let mut session = Session::new(dialogue, Elapsed::default());
    for transaction in transactions {
        session.enqueue(transaction.clone());
    }
    hold(&mut session, server);
    account(session.transcript())
}

/// Gives what was written as secret.
pub(super) fn hold(session: &mut Session, server: &[&str]) -> Vec<String> {
    let mut secrets = Vec::new();
    let mut now = Elapsed::default();
    let ends = Connected { local: address("192.0.2.9:40000"), peer: address("192.0.2.1:25") };
    session.connected(now, ends);
    let mut acts = server.iter();
    for _ in 0..200 {
        match session.need() {
            Need::Close => return secrets,
            Need::Write(bytes) => {
                assert!(bytes.ends_with(b"\r\n"));
                session.sent(now);
            }
            Need::WriteSome(..) => panic!("no message was to be sent"),
            Need::Rest(span) => {
                now.0 += span;
                session.rested(now);
            }
            Need::WriteSecret(line) => {
                secrets.push(String::from_utf8_lossy(line.expose()).into_owned());
                session.sent(now);
            }
            Need::Read(limit) => match acts.next() {
                Some(&"<closes>") => session.broke(now, FailureKind::Closed.into()),
                Some(&"<stop>") => session.broke(now, FailureKind::Interrupted.into()),
                Some(&"<silence>") | None => {
                    now.0 += limit;
                    session.broke(now, FailureKind::TimedOut(limit).into());
                }
                Some(text) => session.received(now, text.replace('|', "\r\n").as_bytes()),
            },
            Need::Handshake(_) => match acts.next() {
                Some(&"<tls>") => session.secured(now, tls()),
                Some(&"<untrusted>") => {
                    let fault = CertificateFault { why: Distrust::SelfSigned, place: 0 };
                    session.secured(now, TlsFacts { verdict: CertificateVerdict::Untrusted(vec![fault]), ..tls() });
                }
                _ => session.broke(now, FailureKind::TlsHandshake(HandshakeFailure::Ours("no".to_owned())).into()),
            },
            Need::Survey(_) => match acts.next() {
                Some(&"<old>") => session.surveyed(now, old_tls()),
                _ => session.broke(now, FailureKind::TlsHandshake(HandshakeFailure::Closed).into()),
            },
        }
    }
    panic!("the session has no end");
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect(text)
}

fn tls() -> TlsFacts {
    let (version, cipher) = ("TLS 1.3".to_owned(), "TLS_AES_128_GCM_SHA256".to_owned());
    TlsFacts { version, cipher, server_name: None, group: None, chain: Vec::new(), chain_length: 0, verdict: CertificateVerdict::Trusted }
}

fn old_tls() -> LegacyTls {
    let cipher = "TLS_RSA_WITH_AES_128_CBC_SHA".to_owned();
    let (version, exchange) = (TlsVersion::TLS_1_0, Some(KeyExchange::Rsa));
    LegacyTls { version, cipher, exchange, group_bits: None, chain: Vec::new(), chain_length: 0 }
}

pub(super) fn account(transcript: &Transcript) -> Vec<String> {
    transcript
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Connected(_) => None,
            Event::Sent { command, purpose } => Some(format!("-> {command}{}", control(*purpose))),
            Event::Received { answers: Answers::Nothing, reply, .. } => Some(format!("** {}", reply.code)),
            Event::Received { verb, purpose, reply, .. } => Some(format!("<- {} to {}{}", reply.code, verb.as_str(), control(*purpose))),
            Event::Premature { stage, bytes, .. } => Some(format!("** {stage} {}", String::from_utf8_lossy(bytes).replace("\r\n", "|"))),
            Event::Content { written, of, whole } => Some(format!("-> {written} of {of}{}", if *whole { ", whole" } else { "" })),
            Event::Secured(_) => Some("== TLS".to_owned()),
            Event::Surveyed(old) => Some(format!("== {}", old.version)),
            Event::Broke { stage, failure } => Some(format!("!! {stage} {:?}", failure.kind)),
        })
        .collect()
}

fn control(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Target => "",
        Purpose::CatchAll | Purpose::Postmaster => " (control)",
        Purpose::Injection => " (injected)",
        Purpose::Relay => " (relay)",
    }
}

pub(super) fn dialogue(until: Stage) -> Dialogue {
    Dialogue {
        protocol: Protocol::Smtp,
        proxy_header: None,
        xclient: None,
        hello: Some("probe.example.net".parse().unwrap()),
        tls: TlsUse::IfOffered,
        until,
        handshake: Handshake::Usual,
        pipelining: true,
        login: None,
        times: StageTimes::default(),
    }
}

pub(super) fn ask(recipients: &[&str]) -> Transaction {
    let recipients = recipients.iter().map(|recipient| recipient.parse().unwrap()).collect();
    Transaction { from: None, recipients, via: None, size: None, handling: Handling::default(), message: None, purpose: Purpose::Target }
}

mod many;
mod message;

const EHLO: &str = "-> EHLO probe.example.net";
const GREETING: &str = "<- 220 to CONN";

#[test]
fn without_pipelining_each_command_waits_for_its_answer() {
    let said = talk(dialogue(Stage::Rcpt), &[ask(&["anna@example.com"])], &["220 hi|", "250 hi|", "250 ok|", "250 ok|", "221 bye|"]);
    let expected = [
        GREETING,
        EHLO,
        "<- 250 to EHLO",
        "-> MAIL FROM:<>",
        "<- 250 to MAIL",
        "-> RCPT TO:<anna@example.com>",
        "<- 250 to RCPT",
        "-> QUIT",
        "<- 221 to QUIT",
    ];
    assert_eq!(said, expected);
}

#[test]
fn with_pipelining_answers_belong_to_commands_in_order() {
    let server = ["220 hi|", "250-hi|250 PIPELINING|", "250 sender|250 a|55", "0 b|", "221 bye|"];
    let said = talk(dialogue(Stage::Rcpt), &[ask(&["a@example.com", "b@example.com"])], &server);
    let expected = [
        GREETING,
        EHLO,
        "<- 250 to EHLO",
        "-> MAIL FROM:<>",
        "-> RCPT TO:<a@example.com>",
        "-> RCPT TO:<b@example.com>",
        "<- 250 to MAIL",
        "<- 250 to RCPT",
        "<- 550 to RCPT",
        "-> QUIT",
        "<- 221 to QUIT",
    ];
    assert_eq!(said, expected);
    let one_by_one = Dialogue { pipelining: false, ..dialogue(Stage::Rcpt) };
    let said = talk(one_by_one, &[ask(&["a@example.com"])], &["220 hi|", "250-hi|250 PIPELINING|", "250 sender|", "250 a|", "221 bye|"]);
    assert_eq!(said[3..6], ["-> MAIL FROM:<>", "<- 250 to MAIL", "-> RCPT TO:<a@example.com>"]);
}

#[test]
fn a_refused_sender_ends_the_transaction() {
    let said = talk(dialogue(Stage::Rcpt), &[ask(&["a@example.com"])], &["220 hi|", "250 hi|", "550 no|", "221 bye|"]);
    assert_eq!(said[3..], ["-> MAIL FROM:<>", "<- 550 to MAIL", "-> QUIT", "<- 221 to QUIT"]);
    let said = talk(
        dialogue(Stage::Rcpt),
        &[ask(&["a@example.com"])],
        &["220 hi|", "250-hi|250 PIPELINING|", "550 no|503 first MAIL|", "221 bye|"],
    );
    assert_eq!(said[5..], ["<- 550 to MAIL", "<- 503 to RCPT", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn tls_is_begun_where_it_is_offered_and_everything_is_learnt_anew() {
    let server = ["220 hi|", "250-hi|250-PIPELINING|250 STARTTLS|", "220 go|", "<tls>", "250 hi again|", "250 ok|", "250 ok|", "221 bye|"];
    let said = talk(dialogue(Stage::Rcpt), &[ask(&["a@example.com"])], &server);
    let expected = [
        GREETING,
        EHLO,
        "<- 250 to EHLO",
        "-> STARTTLS",
        "<- 220 to STARTTLS",
        "== TLS",
        EHLO,
        "<- 250 to EHLO",
        // PIPELINING was offered in the clear only, so it does not count.
        "-> MAIL FROM:<>",
        "<- 250 to MAIL",
        "-> RCPT TO:<a@example.com>",
        "<- 250 to RCPT",
        "-> QUIT",
        "<- 221 to QUIT",
    ];
    assert_eq!(said, expected);
}

#[test]
fn what_is_unread_before_the_handshake_is_kept_and_dropped() {
    let server = ["220 hi|", "250-hi|250 STARTTLS|", "220 go|250-evil|250 AUTH PLAIN|", "<tls>", "250 hi|", "221 bye|"];
    let said = talk(dialogue(Stage::StartTls), &[], &server);
    assert_eq!(
        said[3..],
        [
            "-> STARTTLS",
            "<- 220 to STARTTLS",
            "** tls 250-evil|250 AUTH PLAIN|",
            "== TLS",
            EHLO,
            "<- 250 to EHLO",
            "-> QUIT",
            "<- 221 to QUIT"
        ]
    );
}

#[test]
fn refused_starttls_is_gone_on_without_unless_tls_is_required() {
    let server = ["220 hi|", "250-hi|250 STARTTLS|", "454 not now|", "250 ok|", "250 ok|", "221 bye|"];
    let said = talk(dialogue(Stage::Rcpt), &[ask(&["a@example.com"])], &server);
    assert_eq!(said[3..7], ["-> STARTTLS", "<- 454 to STARTTLS", "-> MAIL FROM:<>", "<- 250 to MAIL"]);
    let required = Dialogue { tls: TlsUse::Require, ..dialogue(Stage::Rcpt) };
    let said = talk(required.clone(), &[ask(&["a@example.com"])], &["220 hi|", "250-hi|250 STARTTLS|", "454 not now|", "221 bye|"]);
    assert_eq!(said[3..], ["-> STARTTLS", "<- 454 to STARTTLS", "-> QUIT", "<- 221 to QUIT"]);
    let said = talk(required, &[ask(&["a@example.com"])], &["220 hi|", "250 hi|", "221 bye|"]);
    assert_eq!(said[2..], ["<- 250 to EHLO", "!! starttls TlsNotOffered", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn after_a_failed_handshake_nothing_more_is_said() {
    let said = talk(dialogue(Stage::Rcpt), &[ask(&["a@example.com"])], &["220 hi|", "250-hi|250 STARTTLS|", "220 go|", "<tls fails>"]);
    assert_eq!(said[4..], ["<- 220 to STARTTLS", "!! tls TlsHandshake(Ours(\"no\"))"]);
}

#[test]
fn implicit_tls_comes_before_the_greeting() {
    let implicit = Dialogue { tls: TlsUse::Implicit, ..dialogue(Stage::StartTls) };
    let said = talk(implicit, &[], &["<tls>", "220 hi|", "250-hi|250 STARTTLS|", "221 bye|"]);
    assert_eq!(said, ["== TLS", GREETING, EHLO, "<- 250 to EHLO", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn helo_is_said_where_ehlo_is_refused_for_good() {
    let said = talk(dialogue(Stage::Ehlo), &[], &["220 hi|", "502 what|", "250 hi|", "221 bye|"]);
    assert_eq!(said, [GREETING, EHLO, "<- 502 to EHLO", "-> HELO probe.example.net", "<- 250 to HELO", "-> QUIT", "<- 221 to QUIT"]);
    let said = talk(dialogue(Stage::Ehlo), &[], &["220 hi|", "550 no|", "550 no|", "221 bye|"]);
    assert_eq!(said[3..], ["-> HELO probe.example.net", "<- 550 to HELO", "-> QUIT", "<- 221 to QUIT"]);
    let said = talk(dialogue(Stage::Ehlo), &[], &["220 hi|", "450 later|", "221 bye|"]);
    assert_eq!(said[2..], ["<- 450 to EHLO", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn the_last_line_of_a_greeting_is_waited_for() {
    let said = talk(dialogue(Stage::Greeting), &[], &["220-wait|", "220-for it|", "220 now|", "221 bye|"]);
    assert_eq!(said, [GREETING, "-> QUIT", "<- 221 to QUIT"]);
    for (greeting, code) in [("554 no|", "554"), ("421 busy|", "421"), ("450 later|", "450")] {
        let said = talk(dialogue(Stage::Rcpt), &[ask(&["a@example.com"])], &[greeting, "221 bye|"]);
        let farewell: &[&str] = if code == "421" { &[] } else { &["-> QUIT", "<- 221 to QUIT"] };
        assert_eq!(said, [&[format!("<- {code} to CONN").as_str()][..], farewell].concat());
    }
}

#[test]
fn what_answers_nothing_is_never_given_to_a_later_command() {
    // More than was asked for, in one piece with the answer.
    let said = talk(dialogue(Stage::Ehlo), &[], &["220 hi|250 unasked|", "250 hi|", "221 bye|"]);
    assert_eq!(said, [GREETING, "** ehlo 250 unasked|", EHLO, "<- 250 to EHLO", "-> QUIT", "<- 221 to QUIT"]);
    // A line that had begun before the command went out is no answer to it, nor is its other half.
    let said = talk(dialogue(Stage::Ehlo), &[], &["220 hi|250 un", "asked|250 hi|", "221 bye|"]);
    assert_eq!(said, [GREETING, "** ehlo 250 un", EHLO, "** ehlo asked|", "<- 250 to EHLO", "-> QUIT", "<- 221 to QUIT"]);
    // Lines that are no reply do not stand for one.
    let said = talk(dialogue(Stage::Ehlo), &[], &["220 hi|", "warning: clock|250 hi|", "221 bye|"]);
    assert_eq!(said, [GREETING, EHLO, "** ehlo warning: clock|", "<- 250 to EHLO", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn four_twenty_one_ends_it_at_any_moment() {
    let server = ["220 hi|", "250-hi|250 PIPELINING|", "250 ok|421 closing|250 never|"];
    let said = talk(dialogue(Stage::Rcpt), &[ask(&["a@example.com", "b@example.com"])], &server);
    assert_eq!(said[6..], ["<- 250 to MAIL", "<- 421 to RCPT"]);
    let said = talk(dialogue(Stage::Rcpt), &[ask(&["a@example.com"])], &["220 hi|421 idle|"]);
    assert_eq!(said, [GREETING, "** 421"]);
}

#[test]
fn silence_ends_in_quit_where_the_server_has_greeted() {
    let said = talk(dialogue(Stage::Rcpt), &[], &["<silence>"]);
    assert_eq!(said, ["!! greeting TimedOut(30s)"]);
    let said = talk(dialogue(Stage::Rcpt), &[], &["220 hi|", "250-half an ans", "<silence>"]);
    assert_eq!(said, [GREETING, EHLO, "** ehlo 250-half an ans", "!! ehlo Stalled(30s)", "-> QUIT"]);
}

#[test]
fn a_connection_that_ends_is_told_with_its_stage() {
    assert_eq!(talk(dialogue(Stage::Rcpt), &[], &["<closes>"]), ["!! greeting Closed"]);
    assert_eq!(talk(dialogue(Stage::Rcpt), &[], &["220 hi|", "<closes>"])[2..], ["!! ehlo Closed"]);
    // A last line without its end still counts; without an answer to QUIT nothing is missing.
    assert_eq!(talk(dialogue(Stage::Greeting), &[], &["220 hi", "<closes>"]), [GREETING,]);
    assert_eq!(talk(dialogue(Stage::Greeting), &[], &["220 hi|", "<closes>"]), [GREETING, "-> QUIT"]);
    assert_eq!(talk(dialogue(Stage::Greeting), &[], &["220 hi|", "<silence>"]), [GREETING, "-> QUIT"]);
}

#[test]
fn other_protocols_are_known_by_their_first_words() {
    for (text, protocol) in
        [("SSH-2.0-x|", "Ssh"), ("* OK IMAP ready|", "Imap"), ("+OK POP3|", "Pop3"), ("HTTP/1.1 400 Bad Request|", "Http")]
    {
        let said = talk(dialogue(Stage::Rcpt), &[], &[text]);
        assert_eq!(said[1..], [format!("!! greeting NotSmtp({protocol})")], "{text}");
    }
    let rubbish = "rubbish|".repeat(30);
    assert_eq!(talk(dialogue(Stage::Rcpt), &[], &[&rubbish]).last().unwrap(), "!! greeting NotSmtp(Unknown)");
    let endless = "220-more|".repeat(10_000);
    assert_eq!(talk(dialogue(Stage::Rcpt), &[], &[&endless]).last().unwrap(), "!! greeting ReplyTooLong");
}

#[test]
fn whoever_sends_without_end_and_unasked_is_not_waited_for() {
    let flood = format!("220 hi|{}", "250 ok|".repeat(20_000));
    let said = talk(dialogue(Stage::Rcpt), &[ask(&["a@example.com"])], &[&flood]);
    assert_eq!(said.last().unwrap(), "!! ehlo ReplyTooLong");
}

#[test]
fn only_the_right_class_is_a_yes() {
    let said = talk(dialogue(Stage::Rcpt), &[], &["354 go|", "221 bye|"]);
    assert_eq!(said, ["<- 354 to CONN", "-> QUIT", "<- 221 to QUIT"]);
    let said = talk(dialogue(Stage::Data), &[ask(&["a@example.com"])], &["220 hi|", "250 hi|", "250 ok|", "354 go|", "221 bye|"]);
    assert_eq!(said[6..], ["<- 354 to RCPT", "-> QUIT", "<- 221 to QUIT"]);
    let required = Dialogue { tls: TlsUse::Require, ..dialogue(Stage::StartTls) };
    let said = talk(required, &[], &["220 hi|", "250-hi|250 STARTTLS|", "250 ok|", "221 bye|"]);
    assert_eq!(said[4..], ["<- 250 to STARTTLS", "!! starttls TlsNotOffered", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn a_second_greeting_is_no_answer_to_ehlo() {
    let said = talk(dialogue(Stage::Ehlo), &[], &["220 a|", "220 b|", "250 hi|", "221 bye|"]);
    assert_eq!(said, [GREETING, EHLO, "** ehlo 220 b|", "<- 250 to EHLO", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn what_speaks_instead_of_a_greeting_is_no_late_greeting() {
    for (words, failure) in [("\u{1}\u{2}", "!! greeting NotSmtp(Unknown)"), ("22", "!! greeting Stalled(30s)")] {
        assert_eq!(talk(dialogue(Stage::Rcpt), &[], &[words, "<silence>"]).last().unwrap(), failure);
    }
}

#[test]
fn data_is_said_only_after_a_yes_and_354_is_the_end() {
    let server = ["220 hi|", "250 hi|", "250 ok|", "250 ok|", "354 go|"];
    let said = talk(dialogue(Stage::Data), &[ask(&["a@example.com"])], &server);
    assert_eq!(said[5..], ["-> RCPT TO:<a@example.com>", "<- 250 to RCPT", "-> DATA", "<- 354 to DATA"]);
    let said = talk(dialogue(Stage::Data), &[ask(&["a@example.com"])], &["220 hi|", "250 hi|", "250 ok|", "550 no|", "221 bye|"]);
    assert_eq!(said[6..], ["<- 550 to RCPT", "-> QUIT", "<- 221 to QUIT"]);
    let said =
        talk(dialogue(Stage::Data), &[ask(&["a@example.com"])], &["220 hi|", "250 hi|", "250 ok|", "250 ok|", "554 no|", "221 bye|"]);
    assert_eq!(said[7..], ["-> DATA", "<- 554 to DATA", "-> QUIT", "<- 221 to QUIT"]);
    // Stopped between DATA and its answer: QUIT might become part of a message.
    let said = talk(dialogue(Stage::Data), &[ask(&["a@example.com"])], &["220 hi|", "250 hi|", "250 ok|", "250 ok|", "<stop>"]);
    assert_eq!(said[7..], ["-> DATA", "!! data Interrupted"]);
}

#[test]
fn a_control_question_has_a_transaction_of_its_own() {
    let mut session = Session::new(dialogue(Stage::Rcpt), Elapsed::default());
    session.enqueue(ask(&["a@example.com"]));
    session.enqueue(Transaction { purpose: Purpose::CatchAll, ..ask(&["made-up@example.com"]) });
    hold(&mut session, &["220 hi|", "250-hi|250 PIPELINING|", "250 ok|250 ok|", "250 ok|250 ok|550 no|", "221 bye|"]);
    let expected = [
        "<- 250 to MAIL",
        "<- 250 to RCPT",
        "-> RSET (control)",
        "-> MAIL FROM:<> (control)",
        "-> RCPT TO:<made-up@example.com> (control)",
        "<- 250 to RSET (control)",
        "<- 250 to MAIL (control)",
        "<- 550 to RCPT (control)",
        "-> QUIT",
        "<- 221 to QUIT",
    ];
    assert_eq!(account(session.transcript())[5..], expected);
    assert_eq!(session.transcript().reached, Some(Stage::Rcpt));
}

#[test]
fn what_is_asked_late_is_still_asked_as_long_as_quit_has_not_gone_out() {
    let mut session = Session::new(dialogue(Stage::Rcpt), Elapsed::default());
    session.connected(Elapsed::default(), Connected { local: address("192.0.2.9:40000"), peer: address("192.0.2.1:25") });
    session.enqueue(ask(&["a@example.com"]));
    for answer in ["220 hi\r\n", "250 hi\r\n", "250 ok\r\n", "250 ok\r\n"] {
        session.received(Elapsed::default(), answer.as_bytes());
        if answer != "250 ok\r\n" || session.transcript().reached < Some(Stage::Rcpt) {
            session.sent(Elapsed::default());
        }
    }
    assert_eq!(session.need(), Need::Write(b"QUIT\r\n".to_vec()));
    session.enqueue(Transaction { purpose: Purpose::Postmaster, ..ask(&["postmaster@example.com"]) });
    assert_eq!(session.need(), Need::Write(b"RSET\r\n".to_vec()));
}

#[test]
fn nothing_is_said_that_the_server_did_not_offer() {
    let utf8 = talk(dialogue(Stage::Rcpt), &[ask(&["jörg@example.com"])], &["220 hi|", "250 hi|", "221 bye|"]);
    assert_eq!(utf8[2..], ["<- 250 to EHLO", "!! mail NotOffered(\"SMTPUTF8\")", "-> QUIT", "<- 221 to QUIT"]);
    let offered = talk(dialogue(Stage::Mail), &[ask(&["jörg@example.com"])], &["220 hi|", "250-hi|250 SMTPUTF8|", "250 ok|", "221 bye|"]);
    assert_eq!(offered[3], "-> MAIL FROM:<> SMTPUTF8");
    let big = Transaction { size: Some(5_000), ..ask(&["a@example.com"]) };
    let said = talk(dialogue(Stage::Mail), std::slice::from_ref(&big), &["220 hi|", "250-hi|250 SIZE 1000|", "552 too big|", "221 bye|"]);
    assert_eq!(said[3..5], ["-> MAIL FROM:<> SIZE=5000", "<- 552 to MAIL"]);
    assert_eq!(talk(dialogue(Stage::Mail), &[big], &["220 hi|", "250 hi|", "250 ok|", "221 bye|"])[3], "-> MAIL FROM:<>");
}

#[test]
fn without_a_name_the_connections_own_address_is_said() {
    let nameless = Dialogue { hello: None, ..dialogue(Stage::Ehlo) };
    assert_eq!(talk(nameless, &[], &["220 hi|", "250 hi|", "221 bye|"])[1], "-> EHLO [192.0.2.9]");
}

#[test]
fn a_stopped_probe_says_quit_and_does_not_wait() {
    let said = talk(dialogue(Stage::Rcpt), &[ask(&["a@example.com"])], &["220 hi|", "250 hi|", "<stop>"]);
    assert_eq!(said[3..], ["-> MAIL FROM:<>", "!! mail Interrupted", "-> QUIT"]);
}

/// A session that is told of time: bytes at seconds, until it wants no more of them.
fn paced(times: StageTimes, pieces: &[(u64, &str)]) -> (Vec<String>, Transcript) {
    let mut session = Session::new(Dialogue { times, ..dialogue(Stage::Greeting) }, Elapsed::default());
    let at = |seconds| Elapsed(Duration::from_secs(seconds));
    session.connected(at(0), Connected { local: address("192.0.2.9:40000"), peer: address("192.0.2.1:25") });
    let (mut pieces, mut now) = (pieces.iter(), 0);
    while let Need::Read(limit) = session.need() {
        match pieces.as_slice().first() {
            Some((then, bytes)) if *then - now <= limit.as_secs() => {
                now = *then;
                session.received(at(now), bytes.replace('|', "\r\n").as_bytes());
                pieces.next();
            }
            _ => {
                now += limit.as_secs();
                session.broke(at(now), FailureKind::TimedOut(limit).into());
            }
        }
    }
    (account(session.transcript()), session.into_transcript())
}

#[test]
fn implicit_tls_alone_ends_before_the_greeting() {
    let implicit = Dialogue { tls: TlsUse::Implicit, ..dialogue(Stage::Tls) };
    assert_eq!(talk(implicit.clone(), &[], &["<tls>", "220 late|"]), ["== TLS"]);
    let greeted = talk(Dialogue { until: Stage::Greeting, ..implicit }, &[], &["<tls>", "220 hi|", "221 bye|"]);
    assert_eq!(greeted, ["== TLS", "<- 220 to CONN", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn a_reply_has_to_begin_in_time_and_may_then_take_as_long_as_bytes_come() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let usual = StageTimes { greeting: Duration::from_secs(30), ..StageTimes::default() };
    let timed_out = |words: &str| vec![format!("!! greeting {words}")];
    let cut_off = |words: &str| vec!["** greeting 22".to_owned(), format!("!! greeting {words}")];
    let five_minutes = StageTimes { greeting: Duration::from_secs(300), ..StageTimes::default() };
    for (times, pieces, expected) in [
        (usual, &[(29, "220 late|")][..], vec!["<- 220 to CONN".to_owned()]),
        (usual, &[(31, "220 too late|")], timed_out("TimedOut(30s)")),
        (five_minutes, &[(299, "220 in time|")], vec!["<- 220 to CONN".to_owned()]),
        // Each byte within the gap, and far more than the greeting's own time in all.
        (usual, &[(25, "2"), (50, "2"), (75, "0"), (100, "|")], vec!["<- 220 to CONN".to_owned()]),
        (usual, &[(1, "22"), (40, "0 late|")], cut_off("Stalled(30s)")),
        (StageTimes { gap: seconds(5), ..usual }, &[(20, "22"), (27, "0 late|")], cut_off("Stalled(5s)")),
        (StageTimes { session: seconds(10), ..usual }, &[(4, "2"), (8, "2"), (12, "0")], cut_off("SessionTimeOver")),
        (StageTimes { session: seconds(10), ..usual }, &[], timed_out("SessionTimeOver")),
    ] {
        assert_eq!(paced(times, pieces).0, expected, "{pieces:?}");
    }
}

#[test]
fn a_reply_knows_when_its_first_byte_came() {
    let (_, transcript) = paced(StageTimes::default(), &[(3, "220-a|22"), (9, "0 b|")]);
    let began = |event: &Event| if let Event::Received { began, .. } = event { Some(began.0.as_secs()) } else { None };
    let times: Vec<(u64, u64)> = transcript.events.iter().filter_map(|(at, event)| Some((began(event)?, at.0.as_secs()))).collect();
    assert_eq!(times, [(3, 9)]);
}

#[test]
fn what_ends_a_handshake_is_the_handshakes_failure() {
    let implicit = Dialogue { tls: TlsUse::Implicit, ..dialogue(Stage::Tls) };
    let limit = implicit.times.handshake;
    for (kind, expected) in [
        (FailureKind::Closed, FailureKind::TlsHandshake(HandshakeFailure::Closed)),
        (FailureKind::Reset, FailureKind::TlsHandshake(HandshakeFailure::Reset)),
        (FailureKind::TimedOut(limit), FailureKind::TlsHandshake(HandshakeFailure::Hung(limit))),
        (FailureKind::NotTls, FailureKind::NotTls),
        (FailureKind::ProbeTimeOver, FailureKind::ProbeTimeOver),
    ] {
        let mut session = Session::new(implicit.clone(), Elapsed::default());
        session.connected(Elapsed::default(), Connected { local: address("192.0.2.9:40000"), peer: address("192.0.2.1:465") });
        assert!(matches!(session.need(), Need::Handshake(_)));
        session.broke(Elapsed(limit), kind.into());
        assert_eq!(session.need(), Need::Close);
        let transcript = session.into_transcript();
        let (_, stage, failure) = transcript.failure().unwrap();
        assert_eq!((stage, &failure.kind), (Stage::Tls, &expected));
    }
}

#[test]
fn the_time_for_the_session_is_also_that_for_connecting_and_for_tls() {
    let at = |seconds| Elapsed(Duration::from_secs(seconds));
    let times = StageTimes { session: Some(Duration::from_secs(4)), ..StageTimes::default() };
    let implicit = Dialogue { tls: TlsUse::Implicit, times, ..dialogue(Stage::Tls) };
    let failure = |session: Session| session.transcript().failure().map(|(_, stage, failure)| (stage, failure.kind.clone()));

    let mut unheard = Session::new(implicit.clone(), at(1));
    unheard.broke(at(5), FailureKind::TimedOut(Duration::from_secs(4)).into());
    assert_eq!(failure(unheard), Some((Stage::Connect, FailureKind::TimedOut(Duration::from_secs(4)))));

    let mut slow = Session::new(implicit, at(1));
    slow.connected(at(4), Connected { local: address("192.0.2.9:40000"), peer: address("192.0.2.1:465") });
    assert_eq!(slow.need(), Need::Handshake(Duration::from_secs(1)));
    slow.broke(at(5), FailureKind::TimedOut(Duration::from_secs(1)).into());
    assert_eq!(failure(slow), Some((Stage::Tls, FailureKind::SessionTimeOver)));
}

#[test]
fn a_survey_ends_where_the_handshake_would_begin() {
    let survey = Dialogue { handshake: Handshake::Survey, ..dialogue(Stage::StartTls) };
    for (tls, server, expected) in [
        (TlsUse::IfOffered, &["220 hi|", "250-a|250 STARTTLS|", "220 go|", "<old>"][..], "== TLS 1.0"),
        (TlsUse::IfOffered, &["220 hi|", "250-a|250 STARTTLS|", "220 go|", "<tls fails>"], "!! tls TlsHandshake(Closed)"),
        (TlsUse::Implicit, &["<old>"], "== TLS 1.0"),
    ] {
        let told = talk(Dialogue { tls, ..survey.clone() }, &[], server);
        assert_eq!(told.last().map(String::as_str), Some(expected), "{told:?}");
    }
    let refused = talk(survey, &[], &["220 hi|", "250-a|250 STARTTLS|", "454 not now|", "221 bye|"]);
    assert_eq!(refused[refused.len() - 3..], ["<- 454 to STARTTLS", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn what_is_said_in_the_clear_behind_starttls_is_told_from_what_is_said_inside() {
    let trial = Dialogue { handshake: Handshake::Injection, ..dialogue(Stage::StartTls) };
    let said = ["-> STARTTLS", "-> QUIT (injected)", "<- 220 to STARTTLS"];
    for (server, expected) in [
        // A server that keeps what came in the clear obeys it inside TLS.
        (&["<tls>", "221 bye|"][..], &["== TLS", "-> EHLO probe.example.net", "<- 221 to QUIT (injected)"][..]),
        (&["<tls>", "221-so|221 bye|"], &["== TLS", "-> EHLO probe.example.net", "<- 221 to QUIT (injected)"]),
        // One that drops it knows nothing of it.
        (&["<tls>", "250 a|", "221 bye|"], &["== TLS", "-> EHLO probe.example.net", "<- 250 to EHLO", "-> QUIT", "<- 221 to QUIT"]),
        (&["<tls>", "421 bye|"], &["== TLS", "-> EHLO probe.example.net", "<- 421 to EHLO"]),
        // One that answers it in the clear has not mixed it up.
        (&["<tls fails>"], &["!! tls TlsHandshake(Ours(\"no\"))"]),
    ] {
        let told = talk(trial.clone(), &[], &[&["220 hi|", "250-a|250 STARTTLS|", "220 go|"], server].concat());
        assert_eq!(told[told.len() - expected.len()..], *expected);
        assert_eq!(told[told.len() - expected.len() - 3..told.len() - expected.len()], said);
    }
    let early = talk(trial.clone(), &[], &["220 hi|", "250-a|250 STARTTLS|", "220 go|221 bye|", "<tls fails>"]);
    assert_eq!(early[6..8], ["** tls 221 bye|", "!! tls TlsHandshake(Ours(\"no\"))"]);
    let refused = talk(trial.clone(), &[], &["220 hi|", "250-a|250 STARTTLS|", "454 not now|", "221 bye|"]);
    assert_eq!(refused[4..], ["-> QUIT (injected)", "<- 454 to STARTTLS", "<- 221 to QUIT (injected)"]);
    let refused = talk(trial, &[], &["220 hi|", "250-a|250 STARTTLS|", "454 not now|", "<closes>"]);
    assert_eq!(refused[4..], ["-> QUIT (injected)", "<- 454 to STARTTLS"]);
}
