//! The form that TXT records of MTA-STS (RFC 8461 §3.1) and TLS-RPT (RFC 8460 §3) share: a version, then `name=value` fields
//! between semicolons.

/// A record longer than this is not read: what it has to say fits into a hundred octets.
const TEXT_LIMIT: usize = 4096;
/// Of a text that is wrong, this many characters are kept to be shown.
const SHOWN: usize = 100;
/// A field's name may have this many octets (`sts-ext-name`, `tlsrpt-ext-name`).
const NAME_LIMIT: usize = 32;

/// Why TXT records say nothing that counts. A sender then takes the domain for one without the policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxtError {
    /// No record is of this kind.
    #[error("there is no record of this kind")]
    Absent,
    /// No record is of this kind, but one seems to be meant so: `v=stsv1;`, a version without a semicolon.
    #[error("{text:?} does not begin with \"{version};\", so it does not count")]
    Misspelt {
        /// How it has to begin, without the semicolon.
        version: &'static str,
        /// The record's beginning.
        text: String,
    },
    /// More than one record is of this kind, so that none counts.
    #[error("there are {0} records of this kind, so none of them counts")]
    Several(usize),
    /// The record has this many octets, more than are read (4096).
    #[error("the record has {0} octets")]
    TooLong(usize),
    /// One field is wrong.
    #[error("{text:?} at octet {at}: {fault}")]
    Field {
        /// Where in the record the field begins, in octets counted from 0.
        at: usize,
        /// The field, or its beginning.
        text: String,
        /// What is wrong.
        fault: FieldFault,
    },
    /// A field that must be there is not.
    #[error("the field {0}= is missing")]
    Missing(&'static str),
}

/// What is wrong with one field of a TXT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldFault {
    /// Nothing stands between two semicolons.
    #[error("nothing stands between two semicolons")]
    Empty,
    /// There is no equals sign.
    #[error("there is no equals sign")]
    NoEquals,
    /// Not a name: a letter or digit, then letters, digits, `_`, `-`, `.`, 32 in all; no blank before the equals sign.
    #[error("the name is none: it has only letters, digits, '_', '-' and '.', at most 32 of them")]
    Name,
    /// A value that is empty or has a blank, an equals sign, a control character or anything beyond ASCII in it.
    #[error("the value is empty or has a character that may not stand there")]
    Value,
    /// Not an id: 1 to 32 letters and digits.
    #[error("an id has 1 to 32 letters and digits and nothing else")]
    Id,
}

/// Joins the strings of one TXT record, without anything between them (RFC 7208 §3.3, RFC 8460 §3).
#[must_use]
pub fn join<S: AsRef<[u8]>>(strings: &[S]) -> Vec<u8> {
    strings.iter().flat_map(AsRef::as_ref).copied().collect()
}

/// One field with its place in the record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// Where it begins, in octets.
    pub(super) at: usize,
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

impl Field<'_> {
    /// Where its value begins, in octets.
    pub(super) const fn value_at(&self) -> usize {
        self.at + self.name.len() + 1
    }

    pub(super) fn wrong(&self, fault: FieldFault) -> TxtError {
        TxtError::Field { at: self.at, text: shown(&format!("{}={}", self.name, self.value)), fault }
    }

    /// Whether the value may stand in a field that nobody knows (`sts-ext-value`).
    pub(super) fn is_extension(&self) -> bool {
        !self.value.is_empty() && self.value.bytes().all(|b| b.is_ascii_graphic() && b != b'=' && b != b';')
    }
}

/// The fields of the one record of this kind; each record given with its strings joined.
pub(super) fn fields<'a, S: AsRef<[u8]>>(version: &'static str, records: &'a [S]) -> Result<Vec<Field<'a>>, TxtError> {
    let record = only(version, records)?;
    if record.len() > TEXT_LIMIT {
        return Err(TxtError::TooLong(record.len()));
    }
    let mut found = Vec::new();
    let mut at = 0;
    let parts: Vec<&[u8]> = record.split(|b| *b == b';').collect();
    let last = parts.len() - 1;
    for (index, part) in parts.into_iter().enumerate() {
        let begin = at;
        at += part.len() + 1;
        // The version was read already, and the record may end in a semicolon.
        let is_blank = part.iter().all(|b| matches!(b, b' ' | b'\t'));
        if index == 0 || (index == last && is_blank) {
            continue;
        }
        let begin = begin + part.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let wrong = |fault| TxtError::Field { at: begin, text: shown(String::from_utf8_lossy(part).trim()), fault };
        if is_blank {
            return Err(wrong(FieldFault::Empty));
        }
        let text = std::str::from_utf8(part).ok().filter(|text| text.is_ascii()).ok_or_else(|| wrong(FieldFault::Value))?;
        let (name, value) = text.trim_matches([' ', '\t']).split_once('=').ok_or_else(|| wrong(FieldFault::NoEquals))?;
        if !is_name(name) {
            return Err(wrong(FieldFault::Name));
        }
        found.push(Field { at: begin, name, value });
    }
    Ok(found)
}

/// The one record that begins with the version; what begins otherwise is passed over.
fn only<'a, S: AsRef<[u8]>>(version: &'static str, records: &'a [S]) -> Result<&'a [u8], TxtError> {
    let begins = |record: &&[u8]| {
        let rest = record.strip_prefix(version.as_bytes());
        rest.is_some_and(|rest| rest.iter().find(|b| !matches!(b, b' ' | b'\t')) == Some(&b';'))
    };
    let of_this_kind: Vec<&[u8]> = records.iter().map(AsRef::as_ref).filter(begins).collect();
    match of_this_kind[..] {
        [record] => Ok(record),
        [] => {
            let meant = records.iter().map(AsRef::as_ref).find(|record| is_meant(version, record));
            Err(meant.map_or(TxtError::Absent, |text| TxtError::Misspelt { version, text: shown(&String::from_utf8_lossy(text)) }))
        }
        _ => Err(TxtError::Several(of_this_kind.len())),
    }
}

/// Whether the record seems to be meant as one of this kind: the version in other letters, in quotes, after a blank, with another
/// number.
fn is_meant(version: &str, record: &[u8]) -> bool {
    let squeezed = |text: &[u8]| -> Vec<u8> {
        let wanted = text.iter().filter(|b| b.is_ascii_alphanumeric());
        wanted.map(u8::to_ascii_lowercase).take(version.len()).collect()
    };
    let kind = squeezed(version.as_bytes());
    squeezed(record).starts_with(kind.strip_suffix(b"1").unwrap_or(&kind))
}

/// Whether it is a field's name (`sts-ext-name`, RFC 8461 §3.1).
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= NAME_LIMIT
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// As much of a text as is worth showing.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
