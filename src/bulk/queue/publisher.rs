//! The side that has the list and the journal: it publishes what is to be asked, and collects the answers.

use std::future::{Future, pending};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_nats::jetstream::message::PublishMessage;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::books::{Books, Found};
use super::broker::{Broker, BrokerError};
use super::collect::{Collector, Pulled};
use super::lease::{Moment, Span};
use super::message::{Terms, encode};
use super::partition::{answers_stream, jobs_stream};
use super::registry::{AGAIN, Registry, Taken};
use super::resync::{Standing, look};
use super::whither::Whither;
use super::{Notice, RunName};
use crate::bulk::input::Entry;
use crate::bulk::journal::Answered;
use crate::bulk::judgement::Judgement;
use crate::bulk::plan::Way;
use crate::bulk::run::look_up;
use crate::bulk::{Answer, Order, Tally};
use crate::knowledge::Knowledge;
use crate::route::Resolver;
use crate::settings::{Clock, Settings};
use crate::target::{MailDomain, Port};

/// Jobs that wait for the broker to have them.
const IN_FLIGHT: usize = 256;
/// If no answer has come for so many spans of a lease, it is looked whether the jobs are still there.
const SILENCE: u32 = 4;
/// How often it is looked who is there.
const ROLL: Duration = Duration::from_secs(5);
/// For what is put in order at the end.
const PARTING: Duration = Duration::from_secs(2);

/// What a run is about.
#[derive(Debug)]
pub struct Source<'a> {
    /// How it is held.
    pub order: &'a Order,
    /// What is asked; also how names are looked up.
    pub settings: &'a Settings,
    /// What is known of servers.
    pub knowledge: &'a Knowledge,
    /// The lines of the list, those left out that `answered` has.
    pub lines: mpsc::Receiver<Entry>,
    /// Lines that had their answers before; none if there is no journal.
    pub answered: Option<Answered>,
    /// The lines whose answers are written down for good, as they are; none if an answer is that at once.
    pub written: Option<mpsc::UnboundedReceiver<Vec<u64>>>,
}

/// How publishing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every line has its answer, and the broker has forgotten the run.
    Answered,
    /// It was stopped, or answers are not taken any more. The broker keeps what is there.
    Stopped,
}

/// A run that is being published.
#[derive(Debug)]
pub struct Publisher {
    broker: Broker,
    registry: Registry,
    run: RunName,
    span: Span,
    began: Instant,
    lease: (u64, Moment),
    created: u64,
    /// The connection that the books know of.
    link: Option<u64>,
    /// When progress was told, and who is there was looked at.
    told: Instant,
    rolled: Option<Instant>,
    /// Whether no worker was there.
    is_alone: bool,
}

impl Publisher {
    /// Opens the run at the broker, or the one of that name that is there already.
    ///
    /// # Errors
    /// If the broker cannot be worked with, or somebody else publishes this run.
    pub async fn open(broker: Broker, span: Span, run: RunName, created: u64) -> Result<Self, BrokerError> {
        let registry = Registry::open(&broker, span).await?;
        let began = Instant::now();
        let key = Registry::publisher(&run);
        let patience = registry.span().length() * 2;
        let mut is_told = false;
        let lease = loop {
            let asked = Moment::now(began);
            match registry.take(&key, "").await {
                Taken::Held(revision) => break (revision, asked),
                Taken::Unknown(error) => return Err(broker.blame(error)),
                Taken::Lost if began.elapsed() > patience => return Err(BrokerError::Published(run.to_string())),
                Taken::Lost if !is_told => {
                    is_told = true;
                    broker.tell(Notice::Waiting);
                }
                Taken::Lost => {}
            }
            sleep(AGAIN).await;
        };
        // A run keeps its place among others when it is gone on with.
        let created = registry.terms(&run).await?.and_then(Result::ok).map_or(created, |terms| terms.created());
        let link = broker.times();
        Ok(Self { broker, registry, run, span, began, lease, created, link, told: began, rolled: None, is_alone: false })
    }

