//! The sender's own side for people: one line where all is well, else what was found out, and what is wrong with it.

use std::collections::BTreeMap;

use serde::Deserialize;
use unicode_width::UnicodeWidthStr;

use super::{DkimPart, DmarcPart, SenderPart, SenderReport, SentFromPart};
use crate::diagnosis::{Severity, fill};
use crate::knowledge::{Fix, Knowledge};
use crate::report::explanation::{ListingAnswer, ListingPart};
use crate::report::page::{BOLD, Look, ODD, PLAIN, Page, SOFT, name_in, to_do};
use crate::report::{FindingPart, safe};

/// Where what stands behind a label begins.
pub(super) const INDENT: &str = "          ";

/// The words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phrases {
    you: String,
    helo: String,
    pub(super) spf: String,
    dmarc: String,
    dkim: String,
    lists: String,
    clean: String,
    faulty: String,
    unknown: String,
    clean_all: String,
    faulty_one: String,
    faulty_more: String,
    unknown_all: String,
    no_address: String,
    named: String,
    unnamed: String,
    unasked: String,
    brief_helo: String,
    brief_spf: String,
    brief_dmarc: String,
    brief_listed: String,
    brief_unlisted: String,
    back: String,
    elsewhere: String,
    nowhere: String,
    unconfirmed: String,
    no_name: String,
    failed_name: String,
    translated: String,
    told: String,
    hidden: String,
    helo_leads: String,
    helo_nowhere: String,
    helo_unasked: String,
    helo_failed: String,
    pub(super) spf_result: String,
    pub(super) spf_counts: String,
    pub(super) spf_left_out: String,
    pub(super) spf_decides: String,
    pub(super) spf_explains: String,
    dmarc_policy: String,
    dmarc_testing: String,
    dmarc_none: String,
    dmarc_unusable: String,
    dmarc_failed: String,
    dmarc_odd: String,
    dkim_key: String,
    dkim_none: String,
    unlisted: String,
    terms: String,
    closed: String,
}

/// Draws it: one line if nothing is worth telling, unless everything is to be unfolded.
#[must_use]
pub fn render(report: &SenderReport, knowledge: &Knowledge, look: Look) -> String {
    let own = Own::new(&report.sender, knowledge, look.verbose);
    let mut page = Page::new(look);
    let worth_telling = report.findings.iter().any(|finding| finding.severity >= Severity::Warning);
    if report.sender.state == "clean" && !worth_telling && !look.verbose {
        page.paragraph(PLAIN, &format!("{}  ", own.phrases.clean), INDENT, &own.brief());
        return page.text;
    }
    own.sheet(&mut page);
    page.gap();
    if findings(report, &mut page, knowledge, look.verbose) {
        page.gap();
    }
    let style = if report.sender.state == "clean" { BOLD } else { ODD };
    page.paragraph(style, "", INDENT, &own.headline(&report.findings));
    page.text
}

/// How it stands in one line.
#[must_use]
pub fn headline(report: &SenderReport, knowledge: &Knowledge) -> String {
    let own = Own::new(&report.sender, knowledge, false);
    safe(&own.headline(&report.findings)) + "\n"
}

/// What was noticed; of notes the title alone. Returns whether there is anything.
fn findings(report: &SenderReport, page: &mut Page, knowledge: &Knowledge, verbose: bool) -> bool {
    let severities: BTreeMap<String, String> = knowledge.phrases("severity");
    let actors: BTreeMap<String, String> = knowledge.phrases("actor_short");
    for finding in &report.findings {
        let word = name_in(&severities, finding.severity);
        let grave = finding.severity >= Severity::Warning;
        page.paragraph(if grave { ODD } else { PLAIN }, &format!("{word:<10}"), INDENT, &finding.title);
        if !grave && !verbose {
            continue;
        }
        page.paragraph(SOFT, INDENT, INDENT, &finding.detail);
        let fixes: Vec<&Fix> = finding.fix.iter().take(if verbose { usize::MAX } else { 1 }).collect();
        for fix in fixes {
            page.paragraph(PLAIN, INDENT, INDENT, &to_do(&actors, fix));
        }
        if verbose {
            page.paragraph(SOFT, INDENT, INDENT, &finding.references.join(", "));
        }
    }
    !report.findings.is_empty()
}

