//! Conversations as people paste them.

use proptest::prelude::*;

use super::*;
use crate::smtp::{Answers, Event, Purpose};

/// The conversation line by line, as short as can be.
fn told(conversation: &Conversation) -> Vec<String> {
    let transcript = &conversation.transcript;
    let purpose = |purpose: Purpose| if purpose == Purpose::Target { String::new() } else { format!(" ({purpose:?})") };
    let event = |event: &Event| match event {
        Event::Connected(ends) => format!("connected {}", ends.peer),
        Event::Sent { command, purpose: what } => format!("-> {command}{}", purpose(*what)),
        Event::Received { verb, answers, reply, purpose: what, .. } => {
            let to = match answers {
                Answers::Connection => "greeting".to_owned(),
                Answers::Nothing => format!("unasked {verb:?}"),
                Answers::Command(event) => match &transcript.events[*event].1 {
                    Event::Sent { command, .. } => format!("{} #{event}", command.verb().as_str()),
                    other => panic!("an answer to {other:?}"),
                },
            };
            format!("<- {to}: {} {}{}", reply.code, reply.lines.join(" / "), purpose(*what))
        }
        Event::Premature { stage, bytes, .. } => format!("** {stage}: {}", String::from_utf8_lossy(bytes)),
        Event::Content { written, of, .. } => format!("-> {written} of {of}"),
        Event::Secured(facts) => format!("== {} {}", facts.version, facts.cipher).trim_end().to_owned(),
        Event::Surveyed(_) => "surveyed".to_owned(),
        Event::Broke { stage, failure } => format!("broke {stage}: {:?}", failure.kind),
    };
    transcript.events.iter().map(|(_, what)| event(what)).collect()
}

