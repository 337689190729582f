//! What is known of one domain: where its mail goes, who waits for that, and whether it takes any address.

use super::destination::Inquiry;
use super::judgement::Judgement;
use crate::smtp::Elapsed;

/// Where a domain's mail goes.
pub(super) enum Whereto {
    /// That is being looked up.
    Sought(Vec<Inquiry>),
    /// There.
    At(u32),
    /// Nowhere.
    Nowhere(Judgement),
}

/// Whether a domain takes mail for any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CatchAll {
    /// Not asked yet; how often it was tried.
    Unasked(u8),
    /// To be asked, or being asked.
    Due(u8),
    /// It does.
    Takes,
    /// It does not: a made-up address is unknown.
    RefusesUnknown,
    /// It does not, for whatever reason.
    Refuses,
    /// It could not be told.
    Untold,
}

/// What is known of a domain.
pub(super) struct Domain {
    pub(super) whereto: Whereto,
    /// When that was looked up.
    pub(super) sought: Elapsed,
    /// Mailboxes that have not been judged.
    pub(super) open: usize,
    /// Mailboxes that were accepted and wait for the catch-all question.
    pub(super) held: Vec<(Inquiry, Judgement)>,
    pub(super) catch_all: CatchAll,
    /// Lookups that failed for a reason that may pass.
    pub(super) failed: u32,
    /// Why it is asked no more.
    pub(super) refused: Option<Judgement>,
}

impl Domain {
    /// Nobody there is without an answer.
    pub(super) const fn is_done(&self) -> bool {
        self.open == 0 && self.held.is_empty() && self.refused.is_none()
    }
}
