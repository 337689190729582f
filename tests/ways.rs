//! The ways to a server, with the command as a process: local addresses, a SOCKS5 proxy, the PROXY header, LMTP at a UNIX socket.
//! Servers and proxies are threads of the test, on loopback.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// What must never be shown.
const PASSWORD: &str = "geheim-4711";
const PATIENCE: Duration = Duration::from_secs(20);

fn run_with(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smtpprobe"));
    // Nothing is looked up, and nobody could be asked.
    command
        .args(["--helo", "probe.example.net", "--no-control", "--no-policies", "--resolver", "127.0.0.1:9"])
        .args(arguments)
        .stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SMTPPROBE_")) {
        command.env_remove(name);
    }
    let output = command.envs(environment.iter().copied()).output().expect("the command starts");
    for shown in [&output.stdout, &output.stderr] {
        let shown = String::from_utf8_lossy(shown);
        assert!(!shown.contains(PASSWORD), "{arguments:?}: {shown}");
    }
    output
}

fn run(arguments: &[&str]) -> Output {
    run_with(&[], arguments)
}

fn report(arguments: &[&str]) -> serde_json::Value {
    let output = run(&[arguments, &["-o", "json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The one line of a complaint about the arguments.
fn complaint(output: &Output) -> String {
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
    line
}

/// The server's side of a conversation: what was said goes to `heard`, octets before the greeting first.
fn converse<S: Read + Write>(stream: S, before: usize, greeting: &str, heard: &Sender<Vec<u8>>) {
    answer(stream, before, greeting, &[], heard);
}

/// The same, with these answers to lines that begin so.
fn answer<S: Read + Write>(stream: S, before: usize, greeting: &str, answers: &[(&str, &str)], heard: &Sender<Vec<u8>>) {
    let mut stream = BufReader::new(stream);
    let mut first = vec![0; before];
    if stream.read_exact(&mut first).is_err() || stream.get_mut().write_all(format!("220 {greeting}\r\n").as_bytes()).is_err() {
        return;
    }
    let _ = heard.send(first);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let quit = line.starts_with(b"QUIT");
        let own = answers.iter().find(|(start, _)| line.starts_with(start.as_bytes())).map(|(_, answer)| *answer);
        let _ = heard.send(std::mem::take(&mut line));
        let usual = if quit { "221 bye" } else { "250 ok" };
        if stream.get_mut().write_all(format!("{}\r\n", own.unwrap_or(usual)).as_bytes()).is_err() || quit {
            return;
        }
    }
}

/// A mail server that hears `before` octets ahead of its greeting.
fn server(before: usize) -> (SocketAddr, Receiver<Vec<u8>>) {
    answering(before, &[])
}

/// The same, with answers of its own.
fn answering(before: usize, answers: &'static [(&str, &str)]) -> (SocketAddr, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, heard) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, before, "mx.example.net ESMTP", answers, &tell);
        }
    });
    (address, heard)
}

/// What a proxy does.
#[derive(Clone, Copy)]
enum Manner {
    /// Connects whoever logs in.
    Login,
    /// Answers CONNECT with this number.
    Answers(u8),
    /// Is another kind of server.
    Greets,
    /// Says nothing.
    Silent,
    /// Hangs up.
    Closes,
}

fn proxy(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream, manner));
        }
    });
    address
}

