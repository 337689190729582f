//! Reports as they were written, whole, cut off and damaged.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::smtp::{CertificateVerdict, Distrust, FailureKind, PublicKey};

fn report(sessions: &Value) -> Value {
    json!({
        "schema": "smtpprobe.report/1",
        "target": { "input": "anna@example.com", "kind": "mailbox" },
        "started_at": "2025-03-04T10:11:23Z",
        "duration_ms": 34.5,
        "sessions": sessions,
        "findings": [{ "whatever": "was concluded" }],
        "verdict": { "outcome": "rejected" },
    })
}

fn session(events: &Value) -> Value {
    json!({ "host": "mx1.example.com", "address": "192.0.2.1", "port": 25, "family": 4, "tls": "none", "began_ms": 1.0, "reached": "rcpt", "events": events })
}

fn one(events: &Value) -> Transcript {
    let mut reports = read(&report(&json!([session(events)])).to_string()).expect("a report");
    assert_eq!((reports.len(), reports[0].conversations.len()), (1, 1));
    reports.remove(0).conversations.remove(0).transcript
}

#[test]
fn a_session_becomes_the_transcript_that_it_was() {
    let events = json!([
        { "at_ms": 1.5, "kind": "connected", "stage": "connect" },
        { "at_ms": 2.0, "kind": "reply", "stage": "greeting", "answers": "CONNECT", "code": 220, "text": "mx1 ESMTP", "lines": ["mx1 ESMTP"] },
        { "at_ms": 2.0, "kind": "sent", "stage": "ehlo", "command": "EHLO probe.example.net" },
        { "at_ms": 3.0, "began_ms": 2.5, "kind": "reply", "stage": "ehlo", "answers": "EHLO", "code": 250, "lines": ["mx1", "SIZE 10", "PIPELINING"] },
        { "at_ms": 3.0, "kind": "sent", "stage": "mail", "command": "MAIL FROM:<>" },
        { "at_ms": 3.0, "kind": "sent", "stage": "rcpt", "command": "RCPT TO:<anna@example.com>" },
        { "at_ms": 3.0, "kind": "sent", "stage": "rcpt", "command": "RCPT TO:<x@example.com>", "purpose": "catch_all" },
        { "at_ms": 4.0, "kind": "reply", "stage": "mail", "answers": "MAIL", "code": 250, "enhanced": "2.1.0", "lines": ["2.1.0 Ok"] },
        { "at_ms": 4.0, "kind": "reply", "stage": "rcpt", "answers": "RCPT", "purpose": "catch_all", "code": 550, "lines": ["no"] },
        { "at_ms": 5.0, "kind": "reply", "stage": "rcpt", "answers": "RCPT", "code": 552, "lines": ["5.2.2 full \u{fffd}"], "raw": BASE64.encode(b"552 5.2.2 full \xff\r\n") },
        { "at_ms": 5.0, "kind": "premature", "stage": "rcpt", "text": "?", "raw": BASE64.encode(b"\xfe\n") },
        { "at_ms": 6.0, "kind": "reply", "stage": "rcpt", "answers": "RCPT", "unasked": true, "code": 421, "lines": ["leaving"] },
        { "at_ms": 7.0, "kind": "failed", "stage": "rcpt", "failure": "connection reset (errno 104)", "errno": 104 },
        { "at_ms": 8.0, "kind": "of_the_future", "stage": "beyond" }
    ]);
    let transcript = one(&events);
    assert_eq!(transcript.events.len(), 13);
    assert_eq!((transcript.began, transcript.reached), (elapsed(1.0), Some(Stage::Rcpt)));
    assert_eq!(transcript.connect_time(), Some(Duration::from_micros(500)));
    let answers: Vec<(u16, Verb, bool)> = transcript.replies().map(|a| (a.reply.code.number(), a.verb, a.unasked)).collect();
    let expected = [
        (220, Verb::Connect, false),
        (250, Verb::Ehlo, false),
        (250, Verb::Mail, false),
        (550, Verb::Rcpt, false),
        (552, Verb::Rcpt, false),
        (421, Verb::Rcpt, true),
    ];
    assert_eq!(answers, expected);
    let answered: Vec<usize> = transcript
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Received { answers: Answers::Command(index), .. } => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(answered, [2, 4, 6, 5]);
    assert_eq!(transcript.capabilities().and_then(|offered| offered.size_limit()), Some(10));
    let full = transcript.reply_to(Verb::Rcpt, Purpose::Target).expect("an answer");
    assert_eq!(
        (full.reply.raw.as_slice(), full.reply.enhanced.map(|e| e.to_string()).as_deref()),
        (&b"552 5.2.2 full \xff\r\n"[..], Some("5.2.2"))
    );
    assert!(matches!(&transcript.events[10].1, Event::Premature { bytes, stage: Stage::Rcpt, .. } if bytes == b"\xfe\n"));
    assert_eq!(
        transcript.failure().map(|(_, stage, failure)| (stage, failure.kind.clone(), failure.errno)),
        Some((Stage::Rcpt, FailureKind::Reset, Some(104)))
    );
    assert!(matches!(&transcript.events[3], (at, Event::Received { began, .. }) if *at == elapsed(3.0) && *began == elapsed(2.5)));
}

