//! Records as they stand in a zone, and the certificates that they name.

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _, date_time_ymd};

use super::*;

/// A certificate with its key as the maker of both knows it.
fn certificate() -> (Vec<u8>, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["mx.example.com".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 12, 31);
    (params.self_signed(&key).unwrap().der().to_vec(), key.subject_public_key_info())
}

fn record(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
    (usage, selector, matching, data.to_vec()).into()
}

#[test]
fn numbers_survive_whatever_they_are() {
    for number in 0..=u8::MAX {
        let rdata = [number, number, number, 0xab];
        let read = Tlsa::try_from(&rdata[..]).unwrap();
        assert_eq!((read.usage.number(), read.selector.number(), read.matching.number()), (number, number, number));
        assert_eq!(read.to_string(), format!("{number} {number} {number} ab"));
    }
}

#[test]
fn too_few_octets_are_no_record() {
    for length in 0..3 {
        assert_eq!(Tlsa::try_from(&[3_u8; 3][..length]), Err(TlsaError(length)));
    }
    assert!(Tlsa::try_from(&[3_u8, 1, 1][..]).unwrap().data.is_empty());
}

// The records of RFC 6698 2.3.
#[test]
fn the_examples_of_the_rfc_print_as_written_and_are_unusable_for_mail() {
    for (usage, selector, matching, hex) in [
        (0, 0, 1, "d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971"),
        (
            1,
            1,
            2,
            "92003ba34942dc74152e2f2c408d29eca5a520e7f2e06bb944f4dca346baf63c1b177615d466f6c4b71c216a50292bd58c9ebdd2f74e38fe51ffd48c43326cbc",
        ),
    ] {
        let data: Vec<u8> = (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        let read = record(usage, selector, matching, &data);
        assert_eq!(read.to_string(), format!("{usage} {selector} {matching} {hex}"));
        assert_eq!(read.unusable(), Some(Unusable::Pkix));
        assert_eq!(record(usage + 2, selector, matching, &data).unusable(), None);
    }
}

#[test]
fn each_selector_and_matching_type_is_what_the_maker_of_the_certificate_computes() {
    let (der, key) = certificate();
    assert_eq!(public_key(&der), Some(key.as_slice()));
    for (selector, selected) in [(0, &der), (1, &key)] {
        for (matching, data) in [
            (0, selected.clone()),
            (1, digest::digest(&digest::SHA256, selected).as_ref().to_vec()),
            (2, digest::digest(&digest::SHA512, selected).as_ref().to_vec()),
        ] {
            for usage in [2, 3] {
                let good = record(usage, selector, matching, &data);
                assert_eq!(good.unusable(), None, "{good}");
                assert!(good.names(&der), "{good}");
                assert_eq!(Tlsa::for_certificate(usage.into(), selector.into(), matching.into(), &der), Some(good.clone()));
                assert!(!good.names(&certificate().0), "somebody else's");
            }
        }
    }
}

#[test]
fn what_cannot_be_used_says_why() {
    let (der, key) = certificate();
    let longer = [der.clone(), vec![0]].concat();
    for (usage, selector, matching, data, expected) in [
        (0, 0, 1, &[0; 32][..], Unusable::Pkix),
        (1, 1, 1, &[0; 32], Unusable::Pkix),
        (4, 1, 1, &[0; 32], Unusable::Usage(4)),
        (255, 1, 1, &[0; 32], Unusable::Usage(255)),
        (3, 2, 1, &[0; 32], Unusable::Selector(2)),
        (3, 1, 3, &[0; 32], Unusable::Matching(3)),
        (3, 1, 1, &[0; 31], Unusable::DigestLength { expected: 32, found: 31 }),
        (3, 1, 1, &[], Unusable::DigestLength { expected: 32, found: 0 }),
        (2, 0, 2, &[0; 32], Unusable::DigestLength { expected: 64, found: 32 }),
        (3, 0, 0, &[], Unusable::NoCertificate),
        (3, 0, 0, &key, Unusable::NoCertificate),
        (3, 0, 0, &longer, Unusable::NoCertificate),
        (2, 1, 0, &der, Unusable::NoKey),
        (2, 1, 0, &[0x30], Unusable::NoKey),
    ] {
        assert_eq!(record(usage, selector, matching, data).unusable(), Some(expected), "{usage} {selector} {matching}");
    }
}

#[test]
fn the_record_to_publish_is_one_line_of_a_zone_file() {
    let (der, key) = certificate();
    let digits: Vec<String> = digest::digest(&digest::SHA256, &key).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let line = Tlsa::recommended(&der).unwrap().zone_line(Port::SMTP, &"mx.example.com".parse().unwrap());
    assert_eq!(line, format!("_25._tcp.mx.example.com. IN TLSA 3 1 1 {}", digits.concat()));
    assert_eq!(Tlsa::recommended(&der[1..]), None);
}

proptest! {
    #[test]
    fn nothing_panics(rdata in proptest::collection::vec(any::<u8>(), 0..400), der in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(read) = Tlsa::try_from(rdata.as_slice()) {
            let _ = (read.unusable(), read.names(&der));
            prop_assert!(read.to_string().len() <= rdata.len() * 2 + 12);
        }
        let _ = Tlsa::recommended(&der);
    }

    #[test]
    fn a_certificate_with_an_octet_changed_never_panics(at in 0usize..300, to in any::<u8>()) {
        let (mut der, _) = certificate();
        let at = at % der.len();
        der[at] = to;
        let _ = (Tlsa::recommended(&der), record(2, 0, 0, &der).unusable());
    }
}
