//! OAUTHBEARER (RFC 7628) and its older form XOAUTH2: a bearer token instead of a password (RFC 6750).

use super::scram::escape;
use super::{Mechanism, Response, Shown};
use crate::smtp::{Login, LoginFailure, Secret};

/// What ends a field.
const END: &[u8] = b"\x01";

/// Where the login is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// The token was sent; a challenge can only be the error (RFC 7628 §3.2.2).
    Sent(Mechanism),
    /// The error was taken note of, so that the server can end the login.
    Refused,
}

impl Token {
    pub(super) fn begin(login: &Login, mechanism: Mechanism) -> (Self, Response) {
        let token = login.secret();
        let user = login.user();
        let bytes = if mechanism == Mechanism::Xoauth2 {
            Secret::concat(&[b"user=", user.as_bytes(), END, b"auth=Bearer ", token.expose(), END, END])
        } else {
            Secret::concat(&[b"n,a=", escape(user).as_bytes(), b",", END, b"auth=Bearer ", token.expose(), END, END])
        };
        (Self::Sent(mechanism), Response { bytes, shown: Shown::UserAndToken(user.to_owned()), hidden: Vec::new() })
    }

    /// The server tells what is wrong, and waits for an answer that means nothing before it refuses.
    pub(super) fn challenge(&mut self, _: &[u8]) -> Result<Response, LoginFailure> {
        let bytes = match std::mem::replace(self, Self::Refused) {
            Self::Sent(Mechanism::OauthBearer) => END.to_vec(),
            Self::Sent(_) => Vec::new(),
            Self::Refused => return Err(LoginFailure::OneChallengeTooMany),
        };
        Ok(Response { bytes: Secret::new(bytes), shown: Shown::Nothing, hidden: Vec::new() })
    }
}