#[test]
fn failures_are_told_by_their_words_or_by_the_icmp_error_behind_them() {
    let icmp = json!([{ "at_ms": 1.0, "kind": "failed", "stage": "connect", "failure": "198.51.100.1 says: no", "errno": 113,
        "icmp": { "type": 3, "code": 13, "from": "198.51.100.1", "here": false } }]);
    let transcript = one(&icmp);
    let (_, stage, failure) = transcript.failure().expect("a failure");
    assert_eq!((stage, &failure.kind, failure.icmp.map(|icmp| icmp.code)), (Stage::Connect, &FailureKind::Rejected, Some(13)));
    for (words, stage, kind) in [
        ("no answer within 10 s", "connect", "TimedOut(10s)"),
        ("the server sent the TLS alert protocol_version", "tls", "TlsHandshake(Alert(TlsAlert(70)))"),
        ("something new", "tls", "TlsHandshake(Ours(\"something new\"))"),
        ("something new", "connect", "Local(\"something new\")"),
    ] {
        let transcript = one(&json!([{ "at_ms": 1.0, "kind": "failed", "stage": stage, "failure": words }]));
        assert_eq!(transcript.failure().map(|(.., failure)| format!("{:?}", failure.kind)).as_deref(), Some(kind), "{words}");
    }
}

#[test]
fn tls_and_certificates_come_back() {
    let paper = json!({
        "subject": "CN=mx1.example.com", "issuer": "CN=Example Authority", "names": ["mx1.example.com"], "serial": "0a",
        "key": { "type": "RSA", "bits": 1024 }, "signature_algorithm": "sha1WithRSAEncryption",
        "not_before": "2024-03-04T00:00:00Z", "not_after": "2025-03-01T00:00:00Z", "days_left": -3, "sha256": "ab", "spki_sha256": "cd"
    });
    let mut session =
        session(&json!([{ "at_ms": 1.0, "kind": "secured", "stage": "tls" }, { "at_ms": 1.0, "kind": "secured", "stage": "tls" }]));
    session["role"] = json!("in_clear");
    session["certificate"] = json!({
        "version": "TLS 1.3", "cipher": "TLS_AES_256_GCM_SHA384", "server_name": "mx1.example.com", "group": "X25519", "trusted": false,
        "verdict": "expired", "chain_length": 2, "chain": [paper],
        "reasons": [
            { "kind": "expired", "certificate": 0, "about": "2025-03-01", "text": "over" },
            { "kind": "weak_key", "certificate": 0, "about": "RSA 1024", "text": "short" },
            { "kind": "expired", "certificate": 7, "text": "of which nothing is known" }
        ],
        "names": []
    });
    let reports = read(&report(&json!([session])).to_string()).expect("a report");
    let conversation = &reports[0].conversations[0];
    assert!(!conversation.asked);
    let facts = conversation.transcript.tls().expect("TLS");
    assert_eq!((facts.version.as_str(), facts.chain_length, facts.chain[0].sha256.as_str()), ("TLS 1.3", 2, "ab"));
    assert_eq!(facts.certificate().map(|own| (own.key.clone(), own.not_after)), Some((PublicKey::Rsa(1024), 1_740_787_200)));
    let faults: Vec<&Distrust> = facts.verdict.faults().iter().map(|fault| &fault.why).collect();
    assert_eq!(
        faults,
        [
            &Distrust::Expired { since: 1_740_787_200 },
            &Distrust::WeakKey(PublicKey::Rsa(1024)),
            &Distrust::Other("of which nothing is known".to_owned())
        ]
    );
    let second = conversation
        .transcript
        .events
        .iter()
        .filter_map(|(_, event)| if let Event::Secured(facts) = event { Some(facts) } else { None })
        .nth(1);
    assert_eq!(second.map(|facts| (facts.chain.len(), &facts.verdict)), Some((0, &CertificateVerdict::Unseen)), "papers are told once");
    let old = json!([{ "host": "mx1.example.com", "address": "2001:db8::1", "port": 25, "role": "old_tls",
        "old_tls": { "version": "TLS 1.0", "cipher": "TLS_RSA_WITH_AES_128_CBC_SHA", "flaws": ["old_version", "rsa_key_exchange", "cbc"] },
        "events": [{ "at_ms": 1.0, "kind": "surveyed", "stage": "tls", "text": "TLS 1.0 with" }] }]);
    let reports = read(&report(&old).to_string()).expect("a report");
    let (_, legacy) = reports[0].conversations[0].transcript.legacy_tls().expect("old TLS");
    assert_eq!(legacy.flaws().iter().map(crate::smtp::LegacyFlaw::name).collect::<Vec<_>>(), ["old_version", "rsa_key_exchange", "cbc"]);
}

