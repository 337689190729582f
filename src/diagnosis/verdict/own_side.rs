//! What the sender's own side, as it is seen from here, adds to a refusal: proof of the reason given, a reason where none is given,
//! or doubt.

use super::{Verdict, recipient};
use crate::diagnosis::sender::{OwnSide, identity, of_sender, policy};
use crate::diagnosis::{Case, Evidence, SessionCase, Severity};
use crate::knowledge::{Confidence, Fix, Reason};
use crate::route::{ListAnswer, Listable};
use crate::sender::spf::SpfResult;
use crate::sender::{AddressFacts, HelloFault, Sender};
use crate::smtp::{EnhancedCode, Purpose, Stage, Verb};

/// What the sender's own side says of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SeenHere {
    /// Nothing.
    #[default]
    Nothing,
    /// The reply gives no reason, and nothing is wrong that can be seen from here.
    Clean,
    /// What the reply says is seen from here, too.
    Shows(String),
    /// The reply gives no reason, and this is one that receivers refuse for.
    Explains(String),
    /// Seen from here it is otherwise.
    Disputes(String),
}

/// What one thing looks like from here.
enum Look {
    /// It is wrong.
    Fault(String),
    /// It is in order.
    Fine(String),
    /// It is not known, or has nothing to do with it.
    Unknown,
}

/// The verdict with what the sender's own side adds to it. `session` is the one that it shows.
pub(super) fn weigh(case: &Case<'_>, verdict: Verdict, session: &SessionCase<'_>) -> Verdict {
    let Some(sender) = case.facts.sender.as_deref().filter(|_| verdict.code.is_some()) else { return verdict };
    let own = Own { sender, v4: session.facts.address.is_ipv4() };
    match verdict.reason {
        Reason::RdnsMissing => settle(verdict, own.names(true)),
        Reason::HeloRejected => settle(verdict, own.hello(false)),
        Reason::AuthChecksFailed if speaks_of_spf(verdict.enhanced, verdict.text.as_deref()) => settle(verdict, own.spf(false)),
        Reason::IpBlocklisted | Reason::DomainBlocklisted => {
            match (own.listed(), own.unlisted(verdict.text.as_deref().unwrap_or_default())) {
                (Some((_, words)), _) => settle(verdict, Look::Fault(words)),
                (None, Some(words)) => {
                    let confidence = verdict.confidence.min(Confidence::Likely);
                    Verdict { confidence, seen_here: SeenHere::Disputes(words), ..verdict }
                }
                (None, None) => verdict,
            }
        }
        Reason::BadReputation | Reason::SenderRejected => match own.listed() {
            Some((_, words)) => Verdict { seen_here: SeenHere::Shows(words), ..verdict },
            None => verdict,
        },
        Reason::PolicyRejected | Reason::Undetermined if is_vague(&verdict, session) => explain(case, &own, verdict),
        _ => verdict,
    }
}

fn settle(verdict: Verdict, look: Look) -> Verdict {
    match look {
        Look::Fault(words) => {
            prove(Verdict { confidence: Confidence::Certain, seen_here: SeenHere::Shows(words.clone()), ..verdict }, words)
        }
        Look::Fine(words) => Verdict { confidence: Confidence::Unsure, seen_here: SeenHere::Disputes(words), ..verdict },
        Look::Unknown => verdict,
    }
}

fn prove(mut verdict: Verdict, words: String) -> Verdict {
    verdict.evidence.push(Evidence { quote: words, slots: vec![("beside", "sender".to_owned())], ..Evidence::default() });
    verdict
}

/// Whether the reply, or what was answered to postmaster, leaves open that the sender is meant, without saying why.
fn is_vague(verdict: &Verdict, session: &SessionCase<'_>) -> bool {
    let postmaster = recipient::control_reply(session, Purpose::Postmaster);
    let is_about_mailbox = verdict.stage >= Stage::Rcpt && postmaster.is_some_and(|answer| answer.reply.code.is_yes_to(Verb::Rcpt));
    verdict.confidence != Confidence::Certain && !is_about_mailbox
}

/// A reason for a refusal without one: the gravest that is seen. If all is well, it is not known. What receivers seldom refuse for
/// explains nothing, and leaves it open.
fn explain(case: &Case<'_>, own: &Own<'_>, verdict: Verdict) -> Verdict {
    let fault = |look: Look, reason| if let Look::Fault(words) = look { Some((reason, words)) } else { None };
    let found = own
        .listed()
        .or_else(|| fault(own.names(false), Reason::RdnsMissing))
        .or_else(|| fault(own.spf(true), Reason::AuthChecksFailed))
        .or_else(|| fault(own.hello(true), Reason::HeloRejected));
    if let Some((reason, words)) = found {
        let actor = case.knowledge.reason(reason).actor;
        let (seen_here, fix) = (SeenHere::Explains(words.clone()), remedy(case, own, reason));
        return prove(Verdict { reason, actor, fix, cause: None, confidence: Confidence::Likely, seen_here, ..verdict }, words);
    }
    let findings = of_sender(own.sender);
    let clean = OwnSide::of(own.sender, &findings) == OwnSide::Clean;
    let spotless = clean && findings.iter().all(|finding| finding.rule.severity < Severity::Warning);
    if spotless { Verdict { confidence: Confidence::Unsure, seen_here: SeenHere::Clean, ..verdict } } else { verdict }
}

