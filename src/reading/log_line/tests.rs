//! Lines of every server's log, and lines that only look like them.

use proptest::prelude::*;

use super::*;
use crate::smtp::Verb;

/// Everything that a report says, in one line; what is absent is a dash.
fn told(line: &LogLine) -> String {
    let report = &line.report;
    let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    [
        line.software.to_owned(),
        or_dash(report.recipient.clone()),
        or_dash(report.original.as_ref().map(|original| format!("for {original}"))),
        or_dash(report.action.map(|action| action.as_str().to_owned())),
        or_dash(report.reply.as_ref().map(|reply| reply.code.to_string())),
        or_dash(report.status.map(|status| status.to_string())),
        or_dash(report.command.map(|verb| verb.as_str().to_owned())),
        or_dash(report.remote_host.clone()),
        or_dash(report.reporting_mta.clone()),
        or_dash(report.queue_id.clone()),
        or_dash(report.reply.as_ref().map(crate::smtp::Reply::text).or_else(|| Some(report.diagnostic.clone()))),
    ]
    .join(" | ")
}

fn check(table: &[(&str, &str)]) {
    for (line, expected) in table {
        assert_eq!(read(line).as_ref().map(told).as_deref(), Some(*expected), "{line}");
    }
}

#[test]
fn lines_of_postfix_are_read_whoever_collected_them() {
    let message = "4Z0Abc: to=<anna@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=2.3, delays=0.1/0.01/1.5/0.7, dsn=5.1.1, \
                   status=bounced (host mx.example.com[192.0.2.1] said: 550 5.1.1 <anna@example.com>: user unknown (in reply to RCPT TO command))";
    let expected = |host: &str| {
        format!(
            "postfix | anna@example.com | - | failed | 550 | 5.1.1 | RCPT | mx.example.com | {host} | 4Z0Abc | <anna@example.com>: user unknown"
        )
    };
    for (prelude, host) in [
        ("Mar  4 10:11:23 out1 postfix/smtp[2161]: ", "out1"),
        ("Mar 04 10:11:23.123456 out1 postfix/smtp[2161]: ", "out1"),
        ("2025-03-04T10:11:23.123456+00:00 out1 postfix/smtp[2161]: ", "out1"),
        ("2025-03-04T10:11:23+0000 out1 postfix/smtp[2161]: ", "out1"),
        ("Tue 2025-03-04 10:11:23 UTC out1 postfix/smtp[2161]: ", "out1"),
        ("<22>Mar  4 10:11:23 out1 postfix/smtp[2161]: ", "out1"),
        ("<22>1 2025-03-04T10:11:23.123Z out1 postfix/smtp 2161 - - ", "out1"),
        ("<22>1 2025-03-04T10:11:23.123Z out1 postfix/smtp 2161 - [origin ip=\"192.0.2.9\"][meta x=\"]\"] \u{feff}", "out1"),
        ("Mar  4 10:11:23 out1 postfix-out/smtp[2161]: ", "out1"),
        ("Mar  4 10:11:23 out1 postfix/relay/smtp[2161]: ", "out1"),
        ("Mar  4 10:11:23 out1 outgoing/smtp[2161]: ", "out1"),
        ("Mar  4 10:11:23 out1 postfix/smtp: ", "out1"),
        ("", "-"),
    ] {
        assert_eq!(read(&format!("{prelude}{message}")).as_ref().map(told), Some(expected(host)), "{prelude}");
    }
    let entry = serde_json::json!({ "MESSAGE": message, "SYSLOG_IDENTIFIER": "postfix/smtp", "_HOSTNAME": "out1", "PRIORITY": "6" });
    assert_eq!(read(&entry.to_string()).as_ref().map(told), Some(expected("out1")));
}

