//! The connection to the broker: who may connect, what can go wrong with it, and the streams and buckets that are needed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, GetStreamErrorKind, RequestErrorKind};
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use serde::Deserialize;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use super::Notice;
use crate::settings::decoded;
use crate::smtp::Secret;

/// What a broker without streams answers.
const NO_JETSTREAM: [ErrorCode; 2] = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
/// For a connection, and for each answer of the broker.
const PATIENCE: Duration = Duration::from_secs(5);
/// Octets of a file of credentials that are read.
const CREDENTIALS: u64 = 64 * 1024;
/// How often a silent broker is asked whether it is there; after two of these it counts as gone.
const PING: Duration = Duration::from_secs(5);
/// Between tries to connect again, at most.
const AGAIN: Duration = Duration::from_secs(2);

/// The broker's addresses: those of one server, or of several of a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Servers(Vec<ServerAddr>);

/// Not an address of a broker. What was given is not repeated: there may be a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a broker looks like nats://queue.example.com:4222 or tls://queue.example.com; several of a cluster stand with commas between them"
)]
pub struct ServersError;

impl FromStr for Servers {
    type Err = ServersError;

    fn from_str(text: &str) -> Result<Self, ServersError> {
        let server = |text: &str| {
            let text = text.trim();
            let known =
                ["nats://", "tls://"].iter().any(|scheme| text.get(..scheme.len()).is_some_and(|part| part.eq_ignore_ascii_case(scheme)));
            text.parse::<ServerAddr>().ok().filter(|server| known && !server.host().is_empty()).ok_or(ServersError)
        };
        text.split(',').map(server).collect::<Result<_, _>>().map(Self)
    }
}

impl Servers {
    /// The user and the password, or no user and a token; none if there is neither. `secret` goes before what the addresses say.
    fn login(&self, secret: Option<&Secret>) -> Result<Option<(Option<String>, String)>, BrokerError> {
        let wrong = |why: &str| BrokerError::Login(why.to_owned());
        let clear = |text: &str| decoded(text).map(|text| text.to_string()).ok_or_else(|| wrong("%40 stands for @, %3A for :, %25 for %"));
        let named = self.0.iter().find(|server| server.username().is_some());
        let user = named.and_then(ServerAddr::username).map(clear).transpose()?;
        let secret = match secret {
            Some(secret) => Some(String::from_utf8(secret.expose().to_vec()).map_err(|_| wrong("the password is not UTF-8"))?),
            None => named.and_then(ServerAddr::password).map(clear).transpose()?,
        };
        Ok(match (user, secret) {
            (user, Some(secret)) => Some((user, secret)),
            // As other programs take it: what stands alone before the @ is a token.
            (Some(token), None) => Some((None, token)),
            (None, None) => None,
        })
    }
}

impl fmt::Display for Servers {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, server) in self.0.iter().enumerate() {
            let (scheme, host, comma) = (server.scheme(), server.host(), if place > 0 { "," } else { "" });
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let host = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
            write!(f, "{comma}{scheme}://{host}:{}", server.port())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servers({self})")
    }
}

