//! SPF for people: the result, faults with a caret below their place, and each term with what was asked for it.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr;

use super::text::{INDENT, Own, filled};
use super::{SentFromPart, SpfPart, StepPart};
use crate::report::page::{BOLD, ODD, PLAIN, Page, SOFT};
use crate::report::safe;

impl Own<'_> {
    pub(super) fn spf(&self, page: &mut Page, known: &SentFromPart, spf: &SpfPart) {
        let phrases = &self.phrases;
        let address = known.address.to_string();
        let slots = [("result", spf.result.as_str()), ("sender", &spf.sender), ("address", &address), ("decision", &spf.decision)];
        Self::say(page, &phrases.spf, &filled(&phrases.spf_result, &slots));
        Self::pointed(page, spf);
        if !self.verbose && matches!(spf.result.as_str(), "pass" | "none" | "neutral") {
            return;
        }
        self.trace(page, spf);
        if let Some(text) = spf.explanation.as_ref().and_then(|explanation| explanation.text.as_ref()) {
            page.paragraph(PLAIN, INDENT, INDENT, &filled(&phrases.spf_explains, &[("text", text)]));
        }
        let words: BTreeMap<String, String> = self.knowledge.phrases("spf_remark");
        for remark in &spf.remarks {
            let what = words.get(&remark.kind).cloned().unwrap_or_else(|| remark.kind.clone());
            let term = if remark.term.is_empty() { String::new() } else { format!(" {:?}", remark.term) };
            page.paragraph(SOFT, INDENT, INDENT, &format!("{}:{term} {what}", remark.domain));
        }
    }

    /// What is wrong with policies, each fault with a caret below its place.
    fn pointed(page: &mut Page, spf: &SpfPart) {
        for policy in &spf.policies {
            let Some(text) = &policy.text else { continue };
            for fault in &policy.faults {
                let room = page.width.saturating_sub(INDENT.len());
                if let Some((shown, before)) = window(text, fault.at, room) {
                    page.line(PLAIN, &format!("{INDENT}{shown}"));
                    page.paragraph(ODD, &format!("{INDENT}{}^ ", " ".repeat(before)), INDENT, &fault.text);
                } else {
                    page.paragraph(ODD, INDENT, INDENT, &format!("{:?}: {}", fault.term, fault.text));
                }
            }
        }
    }

    /// Each policy and each term that was looked at.
    fn trace(&self, page: &mut Page, spf: &SpfPart) {
        let outcomes: BTreeMap<String, String> = self.knowledge.phrases("spf_outcome");
        let mut seen: Vec<&str> = Vec::new();
        for policy in spf.policies.iter().filter(|policy| policy.depth == 0) {
            Self::policy(page, spf, &policy.domain, &mut seen);
        }
        for (place, step) in spf.trace.iter().enumerate() {
            // A policy is shown before its first term.
            Self::policy(page, spf, &step.domain, &mut seen);
            let indent = format!("{INDENT}{}", "  ".repeat(step.depth + 1));
            let result = step.result.clone().unwrap_or_default();
            let outcome = outcomes.get(&step.outcome).map_or_else(|| step.outcome.clone(), |words| filled(words, &[("result", &result)]));
            let decides = spf.decided_by == Some(place);
            let mark = if decides { format!(", {}", self.phrases.spf_decides) } else { String::new() };
            let line = format!("{}  {outcome}{mark}{}", step.term, asked(step));
            page.paragraph(if decides { BOLD } else { PLAIN }, &indent, &format!("{indent}  "), &line);
        }
        if spf.left_out > 0 {
            page.paragraph(SOFT, INDENT, INDENT, &filled(&self.phrases.spf_left_out, &[("count", &spf.left_out.to_string())]));
        }
        let slots = [("lookups", spf.lookups.to_string()), ("void", spf.void_lookups.to_string())];
        let slots: Vec<(&str, &str)> = slots.iter().map(|(slot, value)| (*slot, value.as_str())).collect();
        page.paragraph(SOFT, INDENT, INDENT, &filled(&self.phrases.spf_counts, &slots));
    }

    fn policy<'b>(page: &mut Page, spf: &'b SpfPart, domain: &'b str, seen: &mut Vec<&'b str>) {
        if seen.contains(&domain) {
            return;
        }
        seen.push(domain);
        // One that is wrong was shown with what is wrong with it.
        let Some(policy) = spf.policies.iter().find(|policy| policy.domain == domain).filter(|policy| policy.faults.is_empty()) else {
            return;
        };
        let indent = format!("{INDENT}{}", "  ".repeat(policy.depth));
        let text = policy.text.as_ref().map_or_else(|| policy.query.answer.clone(), |text| format!("\"{text}\""));
        let rest = format!("{indent}  ");
        page.paragraph(SOFT, &indent, &rest, &format!("{domain}: {text}"));
    }
}

/// The questions asked for a term.
fn asked(step: &StepPart) -> String {
    let told: Vec<String> = step
        .queries
        .iter()
        .map(|query| match query.records {
            Some(count) => format!("{} {}: {count}", query.kind, query.name),
            None => format!("{} {}: {}", query.kind, query.name, query.answer),
        })
        .collect();
    if told.is_empty() { String::new() } else { format!("  ({})", told.join(", ")) }
}

/// As much of `text` as fits into `room` columns with the octet `at` in it, safe to show, and how many columns stand before it; none if
/// there is no character at that place or no room.
fn window(text: &str, at: usize, room: usize) -> Option<(String, usize)> {
    const DOTS: &str = "...";
    let (before, after) = (text.get(..at)?, text.get(at..)?);
    let room = room.checked_sub(2 * DOTS.len()).filter(|room| *room >= 10)?;
    // What stands before takes at most half of the room.
    let mut start = before.len();
    for (place, _) in before.char_indices().rev() {
        if safe(&before[place..]).width() > room / 2 {
            break;
        }
        start = place;
    }
    let lead = safe(&before[start..]);
    let mut end = 0;
    for (place, c) in after.char_indices() {
        let next = place + c.len_utf8();
        if lead.width() + safe(&after[..next]).width() > room {
            break;
        }
        end = next;
    }
    let (cut_before, cut_after) = (start > 0, end < after.len());
    let head = if cut_before { DOTS } else { "" };
    let tail = if cut_after { DOTS } else { "" };
    Some((format!("{head}{lead}{}{tail}", safe(&after[..end])), head.len() + lead.width()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_pointed_at_wherever_it_stands() {
        let long = format!("v=spf1 {}ipv4:192.0.2.1 -all", "include:a.example.com ".repeat(20));
        let at = long.find("ipv4").expect("it is there");
        for (text, at, room) in
            [("v=spf1 ipv4:192.0.2.1 -all", 7, 70), (long.as_str(), at, 70), (long.as_str(), at, 30), ("v=spf1 \u{1b}x", 7, 40)]
        {
            let (shown, before) = window(text, at, room).expect(text);
            assert!(shown.width() <= room, "{shown}");
            let pointed: String = shown.chars().skip(before).collect();
            assert!(pointed.starts_with("ipv4") || pointed.starts_with("\\x1b"), "{shown} {before}");
        }
        assert_eq!(window("v=spf1 \u{e9}", 8, 70), None);
        assert_eq!(window("v=spf1 a", 3, 5), None);
        assert_eq!(window("v=spf1", 400, 70), None);
    }
}
