//! Where the tables of a data file stand. The build looks for them, so that a program that needs ten of five hundred touches no more.

use std::collections::BTreeMap;
use std::ops::Range;

/// The place of each key's tables in `text`, with their headings. All tables of a key (`[552]`, `[552.at.RCPT]`) stand together.
pub(super) fn places(text: &str) -> BTreeMap<&str, Range<usize>> {
    let mut places: BTreeMap<&str, Range<usize>> = BTreeMap::new();
    let mut current: Option<(&str, usize)> = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if let Some(key) = heading(line)
            && current.is_none_or(|(open, _)| open != key)
            && let Some((open, start)) = current.replace((key, offset))
        {
            places.insert(open, start..offset);
        }
        offset += line.len();
    }
    if let Some((open, start)) = current {
        places.insert(open, start..offset);
    }
    places
}

/// The first part of a table heading's key.
fn heading(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('[')?;
    match inner.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => inner.split(['.', ']']).next().filter(|key| !key.is_empty() && !key.starts_with('[')),
    }
}
