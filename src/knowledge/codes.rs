//! Entries of reply codes and enhanced codes: one shape for both, with the places where the story changes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Actor, Fix, Reason};

/// Where a code comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeStatus {
    /// In an RFC, or in IANA's registry with a text.
    #[default]
    Standard,
    /// Only in a column of IANA's registry.
    RegistryOnly,
    /// In an experimental RFC.
    Experimental,
    /// No longer in use.
    Obsolete,
    /// Used by some software, in no standard.
    Nonstandard,
}

/// A code as the data file has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where it comes from.
    #[serde(default)]
    pub status: CodeStatus,
    /// A few words.
    pub title: String,
    /// Completes "552 says that …".
    pub says: String,
    /// What it means, not knowing what was answered.
    pub meaning: String,
    /// When one sees it.
    pub when: String,
    /// What the number alone allows to conclude.
    pub reason: Reason,
    /// Who acts first.
    pub actor: Actor,
    /// What to do.
    #[serde(default)]
    pub fix: Vec<Fix>,
    /// RFC and section, or URL.
    #[serde(default)]
    pub references: Vec<String>,
    /// A reply as a server sends it; none for classes.
    pub example: Option<String>,
    /// Reply codes: what it can answer, `ANY` for everything.
    #[serde(default)]
    pub commands: Vec<String>,
    /// Reply codes: whether the server closes the channel with it.
    #[serde(default)]
    pub closes: bool,
    /// Reply codes: enhanced codes that come with it.
    #[serde(default)]
    pub enhanced: Vec<String>,
    /// Enhanced codes: the first digits that occur.
    #[serde(default)]
    pub classes: Vec<u8>,
    /// Enhanced codes: reply codes that it comes with.
    #[serde(default)]
    pub codes: Vec<u16>,
    /// What differs by the command answered (reply codes) or by the first digit (enhanced codes).
    #[serde(default, alias = "class")]
    pub at: BTreeMap<String, Variant>,
}

/// What changes in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    title: Option<String>,
    says: Option<String>,
    meaning: Option<String>,
    when: Option<String>,
    reason: Option<Reason>,
    actor: Option<Actor>,
    fix: Option<Vec<Fix>>,
    references: Option<Vec<String>>,
    pub(super) example: Option<String>,
}

/// What a code means in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// A few words.
    pub title: String,
    /// Completes "552 says that …".
    pub says: String,
    /// What it means here.
    pub meaning: String,
    /// When one sees it.
    pub when: String,
    /// What code and place alone allow to conclude.
    pub reason: Reason,
    /// Who acts first.
    pub actor: Actor,
    /// What to do.
    pub fix: Vec<Fix>,
    /// RFC and section, or URL.
    pub references: Vec<String>,
    /// Whether the place had something of its own to say.
    pub special: bool,
}

impl Entry {
    /// What the code in `place` allows to conclude; as [`meaning`](Self::meaning) has it.
    #[must_use]
    pub fn reason(&self, place: Option<&str>) -> Reason {
        place.and_then(|place| self.at.get(place)?.reason).unwrap_or(self.reason)
    }

    /// What the code means in `place`: a verb for reply codes, the first digit for enhanced codes.
    #[must_use]
    pub fn meaning(&self, place: Option<&str>) -> Meaning {
        let there = place.and_then(|place| self.at.get(place));
        let special = there.is_some();
        let there = there.cloned().unwrap_or_default();
        Meaning {
            title: there.title.unwrap_or_else(|| self.title.clone()),
            says: there.says.unwrap_or_else(|| self.says.clone()),
            meaning: there.meaning.unwrap_or_else(|| self.meaning.clone()),
            when: there.when.unwrap_or_else(|| self.when.clone()),
            reason: there.reason.unwrap_or(self.reason),
            actor: there.actor.unwrap_or(self.actor),
            fix: there.fix.unwrap_or_else(|| self.fix.clone()),
            references: there.references.unwrap_or_else(|| self.references.clone()),
            special,
        }
    }
}
