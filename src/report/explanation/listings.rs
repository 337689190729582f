//! What block lists say themselves of what a reply calls listed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ExplanationPart;
use crate::diagnosis::fill;
use crate::knowledge::{BlockList, Knowledge};
use crate::route::{ListAnswer, Listable, Listing};
use crate::target::DomainName;

/// What one block list says of what a reply names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListingPart {
    /// The list, by its zone.
    pub list: String,
    /// The address or domain that it was asked about.
    pub subject: String,
    /// What it says.
    pub answer: ListingAnswer,
    /// Its answers, as addresses; what each means is in `text`, where that is known.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub addresses: Vec<IpAddr>,
    /// What the list publishes beside it (TXT).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub texts: Vec<String>,
    /// The same in words, and what to do.
    pub text: String,
}

/// What a list can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListingAnswer {
    /// It is on the list.
    Listed,
    /// It is not.
    NotListed,
    /// The list refuses the question of this resolver.
    Refused,
    /// The answer is none that a list gives: it has been given up.
    Foreign,
    /// No answer came.
    Failed,
    /// The list has been closed and was not asked.
    Closed,
}

/// What is to be asked of which list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListQuestion {
    /// The list's zone.
    pub zone: DomainName,
    /// What it is to be asked about.
    pub subject: Listable,
}

impl ListQuestion {
    /// What the reply of `part` gives reason to ask: the list that it names, about the domain or address that it says is listed there.
    /// None if it does not name both.
    #[must_use]
    pub fn of(part: &ExplanationPart, knowledge: &Knowledge) -> Option<Self> {
        let mentions = &part.mentions;
        let named = mentions.list.as_deref()?;
        let zone = knowledge.block_list(named).map_or(named, |(zone, _)| zone).parse().ok()?;
        let domain = || mentions.listed_name.as_ref()?.parse().ok().map(Listable::Domain);
        let subject = domain().or_else(|| mentions.addresses.first().copied().map(Listable::Address))?;
        Some(Self { zone, subject })
    }

    /// The answer that needs no question: the list has been closed.
    #[must_use]
    pub fn settled(&self, knowledge: &Knowledge) -> Option<ListingPart> {
        let (_, list) = knowledge.block_list(self.zone.as_str()).filter(|(_, list)| list.closed)?;
        let text = sentence(knowledge, "closed", |slot| match slot {
            "list" => list.name.clone(),
            _ => list.terms.clone(),
        });
        let (list, subject) = (self.zone.to_string(), self.subject.to_string());
        Some(ListingPart { list, subject, answer: ListingAnswer::Closed, addresses: Vec::new(), texts: Vec::new(), text })
    }
}

impl ListingPart {
    /// What the list said of something that a reply calls listed, in words.
    #[must_use]
    pub fn of(listing: &Listing, knowledge: &Knowledge) -> Self {
        Self::with(listing, "not_listed", knowledge)
    }

    /// What the list said of the user's own address or domain, which nobody has called listed.
    #[must_use]
    pub fn of_own(listing: &Listing, knowledge: &Knowledge) -> Self {
        Self::with(listing, "clear", knowledge)
    }

    fn with(listing: &Listing, not_listed: &'static str, knowledge: &Knowledge) -> Self {
        let zone = listing.zone.to_string();
        let list = knowledge.block_list(&zone).map(|(_, list)| list);
        let (answer, phrase, addresses): (_, _, Vec<IpAddr>) = match &listing.answer {
            ListAnswer::Listed(addresses) => {
                let phrase = if list.is_some() { "listed" } else { "listed_unknown" };
                (ListingAnswer::Listed, phrase, addresses.iter().copied().map(IpAddr::from).collect())
            }
            ListAnswer::NotListed => (ListingAnswer::NotListed, not_listed, Vec::new()),
            ListAnswer::Refused(address) => (ListingAnswer::Refused, "refused", vec![(*address).into()]),
            ListAnswer::Foreign(address) => (ListingAnswer::Foreign, "foreign", vec![*address]),
            ListAnswer::Failed(_) => (ListingAnswer::Failed, "failed", Vec::new()),
        };
        let text = sentence(knowledge, phrase, |slot| match slot {
            "list" => list.as_ref().map_or_else(|| zone.clone(), |list| format!("{} ({zone})", list.name)),
            "what" => listing.subject.to_string(),
            "url" => list.as_ref().map(|list| list.url.clone()).unwrap_or_default(),
            "meanings" => meanings(&addresses, list.as_deref()),
            "texts" => listing.texts.first().map(|text| format!(", and says: \"{text}\"")).unwrap_or_default(),
            "lookup" => list.as_ref().map(|list| lookup(knowledge, list)).unwrap_or_default(),
            "failure" => failure(knowledge, &listing.answer),
            _ => String::new(),
        });
        Self { list: zone, subject: listing.subject.to_string(), answer, addresses, texts: listing.texts.clone(), text }
    }
}

/// The answers in brackets, each with its meaning where that is known.
fn meanings(addresses: &[IpAddr], list: Option<&BlockList>) -> String {
    let told = |address: &IpAddr| match list.and_then(|list| list.answers.get(&address.to_string())) {
        Some(meaning) => format!("{address}, {meaning}"),
        None => address.to_string(),
    };
    format!(" ({})", addresses.iter().map(told).collect::<Vec<_>>().join("; "))
}

