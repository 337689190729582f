//! How a client wants its message handled, beside having it taken (RFC 3461, RFC 8689, RFC 3030).

use std::fmt;
use std::str::FromStr;

/// What is asked of a server with a transaction. Whatever it asks and the server does not offer ends the transaction before MAIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handling {
    /// When the sender is to be notified (`NOTIFY=`); none leaves it to the server: on failure, mostly.
    pub notify: Option<Notify>,
    /// How much of the message a notification is to hold (`RET=`); none leaves it to the server.
    pub ret: Option<Ret>,
    /// Whether the message must go by authenticated TLS alone, here and on every further hop (`REQUIRETLS`). It goes out only over
    /// a connection inside TLS whose certificate verifies.
    pub require_tls: bool,
    /// How the message itself is handed over.
    pub transfer: Transfer,
}

impl Handling {
    /// Whether notifications are spoken of, which takes DSN.
    #[must_use]
    pub const fn needs_dsn(self) -> bool {
        self.notify.is_some() || self.ret.is_some()
    }
}

/// How a message is handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transfer {
    /// After DATA, with the dot at the end (RFC 5321 §4.1.1.4).
    #[default]
    Data,
    /// In chunks that are counted (BDAT, RFC 3030 §2).
    Chunks,
}

/// On what a notification is wanted (RFC 3461 §4.1); on nothing is `NEVER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// When the message has been delivered.
    pub success: bool,
    /// When it cannot be delivered.
    pub failure: bool,
    /// When it is late.
    pub delay: bool,
}

impl fmt::Display for Notify {
    /// As it stands behind `NOTIFY=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let named: Vec<&str> = all.into_iter().filter_map(|(wanted, name)| wanted.then_some(name)).collect();
        f.write_str(if named.is_empty() { "NEVER".to_owned() } else { named.join(",") }.as_str())
    }
}

/// A text names no occasion for a notification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no occasion for a notification; it should be never, or some of success,failure,delay")]
pub struct NotifyError(String);

impl FromStr for Notify {
    type Err = NotifyError;

    fn from_str(text: &str) -> Result<Self, NotifyError> {
        let mut notify = Self::default();
        if text.eq_ignore_ascii_case("never") {
            return Ok(notify);
        }
        for name in text.split(',') {
            match name.trim().to_ascii_lowercase().as_str() {
                "success" => notify.success = true,
                "failure" => notify.failure = true,
                "delay" => notify.delay = true,
                _ => return Err(NotifyError(text.to_owned())),
            }
        }
        Ok(notify)
    }
}

/// How much of the message a notification of failure is to hold (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

impl Ret {
    /// As it stands behind `RET=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occasions_are_read_and_written_as_the_standard_has_them() {
        for (text, written) in [
            ("never", "NEVER"),
            ("NEVER", "NEVER"),
            ("success", "SUCCESS"),
            ("delay,failure", "FAILURE,DELAY"),
            ("Success, Failure, Delay", "SUCCESS,FAILURE,DELAY"),
        ] {
            assert_eq!(text.parse::<Notify>().map(|notify| notify.to_string()).as_deref(), Ok(written), "{text}");
        }
        for text in ["", "always", "never,success", "success,", "success failure"] {
            assert!(text.parse::<Notify>().is_err(), "{text}");
        }
    }
}
