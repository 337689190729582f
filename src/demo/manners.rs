//! What a server says when its script has nothing better: a modern, well-kept one in Postfix's words (RFC 5321 §4, 1870, 2034, 3207).
//!
//! Pure computation. [`Manners::usual`] words a reply and changes nothing; [`Manners::after`] is told the code that was really
//! sent, by whomever it was worded, and says what follows. So a scripted `250` moves the session on like a usual one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::logins::{Logins, Step, Surroundings, Turn};

/// Keywords offered where a script names none.
const KEYWORDS: [&str; 5] = ["PIPELINING", "SIZE 52428800", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8"];
/// The mailbox that every domain has (RFC 5321 §4.5.1).
const POSTMASTER: &str = "postmaster";

/// What a server knows and offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// Its greeting with the code; none is the usual one.
    pub(super) greeting: Option<String>,
    /// The domains it takes mail for.
    pub(super) domains: Vec<String>,
    /// The local parts it knows in each of them, beside postmaster.
    pub(super) mailboxes: Vec<String>,
    /// Whether it takes every local part.
    pub(super) catch_all: bool,
    /// The keywords of its EHLO reply, without STARTTLS; none are the usual ones.
    pub(super) keywords: Option<Vec<String>>,
    /// Whether it offers STARTTLS.
    pub(super) starttls: bool,
    /// Who can log in, inside TLS where there is TLS.
    pub(super) logins: Logins,
}

impl Policy {
    fn keywords(&self) -> Vec<&str> {
        self.keywords.as_ref().map_or_else(|| KEYWORDS.to_vec(), |own| own.iter().map(String::as_str).collect())
    }

    fn offers(&self, keyword: &str) -> bool {
        self.parameter(keyword).is_some()
    }

    /// What follows `keyword` where it is offered.
    fn parameter(&self, keyword: &str) -> Option<&str> {
        self.keywords().into_iter().find_map(|line| {
            let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
            first.eq_ignore_ascii_case(keyword).then_some(rest)
        })
    }
}

/// A moment at which the server has to say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment<'a> {
    /// The connection stands.
    Connected,
    /// A command came.
    Said(&'a str),
    /// So many octets of the message have come.
    Grown(usize),
    /// The answer to a challenge came.
    Response(&'a str),
    /// The dot that ends the message came, or its last chunk.
    MessageOver,
}

/// What the server does after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Waits for a command.
    Listen,
    /// Waits for the answer to a challenge.
    Response,
    /// Waits for the message.
    Message,
    /// Does the TLS handshake.
    Handshake,
    /// Closes the connection in good order.
    Close,
    /// Nothing: the connection is gone.
    Gone,
}

/// Whether a session is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Login {
    /// It is not; where a script leads a login, nobody knows where that is.
    None,
    /// It is at it.
    At(Step),
    /// It is.
    Done,
}

/// The state of one session.
#[derive(Clone, Debug)]
pub(super) struct Manners<'a> {
    policy: &'a Policy,
    /// What the server calls itself.
    name: &'a str,
    introduced: bool,
    secured: bool,
    sender: bool,
    recipients: usize,
    login: Login,
    nonce: String,
    exporter: Option<[u8; 32]>,
}

impl<'a> Manners<'a> {
    /// A session that has just begun, with a server of this name.
    pub(super) fn new(policy: &'a Policy, name: &'a str) -> Self {
        Self {
            policy,
            name,
            introduced: false,
            secured: false,
            sender: false,
            recipients: 0,
            login: Login::None,
            nonce: std::iter::repeat_with(fastrand::alphanumeric).take(18).collect(),
            exporter: None,
        }
    }

    /// TLS is up: everything said before is forgotten (RFC 3207 §4.2).
    /// Logins can be bound to what is exported from it.
    pub(super) fn secured(&mut self, exporter: Option<[u8; 32]>) {
        *self = Self { secured: true, exporter, ..Self::new(self.policy, self.name) };
    }

    /// Whether TLS is up.
    pub(super) fn is_secured(&self) -> bool {
        self.secured
    }

