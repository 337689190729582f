//! Runs against servers on loopback that do what servers do, and what they should not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::Settled;
use super::super::input::{Form, List};
use super::super::manners::{Limits, UnknownUsers};
use super::super::overrides::Override;
use super::*;
use crate::knowledge::{Confidence, Reason};
use crate::settings::Controls;
use crate::smtp::StageTimes;

/// What a server has seen.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Connections before this one.
    connection: usize,
    /// Recipients of this connection, and of the transaction.
    recipients: usize,
    in_transaction: usize,
}

/// A server's lines, by connection, and the most commands that came at once.
#[derive(Clone, Debug, Default)]
struct Log {
    connections: Vec<Vec<String>>,
    together: usize,
}

impl Log {
    fn count(&self, verb: &str) -> usize {
        self.connections.iter().flatten().filter(|line| line.starts_with(verb)).count()
    }

    /// Recipients by transaction.
    fn transactions(&self) -> Vec<usize> {
        let mut all = Vec::new();
        for line in self.connections.iter().flatten() {
            if line.starts_with("MAIL") {
                all.push(0);
            } else if line.starts_with("RCPT")
                && let Some(last) = all.last_mut()
            {
                *last += 1;
            }
        }
        all
    }
}

/// What a server says to a command; with `!` before it, it closes the connection after that. None says nothing, and drops whatever came
/// in the same packet.
type Conduct = fn(&Seen, &str) -> Option<String>;

/// The mailbox's own truth, by its name.
fn truth(line: &str) -> String {
    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
    match line {
        _ if line.starts_with("RCPT TO:<good") => "250 2.1.5 Ok".to_owned(),
        _ if line.starts_with("RCPT TO:<full") => format!("452 4.2.2 <{address}>: mailbox is full"),
        _ if line.starts_with("RCPT") => format!("550 5.1.1 <{address}>: User unknown"),
        _ if line.starts_with("QUIT") => "!221 2.0.0 Bye".to_owned(),
        _ => "250 2.0.0 Ok".to_owned(),
    }
}

#[allow(clippy::unnecessary_wraps, reason = "it is one conduct among others")]
fn honest(_: &Seen, line: &str) -> Option<String> {
    Some(truth(line))
}

/// Plays a server that greets and offers so. Returns where it is, and what it sees.
async fn server(greeting: &'static str, ehlo: &'static str, conduct: Conduct) -> (SocketAddr, Arc<Mutex<Log>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    let log = Arc::new(Mutex::new(Log::default()));
    let seen = Arc::clone(&log);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let connection = {
                let mut log = seen.lock().expect("a log");
                log.connections.push(Vec::new());
                log.connections.len() - 1
            };
            let log = Arc::clone(&seen);
            tokio::spawn(async move {
                let _ = stream.write_all(greeting.as_bytes()).await;
                let mut state = Seen { connection, ..Seen::default() };
                let (mut held, mut bytes) = (Vec::new(), [0; 16_000]);
                while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                    held.extend_from_slice(&bytes[..length]);
                    let whole = held.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                    let text = String::from_utf8(held.drain(..whole).collect()).expect("text");
                    let mut said = String::new();
                    {
                        let mut log = log.lock().expect("a log");
                        log.together = log.together.max(text.lines().count());
                        log.connections[connection].extend(text.lines().map(str::to_owned));
                    }
                    let mut closes = false;
                    for line in text.lines() {
                        match line.get(..4) {
                            Some("MAIL") => state.in_transaction = 0,
                            Some("RCPT") => {
                                state.recipients += 1;
                                state.in_transaction += 1;
                            }
                            _ => {}
                        }
                        let reply = conduct(&state, line);
                        let greeted = line.starts_with("EHLO") && reply.as_ref().is_some_and(|reply| !reply.starts_with('!'));
                        let reply = if greeted { Some(ehlo.to_owned()) } else { reply };
                        let Some(reply) = reply else { break };
                        closes = reply.starts_with('!');
                        said += reply.trim_start_matches('!');
                        said += if reply == "!" { "" } else { "\r\n" };
                        if closes {
                            break;
                        }
                    }
                    if stream.write_all(said.as_bytes()).await.is_err() || closes {
                        break;
                    }
                }
            });
        }
    });
    (at, log)
}

const GREETING: &str = "220 mx.test ESMTP\r\n";
const PIPELINING: &str = "250-mx.test\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES";

