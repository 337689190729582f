//! PLAIN (RFC 4616), and LOGIN, which no RFC describes: the password as it is.

use super::{Response, Shown};
use crate::smtp::{Login, LoginFailure, Secret};

/// PLAIN has nothing to remember: all is said at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plain;

/// All that PLAIN says. The authorisation identity is left to the server (RFC 4616 §2).
pub(super) fn first(login: &Login) -> Response {
    let bytes = Secret::concat(&[b"\0", login.user().as_bytes(), b"\0", login.secret().expose()]);
    Response { hidden: Vec::new(), bytes, shown: Shown::UserAndPassword(login.user().to_owned()) }
}

/// Where LOGIN is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompted {
    /// The server asks for the name.
    User(Login),
    /// The server asks for the password.
    Password(Login),
    /// All is said.
    Said,
}

impl Prompted {
    pub(super) fn new(login: &Login) -> Self {
        Self::User(login.clone())
    }

    pub(super) fn prompt(&mut self) -> Result<Response, LoginFailure> {
        let (next, response) = match std::mem::replace(self, Self::Said) {
            Self::User(login) => {
                let bytes = Secret::concat(&[login.user().as_bytes()]);
                let response = Response { bytes, shown: Shown::User(login.user().to_owned()), hidden: Vec::new() };
                (Self::Password(login), response)
            }
            Self::Password(login) => {
                let response = Response { bytes: login.secret().clone(), shown: Shown::Password, hidden: Vec::new() };
                (Self::Said, response)
            }
            Self::Said => return Err(LoginFailure::OneChallengeTooMany),
        };
        *self = next;
        Ok(response)
    }
}
