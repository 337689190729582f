//! What `examples/plan` forecasts, against real runs: servers on loopback that answer late, and limits at which a run takes seconds.
//!
//! Loopback has no way to go, so that all time is the servers' delay, the pace and the waiting for connections; what is left over is
//! the processor's part, which the simulation does not know: timers that fire up to a millisecond late for each reply, and a debug
//! build. With replies after 20 ms and more that is some percent; a fifth is allowed, because other tests run beside this one.

#[allow(dead_code, reason = "the example shows more of it")]
#[path = "../examples/plan/model.rs"]
mod model;
#[path = "../examples/plan/run.rs"]
mod run;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use model::{Bound, Fleet, Forecast, Kind, Number, forecast};
use run::{Delays, Place, simulate};
use smtpprobe::bulk::input::{Form, List};
use smtpprobe::bulk::manners::{Limits, UnknownUsers};
use smtpprobe::bulk::overrides::Override;
use smtpprobe::bulk::{Halt, Order, Settled, run as ask_all};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::settings::{Controls, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// Of the forecast, so much may be missing or too much.
const TOLERANCE: f64 = 0.2;

/// How often a run is tried that was disturbed.
const TRIES: usize = 4;

/// Each test has the processor for itself.
static ALONE: Mutex<()> = Mutex::new(());

/// A server that answers as late as `delays` say: mailboxes called `nobody` are unknown, those called `late` are put off once.
fn server(delays: Delays) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address")).expect("somebody who asks");
            let late = Arc::new(Mutex::new(BTreeSet::new()));
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, delays, Arc::clone(&late)));
            }
        });
    });
    told.recv().expect("an address")
}

async fn talk(mut stream: TcpStream, delays: Delays, late: Arc<Mutex<BTreeSet<String>>>) -> Option<()> {
    sleep(delays.reply).await;
    stream.write_all(b"220 mx.test ESMTP\r\n").await.ok()?;
    let (mut held, mut bytes) = (Vec::new(), [0; 16_000]);
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        held.extend_from_slice(bytes.get(..length)?);
        let whole = held.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let text = String::from_utf8(held.drain(..whole).collect()).ok()?;
        let recipients = u32::try_from(text.lines().filter(|line| line.starts_with("RCPT")).count()).ok()?;
        sleep(delays.reply + delays.recipient * recipients).await;
        let reply = |line: &str| match line.get(..4) {
            Some("EHLO") if delays.pipelining => "250-mx.test\r\n250 PIPELINING",
            Some("RCPT") if line.contains("<nobody") => "550 5.1.1 User unknown",
            Some("RCPT") if line.contains("<late") && late.lock().is_ok_and(|mut late| late.insert(line.to_owned())) => {
                "450 4.2.0 Greylisted, try again later"
            }
            Some("QUIT") => "221 2.0.0 Bye",
            _ => "250 2.0.0 Ok",
        };
        let replies: Vec<String> = text.lines().map(|line| format!("{}\r\n", reply(line))).collect();
        stream.write_all(replies.concat().as_bytes()).await.ok()?;
    }
    None
}

/// Which of the first `count` fall under a share of all, spaced evenly.
fn falls(index: u64, share: f64) -> bool {
    #[allow(clippy::cast_precision_loss, reason = "some hundreds")]
    let at = |index: u64| (index as f64 * share + 1e-9).floor();
    at(index + 1) > at(index)
}

