//! What TLSA records say of the certificates that a server showed (RFC 7671; RFC 7672 §3.1 and §3.2 for SMTP).
//!
//! Pure computation over what came with the handshake. Two things it cannot know, and whoever asks must: that the records came in
//! a secure answer (RFC 7672 §2.2), and that the server proved in the handshake to hold the key of its certificate. A chain alone
//! proves nothing, because anybody can send it.

mod names;
mod path;

use ring::digest;

use self::path::Path;
use crate::policy::{Matching, Selector, Tlsa, Unusable, Usage, public_key};
use crate::target::DomainName;

/// Of a chain, this many certificates are looked at.
const CHAIN_LIMIT: usize = 20;
/// So many authorities that stand in the records as a whole are tried; each costs a search for a path.
const PUBLISHED_LIMIT: usize = 20;

/// What a sender that honours DANE makes of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaneResult {
    /// What it comes to.
    pub verdict: DaneVerdict,
    /// What each record did, in the order of the records.
    pub records: Vec<RecordVerdict>,
}

/// What a chain comes to by its TLSA records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaneVerdict {
    /// There are no records: DANE asks for nothing.
    NoRecords,
    /// There are records, but none that can be used: TLS is mandatory, with whatever certificate (RFC 7672 §2.2).
    Unusable {
        /// The record that would match, ready to publish; none if the server's certificate cannot be read.
        would_match: Option<Tlsa>,
    },
    /// The server is the one that is meant.
    Authenticated {
        /// By which record, counted from 0; one of usage 3 goes first.
        record: usize,
        /// What it matched.
        matched: Matched,
        /// What normal verification would say against the certificate and does not count here (RFC 7672 §3.1.1); empty for usage 2.
        uncounted: Vec<DaneFault>,
    },
    /// A sender must not deliver here, and tries again later (RFC 7672 §2.2).
    Failed {
        /// The record that would match, ready to publish; none if the server's certificate cannot be read, or none was sent.
        would_match: Option<Tlsa>,
    },
}

/// What one record did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordVerdict {
    /// It authenticates the server.
    Authenticates(Matched),
    /// It names an authority that the server's certificate does not verify by. Usage 2 only.
    Distrusted {
        /// Which authority.
        matched: Matched,
        /// Why the certificate does not verify; at least one.
        faults: Vec<DaneFault>,
    },
    /// It matches nothing that was sent, nor did the authority in it sign any of it: left over from before, published ahead, or wrong.
    NoMatch,
    /// It is of usage 2 and matches only the server's own certificate, for which there is usage 3.
    OwnCertificate,
    /// It does not count beside one with a stronger digest (RFC 7671 §9).
    Outweighed {
        /// The stronger digest.
        by: Matching,
        /// Which certificate sent it would match, counted from 0.
        matched: Option<usize>,
    },
    /// A sender of mail cannot use it.
    Unusable(Unusable),
    /// It was not tried: too many hold whole authorities (20 are tried).
    Untried,
}

/// What a record matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    /// A certificate of the chain as sent, counted from 0, which is the server's own.
    Sent(usize),
    /// The authority that stands in the record as a whole (`2 0 0`) and was not sent.
    Published,
    /// The key that stands in the record as a whole (`2 1 0`) and is in no certificate sent.
    Key {
        /// The certificate sent that it signed, counted from 0.
        signed: Option<usize>,
    },
}

