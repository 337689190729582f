//! The table: what is measured, and what it should cost at most.

use std::io;
use std::time::Duration;

use crate::lab::{Lab, SERVER};
use crate::measure::Cost;
use crate::program::built;

/// One question to one server, and only the verdict: what a mail server itself would do before it sends.
const LEAST: [&str; 7] = ["-q", "--first", "--controls", "off", "--resolver", SERVER, "--until=rcpt"];

/// One line of the table.
struct Row {
    title: &'static str,
    arguments: Vec<&'static str>,
    limit: Limit,
    /// The exit code that it should end with.
    code: i32,
}

/// What the time should be at most.
#[derive(Clone, Copy)]
enum Limit {
    RoundTrips(f64),
    /// What the row above it that counts to Postfix took, and this much more.
    BeyondPostfix(Duration),
    Time(Duration),
}

/// The exit code where something cannot be reached.
const UNREACHABLE: i32 = 4;
/// Computing time of a probe that only wants the verdict, and its memory in octets.
const CPU_LIMIT: Duration = Duration::from_millis(10);
const MEMORY_LIMIT: u64 = 10_000_000;

fn rows(connect_timeout: Duration) -> Vec<Row> {
    let least = |more: &[&'static str]| [&LEAST, more].concat();
    let row = |title, arguments, limit| Row { title, arguments, limit, code: 0 };
    // Two hosts, two families, three ports; without lookups, which would take two round trips.
    let matrix = [
        "ports",
        "--server=mx1.postfix.test",
        "--server=mx2.postfix.test",
        "--resolve=mx1.postfix.test:198.51.100.2",
        "--resolve=mx1.postfix.test:2001:db8::2",
        "--resolve=mx2.postfix.test:198.51.100.4",
        "--resolve=mx2.postfix.test:2001:db8::4",
        "ports.test",
    ];
    let patient = if connect_timeout.as_secs() == 1 { "--connect-timeout=1" } else { "--connect-timeout=10" };
    let silence = Limit::BeyondPostfix(Duration::from_millis(350));
    vec![
        row("without TLS", least(&["--tls=off", "user@postfix.test"]), Limit::RoundTrips(6.3)),
        row("STARTTLS, a server that sends at once", least(&["user@at-once.test"]), Limit::RoundTrips(9.3)),
        row("STARTTLS, Postfix", least(&["user@postfix.test"]), Limit::RoundTrips(10.3)),
        row("STARTTLS, Postfix, with MTA-STS", least(&["--tls-ca=authority.pem", "user@policy.test"]), Limit::RoundTrips(10.3)),
        row("the same, the policy host silent", least(&["user@mute.test"]), Limit::BeyondPostfix(Duration::from_millis(600))),
        row("first MX silent", least(&["user@late.test"]), silence),
        row("IPv6 silent", least(&["user@half.test"]), silence),
        row(
            "every host, one silent, the whole report",
            vec!["--resolver", SERVER, patient, "user@late.test"],
            Limit::Time(connect_timeout + Duration::from_secs(1)),
        ),
        row("ports: all twelve answer", matrix.to_vec(), Limit::RoundTrips(2.3)),
        row("ports: the same with their lookups", vec!["ports", "--resolver", SERVER, "ports.test"], Limit::RoundTrips(4.5)),
        Row {
            code: UNREACHABLE,
            ..row(
                "ports: one host silent",
                vec!["ports", "--resolver", SERVER, patient, "silent.test"],
                Limit::Time(connect_timeout + Duration::from_millis(500)),
            )
        },
        row("explain 552", vec!["explain", "552"], Limit::Time(Duration::from_millis(5))),
        row("--help", vec!["--help"], Limit::Time(Duration::from_millis(5))),
    ]
}

/// Measures everything and prints it. What is over its limit is marked; only what does not work at all is an error.
pub(crate) fn print(short: bool) -> io::Result<()> {
    let (round_trip, runs) = if short { (Duration::from_millis(20), 1) } else { (Duration::from_millis(100), 5) };
    let connect_timeout = Duration::from_secs(if short { 1 } else { 10 });
    let program = built(short)?;
    let command = program.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    let lab = Lab::open(round_trip)?;
    // The servers' first session is slower than all that follow.
    lab.measure(command, &[&LEAST[..], &["user@postfix.test"]].concat())?;

    println!("Round-trip time {} ms, medians of {runs}. Limits for each of the first seven: 10 ms CPU, 10 MB.\n", round_trip.as_millis());
    println!("| a probe up to RCPT | time | round trips | at most | CPU | memory | |");
    println!("|---|--:|--:|--:|--:|--:|---|");
    let mut postfix = Duration::ZERO;
    for Row { title, arguments, limit, code } in rows(connect_timeout) {
        let costs: io::Result<Vec<Cost>> = (0..runs).map(|_| lab.measure(command, &arguments)).collect();
        let cost = Cost::median(&costs?).ok_or(io::ErrorKind::InvalidData)?;
        if cost.code != code {
            return Err(io::Error::other(format!("exit code {} of smtpprobe {}", cost.code, arguments.join(" "))));
        }
        if matches!(limit, Limit::RoundTrips(_)) && arguments[0] != "ports" {
            postfix = cost.wall;
        }
        // A short line, and a build for debugging, are not what the limits are for.
        let (row, mark) = line(title, cost, limit, round_trip, postfix);
        println!("{row} {} |", if short { "not judged" } else { mark.as_str() });
    }
    Ok(())
}

/// What stands in a line of the table, and whether that is within the limits.
fn line(title: &str, cost: Cost, limit: Limit, round_trip: Duration, postfix: Duration) -> (String, String) {
    let round_trips = cost.wall.as_secs_f64() / round_trip.as_secs_f64();
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let (in_time, at_most) = match limit {
        Limit::RoundTrips(most) => (round_trips <= most, format!("{most} round trips")),
        Limit::BeyondPostfix(more) => (cost.wall <= postfix + more, millis(postfix + more)),
        Limit::Time(most) => (cost.wall <= most, millis(most)),
    };
    let bounded = !matches!(limit, Limit::Time(_)) && !title.starts_with("ports");
    let over = [
        (!in_time).then_some("time"),
        (bounded && cost.cpu > CPU_LIMIT).then_some("CPU"),
        (bounded && cost.memory > MEMORY_LIMIT).then_some("memory"),
    ];
    let over: Vec<&str> = over.into_iter().flatten().collect();
    let mark = if over.is_empty() { "ok".to_owned() } else { format!("over: {}", over.join(", ")) };
    let row = format!(
        "| {title} | {} | {round_trips:.2} | {at_most} | {} | {}.{} MB |",
        millis(cost.wall),
        millis(cost.cpu),
        cost.memory / 1_000_000,
        cost.memory / 100_000 % 10
    );
    (row, mark)
}