/// Asks real servers for what `places` say, in an order that mixes them, or in none while the list is read for `spread`; how long that
/// takes, and how many sessions.
fn asked(order: &Order, places: &[Place], spread: Option<Duration>) -> (Duration, u64) {
    let mut settings = Settings { hello: "probe.test".parse().ok(), controls: Controls::Off, ..Settings::default() };
    let mut order = order.clone();
    let mut lines: Vec<(u64, String)> = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let domain = format!("d{number}.localhost");
        let [high, low] = u16::try_from(number + 1).expect("few").to_be_bytes();
        let address = IpAddr::from([192, 0, high, low]);
        let Limits { rate, connections, .. } = place.limits;
        let change = Override { rate: Some(rate), connections: Some(connections), ..Override::default() };
        assert!(order.overrides.add(domain.parse().expect("a pattern"), change));
        settings.resolve.insert(domain.parse().expect("a name"), vec![address]);
        settings.connect_to.insert(SocketAddr::new(address, 25), server(place.delays));
        for index in 0..place.mailboxes {
            let kind = match index {
                _ if falls(index, place.put_off) => "late",
                _ if falls(index, place.unknown) => "nobody",
                _ => "good",
            };
            lines.push((index, format!("{kind}{index}@{domain}\n")));
        }
    }
    lines.sort_by_key(|(index, _)| *index);
    if spread.is_some() {
        fastrand::Rng::with_seed(7).shuffle(&mut lines);
    }
    let list: String = lines.into_iter().map(|(_, line)| line).collect();
    let knowledge = Knowledge::english();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (feed, entries) = mpsc::channel(100_000);
        let gap = spread.map(|spread| spread / u32::try_from(list.lines().count()).expect("a short list"));
        let (_go, halt) = watch::channel(Halt::No);
        let began = Instant::now();
        let feeding = async move {
            for (entry, number) in List::new(list.as_bytes(), Form::Lines).zip(0..) {
                if let Some(gap) = gap {
                    sleep((gap * number).saturating_sub(began.elapsed())).await;
                }
                feed.send(entry.expect("a line")).await.expect("room");
            }
        };
        let asking = ask_all((&order, &settings, &knowledge), entries, halt, |_| ControlFlow::Continue(()), |_| {});
        let ((), tally) = tokio::join!(feeding, asking);
        let taken = began.elapsed();
        let judged = tally.of(Settled::Accepted) + tally.of(Settled::Rejected);
        assert_eq!(judged, places.iter().map(|place| place.mailboxes).sum::<u64>(), "{tally:?}");
        (taken, tally.begun)
    })
}

/// The same by the forecast, which knows kinds of destinations.
#[allow(clippy::cast_precision_loss, reason = "some hundreds")]
fn planned(order: &Order, places: &[Place]) -> Forecast {
    let all: u64 = places.iter().map(|place| place.mailboxes).sum();
    let kind = |place: &Place| Kind {
        name: "it",
        share: place.mailboxes as f64 / all as f64,
        number: Number::Fixed(1),
        domains: 1,
        place: *place,
    };
    let kinds: Vec<Kind> = places.iter().map(kind).collect();
    forecast(order, &kinds, all, Fleet { workers: 1, addresses: 1, lookup: Duration::ZERO, processor: [Duration::ZERO; 2] })
}

fn order() -> Order {
    let limits = Limits { rate: None, unknown_users: UnknownUsers::Own, ..Limits::default() };
    Order { limits, retry_after: Duration::from_secs(1), ..Order::default() }
}

fn place(mailboxes: u64, limits: Limits, millis: u64, pipelining: bool) -> Place {
    let delays =
        Delays { connect: Duration::ZERO, reply: Duration::from_millis(millis), recipient: Duration::ZERO, handshake: None, pipelining };
    Place { mailboxes, limits, delays, unknown: 0.0, put_off: 0.0 }
}

/// Whether a run takes as long as simulation and forecast say.
fn compare(name: &str, order: &Order, places: &[Place], bound: Bound) {
    let (simulated, planned) = (simulate(order, places, None).took.as_secs_f64(), planned(order, places));
    assert_eq!(planned.bound, bound, "{name}");
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let real = asked(order, places, None).0.as_secs_f64();
        let off = |forecast: f64| (real / forecast - 1.0) * 100.0;
        eprintln!(
            "{name}: {real:.2} s; simulated {simulated:.2} s ({:+.0} %), planned {:.2} s ({:+.0} %)",
            off(simulated),
            planned.seconds,
            off(planned.seconds)
        );
        let is_near = |forecast: f64| (real / forecast - 1.0).abs() <= TOLERANCE;
        if is_near(simulated) && is_near(planned.seconds) {
            return;
        }
        seen.push(real);
    }
    panic!("{name}: {seen:.2?} s, but simulated {simulated:.2} s and planned {:.2} s", planned.seconds);
}

