//! What TLSA records come to for a server (RFC 7671; RFC 7672 §2.2 and §3.1 for SMTP). Whoever holds the connection finds it out.

use super::{Matching, Tlsa, Unusable};

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
