//! An SMTP server of a mail world (RFC 5321): it speaks by its script, and by [`Manners`] where that is silent.
//!
//! It is a server, so it is bounded: in the length of a line, the number of commands, the size of a message, the time that
//! nothing comes, the time of a session and the number of sessions at once.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use zeroize::Zeroizing;

use super::manners::{Manners, Moment, Next};
use super::old_tls;
use super::script::{Rule, Script, Then, TlsConduct, wire_lines};
use super::tls::{Authority, Certificate, Identity};
use super::wire::{self, HANDSHAKE, IDLE, Line, Preceded, Wire, close, drain, pause, read_line, send};

/// Commands in one session.
const COMMAND_LIMIT: usize = 100;
/// Octets in a message: the SIZE that is usually offered.
const MESSAGE_LIMIT: usize = 52_428_800;
/// Octets of messages kept in all.
const KEPT_LIMIT: usize = 2 * MESSAGE_LIMIT;
/// Sessions at once.
const SESSION_LIMIT: usize = 256;
/// Lines kept of what clients said.
const LOG_LIMIT: usize = 100_000;
/// A whole session.
const LIFETIME: Duration = Duration::from_secs(600);
/// What a server with broken TLS answers to a hello: no TLS record begins like this.
const GARBAGE: &[u8] = b"\x00\x00500 5.5.2 Error: bad syntax\r\n";
/// A fatal alert of the name `handshake_failure` (RFC 5246 §7.2).
const NO_COMMON_CIPHER: &[u8] = &[21, 3, 3, 0, 2, 2, 40];

/// One line that a client said to a server of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The address it thought it was talking to, such as `192.0.2.1:25`.
    pub to: SocketAddr,
    /// Which of the world's connections it was, counted from 0.
    pub connection: usize,
    /// Whether it was said inside TLS.
    pub secured: bool,
    /// The line, without its end; lines of a message are not kept.
    pub line: String,
}

/// A message that came to its end at a server of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// The address that the client thought it was talking to.
    pub to: SocketAddr,
    /// Which of the world's connections it was, counted from 0.
    pub connection: usize,
    /// Whether it came inside TLS.
    pub secured: bool,
    /// Whether it came in chunks.
    pub chunked: bool,
    /// The message as it came, without what was added for the way: the doubled dots and the last one.
    pub octets: Vec<u8>,
}

/// What clients said to any server of one world.
#[derive(Debug, Default)]
pub(super) struct Log {
    said: Mutex<Vec<Said>>,
    arrived: Mutex<Vec<Arrived>>,
    connections: AtomicUsize,
}

impl Log {
    /// All of it, in the order in which it came.
    pub(super) fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All messages, in the order in which they came.
    pub(super) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, arrived: Arrived) {
        let mut all = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        let octets: usize = all.iter().map(|known| known.octets.len()).sum();
        if octets + arrived.octets.len() <= KEPT_LIMIT {
            all.push(arrived);
        }
    }

    fn add(&self, said: Said) {
        let mut all = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < LOG_LIMIT {
            all.push(said);
        }
    }
}

/// One of a server's addresses.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The address that it plays.
    pub(super) at: SocketAddr,
    /// What the server calls itself there.
    pub(super) name: String,
}

/// One server, at whichever of its addresses.
pub(super) struct SmtpServer {
    script: Script,
    /// None if it never comes to a certificate.
    identity: Option<Identity>,
    /// For each rule, whether it has served.
    served: Vec<AtomicBool>,
    log: Arc<Log>,
}

