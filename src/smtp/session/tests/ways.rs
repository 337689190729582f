//! What comes before or instead of the usual words: the PROXY header, XCLIENT, LMTP.

use super::*;

fn header(text: &str) -> Dialogue {
    Dialogue { proxy_header: Some(text.parse().expect(text)), ..dialogue(Stage::Ehlo) }
}

#[test]
fn the_proxy_header_goes_out_first_even_before_tls() {
    let line = "-> PROXY TCP4 198.51.100.7 192.0.2.1 4321 25";
    let said = talk(header("v1,198.51.100.7:4321"), &[], &["220 hi|", "250 hi|", "221 bye|"]);
    assert_eq!(said, [line, GREETING, EHLO, "<- 250 to EHLO", "-> QUIT", "<- 221 to QUIT"]);

    let implicit = Dialogue { tls: TlsUse::Implicit, ..header("v1,198.51.100.7:4321") };
    let said = talk(implicit, &[], &["<tls>", "220 hi|", "250 hi|", "221 bye|"]);
    assert_eq!(said[..3], [line, "== TLS", GREETING]);

    let mut session = Session::new(header("v2"), Elapsed::default());
    session.connected(Elapsed::default(), Connected { local: address("192.0.2.9:40000"), peer: address("192.0.2.1:25") });
    let Need::Write(octets) = session.need() else { panic!("{:?}", session.need()) };
    assert_eq!(octets, *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x09\xc0\x00\x02\x01\x9c\x40\x00\x19");
    // A greeting that came before the header was out is no less a greeting.
    session.received(Elapsed::default(), b"220 hi\r\n");
    assert_eq!(session.need(), Need::Write(octets));
    session.sent(Elapsed::default());
    assert_eq!(account(session.transcript())[1..], [GREETING]);

    // Where connecting is all, nothing is sent.
    let connect = Dialogue { until: Stage::Connect, ..header("v1") };
    assert_eq!(talk(connect, &[], &[]), Vec::<String>::new());
    let broken = talk(header("v1,198.51.100.7:4321"), &[], &["<closes>"]);
    assert_eq!(broken, [line, "!! greeting Closed"]);
}

fn xclient(until: Stage) -> Dialogue {
    Dialogue { xclient: Some("ADDR=198.51.100.7,NAME=mail.example.net".parse().expect("attributes")), ..dialogue(until) }
}

#[test]
fn after_xclient_the_session_begins_anew() {
    let told = "-> XCLIENT ADDR=198.51.100.7 NAME=mail.example.net";
    let server = ["220 hi|", "250-hi|250 XCLIENT name addr|", "220 hi|", "250-hi|250 PIPELINING|", "250 ok|250 ok|", "221 bye|"];
    let said = talk(xclient(Stage::Rcpt), &[ask(&["a@example.com"])], &server);
    let expected = [
        told,
        "<- 220 to XCLIENT",
        EHLO,
        "<- 250 to EHLO",
        "-> MAIL FROM:<>",
        "-> RCPT TO:<a@example.com>",
        "<- 250 to MAIL",
        "<- 250 to RCPT",
        "-> QUIT",
        "<- 221 to QUIT",
    ];
    assert_eq!(said[3..], expected);

    // TLS comes first, and what was offered before it does not count.
    let server = ["220 hi|", "250-hi|250 STARTTLS|", "220 go|", "<tls>", "250-hi|250 XCLIENT NAME ADDR|", "220 hi|", "250 hi|", "221 bye|"];
    let said = talk(xclient(Stage::StartTls), &[], &server);
    assert_eq!(
        said[5..],
        ["== TLS", EHLO, "<- 250 to EHLO", told, "<- 220 to XCLIENT", EHLO, "<- 250 to EHLO", "-> QUIT", "<- 221 to QUIT"][..]
    );
}

#[test]
fn xclient_is_said_only_where_all_of_it_is_offered() {
    for (offer, missing) in [("PIPELINING", "XCLIENT"), ("XCLIENT ADDR PORT", "XCLIENT NAME"), ("XCLIENT", "XCLIENT ADDR")] {
        let hello = format!("250-hi|250 {offer}|");
        let said = talk(xclient(Stage::Rcpt), &[ask(&["a@example.com"])], &["220 hi|", &hello, "221 bye|"]);
        assert_eq!(said[3..], [format!("!! mail NotOffered({missing:?})"), "-> QUIT".to_owned(), "<- 221 to QUIT".to_owned()]);
    }
    for refusal in ["550 no|", "501 bad|", "421 bye|"] {
        let said =
            talk(xclient(Stage::Rcpt), &[ask(&["a@example.com"])], &["220 hi|", "250-hi|250 XCLIENT NAME ADDR|", refusal, "221 bye|"]);
        assert!(!said.iter().any(|line| line.contains("MAIL")), "{said:?}");
        assert_eq!(said[4], format!("<- {} to XCLIENT", &refusal[..3]));
    }
}

#[test]
fn lmtp_says_lhlo_and_nothing_older() {
    let lmtp = |until| Dialogue { protocol: Protocol::Lmtp, ..dialogue(until) };
    let said = talk(lmtp(Stage::Rcpt), &[ask(&["a@example.com"])], &["220 hi|", "250-hi|250 PIPELINING|", "250 ok|550 no|", "221 bye|"]);
    assert_eq!(said[..3], [GREETING, "-> LHLO probe.example.net", "<- 250 to EHLO"]);
    assert_eq!(
        said[3..],
        ["-> MAIL FROM:<>", "-> RCPT TO:<a@example.com>", "<- 250 to MAIL", "<- 550 to RCPT", "-> QUIT", "<- 221 to QUIT"]
    );
    let said = talk(lmtp(Stage::Ehlo), &[], &["220 hi|", "500 what|", "221 bye|"]);
    assert_eq!(said[1..], ["-> LHLO probe.example.net", "<- 500 to EHLO", "-> QUIT", "<- 221 to QUIT"]);
    let said = talk(lmtp(Stage::StartTls), &[], &["220 hi|", "250-hi|250 STARTTLS|", "220 go|", "<tls>", "250 hi|", "221 bye|"]);
    assert_eq!(said[5..7], ["== TLS", "-> LHLO probe.example.net"]);
}

#[test]
fn each_relay_form_is_a_transaction_of_its_own() {
    let via = "a@mx.example.net".parse::<Mailbox>().expect("a mailbox").domain().clone();
    let form = |via| Transaction { via, purpose: Purpose::Relay, ..ask(&["b@example.com"]) };
    let server = ["220 hi|", "250 hi|", "250 ok|", "550 no|", "250 ok|", "250 ok|", "250 ok|", "221 bye|"];
    let said = talk(dialogue(Stage::Rcpt), &[form(None), form(Some(via))], &server);
    let expected = [
        "-> MAIL FROM:<> (relay)",
        "<- 250 to MAIL (relay)",
        "-> RCPT TO:<b@example.com> (relay)",
        "<- 550 to RCPT (relay)",
        "-> RSET (relay)",
        "<- 250 to RSET (relay)",
        "-> MAIL FROM:<> (relay)",
        "<- 250 to MAIL (relay)",
        "-> RCPT TO:<@mx.example.net:b@example.com> (relay)",
        "<- 250 to RCPT (relay)",
        "-> QUIT",
        "<- 221 to QUIT",
    ];
    assert_eq!(said[3..], expected);
    // Whoever has had enough says so, and is not asked any more.
    let said = talk(dialogue(Stage::Rcpt), &[form(None), form(None)], &["220 hi|", "250 hi|", "250 ok|", "421 enough|"]);
    assert_eq!(said.last().map(String::as_str), Some("<- 421 to RCPT (relay)"));
}
