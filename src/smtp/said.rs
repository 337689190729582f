//! A command as another client said it: typed by hand, or taken from a record.
//!
//! What a session of ours would say in the same words is the same value ([`Command::read`]). All else is kept as text that holds
//! neither a line break nor a secret.

use std::fmt;

use super::LoginLine;
use super::command::{Command, HelloName, MailParameters, Verb};
use super::handling::Ret;

/// A command line is kept up to so many octets (RFC 5321 §4.5.3.1.4 allows 512).
const LINE: usize = 1000;
/// What stands where something was dropped that may be a secret.
const DROPPED: &str = "***";
/// The mechanisms that a client may name (RFC 4422 and IANA's registry); what else stands behind AUTH may be a secret.
const MECHANISMS: [&str; 16] = [
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "DIGEST-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-512",
    "XOAUTH2",
    "OAUTHBEARER",
    "NTLM",
    "GSSAPI",
    "GSS-SPNEGO",
    "EXTERNAL",
    "ANONYMOUS",
];
/// What a client may say, besides what takes an argument after a colon.
const WORDS: [(&str, Verb); 19] = [
    ("EHLO", Verb::Ehlo),
    ("LHLO", Verb::Ehlo),
    ("HELO", Verb::Helo),
    ("STARTTLS", Verb::StartTls),
    ("XCLIENT", Verb::Xclient),
    ("AUTH", Verb::Auth),
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    (".", Verb::DataEnd),
    ("BDAT", Verb::Bdat),
    ("BURL", Verb::Burl),
    ("VRFY", Verb::Vrfy),
    ("EXPN", Verb::Expn),
    ("HELP", Verb::Help),
    ("NOOP", Verb::Noop),
    ("RSET", Verb::Rset),
    ("QUIT", Verb::Quit),
    ("ETRN", Verb::Etrn),
];

/// A command in another client's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    verb: Verb,
    line: String,
}

impl Said {
    /// Which verb it is; [`Verb::Noop`] for a word that SMTP does not know: whatever it is, it leads nowhere.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// The dot that ends a message, in LMTP or in SMTP.
    #[must_use]
    pub fn end_of_message(lmtp: bool) -> Self {
        Self { verb: if lmtp { Verb::LmtpData } else { Verb::DataEnd }, line: ".".to_owned() }
    }

    /// A line that is meant as a command and begins with no verb that is known. A single word may be an answer to AUTH.
    #[must_use]
    pub fn unknown(line: &str) -> Self {
        let line = clean(line);
        let word = line.split(' ').next().unwrap_or_default();
        let is_login = ["PASS", "PASSWORD", "LOGIN", "AUTHENTICATE"].iter().any(|login| login.eq_ignore_ascii_case(word));
        let is_plain = line.contains(' ') && word.len() < 20 && !word.contains('=') && !is_login;
        Self { verb: Verb::Noop, line: if is_plain { line } else { DROPPED.to_owned() } }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl Command {
    /// Reads the line of a client; none if it begins with no verb that SMTP knows. Of AUTH the mechanism alone is kept.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let line = clean(line);
        if let Some(login) = LoginLine::read(&line) {
            return Some(Self::Auth(login));
        }
        let word = line.split([' ', ':']).next().unwrap_or_default();
        let (_, verb) = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
        if *verb == Verb::Auth {
            return Some(Self::Said(auth(&line)));
        }
        let rest = line[word.len()..].trim_start();
        let same = |command: &Self| squeezed(&command.to_string()).eq_ignore_ascii_case(&squeezed(&line));
        let ours = match verb {
            Verb::Ehlo if word.eq_ignore_ascii_case("LHLO") => rest.parse::<HelloName>().ok().map(Self::Lhlo),
            Verb::Ehlo => rest.parse::<HelloName>().ok().map(Self::Ehlo),
            Verb::Helo => rest.parse::<HelloName>().ok().map(Self::Helo),
            Verb::StartTls => Some(Self::StartTls),
            Verb::Mail => mail(rest),
            Verb::Rcpt => rcpt(rest),
            Verb::Bdat => bdat(rest),
            Verb::Data => Some(Self::Data),
            Verb::Rset => Some(Self::Rset),
            Verb::Quit => Some(Self::Quit),
            _ => None,
        };
        Some(ours.filter(same).unwrap_or(Self::Said(Said { verb: *verb, line })))
    }
}

/// The line without control characters, and within its limit.
fn clean(line: &str) -> String {
    let line = line.trim();
    let end = line.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= LINE).last().unwrap_or(0);
    line[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim_end().to_owned()
}

/// What makes two lines the same to whoever reads them.
fn squeezed(line: &str) -> String {
    line.split(' ').collect()
}

fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| rest.trim_start())
}

