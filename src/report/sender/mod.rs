//! The sender's own side: `smtpprobe.sender/1`, which is also a part of a probe's report, and how it is shown.

mod build;
mod spf;
mod text;
mod trace;

pub use self::build::{part, report};
pub use self::spf::{ExplanationPart, PolicyFaultPart, PolicyPart, QueryPart, RemarkPart, SpfPart, StepPart};
pub(crate) use self::text::Own;
pub use self::text::{headline, render};

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::explanation::{ListingAnswer, ListingPart};
use super::{FindingPart, Table};
use crate::diagnosis::Severity;

/// The name and version of the contract.
pub const SCHEMA: &str = "smtpprobe.sender/1";

/// The sender's own side alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SenderReport {
    /// Always `smtpprobe.sender/1`.
    pub schema: String,
    /// When it was looked at (RFC 3339, UTC).
    pub started_at: String,
    /// How long that took.
    pub duration_ms: f64,
    /// What was found out.
    #[serde(flatten)]
    pub sender: SenderPart,
    /// What was noticed.
    pub findings: Vec<FindingPart>,
}

/// The sender as receivers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SenderPart {
    /// `clean`: nothing that receivers refuse for; `faulty`: something is; `unknown`: something could not be found out.
    pub state: String,
    /// The envelope sender; absent for the null sender.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// The name given with EHLO; absent if none is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub helo: Option<HelloPart>,
    /// The addresses that mail leaves from; empty if none is known that means anything outside.
    pub addresses: Vec<SentFromPart>,
    /// Addresses of this machine that mean nothing outside, where nobody told what they are there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hidden: Vec<IpAddr>,
    /// DMARC of the envelope sender's domain; absent for the null sender, and if it was not known in time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dmarc: Option<DmarcPart>,
    /// The DKIM keys that were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub dkim: Vec<DkimPart>,
    /// What block lists say.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub listings: Vec<ListingPart>,
    /// The terms of the lists that were asked, and of those that were named and are not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lists: Vec<ListPart>,
}

/// The name given with EHLO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HelloPart {
    /// The name, or an address literal.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Why they could not be looked up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
    /// What is wrong with it: `local`, `unqualified`, `targets_name`, `unresolved`, `other_address`, `other_literal`, `literal`,
    /// `other_pointer`.
    pub faults: Vec<String>,
}

/// An address that mail leaves from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SentFromPart {
    /// As receivers see it.
    pub address: IpAddr,
    /// How it is known: `told` by a server, `socket` or `given` by the user.
    pub known: String,
    /// What the socket had, where that is another one: an address translator stands in between.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub local: Option<IpAddr>,
    /// Its names (PTR).
    pub pointers: Vec<PointerPart>,
    /// Whether one of them leads back to it; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub confirmed: Option<bool>,
    /// Why the names could not be looked up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
    /// Whether it may send for the sender; absent if there is no domain to ask about, and if it was not known in time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spf: Option<SpfPart>,
}

/// A name of an address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PointerPart {
    /// The name.
    pub name: String,
    /// Where it leads: `back`, `elsewhere`, `nowhere`, or `failed` if that could not be looked up.
    pub leads: String,
    /// The other addresses that it leads to.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub addresses: Vec<IpAddr>,
    /// What makes it look generic: `address`, or the word that does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub generic: Option<String>,
}

/// DMARC of a domain (RFC 9989).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DmarcPart {
    /// The author's domain.
    pub domain: String,
    /// The organizational domain.
    pub organization: String,
    /// The names asked for a record, from the domain upward.
    pub walk: Vec<VisitPart>,
    /// The domain whose record applies; absent if none does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub applies: Option<String>,
    /// What is asked for, with `t=y` taken into account: `none`, `quarantine`, `reject`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<String>,
    /// What stands in the record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published: Option<String>,
    /// The tag that says so: `p`, `sp`, `np` or `default`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// `relaxed` or `strict`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub adkim: Option<String>,
    /// `relaxed` or `strict`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub aspf: Option<String>,
    /// Whether SPF could stand for the author.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub aligned: Option<bool>,
    /// How SPF's domain stands to the author's: `same`, `organization` or `strangers`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kinship: Option<String>,
    /// Why an answer could not be had.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// A name asked for a DMARC record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VisitPart {
    /// The domain; the question is for `_dmarc.` before it.
    pub domain: String,
    /// `record`, `absent`, `misspelt`, `several` or `failed`.
    pub found: String,
    /// The record, or what seems to be meant as one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// What is wrong, obsolete or unknown in it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub faults: Vec<RecordFaultPart>,
}

/// Something in a record of tags that is wrong or odd.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordFaultPart {
    /// Where it begins, in octets counted from 0.
    pub at: usize,
    /// What stands there, or its beginning.
    pub tag: String,
    /// What is the matter, by a name.
    pub kind: String,
    /// The same in words.
    pub text: String,
}

/// The DKIM key of a selector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DkimPart {
    /// The selector.
    pub selector: String,
    /// The domain that signs.
    pub domain: String,
    /// `good`, `weak`, `unusable`; or why there is no key: `name`, `absent`, `several`, `lookup`, `fault`.
    pub state: String,
    /// `rsa`, `ed25519` or `revoked`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// The bits of an RSA key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bits: Option<usize>,
    /// Why there is no key, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<String>,
    /// What is wrong or odd in it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub faults: Vec<RecordFaultPart>,
}

/// A block list, with its terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListPart {
    /// Its zone.
    pub zone: String,
    /// As people call it; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Whether it was not asked, as it has been closed.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub closed: bool,
    /// On what terms it may be asked; absent if they are not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub terms: Option<String>,
    /// Where an entry can be looked up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
}

/// A row for each address.
#[must_use]
pub fn table(report: &SenderReport) -> Table {
    let mut table =
        Table::new(&["address", "state", "from", "helo", "names", "confirmed", "spf", "spf_domain", "dmarc", "listed", "findings"]);
    let sender = &report.sender;
    let worth_telling = report.findings.iter().filter(|finding| finding.severity >= Severity::Warning);
    let findings: Vec<&str> = worth_telling.map(|finding| finding.id.as_str()).collect();
    let row = |known: Option<&SentFromPart>| {
        let spf = known.and_then(|known| known.spf.as_ref());
        let address = known.map(|known| known.address.to_string()).unwrap_or_default();
        let names = known.iter().flat_map(|known| &known.pointers).map(|pointer| pointer.name.as_str());
        let about = |listing: &&ListingPart| listing.subject == address || listing.subject.parse::<IpAddr>().is_err();
        let is_listed = |listing: &&ListingPart| listing.answer == ListingAnswer::Listed;
        let listed = sender.listings.iter().filter(about).filter(is_listed).map(|listing| listing.list.as_str());
        vec![
            address.clone(),
            sender.state.clone(),
            sender.from.clone().unwrap_or_default(),
            sender.helo.as_ref().map(|helo| helo.name.clone()).unwrap_or_default(),
            names.collect::<Vec<_>>().join(" "),
            known.and_then(|known| known.confirmed).map(|confirmed| confirmed.to_string()).unwrap_or_default(),
            spf.map(|spf| spf.result.clone()).unwrap_or_default(),
            spf.map(|spf| spf.domain.clone()).unwrap_or_default(),
            sender.dmarc.as_ref().and_then(|dmarc| dmarc.policy.clone()).unwrap_or_default(),
            listed.collect::<Vec<_>>().join(" "),
            findings.join(" "),
        ]
    };
    table.rows =
        if sender.addresses.is_empty() { vec![row(None)] } else { sender.addresses.iter().map(|known| row(Some(known))).collect() };
    table
}