    /// The usual reply; lines after the first are separated by a bare line feed.
    pub(super) fn usual(&self, moment: Moment<'_>) -> String {
        let name = self.name;
        let line = match moment {
            Moment::Connected => return self.policy.greeting.clone().unwrap_or_else(|| format!("220 {name} ESMTP Postfix")),
            Moment::MessageOver => return self.word(250, "2.0.0", "Ok: queued as 4bQx7T2hPzz9rw"),
            // Nobody interrupts without a reason.
            Moment::Grown(_) => return String::new(),
            Moment::Response(line) => return self.word_turn(&self.turn(line)),
            Moment::Said(line) => line,
        };
        let (verb, argument) = split(line);
        match verb.as_str() {
            "EHLO" | "HELO" if argument.is_empty() => format!("501 Syntax: {verb} hostname"),
            "EHLO" => self.capabilities(),
            "HELO" => format!("250 {name}"),
            "STARTTLS" => self.starttls(argument),
            "MAIL" => self.mail(argument),
            "RCPT" => self.rcpt(argument),
            "DATA" if self.recipients > 0 => "354 End data with <CR><LF>.<CR><LF>".to_owned(),
            "DATA" if self.sender => self.word(554, "5.5.1", "Error: no valid recipients"),
            "DATA" => self.word(503, "5.5.1", "Error: need RCPT command"),
            "RSET" | "NOOP" => self.word(250, "2.0.0", "Ok"),
            "VRFY" if argument.is_empty() => self.word(501, "5.5.4", "Syntax: VRFY address"),
            "VRFY" => self.word(252, "2.0.0", argument),
            "AUTH" if self.policy.logins.keyword().is_some() => self.auth(argument),
            "QUIT" => self.word(221, "2.0.0", "Bye"),
            "BDAT" if self.policy.offers("CHUNKING") && self.recipients > 0 => self.word(250, "2.0.0", "Ok: chunk taken"),
            "BDAT" if self.policy.offers("CHUNKING") => self.word(503, "5.5.1", "Error: need RCPT command"),
            "AUTH" | "BDAT" | "BURL" | "ETRN" | "EXPN" | "HELP" | "TURN" => self.word(502, "5.5.1", "Error: command not implemented"),
            _ => self.word(500, "5.5.2", "Error: command not recognized"),
        }
    }

    /// Takes note of the code that was sent, and says what follows from it.
    pub(super) fn after(&mut self, moment: Moment<'_>, code: Option<u16>) -> Next {
        let Some(code) = code else { return if matches!(moment, Moment::Grown(_)) { Next::Message } else { Next::Listen } };
        let verb = match moment {
            Moment::Grown(_) if code != 421 => return Next::Message,
            Moment::Grown(_) => String::new(),
            Moment::Said(line) => split(line).0,
            Moment::Response(_) => "AUTH".to_owned(),
            Moment::Connected | Moment::MessageOver => {
                self.forget_transaction();
                String::new()
            }
        };
        match (verb.as_str(), code / 100) {
            // 421 leaves whatever it answers (RFC 5321 §3.8); after a greeting of 554 the server waits for QUIT (§3.1).
            _ if code == 421 => return Next::Close,
            ("QUIT", 2) => return Next::Close,
            ("STARTTLS", _) if code == 220 => return Next::Handshake,
            ("DATA", 3) => return Next::Message,
            ("AUTH", 3) => {
                let turn = match moment {
                    Moment::Said(line) => self.policy.logins.begin(split(line).1, self.around()),
                    Moment::Response(line) => self.turn(line),
                    Moment::Connected | Moment::Grown(_) | Moment::MessageOver => Turn::Malformed,
                };
                self.login = if let Turn::Challenge(_, step) = turn { Login::At(step) } else { Login::None };
                return Next::Response;
            }
            ("AUTH", 2) => self.login = Login::Done,
            ("EHLO" | "HELO", 2) => {
                self.forget_transaction();
                self.introduced = true;
            }
            ("RSET", 2) => self.forget_transaction(),
            ("MAIL", 2) => self.sender = true,
            ("RCPT", 2) => self.recipients += 1,
            _ => {}
        }
        Next::Listen
    }

    /// How many octets of a message follow a line, and whether they are the last ones; none if it announces no chunk (RFC 3030 §2).
    pub(super) fn chunk(&self, line: &str) -> Option<(usize, bool)> {
        let (verb, argument) = split(line);
        let (octets, last) = argument.split_once(' ').map_or((argument, ""), |(octets, last)| (octets, last.trim()));
        let octets = octets.parse().ok().filter(|_| verb == "BDAT" && self.policy.offers("CHUNKING"))?;
        (last.is_empty() || last.eq_ignore_ascii_case("LAST")).then_some((octets, !last.is_empty()))
    }

