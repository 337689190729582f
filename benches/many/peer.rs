//! Others that answer the same question, on the same list at the same servers: swaks, as it is used for lists, and what `--peer`
//! names.

use std::fmt::Write as _;
use std::io;
use std::process::Command;
use std::time::Duration;

use crate::lab::{Lab, SERVER};
use crate::measure::Cost;
use crate::table::{FREE, expect};

/// Sessions at a time.
const CONNECTIONS: &str = "20";

/// Measures those that are there; `named` is a program that is called with the list and the number of connections.
pub(crate) fn compare(lab: &Lab, program: &str, named: Option<&str>, (runs, count): (usize, u32), round_trip: Duration) -> io::Result<()> {
    println!("\n| at one domain | RTT | addresses a second | smtpprobe's on the same list | times | CPU for 1,000 | smtpprobe's |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    if Command::new("swaks").arg("--version").output().is_ok() {
        let one = format!("swaks --quit-after RCPT --server {SERVER} --from me@probe.test --helo probe.test --to");
        let script = format!("xargs -P {CONNECTIONS} -n 1 {one} < \"$0\" > /dev/null");
        row(lab, program, ("swaks, a process an address", count / 5), runs, round_trip, |list| {
            ["sh", "-c", &script, list].map(str::to_owned).to_vec()
        })?;
    } else {
        println!("| swaks | {} ms | skipped: it is not installed | | | | |", round_trip.as_millis());
    }
    if let Some(named) = named {
        row(lab, program, (named, count), runs, round_trip, |list| [named, list, CONNECTIONS].map(str::to_owned).to_vec())?;
    }
    Ok(())
}

fn row(
    lab: &Lab,
    program: &str,
    (name, count): (&str, u32),
    runs: usize,
    round_trip: Duration,
    command: impl Fn(&str) -> Vec<String>,
) -> io::Result<()> {
    let list: String = (0..count).fold(String::new(), |mut list, number| {
        let _ = writeln!(list, "user{number:05}@one.test");
        list
    });
    let list = lab.write("peers", &list)?;
    let more = ["--connections", CONNECTIONS, "--connections-per-destination", CONNECTIONS, "--i-own-this-domain", &list];
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let command = command(&list);
        let arguments: Vec<&str> = command[1..].iter().map(String::as_str).collect();
        theirs.push(expect(lab.measure(&command[0], &arguments)?, 0, name)?);
        ours.push(expect(lab.measure(program, &[&FREE[..], &more].concat())?, 0, "a list")?);
    }
    let [theirs, ours] = [theirs, ours].map(|costs| Cost::median(&costs).ok_or(io::ErrorKind::InvalidData));
    let (theirs, ours) = (theirs?, ours?);
    let rate = |cost: Cost| f64::from(count) / cost.wall.as_secs_f64();
    let computing = |cost: Cost| cost.cpu.as_secs_f64() * 1000.0 / f64::from(count);
    println!(
        "| {name} | {} ms | {:.0} | {:.0} | {:.0} | {:.2} s | {:.3} s |",
        round_trip.as_millis(),
        rate(theirs),
        rate(ours),
        rate(ours) / rate(theirs),
        computing(theirs),
        computing(ours)
    );
    Ok(())
}
