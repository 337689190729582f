//! What a probe delivers: written once, however many hosts are asked.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::SystemTime;

use super::plan::Attempt;
use super::{Conversations, until};
use crate::message::{Message, TestMessage};
use crate::settings::{Letter, Settings, Walk};
use crate::smtp::{FailureKind, HelloName, Stage};
use crate::target::{DomainName, Mailbox, Target};
use crate::transport::source;

/// What was to be delivered.
#[derive(Clone, Debug)]
pub struct Written {
    /// The message, signed if it was to be.
    pub message: Message,
    /// Whether it is the probe's own test message, and not one that was given.
    pub is_test: bool,
}

/// The letter of a probe, once it is written.
pub(super) type Desk = OnceCell<Result<Written, String>>;

/// With a message to deliver, one host is asked after the other, and none after it may have been delivered.
pub(super) fn as_delivering<'a>(target: &Target, settings: &'a Settings) -> Cow<'a, Settings> {
    let delivers = settings.letter.is_some() && target.mailbox().is_some() && until(target, settings) >= Stage::Message;
    if delivers { Cow::Owned(Settings { walk: Walk::First, ..settings.clone() }) } else { Cow::Borrowed(settings) }
}

impl<P> Conversations<'_, P> {
    /// The message for the session that `attempt` begins; none if it carries none.
    ///
    /// # Errors
    /// If it cannot be written, in words.
    pub(super) fn letter(&self, attempt: &Attempt) -> Result<Option<Message>, FailureKind> {
        let (Some(letter), Target::Mailbox(recipient)) = (&self.settings.letter, self.target) else { return Ok(None) };
        if !attempt.role.asks_the_question() || attempt.until < Stage::Message {
            return Ok(None);
        }
        let written = self.state.desk.get_or_init(|| match letter {
            Letter::Given(message) => Ok(Written { message: message.clone(), is_test: false }),
            Letter::Test(signer) => {
                let now = SystemTime::now();
                let message = self.test_message(recipient, attempt, now).compose().map_err(|error| error.to_string())?;
                let message = match signer {
                    Some(signer) => signer.sign(&message, now).map_err(|error| error.to_string())?,
                    None => message,
                };
                Ok(Written { message, is_test: true })
            }
        });
        match written {
            Ok(written) => Ok(Some(written.message.clone())),
            Err(error) => Err(FailureKind::Local(error.clone())),
        }
    }

    fn test_message(&self, recipient: &Mailbox, attempt: &Attempt, date: SystemTime) -> TestMessage {
        // Without a name the address is said that the connection will have.
        let own = || self.settings.bind.or_else(|| source(attempt.address.ip())).map(HelloName::Literal);
        let hello = self.hello.clone().or_else(own).unwrap_or_default();
        TestMessage { sender: self.settings.from.clone(), recipient: recipient.clone(), hello: hello.to_string(), date }
    }
}

impl Written {
    /// The domain and the selector of its first signature (RFC 6376 §3.5), whoever made it; none if it has none.
    #[must_use]
    pub fn signature(&self) -> Option<(DomainName, DomainName)> {
        let field = self.message.field("DKIM-Signature")?;
        let tag = |name: &str| {
            field.split(';').filter_map(|tag| tag.split_once('=')).find(|(known, _)| known.trim() == name)?.1.trim().parse().ok()
        };
        Some((tag("d")?, tag("s")?))
    }
}
