//! Logins through the whole program: nothing that it shows holds the password, in plain or in base64, whatever the server says.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE};
use smtpprobe::demo::{Scenario, World, scenarios};
use smtpprobe::diagnosis::{Case, diagnose, judge};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::probe::probe;
use smtpprobe::report::{Look, headline, render, report};
use smtpprobe::settings::Settings;
use smtpprobe::smtp::{Login, Secret};

/// What the demo's users have for a password.
const PASSWORD: &str = "tanstaaf";
/// The formats that there are, or may come to be.
const FORMATS: [&str; 8] = ["text", "json", "ndjson", "markdown", "html", "csv", "nagios", "prometheus"];

/// The password as it is, and all that base64 makes of it alone, wherever it begins in a longer text.
fn needles(password: &str) -> Vec<String> {
    let mut needles = vec![password.to_lowercase()];
    for before in 0..3 {
        let text = [&b"\0\0"[..before], password.as_bytes()].concat();
        // Letters that hold nothing but bits of the password.
        let (first, last) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        for engine in [&BASE64, &URL_SAFE] {
            needles.push(engine.encode(&text)[first..last].to_lowercase());
        }
    }
    needles
}

#[track_caller]
fn hides(shown: &str, password: &str, where_: &str) {
    // Lines are broken where the screen ends.
    let joined: String = shown.to_lowercase().split_whitespace().collect();
    for needle in needles(password) {
        for text in [&shown.to_lowercase(), &joined] {
            if let Some(at) = text.find(&needle) {
                let near: String = text[..at].chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
                panic!("{where_}: {needle:?} after {near:?}");
            }
        }
    }
}

#[test]
fn the_needles_would_be_found() {
    for text in
        ["x tanstaaf y", "535 TANSTAAF", &BASE64.encode("\0anna\0tanstaaf"), &BASE64.encode("tanstaaf"), &BASE64.encode("xtanstaaf")]
    {
        let found = std::panic::catch_unwind(|| hides(text, PASSWORD, ""));
        assert!(found.is_err(), "{text}");
    }
    hides("anna, password hidden", PASSWORD, "");
}

/// The scenarios in which somebody logs in.
fn with_logins() -> Vec<Scenario> {
    let own = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")).expect("a folder");
    let own = own.map(|entry| entry.expect("an entry").path()).filter(|path| path.to_string_lossy().contains("/login"));
    let own = own.map(|path| Scenario::parse(&fs::read_to_string(path).expect("a file")).expect("a scenario"));
    let all: Vec<Scenario> = scenarios().into_iter().filter(|scenario| scenario.name.starts_with("login")).chain(own).collect();
    assert!(all.len() > 20, "{}", all.len());
    all
}

#[test]
fn nothing_that_is_made_of_a_login_holds_the_password() {
    let knowledge = Knowledge::english();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for scenario in with_logins() {
        let target = scenario.address.parse().expect("a target");
        let (facts, settings, world) = runtime.block_on(async {
            let world = World::start(&scenario).await.expect("loopback sockets");
            let settings = world.settings(Settings::default());
            let shown = |progress: smtpprobe::probe::Progress<'_>| hides(&format!("{progress:?}"), PASSWORD, &scenario.title);
            let facts = probe(&target, &settings, &knowledge, std::future::pending(), shown).await;
            (facts, format!("{settings:?}"), format!("{world:?} {scenario:?} {:?}", world.log()))
        });
        let case = Case::new(&facts, &knowledge);
        let (findings, verdict) = (diagnose(&case), judge(&case));
        let report = report(&scenario.address, &case, &findings, &verdict);
        let looks = [(40, false), (80, true), (400, true)];
        let screens = looks.map(|(width, verbose)| render(&report, &knowledge, Look { width, colour: true, verbose }));
        let json = serde_json::to_string(&report).expect("JSON");
        // What stands in JSON as base64 is looked into.
        let raw: String = report
            .sessions
            .iter()
            .flat_map(|session| &session.events)
            .filter_map(|event| event.raw.as_ref())
            .fold(String::new(), |all, raw| all + &String::from_utf8_lossy(&BASE64.decode(raw).expect("base64")));
        let debug = format!("{facts:?} {case:?} {findings:?} {verdict:?} {report:?}");
        let panicked = std::panic::catch_unwind(|| panic!("{facts:?} {report:?}")).expect_err("it panics");
        let panicked = panicked.downcast_ref::<String>().expect("a message").clone();
        for (what, shown) in [
            ("screen", screens.concat()),
            ("headline", headline(&report, &knowledge)),
            ("json", json),
            ("raw", raw),
            ("debug", debug),
            ("settings", settings),
            ("world", world),
            ("panic", panicked),
        ] {
            hides(&shown, PASSWORD, &format!("{} of {}", what, scenario.title));
        }
    }
}

#[test]
fn what_holds_a_password_does_not_show_it() {
    let login = Login::new("anna", Secret::from(PASSWORD.to_owned())).expect("a login");
    let settings = Settings { login: Some(login.clone()), ..Settings::default() };
    hides(&format!("{login:?} {login:#?} {settings:?}"), PASSWORD, "settings");
}

