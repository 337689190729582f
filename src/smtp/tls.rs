//! TLS as it was agreed upon, the certificates that came with it, and why a handshake fails (RFC 5246, RFC 8446, RFC 5280).
//!
//! Plain facts: whoever reads certificates and verifies them stands elsewhere.

use std::fmt;
use std::time::Duration;

/// What TLS agreed upon, and what is to be thought of the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// Such as `TLS 1.3`.
    pub version: String,
    /// The cipher suite's IANA name.
    pub cipher: String,
    /// The name that the server was asked for (SNI, RFC 6066 §3); none if an address was talked to by itself.
    pub server_name: Option<String>,
    /// The key exchange group; none if the version does not say.
    pub group: Option<String>,
    /// The certificates as sent, the server's own first; at most [`CHAIN_LIMIT`].
    pub chain: Vec<SentCertificate>,
    /// How many were sent.
    pub chain_length: usize,
    /// Whether they prove the name that was asked for.
    pub verdict: CertificateVerdict,
}

/// So many certificates of a chain are kept. A real one has two to four.
pub const CHAIN_LIMIT: usize = 10;

impl TlsFacts {
    /// The server's own certificate; none if it sent none, or one that cannot be parsed.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.chain.first()?.read.as_ref()
    }
}

/// A certificate as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCertificate {
    /// The bytes, which should be DER.
    pub der: Vec<u8>,
    /// Their SHA-256, in lower-case hex.
    pub sha256: String,
    /// What stands in it; none if it cannot be parsed.
    pub read: Option<Certificate>,
}

/// What stands in a certificate. Texts are cut where they are longer than any real one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The subject's distinguished name.
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The DNS names and addresses it is for (subjectAltName); at most 100.
    pub names: Vec<String>,
    /// The common name, which no longer counts as a host's name (RFC 9525 §2); none if there is none.
    pub common_name: Option<String>,
    /// The serial number, in lower-case hex.
    pub serial: String,
    /// The key that it certifies.
    pub key: PublicKey,
    /// What its issuer signed it with, such as `sha256WithRSAEncryption`.
    pub signature_algorithm: String,
    /// Seconds since 1970 from when it is valid.
    pub not_before: i64,
    /// Seconds since 1970 until when it is valid.
    pub not_after: i64,
    /// SHA-256 of the `SubjectPublicKeyInfo`, in lower-case hex: what a `3 1 1` TLSA record has (RFC 6698 §2.1).
    pub spki_sha256: String,
    /// Where its issuer's certificate can be had (authorityInfoAccess); none if it does not say.
    pub issuer_url: Option<String>,
}

impl Certificate {
    /// Whether its issuer signed it with an algorithm that can be forged: MD2, MD4, MD5 and SHA-1 (RFC 6151, RFC 9155). Of a
    /// certificate that is its own issuer that means nothing.
    #[must_use]
    pub fn has_weak_signature(&self) -> bool {
        let name = self.signature_algorithm.to_ascii_lowercase();
        // RSASSA-PSS that does not name its digest uses SHA-1 (RFC 4055 §3.1).
        self.subject != self.issuer && (["md2", "md4", "md5", "sha1"].iter().any(|digest| name.contains(digest)) || name == "rsassapss")
    }

    /// The names it is for, else its common name: what people look for.
    #[must_use]
    pub fn names_shown(&self) -> Vec<String> {
        if self.names.is_empty() { self.common_name.iter().cloned().collect() } else { self.names.clone() }
    }
}

/// A public key's type and size.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PublicKey {
    /// RSA, with the bits of its modulus.
    Rsa(u32),
    /// An elliptic curve.
    Ec {
        /// Such as `P-256`, or its object identifier.
        curve: String,
        /// The size of its field in bits; none for a curve that is not known.
        bits: Option<u32>,
    },
    /// DSA.
    Dsa,
    /// Another, by its name or object identifier: `Ed25519`.
    Other(String),
}

impl PublicKey {
    /// The kind alone: `RSA`.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Rsa(_) => "RSA",
            Self::Ec { .. } => "EC",
            Self::Dsa => "DSA",
            Self::Other(name) => name,
        }
    }

    /// The size in bits; none where the kind says it all, or nothing is known.
    #[must_use]
    pub const fn bits(&self) -> Option<u32> {
        match self {
            Self::Rsa(bits) => Some(*bits),
            Self::Ec { bits, .. } => *bits,
            Self::Dsa | Self::Other(_) => None,
        }
    }

    /// Whether it is too short to be relied upon: below 112 bits of strength (NIST SP 800-57, RFC 9325 §4.5).
    #[must_use]
    pub const fn is_weak(&self) -> bool {
        match self {
            Self::Rsa(bits) => *bits < 2048,
            Self::Ec { bits: Some(bits), .. } => *bits < 224,
            Self::Dsa => true,
            Self::Ec { bits: None, .. } | Self::Other(_) => false,
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::Ec { curve, .. } => write!(f, "EC {curve}"),
            Self::Dsa | Self::Other(_) => f.write_str(self.kind()),
        }
    }
}

