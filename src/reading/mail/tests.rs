//! Hostile mail, and the small judgements that the forms rest on.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const HEAD: &str = "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.com\nTo: anna@example.com\nSubject: failure notice\n";

fn bounce(text: &str) -> Notice {
    read(format!("{HEAD}\n{text}").as_bytes())
}

/// Code, enhanced code, and the reply's words, of the only recipient.
fn told(text: &str) -> (String, String, String) {
    let notice = bounce(&format!("Your message could not be delivered:\n\n<bob@example.net>:\n{text}\n"));
    let report = notice.reports.first().expect("a recipient");
    let reply = report.reply.as_ref();
    (
        reply.map(|reply| reply.code.to_string()).unwrap_or_default(),
        report.status.map(|status| status.to_string()).unwrap_or_default(),
        reply.map(crate::smtp::Reply::text).unwrap_or_default(),
    )
}

#[test]
fn the_reply_that_decided_is_found() {
    for (text, code, enhanced, words) in [
        ("host mx[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)", "550", "5.1.1", "no"),
        ("host mx[192.0.2.1] said:\n    550-5.7.1 a\n    550 5.7.1 b", "550", "5.7.1", "a b"),
        ("554 4.4.7 expired.<421 4.4.2 Connection timed out>", "421", "4.4.2", "Connection timed out"),
        ("550 5.1.351 mailbox unavailable -> 550 : User unknown", "550", "5.1.351", ": User unknown"),
        ("550 5.1.1 Failed, from MTA([127.0.0.1]:10025): 551 5.7.1 no", "551", "5.7.1", "no"),
        ("5.1.0 - Unknown address error 550-'5.1.1 unknown' (delivery attempts: 0)", "550", "5.1.1", "unknown"),
        ("the server returned '501 5.1.8 Sender rejected'", "501", "5.1.8", "Sender rejected"),
        ("(reason: 553 sorry (#5.7.1))", "553", "5.7.1", "sorry (#5.7.1)"),
        ("#550 5.2.2 STOREDRV.Deliver: full ##", "550", "5.2.2", "STOREDRV.Deliver: full"),
        ("550: 5.2.2 full", "550", "5.2.2", "full"),
        ("was: 554 554 5.7.0 Header error (state 18).", "554", "5.7.0", "Header error (state 18)."),
        ("220-hello 421 4.2.1 try later", "421", "4.2.1", "try later"),
        ("Sorry, no host named example.net. (#5.1.2)", "", "5.1.2", ""),
        ("connect to mx.example.net[192.0.2.4]:25: Connection timed out", "", "", ""),
        ("Call (480) 624-2500 or (450) 555-1234, at 12:550, 10.5.550.1", "", "", ""),
        ("your message has 512 bytes: 500 MB are left, 450 messages", "", "", ""),
        ("Postfix 4.5.1, version 5.2.2, 192.5.1.1, 5.1.1.1", "", "", ""),
    ] {
        assert_eq!(told(text), (code.to_owned(), enhanced.to_owned(), words.to_owned()), "{text}");
    }
}

#[test]
fn a_recipient_is_told_from_other_addresses() {
    for (text, recipient) in [
        ("There was an error delivering your mail to <bob@example.net>.\n\nno such host\n", "bob@example.net"),
        ("It could not be delivered. Contact postmaster@example.org.\n\nUnknown user: bob@example.net\n", "bob@example.net"),
        ("undeliverable: bob@example.net on Sun, 22 Nov 2026\n    unknown recipient\n", "bob@example.net"),
        ("  \u{2022} bob@example.net - mailbox full\n", "bob@example.net"),
        ("<bob@example.net>: said 553 5.1.8\n    <anna@example.com>... Domain does not exist\n", "bob@example.net"),
        (
            "It failed, ask help@example.org.\n\n--- Original message ---\n\nFrom: anna@example.com\nTo: bob@example.net\n",
            "bob@example.net",
        ),
        ("It failed.\n\nReceived: from a by b\n    for <bob@example.net>; today\nTo: list@example.net\n", "bob@example.net"),
    ] {
        let notice = bounce(text);
        let recipients: Vec<_> = notice.reports.iter().filter_map(|report| report.recipient.as_deref()).collect();
        assert_eq!((notice.kind, recipients), (NoticeKind::Bounce, vec![recipient]), "{text}");
    }
}

