//! Each reply joined with what is known of it: the meaning that it has in its place.
//!
//! The same code says different things as an answer to different commands, and the words beside it beat the number. Which of
//! the knowledge's texts is shown follows from what decided: so title, meaning, fix and reason never contradict each other.

use crate::knowledge::{Actor, Basis, Confidence, Fix, Knowledge, Meaning, Permanence, Reading, Reason, Said, Speaker};
use crate::smtp::{Answer, CodeClass, Purpose, Reply, ReplyCode, Transcript, Verb};

/// What a reply means here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Why the server answered so.
    pub reason: Reason,
    /// How sure that is.
    pub confidence: Confidence,
    /// What decided.
    pub basis: Basis,
    /// What the numbers would have said, where the words say something else.
    pub conflict: Option<Reason>,
    /// Whether a queue retries: the class of the code decides, whatever the cause.
    pub permanence: Permanence,
    /// A few words.
    pub title: String,
    /// What it means.
    pub meaning: String,
    /// When one sees it.
    pub when: String,
    /// What to do.
    pub fix: Vec<Fix>,
    /// Who acts first.
    pub actor: Actor,
    /// RFC and section, or URL.
    pub references: Vec<String>,
    /// The words that decided, and whose way of speaking it is; none if no words did.
    pub said: Option<Said>,
}

/// Explains `reply` as an answer to `verb`; without a verb, as far as it explains itself.
#[must_use]
pub fn annotate(knowledge: &Knowledge, verb: Option<Verb>, reply: &Reply) -> Annotation {
    annotate_from(knowledge, Speaker::default(), verb, reply)
}

/// The same, from somebody of whom something is known.
#[must_use]
pub fn annotate_from(knowledge: &Knowledge, speaker: Speaker<'_>, verb: Option<Verb>, reply: &Reply) -> Annotation {
    annotate_reading(knowledge, verb, reply, knowledge.hear(speaker, reply).answering(verb))
}

/// The same, where it is known what the reply says.
#[must_use]
pub fn annotate_reading(knowledge: &Knowledge, verb: Option<Verb>, reply: &Reply, reading: Reading) -> Annotation {
    let meaning = meaning(knowledge, verb, reply, &reading);
    Annotation {
        reason: reading.reason,
        confidence: reading.confidence,
        basis: reading.basis,
        conflict: reading.conflict,
        permanence: permanence_of(reply.code, verb, reading.reason),
        title: meaning.title,
        meaning: meaning.meaning,
        when: meaning.when,
        fix: meaning.fix,
        actor: meaning.actor,
        references: meaning.references,
        said: reading.said,
    }
}

/// Whether a sender's queue retries after `code` (RFC 5321 §4.2.1).
#[must_use]
pub fn permanence(code: ReplyCode) -> Permanence {
    match code.class() {
        CodeClass::Success | CodeClass::Intermediate => Permanence::Success,
        CodeClass::Transient => Permanence::Temporary,
        CodeClass::Permanent => Permanence::Permanent,
        CodeClass::Unknown => Permanence::Either,
    }
}

/// The same, but for a 552 that counts recipients: clients are told to take it for a 452 (RFC 5321 §4.5.3.1.10).
fn permanence_of(code: ReplyCode, verb: Option<Verb>, reason: Reason) -> Permanence {
    let at_recipient = verb.is_none_or(|verb| verb == Verb::Rcpt);
    if code.number() == 552 && reason == Reason::TooManyRecipients && at_recipient { Permanence::Temporary } else { permanence(code) }
}

/// The texts that belong to what decided: the code in its place, the enhanced code, or the reason that the words gave.
fn meaning(knowledge: &Knowledge, verb: Option<Verb>, reply: &Reply, reading: &Reading) -> Meaning {
    let by_code = knowledge.code(reply.code, verb);
    let by_enhanced = || reply.enhanced.filter(|e| knowledge.knows_enhanced(*e)).and_then(|e| knowledge.enhanced(e));
    let fits = |meaning: &Meaning| meaning.reason == reading.reason;
    let found = match reading.basis {
        // A yes is explained by the command that it answers, and most of all by nothing else.
        Basis::Code => by_code.filter(fits).or_else(by_enhanced),
        Basis::Enhanced => by_enhanced().filter(|_| reading.said.is_none()),
        Basis::Wording(_) => by_enhanced().filter(fits).or_else(|| by_code.filter(|meaning| fits(meaning) && meaning.special)),
    };
    let closer = reading.said.as_ref().filter(|said| found.is_none() || !said.is_generic);
    if let Some((said, cause)) = closer.and_then(|said| Some((said, said.cause.clone()?))) {
        // The occasion of a number that means something else is another's.
        let number = || knowledge.code(reply.code, verb).map(|meaning| Meaning { when: String::new(), ..meaning });
        return in_their_terms(knowledge, reading.reason, found.or_else(number), said, cause);
    }
    found.unwrap_or_else(|| {
        let text = knowledge.reason(reading.reason);
        let code = knowledge.code(reply.code, verb);
        Meaning {
            title: text.title.clone(),
            says: String::new(),
            meaning: text.meaning.clone(),
            when: code.as_ref().map(|c| c.when.clone()).unwrap_or_default(),
            reason: reading.reason,
            actor: text.actor,
            fix: text.fix.clone(),
            references: code.map(|c| c.references).unwrap_or_default(),
            special: true,
        }
    })
}

/// What those say of it who speak so: their cause and their advice before that for everybody.
fn in_their_terms(knowledge: &Knowledge, reason: Reason, by_number: Option<Meaning>, said: &Said, cause: String) -> Meaning {
    let text = knowledge.reason(reason);
    let actor = said.actor.unwrap_or(text.actor);
    let first = said.fix.clone().map(|text| Fix { actor, text });
    // Whoever acts first has been told what to do.
    let others = text.fix.iter().filter(|fix| first.is_none() || fix.actor != actor);
    let (when, mut references) = by_number.map(|meaning| (meaning.when, meaning.references)).unwrap_or_default();
    let links = said.source.split_whitespace().map(|word| word.trim_end_matches(','));
    references.extend(links.filter(|word| word.starts_with("https://")).map(str::to_owned));
    Meaning {
        title: said.title.clone().unwrap_or_else(|| text.title.clone()),
        says: String::new(),
        meaning: cause,
        when,
        reason,
        actor,
        fix: first.iter().chain(others).cloned().collect(),
        references,
        special: true,
    }
}

/// All replies of a session with `host`, explained; each with the index of its event.
#[must_use]
pub fn annotate_all(knowledge: &Knowledge, host: Option<&str>, transcript: &Transcript) -> Vec<(usize, Annotation)> {
    let greeting = transcript.reply_to(Verb::Connect, Purpose::Target).map(|answer| answer.reply.text());
    let speaker = Speaker { host, greeting: greeting.as_deref(), ..Speaker::default() };
    transcript.replies().map(|Answer { event, verb, reply, .. }| (event, annotate_from(knowledge, speaker, Some(verb), reply))).collect()
}
