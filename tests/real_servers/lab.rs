//! Network namespaces with servers in them, for one test: made, filled and taken away again, also when the test fails.
//!
//! In a namespace of its own a server has port 25 and any address, without a neighbour noticing. What they are laid out as, is
//! told by `loopback` (one namespace, everything on its loopback device) and `network` (three, with a router between).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{self, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::namespace::Namespace;
use super::probed::Probed;

/// Set where the tests have to run: then a test that cannot run fails.
const MUST_RUN: &str = "SMTPPROBE_TESTS_MUST_RUN";
/// A server is up, or a line in its log, within this time.
const PATIENCE: Duration = Duration::from_secs(15);

/// The namespaces, and a folder for the servers' files.
pub(crate) struct Lab {
    // They go in this order: first who writes the files, then the files.
    namespaces: Vec<Namespace>,
    folder: Folder,
}

/// A folder, as long as this value lives.
struct Folder(PathBuf);

impl Lab {
    /// Makes a lab for the test `title`, of namespaces with these names. None, after saying why, where the machine lacks
    /// something that it takes.
    pub(crate) fn open(title: &str, programs: &[&str], namespaces: &[&str], lay_out: fn(&Self) -> Result<(), String>) -> Option<Self> {
        match Self::build(title, programs, namespaces).and_then(|lab| lay_out(&lab).map(|()| lab)) {
            Ok(lab) => Some(lab),
            Err(why) => {
                let must_run = std::env::var_os(MUST_RUN).is_some_and(|value| value == "1");
                assert!(!must_run, "{title} cannot run: {why}, and {MUST_RUN} is set");
                eprintln!("skipped: {why}");
                None
            }
        }
    }

    fn build(title: &str, programs: &[&str], namespaces: &[&str]) -> Result<Self, String> {
        for program in ["ip", "ss"].iter().chain(programs) {
            which(program).ok_or_else(|| format!("{program} is not installed"))?;
        }
        let name = format!("smtpprobe-{}-{title}", process::id());
        let make = |suffix: &&str| Namespace::new(format!("{name}-{suffix}"));
        let namespaces = namespaces.iter().map(make).collect::<Result<_, _>>()?;
        // Postfix' processes run as another user, and must get through; sockets in it must have short paths.
        let folder = PathBuf::from("/tmp").join(&name);
        fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { namespaces, folder: Folder(folder) })
    }

    /// The namespaces, in the order they were named.
    pub(crate) fn namespaces(&self) -> &[Namespace] {
        &self.namespaces
    }

    /// The first namespace: here runs the command that is being tested.
    pub(crate) fn client(&self) -> &Namespace {
        self.namespaces.first().expect("a lab has a namespace")
    }

    /// The last namespace: here run the mail servers.
    pub(crate) fn servers(&self) -> &Namespace {
        self.namespaces.last().expect("a lab has a namespace")
    }

    /// A place for a file of this lab's.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder can be made");
        fs::write(&path, text).expect("a file can be written");
        path
    }

    /// Starts a server that stays in the foreground, beside the command, and waits until it listens at `place`. What it prints is
    /// kept in a file.
    pub(crate) fn serve(&self, program: &str, arguments: &[&str], place: &str) {
        let log = self.path(&format!("{program} {place}.out"));
        let printed = File::create(&log).expect("a file can be made");
        let both = printed.try_clone().expect("a file can be shared");
        let mut server = self.client().command(program).args(arguments).stdout(printed).stderr(both).spawn().expect("it can be started");
        let stopped_or_up = || self.client().listens(place) || server.try_wait().is_ok_and(|status| status.is_some());
        wait_until(stopped_or_up);
        let printed = fs::read_to_string(&log).unwrap_or_default();
        assert!(self.client().listens(place), "{program} does not listen at {place}: {printed}");
    }

    /// Runs the command that is being tested.
    pub(crate) fn probe(&self, arguments: &[&str]) -> Probed {
        self.probe_with::<&str>(&[], arguments)
    }

    /// The same with variables in its environment.
    pub(crate) fn probe_with<V: AsRef<OsStr>>(&self, environment: &[(&str, V)], arguments: &[&str]) -> Probed {
        let mut command = self.smtpprobe();
        command.args(arguments).args(["-o", "json"]).envs(environment.iter().map(|(name, value)| (name, value)));
        let began = Instant::now();
        let output = command.output().expect("the command runs");
        Probed::new(arguments, &output, began.elapsed())
    }

    /// Runs the command as it is, and returns what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.smtpprobe().args(arguments).output().expect("the command runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn smtpprobe(&self) -> Command {
        let mut command = self.client().command(env!("CARGO_BIN_EXE_smtpprobe"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command
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

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a variable would change what the command does.
fn is_ours(name: &str) -> bool {
    name.starts_with("SMTPPROBE_") || matches!(name, "SSL_CERT_FILE" | "SSL_CERT_DIR")
}

/// Waits until something is so, or patience is at its end.
pub(crate) fn wait_until(mut reached: impl FnMut() -> bool) {
    let began = Instant::now();
    while !reached() && began.elapsed() < PATIENCE {
        sleep(Duration::from_millis(20));
    }
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
