//! The test vectors of the RFCs, and servers that do not keep to them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proptest::prelude::*;

use super::*;
use crate::smtp::{Certificate, PublicKey, Reply, SentCertificate};

const UNBOUND: Channel<'_> = Channel { binding: None, offered: false };

fn login(user: &str, secret: &str) -> Login {
    Login::new(user, Secret::from(secret.to_owned())).expect("a login")
}

fn text(response: &Response) -> String {
    String::from_utf8(response.bytes.expose().to_vec()).expect("UTF-8")
}

fn scram(user: &str, secret: &str, mechanism: Mechanism, gs2: Gs2, nonce: &str) -> Result<(Scram, Response), LoginFailure> {
    let hash = if mechanism == Mechanism::ScramSha1 { Hash::Sha1 } else { Hash::Sha256 };
    Scram::begin(&login(user, secret), mechanism, hash, gs2, nonce)
}

/// The exchanges of RFC 5802 §5 and RFC 7677 §3: nonce, server's first, client's proof, server's proof.
const VECTORS: [(Mechanism, &str, &str, &str, &str); 2] = [
    (
        Mechanism::ScramSha1,
        "fyko+d2lbbFgONRv9qkxdawL",
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    (
        Mechanism::ScramSha256,
        "rOprNGfwEbeRWgbNEkqO",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
];

#[test]
fn scram_as_in_the_rfcs() {
    for (mechanism, nonce, first, proof, last) in VECTORS {
        let (mut scram, hello) = scram("user", "pencil", mechanism, Gs2::None, nonce).unwrap();
        assert_eq!(text(&hello), format!("n,,n=user,r={nonce}"));
        let answer = scram.challenge(first.as_bytes()).unwrap();
        assert_eq!((text(&answer), &answer.shown), (proof.to_owned(), &Shown::Proof));
        // From the proofs of both sides the password can be guessed: neither is to be seen.
        let hidden: Vec<&[u8]> = answer.hidden.iter().map(Secret::expose).collect();
        assert_eq!(hidden, [proof.rsplit_once("p=").unwrap().1.as_bytes(), &last.as_bytes()[2..]]);
        assert!(!scram.is_proved());
        let end = scram.challenge(last.as_bytes()).unwrap();
        assert!(end.bytes.is_empty() && scram.is_proved());
        assert_eq!(scram.challenge(last.as_bytes()), Err(LoginFailure::OneChallengeTooMany));
    }
}

#[test]
fn a_scram_server_that_breaks_the_rules_is_found_out() {
    let begun = || scram("user", "pencil", Mechanism::ScramSha256, Gs2::None, "abc").unwrap().0;
    let bad = || LoginFailure::BadChallenge(Mechanism::ScramSha256);
    for (first, failure) in [
        ("r=abcd,s=c2FsdA==,i=2147483648", LoginFailure::TooManyIterations(1 << 31)),
        ("r=abcd,s=c2FsdA==,i=99999999999999999", LoginFailure::TooManyIterations(99_999_999_999_999_999)),
        ("r=abcd,s=c2FsdA==,i=1000001", LoginFailure::TooManyIterations(1_000_001)),
        ("r=abc,s=c2FsdA==,i=4096", LoginFailure::ForeignNonce),
        ("r=xabc,s=c2FsdA==,i=4096", LoginFailure::ForeignNonce),
        ("r=,s=c2FsdA==,i=4096", LoginFailure::ForeignNonce),
        ("r=abcd,s=c2FsdA==,i=0", bad()),
        ("r=abcd,s=c2FsdA==,i=-1", bad()),
        ("r=abcd,s=c2FsdA==,i=+1", bad()),
        ("r=abcd,s=c2FsdA==,i=", bad()),
        ("r=abcd,s=,i=4096", bad()),
        ("r=abcd,s=not base64,i=4096", bad()),
        ("m=new,r=abcd,s=c2FsdA==,i=4096", bad()),
        ("r=ab\u{1}cd,s=c2FsdA==,i=4096", bad()),
        ("s=c2FsdA==,r=abcd,i=4096", bad()),
        ("", bad()),
    ] {
        assert_eq!(begun().challenge(first.as_bytes()), Err(failure), "{first}");
    }
    assert_eq!(begun().challenge(b"\xff\xfe"), Err(bad()));
    for (last, failure) in [
        ("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", bad()),
        ("v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", LoginFailure::ServerProofWrong),
        ("v=", LoginFailure::ServerProofWrong),
        ("ok", bad()),
    ] {
        let mut scram = begun();
        scram.challenge(b"r=abcd,s=c2FsdA==,i=1").unwrap();
        assert_eq!(scram.challenge(last.as_bytes()), Err(failure), "{last}");
        assert!(!scram.is_proved());
    }
    // An error is acknowledged, so that the server goes on to refuse; it proves nothing.
    let mut scram = begun();
    scram.challenge(b"r=abcd,s=c2FsdA==,i=1").unwrap();
    assert!(scram.challenge(b"e=invalid-proof").unwrap().bytes.is_empty() && !scram.is_proved());
}

#[test]
fn channel_binding_is_said_and_carried() {
    let binding = ChannelBinding::exporter([7; 32]);
    for (gs2, header, data) in
        [(Gs2::None, "n,,", &[][..]), (Gs2::NotOffered, "y,,", &[]), (Gs2::Bound(binding.clone()), "p=tls-exporter,,", &[7; 32])]
    {
        let (mut scram, hello) = scram("user", "pencil", Mechanism::ScramSha256Plus, gs2, "abc").unwrap();
        assert_eq!(text(&hello), format!("{header}n=user,r=abc"));
        let answer = scram.challenge(b"r=abcd,s=c2FsdA==,i=1").unwrap();
        let carried = BASE64.encode([header.as_bytes(), data].concat());
        assert!(text(&answer).starts_with(&format!("c={carried},r=abcd,p=")), "{}", text(&answer));
    }
    // What is said follows from what is offered, and what there is.
    let user = login("user", "pencil");
    for (mechanism, binding, offered, header) in [
        (Mechanism::ScramSha1, None, false, "n,,"),
        (Mechanism::ScramSha1, None, true, "n,,"),
        (Mechanism::ScramSha1, Some(&binding), false, "y,,"),
        (Mechanism::ScramSha1, Some(&binding), true, "n,,"),
        (Mechanism::ScramSha1Plus, Some(&binding), true, "p=tls-exporter,,"),
    ] {
        let (_, first) = Exchange::begin(&user, mechanism, Channel { binding, offered }).unwrap();
        assert!(text(&first.unwrap()).starts_with(header), "{mechanism} {offered}");
    }
    let unbound = Exchange::begin(&user, Mechanism::ScramSha256Plus, UNBOUND);
    assert_eq!(unbound, Err(LoginFailure::NoBinding(Mechanism::ScramSha256Plus)));
}

#[test]
fn names_and_passwords_are_prepared_for_scram() {
    let nonce = "abc";
    let begin = |user: &str, secret: &str| scram(user, secret, Mechanism::ScramSha1, Gs2::None, nonce).map(|(_, first)| text(&first));
    // RFC 4013 §3, RFC 5802 §5.1.
    for (user, sent) in [("I\u{AD}X", "IX"), ("user", "user"), ("\u{AA}", "a"), ("\u{2168}", "IX"), ("a=b,c", "a=3Db=2Cc")] {
        assert_eq!(begin(user, "pencil"), Ok(format!("n,,n={sent},r={nonce}")), "{user}");
    }
    assert_eq!(begin("\u{627}1", "pencil"), Err(LoginFailure::Unpreparable));
    assert_eq!(begin("user", "\u{627}1"), Err(LoginFailure::Unpreparable));
    // Two ways to write a password are one.
    let proof = |secret: &str| {
        let mut scram = scram("user", secret, Mechanism::ScramSha1, Gs2::None, nonce).unwrap().0;
        text(&scram.challenge(b"r=abcd,s=c2FsdA==,i=1").unwrap())
    };
    assert_eq!(proof("I\u{AD}X"), proof("\u{2168}"));
    assert!(proof("IX") == proof("\u{2168}") && proof("IY") != proof("IX"));
}

#[test]
fn the_other_mechanisms_as_their_documents_have_them() {
    let begin = |user: &str, secret: &str, mechanism| Exchange::begin(&login(user, secret), mechanism, UNBOUND).unwrap();
    let encoded = |response: &Response| String::from_utf8(response.bytes.to_base64().expose().to_vec()).unwrap();

    // RFC 4954 §4.1, with this name and password.
    let (mut plain, first) = begin("weldon", "w3ld0n", Mechanism::Plain);
    let first = first.unwrap();
    assert_eq!((encoded(&first).as_str(), first.shown.to_string().as_str()), ("AHdlbGRvbgB3M2xkMG4=", "<user weldon, password hidden>"));
    assert_eq!(plain.challenge(""), Err(LoginFailure::OneChallengeTooMany));
    assert_eq!(plain.accepted(), Ok(()));

    // Whatever it is asked.
    let (mut steps, first) = begin("weldon", "w3ld0n", Mechanism::Login);
    assert_eq!(first, None);
    let said: Vec<String> = ["VXNlcm5hbWU6", "Password:"].iter().map(|prompt| encoded(&steps.challenge(prompt).unwrap())).collect();
    assert_eq!(said, ["d2VsZG9u", "dzNsZDBu"]);
    assert_eq!(steps.challenge(""), Err(LoginFailure::OneChallengeTooMany));

    // RFC 2195 §2.
    let (mut cram, first) = begin("tim", "tanstaaftanstaaf", Mechanism::CramMd5);
    assert_eq!(first, None);
    let answer = cram.challenge("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+").unwrap();
    assert_eq!(text(&answer), "tim b913a602c7eda7a495b4e6e7334d3890");
    assert_eq!(answer.shown.to_string(), "<user tim, proof hidden>");
    assert_eq!(cram.challenge("PDE4Pg=="), Err(LoginFailure::OneChallengeTooMany));
    for (challenge, failure) in [("", LoginFailure::BadChallenge(Mechanism::CramMd5)), ("<1@x>", LoginFailure::NotBase64)] {
        assert_eq!(begin("tim", "tanstaaf", Mechanism::CramMd5).0.challenge(challenge), Err(failure));
    }

    // Google's "OAuth 2.0 Mechanism".
    let token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
    let (mut xoauth2, first) = begin("someuser@example.com", token, Mechanism::Xoauth2);
    let expected = "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==";
    assert_eq!(encoded(&first.unwrap()), expected);
    assert!(xoauth2.challenge("eyJzdGF0dXMiOiI0MDEifQ==").unwrap().bytes.is_empty());
    assert_eq!(xoauth2.challenge("e30="), Err(LoginFailure::OneChallengeTooMany));

    // RFC 7628 §4, without host and port, which bearer tokens have no use for.
    let (mut bearer, first) = begin("user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", Mechanism::OauthBearer);
    assert_eq!(text(&first.unwrap()), "n,a=user@example.com,\u{1}auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\u{1}\u{1}");
    assert_eq!(encoded(&bearer.challenge("eyJzdGF0dXMiOiI0MDEifQ==").unwrap()), "AQ==");
}

#[test]
fn the_certificate_is_digested_as_its_signature_was() {
    let certificate = |signature: &str| SentCertificate {
        der: b"certificate".to_vec(),
        sha256: String::new(),
        read: Some(Certificate {
            subject: String::new(),
            issuer: String::new(),
            names: Vec::new(),
            common_name: None,
            serial: String::new(),
            key: PublicKey::Dsa,
            signature_algorithm: signature.to_owned(),
            not_before: 0,
            not_after: 0,
            spki_sha256: String::new(),
            issuer_url: None,
        }),
    };
    for (signature, length) in [
        ("sha256WithRSAEncryption", Some(32)),
        ("ecdsa-with-SHA384", Some(48)),
        ("sha512WithRSAEncryption", Some(64)),
        ("sha1WithRSAEncryption", Some(32)),
        ("md5WithRSAEncryption", Some(32)),
        ("Ed25519", None),
        ("rsassaPss", None),
    ] {
        let binding = ChannelBinding::server_end_point(&certificate(signature));
        assert_eq!(binding.as_ref().map(|binding| binding.data().len()), length, "{signature}");
        assert!(binding.is_none_or(|binding| binding.kind() == BindingKind::TlsServerEndPoint));
    }
    let unread = SentCertificate { read: None, ..certificate("") };
    assert_eq!(ChannelBinding::server_end_point(&unread), None);
}

#[test]
fn mechanisms_are_known_by_their_names() {
    for mechanism in Mechanism::ALL {
        assert_eq!(mechanism.as_str().to_lowercase().parse(), Ok(mechanism));
    }
    assert!("NTLM".parse::<Mechanism>().is_err());
}

#[test]
fn what_is_shown_can_be_read_and_nothing_else() {
    let shown = [
        Shown::User("anna".to_owned()),
        Shown::UserAndPassword("a, password hidden".to_owned()),
        Shown::UserAndToken("anna@example.com".to_owned()),
        Shown::UserAndProof("anna".to_owned()),
        Shown::UserAndNonce { user: "anna".to_owned(), nonce: "abc".to_owned(), bound: None },
        Shown::UserAndNonce { user: "a, nonce b".to_owned(), nonce: "abc".to_owned(), bound: Some(BindingKind::TlsServerEndPoint) },
        Shown::Password,
        Shown::Proof,
        Shown::Nothing,
    ];
    let first = |shown: &Shown| LoginLine::Begin { mechanism: Mechanism::ScramSha1, first: Some(shown.clone()) };
    let lines = shown.iter().flat_map(|shown| [LoginLine::Answer(shown.clone()), first(shown)]);
    let others = [LoginLine::Begin { mechanism: Mechanism::Login, first: None }, LoginLine::Cancel];
    for line in lines.chain(others) {
        assert_eq!(LoginLine::read(&line.to_string()), Some(line));
    }
    for line in ["AUTH PLAIN AGFubmEAc2VjcmV0", "AUTH PLAIN <AGFubmEAc2VjcmV0>", "<c2VjcmV0>", "c2VjcmV0", "auth plain", "AUTH", ""] {
        assert_eq!(LoginLine::read(line), None, "{line}");
    }
}

#[test]
fn challenges_are_shown_in_plain() {
    let reply = |text: &str| Reply::parse(text).expect(text);
    for (line, shown, error) in [
        ("334 VXNlcm5hbWU6", Some("Username:"), None),
        ("334 ", None, None),
        ("334 Username:", None, None),
        ("334 //79", None, None),
        ("334 YQ1iCg==", Some("a b"), None),
        ("250 VXNlcm5hbWU6", None, None),
        ("334 ZT1pbnZhbGlkLXByb29m", Some("e=invalid-proof"), Some("invalid-proof")),
        ("334 eyJzdGF0dXMiOiI0MDEifQ==", Some("{\"status\":\"401\"}"), Some("401")),
        ("334 e30=", Some("{}"), None),
    ] {
        assert_eq!(challenge_text(&reply(line)).as_deref(), shown, "{line}");
        assert_eq!(server_error(&reply(line)).map(|error| error.name).as_deref(), error, "{line}");
    }
}

proptest! {
    /// Whatever a server asks, a mechanism answers a few times, or gives up.
    #[test]
    fn no_challenge_is_too_odd(
        which in 0..Mechanism::ALL.len(),
        challenges in prop::collection::vec("(r=[!-~]{0,8},s=[a-zA-Z0-9+/]{0,8}=?,i=[0-9]{0,4})|(v=[a-zA-Z0-9+/=]{0,8})|[ -~]{0,20}|\\PC{0,8}", 8),
        encoded in any::<bool>(),
    ) {
        let binding = ChannelBinding::exporter([1; 32]);
        let channel = Channel { binding: Some(&binding), offered: true };
        let (mut exchange, _) = Exchange::begin(&login("user", "pencil"), Mechanism::ALL[which], channel).expect("it begins");
        let answered = challenges.iter().take_while(|challenge| {
            let text = if encoded { BASE64.encode(challenge) } else { (*challenge).clone() };
            exchange.challenge(&text).is_ok()
        });
        prop_assert!(answered.count() <= 2);
    }
}
