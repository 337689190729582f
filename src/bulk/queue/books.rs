//! The books of a run that is being published: which line is where. Pure, but that they acknowledge what is written down.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_nats::jetstream::message::{Acker, PublishMessage};
use async_nats::jetstream::{AckKind, Message};
use roaring::RoaringTreemap;

use super::message::{Job, Outcome, decode, encode, mark};
use super::partition::jobs_subject;
use super::resync::Standing;
use super::{Notice, RunName};
use crate::bulk::input::Entry;
use crate::bulk::journal::Answered;
use crate::bulk::judgement::Judgement;
use crate::bulk::plan::Way;
use crate::bulk::{Answer, Tally};
use crate::knowledge::Knowledge;
use crate::target::{MailDomain, Mailbox};

/// Domains that are remembered.
const DOMAINS: usize = 100_000;
/// So many times as long the longest silence is.
const LONGEST_SILENCE: u32 = 10;

/// Where a domain's mail goes, and into which partition that is; or why nowhere.
pub(super) type Found = Result<(Rc<Way>, u16), Judgement>;

/// A job without an answer.
struct Outstanding {
    /// What its line reads.
    mark: u64,
    partition: u16,
    payload: Vec<u8>,
    /// Whether the broker has it, as far as is known.
    is_there: bool,
    /// Whether it waits to be published, or is on its way.
    is_due: bool,
    /// How often it had to be published anew.
    anew: u32,
}

enum Whereto {
    Sought(Vec<(u64, String, Mailbox)>),
    Found(Found),
}

/// How far the run is believed to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowing {
    /// It has to be looked at.
    Doubt,
    /// So many of the answers that were there have yet to be seen.
    Draining(u64),
    /// It is known.
    Settled,
}

/// The books of a run: which lines are where.
pub(super) struct Books<'a> {
    run: &'a RunName,
    knowledge: &'a Knowledge,
    window: usize,
    before: Option<Answered>,
    waits_for_disk: bool,
    answered: RoaringTreemap,
    outstanding: BTreeMap<u64, Outstanding>,
    due: VecDeque<u64>,
    /// Answers to lines that have not been read yet.
    early: HashMap<u64, (Answer, Acker)>,
    /// Answers that the disk does not have yet.
    unwritten: HashMap<u64, Acker>,
    domains: HashMap<MailDomain, Whereto>,
    /// Lines that wait for their domain.
    sought_lines: usize,
    pub(super) sought: VecDeque<MailDomain>,
    /// Lines whose jobs the broker had when it was looked at last, and what they read.
    there: HashMap<u64, u64>,
    knowing: Knowing,
    missing: usize,
    heard: Instant,
    /// If no answer has come for so long, it is looked whether the jobs are still there; then after twice as long, and so on.
    silence: Duration,
    patience: Duration,
    pub(super) tally: Tally,
}

