//! The part of a long text that tells why, for a page.

/// So many characters before the words that decided are shown with them.
const BEFORE: usize = 100;

/// At most `most` characters of `text`, with `words` among them where they stand in it; rules drawn of one sign are left out. What was cut
/// off is marked.
pub(super) fn excerpt(text: &str, words: Option<&str>, most: usize) -> String {
    let text = text.split(' ').filter(|word| !is_rule(word)).collect::<Vec<_>>().join(" ");
    let lower = text.to_ascii_lowercase();
    let at = words.and_then(|words| lower.find(&words.to_ascii_lowercase())).unwrap_or_default();
    let is_far = text[..at].chars().count() > most / 2;
    let from = if is_far { text[..at].char_indices().rev().nth(BEFORE).map_or(0, |(at, _)| at) } else { 0 };
    // A whole word comes first.
    let from = if from == 0 { 0 } else { text[from..at].find(' ').map_or(from, |blank| from + blank + 1) };
    let rest = &text[from..];
    let end = rest.char_indices().nth(most).map(|(end, _)| end);
    let before = if from == 0 { "" } else { "\u{2026} " };
    let after = if end.is_none() { "" } else { " \u{2026}" };
    format!("{before}{}{after}", end.map_or(rest, |end| rest[..end].trim_end()))
}

/// Whether a word is nothing but a line across the page.
fn is_rule(word: &str) -> bool {
    let mut signs = word.chars();
    let first = signs.next();
    word.len() >= 5 && first.is_some_and(|first| "=-_*#~+.".contains(first)) && signs.all(|sign| Some(sign) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decided_is_seen() {
        let junk = "This notice was made by a machine. ".repeat(20);
        let late = format!("{junk}<anna@example.com>: Mailbox Full, go away. {junk}");
        for (text, words, shown) in [
            ("short", None, "short".to_owned()),
            ("===== Routing: no way ======", Some("no way"), "Routing: no way".to_owned()),
            (late.as_str(), None, format!("{} \u{2026}", late.chars().take(400).collect::<String>().trim_end())),
            ("ü", Some("ä"), "ü".to_owned()),
            ("", Some("full"), String::new()),
        ] {
            assert_eq!(excerpt(text, words, 400), shown);
        }
        let shown = excerpt(&late, Some("mailbox full"), 400);
        assert!(shown.starts_with("\u{2026} ") && shown.ends_with(" \u{2026}") && shown.contains("Mailbox Full"), "{shown}");
        assert!(shown.chars().count() <= 404, "{shown}");
        let wide = format!("{}voll", "ß".repeat(900));
        assert!(excerpt(&wide, Some("voll"), 400).contains("voll"));
    }
}
