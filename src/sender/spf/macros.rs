//! Macros: texts in a policy that stand for something of the mail at hand (RFC 7208 §7).

use std::net::IpAddr;

use crate::route::{NameFault, QueryName};

/// A text with macros, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MacroString(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Itself. What `%%`, `%_` and `%-` stand for is such a text.
    Literal(String),
    Expand(Expand),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Expand {
    letter: Letter,
    /// How many parts are kept, from the right; none for all.
    kept: Option<usize>,
    reversed: bool,
    /// What separates the parts.
    delimiters: String,
    /// Whether the letter was a capital: what is special in a URL is then escaped.
    escaped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    Sender,
    Local,
    SenderDomain,
    Domain,
    Address,
    /// The validated name of the address.
    Pointer,
    /// `in-addr` or `ip6`.
    Arpa,
    Hello,
    ReadableAddress,
    Receiver,
    Time,
}

/// Where a text stands, which decides what may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a term that is about a name.
    Domain,
    /// In a modifier that nobody knows.
    Modifier,
    /// The explanation that `exp=` leads to.
    Explanation,
}

/// What is wrong with a macro, or with a character beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MacroFault {
    /// A percent sign that begins no macro.
    #[error("after % there must be {{, %, _ or -")]
    Percent,
    /// No closing brace.
    #[error("the macro is not closed: }} is missing")]
    Unclosed,
    /// Nothing between the braces.
    #[error("the macro has no letter")]
    NoLetter,
    /// No macro has this letter.
    #[error("there is no macro {0:?}: the letters are s, l, o, d, i, p, h, v, and in explanations c, r, t")]
    Letter(char),
    /// One of `c`, `r`, `t` outside an explanation.
    #[error("the macro {0:?} may only stand in an explanation")]
    ExplanationOnly(char),
    /// A count of parts that is 0.
    #[error("0 parts cannot be kept")]
    NoParts,
    /// A character in the braces that is neither digit, `r` nor delimiter, or not in its place.
    #[error("{0:?} has no place in a macro")]
    Inside(char),
    /// A character that is not visible ASCII.
    #[error("{0:?} is no visible character of ASCII")]
    Character(char),
}

/// What the letters stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub(super) local: &'a str,
    pub(super) sender_domain: &'a str,
    /// The domain whose policy is being looked at.
    pub(super) domain: &'a str,
    pub(super) address: IpAddr,
    pub(super) hello: &'a str,
    pub(super) receiver: &'a str,
    /// Seconds since 1970.
    pub(super) time: u64,
    /// The name of the address, `unknown` if it has none.
    pub(super) pointer: &'a str,
}

impl MacroString {
    /// Reads a text.
    ///
    /// # Errors
    /// The first fault, with its place in octets.
    pub(super) fn parse(text: &str, place: Place) -> Result<Self, (usize, MacroFault)> {
        Self::read(text, place).map(|(read, _)| read)
    }

    /// Reads a text, and returns what follows its last macro.
    fn read(text: &str, place: Place) -> Result<(Self, &str), (usize, MacroFault)> {
        let mut tail = text;
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let at = text.len() - rest.len();
            let Some(after) = rest.strip_prefix('%') else {
                let visible = c.is_ascii_graphic() || (c == ' ' && place == Place::Explanation);
                if !visible {
                    return Err((at, MacroFault::Character(c)));
                }
                literal.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            };
            let stands_for = [("%", "%"), ("_", " "), ("-", "%20")].into_iter().find(|(sign, _)| after.starts_with(sign));
            if let Some((_, meant)) = stands_for {
                literal.push_str(meant);
                rest = after.get(1..).unwrap_or_default();
                tail = rest;
                continue;
            }
            let inner = after.strip_prefix('{').ok_or((at, MacroFault::Percent))?;
            let (inner, further) = inner.split_once('}').ok_or((at, MacroFault::Unclosed))?;
            let expand = Expand::parse(inner, place).map_err(|(offset, fault)| (at + 2 + offset, fault))?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Expand(expand));
            rest = further;
            tail = rest;
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok((Self(pieces), tail))
    }

    /// Whether it needs the validated name of the address.
    pub(super) fn needs_pointer(&self) -> bool {
        self.letters().any(|letter| letter == Letter::Pointer)
    }

    /// Whether it needs the sender's local part.
    fn needs_local(&self) -> bool {
        self.letters().any(|letter| matches!(letter, Letter::Sender | Letter::Local))
    }

    fn letters(&self) -> impl Iterator<Item = Letter> {
        self.0.iter().filter_map(|piece| if let Piece::Expand(expand) = piece { Some(expand.letter) } else { None })
    }

    /// The name that it stands for: of one that is too long, the labels on the left are dropped (§7.3).
    ///
    /// # Errors
    /// If no query can carry it. A local part beyond ASCII matches nothing (RFC 8616 §4).
    pub(super) fn name(&self, values: &Values<'_>) -> Result<QueryName, NameFault> {
        if self.needs_local() && !values.local.is_ascii() {
            return Err(NameFault::NotAscii);
        }
        let text = self.text(values);
        let mut name = text.strip_suffix('.').unwrap_or(&text);
        while name.len() > QueryName::LIMIT
            && let Some((_, shorter)) = name.split_once('.')
        {
            name = shorter;
        }
        name.parse()
    }

    /// The text that it stands for.
    pub(super) fn text(&self, values: &Values<'_>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Expand(expand) => expand.text(values),
        };
        self.0.iter().map(piece).collect()
    }
}

