//! Reads the public test suite of SPF (openspf.org, release 2014.04): groups of cases, each with the DNS that they are asked of.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Yaml};
use smtpprobe::route::{LookupFailure, LookupKind, QueryName, Record, Records};
use smtpprobe::sender::Dns;
use smtpprobe::sender::spf::Question;

/// Aliases followed in one answer.
const ALIASES: usize = 8;

/// Cases that share a zone.
pub(crate) struct Group {
    pub(crate) cases: Vec<Case>,
    pub(crate) zone: Zone,
}

/// What is asked, and what may come out.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) question: Question,
    /// Any of these.
    pub(crate) results: Vec<String>,
    /// `DEFAULT` is none.
    pub(crate) explanation: Option<String>,
}

/// Names, in lower case, with what is said of them.
#[derive(Clone, Default)]
pub(crate) struct Zone(BTreeMap<String, Entry>);

#[derive(Clone, Default)]
struct Entry {
    records: Vec<(LookupKind, Record)>,
    alias: Option<QueryName>,
    /// Whether a question of any other type has no answer.
    silent: bool,
}

/// The suite; none, with the reason on standard error, if it is not there.
pub(crate) fn read() -> Option<Vec<Group>> {
    let named = std::env::var_os("SMTPPROBE_SHARED");
    let shared = named.as_ref().map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let file = shared.join("rfc/rfc7208-tests.yml");
    let Ok(text) = fs::read_to_string(&file) else {
        let must = named.is_some() && std::env::var_os("SMTPPROBE_TESTS_MUST_RUN").is_some_and(|value| value == "1");
        assert!(!must, "there is no {}", file.display());
        eprintln!("skipped: there is no {}", file.display());
        return None;
    };
    Some(Yaml::load_from_str(&text).expect("the suite is YAML").iter().map(group).collect())
}

fn group(document: &Yaml<'_>) -> Group {
    let cases = document["tests"].as_mapping().expect("cases");
    let zone = document["zonedata"].as_mapping().expect("a zone");
    Group {
        cases: cases.iter().map(|(name, case)| self::case(text(name), case)).collect(),
        zone: Zone(zone.iter().map(|(name, data)| (text(name).to_ascii_lowercase(), entry(data))).collect()),
    }
}

fn case(name: String, case: &Yaml<'_>) -> Case {
    let field = |name: &str| text(&case[name]);
    let results = case["result"].as_vec().map_or_else(|| vec![field("result")], |several| several.iter().map(text).collect());
    let explanation = case.as_mapping_get("explanation").map(text);
    let question = Question {
        address: field("host").parse().expect("an address"),
        sender: field("mailfrom"),
        hello: field("helo"),
        receiver: "unknown".to_owned(),
        time: 0,
    };
    Case { name, question, results, explanation }
}

fn entry(data: &Yaml<'_>) -> Entry {
    let mut entry = Entry::default();
    let (mut texts, mut policies): (Vec<Record>, Vec<Record>) = (Vec::new(), Vec::new());
    // A TXT entry, be it that there is none, tells that entries of type SPF do not stand for TXT records.
    let mut has_texts = false;
    for item in data.as_vec().expect("a list") {
        let Some(records) = item.as_mapping() else {
            assert_eq!(text(item), "TIMEOUT");
            entry.silent = true;
            continue;
        };
        for (kind, value) in records {
            let name = |value: &Yaml<'_>| text(value).parse::<QueryName>().ok();
            match text(kind).as_str() {
                "A" => entry.records.push((LookupKind::A, address(value))),
                "AAAA" => entry.records.push((LookupKind::Aaaa, address(value))),
                "MX" => {
                    let preference = value[0].as_integer().and_then(|number| number.try_into().ok()).expect("a preference");
                    entry.records.push((LookupKind::Mx, Record::Exchange(preference, name(&value[1]))));
                }
                "PTR" => entry.records.push((LookupKind::Ptr, Record::Pointer(name(value)))),
                "CNAME" => entry.alias = name(value),
                "SPF" => policies.push(strings(value)),
                "TXT" => {
                    has_texts = true;
                    texts.extend(Some(strings(value)).filter(|text| *text != Record::Text(b"NONE".to_vec())));
                }
                other => panic!("{other} is no type of record"),
            }
        }
    }
    let texts = if has_texts { texts } else { policies };
    entry.records.extend(texts.into_iter().map(|text| (LookupKind::Txt, text)));
    entry
}

fn text(value: &Yaml<'_>) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value:?} is no text")).to_owned()
}

fn address(value: &Yaml<'_>) -> Record {
    Record::Address(text(value).parse::<IpAddr>().expect("an address"))
}

/// The strings of a TXT record joined; `\x80` in the suite is an octet.
fn strings(value: &Yaml<'_>) -> Record {
    let joined = value.as_vec().map_or_else(|| text(value), |parts| parts.iter().map(text).collect());
    Record::Text(joined.chars().map(|c| u8::try_from(u32::from(c)).expect("an octet")).collect())
}

impl Zone {
    /// Adds a record of type A, AAAA, MX, PTR or TXT.
    pub(crate) fn add(&mut self, name: &str, kind: &str, data: &str) {
        let host = || data.parse::<QueryName>().ok();
        let record = match kind {
            "A" => (LookupKind::A, Record::Address(data.parse().expect("an address"))),
            "AAAA" => (LookupKind::Aaaa, Record::Address(data.parse().expect("an address"))),
            "MX" => (LookupKind::Mx, Record::Exchange(10, host())),
            "PTR" => (LookupKind::Ptr, Record::Pointer(host())),
            "TXT" => (LookupKind::Txt, Record::Text(data.as_bytes().to_vec())),
            other => panic!("{other} is no type of record"),
        };
        self.0.entry(name.to_owned()).or_default().records.push(record);
    }

    /// What is said of `name`, with the aliases that lead to it.
    pub(crate) fn find(&self, name: &QueryName, kind: LookupKind) -> Records {
        let mut key = name.as_str().to_ascii_lowercase();
        for _ in 0..ALIASES {
            let Some(entry) = self.0.get(&key) else {
                let below = format!(".{key}");
                return if self.0.keys().any(|other| other.ends_with(&below)) { Records::NoData } else { Records::NxDomain };
            };
            let found: Vec<Record> = entry.records.iter().filter(|(own, _)| *own == kind).map(|(_, record)| record.clone()).collect();
            match &entry.alias {
                _ if !found.is_empty() => return Records::Found(found),
                Some(alias) => key = alias.as_str().to_ascii_lowercase(),
                None if entry.silent => return Records::Failed(LookupFailure::TimedOut),
                None => return Records::NoData,
            }
        }
        Records::Failed(LookupFailure::AliasLoop)
    }
}

impl Dns for Zone {
    async fn ask(&self, name: &QueryName, kind: LookupKind) -> Records {
        self.find(name, kind)
    }
}
