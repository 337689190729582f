//! Block lists: what they list, on what terms they may be asked, and which no longer live.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::Knowledge;

/// A block list that is known by its zone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockList {
    /// As people call it.
    pub name: String,
    /// What is on it.
    pub subject: ListSubject,
    /// Whether it is asked about a sender where nothing else is asked for.
    #[serde(default)]
    pub usual: bool,
    /// Whether it has been closed, so that nobody should ask it any more.
    #[serde(default)]
    pub closed: bool,
    /// Other names by which replies call it.
    #[serde(default)]
    pub names: Vec<String>,
    /// On what terms it may be asked; of a closed one, since when.
    pub terms: String,
    /// Where an entry can be looked up.
    pub url: String,
    /// Where the terms are known from.
    pub source: String,
    /// What single answers mean, by the address.
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
}

/// What a block list is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListSubject {
    /// Addresses.
    Address,
    /// Domains.
    Domain,
}

impl Knowledge {
    /// The list that `name` stands for, by its zone or another of its names, with its zone; none if it is not known.
    #[must_use]
    pub fn block_list(&self, name: &str) -> Option<(&'static str, Arc<BlockList>)> {
        let lists = || self.lists.keys().filter_map(|zone| Some((zone, self.lists.shared::<BlockList>(zone)?)));
        let is_called = |list: &BlockList| list.names.iter().any(|known| known.eq_ignore_ascii_case(name));
        let by_zone = lists().find(|(zone, _)| zone.eq_ignore_ascii_case(name));
        by_zone.or_else(|| lists().find(|(_, list)| is_called(list)))
    }

    /// The lists that are asked about a sender where nothing else is asked for, with their zones.
    #[must_use]
    pub fn usual_lists(&self) -> Vec<(&'static str, Arc<BlockList>)> {
        let lists = self.lists.keys().filter_map(|zone| Some((zone, self.lists.shared::<BlockList>(zone)?)));
        lists.filter(|(_, list)| list.usual && !list.closed).collect()
    }
}