impl SmtpServer {
    /// A server by its script, with a certificate of the world's authority if it needs one.
    pub(super) fn new(script: Script, authority: &Authority, log: Arc<Log>) -> io::Result<Self> {
        let identity = script.tls.paper().map(|paper| authority.identity(&script.names, paper, script.chain)).transpose()?;
        let served = script.rules.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Self { script, identity, served, log })
    }

    /// The certificate that it shows; none if it shows none.
    pub(super) fn certificate(&self) -> Option<&Certificate> {
        self.identity.as_ref().map(|identity| &identity.certificate)
    }

    /// Takes connections for ever, at one of the server's places.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, place: Place) {
        wire::take(listener, SESSION_LIMIT, |stream| {
            let (server, place) = (Arc::clone(&self), place.clone());
            // An error is the client's leaving: nobody is there to be told.
            async move { drop(timeout(LIFETIME, server.receive(stream, &place)).await) }
        })
        .await;
    }

    async fn receive(&self, stream: TcpStream, place: &Place) -> io::Result<()> {
        // Else a drip of bytes would be gathered into one segment.
        stream.set_nodelay(true)?;
        let connection = self.log.connections.fetch_add(1, Ordering::Relaxed);
        let manners = Manners::new(&self.script.policy, &place.name);
        let mut session = Session { server: self, place, connection, manners, commands: 0, injected: 0, message: Vec::new() };
        if self.script.tls == TlsConduct::Implicit {
            if let Some(stream) = self.handshake(stream).await? {
                session.manners.secured(exporter(&stream));
                session.hold(&mut BufReader::new(stream), Begin::Greeting).await?;
            }
            return Ok(());
        }
        let mut plain = BufReader::new(stream);
        if session.hold(&mut plain, Begin::Greeting).await? == Next::Handshake {
            // What the client sent ahead in the clear should go with the buffer (RFC 3207 §4.2).
            let kept = if self.script.tls == TlsConduct::Injectable { plain.buffer().to_vec() } else { Vec::new() };
            if let Some(stream) = self.handshake(plain.into_inner()).await? {
                session.manners.secured(exporter(&stream));
                session.injected = kept.len();
                session.hold(&mut BufReader::new(Preceded::new(kept, stream)), Begin::Listening).await?;
            }
        }
        Ok(())
    }

    /// The server's side of the handshake; none if the script spoils it.
    async fn handshake(&self, mut stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        match (self.script.tls, &self.identity) {
            (TlsConduct::Hangs, _) => drain(&mut stream).await?,
            (TlsConduct::Old, Some(identity)) => timeout(HANDSHAKE, old_tls::meet(&mut stream, &identity.chain)).await??,
            (_, Some(identity)) => return timeout(HANDSHAKE, identity.acceptor.accept(stream)).await?.map(Some),
            (tls, None) => {
                // The client's hello is read first: closing with bytes unread would send a reset.
                let mut hello = [0; 4096];
                if timeout(HANDSHAKE, stream.read(&mut hello)).await?? > 0 {
                    match tls {
                        TlsConduct::Broken => stream.write_all(GARBAGE).await?,
                        TlsConduct::Alert => stream.write_all(NO_COMMON_CIPHER).await?,
                        _ => {}
                    }
                }
            }
        }
        close(&mut stream).await;
        Ok(None)
    }

    /// Whether the script has something to say in the middle of a message.
    fn interrupts(&self, moment: Moment<'_>) -> bool {
        self.script.rules.iter().any(|rule| rule.cue.meets(moment))
    }

    /// The rule for this moment, which counts as served from now on.
    fn rule(&self, moment: Moment<'_>) -> Option<&Rule> {
        let fitting = self.script.rules.iter().zip(&self.served).filter(|(rule, _)| rule.cue.meets(moment));
        for (rule, served) in fitting {
            let again = served.swap(true, Ordering::Relaxed);
            if !(again && rule.once) {
                return Some(rule);
            }
        }
        None
    }
}

/// What a session over a fresh connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// The greeting.
    Greeting,
    /// Waiting for a command, as after STARTTLS.
    Listening,
}

/// One session, of which the TLS part is a continuation.
struct Session<'a> {
    server: &'a SmtpServer,
    place: &'a Place,
    connection: usize,
    manners: Manners<'a>,
    commands: usize,
    /// Octets that were said in the clear and are still to be taken for said inside TLS.
    injected: usize,
    /// What has come of a message in chunks.
    message: Vec<u8>,
}

