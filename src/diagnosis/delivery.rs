//! What senders with different policies would do at each mail host (RFC 3207, RFC 7672, RFC 8461, RFC 8689).
//!
//! The probe is a sender that takes TLS if it can get it and looks at no certificate. Others hold mail back where it goes on, and
//! a yes to the one is no yes to the others.

use serde::{Deserialize, Serialize};

use super::{Case, SessionCase};
use crate::policy::mta_sts::Mode;
use crate::policy::{DaneVerdict, TxtError};
use crate::probe::{MtaSts, Role, Unread};
use crate::route::{Doubt, TlsaOutcome};
use crate::smtp::{CertificateFault, CertificateVerdict, Distrust, FailureKind, Purpose, Stage, TlsFacts, TlsUse, Verb};
use crate::target::{Host, Port};

/// What a sender goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// TLS if it can be had, with whatever certificate (RFC 7435).
    Opportunistic,
    /// DANE, else the same (RFC 7672).
    Dane,
    /// MTA-STS, else the same (RFC 8461).
    #[serde(rename = "mta_sts")]
    MtaSts,
    /// A message that must go by authenticated TLS alone (RFC 8689).
    RequireTls,
}

/// How a message fares with a sender at one host, from bad to good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// It cannot be told.
    Unknown,
    /// It goes back at once.
    Returns,
    /// It waits in the sender's queue, in the end in vain.
    Defers,
    /// It goes over the wire for everybody to read.
    Clear,
    /// It goes encrypted, to whoever answers.
    Encrypted,
    /// It goes encrypted, to the host that is meant.
    Authenticated,
}

impl Delivery {
    /// Whether the host gets the message.
    #[must_use]
    pub const fn arrives(self) -> bool {
        matches!(self, Self::Clear | Self::Encrypted | Self::Authenticated)
    }
}

/// Why a sender does what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// TLS came up.
    Tls,
    /// STARTTLS is not offered.
    NoStarttls,
    /// STARTTLS is offered and refused.
    StarttlsRefused,
    /// The handshake fails; after that it goes on in the clear.
    AfterFailure,
    /// The handshake fails.
    TlsFailed,
    /// There was no conversation to tell it by.
    Unreached,
    /// What is published was not known in time.
    Late,
    /// There are no TLSA records.
    NoTlsa,
    /// The domain's DNS is not signed, so that DANE does not apply.
    Unsigned,
    /// The resolver says that the DNS is authentic, and is not trusted to say so.
    DnsUntrusted,
    /// Whether the DNS is authentic could not be found out.
    DnsUnknown,
    /// A TLSA record matches.
    TlsaMatch,
    /// No TLSA record matches.
    TlsaMismatch,
    /// No TLSA record can be used, so that TLS is demanded and nobody authenticated.
    TlsaUnusable,
    /// The TLSA answer is signed wrongly.
    TlsaBogus,
    /// TLSA records cannot be looked up.
    TlsaFailed,
    /// TLSA records demand TLS, and there is none.
    TlsaNoTls,
    /// There is no policy.
    NoPolicy,
    /// The record or the policy is not valid, and counts as none.
    PolicyInvalid,
    /// The policy cannot be fetched, and counts as none for whoever has no copy.
    PolicyUnavailable,
    /// The policy is only tried out.
    PolicyTesting,
    /// The policy says that there is none.
    PolicyNone,
    /// The policy does not name the host.
    HostUnlisted,
    /// The policy demands TLS, and there is none.
    PolicyNoTls,
    /// The certificate is good.
    CertificateGood,
    /// The certificate does not verify.
    CertificateBad,
    /// The message demands TLS, and there is none.
    NoTls,
    /// REQUIRETLS is not offered.
    RequiretlsNotOffered,
    /// Neither DNSSEC nor MTA-STS shows that the host is the domain's.
    WayUnproven,
    /// All that REQUIRETLS demands is there.
    RequiretlsMet,
}

