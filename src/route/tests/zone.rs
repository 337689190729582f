//! A DNS server on loopback that answers as a script says, over UDP and TCP.
//!
//! A line is a name, a type and data: `example.com MX 10 mx.example.com`. In place of data there may be a behaviour, and in
//! place of the type a `*` for any, as in place of the name: `slow.example.com * @slow 300`; after `@over-tcp` it is for TCP, and UDP truncates. Aliases are
//! followed; names that no line begins with do not exist.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_resolver::proto::dnssec::rdata::{DNSSECRData, DS};
use hickory_resolver::proto::op::{Edns, Message, Metadata, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::EdnsOption;
use hickory_resolver::proto::rr::rdata::{CNAME, MX, PTR, SOA, TLSA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::signing::Signing;

/// The server; it lives as long as the test's runtime.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start(script: &str) -> Self {
        Self::serve(Zone::read(script)).await
    }

    /// The same, for zones with signatures.
    pub(super) async fn start_signed(script: &str, signing: Signing) -> Self {
        let mut zone = Zone::read(script);
        zone.records.extend(signing.records());
        Self::serve(Zone { signing: Some(signing), ..zone }).await
    }

    async fn serve(zone: Zone) -> Self {
        let zone = Arc::new(zone);
        let (udp, tcp) = same_port().await;
        let address = udp.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve_udp(Arc::new(udp), Arc::clone(&zone), Arc::clone(&asked)));
        tokio::spawn(serve_tcp(tcp, zone, Arc::clone(&asked)));
        Self { address, asked }
    }

    /// What was asked, in order: `udp MX example.com`.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// An address on loopback where nothing listens.
pub(super) async fn closed_port() -> SocketAddr {
    same_port().await.0.local_addr().unwrap()
}

async fn same_port() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, zone: Arc<Zone>, asked: Arc<Mutex<Vec<String>>>) {
    let mut buffer = [0; 4096];
    loop {
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        let request = Message::from_vec(&buffer[..length]).unwrap();
        assert_eq!(request.max_payload(), 1232);
        note(&asked, "udp", &request);
        let (after, datagram) = zone.answer(&request, false);
        let socket = Arc::clone(&socket);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            if let Some(datagram) = datagram {
                socket.send_to(&datagram, client).await.unwrap();
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, zone: Arc<Zone>, asked: Arc<Mutex<Vec<String>>>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut buffer = vec![0; usize::from(length)];
        stream.read_exact(&mut buffer).await.unwrap();
        let request = Message::from_vec(&buffer).unwrap();
        note(&asked, "tcp", &request);
        let (after, answer) = zone.answer(&request, true);
        if let Some(answer) = answer {
            tokio::time::sleep(after).await;
            stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    }
}

fn note(asked: &Mutex<Vec<String>>, over: &str, request: &Message) {
    let query = &request.queries[0];
    assert!(request.metadata.recursion_desired && request.metadata.authentic_data && query.name.is_fqdn());
    let unchecked = if request.metadata.checking_disabled { "unchecked " } else { "" };
    asked.lock().unwrap().push(format!("{over} {unchecked}{} {}", query.query_type, query.name.to_ascii().trim_end_matches('.')));
}

struct Zone {
    failures: AtomicU16,
    records: Vec<Record>,
    signing: Option<Signing>,
    behaviours: Vec<(Name, Option<RecordType>, String)>,
}

impl Zone {
    fn read(script: &str) -> Self {
        let mut zone = Self { failures: AtomicU16::new(0), signing: None, records: Vec::new(), behaviours: Vec::new() };
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let (owner, kind, data) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or_default());
            let owner = name(owner);
            if let Some(behaviour) = data.strip_prefix('@') {
                zone.behaviours.push((owner, (kind != "*").then(|| kind.parse().unwrap()), behaviour.to_owned()));
            } else {
                zone.records.push(Record::from_rdata(owner, 60, rdata(kind, data)));
            }
        }
        zone
    }

    fn behaviour(&self, query: &Query) -> &str {
        let fits = |(name, kind, _): &&(Name, Option<RecordType>, String)| {
            (name.is_wildcard() || *name == query.name) && kind.is_none_or(|kind| kind == query.query_type)
        };
        self.behaviours.iter().find(fits).map_or("", |(_, _, behaviour)| behaviour)
    }

    /// When to answer, and what.
    fn answer(&self, request: &Message, tcp: bool) -> (Duration, Option<Vec<u8>>) {
        let query = &request.queries[0];
        let mut message = self.plain_answer(request);
        let behaviour = match self.behaviour(query).strip_prefix("over-tcp") {
            Some(behaviour) if tcp => behaviour.trim_start(),
            Some(_) => "truncated",
            None => self.behaviour(query),
        };
        let (word, argument) = behaviour.split_once(' ').unwrap_or((behaviour, ""));
        let mut after = Duration::ZERO;
        match word {
            "code" => {
                let code: u16 = argument.parse().unwrap();
                message = error(request, ResponseCode::from(0, u8::try_from(code).unwrap()));
            }
            // Validated, as the resolver says to whoever understands it.
            "ad" => message.metadata.authentic_data = request.metadata.authentic_data,
            // Withheld from those who want it checked.
            "bogus" if request.metadata.checking_disabled => {}
            "bogus" => {
                message = error(request, ResponseCode::ServFail);
                if let Ok(code) = argument.parse::<u16>() {
                    let mut edns = Edns::new();
                    edns.options_mut().insert(EdnsOption::Unknown(15, code.to_be_bytes().to_vec()));
                    message.edns = Some(edns);
                }
            }
            // A failure that is over at the next question.
            "passing" if self.failures.fetch_add(1, Ordering::Relaxed) == 0 => message = error(request, ResponseCode::ServFail),
            // Refused with a reason, checked or not.
            "dead" => {
                message = error(request, ResponseCode::ServFail);
                let mut edns = Edns::new();
                edns.options_mut().insert(EdnsOption::Unknown(15, argument.parse::<u16>().unwrap().to_be_bytes().to_vec()));
                message.edns = Some(edns);
            }
            "" | "passing" | "expired" | "early" | "forged" | "stripped" => {}
            "silent" => return (after, None),
            "slow" => after = Duration::from_millis(argument.parse().unwrap()),
            // The alias alone, and nothing that says whether there is more.
            "half" => {
                message.answers.truncate(1);
                message.authorities.clear();
                message.metadata.response_code = ResponseCode::NoError;
            }
            "truncated" => message = message.truncate(),
            "wrong-id" => message.metadata.id = message.metadata.id.wrapping_add(1),
            "other-question" => message.queries = vec![Query::query(name("other.example"), query.query_type)],
            "garbage" => {
                let mut bytes = message.metadata.id.to_be_bytes().to_vec();
                bytes.extend_from_slice(&[0x81, 0x80, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0xc0, 0x0c, 0xff]);
                return (after, Some(bytes));
            }
            "echo" => return (after, Some(request.to_vec().unwrap())),
            // Records of somebody else, in every section.
            "foreign" => {
                let foreign: Vec<Record> = self.records.iter().filter(|record| record.name != query.name).cloned().collect();
                message.answers.splice(0..0, foreign.clone());
                message.additionals = foreign;
            }
            other => panic!("no behaviour {other:?}"),
        }
        if let Some(signing) = &self.signing
            && request.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok)
        {
            const DAY: u64 = 86_400;
            let age = if word == "expired" { 10 * DAY } else { DAY / 2 };
            match word {
                "stripped" | "code" => {}
                "early" => signing.sign(&mut message, &self.records, -time::Duration::seconds(3600)),
                _ => signing.sign(&mut message, &self.records, time::Duration::seconds(age.cast_signed())),
            }
            if word == "forged"
                && let Some(record) = message.answers.first_mut()
            {
                forge(&mut record.data);
            }
        }
        let mut bytes = message.to_vec().unwrap();
        if !tcp && bytes.len() > usize::from(request.max_payload()) {
            bytes = message.truncate().to_vec().unwrap();
        }
        (after, Some(bytes))
    }

    fn plain_answer(&self, request: &Message) -> Message {
        let query = &request.queries[0];
        let mut message = error(request, ResponseCode::NoError);
        let mut owner = query.name.clone();
        for _ in 0..20 {
            let own = |kind: RecordType| {
                let owner = owner.clone();
                self.records.iter().filter(move |record| record.name == owner && record.record_type() == kind).cloned()
            };
            let found: Vec<Record> = own(query.query_type).collect();
            if !found.is_empty() {
                message.answers.extend(found);
                return message;
            }
            let Some(alias) = own(RecordType::CNAME).next() else { break };
            if let RData::CNAME(target) = &alias.data {
                owner = target.0.clone();
            }
            message.answers.push(alias);
        }
        let soa = SOA::new(name("ns.example"), name("root.example"), 1, 2, 3, 4, 5);
        message.authorities.push(Record::from_rdata(owner.base_name(), 60, RData::SOA(soa)));
        let known = self.records.iter().map(|record| &record.name).chain(self.behaviours.iter().map(|(name, _, _)| name));
        if !known.into_iter().any(|name| *name == owner) {
            message.metadata.response_code = ResponseCode::NXDomain;
        }
        message
    }
}

