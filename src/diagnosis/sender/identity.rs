//! The address and its names, the EHLO name, and what block lists say of the address.

use std::net::IpAddr;

use super::super::Evidence;
use super::told;
use crate::route::{ListAnswer, Listable, Listing};
use crate::sender::{AddressFacts, Forward, Generic, Hello, HelloFault, Matter, Pointers, Sender};

/// What one list says, in evidence: the list, what it lists, and why.
pub(in crate::diagnosis) fn listing(listing: &Listing) -> Option<Evidence> {
    let ListAnswer::Listed(answers) = &listing.answer else { return None };
    let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
    let text = listing.texts.first().map(|text| format!(": {text}")).unwrap_or_default();
    let quote = format!("{} has {} ({}){text}", listing.zone, listing.subject, answers.join(", "));
    Some(told(quote).with("list", listing.zone.to_string()).with("what", listing.subject.to_string()))
}

pub(super) fn listed(sender: &Sender) -> Vec<Evidence> {
    let of_address = |found: &&Listing| matches!(found.subject, Listable::Address(_));
    sender.listings.iter().filter(of_address).filter_map(listing).collect()
}

/// Lists that do not tell.
pub(super) fn unanswered(sender: &Sender) -> Vec<Evidence> {
    let said = sender.listings.iter().filter_map(|listing| {
        let (zone, subject) = (&listing.zone, &listing.subject);
        match &listing.answer {
            ListAnswer::Refused(answer) => Some(format!("{zone} refuses to answer this resolver about {subject} ({answer})")),
            ListAnswer::Foreign(answer) => Some(format!("{zone} answers {answer} about {subject}, which no list does")),
            ListAnswer::Failed(failure) => Some(format!("{zone} gave no answer about {subject} ({})", failure.as_str())),
            ListAnswer::Listed(_) | ListAnswer::NotListed => None,
        }
    });
    let late = sender.unfinished.iter().filter_map(|matter| match matter {
        Matter::Listing(zone, subject) => Some(format!("{zone} gave no answer about {subject} in time")),
        _ => None,
    });
    said.chain(late).map(told).collect()
}

pub(super) fn missing(sender: &Sender) -> Vec<Evidence> {
    let missing = sender.addresses.iter().filter(|known| known.pointers == Pointers::Absent);
    missing.map(|known| of_address(known, nameless(known))).collect()
}

pub(super) fn unconfirmed(sender: &Sender) -> Vec<Evidence> {
    let wrong = sender.addresses.iter().filter(|known| known.pointers != Pointers::Absent && known.pointers.are_confirmed() == Some(false));
    wrong.map(|known| of_address(known, nameless(known))).collect()
}

/// In which way an address has no name that leads back to it.
pub(in crate::diagnosis) fn nameless(known: &AddressFacts) -> String {
    let address = known.egress.address;
    let leads = known.pointers.all().iter().map(|pointer| match &pointer.forward {
        Forward::Elsewhere(others) => format!("{} leads to {}", pointer.name, list(others)),
        _ => format!("{} has no address", pointer.name),
    });
    let leads: Vec<String> = leads.collect();
    if leads.is_empty() { format!("no PTR record for {address}") } else { format!("{address} is called so, but {}", leads.join("; ")) }
}

/// That it has one.
pub(in crate::diagnosis) fn confirmed(known: &AddressFacts) -> String {
    let name = known.pointers.all().iter().find(|pointer| pointer.forward == Forward::Confirmed).map(|pointer| pointer.name.as_str());
    format!("{} is called {}, which leads back to it", known.egress.address, name.unwrap_or_default())
}

/// Why its name looks generic; none if it does not.
pub(in crate::diagnosis) fn generic_name(known: &AddressFacts) -> Option<String> {
    let (pointer, generic) = known.pointers.generic()?;
    let why = match generic {
        Generic::Address => "the address stands in it".to_owned(),
        Generic::Word(word) => format!("it has {word:?} in it"),
    };
    Some(format!("{} is called {}: {why}", known.egress.address, pointer.name))
}

pub(super) fn generic(sender: &Sender) -> Vec<Evidence> {
    let found = sender.addresses.iter().filter_map(|known| Some((known, known.pointers.generic()?.0, generic_name(known)?)));
    found.map(|(known, pointer, words)| of_address(known, words).with("name", pointer.name.clone())).collect()
}

fn of_address(known: &AddressFacts, quote: String) -> Evidence {
    told(quote).with("address", known.egress.address.to_string())
}

