//! Condenses the files of rules to what a reply is first held against: whose they are, and the words that lead to each rule.
//!
//! A reply needs a few of a thousand rules. What all of them together are scanned for lies in one place then, and the rest of the
//! files is never touched.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new("src/knowledge");
    let list = fs::read_to_string(folder.join("books.rs"))?;
    println!("cargo::rerun-if-changed=src/knowledge/books.rs");
    println!("cargo::rerun-if-changed=src/knowledge/build.rs");
    println!("cargo::rerun-if-changed=src/knowledge/data");
    let mut all = String::new();
    for file in list.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        condense(&fs::read_to_string(folder.join(file))?, &mut all);
    }
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo names no place for what is made"))?;
    fs::write(Path::new(&out).join("books.txt"), all)
}

/// The lines before the first rule; then for each rule where it begins and ends, and its words; then a line with a full stop.
fn condense(text: &str, all: &mut String) {
    let begins: Vec<usize> = text.match_indices("[[rule]]\n").map(|(at, _)| at).collect();
    let head = &text[..begins.first().copied().unwrap_or(text.len())];
    let told = head.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    all.extend(told.flat_map(|line| [line, "\n"]));
    for (place, at) in begins.iter().enumerate() {
        let begin = at + "[[rule]]\n".len();
        let end = begins.get(place + 1).copied().unwrap_or(text.len());
        let _ = writeln!(all, "{begin} {end}");
        let words = text[begin..end].lines().find(|line| line.starts_with("words = "));
        all.extend(words.into_iter().flat_map(|line| [line, "\n"]));
    }
    all.push_str(".\n");
}
