//! Conversations that carry a message.

use super::*;
use crate::smtp::{CertificateFault, Distrust, Transfer};

/// What was said, and the octets of the message as they went out.
///
/// The server's acts are those of [`talk`]; while the message is being written also `<early>text`, which comes after the first
/// octets, `<pipe>`, a connection that breaks under the writing, and `<blocked>`, one that takes nothing more. The connection takes
/// `at_once` octets at a time.
fn deliver(dialogue: Dialogue, transaction: Transaction, server: &[&str], at_once: usize) -> (Vec<String>, Vec<u8>) {
    let mut session = Session::new(dialogue, Elapsed::default());
    session.enqueue(transaction);
    let mut now = Elapsed::default();
    session.connected(now, Connected { local: address("192.0.2.9:40000"), peer: address("192.0.2.1:25") });
    let mut acts = server.iter().peekable();
    let mut wire = Vec::new();
    for _ in 0..10_000 {
        match session.need() {
            Need::Close => return (account(session.transcript()), wire),
            Need::Write(_) => session.sent(now),
            Need::WriteSecret(line) => panic!("nobody was to log in: {line:?}"),
            Need::WriteSome(bytes, limit) => {
                assert!(bytes.len() <= 64 * 1024 && !bytes.is_empty());
                let while_writing = |act: &str| act.starts_with("<early>") || matches!(act, "<pipe>" | "<stop>" | "<blocked>");
                let early = acts.next_if(|act| while_writing(act) && !wire.is_empty());
                match early {
                    Some(&"<pipe>") => session.broke(now, FailureKind::Reset.into()),
                    Some(&"<stop>") => session.broke(now, FailureKind::Interrupted.into()),
                    Some(&"<blocked>") => {
                        assert_eq!(limit, StageTimes::default().block);
                        now.0 += limit;
                        session.broke(now, FailureKind::TimedOut(limit).into());
                    }
                    Some(act) => {
                        let text = act.strip_prefix("<early>").expect("an act while writing");
                        session.received(now, text.replace('|', "\r\n").as_bytes());
                    }
                    None => {
                        let count = bytes.len().min(at_once);
                        wire.extend_from_slice(&bytes[..count]);
                        session.wrote(now, count);
                    }
                }
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
            Need::Handshake(_) => {
                let verdict = match acts.next() {
                    Some(&"<tls>") => CertificateVerdict::Trusted,
                    _ => CertificateVerdict::Untrusted(vec![CertificateFault { place: 0, why: Distrust::SelfSigned }]),
                };
                session.secured(now, TlsFacts { verdict, ..tls() });
            }
            Need::Survey(_) | Need::Rest(_) => panic!("nothing is surveyed, and nobody rests"),
        }
    }
    panic!("the session has no end");
}

fn letter(text: &str) -> Transaction {
    Transaction { message: Some(Message::new(text.as_bytes().to_vec()).unwrap()), ..ask(&["a@example.com"]) }
}

fn chunks(text: &str) -> Transaction {
    Transaction { handling: Handling { transfer: Transfer::Chunks, ..Handling::default() }, ..letter(text) }
}

const TEXT: &str = "Subject: x\n\n.dot\n";
const TO_354: [&str; 5] = ["220 hi|", "250 hi|", "250 ok|", "250 ok|", "354 go|"];
const TO_RCPT: [&str; 4] = ["220 hi|", "250-hi|250 CHUNKING|", "250 ok|", "250 ok|"];

fn after_354(acts: &[&'static str]) -> Vec<&'static str> {
    [&TO_354[..], acts].concat()
}

#[test]
fn a_message_goes_out_stuffed_after_354_and_its_reply_is_waited_for() {
    for at_once in [1, 7, 100_000] {
        let (said, wire) = deliver(dialogue(Stage::Message), letter(TEXT), &after_354(&["250 2.0.0 queued|", "221 bye|"]), at_once);
        let expected = [
            GREETING,
            EHLO,
            "<- 250 to EHLO",
            "-> MAIL FROM:<>",
            "<- 250 to MAIL",
            "-> RCPT TO:<a@example.com>",
            "<- 250 to RCPT",
            "-> DATA",
            "<- 354 to DATA",
            "-> 20 of 20, whole",
            "<- 250 to DATA-END",
            "-> QUIT",
            "<- 221 to QUIT",
        ];
        assert_eq!(said, expected);
        assert_eq!(wire, b"Subject: x\r\n\r\n..dot\r\n.\r\n");
    }
}

#[test]
fn without_leave_no_message_goes_out() {
    // The dialogue ends before it, or 354, a recipient or the sender is missing.
    let dropped = [(Stage::Rcpt, "-> QUIT"), (Stage::Data, "<- 354 to DATA")];
    for (until, last) in dropped {
        let (said, wire) = deliver(dialogue(until), letter(TEXT), &TO_354, 100);
        assert!(said.iter().rev().take(2).any(|line| line == last), "{until} {said:?}");
        assert!(wire.is_empty(), "{until}");
    }
    for (acts, last) in [
        (&["220 hi|", "250 hi|", "550 no|", "221 bye|"][..], "<- 550 to MAIL"),
        (&["220 hi|", "250 hi|", "250 ok|", "550 no|", "221 bye|"], "<- 550 to RCPT"),
        (&["220 hi|", "250 hi|", "250 ok|", "250 ok|", "554 no|", "221 bye|"], "<- 554 to DATA"),
        (&["220 hi|", "250 hi|", "250 ok|", "250 ok|", "250 odd|", "221 bye|"], "<- 250 to DATA"),
    ] {
        let (said, wire) = deliver(dialogue(Stage::Message), letter(TEXT), acts, 100);
        assert_eq!((&said[said.len() - 3..], wire.len()), (&[last.to_owned(), "-> QUIT".to_owned(), "<- 221 to QUIT".to_owned()][..], 0));
    }
    // Only the target's own transaction carries one.
    let control = Transaction { purpose: Purpose::CatchAll, ..letter(TEXT) };
    let (_, wire) = deliver(dialogue(Stage::Message), control, &TO_354, 100);
    assert!(wire.is_empty());
    // Before 354 chunks are never announced.
    let (said, wire) =
        deliver(dialogue(Stage::Data), chunks(TEXT), &["220 hi|", "250-hi|250 CHUNKING|", "250 ok|", "250 ok|", "354 go|"], 100);
    assert_eq!((said.last().unwrap().as_str(), wire.len()), ("<- 354 to DATA", 0));
}

#[test]
fn chunks_are_counted_and_each_is_answered() {
    let (said, wire) = deliver(dialogue(Stage::Message), chunks(TEXT), &[&TO_RCPT[..], &["250 ok|", "221 bye|"]].concat(), 7);
    assert_eq!(said[7..], ["-> BDAT 20 LAST", "-> 20 of 20, whole", "<- 250 to DATA-END", "-> QUIT", "<- 221 to QUIT"]);
    assert_eq!(wire, b"Subject: x\r\n\r\n.dot\r\n");

    let large = format!("Subject: x\n\n{}", ".23456789012345678901234567890\n".repeat(70_000));
    let message = chunks(&large).message.unwrap();
    let acts = [&TO_RCPT[..], &["250 ok|", "250 ok|", "250 done|", "221 bye|"]].concat();
    let (said, wire) = deliver(dialogue(Stage::Message), chunks(&large), &acts, 100_000);
    let expected = [
        "-> BDAT 1048576",
        "-> 1048576 of 2240014",
        "<- 250 to BDAT",
        "-> BDAT 1048576",
        "-> 2097152 of 2240014",
        "<- 250 to BDAT",
        "-> BDAT 142862 LAST",
        "-> 2240014 of 2240014, whole",
        "<- 250 to DATA-END",
        "-> QUIT",
        "<- 221 to QUIT",
    ];
    assert_eq!(said[7..], expected);
    assert!(wire == message.octets());

    // A chunk that is refused is the last one, and a yes to a part is no yes to the message.
    let (said, _) =
        deliver(dialogue(Stage::Message), chunks(&large), &[&TO_RCPT[..], &["250 ok|", "552 full|", "221 bye|"]].concat(), 100_000);
    assert_eq!(said[11..], ["-> 2097152 of 2240014", "<- 552 to BDAT", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn what_is_needed_and_not_offered_ends_it_before_mail() {
    let handling = |handling| Transaction { handling, ..letter(TEXT) };
    let asks = Handling { notify: Some("never".parse().unwrap()), ..Handling::default() };
    let ret = Handling { ret: Some(crate::smtp::Ret::Full), ..Handling::default() };
    let tls = Handling { require_tls: true, ..Handling::default() };
    for (transaction, keyword) in [
        (letter("Subject: x\n\nb\u{f6}dy\n"), "8BITMIME"),
        (letter("Subject: \u{f6}\n\nbody\n"), "SMTPUTF8"),
        (handling(asks), "DSN"),
        (handling(ret), "DSN"),
        (handling(tls), "REQUIRETLS"),
        (chunks(TEXT), "CHUNKING"),
    ] {
        // REQUIRETLS in the clear is no offer.
        let offers = if keyword == "REQUIRETLS" { "250-hi|250 REQUIRETLS|" } else { "250 hi|" };
        let (said, wire) = deliver(dialogue(Stage::Message), transaction, &["220 hi|", offers, "221 bye|"], 100);
        assert_eq!(
            said[2..],
            ["<- 250 to EHLO".to_owned(), format!("!! mail NotOffered({keyword:?})"), "-> QUIT".to_owned(), "<- 221 to QUIT".to_owned()]
        );
        assert!(wire.is_empty());
    }
}

#[test]
fn what_is_offered_is_asked_for() {
    let all = Transaction {
        handling: Handling {
            notify: Some("success,failure".parse().unwrap()),
            ret: Some(crate::smtp::Ret::Headers),
            ..Handling::default()
        },
        ..letter("Subject: \u{f6}\n\nbody\n")
    };
    let acts =
        ["220 hi|", "250-hi|250-SIZE 1000|250-8BITMIME|250-SMTPUTF8|250 DSN|", "250 ok|", "250 ok|", "354 go|", "250 ok|", "221 bye|"];
    let (said, _) = deliver(dialogue(Stage::Message), all, &acts, 100);
    assert_eq!(said[3], "-> MAIL FROM:<> SIZE=21 BODY=8BITMIME SMTPUTF8 RET=HDRS");
    assert_eq!(said[5], "-> RCPT TO:<a@example.com> NOTIFY=SUCCESS,FAILURE");

    let tls = Transaction { handling: Handling { require_tls: true, ..Handling::default() }, ..letter(TEXT) };
    let before = ["220 hi|", "250-hi|250 STARTTLS|", "220 go|"];
    let offers = ["250-hi|250 REQUIRETLS|", "250 ok|", "250 ok|", "354 go|", "250 ok|", "221 bye|"];
    let (said, _) = deliver(dialogue(Stage::Message), tls.clone(), &[&before[..], &["<tls>"], &offers].concat(), 100);
    assert_eq!(said[8], "-> MAIL FROM:<> REQUIRETLS");
    let (said, wire) = deliver(dialogue(Stage::Message), tls, &[&before[..], &["<bad tls>"], &offers[..1], &["221 bye|"]].concat(), 100);
    assert_eq!((said[8].as_str(), wire.len()), ("!! mail Unauthenticated", 0));
}

#[test]
fn a_refusal_while_the_message_is_written_is_its_answer() {
    for (early, line) in [
        ("<early>552 too big|", "<- 552 to DATA-END"),
        ("<early>451 later|", "<- 451 to DATA-END"),
        ("<early>421 closing|", "<- 421 to DATA-END"),
    ] {
        let (said, wire) = deliver(dialogue(Stage::Message), letter(TEXT), &after_354(&[early]), 5);
        // Neither the rest nor QUIT, which would be taken for a line of the message.
        assert_eq!(said[9..], ["-> 5 of 20", line]);
        assert_eq!(wire.len(), 5);
    }
    // In two parts, the second of which comes after the end.
    let (said, _) = deliver(dialogue(Stage::Message), letter(TEXT), &after_354(&["<early>552 to", "o big|", "221 bye|"]), 5);
    assert_eq!(said[9..], ["-> 20 of 20, whole", "<- 552 to DATA-END", "-> QUIT", "<- 221 to QUIT"]);
    // Anything else is no answer, and the message goes on.
    let (said, _) = deliver(dialogue(Stage::Message), letter(TEXT), &after_354(&["<early>250 unasked|", "250 ok|", "221 bye|"]), 5);
    assert_eq!(said[9..12], ["** message 250 unasked|", "-> 20 of 20, whole", "<- 250 to DATA-END"]);
    // A chunk's reply belongs to its BDAT.
    let (said, _) = deliver(dialogue(Stage::Message), chunks(TEXT), &[&TO_RCPT[..], &["<early>552 no|"]].concat(), 5);
    assert_eq!(said[7..], ["-> BDAT 20 LAST", "-> 5 of 20", "<- 552 to DATA-END"]);
}

#[test]
fn a_connection_that_ends_tells_whether_the_message_had_gone() {
    let lost = |acts: &[&'static str], transaction: Transaction, until: &[&'static str]| {
        let (said, _) = deliver(dialogue(Stage::Message), transaction, &[until, acts].concat(), 5);
        said[9.min(said.len())..].to_vec()
    };
    // Before its end it is not delivered.
    for (act, failure) in [("<pipe>", "Reset"), ("<blocked>", "TimedOut(180s)"), ("<stop>", "Interrupted")] {
        assert_eq!(lost(&[act], letter(TEXT), &TO_354), ["-> 5 of 20".to_owned(), format!("!! message {failure}")]);
    }
    // After it, nobody knows. Silence is borne for ten minutes.
    assert_eq!(lost(&["<closes>"], letter(TEXT), &TO_354), ["-> 20 of 20, whole", "!! message Closed"]);
    assert_eq!(lost(&["<silence>"], letter(TEXT), &TO_354), ["-> 20 of 20, whole", "!! message TimedOut(600s)", "-> QUIT"]);
    // A last line without its end still counts.
    assert_eq!(lost(&["250 ok", "<closes>"], letter(TEXT), &TO_354), ["-> 20 of 20, whole", "<- 250 to DATA-END"]);
}

#[test]
fn doubt_is_what_is_left_without_a_reply() {
    let doubt = |acts: &[&'static str], transaction: Transaction| {
        let mut session = Session::new(dialogue(Stage::Message), Elapsed::default());
        session.enqueue(transaction);
        let now = Elapsed::default();
        session.connected(now, Connected { local: address("192.0.2.9:40000"), peer: address("192.0.2.1:25") });
        for act in acts {
            loop {
                match session.need() {
                    Need::Write(_) => session.sent(now),
                    Need::WriteSome(bytes, _) if *act != "<pipe>" => session.wrote(now, bytes.len()),
                    _ => break,
                }
            }
            match *act {
                "<pipe>" => session.broke(now, FailureKind::Reset.into()),
                "<closes>" => session.broke(now, FailureKind::Closed.into()),
                text => session.received(now, text.replace('|', "\r\n").as_bytes()),
            }
        }
        session.transcript().is_in_doubt()
    };
    assert!(doubt(&after_354(&["<closes>"]), letter(TEXT)));
    assert!(!doubt(&after_354(&["<pipe>"]), letter(TEXT)));
    for reply in ["250 ok|", "550 no|", "451 later|", "421 closing|"] {
        assert!(!doubt(&after_354(&[reply, "<closes>"]), letter(TEXT)), "{reply}");
    }
    assert!(!doubt(&["220 hi|", "250 hi|", "<closes>"], letter(TEXT)));
    // A chunk that is not the last leaves none.
    let large = "x".repeat(1_500_000);
    assert!(!doubt(&[&TO_RCPT[..], &["<closes>"]].concat(), chunks(&large)));
    assert!(doubt(&[&TO_RCPT[..], &["250 ok|", "<closes>"]].concat(), chunks(&large)));
}

#[test]
fn the_time_for_the_session_does_not_cut_off_the_reply_to_the_message() {
    let times = StageTimes { session: Some(Duration::from_secs(10)), ..StageTimes::default() };
    let mut session = Session::new(Dialogue { times, ..dialogue(Stage::Message) }, Elapsed::default());
    session.enqueue(letter(TEXT));
    let mut now = Elapsed::default();
    session.connected(now, Connected { local: address("192.0.2.9:40000"), peer: address("192.0.2.1:25") });
    for act in TO_354 {
        while let Need::Write(_) = session.need() {
            session.sent(now);
        }
        session.received(now, act.replace('|', "\r\n").as_bytes());
    }
    now.0 += Duration::from_secs(9);
    assert!(!session.transcript().events.is_empty() && session.is_delivering());
    while let Need::WriteSome(bytes, _) = session.need() {
        session.wrote(now, bytes.len());
    }
    assert_eq!(session.need(), Need::Read(Duration::from_secs(600)));
}
