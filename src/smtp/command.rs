//! What a client says (RFC 5321 §4.1.1), as values that cannot hold a line break.
//!
//! MAIL and RCPT are written by lettre's commands. The others are a verb, or a verb and a [`HelloName`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use lettre::transport::smtp::commands::{Mail, Rcpt};
use lettre::transport::smtp::extension::{MailBodyParameter, MailParameter, RcptParameter};

use super::{LoginLine, Notify, ProxyLine, Ret, Said, Xclient};
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
    /// A line of a login (RFC 4954 §4): what is written in its place has a secret in it, and this has none.
    Auth(LoginLine),
    /// `MAIL FROM:<…>` (RFC 5321 §4.1.1.2).
    Mail {
        /// The reverse-path; none is the null sender `<>` (RFC 5321 §4.5.5).
        from: Option<Mailbox>,
        /// What stands behind it.
        parameters: MailParameters,
    },
    /// `RCPT TO:<…>` (RFC 5321 §4.1.1.3).
    Rcpt {
        /// The forward-path.
        to: Mailbox,
        /// `NOTIFY=` (RFC 3461 §4.1); none is left out.
        notify: Option<Notify>,
    },
    /// `RCPT TO:<@host:…>`, with a source route (RFC 5321 appendix C), to see whether it is followed.
    RcptVia(MailDomain, Mailbox),
    /// `DATA` (RFC 5321 §4.1.1.4).
    Data,
    /// `BDAT octets` (RFC 3030 §2), before a chunk of the message. The reply to the last one is that to the message.
    Bdat {
        /// How many octets follow.
        octets: u64,
        /// Whether they are the last ones.
        last: bool,
    },
    /// `RSET` (RFC 5321 §4.1.1.5).
    Rset,
    /// `QUIT` (RFC 5321 §4.1.1.10).
    Quit,
    /// What another client said, where a session of ours would not.
    Said(Said),
}

/// What stands behind the address in MAIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a parameter of its own that stands there or does not")]
pub struct MailParameters {
    /// Octets declared with `SIZE=` (RFC 1870 §6.1), where the server offers SIZE.
    pub size: Option<u64>,
    /// Whether `BODY=8BITMIME` is added (RFC 6152 §3).
    pub eight_bit: bool,
    /// Whether `SMTPUTF8` is added (RFC 6531 §3.4).
    pub smtputf8: bool,
    /// `RET=` (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// Whether `REQUIRETLS` is added (RFC 8689 §2).
    pub require_tls: bool,
}

impl MailParameters {
    /// In lettre's words.
    fn named(&self) -> Vec<MailParameter> {
        let other =
            |keyword: &str, value: Option<&str>| MailParameter::Other { keyword: keyword.to_owned(), value: value.map(str::to_owned) };
        let size = self.size.map(|size| MailParameter::Size(usize::try_from(size).unwrap_or(usize::MAX)));
        let body = self.eight_bit.then_some(MailParameter::Body(MailBodyParameter::EightBitMime));
        let smtputf8 = self.smtputf8.then_some(MailParameter::SmtpUtfEight);
        let ret = self.ret.map(|ret| other("RET", Some(ret.as_str())));
        let require_tls = self.require_tls.then(|| other("REQUIRETLS", None));
        [size, body, smtputf8, ret, require_tls].into_iter().flatten().collect()
    }
}

impl Command {
    /// Which verb it is: that of the message's end for the last chunk.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Self::Proxy(_) => Verb::Connect,
            Self::Ehlo(_) | Self::Lhlo(_) => Verb::Ehlo,
            Self::Xclient(_) => Verb::Xclient,
            Self::Helo(_) => Verb::Helo,
            Self::StartTls => Verb::StartTls,
            Self::Auth(_) => Verb::Auth,
            Self::Mail { .. } => Verb::Mail,
            Self::Rcpt { .. } | Self::RcptVia(..) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat { last: false, .. } => Verb::Bdat,
            Self::Bdat { last: true, .. } => Verb::DataEnd,
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
            Self::Mail { from, parameters } => {
                let line = Mail::new(from.as_ref().map(Mailbox::to_address), parameters.named()).to_string();
                f.write_str(line.trim_end())
            }
            Self::Rcpt { to, notify } => {
                let parameter = |notify: &Notify| RcptParameter::Other { keyword: "NOTIFY".to_owned(), value: Some(notify.to_string()) };
                let line = Rcpt::new(to.to_address(), notify.iter().map(parameter).collect()).to_string();
                f.write_str(line.trim_end())
            }
            Self::Bdat { octets, last } => write!(f, "BDAT {octets}{}", if *last { " LAST" } else { "" }),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Auth(line) => line.fmt(f),
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
    #[serde(rename = "CONN", alias = "CONNECT")]
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
            Self::Connect => "CONN",
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
            "GREETING" | "CONNECT" | "BANNER" => "CONN",
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

    fn rcpt(to: &str, notify: Option<&str>) -> Command {
        Command::Rcpt { to: mailbox(to), notify: notify.map(|notify| notify.parse().expect(notify)) }
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
            (Command::Mail { from: None, parameters: MailParameters::default() }, "MAIL FROM:<>"),
            (
                Command::Mail {
                    from: Some(mailbox("jörg@bücher.example")),
                    parameters: MailParameters { size: Some(10), smtputf8: true, ..MailParameters::default() },
                },
                "MAIL FROM:<jörg@xn--bcher-kva.example> SIZE=10 SMTPUTF8",
            ),
            (
                Command::Mail {
                    from: None,
                    parameters: MailParameters {
                        size: Some(10),
                        eight_bit: true,
                        smtputf8: true,
                        ret: Some(Ret::Headers),
                        require_tls: true,
                    },
                },
                "MAIL FROM:<> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS REQUIRETLS",
            ),
            (rcpt("\"a b\"@example.com", None), "RCPT TO:<\"a b\"@example.com>"),
            (rcpt("anna@[IPv6:2001:db8::1]", None), "RCPT TO:<anna@[IPv6:2001:db8::1]>"),
            (rcpt("anna@example.com", Some("failure,delay")), "RCPT TO:<anna@example.com> NOTIFY=FAILURE,DELAY"),
            (rcpt("anna@example.com", Some("never")), "RCPT TO:<anna@example.com> NOTIFY=NEVER"),
            (Command::Data, "DATA"),
            (Command::Bdat { octets: 1_000, last: false }, "BDAT 1000"),
            (Command::Bdat { octets: 0, last: true }, "BDAT 0 LAST"),
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
