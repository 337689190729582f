//! Signatures for the zones of a scripted DNS server (RFC 4034, RFC 4035), made when they are asked for.

use std::time::Duration;

use hickory_resolver::proto::dnssec::crypto::Ed25519SigningKey;
use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, NSEC, RRSIG};
use hickory_resolver::proto::dnssec::{Algorithm, DigestType, DnssecSigner, PublicKey as _, SigningKey as _};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{NS, SOA};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record, RecordSet, RecordType};
use time::OffsetDateTime;

use super::zone::name;
use crate::settings::TrustAnchor;

/// The keys of signed zones, the first of which is the one to trust and holds the others, and cuts to zones that are not signed.
pub(super) struct Signing {
    zones: Vec<DnssecSigner>,
    unsigned: Vec<Name>,
}

impl Signing {
    pub(super) fn new(signed: &[&str], unsigned: &[&str]) -> Self {
        let keyed = |zone: &&str| {
            let key = Ed25519SigningKey::from_pkcs8(&Ed25519SigningKey::generate_pkcs8().unwrap()).unwrap();
            let dnskey = DNSKEY::from_key(&key.to_public_key().unwrap());
            DnssecSigner::new(dnskey, Box::new(key), name(zone), Duration::from_secs(86400))
        };
        Self { zones: signed.iter().map(keyed).collect(), unsigned: unsigned.iter().map(|zone| name(zone)).collect() }
    }

    /// The key that all hangs on.
    pub(super) fn anchor(&self) -> TrustAnchor {
        let key = self.zones[0].dnskey().public_key();
        TrustAnchor { zone: self.zones[0].signer_name().to_ascii(), algorithm: key.algorithm().into(), key: key.public_bytes().to_vec() }
    }

    /// The records that make zones of names.
    pub(super) fn records(&self) -> Vec<Record> {
        let record = |owner: &Name, data| Record::from_rdata(owner.clone(), 60, data);
        let nameserver = |owner: &Name| record(owner, RData::NS(NS(name("ns.example"))));
        let mut records: Vec<Record> = self.unsigned.iter().map(nameserver).collect();
        for (index, zone) in self.zones.iter().enumerate() {
            let (owner, dnskey) = (zone.signer_name(), zone.to_dnskey());
            records.push(nameserver(owner));
            if index > 0 {
                let digest = dnskey.to_digest(owner, DigestType::SHA256).unwrap().as_ref().to_vec();
                let ds = DS::new(dnskey.calculate_key_tag().unwrap(), Algorithm::ED25519, DigestType::SHA256, digest);
                records.push(record(owner, RData::DNSSEC(DNSSECRData::DS(ds))));
            }
            records.push(record(owner, RData::DNSSEC(DNSSECRData::DNSKEY(dnskey))));
        }
        records
    }

    /// Adds signatures made so long ago, and where there is nothing the proof that there is nothing.
    pub(super) fn sign(&self, message: &mut Message, all: &[Record], age: time::Duration) {
        let query = message.queries[0].clone();
        let end = message
            .answers
            .iter()
            .rev()
            .find_map(|record| if let RData::CNAME(alias) = &record.data { Some(alias.0.clone()) } else { None });
        let end = end.unwrap_or_else(|| query.name.clone());
        if !message.answers.iter().any(|record| record.record_type() == query.query_type)
            && let Some(zone) = self.zone_of(&end, query.query_type)
        {
            // Names that do not exist are said to have nothing, as some signers do that make signatures on the way.
            message.metadata.response_code = ResponseCode::NoError;
            let soa = SOA::new(name("ns.example"), name("root.example"), 1, 2, 3, 4, 5);
            let types = all.iter().filter(|record| record.name == end).map(Record::record_type);
            // Above a cut there is only what makes it.
            let types = types.filter(|kind| query.query_type != RecordType::DS || *kind == RecordType::NS);
            let nsec = NSEC::new_cover_self(end.prepend_label(&b"\0"[..]).unwrap(), types.collect::<Vec<_>>());
            message.authorities = vec![
                Record::from_rdata(zone.signer_name().clone(), 60, RData::SOA(soa)),
                Record::from_rdata(end, 60, RData::DNSSEC(DNSSECRData::NSEC(nsec))),
            ];
        }
        let answers = self.signatures(&message.answers, query.query_type, age);
        message.answers.extend(answers);
        let authorities = self.signatures(&message.authorities, query.query_type, age);
        message.authorities.extend(authorities);
    }

    fn signatures(&self, records: &[Record], asked: RecordType, age: time::Duration) -> Vec<Record> {
        let mut sets: Vec<RecordSet> = Vec::new();
        for record in records {
            let kind = record.record_type();
            if !sets.iter().any(|set| *set.name() == record.name && set.record_type() == kind) {
                sets.push(RecordSet::new(record.name.clone(), kind, 0));
            }
            let set = sets.iter_mut().find(|set| *set.name() == record.name && set.record_type() == kind).unwrap();
            set.insert(record.clone(), 0);
        }
        let inception = OffsetDateTime::now_utc() - age;
        let signature = |set: RecordSet| {
            // What there is not above a cut is denied above it.
            let kind = if set.record_type() == RecordType::NSEC { asked } else { set.record_type() };
            let signer = self.zone_of(set.name(), kind)?;
            let rrsig = RRSIG::from_rrset(&set, DNSClass::IN, inception, signer).unwrap();
            Some(Record::from_rdata(set.name().clone(), 60, RData::DNSSEC(DNSSECRData::RRSIG(rrsig))))
        };
        sets.into_iter().filter_map(signature).collect()
    }

    /// The zone that a record is in; none if that is not signed. A DS record stands above the cut.
    fn zone_of(&self, owner: &Name, kind: RecordType) -> Option<&DnssecSigner> {
        let holds = |zone: &Name| zone.zone_of(owner) && !(kind == RecordType::DS && zone == owner);
        let best = self.zones.iter().filter(|zone| holds(zone.signer_name())).max_by_key(|zone| zone.signer_name().num_labels())?;
        let cut = self.unsigned.iter().any(|zone| holds(zone) && zone.num_labels() > best.signer_name().num_labels());
        (!cut).then_some(best)
    }
}
