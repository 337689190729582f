//! A DNS server on loopback that knows one zone.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;

use hickory_resolver::proto::op::{Message, Metadata, ResponseCode};
use hickory_resolver::proto::rr::rdata::{MX, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record as Answer, RecordType};
use smtpprobe::route::{LookupKind, QueryName, Record, Records};

use super::suite::Zone;

/// Answers over UDP until the test ends.
pub(crate) fn serve(zone: Zone) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let address = socket.local_addr().expect("an address");
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let request = Message::from_vec(&buffer[..length]).expect("a question");
            let _ = socket.send_to(&answer(&zone, &request).to_vec().expect("an answer"), client);
        }
    });
    address
}

fn answer(zone: &Zone, request: &Message) -> Message {
    let query = &request.queries[0];
    let mut message = Message::response(request.metadata.id, request.metadata.op_code);
    message.metadata = Metadata::response_from_request(&request.metadata);
    message.metadata.recursion_available = true;
    message.queries.clone_from(&request.queries);
    let kind = match query.query_type {
        RecordType::A => LookupKind::A,
        RecordType::AAAA => LookupKind::Aaaa,
        RecordType::MX => LookupKind::Mx,
        RecordType::PTR => LookupKind::Ptr,
        RecordType::TXT => LookupKind::Txt,
        _ => return message,
    };
    let labels: Vec<&str> = query.name.iter().map(|label| std::str::from_utf8(label).unwrap_or("?")).collect();
    let Ok(name) = labels.join(".").parse::<QueryName>() else { return message };
    match zone.find(&name, kind) {
        Records::Found(records) => {
            message.answers.extend(records.iter().map(|record| Answer::from_rdata(query.name.clone(), 60, data(record))));
        }
        Records::NoData => {}
        Records::NxDomain => message.metadata.response_code = ResponseCode::NXDomain,
        Records::Failed(_) => message.metadata.response_code = ResponseCode::ServFail,
    }
    message
}

fn data(record: &Record) -> RData {
    let name = |name: &Option<QueryName>| {
        let text = name.as_ref().map_or("", QueryName::as_str);
        Name::from_labels(text.split('.').filter(|label| !label.is_empty()).map(str::as_bytes)).expect("a name")
    };
    match record {
        Record::Address(address) => RData::from(*address),
        Record::Exchange(preference, host) => RData::MX(MX::new(*preference, name(host))),
        Record::Pointer(host) => RData::PTR(PTR(name(host))),
        Record::Text(text) => RData::TXT(TXT::from_bytes(text.chunks(255).collect())),
    }
}
