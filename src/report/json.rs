//! JSON: the contract as it is.

use schemars::JsonSchema;
use serde::Serialize;

/// One object; of several reports an array.
///
/// # Errors
/// If a value cannot be written as JSON, which none of ours can cause.
pub fn array<T: Serialize>(reports: &[T]) -> Result<String, serde_json::Error> {
    let text = match reports {
        [one] => serde_json::to_string_pretty(one)?,
        several => serde_json::to_string_pretty(several)?,
    };
    Ok(text + "\n")
}

/// One object a line.
///
/// # Errors
/// As for [`array()`].
pub fn lines<T: Serialize>(reports: &[T]) -> Result<String, serde_json::Error> {
    reports.iter().map(|report| serde_json::to_string(report).map(|line| line + "\n")).collect()
}

/// The JSON Schema of what is written as `T`, such as a [`Report`](super::Report).
///
/// # Errors
/// As for [`array()`].
pub fn schema<T: JsonSchema>() -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&schemars::schema_for!(T))? + "\n")
}