pub(in crate::diagnosis) fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What is wrong with the EHLO name, in a few words.
pub(in crate::diagnosis) fn hello_words(hello: &Hello, fault: &HelloFault) -> String {
    let name = &hello.name;
    match fault {
        HelloFault::Local => format!("EHLO {name} means any machine"),
        HelloFault::Unqualified => format!("EHLO {name} has no domain"),
        HelloFault::Targets => format!("EHLO {name} is the receiver's own name"),
        HelloFault::Unresolved => format!("EHLO {name} leads nowhere"),
        HelloFault::Literal => format!("EHLO {name} is an address, not a name"),
        HelloFault::OtherAddress(address) | HelloFault::OtherLiteral(address) => format!("EHLO {name} is not {address}"),
        HelloFault::OtherPointer(address) => format!("{address} is called otherwise than EHLO {name}"),
    }
}

/// Each fault of the EHLO name, as evidence.
fn hello(sender: &Sender, is_meant: fn(&HelloFault) -> bool) -> Vec<Evidence> {
    let Some(hello) = &sender.hello else { return Vec::new() };
    let leads = match &hello.addresses {
        Some(Ok(addresses)) if !addresses.is_empty() => list(addresses),
        _ => "no address".to_owned(),
    };
    let faults = hello.faults(&sender.seen(), &sender.targets).into_iter().filter(is_meant);
    faults
        .map(|fault| {
            let evidence = told(format!("EHLO {}", hello.name)).with("hello", hello.name.to_string()).with("leads", leads.clone());
            match fault {
                HelloFault::OtherAddress(address) | HelloFault::OtherLiteral(address) => evidence.with("address", address.to_string()),
                HelloFault::OtherPointer(address) => {
                    let of = sender.addresses.iter().find(|known| known.egress.address == address);
                    let name = of.and_then(|known| known.pointers.all().first()).map(|pointer| pointer.name.clone()).unwrap_or_default();
                    evidence.with("address", address.to_string()).with("name", name)
                }
                _ => evidence,
            }
        })
        .collect()
}

pub(super) fn local(sender: &Sender) -> Vec<Evidence> {
    hello(sender, |fault| *fault == HelloFault::Local)
}

pub(super) fn unqualified(sender: &Sender) -> Vec<Evidence> {
    hello(sender, |fault| *fault == HelloFault::Unqualified)
}

pub(super) fn targets(sender: &Sender) -> Vec<Evidence> {
    hello(sender, |fault| *fault == HelloFault::Targets)
}

pub(super) fn unresolved(sender: &Sender) -> Vec<Evidence> {
    hello(sender, |fault| *fault == HelloFault::Unresolved)
}

pub(super) fn elsewhere(sender: &Sender) -> Vec<Evidence> {
    hello(sender, |fault| matches!(fault, HelloFault::OtherAddress(_)))
}

pub(super) fn literal(sender: &Sender) -> Vec<Evidence> {
    hello(sender, |fault| *fault == HelloFault::Literal)
}

pub(super) fn wrong_literal(sender: &Sender) -> Vec<Evidence> {
    hello(sender, |fault| matches!(fault, HelloFault::OtherLiteral(_)))
}

pub(super) fn not_pointer(sender: &Sender) -> Vec<Evidence> {
    hello(sender, |fault| matches!(fault, HelloFault::OtherPointer(_)))
}

pub(super) fn translated(sender: &Sender) -> Vec<Evidence> {
    let translated = sender.addresses.iter().filter(|known| known.egress.is_translated());
    let local = |known: &AddressFacts| known.egress.local.map(|local| local.to_string()).unwrap_or_default();
    translated
        .map(|known| of_address(known, format!("{} here, {} outside", local(known), known.egress.address)).with("local", local(known)))
        .collect()
}

pub(super) fn hidden(sender: &Sender) -> Vec<Evidence> {
    let v4 = |address: IpAddr| address.is_ipv4();
    let unseen = sender.hidden.iter().filter(|local| !sender.addresses.iter().any(|known| v4(known.egress.address) == v4(**local)));
    unseen.map(|local| told(format!("{local} means nothing outside this network")).with("local", local.to_string())).collect()
}

/// What about names had no answer.
pub(super) fn failed(sender: &Sender) -> impl Iterator<Item = String> + '_ {
    let late = |address: IpAddr| sender.unfinished.contains(&Matter::Pointers(address));
    let pointers = sender.addresses.iter().filter(move |known| !late(known.egress.address)).filter_map(|known| {
        let address = known.egress.address;
        match &known.pointers {
            Pointers::Failed(failure) => Some(format!("the names of {address} (PTR: {})", failure.as_str())),
            found if found.are_confirmed().is_none() => Some(format!("whether the names of {address} lead back to it")),
            _ => None,
        }
    });
    let hello = sender.hello.iter().filter_map(|hello| match &hello.addresses {
        Some(Err(failure)) => Some(format!("where {} leads ({})", hello.name, failure.as_str())),
        _ => None,
    });
    pointers.chain(hello)
}
