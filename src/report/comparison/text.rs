//! A comparison for people: two columns where there is room, else one code below the other.

use std::collections::BTreeMap;

use anstyle::Style;
use serde::Deserialize;
use unicode_width::UnicodeWidthStr;

use super::{Comparison, DifferenceId};
use crate::diagnosis::fill;
use crate::knowledge::Knowledge;
use crate::report::explanation::{ExplanationPart, InputKind, Sheet, answer_kind, queue_words, sentence};
use crate::report::page::{BOLD, Look, PLAIN, Page, SOFT, name_in, to_do};
use crate::report::safe;

/// From this width on, two columns stand side by side.
const TWO_COLUMNS: usize = 60;
/// Between the columns.
const GAP: usize = 2;
/// So many things to do are told of each code; `explain` tells all.
const FIXES: usize = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrases {
    meaning: String,
    for_good: String,
    answers: String,
    when: String,
    queue: String,
    who: String,
    #[serde(rename = "do")]
    act: String,
    closes: String,
    in_replies: String,
    in_reports: String,
    difference: String,
}

/// Draws a comparison.
#[must_use]
pub fn render(comparison: &Comparison, knowledge: &Knowledge, look: Look) -> String {
    View::new(knowledge).render(comparison, look)
}

/// The difference that matters in one line.
#[must_use]
pub fn headline(comparison: &Comparison) -> String {
    let text = comparison.differences.first().map(|difference| difference.text.clone()).unwrap_or_default();
    safe(&text) + "\n"
}

/// A page with two columns, and the words to fill it.
pub(super) struct View<'a> {
    knowledge: &'a Knowledge,
    phrases: Phrases,
    names: BTreeMap<String, String>,
    actors: BTreeMap<String, String>,
    actors_short: BTreeMap<String, String>,
    for_good: BTreeMap<String, String>,
    queue: BTreeMap<String, String>,
}

/// A row of the table: its label, and the paragraphs of one code.
type Row = (String, Vec<String>);

impl<'a> View<'a> {
    pub(super) fn new(knowledge: &'a Knowledge) -> Self {
        Self {
            knowledge,
            phrases: knowledge.phrases("comparison"),
            names: knowledge.phrases("answers"),
            actors: knowledge.phrases("actor"),
            actors_short: knowledge.phrases("actor_short"),
            for_good: knowledge.phrases("for_good"),
            queue: knowledge.phrases("queue"),
        }
    }

    pub(super) fn render(&self, comparison: &Comparison, look: Look) -> String {
        let [a, b] = &comparison.explanations;
        let mut page = if a.reply == b.reply {
            let mut sheet = Sheet::new(self.knowledge, look);
            sheet.part(a, if a.reply.code.is_some() { InputKind::Code } else { InputKind::Enhanced });
            sheet.page
        } else {
            let mut page = Page::new(look);
            if page.width >= TWO_COLUMNS {
                self.beside(&mut page, a, b);
            } else {
                self.below(&mut page, a, b);
            }
            page
        };
        page.gap();
        self.differences(&mut page, comparison);
        page.text
    }

