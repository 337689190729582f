//! From two codes to what sets them apart.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::relation::{Side, relation};
use super::{Comparison, DifferenceId, DifferencePart, SCHEMA};
use crate::diagnosis::fill;
use crate::knowledge::Knowledge;
use crate::reading::Topic;
use crate::report::explanation::{Standing, queue_words, standing_note};
use crate::report::page::name_in;
use crate::smtp::Verb;

/// A sentence names at most this many commands; the first ones of a session are told.
const NAMED: usize = 8;

/// The sentences that do not depend on what the codes decide.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrases {
    queue: String,
    actor: String,
    closes: String,
    same_places: String,
    no_common_place: String,
    any_place: String,
    either_place: String,
    both_only: String,
    one_only: String,
    list: String,
    others: String,
}

/// Compares two codes.
#[must_use]
pub fn compare(knowledge: &Knowledge, a: Topic, b: Topic) -> Comparison {
    Comparer::new(knowledge).compare(&Side::new(knowledge, a), &Side::new(knowledge, b))
}

/// The sentences that tell codes apart.
pub(super) struct Comparer {
    phrases: Phrases,
    /// By how two codes stand to each other.
    sentences: BTreeMap<String, String>,
    /// Written for a pair.
    pairs: BTreeMap<String, String>,
    sisters: Vec<[String; 2]>,
    matters: BTreeMap<String, String>,
    queue: BTreeMap<String, String>,
    acts: BTreeMap<String, String>,
    names: BTreeMap<String, String>,
    standing: BTreeMap<String, String>,
}

impl Comparer {
    pub(super) fn new(knowledge: &Knowledge) -> Self {
        let sisters: BTreeMap<String, Vec<[String; 2]>> = knowledge.phrases("sisters");
        Self {
            phrases: knowledge.phrases("difference"),
            sentences: knowledge.phrases("compare"),
            pairs: knowledge.phrases("compare_pairs"),
            sisters: sisters.into_values().flatten().collect(),
            matters: knowledge.phrases("matter"),
            queue: knowledge.phrases("queue"),
            acts: knowledge.phrases("actor_acts"),
            names: knowledge.phrases("answers"),
            standing: knowledge.phrases("standing"),
        }
    }

    pub(super) fn compare(&self, a: &Side, b: &Side) -> Comparison {
        let (relation, first, second) = relation(a, b, &self.sisters);
        let differences = Differences { sentences: self, relation, a: first, b: second }.all();
        Comparison { schema: SCHEMA.to_owned(), explanations: [a.part.clone(), b.part.clone()], differences }
    }
}

/// Two codes that are to be told apart.
struct Differences<'a> {
    sentences: &'a Comparer,
    /// How they stand to each other.
    relation: String,
    /// The one that the sentences speak of first.
    a: &'a Side,
    b: &'a Side,
}

