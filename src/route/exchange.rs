//! One question to one DNS server: over UDP with resending, over TCP if the answer was truncated (RFC 1035 §4.2, 7766, 6891).
//!
//! hickory does the sending, and the checks of id, source and question that keep strangers from answering. What is added here:
//! the UDP socket is connected and watched for errors, so that a closed port is seen at once, which else looks like a time-out.

use std::future::{self, Future};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hickory_resolver::net::runtime::{DnsUdpSocket, RuntimeProvider, TokioHandle, TokioRuntimeProvider, TokioTime};
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::{DnsRequestSender, FirstAnswer};
use hickory_resolver::net::{DnsHandle, NetError};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query};
use tokio::io::{Interest, ReadBuf};
use tokio::net::UdpSocket;

use super::LookupFailure;

/// The largest answer to send over UDP, in octets: what fits through nearly every path unfragmented (RFC 9715 §3.2).
const UDP_PAYLOAD: u16 = 1232;

/// How long to wait for a server. A connection over TCP has all of `until` again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// When to send the question over UDP once more.
    resend: Duration,
    /// When to send it for the last time.
    resend_last: Option<Duration>,
    /// When to give up.
    until: Duration,
}

impl Patience {
    /// Where another server can be asked instead: one lost packet is made good, silence costs two seconds.
    pub(super) const SHORT: Self = Self { resend: Duration::from_secs(1), resend_last: None, until: Duration::from_secs(2) };
    /// Where there is nobody else to ask: as long as the stub resolver of a system would wait.
    pub(super) const LONG: Self =
        Self { resend: Duration::from_secs(1), resend_last: Some(Duration::from_secs(3)), until: Duration::from_secs(5) };
    /// For a question whose answer only explains what is known already.
    pub(super) const SCANT: Self = Self { resend: Duration::from_millis(500), resend_last: None, until: Duration::from_secs(1) };
}

/// What a server said to one question.
pub(super) struct Exchange {
    /// Whether TCP was used.
    pub(super) tcp: bool,
    /// The message, whatever its response code; it answers the question asked.
    pub(super) answer: Result<Arc<Message>, LookupFailure>,
}

/// How the resolver is to treat signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signatures {
    /// It says whether it has validated the answer (AD in the question, RFC 6840 §5.7).
    Judged,
    /// That, and it sends them along (DO, RFC 3225).
    Sent,
    /// It leaves them unchecked (CD, RFC 4035 §3.2.2).
    Unchecked,
}

/// Asks `server` and waits for the answer.
pub(super) async fn ask(question: &Query, server: SocketAddr, patience: Patience, signatures: Signatures) -> Exchange {
    let mut options = DnsRequestOptions::default();
    options.edns_payload_len = UDP_PAYLOAD;
    options.edns_set_dnssec_ok = signatures == Signatures::Sent;
    let mut request = DnsRequest::from_query(question.clone(), options);
    request.metadata.authentic_data = true;
    request.metadata.checking_disabled = signatures == Signatures::Unchecked;

    let mut tcp = false;
    let mut answer = over_udp(&request, server, patience).await;
    if answer.as_ref().is_ok_and(|message| message.metadata.truncation) {
        tcp = true;
        answer = over_tcp(request, server, patience.until).await;
    }
    let answer = answer.map_err(|error| failure(&error)).and_then(|response| {
        let message = response.into_message();
        if message.queries.as_slice() == [question.clone()] { Ok(Arc::new(message)) } else { Err(LookupFailure::Malformed) }
    });
    Exchange { tcp, answer }
}

/// The first answer, or error, to the question or to one of its repetitions.
async fn over_udp(request: &DnsRequest, server: SocketAddr, patience: Patience) -> Result<DnsResponse, NetError> {
    let last = async {
        match patience.resend_last {
            Some(after) => send(request, server, after, patience.until).await,
            None => future::pending().await,
        }
    };
    tokio::select! {
        biased;
        answer = send(request, server, Duration::ZERO, patience.until) => answer,
        answer = send(request, server, patience.resend, patience.until) => answer,
        answer = last => answer,
    }
}

/// Sends the question after a while, from a port of its own, and waits for the answer. hickory's own resending is switched
/// off: it knows only even intervals.
async fn send(request: &DnsRequest, server: SocketAddr, after: Duration, until: Duration) -> Result<DnsResponse, NetError> {
    // The timer counts whole milliseconds, also for a wait of none.
    if !after.is_zero() {
        tokio::time::sleep(after).await;
    }
    UdpClientStream::builder(server, Connecting(TokioRuntimeProvider::new()))
        .with_timeout(Some(until.saturating_sub(after)))
        .with_max_retries(1)
        .build()
        .send_message(request.clone())
        .first_answer()
        .await
}

async fn over_tcp(request: DnsRequest, server: SocketAddr, until: Duration) -> Result<DnsResponse, NetError> {
    // The connection is driven by a task of this runtime's, and ends with it.
    let runtime = TokioRuntimeProvider::new();
    let conversation = async {
        let connection = TcpClientStream::exchange(server, None, until, None, runtime.clone()).await?;
        connection.send(request).first_answer().await
    };
    tokio::time::timeout(until, conversation).await.unwrap_or(Err(NetError::Timeout))
}

fn failure(error: &NetError) -> LookupFailure {
    match error {
        NetError::Timeout => LookupFailure::TimedOut,
        NetError::Io(error) => LookupFailure::ResolverUnreachable(error.raw_os_error()),
        _ => LookupFailure::Malformed,
    }
}

/// tokio's sockets for hickory, but connected ones for UDP.
#[derive(Clone)]
struct Connecting(TokioRuntimeProvider);

impl RuntimeProvider for Connecting {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = ConnectedUdp;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        self.0.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        local: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        self.0.connect_tcp(server, local, timeout)
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Udp>>>> {
        Box::pin(async move {
            let socket = UdpSocket::bind(local).await?;
            socket.connect(server).await?;
            Ok(ConnectedUdp { socket, server })
        })
    }
}

/// A UDP socket that sends to one server, and hears from it alone.
struct ConnectedUdp {
    socket: UdpSocket,
    server: SocketAddr,
}

impl ConnectedUdp {
    /// Waits until the kernel has an error to report, such as that an ICMP message said the port is closed.
    async fn error(&self) -> io::Error {
        let taken = || self.socket.take_error()?.ok_or_else(|| io::ErrorKind::WouldBlock.into());
        match self.socket.async_io(Interest::ERROR, taken).await {
            Ok(error) | Err(error) => error,
        }
    }
}

impl DnsUdpSocket for ConnectedUdp {
    type Time = TokioTime;

    fn poll_recv_from(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(self.socket.poll_recv(context, &mut buffer))?;
        Poll::Ready(Ok((buffer.filled().len(), self.server)))
    }

    // On Linux a pending error does not make a socket readable, so that waiting for a datagram alone would miss it.
    fn recv_from<'a, 'b, 'f>(&'a self, buffer: &'b mut [u8]) -> Pin<Box<dyn Future<Output = io::Result<(usize, SocketAddr)>> + Send + 'f>>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            tokio::select! {
                biased;
                length = self.socket.recv(buffer) => Ok((length?, self.server)),
                error = self.error() => Err(error),
            }
        })
    }

    // BSDs refuse an address with each datagram on a connected socket, even if it is the same.
    fn poll_send_to(&self, context: &mut Context<'_>, datagram: &[u8], _server: SocketAddr) -> Poll<io::Result<usize>> {
        self.socket.poll_send(context, datagram)
    }
}
