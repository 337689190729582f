//! The side that asks servers: it takes its share of the partitions that have jobs, and gives them back when others have too few.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::broker::{Broker, BrokerError};
use super::engine::Site;
use super::lease::Span;
use super::message::mark;
use super::outbox::{Name, Sent};
use super::partition::answers_subject;
use super::registry::{AGAIN, Registry};
use super::shop::Shop;
use crate::bulk::Halt;
use crate::bulk::pool::Pool;
use crate::knowledge::Knowledge;
use crate::settings::Settings;

/// Answers that wait for the broker to have them.
const IN_FLIGHT: usize = 256;
/// For what is put in order at the end.
const PARTING: Duration = Duration::from_secs(3);

/// How a worker is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Mailboxes answered since it began.
    pub answered: u64,
    /// Partitions that it holds.
    pub partitions: usize,
    /// Sessions open.
    pub sessions: usize,
    /// Workers that are there, itself among them.
    pub workers: usize,
    /// Lists that have jobs.
    pub runs: usize,
}

/// A worker that is ready.
#[derive(Debug)]
pub struct Worker {
    pub(super) broker: Broker,
    pub(super) registry: Registry,
    pub(super) name: String,
    pub(super) span: Span,
}

impl Worker {
    /// Opens what is needed at the broker.
    ///
    /// # Errors
    /// If the broker cannot be worked with.
    pub async fn open(broker: Broker, span: Span) -> Result<Self, BrokerError> {
        let registry = Registry::open(&broker, span).await?;
        Ok(Self { broker, registry, name: format!("{:016x}", fastrand::u64(..)), span })
    }

    /// Works until `halt` says otherwise: with [`Halt::Finish`] what is being asked is asked to its end. `own` says by which way to connect,
    /// and how this machine calls itself. `report` is called about once a second.
    pub async fn run(
        self,
        (own, knowledge): (&Settings, &Knowledge),
        connections: usize,
        mut halt: watch::Receiver<Halt>,
        mut report: impl FnMut(&Load),
    ) -> Load {
        let (pool, outbox, filled, answered) = (Pool::new(connections), RefCell::default(), Notify::new(), Cell::new(0));
        let site = Site { broker: &self.broker, own, knowledge, pool: &pool, outbox: &outbox, filled: &filled, answered: &answered };
        let mut shop = Shop::new(&self, &site, connections as u64);
        let (mut sending, mut closing) = (FuturesUnordered::new(), FuturesUnordered::new());
        let mut tick = interval(shop.registry.span().beat());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut asked_to, mut stopped_at, mut told) = (Halt::No, None::<Instant>, Instant::now());
        loop {
            while sending.len() + closing.len() < IN_FLIGHT
                && let Some((name, payload)) = { outbox.borrow_mut().next() }
            {
                sending.push(send(&self.broker, name, payload));
            }
            if asked_to != Halt::No {
                let is_through = shop.engines.is_empty() && outbox.borrow().is_empty();
                let is_late = asked_to == Halt::Now && stopped_at.is_some_and(|at| at.elapsed() > PARTING);
                if is_through || is_late {
                    break;
                }
            }
            tokio::select! {
                biased;
                Ok(()) = halt.changed() => {
                    asked_to = *halt.borrow_and_update();
                    if asked_to == Halt::Now {
                        stopped_at = Some(Instant::now());
                    }
                    shop.halt(asked_to);
                }
                // However much else there is to do: leases come first.
                _ = tick.tick() => {
                    shop.beat(asked_to);
                    if told.elapsed() >= Duration::from_secs(1) {
                        told = Instant::now();
                        report(&shop.load());
                    }
                }
                Some((partition, done)) = shop.engines.next(), if !shop.engines.is_empty() => shop.ended(partition, done),
                Some(done) = shop.errands.next(), if !shop.errands.is_empty() => shop.done(done),
                Some((name, sent)) = sending.next(), if !sending.is_empty() => {
                    let done = outbox.borrow_mut().sent(name, sent);
                    if let Some((partition, acker)) = done {
                        // Until the broker has said so, whoever takes the partition over might get the job as well.
                        closing.push(async move {
                            let _ = acker.double_ack().await;
                            partition
                        });
                    }
                }
                Some(partition) = closing.next(), if !closing.is_empty() => outbox.borrow_mut().closed(partition),
                () = filled.notified() => {}
            }
        }
        let load = shop.load();
        let _ = timeout(PARTING, shop.leave()).await;
        load
    }
}

/// Publishes one answer.
async fn send(broker: &Broker, name: Name, payload: Vec<u8>) -> (Name, Sent) {
    // The same answer is taken once, however often it is published; another one to the same line is the publisher's to judge.
    let id = format!("{}-{:x}", name.1, mark(&String::from_utf8_lossy(&payload)));
    let message = PublishMessage::build().payload(payload.into()).message_id(id);
    let sent = match broker.jetstream.send_publish(answers_subject(&name.0), message).await {
        Ok(acknowledgement) => acknowledgement.await.map(drop),
        Err(error) => Err(error),
    };
    let sent = match sent {
        Ok(()) => return (name, Sent::There),
        Err(error) if error.kind() == PublishErrorKind::StreamNotFound => Sent::NoRun,
        Err(error) => {
            if broker.times().is_some() {
                broker.complain(&BrokerError::failed("publishing an answer", error));
            }
            Sent::Unknown
        }
    };
    sleep(AGAIN).await;
    (name, sent)
}
