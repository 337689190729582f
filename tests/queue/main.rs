//! `bulk --queue` and `worker` with a real nats-server, and mail servers on loopback that watch how they are treated.
//!
//! Where nats-server is missing a test says `skipped` and passes, unless `SMTPPROBE_TESTS_MUST_RUN=1`.

#![cfg(all(feature = "queue", unix))]

mod broker;
mod fleet;
mod mail;
mod operator;

use std::collections::BTreeMap;
use std::time::Duration;

use broker::Broker;
use fleet::{Fleet, answers_in, sum};
use mail::Mail;

/// A list of `count` lines over so many domains, each of which is a destination of its own.
fn list(count: usize, domains: usize) -> String {
    let kind = |n: usize| if n % 7 == 3 { "nobody" } else { "good" };
    (0..count).map(|n| format!("{}{n}x@d{}.test\n", kind(n), n % domains)).collect::<Vec<_>>().concat()
}

#[test]
fn two_workers_answer_each_line_once_and_never_share_a_destination() {
    let Some(broker) = Broker::start("two", "") else { return };
    let mail = Mail::start(Duration::from_millis(2));
    let fleet = Fleet::new("two", &broker.url(), &mail);
    let _workers = [fleet.worker("w1", &[]), fleet.worker("w2", &[])];
    let text = list(600, 60) + "no address\nsomeone@gone.test\n\ngood0x@d0.test\n";
    let (list, journal) = (fleet.write("list", &text), fleet.path("journal"));
    let done = fleet.publisher(&list, &journal, &["--connections-per-destination", "2"]).wait();
    assert_eq!(done.code, Some(1), "{}", done.said);
    let answers = answers_in(&journal);
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), (1..=602).chain([604]).collect::<Vec<_>>());
    assert_eq!(
        sum(&answers),
        BTreeMap::from([("accepted", 515), ("invalid", 1), ("rejected", 87)].map(|(name, count)| (name.to_owned(), count)))
    );
    assert_eq!(answers[&602]["reason"], "domain_unknown");
    assert!(done.said.contains("603 answered") && done.said.contains(" workers in "), "{}", done.said);

    let seen = mail.seen();
    seen.is_polite();
    assert!(seen.asked.values().all(|count| *count == 1) && seen.asked.len() == 600, "each mailbox was asked for once");
    assert!(seen.by_worker.len() == 2 && seen.by_worker.values().all(|count| *count > 100), "{:?}", seen.by_worker);
    assert!(seen.most_connections <= 2, "{}", seen.most_connections);
    // What the run needed at the broker is gone.
    assert_eq!(broker.streams(), ["KV_smtpprobe_destinations", "KV_smtpprobe_leases", "KV_smtpprobe_runs"]);
    // The same command again has nothing left to do, and needs no worker.
    let again = fleet.publisher(&list, &journal, &[]).wait();
    assert!(again.code == Some(1) && again.said.contains("603 lines are answered already"), "{}", again.said);
    // What is no journal is written at once.
    let csv = fleet.path("answers.csv");
    let done = fleet.publisher(&fleet.write("short", &self::list(20, 4)), &csv, &["-o", "csv"]).wait();
    let rows = std::fs::read_to_string(&csv).expect("answers");
    assert!(done.code == Some(1) && rows.starts_with("line,input,") && rows.lines().count() == 21, "{} {rows}", done.said);
}

#[test]
fn a_worker_that_is_killed_has_its_jobs_taken_over() {
    let Some(broker) = Broker::start("killed", "") else { return };
    let mail = Mail::start(Duration::from_millis(15));
    let fleet = Fleet::new("killed", &broker.url(), &mail);
    let mut workers = [fleet.worker("w1", &[]), fleet.worker("w2", &[]), fleet.worker("w3", &[])];
    let (list, journal) = (fleet.write("list", &list(900, 30)), fleet.path("journal"));
    let publisher = fleet.publisher(&list, &journal, &[]);
    mail.wait_for("all of them at work", |seen| seen.by_worker.len() == 3 && seen.by_worker.values().all(|count| *count > 40));
    workers[1].kill();
    let done = publisher.wait();
    assert_eq!(done.code, Some(1), "{}", done.said);
    assert_eq!(answers_in(&journal).len(), 900);
    let seen = mail.seen();
    seen.is_polite();
    let twice = seen.asked.values().filter(|count| **count > 1).count();
    assert!(twice < 120 && seen.asked.values().all(|count| *count <= 2), "only what was being asked is asked again: {twice}");
}

