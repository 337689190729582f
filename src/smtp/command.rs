//! What a client says (RFC 5321 §4.1.1), as values that cannot hold a line break.
//!
//! MAIL and RCPT are written by lettre's commands. The others are a verb, or a verb and a [`HelloName`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use lettre::transport::smtp::commands::{Mail, Rcpt};
use lettre::transport::smtp::extension::MailParameter;

use super::{ProxyLine, Said, Xclient};
use crate::target::{DomainName, MailDomain, Mailbox};

/// A command of the client, without its CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The PROXY protocol's header, which no reply answers but the greeting.
    Proxy(ProxyLine),
    /// `EHLO name` (RFC 5321 §4.1.1.1).
    Ehlo(HelloName),
    /// `HELO name`, for servers that refuse EHLO (RFC 5321 §3.2).
    Helo(HelloName),
    /// `LHLO name`, in LMTP (RFC 2033 §4.1).
    Lhlo(HelloName),
    /// `XCLIENT NAME=value …` (Postfix, `XCLIENT_README`).
    Xclient(Xclient),
    /// `STARTTLS` (RFC 3207 §4).
    StartTls,
    /// `MAIL FROM:<…>` (RFC 5321 §4.1.1.2).
    Mail {
        /// The reverse-path; none is the null sender `<>` (RFC 5321 §4.5.5).
        from: Option<Mailbox>,
        /// Octets declared with `SIZE=` (RFC 1870 §6.1), where the server offers SIZE.
        size: Option<u64>,
        /// Whether `SMTPUTF8` is added (RFC 6531 §3.4).
        smtputf8: bool,
    },
    /// `RCPT TO:<…>` (RFC 5321 §4.1.1.3).
    Rcpt(Mailbox),
    /// `RCPT TO:<@host:…>`, with a source route (RFC 5321 appendix C), to see whether it is followed.
    RcptVia(MailDomain, Mailbox),
    /// `DATA` (RFC 5321 §4.1.1.4).
    Data,
    /// `RSET` (RFC 5321 §4.1.1.5).
    Rset,
    /// `QUIT` (RFC 5321 §4.1.1.10).
    Quit,
    /// What another client said, where a session of ours would not.
    Said(Said),
}

impl Command {
    /// Which verb it is.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Self::Proxy(_) => Verb::Connect,
            Self::Ehlo(_) | Self::Lhlo(_) => Verb::Ehlo,
            Self::Xclient(_) => Verb::Xclient,
            Self::Helo(_) => Verb::Helo,
            Self::StartTls => Verb::StartTls,
            Self::Mail { .. } => Verb::Mail,
            Self::Rcpt(_) | Self::RcptVia(..) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Rset => Verb::Rset,
            Self::Quit => Verb::Quit,
            Self::Said(said) => said.verb(),
        }
    }

    /// What goes out for it, line break and all.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        match self {
            Self::Proxy(line) => line.octets(),
            command => format!("{command}\r\n").into_bytes(),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ehlo(name) => write!(f, "EHLO {name}"),
            Self::Helo(name) => write!(f, "HELO {name}"),
            Self::Lhlo(name) => write!(f, "LHLO {name}"),
            Self::Proxy(line) => line.fmt(f),
            Self::Xclient(xclient) => write!(f, "XCLIENT {xclient}"),
            Self::RcptVia(via, mailbox) => write!(f, "RCPT TO:<@{via}:{mailbox}>"),
            Self::Mail { from, size, smtputf8 } => {
                let mut parameters = Vec::new();
                if let Some(size) = size {
                    parameters.push(MailParameter::Size(usize::try_from(*size).unwrap_or(usize::MAX)));
                }
                if *smtputf8 {
                    parameters.push(MailParameter::SmtpUtfEight);
                }
                let line = Mail::new(from.as_ref().map(Mailbox::to_address), parameters).to_string();
                f.write_str(line.trim_end())
            }
            Self::Rcpt(mailbox) => f.write_str(Rcpt::new(mailbox.to_address(), Vec::new()).to_string().trim_end()),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Data => f.write_str("DATA"),
            Self::Rset => f.write_str("RSET"),
            Self::Quit => f.write_str("QUIT"),
            Self::Said(said) => said.fmt(f),
        }
    }
}

