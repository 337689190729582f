//! Plain clients against running worlds, and the files that come with the program.

mod believed;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, Query};
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

/// Longer than anything takes that is not meant to take for ever.
const PATIENCE: Duration = Duration::from_secs(5);
/// Long enough to see that something does not come.
const MOMENT: Duration = Duration::from_millis(200);

const HEAD: &str = r#"
address = "anna@demo.test"
title = "t"
teaches = "l"
expect = { outcome = "accepted", reason = "accepted", actor = "nobody", confidence = "certain" }
[dns]
"demo.test MX" = ["10 mx1.demo.test"]
"mx1.demo.test A" = ["192.0.2.1"]
"mx2.demo.test A" = ["192.0.2.2"]
[[server]]
at = ["192.0.2.1:25"]
mailboxes = ["anna"]
"#;

/// A world whose server at 192.0.2.1:25 has these further lines.
async fn world(server: &str) -> World {
    World::start(&Scenario::parse(&format!("{HEAD}{server}")).unwrap()).await.unwrap()
}

async fn connect(world: &World, address: &str) -> io::Result<TcpStream> {
    let really = world.settings(Settings::default()).connect_to[&address.parse::<SocketAddr>().unwrap()];
    timeout(PATIENCE, TcpStream::connect(really)).await.unwrap()
}

struct Client<S>(BufReader<S>);

