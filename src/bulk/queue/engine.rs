//! The work at one partition of one run, for as long as its lease is good.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::PullConsumer;
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::broker::{Broker, BrokerError};
use super::lease::{Age, Moment, Span};
use super::message::{Job, Terms, decode};
use super::outbox::{InHand, Outbox, Place, Recognised};
use super::partition::{jobs_stream, jobs_subject};
use super::registry::AGAIN;
use super::resync::consumer;
use super::{Notice, RunName};
use crate::bulk::Halt;
use crate::bulk::pool::Pool;
use crate::bulk::run::{Wanted, run_beside};
use crate::knowledge::Knowledge;
use crate::settings::Settings;

/// Jobs of one partition that are in hand at a time.
const HAND: usize = 5000;
/// Jobs that are asked for at a time.
const BATCH: usize = 500;
/// How long the broker keeps the question when there is nothing.
const PULL: Duration = Duration::from_secs(1);
/// Where nothing comes for so long, the work at a partition ends.
const IDLE: Duration = Duration::from_secs(4);

/// What all work of this worker has in common.
pub(super) struct Site<'a> {
    pub(super) broker: &'a Broker,
    pub(super) own: &'a Settings,
    pub(super) knowledge: &'a Knowledge,
    pub(super) pool: &'a Pool,
    pub(super) outbox: &'a RefCell<Outbox>,
    /// Told when something was put into the outbox.
    pub(super) filled: &'a Notify,
    pub(super) answered: &'a Cell<u64>,
}

/// Asks for what is in `partition` of `run` until there is nothing more, or `halt` says so. Whatever has no answer then stays with the
/// broker.
pub(super) async fn work(
    site: &Site<'_>,
    (run, terms): (&RunName, &Terms),
    partition: u16,
    (holder, fence): (&str, &Fence),
    halt: watch::Receiver<Halt>,
) -> Result<(), BrokerError> {
    let (order, settings) = match terms.apply(site.own, HAND) {
        Ok(applied) => applied,
        Err(error) => {
            site.broker.tell(Notice::Misunderstood { what: "run", why: error.to_string() });
            return Ok(());
        }
    };
    let in_hand: RefCell<HashMap<u64, InHand>> = RefCell::default();
    let (feed, wanted) = mpsc::channel(HAND);
    let answer = |answer: crate::bulk::Answer| {
        if let Some(job) = in_hand.borrow_mut().remove(&answer.line) {
            site.answered.set(site.answered.get() + 1);
            if let Err(error) = site.outbox.borrow_mut().put(run, partition, answer, job) {
                site.broker.tell(Notice::Misunderstood { what: "answer", why: error.to_string() });
            }
            site.filled.notify_one();
        }
        ControlFlow::Continue(())
    };
    let may_go_on = || fence.age() < Age::Void;
    let ask = run_beside((&order, &settings, site.knowledge), (site.pool, &may_go_on), wanted, halt.clone(), answer, |_| {});
    let pulled = Pull { site, run, partition, holder, in_hand: &in_hand, feed, halt }.all();
    let (_, pulled) = tokio::join!(ask, pulled);
    pulled
}

/// Takes jobs from the broker and hands them to the run.
struct Pull<'a> {
    site: &'a Site<'a>,
    run: &'a RunName,
    partition: u16,
    holder: &'a str,
    in_hand: &'a RefCell<HashMap<u64, InHand>>,
    feed: mpsc::Sender<Wanted>,
    halt: watch::Receiver<Halt>,
}

