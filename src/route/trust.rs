//! Validation here: from a trust anchor along DS and DNSKEY to an answer (RFC 4035 §5).
//!
//! hickory validates; this gives it the messages. The answer in question is the one that was received, not a second one, and what
//! leads to it is asked for once, however many answers hang on it. What hickory finds secure is secure. What it finds bogus need
//! not be: it is mistaken about some answers with aliases, and takes a server's silence for a broken chain.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::FirstAnswer as _;
use hickory_resolver::net::{DnsError, DnsHandle, NetError};
use hickory_resolver::proto::dnssec::{Algorithm, Proof, PublicKeyBuf, TrustAnchors};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{DNSClass, LowerName, Name, Record, RecordType};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::LookupFailure;
use super::exchange::{self, Patience, Signatures};
use super::security::{Doubt, Security, Validator};
use crate::settings::{TrustAnchor, Validation};

/// All of one validation ends within this time; the answer itself is known before.
const LIMIT: Duration = Duration::from_secs(5);
/// So many questions are asked of a server to validate its answers; a chain of trust takes a few for each label.
const QUESTIONS_LIMIT: usize = 512;

/// The trust in what one server answers.
#[derive(Clone)]
pub(super) struct Trust {
    validating: DnssecDnsHandle<Asking>,
    known: Known,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

/// What a validated answer is about.
pub(super) struct Claim<'a> {
    /// The name asked for, and the aliases that the answer leads along.
    pub(super) names: &'a [Name],
    /// The type asked for.
    pub(super) kind: RecordType,
    /// Whether it says that there is nothing.
    pub(super) denies: bool,
}

impl Trust {
    /// Trust from the anchors that the settings name; none if nothing is to be validated here.
    pub(super) fn new(validation: &Validation, server: SocketAddr, patience: Patience) -> Option<Self> {
        let anchors = match validation {
            Validation::Off => return None,
            Validation::FromRoot => TrustAnchors::default(),
            Validation::From(keys) => anchors(keys),
        };
        let known = Known::default();
        let asking = Asking { server, patience, known: known.clone() };
        Some(Self { validating: DnssecDnsHandle::with_trust_anchor(asking, Arc::new(anchors)), known })
    }

    /// Validates `message`, which answers `question`.
    pub(super) async fn judge(&self, question: &Query, message: &Message, claim: &Claim<'_>) -> Security {
        self.known.learn(question, message);
        let mut options = DnsRequestOptions::default();
        options.edns_set_dnssec_ok = true;
        let validated = timeout(LIMIT, self.validating.lookup(question.clone(), options).first_answer()).await;
        match validated {
            Ok(Ok(response)) => claim.proven(&response),
            Ok(Err(NetError::Dns(DnsError::Nsec { proof: Proof::Insecure, .. }))) => Security::Insecure(Validator::Here),
            _ => Security::Unknown(Doubt::Unproven),
        }
    }
}

impl Claim<'_> {
    /// What the proofs of the single records amount to.
    fn proven(&self, message: &Message) -> Security {
        let is_ours = |record: &&Record| {
            let kind = record.record_type();
            record.dns_class == DNSClass::IN && (kind == self.kind || kind == RecordType::CNAME) && self.names.contains(&record.name)
        };
        let mut proofs: Vec<Proof> = message.answers.iter().filter(is_ours).map(|record| record.proof).collect();
        if self.denies {
            let denials = message.authorities.iter().filter(|record| matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3));
            // A denial without a proof is let pass only where the zone is proven to be unsigned.
            proofs.push(if denials.into_iter().any(|record| record.proof.is_secure()) { Proof::Secure } else { Proof::Insecure });
        }
        match proofs.into_iter().min() {
            Some(Proof::Secure) => Security::Secure(Validator::Here),
            Some(Proof::Insecure) => Security::Insecure(Validator::Here),
            Some(Proof::Bogus | Proof::Indeterminate) | None => Security::Unknown(Doubt::Unproven),
        }
    }
}

/// A key of a zone whose name nobody can read leads nowhere and is left out.
fn anchors(keys: &[TrustAnchor]) -> TrustAnchors {
    let mut anchors = TrustAnchors::empty();
    for anchor in keys {
        if let Ok(zone) = Name::from_ascii(&anchor.zone) {
            let key = PublicKeyBuf::new(anchor.key.clone(), Algorithm::from_u8(anchor.algorithm));
            anchors.insert_with_name(&key, LowerName::from(zone));
        }
    }
    anchors
}

/// What a server has answered, or is being asked.
#[derive(Clone, Default)]
struct Known(Arc<Mutex<HashMap<Query, Arc<OnceCell<Message>>>>>);

impl Known {
    fn learn(&self, question: &Query, answer: &Message) {
        let cell = Arc::new(OnceCell::new_with(Some(answer.clone())));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(question.clone(), cell);
    }

    /// The place for an answer; none if there are too many.
    fn place(&self, question: &Query) -> Option<Arc<OnceCell<Message>>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= QUESTIONS_LIMIT && !known.contains_key(question) {
            return None;
        }
        Some(Arc::clone(known.entry(question.clone()).or_default()))
    }
}

/// Asks one server, each question once.
#[derive(Clone)]
struct Asking {
    server: SocketAddr,
    patience: Patience,
    known: Known,
}

impl Asking {
    async fn ask(self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let question = request.queries.first().cloned().ok_or(NetError::Message("no question"))?;
        let place = self.known.place(&question).ok_or(NetError::Busy)?;
        let answer = place.get_or_try_init(|| async {
            let exchange = exchange::ask(&question, self.server, self.patience, Signatures::Sent).await;
            exchange.answer.map(Arc::unwrap_or_clone).map_err(|failure| match failure {
                LookupFailure::TimedOut => NetError::Timeout,
                other => NetError::Message(other.as_str()),
            })
        });
        let answer = answer.await?;
        match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(DnsResponse::from_message(answer.clone())?),
            code => Err(DnsError::ResponseCode(code).into()),
        }
    }
}

impl DnsHandle for Asking {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        Box::pin(stream::once(self.clone().ask(request)))
    }
}