    /// Whether a message may come now.
    pub(super) fn awaits_message(&self) -> bool {
        self.recipients > 0
    }

    fn forget_transaction(&mut self) {
        self.sender = false;
        self.recipients = 0;
    }

    /// A reply with its enhanced code, where the server offers such (RFC 2034 §4).
    fn word(&self, code: u16, enhanced: &str, text: &str) -> String {
        if self.policy.offers("ENHANCEDSTATUSCODES") { format!("{code} {enhanced} {text}") } else { format!("{code} {text}") }
    }

    fn capabilities(&self) -> String {
        let starttls = (self.policy.starttls && !self.secured).then_some("STARTTLS");
        let login = self.policy.logins.keyword().filter(|_| self.takes_logins());
        let own = self.policy.keywords().into_iter().chain(login.as_deref());
        let lines: Vec<&str> = std::iter::once(self.name).chain(own).chain(starttls).collect();
        let last = lines.len() - 1;
        let marked = lines.iter().enumerate().map(|(n, line)| format!("250{}{line}", if n == last { ' ' } else { '-' }));
        marked.collect::<Vec<_>>().join("\n")
    }

    fn starttls(&self, argument: &str) -> String {
        if !self.policy.starttls {
            self.word(502, "5.5.1", "Error: command not implemented")
        } else if self.secured {
            self.word(554, "5.5.1", "Error: TLS already active")
        } else if !argument.is_empty() {
            self.word(501, "5.5.4", "Syntax: STARTTLS")
        } else {
            self.word(220, "2.0.0", "Ready to start TLS")
        }
    }

    /// Whether a password may be sent: inside TLS, or where there is none.
    fn takes_logins(&self) -> bool {
        self.secured || !self.policy.starttls
    }

    fn around(&self) -> Surroundings<'_> {
        Surroundings { nonce: &self.nonce, exporter: self.exporter.as_ref().map(<[u8; 32]>::as_slice) }
    }

    fn turn(&self, line: &str) -> Turn {
        match &self.login {
            Login::At(step) => self.policy.logins.go_on(step, line, self.around()),
            _ if line == "*" => Turn::Cancelled,
            Login::None | Login::Done => Turn::Bad,
        }
    }

    fn auth(&self, argument: &str) -> String {
        match () {
            () if !self.introduced => self.word(503, "5.5.1", "Error: send HELO/EHLO first"),
            () if self.login == Login::Done => self.word(503, "5.5.1", "Error: already authenticated"),
            () if !self.takes_logins() => self.word(538, "5.7.11", "Encryption required for requested authentication mechanism"),
            () => self.word_turn(&self.policy.logins.begin(argument, self.around())),
        }
    }

    fn word_turn(&self, turn: &Turn) -> String {
        match turn {
            Turn::Challenge(bytes, _) => format!("334 {}", BASE64.encode(bytes)),
            Turn::Good => self.word(235, "2.7.0", "Authentication successful"),
            Turn::Bad => self.word(535, "5.7.8", "Error: authentication failed"),
            Turn::Malformed => self.word(501, "5.5.2", "Error: bad syntax"),
            Turn::Cancelled => self.word(501, "5.7.0", "Authentication aborted"),
            Turn::Unknown => self.word(504, "5.5.4", "Error: no such authentication mechanism"),
        }
    }

    fn mail(&self, argument: &str) -> String {
        if !self.introduced {
            return self.word(503, "5.5.1", "Error: send HELO/EHLO first");
        }
        if self.sender {
            return self.word(503, "5.5.1", "Error: nested MAIL command");
        }
        let Some((_, parameters)) = path(argument, "FROM:") else {
            return self.word(501, "5.5.4", "Syntax: MAIL FROM:<address>");
        };
        for parameter in parameters.split_whitespace() {
            let (keyword, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let extension = match keyword.to_ascii_uppercase().as_str() {
                "SIZE" => "SIZE",
                "BODY" if value.eq_ignore_ascii_case("BINARYMIME") => "BINARYMIME",
                "BODY" => "8BITMIME",
                "SMTPUTF8" => "SMTPUTF8",
                "RET" | "ENVID" => "DSN",
                // Only inside TLS (RFC 8689 §2).
                "REQUIRETLS" if self.secured => "REQUIRETLS",
                _ => "",
            };
            match self.policy.parameter(extension) {
                None => return self.word(555, "5.5.4", &format!("Unsupported option: {parameter}")),
                Some(limit) if extension == "SIZE" && exceeds(value, limit) => {
                    return self.word(552, "5.3.4", "Message size exceeds fixed limit");
                }
                Some(_) => {}
            }
        }
        self.word(250, "2.1.0", "Ok")
    }

    fn rcpt(&self, argument: &str) -> String {
        if !self.sender {
            return self.word(503, "5.5.1", "Error: need MAIL command");
        }
        let Some((address, _)) = path(argument, "TO:").filter(|(address, _)| !address.is_empty()) else {
            return self.word(501, "5.5.4", "Syntax: RCPT TO:<address>");
        };
        let is = |known: &str, given: &str| known.to_lowercase() == given.to_lowercase();
        let refused = |reason: &str| format!("<{address}>: {reason}");
        let Some((local, domain)) = address.rsplit_once('@') else {
            return if is(POSTMASTER, address) {
                self.word(250, "2.1.5", "Ok")
            } else {
                self.word(504, "5.5.2", &refused("Recipient address rejected: need fully-qualified address"))
            };
        };
        if !self.policy.domains.iter().any(|known| is(known, domain)) {
            self.word(554, "5.7.1", &refused("Relay access denied"))
        } else if self.policy.catch_all || is(POSTMASTER, local) || self.policy.mailboxes.iter().any(|known| is(known, local)) {
            self.word(250, "2.1.5", "Ok")
        } else {
            self.word(550, "5.1.1", &refused("Recipient address rejected: User unknown in virtual mailbox table"))
        }
    }
}

