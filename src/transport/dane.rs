//! What TLSA records say of the certificates that a server showed (RFC 7671; RFC 7672 §3.1 and §3.2 for SMTP).
//!
//! Pure computation over what came with the handshake. Two things it cannot know, and whoever asks must: that the records came in
//! a secure answer (RFC 7672 §2.2), and that the server proved in the handshake to hold the key of its certificate. A chain alone
//! proves nothing, because anybody can send it.

mod names;
mod path;

use ring::digest;

use self::path::Path;
use crate::policy::{DaneFault, DaneResult, DaneVerdict, Matched, Matching, RecordVerdict, Selector, Tlsa, Unusable, Usage, public_key};
use crate::target::DomainName;

/// Of a chain, this many certificates are looked at.
const CHAIN_LIMIT: usize = 20;
/// So many authorities that stand in the records as a whole are tried; each costs a search for a path.
const PUBLISHED_LIMIT: usize = 20;

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
