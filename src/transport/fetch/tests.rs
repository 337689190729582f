//! Fetching from HTTPS servers on loopback, good ones and every kind of bad.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::super::TlsClient;
use super::*;
use crate::policy::FetchStep;
use crate::settings::{Clock, Settings};

const NAME: &str = "mta-sts.example.com";
const PATH: &str = "/.well-known/mta-sts.txt";
const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 604800\r\n";

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server with a certificate for `name`, valid until so many days from now.
    fn acceptor(&self, name: &str, days: i64) -> TlsAcceptor {
        let now = OffsetDateTime::now_utc();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = now - time::Duration::days(90);
        params.not_after = now + time::Duration::days(days);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What a server does with a connection.
#[derive(Clone)]
enum Manner {
    /// TLS, then these bytes for whatever is asked, and the end.
    Says(TlsAcceptor, Vec<u8>),
    /// The same, but it keeps the connection open and says no more.
    SaysAndWaits(TlsAcceptor, Vec<u8>),
    /// The same bytes again and again.
    Floods(TlsAcceptor, Vec<u8>, Vec<u8>),
    /// No TLS, but this.
    Plain(&'static [u8]),
    /// Nothing at all.
    Silent,
}

struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, manner.clone(), Arc::clone(&notes)));
            }
        });
        Self { address, asked }
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, asked: Arc<Mutex<Vec<String>>>) {
    let (acceptor, answer, more, waits) = match manner {
        Manner::Says(acceptor, answer) => (acceptor, answer, None, false),
        Manner::SaysAndWaits(acceptor, answer) => (acceptor, answer, None, true),
        Manner::Floods(acceptor, answer, more) => (acceptor, answer, Some(more), false),
        Manner::Plain(bytes) => {
            let _ = stream.write_all(bytes).await;
            let _ = stream.read(&mut [0; 1024]).await;
            return;
        }
        Manner::Silent => return std::future::pending().await,
    };
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut request = Vec::new();
    let mut bytes = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut bytes).await {
            Ok(length) if length > 0 => request.extend_from_slice(&bytes[..length]),
            _ => return,
        }
    }
    asked.lock().unwrap().push(String::from_utf8(request).unwrap());
    let _ = stream.write_all(&answer).await;
    while let Some(more) = &more {
        if stream.write_all(more).await.is_err() {
            return;
        }
    }
    let _ = stream.flush().await;
    if waits {
        std::future::pending::<()>().await;
    }
    let _ = stream.shutdown().await;
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes()
}

/// Fetches from `server`, trusting `authority`.
async fn fetch_from(server: SocketAddr, authority: &Authority, limit: Duration) -> Fetched {
    fetch(&[("192.0.2.1", server)], authority, limit).await
}

async fn fetch(addresses: &[(&str, SocketAddr)], authority: &Authority, limit: Duration) -> Fetched {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let settings = Settings {
        connect_to: addresses.iter().map(|(text, real)| (SocketAddr::new(address(text), 443), *real)).collect(),
        ..Settings::default()
    };
    let tls = TlsClient::new(&[authority.0.der().to_vec()]);
    let line = Line { settings: &settings, clock: Clock::start(), tls: &tls, connect_timeout: Duration::from_secs(2) };
    let addresses: Vec<IpAddr> = addresses.iter().map(|(text, _)| address(text)).collect();
    line.fetch(&NAME.parse().unwrap(), PATH, &addresses, sleep(limit)).await
}

const PATIENT: Duration = Duration::from_secs(10);
const HASTY: Duration = Duration::from_millis(700);

