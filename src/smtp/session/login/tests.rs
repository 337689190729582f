//! Logins as tables: what is offered and answered, against what is said, shown and concluded.

use super::super::tests::{account, ask, dialogue, hold};
use super::*;
use crate::smtp::{Dialogue, Elapsed, Event, Flaw, TlsUse, Transcript};

const SECRET: &str = "tanstaaftanstaaf";
const TLS: &str = "<tls>";

fn login() -> Login {
    Login::new("tim", Secret::from(SECRET.to_owned())).expect("a login")
}

/// From the first byte inside TLS; what the server does, beginning with the handshake. Gives the transcript and the secret lines.
fn logged(login: Login, until: Stage, server: &[&str]) -> (Transcript, Vec<String>) {
    let dialogue = Dialogue { tls: TlsUse::Implicit, login: Some(login), ..dialogue(until) };
    let mut session = Session::new(dialogue, Elapsed::default());
    session.enqueue(ask(&["anna@example.com"]));
    let secrets = hold(&mut session, server);
    let shown = format!("{session:?}");
    let transcript = session.into_transcript();
    for shown in [shown, format!("{transcript:?}")] {
        for secret in [SECRET, "dGFuc3RhYWZ0YW5zdGFhZ", "Rhbn", "YW5zdGFhZnRhb", "b913a602c7eda7a495b4e6e7334d3890"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
    (transcript, secrets)
}

/// After EHLO, which offers `mechanisms`: what was said and answered, and the secret lines.
fn exchange(login: Login, mechanisms: &str, server: &[&str]) -> (Vec<String>, Vec<String>) {
    let offer = format!("250-hi|250 AUTH {mechanisms}|");
    let acts: Vec<&str> = [TLS, "220 hi|", &offer].into_iter().chain(server.iter().copied()).collect();
    let (transcript, secrets) = logged(login, Stage::Auth, &acts);
    (account(&transcript).split_off(4), secrets)
}

#[test]
fn the_strongest_that_is_offered_is_taken() {
    for (offered, said) in [
        ("LOGIN PLAIN", "-> AUTH PLAIN <user tim, password hidden>"),
        ("LOGIN", "-> AUTH LOGIN"),
        ("plain login cram-md5", "-> AUTH CRAM-MD5"),
        ("PLAIN CRAM-MD5 SCRAM-SHA-1", "-> AUTH SCRAM-SHA-1 <user tim, nonce "),
        ("SCRAM-SHA-1 SCRAM-SHA-256 GSSAPI", "-> AUTH SCRAM-SHA-256 <user tim, nonce "),
        // Nothing is there to bind to.
        ("SCRAM-SHA-256-PLUS SCRAM-SHA-1", "-> AUTH SCRAM-SHA-1 <user tim, nonce "),
        ("XOAUTH2 OAUTHBEARER LOGIN", "-> AUTH LOGIN"),
    ] {
        let (told, _) = exchange(login(), offered, &["535 no|", "221 bye|"]);
        assert!(told[0].starts_with(said), "{offered}: {told:?}");
    }
    for (mechanism, offered, said) in [
        (Mechanism::Plain, "PLAIN SCRAM-SHA-256", "-> AUTH PLAIN <user tim, password hidden>"),
        (Mechanism::Xoauth2, "XOAUTH2", "-> AUTH XOAUTH2 <user tim, token hidden>"),
        (Mechanism::OauthBearer, "OAUTHBEARER", "-> AUTH OAUTHBEARER <user tim, token hidden>"),
    ] {
        let (told, _) = exchange(login().by(mechanism), offered, &["535 no|", "221 bye|"]);
        assert_eq!(told[..2], [said, "<- 535 to AUTH"], "{offered}");
    }
}

#[test]
fn what_is_written_is_not_what_is_shown() {
    let (told, written) = exchange(login(), "PLAIN", &["235 ok|", "221 bye|"]);
    assert_eq!(told, ["-> AUTH PLAIN <user tim, password hidden>", "<- 235 to AUTH", "-> QUIT", "<- 221 to QUIT"]);
    assert_eq!(written, ["AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"]);

    let (told, written) = exchange(login(), "LOGIN", &["334 VXNlcm5hbWU6|", "334 UGFzc3dvcmQ6|", "235 ok|", "221 bye|"]);
    let shown = ["-> AUTH LOGIN", "<- 334 to AUTH", "-> <user tim>", "<- 334 to AUTH", "-> <password hidden>", "<- 235 to AUTH", "-> QUIT"];
    assert_eq!(
        (&told[..7], written.as_slice()),
        (&shown.map(str::to_owned)[..], &["AUTH LOGIN\r\n", "dGlt\r\n", "dGFuc3RhYWZ0YW5zdGFhZg==\r\n"].map(str::to_owned)[..])
    );

    // RFC 2195 §2.
    let challenge = "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+|";
    let (told, written) = exchange(login(), "CRAM-MD5", &[challenge, "235 ok|", "221 bye|"]);
    assert_eq!(told[..4], ["-> AUTH CRAM-MD5", "<- 334 to AUTH", "-> <user tim, proof hidden>", "<- 235 to AUTH"]);
    assert_eq!(written[1], "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n");
}

#[test]
fn a_first_response_that_is_too_long_for_a_command_waits() {
    let token = "t".repeat(600);
    let login = Login::new("tim", Secret::from(token)).unwrap().by(Mechanism::Xoauth2);
    let (told, written) = exchange(login, "XOAUTH2", &["334 |", "235 ok|", "221 bye|"]);
    assert_eq!(told[..4], ["-> AUTH XOAUTH2", "<- 334 to AUTH", "-> <user tim, token hidden>", "<- 235 to AUTH"]);
    assert_eq!((written[0].as_str(), written[1].len() > 600), ("AUTH XOAUTH2\r\n", true));
}

#[test]
fn no_secret_leaves_for_whom_it_may_not() {
    let plain = "250-hi|250 AUTH PLAIN|";
    for (server, over, expected) in [
        (&["<untrusted>", "220 hi|", plain, "221 bye|"][..], LoginOver::TrustedTls, Err(LoginFailure::Untrusted)),
        (&["<untrusted>", "220 hi|", plain, "235 ok|", "221 bye|"], LoginOver::Anything, Ok(())),
        (&[TLS, "220 hi|", "250 hi|", "221 bye|"], LoginOver::TrustedTls, Err(LoginFailure::NotOffered)),
        (
            &[TLS, "220 hi|", "250-hi|250 AUTH GSSAPI NTLM|", "221 bye|"],
            LoginOver::TrustedTls,
            Err(LoginFailure::NoCommonMechanism("GSSAPI NTLM".to_owned())),
        ),
        (
            &[TLS, "220 hi|", "250-hi|250 AUTH XOAUTH2|", "221 bye|"],
            LoginOver::TrustedTls,
            Err(LoginFailure::NoCommonMechanism("XOAUTH2".to_owned())),
        ),
    ] {
        let (transcript, written) = logged(login().over(over), Stage::Rcpt, server);
        let failure = transcript.failure().map(|(_, stage, failure)| (stage, failure.kind.clone()));
        match expected {
            Ok(()) => assert!(failure.is_none() && written.len() == 1, "{failure:?}"),
            Err(why) => {
                assert_eq!((failure, written.len()), (Some((Stage::Auth, FailureKind::Login(why))), 0));
                // It says good-bye, and asks nothing.
                assert_eq!(account(&transcript).last().map(String::as_str), Some("<- 221 to QUIT"));
            }
        }
    }
    let wanted = login().by(Mechanism::ScramSha1Plus);
    let (transcript, _) = logged(wanted.clone(), Stage::Auth, &[TLS, "220 hi|", "250-hi|250 AUTH SCRAM-SHA-1-PLUS|", "221 bye|"]);
    let kind = FailureKind::Login(LoginFailure::NoBinding(Mechanism::ScramSha1Plus));
    assert_eq!(transcript.failure().map(|(_, _, failure)| &failure.kind), Some(&kind));
    let (transcript, _) = logged(wanted, Stage::Auth, &[TLS, "220 hi|", plain, "221 bye|"]);
    let kind = FailureKind::Login(LoginFailure::MechanismNotOffered(Mechanism::ScramSha1Plus));
    assert_eq!(transcript.failure().map(|(_, _, failure)| &failure.kind), Some(&kind));
}

#[test]
fn in_the_clear_nothing_is_said_unless_it_may_be() {
    let server = ["220 hi|", "250-hi|250 AUTH PLAIN|", "235 ok|", "221 bye|"];
    for (over, secrets) in [(LoginOver::TrustedTls, 0), (LoginOver::Anything, 1)] {
        let login = Some(login().over(over));
        let mut session = Session::new(Dialogue { login, ..dialogue(Stage::Auth) }, Elapsed::default());
        assert_eq!(hold(&mut session, &server).len(), secrets);
        let failed = session.transcript().failure().map(|(_, _, failure)| failure.kind.clone());
        assert_eq!(failed, (secrets == 0).then_some(FailureKind::Login(LoginFailure::NotEncrypted)));
    }
    // What was offered before TLS does not count inside it, and a dialogue that ends before it asks for nothing.
    let login = Some(login());
    let mut session = Session::new(Dialogue { login: login.clone(), ..dialogue(Stage::Auth) }, Elapsed::default());
    hold(&mut session, &["220 hi|", "250-hi|250-AUTH PLAIN|250 STARTTLS|", "220 go|", TLS, "250 hi|", "221 bye|"]);
    let kind = FailureKind::Login(LoginFailure::NotOffered);
    assert_eq!(session.transcript().failure().map(|(_, _, failure)| &failure.kind), Some(&kind));
    let mut session = Session::new(Dialogue { login, ..dialogue(Stage::Ehlo) }, Elapsed::default());
    assert!(hold(&mut session, &server).is_empty());
}

#[test]
fn a_mechanism_that_is_refused_is_followed_by_the_next_and_a_password_is_not() {
    let all = "PLAIN LOGIN CRAM-MD5";
    let challenge = "334 PDE4OTZAeD4=|";
    for (server, said) in [
        // Refused as such.
        (&["504 no such thing|", "235 ok|", "221 bye|"][..], "AUTH CRAM-MD5, 504, AUTH PLAIN <user tim, password hidden>, 235, QUIT, 221"),
        (&["534 too weak|", "535 no|", "221 bye|"], "AUTH CRAM-MD5, 534, AUTH PLAIN <user tim, password hidden>, 535, QUIT, 221"),
        // All of them.
        (
            &["504 no|", "504 no|", "504 no|", "221 bye|"],
            "AUTH CRAM-MD5, 504, AUTH PLAIN <user tim, password hidden>, 504, AUTH LOGIN, 504, QUIT, 221",
        ),
        // The password was judged.
        (&[challenge, "535 no|", "221 bye|"], "AUTH CRAM-MD5, 334, <user tim, proof hidden>, 535, QUIT, 221"),
        (&[challenge, "534 app password|", "221 bye|"], "AUTH CRAM-MD5, 334, <user tim, proof hidden>, 534, QUIT, 221"),
        (&[challenge, "454 later|", "221 bye|"], "AUTH CRAM-MD5, 334, <user tim, proof hidden>, 454, QUIT, 221"),
        (&["432 transition|", "221 bye|"], "AUTH CRAM-MD5, 432, QUIT, 221"),
        (&["421 bye|"], "AUTH CRAM-MD5, 421"),
    ] {
        let (told, _) = exchange(login(), all, server);
        let told: Vec<&str> = told.iter().map(|line| line[3..].split(" to ").next().unwrap_or_default()).collect();
        assert_eq!(told.join(", "), said);
    }
    let wanted = login().by(Mechanism::CramMd5);
    let (told, _) = exchange(wanted, all, &["504 no|", "221 bye|"]);
    assert_eq!(told, ["-> AUTH CRAM-MD5", "<- 504 to AUTH", "-> QUIT", "<- 221 to QUIT"]);
}

#[test]
fn a_login_that_goes_wrong_is_cancelled() {
    for (offered, server, failure) in [
        ("CRAM-MD5", &["334 <1@x>|"][..], LoginFailure::NotBase64),
        ("CRAM-MD5", &["334 PDE4OTZAeD4=|", "334 PDE4OTZAeD4=|"], LoginFailure::OneChallengeTooMany),
        ("LOGIN", &["334 |", "334 |", "334 |"], LoginFailure::OneChallengeTooMany),
        ("PLAIN", &["334 |"], LoginFailure::OneChallengeTooMany),
        ("SCRAM-SHA-1", &["334 cj1hYmNkLHM9YzJGc2RBPT0saT00MDk2|"], LoginFailure::ForeignNonce),
        ("SCRAM-SHA-256", &["334 Zm9v|"], LoginFailure::BadChallenge(Mechanism::ScramSha256)),
    ] {
        let acts: Vec<&str> = server.iter().copied().chain(["501 cancelled|", "221 bye|"]).collect();
        let (told, written) = exchange(login(), offered, &acts);
        let end = told.len() - 5;
        let expected = [format!("!! auth {:?}", FailureKind::Login(failure)), "-> *".to_owned(), "<- 501 to AUTH".to_owned()];
        assert_eq!((&told[end..end + 3], written.last().map(String::as_str)), (&expected[..], Some("*\r\n")), "{offered}");
        assert_eq!(told[end + 3..], ["-> QUIT", "<- 221 to QUIT"]);
    }
    // A server that does not even obey that is left.
    let (told, _) = exchange(login(), "PLAIN", &["334 |", "334 |", "221 bye|"]);
    assert_eq!(told[told.len() - 4..], ["-> *", "<- 334 to AUTH", "-> QUIT", "<- 221 to QUIT"]);
    // A yes to SCRAM counts only with the server's proof.
    let (told, _) = exchange(login(), "SCRAM-SHA-1", &["235 ok|", "221 bye|"]);
    assert_eq!(told[1..3], ["<- 235 to AUTH".to_owned(), format!("!! auth {:?}", FailureKind::Login(LoginFailure::ServerProofMissing))]);
}

#[test]
fn where_a_password_is_waited_for_nothing_else_is_said() {
    for act in ["<silence>", "<stop>", "<closes>"] {
        let (told, _) = exchange(login(), "LOGIN", &["334 |", act]);
        assert!(told.last().is_some_and(|last| last.starts_with("!! auth")), "{act}: {told:?}");
    }
}

#[test]
fn after_the_login_the_session_goes_on() {
    let server = [TLS, "220 hi|", "250-hi|250 AUTH PLAIN|", "235 ok|", "250 ok|", "250 ok|", "221 bye|"];
    let (transcript, _) = logged(login(), Stage::Rcpt, &server);
    let told = account(&transcript);
    assert_eq!(told[4..8], ["-> AUTH PLAIN <user tim, password hidden>", "<- 235 to AUTH", "-> MAIL FROM:<>", "<- 250 to MAIL"]);
    assert_eq!(transcript.reached, Some(Stage::Rcpt));
    // Where there was none, nothing is asked, not even what comes up later.
    let dialogue = Dialogue { tls: TlsUse::Implicit, login: Some(login()), ..dialogue(Stage::Rcpt) };
    let mut session = Session::new(dialogue, Elapsed::default());
    hold(&mut session, &[TLS, "220 hi|", "250-hi|250 AUTH PLAIN|", "535 no|", "221 bye|"]);
    session.enqueue(ask(&["anna@example.com"]));
    assert_eq!(session.need(), Need::Close);
    assert!(session.transcript().reached < Some(Stage::Auth));
}

#[test]
fn a_server_that_repeats_the_secret_is_not_quoted() {
    let challenge = "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+|";
    for (offered, server, left, repeated) in [
        ("PLAIN", &["535-bad password tanstaaftanstaaf|535 5.7.8 (TANSTAAFTANSTAAF)|"][..], "bad password *** (***)", true),
        ("PLAIN", &["535 5.7.8 got AHRpbQB0YW5zdGFhZnRhbnN0YWFm|"], "got ***", true),
        ("PLAIN", &["535 dGFuc3RhYWZ0YW5zdGFhZg|"], "***", true),
        // What the password can be guessed from.
        ("CRAM-MD5", &[challenge, "535 no b913a602c7eda7a495b4e6e7334d3890|"], "no ***", false),
        ("CRAM-MD5", &[challenge, "501 dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw|"], "***", false),
        ("PLAIN", &["535 5.7.8 no|"], "no", false),
    ] {
        let offer = format!("250-hi|250 AUTH {offered}|");
        let acts: Vec<&str> = [TLS, "220 hi|", &offer].into_iter().chain(server.iter().copied()).chain(["221 bye|"]).collect();
        let (transcript, _) = logged(login(), Stage::Auth, &acts);
        let reply = transcript.replies().rfind(|answer| answer.verb == crate::smtp::Verb::Auth).unwrap().reply;
        assert_eq!((reply.text().as_str(), reply.flaws.contains(&Flaw::RepeatsPassword)), (left, repeated));
        assert!(!String::from_utf8_lossy(&reply.raw).contains("anstaa"));
    }
    // Nor is one that answers nothing, and comes in pieces; nor a later reply.
    let server =
        [TLS, "220 hi|", "250-hi|250 AUTH PLAIN|", "235 ok|tanstaaf", "tanstaaf|", "550 5.7.1 not you, tanstaaftanstaaf|", "221 bye|"];
    let (transcript, _) = logged(login(), Stage::Rcpt, &server);
    let shown: Vec<String> = transcript
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Premature { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
            Event::Received { reply, .. } => Some(reply.text()),
            _ => None,
        })
        .collect();
    assert!(shown.iter().any(|text| text == "not you, ***"), "{shown:?}");
}

#[test]
fn what_stands_in_a_word_by_chance_is_no_repetition() {
    let login = Login::new("tim", Secret::from("x".to_owned())).expect("a login");
    let dialogue = Dialogue { tls: TlsUse::Implicit, login: Some(login), ..dialogue(Stage::Auth) };
    let mut session = Session::new(dialogue, Elapsed::default());
    hold(&mut session, &[TLS, "220 mx.example.com|", "250-hi|250 AUTH PLAIN|", "535 5.7.8 no, example|", "221 bye|"]);
    let replies: Vec<(String, bool)> =
        session.transcript().replies().map(|answer| (answer.reply.text(), answer.reply.flaws.contains(&Flaw::RepeatsPassword))).collect();
    // Nobody could repeat it before it was sent; after that it is hidden all the same.
    assert_eq!((replies[0].0.as_str(), replies[2].0.as_str()), ("mx.example.com", "***"));
    assert!(replies.iter().all(|(_, repeated)| !repeated), "{replies:?}");
}
