//! The commands that need no network, as processes: exit codes, pipes, formats.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs the command with `input` on its standard input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_smtpprobe"))
        .args(arguments)
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // A command that does not read its input closes the pipe, which is no failure.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("the command ends")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn exit_codes_say_whether_something_is_known() {
    for (arguments, code) in [
        (&["explain", "552"][..], 0),
        (&["explain", "599"], 0),
        (&["explain", "999"], 1),
        (&["explain", "552", "999"], 1),
        (&["explain", "hello"], 1),
        (&["explain", "3.1.1"], 1),
        (&["explain", "550", "5.1.1", "user", "unknown"], 0),
        (&["explain", "--at", "nowhere", "552"], 2),
        (&["explain", "-v", "-q", "552"], 2),
        (&["compare", "250", "552"], 0),
        (&["compare", "250 552"], 0),
        (&["compare", "250", "999"], 1),
        (&["compare", "250"], 2),
        (&["compare", "250", "552", "452"], 2),
        (&["compare", "250", "full"], 2),
        (&["compare"], 2),
        (&["codes"], 0),
        (&["codes", "55"], 0),
        (&["codes", "null", "mx"], 0),
        (&["codes", "zzz"], 1),
        (&["schema", "explanation"], 0),
        (&["schema", "summary"], 0),
        (&["schema", "comparison"], 0),
        (&["schema", "codes"], 0),
    ] {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}{}", out(&output), err(&output));
        assert_eq!(output.stderr.is_empty(), code != 2 && !(code == 1 && output.stdout.is_empty()), "{arguments:?}");
        assert!(err(&output).lines().count() <= 1, "{arguments:?}: {}", err(&output));
    }
}

#[test]
fn the_words_of_a_reply_need_no_quotes() {
    let joined = run(&["explain", "550", "5.1.1", "<anna@example.com>:", "user", "unknown"], "");
    let quoted = run(&["explain", "550 5.1.1 <anna@example.com>: user unknown"], "");
    assert_eq!(out(&joined), out(&quoted));
    assert!(out(&joined).contains("No such mailbox"), "{}", out(&joined));
    let each = run(&["explain", "-q", "552", "5.2.2", "452"], "");
    let begins: Vec<String> = out(&each).lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
    assert_eq!(begins, ["552", "5.2.2", "452"]);
}

#[test]
fn standard_input_and_files_are_read() {
    let reply = "550-5.1.1 <anna@example.com>:\r\n550 5.1.1 user unknown\r\n";
    let piped = run(&["explain", "-o", "json"], reply);
    let dashed = run(&["explain", "-o", "json", "-"], reply);
    assert_eq!((piped.status.code(), out(&piped)), (Some(0), out(&dashed)));
    let value = json(&piped);
    assert_eq!((&value["schema"], &value["file"], &value["kind"]), (&"smtpprobe.explanation/1".into(), &"-".into(), &"reply".into()));
    assert_eq!(value["explanations"].as_array().map(Vec::len), Some(1));
    assert_eq!(value["explanations"][0]["reason"], "user_unknown");

    let file = std::env::temp_dir().join(format!("smtpprobe-offline-{}.txt", std::process::id()));
    std::fs::write(&file, b"220 mx1.example.com ESMTP\r\n\r\n552 bo\xeete pleine \x1b[31m\r\n").expect("a file");
    let name = file.to_str().expect("a name");
    let output = run(&["explain", name], "");
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0));
    assert!(text.contains("220 mx1") && text.contains("552 bo") && !text.contains('\u{1b}'), "{text}");
    std::fs::remove_file(&file).expect("the file goes");

    for (input, complaint) in [("", "no code"), ("hello\n", "no code"), (&"x".repeat(2 << 20), "longer than 1 MB")] {
        let output = run(&["explain"], input);
        assert_eq!(output.status.code(), Some(1));
        assert!(err(&output).contains(complaint), "{}", err(&output));
    }
}

#[test]
fn forms_of_output() {
    let one = json(&run(&["explain", "-o", "json", "552"], ""));
    assert_eq!((&one["input"], &one["kind"]), (&"552".into(), &"code".into()));
    let several = json(&run(&["explain", "-o", "json", "552", "5.2.2"], ""));
    assert_eq!(several["kind"], "reply", "a code and an enhanced code are one reply");
    let several = json(&run(&["explain", "-o", "json", "552", "452"], ""));
    assert_eq!(several.as_array().map(Vec::len), Some(2));
    let lines = out(&run(&["explain", "-o", "ndjson", "552", "5.2.2", "452"], ""));
    assert_eq!(lines.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count(), 3);

    let comparison = json(&run(&["compare", "-o", "json", "250", "552"], ""));
    assert_eq!(comparison["schema"], "smtpprobe.comparison/1");
    assert_eq!(comparison["explanations"][1]["reply"]["code"], 552);
    let ids: Vec<&str> = comparison["differences"].as_array().expect("a list").iter().filter_map(|d| d["id"].as_str()).collect();
    assert_eq!(ids, ["decision", "queue", "actor", "place"]);

    let codes = json(&run(&["codes", "-o", "json", "55"], ""));
    assert_eq!((&codes["schema"], &codes["codes"][0]["code"]), (&"smtpprobe.codes/1".into(), &"550".into()));

    let place = json(&run(&["explain", "-o", "json", "--at", "rcpt", "552"], ""));
    assert_eq!((&place["explanations"][0]["command"], &place["explanations"][0]["reason"]), (&"RCPT".into(), &"mailbox_full".into()));

    assert!(out(&run(&["explain", "--color", "always", "552"], "")).contains('\u{1b}'));
    assert!(!out(&run(&["explain", "552"], "")).contains('\u{1b}'));
    let wide = out(&run(&["compare", "250", "552"], ""));
    assert!(wide.lines().all(|line| line.chars().count() <= 80), "{wide}");
    assert_eq!(out(&run(&["compare", "-q", "250", "552"], "")).lines().count(), 1);
}

#[test]
fn output_goes_to_a_file_and_a_closed_pipe_is_no_failure() {
    let file = std::env::temp_dir().join(format!("smtpprobe-offline-out-{}.txt", std::process::id()));
    let output = run(&["explain", "--output-file", file.to_str().expect("a name"), "552"], "");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert!(std::fs::read_to_string(&file).expect("a file").starts_with("552  "));
    std::fs::remove_file(&file).expect("the file goes");
    let mut child = Command::new(env!("CARGO_BIN_EXE_smtpprobe")).arg("codes").stdout(Stdio::piped()).spawn().expect("the command starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("the command ends").code(), Some(0));
}
