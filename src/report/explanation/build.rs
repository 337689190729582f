//! From an input to what it means.

use serde::Deserialize;

use super::recipient::{of_notice, of_recipient};
use super::recording::{of_conversations, of_reports};
use super::{BasisName, CompanionPart, Explanation, ExplanationPart, InputKind, PlacePart, ReplyPart, Standing};
use crate::annotation::{Annotation, annotate_reading, permanence};
use crate::knowledge::{Actor, Basis, CodeStatus, Confidence, Entry, Fix, Heard, Knowledge, Permanence, Reason, Speaker};
use crate::reading::{EnhancedPattern, Input, Mentions, Topic};
use crate::smtp::{CodeClass, EnhancedCode, Reply, ReplyCode, Stage, Verb};

/// Explains `input`; its codes and replies as answers to `verb`, where that is known.
#[must_use]
pub fn explain(knowledge: &Knowledge, input: &Input, verb: Option<Verb>) -> Explanation {
    let (kind, explanations) = match input {
        Input::Conversations(conversations) => return of_conversations(knowledge, conversations),
        Input::Reports(saved) => return of_reports(knowledge, saved),
        Input::Topic(topic @ Topic::Code(_)) => (InputKind::Code, vec![explain_topic(knowledge, *topic, verb)]),
        Input::Topic(topic @ Topic::Enhanced(_)) => (InputKind::Enhanced, vec![explain_topic(knowledge, *topic, verb)]),
        Input::Mail(notice) => (InputKind::of(notice.kind), of_notice(knowledge, notice)),
        Input::LogLine(line) => (InputKind::LogLine, vec![of_recipient(knowledge, &line.report)]),
        Input::Replies(replies) => (InputKind::Reply, replies.iter().map(|reply| of_reply(knowledge, reply, verb)).collect()),
    };
    Explanation::new(kind, explanations)
}

/// Explains a code by itself; the one thing that two codes are compared by.
#[must_use]
pub fn explain_topic(knowledge: &Knowledge, topic: Topic, verb: Option<Verb>) -> ExplanationPart {
    match topic {
        Topic::Code(code) => of_code(knowledge, code, verb),
        Topic::Enhanced(pattern) => of_enhanced(knowledge, pattern, verb),
    }
}

fn of_code(knowledge: &Knowledge, code: ReplyCode, verb: Option<Verb>) -> ExplanationPart {
    let reply = ReplyPart { code: Some(code.number()), ..ReplyPart::default() };
    let Some(entry) = knowledge.code_entry(code) else { return nothing_known(knowledge, "no_code", reply, verb) };
    let meaning = entry.meaning(verb.map(Verb::as_str));
    let refused = matches!(code.class(), CodeClass::Transient | CodeClass::Permanent);
    ExplanationPart {
        says: Some(meaning.says),
        standing: standing(knowledge, code, &entry),
        places: if verb.is_none() { places_of_code(&entry) } else { Vec::new() },
        companions: companions(knowledge, &entry, None),
        answers: entry.commands.clone(),
        closes: entry.closes,
        references: merged(meaning.references, &entry.references),
        ..ExplanationPart::new(
            reply,
            verb,
            Basics {
                reason: meaning.reason,
                permanence: permanence(code),
                actor: meaning.actor,
                // A number alone is one of several explanations; a yes is a yes.
                confidence: if refused { Confidence::Unsure } else { Confidence::Certain },
                basis: BasisName::Code,
                title: meaning.title,
                meaning: meaning.meaning,
                when: meaning.when,
                fix: meaning.fix,
            },
        )
        .hard_by(knowledge)
    }
}

fn of_enhanced(knowledge: &Knowledge, pattern: EnhancedPattern, verb: Option<Verb>) -> ExplanationPart {
    let reply = ReplyPart { enhanced: Some(pattern.to_string()), ..ReplyPart::default() };
    let (subject, detail) = pattern.parts();
    let found = match pattern {
        EnhancedPattern::One(code) => knowledge.enhanced_entry(code),
        EnhancedPattern::AnyClass { .. } => knowledge.detail_entry(subject, detail),
    };
    let Some(entry) = found else { return nothing_known(knowledge, "no_subject", reply, verb) };
    let class = pattern.class().map(|class| class.to_string());
    let meaning = entry.meaning(class.as_deref());
    let registered = knowledge.knows_detail(subject, detail);
    let yes = pattern.class() == Some(2) || meaning.reason == Reason::Accepted;
    ExplanationPart {
        says: Some(meaning.says),
        standing: if registered { Standing::Standard } else { Standing::Unlisted },
        places: places_of_enhanced(&entry, pattern),
        companions: companions(knowledge, &entry, pattern.class()),
        references: merged(meaning.references, &entry.references),
        ..ExplanationPart::new(
            reply,
            verb,
            Basics {
                reason: meaning.reason,
                // A detail that occurs in one class alone needs no first digit.
                permanence: match pattern.class().or(sole(&entry.classes)) {
                    Some(2) => Permanence::Success,
                    Some(4) => Permanence::Temporary,
                    Some(_) => Permanence::Permanent,
                    None => Permanence::Either,
                },
                actor: meaning.actor,
                confidence: match (yes, meaning.reason) {
                    (true, _) => Confidence::Certain,
                    (false, Reason::Undetermined | Reason::PolicyRejected) => Confidence::Unsure,
                    (false, _) => Confidence::Likely,
                },
                basis: BasisName::Enhanced,
                title: meaning.title,
                meaning: meaning.meaning,
                when: meaning.when,
                fix: meaning.fix,
            },
        )
        .hard_by(knowledge)
    }
}

