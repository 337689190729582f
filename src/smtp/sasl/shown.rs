//! What a transcript shows of a login: the lines of the client, without a secret, because none can be put into them.

use std::fmt;

use super::{BindingKind, Mechanism};

/// A line of a login as a transcript has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginLine {
    /// `AUTH` with the mechanism.
    Begin {
        /// The mechanism.
        mechanism: Mechanism,
        /// What was said along with it; none if nothing was.
        first: Option<Shown>,
    },
    /// The answer to a challenge.
    Answer(Shown),
    /// `*`, which gives the login up (RFC 4954 §4).
    Cancel,
}

/// What is shown of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The user's name alone.
    User(String),
    /// The name; beside it stood the password.
    UserAndPassword(String),
    /// The name; beside it stood a token.
    UserAndToken(String),
    /// The name; beside it stood a digest that the password can be guessed from.
    UserAndProof(String),
    /// All of SCRAM's first message.
    UserAndNonce {
        /// The name.
        user: String,
        /// The client's nonce.
        nonce: String,
        /// What the login is bound to; none if it is not.
        bound: Option<BindingKind>,
    },
    /// There stood the password.
    Password,
    /// There stood a proof that the password can be guessed from.
    Proof,
    /// An empty response, or one that means nothing.
    Nothing,
}

const PASSWORD: &str = "password hidden";
const TOKEN: &str = "token hidden";
const PROOF: &str = "proof hidden";
const NOTHING: &str = "nothing";

impl LoginLine {
    /// Reads what [`Display`](fmt::Display) writes; none if it is anything else, which may hold a secret.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        if line == "*" {
            return Some(Self::Cancel);
        }
        let read = match line.strip_prefix("AUTH ") {
            None => Self::Answer(Shown::read(line)?),
            Some(rest) => {
                let (mechanism, first) = match rest.split_once(' ') {
                    Some((mechanism, first)) => (mechanism, Some(Shown::read(first)?)),
                    None => (rest, None),
                };
                Self::Begin { mechanism: mechanism.parse().ok()?, first }
            }
        };
        (read.to_string() == line).then_some(read)
    }
}

impl Shown {
    fn read(text: &str) -> Option<Self> {
        let inside = text.strip_prefix('<')?.strip_suffix('>')?;
        match inside {
            PASSWORD => return Some(Self::Password),
            PROOF => return Some(Self::Proof),
            NOTHING => return Some(Self::Nothing),
            _ => {}
        }
        let rest = inside.strip_prefix("user ")?;
        let beside = [(PASSWORD, Self::UserAndPassword as fn(String) -> Self), (TOKEN, Self::UserAndToken), (PROOF, Self::UserAndProof)];
        for (what, make) in beside {
            if let Some(user) = rest.strip_suffix(what).and_then(|user| user.strip_suffix(", ")) {
                return Some(make(user.to_owned()));
            }
        }
        let Some((user, nonce)) = rest.rsplit_once(", nonce ") else { return Some(Self::User(rest.to_owned())) };
        let kinds = [BindingKind::TlsExporter, BindingKind::TlsServerEndPoint];
        let bound = kinds.into_iter().find(|kind| nonce.ends_with(&bound_by(*kind)));
        let nonce = bound.and_then(|kind| nonce.strip_suffix(&bound_by(kind))).unwrap_or(nonce);
        Some(Self::UserAndNonce { user: user.to_owned(), nonce: nonce.to_owned(), bound })
    }
}

fn bound_by(kind: BindingKind) -> String {
    format!(", bound by {}", kind.as_str())
}

impl fmt::Display for LoginLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin { mechanism, first: Some(first) } => write!(f, "AUTH {mechanism} {first}"),
            Self::Begin { mechanism, first: None } => write!(f, "AUTH {mechanism}"),
            Self::Answer(shown) => shown.fmt(f),
            Self::Cancel => f.write_str("*"),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "<user {user}>"),
            Self::UserAndPassword(user) => write!(f, "<user {user}, {PASSWORD}>"),
            Self::UserAndToken(user) => write!(f, "<user {user}, {TOKEN}>"),
            Self::UserAndProof(user) => write!(f, "<user {user}, {PROOF}>"),
            Self::UserAndNonce { user, nonce, bound } => {
                write!(f, "<user {user}, nonce {nonce}{}>", bound.map(bound_by).unwrap_or_default())
            }
            Self::Password => write!(f, "<{PASSWORD}>"),
            Self::Proof => write!(f, "<{PROOF}>"),
            Self::Nothing => write!(f, "<{NOTHING}>"),
        }
    }
}
