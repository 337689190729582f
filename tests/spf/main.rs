//! SPF against its public test suite, which lies in `../shared/rfc` beside this repository, or below the folder that
//! `SMTPPROBE_SHARED` names; without it there is nothing to do, and that is said.

mod suite;

use futures_util::FutureExt;
use smtpprobe::sender::spf::{Spf, check_host};

use self::suite::{Case, Zone};

/// Cases in the suite: a reader that loses some would not be noticed otherwise.
const CASES: usize = 200;

fn check(case: &Case, zone: &Zone) -> Spf {
    check_host(&case.question, zone).now_or_never().expect("a zone answers at once")
}

#[test]
fn every_case_of_the_suite_has_an_allowed_result() {
    let Some(groups) = suite::read() else { return };
    let (mut count, mut explained) = (0, 0);
    let mut wrong = Vec::new();
    for group in &groups {
        for case in &group.cases {
            count += 1;
            let spf = check(case, &group.zone);
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
