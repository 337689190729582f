//! What became of a message for one recipient, explained: by the reply that decided, else by the words that a report has.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::build::{of_heard, of_reply_from};
use super::{BasisName, ExplanationPart, ReplyPart, Standing};
use crate::knowledge::{Actor, Confidence, Fix, Knowledge, Permanence, Reason, Speaker};
use crate::reading::mail::{Notice, NoticeKind};
use crate::reading::{Action, RecipientReport};
use crate::smtp::{EnhancedCode, Reply};

/// The texts of what is no refusal.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    title: String,
    meaning: String,
    actor: Actor,
    fix: Vec<Fix>,
}

/// Explains what a mail says, one entry for each recipient; nothing of ordinary mail.
pub(super) fn of_notice(knowledge: &Knowledge, notice: &Notice) -> Vec<ExplanationPart> {
    notice
        .reports
        .iter()
        .map(|report| match notice.kind {
            NoticeKind::Vacation => told(knowledge, "vacation", report),
            NoticeKind::Feedback => ExplanationPart { feedback_type: notice.feedback_type.clone(), ..told(knowledge, "feedback", report) },
            NoticeKind::Bounce | NoticeKind::Delivered | NoticeKind::NotABounce => with_status(of_recipient(knowledge, report), report),
        })
        .collect()
}

/// Explains what became of a message for one recipient.
pub(super) fn of_recipient(knowledge: &Knowledge, report: &RecipientReport) -> ExplanationPart {
    let mut part = match report.action {
        Some(Action::Delivered) => told(knowledge, "delivered", report),
        Some(Action::Relayed) => told(knowledge, "relayed", report),
        Some(Action::Expanded) => told(knowledge, "expanded", report),
        Some(Action::Failed | Action::Delayed) | None => refused(knowledge, report),
    };
    if is_mere_delay(&part, report) {
        let waits = told(knowledge, "delayed", report);
        part = ExplanationPart {
            reason: Reason::Expired,
            permanence: Permanence::Temporary,
            title: waits.title,
            meaning: waits.meaning,
            actor: waits.actor,
            fix: waits.fix,
            when: String::new(),
            hard: false,
            ..part
        };
    }
    if part.permanence == Permanence::Temporary && report.action == Some(Action::Failed) {
        let gave_up = told(knowledge, "gave_up", report);
        part.fix.retain(|fix| fix.actor != Actor::Wait);
        part.fix.extend(gave_up.fix);
        part.actor = if part.actor == Actor::Wait { gave_up.actor } else { part.actor };
    }
    with_fields(part, report)
}

/// Whether nothing more is told of a message that still waits than that it does: in words, or by a code that names no cause (RFC 3463
/// §3.1, `X.n.0`).
fn is_mere_delay(part: &ExplanationPart, report: &RecipientReport) -> bool {
    if report.action != Some(Action::Delayed) {
        return false;
    }
    match part.basis {
        BasisName::Wording => part.reason == Reason::Expired && part.permanence == Permanence::Temporary,
        _ => report.reply.is_none() && report.status.is_none_or(|status| status.detail == 0),
    }
}

/// With the report's own code (Status) where the reply had none, or one that tells the class alone. A log's line has no such field: what
/// stands there is made up by who writes it.
fn with_status(mut part: ExplanationPart, report: &RecipientReport) -> ExplanationPart {
    let own = part.reply.enhanced.as_deref();
    if own.is_none_or(|own| own.ends_with(".0.0"))
        && let Some(status) = report.status
    {
        part.reply.enhanced = Some(status.to_string());
    }
    part
}

/// The fields that stand in the report itself.
fn with_fields(part: ExplanationPart, report: &RecipientReport) -> ExplanationPart {
    ExplanationPart {
        recipient: report.recipient.clone(),
        original_recipient: report.original.clone(),
        action: report.action.map(|action| action.as_str().to_owned()),
        remote_host: report.remote_host.clone(),
        reporting_mta: report.reporting_mta.clone(),
        queue_id: report.queue_id.clone(),
        diagnostic: Some(report.diagnostic.clone()).filter(|words| !words.is_empty()),
        program: report.program.clone(),
        ..part
    }
}

