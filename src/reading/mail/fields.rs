//! Fields as reports write them (RFC 3464 §2.1): names in any case, values folded, groups parted by blank lines.

/// One field: its name as written, its value in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) value: String,
}

impl Field<'_> {
    /// Whether it has that name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Its type and what follows it, as in `rfc822; anna@example.com`; no type if none stands there.
    pub(super) fn typed(&self) -> (&str, &str) {
        let type_ends = self.value.find(';').filter(|at| {
            let name = self.value[..*at].trim();
            !name.is_empty() && name.len() < 40 && !name.contains(|c: char| c.is_whitespace() || c == '@')
        });
        match type_ends {
            Some(at) => (self.value[..at].trim(), self.value[at + 1..].trim()),
            None => ("", self.value.trim()),
        }
    }
}

/// What stands in a text with fields.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    Field(Field<'a>),
    /// A blank line, or a line that is no field.
    Break,
}

/// The fields of `text` and the breaks between them, in order.
pub(super) fn items(text: &str) -> impl Iterator<Item = Item<'_>> {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || {
        let line = lines.next()?;
        let named = line.split_once(':').map(|(name, value)| (name.trim(), value));
        let Some((name, value)) =
            named.filter(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        else {
            return Some(Item::Break);
        };
        let mut value = value.trim().to_owned();
        while let Some(more) = lines.next_if(|next| next.starts_with([' ', '\t']) && !next.trim().is_empty()) {
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(more.trim());
        }
        Some(Item::Field(Field { name, value }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_any_case_and_unfolded() {
        let text =
            "Reporting-MTA: dns; mx.example.com\n\nFINAL-RECIPIENT:\n rfc822;anna@example.com\nno field\nDiagnostic-Code: a\n\tb\n c\n";
        let names: Vec<String> = items(text)
            .map(|item| match item {
                Item::Field(field) => format!("{}={:?}", field.name, field.typed()),
                Item::Break => "-".to_owned(),
            })
            .collect();
        let expected = [
            r#"Reporting-MTA=("dns", "mx.example.com")"#,
            "-",
            r#"FINAL-RECIPIENT=("rfc822", "anna@example.com")"#,
            "-",
            r#"Diagnostic-Code=("", "a b c")"#,
        ];
        assert_eq!(names, expected);
    }
}