#[test]
fn runs_take_as_long_as_they_are_planned_to() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let it = Bound::Destination("it");
    let order = order();
    let limits = order.limits;

    let slow = Limits { rate: Some(50.0), ..limits };
    compare("one destination, by its rate", &order, &[place(250, slow, 60, true)], it);

    let one = place(50, limits, 70, false);
    compare("one destination, by round trips one by one", &order, &[one], it);
    let single = Limits { connections: 1, ..limits };
    let group = Place { unknown: 0.1, ..place(300, single, 90, true) };
    compare("one destination, by round trips in groups, some unknown", &order, &[group], it);

    let late = Place { put_off: 0.25, ..place(80, limits, 60, true) };
    let patient = Order { retry_after: Duration::from_secs(2), ..order.clone() };
    compare("one destination, by those put off", &patient, &[late], Bound::PutOff);

    // As skewed as the world: the first has a tenth, and most have one.
    let few = Order { connections: 4, ..order.clone() };
    let many: Vec<Place> = (1..=40).map(|rank| place((40 / rank).max(1), limits, 70, true)).collect();
    compare("40 destinations, by connections in all", &few, &many, Bound::Connections);
}

/// What is simulated in part goes on as it was.
#[test]
fn a_long_list_goes_on_as_it_began() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let order = order();
    let slow = Limits { rate: Some(50.0), ..order.limits };
    for place in [
        place(40_000, slow, 20, true),
        Place { unknown: 0.1, ..place(40_000, order.limits, 50, true) },
        Place { unknown: 0.02, put_off: 0.1, ..place(40_000, order.limits, 5, false) },
    ] {
        let (whole, planned) = (simulate(&order, &[place], None).took.as_secs_f64(), planned(&order, &[place]).seconds);
        assert!((planned / whole - 1.0).abs() < 0.03, "{place:?}: {planned} s, {whole} s");
    }
}

/// Mailboxes of small destinations that come one by one have a session each, unless they come close together.
#[test]
#[allow(clippy::cast_precision_loss, reason = "some hundreds")]
fn a_list_in_no_order_takes_as_many_sessions_as_planned() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let order = order();
    let spread = Duration::from_secs(6);
    let places: Vec<Place> = (0..30).map(|number| place(if number < 5 { 30 } else { 4 }, order.limits, 20, true)).collect();
    let simulated = simulate(&order, &places, Some(spread)).sessions;
    let (took, sessions) = asked(&order, &places, Some(spread));
    eprintln!("a list in no order: {sessions} sessions in {took:.1?}; simulated {simulated}");
    let mailboxes: u64 = places.iter().map(|place| place.mailboxes).sum();
    assert!(sessions > 60 && sessions < mailboxes / 2, "{sessions}");
    assert!((sessions as f64 / simulated as f64 - 1.0).abs() < TOLERANCE, "{sessions}, simulated {simulated}");
}

/// Workers help where connections bound, and nobody at the one destination; more addresses do there.
#[test]
fn a_destination_is_no_faster_for_more_workers() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let order = Order { connections: 10, ..Order::default() };
    let large = Kind {
        name: "large",
        share: 0.5,
        number: Number::Fixed(1),
        domains: 1,
        place: place(0, Limits { rate: Some(50.0), ..Limits::default() }, 20, true),
    };
    let small =
        Kind { name: "small", number: Number::Growing { each: 2, most: 1_000_000 }, place: place(0, order.limits, 400, true), ..large };
    let of = |workers, addresses| {
        forecast(&order, &[large, small], 1_000_000, Fleet { workers, addresses, lookup: Duration::ZERO, processor: [Duration::ZERO; 2] })
    };
    let one = of(1, 1);
    assert_eq!(one.bound, Bound::Connections);
    let many = of(100, 1);
    assert!(many.bound == Bound::Destination("large") && (many.seconds - 10_000.0).abs() < 300.0, "{many:?}");
    assert!((of(1000, 1).seconds - many.seconds).abs() < 1.0);
    let apart = of(100, 10);
    assert!((apart.seconds - 1_000.0).abs() < 50.0, "{apart:?}");
    assert!(one.seconds > many.seconds);
}
