//! How long the server is waited for: for the first byte of a reply, for the next one, and in all (RFC 5321 §4.5.3.2).

use std::time::Duration;

use crate::smtp::{Elapsed, FailureKind, StageTimes};

/// What time it is, and since when what is being waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) now: Elapsed,
    /// When the session began.
    began: Elapsed,
    /// When the wait for the next reply began.
    since: Elapsed,
    /// A reply has come in part: when its first byte came, and when the last one did.
    partial: Option<(Elapsed, Elapsed)>,
}

impl Waiting {
    pub(super) const fn new(began: Elapsed) -> Self {
        Self { now: began, began, since: began, partial: None }
    }

    /// Waits anew for whatever comes next.
    pub(super) fn restart(&mut self) {
        self.since = self.now;
        self.partial = None;
    }

    /// Whether no reply has begun.
    pub(super) const fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    /// The same as [`left`](Self::left), whatever the session has in all.
    pub(super) fn left_alone(&self, times: &StageTimes, limit: Duration) -> Duration {
        self.left(&StageTimes { session: None, ..*times }, limit)
    }

    /// Since when the reply that is being read has been coming: now, unless a part of it was there before.
    pub(super) fn coming_since(&mut self) -> Elapsed {
        self.partial.take().map_or(self.now, |(first, _)| first)
    }

    /// A part of a reply is there, and has been coming since `first`.
    pub(super) fn partial(&mut self, first: Elapsed) {
        self.partial = Some((first, self.now));
    }

    /// What is left of the time for the next byte, where the stage has `limit` for the first one.
    pub(super) fn left(&self, times: &StageTimes, limit: Duration) -> Duration {
        let next = match self.partial {
            Some((_, last)) => times.gap.unwrap_or(limit).saturating_sub(self.now.since(last)),
            None => limit.saturating_sub(self.now.since(self.since)),
        };
        next.min(self.in_all(times))
    }

    /// What is left of the time for the whole session.
    pub(super) fn in_all(&self, times: &StageTimes) -> Duration {
        times.session.map_or(Duration::MAX, |session| session.saturating_sub(self.now.since(self.began)))
    }

    /// Which of the times has run out, when one has.
    pub(super) fn over(&self, times: &StageTimes) -> FailureKind {
        match self.partial {
            _ if self.in_all(times).is_zero() => FailureKind::SessionTimeOver,
            Some((_, last)) => FailureKind::Stalled(self.now.since(last)),
            None => FailureKind::TimedOut(self.now.since(self.since)),
        }
    }
}
