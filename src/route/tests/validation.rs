//! Validation here, against signed zones on loopback whose server itself says nothing of security.

use std::fs;

use super::signing::Signing;
use super::*;
use crate::settings::Validation;

const HERE: Security = Security::Secure(Validator::Here);
const UNSIGNED: Security = Security::Insecure(Validator::Here);
const UNPROVEN: Security = Security::Unknown(Doubt::Unproven);

const ZONE: &str = "example MX 10 mx.signed.example
    signed.example MX 10 mx.signed.example
    mx.signed.example A 192.0.2.1
    _25._tcp.mx.signed.example TLSA 3 1 1 171
    alias.signed.example CNAME mx.signed.example
    astray.signed.example CNAME mx.unsigned.example
    unsigned.example MX 10 mx.unsigned.example
    mx.unsigned.example A 192.0.2.2";

async fn signed(more: &str) -> (Server, Settings) {
    let signing = Signing::new(&["example", "signed.example"], &["unsigned.example"]);
    let validation = Validation::From(vec![signing.anchor()]);
    let server = Server::start_signed(&format!("{ZONE}\n{more}"), signing).await;
    let settings = Settings { validation, ..asking(&[&server]) };
    (server, settings)
}

async fn security(name: &str, kind: LookupKind, settings: &Settings) -> Security {
    Resolver::new(settings, Clock::start()).lookup(&name.parse().unwrap(), kind).await.security
}

#[tokio::test]
async fn signatures_decide() {
    for (more, name, kind, expected) in [
        ("", "signed.example", LookupKind::Mx, HERE),
        ("", "mx.signed.example", LookupKind::A, HERE),
        ("", "mx.signed.example", LookupKind::Aaaa, HERE),
        ("", "alias.signed.example", LookupKind::A, HERE),
        ("", "_25._tcp.mx.signed.example", LookupKind::Tlsa, HERE),
        ("", "unsigned.example", LookupKind::Mx, UNSIGNED),
        ("", "mx.unsigned.example", LookupKind::A, UNSIGNED),
        ("", "mx.unsigned.example", LookupKind::Aaaa, UNSIGNED),
        ("", "astray.signed.example", LookupKind::A, UNSIGNED),
        // Whatever does not hold is not called bogus here, and is not secure.
        ("mx.signed.example A @expired", "mx.signed.example", LookupKind::A, UNPROVEN),
        ("mx.signed.example A @early", "mx.signed.example", LookupKind::A, UNPROVEN),
        ("mx.signed.example A @forged", "mx.signed.example", LookupKind::A, UNPROVEN),
        ("mx.signed.example A @stripped", "mx.signed.example", LookupKind::A, UNPROVEN),
        ("mx.signed.example AAAA @stripped", "mx.signed.example", LookupKind::Aaaa, UNPROVEN),
        // A key that the DS record vouches for needs no signature by itself: hickory takes it although that one has run out.
        ("signed.example DNSKEY @expired", "mx.signed.example", LookupKind::A, HERE),
        ("signed.example DNSKEY @code 2", "mx.signed.example", LookupKind::A, UNPROVEN),
        ("signed.example DS @forged", "mx.signed.example", LookupKind::A, UNPROVEN),
        // Nor is an unsigned zone insecure if that is not proven.
        ("unsigned.example DS @stripped", "mx.unsigned.example", LookupKind::A, UNPROVEN),
        // No answer is no answer.
        ("mx.signed.example A @code 5", "mx.signed.example", LookupKind::A, Security::Unknown(Doubt::NoAnswer)),
        // The word of a resolver that is trusted counts where validation here comes to no end.
        (
            "mx.signed.example A @ad\nsigned.example DNSKEY @code 2",
            "mx.signed.example",
            LookupKind::A,
            Security::Secure(Validator::Resolver),
        ),
    ] {
        let (_server, settings) = signed(more).await;
        assert_eq!(security(name, kind, &settings).await, expected, "{} {name} {more}", kind.as_str());
    }
}

#[tokio::test]
async fn another_key_proves_nothing() {
    let (server, _) = signed("").await;
    for validation in [Validation::From(vec![Signing::new(&["example"], &[]).anchor()]), Validation::FromRoot, Validation::From(Vec::new())]
    {
        let settings = Settings { validation, ..asking(&[&server]) };
        assert_eq!(security("mx.signed.example", LookupKind::A, &settings).await, UNPROVEN, "{:?}", settings.validation);
    }
}

#[tokio::test]
async fn a_chain_is_asked_for_once_and_only_by_whoever_wants_it() {
    let (server, settings) = signed("").await;
    let found = route("signed.example", &settings).await;
    assert_eq!((found.security, found.lookups.len()), (HERE, 3));
    let mut chain: Vec<String> = server.asked().into_iter().filter(|asked| asked.contains("DNSKEY") || asked.contains(" DS ")).collect();
    chain.sort();
    assert_eq!(chain, ["udp DNSKEY example", "udp DNSKEY signed.example", "udp DS signed.example"]);

    let (server, _) = signed("").await;
    route("signed.example", &asking(&[&server])).await;
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_file_of_anchors_is_read_or_told_why_not() {
    let folder = std::env::temp_dir().join(format!("smtpprobe-anchors-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("anchors");
    let read = |text: &str| {
        fs::write(&file, text).unwrap();
        read_anchors(&file)
    };
    let key = "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=";
    let written = format!("; autotrust\n. 86400 IN DNSKEY 257 3 15 {key} ;;state=2\nexample. IN DNSKEY 257 3 15 {key}\n");
    let Ok(Validation::From(anchors)) = read(&written) else { panic!("{:?}", read(&written)) };
    assert_eq!(
        anchors.iter().map(|anchor| (anchor.zone.as_str(), anchor.algorithm, anchor.key.len())).collect::<Vec<_>>(),
        [(".", 15, 32), ("example.", 15, 32)]
    );
    for (text, words) in [
        (String::new(), "holds no DNSKEY record"),
        ("; nothing\n".to_owned(), "holds no DNSKEY record"),
        // Revoked.
        (format!(". IN DNSKEY 385 3 15 {key}\n"), "holds no DNSKEY record"),
        (". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n".to_owned(), "DNSKEY"),
        (". IN DNSKEY 257 3 15 !!!\n".to_owned(), "is no file of DNSKEY records"),
        (". IN DNSKEY 257\n".to_owned(), "is no file of DNSKEY records"),
        ("-----BEGIN CERTIFICATE-----\n".to_owned(), "is no file of DNSKEY records"),
    ] {
        let error = read(&text).expect_err(&text).to_string();
        assert!(error.contains(words) && error.contains("anchors"), "{text:?}: {error}");
    }
    let error = read_anchors(&folder.join("missing")).unwrap_err().to_string();
    assert!(error.contains("missing cannot be read: No such file"), "{error}");
    assert!(read_anchors(&folder).unwrap_err().to_string().contains("cannot be read"));
    fs::write(&file, [0xff, 0xfe]).unwrap();
    assert!(read_anchors(&file).unwrap_err().to_string().contains("cannot be read"));
    fs::remove_dir_all(&folder).unwrap();
}
