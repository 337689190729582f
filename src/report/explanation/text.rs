//! An explanation for people, on a terminal's width.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde::Deserialize;

use super::excerpt::excerpt;
use super::{BasisName, CompanionPart, Explanation, ExplanationPart, InputKind, PlacePart, ReplyPart, Standing};
use crate::diagnosis::{fill, seconds};
use crate::knowledge::{Confidence, Fix, Knowledge, Permanence, Reason};
use crate::reading::Action;
use crate::reading::Mentions;
use crate::report::page::{BOLD, Look, ODD, PLAIN, Page, SOFT, name_in, to_do};
use crate::report::safe;
use crate::smtp::{EnhancedCode, Verb};

/// Where the text begins, right of the labels.
const INDENT: &str = "          ";
/// Where the text of a place begins.
const PLACE_INDENT: &str = "             ";
/// A reply is quoted with at most this many lines, each of at most so many characters, unless everything is to be unfolded.
const QUOTED_LINES: usize = 6;
const QUOTED_LINE: usize = 400;
/// So many characters of an input tell which one it is.
const QUOTED: usize = 60;
/// So many places are shown even if some of them are rarely met.
const FEW_PLACES: usize = 4;
/// The commands of every session; what else can be answered is shown when everything is unfolded.
const COMMON: [Verb; 9] =
    [Verb::Connect, Verb::Ehlo, Verb::StartTls, Verb::Auth, Verb::Mail, Verb::Rcpt, Verb::Data, Verb::DataEnd, Verb::Quit];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrases {
    means: String,
    when: String,
    queue: String,
    queue_sentence: String,
    why: String,
    who: String,
    #[serde(rename = "do")]
    act: String,
    note: String,
    with: String,
    sources: String,
    section_and: String,
    as_answer: String,
    at_commands: String,
    at_classes: String,
    at_if: String,
    more_places: String,
    words: String,
    words_agree: String,
    words_conflict: String,
    enhanced: String,
    enhanced_alone: String,
    enhanced_with_number: String,
    number: String,
    number_in_place: String,
    yes: String,
    go: String,
    contradiction: String,
    sure: String,
    to: String,
    sent_to: String,
    host: String,
    said: String,
    quote: String,
    #[serde(rename = "names")]
    names_label: String,
    listed: String,
    list: String,
    limit: String,
    wait: String,
    new_address: String,
    queued: String,
    read: String,
    asked: String,
}

/// Draws an explanation.
#[must_use]
pub fn render(explanation: &Explanation, knowledge: &Knowledge, look: Look) -> String {
    let mut sheet = Sheet::new(knowledge, look);
    sheet.head(explanation);
    if !explanation.reports.is_empty() {
        let all = explanation.reports.iter().map(|report| crate::report::render(report, knowledge, look));
        return sheet.page.text + &all.collect::<Vec<_>>().join("\n");
    }
    for (index, part) in explanation.explanations.iter().enumerate() {
        if index > 0 {
            sheet.page.gap();
        }
        sheet.part(part, explanation.kind);
    }
    sheet.page.text
}

/// Each code, reply or recipient in one line.
#[must_use]
pub fn headline(explanation: &Explanation, knowledge: &Knowledge) -> String {
    let actors: BTreeMap<String, String> = knowledge.phrases("actor");
    if !explanation.reports.is_empty() {
        return explanation.reports.iter().map(|report| crate::report::headline(report, knowledge)).collect();
    }
    if explanation.explanations.is_empty() {
        return nothing(explanation, knowledge) + "\n";
    }
    let line = |part: &ExplanationPart| {
        let recipient = part.recipient.as_ref().map(|recipient| format!("{recipient}  ")).unwrap_or_default();
        let enhanced = part.reply.enhanced.as_ref().filter(|_| part.reply.code.is_some());
        let code = part.reply.name() + &enhanced.map(|enhanced| format!(" {enhanced}")).unwrap_or_default();
        let gap = if code.is_empty() { "" } else { "  " };
        safe(&format!("{recipient}{code}{gap}{}; {}", part.title, name_in(&actors, part.actor))) + "\n"
    };
    explanation.explanations.iter().map(line).collect()
}