fn order() -> Order {
    let limits = Limits {
        rate: None,
        pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(50),
        unknown_users: UnknownUsers::Own,
        ..Limits::default()
    };
    Order { limits, retry_after: Duration::from_millis(50), ..Order::default() }
}

fn settings(at: SocketAddr) -> Settings {
    let times = StageTimes { command: Duration::from_millis(500), greeting: Duration::from_millis(500), ..StageTimes::default() };
    let port = Port::try_from(at.port()).ok();
    let hello = "probe.test".parse().ok();
    Settings { servers: vec![(Host::Address(at.ip()), port)], hello, times, controls: Controls::Off, ..Settings::default() }
}

async fn ask(order: &Order, settings: &Settings, list: &str) -> Vec<Answer> {
    ask_and_count(order, settings, list).await.0
}

async fn ask_and_count(order: &Order, settings: &Settings, list: &str) -> (Vec<Answer>, Tally) {
    let knowledge = Knowledge::english();
    let (feed, lines) = mpsc::channel(1024);
    let entries: Vec<_> = List::new(list.as_bytes(), Form::Lines).collect();
    let feeding = async move {
        for entry in entries {
            feed.send(entry.expect("a line")).await.expect("a run");
        }
    };
    let (_go, halt) = watch::channel(Halt::No);
    let mut answers = Vec::new();
    let take = |answer| {
        answers.push(answer);
        ControlFlow::Continue(())
    };
    let ((), tally) = tokio::join!(feeding, run((order, settings, &knowledge), lines, halt, take, |_| {}));
    answers.sort_by_key(|answer| answer.line);
    let numbers: Vec<u64> = answers.iter().map(|answer| answer.line).collect();
    assert_eq!(numbers, (1..=list.lines().count() as u64).collect::<Vec<_>>(), "each line once");
    assert_eq!((tally.answered(), tally.open), (answers.len() as u64, 0));
    (answers, tally)
}

/// Three of four are good, every eighth is full, every eighth unknown.
fn mixed(count: usize) -> String {
    let kind = |n: usize| match n % 8 {
        3 => "full",
        6 => "nobody",
        _ => "good",
    };
    (0..count).map(|n| format!("{}{n}@d{}.test\n", kind(n), n % 5)).collect::<Vec<_>>().concat()
}

/// Each mailbox got its own answer.
fn all_true(answers: &[Answer]) {
    for answer in answers {
        let expected = match answer.input.get(..4) {
            Some("good") => (Settled::Accepted, Reason::Accepted),
            Some("full") => (Settled::Deferred, Reason::MailboxFull),
            _ => (Settled::Rejected, Reason::UserUnknown),
        };
        assert_eq!((answer.outcome, answer.reason), expected, "{answer:?}");
        let named = answer.text.as_deref().unwrap_or_default();
        assert!(!named.contains('<') || named.contains(&answer.input), "{answer:?}");
    }
}

#[tokio::test]
async fn many_recipients_share_transactions_and_sessions() {
    let (at, log) = server(GREETING, PIPELINING, honest).await;
    let list: String = (0..400).map(|n| format!("good{n}@d{}.test\n", n % 5)).collect::<Vec<_>>().concat();
    let answers = ask(&order(), &settings(at), &list).await;
    all_true(&answers);
    let log = log.lock().unwrap();
    assert!(log.count("RCPT") == 400 && log.together > 19, "{}", log.together);
    assert!(log.connections.len() <= 2 && log.transactions().iter().all(|size| *size <= 100), "{:?}", log.transactions());
    let first = &answers[0];
    assert_eq!((first.destination.as_deref(), first.host.as_deref()), (Some("127.0.0.1"), Some("127.0.0.1")));
    assert_eq!((first.code, first.enhanced.as_deref(), first.attempts), (Some(250), Some("2.1.5"), 1));
    assert_eq!((first.confidence, first.catch_all), (Confidence::Likely, None));
}

#[tokio::test]
async fn no_session_has_as_many_refusals_as_servers_count() {
    // Some in between, and a list that is good for long and then good for nothing.
    let sorted: Vec<String> = (0..9000).map(|n| format!("{}{n}@x.test\n", if n < 6000 { "good" } else { "nobody" })).collect();
    let several = |connections| Order { limits: Limits { connections, ..order().limits }, ..order() };
    for (order, list, groups) in [(order(), mixed(600), 1..20), (several(8), sorted.concat(), 50..103)] {
        let (at, log) = server(GREETING, PIPELINING, honest).await;
        let answers = ask(&order, &settings(at), &list).await;
        all_true(&answers);
        let log = log.lock().unwrap();
        for connection in &log.connections {
            let refusals = connection.iter().filter(|line| line.starts_with("RCPT") && !line.contains("good")).count();
            assert!(refusals < 20, "{refusals} {connection:?}");
        }
        assert_eq!(log.count("RCPT"), answers.len(), "nobody twice");
        assert!(groups.contains(&log.together), "{}", log.together);
    }
}

