//! The policies that domains publish for those who send them mail, fetched from nginx (RFC 8461), and where to report (RFC 8460).

use std::fmt::Write as _;

use super::lab::Lab;
use super::loopback::{self, MX, SLOW};
use super::probed::Probed;
use super::servers::{self, AUTHORITY};

/// The mail host of most domains here is listed, or is not.
const LISTED: &str = "version: STSv1\nmode: enforce\nmx: mx.real.test\nmax_age: 86400\n";
const UNLISTED: &str = "version: STSv1\nmode: enforce\nmx: mx.other.test\nmax_age: 86400\n";
const TESTING: &str = "version: STSv1\nmode: testing\nmx: mx.other.test\nmax_age: 86400\n";
const STRANGER: &str = "version: STSv1\nmode: enforce\nmx: *.stranger.test\nmax_age: 86400\n";
const VERSIONLESS: &str = "mode: enforce\nmx: mx.real.test\nmax_age: 86400\n";

/// The domains under `test`, and the policy that lies in its place; none if there is nothing.
const DOMAINS: [(&str, Option<&str>); 11] = [
    ("enforced", Some(LISTED)),
    ("unlisted", Some(UNLISTED)),
    ("testing", Some(TESTING)),
    ("stranger", Some(STRANGER)),
    ("versionless", Some(VERSIONLESS)),
    ("missing", None),
    ("moved", None),
    ("huge", Some(LISTED)),
    ("misnamed", Some(LISTED)),
    ("refused", Some(LISTED)),
    ("twice", Some(LISTED)),
];

/// Makes a lab with Postfix, nginx and Unbound.
fn open(title: &str) -> Option<Lab> {
    let lab = loopback::open(title, &["postfix", "openssl", "unbound", "nginx"])?;
    servers::unbound_with(&lab, &zone());
    servers::postfix(&lab);

    let hosts = DOMAINS.map(|(name, _)| format!("mta-sts.{name}.test"));
    let certified: Vec<&str> = hosts.iter().map(String::as_str).filter(|host| !host.contains("misnamed")).collect();
    servers::certify(&lab, "https", "rsa:2048", &certified);
    for (host, (name, policy)) in hosts.iter().zip(DOMAINS) {
        // More than 64 KiB is no policy's length.
        let rest = if name == "huge" { "x: y\n".repeat(14_000) } else { String::new() };
        if let Some(policy) = policy {
            lab.write(&format!("https/{host}/.well-known/mta-sts.txt"), &format!("{policy}{rest}"));
        }
    }
    nginx(&lab);
    Some(lab)
}

/// The policy host of `refused` is there, but nothing listens; the mail host of `stranger` is not named in its certificate.
fn zone() -> String {
    let mut zone = format!("mx.real A {MX}\nmx.stranger A {MX}\n");
    for (name, _) in DOMAINS {
        let (mail_host, policy_host) = match name {
            "stranger" => ("mx.stranger", MX),
            "refused" => ("mx.real", SLOW),
            _ => ("mx.real", MX),
        };
        let _ = write!(zone, "{name} MX 10 {mail_host}\nmta-sts.{name} A {policy_host}\n_mta-sts.{name} TXT \"v=STSv1; id=1;\"\n");
    }
    zone + "_mta-sts.twice TXT \"v=STSv1; id=2;\"\n\
            _smtp._tls.enforced TXT \"v=TLSRPTv1; rua=mailto:reports@real.test\"\n\
            _smtp._tls.unlisted TXT \"v=TLSRPTv1; rua=reports@real.test\"\n"
}

/// Starts nginx with a folder for each host.
fn nginx(lab: &Lab) {
    let settings = "\
daemon off;
user root;
pid @/https/pid;
events {}
http {
  access_log off;
  default_type text/plain;
  ssl_certificate @/tls/https.pem;
  ssl_certificate_key @/tls/https-key.pem;
  server {
    listen ADDRESS:443 ssl;
    root @/https/$host;
  }
  server {
    listen ADDRESS:443 ssl;
    server_name mta-sts.moved.test;
    return 301 https://mta-sts.enforced.test$request_uri;
  }
}
";
    let settings = settings.replace('@', lab.path("").display().to_string().trim_end_matches('/')).replace("ADDRESS", MX);
    let settings = lab.write("nginx.conf", &settings);
    lab.serve("nginx", &["-e", "stderr", "-c", &settings.display().to_string()], &format!("{MX}:443"));
}

fn probe(lab: &Lab, domain: &str) -> Probed {
    let authority = lab.path(AUTHORITY).display().to_string();
    lab.probe(&["--resolver", "127.0.0.1", "--tls-ca", &authority, &format!("{domain}.test")])
}

#[test]
fn policies_are_fetched_and_hosts_held_against_them() {
    let Some(lab) = open("mta-sts") else { return };
    for (domain, findings, delivery) in [
        ("enforced", "", "authenticated"),
        ("unlisted", "mta_sts_host_unlisted", "defers"),
        ("testing", "mta_sts_testing_unmet", "encrypted"),
        ("stranger", "mta_sts_certificate", "defers"),
        ("versionless", "mta_sts_policy_invalid", "encrypted"),
        ("missing", "mta_sts_fetch_failed", "encrypted"),
        ("moved", "mta_sts_fetch_failed", "encrypted"),
        ("huge", "mta_sts_fetch_failed", "encrypted"),
        ("misnamed", "mta_sts_fetch_failed", "encrypted"),
        ("refused", "mta_sts_fetch_failed", "encrypted"),
        ("twice", "mta_sts_record_invalid", "encrypted"),
    ] {
        let probed = probe(&lab, domain);
        probed.finds_of("mta_sts_", findings).is_delivered("mta_sts", delivery).is_delivered("opportunistic", "encrypted");
    }

    let enforced = probe(&lab, "enforced");
    assert_eq!(enforced.at("/route/mta_sts/id"), "1");
    assert_eq!(enforced.at("/route/mta_sts/mode"), "enforce");
    assert_eq!(enforced.at("/route/mta_sts/max_age"), 86400);
    assert_eq!(enforced.at("/route/mta_sts/mx"), &serde_json::json!(["mx.real.test"]));
    enforced.finds_of("tls_rpt_", "");
    assert!(enforced.at("/route/tls_rpt").is_object(), "{}", enforced.report);
    probe(&lab, "unlisted").finds_of("tls_rpt_", "tls_rpt_invalid");
    assert_eq!(probe(&lab, "testing").at("/route/mta_sts/mode"), "testing");
    assert!(probe(&lab, "versionless").at("/route/mta_sts/errors").as_array().is_some_and(|errors| !errors.is_empty()));
}
