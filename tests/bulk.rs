//! The built command `bulk` against a server on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A server that knows every mailbox that begins with `good`.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || talk(stream));
        }
    });
    at
}

fn talk(mut stream: TcpStream) {
    let lines = BufReader::new(stream.try_clone().expect("a socket"));
    let _ = stream.write_all(b"220 mx.test ESMTP\r\n");
    for line in lines.lines().map_while(Result::ok) {
        let reply = match line.get(..4) {
            Some("EHLO") => "250-mx.test\r\n250 PIPELINING",
            Some("RCPT") if !line.contains("<good") => "550 5.1.1 =User unknown",
            Some("QUIT") => "221 bye",
            _ => "250 2.1.5 Ok",
        };
        if stream.write_all(format!("{reply}\r\n").as_bytes()).is_err() || reply == "221 bye" {
            return;
        }
    }
}

fn bulk(arguments: &[&str], list: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtpprobe"));
    command.env("SMTPPROBE_CONFIG", "/dev/null").arg("bulk").args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command");
    // Whoever refuses its arguments does not read.
    let _ = child.stdin.take().expect("a pipe").write_all(list.as_bytes());
    child.wait_with_output().expect("an end")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn each_line_is_answered_in_the_form_asked_for() {
    let server = server().to_string();
    let options = ["-", "--server", &server, "--helo", "probe.test", "-q"];
    let list = "good1@a.test\nnobody@b.test\n\nno address\ngood1@a.test\n";

    let done = bulk(&options, list);
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(1), String::new()));
    let mut answers: Vec<Value> = text(&done.stdout).lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    answers.sort_by_key(|answer| answer["line"].as_u64());
    let told: Vec<String> = answers
        .iter()
        .map(|answer| format!("{} {} {}", answer["line"], answer["outcome"].as_str().unwrap(), answer["confidence"]))
        .collect();
    let expected = ["1 accepted \"certain\"", "2 rejected \"certain\"", "4 invalid \"certain\"", "5 accepted \"certain\""];
    assert_eq!(told, expected, "a made-up address was unknown");
    assert_eq!((&answers[0]["catch_all"], &answers[0]["attempts"]), (&Value::Bool(false), &Value::from(1)));

    let json: Vec<Value> = serde_json::from_slice(&bulk(&[&options[..], &["-o", "json"]].concat(), list).stdout).expect("an array");
    assert_eq!(json.len(), 4);
    let csv = text(&bulk(&[&options[..], &["-o", "csv"]].concat(), list).stdout);
    assert!(csv.starts_with("line,input,address,outcome,reason,") && csv.lines().count() == 5, "{csv}");
    assert!(csv.contains(",'=User unknown,"), "a spreadsheet gets no formula: {csv}");
    assert_eq!(text(&bulk(&[&options[..], &["-o", "json"]].concat(), "").stdout), "[]\n");
}

#[test]
fn a_column_of_a_table_holds_the_addresses_and_the_end_is_told() {
    let server = server().to_string();
    let done =
        bulk(&["-", "--server", &server, "--column", "mail", "--controls", "off"], "name,mail\nAnna,good1@a.test\nBo,good2@a.test\n");
    assert_eq!((done.status.code(), text(&done.stdout).lines().count()), (Some(0), 2));
    assert!(text(&done.stderr).starts_with("smtpprobe: 2 answered (2 accepted), 0 left, "), "{}", text(&done.stderr));
    let done = bulk(&["-", "--server", &server, "--column", "email"], "name,mail\nAnna,good1@a.test\n");
    assert_eq!(done.status.code(), Some(2), "{}", text(&done.stderr));
}

