//! DKIM keys as published (RFC 6376 §3.6.1, RFC 8301, RFC 8463): whether anybody can verify a signature with them.

mod key;
#[cfg(test)]
mod tests;

pub use self::key::{Fault, FaultKind, Key, Material, Remark, RemarkKind, Strength};

use super::{Answered, Dns, Query};
use crate::route::{LookupFailure, LookupKind, NameFault, QueryName, Record, Records};
use crate::target::DomainName;

/// RSA keys of fewer bits verify nothing (RFC 8301 §3.2).
pub const RSA_LEAST: usize = 1024;
/// RSA keys should have so many bits (RFC 8301 §3.2).
pub const RSA_ADVISED: usize = 2048;
/// RSA keys of more bits need not be understood by anybody (RFC 8301 §3.2).
pub const RSA_MOST: usize = 4096;

/// A record of so many octets holds any key that is in use, many times over; of a longer one the rest is not read.
const TEXT_LIMIT: usize = 8192;

/// The key of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The selector as given.
    pub selector: String,
    /// The domain that signs.
    pub domain: DomainName,
    /// The question asked; none if no query can carry the name.
    pub query: Option<Query>,
    /// The record's text, its strings joined, at most 8192 octets; what is no UTF-8 is replaced. None if there is not exactly one.
    pub text: Option<String>,
    /// The key, or why there is none.
    pub key: Result<Key, Problem>,
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No query can carry the name.
    #[error("no query can carry the selector's name: {0}")]
    Name(NameFault),
    /// There is no record.
    #[error("there is no key at that name")]
    Absent,
    /// There are several records: what a verifier does then is not defined (RFC 6376 §3.6.2.2).
    #[error("there are {0} records at that name where one has to be")]
    Several(usize),
    /// It could not be looked up.
    #[error("it could not be looked up ({})", .0.as_str())]
    Lookup(LookupFailure),
    /// The record is wrong.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Problem {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Absent => "absent",
            Self::Several(_) => "several",
            Self::Lookup(_) => "lookup",
            Self::Fault(_) => "fault",
        }
    }
}

/// Looks the key of `selector` up, at `<selector>._domainkey.<domain>`.
pub async fn look_up<D: Dns>(selector: &str, domain: &DomainName, dns: &D) -> Published {
    let name = format!("{selector}._domainkey.{domain}").parse::<QueryName>();
    let mut published =
        Published { selector: selector.to_owned(), domain: domain.clone(), query: None, text: None, key: Err(Problem::Absent) };
    let name = match name {
        Ok(name) => name,
        Err(fault) => {
            published.key = Err(Problem::Name(fault));
            return published;
        }
    };
    let records = dns.ask(&name, LookupKind::Txt).await;
    let query = Query::new(&name, LookupKind::Txt, &records);
    let texts: Vec<&[u8]> = match &records {
        Records::Found(records) => {
            records.iter().filter_map(|record| if let Record::Text(text) = record { Some(&text[..]) } else { None }).collect()
        }
        _ => Vec::new(),
    };
    published.key = match (query.answer, &texts[..]) {
        (Answered::Failed(failure), _) => Err(Problem::Lookup(failure)),
        (_, []) => Err(Problem::Absent),
        (_, [text]) => {
            let text = String::from_utf8_lossy(text.get(..TEXT_LIMIT).unwrap_or(text)).into_owned();
            let key = Key::read(&text).map_err(Problem::Fault);
            published.text = Some(text);
            key
        }
        (_, several) => Err(Problem::Several(several.len())),
    };
    published.query = Some(query);
    published
}
