//! The authorities that certificates are measured by (RFC 5280 §6): the system's, and those that the user adds.
//!
//! Most systems keep theirs twice, all in one file and one by one in a directory. Reading both takes longer than everything else
//! that a probe computes, so the directory is read only for an issuer that the file does not know. A certificate that is its own
//! issuer is not looked for there: who trusts one names it.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The authorities trusted, read when the first certificate is to be judged.
pub(super) struct Roots {
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    extra: Vec<Vec<u8>>,
    bundled: OnceLock<RootCertStore>,
    scattered: OnceLock<RootCertStore>,
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("extra", &self.extra.len()).finish_non_exhaustive()
    }
}

impl Roots {
    /// Trusts the system's authorities and `extra`, in DER; what is no certificate is passed over.
    pub(super) fn new(provider: &CryptoProvider, extra: &[Vec<u8>]) -> Self {
        let algorithms = provider.signature_verification_algorithms.all;
        Self { algorithms, extra: extra.to_vec(), bundled: OnceLock::new(), scattered: OnceLock::new() }
    }

    /// What normal verification says of a server's certificate and its chain, the name apart.
    pub(super) fn verify(&self, leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        let by = |roots| verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, self.algorithms);
        match by(self.bundled()) {
            Err(error) if error == UNKNOWN_ISSUER && !is_its_own_issuer(leaf) => by(self.scattered()),
            judged => judged,
        }
    }

    /// Whether an authority of this name (in DER) is trusted.
    pub(super) fn knows(&self, name: &[u8], or_scattered: bool) -> bool {
        let has = |roots: &RootCertStore| roots.subjects().iter().any(|subject| subject.as_ref() == name);
        has(self.bundled()) || (or_scattered && has(self.scattered()))
    }

    fn bundled(&self) -> &RootCertStore {
        let extra = || self.extra.iter().map(|der| CertificateDer::from(der.as_slice()));
        self.bundled.get_or_init(|| store(system::bundled().into_iter().chain(extra())))
    }

    fn scattered(&self) -> &RootCertStore {
        self.scattered.get_or_init(|| store(system::scattered()))
    }
}

fn store<'a>(certificates: impl IntoIterator<Item = CertificateDer<'a>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    roots
}

/// Whether there is no authority to be looked for.
fn is_its_own_issuer(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, certificate)| certificate.subject() == certificate.issuer())
}

const UNKNOWN_ISSUER: Error = Error::InvalidCertificate(CertificateError::UnknownIssuer);

/// Where OpenSSL would look: a file and directories, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead.
#[cfg(all(unix, not(target_os = "macos")))]
mod system {
    use std::collections::BTreeSet;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use tokio_rustls::rustls::pki_types::CertificateDer;

    pub(super) fn bundled() -> Vec<CertificateDer<'static>> {
        openssl_probe::probe().cert_file.map(|file| certificates(&file)).unwrap_or_default()
    }

    pub(super) fn scattered() -> Vec<CertificateDer<'static>> {
        let entries = directories().into_iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten().flatten();
        // A certificate goes by its own name and by the hash of its subject, which is a link to the same file.
        let mut seen = BTreeSet::new();
        let mut is_new = |path: &Path| fs::metadata(path).is_ok_and(|file| file.is_file() && seen.insert((file.dev(), file.ino())));
        entries.map(|entry| entry.path()).filter(|path| is_new(path)).flat_map(|path| certificates(&path)).collect()
    }

    /// The directories, each once, although one often goes by several names.
    fn directories() -> BTreeSet<PathBuf> {
        let named = env::var_os("SSL_CERT_DIR").map(|list| env::split_paths(&list).collect());
        let all: Vec<PathBuf> = named.unwrap_or_else(|| openssl_probe::candidate_cert_dirs().map(Path::to_path_buf).collect());
        all.iter().filter_map(|directory| directory.canonicalize().ok()).collect()
    }

    /// The certificates in a PEM file (RFC 7468 §5); none if it cannot be read.
    ///
    /// A system has some 200 KB of them. The reader that rustls brings is made for keys, so that it takes the same long time
    /// whatever the bytes are: for these it would be the largest part of all that a probe computes.
    fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
        let bytes = fs::read(file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
        let bodies = blocks.filter_map(|block| block.split_once("-----END CERTIFICATE-----"));
        let decoded = bodies.filter_map(|(body, _)| BASE64_STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok());
        decoded.map(CertificateDer::from).collect()
    }
}

/// The store of the operating system, which is no file.
#[cfg(not(all(unix, not(target_os = "macos"))))]
mod system {
    use tokio_rustls::rustls::pki_types::CertificateDer;

    pub(super) fn bundled() -> Vec<CertificateDer<'static>> {
        rustls_native_certs::load_native_certs().certs
    }

    pub(super) const fn scattered() -> Vec<CertificateDer<'static>> {
        Vec::new()
    }
}

/// A file of authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// It cannot be read.
    #[error("{file} cannot be read: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        error: String,
    },
    /// There is no certificate in it.
    #[error("{file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    Empty {
        /// The file.
        file: String,
    },
}

/// Reads certificates of authorities in PEM form, for [`Settings::extra_roots`](crate::settings::Settings::extra_roots).
///
/// # Errors
/// If the file cannot be read, is no PEM, or holds no certificate.
pub fn read_roots(file: &Path) -> Result<Vec<Vec<u8>>, RootsError> {
    let name = || file.display().to_string();
    let unreadable = |error: &dyn fmt::Display| RootsError::Unreadable { file: name(), error: error.to_string() };
    let text = std::fs::read(file).map_err(|error| unreadable(&error))?;
    let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let roots: Vec<Vec<u8>> = certificates.map_err(|error| unreadable(&error))?.into_iter().map(|der| der.to_vec()).collect();
    if roots.is_empty() { Err(RootsError::Empty { file: name() }) } else { Ok(roots) }
}

#[cfg(test)]
impl Roots {
    /// Trusts `extra` and nobody else.
    pub(super) fn only(provider: &CryptoProvider, extra: &[Vec<u8>]) -> Self {
        let roots = Self::new(provider, extra);
        roots.bundled.get_or_init(|| store(extra.iter().map(|der| CertificateDer::from(der.as_slice()))));
        roots.scattered.get_or_init(RootCertStore::empty);
        roots
    }
}
