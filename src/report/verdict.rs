//! The verdict in words: headline, proof, what to do, what stays open.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::VerdictPart;
use super::build::evidence;
use super::letter::part;
use super::page::name_in;
use crate::diagnosis::{
    Case, Delivery, Evidence, Outcome, Outlook, PortState, Relaying, SeenHere, Sender, SessionCase, Twist, Verdict, fill, gist, relaying,
    seconds,
};
use crate::knowledge::{Actor, Fix, Reason};
use crate::probe::Role;
use crate::settings::Question;
use crate::smtp::{Command, Event, FailureKind, Purpose, ReplyCode, Stage, Verb};
use crate::target::{Port, Target};

#[derive(Deserialize)]
struct VerdictPhrases {
    accepted_mailbox: String,
    accepted_domain: String,
    accepted_host: String,
    accepted_login: String,
    no_login: String,
    contradiction: String,
    cut_short: String,
    interrupted: String,
    time_over: String,
    reply: String,
    at_one: String,
    at_all: String,
    at_some: String,
    catch_all: String,
    open_relay: String,
    no_open_relay: String,
    refused_for_all: String,
    disagreement_yes: String,
    disagreement_why: String,
    disagreement_fix: String,
    disagreement_sender: String,
    send_real: String,
    other_family_untested: String,
    shut_here: String,
    shut_here_family: String,
    shut_here_control: String,
    other_ports: String,
    no_other_port: String,
    other_port_at: String,
    local_firewall: String,
    local_firewall_why: String,
    local_firewall_fix: String,
    more: String,
    their_side: String,
    their_side_sender: String,
    intercepted_why: String,
    ports_open: String,
    ports_open_all: String,
    ports_partly: String,
    ports_refusing: String,
    nothing_else: String,
    ports_family: String,
    own_here: String,
    own_behind: String,
    own_here_why: String,
    own_behind_why: String,
    own_fix: String,
    in_clear: String,
    in_clear_fix: String,
    held_back_fix: String,
    held_back: String,
    others_encrypt: String,
    others_in_clear: String,
    no_clear_retry: String,
    accepted_message: String,
    not_the_inbox: String,
    look_for_it: String,
    look_for_queue_id: String,
    maybe_delivered: String,
    maybe_delivered_why: String,
    maybe_delivered_fix: String,
    second_try: String,
    come_back: String,
    come_back_usually: String,
    own_clean: String,
    own_shows: String,
    own_explains: String,
    own_disputes: String,
    own_disputes_fix: String,
}

/// Places named in one sentence.
const PLACES: usize = 2;

/// Puts the verdict into words.
pub(super) struct Wording<'a> {
    case: &'a Case<'a>,
    phrases: VerdictPhrases,
    commands: BTreeMap<String, String>,
}

impl<'a> Wording<'a> {
    pub(super) fn new(case: &'a Case<'a>) -> Self {
        Self { case, phrases: case.knowledge.phrases("verdict"), commands: case.knowledge.phrases("command") }
    }

    pub(super) fn verdict(&self, verdict: &Verdict) -> VerdictPart {
        let text = self.case.knowledge.reason(verdict.reason);
        let own = self.own_side(verdict);
        // Where the reply gives no reason, what a reason means in general would say that it did.
        let (explained, added) = if matches!(verdict.seen_here, SeenHere::Explains(_)) { (own, None) } else { (None, own) };
        let meaning = explained.as_ref().or(verdict.cause.as_ref()).unwrap_or(&text.meaning);
        let (title, why) = (self.title(verdict, &text.title), self.why(verdict, meaning));
        let summary = match why.first() {
            Some(proof) => format!("{title}: {proof}"),
            None => title.clone(),
        };
        VerdictPart {
            outcome: verdict.outcome,
            reason: verdict.reason,
            actor: verdict.actor,
            confidence: verdict.confidence,
            stage: verdict.stage,
            code: verdict.code.map(ReplyCode::number),
            enhanced: verdict.enhanced.map(|enhanced| enhanced.to_string()),
            text: verdict.text.clone(),
            host: verdict.host.clone(),
            session: verdict.session,
            title,
            summary,
            why,
            caveats: added.into_iter().chain(self.caveats(verdict)).collect(),
            fix: self.fix(verdict),
            unknown: self.unknown(verdict, text.unknown.clone()),
            evidence: verdict.evidence.iter().map(evidence).collect(),
        }
    }

