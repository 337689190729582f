//! A list against Postfix, whose limits are its own defaults.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::servers::MAIL_LOG;
use super::{is_content, with_unbound};

#[test]
fn a_list_with_many_unknown_users_stays_below_the_limits_of_errors() {
    let Some(lab) = with_unbound("bulk") else { return };
    let mut list: Vec<String> = (0..40).map(|n| format!("nobody{n}@real.test")).collect();
    list.extend(["known@real.test", "full@real.test", "quota@real.test", "known@nowhere.test"].map(str::to_owned));
    let file = lab.write("list.txt", &(list.join("\n") + "\n"));
    let file = file.to_str().expect("a path");

    let began = Instant::now();
    let said = lab.run(&["bulk", file, "--resolver", "127.0.0.1", "--helo", "probe.example", "--rate", "unlimited"]);
    // From the tenth error on each reply would be held back for a second.
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    let answers: BTreeMap<String, Value> = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect(line))
        .map(|answer| (answer["input"].as_str().expect("an input").to_owned(), answer))
        .collect();
    assert_eq!(answers.len(), list.len(), "{said}");
    for (input, answer) in &answers {
        let expected = match input.split(['@', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']).next() {
            _ if input.ends_with("nowhere.test") => "rejected domain_unknown certain",
            Some("known") => "accepted accepted certain",
            Some("full") => "deferred mailbox_full certain",
            Some("quota") => "rejected mailbox_full certain",
            _ => "rejected user_unknown certain",
        };
        let told = ["outcome", "reason", "confidence"].map(|field| answer[field].as_str().unwrap_or_default()).join(" ");
        assert_eq!(told, expected, "{answer}");
    }
    assert_eq!(answers["known@real.test"]["catch_all"], Value::Bool(false));
    assert_eq!(answers["known@real.test"]["destination"], "mx.real.test");

    let log = lab.wait_for_line(MAIL_LOG, "disconnect from");
    assert!(!log.contains("too many errors") && log.contains("starttls=1"), "{log}");
    is_content(&log);
}
