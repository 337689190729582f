//! The built command, as publisher and as workers.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::mail::Mail;

/// How long leases last in these tests.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
/// The longest that anything takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where the files of one test are, and what its processes have in common.
pub(crate) struct Fleet {
    folder: PathBuf,
    url: String,
    resolver: String,
    port: String,
}

/// A process of it; it is killed with this value.
pub(crate) struct Process {
    child: Child,
    said: PathBuf,
}

/// What a process came to.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Fleet {
    pub(crate) fn new(title: &str, url: &str, mail: &Mail) -> Self {
        let folder = std::env::temp_dir().join(format!("smtpprobe-fleet-{}-{title}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        Self { folder, url: url.to_owned(), resolver: mail.resolver().to_string(), port: mail.port().to_string() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).expect("a file");
        self.path(name)
    }

    fn spawn(&self, name: &str, arguments: &[&str], password: Option<&str>) -> Process {
        let said = self.path(&format!("{name}-{}.said", fs::read_dir(&self.folder).expect("a folder").count()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_smtpprobe"));
        command.env("SMTPPROBE_CONFIG", "/dev/null").env_remove("SMTPPROBE_QUEUE_PASSWORD").args(arguments);
        if let Some(password) = password {
            command.env("SMTPPROBE_QUEUE_PASSWORD", password);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&said).expect("a file"));
        Process { child: command.spawn().expect("the command"), said }
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, arguments: &[&str], password: Option<&str>) -> Done {
        self.spawn("run", arguments, password).wait()
    }

    /// Starts a worker that calls itself so.
    pub(crate) fn worker(&self, name: &str, options: &[&str]) -> Process {
        let helo = format!("{name}.test");
        let lease = LEASE.as_secs().to_string();
        let common = ["worker", "--queue", &self.url, "--queue-lease", &lease, "--helo", &helo];
        self.spawn(name, &[&common[..], options].concat(), None)
    }

    /// Starts publishing a list.
    pub(crate) fn publisher(&self, list: &Path, journal: &Path, options: &[&str]) -> Process {
        let lease = LEASE.as_secs().to_string();
        let (list, journal) = (list.to_str().expect("a path"), journal.to_str().expect("a path"));
        let common = ["bulk", list, "--queue", &self.url, "--queue-lease", &lease, "--output-file", journal];
        let manners = ["--resolver", &self.resolver, "--port", &self.port, "--controls", "off", "--rate", "unlimited", "-4"];
        self.spawn("publisher", &[&common[..], &manners, options].concat(), None)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The answers of a journal by line, none of which is there twice.
pub(crate) fn answers_in(journal: &Path) -> BTreeMap<u64, Value> {
    let text = fs::read_to_string(journal).expect("a journal");
    let mut all = BTreeMap::new();
    for line in text.lines().skip(1) {
        let answer: Value = serde_json::from_str(line).expect(line);
        let number = answer["line"].as_u64().expect("a line");
        let input = answer["input"].as_str().expect("an input");
        let expected = if input.starts_with("good") { "accepted" } else { "rejected" };
        assert!(!input.ends_with('t') || !input.contains("@d") || answer["outcome"] == expected, "{answer}");
        assert!(all.insert(number, answer).is_none(), "line {number} is answered twice");
    }
    all
}

/// How many answers there are by outcome.
pub(crate) fn sum(answers: &BTreeMap<u64, Value>) -> BTreeMap<String, usize> {
    let mut sum = BTreeMap::new();
    for answer in answers.values() {
        *sum.entry(answer["outcome"].as_str().expect("an outcome").to_owned()).or_default() += 1;
    }
    sum
}

impl Process {
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// What it has said on standard error.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.said).expect("a file")
    }

    pub(crate) fn wait_to_say(&self, words: &str) {
        let began = Instant::now();
        while !self.said().contains(words) {
            assert!(began.elapsed() < PATIENCE, "it does not say {words:?}: {}", self.said());
            sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn wait(mut self) -> Done {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a process") {
                return Done { code: ExitStatus::code(&status), said: self.said() };
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {}", self.said());
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} said: {}", self.said.display(), self.said());
        }
        self.kill();
    }
}