    /// What the sender's own side says of it.
    fn own_side(&self, verdict: &Verdict) -> Option<String> {
        let (template, what) = match &verdict.seen_here {
            SeenHere::Nothing => return None,
            SeenHere::Clean => (&self.phrases.own_clean, ""),
            SeenHere::Shows(what) => (&self.phrases.own_shows, what.as_str()),
            SeenHere::Explains(what) => (&self.phrases.own_explains, what.as_str()),
            SeenHere::Disputes(what) => (&self.phrases.own_disputes, what.as_str()),
        };
        Some(fill(template, |_| Some(what.to_owned())))
    }

    fn title(&self, verdict: &Verdict, usual: &str) -> String {
        let target = self.case.facts.target.to_string();
        let named = |template: &str| fill(template, |_| Some(target.clone()));
        match (verdict.twist, verdict.outcome, &self.case.facts.target) {
            (Twist::Contradiction, ..) => self.phrases.contradiction.clone(),
            (Twist::CutShort, ..) => self.phrases.cut_short.clone(),
            (Twist::MaybeDelivered, ..) => self.phrases.maybe_delivered.clone(),
            (Twist::NoLogin, ..) => self.phrases.no_login.clone(),
            (_, Outcome::Accepted, _) if self.case.facts.until == Stage::Auth => named(&self.phrases.accepted_login),
            (Twist::ShutHere | Twist::LocalFirewall | Twist::Partly | Twist::OwnAddress, ..) => self.of_reach(verdict),
            (_, Outcome::Accepted, _) if self.case.facts.question == Question::Ports => self.of_reach(verdict),
            (Twist::TheirSide, ..) if self.case.facts.question == Question::Ports && self.is_some_open() => self.of_reach(verdict),
            (_, Outcome::Accepted, Target::Mailbox(_)) if self.case.facts.until >= Stage::Message => named(&self.phrases.accepted_message),
            (_, Outcome::Accepted, Target::Mailbox(_)) if self.case.facts.until >= Stage::Rcpt => named(&self.phrases.accepted_mailbox),
            (_, Outcome::Accepted, Target::Mailbox(mailbox)) => fill(&self.phrases.accepted_domain, |_| Some(mailbox.domain().to_string())),
            (_, Outcome::Accepted, Target::Domain(_)) => named(&self.phrases.accepted_domain),
            (_, Outcome::Accepted, Target::Host { .. }) => named(&self.phrases.accepted_host),
            _ => usual.to_owned(),
        }
    }

    fn why(&self, verdict: &Verdict, meaning: &str) -> Vec<String> {
        let mut why = Vec::new();
        match verdict.twist {
            Twist::Contradiction => {
                // One of those that say yes, and the one shown of those that say no.
                let no = verdict.evidence.iter().find(|evidence| evidence.session == verdict.session);
                let both = verdict.evidence.first().into_iter().chain(no);
                let told = both.map(|e| fill(&self.phrases.disagreement_yes, |slot| e.slot(slot).map(str::to_owned)));
                why.push(told.collect::<Vec<_>>().join("; "));
                why.push(self.phrases.disagreement_why.clone());
            }
            Twist::CutShort => {
                let time = seconds(self.case.facts.duration);
                let interrupted = self.case.facts.cut_short == Some(FailureKind::Interrupted);
                let template = if interrupted { &self.phrases.interrupted } else { &self.phrases.time_over };
                why.push(fill(template, |_| Some(time.clone())));
            }
            Twist::MaybeDelivered => {
                why.extend(self.proof(verdict));
                why.push(self.phrases.maybe_delivered_why.clone());
            }
            Twist::None if verdict.reason == Reason::MiddleboxInterference => why.extend(self.alike(verdict)),
            Twist::ShutHere | Twist::NoWay | Twist::TheirSide | Twist::LocalFirewall | Twist::OwnAddress => {
                why.extend(self.whose_side(verdict));
            }
            _ => {
                why.extend(self.proof(verdict));
                // What a yes means is said by the title; what a no means needs its sentence.
                // Where no answer was given, nothing can be said of what it leaves open.
                let of_no_answer = verdict.reason == Reason::Undetermined && verdict.code.is_none();
                if verdict.outcome != Outcome::Accepted && !of_no_answer {
                    why.push(meaning.to_owned());
                }
            }
        }
        match verdict.twist {
            Twist::CatchAll => {
                let recipient = self.control_recipient();
                why.push(fill(&self.phrases.catch_all, |_| recipient.clone()));
            }
            Twist::RefusedForAll => why.push(self.phrases.refused_for_all.clone()),
            _ => {}
        }
        why
    }

