//! TLS that records instead of failing (RFC 3207, RFC 8446, RFC 5280).
//!
//! Mail servers accept certificates that a browser would not, and a diagnosis needs both: the conversation goes on, and what
//! normal verification says about the certificate is kept. Nothing secret may ever be sent over such a connection unless that
//! verdict is [`CertificateVerdict::Trusted`].

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring as ring_provider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme};

use super::overheard::Overheard;
use super::roots::Roots;
use super::stream::Stream;
use super::tcp::Broken;
use super::{certificate, verification};
use crate::smtp::{
    CHAIN_LIMIT, CertificateFault, CertificateVerdict, ChannelBinding, Distrust, FailureKind, HandshakeFailure, TlsAlert, TlsFacts,
};
use crate::target::{DomainName, Host};

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
        Self { roots: Arc::new(Roots::new(&provider, extra_roots)), provider }
    }

    /// Shakes hands, whatever the certificate, which should prove `name`; `base` is the name to ask for where that is another. What comes instead of TLS is handed back with the failure.
    pub(super) async fn handshake(
        &self,
        stream: impl Into<Stream>,
        name: &Host,
        base: Option<&DomainName>,
    ) -> Result<(TlsStream<Overheard>, TlsFacts), Unshaken> {
        let asked_for = base.map_or_else(|| name.clone(), |base| Host::Name(base.clone()));
        let recorder = Arc::new(Recorder {
            asked: name.clone(),
            roots: Arc::clone(&self.roots),
            provider: Arc::clone(&self.provider),
            seen: Mutex::default(),
        });
        let trouble = |error: Error| Unshaken::from(Broken::from(FailureKind::Local(error.to_string())));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(trouble)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        // A resumed session would never show its certificate.
        config.resumption = Resumption::disabled();
        let connecting = TlsConnector::from(Arc::new(config)).connect(server_name(&asked_for), Overheard::new(stream.into()));
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
                server_name: if let Host::Name(name) = &asked_for { Some(name.to_string()) } else { None },
                group: connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name())),
                chain: seen.chain.iter().take(CHAIN_LIMIT).map(|der| certificate::read(der)).collect(),
                chain_length: seen.chain.len(),
                // What nobody has verified is not to be trusted.
                verdict: seen.verdict.unwrap_or_else(|| untrusted(Distrust::Unproved)),
            }
        };
        Ok((stream, facts))
    }
}

/// What a login can be bound to: with TLS 1.3 the connection itself (RFC 9266 §3), before that the server's certificate (RFC 5929).
pub(super) fn binding(connection: &ClientConnection, facts: &TlsFacts) -> Option<ChannelBinding> {
    if connection.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
        let material = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
        return material.ok().map(ChannelBinding::exporter);
    }
    facts.chain.first().and_then(ChannelBinding::server_end_point)
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
        Host::Socket(_) => ServerName::IpAddress(std::net::IpAddr::from(std::net::Ipv4Addr::LOCALHOST).into()),
        Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
            .unwrap_or_else(|_| ServerName::IpAddress(std::net::IpAddr::from(std::net::Ipv4Addr::UNSPECIFIED).into())),
    }
}

/// What the handshake failed of.
fn broken(error: io::Error) -> Broken {
    let failure = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => HandshakeFailure::Alert(TlsAlert(u8::from(*alert))),
        Some(other) => HandshakeFailure::Ours(other.to_string()),
        None => return error.into(),
    };
    FailureKind::TlsHandshake(failure).into()
}

fn untrusted(why: Distrust) -> CertificateVerdict {
    CertificateVerdict::Untrusted(vec![CertificateFault { why, place: 0 }])
}

/// Lets every certificate pass, and remembers it with the verdict that it deserves.
struct Recorder {
    asked: Host,
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

    /// A signature that does not verify is part of the verdict, too. One by a weak key never does: that is said already.
    fn note(&self, verified: Result<HandshakeSignatureValid, Error>) -> HandshakeSignatureValid {
        verified.unwrap_or_else(|_| {
            let mut seen = self.seen();
            let mut faults = seen.verdict.as_ref().map_or(&[][..], CertificateVerdict::faults).to_vec();
            if !faults.iter().any(|fault| fault.place == 0 && matches!(fault.why, Distrust::WeakKey(_) | Distrust::Unreadable)) {
                faults.push(CertificateFault { why: Distrust::Unproved, place: 0 });
                faults.sort();
                seen.verdict = Some(CertificateVerdict::Untrusted(faults));
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
        _: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let name = server_name(&self.asked);
        let verdict = verification::verify(&self.roots, leaf, intermediates, &name, &self.asked.to_string(), now);
        let chain = std::iter::once(leaf).chain(intermediates).map(|der| der.to_vec()).collect();
        *self.seen() = Seen { chain, verdict: Some(verdict) };
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

#[cfg(test)]
mod tests;