impl Expand {
    /// Reads what stands between the braces.
    fn parse(text: &str, place: Place) -> Result<Self, (usize, MacroFault)> {
        let mut characters = text.char_indices().peekable();
        let (_, first) = characters.next().ok_or((0, MacroFault::NoLetter))?;
        let letter = Letter::of(first).ok_or((0, MacroFault::Letter(first)))?;
        if place == Place::Domain && matches!(letter, Letter::ReadableAddress | Letter::Receiver | Letter::Time) {
            return Err((0, MacroFault::ExplanationOnly(first)));
        }
        let mut kept: Option<usize> = None;
        while let Some(digit) = characters.peek().and_then(|(_, c)| c.to_digit(10)) {
            characters.next();
            kept = Some(kept.unwrap_or(0).saturating_mul(10).saturating_add(usize::try_from(digit).unwrap_or(0)));
        }
        if kept == Some(0) {
            return Err((1, MacroFault::NoParts));
        }
        let reversed = characters.next_if(|(_, c)| c.eq_ignore_ascii_case(&'r')).is_some();
        let mut delimiters = String::new();
        for (at, c) in characters {
            if !".-+,/_=".contains(c) {
                return Err((at, MacroFault::Inside(c)));
            }
            delimiters.push(c);
        }
        if delimiters.is_empty() {
            delimiters.push('.');
        }
        Ok(Self { letter, kept, reversed, delimiters, escaped: first.is_ascii_uppercase() })
    }

    fn text(&self, values: &Values<'_>) -> String {
        let value = self.letter.value(values);
        let mut parts: Vec<&str> = value.split(|c| self.delimiters.contains(c)).collect();
        if self.reversed {
            parts.reverse();
        }
        let dropped = self.kept.map_or(0, |kept| parts.len().saturating_sub(kept));
        let text = parts.get(dropped..).unwrap_or_default().join(".");
        if self.escaped { escaped(&text) } else { text }
    }
}

impl Letter {
    const fn of(letter: char) -> Option<Self> {
        Some(match letter.to_ascii_lowercase() {
            's' => Self::Sender,
            'l' => Self::Local,
            'o' => Self::SenderDomain,
            'd' => Self::Domain,
            'i' => Self::Address,
            'p' => Self::Pointer,
            'v' => Self::Arpa,
            'h' => Self::Hello,
            'c' => Self::ReadableAddress,
            'r' => Self::Receiver,
            't' => Self::Time,
            _ => return None,
        })
    }

    fn value(self, values: &Values<'_>) -> String {
        match self {
            Self::Sender => format!("{}@{}", values.local, values.sender_domain),
            Self::Local => values.local.to_owned(),
            Self::SenderDomain => values.sender_domain.to_owned(),
            Self::Domain => values.domain.to_owned(),
            Self::Address => dotted(values.address),
            Self::Pointer => values.pointer.to_owned(),
            Self::Arpa => if values.address.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
            Self::Hello => values.hello.to_owned(),
            Self::ReadableAddress => values.address.to_string(),
            Self::Receiver => values.receiver.to_owned(),
            Self::Time => values.time.to_string(),
        }
    }
}

