//! CRAM-MD5 (RFC 2195): a digest of the server's challenge, keyed with the password.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;

use super::{Mechanism, Response, Shown};
use crate::smtp::{Login, LoginFailure, Secret};

/// Where CRAM-MD5 is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CramMd5 {
    /// Waiting for the challenge.
    Asked(Login),
    /// It was answered.
    Answered,
}

impl CramMd5 {
    pub(super) fn new(login: &Login) -> Self {
        Self::Asked(login.clone())
    }

    pub(super) fn challenge(&mut self, challenge: &[u8]) -> Result<Response, LoginFailure> {
        let Self::Asked(login) = std::mem::replace(self, Self::Answered) else { return Err(LoginFailure::OneChallengeTooMany) };
        // An empty challenge would have the same answer for ever.
        let keyed = Hmac::<Md5>::new_from_slice(login.secret().expose()).ok().filter(|_| !challenge.is_empty());
        let mut hmac = keyed.ok_or(LoginFailure::BadChallenge(Mechanism::CramMd5))?;
        hmac.update(challenge);
        let digest = hmac.finalize().into_bytes();
        let hex = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| b"0123456789abcdef"[usize::from(digit)]);
        let digest = Secret::new(hex.collect());
        let bytes = Secret::concat(&[login.user().as_bytes(), b" ", digest.expose()]);
        Ok(Response { bytes, shown: Shown::UserAndProof(login.user().to_owned()), hidden: vec![digest] })
    }
}
