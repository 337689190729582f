//! The DNS of a mail world: what stands in it, and what a recursive resolver would say about each name (RFC 1034 §4.3.2,
//! RFC 2308 for names without data, RFC 8020 for names below which there is something), and whether it has validated that
//! (RFC 4035 §3.2.3).

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::tls::Certificate;
use super::tlsa::TlsaDraft;
use crate::target::DomainName;

/// Aliases followed in one answer; a loop ends here.
const CHAIN_LIMIT: usize = 8;
/// Seconds for which an answer may be kept.
const TTL: u32 = 300;
/// Octets in one string of a TXT record (RFC 1035 §3.3).
const STRING_LIMIT: usize = 255;

/// Names with their records. A name that is not in it does not exist.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Zone {
    /// By name, in lower case and without the final dot, and by type; [`RecordType::ANY`] stands for every other type.
    entries: BTreeMap<(String, RecordType), Entry>,
    /// The domains whose answers are authentic, with all that is below them.
    signed: Vec<DomainName>,
    /// The TLSA records of names, which stand among the entries only when [`Zone::settle`] has been told of certificates.
    drafts: BTreeMap<String, Vec<TlsaDraft>>,
}

/// What is said about one name and type.
#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Records(Vec<RData>),
    NoData,
    ServFail,
    Bogus,
    TimeOut,
}

/// What a resolver says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// Nothing at all.
    Silence,
    /// A reply; without a record of the type asked for, it is NXDOMAIN or "no data" by its code.
    Reply {
        code: ResponseCode,
        records: Vec<Record>,
        /// Whether all of it stands in signed domains.
        secure: bool,
    },
    /// What does not validate; to those who want it unchecked, the aliases that lead there.
    Bogus { unchecked: Vec<Record> },
}

/// What a scenario file gives for one name and type.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum Value {
    /// `"SERVFAIL"`, `"BOGUS"`, `"TIMEOUT"` or `"NODATA"`.
    Word(String),
    /// Records as they stand in a zone file, without name and type.
    Records(Vec<String>),
}