fn smtpprobe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtpprobe"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SMTPPROBE_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A demo's address, with these options and a password in the environment.
fn demo(address: &str, password: &str, options: &[&str]) -> Output {
    let mut command = smtpprobe(&["demo", address, "--auth-user", "anna"]);
    command.args(options).env("SMTPPROBE_AUTH_PASSWORD", password).output().expect("it runs")
}

fn both(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn every_format_hides_what_every_mechanism_sends() {
    let mechanisms = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"];
    for mechanism in mechanisms {
        let mut formats = 0;
        for format in FORMATS {
            for verbose in [&[][..], &["-v"], &["-q"]] {
                let options = [&["-o", format, "--auth-mechanism", mechanism][..], verbose].concat();
                let output = demo("submission://login.test", PASSWORD, &options);
                hides(&both(&output), PASSWORD, &format!("{mechanism} {options:?}"));
                if output.status.code() == Some(2) {
                    // There is no such format.
                    continue;
                }
                assert_eq!(output.status.code(), Some(0), "{mechanism} {options:?}: {}", both(&output));
                formats += 1;
            }
        }
        assert!(formats >= 9, "{mechanism}: {formats}");
    }
}

#[test]
fn the_exit_code_is_that_of_the_login() {
    for (address, password, options, code, words) in [
        ("submission://login.test", PASSWORD, &[][..], 0, "The login works at login.test:587"),
        ("submission://login.test", "wrong", &[], 1, "Login failed"),
        ("submission://login-withheld.test", PASSWORD, &[], 5, "There was no login"),
        ("submission://login-withheld.test", PASSWORD, &["--auth-insecure"], 0, "The login works"),
        ("submission://login.test", PASSWORD, &["--auth-mechanism", "XOAUTH2"], 1, "There was no login"),
        ("anna@demo.test", PASSWORD, &["-p", "25"], 1, "There was no login"),
    ] {
        let output = demo(address, password, &[options, &["-q"]].concat());
        let shown = both(&output);
        assert_eq!((output.status.code(), shown.contains(words)), (Some(code), true), "{address} {options:?}: {shown}");
    }
    let warned = demo("submission://login.test", PASSWORD, &["--auth-insecure", "-q"]);
    assert!(String::from_utf8_lossy(&warned.stderr).contains("--auth-insecure: whoever is on the way"), "{}", both(&warned));
}

/// A file that is taken away again.
struct File(PathBuf);

impl File {
    fn with(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("smtpprobe-login-{}-{name}", std::process::id()));
        fs::write(&path, text).expect("a file can be written");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_password_comes_from_a_file_from_standard_input_or_from_the_environment() {
    let asked = ["demo", "submission://login.test", "-q", "--auth-user", "anna", "--auth-password-file"];
    for (name, text, code) in [("good", "tanstaaf\nmore\n", 0), ("bare", "tanstaaf", 0), ("dos", "tanstaaf\r\n", 0), ("wrong", "x\n", 1)] {
        let file = File::with(name, text);
        // The file counts, not the environment.
        let output = smtpprobe(&asked).arg(&file.0).env("SMTPPROBE_AUTH_PASSWORD", "other").output().expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{name}: {}", both(&output));
    }
    let mut command = smtpprobe(&asked);
    let mut child = command.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(b"tanstaaf\n").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
}

#[test]
fn a_login_that_cannot_be_is_told_in_one_line() {
    let empty = File::with("empty", "\n");
    let empty = empty.0.to_str().expect("a name");
    for (options, words) in [
        (&["--until", "auth"][..], "--until auth needs --auth-user"),
        (&["--auth-user", "anna", "--until", "ehlo"], "--until auth"),
        (&["--auth-user", "anna"], "--auth-password-file"),
        (&["--auth-user", "anna", "--auth-password-file", "no-such-file"], "no-such-file"),
        (&["--auth-user", "anna", "--auth-password-file", empty], "the password is empty"),
        (&["--auth-user", "", "--auth-password-file", "Cargo.toml"], "the user name is empty"),
        (&["--auth-user", "an\u{1b}na", "--auth-password-file", "Cargo.toml"], "control characters"),
        (&["--auth-user", "anna", "--auth-password-file", "Cargo.toml", "--tls", "off"], "--auth-insecure"),
        (&["--auth-user", "anna", "--auth-mechanism", "NTLM"], "SCRAM-SHA-256"),
        (&["--auth-password", "tanstaaf"], "--auth-password"),
    ] {
        let output = smtpprobe(&["demo", "submission://login.test"]).args(options).output().expect("it runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), complaint.lines().count()), (Some(2), 1), "{options:?}: {complaint}");
        assert!(complaint.contains(words) && !complaint.contains('\u{1b}'), "{options:?}: {complaint}");
    }
    let help = smtpprobe(&["--help"]).env("SMTPPROBE_AUTH_PASSWORD", PASSWORD).output().expect("it runs");
    assert!(both(&help).contains("SMTPPROBE_AUTH_PASSWORD"));
    hides(&both(&help), PASSWORD, "--help");
}
