//! TLSA records (RFC 6698; RFC 7671 on how to use them; RFC 7672 for SMTP): which certificate or key a server must show.
//!
//! A record is kept whatever its numbers are: one that a sender cannot use still changes what it does (RFC 7672 §2.2).

use std::fmt;
use std::fmt::Write as _;

use ring::digest;
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo, X509Certificate};

use crate::target::{DomainName, Port};

/// Which certificate of a chain a record speaks of, and what else must hold (RFC 6698 §2.1.1, RFC 7218 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Usage {
    /// 0, PKIX-TA: an authority, which must be trusted by the sender as well.
    PkixTa,
    /// 1, PKIX-EE: the server's certificate, which must verify in the normal way as well.
    PkixEe,
    /// 2, DANE-TA: an authority; the record makes it trusted.
    DaneTa,
    /// 3, DANE-EE: the server's certificate; nothing else counts.
    DaneEe,
    /// Any other number; 255 is for private use.
    Unknown(u8),
}

/// What of a certificate is compared (RFC 6698 §2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// 0: the whole certificate.
    Certificate,
    /// 1: its public key (`SubjectPublicKeyInfo`), which may outlive the certificate.
    PublicKey,
    /// Any other number.
    Unknown(u8),
}

/// How it is compared (RFC 6698 §2.1.3). The order of the digests is their strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matching {
    /// 0: octet by octet.
    Full,
    /// 1: by its SHA-256 digest.
    Sha256,
    /// 2: by its SHA-512 digest.
    Sha512,
    /// Any other number.
    Unknown(u8),
}

impl From<u8> for Usage {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::PkixTa,
            1 => Self::PkixEe,
            2 => Self::DaneTa,
            3 => Self::DaneEe,
            other => Self::Unknown(other),
        }
    }
}

impl From<u8> for Selector {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Certificate,
            1 => Self::PublicKey,
            other => Self::Unknown(other),
        }
    }
}

impl From<u8> for Matching {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Full,
            1 => Self::Sha256,
            2 => Self::Sha512,
            other => Self::Unknown(other),
        }
    }
}

impl Usage {
    /// The number in the record.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::PkixTa => 0,
            Self::PkixEe => 1,
            Self::DaneTa => 2,
            Self::DaneEe => 3,
            Self::Unknown(number) => number,
        }
    }
}

impl Selector {
    /// The number in the record.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Certificate => 0,
            Self::PublicKey => 1,
            Self::Unknown(number) => number,
        }
    }

    /// What is to be compared: the certificate itself, or its key; none if that cannot be found in it.
    #[must_use]
    pub fn select(self, certificate: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Certificate => Some(certificate),
            Self::PublicKey => public_key(certificate),
            Self::Unknown(_) => None,
        }
    }
}

impl Matching {
    /// The number in the record.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::Sha256 => 1,
            Self::Sha512 => 2,
            Self::Unknown(number) => number,
        }
    }

    /// The octets that a digest of this kind has; none for what is no digest.
    #[must_use]
    pub const fn digest_length(self) -> Option<usize> {
        match self {
            Self::Sha256 => Some(32),
            Self::Sha512 => Some(64),
            Self::Full | Self::Unknown(_) => None,
        }
    }

    /// What a record has to hold to match these octets; none if this kind is not known.
    #[must_use]
    pub fn of(self, selected: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Full => Some(selected.to_vec()),
            Self::Sha256 => Some(digest::digest(&digest::SHA256, selected).as_ref().to_vec()),
            Self::Sha512 => Some(digest::digest(&digest::SHA512, selected).as_ref().to_vec()),
            Self::Unknown(_) => None,
        }
    }
}

/// The public key of a certificate as DER of its `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7); none if it is no certificate.
#[must_use]
pub fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let (rest, certificate) = X509Certificate::from_der(certificate).ok()?;
    rest.is_empty().then_some(certificate.tbs_certificate.subject_pki.raw)
}

/// One TLSA record (RFC 6698 §2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tlsa {
    /// Which certificate it speaks of.
    pub usage: Usage,
    /// What of it is compared.
    pub selector: Selector,
    /// How it is compared.
    pub matching: Matching,
    /// The certificate association data.
    pub data: Vec<u8>,
}

/// Octets that are no TLSA record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a TLSA record has at least 3 octets, not {0}")]
pub struct TlsaError(pub usize);