    /// The policies by which senders hold mail back.
    fn held_back(&self) -> impl Iterator<Item = Outlook> {
        let held_back = |sender| self.case.outlook(sender).filter(|outlook| outlook.delivery == Delivery::Defers);
        [Sender::Dane, Sender::MtaSts].into_iter().filter_map(held_back)
    }

    fn is_held_back(&self) -> bool {
        self.held_back().next().is_some()
    }

    /// Whether the answer shown was given without TLS after TLS had failed.
    fn is_in_clear(&self, verdict: &Verdict) -> bool {
        let shown = verdict.session.and_then(|index| self.case.sessions.get(index));
        shown.is_some_and(|session| session.facts.role == Role::InClear)
    }

    /// What a yes is worth to senders that look at policies, and that it was given in the clear; and why a probe did not go on so.
    fn caveats(&self, verdict: &Verdict) -> Vec<String> {
        let in_clear = self.is_in_clear(verdict);
        let mut told: Vec<String> = in_clear.then(|| self.phrases.in_clear.clone()).into_iter().collect();
        if verdict.outcome == Outcome::Accepted && self.case.facts.until >= Stage::Message {
            told.push(self.phrases.not_the_inbox.clone());
        }
        let shown = verdict.session.and_then(|index| self.case.sessions.get(index));
        if let Some(waited) = self.case.facts.waited.filter(|_| shown.is_some_and(|session| session.facts.role == Role::Retry)) {
            told.push(fill(&self.phrases.second_try, |_| Some(seconds(waited.waited))));
        }
        told.extend(match relaying(self.case) {
            Relaying::Open => Some(self.phrases.open_relay.clone()),
            Relaying::Refused(count) => Some(fill(&self.phrases.no_open_relay, |_| Some(count.to_string()))),
            Relaying::Unknown => None,
        });
        let policies = self.held_back();
        if verdict.outcome == Outcome::Accepted {
            let causes: BTreeMap<String, String> = self.case.knowledge.phrases("delivery_cause");
            let senders: BTreeMap<String, String> = self.case.knowledge.phrases("honours");
            let sentence = |outlook: Outlook| {
                fill(&self.phrases.held_back, |slot| {
                    Some(if slot == "cause" { name_in(&causes, outlook.cause) } else { name_in(&senders, outlook.sender) })
                })
            };
            let sentences: Vec<String> = policies.map(sentence).collect();
            let others = self.case.outlook(Sender::Opportunistic).map(|outlook| outlook.delivery);
            if !sentences.is_empty() && !in_clear {
                told.extend(sentences);
                let encrypted = matches!(others, Some(Delivery::Encrypted | Delivery::Authenticated));
                told.push(if encrypted { self.phrases.others_encrypt.clone() } else { self.phrases.others_in_clear.clone() });
            } else {
                told.extend(sentences);
            }
        } else if matches!(verdict.reason, Reason::TlsFailed | Reason::TlsTooOld) && policies.count() > 0 {
            told.push(self.phrases.no_clear_retry.clone());
        }
        told
    }

