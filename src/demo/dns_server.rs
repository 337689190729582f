//! The resolver of a mail world: the zone over UDP and TCP on loopback (RFC 1035 §4.2, EDNS after RFC 6891).
//!
//! It says what one that validates would say (RFC 4035 §3.2, RFC 6840 §5.7, RFC 8914); it sends no signatures.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::rdata::opt::EdnsOption;
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};

use super::wire::{self, PAUSE};
use super::zone::{Answer, Zone};

/// The largest answer over UDP that needs no fragments on any path, for clients with EDNS.
const UDP_PAYLOAD: u16 = 1232;
/// A TCP client that says nothing for this long is left.
const IDLE: Duration = Duration::from_secs(10);
/// TCP clients served at once, and questions taken from each.
const TCP_CLIENTS: usize = 64;
const TCP_QUESTIONS: usize = 100;
/// The option of EDNS for an extended error, and the error "DNSSEC Bogus" (RFC 8914 §2 and §4.7).
const EXTENDED_ERROR: u16 = 15;
const DNSSEC_BOGUS: u16 = 6;

/// Which way a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// Sockets for UDP and TCP on one port.
pub(super) async fn bind() -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    // A port free for UDP may be taken for TCP.
    for _ in 0..16 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Answers over UDP for ever.
pub(super) async fn serve_udp(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = vec![0; 4096];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, client)) => {
                if let Some(reply) = respond(&zone, &buffer[..length], Transport::Udp) {
                    // A client that has gone has no use for the answer.
                    let _ = socket.send_to(&reply, client).await;
                }
            }
            // Windows reports here that an earlier answer found nobody.
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Answers over TCP for ever.
pub(super) async fn serve_tcp(listener: TcpListener, zone: Arc<Zone>) {
    wire::take(listener, TCP_CLIENTS, |stream| serve_client(stream, Arc::clone(&zone))).await;
}

