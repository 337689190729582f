//! The user's own side: the names of this host and its addresses, and what the sender's domain publishes about who may send for
//! it: SPF (RFC 7208), DMARC (RFC 9989) and DKIM keys (RFC 6376). An [`Inquiry`] asks for all of it at once.
//!
//! A receiver looks at these before it looks at the mailbox. They are read here as it would read them, with each step that led to
//! the result; [`Dns`] is what answers, and what is published was written by somebody else: it is bounded, and what is wrong with
//! it is said with the place where it is wrong.

pub mod dkim;
pub mod dmarc;
mod dns;
mod generic;
mod host;
mod identity;
mod inquiry;
mod lists;
pub mod spf;
mod tags;
#[cfg(test)]
mod zone;

pub use self::dns::{Answered, Dns, Patient, Query};
pub use self::generic::Generic;
pub use self::host::host_name;
pub use self::identity::{Egress, Forward, Hello, HelloFault, Known, Pointer, Pointers, pointers};
pub use self::inquiry::{AddressFacts, Inquiry, List, Lists, Matter, Plan, Sender};
pub use self::lists::lists;
