//! What another implementation says of the same senders: policyd-spf, which Postfix asks, with the same answers of the same Unbound.

use std::io::Write as _;
use std::process::Stdio;

use super::lab::Lab;
use super::{loopback, servers};

/// Knows the senders' policies.
const KNOWING: &str = "127.0.0.3";

/// Senders by what is known of them for 192.0.2.25, and what SPF says.
const SENDERS: [(&str, &str); 8] = [
    ("pass.example", "pass"),
    ("fail.example", "fail"),
    ("soft.example", "softfail"),
    ("neutral.example", "neutral"),
    ("none.example", "none"),
    ("including.example", "pass"),
    ("redirecting.example", "fail"),
    ("broken.example", "permerror"),
];

fn open() -> Option<Lab> {
    let lab = loopback::open("policyd", &["unbound", "policyd-spf", "mount"])?;
    let txt = |name: &str, policy: &str| format!("local-data: '{name}. TXT \"{policy}\"'");
    let known = [
        "local-zone: example. static".to_owned(),
        txt("pass.example", "v=spf1 ip4:192.0.2.0/24 -all"),
        txt("fail.example", "v=spf1 ip4:198.51.100.0/24 -all"),
        txt("soft.example", "v=spf1 ~all"),
        txt("neutral.example", "v=spf1 ?all"),
        "local-data: 'none.example. A 192.0.2.1'".to_owned(),
        txt("including.example", "v=spf1 include:pass.example -all"),
        txt("redirecting.example", "v=spf1 redirect=fail.example"),
        txt("broken.example", "v=spf1 ipv4:192.0.2.25 -all"),
    ];
    servers::unbound_at(&lab, KNOWING, &format!("module-config: iterator\n  {}", known.join("\n  ")), "");
    Some(lab)
}

/// What policyd-spf would have Postfix do with mail of `domain` from `address`.
fn policyd(lab: &Lab, domain: &str, address: &str) -> String {
    // It asks whom the system asks, and the namespace has a file system of its own.
    let resolvers = lab.write("policyd/resolv.conf", &format!("nameserver {KNOWING}\n"));
    let rules = "debugLevel = 0\nTestOnly = 1\nHELO_reject = False\nMail_From_reject = Fail\nPermError_reject = True\nskip_addresses = 127.0.0.0/8\n";
    let settings = lab.write("policyd/policyd-spf.conf", rules);
    let covering = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    let mut command = lab.client().command("sh");
    command.args(["-c", covering]).arg(resolvers).arg("policyd-spf").arg(settings);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("policyd-spf starts");
    let asked = format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\ninstance=1.{domain}\nclient_address={address}\n\
         client_name=unknown\nhelo_name=none.example\nsender=shop@{domain}\nrecipient=anna@example.net\n\n"
    );
    child.stdin.take().expect("a pipe").write_all(asked.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).trim().to_lowercase()
}

#[test]
fn policyd_spf_comes_to_the_same_results() {
    let Some(lab) = open() else { return };
    for (domain, expected) in SENDERS {
        let from = format!("shop@{domain}");
        let asked = ["sender", "--from", &from, "--helo", "none.example", "--address", loopback::MX, "--no-dnsbl", "--resolver", KNOWING];
        let ours = lab.probe(&asked);
        assert_eq!(ours.at("/addresses/0/spf/result"), expected, "{domain}");
        let theirs = policyd(&lab, domain, loopback::MX);
        // It refuses, or has a field put before the message that begins with the result.
        let agrees = match expected {
            "fail" => theirs.contains("550 5.7.23") || theirs.contains("received-spf: fail"),
            "permerror" => theirs.contains("permerror") || theirs.contains("permanent error") || theirs.contains("5.7.24"),
            other => theirs.contains(&format!("received-spf: {other}")),
        };
        assert!(agrees, "{domain}: {expected}, and policyd-spf says {theirs:?}");
    }
}