impl Zone {
    /// Adds what `key`, such as `demo.test MX` or `192.0.2.1 PTR`, is answered with.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn insert(&mut self, key: &str, value: &Value) -> Result<(), &'static str> {
        let (name, kind) = key.split_once(' ').ok_or("a name and a type belong there, such as \"demo.test MX\"")?;
        let kind = match kind.trim() {
            "A" => RecordType::A,
            "AAAA" => RecordType::AAAA,
            "MX" => RecordType::MX,
            "CNAME" => RecordType::CNAME,
            "PTR" => RecordType::PTR,
            "TXT" => RecordType::TXT,
            "TLSA" => RecordType::TLSA,
            "ANY" => RecordType::ANY,
            _ => return Err("the type is none of A, AAAA, MX, CNAME, PTR, TXT, TLSA and ANY"),
        };
        let name = match (kind, name.parse::<IpAddr>()) {
            (RecordType::PTR, Ok(address)) => Name::from(address),
            (RecordType::PTR, Err(_)) => return Err("a PTR record belongs to an address, such as \"192.0.2.1 PTR\""),
            _ => absolute(name)?,
        };
        let entry = match value {
            Value::Word(word) => match word.as_str() {
                "NODATA" => Entry::NoData,
                "SERVFAIL" => Entry::ServFail,
                "BOGUS" => Entry::Bogus,
                "TIMEOUT" => Entry::TimeOut,
                _ => return Err("the word is none of NODATA, SERVFAIL, BOGUS and TIMEOUT; records stand in brackets"),
            },
            Value::Records(texts) if texts.is_empty() => return Err("no record stands in the brackets; \"NODATA\" says so"),
            Value::Records(texts) if kind == RecordType::CNAME && texts.len() > 1 => return Err("a name has only one CNAME"),
            Value::Records(texts) if kind == RecordType::TLSA => {
                let drafts = texts.iter().map(|text| TlsaDraft::parse(text)).collect::<Result<_, _>>()?;
                self.drafts.insert(key_of(&name), drafts);
                return Ok(());
            }
            Value::Records(texts) => Entry::Records(texts.iter().map(|text| record(kind, text)).collect::<Result<_, _>>()?),
        };
        self.entries.insert((key_of(&name), kind), entry);
        Ok(())
    }

    /// Lets what is said about these domains, and about names below them, be authentic.
    pub(super) fn sign(&mut self, domains: Vec<DomainName>) {
        self.signed = domains;
    }

    /// The names with TLSA records that match a server's own certificate.
    pub(super) fn owners_of_own(&self) -> impl Iterator<Item = &str> {
        let drafted = self.drafts.iter().filter(|(_, drafts)| drafts.iter().any(TlsaDraft::is_own));
        drafted.map(|(owner, _)| owner.as_str())
    }

    /// Puts the TLSA records in: `own` tells the certificates shown at the place that a name speaks of.
    pub(super) fn settle<'a>(&mut self, issuer: &Certificate, own: impl Fn(&str) -> Vec<&'a Certificate>) {
        for (owner, drafts) in std::mem::take(&mut self.drafts) {
            let own = own(&owner);
            let records = drafts.iter().flat_map(|draft| draft.records(&own, issuer)).map(RData::TLSA).collect();
            self.entries.insert((owner, RecordType::TLSA), Entry::Records(records));
        }
    }

    /// What is said about `name`, aliases followed.
    pub(super) fn answer(&self, name: &Name, kind: RecordType) -> Answer {
        let mut records = Vec::new();
        let mut owner = name.clone();
        let mut secure = true;
        for _ in 0..CHAIN_LIMIT {
            let key = key_of(&owner);
            secure &= self.signed.iter().any(|domain| is_within(&key, domain.as_str()));
            match self.entry(&key, kind) {
                Some(Entry::Records(found)) => {
                    records.extend(found.iter().map(|data| Record::from_rdata(owner.clone(), TTL, data.clone())));
                    break;
                }
                Some(Entry::NoData) => break,
                Some(Entry::ServFail) => return Answer::Reply { code: ResponseCode::ServFail, records: Vec::new(), secure: false },
                Some(Entry::Bogus) => return Answer::Bogus { unchecked: records },
                Some(Entry::TimeOut) => return Answer::Silence,
                None => {}
            }
            match self.alias(&key) {
                Some(target) => {
                    records.push(Record::from_rdata(owner, TTL, RData::CNAME(CNAME(target.clone()))));
                    owner = target.clone();
                }
                None if self.exists(&key) => break,
                // The code tells of the last name in the chain (RFC 6604 §3).
                None => return Answer::Reply { code: ResponseCode::NXDomain, records, secure },
            }
        }
        Answer::Reply { code: ResponseCode::NoError, records, secure }
    }

    /// Every address in it.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let records = self.entries.values().filter_map(|entry| if let Entry::Records(records) = entry { Some(records) } else { None });
        records.flatten().filter_map(address)
    }

    /// The addresses to which `name` leads.
    pub(super) fn addresses_of(&self, name: &str) -> Vec<IpAddr> {
        let Ok(name) = absolute(name) else { return Vec::new() };
        let records = [RecordType::A, RecordType::AAAA].into_iter().flat_map(|kind| match self.answer(&name, kind) {
            Answer::Reply { records, .. } => records,
            Answer::Silence | Answer::Bogus { .. } => Vec::new(),
        });
        records.filter_map(|record| address(&record.data)).collect()
    }

    /// The names that lead to one of `addresses`: those that have it as a record first, then aliases.
    fn names_of(&self, addresses: &[IpAddr]) -> Vec<String> {
        let leads_there = |name: &str| self.addresses_of(name).iter().any(|found| addresses.contains(found));
        let mut names: Vec<String> = self.entries.keys().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names.retain(|name| leads_there(name));
        names.sort_by_key(|name| self.alias(name).is_some());
        names
    }

    /// The same, or the addresses themselves if they have no name.
    pub(super) fn names_or_addresses(&self, addresses: &[IpAddr]) -> Vec<String> {
        let names = self.names_of(addresses);
        if names.is_empty() { addresses.iter().map(IpAddr::to_string).collect() } else { names }
    }

    fn entry(&self, key: &str, kind: RecordType) -> Option<&Entry> {
        let at = |kind| self.entries.get(&(key.to_owned(), kind));
        at(kind).or_else(|| at(RecordType::ANY))
    }

    fn alias(&self, key: &str) -> Option<&Name> {
        match self.entries.get(&(key.to_owned(), RecordType::CNAME)) {
            Some(Entry::Records(records)) => {
                records.iter().find_map(|data| if let RData::CNAME(target) = data { Some(&target.0) } else { None })
            }
            _ => None,
        }
    }

    /// Whether there is anything at the name or below it.
    fn exists(&self, key: &str) -> bool {
        self.entries.keys().any(|(name, _)| is_within(name, key))
    }
}

