//! A summary as people see it: text, rows and page.

use super::*;
use crate::bulk::Answer;
use crate::bulk::summary::Tally;
use crate::knowledge::{Actor, Confidence, Reason};

fn answer(outcome: Settled, reason: Reason, actor: Actor, destination: Option<&str>, minute: u32) -> Answer {
    Answer {
        line: 1,
        input: "ann@example.com".to_owned(),
        address: None,
        outcome,
        reason,
        actor,
        confidence: Confidence::Certain,
        code: None,
        enhanced: None,
        text: None,
        host: None,
        destination: destination.map(str::to_owned),
        catch_all: (minute == 9).then_some(true),
        attempts: 1,
        at: format!("2026-01-02T03:{minute:02}:05Z"),
        error: None,
    }
}

fn summary() -> Summary {
    let mut tally = Tally::default();
    for minute in 0..40 {
        let destination = if minute % 3 == 0 { "mx.a.example" } else { "mx.b.example" };
        tally.add(&answer(Settled::Accepted, Reason::Accepted, Actor::Nobody, Some(destination), minute));
    }
    for minute in 0..9 {
        tally.add(&answer(Settled::Rejected, Reason::UserUnknown, Actor::SenderUser, Some("mx.b.example"), minute));
        tally.add(&answer(Settled::Deferred, Reason::Greylisted, Actor::Wait, Some("mx.c.example"), 50 + minute));
    }
    tally.add(&answer(Settled::Rejected, Reason::MailboxFull, Actor::Recipient, Some("mx.a.example"), 2));
    tally.add(&answer(Settled::Unreachable, Reason::DnsFailure, Actor::RecipientAdmin, None, 3));
    tally.add(&answer(Settled::Invalid, Reason::AddressSyntax, Actor::SenderUser, None, 0));
    let hostile = "<script>alert(1)</script>\"'&\u{202e}\u{1b}[31m.example";
    tally.add(&answer(Settled::Inconclusive, Reason::Undetermined, Actor::EitherSide, Some(hostile), 4));
    tally.summary()
}

#[test]
fn a_summary_is_shown_in_columns_as_rows_and_as_a_page() {
    let (summary, knowledge) = (summary(), Knowledge::english());
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("bulk_text", text(&summary, &knowledge, 100));
        insta::assert_snapshot!("bulk_csv", table(&summary).csv(true));
        insta::assert_snapshot!("bulk_html", html(&summary, &knowledge, "lists/<staff> & \"others\".csv"));
    });
    let nothing = Tally::default().summary();
    assert_eq!(text(&nothing, &knowledge, 80), "No line of the list was answered.\n");
    assert!(html(&nothing, &knowledge, "-").contains("<p>No line of the list was answered.</p>"));
    assert!(!html(&nothing, &knowledge, "-").contains("<svg"));
    assert_eq!(table(&nothing).csv(true), "by,name,outcome,actor,count\n");
}

#[test]
fn the_json_can_be_read_back() {
    let summary = summary();
    let json = crate::report::array(std::slice::from_ref(&summary)).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
    assert!(json.starts_with("{\n  \"schema\": \"smtpprobe.bulk_summary/1\",\n  \"total\": 62,"), "{json:.100}");
}

#[test]
fn counts_add_up_however_they_are_shown() {
    let summary = summary();
    let rows = table(&summary).rows;
    for by in [&["reason"][..], &["destination", "other_destinations", "no_destination"], &["time"]] {
        let sum: u64 = rows.iter().filter(|row| by.contains(&row[0].as_str())).map(|row| row[4].parse::<u64>().unwrap()).sum();
        assert_eq!(sum, summary.total, "{by:?}");
    }
}

#[test]
fn a_page_loads_and_runs_nothing_and_stays_within_its_drawing() {
    let page = html(&summary(), &Knowledge::english(), "<img src=x onerror=alert(1)>");
    for word in ["<script", "<img", "<link", "http://", "https://", "url(", "@import", "\u{202e}", "\u{1b}", " onerror=\""] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("&#60;script&#62;alert(1)"), "what a stranger wrote is shown");
    assert!(page.contains("default-src 'none'"));
    let number = |tag: &str, name: &str| {
        let value = tag.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        value.map_or(0, |value| value.parse::<u64>().unwrap())
    };
    let rects: Vec<&str> = page.split("<rect ").skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
    assert!(rects.len() > 50);
    for tag in rects {
        assert!(number(tag, "width") > 0 && number(tag, "height") > 0, "{tag}");
        assert!(number(tag, "x") + number(tag, "width") <= 900, "{tag}");
    }
}

#[test]
fn many_lines_of_every_kind_are_drawn_in_proportion() {
    let huge = Counts { accepted: u64::MAX / 8, rejected: 1, ..Counts::default() };
    let summary = Summary { outcomes: huge, total: huge.total(), other_destinations: huge, ..Tally::default().summary() };
    let page = html(&summary, &Knowledge::english(), "-");
    assert!(page.contains("<rect class=\"accepted\" x=\"0\" y=\"0\" width=\"899\"") || page.contains("width=\"900\""), "{page:.3000}");
    assert!(page.contains("rejected: 1</title>"));
}
