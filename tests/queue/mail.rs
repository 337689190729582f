//! Mail servers on loopback, one at each of many addresses, with a DNS server that leads to them, and a record of how they were
//! treated.
//!
//! `dN.test` has the address 127.77.A.B, all `sN.test` share one, and `gone.test` does not exist.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// What the servers have seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How often each mailbox was asked for.
    pub(crate) asked: BTreeMap<String, usize>,
    /// Recipients by the name that the client gave.
    pub(crate) by_worker: BTreeMap<String, usize>,
    /// The most connections that were open to one destination at a time.
    pub(crate) most_connections: usize,
    /// Who spoke to a destination after somebody else had come to it.
    pub(crate) offences: Vec<String>,
    /// Who came to a destination while somebody else was connected.
    pub(crate) shared: Vec<String>,
    open: HashMap<IpAddr, usize>,
    /// Who greeted a destination last.
    holder: HashMap<IpAddr, String>,
    /// Who has connections to it.
    connected: HashMap<IpAddr, Vec<String>>,
}

pub(crate) struct Mail {
    port: u16,
    resolver: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Seen {
    /// At most one worker was connected to a destination at a time.
    pub(crate) fn is_polite(&self) {
        assert_eq!((&self.offences, &self.shared), (&Vec::new(), &Vec::new()));
    }
}

impl Mail {
    /// Starts servers that take so long for each recipient.
    pub(crate) fn start(delay: Duration) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&shared);
                thread::spawn(move || talk(stream, delay, &seen));
            }
        });
        let dns = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let resolver = dns.local_addr().expect("an address");
        thread::spawn(move || resolve(&dns));
        Self { port, resolver, seen }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn resolver(&self) -> SocketAddr {
        self.resolver
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().expect("a record").clone()
    }

    /// Waits until it has come as far as that.
    pub(crate) fn wait_for(&self, what: &str, is_there: impl Fn(&Seen) -> bool) {
        let began = Instant::now();
        while !is_there(&self.seen.lock().expect("a record")) {
            assert!(began.elapsed() < Duration::from_secs(60), "waited for {what}: {:?}", self.seen().by_worker);
            sleep(Duration::from_millis(5));
        }
    }
}

fn talk(mut stream: TcpStream, delay: Duration, seen: &Mutex<Seen>) {
    let destination = stream.local_addr().expect("an address").ip();
    {
        let mut seen = seen.lock().expect("a record");
        let open = seen.open.entry(destination).or_default();
        *open += 1;
        let open = *open;
        seen.most_connections = seen.most_connections.max(open);
    }
    let mut client = None;
    converse(&mut stream, delay, seen, destination, &mut client);
    let mut seen = seen.lock().expect("a record");
    *seen.open.entry(destination).or_default() -= 1;
    if let (Some(client), Some(connected)) = (client, seen.connected.get_mut(&destination))
        && let Some(place) = connected.iter().position(|other| *other == client)
    {
        connected.remove(place);
    }
}

fn converse(stream: &mut TcpStream, delay: Duration, seen: &Mutex<Seen>, destination: IpAddr, client: &mut Option<String>) {
    let lines = BufReader::new(stream.try_clone().expect("a socket"));
    let _ = stream.write_all(b"220 mx.test ESMTP\r\n");
    for line in lines.lines().map_while(Result::ok) {
        let reply = match line.get(..4) {
            Some("EHLO") => {
                let name = line.get(5..).unwrap_or_default().to_owned();
                let mut seen = seen.lock().expect("a record");
                seen.holder.insert(destination, name.clone());
                let connected = seen.connected.entry(destination).or_default();
                let others = connected.iter().any(|other| *other != name);
                connected.push(name.clone());
                if others {
                    let shared = format!("{name} came to {destination} beside {connected:?}");
                    seen.shared.push(shared);
                }
                *client = Some(name);
                "250 mx.test"
            }
            Some("RCPT") => {
                sleep(delay);
                let mailbox = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                let name = client.clone().unwrap_or_default();
                let mut seen = seen.lock().expect("a record");
                if seen.holder.get(&destination) != Some(&name) {
                    let offence = format!("{name} asked for {mailbox} after {:?} had come to {destination}", seen.holder.get(&destination));
                    seen.offences.push(offence);
                }
                *seen.by_worker.entry(name).or_default() += 1;
                *seen.asked.entry(mailbox).or_default() += 1;
                if line.contains("<good") { "250 2.1.5 Ok" } else { "550 5.1.1 User unknown" }
            }
            Some("QUIT") => {
                // The client may come back as soon as it has read this.
                let _ = stream.write_all(b"221 2.0.0 Bye\r\n");
                return;
            }
            _ => "250 2.0.0 Ok",
        };
        if stream.write_all(format!("{reply}\r\n").as_bytes()).is_err() {
            return;
        }
    }
}

/// Answers questions about names (RFC 1035 §4.1).
fn resolve(socket: &UdpSocket) {
    let mut packet = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        if let Some(reply) = packet.get(..length).and_then(answer) {
            let _ = socket.send_to(&reply, from);
        }
    }
}

fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*question.get(at)?, *question.get(at + 1)?]);
    let asked = question.get(12..at + 4)?;
    let named = labels.first().and_then(|label| Some((label.get(..1)?, label.get(1..)?.parse::<u16>().ok()?)));
    let number = match named {
        Some(("d", number)) => Some(Ipv4Addr::new(127, 77, 0, 0).to_bits() + u32::from(number)),
        Some(("s", _)) => Some(Ipv4Addr::new(127, 78, 0, 1).to_bits()),
        _ => None,
    };
    let address = number.filter(|_| kind == 1).map(Ipv4Addr::from_bits);
    let mut reply = question.get(..2)?.to_vec();
    reply.extend([0x81, if number.is_some() { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    reply.extend(asked);
    if let Some(address) = address {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}
