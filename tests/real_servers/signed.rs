//! Signed zones (DNSSEC): NSD serves them, and Unbound stands before it, twice as a resolver that validates and once as one that
//! does not.
//!
//! Each domain is a zone of its own under `test`, signed with a key made for the lab by BIND's tools. `test` delegates to it, with a
//! DS record if it is signed. All mail hosts are the same Postfix.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use ring::digest::{SHA256, digest};
use x509_parser::pem::parse_x509_pem;

use super::lab::Lab;
use super::loopback::{self, BARE, MX, NAMESERVER, RESOLVER};
use super::servers::{self, APEX, AUTHORITY, CERTIFICATE, run};

/// Validates, and is believed because it is on this machine. Does not say why it refuses an answer: that is Unbound's default.
pub(crate) const NEAR: &str = "127.0.0.1";
/// Validates, and says why it refuses an answer; but for all that anybody knows it is far away.
pub(crate) const FAR: &str = RESOLVER;
/// Does not validate.
pub(crate) const CARELESS: &str = "127.0.0.2";
/// Where the public key of `test` lies, as a trust anchor.
pub(crate) const ANCHOR: &str = "zones/anchor";

/// A zone under `test`.
struct Zone {
    name: &'static str,
    signed: Signed,
    /// In them stands `KEY` for the digest of Postfix' key, `ROOT` for that of its authority's certificate, and `OLD` for one of
    /// nothing.
    records: &'static str,
    /// Put in after signing: the signature over its fellows no longer holds.
    forged: &'static str,
}

/// How a zone is signed.
enum Signed {
    /// Not at all.
    No,
    /// By `dnssec-signzone` with these arguments.
    By(&'static [&'static str]),
    /// By a key that the DS record is not about.
    ByAnother,
}

const WELL: Signed = Signed::By(&[]);
/// With hashed names (NSEC3, RFC 5155).
const HASHED: Signed = Signed::By(&["-3", "-"]);
/// Until some years ago; the tool is not to look whether its signatures hold.
const LONG_AGO: Signed = Signed::By(&["-s", "20200101000000", "-e", "20200201000000", "-P"]);

const PUBLISHED: &str = "@ MX 10 mx\nmx A MAIL\n_25._tcp.mx TLSA 3 1 1 KEY";
const UNPUBLISHED: &str = "@ MX 10 mx\nmx A MAIL";

const ZONES: [Zone; 19] = [
    zone("secure", WELL, PUBLISHED),
    zone("hashed", HASHED, PUBLISHED),
    zone("bare", WELL, UNPUBLISHED),
    zone("hashed-bare", HASHED, UNPUBLISHED),
    zone("mismatch", WELL, "@ MX 10 mx\nmx A MAIL\n_25._tcp.mx TLSA 3 1 1 OLD"),
    zone("rollover", WELL, "@ MX 10 mx\nmx A MAIL\n_25._tcp.mx TLSA 3 1 1 OLD\n_25._tcp.mx TLSA 3 1 1 KEY"),
    zone("issuer", WELL, "@ MX 10 mx\nmx A MAIL\n_25._tcp.mx TLSA 2 0 1 ROOT"),
    zone("public", WELL, "@ MX 10 mx\nmx A MAIL\n_25._tcp.mx TLSA 1 1 1 KEY\n_25._tcp.mx TLSA 0 0 1 ROOT"),
    zone("clear", WELL, "@ MX 10 mx\nmx A BARE\n_25._tcp.mx TLSA 3 1 1 KEY"),
    zone("insecure", Signed::No, PUBLISHED),
    zone("expired", LONG_AGO, PUBLISHED),
    zone("misled", Signed::ByAnother, PUBLISHED),
    Zone { forged: "@ MX 5 mx", ..zone("forged", WELL, PUBLISHED) },
    Zone { forged: "mx A BARE", ..zone("forged-host", WELL, PUBLISHED) },
    Zone { forged: "_25._tcp.mx TLSA 3 1 1 OLD", ..zone("forged-tlsa", WELL, PUBLISHED) },
    // The mail host is another zone's: by its name, or by an alias.
    zone("guest", WELL, "@ MX 10 mx.secure.test."),
    zone("led", Signed::No, "@ MX 10 mx.secure.test."),
    zone("alias", WELL, "@ MX 10 mx\nmx CNAME mx.secure.test."),
    zone("astray", WELL, "@ MX 10 mx\nmx CNAME mx.insecure.test.\n_25._tcp.mx TLSA 3 1 1 KEY"),
];

const fn zone(name: &'static str, signed: Signed, records: &'static str) -> Zone {
    Zone { name, signed, records, forged: "" }
}

