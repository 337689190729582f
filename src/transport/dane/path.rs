//! From a server's certificate to an authority that a record names (RFC 7671 §5.2, RFC 5280 §6).

use std::cell::OnceCell;
use std::time::Duration;

use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::ring as ring_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, Der, TrustAnchor, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};
use x509_parser::asn1_rs::Any;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::names::Names;
use crate::policy::{DaneFault, Matched};
use crate::target::DomainName;

/// A chain with the names to look for and the time; measures it by one authority after the other.
pub(super) struct Path<'a> {
    chain: Vec<CertificateDer<'a>>,
    references: &'a [DomainName],
    now: i64,
    /// What came of each certificate sent, as an authority.
    by_sent: Vec<OnceCell<Vec<DaneFault>>>,
}

impl<'a> Path<'a> {
    pub(super) fn new(chain: &'a [Vec<u8>], references: &'a [DomainName], now: i64) -> Self {
        let by_sent = chain.iter().map(|_| OnceCell::new()).collect();
        Self { chain: chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect(), references, now, by_sent }
    }

    /// What normal verification would hold against the server's own certificate by its dates and names.
    pub(super) fn of_own_certificate(&self) -> Vec<DaneFault> {
        let Some(own) = self.chain.first() else { return Vec::new() };
        let names = if self.references.is_empty() { None } else { self.name_fault() };
        self.dates(own, Matched::Sent(0)).into_iter().chain(names).collect()
    }

    /// By a certificate that was sent; empty if the server's verifies.
    pub(super) fn by_sent(&self, index: usize) -> &[DaneFault] {
        let (Some(cell), Some(authority)) = (self.by_sent.get(index), self.chain.get(index)) else { return &[DaneFault::NoPath] };
        cell.get_or_init(|| self.by_certificate(authority, Matched::Sent(index)))
    }

    /// By an authority in DER that was not sent; empty if the server's certificate verifies.
    pub(super) fn by_published(&self, der: &[u8]) -> Vec<DaneFault> {
        self.by_certificate(&CertificateDer::from(der), Matched::Published)
    }

    /// By a key that is in no certificate sent: it must have signed one of them. No fault if the server's certificate verifies.
    pub(super) fn by_key(&self, key: &[u8]) -> (Matched, Vec<DaneFault>) {
        let mut best = (Matched::Key { signed: None }, vec![DaneFault::NoPath]);
        let Some(key) = contents(key) else { return best };
        for (index, der) in self.chain.iter().enumerate() {
            let Ok((_, certificate)) = X509Certificate::from_der(der) else { continue };
            let Some(issuer) = contents(certificate.issuer().as_raw()) else { continue };
            // The key goes by the name of who is said to have signed.
            let anchor = TrustAnchor { subject: issuer.clone(), subject_public_key_info: key.clone(), name_constraints: None };
            let faults = self.by_anchor(anchor.to_owned());
            // A wrong signature says that it was another key of the same name.
            if matches!(faults[..], [DaneFault::NoPath | DaneFault::BadSignature, ..]) {
                continue;
            }
            let found = (Matched::Key { signed: Some(index) }, faults);
            if found.1.is_empty() {
                return found;
            }
            if matches!(best.1[..], [DaneFault::NoPath]) {
                best = found;
            }
        }
        best
    }

    fn by_certificate(&self, authority: &CertificateDer<'_>, place: Matched) -> Vec<DaneFault> {
        let mut roots = RootCertStore::empty();
        if let Err(error) = roots.add(authority.clone()) {
            return vec![DaneFault::Other(error.to_string())];
        }
        let Some(anchor) = roots.roots.pop() else { return vec![DaneFault::NoPath] };
        let mut faults = self.by_anchor(anchor);
        // What is in a store of roots was looked at by somebody; this was not. Of one that others issued OpenSSL, and with it most
        // senders, takes no notice of the dates; of a root it does.
        let dates = if is_its_own_issuer(authority) { self.dates(authority, place) } else { None };
        let too_long = self.is_too_long(authority).then_some(DaneFault::PathTooLong { certificate: place });
        for fault in dates.into_iter().chain(no_authority(authority, place)).chain(too_long) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        faults
    }

