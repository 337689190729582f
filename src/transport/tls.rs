//! TLS that records instead of failing (RFC 3207, RFC 8446, RFC 5280).
//!
//! Mail servers accept certificates that a browser would not, and a diagnosis needs both: the conversation goes on, and what
//! normal verification says about the certificate is kept. Nothing secret may ever be sent over such a connection unless that
//! verdict is [`CertificateVerdict::Trusted`].

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring as ring_provider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::overheard::Overheard;
use super::roots::Roots;
use super::tcp::Broken;
use crate::smtp::{Certificate, CertificateVerdict, FailureKind, TlsFacts};
use crate::target::Host;

/// Names in a certificate are kept up to this many.
const NAMES_LIMIT: usize = 100;

/// What all TLS connections of a probe share: the cryptography, and the authorities trusted.
#[derive(Debug)]
pub struct TlsClient {
    provider: Arc<CryptoProvider>,
    roots: Arc<Roots>,
}

impl TlsClient {
    /// Trusts the system's authorities and those given in DER; what is no certificate is passed over.
    #[must_use]
    pub fn new(extra_roots: &[Vec<u8>]) -> Self {
        let provider = Arc::new(ring_provider::default_provider());
        Self { roots: Arc::new(Roots::new(Arc::clone(&provider), extra_roots)), provider }
    }

    /// Shakes hands, whatever the certificate. What comes instead of TLS is handed back with the failure.
    pub(super) async fn handshake(&self, stream: TcpStream, name: &Host) -> Result<(TlsStream<Overheard>, TlsFacts), Unshaken> {
        let recorder = Arc::new(Recorder { roots: Arc::clone(&self.roots), provider: Arc::clone(&self.provider), seen: Mutex::default() });
        let trouble = |error: Error| Unshaken::from(Broken::from(FailureKind::Local(error.to_string())));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(trouble)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        // A resumed session would never show its certificate.
        config.resumption = Resumption::disabled();
        let connecting = TlsConnector::from(Arc::new(config)).connect(server_name(name), Overheard::new(stream));
        let stream = connecting.into_fallible().await.map_err(|(error, stream)| match stream.not_tls() {
            Some(bytes) => Unshaken { failure: FailureKind::NotTls.into(), bytes: bytes.to_vec() },
            None => broken(error).into(),
        })?;
        let facts = {
            let connection = stream.get_ref().1;
            let seen = std::mem::take(&mut *recorder.seen());
            TlsFacts {
                version: match connection.protocol_version() {
                    Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
                    Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
                    other => format!("{other:?}"),
                },
                cipher: connection
                    .negotiated_cipher_suite()
                    .map(|suite| format!("{:?}", suite.suite()).replace("TLS13_", "TLS_"))
                    .unwrap_or_default(),
                group: connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name())),
                certificate: seen.chain.first().and_then(|der| read(der)),
                chain: seen.chain,
                // What nobody has verified is not to be trusted.
                verdict: seen.verdict.unwrap_or(CertificateVerdict::UnknownIssuer),
            }
        };
        Ok((stream, facts))
    }
}

/// A handshake that failed.
pub(super) struct Unshaken {
    pub(super) failure: Broken,
    /// What came instead of TLS; empty if it was TLS, or nothing.
    pub(super) bytes: Vec<u8>,
}

impl From<Broken> for Unshaken {
    fn from(failure: Broken) -> Self {
        Self { failure, bytes: Vec::new() }
    }
}

/// The name to ask for and to verify. A name that TLS cannot carry is asked for as an address that no certificate has.
fn server_name(host: &Host) -> ServerName<'static> {
    match host {
        Host::Address(address) => ServerName::IpAddress((*address).into()),
        Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
            .unwrap_or_else(|_| ServerName::IpAddress(std::net::IpAddr::from(std::net::Ipv4Addr::UNSPECIFIED).into())),
    }
}

/// What the handshake failed of, in words that a person can look up.
fn broken(error: io::Error) -> Broken {
    let words = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => format!("the server sent the TLS alert {}", alert_name(*alert)),
        Some(other) => other.to_string(),
        None => return error.into(),
    };
    FailureKind::TlsHandshake(words).into()
}

/// An alert's name as the RFC writes it: `handshake_failure`.
fn alert_name(alert: AlertDescription) -> String {
    let mut name = String::new();
    for c in format!("{alert:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

/// Lets every certificate pass, and remembers it with the verdict that it deserves.
struct Recorder {
    roots: Arc<Roots>,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    chain: Vec<Vec<u8>>,
    verdict: Option<CertificateVerdict>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A signature that does not verify is part of the verdict, too.
    fn note(&self, verified: Result<HandshakeSignatureValid, Error>) -> HandshakeSignatureValid {
        verified.unwrap_or_else(|error| {
            let mut seen = self.seen();
            if matches!(seen.verdict, None | Some(CertificateVerdict::Trusted)) {
                seen.verdict = Some(verdict(&error));
            }
            HandshakeSignatureValid::assertion()
        })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let outcome = self.roots.verify(leaf, intermediates, name, ocsp, now);
        *self.seen() = Seen {
            chain: std::iter::once(leaf).chain(intermediates).map(|der| der.to_vec()).collect(),
            verdict: Some(outcome.as_ref().map_or_else(verdict, |()| CertificateVerdict::Trusted)),
        };
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(self.note(verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(self.note(verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn verdict(error: &Error) -> CertificateVerdict {
    let Error::InvalidCertificate(error) = error else {
        return CertificateVerdict::Other(error.to_string());
    };
    match error {
        CertificateError::UnknownIssuer => CertificateVerdict::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => CertificateVerdict::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => CertificateVerdict::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => CertificateVerdict::WrongName,
        // Made by hand, as a rule: the command that makes a certificate in one go marks it as an authority's.
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            CertificateVerdict::Other("it is marked as the certificate of an authority, not of a server".to_owned())
        }
        other => CertificateVerdict::Other(other.to_string()),
    }
}

/// The parts of a certificate that people ask for; none if it cannot be parsed.
fn read(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let mut names: Vec<String> = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| extension.value.general_names.iter().filter_map(alternative_name).take(NAMES_LIMIT).collect())
        .unwrap_or_default();
    if names.is_empty() {
        names.extend(certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok()).map(str::to_owned));
    }
    Some(Certificate {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names,
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        sha256: hex(digest::digest(&digest::SHA256, der).as_ref()),
    })
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::IpAddr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|v6| std::net::IpAddr::from(v6).to_string()),
        },
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
