//! Why a certificate does not verify (RFC 5280 §6, RFC 9525).
//!
//! Whether it does is the normal verification's word alone. That names one reason, the first it comes upon; an administrator who
//! mends it wants to hear the others before the next attempt. So where it says no, the chain is walked once more, and everything that
//! is wrong is kept.

use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, Error, OtherError};
use x509_parser::error::X509Error;
use x509_parser::prelude::{X509Certificate, X509Version};

use super::certificate::{algorithm, facts, key, name, names, oid, parse};
use super::roots::Roots;
use crate::smtp::{CHAIN_LIMIT, CertificateFault, CertificateVerdict, Distrust};

/// Extensions that the verification understands, critical or not: key usage, alternative names, basic constraints, name constraints,
/// distribution points, extended key usage.
const HANDLED: [&str; 6] = ["2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.37"];

/// What is to be thought of a server's certificate at the moment `now`: whether it proves the name `server`, which the user calls
/// `asked`.
pub(super) fn verify(
    roots: &Roots,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    server: &ServerName<'_>,
    asked: &str,
    now: UnixTime,
) -> CertificateVerdict {
    let one = |why| CertificateVerdict::Untrusted(vec![CertificateFault { why, place: 0 }]);
    let own = parse(leaf);
    let chain = roots.verify(leaf, intermediates, now);
    let named = ParsedCertificate::try_from(leaf).and_then(|parsed| verify_server_name(&parsed, server));
    // The cryptography here takes no signature by a weak key, so that the handshake proves nothing.
    let is_weak = own.as_ref().is_some_and(|own| key(own.public_key()).is_weak());
    if chain.is_ok() && named.is_ok() && !is_weak {
        return CertificateVerdict::Trusted;
    }
    if own.is_none() {
        return one(Distrust::Unreadable);
    }
    let sent = std::iter::once(own).chain(intermediates.iter().take(CHAIN_LIMIT - 1).map(|der| parse(der)));
    let mut walk = Walk::new(roots, sent.collect());
    walk.measure(now);
    if let Err(Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })) = &named {
        walk.found(0, Distrust::WrongName { asked: asked.to_owned(), has: walk.sent[0].as_ref().map(names).unwrap_or_default() });
    }
    if let Err(error) = &chain {
        walk.explain(error);
        // A date that is wrong hides what else is.
        if is_of_date(error)
            && let Some(then) = walk.common_time()
            && let Err(error) = roots.verify(leaf, intermediates, then)
        {
            walk.explain(&error);
        }
    }
    if walk.faults.is_empty() {
        let words = chain.and(named).err().map_or_else(String::new, |error| words(&error));
        return one(Distrust::Other(words));
    }
    walk.faults.sort();
    walk.faults.dedup();
    CertificateVerdict::Untrusted(walk.faults)
}

/// The way from the server's own certificate up to an authority, through what was sent.
struct Walk<'a> {
    /// What was sent; none for what cannot be parsed.
    sent: Vec<Option<X509Certificate<'a>>>,
    /// Places in `sent`, each followed by that of its issuer.
    path: Vec<usize>,
    end: End,
    faults: Vec<CertificateFault>,
}

/// What the last certificate of a path has for an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// An authority of a name that is trusted.
    Known,
    /// Itself.
    Itself,
    /// Nobody at hand.
    Missing,
}

impl<'a> Walk<'a> {
    fn new(roots: &Roots, sent: Vec<Option<X509Certificate<'a>>>) -> Self {
        let mut path = vec![0];
        let mut at = 0;
        let end = loop {
            let Some(certificate) = &sent[at] else { break End::Missing };
            let issuer = certificate.issuer().as_raw();
            let own = certificate.subject().as_raw() == issuer;
            if roots.knows(issuer, !own) {
                break End::Known;
            }
            if own {
                break End::Itself;
            }
            let is_issuer = |other: &Option<X509Certificate<'_>>| other.as_ref().is_some_and(|other| other.subject().as_raw() == issuer);
            match (0..sent.len()).find(|place| !path.contains(place) && is_issuer(&sent[*place])) {
                Some(next) => path.push(next),
                None => break End::Missing,
            }
            at = path.last().copied().unwrap_or_default();
        };
        Self { sent, path, end, faults: Vec::new() }
    }

    fn found(&mut self, place: usize, why: Distrust) {
        self.faults.push(CertificateFault { why, place });
    }

    fn has(&self, is: impl Fn(&Distrust) -> bool) -> bool {
        self.faults.iter().any(|fault| is(&fault.why))
    }

    /// The certificates on the way, with their places. An authority's own, sent along, is measured by nothing but being trusted.
    fn steps(&self) -> impl Iterator<Item = (usize, &X509Certificate<'a>)> {
        let is_root = |place| place != 0 && self.end == End::Itself && self.path.last() == Some(&place);
        self.path.iter().copied().filter(move |place| !is_root(*place)).filter_map(|place| Some((place, self.sent[place].as_ref()?)))
    }

