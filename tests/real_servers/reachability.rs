//! `smtpprobe ports` through firewalls and broken routes, and to the wrong servers: who shuts a port, and how that shows.

use std::thread;
use std::time::Duration;

use super::lab::Lab;
use super::network::{
    self, CLIENT, CLOSING, HTTP, IMAP, IN_CIRCLES, MASKED, MX1, MX2, NOBODY_FAR, NOBODY_NEAR, NOWHERE, POP3, Pair, Place, REFUSING, ROUTER,
    SILENT, SSH, SWAPPED,
};
use super::probed::Probed;
use super::servers::AUTHORITY;

/// Ports 25, 465 and 587 as they should be.
const OPEN: &str = "greeted tls greeted";
/// Only port 25 is shut.
const SILENT_25: &str = "filtered tls greeted";
const REFUSED_25: &str = "refused tls greeted";
const REJECTED_25: &str = "rejected tls greeted";

/// Looks at ports, by the lab's DNS and control host. What never comes is not waited for long, unless arguments say otherwise.
fn ports(lab: &Lab, arguments: &[&str]) -> Probed {
    run(lab, "ports --control control.test", arguments)
}

/// The same without a control host.
fn ports_alone(lab: &Lab, arguments: &[&str]) -> Probed {
    run(lab, "ports --no-control", arguments)
}

fn run(lab: &Lab, command: &str, arguments: &[&str]) -> Probed {
    let authority = lab.path(AUTHORITY).display().to_string();
    let usual = [
        ("SMTPPROBE_RESOLVER", "127.0.0.1"),
        ("SMTPPROBE_TLS_CA", &*authority),
        ("SMTPPROBE_CONNECT_TIMEOUT", "0.6"),
        ("SMTPPROBE_GREETING_TIMEOUT", "2"),
    ];
    let command: Vec<&str> = command.split(' ').collect();
    lab.probe_with(&usual, &[&command, arguments].concat())
}

