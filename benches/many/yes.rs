//! A mail server that says yes to everything, at once or when so many sessions wait for it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// The longest that anybody waits for the others.
const PATIENCE: Duration = Duration::from_secs(60);

struct Gate {
    /// Sessions that have to be open before a recipient gets a reply.
    wanted: usize,
    open: AtomicUsize,
    most: AtomicUsize,
    file: PathBuf,
    opened: watch::Sender<bool>,
}

/// Serves `PORT WANTED FILE` until it is killed; writes into the file how many sessions were open at once.
pub(crate) fn serve(mut arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let mut next = || arguments.next().and_then(|argument| argument.into_string().ok()).ok_or(io::ErrorKind::InvalidInput);
    let port: u16 = next()?.parse().map_err(io::Error::other)?;
    let wanted = next()?.parse().map_err(io::Error::other)?;
    let gate =
        Gate { wanted, open: AtomicUsize::new(0), most: AtomicUsize::new(0), file: next()?.into(), opened: watch::Sender::new(false) };
    let gate = Arc::new(gate);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(([0, 0, 0, 0], port).into())?;
        let listener = socket.listen(4096)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let gate = Arc::clone(&gate);
            // A client that goes away in the middle is no matter here.
            tokio::spawn(async move {
                let open = gate.open.fetch_add(1, Ordering::Relaxed) + 1;
                let most = gate.most.fetch_max(open, Ordering::Relaxed).max(open);
                let _ = session(stream, &gate, most).await;
                gate.open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    })
}

async fn session(mut stream: TcpStream, gate: &Gate, most: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::with_capacity(1 << 14, reader);
    writer.write_all(b"220 yes.test ESMTP\r\n").await?;
    let (mut line, mut replies) = (String::new(), String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if line.starts_with("RCPT") && !*gate.opened.borrow() {
            if most >= gate.wanted {
                let _ = gate.opened.send(true);
            } else {
                let _ = timeout(PATIENCE, gate.opened.subscribe().wait_for(|opened| *opened)).await;
                let _ = gate.opened.send(true);
            }
            std::fs::write(&gate.file, gate.most.load(Ordering::Relaxed).to_string())?;
        }
        replies.push_str(match line.get(..4) {
            Some("EHLO") => "250-yes.test\r\n250 PIPELINING\r\n",
            Some("QUIT") => "221 2.0.0 Bye\r\n",
            _ => "250 2.1.5 Ok\r\n",
        });
        // All commands that have arrived together are answered in one go (RFC 2920 §3.2).
        if reader.buffer().is_empty() {
            writer.write_all(replies.as_bytes()).await?;
            replies.clear();
        }
    }
}