/// The verb in upper case, and what follows it.
fn split(line: &str) -> (String, &str) {
    let line = line.trim();
    let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
    (verb.to_ascii_uppercase(), argument.trim())
}

/// The address in `FROM:<address> parameters`, and the parameters.
fn path<'a>(argument: &'a str, label: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = argument.split_at_checked(label.len()).filter(|(given, _)| given.eq_ignore_ascii_case(label))?;
    // The last bracket: a quoted local part may hold one, the parameters of use here do not.
    rest.trim_start().strip_prefix('<')?.rsplit_once('>')
}

/// Whether a declared size is beyond the limit offered; a limit of 0, or none, is no limit (RFC 1870 §4).
fn exceeds(declared: &str, limit: &str) -> bool {
    let limit = limit.parse::<u64>().unwrap_or(0);
    limit > 0 && declared.parse::<u64>().is_ok_and(|declared| declared > limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "mx1.demo.test";

    fn policy() -> Policy {
        Policy {
            greeting: None,
            domains: vec!["demo.test".to_owned()],
            mailboxes: vec!["anna".to_owned(), "j\u{f6}rg".to_owned()],
            catch_all: false,
            keywords: None,
            starttls: true,
            logins: Logins::default(),
        }
    }

    fn code(reply: &str) -> Option<u16> {
        reply.lines().last()?.get(..3)?.parse().ok()
    }

    /// Says each line, and gives the replies.
    fn hold(policy: &Policy, lines: &[&str]) -> Vec<String> {
        let mut manners = Manners::new(policy, NAME);
        let say = |line: &&str| {
            let reply = manners.usual(Moment::Said(line));
            manners.after(Moment::Said(line), code(&reply));
            reply
        };
        lines.iter().map(say).collect()
    }

    #[test]
    fn a_session_is_answered_as_a_modern_server_does() {
        let script = [
            ("MAIL FROM:<>", "503 5.5.1 Error: send HELO/EHLO first"),
            ("EHLO", "501 Syntax: EHLO hostname"),
            (
                "ehlo client.test",
                "250-mx1.demo.test\n250-PIPELINING\n250-SIZE 52428800\n250-ENHANCEDSTATUSCODES\n250-8BITMIME\n250-SMTPUTF8\n250 STARTTLS",
            ),
            ("RCPT TO:<anna@demo.test>", "503 5.5.1 Error: need MAIL command"),
            ("DATA", "503 5.5.1 Error: need RCPT command"),
            ("MAIL <>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
            ("MAIL FROM:<> RET=HDRS", "555 5.5.4 Unsupported option: RET=HDRS"),
            ("MAIL FROM:<> SIZE=52428801", "552 5.3.4 Message size exceeds fixed limit"),
            ("mail from:<x@example.com> SIZE=52428800 BODY=8BITMIME SMTPUTF8", "250 2.1.0 Ok"),
            ("MAIL FROM:<>", "503 5.5.1 Error: nested MAIL command"),
            ("DATA", "554 5.5.1 Error: no valid recipients"),
            ("RCPT TO:anna@demo.test", "501 5.5.4 Syntax: RCPT TO:<address>"),
            ("RCPT TO:<>", "501 5.5.4 Syntax: RCPT TO:<address>"),
            ("RCPT TO:<bert@demo.test>", "550 5.1.1 <bert@demo.test>: Recipient address rejected: User unknown in virtual mailbox table"),
            ("RCPT TO:<bert@example.com>", "554 5.7.1 <bert@example.com>: Relay access denied"),
            ("RCPT TO:<anna>", "504 5.5.2 <anna>: Recipient address rejected: need fully-qualified address"),
            ("RCPT TO:<Postmaster>", "250 2.1.5 Ok"),
            ("RCPT TO:<postmaster@demo.test>", "250 2.1.5 Ok"),
            ("RCPT TO: <ANNA@Demo.Test> NOTIFY=NEVER", "250 2.1.5 Ok"),
            ("RCPT TO:<J\u{d6}RG@demo.test>", "250 2.1.5 Ok"),
            ("DATA", "354 End data with <CR><LF>.<CR><LF>"),
            ("RSET", "250 2.0.0 Ok"),
            ("DATA", "503 5.5.1 Error: need RCPT command"),
            ("NOOP", "250 2.0.0 Ok"),
            ("VRFY anna", "252 2.0.0 anna"),
            ("EXPN list", "502 5.5.1 Error: command not implemented"),
            ("", "500 5.5.2 Error: command not recognized"),
            ("FOO", "500 5.5.2 Error: command not recognized"),
            ("STARTTLS now", "501 5.5.4 Syntax: STARTTLS"),
            ("STARTTLS", "220 2.0.0 Ready to start TLS"),
            ("QUIT", "221 2.0.0 Bye"),
        ];
        let lines: Vec<&str> = script.iter().map(|(line, _)| *line).collect();
        for ((line, expected), reply) in script.iter().zip(hold(&policy(), &lines)) {
            assert_eq!(&reply, expected, "{line}");
        }
    }

    #[test]
    fn what_is_said_follows_from_what_is_offered() {
        let old = Policy { keywords: Some(vec!["SIZE 1000".to_owned()]), starttls: false, catch_all: true, ..policy() };
        let lines = ["EHLO x", "MAIL FROM:<> SMTPUTF8", "MAIL FROM:<> SIZE=1001", "MAIL FROM:<>", "RCPT TO:<x@demo.test>", "STARTTLS"];
        let replies = [
            "250-mx1.demo.test\n250 SIZE 1000",
            "555 Unsupported option: SMTPUTF8",
            "552 Message size exceeds fixed limit",
            "250 Ok",
            "250 Ok",
            "502 Error: command not implemented",
        ];
        assert_eq!(hold(&old, &lines), replies);
    }

    #[test]
    fn the_code_that_was_sent_decides_what_follows() {
        let policy = policy();
        for (moment, sent, next) in [
            (Moment::Connected, Some(220), Next::Listen),
            (Moment::Connected, Some(554), Next::Listen),
            (Moment::Connected, Some(421), Next::Close),
            (Moment::Connected, None, Next::Listen),
            (Moment::Said("RCPT TO:<anna@demo.test>"), Some(421), Next::Close),
            (Moment::Said("DATA"), Some(354), Next::Message),
            (Moment::Said("STARTTLS"), Some(220), Next::Handshake),
            (Moment::Said("STARTTLS"), Some(454), Next::Listen),
            (Moment::Said("QUIT"), Some(221), Next::Close),
            (Moment::MessageOver, Some(250), Next::Listen),
        ] {
            assert_eq!(Manners::new(&policy, NAME).after(moment, sent), next, "{moment:?} {sent:?}");
        }
    }

    #[test]
    fn tls_begins_the_session_anew() {
        let policy = policy();
        let mut manners = Manners::new(&policy, NAME);
        manners.after(Moment::Said("EHLO x"), Some(250));
        manners.secured(None);
        assert!(manners.is_secured());
        assert!(manners.usual(Moment::Said("MAIL FROM:<>")).starts_with("503 "));
        assert!(!manners.usual(Moment::Said("EHLO x")).contains("STARTTLS"));
        assert!(manners.usual(Moment::Said("STARTTLS")).starts_with("554 "));
    }
}