/// The address in parts between dots: octets in decimal, or of IPv6 the 32 hexadecimal digits.
fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let digits: Vec<String> = format!("{:032X}", v6.to_bits()).chars().map(String::from).collect();
            digits.join(".")
        }
    }
}

/// The name under which the names of the address stand (RFC 1035 §3.5, RFC 3596 §2.5).
pub(super) fn reverse_name(address: IpAddr) -> Result<QueryName, NameFault> {
    let dotted = dotted(address);
    let turned: Vec<&str> = dotted.rsplit('.').collect();
    format!("{}.{}.arpa", turned.join("."), if address.is_ipv4() { "in-addr" } else { "ip6" }).parse()
}

/// The text with everything that is not unreserved in a URL in its percent form (RFC 3986 §2.3).
fn escaped(text: &str) -> String {
    let octet = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(octet).collect()
}

/// Reads a text that has to be a name in the end: its last part is a macro, or a top-level label after a dot (§7.1, `domain-end`).
///
/// # Errors
/// The first fault, with its place in octets.
pub(super) fn domain_spec(text: &str) -> Result<MacroString, (usize, DomainFault)> {
    if text.is_empty() {
        return Err((0, DomainFault::Empty));
    }
    let (read, tail) = MacroString::read(text, Place::Domain).map_err(|(at, fault)| (at, DomainFault::Macro(fault)))?;
    if text.strip_suffix('.').unwrap_or(text).parse::<IpAddr>().is_ok() {
        return Err((0, DomainFault::Address));
    }
    // It ends in a macro, which may stand for any name.
    if tail.is_empty() {
        return Ok(read);
    }
    let tail_at = text.len() - tail.len();
    let bare = tail.strip_suffix('.').unwrap_or(tail);
    match bare.rsplit_once('.') {
        Some((_, label)) if is_top_level(label) => Ok(read),
        Some((before, _)) => Err((tail_at + before.len() + 1, DomainFault::TopLevel)),
        None => Err((tail_at, DomainFault::SingleLabel)),
    }
}

/// What is wrong with a term's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DomainFault {
    /// Nothing where a name has to be.
    #[error("a domain name is missing")]
    Empty,
    /// A wrong macro or character.
    #[error(transparent)]
    Macro(MacroFault),
    /// An address where a name has to be.
    #[error("an address stands where a domain name has to be: write ip4: or ip6: before it")]
    Address,
    /// The last label is none that a top-level domain can have.
    #[error("this is no top-level domain: it has letters, digits and hyphens in it, not digits alone, and no hyphen at an end")]
    TopLevel,
    /// A single label.
    #[error("a domain name has a dot in it")]
    SingleLabel,
}

