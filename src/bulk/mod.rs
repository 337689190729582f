//! Many mailboxes: each line of a list is answered once, with few connections and no haste.
//!
//! A list is read line by line; mailboxes of all domains that lead to the same hosts share sessions; what a server cannot
//! say now is asked again later; and each answer is written down before the next question needs its place.

mod answer;
pub mod input;
pub mod journal;
pub mod summary;

pub use answer::{Answer, SCHEMA, Settled};
