//! The same cases for another implementation, mail-auth, which asks a DNS server on loopback that knows the suite's zones.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use mail_auth::MessageAuthenticator;
use mail_auth::spf::verify::SpfParameters;
use smtpprobe::sender::spf::Question;

use super::server::serve;
use super::suite::Zone;
use super::{check, suite};

/// A case with our result and theirs.
type Difference = (&'static str, &'static str, &'static str);

/// Where mail-auth says something else, and why. Our result is one that the suite allows.
const DIFFERENCES: &[(&str, &[Difference])] = &[
    (
        "It asks for the policy of what is no domain, and takes the failure for a wrong policy (RFC 7208 section 4.3).",
        &[("emptylabel", "none", "permerror"), ("helo-domain-literal", "none", "permerror"), ("domain-literal", "none", "permerror")],
    ),
    (
        "It reads on where a term is wrong, or reads the term as another one (section 4.6).",
        &[
            ("non-ascii-policy", "permerror", "fail"),
            ("non-ascii-mech", "permerror", "fail"),
            ("control-char-policy", "permerror", "pass"),
            ("invalid-domain", "permerror", "fail"),
            ("a-bad-cidr4", "permerror", "fail"),
            ("a-bad-cidr6", "permerror", "fail"),
            ("a-dual-cidr-ip4-err", "permerror", "pass"),
            ("a-bad-domain", "permerror", "temperror"),
            ("a-null", "permerror", "temperror"),
            ("a-numeric", "permerror", "neutral"),
            ("a-numeric-toplabel", "permerror", "neutral"),
            ("a-bad-toplabel", "permerror", "temperror"),
            ("a-only-toplabel", "permerror", "neutral"),
            ("a-only-toplabel-trailing-dot", "permerror", "neutral"),
            ("mx-bad-cidr4", "permerror", "fail"),
            ("mx-bad-cidr6", "permerror", "fail"),
            ("mx-bad-domain", "permerror", "temperror"),
            ("mx-null", "permerror", "temperror"),
            ("mx-numeric-top-label", "permerror", "neutral"),
            ("mx-bad-toplab", "permerror", "temperror"),
            ("cidr4-33", "permerror", "pass"),
            ("cidr4-032", "permerror", "pass"),
            ("cidr6-129", "permerror", "neutral"),
            ("redirect-syntax-error", "permerror", "neutral"),
            ("invalid-modifier", "permerror", "neutral"),
            ("empty-modifier-name", "permerror", "neutral"),
            ("exp-syntax-error", "permerror", "neutral"),
        ],
    ),
    (
        "It takes the first of several policies (section 4.5).",
        &[("multitxt1", "permerror", "fail"), ("multitxt2", "permerror", "fail"), ("multispf1", "permerror", "fail")],
    ),
    (
        "It takes a colon or slash in a value for the end of what may stand there (section 12, macro-literal).",
        &[
            ("modifier-charset-good", "pass", "permerror"),
            ("redirect-after-mechanisms2", "fail", "permerror"),
            ("a-colon-domain", "pass", "permerror"),
            ("a-colon-domain-ip4mapped", "pass", "permerror"),
            ("mx-colon-domain", "pass", "permerror"),
            ("mx-colon-domain-ip4mapped", "pass", "permerror"),
        ],
    ),
    (
        "A name that it cannot ask for, or that no query can carry, is a temperror, not one that does not exist (section 4.3).",
        &[
            ("invalid-domain-empty-label", "fail", "temperror"),
            ("invalid-domain-long", "fail", "temperror"),
            ("invalid-domain-long-via-macro", "fail", "temperror"),
            ("macro-mania-in-domain", "pass", "temperror"),
            ("invalid-hello-macro", "fail", "temperror"),
            ("hello-domain-literal", "fail", "temperror"),
        ],
    ),
    (
        "It does not see that the name of an address is the domain itself, as one has a final dot (section 5.5).",
        &[("ptr-match-implicit", "pass", "fail"), ("ptr-match-ip6", "pass", "fail")],
    ),
    (
        "It takes the first name of the address, final dot and all, validated or not (section 7.3).",
        &[("p-macro-multiple", "pass", "temperror")],
    ),
    (
        "An IPv4 address matches an IPv6 network of no bits (section 5).",
        &[
            ("a-cidr6-0-ip4mapped", "fail", "pass"),
            ("mx-cidr6-0-ip4mapped", "fail", "pass"),
            ("cidr6-0-ip4", "neutral", "pass"),
            ("cidr6-ip4", "neutral", "pass"),
        ],
    ),
    ("It asks for IPv6 addresses, too, where only one of IPv4 counts (section 5.7).", &[("exists-ip6only", "fail", "pass")]),
    ("It does not count answers that there is nothing (section 4.6.4).", &[("void-over-limit", "permerror", "neutral")]),
];

fn asking(server: SocketAddr) -> MessageAuthenticator {
    let mut connection = ConnectionConfig::udp();
    connection.port = server.port();
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![NameServerConfig::new(server.ip(), true, vec![connection])]);
    let mut options = ResolverOpts::default();
    options.timeout = Duration::from_secs(5);
    options.attempts = 1;
    options.use_hosts_file = ResolveHosts::Never;
    MessageAuthenticator::new(config, options).expect("a resolver")
}

