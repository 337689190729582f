//! How two codes stand to each other: which of the sentences that tell codes apart fits them.

use std::sync::Arc;

use crate::knowledge::{Entry, Knowledge};
use crate::reading::{EnhancedPattern, Topic};
use crate::report::explanation::{ExplanationPart, Standing, answer_kind, explain_topic};
use crate::smtp::{EnhancedCode, ReplyCode};

/// One of the two codes, and what is known of it.
pub(super) struct Side {
    pub(super) topic: Topic,
    pub(super) part: ExplanationPart,
    pub(super) entry: Option<Arc<Entry>>,
}

impl Side {
    pub(super) fn new(knowledge: &Knowledge, topic: Topic) -> Self {
        let entry = match topic {
            Topic::Code(code) => knowledge.code_entry(code),
            Topic::Enhanced(EnhancedPattern::One(code)) => knowledge.enhanced_entry(code),
            Topic::Enhanced(EnhancedPattern::AnyClass { subject, detail }) => knowledge.detail_entry(subject, detail),
        };
        Self { topic, part: explain_topic(knowledge, topic, None), entry }
    }

    /// `yes`, `go`, `later`, `no`, `open` or `none`.
    pub(super) fn kind(&self) -> &'static str {
        answer_kind(&self.part)
    }

    /// The key of the matter that a standard code is about: its second digit, or its subject.
    pub(super) fn matter(&self) -> Option<String> {
        match self.topic {
            Topic::Code(code) if self.part.standing == Standing::Standard => Some(format!("xy{}", code.number() / 10 % 10)),
            Topic::Code(_) => None,
            Topic::Enhanced(pattern) => Some(format!("x{}", pattern.parts().0)),
        }
    }
}

/// The key of the sentence that tells two codes apart, and the codes in the order in which it speaks of them.
pub(super) fn relation<'a>(a: &'a Side, b: &'a Side, sisters: &[[String; 2]]) -> (String, &'a Side, &'a Side) {
    use Topic::{Code, Enhanced};
    let key = |key: &str, a, b| (key.to_owned(), a, b);
    if a.topic == b.topic {
        return key(if a.part.places.is_empty() { "same" } else { "same_with_places" }, a, b);
    }
    match (a.kind() == "none", b.kind() == "none") {
        (true, true) => return key("none_both", a, b),
        (true, false) => return key("none", b, a),
        (false, true) => return key("none", a, b),
        (false, false) => {}
    }
    match (a.topic, b.topic) {
        (Code(code), Enhanced(pattern)) => key(beside(code, a, pattern, b), a, b),
        (Enhanced(pattern), Code(code)) => key(beside(code, b, pattern, a), b, a),
        (Enhanced(one), Enhanced(other)) if one.parts() == other.parts() && a.part.standing == Standing::Standard => {
            // The same detail in two classes, or in one and in all.
            match (one.class(), other.class()) {
                (None, _) => (format!("form_{}", b.kind()), a, b),
                (_, None) => (format!("form_{}", a.kind()), b, a),
                (Some(4), Some(5)) => key(sisters_key(a, b), a, b),
                (Some(5), Some(4)) => key(sisters_key(b, a), b, a),
                _ => by_kind(a, b),
            }
        }
        _ if are_sisters(a, b, sisters) => key(sisters_key(a, b), a, b),
        _ if are_sisters(b, a, sisters) => key(sisters_key(b, a), b, a),
        _ => by_kind(a, b),
    }
}

fn are_sisters(now: &Side, good: &Side, sisters: &[[String; 2]]) -> bool {
    let names = [now.topic.to_string(), good.topic.to_string()];
    sisters.contains(&names)
}

fn sisters_key(now: &Side, good: &Side) -> &'static str {
    if now.part.says == good.part.says { "sisters_alike" } else { "sisters" }
}

/// A reply code and an enhanced code, which can stand in one reply.
fn beside(code: ReplyCode, number: &Side, pattern: EnhancedPattern, enhanced: &Side) -> &'static str {
    let class = u8::try_from(code.number() / 100).unwrap_or_default();
    let (subject, detail) = pattern.parts();
    let same = EnhancedCode { class, subject, detail }.to_string();
    let named = number.entry.as_ref().is_some_and(|entry| entry.enhanced.contains(&same))
        || enhanced.entry.as_ref().is_some_and(|entry| entry.codes.contains(&code.number()));
    let possible = enhanced.entry.as_ref().is_none_or(|entry| entry.classes.is_empty() || entry.classes.contains(&class));
    match pattern.class() {
        _ if class == 3 => "beside_never",
        Some(digit) if digit != class => "beside_contradiction",
        None if !possible => "beside_foreign",
        None if named => "beside_named_open",
        Some(2) if named => "beside_named_yes",
        Some(_) if named => "beside_named",
        _ => "beside",
    }
}

/// Two codes of one form: by what kind of answer they are, then by the matter that they are about.
fn by_kind<'a>(a: &'a Side, b: &'a Side) -> (String, &'a Side, &'a Side) {
    const ORDER: [&str; 5] = ["yes", "go", "later", "no", "open"];
    let unlisted = |side: &Side| side.part.standing == Standing::Unlisted;
    match (unlisted(a), unlisted(b)) {
        (true, true) if a.part.says == b.part.says => return ("unlisted_both".to_owned(), a, b),
        (false, true) => return ("unlisted".to_owned(), a, b),
        (true, false) => return ("unlisted".to_owned(), b, a),
        _ => {}
    }
    let place = |side: &Side| ORDER.iter().position(|kind| *kind == side.kind()).unwrap_or(ORDER.len());
    let (first, second) = if place(b) < place(a) { (b, a) } else { (a, b) };
    if first.kind() != second.kind() {
        return (format!("{}_{}", first.kind(), second.kind()), first, second);
    }
    let matters = (a.matter(), b.matter());
    let apart = matches!(&matters, (Some(a), Some(b)) if a != b);
    (format!("both_{}{}", a.kind(), if apart { "_matters" } else { "" }), a, b)
}
