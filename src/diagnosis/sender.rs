//! Findings about the sender's own side, as receivers see it. They need no probe: [`of_sender`] takes what was found out alone.
//!
//! What could not be looked up is never a fault of the sender: it is told as not known.

pub(super) mod identity;
pub(super) mod policy;

pub use self::policy::decision;

use super::{Case, Evidence, Finding, Rule, Severity};
use crate::sender::{Matter, Sender};

/// A rule about the sender, with its check for the sender alone.
#[derive(Debug)]
pub(super) struct SenderRule {
    /// As it stands among the others.
    pub(super) rule: Rule,
    /// The same check.
    check: fn(&Sender) -> Vec<Evidence>,
}

const fn rule(
    (id, severity, reference): (&'static str, Severity, &'static str),
    of_case: fn(&Case<'_>) -> Vec<Evidence>,
    check: fn(&Sender) -> Vec<Evidence>,
) -> SenderRule {
    SenderRule { rule: Rule { id, severity, reference, check: of_case }, check }
}

use Severity::{Failure, Note, Warning};

/// A function pointer holds nothing, so each check is named for both.
pub(super) static RULES: [SenderRule; 29] = [
    rule(("sender_listed", Failure, "RFC 5782 section 2.1"), |case| on(case, identity::listed), identity::listed),
    rule(("sender_domain_listed", Failure, "RFC 5782 section 2.2"), |case| on(case, policy::domain_listed), policy::domain_listed),
    rule(("sender_rdns_missing", Failure, "RFC 1912 section 2.1"), |case| on(case, identity::missing), identity::missing),
    rule(("sender_rdns_unconfirmed", Failure, "RFC 1912 section 2.1"), |case| on(case, identity::unconfirmed), identity::unconfirmed),
    rule(("sender_rdns_generic", Warning, "RFC 1912 section 2.1"), |case| on(case, identity::generic), identity::generic),
    rule(("sender_helo_local", Failure, "RFC 5321 section 2.3.5"), |case| on(case, identity::local), identity::local),
    rule(("sender_helo_unqualified", Failure, "RFC 5321 section 2.3.5"), |case| on(case, identity::unqualified), identity::unqualified),
    rule(("sender_helo_targets_name", Failure, "RFC 5321 section 4.1.1.1"), |case| on(case, identity::targets), identity::targets),
    rule(("sender_helo_unresolved", Failure, "RFC 5321 section 2.3.5"), |case| on(case, identity::unresolved), identity::unresolved),
    rule(("sender_helo_elsewhere", Warning, "RFC 5321 section 4.1.4"), |case| on(case, identity::elsewhere), identity::elsewhere),
    rule(("sender_helo_literal", Warning, "RFC 5321 section 4.1.3"), |case| on(case, identity::literal), identity::literal),
    rule(
        ("sender_helo_wrong_literal", Warning, "RFC 5321 section 4.1.3"),
        |case| on(case, identity::wrong_literal),
        identity::wrong_literal,
    ),
    rule(("sender_helo_not_pointer", Note, "RFC 1912 section 2.1"), |case| on(case, identity::not_pointer), identity::not_pointer),
    rule(("sender_spf_fail", Failure, "RFC 7208 section 8.4"), |case| on(case, policy::spf_fail), policy::spf_fail),
    rule(("sender_spf_permerror", Failure, "RFC 7208 section 8.7"), |case| on(case, policy::spf_permerror), policy::spf_permerror),
    rule(("sender_spf_softfail", Warning, "RFC 7208 section 8.5"), |case| on(case, policy::spf_softfail), policy::spf_softfail),
    rule(("sender_spf_none", Warning, "RFC 7208 section 8.1"), |case| on(case, policy::spf_none), policy::spf_none),
    rule(("sender_spf_hello_none", Note, "RFC 7208 section 2.3"), |case| on(case, policy::spf_hello_none), policy::spf_hello_none),
    rule(("sender_spf_neutral", Note, "RFC 7208 section 8.2"), |case| on(case, policy::spf_neutral), policy::spf_neutral),
    rule(("sender_spf_temperror", Note, "RFC 7208 section 8.6"), |case| on(case, policy::spf_temperror), policy::spf_temperror),
    rule(("sender_dmarc_not_by_spf", Warning, "RFC 9989 section 4.4"), |case| on(case, policy::not_by_spf), policy::not_by_spf),
    rule(("sender_dmarc_unusable", Warning, "RFC 9989 section 4.10"), |case| on(case, policy::dmarc_unusable), policy::dmarc_unusable),
    rule(("sender_dmarc_none", Note, "RFC 9989 section 4.10"), |case| on(case, policy::dmarc_none), policy::dmarc_none),
    rule(("sender_dkim_unusable", Failure, "RFC 6376 section 3.6.1"), |case| on(case, policy::dkim_unusable), policy::dkim_unusable),
    rule(("sender_dkim_weak", Warning, "RFC 8301 section 3.2"), |case| on(case, policy::dkim_weak), policy::dkim_weak),
    rule(("sender_nat", Note, "RFC 3022 section 2.2"), |case| on(case, identity::translated), identity::translated),
    rule(("sender_address_unknown", Note, "RFC 3022 section 2.2"), |case| on(case, identity::hidden), identity::hidden),
    rule(("sender_list_unanswered", Note, "RFC 5782 section 2.1"), |case| on(case, identity::unanswered), identity::unanswered),
    rule(("sender_not_known", Note, "RFC 1034 section 5.3.3"), |case| on(case, unknown), unknown),
];

fn on(case: &Case<'_>, check: fn(&Sender) -> Vec<Evidence>) -> Vec<Evidence> {
    case.facts.sender.as_deref().map(check).unwrap_or_default()
}

/// Applies every rule about the sender.
#[must_use]
pub fn of_sender(sender: &Sender) -> Vec<Finding> {
    let apply = |rule: &'static SenderRule| {
        let evidence = (rule.check)(sender);
        (!evidence.is_empty()).then_some(Finding { rule: &rule.rule, evidence })
    };
    RULES.iter().filter_map(apply).collect()
}

