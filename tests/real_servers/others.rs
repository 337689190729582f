//! What other programs find that look at the same host in the same lab: Postfix' own, and OpenSSL's.

use std::process::Command;

use super::lab::Lab;

/// The word that Postfix has for the TLS that it would send mail to `domain` with, if it honours DANE: `Verified`, `Trusted`, or
/// `Untrusted`; `none` if it would not get that far. It asks `resolver`.
///
/// `Trusted` is a host that its records prove to be the one meant, where nothing proves that this host was meant.
pub(crate) fn posttls_finger(lab: &Lab, resolver: &str, domain: &str) -> String {
    // Postfix asks whom the system asks. Namespaces have file systems of their own, too: this covers a file of the namespace's alone.
    let resolvers = lab.write(&format!("resolv.conf/{resolver}"), &format!("nameserver {resolver}\n"));
    let covering = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    let mut finger = lab.client().command("sh");
    finger.args(["-c", covering]).arg(resolvers).args(["posttls-finger", "-c", "-l", "dane", "-L", "summary", domain]);
    let said = output(finger.env("MAIL_CONFIG", lab.path("postfix")));
    let established = said.lines().find_map(|line| line.split_once(" TLS connection established"));
    let Some((before, _)) = established else {
        // Of a server that offers no TLS it says nothing.
        assert!(said.is_empty() || said.contains("lookup"), "posttls-finger {domain}: {said}");
        return "none".to_owned();
    };
    before.rsplit(' ').next().unwrap_or(before).to_owned()
}

/// Whether OpenSSL finds the host at `address`, port 25, to be the one that these TLSA records under `base` are about.
pub(crate) fn s_client(lab: &Lab, address: &str, base: &str, records: &[&str]) -> bool {
    let mut client = lab.client().command("openssl");
    client.args(["s_client", "-brief", "-starttls", "smtp", "-connect", &format!("{address}:25")]);
    // RFC 7672 §3.1.1: where the key itself is named, no other name counts.
    client.args(["-dane_ee_no_namechecks", "-dane_tlsa_domain", base]);
    for record in records {
        client.args(["-dane_tlsa_rrdata", record]);
    }
    let said = output(&mut client);
    assert!(said.contains("Verification"), "s_client {base}: {said}");
    said.contains("Verification: OK")
}

/// All that a command prints.
fn output(command: &mut Command) -> String {
    let output = command.output().expect("the command runs");
    [output.stdout, output.stderr].iter().map(|bytes| String::from_utf8_lossy(bytes)).collect()
}
