//! The record at `_dmarc.<domain>` (RFC 9989 §4.7, §4.8).

use super::super::tags::{self, Value, shown};

/// What a record begins with, in exactly these letters.
const VERSION: &str = "DMARC1";
/// Addresses, and faults, are kept up to this many.
const KEPT: usize = 50;

/// What a domain publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `p=`: what is to be done with mail of this domain that fails. [`Asked::Absent`] is read as none.
    pub policy: Asked,
    /// `sp=`: the same for its subdomains; if absent, `p=` is for them.
    pub subdomains: Asked,
    /// `np=`: the same for subdomains that do not exist; if absent, `sp=` is for them.
    pub nonexistent: Asked,
    /// `psd=`: whether it is a public suffix.
    pub psd: Psd,
    /// `t=y`: the domain is still trying DMARC out, and asks for the next milder policy.
    pub testing: bool,
    /// `adkim=`: how exactly the domain of a DKIM signature has to be that of the author.
    pub dkim: Mode,
    /// `aspf=`: how exactly the domain that SPF was asked about has to be that of the author.
    pub spf: Mode,
    /// `rua=`: where summaries are sent; at most 50 addresses.
    pub aggregate: Vec<String>,
    /// `ruf=`: where reports about single failures are sent; at most 50 addresses.
    pub failures: Vec<String>,
    /// `fo=`: of which failures, as it stands there; none is `0`: if everything fails.
    pub options: Option<String>,
    /// What is wrong, obsolete or unknown in it, in its order; at most 50. None of it keeps the rest from counting.
    pub faults: Vec<Fault>,
}

/// A policy that a domain asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// The tag is not there.
    Absent,
    /// Its value is none of the three.
    Wrong,
    /// This.
    Policy(Policy),
}

impl Asked {
    /// The policy, if it is one.
    #[must_use]
    pub const fn policy(self) -> Option<Policy> {
        if let Self::Policy(policy) = self { Some(policy) } else { None }
    }
}

/// What is to be done with mail that fails, from mild to strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Nothing.
    None,
    /// It is to be treated as suspicious.
    Quarantine,
    /// It is to be refused.
    Reject,
}

impl Policy {
    /// The name used in records and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// The next milder policy, as `t=y` asks for.
    #[must_use]
    pub const fn milder(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }

    fn read(text: &str) -> Asked {
        let known = [Self::None, Self::Quarantine, Self::Reject].into_iter();
        known.into_iter().find(|policy| policy.as_str().eq_ignore_ascii_case(text)).map_or(Asked::Wrong, Asked::Policy)
    }
}

/// How exactly a domain has to be the author's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `r`: both have the same organizational domain.
    Relaxed,
    /// `s`: both are the same.
    Strict,
}

impl Mode {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Strict => "strict",
        }
    }
}

/// Whether a domain is one under which others can have theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Psd {
    /// `y`: it is a public suffix, and an organization's domain is one label longer.
    Yes,
    /// `n`: it is not, and is the domain of an organization.
    No,
    /// `u`: it does not say; the default.
    Unsaid,
}

impl Psd {
    /// The letter used in records and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "y",
            Self::No => "n",
            Self::Unsaid => "u",
        }
    }
}

/// Something in a record that does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} at octet {at}: {kind}")]
pub struct Fault {
    /// Where it begins, in octets counted from 0.
    pub at: usize,
    /// What stands there, or its beginning.
    pub text: String,
    /// What is the matter.
    pub kind: FaultKind,
}

/// Why something in a record does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FaultKind {
    /// No equals sign between two semicolons.
    #[error("it has no equals sign")]
    NoEquals,
    /// A value that the tag cannot have.
    #[error("it can only be {0}")]
    Value(&'static str),
    /// A tag for the second time: only the first counts.
    #[error("it stands there a second time, and only the first counts")]
    Repeated,
    /// `pct`, `rf` or `ri`: part of RFC 7489, not of RFC 9989.
    #[error("it is obsolete since RFC 9989, and does nothing any more")]
    Obsolete,
    /// A tag that RFC 9989 does not know.
    #[error("nobody knows this tag")]
    Unknown,
    /// A mail address without its scheme.
    #[error("write mailto: before a mail address")]
    NoMailto,
    /// What should be the address of a report is none.
    #[error("this is no address that reports can be sent to: it begins with mailto:")]
    Address,
    /// A limit of size after an address: part of RFC 7489, not of RFC 9989.
    #[error("the size after the exclamation mark is obsolete since RFC 9989")]
    Size,
}

