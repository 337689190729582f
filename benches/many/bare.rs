//! A bare client: sessions that send MAIL and a hundred RCPTs at once and count the replies.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::lab::BARE_CLIENT;

/// Recipients of a transaction.
const TRANSACTION: usize = 100;
/// Recipients of a session.
const SESSION: usize = 1000;

type Queues = Mutex<VecDeque<(String, VecDeque<String>)>>;

/// Asks for all addresses of a file whose lines are `IP ADDRESS`, those of one IP together, over so many connections.
pub(crate) fn ask(mut arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let mut next = || arguments.next().and_then(|argument| argument.into_string().ok()).ok_or(io::ErrorKind::InvalidInput);
    let connections: usize = next()?.parse().map_err(io::Error::other)?;
    let mut queues: VecDeque<(String, VecDeque<String>)> = VecDeque::new();
    for line in std::fs::read_to_string(next()?)?.lines() {
        let (host, address) = line.split_once(' ').ok_or(io::ErrorKind::InvalidData)?;
        match queues.back_mut().filter(|(last, _)| last == host) {
            Some((_, addresses)) => addresses.push_back(address.to_owned()),
            None => queues.push_back((host.to_owned(), VecDeque::from([address.to_owned()]))),
        }
    }
    let queues = Mutex::new(queues);
    thread::scope(|scope| {
        let sessions: Vec<_> = (0..connections).map(|_| scope.spawn(|| work(&queues))).collect();
        sessions.into_iter().try_for_each(|session| session.join().map_err(|_| io::Error::other("a session panicked"))?)
    })
}

fn work(queues: &Queues) -> io::Result<()> {
    while let Some(host) = host(queues) {
        session(&host, queues)?;
    }
    Ok(())
}

/// The host whose turn it is.
fn host(queues: &Queues) -> Option<String> {
    let mut queues = queues.lock().ok()?;
    queues.retain(|(_, addresses)| !addresses.is_empty());
    let turn = queues.pop_front()?;
    let host = turn.0.clone();
    queues.push_back(turn);
    Some(host)
}

fn take(queues: &Queues, host: &str) -> Option<Vec<String>> {
    let mut queues = queues.lock().ok()?;
    let (_, addresses) = queues.iter_mut().find(|(known, _)| known == host)?;
    let count = addresses.len().min(TRANSACTION);
    Some(addresses.drain(..count).collect()).filter(|taken: &Vec<String>| !taken.is_empty())
}

fn session(host: &str, queues: &Queues) -> io::Result<()> {
    let Some(mut group) = take(queues, host) else { return Ok(()) };
    let (mut stream, mut reader) = connect(host)?;
    stream.write_all(b"EHLO probe.test\r\n")?;
    replies(&mut reader, 1)?;
    let mut asked = 0;
    loop {
        let mut lines = if asked == 0 { String::new() } else { "RSET\r\n".to_owned() };
        lines.push_str("MAIL FROM:<me@probe.test>\r\n");
        for address in &group {
            let _ = write!(lines, "RCPT TO:<{address}>\r\n");
        }
        stream.write_all(lines.as_bytes())?;
        replies(&mut reader, lines.lines().count())?;
        asked += group.len();
        let Some(next) = (asked < SESSION).then(|| take(queues, host)).flatten() else { break };
        group = next;
    }
    stream.write_all(b"QUIT\r\n")
}

/// A connection that was greeted. The server may not have noticed yet that others are over, and refuse one too many.
fn connect(host: &str) -> io::Result<(TcpStream, BufReader<TcpStream>)> {
    let address = |text: &str, port| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port)).map_err(io::Error::other);
    loop {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&address(BARE_CLIENT, 0)?.into())?;
        socket.connect(&address(host, 25)?.into())?;
        socket.set_tcp_nodelay(true)?;
        let stream = TcpStream::from(socket);
        let mut reader = BufReader::new(stream.try_clone()?);
        if replies(&mut reader, 1).is_ok() {
            return Ok((stream, reader));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Reads so many replies, all of them positive.
fn replies(reader: &mut impl BufRead, count: usize) -> io::Result<()> {
    let mut line = String::new();
    for _ in 0..count {
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 || !line.starts_with('2') {
                return Err(io::Error::other(format!("an unexpected reply: {line}")));
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
    }
    Ok(())
}