fn of_reply(knowledge: &Knowledge, reply: &Reply, verb: Option<Verb>) -> ExplanationPart {
    of_reply_from(knowledge, Speaker::default(), reply, verb)
}

/// Explains a reply of somebody of whom something may be known.
pub(super) fn of_reply_from(knowledge: &Knowledge, speaker: Speaker<'_>, reply: &Reply, verb: Option<Verb>) -> ExplanationPart {
    of_heard(knowledge, &knowledge.hear(speaker, reply), reply, verb)
}

/// Explains a reply that was looked at.
pub(super) fn of_heard(knowledge: &Knowledge, heard: &Heard<'_>, reply: &Reply, verb: Option<Verb>) -> ExplanationPart {
    let part = ReplyPart::from(reply);
    let Some(entry) = knowledge.code_entry(reply.code) else { return nothing_known(knowledge, "no_code", part, verb) };
    let annotation = annotate_reading(knowledge, verb, reply, heard.answering(verb));
    let basis = BasisName::from(&annotation.basis);
    let (words, provider) = annotation.said.as_ref().map(|said| (said.words.clone(), said.provider.clone())).unwrap_or_default();
    let places = if verb.is_none() { places_of_reply(knowledge, reply, heard, &entry, &annotation) } else { Vec::new() };
    // Texts of a reason by itself know of no occasion, and that of the number is another one's.
    let borrowed = basis == BasisName::Wording && annotation.meaning == knowledge.reason(annotation.reason).meaning;
    ExplanationPart {
        words: Some(words).filter(|words| !words.is_empty()),
        mentions: Mentions::in_text(part.text.as_deref().unwrap_or_default(), reply.code),
        provider,
        conflict: annotation.conflict,
        standing: standing(knowledge, reply.code, &entry),
        places,
        answers: entry.commands.clone(),
        closes: entry.closes,
        references: annotation.references,
        ..ExplanationPart::new(
            part,
            verb,
            Basics {
                reason: annotation.reason,
                permanence: annotation.permanence,
                actor: annotation.actor,
                confidence: annotation.confidence,
                basis,
                title: annotation.title,
                meaning: annotation.meaning,
                when: if borrowed { String::new() } else { annotation.when },
                fix: annotation.fix,
            },
        )
        .hard_by(knowledge)
    }
}

/// The fields that every explanation has.
struct Basics {
    reason: Reason,
    permanence: Permanence,
    actor: Actor,
    confidence: Confidence,
    basis: BasisName,
    title: String,
    meaning: String,
    when: String,
    fix: Vec<Fix>,
}

impl ExplanationPart {
    fn new(reply: ReplyPart, command: Option<Verb>, basics: Basics) -> Self {
        Self {
            recipient: None,
            original_recipient: None,
            reply,
            command,
            stage: command.map(Stage::of),
            reason: basics.reason,
            permanence: basics.permanence,
            hard: false,
            actor: basics.actor,
            confidence: basics.confidence,
            basis: basics.basis,
            words: None,
            provider: None,
            conflict: None,
            standing: Standing::Standard,
            title: basics.title,
            says: None,
            meaning: basics.meaning,
            when: basics.when,
            fix: basics.fix,
            answers: Vec::new(),
            closes: false,
            companions: Vec::new(),
            places: Vec::new(),
            action: None,
            remote_host: None,
            reporting_mta: None,
            queue_id: None,
            diagnostic: None,
            program: None,
            mentions: Mentions::default(),
            listings: Vec::new(),
            feedback_type: None,
            references: Vec::new(),
        }
    }

    /// An entry that says what is no refusal.
    pub(super) fn told(reply: ReplyPart, title: String, meaning: String, actor: Actor, fix: Vec<Fix>) -> Self {
        let (reason, permanence, confidence, basis) = (Reason::Accepted, Permanence::Success, Confidence::Certain, BasisName::Report);
        Self::new(reply, None, Basics { reason, permanence, actor, confidence, basis, title, meaning, when: String::new(), fix })
    }

    /// What will never work, unless the server itself says "not now".
    fn hard_by(mut self, knowledge: &Knowledge) -> Self {
        self.hard = self.permanence != Permanence::Temporary && knowledge.reason(self.reason).hard;
        self
    }
}

fn sole(classes: &[u8]) -> Option<u8> {
    if let [class] = classes { Some(*class) } else { None }
}

/// The texts for what is no code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoCode {
    title: String,
    says: String,
    meaning: String,
    when: String,
    fix: Vec<Fix>,
    references: Vec<String>,
}