/// The sender's own side, to be drawn.
pub(crate) struct Own<'a> {
    part: &'a SenderPart,
    pub(super) phrases: Phrases,
    pub(super) knowledge: &'a Knowledge,
    pub(super) verbose: bool,
}

impl<'a> Own<'a> {
    pub(crate) fn new(part: &'a SenderPart, knowledge: &'a Knowledge, verbose: bool) -> Self {
        Self { part, phrases: knowledge.phrases("own_side"), knowledge, verbose }
    }

    /// The label of the whole, as a probe's head has it.
    pub(crate) fn label(&self) -> &str {
        &self.phrases.you
    }

    fn headline(&self, findings: &[FindingPart]) -> String {
        let failures: Vec<&FindingPart> = findings.iter().filter(|finding| finding.severity == Severity::Failure).collect();
        let (word, text) = match (self.part.state.as_str(), failures.as_slice()) {
            ("clean", _) => (&self.phrases.clean, self.phrases.clean_all.clone()),
            ("faulty", [first, rest @ ..]) => {
                let template = if rest.is_empty() { &self.phrases.faulty_one } else { &self.phrases.faulty_more };
                let text = filled(template, &[("what", &first.title), ("count", &rest.len().to_string())]);
                (&self.phrases.faulty, text)
            }
            _ => (&self.phrases.unknown, self.phrases.unknown_all.clone()),
        };
        format!("{word}  {text}")
    }

    /// Everything in a few words: addresses with their names, EHLO, SPF, DMARC, lists.
    pub(crate) fn brief(&self) -> String {
        let (part, phrases) = (self.part, &self.phrases);
        let mut told: Vec<String> = part.addresses.iter().map(|known| self.named(known)).collect();
        if told.is_empty() {
            told.push(phrases.no_address.clone());
        }
        told.extend(part.helo.iter().map(|helo| filled(&phrases.brief_helo, &[("name", &helo.name)])));
        let mut spf: Vec<String> = Vec::new();
        for found in part.addresses.iter().filter_map(|known| known.spf.as_ref()) {
            let words = filled(&phrases.brief_spf, &[("result", &found.result), ("domain", &found.domain)]);
            if !spf.contains(&words) {
                spf.push(words);
            }
        }
        told.extend(spf);
        let policy = part.dmarc.iter().filter_map(|dmarc| dmarc.policy.as_ref());
        told.extend(policy.map(|policy| filled(&phrases.brief_dmarc, &[("policy", policy)])));
        let asked: Vec<&str> = part.lists.iter().filter(|list| !list.closed).map(|list| list.zone.as_str()).collect();
        let listed = self.listed();
        if !listed.is_empty() {
            told.push(filled(&phrases.brief_listed, &[("lists", &listed.join(", "))]));
        } else if !asked.is_empty() {
            told.push(filled(&phrases.brief_unlisted, &[("count", &asked.len().to_string())]));
        }
        told.join(", ")
    }

    fn listed(&self) -> Vec<&str> {
        let mut lists: Vec<&str> = Vec::new();
        for listing in self.part.listings.iter().filter(|listing| listing.answer == ListingAnswer::Listed) {
            if !lists.contains(&listing.list.as_str()) {
                lists.push(&listing.list);
            }
        }
        lists
    }

    fn named(&self, known: &SentFromPart) -> String {
        let address = known.address.to_string();
        let names: Vec<&str> = known.pointers.iter().map(|pointer| pointer.name.as_str()).collect();
        let template = match (names.is_empty(), &known.failure) {
            (false, _) => &self.phrases.named,
            (true, None) => &self.phrases.unnamed,
            (true, Some(_)) => &self.phrases.unasked,
        };
        filled(template, &[("address", &address), ("names", &names.join(", "))])
    }