/// The same states at both addresses of a host.
fn both(addresses: Pair, states: &str) -> [(&'static str, &str); 2] {
    addresses.map(|address| (address, states))
}

/// Rules for what goes to these addresses, for both families.
fn to(addresses: &[Pair], rule: &str) -> String {
    let rules = addresses.iter().map(|[v4, v6]| format!("ip daddr {v4} {rule}\n ip6 daddr {v6} {rule}\n"));
    rules.collect()
}

#[test]
fn nothing_is_shut() {
    let Some(lab) = network::open("open") else { return };
    let pair = ports(&lab, &["pair.test"]);
    pair.ends(0, "accepted accepted").shows(&[both(MX1, OPEN), both(MX2, OPEN)].concat());
    pair.finds_just(&[]).also_tried("control", &[]).also_tried("other_port", &[]).also_tried("other_mode", &[]);
    let host = ports(&lab, &["mx2.pair.test", "-4"]);
    host.ends(0, "accepted accepted").shows(&[(MX2[0], OPEN)]);
    let address = ports(&lab, &[MX2[1], "-p", "25,587"]);
    address.ends(0, "accepted accepted").shows(&[(MX2[1], "greeted greeted")]);

    // Mail from other servers comes by port 25, and by no other: these count where they were asked for.
    lab.block(Place::Router, "tcp dport 465 drop");
    let pair = ports(&lab, &["pair.test"]);
    let states = "greeted filtered greeted";
    pair.ends(0, "accepted accepted").shows(&[both(MX1, states), both(MX2, states)].concat()).also_tried("control", &[]);
    ports(&lab, &["pair.test", "-p", "465"]).ends(4, "unreachable port_filtered").finds_just(&["port_silent"]);
}

/// How a firewall says no, in nftables' words; the ICMP code; the state and the reason that it makes.
type Answer = (&'static str, u8, &'static str, &'static str);

const ANSWERS_V4: [Answer; 7] = [
    ("net-unreachable", 0, "unreachable", "connection_rejected"),
    ("host-unreachable", 1, "unreachable", "connection_rejected"),
    ("prot-unreachable", 2, "rejected", "connection_rejected"),
    ("port-unreachable", 3, "rejected", "connection_rejected"),
    ("net-prohibited", 9, "rejected", "connection_rejected"),
    ("host-prohibited", 10, "rejected", "connection_rejected"),
    ("admin-prohibited", 13, "rejected", "connection_rejected"),
];
const ANSWERS_V6: [Answer; 6] = [
    ("no-route", 0, "unreachable", "connection_rejected"),
    ("admin-prohibited", 1, "rejected", "connection_rejected"),
    ("addr-unreachable", 3, "unreachable", "connection_rejected"),
    ("port-unreachable", 4, "rejected", "connection_rejected"),
    ("policy-fail", 5, "rejected", "connection_rejected"),
    ("reject-route", 6, "rejected", "connection_rejected"),
];

#[test]
fn a_firewall_that_answers_is_told_by_its_own_words() {
    let Some(lab) = network::open("answers") else { return };
    for (place, sender) in [(Place::Router, ROUTER), (Place::Servers, MX1)] {
        for (family, protocol, kind, answers) in [(0, "icmp", 3, &ANSWERS_V4[..]), (1, "icmpv6", 1, &ANSWERS_V6)] {
            for (words, code, state, reason) in answers {
                lab.block(place, &format!("tcp dport 25 reject with {protocol} {words}"));
                let refused = ports_alone(&lab, &["solo.test", ["-4", "-6"][family]]);
                refused.ends(4, &format!("unreachable {reason}")).shows(&[(MX1[family], &*format!("{state} tls greeted"))]);
                refused.tells(MX1[family], 25, &format!("{kind}/{code} from {}", sender[family]));
                refused.finds_just(&[reason, "other_ports_answer"]);
            }
        }
        lab.block(place, "tcp dport 25 reject with tcp reset");
        for address in MX1 {
            let refused = ports_alone(&lab, &[address]);
            refused.ends(4, "unreachable connection_refused").shows(&[(address, REFUSED_25)]).tells(address, 25, "-");
            refused.finds_just(&["connection_refused", "other_ports_answer"]);
        }
    }
}

#[test]
fn a_port_that_only_the_target_shuts_is_the_targets_doing() {
    let Some(lab) = network::open("theirs") else { return };
    for (rule, states, reason, finding) in [
        ("tcp dport 25 drop", SILENT_25, "port_filtered", "port_silent"),
        ("tcp dport 25 reject with tcp reset", REFUSED_25, "connection_refused", "connection_refused"),
        ("tcp dport 25 reject", REJECTED_25, "connection_rejected", "connection_rejected"),
    ] {
        for place in [Place::Router, Place::Servers] {
            lab.block(place, &to(&[MX1, MX2], rule));
            let shut = ports(&lab, &["pair.test"]);
            shut.ends(4, &format!("unreachable {reason}")).shows(&[both(MX1, states), both(MX2, states)].concat());
            shut.finds_just(&[finding, "control_answered", "other_ports_answer"]);
            shut.also_tried("control", &["198.51.100.25 25 greeted", "2001:db8:c::25 25 greeted"]);
        }
    }

    // Everything is shut: no other port tells anything.
    lab.block(Place::Servers, &to(&[MX1, MX2], "drop"));
    let dead = ports(&lab, &["pair.test"]);
    dead.ends(4, "unreachable port_filtered").finds_just(&["port_silent", "control_answered"]);

    // One host, one family: who shuts it is plain without a control.
    lab.block(Place::Servers, &format!("ip6 daddr {} drop", MX1[1]));
    let half = ports(&lab, &["pair.test"]);
    half.ends(4, "unreachable family_broken").finds_just(&["port_silent", "family_broken"]).also_tried("control", &[]);
    half.shows(&[&[(MX1[0], OPEN), (MX1[1], "filtered filtered filtered")][..], &both(MX2, OPEN)].concat());
    let half = ports(&lab, &["solo.test"]);
    half.ends(4, "unreachable family_broken").finds_just(&["port_silent", "family_broken", "control_answered"]);
    half.also_tried("control", &["2001:db8:c::25 25 greeted"]);
}

#[test]
fn a_port_that_is_shut_for_everybody_is_blocked_here() {
    let Some(lab) = network::open("ours") else { return };
    for (place, rule, states, alone, finding) in [
        (Place::Router, "tcp dport 25 drop", SILENT_25, "port_filtered", "port_silent"),
        (Place::Router, "tcp dport 25 reject with tcp reset", REFUSED_25, "connection_refused", "connection_refused"),
        (Place::Router, "tcp dport 25 reject with icmpx admin-prohibited", REJECTED_25, "connection_rejected", "connection_rejected"),
        // A firewall in this machine leaves no trace when it drops, or answers in the target's name.
        (Place::Client, "tcp dport 25 drop", SILENT_25, "port_filtered", "port_silent"),
        (Place::Client, "tcp dport 25 reject with tcp reset", REFUSED_25, "connection_refused", "connection_refused"),
    ] {
        lab.block(place, rule);
        let blocked = ports(&lab, &["pair.test"]);
        blocked.ends(4, "unreachable port_blocked_here").shows(&[both(MX1, states), both(MX2, states)].concat());
        blocked.finds_just(&[finding, "port_blocked_here", "other_ports_answer"]);
        let state = states.split(' ').next().unwrap_or_default();
        blocked.also_tried("control", &[&*format!("198.51.100.25 25 {state}"), &*format!("2001:db8:c::25 25 {state}")]);

        let unknown = ports_alone(&lab, &["pair.test"]);
        unknown.ends(4, &format!("unreachable {alone}")).finds_just(&[finding, "other_ports_answer"]).also_tried("control", &[]);
    }

    // For one family alone, the other is open.
    lab.block(Place::Router, "meta nfproto ipv6 tcp dport 25 drop");
    let half = ports(&lab, &["pair.test"]);
    half.shows(&[(MX1[0], OPEN), (MX1[1], SILENT_25), (MX2[0], OPEN), (MX2[1], SILENT_25)]);
    half.ends(4, "unreachable port_blocked_here").finds("port_blocked_here").also_tried("control", &["2001:db8:c::25 25 filtered"]);
}

#[test]
fn rules_of_this_machine_are_told_as_such() {
    let Some(lab) = network::open("own") else { return };
    for (rule, v4, v6) in [
        ("reject", "3/3 from 10.9.0.2 here", "1/4 from fd00:9::2 here"),
        ("reject with icmpx admin-prohibited", "3/13 from 10.9.0.2 here", "1/1 from fd00:9::2 here"),
    ] {
        lab.block(Place::Client, &format!("tcp dport 25 {rule}"));
        let own = ports(&lab, &["solo.test"]);
        own.ends(4, "unreachable port_blocked_here").finds("local_firewall").also_tried("control", &[]);
        own.shows(&both(MX1, REJECTED_25)).tells(MX1[0], 25, v4).tells(MX1[1], 25, v6);
    }
    lab.open_all();
    for (kind, state, reason, finding) in [
        ("prohibit", "forbidden", "port_blocked_here", "local_firewall"),
        ("blackhole", "forbidden", "port_blocked_here", "local_firewall"),
        ("unreachable", "no_route", "network_unreachable", "no_route_here"),
    ] {
        let [v4, v6] = MX1;
        lab.client().ip(&format!("route add {kind} {v4}")).expect("a route");
        lab.client().ip(&format!("-6 route add {kind} {v6}")).expect("a route");
        let own = ports(&lab, &["solo.test"]);
        own.ends(4, &format!("unreachable {reason}")).shows(&both(MX1, &[state; 3].join(" "))).finds_just(&[finding]);
        own.also_tried("control", &[]);
        lab.client().ip(&format!("route del {kind} {v4}")).expect("a route");
        lab.client().ip(&format!("-6 route del {kind} {v6}")).expect("a route");
    }
    for address in CLIENT.into_iter().chain(["127.0.0.1", "::1"]) {
        let own = ports(&lab, &[address, "-p", "25"]);
        own.ends(4, "unreachable connection_refused").finds_just(&["own_address", "connection_refused"]).shows(&[(address, "refused")]);
    }
}

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
            let lost = ports_alone(&lab, &[address, "--connect-timeout", "2"]);
            lost.ends(4, "unreachable host_unreachable").finds_just(&["host_unreachable"]);
            lost.shows(&[(address, "unreachable unreachable unreachable")]).tells(address, 25, told);
        }
    }

    // The router is gone: nothing can be reached from here.
    network::use_gateway(lab.client(), NOBODY_NEAR).expect("a route");
    let cut = ports(&lab, &["solo.test"]);
    cut.shows(&both(MX1, "unreachable unreachable unreachable")).tells(MX1[0], 25, "3/1 from 10.9.0.2 here");
    cut.ends(4, "unreachable network_unreachable").finds_just(&["host_unreachable"]);
    network::use_gateway(lab.client(), ROUTER).expect("a route");

    // No IPv6 here: nothing is held against the hosts.
    let no_route = "no_route no_route no_route";
    lab.client().ip("-6 route del default").expect("a route");
    let single = ports(&lab, &["solo.test"]);
    single.ends(0, "accepted accepted").finds_just(&["no_route_here"]).shows(&[(MX1[0], OPEN), (MX1[1], no_route)]);
    let none = ports(&lab, &["solo.test", "-6"]);
    none.ends(4, "unreachable network_unreachable").finds_just(&["no_route_here"]).shows(&[(MX1[1], no_route)]);
    none.also_tried("control", &[]);
    lab.client().set("net/ipv6/conf/all/disable_ipv6", "1").expect("a setting");
    ports(&lab, &["solo.test"]).ends(0, "accepted accepted").finds_just(&["no_route_here"]);
    ports(&lab, &["solo.test", "-6"]).ends(4, "unreachable network_unreachable").finds_just(&["no_route_here"]);
}

