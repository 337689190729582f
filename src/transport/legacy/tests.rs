//! Servers' first flights, recorded and made up, and `openssl s_server` with what it can still be made to do.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpStream;

use super::*;
use crate::smtp::LegacyFlaw::{Anonymous, Cbc, FiniteField, OldVersion, RsaKeyExchange, WeakCipher};

fn host(name: &str) -> Host {
    name.parse().map_or_else(|_| Host::Name(name.parse().unwrap()), Host::Address)
}

fn record(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &version.to_be_bytes(), &with_length(body)].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind][..], &length[1..], body].concat()
}

fn part_of(bytes: &[u8]) -> Vec<u8> {
    message(0, bytes)[1..].to_vec()
}

fn says_hello(version: u16, suite: u16) -> Vec<u8> {
    let body = [&version.to_be_bytes()[..], &[7; 32], &[4, 1, 2, 3, 4], &suite.to_be_bytes(), &[0]].concat();
    message(SERVER_HELLO, &body)
}

fn shows(chain: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = chain.iter().flat_map(|der| part_of(der)).collect();
    message(CERTIFICATE, &part_of(&list))
}

/// A whole flight in one record for each message.
fn flight(version: u16, messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|message| record(HANDSHAKE, version, message)).collect()
}

fn read_all(bytes: &[u8]) -> Option<Result<LegacyTls, FailureKind>> {
    Reader::default().push(bytes)
}

fn der() -> Vec<u8> {
    let params = CertificateParams::new(vec!["mx.example.com".to_owned()]).unwrap();
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn a_hello_offers_everything_and_names_the_server() {
    let hello = super::hello(&host("mx.example.com"), [9; 32]);
    assert_eq!(hello[..3], [22, 3, 1]);
    assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
    assert_eq!((hello[5], &hello[9..11], &hello[11..43]), (1, &[3, 3][..], &[9; 32][..]));
    assert!(hello.windows(14).any(|bytes| bytes == b"mx.example.com"));
    // A load balancer of those days took 256 to 511 bytes for an SSL 2 hello, and hung.
    assert!(super::hello(&host("a-rather-long-name.mail.example.com"), [9; 32]).len() - 5 < 256);
    let no_name = super::hello(&host("192.0.2.1"), [9; 32]);
    assert!(!no_name.windows(9).any(|bytes| bytes == b"192.0.2.1"));
    let count = usize::from(u16::from_be_bytes([hello[44], hello[45]])) / 2;
    let offered: Vec<u16> = hello[46..46 + 2 * count].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    assert_eq!(offered.len(), SUITES.len() + 1);
    let mut once = offered.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), offered.len());
    for wanted in [0x002F, 0x000A, 0x0005, 0x0033, 0x0034, 0xC013, 0xC018, 0x00FF] {
        assert!(offered.contains(&wanted), "{wanted:#06x}");
    }
}

