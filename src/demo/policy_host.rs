//! A web server of a mail world that a policy of MTA-STS is fetched from (RFC 8461 §3.3), as much of HTTP/1.1 as that takes
//! (RFC 9112).
//!
//! It is a server, so it is bounded: in the length of a request's head, the time that it takes, and the number of connections at
//! once. Each connection gets one answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::script::wire_lines;
use super::tls::Paper;
use super::wire::{self, HANDSHAKE, close, drain, pause, send};
use super::zone::Zone;
use crate::target::DomainName;

/// Where a policy is (RFC 8461 §3.3).
const PATH: &str = "/.well-known/mta-sts.txt";
const HTTPS: u16 = 443;
/// Octets in a request up to its empty line.
const HEAD_LIMIT: usize = 8192;
/// Connections at once.
const CLIENT_LIMIT: usize = 64;
/// A whole connection.
const LIFETIME: Duration = Duration::from_secs(600);
/// A request.
const REQUEST: Duration = Duration::from_secs(10);
/// The largest body that is made up.
const BODY_LIMIT: usize = 1 << 20;

/// A web server for the policy of one domain.
#[derive(Clone, Debug)]
pub(super) struct PolicyHost {
    /// Its name, which its certificate is for.
    pub(super) name: String,
    pub(super) at: Vec<SocketAddr>,
    pub(super) paper: Paper,
    answer: Option<Answer>,
}

/// What it says where the policy is; without one it never says anything.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    bytes: Vec<u8>,
    delay: Duration,
}

/// A `[[policy]]` of a scenario file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyEntry {
    host: String,
    text: Option<String>,
    #[serde(default)]
    tls: Paper,
    status: Option<u16>,
    location: Option<String>,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    silent: bool,
    octets: Option<usize>,
}

impl PolicyEntry {
    /// Finds its place in the world, and words its answer.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn into_host(self, zone: &Zone) -> Result<PolicyHost, &'static str> {
        let name = self.host.parse::<DomainName>().map_err(|_| "`host` is no domain name")?.to_string();
        let at: Vec<SocketAddr> = zone.addresses_of(&name).into_iter().map(|ip| SocketAddr::new(ip, HTTPS)).collect();
        if at.is_empty() {
            return Err("its host has no address under [dns]");
        }
        let paper = self.tls;
        Ok(PolicyHost { name, at, paper, answer: self.into_answer()? })
    }

    fn into_answer(self) -> Result<Option<Answer>, &'static str> {
        let says_something = self.text.is_some() || self.octets.is_some() || self.status.is_some() || self.location.is_some();
        if self.silent {
            return if says_something || self.delay_ms > 0 { Err("who is silent has no answer") } else { Ok(None) };
        }
        let status = self.status.unwrap_or(200);
        if !matches!(status, 200..=599) || matches!(status, 204 | 205 | 304) {
            return Err("`status` is between 200 and 599, and none that has no body");
        }
        let body = match (self.text, self.octets) {
            (Some(_), Some(_)) => return Err("either `text` or `octets` is the body"),
            (Some(text), None) => wire_lines(&text),
            (None, Some(octets)) if octets > BODY_LIMIT => return Err("`octets` are at most 1048576"),
            (None, Some(octets)) => vec![b'x'; octets],
            (None, None) if status == 200 => return Err("`text` is missing"),
            (None, None) => Vec::new(),
        };
        let location = match &self.location {
            Some(_) if !matches!(status, 300..=399) => return Err("`location` needs a `status` between 300 and 399"),
            Some(url) if !url.bytes().all(|byte| byte.is_ascii_graphic()) => return Err("`location` is no URL"),
            location => location.as_deref(),
        };
        Ok(Some(Answer { bytes: response(status, location, &body), delay: Duration::from_millis(self.delay_ms) }))
    }
}

impl PolicyHost {
    /// Takes connections for ever. `acceptor` has its certificate.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, acceptor: TlsAcceptor) {
        wire::take(listener, CLIENT_LIMIT, |stream| {
            let (host, acceptor) = (Arc::clone(&self), acceptor.clone());
            // An error is the client's leaving: nobody is there to be told.
            async move { drop(timeout(LIFETIME, host.receive(stream, acceptor)).await) }
        })
        .await;
    }

    async fn receive(&self, stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<()> {
        let mut stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
        let Some(head) = timeout(REQUEST, read_head(&mut stream)).await?? else { return Ok(()) };
        match &self.answer {
            None => return drain(&mut stream).await,
            Some(answer) if asks_for_policy(&head) => {
                pause(answer.delay).await;
                send(&mut stream, &answer.bytes, Duration::ZERO).await?;
            }
            Some(_) => send(&mut stream, &response(404, None, b""), Duration::ZERO).await?,
        }
        close(&mut stream).await;
        Ok(())
    }
}

