//! Explanations as they read, short enough, and safe to show.

use super::*;
use crate::knowledge::Knowledge;
use crate::reading;
use crate::report::Look;
use crate::smtp::Verb;

const LOOK: Look = Look { width: 80, colour: false, verbose: false };

fn explained(input: &str, verb: Option<Verb>) -> Explanation {
    explain(&Knowledge::english(), &reading::read(input).expect(input), verb)
}

fn shown(input: &str, verb: Option<Verb>) -> String {
    render(&explained(input, verb), &Knowledge::english(), LOOK)
}

fn shown_mail(mail: &str) -> String {
    let knowledge = Knowledge::english();
    let input = reading::Input::Mail(Box::new(reading::mail::read(mail.as_bytes())));
    // Unwrapped, to be searched.
    render(&explain(&knowledge, &input, None), &knowledge, Look { width: 400, ..LOOK })
}

#[test]
fn codes_and_replies_read_well() {
    for (name, input) in [
        ("552", "552"),
        ("250", "250"),
        ("354", "354"),
        ("220", "220"),
        ("5.7.1", "5.7.1"),
        ("x.2.2", "x.2.2"),
        ("999", "999"),
        ("user_unknown", "550 5.1.1 <anna@example.com>: Recipient address rejected: User unknown in local recipient table"),
        ("conflict", "452-5.1.1 <anna@example.com>\n452 5.1.1 Quota exceeded"),
        ("bare_reply", "550 no"),
        ("one_class_only", "x.3.1"),
    ] {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(format!("explain_{name}"), shown(input, None)) });
    }
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!("explain_552_at_rcpt", shown("552", Some(Verb::Rcpt))) });
}

#[test]
fn a_code_needs_no_more_than_a_screen() {
    assert!(shown("552", None).lines().count() <= 25, "{}", shown("552", None));
}

#[test]
fn the_place_decides_what_a_number_means() {
    for (input, verb, reason) in [
        ("552", None, Reason::Undetermined),
        ("552", Some(Verb::Mail), Reason::MessageTooBig),
        ("552", Some(Verb::Rcpt), Reason::MailboxFull),
        ("550 no", Some(Verb::Rcpt), Reason::UserUnknown),
        ("550 no", Some(Verb::Connect), Reason::PolicyRejected),
        ("421 4.3.2 shutting down", None, Reason::ServiceUnavailable),
    ] {
        let part = &explained(input, verb).explanations[0];
        assert_eq!((part.reason, part.command), (reason, verb), "{input} {verb:?}");
        assert_eq!(part.places.is_empty(), verb.is_some() || input.starts_with("421"), "{input} {verb:?}");
    }
}

#[test]
fn what_is_hard_needs_another_address() {
    for (input, hard) in [
        ("550 5.1.1 user unknown", true),
        ("450 4.1.1 user unknown", false),
        ("552 5.2.2 mailbox full", false),
        ("556 5.1.10 null MX", true),
        ("250 Ok", false),
        ("5.1.1", true),
        ("550", false),
        ("550 5.7.1 relaying denied", false),
    ] {
        assert_eq!(explained(input, None).explanations[0].hard, hard, "{input}");
    }
}

#[test]
fn how_long_it_holds_is_said_by_the_first_digit() {
    use Permanence::{Either, Permanent, Success, Temporary};
    for (input, permanence) in [
        ("250", Success),
        ("354", Success),
        ("452", Temporary),
        ("552", Permanent),
        ("999", Either),
        ("2.1.5", Success),
        ("4.2.2", Temporary),
        ("5.2.2", Permanent),
        ("x.2.2", Either),
        ("x.1.9", Success),
        ("452 5.2.2 full", Temporary),
    ] {
        assert_eq!(explained(input, None).explanations[0].permanence, permanence, "{input}");
    }
}

