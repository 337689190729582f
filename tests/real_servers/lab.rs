//! A network namespace with servers in it, for one test: made, filled and taken away again, also when the test fails.
//!
//! In a namespace of its own a server has port 25 and any address, without a neighbour noticing. Everything lives on the
//! namespace's loopback device; [`DEAD_V4`] and [`DEAD_V6`] lead into a tunnel that nobody reads, and stay silent.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Where the mail server listens.
pub(crate) const MX: &str = "192.0.2.25";
/// The same over IPv6.
pub(crate) const MX_V6: &str = "2001:db8::25";
/// More addresses for mail servers with other manners.
pub(crate) const SLOW: &str = "192.0.2.26";
pub(crate) const CLOSING: &str = "192.0.2.27";
pub(crate) const SCREENED: &str = "192.0.2.28";
/// Addresses that packets go to, and nothing comes back from.
pub(crate) const DEAD_V4: &str = "203.0.113.25";
pub(crate) const DEAD_V6: &str = "2001:db8:dead::25";

/// Set where the tests have to run: then a test that cannot run fails.
const MUST_RUN: &str = "SMTPPROBE_TESTS_MUST_RUN";
/// A server is up, or a line in its log, within this time.
const PATIENCE: Duration = Duration::from_secs(15);

/// The namespace, and a folder for the servers' files.
pub(crate) struct Lab {
    namespace: String,
    folder: PathBuf,
}

/// What a run of the command came to.
pub(crate) struct Probed {
    /// The exit code.
    pub(crate) code: i32,
    /// The JSON report.
    pub(crate) report: Value,
    /// How long it took.
    pub(crate) took: Duration,
    shown: String,
}

impl Lab {
    /// Makes a lab for the test `title`. None, after saying why, where the machine lacks something that it takes.
    pub(crate) fn open(title: &str, programs: &[&str]) -> Option<Self> {
        match Self::build(title, programs) {
            Ok(lab) => Some(lab),
            Err(why) => {
                let must_run = std::env::var_os(MUST_RUN).is_some_and(|value| value == "1");
                assert!(!must_run, "{title} cannot run: {why}, and {MUST_RUN} is set");
                eprintln!("skipped: {why}");
                None
            }
        }
    }

    fn build(title: &str, programs: &[&str]) -> Result<Self, String> {
        for program in ["ip", "ss"].iter().chain(programs) {
            which(program).ok_or_else(|| format!("{program} is not installed"))?;
        }
        let name = format!("smtpprobe-{}-{title}", process::id());
        // Postfix' processes run as another user, and must get through; sockets in it must have short paths.
        let folder = PathBuf::from("/tmp").join(&name);
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let lab = Self { namespace: name, folder };
        fs::create_dir(&lab.folder).map_err(|error| format!("{}: {error}", lab.folder.display()))?;
        lab.lay_out_network()?;
        Ok(lab)
    }

    fn lay_out_network(&self) -> Result<(), String> {
        self.ip("link set lo up")?;
        for address in [MX, SLOW, CLOSING, SCREENED] {
            self.ip(&format!("address add {address}/32 dev lo"))?;
        }
        self.ip(&format!("address add {MX_V6}/128 dev lo nodad"))?;
        self.ip("tuntap add mode tun dev dead0")?;
        self.ip("link set dead0 up")?;
        self.ip(&format!("route add {DEAD_V4}/32 dev dead0"))?;
        self.ip(&format!("-6 route add {DEAD_V6}/128 dev dead0"))
    }

    fn ip(&self, arguments: &str) -> Result<(), String> {
        run(Command::new("ip").args(["-n", &self.namespace]).args(arguments.split(' ')))
    }