/// What a sender does at one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The host's place in the route.
    pub host: usize,
    /// The port.
    pub port: Port,
    /// The sender.
    pub sender: Sender,
    /// What becomes of a message.
    pub delivery: Delivery,
    /// Why.
    pub cause: Cause,
    /// The session that shows it.
    pub session: usize,
}

/// What became of TLS in a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tls<'a> {
    Up(&'a TlsFacts),
    NotOffered,
    Refused,
    Failed,
    /// It did not come to that.
    Unknown,
}

impl Tls<'_> {
    pub(super) fn of<'a>(session: &'a SessionCase<'_>) -> Tls<'a> {
        let transcript = &session.facts.transcript;
        if let Some(facts) = transcript.tls() {
            return Tls::Up(facts);
        }
        if let Some((_, Stage::Tls, failure)) = transcript.failure() {
            // A port that speaks plain SMTP where TLS was to come first says nothing of TLS.
            let of_tls = match failure.kind {
                FailureKind::TlsHandshake(_) => true,
                FailureKind::NotTls => !transcript.speaks_plain_smtp(),
                _ => false,
            };
            return if of_tls { Tls::Failed } else { Tls::Unknown };
        }
        if transcript.reply_to(Verb::StartTls, Purpose::Target).is_some_and(|answer| !answer.is_yes()) {
            return Tls::Refused;
        }
        match transcript.capabilities() {
            Some(offered) if !offered.has("STARTTLS") && session.facts.tls != TlsUse::Never => Tls::NotOffered,
            _ => Tls::Unknown,
        }
    }
}

/// What each kind of sender does at each host that was asked; nothing if what is published was not looked at. Of MTA-STS nothing
/// is said without a domain.
#[must_use]
pub(super) fn outlooks(case: &Case<'_>) -> Vec<Outlook> {
    let mut all = Vec::new();
    for keys in &case.facts.published.keys {
        let asked = |session: &SessionCase<'_>| {
            let place = (session.facts.host, session.facts.address.port());
            session.facts.role == Role::Asked && place == (Some(keys.host), keys.port.number())
        };
        let sessions: Vec<usize> = case.each().filter(|(_, session)| asked(session)).map(|(index, _)| index).collect();
        for sender in [Sender::Opportunistic, Sender::Dane, Sender::MtaSts, Sender::RequireTls] {
            if sender == Sender::MtaSts && case.facts.published.mta_sts.is_none() {
                continue;
            }
            let each: Vec<Outlook> =
                sessions.iter().filter_map(|session| of_session(case, keys.host, keys.port, *session, sender)).collect();
            all.extend(in_all(&each));
        }
    }
    all
}

/// What comes of several addresses: a sender goes on to the next one where it gets nowhere, and takes the first that lets it. So
/// it is promised no more than the least of those that do.
fn in_all(each: &[Outlook]) -> Option<Outlook> {
    let arriving = each.iter().filter(|outlook| outlook.delivery.arrives()).min_by_key(|outlook| outlook.delivery);
    arriving.or_else(|| each.iter().max_by_key(|outlook| outlook.delivery)).copied()
}

fn of_session(case: &Case<'_>, host: usize, port: Port, index: usize, sender: Sender) -> Option<Outlook> {
    let session = case.sessions.get(index)?;
    let (delivery, why) = match sender {
        Sender::Opportunistic => opportunistic(case, session),
        Sender::Dane => by_dane(case, host, port, session)?,
        Sender::MtaSts => by_mta_sts(case, case.facts.published.mta_sts.as_ref()?, session),
        Sender::RequireTls => by_require_tls(case, host, session)?,
    };
    Some(Outlook { host, port, sender, delivery, cause: why, session: index })
}