#[test]
fn what_a_server_would_choose_is_read_and_judged() {
    let der = der();
    let certificate = || shows(&[&der]);
    let done = || message(SERVER_HELLO_DONE, &[]);
    let prime = |octets: usize| message(SERVER_KEY_EXCHANGE, &[&with_length(&vec![0xFF; octets])[..], &[0, 1, 2, 0, 1, 9]].concat());
    for (version, suite, messages, name, flaws) in [
        (
            0x0301,
            0x002F,
            vec![certificate(), done()],
            "TLS 1.0 TLS_RSA_WITH_AES_128_CBC_SHA",
            vec![OldVersion(TlsVersion(0x0301)), RsaKeyExchange, Cbc],
        ),
        (
            0x0302,
            0xC013,
            vec![certificate(), message(SERVER_KEY_EXCHANGE, &[3, 0, 23]), done()],
            "TLS 1.1 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
            vec![OldVersion(TlsVersion(0x0302)), Cbc],
        ),
        (0x0303, 0x009C, vec![certificate(), done()], "TLS 1.2 TLS_RSA_WITH_AES_128_GCM_SHA256", vec![RsaKeyExchange]),
        (
            0x0303,
            0x0033,
            vec![certificate(), prime(128), done()],
            "TLS 1.2 TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
            vec![FiniteField(Some(1024)), Cbc],
        ),
        (0x0303, 0x0034, vec![prime(256), done()], "TLS 1.2 TLS_DH_anon_WITH_AES_128_CBC_SHA", vec![Anonymous, Cbc]),
        (0x0303, 0x000A, vec![certificate(), done()], "TLS 1.2 TLS_RSA_WITH_3DES_EDE_CBC_SHA", vec![RsaKeyExchange, WeakCipher]),
        (
            0x0300,
            0x0005,
            vec![certificate(), done()],
            "SSL 3.0 TLS_RSA_WITH_RC4_128_SHA",
            vec![OldVersion(TlsVersion(0x0300)), RsaKeyExchange, WeakCipher],
        ),
        (0x0303, 0x5A5A, vec![certificate(), done()], "TLS 1.2 0x5A5A", vec![]),
        (
            0x0303,
            0xC02F,
            vec![certificate(), message(SERVER_KEY_EXCHANGE, &[3, 0, 23]), done()],
            "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            vec![],
        ),
    ] {
        let messages: Vec<Vec<u8>> = std::iter::once(says_hello(version, suite)).chain(messages).collect();
        let expected = read_all(&flight(version, &messages)).expect(name).expect(name);
        assert_eq!(format!("{} {}", expected.version, expected.cipher), name);
        assert_eq!(expected.flaws(), flaws, "{name}");
        assert_eq!(expected.chain_length, usize::from(expected.exchange != Some(KeyExchange::Anonymous)));
        // All messages in one record, the record cut anywhere, and byte by byte: it is the same.
        let together = record(HANDSHAKE, version, &messages.concat());
        assert_eq!(read_all(&together), Some(Ok(expected.clone())));
        let halves: Vec<u8> = messages.concat().chunks(50).flat_map(|piece| record(HANDSHAKE, version, piece)).collect();
        assert_eq!(read_all(&halves), Some(Ok(expected.clone())));
        let mut reader = Reader::default();
        let (last, before) = together.split_last().unwrap();
        assert!(before.iter().all(|byte| reader.push(&[*byte]).is_none()));
        assert_eq!(reader.push(&[*last]), Some(Ok(expected)));
    }
}

#[test]
fn a_refusal_is_named_and_nonsense_is_told() {
    let alert = |level, description| record(ALERT, 0x0301, &[level, description]);
    let named = |number| FailureKind::TlsHandshake(HandshakeFailure::Alert(TlsAlert(number)));
    let hello = record(HANDSHAKE, 0x0301, &says_hello(0x0301, 0x002F));
    let last = record(HANDSHAKE, 0x0301, &message(SERVER_HELLO_DONE, &[]));
    for (bytes, expected) in [
        (alert(2, 40), named(40)),
        (alert(2, 70), named(70)),
        (alert(1, 0), named(0)),
        ([alert(1, 112), alert(2, 80)].concat(), named(80)),
        (alert(1, 112).repeat(9), named(112)),
        (record(ALERT, 0x0301, &[2]), malformed("an alert has no two bytes")),
        (b"500 5.5.2 Error\r\n".to_vec(), FailureKind::NotTls),
        (vec![0x80, 0x2E, 1, 3, 1], FailureKind::NotTls),
        (vec![22, 2, 0, 0, 1, 0], FailureKind::NotTls),
        (vec![22, 3, 1, 0xFF, 0xFF], malformed("a record is too long")),
        (record(23, 0x0301, b"x"), malformed("a record comes before its time")),
        (record(20, 0x0301, &[1]), malformed("a record comes before its time")),
        (last.clone(), malformed("it does not begin with a hello")),
        ([hello.clone(), hello.clone()].concat(), malformed("it says hello twice")),
        (record(HANDSHAKE, 0x0301, &message(SERVER_HELLO, &[3, 1, 0])), malformed("its hello cannot be read")),
        (
            [hello.clone(), record(HANDSHAKE, 0x0301, &message(CERTIFICATE, &[0, 0, 9, 1]))].concat(),
            malformed("its certificates cannot be read"),
        ),
        ([hello.clone(), record(HANDSHAKE, 0x0301, &[CERTIFICATE, 0xFF, 0, 0])].concat(), malformed("a message is too long")),
        (record(HANDSHAKE, 0x0301, &[]).repeat(FLIGHT_LIMIT / 5 + 1), malformed("it has no end")),
    ] {
        assert_eq!(read_all(&bytes), Some(Err(expected)));
    }
    assert_eq!(
        (TlsAlert(40).to_string(), TlsAlert(70).to_string(), TlsAlert(200).to_string()),
        ("handshake_failure".into(), "protocol_version".into(), "200".into())
    );
    let passed = [alert(1, 112), hello, last].concat();
    assert_eq!(read_all(&passed).unwrap().unwrap().version, TlsVersion::TLS_1_0, "a name that the server does not know is no refusal");
}

