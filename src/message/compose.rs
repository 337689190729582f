//! The test message that a probe sends where it is given none (RFC 5322 §3.6, RFC 3834 §5).

use std::time::SystemTime;

use lettre::message::SinglePart;
use lettre::message::header::{ContentType, Date, Header, HeaderName, HeaderValue, MIME_VERSION_1_0, MessageId, Subject, UserAgent};

use super::{Message, MessageError};
use crate::target::Mailbox;

/// The author's address.
#[derive(Clone)]
struct From(String);

/// The recipient's address.
#[derive(Clone)]
struct To(String);

/// That no person wrote it, so that nobody's holiday notice answers (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

/// Addresses go out as they stand in commands: a [`Mailbox`] holds nothing that would have to be encoded.
fn verbatim(name: HeaderName, value: &str) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned())
}

type Unreadable = Box<dyn std::error::Error + Send + Sync>;

impl Header for From {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("From")
    }

    fn parse(text: &str) -> Result<Self, Unreadable> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        verbatim(Self::name(), &self.0)
    }
}

impl Header for To {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("To")
    }

    fn parse(text: &str) -> Result<Self, Unreadable> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        verbatim(Self::name(), &self.0)
    }
}

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Unreadable> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        verbatim(Self::name(), "auto-generated")
    }
}

/// What a test message says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestMessage {
    /// The reverse-path that it is sent with; none is the null sender `<>`.
    pub sender: Option<Mailbox>,
    /// Whom it is for.
    pub recipient: Mailbox,
    /// The name in EHLO, as it is said there.
    pub hello: String,
    /// When it is written.
    pub date: SystemTime,
}

/// Why no test message could be written.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// It has no sender that could stand in From.
    #[error("{0:?} cannot stand in the From field after postmaster@")]
    From(String),
    /// What comes out is no message.
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl TestMessage {
    /// Who it says it is from. A null sender cannot stand in From, which names who can be asked: that is the postmaster of the host
    /// that sends, whose name is also what SPF looks at then (RFC 7208 §2.4).
    ///
    /// # Errors
    /// If the name in EHLO is none that an address could end with.
    pub fn author(&self) -> Result<Mailbox, ComposeError> {
        match &self.sender {
            Some(sender) => Ok(sender.clone()),
            None => format!("postmaster@{}", self.hello).parse().map_err(|_| ComposeError::From(self.hello.clone())),
        }
    }

    /// Writes it: with From, To, Date, Message-ID, Subject, and a body that says what it is.
    ///
    /// # Errors
    /// If From cannot be told.
    pub fn compose(&self) -> Result<Message, ComposeError> {
        let author = self.author()?;
        let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(22).collect();
        // The part alone, because lettre's whole message takes neither address literals nor UTF-8 before the @.
        let written = SinglePart::builder()
            .header(From(author.to_string()))
            .header(To(self.recipient.to_string()))
            .header(Date::new(self.date))
            .header(MessageId::from(format!("<{id}@{}>", self.hello)))
            .header(Subject::from("Test message: does mail arrive?".to_owned()))
            .header(UserAgent::from(concat!("smtpprobe/", env!("CARGO_PKG_VERSION")).to_owned()))
            .header(AutoSubmitted)
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .body(self.body(&author));
        Ok(Message::new(written.formatted())?)
    }

    fn body(&self, author: &Mailbox) -> String {
        let sender = self.sender.as_ref().map_or_else(|| "<> (the null sender)".to_owned(), ToString::to_string);
        format!(
            "This is a test message. It was sent to find out whether mail to\r\n\
             {recipient} arrives.\r\n\
             \r\n\
             Sent by:          {hello}\r\n\
             Envelope sender:  {sender}\r\n\
             Sent with:        smtpprobe {version}, on somebody's command\r\n\
             \r\n\
             Nothing needs to be done, and it can be deleted. It is one message; no\r\n\
             others follow by themselves. If you did not expect it, ask\r\n\
             {author}, or whoever runs {hello}.\r\n",
            recipient = self.recipient,
            hello = self.hello,
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}