/// One line where there is nothing to explain.
fn nothing(explanation: &Explanation, knowledge: &Knowledge) -> String {
    let kinds: BTreeMap<String, String> = knowledge.phrases("input_kind");
    // A complaint quotes the input itself.
    if let Some(error) = &explanation.error {
        return safe(error);
    }
    let what = name_in(&kinds, explanation.kind);
    let place = explanation.input.as_ref().map(|input| match input.char_indices().nth(QUOTED) {
        Some((at, _)) => format!("{}...", &input[..at]),
        None => input.clone(),
    });
    let place = place.or_else(|| explanation.file.as_ref().map(|file| format!("{file}{}", number(explanation))));
    safe(&place.map(|place| format!("{place}: {what}")).unwrap_or(what))
}

/// Which of several in a file it is, behind the file's name.
fn number(explanation: &Explanation) -> String {
    let several = explanation.number.is_some_and(|number| number > 1) || explanation.kind == InputKind::LogLine;
    explanation.number.filter(|_| several).map(|number| format!(", {number}")).unwrap_or_default()
}

/// A page with labels, and the words to fill it.
pub(crate) struct Sheet<'a> {
    pub(crate) page: Page,
    knowledge: &'a Knowledge,
    phrases: Phrases,
    names: BTreeMap<String, String>,
    look: Look,
}

impl<'a> Sheet<'a> {
    pub(crate) fn new(knowledge: &'a Knowledge, look: Look) -> Self {
        Self { page: Page::new(look), knowledge, phrases: knowledge.phrases("explain"), names: knowledge.phrases("answers"), look }
    }

    /// What the input is, where it is no code and no reply.
    fn head(&mut self, explanation: &Explanation) {
        let kinds: BTreeMap<String, String> = self.knowledge.phrases("input_kind");
        let number = number(explanation);
        match (&explanation.file, explanation.kind) {
            (_, InputKind::Code | InputKind::Enhanced | InputKind::Reply) | (None, InputKind::Transcript | InputKind::Report) => {}
            _ if explanation.explanations.is_empty() => self.page.paragraph(PLAIN, "", "  ", &nothing(explanation, self.knowledge)),
            (Some(file), kind) => self.page.ends(SOFT, &format!("{file}{number}"), &name_in(&kinds, kind)),
            (None, kind) => self.page.line(SOFT, &name_in(&kinds, kind)),
        }
    }

    /// Draws one code, reply or recipient.
    pub(crate) fn part(&mut self, part: &ExplanationPart, kind: InputKind) {
        match kind {
            InputKind::Code | InputKind::Enhanced => self.code_head(part),
            _ => self.reply_head(part),
        }
        self.recipient(part);
        self.mentions(&part.mentions);
        for listing in &part.listings {
            self.say(&self.phrases.asked.clone(), PLAIN, &listing.text);
        }
        self.say(&self.phrases.means.clone(), PLAIN, &part.meaning);
        self.say(&self.phrases.when.clone(), SOFT, &part.when);
        if part.basis != BasisName::Report {
            let queue = fill(&self.phrases.queue_sentence, |_| Some(queue_words(&self.knowledge.phrases("queue"), part)));
            self.say(&self.phrases.queue.clone(), PLAIN, &queue);
        }
        if !matches!(kind, InputKind::Code | InputKind::Enhanced) && part.reason != Reason::Accepted {
            let actors: BTreeMap<String, String> = self.knowledge.phrases("actor");
            self.say(&self.phrases.who.clone(), PLAIN, &name_in(&actors, part.actor));
        }
        self.fixes(&part.fix);
        if let Some(note) = standing_note(&self.knowledge.phrases("standing"), part) {
            self.say(&self.phrases.note.clone(), SOFT, &note);
        }
        self.places(part, kind);
        if !part.companions.is_empty() {
            let name = |companion: &CompanionPart| match &companion.title {
                Some(title) => format!("{} {title}", companion.code),
                None => companion.code.clone(),
            };
            let text = part.companions.iter().map(name).collect::<Vec<_>>().join(", ");
            self.say(&self.phrases.with.clone(), SOFT, &text);
        }
        if !part.references.is_empty() {
            let sources = sources(&part.references, &self.phrases.section_and);
            self.say(&self.phrases.sources.clone(), SOFT, &sources);
        }
    }

    /// The code and its name at one end, what kind of answer it is at the other.
    fn code_head(&mut self, part: &ExplanationPart) {
        let kinds: BTreeMap<String, String> = self.knowledge.phrases("answer_kind");
        let place = part.command.map(|verb| format!(", {}", self.as_answer(verb))).unwrap_or_default();
        let head = format!("{}  {}{place}", part.reply.name(), part.title);
        let kind = kinds.get(answer_kind(part)).cloned().unwrap_or_default();
        self.page.ends(style_of(part), &head, &kind);
    }