fn mail(rest: &str) -> Option<Command> {
    let mut words = after(rest, "FROM:")?.split(' ').filter(|word| !word.is_empty());
    let path = words.next()?;
    let from = if path == "<>" { None } else { Some(path.parse().ok()?) };
    let mut parameters = MailParameters::default();
    for word in words {
        let (keyword, value) = word.split_once('=').unwrap_or((word, ""));
        match (keyword.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
            ("SIZE", octets) => parameters.size = Some(octets.parse().ok()?),
            ("BODY", "8BITMIME") => parameters.eight_bit = true,
            ("SMTPUTF8", "") => parameters.smtputf8 = true,
            ("RET", "FULL") => parameters.ret = Some(Ret::Full),
            ("RET", "HDRS") => parameters.ret = Some(Ret::Headers),
            ("REQUIRETLS", "") => parameters.require_tls = true,
            _ => return None,
        }
    }
    Some(Command::Mail { from, parameters })
}

fn rcpt(rest: &str) -> Option<Command> {
    let mut words = after(rest, "TO:")?.split(' ').filter(|word| !word.is_empty());
    // A quoted local part may hold blanks; then the line is kept as it was said, unless the path is all of it.
    let path = words.next()?;
    let Ok(to) = path.parse() else { return after(rest, "TO:")?.parse().ok().map(|to| Command::Rcpt { to, notify: None }) };
    let notify = match words.next() {
        Some(word) => Some(after(word, "NOTIFY=")?.parse().ok()?),
        None => None,
    };
    words.next().is_none().then_some(Command::Rcpt { to, notify })
}

fn bdat(rest: &str) -> Option<Command> {
    let (octets, last) = rest.split_once(' ').map_or((rest, false), |(octets, last)| (octets, last.trim().eq_ignore_ascii_case("LAST")));
    Some(Command::Bdat { octets: octets.parse().ok()?, last })
}

