//! Three namespaces in a row: client, router, servers. A firewall can stand in each of them.
//!
//! ```text
//! client 10.9.0.2 --- 10.9.0.1 router 192.0.2.1 --- 192.0.2.25, .35 and 198.51.100.25 servers
//!       fd00:9::2     fd00:9::1     2001:db8::1     2001:db8::25, ::35 and 2001:db8:c::25
//! ```

use std::fmt::Write as _;

use super::lab::Lab;
use super::namespace::Namespace;
use super::servers;

/// An address of each family.
pub(crate) type Pair = [&'static str; 2];

/// The client's own addresses.
pub(crate) const CLIENT: Pair = ["10.9.0.2", "fd00:9::2"];
/// The router's, where it faces the client.
pub(crate) const ROUTER: Pair = ["10.9.0.1", "fd00:9::1"];
/// Two mail hosts of one domain, `pair.test`.
pub(crate) const MX1: Pair = ["192.0.2.25", "2001:db8::25"];
pub(crate) const MX2: Pair = ["192.0.2.35", "2001:db8::35"];
/// A mail host that has nothing to do with them, `control.test`.
pub(crate) const CONTROL: Pair = ["198.51.100.25", "2001:db8:c::25"];
/// What somebody who intercepts connections leads them to.
pub(crate) const INTERCEPTOR: Pair = ["192.0.2.66", "2001:db8::66"];
/// Nobody has these: in the client's network, and in the servers'.
pub(crate) const NOBODY_NEAR: Pair = ["10.9.0.99", "fd00:9::99"];
pub(crate) const NOBODY_FAR: Pair = ["192.0.2.99", "2001:db8::99"];
/// The router knows no way to these.
pub(crate) const NOWHERE: Pair = ["203.0.113.8", "2001:db8:8::8"];
/// The router sends packets for these to the servers, and they send them back.
pub(crate) const IN_CIRCLES: Pair = ["203.0.113.9", "2001:db8:9::9"];

/// Ports that are open and quiet, or where something else than SMTP answers.
pub(crate) const SILENT: &str = "192.0.2.101";
pub(crate) const SSH: &str = "192.0.2.102";
pub(crate) const HTTP: &str = "192.0.2.103";
pub(crate) const IMAP: &str = "192.0.2.104";
pub(crate) const POP3: &str = "192.0.2.105";
pub(crate) const CLOSING: &str = "192.0.2.106";
pub(crate) const MASKED: &str = "192.0.2.107";
/// A mail server with TLS from the first byte on 25, and without on 465.
pub(crate) const SWAPPED: &str = "192.0.2.108";
/// A mail server that greets with a refusal.
pub(crate) const REFUSING: &str = "192.0.2.109";

/// What answers at an address, on port 25: what it prints at once, and then waits.
const ODD: [(&str, &str); 6] = [
    (SILENT, ""),
    (SSH, "SSH-2.0-OpenSSH_9.2p1 Debian-2\\r\\n"),
    (HTTP, "HTTP/1.1 408 Request Time-out\\r\\nConnection: close\\r\\n\\r\\n"),
    (IMAP, "* OK [CAPABILITY IMAP4rev1 SASL-IR] Dovecot ready.\\r\\n"),
    (POP3, "+OK Dovecot ready.\\r\\n"),
    (MASKED, "220 ****************************************\\r\\n"),
];

/// A namespace of the three.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Client,
    Router,
    Servers,
}

/// Makes a lab of three namespaces, with Postfix among the servers and Unbound beside the client.
pub(crate) fn open(title: &str) -> Option<Lab> {
    let programs = ["nft", "sh", "postfix", "openssl", "unbound"];
    let lab = Lab::open(title, &programs, &["client", "router", "servers"], lay_out)?;
    servers::unbound_with(&lab, &zone());
    servers::postfix_with(&lab, &services());
    Some(lab)
}