    /// `552 5.2.2 … to RCPT TO, at all 3 addresses`: the proof, and how many say the same.
    fn proof(&self, verdict: &Verdict) -> Option<String> {
        let beside = |evidence: &Evidence| evidence.slot("control").is_some() || evidence.slot("beside").is_some();
        let proof: Vec<&Evidence> = verdict.evidence.iter().filter(|evidence| !beside(evidence)).collect();
        let first = proof.iter().find(|e| e.session == verdict.session).or_else(|| proof.first())?;
        let Some(place) = first.slot("place") else { return Some(first.quote.clone()) };
        let quote = quoted(verdict).unwrap_or_else(|| first.quote.clone());
        let reply = match (verdict.code, first.slot("verb")) {
            (Some(_), Some(verb)) => {
                let key = verb.to_lowercase().replace('-', "_");
                let command = self.commands.get(&key).cloned().unwrap_or_else(|| verb.to_owned());
                fill(&self.phrases.reply, |slot| Some(if slot == "quote" { quote.clone() } else { command.clone() }))
            }
            _ => quote,
        };
        let total = self.total();
        let alike = |evidence: &&&Evidence| gist(&evidence.quote) == gist(&first.quote);
        // An ICMP error is worded by its family; which side it is from is what they have in common.
        let count = match verdict.twist {
            Twist::ShutHere | Twist::NoWay | Twist::LocalFirewall => proof.len(),
            _ => proof.iter().filter(alike).count(),
        };
        let template = match count {
            1 => &self.phrases.at_one,
            _ if count == total => &self.phrases.at_all,
            _ => &self.phrases.at_some,
        };
        let at = fill(template, |slot| match slot {
            "place" => Some(place.to_owned()),
            "count" => Some(count.to_string()),
            "total" => Some(total.to_string()),
            _ => None,
        });
        Some(format!("{reply}, {at}"))
    }

    /// How many addresses and ports the verdict is about.
    fn total(&self) -> usize {
        let counted = self.case.sessions.iter().filter(|session| session.answer.is_some() && self.case.is_needed(session));
        counted.map(|session| session.facts.address).collect::<BTreeSet<_>>().len()
    }

    /// The headline about ports.
    fn of_reach(&self, verdict: &Verdict) -> String {
        let facts = self.case.facts;
        let of_session = |evidence: &Evidence| evidence.session.and_then(|index| self.case.sessions.get(index));
        let shown: Vec<&SessionCase<'_>> = verdict.evidence.iter().filter(|e| e.slot("beside").is_none()).filter_map(of_session).collect();
        let v4 = shown.first().is_some_and(|session| session.facts.address.is_ipv4());
        let open = self.open().count();
        // The family is named where the other one was asked on that port, and is not meant.
        let meant = |v4: bool| shown.iter().any(|session| session.facts.address.is_ipv4() == v4);
        let asked = |session: &SessionCase<'_>| session.answer.is_some() && session.facts.address.port() == Port::SMTP.number();
        let there = |session: &SessionCase<'_>| !matches!(session.state, PortState::NoRoute | PortState::Untested);
        let other = |session: &SessionCase<'_>| session.facts.address.is_ipv4() != v4 && asked(session) && there(session);
        let other_family = !meant(!v4) && self.case.sessions.iter().any(other);
        let refusal = self.open().all(|session| refusal(session).is_some()).then(|| self.open().find_map(refusal)).flatten();
        let own = facts.vantage.own.first();
        let template = match (verdict.twist, verdict.outcome) {
            (Twist::OwnAddress, _) if own.is_some_and(|own| own.here) => &self.phrases.own_here,
            (Twist::OwnAddress, _) => &self.phrases.own_behind,
            (Twist::LocalFirewall, _) => &self.phrases.local_firewall,
            (Twist::ShutHere, _) if other_family => &self.phrases.shut_here_family,
            (Twist::ShutHere, _) => &self.phrases.shut_here,
            (_, Outcome::Accepted) if refusal.is_some() => &self.phrases.ports_refusing,
            (_, Outcome::Accepted) if open == 1 => &self.phrases.ports_open,
            (_, Outcome::Accepted) => &self.phrases.ports_open_all,
            _ if verdict.reason == Reason::FamilyBroken => &self.phrases.ports_family,
            _ => &self.phrases.ports_partly,
        };
        fill(template, |slot| match slot {
            "port" => Some(self.ports(verdict)),
            "code" => refusal.map(|code| code.to_string()),
            "count" if verdict.outcome == Outcome::Accepted => Some(open.to_string()),
            "count" => Some(self.total().saturating_sub(open).to_string()),
            "total" => Some(self.total().to_string()),
            "family" => Some(if v4 { "IPv4" } else { "IPv6" }.to_owned()),
            "address" => own.map(|own| own.address.to_string()),
            "host" => shown.first().map(|session| session.facts.name.to_string()),
            _ => None,
        })
    }

