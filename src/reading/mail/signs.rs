//! Words that tell which command was answered (RFC 5321 §4.1.1), and by which host.

use super::words::{self, Phrases};
use crate::smtp::Verb;

/// What tells the command that was answered, or the host that answered; see [`Sign`] for what each tells.
static SIGNS: Phrases = Phrases::new(&[
    "in reply to ",
    "after ",
    "like our ",
    "while ",
    "sent: ",
    "does not like recipient",
    "sender was rejected",
    "after i sent the message",
    "my name was rejected",
    "refused to talk to me",
    "smtp:rcpt",
    "smtp:mail",
    "smtp:data",
    "[rcpt_to]",
    "[mail_from]",
    "your message (rcpt)",
    "your message (mail)",
    "your message (data)",
    "smtp command rcpt",
    "smtp command mail",
    "smtp command data",
    " did not like our ",
    " does not like recipient",
    " failed after i sent",
    " gave this error",
    "host: ",
    "host ",
    "while talking to ",
    "connect to ",
    "connected to ",
    "lost connection with ",
    "giving up on ",
    "by the server for ",
    "remote-mta: dns;",
    "remote system: dns;",
    "remote-mta: ",
    "receiving server: ",
    "server at ",
    "smtp server ",
    "server ",
    "transferring to ",
    "remote mta ",
    "your message was rejected by ",
    "message rejected by: ",
    "connection refused by ",
    "timed out with ",
    "receiving host: ",
    "le serveur ",
    "el servidor ",
    "il server ",
    "de server ",
    "serwer ",
    "сервер ",
    "des servers ",
    "mail server: ",
    " said 4",
    " said 5",
    " replied 4",
    " replied 5",
    " ha risposto",
    " a répondu",
    " respondió",
    " antwortete",
    "remote server for ",
]);

/// What a sign tells, and where.
#[derive(Clone, Copy)]
enum Sign {
    /// The name of a command follows.
    CommandFollows,
    /// A command is meant.
    Means(Verb),
    /// The name of a host stands before it.
    HostBefore,
    /// The name of a host follows.
    HostFollows,
    /// The name of a domain follows, and that of its host behind it.
    DomainFollows,
}

impl Sign {
    /// What the phrase at that place in [`SIGNS`] tells.
    const fn of(place: usize) -> Self {
        match place {
            0..=4 | 63 => Self::CommandFollows,
            6 | 11 | 14 | 16 | 19 => Self::Means(Verb::Mail),
            7 => Self::Means(Verb::DataEnd),
            8 => Self::Means(Verb::Helo),
            9 => Self::Means(Verb::Connect),
            12 | 17 | 20 => Self::Means(Verb::Data),
            5 | 10 | 13 | 15 | 18 => Self::Means(Verb::Rcpt),
            21..=24 | 55..=62 => Self::HostBefore,
            32 => Self::DomainFollows,
            _ => Self::HostFollows,
        }
    }
}

/// The command that was answered and the host that answered, as a text of one line says.
pub(super) fn read(text: &str) -> (Option<Verb>, Option<&str>) {
    let (mut command, mut host) = (None, None);
    for (place, start, end) in SIGNS.ranked(text, 128) {
        let rest = &text[end..];
        match Sign::of(place) {
            Sign::CommandFollows => command = command.or_else(|| verb(&words::cut(rest, 40).to_ascii_lowercase())),
            Sign::Means(verb) => command = command.or(Some(verb)),
            Sign::HostBefore => host = host.or_else(|| last_host(&text[..start])),
            Sign::HostFollows if names_itself(&text[..start]) => {}
            Sign::HostFollows => host = host.or_else(|| words::host(rest)),
            Sign::DomainFollows => {
                host = host.or_else(|| rest.find(" by ").and_then(|by| words::after(&rest[by..], " by ")).and_then(words::host));
            }
        }
    }
    (command, host.or_else(|| numbered_host(text)))
}