/// Makes a lab with Postfix, the zones, and the resolvers.
pub(crate) fn open(title: &str) -> Option<Lab> {
    let programs = ["postfix", "posttls-finger", "mount", "openssl", "unbound", "nsd", "dnssec-keygen", "dnssec-signzone"];
    let lab = loopback::open(title, &programs)?;
    servers::postfix_and(&lab, &format!("{BARE}:25 inet n - n - - smtpd -o smtpd_tls_security_level=none\n"));

    let mut delegations = String::new();
    for Zone { name, .. } in &ZONES {
        let _ = writeln!(delegations, "{name} NS ns.test.");
    }
    for zone in &ZONES {
        make(&lab, zone);
    }
    lab.write("zones/test", &format!("{APEX}ns A {NAMESERVER}\n{delegations}"));
    let key = make_key(&lab, "test");
    fs::copy(lab.path(&format!("zones/{key}.key")), lab.path(ANCHOR)).expect("a file can be copied");
    // With the DS records that have come of signing the others.
    sign(&lab, "test", &["-g"]);

    nsd(&lab);
    let upstream = format!("stub-zone:\n  name: test.\n  stub-addr: {NAMESERVER}\n");
    let validating = format!("module-config: \"validator iterator\"\n  trust-anchor-file: {}", lab.path(ANCHOR).display());
    servers::unbound_at(&lab, NEAR, &validating, &upstream);
    servers::unbound_at(&lab, FAR, &format!("{validating}\n  ede: yes"), &upstream);
    servers::unbound_at(&lab, CARELESS, "module-config: iterator", &upstream);
    Some(lab)
}

/// Makes the file that a zone is served from, and what its parent has to know of its key.
fn make(lab: &Lab, zone: &Zone) {
    let name = format!("{}.test", zone.name);
    let file = lab.write(&format!("zones/{name}"), &format!("{APEX}{}\n", filled_in(lab, zone.records)));
    let signed = lab.path(&format!("zones/{name}.signed"));
    if let Signed::By(arguments) = zone.signed {
        make_key(lab, &name);
        sign(lab, &name, arguments);
    } else if matches!(zone.signed, Signed::ByAnother) {
        make_key(lab, &name);
        sign(lab, &name, &[]);
        lab.write(&format!("zones/dsset-{name}."), &format!("{name}. DS 1 13 2 {}\n", old_digest()));
    } else {
        fs::copy(file, &signed).expect("a file can be copied");
    }
    if !zone.forged.is_empty() {
        let text = fs::read_to_string(&signed).expect("a signed zone");
        fs::write(signed, format!("{text}$ORIGIN {name}.\n$TTL 60\n{}\n", filled_in(lab, zone.forged))).expect("a file can be written");
    }
}

fn filled_in(lab: &Lab, records: &str) -> String {
    let addressed = records.replace("MAIL", MX).replace("BARE", BARE);
    addressed.replace("KEY", &key_digest(lab)).replace("ROOT", &authority_digest(lab)).replace("OLD", &old_digest())
}

/// Makes the only key of a zone, and returns the name of its files.
fn make_key(lab: &Lab, zone: &str) -> String {
    let mut keygen = Command::new("dnssec-keygen");
    run(keygen.current_dir(lab.path("zones")).args(["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", zone])).trim().to_owned()
}

fn sign(lab: &Lab, zone: &str, arguments: &[&str]) {
    let mut signzone = Command::new("dnssec-signzone");
    let usual = ["-q", "-S", "-z", "-o", zone, "-f", &format!("{zone}.signed")];
    run(signzone.current_dir(lab.path("zones")).args(usual).args(arguments).arg(zone));
}

fn nsd(lab: &Lab) {
    let folder = lab.path("zones").display().to_string();
    let mut settings = format!(
        "\
server:
  server-count: 1
  ip-address: {NAMESERVER}
  username: \"\"
  database: \"\"
  pidfile: \"\"
  zonesdir: {folder}
  xfrdfile: {folder}/xfrd
  xfrdir: {folder}
  zonelistfile: {folder}/list
remote-control:
  control-enable: no
zone:
  name: test
  zonefile: test.signed
"
    );
    for Zone { name, .. } in &ZONES {
        let _ = write!(settings, "zone:\n  name: {name}.test\n  zonefile: {name}.test.signed\n");
    }
    let settings = lab.write("nsd.conf", &settings);
    lab.serve("nsd", &["-d", "-c", &settings.display().to_string()], &format!("{NAMESERVER}:53"));
}

/// The digest of Postfix' key, as in a record of the kind `3 1 1`.
pub(crate) fn key_digest(lab: &Lab) -> String {
    let (_, pem) = parse_x509_pem(&fs::read(lab.path(CERTIFICATE)).expect("a file")).expect("PEM");
    hex(pem.parse_x509().expect("a certificate").public_key().raw)
}

/// The digest of the authority's certificate, as in a record of the kind `2 0 1`.
pub(crate) fn authority_digest(lab: &Lab) -> String {
    let (_, pem) = parse_x509_pem(&fs::read(lab.path(AUTHORITY)).expect("a file")).expect("PEM");
    hex(&pem.contents)
}

/// The digest of nothing that there is.
pub(crate) fn old_digest() -> String {
    "0".repeat(64)
}

fn hex(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