/// Why a certificate does not verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaneFault {
    /// It is over.
    Expired {
        /// Which; never a [`Matched::Key`].
        certificate: Matched,
        /// Since when, in seconds since 1970.
        since: i64,
    },
    /// It is not valid yet.
    NotYetValid {
        /// Which; never a [`Matched::Key`].
        certificate: Matched,
        /// Until when, in seconds since 1970.
        until: i64,
    },
    /// The server's certificate is for none of the reference names.
    WrongName {
        /// The names that it is for, at most 100.
        names: Vec<String>,
    },
    /// What the record names is not marked as an authority (RFC 5280 §4.2.1.9, §4.2.1.3).
    NoAuthority {
        /// Which; never a [`Matched::Key`].
        certificate: Matched,
    },
    /// More certificates stand between it and the server's than it allows (RFC 5280 §4.2.1.9).
    PathTooLong {
        /// Which; never a [`Matched::Key`].
        certificate: Matched,
    },
    /// The server's certificate is marked as an authority's. Whether it verifies otherwise is not known: rustls goes no further,
    /// while senders with OpenSSL take no notice of the mark.
    MarkedAsAuthority,
    /// No path leads from the server's certificate to the authority; a certificate between them may be missing.
    NoPath,
    /// A signature on the path is wrong, or made with an algorithm or key too weak.
    BadSignature,
    /// Something else, in words.
    Other(String),
}

impl DaneResult {
    /// The records that say nothing of the chain sent, counted from 0: while keys change there are such (RFC 7671 §8.1), at other
    /// times they are left over.
    pub fn unmatched(&self) -> impl Iterator<Item = usize> {
        let is_unmatched = |verdict: &RecordVerdict| {
            matches!(verdict, RecordVerdict::NoMatch | RecordVerdict::OwnCertificate | RecordVerdict::Outweighed { matched: None, .. })
        };
        self.records.iter().enumerate().filter(move |(_, verdict)| is_unmatched(verdict)).map(|(index, _)| index)
    }
}

/// Measures a chain as sent, in DER and the server's own certificate first, by the TLSA records of its host.
///
/// `reference_names` are the names that usage 2 looks for in the certificate (RFC 7672 §3.2.2): the TLSA base domain, then the
/// domain of the mail. Without any, usage 2 fails. `now` is in seconds since 1970.
#[must_use]
pub fn verify(chain: &[Vec<u8>], records: &[Tlsa], reference_names: &[DomainName], now: i64) -> DaneResult {
    let chain = &chain[..chain.len().min(CHAIN_LIMIT)];
    let sent: Vec<Sent<'_>> = chain.iter().map(|der| Sent::new(der)).collect();
    let usable: Vec<Option<Unusable>> = records.iter().map(Tlsa::unusable).collect();
    let path = Path::new(chain, reference_names, now);
    let mut published = 0;
    let verdicts: Vec<RecordVerdict> = records
        .iter()
        .zip(&usable)
        .map(|(record, unusable)| {
            if let Some(reason) = unusable {
                return RecordVerdict::Unusable(*reason);
            }
            let matched: Vec<usize> = (0..sent.len()).filter(|index| sent[*index].is_named_by(record)).collect();
            let rivals = records.iter().zip(&usable).filter(|(_, unusable)| unusable.is_none()).map(|(rival, _)| rival);
            if let Some(by) = stronger(record, rivals) {
                return RecordVerdict::Outweighed { by, matched: matched.first().copied() };
            }
            match record.usage {
                // No other certificate than the server's own counts (RFC 7671 §5.1).
                Usage::DaneEe if matched.first() == Some(&0) => RecordVerdict::Authenticates(Matched::Sent(0)),
                Usage::DaneTa => authority(record, &matched, &path, &mut published),
                _ => RecordVerdict::NoMatch,
            }
        })
        .collect();
    DaneResult { verdict: conclude(chain, records, &verdicts, &path), records: verdicts }
}

fn conclude(chain: &[Vec<u8>], records: &[Tlsa], verdicts: &[RecordVerdict], path: &Path<'_>) -> DaneVerdict {
    let would_match = || chain.first().and_then(|leaf| Tlsa::recommended(leaf));
    if records.is_empty() {
        return DaneVerdict::NoRecords;
    }
    if verdicts.iter().all(|verdict| matches!(verdict, RecordVerdict::Unusable(_))) {
        return DaneVerdict::Unusable { would_match: would_match() };
    }
    let authenticating = records.iter().zip(verdicts).enumerate().filter_map(|(index, (record, verdict))| match verdict {
        RecordVerdict::Authenticates(matched) => Some((record.usage, index, *matched)),
        _ => None,
    });
    match authenticating.max_by_key(|(usage, index, _)| (*usage, std::cmp::Reverse(*index))) {
        Some((usage, record, matched)) => {
            let uncounted = if usage == Usage::DaneEe { path.of_own_certificate() } else { Vec::new() };
            DaneVerdict::Authenticated { record, matched, uncounted }
        }
        None => DaneVerdict::Failed { would_match: would_match() },
    }
}

