//! How a probe is shown: one plain structure, and a renderer for each format.
//!
//! [`Report`] is the contract `smtpprobe.report/1`: what scripts read as JSON is what the terminal is drawn from. A renderer is a
//! function from report to text; nothing here asks the network, the clock or the command line.

mod build;
pub mod bulk;
pub mod comparison;
pub mod explanation;
mod json;
mod letter;
pub mod listing;
mod page;
mod published;
mod safe;
pub mod sender;
mod table;
mod terminal;
mod verdict;

pub use build::report;
pub use json::{array, lines, schema};
pub use letter::{DkimPart, LetterPart, LetterState};
pub use page::Look;
pub use published::{DeliveryPart, ListedPart, MtaStsPart, TlsRptPart, TlsaPart};
pub use safe::safe;
pub use table::Table;
pub use terminal::{headline, render};

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::{Outcome, PortState, Severity};
use crate::knowledge::{Actor, Confidence, Fix, Permanence, Reason};
use crate::probe::Role;
use crate::smtp::{Purpose, Stage, Verb};

/// The verdict as a row.
#[must_use]
pub fn table(report: &Report) -> Table {
    let verdict = &report.verdict;
    let mut table =
        Table::new(&["target", "outcome", "reason", "actor", "confidence", "stage", "code", "enhanced", "host", "text", "summary"]);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    table.rows.push(vec![
        report.target.input.clone(),
        name(verdict.outcome),
        name(verdict.reason),
        name(verdict.actor),
        name(verdict.confidence),
        name(verdict.stage),
        verdict.code.map(|code| format!("{code:03}")).unwrap_or_default(),
        text(&verdict.enhanced),
        text(&verdict.host),
        text(&verdict.text),
        verdict.summary.clone(),
    ]);
    table
}

/// The name that a value has in JSON.
pub(crate) fn name(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The name and version of the contract.
pub const SCHEMA: &str = "smtpprobe.report/1";

/// Everything about one probe: facts, findings, verdict. Times are milliseconds since the probe began; absent fields are what
/// there was none of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always `smtpprobe.report/1`.
    pub schema: String,
    /// What was asked for.
    pub target: TargetPart,
    /// When the probe began (RFC 3339, UTC).
    pub started_at: String,
    /// How long it took.
    pub duration_ms: f64,
    /// From where it was held.
    pub vantage: VantagePart,
    /// Your own side, as receivers see it; absent if it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sender: Option<sender::SenderPart>,
    /// Where the mail goes.
    pub route: RoutePart,
    /// What was to be delivered; absent if nothing was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<LetterPart>,
    /// What came of waiting for servers that greylist; absent if that was not wanted, or none did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wait: Option<WaitPart>,
    /// The conversations.
    pub sessions: Vec<SessionPart>,
    /// What was noticed.
    pub findings: Vec<FindingPart>,
    /// The conclusion.
    pub verdict: VerdictPart,
}

/// What came of waiting for servers that greylist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaitPart {
    /// How long to wait was allowed in all.
    pub limit_ms: f64,
    /// How long was waited in all.
    pub waited_ms: f64,
    /// `answered`: the question was put again; `too_long`: the next wait was beyond the limit; `broken_off`.
    pub end: String,
    /// The wait that was beyond the limit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_ms: Option<f64>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetPart {
    /// As the user wrote it.
    pub input: String,
    /// What it is.
    pub kind: TargetKind,
    /// The mailbox, with its domain in A-labels.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mailbox: Option<String>,
    /// The domain in A-labels.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub domain: Option<String>,
    /// `mail`, or `ports` where it was to be found out which ports can be reached.
    pub question: String,
    /// The last stage that was asked for.
    pub until: Stage,
    /// The ports that have to be open.
    pub ports: Vec<u16>,
}

/// The kinds of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A mailbox.
    Mailbox,
    /// A domain.
    Domain,
    /// A host.
    Host,
}

/// From where the probe was held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VantagePart {
    /// This host's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hostname: Option<String>,
    /// The name said in EHLO.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub helo: Option<String>,
    /// This machine's addresses, as its connections had them.
    pub addresses: Vec<IpAddr>,
    /// The addresses that it is seen with from outside, as servers named them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub egress: Vec<IpAddr>,
    /// The target's addresses that lead back to this side: what is reached there tells nothing about how others reach it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub own: Vec<OwnPart>,
    /// The proxy that all connections went through, as a URL without its login.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proxy: Option<String>,
}