#[test]
fn postfix_tells_what_hosts_said_and_what_became_of_connections() {
    check(&[
        (
            "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: to=<anna@example.com>, orig_to=<info@example.org>, relay=mx.example.com[2001:db8::1]:25, \
             conn_use=2, delay=2, delays=0/0/1/1, dsn=5.1.1, status=bounced (host mx.example.com[2001:db8::1] said: 550-5.1.1 The account \
             that you tried to reach does not exist. Please try 550-5.1.1 double-checking the address 550 5.1.1 for typos. - gsmtp (in reply to \
             RCPT TO command))",
            "postfix | anna@example.com | for info@example.org | failed | 550 | 5.1.1 | RCPT | mx.example.com | out1 | 4Z0Abc | The account that \
             you tried to reach does not exist. Please try double-checking the address for typos. - gsmtp",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: to=<anna@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=2, delays=0/0/1/1, \
             dsn=4.2.1, status=deferred (host mx.example.com[192.0.2.1] refused to talk to me: 220-mx.example.com 421 4.2.1 try later)",
            "postfix | anna@example.com | - | delayed | 421 | 4.2.1 | CONN | mx.example.com | out1 | 4Z0Abc | mx.example.com try later",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: to=<\"a, b\"@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=2, dsn=5.0.0, \
             status=bounced (host mx.example.com[192.0.2.1] said: 552 mailbox full (status=exceeded) (in reply to end of DATA command))",
            "postfix | \"a, b\"@example.com | - | failed | 552 | 5.0.0 | DATA-END | mx.example.com | out1 | 4Z0Abc | mailbox full (status=exceeded)",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: to=<anna@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=2, dsn=5.7.1, \
             status=bounced (host mx.example.com[192.0.2.1] said: [192.0.2.9] blocked (in reply to MAIL FROM command))",
            "postfix | anna@example.com | - | failed | - | 5.7.1 | MAIL | mx.example.com | out1 | 4Z0Abc | [192.0.2.9] blocked",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: to=<anna@example.com>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, \
             status=deferred (connect to mx.example.com[192.0.2.1]:25: Connection timed out)",
            "postfix | anna@example.com | - | delayed | - | 4.4.1 | CONN | mx.example.com | out1 | 4Z0Abc | connect to \
             mx.example.com[192.0.2.1]:25: Connection timed out",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/error[1]: 4Z0Abc: to=<anna@example.com>, relay=none, delay=0.1, delays=0.1/0/0/0, dsn=4.7.0, \
             status=deferred (delivery temporarily suspended: host mx.example.com[192.0.2.1] said: 421 4.7.0 slow down (in reply to MAIL FROM \
             command))",
            "postfix | anna@example.com | - | delayed | 421 | 4.7.0 | MAIL | mx.example.com | out1 | 4Z0Abc | slow down",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: to=<anna@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=2, dsn=4.4.2, \
             status=deferred (lost connection with mx.example.com[192.0.2.1] while sending RCPT TO)",
            "postfix | anna@example.com | - | delayed | - | 4.4.2 | RCPT | mx.example.com | out1 | 4Z0Abc | lost connection with \
             mx.example.com[192.0.2.1] while sending RCPT TO",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: to=<anna@example.test>, relay=none, delay=1, dsn=5.4.4, status=bounced (Host or domain \
             name not found. Name service error for name=example.test type=A: Host not found)",
            "postfix | anna@example.test | - | failed | - | 5.4.4 | - | - | out1 | 4Z0Abc | Host or domain name not found. Name service error \
             for name=example.test type=A: Host not found",
        ),
        (
            "Mar  4 10:11:23 mx1 postfix/lmtp[1]: 4Z0Abc: to=<anna@example.com>, relay=mx1.example.com[private/dovecot-lmtp], delay=1, dsn=5.2.2, \
             status=bounced (host mx1.example.com[private/dovecot-lmtp] said: 552 5.2.2 <anna@example.com> Quota exceeded (mailbox for user is \
             full) (in reply to end of DATA command))",
            "postfix | anna@example.com | - | failed | 552 | 5.2.2 | LMTP-DATA | mx1.example.com | mx1 | 4Z0Abc | <anna@example.com> Quota \
             exceeded (mailbox for user is full)",
        ),
        (
            "Mar  4 10:11:23 mx1 postfix/local[1]: 4Z0Abc: to=<anna@example.com>, relay=local, delay=1, dsn=5.1.1, status=bounced (unknown user: \
             \"anna\")",
            "postfix | anna@example.com | - | failed | - | 5.1.1 | - | - | mx1 | 4Z0Abc | unknown user: \"anna\"",
        ),
        (
            "Mar  4 10:11:23 mx1 postfix/virtual[1]: 4Z0Abc: to=<anna@example.com>, relay=virtual, delay=1, dsn=5.2.2, status=bounced (maildir \
             delivery failed: quota exceeded)",
            "postfix | anna@example.com | - | failed | - | 5.2.2 | - | - | mx1 | 4Z0Abc | maildir delivery failed: quota exceeded",
        ),
        (
            "Mar  4 10:11:23 mx1 postfix/pipe[1]: 4Z0Abc: to=<anna@example.com>, relay=spamfilter, delay=1, dsn=4.3.0, status=deferred (temporary \
             failure. Command output: out of memory)",
            "postfix | anna@example.com | - | delayed | - | 4.3.0 | - | - | mx1 | 4Z0Abc | temporary failure. Command output: out of memory",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: to=<anna@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=1, dsn=2.0.0, \
             status=sent (250 2.0.0 Ok: queued as 4Z0Xyz)",
            "postfix | anna@example.com | - | delivered | 250 | 2.0.0 | - | mx.example.com | out1 | 4Z0Abc | Ok: queued as 4Z0Xyz",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: host mx.example.com[192.0.2.1] said: 450 4.2.0 <anna@example.com>: Greylisted (in \
             reply to RCPT TO command)",
            "postfix | - | - | - | 450 | 4.2.0 | RCPT | mx.example.com | out1 | 4Z0Abc | <anna@example.com>: Greylisted",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/smtp[1]: connect to mx.example.com[192.0.2.1]:25: Connection refused",
            "postfix | - | - | - | - | - | CONN | mx.example.com | out1 | - | connect to mx.example.com[192.0.2.1]:25: Connection refused",
        ),
        (
            "Mar  4 10:11:23 out1 postfix/qmgr[1]: 4Z0Abc: from=<bert@example.net>, status=expired, returned to sender",
            "postfix | - | - | failed | - | - | - | - | out1 | 4Z0Abc | expired, returned to sender",
        ),
    ]);
}

#[test]
fn postfix_tells_what_it_rejects_itself() {
    check(&[
        (
            "Mar  4 10:11:23 mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.9]: 554 5.7.1 <anna@example.com>: Relay access \
             denied; from=<bert@example.net> to=<anna@example.com> proto=ESMTP helo=<out.example.net>",
            "postfix | anna@example.com | - | failed | 554 | 5.7.1 | RCPT | - | mx1 | - | <anna@example.com>: Relay access denied",
        ),
        (
            "Mar  4 10:11:23 mx1 postfix/submission/smtpd[1]: 4Z0Abc: reject: RCPT from c[2001:db8::9]: 450 4.1.8 <bert@example.test>: Sender address \
             rejected: Domain not found; from=<bert@example.test> to=<anna@example.com> proto=ESMTP helo=<c>",
            "postfix | anna@example.com | - | delayed | 450 | 4.1.8 | RCPT | - | mx1 | 4Z0Abc | <bert@example.test>: Sender address rejected: \
             Domain not found",
        ),
        (
            "Mar  4 10:11:23 mx1 postfix/postscreen[1]: NOQUEUE: reject: RCPT from [192.0.2.9]:4242: 550 5.7.1 Service unavailable; client \
             [192.0.2.9] blocked using list.example.org; from=<bert@example.net>, to=<anna@example.com>, proto=ESMTP, helo=<c>",
            "postfix | anna@example.com | - | failed | 550 | 5.7.1 | RCPT | - | mx1 | - | Service unavailable; client [192.0.2.9] blocked using \
             list.example.org",
        ),
        (
            "Mar  4 10:11:23 mx1 postfix/cleanup[1]: 4Z0Abc: milter-reject: END-OF-MESSAGE from c.example.net[192.0.2.9]: 5.7.1 Spam message \
             rejected; from=<bert@example.net> to=<anna@example.com> proto=ESMTP helo=<c>",
            "postfix | anna@example.com | - | failed | - | 5.7.1 | DATA-END | - | mx1 | 4Z0Abc | 5.7.1 Spam message rejected",
        ),
        (
            "Mar  4 10:11:23 mx1 postfix/smtpd[1]: NOQUEUE: reject: CONNECT from unknown[192.0.2.9]: 421 4.7.0 too many; proto=SMTP",
            "postfix | - | - | delayed | 421 | 4.7.0 | CONN | - | mx1 | - | too many",
        ),
        (
            "Mar  4 10:11:23 mx1 postfix/smtpd[1]: 4Z0Abc: proxy-reject: END-OF-MESSAGE: 550 5.7.0 virus; from=<b@example.net> \
             to=<anna@example.com> proto=ESMTP helo=<c>",
            "postfix | anna@example.com | - | failed | 550 | 5.7.0 | DATA-END | - | mx1 | 4Z0Abc | virus",
        ),
    ]);
}