#[test]
fn only_a_program_bounces() {
    use NoticeKind::{Bounce, NotABounce, Vacation};
    let text = "Your message could not be delivered:\n\n<bob@example.net>: 550 5.1.1 no\n";
    for (head, kind) in [
        ("From: MAILER-DAEMON@mx.example.com\nSubject: x", Bounce),
        ("From: <postmaster@mx.example.com>\nSubject: Undeliverable: x", Bounce),
        ("From: <no-reply@mx.example.com>\nReturn-Path: <>\nSubject: x", Bounce),
        ("From: <bob@example.net>\nReturn-Path: <bob@example.net>\nSubject: Undeliverable mail", NotABounce),
        ("From: <bob@example.net>\nSubject: Fwd: failure notice", NotABounce),
        ("From: <postmaster@example.net>\nSubject: Maintenance", NotABounce),
        ("From: <bob@example.net>\nReturn-Path: <>\nSubject: Automatic reply: x", Vacation),
        ("From: <bob@example.net>\nX-Autoreply: yes\nSubject: x", Vacation),
        ("From: <bob@example.net>\nSubject: =?utf-8?q?R=C3=A9ponse_automatique?= : x", Vacation),
        ("From: <bob@example.net>\nSubject: Holiday party", NotABounce),
        ("From: <bob@example.net>\nPrecedence: bulk\nSubject: Out of office", Vacation),
    ] {
        assert_eq!(read(format!("{head}\nTo: anna@example.com\n\n{text}").as_bytes()).kind, kind, "{head}");
    }
}

#[test]
fn xtext_is_undone_where_it_must_be() {
    for (field, recipient) in [
        ("rfc822; a+2Bb@example.net", "a+b@example.net"),
        ("rfc822; a+b@example.net", "a+b@example.net"),
        ("rfc822; a+20@example.net", "a+20@example.net"),
        ("RFC822;<a@example.net>", "a@example.net"),
        ("a@example.net", "a@example.net"),
        ("utf-8; \\x{E9}b\\x{62}@example.net", "ébb@example.net"),
        ("x-local; anna", "anna"),
    ] {
        let head = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n";
        let part = format!(
            "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a.example\n\nFinal-Recipient: {field}\nAction: failed\n"
        );
        let notice = read(format!("{HEAD}{head}\n{part}\n--b--\n").as_bytes());
        assert_eq!(notice.reports[0].recipient.as_deref(), Some(recipient), "{field}");
    }
}

#[test]
fn a_bare_number_of_a_program_is_its_exit_status() {
    let head = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n";
    for (field, words) in [
        ("X-Unix; 127", "exit status 127"),
        ("x-unix; 75", "exit status 75"),
        ("x-unix; procmail: program failure", "procmail: program failure"),
        ("x-other; 127", "127"),
    ] {
        let fields = format!("Final-Recipient: rfc822; a@example.net\nAction: failed\nDiagnostic-Code: {field}\n");
        let part = format!("--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a.example\n\n{fields}");
        let notice = read(format!("{HEAD}{head}\n{part}\n--b--\n").as_bytes());
        assert_eq!(notice.reports[0].diagnostic, words, "{field}");
    }
}

#[test]
fn a_mail_is_told_from_what_was_taken_out_of_one() {
    for (text, mail) in [
        ("From: a@example.com\nSubject: x\n\ntext", true),
        ("From a@example.com Sun Nov 22 10:00:00 2026\nReceived: from a\n\tby b\nTo: c@example.com\n", true),
        ("\r\nReturn-Path: <>\r\nFrom: MAILER-DAEMON\r\n", true),
        ("Subject: x\rTo: y\r\rtext", true),
        ("550 5.1.1 user unknown", false),
        ("Nov 22 10:00:00 mx postfix/smtp[7]: 4F1: to=<a@example.com>, status=bounced", false),
        ("Final-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1", false),
        ("-> MAIL FROM:<>\n<- 250 ok", false),
        ("Subject: only", false),
        ("", false),
    ] {
        assert_eq!(looks_like_mail(text.as_bytes()), mail, "{text:?}");
    }
}

fn nested(depth: usize, kind: &str) -> Vec<u8> {
    let mut mail = HEAD.as_bytes().to_vec();
    for level in 0..depth {
        let lines = match kind {
            "multipart" => format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"),
            "missing" => {
                format!("Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=x{level}\n\n--a\n")
            }
            "digest" => format!("Content-Type: multipart/digest; boundary=b{level}\n\n--b{level}\n\n"),
            other => format!("Content-Type: {other}\n\n"),
        };
        mail.extend_from_slice(lines.as_bytes());
    }
    mail
}