#[test]
fn a_worker_that_is_stopped_says_nothing_under_a_lease_that_has_run_out() {
    let Some(broker) = Broker::start("stopped", "") else { return };
    let mail = Mail::start(Duration::from_millis(15));
    let fleet = Fleet::new("stopped", &broker.url(), &mail);
    let sleeper = fleet.worker("w1", &[]);
    let (list, journal) = (fleet.write("list", &list(500, 10)), fleet.path("journal"));
    let publisher = fleet.publisher(&list, &journal, &[]);
    mail.wait_for("the first at work", |seen| seen.by_worker.get("w1.test").is_some_and(|count| *count > 60));
    sleeper.signal("STOP");
    let _other = fleet.worker("w2", &[]);
    mail.wait_for("the second at work", |seen| seen.by_worker.get("w2.test").is_some_and(|count| *count > 60));
    sleeper.signal("CONT");
    let done = publisher.wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 500), "{}", done.said);
    // What was being written when it was stopped cannot be taken back.
    let seen = mail.seen();
    assert!(seen.offences.len() <= 1, "{:?}", seen.offences);
}

#[test]
fn a_broker_that_is_killed_and_comes_back_loses_nothing() {
    let Some(mut broker) = Broker::start("broker", "") else { return };
    let mail = Mail::start(Duration::from_millis(15));
    let fleet = Fleet::new("broker", &broker.url(), &mail);
    let workers = [fleet.worker("w1", &[]), fleet.worker("w2", &[])];
    let (list, journal) = (fleet.write("list", &list(900, 30)), fleet.path("journal"));
    let publisher = fleet.publisher(&list, &journal, &[]);
    mail.wait_for("work", |seen| seen.asked.len() > 150);
    // Shorter than a lease.
    broker.kill();
    std::thread::sleep(Duration::from_millis(300));
    broker.again();
    for process in [&publisher, &workers[0], &workers[1]] {
        process.wait_to_say("the broker is back");
    }
    // Longer than a lease: nobody goes on without one.
    broker.kill();
    std::thread::sleep(fleet::LEASE * 2);
    let quiet = mail.seen().asked.len();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(mail.seen().asked.len(), quiet);
    broker.again();
    let done = publisher.wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 900), "{}", done.said);
    mail.seen().is_polite();
    for said in [&done.said, &workers[0].said(), &workers[1].said()] {
        let count = |words: &str| said.matches(words).count();
        assert_eq!((count("the broker is gone; waiting"), count("the broker is back")), (2, 2), "{said}");
    }
}

#[test]
fn a_broker_that_comes_back_empty_gets_the_jobs_again() {
    let Some(mut broker) = Broker::start("empty", "") else { return };
    let mail = Mail::start(Duration::from_millis(15));
    let fleet = Fleet::new("empty", &broker.url(), &mail);
    let _workers = [fleet.worker("w1", &[]), fleet.worker("w2", &[])];
    let (list, journal) = (fleet.write("list", &list(600, 30)), fleet.path("journal"));
    let publisher = fleet.publisher(&list, &journal, &[]);
    mail.wait_for("work", |seen| seen.asked.len() > 150);
    broker.kill();
    broker.forget();
    broker.again();
    let done = publisher.wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 600), "{}", done.said);
    mail.seen().is_polite();
}