    /// A place for a file of this lab's.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder can be made");
        fs::write(&path, text).expect("a file can be written");
        path
    }

    /// A command that will run inside.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program.as_ref()).stdin(Stdio::null());
        command
    }

    /// Starts a server that stays in the foreground, and waits until it listens at `place`. What it prints is kept in a file.
    pub(crate) fn serve(&self, program: &str, arguments: &[&str], place: &str) {
        let printed = File::create(self.path(&format!("{program}.out"))).expect("a file can be made");
        let both = printed.try_clone().expect("a file can be shared");
        let mut server = self.command(program).args(arguments).stdout(printed).stderr(both).spawn().expect("it can be started");
        let stopped_or_up = || self.listens(place) || server.try_wait().is_ok_and(|status| status.is_some());
        wait_until(stopped_or_up);
        let printed = fs::read_to_string(self.path(&format!("{program}.out"))).unwrap_or_default();
        assert!(self.listens(place), "{program} does not listen at {place}: {printed}");
    }

    /// Whether something listens at `place` (`192.0.2.1:25`), over UDP or TCP.
    fn listens(&self, place: &str) -> bool {
        let output = self.command("ss").args(["-lntuH"]).output().expect("ss runs");
        String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == place)
    }

    /// Runs the command that is being tested.
    pub(crate) fn probe(&self, arguments: &[&str]) -> Probed {
        self.probe_with(&[], arguments)
    }

    /// Runs the command as it is, and returns what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.smtpprobe().args(arguments).output().expect("the command runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn smtpprobe(&self) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_smtpprobe"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command
    }

    /// The same with variables in its environment.
    pub(crate) fn probe_with(&self, environment: &[(&str, &Path)], arguments: &[&str]) -> Probed {
        let mut command = self.smtpprobe();
        let began = Instant::now();
        let output = command.envs(environment.iter().copied()).args(["-o", "json"]).args(arguments).output().expect("the command runs");
        let took = began.elapsed();
        let (text, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let shown = format!("smtpprobe {}\n{text}{complaints}", arguments.join(" "));
        let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {shown}"));
        Probed { code: output.status.code().expect("it ended by itself"), report, took, shown }
    }

    /// Waits until the file `name` holds `text`, and returns all that is in it.
    pub(crate) fn wait_for_line(&self, name: &str, text: &str) -> String {
        let read = || fs::read_to_string(self.path(name)).unwrap_or_default();
        wait_until(|| read().contains(text));
        let all = read();
        assert!(all.contains(text), "{name} does not say {text:?}:\n{all}");
        all
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let inside = || {
            let output = Command::new("ip").args(["netns", "pids", &self.namespace]).output();
            output.map(|output| String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        // Whatever runs in the namespace was started by this lab; the namespace lives as long as one of them does.
        wait_until(|| match inside() {
            Ok(processes) if !processes.is_empty() => {
                let _ = Command::new("kill").arg("-9").args(&processes).stderr(Stdio::null()).status();
                false
            }
            _ => true,
        });
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Probed {
    /// The value at a JSON pointer; null if there is none.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.report.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Checks exit code, outcome, reason and confidence.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, verdict: &str) -> &Self {
        let words = ["outcome", "reason", "confidence"].map(|part| self.at(&format!("/verdict/{part}")).as_str().unwrap_or("-"));
        assert_eq!((self.code, words.join(" ").as_str()), (code, verdict), "{}", self.shown);
        self
    }

    /// Checks the reply that decided: code, enhanced code (`-` for none), and that its text holds `words`.
    #[track_caller]
    pub(crate) fn by(&self, code: u64, enhanced: &str, words: &str) -> &Self {
        let verdict = self.at("/verdict");
        assert_eq!((verdict["code"].as_u64(), verdict["enhanced"].as_str().unwrap_or("-")), (Some(code), enhanced), "{}", self.shown);
        assert!(verdict["text"].as_str().is_some_and(|text| text.contains(words)), "{words:?} in {}", self.shown);
        self
    }

    /// Checks that there is such a finding.
    #[track_caller]
    pub(crate) fn finds(&self, id: &str) -> &Self {
        assert!(self.has_finding(id), "no {id} in {}", self.shown);
        self
    }

    pub(crate) fn has_finding(&self, id: &str) -> bool {
        self.at("/findings").as_array().is_some_and(|findings| findings.iter().any(|finding| finding["id"] == id))
    }

    /// What a session said and was answered: verbs (`EHLO`) and reply codes in order.
    pub(crate) fn exchange(&self, session: usize) -> String {
        let events = self.at(&format!("/sessions/{session}/events")).as_array().cloned().unwrap_or_default();
        let word = |event: &Value| match event["kind"].as_str() {
            Some("sent") => event["command"].as_str().and_then(|command| command.split(' ').next()).map(str::to_owned),
            Some("reply") => event["code"].as_u64().map(|code| code.to_string()),
            Some("secured") => Some("TLS".to_owned()),
            Some("failed") => event["failure"].as_str().map(|failure| format!("({failure})")),
            _ => None,
        };
        events.iter().filter_map(word).collect::<Vec<_>>().join(" ")
    }

    /// Checks that it was over within `limit`.
    #[track_caller]
    pub(crate) fn within(&self, limit: Duration) -> &Self {
        assert!(self.took < limit, "{:?} for {}", self.took, self.shown);
        self
    }
}

/// Whether a variable would change what the command does.
fn is_ours(name: &str) -> bool {
    name.starts_with("SMTPPROBE_") || matches!(name, "SSL_CERT_FILE" | "SSL_CERT_DIR")
}

fn wait_until(mut reached: impl FnMut() -> bool) {
    let began = Instant::now();
    while !reached() && began.elapsed() < PATIENCE {
        sleep(Duration::from_millis(20));
    }
}

/// Runs a command that prints nothing unless something is wrong.
fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
