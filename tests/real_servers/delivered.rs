//! Messages that a real Postfix takes and puts into a mailbox, and a real Postgrey that puts them off first.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::lab::Lab;
use super::probed::Probed;
use super::{loopback, servers};

/// Where Postgrey listens.
const POLICY: &str = "127.0.0.1:10023";

fn with_mailboxes(title: &str, programs: &[&str]) -> Option<Lab> {
    let lab = loopback::open(title, &[&["postfix", "openssl", "unbound"], programs].concat())?;
    servers::unbound(&lab);
    servers::mailboxes(&lab);
    servers::postfix(&lab);
    Some(lab)
}

fn send(lab: &Lab, to: &str, options: &[&str]) -> Probed {
    lab.probe(&[&["--resolver", "127.0.0.1", "--helo", "probe.example", to], options].concat())
}

/// The one message in a mailbox, as Postfix stored it: with line feeds, and fields of its own on top.
fn arrived(lab: &Lab, mailbox: &str) -> Vec<u8> {
    let files = || -> Vec<_> {
        let folder = fs::read_dir(lab.path("boxes").join(mailbox).join("new"));
        folder.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let began = Instant::now();
    while files().is_empty() && began.elapsed() < Duration::from_secs(15) {
        sleep(Duration::from_millis(50));
    }
    let [file] = &files()[..] else {
        panic!("{mailbox} has {:?}: {}", files(), fs::read_to_string(lab.path(servers::MAIL_LOG)).unwrap_or_default())
    };
    let octets = fs::read(file).expect("a message");
    fs::remove_file(file).expect("it can be taken away");
    octets
}

/// Lines of the wire with the line ends of a file.
fn stored(octets: &[u8]) -> Vec<u8> {
    octets.iter().copied().filter(|octet| *octet != b'\r').collect()
}

#[test]
fn what_postfix_stores_is_what_was_sent() {
    let Some(lab) = with_mailboxes("delivered", &[]) else { return };
    let head = "From: me@example.net\r\nDate: Mon, 30 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.net>\r\nSubject: x\r\n\r\n";
    let odd = format!("{head}.\r\n..\r\n.dot\nline feed\ralone\r\n{}\r\n.{}\r\nb\u{f6}dy\r\nno end", "a".repeat(1_000), "b".repeat(3_000));
    let large = format!("{head}{}", ".A line with a dot before it.\r\n".repeat(30_000));
    for (name, text) in [("odd", odd), ("large", large)] {
        let file = lab.write(&format!("{name}.eml"), &text);
        let given = smtpprobe::message::Message::new(text.into_bytes()).expect("a message");
        let sent = format!("--send={}", file.display());
        for more in [&[][..], &["--bdat"], &["--tls", "off"], &["--notify", "never", "--ret", "headers"]] {
            let probed = send(&lab, "keeper@real.test", &[&[sent.as_str()], more].concat());
            probed.is(0, "accepted accepted likely").by(250, "2.0.0", "queued as");
            assert_eq!((probed.at("/message/state"), probed.at("/message/size")), (&"taken".into(), &given.size().into()), "{more:?}");
            let arrived = arrived(&lab, "keeper");
            assert!(arrived.ends_with(&stored(given.octets())), "{name} {more:?}: {}", String::from_utf8_lossy(&arrived));
            // What the server calls it, its log does as well.
            let id = probed.at("/message/queue_id").as_str().expect("an id").to_owned();
            assert!(lab.wait_for_line(servers::MAIL_LOG, &format!("{id}: removed")).contains("keeper@real.test"), "{id}");
        }
    }
    // It is larger than what Postfix takes here.
    let file = lab.write("huge.eml", &format!("{head}{}", "x".repeat(70).repeat(20_000)));
    let probed = send(&lab, "keeper@real.test", &[&format!("--send={}", file.display())]);
    probed.is(1, "rejected message_too_big certain").by(552, "5.3.4", "size exceeds");
    assert_eq!(probed.at("/message/state"), "not_sent");
}

#[test]
fn a_test_message_reaches_its_mailbox_signed() {
    let Some(lab) = with_mailboxes("test-message", &[]) else { return };
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/message/dkim/keys/rsa.pem").display().to_string();
    let signed = ["--send", "--dkim-key", &key, "--dkim-domain", "example.net", "--dkim-selector", "mail"];
    let probed = send(&lab, "keeper@real.test", &[&["--from", "me@example.net"], &signed[..]].concat());
    probed.is(0, "accepted accepted likely");
    assert_eq!(probed.at("/message/dkim/selector"), "mail");
    let text = String::from_utf8(arrived(&lab, "keeper")).expect("UTF-8");
    for part in
        ["Return-Path: <me@example.net>\n", "DKIM-Signature: v=1; a=rsa-sha256;", "From: me@example.net\n", "This is a test message."]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains(probed.at("/message/message_id").as_str().expect("an id")));
    // Without the option nothing comes.
    send(&lab, "keeper@real.test", &["--until", "data"]).is(0, "accepted accepted likely");
    assert_eq!(servers::queued(&lab), Vec::<String>::new());
}

#[test]
fn postgrey_is_waited_for() {
    let Some(lab) = with_mailboxes("postgrey", &["postgrey"]) else { return };
    fs::create_dir(lab.path("grey")).expect("a folder can be made");
    let owned = Command::new("chown").arg("postgrey").arg(lab.path("grey")).status().expect("chown runs");
    assert!(owned.success());
    let (inet, folder) = (format!("--inet={POLICY}"), format!("--dbdir={}", lab.path("grey").display()));
    lab.serve("postgrey", &[&inet, &folder, "--delay=2", "--greylist-text=Greylisted, try again in %s seconds"], POLICY);

    let first = send(&lab, "grey@real.test", &["--from", "me@example.net"]);
    first.is(3, "deferred greylisted certain").finds("come_back");
    // A sender of its own begins anew, and gets through after the wait.
    let waited = send(&lab, "grey@real.test", &["--from", "you@example.net", "--wait=30", "--send"]);
    waited.is(0, "accepted accepted likely").finds("greylisting_passed");
    assert_eq!((waited.at("/wait/end"), waited.at("/sessions/1/role")), (&"answered".into(), &"retry".into()));
    assert!(waited.took >= Duration::from_secs(2));
    assert!(String::from_utf8_lossy(&arrived(&lab, "grey")).contains("This is a test message."));
}