#[tokio::test]
async fn a_policy_is_fetched_with_the_time_of_each_step() {
    let authority = Authority::new("known");
    for (head, body) in [
        (format!("200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}", POLICY.len()), POLICY.to_owned()),
        (
            "200 Fine\r\ncontent-type: Text/Plain\r\nTransfer-Encoding: chunked".to_owned(),
            format!("{:x}\r\n{POLICY}\r\n0\r\n\r\n", POLICY.len()),
        ),
        ("200 OK\r\nContent-Type: text/plain".to_owned(), POLICY.to_owned()),
    ] {
        let server = Server::start(Manner::Says(authority.acceptor(NAME, 30), answer(&head, &body))).await;
        let fetched = fetch_from(server.address, &authority, PATIENT).await;
        assert_eq!(fetched.body.as_deref(), Ok(POLICY.as_bytes()), "{head}");
        assert_eq!(fetched.url, "https://mta-sts.example.com/.well-known/mta-sts.txt");
        assert!(fetched.is_plain_text() && fetched.status == Some(200), "{head}");
        assert_eq!(fetched.peer, Some("192.0.2.1:443".parse().unwrap()));
        let tls = fetched.tls.as_ref().unwrap();
        assert_eq!((tls.verdict.clone(), tls.version.as_str()), (CertificateVerdict::Trusted, "TLS 1.3"));
        let times = [fetched.connected, fetched.secured, fetched.answered, Some(fetched.took)];
        assert!(times.is_sorted() && times[0] > Some(Duration::ZERO), "{times:?}");
        let asked = server.asked.lock().unwrap().clone();
        assert!(asked[0].starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\nhost: mta-sts.example.com\r\n"), "{asked:?}");
    }
}

#[tokio::test]
async fn what_is_no_file_of_that_name_says_why() {
    let authority = Authority::new("known");
    let acceptor = authority.acceptor(NAME, 30);
    let status = |code, to: Option<&str>| FetchFailure::Status(code, to.map(str::to_owned));
    let long = "x".repeat(5000);
    for (head, body, failure) in [
        ("404 Not Found\r\nContent-Length: 2".to_owned(), "no", status(404, None)),
        ("500 Oops\r\nContent-Length: 0".to_owned(), "", status(500, None)),
        ("204 No Content".to_owned(), "", status(204, None)),
        ("301 Moved\r\nLocation: https://example.com/x\r\nContent-Length: 0".to_owned(), "", status(301, Some("https://example.com/x"))),
        (format!("302 Found\r\nLocation: /{long}\r\nContent-Length: 0"), "", status(302, Some(&format!("/{}", &long[..511])))),
        ("200 OK\r\nContent-Length: 65537".to_owned(), "", FetchFailure::TooLarge),
        ("200 OK\r\nContent-Length: 18446744073709551612".to_owned(), "", FetchFailure::TooLarge),
    ] {
        let server = Server::start(Manner::Says(acceptor.clone(), answer(&head, body))).await;
        let fetched = fetch_from(server.address, &authority, PATIENT).await;
        assert_eq!(fetched.body, Err(failure), "{head}");
        assert!(fetched.status.is_some() && fetched.answered.is_some(), "{head}");
        assert_eq!(server.asked.lock().unwrap().len(), 1, "no redirection is followed");
    }
    let whole = answer("200 OK\r\nContent-Length: 65536\r\nContent-Type: text/html", &"x".repeat(65536));
    let server = Server::start(Manner::Says(acceptor, whole)).await;
    let fetched = fetch_from(server.address, &authority, PATIENT).await;
    assert!(fetched.body.is_ok_and(|body| body.len() == 65536));
}

#[tokio::test]
async fn what_has_no_end_is_cut_off() {
    let authority = Authority::new("known");
    let acceptor = || authority.acceptor(NAME, 30);
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000)).into_bytes();
    let chunked = answer("200 OK\r\nTransfer-Encoding: chunked", "");
    let server = Server::start(Manner::Floods(acceptor(), chunked, chunk.clone())).await;
    assert_eq!(fetch_from(server.address, &authority, PATIENT).await.body, Err(FetchFailure::TooLarge));
    let server = Server::start(Manner::Floods(acceptor(), answer("200 OK", ""), chunk)).await;
    assert_eq!(fetch_from(server.address, &authority, PATIENT).await.body, Err(FetchFailure::TooLarge));
    for flood in [&b"X-Header: yes\r\n"[..], b"x", b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"] {
        let server = Server::start(Manner::Floods(acceptor(), b"HTTP/1.1 ".to_vec(), flood.to_vec())).await;
        let body = fetch_from(server.address, &authority, Duration::from_secs(3)).await.body;
        assert!(matches!(body, Err(FetchFailure::Http(_) | FetchFailure::TimedOut(FetchStep::Answer))), "{body:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_or_breaks_off_is_told() {
    let authority = Authority::new("known");
    for bytes in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nversion: STSv1"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"220 mx.example.com ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/2 200\r\n\r\n",
        b"\0\xff\xfe",
        b"",
    ] {
        let server = Server::start(Manner::Says(authority.acceptor(NAME, 30), bytes.to_vec())).await;
        let fetched = fetch_from(server.address, &authority, PATIENT).await;
        assert!(matches!(&fetched.body, Err(FetchFailure::Http(words)) if !words.is_empty()), "{:?} {bytes:?}", fetched.body);
        assert!(fetched.secured.is_some());
    }
}

