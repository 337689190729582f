//! Making a stranger's text fit for a terminal, in one place.

use std::fmt::Write as _;

/// `text` without anything that could move a cursor, change colours, hide or reorder what is read: control characters (C0, DEL,
/// C1), line and paragraph separators, bidirectional controls and invisible characters become visible escapes.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => safe.push(' '),
            c if c.is_ascii_control() => {
                let _ = write!(safe, "\\x{:02x}", u32::from(c));
            }
            c if is_trick(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Characters beyond ASCII that are controls (C1), or that change how their neighbours are shown.
pub(super) fn is_trick(c: char) -> bool {
    c.is_control()
        || matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_shown_not_obeyed() {
        for (text, shown) in [
            ("550 5.1.1 no \u{1b}[31mred\u{1b}[0m", "550 5.1.1 no \\x1b[31mred\\x1b[0m"),
            ("a\u{9b}31mb", "a\\u{9b}31mb"),
            ("evil\u{202e}txt", "evil\\u{202e}txt"),
            ("a\rb\nc\u{7f}\0", "a\\x0db\\x0ac\\x7f\\x00"),
            ("tab\there", "tab here"),
            ("grüße 日本", "grüße 日本"),
        ] {
            assert_eq!(safe(text), shown);
        }
    }

    proptest! {
        #[test]
        fn no_control_character_is_left(text in ".*") {
            prop_assert!(!safe(&text).chars().any(|c| c.is_control() || is_trick(c)));
        }
    }
}