/// Whether a text ends in the words of a program that introduces itself: `This is the James mail server at `.
fn names_itself(before: &str) -> bool {
    let from = before.len().saturating_sub(40);
    let end = &before.as_bytes()[from..];
    memchr::memmem::rfind(end, b"his is the ").is_some_and(|at| !end[at..].contains(&b'.'))
}

/// The host at the end of a text: `name`, or `name [address]`.
fn last_host(text: &str) -> Option<&str> {
    let mut tokens = text.split(' ').rev();
    let last = tokens.next()?;
    words::host(if last.starts_with('[') { tokens.next().unwrap_or(last) } else { last })
}

/// The host in `mx1.example.net [192.0.2.25]:`, and in `[192.0.2.25], 550`.
fn numbered_host(text: &str) -> Option<&str> {
    text.match_indices(']').take(8).find_map(|(end, _)| {
        let rest = &text[end..];
        let replies = rest.starts_with("], 4") || rest.starts_with("], 5");
        if !replies && !rest.starts_with("]:") {
            return None;
        }
        let open = text[..end].rfind('[')?;
        let number = words::host(&text[open..])?;
        words::host(text[..open].trim_end().rsplit(' ').next()?).or(replies.then_some(number))
    })
}

/// The command at the beginning of a lower-case text.
pub(super) fn verb(text: &str) -> Option<Verb> {
    const NAMES: [(&str, Verb); 15] = [
        ("end of data", Verb::DataEnd),
        ("data command", Verb::Data),
        ("initial connection", Verb::Connect),
        ("initial server greeting", Verb::Connect),
        ("rcpt", Verb::Rcpt),
        ("mail from", Verb::Mail),
        ("mail command", Verb::Mail),
        ("ehlo", Verb::Ehlo),
        ("helo", Verb::Helo),
        ("starttls", Verb::StartTls),
        ("auth ", Verb::Auth),
        ("bdat", Verb::Bdat),
        ("message body", Verb::DataEnd),
        ("transfer of mail text", Verb::DataEnd),
        ("data", Verb::Data),
    ];
    if text.starts_with("final data") {
        return Some(Verb::DataEnd);
    }
    let mut text = text;
    for lead in ["pipelined ", "sending ", "performing ", "receiving ", "the "] {
        text = text.strip_prefix(lead).unwrap_or(text);
    }
    NAMES.iter().find(|(name, _)| text.starts_with(name)).map(|(_, verb)| *verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_tell_command_and_host() {
        for (text, command, host) in [
            ("host mx1.example.net[192.0.2.25] said: 550 no (in reply to RCPT TO command)", Some(Verb::Rcpt), Some("mx1.example.net")),
            ("192.0.2.25 does not like recipient. Remote host said: 550 no", Some(Verb::Rcpt), Some("192.0.2.25")),
            ("192.0.2.25 failed after I sent the message.", Some(Verb::DataEnd), Some("192.0.2.25")),
            ("lost connection with mx1.example.net[192.0.2.25] while sending MAIL FROM", Some(Verb::Mail), Some("mx1.example.net")),
            ("rejected by the server for the domain example.net by mx1.example.net. [192.0.2.25].", None, Some("mx1.example.net")),
            ("Error transferring to mx1.example.net; 550 no", None, Some("mx1.example.net")),
            ("Deferred: Connection refused by mx1.example.net.", None, Some("mx1.example.net")),
            ("Remote MTA mx1.example.net: SMTP diagnostic: 550 no", None, Some("mx1.example.net")),
            ("Mail server: mx1.example.net Answer: 550 no", None, Some("mx1.example.net")),
            ("mx1.example.net said 550 no", None, Some("mx1.example.net")),
            ("Il server: mx1.example.net ha risposto: 550 no", None, Some("mx1.example.net")),
            ("Hi. This is the James mail server at mail.example.com. 550 no", None, None),
            ("blocked using bl.example.org", None, None),
            ("SMTP error from remote server for RCPT TO command, host: mx1.example.net", Some(Verb::Rcpt), Some("mx1.example.net")),
            ("bob@example.net: [192.0.2.25], 550 no", None, Some("192.0.2.25")),
        ] {
            assert_eq!(read(text), (command, host), "{text}");
        }
    }
}