/// What the finding says to do that shows the reason: what the reason itself advises begins with what the reply names.
fn remedy(case: &Case<'_>, own: &Own<'_>, reason: Reason) -> Vec<Fix> {
    let family = match reason {
        Reason::IpBlocklisted => "sender_listed",
        Reason::DomainBlocklisted => "sender_domain_listed",
        Reason::RdnsMissing => "sender_rdns_",
        Reason::AuthChecksFailed => "sender_spf_",
        _ => "sender_helo_",
    };
    let found =
        of_sender(own.sender).into_iter().find(|finding| finding.rule.id.starts_with(family) && finding.rule.severity > Severity::Note);
    let Some(finding) = found else { return case.knowledge.reason(reason).fix.clone() };
    let fixes = case.knowledge.finding(finding.rule.id).fix;
    fixes.iter().map(|fix| Fix { actor: fix.actor, text: finding.fill(&fix.text) }).collect()
}

/// 5.7.23 and 5.7.24 are SPF's (RFC 7372 §3.2); most name it.
fn speaks_of_spf(enhanced: Option<EnhancedCode>, text: Option<&str>) -> bool {
    let by_code = enhanced.is_some_and(|code| matches!((code.subject, code.detail), (7, 23 | 24)));
    let text = text.unwrap_or_default().to_ascii_lowercase();
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| matches!(word, "spf" | "openspf"));
    by_code || (words() && !text.contains("dmarc") && !text.contains("dkim"))
}

/// The sender as seen over one address family.
struct Own<'a> {
    sender: &'a Sender,
    v4: bool,
}

impl Own<'_> {
    fn addresses(&self) -> impl Iterator<Item = &AddressFacts> {
        self.sender.addresses.iter().filter(|known| known.egress.address.is_ipv4() == self.v4)
    }

    /// PTR and what it leads to; `generic` says whether a name that looks generic counts as wrong.
    fn names(&self, generic: bool) -> Look {
        let mut fine = Vec::new();
        for known in self.addresses() {
            match known.pointers.are_confirmed() {
                Some(false) => return Look::Fault(identity::nameless(known)),
                Some(true) => fine.push(identity::confirmed(known)),
                None => return Look::Unknown,
            }
            if let Some(words) = identity::generic_name(known).filter(|_| generic) {
                return Look::Fault(words);
            }
        }
        if fine.is_empty() { Look::Unknown } else { Look::Fine(fine.join("; ")) }
    }

    /// The EHLO name; `grave` leaves out what receivers seldom refuse for.
    fn hello(&self, grave: bool) -> Look {
        let Some(hello) = &self.sender.hello else { return Look::Unknown };
        let seen: Vec<_> = self.addresses().map(|known| (known.egress.address, &known.pointers)).collect();
        let faults = hello.faults(&seen, &self.sender.targets);
        let counts = |fault: &&HelloFault| match fault {
            HelloFault::OtherPointer(_) => false,
            HelloFault::OtherAddress(_) | HelloFault::OtherLiteral(_) | HelloFault::Literal => !grave,
            HelloFault::Local | HelloFault::Unqualified | HelloFault::Targets | HelloFault::Unresolved => true,
        };
        match (faults.iter().find(counts), &hello.addresses) {
            (Some(fault), _) => Look::Fault(identity::hello_words(hello, fault)),
            (None, Some(Ok(addresses))) if !addresses.is_empty() && !seen.is_empty() => {
                Look::Fine(format!("EHLO {} leads to {}", hello.name, identity::list(addresses)))
            }
            _ => Look::Unknown,
        }
    }

    /// SPF; `grave` leaves out what receivers seldom refuse for.
    fn spf(&self, grave: bool) -> Look {
        let mut fine = Vec::new();
        for spf in self.addresses().filter_map(|known| known.spf.as_ref()) {
            let words = format!("SPF {} for {} from {} ({})", spf.result.as_str(), spf.sender, spf.address, policy::decision(spf));
            match spf.result {
                SpfResult::Fail | SpfResult::PermError => return Look::Fault(words),
                SpfResult::SoftFail if !grave => return Look::Fault(words),
                SpfResult::Pass => fine.push(words),
                SpfResult::SoftFail | SpfResult::Neutral | SpfResult::None | SpfResult::TempError => return Look::Unknown,
            }
        }
        if fine.is_empty() { Look::Unknown } else { Look::Fine(fine.join("; ")) }
    }

    /// What a list has, and which reason that is.
    fn listed(&self) -> Option<(Reason, String)> {
        self.sender.listings.iter().find_map(|listing| {
            let reason = match &listing.subject {
                Listable::Address(address) if address.is_ipv4() == self.v4 => Reason::IpBlocklisted,
                Listable::Address(_) => return None,
                Listable::Domain(_) => Reason::DomainBlocklisted,
            };
            Some((reason, identity::listing(listing)?.quote))
        })
    }

    /// A list that the reply names says that nothing of the sender is on it.
    fn unlisted(&self, text: &str) -> Option<String> {
        let text = text.to_ascii_lowercase();
        let named = self.sender.listings.iter().find(|listing| {
            listing.answer == ListAnswer::NotListed && text.contains(listing.zone.as_str()) && text.contains(&listing.subject.to_string())
        })?;
        Some(format!("{} does not list {} now", named.zone, named.subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::Reply;

    #[test]
    fn a_refusal_for_spf_is_told_from_one_for_its_kin() {
        for (reply, of_spf) in [
            ("550 5.7.23 validation failed", true),
            ("550 5.7.24 validation error", true),
            ("550 5.7.1 SPF check failed for shop@example.net", true),
            ("550 see http://www.openspf.org/Why?id=x", true),
            ("550 5.7.26 DMARC failed: SPF and DKIM not aligned", false),
            ("550 5.7.20 no passing DKIM signature", false),
            ("550 5.7.1 spfx says no", false),
        ] {
            let parsed = Reply::parse(&format!("{reply}\r\n")).expect(reply);
            assert_eq!(speaks_of_spf(parsed.enhanced, Some(&parsed.text())), of_spf, "{reply}");
        }
    }
}