/// A record of usage 2, with the certificates sent that it names.
fn authority(record: &Tlsa, matched: &[usize], path: &Path<'_>, published: &mut usize) -> RecordVerdict {
    // The first that the server's certificate verifies by, else the first of all: the same key may be in several certificates.
    let issuers = matched.iter().filter(|index| **index > 0).map(|index| (Matched::Sent(*index), path.by_sent(*index)));
    let mut first = None;
    for (matched, faults) in issuers {
        if faults.is_empty() {
            return RecordVerdict::Authenticates(matched);
        }
        first.get_or_insert(RecordVerdict::Distrusted { matched, faults: faults.to_vec() });
    }
    if let Some(distrusted) = first {
        return distrusted;
    }
    if matched.first() == Some(&0) {
        return RecordVerdict::OwnCertificate;
    }
    if record.matching != Matching::Full {
        return RecordVerdict::NoMatch;
    }
    *published += 1;
    if *published > PUBLISHED_LIMIT {
        return RecordVerdict::Untried;
    }
    // What stands in the record as a whole need not be sent (RFC 7671 §5.2.2, §5.2.3).
    let (matched, faults) = match record.selector {
        Selector::PublicKey => path.by_key(&record.data),
        _ => (Matched::Published, path.by_published(&record.data)),
    };
    match faults.as_slice() {
        [] => RecordVerdict::Authenticates(matched),
        // It has nothing to do with this chain, or only its name.
        [DaneFault::NoPath | DaneFault::BadSignature, ..] => RecordVerdict::NoMatch,
        _ => RecordVerdict::Distrusted { matched, faults },
    }
}

/// The stronger digest that stands in a record of the same usage and selector (RFC 7671 §9); whole data is not outweighed.
fn stronger<'a>(record: &Tlsa, rivals: impl Iterator<Item = &'a Tlsa>) -> Option<Matching> {
    record.matching.digest_length()?;
    rivals
        .filter(|rival| (rival.usage, rival.selector) == (record.usage, record.selector))
        .map(|rival| rival.matching)
        .filter(|matching| matching.digest_length().is_some() && *matching > record.matching)
        .max()
}

/// A certificate sent, with what records may say of it, computed once however many records there are.
struct Sent<'a> {
    certificate: Option<Forms<'a>>,
    key: Option<Forms<'a>>,
}

struct Forms<'a> {
    full: &'a [u8],
    sha256: digest::Digest,
    sha512: digest::Digest,
}

impl<'a> Sent<'a> {
    /// A certificate that cannot be read is matched by nothing: no peer can use its key.
    fn new(der: &'a [u8]) -> Self {
        let forms = |full| Forms { full, sha256: digest::digest(&digest::SHA256, full), sha512: digest::digest(&digest::SHA512, full) };
        let key = public_key(der);
        Self { certificate: key.map(|_| forms(der)), key: key.map(forms) }
    }

    fn is_named_by(&self, record: &Tlsa) -> bool {
        let forms = match record.selector {
            Selector::Certificate => self.certificate.as_ref(),
            Selector::PublicKey => self.key.as_ref(),
            Selector::Unknown(_) => None,
        };
        forms.is_some_and(|forms| match record.matching {
            Matching::Full => record.data == forms.full,
            Matching::Sha256 => record.data == forms.sha256.as_ref(),
            Matching::Sha512 => record.data == forms.sha512.as_ref(),
            Matching::Unknown(_) => false,
        })
    }
}

#[cfg(test)]
mod tests;