impl FaultKind {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoEquals => "no_equals",
            Self::Value(_) => "value",
            Self::Repeated => "repeated",
            Self::Obsolete => "obsolete",
            Self::Unknown => "unknown",
            Self::NoMailto => "no_mailto",
            Self::Address => "address",
            Self::Size => "size",
        }
    }
}

/// Whether a text is a record of this version, right or wrong: anything else at the name does not count (§4.10).
pub(super) fn is_record(text: &str) -> bool {
    let first = tags::parts(text).next();
    first.is_some_and(|part| part.at == 0 && matches!(part.tag, Some(("v", value)) if value.text == VERSION))
}

/// Whether a text that is no record seems to be meant as one: in quotes, after a blank, with the version in other letters.
pub(super) fn is_meant_as_record(text: &str) -> bool {
    let mut letters = text.bytes().filter(u8::is_ascii_alphanumeric);
    b"vdmarc1".iter().all(|wanted| letters.next().is_some_and(|b| b.eq_ignore_ascii_case(wanted)))
}

impl Record {
    /// Reads a record of this version.
    pub(super) fn read(text: &str) -> Self {
        let mut record = Self {
            policy: Asked::Absent,
            subdomains: Asked::Absent,
            nonexistent: Asked::Absent,
            psd: Psd::Unsaid,
            testing: false,
            dkim: Mode::Relaxed,
            spf: Mode::Relaxed,
            aggregate: Vec::new(),
            failures: Vec::new(),
            options: None,
            faults: Vec::new(),
        };
        let mut seen = vec!["v".to_owned()];
        for part in tags::parts(text).skip(1) {
            let Some((name, value)) = part.tag else {
                record.fault(part.at, part.text, FaultKind::NoEquals);
                continue;
            };
            let name = name.to_ascii_lowercase();
            if seen.contains(&name) {
                record.fault(part.at, part.text, FaultKind::Repeated);
                continue;
            }
            if let Err(kind) = record.set(&name, value) {
                record.fault(part.at, part.text, kind);
            }
            if seen.len() < KEPT {
                seen.push(name);
            }
        }
        record
    }

    fn fault(&mut self, at: usize, text: &str, kind: FaultKind) {
        if self.faults.len() < KEPT {
            self.faults.push(Fault { at, text: shown(text), kind });
        }
    }

    fn set(&mut self, name: &str, value: Value<'_>) -> Result<(), FaultKind> {
        let lower = value.text.to_ascii_lowercase();
        match name {
            "p" => self.policy = Policy::read(value.text),
            "sp" => self.subdomains = Policy::read(value.text),
            "np" => self.nonexistent = Policy::read(value.text),
            "adkim" => self.dkim = mode(&lower)?,
            "aspf" => self.spf = mode(&lower)?,
            "t" => self.testing = one_of(&lower, &[("y", true), ("n", false)], FaultKind::Value("y or n"))?,
            "psd" => {
                let known = [("y", Psd::Yes), ("n", Psd::No), ("u", Psd::Unsaid)];
                self.psd = one_of(&lower, &known, FaultKind::Value("y, n or u"))?;
            }
            "fo" => {
                self.options = Some(shown(value.text));
                if !value.items(':').all(|item| matches!(item.text, "0" | "1" | "d" | "s" | "D" | "S")) {
                    return Err(FaultKind::Value("0, 1, d and s, with colons between them"));
                }
            }
            "rua" => self.aggregate = self.addresses(value),
            "ruf" => self.failures = self.addresses(value),
            "pct" | "rf" | "ri" => return Err(FaultKind::Obsolete),
            _ => return Err(FaultKind::Unknown),
        }
        let is_wrong = matches!((name, self.policy), ("p", Asked::Wrong))
            || matches!((name, self.subdomains), ("sp", Asked::Wrong))
            || matches!((name, self.nonexistent), ("np", Asked::Wrong));
        if is_wrong { Err(FaultKind::Value("none, quarantine or reject")) } else { Ok(()) }
    }

    /// The addresses of a list that reports can be sent to, without a limit of size.
    fn addresses(&mut self, list: Value<'_>) -> Vec<String> {
        let mut found = Vec::new();
        for item in list.items(',') {
            let address = item.text.split('!').next().unwrap_or_default();
            match reports_to(address) {
                Ok(()) if found.len() < KEPT => found.push(shown(address)),
                Ok(()) => {}
                Err(kind) => self.fault(item.at, item.text, kind),
            }
            if address.len() < item.text.len() {
                self.fault(item.at, item.text, FaultKind::Size);
            }
        }
        found
    }
}

