//! A policy's text, read (RFC 7208 §4.5, §4.6.1, §12): its terms in their order, or every fault in it with its place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::macros::{DomainFault, MacroFault, MacroString, Place, domain_spec};
use super::{SpfResult, TermKind};

/// What a policy begins with, in upper or lower case.
const VERSION: &str = "v=spf1";
/// Faults are kept up to this many.
const FAULTS_KEPT: usize = 20;
/// Of a text that is wrong, this many characters are kept to be shown.
const SHOWN: usize = 200;

/// A policy, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its mechanisms in their order.
    pub(super) directives: Vec<Directive>,
    pub(super) redirect: Option<Modifier>,
    pub(super) explanation: Option<Modifier>,
    /// Modifiers that nobody knows; they change nothing.
    pub(super) unknown: Vec<Written>,
}

/// A term as it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Where it begins in the policy, in octets counted from 0.
    pub(super) at: usize,
    pub(super) text: String,
}

/// A mechanism, and what is to come of it if it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) written: Written,
    /// Pass, fail, softfail or neutral.
    pub(super) meant: SpfResult,
    pub(super) mechanism: Mechanism,
}

/// `redirect=` or `exp=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Modifier {
    pub(super) written: Written,
    pub(super) target: MacroString,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(MacroString),
    /// Without a name it is about the policy's own domain.
    A(Option<MacroString>, Prefixes),
    Mx(Option<MacroString>, Prefixes),
    Ptr(Option<MacroString>),
    Ip(IpAddr, u8),
    Exists(MacroString),
}

impl Mechanism {
    pub(super) const fn kind(&self) -> TermKind {
        match self {
            Self::All => TermKind::All,
            Self::Include(_) => TermKind::Include,
            Self::A(..) => TermKind::A,
            Self::Mx(..) => TermKind::Mx,
            Self::Ptr(_) => TermKind::Ptr,
            Self::Ip(IpAddr::V4(_), _) => TermKind::Ip4,
            Self::Ip(IpAddr::V6(_), _) => TermKind::Ip6,
            Self::Exists(_) => TermKind::Exists,
        }
    }
}

/// How many bits of an address have to be the same, by family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefixes {
    v4: u8,
    v6: u8,
}

impl Prefixes {
    /// Whether `address` lies in the network of `other`.
    pub(super) fn cover(self, address: IpAddr, other: IpAddr) -> bool {
        same_network(address, other, if address.is_ipv4() { self.v4 } else { self.v6 })
    }
}