/// How the sender's own side stands, all in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnSide {
    /// Nothing is wrong that receivers refuse for.
    Clean,
    /// Something is that they refuse for.
    Faulty,
    /// Something could not be found out, and what could is not wrong.
    Unknown,
}

impl OwnSide {
    /// By what was found.
    #[must_use]
    pub fn of(sender: &Sender, findings: &[Finding]) -> Self {
        if findings.iter().any(|finding| finding.rule.severity == Failure && finding.rule.id.starts_with("sender_")) {
            Self::Faulty
        } else if sender.addresses.is_empty() || !unknown(sender).is_empty() || !policy::spf_temperror(sender).is_empty() {
            Self::Unknown
        } else {
            Self::Clean
        }
    }

    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Faulty => "faulty",
            Self::Unknown => "unknown",
        }
    }
}

/// A piece of evidence that no session and no lookup of the route gives.
fn told(quote: impl Into<String>) -> Evidence {
    Evidence { quote: quote.into(), ..Evidence::default() }
}

/// What had no answer, SPF apart, which tells itself, and lists, without which the rest stands.
fn unknown(sender: &Sender) -> Vec<Evidence> {
    let words = |matter: &Matter| match matter {
        Matter::Hello => sender.hello.as_ref().map(|hello| format!("where {} leads", hello.name)),
        Matter::Pointers(address) => Some(format!("the names of {address} (PTR)")),
        Matter::Spf(address) => Some(format!("SPF for {address}")),
        Matter::Dmarc => sender.domain().map(|domain| format!("DMARC of {domain}")),
        Matter::Key(selector) => Some(format!("the DKIM key of {selector:?}")),
        Matter::Listing(..) => None,
    };
    let late = sender.unfinished.iter().filter_map(words).map(|what| format!("{what} (not in time)"));
    late.chain(identity::failed(sender)).chain(policy::failed(sender)).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Knowledge;
    use crate::route::LookupFailure;
    use crate::sender::{AddressFacts, Egress, Forward, Known, Pointer, Pointers};

    /// A sender in order, but for what `change` does.
    fn found(change: impl FnOnce(&mut Sender)) -> (Vec<&'static str>, OwnSide) {
        let address = "203.0.113.9".parse().expect("an address");
        let pointer = Pointer { name: "mail.example.net".to_owned(), forward: Forward::Confirmed, generic: None };
        let mut sender = Sender {
            addresses: vec![AddressFacts {
                egress: Egress { address, known: Known::Told, local: Some(address) },
                pointers: Pointers::Found(vec![pointer]),
                spf: None,
            }],
            ..Sender::default()
        };
        change(&mut sender);
        let findings = of_sender(&sender);
        // Each text has all that it asks for.
        let knowledge = Knowledge::english();
        for finding in &findings {
            let text = knowledge.finding(finding.rule.id);
            let filled = [&text.title, &text.detail].into_iter().chain(text.fix.iter().map(|fix| &fix.text)).map(|text| finding.fill(text));
            for filled in filled {
                assert!(!filled.contains('{'), "{}: {filled}", finding.rule.id);
            }
        }
        let side = OwnSide::of(&sender, &findings);
        (findings.iter().map(|finding| finding.rule.id).collect(), side)
    }

    #[test]
    fn a_translator_is_told_and_is_no_fault() {
        let private = Some("10.0.0.7".parse().expect("an address"));
        assert_eq!(found(|_| {}), (vec![], OwnSide::Clean));
        assert_eq!(found(|sender| sender.addresses[0].egress.local = private), (vec!["sender_nat"], OwnSide::Clean));
        // Over the other family nobody has told.
        let hidden = |address: &str| vec![address.parse().expect("an address")];
        assert_eq!(found(|sender| sender.hidden = hidden("fd00::7")), (vec!["sender_address_unknown"], OwnSide::Clean));
        assert_eq!(found(|sender| sender.hidden = hidden("10.0.0.7")), (vec![], OwnSide::Clean));
        let nothing = |sender: &mut Sender| (sender.addresses, sender.hidden) = (vec![], hidden("10.0.0.7"));
        assert_eq!(found(nothing), (vec!["sender_address_unknown"], OwnSide::Unknown));
    }

    #[test]
    fn what_is_not_known_is_told_once_and_is_no_fault() {
        let address = "203.0.113.9".parse().expect("an address");
        let failed = |sender: &mut Sender| sender.addresses[0].pointers = Pointers::Failed(LookupFailure::ServFail);
        assert_eq!(found(failed), (vec!["sender_not_known"], OwnSide::Unknown));
        let late = |sender: &mut Sender| {
            sender.addresses[0].pointers = Pointers::Failed(LookupFailure::TimedOut);
            sender.unfinished = vec![Matter::Pointers(address)];
            assert_eq!(unknown(sender).len(), 1);
        };
        assert_eq!(found(late), (vec!["sender_not_known"], OwnSide::Unknown));
        let list = Matter::Listing("bl.example".parse().expect("a name"), crate::route::Listable::Address(address));
        assert_eq!(found(|sender| sender.unfinished = vec![list]), (vec!["sender_list_unanswered"], OwnSide::Clean));
    }
}