impl Session<'_> {
    /// Talks until the session ends or TLS is to begin.
    async fn hold<W: Wire>(&mut self, wire: &mut BufReader<W>, begin: Begin) -> io::Result<Next> {
        let mut next = match begin {
            Begin::Greeting => self.answer(wire, Moment::Connected).await?,
            Begin::Listening => Next::Listen,
        };
        loop {
            next = match next {
                Next::Listen => self.take_command(wire).await?,
                Next::Response => self.take_response(wire).await?,
                Next::Message => self.take_message(wire).await?,
                Next::Close => {
                    close(wire).await;
                    Next::Gone
                }
                Next::Handshake | Next::Gone => return Ok(next),
            };
        }
    }

    async fn take_command<W: Wire>(&mut self, wire: &mut BufReader<W>) -> io::Result<Next> {
        let in_clear = !self.manners.is_secured() || self.injected > 0;
        let line = match self.read(wire).await? {
            Line::End => return Ok(Next::Gone),
            Line::Idle => return self.dismiss(wire, "4.4.2", "timeout exceeded").await,
            Line::Bytes(bytes) if !bytes.ends_with(b"\n") => return self.dismiss(wire, "4.7.0", "line too long").await,
            Line::Bytes(bytes) => String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned(),
        };
        self.note(&without_secret(&line), !in_clear);
        self.commands += 1;
        if self.commands > COMMAND_LIMIT {
            return self.dismiss(wire, "4.7.0", "too many commands").await;
        }
        if !self.manners.awaits_message() {
            self.message.clear();
        }
        if let Some((octets, last)) = self.manners.chunk(&line) {
            return self.take_chunk(wire, &line, octets, last).await;
        }
        self.answer(wire, Moment::Said(&line)).await
    }

    /// Reads a chunk, whether or not it is wanted, and answers it.
    async fn take_chunk<W: Wire>(&mut self, wire: &mut BufReader<W>, line: &str, octets: usize, last: bool) -> io::Result<Next> {
        let wanted = self.manners.awaits_message();
        let mut left = octets;
        let mut piece = vec![0; 16 * 1024];
        let mut interrupted = false;
        while left > 0 {
            let most = left.min(piece.len());
            let length = match timeout(IDLE, wire.read(&mut piece[..most])).await {
                Err(_) => return self.dismiss(wire, "4.4.2", "timeout exceeded").await,
                Ok(read) => read?,
            };
            if length == 0 {
                return Ok(Next::Gone);
            }
            left -= length;
            if wanted {
                self.message.extend_from_slice(&piece[..length]);
            }
            if self.message.len() > MESSAGE_LIMIT {
                return self.dismiss(wire, "4.3.4", "message too long").await;
            }
            let moment = Moment::Grown(self.message.len());
            if !interrupted && self.server.interrupts(moment) {
                interrupted = true;
                let next = self.answer(wire, moment).await?;
                if next != Next::Message {
                    return Ok(next);
                }
            }
        }
        if last && wanted {
            let octets = std::mem::take(&mut self.message);
            self.keep(octets, true);
            return self.answer(wire, Moment::MessageOver).await;
        }
        self.answer(wire, Moment::Said(line)).await
    }

    fn keep(&self, octets: Vec<u8>, chunked: bool) {
        let secured = self.manners.is_secured();
        self.server.log.keep(Arrived { to: self.place.at, connection: self.connection, secured, chunked, octets });
    }

    /// Takes the answer to a challenge, of which nothing is kept.
    async fn take_response<W: Wire>(&mut self, wire: &mut BufReader<W>) -> io::Result<Next> {
        let line = match self.read(wire).await? {
            Line::End => return Ok(Next::Gone),
            Line::Idle => return self.dismiss(wire, "4.4.2", "timeout exceeded").await,
            Line::Bytes(bytes) if !bytes.ends_with(b"\n") => return self.dismiss(wire, "4.7.0", "line too long").await,
            Line::Bytes(bytes) => Zeroizing::new(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned()),
        };
        self.note(if line.as_str() == "*" { "*" } else { "(response)" }, self.manners.is_secured());
        self.commands += 1;
        if self.commands > COMMAND_LIMIT {
            return self.dismiss(wire, "4.7.0", "too many commands").await;
        }
        self.answer(wire, Moment::Response(&line)).await
    }

    fn note(&self, line: &str, secured: bool) {
        self.server.log.add(Said { to: self.place.at, connection: self.connection, secured, line: line.to_owned() });
    }

    async fn read<W: Wire>(&mut self, wire: &mut BufReader<W>) -> io::Result<Line> {
        let line = read_line(wire).await?;
        if let Line::Bytes(bytes) = &line {
            self.injected = self.injected.saturating_sub(bytes.len());
        }
        Ok(line)
    }

    /// Reads a message up to its dot. Only a dot between two true line ends counts.
    async fn take_message<W: Wire>(&mut self, wire: &mut BufReader<W>) -> io::Result<Next> {
        let mut message = Vec::new();
        let mut at_start = true;
        let mut interrupted = false;
        loop {
            let bytes = match self.read(wire).await? {
                Line::End => return Ok(Next::Gone),
                Line::Idle => return self.dismiss(wire, "4.4.2", "timeout exceeded").await,
                Line::Bytes(bytes) => bytes,
            };
            if at_start && bytes == b".\r\n" {
                self.keep(message, false);
                return self.answer(wire, Moment::MessageOver).await;
            }
            let stuffed = at_start && bytes.starts_with(b".");
            message.extend_from_slice(&bytes[usize::from(stuffed)..]);
            at_start = bytes.ends_with(b"\r\n");
            if message.len() > MESSAGE_LIMIT {
                return self.dismiss(wire, "4.3.4", "message too long").await;
            }
            let moment = Moment::Grown(message.len());
            if !interrupted && self.server.interrupts(moment) {
                interrupted = true;
                let next = self.answer(wire, moment).await?;
                if next != Next::Message {
                    return Ok(next);
                }
            }
        }
    }

    /// Says what the script or good manners ask for, and what follows.
    async fn answer<W: Wire>(&mut self, wire: &mut BufReader<W>, moment: Moment<'_>) -> io::Result<Next> {
        let usual = || wire_lines(&self.manners.usual(moment));
        let Some(rule) = self.server.rule(moment) else {
            let reply = usual();
            send(wire, &reply, Duration::ZERO).await?;
            return Ok(self.manners.after(moment, code_of(&reply)));
        };
        let reply = match (&rule.say, rule.then) {
            (Some(bytes), _) => bytes.clone(),
            (None, None) => usual(),
            (None, Some(_)) => Vec::new(),
        };
        pause(rule.delay).await;
        send(wire, &reply, rule.bytewise).await?;
        match rule.then {
            None => Ok(self.manners.after(moment, code_of(&reply))),
            Some(Then::Close) => Ok(Next::Close),
            Some(Then::Reset) => {
                wire.get_ref().tcp().set_zero_linger()?;
                Ok(Next::Gone)
            }
            Some(Then::Silent) => {
                drain(wire).await?;
                Ok(Next::Gone)
            }
        }
    }

    /// Ends a session that went beyond a limit.
    async fn dismiss<W: Wire>(&self, wire: &mut BufReader<W>, enhanced: &str, why: &str) -> io::Result<Next> {
        let reply = format!("421 {enhanced} {} Error: {why}\r\n", self.place.name);
        send(wire, reply.as_bytes(), Duration::ZERO).await?;
        Ok(Next::Close)
    }
}

/// What a login can be bound to (RFC 9266 §2).
fn exporter(stream: &TlsStream<TcpStream>) -> Option<[u8; 32]> {
    stream.get_ref().1.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
}

/// The line, without what stands behind AUTH and its mechanism.
fn without_secret(line: &str) -> String {
    let mut words = line.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some(verb), Some(mechanism), Some(_)) if verb.eq_ignore_ascii_case("AUTH") => format!("{verb} {mechanism} (response)"),
        _ => line.to_owned(),
    }
}

/// The code of the first reply in `bytes`: that of its last line. What a script puts behind it was not asked for.
fn code_of(bytes: &[u8]) -> Option<u16> {
    let last = bytes.split(|byte| *byte == b'\n').find(|line| line.get(3) != Some(&b'-'))?;
    std::str::from_utf8(last.get(..3)?).ok()?.parse().ok()
}
