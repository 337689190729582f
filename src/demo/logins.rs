//! The server's side of logins (RFC 4954): it really looks at names, passwords and proofs.
//!
//! Pure computation: what comes of a line follows from the line and from where the login is, so that it can be asked for twice.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use ring::{digest, hmac as ring_hmac, pbkdf2};
use serde::Deserialize;

use crate::smtp::Secret;

/// What is offered where a script names nothing: all for passwords.
const MECHANISMS: [&str; 7] = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"];
/// The rounds of SCRAM's key derivation (RFC 7677 §4).
const ITERATIONS: u32 = 4096;
const SALT: &[u8] = b"salt of the demo";
const CRAM_CHALLENGE: &str = "<1896.697170952@demo.test>";
/// What is said of a token that is wrong (RFC 7628 §3.2.3).
const TOKEN_ERROR: &str = r#"{"status":"invalid_token","schemes":"bearer","scope":"smtp.send"}"#;

/// Who can log in, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Logins {
    /// The users with their passwords, or tokens.
    pub(super) users: BTreeMap<String, Secret>,
    /// The mechanisms offered; none are all for passwords.
    pub(super) mechanisms: Option<Vec<String>>,
    pub(super) conduct: LoginConduct,
}

/// How a server goes about logins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LoginConduct {
    /// As it should.
    #[default]
    Honest,
    /// As one that knows no password and says yes to all: in SCRAM its own proof is made up.
    Impostor,
    /// With so many rounds in SCRAM that nobody gets through.
    Stalling,
    /// With far fewer rounds in SCRAM than it should.
    Hasty,
}

/// Where a login is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The first response of PLAIN, OAUTHBEARER or XOAUTH2 is to come.
    Plain,
    Token {
        gs2: bool,
    },
    /// LOGIN: the name is to come.
    User,
    /// LOGIN: the password of this user is to come.
    Password(String),
    CramMd5,
    ScramFirst(Scram),
    ScramLast {
        scram: Scram,
        user: String,
        bare: String,
        asked: String,
        nonce: String,
    },
    /// All is decided, and the client has only to acknowledge it.
    Acknowledge {
        good: bool,
    },
}

/// Which SCRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scram {
    sha1: bool,
    bound: bool,
}

/// What a line comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A challenge, and what then is to come.
    Challenge(Vec<u8>, Step),
    /// The login is good.
    Good,
    /// It is not.
    Bad,
    /// The line is not what it should be.
    Malformed,
    /// `*`.
    Cancelled,
    /// No such mechanism.
    Unknown,
}

/// What a session knows beside the users.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    /// The server's part of a nonce.
    pub(super) nonce: &'a str,
    /// What a login can be bound to; none without TLS.
    pub(super) exporter: Option<&'a [u8]>,
}

impl Logins {
    /// What the EHLO reply says of them; none if nobody can log in.
    pub(super) fn keyword(&self) -> Option<String> {
        let names: Vec<&str> = self.names().collect();
        (!self.users.is_empty()).then(|| format!("AUTH {}", names.join(" ")))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.mechanisms.iter().flatten().map(String::as_str);
        own.chain(MECHANISMS.into_iter().filter(|_| self.mechanisms.is_none()))
    }

    /// `argument` stands behind AUTH.
    pub(super) fn begin(&self, argument: &str, around: Surroundings<'_>) -> Turn {
        let (name, first) = argument.split_once(' ').map_or((argument, None), |(name, first)| (name, Some(first)));
        let Some(name) = self.names().find(|known| known.eq_ignore_ascii_case(name)) else { return Turn::Unknown };
        let scram = |sha1, bound| Step::ScramFirst(Scram { sha1, bound });
        let (step, challenge) = match name {
            "PLAIN" => (Step::Plain, ""),
            "XOAUTH2" => (Step::Token { gs2: false }, ""),
            "OAUTHBEARER" => (Step::Token { gs2: true }, ""),
            "LOGIN" => (Step::User, "Username:"),
            "CRAM-MD5" => (Step::CramMd5, CRAM_CHALLENGE),
            "SCRAM-SHA-1" => (scram(true, false), ""),
            "SCRAM-SHA-256" => (scram(false, false), ""),
            "SCRAM-SHA-1-PLUS" => (scram(true, true), ""),
            "SCRAM-SHA-256-PLUS" => (scram(false, true), ""),
            _ => return Turn::Unknown,
        };
        match first {
            None => Turn::Challenge(challenge.as_bytes().to_vec(), step),
            Some("=") => self.go_on(&step, "", around),
            Some(_) if !challenge.is_empty() => Turn::Malformed,
            Some(first) => self.go_on(&step, first, around),
        }
    }

