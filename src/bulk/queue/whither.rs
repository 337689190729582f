//! Which partition a destination goes to: that of any of its names or addresses, which is kept at the broker, so that all
//! publishers, today's and tomorrow's, agree.

use std::cell::RefCell;
use std::collections::HashMap;

use super::broker::BrokerError;
use super::partition::{key, natural};
use super::registry::Registry;
use crate::bulk::plan::Way;

/// So many are remembered here, to ask the broker less.
const REMEMBERED: usize = 200_000;

/// The partitions of destinations that were met.
#[derive(Debug, Default)]
pub(super) struct Whither(RefCell<HashMap<String, u16>>);

impl Whither {
    /// The partition of the destination at the end of `way`.
    pub(super) async fn partition(&self, registry: &Registry, way: &Way) -> Result<u16, BrokerError> {
        let destinations = way.keys();
        let [first, second] = destinations.each_ref().map(key);
        let remembered = |key: &String| self.0.borrow().get(key).copied();
        if let Some(known) = remembered(&first) {
            if remembered(&second).is_none() {
                registry.assign(&second, known).await?;
                self.remember([second], known);
            }
            return Ok(known);
        }
        if let Some(known) = registry.partition_of(&first).await? {
            registry.assign(&second, known).await?;
            self.remember([first, second], known);
            return Ok(known);
        }
        // Of all that meet these addresses by other names in this moment, one is the first, and the others follow it.
        let mut known = match remembered(&second) {
            Some(known) => known,
            None => match registry.partition_of(&second).await? {
                Some(known) => known,
                None => natural(&destinations[0]),
            },
        };
        if !registry.assign(&second, known).await? {
            known = registry.partition_of(&second).await?.unwrap_or(known);
        }
        if !registry.assign(&first, known).await? {
            known = registry.partition_of(&first).await?.unwrap_or(known);
        }
        self.remember([first, second], known);
        Ok(known)
    }

    fn remember<const N: usize>(&self, keys: [String; N], partition: u16) {
        let mut all = self.0.borrow_mut();
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.extend(keys.into_iter().map(|key| (key, partition)));
    }
}