fn auth(line: &str) -> Said {
    let mut words = line.split(' ').filter(|word| !word.is_empty()).skip(1);
    let (mechanism, more) = (words.next(), words.next().is_some());
    let known = mechanism.and_then(|mechanism| MECHANISMS.iter().find(|known| known.eq_ignore_ascii_case(mechanism)));
    let line = match (known, mechanism) {
        (Some(known), _) if more => format!("AUTH {known} {DROPPED}"),
        (Some(known), _) => format!("AUTH {known}"),
        (None, Some(_)) => format!("AUTH {DROPPED}"),
        (None, None) => "AUTH".to_owned(),
    };
    Said { verb: Verb::Auth, line }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_we_would_say_is_the_same_value() {
        for (line, ours) in [
            ("EHLO probe.example.net", "Ehlo"),
            ("ehlo probe.example.net\r\n", "Ehlo"),
            ("HELO [192.0.2.9]", "Helo"),
            ("STARTTLS", "StartTls"),
            ("MAIL FROM:<>", "Mail"),
            ("mail from: <anna@example.com> size=10 smtputf8", "Mail"),
            ("RCPT TO:<anna@example.com>", "Rcpt"),
            ("rcpt to: <anna@example.com>", "Rcpt"),
            ("rcpt to:<anna@example.com> notify=success,delay", "Rcpt"),
            ("MAIL FROM:<> SIZE=1 BODY=8BITMIME SMTPUTF8 RET=FULL REQUIRETLS", "Mail"),
            ("data", "Data"),
            ("BDAT 1000", "Bdat"),
            ("bdat 10 last", "Bdat"),
            ("RSET", "Rset"),
            ("quit", "Quit"),
            ("lhlo mx1.example.com", "Lhlo"),
        ] {
            let command = Command::read(line).expect(line);
            assert!(format!("{command:?}").starts_with(ours), "{line}: {command:?}");
            assert_eq!(Command::read(&command.to_string()), Some(command), "{line}");
        }
    }

    #[test]
    fn what_others_say_is_kept_as_it_was_said() {
        for (line, verb) in [
            ("EHLO my laptop", Verb::Ehlo),
            ("HELO 192.0.2.9", Verb::Helo),
            ("LHLO my laptop", Verb::Ehlo),
            ("XCLIENT ADDR=192.0.2.1", Verb::Xclient),
            ("MAIL FROM:<anna@example.com> BODY=BINARYMIME", Verb::Mail),
            ("MAIL FROM <anna@example.com>", Verb::Mail),
            ("RCPT TO:<anna@example.com> ORCPT=rfc822;anna@example.com", Verb::Rcpt),
            ("RCPT TO:<anna@example.com> NOTIFY=SUCCESS,NEVER", Verb::Rcpt),
            ("RCPT TO:anna@example.com", Verb::Rcpt),
            ("RCPT TO:<anna>", Verb::Rcpt),
            ("DATA now", Verb::Data),
            ("BDAT ten", Verb::Bdat),
            ("VRFY anna", Verb::Vrfy),
            (".", Verb::DataEnd),
            ("noop", Verb::Noop),
        ] {
            let command = Command::read(line).expect(line);
            assert_eq!((command.verb(), command.to_string().as_str()), (verb, line));
            assert!(matches!(command, Command::Said(_)), "{line}");
        }
        for line in ["", "hello", "MAILBOX x", "250 ok", "dXNlcg==", "Subject: x"] {
            assert_eq!(Command::read(line), None, "{line}");
        }
    }

    #[test]
    fn no_secret_is_kept() {
        for (line, kept) in [
            ("AUTH PLAIN AGFubmEAc2VjcmV0", "AUTH PLAIN ***"),
            ("auth plain AGFubmEAc2VjcmV0", "AUTH PLAIN ***"),
            ("AUTH LOGIN", "AUTH LOGIN"),
            ("AUTH AGFubmEAc2VjcmV0", "AUTH ***"),
            ("AUTH  PLAIN  AGFubmEA c2VjcmV0", "AUTH PLAIN ***"),
            ("AUTH", "AUTH"),
            ("AUTH PLAIN ***", "AUTH PLAIN ***"),
        ] {
            assert_eq!(Command::read(line).map(|command| command.to_string()).as_deref(), Some(kept), "{line}");
        }
        for (line, kept) in [
            ("c2VjcmV0", "***"),
            ("RCTP TO:<anna@example.com>", "RCTP TO:<anna@example.com>"),
            ("c2VjcmV0Cg== x", "***"),
            ("PASS secret", "***"),
        ] {
            assert_eq!(Said::unknown(line).to_string(), kept);
        }
    }

    proptest! {
        #[test]
        fn a_line_stays_a_line(line in "(EHLO|RCPT TO:|MAIL FROM:|AUTH|\\.|VRFY)[ -~\r\n\t\u{0}é]{0,60}") {
            let command = Command::read(&line).map(|command| command.to_string()).unwrap_or_default();
            prop_assert!(!command.contains(char::is_control));
            prop_assert!(!Said::unknown(&line).to_string().contains(char::is_control));
        }
    }
}
