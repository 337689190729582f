//! SPF (RFC 7208): whether a domain lets an address send mail in its name, as a receiver would find it, and why.
//!
//! [`check_host`] is the function of §4, but it explains: each term that was looked at is a [`Step`] with the questions asked for it,
//! and the step that decided is named. A policy is somebody else's text, and so is each that it includes: the limits of §4.6.4 hold,
//! a policy may have 8192 octets, and of the terms that ask nothing the first 1000 are kept as steps.

mod evaluate;
mod explain;
mod lookups;
mod macros;
mod record;
mod remarks;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use self::evaluate::check_host;
pub use self::macros::{DomainFault, MacroFault};
pub use self::record::{Fault, FaultKind};
pub use self::remarks::{Remark, RemarkKind};

use super::Query;
use crate::route::{LookupFailure, LookupKind, NameFault};
use crate::target::Mailbox;

/// So many terms that ask the DNS may be evaluated (§4.6.4).
pub const LOOKUP_LIMIT: usize = 10;
/// So many answers may say that there is nothing (§4.6.4).
pub const VOID_LIMIT: usize = 2;
/// So many hosts may one `mx`, and so many names may one `ptr`, lead to (§4.6.4).
pub const NAMES_LIMIT: usize = 10;
/// So many octets of a policy are read. A longer one is taken for a wrong one: no answer over UDP could carry it.
pub const RECORD_LIMIT: usize = 8192;

/// What is to be found out: may this address send mail for this sender?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The address that connects to the receiver, as the receiver sees it.
    pub address: IpAddr,
    /// The envelope sender; empty for the null sender, for which the EHLO name stands in (§2.4). Its domain in ASCII (RFC 8616 §4).
    pub sender: String,
    /// The name given with EHLO.
    pub hello: String,
    /// The name of the receiver, for explanations; `unknown` where nobody knows it (§7.3).
    pub receiver: String,
    /// Seconds since the beginning of 1970, for explanations.
    pub time: u64,
}

impl Question {
    /// The question that a receiver asks itself; `sender` is none for the null sender.
    #[must_use]
    pub fn new(address: IpAddr, sender: Option<&Mailbox>, hello: &str, time: u64) -> Self {
        let sender = sender.map(ToString::to_string).unwrap_or_default();
        Self { address, sender, hello: hello.to_owned(), receiver: "unknown".to_owned(), time }
    }
}

/// What SPF says, and how it comes to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spf {
    /// The result.
    pub result: SpfResult,
    /// Whose policy was asked.
    pub identity: Identity,
    /// The sender that was checked; for the null sender `postmaster` at the EHLO name.
    pub sender: String,
    /// The domain whose policy was asked, as given: it may be no domain at all ([`ProblemKind::NotADomain`]).
    pub domain: String,
    /// The address; an IPv4 address that is written as IPv6 is IPv4 (§5).
    pub address: IpAddr,
    /// The policies that were read or looked for, in the order in which they were; at most 11. The first is the domain's own; empty
    /// if it is no domain.
    pub policies: Vec<Policy>,
    /// The terms that were looked at, in that order: those of an included policy follow the step that includes it. All that ask
    /// anything and that decide, and of the others the first 1000.
    pub trace: Vec<Step>,
    /// So many terms that match nothing are left out of the trace.
    pub left_out: usize,
    /// Terms that ask the DNS, of [`LOOKUP_LIMIT`]; one more if that was exceeded.
    pub lookups: usize,
    /// Answers that there is nothing, of [`VOID_LIMIT`]; one more if that was exceeded.
    pub void_lookups: usize,
    /// The step that decided, by its place in the trace; of an error the step that could not be evaluated. None if no term matched,
    /// or if a policy could not be read.
    pub decided_by: Option<usize>,
    /// What a receiver is to tell the sender, if the result is fail and the policy has `exp=` (§6.2).
    pub explanation: Option<Explanation>,
    /// Why there is no other result than none, temperror or permerror; else none.
    pub problem: Option<Problem>,
    /// What is odd in the policies that were read, though it is right; at most 100.
    pub remarks: Vec<Remark>,
}

impl Spf {
    /// The step that decided.
    #[must_use]
    pub fn decision(&self) -> Option<&Step> {
        self.decided_by.and_then(|index| self.trace.get(index))
    }
}