#[tokio::test]
async fn nothing_is_asked_of_a_host_that_does_not_prove_its_name() {
    let (authority, other) = (Authority::new("known"), Authority::new("unknown"));
    let good = answer("200 OK\r\nContent-Length: 0", "");
    for (acceptor, why) in [
        (authority.acceptor("www.example.com", 30), "wrong_name"),
        (authority.acceptor(NAME, -1), "expired"),
        (other.acceptor(NAME, 30), "missing_intermediate"),
    ] {
        let server = Server::start(Manner::Says(acceptor, good.clone())).await;
        let fetched = fetch_from(server.address, &authority, PATIENT).await;
        assert_eq!(fetched.body, Err(FetchFailure::Certificate));
        let first = fetched.tls.and_then(|tls| tls.verdict.faults().first().map(|fault| fault.why.name()));
        assert_eq!(first, Some(why));
        assert!(server.asked.lock().unwrap().is_empty());
    }
    let server = Server::start(Manner::Plain(b"HTTP/1.1 400 This is HTTP, not HTTPS\r\n\r\n")).await;
    let fetched = fetch_from(server.address, &authority, PATIENT).await;
    assert_eq!(fetched.body, Err(FetchFailure::Tls(FailureKind::NotTls.into())));
    assert!(fetched.connected.is_some() && fetched.secured.is_none());
}

#[tokio::test]
async fn no_step_takes_longer_than_the_limit() {
    let authority = Authority::new("known");
    let acceptor = || authority.acceptor(NAME, 30);
    for (manner, step) in [
        (Manner::Silent, FetchStep::Tls),
        (Manner::SaysAndWaits(acceptor(), Vec::new()), FetchStep::Answer),
        (Manner::SaysAndWaits(acceptor(), b"HTTP/1.1 200 O".to_vec()), FetchStep::Answer),
        (Manner::SaysAndWaits(acceptor(), answer("200 OK\r\nContent-Length: 5", "vers")), FetchStep::Body),
    ] {
        let server = Server::start(manner).await;
        let begin = Instant::now();
        let fetched = fetch_from(server.address, &authority, HASTY).await;
        assert_eq!(fetched.body, Err(FetchFailure::TimedOut(step)));
        assert!(begin.elapsed() < HASTY + Duration::from_millis(500) && fetched.took >= HASTY, "{:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn addresses_are_tried_until_one_answers() {
    let authority = Authority::new("known");
    let server = Server::start(Manner::Says(authority.acceptor(NAME, 30), answer("200 OK\r\nContent-Length: 0", ""))).await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let fetched = fetch(&[("192.0.2.1", closed), ("192.0.2.2", server.address)], &authority, PATIENT).await;
    assert_eq!((fetched.body, fetched.peer), (Ok(Vec::new()), Some("192.0.2.2:443".parse().unwrap())));
    let fetched = fetch(&[("192.0.2.1", closed), ("192.0.2.2", closed)], &authority, PATIENT).await;
    let Err(FetchFailure::Connect(failure)) = &fetched.body else { panic!("{fetched:?}") };
    assert_eq!((&failure.kind, fetched.peer), (&FailureKind::Refused, None));
    assert_eq!(fetch(&[], &authority, PATIENT).await.body, Err(FetchFailure::NoAddress));
}