#[test]
fn one_several_and_cut_reports_are_read() {
    let one = report(&json!([session(&json!([]))]));
    let pretty = serde_json::to_string_pretty(&one).expect("JSON");
    for (text, count) in [
        (one.to_string(), 1),
        (pretty, 1),
        (format!("\u{feff}  {one}\n"), 1),
        (format!("{one}\n{one}\n"), 2),
        (json!([one, one, { "schema": "smtpprobe.explanation/1" }]).to_string(), 2),
        (format!("{one}\n{}", &one.to_string()[..100]), 1),
        (one.to_string().replace("report/1", "report/2"), 1),
    ] {
        let reports = read(&text).unwrap_or_else(|| panic!("nothing in {text}"));
        assert_eq!(reports.len(), count, "{text}");
        assert_eq!((reports[0].target.as_str(), reports[0].started_at.as_deref()), ("anna@example.com", Some("2025-03-04T10:11:23Z")));
        assert_eq!(reports[0].conversations[0].peer, "192.0.2.1:25".parse().ok());
    }
}

#[test]
fn what_is_no_report_is_left_alone() {
    for text in [
        "",
        "552",
        "{}",
        "[]",
        "{\"schema\":1}",
        "{\"schema\":\"smtpprobe.explanation/1\"}",
        "[[{\"schema\":\"smtpprobe.report/1\"}]]",
        "{",
        "[1",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
    assert_eq!(read(&"[".repeat(LIMIT)), None);
    assert_eq!(read(&format!("{}{}", report(&json!([])), " ".repeat(LIMIT))), None);
}

#[test]
fn hostile_reports_are_bounded_and_cleaned() {
    let events = json!([
        { "at_ms": -1.0, "kind": "sent", "command": "RCPT TO:<anna@example.com>\r\nQUIT" },
        { "at_ms": 1e300, "kind": "reply", "answers": "RCPT", "code": 550, "lines": ["a\r\n250 b", "\u{1b}[31m"] },
        { "at_ms": 0.0, "kind": "sent", "command": "AUTH PLAIN AGFubmEAc2VjcmV0" },
        { "kind": "reply", "answers": "NONSENSE", "code": 65535, "lines": [] },
        { "kind": "reply", "answers": "RCPT", "code": 7, "raw": "!", "lines": [] },
        { "kind": "premature", "raw": BASE64.encode(vec![b'x'; 200_000]) },
        { "kind": "sent" },
        { "kind": 5 },
        "nothing",
        null
    ]);
    let transcript = one(&events);
    let lines: Vec<String> = transcript.events.iter().map(|(_, event)| format!("{event:?}")).collect();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(!lines.concat().contains("AGFubm"));
    for (_, event) in &transcript.events {
        match event {
            Event::Sent { command, .. } => assert!(!command.to_string().contains(char::is_control)),
            Event::Received { reply, .. } => {
                assert!(reply.lines.iter().all(|line| !line.contains(char::is_control)) && reply.flaws.len() < 2);
            }
            Event::Premature { bytes, .. } => assert_eq!(bytes.len(), PREMATURE),
            _ => {}
        }
    }
    // Many events that would each take the same certificates with them.
    let mut session = session(&Value::from(vec![json!({ "kind": "secured" }); 10_000]));
    session["certificate"] = json!({ "cipher": "x".repeat(300_000) });
    let reports = read(&report(&json!([session])).to_string()).expect("a report");
    let told: usize = reports[0].conversations[0]
        .transcript
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::Secured(facts) if !facts.cipher.is_empty()))
        .count();
    assert_eq!(told, 1);
}

/// Values that a report may hold anywhere.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~é\n\u{0}]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["reply", "sent", "failed", "secured", "RCPT", "MAIL", "552", "rcpt", "TLS 1.0", "192.0.2.1"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
}

proptest! {
    #[test]
    fn no_report_is_too_odd(kind in prop::sample::select(vec!["connected", "sent", "reply", "premature", "secured", "surveyed", "failed"]),
                            field in prop::sample::select(vec!["at_ms", "began_ms", "stage", "purpose", "command", "answers", "unasked", "code", "lines", "raw", "failure", "icmp"]),
                            value in values(), other in values()) {
        let mut event = json!({ "kind": kind, "command": "RCPT TO:<a@example.com>", "answers": "RCPT", "code": 550, "lines": ["x"], "failure": "x" });
        event[field] = value;
        let mut session = session(&json!([event, event]));
        session["certificate"] = other.clone();
        session["old_tls"] = other;
        let _ = read(&report(&json!([session])).to_string());
    }

    #[test]
    fn no_text_is_too_odd(text in "[{\\[][ -~]{0,100}") {
        let _ = read(&text);
    }
}