#[test]
fn something_else_than_a_mail_server_is_named() {
    let Some(lab) = network::open("odd") else { return };
    let on_25 = |address: &str, patience: &str| ports(&lab, &[address, "-p", "25", "--greeting-timeout", patience]);
    let controlled = |address: &'static str, state: &str, verdict: (i32, &str), findings: &[&str], control: &[&str]| {
        let odd = on_25(address, "3");
        odd.ends(verdict.0, verdict.1).shows(&[(address, state)]).finds_just(findings);
        odd.also_tried("control", control).also_tried("other_mode", &[]);
    };
    let odd = |address, state: &str, verdict, findings: &[&str]| controlled(address, state, verdict, findings, &[]);
    thread::scope(|scope| {
        // TLS alone where plain text is due shows only after a time in which those have spoken that merely let others wait.
        let slow = scope.spawn(|| on_25(SWAPPED, "20"));
        for address in [SILENT, SWAPPED] {
            odd(address, "silent", (4, "unreachable no_greeting"), &["no_greeting"]);
        }
        for address in [SSH, HTTP, IMAP, POP3] {
            odd(address, "not_smtp", (4, "unreachable not_smtp"), &["not_smtp"]);
        }
        // Whether it is the host that hangs up is told by another one.
        let closed = on_25(CLOSING, "3");
        closed.ends(4, "unreachable connection_closed").finds("closed_without_greeting").shows(&[(CLOSING, "closed")]);
        closed.also_tried("control", &["198.51.100.25 25 greeted"]).also_tried("other_mode", &[]);
        // Who paints over a greeting is told by another one.
        controlled(MASKED, "greeted", (0, "accepted accepted"), &["masked_there"], &["198.51.100.25 25 greeted"]);
        // It says no, but it says it by SMTP.
        odd(REFUSING, "greeted", (0, "accepted accepted"), &["greeting_refused"]);

        let plain = ports(&lab, &[SWAPPED, "-p", "465"]);
        plain.ends(4, "unreachable wrong_tls_mode").finds("wrong_tls_mode").shows(&[(SWAPPED, "plain")]);
        plain.also_tried("other_mode", &["192.0.2.108 465 greeted"]);
        let secure = slow.join().expect("the command runs");
        secure.ends(4, "unreachable wrong_tls_mode").finds("wrong_tls_mode").shows(&[(SWAPPED, "silent")]);
        secure.also_tried("other_mode", &["192.0.2.108 25 tls"]);
    });

    // A firewall that lets connections come about, and resets them then.
    lab.block(Place::Router, "tcp dport 25 tcp flags & (syn|ack) == ack reject with tcp reset");
    let reset = ports_alone(&lab, &["solo.test"]);
    reset.ends(4, "unreachable connection_reset").shows(&both(MX1, "reset tls greeted"));
    reset.finds_just(&["connect_reset", "other_ports_answer"]);
    ports(&lab, &["solo.test"])
        .ends(4, "unreachable port_blocked_here")
        .also_tried("control", &["198.51.100.25 25 reset", "2001:db8:c::25 25 reset"]);
}

