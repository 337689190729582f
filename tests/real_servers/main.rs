//! The built command against real servers: Postfix, with Unbound or dnsmasq for the DNS; NSD for zones that are signed; Dovecot for logins.
//!
//! Each test makes a network namespace with servers of its own and takes it away again, so that it needs root, `ip`, and the
//! servers. Where one of them is missing a test says `skipped` and passes, unless `SMTPPROBE_TESTS_MUST_RUN=1`.

mod bulk;
mod delivered;
mod lab;
mod logins;
mod loopback;
mod mta_sts;
mod namespace;
mod network;
mod old_tls;
mod others;
mod policyd;
mod probed;
mod reachability;
mod security;
mod sender;
mod servers;
mod signed;
mod ways;

use std::fs;
use std::path::Path;
use std::time::Duration;

use lab::Lab;
use loopback::{DEAD_V4, MX};
use probed::Probed;
use servers::{AUTHORITY, MAIL_LOG, MANY};

/// A conversation up to RCPT with Postfix, by verbs and reply codes, as far as it is always the same.
const UP_TO_RCPT: &str = "220 EHLO 250 STARTTLS 220 TLS EHLO 250 MAIL RCPT 250";

/// A lab with Postfix and Unbound.
fn with_unbound(title: &str) -> Option<Lab> {
    let lab = loopback::open(title, &["postfix", "openssl", "unbound"])?;
    servers::unbound(&lab);
    servers::postfix(&lab);
    Some(lab)
}

/// Runs a probe that asks the lab's DNS server.
fn probe(lab: &Lab, arguments: &[&str]) -> Probed {
    lab.probe(&[&["--resolver", "127.0.0.1"], arguments].concat())
}

#[test]
fn mailboxes_known_unknown_and_full() {
    let Some(lab) = with_unbound("mailboxes") else { return };

    let known = probe(&lab, &["--helo", "probe.example", "known@real.test"]);
    known.is(0, "accepted accepted certain").by(250, "2.1.5", "Ok").finds("not_catch_all");
    assert_eq!(known.exchange(0), format!("{UP_TO_RCPT} 250 RSET MAIL RCPT 250 250 550 QUIT 221"));
    assert_eq!(known.at("/sessions/0/software"), "Postfix");
    assert_eq!(known.at("/vantage/helo"), "probe.example");

    for (arguments, code, verdict, (number, enhanced, words)) in [
        (&["nobody@real.test"][..], 1, "rejected user_unknown certain", (550, "5.1.1", "User unknown")),
        (&["full@real.test"], 3, "deferred mailbox_full certain", (452, "4.2.2", "mailbox is full")),
        (&["quota@real.test"], 1, "rejected mailbox_full certain", (552, "5.2.2", "Over quota")),
        (&["closing@real.test"], 3, "deferred service_unavailable certain", (421, "4.3.2", "Service not available")),
        (&["known@foreign.example", "--server", MX], 1, "rejected relay_denied certain", (554, "5.7.1", "Relay access denied")),
        (&["known@real.test", "--size", "5M"], 1, "rejected message_too_big certain", (552, "5.3.4", "Message size exceeds")),
    ] {
        let refused = probe(&lab, arguments);
        refused.is(code, verdict).by(number, enhanced, words);
        assert!(refused.exchange(0).starts_with("220 EHLO 250 STARTTLS 220 TLS EHLO 250 MAIL RCPT"), "{}", refused.exchange(0));
    }

    let log = lab.wait_for_line(MAIL_LOG, "ehlo=2 starttls=1 mail=0/1 rcpt=0/1 quit=1 commands=4/6");
    assert!(log.contains("ehlo=2 starttls=1 mail=2 rcpt=1/2 rset=1 quit=1 commands=8/9"), "{log}");
    assert!(log.contains("helo=<probe.example>") && !log.contains("helo=<localhost"), "{log}");
    is_content(&log);
}