/// A result of SPF (§2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpfResult {
    /// The address may send for the domain.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// The domain says neither yes nor no.
    Neutral,
    /// There is no policy, or no domain that could have one.
    None,
    /// It could not be found out now.
    TempError,
    /// The policy is wrong: somebody has to mend it.
    PermError,
}

impl SpfResult {
    /// The name used in JSON, and in header fields (§9.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// Whose policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// That of the envelope sender's domain (§2.4).
    MailFrom,
    /// That of the EHLO name (§2.3): the sender is the null sender.
    Hello,
}

impl Identity {
    /// The name used in JSON, and in header fields (§9.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MailFrom => "mailfrom",
            Self::Hello => "helo",
        }
    }
}

/// A domain that was asked for its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The domain.
    pub domain: String,
    /// How many includes and redirects lead to it; 0 for the sender's own.
    pub depth: usize,
    /// The question for its TXT records. The count is of all of them.
    pub query: Query,
    /// The policy as it stands there, its strings joined, at most 8192 octets of it; what is no UTF-8 is replaced. None if there is
    /// none, or more than one, or if it could not be looked up.
    pub text: Option<String>,
    /// What is wrong with it, in its order; at most 20. Empty if it could be evaluated.
    pub faults: Vec<Fault>,
}

/// One term of a policy, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many includes and redirects lead to the policy that it stands in.
    pub depth: usize,
    /// The domain whose policy that is.
    pub domain: String,
    /// The term as it stands there.
    pub term: String,
    /// Where it begins in the policy, in octets counted from 0.
    pub at: usize,
    /// What kind of term it is.
    pub kind: TermKind,
    /// The name that it is about, macros replaced; none for `all`, `ip4`, `ip6`, and where no name can be made of it.
    pub target: Option<String>,
    /// The questions asked for it, in that order; for an `include` or a redirect the one for the other policy.
    pub queries: Vec<Query>,
    /// What came of it.
    pub outcome: StepOutcome,
}

/// What came of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// It matches: this is the result of its policy.
    Matched(SpfResult),
    /// It does not match.
    NotMatched,
    /// It does not match, as no query can carry the name that it stands for (§4.3, RFC 8616 §4).
    NoName(NameFault),
    /// The policy ends here, and the other one's result counts (§6.1).
    Followed,
    /// It could not be evaluated, which ends the check with this result: see [`Spf::problem`].
    Error(SpfResult),
}

impl StepOutcome {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched(_) => "matched",
            Self::NotMatched => "not_matched",
            Self::NoName(_) => "no_name",
            Self::Followed => "followed",
            Self::Error(_) => "error",
        }
    }
}

/// The kind of a term (§5, §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TermKind {
    /// Matches always.
    All,
    /// Matches if another domain's policy lets the address pass.
    Include,
    /// Matches the addresses of a name.
    A,
    /// Matches the addresses of a domain's mail hosts.
    Mx,
    /// Matches if the address has a name in a domain, and the name the address.
    Ptr,
    /// Matches an IPv4 network.
    Ip4,
    /// Matches an IPv6 network.
    Ip6,
    /// Matches if a name has any IPv4 address.
    Exists,
    /// Takes another domain's policy where no mechanism matches.
    Redirect,
}

impl TermKind {
    /// Its name in a policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Include => "include",
            Self::A => "a",
            Self::Mx => "mx",
            Self::Ptr => "ptr",
            Self::Ip4 => "ip4",
            Self::Ip6 => "ip6",
            Self::Exists => "exists",
            Self::Redirect => "redirect",
        }
    }

    /// Whether it counts among the terms that ask the DNS (§4.6.4).
    #[must_use]
    pub const fn asks(self) -> bool {
        !matches!(self, Self::All | Self::Ip4 | Self::Ip6)
    }
}

/// What a receiver is to tell the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The term `exp=` as it stands in the policy.
    pub term: String,
    /// The questions asked for it: the one for the text is the last.
    pub queries: Vec<Query>,
    /// The text, macros replaced, at most 4096 octets; or why there is none, which changes nothing else.
    pub text: Result<String, ExplanationFault>,
}