#[test]
fn somebody_who_answers_for_everybody_is_found() {
    let Some(lab) = network::open("redirect") else { return };
    lab.place(Place::Router).nft(&network::redirection()).expect("nft takes the rules");
    let led = ports(&lab, &["pair.test"]);
    led.finds("intercepted").ends(4, "unreachable middlebox_interference").shows(&[both(MX1, OPEN), both(MX2, OPEN)].concat());
    led.also_tried("control", &["198.51.100.25 25 greeted", "2001:db8:c::25 25 greeted"]);
    let alone = ports_alone(&lab, &["pair.test"]);
    alone.finds_just(&["greeting_foreign"]).ends(0, "accepted accepted");

    // A host may well have another name than the one that it is reached by.
    lab.open_all();
    ports(&lab, &["renamed.test"]).ends(0, "accepted accepted").finds_just(&[]).also_tried("control", &[]);
}

#[test]
fn nobody_waits_longer_than_for_one_connection() {
    let Some(lab) = network::open("times") else { return };
    let limit = Duration::from_millis(2_500);
    let two_seconds = ["--connect-timeout", "2"];
    let silence = "filtered filtered filtered";

    lab.block(Place::Servers, &to(&[MX2], "drop"));
    let second = ports(&lab, &[&two_seconds[..], &["pair.test"]].concat());
    second.ends(4, "unreachable port_filtered").finds_just(&["port_silent"]).within(limit);
    second.shows(&[both(MX1, OPEN), both(MX2, silence)].concat());

    lab.block(Place::Servers, &to(&[MX1], "drop"));
    let first = ports(&lab, &[&two_seconds[..], &["pair.test"]].concat());
    first.ends(4, "unreachable port_filtered").finds_just(&["port_silent", "first_host_dead"]).within(limit);
    first.shows(&[both(MX1, silence), both(MX2, OPEN)].concat());

    lab.block(Place::Router, "tcp dport 25 drop");
    ports(&lab, &[&two_seconds[..], &["pair.test"]].concat()).ends(4, "unreachable port_blocked_here").within(limit);

    // A router that answers, but not often: what it left out comes with the next try, a second later.
    let rates = [("net/ipv4/icmp_ratemask", "6168"), ("net/ipv6/icmp/ratelimit", "1000")];
    for (key, value) in rates {
        lab.place(Place::Router).set(key, value).expect("a setting");
    }
    lab.block(Place::Router, "reject with icmpx admin-prohibited");
    let (rejected, patient) = ("rejected rejected rejected", ["--connect-timeout", "4", "pair.test"]);
    ports_alone(&lab, &patient).ends(4, "unreachable connection_rejected").shows(&[both(MX1, rejected), both(MX2, rejected)].concat());
}