async fn their_result(question: &Question, them: &MessageAuthenticator) -> String {
    let parameters = if question.sender.is_empty() {
        SpfParameters::verify_ehlo(question.address, &question.hello, "unknown")
    } else {
        SpfParameters::verify_mail_from(question.address, &question.hello, "unknown", &question.sender)
    };
    format!("{:?}", them.verify_spf(parameters).await.result()).to_lowercase()
}

#[tokio::test]
async fn another_implementation_says_the_same_but_where_it_is_known_why() {
    let Some(groups) = suite::read() else { return };
    let mut count = 0;
    let mut differences = Vec::new();
    for group in &groups {
        let them = asking(serve(group.zone.clone()));
        for case in &group.cases {
            count += 1;
            let ours = check(&case.question, &group.zone).result.as_str();
            let theirs = their_result(&case.question, &them).await;
            if ours != theirs {
                differences.push((case.name.clone(), ours, theirs));
            }
        }
    }
    println!("{count} cases, {} with another result", differences.len());
    let mut found: Vec<_> = differences.iter().map(|(name, ours, theirs)| (name.as_str(), *ours, theirs.as_str())).collect();
    let mut known: Vec<_> = DIFFERENCES.iter().flat_map(|(_, cases)| cases.iter().copied()).collect();
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known);
}

/// Names that policies of the usual kind are about.
const WORLD: &[(&str, &str, &str)] = &[
    ("a.example.com", "A", "192.0.2.1"),
    ("a.example.com", "AAAA", "2001:db8::1"),
    ("b.example.com", "A", "192.0.2.17"),
    ("b.example.com", "AAAA", "2001:db8:0:1::1"),
    ("m.example.com", "MX", "a.example.com"),
    ("m.example.com", "MX", "b.example.com"),
    ("192.0.2.1.list.example.com", "A", "127.0.0.2"),
    ("anna.list.example.com", "A", "127.0.0.2"),
    ("1.2.0.192.in-addr.arpa", "PTR", "mail.a.example.com"),
    ("mail.a.example.com", "A", "192.0.2.1"),
    ("i1.example.com", "TXT", "v=spf1 ip4:192.0.2.0/28 -all"),
    ("i2.example.com", "TXT", "v=spf1 -a:a.example.com ip6:2001:db8::/32 ?all"),
    ("i3.example.com", "TXT", "v=spf1 redirect=i1.example.com"),
    ("i4.example.com", "TXT", "v=spf1 include -all"),
];

/// Terms as they are in use, of which some match and some do not.
const TERMS: &[&str] = &[
    "a:a.example.com",
    "a:b.example.com/28",
    "a:b.example.com/24//48",
    "mx:m.example.com",
    "mx:m.example.com/29//64",
    "ip4:192.0.2.16/28",
    "ip4:198.51.100.7",
    "ip6:2001:db8::/64",
    "ip6:2001:db8::1",
    "include:i1.example.com",
    "include:i2.example.com",
    "include:i3.example.com",
    "include:i4.example.com",
    "include:gone.example.com",
    "exists:%{i}.list.example.com",
    "exists:%{l}.list.example.com",
    "exists:%{l}.%{d2}",
    "ptr:a.example.com",
    "all",
    "redirect=i2.example.com",
    "redirect=i3.example.com",
    "x-note=whatever",
];

#[tokio::test]
async fn on_usual_policies_both_agree() {
    const POLICIES: usize = 500;
    let mut random = fastrand::Rng::with_seed(7208);
    let mut zone = Zone::default();
    for (name, kind, data) in WORLD {
        zone.add(name, kind, data);
    }
    let policies: Vec<String> = (0..POLICIES)
        .map(|index| {
            // Two redirects are a fault that mail-auth lets pass.
            let mut redirected = false;
            let mut terms = vec!["v=spf1".to_owned()];
            for _ in 0..random.usize(0..6) {
                let term = *random.choice(TERMS).expect("a term");
                if term.contains('=') {
                    let again = term.starts_with("redirect") && std::mem::replace(&mut redirected, true);
                    terms.extend(Some(term.to_owned()).filter(|_| !again));
                } else {
                    terms.push(format!("{}{term}", random.choice(["", "+", "-", "~", "?"]).expect("a sign")));
                }
            }
            let policy = terms.join(" ");
            zone.add(&format!("p{index}.example.com"), "TXT", &policy);
            policy
        })
        .collect();
    let them = asking(serve(zone.clone()));
    let mut results = std::collections::BTreeMap::new();
    for (index, policy) in policies.iter().enumerate() {
        let address = *random.choice(&["192.0.2.1", "192.0.2.18", "198.51.100.7", "2001:db8::1", "2001:db8:0:1::2"]).expect("an address");
        let question = Question {
            address: address.parse().expect("an address"),
            sender: format!("{}@p{index}.example.com", random.choice(["anna", "bob"]).expect("a name")),
            hello: "probe.example.net".to_owned(),
            receiver: "unknown".to_owned(),
            time: 0,
        };
        let spf = check(&question, &zone);
        // Of the answers that there is nothing, mail-auth takes any number.
        if spf.problem.as_ref().is_some_and(|problem| problem.kind.as_str() == "too_many_void") {
            continue;
        }
        assert_eq!(spf.result.as_str(), their_result(&question, &them).await, "{policy} for {address}: {:#?}", spf.trace);
        *results.entry(spf.result.as_str()).or_insert(0) += 1;
    }
    println!("{results:?}");
    assert!(["pass", "fail", "softfail", "neutral", "permerror"].iter().all(|result| results.get(result) > Some(&10)), "{results:?}");
}