/// Whether a top-level domain can be called so (`toplabel`).
fn is_top_level(label: &str) -> bool {
    label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.bytes().all(|b| b.is_ascii_digit())
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mail of RFC 7208 section 7.4.
    fn values(address: &str) -> Values<'static> {
        Values {
            local: "strong-bad",
            sender_domain: "email.example.com",
            domain: "email.example.com",
            address: address.parse().expect("an address"),
            hello: "mx.example.org",
            receiver: "unknown",
            time: 1_400_000_000,
            pointer: "mx.example.org",
        }
    }

    #[test]
    fn macros_stand_for_what_the_rfc_says() {
        for (text, address, expected) in [
            ("%{s}", "192.0.2.3", "strong-bad@email.example.com"),
            ("%{o}", "192.0.2.3", "email.example.com"),
            ("%{d}", "192.0.2.3", "email.example.com"),
            ("%{d4}", "192.0.2.3", "email.example.com"),
            ("%{d3}", "192.0.2.3", "email.example.com"),
            ("%{d2}", "192.0.2.3", "example.com"),
            ("%{d1}", "192.0.2.3", "com"),
            ("%{dr}", "192.0.2.3", "com.example.email"),
            ("%{d2r}", "192.0.2.3", "example.email"),
            ("%{D2R}", "192.0.2.3", "example.email"),
            ("%{l}", "192.0.2.3", "strong-bad"),
            ("%{l-}", "192.0.2.3", "strong.bad"),
            ("%{lr}", "192.0.2.3", "strong-bad"),
            ("%{lr-}", "192.0.2.3", "bad.strong"),
            ("%{l1r-}", "192.0.2.3", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "192.0.2.3", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "192.0.2.3", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "192.0.2.3", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "192.0.2.3", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "192.0.2.3", "example.com.trusted-domains.example.net"),
            (
                "%{ir}.%{v}._spf.%{d2}",
                "2001:db8::cb01",
                "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com",
            ),
            ("%{d127}%{d99999999999999999999999}", "192.0.2.3", "email.example.comemail.example.com"),
            ("%%%_%-x", "192.0.2.3", "% %20x"),
            ("%{S}", "192.0.2.3", "strong-bad%40email.example.com"),
            ("%{c} %{r} %{t} %{h} %{p}", "2001:db8::1", "2001:db8::1 unknown 1400000000 mx.example.org mx.example.org"),
            ("%{d1.-}", "192.0.2.3", "com"),
        ] {
            let read = MacroString::parse(text, Place::Explanation).expect(text);
            assert_eq!(read.text(&values(address)), expected, "{text}");
        }
    }

    #[test]
    fn a_faulty_macro_is_pointed_at() {
        for (text, at, fault) in [
            ("a%", 1, MacroFault::Percent),
            ("a%x", 1, MacroFault::Percent),
            ("%(ir)", 0, MacroFault::Percent),
            ("a%{d", 1, MacroFault::Unclosed),
            ("%{}", 2, MacroFault::NoLetter),
            ("%{x}", 2, MacroFault::Letter('x')),
            ("%{\u{e9}}", 2, MacroFault::Letter('\u{e9}')),
            ("ab%{C}", 4, MacroFault::ExplanationOnly('C')),
            ("%{d0}", 3, MacroFault::NoParts),
            ("%{d2x}", 4, MacroFault::Inside('x')),
            ("%{dr2}", 4, MacroFault::Inside('2')),
            ("%{d.r}", 4, MacroFault::Inside('r')),
            ("a b", 1, MacroFault::Character(' ')),
            ("a\u{e9}", 1, MacroFault::Character('\u{e9}')),
            ("a\0", 1, MacroFault::Character('\0')),
        ] {
            assert_eq!(MacroString::parse(text, Place::Domain), Err((at, fault)), "{text}");
        }
    }

    #[test]
    fn a_name_ends_in_a_macro_or_a_top_level_label() {
        for (text, expected) in [
            ("example.com", Ok(())),
            ("example.com.", Ok(())),
            ("_spf.%{d}", Ok(())),
            ("foo%%", Ok(())),
            ("%_", Ok(())),
            ("%{d}.com", Ok(())),
            ("foo:bar/baz.example.com", Ok(())),
            ("a.xn--zckzah", Ok(())),
            ("", Err((0, DomainFault::Empty))),
            ("%{d}com", Err((4, DomainFault::SingleLabel))),
            ("%%com", Err((2, DomainFault::SingleLabel))),
            ("%%{d}", Err((2, DomainFault::SingleLabel))),
            ("com", Err((0, DomainFault::SingleLabel))),
            ("com.", Err((0, DomainFault::SingleLabel))),
            ("example.123", Err((8, DomainFault::TopLevel))),
            ("example.-com", Err((8, DomainFault::TopLevel))),
            ("example.com-", Err((8, DomainFault::TopLevel))),
            ("example.com:8080", Err((8, DomainFault::TopLevel))),
            ("example..", Err((8, DomainFault::TopLevel))),
            ("192.0.2.1", Err((0, DomainFault::Address))),
            ("2001:db8::1", Err((0, DomainFault::Address))),
            ("a.%{t}", Err((4, DomainFault::Macro(MacroFault::ExplanationOnly('t'))))),
        ] {
            assert_eq!(domain_spec(text).map(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn a_long_name_loses_its_left_labels() {
        let mut of_long = values("192.0.2.1");
        let long = format!("{}.example.com", ["a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(60)].join("."));
        of_long.domain = &long;
        let name = |text: &str, values: &Values<'_>| domain_spec(text).expect(text).name(values).map(|name| name.to_string());
        assert_eq!(name("x.%{d}", &of_long), Ok(long.split_once('.').expect("labels").1.to_owned()));
        let long = "a".repeat(300);
        of_long.local = &long;
        assert_eq!(name("%{l}", &of_long), Err(NameFault::LongLabel));
        of_long.local = "r\u{e9}mi";
        assert_eq!(name("%{l}.example.com", &of_long), Err(NameFault::NotAscii));
    }
}
