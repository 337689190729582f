//! How a run is held: what is asked for in one go, of whom, and how much at a time.

use std::time::Duration;

use super::manners::Limits;
use super::overrides::{Overrides, Terms};
use super::plan::Usage;

/// How a run is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// How sessions are used.
    pub usage: Usage,
    /// What each destination is burdened with.
    pub limits: Limits,
    /// Connections in all.
    pub connections: usize,
    /// How often a mailbox is asked again that was put off.
    pub retries: u32,
    /// How long after, where the server names no time.
    pub retry_after: Duration,
    /// Lookups in flight.
    pub lookups: usize,
    /// How long it is taken for granted where a domain's mail goes. Then it is looked up again, once nobody waits for it; answers that
    /// last longer are at hand.
    pub look_again: Duration,
    /// Mailboxes that wait for their answer at a time; the list is read no faster. What one destination has beyond a quarter of it
    /// does not count, so that a slow one keeps nobody else waiting.
    pub window: usize,
    /// Mailboxes that wait for their answer at a time, with those that do not count.
    pub most: usize,
    /// The last answers that are kept for lines with the same address.
    pub remembered: usize,
    /// Which destinations are treated otherwise.
    pub overrides: Overrides,
}

impl Order {
    /// How a destination is treated that no entry is meant for.
    #[must_use]
    pub const fn terms(&self) -> Terms {
        Terms { limits: self.limits, usage: self.usage, retries: self.retries, retry_after: self.retry_after }
    }
}

impl Default for Order {
    fn default() -> Self {
        Self {
            usage: Usage::default(),
            limits: Limits::default(),
            connections: 500,
            retries: 3,
            retry_after: Duration::from_secs(300),
            lookups: 64,
            look_again: Duration::from_secs(300),
            window: 20_000,
            most: 100_000,
            remembered: 10_000,
            overrides: Overrides::default(),
        }
    }
}