#[test]
fn a_probe_of_a_mailbox_through_walls_says_nothing_of_the_mailbox() {
    let Some(lab) = network::open("walls") else { return };
    let limit = Duration::from_millis(2_500);
    for (place, rules, state, finding) in [
        (Place::Router, "tcp dport 25 drop", "filtered", "port_silent"),
        (Place::Router, "tcp dport 25 reject with tcp reset", "refused", "connection_refused"),
        (Place::Client, "tcp dport 25 reject", "rejected", "local_firewall"),
    ] {
        lab.block(place, rules);
        let walled = run(&lab, "--control control.test --connect-timeout 2", &["known@pair.test"]);
        walled.ends(4, "unreachable port_blocked_here").finds(finding).within(limit);
        walled.shows(&[both(MX1, state), both(MX2, state)].concat());
        assert_eq!(walled.at("/verdict/unknown"), "Nothing is known about the server or the mailbox.");
        let said = ["title", "summary", "why", "fix"].map(|part| walled.at(&format!("/verdict/{part}")).to_string());
        assert!(!said.iter().any(|words| words.contains("mailbox")), "{said:#?}");
    }
    lab.block(Place::Servers, &to(&[MX1, MX2], "tcp dport 25 drop"));
    let walled = run(&lab, "--control control.test --connect-timeout 2", &["known@pair.test"]);
    walled.ends(4, "unreachable port_filtered").finds("control_answered").within(limit);
    let ports = ["192.0.2.25 465 tls", "192.0.2.25 587 greeted", "2001:db8::25 465 tls", "2001:db8::25 587 greeted"];
    walled.also_tried("control", &["198.51.100.25 25 greeted", "2001:db8:c::25 25 greeted"]);
    walled.also_tried("other_port", &ports);
}