#[test]
fn lines_of_exim_are_read() {
    check(&[
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z ** anna@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1]: SMTP error from \
             remote mail server after RCPT TO:<anna@example.com>: host mx.example.com [192.0.2.1]: 550 5.1.1 <anna@example.com>: user unknown",
            "exim | anna@example.com | - | failed | 550 | 5.1.1 | RCPT | mx.example.com | - | 1tpA00-0001Xy-2Z | <anna@example.com>: user unknown",
        ),
        (
            "2025-03-04 10:11:00.123 +0100 [4711] 1tpA00-00000000Xyz-2ZAB ** anna@example.com <info@example.org> F=<bert@example.net> P=<bert@example.net> \
             R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1] X=TLS1.3:ECDHE:256 CV=yes DN=\"O=a: b\": SMTP error from remote mail server \
             after end of data: 550-5.7.1 one\\n550-5.7.1 two\\n550 5.7.1 three",
            "exim | anna@example.com | for info@example.org | failed | 550 | 5.7.1 | DATA-END | mx.example.com | - | 1tpA00-00000000Xyz-2ZAB | \
             one two three",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z == anna@example.com R=dnslookup T=remote_smtp defer (-44) H=mx.example.com [192.0.2.1]: SMTP error \
             from remote mail server after RCPT TO:<anna@example.com>: 450 4.2.0 greylisted",
            "exim | anna@example.com | - | delayed | 450 | 4.2.0 | RCPT | mx.example.com | - | 1tpA00-0001Xy-2Z | greylisted",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z == anna@example.com R=dnslookup T=remote_smtp defer (110): Connection timed out",
            "exim | anna@example.com | - | delayed | - | - | - | - | - | 1tpA00-0001Xy-2Z | Connection timed out",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z ** anna@example.test: Unrouteable address",
            "exim | anna@example.test | - | failed | - | - | - | - | - | 1tpA00-0001Xy-2Z | Unrouteable address",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z ** \"a b\"@example.com F=<> R=local: no such user",
            "exim | \"a b\"@example.com | - | failed | - | - | - | - | - | 1tpA00-0001Xy-2Z | no such user",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z => anna@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1] C=\"250 2.0.0 Ok: \
             queued as 4Z0Xyz\"",
            "exim | anna@example.com | - | delivered | 250 | 2.0.0 | - | mx.example.com | - | 1tpA00-0001Xy-2Z | Ok: queued as 4Z0Xyz",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z => anna <anna@example.com> R=localuser T=local_delivery",
            "exim | anna@example.com | - | delivered | - | - | - | - | - | 1tpA00-0001Xy-2Z | -",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z H=mx.example.com [192.0.2.1]: SMTP error from remote mail server after initial connection: 421 \
             busy",
            "exim | - | - | - | 421 | - | CONN | mx.example.com | - | 1tpA00-0001Xy-2Z | busy",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z ** anna@example.com R=d T=lmtp: LMTP error after RCPT TO:<anna@example.com>: 552 5.2.2 full",
            "exim | anna@example.com | - | failed | 552 | 5.2.2 | RCPT | - | - | 1tpA00-0001Xy-2Z | full",
        ),
        (
            "2025-03-04 10:11:00 H=out.example.net (helo) [192.0.2.9]:4242 F=<bert@example.net> rejected RCPT <anna@example.com>: relay not \
             permitted",
            "exim | anna@example.com | - | failed | - | - | RCPT | - | - | - | relay not permitted",
        ),
        (
            "2025-03-04 10:11:00 H=[192.0.2.9] F=<> temporarily rejected RCPT <anna@example.com>: greylisted",
            "exim | anna@example.com | - | delayed | - | - | RCPT | - | - | - | greylisted",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z H=c [192.0.2.9] F=<b@example.net> rejected after DATA: 550 5.7.1 spam",
            "exim | - | - | failed | 550 | 5.7.1 | DATA-END | - | - | 1tpA00-0001Xy-2Z | spam",
        ),
        (
            "2025-03-04 10:11:00 H=c [192.0.2.9] rejected EHLO or HELO x_y: syntactically invalid argument(s)",
            "exim | - | - | failed | - | - | EHLO | - | - | - | syntactically invalid argument(s)",
        ),
        (
            "Mar  4 10:11:00 mx1 exim[4711]: 2025-03-04 10:11:00 1tpA00-0001Xy-2Z ** anna@example.com R=d T=r H=mx.example.com [192.0.2.1]: 550 no",
            "exim | anna@example.com | - | failed | 550 | - | - | mx.example.com | mx1 | 1tpA00-0001Xy-2Z | no",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z ** anna@example.com R=d T=r: retry timeout exceeded",
            "exim | anna@example.com | - | failed | - | - | - | - | - | 1tpA00-0001Xy-2Z | retry timeout exceeded",
        ),
        (
            "2025-03-04 10:11:00 1tpA00-0001Xy-2Z ** anna@example.com R=d T=r H=mx.example.com [192.0.2.1]: SMTP timeout while connected to \
             mx.example.com [192.0.2.1] after MAIL FROM:<>: Connection timed out",
            "exim | anna@example.com | - | failed | - | - | MAIL | mx.example.com | - | 1tpA00-0001Xy-2Z | SMTP timeout while connected to \
             mx.example.com [192.0.2.1] after MAIL FROM:<>: Connection timed out",
        ),
    ]);
}

