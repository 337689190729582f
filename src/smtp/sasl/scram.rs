//! SCRAM (RFC 5802, RFC 7677): both sides prove that they know the password, and neither says it.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use super::{BindingKind, ChannelBinding, Mechanism, Response, Shown};
use crate::smtp::{Login, LoginFailure, Secret};

/// More rounds of the key derivation are not done for a server: at a few millions a second they keep a processor busy for less than a
/// second. RFC 7677 §4 asks for at least 4,096; careful sites have some 600,000.
pub const ITERATIONS_LIMIT: u64 = 1_000_000;

/// Which hash is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Hash {
    fn hmac(self, key: &[u8], data: &[u8]) -> hmac::Tag {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), data)
    }

    fn digest(self, data: &[u8]) -> digest::Digest {
        digest::digest(if self == Self::Sha1 { &digest::SHA1_FOR_LEGACY_USE_ONLY } else { &digest::SHA256 }, data)
    }

    /// `Hi()` of RFC 5802 §2.2.
    fn derive(self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Zeroizing<Vec<u8>> {
        let (algorithm, length) = if self == Self::Sha1 { (pbkdf2::PBKDF2_HMAC_SHA1, 20) } else { (pbkdf2::PBKDF2_HMAC_SHA256, 32) };
        let mut key = Zeroizing::new(vec![0; length]);
        pbkdf2::derive(algorithm, iterations, salt, password, &mut key);
        key
    }
}

/// What the client says of channel binding (RFC 5802 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gs2 {
    /// `n`: it cannot, or is told not to.
    None,
    /// `y`: it could, and the server did not offer it.
    NotOffered,
    /// `p`: it does.
    Bound(ChannelBinding),
}

impl Gs2 {
    fn header(&self) -> String {
        match self {
            Self::None => "n,,".to_owned(),
            Self::NotOffered => "y,,".to_owned(),
            Self::Bound(binding) => format!("p={},,", binding.kind().as_str()),
        }
    }

    fn data(&self) -> &[u8] {
        if let Self::Bound(binding) = self { binding.data() } else { &[] }
    }

    fn kind(&self) -> Option<BindingKind> {
        if let Self::Bound(binding) = self { Some(binding.kind()) } else { None }
    }
}

/// One login by SCRAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scram {
    mechanism: Mechanism,
    hash: Hash,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The client's first message is said.
    Begun {
        password: Secret,
        gs2: Gs2,
        nonce: String,
        /// The client's first message without the part about channel binding.
        bare: String,
    },
    /// The client's proof is said; what the server's has to be.
    Proved { expected: Secret },
    /// The server has proved itself.
    Ended,
    /// The server has named an error, or a message was none.
    Failed,
}

/// A nonce of 18 random octets, in base64.
pub(super) fn nonce() -> Result<String, LoginFailure> {
    let mut random = [0; 18];
    SystemRandom::new().fill(&mut random).map_err(|_| LoginFailure::NoRandomness)?;
    Ok(BASE64.encode(random))
}

/// A name as SCRAM and GS2 write it (RFC 5802 §5.1).
pub(super) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

impl Scram {
    /// Begins with `nonce`, and says the first message.
    pub(super) fn begin(login: &Login, mechanism: Mechanism, hash: Hash, gs2: Gs2, nonce: &str) -> Result<(Self, Response), LoginFailure> {
        let user = stringprep::saslprep(login.user()).map_err(|_| LoginFailure::Unpreparable)?;
        let bare = format!("n={},r={nonce}", escape(&user));
        let bytes = Secret::from(gs2.header() + &bare);
        let shown = Shown::UserAndNonce { user: login.user().to_owned(), nonce: nonce.to_owned(), bound: gs2.kind() };
        let state = State::Begun { password: prepared(login.secret())?, gs2, nonce: nonce.to_owned(), bare };
        Ok((Self { mechanism, hash, state }, Response { bytes, shown, hidden: Vec::new() }))
    }

    /// Whether the server has proved that it knows the password.
    pub(super) fn is_proved(&self) -> bool {
        self.state == State::Ended
    }

