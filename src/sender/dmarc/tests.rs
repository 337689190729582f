//! What applies, from zones at hand.

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::route::Record as Datum;
use crate::sender::zone::Zone;

fn find(zone: &impl Dns, domain: &str, spf: Option<&str>) -> Dmarc {
    let spf: Option<DomainName> = spf.map(|name| name.parse().expect(name));
    look_up(&domain.parse().expect(domain), spf.as_ref(), zone).now_or_never().expect("a zone answers at once")
}

/// `reject p example.com of example.com`: policy, tag, where the record is, organizational domain.
fn told(dmarc: &Dmarc) -> String {
    let policy = dmarc.policy.map_or_else(|| "-".to_owned(), |applied| format!("{} {}", applied.policy.as_str(), applied.by.as_str()));
    let at = dmarc.applies.and_then(|index| dmarc.walk.get(index)).map_or("-", |visit| visit.domain.as_str());
    format!("{policy} {at} of {}", dmarc.organization)
}

#[test]
fn the_record_that_applies_is_found() {
    for (zone, domain, expected) in [
        ("", "example.com", "- - of example.com"),
        ("_dmarc.example.com TXT v=DMARC1; p=reject", "example.com", "reject p example.com of example.com"),
        ("_dmarc.example.com TXT v=DMARC1", "example.com", "none default example.com of example.com"),
        ("_dmarc.example.com TXT v=DMARC1; p=reject; t=y", "example.com", "quarantine p example.com of example.com"),
        ("_dmarc.example.com TXT v=DMARC1; p=quarantine; t=y", "example.com", "none p example.com of example.com"),
        // Subdomains: sp, then p; np only for those that do not exist.
        ("_dmarc.example.com TXT v=DMARC1; p=reject\na.example.com A 192.0.2.1", "a.example.com", "reject p example.com of example.com"),
        (
            "_dmarc.example.com TXT v=DMARC1; p=reject; sp=none\na.example.com A 192.0.2.1",
            "a.example.com",
            "none sp example.com of example.com",
        ),
        (
            "_dmarc.example.com TXT v=DMARC1; p=none; sp=quarantine; np=reject\na.example.com MX 0 .",
            "a.example.com",
            "quarantine sp example.com of example.com",
        ),
        ("_dmarc.example.com TXT v=DMARC1; p=none; np=reject", "a.example.com", "reject np example.com of example.com"),
        (
            "_dmarc.example.com TXT v=DMARC1; p=none; np=reject\nb.a.example.com A 192.0.2.1",
            "a.example.com",
            "none p example.com of example.com",
        ),
        (
            "_dmarc.example.com TXT v=DMARC1; p=none; np=reject\na.example.com A SERVFAIL",
            "a.example.com",
            "none p example.com of example.com",
        ),
        // Of several records on the way, that of the domain itself or of the organization counts.
        (
            "_dmarc.b.example.com TXT v=DMARC1; p=none\n_dmarc.example.com TXT v=DMARC1; p=reject",
            "a.b.example.com",
            "reject p example.com of example.com",
        ),
        (
            "_dmarc.b.example.com TXT v=DMARC1; p=none; psd=n\n_dmarc.example.com TXT v=DMARC1; p=reject",
            "a.b.example.com",
            "none p b.example.com of b.example.com",
        ),
        (
            "_dmarc.a.b.example.com TXT v=DMARC1; p=none\n_dmarc.example.com TXT v=DMARC1; p=reject",
            "a.b.example.com",
            "none p a.b.example.com of example.com",
        ),
        // Below a public suffix the organization's domain is one label longer, and the suffix' record is for those without one.
        (
            "_dmarc.gov.example TXT v=DMARC1; p=none; sp=quarantine; psd=y",
            "mail.tax.gov.example",
            "quarantine sp gov.example of tax.gov.example",
        ),
        (
            "_dmarc.gov.example TXT v=DMARC1; p=none; psd=y\n_dmarc.tax.gov.example TXT v=DMARC1; p=reject",
            "mail.tax.gov.example",
            "reject p tax.gov.example of tax.gov.example",
        ),
        ("_dmarc.gov.example TXT v=DMARC1; p=reject; psd=y", "gov.example", "reject p gov.example of gov.example"),
        // What cannot be read is none where somebody is told of it, and nothing elsewhere.
        ("_dmarc.example.com TXT v=DMARC1; p=rejct", "example.com", "- example.com of example.com"),
        ("_dmarc.example.com TXT v=DMARC1; p=rejct; rua=mailto:a@example.com", "example.com", "none default example.com of example.com"),
        ("_dmarc.example.com TXT v=DMARC1; p=reject; sp=x", "example.com", "- example.com of example.com"),
        ("_dmarc.example.com TXT v=DMARC1; p=none\n_dmarc.example.com TXT v=DMARC1; p=reject", "example.com", "- - of example.com"),
        ("_dmarc.example.com TXT v=dmarc1; p=reject", "example.com", "- - of example.com"),
    ] {
        let dmarc = find(&Zone(zone), domain, None);
        assert_eq!(told(&dmarc), expected, "{domain}\n{zone}");
        assert!(dmarc.walk.len() <= WALK_LIMIT);
    }
}