    fn beside(&self, page: &mut Page, a: &ExplanationPart, b: &ExplanationPart) {
        let (of_a, of_b) = (self.rows(a), self.rows(b));
        let labels = of_a.iter().map(|(label, _)| label.width()).max().unwrap_or(0) + GAP;
        let column = page.width.saturating_sub(labels + GAP) / 2;
        let mut row = |style: Style, label: &str, a: &[String], b: &[String]| {
            let (a, b) = (wrapped(a, column), wrapped(b, column));
            for line in 0..a.len().max(b.len()) {
                let cell = |cell: &[String]| cell.get(line).cloned().unwrap_or_default();
                let (left, right) = (cell(&a), cell(&b));
                let label = if line == 0 { label } else { "" };
                let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(text.width()));
                let whole = format!("{label}{}{left}{}{right}", pad(label, labels), pad(&left, column + GAP));
                page.line(style, whole.trim_end());
            }
        };
        row(BOLD, "", &[head(a)], &[head(b)]);
        for ((label, a), (_, b)) in of_a.iter().zip(&of_b) {
            row(PLAIN, label, a, b);
        }
    }

    fn below(&self, page: &mut Page, a: &ExplanationPart, b: &ExplanationPart) {
        for (index, part) in [a, b].into_iter().enumerate() {
            if index > 0 {
                page.gap();
            }
            page.paragraph(BOLD, "", "  ", &head(part));
            for (label, paragraphs) in self.rows(part) {
                page.paragraph(SOFT, "  ", "  ", &label);
                for paragraph in paragraphs {
                    page.paragraph(PLAIN, "    ", "    ", &paragraph);
                }
            }
        }
    }

    fn rows(&self, part: &ExplanationPart) -> Vec<Row> {
        let phrases = &self.phrases;
        let good = self.for_good.get(answer_kind(part)).cloned().unwrap_or_default();
        vec![
            (phrases.meaning.clone(), vec![part.meaning.clone()]),
            (phrases.for_good.clone(), vec![good]),
            (phrases.answers.clone(), vec![self.answers(part)]),
            (phrases.when.clone(), vec![part.when.clone()]),
            (phrases.queue.clone(), vec![sentence(&queue_words(&self.queue, part))]),
            (phrases.who.clone(), vec![sentence(&name_in(&self.actors, part.actor))]),
            (phrases.act.clone(), self.fixes(part)),
        ]
    }

    /// What a reply code answers, or what an enhanced code stands in.
    fn answers(&self, part: &ExplanationPart) -> String {
        let names: Vec<String> = part.answers.iter().map(|verb| self.names.get(verb).cloned().unwrap_or_default()).collect();
        let companions: Vec<String> = part.companions.iter().map(|companion| companion.code.clone()).collect();
        let text = match (part.reply.code, names.is_empty(), companions.is_empty()) {
            (Some(_), ..) => names.join(", "),
            (None, _, false) => fill(&self.phrases.in_replies, |_| Some(companions.join(", "))),
            (None, _, true) => self.phrases.in_reports.clone(),
        };
        let closes = if part.closes { format!("{} ", self.phrases.closes) } else { String::new() };
        let text = if text.is_empty() { "-".to_owned() } else { sentence(&text) };
        format!("{text} {closes}").trim_end().to_owned()
    }

    fn fixes(&self, part: &ExplanationPart) -> Vec<String> {
        part.fix.iter().take(FIXES).map(|fix| to_do(&self.actors_short, fix)).collect()
    }

    /// The one that matters, then the others as one paragraph.
    fn differences(&self, page: &mut Page, comparison: &Comparison) {
        let (first, rest): (Vec<_>, Vec<_>) = comparison.differences.iter().partition(|part| part.id == DifferenceId::Decision);
        for decision in first {
            page.paragraph(BOLD, "", "", &format!("{} {}", self.phrases.difference, decision.text));
        }
        let rest: Vec<&str> = rest.iter().map(|difference| difference.text.as_str()).collect();
        if !rest.is_empty() {
            page.gap();
            page.paragraph(PLAIN, "", "", &rest.join(" "));
        }
    }
}

fn head(part: &ExplanationPart) -> String {
    format!("{}  {}", part.reply.name(), part.title)
}

/// The lines of a cell; where it has several paragraphs, their further lines are indented.
fn wrapped(paragraphs: &[String], width: usize) -> Vec<String> {
    let indent = if paragraphs.len() > 1 { "  " } else { "" };
    let options = textwrap::Options::new(width).subsequent_indent(indent);
    let lines = |paragraph: &String| {
        let text = safe(paragraph);
        textwrap::wrap(&text, &options).into_iter().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
    };
    paragraphs.iter().flat_map(lines).collect()
}
