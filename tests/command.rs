//! The command as a process: exit codes, bad input, pipes, formats, and Ctrl-C. Only the demo's world and loopback are talked to.

use std::io::Read as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use smtpprobe::report::Report;

fn smtpprobe(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtpprobe"));
    command.args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SMTPPROBE_")) {
        command.env_remove(name);
    }
    command
}

fn run(args: &[&str]) -> Output {
    smtpprobe(args).output().expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn the_exit_code_is_the_outcome() {
    for (address, code) in [
        ("anna@demo.test", 0),
        ("full@demo.test", 1),
        ("anna@null-mx.test", 1),
        ("anna@no-such-domain.test", 1),
        ("greylisted@demo.test", 3),
        ("anna@refused.test", 4),
        ("anna@broken-tls.test", 0),
        ("sometimes@demo.test", 5),
        ("anna@blocked-here.test", 4),
        ("anna@intercepted.test", 4),
        ("ports.test", 4),
    ] {
        let output = run(&["demo", address, "-q"]);
        assert_eq!(output.status.code(), Some(code), "{address}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout).lines().count(), 1, "{address}");
        assert_eq!(text(&output.stderr), "", "{address}");
    }
}

#[test]
fn a_report_that_was_kept_is_what_json_is_and_can_be_explained_again() {
    let file = std::env::temp_dir().join(format!("smtpprobe-record-{}.json", std::process::id()));
    let name = file.to_str().expect("a plain path");
    let shown = run(&["demo", "full@demo.test", "--record", name]);
    assert!(text(&shown.stdout).contains("Mailbox full"), "{}", text(&shown.stdout));
    let kept: Report = serde_json::from_str(&std::fs::read_to_string(&file).expect("the file")).expect("a report");
    assert_eq!(kept.verdict.code, Some(552));
    let explained: serde_json::Value = serde_json::from_slice(&run(&["explain", "-o", "json", name]).stdout).expect("JSON");
    std::fs::remove_file(&file).expect("it is there");
    assert_eq!((explained["kind"].as_str(), explained["reports"][0]["verdict"]["reason"].as_str()), (Some("report"), Some("mailbox_full")));
}

#[test]
fn wrong_usage_is_told_in_one_line_that_shows_how_it_should_look() {
    for (args, shown) in [
        (&["anna@"][..], "user@example.com"),
        (&["anna@exa mple.com"], "user@example.com"),
        (&["anna@example.com\r\nDATA"], "user@example.com"),
        (&["an\u{1}na@example.com"], "user@example.com"),
        (&["example.com:0"], "25, 465 or 587"),
        (&["http://example.com"], "smtp://"),
        (&["a@example.com", "--nope"], "--nope"),
        (&["a@example.com", "-p", "70000"], "from 1 to 65535"),
        (&["a@example.com", "-p", "smtp"], "from 1 to 65535"),
        (&["a@example.com", "--until", "never"], "rcpt"),
        (&["example.com", "--until", "rcpt"], "user@example.com"),
        (&["a@example.com", "--from", "nobody"], "user@example.com"),
        (&["a@example.com", "--helo", "a b"], "mail.example.com"),
        (&["a@example.com", "--helo", "a\r\nMAIL"], "mail.example.com"),
        (&["a@example.com", "--resolver", "dns"], "192.0.2.53"),
        (&["a@example.com", "--resolve", "mx"], "mx.example.com:192.0.2.1"),
        (&["a@example.com", "--timeout", "0"], "seconds"),
        (&["a@example.com", "--size", "big"], "25M"),
        (&["a@example.com", "--tls-ca", "no-such-file.pem"], "no-such-file.pem"),
        (&["a@example.com", "--dnssec-anchor", "no-such.key"], "no-such.key cannot be read: No such file"),
        (&["a@example.com", "--dnssec-anchor", "Cargo.toml"], "Cargo.toml is no file of DNSKEY records"),
        (&["ports", "example.com", "--dnssec-anchor", "no-such.key"], "no-such.key"),
        (&["a@example.com", "--output-file", "no-such-folder/report"], "no-such-folder/report"),
        (&["a@example.com", "-o", "xml"], "json"),
        (&["demo", "nobody@nowhere.test"], "full@demo.test"),
        (&["-q", "demo", "full@demo.test"], "options stand after the command"),
        (&["schema", "nothing"], "report"),
        (&["ports", "anna@example.com"], "such as example.com"),
        (&["ports", "example.com", "--control", "mx.example.net", "--no-control"], "--no-control"),
        (&["ports", "example.com", "--control", "mx.example.net:25"], "without a port"),
        (&["ports", "example.com", "--control", "anna@example.net"], "mx.example.com"),
        (&["ports", "example.com", "-p", "25,70000"], "from 1 to 65535"),
        (&["ports", "example.com:0"], "25, 465 or 587"),
        (&["ports", "example.com", "--until", "rcpt"], "greeting"),
        (&["ports", "example.com", "--from", "anna@example.com"], "--from"),
        (&["ports", "example.com", "--connect-timeout", "0"], "seconds"),
        (&["ports"], "HOST|DOMAIN"),
    ] {
        let output = run(args);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{args:?}: {err}");
        assert_eq!((out.as_str(), err.lines().count()), ("", 1), "{args:?}: {err}");
        assert!(err.starts_with("smtpprobe: ") && err.contains(shown), "{args:?}: {err}");
        assert!(!err.trim_end().chars().any(char::is_control), "{args:?}: {err:?}");
    }
    assert_eq!(run(&[]).status.code(), Some(2));
}

#[test]
fn help_and_version_are_no_errors() {
    for args in [&["--help"][..], &["-h"], &["--version"], &["demo", "--help"], &["ports", "--help"], &["schema", "--help"]] {
        let output = run(args);
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{args:?}");
        assert!(!output.stdout.is_empty());
    }
    let help = text(&run(&["--help"]).stdout);
    for word in ["--from", "--helo", "--until", "--first", "--controls", "--resolver", "Exit codes", "demo"] {
        assert!(help.contains(word), "{word}");
    }
    let help = text(&run(&["ports", "--help"]).stdout);
    for word in
        ["--port", "25, 465", "--until", "--control", "--no-control", "--greeting-timeout", "Exit codes", "smtpprobe ports example.com"]
    {
        assert!(help.contains(word), "{word}");
    }
    for word in ["--from", "--helo", "--size", "--controls"] {
        assert!(!help.contains(word), "{word}");
    }
}

/// A server that greets whoever comes; its port.
fn greeter() -> String {
    use std::io::Write as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // Whoever has left already has seen enough.
            let _ = client.write_all(b"220 here ESMTP\r\n").and_then(|()| client.read_to_end(&mut Vec::new()));
        }
    });
    port
}

