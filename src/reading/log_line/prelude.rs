//! What stands before the message in a line of a log: time, host and program (RFC 3164 §4.1, RFC 5424 §6, journald's forms).
//!
//! Times have so many forms that none is parsed: the program's name with its colon is looked for, and the host stands before it.

/// The program's name stands among so many words at the start.
const WORDS: usize = 10;

/// A line, cut at the end of what the log collector wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prelude<'a> {
    pub(super) program: Program<'a>,
    /// The host that the line comes from, where it says.
    pub(super) host: Option<&'a str>,
    /// What the program itself wrote.
    pub(super) message: &'a str,
}

/// Which program wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program<'a> {
    /// One of Postfix' daemons, such as `smtp`.
    Postfix(&'a str),
    Exim,
    Sendmail,
    OpenSmtpd,
    Haraka,
    Courier,
    Dovecot,
    Amavis,
    Unknown,
}

impl<'a> Program<'a> {
    pub(super) fn named(name: &'a str) -> Self {
        match name {
            "exim" | "exim4" => Self::Exim,
            "sendmail" | "sm-mta" | "sm-msp-queue" => Self::Sendmail,
            "smtpd" => Self::OpenSmtpd,
            "haraka" => Self::Haraka,
            "dovecot" => Self::Dovecot,
            "amavis" | "amavisd" => Self::Amavis,
            _ if name.starts_with("courier") => Self::Courier,
            // An instance or a service may have a name of its own: postfix-out/smtp, postfix/submission/smtpd.
            _ if name.starts_with("postfix") => name.rsplit_once('/').map_or(Self::Unknown, |(_, daemon)| Self::Postfix(daemon)),
            _ => Self::Unknown,
        }
    }
}

pub(super) fn read(line: &str) -> Prelude<'_> {
    let line = match priority(line) {
        Some(Ok(prelude)) => return prelude,
        Some(Err(rest)) => rest,
        None => line,
    };
    let mut host = None;
    let mut at = 0;
    for word in line.split(' ').take(WORDS) {
        let next = at + word.len() + 1;
        if let Some(tag) = word.strip_suffix(':').filter(|tag| !tag.is_empty()) {
            let name = tag.split_once('[').map_or(tag, |(name, _)| name);
            let program = Program::named(name);
            // Without a process number it may as well be the number in the queue, which belongs to the message.
            let is_tag = program != Program::Unknown || tag.ends_with(']');
            let message = line.get(if is_tag { next } else { at }..).unwrap_or_default().trim_start();
            return Prelude { program, host, message };
        }
        if !word.is_empty() {
            host = Some(word);
        }
        at = next;
    }
    Prelude { program: Program::Unknown, host: None, message: line }
}

/// What stands behind `<22>`: the whole of RFC 5424's form, or the rest of an older line. None if there is no priority.
fn priority(line: &str) -> Option<Result<Prelude<'_>, &str>> {
    let (number, rest) = line.strip_prefix('<')?.split_once('>')?;
    if number.is_empty() || number.len() > 3 || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(version_1(rest).ok_or(rest))
}

/// `1 2025-03-04T10:11:23Z mx1 postfix/smtp 2161 - - message`.
fn version_1(text: &str) -> Option<Prelude<'_>> {
    let mut parts = text.strip_prefix("1 ")?.splitn(6, ' ');
    let (_time, host, app, _process, _kind) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let rest = parts.next()?;
    let message = match rest.strip_prefix('[') {
        Some(data) => data.split_once("] ")?.1,
        None => rest.strip_prefix('-')?,
    };
    let message = message.trim_start().trim_start_matches('\u{feff}');
    Some(Prelude { program: Program::named(app), host: Some(host).filter(|host| *host != "-"), message })
}
