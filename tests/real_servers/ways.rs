//! Servers of one's own, reached in other ways than directly: Postfix with XCLIENT, with the PROXY protocol and as an open relay;
//! Dovecot's LMTP; and a SOCKS5 proxy in between.

use std::process::Command;

use super::lab::{Lab, wait_until};
use super::loopback::{self, MX};
use super::servers::{self, MAIL_LOG};

/// The client that Postfix takes nothing from.
const UNWELCOME: &str = "198.51.100.7";
const XCLIENT: u16 = 2526;
const PROXIED: u16 = 2527;
const PROXIED_TLS: u16 = 2528;
const OPEN: u16 = 2529;

/// A lab with Postfix at these ports, and Unbound.
fn open(title: &str, more: &[&str]) -> Option<Lab> {
    let lab = loopback::open(title, &[&["postfix", "openssl", "unbound"], more].concat())?;
    let refusing = format!("-o {{ smtpd_client_restrictions = check_client_access inline:{{{{{UNWELCOME} = 554 5.7.1 Not from you}}}} }}");
    let services = format!(
        "{MX}:{XCLIENT} inet n - n - - smtpd -o smtpd_authorized_xclient_hosts={MX} {refusing}\n\
         {MX}:{PROXIED} inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy {refusing}\n\
         {MX}:{PROXIED_TLS} inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy -o smtpd_tls_wrappermode=yes {refusing}\n\
         {MX}:{OPEN} inet n - n - - smtpd -o mynetworks=0.0.0.0/0 -o smtpd_relay_restrictions=permit_mynetworks,reject\n"
    );
    servers::unbound(&lab);
    servers::postfix_and(&lab, &services);
    Some(lab)
}

fn at(port: u16) -> String {
    format!("{MX}:{port}")
}

#[test]
fn postfix_takes_the_client_for_another_by_xclient() {
    let Some(lab) = open("xclient", &[]) else { return };
    let asked =
        |port: u16, xclient: &str| lab.probe(&["known@real.test", "--server", &at(port), "--controls", "off", "--xclient", xclient]);
    let welcome = asked(XCLIENT, "ADDR=198.51.100.8,NAME=mail.example.net,HELO=other.example,PROTO=ESMTP,PORT=4321,LOGIN=a b");
    welcome.is(0, "accepted accepted likely");
    assert_eq!(welcome.exchange(0), "220 EHLO 250 STARTTLS 220 TLS EHLO 250 XCLIENT 220 EHLO 250 MAIL RCPT 250 250 QUIT 221");
    let unwelcome = asked(XCLIENT, &format!("ADDR={UNWELCOME},NAME=[UNAVAILABLE],REVERSE_NAME=[UNAVAILABLE]"));
    assert_eq!(unwelcome.code, 1, "{}", unwelcome.report);
    unwelcome.by(554, "5.7.1", "Not from you");
    let log = lab.wait_for_line(MAIL_LOG, &format!("unknown[{UNWELCOME}]"));
    assert!(log.contains("mail.example.net[198.51.100.8]"), "{log}");

    // A client that is not to be trusted with it is not even offered it.
    let untrusted = asked(25, "ADDR=198.51.100.8");
    untrusted.is(1, "rejected feature_unsupported certain").finds("xclient_missing");
    assert!(!untrusted.exchange(0).contains("MAIL"), "{}", untrusted.exchange(0));
}

#[test]
fn postfix_believes_the_proxy_header() {
    let Some(lab) = open("haproxy", &[]) else { return };
    let asked = |port: u16, more: &[&str]| {
        let server = at(port);
        lab.probe(&[&["known@real.test", "--server", &server, "--controls", "off"], more].concat())
    };
    for form in ["v1", "v2", "v1,198.51.100.8", "v2,198.51.100.9:4321", "v1,2001:db8::8", "v2,[2001:db8::9]:4321"] {
        let header = format!("--proxy-protocol={form}");
        let welcome = asked(PROXIED, &[&header]);
        welcome.is(0, "accepted accepted likely");
        assert!(
            welcome.at("/sessions/0/events/1/command").as_str().is_some_and(|line| line.starts_with("PROXY TCP")),
            "{}",
            welcome.report
        );
        asked(PROXIED_TLS, &["--tls", "implicit", &header]).is(0, "accepted accepted likely");
        for version in ["v1", "v2"] {
            let refused = asked(PROXIED, &[&format!("--proxy-protocol={version},{UNWELCOME}")]);
            refused.by(554, "5.7.1", "Not from you");
        }
    }
    let log = lab.wait_for_line(MAIL_LOG, "[2001:db8::9]");
    for client in ["[198.51.100.8]", "[198.51.100.9]", "[2001:db8::8]"] {
        assert!(log.contains(client), "{client}: {log}");
    }
    // Who begins without the header gets no greeting.
    let silent = asked(PROXIED, &["--greeting-timeout", "1"]);
    silent.is(4, "unreachable no_greeting certain");
}

