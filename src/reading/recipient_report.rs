//! What a mail server says became of a message for one recipient: in a delivery report (RFC 3464 §2.3), in a bounce of its own
//! form, or in a line of its log.

use crate::smtp::{EnhancedCode, Reply, Verb};

/// What became of a message for one recipient, as somebody says. Facts as they stand in the input; what they mean is not said here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientReport {
    /// The address that the message could not be, or was, delivered to (Final-Recipient); none if the input names none.
    pub recipient: Option<String>,
    /// The address that the sender had given, where that is another (Original-Recipient).
    pub original: Option<String>,
    /// What was done with the message.
    pub action: Option<Action>,
    /// The reply that decided, with its lines; none if no reply code stands in the input.
    pub reply: Option<Reply>,
    /// The enhanced code, from the reply, else from the report's own field (Status).
    pub status: Option<EnhancedCode>,
    /// The words that tell why, in one line, with whatever codes stand among them; at most 4 KiB.
    pub diagnostic: String,
    /// What a program that the reporting host delivers by had said (`mail.local: unknown user: anna`); none if it was none, or said
    /// nothing.
    pub program: Option<String>,
    /// What was answered, where that is said.
    pub command: Option<Verb>,
    /// The host that refused (Remote-MTA).
    pub remote_host: Option<String>,
    /// The host that says so (Reporting-MTA).
    pub reporting_mta: Option<String>,
    /// The number under which the reporting host had the message in its queue.
    pub queue_id: Option<String>,
}

/// What was done with a message (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It could not be delivered, and no further try will be made.
    Failed,
    /// It could not be delivered so far.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It was handed on to a host that sends no reports.
    Relayed,
    /// It was delivered to an address that stands for several.
    Expanded,
}

impl Action {
    /// The name in a report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }
}