/// A target's address that is this side's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnPart {
    /// The address.
    pub address: IpAddr,
    /// Whether it is this machine's; else it is that of a router that this machine is behind.
    pub here: bool,
}

/// Where the mail goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoutePart {
    /// `mx`, `implicit_mx`, `null_mx`, `given` or `failed`.
    pub origin: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
    /// Whether all that leads to the hosts' addresses is authentic: `secure`, `insecure`, `bogus` or `unknown`.
    pub dnssec: String,
    /// The mail hosts by preference.
    pub hosts: Vec<HostPart>,
    /// MTA-STS; absent if it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mta_sts: Option<MtaStsPart>,
    /// TLS-RPT; absent if it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tls_rpt: Option<TlsRptPart>,
    /// What senders with different policies would do at each host.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub delivery: Vec<DeliveryPart>,
    /// Everything that was looked up.
    pub lookups: Vec<LookupPart>,
    /// Addresses that were not connected to.
    pub left_out: Vec<LeftOutPart>,
    /// What the DNS says of names in greetings that look strange at their hosts.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub identities: Vec<IdentityPart>,
}

/// Whether a name that a server gives itself belongs to the address it answers at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityPart {
    /// The name in the greeting.
    pub name: String,
    /// The address it came from.
    pub address: IpAddr,
    /// The name's addresses of the same family.
    pub addresses: Vec<IpAddr>,
    /// The names of the address (PTR).
    pub pointers: Vec<String>,
    /// Whether both lookups had an answer, be it that there is nothing; else nothing can be concluded.
    pub answered: bool,
}

/// A mail host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostPart {
    /// Its name, or its address.
    pub name: String,
    /// The preference of its MX record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preference: Option<u16>,
    /// Its addresses.
    pub addresses: Vec<AddressPart>,
    /// The name that it is an alias of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cname: Option<String>,
    /// What is published about its keys, by port.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tlsa: Vec<TlsaPart>,
    /// Why it has no address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
}

/// An address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AddressPart {
    /// The address.
    pub ip: IpAddr,
    /// 4 or 6.
    pub family: u8,
}

/// One lookup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LookupPart {
    /// The name asked for.
    pub name: String,
    /// The type of record.
    #[serde(rename = "type")]
    pub kind: String,
    /// The server asked; absent if the answer was at hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server: Option<String>,
    /// `found`, `no_data`, `nxdomain`, or the failure's name.
    pub result: String,
    /// Whether the answer is authentic: `secure`, `insecure`, `bogus` or `unknown`.
    pub secure: String,
    /// How that is known, or why it is not: `resolver`, `validation`, `refused_by_resolver`, `not_asked`, `resolver_not_trusted`,
    /// `no_answer` or `unproven`.
    pub secure_reason: String,
    /// The records found.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub records: Vec<String>,
    /// When it was asked.
    pub at_ms: f64,
    /// How long it took.
    pub ms: f64,
    /// Whether TCP was needed.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub tcp: bool,
}

/// An address that was not connected to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOutPart {
    /// The host.
    pub host: String,
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// `same_address`, `enough_of_the_host`, `enough_in_all` or `answered`.
    pub why: String,
}

/// One conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionPart {
    /// What it was held for, where it was not asked for: `control`, `other_port`, `other_mode`, `in_clear`, `old_tls`, `injection` or `retry`.
    #[serde(skip_serializing_if = "is_asked", default)]
    pub role: Role,
    /// The host.
    pub host: String,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// 4 or 6.
    pub family: u8,
    /// `none`, `starttls` or `implicit`.
    pub tls: String,
    /// What the port turned out to be.
    pub state: PortState,
    /// The last stage that the server answered with a yes; absent if the connection never stood.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reached: Option<Stage>,
    /// How long the connection took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connect_ms: Option<f64>,
    /// How long the session took.
    pub total_ms: f64,
    /// When it was begun.
    pub began_ms: f64,
    /// The software that the server's words give away.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub software: Option<String>,
    /// What the server offered last: keyword and parameters.
    pub capabilities: BTreeMap<String, Vec<String>>,
    /// The server's certificate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate: Option<CertificatePart>,
    /// What TLSA records say of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dane: Option<DanePart>,
    /// What the server would choose of the TLS that was ever usual.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old_tls: Option<OldTlsPart>,
    /// When the server, which greylists, is to be asked again, in milliseconds from its reply.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<f64>,
    /// Whether the server named that time; else it is the usual one. Absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_named: Option<bool>,
    /// What the session says about the question; absent if another address answered first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<AnswerPart>,
    /// What happened.
    pub events: Vec<EventPart>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_asked(role: &Role) -> bool {
    *role == Role::Asked
}

