//! Logins at Postfix, whose passwords are looked after by Dovecot: each mechanism that it has, with the right password and a wrong one.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::hmac;

use super::lab::{Lab, wait_until};
use super::loopback::{self, MX};
use super::probed::Probed;
use super::servers::{self, AUTHORITY, MAIL_LOG};

const USER: &str = "anna@real.test";
const PASSWORD: &str = "pass word, with = and \u{fc}";
/// What tokens are signed with.
const KEY: &str = "a key that is long enough for HS256";

const DOVECOT: &str = "\
base_dir = @/dovecot/run
log_path = @/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 xoauth2 oauthbearer
auth_failure_delay = 0
auth_verbose = yes
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @/dovecot/oauth2
}
passdb {
  driver = passwd-file
  mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
  args = @/dovecot/users
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
service auth {
  unix_listener @/queue/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
";
const OAUTH2: &str = "\
introspection_mode = local
username_attribute = sub
local_validation_key_dict = fs:posix:prefix=@/dovecot/keys/
";

/// Postfix with logins on 587 inside TLS, and at another address in the clear, too; behind it Dovecot.
fn with_logins(title: &str) -> Option<Lab> {
    let lab = loopback::open(title, &["postfix", "openssl", "unbound", "dovecot"])?;
    servers::unbound(&lab);
    let sasl = "-o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot -o smtpd_sasl_path=private/auth";
    let services = format!(
        "{MX}:25 inet n - n - - smtpd\n\
         {MX}:587 inet n - n - - smtpd {sasl} -o smtpd_tls_auth_only=yes\n\
         {MX}:465 inet n - n - - smtpd {sasl} -o smtpd_tls_wrappermode=yes\n\
         {MX}:2525 inet n - n - - smtpd {sasl} -o smtpd_tls_security_level=none\n"
    );
    servers::postfix_with(&lab, &services);
    dovecot(&lab);
    Some(lab)
}

fn dovecot(lab: &Lab) {
    let here = lab.path("").display().to_string();
    let filled = |text: &str| text.replace('@', here.trim_end_matches('/'));
    lab.write("dovecot/users", &format!("{USER}:{{PLAIN}}{PASSWORD}\n"));
    lab.write("dovecot/oauth2", &filled(OAUTH2));
    let key = base64::engine::general_purpose::STANDARD.encode(KEY);
    lab.write("dovecot/keys/default/HS256/default", &key);
    let settings = lab.write("dovecot/dovecot.conf", &filled(DOVECOT));
    fs::create_dir_all(lab.path("dovecot/run")).expect("a folder can be made");
    let mut command = lab.servers().command("dovecot");
    let mut server = command.args(["-F", "-c"]).arg(settings).spawn().expect("it can be started");
    let socket = lab.path("queue/private/auth");
    wait_until(|| socket.exists() || server.try_wait().is_ok_and(|status| status.is_some()));
    let log = || fs::read_to_string(lab.path("dovecot.log")).unwrap_or_default();
    assert!(socket.exists(), "Dovecot does not listen: {}", log());
}

/// A token for USER that is good for this many seconds from now on.
fn token(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let until = now.saturating_add_signed(seconds);
    let part = |json: String| BASE64URL.encode(json);
    let (head, body) = (r#"{"alg":"HS256","typ":"JWT"}"#.to_owned(), format!(r#"{{"sub":"{USER}","iat":{},"exp":{until}}}"#, now - 100));
    let signed = format!("{}.{}", part(head), part(body));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", BASE64URL.encode(signature))
}

fn log_in(lab: &Lab, secret: &str, arguments: &[&str]) -> Probed {
    let authority = lab.path(AUTHORITY).display().to_string();
    let usual = ["--resolver", "127.0.0.1", "--tls-ca", &authority, "--auth-user", USER];
    let probed = lab.probe_with(&[("SMTPPROBE_AUTH_PASSWORD", secret)], &[&usual, arguments].concat());
    assert!(!probed.report.to_string().contains(secret), "{}", probed.report);
    probed
}

#[test]
fn each_mechanism_of_dovecot_with_a_good_and_a_bad_password() {
    let Some(lab) = with_logins("logins") else { return };
    let start = "220 EHLO 250 STARTTLS 220 TLS EHLO 250 AUTH";
    for (mechanism, good, bad) in [
        ("PLAIN", "235", "535"),
        ("LOGIN", "334 <user 334 <password 235", "334 <user 334 <password 535"),
        ("CRAM-MD5", "334 <user 235", "334 <user 535"),
        ("SCRAM-SHA-1", "334 <proof 334 <nothing> 235", "334 <proof 535"),
        ("SCRAM-SHA-256", "334 <proof 334 <nothing> 235", "334 <proof 535"),
    ] {
        let right = log_in(&lab, PASSWORD, &["submission://mx.real.test", "--auth-mechanism", mechanism]);
        right.is(0, "accepted accepted certain").by(235, "2.7.0", "Authentication successful").finds("login_works");
        assert_eq!(right.exchange(0), format!("{start} {good} QUIT 221"), "{mechanism}");
        let wrong = log_in(&lab, "pass word, with = and ue", &["submission://mx.real.test", "--auth-mechanism", mechanism]);
        wrong.is(1, "rejected credentials_invalid certain").by(535, "5.7.8", "authentication failed");
        assert_eq!(wrong.exchange(0), format!("{start} {bad} QUIT 221"), "{mechanism}");
    }
    for mechanism in ["XOAUTH2", "OAUTHBEARER"] {
        let right = log_in(&lab, &token(600), &["submission://mx.real.test", "--auth-mechanism", mechanism]);
        right.is(0, "accepted accepted certain").finds("login_works");
        let wrong = log_in(&lab, &token(-50), &["submission://mx.real.test", "--auth-mechanism", mechanism]);
        wrong.is(1, "rejected credentials_invalid certain");
        assert_eq!(wrong.exchange(0), format!("{start} 334 <nothing> 535 QUIT 221"), "{mechanism}");
        wrong.finds("login_error_told");
    }
}

#[test]
fn the_strongest_is_taken_and_only_where_it_is_safe() {
    let Some(lab) = with_logins("logins-safe") else { return };
    // Over both kinds of TLS, and then on to a recipient elsewhere.
    let target = "known@real.test";
    for (port, rest) in [("587", "220 EHLO 250 STARTTLS 220 TLS EHLO 250"), ("465", "TLS 220 EHLO 250")] {
        let known = log_in(&lab, PASSWORD, &[target, "-p", port, "--server", "mx.real.test"]);
        known.is(0, "accepted accepted likely").by(250, "2.1.5", "Ok").finds("login_works");
        assert_eq!(known.exchange(0), format!("{rest} AUTH 334 <proof 334 <nothing> 235 MAIL RCPT 250 250 QUIT 221"));
        assert!(known.report.to_string().contains("AUTH SCRAM-SHA-256 <user anna@real.test, nonce "), "{}", known.report);
    }
    // By its address the certificate proves nothing.
    let by_address = log_in(&lab, PASSWORD, &[&format!("submission://{MX}")]);
    by_address.is(5, "inconclusive tls_failed certain").finds("login_withheld");
    assert!(!by_address.exchange(0).contains("AUTH"), "{}", by_address.exchange(0));
    let insecure = log_in(&lab, PASSWORD, &[&format!("submission://{MX}"), "--auth-insecure"]);
    insecure.is(0, "accepted accepted certain").finds("login_in_danger");
    // Nor is anything sent in the clear.
    let clear = log_in(&lab, PASSWORD, &["submission://mx.real.test:2525"]);
    clear.is(5, "inconclusive tls_failed certain").finds("login_withheld");
    let port_25 = log_in(&lab, PASSWORD, &["smtp://mx.real.test", "-p", "25"]);
    port_25.is(1, "rejected feature_unsupported certain").finds("login_not_offered");

    let log = lab.wait_for_line(MAIL_LOG, "auth=1 ");
    assert!(!log.contains("improper command pipelining") && !log.contains("warning: SASL authentication failure"), "{log}");
}