#[test]
fn lists_for_guessing_and_files_that_hold_answers_are_refused() {
    let folder = std::env::temp_dir().join(format!("smtpprobe-bulk-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str| -> PathBuf { folder.join(name) };
    let list: String = (0..80).map(|n| format!("good{n:03}@a.test\n")).collect::<Vec<_>>().concat();
    std::fs::write(file("list"), list).expect("a list");
    let path = |name: &str| file(name).to_str().expect("a path").to_owned();
    let server = server().to_string();
    let (list, out) = (path("list"), path("out"));
    let options = [&list[..], "--server", &server, "-q", "--output-file", &out, "--controls", "off"];

    let done = bulk(&options, "");
    assert_eq!((done.status.code(), file("out").exists()), (Some(2), false));
    assert!(text(&done.stderr).contains("counted up"), "{}", text(&done.stderr));
    let owned = [&options[..], &["--i-own-this-domain"]].concat();
    let done = bulk(&owned, "");
    assert_eq!((done.status.code(), done.stdout.len()), (Some(0), 0), "{}", text(&done.stderr));
    let journal = std::fs::read_to_string(file("out")).expect("answers");
    // The first line says whose answers they are.
    assert_eq!(journal.lines().count(), 81);
    // Nothing is left to ask: the same command says so, and sums up what was answered.
    let again = bulk(&[&owned[..], &["--summary"]].concat(), "");
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    assert!(text(&again.stderr).contains("80 lines are answered already"), "{}", text(&again.stderr));
    assert!(text(&again.stdout).contains("80"), "{}", text(&again.stdout));
    assert_eq!(std::fs::read_to_string(file("out")).expect("answers"), journal);
    // A torn end is mended, and what it was is asked again.
    std::fs::write(file("out"), &journal[..journal.len() - 40]).expect("a file");
    let mended = bulk(&owned, "");
    assert!(mended.status.success() && text(&mended.stderr).contains("repaired"), "{}", text(&mended.stderr));
    assert_eq!(std::fs::read_to_string(file("out")).expect("answers").lines().count(), 81);
    // Another list's journal is left alone.
    std::fs::write(file("list"), "someone@demo.test\n").expect("a file");
    assert_eq!(bulk(&owned, "").status.code(), Some(2));
    // The other forms cannot be gone on with, and write nothing over.
    let csv = [&owned[..], &["-o", "csv"]].concat();
    assert_eq!(bulk(&csv, "").status.code(), Some(2));
    std::fs::remove_dir_all(&folder).expect("a folder");
}

/// A list of nothing, of no address, with a byte order mark, or given twice: one clear answer each.
#[test]
fn lists_that_hold_little_have_one_clear_answer() {
    let server = server().to_string();
    let options = ["-", "--server", &server, "--helo", "probe.test", "--controls", "off"];
    for (arguments, list) in [
        (&[][..], ""),
        (&[], "\n# nothing here\n \n"),
        (&[], "\u{feff}"),
        (&["--column", "mail"], "name,mail\n"),
        (&["--column", "mail"], ""),
    ] {
        let done = bulk(&[&options[..], arguments].concat(), list);
        let complaints = text(&done.stderr);
        assert_eq!((done.status.code(), done.stdout.len(), complaints.lines().count()), (Some(0), 0, 1), "{list:?}: {complaints}");
        assert!(complaints.starts_with("smtpprobe: the list has no line to answer"), "{list:?}: {complaints}");
    }
    let done = bulk(&options, "no address\n@\n");
    assert_eq!((done.status.code(), text(&done.stdout).lines().count()), (Some(1), 2));
    assert!(text(&done.stderr).starts_with("smtpprobe: 2 answered (2 no address), 0 left"), "{}", text(&done.stderr));
    for (arguments, list) in [(&[][..], "\u{feff}good1@a.test\r\n"), (&["--column", "mail"], "\u{feff}mail;name\r\ngood1@a.test;Anna\r\n")]
    {
        let done = bulk(&[&options[..], arguments].concat(), list);
        let answer: Value = serde_json::from_slice(&done.stdout).expect("one answer");
        assert_eq!((done.status.code(), answer["input"].as_str()), (Some(0), Some("good1@a.test")), "{list:?}");
    }
    let twice = bulk(&[&options[..], &["-"]].concat(), "good1@a.test\n");
    let complaints = text(&twice.stderr);
    assert_eq!((twice.status.code(), twice.stdout.len(), complaints.lines().count()), (Some(2), 0, 1), "{complaints}");
}

/// Only the destination that the file names is asked at its pace.
#[test]
fn the_configuration_file_treats_a_destination_otherwise() {
    let server = server().to_string();
    let file = std::env::temp_dir().join(format!("smtpprobe-bulk-destination-{}.toml", std::process::id()));
    let path = file.to_str().expect("a path");
    let list = "good1@a.test\ngood2@a.test\ngood3@b.test\ngood4@b.test\n";
    let options = ["-", "--server", &server, "--helo", "probe.test", "--controls", "off", "-q", "--config", path];
    let took = |pattern: &str| {
        std::fs::write(&file, format!("rate = 1000\n[destination.\"{pattern}\"]\nrate = 2\n")).expect("a file");
        let began = Instant::now();
        let done = bulk(&options, list);
        assert_eq!((done.status.code(), text(&done.stdout).lines().count()), (Some(0), 4), "{}", text(&done.stderr));
        began.elapsed()
    };
    // Two at once, and two more in the second after them.
    for pattern in ["127.0.0.1", "@b.test"] {
        let took = took(pattern);
        assert!(took >= Duration::from_millis(900), "{pattern}: {took:?}");
    }
    let (named, other) = (took("127.0.0.1"), took("*.b.test"));
    assert!(other + Duration::from_millis(500) < named, "{other:?} {named:?}");
    std::fs::remove_file(&file).expect("a file");
}

#[cfg(not(feature = "queue"))]
#[test]
fn without_the_feature_a_queue_is_said_to_be_missing() {
    for arguments in
        [&["bulk", "-", "--queue", "nats://anna:geheim@127.0.0.1"][..], &["worker", "--queue", "nats://127.0.0.1"], &["worker"]]
    {
        let done = Command::new(env!("CARGO_BIN_EXE_smtpprobe")).env("SMTPPROBE_CONFIG", "/dev/null").args(arguments).output();
        let done = done.expect("the command");
        let said = text(&done.stderr);
        assert_eq!((done.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains("built without the queue") && said.contains("--features queue") && !said.contains("geheim"), "{said}");
    }
}

#[test]
fn the_schema_describes_an_answer() {
    let done = Command::new(env!("CARGO_BIN_EXE_smtpprobe")).args(["schema", "bulk"]).output().expect("the command");
    let schema: Value = serde_json::from_slice(&done.stdout).expect("a schema");
    assert!(
        schema["properties"]["catch_all"].is_object() && schema["required"].as_array().is_some_and(|all| all.contains(&"outcome".into()))
    );
}
