//! What came of fetching a policy over HTTPS (RFC 8461 §3.3): the times of the steps, and a type for whatever went wrong.

use std::net::SocketAddr;
use std::time::Duration;

use crate::smtp::{Elapsed, Failure, TlsFacts};
use crate::target::DomainName;

/// More than any policy has, and as much as the standard suggests to take (RFC 8461 §3.3).
pub const FETCH_SIZE_LIMIT: usize = 64 << 10;
/// For all of it, name lookups included, if nobody says otherwise; the standard suggests a minute, for which nobody waits here.
pub const FETCH_TIME_LIMIT: Duration = Duration::from_secs(10);

/// What came of fetching a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// What was asked for.
    pub url: String,
    /// When it began; the other times count from here.
    pub at: Elapsed,
    /// The address that was talked to; none if there was no connection.
    pub peer: Option<SocketAddr>,
    /// Until the connection stood.
    pub connected: Option<Duration>,
    /// Until TLS was agreed upon, whatever the certificate.
    pub secured: Option<Duration>,
    /// Until the head of the answer had come.
    pub answered: Option<Duration>,
    /// Until the end.
    pub took: Duration,
    /// TLS and certificate, with the verdict on it; none if it did not get there.
    pub tls: Option<TlsFacts>,
    /// The status of the answer; none if there was none.
    pub status: Option<u16>,
    /// The media type that the answer has, at most 512 octets, without control characters; none if it names none.
    pub content_type: Option<String>,
    /// The file, whatever is in it.
    pub body: Result<Vec<u8>, FetchFailure>,
}

impl Fetched {
    /// Nothing yet.
    #[must_use]
    pub fn beginning(host: &DomainName, path: &str, at: Elapsed) -> Self {
        Self {
            url: format!("https://{host}{path}"),
            at,
            peer: None,
            connected: None,
            secured: None,
            answered: None,
            took: Duration::ZERO,
            tls: None,
            status: None,
            content_type: None,
            body: Err(FetchFailure::NoAddress),
        }
    }

    /// A fetch that ended while addresses were looked for.
    #[must_use]
    pub fn without_address(host: &DomainName, path: &str, at: Elapsed, took: Duration, why: FetchFailure) -> Self {
        Self { took, body: Err(why), ..Self::beginning(host, path, at) }
    }

    /// Whether the answer is said to be plain text, as it should be (RFC 8461 §3.2); parameters do not count.
    #[must_use]
    pub fn is_plain_text(&self) -> bool {
        let essence = self.content_type.as_deref().and_then(|value| value.split(';').next());
        essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("text/plain"))
    }

    /// The step that is not done.
    #[must_use]
    pub const fn step(&self) -> FetchStep {
        match (self.connected, self.secured, self.answered) {
            (None, ..) => FetchStep::Connect,
            (_, None, _) => FetchStep::Tls,
            (.., None) => FetchStep::Answer,
            _ => FetchStep::Body,
        }
    }
}

/// Why there is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchFailure {
    /// The name has no address, or none that could be found out, or none of a family in use.
    NoAddress,
    /// No address could be connected to; what went wrong with the first.
    Connect(Failure),
    /// TLS could not be agreed upon.
    Tls(Failure),
    /// The certificate does not verify, so that nothing was asked for; [`Fetched::tls`] says why.
    Certificate,
    /// The answer is another than 200. A redirection is not followed (RFC 8461 §3.3); it would have led here, at most 512 octets.
    Status(u16, Option<String>),
    /// The file is larger than [`FETCH_SIZE_LIMIT`].
    TooLarge,
    /// Time ran out during this step.
    TimedOut(FetchStep),
    /// What came is no HTTP/1.1, or broke off; in words.
    Http(String),
}

impl FetchFailure {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoAddress => "dns",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Certificate => "certificate",
            Self::Status(..) => "status",
            Self::TooLarge => "too_large",
            Self::TimedOut(_) => "timed_out",
            Self::Http(_) => "http",
        }
    }
}

/// The steps of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FetchStep {
    /// Looking for addresses.
    Lookup,
    /// Connecting.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Waiting for the head of the answer.
    Answer,
    /// Reading the file.
    Body,
}