/// One client of a proxy; none when it goes away.
fn serve(mut client: TcpStream, manner: Manner) -> Option<()> {
    let mut octets = [0; 64];
    match manner {
        Manner::Greets => client.write_all(b"220 proxy.example.net FTP\r\n").ok()?,
        Manner::Silent => thread::sleep(PATIENCE),
        Manner::Closes => return None,
        Manner::Login | Manner::Answers(_) => {}
    }
    client.read_exact(&mut octets[..2]).ok()?;
    let count = usize::from(octets[1]);
    client.read_exact(&mut octets[..count]).ok()?;
    if matches!(manner, Manner::Login) {
        if !octets[..count].contains(&2) {
            return client.write_all(&[5, 255]).ok();
        }
        client.write_all(&[5, 2]).ok()?;
        let login = [&[1, 4][..], b"anna", &[u8::try_from(PASSWORD.len()).ok()?], PASSWORD.as_bytes()].concat();
        let mut said = vec![0; login.len()];
        client.read_exact(&mut said).ok()?;
        if said != login {
            return client.write_all(&[1, 1]).ok();
        }
        client.write_all(&[1, 0]).ok()?;
    } else {
        client.write_all(&[5, 0]).ok()?;
    }
    client.read_exact(&mut octets[..10]).ok()?;
    if let Manner::Answers(number) = manner {
        return client.write_all(&[5, number, 0, 1, 0, 0, 0, 0, 0, 0]).ok();
    }
    let to = SocketAddr::from(([octets[4], octets[5], octets[6], octets[7]], u16::from_be_bytes([octets[8], octets[9]])));
    let mut server = TcpStream::connect(to).ok()?;
    client.write_all(&[5, 0, 0, 1, 198, 51, 100, 7, 0x30, 0x39]).ok()?;
    let (mut back, mut from) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || std::io::copy(&mut from, &mut back));
    std::io::copy(&mut client, &mut server).ok().map(|_| ())
}

#[test]
fn a_conversation_by_way_of_a_proxy_with_a_login() {
    let (target, heard) = server(0);
    let target = target.to_string();
    let proxy = proxy(Manner::Login);
    let url = format!("socks5://anna:{PASSWORD}@{proxy}");
    let report = report(&[&target, "--proxy", &url]);
    assert_eq!(report["verdict"]["outcome"], "accepted", "{report}");
    assert_eq!(report["vantage"]["proxy"], format!("socks5://{proxy}"));
    // The address that the proxy tells is the one that the server sees.
    assert_eq!(report["vantage"]["egress"], serde_json::json!(["198.51.100.7"]));
    assert_eq!(report["vantage"]["addresses"], serde_json::json!([]));
    assert!(report["vantage"].get("own").is_none(), "loopback at the proxy's end is not this machine's: {report}");
    assert_eq!(heard.recv_timeout(PATIENCE).expect("a connection"), b"");
    assert_eq!(heard.recv_timeout(PATIENCE).expect("a command"), b"EHLO probe.example.net\r\n");

    // The same from the environment, and nothing is shown in any format.
    for format in ["text", "json", "ndjson", "nagios"] {
        let output = run_with(&[("SMTPPROBE_PROXY", &url)], &[&target, "-v", "-o", format]);
        if output.status.code() == Some(2) {
            continue;
        }
        assert_eq!(output.status.code(), Some(0), "{format}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // Ports go the same way.
    let mut ports = Command::new(env!("CARGO_BIN_EXE_smtpprobe"));
    let output = ports
        .args(["ports", &target, "--no-control", "--resolver", "127.0.0.1:9", "-o", "json", "--proxy", &url])
        .output()
        .expect("the command starts");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), report["vantage"]["proxy"].as_str()), (Some(0), Some(format!("socks5://{proxy}").as_str())));
}