#[test]
fn lines_of_sendmail_are_read() {
    check(&[
        (
            "Mar  4 10:11:23 mx1 sendmail[1]: 5249abc1012345: to=<anna@example.com>,<bert@example.com>, ctladdr=<c@example.net> (1000/1000), \
             delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=120345, relay=mx.example.com. [192.0.2.1], dsn=5.1.1, stat=User unknown",
            "sendmail | anna@example.com | - | failed | - | 5.1.1 | - | mx.example.com | mx1 | 5249abc1012345 | User unknown",
        ),
        (
            "Mar  4 10:11:23 mx1 sm-mta[1]: 5249abc1012345: to=<anna@example.com>, delay=00:00:01, mailer=esmtp, relay=mx.example.com. [192.0.2.1], \
             dsn=4.2.2, stat=Deferred: 452 4.2.2 <anna@example.com>, mailbox full",
            "sendmail | anna@example.com | - | delayed | 452 | 4.2.2 | - | mx.example.com | mx1 | 5249abc1012345 | <anna@example.com>, mailbox full",
        ),
        (
            "Mar  4 10:11:23 mx1 sm-mta[1]: 5249abc1012345: to=<anna@example.com>, mailer=esmtp, relay=mx.example.com., dsn=4.0.0, stat=Deferred: \
             Connection timed out with mx.example.com.",
            "sendmail | anna@example.com | - | delayed | - | 4.0.0 | - | mx.example.com | mx1 | 5249abc1012345 | Connection timed out with \
             mx.example.com.",
        ),
        (
            "Mar  4 10:11:23 mx1 sm-mta[1]: 5249abc1012345: to=anna@example.com, mailer=esmtp, relay=[192.0.2.1] [192.0.2.1], dsn=2.0.0, stat=Sent \
             (250 2.0.0 Ok)",
            "sendmail | anna@example.com | - | delivered | 250 | 2.0.0 | - | 192.0.2.1 | mx1 | 5249abc1012345 | Ok",
        ),
        (
            "Mar  4 10:11:23 mx1 sm-mta[1]: 5249abc1012345: to=<anna@example.com>, mailer=esmtp, relay=mx.example.com. [192.0.2.1], dsn=5.7.1, \
             reply=550 5.7.1 no, not from there, stat=Service unavailable",
            "sendmail | anna@example.com | - | failed | 550 | 5.7.1 | - | mx.example.com | mx1 | 5249abc1012345 | no, not from there",
        ),
        (
            "Mar  4 10:11:23 mx1 sendmail[1]: 5249abc1012345: ruleset=check_rcpt, arg1=<anna@example.com>, relay=c.example.net [192.0.2.9], \
             reject=553 5.3.0 <anna@example.com>... Spam blocked",
            "sendmail | anna@example.com | - | failed | 553 | 5.3.0 | RCPT | - | mx1 | 5249abc1012345 | <anna@example.com>... Spam blocked",
        ),
        (
            "Mar  4 10:11:23 mx1 sendmail[1]: ruleset=check_relay, arg1=c.example.net, arg2=192.0.2.9, relay=c.example.net [192.0.2.9], \
             reject=421 4.3.2 Too many open connections.",
            "sendmail | - | - | delayed | 421 | 4.3.2 | CONN | - | mx1 | - | Too many open connections.",
        ),
        (
            "Mar  4 10:11:23 mx1 sendmail[1]: 5249abc1012345: Milter: to=<anna@example.com>, reject=451 4.7.1 Greylisting in action",
            "sendmail | anna@example.com | - | delayed | 451 | 4.7.1 | RCPT | - | mx1 | 5249abc1012345 | Greylisting in action",
        ),
    ]);
}

#[test]
fn lines_of_opensmtpd_are_read() {
    check(&[
        (
            "Mar  4 10:11:23 mx1 smtpd[1]: 8f9a1b2c3d4e5f60 mta delivery evpid=1a2b3c4d5e6f7081 from=<bert@example.net> to=<anna@example.com> rcpt=<-> \
             source=\"192.0.2.9\" relay=\"192.0.2.1 (mx.example.com)\" delay=1s result=\"PermFail\" stat=\"550 5.1.1 \"anna\" unknown\"",
            "opensmtpd | anna@example.com | - | failed | 550 | 5.1.1 | - | mx.example.com | mx1 | 1a2b3c4d5e6f7081 | \"anna\" unknown",
        ),
        (
            "Mar  4 10:11:23 mx1 smtpd[1]: 8f9a mta event=delivery evpid=1a2b from=<> to=<anna@example.com> rcpt=<info@example.org> source=\"-\" \
             relay=\"192.0.2.1\" delay=4m result=\"TempFail\" stat=\"Network error on destination MXs\"",
            "opensmtpd | anna@example.com | for info@example.org | delayed | - | - | - | 192.0.2.1 | mx1 | 1a2b | Network error on destination MXs",
        ),
        (
            "Mar  4 10:11:23 mx1 smtpd[1]: 8f9a mda delivery evpid=1a2b from=<> to=<anna@example.com> rcpt=<-> user=anna delay=0s result=Ok stat=Delivered",
            "opensmtpd | anna@example.com | - | delivered | - | - | - | - | mx1 | 1a2b | Delivered",
        ),
        (
            "Mar  4 10:11:23 mx1 smtpd[1]: 8f9a smtp failed-command command=\"RCPT TO:<anna@example.com>\" result=\"550 Invalid recipient: \
             <anna@example.com>\"",
            "opensmtpd | anna@example.com | - | failed | 550 | - | RCPT | - | mx1 | - | Invalid recipient: <anna@example.com>",
        ),
    ]);
}

