//! Mail servers whose TLS is old or weak: how a handshake with them fails.

use super::lab::Lab;
use super::loopback::{self, MX};
use super::probed::Probed;
use super::servers;

/// The ports of Postfix with less than it can do: its settings, the alert that it sends to clients of today, and what it would
/// choose.
///
/// OpenSSL of today has to be told to take what is no longer safe (`@SECLEVEL=0`); 3DES and RC4 it has not learnt at all.
const OLD: [(u16, &str, &str, &str); 5] = [
    (2501, "-o smtpd_tls_protocols=TLSv1 -o tls_medium_cipherlist=ALL:@SECLEVEL=0", "protocol_version", "TLS 1.0 old_version cbc"),
    (2502, "-o smtpd_tls_protocols=TLSv1.1 -o tls_medium_cipherlist=ALL:@SECLEVEL=0", "protocol_version", "TLS 1.1 old_version cbc"),
    (2503, "-o smtpd_tls_protocols=TLSv1.2 -o tls_medium_cipherlist=AES128-SHA", "handshake_failure", "TLS 1.2 rsa_key_exchange cbc"),
    (2504, "-o smtpd_tls_protocols=TLSv1.2 -o tls_medium_cipherlist=kDHE", "handshake_failure", "TLS 1.2 finite_field"),
    (
        2505,
        "-o smtpd_tls_protocols=TLSv1.2 -o tls_medium_cipherlist=aNULL:@SECLEVEL=0 -o smtpd_tls_cert_file=none",
        "handshake_failure",
        "TLS 1.2 anonymous",
    ),
];
/// The first of them without STARTTLS: TLS comes first.
const OLD_AT_ONCE: u16 = 2565;
/// Where all is well but for a key that is too short.
const SHORT: u16 = 2525;

/// A lab with Postfix at these ports.
fn open(title: &str) -> Option<Lab> {
    let lab = loopback::open(title, &["postfix", "openssl"])?;
    let key = lab.path("tls/short").display().to_string();
    // There TLS counts as mandatory, for which versions are set apart.
    let at_once = format!("{} -o smtpd_tls_wrappermode=yes -o smtpd_tls_mandatory_protocols=TLSv1", OLD[0].1);
    let short = format!("-o smtpd_tls_cert_file={key}.pem -o smtpd_tls_key_file={key}-key.pem -o tls_medium_cipherlist=ALL:@SECLEVEL=0");
    let all = OLD.iter().map(|(port, settings, ..)| (*port, *settings)).chain([(OLD_AT_ONCE, &*at_once), (SHORT, &short)]);
    let services: Vec<String> = all.map(|(port, settings)| format!("{MX}:{port} inet n - n - - smtpd {settings}\n")).collect();
    servers::postfix_and(&lab, &services.concat());
    servers::certify(&lab, "short", "rsa:1024", &["mx.short.test"]);
    Some(lab)
}

fn probe(lab: &Lab, port: u16, arguments: &[&str]) -> Probed {
    lab.probe(&[&["--until", "starttls", &format!("{MX}:{port}")], arguments].concat())
}

#[test]
fn old_tls_fails_by_its_alert_and_a_short_key_by_its_length() {
    let Some(lab) = open("old") else { return };
    for (port, settings, alert, chosen) in OLD {
        // Who takes TLS only if it can be had, goes on in the clear; who insists, does not.
        let old = probe(&lab, port, &[]);
        old.ends(0, "accepted accepted").finds("tls_too_old").finds("sent_in_clear").is_delivered("opportunistic", "clear");
        probe(&lab, port, &["--tls", "require"]).ends(4, "unreachable tls_too_old").finds("tls_too_old");
        assert_eq!(old.exchange(0), format!("220 EHLO 250 STARTTLS 220 (the server sent the TLS alert {alert})"), "{settings}");
        let survey = old.sessions(Some("old_tls"))[0]["old_tls"].clone();
        let flaws = survey["flaws"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        let told = survey["version"].as_str().into_iter().chain(flaws).collect::<Vec<_>>().join(" ");
        assert!(told.starts_with(chosen), "{settings}: {told}");
    }
    let at_once = probe(&lab, OLD_AT_ONCE, &["--tls", "implicit"]);
    at_once.ends(4, "unreachable tls_too_old").finds("tls_too_old");
    assert_eq!(at_once.exchange(0), "(the server sent the TLS alert protocol_version)");

    let short = probe(&lab, SHORT, &[]);
    short.ends(0, "accepted accepted").finds("certificate_unverified");
    assert_eq!(short.at("/sessions/0/certificate/key/bits"), 1024);
    let mut reasons = short.at("/sessions/0/certificate/reasons").as_array().into_iter().flatten();
    assert!(reasons.any(|reason| reason["kind"] == "weak_key"), "{}", short.report);
}