/// What normal verification says; a probe records it and goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateVerdict {
    /// Chain, dates and name are right.
    Trusted,
    /// Nobody has seen the certificate, or has written down what is to be thought of it.
    Unseen,
    /// They are not: everything that is wrong, the most important first; never empty.
    Untrusted(Vec<CertificateFault>),
}

impl CertificateVerdict {
    /// What is wrong; empty if nothing is, or nothing is known.
    #[must_use]
    pub fn faults(&self) -> &[CertificateFault] {
        match self {
            Self::Trusted | Self::Unseen => &[],
            Self::Untrusted(faults) => faults,
        }
    }
}

/// One thing that is wrong, and with which certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateFault {
    /// What it is.
    pub why: Distrust,
    /// The certificate's place in the chain as sent; 0 is the server's own.
    pub place: usize,
}

/// Why a certificate does not verify (RFC 5280 §6.1), the most important first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distrust {
    /// It cannot be parsed.
    Unreadable,
    /// It is its own issuer, and not trusted.
    SelfSigned,
    /// What was sent leads to an authority that is not trusted.
    UnknownIssuer {
        /// That authority's distinguished name.
        issuer: String,
    },
    /// What was sent leads nowhere: the certificate's issuer is not among it, and no authority that is trusted has that name.
    MissingIntermediate {
        /// The distinguished name of the issuer.
        issuer: String,
    },
    /// It was not signed with its issuer's key.
    BadSignature,
    /// The handshake was not signed with the certificate's key.
    Unproved,
    /// Its time is over.
    Expired {
        /// Seconds since 1970 of its end.
        since: i64,
    },
    /// Its time has not come.
    NotYetValid {
        /// Seconds since 1970 of its beginning.
        until: i64,
    },
    /// It is for other names.
    WrongName {
        /// The name it should prove.
        asked: String,
        /// Those that it has in subjectAltName; may be empty.
        has: Vec<String>,
    },
    /// A server shows what is marked as an authority's. Made by hand, as a rule: the command that makes a certificate in one go
    /// marks it so.
    MarkedAsAuthority,
    /// It signs others, and is not marked as an authority's.
    NotAnAuthority,
    /// Its extended key usage does not allow servers.
    NotForServers,
    /// It has a critical extension that is not understood, by its object identifier.
    UnhandledExtension(String),
    /// Its key is too short.
    WeakKey(PublicKey),
    /// It was signed with an algorithm that can be forged.
    WeakSignature(String),
    /// Anything else, in the verifier's words.
    Other(String),
}

impl Distrust {
    /// The name used in JSON and for texts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::SelfSigned => "self_signed",
            Self::UnknownIssuer { .. } => "unknown_issuer",
            Self::MissingIntermediate { .. } => "missing_intermediate",
            Self::BadSignature => "bad_signature",
            Self::Unproved => "unproved",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::WrongName { .. } => "wrong_name",
            Self::MarkedAsAuthority => "marked_as_authority",
            Self::NotAnAuthority => "not_an_authority",
            Self::NotForServers => "not_for_servers",
            Self::UnhandledExtension(_) => "unhandled_extension",
            Self::WeakKey(_) => "weak_key",
            Self::WeakSignature(_) => "weak_signature",
            Self::Other(_) => "other",
        }
    }
}

/// A TLS version by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsVersion(pub u16);

impl TlsVersion {
    /// TLS 1.0.
    pub const TLS_1_0: Self = Self(0x0301);
    /// TLS 1.1.
    pub const TLS_1_1: Self = Self(0x0302);
    /// TLS 1.2, the oldest that is still to be used (RFC 8996).
    pub const TLS_1_2: Self = Self(0x0303);
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_be_bytes() {
            [3, 0] => f.write_str("SSL 3.0"),
            [3, minor] => write!(f, "TLS 1.{}", minor - 1),
            _ => write!(f, "0x{:04x}", self.0),
        }
    }
}

/// How the keys of a connection come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchange {
    /// Elliptic curves, anew for each connection.
    Ecdhe,
    /// A finite field, anew for each connection.
    Dhe,
    /// Encrypted with the server's RSA key: who has that key later, can read what was said before.
    Rsa,
    /// Nobody proves who he is.
    Anonymous,
}

