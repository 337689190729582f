//! A network namespace: made, and taken away again with whatever runs in it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::lab::wait_until;

/// A network namespace, as long as this value lives.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes the namespace `name`, with a loopback device and no duplicate address detection: addresses count at once.
    pub(crate) fn new(name: String) -> Result<Self, String> {
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        for scope in ["all", "default"] {
            namespace.set(&format!("net/ipv6/conf/{scope}/accept_dad"), "0")?;
        }
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Its name, as `ip` knows it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `ip` with these arguments, inside.
    pub(crate) fn ip(&self, arguments: &str) -> Result<(), String> {
        run(Command::new("ip").args(["-n", &self.name]).args(arguments.split(' ')))
    }

    /// Sets one of the kernel's settings, inside: `net/ipv4/ip_forward`.
    pub(crate) fn set(&self, key: &str, value: &str) -> Result<(), String> {
        run(self.command("sh").args(["-c", &format!("echo {value} >/proc/sys/{key}")]))
    }

    /// Puts these nftables rules in the place of those before.
    pub(crate) fn nft(&self, rules: &str) -> Result<(), String> {
        let mut nft = self.command("nft");
        let mut nft =
            nft.args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| format!("nft: {error}"))?;
        let mut input = nft.stdin.take().ok_or("nft: no way in")?;
        input.write_all(format!("flush ruleset\n{rules}\n").as_bytes()).map_err(|error| format!("nft: {error}"))?;
        drop(input);
        let output = nft.wait_with_output().map_err(|error| format!("nft: {error}"))?;
        let words = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(format!("nft: {}\n{rules}", words.trim())) }
    }

    /// A command that will run inside.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program.as_ref()).stdin(Stdio::null());
        command
    }

    /// Whether something listens at `place` (`192.0.2.1:25`), over UDP or TCP.
    pub(crate) fn listens(&self, place: &str) -> bool {
        let output = self.command("ss").args(["-lntuH"]).output().expect("ss runs");
        String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == place)
    }

    /// The processes inside.
    fn processes(&self) -> Vec<String> {
        let output = Command::new("ip").args(["netns", "pids", &self.name]).output();
        output.map_or_else(|_| Vec::new(), |output| String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Whatever runs in the namespace was started by a lab; the namespace lives as long as one of them does.
        wait_until(|| {
            let processes = self.processes();
            if !processes.is_empty() {
                let _ = Command::new("kill").arg("-9").args(&processes).stderr(Stdio::null()).status();
            }
            processes.is_empty()
        });
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
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
