//! A stream whose first bytes are remembered: what a TLS handshake could not read is evidence.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::Stream;

/// So many of the first bytes are kept.
const KEPT: usize = 512;

/// A connection, with what came first.
#[derive(Debug)]
pub(super) struct Overheard {
    stream: Stream,
    first: Vec<u8>,
}

impl Overheard {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, first: Vec::new() }
    }

    /// The connection itself.
    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// What came first, unless it is a TLS record (RFC 8446 §5.1).
    pub(super) fn not_tls(&self) -> Option<&[u8]> {
        match self.first.first() {
            None | Some(20..=24) => None,
            Some(_) => Some(&self.first),
        }
    }
}

impl AsyncRead for Overheard {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let room = KEPT - self.first.len();
        let new = &buffer.filled()[before..];
        self.first.extend_from_slice(&new[..new.len().min(room)]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
