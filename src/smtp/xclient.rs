//! What XCLIENT tells a server about the client that a connection is said to be from (Postfix, `XCLIENT_README`), so that one's own
//! server can be asked what it would say to another.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::Capabilities;

/// A command is at most so long, without its line break (RFC 5321 §4.5.3.1.4).
const LENGTH_LIMIT: usize = 510;

/// An attribute of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XclientAttribute {
    /// The verified name of the client's address.
    Name,
    /// The name of the client's address, not verified.
    ReverseName,
    /// The client's address.
    Addr,
    /// The client's port.
    Port,
    /// SMTP or ESMTP.
    Proto,
    /// The name in EHLO.
    Helo,
    /// The user who is logged in.
    Login,
    /// The address that the client connected to.
    DestAddr,
    /// The port that the client connected to.
    DestPort,
}

impl XclientAttribute {
    const ALL: [Self; 9] =
        [Self::Name, Self::ReverseName, Self::Addr, Self::Port, Self::Proto, Self::Helo, Self::Login, Self::DestAddr, Self::DestPort];

    /// The name in the command.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::ReverseName => "REVERSE_NAME",
            Self::Addr => "ADDR",
            Self::Port => "PORT",
            Self::Proto => "PROTO",
            Self::Helo => "HELO",
            Self::Login => "LOGIN",
            Self::DestAddr => "DESTADDR",
            Self::DestPort => "DESTPORT",
        }
    }

    /// What is missing where a server does not offer it.
    const fn missing(self) -> &'static str {
        match self {
            Self::Name => "XCLIENT NAME",
            Self::ReverseName => "XCLIENT REVERSE_NAME",
            Self::Addr => "XCLIENT ADDR",
            Self::Port => "XCLIENT PORT",
            Self::Proto => "XCLIENT PROTO",
            Self::Helo => "XCLIENT HELO",
            Self::Login => "XCLIENT LOGIN",
            Self::DestAddr => "XCLIENT DESTADDR",
            Self::DestPort => "XCLIENT DESTPORT",
        }
    }

    /// Whether it can have this value; `[UNAVAILABLE]` and `[TEMPUNAVAIL]` say that there is none.
    fn takes(self, value: &str) -> bool {
        let absent = ["[UNAVAILABLE]", "[TEMPUNAVAIL]"].iter().any(|word| word.eq_ignore_ascii_case(value));
        absent
            || match self {
                Self::Addr | Self::DestAddr => address(value).is_some(),
                Self::Port | Self::DestPort => value.bytes().all(|b| b.is_ascii_digit()) && value.parse::<u16>().is_ok(),
                Self::Proto => ["SMTP", "ESMTP"].iter().any(|word| word.eq_ignore_ascii_case(value)),
                Self::Name | Self::ReverseName | Self::Helo | Self::Login => !value.is_empty() && !value.chars().any(char::is_control),
            }
    }
}

/// An address, with or without the mark of IPv6.
fn address(value: &str) -> Option<IpAddr> {
    let bare = value.get(..5).filter(|mark| mark.eq_ignore_ascii_case("IPV6:")).and_then(|_| value.get(5..)).unwrap_or(value);
    bare.parse().ok()
}

/// Attributes with their values: at least one, each once, and together no longer than a command may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xclient(Vec<(XclientAttribute, String)>);

impl Xclient {
    /// What of it a server does not offer, as its keyword and the attribute; none if it offers everything.
    #[must_use]
    pub fn missing_in(&self, capabilities: &Capabilities) -> Option<&'static str> {
        let Some(offered) = capabilities.parameters("XCLIENT") else { return Some("XCLIENT") };
        let offers = |name: &str| offered.iter().any(|parameter| parameter.eq_ignore_ascii_case(name));
        self.0.iter().find(|(attribute, _)| !offers(attribute.as_str())).map(|(attribute, _)| attribute.missing())
    }
}

