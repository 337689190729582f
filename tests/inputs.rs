//! What `explain` is given, as processes: files, folders and pipes of every kind, the good and the bad.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

const SMTPPROBE: &str = env!("CARGO_BIN_EXE_smtpprobe");
/// What is known of it stands behind what cannot be read, and is answered all the same.
const GOOD: &str = "552";
/// So long may an input take that nothing is made of.
const SOON: Duration = Duration::from_secs(60);
/// How much memory `explain` gets for the largest inputs, in KB.
const MEMORY: u32 = 300_000;
const FROM: &str = "From anna@example.com Sun Nov 22 10:00:00 2026\n";
const HEAD: &str = "From: Mail Delivery Subsystem <mailer-daemon@mx.example.com>\nTo: otto@example.org\n\
                    Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n";
const POSTFIX: &str = "Nov 22 10:00:01 mx postfix/smtp[7]: 4YAB0001: to=<anna@example.com>, relay=mx1.example.com[192.0.2.1]:25, delay=1, \
                       delays=0/0/1/0, dsn=5.2.2, status=bounced (host mx1.example.com[192.0.2.1] said: 552 5.2.2 Mailbox full \
                       (in reply to RCPT TO command))\n";

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("smtpprobe-inputs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// Makes a file, and gives its whole name.
    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, contents).expect("a file");
        self.name(name)
    }

    /// Makes a file of 2 GB that begins so; the rest is NULs that take no room.
    fn sparse(&self, name: &str, beginning: &str) -> String {
        let mut file = File::create(self.0.join(name)).expect("a file");
        file.write_all(beginning.as_bytes()).expect("a beginning");
        file.set_len(2 << 30).expect("a sparse file");
        self.name(name)
    }

    fn name(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(SMTPPROBE);
    command.arg("explain").args(arguments);
    command
}

/// The same with a limit of memory in KB, where the system has one.
fn bounded_command(memory: u32, arguments: &[&str]) -> Command {
    if !cfg!(target_os = "linux") {
        return command(arguments);
    }
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v {memory} && exec \"$0\" \"$@\"")).args([SMTPPROBE, "explain"]).args(arguments);
    command
}