#[test]
fn whether_postfix_relays_for_strangers() {
    let Some(lab) = open("relay", &[]) else { return };
    let asked = |port: u16| lab.probe(&[&at(port), "--relay-test", "me@foreign.example", "--tls", "off"]);
    let closed = asked(25);
    closed.is(0, "accepted accepted certain").finds("no_open_relay");
    let opened = asked(OPEN);
    opened.is(0, "accepted accepted certain").finds("open_relay");
    assert!(!opened.has_finding("no_open_relay"));
    let log = lab.wait_for_line(MAIL_LOG, "rcpt=");
    assert!(!log.contains("data=") && !log.contains("message-id="), "{log}");
    assert_eq!(servers::queued(&lab), Vec::<String>::new());
}

/// Starts Dovecot with LMTP alone: on port 24 of [`MX`], and at a socket whose path is returned.
fn dovecot(lab: &Lab) -> String {
    let here = lab.path("dovecot").display().to_string();
    // Dovecot looks into the mailbox as its owner.
    lab.write("dovecot/mail/README", "");
    servers::run(Command::new("chmod").arg("1777").arg(lab.path("dovecot/mail")));
    let users = lab.write("dovecot/users", "known@real.test::1000:1000::/tmp::\n");
    let socket = format!("{here}/lmtp");
    let settings = lab.write(
        "dovecot/dovecot.conf",
        &format!(
            "\
base_dir = {here}/run
state_dir = {here}/state
protocols = lmtp
ssl = no
log_path = {here}/log
mail_location = maildir:{here}/mail/%u
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = {}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {MX}
    port = 24
  }}
  unix_listener {socket} {{
    mode = 0666
  }}
}}
",
            users.display()
        ),
    );
    lab.serve("dovecot", &["-F", "-c", &settings.display().to_string()], &format!("{MX}:24"));
    wait_until(|| std::path::Path::new(&socket).exists());
    socket
}

#[test]
fn lmtp_with_dovecot_over_tcp_and_at_a_socket() {
    let Some(lab) = loopback::open("lmtp", &["dovecot"]) else { return };
    let socket = dovecot(&lab);
    for server in [MX.to_owned(), format!("{MX}:24"), format!("unix:{socket}")] {
        let asked = |mailbox: &str| lab.probe(&[mailbox, "--lmtp", "--server", &server]);
        let known = asked("known@real.test");
        known.is(0, "accepted accepted certain").by(250, "2.1.5", "OK");
        assert_eq!(known.exchange(0), "220 LHLO 250 MAIL RCPT 250 250 RSET MAIL RCPT 250 250 550 QUIT 221", "{server}");
        asked("nobody@real.test").is(1, "rejected user_unknown certain").by(550, "5.1.1", "User doesn't exist");
    }
    // An SMTP client is turned away, and there is no HELO to fall back on.
    let smtp = lab.probe(&["known@real.test", "--server", &format!("{MX}:24")]);
    assert!(smtp.code != 0, "{}", smtp.report);
}

#[test]
fn a_conversation_by_way_of_microsocks() {
    let Some(lab) = open("socks", &["microsocks"]) else { return };
    lab.serve("microsocks", &["-i", "127.0.0.1", "-p", "1080", "-u", "anna", "-P", "geheim"], "127.0.0.1:1080");
    let asked = |login: &str, more: &[&str]| {
        let proxy = format!("socks5://{login}127.0.0.1:1080");
        lab.probe(&[&["--resolver", "127.0.0.1", "--proxy", &proxy], more].concat())
    };
    let known = asked("anna:geheim@", &["known@real.test"]);
    known.is(0, "accepted accepted certain");
    assert!(known.exchange(0).starts_with(super::UP_TO_RCPT), "{}", known.exchange(0));
    assert!(!known.report.to_string().contains("geheim"));
    asked("anna:geheim@", &["known@dual.test"]).is(0, "accepted accepted certain");

    asked("anna:falsch@", &["known@real.test"]).is(4, "unreachable proxy_failed certain").finds("proxy_failed");
    asked("", &["known@real.test"]).is(4, "unreachable proxy_failed certain");
    // What the proxy cannot reach is not said to be shut, nor whose side shuts it.
    let shut = asked("anna:geheim@", &[&at(26), "--connect-timeout", "2"]);
    shut.is(4, "unreachable proxy_failed certain");
    assert!(!shut.has_finding("connection_refused") && !shut.has_finding("port_blocked_here"), "{}", shut.report);
    let ports = lab.probe(&["ports", MX, "--proxy", "socks5://anna:geheim@127.0.0.1:1080"]);
    ports.is(0, "accepted accepted certain");
}
