//! Tables of the configuration file for destinations that `bulk` treats otherwise than the rest.
//!
//! ```toml
//! [destination."*.example.net"]
//! rate = 5
//! connections = 1
//! ```

use smtpprobe::bulk::overrides::{Override, Overrides, Pattern};
use toml::de::{DeTable, DeValue};

use super::super::args::duration;
use super::super::bulk::{count, rate};

/// The name of the tables.
pub(super) const TABLE: &str = "destination";

/// What can stand in one.
const FIELDS: &str = "rate, connections, recipients-per-session, recipients-per-transaction, retries, retry-after";

/// What is wrong, and where it begins in the file.
pub(super) struct Mistake {
    pub(super) at: usize,
    pub(super) what: String,
}

/// The tables of `text`, which is TOML; none if there is none.
pub(super) fn read(text: &str) -> Result<Overrides, Mistake> {
    let mut overrides = Overrides::default();
    let Ok(file) = DeTable::parse(text) else { return Ok(overrides) };
    let Some((_, tables)) = file.get_ref().iter().find(|(name, _)| name.get_ref() == TABLE) else { return Ok(overrides) };
    let example = format!("[{TABLE}.\"mx.example.net\"]");
    let DeValue::Table(entries) = tables.get_ref() else {
        return Err(Mistake { at: tables.span().start, what: format!("{TABLE} should be tables such as {example}") });
    };
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    for (name, entry) in entries {
        let place = format!("{TABLE}.\"{}\"", name.get_ref());
        let wrong = |at: usize, what: String| Mistake { at, what };
        let DeValue::Table(fields) = entry.get_ref() else {
            return Err(wrong(name.span().start, format!("{place} should be a table such as {example}")));
        };
        if let Some((inner, _)) = fields.iter().find(|(_, value)| matches!(value.get_ref(), DeValue::Table(_))) {
            return Err(wrong(inner.span().start, format!("{place}: a name with dots stands in quotes, as in {example}")));
        }
        let pattern: Pattern = name.get_ref().parse().map_err(|error| wrong(name.span().start, format!("{place}: {error}")))?;
        let mut change = Override::default();
        for (field, value) in fields {
            set(&mut change, field.get_ref(), value.get_ref())
                .map_err(|what| wrong(field.span().start, format!("{place}.{}: {what}", field.get_ref())))?;
        }
        if !overrides.add(pattern, change) {
            return Err(wrong(name.span().start, format!("{place} stands there twice")));
        }
    }
    Ok(overrides)
}

/// Takes one field as the option of the same meaning would be taken.
fn set(change: &mut Override, field: &str, value: &DeValue<'_>) -> Result<(), String> {
    let value = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        _ => return Err("it should be a number, or a text".to_owned()),
    };
    match field {
        "rate" => change.rate = Some(rate(&value)?.0),
        "connections" => change.connections = Some(count(&value)?),
        "recipients-per-session" => change.session = Some(count(&value)?),
        "recipients-per-transaction" => change.transaction = Some(count(&value)?),
        "retries" => change.retries = Some(value.parse().map_err(|_| "it should be a number from 0 on".to_owned())?),
        "retry-after" => change.retry_after = Some(duration(&value)?),
        _ => return Err(format!("there is no such field; there are {FIELDS}")),
    }
    Ok(())
}

/// A line number for a place in `text`; the first line is 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