fn one(text: &str) -> Conversation {
    let mut all = read(text).unwrap_or_else(|| panic!("nothing in {text}"));
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// What every form of the same refusal comes to, TLS and numbers apart.
const REFUSED: [&str; 10] = [
    "<- greeting: 220 mx.example.com ESMTP",
    "-> EHLO probe.example.net",
    "<- EHLO #1: 250 mx.example.com / SIZE 1000 / HELP",
    "-> MAIL FROM:<>",
    "<- MAIL #3: 250 2.1.0 Ok",
    "-> RCPT TO:<anna@example.com>",
    "<- RCPT #5: 550 5.1.1 <anna@example.com>: user / 5.1.1 unknown",
    "-> QUIT",
    "<- QUIT #7: 221 2.0.0 Bye",
    "",
];

/// The same refusal with other marks before the lines of the server and the client.
fn with_marks(server: &str, client: &str, before: &str) -> String {
    let lines = [
        (true, "220 mx.example.com ESMTP"),
        (false, "EHLO probe.example.net"),
        (true, "250-mx.example.com"),
        (true, "250-SIZE 1000"),
        (true, "250 HELP"),
        (false, "MAIL FROM:<>"),
        (true, "250 2.1.0 Ok"),
        (false, "RCPT TO:<anna@example.com>"),
        (true, "550-5.1.1 <anna@example.com>: user"),
        (true, "550 5.1.1 unknown"),
        (false, "QUIT"),
        (true, "221 2.0.0 Bye"),
    ];
    let said = |(is_server, line): (bool, &str)| format!("{before}{}{line}\n", if is_server { server } else { client });
    lines.map(said).concat()
}

#[test]
fn who_speaks_is_known_by_the_marks_of_each_tool() {
    for (server, client, before) in [
        ("", "", ""),
        ("<-  ", " -> ", ""),
        ("<** ", " -> ", ""),
        ("<-- ", "--> ", ""),
        ("< ", "> ", ""),
        ("<<< ", ">>> ", ""),
        ("  SMTP<< ", "  SMTP>> ", ""),
        ("S: ", "C: ", ""),
        ("S:", "C:", ""),
        ("SERVER -> CLIENT: ", "CLIENT -> SERVER: ", ""),
        ("<- ", "-> ", "  184 "),
        ("< mx.example.com[192.0.2.1]:25: ", "> mx.example.com[192.0.2.1]:25: ", "Mar  4 10:11:23 out1 postfix/smtp[1]: "),
        ("> c.example.net[192.0.2.9]: ", "< c.example.net[192.0.2.9]: ", "Mar  4 10:11:23 mx1 postfix/smtpd[1]: "),
        ("", "", "> "),
    ] {
        let text = with_marks(server, client, before);
        assert_eq!(told(&one(&text)), &REFUSED[..9], "{text}");
        assert_eq!(told(&one(&text.replace('\n', "\r\n"))), &REFUSED[..9], "{text}");
    }
    let logged =
        with_marks("< mx.example.com[192.0.2.1]:25: ", "> mx.example.com[192.0.2.1]:25: ", "Mar  4 10:11:23 out1 postfix/smtp[1]: ");
    let conversation = one(&logged);
    assert_eq!((conversation.host.as_deref(), conversation.peer), (Some("mx.example.com"), "192.0.2.1:25".parse().ok()));
}

#[test]
fn a_session_typed_into_telnet_is_read() {
    let conversation = one("$ telnet mx.example.com 25
Trying 192.0.2.1...
Connected to mx.example.com.
Escape character is '^]'.
220 mx.example.com ESMTP
ehlo probe.example.net
250-mx.example.com
250 AUTH PLAIN LOGIN
mail from: <bert@example.net>
250 2.1.0 Ok
rcpt to:anna@example.com
250 2.1.5 Ok
data
354 End data with <CR><LF>.<CR><LF>
Subject: hello

250 lines of text follow:
quit
.
552 5.2.2 mailbox full
quit
221 2.0.0 Bye
Connection closed by foreign host.
");
    assert_eq!(conversation.host.as_deref(), Some("mx.example.com"));
    assert_eq!(
        told(&conversation),
        [
            "<- greeting: 220 mx.example.com ESMTP",
            "-> EHLO probe.example.net",
            "<- EHLO #1: 250 mx.example.com / AUTH PLAIN LOGIN",
            "-> MAIL FROM:<bert@example.net>",
            "<- MAIL #3: 250 2.1.0 Ok",
            "-> rcpt to:anna@example.com",
            "<- RCPT #5: 250 2.1.5 Ok",
            "-> DATA",
            "<- DATA #7: 354 End data with <CR><LF>.<CR><LF>",
            "-> .",
            "<- DATA-END #9: 552 5.2.2 mailbox full",
            "-> QUIT",
            "<- QUIT #11: 221 2.0.0 Bye",
        ]
    );
    assert_eq!(conversation.transcript.reached, Some(crate::smtp::Stage::Data));
}

#[test]
fn swaks_tells_of_tls_and_marks_what_it_did_not_expect() {
    let conversation = one("=== Trying mx.example.com:25...
=== Connected to mx.example.com.
<-  220 mx.example.com ESMTP
 -> EHLO probe.example.net
<-  250-mx.example.com
<-  250 STARTTLS
 -> STARTTLS
<-  220 2.0.0 Ready
=== TLS started with cipher TLSv1.3:TLS_AES_256_GCM_SHA384:256
=== TLS no local certificate set
=== TLS peer DN=\"/CN=mx.example.com\"
 ~> EHLO probe.example.net
<~  250-mx.example.com
<~  250 PIPELINING
 ~> MAIL FROM:<bert@example.net>
 ~> RCPT TO:<anna@example.com>
 ~> RCPT TO:<nobody@example.com>
<~  250 2.1.0 Ok
<~  250 2.1.5 Ok
<~* 550 5.1.1 unknown
 ~> DATA
<~  354 go on
 ~> Date: Tue, 04 Mar 2025 10:11:23 +0000
 ~> 
 ~> This is a test.
 ~> 
 ~> .
<~* 554 5.7.1 no
 ~> QUIT
<~  221 2.0.0 Bye
=== Connection closed with remote host.
");
    assert_eq!(
        told(&conversation),
        [
            "<- greeting: 220 mx.example.com ESMTP",
            "-> EHLO probe.example.net",
            "<- EHLO #1: 250 mx.example.com / STARTTLS",
            "-> STARTTLS",
            "<- STARTTLS #3: 220 2.0.0 Ready",
            "== TLS 1.3 TLS_AES_256_GCM_SHA384",
            "-> EHLO probe.example.net",
            "<- EHLO #6: 250 mx.example.com / PIPELINING",
            "-> MAIL FROM:<bert@example.net>",
            "-> RCPT TO:<anna@example.com>",
            "-> RCPT TO:<nobody@example.com>",
            "<- MAIL #8: 250 2.1.0 Ok",
            "<- RCPT #9: 250 2.1.5 Ok",
            "<- RCPT #10: 550 5.1.1 unknown",
            "-> DATA",
            "<- DATA #14: 354 go on",
            "-> .",
            "<- DATA-END #16: 554 5.7.1 no",
            "-> QUIT",
            "<- QUIT #18: 221 2.0.0 Bye",
        ]
    );
    let silent = one("=== Trying mx.example.com:25...
*** Error connecting to mx.example.com:25:
*** \tIO::Socket::INET6: connect: Connection refused
");
    assert_eq!((silent.host.as_deref(), told(&silent)), (Some("mx.example.com"), vec!["broke connect: Refused".to_owned()]));
    assert_eq!(told(&one(" ~> EHLO a.example.net\n<~  250 ok"))[0], "==", "a mark is enough to tell TLS");
    let exim = one("Connecting to mx.example.com [192.0.2.1]:25 ... connected\n  SMTP<< 554 no\n  SMTP>> QUIT\n  SMTP(close)>>\n");
    assert_eq!((exim.host.as_deref(), told(&exim).len()), (Some("mx.example.com"), 2));
}

#[test]
fn curl_and_openssl_are_read() {
    let curl = one("*   Trying 192.0.2.1:25...
* Connected to mx.example.com (192.0.2.1) port 25
< 220 mx.example.com ESMTP
> EHLO probe
< 250-mx.example.com
< 250 STARTTLS
> STARTTLS
< 220 2.0.0 Ready
} [5 bytes data]
* TLSv1.3 (OUT), TLS handshake, Client hello (1):
* SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384 / X25519 / RSASSA-PSS
> EHLO probe
< 250 mx.example.com
> MAIL FROM:<bert@example.net>
< 250 2.1.0 Ok
> RCPT TO:<anna@example.com>
< 550 5.1.1 unknown
* RCPT failed: 550
> QUIT
< 221 2.0.0 Bye
* Closing connection
curl: (55) RCPT failed: 550
");
    assert_eq!((curl.host.as_deref(), curl.peer), (Some("mx.example.com"), "192.0.2.1:25".parse().ok()));
    assert_eq!(told(&curl).len(), 14);
    assert_eq!(told(&curl)[5..8], ["== TLS 1.3 TLS_AES_256_GCM_SHA384", "-> EHLO probe", "<- EHLO #6: 250 mx.example.com"]);
    let openssl = one("CONNECTED(00000003)
depth=2 C = US, O = Example
verify return:1
---
Certificate chain
 0 s:CN = mx.example.com
-----BEGIN CERTIFICATE-----
MIIE
-----END CERTIFICATE-----
SSL handshake has read 3000 bytes and written 400 bytes
---
New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384
Server public key is 256 bit
---
250 CHUNKING
EHLO probe.example.net
250-mx.example.com
250 CHUNKING
---
Post-Handshake New Session Ticket arrived:
New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384
read R BLOCK
mail from:<>
250 2.1.0 Ok
QUIT
DONE
");
    assert_eq!(
        told(&openssl),
        [
            "== TLS 1.3 TLS_AES_256_GCM_SHA384",
            "-> EHLO probe.example.net",
            "<- EHLO #1: 250 mx.example.com / CHUNKING",
            "-> MAIL FROM:<>",
            "<- MAIL #3: 250 2.1.0 Ok",
            "-> QUIT"
        ]
    );
}

#[test]
fn secrets_are_dropped_and_their_replies_are_not() {
    let expected = [
        "-> AUTH LOGIN",
        "<- AUTH #0: 334 VXNlcm5hbWU6",
        "<- AUTH #0: 334 UGFzc3dvcmQ6",
        "<- AUTH #0: 535 5.7.8 no",
        "-> AUTH PLAIN ***",
        "<- AUTH #4: 235 2.7.0 yes",
    ];
    let bare =
        "AUTH LOGIN\n334 VXNlcm5hbWU6\nYW5uYQ==\n334 UGFzc3dvcmQ6\nc2VjcmV0\n535 5.7.8 no\nAUTH PLAIN AGFubmEAc2VjcmV0\n235 2.7.0 yes\n";
    assert_eq!(told(&one(bare)), expected);
    let marked =
        bare.lines().map(|line| if line.as_bytes()[0].is_ascii_digit() { format!("<~  {line}\n") } else { format!(" ~> {line}\n") });
    let marked: String = marked.collect();
    assert_eq!(told(&one(&marked))[2..], expected.map(|line| line.replace("#0", "#1").replace("#4", "#5"))[1..]);
    for text in [
        bare,
        &marked,
        "-> AUTH PLAIN\n<- 334 \n-> AGFubmEAc2VjcmV0\n<- 235 ok\n",
        "-> AUTH LOGIN\n-> c2VjcmV0\n<- 334 a\n-> c2VjcmV0\n<- 235 ok",
    ] {
        let all = format!("{:?}", read(text));
        assert!(!all.contains("c2VjcmV0") && !all.contains("AGFubmEA") && !all.contains("YW5uYQ"), "{all}");
    }
}

#[test]
fn several_sessions_are_told_apart() {
    let twice = with_marks("", "", "").repeat(2);
    assert_eq!(read(&twice).map(|all| all.len()), Some(2));
    let broken = "220 a ESMTP\nEHLO x\n250 a\n220 b ESMTP\nEHLO x\n250 b\n";
    assert_eq!(read(broken).map(|all| all.len()), Some(2), "a greeting answers nothing but a connection");
    let tried = "Trying 192.0.2.1...\ntelnet: connect to address 192.0.2.1: Connection refused\nTrying 192.0.2.2...\nConnected to mx2.example.com.\n\
                 554 5.7.1 go away\n";
    let all = read(tried).expect("two tries");
    assert_eq!(all.iter().map(told).collect::<Vec<_>>(), [vec!["broke connect: Refused"], vec!["<- greeting: 554 5.7.1 go away"]]);
}

#[test]
fn our_own_report_is_read_back() {
    let text = "example.com  10 mx1.example.com   192.0.2.1  2001:db8::1

mx1.example.com 192.0.2.1:25                             Postfix, TLS 1.3, 34 ms
    0 <-  220 mx1.example.com ESMTP Postfix
          Greeting: the server is ready.
    1  -> EHLO [127.0.0.1]
    1 <-  250 up to 50 MB, encryption, pipelining, UTF-8 addresses
    1  -> STARTTLS
    1 <-  220 2.0.0 Ready to start TLS
          Start the TLS handshake now.
    8 ==  TLS 1.3; certificate for mx1.example.com, good for 61 more days
    8  ~> EHLO [127.0.0.1]
   11 <~  250-mx1.example.com
          250 SMTPUTF8
          Extensions offered: The session is open, and each further line names
          an extension that the server offers.
   11  ~> MAIL FROM:<>
       ~> RCPT TO:<anna@example.com>
   12 <~  250 2.1.0 Ok
          Sender accepted so far.
   12 <~  552 5.2.2 <anna@example.com>: Recipient address rejected: Mailbox is
          over quota
          Mailbox full: The mailbox exists and has no room. It is about the
          recipient's quota, not about the size of this message, though a small
          one may still fit.
      ==  What that is worth: an address made up for this probe.
   13  ~> RCPT TO:<x@example.com>
   14 <~  550 5.1.1 <x@example.com>: no such mailbox is known at this very host
          No such mailbox: Nobody has this address here, and what is written to
          it comes back.
   26  ~> QUIT
   34 <~  221 2.0.0 Bye
          Goodbye.
   34 **  421 4.3.2 leaving
mx1.example.com [2001:db8::1]:25                              same answer, 34 ms
mx2.example.com 192.0.2.2:25                                 no answer within 10 s
mx3.example.com 192.0.2.3:587                         other port, 587 is open, 9 ms
mx4.example.com 192.0.2.4:25                  once more, in the clear, Exim, 5 ms
    0 <-  220 mx4.example.com ESMTP
    0 **  250 speaks ahead
    1  -> QUIT
    1 **  connection closed

REJECTED  Mailbox full                                                   certain
  Why     552 5.2.2 \"<anna@example.com>: Recipient address rejected: Mailbox is
          over quota\" to RCPT TO
";
    let all = read(text).expect("sessions");
    let places: Vec<_> = all.iter().map(|one| (one.host.as_deref().unwrap_or_default(), one.asked)).collect();
    assert_eq!(places, [("mx1.example.com", true), ("mx2.example.com", true), ("mx4.example.com", false)]);
    assert_eq!(all[0].peer, "192.0.2.1:25".parse().ok());
    assert_eq!(
        told(&all[0]),
        [
            "<- greeting: 220 mx1.example.com ESMTP Postfix",
            "-> EHLO [127.0.0.1]",
            "<- EHLO #1: 250 up to 50 MB, encryption, pipelining, UTF-8 addresses",
            "-> STARTTLS",
            "<- STARTTLS #3: 220 2.0.0 Ready to start TLS",
            "== TLS 1.3",
            "-> EHLO [127.0.0.1]",
            "<- EHLO #6: 250 mx1.example.com / SMTPUTF8",
            "-> MAIL FROM:<>",
            "-> RCPT TO:<anna@example.com>",
            "<- MAIL #8: 250 2.1.0 Ok",
            "<- RCPT #9: 552 5.2.2 <anna@example.com>: Recipient address rejected: Mailbox is over quota",
            "-> RCPT TO:<x@example.com> (CatchAll)",
            "<- RCPT #12: 550 5.1.1 <x@example.com>: no such mailbox is known at this very host (CatchAll)",
            "-> QUIT",
            "<- QUIT #14: 221 2.0.0 Bye",
            "<- unasked Quit: 421 4.3.2 leaving",
        ]
    );
    assert_eq!(told(&all[1]), ["broke connect: TimedOut(10s)"]);
    assert_eq!(told(&all[2]), ["<- greeting: 220 mx4.example.com ESMTP", "** greeting: 250 speaks ahead", "-> QUIT", "broke quit: Closed"]);
}

#[test]
fn odd_courses_stay_in_step() {
    for (text, expected) in [
        (
            "-> LHLO a.example.com\n<- 250 ok\n-> RCPT TO:<a@example.com>\n<- 250 ok\n-> RCPT TO:<b@example.com>\n<- 250 ok\n-> DATA\n<- 354 go\n-> x\n\
             -> .\n<- 250 one\n<- 552 two\n",
            "<- LMTP-DATA #8: 552 two",
        ),
        ("-> DATA\n<- 354 go\n<- 250 2.0.0 queued\n", "<- DATA-END #2: 250 2.0.0 queued"),
        ("-> BDAT 4 LAST\n-> QUIT\n<- 250 ok\n-> NOOP\n<- 250 ok\n", "<- NOOP #2: 250 ok"),
        ("-> RCTP TO:<anna@example.com>\n<- 500 what?\n", "<- NOOP #0: 500 what?"),
        ("-> NOOP\n<- 250 ok\n<- 421 leaving\n", "<- unasked Noop: 421 leaving"),
        ("220 a\nHELO\n501 no\n", "<- HELO #1: 501 no"),
        ("<- 220 a\n-> EHLO b.example.net\n<- garbage\n<- 250 ok\n", "<- EHLO #1: 250 ok"),
        ("DATA\n354 go\nhello\n.\n250-queued\n250 as x\n", "<- DATA-END #2: 250 queued / as x"),
    ] {
        assert_eq!(told(&one(text)).last().map(String::as_str), Some(expected), "{text}");
    }
}

#[test]
fn what_is_no_conversation_is_left_alone() {
    for text in [
        "",
        "552 5.2.2 full",
        "250-a\n250 b",
        "<- 550 no",
        "QUIT",
        "-> QUIT",
        "Dear Anna,\n\ndata of yesterday:\n250 lines\nquit smoking\nhelp\n",
        "Help me\n550 5.1.1 user unknown\n",
        "> quoted\n> text\n",
        "=== a heading\n* a list\n",
        "From: anna@example.com\nSubject: x\n\n550 5.1.1 no\n",
        "{\"schema\":\"smtpprobe.report/1\"}",
        "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: to=<a@example.com>, relay=mx[192.0.2.1]:25, dsn=5.1.1, status=bounced (host mx[192.0.2.1] said: 550 no)",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
    assert_eq!(read(&"x".repeat(LIMIT + 1)), None);
}

#[test]
fn hostile_texts_are_bounded() {
    let all = [
        "QUIT\n221 x\n",
        "220 x\nNOOP\n",
        "-> A\n<- 250-\n",
        "<~ \n~> \n",
        "250-x\n",
        "=== Trying a.example:25\n<- 220 x\n-> QUIT\n",
        "mx1.example.com 192.0.2.1:25  x\n          250-\n",
        "DATA\n354\n",
    ];
    for piece in all {
        let text = piece.repeat(LIMIT / piece.len());
        let events: usize = read(&text).iter().flatten().map(|one| one.transcript.events.len()).sum();
        assert!(events <= 20_010, "{piece}: {events}");
    }
    let long = format!("-> RCPT TO:<{}>\n<- 550 {}\n", "a".repeat(400_000), "é".repeat(200_000));
    assert!(told(&one(&long)).iter().all(|line| line.len() < 10_000));
}

fn pieces() -> impl Strategy<Value = String> {
    let marks = prop::sample::select(vec![
        "",
        "<- ",
        "-> ",
        "<~ ",
        " ~> ",
        "<** ",
        "** ",
        "== ",
        "=== ",
        "* ",
        "< ",
        "> ",
        "  12 <-  ",
        "          ",
    ]);
    let words = prop::sample::select(vec![
        "220 a",
        "250-a",
        "250 b",
        "334 x",
        "354 go",
        "421 bye",
        "550-",
        "EHLO a.example.net",
        "AUTH LOGIN",
        "c2VjcmV0",
        "DATA",
        ".",
        "BDAT 3",
        "QUIT",
        "STARTTLS",
        "LHLO x",
        "RCPT TO:<a@example.com>",
        "Trying 192.0.2.1...",
        "mx1.example.com 192.0.2.1:25      Exim, 3 ms",
        "TLS 1.3; certificate for x",
        "connection closed",
        "What that is worth: an address made up for this probe.",
        "postfix/smtp[1]: < a[192.0.2.1]:25: 220 x",
        "é\u{0}",
        "",
    ]);
    prop::collection::vec((marks, words).prop_map(|(mark, words)| format!("{mark}{words}\n")), 0..30).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn every_answer_has_its_question(text in pieces()) {
        for conversation in read(&text).into_iter().flatten() {
            let lines = told(&conversation);
            prop_assert!(!lines.is_empty());
        }
    }

    #[test]
    fn no_text_is_too_odd(text in "[ -~\n\r\té\u{0}]{0,300}") {
        let _ = read(&text);
    }
}