    /// Everything that was found out, a paragraph each.
    pub(crate) fn sheet(&self, page: &mut Page) {
        self.addresses(page);
        self.helo(page);
        for known in &self.part.addresses {
            if let Some(spf) = &known.spf {
                self.spf(page, known, spf);
            }
        }
        if let Some(dmarc) = &self.part.dmarc {
            self.dmarc(page, dmarc);
        }
        for key in &self.part.dkim {
            self.dkim(page, key);
        }
        self.lists(page);
    }

    /// Why a lookup failed, in words.
    fn failure(&self, name: Option<&str>) -> String {
        let words: BTreeMap<String, String> = self.knowledge.phrases("host_fault");
        name.map(|name| words.get(name).cloned().unwrap_or_else(|| name.to_owned())).unwrap_or_default()
    }

    /// A paragraph behind a label.
    pub(super) fn say(page: &mut Page, label: &str, text: &str) {
        let room = 10_usize.saturating_sub(safe(label).width());
        page.paragraph(PLAIN, &format!("{label}{}", " ".repeat(room)), INDENT, text);
    }

    fn addresses(&self, page: &mut Page) {
        let phrases = &self.phrases;
        let mut lines: Vec<String> = Vec::new();
        for known in &self.part.addresses {
            let address = known.address.to_string();
            if known.pointers.is_empty() {
                let failure = self.failure(known.failure.as_deref());
                let template = if known.failure.is_some() { &phrases.failed_name } else { &phrases.no_name };
                lines.push(filled(template, &[("address", &address), ("failure", &failure)]));
            }
            for pointer in &known.pointers {
                let template = match pointer.leads.as_str() {
                    "back" => &phrases.back,
                    "elsewhere" => &phrases.elsewhere,
                    "nowhere" => &phrases.nowhere,
                    _ => &phrases.unconfirmed,
                };
                let others = join(&pointer.addresses);
                lines.push(filled(template, &[("address", &address), ("name", &pointer.name), ("others", &others)]));
            }
            if let Some(local) = known.local {
                lines.push(filled(&phrases.translated, &[("local", &local.to_string())]));
            } else if known.known == "told" && self.verbose {
                lines.push(phrases.told.clone());
            }
        }
        lines.extend(self.part.hidden.iter().map(|local| filled(&phrases.hidden, &[("address", &local.to_string())])));
        if lines.is_empty() {
            lines.push(phrases.no_address.clone());
        }
        for (place, line) in lines.iter().enumerate() {
            Self::say(page, if place == 0 { &phrases.you } else { "" }, line);
        }
    }

    fn helo(&self, page: &mut Page) {
        let Some(helo) = &self.part.helo else { return };
        let template = match (&helo.failure, helo.addresses.is_empty(), helo.faults.iter().any(|fault| fault == "unresolved")) {
            (Some(_), ..) => &self.phrases.helo_failed,
            (None, false, _) => &self.phrases.helo_leads,
            (None, true, true) => &self.phrases.helo_nowhere,
            (None, true, false) => &self.phrases.helo_unasked,
        };
        let failure = self.failure(helo.failure.as_deref());
        let words = filled(template, &[("name", &helo.name), ("others", &join(&helo.addresses)), ("failure", &failure)]);
        Self::say(page, &self.phrases.helo, &words);
    }

    fn dmarc(&self, page: &mut Page, dmarc: &DmarcPart) {
        let phrases = &self.phrases;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let (policy, published, by, applies) = (text(&dmarc.policy), text(&dmarc.published), text(&dmarc.by), text(&dmarc.applies));
        let template = match (&dmarc.policy, &dmarc.failure) {
            (Some(_), _) if policy != published => &phrases.dmarc_testing,
            (Some(_), _) => &phrases.dmarc_policy,
            (None, Some(_)) => &phrases.dmarc_failed,
            (None, None) if dmarc.walk.iter().all(|visit| visit.found == "absent") => &phrases.dmarc_none,
            (None, None) => &phrases.dmarc_unusable,
        };
        let failure = self.failure(dmarc.failure.as_deref());
        let slots = [
            ("policy", policy.as_str()),
            ("published", &published),
            ("by", &by),
            ("applies", &applies),
            ("domain", &dmarc.domain),
            ("failure", &failure),
        ];
        Self::say(page, &phrases.dmarc, &filled(template, &slots));
        for visit in &dmarc.walk {
            if let Some(record) = visit.text.as_ref().filter(|_| self.verbose) {
                page.paragraph(SOFT, INDENT, INDENT, &format!("_dmarc.{}: \"{record}\"", visit.domain));
            }
            for fault in &visit.faults {
                let slots = [("domain", visit.domain.as_str()), ("tag", &fault.tag), ("text", &fault.text)];
                page.paragraph(SOFT, INDENT, INDENT, &filled(&phrases.dmarc_odd, &slots));
            }
        }
    }

