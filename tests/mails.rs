//! Made-up mails in the forms that servers use, and what each of them says. The mails lie in `tests/mails/`.

use std::fs;
use std::path::Path;

use smtpprobe::reading::RecipientReport;
use smtpprobe::reading::mail::{looks_like_mail, read};

/// Each mail: its file's name, what it is, and a line for each recipient: recipient, original address, action, reply code, enhanced
/// code, command, host that refused, host that says so.
const MAILS: &[(&str, &str, &[&str])] = &[
    ("answered", "not_a_bounce", &[]),
    ("communigate", "bounce", &["bob@example.net - failed 550 5.1.1 - mx1.example.net -"]),
    ("courier", "bounce", &["bob@example.net - failed 550 5.1.1 RCPT mx1.example.net -"]),
    ("delayed", "bounce", &["bob@example.net - delayed 451 4.7.1 MAIL mx1.example.net -"]),
    ("delivered", "delivered", &["bob@example.net - relayed 250 2.1.9 - mx1.example.net mx.example.com"]),
    ("exchange-report", "bounce", &["bob@example.net - failed 550 5.2.1 - mx1.example.net mx.example.com"]),
    ("exchange", "bounce", &["bob@example.net - failed 550 5.1.1 - - mx.example.com"]),
    (
        "exim",
        "bounce",
        &[
            "bob@example.net - failed 550 5.7.1 RCPT mx1.example.net -",
            "carol@example.org list@example.net failed 552 5.2.2 DATA-END mx2.example.org -",
        ],
    ),
    ("feedback", "feedback", &["bob@example.net - - - - - - -", "carol@example.net - - - - - - -"]),
    (
        "forwarded-twice",
        "bounce",
        &[
            "bob@example.net - failed 550 5.7.1 RCPT mx1.example.net -",
            "carol@example.org list@example.net failed 552 5.2.2 DATA-END mx2.example.org -",
        ],
    ),
    ("forwarded", "not_a_bounce", &[]),
    ("gmail", "bounce", &["bob@example.net - failed 554 5.7.1 - - -"]),
    ("gone", "bounce", &["bob@example.net - failed - - - - -"]),
    ("groupwise", "bounce", &["bob@example.net - failed - - - - -"]),
    ("header-first", "bounce", &["bob@example.net - failed 550 5.1.1 - mx1.example.net -"]),
    ("hmailserver", "bounce", &["bob@example.net - failed 550 5.1.1 RCPT 192.0.2.25 -"]),
    ("mdaemon", "bounce", &["bob@example.net - failed 554 5.7.1 RCPT - -"]),
    ("newsletter", "not_a_bounce", &[]),
    ("notes", "bounce", &["bob@example.net - failed - - - - -"]),
    ("opensmtpd", "bounce", &["bob@example.net - failed 550 5.2.2 - - -"]),
    ("phone", "bounce", &["bob@phone.example - failed 550 - RCPT - -"]),
    (
        "postfix",
        "bounce",
        &[
            "bob@example.net - failed 550 5.1.1 RCPT mx1.example.net mx.example.com",
            "carol@example.org list@example.net failed - 4.4.1 - mx2.example.org mx.example.com",
        ],
    ),
    (
        "qmail",
        "bounce",
        &["bob@example.net - failed 553 5.7.1 RCPT 192.0.2.25 mx.example.com", "carol@example.org - failed - 5.1.2 - - mx.example.com"],
    ),
    (
        "reason-first",
        "bounce",
        &["bob@example.net - failed 552 5.2.2 - 192.0.2.25 -", "carol@example.net - failed 552 5.2.2 - 192.0.2.25 -"],
    ),
    (
        "sendmail",
        "bounce",
        &["bob@example.net - failed 550 5.1.1 RCPT mx1.example.net -", "carol@example.org - failed 554 5.7.1 DATA mx2.example.org -"],
    ),
    ("surfcontrol", "bounce", &["bob@example.net - failed 550 - - 192.0.2.25 -"]),
    ("unicode", "bounce", &["rémi@example.net - failed 550 5.6.7 - - mx.example.com"]),
    ("vacation", "vacation", &["bob@example.net - - - - - - -"]),
];

fn told(report: &RecipientReport) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
    [
        text(&report.recipient),
        text(&report.original),
        report.action.map_or("-", smtpprobe::reading::Action::as_str).to_owned(),
        report.reply.as_ref().map_or_else(|| "-".to_owned(), |reply| reply.code.to_string()),
        report.status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
        report.command.map_or("-", smtpprobe::smtp::Verb::as_str).to_owned(),
        text(&report.remote_host),
        text(&report.reporting_mta),
    ]
    .join(" ")
}

#[test]
fn each_form_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mails");
    for (name, kind, expected) in MAILS {
        let mail = fs::read(folder.join(name).with_extension("eml")).expect(name);
        assert!(looks_like_mail(&mail), "{name}");
        let notice = read(&mail);
        let found: Vec<String> = notice.reports.iter().map(told).collect();
        assert_eq!(
            (notice.kind.as_str(), &found[..]),
            (*kind, &expected.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>()[..]),
            "{name}"
        );
    }
    let files = fs::read_dir(folder).expect("a folder").count();
    assert_eq!(files, MAILS.len(), "each mail stands in the table");
}