/// How to reach the broker, and what proves that one may.
#[derive(Clone, Debug)]
pub struct Access {
    /// Where it is.
    pub servers: Servers,
    /// A password for the user that the address names, or without one a token; none takes the address's own.
    pub secret: Option<Secret>,
    /// A file of credentials, as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// Certificates of authorities to trust beside the system's (PEM).
    pub authority: Option<PathBuf>,
    /// A certificate of one's own and its key (PEM).
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Why the broker cannot be worked with; one line.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Nobody is there.
    #[error("the broker at {servers} cannot be reached: {why}")]
    Unreachable {
        /// Where it should be.
        servers: String,
        /// What the system says.
        why: String,
    },
    /// It does not believe who this is.
    #[error(
        "the broker at {0} refuses the credentials: --queue-creds FILE, a user in its address, or a password or token in $SMTPPROBE_QUEUE_PASSWORD"
    )]
    Credentials(String),
    /// What stands before the @ in its address cannot be read.
    #[error("user or password of the broker cannot be read: {0}")]
    Login(String),
    /// No TLS came about.
    #[error("TLS with the broker at {servers} failed: {why}; --queue-ca FILE trusts an authority of your own")]
    Tls {
        /// Where it is.
        servers: String,
        /// What is wrong.
        why: String,
    },
    /// It asks for a certificate, and does not accept what it got.
    #[error(
        "the broker at {servers} does not accept the certificate, or the lack of one: {why}; --queue-certificate FILE with --queue-key FILE"
    )]
    Certificate {
        /// Where it is.
        servers: String,
        /// What it says.
        why: String,
    },
    /// A file that is named cannot be used.
    #[error("{file}: {why}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// It keeps no streams.
    #[error(
        "JetStream is not enabled at the broker, for this account at least: start nats-server with -js, or allow it in its configuration"
    )]
    NoJetStream,
    /// Its release is too old.
    #[error("the broker is nats-server {0}: 2.9 or newer is needed")]
    TooOld(String),
    /// It does not allow what is needed.
    #[error(
        "the broker does not allow it: {0}; a user needs to publish at $JS.API.>, $JS.ACK.>, $KV.> and smtpprobe.>, and to subscribe to _INBOX.>"
    )]
    Permission(String),
    /// Somebody else publishes the same run.
    #[error("another smtpprobe bulk --queue publishes the run {0}: wait for its end, or name this one with --queue-run NAME")]
    Published(String),
    /// It does not answer, or answers with an error.
    #[error("the broker fails at {at}: {why}")]
    Failed {
        /// What was asked of it.
        at: &'static str,
        /// What it says.
        why: String,
    },
}

impl BrokerError {
    pub(super) fn failed(at: &'static str, why: impl fmt::Display) -> Self {
        Self::Failed { at, why: why.to_string() }
    }
}

/// A connection to the broker, which comes back by itself.
#[derive(Clone, Debug)]
pub struct Broker {
    pub(super) jetstream: Context,
    /// How often the connection came about; zero while it is gone.
    link: watch::Receiver<Link>,
    notices: mpsc::UnboundedSender<Notice>,
    violation: Arc<Mutex<Option<String>>>,
    complained: Arc<Mutex<String>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Link {
    is_up: bool,
    times: u64,
}

impl Broker {
    /// Connects. What is worth telling goes to `notices` for as long as the connection is used.
    ///
    /// # Errors
    /// If it cannot be reached or worked with.
    pub async fn connect(access: &Access, notices: mpsc::UnboundedSender<Notice>) -> Result<Self, BrokerError> {
        let (state, link) = watch::channel(Link { is_up: true, times: 1 });
        let violation: Arc<Mutex<Option<String>>> = Arc::default();
        let told = (notices.clone(), Arc::clone(&violation));
        let options = options(access)?.event_callback(move |event| {
            follow(&event, &state, &told.0, &told.1);
            std::future::ready(())
        });
        let shown = access.servers.to_string();
        let client = options.connect(access.servers.0.clone()).await.map_err(|error| of_connecting(shown, &error))?;
        let info = client.server_info();
        if !client.is_server_compatible(2, 9, 0) {
            return Err(BrokerError::TooOld(info.version));
        }
        let jetstream = ContextBuilder::new().timeout(PATIENCE).ack_timeout(PATIENCE).build(client);
        let broker = Self { jetstream, link, notices, violation, complained: Arc::default() };
        // The client's own reading of it wants fields that older servers do not send.
        let account: Result<Response<serde_json::Value>, _> = broker.jetstream.request("INFO", &()).await;
        match account {
            Ok(Response::Ok(_)) => {}
            Ok(Response::Err { error }) if NO_JETSTREAM.contains(&error.error_code()) => return Err(BrokerError::NoJetStream),
            Ok(Response::Err { error }) => return Err(broker.blame(BrokerError::failed("its account", error))),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => return Err(BrokerError::NoJetStream),
            Err(error) => return Err(broker.blame(BrokerError::failed("its account", error))),
        }
        Ok(broker)
    }

    /// How often the connection has come about; none while it is gone.
    pub(super) fn times(&self) -> Option<u64> {
        let link = *self.link.borrow();
        link.is_up.then_some(link.times)
    }

    /// Tells something.
    pub(super) fn tell(&self, notice: Notice) {
        let _ = self.notices.send(notice);
    }

    /// Tells of an error that is met again and again, once in a row.
    pub(super) fn complain(&self, error: &BrokerError) {
        let words = error.to_string();
        let mut last = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != words {
            last.clone_from(&words);
            self.tell(Notice::Trouble(words));
        }
    }

