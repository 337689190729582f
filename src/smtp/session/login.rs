//! Logging in (RFC 4954): over what, by which mechanism, and what is said. The only place where a secret becomes a line.

use zeroize::Zeroizing;

use super::{Need, Session, State};
use crate::smtp::echo::Echo;
use crate::smtp::sasl::{Channel, Exchange, Response};
use crate::smtp::{
    CertificateVerdict, ChannelBinding, Command, FailureKind, Login, LoginFailure, LoginLine, LoginOver, Mechanism, Purpose, Reply, Secret,
    Shown, Stage,
};

/// A command may have so many octets, its line end among them (RFC 5321 §4.5.3.1.4), and AUTH is one (RFC 4954 §4).
const COMMAND_LIMIT: usize = 512;
/// A response may have so many (RFC 4954 §4).
const RESPONSE_LIMIT: usize = 12_288;

/// Whether a session is to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is not.
    NotWanted,
    /// It is, and has not.
    Due,
    /// It has.
    Done,
    /// It could not.
    Failed,
}

/// What a session knows of the login that it is to do.
#[derive(Clone, Debug)]
pub(super) struct LoggingIn {
    login: Login,
    progress: Progress,
    /// What the TLS connection gives to bind to.
    binding: Option<ChannelBinding>,
    /// Mechanisms that the server has refused as such.
    refused: Vec<Mechanism>,
    echo: Echo,
}

impl LoggingIn {
    pub(super) fn new(login: Login) -> Self {
        Self { login, progress: Progress::Due, binding: None, refused: Vec::new(), echo: Echo::default() }
    }
}

/// A login under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Talk {
    exchange: Exchange,
    /// The line to be written; none once it is.
    line: Option<Secret>,
    /// The first response, where it is too long to stand behind AUTH.
    unsaid: Option<Response>,
    /// Whether the server has been given what it can judge.
    proved: bool,
    /// Whether it was given up, so that the server's answer to `*` is waited for.
    given_up: bool,
}

impl Talk {
    /// What is to be written; none if it is.
    pub(super) fn need(&self) -> Option<Need> {
        self.line.clone().map(Need::WriteSecret)
    }

    pub(super) fn sent(&mut self) {
        self.line = None;
    }

    /// The answer to a challenge.
    fn answer(&mut self, challenge: &str) -> Result<Response, LoginFailure> {
        match self.unsaid.take() {
            Some(first) => Ok(first),
            None => self.exchange.challenge(challenge),
        }
    }

    /// Has a response written, and gives what is shown of it.
    fn say(&mut self, response: Response) -> Result<LoginLine, LoginFailure> {
        let encoded = response.bytes.to_base64();
        if encoded.expose().len() + 2 > RESPONSE_LIMIT {
            return Err(LoginFailure::ResponseTooLong);
        }
        self.proved |= is_proof(&response.shown);
        self.line = Some(Secret::concat(&[encoded.expose(), b"\r\n"]));
        Ok(LoginLine::Answer(response.shown))
    }
}

/// Whether a server can judge by it who logs in.
const fn is_proof(shown: &Shown) -> bool {
    !matches!(shown, Shown::User(_) | Shown::UserAndNonce { .. } | Shown::Nothing)
}

impl Session {
    pub(super) fn login_progress(&self) -> Progress {
        match &self.login {
            Some(login) if self.dialogue.until >= Stage::Auth => login.progress,
            _ => Progress::NotWanted,
        }
    }

    fn note_progress(&mut self, progress: Progress) {
        if let Some(login) = &mut self.login {
            login.progress = progress;
        }
    }

    /// Says AUTH, or why not.
    pub(super) fn log_in(&mut self) {
        match self.begin_login() {
            Ok(Some((talk, line))) => {
                self.state = State::Auth(Box::new(talk));
                self.outbox.push((Command::Auth(line), Purpose::Target));
            }
            // What is offered was refused, which is the answer.
            Ok(None) => self.end_login(),
            Err(failure) => {
                self.fail(FailureKind::Login(failure).into());
                self.end_login();
            }
        }
    }

    fn end_login(&mut self) {
        self.note_progress(Progress::Failed);
        self.leave();
    }

    fn begin_login(&mut self) -> Result<Option<(Talk, LoginLine)>, LoginFailure> {
        let offered = self.capabilities.as_ref().map(super::Capabilities::login_mechanisms).unwrap_or_default();
        let verdict = self.transcript.tls().map(|facts| &facts.verdict);
        let Some(login) = &mut self.login else { return Ok(None) };
        match verdict {
            _ if login.login.over == LoginOver::Anything => {}
            Some(CertificateVerdict::Trusted) => {}
            Some(_) => return Err(LoginFailure::Untrusted),
            None => return Err(LoginFailure::NotEncrypted),
        }
        let Some(mechanism) = login.choose(&offered)? else { return Ok(None) };
        let binds = |name: &String| Mechanism::ALL.iter().any(|known| known.is_bound() && known.as_str() == name);
        let channel = Channel { binding: login.binding.as_ref(), offered: offered.iter().any(binds) };
        let (exchange, first) = Exchange::begin(&login.login, mechanism, channel)?;
        // Before it was sent nobody can repeat it.
        login.echo.watch(login.login.secret());
        let mut talk = Talk { exchange, line: None, unsaid: None, proved: false, given_up: false };
        let alone = Secret::concat(&[b"AUTH ", mechanism.as_str().as_bytes(), b"\r\n"]);
        let Some(first) = first else {
            talk.line = Some(alone);
            return Ok(Some((talk, LoginLine::Begin { mechanism, first: None })));
        };
        first.hidden.iter().for_each(|hidden| login.echo.watch(hidden));
        let whole = Secret::concat(&[b"AUTH ", mechanism.as_str().as_bytes(), b" ", first.bytes.to_base64().expose(), b"\r\n"]);
        if whole.expose().len() > COMMAND_LIMIT {
            (talk.line, talk.unsaid) = (Some(alone), Some(first));
            return Ok(Some((talk, LoginLine::Begin { mechanism, first: None })));
        }
        talk.proved = is_proof(&first.shown);
        talk.line = Some(whole);
        Ok(Some((talk, LoginLine::Begin { mechanism, first: Some(first.shown) })))
    }

