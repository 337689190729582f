//! How long a list takes, from a million mailboxes to ten thousand millions, with one worker, ten, and a hundred; and what bounds it.
//!
//! `cargo run --release --example plan`; nothing is asked of anybody. What it assumes of the world is in [`kinds`] and [`FLEET`]: change
//! that to what you know of your list.

mod model;
mod run;

use std::time::Duration;

use smtpprobe::bulk::Order;

use model::{Bound, Fleet, Kind, Number, forecast};
use run::{Delays, Place};

/// A lookup is MX, then the addresses of the hosts, from a resolver that has to ask others. Processor time was measured on one core of
/// a virtual machine, with TLS 1.3 in each session.
const FLEET: Fleet = Fleet {
    workers: 1,
    addresses: 1,
    lookup: Duration::from_millis(100),
    processor: [Duration::from_micros(30), Duration::from_micros(600)],
};

const REMARKS: &str = "\
More workers help where connections, lookups or processors are the bound. Where a destination is, only what it allows helps:
a higher rate, or more addresses to ask from, if its limits go by address. A list in no order is assumed; one that is
sorted by domain takes the sum of its destinations instead of the longest.";

const LISTS: [(&str, u64); 3] = [("10^6", 1_000_000), ("10^8", 100_000_000), ("10^10", 10_000_000_000)];

/// Who holds how many mailboxes of a list of private people all over the world: assumptions, no measurements. A few providers hold most,
/// some national ones and hosting companies a good part, and innumerable servers a few each.
fn kinds(order: &Order) -> [Kind; 6] {
    let delays = |millis: u64| Delays {
        connect: Duration::from_millis(millis),
        reply: Duration::from_millis(millis + 20),
        recipient: Duration::from_millis(2),
        handshake: Some(Duration::from_millis(millis * 2)),
        pipelining: true,
    };
    let place =
        |millis: u64, unknown: f64, put_off: f64| Place { mailboxes: 0, limits: order.limits, delays: delays(millis), unknown, put_off };
    let kind = |name, share, number, domains, place| Kind { name, share, number, domains, place };
    [
        kind("the largest provider", 0.35, Number::Fixed(1), 100_000, place(20, 0.05, 0.0)),
        kind("two more of its size", 0.25, Number::Fixed(2), 50_000, place(40, 0.05, 0.02)),
        kind("30 national providers", 0.15, Number::Fixed(30), 1_000, place(80, 0.05, 0.02)),
        kind("1,000 hosting companies", 0.12, Number::Fixed(1_000), 100_000, place(60, 0.1, 0.05)),
        kind("companies' own servers", 0.08, Number::Growing { each: 100, most: 2_000_000 }, 2, place(80, 0.1, 0.1)),
        kind("small servers", 0.05, Number::Growing { each: 3, most: 50_000_000 }, 1, place(120, 0.1, 0.2)),
    ]
}

fn main() {
    let order = Order::default();
    let kinds = kinds(&order);
    println!("Assumed: who holds the mailboxes\n");
    println!("| kind | mailboxes | destinations in 10^8 | round trip | unknown | put off |\n|---|--:|--:|--:|--:|--:|");
    for kind in &kinds {
        let count = kind.count(100_000_000);
        let Place { delays, unknown, put_off, .. } = kind.place;
        let (share, unknown, put_off) = (kind.share * 100.0, unknown * 100.0, put_off * 100.0);
        println!("| {} | {share:.0} % | {count:.0} | {} ms | {unknown:.0} % | {put_off:.0} % |", kind.name, delays.connect.as_millis());
    }
    let limits = order.limits;
    let pace = limits.rate.map_or_else(|| "any number of recipients".to_owned(), |rate| format!("{rate:.0} recipients"));
    println!("\nAt each destination {pace} a second and {} connections; each worker {} in all.", limits.connections, order.connections);
    println!("\n| mailboxes | workers | one address | bound by | an address each | bound by |\n|--:|--:|--:|---|--:|---|");
    for (name, mailboxes) in LISTS {
        for workers in [1, 10, 100] {
            let of = |addresses| forecast(&order, &kinds, mailboxes, Fleet { workers, addresses, ..FLEET });
            let (one, each) = (of(1), of(workers));
            let (took, bound) = (words(each.seconds), told(each.bound));
            println!("| {name} | {workers} | {} | {} | {took} | {bound} |", words(one.seconds), told(one.bound));
        }
    }
    println!("\nWhat each bound would take by itself, with one worker and one address:\n");
    println!("| mailboxes | slowest destination | connections in all | lookups | processors |\n|--:|--:|--:|--:|--:|");
    for (name, mailboxes) in LISTS {
        let [slowest, connections, lookups, processors] = forecast(&order, &kinds, mailboxes, FLEET).each.map(words);
        println!("| {name} | {slowest} | {connections} | {lookups} | {processors} |");
    }
    println!("\n{REMARKS}");
}

/// A time as people say it.
fn words(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3600.0),
        ..63_115_200.0 => format!("{:.1} days", seconds / 86_400.0),
        _ => format!("{:.1} years", seconds / 31_557_600.0),
    }
}

fn told(bound: Bound) -> &'static str {
    match bound {
        Bound::Destination(name) => name,
        Bound::PutOff => "those put off",
        Bound::Connections => "connections in all",
        Bound::Lookups => "lookups",
        Bound::Processor => "processors",
    }
}