impl Client<TcpStream> {
    async fn to(world: &World) -> Self {
        Self(BufReader::new(connect(world, "192.0.2.1:25").await.unwrap()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("the server is silent")?;
        Ok(line.trim_end().to_owned())
    }

    /// The last line of the next reply; empty if the server has closed.
    async fn reply(&mut self) -> String {
        loop {
            let line = self.line().await.unwrap();
            if line.get(3..4) != Some("-") {
                return line;
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn say(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    async fn introduce(&mut self) {
        assert!(self.reply().await.starts_with("220 "));
        assert!(self.say("EHLO client.test").await.starts_with("250 "));
        assert!(self.say("MAIL FROM:<>").await.starts_with("250 "));
    }

    async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("the server does not close").unwrap();
        rest.is_empty()
    }
}

#[test]
fn the_table_holds_every_file() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/scenarios");
    let there: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let here: BTreeSet<String> = FILES.iter().map(|(name, _)| format!("{name}.toml")).collect();
    assert_eq!(here, there);
}

#[test]
fn every_file_is_a_scenario_told_apart_by_name_and_address() {
    let scenarios = scenarios();
    let names: BTreeSet<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    let addresses: BTreeSet<&str> = scenarios.iter().map(|scenario| scenario.address.as_str()).collect();
    assert_eq!((names.len(), addresses.len()), (FILES.len(), FILES.len()));
    for scenario in &scenarios {
        let Scenario { name, title, teaches, expect, .. } = scenario;
        for (text, limit) in [(title, 50), (teaches, 120)] {
            assert!(text.is_ascii() && !text.contains('\n') && (1..=limit).contains(&text.len()), "{name}: {text}");
        }
        for (word, known) in [
            (&expect.outcome, &["accepted", "rejected", "deferred", "unreachable", "inconclusive"][..]),
            (
                &expect.actor,
                &["nobody", "wait", "sender_user", "sender_admin", "recipient", "recipient_admin", "network_admin", "either_side"][..],
            ),
            (&expect.confidence, &["certain", "likely", "unsure"][..]),
        ] {
            assert!(known.contains(&word.as_str()), "{name}: {word}");
        }
        assert_eq!(expect.outcome == "accepted", expect.reason == "accepted", "{name}");
    }
}

#[test]
fn every_server_of_the_files_is_at_an_address_for_documentation_or_a_private_one() {
    for scenario in scenarios() {
        let played = scenario.servers.iter().flat_map(|server| &server.at).map(SocketAddr::ip);
        // What block lists answer is the address of nobody.
        let named = scenario.zone.addresses().filter(|address| !address.is_loopback());
        for address in named.chain(played) {
            let kept = match address {
                std::net::IpAddr::V4(v4) => v4.is_documentation() || v4.is_private(),
                std::net::IpAddr::V6(v6) => v6.segments()[..2] == [0x2001, 0xdb8],
            };
            assert!(kept, "{}: {address}", scenario.name);
        }
    }
}

#[tokio::test]
async fn every_scenario_starts_and_its_hosts_meet_a_client_as_they_should() {
    for scenario in scenarios() {
        let world = World::start(&scenario).await.unwrap();
        for server in &scenario.servers {
            for address in &server.at {
                let really = world.settings(Settings::default()).connect_to[address];
                let patience = if matches!(server.conduct, Conduct::Silent) { MOMENT } else { PATIENCE };
                let met = timeout(patience, TcpStream::connect(really)).await;
                match server.conduct {
                    Conduct::Silent => assert!(met.is_err(), "{}: {address}", scenario.name),
                    Conduct::Refuses => {
                        assert_eq!(met.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionRefused, "{}: {address}", scenario.name);
                    }
                    Conduct::Talks(_) => assert!(met.unwrap().is_ok(), "{}: {address}", scenario.name),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_message_goes_through_the_usual_dialogue_and_is_dropped() {
    let world = world("").await;
    let mut client = Client::to(&world).await;
    assert_eq!(client.reply().await, "220 mx1.demo.test ESMTP Postfix");
    assert_eq!(client.say("EHLO client.test").await, "250 STARTTLS");
    // Ahead of the replies, as PIPELINING allows.
    client.write(b"MAIL FROM:<>\r\nRCPT TO:<nobody@demo.test>\r\nRCPT TO:<anna@demo.test>\r\nDATA\r\n").await;
    for start in ["250 2.1.0", "550 5.1.1", "250 2.1.5", "354 "] {
        assert!(client.reply().await.starts_with(start), "{start}");
    }
    // Only the last of these dots stands between two line ends.
    client.write(b"Subject: x\r\n\r\n..\r\n.\n.\r\nMAIL\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("250 2.0.0 Ok: queued"));
    assert!(client.say("DATA").await.starts_with("503 "));
    assert!(client.say("QUIT").await.starts_with("221 "));
    assert!(client.is_closed().await);

    let log = world.log();
    let lines: Vec<&str> = log.iter().map(|said| said.line.as_str()).collect();
    assert_eq!(lines[..2], ["EHLO client.test", "MAIL FROM:<>"]);
    assert_eq!(lines[lines.len() - 2..], ["DATA", "QUIT"]);
    assert!(log.iter().all(|said| said.to == "192.0.2.1:25".parse().unwrap() && said.connection == 0 && !said.secured));
    assert!(!lines.contains(&"Subject: x"));
}

#[tokio::test]
async fn a_server_at_two_addresses_goes_by_the_name_of_each() {
    let scenario = HEAD.replace("\"192.0.2.1:25\"", "\"192.0.2.1:25\", \"192.0.2.2:25\", \"192.0.2.3:25\"");
    let world = World::start(&Scenario::parse(&scenario).unwrap()).await.unwrap();
    for (address, name) in [("192.0.2.1:25", "mx1.demo.test"), ("192.0.2.2:25", "mx2.demo.test"), ("192.0.2.3:25", "192.0.2.3")] {
        let mut client = Client(BufReader::new(connect(&world, address).await.unwrap()));
        assert_eq!(client.reply().await, format!("220 {name} ESMTP Postfix"));
        client.0.get_mut().shutdown().await.unwrap();
        let stream = connect(&world, address).await.unwrap();
        let mut client = Client(BufReader::new(stream));
        client.reply().await;
        client.say("STARTTLS").await;
        shake(&world, client.0.into_inner(), "mx2.demo.test").await.unwrap();
    }
}

#[tokio::test]
async fn rules_go_before_manners_and_may_serve_once() {
    let rules = r#"
greeting = "220 hello"
[[server.reply]]
to = "rcpt to:<ANNA@"
say = "450 4.7.1 later"
once = true
[[server.reply]]
to = "RCPT TO:<scripted@"
say = "251 2.1.5 elsewhere"
[[server.reply]]
to = "."
say = "554 5.6.0 no"
"#;
    let world = world(rules).await;
    let mut client = Client::to(&world).await;
    client.introduce().await;
    assert_eq!(client.say("RCPT TO:<anna@demo.test>").await, "450 4.7.1 later");
    assert!(client.say("DATA").await.starts_with("554 5.5.1"));
    assert_eq!(client.say("RCPT TO:<scripted@demo.test>").await, "251 2.1.5 elsewhere");
    assert!(client.say("DATA").await.starts_with("354 "));
    client.write(b"x\r\n").await;
    assert_eq!(client.say(".").await, "554 5.6.0 no");
    // Once is once for the server, not for a connection.
    let mut other = Client::to(&world).await;
    other.introduce().await;
    assert_eq!(other.say("RCPT TO:<anna@demo.test>").await, "250 2.1.5 Ok");
    assert_eq!(world.log().last().unwrap().connection, 1);
}

#[tokio::test]
async fn delay_and_drip_take_their_time() {
    let rules =
        "[[server.reply]]\nto = \"CONNECT\"\ndelay_ms = 150\n[[server.reply]]\nto = \"NOOP\"\nsay = \"250 slowly\"\nbytewise_ms = 10";
    let world = world(rules).await;
    let began = Instant::now();
    let mut client = Client::to(&world).await;
    assert_eq!(client.reply().await, "220 mx1.demo.test ESMTP Postfix");
    assert!(began.elapsed() >= Duration::from_millis(150));
    let began = Instant::now();
    client.write(b"NOOP\r\n").await;
    let mut first = [0; 64];
    let length = client.0.read(&mut first).await.unwrap();
    assert!(length < "250 slowly\r\n".len(), "all at once");
    client.reply().await;
    assert!(began.elapsed() >= Duration::from_millis(110));
}

#[tokio::test]
async fn a_server_may_close_reset_or_fall_silent() {
    let rules = "[[server.reply]]\nto = \"NOOP\"\nsay = \"250 bye\"\nthen = \"close\"\n\
                 [[server.reply]]\nto = \"RSET\"\nthen = \"reset\"\n\
                 [[server.reply]]\nto = \"HELP\"\nthen = \"silent\"\n\
                 [[server.reply]]\nto = \"VRFY\"\nsay = \"421 4.3.2 down\"";
    let world = world(rules).await;
    for (line, reply) in [("NOOP", "250 bye"), ("VRFY", "421 4.3.2 down")] {
        let mut client = Client::to(&world).await;
        client.reply().await;
        // What is sent ahead must not cost the reply.
        client.write(format!("{line}\r\nNOOP\r\nNOOP\r\n").as_bytes()).await;
        assert_eq!(client.reply().await, reply);
        assert!(client.is_closed().await);
    }

    let mut client = Client::to(&world).await;
    client.reply().await;
    client.write(b"RSET\r\n").await;
    assert_eq!(client.line().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);

    let mut client = Client::to(&world).await;
    client.reply().await;
    client.write(b"HELP\r\n").await;
    assert!(timeout(MOMENT, client.line()).await.is_err());
}

#[tokio::test]
async fn who_goes_beyond_a_limit_is_dismissed() {
    let world = world("").await;
    let mut client = Client::to(&world).await;
    client.reply().await;
    let long = "x".repeat(5000);
    assert_eq!(client.say(&long).await, "421 4.7.0 mx1.demo.test Error: line too long");
    assert!(client.is_closed().await);

    let mut client = Client::to(&world).await;
    client.reply().await;
    for _ in 0..100 {
        assert!(client.say("NOOP").await.starts_with("250 "));
    }
    assert_eq!(client.say("NOOP").await, "421 4.7.0 mx1.demo.test Error: too many commands");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn an_address_without_a_server_refuses_on_every_port() {
    let world = world("").await;
    for address in ["192.0.2.2:25", "192.0.2.2:465", "192.0.2.2:587", "192.0.2.2:443", "192.0.2.1:587", "192.0.2.1:443"] {
        assert_eq!(connect(&world, address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused, "{address}");
    }
}

#[tokio::test]
async fn a_silent_host_stays_silent() {
    let scenario = HEAD.replace("mailboxes = [\"anna\"]", "silent = true");
    let world = World::start(&Scenario::parse(&scenario).unwrap()).await.unwrap();
    let mute = world.settings(Settings::default()).connect_to[&"192.0.2.1:25".parse().unwrap()];
    // Several at once, and longer than the first repetition of a SYN.
    let tries = [(); 4].map(|()| tokio::spawn(timeout(Duration::from_millis(1300), TcpStream::connect(mute))));
    for attempt in tries {
        assert!(attempt.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn the_servers_stop_with_their_world() {
    let world = world("").await;
    let mut client = Client::to(&world).await;
    client.reply().await;
    let really = world.settings(Settings::default()).connect_to[&"192.0.2.1:25".parse().unwrap()];
    drop(world);
    assert!(client.line().await.map_or(true, |line| line.is_empty()));
    assert!(timeout(PATIENCE, TcpStream::connect(really)).await.unwrap().is_err());
}

#[tokio::test]
async fn settings_lead_into_the_world_and_keep_the_rest() {
    let scenario = Scenario::parse(&HEAD.replace("[dns]", "[probe]\ngreeting_timeout = 70\nsize = 9\n[dns]")).unwrap();
    let world = World::start(&scenario).await.unwrap();
    let mut base = Settings { bind: Some("198.51.100.9".parse().unwrap()), pipelining: false, ..Settings::default() };
    base.extra_roots.push(vec![1]);
    let settings = world.settings(base);
    assert_eq!((settings.times.greeting, settings.size, settings.bind), (Duration::from_millis(70), Some(9), None));
    assert_eq!(settings.times.command, Settings::default().times.command);
    assert_eq!((settings.pipelining, settings.extra_roots.len()), (false, 2));
    assert!(settings.connect_to.values().all(|really| really.ip().is_loopback()));
    assert!(settings.connect_to.contains_key(&"192.0.2.2:25".parse().unwrap()));

    let mut question = Message::new(1, MessageType::Query, OpCode::Query);
    question.add_query(Query::query(Name::from_ascii("demo.test.").unwrap(), RecordType::MX));
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.send_to(&question.to_vec().unwrap(), settings.resolvers[0]).await.unwrap();
    let mut buffer = [0; 512];
    let length = timeout(PATIENCE, client.recv(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(Message::from_vec(&buffer[..length]).unwrap().answers[0].data.to_string(), "10 mx1.demo.test.");
}

/// A handshake as `name`, by a client that trusts the world's authority alone.
async fn shake(world: &World, stream: TcpStream, name: &str) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for root in world.settings(Settings::default()).extra_roots {
        roots.add(CertificateDer::from(root)).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

#[tokio::test]
async fn starttls_is_what_the_script_makes_of_it() {
    for (tls, outcome) in [
        ("starttls", ""),
        ("self_signed", "UnknownIssuer"),
        ("expired", "expired"),
        ("wrong_name", "not valid for name"),
        ("broken", "InvalidContentType"),
        ("closes", "eof"),
        ("alert", "HandshakeFailure"),
        ("old", "ProtocolVersion"),
    ] {
        let world = world(&format!("tls = \"{tls}\"")).await;
        let mut client = Client::to(&world).await;
        client.reply().await;
        assert_eq!(client.say("EHLO client.test").await, "250 STARTTLS", "{tls}");
        // What is sent ahead in the clear is forgotten.
        client.write(b"STARTTLS\r\nMAIL FROM:<>\r\n").await;
        assert_eq!(client.reply().await, "220 2.0.0 Ready to start TLS", "{tls}");
        match shake(&world, client.0.into_inner(), "mx1.demo.test").await {
            Ok(stream) => {
                assert_eq!(outcome, "", "{tls}");
                let mut client = Client(BufReader::new(stream));
                assert!(client.say("MAIL FROM:<>").await.starts_with("503 "));
                assert_eq!(client.say("EHLO client.test").await, "250 SMTPUTF8");
                assert!(client.say("STARTTLS").await.starts_with("554 "));
                assert!(client.say("QUIT").await.starts_with("221 "));
                assert!(client.is_closed().await);
                let secured: Vec<bool> = world.log().iter().map(|said| said.secured).collect();
                assert_eq!(secured, [false, false, true, true, true, true]);
            }
            Err(error) => {
                let error = error.to_string();
                assert!(!outcome.is_empty() && error.contains(outcome), "{tls}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn a_handshake_may_never_be_answered() {
    let world = world("tls = \"hangs\"").await;
    let mut client = Client::to(&world).await;
    client.reply().await;
    assert!(client.say("STARTTLS").await.starts_with("220 "));
    client.write(&[22, 3, 1, 0, 1, 1]).await;
    let mut answer = [0; 1];
    assert!(timeout(MOMENT, client.0.read(&mut answer)).await.is_err());
}

#[tokio::test]
async fn what_was_said_behind_starttls_may_be_taken_for_said_inside() {
    let world = world("tls = \"injectable\"").await;
    let mut client = Client::to(&world).await;
    client.reply().await;
    client.say("EHLO client.test").await;
    client.write(b"STARTTLS\r\nNOOP\r\nEHLO injec").await;
    assert_eq!(client.reply().await, "220 2.0.0 Ready to start TLS");
    let mut client = Client(BufReader::new(shake(&world, client.0.into_inner(), "mx1.demo.test").await.unwrap()));
    assert_eq!(client.reply().await, "250 2.0.0 Ok");
    assert_eq!(client.say("ted.test").await, "250 SMTPUTF8");
    assert!(client.say("QUIT").await.starts_with("221 "));
    let log: Vec<(String, bool)> = world.log().into_iter().skip(2).map(|said| (said.line, said.secured)).collect();
    let expected = [("NOOP", false), ("EHLO injected.test", false), ("QUIT", true)];
    assert_eq!(log, expected.map(|(line, secured)| (line.to_owned(), secured)));

    // Nothing there, nothing kept.
    let mut client = Client::to(&world).await;
    client.reply().await;
    assert!(client.say("STARTTLS").await.starts_with("220 "));
    let mut client = Client(BufReader::new(shake(&world, client.0.into_inner(), "mx1.demo.test").await.unwrap()));
    assert_eq!(client.say("NOOP").await, "250 2.0.0 Ok");
}

#[tokio::test]
async fn starttls_may_be_refused_for_now() {
    let world = world("[[server.reply]]\nto = \"STARTTLS\"\nsay = \"454 4.7.0 TLS not available\"").await;
    let mut client = Client::to(&world).await;
    client.reply().await;
    assert_eq!(client.say("STARTTLS").await, "454 4.7.0 TLS not available");
    assert!(client.say("NOOP").await.starts_with("250 "));
}

#[tokio::test]
async fn implicit_tls_comes_first_and_none_is_none() {
    let implicit = world("tls = \"implicit\"").await;
    let stream = shake(&implicit, connect(&implicit, "192.0.2.1:25").await.unwrap(), "mx1.demo.test").await.unwrap();
    let mut client = Client(BufReader::new(stream));
    client.introduce().await;
    assert!(client.say("STARTTLS").await.starts_with("502 "));

    let none = world("tls = \"none\"").await;
    let mut client = Client::to(&none).await;
    client.reply().await;
    assert_eq!(client.say("EHLO client.test").await, "250 SMTPUTF8");
    assert!(client.say("STARTTLS").await.starts_with("502 "));
}

#[tokio::test]
async fn a_reply_slipped_in_behind_220_does_not_hinder_the_handshake() {
    let rule = "[[server.reply]]\nto = \"STARTTLS\"\nsay = \"220 go\\r\\n250 slipped in\\r\\n\"\nraw = true";
    let world = world(rule).await;
    let mut client = Client::to(&world).await;
    client.reply().await;
    assert_eq!(client.say("STARTTLS").await, "220 go");
    assert_eq!(client.reply().await, "250 slipped in");
    shake(&world, client.0.into_inner(), "mx1.demo.test").await.unwrap();
}
