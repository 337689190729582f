//! What stands in a certificate (RFC 5280 §4). It comes from anybody: what cannot be parsed is a fact, and everything is cut to size.

use std::fmt::Write as _;
use std::net::IpAddr;

use ring::digest::{SHA256, digest};
use x509_parser::der_parser::asn1_rs::Oid;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{self as oids, OidRegistry};
use x509_parser::prelude::{AlgorithmIdentifier, FromDer, GeneralName, X509Certificate};
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

use crate::smtp::{Certificate, PublicKey, SentCertificate};

/// Names in a certificate are kept up to this many.
const NAMES_LIMIT: usize = 100;
/// Texts are kept up to so many characters: as many as a DNS name may have.
const TEXT_LIMIT: usize = 255;
/// Octets of a serial number; RFC 5280 §4.1.2.2 allows 20.
const SERIAL_LIMIT: usize = 40;

/// Reads a certificate as it was sent.
pub(super) fn read(der: &[u8]) -> SentCertificate {
    let read = parse(der).map(|certificate| facts(&certificate));
    SentCertificate { der: der.to_vec(), sha256: hex(digest(&SHA256, der).as_ref()), read }
}

/// Takes a certificate apart; none if that fails, or if something stands after it.
pub(super) fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().and_then(|(rest, certificate)| rest.is_empty().then_some(certificate))
}

/// What stands in it.
pub(super) fn facts(certificate: &X509Certificate<'_>) -> Certificate {
    Certificate {
        subject: name(certificate.subject()),
        issuer: name(certificate.issuer()),
        names: names(certificate),
        common_name: certificate.subject().iter_common_name().find_map(|part| part.as_str().ok()).map(cut),
        serial: hex(&certificate.raw_serial()[..certificate.raw_serial().len().min(SERIAL_LIMIT)]),
        key: key(certificate.public_key()),
        signature_algorithm: algorithm(&certificate.signature_algorithm),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        spki_sha256: hex(digest(&SHA256, certificate.public_key().raw).as_ref()),
        issuer_url: issuer_url(certificate),
    }
}

/// A distinguished name for people.
pub(super) fn name(name: &X509Name<'_>) -> String {
    cut(&name.to_string())
}

/// The DNS names and addresses in subjectAltName.
pub(super) fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    extension.map(|all| all.value.general_names.iter().filter_map(alternative_name).take(NAMES_LIMIT).collect()).unwrap_or_default()
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(cut(name)),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(IpAddr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|v6| IpAddr::from(v6).to_string()),
        },
        _ => None,
    }
}

/// Where the issuer's certificate can be had (RFC 5280 §4.2.2.1).
fn issuer_url(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => access.accessdescs.iter().find_map(|way| match way.access_location {
            GeneralName::URI(url) if way.access_method == oids::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS => Some(cut(url)),
            _ => None,
        }),
        _ => None,
    })
}

/// The type and size of a key.
pub(super) fn key(info: &SubjectPublicKeyInfo<'_>) -> PublicKey {
    let kind = &info.algorithm.algorithm;
    if *kind == oids::OID_PKCS1_RSAENCRYPTION || *kind == oids::OID_PKCS1_RSASSAPSS {
        return match info.parsed() {
            Ok(x509_parser::public_key::PublicKey::RSA(rsa)) => PublicKey::Rsa(bits(rsa.modulus)),
            _ => PublicKey::Other(oid(kind)),
        };
    }
    if *kind == oids::OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        return curve.map_or(PublicKey::Ec { curve: "?".to_owned(), bits: None }, |curve| self::curve(&curve));
    }
    if *kind == oids::OID_KEY_TYPE_DSA {
        return PublicKey::Dsa;
    }
    PublicKey::Other(oid(kind))
}

/// The bits of a number, zeros in front left out.
pub(super) fn bits(number: &[u8]) -> u32 {
    let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let number = &number[first..];
    let length = u32::try_from(number.len()).unwrap_or(u32::MAX).saturating_mul(8);
    number.first().map_or(0, |byte| length - byte.leading_zeros())
}

/// Curves by the names that people use (RFC 5480 §2.1.1.1, SEC 2, RFC 5639).
fn curve(id: &Oid<'_>) -> PublicKey {
    let (curve, bits) = match id.to_id_string().as_str() {
        "1.2.840.10045.3.1.1" => ("P-192", 192),
        "1.3.132.0.33" => ("P-224", 224),
        "1.2.840.10045.3.1.7" => ("P-256", 256),
        "1.3.132.0.34" => ("P-384", 384),
        "1.3.132.0.35" => ("P-521", 521),
        "1.3.132.0.10" => ("secp256k1", 256),
        "1.3.36.3.3.2.8.1.1.7" => ("brainpoolP256r1", 256),
        "1.3.36.3.3.2.8.1.1.11" => ("brainpoolP384r1", 384),
        "1.3.36.3.3.2.8.1.1.13" => ("brainpoolP512r1", 512),
        other => return PublicKey::Ec { curve: cut(other), bits: None },
    };
    PublicKey::Ec { curve: curve.to_owned(), bits: Some(bits) }
}

/// The name of a signature algorithm, as OpenSSL writes it; the digest is named where it is a parameter.
pub(super) fn algorithm(algorithm: &AlgorithmIdentifier<'_>) -> String {
    if algorithm.algorithm == oids::OID_PKCS1_RSASSAPSS {
        let parameters = algorithm.parameters.as_ref().and_then(|any| RsaSsaPssParams::try_from(any).ok());
        return match parameters {
            // Without parameters it is SHA-1 (RFC 4055 §3.1).
            Some(parameters) => format!("rsassaPss with {}", oid(parameters.hash_algorithm_oid())),
            None => "rsassaPss".to_owned(),
        };
    }
    oid(&algorithm.algorithm)
}

/// The name of an object identifier; the identifier itself where it has none.
pub(super) fn oid(id: &Oid<'_>) -> String {
    let name = match id.to_id_string().as_str() {
        "1.2.840.113549.1.1.2" => "md2WithRSAEncryption",
        "1.2.840.113549.1.1.3" => "md4WithRSAEncryption",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.2.840.10040.4.3" => "dsaWithSHA1",
        "2.16.840.1.101.3.4.3.2" => "dsaWithSHA256",
        "1.3.14.3.2.26" => "sha1",
        "2.16.840.1.101.3.4.2.1" => "sha256",
        "2.16.840.1.101.3.4.2.2" => "sha384",
        "2.16.840.1.101.3.4.2.3" => "sha512",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => return OidRegistry::default().with_x509().get(id).map_or_else(|| cut(other), |entry| entry.sn().to_owned()),
    };
    name.to_owned()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
