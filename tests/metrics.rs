//! The figures of a run, fetched while it is going on, against what the server knows to be true; and clients that mean no good.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The recipient whose answer the server holds back until it is told to go on.
const HELD: usize = 11;

/// A server that knows every mailbox that begins with `good`, greets after all of a short list has been read, and falls silent at
/// the recipient that is held. The channel tells how many it has refused when it has, and the other makes it go on.
fn server() -> (SocketAddr, Receiver<u8>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    let (tell, silent) = channel();
    let (go, told) = channel::<()>();
    thread::spawn(move || {
        let (mut recipients, mut refused) = (0, 0);
        for mut stream in listener.incoming().flatten() {
            thread::sleep(Duration::from_millis(500));
            let lines = BufReader::new(stream.try_clone().expect("a socket"));
            let _ = stream.write_all(b"220 mx.test ESMTP\r\n");
            for line in lines.lines().map_while(Result::ok) {
                recipients += usize::from(line.starts_with("RCPT"));
                if line.starts_with("RCPT") && recipients == HELD {
                    let _ = tell.send(refused);
                    let _ = told.recv_timeout(Duration::from_secs(60));
                }
                refused += u8::from(line.starts_with("RCPT") && !line.contains("<good"));
                let reply = match line.get(..4) {
                    Some("RCPT") if !line.contains("<good") => "550 5.1.1 User unknown",
                    Some("QUIT") => "221 bye",
                    _ => "250 2.1.5 Ok",
                };
                if stream.write_all(format!("{reply}\r\n").as_bytes()).is_err() || reply == "221 bye" {
                    break;
                }
            }
        }
    });
    (at, silent, go)
}

/// 24 mailboxes, every third of them unknown, and a line that is none.
fn list() -> String {
    let mailboxes: Vec<String> = (0..24).map(|n| format!("{}{n}@d.test\n", if n % 3 == 2 { "nobody" } else { "good" })).collect();
    mailboxes.concat() + "no address\n"
}

struct Run {
    child: Child,
    figures: SocketAddr,
    /// Kept open: whoever cannot complain ends.
    _complaints: BufReader<ChildStderr>,
}

impl Run {
    fn begin(server: SocketAddr) -> Self {
        let server = server.to_string();
        let options = ["--server", &server, "--helo", "probe.test", "--controls", "off", "--rate", "12", "--timeout", "60"];
        let mut child = Command::new(env!("CARGO_BIN_EXE_smtpprobe"))
            .env("SMTPPROBE_CONFIG", "/dev/null")
            .args(["bulk", "-", "--metrics", "127.0.0.1:0", "--connections-per-destination", "1"])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command");
        child.stdin.take().expect("a pipe").write_all(list().as_bytes()).expect("a list");
        let mut first = String::new();
        let mut complaints = BufReader::new(child.stderr.take().expect("a pipe"));
        complaints.read_line(&mut first).expect("a line");
        let place = first.trim().strip_prefix("smtpprobe: figures are at http://").and_then(|rest| rest.strip_suffix("/metrics"));
        Self { child, figures: place.expect(&first).parse().expect("an address"), _complaints: complaints }
    }

    /// Its exit code and its answers.
    fn end(mut self) -> (Option<i32>, usize) {
        let mut answers = String::new();
        self.child.stdout.take().expect("a pipe").read_to_string(&mut answers).expect("text");
        (self.child.wait().expect("an end").code(), answers.lines().count())
    }
}

/// What comes back for a request, up to the end of the connection: head and body.
fn ask(at: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(at).expect("an endpoint");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    (head.to_ascii_lowercase(), body.to_owned())
}

fn fetch(at: SocketAddr) -> String {
    let (head, body) = ask(at, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(head.starts_with("http/1.1 200 ok"), "{head}");
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    body
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The labels of a sample within their braces; panics where they are not what the format says.
fn labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect("a label");
        assert!(is_name(name) && !name.starts_with("__"), "{text}");
        let mut value = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => match letters.next().expect("an escape").1 {
                    'n' => value.push('\n'),
                    c @ ('\\' | '"') => value.push(c),
                    c => panic!("\\{c} in {text}"),
                },
                (_, c) => value.push(c),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "{text}");
        rest = after[end + 1..].strip_prefix(',').unwrap_or(&after[end + 1..]);
    }
    labels
}