fn opportunistic(case: &Case<'_>, session: &SessionCase<'_>) -> (Delivery, Cause) {
    match Tls::of(session) {
        Tls::Up(_) => (Delivery::Encrypted, Cause::Tls),
        Tls::NotOffered => (Delivery::Clear, Cause::NoStarttls),
        Tls::Refused => (Delivery::Clear, Cause::StarttlsRefused),
        Tls::Failed if session.facts.tls == TlsUse::Implicit => (Delivery::Defers, Cause::TlsFailed),
        Tls::Failed => match case.in_the_clear(session.facts) {
            Some((_, again)) if again.facts.transcript.capabilities().is_none() => (Delivery::Defers, Cause::TlsFailed),
            _ => (Delivery::Clear, Cause::AfterFailure),
        },
        Tls::Unknown => (Delivery::Unknown, Cause::Unreached),
    }
}

fn by_dane(case: &Case<'_>, host: usize, port: Port, session: &SessionCase<'_>) -> Option<(Delivery, Cause)> {
    let (otherwise, _) = opportunistic(case, session);
    Some(match case.facts.published.keys_of(host, port)?.outcome.as_ref() {
        None => (Delivery::Unknown, Cause::Late),
        Some(TlsaOutcome::Absent) => (otherwise, Cause::NoTlsa),
        Some(TlsaOutcome::Insecure | TlsaOutcome::Unknown(Doubt::Untrusted { says_secure: false })) => (otherwise, Cause::Unsigned),
        Some(TlsaOutcome::Unknown(Doubt::Untrusted { says_secure: true })) => (Delivery::Unknown, Cause::DnsUntrusted),
        Some(TlsaOutcome::Unknown(_)) => (Delivery::Unknown, Cause::DnsUnknown),
        Some(TlsaOutcome::Bogus(_)) => (Delivery::Defers, Cause::TlsaBogus),
        Some(TlsaOutcome::Failed(_)) => (Delivery::Defers, Cause::TlsaFailed),
        Some(TlsaOutcome::Records(_)) => match (Tls::of(session), session.facts.dane.as_ref().map(|dane| &dane.verdict)) {
            (Tls::Unknown, _) => (Delivery::Unknown, Cause::Unreached),
            (Tls::NotOffered | Tls::Refused | Tls::Failed, _) => (Delivery::Defers, Cause::TlsaNoTls),
            (Tls::Up(facts), Some(DaneVerdict::Authenticated { .. })) if is_proved(facts) => (Delivery::Authenticated, Cause::TlsaMatch),
            (Tls::Up(_), Some(DaneVerdict::Authenticated { .. } | DaneVerdict::Failed { .. })) => (Delivery::Defers, Cause::TlsaMismatch),
            (Tls::Up(_), Some(DaneVerdict::Unusable { .. })) => (Delivery::Encrypted, Cause::TlsaUnusable),
            (Tls::Up(_), Some(DaneVerdict::NoRecords) | None) => (Delivery::Unknown, Cause::Late),
        },
    })
}

/// Whether the server has shown in the handshake that the key of its certificate is its own.
pub(super) fn is_proved(facts: &TlsFacts) -> bool {
    let unproved = |fault: &CertificateFault| fault.place == 0 && fault.why == Distrust::Unproved;
    !facts.verdict.faults().iter().any(unproved)
}

fn by_mta_sts(case: &Case<'_>, mta_sts: &MtaSts, session: &SessionCase<'_>) -> (Delivery, Cause) {
    let (otherwise, _) = opportunistic(case, session);
    match &mta_sts.record {
        Err(Unread::Late) => return (Delivery::Unknown, Cause::Late),
        Err(Unread::Wrong(TxtError::Absent)) => return (otherwise, Cause::NoPolicy),
        Err(Unread::Lookup(_)) => return (otherwise, Cause::PolicyUnavailable),
        Err(Unread::Wrong(_)) => return (otherwise, Cause::PolicyInvalid),
        Ok(_) => {}
    }
    let policy = match &mta_sts.policy {
        None => return (otherwise, Cause::PolicyUnavailable),
        Some(Err(_)) => return (otherwise, Cause::PolicyInvalid),
        Some(Ok(policy)) => policy,
    };
    match policy.mode {
        Mode::None => return (otherwise, Cause::PolicyNone),
        Mode::Testing => return (otherwise, Cause::PolicyTesting),
        Mode::Enforce => {}
    }
    meets(mta_sts, session)
}