/// By what a delivering program said, then by the reply, where their words tell a cause; else by all the words there are.
fn refused(knowledge: &Knowledge, report: &RecipientReport) -> ExplanationPart {
    if let Some(part) = by_program(knowledge, report) {
        return part;
    }
    // Words that are no reply are those of whoever wrote the report.
    let recipient = report.recipient.as_deref().filter(|_| report.reply.is_some());
    let domain = recipient.and_then(|recipient| Some(recipient.rsplit_once('@')?.1));
    let speaker = Speaker { host: report.remote_host.as_deref(), greeting: None, domain };
    let by_reply = report.reply.as_ref().map(|reply| of_reply_from(knowledge, speaker, &unfolded(reply), report.command));
    let by_reply = match by_reply {
        Some(part) if part.basis == BasisName::Wording => return part,
        by_reply => by_reply,
    };
    let Some(stand_in) = stand_in(report) else { return by_reply.unwrap_or_else(|| told(knowledge, "unexplained", report)) };
    let stand_in = unfolded(&stand_in);
    let heard = knowledge.hear(speaker, &stand_in);
    let basis = BasisName::from(&heard.answering(report.command).basis);
    let by_words = || of_heard(knowledge, &heard, &stand_in, report.command);
    match by_reply {
        None if basis == BasisName::Code => {
            // No server has sent that number: it only stands for what was done.
            let permanence = if report.action == Some(Action::Delayed) { Permanence::Temporary } else { Permanence::Permanent };
            ExplanationPart { permanence, ..told(knowledge, "unexplained", report) }
        }
        None => ExplanationPart { reply: said(report), closes: false, answers: Vec::new(), ..by_words() },
        // The number of the reply says more than words that say nothing.
        Some(part) if basis == BasisName::Code || part.basis == basis => part,
        Some(part) => ExplanationPart { reply: part.reply, standing: part.standing, closes: part.closes, ..by_words() },
    }
}

/// By what a delivering program said, where that tells a cause: the verdict on it tells that it failed, and seldom why.
fn by_program(knowledge: &Knowledge, report: &RecipientReport) -> Option<ExplanationPart> {
    let (program, reply) = (report.program.as_ref()?, report.reply.as_ref()?);
    let said = Reply { lines: vec![program.clone()], ..reply.clone() };
    let part = of_reply_from(knowledge, Speaker::default(), &said, None);
    (part.basis == BasisName::Wording).then(|| ExplanationPart { reply: ReplyPart::from(reply), ..part })
}

/// A reply that says what the report does: its words with the number of the class that it names.
fn stand_in(report: &RecipientReport) -> Option<Reply> {
    let code = match (&report.reply, report.status.map(|status| status.class), report.action) {
        (Some(reply), ..) => reply.code.number(),
        (None, Some(4), _) | (None, None, Some(Action::Delayed)) => 450,
        (None, Some(2), _) => 250,
        (None, ..) => 550,
    };
    let status =
        report.status.filter(|status| u16::from(status.class) == code / 100).map(|status| format!(" {status}")).unwrap_or_default();
    Reply::parse(&format!("{code}{status} {}", report.diagnostic))
}

/// The reply without the numbers that began its lines, where somebody has joined these into one.
fn unfolded(reply: &Reply) -> Cow<'_, Reply> {
    let begin = format!("{}-", reply.code);
    if !reply.lines.iter().any(|line| line.contains(&begin)) {
        return Cow::Borrowed(reply);
    }
    let begins_line = |word: &str| word.strip_prefix(&begin).is_some_and(|rest| rest.is_empty() || rest.parse::<EnhancedCode>().is_ok());
    let line = |line: &String| line.split(' ').filter(|word| !begins_line(word)).collect::<Vec<_>>().join(" ");
    Cow::Owned(Reply { lines: reply.lines.iter().map(line).collect(), ..reply.clone() })
}

/// The reply, or what stands for it where none was quoted.
fn said(report: &RecipientReport) -> ReplyPart {
    let status = report.status.map(|status: EnhancedCode| status.to_string());
    match &report.reply {
        Some(reply) => {
            let part = ReplyPart::from(reply);
            ReplyPart { enhanced: part.enhanced.or(status), ..part }
        }
        None => ReplyPart { code: None, enhanced: status, text: Some(report.diagnostic.clone()), lines: Vec::new() },
    }
}

/// What is no refusal: its texts stand under the key `what`.
fn told(knowledge: &Knowledge, what: &str, report: &RecipientReport) -> ExplanationPart {
    let texts = knowledge.shared_phrases::<BTreeMap<String, Told>>("told");
    let nothing = Told { title: String::new(), meaning: String::new(), actor: Actor::Nobody, fix: Vec::new() };
    let text = texts.get(what).cloned().unwrap_or(nothing);
    let unexplained = what == "unexplained";
    let part = ExplanationPart::told(said(report), text.title, text.meaning, text.actor, text.fix);
    let part = ExplanationPart {
        reason: if unexplained { Reason::Undetermined } else { Reason::Accepted },
        permanence: if unexplained { Permanence::Either } else { Permanence::Success },
        confidence: if unexplained { Confidence::Unsure } else { Confidence::Certain },
        standing: Standing::Standard,
        ..part
    };
    with_fields(part, report)
}