#[test]
fn a_publisher_that_is_killed_goes_on_with_the_same_command() {
    let Some(broker) = Broker::start("publisher", "") else { return };
    let mail = Mail::start(Duration::from_millis(10));
    let fleet = Fleet::new("publisher", &broker.url(), &mail);
    let _worker = fleet.worker("w1", &[]);
    let (list, journal) = (fleet.write("list", &list(900, 30)), fleet.path("journal"));
    for asked in [200, 400] {
        let mut publisher = fleet.publisher(&list, &journal, &[]);
        mail.wait_for("work", |seen| seen.asked.len() > asked);
        publisher.kill();
    }
    let done = fleet.publisher(&list, &journal, &[]).wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 900), "{}", done.said);
    let seen = mail.seen();
    seen.is_polite();
    let twice = seen.asked.iter().filter(|(_, count)| **count != 1).collect::<Vec<_>>();
    assert!(twice.is_empty(), "what was published is not published again: {twice:?}");
}

#[test]
fn destinations_with_many_names_are_one() {
    let Some(broker) = Broker::start("names", "") else { return };
    let mail = Mail::start(Duration::from_millis(3));
    let fleet = Fleet::new("many-names", &broker.url(), &mail);
    let _workers = [fleet.worker("w1", &[]), fleet.worker("w2", &[])];
    let text = list(300, 30).replace("@d", "@s") + &list(100, 10);
    let (list, journal) = (fleet.write("list", &text), fleet.path("journal"));
    let done = fleet.publisher(&list, &journal, &[]).wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 400), "{}", done.said);
    let seen = mail.seen();
    seen.is_polite();
    assert!(seen.most_connections <= 2 && seen.by_worker.len() == 2, "{} {:?}", seen.most_connections, seen.by_worker);
}

#[test]
fn while_the_publisher_is_away_the_list_rests() {
    let Some(broker) = Broker::start("rests", "") else { return };
    let mail = Mail::start(Duration::from_millis(10));
    let fleet = Fleet::new("rests", &broker.url(), &mail);
    let worker = fleet.worker("w1", &[]);
    let (list, journal) = (fleet.write("list", &list(900, 10)), fleet.path("journal"));
    let publisher = fleet.publisher(&list, &journal, &[]);
    mail.wait_for("work", |seen| seen.asked.len() > 100);
    publisher.signal("INT");
    let stopped = publisher.wait();
    assert_eq!(stopped.code, Some(130), "{}", stopped.said);
    assert!(stopped.said.contains("stays with the broker"), "{}", stopped.said);
    std::thread::sleep(fleet::LEASE);
    let asked = mail.seen().asked.len();
    std::thread::sleep(fleet::LEASE);
    assert!(mail.seen().asked.len() == asked && asked < 900, "{asked}");
    let done = fleet.publisher(&list, &journal, &[]).wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 900), "{}", done.said);
    let seen = mail.seen();
    seen.is_polite();
    assert!(seen.asked.len() == 900 && seen.asked.values().all(|count| *count == 1), "what was answered is collected");
    worker.signal("TERM");
    let left = worker.wait();
    assert!(left.code == Some(0) && left.said.contains("900 answered"), "{}", left.said);
}

#[test]
fn what_an_administrator_clears_away_is_published_again() {
    let Some(broker) = Broker::start("purged", "") else { return };
    let mail = Mail::start(Duration::from_millis(1));
    let fleet = Fleet::new("purged", &broker.url(), &mail);
    let (list, journal) = (fleet.write("list", &list(50, 5)), fleet.path("journal"));
    let publisher = fleet.publisher(&list, &journal, &["--queue-run", "mine"]);
    broker.wait_for_messages("smtpprobe_mine_jobs", 50);
    broker.purge("smtpprobe_mine_jobs");
    let _worker = fleet.worker("w1", &[]);
    let done = publisher.wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 50), "{}", done.said);
    assert!(done.said.contains("the broker has lost 50 jobs"), "{}", done.said);
}

