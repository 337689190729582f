//! Names of addresses and names in EHLO, each way that they can be wrong.

use futures_util::FutureExt;

use super::*;
use crate::sender::zone::Zone;

const ZONE: &str = "
    9.113.0.203.in-addr.arpa PTR mail.example.net
    10.113.0.203.in-addr.arpa PTR 203-0-113-10.isp.example.net
    203-0-113-10.isp.example.net A 203.0.113.10
    11.113.0.203.in-addr.arpa PTR other.example.net
    other.example.net A 203.0.113.99
    12.113.0.203.in-addr.arpa PTR gone.example.net
    13.113.0.203.in-addr.arpa PTR SERVFAIL
    14.113.0.203.in-addr.arpa PTR broken.example.net
    broken.example.net A SERVFAIL
    15.113.0.203.in-addr.arpa PTR gone.example.net
    15.113.0.203.in-addr.arpa PTR many.example.net
    many.example.net A 203.0.113.1
    many.example.net A 203.0.113.15
    mail.example.net A 203.0.113.9
    mail.example.net AAAA 2001:db8::9
    half.example.net AAAA SERVFAIL
    half.example.net A 203.0.113.9
    9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mail.example.net";

fn address(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn names_of(text: &str) -> Pointers {
    pointers(address(text), &Zone(ZONE)).now_or_never().expect("a zone answers at once")
}

#[test]
fn an_address_is_called_and_its_name_leads_back_or_not() {
    for (text, confirmed, forwards) in [
        ("203.0.113.9", Some(true), &[Forward::Confirmed][..]),
        ("2001:db8::9", Some(true), &[Forward::Confirmed]),
        ("::ffff:203.0.113.9", Some(true), &[Forward::Confirmed]),
        ("203.0.113.11", Some(false), &[Forward::Elsewhere(vec![address("203.0.113.99")])]),
        ("203.0.113.12", Some(false), &[Forward::Nowhere]),
        ("203.0.113.14", None, &[Forward::Failed(LookupFailure::ServFail)]),
        ("203.0.113.15", Some(true), &[Forward::Nowhere, Forward::Confirmed]),
        ("203.0.113.200", Some(false), &[]),
        ("203.0.113.13", None, &[]),
    ] {
        let pointers = names_of(text);
        assert_eq!(pointers.are_confirmed(), confirmed, "{text}: {pointers:?}");
        let found: Vec<Forward> = pointers.all().iter().map(|pointer| pointer.forward.clone()).collect();
        assert_eq!(found, forwards, "{text}");
    }
    assert_eq!(names_of("203.0.113.200"), Pointers::Absent);
    assert_eq!(names_of("203.0.113.13"), Pointers::Failed(LookupFailure::ServFail));
}

#[test]
fn names_look_generic_if_all_of_them_do() {
    assert_eq!(names_of("203.0.113.10").generic().map(|(_, generic)| generic.clone()), Some(Generic::Address));
    assert_eq!(names_of("203.0.113.9").generic(), None);
    assert_eq!(names_of("203.0.113.200").generic(), None);
}

#[test]
fn no_more_names_are_looked_at_than_anybody_looks_at() {
    let many = (0..40).map(|number| format!("9.113.0.203.in-addr.arpa PTR mx{number}.example.net")).collect::<Vec<_>>().join("\n");
    let found = pointers(address("203.0.113.9"), &Zone(&many)).now_or_never().expect("a zone answers at once");
    assert_eq!(found.all().len(), POINTERS);
}

fn faults(name: &str, egress: &[&str], targets: &[&str]) -> Vec<HelloFault> {
    let name: HelloName = name.parse().expect(name);
    let hello = Hello::look_up(name, &Zone(ZONE)).now_or_never().expect("a zone answers at once");
    let known: Vec<(IpAddr, Pointers)> = egress.iter().map(|text| (address(text), names_of(text))).collect();
    let seen: Vec<(IpAddr, &Pointers)> = known.iter().map(|(address, pointers)| (*address, pointers)).collect();
    let targets: Vec<DomainName> = targets.iter().map(|name| name.parse().expect("a name")).collect();
    hello.faults(&seen, &targets)
}

#[test]
fn a_name_in_ehlo_is_wrong_in_many_ways() {
    use HelloFault::{Literal, Local, OtherAddress, OtherLiteral, OtherPointer, Targets, Unqualified, Unresolved};
    let nine = "203.0.113.9";
    for (name, egress, targets, expected) in [
        ("mail.example.net", &[nine, "2001:db8::9"][..], &["mx.example.com"][..], &[][..]),
        ("localhost", &[nine], &[], &[Local]),
        ("localhost.localdomain", &[nine], &[], &[Local]),
        ("desk.fritz.lan", &[nine], &[], &[Local]),
        ("box.home.arpa", &[nine], &[], &[Local]),
        ("mail", &[nine], &[], &[Unqualified]),
        ("mail.example.net", &[nine], &["mail.example.net"], &[Targets]),
        ("nobody.example.net", &[nine], &[], &[Unresolved, OtherPointer(address(nine))]),
        ("other.example.net", &[nine], &[], &[OtherAddress(address(nine)), OtherPointer(address(nine))]),
        ("half.example.net", &["203.0.113.200"], &[], &[]),
        ("mail.example.net", &["203.0.113.200"], &[], &[OtherAddress(address("203.0.113.200"))]),
        ("[203.0.113.9]", &[nine], &[], &[Literal]),
        ("[10.0.0.7]", &[nine, "2001:db8::9"], &[], &[Literal, OtherLiteral(address(nine))]),
        ("mail.example.net", &[], &[], &[]),
    ] {
        assert_eq!(faults(name, egress, targets), expected, "{name} at {egress:?}");
    }
}
