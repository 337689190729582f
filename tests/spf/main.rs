//! SPF against its public test suite, which lies in `../shared/rfc` beside this repository, or below the folder that
//! `SMTPPROBE_SHARED` names; without it there is nothing to do, and that is said.

mod second_opinion;
mod server;
mod suite;

use std::time::Duration;

use futures_util::FutureExt;
use smtpprobe::route::{LookupFailure, Resolver};
use smtpprobe::sender::spf::{Question, Spf, check_host};
use smtpprobe::sender::{Answered, Patient};
use smtpprobe::settings::{Clock, Settings};

use self::suite::Zone;

/// Cases in the suite: a reader that loses some would not be noticed otherwise.
const CASES: usize = 200;

fn check(question: &Question, zone: &Zone) -> Spf {
    check_host(question, zone).now_or_never().expect("a zone answers at once")
}

#[test]
fn every_case_of_the_suite_has_an_allowed_result() {
    let Some(groups) = suite::read() else { return };
    let (mut count, mut explained) = (0, 0);
    let mut wrong = Vec::new();
    for group in &groups {
        for case in &group.cases {
            count += 1;
            let spf = check(&case.question, &group.zone);
            if !case.results.iter().any(|result| result == spf.result.as_str()) {
                wrong.push(format!(
                    "{}: {} instead of {:?}: {:?} {:#?}",
                    case.name,
                    spf.result.as_str(),
                    case.results,
                    spf.problem,
                    spf.trace
                ));
            }
            let Some(expected) = &case.explanation else { continue };
            explained += 1;
            let text = spf.explanation.as_ref().and_then(|explanation| explanation.text.as_deref().ok()).unwrap_or("DEFAULT");
            if text != expected {
                wrong.push(format!("{}: {text:?} instead of {expected:?}: {:#?}", case.name, spf.explanation));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("{count} cases, {explained} of them with an explanation");
    assert_eq!(count, CASES);
}

/// What does not depend on how a failed lookup failed.
fn essence(spf: &Spf) -> impl PartialEq + std::fmt::Debug + use<> {
    let explanation = spf.explanation.as_ref().and_then(|explanation| explanation.text.clone().ok());
    let texts: Vec<_> = spf.policies.iter().map(|policy| policy.text.clone()).collect();
    let targets: Vec<_> = spf.trace.iter().map(|step| (step.target.clone(), step.outcome, step.queries.len())).collect();
    (spf.result, spf.decided_by, spf.lookups, spf.void_lookups, explanation, texts, targets)
}

#[tokio::test]
async fn over_the_network_the_answers_are_the_same() {
    let Some(groups) = suite::read() else { return };
    for group in &groups {
        let settings = Settings { resolvers: vec![server::serve(group.zone.clone())], ..Settings::default() };
        let resolver = Resolver::new(&settings, Clock::start());
        for case in &group.cases {
            let spf = check_host(&case.question, &Patient::new(&resolver, Patient::LIMIT)).await;
            assert_eq!(essence(&spf), essence(&check(&case.question, &group.zone)), "{}", case.name);
        }
    }
}

#[tokio::test]
async fn when_the_time_is_over_the_result_is_that_nobody_knows() {
    let mut zone = Zone::default();
    zone.add("example.com", "TXT", "v=spf1 -all");
    let settings = Settings { resolvers: vec![server::serve(zone)], ..Settings::default() };
    let resolver = Resolver::new(&settings, Clock::start());
    let question =
        Question::new("192.0.2.1".parse().expect("an address"), "anna@example.com".parse().ok().as_ref(), "probe.example.net", 0);
    let spf = check_host(&question, &Patient::new(&resolver, Duration::ZERO)).await;
    assert_eq!((spf.result.as_str(), spf.policies.len()), ("temperror", 1));
    assert_eq!(spf.policies[0].query.answer, Answered::Failed(LookupFailure::TimedOut));
    assert!(resolver.lookups().is_empty());
    let spf = check_host(&question, &Patient::new(&resolver, Patient::LIMIT)).await;
    assert_eq!((spf.result.as_str(), resolver.lookups().len()), ("fail", 1));
}