#[test]
fn another_list_of_the_same_name_gets_no_answers_that_are_not_its_own() {
    let Some(broker) = Broker::start("same-name", "") else { return };
    let mail = Mail::start(Duration::from_millis(1));
    let fleet = Fleet::new("same-name", &broker.url(), &mail);
    let one = fleet.write("one", &list(60, 5));
    let other = fleet.write("other", &list(60, 5).replace("x@", "y@"));
    let publisher = fleet.publisher(&one, &fleet.path("journal-one"), &["--queue-run", "mine"]);
    broker.wait_for_messages("smtpprobe_mine_jobs", 60);
    publisher.signal("INT");
    assert_eq!(publisher.wait().code, Some(130));
    let journal = fleet.path("journal-other");
    let publisher = fleet.publisher(&other, &journal, &["--queue-run", "mine"]);
    broker.wait_for_messages("smtpprobe_mine_jobs", 120);
    let _worker = fleet.worker("w1", &[]);
    let done = publisher.wait();
    let answers = answers_in(&journal);
    assert_eq!((done.code, answers.len()), (Some(1), 60), "{}", done.said);
    assert!(answers.values().all(|answer| answer["address"].as_str().is_some_and(|address| address.contains("y@"))));
}

#[test]
fn a_worker_that_is_told_twice_leaves_at_once_even_without_a_broker() {
    let Some(mut broker) = Broker::start("twice", "") else { return };
    let mail = Mail::start(Duration::from_millis(100));
    let fleet = Fleet::new("twice", &broker.url(), &mail);
    let worker = fleet.worker("w1", &[]);
    let (list, journal) = (fleet.write("list", &list(300, 3)), fleet.path("journal"));
    let publisher = fleet.publisher(&list, &journal, &[]);
    mail.wait_for("work", |seen| seen.asked.len() > 10);
    broker.kill();
    worker.wait_to_say("the broker is gone");
    worker.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    let began = std::time::Instant::now();
    worker.signal("INT");
    let left = worker.wait();
    assert!(left.code == Some(0) && began.elapsed() < Duration::from_secs(6), "{:?} {}", began.elapsed(), left.said);
    let began = std::time::Instant::now();
    publisher.signal("INT");
    let stopped = publisher.wait();
    assert!(stopped.code == Some(130) && began.elapsed() < Duration::from_secs(8), "{:?} {}", began.elapsed(), stopped.said);
}

#[test]
fn two_lists_at_once_keep_apart_and_are_polite_together() {
    let Some(broker) = Broker::start("lists", "") else { return };
    let mail = Mail::start(Duration::from_millis(5));
    let fleet = Fleet::new("lists", &broker.url(), &mail);
    let _workers = [fleet.worker("w1", &[]), fleet.worker("w2", &[])];
    let one = (fleet.write("one", &list(300, 12)), fleet.path("journal-one"));
    let other = (fleet.write("other", &list(300, 12).replace("x@", "y@")), fleet.path("journal-other"));
    let first = fleet.publisher(&one.0, &one.1, &[]);
    let second = fleet.publisher(&other.0, &other.1, &["--queue-run", "another-list"]);
    for (done, journal) in [(first.wait(), &one.1), (second.wait(), &other.1)] {
        assert_eq!((done.code, answers_in(journal).len()), (Some(1), 300), "{}", done.said);
    }
    let seen = mail.seen();
    seen.is_polite();
    assert!(seen.asked.len() == 600 && seen.asked.values().all(|count| *count == 1));
    assert!(seen.most_connections <= 2, "{}", seen.most_connections);
}

#[test]
fn a_worker_that_comes_later_gets_its_share_and_one_that_leaves_gives_it_back() {
    let Some(broker) = Broker::start("share", "") else { return };
    let mail = Mail::start(Duration::from_millis(15));
    let fleet = Fleet::new("share", &broker.url(), &mail);
    let first = fleet.worker("w1", &[]);
    let (list, journal) = (fleet.write("list", &list(1500, 20)), fleet.path("journal"));
    let publisher = fleet.publisher(&list, &journal, &[]);
    mail.wait_for("the first at work", |seen| seen.asked.len() > 100);
    let began = std::time::Instant::now();
    let _second = fleet.worker("w2", &[]);
    mail.wait_for("the second at work", |seen| seen.by_worker.get("w2.test").is_some_and(|count| *count > 50));
    assert!(began.elapsed() < fleet::LEASE * 3, "{:?}", began.elapsed());
    first.signal("INT");
    let left = first.wait();
    assert_eq!(left.code, Some(0), "{}", left.said);
    let done = publisher.wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 1500), "{}", done.said);
    let seen = mail.seen();
    seen.is_polite();
    let twice = seen.asked.values().filter(|count| **count > 1).count();
    assert_eq!(twice, 0, "whoever leaves has said what was answered");
}

