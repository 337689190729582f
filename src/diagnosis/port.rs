//! What a port turned out to be.

use serde::{Deserialize, Serialize};

use super::{Case, Evidence};
use crate::probe::{Role, SessionFacts};
use crate::smtp::{FailureKind, Purpose, Stage, Verb};

/// What a port turned out to be, as far as one connection tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// Open, and a greeting came, be it a yes or a no.
    Greeted,
    /// Open, and TLS came up from the first byte.
    Tls,
    /// Open; no more was asked for.
    Open,
    /// Open, and TLS from the first byte was tried and failed.
    TlsFailed,
    /// Open, and plain text came where TLS was due.
    Plain,
    /// Open, and no greeting came in the time given.
    Silent,
    /// Open, and something else than SMTP answers.
    NotSmtp,
    /// Open, and closed without a greeting.
    Closed,
    /// Torn down, while it was being connected to or before the greeting.
    Reset,
    /// The host itself, or something in its name, answered with a reset: nothing listens.
    Refused,
    /// A firewall said no.
    Rejected,
    /// No answer at all.
    Filtered,
    /// The network does not get to the host.
    Unreachable,
    /// This machine has no route to it.
    NoRoute,
    /// This machine's own rules forbid it.
    Forbidden,
    /// Nothing that could be concluded from.
    Untested,
}

impl PortState {
    /// What the connection of `session` tells.
    #[must_use]
    pub fn of(session: &SessionFacts) -> Self {
        let transcript = &session.transcript;
        if transcript.reply_to(Verb::Connect, Purpose::Target).is_some() {
            return Self::Greeted;
        }
        if transcript.tls().is_some() {
            return Self::Tls;
        }
        let Some((_, stage, failure)) = transcript.failure() else {
            return if transcript.reached.is_some() { Self::Open } else { Self::Untested };
        };
        match (&failure.kind, stage) {
            (FailureKind::Refused, _) => Self::Refused,
            (FailureKind::Rejected, _) => Self::Rejected,
            (FailureKind::HostUnreachable, _) => Self::Unreachable,
            (FailureKind::NoRoute, _) => Self::NoRoute,
            (FailureKind::Forbidden, _) => Self::Forbidden,
            (FailureKind::TimedOut(_), Stage::Connect) => Self::Filtered,
            (FailureKind::Reset, _) | (FailureKind::Closed, Stage::Connect) => Self::Reset,
            (FailureKind::NotTls, _) if transcript.speaks_plain_smtp() => Self::Plain,
            (FailureKind::NotSmtp(_) | FailureKind::NotTls, _) => Self::NotSmtp,
            (FailureKind::TlsHandshake(_), _) => Self::TlsFailed,
            (FailureKind::Closed, _) => Self::Closed,
            (FailureKind::TimedOut(_) | FailureKind::Stalled(_) | FailureKind::SessionTimeOver | FailureKind::ReplyTooLong, _) => {
                Self::Silent
            }
            _ => Self::Untested,
        }
    }

    /// Whether mail could be handed over there, as far as that shows.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Greeted | Self::Tls | Self::Open)
    }

    /// Whether no connection came about, by something outside this machine.
    #[must_use]
    pub const fn is_shut(self) -> bool {
        matches!(self, Self::Reset | Self::Refused | Self::Rejected | Self::Filtered | Self::Unreachable)
    }
}

/// What a second try in the other TLS mode at the address of `session` found, if there was one and it succeeded.
pub(super) fn in_other_mode<'a>(session: &SessionFacts, all: &'a [SessionFacts]) -> Option<(usize, &'a SessionFacts)> {
    let same = |other: &SessionFacts| other.role == Role::OtherMode && other.address == session.address && PortState::of(other).is_open();
    all.iter().enumerate().find(|(_, other)| session.role == Role::Asked && same(other))
}

/// Whether `session` failed for no other reason than that the port speaks the other TLS mode, as far as is known.
pub(super) fn is_wrong_mode(session: &SessionFacts, all: &[SessionFacts]) -> bool {
    PortState::of(session) == PortState::Plain || in_other_mode(session, all).is_some()
}

/// `evidence` without that of sessions whose whole trouble is the wrong TLS mode, which is told by a finding of its own.
pub(super) fn without_wrong_mode(case: &Case<'_>, mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    let session = |evidence: &Evidence| evidence.session.and_then(|index| case.facts.sessions.get(index));
    evidence.retain(|evidence| !session(evidence).is_some_and(|session| is_wrong_mode(session, &case.facts.sessions)));
    evidence
}
