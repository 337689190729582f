//! From facts and findings to the shape of the contract.

use std::time::{Duration, SystemTime};

use super::{
    DkimPart, DmarcPart, HelloPart, ListPart, PointerPart, RecordFaultPart, SCHEMA, SenderPart, SenderReport, SentFromPart, SpfPart,
    VisitPart,
};
use crate::diagnosis::{Finding, OwnSide};
use crate::knowledge::Knowledge;
use crate::report::build::{finding, timestamp};
use crate::report::explanation::ListingPart;
use crate::report::published::millis;
use crate::sender::dkim::{Problem, Published};
use crate::sender::dmarc::{Dmarc, Found, Visit};
use crate::sender::{AddressFacts, Forward, Generic, Pointer, Pointers, Sender};

/// Puts the sender's own side alone into the shape of the contract.
#[must_use]
pub fn report(sender: &Sender, findings: &[Finding], started_at: SystemTime, took: Duration, knowledge: &Knowledge) -> SenderReport {
    SenderReport {
        schema: SCHEMA.to_owned(),
        started_at: timestamp(started_at),
        duration_ms: millis(took),
        sender: part(sender, findings, knowledge),
        findings: findings.iter().map(|found| finding(knowledge, found)).collect(),
    }
}

/// The same without its head and its findings, as a part of another report.
#[must_use]
pub fn part(sender: &Sender, findings: &[Finding], knowledge: &Knowledge) -> SenderPart {
    SenderPart {
        state: OwnSide::of(sender, findings).as_str().to_owned(),
        from: sender.from.as_ref().map(ToString::to_string),
        helo: sender.hello.as_ref().map(|hello| HelloPart {
            name: hello.name.to_string(),
            addresses: hello.addresses.as_ref().and_then(|known| known.as_ref().ok()).cloned().unwrap_or_default(),
            failure: hello.addresses.as_ref().and_then(|known| known.as_ref().err()).map(|failure| failure.as_str().to_owned()),
            faults: hello.faults(&sender.seen(), &sender.targets).iter().map(|fault| fault.as_str().to_owned()).collect(),
        }),
        addresses: sender.addresses.iter().map(address).collect(),
        hidden: sender.hidden.clone(),
        dmarc: sender.dmarc.as_ref().map(dmarc),
        dkim: sender.keys.iter().map(dkim).collect(),
        listings: sender.listings.iter().map(|listing| ListingPart::of_own(listing, knowledge)).collect(),
        lists: lists(sender, knowledge),
    }
}

fn address(known: &AddressFacts) -> SentFromPart {
    SentFromPart {
        address: known.egress.address,
        known: known.egress.known.as_str().to_owned(),
        local: known.egress.local.filter(|_| known.egress.is_translated()),
        pointers: known.pointers.all().iter().map(pointer).collect(),
        confirmed: known.pointers.are_confirmed(),
        failure: if let Pointers::Failed(failure) = &known.pointers { Some(failure.as_str().to_owned()) } else { None },
        spf: known.spf.as_ref().map(SpfPart::of),
    }
}

fn pointer(pointer: &Pointer) -> PointerPart {
    let (leads, addresses) = match &pointer.forward {
        Forward::Confirmed => ("back", Vec::new()),
        Forward::Elsewhere(others) => ("elsewhere", others.clone()),
        Forward::Nowhere => ("nowhere", Vec::new()),
        Forward::Failed(_) => ("failed", Vec::new()),
    };
    let generic = pointer.generic.as_ref().map(|generic| match generic {
        Generic::Address => "address".to_owned(),
        Generic::Word(word) => word.clone(),
    });
    PointerPart { name: pointer.name.clone(), leads: leads.to_owned(), addresses, generic }
}

fn dmarc(dmarc: &Dmarc) -> DmarcPart {
    let applied = dmarc.policy.as_ref();
    let record = dmarc.record();
    DmarcPart {
        domain: dmarc.domain.to_string(),
        organization: dmarc.organization.clone(),
        walk: dmarc.walk.iter().map(visit).collect(),
        applies: dmarc.applies.and_then(|place| dmarc.walk.get(place)).map(|visit| visit.domain.clone()),
        policy: applied.map(|applied| applied.policy.as_str().to_owned()),
        published: applied.map(|applied| applied.published.as_str().to_owned()),
        by: applied.map(|applied| applied.by.as_str().to_owned()),
        adkim: record.map(|record| record.dkim.as_str().to_owned()),
        aspf: record.map(|record| record.spf.as_str().to_owned()),
        aligned: dmarc.spf.as_ref().map(|spf| spf.aligned),
        kinship: dmarc.spf.as_ref().map(|spf| spf.kinship.as_str().to_owned()),
        failure: dmarc.failure.map(|failure| failure.as_str().to_owned()),
    }
}

fn visit(visit: &Visit) -> VisitPart {
    let (text, faults) = match &visit.found {
        Found::Record { text, record } => {
            let faults = record.faults.iter().map(|fault| part_of(fault.at, &fault.text, fault.kind.as_str(), fault.kind.to_string()));
            (Some(text.clone()), faults.collect())
        }
        Found::Misspelt(text) => (Some(text.clone()), Vec::new()),
        Found::Absent | Found::Several(_) | Found::Failed(_) => (None, Vec::new()),
    };
    VisitPart { domain: visit.domain.clone(), found: visit.found.as_str().to_owned(), text, faults }
}

fn part_of(at: usize, tag: &str, kind: &str, text: String) -> RecordFaultPart {
    RecordFaultPart { at, tag: tag.to_owned(), kind: kind.to_owned(), text }
}

fn dkim(published: &Published) -> DkimPart {
    let key = published.key.as_ref().ok();
    let state = match &published.key {
        Ok(key) => key.strength().as_str(),
        Err(problem) => problem.as_str(),
    };
    let faults = match &published.key {
        Ok(key) => {
            key.remarks.iter().map(|remark| part_of(remark.at, &remark.text, remark.kind.as_str(), remark.kind.to_string())).collect()
        }
        Err(Problem::Fault(fault)) => vec![part_of(fault.at, &fault.text, fault.kind.as_str(), fault.kind.to_string())],
        Err(_) => Vec::new(),
    };
    DkimPart {
        selector: published.selector.clone(),
        domain: published.domain.to_string(),
        state: state.to_owned(),
        key: key.map(|key| key.material.as_str().to_owned()),
        bits: key.and_then(|key| if let crate::sender::dkim::Material::Rsa { bits } = key.material { Some(bits) } else { None }),
        problem: published.key.as_ref().err().map(ToString::to_string),
        record: published.text.clone(),
        faults,
    }
}

/// Each list once, with its terms.
fn lists(sender: &Sender, knowledge: &Knowledge) -> Vec<ListPart> {
    let mut parts: Vec<ListPart> = Vec::new();
    let asked = sender.listings.iter().map(|listing| (&listing.zone, false));
    for (zone, closed) in asked.chain(sender.closed.iter().map(|zone| (zone, true))) {
        let zone = zone.to_string();
        if parts.iter().all(|part| part.zone != zone) {
            let known = knowledge.block_list(&zone).map(|(_, list)| list);
            let of = |text: fn(&crate::knowledge::BlockList) -> &String| known.as_deref().map(|list| text(list).clone());
            parts.push(ListPart { name: of(|list| &list.name), terms: of(|list| &list.terms), url: of(|list| &list.url), closed, zone });
        }
    }
    parts
}