impl<'a> Books<'a> {
    /// Of `run`, of which `window` lines may be without an answer at a time, after those that were answered `before`. `waits_for_disk`
    /// says whether answers are written down only later, `silence` how long none may come before that is looked into.
    pub(super) fn new(
        (run, knowledge): (&'a RunName, &'a Knowledge),
        window: usize,
        before: Option<Answered>,
        waits_for_disk: bool,
        silence: Duration,
    ) -> Self {
        Self {
            run,
            knowledge,
            window,
            before,
            waits_for_disk,
            answered: RoaringTreemap::new(),
            outstanding: BTreeMap::new(),
            due: VecDeque::new(),
            early: HashMap::new(),
            unwritten: HashMap::new(),
            domains: HashMap::new(),
            sought_lines: 0,
            sought: VecDeque::new(),
            there: HashMap::new(),
            knowing: Knowing::Draining(u64::MAX),
            missing: 0,
            heard: Instant::now(),
            silence,
            patience: silence,
            tally: Tally::default(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.tally.all_read && self.outstanding.is_empty() && self.sought_lines == 0 && self.unwritten.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.outstanding.len() + self.sought_lines < self.window
    }

    pub(super) fn is_settled(&self) -> bool {
        self.knowing == Knowing::Settled
    }

    /// What the broker has is not known any more.
    pub(super) fn doubt(&mut self) {
        self.knowing = Knowing::Doubt;
    }

    /// Whether the broker is to be looked at.
    pub(super) fn wants_a_look(&mut self) -> bool {
        if self.knowing == Knowing::Settled && !self.outstanding.is_empty() && self.heard.elapsed() >= self.patience {
            self.heard = Instant::now();
            self.patience = (self.patience * 2).min(self.silence * LONGEST_SILENCE);
            self.knowing = Knowing::Doubt;
        }
        self.knowing == Knowing::Doubt
    }

    /// How many jobs had to be published anew since this was asked last.
    pub(super) fn missing(&mut self) -> usize {
        std::mem::take(&mut self.missing)
    }

    /// The broker was looked at.
    pub(super) fn stands(&mut self, standing: Standing) {
        self.there = standing.jobs;
        self.knowing = Knowing::Draining(standing.pending);
        if standing.pending == 0 {
            self.drained();
        }
    }

    /// All answers that were there have been seen: what is neither answered nor at the broker is published.
    pub(super) fn drained(&mut self) {
        if !matches!(self.knowing, Knowing::Draining(left) if left < u64::MAX) {
            return;
        }
        self.knowing = Knowing::Settled;
        self.due.clear();
        for (line, job) in &mut self.outstanding {
            let is_there = self.there.get(line) == Some(&job.mark);
            if !is_there && job.is_there {
                self.missing += 1;
                job.anew += 1;
            }
            job.is_there = is_there;
            job.is_due = !is_there;
            if job.is_due {
                self.due.push_back(*line);
            }
        }
    }

    /// The next job to be published.
    pub(super) fn next_job(&mut self) -> Option<(u64, String, PublishMessage)> {
        loop {
            let line = self.due.pop_front()?;
            let Some(job) = self.outstanding.get_mut(&line).filter(|job| job.is_due) else { continue };
            job.is_due = false;
            // The broker passes over what it has had under that name a short while ago.
            let name = format!("{line}-{:x}-{}", job.mark, job.anew);
            let message = PublishMessage::build().payload(job.payload.clone().into()).message_id(name);
            return Some((line, jobs_subject(self.run, job.partition), message));
        }
    }

    /// A job was published, or it is not known whether.
    pub(super) fn published(&mut self, line: u64, is_there: bool) {
        if !is_there {
            return self.doubt();
        }
        if let Some(job) = self.outstanding.get_mut(&line) {
            job.is_there = true;
        }
    }

    /// Takes a line of the list.
    pub(super) async fn read(&mut self, entry: Entry, answer: &mut impl FnMut(Answer) -> ControlFlow<()>) -> ControlFlow<()> {
        self.tally.read += 1;
        if let Some((early, acker)) = self.early(entry.line, &entry.raw).await {
            return self.give(early, Some(acker), answer).await;
        }
        let Entry { line, raw, mailbox } = entry;
        let mailbox = match mailbox {
            Ok(mailbox) => mailbox,
            Err(error) => {
                let invalid = Judgement::invalid(self.knowledge, error.to_string());
                return self.give(invalid.answer((line, raw), None, None, None, 0), None, answer).await;
            }
        };
        let domain = mailbox.domain().clone();
        match self.domains.get_mut(&domain) {
            Some(Whereto::Sought(waiting)) => waiting.push((line, raw, mailbox)),
            Some(Whereto::Found(found)) => {
                let found = found.clone();
                return self.place(line, raw, &mailbox, &found, answer).await;
            }
            None => {
                if self.domains.len() >= DOMAINS {
                    self.domains.retain(|_, whereto| matches!(whereto, Whereto::Sought(_)));
                }
                self.sought.push_back(domain.clone());
                self.domains.insert(domain, Whereto::Sought(vec![(line, raw, mailbox)]));
            }
        }
        self.sought_lines += 1;
        ControlFlow::Continue(())
    }

    /// It is known where a domain's mail goes.
    pub(super) async fn routed(
        &mut self,
        domain: MailDomain,
        found: Found,
        answer: &mut impl FnMut(Answer) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(Whereto::Sought(waiting)) = self.domains.insert(domain, Whereto::Found(found.clone())) else {
            return ControlFlow::Continue(());
        };
        self.sought_lines -= waiting.len();
        for (line, raw, mailbox) in waiting {
            self.place(line, raw, &mailbox, &found, answer).await?;
        }
        ControlFlow::Continue(())
    }

    async fn place(
        &mut self,
        line: u64,
        raw: String,
        mailbox: &Mailbox,
        found: &Found,
        answer: &mut impl FnMut(Answer) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // An earlier publisher's job may have been answered while the domain was looked up.
        if let Some((early, acker)) = self.early(line, &raw).await {
            return self.give(early, Some(acker), answer).await;
        }
        let (way, partition) = match found {
            Ok((way, partition)) => (way, *partition),
            Err(judgement) => return self.give(judgement.answer((line, raw), Some(mailbox), None, None, 0), None, answer).await,
        };
        let mark = mark(&raw);
        let payload = match encode(&Job::new(line, raw.clone(), mailbox, way)) {
            Ok(payload) => payload,
            Err(error) => {
                let unasked = Judgement::unasked(self.knowledge, format!("it cannot be published: {error}"));
                return self.give(unasked.answer((line, raw), Some(mailbox), Some(way.name()), None, 0), None, answer).await;
            }
        };
        let is_there = self.is_settled() && self.there.get(&line) == Some(&mark);
        self.outstanding.insert(line, Outstanding { mark, partition, payload, is_there, is_due: !is_there, anew: 0 });
        if !is_there {
            self.due.push_back(line);
        }
        ControlFlow::Continue(())
    }

    /// Takes a message that should be an answer.
    pub(super) async fn take(
        &mut self,
        tell: &dyn Fn(Notice),
        message: Message,
        answer: &mut impl FnMut(Answer) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.heard = Instant::now();
        self.patience = self.silence;
        let (message, acker) = message.split();
        let flow = match decode::<Outcome>(&message.payload) {
            Err(error) => {
                tell(Notice::Misunderstood { what: "answer", why: error.to_string() });
                let _ = acker.ack_with(AckKind::Term).await;
                ControlFlow::Continue(())
            }
            Ok(outcome) => {
                let line = outcome.answer.line;
                let is_known = self.answered.contains(line) || self.before.as_ref().is_some_and(|before| before.contains(line));
                if let Some(unwritten) = self.unwritten.get_mut(&line) {
                    // It came again before the disk had it.
                    *unwritten = acker;
                    ControlFlow::Continue(())
                } else if is_known {
                    let _ = acker.ack().await;
                    ControlFlow::Continue(())
                } else if let Some(job) = self.outstanding.get(&line) {
                    if job.mark == mark(&outcome.answer.input) {
                        self.outstanding.remove(&line);
                        self.give(outcome.answer, Some(acker), answer).await
                    } else {
                        // A list that begins alike was published under this name before, and was not gone on with.
                        let _ = acker.ack().await;
                        ControlFlow::Continue(())
                    }
                } else {
                    // The list has not been read as far as that; what is in no list is never given.
                    if self.early.len() < self.window || self.early.contains_key(&line) {
                        self.early.insert(line, (outcome.answer, acker));
                    }
                    ControlFlow::Continue(())
                }
            }
        };
        if let Knowing::Draining(left) = &mut self.knowing
            && *left < u64::MAX
        {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.drained();
            }
        }
        flow
    }

    /// The answer that came before its line was read, if it is to what the line reads.
    async fn early(&mut self, line: u64, input: &str) -> Option<(Answer, Acker)> {
        let (answer, acker) = self.early.remove(&line)?;
        if answer.input == input {
            return Some((answer, acker));
        }
        let _ = acker.ack().await;
        None
    }

    async fn give(&mut self, given: Answer, acker: Option<Acker>, answer: &mut impl FnMut(Answer) -> ControlFlow<()>) -> ControlFlow<()> {
        let line = given.line;
        self.note(&given);
        let flow = answer(given);
        match acker {
            Some(acker) if self.waits_for_disk => {
                self.unwritten.insert(line, acker);
            }
            Some(acker) if flow.is_continue() => {
                let _ = acker.ack().await;
            }
            _ => {}
        }
        flow
    }

    fn note(&mut self, given: &Answer) {
        self.answered.insert(given.line);
        if let Some(count) = self.tally.settled.get_mut(given.outcome as usize) {
            *count += 1;
        }
    }

    /// These are written down for good.
    pub(super) async fn written(&mut self, lines: &[u64]) {
        for line in lines {
            if let Some(acker) = self.unwritten.remove(line) {
                let _ = acker.ack().await;
            }
        }
    }
}