impl Differences<'_> {
    fn all(&self) -> Vec<DifferencePart> {
        let decision = (DifferenceId::Decision, Some(self.decision()));
        if self.a.topic == self.b.topic {
            return collect([decision]);
        }
        collect([
            decision,
            (DifferenceId::Queue, self.queue()),
            (DifferenceId::Actor, self.actor()),
            (DifferenceId::Place, self.place()),
            (DifferenceId::Connection, self.connection()),
            (DifferenceId::Standing, self.standing()),
        ])
    }

    /// The difference that matters: written for the pair, or a sentence that fits how they stand to each other.
    fn decision(&self) -> String {
        let (a, b) = (self.a.topic.to_string(), self.b.topic.to_string());
        let pairs = &self.sentences.pairs;
        if let Some(text) = pairs.get(&format!("{a} {b}")).or_else(|| pairs.get(&format!("{b} {a}"))) {
            return text.clone();
        }
        let matter = |side: &Side| side.matter().and_then(|key| self.sentences.matters.get(&key).cloned());
        let known = matter(self.a).is_some() && matter(self.b).is_some();
        let key = if known { self.relation.as_str() } else { self.relation.trim_end_matches("_matters") };
        fill(self.sentences.sentences.get(key).map_or("", String::as_str), |slot| match slot {
            "a" => Some(self.a.topic.to_string()),
            "b" => Some(self.b.topic.to_string()),
            "says_a" => self.a.part.says.clone(),
            "says_b" => self.b.part.says.clone(),
            "matter_a" => matter(self.a),
            "matter_b" => matter(self.b),
            _ => None,
        })
    }

    fn two(&self, template: &str, of: impl Fn(&Side) -> String) -> Option<String> {
        let (a, b) = (of(self.a), of(self.b));
        (a != b).then(|| self.fill(template, &a, &b))
    }

    /// Fills in the names of both codes, and a word or clause for each.
    fn fill(&self, template: &str, of_a: &str, of_b: &str) -> String {
        fill(template, |slot| match slot {
            "a" => Some(self.a.topic.to_string()),
            "b" => Some(self.b.topic.to_string()),
            "of_a" => Some(of_a.to_owned()),
            "of_b" => Some(of_b.to_owned()),
            _ => None,
        })
    }

    /// Of a reply code and an enhanced code in one reply, the reply code alone decides.
    fn queue(&self) -> Option<String> {
        if matches!((self.a.topic, self.b.topic), (Topic::Code(_), Topic::Enhanced(_))) {
            return None;
        }
        self.two(&self.sentences.phrases.queue, |side| queue_words(&self.sentences.queue, &side.part))
    }

    fn actor(&self) -> Option<String> {
        self.two(&self.sentences.phrases.actor, |side| name_in(&self.sentences.acts, side.part.actor))
    }

    fn connection(&self) -> Option<String> {
        let (a, b) = (commands(self.a)?, commands(self.b)?);
        let closing = match (self.a.part.closes, self.b.part.closes) {
            (true, false) if !a.is_empty() => self.a,
            (false, true) if !b.is_empty() => self.b,
            _ => return None,
        };
        Some(fill(&self.sentences.phrases.closes, |_| Some(closing.topic.to_string())))
    }

    /// What no standard defines, if that tells them apart. Of codes that are listed nowhere the decision speaks.
    fn standing(&self) -> Option<String> {
        if self.a.part.standing == self.b.part.standing {
            return None;
        }
        let note = |side: &Side| {
            Some(&side.part).filter(|p| p.standing != Standing::Unlisted).and_then(|p| standing_note(&self.sentences.standing, p))
        };
        let notes: Vec<String> = [note(self.a), note(self.b)].into_iter().flatten().collect();
        (!notes.is_empty()).then(|| notes.join(" "))
    }

    /// Which commands they answer: where one meets only this one, only that one, or either.
    fn place(&self) -> Option<String> {
        let (a, b) = (commands(self.a)?, commands(self.b)?);
        let common: Vec<Verb> = a.iter().copied().filter(|verb| b.contains(verb)).collect();
        let only = |these: &[Verb]| these.iter().copied().filter(|verb| !common.contains(verb)).collect::<Vec<_>>();
        let (only_a, only_b) = (only(&a), only(&b));
        if self.relation.starts_with("unlisted") {
            return None;
        }
        let phrases = &self.sentences.phrases;
        let name = |side: &Side| side.topic.to_string();
        Some(match (takes_all(self.a), takes_all(self.b)) {
            (true, true) => return None,
            (true, false) => any(&phrases.any_place, &name(self.a), &name(self.b), &self.list(&b)),
            (false, true) => any(&phrases.any_place, &name(self.b), &name(self.a), &self.list(&a)),
            _ if common.is_empty() => self.fill(&phrases.no_common_place, &self.list(&a), &self.list(&b)),
            _ if only_a.is_empty() && only_b.is_empty() => fill(&phrases.same_places, |_| Some(self.list(&a))),
            _ => {
                let either = fill(&phrases.either_place, |_| Some(self.list(&common)));
                let alone = |side: &Side, verbs: &[Verb]| any(&phrases.one_only, &name(side), "", &self.list(verbs));
                let rest = match (only_a.is_empty(), only_b.is_empty()) {
                    (false, false) => self.fill(&phrases.both_only, &self.list(&only_a), &self.list(&only_b)),
                    (false, true) => alone(self.a, &only_a),
                    _ => alone(self.b, &only_b),
                };
                format!("{either} {rest}")
            }
        })
    }

    /// `MAIL FROM, RCPT TO or DATA`.
    fn list(&self, verbs: &[Verb]) -> String {
        let mut names: Vec<String> =
            verbs.iter().map(|verb| self.sentences.names.get(verb.as_str()).cloned().unwrap_or_default()).collect();
        if names.len() > NAMED {
            names.truncate(NAMED - 1);
            names.push(self.sentences.phrases.others.clone());
        }
        let Some(last) = names.pop() else { return String::new() };
        if names.is_empty() {
            return last;
        }
        fill(&self.sentences.phrases.list, |slot| Some(if slot == "last" { last.clone() } else { names.join(", ") }))
    }
}

/// The commands that a reply code can answer, in the order of a session, with HELO as EHLO and every end of a message as the
/// final dot; none at all for what is no reply code.
fn commands(side: &Side) -> Option<Vec<Verb>> {
    let (Topic::Code(_), Some(entry)) = (side.topic, &side.entry) else { return None };
    let answers = |verb: &Verb| entry.commands.iter().any(|command| command == "ANY" || command == verb.as_str());
    let told = |verb: Verb| match verb {
        Verb::Helo => Verb::Ehlo,
        Verb::Bdat | Verb::Burl | Verb::LmtpData => Verb::DataEnd,
        verb => verb,
    };
    let verbs: BTreeSet<Verb> = Verb::ALL.into_iter().filter(answers).map(told).collect();
    Some(verbs.into_iter().collect())
}

fn takes_all(side: &Side) -> bool {
    side.entry.as_ref().is_some_and(|entry| entry.commands.iter().any(|command| command == "ANY"))
}

fn any(template: &str, a: &str, b: &str, list: &str) -> String {
    fill(template, |slot| {
        Some(match slot {
            "a" => a.to_owned(),
            "b" => b.to_owned(),
            _ => list.to_owned(),
        })
    })
}

fn collect<const N: usize>(differences: [(DifferenceId, Option<String>); N]) -> Vec<DifferencePart> {
    let there = differences.into_iter().filter_map(|(id, text)| Some(DifferencePart { id, text: text? }));
    there.collect()
}
