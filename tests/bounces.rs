//! Real bounce mails against what they are known to hold. The mails are not part of this repository: they lie in `../shared/bounces`
//! beside it, or below the folder that `SMTPPROBE_SHARED` names; without them there is nothing to do, and that is said.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;
use smtpprobe::reading::RecipientReport;
use smtpprobe::reading::mail::{Notice, NoticeKind, looks_like_mail, read};

/// The folder with the mails; none, with the reason on standard error, if there is none.
fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("SMTPPROBE_SHARED");
    let shared = named.as_ref().map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = shared.join("bounces");
    if folder.join("truth.jsonl").is_file() {
        return Some(folder);
    }
    let must = named.is_some() && std::env::var_os("SMTPPROBE_TESTS_MUST_RUN").is_some_and(|value| value == "1");
    assert!(!must, "{} has no truth.jsonl", folder.display());
    eprintln!("skipped: there are no mails in {}", folder.display());
    None
}

/// One thing that is counted.
struct Count {
    name: &'static str,
    right: usize,
    wrong: Vec<String>,
    left_out: usize,
}

impl Count {
    const fn new(name: &'static str) -> Self {
        Self { name, right: 0, wrong: Vec::new(), left_out: 0 }
    }

    /// Counts a row, or that it was left out.
    fn add_if(&mut self, counts: bool, row: &Value, expected: &str, found: &str) {
        if counts {
            self.add(row, expected, found);
        } else {
            self.left_out += 1;
        }
    }

    fn add(&mut self, row: &Value, expected: &str, found: &str) {
        if expected.eq_ignore_ascii_case(found) {
            self.right += 1;
        } else {
            self.wrong.push(format!("{} {}: {expected:?}, not {found:?}", row["file"].as_str().unwrap_or_default(), row["index"]));
        }
    }

    fn share(&self) -> f64 {
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        count(self.right) / count((self.right + self.wrong.len()).max(1))
    }
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

/// The report that a row of the truth is about.
fn report<'a>(notice: &'a Notice, row: &Value) -> Option<&'a RecipientReport> {
    let recipient = text(row, "recipient");
    let index = row["index"].as_u64().and_then(|index| usize::try_from(index).ok()).unwrap_or(1).saturating_sub(1);
    let is_about = |report: &&RecipientReport| {
        [&report.recipient, &report.original].into_iter().flatten().any(|name| name.eq_ignore_ascii_case(recipient))
    };
    notice.reports.iter().find(is_about).or_else(|| notice.reports.get(index))
}

#[test]
fn real_bounces_are_read() {
    let Some(folder) = folder() else { return };
    let rows = fs::read_to_string(folder.join("truth.jsonl")).expect("the truth");
    let [mut kind, mut recipient, mut code, mut enhanced] =
        [Count::new("kind"), Count::new("recipient"), Count::new("reply code"), Count::new("enhanced code")];
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).expect("JSON");
        let mail = fs::read(folder.join("corpus").join(text(&row, "file"))).expect("a mail");
        assert!(looks_like_mail(&mail), "{}", row["file"]);
        let notice = read(&mail);
        kind.add(&row, &text(&row, "kind").replace('-', "_"), notice.kind.as_str());
        if notice.kind == NoticeKind::NotABounce && text(&row, "kind") == "not-a-bounce" {
            assert!(notice.reports.is_empty());
            continue;
        }
        let report = report(&notice, &row);
        // Where a message was led on from one address to another, the truth names either.
        let names = report.into_iter().flat_map(|report| [&report.recipient, &report.original]).flatten();
        let expected = text(&row, "recipient");
        let found = names.clone().find(|name| name.eq_ignore_ascii_case(expected)).or_else(|| names.clone().next());
        let found = found.map(String::as_str).unwrap_or_default();
        let in_mail = |field: &str| row["in_mail"][field] == true;
        recipient.add_if(in_mail("recipient"), &row, expected, found);
        let found = report.and_then(|report| report.reply.as_ref()).map(|reply| reply.code.to_string()).unwrap_or_default();
        code.add_if(in_mail("replycode"), &row, text(&row, "replycode"), &found);
        let found = report.and_then(|report| report.status).map(|status| status.to_string()).unwrap_or_default();
        let stands = in_mail("deliverystatus") && row["status_synthetic"] != true;
        enhanced.add_if(stands, &row, text(&row, "deliverystatus"), &found);
    }
    let counts = [kind, recipient, code, enhanced];
    for count in &counts {
        let all = count.right + count.wrong.len();
        println!("{}: {} of {all}, {:.1} %, {} left out", count.name, count.right, count.share() * 100.0, count.left_out);
        for wrong in &count.wrong {
            println!("  {wrong}");
        }
    }
    for count in &counts {
        assert!(count.share() >= 0.99, "{}: {:.3}", count.name, count.share());
    }
}

/// How many mails a second; only where the compiler did its best, since the number says nothing otherwise.
#[test]
#[cfg_attr(debug_assertions, ignore = "a number for release builds")]
fn they_are_read_fast() {
    let Some(folder) = folder() else { return };
    let rows = fs::read_to_string(folder.join("truth.jsonl")).expect("the truth");
    let mut names: Vec<String> = rows.lines().map(|row| text(&serde_json::from_str(row).expect("JSON"), "file").to_owned()).collect();
    names.dedup();
    let mails: Vec<Vec<u8>> = names.iter().map(|name| fs::read(folder.join("corpus").join(name)).expect("a mail")).collect();
    let start = Instant::now();
    let mut reports = 0;
    for _ in 0..20 {
        reports += mails.iter().map(|mail| read(mail).reports.len()).sum::<usize>();
    }
    let each = start.elapsed() / u32::try_from(mails.len() * 20).expect("few mails");
    println!("{reports} reports, {each:?} a mail, {:.0} mails a second", 1.0 / each.as_secs_f64());
}