fn lookup(knowledge: &Knowledge, list: &BlockList) -> String {
    sentence(knowledge, "lookup", |_| list.url.clone())
}

fn failure(knowledge: &Knowledge, answer: &ListAnswer) -> String {
    let ListAnswer::Failed(failure) = answer else { return String::new() };
    let words: BTreeMap<String, String> = knowledge.phrases("host_fault");
    words.get(failure.as_str()).cloned().unwrap_or_else(|| failure.as_str().to_owned())
}

fn sentence(knowledge: &Knowledge, key: &str, slot: impl Fn(&str) -> String) -> String {
    let phrases: BTreeMap<String, String> = knowledge.phrases("listing");
    fill(phrases.get(key).map_or("", String::as_str), |name| Some(slot(name)))
}

#[cfg(test)]
mod tests {
    use super::super::explain;
    use super::*;
    use crate::reading;
    use crate::route::LookupFailure;

    fn question(knowledge: &Knowledge, reply: &str) -> Option<(String, String)> {
        let explanation = explain(knowledge, &reading::read(reply).unwrap(), None);
        let question = ListQuestion::of(&explanation.explanations[0], knowledge)?;
        Some((question.zone.to_string(), question.subject.to_string()))
    }

    #[test]
    fn the_list_that_a_reply_names_is_asked_about_what_it_calls_listed() {
        let knowledge = Knowledge::english();
        for (reply, expected) in [
            (
                "554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using zen.spamhaus.org",
                Some(("zen.spamhaus.org", "192.0.2.10")),
            ),
            ("550 5.7.1 [192.0.2.10] is listed at psbl.org", Some(("psbl.surriel.com", "192.0.2.10"))),
            ("550 5.7.1 bad.example is listed at dbl.spamhaus.org", Some(("dbl.spamhaus.org", "bad.example"))),
            ("554 5.7.1 Client host [2001:db8::7] blocked using bl.example.org", Some(("bl.example.org", "2001:db8::7"))),
            ("554 5.7.1 blocked using zen.spamhaus.org", None),
            ("550 5.1.1 no such user at [192.0.2.10]", None),
        ] {
            let expected = expected.map(|(zone, subject)| (zone.to_owned(), subject.to_owned()));
            assert_eq!(question(&knowledge, reply), expected, "{reply}");
        }
    }

    #[test]
    fn each_answer_has_its_words() {
        let knowledge = Knowledge::english();
        let said = |zone: &str, answer: ListAnswer, texts: &[&str]| {
            let subject = Listable::Address("192.0.2.10".parse().unwrap());
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            let listing = Listing { zone: zone.parse().unwrap(), subject, answer, texts, lookups: Vec::new() };
            ListingPart::of(&listing, &knowledge).text
        };
        let [bot, policy] = ["127.0.0.4".parse().unwrap(), "127.0.0.10".parse().unwrap()];
        let listed = said("zen.spamhaus.org", ListAnswer::Listed(vec![bot, policy]), &["https://check.example/"]);
        assert_eq!(
            listed,
            "Spamhaus ZEN (zen.spamhaus.org) does list 192.0.2.10 now (127.0.0.4, XBL: an infected or abused machine; 127.0.0.10, PBL: \
             its owner says that it should not deliver mail itself), and says: \"https://check.example/\". Look it up, and ask for \
             removal, at https://check.spamhaus.org/."
        );
        let other = said("bl.example.org", ListAnswer::Listed(vec![bot]), &[]);
        assert_eq!(other, "bl.example.org does list 192.0.2.10 now (127.0.0.4).");
        assert!(said("bl.example.org", ListAnswer::NotListed, &[]).starts_with("bl.example.org does not list 192.0.2.10 now."));
        let refused = said("zen.spamhaus.org", ListAnswer::Refused("127.255.255.254".parse().unwrap()), &["open resolver"]);
        assert!(refused.contains("refuses to answer the resolver that was asked here, and says: \"open resolver\""), "{refused}");
        assert!(refused.ends_with("(--resolver), or look it up at https://check.spamhaus.org/."), "{refused}");
        let failed = said("bl.example.org", ListAnswer::Failed(LookupFailure::ServFail), &[]);
        assert!(failed.starts_with("bl.example.org gave no answer about 192.0.2.10: "), "{failed}");
        let foreign = said("bl.example.org", ListAnswer::Foreign("203.0.113.1".parse().unwrap()), &[]);
        assert!(foreign.contains("given up"), "{foreign}");
    }

    #[test]
    fn a_closed_list_is_not_asked() {
        let knowledge = Knowledge::english();
        let question = |zone: &str| ListQuestion { zone: zone.parse().unwrap(), subject: Listable::Address("192.0.2.10".parse().unwrap()) };
        let settled = question("dnsbl.sorbs.net").settled(&knowledge).expect("it is closed");
        assert_eq!((settled.answer, settled.text.contains("June 2024")), (ListingAnswer::Closed, true));
        assert_eq!(question("zen.spamhaus.org").settled(&knowledge), None);
    }
}