#[tokio::test]
async fn without_pipelining_one_at_a_time() {
    let (at, log) = server(GREETING, "250 mx.test", honest).await;
    all_true(&ask(&order(), &settings(at), &mixed(60)).await);
    assert_eq!(log.lock().unwrap().together, 1);
}

#[tokio::test]
async fn limits_of_the_server_are_kept() {
    let (at, log) = server(GREETING, "250-mx.test\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=7", honest).await;
    all_true(&ask(&order(), &settings(at), &mixed(100)).await);
    assert!(log.lock().unwrap().transactions().iter().all(|size| *size <= 7));
}

#[tokio::test]
async fn limits_that_show_in_replies_are_learnt_and_count_against_nobody() {
    let conduct: Conduct = |seen, line| {
        Some(if seen.in_transaction > 10 && line.starts_with("RCPT") { "452 4.5.3 Too many recipients".to_owned() } else { truth(line) })
    };
    let (at, log) = server(GREETING, PIPELINING, conduct).await;
    let list: String = (0..100).map(|n| format!("good{n}@d.test\n")).collect::<Vec<_>>().concat();
    let order = Order { retries: 0, ..order() };
    all_true(&ask(&order, &settings(at), &list).await);
    let transactions = log.lock().unwrap().transactions();
    assert!(transactions.iter().skip(4).all(|size| *size <= 10), "{transactions:?}");
}

#[tokio::test]
async fn whoever_says_421_is_asked_again_and_no_mailbox_suffers() {
    let conduct: Conduct = |seen, line| {
        Some(if seen.recipients > 12 && line.starts_with("RCPT") { "!421 4.7.0 Too much, come back later".to_owned() } else { truth(line) })
    };
    let (at, log) = server(GREETING, PIPELINING, conduct).await;
    all_true(&ask(&order(), &settings(at), &mixed(40)).await);
    assert!(log.lock().unwrap().connections.len() >= 4);
}

#[tokio::test]
async fn a_session_that_drops_in_a_batch_mixes_nobody_up() {
    let conduct: Conduct =
        |seen, line| Some(if seen.recipients > 3 + seen.connection % 9 && line.starts_with("RCPT") { "!".to_owned() } else { truth(line) });
    let (at, _log) = server(GREETING, PIPELINING, conduct).await;
    all_true(&ask(&order(), &settings(at), &mixed(120)).await);
}

#[tokio::test]
async fn a_server_that_answers_once_too_often_is_asked_one_by_one() {
    let conduct: Conduct = |seen, line| {
        let reply = truth(line);
        Some(if seen.in_transaction == 3 && seen.connection < 2 && line.starts_with("RCPT") {
            format!("250 2.1.5 Ok\r\n{reply}")
        } else {
            reply
        })
    };
    let (at, log) = server(GREETING, PIPELINING, conduct).await;
    all_true(&ask(&order(), &settings(at), &mixed(80)).await);
    let log = log.lock().unwrap();
    assert!(log.connections.iter().skip(3).all(|connection| !connection.is_empty()));
}

#[tokio::test]
async fn a_server_that_is_always_out_of_step_says_nothing_of_anybody() {
    let conduct: Conduct = |_, line| Some(if line.starts_with("RCPT") { format!("250 2.1.5 Ok\r\n{}", truth(line)) } else { truth(line) });
    let (at, _log) = server(GREETING, PIPELINING, conduct).await;
    for answer in ask(&order(), &settings(at), &mixed(8)).await {
        assert_eq!((answer.outcome, answer.reason), (Settled::Inconclusive, Reason::ReplyMalformed), "{answer:?}");
        assert!(answer.error.is_some());
    }
}

