//! Answers counted by outcome, reason, destination and time.

use proptest::prelude::*;

use super::*;
use crate::knowledge::Confidence;

fn answer(outcome: Settled, reason: Reason, destination: Option<&str>, at: &str) -> Answer {
    Answer {
        line: 1,
        input: "ann@example.com".to_owned(),
        address: None,
        outcome,
        reason,
        actor: Actor::Recipient,
        confidence: Confidence::Certain,
        code: None,
        enhanced: None,
        text: None,
        host: None,
        destination: destination.map(str::to_owned),
        catch_all: None,
        attempts: 1,
        at: at.to_owned(),
        error: None,
    }
}

const AT: &str = "2026-01-02T03:04:05Z";

fn accepted(destination: &str) -> Answer {
    answer(Settled::Accepted, Reason::Accepted, Some(destination), AT)
}

#[test]
fn answers_are_counted_by_outcome_reason_destination_and_time() {
    let mut tally = Tally::default();
    for answer in [
        accepted("mx.a.example"),
        Answer { catch_all: Some(true), ..accepted("mx.b.example") },
        Answer { catch_all: Some(false), ..accepted("mx.a.example") },
        // Not of those that are accepted.
        Answer {
            catch_all: Some(true),
            ..answer(Settled::Rejected, Reason::MailboxFull, Some("mx.b.example"), "2026-01-02T04:04:06+01:00")
        },
        answer(Settled::Rejected, Reason::UserUnknown, Some("mx.a.example"), "2026-01-02T03:04:07.9Z"),
        answer(Settled::Rejected, Reason::UserUnknown, Some("mx.a.example"), "no time"),
        answer(Settled::Deferred, Reason::Greylisted, Some("mx.b.example"), AT),
        answer(Settled::Unreachable, Reason::DnsFailure, None, AT),
        answer(Settled::Inconclusive, Reason::Undetermined, Some("mx.c.example"), AT),
        answer(Settled::Invalid, Reason::AddressSyntax, None, AT),
    ] {
        tally.add(&answer);
    }
    let summary = tally.summary();
    assert_eq!(summary.total, 10);
    assert_eq!(summary.outcomes, Counts { accepted: 3, rejected: 3, deferred: 1, unreachable: 1, inconclusive: 1, invalid: 1 });
    assert_eq!(summary.accepted_at_catch_all, 1);
    let reasons: Vec<(Reason, u64)> = summary.reasons.iter().map(|row| (row.reason, row.count)).collect();
    assert_eq!(reasons[..3], [(Reason::Accepted, 3), (Reason::UserUnknown, 2), (Reason::MailboxFull, 1)]);
    let destinations: Vec<(&str, u64)> = summary.destinations.iter().map(|row| (row.destination.as_str(), row.counts.total())).collect();
    assert_eq!(destinations, [("mx.a.example", 4), ("mx.b.example", 3), ("mx.c.example", 1)]);
    assert_eq!(summary.no_destination, Counts { unreachable: 1, invalid: 1, ..Counts::default() });
    assert_eq!(summary.other_destinations, Counts::default());
    assert_eq!(summary.seconds, 1);
    let times: Vec<(&str, u64)> = summary.times.iter().map(|row| (row.from.as_str(), row.counts.total())).collect();
    assert_eq!(times, [("2026-01-02T03:04:05Z", 7), ("2026-01-02T03:04:06Z", 1), ("2026-01-02T03:04:07Z", 1)]);
}

#[test]
fn nothing_is_a_summary_too() {
    let summary = Tally::default().summary();
    assert_eq!((summary.total, summary.seconds, summary.times.len(), summary.reasons.len()), (0, 0, 0, 0));
}

#[test]
fn a_large_destination_that_comes_last_is_among_the_largest() {
    let mut tally = Tally::default();
    for number in 0..100_000 {
        tally.add(&accepted(&format!("mx.small{number}.example")));
    }
    for _ in 0..1000 {
        tally.add(&accepted("mx.zoo.example"));
    }
    for number in 0..60 {
        for _ in 0..number {
            tally.add(&accepted(&format!("mx.middle{number:02}.example")));
        }
    }
    let summary = tally.summary();
    assert_eq!(summary.destinations.len(), DESTINATIONS);
    assert_eq!(
        summary.destinations[0],
        DestinationRow { destination: "mx.zoo.example".to_owned(), counts: Counts { accepted: 1000, ..Counts::default() } }
    );
    assert_eq!(summary.destinations[1].destination, "mx.middle59.example");
    assert_eq!(summary.destinations[49].destination, "mx.middle11.example");
    let shown: u64 = summary.destinations.iter().map(|row| row.counts.total()).sum();
    assert_eq!(shown + summary.other_destinations.total(), summary.total);
}

#[test]
fn a_strangers_name_of_a_destination_is_bounded() {
    let mut tally = Tally::default();
    tally.add(&accepted(&"\u{fc}".repeat(10_000)));
    assert_eq!(tally.summary().destinations[0].destination, "\u{fc}".repeat(127));
}

#[test]
fn stretches_grow_with_the_run() {
    let mut tally = Tally::default();
    // Ten days, an answer every ten minutes.
    for number in 0..1440_i64 {
        let at = time::OffsetDateTime::from_unix_timestamp(1_767_225_600 + number * 600).unwrap();
        let at = at.format(&time::format_description::well_known::Rfc3339).unwrap();
        tally.add(&answer(Settled::Accepted, Reason::Accepted, None, &at));
    }
    let summary = tally.summary();
    assert_eq!((summary.seconds, summary.times.len()), (21_600, 40));
    assert!(summary.times.iter().all(|row| row.counts.accepted == 36));
    assert_eq!(summary.times[1].from, "2026-01-01T06:00:00Z");
}

proptest! {
    #[test]
    fn no_time_makes_many_stretches_or_loses_an_answer(times in proptest::collection::vec(-50_000_000_000_i64..253_000_000_000, 1..200)) {
        let mut tally = Tally::default();
        for seconds in &times {
            let at = time::OffsetDateTime::from_unix_timestamp(*seconds).unwrap();
            let at = at.format(&time::format_description::well_known::Rfc3339).unwrap();
            tally.add(&answer(Settled::Deferred, Reason::Greylisted, None, &at));
        }
        let rows = tally.summary().times;
        prop_assert!(rows.len() <= 120);
        prop_assert_eq!(rows.iter().map(|row| row.counts.total()).sum::<u64>(), times.len() as u64);
    }
}
