//! What has to be in a text for a pattern to match there: words that are found faster than the pattern is tried.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

/// So many words of one choice are worth looking for.
const CHOICES: usize = 48;
/// Words below this are nearly everywhere.
const SHORTEST: usize = 2;
/// So many choices of a branch are looked at.
const CLAUSES: usize = 3;

/// Words of which one has to be there.
type Clause = Vec<String>;

/// What a pattern needs, as `needs` reads it; empty where nothing is known.
pub(crate) fn of(pattern: &str) -> String {
    // Letters beyond ASCII are told apart by their size, as the engines do.
    let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
    let Ok(parsed) = parsed else { return String::new() };
    let branches = match parsed.kind() {
        HirKind::Alternation(branches) => branches.iter().map(clauses).collect(),
        _ => vec![clauses(&parsed)],
    };
    if branches.iter().any(Vec::is_empty) {
        return String::new();
    }
    let branch = |clauses: Vec<Clause>| {
        let clauses: Vec<String> = best(clauses).into_iter().map(|clause| clause.join("\u{3}")).collect();
        clauses.join("\u{2}")
    };
    branches.into_iter().map(branch).collect::<Vec<_>>().join("\u{1}")
}

/// Each clause has to be met for the expression to match.
fn clauses(expression: &Hir) -> Vec<Clause> {
    match expression.kind() {
        HirKind::Literal(literal) => word(&literal.0).map(|word| vec![vec![word]]).unwrap_or_default(),
        HirKind::Capture(capture) => clauses(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => clauses(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().flat_map(clauses).collect(),
        HirKind::Alternation(branches) => {
            let one_each: Option<Vec<Clause>> = branches.iter().map(|branch| best(clauses(branch)).into_iter().next()).collect();
            let all: Clause = one_each.unwrap_or_default().concat();
            if all.is_empty() || all.len() > CHOICES { Vec::new() } else { vec![all] }
        }
        _ => Vec::new(),
    }
}

/// The clauses that say most, first the one with the longest words.
fn best(mut clauses: Vec<Clause>) -> Vec<Clause> {
    let shortest = |clause: &Clause| clause.iter().map(String::len).min().unwrap_or_default();
    clauses.sort_by_key(|clause| (std::cmp::Reverse(shortest(clause).min(6)), clause.len()));
    clauses.truncate(CLAUSES);
    clauses
}

/// The literal as it stands in a text in small letters; none if it may stand there otherwise.
fn word(literal: &[u8]) -> Option<String> {
    let word = std::str::from_utf8(literal).ok()?.to_ascii_lowercase();
    (word.len() >= SHORTEST && word == word.to_lowercase() && !word.contains(char::is_control)).then_some(word)
}
