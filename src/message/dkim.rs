//! Signing a message (DKIM: RFC 6376, RFC 8301; Ed25519: RFC 8463), with relaxed canonicalisation of header and body.
//!
//! ring does the cryptography, because it is in the program anyhow; lettre's signer would add some 37 crates for it, and reads neither
//! the keys that OpenSSL 3 writes nor Ed25519 keys in PEM.

mod canonical;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use self::canonical::{relaxed_body, relaxed_field};
use super::{Message, MessageError, fields};
use crate::target::DomainName;

/// The fields that are signed where they stand in a message: who writes to whom, when, about what, and how the body is to be read
/// (RFC 6376 §5.4.1). Those that are added or changed on the way are not.
const SIGNED: [&str; 14] = [
    "From",
    "Reply-To",
    "Subject",
    "Date",
    "To",
    "Cc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];
/// Characters of base64 in a line of the signature.
const FOLD: usize = 70;

/// A private key for signing; it shows nothing of itself.
#[derive(Clone)]
pub struct SigningKey(Arc<Pair>);

enum Pair {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why a text is no key to sign with.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It has no private key in PEM.
    #[error(
        "there is no private key in it; it should be PEM that begins with -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----"
    )]
    NoKey,
    /// It is of a kind that DKIM does not know.
    #[error("the key is neither RSA nor Ed25519, and DKIM knows no others")]
    Kind,
    /// The cryptography refuses it.
    #[error("the key cannot be used: {0}; RSA keys need 2048 to 4096 bits")]
    Refused(String),
}

impl SigningKey {
    /// Reads a key in PEM: PKCS#8, or PKCS#1 for RSA. RSA keys need 2048 to 4096 bits (RFC 8301 §3.2 asks for 2048).
    ///
    /// # Errors
    /// If there is no private key in it, or none that can sign.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let refused = |error: ring::error::KeyRejected| KeyError::Refused(error.to_string());
        let pair = match PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyError::NoKey)? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).map(Pair::Rsa).map_err(refused)?,
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                // OpenSSL writes Ed25519 keys without the public half, which is computed then.
                match (Ed25519KeyPair::from_pkcs8_maybe_unchecked(der), RsaKeyPair::from_pkcs8(der)) {
                    (Ok(pair), _) => Pair::Ed25519(pair),
                    (_, Ok(pair)) => Pair::Rsa(pair),
                    (_, Err(error)) if error.to_string() == "WrongAlgorithm" => return Err(KeyError::Kind),
                    (_, Err(error)) => return Err(refused(error)),
                }
            }
            _ => return Err(KeyError::Kind),
        };
        Ok(Self(Arc::new(pair)))
    }

    /// The name of its algorithm in a signature (RFC 6376 §3.3, RFC 8463 §3).
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match *self.0 {
            Pair::Rsa(_) => "rsa-sha256",
            Pair::Ed25519(_) => "ed25519-sha256",
        }
    }

    fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, SignError> {
        match &*self.0 {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), octets, &mut signature).map_err(|_| SignError::Random)?;
                Ok(signature)
            }
            // It is the digest that is signed (RFC 8463 §3).
            Pair::Ed25519(pair) => Ok(pair.sign(digest(&SHA256, octets).as_ref()).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm())
    }
}

/// Who signs, and with what.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The domain that vouches for the message (`d=`).
    pub domain: DomainName,
    /// Under which name in `_domainkey` of the domain the public key stands (`s=`).
    pub selector: DomainName,
    /// The private key.
    pub key: SigningKey,
}

/// Why a message could not be signed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// There is no From, which has to be signed (RFC 6376 §5.4).
    #[error("a message without a From field cannot be signed")]
    NoFrom,
    /// The system gave no random numbers.
    #[error("this machine gave no random numbers to sign with")]
    Random,
    /// With the signature it is too long.
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl Signer {
    /// The message with a signature on top, made at `now`. Nothing else of it changes.
    ///
    /// # Errors
    /// If it has no From field, this machine fails, or it comes to be too long.
    pub fn sign(&self, message: &Message, now: SystemTime) -> Result<Message, SignError> {
        let all: Vec<(&[u8], &[u8])> = fields(message.header()).collect();
        // A field that stands more than once is named as often, from the last one up (RFC 6376 §5.4.2).
        let mut signed: Vec<(&str, &[u8], &[u8])> = Vec::new();
        for called in SIGNED {
            let alike = all.iter().rev().filter(|(name, _)| name.eq_ignore_ascii_case(called.as_bytes()));
            signed.extend(alike.map(|(name, value)| (called, *name, *value)));
        }
        if signed.first().is_none_or(|(called, ..)| *called != "From") {
            return Err(SignError::NoFrom);
        }
        let names: Vec<&str> = signed.iter().map(|(called, ..)| *called).collect();
        let time = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let body = BASE64.encode(digest(&SHA256, &relaxed_body(message.body())));
        let Self { domain, selector, key } = self;
        let value = format!(
            " v=1; a={}; c=relaxed/relaxed; d={domain};\r\n\ts={selector}; t={time};\r\n\th={};\r\n\tbh={body};\r\n\tb=",
            key.algorithm(),
            names.join(":\r\n\t ")
        );
        let mut octets = Vec::new();
        for (_, name, value) in &signed {
            octets.extend(relaxed_field(name, value));
            octets.extend_from_slice(b"\r\n");
        }
        // The signature's own field comes last, without its value and its line end (RFC 6376 §3.7).
        octets.extend(relaxed_field(b"DKIM-Signature", value.as_bytes()));
        let signature = BASE64.encode(key.sign(&octets)?);
        let lines: Vec<&str> = signature.as_bytes().chunks(FOLD).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        Ok(message.headed(&format!("DKIM-Signature:{value}{}\r\n", lines.join("\r\n\t ")))?)
    }
}

#[cfg(test)]
mod tests;