#[test]
fn what_nobody_understands_is_told_and_put_aside() {
    let Some(broker) = Broker::start("hostile", "") else { return };
    let mail = Mail::start(Duration::from_millis(5));
    let fleet = Fleet::new("hostile", &broker.url(), &mail);
    let (list, journal) = (fleet.write("list", &list(100, 5)), fleet.path("journal"));
    let publisher = fleet.publisher(&list, &journal, &["--queue-run", "mine"]);
    broker.wait_for_stream("smtpprobe_mine_jobs");
    let hostile = [
        "",
        "\u{1b}[2J{",
        r#"{"version":2,"line":1}"#,
        r#"{"version":1,"line":0,"input":"a","address":"a@d0.test","hosts":[["d0.test","127.0.0.1:25"]]}"#,
        r#"{"version":1,"line":7000,"input":"a","address":"a@d0.test>\r\nDATA","hosts":[["d0.test","127.0.0.1:25"]]}"#,
        r#"{"version":1,"line":7001,"input":"a","address":"a@d0.test","hosts":[]}"#,
    ];
    for message in hostile {
        broker.publish("smtpprobe.mine.jobs.3", message);
    }
    broker.publish("smtpprobe.mine.answers", r#"{"version":1,"answer":{"line":"one"}}"#);
    // An answer to a line that the list does not have.
    let stray = r#"{"version":1,"answer":{"line":4711,"input":"x","outcome":"accepted","reason":"accepted","actor":"nobody","confidence":"certain","attempts":1,"at":"2026-01-01T00:00:00Z"}}"#;
    broker.publish("smtpprobe.mine.answers", stray);
    // A run that no worker of this release understands.
    broker.publish("$KV.smtpprobe_runs.strange", r#"{"version":99}"#);
    let worker = fleet.worker("w1", &[]);
    let done = publisher.wait();
    let answers = answers_in(&journal);
    assert_eq!((done.code, answers.len(), answers.contains_key(&4711)), (Some(1), 100, false), "{}", done.said);
    assert!(done.said.contains("no answer that is understood"), "{}", done.said);
    let said = worker.said();
    assert_eq!(said.matches("no job that is understood").count(), hostile.len(), "{said}");
    assert!(said.contains("version 2, and this program knows version 1") && !said.contains('\u{1b}'), "{said}");
    assert_eq!(said.matches("strange: it is of version 99").count(), 1, "{said}");
}

#[test]
fn a_broker_that_cannot_be_worked_with_is_told_in_one_line() {
    let Some(locked) = Broker::start("locked", "authorization { user: anna, password: geheim }") else { return };
    let Some(token) = Broker::start("token", "authorization { token: geheim }") else { return };
    let Some(plain) = Broker::without_jetstream("plain") else { return };
    let narrow = r#"authorization { users: [{ user: anna, password: geheim, permissions: { publish: ["$JS.API.INFO"], subscribe: ["_INBOX.>"] } }] }"#;
    let Some(narrow) = Broker::start("narrow", narrow) else { return };
    let mail = Mail::start(Duration::ZERO);
    let fleet = Fleet::new("errors", &locked.url(), &mail);
    let list = fleet.write("list", "good1x@d0.test\n");
    let refused = format!("nats://127.0.0.1:{}", broker::free_port());
    let at = |broker: &Broker, login: &str| broker.url().replace("nats://", &format!("nats://{login}"));
    for (url, password, code, words) in [
        (refused, None, 70, "cannot be reached: Connection refused"),
        (at(&locked, ""), None, 2, "refuses the credentials"),
        (at(&locked, "anna:wrong@"), None, 2, "refuses the credentials"),
        (at(&locked, "anna@"), Some("wrong"), 2, "refuses the credentials"),
        (at(&token, ""), Some("wrong"), 2, "refuses the credentials"),
        (plain.url(), None, 2, "JetStream is not enabled"),
        (at(&narrow, "anna:geheim@"), None, 2, "does not allow it"),
        ("http://127.0.0.1".to_owned(), None, 2, "a broker looks like nats://"),
    ] {
        for command in [&["worker"][..], &["bulk", list.to_str().expect("a path")]] {
            let done = fleet.run(&[command, &["--queue", &url]].concat(), password);
            assert_eq!(done.code, Some(code), "{url} {}", done.said);
            assert!(done.said.contains(words) && done.said.lines().count() == 1, "{url}: {}", done.said);
            assert!(!done.said.contains("geheim") && !done.said.contains("wrong"), "{}", done.said);
        }
    }
    let missing = fleet.run(&["worker", "--queue", &locked.url(), "--queue-creds", "/nonexistent/w.creds"], None);
    let path = list.to_str().expect("a path");
    let strange = fleet.run(&["worker", "--queue", &locked.url(), "--queue-creds", path], None);
    assert!(strange.code == Some(2) && strange.said.contains("there are no credentials in it"), "{}", strange.said);
    assert!(missing.code == Some(2) && missing.said.contains("/nonexistent/w.creds: No such file"), "{}", missing.said);
    // And with the right ones it goes.
    let nothing = fleet.write("nothing", "");
    for (url, password) in [(at(&locked, "anna:geheim@"), None), (at(&locked, "anna@"), Some("geheim")), (at(&token, ""), Some("geheim"))] {
        let done = fleet.run(&["bulk", nothing.to_str().expect("a path"), "--queue", &url], password);
        assert_eq!(done.code, Some(0), "{url} {}", done.said);
    }
}

#[test]
fn a_user_needs_no_more_permissions_than_are_told() {
    let allowed = r#"publish: ["$JS.API.>", "$JS.ACK.>", "$KV.>", "smtpprobe.>"], subscribe: ["_INBOX.>"]"#;
    let users = format!("authorization {{ users: [{{ user: anna, password: geheim, permissions: {{ {allowed} }} }}] }}");
    let Some(broker) = Broker::start("allowed", &users) else { return };
    let mail = Mail::start(Duration::ZERO);
    let fleet = Fleet::new("allowed", &broker.url().replace("nats://", "nats://anna:geheim@"), &mail);
    let worker = fleet.worker("w1", &[]);
    let (list, journal) = (fleet.write("list", &list(60, 6)), fleet.path("journal"));
    let done = fleet.publisher(&list, &journal, &[]).wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 60), "{}", done.said);
    worker.signal("INT");
    let left = worker.wait();
    for said in [&done.said, &left.said] {
        assert!(!said.contains("geheim") && !said.contains("the broker "), "{said}");
    }
}

