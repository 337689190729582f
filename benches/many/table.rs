//! The table: what is measured, and what it should come to.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::time::Duration;

use crate::lab::{DOMAINS, Lab, SERVER, YES_PORT, address};
use crate::measure::Cost;
use crate::peer;
use crate::program::built;

/// Limits lifted, and nothing asked beside the mailboxes themselves: what the bare client does.
pub(crate) const FREE: [&str; 14] = [
    "bulk",
    "--resolver",
    SERVER,
    "--rate",
    "unlimited",
    "--from",
    "me@probe.test",
    "--helo",
    "probe.test",
    "--tls",
    "off",
    "--controls",
    "off",
    "-q",
];

const HEAD: &str = "\
| | RTT | bare client | smtpprobe | share | at least | CPU for 1,000 | at most | memory | at most | |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|";

/// How much of everything.
struct Extent {
    runs: usize,
    addresses: u32,
    domains: u32,
    long: u32,
    sessions: u32,
}

const WHOLE: Extent = Extent { runs: 5, addresses: 10_000, domains: 1000, long: 1_000_000, sessions: DOMAINS };
const SHORT: Extent = Extent { runs: 1, addresses: 300, domains: 30, long: 2000, sessions: 50 };

/// One comparison with the bare client.
struct Row<'a> {
    title: &'a str,
    list: &'a str,
    jobs: Option<&'a str>,
    connections: usize,
    /// The least share of the bare client's rate, and the most computing time for a thousand addresses.
    share: f64,
    computing: f64,
    code: i32,
}

/// Measures everything and prints it. What misses its mark is marked; only what does not work at all is an error.
pub(crate) fn print(short: bool, peer: Option<&str>) -> io::Result<()> {
    let extent = if short { SHORT } else { WHOLE };
    let program = built(short)?;
    let program = program.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    println!("{} addresses; medians of {}, each run beside one of the bare client.", extent.addresses, extent.runs);
    for round_trip in [Duration::ZERO, Duration::from_millis(50)] {
        let lab = Lab::open(round_trip)?;
        println!("\n{HEAD}");
        compare(&lab, program, &extent, round_trip, short)?;
        touched(&lab, short)?;
        peer::compare(&lab, program, peer, (extent.runs.min(3), extent.addresses / 10), round_trip)?;
        if round_trip.is_zero() {
            continue;
        }
        println!("\n| | | at most | memory | at most | |\n|---|--:|--:|--:|--:|---|");
        first_session(&lab, program, &extent, round_trip, short)?;
    }
    let lab = Lab::open(Duration::ZERO)?;
    long_lists(&lab, program, &extent, short)?;
    many_sessions(&lab, program, &extent, short)
}

fn compare(lab: &Lab, program: &str, extent: &Extent, round_trip: Duration, short: bool) -> io::Result<()> {
    let itself = std::env::current_exe()?;
    let bare = itself.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    let count = extent.addresses;
    let [mut one, mut one_jobs, mut mixed, mut many, mut many_jobs] = [const { String::new() }; 5];
    for number in 0..count {
        let _ = writeln!(one, "user{number:05}@one.test");
        let _ = writeln!(one_jobs, "{SERVER} user{number:05}@one.test");
        let _ = writeln!(mixed, "{}{number:05}@one.test", if number % 5 == 0 { "gone" } else { "user" });
        let _ = writeln!(many, "user{number:05}@d{}.test", number % extent.domains);
        // The bare client needs those of one host together.
        let domain = number / (count / extent.domains);
        let _ = writeln!(many_jobs, "{} user{number:05}@d{domain}.test", address(domain));
    }
    let file = |name: &str, text: &str| lab.write(name, text);
    let (one, one_jobs) = (file("one", &one)?, file("one-jobs", &one_jobs)?);
    let (mixed, many, many_jobs) = (file("mixed", &mixed)?, file("many", &many)?, file("many-jobs", &many_jobs)?);
    for row in [
        Row { title: "one domain", list: &one, jobs: Some(&one_jobs), connections: 20, share: 0.8, computing: 0.02, code: 0 },
        Row { title: "one domain, every fifth unknown", list: &mixed, jobs: None, connections: 20, share: 0.0, computing: 0.0, code: 1 },
        Row { title: "many domains", list: &many, jobs: Some(&many_jobs), connections: 50, share: 0.7, computing: 0.1, code: 0 },
    ] {
        let connections = row.connections.to_string();
        let more = ["--connections", &connections, "--connections-per-destination", &connections, "--i-own-this-domain", row.list];
        let arguments = [&FREE[..], &more].concat();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..extent.runs {
            if let Some(jobs) = row.jobs {
                theirs.push(expect(lab.measure(bare, &["bare", &connections, jobs])?, 0, "the bare client")?);
            }
            ours.push(expect(lab.measure(program, &arguments)?, row.code, row.title)?);
        }
        let cost = Cost::median(&ours).ok_or(io::ErrorKind::InvalidData)?;
        let rate = |cost: Cost| f64::from(count) / cost.wall.as_secs_f64();
        let bare = Cost::median(&theirs).map(rate);
        let share = bare.map(|bare| rate(cost) / bare);
        let computing = cost.cpu.as_secs_f64() * 1000.0 / f64::from(count);
        let mut over = Vec::new();
        if share.is_some_and(|share| share < row.share) {
            over.push("rate");
        }
        if row.computing > 0.0 && computing > row.computing {
            over.push("CPU");
        }
        if cost.memory > 40_000_000 {
            over.push("memory");
        }
        println!(
            "| {} | {} ms | {} | {:.0}/s | {} | {} | {computing:.4} s | {} | {} | 40 MB | {} |",
            row.title,
            round_trip.as_millis(),
            bare.map_or(String::new(), |bare| format!("{bare:.0}/s")),
            rate(cost),
            share.map_or(String::new(), |share| format!("{share:.2}")),
            if row.share > 0.0 { format!("{:.2}", row.share) } else { String::new() },
            if row.computing > 0.0 { format!("{} s", row.computing) } else { String::new() },
            megabytes(cost.memory),
            mark(&over, short),
        );
    }
    Ok(())
}

