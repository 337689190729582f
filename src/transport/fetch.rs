//! One file over HTTPS, as a mail server fetches the policy of MTA-STS (RFC 8461 §3.3).
//!
//! Stricter than a browser: no redirects, no certificate that does not verify, no more than 64 KiB, and no patience. The times of
//! the steps are kept, and whatever goes wrong has a type. It is here because it opens sockets and shakes hands as the rest of
//! [`transport`](super) does; the addresses come from whoever can look them up.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, HeaderName, LOCATION, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use tokio::time::sleep;
use tokio_rustls::client::TlsStream;

use super::Line;
use super::hyper_stream::Hyper;
use super::overheard::Overheard;
use super::stream::Stream;
use super::tcp::{self, Wire};
use crate::policy::{FETCH_SIZE_LIMIT, FetchFailure, Fetched};
use crate::smtp::{CertificateVerdict, Failure, FailureKind};
use crate::target::{DomainName, Host};

const HTTPS: u16 = 443;
/// So many addresses are tried, each some time after the one before (RFC 8305 §5).
const ADDRESSES_LIMIT: usize = 6;
const ADDRESS_DELAY: Duration = Duration::from_millis(250);
/// The head of an answer has this much room, and so has each header that is kept.
const HEAD_LIMIT: usize = 16 << 10;
const HEADER_LIMIT: usize = 512;

impl Line<'_> {
    /// Fetches `path` from `host`, which has these addresses, until `enough` says that nobody waits any longer. The certificate has
    /// to be good for `host`.
    pub async fn fetch(&self, host: &DomainName, path: &str, addresses: &[IpAddr], enough: impl Future<Output = ()>) -> Fetched {
        let mut fetched = Fetched::beginning(host, path, self.clock.now());
        let body = tokio::select! {
            biased;
            body = self.fetch_into(&mut fetched, host, path, addresses) => Some(body),
            () = enough => None,
        };
        fetched.body = body.unwrap_or_else(|| Err(FetchFailure::TimedOut(fetched.step())));
        fetched.took = self.clock.now().since(fetched.at);
        fetched
    }

    async fn fetch_into(
        &self,
        fetched: &mut Fetched,
        host: &DomainName,
        path: &str,
        addresses: &[IpAddr],
    ) -> Result<Vec<u8>, FetchFailure> {
        let begin = fetched.at;
        let since = || self.clock.now().since(begin);
        let (stream, peer) = self.reach(addresses).await?;
        fetched.peer = Some(peer);
        fetched.connected = Some(since());
        let shaken = self.tls.handshake(stream, &Host::Name(host.clone()), None).await;
        let (stream, facts) = shaken.map_err(|unshaken| FetchFailure::Tls(unshaken.failure))?;
        fetched.secured = Some(since());
        let verdict = facts.verdict.clone();
        fetched.tls = Some(facts);
        if verdict != CertificateVerdict::Trusted {
            return Err(FetchFailure::Certificate);
        }
        converse(stream, host, path, |answer| {
            fetched.answered = Some(since());
            fetched.status = Some(answer.status().as_u16());
            fetched.content_type = header(answer, &CONTENT_TYPE);
        })
        .await
    }

    /// Connects to the first address that lets it.
    async fn reach(&self, addresses: &[IpAddr]) -> Result<(Stream, SocketAddr), FetchFailure> {
        let mut delay = Duration::ZERO;
        let mut attempts = FuturesUnordered::new();
        for (index, address) in addresses.iter().take(ADDRESSES_LIMIT).enumerate() {
            let (peer, after) = (SocketAddr::new(*address, HTTPS), delay);
            delay += ADDRESS_DELAY;
            attempts.push(async move {
                if !after.is_zero() {
                    sleep(after).await;
                }
                let connected = tcp::connect(self.settings, peer, self.connect_timeout).await;
                let stream = connected.and_then(|(wire, _)| match wire {
                    Wire::Plain(stream) => Ok(stream),
                    Wire::Secure(_) | Wire::Lost => Err(FailureKind::Closed.into()),
                });
                (index, stream.map(|stream| (stream, peer)))
            });
        }
        let mut first: Option<(usize, Failure)> = None;
        while let Some((index, attempt)) = attempts.next().await {
            match attempt {
                Ok(reached) => return Ok(reached),
                Err(failure) if first.as_ref().is_none_or(|(earliest, _)| index < *earliest) => first = Some((index, failure)),
                Err(_) => {}
            }
        }
        Err(first.map_or(FetchFailure::NoAddress, |(_, failure)| FetchFailure::Connect(failure)))
    }
}

/// Asks for the file and reads it, while the connection is being driven. `head` is shown the head of the answer.
async fn converse(
    stream: TlsStream<Overheard>,
    host: &DomainName,
    path: &str,
    head: impl FnOnce(&Response<Incoming>),
) -> Result<Vec<u8>, FetchFailure> {
    let http = |error: hyper::Error| FetchFailure::Http(words(&error));
    let mut client = http1::Builder::new();
    let (mut sender, connection) = client.max_buf_size(HEAD_LIMIT).handshake(Hyper(stream)).await.map_err(http)?;
    let request = Request::get(path)
        .header(HOST, host.as_str())
        .header(ACCEPT, "text/plain")
        .header(USER_AGENT, concat!("smtpprobe/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| FetchFailure::Http(error.to_string()))?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(http)?;
        head(&answer);
        if answer.status() != StatusCode::OK {
            return Err(FetchFailure::Status(answer.status().as_u16(), header(&answer, &LOCATION)));
        }
        read(answer.into_body()).await
    };
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection is at its end, not the answer: some of it may still have to be handed over.
        _ = &mut connection => answer.await,
    }
}

async fn read(body: Incoming) -> Result<Vec<u8>, FetchFailure> {
    if body.size_hint().lower() > FETCH_SIZE_LIMIT as u64 {
        return Err(FetchFailure::TooLarge);
    }
    match Limited::new(body, FETCH_SIZE_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(FetchFailure::TooLarge),
        Err(error) => Err(FetchFailure::Http(error.downcast_ref().map_or_else(|| error.to_string(), words))),
    }
}

/// The error with what is behind it: `invalid HTTP version parsed`, `connection closed before message completed`.
fn words(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn header(answer: &Response<Incoming>, name: &HeaderName) -> Option<String> {
    let value = answer.headers().get(name)?.as_bytes();
    let text = String::from_utf8_lossy(&value[..value.len().min(HEADER_LIMIT)]);
    Some(text.chars().filter(|c| !c.is_control()).collect())
}

#[cfg(test)]
mod tests;