#[tokio::test]
async fn a_server_that_lies_about_pipelining_is_asked_one_by_one() {
    // It forgets what comes behind the first recipient of a packet.
    let forgetful: Conduct = |seen, line| if seen.in_transaction == 2 && seen.connection == 0 { None } else { Some(truth(line)) };
    let (at, log) = server(GREETING, PIPELINING, forgetful).await;
    all_true(&ask(&order(), &settings(at), &mixed(40)).await);
    let log = log.lock().unwrap();
    assert!(log.connections.len() >= 2 && log.together > 1);
}

#[tokio::test]
async fn greylisting_is_waited_for_up_to_the_retries() {
    let conduct: Conduct = |seen, line| {
        Some(if seen.connection == 0 && line.starts_with("RCPT") {
            "450 4.2.0 Greylisted, please try again later".to_owned()
        } else {
            truth(line)
        })
    };
    let (at, _log) = server(GREETING, PIPELINING, conduct).await;
    let list = "good1@d.test\ngood2@d.test\n";
    let answers = ask(&order(), &settings(at), list).await;
    all_true(&answers);
    assert!(answers.iter().all(|answer| answer.attempts == 2), "{answers:?}");

    let always: Conduct =
        |_, line| Some(if line.starts_with("RCPT") { "450 4.2.0 Greylisted, please try again later".to_owned() } else { truth(line) });
    let (at, _log) = server(GREETING, PIPELINING, always).await;
    for answer in ask(&Order { retries: 2, ..order() }, &settings(at), list).await {
        assert_eq!((answer.outcome, answer.reason, answer.attempts), (Settled::Deferred, Reason::Greylisted, 3));
    }
}

#[tokio::test]
async fn whoever_puts_off_everybody_for_ever_is_given_up() {
    let conduct: Conduct =
        |_, line| Some(if line.starts_with("RCPT") { "450 4.7.1 Client host rejected: try later".to_owned() } else { truth(line) });
    let (at, log) = server(GREETING, PIPELINING, conduct).await;
    let answers = ask(&order(), &settings(at), &mixed(500)).await;
    assert!(answers.iter().all(|answer| answer.outcome == Settled::Deferred), "{answers:?}");
    assert!(log.lock().unwrap().count("RCPT") < 200);
}

#[tokio::test]
async fn nobody_there_and_nobody_willing() {
    let (at, _log) = server("554 5.7.1 No service for you\r\n", PIPELINING, honest).await;
    for answer in ask(&order(), &settings(at), &mixed(10)).await {
        assert_eq!((answer.outcome, answer.code), (Settled::Rejected, Some(554)), "{answer:?}");
    }
    let (at, _log) = server("421 4.3.2 Shutting down\r\n", PIPELINING, honest).await;
    for answer in ask(&order(), &settings(at), &mixed(10)).await {
        assert_eq!((answer.outcome, answer.code), (Settled::Deferred, Some(421)), "{answer:?}");
    }
    let gone = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    for answer in ask(&order(), &settings(gone), &mixed(10)).await {
        assert_eq!((answer.outcome, answer.reason, answer.attempts), (Settled::Unreachable, Reason::ConnectionRefused, 0), "{answer:?}");
    }
    let conduct: Conduct = |_, line| Some(if line.starts_with("MAIL") { "550 5.7.1 Sender refused".to_owned() } else { truth(line) });
    let (at, log) = server(GREETING, "250 mx.test", conduct).await;
    for answer in ask(&order(), &settings(at), &mixed(300)).await {
        assert_eq!((answer.outcome, answer.code, answer.text.as_deref()), (Settled::Rejected, Some(550), Some("Sender refused")));
    }
    assert!(log.lock().unwrap().count("MAIL") <= 2);
}

#[tokio::test]
async fn sessions_that_find_the_same_at_once_count_as_one() {
    let conduct: Conduct = |seen, line| {
        let starts_up = seen.connection < 6 && line.starts_with("EHLO");
        Some(if starts_up { "!421 4.3.2 Starting up".to_owned() } else { truth(line) })
    };
    let (at, log) = server(GREETING, PIPELINING, conduct).await;
    let order = Order { limits: Limits { connections: 6, ..order().limits }, retries: 1, ..order() };
    all_true(&ask(&order, &settings(at), &mixed(400)).await);
    assert!(log.lock().unwrap().connections.iter().take(6).all(|connection| connection.len() == 1), "six were turned away");
}