fn start(mut command: Command) -> Child {
    for variable in ["NO_COLOR", "SMTPPROBE_RULES", "SMTPPROBE_MAX_MAIL"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts")
}

fn finish(command: Command, input: &[u8]) -> Output {
    let began = Instant::now();
    let mut child = start(command);
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // A command that does not read its input closes the pipe, which is no failure.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the command ends");
    writer.join().expect("the input is written");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    output
}

/// Runs `explain` with `input` on its standard input.
fn explain(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    finish(command(arguments), input.as_ref())
}

/// Runs it with a limit of memory.
fn bounded(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    bounded_to(MEMORY, arguments, input)
}

/// Runs it with a limit of so many KB of memory.
fn bounded_to(memory: u32, arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    finish(bounded_command(memory, arguments), input.as_ref())
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// The answers of a run with `-o ndjson`.
fn answers(output: &Output) -> Vec<Value> {
    out(output).lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// The reasons of all replies in `answers`, in order.
fn reasons(answers: &[Value]) -> Vec<&str> {
    let parts = answers.iter().flat_map(|answer| answer["explanations"].as_array().expect("a list"));
    parts.map(|part| part["reason"].as_str().expect("a name")).collect()
}

/// The rows of a run with `-o csv`, the head first.
fn rows(output: &Output) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(output.stdout.as_slice());
    reader.records().map(|row| row.expect("as many cells as the head").iter().map(str::to_owned).collect()).collect()
}

/// A delivery report about `recipient` (RFC 3464).
fn bounce(recipient: &str, diagnostic: &str) -> String {
    let status = diagnostic.split(' ').nth(1).expect("an enhanced code");
    format!(
        "{HEAD}Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\n\
         Your message could not be delivered.\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\n\
         Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: {status}\nRemote-MTA: dns; mx1.example.com\n\
         Diagnostic-Code: smtp; {diagnostic}\n\n--b--\n"
    )
}

fn full() -> String {
    bounce("anna@example.com", "552 5.2.2 Mailbox full")
}

fn unknown() -> String {
    bounce("ben@example.com", "550 5.1.1 User unknown")
}

/// Nothing is made of `name`: one line says so and names it, and what stands behind it is answered.
fn is_told(name: &str, output: &Output, words: &str) {
    let complaint = err(output);
    assert_eq!(complaint.lines().count(), 1, "{name}: {complaint}");
    assert!(complaint.starts_with("smtpprobe: ") && complaint.contains(name) && complaint.contains(words), "{name}: {complaint}");
    assert!(complaint.len() < 400, "{name}: {complaint}");
    assert_eq!(output.status.code(), Some(1), "{name}");
    assert_eq!(out(output).lines().filter(|line| line.starts_with(GOOD)).count(), 1, "{name}: {}", out(output));
}

#[test]
fn what_cannot_be_read_is_told_in_one_line_and_the_rest_is_answered() {
    let folder = Folder::new("told");
    let empty_maildir = folder.name("empty.maildir");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(Path::new(&empty_maildir).join(part)).expect("a folder");
    }
    fs::create_dir_all(folder.0.join("half/cur")).expect("a folder");
    let binary: Vec<u8> = (0..100_000_u32).map(|n| u8::try_from(n.wrapping_mul(n) / 7 % 256).expect("an octet")).collect();
    for (name, words) in [
        (folder.file("empty.txt", ""), "empty"),
        (folder.file("blank.txt", "\n \r\n\n"), "empty"),
        (folder.file("binary", binary), "neither text nor a mail"),
        (SMTPPROBE.to_owned(), "neither text nor a mail"),
        (folder.name("half"), "no Maildir"),
        (empty_maildir, "holds no mail"),
        (folder.file("empty.mbox", FROM), "holds no mail"),
        (folder.file("prose.txt", b"Bonjour, \xe7a ne marche pas.\r"), "no code"),
        (folder.file("wall.txt", "x".repeat(2 << 20)), "longer than 1 MB"),
    ] {
        is_told(&name, &explain(&["-q", &name, GOOD], ""), words);
    }
    for (input, words) in [("", "empty"), ("\n\n", "empty"), ("\0\u{1}\u{2}", "neither text nor a mail")] {
        is_told("standard input", &explain(&["-q", "-", GOOD], input), words);
    }
    let missing = folder.name("missing.txt");
    is_told(&missing, &explain(&["-q", &missing, GOOD], ""), "cannot be read");
    is_told("missing.eml", &explain(&["-q", "missing.eml", GOOD], ""), "cannot be read");
    is_told(&missing, &explain(&["-q", "--lines", &missing, &folder.file("good.txt", GOOD)], ""), "cannot be read");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_told() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new("unreadable");
    let name = folder.file("secret.log", POSTFIX);
    fs::set_permissions(&name, fs::Permissions::from_mode(0o000)).expect("rights");
    // Nothing is hidden from root.
    if File::open(&name).is_err() {
        is_told(&name, &explain(&["-q", &name, GOOD], ""), "cannot be read");
        is_told(&name, &explain(&["-q", "--lines", &name, &folder.file("good.txt", GOOD)], ""), "cannot be read");
    }
}

#[test]
fn a_file_of_nuls_that_is_larger_than_the_memory_is_told() {
    let folder = Folder::new("nuls");
    let name = folder.sparse("nuls", "");
    is_told(&name, &bounded(&["-q", &name, GOOD], ""), "neither text nor a mail");
    let good = folder.file("good.txt", GOOD);
    is_told(&name, &bounded(&["-q", "--lines", &name, &good], ""), "longer than 1 MB");
}

#[test]
fn an_mbox_that_is_larger_than_the_memory_is_told() {
    let folder = Folder::new("large-mbox");
    let name = folder.sparse("large.mbox", &format!("{FROM}{}\n{FROM}{HEAD}\n", full()));
    let output = bounded(&["-q", &name, GOOD], "");
    assert!(out(&output).starts_with("anna@example.com  552"), "{}", out(&output));
    is_told(&name, &output, "mail 2 has");
}

#[test]
fn a_mail_that_is_larger_than_the_memory_is_told() {
    let folder = Folder::new("large-mail");
    let name = folder.sparse("large.eml", &format!("{HEAD}\n"));
    is_told(&name, &bounded(&["-q", &name, GOOD], ""), "--max-mail");
}

#[test]
fn mails_of_many_parts_are_answered_in_bounded_time_and_memory() {
    let folder = Folder::new("parts");
    let part = "--b\nContent-Type: text/plain\n\n<anna@example.com>: 552 5.2.2 Mailbox full\n";
    let parts = format!("{HEAD}Content-Type: multipart/mixed; boundary=b\n\n{}--b--\n", part.repeat(10_000));
    let mut mails = HEAD.to_owned();
    let mut nests = HEAD.to_owned();
    for depth in 0..1000 {
        mails.extend(["Content-Type: message/rfc822\n\n", HEAD]);
        let boundary = format!("b{depth}");
        nests.extend(["Content-Type: multipart/mixed; boundary=", &boundary, "\n\n--", &boundary, "\n"]);
    }
    for mail in [parts, mails + "\ntext\n", nests + "\ntext\n"] {
        let output = bounded(&["-o", "ndjson", &folder.file("mail.eml", mail), GOOD], "");
        let answers = answers(&output);
        assert_eq!((answers.len(), err(&output)), (2, String::new()));
        assert_eq!(answers[1]["input"], GOOD);
    }
}

#[test]
fn a_line_that_is_too_long_is_told_and_those_round_it_are_answered() {
    let folder = Folder::new("long");
    let log = |length: usize| format!("{POSTFIX}{}\n{POSTFIX}", "x".repeat(length));
    let is_large = |output: &Output, number: usize| {
        let complaint = err(output);
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        assert!(complaint.contains(&format!("line {number} is longer than 1 MB")), "{complaint}");
        assert_eq!(output.status.code(), Some(1));
    };
    for length in [2 << 20, (1 << 20) + 1] {
        let name = folder.file("mail.log", log(length));
        for output in [bounded(&["-q", &name], ""), bounded(&["-q", "--lines", &name], ""), bounded(&["-q", "--lines"], log(length))] {
            assert_eq!(out(&output).lines().filter(|line| line.starts_with("anna@example.com  552")).count(), 2, "{}", out(&output));
            is_large(&output, 2);
        }
    }
    // A line of just 1 MB is read.
    let output = bounded(&["-q", &folder.file("mail.log", log(1 << 20))], "");
    assert_eq!((output.status.code(), err(&output), out(&output).lines().count()), (Some(0), String::new(), 2));
    let output = bounded(&["-q", "--lines"], log(1 << 20));
    assert_eq!((output.status.code(), err(&output), out(&output).lines().count()), (Some(1), String::new(), 3));
    assert!(output.stdout.len() < 2000, "nobody reads a line of 1 MB");
    let end = "\n552 full";
    is_large(&bounded(&["-q", "--lines"], "x".repeat(5 << 20) + end), 1);
}

#[test]
fn lines_that_are_long_and_many_take_no_more_memory_than_few() {
    let lines: Vec<String> = (0..40).map(|n| format!("552 5.2.2 Mailbox full {n} {}\n", "x".repeat(1_000_000))).collect();
    let output = bounded_to(100_000, &["-o", "ndjson", "--lines"], lines.concat());
    assert_eq!((output.status.code(), out(&output).lines().count()), (Some(0), 40), "{}", err(&output));
}

#[test]
fn octets_that_are_no_utf8_are_no_obstacle() {
    let folder = Folder::new("octets");
    let spoilt = |text: &str| text.replace("Mailbox full", "Mailbox full \u{0}").into_bytes();
    let spoilt = |text: &str| -> Vec<u8> { spoilt(text).into_iter().map(|b| if b == 0 { 0xff } else { b }).collect() };
    let mail = folder.file("mail.eml", spoilt(&full()));
    let log = folder.file("mail.log", spoilt(&POSTFIX.repeat(2)));
    let lines = folder.file("lines.txt", spoilt("552 5.2.2 Mailbox full\n"));
    for (arguments, input, count) in [
        (&[mail.as_str()][..], Vec::new(), 1),
        (&[log.as_str()], Vec::new(), 2),
        (&["--lines", &log], Vec::new(), 2),
        (&["--lines", &lines], Vec::new(), 1),
        (&[], spoilt("552 5.2.2 Mailbox full\r\n"), 1),
        (&[], spoilt(&full()), 1),
    ] {
        let output = explain(&[&["-o", "ndjson"], arguments].concat(), input);
        assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()), "{arguments:?}");
        assert_eq!(reasons(&answers(&output)), vec!["mailbox_full"; count], "{arguments:?}");
    }
}

