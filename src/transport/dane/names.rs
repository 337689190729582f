//! Which names a server's certificate is for (RFC 7672 §3.2.3, RFC 6125 §6.4).

use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::server::ParsedCertificate;
use x509_parser::prelude::{GeneralName, X509Certificate};

use crate::target::DomainName;

/// Names are kept up to this many.
const NAMES_LIMIT: usize = 100;

/// The names of hosts in a certificate. The common name counts only where no alternative name is one (RFC 7672 §3.2.3).
#[derive(Default)]
pub(super) struct Names {
    pub(super) names: Vec<String>,
    from_common_name: bool,
}

impl Names {
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let names: Vec<String> = alternative
            .iter()
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(|name| if let GeneralName::DNSName(name) = name { Some((*name).to_owned()) } else { None })
            .take(NAMES_LIMIT)
            .collect();
        if !names.is_empty() {
            return Self { names, from_common_name: false };
        }
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        Self { names: common.map(str::to_owned).take(NAMES_LIMIT).collect(), from_common_name: true }
    }

    /// Whether the certificate is for one of these names.
    pub(super) fn include(&self, parsed: Option<&ParsedCertificate<'_>>, references: &[DomainName]) -> bool {
        references.iter().any(|reference| {
            if self.from_common_name {
                return self.names.iter().any(|name| fits(name, reference));
            }
            let name = ServerName::try_from(reference.as_str());
            parsed.zip(name.ok()).is_some_and(|(parsed, name)| verify_server_name(parsed, &name).is_ok())
        })
    }
}

/// Whether a common name covers a host: `*.` stands for one label, and at least two must follow, as for alternative names.
fn fits(presented: &str, reference: &DomainName) -> bool {
    let reference = reference.as_str();
    if presented.eq_ignore_ascii_case(reference) {
        return true;
    }
    match (presented.strip_prefix("*."), reference.split_once('.')) {
        (Some(presented), Some((_, rest))) => presented.contains('.') && presented.eq_ignore_ascii_case(rest),
        _ => false,
    }
}
