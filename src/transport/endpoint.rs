//! One text at one path over HTTP (RFC 9112), made anew for whoever asks: what a collector of figures reads.
//!
//! Whoever is there is bounded: so many clients at a time, one request each, a head of so many octets, and so much time for all of it.
//! Further ones wait in the kernel's queue.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::hyper_stream::Hyper;

/// Clients that are served at a time.
const CLIENTS: usize = 16;
/// From the connection to the last octet of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The head of a request has this much room; less than this hyper does not do with.
const HEAD_LIMIT: usize = 8 << 10;
/// After a connection could not be taken, as when descriptors run out.
const RESPITE: Duration = Duration::from_millis(200);
/// Clients that wait in the kernel's queue.
const QUEUE: i32 = 64;

/// A place where a text can be read.
#[derive(Debug)]
pub struct Endpoint {
    listener: TcpListener,
}

/// What can be read there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its path, from the first slash on.
    pub path: &'static str,
    /// What it is (RFC 9110 §8.3).
    pub content_type: &'static str,
}

impl Endpoint {
    /// Listens at `address`; with the port 0 at one that is free. `[::]` stands for the IPv4 addresses as well.
    ///
    /// # Errors
    /// If somebody else listens there, or it is no address of this machine.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(address.ip() != IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED))?;
        }
        // Elsewhere than on Unix it would let two programs listen at one place.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(QUEUE)?;
        socket.set_nonblocking(true)?;
        Ok(Self { listener: socket.into() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the operating system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers whoever comes with what `page` makes; nothing else is to be had. Ends only if it cannot begin.
    ///
    /// # Errors
    /// If the runtime does not take the listener.
    pub async fn serve(self, place: Place, page: impl Fn() -> String) -> io::Result<Infallible> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let mut clients = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(()) = clients.next(), if !clients.is_empty() => {}
                client = listener.accept(), if clients.len() < CLIENTS => match client {
                    Ok((stream, _)) => clients.push(converse(stream, place, &page)),
                    Err(_) => sleep(RESPITE).await,
                },
            }
        }
    }
}

/// One client, up to the end of its answer or of our patience; what goes wrong is its own affair.
async fn converse(stream: TcpStream, place: Place, page: &impl Fn() -> String) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(&request, place, page);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new().keep_alive(false).max_buf_size(HEAD_LIMIT).serve_connection(Hyper(stream), service);
    let _ = timeout(PATIENCE, connection).await;
}

fn answer(request: &Request<Incoming>, place: Place, page: &impl Fn() -> String) -> Response<Full<Bytes>> {
    let told = |status: StatusCode, text: String| {
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    };
    if request.uri().path() != place.path {
        return told(StatusCode::NOT_FOUND, format!("There is only {}.\n", place.path));
    }
    // hyper leaves the body of an answer to HEAD out.
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = told(StatusCode::METHOD_NOT_ALLOWED, "It can only be read.\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let mut response = told(StatusCode::OK, page());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(place.content_type));
    response
}