    /// The server has answered a line of the login with `code`; `text` is what stands behind it.
    pub(super) fn go_on_with_login(&mut self, mut talk: Talk, code: u16, text: &str) {
        match code {
            334 if !talk.given_up => match talk.answer(text).and_then(|response| self.respond(&mut talk, response)) {
                Ok(line) => self.say_in_login(talk, line),
                Err(failure) => {
                    self.fail(FailureKind::Login(failure).into());
                    (talk.line, talk.given_up) = (Some(Secret::concat(&[b"*\r\n"])), true);
                    self.say_in_login(talk, LoginLine::Cancel);
                }
            },
            200..300 if !talk.given_up => match talk.exchange.accepted() {
                Ok(()) => {
                    self.reach(Stage::Auth);
                    self.note_progress(Progress::Done);
                    self.state = State::Ready;
                    self.decide();
                }
                Err(failure) => {
                    self.fail(FailureKind::Login(failure).into());
                    self.end_login();
                }
            },
            // The mechanism was refused, not the password: the next one is no second try. A mechanism that is too weak for a user
            // whose password was seen will not be followed by one that is strong enough.
            504 | 534 if !talk.given_up && (code == 504 || !talk.proved) => {
                if let Some(login) = &mut self.login {
                    login.refused.push(talk.exchange.mechanism());
                }
                self.state = State::Ready;
                self.decide();
            }
            _ => self.end_login(),
        }
    }

    fn respond(&mut self, talk: &mut Talk, response: Response) -> Result<LoginLine, LoginFailure> {
        if let Some(login) = &mut self.login {
            response.hidden.iter().for_each(|hidden| login.echo.watch(hidden));
        }
        talk.say(response)
    }

    fn say_in_login(&mut self, talk: Talk, line: LoginLine) {
        self.state = State::Auth(Box::new(talk));
        self.outbox.push((Command::Auth(line), Purpose::Target));
    }

    /// TLS is about to be up, and logins can be bound to it.
    pub(super) fn note_binding(&mut self, binding: ChannelBinding) {
        if let Some(login) = &mut self.login {
            login.binding = Some(binding);
        }
    }

    /// The reply as it may be recorded.
    pub(super) fn without_secrets(&self, reply: Reply) -> Reply {
        let Some(login) = &self.login else { return reply };
        match login.echo.hide(&reply.raw) {
            Some(raw) => {
                let repeated = login.echo.tells_the_password(&reply.raw);
                // The original is of no more use to anybody.
                drop(Zeroizing::new(reply.raw));
                Reply::redacted(reply.code, raw, repeated)
            }
            None => reply,
        }
    }
}

impl LoggingIn {
    /// Bytes of the server's as they may be recorded; none if they may be as they are.
    pub(super) fn hide(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.echo.hide(bytes)
    }

    /// The mechanism to use: the one asked for, else the strongest offered that a password is of use for. None if all of these were
    /// refused.
    fn choose(&self, offered: &[String]) -> Result<Option<Mechanism>, LoginFailure> {
        if offered.is_empty() {
            return Err(LoginFailure::NotOffered);
        }
        let is_offered = |mechanism: Mechanism| offered.iter().any(|name| name == mechanism.as_str());
        if let Some(wanted) = self.login.mechanism {
            let is_new = !self.refused.contains(&wanted);
            return if is_offered(wanted) { Ok(Some(wanted).filter(|_| is_new)) } else { Err(LoginFailure::MechanismNotOffered(wanted)) };
        }
        let fits = |mechanism: Mechanism| {
            let can_bind = !mechanism.is_bound() || self.binding.is_some();
            !mechanism.takes_a_token() && is_offered(mechanism) && can_bind
        };
        let mut fitting = Mechanism::ALL.into_iter().filter(|mechanism| fits(*mechanism)).peekable();
        if fitting.peek().is_none() {
            // The names come from the server.
            let names: Vec<String> = offered.iter().take(20).map(|name| name.chars().take(40).collect()).collect();
            return Err(LoginFailure::NoCommonMechanism(names.join(" ")));
        }
        Ok(fitting.find(|mechanism| !self.refused.contains(mechanism)))
    }
}

#[cfg(test)]
mod tests;
