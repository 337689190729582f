//! A mail server that says yes to everything, and each thing as soon as it can: the best case for a client.
//!
//! Postfix sends session tickets after the TLS handshake and, by Nagle's algorithm, holds its next reply back until they are
//! acknowledged, which is one round trip more. This one sends no tickets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Serves until it is killed.
pub(crate) fn serve(address: SocketAddr) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(tls()?));
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            // A client that goes away in the middle is no matter here.
            tokio::spawn(async move { session(stream, &acceptor).await.ok() });
        }
    })
}

fn tls() -> io::Result<ServerConfig> {
    let own = rcgen::generate_simple_self_signed(["at-once.test".to_owned()]).map_err(io::Error::other)?;
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![own.cert.into()], key))
        .map_err(io::Error::other)?;
    config.send_tls13_tickets = 0;
    Ok(config)
}

async fn session(mut stream: TcpStream, acceptor: &TlsAcceptor) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"220 at-once.test ESMTP\r\n").await?;
    if converse(&mut stream, "250-STARTTLS\r\n").await? == Then::Tls {
        let mut stream = acceptor.accept(stream).await?;
        converse(&mut stream, "").await?;
    }
    Ok(())
}

#[derive(PartialEq)]
enum Then {
    Tls,
    Close,
}

/// Answers all commands that have arrived together in one go (RFC 2920 §3.2).
async fn converse(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), offer: &str) -> io::Result<Then> {
    let hello = format!("250-at-once.test\r\n{offer}250-ENHANCEDSTATUSCODES\r\n250 PIPELINING\r\n");
    let mut pending = Vec::new();
    loop {
        if stream.read_buf(&mut pending).await? == 0 {
            return Ok(Then::Close);
        }
        let mut replies = String::new();
        let mut then = None;
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let (reply, after) = match line.to_ascii_uppercase().get(..4) {
                Some(b"EHLO") => (&*hello, None),
                Some(b"STAR") => ("220 2.0.0 Go ahead\r\n", Some(Then::Tls)),
                Some(b"QUIT") => ("221 2.0.0 Bye\r\n", Some(Then::Close)),
                _ => ("250 2.0.0 Ok\r\n", None),
            };
            replies.push_str(reply);
            then = then.or(after);
        }
        stream.write_all(replies.as_bytes()).await?;
        stream.flush().await?;
        if let Some(then) = then {
            return Ok(then);
        }
    }
}
