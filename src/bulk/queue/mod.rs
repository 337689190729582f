//! A list over more than one machine, by way of a NATS server with its `JetStream`.
//!
//! ```text
//!  list ──Publisher──► jobs, by partition ──Worker (holds the partition's lease)──► run, sessions
//!  journal ◄──Publisher── answers ◄────────────Worker────────────────────────────────┘
//! ```
//!
//! The publisher looks up where each domain's mail goes, and puts its mailboxes into one of [`PARTITIONS`] parts; what leads to the
//! same hosts or addresses is always in the same one. A worker asks for those of a partition only while it has the partition's
//! lease, so that at most one worker talks to a destination at a time, whatever lists it is in. A lease that is not renewed
//! runs out; whoever could not renew one stops before that. A job stays with the broker until its answer is there as well, and an answer
//! until the publisher has written it down: whichever of the three dies, nothing is lost. While a list's publisher is away, the list rests.
//!
//! Everything here that decides is pure: [`message`], [`partition`], [`lease`].

mod books;
pub mod broker;
mod collect;
mod engine;
pub mod lease;
pub mod message;
mod notice;
mod outbox;
pub mod partition;
mod publisher;
mod registry;
mod resync;
mod shop;
mod survey;
mod whither;
mod worker;

pub use broker::{Access, Broker, BrokerError};
pub use lease::Span;
pub use message::{RunName, Terms};
pub use notice::Notice;
pub use partition::PARTITIONS;
pub use publisher::{Ended, Publisher, Source};
pub use worker::{Load, Worker};
