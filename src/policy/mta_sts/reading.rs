//! Reads the text of a policy (RFC 8461 §3.2), line by line.

use std::collections::BTreeSet;

use super::super::txt;
use super::{MAX_AGE_LIMIT, Mode, MxPattern, Policy, PolicyError, PolicyErrorKind, PolicyNote, PolicyNoteKind, SIZE_LIMIT};

/// The keys that the RFC knows.
const KEYS: [&str; 4] = ["version", "mode", "max_age", "mx"];
/// Errors and notes are kept up to this many.
const KEPT: usize = 20;

/// Reads a policy; of what is wrong, everything.
pub(super) fn policy(body: &[u8]) -> Result<Policy, Vec<PolicyError>> {
    let whole = |kind| Err(vec![PolicyError { line: None, kind }]);
    if body.len() > SIZE_LIMIT {
        return whole(PolicyErrorKind::TooLong(body.len()));
    }
    if body.trim_ascii().is_empty() {
        return whole(PolicyErrorKind::Empty);
    }
    if body.trim_ascii_start().starts_with(b"<") {
        return whole(PolicyErrorKind::WebPage);
    }
    if [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| body.starts_with(mark)) {
        return Err(vec![PolicyError { line: Some(1), kind: PolicyErrorKind::ByteOrderMark }]);
    }
    let mut draft = Draft::default();
    // The last line may end in a line break, or not.
    let lines = body.strip_suffix(b"\n").unwrap_or(body).split(|b| *b == b'\n');
    for (index, line) in lines.enumerate() {
        if draft.errors.len() >= KEPT {
            break;
        }
        draft.line(index + 1, line.strip_suffix(b"\r").unwrap_or(line));
    }
    draft.finish()
}

/// A policy being read. Of a key that stands there several times, the first counts, even if its value is wrong.
#[derive(Default)]
struct Draft {
    seen: BTreeSet<&'static str>,
    mode: Option<Mode>,
    max_age: Option<u32>,
    mx: Vec<MxPattern>,
    known: BTreeSet<String>,
    fields: usize,
    errors: Vec<PolicyError>,
    notes: Vec<PolicyNote>,
}

impl Draft {
    fn wrong(&mut self, line: usize, kind: PolicyErrorKind) {
        self.errors.push(PolicyError { line: Some(line), kind });
    }

    fn note(&mut self, line: usize, kind: PolicyNoteKind) {
        if self.notes.len() < KEPT {
            self.notes.push(PolicyNote { line, kind });
        }
    }

    /// Whether the key is there for the first time.
    fn is_first(&mut self, line: usize, key: &'static str) -> bool {
        let first = self.seen.insert(key);
        if !first {
            self.note(line, PolicyNoteKind::Repeated(key.to_owned()));
        }
        first
    }

    /// A line that cannot be read names its key all the same, which is then not missing as well.
    fn garbled(&mut self, line: &[u8]) {
        for part in line.split(|b| *b == b'\r').map(<[u8]>::trim_ascii_start) {
            let end = part.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_').unwrap_or(part.len());
            self.seen.extend(KEYS.into_iter().find(|known| known.as_bytes() == &part[..end]));
        }
    }

    fn line(&mut self, number: usize, line: &[u8]) {
        if let Some(control) = line.iter().find(|b| b.is_ascii_control() && **b != b'\t') {
            self.garbled(line);
            return self.wrong(number, PolicyErrorKind::Control(*control));
        }
        let Ok(line) = std::str::from_utf8(line) else {
            self.garbled(line);
            return self.wrong(number, PolicyErrorKind::NotUtf8);
        };
        let line = line.trim_end_matches([' ', '\t']);
        if line.is_empty() {
            return self.note(number, PolicyNoteKind::EmptyLine);
        }
        let Some((key, value)) = line.split_once(':') else {
            self.garbled(line.as_bytes());
            return self.wrong(number, PolicyErrorKind::NoColon(txt::shown(line)));
        };
        if !txt::is_name(key) {
            self.garbled(line.as_bytes());
            return self.wrong(number, PolicyErrorKind::Key(txt::shown(key)));
        }
        let value = value.trim_start_matches([' ', '\t']);
        self.fields += 1;
        if value.is_empty() {
            self.garbled(line.as_bytes());
            return self.wrong(number, PolicyErrorKind::NoValue(key.to_owned()));
        }
        self.field(number, key, value);
    }

    fn field(&mut self, number: usize, key: &str, value: &str) {
        match key {
            "version" if self.is_first(number, "version") => {
                if value != "STSv1" {
                    self.wrong(number, PolicyErrorKind::Version(txt::shown(value)));
                }
                if self.fields > 1 {
                    self.note(number, PolicyNoteKind::VersionNotFirst);
                }
            }
            "mode" if self.is_first(number, "mode") => {
                self.mode = [Mode::Enforce, Mode::Testing, Mode::None].into_iter().find(|mode| mode.as_str() == value);
                if self.mode.is_none() {
                    self.wrong(number, PolicyErrorKind::Mode(txt::shown(value)));
                }
            }
            "max_age" if self.is_first(number, "max_age") => match max_age(value) {
                Ok(seconds) => self.max_age = Some(seconds),
                Err(kind) => self.wrong(number, kind),
            },
            "mx" => self.mx(number, value),
            "version" | "mode" | "max_age" => {}
            unknown => self.note(number, PolicyNoteKind::UnknownKey(unknown.to_owned())),
        }
    }

    fn mx(&mut self, number: usize, value: &str) {
        self.seen.insert("mx");
        match value.parse::<MxPattern>() {
            Err(error) => self.wrong(number, PolicyErrorKind::Mx { text: txt::shown(value), error }),
            Ok(pattern) if !self.known.insert(pattern.to_string()) => self.note(number, PolicyNoteKind::RepeatedMx(pattern)),
            Ok(pattern) => {
                if pattern.wildcard && !pattern.name.is_qualified() {
                    self.note(number, PolicyNoteKind::Broad(pattern.clone()));
                }
                self.mx.push(pattern);
            }
        }
    }

    fn finish(mut self) -> Result<Policy, Vec<PolicyError>> {
        if self.errors.len() >= KEPT {
            self.errors.truncate(KEPT - 1);
            self.errors.push(PolicyError { line: None, kind: PolicyErrorKind::More });
            return Err(self.errors);
        }
        let missing = ["version", "mode", "max_age"].into_iter().filter(|key| !self.seen.contains(key)).map(PolicyErrorKind::Missing);
        let no_mx = !self.seen.contains("mx") && self.mode.is_some_and(|mode| mode != Mode::None);
        let whole = missing.chain(no_mx.then_some(PolicyErrorKind::NoMx)).map(|kind| PolicyError { line: None, kind });
        self.errors.extend(whole);
        self.errors.truncate(KEPT);
        match (self.mode, self.max_age) {
            (Some(mode), Some(max_age)) if self.errors.is_empty() => Ok(Policy { mode, max_age, mx: self.mx, notes: self.notes }),
            _ => Err(self.errors),
        }
    }
}

/// One to ten digits, up to the limit (§3.2).
fn max_age(text: &str) -> Result<u32, PolicyErrorKind> {
    let not_a_number = || PolicyErrorKind::MaxAge(txt::shown(text));
    if !(1..=10).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(not_a_number());
    }
    let seconds: u64 = text.parse().map_err(|_| not_a_number())?;
    u32::try_from(seconds).ok().filter(|seconds| *seconds <= MAX_AGE_LIMIT).ok_or(PolicyErrorKind::MaxAgeTooLarge(seconds))
}