#[test]
fn lines_may_end_with_a_carriage_return_alone() {
    let folder = Folder::new("returns");
    let returns = |text: &str| text.replace('\n', "\r");
    let mbox = format!("{FROM}{}\n{FROM}{}\n", full(), full());
    for (arguments, text, count) in [
        (&[][..], full(), 1),
        (&[], mbox, 2),
        (&[], POSTFIX.repeat(3), 3),
        (&["--lines"], POSTFIX.repeat(3), 3),
        (&[], "552-5.2.2 Mailbox\n552 5.2.2 full\n".to_owned(), 1),
        (&["--lines"], "552 5.2.2 full\n552 5.2.2 full\n".to_owned(), 2),
    ] {
        let name = folder.file("file", returns(&text));
        for (named, input) in [(vec![name.as_str()], String::new()), (vec![], returns(&text))] {
            let output = explain(&[&["-o", "ndjson"], arguments, &named].concat(), input);
            assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()), "{arguments:?} {text}");
            assert_eq!(reasons(&answers(&output)), vec!["mailbox_full"; count], "{arguments:?} {text}");
        }
    }
}

#[test]
fn a_mail_beyond_the_limit_is_told_and_its_neighbours_are_answered() {
    let folder = Folder::new("limit");
    let large = full() + &"x".repeat(70_000);
    let name = folder.file("three.mbox", format!("{FROM}{}\n{FROM}{large}\n\n{FROM}{}\n", full(), unknown()));
    let output = explain(&["--max-mail", "64K", "-o", "ndjson", &name], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).lines().count() == 1 && err(&output).contains("mail 2 has"), "{}", err(&output));
    let answers = answers(&output);
    assert_eq!(reasons(&answers), ["mailbox_full", "user_unknown"]);
    assert_eq!((&answers[0]["number"], &answers[1]["number"]), (&1.into(), &3.into()));
    assert_eq!(explain(&["--max-mail", "lots", &name], "").status.code(), Some(2));
}