    /// Notes what can be seen without any cryptography.
    fn measure(&mut self, now: UnixTime) {
        let mut faults = Vec::new();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        for (place, certificate) in self.steps() {
            let mut found = |why| faults.push(CertificateFault { why, place });
            let (from, until) = (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
            if until < now {
                found(Distrust::Expired { since: until });
            } else if now < from {
                found(Distrust::NotYetValid { until: from });
            }
            let facts = facts(certificate);
            if facts.has_weak_signature() {
                found(Distrust::WeakSignature(facts.signature_algorithm));
            }
            if facts.key.is_weak() {
                found(Distrust::WeakKey(facts.key));
            }
            if place != 0 && !certificate.is_ca() {
                found(Distrust::NotAnAuthority);
            }
        }
        let last = self.path.last().copied().unwrap_or_default();
        if let Some(certificate) = &self.sent[last] {
            match self.end {
                End::Known => {}
                End::Itself if last == 0 => faults.push(CertificateFault { why: Distrust::SelfSigned, place: 0 }),
                End::Itself => {
                    faults.push(CertificateFault { why: Distrust::UnknownIssuer { issuer: name(certificate.subject()) }, place: last });
                }
                End::Missing => {
                    faults
                        .push(CertificateFault { why: Distrust::MissingIntermediate { issuer: name(certificate.issuer()) }, place: last });
                }
            }
        }
        self.faults.append(&mut faults);
    }

    /// Notes the verifier's reason, unless what has been seen amounts to it.
    fn explain(&mut self, error: &Error) {
        let Error::InvalidCertificate(reason) = error else { return self.found(0, Distrust::Other(words(error))) };
        let is_weak = |why: &Distrust| matches!(why, Distrust::WeakKey(_) | Distrust::WeakSignature(_));
        let is_nobody =
            |why: &Distrust| matches!(why, Distrust::SelfSigned | Distrust::UnknownIssuer { .. } | Distrust::MissingIntermediate { .. });
        match reason {
            CertificateError::UnknownIssuer if self.has(is_nobody) => {}
            CertificateError::UnknownIssuer => {
                let place = self.path.last().copied().unwrap_or_default();
                let issuer = self.sent[place].as_ref().map(|certificate| name(certificate.issuer())).unwrap_or_default();
                self.found(place, Distrust::UnknownIssuer { issuer });
            }
            _ if is_of_date(error) && self.has(|why| matches!(why, Distrust::Expired { .. } | Distrust::NotYetValid { .. })) => {}
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
                if self.has(is_weak) => {}
            CertificateError::BadSignature => self.found(self.forged(), Distrust::BadSignature),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => self.found(0, Distrust::NotForServers),
            CertificateError::UnhandledCriticalExtension | CertificateError::Other(_) if self.unhandled().is_some() => {
                let (place, extension) = self.unhandled().unwrap_or_default();
                self.found(place, Distrust::UnhandledExtension(extension));
            }
            _ if self.has(|why| *why == Distrust::NotAnAuthority) => {}
            _ if self.sent[0].as_ref().is_some_and(|own| own.is_ca()) => self.found(0, Distrust::MarkedAsAuthority),
            _ if self.sent[0].as_ref().is_some_and(|own| own.version() != X509Version::V3) => {
                self.found(0, Distrust::Other("it is of X.509 version 1, which cannot name a host".to_owned()));
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
                let own = self.sent[0].as_ref().map(|own| algorithm(&own.signature_algorithm)).unwrap_or_default();
                self.found(0, Distrust::Other(format!("its signature algorithm is not known here ({own})")));
            }
            CertificateError::BadEncoding => self.found(0, Distrust::Unreadable),
            _ => self.found(0, Distrust::Other(words(error))),
        }
    }

    /// The certificate that its issuer's key, which was sent, did not sign; the last on the way if all were, whose issuer is here.
    fn forged(&self) -> usize {
        let unsigned = self.path.windows(2).find(|pair| {
            let (Some(certificate), Some(issuer)) = (&self.sent[pair[0]], &self.sent[pair[1]]) else { return false };
            certificate.verify_signature(Some(issuer.public_key())) == Err(X509Error::SignatureVerificationError)
        });
        unsigned.map(|pair| pair[0]).or_else(|| self.path.last().copied()).unwrap_or_default()
    }

    /// The first critical extension that the verification knows nothing of.
    fn unhandled(&self) -> Option<(usize, String)> {
        self.steps().find_map(|(place, certificate)| {
            let mut extensions = certificate.extensions().iter();
            let odd = extensions.find(|extension| extension.critical && !HANDLED.contains(&extension.oid.to_id_string().as_str()))?;
            Some((place, oid(&odd.oid)))
        })
    }

    /// A moment at which every certificate on the way is in its time.
    fn common_time(&self) -> Option<UnixTime> {
        let from = self.steps().map(|(_, certificate)| certificate.validity().not_before.timestamp()).max()?;
        let until = self.steps().map(|(_, certificate)| certificate.validity().not_after.timestamp()).min()?;
        let from = u64::try_from(from.max(0)).ok()?;
        (i64::try_from(from).ok()? <= until).then(|| UnixTime::since_unix_epoch(std::time::Duration::from_secs(from)))
    }
}

fn is_of_date(error: &Error) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(error, Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }))
}

/// The verifier's words. Some of its errors have only a name: `PathLenConstraintViolated`.
fn words(error: &Error) -> String {
    let name = match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner.to_string(),
        Error::InvalidCertificate(reason) => reason.to_string(),
        other => other.to_string(),
    };
    if name.contains(' ') {
        return name;
    }
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests;