    /// Publishes the list, and hands each answer to `answer` once, until all have come, `stop` ends or `answer` breaks. Where the broker is
    /// gone, it is waited for.
    ///
    /// # Errors
    /// If somebody else publishes the run now, or the first look at the broker fails.
    pub async fn run(
        mut self,
        source: Source<'_>,
        mut answer: impl FnMut(Answer) -> ControlFlow<()>,
        mut progress: impl FnMut(&Tally),
        stop: impl Future<Output = ()>,
    ) -> Result<Ended, BrokerError> {
        let Source { order, settings, knowledge, mut lines, answered, mut written } = source;
        let terms = Terms::new(order, settings, self.created);
        let terms = encode(&terms).map_err(|error| BrokerError::failed("announcing the run", error))?;
        let (broker, run) = (self.broker.clone(), self.run.clone());
        let (resolver, whither) = (Resolver::new(settings, Clock::start()).remembering(), Whither::default());
        let silence = self.registry.span().length() * SILENCE;
        let mut books = Books::new((&run, knowledge), order.window, answered, written.is_some(), silence);
        let (mut lookups, mut publishing, mut collector) = (FuturesUnordered::new(), FuturesUnordered::new(), Collector::default());
        let mut looking = Looking::default();
        looking.begin(&broker, self.span, &run, &terms);
        let mut stop = pin!(stop);
        let mut tick = interval(self.registry.span().beat());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = loop {
            if books.is_done() && lookups.is_empty() {
                break Ended::Answered;
            }
            while lookups.len() < order.lookups
                && let Some(domain) = books.sought.pop_front()
            {
                lookups.push(whereto(domain, settings, knowledge, &resolver, &whither, self.registry.clone()));
            }
            while books.is_settled()
                && publishing.len() < IN_FLIGHT
                && let Some((line, subject, message)) = books.next_job()
            {
                publishing.push(publish(&broker, line, subject, message));
            }
            let flow = tokio::select! {
                biased;
                () = &mut stop => ControlFlow::Break(()),
                // However much else there is to do: the lease comes first.
                _ = tick.tick() => {
                    let is_due = self.beat(&mut books, &mut progress).await?;
                    if is_due && looking.is_over() && publishing.is_empty() {
                        looking.begin(&broker, self.span, &run, &terms);
                    }
                    ControlFlow::Continue(())
                }
                pulled = collector.next() => match pulled {
                    Pulled::Message(message) => books.take(&|notice| broker.tell(notice), *message, &mut answer).await,
                    Pulled::All => {
                        books.drained();
                        ControlFlow::Continue(())
                    }
                    Pulled::Broken => {
                        books.doubt();
                        ControlFlow::Continue(())
                    }
                },
                found = looking.done() => {
                    match found {
                        Ok(standing) => {
                            self.registry = standing.registry.clone();
                            collector = Collector::of(standing.answers.clone());
                            books.stands(standing);
                        }
                        Err(error) if looking.is_first() && broker.times().is_some() => return Err(error),
                        Err(error) => {
                            complain(&broker, &error);
                            books.doubt();
                            sleep(AGAIN).await;
                        }
                    }
                    ControlFlow::Continue(())
                }
                Some((place, is_there)) = publishing.next(), if !publishing.is_empty() => {
                    books.published(place, is_there);
                    ControlFlow::Continue(())
                }
                Some((domain, found)) = lookups.next(), if !lookups.is_empty() => {
                    books.routed(domain, found, &mut answer).await
                }
                Some(lines) = async { match &mut written { Some(written) => written.recv().await, None => pending().await } } => {
                    books.written(&lines).await;
                    ControlFlow::Continue(())
                }
                entry = lines.recv(), if books.has_room() && !books.tally.all_read => {
                    books.tally.all_read = entry.is_none();
                    match entry {
                        Some(entry) => books.read(entry, &mut answer).await,
                        None => ControlFlow::Continue(()),
                    }
                }
            };
            if flow.is_break() {
                break Ended::Stopped;
            }
        };
        progress(&books.tally);
        let _ = timeout(PARTING, self.leave(ended)).await;
        Ok(ended)
    }

    /// Looks after what has to be done again and again; whether the broker should be looked at.
    async fn beat(&mut self, books: &mut Books<'_>, progress: &mut impl FnMut(&Tally)) -> Result<bool, BrokerError> {
        let link_now = self.broker.times();
        if link_now != self.link && link_now.is_some() {
            self.link = link_now;
            books.doubt();
        }
        let missing = books.missing();
        if missing > 0 {
            self.broker.tell(Notice::Anew { jobs: missing });
        }
        if link_now.is_some() {
            self.keep().await?;
        }
        if self.told.elapsed() >= Duration::from_secs(1) {
            self.told = Instant::now();
            if link_now.is_some() && self.rolled.is_none_or(|rolled| rolled.elapsed() >= ROLL) {
                self.rolled = Some(Instant::now());
                if let Ok(roll) = self.registry.roll().await {
                    books.tally.open = roll.workers.len();
                    if roll.workers.is_empty() && !self.is_alone {
                        self.broker.tell(Notice::NoWorker);
                    }
                    self.is_alone = roll.workers.is_empty();
                }
            }
            progress(&books.tally);
        }
        Ok(link_now.is_some() && books.wants_a_look())
    }

