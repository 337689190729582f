//! `smtpprobe sender` against a DNS server on loopback: what receivers see of a sender, the exit code, and every form of output.

use std::process::{Command, Output, Stdio};

use smtpprobe::demo::{Scenario, World};
use smtpprobe::settings::Settings;

const ZONES: &str = r#"
address = "anna@demo.test"
title = "Senders"
teaches = "What receivers see of them."
expect = { outcome = "accepted", reason = "accepted", actor = "nobody", confidence = "certain" }

[dns]
"demo.test MX" = ["10 mx1.demo.test"]
"mx1.demo.test A" = ["192.0.2.1"]

# In order.
"203.0.113.9 PTR" = ["mail.good.example"]
"mail.good.example A" = ["203.0.113.9"]
"good.example TXT" = ["v=spf1 include:_spf.good.example -all"]
"_spf.good.example TXT" = ["v=spf1 ip4:203.0.113.8/30 ~all"]
"_dmarc.good.example TXT" = ["v=DMARC1; p=reject"]
"s1._domainkey.good.example TXT" = ["v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]
"old._domainkey.good.example TXT" = ["v=DKIM1; p="]
"mail.good.example TXT" = ["v=spf1 a -all"]

# Wrong in many ways.
"203.0.113.20 PTR" = ["203-0-113-20.dyn.isp.example"]
"203-0-113-20.dyn.isp.example A" = ["203.0.113.21"]
"20.113.0.203.zen.spamhaus.org A" = ["127.0.0.10"]
"20.113.0.203.zen.spamhaus.org TXT" = ["https://check.example/203.0.113.20"]
"20.113.0.203.bl.spamcop.net A" = ["127.255.255.254"]
"20.113.0.203.bl.mine.example A" = ["127.0.0.2"]
"20.113.0.203.dnsbl.sorbs.net A" = ["127.0.0.6"]
"bad.example.dbl.spamhaus.org A" = ["127.0.1.2"]
"bad.example TXT" = ["v=spf1 ipv4:203.0.113.20 -all"]
"soft.example TXT" = ["v=spf1 a:mail.good.example ~all"]
"_dmarc.soft.example TXT" = ["v=DMARC1; p=quarantine; pct=50"]

# Not to be looked up.
"203.0.113.30 PTR" = "SERVFAIL"
"broken.example TXT" = "SERVFAIL"

[[server]]
at = ["192.0.2.1:25"]
mailboxes = ["anna"]
"#;

fn sender(arguments: &[&str]) -> Output {
    let scenario = Scenario::parse(ZONES).expect("a scenario");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let world = runtime.block_on(World::start(&scenario)).expect("loopback sockets");
    let resolver = world.settings(Settings::default()).resolvers[0].to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtpprobe"));
    command.arg("sender").args(arguments).args(["--resolver", &resolver]).stdin(Stdio::null());
    command.output().expect("the command runs")
}

/// Exit code, and what was printed.
fn said(arguments: &[&str]) -> (i32, String) {
    let output = sender(arguments);
    let text = String::from_utf8(output.stdout).expect("UTF-8") + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("it ends by itself"), text)
}

