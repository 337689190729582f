//! smtpprobe finds out why mail does not arrive.
//!
//! A probe is a one-way pipeline of plain values; each stage is one module with one main function:
//!
//! ```text
//!  Target ──route──► Route ──probe──► Attempt ──transport × smtp::Session──► Transcript
//!  (what the user     (MX, addresses,   (address, name,                       (timed facts)
//!   named)             lookups)          Dialogue)                                │ annotation × knowledge
//!                                                                                 ▼
//!  text ◄──report── Report ◄── Verdict ◄── Findings ◄──diagnosis── Annotations ──┘
//!                                                                  ▲
//!  code, reply, log line, bounce mail, ──reading───────────────────┘
//!  conversation, saved report
//! ```
//!
//! A probe asks whether mail is taken, or which ports can be reached ([`settings::Question`]); beside the attempts asked for it makes
//! a few that tell whose fault a failure is ([`probe::Role`]).
//!
//! A probe delivers nothing, unless it is given a [`message`] to deliver: then hosts are asked one after the other, and one gets it once.
//!
//! Beside the mail hosts a domain may publish how mail is to be sent to it: [`policy`] reads that, the probe looks it up while the
//! conversations go on, and the diagnosis tells what senders make of it that go by it.
//!
//! The user's own side is looked at as a receiver would: [`sender`] asks for the names of its addresses, evaluates the sender's
//! policy and tells each step of it. A probe does so after a refusal that can be about the sender, and weighs the two.
//!
//! Beside the target there is the user's own side: [`sender`] looks at it as receivers do, the diagnosis weighs refusals against it.
//! A [`message`] leaves only where it is asked for. [`bulk`] asks the same question for many mailboxes, in sessions that they share; with the
//! feature `queue` on as many machines as one likes, which a message broker keeps out of each other's way.
//!
//! Only [`route`] and [`transport`] touch the network. What happened (facts) is never mixed with what it means (findings), and
//! that never with how it is shown (reports). A failed connection is not an error of the program: it is the result.
//!
//! [`demo`] is a mail world inside the process, probed by the very same path.

/// Keeps the README's example compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod annotation;
pub mod bulk;
pub mod demo;
pub mod diagnosis;
pub mod knowledge;
pub mod message;
pub mod policy;
pub mod probe;
pub mod reading;
pub mod report;
pub mod route;
pub mod sender;
pub mod settings;
pub mod smtp;
pub mod target;
pub mod transport;