    /// The reply as sent, then its headline and what that rests on.
    fn reply_head(&mut self, part: &ExplanationPart) {
        let code = part.reply.name();
        let (most, length) = if self.look.verbose { (usize::MAX, usize::MAX) } else { (QUOTED_LINES, QUOTED_LINE) };
        let last = part.reply.lines.len().saturating_sub(1);
        for (place, line) in part.reply.lines.iter().enumerate().take(most) {
            let cut = line.char_indices().nth(length).map_or(line.as_str(), |(at, _)| &line[..at]);
            let more = if cut.len() < line.len() || (place + 1 == most && place < last) { "..." } else { "" };
            let separator = if place < last { '-' } else { ' ' };
            self.page.paragraph(SOFT, "", "  ", format!("{code}{separator}{cut}{more}").trim_end());
        }
        let confidences: BTreeMap<String, String> = self.knowledge.phrases("confidence");
        let place = part.command.map(|verb| format!(", {}", self.as_answer(verb))).unwrap_or_default();
        self.page.ends(style_of(part), &format!("{}{place}", part.title), &name_in(&confidences, part.confidence));
        let why = self.why(part);
        self.say(&self.phrases.why.clone(), PLAIN, &why);
    }

    /// What the reply names that somebody may have to act on.
    fn mentions(&mut self, mentions: &Mentions) {
        let phrases = &self.phrases;
        let what = mentions.listed_name.clone().or_else(|| mentions.addresses.first().map(ToString::to_string));
        let list = mentions.list.as_ref().map(|list| match &what {
            Some(what) => fill(&phrases.listed, |slot| Some(if slot == "list" { list.clone() } else { what.clone() })),
            None => fill(&phrases.list, |_| Some(list.clone())),
        });
        let one = |phrase: &String, value: Option<String>| value.map(|value| fill(phrase, |_| Some(value.clone())));
        let wait = mentions.wait.map(|wait| seconds(Duration::from_secs(wait)));
        let texts = [
            list,
            one(&phrases.limit, mentions.limit.clone()),
            one(&phrases.wait, wait),
            one(&phrases.new_address, mentions.new_address.clone()),
            one(&phrases.queued, mentions.queue_id.clone()),
        ];
        let text = texts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let (names, read) = (phrases.names_label.clone(), phrases.read.clone());
        self.say(&names, PLAIN, &text);
        self.say(&read, PLAIN, &mentions.urls.join(" "));
    }

    /// Whom it is about, who refused, and who says so.
    fn recipient(&mut self, part: &ExplanationPart) {
        let phrases = &self.phrases;
        let (to, host, said) = (phrases.to.clone(), phrases.host.clone(), phrases.said.clone());
        if let Some(recipient) = &part.recipient {
            let original = part.original_recipient.as_ref().filter(|original| *original != recipient);
            let written = original.map(|original| fill(&phrases.sent_to, |_| Some(original.clone())));
            let text = [Some(recipient.clone()), written].into_iter().flatten().collect::<Vec<_>>().join(" ");
            self.say(&to, BOLD, &text);
        }
        self.say(&host, PLAIN, part.remote_host.as_deref().unwrap_or_default());
        let by = part.reporting_mta.iter().chain(&part.queue_id).cloned().collect::<Vec<_>>().join(", ");
        self.say(&said, SOFT, &by);
        // A reply stands above; what else there is to quote, here.
        let quoted = if part.reply.lines.is_empty() { &part.diagnostic } else { &part.program };
        let most = if self.look.verbose { usize::MAX } else { QUOTED_LINE };
        let quoted = quoted.as_deref().map(|quoted| excerpt(quoted, part.words.as_deref(), most)).unwrap_or_default();
        self.say(&self.phrases.quote.clone(), SOFT, &quoted);
    }

    fn as_answer(&self, verb: Verb) -> String {
        fill(&self.phrases.as_answer, |_| Some(self.answered(verb.as_str())))
    }

    /// What was answered, in words.
    fn answered(&self, verb: &str) -> String {
        self.names.get(verb).cloned().unwrap_or_else(|| verb.to_owned())
    }