/// Postfix found nothing to complain about: no command out of turn or ahead of its time, no broken TLS, no fault of its own.
fn is_content(log: &str) {
    let complaints =
        ["improper command pipelining", "non-SMTP command", "lost connection", "SSL_accept", "warning:", "error:", "fatal:", "panic:"];
    let bad: Vec<&str> = log.lines().filter(|line| complaints.iter().any(|complaint| line.contains(complaint))).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn a_domain_is_asked_up_to_starttls_and_nothing_is_ever_delivered() {
    let Some(lab) = with_unbound("domain") else { return };
    let domain = probe(&lab, &["real.test"]);
    domain.is(0, "accepted accepted certain");
    assert_eq!(domain.exchange(0), "220 EHLO 250 STARTTLS 220 TLS EHLO 250 QUIT 221");

    let quiet = lab.run(&["-q", "--resolver", "127.0.0.1", "known@real.test"]);
    assert!(quiet.starts_with("ACCEPTED  known@real.test: "), "{quiet}");
    let log = lab.wait_for_line(MAIL_LOG, "mail=2 rcpt=1/2 rset=1 quit=1");
    is_content(&log);

    let data = probe(&lab, &["--until", "data", "known@real.test"]);
    data.is(0, "accepted accepted likely").by(354, "-", "End data with");
    assert_eq!(data.exchange(0), format!("{UP_TO_RCPT} 250 DATA 354"));
    let log = lab.wait_for_line(MAIL_LOG, "lost connection after DATA (0 bytes)");
    assert!(!log.contains("message-id="), "{log}");
    assert_eq!(servers::queued(&lab), Vec::<String>::new());
}

#[test]
fn tls_by_starttls_and_from_the_first_byte() {
    let Some(lab) = with_unbound("tls") else { return };
    let authority = lab.path(AUTHORITY).display().to_string();

    let stranger = probe(&lab, &["known@real.test"]);
    stranger.is(0, "accepted accepted certain").finds("certificate_unverified");
    assert_eq!(stranger.at("/sessions/0/certificate/trusted"), false);
    assert_eq!(stranger.at("/sessions/0/certificate/names"), &serde_json::json!(servers::CERTIFIED));

    for (arguments, tls, exchange) in [
        (&["known@real.test"][..], "starttls", "220 EHLO 250 STARTTLS 220 TLS EHLO 250"),
        (&["known@real.test", "--port", "587"], "starttls", "220 EHLO 250 STARTTLS 220 TLS EHLO 250"),
        (&["known@real.test", "--port", "465"], "implicit", "TLS 220 EHLO 250"),
        (&["known@real.test", "--tls", "off"], "none", "220 EHLO 250"),
    ] {
        let trusting = probe(&lab, &[&["--tls-ca", authority.as_str(), "--controls", "off"], arguments].concat());
        trusting.is(0, "accepted accepted likely");
        assert!(!trusting.has_finding("certificate_unverified"), "{arguments:?}");
        assert_eq!(trusting.at("/sessions/0/tls"), tls, "{arguments:?}");
        assert_eq!(trusting.exchange(0), format!("{exchange} MAIL RCPT 250 250 QUIT 221"), "{arguments:?}");
        if tls != "none" {
            assert_eq!(trusting.at("/sessions/0/certificate/trusted"), true, "{arguments:?}");
        }
    }

    // Authorities of the system: in a directory, in a file, and in neither.
    let (folder, empty) = (lab.path("authorities"), lab.write("empty.pem", ""));
    fs::create_dir(&folder).expect("a folder can be made");
    fs::copy(&authority, folder.join("lab.pem")).expect("a file can be copied");
    for (file, directory, trusted) in
        [(&*empty, &*folder, true), (Path::new(&authority), Path::new("/nonexistent"), true), (&*empty, Path::new("/nonexistent"), false)]
    {
        let system = lab.probe_with(
            &[("SSL_CERT_FILE", file), ("SSL_CERT_DIR", directory)],
            &["--resolver", "127.0.0.1", "--until", "starttls", "real.test"],
        );
        assert_eq!(system.at("/sessions/0/certificate/trusted"), trusted, "{} and {}", file.display(), directory.display());
    }
    is_content(&lab.wait_for_line(MAIL_LOG, "ehlo=1 mail=1 rcpt=1 quit=1 commands=4"));
}

#[test]
fn nothing_said_before_tls_is_answered_inside_it() {
    let Some(lab) = with_unbound("injection") else { return };
    let asked = probe(&lab, &["--check-injection", "known@real.test"]);
    asked.is(0, "accepted accepted certain");
    assert!(!asked.has_finding("injection_answered"), "{}", asked.report);
}

#[test]
fn servers_that_take_their_time_or_leave() {
    let Some(lab) = with_unbound("manners") else { return };

    probe(&lab, &["known@slow.test"]).is(0, "accepted accepted certain");
    let screened = probe(&lab, &["known@screened.test", "--controls", "off"]);
    screened.is(0, "accepted accepted likely");
    assert!(screened.at("/sessions/0/events/1/at_ms").as_f64() > Some(1_900.0), "postscreen waits: {}", screened.report);
    assert_eq!(screened.exchange(0), format!("{UP_TO_RCPT} 250 QUIT 221"));

    let impatient = probe(&lab, &["known@slow.test", "--greeting-timeout", "0.5"]);
    impatient.is(4, "unreachable no_greeting certain");
    let closing = probe(&lab, &["known@closing.test"]);
    closing.is(3, "deferred service_unavailable certain").by(421, "4.3.2", "Come back later");
    assert_eq!(closing.exchange(0), "421");

    let log = lab.wait_for_line(MAIL_LOG, "PASS NEW");
    assert!(!log.contains("PREGREET") && !log.contains("improper command pipelining"), "{log}");
}

#[test]
fn routes_by_unbound() {
    let Some(lab) = with_unbound("unbound") else { return };
    routes_by_any_server(&lab);

    let alias = probe(&lab, &["known@alias.test"]);
    alias.is(0, "accepted accepted certain");
    assert_eq!(alias.at("/route/hosts/0/name"), "mx.real.test");
    let implicit = probe(&lab, &["known@plain.test"]);
    implicit.is(0, "accepted accepted certain").finds("implicit_mx");

    let dual = probe(&lab, &["known@dual.test"]);
    dual.is(0, "accepted accepted certain");
    assert_eq!(dual.at("/sessions").as_array().map(Vec::len), Some(2));
    assert!(dual.exchange(0).starts_with(UP_TO_RCPT) && dual.exchange(1).starts_with(UP_TO_RCPT), "{}", dual.report);

    probe(&lab, &["known@broken.example"]).is(4, "unreachable dns_failure likely").finds("lookup_failed");
}

#[test]
fn routes_by_dnsmasq() {
    let Some(lab) = loopback::open("dnsmasq", &["postfix", "openssl", "dnsmasq"]) else { return };
    servers::dnsmasq(&lab);
    servers::postfix(&lab);
    routes_by_any_server(&lab);
}

/// What every DNS server should lead to.
fn routes_by_any_server(lab: &Lab) {
    let second = Duration::from_secs(1);
    probe(lab, &["known@real.test"]).is(0, "accepted accepted certain");

    // A first MX that is silent: an MTA's walk goes on at once; the default tells of it.
    let late = probe(lab, &["--first", "known@late.test"]);
    late.is(0, "accepted accepted certain").within(2 * second);
    assert_eq!(late.at("/verdict/host"), "mx.real.test");
    let late = probe(lab, &["--connect-timeout", "1", "known@late.test"]);
    late.is(0, "accepted accepted certain").finds("first_host_dead").finds("port_silent").within(3 * second);
    assert_eq!(late.exchange(0), "(no answer within 1 s)");

    // The same for one family of a host.
    probe(lab, &["--first", "known@half.test"]).is(0, "accepted accepted certain").within(2 * second);
    let half = probe(lab, &["--connect-timeout", "1", "known@half.test"]);
    half.is(0, "accepted accepted certain").finds("family_broken").within(3 * second);

    probe(lab, &["known@null.test"]).is(1, "rejected no_mail_service certain").finds("null_mx");
    probe(lab, &["known@nothing.test"]).is(1, "rejected domain_unknown certain").finds("domain_unknown");
    probe(lab, &["known@odd.test"]).is(0, "accepted accepted certain").finds("mx_alias");

    // More MX records than a datagram holds.
    let many = probe(lab, &["--first", "known@many.test"]);
    many.is(0, "accepted accepted certain");
    assert_eq!(many.at("/route/lookups/0/tcp"), true);
    assert_eq!(many.at("/route/lookups/0/records").as_array().map(Vec::len), Some(MANY));

    // A resolver that is not there: nobody listens; or nobody answers, but another one does.
    let refused = lab.probe(&["--resolver", "127.0.0.1:54", "known@real.test"]);
    refused.is(4, "unreachable resolver_unusable certain").finds("lookup_failed").within(second);
    let second_one = lab.probe(&["--resolver", DEAD_V4, "--resolver", "127.0.0.1", "known@real.test"]);
    second_one.is(0, "accepted accepted certain").finds("resolver_trouble").within(4 * second);
}
