//! TLS and certificates as a saved report has them. The certificates' bytes are not in it.

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::smtp::{
    CHAIN_LIMIT, Certificate, CertificateFault, CertificateVerdict, Distrust, KeyExchange, LegacyTls, PublicKey, SentCertificate, TlsFacts,
    TlsVersion,
};

#[derive(Deserialize)]
pub(super) struct CertificateView {
    #[serde(default)]
    version: String,
    #[serde(default)]
    cipher: String,
    server_name: Option<String>,
    group: Option<String>,
    #[serde(default)]
    trusted: bool,
    #[serde(default)]
    reasons: Vec<DistrustView>,
    #[serde(default)]
    chain_length: usize,
    #[serde(default)]
    chain: Vec<PaperView>,
}

#[derive(Deserialize)]
struct DistrustView {
    kind: String,
    #[serde(default)]
    certificate: usize,
    about: Option<String>,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct PaperView {
    subject: Option<String>,
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    serial: String,
    key: Option<KeyView>,
    #[serde(default)]
    signature_algorithm: String,
    not_before: Option<String>,
    not_after: Option<String>,
    #[serde(default)]
    sha256: String,
    #[serde(default)]
    spki_sha256: String,
    issuer_url: Option<String>,
}

#[derive(Deserialize)]
struct KeyView {
    #[serde(rename = "type")]
    kind: String,
    bits: Option<u32>,
    curve: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct OldTlsView {
    version: String,
    #[serde(default)]
    cipher: String,
    group_bits: Option<u32>,
    #[serde(default)]
    flaws: Vec<String>,
    #[serde(default)]
    chain: Vec<PaperView>,
}

impl CertificateView {
    pub(super) fn into_facts(self) -> TlsFacts {
        let chain = certificates(self.chain);
        let faults: Vec<CertificateFault> = self.reasons.into_iter().map(|reason| fault(reason, &chain)).collect();
        let verdict = match (self.trusted, faults.is_empty()) {
            (true, _) => CertificateVerdict::Trusted,
            (false, true) => CertificateVerdict::Unseen,
            (false, false) => CertificateVerdict::Untrusted(faults),
        };
        TlsFacts {
            version: self.version,
            cipher: self.cipher,
            server_name: self.server_name,
            group: self.group,
            chain_length: self.chain_length.max(chain.len()),
            chain,
            verdict,
        }
    }
}

impl OldTlsView {
    /// None if the version is none that is known.
    pub(super) fn into_facts(self) -> Option<LegacyTls> {
        let has = |flaw: &str| self.flaws.iter().any(|other| other == flaw);
        let exchange = if has("anonymous") {
            KeyExchange::Anonymous
        } else if has("rsa_key_exchange") {
            KeyExchange::Rsa
        } else if has("finite_field") {
            KeyExchange::Dhe
        } else {
            KeyExchange::Ecdhe
        };
        let chain = certificates(self.chain);
        Some(LegacyTls {
            version: version(&self.version)?,
            cipher: self.cipher,
            exchange: Some(exchange),
            group_bits: self.group_bits,
            chain_length: chain.len(),
            chain,
        })
    }
}

fn version(name: &str) -> Option<TlsVersion> {
    (0x0300..=0x0304).map(TlsVersion).find(|version| version.to_string() == name)
}

fn certificates(chain: Vec<PaperView>) -> Vec<SentCertificate> {
    chain
        .into_iter()
        .take(CHAIN_LIMIT)
        .map(|paper| SentCertificate { der: Vec::new(), sha256: paper.sha256.clone(), read: read(paper) })
        .collect()
}

/// None of a certificate that could not be parsed then.
fn read(paper: PaperView) -> Option<Certificate> {
    let moment = |text: Option<String>| OffsetDateTime::parse(&text?, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp);
    let key = match paper.key? {
        KeyView { kind, bits: Some(bits), .. } if kind == "RSA" => PublicKey::Rsa(bits),
        KeyView { kind, bits, curve: Some(curve) } if kind == "EC" => PublicKey::Ec { curve, bits },
        KeyView { kind, .. } if kind == "DSA" => PublicKey::Dsa,
        KeyView { kind, .. } => PublicKey::Other(kind),
    };
    Some(Certificate {
        subject: paper.subject?,
        issuer: paper.issuer,
        names: paper.names,
        common_name: None,
        serial: paper.serial,
        key,
        signature_algorithm: paper.signature_algorithm,
        not_before: moment(paper.not_before)?,
        not_after: moment(paper.not_after)?,
        spki_sha256: paper.spki_sha256,
        issuer_url: paper.issuer_url,
    })
}

fn fault(view: DistrustView, chain: &[SentCertificate]) -> CertificateFault {
    let place = view.certificate;
    let about = view.about.unwrap_or_default();
    let paper = chain.get(place).and_then(|sent| sent.read.as_ref());
    let why = match (view.kind.as_str(), paper) {
        ("unreadable", _) => Distrust::Unreadable,
        ("self_signed", _) => Distrust::SelfSigned,
        ("unknown_issuer", _) => Distrust::UnknownIssuer { issuer: about },
        ("missing_intermediate", _) => Distrust::MissingIntermediate { issuer: about },
        ("bad_signature", _) => Distrust::BadSignature,
        ("unproved", _) => Distrust::Unproved,
        ("expired", Some(paper)) => Distrust::Expired { since: paper.not_after },
        ("not_yet_valid", Some(paper)) => Distrust::NotYetValid { until: paper.not_before },
        ("wrong_name", _) => Distrust::WrongName { asked: about, has: paper.map(|paper| paper.names.clone()).unwrap_or_default() },
        ("marked_as_authority", _) => Distrust::MarkedAsAuthority,
        ("not_an_authority", _) => Distrust::NotAnAuthority,
        ("not_for_servers", _) => Distrust::NotForServers,
        ("unhandled_extension", _) => Distrust::UnhandledExtension(about),
        ("weak_key", Some(paper)) => Distrust::WeakKey(paper.key.clone()),
        ("weak_signature", _) => Distrust::WeakSignature(about),
        _ => Distrust::Other(if about.is_empty() { view.text } else { about }),
    };
    CertificateFault { why, place }
}
