//! Key records, and the keys in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::sender::zone::Zone;

/// The key of RFC 8463 section A.2.
const ED25519: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// One value of DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length: Vec<u8> = content.len().to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect();
    let mut header = vec![tag];
    if content.len() < 128 {
        header.push(u8::try_from(content.len()).unwrap());
    } else {
        header.push(0x80 | u8::try_from(length.len()).unwrap());
        header.extend(length);
    }
    [&header, content].concat()
}

/// An RSA key of so many bits, without a frame; its modulus is a power of two.
fn bare_rsa(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0; bits / 8];
    modulus[0] = 0x80;
    modulus.insert(0, 0);
    der(0x30, &[der(0x02, &modulus), der(0x02, &[1, 0, 1])].concat())
}

/// The same in its frame.
fn rsa(bits: usize) -> Vec<u8> {
    let algorithm = der(0x30, &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00]);
    der(0x30, &[algorithm, der(0x03, &[vec![0], bare_rsa(bits)].concat())].concat())
}

#[test]
fn a_key_is_measured() {
    for (bits, strength, remarks) in [
        (512, Strength::Unusable, &["too_short"][..]),
        (1016, Strength::Unusable, &["too_short"]),
        (1024, Strength::Weak, &["short"]),
        (2040, Strength::Weak, &["short"]),
        (2048, Strength::Good, &[]),
        (4096, Strength::Good, &[]),
        (8192, Strength::Good, &["long"]),
    ] {
        let key = Key::read(&format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(rsa(bits)))).expect("a key");
        assert_eq!((key.material, key.strength()), (Material::Rsa { bits }, strength));
        assert_eq!(key.remarks.iter().map(|remark| remark.kind.as_str()).collect::<Vec<_>>(), remarks, "{bits}");
    }
    let key = Key::read(&format!("p={}", STANDARD.encode(bare_rsa(2048)))).expect("a key");
    assert_eq!(
        (key.material, key.remarks.iter().map(|remark| remark.kind).collect::<Vec<_>>()),
        (Material::Rsa { bits: 2048 }, vec![RemarkKind::Bare])
    );
    let key = Key::read(&format!("v=DKIM1; k=ed25519; p={ED25519}")).expect("a key");
    assert_eq!((key.material, key.strength(), key.remarks.len()), (Material::Ed25519, Strength::Good, 0));
    // Blanks may stand in the key, and its padding may be missing.
    let (first, rest) = ED25519.trim_end_matches('=').split_at(10);
    assert_eq!(Key::read(&format!("k=ed25519; p = {first} \t{rest};")).map(|key| key.material), Ok(Material::Ed25519));
}

#[test]
fn what_a_key_is_for_is_read() {
    for (rest, strength, remarks) in [
        ("", Strength::Good, &[][..]),
        ("h=sha256; s=email; t=y:s; n=rolled over in May", Strength::Good, &[]),
        ("h=sha1:SHA256; s=*", Strength::Good, &[]),
        ("h=sha1", Strength::Unusable, &[("sha1", "sha1_only")]),
        ("s=tlsrpt", Strength::Unusable, &[("tlsrpt", "not_for_mail")]),
        ("t=y:x; g=*; a=b", Strength::Good, &[("x", "unknown_flag"), ("*", "obsolete"), ("b", "unknown_tag")]),
    ] {
        let text = format!("v=DKIM1; k=ed25519; p={ED25519}; {rest}");
        let key = Key::read(&text).expect(rest);
        let told: Vec<_> = key.remarks.iter().map(|remark| (remark.text.as_str(), remark.kind.as_str())).collect();
        assert_eq!((key.strength(), &told[..]), (strength, remarks), "{rest}");
        assert!(key.remarks.iter().all(|remark| text[remark.at..].starts_with(&remark.text)), "{rest}");
        assert_eq!((key.testing, key.exact), (rest.contains("t=y"), rest.contains(":s;")), "{rest}");
        assert_eq!(key.note.as_deref(), rest.contains("n=").then_some("rolled over in May"));
    }
    let revoked = Key::read("v=DKIM1; p=").expect("a record");
    assert_eq!((revoked.material, revoked.strength()), (Material::Revoked, Strength::Unusable));
}

