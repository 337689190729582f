//! What was delivered, or was to be, and what became of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::{Case, SessionCase};
use crate::reading::Mentions;
use crate::smtp::{Answer, Event, Purpose, Transfer, Verb};

/// A message that was to be delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LetterPart {
    /// What became of it.
    pub state: LetterState,
    /// Whether it is the probe's own test message, and not one that was given.
    pub test: bool,
    /// Its octets in wire form, as SIZE counts them.
    pub size: u64,
    /// How many of them went out.
    pub sent: u64,
    /// `data` or `chunks` (BDAT).
    pub transfer: String,
    /// Its From field.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// Its Subject field, as it stands there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// Its Message-ID field.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_id: Option<String>,
    /// Its first DKIM signature.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dkim: Option<DkimPart>,
    /// Whether it has octets above 127.
    pub eight_bit: bool,
    /// Octets of its longest line, without the line end.
    pub longest_line: usize,
    /// Line ends that were CR or LF alone, or missing at the very end, and went out as CRLF.
    pub mended_line_ends: usize,
    /// The number under which the server has it in its queue, as far as its reply tells.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queue_id: Option<String>,
    /// The session in which the last of it went out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<usize>,
}

/// A DKIM signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DkimPart {
    /// The domain that vouches (`d=`).
    pub domain: String,
    /// The selector of its key (`s=`).
    pub selector: String,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// It was not sent, or not to its end: it is not delivered.
    NotSent,
    /// It was sent, and the server refused it, for now or for good.
    Refused,
    /// It was sent, and the server has taken it for delivery.
    Taken,
    /// It was sent to its end, and no reply came: it may have been delivered.
    InDoubt,
}

/// The letter of a probe; none if it had none.
pub(super) fn part(case: &Case<'_>) -> Option<LetterPart> {
    let letter = case.facts.letter.as_ref()?;
    let (message, signature) = (&letter.message, letter.signature());
    let last = case.sessions.iter().enumerate().rfind(|(_, session)| sent(session).is_some());
    let reply = last.and_then(|(_, session)| answer(session));
    let state = match (last, &reply) {
        (Some((_, session)), _) if session.facts.transcript.is_in_doubt() => LetterState::InDoubt,
        (_, Some(answer)) if answer.is_yes() => LetterState::Taken,
        (_, Some(_)) => LetterState::Refused,
        _ => LetterState::NotSent,
    };
    Some(LetterPart {
        state,
        test: letter.is_test,
        size: message.size(),
        sent: last.and_then(|(_, session)| sent(session)).unwrap_or_default(),
        transfer: match case.facts.handling.transfer {
            Transfer::Data => "data",
            Transfer::Chunks => "chunks",
        }
        .to_owned(),
        from: message.field("From"),
        subject: message.field("Subject"),
        message_id: message.field("Message-ID"),
        dkim: signature.map(|(domain, selector)| DkimPart { domain: domain.to_string(), selector: selector.to_string() }),
        eight_bit: message.is_eight_bit(),
        longest_line: message.longest_line(),
        mended_line_ends: message.mended_line_ends(),
        queue_id: reply.filter(Answer::is_yes).and_then(|answer| Mentions::of(answer.reply).queue_id),
        session: last.map(|(index, _)| index),
    })
}

/// The server's answer to the message, or the refusal of a part of it.
fn answer<'a>(session: &SessionCase<'a>) -> Option<Answer<'a>> {
    let transcript = &session.facts.transcript;
    let whole = transcript.reply_to(Verb::DataEnd, Purpose::Target);
    whole.or_else(|| transcript.reply_to(Verb::Bdat, Purpose::Target).filter(|answer| !answer.is_yes()))
}

/// How many octets of it went out in a session; none if it did not come to that.
fn sent(session: &SessionCase<'_>) -> Option<u64> {
    let events = session.facts.transcript.events.iter().rev();
    events.into_iter().find_map(|(_, event)| if let Event::Content { written, .. } = event { Some(*written) } else { None })
}