#[test]
fn lines_of_haraka_are_read() {
    check(&[
        (
            "2025-03-04T10:11:23.000Z [NOTICE] [1A2B3C.1.1] [outbound] bouncing mail: 550 5.1.1 <anna@example.com> unknown",
            "haraka | anna@example.com | - | failed | 550 | 5.1.1 | - | - | - | 1A2B3C.1.1 | <anna@example.com> unknown",
        ),
        (
            "[NOTICE] [1A2B3C.1.1] [outbound] recipient <anna@example.com> deferred: 450 4.2.0 greylisted",
            "haraka | anna@example.com | - | delayed | 450 | 4.2.0 | RCPT | - | - | 1A2B3C.1.1 | greylisted",
        ),
        (
            "[NOTICE] [1A2B3C.1.1] [outbound] delivered file=1741_1741_0_1.out domain=example.com host=mx.example.com ip=192.0.2.1 port=25 mode=SMTP \
             tls=Y auth=N response=\"250 Ok\" delay=1.2 fails=0 rcpts=1/0/0",
            "haraka | - | - | delivered | 250 | - | - | mx.example.com | - | 1A2B3C.1.1 | Ok",
        ),
        (
            "Mar  4 10:11:23 mx1 haraka[1]: [NOTICE] [1A2B3C.1] [core] hook=rcpt plugin=rcpt_to.in_host_list function=hook_rcpt \
             params=\"<anna@example.com>\" retval=DENY msg=\"I cannot deliver mail for that\"",
            "haraka | anna@example.com | - | failed | - | - | RCPT | - | - | 1A2B3C.1 | I cannot deliver mail for that",
        ),
        (
            r#"{"level":"NOTICE","uuid":"1A2B3C.1.1","source":"outbound","message":"bouncing mail: 554 5.7.1 no"}"#,
            "haraka | - | - | failed | 554 | 5.7.1 | - | - | - | 1A2B3C.1.1 | no",
        ),
    ]);
}

#[test]
fn records_of_kumomta_are_read() {
    check(&[
        (
            r#"{"type":"Bounce","id":"1a2b","sender":"b@example.net","recipient":"anna@example.com","queue":"example.com","size":7,
               "response":{"code":550,"enhanced_code":{"class":5,"subject":1,"detail":1},"content":"unknown\nsee https://example.com","command":"RCPT TO:<anna@example.com>\r\n"},
               "peer_address":{"name":"mx.example.com.","addr":"192.0.2.1"},"timestamp":1741083083,"bounce_classification":"InvalidRecipient"}"#,
            "kumomta | anna@example.com | - | failed | 550 | 5.1.1 | RCPT | mx.example.com | - | 1a2b | unknown see https://example.com",
        ),
        (
            r#"{"type":"TransientFailure","id":"1a2b","recipient":["anna@example.com","bert@example.com"],"response":{"code":451,"enhanced_code":null,"content":"busy","command":null},"peer_address":{"name":"","addr":"192.0.2.1"}}"#,
            "kumomta | anna@example.com | - | delayed | 451 | - | - | 192.0.2.1 | - | 1a2b | busy",
        ),
        (
            r#"{"type":"Delivery","id":"1a2b","recipient":"anna@example.com","response":{"code":250,"enhanced_code":{"class":2,"subject":0,"detail":0},"content":"Ok","command":"."}}"#,
            "kumomta | anna@example.com | - | delivered | 250 | 2.0.0 | DATA-END | - | - | 1a2b | Ok",
        ),
        (
            r#"{"type":"Reception","id":"1a2b","recipient":"anna@example.com","response":{"code":250,"enhanced_code":null,"content":"","command":null}}"#,
            "kumomta | anna@example.com | - | - | 250 | - | - | - | - | 1a2b | -",
        ),
    ]);
}

const TRACKED: &str = "2025-03-04T10:11:23.456Z,192.0.2.9,c.example.net,192.0.2.1,ex1.example.com,,Default,ROUTING,FAIL,42,<m@example.net>,0a1b,\
                       anna@example.com,\"[{LRT=};{LED=550 5.1.1 RESOLVER.ADR.RecipNotFound; \"\"not found\"\"};{FQDN=mx.example.com};{IP=192.0.2.1}]\",\
                       4711,1,,,\"Hello, Anna\",bert@example.net,,,Incoming,,,,";

#[test]
fn lines_of_exchange_are_read() {
    check(&[
        (
            TRACKED,
            "exchange | anna@example.com | - | failed | 550 | 5.1.1 | - | mx.example.com | - | m@example.net | RESOLVER.ADR.RecipNotFound; \"not \
             found\"",
        ),
        (
            "2025-03-04T10:11:23.456Z,,,,ex1.example.com,,,SMTP,DEFER,42,<m@example.net>,0a1b,anna@example.com,[{LED=421 4.4.2 Connection dropped \
             [LastAttemptedServerName=mx.example.com] [LastAttemptedIP=192.0.2.1:25]}],4711,1,,,Hello,bert@example.net",
            "exchange | anna@example.com | - | delayed | 421 | 4.4.2 | - | mx.example.com | - | m@example.net | Connection dropped \
             [LastAttemptedServerName=mx.example.com] [LastAttemptedIP=192.0.2.1:25]",
        ),
        (
            "2012-03-04T10:11:23.456Z,,,,ex1.example.com,,,ROUTING,FAIL,42,<m@example.net>,anna@example.com;bert@example.com,550 5.1.1 \
             RESOLVER.ADR.RecipNotFound; not found;550 5.1.1 other,4711,2,,,Hello,c@example.net",
            "exchange | anna@example.com | - | failed | 550 | 5.1.1 | - | - | - | m@example.net | RESOLVER.ADR.RecipNotFound",
        ),
        (
            "#Fields: date-time,event-id,recipient-address,recipient-status\n2025-03-04T10:11:23.456Z,FAIL,anna@example.com,[{LED=};{MSG=554 5.7.1 \
             no}]",
            "exchange | anna@example.com | - | failed | 554 | 5.7.1 | - | - | - | - | no",
        ),
        (
            "2025-03-04T10:11:23.456Z,,,192.0.2.1,mx.example.com,,,SMTP,SEND,42,<m@example.net>,0a1b,anna@example.com,250 2.1.5 Recipient OK,4711,1",
            "exchange | anna@example.com | - | delivered | 250 | 2.1.5 | - | mx.example.com | - | m@example.net | Recipient OK",
        ),
    ]);
    let mut log = LogReader::default();
    assert!(log.read("#Software: Microsoft Exchange Server").is_none());
    assert!(log.read("#Fields: date-time,recipient-status,recipient-address,event-id").is_none());
    let line = log.read("2025-03-04T10:11:23.456Z,552 5.2.2 full,anna@example.com,FAIL").expect("a failure");
    assert_eq!(line.report.recipient.as_deref(), Some("anna@example.com"));
    assert_eq!(line.report.reply.map(|reply| reply.code.number()), Some(552));
}