#[test]
fn mails_are_answered_wherever_they_lie() {
    let folder = Folder::new("mails");
    let mail = folder.file("mail.eml", full());
    for output in [explain(&["-o", "json", &mail], ""), explain(&["-o", "json"], full())] {
        let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((output.status.code(), &value["kind"]), (Some(0), &"bounce".into()));
        let part = &value["explanations"][0];
        assert_eq!((&part["recipient"], &part["reason"]), (&"anna@example.com".into(), &"mailbox_full".into()));
        assert_eq!((&part["action"], &part["remote_host"]), (&"failed".into(), &"mx1.example.com".into()));
    }
    let later = bounce("carl@example.net", "451 4.7.1 Greylisted, try again later");
    let mbox = folder.file("three.mbox", format!("{FROM}{}\n{FROM}{}\n{FROM}{later}\n", full(), unknown()));
    folder.file("maildir/cur/1.mx:2,S", full());
    folder.file("maildir/cur/3.mx:2,S", &later);
    folder.file("maildir/new/2.mx", unknown());
    for (name, files) in [(mbox, [""; 3]), (folder.name("maildir"), ["cur/1.mx:2,S", "new/2.mx", "cur/3.mx:2,S"])] {
        let output = explain(&["-o", "ndjson", &name], "");
        assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()));
        let answers = answers(&output);
        assert_eq!(reasons(&answers), ["mailbox_full", "user_unknown", "greylisted"]);
        for (answer, file) in answers.iter().zip(files) {
            assert!(answer["file"].as_str().expect("a name").ends_with(file), "{answer}");
        }
    }
}

/// Four lines, three of which say what became of a message.
fn postfix() -> String {
    let of = |recipient: &str, dsn: &str, status: &str| {
        format!(
            "Nov 22 10:00:03 mx postfix/smtp[7]: 4YAB0003: to=<{recipient}>, relay=mx1.example.com[192.0.2.1]:25, delay=1, delays=0/0/1/0, \
             dsn={dsn}, status={status}\n"
        )
    };
    let passing = "Nov 22 10:00:02 mx postfix/qmgr[1]: 4YAB0002: from=<otto@example.org>, size=500, nrcpt=1 (queue active)\n";
    let unknown = "bounced (host mx1.example.com[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command))";
    let sent = "sent (250 2.0.0 Ok: queued as 4CD)";
    [POSTFIX, passing, &of("ben@example.com", "5.1.1", unknown), &of("carl@example.net", "2.0.0", sent)].concat()
}

