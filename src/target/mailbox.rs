//! Mailboxes (RFC 5321 §4.1.2, RFC 6531 §3.3): fit to stand in MAIL or RCPT, by construction.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use lettre::Address;

use super::{DomainName, TargetError, literal};

/// A mailbox, fit to stand in MAIL or RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    local: String,
    domain: MailDomain,
}

/// What stands after the `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MailDomain {
    /// A domain, whose mail hosts are found by MX.
    Name(DomainName),
    /// An address literal such as `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
    Literal(IpAddr),
}

impl fmt::Display for MailDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Literal(IpAddr::V4(address)) => write!(f, "[{address}]"),
            Self::Literal(IpAddr::V6(address)) => write!(f, "[IPv6:{address}]"),
        }
    }
}

impl Mailbox {
    /// The mailbox `local` at `domain`.
    ///
    /// # Errors
    /// If `local` cannot stand before an `@`.
    pub fn at(local: &str, domain: MailDomain) -> Result<Self, TargetError> {
        Ok(Self { local: checked_local(local, local)?, domain })
    }

    /// The part before the `@`, quoted where it must be.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part after the `@`.
    #[must_use]
    pub fn domain(&self) -> &MailDomain {
        &self.domain
    }

    /// Whether only a server with SMTPUTF8 can take it (RFC 6531 §3.1): the local part is not ASCII.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }

    /// The same domain with another local part, for control questions.
    ///
    /// # Errors
    /// If `local` cannot stand before an `@`.
    pub fn sibling(&self, local: &str) -> Result<Self, TargetError> {
        Ok(Self { local: checked_local(local, local)?, domain: self.domain.clone() })
    }

    /// lettre's form of it, for its commands.
    pub(crate) fn to_address(&self) -> Address {
        // Both parts have been checked; lettre's own check refuses local parts that RFC 6531 allows.
        Address::new_dangerous(&self.local, self.domain.to_string())
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl FromStr for Mailbox {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let wrong = |reason| TargetError::Mailbox { address: text.to_owned(), reason };
        let bare = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or(text);
        let (local, domain) = bare.rsplit_once('@').ok_or_else(|| wrong("there is no @ in it"))?;
        if local.is_empty() {
            return Err(wrong("there is nothing before the @"));
        }
        if domain.is_empty() {
            return Err(wrong("there is nothing after the @"));
        }
        let domain = match domain.strip_prefix('[') {
            Some(rest) => MailDomain::Literal(
                rest.strip_suffix(']').and_then(literal).ok_or_else(|| wrong("what stands in brackets is no IP address"))?,
            ),
            None => MailDomain::Name(domain.parse().map_err(|error| match error {
                TargetError::Domain { reason, .. } => TargetError::MailboxDomain { address: text.to_owned(), reason },
                other => other,
            })?),
        };
        Ok(Self { local: checked_local(local, text)?, domain })
    }
}

/// Checks a local part: a dot-string of RFC 5321 (with RFC 6531's UTF-8), or a quoted string; at most 64 octets.
fn checked_local(local: &str, whole: &str) -> Result<String, TargetError> {
    let wrong = |reason| TargetError::Mailbox { address: whole.to_owned(), reason };
    if local.chars().any(char::is_control) {
        return Err(wrong("it has a control character in it, such as a line break"));
    }
    if local.len() > 64 {
        return Err(wrong("the part before the @ is longer than 64 octets"));
    }
    if let Some(inner) = local.strip_prefix('"') {
        let inner = inner.strip_suffix('"').filter(|_| local.len() > 1).ok_or_else(|| wrong("a quote is not closed"))?;
        let mut escaped = false;
        for c in inner.chars() {
            escaped = match c {
                _ if escaped => false,
                '\\' => true,
                '"' => return Err(wrong("a quote stands inside the quotes without a backslash")),
                _ => false,
            };
        }
        return if escaped { Err(wrong("a quote is not closed")) } else { Ok(local.to_owned()) };
    }
    if local.split('.').any(str::is_empty) {
        return Err(wrong("a dot stands first, last or twice before the @"));
    }
    let atext = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if !local.chars().all(|c| atext(c) && !c.is_whitespace()) {
        return Err(wrong("a character before the @ has to stand in double quotes"));
    }
    Ok(local.to_owned())
}
