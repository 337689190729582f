//! The file of trust anchors (RFC 4033 §2), as `unbound-anchor` and `dig . DNSKEY` write it.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use hickory_resolver::proto::dnssec::{PublicKey as _, Verifier as _};
use hickory_resolver::proto::serialize::txt::trust_anchor::{Entry, Parser};

use crate::settings::{TrustAnchor, Validation};

/// Larger is no file of keys.
const SIZE_LIMIT: u64 = 1 << 20;

/// A file of trust anchors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnchorsError {
    /// It cannot be read.
    #[error("{file} cannot be read: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        error: String,
    },
    /// Something in it is no DNSKEY record with a key that can be used.
    #[error("{file} is no file of DNSKEY records, such as dig . DNSKEY prints: {error}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong.
        error: String,
    },
    /// There is no key in it that is still to be trusted.
    #[error("{file} holds no DNSKEY record that is still valid, such as: . IN DNSKEY 257 3 8 AwEAAa…")]
    Empty {
        /// The file.
        file: String,
    },
}

/// Reads the keys in a file in zone format, for [`Settings::validation`](crate::settings::Settings::validation). Revoked keys
/// (RFC 5011 §2.1) are passed over.
///
/// # Errors
/// If the file cannot be read, holds anything but DNSKEY records, or none.
pub fn read_anchors(file: &Path) -> Result<Validation, AnchorsError> {
    let name = || file.display().to_string();
    let mut text = String::new();
    let read = File::open(file).and_then(|opened| opened.take(SIZE_LIMIT).read_to_string(&mut text));
    read.map_err(|error| AnchorsError::Unreadable { file: name(), error: error.to_string() })?;
    let malformed = |error: &dyn fmt::Display| AnchorsError::Malformed { file: name(), error: error.to_string() };
    let mut anchors = Vec::new();
    for entry in Parser::new(&text).parse().map_err(|error| malformed(&error))? {
        // There is no other kind yet.
        let Entry::DNSKEY(record) = entry else { continue };
        let key = record.data();
        key.key().map_err(|error| malformed(&error))?;
        if !key.revoke() {
            let bytes = key.public_key().public_bytes();
            anchors.push(TrustAnchor { zone: record.name().to_ascii(), algorithm: key.algorithm().into(), key: bytes.to_vec() });
        }
    }
    if anchors.is_empty() { Err(AnchorsError::Empty { file: name() }) } else { Ok(Validation::From(anchors)) }
}