/// Five lines, three of which say what became of a message.
fn exim() -> String {
    let of = |time: u8, rest: &str| format!("2026-11-22 10:00:0{time} 1tGabc-0000000Abc{time}-AbCd {rest}\n");
    let host = "R=dnslookup T=remote_smtp H=mx1.example.com [192.0.2.1]";
    let said = |code: &str, to: &str| format!("{host}: SMTP error from remote mail server after RCPT TO:<{to}>: {code}");
    [
        of(1, "<= otto@example.org H=localhost [127.0.0.1] P=esmtp S=500"),
        of(1, &format!("** anna@example.com {}", said("552 5.2.2 Mailbox full", "anna@example.com"))),
        of(1, "Completed"),
        of(2, &format!("== dora@example.com {}", said("451 4.7.1 Greylisted, try again later", "dora@example.com"))),
        of(3, &format!("=> ben@example.com {host} C=\"250 OK id=1\"")),
    ]
    .concat()
}

#[test]
fn a_log_is_answered_line_by_line() {
    let folder = Folder::new("logs");
    let (postfix, exim) = (folder.file("postfix.log", postfix()), folder.file("exim.log", exim()));
    for (name, numbers, expected) in [
        (&postfix, [1, 3, 4], ["mailbox_full", "user_unknown", "accepted"]),
        (&exim, [2, 4, 5], ["mailbox_full", "greylisted", "accepted"]),
    ] {
        let output = explain(&["-o", "ndjson", name], "");
        assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()));
        let answers = answers(&output);
        assert_eq!(reasons(&answers), expected);
        assert_eq!(answers.iter().map(|answer| answer["number"].as_u64().expect("a line")).collect::<Vec<_>>(), numbers);
        let sent = &answers[2]["explanations"][0];
        assert_eq!((&sent["action"], &sent["reply"]["code"]), (&"delivered".into(), &250.into()), "{sent}");
        assert!(answers.iter().all(|answer| answer["file"] == name.as_str() && answer["kind"] == "log_line"));
        assert_eq!(out(&explain(&[name], "")).lines().count(), 3);
    }
    // A crash leaves NULs in a log.
    let output = explain(&["-q"], format!("{POSTFIX}{}{POSTFIX}", "\0".repeat(5000)));
    assert_eq!((output.status.code(), out(&output).lines().count()), (Some(0), 2), "{}", err(&output));
}

#[test]
fn a_summary_counts() {
    let folder = Folder::new("summary");
    let (postfix, exim) = (folder.file("postfix.log", postfix()), folder.file("exim.log", exim()));
    let counts = |value: &Value| -> Vec<(u64, String, String)> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let rows = value["rows"].as_array().expect("rows").iter();
        rows.map(|row| (row["count"].as_u64().expect("a count"), text(&row["reason"]), text(&row["destination"]))).collect()
    };
    let expected = [
        (2, "mailbox_full", "example.com"),
        (1, "accepted", "example.com"),
        (1, "greylisted", "example.com"),
        (1, "user_unknown", "example.com"),
        (1, "accepted", "example.net"),
    ]
    .map(|(count, reason, destination)| (count, reason.to_owned(), destination.to_owned()));
    let sorted = |mut counts: Vec<(u64, String, String)>| {
        assert!(counts.is_sorted_by(|one, other| one.0 >= other.0), "{counts:?}");
        counts.sort_by_key(|(count, reason, destination)| (u64::MAX - count, destination.clone(), reason.clone()));
        counts
    };
    let summary = |form: &str| explain(&["--summary", "-o", form, &postfix, &exim], "");
    for form in ["json", "ndjson"] {
        let output = summary(form);
        let value: Value = serde_json::from_slice(&output.stdout).expect("one object");
        assert_eq!((output.status.code(), &value["total"]), (Some(0), &6.into()));
        assert_eq!(sorted(counts(&value)), expected);
        assert_eq!(form == "ndjson", out(&output).lines().count() == 1);
    }
    let rows = rows(&summary("csv"));
    assert_eq!(rows[0], ["count", "reason", "destination", "actor"]);
    let of_rows = rows[1..].iter().map(|row| (row[0].parse().expect("a count"), row[1].clone(), row[2].clone())).collect();
    assert_eq!(sorted(of_rows), expected);
    let text = out(&summary("text"));
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(text.lines().nth(1).is_some_and(|line| line.trim_start().starts_with("2  Mailbox full")), "{text}");
    // Mails and lines are counted as well.
    let three = explain(&["--summary", "-o", "json", "--lines"], "552 5.2.2 full\n552 5.2.2 full\n550 5.1.1 User unknown\n");
    let value: Value = serde_json::from_slice(&three.stdout).expect("one object");
    assert_eq!((&value["total"], value["rows"].as_array().map(Vec::len)), (&3.into(), Some(2)));
    // What cannot be read is told, and the rest is counted.
    let output = explain(&["--summary", "-o", "json", &folder.file("empty", ""), &postfix], "");
    let value: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((output.status.code(), &value["total"], err(&output).lines().count()), (Some(1), &3.into(), 1));
}