/// MX, address, connection, greeting, EHLO, and MAIL with RCPT: that this takes six round trips shows that the first session began
/// after two.
fn first_session(lab: &Lab, program: &str, extent: &Extent, round_trip: Duration, short: bool) -> io::Result<()> {
    let list = lab.write("single", "user@one.test\n")?;
    let arguments = [&FREE[..], &[list.as_str()]].concat();
    let costs: io::Result<Vec<Cost>> = (0..extent.runs).map(|_| expect(lab.measure(program, &arguments)?, 0, "one address")).collect();
    let cost = Cost::median(&costs?).ok_or(io::ErrorKind::InvalidData)?;
    let round_trips = cost.wall.as_secs_f64() / round_trip.as_secs_f64();
    let over: &[&str] = if round_trips > 7.0 { &["time"] } else { &[] };
    println!(
        "| one address, from start to end | {round_trips:.2} round trips | 7 | {} | | {} |",
        megabytes(cost.memory),
        mark(over, short)
    );
    Ok(())
}

/// What Postfix says of all that, with its limits as they are.
fn touched(lab: &Lab, short: bool) -> io::Result<()> {
    let touched = lab.limits_touched()?;
    println!(
        "| Postfix' limits touched by that | | | {touched} times | | 0 | | | | | {} |",
        mark(if touched > 0 { &["limits"] } else { &[] }, short)
    );
    Ok(())
}

/// A list may be of any length: memory is taken by those who wait for their answer, and no more are let in than wait in the shorter one.
fn long_lists(lab: &Lab, program: &str, extent: &Extent, short: bool) -> io::Result<()> {
    let (mut server, _) = lab.say_yes(0)?;
    let port = YES_PORT.to_string();
    let mut shorter = None;
    for count in [extent.long * 3 / 10, extent.long] {
        let list: String = (0..count).fold(String::new(), |mut list, number| {
            let _ = writeln!(list, "user{number}@one.test");
            list
        });
        let list = lab.write("long", &list)?;
        let more = ["--port", &port, "--connections-per-destination", "20", "--i-own-this-domain", list.as_str()];
        let cost = expect(lab.measure(program, &[&FREE[..], &more].concat())?, 0, "a long list")?;
        let most = shorter.map_or(120_000_000, |shorter: u64| 120_000_000.min(shorter + shorter / 10));
        let over: &[&str] = if cost.memory > most { &["memory"] } else { &[] };
        let rate = f64::from(count) / cost.wall.as_secs_f64();
        println!(
            "| a list of {count}, a server that says yes at once | {rate:.0}/s | | {} | {} | {} |",
            megabytes(cost.memory),
            megabytes(most),
            mark(over, short)
        );
        shorter = Some(cost.memory);
    }
    server.kill()?;
    server.wait().map(drop)
}

/// All of them have to be open before one gets a reply to RCPT.
fn many_sessions(lab: &Lab, program: &str, extent: &Extent, short: bool) -> io::Result<()> {
    let (mut server, file) = lab.say_yes(extent.sessions)?;
    let list: String = (0..extent.sessions).fold(String::new(), |mut list, number| {
        let _ = writeln!(list, "user@d{number}.test");
        list
    });
    let list = lab.write("sessions-list", &list)?;
    let (port, connections) = (YES_PORT.to_string(), extent.sessions.to_string());
    let more = ["--port", &port, "--connections", &connections, list.as_str()];
    let cost = expect(lab.measure(program, &[&FREE[..], &more].concat())?, 0, "many sessions")?;
    let open: u32 = fs::read_to_string(file)?.trim().parse().map_err(io::Error::other)?;
    let over: &[&str] = if open < extent.sessions { &["sessions"] } else { &[] };
    println!("| sessions open at once | {open} | | {} | | {} |", megabytes(cost.memory), mark(over, short));
    server.kill()?;
    server.wait().map(drop)
}

pub(crate) fn expect(cost: Cost, code: i32, what: &str) -> io::Result<Cost> {
    if cost.code == code { Ok(cost) } else { Err(io::Error::other(format!("exit code {} of {what}", cost.code))) }
}

fn megabytes(octets: u64) -> String {
    format!("{}.{} MB", octets / 1_000_000, octets / 100_000 % 10)
}

/// A short run of a build for debugging is not what the limits are for.
fn mark(over: &[&str], short: bool) -> String {
    match (short, over) {
        (true, _) => "not judged".to_owned(),
        (false, []) => "ok".to_owned(),
        (false, over) => format!("over: {}", over.join(", ")),
    }
}