impl fmt::Display for Xclient {
    /// `NAME=value ADDR=value`, the values in xtext (RFC 3461 §4).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (attribute, value)) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{}=", attribute.as_str())?;
            for byte in value.bytes() {
                match byte {
                    b'+' | b'=' => write!(f, "+{byte:02X}")?,
                    b'!'..=b'~' => write!(f, "{}", char::from(byte))?,
                    _ => write!(f, "+{byte:02X}")?,
                }
            }
        }
        Ok(())
    }
}

/// Why a text holds no such attributes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XclientError {
    /// No pair, or no such attribute.
    #[error(
        "{0:?} should look like ADDR=192.0.2.1,NAME=mail.example.com; there are NAME, REVERSE_NAME, ADDR, PORT, PROTO, HELO, LOGIN, DESTADDR, DESTPORT"
    )]
    Attribute(String),
    /// A value that the attribute cannot have.
    #[error("{name} cannot be {value:?}; where there is no value it is [UNAVAILABLE]")]
    Value {
        /// The attribute.
        name: &'static str,
        /// What was given.
        value: String,
    },
    /// The same twice.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// More than a command holds.
    #[error("it is longer than the 512 octets of a command")]
    TooLong,
}

impl FromStr for Xclient {
    type Err = XclientError;

    /// Takes pairs with commas between.
    fn from_str(text: &str) -> Result<Self, XclientError> {
        let mut pairs: Vec<(XclientAttribute, String)> = Vec::new();
        for part in text.split(',') {
            let wrong = || XclientError::Attribute(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let attribute = XclientAttribute::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name)).ok_or_else(wrong)?;
            if !attribute.takes(value) {
                return Err(XclientError::Value { name: attribute.as_str(), value: value.to_owned() });
            }
            if pairs.iter().any(|(other, _)| *other == attribute) {
                return Err(XclientError::Twice(attribute.as_str()));
            }
            let value = match address(value) {
                Some(IpAddr::V6(v6)) if matches!(attribute, XclientAttribute::Addr | XclientAttribute::DestAddr) => format!("IPV6:{v6}"),
                _ => value.to_owned(),
            };
            pairs.push((attribute, value));
        }
        let xclient = Self(pairs);
        if "XCLIENT ".len() + xclient.to_string().len() > LENGTH_LIMIT { Err(XclientError::TooLong) } else { Ok(xclient) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_written_in_xtext() {
        for (text, line) in [
            ("name=mail.example.com,ADDR=192.0.2.1", "NAME=mail.example.com ADDR=192.0.2.1"),
            ("ADDR=2001:db8::1,PORT=25", "ADDR=IPV6:2001:db8::1 PORT=25"),
            ("ADDR=IPv6:2001:db8::1", "ADDR=IPV6:2001:db8::1"),
            ("NAME=[UNAVAILABLE],REVERSE_NAME=[TEMPUNAVAIL]", "NAME=[UNAVAILABLE] REVERSE_NAME=[TEMPUNAVAIL]"),
            ("LOGIN=a b+c=d\u{e9}", "LOGIN=a+20b+2Bc+3Dd+C3+A9"),
            (
                "PROTO=ESMTP,HELO=[192.0.2.1],DESTADDR=192.0.2.2,DESTPORT=587",
                "PROTO=ESMTP HELO=[192.0.2.1] DESTADDR=192.0.2.2 DESTPORT=587",
            ),
        ] {
            assert_eq!(text.parse::<Xclient>().expect(text).to_string(), line);
        }
    }

    #[test]
    fn what_a_server_could_not_read_is_refused_here() {
        for (text, word) in [
            ("", "should look like"),
            ("ADDR", "should look like"),
            ("COLOUR=red", "should look like"),
            ("ADDR=mail.example.com", "ADDR cannot be"),
            ("PORT=+25", "PORT cannot be"),
            ("PORT=70000", "PORT cannot be"),
            ("PROTO=LMTP", "PROTO cannot be"),
            ("HELO=", "HELO cannot be"),
            ("HELO=a\r\nQUIT", "HELO cannot be"),
            ("NAME=a,name=b", "NAME is given twice"),
        ] {
            let error = text.parse::<Xclient>().expect_err(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        assert_eq!(format!("LOGIN={}", "é".repeat(100)).parse::<Xclient>(), Err(XclientError::TooLong));
    }
}