/// Whether the first `bits` of both are the same; addresses of two families never are.
pub(super) fn same_network(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let rest = Ipv4Addr::BITS.saturating_sub(bits.into());
            (one.to_bits() ^ other.to_bits()).checked_shr(rest).unwrap_or(0) == 0
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let rest = Ipv6Addr::BITS.saturating_sub(bits.into());
            (one.to_bits() ^ other.to_bits()).checked_shr(rest).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// Something in a policy that makes all of it void: the result is a permerror (§4.6).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{term:?} at octet {at}: {kind}")]
pub struct Fault {
    /// Where in the policy it is wrong, in octets counted from 0; at or in the term.
    pub at: usize,
    /// Where the term begins.
    pub term_at: usize,
    /// The term, or its beginning. What is no ASCII is replaced.
    pub term: String,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong with a term.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FaultKind {
    /// A character that is not visible ASCII: terms are separated by blanks alone.
    #[error("a character that cannot stand there: a policy is ASCII, and its terms have blanks between them")]
    Character,
    /// There is no such mechanism.
    #[error("there is no mechanism of this name")]
    Unknown,
    /// The word `redirect` or `exp` with a colon instead of an equals sign.
    #[error("it is a modifier: write an equals sign after its name")]
    Colon,
    /// A modifier with one of `+-?~` before it.
    #[error("a modifier cannot have +, -, ? or ~ before it")]
    Qualified,
    /// Something after a mechanism that has nothing after it, such as `all`.
    #[error("nothing can follow the name of this mechanism")]
    Trailing,
    /// A mechanism without what it is about.
    #[error("a colon and what it is about have to follow")]
    Bare,
    /// What should be the name of a domain.
    #[error(transparent)]
    Domain(DomainFault),
    /// A macro, or a character, in a modifier that nobody knows.
    #[error(transparent)]
    Macro(MacroFault),
    /// `ip4:` without an IPv4 address.
    #[error("this is no IPv4 address: four numbers from 0 to 255 without leading zeros")]
    Ip4,
    /// `ip6:` without an IPv6 address.
    #[error("this is no IPv6 address")]
    Ip6,
    /// An address of the other family.
    #[error("this address belongs after {0}:")]
    OtherFamily(&'static str),
    /// A prefix length that is none.
    #[error("a prefix has 0 to {0} bits, written without leading zeros")]
    Prefix(u8),
    /// `redirect=` or `exp=` for the second time.
    #[error("{0}= may stand in a policy only once")]
    Twice(&'static str),
}

impl FaultKind {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Character => "character",
            Self::Unknown => "unknown",
            Self::Colon => "colon",
            Self::Qualified => "qualified",
            Self::Trailing => "trailing",
            Self::Bare => "bare",
            Self::Domain(_) => "domain",
            Self::Macro(_) => "macro",
            Self::Ip4 => "ip4",
            Self::Ip6 => "ip6",
            Self::OtherFamily(_) => "other_family",
            Self::Prefix(_) => "prefix",
            Self::Twice(_) => "twice",
        }
    }
}

impl From<DomainFault> for FaultKind {
    fn from(fault: DomainFault) -> Self {
        Self::Domain(fault)
    }
}

/// Whether a text is a policy of this version, right or wrong (§4.5).
pub(super) fn is_policy(text: &[u8]) -> bool {
    text.split_at_checked(VERSION.len())
        .is_some_and(|(version, rest)| version.eq_ignore_ascii_case(VERSION.as_bytes()) && matches!(rest.first(), None | Some(b' ')))
}

/// Whether a text that is no policy seems to be meant as one: in quotes, after a blank, with another sign after the version.
pub(super) fn is_meant_as_policy(text: &[u8]) -> bool {
    let mut octets = text.iter().filter(|b| !matches!(b, b' ' | b'\t' | b'"' | b'\''));
    let begins = VERSION.bytes().all(|wanted| octets.next().is_some_and(|b| b.eq_ignore_ascii_case(&wanted)));
    // Another version is nobody's mistake.
    begins && !octets.next().is_some_and(|b| b.is_ascii_digit() || *b == b'.')
}

impl Record {
    /// Reads a policy.
    ///
    /// # Errors
    /// Every fault in it, up to 20, in their order; at least one.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Vec<Fault>> {
        let mut record = Self { directives: Vec::new(), redirect: None, explanation: None, unknown: Vec::new() };
        let mut faults = Vec::new();
        let mut at = VERSION.len();
        for part in text.get(at..).unwrap_or_default().split(|b| *b == b' ') {
            let (begin, length) = (at, part.len());
            at += length + 1;
            if length == 0 {
                continue;
            }
            let shown = || String::from_utf8_lossy(part).chars().take(SHOWN).collect();
            if let Err((offset, kind)) = record.add(begin, part)
                && faults.len() < FAULTS_KEPT
            {
                faults.push(Fault { at: begin + offset, term_at: begin, term: shown(), kind });
            }
        }
        if faults.is_empty() { Ok(record) } else { Err(faults) }
    }

    fn add(&mut self, at: usize, part: &[u8]) -> Result<(), (usize, FaultKind)> {
        if let Some(odd) = part.iter().position(|b| !b.is_ascii_graphic()) {
            return Err((odd, FaultKind::Character));
        }
        let text = std::str::from_utf8(part).map_err(|_| (0, FaultKind::Character))?;
        let written = Written { at, text: text.to_owned() };
        match modifier(text) {
            Some((name, value)) => self.add_modifier(written, name, value),
            None => directive(text).map(|(meant, mechanism)| self.directives.push(Directive { written, meant, mechanism })),
        }
    }

    fn add_modifier(&mut self, written: Written, name: &str, value: &str) -> Result<(), (usize, FaultKind)> {
        let value_at = name.len() + 1;
        let (slot, known) = match name.to_ascii_lowercase().as_str() {
            "redirect" => (&mut self.redirect, "redirect"),
            "exp" => (&mut self.explanation, "exp"),
            _ => {
                MacroString::parse(value, Place::Modifier).map_err(|(offset, fault)| (value_at + offset, FaultKind::Macro(fault)))?;
                self.unknown.push(written);
                return Ok(());
            }
        };
        if slot.is_some() {
            return Err((0, FaultKind::Twice(known)));
        }
        let target = domain_spec(value).map_err(|(offset, fault)| (value_at + offset, fault.into()))?;
        *slot = Some(Modifier { written, target });
        Ok(())
    }
}

/// The name and value of a modifier, if the term is one: a name, then an equals sign before anything else (§4.6.1).
fn modifier(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    is_name.then_some((name, value))
}

fn directive(text: &str) -> Result<(SpfResult, Mechanism), (usize, FaultKind)> {
    let (meant, bare) = match text.chars().next() {
        Some('+') => (SpfResult::Pass, text.get(1..)),
        Some('-') => (SpfResult::Fail, text.get(1..)),
        Some('?') => (SpfResult::Neutral, text.get(1..)),
        Some('~') => (SpfResult::SoftFail, text.get(1..)),
        _ => (SpfResult::Pass, Some(text)),
    };
    let bare = bare.unwrap_or_default();
    let skipped = text.len() - bare.len();
    mechanism(bare).map(|mechanism| (meant, mechanism)).map_err(|(at, kind)| {
        let is_qualified = skipped > 0 && kind == FaultKind::Unknown && modifier(bare).is_some();
        if is_qualified { (0, FaultKind::Qualified) } else { (skipped + at, kind) }
    })
}

fn mechanism(text: &str) -> Result<Mechanism, (usize, FaultKind)> {
    let end = text.find([':', '/']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let wrong = |kind| Err((end, kind));
    let name = name.to_ascii_lowercase();
    // What stands after the colon; none without one.
    let value = rest.strip_prefix(':');
    let target = |value: &str| domain_spec(value).map_err(|(at, fault)| (end + 1 + at, FaultKind::from(fault)));
    match name.as_str() {
        "all" if rest.is_empty() => Ok(Mechanism::All),
        "all" => wrong(FaultKind::Trailing),
        "include" => value.map_or_else(|| wrong(FaultKind::Bare), |value| target(value).map(Mechanism::Include)),
        "exists" => value.map_or_else(|| wrong(FaultKind::Bare), |value| target(value).map(Mechanism::Exists)),
        "ptr" => match value {
            Some(value) => target(value).map(|target| Mechanism::Ptr(Some(target))),
            None if rest.is_empty() => Ok(Mechanism::Ptr(None)),
            None => wrong(FaultKind::Trailing),
        },
        "a" | "mx" => {
            let (before, prefixes) = dual_prefix(rest).map_err(|(at, kind)| (end + at, kind))?;
            let target = match before.strip_prefix(':') {
                Some(value) => Some(target(value)?),
                None if before.is_empty() => None,
                None => return wrong(FaultKind::Prefix(32)),
            };
            Ok(if name == "a" { Mechanism::A(target, prefixes) } else { Mechanism::Mx(target, prefixes) })
        }
        "ip4" | "ip6" => {
            value.map_or_else(|| wrong(FaultKind::Bare), |value| network(&name, value).map_err(|(at, kind)| (end + 1 + at, kind)))
        }
        "redirect" | "exp" => wrong(FaultKind::Colon),
        _ => Err((0, FaultKind::Unknown)),
    }
}

/// Splits `[ "/" bits ] [ "//" bits ]` off the end. A slash that no digits follow belongs to the name.
fn dual_prefix(text: &str) -> Result<(&str, Prefixes), (usize, FaultKind)> {
    let off = |text, slashes: &str, most| match str::rsplit_once(text, slashes) {
        Some((before, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            bits(digits, most).map(|bits| (before, bits)).ok_or((before.len(), FaultKind::Prefix(most)))
        }
        _ => Ok((text, most)),
    };
    let (before, v6) = off(text, "//", 128)?;
    let (before, v4) = off(before, "/", 32)?;
    Ok((before, Prefixes { v4, v6 }))
}

fn bits(digits: &str, most: u8) -> Option<u8> {
    let is_plain = digits == "0" || !digits.starts_with('0');
    let is_number = is_plain && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|number| is_number && *number <= most)
}

fn network(name: &str, value: &str) -> Result<Mechanism, (usize, FaultKind)> {
    let (address, length) = value.split_once('/').map_or((value, None), |(address, length)| (address, Some(length)));
    let is_v4 = name == "ip4";
    let most = if is_v4 { 32 } else { 128 };
    let address = match address.parse::<IpAddr>() {
        Ok(read) if read.is_ipv4() == is_v4 => read,
        Ok(_) => return Err((0, FaultKind::OtherFamily(if is_v4 { "ip6" } else { "ip4" }))),
        Err(_) => return Err((0, if is_v4 { FaultKind::Ip4 } else { FaultKind::Ip6 })),
    };
    let length = length.map_or(Some(most), |length| bits(length, most));
    length.map(|length| Mechanism::Ip(address, length)).ok_or_else(|| (value.find('/').unwrap_or(0), FaultKind::Prefix(most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<(usize, FaultKind)> {
        Record::parse(text.as_bytes()).err().and_then(|faults| faults.first().map(|fault| (fault.at, fault.kind.clone())))
    }

    #[test]
    fn every_fault_has_its_place() {
        use FaultKind as F;
        for (text, expected) in [
            ("v=spf1", None),
            ("v=spf1   ", None),
            ("V=SPF1 MX A/24//64 Include:example.COM -ALL", None),
            ("v=spf1 moo.cow-far_out=man:dog/cat ip4:192.0.2.1 -all", None),
            ("v=spf1 a:foo:bar/baz.example.com//0", None),
            ("v=spf1 a:%{d/}/24", None),
            ("v=spf1 a=b", None),
            ("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip6:::1.1.1.1/0", None),
            ("v=spf1 -all moo", Some((12, F::Unknown))),
            ("v=spf1 -all.", Some((8, F::Unknown))),
            ("v=spf1 -all:x", Some((11, F::Trailing))),
            ("v=spf1 all/8", Some((10, F::Trailing))),
            ("v=spf1 -", Some((8, F::Unknown))),
            ("v=spf1 ptr/0", Some((10, F::Trailing))),
            ("v=spf1 ptr:", Some((11, F::Domain(DomainFault::Empty)))),
            ("v=spf1 include", Some((14, F::Bare))),
            ("v=spf1 include:", Some((15, F::Domain(DomainFault::Empty)))),
            ("v=spf1 include:ip5.example.com/24", Some((23 + 4, F::Domain(DomainFault::TopLevel)))),
            ("v=spf1 redirect:example.com", Some((15, F::Colon))),
            ("v=spf1 -exp=example.com", Some((7, F::Qualified))),
            ("v=spf1 redirect=a.example redirect=b.example", Some((26, F::Twice("redirect")))),
            ("v=spf1 exp=", Some((11, F::Domain(DomainFault::Empty)))),
            ("v=spf1 a/33", Some((8, F::Prefix(32)))),
            ("v=spf1 a//129", Some((8, F::Prefix(128)))),
            ("v=spf1 mx/24/64", Some((12, F::Prefix(32)))),
            ("v=spf1 mx/24/16", Some((9, F::Prefix(32)))),
            ("v=spf1 a/024", Some((8, F::Prefix(32)))),
            ("v=spf1 a:example.com/33", Some((20, F::Prefix(32)))),
            ("v=spf1 a:192.0.2.1", Some((9, F::Domain(DomainFault::Address)))),
            ("v=spf1 ip4", Some((10, F::Bare))),
            ("v=spf1 ip4:192.0.2", Some((11, F::Ip4))),
            ("v=spf1 ip4:192.0.2.01", Some((11, F::Ip4))),
            ("v=spf1 ip4:192.0.2.1:25", Some((11, F::Ip4))),
            ("v=spf1 ip4:192.0.2.1//32", Some((20, F::Prefix(32)))),
            ("v=spf1 ip4:192.0.2.1/+8", Some((20, F::Prefix(32)))),
            ("v=spf1 ip4:2001:db8::1", Some((11, F::OtherFamily("ip6")))),
            ("v=spf1 ip6:192.0.2.1", Some((11, F::OtherFamily("ip4")))),
            ("v=spf1 ip6::CAFE::BABE", Some((11, F::Ip6))),
            ("v=spf1 ip6:::1.1.1.1/129", Some((20, F::Prefix(128)))),
            ("v=spf1 foo=%abc", Some((11, F::Macro(MacroFault::Percent)))),
            ("v=spf1 1up=foo", Some((7, F::Unknown))),
            ("v=spf1 =all", Some((7, F::Unknown))),
            ("v=spf1 a:\u{e9}.example.com", Some((9, F::Character))),
            ("v=spf1 a\tmx", Some((8, F::Character))),
            ("v=spf1 a:foo.example.com\0", Some((24, F::Character))),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }

    #[test]
    fn all_faults_are_said_at_once() {
        let faults = Record::parse(b"v=spf1 ip4:1.2.3 mx moo -all").expect_err("two faults");
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "\"ip4:1.2.3\" at octet 11: this is no IPv4 address: four numbers from 0 to 255 without leading zeros",
                "\"moo\" at octet 20: there is no mechanism of this name",
            ]
        );
        assert_eq!(Record::parse(format!("v=spf1{}", " moo".repeat(100)).as_bytes()).expect_err("faults").len(), FAULTS_KEPT);
    }

    #[test]
    fn a_policy_is_known_by_its_version() {
        for (text, is, meant) in [
            ("v=spf1", true, true),
            ("v=spf1 -all", true, true),
            ("V=sPf1 -all", true, true),
            ("v=spf10", false, false),
            ("v=spf1.1 -all", false, false),
            ("v=spf1\t-all", false, true),
            ("v=spf1; -all", false, true),
            ("\"v=spf1 -all\"", false, true),
            (" v=spf1 ip4:192.0.2.10", false, true),
            ("v = spf1 mx", false, true),
            ("v=spf1-all", false, true),
            ("v=spf1ip4:192.0.2.1", false, true),
            ("spf2.0/pra -all", false, false),
            ("v=spf2 -all", false, false),
            ("google-site-verification=1", false, false),
            ("", false, false),
        ] {
            assert_eq!((is_policy(text.as_bytes()), is_meant_as_policy(text.as_bytes())), (is, meant), "{text}");
        }
    }

    #[test]
    fn networks_are_compared_by_their_bits() {
        for (one, other, bits, same) in [
            ("192.0.2.1", "192.0.2.200", 24, true),
            ("192.0.2.1", "192.0.3.1", 24, false),
            ("192.0.2.1", "10.0.0.1", 0, true),
            ("192.0.2.1", "192.0.2.1", 32, true),
            ("192.0.2.1", "192.0.2.0", 32, false),
            ("2001:db8::1", "2001:db8::2", 64, true),
            ("2001:db8::1", "2001:db8::2", 128, false),
            ("2001:db8::1", "::", 0, true),
            ("192.0.2.1", "::", 0, false),
        ] {
            let address = |text: &str| text.parse::<IpAddr>().expect(text);
            assert_eq!(same_network(address(one), address(other), bits), same, "{one} {other}/{bits}");
        }
    }
}
