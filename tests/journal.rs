//! Journals whose writers are killed at any moment: what was reported as written is there, and nothing is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use smtpprobe::bulk::journal::{Identity, Journal, JournalError, Pace, Repairs};
use smtpprobe::bulk::{Answer, Settled};
use smtpprobe::knowledge::{Actor, Confidence, Reason};

const ROUNDS: u32 = 200;

/// A list has so many lines; then the next one is begun.
const LINES: u64 = 20_000;

/// Where the writer finds the name of its journal.
const PATH: &str = "SMTPPROBE_TEST_JOURNAL";

fn answer(line: u64) -> Answer {
    Answer {
        line,
        input: format!("user{line}@example.com"),
        address: Some(format!("user{line}@example.com")),
        outcome: Settled::Deferred,
        reason: Reason::Greylisted,
        actor: Actor::Wait,
        confidence: Confidence::Certain,
        code: Some(451),
        enhanced: Some("4.7.1".to_owned()),
        text: Some("come back later ".repeat(usize::try_from(line % 40).unwrap())),
        host: None,
        destination: None,
        catch_all: None,
        attempts: 3,
        at: "2026-01-02T03:04:05Z".to_owned(),
        error: None,
    }
}

fn opened(path: &Path) -> Result<(Journal, Repairs, Vec<u64>), JournalError> {
    let (identity, _) = Identity::of_stream("-".to_owned(), "ann@example.com\n".as_bytes(), BTreeMap::new()).unwrap();
    let mut before = Vec::new();
    let pace = Pace { every: Duration::from_millis(2), answers: 50 };
    let (journal, repairs) = Journal::open(path, &identity, pace, &mut |answer| before.push(answer.line))?;
    Ok((journal, repairs, before))
}

/// Not a test of its own: what the others start as a process, and kill.
#[test]
#[ignore = "it is started by the other tests"]
fn writer() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let mut out = std::io::stdout().lock();
    let (mut journal, ..) = match opened(Path::new(&path)) {
        Ok(opened) => opened,
        Err(error) => {
            writeln!(out, "\nrefused {error}").unwrap();
            return;
        }
    };
    writeln!(out, "\nopen").unwrap();
    // In an order of its own, as answers come.
    for line in (0..LINES).map(|line| 1 + line * 7919 % LINES) {
        if journal.is_answered(line) {
            continue;
        }
        for answer in journal.append(answer(line), Instant::now()).unwrap() {
            writeln!(out, "written {}", answer.line).unwrap();
        }
    }
    for answer in journal.commit().unwrap() {
        writeln!(out, "written {}", answer.line).unwrap();
    }
    writeln!(out, "over").unwrap();
}

