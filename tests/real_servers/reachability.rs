//! Through firewalls and broken routes, and to the wrong servers: how it shows who shuts a port.

use std::time::Duration;

use super::network::{
    self, CLOSING, HTTP, IMAP, IN_CIRCLES, MASKED, MX1, NOBODY_FAR, NOBODY_NEAR, NOWHERE, POP3, Place, REFUSING, ROUTER, SILENT, SSH,
    SWAPPED,
};

/// How a firewall says no, in nftables' words; the ICMP code; and the reason that it makes, which is also the finding.
type Answer = (&'static str, u8, &'static str);

const ANSWERS_V4: [Answer; 7] = [
    ("net-unreachable", 0, "host_unreachable"),
    ("host-unreachable", 1, "host_unreachable"),
    ("prot-unreachable", 2, "connection_rejected"),
    ("port-unreachable", 3, "connection_rejected"),
    ("net-prohibited", 9, "connection_rejected"),
    ("host-prohibited", 10, "connection_rejected"),
    ("admin-prohibited", 13, "connection_rejected"),
];
const ANSWERS_V6: [Answer; 6] = [
    ("no-route", 0, "host_unreachable"),
    ("admin-prohibited", 1, "connection_rejected"),
    ("addr-unreachable", 3, "host_unreachable"),
    ("port-unreachable", 4, "connection_rejected"),
    ("policy-fail", 5, "connection_rejected"),
    ("reject-route", 6, "connection_rejected"),
];

#[test]
fn a_firewall_that_answers_is_told_by_its_own_words() {
    let Some(lab) = network::open("answers") else { return };
    for (place, sender) in [(Place::Router, ROUTER), (Place::Servers, MX1)] {
        for (family, protocol, kind, answers) in [(0, "icmp", 3, &ANSWERS_V4[..]), (1, "icmpv6", 1, &ANSWERS_V6)] {
            for (words, code, reason) in answers {
                lab.block(place, &format!("tcp dport 25 reject with {protocol} {words}"));
                let refused = lab.probe(&["--until", "connect", MX1[family]]);
                refused.ends(4, &format!("unreachable {reason}")).finds_just(&[reason]);
                refused.tells(MX1[family], 25, &format!("{kind}/{code} from {}", sender[family]));
            }
        }
        lab.block(place, "tcp dport 25 reject with tcp reset");
        for address in MX1 {
            let refused = lab.probe(&["--until", "connect", address]);
            refused.ends(4, "unreachable connection_refused").finds_just(&["connection_refused"]).tells(address, 25, "-");
        }
    }
}

#[test]
fn a_probe_of_a_mailbox_through_walls_says_nothing_of_the_mailbox() {
    let Some(lab) = network::open("walls") else { return };
    let limit = Duration::from_millis(2_500);
    for (place, rules, reason, finding) in [
        (Place::Servers, "tcp dport 25 drop", "port_filtered", "port_silent"),
        (Place::Servers, "tcp dport 25 reject with tcp reset", "connection_refused", "connection_refused"),
        (Place::Servers, "tcp dport 25 reject", "connection_rejected", "connection_rejected"),
        (Place::Client, "tcp dport 25 reject", "connection_rejected", "connection_rejected"),
    ] {
        lab.block(place, rules);
        let walled = lab.probe(&["--resolver", "127.0.0.1", "--connect-timeout", "2", "known@pair.test"]);
        walled.ends(4, &format!("unreachable {reason}")).finds(finding).within(limit);
        assert_eq!(walled.at("/verdict/unknown"), "Nothing is known about the mailbox.");
        let said = ["title", "summary", "why", "fix"].map(|part| walled.at(&format!("/verdict/{part}")).to_string());
        assert!(!said.iter().any(|words| words.contains("mailbox")), "{said:#?}");
    }
}

/// A connection that the kernel or a router gives up: the errors of a way that ends, and who says so.
#[test]
fn a_way_that_ends_somewhere_is_told_by_who_says_so() {
    let Some(lab) = network::open("ways") else { return };
    for ([to_v4, to_v6], [icmp, icmpv6]) in [
        (NOBODY_FAR, ["3/1 from 10.9.0.1", "1/3 from fd00:9::1"]),
        (NOBODY_NEAR, ["3/1 from 10.9.0.2 here", "1/3 from fd00:9::2 here"]),
        (NOWHERE, ["3/0 from 10.9.0.1", "1/0 from fd00:9::1"]),
        (IN_CIRCLES, ["11/0 from 192.0.2.25", "3/0 from 2001:db8:c::25"]),
    ] {
        for (address, told) in [(to_v4, icmp), (to_v6, icmpv6)] {
            let lost = lab.probe(&["--until", "connect", address]);
            lost.ends(4, "unreachable host_unreachable").finds_just(&["host_unreachable"]).tells(address, 25, told);
        }
    }
}

#[test]
fn something_else_than_a_mail_server_is_named() {
    let Some(lab) = network::open("odd") else { return };
    lab.probe(&["--until", "greeting", MASKED]).finds("greeting_masked");
    lab.probe(&[REFUSING]).ends(1, "rejected ip_blocklisted");
    for (address, reason) in [
        (SILENT, "no_greeting"),
        (SSH, "not_smtp"),
        (HTTP, "not_smtp"),
        (IMAP, "not_smtp"),
        (POP3, "not_smtp"),
        (CLOSING, "connection_closed"),
        (SWAPPED, "no_greeting"),
    ] {
        lab.probe(&["--greeting-timeout", "0.5", address]).ends(4, &format!("unreachable {reason}"));
    }
}