#[tokio::test]
async fn a_second_address_is_tried_where_the_first_is_dead() {
    let (at, _log) = server(GREETING, PIPELINING, honest).await;
    let gone = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    let mut settings = settings(at);
    settings.servers.insert(0, (Host::Address("127.0.0.2".parse().unwrap()), Port::try_from(gone.port()).ok()));
    let answers = ask(&order(), &settings, &mixed(20)).await;
    all_true(&answers);
    assert!(answers.iter().all(|answer| answer.host.as_deref() == Some("127.0.0.1") && answer.destination.as_deref() == Some("127.0.0.2")));
}

#[tokio::test]
async fn duplicates_are_asked_once_and_lines_without_address_are_told() {
    let (at, log) = server(GREETING, PIPELINING, honest).await;
    let list = "good1@d.test\nnonsense\ngood1@d.test\ngood1@D.test\nnobody@d.test\n";
    let answers = ask(&order(), &settings(at), list).await;
    let outcomes: Vec<Settled> = answers.iter().map(|answer| answer.outcome).collect();
    assert_eq!(outcomes, [Settled::Accepted, Settled::Invalid, Settled::Accepted, Settled::Accepted, Settled::Rejected]);
    assert_eq!((answers[1].address.as_deref(), answers[1].error.is_some(), answers[3].input.as_str()), (None, true, "good1@D.test"));
    assert_eq!(log.lock().unwrap().count("RCPT"), 2);
}

#[tokio::test]
async fn the_catch_all_question_comes_last_and_once_a_domain() {
    let honest_or_all: Conduct = |_, line| Some(if line.contains("@all.test") { "250 2.1.5 Ok".to_owned() } else { truth(line) });
    let (at, log) = server(GREETING, PIPELINING, honest_or_all).await;
    let list: String = (0..40)
        .map(|n| format!("{}{n}@{}.test\n", if n < 30 { "good" } else { "nobody" }, ["d", "all"][n % 2]))
        .collect::<Vec<_>>()
        .concat();
    let settings = Settings { controls: Controls::Auto, ..settings(at) };
    for answer in ask(&order(), &settings, &list).await {
        let of_all = answer.input.ends_with("@all.test");
        let expected = match (of_all, answer.outcome) {
            (true, Settled::Accepted) => (Some(true), Confidence::Unsure),
            (false, Settled::Accepted) => (Some(false), Confidence::Certain),
            _ => (None, Confidence::Certain),
        };
        assert_eq!((answer.catch_all, answer.confidence), expected, "{answer:?}");
    }
    let log = log.lock().unwrap();
    let made_up = |line: &String| line.starts_with("RCPT") && !line.contains("good") && !line.contains("nobody");
    assert_eq!(log.connections.iter().flatten().filter(|line| made_up(line)).count(), 2);
    for connection in &log.connections {
        let asked: BTreeMap<&str, usize> =
            connection.iter().enumerate().filter(|(_, line)| made_up(line)).map(|(at, line)| (line.as_str(), at)).collect();
        for (line, at) in asked {
            let domain = line.split('@').nth(1).unwrap();
            assert!(!connection[at + 1..].iter().any(|later| later.ends_with(domain)), "{connection:?}");
        }
    }
}

#[tokio::test]
async fn guessing_is_stopped() {
    let (at, log) = server(GREETING, PIPELINING, honest).await;
    let limits = Limits { unknown_users: UnknownUsers::Stop, ..order().limits };
    let order = Order { limits, ..order() };
    let words = |n: usize| format!("{}x{}y", (b'a'..=b'z').nth(n % 26).map_or('a', char::from), n * 7919);
    let list: String = (0..400).map(|n| format!("{}@d.test\n", words(n))).collect::<Vec<_>>().concat();
    let answers = ask(&order, &settings(at), &list).await;
    let stopped = answers.iter().filter(|answer| answer.outcome == Settled::Inconclusive).count();
    assert!(stopped > 250, "{stopped}");
    assert!(answers.iter().any(|answer| answer.error.as_deref().is_some_and(|error| error.contains("% of the users"))));
    assert!(log.lock().unwrap().count("RCPT") < 150);

    let counted: String = (0..200).map(|n| format!("user{n}@d.test\n")).collect::<Vec<_>>().concat();
    let answers = ask(&order, &settings(at), &counted).await;
    let refused = answers.iter().filter(|answer| answer.error.as_deref().is_some_and(|error| error.contains("counted up"))).count();
    assert!(refused > 140, "{refused}");
}