/// What a reply answers: the greeting, a command, or the end of the message. The names are those of [`as_str`](Self::as_str).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub enum Verb {
    /// Nothing was said yet: the reply is the greeting.
    #[serde(rename = "CONNECT")]
    Connect,
    /// EHLO.
    #[serde(rename = "EHLO")]
    Ehlo,
    /// HELO.
    #[serde(rename = "HELO")]
    Helo,
    /// STARTTLS.
    #[serde(rename = "STARTTLS")]
    StartTls,
    /// XCLIENT, of Postfix.
    #[serde(rename = "XCLIENT")]
    Xclient,
    /// AUTH (RFC 4954).
    #[serde(rename = "AUTH")]
    Auth,
    /// MAIL.
    #[serde(rename = "MAIL")]
    Mail,
    /// RCPT.
    #[serde(rename = "RCPT")]
    Rcpt,
    /// The DATA command itself.
    #[serde(rename = "DATA")]
    Data,
    /// The dot alone on a line that ends the message.
    #[serde(rename = "DATA-END")]
    DataEnd,
    /// BDAT (RFC 3030).
    #[serde(rename = "BDAT")]
    Bdat,
    /// BURL (RFC 4468).
    #[serde(rename = "BURL")]
    Burl,
    /// VRFY.
    #[serde(rename = "VRFY")]
    Vrfy,
    /// EXPN.
    #[serde(rename = "EXPN")]
    Expn,
    /// HELP.
    #[serde(rename = "HELP")]
    Help,
    /// NOOP.
    #[serde(rename = "NOOP")]
    Noop,
    /// RSET.
    #[serde(rename = "RSET")]
    Rset,
    /// QUIT.
    #[serde(rename = "QUIT")]
    Quit,
    /// ETRN (RFC 1985).
    #[serde(rename = "ETRN")]
    Etrn,
    /// ATRN (RFC 2645).
    #[serde(rename = "ATRN")]
    Atrn,
    /// The end of the message in LMTP, answered once for each recipient (RFC 2033).
    #[serde(rename = "LMTP-DATA")]
    LmtpData,
}

impl Verb {
    /// Every verb, in the order of a session.
    pub const ALL: [Self; 21] = [
        Self::Connect,
        Self::Ehlo,
        Self::Helo,
        Self::StartTls,
        Self::Xclient,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::DataEnd,
        Self::Bdat,
        Self::Burl,
        Self::Vrfy,
        Self::Expn,
        Self::Help,
        Self::Noop,
        Self::Rset,
        Self::Quit,
        Self::Etrn,
        Self::Atrn,
        Self::LmtpData,
    ];

    /// The name used in data files and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::StartTls => "STARTTLS",
            Self::Xclient => "XCLIENT",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::DataEnd => "DATA-END",
            Self::Bdat => "BDAT",
            Self::Burl => "BURL",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::Noop => "NOOP",
            Self::Rset => "RSET",
            Self::Quit => "QUIT",
            Self::Etrn => "ETRN",
            Self::Atrn => "ATRN",
            Self::LmtpData => "LMTP-DATA",
        }
    }
}

/// A text names nothing that a reply could answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is nothing that a server answers; it should be greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, data-end or the like")]
pub struct VerbError(String);

impl FromStr for Verb {
    type Err = VerbError;

    /// Takes the [names](Self::as_str) in any case, and what people say instead: `greeting`, `MAIL FROM`, `dot`.
    fn from_str(text: &str) -> Result<Self, VerbError> {
        let name = text.trim().to_ascii_uppercase();
        let name = match name.as_str() {
            "GREETING" | "CONN" | "BANNER" => "CONNECT",
            "MAIL FROM" => "MAIL",
            "RCPT TO" => "RCPT",
            "DATA END" | "DATAEND" | "DOT" | "." | "MESSAGE" | "EOM" => "DATA-END",
            other => other,
        };
        Self::ALL.into_iter().find(|verb| verb.as_str() == name).ok_or_else(|| VerbError(text.to_owned()))
    }
}