/// What a reader makes of lines that belong together.
fn told_in_turn(lines: &[&str]) -> Vec<Option<String>> {
    let mut reader = LogReader::default();
    lines.iter().map(|line| reader.read(line).as_ref().map(told)).collect()
}

#[test]
fn lines_of_qmail_are_read() {
    check(&[
        (
            "@40000000656f0a1b2c3d4e5f delivery 7: failure: 192.0.2.25_does_not_like_recipient./Remote_host_said:_550_5.1.1_User_unknown/\
             Giving_up_on_192.0.2.25./",
            "qmail | - | - | failed | 550 | 5.1.1 | RCPT | 192.0.2.25 | - | - | User unknown",
        ),
        (
            "Mar  4 10:11:23 out1 qmail: 1741083083.123456 delivery 8: deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/",
            "qmail | - | - | delayed | - | 4.4.1 | - | - | - | - | Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)",
        ),
        (
            "@40000000656f0a1b2c3d4e5f delivery 9: failure: Connected_to_192.0.2.25_but_sender_was_rejected./Remote_host_said:_550-5.7.1_no:_see/\
             550_5.7.1_https://example.com/why/",
            "qmail | - | - | failed | 550 | 5.7.1 | MAIL | 192.0.2.25 | - | - | no: see https://example.com/why",
        ),
        (
            "2025-03-04 10:11:23.000000 delivery 10: success: 192.0.2.25_accepted_message./Remote_host_said:_250_2.0.0_OK/",
            "qmail | - | - | delivered | 250 | 2.0.0 | DATA-END | 192.0.2.25 | - | - | OK",
        ),
    ]);
    let lines = [
        "@40000000656f0a1b00000000 starting delivery 7: msg 42 to remote anna@example.com",
        "@40000000656f0a1b00000000 starting delivery 8: msg 43 to local bert@example.net",
        "@40000000656f0a1b00000001 delivery 8: success: did_1+0+0/",
        "@40000000656f0a1b00000002 delivery 7: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/",
        "@40000000656f0a1b00000003 delivery 7: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/",
    ];
    let failed = |recipient: &str| {
        Some(format!("qmail | {recipient} | - | failed | - | 5.1.1 | - | - | - | - | Sorry, no mailbox here by that name. (#5.1.1)"))
    };
    let delivered = Some("qmail | bert@example.net | - | delivered | - | - | - | - | - | - | did 1+0+0".to_owned());
    assert_eq!(told_in_turn(&lines), [None, None, delivered, failed("anna@example.com"), failed("-")]);
}

#[test]
fn lines_of_courier_dovecot_and_amavis_are_read() {
    check(&[
        (
            "Mar  4 10:11:23 out1 courieresmtp: id=00012345.65000000.00000123,from=<bert@example.net>,addr=<anna@example.com>: 550 User unknown",
            "courier | anna@example.com | - | failed | 550 | - | - | - | out1 | 00012345.65000000.00000123 | User unknown",
        ),
        (
            "Mar  4 10:11:23 out1 courieresmtp: id=0001,from=<bert@example.net>,addr=<anna@example.com>,size=724,success: delivered: \
             mx.example.com [192.0.2.25]",
            "courier | anna@example.com | - | delivered | - | - | - | mx.example.com | out1 | 0001 | -",
        ),
        (
            "Mar  4 10:11:23 mx1 courieresmtpd: error,relay=::ffff:192.0.2.9,from=<bert@example.net>,to=<anna@example.com>: 450 4.2.0 Greylisted",
            "courier | anna@example.com | - | delayed | 450 | 4.2.0 | - | - | mx1 | - | Greylisted",
        ),
        (
            "Mar  4 10:11:23 mx1 dovecot: lmtp(anna@example.com)<12><x>: msgid=<1@example.net>: save failed to INBOX: Quota exceeded (mailbox for \
             user is full)",
            "dovecot | anna@example.com | - | failed | - | - | - | - | mx1 | 1@example.net | Quota exceeded (mailbox for user is full)",
        ),
        (
            "Mar  4 10:11:23 mx1 dovecot: lmtp(12): Error: lmtp-server: conn unix:pid=1,uid=1 [1]: rcpt anna@example.com: Failed to lookup user \
             anna@example.com: 550 5.1.1 <anna@example.com> User doesn't exist",
            "dovecot | anna@example.com | - | failed | 550 | 5.1.1 | RCPT | - | mx1 | - | <anna@example.com> User doesn't exist",
        ),
        (
            "Mar  4 10:11:23 mx1 dovecot: lda(anna): sieve: msgid=<1@example.net>: stored mail into mailbox 'INBOX'",
            "dovecot | anna | - | delivered | - | - | - | - | mx1 | 1@example.net | -",
        ),
        (
            "Mar  4 10:11:23 mx1 amavis[12]: (00123-01) Blocked SPAM {RejectedInbound}, [192.0.2.9]:40000 <bert@example.net> -> <anna@example.com>, \
             Queue-ID: 4Z0Abc, Hits: 12.3, size: 1234, 800 ms",
            "amavis | anna@example.com | - | failed | - | - | DATA-END | - | mx1 | 4Z0Abc | Blocked SPAM {RejectedInbound}",
        ),
    ]);
    for line in [
        "Mar  4 10:11:23 mx1 amavis[12]: (00123-01) Passed CLEAN {RelayedInbound}, [192.0.2.9] <bert@example.net> -> <anna@example.com>, 800 ms",
        "Mar  4 10:11:23 mx1 dovecot: imap-login: Login: user=<anna>, method=PLAIN",
        "Mar  4 10:11:23 out1 courieresmtp: id=0001,from=<bert@example.net>,addr=<anna@example.com>,status: failure",
    ] {
        assert_eq!(read(line), None, "{line}");
    }
}

