//! What a message is made of, and that nothing is lost on its way into wire form and back.

use std::time::SystemTime;

use proptest::prelude::*;

use super::*;

fn message(text: &str) -> Message {
    Message::new(text.as_bytes().to_vec()).expect("a message")
}

/// Takes a received stream apart as a server does (RFC 5321 §4.5.2); none if it does not end with the dot, or ends before.
fn unstuffed(stream: &[u8]) -> Option<Vec<u8>> {
    let lines = stream.strip_suffix(b".\r\n").filter(|lines| lines.is_empty() || lines.ends_with(b"\r\n"))?;
    let mut message = Vec::new();
    for line in lines.split_inclusive(|octet| *octet == b'\n') {
        if line == b".\r\n" {
            return None;
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    Some(message)
}

fn has_bare(octets: &[u8]) -> bool {
    let bare = |at: usize| match octets[at] {
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || octets[at - 1] != b'\r',
        _ => false,
    };
    (0..octets.len()).any(bare)
}

#[test]
fn line_ends_of_every_kind_become_those_of_the_wire() {
    for (given, wire, mended) in [
        ("a\r\nb\r\n", "a\r\nb\r\n", 0),
        ("a\nb\n", "a\r\nb\r\n", 2),
        ("a\rb\r", "a\r\nb\r\n", 2),
        ("a\r\r\nb", "a\r\n\r\nb\r\n", 2),
        ("a\n\rb\r\n", "a\r\n\r\nb\r\n", 2),
        ("a\r\nb\nc\rd", "a\r\nb\r\nc\r\nd\r\n", 3),
        ("a", "a\r\n", 1),
        ("\n", "\r\n", 1),
        ("\r\n", "\r\n", 0),
    ] {
        let message = message(given);
        assert_eq!((message.octets(), message.mended_line_ends()), (wire.as_bytes(), mended), "{given:?}");
    }
    for (given, odd) in [("a\nb\n", false), ("a\r\nb", false), ("a\r", true), ("a\nb\r\n", true), ("a\r\nb\n", true), ("\n\r\n", true)] {
        assert_eq!(message(given).had_odd_line_ends(), odd, "{given:?}");
    }
    assert_eq!(Message::new(Vec::new()), Err(MessageError::Empty));
    assert_eq!(Message::new(vec![b'x'; SIZE_LIMIT + 1]), Err(MessageError::TooLong));
}

#[test]
fn what_a_message_needs_is_known() {
    let plain = message("Subject: x\n\nbody\n");
    assert_eq!((plain.is_eight_bit(), plain.needs_smtputf8(), plain.has_nul(), plain.longest_line()), (false, false, false, 10));
    assert_eq!((plain.size(), plain.header(), plain.body()), (20, &b"Subject: x\r\n"[..], &b"body\r\n"[..]));
    let in_body = message("Subject: x\n\nb\u{f6}dy\n");
    assert!(in_body.is_eight_bit() && !in_body.needs_smtputf8());
    let in_header = message("Subject: \u{f6}\n\nbody\n");
    assert!(in_header.is_eight_bit() && in_header.needs_smtputf8());
    let latin = Message::new(b"Subject: \xf6\n\nbody\n".to_vec()).unwrap();
    assert!(latin.is_eight_bit() && !latin.needs_smtputf8());
    assert!(message("Subject: x\n\na\0b\n").has_nul());
    for (length, octets) in [(998, 998), (1_000, 1_000)] {
        let long = message(&format!("Subject: x\n\n{}\nshort\n", "a".repeat(length)));
        assert_eq!(long.longest_line(), octets);
    }
    assert_eq!((message("\nbody\n").header(), message("\nbody\n").body()), (&b""[..], &b"body\r\n"[..]));
    assert_eq!((message("Subject: x\n").header(), message("Subject: x\n").body()), (&b"Subject: x\r\n"[..], &b""[..]));
}

#[test]
fn fields_are_read_with_their_folds() {
    let message = message("From: a@example.com\nSUBJECT : one\n\ttwo\n  three\nno field\nMessage-ID: <x@y>\n\nDate: no\n");
    assert_eq!(message.field("subject").as_deref(), Some("one two  three"));
    assert_eq!(message.field("message-id").as_deref(), Some("<x@y>"));
    assert_eq!((message.field("Date"), message.missing_fields()), (None, vec!["Date"]));
}

#[test]
fn dots_at_the_start_of_a_line_are_doubled_and_one_ends_it() {
    for (given, stuffed) in
        [(".\n", "..\r\n.\r\n"), ("a.\n.b\n..\n", "a.\r\n..b\r\n...\r\n.\r\n"), ("\n", "\r\n.\r\n"), ("a\r.\r\n", "a\r\n..\r\n.\r\n")]
    {
        assert_eq!(message(given).stuffed().flatten().collect::<Vec<u8>>(), stuffed.as_bytes(), "{given:?}");
    }
    // A dot that begins a piece, and one that begins the line at its border.
    for filler in [16 * 1024 - 2, 16 * 1024 - 1, 16 * 1024] {
        let given = message(&format!("{}\r\n.x\r\n", "a".repeat(filler)));
        let stream: Vec<u8> = given.stuffed().flatten().collect();
        assert!(stream.ends_with(b"\r\n..x\r\n.\r\n"), "{filler}");
        assert_eq!(unstuffed(&stream).as_deref(), Some(given.octets()));
    }
}

#[test]
fn a_large_message_goes_out_in_bounded_pieces() {
    let large = message(&".line of text\n".repeat(100_000));
    let mut sizes = large.stuffed().map(|piece| piece.len());
    assert!(sizes.all(|size| size <= 2 * 16 * 1024));
    assert!(large.stuffed().count() > 80);
}

#[test]
fn a_test_message_says_what_it_is() {
    let mut test = TestMessage {
        sender: Some("me@example.net".parse().unwrap()),
        recipient: "anna@example.com".parse().unwrap(),
        hello: "probe.example.net".to_owned(),
        date: SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000),
    };
    let written = test.compose().unwrap();
    for (field, value) in [
        ("From", "me@example.net"),
        ("To", "anna@example.com"),
        ("Date", "Tue, 14 Nov 2023 22:13:20 +0000"),
        ("Subject", "Test message: does mail arrive?"),
        ("Auto-Submitted", "auto-generated"),
    ] {
        assert_eq!(written.field(field).as_deref(), Some(value));
    }
    let id = written.field("Message-ID").unwrap();
    assert!(id.starts_with('<') && id.ends_with("@probe.example.net>") && id.len() > 30, "{id}");
    assert_ne!(test.compose().unwrap().field("Message-ID"), Some(id));
    let body = String::from_utf8(written.body().to_vec()).unwrap();
    for word in ["anna@example.com", "me@example.net", "probe.example.net", "smtpprobe 0.", "test message"] {
        assert!(body.contains(word), "{word}: {body}");
    }
    assert!(!written.is_eight_bit() && written.longest_line() < 80 && written.missing_fields().is_empty());
    assert_eq!(written.mended_line_ends(), 0);

    // The null sender cannot stand in From.
    test.sender = None;
    for (hello, from) in [
        ("probe.example.net", "postmaster@probe.example.net"),
        ("[192.0.2.9]", "postmaster@[192.0.2.9]"),
        ("[IPv6:2001:db8::1]", "postmaster@[IPv6:2001:db8::1]"),
    ] {
        test.hello = hello.to_owned();
        let written = test.compose().unwrap();
        assert_eq!(written.field("From").as_deref(), Some(from));
        assert!(String::from_utf8_lossy(written.body()).contains("<> (the null sender)"));
    }
    test.hello = "no name".to_owned();
    assert!(matches!(test.compose(), Err(ComposeError::From(_))));

    // An address beyond ASCII makes a header beyond ASCII.
    test.hello = "probe.example.net".to_owned();
    test.recipient = "j\u{f6}rg@example.com".parse().unwrap();
    let written = test.compose().unwrap();
    assert!(written.needs_smtputf8(), "{}", String::from_utf8_lossy(written.octets()));
    assert_eq!(written.field("To").as_deref(), Some("j\u{f6}rg@example.com"));
}

/// Octets that make trouble, more often than by chance.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![3 => Just(b'\r'), 3 => Just(b'\n'), 3 => Just(b'.'), 1 => Just(0), 2 => any::<u8>(), 2 => b'a'..=b'z'];
    prop_oneof![
        4 => proptest::collection::vec(octet, 1..200),
        // Over the border of a piece.
        1 => (16_300_usize..16_500, "[\r\n.]{1,200}").prop_map(|(filler, end)| [vec![b'x'; filler], end.into_bytes()].concat()),
    ]
}

proptest! {
    #[test]
    fn no_line_end_is_bare(given in octets()) {
        let message = Message::new(given.clone()).unwrap();
        prop_assert!(!has_bare(message.octets()));
        prop_assert!(message.octets().ends_with(b"\r\n"));
        // Nothing but line ends has changed.
        let rest = |octets: &[u8]| octets.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect::<Vec<u8>>();
        prop_assert_eq!(rest(message.octets()), rest(&given));
        // What is in wire form stays as it is.
        let again = Message::new(message.octets().to_vec()).unwrap();
        prop_assert_eq!((again.octets(), again.mended_line_ends()), (message.octets(), 0));
    }

    #[test]
    fn stuffing_is_undone_by_the_receiver(given in octets()) {
        let message = Message::new(given).unwrap();
        let stream: Vec<u8> = message.stuffed().flatten().collect();
        prop_assert!(stream.ends_with(b"\r\n.\r\n"));
        prop_assert!(!has_bare(&stream));
        let arrived = unstuffed(&stream);
        prop_assert_eq!(arrived.as_deref(), Some(message.octets()));
    }
}