#[test]
fn what_a_proxy_says_is_never_the_targets() {
    // Nobody listens there, which only the proxy could see.
    let target = "192.0.2.1:25";
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a port");
    for (proxy, login, words) in [
        (proxy(Manner::Answers(1)), "", "general failure (reply 1)"),
        (proxy(Manner::Answers(2)), "", "not allowed by its rules (reply 2)"),
        (proxy(Manner::Answers(3)), "", "network unreachable from there (reply 3)"),
        (proxy(Manner::Answers(4)), "", "host unreachable from there (reply 4)"),
        (proxy(Manner::Answers(5)), "", "connection refused, as seen from there (reply 5)"),
        (proxy(Manner::Answers(99)), "", "a reply that is not assigned (reply 99)"),
        (proxy(Manner::Greets), "", "does not speak SOCKS5"),
        (proxy(Manner::Silent), "", "the SOCKS proxy did not answer within 1 s"),
        (proxy(Manner::Closes), "", "the SOCKS proxy closed the connection"),
        (proxy(Manner::Login), "", "the SOCKS proxy takes no login that was offered"),
        (proxy(Manner::Login), "anna:geheim-4712@", "the SOCKS proxy refused the login"),
        (gone, "", "the SOCKS proxy cannot be reached: connection refused (errno "),
    ] {
        let report = report(&[target, "--connect-timeout", "1", "--proxy", &format!("socks5://{login}{proxy}")]);
        let event = &report["sessions"][0]["events"][0];
        assert!(event["failure"].as_str().is_some_and(|failure| failure.contains(words)), "{words}: {event}");
        assert_eq!((&report["verdict"]["outcome"], &report["verdict"]["reason"]), (&"unreachable".into(), &"proxy_failed".into()));
        assert_eq!(report["verdict"]["actor"], "sender_admin");
        assert_eq!(report["sessions"].as_array().map(Vec::len), Some(1), "nothing is compared with: {report}");
        let findings = report["findings"].as_array().expect("findings").iter().filter_map(|finding| finding["id"].as_str());
        assert_eq!(findings.collect::<Vec<_>>(), ["proxy_failed", "by_proxy"], "{words}");
    }
}

#[test]
fn a_proxy_that_is_none_is_refused_without_a_word_of_the_password() {
    for url in [
        format!("http://anna:{PASSWORD}@192.0.2.1"),
        format!("socks5://anna:{PASSWORD}@"),
        format!("socks5://anna:{PASSWORD}%zz@192.0.2.1"),
        format!("anna:{PASSWORD}"),
    ] {
        assert!(complaint(&run(&["192.0.2.1", "--proxy", &url])).contains("proxy"));
        assert!(complaint(&run_with(&[("SMTPPROBE_PROXY", &url)], &["192.0.2.1"])).contains("proxy"));
        let file = std::env::temp_dir().join(format!("smtpprobe-ways-{}.toml", std::process::id()));
        std::fs::write(&file, format!("proxy = \"{url}\"\n")).expect("a file");
        let output = run(&["192.0.2.1", "--config", file.to_str().expect("a plain path")]);
        std::fs::remove_file(&file).expect("it is there");
        assert!(complaint(&output).contains("proxy"));
    }
}

#[test]
fn the_proxy_header_comes_first() {
    let (target, heard) = server(28);
    let port = target.port().to_be_bytes();
    let report = report(&[&target.to_string(), "--proxy-protocol=198.51.100.7:4321"]);
    assert_eq!(report["verdict"]["outcome"], "accepted", "{report}");
    let start = *b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c";
    let expected = [&start[..], &[198, 51, 100, 7, 127, 0, 0, 1, 0x10, 0xe1], &port].concat();
    assert_eq!(heard.recv_timeout(PATIENCE).expect("a header"), expected);
    assert_eq!(heard.recv_timeout(PATIENCE).expect("a command"), b"EHLO probe.example.net\r\n");

    let line = format!("PROXY TCP4 198.51.100.7 127.0.0.1 4321 {}\r\n", target.port());
    let (target, heard) = server(line.len());
    let line = line.replace(&line[line.rfind(' ').expect("a blank") + 1..], &format!("{}\r\n", target.port()));
    run(&[&target.to_string(), "--proxy-protocol=v1,198.51.100.7:4321"]);
    assert_eq!(String::from_utf8(heard.recv_timeout(PATIENCE).expect("a header")).expect("text"), line);
}

