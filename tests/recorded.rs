//! What the demo's probes leave behind is read back: the saved report event by event, and the report for people as far as it tells.

use std::process::Command;

use smtpprobe::diagnosis::{Case, judge};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::probe::{Facts, Recorded};
use smtpprobe::reading::{saved_report, transcript};
use smtpprobe::report::{EventKind, Look, Report, render};
use smtpprobe::smtp::{Event, Transcript};

/// Addresses of the demo, for what may happen in a session.
const ADDRESSES: [&str; 18] = [
    "anna@demo.test",
    "full@demo.test",
    "nobody@demo.test",
    "anyone@catch-all.test",
    "restart@demo.test",
    "anna@dead-first.test",
    "anna@speaks-ahead.test",
    "anna@injected.test",
    "anna@broken-tls.test",
    "anna@old-tls.test",
    "anna@expired.test",
    "smtps://smtp.demo.test",
    "delivered@demo.test",
    "doubt@demo.test",
    "spam@demo.test",
    "submission://login.test",
    "submission://login-refused.test",
    "submission://login-withheld.test",
];

/// The report of a probe in the demo's world, as it is saved.
fn saved(address: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_smtpprobe")).args(["demo", "-o", "json", address]).output().expect("the command runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn told(event: &Event) -> Option<String> {
    match event {
        Event::Sent { command, purpose } => Some(format!("-> {command} {purpose:?}")),
        Event::Received { verb, purpose, reply, .. } => Some(format!("<- {verb:?} {purpose:?} {} {}", reply.code, reply.text())),
        Event::Broke { failure, .. } => Some(format!("** {:?}", failure.kind)),
        Event::Content { written, of, whole } => Some(format!("-> {written} of {of} {whole}")),
        Event::Secured(facts) => Some(format!("== {}", facts.version)),
        Event::Connected(_) | Event::Premature { .. } | Event::Surveyed(_) => None,
    }
}

fn all_told(transcript: &Transcript) -> Vec<String> {
    transcript.events.iter().filter_map(|(_, event)| told(event)).collect()
}

#[test]
fn saved_reports_hold_their_sessions() {
    for address in ADDRESSES {
        let text = saved(address);
        let report: Report = serde_json::from_str(&text).expect("a report");
        let read = saved_report::read(&text).expect("a report");
        assert_eq!((read.len(), read[0].target.as_str()), (1, address));
        assert_eq!(read[0].conversations.len(), report.sessions.len(), "{address}");
        for (part, conversation) in report.sessions.iter().zip(&read[0].conversations) {
            let transcript = &conversation.transcript;
            assert_eq!((transcript.reached, transcript.events.len()), (part.reached, part.events.len()), "{address}");
            assert_eq!(transcript.connect_time().is_some(), part.connect_ms.is_some(), "{address}");
            for ((_, event), part) in transcript.events.iter().zip(&part.events) {
                match event {
                    Event::Connected(_) => assert_eq!(part.kind, EventKind::Connected),
                    Event::Sent { command, .. } => assert_eq!(Some(command.to_string()), part.command),
                    Event::Received { reply, verb, .. } => {
                        assert_eq!(
                            (Some(reply.code.number()), Some(*verb), &reply.lines),
                            (part.code, part.answers, &part.lines),
                            "{address}"
                        );
                        assert_eq!(reply.flaws.is_empty(), part.raw.is_none(), "{address}: {reply:?}");
                    }
                    Event::Premature { .. } => assert_eq!(part.kind, EventKind::Premature),
                    Event::Content { .. } => assert_eq!(part.kind, EventKind::Content),
                    Event::Secured(_) => assert_eq!(part.kind, EventKind::Secured),
                    Event::Surveyed(_) => assert_eq!(part.kind, EventKind::Surveyed),
                    Event::Broke { failure, .. } => assert_eq!(Some(smtpprobe::diagnosis::failure_words(failure)), part.failure),
                }
            }
        }
    }
}

#[test]
fn what_became_of_a_message_is_told_of_a_record_as_of_the_probe() {
    let knowledge = Knowledge::english();
    for address in ["delivered@demo.test", "doubt@demo.test", "spam@demo.test"] {
        let text = saved(address);
        let report: Report = serde_json::from_str(&text).expect("a report");
        let read = saved_report::read(&text).expect("a report").remove(0);
        let conversations = read.conversations.into_iter();
        let recorded = conversations.map(|held| Recorded { host: held.host, peer: held.peer, transcript: held.transcript }).collect();
        let facts = Facts::recorded(None, recorded);
        let verdict = judge(&Case::new(&facts, &knowledge));
        let same = (report.verdict.outcome, report.verdict.reason, report.verdict.stage);
        assert_eq!((verdict.outcome, verdict.reason, verdict.stage), same, "{address}");
    }
}

#[test]
fn reports_for_people_tell_the_same_conversations() {
    let knowledge = Knowledge::english();
    for address in ADDRESSES {
        let text = saved(address);
        let report: Report = serde_json::from_str(&text).expect("a report");
        let read = saved_report::read(&text).expect("a report");
        // Base64 that was wrapped cannot be put together again.
        let widths: &[usize] = if text.contains("\"challenge\"") { &[400] } else { &[60, 79, 100, 400] };
        for &width in widths {
            let page = render(&report, &knowledge, Look { width, colour: false, verbose: true });
            let conversations = transcript::read(&page).unwrap_or_else(|| panic!("nothing in {page}"));
            let mut pages = conversations.iter();
            for saved in read[0].conversations.iter().filter(|saved| !all_told(&saved.transcript).is_empty()) {
                let conversation = pages.next().unwrap_or_else(|| panic!("too few sessions in {page}"));
                assert_eq!((&conversation.host, conversation.peer, conversation.asked), (&saved.host, saved.peer, saved.asked), "{page}");
                assert_eq!(all_told(&conversation.transcript), all_told(&saved.transcript), "{address} at {width}\n{page}");
            }
        }
        // The short form leaves out what is as expected, and folds what is the same.
        let page = render(&report, &knowledge, Look { width: 79, colour: false, verbose: false });
        let conversations = transcript::read(&page).unwrap_or_else(|| panic!("nothing in {page}"));
        let refusals = |transcript: &Transcript| -> Vec<String> {
            transcript.replies().filter(|answer| answer.reply.code.number() >= 400).map(|answer| answer.reply.text()).collect()
        };
        assert_eq!(refusals(&conversations[0].transcript), refusals(&read[0].conversations[0].transcript), "{page}");
    }
}