/// The samples, as the text exposition format 0.0.4 and the naming rules of Prometheus want them: stricter than Prometheus is.
fn samples(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n') && !text.contains("\n\n"));
    let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
    let (mut helped, mut family, mut kind) = ("", "", "");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect("a help text");
            assert!(is_name(name) && families.insert(name) && words.ends_with('.'), "{line}");
            helped = name;
        } else if let Some(declared) = line.strip_prefix("# TYPE ") {
            (family, kind) = declared.split_once(' ').expect("a type");
            assert_eq!(family, helped, "the help text of the same family goes before");
            assert!(matches!(kind, "counter" | "gauge"), "{line}");
            assert_eq!(family.ends_with("_total"), kind == "counter", "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, braced) =
                series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest.strip_suffix('}').expect("a brace")));
            assert_eq!(name, family, "samples stand behind their family's type");
            let key = std::iter::once(name.to_owned()).chain(labels(braced).into_values()).collect::<Vec<_>>().join(" ");
            let value: f64 = value.parse().expect(line);
            assert!(value >= 0.0 || kind == "gauge", "{line}");
            assert!(samples.insert(key, value).is_none(), "{line} stands there twice");
        }
    }
    samples
}

/// Prometheus' own opinion, where it is installed.
fn lint(text: &str) {
    let started = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = started else {
        eprintln!("not linted by promtool: it is not installed");
        return;
    };
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let done = child.wait_with_output().expect("an end");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

/// What is told once `enough` holds: figures are renewed about once a second.
fn told(at: SocketAddr, enough: impl Fn(&BTreeMap<String, f64>) -> bool) -> BTreeMap<String, f64> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let text = fetch(at);
        let found = samples(&text);
        if enough(&found) {
            lint(&text);
            return found;
        }
        assert!(Instant::now() < until, "{text}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_is_told_in_the_middle_is_true() {
    let (server, silent, go) = server();
    let run = Run::begin(server);
    let refused = f64::from(silent.recv_timeout(Duration::from_secs(30)).expect("the recipient that is held"));
    // Ten mailboxes are answered, drawn at random, two more were asked together with them, and twelve wait for the pace.
    let found = told(run.figures, |found| found["smtpprobe_bulk_answers_total accepted"] > 0.0);
    let expected = [
        ("smtpprobe_bulk_lines_read_total", 25.0),
        ("smtpprobe_bulk_list_read", 1.0),
        ("smtpprobe_bulk_answers_total accepted", 10.0 - refused),
        ("smtpprobe_bulk_answers_total rejected", refused),
        ("smtpprobe_bulk_answers_total deferred", 0.0),
        ("smtpprobe_bulk_answers_total unreachable", 0.0),
        ("smtpprobe_bulk_answers_total inconclusive", 0.0),
        ("smtpprobe_bulk_answers_total invalid", 1.0),
        ("smtpprobe_bulk_sessions_open", 1.0),
        ("smtpprobe_bulk_sessions_begun_total", 1.0),
        ("smtpprobe_bulk_lookups_total found", 1.0),
        ("smtpprobe_bulk_lookups_total none", 0.0),
        ("smtpprobe_bulk_lookups_total failed", 0.0),
        ("smtpprobe_bulk_lookups_open", 0.0),
        ("smtpprobe_bulk_mailboxes_waiting", 12.0),
        ("smtpprobe_bulk_mailboxes_put_off", 0.0),
        ("smtpprobe_bulk_destinations", 1.0),
        ("smtpprobe_bulk_destination_mailboxes_waiting 127.0.0.1", 12.0),
        ("smtpprobe_bulk_destination_mailboxes_put_off 127.0.0.1", 0.0),
        ("smtpprobe_bulk_destination_sessions_open 127.0.0.1", 1.0),
        ("smtpprobe_bulk_destination_limit_recipients_per_second 127.0.0.1", 12.0),
        ("smtpprobe_bulk_destination_pause_seconds 127.0.0.1", 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(found.get(name), Some(&value), "{name}: {found:?}");
    }
    assert_eq!(found[&format!("smtpprobe_build_info {}", env!("CARGO_PKG_VERSION"))].to_bits(), 1.0_f64.to_bits());
    let passed = found["smtpprobe_bulk_duration_seconds"];
    assert!((0.4..40.0).contains(&passed), "{passed}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs_f64();
    assert!((now - found["smtpprobe_bulk_start_time_seconds"]).abs() < 60.0);
    assert!(found.keys().all(|name| !name.contains('@') && !name.contains("good")), "{found:?}");
    assert_eq!(found.len(), expected.len() + 3, "nothing else is told: {found:?}");
    go.send(()).expect("the server");
    let figures = run.figures;
    assert_eq!(run.end(), (Some(1), 25));
    assert!(TcpStream::connect(figures).is_err(), "nobody listens when the run is over");
}

#[test]
fn clients_that_mean_no_good_hold_up_nobody() {
    let (server, silent, go) = server();
    let run = Run::begin(server);
    silent.recv_timeout(Duration::from_secs(30)).expect("the recipient that is held");
    let at = run.figures;
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http/1.1 404"),
        ("GET /metrics/../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "http/1.1 404"),
        ("DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "http/1.1 405"),
        ("EHLO probe.test\r\n\r\n", "http/1.1 400"),
        ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "http/1.0 200"),
    ] {
        let (head, _) = ask(at, request);
        assert!(head.starts_with(status), "{request}: {head}");
    }
    let (head, body) = ask(at, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("http/1.1 200") && body.is_empty(), "{head} {body}");
    // A request that never ends is broken off, by its size or by the time that it takes.
    let mut endless = TcpStream::connect(at).expect("an endpoint");
    let began = Instant::now();
    let mut sent = 0_u64;
    while began.elapsed() < Duration::from_secs(30) && endless.write_all(b"GET /metrics HTTP/1.1\r\nX-Long: aaaaaaaaaaaaaaaa").is_ok() {
        sent += 1;
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{sent} pieces");
    // More than are served at a time, and none of them says a word, or reads.
    let crowd: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(at).expect("the kernel's queue")).collect();
    let began = Instant::now();
    go.send(()).expect("the server");
    assert_eq!(run.end(), (Some(1), 25), "the run goes on meanwhile");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    drop(crowd);
}

#[test]
fn whoever_is_silent_makes_room_in_the_end() {
    let (server, silent, go) = server();
    let run = Run::begin(server);
    silent.recv_timeout(Duration::from_secs(30)).expect("the recipient that is held");
    let crowd: Vec<TcpStream> = (0..16).map(|_| TcpStream::connect(run.figures).expect("an endpoint")).collect();
    let began = Instant::now();
    let found = samples(&fetch(run.figures));
    let took = began.elapsed();
    assert!(found.len() > 20 && took > Duration::from_secs(1) && took < Duration::from_secs(15), "{took:?}");
    drop(crowd);
    go.send(()).expect("the server");
    assert_eq!(run.end(), (Some(1), 25));
}

#[test]
fn an_address_in_use_is_told_before_anybody_is_asked() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address").to_string();
    let victim = TcpListener::bind("127.0.0.1:0").expect("a port");
    victim.set_nonblocking(true).expect("a socket");
    let server = victim.local_addr().expect("an address").to_string();
    let folder = std::env::temp_dir().join(format!("smtpprobe-metrics-{}", std::process::id()));
    let _ = std::fs::remove_file(&folder);
    let journal = folder.to_str().expect("a path");
    let mut child = Command::new(env!("CARGO_BIN_EXE_smtpprobe"))
        .env("SMTPPROBE_CONFIG", "/dev/null")
        .args(["bulk", "-", "--metrics", &at, "--server", &server, "--output-file", journal])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command");
    let _ = child.stdin.take().expect("a pipe").write_all(b"good@d.test\n");
    let done = child.wait_with_output().expect("an end");
    let complaint = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{complaint}");
    assert!(complaint.starts_with(&format!("smtpprobe: --metrics {at}: ")) && complaint.lines().count() == 1, "{complaint}");
    assert!(victim.accept().is_err() && !folder.exists());
}