impl Pull<'_> {
    async fn all(self) -> Result<(), BrokerError> {
        let mut halt = self.halt.clone();
        let halted = async move {
            while *halt.borrow_and_update() == Halt::No {
                if halt.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            biased;
            () = halted => Ok(()),
            done = self.until_idle() => done,
        }
    }

    async fn until_idle(&self) -> Result<(), BrokerError> {
        let mut idle_since: Option<Instant> = None;
        loop {
            let Some(consumer) = self.consumer().await? else { return Ok(()) };
            let link = self.site.broker.times();
            loop {
                let room = HAND.saturating_sub(self.in_hand.borrow().len());
                if room == 0 {
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
                let begun = Instant::now();
                let got = self.batch(&consumer, room.min(BATCH)).await;
                if self.feed.is_closed() {
                    return Ok(());
                }
                if got.is_err() || self.site.broker.times() != link {
                    // What was on its way may be lost: a new consumer begins with it.
                    break;
                }
                if got.is_ok_and(|count| count > 0) || !self.in_hand.borrow().is_empty() {
                    idle_since = None;
                } else if idle_since.get_or_insert(begun).elapsed() >= IDLE {
                    return Ok(());
                }
            }
            sleep(AGAIN).await;
        }
    }

    /// The consumer of this holder alone: those of earlier ones are deleted, and what they had in hand comes again. None if the run is
    /// over.
    async fn consumer(&self) -> Result<Option<PullConsumer>, BrokerError> {
        let broker = self.site.broker;
        let Some(stream) = broker.stream(&jobs_stream(self.run)).await? else { return Ok(None) };
        let prefix = format!("p{}-", self.partition);
        let mut names = stream.consumer_names();
        while let Some(name) = names.try_next().await.map_err(|error| broker.blame(BrokerError::failed("looking for consumers", error)))? {
            if name.starts_with(&prefix) {
                let _ = stream.delete_consumer(&name).await;
            }
        }
        let name = format!("{prefix}{}-{:08x}", self.holder, fastrand::u32(..));
        let subject = jobs_subject(self.run, self.partition);
        let (made, _) = consumer(broker, &stream, &name, Some(subject), i64::try_from(HAND).unwrap_or(i64::MAX)).await?;
        Ok(Some(made))
    }

    /// Takes the next jobs; how many there were.
    async fn batch(&self, consumer: &PullConsumer, most: usize) -> Result<usize, async_nats::Error> {
        let mut messages = consumer.batch().max_messages(most).expires(PULL).messages().await?;
        let mut count = 0;
        while let Some(message) = messages.next().await {
            let message = message?;
            let info = message.info()?;
            let place = Place { sequence: info.stream_sequence, published: info.published.unix_timestamp_nanos() };
            let (message, acker) = message.split();
            count += 1;
            let wanted = decode::<Job>(&message.payload).and_then(Job::wanted);
            let wanted = match wanted {
                Ok(wanted) => wanted,
                Err(error) => {
                    self.site.broker.tell(Notice::Misunderstood { what: "job", why: error.to_string() });
                    let _ = acker.ack_with(AckKind::Term).await;
                    continue;
                }
            };
            let line = wanted.entry.line;
            let job = InHand { place, acker };
            if let Some(known) = self.in_hand.borrow_mut().get_mut(&line) {
                *known = job;
                continue;
            }
            let recognised = self.site.outbox.borrow_mut().recognise(&(self.run.clone(), line), job);
            match recognised {
                Recognised::Waiting => {}
                Recognised::Done(acker) => {
                    let _ = acker.ack().await;
                }
                Recognised::New(job) => {
                    self.in_hand.borrow_mut().insert(line, job);
                    // There is room: the channel holds as many as the hand. Where nobody takes them any more, the run was halted.
                    let _ = self.feed.try_send(wanted);
                }
            }
        }
        Ok(count)
    }
}

/// A lease as its work sees it.
#[derive(Debug)]
pub(super) struct Fence {
    began: Instant,
    span: Span,
    asked: Cell<Option<Moment>>,
}

impl Fence {
    pub(super) fn new(began: Instant, span: Span, asked: Moment) -> Self {
        Self { began, span, asked: Cell::new(Some(asked)) }
    }

    /// The lease was renewed, which was asked for at `asked`. One that has run out is not.
    pub(super) fn renew(&self, asked: Moment) {
        if self.age() < Age::Void {
            self.asked.set(Some(asked));
        }
    }

    /// Somebody else may have it.
    pub(super) fn lose(&self) {
        self.asked.set(None);
    }

    pub(super) fn age(&self) -> Age {
        self.asked.get().map_or(Age::Void, |asked| self.span.age(asked, Moment::now(self.began)))
    }
}

/// Work that is done only while its lease is good: it is looked at before each step, however long the program was stopped before it. Only
/// what is being written in the moment of the stop cannot be taken back: one command of one session.
pub(super) struct Fenced<'a, T> {
    work: Option<Pin<Box<dyn Future<Output = T> + 'a>>>,
    fence: std::rc::Rc<Fence>,
    beat: Interval,
}

impl<'a, T> Fenced<'a, T> {
    pub(super) fn new(work: impl Future<Output = T> + 'a, fence: std::rc::Rc<Fence>) -> Self {
        let mut beat = interval(fence.span.beat());
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { work: Some(Box::pin(work)), fence, beat }
    }
}

impl<T> Future for Fenced<'_, T> {
    type Output = Option<T>;

    /// What the work comes to; none if the lease ran out before. Its connections are closed by then.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        if this.fence.age() == Age::Void {
            this.work = None;
        }
        let Some(work) = &mut this.work else { return Poll::Ready(None) };
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            this.work = None;
            return Poll::Ready(Some(done));
        }
        while this.beat.poll_tick(context).is_ready() {}
        Poll::Pending
    }
}