/// What a sender does that takes the policy seriously, whatever its mode.
pub(super) fn meets(mta_sts: &MtaSts, session: &SessionCase<'_>) -> (Delivery, Cause) {
    if !is_listed(mta_sts, &session.facts.name) {
        return (Delivery::Defers, Cause::HostUnlisted);
    }
    match Tls::of(session) {
        Tls::Up(facts) if facts.verdict == CertificateVerdict::Trusted => (Delivery::Authenticated, Cause::CertificateGood),
        Tls::Up(_) => (Delivery::Defers, Cause::CertificateBad),
        Tls::NotOffered | Tls::Refused | Tls::Failed => (Delivery::Defers, Cause::PolicyNoTls),
        Tls::Unknown => (Delivery::Unknown, Cause::Unreached),
    }
}

/// Whether the policy names the host.
fn is_listed(mta_sts: &MtaSts, host: &Host) -> bool {
    match (host, mta_sts.valid()) {
        (Host::Name(name), Some(policy)) => policy.pattern_for(name).is_some(),
        _ => false,
    }
}

fn by_require_tls(case: &Case<'_>, host: usize, session: &SessionCase<'_>) -> Option<(Delivery, Cause)> {
    let facts = match Tls::of(session) {
        Tls::Up(facts) => facts,
        Tls::Unknown => return Some((Delivery::Unknown, Cause::Unreached)),
        Tls::NotOffered | Tls::Refused | Tls::Failed => return Some((Delivery::Returns, Cause::NoTls)),
    };
    let way = case.facts.route.hosts.get(host)?.named;
    let proven = way.is_secure() || way.is_at_hand() || is_proven_by_policy(case, session);
    let by_keys = session.facts.dane.as_ref().is_some_and(|dane| matches!(dane.verdict, DaneVerdict::Authenticated { .. }));
    let is_known = facts.verdict == CertificateVerdict::Trusted || (by_keys && is_proved(facts));
    Some(match session.facts.transcript.capabilities() {
        None => (Delivery::Unknown, Cause::Unreached),
        Some(offered) if !offered.has("REQUIRETLS") => (Delivery::Returns, Cause::RequiretlsNotOffered),
        Some(_) if !proven => (Delivery::Returns, Cause::WayUnproven),
        Some(_) if !is_known => (Delivery::Returns, Cause::CertificateBad),
        Some(_) => (Delivery::Authenticated, Cause::RequiretlsMet),
    })
}

fn is_proven_by_policy(case: &Case<'_>, session: &SessionCase<'_>) -> bool {
    case.facts.published.mta_sts.as_ref().is_some_and(|mta_sts| is_listed(mta_sts, &session.facts.name))
}

impl<'a> Case<'a> {
    /// The session in which the question was put once more without TLS to the host and port of `session`, whose handshake failed.
    pub(super) fn in_the_clear(&self, session: &crate::probe::SessionFacts) -> Option<(usize, &SessionCase<'a>)> {
        let same = |other: &SessionCase<'_>| {
            (other.facts.host, other.facts.address.port()) == (session.host, session.address.port()) && other.facts.role == Role::InClear
        };
        self.sessions.iter().enumerate().find(|(_, other)| same(other))
    }

    /// What the sender comes to over all hosts; none if nothing is known of it.
    #[must_use]
    pub fn outlook(&self, sender: Sender) -> Option<Outlook> {
        let known: Vec<Outlook> =
            self.outlooks.iter().filter(|outlook| outlook.sender == sender && outlook.delivery != Delivery::Unknown).copied().collect();
        in_all(&known)
    }
}