#[test]
fn what_makes_a_record_void_is_pointed_at() {
    let framed = STANDARD.encode([&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &[7; 32]].concat());
    let cut = STANDARD.encode(rsa(2048).split_at(200).0);
    for (text, at, kind) in [
        ("", 0, FaultKind::NoKey),
        ("v=DKIM1", 0, FaultKind::NoKey),
        ("v=DKIM2; p=", 2, FaultKind::Version),
        ("v=spf1 -all", 2, FaultKind::Version),
        ("p=; v=DKIM1", 6, FaultKind::VersionPlace),
        ("v=DKIM1; p=; p=", 13, FaultKind::Repeated),
        ("v=DKIM1; foo; p=", 9, FaultKind::NotATag),
        ("v=DKIM1; =x; p=", 9, FaultKind::NotATag),
        ("v=DKIM1; k=dsa; p=", 11, FaultKind::Kind),
        ("v=DKIM1; p=MIGf*", 11, FaultKind::Base64),
        ("v=DKIM1; p=AAAA", 11, FaultKind::Rsa),
        ("v=DKIM1; k=ed25519; p=AAAA", 22, FaultKind::Ed25519),
        (&format!("v=DKIM1; p={cut}"), 11, FaultKind::Rsa),
        (&format!("v=DKIM1; p={ED25519}"), 11, FaultKind::Rsa),
        (&format!("v=DKIM1; p={framed}"), 11, FaultKind::Rsa),
        (&format!("v=DKIM1; k=ed25519; p={framed}"), 22, FaultKind::FramedEd25519),
        (&format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(rsa(2048))), 22, FaultKind::Ed25519),
    ] {
        assert_eq!(Key::read(text).map_err(|fault| (fault.at, fault.kind)), Err((at, kind)), "{text}");
    }
}

#[test]
fn a_selector_is_looked_up() {
    let zone = Zone(
        "ed._domainkey.example.com TXT v=DKIM1; k=ed25519; p=
         a.b._domainkey.example.com TXT v=DKIM1; p=
         two._domainkey.example.com TXT v=DKIM1; p=
         two._domainkey.example.com TXT v=DKIM1; p=x
         odd._domainkey.example.com TXT p
         down._domainkey.example.com TXT SERVFAIL",
    );
    for (selector, expected) in [
        ("ed", "ed._domainkey.example.com revoked"),
        ("a.b", "a.b._domainkey.example.com revoked"),
        ("two", "two._domainkey.example.com several"),
        ("odd", "odd._domainkey.example.com fault"),
        ("down", "down._domainkey.example.com lookup"),
        ("none", "none._domainkey.example.com absent"),
        ("a..b", "- name"),
        ("r\u{e9}mi", "- name"),
    ] {
        let domain = "example.com".parse().expect("a domain");
        let published = look_up(selector, &domain, &zone).now_or_never().expect("a zone answers at once");
        let name = published.query.as_ref().map_or("-", |query| query.name.as_str());
        let key = published.key.as_ref().map_or_else(Problem::as_str, |key| key.material.as_str());
        assert_eq!(format!("{name} {key}"), expected);
        assert_eq!(published.text.is_some(), matches!(key, "revoked" | "fault"), "{selector}");
    }
}

proptest! {
    #[test]
    fn no_record_is_too_odd(text in "(v=DKIM1; )?(;|=| |p|k|t|h|s|n|:|rsa|ed25519|MIGf|MAwG|A|\\*|\\PC){0,60}") {
        let places = match Key::read(&text) {
            Ok(key) => key.remarks.into_iter().map(|remark| (remark.at, remark.text)).collect(),
            Err(fault) => vec![(fault.at, fault.text)],
        };
        for (at, shown) in places {
            prop_assert!(text.get(at..).is_some_and(|rest| rest.starts_with(&shown)));
        }
    }

    #[test]
    fn no_key_is_too_odd(octets in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..300, octet: u8) {
        let mut almost = rsa(1024);
        if let Some(place) = almost.get_mut(at) {
            *place = octet;
        }
        for key in [octets, almost] {
            if let Ok(key) = Key::read(&format!("p={}", STANDARD.encode(key))) {
                let is_rsa = matches!(key.material, Material::Rsa { .. } | Material::Revoked);
                prop_assert!(is_rsa);
            }
        }
    }
}