#[tokio::test]
async fn a_run_that_is_halted_ends_and_answers_nobody_falsely() {
    let (at, _log) = server(GREETING, PIPELINING, honest).await;
    let knowledge = Knowledge::english();
    let (order, settings) = (Order { limits: Limits { rate: Some(20.0), ..order().limits }, ..order() }, settings(at));
    for halt_as in [Halt::Finish, Halt::Now] {
        let (feed, lines) = mpsc::channel(1000);
        for entry in List::new(mixed(500).as_bytes(), Form::Lines) {
            feed.send(entry.expect("a line")).await.expect("room");
        }
        let (go, halt) = watch::channel(Halt::No);
        let mut answers = Vec::new();
        let take = |answer| {
            answers.push(answer);
            ControlFlow::Continue(())
        };
        let stop = async {
            sleep(Duration::from_millis(300)).await;
            go.send(halt_as).expect("a run");
        };
        let ((), tally) = tokio::join!(stop, run((&order, &settings, &knowledge), lines, halt, take, |_| {}));
        assert!(tally.answered() > 0 && tally.answered() < 500 && tally.open == 0, "{tally:?}");
        all_true(&answers);
    }
}

#[tokio::test]
async fn the_rate_is_kept() {
    let (at, _log) = server(GREETING, PIPELINING, honest).await;
    let limits = Limits { rate: Some(100.0), ..order().limits };
    let began = std::time::Instant::now();
    let list: String = (0..200).map(|n| format!("good{n}@d.test\n")).collect::<Vec<_>>().concat();
    all_true(&ask(&Order { limits, ..order() }, &settings(at), &list).await);
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
}

/// Domains that lead to hosts of the same names, which are reached at these servers; the DNS is not asked.
fn leading_to(domains: &[(&str, SocketAddr)]) -> Settings {
    let first = domains.first().expect("a domain").1;
    let mut settings = Settings { servers: Vec::new(), ..settings(first) };
    for (place, (domain, server)) in domains.iter().enumerate() {
        let address = std::net::IpAddr::from([192, 0, 2, u8::try_from(place + 1).expect("few domains")]);
        settings.resolve.insert(domain.parse().expect("a name"), vec![address]);
        settings.connect_to.insert(SocketAddr::new(address, 25), *server);
    }
    settings
}

#[tokio::test]
async fn one_destination_is_treated_otherwise_and_the_others_are_not() {
    let (slow, slow_log) = server(GREETING, PIPELINING, honest).await;
    let (usual, usual_log) = server(GREETING, PIPELINING, honest).await;
    let settings = leading_to(&[("mx.slow.localhost", slow), ("mx.usual.localhost", usual)]);
    let list: String = (0..120).map(|n| format!("good{n}@mx.{}.localhost\n", ["slow", "usual"][n % 2])).collect::<Vec<_>>().concat();
    let limits = Limits { connections: 3, ..order().limits };
    let mut order = Order { limits, ..order() };
    let change = Override { rate: Some(Some(20.0)), connections: Some(1), transaction: Some(5), ..Override::default() };
    assert!(order.overrides.add("*.slow.localhost".parse().expect("a pattern"), change));
    let began = std::time::Instant::now();
    all_true(&ask(&order, &settings, &list).await);
    // 20 at once, then 20 a second.
    assert!(began.elapsed() >= Duration::from_millis(1900), "{:?}", began.elapsed());
    let (slow, usual) = (slow_log.lock().unwrap(), usual_log.lock().unwrap());
    assert_eq!((slow.connections.len(), slow.count("RCPT"), usual.count("RCPT")), (1, 60, 60));
    assert!(slow.transactions().iter().all(|size| *size <= 5), "{:?}", slow.transactions());
    assert!(usual.connections.len() > 1 && usual.transactions().iter().any(|size| *size > 5), "{:?}", usual.transactions());
}

#[tokio::test]
async fn an_entry_counts_whichever_domain_led_there() {
    let always: Conduct = |_, line| Some(if line.starts_with("RCPT") { "450 4.2.0 Greylisted".to_owned() } else { truth(line) });
    let (at, _log) = server(GREETING, PIPELINING, always).await;
    let mut settings = leading_to(&[("a.localhost", at), ("b.localhost", at)]);
    // Both names have one address.
    let address = settings.resolve[&"a.localhost".parse().expect("a name")].clone();
    settings.resolve.insert("b.localhost".parse().expect("a name"), address);
    let mut order = Order { retries: 2, ..order() };
    assert!(order.overrides.add("@b.localhost".parse().expect("a pattern"), Override { retries: Some(0), ..Override::default() }));
    for answer in ask(&order, &settings, "x@a.localhost\ny@b.localhost\n").await {
        assert_eq!((answer.reason, answer.attempts, answer.destination.as_deref()), (Reason::Greylisted, 1, Some("a.localhost")));
    }
}

