//! Chains made for the purpose, judged at a time made for the purpose.

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey, date_time_ymd,
};
use tokio_rustls::rustls::crypto::ring::default_provider;

use super::*;
use crate::smtp::PublicKey;
use crate::transport::certificate::{hex, read};

const DAY: u64 = 24 * 60 * 60;
/// 2026-07-01, when everything here is in its time unless it says otherwise.
const NOW: u64 = 1_782_864_000;

/// An authority: what it signs with, and its certificate.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
}

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params.serial_number = Some(vec![0x12, 0xAB].into());
    params
}

fn authority_by(common_name: &str, by: Option<&Authority>, change: impl Fn(&mut CertificateParams)) -> Authority {
    let mut params = params(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = by.map_or_else(|| params.self_signed(&key), |by| params.signed_by(&key, &by.issuer)).unwrap();
    Authority { der: certificate.der().to_vec(), issuer: Issuer::new(params, key) }
}

fn authority(common_name: &str, by: Option<&Authority>) -> Authority {
    authority_by(common_name, by, |_| {})
}

fn server(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    let dated = self::params("mx.example.com");
    (params.distinguished_name, params.serial_number) = (dated.distinguished_name, dated.serial_number);
    (params.not_before, params.not_after) = (dated.not_before, dated.not_after);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// A server's certificate by `by`, with a key of its own.
fn leaf(by: &Authority, change: impl Fn(&mut CertificateParams)) -> Vec<u8> {
    let mut params = server(&["mx.example.com"]);
    change(&mut params);
    params.signed_by(&KeyPair::generate().unwrap(), &by.issuer).unwrap().der().to_vec()
}

fn judge_at(roots: &[&Authority], chain: &[&[u8]], now: u64) -> CertificateVerdict {
    let trusted: Vec<Vec<u8>> = roots.iter().map(|root| root.der.clone()).collect();
    let chain: Vec<CertificateDer<'_>> = chain.iter().map(|der| CertificateDer::from(*der)).collect();
    let (own, others) = chain.split_first().unwrap();
    let name = ServerName::try_from("mx.example.com").unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    verify(&Roots::only(&default_provider(), &trusted), own, others, &name, "mx.example.com", now)
}

/// What is found: `expired@0 wrong_name@0`.
fn found(verdict: &CertificateVerdict) -> String {
    verdict.faults().iter().map(|fault| format!("{}@{}", fault.why.name(), fault.place)).collect::<Vec<_>>().join(" ")
}

fn judge(roots: &[&Authority], chain: &[&[u8]]) -> String {
    found(&judge_at(roots, chain, NOW))
}

#[test]
fn a_chain_is_trusted_or_it_is_said_where_it_breaks() {
    let root = authority("Root", None);
    let between = authority("Between", Some(&root));
    let below = authority("Below", Some(&between));
    let own = leaf(&below, |_| {});
    let stranger = authority("Stranger", None);
    for (roots, chain, expected) in [
        (vec![&root], vec![&own, &below.der, &between.der], ""),
        (vec![&root], vec![&own, &below.der, &between.der, &root.der], ""),
        (vec![&root], vec![&own, &between.der, &below.der], ""),
        (vec![&root], vec![&own, &stranger.der, &below.der, &between.der], ""),
        (vec![&root], vec![&own], "missing_intermediate@0"),
        (vec![&root], vec![&own, &below.der], "missing_intermediate@1"),
        (vec![&root], vec![&own, &between.der], "missing_intermediate@0"),
        (vec![&root], vec![&own, &root.der], "missing_intermediate@0"),
        (vec![], vec![&own, &below.der, &between.der], "missing_intermediate@2"),
        (vec![], vec![&own, &below.der, &between.der, &root.der], "unknown_issuer@3"),
        (vec![&stranger], vec![&own, &below.der, &between.der, &root.der], "unknown_issuer@3"),
        (vec![&between], vec![&own, &below.der], ""),
    ] {
        let chain: Vec<&[u8]> = chain.into_iter().map(Vec::as_slice).collect();
        assert_eq!(judge(&roots, &chain), expected, "{} roots, {} sent", roots.len(), chain.len());
    }
    let verdict = judge_at(&[&root], &[&own, &below.der], NOW);
    assert_eq!(verdict.faults()[0].why, Distrust::MissingIntermediate { issuer: "CN=Between".to_owned() });
    let verdict = judge_at(&[], &[&own, &below.der, &between.der, &root.der], NOW);
    assert_eq!(verdict.faults()[0].why, Distrust::UnknownIssuer { issuer: "CN=Root".to_owned() });
}

#[test]
fn a_certificate_of_ones_own_is_known_with_all_that_is_wrong() {
    let key = KeyPair::generate().unwrap();
    let plain = server(&["mx.example.com"]).self_signed(&key).unwrap();
    assert_eq!(judge(&[], &[plain.der()]), "self_signed@0");
    // What a command that makes a certificate in one go does.
    let mut params = server(&["other.example.com"]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let marked = params.self_signed(&key).unwrap();
    assert_eq!(judge(&[], &[marked.der()]), "self_signed@0 wrong_name@0 marked_as_authority@0");
    let late = judge_at(&[], &[marked.der()], NOW + 365 * DAY);
    assert_eq!(found(&late), "self_signed@0 expired@0 wrong_name@0 marked_as_authority@0");
    let named = Authority { der: plain.der().to_vec(), issuer: Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap()) };
    assert_eq!(judge(&[&named], &[plain.der()]), "", "a certificate that is trusted itself");
}

#[test]
fn dates_count_to_the_second_and_hide_nothing() {
    let root = authority("Root", None);
    let from = u64::try_from(date_time_ymd(2026, 1, 1).unix_timestamp()).unwrap();
    let until = u64::try_from(date_time_ymd(2027, 1, 1).unix_timestamp()).unwrap();
    let own = leaf(&root, |_| {});
    for (now, expected) in [(from - 1, "not_yet_valid@0"), (from, ""), (until, ""), (until + 1, "expired@0")] {
        assert_eq!(found(&judge_at(&[&root], &[&own], now)), expected, "{now}");
    }
    assert_eq!(judge_at(&[&root], &[&own], until + 9).faults()[0].why, Distrust::Expired { since: i64::try_from(until).unwrap() });
    assert_eq!(judge_at(&[&root], &[&own], from - 9).faults()[0].why, Distrust::NotYetValid { until: i64::try_from(from).unwrap() });
    assert_eq!(found(&judge_at(&[], &[&own], until + 9)), "missing_intermediate@0 expired@0");
    let client = leaf(&root, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    assert_eq!(found(&judge_at(&[&root], &[&client], until + 9)), "expired@0 not_for_servers@0");
    // An intermediate that is over; the same one beside a newer of the same name and key does no harm.
    let over = authority_by("Between", Some(&root), |params| params.not_after = date_time_ymd(2026, 3, 1));
    let own = leaf(&over, |_| {});
    assert_eq!(judge(&[&root], &[&own, &over.der]), "expired@1");
    let newer = params_of_authority("Between").signed_by(over.issuer.key(), &root.issuer).unwrap();
    assert_eq!(judge(&[&root], &[&own, &over.der, newer.der()]), "");
}

fn params_of_authority(common_name: &str) -> CertificateParams {
    let mut params = params(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

#[test]
fn names_are_those_of_the_extension() {
    let root = authority("Root", None);
    let of = |names: &[&str]| leaf(&root, |params| params.subject_alt_names = server(names).subject_alt_names);
    for (names, expected) in [
        (&["mx.example.com"][..], ""),
        (&["*.example.com"], ""),
        (&["a.example.com", "MX.example.com"], ""),
        (&["b.example.com", "192.0.2.1"], "wrong_name@0"),
        (&["*.com"], "wrong_name@0"),
        (&[], "wrong_name@0"),
    ] {
        assert_eq!(judge(&[&root], &[&of(names)]), expected, "{names:?}");
    }
    let has = |names: &[&str]| judge_at(&[&root], &[&of(names)], NOW).faults()[0].why.clone();
    let asked = "mx.example.com".to_owned();
    let two = vec!["b.example.com".to_owned(), "192.0.2.1".to_owned()];
    assert_eq!(has(&["b.example.com", "192.0.2.1"]), Distrust::WrongName { asked: asked.clone(), has: two });
    // The common name is the very name, and does not count.
    assert_eq!(has(&[]), Distrust::WrongName { asked, has: Vec::new() });
}

#[test]
fn what_may_not_sign_or_serve_is_told() {
    let root = authority("Root", None);
    let none = authority_by("Between", Some(&root), |params| params.is_ca = IsCa::NoCa);
    assert_eq!(judge(&[&root], &[&leaf(&none, |_| {}), &none.der]), "not_an_authority@1");
    let marked = leaf(&root, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(judge(&[&root], &[&marked]), "marked_as_authority@0");
    let only = authority_by("Between", Some(&root), |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let below = authority("Below", Some(&only));
    let verdict = judge_at(&[&root], &[&leaf(&below, |_| {}), &below.der, &only.der], NOW);
    assert_eq!(verdict.faults()[0].why, Distrust::Other("path len constraint violated".to_owned()));
    let odd = leaf(&root, |params| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    });
    let verdict = judge_at(&[&root], &[&odd], NOW);
    assert_eq!(verdict.faults()[0].why, Distrust::UnhandledExtension("1.3.6.1.4.1.99999.1".to_owned()));
}

#[test]
fn a_signature_that_does_not_fit_is_found_where_it_is() {
    let root = authority("Root", None);
    let between = authority("Between", Some(&root));
    let other = authority("Between", Some(&root));
    let own = leaf(&between, |_| {});
    assert_eq!(judge(&[&root], &[&own, &other.der]), "bad_signature@0", "the issuer's name, and another key");
    let impostor = authority("Root", None);
    assert_eq!(judge(&[&impostor], &[&own, &between.der]), "bad_signature@1", "the root's name, and another key");
    let mut spoilt = own.clone();
    *spoilt.last_mut().unwrap() ^= 1;
    assert_eq!(judge(&[&root], &[&spoilt, &between.der]), "bad_signature@0");
}

/// An RSA key that nobody has the other half of, with a modulus of so many bits.
struct Rsa(Vec<u8>);

impl Rsa {
    fn new(bits: usize) -> Self {
        let long = |tag: u8, body: &[u8]| {
            let length = u16::try_from(body.len()).unwrap().to_be_bytes();
            [&[tag, 0x82][..], &length, body].concat()
        };
        let mut modulus = vec![0; bits / 8 + 1];
        modulus[1..].fill(0xC5);
        Self(long(0x30, &[long(2, &modulus), vec![2, 3, 1, 0, 1]].concat()))
    }
}

impl PublicKeyData for Rsa {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

impl SigningKey for Rsa {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(vec![0x5A; 256])
    }
}

#[test]
fn short_keys_are_weak_and_long_ones_are_not() {
    let root = authority("Root", None);
    for (bits, expected) in [(512, "weak_key@0"), (1024, "weak_key@0"), (2040, "weak_key@0"), (2048, ""), (4096, "")] {
        let der = server(&["mx.example.com"]).signed_by(&Rsa::new(bits), &root.issuer).unwrap().der().to_vec();
        assert_eq!(judge(&[&root], &[&der]), expected, "{bits}");
        assert_eq!(read(&der).read.unwrap().key, PublicKey::Rsa(u32::try_from(bits).unwrap()));
    }
    assert!(PublicKey::Ec { curve: "P-192".to_owned(), bits: Some(192) }.is_weak() && PublicKey::Dsa.is_weak());
    assert!(!PublicKey::Ec { curve: "P-224".to_owned(), bits: Some(224) }.is_weak());
}

#[test]
fn old_digests_are_weak_below_the_root() {
    let sha256 = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11];
    let root = authority("Root", None);
    let between = params_of_authority("Between");
    let issuer = Issuer::new(between.clone(), Rsa::new(2048));
    let intermediate = between.signed_by(&Rsa::new(2048), &root.issuer).unwrap().der().to_vec();
    let der = server(&["mx.example.com"]).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().to_vec();
    assert_eq!(judge(&[&root], &[&der, &intermediate]), "bad_signature@0", "a signature of nonsense by a digest that is good");
    for (last, name) in [(5, "sha1WithRSAEncryption"), (4, "md5WithRSAEncryption")] {
        let mut old = der.clone();
        let places: Vec<usize> = (0..old.len() - 9).filter(|at| old[*at..at + 9] == sha256).collect();
        assert_eq!(places.len(), 2, "inside and outside of what is signed");
        for at in places {
            old[at + 8] = last;
        }
        let verdict = judge_at(&[&root], &[&old, &intermediate], NOW);
        assert_eq!(verdict.faults(), [CertificateFault { why: Distrust::WeakSignature(name.to_owned()), place: 0 }]);
    }
}

#[test]
fn the_facts_are_those_of_the_certificate() {
    let root = authority("Root", None);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let der = server(&["mx.example.com", "2001:db8::1"]).signed_by(&key, &root.issuer).unwrap().der().to_vec();
    let sent = read(&der);
    let facts = sent.read.unwrap();
    assert_eq!((facts.subject.as_str(), facts.issuer.as_str(), facts.serial.as_str()), ("CN=mx.example.com", "CN=Root", "12ab"));
    assert_eq!(facts.names, ["mx.example.com", "2001:db8::1"]);
    assert_eq!(
        (facts.key.to_string().as_str(), facts.key.bits(), facts.signature_algorithm.as_str()),
        ("EC P-384", Some(384), "ecdsa-with-SHA256")
    );
    assert_eq!(facts.not_before, date_time_ymd(2026, 1, 1).unix_timestamp());
    assert_eq!(facts.not_after, date_time_ymd(2027, 1, 1).unix_timestamp());
    let digest = |bytes: &[u8]| hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    assert_eq!((sent.sha256, facts.spki_sha256), (digest(&der), digest(&key.subject_public_key_info())));
    let edwards = server(&[]).self_signed(&KeyPair::generate_for(&PKCS_ED25519).unwrap()).unwrap();
    let facts = read(edwards.der()).read.unwrap();
    assert_eq!((facts.key.clone(), facts.signature_algorithm.as_str()), (PublicKey::Other("Ed25519".to_owned()), "Ed25519"));
    assert_eq!((facts.names_shown(), facts.names.len()), (vec!["mx.example.com".to_owned()], 0));
}

#[test]
fn facts_are_bounded() {
    let root = authority("Root", None);
    let many: Vec<String> = (0..500).map(|n| format!("{n}.{}.example.com", "a".repeat(60))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let own = leaf(&root, |params| {
        params.distinguished_name.push(DnType::OrganizationName, "o".repeat(9000));
        params.subject_alt_names = server(&many).subject_alt_names;
    });
    let facts = read(&own).read.unwrap();
    assert_eq!((facts.names.len(), facts.subject.chars().count()), (100, 256));
    let chain: Vec<&[u8]> = std::iter::repeat_n(own.as_slice(), 60).collect();
    assert_eq!(judge(&[], &chain), "missing_intermediate@0 wrong_name@0");
}

#[test]
fn what_is_no_certificate_is_a_fact() {
    let root = authority("Root", None);
    assert_eq!(judge(&[&root], &[b"no certificate"]), "unreadable@0");
    assert_eq!(judge(&[&root], &[b""]), "unreadable@0");
    assert_eq!(judge(&[&root], &[&leaf(&root, |_| {}), b"rubbish"]), "");
    assert_eq!(read(b"rubbish").read, None);
}

proptest! {
    #[test]
    fn spoilt_certificates_do_no_harm(place in 0_usize..700, byte: u8, cut in 0_usize..700) {
        thread_local! {
            static CHAIN: (Authority, Authority, Vec<u8>) = {
                let root = authority("Root", None);
                let between = authority("Between", Some(&root));
                let own = leaf(&between, |_| {});
                (root, between, own)
            };
        }
        CHAIN.with(|(root, between, own)| {
            let mut spoilt = own.clone();
            let length = spoilt.len();
            spoilt[place % length] = byte;
            let changed = spoilt != *own;
            let verdict = judge_at(&[root], &[&spoilt, &between.der], NOW);
            assert_eq!(verdict == CertificateVerdict::Trusted, !changed, "{place} {byte}");
            let _ = judge_at(&[root], &[&spoilt[..cut % length], &spoilt[cut % length..], &between.der], NOW);
            let _ = judge_at(&[root], &[&between.der, &spoilt], NOW);
        });
    }
}
