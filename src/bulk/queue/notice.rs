//! What is to be told while a queue is at work; whoever runs it decides where.

use std::fmt;

/// Something that is worth a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The connection to the broker is gone; it is waited for.
    Gone,
    /// The connection is back.
    Back,
    /// The broker complains; its own words.
    Broker(String),
    /// The broker cannot do something; it is tried again.
    Trouble(String),
    /// A message of the queue makes no sense here: it is put aside, and the rest goes on.
    Misunderstood {
        /// What it should have been.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Leases could not be renewed in time; sessions under them were ended.
    Lapsed {
        /// Of so many partitions.
        partitions: usize,
    },
    /// Nobody is there to take the jobs.
    NoWorker,
    /// Another publisher of the same run is there, or was a moment ago.
    Waiting,
    /// Jobs had to be published anew, because the broker had lost them.
    Anew {
        /// How many.
        jobs: usize,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the broker is gone; waiting for it"),
            Self::Back => f.write_str("the broker is back"),
            Self::Broker(words) => write!(f, "the broker says: {words}"),
            Self::Trouble(words) => write!(f, "{words}; trying again"),
            Self::Misunderstood { what, why } => {
                write!(f, "a message in the queue is no {what} that is understood here and is put aside: {why}")
            }
            Self::Lapsed { partitions: 1 } => f.write_str("the lease of 1 partition could not be renewed in time; its sessions are ended"),
            Self::Lapsed { partitions } => {
                write!(f, "the leases of {partitions} partitions could not be renewed in time; their sessions are ended")
            }
            Self::NoWorker => f.write_str("no worker is there yet: start some with smtpprobe worker --queue"),
            Self::Waiting => f.write_str("this list is being published already, or was a moment ago; waiting for that to end"),
            Self::Anew { jobs: 1 } => f.write_str("the broker has lost 1 job; it is published again"),
            Self::Anew { jobs } => write!(f, "the broker has lost {jobs} jobs; they are published again"),
        }
    }
}