#[tokio::test]
async fn nobody_is_called_on_before_the_pace_lets_anything_be_asked() {
    let (at, log) = server(GREETING, PIPELINING, honest).await;
    let knowledge = Knowledge::english();
    let (order, settings) = (Order { limits: Limits { rate: Some(0.02), ..order().limits }, ..order() }, settings(at));
    let (feed, lines) = mpsc::channel(1000);
    for entry in List::new(mixed(3).as_bytes(), Form::Lines) {
        feed.send(entry.expect("a line")).await.expect("room");
    }
    let (go, halt) = watch::channel(Halt::No);
    let stop = async {
        sleep(Duration::from_millis(700)).await;
        go.send(Halt::Finish).expect("a run");
    };
    let ((), tally) = tokio::join!(stop, run((&order, &settings, &knowledge), lines, halt, |_| ControlFlow::Continue(()), |_| {}));
    assert_eq!((tally.answered(), log.lock().unwrap().connections.len()), (1, 1));
}

/// A DNS server that says SERVFAIL for so long; after that, that there is no such record.
async fn name_server(fails_for: Duration) -> SocketAddr {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let at = socket.local_addr().expect("an address");
    let began = std::time::Instant::now();
    tokio::spawn(async move {
        let mut bytes = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut bytes).await {
            let question = &bytes[12..length];
            let end = question.iter().position(|byte| *byte == 0).expect("a name") + 5;
            let code = if began.elapsed() < fails_for { 2 } else { 0 };
            let head = [bytes[0], bytes[1], 0x81, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0];
            let _ = socket.send_to(&[&head[..], &question[..end]].concat(), peer).await;
        }
    });
    at
}

#[tokio::test]
async fn a_lookup_that_failed_is_tried_again_without_a_session() {
    let (at, log) = server(GREETING, PIPELINING, honest).await;
    let order = Order { retry_after: Duration::from_millis(150), ..order() };
    let list = "good1@mx.a.test\ngood2@mx.a.test\nnobody@mx.b.test\n";
    let settings = |dns: SocketAddr| Settings { resolvers: vec![dns], ..leading_to(&[("mx.a.test", at), ("mx.b.test", at)]) };
    let (answers, tally) = ask_and_count(&order, &settings(name_server(Duration::from_millis(200)).await), list).await;
    all_true(&answers);
    assert!(answers.iter().all(|answer| answer.attempts == 1), "{answers:?}");
    // At once, and after 150 ms; then it is found.
    assert_eq!((tally.lookups.found, tally.lookups.none, tally.lookups.failed, tally.lookups.open), (2, 0, 4, 0));
    let sessions = log.lock().unwrap().connections.len();
    assert!((1..=2).contains(&sessions), "{sessions}");

    let began = std::time::Instant::now();
    let (answers, tally) = ask_and_count(&order, &settings(name_server(Duration::MAX).await), list).await;
    for answer in answers {
        assert_eq!((answer.outcome, answer.reason, answer.attempts), (Settled::Unreachable, Reason::DnsFailure, 0), "{answer:?}");
    }
    assert_eq!((tally.lookups.failed, tally.begun), (2 * u64::from(order.retries + 1), 0));
    assert!(began.elapsed() >= order.retry_after * order.retries, "{:?}", began.elapsed());

    // What is known for sure is not asked again.
    let (answers, tally) = ask_and_count(&order, &settings(name_server(Duration::ZERO).await), "a@nowhere.test\n").await;
    assert_eq!((answers[0].outcome, answers[0].reason), (Settled::Rejected, Reason::NoMailService));
    assert_eq!((tally.lookups.none, tally.lookups.failed), (1, 0));
}

#[tokio::test]
async fn a_run_that_is_halted_waits_for_no_lookup() {
    let dns = name_server(Duration::MAX).await;
    let settings = Settings { resolvers: vec![dns], ..leading_to(&[("mx.a.test", dns)]) };
    let (order, knowledge) = (Order { retry_after: Duration::from_secs(60), ..order() }, Knowledge::english());
    let (feed, lines) = mpsc::channel(10);
    for entry in List::new("good1@mx.a.test\n".as_bytes(), Form::Lines) {
        feed.send(entry.expect("a line")).await.expect("room");
    }
    let (go, halt) = watch::channel(Halt::No);
    let stop = async {
        sleep(Duration::from_millis(300)).await;
        go.send(Halt::Finish).expect("a run");
    };
    let ((), tally) = tokio::join!(stop, run((&order, &settings, &knowledge), lines, halt, |_| ControlFlow::Continue(()), |_| {}));
    assert_eq!((tally.answered(), tally.lookups.failed), (0, 1));
}