    /// What the conclusion rests on, and what speaks against it.
    fn why(&self, part: &ExplanationPart) -> String {
        let phrases = &self.phrases;
        let class = part.reply.code.unwrap_or_default() / 100;
        let template = match part.basis {
            _ if part.standing == Standing::NoCode => return String::new(),
            BasisName::Wording if part.conflict.is_some() => &phrases.words_conflict,
            BasisName::Wording if self.agrees(part) => &phrases.words_agree,
            BasisName::Wording => &phrases.words,
            BasisName::Enhanced if part.confidence == Confidence::Certain => &phrases.enhanced_with_number,
            BasisName::Enhanced if part.reply.text.as_ref().is_none_or(String::is_empty) => &phrases.enhanced_alone,
            BasisName::Enhanced => &phrases.enhanced,
            BasisName::Report => return String::new(),
            BasisName::Code if class == 2 => &phrases.yes,
            BasisName::Code if class == 3 => &phrases.go,
            BasisName::Code if part.command.is_some() => &phrases.number_in_place,
            BasisName::Code => &phrases.number,
        };
        let enhanced = part.reply.enhanced.clone().unwrap_or_default();
        let value = |slot: &str| match slot {
            "code" => Some(part.reply.name()),
            "enhanced" => Some(enhanced.clone()),
            "words" => Some(part.words.clone().unwrap_or_default()),
            "other" => part.conflict.map(|reason| self.knowledge.reason(reason).title.clone()),
            "place" => part.command.map(|verb| self.answered(verb.as_str())),
            _ => None,
        };
        let digit = enhanced.chars().next().and_then(|digit| digit.to_digit(10));
        let contradicts = part.reply.code.is_some() && class != 3 && digit.is_some_and(|digit| digit != u32::from(class));
        let more = [contradicts.then(|| fill(&phrases.contradiction, value)), self.unsure(part)];
        more.into_iter().flatten().fold(fill(template, value), |text, more| format!("{text} {more}"))
    }

    /// Whether the enhanced code by itself says the same.
    fn agrees(&self, part: &ExplanationPart) -> bool {
        let code = part.reply.enhanced.as_deref().and_then(|enhanced| enhanced.parse::<EnhancedCode>().ok());
        code.and_then(|code| self.knowledge.enhanced(code)).is_some_and(|meaning| meaning.reason == part.reason)
    }

    /// Where a bare number was all there was to go by, the text could tell more.
    fn unsure(&self, part: &ExplanationPart) -> Option<String> {
        let bare = part.basis == BasisName::Code && part.confidence == Confidence::Unsure;
        let text = part.reply.text.as_deref().is_some_and(|text| !text.is_empty());
        (bare && text).then(|| self.phrases.sure.clone())
    }

    fn fixes(&mut self, fixes: &[Fix]) {
        let actors: BTreeMap<String, String> = self.knowledge.phrases("actor_short");
        for (index, fix) in fixes.iter().enumerate() {
            let words = to_do(&actors, fix);
            let label = if index == 0 { self.phrases.act.clone() } else { String::new() };
            self.say(&label, PLAIN, &words);
        }
    }

    fn places(&mut self, part: &ExplanationPart, kind: InputKind) {
        let all = part.places.len();
        let common = |place: &&PlacePart| place.command.is_none_or(|verb| COMMON.contains(&verb));
        let shown: Vec<&PlacePart> = match part.places.iter().filter(common).collect::<Vec<_>>() {
            _ if all <= FEW_PLACES || self.look.verbose => part.places.iter().collect(),
            few if few.is_empty() => part.places.iter().collect(),
            common => common,
        };
        let Some(first) = shown.first() else { return };
        let decided = kind == InputKind::Reply && part.basis != BasisName::Code;
        let head = match (first.class, decided) {
            (Some(_), _) => &self.phrases.at_classes,
            (None, true) => &self.phrases.at_if,
            (None, false) => &self.phrases.at_commands,
        };
        self.page.paragraph(BOLD, "  ", "  ", head);
        let labels: BTreeMap<String, String> = self.knowledge.phrases("answers_short");
        for place in &shown {
            let name = |verb: Verb| labels.get(verb.as_str()).cloned().unwrap_or_else(|| self.answered(verb.as_str()));
            let label = place.command.map(name).or_else(|| place.class.map(|class| class.to_string())).unwrap_or_default();
            let label = format!("  {label:<10} ");
            self.page.paragraph(PLAIN, &label, PLACE_INDENT, &place.summary);
        }
        if shown.len() < all {
            let left = part.places.iter().filter(|place| !shown.contains(place));
            let names: Vec<String> = left.filter_map(|place| place.command).map(|verb| self.answered(verb.as_str())).collect();
            let more = fill(&self.phrases.more_places, |_| Some(names.join(", ")));
            self.page.paragraph(SOFT, "  ", PLACE_INDENT, &more);
        }
    }