#[test]
fn each_form_of_output_holds_all_answers_in_order() {
    let folder = Folder::new("forms");
    let mail = folder.file("mail.eml", full());
    let log = folder.file("mail.log", postfix());
    let formula = folder.file("formula.txt", "550 5.1.1 =HYPERLINK(\"http://example.com\") user unknown\n");
    let all = [mail.as_str(), GOOD, &log, &formula];
    let run = |form: &str| explain(&[&["-o", form][..], &all].concat(), "");
    let expected = ["mailbox_full", "size", "mailbox_full", "user_unknown", "accepted", "user_unknown"];

    let ndjson = answers(&run("ndjson"));
    let found = reasons(&ndjson);
    assert_eq!((found.len(), found[0], &found[2..]), (6, expected[0], &expected[2..]));
    let json: Value = serde_json::from_slice(&run("json").stdout).expect("JSON");
    assert_eq!(json, Value::Array(ndjson.clone()));
    let one: Value = serde_json::from_slice(&explain(&["-o", "json", &mail], "").stdout).expect("JSON");
    assert_eq!(one, ndjson[0]);

    let output = run("csv");
    let rows = rows(&output);
    let column = |name: &str| rows[0].iter().position(|head| head == name).expect(name);
    assert_eq!(rows.len(), 7);
    assert_eq!(rows[1..].iter().map(|row| row[column("reason")].as_str()).collect::<Vec<_>>(), found);
    assert_eq!(rows[1..].iter().map(|row| row[column("file")].as_str()).collect::<Vec<_>>(), [&mail, "", &log, &log, &log, &formula]);
    assert_eq!(out(&output).lines().filter(|line| line.starts_with("file,")).count(), 1);
    assert!(rows[6][column("text")].starts_with("'=HYPERLINK("), "{:?}", rows[6]);

    let text = out(&run("text"));
    let places: Vec<usize> = ["anna@example.com", "552  ", "ben@example.com", "carl@example.net", "HYPERLINK"]
        .iter()
        .map(|words| text.find(words).unwrap_or_else(|| panic!("{words}: {text}")))
        .collect();
    assert!(places.is_sorted(), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let log = lines.iter().position(|line| line.starts_with("anna@example.com  552")).expect("the log's first line");
    assert_eq!((lines[log - 1], lines[log + 3]), ("", ""), "{text}");
    let quiet = out(&explain(&[&["-q"][..], &all].concat(), ""));
    assert_eq!(quiet.lines().count(), 6, "{quiet}");
    for form in ["json", "ndjson", "csv"] {
        assert_eq!(out(&explain(&[&["-q", "-o", form][..], &all].concat(), "")), out(&run(form)), "{form}");
    }
    // Nothing to show is an empty list.
    let nothing = explain(&["-o", "json", &folder.file("empty", "")], "");
    assert_eq!((nothing.status.code(), serde_json::from_slice(&nothing.stdout).ok()), (Some(1), Some(Value::Array(Vec::new()))));
}

#[test]
fn lines_that_come_again_are_answered_as_before() {
    let lines = ["552 5.2.2 Mailbox full", "550 5.1.1 User unknown", "hello", "", "452", "450 4.2.0 Greylisted"];
    let order = [0, 1, 0, 2, 4, 3, 0, 2, 5, 1, 4, 5];
    let input: String = order.iter().flat_map(|at| [lines[*at], "\n"]).collect();
    for form in ["text", "ndjson", "csv", "json"] {
        let once = |line: &str| explain(&["--lines", "-o", form], line);
        let output = explain(&["--lines", "-o", form], &input);
        assert_eq!((output.status.code(), err(&output)), (Some(1), String::new()), "hello is not known");
        let told = order.iter().map(|at| lines[*at]).filter(|line| !line.is_empty());
        match form {
            "json" => {
                let single = |line| serde_json::from_slice::<Value>(&once(line).stdout).expect("JSON");
                let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
                assert_eq!(all, told.map(single).collect::<Value>());
            }
            "csv" => {
                let single = told.map(|line| rows(&once(line)).remove(1));
                assert_eq!(rows(&output)[1..], single.collect::<Vec<_>>());
            }
            _ => assert_eq!(out(&output), told.map(|line| out(&once(line))).collect::<String>(), "{form}"),
        }
    }
}

#[test]
fn an_answer_is_there_before_the_next_line_is_written() {
    for form in ["text", "ndjson", "csv"] {
        let mut child = start(command(&["--lines", "-o", form]));
        let mut stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, answers) = mpsc::channel();
        let reader = std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let head = usize::from(form == "csv");
        for (line, code, more) in [("552 5.2.2 Mailbox full\n", "552", head), ("550 5.1.1 User unknown\n", "550", 0), ("552\n", "552", 0)] {
            stdin.write_all(line.as_bytes()).expect("the command reads");
            stdin.flush().expect("the command reads");
            let mut answer = String::new();
            for _ in 0..=more {
                answer = answers.recv_timeout(Duration::from_secs(10)).expect("an answer while the pipe is open");
            }
            assert!(answer.contains(code), "{answer}");
        }
        drop(stdin);
        assert_eq!(child.wait().expect("the command ends").code(), Some(0));
        reader.join().expect("the answers end").expect("somebody listens");
    }
}

