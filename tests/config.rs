//! The configuration file: what stands in it counts where neither environment nor command line say otherwise.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A file that is taken away again.
struct File(PathBuf);

impl File {
    fn with(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("smtpprobe-config-{}-{name}.toml", std::process::id()));
        fs::write(&path, text).expect("a file can be written");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn smtpprobe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtpprobe"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SMTPPROBE_")) {
        command.env_remove(name);
    }
    // Whatever the person who tests has at the usual place is not meant.
    command.args(arguments).env("XDG_CONFIG_HOME", "/nonexistent").env("HOME", "/nonexistent").env("APPDATA", "/nonexistent");
    command
}

fn run(file: &File, arguments: &[&str]) -> Output {
    smtpprobe(arguments).arg("--config").arg(&file.0).output().expect("it runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let file = File::with("order", "output = \"ndjson\"\nquiet = true\n");
    assert!(text(&run(&file, &["explain", "552"]).stdout).starts_with('{'));
    assert!(text(&run(&file, &["explain", "552", "-o", "json"]).stdout).lines().count() > 1);
    let by_environment = smtpprobe(&["explain", "552", "--config"]).arg(&file.0).env("SMTPPROBE_OUTPUT", "text").output().expect("it runs");
    // What the environment leaves open, the file still says: one line.
    assert_eq!(text(&by_environment.stdout).lines().count(), 1);
    let by_command = run(&file, &["demo", "full@demo.test", "-o", "text"]);
    assert!(text(&by_command.stdout).starts_with("REJECTED  full@demo.test: "), "{}", text(&by_command.stdout));
}

#[test]
fn an_option_rules_out_what_it_cannot_stand_with() {
    let file = File::with("families", "ipv4 = true\noutput = \"json\"\n");
    let families = |arguments: &[&str]| {
        let output = run(&file, arguments);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let sessions = report.pointer("/sessions").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        let mut families: Vec<u64> = sessions.iter().filter_map(|session| session["family"].as_u64()).collect();
        families.dedup();
        families
    };
    assert_eq!(families(&["demo", "full@demo.test"]), [4]);
    assert_eq!(families(&["demo", "full@demo.test", "-6"]), [6]);
}

#[test]
fn a_file_that_cannot_be_meant_so_is_told_with_its_name() {
    for (name, content, complaint) in [
        ("unknown", "outptu = \"json\"\n", "outptu is no option that can stand in a file"),
        ("argument", "targets = \"x\"\n", "targets is no option"),
        ("itself", "config = \"x\"\n", "config is no option"),
        ("value", "output = \"xml\"\n", "invalid value 'xml' for '--output <FORMAT>'"),
        ("syntax", "quiet = true\ncolor = [\n", "line 2: "),
        ("table", "[output]\nformat = \"json\"\n", "output should be a text, a number, true, false or a list of them"),
        (
            "destination-pattern",
            "quiet = true\n\n[destination.\"mx.*.test\"]\nrate = 5\n",
            "line 3: destination.\"mx.*.test\": it should be a mail host such as",
        ),
        ("destination-dots", "[destination.mx.example.net]\nrate = 5\n", "line 1: destination.\"mx\": a name with dots stands in quotes"),
        (
            "destination-field",
            "[destination.\"*.a.test\"]\nretries = 1\nrates = 5\n",
            "line 3: destination.\"*.a.test\".rates: there is no such",
        ),
        (
            "destination-rate",
            "[destination.\"*.a.test\"]\nrate = 0\n",
            "line 2: destination.\"*.a.test\".rate: it should be a number such as",
        ),
        (
            "destination-count",
            "destination.\"@a.test\".connections = 0\n",
            "line 1: destination.\"@a.test\".connections: it should be a number from 1",
        ),
        (
            "destination-kind",
            "[destination.\"@a.test\"]\nretries = [1]\n",
            "line 2: destination.\"@a.test\".retries: it should be a number, or",
        ),
        ("destination-twice", "[destination.\"a.test\"]\n[destination.\"A.test\"]\n", "stands there twice"),
        ("destination-value", "destination = 5\n", "line 1: destination should be tables such as [destination.\"mx.example.net\"]"),
        ("destination-entry", "[destination]\n\"a.test\" = 5\n", "line 2: destination.\"a.test\" should be a table"),
    ] {
        let file = File::with(name, content);
        let output = run(&file, &["explain", "552"]);
        let complaints = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "{name}: {complaints}");
        assert!(complaints.contains(complaint) && complaints.lines().count() == 1, "{name}: {complaints}");
        assert!(complaints.contains(&file.0.display().to_string()), "{name}: {complaints}");
    }
    let absent = smtpprobe(&["explain", "552", "--config", "/nonexistent/file"]).output().expect("it runs");
    assert_eq!(absent.status.code(), Some(2));
}

/// `ports` knows fewer steps than a probe does. Nothing listens on port 1 of this machine.
#[test]
fn a_last_step_that_is_meant_for_probes_leaves_ports_alone() {
    let until = |mut command: Command| {
        let output = command.args(["ports", "127.0.0.1:1", "-o", "json"]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        report["target"]["until"].as_str().unwrap_or_default().to_owned()
    };
    let by_file = |content: &str| {
        let file = File::with("until", content);
        let mut command = smtpprobe(&[]);
        command.env("SMTPPROBE_CONFIG", &file.0);
        until(command)
    };
    let by_environment = |name: &str, value: &str| {
        let mut command = smtpprobe(&[]);
        command.env(name, value);
        until(command)
    };
    assert_eq!(by_file("until = \"rcpt\"\n"), "greeting");
    assert_eq!(by_file("until = \"connect\"\n"), "connect");
    assert_eq!(by_environment("SMTPPROBE_UNTIL", "rcpt"), "greeting");
    assert_eq!(by_environment("SMTPPROBE_PORTS_UNTIL", "ehlo"), "ehlo");
    let file = File::with("until-nowhere", "until = \"nowhere\"\n");
    let output = run(&file, &["ports", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[cfg(target_os = "linux")]
#[test]
fn the_usual_place_is_looked_at() {
    let folder = std::env::temp_dir().join(format!("smtpprobe-config-home-{}", std::process::id()));
    fs::create_dir_all(folder.join("smtpprobe")).expect("a folder");
    fs::write(folder.join("smtpprobe/config.toml"), "quiet = true\n").expect("a file");
    let output = smtpprobe(&["explain", "552"]).env("XDG_CONFIG_HOME", &folder).output().expect("it runs");
    let _ = fs::remove_dir_all(&folder);
    assert_eq!(text(&output.stdout).lines().count(), 1);
}
