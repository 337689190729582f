//! The walk from a domain up to its top-level domain, and what it tells of the organizational domain (RFC 9989 §4.10).

use super::WALK_LIMIT;
use super::record::{Psd, Record, is_meant_as_record, is_record};
use crate::route::{self, LookupFailure, LookupKind, QueryName, Records};
use crate::sender::tags::shown;
use crate::sender::{Dns, Query};
use crate::target::DomainName;

/// A name asked for a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The domain; the question is for `_dmarc.` before it.
    pub domain: String,
    /// What is there.
    pub found: Found,
}

/// What there is at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A record.
    Record {
        /// As it stands there, at most 4096 octets; what is no UTF-8 is replaced.
        text: String,
        /// What it says.
        record: Box<Record>,
    },
    /// None.
    Absent,
    /// None, but a text that seems to be meant as one; its beginning.
    Misspelt(String),
    /// So many records, so that none counts.
    Several(usize),
    /// It could not be looked up.
    Failed(LookupFailure),
}

impl Found {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Record { .. } => "record",
            Self::Absent => "absent",
            Self::Misspelt(_) => "misspelt",
            Self::Several(_) => "several",
            Self::Failed(_) => "failed",
        }
    }
}

impl Visit {
    pub(super) fn record(&self) -> Option<&Record> {
        if let Found::Record { record, .. } = &self.found { Some(record) } else { None }
    }
}

/// What a walk comes to.
pub(super) struct Walk {
    pub(super) visits: Vec<Visit>,
    pub(super) organization: String,
}

/// Walks, and remembers what was asked.
pub(super) struct Walker<'a, D> {
    dns: &'a D,
    queries: Vec<Query>,
    /// What was found at each domain visited: another walk may come by.
    known: Vec<Visit>,
}

impl<'a, D: Dns> Walker<'a, D> {
    pub(super) const fn new(dns: &'a D) -> Self {
        Self { dns, queries: Vec::new(), known: Vec::new() }
    }

    pub(super) fn into_queries(self) -> Vec<Query> {
        self.queries
    }

    pub(super) fn failure(&self) -> Option<LookupFailure> {
        self.queries.iter().find_map(|query| if let crate::sender::Answered::Failed(failure) = query.answer { Some(failure) } else { None })
    }

    pub(super) async fn ask(&mut self, name: &QueryName, kind: LookupKind) -> Records {
        let records = self.dns.ask(name, kind).await;
        self.queries.push(Query::new(name, kind, &records));
        records
    }

    /// Walks up from `domain`.
    pub(super) async fn walk(&mut self, domain: &DomainName) -> Walk {
        let mut visits: Vec<Visit> = Vec::new();
        for name in names(domain.as_str()) {
            let visit = self.visit(name).await;
            let ends = visit.record().is_some_and(|record| record.psd != Psd::Unsaid);
            visits.push(visit);
            if ends {
                break;
            }
        }
        let organization = organization(domain.as_str(), &visits);
        Walk { visits, organization }
    }

    async fn visit(&mut self, domain: &str) -> Visit {
        if let Some(known) = self.known.iter().find(|visit| visit.domain == domain) {
            return known.clone();
        }
        let found = match format!("_dmarc.{domain}").parse::<QueryName>() {
            Ok(name) => found(&self.ask(&name, LookupKind::Txt).await),
            // A name that is too long for it has none.
            Err(_) => Found::Absent,
        };
        let visit = Visit { domain: domain.to_owned(), found };
        self.known.push(visit.clone());
        visit
    }
}

/// The domains on the way up: the domain itself, then from its last seven labels on, label by label.
fn names(domain: &str) -> impl Iterator<Item = &str> {
    let ends = domain.match_indices('.').filter_map(|(dot, _)| domain.get(dot + 1..));
    let above: Vec<&str> = ends.collect();
    let skipped = above.len().saturating_sub(WALK_LIMIT - 1);
    [domain].into_iter().chain(above.into_iter().skip(skipped))
}

/// The organizational domain, from what was found on the way up (§4.10.2).
fn organization(domain: &str, visits: &[Visit]) -> String {
    for (index, visit) in visits.iter().enumerate() {
        match visit.record().map(|record| record.psd) {
            Some(Psd::No) => return visit.domain.clone(),
            Some(Psd::Yes) if index > 0 => return one_label_below(&visit.domain, domain),
            _ => {}
        }
    }
    visits.iter().rev().find(|visit| visit.record().is_some()).map_or_else(|| domain.to_owned(), |visit| visit.domain.clone())
}

/// The domain one label below `upper` on the way down to `domain`.
fn one_label_below(upper: &str, domain: &str) -> String {
    let rest = domain.strip_suffix(upper).and_then(|rest| rest.strip_suffix('.')).unwrap_or_default();
    rest.rsplit('.').next().filter(|label| !label.is_empty()).map_or_else(|| domain.to_owned(), |label| format!("{label}.{upper}"))
}

fn found(records: &Records) -> Found {
    /// More than any record needs.
    const LIMIT: usize = 4096;
    let records = match records {
        Records::Found(records) => records.as_slice(),
        Records::NoData | Records::NxDomain => return Found::Absent,
        Records::Failed(failure) => return Found::Failed(*failure),
    };
    let texts: Vec<String> = records
        .iter()
        .filter_map(|record| if let route::Record::Text(text) = record { Some(text) } else { None })
        .map(|text| String::from_utf8_lossy(text.get(..LIMIT).unwrap_or(text)).into_owned())
        .collect();
    let mut of_this_kind = texts.iter().filter(|text| is_record(text));
    match (of_this_kind.next(), of_this_kind.count()) {
        (Some(text), 0) => Found::Record { text: text.clone(), record: Box::new(Record::read(text)) },
        (Some(_), more) => Found::Several(more + 1),
        (None, _) => texts.iter().find(|text| is_meant_as_record(text)).map_or(Found::Absent, |text| Found::Misspelt(shown(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_shortened_at_once() {
        for (domain, expected) in [
            ("example.com", &["example.com", "com"][..]),
            ("com", &["com"]),
            ("a.b.c.d.e.f.g", &["a.b.c.d.e.f.g", "b.c.d.e.f.g", "c.d.e.f.g", "d.e.f.g", "e.f.g", "f.g", "g"]),
            ("a.b.c.d.e.f.g.h", &["a.b.c.d.e.f.g.h", "b.c.d.e.f.g.h", "c.d.e.f.g.h", "d.e.f.g.h", "e.f.g.h", "f.g.h", "g.h", "h"]),
            ("a.b.c.d.e.f.g.h.i.j", &["a.b.c.d.e.f.g.h.i.j", "d.e.f.g.h.i.j", "e.f.g.h.i.j", "f.g.h.i.j", "g.h.i.j", "h.i.j", "i.j", "j"]),
        ] {
            assert_eq!(names(domain).collect::<Vec<_>>(), expected);
        }
    }
}
