//! A code by itself: `552`, `5.2.2`, `x.2.2`.

use std::fmt;

use super::ReadingError;
use crate::smtp::{EnhancedCode, ReplyCode};

/// An enhanced code as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnhancedPattern {
    /// With its class, as a server sends it.
    One(EnhancedCode),
    /// The same subject and detail whatever the class, as IANA's registry lists them: `X.2.2`.
    AnyClass {
        /// The second number.
        subject: u16,
        /// The third number.
        detail: u16,
    },
}

impl EnhancedPattern {
    /// Subject and detail.
    #[must_use]
    pub const fn parts(self) -> (u16, u16) {
        match self {
            Self::One(code) => (code.subject, code.detail),
            Self::AnyClass { subject, detail } => (subject, detail),
        }
    }

    /// The class, where it is given.
    #[must_use]
    pub const fn class(self) -> Option<u8> {
        match self {
            Self::One(code) => Some(code.class),
            Self::AnyClass { .. } => None,
        }
    }
}

impl fmt::Display for EnhancedPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(code) => code.fmt(f),
            Self::AnyClass { subject, detail } => write!(f, "X.{subject}.{detail}"),
        }
    }
}

/// A code by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A reply code: `552`.
    Code(ReplyCode),
    /// An enhanced code: `5.2.2`, or `x.2.2` for any class.
    Enhanced(EnhancedPattern),
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => code.fmt(f),
            Self::Enhanced(pattern) => pattern.fmt(f),
        }
    }
}

/// The code that `text` is; none if it is something else.
pub(super) fn topic(text: &str) -> Result<Option<Topic>, ReadingError> {
    match text.parse() {
        Ok(code) => Ok(Some(Topic::Code(code))),
        Err(()) => Ok(enhanced(text)?.map(Topic::Enhanced)),
    }
}

/// An enhanced code, also with the `#` of the qmail family; none if `text` is something else.
fn enhanced(text: &str) -> Result<Option<EnhancedPattern>, ReadingError> {
    let text = text.strip_prefix('#').unwrap_or(text);
    if let Ok(code) = text.parse() {
        return Ok(Some(EnhancedPattern::One(code)));
    }
    // Any class will do to learn whether the rest has the form of one.
    let Some(rest) = text.strip_prefix(|c: char| c.is_ascii_digit() || matches!(c, 'x' | 'X')) else { return Ok(None) };
    let Ok(EnhancedCode { subject, detail, .. }) = format!("5{rest}").parse() else { return Ok(None) };
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(ReadingError::NoClass(text.to_owned()));
    }
    Ok(Some(EnhancedPattern::AnyClass { subject, detail }))
}