/// Exit code, and the JSON.
fn told(arguments: &[&str]) -> (i32, serde_json::Value) {
    let (code, text) = said(&[&["-o", "json"], arguments].concat());
    (code, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

fn findings(json: &serde_json::Value) -> Vec<&str> {
    json["findings"].as_array().expect("findings").iter().filter_map(|finding| finding["id"].as_str()).collect()
}

#[test]
fn a_sender_in_order_is_one_line() {
    let good = ["--from", "shop@good.example", "--helo", "mail.good.example", "--address", "203.0.113.9", "--dkim-selector", "s1"];
    let (code, text) = said(&good);
    assert_eq!(code, 0, "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected =
        "CLEAN 203.0.113.9 (mail.good.example), EHLO mail.good.example, SPF pass for good.example, DMARC p=reject, on none of 4 lists";
    assert_eq!(words, expected);
    let (code, json) = told(&good);
    assert_eq!((code, json["schema"].as_str(), json["state"].as_str()), (0, Some("smtpprobe.sender/1"), Some("clean")));
    assert_eq!(findings(&json), Vec::<&str>::new());
    let known = &json["addresses"][0];
    assert_eq!((known["known"].as_str(), known["confirmed"].as_bool()), (Some("given"), Some(true)));
    let spf = &known["spf"];
    let decided = spf["trace"].as_array().expect("a trace").iter().find(|step| step["outcome"] == "matched" && step["depth"] == 0);
    let decided = decided.expect("a step decided");
    assert_eq!((spf["result"].as_str(), decided["term"].as_str()), (Some("pass"), Some("include:_spf.good.example")));
    assert_eq!((json["dmarc"]["policy"].as_str(), json["dmarc"]["aligned"].as_bool()), (Some("reject"), Some(true)));
    assert_eq!(json["dkim"][0]["state"].as_str(), Some("good"));
    assert!(json["lists"].as_array().expect("lists").iter().all(|list| list["terms"].is_string()));
}

#[test]
fn the_null_sender_is_judged_by_its_ehlo_name() {
    let (code, json) = told(&["--helo", "mail.good.example", "--address", "203.0.113.9", "--no-dnsbl"]);
    let spf = &json["addresses"][0]["spf"];
    assert_eq!((code, spf["identity"].as_str(), spf["result"].as_str()), (0, Some("helo"), Some("pass")));
    assert_eq!((json["dmarc"].is_null(), json["lists"].is_null()), (true, true), "{json}");
}

#[test]
fn what_receivers_refuse_for_is_found() {
    let (code, json) = told(&["--from", "x@bad.example", "--helo", "localhost", "--address", "203.0.113.20", "--address", "203.0.113.77"]);
    assert_eq!(code, 1);
    assert_eq!(
        findings(&json),
        [
            "sender_listed",
            "sender_domain_listed",
            "sender_rdns_missing",
            "sender_rdns_unconfirmed",
            "sender_rdns_generic",
            "sender_helo_local",
            "sender_spf_permerror",
            "sender_dmarc_none",
            "sender_list_unanswered"
        ]
    );
    for (address, helo, from, id) in [
        ("203.0.113.9", "mail", "x@good.example", "sender_helo_unqualified"),
        ("203.0.113.9", "nobody.good.example", "x@good.example", "sender_helo_unresolved"),
        ("203.0.113.9", "[203.0.113.1]", "x@good.example", "sender_helo_wrong_literal"),
        ("203.0.113.9", "203-0-113-20.dyn.isp.example", "x@good.example", "sender_helo_elsewhere"),
        ("203.0.113.20", "mail.good.example", "x@good.example", "sender_spf_fail"),
        ("203.0.113.20", "mail.good.example", "x@soft.example", "sender_spf_softfail"),
        ("203.0.113.20", "mail.good.example", "x@soft.example", "sender_dmarc_not_by_spf"),
        ("203.0.113.9", "mail.good.example", "x@mail.demo.test", "sender_spf_none"),
    ] {
        let (_, json) = told(&["--from", from, "--helo", helo, "--address", address, "--no-dnsbl"]);
        assert!(findings(&json).contains(&id), "{id}: {:?}", findings(&json));
    }
    let dkim = ["--dkim-selector", "old", "--dkim-selector", "none", "--no-dnsbl"];
    let (code, json) =
        told(&[&["--from", "x@good.example", "--helo", "mail.good.example", "--address", "203.0.113.9"], &dkim[..]].concat());
    let states: Vec<&str> = json["dkim"].as_array().expect("keys").iter().filter_map(|key| key["state"].as_str()).collect();
    assert_eq!((code, states, findings(&json)), (1, vec!["unusable", "absent"], vec!["sender_dkim_unusable"]));
}

#[test]
fn a_person_sees_where_it_is_wrong() {
    let arguments = ["--from", "x@bad.example", "--helo", "mail.good.example", "--address", "203.0.113.20", "--dnsbl", "zen.spamhaus.org"];
    let (code, text) = said(&arguments);
    assert_eq!(code, 1, "{text}");
    insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("sender_faulty", text);
        let (_, text) = said(&["--from", "shop@good.example", "--helo", "mail.good.example", "--address", "203.0.113.20", "-v"]);
        insta::assert_snapshot!("sender_verbose", text);
    });
}

#[test]
fn the_users_lists_are_asked_instead_and_closed_ones_never() {
    let asked = ["--dnsbl", "bl.mine.example", "--dnsbl", "dnsbl.sorbs.net"];
    let (code, json) = told(&[&["--helo", "mail.good.example", "--address", "203.0.113.20"], &asked[..]].concat());
    let listings: Vec<(&str, &str)> = json["listings"]
        .as_array()
        .expect("listings")
        .iter()
        .filter_map(|listing| Some((listing["list"].as_str()?, listing["answer"].as_str()?)))
        .collect();
    assert_eq!((code, listings), (1, vec![("bl.mine.example", "listed")]));
    let closed: Vec<&str> = json["lists"]
        .as_array()
        .expect("lists")
        .iter()
        .filter(|list| list["closed"] == true)
        .filter_map(|list| list["zone"].as_str())
        .collect();
    assert_eq!(closed, ["dnsbl.sorbs.net"]);
}

#[test]
fn what_cannot_be_looked_up_is_no_fault_of_the_sender() {
    let (code, json) = told(&["--from", "x@broken.example", "--helo", "mail.good.example", "--address", "203.0.113.30", "--no-dnsbl"]);
    assert_eq!((code, json["state"].as_str()), (5, Some("unknown")), "{json}");
    assert_eq!(json["addresses"][0]["confirmed"], serde_json::Value::Null);
    assert!(findings(&json).contains(&"sender_spf_temperror") && findings(&json).contains(&"sender_not_known"), "{:?}", findings(&json));
    // A list that refuses says nothing about the sender.
    let good = ["--from", "shop@good.example", "--helo", "mail.good.example", "--address", "203.0.113.9"];
    let (code, _) = told(&[&good[..], &["--dnsbl", "bl.spamcop.net"]].concat());
    assert_eq!(code, 0);
}

#[test]
fn each_form_of_output_has_it() {
    let good = ["--from", "shop@good.example", "--helo", "mail.good.example", "--address", "203.0.113.9", "--no-dnsbl"];
    let (_, csv) = said(&[&["-o", "csv"], &good[..]].concat());
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows[1], "203.0.113.9,clean,shop@good.example,mail.good.example,mail.good.example,true,pass,good.example,reject,,");
    let (_, line) = said(&[&["-o", "ndjson"], &good[..]].concat());
    assert_eq!((line.lines().count(), line.contains("\"schema\":\"smtpprobe.sender/1\"")), (1, true));
    let (code, quiet) = said(&[&["-q"], &good[..]].concat());
    assert_eq!((code, quiet.as_str()), (0, "CLEAN  Nothing is wrong on your side that can be seen from here\n"));
    let schema = Command::new(env!("CARGO_BIN_EXE_smtpprobe")).args(["schema", "sender"]).output().expect("the command runs");
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    let (_, json) = told(&good);
    for field in json.as_object().expect("an object").keys() {
        assert!(schema["properties"][field].is_object(), "{field} is not in the schema");
    }
}

