//! How many real refusals are read rightly, by the labelled replies beside this repository; skipped where they are not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use smtpprobe::knowledge::Knowledge;
use smtpprobe::smtp::Reply;

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
fn map(folder: &std::path::Path) -> BTreeMap<String, BTreeSet<String>> {
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

#[test]
fn real_replies_are_read_rightly() {
    let Some(folder) = folder() else { return };
    let map = map(&folder);
    let knowledge = Knowledge::english();
    let text = fs::read_to_string(folder.join("replies_dev.jsonl")).expect("readable replies");
    let (mut right, mut all) = (0, 0);
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        if row["label_in_text"] == true {
            continue;
        }
        let Some(words) = row["reply"].as_str() else { continue };
        let Some(reply) = Reply::parse(words) else { continue };
        all += 1;
        let accept: BTreeSet<String> =
            row["reason_accept"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_lowercase).collect();
        let reading = knowledge.read(&reply, None);
        let ours = reading.reason.name();
        let is_right = map.get(&ours).is_some_and(|classes| classes.iter().any(|class| accept.contains(class)));
        right += usize::from(is_right);
        if !is_right && std::env::var_os("SHOW").is_some() {
            eprintln!("{ours} {:?} instead of {accept:?}: {words}", reading.basis);
        }
    }
    eprintln!("replies: {right} of {all}");
}