#[test]
fn a_refused_xclient_is_no_word_about_the_mailbox() {
    const OFFER: (&str, &str) = ("EHLO", "250-mx.example.net\r\n250 XCLIENT ADDR NAME");
    for (answers, code, reason, stage) in [
        (&[OFFER, ("XCLIENT", "550 5.7.0 Error: insufficient authorization")][..], 1, "policy_rejected", "ehlo"),
        (&[OFFER, ("XCLIENT", "501 5.5.4 Bad ADDR attribute value")], 1, "protocol_error", "ehlo"),
        (&[OFFER, ("XCLIENT", "421 4.3.0 mx.example.net Server local data error")], 3, "system_error", "ehlo"),
    ] {
        let (target, heard) = answering(0, answers);
        let output = run(&["anna@example.com", "--server", &target.to_string(), "--xclient", "ADDR=192.0.2.1", "-o", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let verdict = ["reason", "stage"].map(|field| report["verdict"][field].as_str().unwrap_or_default().to_owned());
        assert_eq!((output.status.code(), verdict), (Some(code), [reason, stage].map(str::to_owned)), "{report}");
        assert!(heard.try_iter().all(|line| !line.starts_with(b"MAIL")));
    }
}

#[test]
fn the_local_address_is_the_one_asked_for() {
    for local in [IpAddr::from(Ipv4Addr::new(127, 0, 0, 9)), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)] {
        let Ok(listener) = TcpListener::bind((local, 0)) else {
            eprintln!("skipped: {local} is no address of this machine");
            continue;
        };
        let target = listener.local_addr().expect("an address").to_string();
        let seen = thread::spawn(move || {
            let (stream, peer) = listener.accept().expect("a connection");
            converse(stream, 0, "mx.example.net", &channel().0);
            peer.ip()
        });
        let output = run(&["anna@example.com", "--server", &target, "--controls", "off", "--bind", &local.to_string()]);
        assert_eq!(output.status.code(), Some(0), "{local}: {}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(seen.join().expect("a peer"), local);
    }
    for stranger in ["192.0.2.1", "2001:db8::1"] {
        let line = complaint(&run(&["127.0.0.1:9", "--bind", stranger]));
        assert!(line.contains(stranger) && line.contains("an address of this machine"), "{line}");
    }
}

#[test]
fn what_is_agreed_on_with_ones_own_server_needs_its_name() {
    for option in ["--lmtp", "--proxy-protocol", "--xclient=ADDR=192.0.2.1", "--relay-test=me@example.org"] {
        assert!(complaint(&run(&["anna@example.com", option])).contains("--server"), "{option}");
    }
    for (option, word) in [
        ("--proxy-protocol=v3", "v1"),
        ("--xclient=ADDR=mail.example.com", "ADDR cannot be"),
        ("--xclient=COLOUR=red", "REVERSE_NAME"),
        ("--relay-test=me", "me"),
        ("--server=mx.example.org --relay-test=me@example.org", "no relaying"),
        ("smtp://example.org --relay-test=me@example.org", "no relaying"),
        ("--server=unix:/tmp/socket --proxy-protocol", "no PROXY header"),
        ("--server=unix:relative", "absolute"),
    ] {
        let options: Vec<&str> = option.split(' ').collect();
        let line = complaint(&run(&[&["192.0.2.1"], &options[..]].concat()));
        assert!(line.contains(word), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn lmtp_at_a_unix_socket() {
    use std::os::unix::net::UnixListener;

    let path = std::env::temp_dir().join(format!("smtpprobe-lmtp-{}", std::process::id()));
    let listener = UnixListener::bind(&path).expect("a socket");
    let (tell, heard) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            converse(stream, 0, "lmtp.example.net", &tell);
        }
    });
    let (path, server) = (path.display().to_string(), format!("unix:{}", path.display()));
    let report = report(&["anna@example.com", "--lmtp", "--server", &server, "--controls", "off"]);
    let text = run(&["anna@example.com", "--lmtp", "--server", &server, "--controls", "off"]);
    std::fs::remove_file(&path).expect("it is there");
    assert_eq!(report["verdict"]["outcome"], "accepted", "{report}");
    assert_eq!(report["sessions"][0]["host"], path.as_str());
    let said: Vec<String> = heard.try_iter().take(5).map(|line| String::from_utf8_lossy(&line).trim_end().to_owned()).collect();
    assert_eq!(said, ["", "LHLO probe.example.net", "MAIL FROM:<>", "RCPT TO:<anna@example.com>", "QUIT"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains(&path) && !text.contains("0.0.0.0"), "{text}");

    let gone = run(&["anna@example.com", "--lmtp", "--server", &server, "-q"]);
    assert_eq!(gone.status.code(), Some(4), "{}", String::from_utf8_lossy(&gone.stdout));
}
