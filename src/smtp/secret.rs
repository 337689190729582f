//! What nobody may see: passwords, tokens, proofs, and the lines that carry them.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

/// Bytes that are shown nowhere, and overwritten with zeros when the last holder drops them.
///
/// A clone is the same place in memory, not a copy. There is no `Display`, no serialisation, and `Debug` says `Secret(hidden)`.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    /// Takes the bytes over, memory and all. What the caller copied them from is the caller's to wipe.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    /// The bytes, for whoever has to write or compute with them. They must not be copied to where they stay.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts joined. The buffer has the right size from the start, so that nothing is left behind by one that grew.
    pub(super) fn concat(parts: &[&[u8]]) -> Self {
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            bytes.extend_from_slice(part);
        }
        Self::new(bytes)
    }

    /// The bytes in base64.
    pub(super) fn to_base64(&self) -> Self {
        let length = base64::encoded_len(self.0.len(), true).unwrap_or(0);
        let mut encoded = Zeroizing::new(vec![0; length]);
        // The length is the one that it asks for.
        let written = BASE64.encode_slice(self.expose(), &mut encoded).unwrap_or(0);
        encoded.truncate(written);
        Self(Arc::new(encoded))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl PartialEq for Secret {
    /// Takes the same time wherever the first difference is.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.expose(), other.expose());
        a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_nothing_of_itself() {
        let secret = Secret::from("tanstaaf".to_owned());
        for shown in [format!("{secret:?}"), format!("{secret:#?}"), format!("{:?}", Some(vec![secret.clone()]))] {
            assert!(shown.contains("hidden") && !shown.contains("tan"), "{shown}");
        }
    }

    #[test]
    fn it_is_what_was_put_into_it() {
        let secret = Secret::from("ab".to_owned());
        assert_eq!(secret, Secret::concat(&[b"a", b"", b"b"]));
        assert!(secret != Secret::from("aB".to_owned()) && secret != Secret::from("abc".to_owned()));
        assert_eq!((secret.expose(), secret.to_base64().expose()), (&b"ab"[..], &b"YWI="[..]));
        assert!(Secret::new(Vec::new()).is_empty() && Secret::new(Vec::new()).to_base64().is_empty());
        // A clone is the same place.
        assert!(std::ptr::eq(secret.expose(), secret.clone().expose()));
    }
}
