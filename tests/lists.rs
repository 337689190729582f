//! `explain --check-lists` against a DNS server on loopback: the list that a reply names is asked, and what it says is told.

use std::process::{Command, Output, Stdio};

use smtpprobe::demo::{Scenario, World};
use smtpprobe::settings::Settings;

const ZONES: &str = r#"
address = "anna@demo.test"
title = "Lists"
teaches = "What lists answer."
expect = { outcome = "accepted", reason = "accepted", actor = "nobody", confidence = "certain" }

[dns]
"demo.test MX" = ["10 mx1.demo.test"]
"mx1.demo.test A" = ["192.0.2.1"]
"10.2.0.192.zen.spamhaus.org A" = ["127.0.0.4"]
"10.2.0.192.zen.spamhaus.org TXT" = ["https://check.example/192.0.2.10"]
"11.2.0.192.zen.spamhaus.org A" = ["127.255.255.254"]
"12.2.0.192.zen.spamhaus.org A" = ["203.0.113.9"]
"bad.example.dbl.spamhaus.org A" = ["127.0.1.2"]
"10.2.0.192.dnsbl.sorbs.net A" = ["127.0.0.6"]

[[server]]
at = ["192.0.2.1:25"]
mailboxes = ["anna"]
"#;

/// Explains `reply` with the lists of [`ZONES`] at hand.
fn explain(arguments: &[&str]) -> Output {
    let scenario = Scenario::parse(ZONES).expect("a scenario");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let world = runtime.block_on(World::start(&scenario)).expect("loopback sockets");
    let resolver = world.settings(Settings::default()).resolvers[0].to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtpprobe"));
    command.arg("explain").args(arguments).args(["--check-lists", "--resolver", &resolver]).stdin(Stdio::null());
    command.output().expect("the command runs")
}

/// The listings of the first explanation, as the JSON has them.
fn listings(reply: &str) -> serde_json::Value {
    let output = explain(&["-o", "json", reply]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    json["explanations"][0]["listings"].clone()
}

#[test]
fn the_list_says_itself_whether_it_lists_the_address() {
    let blocked = |address: &str, list: &str| format!("554 5.7.1 Service unavailable; Client host [{address}] blocked using {list}");
    for (reply, list, subject, answer) in [
        (blocked("192.0.2.10", "zen.spamhaus.org"), "zen.spamhaus.org", "192.0.2.10", "listed"),
        // Old names of the list lead to it.
        (blocked("192.0.2.10", "sbl.spamhaus.org"), "zen.spamhaus.org", "192.0.2.10", "listed"),
        (blocked("192.0.2.99", "zen.spamhaus.org"), "zen.spamhaus.org", "192.0.2.99", "not_listed"),
        (blocked("192.0.2.11", "zen.spamhaus.org"), "zen.spamhaus.org", "192.0.2.11", "refused"),
        (blocked("192.0.2.12", "zen.spamhaus.org"), "zen.spamhaus.org", "192.0.2.12", "foreign"),
        ("550 5.7.1 bad.example is listed at dbl.spamhaus.org".to_owned(), "dbl.spamhaus.org", "bad.example", "listed"),
        // It would answer; it has been closed for years.
        (blocked("192.0.2.10", "dnsbl.sorbs.net"), "dnsbl.sorbs.net", "192.0.2.10", "closed"),
    ] {
        let found = listings(&reply);
        let of = |field: &str| found[0][field].as_str().unwrap_or_default().to_owned();
        assert_eq!((of("list"), of("subject"), of("answer")), (list.to_owned(), subject.to_owned(), answer.to_owned()), "{reply}: {found}");
    }
    // No list, no address: nobody is asked.
    assert_eq!(listings("550 5.1.1 user unknown"), serde_json::Value::Null);
}

#[test]
fn a_person_reads_what_the_list_says() {
    let output = explain(&["554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using zen.spamhaus.org"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8").split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "Asked Spamhaus ZEN (zen.spamhaus.org) does list 192.0.2.10 now (127.0.0.4, XBL: an infected or abused machine), and \
                    says: \"https://check.example/192.0.2.10\". Look it up, and ask for removal, at https://check.spamhaus.org/.";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn nothing_is_asked_unless_the_user_wants_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_smtpprobe"))
        .args(["explain", "--resolver", "127.0.0.1:1", "552"])
        .output()
        .expect("the command runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--check-lists"), "{output:?}");
}