    /// Has the broker forget the run, whether its mailboxes were answered for or not; tells whether there was anything to forget.
    ///
    /// # Errors
    /// If the broker fails at it.
    pub async fn discard(self) -> Result<bool, BrokerError> {
        let mut was_there = self.registry.terms(&self.run).await?.is_some();
        for stream in [jobs_stream(&self.run), answers_stream(&self.run)] {
            if self.broker.stream(&stream).await?.is_some() {
                was_there = true;
                let failed = |error| self.broker.blame(BrokerError::failed("deleting a stream", error));
                self.broker.jetstream.delete_stream(stream).await.map_err(failed)?;
            }
        }
        self.registry.forget(&self.run).await?;
        self.leave(Ended::Stopped).await;
        Ok(was_there)
    }

    /// Puts things in order at the end.
    async fn leave(&self, ended: Ended) {
        if ended == Ended::Answered {
            // What is left of a run that is over does no harm, and the next run of that name clears it away.
            let _ = self.broker.jetstream.delete_stream(jobs_stream(&self.run)).await;
            let _ = self.broker.jetstream.delete_stream(answers_stream(&self.run)).await;
            let _ = self.registry.forget(&self.run).await;
        }
        self.registry.release(self.lease.0).await;
        let _ = self.broker.jetstream.client().flush().await;
    }

    /// Renews the right to publish this run.
    async fn keep(&mut self) -> Result<(), BrokerError> {
        let now = Moment::now(self.began);
        if now.since(self.lease.1) < self.registry.span().length() / 3 {
            return Ok(());
        }
        let key = Registry::publisher(&self.run);
        let taken = match self.registry.renew(&key, "", self.lease.0).await {
            // It ran out while the broker was gone.
            Taken::Lost => self.registry.take(&key, "").await,
            taken => taken,
        };
        match taken {
            Taken::Held(revision) => self.lease = (revision, now),
            // An earlier renewal may have gone through unheard: that one runs out.
            Taken::Lost if now.since(self.lease.1) > self.registry.span().length() * 3 => {
                return Err(BrokerError::Published(self.run.to_string()));
            }
            Taken::Lost | Taken::Unknown(_) => {}
        }
        Ok(())
    }
}

type Look<'a> = Pin<Box<dyn Future<Output = Result<Standing, BrokerError>> + 'a>>;

/// A look at how things stand at the broker.
#[derive(Default)]
struct Looking<'a> {
    at: Option<Look<'a>>,
    /// How many were begun.
    count: usize,
}

impl<'a> Looking<'a> {
    fn begin(&mut self, broker: &'a Broker, span: Span, run: &'a RunName, terms: &[u8]) {
        self.count += 1;
        self.at = Some(Box::pin(look(broker, span, run, terms.to_vec())));
    }

    /// What was found; never ends where nobody looks.
    async fn done(&mut self) -> Result<Standing, BrokerError> {
        let Some(at) = &mut self.at else { return pending().await };
        let found = at.await;
        self.at = None;
        found
    }

    const fn is_over(&self) -> bool {
        self.at.is_none()
    }

    const fn is_first(&self) -> bool {
        self.count == 1
    }
}

/// Publishes one job; whether the broker has it.
async fn publish(broker: &Broker, line: u64, subject: String, message: PublishMessage) -> (u64, bool) {
    let published = match broker.jetstream.send_publish(subject, message).await {
        Ok(acknowledgement) => acknowledgement.await.map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = &published {
        complain(broker, &BrokerError::failed("publishing a job", error));
    }
    (line, published.is_ok())
}

/// Tells of an error, unless the broker is gone, which is told already.
fn complain(broker: &Broker, error: &BrokerError) {
    if broker.times().is_some() {
        broker.complain(error);
    }
}

/// Looks up where a domain's mail goes, and into which partition that is.
async fn whereto(
    domain: MailDomain,
    settings: &Settings,
    knowledge: &Knowledge,
    resolver: &Resolver,
    whither: &Whither,
    registry: Registry,
) -> (MailDomain, Found) {
    let (domain, target, route) = look_up(domain, settings, resolver).await;
    let port = settings.ports.first().copied().unwrap_or(Port::SMTP);
    let Some(way) = Way::along(&route, &settings.servers, port) else {
        return (domain, Err(Judgement::of_route(knowledge, &route, &target)));
    };
    loop {
        // The broker may be gone for a while.
        match whither.partition(&registry, &way).await {
            Ok(partition) => return (domain, Ok((Rc::new(way), partition))),
            Err(_) => sleep(AGAIN).await,
        }
    }
}