/// Whether `name` is the domain, or is below it.
fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    }
}

fn record(kind: RecordType, text: &str) -> Result<RData, &'static str> {
    match kind {
        RecordType::A => text.parse().map(|a| RData::A(A(a))).map_err(|_| "an A record is an IPv4 address"),
        RecordType::AAAA => text.parse().map(|a| RData::AAAA(AAAA(a))).map_err(|_| "an AAAA record is an IPv6 address"),
        RecordType::CNAME => Ok(RData::CNAME(CNAME(absolute(text)?))),
        RecordType::PTR => Ok(RData::PTR(PTR(absolute(text)?))),
        RecordType::MX => {
            let wrong = "an MX record is a preference and a name, such as \"10 mx1.demo.test\"";
            let (preference, exchange) = text.split_once(' ').ok_or(wrong)?;
            Ok(RData::MX(MX::new(preference.parse().map_err(|_| wrong)?, absolute(exchange.trim())?)))
        }
        RecordType::TXT => Ok(RData::TXT(txt(text))),
        _ => Err("ANY takes only a word: NODATA, SERVFAIL, BOGUS or TIMEOUT"),
    }
}

/// The text in as many strings as it needs; without text, one that is empty (RFC 1035 §3.3.14).
fn txt(text: &str) -> TXT {
    let strings: Vec<&[u8]> = if text.is_empty() { vec![b""] } else { text.as_bytes().chunks(STRING_LIMIT).collect() };
    TXT::from_bytes(strings)
}

fn absolute(text: &str) -> Result<Name, &'static str> {
    let mut name = Name::from_ascii(text).map_err(|_| "a name is wrong")?;
    name.set_fqdn(true);
    Ok(name)
}

