//! What is published on transport security, and what senders make of it: one line when all is well, a table where it is not.

use std::collections::BTreeMap;

use anstyle::Style;
use serde::Deserialize;
use unicode_width::UnicodeWidthStr;

use super::{INDENT, View};
use crate::diagnosis::{Cause, Delivery, Sender, fill};
use crate::report::page::{ODD, PLAIN, SOFT, name_in};
use crate::report::{DeliveryPart, safe};

#[derive(Deserialize)]
struct Phrases {
    label: String,
    all_authenticated: String,
    encrypted: String,
    in_clear: String,
    open: String,
    senders: String,
    at_host: String,
    holds_back: String,
    cannot_tell: String,
    sends_back: String,
    delivers: String,
}

/// Between columns.
const GAP: usize = 3;

impl View<'_> {
    pub(super) fn policies(&mut self) {
        let report = self.report;
        let route = &report.route;
        if route.delivery.is_empty() && route.mta_sts.is_none() {
            return;
        }
        let told = self.is_told();
        // Where nothing is published and no host was talked to, there is nothing to say.
        let silent = route.delivery.iter().all(|part| part.delivery == Delivery::Unknown) && !self.is_published();
        if silent && !self.look.verbose {
            return;
        }
        let phrases: Phrases = self.knowledge.phrases("policies");
        let summary = [self.dane_state(), self.mta_sts_state(), self.tls_rpt_state()];
        let summary = summary.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let what = if told { String::new() } else { format!(": {}", self.what_comes_of_it(&phrases)) };
        self.page.paragraph(PLAIN, &format!("{:<10}", phrases.label), INDENT, &format!("{summary}{what}"));
        if told || self.look.verbose {
            self.senders(&phrases);
        }
        self.page.gap();
    }

    /// Whether anything is published, or was in vain.
    fn is_published(&self) -> bool {
        let route = &self.report.route;
        let quiet = |state: &str| matches!(state, "absent" | "insecure" | "unknown");
        let keys = route.hosts.iter().flat_map(|host| &host.tlsa).map(|tlsa| tlsa.state.as_str());
        let policies = route.mta_sts.iter().map(|part| part.state.as_str()).chain(route.tls_rpt.iter().map(|part| part.state.as_str()));
        keys.chain(policies).any(|state| !quiet(state))
    }

    /// Whether what senders do takes more than a line to tell: not where all of them deliver alike everywhere, and well or in the
    /// clear.
    fn is_told(&self) -> bool {
        let known = |part: &&DeliveryPart| part.sender != Sender::RequireTls && part.delivery != Delivery::Unknown;
        let well = |delivery: Delivery| delivery.min(Delivery::Encrypted);
        let mut parts = self.report.route.delivery.iter().filter(known);
        let Some(first) = parts.next() else { return false };
        !first.delivery.arrives() || parts.any(|part| well(part.delivery) != well(first.delivery))
    }

    /// Where all is well: how mail comes.
    fn what_comes_of_it(&self, phrases: &Phrases) -> String {
        let delivery = &self.report.route.delivery;
        let all = |wanted: Delivery, sender| {
            let mut of_sender = delivery.iter().filter(|part| part.sender == sender).peekable();
            of_sender.peek().is_some() && of_sender.all(|part| part.delivery == wanted)
        };
        if all(Delivery::Authenticated, Sender::Dane) || all(Delivery::Authenticated, Sender::MtaSts) {
            phrases.all_authenticated.clone()
        } else if all(Delivery::Encrypted, Sender::Opportunistic) {
            phrases.encrypted.clone()
        } else if all(Delivery::Clear, Sender::Opportunistic) {
            phrases.in_clear.clone()
        } else {
            phrases.open.clone()
        }
    }

    fn dane_state(&self) -> Option<String> {
        let states: BTreeMap<String, String> = self.knowledge.phrases("dane_state");
        let mut keys = self.report.route.hosts.iter().flat_map(|host| &host.tlsa);
        let first = keys.next()?;
        let state = if keys.all(|other| other.state == first.state) { first.state.as_str() } else { "mixed" };
        states.get(state).cloned()
    }

    fn mta_sts_state(&self) -> Option<String> {
        let states: BTreeMap<String, String> = self.knowledge.phrases("mta_sts_state");
        states.get(&self.report.route.mta_sts.as_ref()?.state).cloned()
    }

    fn tls_rpt_state(&self) -> Option<String> {
        let states: BTreeMap<String, String> = self.knowledge.phrases("tls_rpt_state");
        states.get(&self.report.route.tls_rpt.as_ref()?.state).cloned()
    }

    /// Each host with what each sender does there, and why.
    fn senders(&mut self, phrases: &Phrases) {
        let delivery = &self.report.route.delivery;
        let names: BTreeMap<String, String> = self.knowledge.phrases("sender");
        let words: BTreeMap<String, String> = self.knowledge.phrases("delivery");
        let mut senders: Vec<Sender> = delivery.iter().map(|part| part.sender).collect();
        senders.sort();
        senders.dedup();
        let mut hosts: Vec<(&str, u16)> = Vec::new();
        for part in delivery {
            if !hosts.contains(&(part.host.as_str(), part.port)) {
                hosts.push((part.host.as_str(), part.port));
            }
        }
        let several_ports = hosts.iter().any(|(host, port)| hosts.iter().any(|(other, at)| host == other && port != at));
        let name = |(host, port): (&str, u16)| if several_ports { safe(&format!("{host}:{port}")) } else { safe(host) };
        let cell = |place: (&str, u16), sender: Sender| {
            let part = delivery.iter().find(|part| (part.host.as_str(), part.port, part.sender) == (place.0, place.1, sender));
            part.map(|part| (style(part.delivery), name_in(&words, part.delivery)))
        };
        let first = hosts.iter().map(|place| name(*place).width()).chain([phrases.senders.width()]).max().unwrap_or(0);
        let columns: Vec<(Sender, String, usize)> = senders
            .iter()
            .map(|sender| {
                let head = name_in(&names, *sender);
                let cells = hosts.iter().filter_map(|place| cell(*place, *sender)).map(|(_, words)| words.width());
                let width = cells.chain([head.width()]).max().unwrap_or(0);
                (*sender, head, width)
            })
            .collect();
        let width = first + columns.iter().map(|(.., width)| GAP + width).sum::<usize>();
        if width > self.page.width {
            for place in &hosts {
                let cells = columns.iter().filter_map(|(sender, head, _)| Some(format!("{head} {}", cell(*place, *sender)?.1)));
                let line = cells.collect::<Vec<_>>().join(", ");
                self.page.paragraph(PLAIN, &format!("{}  ", name(*place)), "  ", &line);
            }
        } else {
            let cells = |first_cell: (Style, String), cells: Vec<(Style, String)>| {
                let widths = columns.iter().map(|(.., width)| *width);
                let behind = cells.into_iter().zip(widths).flat_map(|((style, words), width)| {
                    let room = " ".repeat(width.saturating_sub(words.width()));
                    [(PLAIN, " ".repeat(GAP)), (style, words), (PLAIN, room)]
                });
                let room = " ".repeat(first.saturating_sub(first_cell.1.width()));
                [first_cell, (PLAIN, room)].into_iter().chain(behind).collect::<Vec<_>>()
            };
            let heads = columns.iter().map(|(_, head, _)| (SOFT, head.clone())).collect();
            self.page.parts(&cells((SOFT, phrases.senders.clone()), heads));
            for place in &hosts {
                let row = columns.iter().map(|(sender, ..)| cell(*place, *sender).unwrap_or((PLAIN, String::new()))).collect();
                self.page.parts(&cells((PLAIN, name(*place)), row));
            }
        }
        self.causes(phrases, &names, hosts.len());
    }

    /// Why senders do not simply deliver encrypted; each cause once.
    fn causes(&mut self, phrases: &Phrases, names: &BTreeMap<String, String>, hosts: usize) {
        let causes: BTreeMap<String, String> = self.knowledge.phrases("delivery_cause");
        let delivery = &self.report.route.delivery;
        let mut told: Vec<(Sender, Delivery, Cause)> = Vec::new();
        for part in delivery {
            let quiet = matches!(part.why, Cause::Tls | Cause::NoTlsa | Cause::Unsigned | Cause::NoPolicy | Cause::Unreached)
                || (part.sender == Sender::RequireTls && !self.look.verbose);
            let key = (part.sender, part.delivery, part.why);
            if quiet || told.contains(&key) {
                continue;
            }
            told.push(key);
            let places: Vec<&str> =
                delivery.iter().filter(|other| (other.sender, other.delivery, other.why) == key).map(|other| other.host.as_str()).collect();
            let template = match part.delivery {
                Delivery::Unknown => &phrases.cannot_tell,
                Delivery::Defers => &phrases.holds_back,
                Delivery::Returns => &phrases.sends_back,
                Delivery::Clear | Delivery::Encrypted | Delivery::Authenticated => &phrases.delivers,
            };
            let at = if places.len() < hosts { fill(&phrases.at_host, |_| Some(places.join(", "))) } else { String::new() };
            let line = fill(template, |slot| match slot {
                "sender" => Some(name_in(names, part.sender)),
                "cause" => Some(name_in(&causes, part.why)),
                "at" => Some(at.clone()),
                _ => None,
            });
            self.page.paragraph(SOFT, "  ", "    ", &line);
        }
    }
}

fn style(delivery: Delivery) -> Style {
    if delivery >= Delivery::Encrypted { PLAIN } else { ODD }
}
