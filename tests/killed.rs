//! `smtpprobe bulk` killed at random moments, again and again: the same command goes on, each line is answered once and truly, and
//! nobody is asked again whose answer was written.

#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 200;
/// They are run so many at a time, each with lists and a server of its own.
const STRANDS: usize = 4;
/// Lines of a list; every tenth is one of the first again, every hundredth no address at all.
const LINES: usize = 1500;

/// Who was asked for, and how many sessions are open.
#[derive(Default)]
struct Server {
    asked: Mutex<Vec<String>>,
    open: AtomicUsize,
}

impl Server {
    fn start() -> (SocketAddr, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let server = Arc::new(Self::default());
        let here = Arc::clone(&server);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&here);
                server.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    // Whoever is killed leaves in the middle.
                    let _ = server.session(&stream);
                    server.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        (at, server)
    }

    fn session(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        stream.write_all(b"220 mx.test ESMTP\r\n")?;
        for line in BufReader::new(stream).lines() {
            let line = line?;
            let reply = match line.get(..4) {
                Some("RCPT") => {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    self.asked.lock().expect("a log").push(address.to_owned());
                    thread::sleep(Duration::from_micros(200));
                    if address.starts_with("good") { "250 2.1.5 Ok" } else { "550 5.1.1 User unknown" }
                }
                Some("EHLO") => "250-mx.test\r\n250 PIPELINING",
                _ => "250 2.0.0 Ok",
            };
            stream.write_all(format!("{reply}\r\n").as_bytes())?;
        }
        Ok(())
    }

    /// What was asked since the last time, once nobody is connected any more.
    fn asked(&self) -> Vec<String> {
        let until = Instant::now() + Duration::from_secs(20);
        // A connection that nobody has accepted yet counts as none; but whoever is in its queue has asked nothing.
        while self.open.load(Ordering::SeqCst) > 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        std::mem::take(&mut *self.asked.lock().expect("a log"))
    }
}

fn list(number: usize) -> Vec<String> {
    let line = |n: usize| match n {
        _ if n % 100 == 99 => format!("no address {n}"),
        _ if n % 10 == 7 => format!("good{}l{number}@d0.test", n % 50 / 10 * 10),
        _ if n % 8 == 3 => format!("gone{n}l{number}@d{}.test", n % 5),
        _ => format!("good{n}l{number}@d{}.test", n % 5),
    };
    (0..LINES).map(line).collect()
}

/// The outcome of each line that the journal has, by its number.
fn answers(journal: &Path) -> BTreeMap<u64, (String, String)> {
    let text = fs::read_to_string(journal).unwrap_or_default();
    let mut found = BTreeMap::new();
    // A last line without an end was torn by the kill.
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let answer: serde_json::Value = serde_json::from_str(line).expect(line);
        let Some(number) = answer["line"].as_u64() else { continue };
        let word = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        assert!(found.insert(number, (word("input"), word("outcome"))).is_none(), "line {number} is answered twice");
    }
    found
}

fn run(server: SocketAddr, list: &Path, journal: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtpprobe"));
    let server = server.to_string();
    let options = ["--server", &server, "--helo", "probe.test", "--rate", "unlimited", "--connections-per-destination", "4", "-q"];
    command.env("SMTPPROBE_CONFIG", "/dev/null").arg("bulk").args(options).arg("--i-own-this-domain").arg("--output-file").arg(journal);
    command.arg(list).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn each_line_is_answered_once_however_often_the_command_is_killed() {
    let folder = std::env::temp_dir().join(format!("smtpprobe-killed-{}", std::process::id()));
    let strands: Vec<_> = (0..STRANDS)
        .map(|strand| {
            let folder = folder.join(strand.to_string());
            thread::spawn(move || kill_again_and_again(&folder, u64::from(std::process::id()) * 10 + strand as u64))
        })
        .collect();
    let (mut grew, mut ended) = (0, 0);
    for strand in strands {
        let (more, lists) = strand.join().expect("a strand");
        (grew, ended) = (grew + more, ended + lists);
    }
    eprintln!("{ROUNDS} rounds: {grew} wrote something, {ended} came to the end of a list");
    assert!(grew > ROUNDS / 4 && ended > 3, "{grew} rounds wrote, {ended} lists ended");
    let _ = fs::remove_dir_all(folder);
}

/// Rounds of one list after the other: how many wrote something, and how many came to the end of a list.
fn kill_again_and_again(folder: &Path, seed: u64) -> (usize, usize) {
    fs::create_dir_all(folder).expect("a folder");
    let (at, server) = Server::start();
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut number, mut lines, mut before, mut grew, mut ended) = (0, list(0), BTreeMap::new(), 0, 0);
    for round in 0..ROUNDS / STRANDS {
        let (file, journal) = (folder.join(format!("{number}.txt")), folder.join(format!("{number}.ndjson")));
        fs::write(&file, lines.join("\n") + "\n").expect("a list");
        let mut child = run(at, &file, &journal).spawn().expect("the command");
        thread::sleep(Duration::from_millis(random.u64(0..1200)));
        let over = child.try_wait().expect("a process");
        let _ = child.kill();
        let output = child.wait_with_output().expect("an end");
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        // Some are unknown, so that a run that comes to its end says so.
        assert!(over.is_none_or(|status| status.code() == Some(1)), "seed {seed}, round {round}: {complaints}");
        let asked = server.asked();
        let written: BTreeSet<&str> = before.values().map(|(input, _): &(String, String)| input.as_str()).collect();
        let again: Vec<&String> = asked.iter().filter(|address| written.contains(address.as_str())).collect();
        // A line with the address of another one may be asked for as long as it has no answer of its own.
        let again = again.into_iter().filter(|address| lines.iter().filter(|line| line == address).count() == 1).collect::<Vec<_>>();
        assert!(again.is_empty(), "seed {seed}, round {round}: asked again: {again:?}");
        let now = answers(&journal);
        for (line, answer) in &before {
            assert_eq!(now.get(line), Some(answer), "seed {seed}, round {round}: line {line} is lost or changed");
        }
        for (line, (input, outcome)) in &now {
            let truth = match input.get(..4) {
                Some("good") => "accepted",
                Some("gone") => "rejected",
                _ => "invalid",
            };
            let listed = usize::try_from(*line).ok().and_then(|line| lines.get(line.checked_sub(1)?));
            assert_eq!((Some(input), outcome.as_str()), (listed, truth), "seed {seed}, round {round}: line {line}");
        }
        grew += usize::from(now.len() > before.len());
        before = now;
        if over.is_some() {
            assert_eq!(before.len(), LINES, "seed {seed}, round {round}: {complaints}");
            ended += 1;
            number += 1;
            (lines, before) = (list(number), BTreeMap::new());
        }
    }
    (grew, ended)
}