#[test]
fn a_list_that_is_given_up_is_forgotten() {
    let Some(broker) = Broker::start("discard", "") else { return };
    let mail = Mail::start(Duration::from_millis(50));
    let fleet = Fleet::new("discard", &broker.url(), &mail);
    let (list, journal) = (fleet.write("list", &list(200, 5)), fleet.path("journal"));
    let with_name = ["--queue-run", "r1"];
    let publisher = fleet.publisher(&list, &journal, &with_name);
    broker.wait_for_messages("smtpprobe_r1_jobs", 100);
    // In the middle of it, for this worker.
    let _worker = fleet.worker("w1", &[]);
    broker.wait_for_messages("smtpprobe_r1_answers", 1);
    publisher.signal("KILL");
    publisher.wait();
    let table = fleet.write("answers.csv", "written before\n");
    let discard = || fleet.publisher(&list, &table, &["--queue-run", "r1", "--queue-discard", "-o", "csv"]).wait();
    let done = discard();
    assert!(done.code == Some(0) && done.said.contains("has forgotten run r1"), "{}", done.said);
    assert!(broker.streams().iter().all(|name| name.starts_with("KV_")), "{:?}", broker.streams());
    let again = discard();
    assert!(again.code == Some(0) && again.said.contains("knows of no run"), "{}", again.said);
    assert_eq!(std::fs::read_to_string(&table).expect("a file"), "written before\n");
    // And it can be begun anew, with the same worker.
    let done = fleet.publisher(&list, &journal, &with_name).wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 200), "{}", done.said);
}

