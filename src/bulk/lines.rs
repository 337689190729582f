//! Which lines of the list ask for which mailbox, and what the last ones were answered with: each mailbox is asked for once.

use std::collections::{HashMap, VecDeque};

use super::Answer;
use crate::target::Mailbox;

/// A line without its address.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) number: u64,
    pub(super) input: String,
}

/// What is to be done with a line.
pub(super) enum Line {
    /// Its mailbox is asked for.
    First(Listed),
    /// That is being done already, and this line gets the same answer.
    Waits,
    /// That was done.
    Answered(Answer),
}

/// The lines without an answer, and the last answers.
pub(super) struct Lines {
    /// The mailboxes that are asked for, with further lines that ask for them.
    asking: HashMap<Mailbox, Vec<Listed>>,
    answers: HashMap<Mailbox, Answer>,
    /// Their mailboxes, the oldest first.
    oldest: VecDeque<Mailbox>,
    most: usize,
}

impl Lines {
    /// None yet; at most so many answers are kept.
    pub(super) fn new(most: usize) -> Self {
        Self { asking: HashMap::new(), answers: HashMap::new(), oldest: VecDeque::new(), most }
    }

    /// A line asks for a mailbox.
    pub(super) fn ask(&mut self, mailbox: &Mailbox, listed: Listed) -> Line {
        if let Some(others) = self.asking.get_mut(mailbox) {
            others.push(listed);
            return Line::Waits;
        }
        if let Some(known) = self.answers.get(mailbox) {
            return Line::Answered(Answer { line: listed.number, input: listed.input, ..known.clone() });
        }
        self.asking.insert(mailbox.clone(), Vec::new());
        Line::First(listed)
    }

    /// The lines that get the same answer as the first one for this mailbox, which is answered now.
    pub(super) fn others(&mut self, mailbox: &Mailbox) -> Vec<Listed> {
        self.asking.remove(mailbox).unwrap_or_default()
    }

    /// Keeps an answer, and no more of them than are wanted.
    pub(super) fn keep(&mut self, mailbox: &Mailbox, answer: &Answer) {
        if self.most == 0 || self.answers.insert(mailbox.clone(), answer.clone()).is_some() {
            return;
        }
        self.oldest.push_back(mailbox.clone());
        if self.oldest.len() > self.most
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}
