//! Made-up mails of many families of software, as an administrator would paste them: what each is, and what is understood of it.
//!
//! They lie in `tests/families/`, one mbox for each kind of sender. Where `tests/mails.rs` holds what a form has to give, these hold how
//! far the reading carries over to forms that nobody tuned it to.

#[path = "families/rows.rs"]
mod rows;

use std::fs;
use std::path::Path;

use smtpprobe::knowledge::Knowledge;
use smtpprobe::reading::{Input, mail};
use smtpprobe::report::explanation::{ExplanationPart, explain};

/// A mail: its name, what it is, and a line for each recipient: recipient, original address, action, reply code, enhanced code, host
/// that refused, reason; of several reasons with `|` between them, each is a fair reading of the words.
type Case = (&'static str, &'static str, &'static [&'static str]);

/// Each mbox, by its file's name, with its mails in their order.
#[rustfmt::skip]
const MAILS: &[(&str, &[Case])] = &[
    (
        "unix",
        &[
            ("exim-autoreply", "bounce", &["bob@example.net - failed - - - system_error"]),
            ("exim-retry-time", "bounce", &["bob@example.net - failed 451 4.7.1 mx1.example.net greylisted|expired", "carol@example.org - failed - - mx.example.org timeout|expired|port_filtered"]),
            ("exim-warning", "bounce", &["bob@example.net - delayed - - mx1.example.net timeout|expired|port_filtered"]),
            ("exim-frozen", "bounce", &["bob@example.net - failed - - - domain_unknown|routing_error|user_unknown"]),
            ("exim-all-hosts", "bounce", &["bob@example.net - failed - - - routing_error|expired|timeout|domain_unknown|host_unreachable"]),
            ("sendmail5", "bounce", &["bob@mx1.example.net - failed 550 - mx1.example.net user_unknown"]),
            ("sendmail8-free", "bounce", &["bob@example.net - failed 552 5.2.2 mx1.example.net mailbox_full", "dave@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("sendmail-warning", "bounce", &["bob@example.net - delayed - - mx1.example.net connection_refused|expired|host_unreachable|undetermined"]),
            ("sendmail-local", "bounce", &["carol@example.com - failed 554 5.3.0 - system_error"]),
            ("qmail-many", "bounce", &["bob@example.net - failed 550 5.7.26 192.0.2.25 auth_checks_failed", "carol@example.org - failed - 5.1.1 - user_unknown", "dora@example.test - failed - 5.1.2 - domain_unknown|dns_failure", "erik@example.net - failed - 4.4.1 - routing_error|timeout|expired|host_unreachable|port_filtered|undetermined"]),
            ("s-qmail", "bounce", &["bob@example.net - failed 554 - 192.0.2.25 ip_blocklisted"]),
            ("indimail", "bounce", &["bob@example.net - failed 550 5.1.1 192.0.2.25 user_unknown"]),
            ("qmail-german", "bounce", &["bob@example.net - failed 550 5.1.1 192.0.2.25 user_unknown"]),
            ("courier-multi", "bounce", &["bob@example.net - failed 550 5.0.0 mx1.example.net user_unknown", "carol@example.net - failed 452 4.0.0 mx1.example.net mailbox_full"]),
            ("james", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown"]),
            ("james-domain", "bounce", &["bob@example.test - failed - - - domain_unknown|routing_error|dns_failure"]),
            ("opensmtpd-delay", "bounce", &["bob@example.net - delayed 421 - - too_many_connections|rate_limited"]),
            ("haraka", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown"]),
            ("fml-loop", "bounce", &["- - failed - - - mail_loop|recipient_restricted|policy_rejected|message_format"]),
            ("mailman-unsub", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("ezmlm-warn", "bounce", &["bob@example.net - failed 550 5.1.1 192.0.2.25 user_unknown"]),
            ("postfix-spanish", "bounce", &["bob@example.es - failed 550 5.1.1 mx1.example.es user_unknown"]),
            ("vpopmail-mailbox-full", "bounce", &["bob@example.net - failed - - - mailbox_full"]),
            ("exim-maildrop", "bounce", &["bob@example.net - failed - - - mailbox_full"]),
            ("stalwart", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown", "carol@example.org - delayed - 4.0.0 mx.example.org timeout|expired|host_unreachable|port_filtered"]),
            ("wildduck", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("exim-tls-auth", "bounce", &["bob@example.net - failed 535 5.7.8 relay.example.com credentials_invalid"]),
            ("exim-german-template", "bounce", &["bob@example.net - failed 550 - mx1.example.net user_unknown"]),
            ("postfix-german-template", "bounce", &["bob@example.net - failed - 5.4.4 - domain_unknown"]),
            ("postfix-smtp-errors", "bounce", &["bob@example.com - failed 550 5.1.1 - user_unknown|relay_denied"]),
            ("mmdf", "bounce", &["bob@example.net - failed - - mx1.example.net user_unknown"]),
            ("pmdf-vms", "bounce", &["bob@example.net - failed - - - domain_unknown"]),
            ("smail", "bounce", &["bob@example.net - failed - - - user_unknown"]),
            ("zmailer", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("mobileme-forward", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("listserv", "bounce", &["- - failed - - - recipient_restricted|policy_rejected"]),
            ("opensmtpd-multi", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown", "carol@example.org - failed - - - domain_unknown|expired|timeout|undetermined|no_mail_service"]),
            ("haraka-free", "bounce", &["bob@example.net - failed - - - timeout|expired|connection_refused|host_unreachable|routing_error"]),
            ("kumomta", "bounce", &["bob@example.net - failed 551 5.4.4 - expired|routing_error|timeout|undetermined"]),
            ("halon", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("exim-smtp-line-too-long", "bounce", &["bob@example.net - failed - - - message_format"]),
            ("exim-forced-fail", "bounce", &["bob@example.net - failed - - - user_disabled|user_moved|user_unknown|policy_rejected"]),
            ("sendmail-program-quota", "bounce", &["carol@example.com - failed 554 5.3.0 - mailbox_full"]),
            ("sendmail-program-unknown", "bounce", &["carol@example.com - failed 554 - - user_unknown"]),
            ("delay-without-cause", "bounce", &["bob@example.net - delayed - 4.4.0 - expired"]),
            ("given-up-with-a-4", "bounce", &["bob@example.net - failed - 4.4.7 - expired"]),
            ("sendmail-program-of-another", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
        ],
    ),
    (
        "exchange",
        &[
            ("exchange55", "bounce", &["bob@example.net - failed - - - user_unknown"]),
            ("exchange2003-german", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown"]),
            ("exchange2003-french", "bounce", &["bob@example.net - failed 554 5.7.1 - relay_denied"]),
            ("exchange2007-japanese", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown"]),
            ("office365-html", "bounce", &["bob@example.net - failed 550 5.7.606 mx1.example.net ip_blocklisted"]),
            ("domino-german", "bounce", &["bob@example.net - failed 550 - mx1.example.net user_unknown"]),
            ("domino-router", "bounce", &["bob@example.net - failed - 5.1.1 - user_unknown"]),
            ("groupwise-report", "bounce", &["bob@example.net - failed 550 - - user_unknown"]),
            ("x400", "bounce", &["bob@example.net - failed - 5.1.1 - user_unknown"]),
            ("exchange2013-spanish", "bounce", &["bob@example.es - failed 550 5.1.10 - user_unknown"]),
            ("exchange2016-delay", "bounce", &["bob@example.net - delayed 451 4.4.4 mx1.example.net dns_failure|routing_error|timeout|undetermined|user_unknown|no_mail_service"]),
            ("o365-portuguese", "bounce", &["bob@example.com.br - failed 550 5.2.2 - mailbox_full"]),
            ("turkish", "bounce", &["bob@example.tr - failed 550 5.1.1 - user_unknown"]),
            ("swedish-exchange", "bounce", &["bob@example.se - failed 550 5.1.1 - user_unknown"]),
            ("lotus-smtp-mta", "bounce", &["bob@example.net - failed - - - user_unknown"]),
            ("gwava", "bounce", &["bob@example.net - failed - - - content_rejected|policy_rejected"]),
            ("exchange-2000", "bounce", &["bob@example.net - failed - 5.1.1 - user_unknown"]),
            ("exchange-mta-x400", "bounce", &["bob@example.net - failed - 5.1.1 - user_unknown|undetermined"]),
            ("o365-dutch", "bounce", &["bob@example.nl - failed 550 5.1.351 - user_unknown|routing_error|domain_unknown|undetermined"]),
            ("o365-chinese", "bounce", &["bob@example.cn - failed 550 5.1.10 - user_unknown"]),
            ("o365-transport-rule", "bounce", &["bob@example.net - failed 550 5.7.1 - policy_rejected|content_rejected|recipient_restricted"]),
            ("korean-o365", "bounce", &["bob@example.kr - failed 550 5.2.2 - mailbox_full"]),
        ],
    ),
    (
        "suites",
        &[
            ("communigate-queue", "bounce", &["bob@example.net - failed 550 5.0.0 - user_unknown"]),
            ("mailenable", "bounce", &["bob@example.net - failed 550 - - user_unknown"]),
            ("mailenable-retries", "bounce", &["bob@example.net - failed - - - expired|timeout|connection_refused|host_unreachable"]),
            ("imail", "bounce", &["bob@example.net - failed - - - mailbox_full"]),
            ("mdaemon-session", "bounce", &["bob@example.net - failed 550 - - policy_rejected|bad_reputation|spam_content"]),
            ("kerio", "bounce", &["bob@example.net - failed 550 5.7.1 mx1.example.net recipient_restricted|policy_rejected|sender_rejected"]),
            ("imta", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("imta-text", "bounce", &["bob@ims-ms-daemon bob@example.net failed - - - mailbox_full"]),
            ("zimbra", "bounce", &["bob@example.net - failed 452 4.2.2 mail.example.com mailbox_full"]),
            ("powermta", "bounce", &["bob@example.net - failed 421 4.7.0 mx1.example.net rate_limited|bad_reputation"]),
            ("momentum", "bounce", &["bob@example.net - failed 550 5.1.1 192.0.2.25 user_unknown"]),
            ("proton", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("axigen", "bounce", &["bob@example.net - failed 550 - mx1.example.net user_unknown"]),
            ("icewarp", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("smartermail", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown"]),
            ("merak-mercury", "bounce", &["bob@example.net - failed 550 - - user_unknown"]),
            ("netscape", "bounce", &["bob@example.net - failed 550 - mx1.example.net user_unknown"]),
            ("intermail-quota", "bounce", &["bob@example.net - failed - - - mailbox_full"]),
            ("proofpoint-undel", "bounce", &["bob@example.net - failed 554 5.4.7 mx1.example.net expired"]),
            ("icloud", "bounce", &["bob@icloud.example - failed 552 5.2.2 - mailbox_full"]),
            ("dbmail", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown"]),
            ("lotus-cc", "bounce", &["bob@example.net - failed - - - user_unknown"]),
            ("novell-german", "bounce", &["bob@example.de - failed 550 5.1.1 - user_unknown"]),
            ("tobit", "bounce", &["bob@example.de - failed 550 - - user_unknown"]),
            ("scalix", "bounce", &["bob builder/example/people bob@example.net failed - 5.1.1 - user_unknown"]),
        ],
    ),
    (
        "gateways",
        &[
            ("mailmarshal", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown|undetermined"]),
            ("mcafee", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown"]),
            ("interscan-block", "bounce", &["bob@example.net - failed - - - spam_content|virus_detected|content_rejected|policy_rejected"]),
            ("barracuda-ndr", "bounce", &["bob@example.net - failed 550 5.7.1 - policy_rejected|spam_content|content_rejected"]),
            ("amavis-banned", "bounce", &["bob@example.net - failed 554 5.7.0 - content_rejected"]),
            ("mimecast", "bounce", &["bob@example.net - failed 550 - - policy_rejected|recipient_restricted|sender_rejected"]),
            ("forcepoint", "bounce", &["bob@example.net - failed - - - content_rejected|policy_rejected"]),
            ("messagelabs", "bounce", &["bob@example.net - failed 550 5.0.0 mx1.example.net user_unknown"]),
            ("cisco-ironport", "bounce", &["bob@example.net - failed - 5.1.2 - domain_unknown|routing_error|dns_failure"]),
            ("ironport-450", "bounce", &["bob@example.net - failed 450 4.7.1 192.0.2.25 greylisted|expired"]),
            ("fortimail", "bounce", &["bob@example.net - failed 550 5.7.1 - spam_content|policy_rejected"]),
            ("sophos", "bounce", &["bob@example.net - failed 554 5.7.1 - virus_detected"]),
            ("nullpath-note", "bounce", &["bob@example.net - failed 550 5.7.1 - policy_rejected|spam_content|content_rejected"]),
        ],
    ),
    (
        "providers",
        &[
            ("googlegroups-post", "bounce", &["list@example.net - failed - - - recipient_restricted|user_unknown"]),
            ("ses-json-complaint", "feedback", &["bob@example.net - - - - - accepted"]),
            ("ses-suppressed", "bounce", &["bob@example.net - failed - 5.1.1 - suppressed"]),
            ("mailgun-report", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown"]),
            ("sendgrid-report", "bounce", &["bob@example.net - failed 550 5.4.1 - user_unknown|recipient_restricted"]),
            ("zoho", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown"]),
            ("yandex-russian", "bounce", &["bob@example.net - failed 550 5.7.1 mx1.example.net policy_rejected|spam_content|user_unknown|recipient_restricted"]),
            ("mailru-russian", "bounce", &["bob@example.net - failed 550 - mx1.example.net user_unknown"]),
            ("aol-text", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown|sender_rejected"]),
            ("gmx-german", "bounce", &["bob@example.net - failed 550 - mx1.example.net user_unknown"]),
            ("libero-italian", "bounce", &["bob@example.it - failed 552 5.2.2 mx1.example.it mailbox_full"]),
            ("sms-gateway", "bounce", &["4915100000000@sms.example - failed - - - user_unknown|undetermined"]),
            ("gmail-tls", "bounce", &["bob@example.net - failed 550 5.7.1 - tls_required|policy_rejected"]),
            ("gmail-spanish", "bounce", &["bob@example.net - failed - - - user_unknown|domain_unknown"]),
            ("workmail", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("polish-wp", "bounce", &["bob@example.pl - failed 550 5.1.1 mx1.example.pl user_unknown"]),
            ("dutch", "bounce", &["bob@example.nl - failed 550 5.1.1 - user_unknown"]),
            ("yahoo-groups", "bounce", &["list@groups.example - failed - - - recipient_restricted|sender_rejected"]),
            ("verizon-vtext", "bounce", &["5551234567@vtext.example - failed 550 - - user_unknown"]),
            ("att-mms", "bounce", &["5551234567@mms.example - failed - - - user_unknown|undetermined"]),
            ("google-workspace-spf", "bounce", &["bob@example.net - failed 550 5.7.26 - auth_checks_failed"]),
            ("gmail-delay-fr", "bounce", &["bob@example.net - delayed - - - dns_failure|timeout|undetermined|domain_unknown|routing_error"]),
            ("czech", "bounce", &["bob@example.cz - failed 550 - - user_unknown"]),
            ("hebrew", "bounce", &["bob@example.il - failed 550 5.1.1 - user_unknown"]),
            ("thai", "bounce", &["bob@example.th - failed 550 5.1.1 - user_unknown"]),
            ("abuse-yahoo", "feedback", &["bob@yahoo.example - - - - - accepted"]),
            ("fbl-plain", "feedback", &["bob@mail.example - - - - - accepted"]),
            ("telenet", "bounce", &["bob@example.be - failed 550 5.1.1 mx1.example.be user_unknown"]),
            ("virgin", "bounce", &["bob@example.co.uk - failed - - - mailbox_full"]),
            ("rediff", "bounce", &["bob@rediff.example - failed - - - user_disabled"]),
            ("uol-portuguese", "bounce", &["bob@uol.example - failed 554 5.7.1 - spam_content|policy_rejected"]),
            ("wanadoo", "bounce", &["bob@wanadoo.example - failed 552 5.2.2 - mailbox_full"]),
            ("mail-ru-html", "bounce", &["bob@example.ru - failed 550 - - user_disabled|user_unknown"]),
        ],
    ),
    (
        "asia",
        &[
            ("docomo", "bounce", &["bob@docomo.example - failed 550 - - user_unknown"]),
            ("softbank-sjis", "bounce", &["bob@softbank.example - failed - - - mailbox_full"]),
            ("nifty", "bounce", &["bob@nifty.example - failed - - - user_unknown"]),
            ("naver-korean", "bounce", &["bob@naver.example - failed 550 5.1.1 - user_unknown"]),
            ("netease-gb", "bounce", &["bob@example.cn - failed 550 - mx1.example.cn user_unknown"]),
            ("au-ezweb-variant", "bounce", &["bob@ezweb.example - failed 550 - - user_unknown"]),
            ("biglobe", "bounce", &["bob@biglobe.example - failed - - - mailbox_full"]),
            ("sakura-jp", "bounce", &["bob@example.jp - failed 550 5.1.1 - user_unknown"]),
            ("qq-chinese", "bounce", &["bob@example.cn - failed 550 - mx1.example.cn user_unknown"]),
        ],
    ),
    (
        "forms",
        &[
            ("arf-dmarc", "feedback", &["bob@example.net - - - - - accepted"]),
            ("success", "delivered", &["bob@example.net - delivered 250 2.6.0 mx1.example.net accepted"]),
            ("mixed-outcome", "bounce", &["bob@example.net - relayed - 2.0.0 mx1.example.net accepted", "carol@example.org - failed 550 5.1.10 mx2.example.org user_unknown", "dora@example.org - delayed - 4.4.1 mx2.example.org timeout|host_unreachable|expired|port_filtered|undetermined"]),
            ("rfc6533", "bounce", &["bøb@exämple.net - failed 550 5.6.7 mx1.example.net feature_unsupported"]),
            ("signed-report", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("utf16", "bounce", &["bob@example.net - failed 550 5.1.1 - user_unknown"]),
            ("no-boundary", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("base64-report", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("unsubscribe-verp", "bounce", &["bob@example.net - failed - 5.0.0 - undetermined"]),
            ("dsn-no-blank-line", "bounce", &["bob@example.net - failed 552 5.2.2 mx1.example.net mailbox_full"]),
            ("csv-attached", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("lf-only-cr", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("truncated", "bounce", &["bob@example.net - failed 552 5.2.2 mx1.example.net mailbox_full"]),
            ("dsn-expanded", "delivered", &["list@example.net - expanded - 2.1.5 - accepted"]),
            ("dsn-text-success", "delivered", &["bob@example.net - delivered - - - accepted"]),
            ("gateway-wrapped", "bounce", &["bob@example.net - failed 550 5.1.1 mx1.example.net user_unknown"]),
            ("dsn-lowercase-fields", "bounce", &["bob@example.net - failed 550 5.7.1 mx1.example.net spam_content|policy_rejected|content_rejected|undetermined"]),
            ("status-smtp-code", "bounce", &["bob@example.net - failed 421 5.0.0 - timeout|expired|undetermined|service_unavailable|rate_limited"]),
        ],
    ),
    (
        "others",
        &[
            ("vacation-de", "vacation", &["bob@example.de - - - - - accepted"]),
            ("vacation-fr", "vacation", &["bob@example.fr - - - - - accepted"]),
            ("vacation-jp", "vacation", &["bob@example.jp - - - - - accepted"]),
            ("vacation-unix", "vacation", &["bob@example.net - - - - - accepted"]),
            ("vacation-domino", "vacation", &["bob@example.net - - - - - accepted"]),
            ("ticket", "vacation", &["support@example.net - - - - - accepted"]),
            ("challenge", "vacation", &["bob@example.net - - - - - accepted"]),
            ("mdn", "not_a_bounce", &[]),
            ("mdn-deleted", "not_a_bounce", &[]),
            ("calendar", "not_a_bounce", &[]),
            ("quoting", "not_a_bounce", &[]),
            ("attached-by-person", "not_a_bounce", &[]),
            ("newsletter-unsubscribe-reply", "not_a_bounce", &[]),
            ("invoice-null-path", "not_a_bounce", &[]),
            ("shop-delivery-failed", "not_a_bounce", &[]),
            ("cron-null", "not_a_bounce", &[]),
            ("dmarc-aggregate", "not_a_bounce", &[]),
            ("tls-report", "not_a_bounce", &[]),
            ("ebay-proxy", "not_a_bounce", &[]),
            ("mailman-held", "vacation", &["news-bounces@lists.example.org - - - - - accepted"]),
            ("sendmail-vacation", "vacation", &["bob@example.net - - - - - accepted"]),
            ("left-company", "vacation", &["bob@example.net - - - - - accepted"]),
            ("quoted-in-reply-daemon", "not_a_bounce", &[]),
            ("oof-exchange-german", "vacation", &["bob@example.de - - - - - accepted"]),
            ("oof-italian", "vacation", &["bob@example.it - - - - - accepted"]),
            ("oof-polish", "vacation", &["bob@example.pl - - - - - accepted"]),
            ("oof-gmail", "vacation", &["bob@gmail.example - - - - - accepted"]),
            ("order", "not_a_bounce", &[]),
            ("postmaster-report", "not_a_bounce", &[]),
        ],
    ),
];

fn told(part: &ExplanationPart) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
    let reason = serde_json::to_value(part.reason).expect("a name");
    [
        text(&part.recipient),
        text(&part.original_recipient),
        text(&part.action),
        part.reply.code.map_or_else(|| "-".to_owned(), |code| code.to_string()),
        text(&part.reply.enhanced),
        text(&part.remote_host),
        reason.as_str().expect("a string").to_owned(),
    ]
    .join(" ")
}

/// Whether a row is what the table has, with any of its reasons.
fn fits(found: &str, row: &str) -> bool {
    let (Some((fields, reason)), Some((told, reasons))) = (found.rsplit_once(' '), row.rsplit_once(' ')) else { return false };
    fields == told && reasons.split('|').any(|known| known == reason)
}

/// The mails of an mbox with the names that stand in the lines before them.
fn mails(folder: &Path, name: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(folder.join(name).with_extension("mbox")).expect(name);
    let mut mails: Vec<(String, Vec<u8>)> = Vec::new();
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if let Some(rest) = line.strip_prefix(b"From ") {
            let name = String::from_utf8_lossy(rest).split(' ').next().unwrap_or_default().to_owned();
            mails.push((name, Vec::new()));
        } else if let Some((_, mail)) = mails.last_mut() {
            mail.extend_from_slice(line);
        }
    }
    mails
}

#[test]
fn each_family_is_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/families");
    let knowledge = Knowledge::english();
    let mut wrong = Vec::new();
    for (file, cases) in MAILS.iter().chain(rows::ROWS) {
        let mails = mails(&folder, file);
        let names: Vec<&str> = mails.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, cases.iter().map(|(name, ..)| *name).collect::<Vec<_>>(), "{file}");
        for ((_, bytes), (name, kind, rows)) in mails.iter().zip(*cases) {
            assert!(mail::looks_like_mail(bytes), "{file} {name}");
            let explanation = explain(&knowledge, &Input::Mail(Box::new(mail::read(bytes))), None);
            let found: Vec<String> = explanation.explanations.iter().map(told).collect();
            let value = serde_json::to_value(explanation.kind).expect("a name");
            let all_fit = found.len() == rows.len() && found.iter().zip(*rows).all(|(found, row)| fits(found, row));
            if value != *kind || !all_fit {
                wrong.push(format!("{file} {name}: {value} {found:#?}, not {kind} {rows:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let files = fs::read_dir(folder).expect("a folder").flatten().filter(|file| file.path().extension().is_some_and(|end| end == "mbox"));
    assert_eq!(files.count(), MAILS.len() + rows::ROWS.len(), "each mbox stands in a table");
}