#[test]
fn wrong_arguments_are_told() {
    for arguments in
        [&["--address", "mail.example"][..], &["--from", "nobody"], &["--dkim-selector", "s1"], &["--dnsbl", "a.example", "--no-dnsbl"]]
    {
        let (code, text) = said(arguments);
        assert_eq!((code, text.lines().count()), (2, 1), "{arguments:?}: {text}");
    }
}

/// A probe of a server that names its client, with its answer to MAIL; `dns` is put beside what makes the sender one in order.
fn probed(mail: &str, dns: &str, change: impl FnOnce(Settings) -> Settings) -> smtpprobe::probe::Facts {
    let scenario = format!(
        r#"
address = "anna@demo.test"
title = "A server that names its client"
teaches = "When the sender is looked at."
expect = {{ outcome = "accepted", reason = "accepted", actor = "nobody", confidence = "certain" }}

[dns]
"demo.test MX" = ["10 mx1.demo.test"]
"mx1.demo.test A" = ["192.0.2.1"]
"mail.good.example A" = ["203.0.113.9"]
"good.example TXT" = ["v=spf1 a:mail.good.example -all"]
{dns}

[[server]]
at = ["192.0.2.1:25"]
tls = "none"
mailboxes = ["anna"]

[[server.reply]]
to = "EHLO"
say = "250 mx1.demo.test Hello [203.0.113.9]"

[[server.reply]]
to = "MAIL"
say = "{mail}"
"#
    );
    let scenario = Scenario::parse(&scenario).expect("a scenario");
    let knowledge = smtpprobe::knowledge::Knowledge::english();
    let target = "anna@demo.test".parse().expect("a target");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let world = World::start(&scenario).await.expect("loopback sockets");
        let hello = Some("mail.good.example".parse().expect("a name"));
        let settings = world.settings(change(Settings { hello, ..Settings::default() }));
        smtpprobe::probe::probe(&target, &settings, &knowledge, std::future::pending(), |_| {}).await
    })
}