#[test]
fn a_chain_is_kept_up_to_its_limit_and_read_or_not() {
    let der = der();
    let long = [says_hello(0x0303, 0x002F), shows(&[&der[..], b"rubbish"].repeat(10)), message(SERVER_HELLO_DONE, &[])];
    let found = read_all(&flight(0x0303, &long)).unwrap().unwrap();
    assert_eq!((found.chain.len(), found.chain_length), (CHAIN_LIMIT, 20));
    assert_eq!(found.chain[0].read.as_ref().unwrap().names, ["mx.example.com"]);
    assert!(found.chain[1].read.is_none() && found.chain[1].der == b"rubbish");
}

/// What OpenSSL 3 said to the hello with its protocols turned down: a line of what that comes to, then the bytes in hex.
const RECORDED: &str = include_str!("recorded.txt");

#[test]
fn recorded_flights_are_read() {
    let lines: Vec<&str> = RECORDED.lines().collect();
    assert_eq!(lines.len(), 12);
    for pair in lines.chunks(2) {
        let bytes: Vec<u8> = (0..pair[1].len() / 2).map(|at| u8::from_str_radix(&pair[1][2 * at..2 * at + 2], 16).unwrap()).collect();
        let said = match read_all(&bytes).expect(pair[0]) {
            Ok(found) => format!("{} {:?}", told(&found), found.flaws()),
            Err(FailureKind::TlsHandshake(failure)) => failure.to_string(),
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(said, pair[0]);
    }
}

/// Version, cipher suite and key.
fn told(found: &LegacyTls) -> String {
    let key = found.chain.first().and_then(|sent| sent.read.as_ref()).map_or_else(|| "none".to_owned(), |own| own.key.to_string());
    format!("{} {} {key}", found.version, found.cipher)
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes: Vec<u8>, cut: usize) {
        let mut reader = Reader::default();
        let cut = cut % (bytes.len() + 1);
        let _ = reader.push(&bytes[..cut]);
        let _ = reader.push(&bytes[cut..]);
    }

    #[test]
    fn spoilt_flights_are_read_without_harm(place in 0_usize..600, byte: u8, body: Vec<u8>, kind in 0_u8..25) {
        let messages = [says_hello(0x0303, 0x0033), shows(&[b"no certificate"]), message(SERVER_KEY_EXCHANGE, &body), message(kind, &body), message(SERVER_HELLO_DONE, &[])];
        let mut bytes = flight(0x0303, &messages);
        let length = bytes.len();
        bytes[place % length] = byte;
        let mut whole = Reader::default();
        let at_once = whole.push(&bytes);
        let mut slow = Reader::default();
        let mut pieces = bytes.iter().map(|byte| slow.push(&[*byte]));
        prop_assert_eq!(pieces.find_map(|answer| answer), at_once);
    }
}