/// What TLSA records say of a certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DanePart {
    /// `authenticated`, `failed`, `unusable` (TLS is demanded, and nobody authenticated) or `no_records`.
    pub verdict: String,
    /// Each record with what it did, in words.
    pub records: Vec<String>,
    /// The record that would match, ready to publish, where none does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub would_match: Option<String>,
}

/// What a server would choose that knows only old TLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OldTlsPart {
    /// Such as `TLS 1.0`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The size of the Diffie-Hellman group in bits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group_bits: Option<u32>,
    /// Why a client of today does not speak to it: `old_version`, `anonymous`, `rsa_key_exchange`, `finite_field`, `weak_cipher`,
    /// `cbc`, `weak_key`, `weak_signature`.
    pub flaws: Vec<String>,
    /// The certificates as sent, the server's own first; at most ten.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub chain: Vec<PaperPart>,
}

/// TLS and the certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CertificatePart {
    /// Such as `TLS 1.3`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The name that the server was asked for (SNI).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_name: Option<String>,
    /// The key exchange group.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group: Option<String>,
    /// Whether normal verification accepts it.
    pub trusted: bool,
    /// `trusted`, `unseen`, or the first of the reasons: its kind, or the verifier's words where that is `other`.
    pub verdict: String,
    /// Why it is not trusted: everything that is wrong, the most important first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reasons: Vec<DistrustPart>,
    /// The server's own certificate.
    #[serde(flatten)]
    pub own: PaperPart,
    /// How many certificates were sent.
    pub chain_length: usize,
    /// The certificates as sent, the server's own first; at most ten.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub chain: Vec<PaperPart>,
}

/// One certificate. Of one that cannot be parsed there is the fingerprint alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PaperPart {
    /// The subject.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer: Option<String>,
    /// The names it is for: DNS names and addresses, else the common name, which no longer counts.
    pub names: Vec<String>,
    /// The serial number in hex.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub serial: Option<String>,
    /// The key that it certifies.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<KeyPart>,
    /// What its issuer signed it with, such as `ecdsa-with-SHA256`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signature_algorithm: Option<String>,
    /// From when it is valid (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_before: Option<String>,
    /// Until when it is valid (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_after: Option<String>,
    /// Whole days until it ends; negative afterwards.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub days_left: Option<i64>,
    /// SHA-256 of the certificate in hex.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
    /// SHA-256 of its public key (`SubjectPublicKeyInfo`) in hex.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spki_sha256: Option<String>,
    /// Where its issuer's certificate can be had.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer_url: Option<String>,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeyPart {
    /// `RSA`, `EC`, `DSA`, `Ed25519` or another name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its size in bits, where it may vary.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bits: Option<u32>,
    /// The curve, such as `P-256`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub curve: Option<String>,
}

/// One reason not to trust a certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DistrustPart {
    /// `self_signed`, `unknown_issuer`, `missing_intermediate`, `bad_signature`, `unproved`, `expired`, `not_yet_valid`, `wrong_name`,
    /// `marked_as_authority`, `not_an_authority`, `not_for_servers`, `unhandled_extension`, `weak_key`, `weak_signature`, `unreadable`
    /// or `other`.
    pub kind: String,
    /// Which certificate of those sent it concerns, by its place in `chain`.
    pub certificate: usize,
    /// The issuer, the day, the name asked for, the key, the algorithm or the extension that it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<String>,
    /// In words.
    pub text: String,
}

