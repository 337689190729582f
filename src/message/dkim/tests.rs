//! Signatures, verified by somebody else: mail-auth.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Instant;

use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};

use super::*;

const RSA: &str = include_str!("keys/rsa.pem");
const RSA_PKCS1: &str = include_str!("keys/rsa-pkcs1.pem");
const RSA_PUBLIC: &str = include_str!("keys/rsa.pub");
const ED25519: &str = include_str!("keys/ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("keys/ed25519.pub");

/// Answers at hand, so that nobody is asked.
struct AtHand<K, V>(Mutex<HashMap<K, V>>);

impl<K: Hash + Eq, V: Clone> ResolverCache<K, V> for AtHand<K, V> {
    fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.lock().unwrap().get(key).cloned()
    }

    fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.lock().unwrap().remove(key)
    }

    fn insert(&self, key: K, value: V, _: Instant) {
        self.0.lock().unwrap().insert(key, value);
    }
}

fn verified(signed: &[u8], key: &str) -> Vec<bool> {
    let record = DomainKey::parse(key.as_bytes()).expect("a key record");
    let txt: AtHand<Box<str>, Txt> = AtHand(Mutex::new(HashMap::from([("mail._domainkey.example.net.".into(), record.into())])));
    let authenticator = MessageAuthenticator::new(ResolverConfig::default(), ResolverOpts::default()).expect("a verifier");
    let message = AuthenticatedMessage::parse(signed).expect("a message");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let parameters = Parameters::new(&message).with_txt_cache(&txt);
    let outputs = runtime.block_on(authenticator.verify_dkim(parameters));
    outputs.iter().map(|output| *output.result() == DkimResult::Pass).collect()
}

fn signer(pem: &str) -> Signer {
    let key = SigningKey::from_pem(pem.as_bytes()).expect("a key");
    Signer { domain: "example.net".parse().unwrap(), selector: "mail".parse().unwrap(), key }
}

fn keys() -> [(&'static str, String); 3] {
    let rsa = format!("v=DKIM1; k=rsa; p={RSA_PUBLIC}");
    [(RSA, rsa.clone()), (RSA_PKCS1, rsa), (ED25519, format!("v=DKIM1; k=ed25519; p={ED25519_PUBLIC}"))]
}

#[test]
fn another_program_verifies_what_was_signed() {
    let odd = "From: Me <me@example.net>\nTo: a@example.com,\n\tb@example.com\nSUBJECT:  two   blanks \nDate: Tue, 14 Nov 2023 22:13:20 +0000\n\
        Message-ID: <x@example.net>\nCc: c@example.com\nCc: d@example.com\n\n .a  line\t \n\n\n";
    for text in [odd, "From: me@example.net\n\n", "From: me@example.net\n", "From: me@example.net\n\n.\n\tx\n \ny\n"] {
        let message = Message::new(text.as_bytes().to_vec()).unwrap();
        for (pem, record) in keys() {
            let signed = signer(pem).sign(&message, SystemTime::now()).unwrap();
            assert!(signed.octets().ends_with(message.octets()), "nothing but a field on top");
            assert!(signed.longest_line() < 100);
            assert_eq!(verified(signed.octets(), &record), [true], "{}", String::from_utf8_lossy(signed.octets()));
            // Any change of what is signed is seen.
            let changed = String::from_utf8(signed.octets().to_vec()).unwrap().replace("me@example.net", "ne@example.net");
            assert_eq!(verified(changed.as_bytes(), &record), [false]);
        }
    }
}

#[test]
fn the_signature_says_who_signed_what() {
    let message = Message::new(b"Subject: x\nFrom: me@example.net\nReceived: by y\nCc: a\nCc: b\n\nbody\n".to_vec()).unwrap();
    let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let field = signer(ED25519).sign(&message, now).unwrap().field("DKIM-Signature").unwrap();
    let value = field.replace(' ', "");
    for tag in ["v=1;", "a=ed25519-sha256;", "c=relaxed/relaxed;", "d=example.net;", "s=mail;", "t=1700000000;", "h=From:Subject:Cc:Cc;"] {
        assert!(value.contains(tag), "{tag} {value}");
    }
}

#[test]
fn what_cannot_sign_is_told() {
    let no_from = Message::new(b"Subject: x\n\nFrom: body\n".to_vec()).unwrap();
    assert_eq!(signer(ED25519).sign(&no_from, SystemTime::now()), Err(SignError::NoFrom));
    for (pem, error) in [
        ("", KeyError::NoKey),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", KeyError::NoKey),
        ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n", KeyError::NoKey),
        (include_str!("keys/ec.pem"), KeyError::Kind),
    ] {
        assert_eq!(SigningKey::from_pem(pem.as_bytes()).map(|_| ()), Err(error), "{pem}");
    }
    let short = SigningKey::from_pem(include_bytes!("keys/short.pem")).map(|_| ()).unwrap_err().to_string();
    assert!(short.contains("2048"), "{short}");
}

#[test]
fn a_key_shows_nothing_of_itself() {
    let shown = format!("{:?}", signer(ED25519));
    assert!(shown.contains("SigningKey(ed25519-sha256)"), "{shown}");
    for line in ED25519.lines().filter(|line| !line.starts_with('-')) {
        assert!(!shown.contains(line));
    }
}