const POINTER: &str = "\"203.0.113.9 PTR\" = [\"mail.good.example\"]";

#[test]
fn a_probe_asks_about_the_sender_only_where_that_can_tell_something() {
    use smtpprobe::settings::{BlockLists, SenderChecks};
    let from = || Some("shop@good.example".parse().expect("a mailbox"));
    let asked = |facts: &smtpprobe::probe::Facts| facts.sender.as_ref().map(|sender| (sender.addresses.len(), sender.listings.len()));
    for (mail, named, checks, lists, expected) in [
        ("250 2.1.0 Ok", false, SenderChecks::Auto, BlockLists::Usual, None),
        ("250 2.1.0 Ok", true, SenderChecks::Auto, BlockLists::Usual, Some((1, 0))),
        ("250 2.1.0 Ok", true, SenderChecks::Off, BlockLists::Usual, None),
        ("250 2.1.0 Ok", false, SenderChecks::Always, BlockLists::Usual, Some((1, 4))),
        ("550 5.7.1 Access denied", false, SenderChecks::Auto, BlockLists::Usual, Some((1, 4))),
        ("550 5.7.1 Access denied", false, SenderChecks::Auto, BlockLists::None, Some((1, 0))),
        ("550 5.7.1 Access denied", false, SenderChecks::Off, BlockLists::Usual, None),
        ("550 5.7.25 no PTR record", false, SenderChecks::Auto, BlockLists::Usual, Some((1, 0))),
        ("552 5.2.2 mailbox full", false, SenderChecks::Auto, BlockLists::Usual, None),
        ("452 4.3.1 Insufficient system storage", false, SenderChecks::Auto, BlockLists::Usual, None),
    ] {
        let change =
            |settings| Settings { from: if named { from() } else { None }, sender_checks: checks, block_lists: lists.clone(), ..settings };
        assert_eq!(asked(&probed(mail, POINTER, change)), expected, "{mail} {named} {checks:?} {lists:?}");
    }
}

#[test]
fn nobody_waits_long_for_what_is_known_of_the_sender() {
    let began = std::time::Instant::now();
    let facts = probed("550 5.7.25 no PTR record", "\"203.0.113.9 PTR\" = \"TIMEOUT\"", |settings| settings);
    assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}", began.elapsed());
    let sender = facts.sender.expect("it was looked at");
    assert_eq!(sender.addresses[0].pointers.are_confirmed(), None);
    let ids: Vec<&str> = smtpprobe::diagnosis::of_sender(&sender).iter().map(|finding| finding.rule.id).collect();
    assert!(ids.contains(&"sender_not_known") && !ids.contains(&"sender_rdns_missing"), "{ids:?}");
}