    fn dkim(&self, page: &mut Page, key: &DkimPart) {
        let phrases = &self.phrases;
        let words = match (&key.key, &key.problem) {
            (Some(kind), _) => {
                let kind = key.bits.map_or_else(|| kind.clone(), |bits| format!("{kind} {bits}"));
                filled(&phrases.dkim_key, &[("selector", &key.selector), ("state", &key.state), ("key", &kind)])
            }
            (None, problem) => {
                let problem = problem.clone().unwrap_or_default();
                filled(&phrases.dkim_none, &[("selector", &key.selector), ("problem", &problem)])
            }
        };
        Self::say(page, &phrases.dkim, &words);
        for fault in key.faults.iter().filter(|_| self.verbose || key.state != "good") {
            page.paragraph(SOFT, INDENT, INDENT, &format!("\"{}\": {}", fault.tag, fault.text));
        }
    }

    /// What lists say, those that do not list it in one line, and once the terms of all.
    fn lists(&self, page: &mut Page) {
        let phrases = &self.phrases;
        let is_clear = |listing: &&ListingPart| listing.answer == ListingAnswer::NotListed;
        let mut clear: Vec<(&str, Vec<String>)> = Vec::new();
        for listing in self.part.listings.iter().filter(is_clear) {
            push(&mut clear, &listing.subject, self.list_name(&listing.list));
        }
        let unlisted = clear.iter().map(|(subject, lists)| filled(&phrases.unlisted, &[("what", subject), ("lists", &lists.join(", "))]));
        let told = self.part.listings.iter().filter(|listing| !is_clear(listing)).map(|listing| listing.text.clone());
        for (place, line) in told.chain(unlisted).enumerate() {
            Self::say(page, if place == 0 { &phrases.lists } else { "" }, &line);
        }
        let mut terms: Vec<(&str, Vec<String>)> = Vec::new();
        for list in &self.part.lists {
            match &list.terms {
                Some(of_closed) if list.closed => {
                    let line = filled(&phrases.closed, &[("list", &self.list_name(&list.zone)), ("terms", of_closed)]);
                    page.paragraph(PLAIN, INDENT, INDENT, &line);
                }
                Some(of_asked) => push(&mut terms, of_asked, self.list_name(&list.zone)),
                None => {}
            }
        }
        let each = terms.iter().map(|(terms, lists)| format!("{}: {terms}", lists.join(", "))).collect::<Vec<_>>();
        if !each.is_empty() {
            page.paragraph(SOFT, INDENT, INDENT, &filled(&phrases.terms, &[("terms", &each.join("; "))]));
        }
    }

    fn list_name(&self, zone: &str) -> String {
        let known = self.part.lists.iter().find(|list| list.zone == zone).and_then(|list| list.name.clone());
        known.unwrap_or_else(|| zone.to_owned())
    }
}

/// Adds to what is gathered under `key`.
fn push<'a>(groups: &mut Vec<(&'a str, Vec<String>)>, key: &'a str, value: String) {
    match groups.iter_mut().find(|(known, _)| *known == key) {
        Some((_, values)) => values.push(value),
        None => groups.push((key, vec![value])),
    }
}

fn join(addresses: &[std::net::IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(super) fn filled(template: &str, slots: &[(&str, &str)]) -> String {
    fill(template, |slot| slots.iter().find(|(name, _)| *name == slot).map(|(_, value)| (*value).to_owned()))
}
