//! Whether the answers of the DNS are authentic, and what follows from that for the way mail is sent (RFC 4033, RFC 7672).

use super::lab::Lab;
use super::loopback::MX;
use super::others;
use super::probed::Probed;
use super::signed::{self, ANCHOR, CARELESS, FAR, NEAR};

/// Asks a resolver of the lab's about a domain under `test`.
fn probe(lab: &Lab, resolver: &str, domain: &str, arguments: &[&str]) -> Probed {
    lab.probe(&[&["--resolver", resolver, &format!("{domain}.test")], arguments].concat())
}

/// Of the domains: whether the route is authentic; whether the answers to MX and A are; whether the mail host is asked.
const LINKS: [(&str, &str, &str, bool); 15] = [
    ("secure", "secure", "secure secure", true),
    ("hashed", "secure", "secure secure", true),
    ("guest", "secure", "secure secure", true),
    ("alias", "secure", "secure secure", true),
    ("forged-tlsa", "secure", "secure secure", true),
    ("insecure", "insecure", "insecure insecure", true),
    ("led", "insecure", "insecure secure", true),
    ("astray", "insecure", "secure insecure", true),
    ("expired", "bogus", "bogus", false),
    ("misled", "bogus", "bogus", false),
    ("forged", "bogus", "bogus", false),
    ("forged-host", "bogus", "secure bogus", false),
    ("bare", "secure", "secure secure", true),
    ("hashed-bare", "secure", "secure secure", true),
    ("clear", "secure", "secure secure", true),
];

