//! DANE as OpenSSL verifies it, and with it Postfix: the same chains and records come to the same end. Only loopback is talked to.
//!
//! Where `openssl` is missing the test says `skipped` and passes, unless `SMTPPROBE_TESTS_MUST_RUN=1`.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};
use smtpprobe::policy::{DaneVerdict, Tlsa};
use smtpprobe::transport::dane::verify;

const MUST_RUN: &str = "SMTPPROBE_TESTS_MUST_RUN";
const NAME: &str = "mx.example.com";
/// 2026-07-01.
const NOW: i64 = 1_782_864_000;

/// A chain as a server shows it, and the certificates that records may speak of.
struct Case {
    title: &'static str,
    chain: Vec<Vec<u8>>,
    named: Vec<Vec<u8>>,
    key: KeyPair,
}

fn params(name: &str, years: (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str, years: (i32, i32)) -> CertificateParams {
    let mut params = params(name, years);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn server(name: &str, years: (i32, i32)) -> CertificateParams {
    let mut params = params("a server", years);
    params.subject_alt_names = CertificateParams::new(vec![name.to_owned()]).unwrap().subject_alt_names;
    params
}

/// Root, issuer and server; of these certificates the server shows those that `shown` says, in that order.
fn case(title: &'static str, [root, issuer, own]: [CertificateParams; 3], shown: &[usize]) -> Case {
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
    let issuer = CertifiedIssuer::signed_by(issuer, KeyPair::generate().unwrap(), &root).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = own.signed_by(&key, &issuer).unwrap().der().to_vec();
    let named = vec![own, issuer.der().to_vec(), root.der().to_vec()];
    Case { title, chain: shown.iter().map(|index| named[*index].clone()).collect(), named, key }
}

fn cases() -> Vec<Case> {
    const GOOD: (i32, i32) = (2026, 2027);
    const OVER: (i32, i32) = (2024, 2025);
    const AHEAD: (i32, i32) = (2027, 2028);
    let of = |years: [(i32, i32); 3], name| [authority("root", years[0]), authority("issuer", years[1]), server(name, years[2])];
    let mut no_authority = of([GOOD; 3], NAME);
    no_authority[1].is_ca = IsCa::ExplicitNoCa;
    let mut of_other_use = of([GOOD; 3], NAME);
    of_other_use[1].key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let by_common_name = |name| [authority("root", GOOD), authority("issuer", GOOD), params(name, GOOD)];
    let mut short_path = of([GOOD; 3], NAME);
    short_path[0].is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let mut for_clients = of([GOOD; 3], NAME);
    for_clients[2].extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let mut of_a_person = by_common_name(NAME);
    of_a_person[2].subject_alt_names = vec![SanType::Rfc822Name("postmaster@example.com".try_into().unwrap())];
    let mut elsewhere = of([GOOD; 3], NAME);
    let subtrees = vec![GeneralSubtree::DnsName("example.net".to_owned())];
    elsewhere[0].name_constraints = Some(NameConstraints { permitted_subtrees: subtrees, excluded_subtrees: vec![] });
    vec![
        case("a path too long", short_path, &[0, 1, 2]),
        case("for clients", for_clients, &[0, 1, 2]),
        case("a person's with a common name", of_a_person, &[0, 1, 2]),
        case("names that the root may not give", elsewhere, &[0, 1, 2]),
        case("all sent", of([GOOD; 3], NAME), &[0, 1, 2]),
        case("root not sent", of([GOOD; 3], NAME), &[0, 1]),
        case("issuer not sent", of([GOOD; 3], NAME), &[0]),
        case("a gap", of([GOOD; 3], NAME), &[0, 2]),
        case("another order", of([GOOD; 3], NAME), &[0, 2, 1]),
        case("server's over", of([GOOD, GOOD, OVER], NAME), &[0, 1, 2]),
        case("server's not yet", of([GOOD, GOOD, AHEAD], NAME), &[0, 1, 2]),
        case("issuer's over", of([GOOD, OVER, GOOD], NAME), &[0, 1, 2]),
        case("root's over", of([OVER, GOOD, GOOD], NAME), &[0, 1, 2]),
        case("root's over and not sent", of([OVER, GOOD, GOOD], NAME), &[0, 1]),
        case("another name", of([GOOD; 3], "mx.example.net"), &[0, 1, 2]),
        case("a wildcard", of([GOOD; 3], "*.example.com"), &[0, 1, 2]),
        case("a wildcard for all", of([GOOD; 3], "*.com"), &[0, 1, 2]),
        case("a common name", by_common_name(NAME), &[0, 1, 2]),
        case("another common name", by_common_name("mx.example.net"), &[0, 1, 2]),
        case("no authority", no_authority, &[0, 1, 2]),
        case("a key for other use", of_other_use, &[0, 1, 2]),
    ]
}

fn record(usage: u8, selector: u8, matching: u8, certificate: &[u8]) -> Tlsa {
    Tlsa::for_certificate(usage.into(), selector.into(), matching.into(), certificate).unwrap()
}

/// Every usable form of record for each certificate, and sets of which one counts.
fn records(case: &Case) -> Vec<Vec<Tlsa>> {
    let mut sets = Vec::new();
    for certificate in &case.named {
        for (usage, selector, matching) in (2..=3).flat_map(|u| (0..=1).flat_map(move |s| (0..=2).map(move |m| (u, s, m)))) {
            sets.push(vec![record(usage, selector, matching, certificate)]);
        }
    }
    let wrong = |usage: u8, selector: u8, matching: u8, length: usize| Tlsa::from((usage, selector, matching, vec![7; length]));
    let right = || record(3, 1, 1, &case.named[0]);
    sets.extend([
        vec![wrong(3, 1, 1, 32)],
        vec![wrong(3, 1, 1, 32), right()],
        vec![wrong(3, 1, 2, 64), right()],
        vec![wrong(3, 0, 2, 64), right()],
        vec![wrong(2, 1, 2, 64), right()],
        vec![wrong(2, 0, 1, 32), record(2, 0, 2, &case.named[1]), record(3, 0, 1, &case.named[1])],
    ]);
    sets
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// `openssl s_server` with one chain; ends with this value.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(folder: &Path, case: &Case) -> Self {
        let (own, key, above) = (folder.join("own.pem"), folder.join("key.pem"), folder.join("above.pem"));
        fs::write(&own, pem("CERTIFICATE", &case.chain[0])).unwrap();
        fs::write(&key, pem("PRIVATE KEY", &case.key.serialize_der())).unwrap();
        let mut command = Command::new("openssl");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")]).arg("-cert").arg(own).arg("-key").arg(key);
        if case.chain.len() > 1 {
            fs::write(&above, case.chain[1..].iter().map(|der| pem("CERTIFICATE", der)).collect::<String>()).unwrap();
            command.arg("-cert_chain").arg(above);
        }
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { process, port };
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("openssl s_server does not listen");
    }

    /// Whether `openssl s_client` lets the server pass by these records, as a mail server does: usage 3 asks for no name.
    fn passes(&self, records: &[Tlsa]) -> (bool, String) {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-brief", "-verify_return_error", "-no-CAfile", "-no-CApath", "-no-CAstore"]);
        command.args(["-connect", &format!("127.0.0.1:{}", self.port), "-attime", &NOW.to_string()]);
        command.args(["-dane_tlsa_domain", NAME, "-dane_ee_no_namechecks"]);
        for record in records {
            command.args(["-dane_tlsa_rrdata", &record.to_string()]);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("unusable"), "{said}");
        (output.status.success() && said.contains("Verification: OK"), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dane-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn openssl_comes_to_the_same_end() {
    if Command::new("openssl").arg("version").output().is_err() {
        assert!(std::env::var_os(MUST_RUN).is_none_or(|value| value != "1"), "openssl is missing, and {MUST_RUN} is set");
        println!("skipped: openssl is missing");
        return;
    }
    let folder = folder();
    let names = [NAME.parse().unwrap()];
    let mut differences = String::new();
    for case in cases() {
        let server = Server::start(&folder, &case);
        for records in records(&case) {
            let ours = verify(&case.chain, &records, &names, NOW);
            let (theirs, said) = server.passes(&records);
            if matches!(ours.verdict, DaneVerdict::Authenticated { .. }) != theirs {
                let records: Vec<String> = records.iter().map(|record| record.to_string().chars().take(12).collect()).collect();
                let _ = writeln!(differences, "{}: {records:?}: {ours:?}\n{said}", case.title);
            }
        }
    }
    let _ = fs::remove_dir_all(folder);
    assert!(differences.is_empty(), "{differences}");
}