    /// What mail needs and is open.
    fn open(&self) -> impl Iterator<Item = &SessionCase<'_>> {
        let usable = |session: &&SessionCase<'_>| session.answer.is_some() && self.case.is_needed(session) && session.state.is_open();
        self.case.sessions.iter().filter(usable)
    }

    fn is_some_open(&self) -> bool {
        self.open().next().is_some()
    }

    /// The ports that the verdict is about: of a shut one those of its proof, and what control hosts tell is about port 25.
    fn ports(&self, verdict: &Verdict) -> String {
        let of_proof = || {
            let sessions =
                verdict.evidence.iter().filter(|e| e.slot("beside").is_none()).filter_map(|e| self.case.sessions.get(e.session?));
            let mut ports: Vec<u16> = sessions.map(|session| session.facts.address.port()).collect();
            ports.sort_unstable();
            ports.dedup();
            ports
        };
        let ports = match verdict.twist {
            Twist::ShutHere | Twist::NoWay | Twist::TheirSide => vec![Port::SMTP.number()],
            _ if verdict.outcome == Outcome::Accepted => self.case.facts.needed.iter().map(|port| port.number()).collect(),
            _ => of_proof(),
        };
        ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// The proof, and what connections beside those asked for add to it.
    fn whose_side(&self, verdict: &Verdict) -> Vec<String> {
        let beside = |role| verdict.evidence.iter().filter(move |evidence| evidence.slot("beside") == Some(role));
        let at = |evidence: &Evidence| evidence.slot("place").unwrap_or_default().to_owned();
        let with_places = |template: &str, mut places: Vec<String>| {
            let more = places.len().saturating_sub(PLACES);
            places.truncate(PLACES);
            if more > 0 {
                places.push(fill(&self.phrases.more, |_| Some(more.to_string())));
            }
            let filled = fill(template, |slot| Some(if slot == "port" { self.ports(verdict) } else { places.join(", ") }));
            (!places.is_empty()).then_some(filled)
        };
        let timed = |evidence: &Evidence| fill(&self.phrases.other_port_at, |slot| evidence.slot(slot).map(str::to_owned));
        let standing = |evidence: &&Evidence| evidence.slot("time").is_some_and(|time| !time.is_empty());
        let own_here = self.case.facts.vantage.own.first().is_some_and(|own| own.here);
        let controls: Vec<String> = beside("control").map(at).collect();
        let added = match verdict.twist {
            Twist::ShutHere | Twist::NoWay => {
                let others = with_places(&self.phrases.other_ports, beside("other_port").filter(standing).map(timed).collect());
                let alone = beside("other_port").next().is_none().then(|| self.nothing_else(verdict));
                [with_places(&self.phrases.shut_here_control, controls), others.or(alone)]
            }
            Twist::TheirSide => {
                let others: Vec<String> = beside("other_port").filter(standing).map(timed).collect();
                // A port that refuses is a sign of life as well.
                let lifeless = beside("other_port").next().is_none() && self.was_asked_elsewhere(verdict);
                let others =
                    if lifeless { Some(self.phrases.no_other_port.clone()) } else { with_places(&self.phrases.other_ports, others) };
                [with_places(&self.phrases.their_side, controls), others]
            }
            Twist::LocalFirewall => [Some(self.phrases.local_firewall_why.clone()), None],
            _ if own_here => [Some(self.phrases.own_here_why.clone()), None],
            _ => [Some(self.phrases.own_behind_why.clone()), None],
        };
        self.proof(verdict).into_iter().chain(added.into_iter().flatten()).collect()
    }

    /// That it may be more than a port that is shut.
    fn nothing_else(&self, verdict: &Verdict) -> String {
        let families: BTreeSet<&str> = verdict
            .evidence
            .iter()
            .filter_map(|evidence| self.case.sessions.get(evidence.session?))
            .map(|session| if session.facts.address.is_ipv4() { "IPv4" } else { "IPv6" })
            .collect();
        fill(&self.phrases.nothing_else, |_| Some(families.iter().copied().collect::<Vec<_>>().join(", ")))
    }

    /// Whether other ports of the host shown were tried over the same family.
    fn was_asked_elsewhere(&self, verdict: &Verdict) -> bool {
        let shown = verdict.session.and_then(|index| self.case.sessions.get(index)).map(|session| session.facts);
        shown.is_some_and(|shown| {
            self.case.sessions.iter().map(|session| session.facts).any(|other| {
                other.host == shown.host && other.address.ip() == shown.address.ip() && other.address.port() != shown.address.port()
            })
        })
    }

    /// One and the same greeting at unlike hosts.
    fn alike(&self, verdict: &Verdict) -> Option<String> {
        let first = verdict.evidence.iter().find(|evidence| evidence.slot("control").is_some())?;
        Some(fill(&self.phrases.intercepted_why, |slot| first.slot(slot).map(str::to_owned)))
    }

    fn control_recipient(&self) -> Option<String> {
        self.case.sessions.iter().find_map(|session| {
            session.facts.transcript.events.iter().find_map(|(_, event)| match event {
                Event::Sent { command: Command::Rcpt { to, .. }, purpose: Purpose::CatchAll } => Some(to.to_string()),
                _ => None,
            })
        })
    }

    fn fix(&self, verdict: &Verdict) -> Vec<Fix> {
        let say = |actor, text: &str| Fix { actor, text: text.to_owned() };
        match (verdict.twist, verdict.outcome) {
            (Twist::Contradiction, _) => {
                vec![say(Actor::SenderUser, &self.phrases.disagreement_sender), say(Actor::RecipientAdmin, &self.phrases.disagreement_fix)]
            }
            (Twist::CutShort, _) => Vec::new(),
            (_, Outcome::Deferred) if self.come_back(verdict).is_some() => {
                let others = verdict.fix.iter().filter(|fix| fix.actor != Actor::Wait).cloned();
                self.come_back(verdict).map(|words| say(Actor::Wait, &words)).into_iter().chain(others).collect()
            }
            (Twist::MaybeDelivered, _) => vec![say(Actor::SenderUser, &self.phrases.maybe_delivered_fix)],
            (_, Outcome::Accepted) if self.case.facts.until >= Stage::Message => {
                let id = part(self.case).and_then(|letter| letter.queue_id);
                let template = if id.is_some() { &self.phrases.look_for_queue_id } else { &self.phrases.look_for_it };
                vec![say(Actor::Nobody, &fill(template, |_| id.clone()))]
            }
            (Twist::OwnAddress, _) => vec![say(Actor::SenderAdmin, &self.phrases.own_fix)],
            (Twist::LocalFirewall, _) => vec![say(Actor::SenderAdmin, &self.phrases.local_firewall_fix)],
            // What the first advice would find out has been found out.
            (Twist::TheirSide, _) => {
                let theirs = verdict.fix.iter().filter(|fix| fix.actor == Actor::RecipientAdmin).cloned();
                std::iter::once(say(Actor::SenderAdmin, &self.phrases.their_side_sender)).chain(theirs).collect()
            }
            // What is right already need not be set right.
            _ if matches!(verdict.seen_here, SeenHere::Disputes(_)) => {
                let theirs = verdict.fix.iter().filter(|fix| fix.actor == Actor::RecipientAdmin).cloned();
                std::iter::once(say(Actor::SenderAdmin, &self.phrases.own_disputes_fix)).chain(theirs).collect()
            }
            (_, Outcome::Accepted) if self.is_held_back() => vec![say(Actor::RecipientAdmin, &self.phrases.held_back_fix)],
            (_, Outcome::Accepted) if self.is_in_clear(verdict) => vec![say(Actor::RecipientAdmin, &self.phrases.in_clear_fix)],
            (_, Outcome::Accepted) => {
                vec![say(Actor::Nobody, &self.phrases.send_real)].into_iter().filter(|_| self.case.facts.until >= Stage::Rcpt).collect()
            }
            _ => verdict.fix.clone(),
        }
    }

    /// When to ask again where the server greylists; none where it does not.
    fn come_back(&self, verdict: &Verdict) -> Option<String> {
        let shown = verdict.session.and_then(|index| self.case.sessions.get(index)).filter(|_| verdict.reason == Reason::Greylisted)?;
        let come_back = shown.facts.come_back?;
        let template = if come_back.named { &self.phrases.come_back } else { &self.phrases.come_back_usually };
        Some(fill(template, |_| Some(seconds(come_back.after))))
    }

    fn unknown(&self, verdict: &Verdict, usual: Option<String>) -> Option<String> {
        let mailbox = self.case.facts.target.mailbox().is_some();
        // What a yes leaves open is said by what to do about it.
        let usual = usual.filter(|_| mailbox && verdict.twist != Twist::Contradiction && verdict.outcome != Outcome::Accepted);
        let no_route = |v4: bool| {
            let asked = self.case.sessions.iter().filter(|session| session.facts.role == Role::Asked);
            let mut family = asked.filter(|session| session.facts.address.is_ipv4() == v4).peekable();
            let unrouted =
                |s: &SessionCase<'_>| s.facts.transcript.failure().is_some_and(|(_, _, failure)| failure.kind == FailureKind::NoRoute);
            family.peek().is_some() && family.all(unrouted)
        };
        let untested = match (no_route(true), no_route(false)) {
            (true, false) => Some("IPv4"),
            (false, true) => Some("IPv6"),
            _ => None,
        };
        let untested = untested.map(|family| fill(&self.phrases.other_family_untested, |_| Some(family.to_owned())));
        match (usual, untested) {
            (Some(usual), Some(untested)) => Some(format!("{usual} {untested}")),
            (usual, untested) => usual.or(untested),
        }
    }
}

/// The code of a greeting that refuses; none if there is none.
fn refusal(session: &SessionCase<'_>) -> Option<ReplyCode> {
    let greeting = session.facts.transcript.reply_to(Verb::Connect, Purpose::Target)?;
    (!greeting.is_yes()).then_some(greeting.reply.code)
}

/// `552 5.2.2 "mailbox is over quota"`: the deciding reply, short enough for what is said about it; none if it was no reply.
fn quoted(verdict: &Verdict) -> Option<String> {
    const ROOM: usize = 120;
    // The words of a yes before any recipient are a list of extensions.
    let telling = verdict.outcome != Outcome::Accepted || verdict.stage >= Stage::Mail;
    let text = verdict.text.as_deref().map(|text| if telling { text } else { "" })?;
    let words = match text.char_indices().nth(ROOM) {
        Some((end, _)) => format!(" \"{} ...\"", text[..end].trim_end()),
        None if text.is_empty() => String::new(),
        None => format!(" \"{text}\""),
    };
    let enhanced = verdict.enhanced.map(|enhanced| format!(" {enhanced}")).unwrap_or_default();
    Some(format!("{}{enhanced}{words}", verdict.code?))
}