fn started(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["writer", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The lines that a writer says until it is gone, and a word once it has said one of its own.
fn said(child: &mut Child) -> (thread::JoinHandle<Vec<String>>, Receiver<()>) {
    let (report, begun) = channel();
    let out = child.stdout.take().unwrap();
    // A line that was cut by the kill has no end; it is left out, for "written 12" may have been on its way to "written 123".
    let lines = thread::spawn(move || {
        let mut lines: Vec<String> = Vec::new();
        let mut out = BufReader::new(out);
        let mut line = String::new();
        while out.read_line(&mut line).is_ok_and(|count| count > 0) && line.ends_with('\n') {
            lines.push(std::mem::take(&mut line).trim().to_owned());
            if lines.last().is_some_and(|line| line == "open" || line.starts_with("refused")) {
                let _ = report.send(());
            }
        }
        lines
    });
    (lines, begun)
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("smtpprobe-journals-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Half an answer at the end of a journal, as a power cut leaves it.
fn tear(path: &Path) -> u64 {
    let mut file: File = OpenOptions::new().append(true).open(path).unwrap();
    let half = b"{\"line\":1,\"input\":\"user1@exam";
    file.write_all(half).unwrap();
    half.len() as u64
}

#[test]
fn nothing_is_lost_or_doubled_however_often_the_writer_is_killed() {
    let folder = Folder::new("killed");
    let seed = u64::from(std::process::id());
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut lists, mut reported, mut torn, mut grew) = (0, BTreeSet::new(), 0, 0);
    for round in 0..ROUNDS {
        let path = folder.0.join(format!("{lists}.ndjson"));
        let mut child = started(&path);
        let (lines, begun) = said(&mut child);
        // From before it has opened the file until long after.
        if random.u8(0..4) > 0 {
            begun.recv_timeout(Duration::from_secs(60)).expect("a writer that begins");
        }
        thread::sleep(Duration::from_micros(random.u64(0..40_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let lines = lines.join().unwrap();
        assert!(!lines.iter().any(|line| line.starts_with("refused")), "seed {seed}, round {round}: {lines:?}");
        let before = reported.len();
        for line in lines.iter().filter_map(|line| line.strip_prefix("written ")) {
            assert!(reported.insert(line.parse::<u64>().unwrap()), "seed {seed}, round {round}: line {line} was asked again");
        }
        grew += u32::from(reported.len() > before);
        let extra = if path.exists() && random.u8(0..4) == 0 && fs::read(&path).unwrap().ends_with(b"\n") { tear(&path) } else { 0 };
        let (journal, repairs, there) = opened(&path).unwrap();
        assert_eq!((repairs.damaged, repairs.twice), (0, 0), "seed {seed}, round {round}");
        assert!(extra == 0 || repairs.torn == extra, "seed {seed}, round {round}: {repairs}");
        torn += u32::from(repairs.torn > extra);
        drop(journal);
        let set: BTreeSet<u64> = there.iter().copied().collect();
        assert_eq!(set.len(), there.len(), "seed {seed}, round {round}: something is there twice");
        assert!(reported.is_subset(&set), "seed {seed}, round {round}: {:?} are lost", reported.difference(&set));
        assert!(set.iter().all(|line| (1..=LINES).contains(line)));
        // What was safe, and the report of it cut off, is not asked again either.
        reported = set;
        if reported.len() as u64 == LINES || random.u8(0..20) == 0 {
            (lists, reported) = (lists + 1, BTreeSet::new());
        }
    }
    eprintln!("{ROUNDS} rounds, {lists} lists, {grew} rounds with answers, {torn} torn lines");
    assert!(grew > ROUNDS / 20, "seed {seed}: only {grew} rounds wrote anything");
}

#[test]
fn the_same_command_goes_on_to_the_end() {
    let folder = Folder::new("to-the-end");
    let path = folder.0.join("journal.ndjson");
    for _ in 0..3 {
        let mut child = started(&path);
        let (lines, begun) = said(&mut child);
        begun.recv_timeout(Duration::from_secs(60)).expect("a writer that begins");
        thread::sleep(Duration::from_millis(20));
        child.kill().unwrap();
        child.wait().unwrap();
        drop(lines.join().unwrap());
    }
    let mut child = started(&path);
    let (lines, _) = said(&mut child);
    assert!(child.wait().unwrap().success());
    assert!(lines.join().unwrap().iter().any(|line| line == "over"));
    let (_, repairs, mut there) = opened(&path).unwrap();
    there.sort_unstable();
    assert_eq!(there, (1..=LINES).collect::<Vec<_>>());
    assert!(repairs.is_empty());
}

#[test]
fn a_second_process_is_told_that_another_has_the_journal() {
    let folder = Folder::new("two");
    let path = folder.0.join("journal.ndjson");
    let (mut journal, ..) = opened(&path).unwrap();
    let mut written = journal.append(answer(1), Instant::now()).unwrap().len();
    let mut second = started(&path);
    let (lines, _) = said(&mut second);
    second.wait().unwrap();
    let lines = lines.join().unwrap();
    let refused = lines.iter().find(|line| line.starts_with("refused")).expect("a refusal");
    assert!(refused.contains("another run is writing the journal"), "{refused}");
    // On a slow machine the pace has had it written already.
    written += journal.commit().unwrap().len();
    assert_eq!(written, 1);
    drop(journal);
    assert_eq!(opened(&path).unwrap().2, [1]);
}
