//! A nats-server of one's own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::StreamExt as _;

/// Set where the tests have to run: then a test that cannot run fails.
const MUST_RUN: &str = "SMTPPROBE_TESTS_MUST_RUN";

/// A broker with its folder; it goes with this value.
pub(crate) struct Broker {
    folder: PathBuf,
    port: u16,
    scheme: &'static str,
    child: Option<Child>,
}

/// A port that nobody listens at, a moment ago at least.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn program() -> Option<&'static str> {
    let there = |path: &&str| Command::new(path).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    ["nats-server", "/usr/sbin/nats-server"].into_iter().find(there)
}

/// The text form of `der` (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
}

fn file(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

impl Broker {
    /// Starts one with `JetStream` and this in its configuration. None, after saying so, where there is no nats-server.
    pub(crate) fn start(title: &str, configuration: &str) -> Option<Self> {
        Self::open(title, "nats", |folder| format!("jetstream {{ store_dir: {:?} }}\n{configuration}\n", file(folder, "store")))
    }

    pub(crate) fn without_jetstream(title: &str) -> Option<Self> {
        Self::open(title, "nats", |_| String::new())
    }

    /// Starts one that takes TLS alone, with a certificate of an authority of its own, and `more` in its configuration of TLS.
    pub(crate) fn with_tls(title: &str, more: &str) -> Option<Self> {
        Self::open(title, "tls", |folder| {
            let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
            authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let key = rcgen::KeyPair::generate().expect("a key");
            let certificate = authority.self_signed(&key).expect("a certificate");
            let issuer = rcgen::Issuer::new(authority, key);
            let own = rcgen::KeyPair::generate().expect("a key");
            let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
            let leaf = leaf.signed_by(&own, &issuer).expect("a certificate");
            fs::write(folder.join("authority.pem"), pem("CERTIFICATE", certificate.der())).expect("a file");
            fs::write(folder.join("own.pem"), pem("CERTIFICATE", leaf.der())).expect("a file");
            fs::write(folder.join("key.pem"), pem("PRIVATE KEY", &own.serialize_der())).expect("a file");
            let [store, own, key, authority] = ["store", "own.pem", "key.pem", "authority.pem"].map(|name| file(folder, name));
            format!(
                "jetstream {{ store_dir: {store:?} }}\ntls {{ cert_file: {own:?}, key_file: {key:?}, ca_file: {authority:?}, {more} }}\n"
            )
        })
    }

    fn open(title: &str, scheme: &'static str, configuration: impl Fn(&Path) -> String) -> Option<Self> {
        if program().is_none() {
            assert!(std::env::var_os(MUST_RUN).is_none_or(|value| value != "1"), "nats-server is not installed, and {MUST_RUN} is set");
            eprintln!("skipped: nats-server is not installed");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("smtpprobe-broker-{}-{title}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("nats.conf"), configuration(&folder)).expect("a file");
        let mut broker = Self { folder, port: free_port(), scheme, child: None };
        broker.again();
        Some(broker)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts it, at the same port and with the same store.
    pub(crate) fn again(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.path("log")).expect("a file");
        let mut command = Command::new(program().expect("nats-server"));
        command.args(["--addr", "127.0.0.1", "--port", &self.port.to_string(), "--config"]).arg(self.path("nats.conf"));
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().expect("nats-server"));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "{}", fs::read_to_string(self.path("log")).unwrap_or_default());
            sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Loses its store.
    pub(crate) fn forget(&self) {
        fs::remove_dir_all(self.path("store")).expect("a store");
    }

    /// Asks it something as an administrator.
    fn ask<T>(&self, question: impl AsyncFnOnce(async_nats::jetstream::Context) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let client = ConnectOptions::new().connect(self.url()).await.expect("a connection");
            question(async_nats::jetstream::new(client)).await
        })
    }

    /// The names of its streams.
    pub(crate) fn streams(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.ask(async |jetstream| jetstream.stream_names().map(|name| name.expect("a name")).collect::<Vec<_>>().await);
        names.sort();
        names
    }

    pub(crate) fn wait_for_stream(&self, name: &str) {
        let began = Instant::now();
        while !self.streams().iter().any(|known| known == name) {
            assert!(began.elapsed() < Duration::from_secs(20), "no stream {name}");
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a stream has so many messages.
    pub(crate) fn wait_for_messages(&self, stream: &str, count: u64) {
        self.wait_for_stream(stream);
        let began = Instant::now();
        while self.ask(async |jetstream| jetstream.get_stream(stream).await.expect("a stream").cached_info().state.messages) < count {
            assert!(began.elapsed() < Duration::from_secs(20), "not {count} messages in {stream}");
            sleep(Duration::from_millis(50));
        }
    }

    /// Clears a stream.
    pub(crate) fn purge(&self, stream: &str) {
        self.ask(async |jetstream| jetstream.get_stream(stream).await.expect("a stream").purge().await.expect("an empty stream"));
    }

    /// Publishes a message of whatever content.
    pub(crate) fn publish(&self, subject: &'static str, message: &str) {
        let message = message.to_owned();
        self.ask(async |jetstream| jetstream.publish(subject, message.into()).await.expect("a message").await.expect("a stream"));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