fn nothing_known(knowledge: &Knowledge, phrases: &str, reply: ReplyPart, verb: Option<Verb>) -> ExplanationPart {
    let text: NoCode = knowledge.phrases(phrases);
    let basics = Basics {
        reason: Reason::Undetermined,
        permanence: Permanence::Either,
        actor: Actor::SenderAdmin,
        confidence: Confidence::Unsure,
        basis: if reply.code.is_some() { BasisName::Code } else { BasisName::Enhanced },
        title: text.title,
        meaning: text.meaning,
        when: text.when,
        fix: text.fix,
    };
    let part = ExplanationPart::new(reply, verb, basics);
    ExplanationPart { says: Some(text.says), standing: Standing::NoCode, references: text.references, ..part }
}

fn standing(knowledge: &Knowledge, code: ReplyCode, entry: &Entry) -> Standing {
    match entry.status {
        _ if !knowledge.knows_code(code) => Standing::Unlisted,
        CodeStatus::Standard => Standing::Standard,
        CodeStatus::RegistryOnly => Standing::RegistryOnly,
        CodeStatus::Experimental => Standing::Experimental,
        CodeStatus::Obsolete => Standing::Obsolete,
        CodeStatus::Nonstandard => Standing::Nonstandard,
    }
}

/// Every command for which the entry has something of its own to say, in the order of a session.
fn places_of_code(entry: &Entry) -> Vec<PlacePart> {
    let special = Verb::ALL.into_iter().filter(|verb| entry.at.contains_key(verb.as_str()));
    let places = special.map(|verb| place(entry, Some(verb), None));
    places.filter(|place| place.summary != sentence(&entry.says)).collect()
}

/// What each class says, where that differs and the class was not named.
fn places_of_enhanced(entry: &Entry, pattern: EnhancedPattern) -> Vec<PlacePart> {
    let classes = if pattern.class().is_none() { entry.classes.as_slice() } else { &[] };
    let places: Vec<PlacePart> = classes.iter().map(|class| place(entry, None, Some(*class))).collect();
    if places.iter().all(|place| place.summary == sentence(&entry.says)) { Vec::new() } else { places }
}

fn place(entry: &Entry, command: Option<Verb>, class: Option<u8>) -> PlacePart {
    let key = command.map(|verb| verb.as_str().to_owned()).or_else(|| class.map(|class| class.to_string()));
    let meaning = entry.meaning(key.as_deref());
    let refused = meaning.reason != Reason::Accepted;
    PlacePart {
        command,
        class,
        title: meaning.title,
        summary: sentence(&meaning.says),
        reason: meaning.reason,
        actor: meaning.actor,
        confidence: if refused { Confidence::Unsure } else { Confidence::Certain },
    }
}

/// What the reply would mean at each command, where that is something else than what it means by itself.
fn places_of_reply(knowledge: &Knowledge, reply: &Reply, heard: &Heard<'_>, entry: &Entry, general: &Annotation) -> Vec<PlacePart> {
    if general.basis == Basis::Code {
        return places_of_code(entry);
    }
    if general.confidence == Confidence::Certain {
        return Vec::new();
    }
    let possible = |verb: &Verb| entry.commands.iter().any(|command| command == "ANY" || command == verb.as_str());
    let differs = Verb::ALL.into_iter().filter(possible).filter(|verb| heard.reason(Some(*verb)) != general.reason);
    differs
        .map(|verb| {
            let annotation = annotate_reading(knowledge, Some(verb), reply, heard.answering(Some(verb)));
            PlacePart {
                command: Some(verb),
                class: None,
                summary: format!("{}.", annotation.title),
                title: annotation.title,
                reason: annotation.reason,
                actor: annotation.actor,
                confidence: annotation.confidence,
            }
        })
        .collect()
}

/// Codes of the other form that stand beside this one, in replies of a class.
fn companions(knowledge: &Knowledge, entry: &Entry, class: Option<u8>) -> Vec<CompanionPart> {
    let enhanced = entry.enhanced.iter().filter_map(|text| {
        let code: EnhancedCode = text.parse().ok()?;
        let title = knowledge.enhanced(code).filter(|_| knowledge.knows_enhanced(code)).map(|meaning| meaning.title);
        Some(CompanionPart { code: text.clone(), title })
    });
    let codes = entry.codes.iter().filter_map(|number| {
        let code = ReplyCode::new(*number).filter(|_| class.is_none_or(|class| number / 100 == u16::from(class)))?;
        Some(CompanionPart { code: code.to_string(), title: knowledge.code(code, None).map(|meaning| meaning.title) })
    });
    enhanced.chain(codes).collect()
}

/// The references of the place, then those of the code itself.
fn merged(mut own: Vec<String>, general: &[String]) -> Vec<String> {
    own.extend(general.iter().filter(|reference| !own.contains(reference)).cloned().collect::<Vec<_>>());
    own
}

/// A clause as a sentence.
pub(crate) fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).chain(['.']).collect())
}