#[test]
fn accounting_of_powermta_is_read_with_its_columns_or_the_usual_ones() {
    let record = "b,2025-03-04 10:11:00+0000,2025-03-04 10:10:59+0000,bert@example.net,anna@example.com,,failed,5.1.1 (bad destination mailbox \
                  address),\"smtp;550 5.1.1 \"\"anna\"\", unknown\",mx.example.com (192.0.2.25),bad-mailbox,smtp";
    let expected = "powermta | anna@example.com | - | failed | 550 | 5.1.1 | - | mx.example.com | - | - | \"anna\", unknown";
    check(&[
        (record, expected),
        (
            "t,2025-03-04 10:11:00+0000,2025-03-04 10:10:59+0000,bert@example.net,anna@example.com,rfc822;info@example.org,delayed,4.4.1 (no answer \
             from host),,mx.example.com (192.0.2.25),no-answer-from-host,smtp",
            "powermta | anna@example.com | for rfc822;info@example.org | delayed | - | 4.4.1 | - | mx.example.com | - | - | 4.4.1 (no answer from host)",
        ),
    ]);
    let header = "type,timeLogged,rcpt,dsnStatus,dsnDiag";
    let short = "rb,2025-03-04 10:11:00+0000,anna@example.com,5.2.2 (mailbox full),smtp;552 5.2.2 full";
    let found = told_in_turn(&[header, short]);
    assert_eq!(found, [None, Some("powermta | anna@example.com | - | failed | 552 | 5.2.2 | - | - | - | - | full".to_owned())]);
}

