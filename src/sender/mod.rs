//! The user's own side: the name of this host, and what the sender's domain publishes about who may send for it: SPF
//! (RFC 7208), DMARC (RFC 9989) and DKIM keys (RFC 6376).
//!
//! A receiver looks at these before it looks at the mailbox. They are read here as it would read them, with each step that led to
//! the result; [`Dns`] is what answers, and what is published was written by somebody else: it is bounded, and what is wrong with
//! it is said with the place where it is wrong.

pub mod dkim;
pub mod dmarc;
mod dns;
mod host;
pub mod spf;
mod tags;
#[cfg(test)]
mod zone;

pub use self::dns::{Answered, Dns, Patient, Query};
pub use self::host::host_name;