    /// `line` answers a challenge.
    pub(super) fn go_on(&self, step: &Step, line: &str, around: Surroundings<'_>) -> Turn {
        if line == "*" {
            return Turn::Cancelled;
        }
        let Ok(response) = BASE64.decode(line) else { return Turn::Malformed };
        let verdict = |good: bool| if good || self.conduct == LoginConduct::Impostor { Turn::Good } else { Turn::Bad };
        let text = String::from_utf8_lossy(&response);
        match step {
            Step::Plain => match text.split('\0').collect::<Vec<_>>()[..] {
                [_, user, password] => verdict(self.knows(user, password)),
                _ => Turn::Malformed,
            },
            Step::Token { gs2 } => {
                let token = bearer(&text, *gs2);
                let good = token.is_some_and(|(user, token)| self.knows(user, token));
                if good { Turn::Good } else { Turn::Challenge(TOKEN_ERROR.into(), Step::Acknowledge { good }) }
            }
            Step::User => Turn::Challenge(b"Password:".to_vec(), Step::Password(text.into_owned())),
            Step::Password(user) => verdict(self.knows(user, &text)),
            Step::CramMd5 => match text.rsplit_once(' ') {
                Some((user, proof)) => verdict(self.cram(user).is_some_and(|own| own == proof)),
                None => Turn::Malformed,
            },
            Step::ScramFirst(scram) => self.scram_first(*scram, &text, around),
            Step::ScramLast { .. } => self.scram_last(step, &text, around),
            Step::Acknowledge { good } => {
                if *good {
                    Turn::Good
                } else {
                    Turn::Bad
                }
            }
        }
    }

    fn knows(&self, user: &str, password: &str) -> bool {
        self.users.get(user).is_some_and(|own| own.expose() == password.as_bytes())
    }

    fn cram(&self, user: &str) -> Option<String> {
        let mut hmac = Hmac::<Md5>::new_from_slice(self.users.get(user)?.expose()).ok()?;
        hmac.update(CRAM_CHALLENGE.as_bytes());
        let digest: [u8; 16] = hmac.finalize().into_bytes().into();
        Some(format!("{:032x}", u128::from_be_bytes(digest)))
    }

    /// The rounds that it really does.
    const fn rounds(&self) -> u32 {
        if matches!(self.conduct, LoginConduct::Hasty) { 100 } else { ITERATIONS }
    }

    fn scram_first(&self, scram: Scram, text: &str, around: Surroundings<'_>) -> Turn {
        let Some((flag, rest)) = text.split_once(",,") else { return Turn::Malformed };
        let parts: Option<(&str, &str)> = rest.strip_prefix("n=").and_then(|rest| rest.split_once(",r="));
        let Some((user, nonce)) = parts else { return Turn::Malformed };
        // Who could bind and was offered nothing was lied to on the way, if it was offered.
        let lied_to = flag == "y" && self.names().any(|name| name.ends_with("-PLUS"));
        if (flag == "p=tls-exporter") != scram.bound || lied_to {
            return Turn::Bad;
        }
        let nonce = format!("{nonce}{}", around.nonce);
        let iterations = if self.conduct == LoginConduct::Stalling { 1 << 31 } else { self.rounds() };
        let asked = format!("r={nonce},s={},i={iterations}", BASE64.encode(SALT));
        let user = user.replace("=2C", ",").replace("=3D", "=");
        Turn::Challenge(asked.clone().into_bytes(), Step::ScramLast { scram, user, bare: rest.to_owned(), asked, nonce })
    }

    fn scram_last(&self, step: &Step, text: &str, around: Surroundings<'_>) -> Turn {
        let Step::ScramLast { scram, user, bare, asked, nonce } = step else { return Turn::Malformed };
        let Some((unproved, proof)) = text.rsplit_once(",p=") else { return Turn::Malformed };
        let header: &[u8] = if scram.bound { b"p=tls-exporter,," } else { b"" };
        let exporter = around.exporter.filter(|_| scram.bound).unwrap_or_default();
        let bound = |header: &[u8]| format!("c={},r={nonce}", BASE64.encode([header, exporter].concat()));
        let as_it_should = if scram.bound { unproved == bound(header) } else { [b"n,,", b"y,,"].iter().any(|h| unproved == bound(*h)) };
        let password = self.users.get(user);
        let unknown = Secret::new(b"nobody has told the impostor".to_vec());
        let known = if self.conduct == LoginConduct::Impostor { Some(&unknown) } else { password };
        let Some(known) = known else { return Turn::Bad };
        let (own, signature) = scram.proofs(known.expose(), &format!("{bare},{asked},{unproved}"), self.rounds());
        let is_good = as_it_should && BASE64.decode(proof).is_ok_and(|proof| proof == own);
        if !is_good && self.conduct != LoginConduct::Impostor {
            return Turn::Bad;
        }
        Turn::Challenge(format!("v={}", BASE64.encode(signature)).into_bytes(), Step::Acknowledge { good: true })
    }
}