/// What a session says about the question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerPart {
    /// What it comes to.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// How sure the reason is.
    pub confidence: Confidence,
    /// Where it was decided.
    pub stage: Stage,
    /// The event that shows it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<usize>,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// The connection stands.
    Connected,
    /// A command went out.
    Sent,
    /// A reply came.
    Reply,
    /// Bytes came that answer nothing.
    Premature,
    /// TLS is up.
    Secured,
    /// Octets of the message went out: all of them, a chunk, or what had gone when it was broken off.
    Content,
    /// The server has shown what old TLS it would speak.
    Surveyed,
    /// The session could not go on.
    Failed,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventPart {
    /// When; of a reply and of bytes that answer nothing, when the last of them came.
    pub at_ms: f64,
    /// When the first of them came, where that is another time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub began_ms: Option<f64>,
    /// What kind of thing.
    pub kind: EventKind,
    /// Where the session was.
    pub stage: Stage,
    /// For whose sake, where that is a control question.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub purpose: Option<Purpose>,
    /// The command, as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<String>,
    /// What a reply answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answers: Option<Verb>,
    /// Whether a reply came that nobody had asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub unasked: bool,
    /// The code as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<u16>,
    /// The enhanced code, if one was sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub enhanced: Option<String>,
    /// The words, lines joined; for bytes that answer nothing, what can be read of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// The lines as sent, without the codes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lines: Vec<String>,
    /// The bytes in base64, where they are not UTF-8 or the reply breaks a rule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub raw: Option<String>,
    /// A challenge of a login in plain text; none for other replies, and for what is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub challenge: Option<String>,
    /// What went wrong, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
    /// The operating system's number for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub errno: Option<i32>,
    /// The ICMP error behind it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub icmp: Option<IcmpPart>,
    /// What the reply means.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub annotation: Option<AnnotationPart>,
}

/// An ICMP error (RFC 792, RFC 4443).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IcmpPart {
    /// The type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// Who sent it.
    pub from: IpAddr,
    /// Whether that is this machine itself.
    pub here: bool,
}

/// What a reply means in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnnotationPart {
    /// Why the server answered so.
    pub reason: Reason,
    /// How sure that is.
    pub confidence: Confidence,
    /// Whether a sender's queue retries.
    pub permanence: Permanence,
    /// A few words.
    pub title: String,
    /// What it means.
    pub meaning: String,
    /// When one sees it.
    pub when: String,
    /// What to do.
    pub fix: Vec<Fix>,
    /// Who acts first.
    pub actor: Actor,
    /// Sources.
    pub references: Vec<String>,
}

/// Something noticed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FindingPart {
    /// Its name.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What it means.
    pub detail: String,
    /// Who acts first.
    pub actor: Actor,
    /// What to do.
    pub fix: Vec<Fix>,
    /// What is right, line by line, ready to publish.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub publish: Vec<String>,
    /// The proof.
    pub evidence: Vec<EvidencePart>,
    /// Sources.
    pub references: Vec<String>,
}

/// A proof: a place in this report, and what stands there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidencePart {
    /// Place in `sessions`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<usize>,
    /// Place in that session's `events`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event: Option<usize>,
    /// Place in `route.lookups`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lookup: Option<usize>,
    /// What was said, found or measured.
    pub quote: String,
}

/// The conclusion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictPart {
    /// What happened.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Who acts first.
    pub actor: Actor,
    /// How sure the reason is.
    pub confidence: Confidence,
    /// Where it was decided.
    pub stage: Stage,
    /// The deciding reply's code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<u16>,
    /// Its enhanced code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub enhanced: Option<String>,
    /// Its words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// The host that gave it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host: Option<String>,
    /// The session shown as proof.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<usize>,
    /// The headline.
    pub title: String,
    /// Headline and proof in one sentence.
    pub summary: String,
    /// The proof in words, then what it means.
    pub why: Vec<String>,
    /// What is to be known beside it: that it was given in the clear, that some senders hold mail back all the same, that a message
    /// taken is not yet in the inbox, or that it was greylisted at first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub caveats: Vec<String>,
    /// What to do, the reader's next step first.
    pub fix: Vec<Fix>,
    /// What stays unknown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unknown: Option<String>,
    /// The proof.
    pub evidence: Vec<EvidencePart>,
}