/// A destination where nothing goes on has more mailboxes than the window holds, and stands first in the list.
#[tokio::test]
async fn a_slow_destination_keeps_nobody_else_waiting() {
    let (slow, _log) = server(GREETING, PIPELINING, honest).await;
    let (usual, _log) = server(GREETING, PIPELINING, honest).await;
    let settings = leading_to(&[("slow.localhost", slow), ("usual.localhost", usual)]);
    let domains = std::iter::repeat_n("slow", 200).chain(std::iter::repeat_n("usual", 100));
    let list: String = domains.enumerate().map(|(n, domain)| format!("good{n}@{domain}.localhost\n")).collect::<Vec<_>>().concat();
    let change = Override { rate: Some(Some(1.0)), ..Override::default() };
    for (most, reached) in [(1000, true), (150, false)] {
        let mut order = Order { window: 40, most, ..order() };
        assert!(order.overrides.add("slow.localhost".parse().expect("a pattern"), change));
        let knowledge = Knowledge::english();
        let (feed, lines) = mpsc::channel(1000);
        for entry in List::new(list.as_bytes(), Form::Lines) {
            feed.send(entry.expect("a line")).await.expect("room");
        }
        drop(feed);
        let (go, halt) = watch::channel(Halt::No);
        let stop = async {
            sleep(Duration::from_millis(1500)).await;
            go.send(Halt::Now).expect("a run");
        };
        let (mut usual, mut waited) = (0, 0);
        let take = |answer: Answer| {
            usual += usize::from(answer.input.ends_with("usual.localhost"));
            ControlFlow::Continue(())
        };
        let watch = |tally: &Tally| waited = waited.max(tally.read - tally.answered());
        let ((), tally) = tokio::join!(stop, run((&order, &settings, &knowledge), lines, halt, take, watch));
        assert_eq!(usual == 100, reached, "{usual} {tally:?}");
        assert!(waited <= most as u64, "{waited}");
    }
    // With nobody else in it, a list is read and answered to its end.
    let alone: String = (0..300).map(|n| format!("good{n}@usual.localhost\n")).collect::<Vec<_>>().concat();
    all_true(&ask(&Order { window: 8, most: 8, ..order() }, &settings, &alone).await);
}

#[tokio::test]
async fn an_address_literal_is_asked_where_it_says() {
    let list = "a@[127.0.0.1]\n";
    let (at, _log) = server(GREETING, PIPELINING, honest).await;
    let settings = Settings { servers: Vec::new(), ports: vec![Port::try_from(at.port()).unwrap()], ..settings(at) };
    let answers = ask(&order(), &settings, list).await;
    assert_eq!((answers[0].outcome, answers[0].destination.as_deref()), (Settled::Rejected, Some("127.0.0.1")));
}

#[tokio::test]
async fn where_mail_goes_is_looked_up_again_after_a_while() {
    let knowledge = Knowledge::english();
    for (look_again, lookups) in [(Duration::ZERO, 3), (Duration::from_secs(60), 1)] {
        let (at, _log) = server(GREETING, PIPELINING, honest).await;
        let (order, settings) = (Order { look_again, ..order() }, settings(at));
        let (feed, lines) = mpsc::channel(1);
        let (answered, mut told) = mpsc::unbounded_channel();
        let feeding = async move {
            for entry in List::new("good1@a.test\ngood2@a.test\ngone@a.test\n".as_bytes(), Form::Lines) {
                feed.send(entry.expect("a line")).await.expect("a run");
                told.recv().await.expect("an answer");
            }
        };
        let take = |answer: Answer| {
            all_true(&[answer]);
            answered.send(()).expect("a list");
            ControlFlow::Continue(())
        };
        let (_go, halt) = watch::channel(Halt::No);
        let ((), tally) = tokio::join!(feeding, run((&order, &settings, &knowledge), lines, halt, take, |_| {}));
        assert_eq!((tally.answered(), tally.lookups.found), (3, lookups));
    }
}
