//! The mechanisms of a login as state machines without I/O (RFC 4422, RFC 4954).
//!
//! A mechanism takes the server's challenges, decoded, and gives [`Response`]s: the bytes, which are a [`Secret`], and what of them a
//! transcript may show. The cryptography is that of crates.

mod binding;
mod challenge;
mod cram_md5;
mod oauth;
mod plain;
mod scram;
mod shown;

use std::fmt;
use std::str::FromStr;

pub use self::binding::{BindingKind, ChannelBinding};
pub use self::challenge::{ServerError, challenge_text, server_error};
use self::cram_md5::CramMd5;
use self::oauth::Token;
use self::plain::{Plain, Prompted};
pub use self::scram::ITERATIONS_LIMIT;
use self::scram::{Gs2, Hash, Scram};
pub use self::shown::{LoginLine, Shown};
use super::{Login, LoginFailure, Secret};

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// SCRAM-SHA-256, bound to the TLS connection (RFC 7677).
    ScramSha256Plus,
    /// SCRAM-SHA-1, bound to the TLS connection (RFC 5802).
    ScramSha1Plus,
    /// SCRAM-SHA-256 (RFC 7677).
    ScramSha256,
    /// SCRAM-SHA-1 (RFC 5802).
    ScramSha1,
    /// CRAM-MD5 (RFC 2195).
    CramMd5,
    /// PLAIN (RFC 4616).
    Plain,
    /// LOGIN, which no RFC describes: name and password one after the other.
    Login,
    /// OAUTHBEARER, with a token (RFC 7628).
    OauthBearer,
    /// XOAUTH2, with a token; Google's and Microsoft's older form of the same.
    Xoauth2,
}

impl Mechanism {
    /// All of them: those for passwords, the strongest first, then those for tokens.
    pub const ALL: [Self; 9] = [
        Self::ScramSha256Plus,
        Self::ScramSha1Plus,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::CramMd5,
        Self::Plain,
        Self::Login,
        Self::OauthBearer,
        Self::Xoauth2,
    ];

    /// The name by which servers offer it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
        }
    }

    /// Whether the secret is a token, not a password.
    #[must_use]
    pub const fn takes_a_token(self) -> bool {
        matches!(self, Self::OauthBearer | Self::Xoauth2)
    }

    /// Whether it binds the login to the TLS connection, so that nobody can stand between.
    #[must_use]
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }

    /// Whether the server is shown the secret itself.
    #[must_use]
    pub const fn hands_over_the_secret(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::OauthBearer | Self::Xoauth2)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text names no mechanism that is known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no login mechanism known here; it should be PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256 (each SCRAM also with \
     -PLUS), XOAUTH2 or OAUTHBEARER"
)]
pub struct MechanismError(String);

impl FromStr for Mechanism {
    type Err = MechanismError;

    fn from_str(text: &str) -> Result<Self, MechanismError> {
        let found = Self::ALL.into_iter().find(|mechanism| mechanism.as_str().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| MechanismError(text.to_owned()))
    }
}

/// What the client answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    /// The bytes, not yet in base64.
    pub(super) bytes: Secret,
    /// What a transcript may show of it.
    pub(super) shown: Shown,
    /// What nobody may see of it, and of the server's answer to it, should that repeat it: besides the password itself.
    pub(super) hidden: Vec<Secret>,
}

/// What the server offers and the connection gives, as far as it matters to SCRAM's channel binding (RFC 5802 §6).
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel<'a> {
    /// What a login can be bound to; none if this connection has nothing.
    pub(super) binding: Option<&'a ChannelBinding>,
    /// Whether the server offers to bind.
    pub(super) offered: bool,
}

/// One login by one mechanism.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    mechanism: Mechanism,
    course: Course,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Course {
    Plain(Plain),
    Prompted(Prompted),
    CramMd5(CramMd5),
    Scram(Box<Scram>),
    Token(Token),
}

impl Exchange {
    /// Begins; also gives what the client says first, which is none where the server has to begin.
    pub(super) fn begin(login: &Login, mechanism: Mechanism, channel: Channel<'_>) -> Result<(Self, Option<Response>), LoginFailure> {
        let (course, first) = match mechanism {
            Mechanism::Plain => (Course::Plain(Plain), Some(plain::first(login))),
            Mechanism::Login => (Course::Prompted(Prompted::new(login)), None),
            Mechanism::CramMd5 => (Course::CramMd5(CramMd5::new(login)), None),
            Mechanism::OauthBearer | Mechanism::Xoauth2 => {
                let (course, first) = Token::begin(login, mechanism);
                (Course::Token(course), Some(first))
            }
            Mechanism::ScramSha1 | Mechanism::ScramSha256 | Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus => {
                let hash = if matches!(mechanism, Mechanism::ScramSha1 | Mechanism::ScramSha1Plus) { Hash::Sha1 } else { Hash::Sha256 };
                let gs2 = match channel.binding {
                    Some(binding) if mechanism.is_bound() => Gs2::Bound(binding.clone()),
                    None if mechanism.is_bound() => return Err(LoginFailure::NoBinding(mechanism)),
                    // To have been able to bind, and to have been offered nothing, is told: so the server notices if it was somebody
                    // on the way who took the offer out.
                    Some(_) if !channel.offered => Gs2::NotOffered,
                    _ => Gs2::None,
                };
                let (scram, first) = Scram::begin(login, mechanism, hash, gs2, &scram::nonce()?)?;
                (Course::Scram(Box::new(scram)), Some(first))
            }
        };
        Ok((Self { mechanism, course }, first))
    }

    pub(super) const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Answers a challenge, as it stands behind the code 334.
    pub(super) fn challenge(&mut self, text: &str) -> Result<Response, LoginFailure> {
        // What LOGIN asks is known by its order. Some servers ask in plain words, which hurts nobody.
        if let Course::Prompted(prompted) = &mut self.course {
            return prompted.prompt();
        }
        let challenge = challenge::decode(text).ok_or(LoginFailure::NotBase64)?;
        match &mut self.course {
            Course::Plain(_) | Course::Prompted(_) => Err(LoginFailure::OneChallengeTooMany),
            Course::CramMd5(cram) => cram.challenge(&challenge),
            Course::Scram(scram) => scram.challenge(&challenge),
            Course::Token(token) => token.challenge(&challenge),
        }
    }

    /// The server has said yes: whether that may be believed.
    pub(super) fn accepted(&self) -> Result<(), LoginFailure> {
        match &self.course {
            Course::Scram(scram) if !scram.is_proved() => Err(LoginFailure::ServerProofMissing),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
