//! A journal on a thread of its own: whoever asks servers does not wait for the disk.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::{Journal, JournalError};
use crate::bulk::Answer;

/// So many answers wait for the disk before whoever hands in the next one waits too.
const WAITING: usize = 4096;

/// The journal takes no more answers; [`Scribe::close`] tells why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal takes no more answers")]
pub struct Closed;

/// Writes answers into a journal as they are handed in, each synced within the journal's [`Pace`](super::Pace).
#[derive(Debug)]
pub struct Scribe {
    answers: SyncSender<Answer>,
    thread: JoinHandle<Result<u64, JournalError>>,
}

impl Scribe {
    /// Starts writing; `written` gets the answers of each group once they are safe on the disk, in the order in which they were
    /// handed in, on the scribe's own thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(journal: Journal, written: impl FnMut(Vec<Answer>) + Send + 'static) -> io::Result<Self> {
        let (answers, received) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(move || write(journal, &received, written))?;
        Ok(Self { answers, thread })
    }

    /// Hands in an answer; it is not yet written when this returns. Waits while 4,096 answers wait for the disk.
    ///
    /// # Errors
    /// If the journal has failed, or the line was answered already: the run has to stop, and [`close`](Self::close) tells why.
    pub fn hand(&self, answer: Answer) -> Result<(), Closed> {
        self.answers.send(answer).map_err(|_| Closed)
    }

    /// Writes what waits and closes the journal; how many answers it holds now, all of them safe.
    ///
    /// # Errors
    /// What the journal failed of, now or before.
    pub fn close(self) -> Result<u64, JournalError> {
        drop(self.answers);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Writes until nobody hands in any more.
fn write(mut journal: Journal, answers: &Receiver<Answer>, mut written: impl FnMut(Vec<Answer>)) -> Result<u64, JournalError> {
    loop {
        let received = match journal.due() {
            None => answers.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => answers.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let is_last = matches!(received, Err(RecvTimeoutError::Disconnected));
        let safe = match received {
            Ok(answer) => journal.append(answer, Instant::now()),
            Err(_) => journal.commit(),
        };
        let safe = match safe {
            Ok(safe) => safe,
            Err(error) => {
                // A second answer to a line is a fault of the caller's; those before it are none the less true.
                if matches!(error, JournalError::Answered(_)) {
                    written(journal.commit()?);
                }
                return Err(error);
            }
        };
        if !safe.is_empty() {
            written(safe);
        }
        if is_last {
            return Ok(journal.safe());
        }
    }
}