/// The name a client gives itself in EHLO and HELO: a domain, or an address literal (RFC 5321 §4.1.1.1, §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelloName {
    /// A fully qualified name.
    Domain(DomainName),
    /// An address, for a client without a name.
    Literal(IpAddr),
}

/// Why a text cannot be said in EHLO.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name for EHLO; it should look like mail.example.com or [192.0.2.1]")]
pub struct HelloNameError(String);

impl FromStr for HelloName {
    type Err = HelloNameError;

    fn from_str(text: &str) -> Result<Self, HelloNameError> {
        let wrong = || HelloNameError(text.to_owned());
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(wrong)?;
            let inner = inner.strip_prefix("IPv6:").unwrap_or(inner);
            return inner.parse().map(Self::Literal).map_err(|_| wrong());
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Literal(address));
        }
        text.parse().map(Self::Domain).map_err(|_| wrong())
    }
}

impl Default for HelloName {
    fn default() -> Self {
        Self::Literal(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }
}

impl fmt::Display for HelloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(name) => name.fmt(f),
            Self::Literal(IpAddr::V4(address)) => write!(f, "[{address}]"),
            Self::Literal(IpAddr::V6(address)) => write!(f, "[IPv6:{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(text: &str) -> Mailbox {
        text.parse().expect(text)
    }

    #[test]
    fn commands_stand_on_one_line_as_the_rfcs_write_them() {
        let name: HelloName = "probe.example.net".parse().unwrap();
        for (command, line) in [
            (Command::Ehlo(name.clone()), "EHLO probe.example.net"),
            (Command::Helo("2001:db8::1".parse().unwrap()), "HELO [IPv6:2001:db8::1]"),
            (Command::Ehlo("[192.0.2.9]".parse().unwrap()), "EHLO [192.0.2.9]"),
            (Command::Lhlo(name.clone()), "LHLO probe.example.net"),
            (Command::Xclient("ADDR=192.0.2.1".parse().unwrap()), "XCLIENT ADDR=192.0.2.1"),
            (
                Command::RcptVia(mailbox("a@mx.example.net").domain().clone(), mailbox("b@example.com")),
                "RCPT TO:<@mx.example.net:b@example.com>",
            ),
            (Command::StartTls, "STARTTLS"),
            (Command::Mail { from: None, size: None, smtputf8: false }, "MAIL FROM:<>"),
            (
                Command::Mail { from: Some(mailbox("jörg@bücher.example")), size: Some(10), smtputf8: true },
                "MAIL FROM:<jörg@xn--bcher-kva.example> SIZE=10 SMTPUTF8",
            ),
            (Command::Rcpt(mailbox("\"a b\"@example.com")), "RCPT TO:<\"a b\"@example.com>"),
            (Command::Rcpt(mailbox("anna@[IPv6:2001:db8::1]")), "RCPT TO:<anna@[IPv6:2001:db8::1]>"),
            (Command::Data, "DATA"),
            (Command::Rset, "RSET"),
            (Command::Quit, "QUIT"),
        ] {
            assert_eq!(command.to_string(), line);
        }
    }

    #[test]
    fn a_verb_is_found_by_its_name_and_by_what_people_call_it() {
        for verb in Verb::ALL {
            assert_eq!(verb.as_str().to_lowercase().parse(), Ok(verb));
        }
        for (text, verb) in [("greeting", Verb::Connect), ("mail from", Verb::Mail), ("Data-End", Verb::DataEnd), ("dot", Verb::DataEnd)] {
            assert_eq!(text.parse(), Ok(verb), "{text}");
        }
        assert!("RCPTS".parse::<Verb>().is_err());
    }

    #[test]
    fn a_hello_name_cannot_carry_a_second_command() {
        for text in ["", "a b", "a\r\nMAIL FROM:<>", "a\0", "[192.0.2.1", "[x]", "mail_.-", "ex..ample"] {
            assert!(text.parse::<HelloName>().is_err(), "{text:?}");
        }
    }
}