#[test]
fn ports_are_told_by_exit_code_line_and_state() {
    let open = greeter();
    // Nothing listens on port 1 of this machine.
    let both = format!("{open},1");
    for (ports, code, states) in [(open.as_str(), 0, vec!["greeted"]), ("1", 4, vec!["refused"]), (&both, 4, vec!["refused", "greeted"])] {
        let args = ["ports", "127.0.0.1", "--no-control", "-p", ports];
        let quiet = smtpprobe(&args).arg("-q").output().unwrap();
        let line = text(&quiet.stdout);
        assert_eq!((quiet.status.code(), line.lines().count(), text(&quiet.stderr).as_str()), (Some(code), 1, ""), "{ports}: {line}");
        let word = if code == 0 { "ACCEPTED  127.0.0.1: " } else { "UNREACHABLE  127.0.0.1: " };
        assert!(line.starts_with(word), "{line}");
        let output = smtpprobe(&args).args(["-o", "json"]).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!(json["target"]["question"], "ports");
        let told: Vec<&str> = json["sessions"].as_array().unwrap().iter().map(|session| session["state"].as_str().unwrap()).collect();
        assert_eq!(told, states, "{ports}");
    }
}

#[test]
fn ports_are_looked_at_as_far_as_one_likes() {
    let open = greeter();
    let args = ["ports", "127.0.0.1", "--no-control", "-p", &open, "-o", "json"];
    for (until, state, said) in [("connect", "open", 0), ("greeting", "greeted", 1)] {
        let output = smtpprobe(&args).args(["--until", until]).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
        let session = &json["sessions"][0];
        let replies = session["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "reply").count();
        assert_eq!((output.status.code(), &session["state"], replies), (Some(0), &state.into(), said), "{until}");
    }
}

#[test]
fn the_table_of_the_demo_has_a_row_for_each_address_and_a_column_for_each_port() {
    let output = text(&run(&["demo", "ports.test"]).stdout);
    let mut lines = output.lines();
    assert_eq!(lines.next().unwrap().split_whitespace().collect::<Vec<_>>(), ["25", "465", "587"]);
    for (row, cell) in [("192.0.2.1", "TLS, "), ("2001:db8::1", "no answer"), ("192.0.2.2", "greets after ")] {
        let line = output.lines().find(|line| line.trim_start().starts_with(row)).unwrap_or_else(|| panic!("{row}: {output}"));
        assert!(line.contains(cell), "{line}");
    }
}

#[test]
fn json_is_the_contract() {
    let output = run(&["demo", "full@demo.test", "-o", "json"]);
    let report: Report = serde_json::from_slice(&output.stdout).expect("one report");
    assert_eq!(report.schema, "smtpprobe.report/1");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for pointer in [
        "/target/input",
        "/target/kind",
        "/started_at",
        "/duration_ms",
        "/vantage/helo",
        "/vantage/addresses/0",
        "/route/origin",
        "/route/dnssec",
        "/route/hosts/0/name",
        "/route/hosts/0/preference",
        "/route/hosts/0/addresses/0/ip",
        "/route/hosts/0/addresses/0/family",
        "/route/lookups/0/name",
        "/route/lookups/0/type",
        "/route/lookups/0/server",
        "/route/lookups/0/result",
        "/route/lookups/0/ms",
        "/sessions/0/host",
        "/sessions/0/address",
        "/sessions/0/port",
        "/sessions/0/family",
        "/sessions/0/tls",
        "/sessions/0/reached",
        "/sessions/0/connect_ms",
        "/sessions/0/total_ms",
        "/sessions/0/capabilities",
        "/sessions/0/certificate",
        "/sessions/0/events/0/at_ms",
        "/sessions/0/events/0/kind",
        "/sessions/0/events/0/stage",
        "/sessions/0/events/1/code",
        "/sessions/0/events/1/annotation/reason",
        "/sessions/0/events/1/annotation/meaning",
        "/sessions/0/events/1/annotation/when",
        "/sessions/0/events/1/annotation/fix",
        "/sessions/0/events/1/annotation/actor",
        "/sessions/0/events/1/annotation/references",
        "/findings",
        "/verdict/outcome",
        "/verdict/reason",
        "/verdict/actor",
        "/verdict/confidence",
        "/verdict/stage",
        "/verdict/code",
        "/verdict/enhanced",
        "/verdict/text",
        "/verdict/host",
        "/verdict/summary",
        "/verdict/fix/0/text",
        "/verdict/evidence/0/quote",
        "/verdict/evidence/0/session",
        "/verdict/evidence/0/event",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer} is missing");
    }
    let schema: serde_json::Value = serde_json::from_slice(&run(&["schema", "report"]).stdout).expect("a schema");
    for (field, _) in json.as_object().unwrap() {
        assert!(schema["properties"].get(field).is_some(), "{field} is not in the schema");
    }
}

