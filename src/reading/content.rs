//! What our own reports tell of a message that went out: `10 of 20 octets`.

use crate::smtp::Event;

/// What stands before it in the report for people.
const LEAD: &str = "the message: ";

/// Reads it as it stands in JSON. Unless it is said, all octets stand for the whole message with its end.
pub(super) fn of_words(text: &str) -> Option<Event> {
    let (octets, ended) = text.strip_suffix(" without their end").map_or((text, true), |octets| (octets, false));
    let (written, of) = octets.strip_suffix(" octets")?.split_once(" of ")?;
    let (written, of) = (written.parse().ok()?, of.parse().ok()?);
    Some(Event::Content { written, of, whole: ended && written == of })
}

/// Reads it as it stands among what a client says.
pub(super) fn of_line(line: &str) -> Option<Event> {
    of_words(line.strip_prefix(LEAD)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::fill;
    use crate::knowledge::Knowledge;

    #[test]
    fn what_a_report_says_of_a_message_is_read_back() {
        let phrases: std::collections::BTreeMap<String, String> = Knowledge::english().phrases("terminal");
        for (text, content) in [
            ("10 of 20 octets", Some(Event::Content { written: 10, of: 20, whole: false })),
            ("20 of 20 octets", Some(Event::Content { written: 20, of: 20, whole: true })),
            ("20 of 20 octets without their end", Some(Event::Content { written: 20, of: 20, whole: false })),
            ("20 of octets", None),
            ("x of 20 octets", None),
        ] {
            assert_eq!(of_words(text), content, "{text}");
            assert_eq!(of_line(&fill(&phrases["content"], |_| Some(text.to_owned()))), content, "{text}");
        }
        assert_eq!(of_line("20 of 20 octets"), None);
    }
}
