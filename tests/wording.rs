//! How many real refusals are read rightly, by the labelled replies beside this repository; skipped where they are not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use smtpprobe::knowledge::Knowledge;
use smtpprobe::reading::{Input, log_line, mail, read};
use smtpprobe::report::explanation::{ExplanationPart, explain};

/// Where the labelled replies, mails and log lines lie.
fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("SMTPPROBE_SHARED").map(PathBuf::from);
    let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = given.unwrap_or(usual).join("bounces");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no {}", folder.display());
    None
}

/// Which of our reasons counts as which class of the corpus.
fn map(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(folder.join("reasons_map.tsv")).expect("a readable map");
    let mut map: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let (Some(ours), Some(theirs)) = (fields.next(), fields.next()) else { continue };
        map.entry(ours.to_owned())
            .or_default()
            .extend(theirs.split(['|', ',', ';', ' ']).filter(|class| !class.is_empty()).map(str::to_lowercase));
    }
    map
}

/// How many are right, of how many.
#[derive(Default)]
struct Score {
    right: u32,
    all: u32,
}

impl Score {
    fn share(&self) -> f64 {
        f64::from(self.right) / f64::from(self.all.max(1))
    }
}

/// What is read, and what it should come to.
struct Judge {
    knowledge: Knowledge,
    map: BTreeMap<String, BTreeSet<String>>,
}

impl Judge {
    fn count(&self, score: &mut Score, row: &Value, part: Option<&ExplanationPart>, name: &str) {
        let classes = row["reason_accept"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let accept: BTreeSet<String> = classes.map(str::to_lowercase).collect();
        let ours = part.map(|part| part.reason.name()).unwrap_or_default();
        let is_right = self.map.get(&ours).is_some_and(|classes| classes.iter().any(|class| accept.contains(class)));
        score.all += 1;
        score.right += u32::from(is_right);
        if !is_right && std::env::var_os("SHOW").is_some() {
            let words = part.map(|part| {
                (part.words.clone(), part.provider.clone(), part.reply.code, part.diagnostic.clone().or(part.reply.text.clone()))
            });
            eprintln!("{name}: {ours} instead of {accept:?}: {words:?}");
        }
    }
}

fn rows(folder: &Path, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(file)).expect(file);
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    // What was provoked to name its class in its words proves nothing.
    rows.filter(|row| row["label_in_text"] != true).collect()
}

#[test]
fn real_refusals_are_read_rightly() {
    let Some(folder) = folder() else { return };
    let judge = Judge { knowledge: Knowledge::english(), map: map(&folder) };

    let mut replies = Score::default();
    for row in rows(&folder, "replies_dev.jsonl") {
        let Ok(input) = read(row["reply"].as_str().unwrap_or_default()) else { continue };
        judge.count(
            &mut replies,
            &row,
            explain(&judge.knowledge, &input, None).explanations.first(),
            row["id"].as_str().unwrap_or_default(),
        );
    }
    let mut lines = Score::default();
    for row in rows(&folder, "loglines_dev.jsonl") {
        let line = row["reply"].as_str().unwrap_or_default();
        let part = log_line::read(line)
            .map(|line| Input::LogLine(Box::new(line)))
            .and_then(|input| explain(&judge.knowledge, &input, None).explanations.into_iter().next());
        judge.count(&mut lines, &row, part.as_ref(), line);
    }
    let mut mails = Score::default();
    for row in rows(&folder, "truth.jsonl").iter().filter(|row| row["kind"] == "bounce") {
        let file = row["file"].as_str().unwrap_or_default();
        let bytes = fs::read(folder.join("corpus").join(file)).expect(file);
        let explanation = explain(&judge.knowledge, &Input::Mail(Box::new(mail::read(&bytes))), None);
        let recipient = row["recipient"].as_str().unwrap_or_default();
        let same = |part: &&ExplanationPart| part.recipient.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(recipient));
        let place = row["index"].as_u64().and_then(|index| usize::try_from(index).ok()).unwrap_or(1) - 1;
        let part = explanation.explanations.iter().find(same).or_else(|| explanation.explanations.get(place));
        judge.count(&mut mails, row, part, file);
    }
    for (name, score, least) in [("mails", &mails, 0.935), ("replies", &replies, 0.9), ("log lines", &lines, 0.89)] {
        eprintln!("{name}: {} of {} have the right reason, {:.1} %", score.right, score.all, 100.0 * score.share());
        assert!(std::env::var_os("SHOW").is_some() || score.share() >= least, "{name}");
    }
}