#[test]
fn protocol_logs_of_exchange_tell_which_command_was_refused() {
    let line = |number: u8, event: &str, data: &str| {
        format!("2025-03-04T10:11:00.000Z,Outbound,08D0A1B2,{number},203.0.113.5:40000,192.0.2.25:25,{event},{data},")
    };
    let lines = [
        "#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context".to_owned(),
        line(0, "+", ""),
        line(1, ">", "MAIL FROM:<bert@example.net> SIZE=1234"),
        line(2, ">", "RCPT TO:<anna@example.com>"),
        line(3, "<", "250 2.1.0 Sender OK"),
        line(4, "<", "550 5.1.1 User unknown"),
        line(5, ">", "QUIT"),
        "2025-03-04T10:11:00.000Z,MAIL01\\Default,08D0A1B3,5,192.0.2.1:25,192.0.2.9:40000,>,421 4.3.2 Service not available,".to_owned(),
    ];
    let found = told_in_turn(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let refused = Some("exchange | anna@example.com | - | failed | 550 | 5.1.1 | RCPT | 192.0.2.25 | - | - | User unknown".to_owned());
    let busy = Some("exchange | - | - | delayed | 421 | 4.3.2 | - | - | 192.0.2.1 | - | Service not available".to_owned());
    assert_eq!(found, [None, None, None, None, None, refused, None, busy]);
}

#[test]
fn lines_are_read_however_a_container_keeps_them() {
    let line = "Mar  4 10:11:23 out1 postfix/smtp[1]: 4Z0Abc: to=<anna@example.com>, relay=mx.example.com[192.0.2.1]:25, dsn=5.1.1, status=bounced \
                (host mx.example.com[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command))";
    let plain = read(line);
    assert!(plain.is_some());
    let docker = serde_json::json!({ "log": format!("{line}\n"), "stream": "stdout", "time": "2025-03-04T10:11:23Z" }).to_string();
    let shipped = serde_json::json!({ "message": line, "host": "collector" }).to_string();
    for kept in [format!("mail-1  | {line}"), format!("2025-03-04T10:11:23.000000000Z stdout F {line}"), docker, shipped] {
        assert_eq!(read(&kept), plain, "{kept}");
    }
    // JSON in JSON is not followed.
    assert_eq!(read(&serde_json::json!({ "log": "{\"log\": 1}" }).to_string()), None);
}

#[test]
fn lines_without_reply_reason_or_outcome_are_left_alone() {
    for line in [
        "",
        " ",
        "hello",
        "550 5.1.1 user unknown",
        "5.1.1",
        "-> RCPT TO:<anna@example.com>",
        "The status=bounced of yesterday",
        "{}",
        "{\"a\":1}",
        "[1,2]",
        "{\"type\":\"Feedback\",\"id\":\"1\"}",
        "#Fields: a,b",
        "Mar  4 10:11:23 mx1 postfix/smtpd[1]: connect from unknown[192.0.2.9]",
        "Mar  4 10:11:23 mx1 postfix/qmgr[1]: 4Z0Abc: from=<b@example.net>, size=4711, nrcpt=1 (queue active)",
        "Mar  4 10:11:23 mx1 postfix/qmgr[1]: 4Z0Abc: removed",
        "Mar  4 10:11:23 mx1 postfix/bounce[1]: 4Z0Abc: sender non-delivery notification: 4Z0Xyz",
        "Mar  4 10:11:23 mx1 postfix/smtpd[1]: NOQUEUE: reject_warning: RCPT from c[192.0.2.9]: 554 5.7.1 no; from=<> to=<a@example.com> proto=SMTP",
        "Mar  4 10:11:23 mx1 sshd[1]: Accepted publickey for anna",
        "2025-03-04 10:11:00 1tpA00-0001Xy-2Z <= bert@example.net H=c [192.0.2.9] P=esmtps S=4711",
        "2025-03-04 10:11:00 1tpA00-0001Xy-2Z Completed",
        "2025-03-04 10:11:00 Start queue run: pid=4711",
        "2025-03-04 10:11:00 ** a heading: of another program",
        "2025-03-04 10:11:00 ERROR order rejected by the shop: no money",
        "Mar  4 10:11:23 mx1 postfix/smtp[1]: warning: something: odd",
        "Mar  4 10:11:23 mx1 sendmail[1]: 5249abc1012345: from=<b@example.net>, size=4711, class=0, nrcpts=1, relay=c [192.0.2.9]",
        "Mar  4 10:11:23 mx1 sendmail[1]: 5249abc1012345: to=<anna@example.com>, mailer=esmtp, pri=1, stat=queued",
        "Mar  4 10:11:23 mx1 smtpd[1]: 8f9a smtp connected address=192.0.2.9 host=c.example.net",
        "2025-03-04T10:11:23.000Z [INFO] [1A2B3C.1.1] [outbound] Attempting to deliver to: mx.example.com:25",
        "2025-03-04T10:11:23.456Z,,,,ex1,,,SMTP,RECEIVE,42,<m@example.net>,0a1b,anna@example.com,,4711,1",
    ] {
        assert_eq!(read(line), None, "{line}");
    }
}

#[test]
fn long_lines_are_bounded() {
    let long = "x".repeat(LIMIT - 1000);
    for start in [
        "Mar  4 10:11:23 mx1 postfix/smtp[1]: 4Z0Abc: to=<anna@example.com>, relay=mx[192.0.2.1]:25, dsn=5.0.0, status=bounced (host mx[192.0.2.1] said: 550-",
        "Mar  4 10:11:23 mx1 postfix/smtp[1]: 4Z0Abc: to=<",
        "2025-03-04 10:11:00 1tpA00-0001Xy-2Z ** anna@example.com: ",
        "2025-03-04 10:11:00 1tpA00-0001Xy-2Z ** \"",
        "Mar  4 10:11:23 mx1 sendmail[1]: 5249abc: to=<anna@example.com>, dsn=5.1.1, stat=",
        "Mar  4 10:11:23 mx1 smtpd[1]: 8f9a mta delivery to=<anna@example.com> result=\"PermFail\" stat=\"550 ",
        "[NOTICE] [1A2B3C.1.1] [outbound] bouncing mail: 550 ",
        "2025-03-04T10:11:23.456Z,,,,ex1,,,SMTP,FAIL,42,<m>,0a1b,a@example.com,",
    ] {
        for filling in [long.as_str(), &long.replace('x', " 550-"), &long.replace("xx", "é")] {
            let line: String = format!("{start}{filling}").chars().take(LIMIT / 4).collect();
            if let Some(read) = read(&line) {
                let report = read.report;
                assert!(report.diagnostic.len() <= 4096 && report.recipient.unwrap_or_default().len() <= 1024, "{start}");
                assert!(report.reply.is_none_or(|reply| reply.raw.len() < 1 << 16), "{start}");
            }
        }
    }
    assert_eq!(read(&format!("2025-03-04 10:11:00 1tpA00-0001Xy-2Z ** a@example.com: {}", "x".repeat(LIMIT))), None);
}

#[test]
fn the_answered_command_is_known_by_every_name() {
    for (text, verb) in [
        ("RCPT TO command", Some(Verb::Rcpt)),
        ("MAIL FROM:<a@example.com>", Some(Verb::Mail)),
        ("end of DATA command", Some(Verb::DataEnd)),
        ("end of data", Some(Verb::DataEnd)),
        ("pipelined DATA", Some(Verb::Data)),
        ("initial connection", Some(Verb::Connect)),
        ("initial server greeting", Some(Verb::Connect)),
        ("EHLO handshake", Some(Verb::Ehlo)),
        ("Sunday", None),
    ] {
        assert_eq!(words::verb(text), verb, "{text}");
    }
}

/// Pieces that lines are made of, so that what is made up at random goes deep.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "Mar  4 10:11:23 mx1 postfix/smtp[1]: ",
        "postfix/smtpd[1]: NOQUEUE: reject: RCPT from ",
        "2025-03-04 10:11:00 ",
        "1tpA00-0001Xy-2Z ",
        "** ",
        "== ",
        "sendmail[1]: ",
        "smtpd[1]: ",
        "[NOTICE] [x] [outbound] bounced ",
        "2025-03-04T10:11:23.456Z,",
        ",,,,,,,,FAIL,",
        "to=<",
        ">, ",
        "status=bounced (",
        " said: ",
        "550-",
        "550 5.1.1 ",
        "\\n550 ",
        " (in reply to ",
        "stat=",
        "result=\"",
        "reject=",
        "\"",
        "<22>1 ",
        "é\u{0}\u{1b}",
        "=",
        ": ",
        "; from=<",
        "{\"type\":\"Bounce\",\"response\":{\"code\":",
        "rejected ",
        " after ",
        "H=mx [",
        "]",
        "{LED=",
        "}",
        "starting delivery 7: msg 1 to remote ",
        "delivery 7: failure: ",
        "Remote_host_said:_550_",
        "/",
        "b,2025-03-04 10:11:00+0000,",
        "type,timeLogged,",
        "x,y,0,a:1,b:2,<,",
        "courieresmtp: id=1,addr=<",
        "courieresmtpd: error,",
        "dovecot: lmtp(",
        "msgid=<1>: save failed to INBOX: ",
        " rcpt ",
        "amavis[1]: Blocked SPAM, ",
        " -> <",
    ]);
    prop::collection::vec(prop_oneof![piece.prop_map(str::to_owned), "[ -~é\n]{0,8}".prop_map(|text| text)], 0..12)
        .prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn no_line_is_too_odd(line in pieces()) {
        if let Some(line) = read(&line) {
            prop_assert!(line.report.diagnostic.len() <= 4096 && !line.report.diagnostic.contains('\n'));
        }
    }

    #[test]
    fn no_text_is_too_odd(line in "\\PC{0,200}") {
        let _ = read(&line);
    }
}