/// Reads a request up to the empty line that ends its head; none if the client closes before, or goes on for too long.
async fn read_head<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut bytes = [0; 1024];
    while head.len() <= HEAD_LIMIT {
        let length = stream.read(&mut bytes).await?;
        if length == 0 {
            break;
        }
        head.extend_from_slice(&bytes[..length]);
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

fn asks_for_policy(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.strip_prefix(b"GET ").and_then(|rest| rest.strip_prefix(PATH.as_bytes())) == Some(b" HTTP/1.1")
}

/// An answer after which the server closes. The words behind the status may be left out (RFC 9112 §4).
fn response(status: u16, location: Option<&str>, body: &[u8]) -> Vec<u8> {
    let location = location.map_or_else(String::new, |url| format!("Location: {url}\r\n"));
    let length = body.len();
    let head = format!("HTTP/1.1 {status} \r\n{location}Content-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::super::zone::Value;
    use super::*;

    fn read(text: &str) -> Result<PolicyHost, String> {
        let mut zone = Zone::default();
        for (key, record) in [
            ("mta-sts.demo.test CNAME", "www.demo.test"),
            ("www.demo.test A", "192.0.2.80"),
            ("www.demo.test AAAA", "2001:db8::80"),
            ("mx.demo.test MX", "10 www.demo.test"),
        ] {
            zone.insert(key, &Value::Records(vec![record.to_owned()])).unwrap();
        }
        let entry: PolicyEntry = toml::from_str(text).map_err(|error| error.to_string())?;
        entry.into_host(&zone).map_err(str::to_owned)
    }

    fn host(rest: &str) -> PolicyHost {
        read(&format!("host = \"mta-sts.demo.test\"\n{rest}")).expect(rest)
    }

    fn says(rest: &str) -> String {
        String::from_utf8(host(rest).answer.expect(rest).bytes).unwrap()
    }

    #[test]
    fn an_entry_becomes_an_answer_at_its_addresses() {
        let host = host("text = \"version: STSv1\\nmode: none\"\ntls = \"wrong_name\"\ndelay_ms = 7");
        assert_eq!((host.name.as_str(), host.paper), ("mta-sts.demo.test", Paper::WrongName));
        assert_eq!(host.at, ["192.0.2.80:443", "[2001:db8::80]:443"].map(|address| address.parse().unwrap()));
        assert_eq!(host.answer.unwrap().delay, Duration::from_millis(7));
        let end = "Content-Type: text/plain\r\nContent-Length";
        for (rest, expected) in [
            ("text = \"a\\nb\"", format!("HTTP/1.1 200 \r\n{end}: 6\r\nConnection: close\r\n\r\na\r\nb\r\n")),
            ("text = \"\"", format!("HTTP/1.1 200 \r\n{end}: 0\r\nConnection: close\r\n\r\n")),
            ("octets = 3", format!("HTTP/1.1 200 \r\n{end}: 3\r\nConnection: close\r\n\r\nxxx")),
            ("status = 404", format!("HTTP/1.1 404 \r\n{end}: 0\r\nConnection: close\r\n\r\n")),
            ("status = 500\ntext = \"x\"", format!("HTTP/1.1 500 \r\n{end}: 3\r\nConnection: close\r\n\r\nx\r\n")),
            (
                "status = 301\nlocation = \"https://demo.test/\"",
                format!("HTTP/1.1 301 \r\nLocation: https://demo.test/\r\n{end}: 0\r\nConnection: close\r\n\r\n"),
            ),
        ] {
            assert_eq!(says(rest), expected, "{rest}");
        }
        assert!(super::tests::host("silent = true\ntls = \"expired\"").answer.is_none());
    }

    #[test]
    fn what_is_wrong_in_an_entry_is_said() {
        for (text, word) in [
            ("text = \"x\"", "host"),
            ("host = \"mx.demo.test\"\ntext = \"x\"", "no address"),
            ("host = \"a..b\"", "no domain name"),
            ("host = \"mta-sts.demo.test\"", "`text` is missing"),
            ("host = \"mta-sts.demo.test\"\ntext = \"x\"\noctets = 1", "either"),
            ("host = \"mta-sts.demo.test\"\noctets = 1048577", "at most"),
            ("host = \"mta-sts.demo.test\"\nstatus = 100", "`status`"),
            ("host = \"mta-sts.demo.test\"\nstatus = 204", "`status`"),
            ("host = \"mta-sts.demo.test\"\nstatus = 600", "`status`"),
            ("host = \"mta-sts.demo.test\"\ntext = \"x\"\nlocation = \"https://x/\"", "needs a `status`"),
            ("host = \"mta-sts.demo.test\"\nstatus = 302\nlocation = \"https://x/\\r\\nX: y\"", "no URL"),
            ("host = \"mta-sts.demo.test\"\nsilent = true\ntext = \"x\"", "who is silent"),
            ("host = \"mta-sts.demo.test\"\nsilent = true\ndelay_ms = 1", "who is silent"),
            ("host = \"mta-sts.demo.test\"\ntext = \"x\"\ntls = \"old\"", "old"),
            ("host = \"mta-sts.demo.test\"\ncolour = 1", "colour"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn only_the_policy_is_there() {
        for (line, expected) in [
            ("GET /.well-known/mta-sts.txt HTTP/1.1", true),
            ("GET /.well-known/mta-sts.txt HTTP/1.0", false),
            ("GET /.well-known/mta-sts.txt2 HTTP/1.1", false),
            ("HEAD /.well-known/mta-sts.txt HTTP/1.1", false),
            ("GET / HTTP/1.1", false),
            ("", false),
        ] {
            assert_eq!(asks_for_policy(format!("{line}\r\nHost: x\r\n\r\n").as_bytes()), expected, "{line}");
        }
    }

    #[tokio::test]
    async fn a_head_has_its_end_and_its_limit() {
        let long = vec![b'x'; 3 * HEAD_LIMIT];
        for (sent, whole) in [(&b"GET / HTTP/1.1\r\n\r\n"[..], true), (b"GET / HTTP/1.1\r\n", false), (b"", false), (&long, false)] {
            assert_eq!(read_head(&mut &*sent).await.unwrap().is_some(), whole, "{} octets", sent.len());
        }
    }
}
