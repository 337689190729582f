//! Who logs in, with what, and why a login does not come about (RFC 4954, RFC 8314 §3).

use std::fmt;

use super::Secret;
use super::sasl::{ITERATIONS_LIMIT, Mechanism};

/// A user name may have this many octets.
const USER_LIMIT: usize = 512;
/// A password or token may have this many octets: with the name, and in base64, it fits into the 12,288 octets that a line of a login
/// may have (RFC 4954 §4).
const SECRET_LIMIT: usize = 8 * 1024;

/// Who logs in, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    user: String,
    secret: Secret,
    /// The mechanism to use; none takes the strongest that is offered and takes a password.
    pub mechanism: Option<Mechanism>,
    /// What the secret may be sent over.
    pub over: LoginOver,
}

/// What a secret may be sent over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginOver {
    /// TLS with a certificate that proves the server's name.
    #[default]
    TrustedTls,
    /// Anything, in the clear, too: whoever listens can have the secret.
    Anything,
}

/// Why nobody can log in with such a name and secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// No name.
    #[error("the user name is empty")]
    NoUser,
    /// A name with control characters, or far too long.
    #[error("the user name has control characters or more than {USER_LIMIT} octets")]
    BadUser,
    /// No secret.
    #[error("the password is empty")]
    NoSecret,
    /// A secret with a line break or NUL in it.
    #[error("the password has a NUL, a line break or the octet 1 in it, which no login can carry")]
    BadSecret,
    /// A secret that no line of a login can hold.
    #[error("the password has more than {SECRET_LIMIT} octets")]
    LongSecret,
}

impl Login {
    /// Whoever `user` is, with a password or (for `XOAUTH2` and `OAUTHBEARER`) a token.
    ///
    /// # Errors
    /// If name or secret are empty, too long, or hold what no mechanism can carry.
    pub fn new(user: &str, secret: Secret) -> Result<Self, LoginError> {
        let bytes = secret.expose();
        match () {
            () if user.is_empty() => Err(LoginError::NoUser),
            () if user.len() > USER_LIMIT || user.contains(char::is_control) => Err(LoginError::BadUser),
            () if bytes.is_empty() => Err(LoginError::NoSecret),
            () if bytes.iter().any(|byte| matches!(byte, 0 | 1 | b'\r' | b'\n')) => Err(LoginError::BadSecret),
            () if bytes.len() > SECRET_LIMIT => Err(LoginError::LongSecret),
            () => Ok(Self { user: user.to_owned(), secret, mechanism: None, over: LoginOver::default() }),
        }
    }

    /// The same by this mechanism alone.
    #[must_use]
    pub fn by(self, mechanism: Mechanism) -> Self {
        Self { mechanism: Some(mechanism), ..self }
    }

    /// The same, with this as what the secret may be sent over.
    #[must_use]
    pub fn over(self, over: LoginOver) -> Self {
        Self { over, ..self }
    }

    /// The user's name, never empty.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password or token.
    pub(super) const fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// Why a login was not tried, or was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginFailure {
    /// Not tried: the connection is not encrypted.
    NotEncrypted,
    /// Not tried: the certificate does not prove whose server it is.
    Untrusted,
    /// Not tried: the server does not offer AUTH.
    NotOffered,
    /// Not tried: the mechanism asked for is not offered.
    MechanismNotOffered(Mechanism),
    /// Not tried: no mechanism is offered that a password is of use for; what is, separated by blanks.
    NoCommonMechanism(String),
    /// Not tried: a mechanism that is to be bound to the TLS connection, which gives nothing to bind to (RFC 5929, RFC 9266).
    NoBinding(Mechanism),
    /// Not tried: name or password have characters that `SASLprep` forbids (RFC 4013 §2.3).
    Unpreparable,
    /// Not tried: this machine has no random numbers.
    NoRandomness,
    /// Given up: a challenge is not base64 (RFC 4954 §4).
    NotBase64,
    /// Given up: a challenge breaks the mechanism's rules.
    BadChallenge(Mechanism),
    /// Given up: the mechanism has come to its end, and the server goes on asking.
    OneChallengeTooMany,
    /// Given up: the server's nonce does not begin with ours: the answer is to somebody else's question (RFC 5802 §5.1).
    ForeignNonce,
    /// Given up: the server asks for so many rounds of the key derivation that it looks like an attempt to stall us.
    TooManyIterations(u64),
    /// Given up: a response would be longer than any server has to read.
    ResponseTooLong,
    /// The server's proof that it knows the password is wrong (RFC 5802 §3).
    ServerProofWrong,
    /// The server said yes without proving that it knows the password (RFC 5802 §3).
    ServerProofMissing,
}

impl LoginFailure {
    /// Whether nothing secret was sent, because it was not tried.
    #[must_use]
    pub const fn is_untried(&self) -> bool {
        matches!(
            self,
            Self::NotEncrypted
                | Self::Untrusted
                | Self::NotOffered
                | Self::MechanismNotOffered(_)
                | Self::NoCommonMechanism(_)
                | Self::NoBinding(_)
                | Self::Unpreparable
                | Self::NoRandomness
        )
    }

