//! What the sender's domain publishes: SPF, DMARC, DKIM keys; and what block lists say of it.

use super::super::Evidence;
use super::identity::listing;
use super::told;
use crate::route::{Listable, Listing};
use crate::sender::dkim::{self, Strength};
use crate::sender::dmarc::{self, Found};
use crate::sender::spf::{Identity, Spf, SpfResult};
use crate::sender::{AddressFacts, Sender};

pub(super) fn domain_listed(sender: &Sender) -> Vec<Evidence> {
    let of_domain = |found: &&Listing| matches!(found.subject, Listable::Domain(_));
    sender.listings.iter().filter(of_domain).filter_map(listing).collect()
}

/// The addresses for which SPF came to `result`.
fn spf(sender: &Sender, result: SpfResult) -> impl Iterator<Item = (&AddressFacts, &Spf)> {
    let found = sender.addresses.iter().filter_map(|known| Some((known, known.spf.as_ref()?)));
    found.filter(move |(_, spf)| spf.result == result)
}

fn of_spf((known, spf): (&AddressFacts, &Spf)) -> Evidence {
    told(decision(spf)).with("address", known.egress.address.to_string()).with("domain", spf.domain.clone())
}

/// What decided, in a few words.
#[must_use]
pub fn decision(spf: &Spf) -> String {
    match (&spf.problem, spf.decision()) {
        (Some(problem), _) => problem.to_string(),
        (None, Some(step)) => format!("{:?} in the policy of {} decides", step.term, step.domain),
        (None, None) => format!("no term of the policy of {} matches", spf.domain),
    }
}

pub(super) fn spf_fail(sender: &Sender) -> Vec<Evidence> {
    spf(sender, SpfResult::Fail).map(of_spf).collect()
}

pub(super) fn spf_softfail(sender: &Sender) -> Vec<Evidence> {
    spf(sender, SpfResult::SoftFail).map(of_spf).collect()
}

pub(super) fn spf_permerror(sender: &Sender) -> Vec<Evidence> {
    spf(sender, SpfResult::PermError).map(of_spf).collect()
}

pub(super) fn spf_temperror(sender: &Sender) -> Vec<Evidence> {
    spf(sender, SpfResult::TempError).map(of_spf).collect()
}

pub(super) fn spf_neutral(sender: &Sender) -> Vec<Evidence> {
    spf(sender, SpfResult::Neutral).map(of_spf).collect()
}

pub(super) fn spf_none(sender: &Sender) -> Vec<Evidence> {
    spf(sender, SpfResult::None).filter(|(_, spf)| spf.identity == Identity::MailFrom).map(of_spf).collect()
}

pub(super) fn spf_hello_none(sender: &Sender) -> Vec<Evidence> {
    spf(sender, SpfResult::None).filter(|(_, spf)| spf.identity == Identity::Hello).map(of_spf).collect()
}

/// The policy asks for something, and SPF does not pass for an address: the message has to be signed.
pub(super) fn not_by_spf(sender: &Sender) -> Vec<Evidence> {
    let Some(dmarc) = &sender.dmarc else { return Vec::new() };
    let Some(applied) = dmarc.policy.filter(|applied| applied.policy != dmarc::Policy::None) else { return Vec::new() };
    let known = sender.addresses.iter().filter_map(|known| Some((known, known.spf.as_ref()?)));
    let not_passed = known.filter(|(_, spf)| !matches!(spf.result, SpfResult::Pass | SpfResult::TempError));
    not_passed
        .map(|(known, spf)| {
            told(format!("SPF {} for {}, and DMARC asks for p={}", spf.result.as_str(), known.egress.address, applied.policy.as_str()))
                .with("policy", applied.policy.as_str())
                .with("domain", dmarc.domain.to_string())
        })
        .collect()
}

pub(super) fn dmarc_unusable(sender: &Sender) -> Vec<Evidence> {
    let Some(dmarc) = &sender.dmarc else { return Vec::new() };
    let own = |visit: &&dmarc::Visit| visit.domain == dmarc.domain.as_str() || visit.domain == dmarc.organization;
    let wrong = dmarc.walk.iter().filter(own).filter_map(|visit| {
        let why = match &visit.found {
            Found::Misspelt(text) => format!("{text:?} is meant as a record and is none"),
            Found::Several(count) => format!("there are {count} records where one has to be"),
            Found::Record { record, text } if dmarc.policy.is_none() && dmarc.record() == Some(record) => {
                format!("no policy can be read in {text:?}")
            }
            _ => return None,
        };
        Some(told(format!("_dmarc.{}: {why}", visit.domain)).with("domain", visit.domain.clone()))
    });
    wrong.collect()
}

pub(super) fn dmarc_none(sender: &Sender) -> Vec<Evidence> {
    let absent = |dmarc: &&dmarc::Dmarc| dmarc.applies.is_none() && dmarc.failure.is_none() && dmarc_unusable(sender).is_empty();
    let found = sender.dmarc.iter().filter(absent);
    found.map(|dmarc| told(format!("no record at _dmarc.{}", dmarc.domain)).with("domain", dmarc.domain.to_string())).collect()
}

fn of_key(key: &dkim::Published, why: &str) -> Evidence {
    let name = format!("{}._domainkey.{}", key.selector, key.domain);
    told(format!("{name}: {why}")).with("name", name)
}

pub(super) fn dkim_unusable(sender: &Sender) -> Vec<Evidence> {
    let wrong = sender.keys.iter().filter_map(|published| match &published.key {
        Err(dkim::Problem::Lookup(_)) => None,
        Err(problem) => Some(of_key(published, &problem.to_string())),
        Ok(key) if key.strength() == Strength::Unusable => {
            let why = match key.material {
                dkim::Material::Revoked => "it was revoked: p= is empty".to_owned(),
                _ => remarks(key),
            };
            Some(of_key(published, &why))
        }
        Ok(_) => None,
    });
    wrong.collect()
}

pub(super) fn dkim_weak(sender: &Sender) -> Vec<Evidence> {
    let weak = sender.keys.iter().filter_map(|published| match &published.key {
        Ok(key) if key.strength() == Strength::Weak => Some(of_key(published, &remarks(key))),
        _ => None,
    });
    weak.collect()
}

fn remarks(key: &dkim::Key) -> String {
    key.remarks.iter().map(|remark| remark.kind.to_string()).collect::<Vec<_>>().join("; ")
}

/// What about policies had no answer.
pub(super) fn failed(sender: &Sender) -> impl Iterator<Item = String> + '_ {
    let dmarc = sender.dmarc.iter().filter_map(|dmarc| Some(format!("DMARC of {} ({})", dmarc.domain, dmarc.failure?.as_str())));
    let keys = sender.keys.iter().filter_map(|published| match &published.key {
        Err(dkim::Problem::Lookup(failure)) => Some(format!("the DKIM key of {:?} ({})", published.selector, failure.as_str())),
        _ => None,
    });
    dmarc.chain(keys)
}