/// What a server would have chosen that knows only old TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyTls {
    /// The version.
    pub version: TlsVersion,
    /// The cipher suite's IANA name; its number, if it was not offered.
    pub cipher: String,
    /// The key exchange; none if the cipher suite was not offered.
    pub exchange: Option<KeyExchange>,
    /// The size of the Diffie-Hellman group in bits; none without one.
    pub group_bits: Option<u32>,
    /// The certificates as sent, the server's own first; at most [`CHAIN_LIMIT`].
    pub chain: Vec<SentCertificate>,
    /// How many were sent.
    pub chain_length: usize,
}

/// Why a client of today does not speak to such a server, the most telling first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyFlaw {
    /// It knows no version that is still to be used (RFC 8996).
    OldVersion(TlsVersion),
    /// Its key exchange is anonymous, so that anybody may stand between (RFC 9325 §4.1).
    Anonymous,
    /// Its key exchange is RSA, which keeps nothing secret for later (RFC 9325 §4.1).
    RsaKeyExchange,
    /// Its key exchange is Diffie-Hellman in a finite field, with a group of this size, which clients no longer offer (RFC 9325 §4.1).
    FiniteField(Option<u32>),
    /// Its cipher is broken: RC4, DES, 3DES or made for export.
    WeakCipher,
    /// Its cipher has no authenticated encryption: CBC (RFC 9325 §4.2).
    Cbc,
    /// Its key is too short.
    WeakKey(PublicKey),
    /// Its certificate was signed with this algorithm, which can be forged.
    WeakSignature(String),
}

impl LegacyFlaw {
    /// The name used in JSON and for texts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OldVersion(_) => "old_version",
            Self::Anonymous => "anonymous",
            Self::RsaKeyExchange => "rsa_key_exchange",
            Self::FiniteField(_) => "finite_field",
            Self::WeakCipher => "weak_cipher",
            Self::Cbc => "cbc",
            Self::WeakKey(_) => "weak_key",
            Self::WeakSignature(_) => "weak_signature",
        }
    }
}

impl LegacyTls {
    /// What is wrong with it; empty if nothing of what was asked for is the reason.
    #[must_use]
    pub fn flaws(&self) -> Vec<LegacyFlaw> {
        let mut flaws = Vec::new();
        if self.version < TlsVersion::TLS_1_2 {
            flaws.push(LegacyFlaw::OldVersion(self.version));
        }
        flaws.extend(match self.exchange {
            Some(KeyExchange::Anonymous) => Some(LegacyFlaw::Anonymous),
            Some(KeyExchange::Rsa) => Some(LegacyFlaw::RsaKeyExchange),
            Some(KeyExchange::Dhe) => Some(LegacyFlaw::FiniteField(self.group_bits)),
            Some(KeyExchange::Ecdhe) | None => None,
        });
        if ["RC4", "DES", "EXPORT", "NULL"].iter().any(|cipher| self.cipher.contains(cipher)) {
            flaws.push(LegacyFlaw::WeakCipher);
        } else if self.cipher.contains("CBC") {
            flaws.push(LegacyFlaw::Cbc);
        }
        if let Some(own) = self.chain.first().and_then(|sent| sent.read.as_ref()) {
            if own.key.is_weak() {
                flaws.push(LegacyFlaw::WeakKey(own.key.clone()));
            }
            if own.has_weak_signature() {
                flaws.push(LegacyFlaw::WeakSignature(own.signature_algorithm.clone()));
            }
        }
        flaws
    }
}

/// Why a handshake fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// The server says no.
    Alert(TlsAlert),
    /// The server closed the connection without a word.
    Closed,
    /// The connection was reset.
    Reset,
    /// The server fell silent for this long.
    Hung(Duration),
    /// What came has the form of TLS and makes no sense, in words.
    Malformed(&'static str),
    /// Our own side found something wrong, in its words.
    Ours(String),
}

/// A TLS alert by its number (RFC 8446 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsAlert(pub u8);

impl TlsAlert {
    /// The name as the RFCs write it; none for a number that nobody has assigned.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            121 => "ech_required",
            _ => return None,
        })
    }
}

impl fmt::Display for TlsAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(f, "the server sent the TLS alert {alert}"),
            Self::Closed => f.write_str("the server closed the connection during the TLS handshake"),
            Self::Reset => f.write_str("the connection was reset during the TLS handshake"),
            Self::Hung(waited) => write!(f, "no answer to the TLS handshake within {}", Patience(*waited)),
            Self::Malformed(what) => write!(f, "the server's TLS handshake is broken: {what}"),
            Self::Ours(words) => f.write_str(words),
        }
    }
}

/// A time that was waited, in whole seconds where it is one.
struct Patience(Duration);

impl fmt::Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            millis @ 0..1000 => write!(f, "{millis} ms"),
            millis if millis < 10_000 && millis % 1000 >= 100 => write!(f, "{}.{} s", millis / 1000, millis % 1000 / 100),
            millis => write!(f, "{} s", millis / 1000),
        }
    }
}