/// Whose end of the line does not answer as it should.
#[tokio::test]
async fn silence_and_a_closed_door_are_told_apart() {
    let limit = Duration::from_millis(50);
    let (mut ours, theirs) = tokio::io::duplex(4096);
    let name = host("mx.example.com");
    assert_eq!(ask(&mut ours, &name, limit).await, Err(FailureKind::TlsHandshake(HandshakeFailure::Hung(limit))));
    drop(theirs);
    let (mut ours, mut theirs) = tokio::io::duplex(4096);
    let closing = async {
        let mut hello = [0; 1024];
        let _ = theirs.read(&mut hello).await;
        drop(theirs);
    };
    let (answer, ()) = tokio::join!(ask(&mut ours, &name, Duration::from_secs(5)), closing);
    assert_eq!(answer, Err(FailureKind::TlsHandshake(HandshakeFailure::Closed)));
}

/// `openssl s_server` on a port of its own, ended with the test.
struct OpenSsl(Child, SocketAddr);

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn openssl(arguments: &[&str]) -> Option<OpenSsl> {
    let mut child = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let address = lines.find_map(|line| line.ok()?.strip_prefix("ACCEPT ")?.parse().ok());
    let Some(address) = address else {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    };
    Some(OpenSsl(child, address))
}

/// A key and a certificate of its own, made by OpenSSL; none if it cannot.
fn paper(folder: &Path, name: &str, arguments: &[&str]) -> Option<(PathBuf, PathBuf)> {
    let (key, certificate) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.crt")));
    let done = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-subj", "/CN=mx.example.com", "-days", "30"])
        .args(arguments)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()
        .ok()?;
    done.success().then_some((key, certificate))
}

#[tokio::test]
async fn a_real_server_with_its_protocols_turned_down_is_known() {
    let folder = std::env::temp_dir().join(format!("smtpprobe-legacy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let Some(long) = paper(&folder, "long", &["-newkey", "rsa:2048"]) else {
        println!("skipped: openssl is not installed");
        return;
    };
    let short = paper(&folder, "short", &["-newkey", "rsa:1024", "-sha1"]);
    for (paper, arguments, expected) in [
        (Some(&long), "-tls1 -cipher ECDHE:@SECLEVEL=0", "TLS 1.0 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA RSA 2048"),
        (Some(&long), "-tls1_1 -cipher RSA:@SECLEVEL=0", "TLS 1.1 TLS_RSA_WITH_AES_128_CBC_SHA RSA 2048"),
        (Some(&long), "-tls1_2 -cipher kRSA:@SECLEVEL=0", "TLS 1.2 TLS_RSA_WITH_AES_128_GCM_SHA256 RSA 2048"),
        (Some(&long), "-tls1_2 -cipher kDHE:@SECLEVEL=0", "TLS 1.2 TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 RSA 2048"),
        (Some(&long), "-tls1_2 -cipher aNULL:@SECLEVEL=0", "TLS 1.2 TLS_ECDH_anon_WITH_AES_128_CBC_SHA none"),
        (short.as_ref(), "-tls1_2 -cipher DEFAULT:@SECLEVEL=0", "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 RSA 1024"),
        (Some(&long), "-tls1_3", "the server sent the TLS alert protocol_version"),
    ] {
        let Some((key, certificate)) = paper else { continue };
        let files = ["-key", key.to_str().unwrap(), "-cert", certificate.to_str().unwrap()];
        let all: Vec<&str> = files.into_iter().chain(arguments.split(' ')).collect();
        let Some(server) = openssl(&all) else {
            println!("skipped: this openssl cannot do {arguments}");
            continue;
        };
        let began = Instant::now();
        let mut stream = TcpStream::connect(server.1).await.unwrap();
        let said = match ask(&mut stream, &host("mx.example.com"), Duration::from_secs(10)).await {
            Ok(found) => told(&found),
            Err(FailureKind::TlsHandshake(failure)) => failure.to_string(),
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(said, expected, "{arguments}");
        assert!(began.elapsed() < Duration::from_secs(5), "{arguments}");
    }
    let _ = std::fs::remove_dir_all(&folder);
}