#[test]
fn what_stands_at_each_name_is_told() {
    let zone = Zone(
        "_dmarc.a.b.example.com TXT v=dmarc1;p=none
         _dmarc.b.example.com TXT SERVFAIL
         _dmarc.example.com TXT v=DMARC1;p=none
         _dmarc.example.com TXT v=DMARC1;p=reject",
    );
    let dmarc = find(&zone, "a.b.example.com", None);
    let visits: Vec<_> = dmarc.walk.iter().map(|visit| (visit.domain.as_str(), visit.found.as_str())).collect();
    assert_eq!(visits, [("a.b.example.com", "misspelt"), ("b.example.com", "failed"), ("example.com", "several"), ("com", "absent")]);
    assert_eq!((dmarc.failure, dmarc.queries.len()), (Some(LookupFailure::ServFail), 4));
    assert_eq!(dmarc.queries[0].name, "_dmarc.a.b.example.com");
}

#[test]
fn spf_stands_for_the_author_if_the_domains_are_kin() {
    let zone = "_dmarc.example.com TXT v=DMARC1; p=reject; aspf=";
    for (mode, domain, spf, expected) in [
        ("r", "example.com", "example.com", ("same", true)),
        ("r", "example.com", "bounce.example.com", ("organization", true)),
        ("r", "news.example.com", "bounce.example.com", ("organization", true)),
        ("s", "example.com", "bounce.example.com", ("organization", false)),
        ("s", "example.com", "example.com", ("same", true)),
        ("r", "example.com", "example.net", ("strangers", false)),
    ] {
        let zone = format!("{zone}{mode}");
        let dmarc = find(&Zone(&zone), domain, Some(spf));
        let alignment = dmarc.spf.expect("an alignment");
        assert_eq!((alignment.kinship.as_str(), alignment.aligned), expected, "{mode} {domain} {spf}");
        assert!(dmarc.queries.len() <= 2 * WALK_LIMIT + 1);
    }
    // Names that both walks come by are asked for once.
    let dmarc = find(&Zone("_dmarc.example.com TXT v=DMARC1"), "example.com", Some("bounce.example.com"));
    assert_eq!(
        dmarc.queries.iter().map(|query| query.name.as_str()).collect::<Vec<_>>(),
        ["_dmarc.example.com", "_dmarc.com", "_dmarc.bounce.example.com"]
    );
    // Without any record, only the same name is kin.
    let dmarc = find(&Zone(""), "example.com", Some("bounce.example.com"));
    assert_eq!(dmarc.spf.map(|alignment| alignment.kinship), Some(Kinship::Strangers));
}

/// Says the same of every name.
struct Everywhere(String);

impl Dns for Everywhere {
    async fn ask(&self, _: &QueryName, _: LookupKind) -> Records {
        Records::Found(vec![Datum::Text(self.0.clone().into_bytes())])
    }
}

proptest! {
    #[test]
    fn no_record_is_too_odd(
        text in "(v=DMARC1)?(;|=| |p|sp|np|psd|none|reject|rua|mailto:|a@b.c|!|,|:|fo|t|y|n|\\PC){0,40}",
        labels in 1_usize..60,
    ) {
        let domain = vec!["a"; labels].join(".");
        let dmarc = find(&Everywhere(text.clone()), &domain, Some("b.example.com"));
        prop_assert!(dmarc.walk.len() <= WALK_LIMIT && dmarc.queries.len() <= 2 * WALK_LIMIT + 1);
        for fault in dmarc.walk.iter().filter_map(Visit::record).flat_map(|record| &record.faults) {
            prop_assert!(text.get(fault.at..).is_some_and(|rest| rest.starts_with(&fault.text)));
        }
    }
}
