//! Two network namespaces with a line between them: the client in one, real servers in the other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::link;
use crate::measure::Cost;

/// A server is up within this time.
const PATIENCE: Duration = Duration::from_secs(10);

const SERVICES: &str = "\
smtp inet n - n - - smtpd
587 inet n - n - - smtpd
465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

/// The namespaces and what runs in them, until it is dropped.
pub(crate) struct Namespaces {
    /// The client's name.
    pub(crate) client: String,
    /// The servers' name.
    pub(crate) server: String,
    /// Where their files are.
    pub(crate) folder: PathBuf,
}

impl Namespaces {
    /// Makes both, with a line between them that has `round_trip`.
    pub(crate) fn open(round_trip: Duration) -> io::Result<Self> {
        let id = process::id();
        let namespaces =
            Self { client: format!("line-{id}1"), server: format!("line-{id}2"), folder: PathBuf::from(format!("/tmp/line-{id}")) };
        fs::create_dir(&namespaces.folder)?;
        for namespace in [&namespaces.client, &namespaces.server] {
            run(Command::new("ip").args(["netns", "add", namespace]))?;
            ip(namespace, "link set lo up")?;
        }
        link::join([&namespaces.client, &namespaces.server], round_trip / 2)?;
        Ok(namespaces)
    }

    /// Starts dnsmasq with these settings at `address`, which programs in the client's namespace ask that are told of no other.
    pub(crate) fn start_dns(&self, address: &str, settings: &str) -> io::Result<()> {
        fs::create_dir_all(self.resolver_folder())?;
        fs::write(self.resolver_folder().join("resolv.conf"), format!("nameserver {address}\n"))?;
        let file = self.write("dnsmasq.conf", settings)?;
        let settings = format!("--conf-file={}", file.display());
        start(inside(&self.server, Path::new("dnsmasq")).args(["--keep-in-foreground", "--pid-file", &settings]))?;
        Ok(())
    }

    /// What `ip netns exec` puts in the place of files in `/etc`.
    fn resolver_folder(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.client)
    }

    /// Starts Postfix with these settings, in which `@` stands for the folder, and a certificate of its own.
    pub(crate) fn start_postfix(&self, settings: &str) -> io::Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=mx.postfix.test", "-keyout"]);
        run(openssl.arg(self.folder.join("key.pem")).arg("-out").arg(self.folder.join("certificate.pem")))?;
        self.write("main.cf", &settings.replace('@', &self.folder.display().to_string()))?;
        self.write("master.cf", SERVICES)?;
        for name in ["queue", "data"] {
            fs::create_dir(self.folder.join(name))?;
        }
        run(Command::new("chown").arg("postfix").arg(self.folder.join("data")))?;
        run(inside(&self.server, Path::new("postfix")).arg("-c").arg(&self.folder).arg("start"))
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Waits until something listens at each of `places` in the server's namespace.
    pub(crate) fn wait_for(&self, places: &[String]) -> io::Result<()> {
        let began = Instant::now();
        for place in places {
            while !self.listens(place)? {
                if began.elapsed() > PATIENCE {
                    return Err(io::Error::other(format!("nothing listens at {place}")));
                }
                sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    fn listens(&self, place: &str) -> io::Result<bool> {
        let output = inside(&self.server, Path::new("ss")).arg("-lntH").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == place))
    }

    /// Runs a command in the client's namespace, and in the folder.
    pub(crate) fn measure(&self, program: &str, arguments: &[&str]) -> io::Result<Cost> {
        let mut command = inside(&self.client, &std::env::current_exe()?);
        let output = command.current_dir(&self.folder).args(["measure", program]).args(arguments).output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        Cost::read(&printed).ok_or_else(|| {
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            io::Error::other(format!("{program} {}: {printed}{complaint}", arguments.join(" ")))
        })
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for namespace in [&self.client, &self.server] {
            let began = Instant::now();
            // Whatever runs in the namespaces was started by this lab; they live as long as one of them does.
            while began.elapsed() < PATIENCE {
                let Ok(output) = Command::new("ip").args(["netns", "pids", namespace]).stderr(Stdio::null()).output() else { break };
                let processes = String::from_utf8_lossy(&output.stdout).into_owned();
                if processes.trim().is_empty() {
                    break;
                }
                let _ = Command::new("kill").arg("-9").args(processes.split_whitespace()).stderr(Stdio::null()).status();
                sleep(Duration::from_millis(20));
            }
            let _ = Command::new("ip").args(["netns", "del", namespace]).stderr(Stdio::null()).status();
        }
        let _ = fs::remove_dir_all(self.resolver_folder());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs `ip` in a namespace.
pub(crate) fn ip(namespace: &str, arguments: &str) -> io::Result<()> {
    run(Command::new("ip").args(["-n", namespace]).args(arguments.split(' ')))
}

/// A command that runs in a namespace.
pub(crate) fn inside(namespace: &str, program: &Path) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program).stdin(Stdio::null());
    command
}

/// Starts what runs until the namespace goes.
pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
    command.stdout(Stdio::null()).spawn()
}

/// Runs a command that prints nothing of interest unless something is wrong.
pub(crate) fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output().map_err(|error| io::Error::new(error.kind(), format!("{command:?}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let words = [output.stdout, output.stderr].concat();
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&words).trim())))
}