#[test]
fn a_credentials_file_is_a_way_in() {
    let (configuration, credentials) = operator::vouched_for();
    let Some(broker) = Broker::start("operator", &configuration) else { return };
    let mail = Mail::start(Duration::ZERO);
    let fleet = Fleet::new("operator", &broker.url(), &mail);
    let (list, journal) = (fleet.write("list", &list(30, 3)), fleet.path("journal"));
    let of_another = fleet.write("another.creds", &operator::vouched_for().1);
    for wrong in [&[][..], &["--queue-creds", of_another.to_str().expect("a path")]] {
        let done = fleet.run(&[&["bulk", list.to_str().expect("a path"), "--queue", &broker.url()], wrong].concat(), None);
        assert!(done.code == Some(2) && done.said.contains("refuses the credentials"), "{}", done.said);
    }
    let credentials = fleet.write("anna.creds", &credentials);
    let with = ["--queue-creds", credentials.to_str().expect("a path")];
    let _worker = fleet.worker("w1", &with);
    let done = fleet.publisher(&list, &journal, &with).wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 30), "{}", done.said);
}

#[test]
fn the_way_to_the_broker_can_be_secured() {
    let Some(broker) = Broker::with_tls("tls", "") else { return };
    let mail = Mail::start(Duration::ZERO);
    let fleet = Fleet::new("tls", &broker.url(), &mail);
    let list = fleet.write("list", &list(30, 3));
    let untrusted = fleet.run(&["bulk", list.to_str().expect("a path"), "--queue", &broker.url()], None);
    assert_eq!(untrusted.code, Some(2), "{}", untrusted.said);
    assert!(untrusted.said.contains("TLS with the broker") && untrusted.said.contains("--queue-ca"), "{}", untrusted.said);
    let authority = broker.path("authority.pem");
    let trusting = ["--queue-ca", authority.to_str().expect("a path")];
    let _worker = fleet.worker("w1", &trusting);
    let journal = fleet.path("journal");
    let done = fleet.publisher(&list, &journal, &trusting).wait();
    assert_eq!((done.code, answers_in(&journal).len()), (Some(1), 30), "{}", done.said);
}

#[test]
fn the_broker_may_ask_for_a_certificate() {
    let Some(broker) = Broker::with_tls("mutual", "verify: true") else { return };
    let mail = Mail::start(Duration::ZERO);
    let fleet = Fleet::new("mutual", &broker.url(), &mail);
    let [list, authority, own, key] =
        [fleet.write("list", ""), broker.path("authority.pem"), broker.path("own.pem"), broker.path("key.pem")];
    let path = |path: &std::path::PathBuf| path.to_str().expect("a path").to_owned();
    let [list, authority, own, key] = [&list, &authority, &own, &key].map(path);
    let url = broker.url();
    let trusting = ["bulk", &list, "--queue", &url, "--queue-ca", &authority];
    let without = fleet.run(&trusting, None);
    assert!(without.code == Some(2) && without.said.lines().count() == 1, "{}", without.said);
    assert!(without.said.contains("--queue-certificate"), "{}", without.said);
    let with = fleet.run(&[&trusting[..], &["--queue-certificate", &own, "--queue-key", &key]].concat(), None);
    assert_eq!(with.code, Some(0), "{}", with.said);
}
