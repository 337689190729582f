//! The certificates of a mail world: an authority made anew for each world, and what its servers show (RFC 5280).

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// The name in the certificate of a server that shows somebody else's.
const FOREIGN_NAME: &str = "shared17.hosting.test";

/// What a server shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Paper {
    /// For its names, from the world's authority, good for two months.
    #[default]
    Good,
    /// For its names and in time, but signed by nobody else.
    SelfSigned,
    /// From the world's authority, but over since last week.
    Expired,
    /// From the world's authority and in time, but for another host.
    WrongName,
}

/// What a server sends beside its own certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Chain {
    /// Nothing: whoever trusts the authority has its certificate.
    #[default]
    Alone,
    /// The authority's, as a server has to that TLSA records of usage 2 speak of (RFC 7672 §3.1.2).
    WithIssuer,
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// All of it, in DER.
    pub(super) der: Vec<u8>,
    /// Its public key, as DER of the `SubjectPublicKeyInfo`.
    pub(super) key: Vec<u8>,
}

/// Who a server says it is.
pub(super) struct Identity {
    /// Its own certificate.
    pub(super) certificate: Certificate,
    /// The certificates that it sends, in DER, its own first.
    pub(super) chain: Vec<Vec<u8>>,
    /// The server's side of TLS.
    pub(super) acceptor: TlsAcceptor,
}

/// Signs for every server of one world.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// An authority with a new key.
    pub(super) fn new() -> io::Result<Self> {
        let mut params = dated(-100, 365);
        params.distinguished_name = named("smtpprobe demo authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, new_key()?).map_err(io::Error::other)?;
        Ok(Self { issuer })
    }

    /// Its own certificate, which a client has to trust.
    pub(super) fn certificate(&self) -> Certificate {
        Certificate { der: self.issuer.der().to_vec(), key: self.issuer.key().subject_public_key_info() }
    }

    /// What a server with these names shows.
    pub(super) fn identity(&self, names: &[String], paper: Paper, chain: Chain) -> io::Result<Identity> {
        let names = if paper == Paper::WrongName { vec![FOREIGN_NAME.to_owned()] } else { names.to_vec() };
        let mut params = if paper == Paper::Expired { dated(-97, -7) } else { dated(-1, 61) };
        params.distinguished_name = named(names.first().map_or("", String::as_str));
        params.subject_alt_names = CertificateParams::new(names).map_err(io::Error::other)?.subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = new_key()?;
        let certificate = match paper {
            Paper::SelfSigned => params.self_signed(&key),
            Paper::Good | Paper::Expired | Paper::WrongName => {
                params.use_authority_key_identifier_extension = true;
                params.signed_by(&key, &self.issuer)
            }
        }
        .map_err(io::Error::other)?;
        let chain = match chain {
            Chain::Alone => vec![certificate.der().to_vec()],
            Chain::WithIssuer => vec![certificate.der().to_vec(), self.issuer.der().to_vec()],
        };
        let sent = chain.iter().cloned().map(CertificateDer::from).collect();
        // The provider is named because a process-wide one may not be set, or be another.
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(sent, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .map_err(io::Error::other)?;
        let certificate = Certificate { der: certificate.der().to_vec(), key: key.subject_public_key_info() };
        Ok(Identity { certificate, chain, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

fn new_key() -> io::Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)
}

/// Valid between these days, counted from now. rcgen's own dates are 1975 to 4096.
fn dated(from: i64, until: i64) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.not_before = now + Duration::days(from);
    // An hour more, so that the days left are the same however long the servers take to start.
    params.not_after = now + Duration::days(until) + Duration::hours(1);
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