    /// A labelled paragraph; nothing where there is nothing to say.
    fn say(&mut self, label: &str, style: Style, text: &str) {
        if !text.is_empty() {
            self.page.paragraph(style, &format!("  {label:<8}"), INDENT, text);
        }
    }
}

/// The references, sections of one RFC together.
fn sources(references: &[String], and: &str) -> String {
    let mut sources: Vec<(&str, Vec<&str>)> = Vec::new();
    for reference in references {
        let (document, section) = reference.split_once(" section ").map_or((reference.as_str(), None), |(rfc, at)| (rfc, Some(at)));
        match sources.iter_mut().find(|(known, _)| *known == document) {
            Some((_, sections)) => sections.extend(section),
            None => sources.push((document, section.into_iter().collect())),
        }
    }
    let named = |(document, sections): &(&str, Vec<&str>)| match sections.as_slice() {
        [] => (*document).to_owned(),
        sections => format!("{document} section {}", sections.join(and)),
    };
    sources.iter().map(named).collect::<Vec<_>>().join("; ")
}

/// What is to be known about where a code comes from.
pub(crate) fn standing_note(notes: &BTreeMap<String, String>, part: &ExplanationPart) -> Option<String> {
    let key = match part.standing {
        Standing::Unlisted if part.reply.code.is_none() && has_subject(&part.reply) => "unlisted_enhanced".to_owned(),
        other => serde_json::to_value(other).ok()?.as_str()?.to_owned(),
    };
    Some(fill(notes.get(&key)?, |_| Some(part.reply.name())))
}

/// Whether the subject of the enhanced code is one of those defined (RFC 3463 §2).
fn has_subject(reply: &ReplyPart) -> bool {
    let subject = reply.enhanced.as_deref().and_then(|enhanced| enhanced.split('.').nth(1));
    subject.is_some_and(|subject| subject.len() == 1 && subject <= "7")
}

/// Which kind of answer it is, as the key of its name.
pub(crate) fn answer_kind(part: &ExplanationPart) -> &'static str {
    match (part.standing, part.permanence, part.reply.code) {
        (Standing::NoCode, ..) => "none",
        (_, Permanence::Success, Some(300..400)) => "go",
        (_, Permanence::Success, _) => "yes",
        (_, Permanence::Temporary, _) => "later",
        (_, Permanence::Permanent, _) => "no",
        (_, Permanence::Either, _) => "open",
    }
}

/// What a sending server does with a message after the code; completes "a sending server ...".
pub(crate) fn queue_words(words: &BTreeMap<String, String>, part: &ExplanationPart) -> String {
    words.get(queue_key(part)).cloned().unwrap_or_default()
}

fn queue_key(part: &ExplanationPart) -> &'static str {
    let only = |verbs: &[Verb]| match part.command {
        Some(command) => verbs.contains(&command),
        None => !part.answers.is_empty() && part.answers.iter().all(|answer| verbs.iter().any(|verb| verb.as_str() == answer)),
    };
    let message = [Verb::DataEnd, Verb::Bdat, Verb::Burl, Verb::LmtpData];
    let aside = [Verb::Vrfy, Verb::Expn, Verb::Help, Verb::Noop, Verb::Rset, Verb::Etrn, Verb::Atrn];
    let can_end_message = part.answers.iter().any(|answer| answer == Verb::DataEnd.as_str());
    match answer_kind(part) {
        "none" => "none",
        "open" => "open",
        "go" => "go",
        "yes" if part.closes => "yes_closing",
        "yes" if part.command.is_some_and(|command| message.contains(&command)) => "yes_message",
        "yes" if part.command.is_none() && can_end_message => "yes_perhaps_message",
        "yes" => "yes",
        _ if only(&aside) => "aside",
        "later" if only(&[Verb::Auth]) => "later_login",
        "later" if part.action.as_deref() == Some(Action::Failed.as_str()) => "gave_up",
        "later" if part.closes => "later_closing",
        "later" => "later",
        _ if only(&[Verb::Auth]) || part.reason == Reason::CredentialsInvalid => "no_login",
        _ if only(&[Verb::Connect]) => "no_greeting",
        _ => "no",
    }
}

fn style_of(part: &ExplanationPart) -> Style {
    match answer_kind(part) {
        "yes" | "go" => AnsiColor::Green.on_default().bold(),
        "later" => AnsiColor::Yellow.on_default().bold(),
        "no" => AnsiColor::Red.on_default().bold(),
        "none" => ODD.bold(),
        _ => BOLD,
    }
}
