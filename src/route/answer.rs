//! Reading an answer of the DNS (RFC 1034 §3.6.2, 2308, 6604).
//!
//! Nothing in a message counts but the records of the name asked for, and of the names to which its aliases lead, in the
//! answer section. What else a server puts there, or beside it, was not asked for and proves nothing.

use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{TLSA, TXT};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, RecordType};

use super::{LookupFailure, LookupKind, LookupResult};
use crate::policy::Tlsa;
use crate::target::DomainName;

/// So many records of an answer are read; the rest is ignored.
const RECORDS_LIMIT: usize = 64;
/// So many texts: everybody wants to have one of their own at the same name to prove that it is theirs.
const TEXTS_LIMIT: usize = 256;
/// So many aliases are followed, as many as the resolvers in use allow at least.
const LINKS_LIMIT: usize = 8;

/// A name asked for, and the aliases followed from it.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    asked: Name,
    aliases: Vec<Name>,
}

impl Chain {
    /// A chain without aliases yet.
    pub(super) fn from(name: &str) -> Result<Self, ProtoError> {
        // A name made of labels is complete: no search list applies.
        Ok(Self { asked: Name::from_labels(name.split('.').map(str::as_bytes))?, aliases: Vec::new() })
    }

    /// The name whose records are wanted.
    pub(super) fn end(&self) -> &Name {
        self.aliases.last().unwrap_or(&self.asked)
    }

    /// How many aliases have been followed.
    pub(super) fn links(&self) -> usize {
        self.aliases.len()
    }

    /// The aliases after the first `skipped`. A name that no [`DomainName`] can hold is left out.
    pub(super) fn aliases(&self, skipped: usize) -> Vec<DomainName> {
        self.aliases.iter().skip(skipped).filter_map(domain_name).collect()
    }

    /// The name reached after `skipped` links, and those that follow.
    pub(super) fn names(&self, skipped: usize) -> Vec<Name> {
        [&self.asked].into_iter().chain(&self.aliases).skip(skipped).cloned().collect()
    }

    fn follow(&mut self, alias: &Name) -> Result<(), LookupFailure> {
        if self.links() == LINKS_LIMIT || self.asked == *alias || self.aliases.contains(alias) {
            return Err(LookupFailure::AliasLoop);
        }
        self.aliases.push(alias.clone());
        Ok(())
    }
}

/// How a lookup ended, for the name at the end of the chain.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Its records of the type asked for; at least one.
    Found(Vec<RData>),
    /// It has none.
    NoData,
    /// It does not exist.
    NxDomain,
    /// Nothing that could be used.
    Failed(LookupFailure),
}

impl Outcome {
    /// The same for a person.
    pub(super) fn result(&self) -> LookupResult {
        match self {
            Self::Found(records) => LookupResult::Found(records.iter().map(record_text).collect()),
            Self::NoData => LookupResult::NoData,
            Self::NxDomain => LookupResult::NxDomain,
            Self::Failed(failure) => LookupResult::Failed(*failure),
        }
    }
}

/// What one answer says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reading {
    /// The lookup ends here.
    Final(Outcome),
    /// Nothing of the end of the chain: it has to be asked for.
    Onward,
}

impl Reading {
    /// The same for a person.
    pub(super) fn result(&self) -> LookupResult {
        match self {
            Self::Final(outcome) => outcome.result(),
            Self::Onward => LookupResult::NoData,
        }
    }
}

/// Reads `message`, the answer to a question for `kind` at the end of `chain`, and extends the chain by the aliases in it.
pub(super) fn read(message: &Message, kind: LookupKind, chain: &mut Chain) -> Reading {
    let failed = |failure| Reading::Final(Outcome::Failed(failure));
    let exists = match message.metadata.response_code {
        ResponseCode::NoError => true,
        ResponseCode::NXDomain => false,
        ResponseCode::ServFail => return failed(LookupFailure::ServFail),
        ResponseCode::Refused => return failed(LookupFailure::Refused),
        other => return failed(LookupFailure::OtherCode(other.into())),
    };
    let links = chain.links();
    loop {
        let found = records(message, chain.end(), record_type(kind));
        if exists && !found.is_empty() {
            return Reading::Final(Outcome::Found(found));
        }
        let alias = records(message, chain.end(), RecordType::CNAME).into_iter().next();
        let Some(RData::CNAME(alias)) = alias else { break };
        if let Err(failure) = chain.follow(&alias.0) {
            return failed(failure);
        }
    }
    if !exists {
        // The response code is about the end of the chain (RFC 6604 §3).
        Reading::Final(Outcome::NxDomain)
    } else if chain.links() > links && !denies(message, chain.end()) {
        Reading::Onward
    } else {
        Reading::Final(Outcome::NoData)
    }
}

/// The type's code.
pub(super) const fn record_type(kind: LookupKind) -> RecordType {
    match kind {
        LookupKind::Mx => RecordType::MX,
        LookupKind::A => RecordType::A,
        LookupKind::Aaaa => RecordType::AAAA,
        LookupKind::Ptr => RecordType::PTR,
        LookupKind::Cname => RecordType::CNAME,
        LookupKind::Txt => RecordType::TXT,
        LookupKind::Tlsa => RecordType::TLSA,
    }
}

fn records(message: &Message, name: &Name, kind: RecordType) -> Vec<RData> {
    let limit = if kind == RecordType::TXT { TEXTS_LIMIT } else { RECORDS_LIMIT };
    let records = message.answers.iter().take(limit);
    records
        .filter(|record| record.dns_class == DNSClass::IN && record.record_type() == kind && record.name == *name)
        .map(|record| record.data.clone())
        .collect()
}

/// Whether the message says that `name` has no such record, instead of saying nothing about it: the SOA of a zone above tells
/// them apart (RFC 2308 §2.2).
fn denies(message: &Message, name: &Name) -> bool {
    let mut authorities = message.authorities.iter().take(RECORDS_LIMIT);
    authorities.any(|record| record.record_type() == RecordType::SOA && record.name.zone_of(name))
}

/// A name in ASCII, without the final dot unless it is the root. What is no letter, digit, hyphen or underscore is escaped.
pub(super) fn name_text(name: &Name) -> String {
    let mut text = name.to_ascii();
    if text.len() > 1 && text.ends_with('.') {
        text.pop();
    }
    text
}

/// The name, if it is one that a host or mail domain can have.
pub(super) fn domain_name(name: &Name) -> Option<DomainName> {
    name_text(name).parse().ok()
}

fn record_text(data: &RData) -> String {
    match data {
        RData::MX(mx) => format!("{} {}", mx.preference, name_text(&mx.exchange)),
        RData::PTR(name) => name_text(&name.0),
        RData::CNAME(name) => name_text(&name.0),
        RData::TXT(txt) => safe_text(&txt_text(txt)),
        RData::TLSA(record) => tlsa(record).to_string(),
        other => other.to_string(),
    }
}

/// The strings of a record joined, as whoever publishes more than 255 octets has to split them; what is no UTF-8 is replaced.
pub(super) fn txt_text(txt: &TXT) -> String {
    /// As much as any of the policies that are published in this way needs, many times over.
    const LIMIT: usize = 8192;
    let mut bytes = txt.txt_data.concat();
    bytes.truncate(LIMIT);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The record as it stands in the DNS, its numbers known or not.
pub(super) fn tlsa(record: &TLSA) -> Tlsa {
    let [usage, selector, matching]: [u8; 3] = [record.cert_usage.into(), record.selector.into(), record.matching.into()];
    (usage, selector, matching, record.cert_data.clone()).into()
}

/// The text without what could do something to a terminal.
fn safe_text(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}
