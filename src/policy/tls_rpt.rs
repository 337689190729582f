//! TLS-RPT (RFC 8460 §3): a TXT record at `_smtp._tls.<domain>` says where senders report how TLS went.

use std::fmt;

use super::txt::{self, Field, FieldFault, TxtError};
use crate::target::{Host, Mailbox, Port, host_and_port};

/// What the record begins with.
const VERSION: &str = "v=TLSRPTv1";
/// Addresses and faults are kept up to this many.
const KEPT: usize = 100;

/// The TXT record at `_smtp._tls.<domain>` (§3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRpt {
    /// Where reports are sent, in the order given; at least one.
    pub addresses: Vec<ReportAddress>,
    /// What in the list is no address to report to.
    pub faults: Vec<AddressFault>,
    /// Fields that the RFC does not know, with their values, in the order given.
    pub extensions: Vec<(String, String)>,
    /// The values of further `rua` fields: only the first counts.
    pub repeated: Vec<String>,
}

/// Where reports are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportAddress {
    /// `mailto:`: by mail (RFC 6068).
    Mailto(Mailbox),
    /// `https:`: by POST.
    Https {
        /// The host.
        host: Host,
        /// The port; none is 443.
        port: Option<Port>,
        /// The whole address as given.
        url: String,
    },
}

impl fmt::Display for ReportAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailto(mailbox) => write!(f, "mailto:{mailbox}"),
            Self::Https { url, .. } => url.fmt(f),
        }
    }
}

/// Something in the list that is no address to report to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFault {
    /// Where in the record it begins, in octets counted from 0.
    pub at: usize,
    /// What stands there, or its beginning.
    pub text: String,
    /// What is wrong.
    pub kind: AddressFaultKind,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFaultKind {
    /// Nothing stands between two commas.
    #[error("nothing stands there")]
    Empty,
    /// A mail address without its scheme.
    #[error("write mailto: before a mail address")]
    NoMailto,
    /// There is no scheme.
    #[error("it begins with neither mailto: nor https:")]
    NoScheme,
    /// `http:`: reports are sent over https only.
    #[error("reports are not sent over http: write https:")]
    Http,
    /// Another scheme, which no sender need know.
    #[error("it is neither mailto: nor https:")]
    Scheme,
    /// A character that no URI has, or that must stand in its percent form here: a blank, an exclamation mark.
    #[error("{0:?} cannot stand there as such: write it as % and two hexadecimal digits")]
    Character(char),
    /// A percent sign without two hexadecimal digits, or what they say is no text.
    #[error("a % is not followed by two hexadecimal digits that make a text")]
    Percent,
    /// No mail address after `mailto:`.
    #[error("it names no mail address")]
    Mailbox,
    /// No host after `https://`.
    #[error("it names no host")]
    Host,
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at octet {}: {}", self.text, self.at, self.kind)
    }
}

impl TlsRpt {
    /// Finds and reads the record among the TXT records at `_smtp._tls.<domain>`, each with its strings [joined](super::join).
    ///
    /// # Errors
    /// If not exactly one of them begins with `v=TLSRPTv1;`, or that one is wrong. A record whose addresses are all wrong is an
    /// error of its own ([`TlsRptError::NoAddress`]); where some are good, the wrong ones are [faults](Self::faults).
    pub fn find<S: AsRef<[u8]>>(records: &[S]) -> Result<Self, TlsRptError> {
        let mut lists: Vec<Field<'_>> = Vec::new();
        let mut extensions = Vec::new();
        for field in txt::fields(VERSION, records)? {
            if field.name == "rua" {
                lists.push(field);
            } else if field.is_extension() {
                extensions.push((field.name.to_owned(), field.value.to_owned()));
            } else {
                return Err(field.wrong(FieldFault::Value).into());
            }
        }
        let [list, repeated @ ..] = lists.as_slice() else { return Err(TxtError::Missing("rua").into()) };
        let (addresses, faults) = addresses(list);
        if addresses.is_empty() {
            return Err(TlsRptError::NoAddress(faults));
        }
        Ok(Self { addresses, faults, extensions, repeated: repeated.iter().map(|field| txt::shown(field.value)).collect() })
    }
}

/// Why there is nowhere to send reports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsRptError {
    /// The record itself.
    #[error(transparent)]
    Record(#[from] TxtError),
    /// None of its addresses can be used; what is wrong with each.
    #[error("none of its addresses can be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NoAddress(Vec<AddressFault>),
}

fn addresses(list: &Field<'_>) -> (Vec<ReportAddress>, Vec<AddressFault>) {
    let (mut addresses, mut faults) = (Vec::new(), Vec::new());
    let mut at = list.value_at();
    for part in list.value.split(',') {
        let blanks = part.len() - part.trim_start().len();
        let text = part.trim();
        match address(text) {
            Ok(address) if addresses.len() < KEPT => addresses.push(address),
            Err(kind) if faults.len() < KEPT => faults.push(AddressFault { at: at + blanks, text: txt::shown(text), kind }),
            _ => {}
        }
        at += part.len() + 1;
    }
    (addresses, faults)
}

fn address(text: &str) -> Result<ReportAddress, AddressFaultKind> {
    if text.is_empty() {
        return Err(AddressFaultKind::Empty);
    }
    let not_of_a_uri = |c: &char| !c.is_ascii_graphic() || matches!(c, '!' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
    if let Some(c) = text.chars().find(not_of_a_uri) {
        return Err(AddressFaultKind::Character(c));
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(if text.contains('@') { AddressFaultKind::NoMailto } else { AddressFaultKind::NoScheme });
    };
    match scheme.to_ascii_lowercase().as_str() {
        "mailto" => {
            // A slash is good in a local part, but not unescaped (RFC 6068 section 2): it is meant as that of a URL.
            if rest.starts_with("//") {
                return Err(AddressFaultKind::Mailbox);
            }
            // What follows a question mark are header fields (RFC 6068 section 2), which a report has no use for.
            let address = decoded(rest.split_once('?').map_or(rest, |(address, _)| address))?;
            address.parse().map(ReportAddress::Mailto).map_err(|_| AddressFaultKind::Mailbox)
        }
        "https" => {
            decoded(rest)?;
            let rest = rest.strip_prefix("//").ok_or(AddressFaultKind::Host)?;
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let (host, port) = host_and_port(authority).map_err(|_| AddressFaultKind::Host)?;
            Ok(ReportAddress::Https { host, port, url: text.to_owned() })
        }
        "http" => Err(AddressFaultKind::Http),
        _ => Err(AddressFaultKind::Scheme),
    }
}

/// Without percent forms (RFC 3986 §2.1).
fn decoded(text: &str) -> Result<String, AddressFaultKind> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else { return Err(AddressFaultKind::Percent) };
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(AddressFaultKind::Percent);
        bytes.push(digit(*high)? * 16 + digit(*low)?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| AddressFaultKind::Percent)
}

#[cfg(test)]
mod tests;
