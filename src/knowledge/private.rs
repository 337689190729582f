//! Enhanced codes that a provider uses in a sense of its own, which beats the registry's where that provider speaks.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::book::Book;
use super::rule::EnhancedRange;
use super::{Actor, Knowledge, Reason};
use crate::smtp::EnhancedCode;

/// What one provider means by a code.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Private {
    pub(super) reason: Reason,
    pub(super) actor: Actor,
    pub(super) title: String,
    pub(super) meaning: String,
    pub(super) fix: String,
    pub(super) source: String,
}

/// The same, with the provider's name.
pub(super) struct Owned {
    pub(super) provider: String,
    pub(super) private: Private,
}

impl Knowledge {
    /// What `code` means to one of these; none if that is what it means to all.
    pub(super) fn private(&self, speakers: &[&Book], code: EnhancedCode) -> Option<Owned> {
        if speakers.is_empty() {
            return None;
        }
        let ranges = self.private_ranges.get_or_init(|| {
            let mut all: Vec<_> = self.private.keys().filter_map(|key| Some((key, key.parse::<EnhancedRange>().ok()?))).collect();
            // The narrowest comes first.
            all.sort_by_key(|(_, range)| range.width());
            all
        });
        ranges.iter().filter(|(_, range)| range.holds(code)).find_map(|(key, _)| {
            let meanings = self.private.shared::<BTreeMap<String, Private>>(key)?;
            speakers.iter().find_map(|book| {
                let private = meanings.get(book.key.as_ref())?.clone();
                Some(Owned { provider: book.name.clone(), private })
            })
        })
    }
}