#[test]
fn rules_of_ones_own_come_first() {
    let folder = Folder::new("rules");
    let rule = "[[rule]]\nid = \"quota\"\nreason = \"user_unknown\"\nwords = [\"Zebra\"]\nconfidence = \"certain\"\n\
                cause = \"The zebra has left.\"\nfix = \"Ask the zebra.\"\n";
    let rules = folder.file("own.toml", rule);
    let reply = "552 5.2.2 Mailbox full, zebra";
    assert_eq!(reasons(&answers(&explain(&["-o", "ndjson", reply], ""))), ["mailbox_full"]);
    let output = explain(&["--rules", &rules, "-o", "ndjson", reply, "550 5.1.1 User unknown"], "");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(reasons(&answers(&output)), ["user_unknown", "user_unknown"]);
    let text = out(&explain(&["--rules", &rules, reply], ""));
    assert!(text.contains("The zebra has left.") && text.contains("Ask the zebra."), "{text}");
    let mut of_environment = command(&["-o", "ndjson", reply]);
    of_environment.env("SMTPPROBE_RULES", &rules).stdin(Stdio::null());
    assert_eq!(reasons(&answers(&of_environment.output().expect("it runs"))), ["user_unknown"]);

    for (name, contents, words) in [
        ("field.toml", rule.replace("reason =", "raeson ="), &["line 3", "raeson"][..]),
        ("value.toml", rule.replace("\"certain\"", "\"sure\""), &["line 5", "confidence", "sure"]),
        ("enhanced.toml", format!("{rule}enhanced = [\"9.1.1\"]\n"), &["line 8", "enhanced", "9.1.1"]),
        ("at.toml", format!("{rule}at = [\"LUNCH\"]\n"), &["line 8", "at", "LUNCH"]),
        ("missing.toml", rule.replace("reason = \"user_unknown\"\n", ""), &["line 1", "reason"]),
        ("pattern.toml", format!("{rule}pattern = \"(zebra\"\n"), &["quota", "(zebra"]),
        ("word.toml", rule.replace("Zebra", "ox"), &["quota", "ox", "too short"]),
        ("toml.toml", rule.replace("[[rule]]", "[[rule"), &["line 1"]),
        ("section.toml", rule.replace("[[rule]]", "[[rules]]"), &["line 1", "rules"]),
    ] {
        let output = explain(&["--rules", &folder.file(name, contents), reply], "");
        let complaint = err(&output);
        assert_eq!((output.status.code(), complaint.lines().count(), out(&output)), (Some(2), 1, String::new()), "{name}: {complaint}");
        assert!(complaint.contains(name) && words.iter().all(|word| complaint.contains(word)), "{name}: {complaint}");
    }
    let missing = folder.name("none.toml");
    let output = explain(&["--rules", &missing, reply], "");
    assert_eq!((output.status.code(), err(&output).contains("none.toml")), (Some(2), true));
}

