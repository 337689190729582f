//! The entry of a destination that is treated otherwise, as it travels.

use serde::{Deserialize, Serialize};

use super::{MANY, MessageError, millis, span};
use crate::bulk::overrides::{Override, Overrides, Pattern};

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Otherwise {
    destination: String,
    /// None leaves it as everywhere.
    rate: Option<Pace>,
    connections: Option<usize>,
    transaction: Option<usize>,
    session: Option<usize>,
    retries: Option<u32>,
    retry_after_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pace {
    Unlimited,
    Limited(f64),
}

impl Otherwise {
    pub(super) fn all(overrides: &Overrides) -> Vec<Self> {
        let entry = |(pattern, change): &(Pattern, Override)| Self {
            destination: pattern.to_string(),
            rate: change.rate.map(|rate| rate.map_or(Pace::Unlimited, Pace::Limited)),
            connections: change.connections,
            transaction: change.transaction,
            session: change.session,
            retries: change.retries,
            retry_after_ms: change.retry_after.map(millis),
        };
        overrides.entries().iter().map(entry).collect()
    }

    /// # Errors
    /// If a value cannot be.
    pub(super) fn overrides(entries: &[Self]) -> Result<Overrides, MessageError> {
        let mut all = Overrides::default();
        for entry in entries {
            let pattern = entry.destination.parse().map_err(|_| MessageError::Value("destination"))?;
            if !all.add(pattern, entry.change()?) {
                return Err(MessageError::Value("destination, which stands there twice,"));
            }
        }
        Ok(all)
    }

    fn change(&self) -> Result<Override, MessageError> {
        let counts = [self.connections, self.transaction, self.session];
        if counts.into_iter().flatten().any(|count| count == 0 || count > MANY)
            || self.retries.is_some_and(|retries| retries as usize > MANY)
        {
            return Err(MessageError::Value("number at a destination"));
        }
        let rate = match self.rate {
            None => None,
            Some(Pace::Unlimited) => Some(None),
            Some(Pace::Limited(rate)) if (0.001..=1e6).contains(&rate) => Some(Some(rate)),
            Some(Pace::Limited(_)) => return Err(MessageError::Value("rate at a destination")),
        };
        Ok(Override {
            rate,
            connections: self.connections,
            transaction: self.transaction,
            session: self.session,
            retries: self.retries,
            retry_after: self.retry_after_ms.map(span).transpose()?,
        })
    }
}
