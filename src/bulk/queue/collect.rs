//! Answers as they come from the broker.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Batch;
use futures_util::StreamExt;

/// Answers that are asked for at a time, and how long the broker keeps the question.
const BATCH: usize = 500;
const PULL: Duration = Duration::from_secs(2);

/// Asks for answers, again and again.
#[derive(Default)]
pub(super) struct Collector {
    from: Option<PullConsumer>,
    /// Whoever asks and does not wait for the batch leaves its messages hanging.
    asking: Option<Pin<Box<dyn Future<Output = Option<Batch>>>>>,
    batch: Option<Pin<Box<Batch>>>,
    of_batch: usize,
}

/// What came.
pub(super) enum Pulled {
    /// This.
    Message(Box<Message>),
    /// All that was there has come.
    All,
    /// Nothing comes any more from this consumer.
    Broken,
}

impl Collector {
    /// From this consumer.
    pub(super) fn of(from: PullConsumer) -> Self {
        Self { from: Some(from), ..Self::default() }
    }

    /// The next thing that comes; nothing ever does where there is no consumer. Nothing is lost where this is not waited for.
    pub(super) async fn next(&mut self) -> Pulled {
        loop {
            if let Some(batch) = &mut self.batch {
                match batch.next().await {
                    Some(Ok(message)) => {
                        self.of_batch += 1;
                        return Pulled::Message(Box::new(message));
                    }
                    Some(Err(_)) => {
                        *self = Self::default();
                        return Pulled::Broken;
                    }
                    None => {
                        self.batch = None;
                        // One that is full may have left something behind.
                        if self.of_batch < BATCH {
                            return Pulled::All;
                        }
                    }
                }
            }
            if let (None, Some(from)) = (&self.asking, &self.from) {
                let from = from.clone();
                self.asking = Some(Box::pin(async move { from.batch().max_messages(BATCH).expires(PULL).messages().await.ok() }));
            }
            let Some(asking) = &mut self.asking else { return pending().await };
            let begun = asking.await;
            self.asking = None;
            let Some(begun) = begun else {
                *self = Self::default();
                return Pulled::Broken;
            };
            (self.batch, self.of_batch) = (Some(Box::pin(begun)), 0);
        }
    }
}