/// A server of this machine that sends its greeting in two parts.
#[test]
fn json_tells_own_addresses_and_when_a_reply_began() {
    use std::io::Write as _;
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = server.local_addr().unwrap().to_string();
    let child = smtpprobe(&["ports", &target, "-o", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut client, _) = server.accept().expect("the probe connects");
    client.write_all(b"220 he").unwrap();
    std::thread::sleep(Duration::from_millis(150));
    client.write_all(b"re\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).expect("JSON");
    assert_eq!(json["vantage"]["own"], serde_json::json!([{ "address": "127.0.0.1", "here": true }]));
    let events = json["sessions"][0]["events"].as_array().unwrap();
    let greeting = events.iter().find(|event| event["answers"] == "CONN").expect("a greeting");
    let time = |field: &str| greeting[field].as_f64().expect(field);
    assert!(time("at_ms") - time("began_ms") >= 100.0, "{greeting}");
    assert!(events[0].get("began_ms").is_none());
}

#[test]
fn several_targets_are_an_array_or_a_line_each() {
    // Nothing listens on port 1 of this machine, and nothing else is needed for three answers.
    let targets = ["127.0.0.1:1", "127.0.0.2:1", "[::1]:1"];
    let array = smtpprobe(&targets).args(["-o", "json"]).output().unwrap();
    let reports: Vec<Report> = serde_json::from_slice(&array.stdout).expect("an array");
    assert_eq!((reports.len(), array.status.code()), (3, Some(4)));
    let lines = text(&smtpprobe(&targets).args(["-o", "ndjson"]).output().unwrap().stdout);
    let inputs: Vec<String> = lines.lines().map(|line| serde_json::from_str::<Report>(line).expect(line).target.input).collect();
    assert_eq!(inputs, targets);
    assert_eq!(text(&smtpprobe(&targets).arg("-q").output().unwrap().stdout).lines().count(), 3);
}

#[test]
fn a_file_can_take_the_result() {
    let path = std::env::temp_dir().join(format!("smtpprobe-test-{}.json", std::process::id()));
    let output = run(&["demo", "anna@null-mx.test", "-o", "json", "--output-file", path.to_str().unwrap()]);
    let written = std::fs::read_to_string(&path).expect("the file");
    std::fs::remove_file(&path).expect("the file goes");
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    assert!(serde_json::from_str::<Report>(&written).is_ok());
}

#[test]
fn a_pipe_gets_no_colours_and_colours_can_be_had() {
    let plain = run(&["demo", "anna@null-mx.test"]);
    assert!(!text(&plain.stdout).contains('\u{1b}'));
    let forced = run(&["demo", "anna@null-mx.test", "--color", "always"]);
    assert!(text(&forced.stdout).contains('\u{1b}'));
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let mut child = smtpprobe(&["demo", "full@demo.test", "-v"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!((status.code(), complaint.as_str()), (Some(0), ""));
}

#[test]
fn without_a_resolver_there_is_a_verdict_at_once() {
    let began = Instant::now();
    let output = run(&["anna@example.com", "--resolver", "127.0.0.1:1", "-o", "json"]);
    let report: Report = serde_json::from_slice(&output.stdout).expect("a report");
    let verdict = serde_json::to_value(&report.verdict).unwrap();
    assert_eq!((&verdict["outcome"], &verdict["reason"]), (&"unreachable".into(), &"resolver_unusable".into()));
    assert_eq!(output.status.code(), Some(4));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn an_option_can_stand_in_the_environment_and_the_command_line_wins() {
    let from_environment = smtpprobe(&["demo", "anna@null-mx.test"]).env("SMTPPROBE_OUTPUT", "ndjson").output().unwrap();
    assert!(text(&from_environment.stdout).starts_with('{'));
    let overruled = smtpprobe(&["demo", "anna@null-mx.test", "-o", "text"]).env("SMTPPROBE_OUTPUT", "ndjson").output().unwrap();
    assert!(!text(&overruled.stdout).starts_with('{'));
}

/// A server that greets after five minutes, as far as this test is concerned; Ctrl-C does not wait for it.
#[cfg(unix)]
#[test]
fn ctrl_c_gives_the_report_so_far() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap().to_string();
    let child =
        smtpprobe(&[&target, "-o", "json", "--greeting-timeout", "300"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (_held, _) = silent.accept().expect("the probe connects");
    std::thread::sleep(Duration::from_millis(200));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let began = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(began.elapsed() < Duration::from_secs(3));
    let report: Report = serde_json::from_slice(&output.stdout).expect("the report so far");
    assert_eq!(report.sessions.len(), 1);
    assert_eq!(report.sessions[0].events.last().unwrap().failure.as_deref(), Some("stopped by the user"));
}

/// In the middle of a session QUIT still goes out.
#[cfg(unix)]
#[test]
fn ctrl_c_says_quit_where_it_can() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = server.local_addr().unwrap().to_string();
    let child = smtpprobe(&[&target, "-q"]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut client, _) = server.accept().expect("the probe connects");
    client.write_all(b"220 here\r\n").unwrap();
    let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("EHLO "));
    std::thread::sleep(Duration::from_millis(100));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(lines.next().unwrap().unwrap(), "QUIT");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}

#[test]
fn a_message_is_sent_only_where_it_is_asked_for() {
    let report = |arguments: &[&str]| -> serde_json::Value {
        let output = smtpprobe(&[&["demo", "-o", "json"], arguments].concat()).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    };
    let sent = report(&["anna@demo.test", "--send"]);
    assert_eq!((&sent["message"]["state"], &sent["message"]["test"]), (&"taken".into(), &true.into()));
    assert!(sent["message"]["from"].as_str().is_some_and(|from| from.starts_with("postmaster@")), "{}", sent["message"]);
    assert_eq!(report(&["anna@demo.test"])["message"], serde_json::Value::Null);

    let file = std::env::temp_dir().join(format!("smtpprobe-letter-{}.eml", std::process::id()));
    std::fs::write(&file, "From: me@example.net\nSubject: hello\n\n.\n").unwrap();
    let given = report(&["anna@demo.test", &format!("--send={}", file.display()), "--from", "me@example.net"]);
    // A file that is there may stand behind the option; a target never does.
    let behind = report(&["anna@demo.test", "--send", &file.display().to_string(), "--from", "me@example.net"]);
    let before = report(&["--send", "anna@demo.test", "--from", "me@example.net"]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!((&behind["message"]["subject"], &before["message"]["test"]), (&"hello".into(), &true.into()));
    assert_eq!((&given["message"]["subject"], &given["message"]["size"]), (&"hello".into(), &43.into()));
    // What arrived is shown where everything is.
    let shown = smtpprobe(&["demo", "anna@demo.test", "--send", "-v"]).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("What arrived at ") && shown.contains("\n  From: postmaster@") && shown.contains("  This is a test message."),
        "{shown}"
    );
    // From standard input.
    let mut piped = smtpprobe(&["demo", "anna@demo.test", "--send=-", "-q"]);
    let mut piped = piped.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut piped.stdin.take().unwrap(), b"Subject: x\n\ny\n").unwrap();
    let piped = piped.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&piped.stdout).starts_with("ACCEPTED  anna@demo.test: The server took the message"), "{piped:?}");

    for (arguments, words) in [
        (&["demo.test", "--send"][..], "--send delivers to a mailbox"),
        (&["anna@demo.test", "--send", "letter.eml"], "--send=letter.eml"),
        (&["anna@demo.test", "--send=/nonexistent/letter.eml"], "/nonexistent/letter.eml: "),
        (&["anna@demo.test", "--send", "--until", "rcpt"], "--until"),
        (&["anna@demo.test", "--send", "--size", "30M"], "--size"),
        (&["anna@demo.test", "--send", "--dkim-key", "key.pem"], "--dkim-selector"),
        (&["anna@demo.test", "--send", "--dkim-key", "/nonexistent", "--dkim-domain", "a.test", "--dkim-selector", "s"], "/nonexistent: "),
        (&["anna@demo.test", "--notify", "always"], "success,failure,delay"),
        (&["anna@demo.test", "--wait=soon"], "number of seconds"),
    ] {
        let output = smtpprobe(arguments).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(complaint.contains(words) && complaint.lines().count() == 1, "{arguments:?}: {complaint}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
    }
    // Nothing but the command line sends: neither the environment nor a file.
    let untouched = smtpprobe(&["demo", "-o", "json", "anna@demo.test"]).env("SMTPPROBE_SEND", "true").output().unwrap();
    let untouched: serde_json::Value = serde_json::from_slice(&untouched.stdout).unwrap();
    assert_eq!(untouched["message"], serde_json::Value::Null);
    let config = std::env::temp_dir().join(format!("smtpprobe-send-{}.toml", std::process::id()));
    std::fs::write(&config, "send = true\n").unwrap();
    let refused = smtpprobe(&["demo", "anna@demo.test", "--config"]).arg(&config).output().unwrap();
    std::fs::remove_file(&config).unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_wait_is_announced_once_where_nobody_watches() {
    let output = smtpprobe(&["demo", "greylisted@demo.test", "--wait=20", "-o", "json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["wait"]["end"]), (Some(0), &"answered".into()));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.lines().count() == 1 && told.contains("mx1.demo.test 192.0.2.1:25 greylists; asked again in 6 s"), "{told}");
    let roles: Vec<&str> =
        report["sessions"].as_array().unwrap().iter().map(|session| session["role"].as_str().unwrap_or("asked")).collect();
    assert_eq!(roles, ["asked", "retry"]);
}