/// The answers to MX and A: a word for each.
fn links(probed: &Probed, word: &str) -> String {
    let lookups = probed.at("/route/lookups").as_array().into_iter().flatten();
    let of_interest = lookups.filter(|lookup| lookup["type"] == "MX" || lookup["type"] == "A");
    of_interest.map(|lookup| lookup[word].as_str().unwrap_or("-")).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_route_is_as_authentic_as_its_weakest_answer() {
    let Some(lab) = signed::open("links") else { return };
    let anchor = lab.path(ANCHOR).display().to_string();
    let until_connected = ["--until", "connect"];
    let here = ["--until", "connect", "--dnssec-anchor", &anchor];

    // By the word of a resolver that is believed, and by signatures that were looked at here.
    for (resolver, arguments, by) in [
        (NEAR, &until_connected[..], "resolver"),
        (FAR, &["--until", "connect", "--trust-ad"], "resolver"),
        (NEAR, &here, "validation"),
        (FAR, &here, "validation"),
    ] {
        for (domain, route, answers, reached) in LINKS {
            let probed = probe(&lab, resolver, domain, arguments);
            probed.ends(if reached { 0 } else { 4 }, if reached { "accepted accepted" } else { "unreachable dns_failure" });
            assert_eq!((probed.at("/route/dnssec").as_str(), &*links(&probed, "secure")), (Some(route), answers), "{domain} by {by}");
            // What the resolver refuses nobody else can look at.
            let reasons = answers.split(' ').map(|answer| if answer == "bogus" { "refused_by_resolver" } else { by });
            assert_eq!(links(&probed, "secure_reason"), reasons.collect::<Vec<_>>().join(" "), "{domain} by {resolver}");
        }
    }

    // A resolver far away is believed only where it refuses.
    for (domain, route, answers, _) in LINKS {
        let probed = probe(&lab, FAR, domain, &until_connected);
        let doubted = |answers: &str| answers.replace("insecure", "unknown").replace("secure", "unknown");
        let found = (probed.at("/route/dnssec").as_str(), links(&probed, "secure"));
        assert_eq!(found, (Some(&*doubted(route)), doubted(answers)), "{domain}");
    }

    // Where nobody else validates, what does not hold is not proven to be forged: it is not proven at all.
    for (domain, route, answers, _) in LINKS {
        let careless = probe(&lab, CARELESS, domain, &until_connected);
        careless.ends(0, "accepted accepted");
        assert_eq!(careless.at("/route/dnssec"), "insecure", "{domain}");
        let probed = probe(&lab, CARELESS, domain, &here);
        probed.ends(0, "accepted accepted");
        assert_eq!(probed.at("/route/dnssec"), &route.replace("bogus", "unknown"), "{domain}");
        assert!(links(&probed, "secure").starts_with(&answers.replace("bogus", "unknown")), "{domain}: {}", links(&probed, "secure"));
    }
}

/// Of the domains: what Postfix makes of the mail host.
const BY_POSTFIX: [(&str, &str); 18] = [
    ("secure", "Verified"),
    ("hashed", "Verified"),
    ("rollover", "Verified"),
    ("issuer", "Verified"),
    ("guest", "Verified"),
    ("alias", "Verified"),
    ("astray", "Verified"),
    ("mismatch", "Untrusted"),
    ("public", "Untrusted"),
    ("bare", "Untrusted"),
    ("hashed-bare", "Untrusted"),
    ("insecure", "Untrusted"),
    ("led", "Trusted"),
    ("clear", "none"),
    ("expired", "none"),
    ("misled", "none"),
    ("forged-host", "none"),
    ("forged-tlsa", "none"),
];

#[test]
fn other_programs_find_the_zones_to_be_what_they_are_meant_to_be() {
    let Some(lab) = signed::open("others") else { return };
    for (domain, word) in BY_POSTFIX {
        assert_eq!(others::posttls_finger(&lab, NEAR, &format!("{domain}.test")), word, "{domain}");
    }
    // Nobody's word but that of a resolver that validates makes them more than they look.
    assert_eq!(others::posttls_finger(&lab, CARELESS, "secure.test"), "Untrusted");

    let (key, root, old) = (signed::key_digest(&lab), signed::authority_digest(&lab), signed::old_digest());
    let (key, root, old) = (&*format!("3 1 1 {key}"), &*format!("2 0 1 {root}"), &*format!("3 1 1 {old}"));
    for (base, records, verified) in [
        ("mx.secure.test", &[key][..], true),
        ("mx.rollover.test", &[old, key], true),
        ("mx.mismatch.test", &[old], false),
        ("mx.issuer.test", &[root], true),
        ("mx.other.test", &[root], false),
    ] {
        assert_eq!(others::s_client(&lab, MX, base, records), verified, "{base}");
    }
}

/// Of the domains: what is published of the mail host's keys, and under which name; what comes of that; the finding; and what a
/// sender would do.
const BY_KEYS: [(&str, &str, &str, &str, &str, &str); 15] = [
    ("secure", "records", "mx.secure.test", "authenticated", "", "authenticated"),
    ("hashed", "records", "mx.hashed.test", "authenticated", "", "authenticated"),
    ("rollover", "records", "mx.rollover.test", "authenticated", "", "authenticated"),
    ("issuer", "records", "mx.issuer.test", "authenticated", "", "authenticated"),
    ("guest", "records", "mx.secure.test", "authenticated", "", "authenticated"),
    ("alias", "records", "mx.secure.test", "authenticated", "", "authenticated"),
    ("astray", "records", "mx.astray.test", "authenticated", "", "authenticated"),
    ("mismatch", "records", "mx.mismatch.test", "failed", "dane_failed", "defers"),
    ("public", "records", "mx.public.test", "unusable", "dane_unusable", "encrypted"),
    ("clear", "records", "mx.clear.test", "no_records", "dane_without_starttls", "defers"),
    ("forged-tlsa", "bogus", "mx.forged-tlsa.test", "no_records", "dane_lookup_failed", "defers"),
    ("bare", "absent", "mx.bare.test", "no_records", "", "encrypted"),
    ("hashed-bare", "absent", "mx.hashed-bare.test", "no_records", "", "encrypted"),
    ("insecure", "insecure", "-", "no_records", "", "encrypted"),
    ("led", "insecure", "-", "no_records", "", "encrypted"),
];

#[test]
fn published_keys_decide_where_they_are_authentic() {
    let Some(lab) = signed::open("dane") else { return };
    let anchor = lab.path(ANCHOR).display().to_string();
    for (resolver, arguments) in [(NEAR, &[][..]), (NEAR, &["--dnssec-anchor", &anchor]), (FAR, &["--trust-ad"])] {
        for (domain, state, base, verdict, findings, delivery) in BY_KEYS {
            let probed = probe(&lab, resolver, domain, arguments);
            probed.finds_of("dane_", findings).is_delivered("dane", delivery);
            let tlsa = probed.at("/route/hosts/0/tlsa/0");
            let found = (tlsa["port"].as_u64(), tlsa["state"].as_str(), tlsa["base"].as_str().unwrap_or("-"), probed.dane());
            assert_eq!(found, (Some(25), Some(state), base, verdict), "{domain} by {resolver} {arguments:?}");
        }
    }
    let rollover = probe(&lab, NEAR, "rollover", &[]);
    let mut records = [signed::old_digest(), signed::key_digest(&lab)].map(|digest| format!("3 1 1 {digest}"));
    records.sort_unstable();
    assert_eq!(sorted(rollover.at("/route/hosts/0/tlsa/0/records")), records);

    // What nobody vouches for decides nothing; neither does what cannot be proven here.
    for (resolver, arguments, domain, state, delivery) in [
        (FAR, &[][..], "secure", "unknown", "unknown"),
        (FAR, &[], "mismatch", "unknown", "unknown"),
        (CARELESS, &[], "mismatch", "insecure", "encrypted"),
        (CARELESS, &["--dnssec-anchor", &anchor], "secure", "records", "authenticated"),
        (CARELESS, &["--dnssec-anchor", &anchor], "forged-tlsa", "unknown", "unknown"),
    ] {
        let probed = probe(&lab, resolver, domain, arguments);
        probed.finds_of("dane_", "").is_delivered("dane", delivery);
        assert_eq!(probed.at("/route/hosts/0/tlsa/0/state"), state, "{domain} by {resolver} {arguments:?}");
    }
}

fn sorted(records: &serde_json::Value) -> Vec<&str> {
    let mut records: Vec<&str> = records.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
    records.sort_unstable();
    records
}

#[test]
fn other_programs_come_to_the_same() {
    let Some(lab) = signed::open("same") else { return };
    for (domain, word) in BY_POSTFIX {
        let probed = probe(&lab, NEAR, domain, &[]);
        match word {
            "none" if probed.code == 4 => {}
            "none" => {
                probed.is_delivered("dane", "defers");
            }
            word => assert_eq!(word == "Verified", probed.dane() == "authenticated", "{domain}: {word} and {}", probed.dane()),
        }

        // OpenSSL would also verify by public authorities, which senders of mail do not (RFC 7672 §3.1.3), and needs TLS.
        let tlsa = probed.at("/route/hosts/0/tlsa/0");
        if tlsa["state"] == "records" && !matches!(domain, "public" | "clear") {
            let base = tlsa["base"].as_str().expect("a name");
            let verified = others::s_client(&lab, MX, base, &sorted(&tlsa["records"]));
            assert_eq!(verified, probed.dane() == "authenticated", "{domain} by OpenSSL");
        }
    }
}