    /// Whether even the shortest path by names is longer than the authority allows (RFC 5280 §4.2.1.9). Only of those between does
    /// rustls look at it, not of the anchor.
    fn is_too_long(&self, authority: &[u8]) -> bool {
        let Ok((_, read)) = X509Certificate::from_der(authority) else { return false };
        let limit = read.basic_constraints().ok().flatten().and_then(|marks| marks.value.path_len_constraint);
        let Some(limit) = limit else { return false };
        let chain: Vec<_> = self.chain.iter().filter_map(|der| X509Certificate::from_der(der).ok()).map(|(_, read)| read).collect();
        let Some(own) = chain.first() else { return false };
        let mut issuers = vec![own.issuer()];
        for _ in 0..=limit.min(u32::try_from(chain.len()).unwrap_or(u32::MAX)) {
            if issuers.contains(&read.subject()) {
                return false;
            }
            issuers = chain.iter().filter(|read| issuers.contains(&read.subject())).map(|read| read.issuer()).collect();
        }
        !issuers.is_empty()
    }

    fn by_anchor(&self, anchor: TrustAnchor<'static>) -> Vec<DaneFault> {
        let [own, issuers @ ..] = self.chain.as_slice() else { return vec![DaneFault::NoPath] };
        let parsed = match ParsedCertificate::try_from(own) {
            Ok(parsed) => parsed,
            Err(error) => return vec![DaneFault::Other(error.to_string())],
        };
        let roots = RootCertStore { roots: vec![anchor] };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(self.now).unwrap_or(0)));
        let algorithms = ring_provider::default_provider().signature_verification_algorithms;
        let along = |issuers: &[CertificateDer<'_>]| {
            let verified = verify_server_cert_signed_by_trust_anchor(&parsed, &roots, issuers, now, algorithms.all);
            verified.err().map_or_else(Vec::new, |error| self.faults(error))
        };
        // rustls takes a key for what it is not to be used for; senders with OpenSSL do not.
        let place = |index: usize| Matched::Sent(index + 1);
        let unable: Vec<DaneFault> = issuers.iter().enumerate().filter_map(|(index, der)| no_authority(der, place(index))).collect();
        let able: Vec<CertificateDer<'_>> = issuers.iter().filter(|der| no_authority(der, Matched::Published).is_none()).cloned().collect();
        let mut faults = along(&able);
        let is_lost = |faults: &[DaneFault]| matches!(faults, [DaneFault::NoPath, ..]);
        if is_lost(&faults) && !unable.is_empty() && !is_lost(&along(issuers)) {
            faults = unable;
        }
        // Where nothing leads to the authority, the names are nobody's business.
        if !is_lost(&faults) {
            faults.extend(self.name_fault());
        }
        faults
    }

    fn faults(&self, error: Error) -> Vec<DaneFault> {
        let Error::InvalidCertificate(error) = error else { return vec![DaneFault::Other(error.to_string())] };
        match error {
            CertificateError::UnknownIssuer => vec![DaneFault::NoPath],
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => vec![DaneFault::BadSignature],
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                let dates = self.chain.iter().enumerate().filter_map(|(index, der)| self.dates(der, Matched::Sent(index)));
                let dates: Vec<DaneFault> = dates.collect();
                if dates.is_empty() { vec![DaneFault::Other(error.to_string())] } else { dates }
            }
            // rustls has no name for it.
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => vec![DaneFault::MarkedAsAuthority],
            other => vec![DaneFault::Other(other.to_string())],
        }
    }

    fn dates(&self, der: &[u8], certificate: Matched) -> Option<DaneFault> {
        let (_, read) = X509Certificate::from_der(der).ok()?;
        let (from, to) = (read.validity().not_before.timestamp(), read.validity().not_after.timestamp());
        if self.now > to {
            Some(DaneFault::Expired { certificate, since: to })
        } else if self.now < from {
            Some(DaneFault::NotYetValid { certificate, until: from })
        } else {
            None
        }
    }

    fn name_fault(&self) -> Option<DaneFault> {
        let own = self.chain.first()?;
        // Where only one of two parsers can read it, the other's word is taken, and without a name it is for nobody.
        let names = X509Certificate::from_der(own).map(|(_, read)| Names::of(&read)).unwrap_or_default();
        let parsed = ParsedCertificate::try_from(own).ok();
        (!names.include(parsed.as_ref(), self.references)).then_some(DaneFault::WrongName { names: names.names })
    }
}

/// That a certificate may not sign others. One of the first X.509 version cannot say so, and may.
fn no_authority(der: &[u8], certificate: Matched) -> Option<DaneFault> {
    let (_, read) = X509Certificate::from_der(der).ok()?;
    let may_sign = read.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()));
    let is_marked = read.version().0 == 0 || read.is_ca();
    (!(may_sign && is_marked)).then_some(DaneFault::NoAuthority { certificate })
}

fn is_its_own_issuer(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, read)| read.subject() == read.issuer())
}

/// What is inside the outermost DER element.
fn contents(der: &[u8]) -> Option<Der<'_>> {
    Any::from_der(der).ok().map(|(_, any)| Der::from_slice(any.data))
}
