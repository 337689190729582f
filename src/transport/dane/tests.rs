//! Every usage, selector and matching type against chains that they fit and do not fit.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData as _,
    date_time_ymd,
};

use super::*;

/// 2026-07-01, in the middle of every certificate here that is in time.
const NOW: i64 = 1_782_864_000;
const DAY: i64 = 86_400;

fn days(from: (i32, u8, u8), to: (i32, u8, u8)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(to.0, to.1, to.2);
    params
}

fn named(mut params: CertificateParams, common_name: &str) -> CertificateParams {
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn in_time() -> CertificateParams {
    days((2026, 1, 1), (2026, 12, 31))
}

fn authority(params: CertificateParams, name: &str) -> CertificateParams {
    let mut params = named(params, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// A server's: for these alternative names.
fn server(params: CertificateParams, names: &[&str]) -> CertificateParams {
    let mut params = named(params, "a server");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names;
    params
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// A root, an issuer under it, and a server's certificate under that.
struct World {
    root: Issuer,
    issuer: Issuer,
    own: Vec<u8>,
    own_key: Vec<u8>,
}

impl World {
    fn new() -> Self {
        Self::of(authority(in_time(), "root"), authority(in_time(), "issuer"), &server(in_time(), &["mx.example.com"]))
    }

    fn of(root: CertificateParams, issuer: CertificateParams, own: &CertificateParams) -> Self {
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let issuer = CertifiedIssuer::signed_by(issuer, KeyPair::generate().unwrap(), &root).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = own.signed_by(&key, &issuer).unwrap().der().to_vec();
        Self { own, own_key: key.subject_public_key_info(), root, issuer }
    }

    fn with_own(own: &CertificateParams) -> Self {
        Self::of(authority(in_time(), "root"), authority(in_time(), "issuer"), own)
    }

    /// The server's certificate, its issuer's and the root's.
    fn chain(&self) -> Vec<Vec<u8>> {
        vec![self.own.clone(), self.issuer.der().to_vec(), self.root.der().to_vec()]
    }

    fn short(&self) -> Vec<Vec<u8>> {
        self.chain()[..2].to_vec()
    }
}

fn record(usage: u8, selector: u8, matching: u8, certificate: &[u8]) -> Tlsa {
    Tlsa::for_certificate(usage.into(), selector.into(), matching.into(), certificate).unwrap()
}

fn raw(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
    (usage, selector, matching, data.to_vec()).into()
}

fn names(names: &[&str]) -> Vec<DomainName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn judge(chain: &[Vec<u8>], records: &[Tlsa]) -> DaneResult {
    verify(chain, records, &names(&["mx.example.com"]), NOW)
}

fn alone(chain: &[Vec<u8>], record: Tlsa) -> RecordVerdict {
    let result = judge(chain, &[record]);
    match (&result.verdict, &result.records[0]) {
        (DaneVerdict::Authenticated { record: 0, matched, .. }, RecordVerdict::Authenticates(same)) => assert_eq!(matched, same),
        (DaneVerdict::Failed { .. }, RecordVerdict::Authenticates(_) | RecordVerdict::Unusable(_)) => panic!("{result:?}"),
        (DaneVerdict::Unusable { .. }, RecordVerdict::Unusable(_)) | (DaneVerdict::Failed { .. }, _) => {}
        _ => panic!("{result:?}"),
    }
    result.records[0].clone()
}

#[test]
fn each_usage_selector_and_matching_type_with_each_certificate() {
    let world = World::new();
    let stranger = World::new();
    let chain = world.chain();
    for selector in 0..=1 {
        for matching in 0..=2 {
            for (index, certificate) in chain.iter().enumerate() {
                // Usage 3 speaks of the server's own certificate, usage 2 of those above it.
                let (three, two) = if index == 0 {
                    (RecordVerdict::Authenticates(Matched::Sent(0)), RecordVerdict::OwnCertificate)
                } else {
                    (RecordVerdict::NoMatch, RecordVerdict::Authenticates(Matched::Sent(index)))
                };
                assert_eq!(alone(&chain, record(3, selector, matching, certificate)), three, "3 {selector} {matching}, {index}");
                assert_eq!(alone(&chain, record(2, selector, matching, certificate)), two, "2 {selector} {matching}, {index}");
                for usage in 0..=1 {
                    let unusable = alone(&chain, record(usage, selector, matching, certificate));
                    assert_eq!(unusable, RecordVerdict::Unusable(Unusable::Pkix), "{usage} {selector} {matching}");
                }
            }
            for usage in 2..=3 {
                for certificate in stranger.chain() {
                    assert_eq!(alone(&chain, record(usage, selector, matching, &certificate)), RecordVerdict::NoMatch);
                }
            }
        }
    }
}

#[test]
fn a_data_of_another_form_matches_nothing() {
    let world = World::new();
    let sha256 = digest::digest(&digest::SHA256, &world.own);
    // The digest of the certificate where that of the key belongs, and the other way round.
    assert_eq!(alone(&world.chain(), raw(3, 1, 1, sha256.as_ref())), RecordVerdict::NoMatch);
    let sha256 = digest::digest(&digest::SHA256, &world.own_key);
    assert_eq!(alone(&world.chain(), raw(3, 0, 1, sha256.as_ref())), RecordVerdict::NoMatch);
    assert_eq!(alone(&world.chain(), raw(3, 1, 1, sha256.as_ref())), RecordVerdict::Authenticates(Matched::Sent(0)));
}

#[test]
fn what_does_not_count_for_usage_3_is_said() {
    let chain_of = |params: &CertificateParams| World::with_own(params).short();
    let uncounted = |chain: &[Vec<u8>], now| match verify(chain, &[record(3, 1, 1, &chain[0])], &names(&["mx.example.com"]), now).verdict {
        DaneVerdict::Authenticated { uncounted, .. } => uncounted,
        other => panic!("{other:?}"),
    };
    let good = chain_of(&server(in_time(), &["mx.example.com"]));
    assert_eq!(uncounted(&good, NOW), []);
    let end = date_time_ymd(2026, 12, 31).unix_timestamp();
    assert_eq!(uncounted(&good, end + DAY), [DaneFault::Expired { certificate: Matched::Sent(0), since: end }]);
    let begin = date_time_ymd(2026, 1, 1).unix_timestamp();
    assert_eq!(uncounted(&good, 0), [DaneFault::NotYetValid { certificate: Matched::Sent(0), until: begin }]);
    let foreign = chain_of(&server(in_time(), &["www.example.net"]));
    assert_eq!(uncounted(&foreign, NOW), [DaneFault::WrongName { names: vec!["www.example.net".to_owned()] }]);
    // Self-signed, without a name, and marked as an authority's: as made by hand.
    let key = KeyPair::generate().unwrap();
    let own = authority(in_time(), "localhost").self_signed(&key).unwrap().der().to_vec();
    assert_eq!(alone(std::slice::from_ref(&own), record(3, 1, 1, &own)), RecordVerdict::Authenticates(Matched::Sent(0)));
}

#[test]
fn an_authority_may_stand_in_the_record_instead_of_the_chain() {
    let world = World::new();
    let (root, root_key) = (world.root.der().to_vec(), public_key(world.root.der()).unwrap().to_vec());
    for (chain, expected) in
        [(world.chain(), [Matched::Sent(2), Matched::Sent(2)]), (world.short(), [Matched::Published, Matched::Key { signed: Some(1) }])]
    {
        assert_eq!(alone(&chain, raw(2, 0, 0, &root)), RecordVerdict::Authenticates(expected[0]));
        assert_eq!(alone(&chain, raw(2, 1, 0, &root_key)), RecordVerdict::Authenticates(expected[1]));
    }
    // A digest says nothing of what was not sent (RFC 7672 3.1.2: the chain must hold the authority).
    assert_eq!(alone(&world.short(), record(2, 0, 1, &root)), RecordVerdict::NoMatch);
    assert_eq!(alone(&world.short(), record(2, 1, 1, &root)), RecordVerdict::NoMatch);
    // The issuer's key alone, with nothing but the server's certificate sent.
    let issuer_key = public_key(world.issuer.der()).unwrap();
    assert_eq!(alone(&world.chain()[..1], raw(2, 1, 0, issuer_key)), RecordVerdict::Authenticates(Matched::Key { signed: Some(0) }));
    // A key that signed nothing here, under the same name.
    let stranger = World::new();
    assert_eq!(alone(&world.short(), raw(2, 1, 0, public_key(stranger.root.der()).unwrap())), RecordVerdict::NoMatch);
    assert_eq!(alone(&world.chain()[..1], raw(2, 0, 0, &root)), RecordVerdict::NoMatch, "the issuer was not sent");
}

fn faults(chain: &[Vec<u8>], record: Tlsa) -> Vec<DaneFault> {
    match alone(chain, record) {
        RecordVerdict::Distrusted { faults, .. } => faults,
        other => panic!("{other:?}"),
    }
}

#[test]
fn below_an_authority_dates_count() {
    let old = || days((2024, 1, 1), (2025, 1, 1));
    let end = date_time_ymd(2025, 1, 1).unix_timestamp();
    let later = || days((2027, 1, 1), (2028, 1, 1));
    let begin = date_time_ymd(2027, 1, 1).unix_timestamp();
    let own = |params| server(params, &["mx.example.com"]);
    for (world, by, expected) in [
        (
            World::of(authority(in_time(), "root"), authority(in_time(), "issuer"), &own(old())),
            2,
            DaneFault::Expired { certificate: Matched::Sent(0), since: end },
        ),
        (
            World::of(authority(in_time(), "root"), authority(in_time(), "issuer"), &own(later())),
            1,
            DaneFault::NotYetValid { certificate: Matched::Sent(0), until: begin },
        ),
        (
            World::of(authority(in_time(), "root"), authority(old(), "issuer"), &own(in_time())),
            2,
            DaneFault::Expired { certificate: Matched::Sent(1), since: end },
        ),
        // A root, too, wherever it stands.
        (
            World::of(authority(later(), "root"), authority(in_time(), "issuer"), &own(in_time())),
            2,
            DaneFault::NotYetValid { certificate: Matched::Sent(2), until: begin },
        ),
    ] {
        let chain = world.chain();
        for selector in 0..=1 {
            assert_eq!(faults(&chain, record(2, selector, 1, &chain[by])), std::slice::from_ref(&expected));
        }
        // The same server by usage 3 is what it was.
        assert_eq!(alone(&chain, record(3, 1, 1, &chain[0])), RecordVerdict::Authenticates(Matched::Sent(0)));
    }
    let world = World::of(authority(old(), "root"), authority(in_time(), "issuer"), &own(in_time()));
    let published = raw(2, 0, 0, world.root.der());
    assert_eq!(faults(&world.short(), published), [DaneFault::Expired { certificate: Matched::Published, since: end }]);
    // But not an authority that others issued.
    let chain = World::of(authority(in_time(), "root"), authority(old(), "issuer"), &own(in_time())).chain();
    assert_eq!(alone(&chain, record(2, 0, 1, &chain[1])), RecordVerdict::Authenticates(Matched::Sent(1)));
}

#[test]
fn below_an_authority_names_count() {
    let of_common_name = |name: &str| named(in_time(), name);
    let references = names(&["mx.example.com", "example.org"]);
    for (own, fits) in [
        (server(in_time(), &["mx.example.com"]), true),
        (server(in_time(), &["x.example", "example.org"]), true),
        (server(in_time(), &["*.example.com"]), true),
        (server(in_time(), &["*.mx.example.com"]), false),
        (server(in_time(), &["*.com"]), false),
        (server(in_time(), &["mx.example.net"]), false),
        // The common name counts where there is no alternative name of a host.
        (of_common_name("mx.example.com"), true),
        (of_common_name("*.Example.com"), true),
        (of_common_name("*.com"), false),
        (of_common_name("*.org"), false),
        (of_common_name("mail.mx.example.com"), false),
        (named(server(in_time(), &["www.example.com"]), "mx.example.com"), false),
    ] {
        let world = World::with_own(&own);
        let chain = world.chain();
        let result = verify(&chain, &[record(2, 0, 1, &chain[1])], &references, NOW);
        assert_eq!(matches!(result.verdict, DaneVerdict::Authenticated { .. }), fits, "{:?} {:?}", own.subject_alt_names, result);
        if !fits {
            assert!(
                matches!(&result.records[0], RecordVerdict::Distrusted { faults, .. } if matches!(faults[..], [DaneFault::WrongName { .. }]))
            );
        }
        let nothing_to_look_for = verify(&chain, &[record(2, 0, 1, &chain[1])], &[], NOW);
        assert!(matches!(nothing_to_look_for.verdict, DaneVerdict::Failed { .. }));
    }
}

#[test]
fn an_expired_certificate_of_another_host_has_both_faults() {
    let chain = World::with_own(&server(days((2024, 1, 1), (2025, 1, 1)), &["x.example"])).chain();
    assert!(matches!(faults(&chain, record(2, 0, 1, &chain[2]))[..], [DaneFault::Expired { .. }, DaneFault::WrongName { .. }]));
}

#[test]
fn a_certificate_in_the_chain_that_did_not_sign_authenticates_nothing() {
    let world = World::new();
    let stranger = World::new();
    // Anybody can send another's root along.
    let chain = [world.own.clone(), stranger.issuer.der().to_vec(), stranger.root.der().to_vec()];
    for index in 1..=2 {
        let found = faults(&chain, record(2, 0, 1, &chain[index]));
        assert!(matches!(found[0], DaneFault::NoPath | DaneFault::BadSignature), "{index}: {found:?}");
    }
    // A gap between the server's certificate and the root.
    let chain = [world.own.clone(), world.root.der().to_vec()];
    assert_eq!(faults(&chain, record(2, 0, 1, &chain[1])), [DaneFault::NoPath]);
    // The order sent is no matter.
    let chain = [world.own.clone(), world.root.der().to_vec(), world.issuer.der().to_vec()];
    assert_eq!(alone(&chain, record(2, 0, 1, &chain[1])), RecordVerdict::Authenticates(Matched::Sent(1)));
}

#[test]
fn what_is_no_authority_cannot_sign() {
    let mut plain = named(in_time(), "issuer");
    plain.is_ca = IsCa::ExplicitNoCa;
    let mut unmarked = named(in_time(), "issuer");
    unmarked.is_ca = IsCa::NoCa;
    let mut of_other_use = authority(in_time(), "issuer");
    of_other_use.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    for issuer in [plain, unmarked, of_other_use] {
        let chain = World::of(authority(in_time(), "root"), issuer, &server(in_time(), &["mx.example.com"])).chain();
        for by in 1..=2 {
            assert_eq!(faults(&chain, record(2, 0, 1, &chain[by])), [DaneFault::NoAuthority { certificate: Matched::Sent(1) }], "{by}");
        }
    }
}

#[test]
fn an_authority_may_allow_few_below_it() {
    let limited = |limit| {
        let mut root = authority(in_time(), "root");
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(limit));
        World::of(root, authority(in_time(), "issuer"), &server(in_time(), &["mx.example.com"]))
    };
    let chain = limited(0).chain();
    assert_eq!(faults(&chain, record(2, 0, 1, &chain[2])), [DaneFault::PathTooLong { certificate: Matched::Sent(2) }]);
    assert_eq!(alone(&chain, record(2, 0, 1, &chain[1])), RecordVerdict::Authenticates(Matched::Sent(1)));
    let chain = limited(1).chain();
    assert_eq!(alone(&chain, record(2, 0, 1, &chain[2])), RecordVerdict::Authenticates(Matched::Sent(2)));
}

#[test]
fn a_server_marked_as_an_authority_is_told_apart() {
    let mut own = server(in_time(), &["mx.example.com"]);
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let chain = World::with_own(&own).chain();
    assert_eq!(faults(&chain, record(2, 0, 1, &chain[1])), [DaneFault::MarkedAsAuthority]);
    assert_eq!(alone(&chain, record(3, 1, 1, &chain[0])), RecordVerdict::Authenticates(Matched::Sent(0)));
}

#[test]
fn no_records_ask_for_nothing_and_unusable_ones_for_tls() {
    let world = World::new();
    let chain = world.chain();
    assert_eq!(judge(&chain, &[]), DaneResult { verdict: DaneVerdict::NoRecords, records: vec![] });
    let unusable = [record(0, 0, 1, &chain[2]), record(1, 1, 1, &chain[0]), raw(3, 1, 1, &[0; 20]), raw(3, 9, 1, &[0; 32])];
    let result = judge(&chain, &unusable);
    assert_eq!(result.verdict, DaneVerdict::Unusable { would_match: Tlsa::recommended(&chain[0]) });
    // One that can be used is enough to ask for more.
    let result = judge(&chain, &[&unusable[..], &[raw(3, 1, 1, &[0; 32])]].concat());
    assert_eq!(result.verdict, DaneVerdict::Failed { would_match: Tlsa::recommended(&chain[0]) });
    let result = judge(&chain, &[&unusable[..], &[record(3, 1, 1, &chain[0])]].concat());
    assert!(matches!(result.verdict, DaneVerdict::Authenticated { record: 4, .. }));
}

#[test]
fn one_matching_record_is_enough_and_the_others_are_told() {
    let (world, next) = (World::new(), World::new());
    let chain = world.chain();
    let records = [
        record(3, 1, 1, &next.own),
        record(2, 0, 1, &chain[1]),
        record(3, 1, 1, &chain[0]),
        record(2, 1, 1, &chain[0]),
        record(3, 0, 1, &chain[0]),
    ];
    let result = judge(&chain, &records);
    // Usage 3 goes first, since it asks for least; of two, the first.
    let matched = Matched::Sent(0);
    assert_eq!(result.verdict, DaneVerdict::Authenticated { record: 2, matched, uncounted: vec![] });
    assert_eq!(result.unmatched().collect::<Vec<_>>(), [0, 3]);
    // After the change of keys it is the first that matches.
    let result = judge(&next.chain(), &records);
    assert!(matches!(result.verdict, DaneVerdict::Authenticated { record: 0, .. }));
    assert_eq!(result.unmatched().collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn the_record_that_would_match_does() {
    let world = World::new();
    let chain = world.chain();
    let DaneVerdict::Failed { would_match: Some(right) } = judge(&chain, &[raw(3, 1, 1, &[7; 32])]).verdict else { panic!("matched") };
    assert!(right.to_string().starts_with("3 1 1 "));
    assert_eq!(alone(&chain, right), RecordVerdict::Authenticates(Matched::Sent(0)));
}

// RFC 7671 9.
#[test]
fn a_stronger_digest_outweighs_a_weaker_one_of_the_same_kind() {
    let (world, old) = (World::new(), World::new());
    let chain = world.chain();
    let by = Matching::Sha512;
    let result = judge(&chain, &[record(3, 1, 1, &chain[0]), record(3, 1, 2, &old.own)]);
    assert!(matches!(result.verdict, DaneVerdict::Failed { .. }));
    assert_eq!(result.records, [RecordVerdict::Outweighed { by, matched: Some(0) }, RecordVerdict::NoMatch]);
    assert_eq!(result.unmatched().collect::<Vec<_>>(), [1]);
    for beside in [
        record(3, 0, 2, &old.own),         // another selector
        record(2, 1, 2, old.issuer.der()), // another usage
        record(1, 1, 2, &old.own),         // unusable
        raw(3, 1, 2, &[0; 63]),            // unusable
        record(3, 1, 0, &old.own),         // no digest
    ] {
        let result = judge(&chain, &[record(3, 1, 1, &chain[0]), beside.clone()]);
        assert!(matches!(result.verdict, DaneVerdict::Authenticated { record: 0, .. }), "{beside}");
    }
    let result = judge(&chain, &[record(3, 1, 0, &chain[0]), record(3, 1, 2, &old.own)]);
    assert!(matches!(result.verdict, DaneVerdict::Authenticated { record: 0, .. }), "whole data is never outweighed");
}

#[test]
fn what_is_no_certificate_matches_nothing() {
    let world = World::new();
    let good = [record(3, 1, 1, &world.own), record(3, 0, 1, &world.own), record(2, 0, 1, world.issuer.der())];
    for chain in
        [vec![], vec![vec![]], vec![b"rubbish".to_vec()], vec![world.own[..world.own.len() - 1].to_vec()], vec![vec![0x30; 70_000]]]
    {
        let result = judge(&chain, &good);
        assert_eq!(result.verdict, DaneVerdict::Failed { would_match: None });
        // Not even by the digest of the very octets.
        let own = chain.first().map(|der| digest::digest(&digest::SHA256, der).as_ref().to_vec()).unwrap_or(vec![0; 32]);
        assert_eq!(alone(&chain, raw(3, 0, 1, &own)), RecordVerdict::NoMatch);
    }
    // Rubbish above the server's certificate does not disturb what does not need it.
    let chain = [world.own.clone(), b"rubbish".to_vec(), world.issuer.der().to_vec()];
    assert_eq!(alone(&chain, good[0].clone()), RecordVerdict::Authenticates(Matched::Sent(0)));
    assert_eq!(alone(&chain, good[2].clone()), RecordVerdict::Authenticates(Matched::Sent(2)));
}

#[test]
fn many_and_large_records_and_long_chains_are_bounded() {
    let world = World::new();
    let root_key = public_key(world.root.der()).unwrap();
    let mut records: Vec<Tlsa> = (0..100).map(|number| raw(3, 1, 1, &[number; 32])).collect();
    records.push(raw(3, 0, 0, &vec![0x30; 10_000]));
    records.push(record(3, 1, 1, &world.own));
    let start = Instant::now();
    let result = judge(&world.chain(), &records);
    assert!(matches!(result.verdict, DaneVerdict::Authenticated { record: 101, .. }));
    assert_eq!(result.records[100], RecordVerdict::Unusable(Unusable::NoCertificate));
    assert_eq!(result.unmatched().count(), 100);
    // Keys and roots that stand in the records as a whole: so many are tried, and no more.
    let strangers: Vec<Vec<u8>> = (0..100).map(|_| KeyPair::generate().unwrap().subject_public_key_info()).collect();
    let mut records: Vec<Tlsa> = strangers.iter().map(|key| raw(2, 1, 0, key)).collect();
    records.push(raw(2, 1, 0, root_key));
    let issuer = world.issuer.der().to_vec();
    let long: Vec<Vec<u8>> = std::iter::once(world.own.clone()).chain(std::iter::repeat_n(issuer, 1000)).collect();
    let result = judge(&long, &records);
    assert_eq!(result.verdict, DaneVerdict::Failed { would_match: Tlsa::recommended(&world.own) });
    assert_eq!(result.records.iter().filter(|verdict| **verdict == RecordVerdict::Untried).count(), 81);
    assert!(start.elapsed() < Duration::from_secs(20));
}

fn mangled() -> impl Strategy<Value = (usize, Vec<(usize, u8)>)> {
    (0usize..3, proptest::collection::vec((0usize..1000, any::<u8>()), 1..4))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn hostile_octets_never_panic_and_never_authenticate((which, changes) in mangled(), usage in 2u8..=3, selector in 0u8..=1, matching in 0u8..=2) {
        thread_local!(static WORLD: World = World::new());
        let good = WORLD.with(World::chain);
        let mut chain = good.clone();
        for (at, to) in changes {
            let at = at % chain[which].len();
            chain[which][at] = to;
        }
        // By records of the certificates as they were, a chain authenticates only if what counts is as it was.
        let by = usize::from(usage != 3);
        let result = judge(&chain, &[record(usage, selector, matching, &good[by])]);
        let authenticated = matches!(result.verdict, DaneVerdict::Authenticated { .. });
        if chain == good || (which == 2) {
            prop_assert!(authenticated, "{:?}", result);
        } else if which == 0 && chain[0] != good[0] && (usage, selector) != (3, 1) {
            prop_assert!(!authenticated, "{:?}", result);
        }
        // By a record of the very octets, nothing panics.
        let changed = raw(usage, selector, matching, &matching_data(matching, &chain[which]));
        let _ = judge(&chain, &[changed]);
    }

    #[test]
    fn nothing_panics(chain in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..4), usage in any::<u8>(), selector in 0u8..3, matching in 0u8..4, data in proptest::collection::vec(any::<u8>(), 0..100)) {
        let result = judge(&chain, &[raw(usage, selector, matching, &data)]);
        let authenticated = matches!(result.verdict, DaneVerdict::Authenticated { .. });
        prop_assert!(!authenticated);
    }
}

fn matching_data(matching: u8, of: &[u8]) -> Vec<u8> {
    Matching::from(matching).of(of).unwrap_or_default()
}
