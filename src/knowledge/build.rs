//! Condenses the files of rules to what a reply is first held against: whose they are, and the words that lead to each rule; and notes
//! where each entry of the other files stands.
//!
//! A reply needs a few of a thousand rules. What all of them together are scanned for lies in one place then, with its index, and the
//! rest of the files is never touched.

// The program finds words by it; here its chains are laid.
#[path = "headings.rs"]
mod headings;
#[allow(dead_code, reason = "nothing is looked for here")]
#[path = "index.rs"]
mod index;
#[path = "literals.rs"]
mod literals;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new("src/knowledge");
    let list = fs::read_to_string(folder.join("books.rs"))?;
    for input in ["books.rs", "build.rs", "headings.rs", "index.rs", "literals.rs", "data"] {
        println!("cargo::rerun-if-changed=src/knowledge/{input}");
    }
    let mut condensed = Condensed::default();
    for file in list.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        condensed.add(&fs::read_to_string(folder.join(file))?);
    }
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo names no place for what is made"))?;
    fs::write(Path::new(&out).join("condensed.rs"), condensed.source())?;
    let mut places = String::new();
    for name in SHELVES {
        places.push_str(&shelf(name, &fs::read_to_string(folder.join(format!("data/{name}.toml")))?));
    }
    fs::write(Path::new(&out).join("places.rs"), places)
}

/// The files whose entries are read one by one.
const SHELVES: [&str; 7] = ["codes", "enhanced", "findings", "lists", "phrases", "private", "reasons"];

/// Where the entries of one stand.
fn shelf(name: &str, text: &str) -> String {
    let (mut keys, mut entries) = (String::new(), String::new());
    for (key, place) in headings::places(text) {
        let _ = write!(entries, "({}, {}, {}),", keys.len(), place.start, place.end);
        keys.push_str(key);
    }
    let name = name.to_uppercase();
    format!("pub(super) static {name}: Places = Places {{ keys: {keys:?}, entries: &[{entries}] }};\n")
}

/// What a file says before its rules, where each rule stands in it, and what its pattern needs.
struct Book {
    head: String,
    rules: Vec<(usize, usize, String)>,
}

/// All files.
#[derive(Default)]
struct Condensed {
    books: Vec<Book>,
    /// Each word with its book and rule; without a rule it marks the book.
    words: Vec<(String, usize, Option<usize>)>,
    wordless: Vec<(usize, usize)>,
}

impl Condensed {
    fn add(&mut self, text: &str) {
        let place = self.books.len();
        let begins: Vec<usize> = text.match_indices("[[rule]]\n").map(|(at, _)| at).collect();
        let head = &text[..begins.first().copied().unwrap_or(text.len())];
        let told = head.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let (marks, head): (Vec<&str>, Vec<&str>) = told.partition(|line| line.starts_with("text = "));
        self.words.extend(marks.iter().flat_map(|line| strings(line)).map(|mark| (mark.to_owned(), place, None)));
        let mut rules = Vec::new();
        for (number, at) in begins.iter().enumerate() {
            let begin = at + "[[rule]]\n".len();
            let end = begins.get(number + 1).copied().unwrap_or(text.len());
            let pattern = text[begin..end].lines().find_map(|line| line.strip_prefix("pattern = '")?.strip_suffix('\''));
            rules.push((begin, end, pattern.map(literals::of).unwrap_or_default()));
            let words = text[begin..end].lines().find(|line| line.starts_with("words = "));
            let before = self.words.len();
            self.words.extend(words.iter().flat_map(|line| strings(line)).map(|word| (word.to_owned(), place, Some(number))));
            if self.words.len() == before {
                self.wordless.push((place, number));
            }
        }
        self.books.push(Book { head: head.join("\n"), rules });
    }

    /// The same as tables of the program.
    fn source(&self) -> String {
        let index = index::Index::of(self.words.iter().map(|(word, ..)| word.as_str()));
        // A word that leads to several rules stands there once.
        let (mut text, mut places) = (String::new(), HashMap::new());
        let mut source = String::new();
        let mut write = |line: String| source.push_str(&line);
        write(format!("pub(in crate::knowledge) static WORDS: [Word; {}] = [", self.words.len()));
        for (word, book, rule) in &self.words {
            let at = *places.entry(word).or_insert_with(|| {
                text.push_str(word);
                text.len() - word.len()
            });
            let (length, rule) = (word.len(), rule.map_or("u16::MAX".to_owned(), |rule| rule.to_string()));
            write(format!("Word {{ at: {at}, length: {length}, book: {book}, rule: {rule} }},"));
        }
        write(format!("];\npub(in crate::knowledge) static TEXT: &str = {text:?};\n"));
        write(format!("pub(in crate::knowledge) static FILTER: [u64; {}] = {:?};\n", index.filter.len(), index.filter));
        write(format!("pub(in crate::knowledge) static HEADS: [u16; {}] = {:?};\n", index.heads.len(), index.heads));
        write(format!("pub(in crate::knowledge) static NEXT: [u16; {}] = {:?};\n", index.next.len(), index.next));
        write(format!("pub(in crate::knowledge) static WORDLESS: [(u16, u16); {}] = {:?};\n", self.wordless.len(), self.wordless));
        write(format!("pub(in crate::knowledge) static SCANS: [Scan; {}] = [", self.books.len()));
        let mut all_needs = String::new();
        for Book { head, rules } in &self.books {
            let mut places = String::new();
            for (begin, end, needs) in rules {
                let (at, length) = (all_needs.len(), needs.len());
                all_needs.push_str(needs);
                let _ = write!(places, "Place {{ begin: {begin}, end: {end}, needs: ({at}, {length}) }},");
            }
            write(format!("Scan {{ head: {head:?}, rules: &[{places}] }},\n"));
        }
        write(format!("];\npub(in crate::knowledge) static NEEDS: &str = {all_needs:?};\n"));
        source
    }
}

/// The strings of a line's value: `["a", "b"]` or `"a"`, without escapes.
fn strings(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}
