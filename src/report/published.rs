//! What is published on transport security, and what senders make of it, in the shape of the contract.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::{Case, Cause, Delivery, Sender, fetch_words};
use crate::policy::TxtError;
use crate::policy::mta_sts::Mode;
use crate::policy::tls_rpt::TlsRptError;
use crate::probe::{MtaSts, Unread};
use crate::route::{MailHost, TlsaOutcome};
use crate::target::Host;

/// What is published about the keys of a host on one port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsaPart {
    /// The port.
    pub port: u16,
    /// The name that the records stand under, without `_25._tcp`; absent if nothing was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub base: Option<String>,
    /// `records`, `absent`, `insecure` (DANE does not apply), `unknown`, `bogus`, `failed`, or `late` if it was not known in time.
    pub state: String,
    /// The records as in a zone file: `3 1 1 0123…`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub records: Vec<String>,
}

/// MTA-STS as the domain publishes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MtaStsPart {
    /// `enforce`, `testing`, `none` (a policy that takes itself back), `absent`, `record_invalid`, `policy_invalid`, `unavailable`
    /// (no policy could be fetched), `lookup_failed`, or `late` if it was not known in time.
    pub state: String,
    /// The edition of the policy, by its record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// Where the policy was fetched.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// How long that took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fetch_ms: Option<f64>,
    /// The status of the answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// Why there is no policy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
    /// The kind of that: `dns`, `connect`, `tls`, `certificate`, `status`, `too_large`, `timed_out` or `http`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure_kind: Option<String>,
    /// `enforce`, `testing` or `none`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mode: Option<String>,
    /// How long the policy is kept, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_age: Option<u32>,
    /// The patterns for MX hosts.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub mx: Vec<String>,
    /// The pattern that each MX host fits.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hosts: Vec<ListedPart>,
    /// What makes record or policy invalid.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub errors: Vec<String>,
    /// What may not be meant.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
}

/// An MX host and the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListedPart {
    /// The host.
    pub name: String,
    /// The pattern that lets it be one; absent if none does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pattern: Option<String>,
}

/// TLS-RPT as the domain publishes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsRptPart {
    /// `valid`, `absent`, `invalid`, `lookup_failed` or `late`.
    pub state: String,
    /// Where reports go.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub addresses: Vec<String>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub errors: Vec<String>,
}

/// What a sender does at one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryPart {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What the sender goes by.
    pub sender: Sender,
    /// What becomes of a message.
    pub delivery: Delivery,
    /// Why.
    pub why: Cause,
    /// The session that shows it.
    pub session: usize,
}

/// The keys of one host.
pub(super) fn tlsa(case: &Case<'_>, host: usize) -> Vec<TlsaPart> {
    let keys = case.facts.published.keys.iter().filter(|keys| keys.host == host);
    keys.map(|keys| TlsaPart {
        port: keys.port.number(),
        base: keys.base.as_ref().map(ToString::to_string),
        state: keys.outcome.as_ref().map_or("late", TlsaOutcome::as_str).to_owned(),
        records: match &keys.outcome {
            Some(TlsaOutcome::Records(records)) => records.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        },
    })
    .collect()
}

pub(super) fn mta_sts(case: &Case<'_>) -> Option<MtaStsPart> {
    let known = case.facts.published.mta_sts.as_ref()?;
    let policy = known.valid();
    let fetched = known.fetch.as_ref().map(|fetch| &fetch.fetched);
    let failure = known.fetch_failure().zip(fetched);
    let of_policy = known.policy.as_ref().and_then(|policy| policy.as_ref().err());
    let of_record = known.record.as_ref().err().and_then(|error| if let Unread::Wrong(error) = error { Some(error) } else { None });
    let of_record = of_record.filter(|error| **error != TxtError::Absent).map(ToString::to_string);
    let listed = |host: &MailHost| ListedPart {
        name: host.name.to_string(),
        pattern: match (&host.name, policy) {
            (Host::Name(name), Some(policy)) => policy.pattern_for(name).map(ToString::to_string),
            _ => None,
        },
    };
    Some(MtaStsPart {
        state: state(known).to_owned(),
        id: known.record.as_ref().ok().map(|record| record.id.clone()),
        url: fetched.map(|fetched| fetched.url.clone()),
        fetch_ms: fetched.map(|fetched| millis(fetched.took)),
        status: fetched.and_then(|fetched| fetched.status),
        failure: failure.map(|(failure, fetched)| fetch_words(case.knowledge, failure, fetched)),
        failure_kind: failure.map(|(failure, _)| failure.as_str().to_owned()),
        mode: policy.map(|policy| policy.mode.to_string()),
        max_age: policy.map(|policy| policy.max_age),
        mx: policy.iter().flat_map(|policy| policy.mx.iter().map(ToString::to_string)).collect(),
        hosts: if policy.is_some() { case.facts.route.hosts.iter().map(listed).collect() } else { Vec::new() },
        errors: of_record.into_iter().chain(of_policy.into_iter().flatten().map(ToString::to_string)).collect(),
        notes: policy.iter().flat_map(|policy| policy.notes.iter().map(|note| format!("line {}: {}", note.line, note.kind))).collect(),
    })
}

fn state(known: &MtaSts) -> &'static str {
    match (&known.record, &known.policy) {
        (Err(Unread::Late), _) => "late",
        (Err(Unread::Lookup(_)), _) => "lookup_failed",
        (Err(Unread::Wrong(TxtError::Absent)), _) => "absent",
        (Err(Unread::Wrong(_)), _) => "record_invalid",
        (Ok(_), None) => "unavailable",
        (Ok(_), Some(Err(_))) => "policy_invalid",
        (Ok(_), Some(Ok(policy))) => match policy.mode {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        },
    }
}

pub(super) fn tls_rpt(case: &Case<'_>) -> Option<TlsRptPart> {
    let part = |state: &str, addresses, errors| TlsRptPart { state: state.to_owned(), addresses, errors };
    Some(match case.facts.published.tls_rpt.as_ref()? {
        Ok(record) => part(
            "valid",
            record.addresses.iter().map(ToString::to_string).collect(),
            record.faults.iter().map(ToString::to_string).collect(),
        ),
        Err(Unread::Late) => part("late", Vec::new(), Vec::new()),
        Err(Unread::Lookup(_)) => part("lookup_failed", Vec::new(), Vec::new()),
        Err(Unread::Wrong(TlsRptError::Record(TxtError::Absent))) => part("absent", Vec::new(), Vec::new()),
        Err(Unread::Wrong(error)) => part("invalid", Vec::new(), vec![error.to_string()]),
    })
}

pub(super) fn delivery(case: &Case<'_>) -> Vec<DeliveryPart> {
    let host = |place: usize| case.facts.route.hosts.get(place).map(|host| host.name.to_string()).unwrap_or_default();
    let part = |outlook: &crate::diagnosis::Outlook| DeliveryPart {
        host: host(outlook.host),
        port: outlook.port.number(),
        sender: outlook.sender,
        delivery: outlook.delivery,
        why: outlook.cause,
        session: outlook.session,
    };
    case.outlooks.iter().map(part).collect()
}

/// Milliseconds with a tenth: more is noise.
pub(super) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
