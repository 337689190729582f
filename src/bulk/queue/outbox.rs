//! Answers on their way to the broker: none is dropped before it is there, and only then its job is done.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use async_nats::jetstream::message::Acker;

use super::RunName;
use super::message::{MessageError, Outcome, encode};
use crate::bulk::Answer;

/// So many answers are remembered that are at the broker, in case their jobs come again.
const REMEMBERED: usize = 100_000;
/// So often a run may not be there, a while between, before its answers are dropped: it is over.
const TRIES: u32 = 240;

/// One line of one run.
pub(super) type Name = (RunName, u64);

/// A job as the broker keeps it; one that was published anew is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Its number in the stream.
    pub(super) sequence: u64,
    /// When it was put there.
    pub(super) published: i128,
}

/// A job in hand.
pub(super) struct InHand {
    pub(super) place: Place,
    pub(super) acker: Acker,
}

struct Outgoing {
    partition: u16,
    payload: Vec<u8>,
    job: InHand,
    tries: u32,
}

/// What waits, and what is done.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: HashMap<Name, Outgoing>,
    due: VecDeque<Name>,
    /// Jobs whose answers are there, and that the broker is to forget, by partition.
    closing: BTreeMap<u16, usize>,
    done: HashSet<(RunName, Place)>,
    in_order: VecDeque<(RunName, Place)>,
}

/// What became of a try to publish an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The broker has it.
    There,
    /// There is nobody who would take it.
    NoRun,
    /// It is not known.
    Unknown,
}

impl Outbox {
    /// Takes the answer to `job`.
    pub(super) fn put(&mut self, run: &RunName, partition: u16, answer: Answer, job: InHand) -> Result<(), MessageError> {
        let name = (run.clone(), answer.line);
        let payload = encode(&Outcome::new(answer))?;
        if self.waiting.insert(name.clone(), Outgoing { partition, payload, job, tries: 0 }).is_none() {
            self.due.push_back(name);
        }
        Ok(())
    }

    /// A job for a line came; it may be answered already.
    pub(super) fn recognise(&mut self, name: &Name, job: InHand) -> Recognised {
        if let Some(outgoing) = self.waiting.get_mut(name) {
            outgoing.job = job;
            Recognised::Waiting
        } else if self.done.contains(&(name.0.clone(), job.place)) {
            Recognised::Done(job.acker)
        } else {
            Recognised::New(job)
        }
    }

    /// The next answer to be published.
    pub(super) fn next(&mut self) -> Option<(Name, Vec<u8>)> {
        loop {
            let name = self.due.pop_front()?;
            if let Some(outgoing) = self.waiting.get(&name) {
                return Some((name, outgoing.payload.clone()));
            }
        }
    }

    /// What became of it; where the broker has it, the partition of its job, and how to acknowledge that. When that is done,
    /// [`closed`](Self::closed) is to be told.
    pub(super) fn sent(&mut self, name: Name, sent: Sent) -> Option<(u16, Acker)> {
        let tries = {
            let outgoing = self.waiting.get_mut(&name)?;
            outgoing.tries += u32::from(sent == Sent::NoRun);
            outgoing.tries
        };
        if sent != Sent::There && tries < TRIES {
            self.due.push_back(name);
            return None;
        }
        let outgoing = self.waiting.remove(&name)?;
        let done = (name.0, outgoing.job.place);
        if self.done.insert(done.clone()) {
            self.in_order.push_back(done);
            if self.in_order.len() > REMEMBERED
                && let Some(oldest) = self.in_order.pop_front()
            {
                self.done.remove(&oldest);
            }
        }
        *self.closing.entry(outgoing.partition).or_default() += 1;
        Some((outgoing.partition, outgoing.job.acker))
    }

    /// A job of a partition has been acknowledged.
    pub(super) fn closed(&mut self, partition: u16) {
        if let Some(count) = self.closing.get_mut(&partition) {
            *count -= 1;
            if *count == 0 {
                self.closing.remove(&partition);
            }
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.closing.is_empty()
    }

    /// Whether answers of a partition wait, or their jobs.
    pub(super) fn has(&self, partition: u16) -> bool {
        self.closing.contains_key(&partition) || self.waiting.values().any(|outgoing| outgoing.partition == partition)
    }
}

/// Whether a job's answer is known.
pub(super) enum Recognised {
    /// It is not.
    New(InHand),
    /// It is on its way.
    Waiting,
    /// The broker has it.
    Done(Acker),
}
