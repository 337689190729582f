//! What a login can be bound to, so that it is worth nothing on another TLS connection (RFC 5929, RFC 9266).

use std::fmt;

use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

use crate::smtp::SentCertificate;

/// What both ends know of their TLS connection, and nobody between them has the same of.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelBinding {
    kind: BindingKind,
    data: Vec<u8>,
}

/// What a signature's name says of its hash, and what its certificate is digested with.
const HASHES: [(&str, &Algorithm); 5] =
    [("sha256", &SHA256), ("sha384", &SHA384), ("sha512", &SHA512), ("sha1", &SHA256), ("md5", &SHA256)];

/// The kinds of it that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingKind {
    /// Keying material of the connection itself (RFC 9266); what TLS 1.3 has.
    TlsExporter,
    /// A digest of the server's certificate (RFC 5929 §4).
    TlsServerEndPoint,
}

impl BindingKind {
    /// The name in IANA's registry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }
}

impl ChannelBinding {
    /// 32 octets exported from the connection, with the label `EXPORTER-Channel-Binding` and an empty context (RFC 9266 §2).
    #[must_use]
    pub fn exporter(material: [u8; 32]) -> Self {
        Self { kind: BindingKind::TlsExporter, data: material.to_vec() }
    }

    /// The digest of the server's own certificate, made with the hash of its signature, and with SHA-256 in place of MD5 and SHA-1
    /// (RFC 5929 §4.1). None where the signature uses no hash, or one that is not known here.
    #[must_use]
    pub fn server_end_point(certificate: &SentCertificate) -> Option<Self> {
        let signature = certificate.read.as_ref()?.signature_algorithm.to_ascii_lowercase();
        let (_, hash) = HASHES.into_iter().find(|(name, _)| signature.contains(name))?;
        Some(Self { kind: BindingKind::TlsServerEndPoint, data: digest(hash, &certificate.der).as_ref().to_vec() })
    }

    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> BindingKind {
        self.kind
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }
}

impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())
    }
}