async fn serve_client(mut stream: TcpStream, zone: Arc<Zone>) {
    for _ in 0..TCP_QUESTIONS {
        match timeout(IDLE, read_question(&mut stream)).await {
            Ok(Ok(question)) => {
                let Some(reply) = respond(&zone, &question, Transport::Tcp) else { continue };
                let Ok(length) = u16::try_from(reply.len()) else { return };
                let framed = [&length.to_be_bytes()[..], &reply].concat();
                if stream.write_all(&framed).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

async fn read_question(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut question = vec![0; usize::from(length)];
    stream.read_exact(&mut question).await?;
    Ok(question)
}

/// The reply to one message; none where silence is the answer.
fn respond(zone: &Zone, message: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let Ok(request) = Message::from_vec(message) else {
        let id = u16::from_be_bytes([*message.first()?, *message.get(1)?]);
        return Message::error_msg(id, OpCode::Query, ResponseCode::FormErr).to_vec().ok();
    };
    // An answer to an answer would go round for ever.
    if request.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut response = Message::new(0, MessageType::Response, request.metadata.op_code);
    response.metadata = Metadata::response_from_request(&request.metadata);
    response.metadata.recursion_available = true;
    response.add_queries(request.queries.iter().cloned());
    response.edns = request.edns.as_ref().map(|asked| {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD).set_dnssec_ok(asked.flags().dnssec_ok);
        edns
    });
    match request.queries.as_slice() {
        _ if request.metadata.op_code != OpCode::Query => response.metadata.response_code = ResponseCode::NotImp,
        [query] if query.query_class == DNSClass::IN => match zone.answer(&query.name, query.query_type) {
            Answer::Silence => return None,
            Answer::Reply { code, records, secure } => {
                response.metadata.authentic_data = secure && understands_authentic(&request);
                fill(&mut response, query, code, records);
            }
            Answer::Bogus { unchecked } if request.metadata.checking_disabled => {
                fill(&mut response, query, ResponseCode::NoError, unchecked);
            }
            Answer::Bogus { .. } => refuse_as_bogus(&mut response),
        },
        [_] => response.metadata.response_code = ResponseCode::Refused,
        _ => response.metadata.response_code = ResponseCode::FormErr,
    }
    let limit = match transport {
        Transport::Tcp => usize::from(u16::MAX),
        Transport::Udp => usize::from(request.edns.as_ref().map_or(512, |edns| edns.max_payload().clamp(512, UDP_PAYLOAD))),
    };
    let bytes = response.to_vec().ok()?;
    if bytes.len() > limit { response.truncate().to_vec().ok() } else { Some(bytes) }
}

/// Whether the client wants to know that an answer was validated, and lets it be (RFC 6840 §5.7 to §5.9).
fn understands_authentic(request: &Message) -> bool {
    let asks = request.metadata.authentic_data || request.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
    asks && !request.metadata.checking_disabled
}

/// Says that what there is does not validate, and to clients with EDNS that this is the reason.
fn refuse_as_bogus(response: &mut Message) {
    response.metadata.response_code = ResponseCode::ServFail;
    if let Some(edns) = &mut response.edns {
        edns.options_mut().insert(EdnsOption::Unknown(EXTENDED_ERROR, DNSSEC_BOGUS.to_be_bytes().to_vec()));
    }
}

/// Puts the records in, or for want of them the SOA that lets a resolver remember that there are none (RFC 2308 §3).
fn fill(response: &mut Message, query: &Query, code: ResponseCode, records: Vec<Record>) {
    response.metadata.response_code = code;
    let found = records.iter().any(|record| record.record_type() == query.query_type);
    response.add_answers(records);
    if !found && matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        let apex = query.name.trim_to(1);
        response.add_authority(Record::from_rdata(apex.clone(), 60, RData::SOA(start_of_authority(apex))));
    }
}

fn start_of_authority(apex: Name) -> SOA {
    SOA::new(apex.clone(), apex, 1, 3600, 600, 86400, 60)
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::RecordType;
    use tokio::task::JoinSet;

    use super::super::zone::Value;
    use super::*;

    fn zone() -> Arc<Zone> {
        let mut zone = Zone::default();
        let many = (0..60).map(|n| format!("{n} mx{n}.with-a-rather-long-name.demo.test")).collect();
        for (key, value) in [
            ("mx1.demo.test A", Value::Records(vec!["192.0.2.1".to_owned()])),
            ("alias.test CNAME", Value::Records(vec!["gone.test".to_owned()])),
            ("many.test MX", Value::Records(many)),
            ("mute.test ANY", Value::Word("TIMEOUT".to_owned())),
            ("broken.test ANY", Value::Word("SERVFAIL".to_owned())),
            ("bogus.test ANY", Value::Word("BOGUS".to_owned())),
            ("signed.test A", Value::Records(vec!["192.0.2.2".to_owned()])),
        ] {
            zone.insert(key, &value).expect(key);
        }
        zone.sign(vec!["signed.test".parse().unwrap()]);
        Arc::new(zone)
    }

    fn question(name: &str, kind: RecordType) -> Message {
        let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message
    }

    fn ask(message: &Message, transport: Transport) -> Option<Message> {
        let bytes = respond(&zone(), &message.to_vec().unwrap(), transport)?;
        Some(Message::from_vec(&bytes).unwrap())
    }

    #[test]
    fn answers_belong_to_their_question() {
        let reply = ask(&question("MX1.demo.test.", RecordType::A), Transport::Udp).unwrap();
        assert_eq!((reply.metadata.id, reply.metadata.message_type), (4711, MessageType::Response));
        assert!(reply.metadata.recursion_available && reply.metadata.recursion_desired && !reply.metadata.truncation);
        assert_eq!(reply.queries[0].name.to_ascii(), "MX1.demo.test.");
        assert_eq!(reply.answers[0].data.to_string(), "192.0.2.1");
        assert!(reply.authorities.is_empty() && reply.edns.is_none());
    }

    #[test]
    fn no_data_and_no_name_are_told_apart_and_carry_an_soa() {
        for (name, kind, code, answers) in [
            ("mx1.demo.test.", RecordType::AAAA, ResponseCode::NoError, 0),
            ("nothing.test.", RecordType::A, ResponseCode::NXDomain, 0),
            ("alias.test.", RecordType::A, ResponseCode::NXDomain, 1),
        ] {
            let reply = ask(&question(name, kind), Transport::Udp).unwrap();
            assert_eq!((reply.metadata.response_code, reply.answers.len()), (code, answers), "{name}");
            assert_eq!(reply.authorities[0].record_type(), RecordType::SOA, "{name}");
        }
        let reply = ask(&question("broken.test.", RecordType::MX), Transport::Udp).unwrap();
        assert_eq!((reply.metadata.response_code, reply.authorities.len()), (ResponseCode::ServFail, 0));
        assert!(ask(&question("mute.test.", RecordType::MX), Transport::Udp).is_none());
    }

    /// A question with the bits AD, DO and CD; none is a question without EDNS.
    fn checked(name: &str, ad: bool, dnssec_ok: Option<bool>, cd: bool) -> Message {
        let mut message = question(name, RecordType::A);
        message.metadata.authentic_data = ad;
        message.metadata.checking_disabled = cd;
        message.edns = dnssec_ok.map(|dnssec_ok| {
            let mut edns = Edns::new();
            edns.set_dnssec_ok(dnssec_ok);
            edns
        });
        message
    }

    #[test]
    fn who_asks_for_it_is_told_that_an_answer_is_authentic() {
        for (name, ad, dnssec_ok, cd, expected) in [
            ("signed.test.", true, None, false, true),
            ("signed.test.", false, Some(true), false, true),
            ("nothing.signed.test.", true, Some(false), false, true),
            ("signed.test.", false, Some(false), false, false),
            ("signed.test.", true, Some(true), true, false),
            ("mx1.demo.test.", true, Some(true), false, false),
        ] {
            let reply = ask(&checked(name, ad, dnssec_ok, cd), Transport::Udp).unwrap();
            assert_eq!(reply.metadata.authentic_data, expected, "{name} {ad} {dnssec_ok:?} {cd}");
            assert_eq!(reply.edns.map(|edns| edns.flags().dnssec_ok), dnssec_ok);
        }
    }

    #[test]
    fn what_does_not_validate_is_refused_with_the_reason_and_given_unchecked() {
        let reply = ask(&checked("bogus.test.", true, Some(false), false), Transport::Udp).unwrap();
        assert_eq!((reply.metadata.response_code, reply.metadata.authentic_data), (ResponseCode::ServFail, false));
        let options = reply.edns.unwrap().options().as_ref().iter().map(|(_, option)| option.clone()).collect::<Vec<_>>();
        assert_eq!(options, [EdnsOption::Unknown(15, vec![0, 6])]);
        let reply = ask(&checked("bogus.test.", true, None, false), Transport::Udp).unwrap();
        assert_eq!((reply.metadata.response_code, reply.edns), (ResponseCode::ServFail, None));
        let reply = ask(&checked("bogus.test.", true, Some(false), true), Transport::Udp).unwrap();
        assert_eq!((reply.metadata.response_code, reply.answers.len()), (ResponseCode::NoError, 0));
        assert!(reply.metadata.checking_disabled && !reply.metadata.authentic_data && reply.edns.unwrap().options().as_ref().is_empty());
    }

    #[test]
    fn a_large_answer_is_truncated_over_udp_and_whole_over_tcp() {
        let mut message = question("many.test.", RecordType::MX);
        let mut edns = Edns::new();
        edns.set_max_payload(4096);
        message.set_edns(edns);
        let udp = ask(&message, Transport::Udp).unwrap();
        assert!(udp.metadata.truncation && udp.answers.is_empty());
        assert_eq!(udp.edns.unwrap().max_payload(), UDP_PAYLOAD);
        let tcp = ask(&message, Transport::Tcp).unwrap();
        assert!(!tcp.metadata.truncation && tcp.answers.len() == 60);
    }

    #[test]
    fn what_is_no_question_gets_an_error_or_nothing() {
        let code = |message: &Message| ask(message, Transport::Udp).map(|reply| reply.metadata.response_code);
        let mut chaos = question("mx1.demo.test.", RecordType::A);
        chaos.queries[0].query_class = DNSClass::CH;
        assert_eq!(code(&chaos), Some(ResponseCode::Refused));
        let mut two = question("mx1.demo.test.", RecordType::A);
        two.add_query(Query::query(Name::root(), RecordType::NS));
        assert_eq!(code(&two), Some(ResponseCode::FormErr));
        let mut notify = question("mx1.demo.test.", RecordType::A);
        notify.metadata.op_code = OpCode::Notify;
        assert_eq!(code(&notify), Some(ResponseCode::NotImp));
        let mut answer = question("mx1.demo.test.", RecordType::A);
        answer.metadata.message_type = MessageType::Response;
        assert_eq!(code(&answer), None);
        let reply = respond(&zone(), &[0x12, 0x34, 0, 0, 0, 9], Transport::Udp).unwrap();
        assert_eq!(Message::from_vec(&reply).unwrap().metadata.response_code, ResponseCode::FormErr);
        assert_eq!(respond(&zone(), &[0x12], Transport::Udp), None);
    }

    #[tokio::test]
    async fn both_transports_answer_on_one_port() {
        let (udp, tcp) = bind().await.unwrap();
        let server = udp.local_addr().unwrap();
        assert_eq!(server, tcp.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, zone()));
        tasks.spawn(serve_tcp(tcp, zone()));
        let bytes = question("mx1.demo.test.", RecordType::A).to_vec().unwrap();

        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.send_to(&bytes, server).await.unwrap();
        let mut buffer = [0; 512];
        let (length, from) = client.recv_from(&mut buffer).await.unwrap();
        assert_eq!((from, Message::from_vec(&buffer[..length]).unwrap().answers.len()), (server, 1));

        let mut client = TcpStream::connect(server).await.unwrap();
        for _ in 0..2 {
            client.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
            client.write_all(&bytes).await.unwrap();
            let reply = read_question(&mut client).await.unwrap();
            assert_eq!(Message::from_vec(&reply).unwrap().answers.len(), 1);
        }
    }
}