#[test]
fn a_pasted_session_and_a_saved_report_are_judged_as_a_probe_is() {
    let folder = Folder::new("judged");
    let session = "Trying 192.0.2.1...\nConnected to mx1.example.com.\nEscape character is '^]'.\n\
                   220 mx1.example.com ESMTP\nEHLO mail.example.org\n250-mx1.example.com\n250 SIZE 1000000\n\
                   MAIL FROM:<otto@example.org>\n250 2.1.0 Ok\nRCPT TO:<anna@example.com>\n552 5.2.2 Mailbox full\n\
                   QUIT\n221 2.0.0 Bye\nConnection closed by foreign host.\n";
    let demo = Command::new(SMTPPROBE).args(["demo", "full@demo.test", "-o", "json"]).output().expect("the demo runs");
    let report = folder.file("report.json", &demo.stdout);
    let saved_session = folder.file("session.txt", session);
    for (output, kind) in [
        (explain(&["-o", "json"], session), "transcript"),
        (explain(&["-o", "json"], session.replace('\n', "\r\n")), "transcript"),
        (explain(&["-o", "json", &saved_session], ""), "transcript"),
        (explain(&["-o", "json", &report], ""), "report"),
        (explain(&["-o", "json"], &demo.stdout), "report"),
    ] {
        let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((output.status.code(), &value["kind"]), (Some(0), &kind.into()), "{}", err(&output));
        assert_eq!(value["reports"][0]["verdict"]["reason"], "mailbox_full", "{value}");
    }
    assert!(out(&explain(&[&saved_session], "")).contains("Mailbox full"));
    assert!(out(&explain(&[&report], "")).contains("Mailbox full"));
}

#[test]
fn a_reader_who_has_seen_enough_ends_it_quietly() {
    let folder = Folder::new("enough");
    let log = folder.file("mail.log", POSTFIX.repeat(20_000));
    for arguments in [&[log.as_str()][..], &["--lines", &log], &["-o", "ndjson", &log]] {
        let mut child = start(command(arguments));
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        assert!(line.contains("mailbox_full") || line.contains("Mailbox full"), "{line}");
        drop(stdout);
        let output = child.wait_with_output().expect("the command ends");
        assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn files_in_utf_16_are_read() {
    let folder = Folder::new("utf16");
    let wide = |text: &str, to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(to_bytes).collect()
    };
    for (name, text, count) in [("mail", full(), 1), ("log", postfix(), 3), ("reply", "552 5.2.2 Mailbox full\r\n".to_owned(), 1)] {
        for (order, bytes) in [("le", wide(&text, u16::to_le_bytes)), ("be", wide(&text, u16::to_be_bytes))] {
            let output = explain(&["-o", "ndjson", &folder.file(&format!("{name}.{order}"), &bytes)], "");
            assert_eq!((answers(&output).len(), err(&output)), (count, String::new()), "{name} {order}");
            let plain = explain(&["-o", "ndjson"], &text);
            assert_eq!(reasons(&answers(&output)), reasons(&answers(&plain)), "{name} {order}");
        }
    }
    let lines = explain(&["--lines", "-o", "ndjson"], wide("552 5.2.2 full\r\n550 5.1.1 User unknown\r\n", u16::to_le_bytes));
    assert_eq!(reasons(&answers(&lines)), ["mailbox_full", "user_unknown"]);
}

#[test]
fn what_holds_nothing_is_told_once() {
    let folder = Folder::new("nothing");
    let empty = explain(&["--lines"], "\n \n");
    assert_eq!((empty.status.code(), out(&empty)), (Some(1), String::new()));
    assert_eq!(err(&empty), "smtpprobe: standard input holds no line\n");
    let missing = explain(&["--summary", &folder.name("missing.log")], "");
    assert_eq!((missing.status.code(), out(&missing), err(&missing).lines().count()), (Some(1), String::new(), 1), "{}", err(&missing));
}

#[test]
fn a_log_is_answered_while_it_is_written() {
    let mut child = start(command(&["-o", "ndjson"]));
    let mut stdin = child.stdin.take().expect("a pipe");
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, answers) = mpsc::channel();
    let reader = std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    stdin.write_all(postfix().as_bytes()).and_then(|()| stdin.flush()).expect("the command reads");
    for _ in 0..3 {
        answers.recv_timeout(Duration::from_secs(10)).expect("an answer while the pipe is open");
    }
    drop(stdin);
    assert_eq!(child.wait().expect("the command ends").code(), Some(0));
    let _ = reader.join().expect("the answers are read");
}