impl Scram {
    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let algorithm = if self.sha1 { ring_hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY } else { ring_hmac::HMAC_SHA256 };
        ring_hmac::sign(&ring_hmac::Key::new(algorithm, key), data).as_ref().to_vec()
    }

    /// The client's proof and the server's signature (RFC 5802 §3).
    fn proofs(self, password: &[u8], message: &str, rounds: u32) -> (Vec<u8>, Vec<u8>) {
        let (algorithm, hash, length) = if self.sha1 {
            (pbkdf2::PBKDF2_HMAC_SHA1, &digest::SHA1_FOR_LEGACY_USE_ONLY, 20)
        } else {
            (pbkdf2::PBKDF2_HMAC_SHA256, &digest::SHA256, 32)
        };
        let mut salted = vec![0; length];
        pbkdf2::derive(algorithm, NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN), SALT, password, &mut salted);
        let client = self.hmac(&salted, b"Client Key");
        let signature = self.hmac(digest::digest(hash, &client).as_ref(), message.as_bytes());
        let proof = client.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
        (proof, self.hmac(&self.hmac(&salted, b"Server Key"), message.as_bytes()))
    }
}

/// The user and the token of OAUTHBEARER, or of XOAUTH2.
fn bearer(text: &str, gs2: bool) -> Option<(&str, &str)> {
    let (user, rest) = text.strip_prefix(if gs2 { "n,a=" } else { "user=" })?.split_once('\u{1}')?;
    let user = if gs2 { user.strip_suffix(',')? } else { user };
    rest.split('\u{1}').find_map(|field| field.strip_prefix("auth=Bearer ")).map(|token| (user, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AROUND: Surroundings<'_> = Surroundings { nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", exporter: None };

    fn logins() -> Logins {
        let users = [("tim".to_owned(), Secret::from("tanstaaf".to_owned()))].into_iter().collect();
        let mechanisms = Some(vec!["PLAIN".to_owned(), "LOGIN".to_owned(), "XOAUTH2".to_owned(), "SCRAM-SHA-1-PLUS".to_owned()]);
        Logins { users, mechanisms, conduct: LoginConduct::Honest }
    }

    #[test]
    fn only_the_right_password_is_good() {
        let logins = logins();
        assert_eq!(logins.keyword().as_deref(), Some("AUTH PLAIN LOGIN XOAUTH2 SCRAM-SHA-1-PLUS"));
        assert_eq!(Logins::default().keyword(), None);
        let plain = |text: &str| logins.begin(&format!("PLAIN {}", BASE64.encode(text)), AROUND);
        for (text, turn) in [
            ("\0tim\0tanstaaf", Turn::Good),
            ("\0tim\0tanstaa", Turn::Bad),
            ("\0tom\0tanstaaf", Turn::Bad),
            ("\0tim\0", Turn::Bad),
            ("tim", Turn::Malformed),
        ] {
            assert_eq!(plain(text), turn, "{text:?}");
        }
        for (argument, turn) in [
            ("plain not-base64", Turn::Malformed),
            ("PLAIN", Turn::Challenge(Vec::new(), Step::Plain)),
            ("LOGIN dGlt", Turn::Malformed),
            ("CRAM-MD5", Turn::Unknown),
            ("", Turn::Unknown),
        ] {
            assert_eq!(logins.begin(argument, AROUND), turn, "{argument}");
        }
        assert_eq!(logins.go_on(&Step::Plain, "*", AROUND), Turn::Cancelled);
        let token = |text: &str| logins.begin(&format!("XOAUTH2 {}", BASE64.encode(text)), AROUND);
        assert_eq!(token("user=tim\u{1}auth=Bearer tanstaaf\u{1}\u{1}"), Turn::Good);
        assert!(matches!(token("user=tim\u{1}auth=Bearer x\u{1}\u{1}"), Turn::Challenge(_, Step::Acknowledge { good: false })));
        // Bound is bound.
        let scram = |text: &str| logins.begin(&format!("SCRAM-SHA-1-PLUS {}", BASE64.encode(text)), AROUND);
        assert_eq!(scram("n,,n=tim,r=abc"), Turn::Bad);
        assert!(matches!(scram("p=tls-exporter,,n=tim,r=abc"), Turn::Challenge(..)));
    }

    #[test]
    fn proofs_are_those_of_the_other_side() {
        // RFC 2195 §2 has another challenge; that the client's proof is right is seen where both sides talk to each other.
        let logins = logins();
        assert_eq!(logins.cram("tim").map(|proof| proof.len()), Some(32));
        assert_eq!(logins.cram("tom"), None);
    }
}