#[test]
fn an_explanation_survives_json() {
    for input in ["552", "x.2.2", "550-5.1.1 user\n550 5.1.1 unknown", "999", "5.7.515"] {
        let explanation = explained(input, None);
        let json = serde_json::to_string(&explanation).unwrap();
        assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation, "{input}");
    }
    let json = serde_json::to_value(explained("552 5.2.2 full", Some(Verb::Rcpt))).unwrap();
    assert_eq!(json["schema"], SCHEMA);
    assert_eq!(json["kind"], "reply");
    let part = &json["explanations"][0];
    assert_eq!((&part["reply"]["code"], &part["reply"]["enhanced"]), (&552.into(), &"5.2.2".into()));
    assert_eq!((&part["command"], &part["stage"]), (&"RCPT".into(), &"rcpt".into()));
    assert_eq!((&part["reason"], &part["permanence"]), (&"mailbox_full".into(), &"permanent".into()));
}

#[test]
fn nothing_from_a_stranger_reaches_the_terminal_as_it_is() {
    let text = shown("550 5.1.1 \u{1b}[31muser unknown\u{202e}\u{9b}2J", None);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n') && !text.contains('\u{202e}'), "{text:?}");
    let long = shown(&format!("550 {}", "spam ".repeat(50_000)), None);
    assert!(long.len() < 4000, "a long reply is cut: {}", long.len());
}

/// Every code, alone and in replies with and without words, on a wide and a narrow page.
#[test]
fn no_text_is_left_unfinished() {
    let knowledge = Knowledge::english();
    let mut inputs: Vec<String> = knowledge.codes().iter().map(ToString::to_string).collect();
    inputs.extend(["200", "299", "399", "499", "599", "000", "199", "5.9.9", "4.7.999", "x.9.9"].map(String::from));
    for (subject, detail) in knowledge.enhanced_details() {
        inputs.extend(["2", "4", "5", "x"].map(|class| format!("{class}.{subject}.{detail}")));
        inputs.push(format!("550 5.{subject}.{detail} no"));
    }
    for input in inputs {
        for verb in [None, Some(Verb::DataEnd)] {
            let explanation = explained(&input, verb);
            for width in [80, 40] {
                let text = render(&explanation, &knowledge, Look { width, ..LOOK });
                check(&text, width, &input);
            }
            let line = headline(&explanation, &knowledge);
            assert_eq!(line.lines().count(), 1, "{line}");
        }
    }
}

/// What no text may have.
pub(crate) fn check(text: &str, width: usize, what: &str) {
    assert!(!text.contains(['{', '}']), "{what}: a gap is left open\n{text}");
    assert!(!text.replace("...", "").contains(".."), "{what}: two full stops\n{text}");
    for line in text.lines() {
        let words = line.trim_start();
        assert!(words.chars().count() <= width || !words.contains(' ') || line.chars().count() <= width, "{what}: too wide\n{line}");
        assert_eq!(line.trim_end(), line, "{what}: blanks at the end");
    }
}

#[test]
fn a_delay_is_told_from_what_a_queue_gave_up() {
    let report = |action: &str, status: &str, words: &str| {
        let fields = format!("Final-Recipient: rfc822; bob@example.net\nAction: {action}\nStatus: {status}\n{words}");
        let head = "From: postmaster@mail.example.com\nTo: anna@example.com\nSubject: Delivery Status Notification\nMIME-Version: 1.0";
        let kind = "Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"";
        format!("{head}\n{kind}\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.com\n\n{fields}\n--b--\n")
    };
    let expired = "Diagnostic-Code: X-Local; message expired, gave up after 5 days\n";
    let full = "Diagnostic-Code: smtp; 452 4.2.2 Mailbox full\n";
    for (action, status, words, title, queue, again) in [
        ("delayed", "4.4.0", "", "Delivery is delayed", "tries again", false),
        ("delayed", "4.4.1", "", "No answer from host", "tries again", false),
        ("delayed", "4.2.2", full, "Mailbox full", "tries again", false),
        ("failed", "4.4.7", expired, "Delayed or expired", "here that is over", true),
        ("failed", "4.2.2", full, "Mailbox full", "here that is over", true),
        ("failed", "5.4.7", expired, "Delivery time expired", "does not try again", false),
    ] {
        let shown = shown_mail(&report(action, status, words));
        assert!(shown.contains(title) && shown.contains(queue), "{action} {status}: {shown}");
        assert_eq!(shown.contains("given this copy up"), again, "{action} {status}: {shown}");
        assert!(action == "delayed" || !shown.contains("goes on trying"), "{shown}");
    }
}