    pub(super) fn challenge(&mut self, challenge: &[u8]) -> Result<Response, LoginFailure> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Begun { password, gs2, nonce, bare } => self.prove(challenge, &password, &gs2, &nonce, &bare),
            State::Proved { expected } => self.verify(challenge, &expected),
            State::Ended | State::Failed => Err(LoginFailure::OneChallengeTooMany),
        }
    }

    /// Answers the server's first message by the client's proof.
    fn prove(&mut self, first: &[u8], password: &Secret, gs2: &Gs2, nonce: &str, bare: &str) -> Result<Response, LoginFailure> {
        let broken = LoginFailure::BadChallenge(self.mechanism);
        let first = std::str::from_utf8(first).map_err(|_| broken.clone())?;
        if first.starts_with("e=") {
            return Ok(acknowledge());
        }
        let asked = Asked::read(first).ok_or(broken)?;
        if !(asked.nonce.starts_with(nonce) && asked.nonce.len() > nonce.len()) {
            return Err(LoginFailure::ForeignNonce);
        }
        let iterations = u32::try_from(asked.iterations).ok().filter(|_| asked.iterations <= ITERATIONS_LIMIT).and_then(NonZeroU32::new);
        let iterations = iterations.ok_or(LoginFailure::TooManyIterations(asked.iterations))?;

        let bound = BASE64.encode([gs2.header().as_bytes(), gs2.data()].concat());
        let unproved = format!("c={bound},r={}", asked.nonce);
        let message = format!("{bare},{first},{unproved}");
        let salted = self.hash.derive(password.expose(), &asked.salt, iterations);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let stored_key = self.hash.digest(client_key.as_ref());
        let signature = self.hash.hmac(stored_key.as_ref(), message.as_bytes());
        let proof = Secret::new(client_key.as_ref().iter().zip(signature.as_ref()).map(|(key, signature)| key ^ signature).collect());
        let server_key = self.hash.hmac(&salted, b"Server Key");
        let expected = Secret::new(self.hash.hmac(server_key.as_ref(), message.as_bytes()).as_ref().to_vec());

        let proof = proof.to_base64();
        let bytes = Secret::concat(&[unproved.as_bytes(), b",p=", proof.expose()]);
        // From either proof the password can be guessed by trying.
        let hidden = vec![proof, expected.to_base64()];
        self.state = State::Proved { expected };
        Ok(Response { bytes, shown: Shown::Proof, hidden })
    }

    /// Looks at the server's proof, and has nothing more to say.
    fn verify(&mut self, last: &[u8], expected: &Secret) -> Result<Response, LoginFailure> {
        if last.starts_with(b"e=") {
            return Ok(acknowledge());
        }
        let proof = last.strip_prefix(b"v=").map(|rest| rest.split(|byte| *byte == b',').next().unwrap_or_default());
        let proof = proof.ok_or(LoginFailure::BadChallenge(self.mechanism))?;
        let proof = BASE64.decode(proof).map_err(|_| LoginFailure::BadChallenge(self.mechanism))?;
        if Secret::new(proof) != *expected {
            return Err(LoginFailure::ServerProofWrong);
        }
        self.state = State::Ended;
        Ok(acknowledge())
    }
}

/// An empty response, after which the server has to decide.
fn acknowledge() -> Response {
    Response { bytes: Secret::new(Vec::new()), shown: Shown::Nothing, hidden: Vec::new() }
}

/// The password in the one form that SCRAM computes with (RFC 4013). Bytes that are not UTF-8 cannot be prepared, and are left alone.
fn prepared(password: &Secret) -> Result<Secret, LoginFailure> {
    let Ok(text) = std::str::from_utf8(password.expose()) else { return Ok(password.clone()) };
    match stringprep::saslprep(text) {
        Ok(std::borrow::Cow::Borrowed(same)) if same.len() == text.len() => Ok(password.clone()),
        Ok(prepared) if !prepared.is_empty() => Ok(Secret::from(prepared.into_owned())),
        _ => Err(LoginFailure::Unpreparable),
    }
}

/// The server's first message.
struct Asked<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u64,
}

impl<'a> Asked<'a> {
    /// None where it breaks the grammar (RFC 5802 §7); an extension that must be understood (`m=`) does, too.
    fn read(message: &'a str) -> Option<Self> {
        let mut parts = message.split(',');
        let mut part = |name: &str| parts.next()?.strip_prefix(name);
        let nonce = part("r=")?;
        let salt = BASE64.decode(part("s=")?).ok().filter(|salt| !salt.is_empty())?;
        let count = part("i=")?;
        let is_count = !count.starts_with('0') && count.len() < 20 && count.bytes().all(|byte| byte.is_ascii_digit());
        let iterations = count.parse().ok().filter(|_| is_count)?;
        nonce.bytes().all(|byte| byte.is_ascii_graphic()).then_some(Self { nonce, salt, iterations })
    }
}