    /// Reads what [`Display`](fmt::Display) writes; none if it is something else.
    #[must_use]
    pub fn read(words: &str) -> Option<Self> {
        const PLAIN: [LoginFailure; 11] = [
            LoginFailure::NotEncrypted,
            LoginFailure::Untrusted,
            LoginFailure::NotOffered,
            LoginFailure::Unpreparable,
            LoginFailure::NoRandomness,
            LoginFailure::NotBase64,
            LoginFailure::OneChallengeTooMany,
            LoginFailure::ForeignNonce,
            LoginFailure::ResponseTooLong,
            LoginFailure::ServerProofWrong,
            LoginFailure::ServerProofMissing,
        ];
        let of_mechanism = || {
            let all = Mechanism::ALL.into_iter();
            all.flat_map(|m| [Self::MechanismNotOffered(m), Self::NoBinding(m), Self::BadChallenge(m)])
                .find(|failure| failure.to_string() == words)
        };
        let of_number = || {
            let number = words.strip_prefix("login given up: the server asks for ")?.split(' ').next()?.parse().ok()?;
            Some(Self::TooManyIterations(number)).filter(|failure| failure.to_string() == words)
        };
        let of_list = || {
            let offered = words.strip_prefix("login not tried: no mechanism for a password is offered, only ")?;
            Some(Self::NoCommonMechanism(offered.to_owned()))
        };
        PLAIN.into_iter().find(|failure| failure.to_string() == words).or_else(of_mechanism).or_else(of_number).or_else(of_list)
    }
}

impl fmt::Display for LoginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_untried() { "login not tried: " } else { "login given up: " })?;
        match self {
            Self::NotEncrypted => f.write_str("the connection is not encrypted"),
            Self::Untrusted => f.write_str("the certificate is not trusted"),
            Self::NotOffered => f.write_str("the server does not offer AUTH"),
            Self::MechanismNotOffered(mechanism) => write!(f, "the server does not offer {mechanism}"),
            Self::NoCommonMechanism(offered) => write!(f, "no mechanism for a password is offered, only {offered}"),
            Self::NoBinding(mechanism) => write!(f, "{mechanism} cannot be bound to this connection"),
            Self::Unpreparable => f.write_str("name or password have characters that SASLprep forbids"),
            Self::NoRandomness => f.write_str("this machine has no random numbers"),
            Self::NotBase64 => f.write_str("the challenge is not base64"),
            Self::BadChallenge(mechanism) => write!(f, "the challenge breaks the rules of {mechanism}"),
            Self::OneChallengeTooMany => f.write_str("the server goes on asking after the end"),
            Self::ForeignNonce => f.write_str("the server's nonce does not begin with ours"),
            Self::TooManyIterations(asked) => {
                write!(f, "the server asks for {asked} iterations, and more than {ITERATIONS_LIMIT} would stall us")
            }
            Self::ResponseTooLong => f.write_str("the response would be too long"),
            Self::ServerProofWrong => f.write_str("the server's proof that it knows the password is wrong"),
            Self::ServerProofMissing => f.write_str("the server did not prove that it knows the password"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_secrets_that_no_login_can_carry_are_refused() {
        let long = "x".repeat(SECRET_LIMIT + 1);
        for (user, secret, error) in [
            ("", "secret", LoginError::NoUser),
            ("an\0na", "secret", LoginError::BadUser),
            ("anna\r\nQUIT", "secret", LoginError::BadUser),
            (&long[..], "secret", LoginError::BadUser),
            ("anna", "", LoginError::NoSecret),
            ("anna", "sec\0ret", LoginError::BadSecret),
            ("anna", "sec\r\nret", LoginError::BadSecret),
            ("anna", "sec\u{1}ret", LoginError::BadSecret),
            ("anna", &long, LoginError::LongSecret),
        ] {
            assert_eq!(Login::new(user, Secret::from(secret.to_owned())), Err(error), "{user:?}");
        }
        let login = Login::new("anna", Secret::from("se cret".to_owned())).unwrap();
        assert_eq!((login.user(), login.over), ("anna", LoginOver::TrustedTls));
        assert!(!format!("{login:?}").contains("se cret"));
    }

    #[test]
    fn the_words_of_a_failure_lead_back_to_it() {
        let plain = [
            LoginFailure::NotEncrypted,
            LoginFailure::Untrusted,
            LoginFailure::NotOffered,
            LoginFailure::MechanismNotOffered(Mechanism::CramMd5),
            LoginFailure::NoCommonMechanism("GSSAPI NTLM".to_owned()),
            LoginFailure::NoBinding(Mechanism::ScramSha1Plus),
            LoginFailure::Unpreparable,
            LoginFailure::NoRandomness,
            LoginFailure::NotBase64,
            LoginFailure::BadChallenge(Mechanism::ScramSha256),
            LoginFailure::OneChallengeTooMany,
            LoginFailure::ForeignNonce,
            LoginFailure::TooManyIterations(1 << 31),
            LoginFailure::ResponseTooLong,
            LoginFailure::ServerProofWrong,
            LoginFailure::ServerProofMissing,
        ];
        for failure in plain {
            assert_eq!(LoginFailure::read(&failure.to_string()), Some(failure.clone()), "{failure}");
        }
        for words in ["", "login not tried: ", "SMTPUTF8 not offered", "login given up: the server asks for x iterations"] {
            assert_eq!(LoginFailure::read(words), None, "{words}");
        }
    }
}
