//! How much of real log lines comes out right: those of the corpus of bounces, where it lies beside the repository.
//!
//! The lines were rebuilt around real replies by whoever made the corpus. What does not stand in a line (some replies had lost
//! their codes before) cannot be read out of it and is not counted.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use smtpprobe::reading::log_line;

/// So much has to be right, of each value.
const SHARE: f64 = 0.95;

#[derive(Deserialize)]
struct Line {
    id: String,
    mta: String,
    reply: String,
    recipient: String,
    code: String,
    enhanced: String,
    rhost: String,
    action: String,
}

fn shared() -> PathBuf {
    std::env::var_os("SMTPPROBE_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
}

/// Rights among all that could be right.
#[derive(Default)]
struct Count {
    right: usize,
    all: usize,
}

impl Count {
    fn add(&mut self, line: &Line, what: &str, found: Option<&str>, expected: &str) {
        self.all += 1;
        if found.unwrap_or_default() == expected {
            self.right += 1;
        } else {
            println!("{} {what}: {found:?} instead of {expected:?}\n    {}", line.id, line.reply);
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a few hundred lines")]
    fn share(&self) -> f64 {
        self.right as f64 / self.all.max(1) as f64
    }
}

#[test]
fn the_lines_of_the_corpus_are_read() {
    let path = shared().join("bounces/loglines_dev.jsonl");
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("skipped: {} cannot be read", path.display());
        return;
    };
    let names = ["software", "recipient", "code", "enhanced code", "host", "action"];
    let mut counts: [Count; 6] = Default::default();
    for line in text.lines().map(|line| serde_json::from_str::<Line>(line).expect("a line of the corpus")) {
        let read = log_line::read(&line.reply);
        let report = read.as_ref().map(|read| &read.report);
        let code = report.and_then(|report| report.reply.as_ref()).map(|reply| reply.code.to_string());
        // Without one in the reply, Postfix makes up a status that tells the class alone.
        let status = report.and_then(|report| report.status).map(|status| status.to_string());
        let status = status.filter(|status| !(line.enhanced.is_empty() && status.ends_with(".0.0")));
        let there = line.reply.contains(&format!(" {} ", line.code));
        let found = [
            read.as_ref().map(|read| read.software),
            report.and_then(|report| report.recipient.as_deref()),
            code.as_deref(),
            status.as_deref(),
            report.and_then(|report| report.remote_host.as_deref()),
            report.and_then(|report| report.action).map(|action| action.as_str()),
        ];
        let expected = [&line.mta, &line.recipient, &line.code, &line.enhanced, &line.rhost, &line.action];
        for (place, count) in counts.iter_mut().enumerate() {
            if names[place] != "code" || there {
                count.add(&line, names[place], found[place], expected[place]);
            }
        }
    }
    for (name, count) in names.iter().zip(&counts) {
        println!("{name}: {} of {}", count.right, count.all);
        assert!(count.share() >= SHARE, "{name}: {} of {}", count.right, count.all);
    }
}