/// Why a sender of mail cannot use a record (RFC 6698 §4.1, RFC 7672 §3.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Usage 0 or 1, which need authorities that sender and receiver agree on; between mail servers there are none.
    #[error("usages 0 and 1 do not count between mail servers (RFC 7672 3.1.3)")]
    Pkix,
    /// A usage that no document knows.
    #[error("nobody knows certificate usage {0}")]
    Usage(u8),
    /// A selector that no document knows.
    #[error("nobody knows selector {0}")]
    Selector(u8),
    /// A matching type that no document knows.
    #[error("nobody knows matching type {0}")]
    Matching(u8),
    /// A digest of a wrong length.
    #[error("its digest has {found} octets instead of {expected}")]
    DigestLength {
        /// The octets that it should have.
        expected: usize,
        /// The octets that it has.
        found: usize,
    },
    /// Matching type 0 with something that is no certificate.
    #[error("what it holds is no certificate")]
    NoCertificate,
    /// Matching type 0 with something that is no public key.
    #[error("what it holds is no public key")]
    NoKey,
}

impl From<(u8, u8, u8, Vec<u8>)> for Tlsa {
    fn from((usage, selector, matching, data): (u8, u8, u8, Vec<u8>)) -> Self {
        Self { usage: usage.into(), selector: selector.into(), matching: matching.into(), data }
    }
}

impl TryFrom<&[u8]> for Tlsa {
    type Error = TlsaError;

    /// Reads a record's RDATA (RFC 6698 §2.1).
    fn try_from(rdata: &[u8]) -> Result<Self, TlsaError> {
        match rdata {
            [usage, selector, matching, data @ ..] => Ok((*usage, *selector, *matching, data.to_vec()).into()),
            _ => Err(TlsaError(rdata.len())),
        }
    }
}

impl Tlsa {
    /// The record that matches this certificate; none if the certificate cannot be parsed, or selector or matching type are unknown.
    #[must_use]
    pub fn for_certificate(usage: Usage, selector: Selector, matching: Matching, certificate: &[u8]) -> Option<Self> {
        // No record can be right for what no peer can read.
        public_key(certificate)?;
        Some(Self { usage, selector, matching, data: matching.of(selector.select(certificate)?)? })
    }

    /// The record to publish for a server's certificate: `3 1 1`, the digest of its key (RFC 7671 §5.1, RFC 7672 §3.1.1), which
    /// stays right when the certificate is renewed with the same key. None if the certificate cannot be parsed.
    #[must_use]
    pub fn recommended(certificate: &[u8]) -> Option<Self> {
        Self::for_certificate(Usage::DaneEe, Selector::PublicKey, Matching::Sha256, certificate)
    }

    /// Why a sender of mail cannot use it; none if it can.
    #[must_use]
    pub fn unusable(&self) -> Option<Unusable> {
        match self.usage {
            Usage::PkixTa | Usage::PkixEe => return Some(Unusable::Pkix),
            Usage::Unknown(number) => return Some(Unusable::Usage(number)),
            Usage::DaneTa | Usage::DaneEe => {}
        }
        if let Selector::Unknown(number) = self.selector {
            return Some(Unusable::Selector(number));
        }
        match (self.matching, self.matching.digest_length()) {
            (Matching::Unknown(number), _) => Some(Unusable::Matching(number)),
            (_, Some(expected)) => {
                let found = self.data.len();
                (found != expected).then_some(Unusable::DigestLength { expected, found })
            }
            (_, None) => match self.selector {
                Selector::PublicKey => (!is_key(&self.data)).then_some(Unusable::NoKey),
                _ => public_key(&self.data).is_none().then_some(Unusable::NoCertificate),
            },
        }
    }

    /// Whether it speaks of this certificate, by selector, matching type and data; its usage is not looked at.
    #[must_use]
    pub fn names(&self, certificate: &[u8]) -> bool {
        self.selector.select(certificate).and_then(|selected| self.matching.of(selected)).is_some_and(|data| data == self.data)
    }

    /// The record as a line of a zone file, with the name where senders look for it (RFC 6698 §3):
    /// `_25._tcp.mx.example.com. IN TLSA 3 1 1 ...`.
    #[must_use]
    pub fn zone_line(&self, port: Port, host: &DomainName) -> String {
        format!("_{port}._tcp.{host}. IN TLSA {self}")
    }
}

fn is_key(data: &[u8]) -> bool {
    SubjectPublicKeyInfo::from_der(data).is_ok_and(|(rest, _)| rest.is_empty())
}

/// As in a zone file (RFC 6698 §2.2): three numbers, and the data in hexadecimal.
impl fmt::Display for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.data.iter().fold(String::with_capacity(self.data.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        write!(f, "{} {} {} {data}", self.usage.number(), self.selector.number(), self.matching.number())
    }
}

#[cfg(test)]
mod tests;
