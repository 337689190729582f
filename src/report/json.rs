//! JSON: the contract as it is.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::safe::is_trick;

/// One object; of several reports an array.
///
/// # Errors
/// If a value cannot be written as JSON, which none of ours can cause.
pub fn array<T: Serialize>(reports: &[T]) -> Result<String, serde_json::Error> {
    let text = match reports {
        [one] => serde_json::to_string_pretty(one)?,
        several => serde_json::to_string_pretty(several)?,
    };
    Ok(for_a_terminal(text) + "\n")
}

/// JSON may hold any character but C0; those that a terminal would obey are written as escapes, which means the same.
fn for_a_terminal(json: String) -> String {
    let is_obeyed = |c: char| !c.is_ascii() && is_trick(c);
    if json.is_ascii() || !json.chars().any(is_obeyed) {
        return json;
    }
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_obeyed(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// One object a line.
///
/// # Errors
/// As for [`array()`].
pub fn lines<T: Serialize>(reports: &[T]) -> Result<String, serde_json::Error> {
    reports.iter().map(|report| serde_json::to_string(report).map(|line| for_a_terminal(line) + "\n")).collect()
}

/// The JSON Schema of what is written as `T`, such as a [`Report`](super::Report).
///
/// # Errors
/// As for [`array()`].
pub fn schema<T: JsonSchema>() -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&schemars::schema_for!(T))? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_as_an_escape_of_the_same_meaning() {
        let value = "a\u{9b}31m \u{202e}x \u{e0041} gr\u{fc}\u{df}e";
        let json = array(&[value]).unwrap();
        assert_eq!(json, "\"a\\u009b31m \\u202ex \\udb40\\udc41 gr\u{fc}\u{df}e\"\n");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
    }
}