/// Whether reports can be sent there. Of the schemes, mailto alone has a meaning (RFC 9990).
fn reports_to(address: &str) -> Result<(), FaultKind> {
    let Some((scheme, rest)) = address.split_once(':') else {
        return Err(if address.contains('@') { FaultKind::NoMailto } else { FaultKind::Address });
    };
    let is_mailbox = rest.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'));
    let is_text = rest.bytes().all(|b| b.is_ascii_graphic());
    if scheme.eq_ignore_ascii_case("mailto") && is_mailbox && is_text { Ok(()) } else { Err(FaultKind::Address) }
}

fn mode(text: &str) -> Result<Mode, FaultKind> {
    one_of(text, &[("r", Mode::Relaxed), ("s", Mode::Strict)], FaultKind::Value("r or s"))
}

fn one_of<T: Copy>(text: &str, known: &[(&str, T)], fault: FaultKind) -> Result<T, FaultKind> {
    known.iter().find(|(name, _)| *name == text).map(|(_, meaning)| *meaning).ok_or(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_known_by_its_version() {
        for (text, is, meant) in [
            ("v=DMARC1", true, true),
            ("v=DMARC1;p=none", true, true),
            ("v = DMARC1 ; p=none", true, true),
            ("v=dmarc1; p=none", false, true),
            ("V=DMARC1; p=none", false, true),
            (" v=DMARC1; p=none", false, true),
            ("\"v=DMARC1; p=none\"", false, true),
            ("v=DMARC1 p=none", false, true),
            ("v=DMARC12", false, true),
            ("p=none; v=DMARC1", false, false),
            ("v=spf1 -all", false, false),
            ("", false, false),
        ] {
            assert_eq!((is_record(text), is_meant_as_record(text)), (is, meant), "{text}");
        }
    }

    #[test]
    fn every_tag_is_read() {
        let text = "v=DMARC1; p=Quarantine; sp=none; np=reject; psd=n; t=y; adkim=s; aspf=r; fo=1:d; rua=mailto:a@example.com,mailto:b@example.net; ruf=mailto:c@example.com";
        let expected = Record {
            policy: Asked::Policy(Policy::Quarantine),
            subdomains: Asked::Policy(Policy::None),
            nonexistent: Asked::Policy(Policy::Reject),
            psd: Psd::No,
            testing: true,
            dkim: Mode::Strict,
            spf: Mode::Relaxed,
            aggregate: vec!["mailto:a@example.com".to_owned(), "mailto:b@example.net".to_owned()],
            failures: vec!["mailto:c@example.com".to_owned()],
            options: Some("1:d".to_owned()),
            faults: Vec::new(),
        };
        assert_eq!(Record::read(text), expected);
    }

    #[test]
    fn what_does_not_count_is_pointed_at() {
        use FaultKind as F;
        for (rest, expected) in [
            ("p=none", &[][..]),
            ("p=non", &[(10, "p=non", F::Value("none, quarantine or reject"))]),
            ("p=none; sp=", &[(18, "sp=", F::Value("none, quarantine or reject"))]),
            (
                "p=none; pct=50; rf=afrf; ri=86400",
                &[(18, "pct=50", F::Obsolete), (26, "rf=afrf", F::Obsolete), (35, "ri=86400", F::Obsolete)],
            ),
            ("p=none p=reject", &[(10, "p=none p=reject", F::Value("none, quarantine or reject"))]),
            ("p=none; p=reject", &[(18, "p=reject", F::Repeated)]),
            ("p=none; v=DMARC1", &[(18, "v=DMARC1", F::Repeated)]),
            ("p=none; foo", &[(18, "foo", F::NoEquals)]),
            ("p=none; foo=bar", &[(18, "foo=bar", F::Unknown)]),
            (
                "p=none; adkim=x; aspf=strict; t=1; psd=q",
                &[
                    (18, "adkim=x", F::Value("r or s")),
                    (27, "aspf=strict", F::Value("r or s")),
                    (40, "t=1", F::Value("y or n")),
                    (45, "psd=q", F::Value("y, n or u")),
                ],
            ),
            ("p=none; fo=2", &[(18, "fo=2", F::Value("0, 1, d and s, with colons between them"))]),
            (
                "p=none; rua=a@example.com, mailto:b@example.com!10m,https://example.com",
                &[(22, "a@example.com", F::NoMailto), (37, "mailto:b@example.com!10m", F::Size), (62, "https://example.com", F::Address)],
            ),
            ("p=none; ruf=", &[(22, "", F::Address)]),
        ] {
            let record = Record::read(&format!("v=DMARC1; {rest}"));
            let told: Vec<_> = record.faults.iter().map(|fault| (fault.at, fault.text.as_str(), fault.kind)).collect();
            assert_eq!(told, expected, "{rest}");
        }
    }
}
