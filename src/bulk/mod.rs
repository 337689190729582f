//! Many mailboxes: each line of a list is answered once, with few connections and no haste.
//!
//! A list is read line by line; mailboxes of all domains that lead to the same hosts share sessions; what a server cannot
//! say now is asked again later; and each answer is written down before the next question needs its place.

mod answer;
mod destination;
mod domain;
mod guessing;
pub mod input;
pub mod journal;
mod judgement;
mod ledger;
mod lines;
pub mod manners;
mod order;
pub mod overrides;
pub mod plan;
mod pool;
#[cfg(feature = "queue")]
pub mod queue;
mod run;
pub mod summary;
mod talk;
pub mod tally;
mod waiting;

pub use answer::{Answer, SCHEMA, Settled};
pub use guessing::Guessing;
pub use order::Order;
pub use run::{Halt, run};
pub use tally::Tally;