    /// The same error, or the violation of permissions that is behind it.
    pub(super) fn blame(&self, error: BrokerError) -> BrokerError {
        let violation = self.violation.lock().unwrap_or_else(PoisonError::into_inner).take();
        violation.map_or(error, BrokerError::Permission)
    }

    /// The bucket of that name, which is made where it is missing, so that its keys are forgotten after `max_age` (zero: never), or
    /// where there are more than `most`; also whether it was made.
    ///
    /// It is a stream as any client makes it for a bucket, but that keys can be taken out of it without leaving a mark.
    pub(super) async fn bucket(&self, name: &str, max_age: Duration, most: i64) -> Result<(Store, bool), BrokerError> {
        let failed = |error: &dyn fmt::Display| self.blame(BrokerError::failed("making a bucket", error));
        let stream_name = format!("KV_{name}");
        let is_new = self.stream(&stream_name).await?.is_none();
        if is_new {
            let config = Config {
                name: stream_name,
                subjects: vec![format!("$KV.{name}.>")],
                max_messages_per_subject: 1,
                max_messages: most,
                max_age,
                discard: DiscardPolicy::Old,
                storage: StorageType::File,
                num_replicas: 1,
                allow_rollup: true,
                allow_direct: true,
                ..Config::default()
            };
            self.jetstream.create_stream(config).await.map_err(|error| failed(&error))?;
        }
        let store = self.jetstream.get_key_value(name).await.map_err(|error| failed(&error))?;
        Ok((store, is_new))
    }

    /// The stream; none if there is none.
    pub(super) async fn stream(&self, name: &str) -> Result<Option<Stream>, BrokerError> {
        match self.jetstream.get_stream(name).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
                _ => Err(self.blame(BrokerError::failed("looking for a stream", error))),
            },
        }
    }

    /// How many messages there are by subject in the stream, of those at subjects like `filter`; none if there is no such stream.
    pub(super) async fn subjects(&self, stream: &str, filter: &str) -> Result<Option<BTreeMap<String, u64>>, BrokerError> {
        #[derive(Deserialize)]
        struct Info {
            state: State,
        }
        #[derive(Deserialize)]
        struct State {
            #[serde(default)]
            subjects: Option<BTreeMap<String, u64>>,
        }
        let asked = serde_json::json!({ "subjects_filter": filter });
        let told: Result<Response<Info>, _> = self.jetstream.request(format!("STREAM.INFO.{stream}"), &asked).await;
        match told {
            Ok(Response::Ok(info)) => Ok(Some(info.state.subjects.unwrap_or_default())),
            Ok(Response::Err { error }) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            Ok(Response::Err { error }) => Err(self.blame(BrokerError::failed("counting messages", error))),
            Err(error) => Err(self.blame(BrokerError::failed("counting messages", error))),
        }
    }

    /// The stream, which is made where it is missing.
    pub(super) async fn stream_made(&self, config: Config) -> Result<Stream, BrokerError> {
        self.jetstream.get_or_create_stream(config).await.map_err(|error| self.blame(BrokerError::failed("making a stream", error)))
    }
}

/// Notes what became of the connection.
fn follow(event: &Event, state: &watch::Sender<Link>, notices: &mpsc::UnboundedSender<Notice>, violation: &Mutex<Option<String>>) {
    match event {
        Event::Connected => {
            let mut was_gone = false;
            state.send_modify(|link| {
                was_gone = !link.is_up;
                if was_gone {
                    *link = Link { is_up: true, times: link.times + 1 };
                }
            });
            if was_gone {
                let _ = notices.send(Notice::Back);
            }
        }
        Event::Disconnected | Event::Closed if state.send_if_modified(|link| std::mem::replace(&mut link.is_up, false)) => {
            let _ = notices.send(Notice::Gone);
        }
        Event::ServerError(error) => {
            let words = error.to_string();
            let words = words.strip_prefix("nats: ").unwrap_or(&words).chars().take(300).collect::<String>();
            if words.to_ascii_lowercase().contains("permissions violation") {
                *violation.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
            } else {
                let _ = notices.send(Notice::Broker(words));
            }
        }
        _ => {}
    }
}

