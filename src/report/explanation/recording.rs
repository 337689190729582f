//! A recorded conversation, explained as if it had been held now: each reply in its place, and the verdict.

use super::build::of_reply_from;
use super::{Explanation, ExplanationPart, InputKind};
use crate::diagnosis::{Case, diagnose, judge};
use crate::knowledge::{Knowledge, Speaker};
use crate::probe::{Facts, Recorded};
use crate::reading::{Conversation, SavedReport};
use crate::report::{Report, report};
use crate::smtp::Transcript;
use crate::target::Target;

/// Explains what was pasted.
pub(super) fn of_conversations(knowledge: &Knowledge, conversations: &[Conversation]) -> Explanation {
    explained(knowledge, InputKind::Transcript, vec![(None, None, conversations.to_vec())])
}

/// Explains saved reports again, with what is known now.
pub(super) fn of_reports(knowledge: &Knowledge, saved: &[SavedReport]) -> Explanation {
    let record = |saved: &SavedReport| (Some(saved.target.clone()), saved.started_at.clone(), saved.conversations.clone());
    explained(knowledge, InputKind::Report, saved.iter().map(record).collect())
}

fn explained(knowledge: &Knowledge, kind: InputKind, records: Vec<(Option<String>, Option<String>, Vec<Conversation>)>) -> Explanation {
    let mut explanations = Vec::new();
    let mut reports = Vec::new();
    for (target, started_at, conversations) in records {
        for conversation in &conversations {
            explanations.extend(replies(knowledge, conversation.host.as_deref(), &conversation.transcript));
        }
        reports.push(verdict(knowledge, target, started_at, &conversations));
    }
    Explanation { reports, ..Explanation::new(kind, explanations) }
}

/// Every reply, as the answer to what was said.
fn replies(knowledge: &Knowledge, host: Option<&str>, transcript: &Transcript) -> Vec<ExplanationPart> {
    let greeting = transcript.replies().next().map(|answer| answer.reply.text().to_lowercase());
    let speaker = Speaker { host, greeting: greeting.as_deref(), ..Speaker::default() };
    transcript.replies().map(|answer| of_reply_from(knowledge, speaker, answer.reply, Some(answer.verb))).collect()
}

/// The report that a probe would have given of what was asked for.
fn verdict(knowledge: &Knowledge, target: Option<String>, started_at: Option<String>, conversations: &[Conversation]) -> Report {
    let asked = conversations.iter().filter(|conversation| conversation.asked);
    let recorded = |conversation: &Conversation| Recorded {
        host: conversation.host.clone(),
        peer: conversation.peer,
        transcript: conversation.transcript.clone(),
    };
    let parsed = target.as_deref().and_then(|target| target.parse::<Target>().ok());
    let facts = Facts::recorded(parsed, asked.map(recorded).collect());
    let case = Case::new(&facts, knowledge);
    let input = target.unwrap_or_else(|| match &facts.target {
        Target::Mailbox(mailbox) => mailbox.to_string(),
        Target::Domain(domain) => domain.to_string(),
        Target::Host { host, .. } => host.to_string(),
    });
    let report = report(&input, &case, &diagnose(&case), &judge(&case));
    Report { started_at: started_at.unwrap_or_default(), ..report }
}