fn lay_out(lab: &Lab) -> Result<(), String> {
    let [client, router, servers] = lab.namespaces() else { return Err("three namespaces are needed".to_owned()) };
    for namespace in [client, router, servers] {
        // Errors are told as often as they happen.
        namespace.set("net/ipv4/icmp_ratemask", "0")?;
        namespace.set("net/ipv6/icmp/ratelimit", "0")?;
    }
    for namespace in [router, servers] {
        namespace.set("net/ipv4/ip_forward", "1")?;
        namespace.set("net/ipv6/conf/all/forwarding", "1")?;
        namespace.set("net/ipv4/conf/all/send_redirects", "0")?;
    }

    client.ip(&format!("link add eth0 type veth peer name client netns {}", router.name()))?;
    router.ip(&format!("link add servers type veth peer name eth0 netns {}", servers.name()))?;
    for (namespace, device, own) in [
        (client, "eth0", &[CLIENT][..]),
        (router, "client", &[ROUTER]),
        (router, "servers", &[["192.0.2.1", "2001:db8::1"]]),
        (servers, "eth0", &[MX1, MX2, INTERCEPTOR]),
    ] {
        namespace.ip(&format!("link set {device} up"))?;
        for family in ["ipv4", "ipv6"] {
            // Who does not answer ARP is given up after 0.3 s.
            namespace.set(&format!("net/{family}/neigh/{device}/retrans_time_ms"), "100")?;
        }
        for [v4, v6] in own {
            namespace.ip(&format!("address add {v4}/24 dev {device}"))?;
            namespace.ip(&format!("address add {v6}/64 dev {device} nodad"))?;
        }
    }
    for address in ODD.map(|(address, _)| address).into_iter().chain([CLOSING, SWAPPED, REFUSING]) {
        servers.ip(&format!("address add {address}/24 dev eth0"))?;
    }
    let [v4, v6] = CONTROL;
    servers.ip(&format!("address add {v4}/32 dev eth0"))?;
    servers.ip(&format!("address add {v6}/128 dev eth0 nodad"))?;

    use_gateway(client, ROUTER)?;
    use_gateway(servers, ["192.0.2.1", "2001:db8::1"])?;
    for [v4, v6] in [CONTROL, IN_CIRCLES] {
        router.ip(&format!("route add {v4} via {}", MX1[0]))?;
        router.ip(&format!("-6 route add {v6} via {}", MX1[1]))?;
    }
    // Whether this kernel has what the tests ask of a firewall.
    router.nft(&wall(Place::Router, "tcp dport 25 reject with tcp reset"))?;
    router.nft(&redirection())?;
    router.nft("")
}

/// Sends everything that has no way of its own to this router.
pub(crate) fn use_gateway(namespace: &Namespace, [v4, v6]: Pair) -> Result<(), String> {
    namespace.ip(&format!("route replace default via {v4}"))?;
    namespace.ip(&format!("-6 route replace default via {v6}"))
}

/// A firewall with these rules: for what leaves the client, passes the router, or reaches the servers.
fn wall(place: Place, rules: &str) -> String {
    let hook = match place {
        Place::Client => "output",
        Place::Router => "forward",
        Place::Servers => "input",
    };
    format!("table inet lab {{\n chain wall {{\n type filter hook {hook} priority 0;\n {rules}\n }}\n}}")
}

/// Rules that lead every connection to port 25 from the client to the [`INTERCEPTOR`].
pub(crate) fn redirection() -> String {
    let [v4, v6] = INTERCEPTOR;
    format!(
        "table inet lab {{\n chain lead {{\n type nat hook prerouting priority dstnat;\n \
         iifname client tcp dport 25 dnat ip to {v4}\n iifname client tcp dport 25 dnat ip6 to {v6}\n }}\n}}"
    )
}

impl Lab {
    /// The namespace at a place.
    pub(crate) fn place(&self, place: Place) -> &Namespace {
        match place {
            Place::Client => self.client(),
            Place::Router => &self.namespaces()[1],
            Place::Servers => self.servers(),
        }
    }

    /// Puts a firewall with these rules at a place, and takes away those of before, wherever they were.
    pub(crate) fn block(&self, place: Place, rules: &str) {
        self.open_all();
        self.place(place).nft(&wall(place, rules)).expect("nft takes the rules");
    }

    /// Takes all firewalls away.
    pub(crate) fn open_all(&self) {
        for namespace in self.namespaces() {
            namespace.nft("").expect("nft takes no rules");
        }
    }
}

/// The mail servers, as lines of Postfix' master.cf.
fn services() -> String {
    let mut services = String::new();
    for (name, addresses) in [("mx1.pair.test", MX1), ("mx2.pair.test", MX2), ("control.test", CONTROL), ("interceptor.test", INTERCEPTOR)]
    {
        for address in addresses {
            for (port, mode) in [(25, ""), (587, ""), (465, " -o smtpd_tls_wrappermode=yes")] {
                let _ = writeln!(services, "[{address}]:{port} inet n - n - - smtpd -o myhostname={name}{mode}");
            }
        }
    }
    for (address, words) in ODD {
        let _ = writeln!(services, "{address}:25 inet n n n - - spawn user=nobody argv=/bin/sh -c {{printf '{words}'; exec sleep 60}}");
    }
    let _ = write!(
        services,
        "{CLOSING}:25 inet n n n - - spawn user=nobody argv=/bin/true\n\
         {SWAPPED}:25 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n\
         {SWAPPED}:465 inet n - n - - smtpd\n\
         {REFUSING}:25 inet n - n - - smtpd -o smtpd_delay_reject=no -o {{smtpd_client_restrictions=reject}}\n"
    );
    services
}

/// The domains: `pair` has two hosts, `solo` the first of them; the host of `renamed` greets with another name of its own.
fn zone() -> String {
    let mut zone = "pair MX 10 mx1.pair\npair MX 20 mx2.pair\nsolo MX 10 mx1.pair\nrenamed MX 10 mx.renamed\n".to_owned();
    for (name, [v4, v6]) in
        [("mx1.pair", MX1), ("mx2.pair", MX2), ("control", CONTROL), ("interceptor", INTERCEPTOR), ("mx.renamed", INTERCEPTOR)]
    {
        let _ = write!(zone, "{name} A {v4}\n{name} AAAA {v6}\n");
    }
    zone
}
