//! What the servers of a mail world do with their sockets: taking connections, and reading, writing and closing them within limits.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

/// Octets in a line, its end included (RFC 5321 §4.5.3.1.4 asks for 512).
const LINE_LIMIT: usize = 4096;
/// Nothing comes.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// The TLS handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);
/// What the client still sends after the farewell is read for this long.
const LINGER: Duration = Duration::from_secs(1);
/// After an error of the socket itself, so that a lasting one does not spin.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// Takes connections for ever, and has each of them met; those beyond `limit` at once are dropped.
pub(super) async fn take<F>(listener: TcpListener, limit: usize, meet: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut clients = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                while clients.try_join_next().is_some() {}
                if clients.len() < limit {
                    clients.spawn(meet(stream));
                }
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Plain or inside TLS, a connection that can be torn down.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    /// The connection itself.
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A connection from which some bytes are read that came another way, before those that come over it.
pub(super) struct Preceded<W> {
    before: Vec<u8>,
    wire: W,
}

impl<W> Preceded<W> {
    /// Lets `before` be read first.
    pub(super) fn new(before: Vec<u8>, wire: W) -> Self {
        Self { before, wire }
    }
}

impl<W: Wire> Wire for Preceded<W> {
    fn tcp(&self) -> &TcpStream {
        self.wire.tcp()
    }
}

impl<W: AsyncRead + Unpin> AsyncRead for Preceded<W> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.before.is_empty() {
            return Pin::new(&mut self.wire).poll_read(context, buffer);
        }
        let length = self.before.len().min(buffer.remaining());
        buffer.put_slice(&self.before[..length]);
        self.before.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Preceded<W> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

/// What was read of a client.
pub(super) enum Line {
    /// A line; or, without a line end, as much of a longer one as fits into the limit.
    Bytes(Vec<u8>),
    /// Nothing came for too long.
    Idle,
    /// The client has closed.
    End,
}

/// Reads up to the next line end.
pub(super) async fn read_line<W: Wire>(wire: &mut BufReader<W>) -> io::Result<Line> {
    let mut bytes = Vec::new();
    match timeout(IDLE, wire.take(LINE_LIMIT as u64).read_until(b'\n', &mut bytes)).await {
        Err(_) => Ok(Line::Idle),
        Ok(Err(error)) => Err(error),
        // Who closes in the middle of a line has said nothing.
        Ok(Ok(length)) if length < LINE_LIMIT && !bytes.ends_with(b"\n") => Ok(Line::End),
        Ok(Ok(_)) => Ok(Line::Bytes(bytes)),
    }
}

/// Waits. To wait for no time would still take the timer's next tick.
pub(super) async fn pause(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

/// Sends `bytes`, one by one if there is a time between them.
pub(super) async fn send<W: AsyncWrite + Unpin>(wire: &mut W, bytes: &[u8], between: Duration) -> io::Result<()> {
    if between.is_zero() {
        wire.write_all(bytes).await?;
        return wire.flush().await;
    }
    for byte in bytes {
        wire.write_all(&[*byte]).await?;
        wire.flush().await?;
        sleep(between).await;
    }
    Ok(())
}

/// Reads what comes until the client closes.
pub(super) async fn drain<W: AsyncRead + Unpin>(wire: &mut W) -> io::Result<()> {
    let mut sink = [0; 1024];
    while wire.read(&mut sink).await? > 0 {}
    Ok(())
}

/// Closes in good order: with bytes of the client unread, the system would send a reset, and the last reply might be lost.
pub(super) async fn close<W: AsyncRead + AsyncWrite + Unpin>(wire: &mut W) {
    let farewell = async {
        wire.shutdown().await?;
        drain(wire).await
    };
    // Whether the client stays for it is its own affair.
    let _ = timeout(LINGER, farewell).await;
}