fn options(access: &Access) -> Result<ConnectOptions, BrokerError> {
    let mut options = ConnectOptions::new()
        .name("smtpprobe")
        .connection_timeout(PATIENCE)
        .request_timeout(Some(PATIENCE))
        .ping_interval(PING)
        .reconnect_delay_callback(|tries| {
            let tries = u32::try_from(tries).unwrap_or(u32::MAX).min(8);
            if tries < 2 { Duration::from_millis(50) } else { (Duration::from_millis(50) * 2_u32.pow(tries)).min(AGAIN) }
        });
    if let Some(file) = &access.credentials {
        let wrong = |why: std::io::Error| BrokerError::File { file: file.display().to_string(), why: why.to_string() };
        let mut text = Zeroizing::new(String::new());
        File::open(file).and_then(|open| open.take(CREDENTIALS).read_to_string(&mut text)).map_err(wrong)?;
        let unread =
            BrokerError::File { file: file.display().to_string(), why: "there are no credentials in it, as nsc writes them".to_owned() };
        options = options.credentials(&text).map_err(|_| unread)?;
    }
    if let Some((user, secret)) = access.servers.login(access.secret.as_ref())? {
        options = match user {
            Some(user) => options.user_and_password(user, secret),
            None => options.token(secret),
        };
    }
    if let Some(file) = &access.authority {
        options = options.add_root_certificates(file.clone());
    }
    if let Some((certificate, key)) = &access.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

fn of_connecting(servers: String, error: &ConnectError) -> BrokerError {
    let mut why = error.to_string();
    let mut inner = std::error::Error::source(error);
    while let Some(source) = inner {
        why = source.to_string();
        inner = source.source();
    }
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => BrokerError::Credentials(servers),
        // A broker that misses a certificate says so in an alert after the handshake (RFC 8446 §4.4.2.4).
        _ if why.contains("fatal alert") && ["Cert", "UnknownCA"].iter().any(|name| why.contains(name)) => {
            BrokerError::Certificate { servers, why }
        }
        ConnectErrorKind::Tls => BrokerError::Tls { servers, why },
        ConnectErrorKind::Io if why.contains("certificate") || why.contains("TLS") => BrokerError::Tls { servers, why },
        ConnectErrorKind::TimedOut => BrokerError::Unreachable { servers, why: "no answer within 5 s".to_owned() },
        _ => BrokerError::Unreachable { servers, why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_read_from_its_address_and_shown_without_its_password() {
        for (text, shown) in [
            ("nats://queue.example.com", "nats://queue.example.com:4222"),
            ("tls://queue.example.com:4333", "tls://queue.example.com:4333"),
            ("NATS://anna:geheim@192.0.2.1", "nats://192.0.2.1:4222"),
            ("nats://[2001:db8::1]:4222", "nats://[2001:db8::1]:4222"),
            ("nats://a.example, nats://b.example:5", "nats://a.example:4222,nats://b.example:5"),
        ] {
            let servers: Servers = text.parse().expect(text);
            assert_eq!(servers.to_string(), shown);
            assert!(!format!("{servers:?}").contains("geheim"));
        }
        for (text, secret, login) in [
            ("nats://a.example", None, None),
            ("nats://anna:p%40ss@a.example", None, Some((Some("anna"), "p@ss"))),
            ("nats://anna@a.example", Some("other"), Some((Some("anna"), "other"))),
            ("nats://anna:one@a.example", Some("other"), Some((Some("anna"), "other"))),
            ("nats://s3cr%3At@a.example", None, Some((None, "s3cr:t"))),
            ("nats://a.example,nats://anna:pass@b.example", None, Some((Some("anna"), "pass"))),
            ("nats://a.example", Some("token"), Some((None, "token"))),
        ] {
            let servers: Servers = text.parse().expect(text);
            let secret = secret.map(|secret| Secret::from(secret.to_owned()));
            let expected = login.map(|(user, secret): (Option<&str>, &str)| (user.map(str::to_owned), secret.to_owned()));
            assert_eq!(servers.login(secret.as_ref()).expect("a login"), expected, "{text}");
        }
        for text in
            ["", "queue.example.com", "http://queue.example.com", "nats://", "nats://a.example,", "ws://queue.example.com", "nats://a:b"]
        {
            assert_eq!(text.parse::<Servers>(), Err(ServersError), "{text}");
        }
    }
}