#[test]
fn hostile_mail_is_answered_in_bounded_time() {
    let report = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n";
    let parts =
        format!("{HEAD}{report}{}", "--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822;a@b.example\n\n".repeat(10_000));
    let addresses: String = (0..200_000).map(|n| format!("<a{n}@b.example>:\n550 no\n")).collect::<Vec<_>>().concat();
    let transcript: String =
        (0..20_000).map(|n| format!(">>> RCPT TO:<a{n}@b.example>\n<<< 550 no\n550 <c{n}@b.example>... no\n")).collect::<Vec<_>>().concat();
    let mails: Vec<(&str, Vec<u8>)> = vec![
        ("parts", parts.into_bytes()),
        ("empty parts", format!("{HEAD}Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\n".repeat(400_000)).into_bytes()),
        ("nested", nested(1000, "multipart")),
        ("nested deeper", nested(100_000, "multipart")),
        ("boundaries that are missing", nested(30_000, "missing")),
        ("digests", nested(30_000, "digest")),
        ("mails in mails", nested(100_000, "message/rfc822")),
        ("mails in mails, oddly written", nested(100_000, "message / rfc822")),
        ("mails in mails, unicode", nested(100_000, "message/global")),
        ("zeros", vec![0; 1 << 20]),
        ("zeros in the text", format!("{HEAD}\n{}", "\0".repeat(1 << 20)).into_bytes()),
        ("a long line", format!("{HEAD}\n{}", "x".repeat(1 << 20)).into_bytes()),
        ("a long line of addresses", format!("{HEAD}\n{}", "a@b.example,".repeat(100_000)).into_bytes()),
        ("ats", format!("{HEAD}\n{}", "a@".repeat(500_000)).into_bytes()),
        ("codes", format!("{HEAD}\n{}", "550 5.1.1 -> ".repeat(80_000)).into_bytes()),
        ("lines of a reply", format!("{HEAD}\n<a@b.example>:\n{}", "550-5.1.1 no\n".repeat(80_000)).into_bytes()),
        ("addresses", format!("{HEAD}\n{addresses}").into_bytes()),
        ("a transcript", format!("{HEAD}\n   ----- Transcript of session follows -----\n{transcript}").into_bytes()),
        ("signs", format!("{HEAD}\n<a@b.example>:\n{}", "in reply to after while host ".repeat(40_000)).into_bytes()),
        ("a long head", format!("{HEAD}{}", "X-A: b\n".repeat(140_000)).into_bytes()),
        ("folded", format!("{HEAD}Subject: a\n{}\n", " b\n".repeat(300_000)).into_bytes()),
        ("html", format!("{HEAD}Content-Type: text/html\n\n{}", "<!--<style><a &#".repeat(60_000)).into_bytes()),
        ("json", format!("{HEAD}\n{{\"Message\":{}", "[".repeat(500_000)).into_bytes()),
        ("random", (0..1u32 << 20).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()),
        ("no UTF-8", [HEAD.as_bytes(), b"\n<a@b.example>: 550 ", &[0xff; 100_000]].concat()),
        ("32 MB", format!("{HEAD}\n{}", "a@b.example 550 5.1.1 no\n".repeat(1_300_000)).into_bytes()),
    ];
    for (name, mail) in mails {
        let start = Instant::now();
        let notice = read(&mail);
        let _ = looks_like_mail(&mail);
        // Without optimisation; a release build takes a tenth of it.
        assert!(start.elapsed() < Duration::from_secs(10), "{name}: {:?}", start.elapsed());
        assert!(notice.reports.len() <= RECIPIENTS, "{name}");
        assert!(notice.reports.iter().all(|report| report.diagnostic.len() <= words::LINE), "{name}");
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "From: MAILER-DAEMON@mx.example.com\n",
        "Return-Path: <>\n",
        "Subject: Undeliverable\n",
        "X-Failed-Recipients: a@b.example\n",
        "\n",
        "\r\n",
        "\r",
        "Content-Type: multipart/report; boundary=b\n",
        "--b\n",
        "--b--\n",
        "Content-Type: message/delivery-status\n",
        "Content-Type: message/rfc822\n",
        "Content-Type: text/html\n",
        "Content-Transfer-Encoding: base64\n",
        "Content-Type: message/feedback-report\n",
        "Final-Recipient: rfc822; a@b.example\n",
        "Final-Recipient: utf-8; \\x{E9\n",
        "Action: failed\n",
        "Status: 5.1.1\n",
        "Diagnostic-Code: smtp; 550 5.1.1 é (",
        "<a@b.example>: ",
        " 550-5.1.1 'x",
        "<<< 550 no\n",
        ">>> RCPT TO:<a@b.example>\n",
        "550 <a@b.example>... no\n",
        "(in reply to RCPT TO command)",
        "host mx[",
        "]: ",
        " -> 550",
        "<421 ",
        "{\"notificationType\":\"Bounce\"",
        "é",
        "&#x",
        "<p",
        "----- Original message -----\n",
        "Received: from a\n",
        " (expanded from <",
        "a@",
        "@[",
    ];
    prop_oneof![
        8 => proptest::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..30),
    ]
}

proptest! {
    #[test]
    fn no_mail_is_too_odd(pieces in proptest::collection::vec(piece(), 0..40)) {
        let mail = pieces.concat();
        let notice = read(&mail);
        prop_assert_eq!(notice.reports.is_empty(), notice.kind == NoticeKind::NotABounce);
        let _ = looks_like_mail(&mail);
    }
}