/// Why there is no explanation though the policy names one (§6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ExplanationFault {
    /// No query can carry the name.
    #[error("no query can carry its name: {0}")]
    Name(NameFault),
    /// There is no such text.
    #[error("there is no text at that name")]
    Absent,
    /// There are several.
    #[error("there are {0} texts at that name, so none of them counts")]
    Several(usize),
    /// It could not be looked up.
    #[error("it could not be looked up ({})", .0.as_str())]
    Lookup(LookupFailure),
    /// A wrong macro, or a character that is no ASCII.
    #[error("it is wrong at octet {0}: {1}")]
    Macro(usize, MacroFault),
}

impl ExplanationFault {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Absent => "absent",
            Self::Several(_) => "several",
            Self::Lookup(_) => "lookup",
            Self::Macro(..) => "macro",
        }
    }
}

/// Why the result is none, temperror or permerror.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{domain}: {kind}")]
pub struct Problem {
    /// The domain whose policy it is about; of a limit on all together the sender's.
    pub domain: String,
    /// What it is.
    pub kind: ProblemKind,
}

/// What keeps SPF from another result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// It is no domain of at least two labels, but an address, a single word or nothing (§4.3): none.
    #[error("it is no domain name that could have a policy")]
    NotADomain,
    /// It has no policy (§4.5): none.
    #[error("it has no SPF policy")]
    NoPolicy,
    /// It has no policy, but a text that seems to be meant as one: none.
    #[error("it has no SPF policy: {0:?} does not begin with \"v=spf1\" and a blank")]
    Misspelt(String),
    /// It has so many policies (§4.5): permerror.
    #[error("it has {0} SPF policies, so none of them counts")]
    Several(usize),
    /// Its policy has so many octets, more than [`RECORD_LIMIT`]: taken for a permerror.
    #[error("its SPF policy has {0} octets, more than anybody need read")]
    TooLong(usize),
    /// Its policy is wrong; this is the first fault (§4.6): permerror.
    #[error("its SPF policy is wrong: {0}")]
    Syntax(Fault),
    /// Its policy leads to another that is not there (§5.2, §6.1): permerror.
    #[error("its SPF policy leads to {0}, which has none")]
    Dangling(String),
    /// `redirect=` stands for what is no name (§6.1): permerror.
    #[error("its SPF policy leads nowhere: {0}")]
    NoName(NameFault),
    /// More than [`LOOKUP_LIMIT`] terms ask the DNS: permerror.
    #[error("more than {LOOKUP_LIMIT} terms of its SPF policy, and of those that it includes, ask the DNS")]
    TooManyLookups,
    /// More than [`VOID_LIMIT`] answers say that there is nothing: permerror.
    #[error("more than {VOID_LIMIT} names in its SPF policy, and in those that it includes, do not exist or have no such record")]
    TooManyVoid,
    /// One `mx` leads to so many hosts, more than [`NAMES_LIMIT`]: permerror.
    #[error("its \"mx\" leads to {0} mail hosts; {NAMES_LIMIT} are allowed")]
    TooManyHosts(usize),
    /// A question had no answer: temperror.
    #[error("the {} of {name} could not be looked up ({})", .kind.as_str(), .failure.as_str())]
    Lookup {
        /// The name asked for.
        name: String,
        /// The type of record asked for.
        kind: LookupKind,
        /// Why.
        failure: LookupFailure,
    },
}

impl ProblemKind {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotADomain => "not_a_domain",
            Self::NoPolicy => "no_policy",
            Self::Misspelt(_) => "misspelt",
            Self::Several(_) => "several",
            Self::TooLong(_) => "too_long",
            Self::Syntax(_) => "syntax",
            Self::Dangling(_) => "dangling",
            Self::NoName(_) => "no_name",
            Self::TooManyLookups => "too_many_lookups",
            Self::TooManyVoid => "too_many_void",
            Self::TooManyHosts(_) => "too_many_hosts",
            Self::Lookup { .. } => "lookup",
        }
    }

    /// The result that it makes.
    #[must_use]
    pub const fn result(&self) -> SpfResult {
        match self {
            Self::NotADomain | Self::NoPolicy | Self::Misspelt(_) => SpfResult::None,
            Self::Lookup { .. } => SpfResult::TempError,
            _ => SpfResult::PermError,
        }
    }
}