fn key_of(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(entries: &[(&str, &[&str])]) -> Zone {
        let mut zone = Zone::default();
        for (key, texts) in entries {
            let value = match texts {
                [word] if word.chars().all(|c| c.is_ascii_uppercase()) => Value::Word((*word).to_owned()),
                _ => Value::Records(texts.iter().map(|text| (*text).to_owned()).collect()),
            };
            zone.insert(key, &value).expect(key);
        }
        zone
    }

    fn ask(zone: &Zone, name: &str, kind: RecordType) -> String {
        match zone.answer(&absolute(name).unwrap(), kind) {
            Answer::Silence => "silence".to_owned(),
            Answer::Reply { code, records, .. } => format!("{code:?} {}", texts(&records)).trim().to_owned(),
            Answer::Bogus { unchecked } => format!("bogus {}", texts(&unchecked)).trim().to_owned(),
        }
    }

    fn texts(records: &[Record]) -> String {
        records.iter().map(|r| format!("{} {}", r.name, r.data)).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn each_kind_of_answer_is_given() {
        let zone = zone(&[
            ("Demo.test MX", &["10 mx1.demo.test", "20 mx2.demo.test."]),
            ("mx1.demo.test A", &["192.0.2.1"]),
            ("alias.test CNAME", &["demo.test"]),
            ("dangling.test CNAME", &["gone.test"]),
            ("loop.test CNAME", &["loop.test"]),
            ("null.test MX", &["0 ."]),
            ("bare.test MX", &["NODATA"]),
            ("broken.test ANY", &["SERVFAIL"]),
            ("mute.test A", &["TIMEOUT"]),
            ("bogus.test MX", &["BOGUS"]),
            ("to.bogus.test CNAME", &["bogus.test"]),
            ("_mta-sts.demo.test TXT", &["v=STSv1; id=1;", "\u{e4}"]),
            ("_25._tcp.mx1.demo.test TLSA", &["SERVFAIL"]),
            ("192.0.2.1 PTR", &["mx1.demo.test"]),
            ("2001:db8::1 PTR", &["SERVFAIL"]),
        ]);
        for (name, kind, expected) in [
            ("demo.test", RecordType::MX, "NoError demo.test. 10 mx1.demo.test., demo.test. 20 mx2.demo.test."),
            ("DEMO.test", RecordType::A, "NoError"),
            ("mx1.demo.test", RecordType::A, "NoError mx1.demo.test. 192.0.2.1"),
            ("mx1.demo.test", RecordType::AAAA, "NoError"),
            ("mx2.demo.test", RecordType::A, "NXDomain"),
            ("test", RecordType::A, "NoError"),
            ("xdemo.test", RecordType::A, "NXDomain"),
            ("alias.test", RecordType::MX, "NoError alias.test. demo.test., demo.test. 10 mx1.demo.test., demo.test. 20 mx2.demo.test."),
            ("alias.test", RecordType::CNAME, "NoError alias.test. demo.test."),
            ("alias.test", RecordType::A, "NoError alias.test. demo.test."),
            ("dangling.test", RecordType::A, "NXDomain dangling.test. gone.test."),
            ("null.test", RecordType::MX, "NoError null.test. 0 ."),
            ("bare.test", RecordType::MX, "NoError"),
            ("bare.test", RecordType::A, "NoError"),
            ("broken.test", RecordType::MX, "ServFail"),
            ("broken.test", RecordType::AAAA, "ServFail"),
            ("mute.test", RecordType::A, "silence"),
            ("mute.test", RecordType::AAAA, "NoError"),
            ("_25._tcp.mx1.demo.test", RecordType::TLSA, "ServFail"),
            ("_tcp.mx1.demo.test", RecordType::TLSA, "NoError"),
            ("bogus.test", RecordType::MX, "bogus"),
            ("bogus.test", RecordType::A, "NoError"),
            ("to.bogus.test", RecordType::MX, "bogus to.bogus.test. bogus.test."),
            ("_MTA-STS.demo.test", RecordType::TXT, "NoError _MTA-STS.demo.test. v=STSv1; id=1;, _MTA-STS.demo.test. \u{e4}"),
            ("1.2.0.192.in-addr.arpa", RecordType::PTR, "NoError 1.2.0.192.in-addr.arpa. mx1.demo.test."),
            ("2.2.0.192.in-addr.arpa", RecordType::PTR, "NXDomain"),
            ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", RecordType::PTR, "ServFail"),
        ] {
            assert_eq!(ask(&zone, name, kind), expected, "{name} {kind}");
        }
        assert_eq!(ask(&zone, "loop.test", RecordType::A).matches("loop.test. loop.test.").count(), CHAIN_LIMIT);
    }

    #[test]
    fn an_answer_is_authentic_if_all_names_on_its_way_are_signed() {
        let mut zone = zone(&[
            ("signed.test MX", &["10 mx.signed.test"]),
            ("mx.signed.test A", &["192.0.2.1"]),
            ("inner.signed.test CNAME", &["mx.signed.test"]),
            ("outer.signed.test CNAME", &["plain.test"]),
            ("gone.signed.test CNAME", &["nothing.plain.test"]),
            ("plain.test A", &["192.0.2.2"]),
            ("in.plain.test CNAME", &["mx.signed.test"]),
            ("broken.signed.test ANY", &["SERVFAIL"]),
        ]);
        zone.sign(vec!["Signed.test".parse().unwrap()]);
        for (name, kind, expected) in [
            ("signed.test", RecordType::MX, true),
            ("SIGNED.test", RecordType::AAAA, true),
            ("nothing.signed.test", RecordType::A, true),
            ("inner.signed.test", RecordType::A, true),
            ("outer.signed.test", RecordType::A, false),
            ("outer.signed.test", RecordType::CNAME, true),
            ("gone.signed.test", RecordType::A, false),
            ("plain.test", RecordType::A, false),
            ("in.plain.test", RecordType::A, false),
            ("unsigned.test", RecordType::A, false),
            ("test", RecordType::A, false),
            ("broken.signed.test", RecordType::A, false),
        ] {
            match zone.answer(&absolute(name).unwrap(), kind) {
                Answer::Reply { secure, .. } => assert_eq!(secure, expected, "{name} {kind}"),
                other => panic!("{name} {kind}: {other:?}"),
            }
        }
    }

    #[test]
    fn tlsa_records_stand_in_it_once_certificates_are_known() {
        let certificate = |text: &str| Certificate { der: text.into(), key: text.into() };
        let (own, issuer) = (certificate("\u{1}"), certificate("\u{2}"));
        let mut zone = zone(&[
            ("_25._tcp.MX1.demo.test TLSA", &["3 1 0 own", "2 0 0 issuer", "3 1 1 abcd"]),
            ("_25._tcp.mx2.demo.test TLSA", &["2 0 0 issuer"]),
        ]);
        assert_eq!(zone.owners_of_own().collect::<Vec<_>>(), ["_25._tcp.mx1.demo.test"]);
        zone.settle(&issuer, |owner| if owner == "_25._tcp.mx1.demo.test" { vec![&own] } else { Vec::new() });
        for (name, numbers) in [("_25._tcp.mx1.demo.test", &[(3, 1), (2, 2), (3, 0xab)][..]), ("_25._tcp.mx2.demo.test", &[(2, 2)])] {
            let Answer::Reply { records, .. } = zone.answer(&absolute(name).unwrap(), RecordType::TLSA) else { panic!("{name}") };
            let got: Vec<(u8, u8)> = records
                .iter()
                .filter_map(
                    |record| if let RData::TLSA(tlsa) = &record.data { Some((tlsa.cert_usage.into(), tlsa.cert_data[0])) } else { None },
                )
                .collect();
            assert_eq!(got, numbers, "{name}");
        }
    }

    #[test]
    fn a_text_has_as_many_strings_as_it_needs() {
        for (length, strings) in [(0, &[0][..]), (1, &[1]), (255, &[255]), (256, &[255, 1]), (600, &[255, 255, 90])] {
            let text = txt(&"x".repeat(length));
            assert_eq!(text.txt_data.iter().map(|string| string.len()).collect::<Vec<_>>(), strings);
        }
    }

    #[test]
    fn a_server_is_known_by_its_own_names_before_its_aliases() {
        let zone = zone(&[
            ("a.demo.test CNAME", &["mx1.demo.test"]),
            ("mx1.demo.test A", &["192.0.2.1"]),
            ("mx1.demo.test AAAA", &["2001:db8::1"]),
            ("mx2.demo.test A", &["192.0.2.2"]),
        ]);
        assert_eq!(zone.names_of(&["192.0.2.1".parse().unwrap()]), ["mx1.demo.test", "a.demo.test"]);
        assert_eq!(zone.names_of(&["192.0.2.9".parse().unwrap()]), Vec::<String>::new());
        assert_eq!(zone.addresses().count(), 3);
    }

    #[test]
    fn what_is_wrong_in_a_file_is_said() {
        let records = |texts: &[&str]| Value::Records(texts.iter().map(|text| (*text).to_owned()).collect());
        for (key, value, word) in [
            ("demo.test", records(&["192.0.2.1"]), "a name and a type"),
            ("demo.test SRV", records(&["x"]), "none of A"),
            ("demo.test A", records(&["2001:db8::1"]), "IPv4"),
            ("demo.test AAAA", records(&["192.0.2.1"]), "IPv6"),
            ("demo.test MX", records(&["mx1.demo.test"]), "preference"),
            ("demo.test MX", records(&["x mx1.demo.test"]), "preference"),
            ("demo.test MX", records(&["10 mx1..test"]), "name is wrong"),
            ("demo.test CNAME", records(&["a.test", "b.test"]), "only one"),
            ("demo.test PTR", records(&["a.test"]), "belongs to an address"),
            ("_25._tcp.demo.test TLSA", records(&["3 1 1"]), "three numbers"),
            ("demo.test A", records(&[]), "no record"),
            ("demo.test ANY", records(&["192.0.2.1"]), "only a word"),
            ("demo.test A", Value::Word("NXDOMAIN".to_owned()), "none of NODATA"),
        ] {
            let error = Zone::default().insert(key, &value).expect_err(key);
            assert!(error.contains(word), "{key}: {error}");
        }
    }
}