/// Changes data that have been signed.
fn forge(data: &mut RData) {
    match data {
        RData::A(_) => *data = RData::from(std::net::IpAddr::from([192, 0, 2, 66])),
        RData::DNSSEC(DNSSECRData::DS(ds)) => {
            let digest = ds.digest().iter().map(|byte| byte ^ 1).collect();
            *ds = DS::new(ds.key_tag(), ds.algorithm(), ds.digest_type(), digest);
        }
        other => panic!("no forgery of {other}"),
    }
}

fn error(request: &Message, code: ResponseCode) -> Message {
    let mut message = Message::response(request.metadata.id, request.metadata.op_code);
    message.metadata = Metadata::response_from_request(&request.metadata);
    message.metadata.response_code = code;
    message.queries.clone_from(&request.queries);
    message
}

pub(super) fn name(text: &str) -> Name {
    let labels = text.split('.').filter(|label| !label.is_empty());
    Name::from_labels(labels.map(str::as_bytes)).unwrap()
}

pub(super) fn rdata(kind: &str, data: &str) -> RData {
    match kind {
        "MX" => {
            let (preference, exchange) = data.split_once(' ').unwrap();
            RData::MX(MX::new(preference.parse().unwrap(), name(exchange)))
        }
        "A" | "AAAA" => RData::from(data.parse::<std::net::IpAddr>().unwrap()),
        "PTR" => RData::PTR(PTR(name(data))),
        "TXT" => RData::TXT(TXT::new(data.split('|').map(str::to_owned).collect())),
        "TLSA" => {
            let numbers: Vec<u8> = data.split(' ').map(|number| number.parse().unwrap()).collect();
            let [usage, selector, matching, data @ ..] = numbers.as_slice() else { panic!("no TLSA") };
            RData::TLSA(TLSA::new((*usage).into(), (*selector).into(), (*matching).into(), data.to_vec()))
        }
        "CNAME" => RData::CNAME(CNAME(name(data))),
        other => panic!("no type {other:?}"),
    }
}
