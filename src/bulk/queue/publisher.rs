//! The side that has the list and the journal: it publishes what is to be asked, and collects the answers.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::{Future, pending};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Batch;
use async_nats::jetstream::message::{Acker, PublishMessage};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use roaring::RoaringTreemap;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::broker::{Broker, BrokerError};
use super::lease::{Moment, Span};
use super::message::{Job, Outcome, Terms, decode, encode};
use super::partition::{answers_stream, jobs_stream, jobs_subject};
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
use crate::target::{MailDomain, Mailbox, Port};

/// Jobs that wait for the broker to have them.
const IN_FLIGHT: usize = 256;
/// Answers that are asked for at a time, and how long the broker keeps the question.
const BATCH: usize = 500;
const PULL: Duration = Duration::from_secs(2);
/// Domains that are remembered.
const DOMAINS: usize = 100_000;
/// If no answer has come for so long, it is looked whether the jobs are still there; then after twice as long, and so on.
const SILENCE: Duration = Duration::from_secs(60);
const LONGEST_SILENCE: Duration = Duration::from_secs(600);
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
        Ok(Self { broker, registry, run, span, began, lease, created })
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
        let (broker, run, span) = (self.broker.clone(), self.run.clone(), self.span);
        let clock = Clock::start();
        let resolver = Resolver::new(settings, clock);
        let whither = Whither::default();
        let mut books = Books::new(&run, order.window, answered, written.is_some());
        let (mut lookups, mut publishing) = (FuturesUnordered::new(), FuturesUnordered::new());
        let mut looking: Option<Looking<'_>> = Some(Box::pin(look(&broker, span, &run, terms.clone())));
        let mut collector: Option<PullConsumer> = None;
        let mut batch: Option<Pin<Box<Batch>>> = None;
        // Whoever asks and does not wait for the batch leaves its messages hanging.
        let mut asking: Option<Asking> = None;
        let mut link = broker.times();
        let mut is_first = true;
        let mut stop = pin!(stop);
        let mut tick = interval(self.registry.span().beat());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut rolled, mut nobody) = (Instant::now(), None::<Instant>, false);
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
                let jetstream = broker.jetstream.clone();
                publishing.push(async move {
                    let acknowledged = match jetstream.send_publish(subject, message).await {
                        Ok(acknowledgement) => acknowledgement.await.is_ok(),
                        Err(_) => false,
                    };
                    (line, acknowledged)
                });
            }
            if let (None, None, Some(collector)) = (&batch, &asking, &collector) {
                let collector = collector.clone();
                asking = Some(Box::pin(async move { collector.batch().max_messages(BATCH).expires(PULL).messages().await.ok() }));
            }
            let next_answer = async {
                match (&mut batch, &mut asking) {
                    (Some(batch), _) => Pulled::Message(batch.next().await),
                    (None, Some(asking)) => Pulled::Begun(asking.await),
                    (None, None) => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => break Ended::Stopped,
                pulled = next_answer => match pulled {
                    Pulled::Begun(Some(begun)) => {
                        asking = None;
                        batch = Some(Box::pin(begun));
                    }
                    Pulled::Message(Some(Ok(message))) => {
                        if books.take(&broker, message, &mut answer).await.is_break() {
                            break Ended::Stopped;
                        }
                    }
                    // Nothing more came: whatever was there has been seen.
                    Pulled::Message(None) => {
                        batch = None;
                        books.drained();
                    }
                    Pulled::Begun(None) | Pulled::Message(Some(Err(_))) => {
                        (batch, asking, collector) = (None, None, None);
                        books.doubt();
                    }
                },
                found = async { match &mut looking { Some(looking) => looking.await, None => pending().await } } => {
                    looking = None;
                    match found {
                        Ok(standing) => {
                            self.registry = standing.registry.clone();
                            collector = Some(standing.answers.clone());
                            (batch, asking) = (None, None);
                            books.stands(standing);
                            is_first = false;
                        }
                        Err(error) if is_first && broker.times().is_some() => return Err(error),
                        Err(_) => {
                            books.doubt();
                            sleep(AGAIN).await;
                        }
                    }
                }
                Some((line, is_there)) = publishing.next(), if !publishing.is_empty() => books.published(line, is_there),
                Some((domain, found)) = lookups.next(), if !lookups.is_empty() => {
                    if books.routed(domain, found, &mut answer).await.is_break() {
                        break Ended::Stopped;
                    }
                    resolver.forget();
                }
                Some(lines) = async { match &mut written { Some(written) => written.recv().await, None => pending().await } } => {
                    books.written(&lines).await;
                }
                line = lines.recv(), if books.has_room() && !books.tally.all_read => match line {
                    Some(entry) => {
                        if books.read(entry, knowledge, &mut answer).await.is_break() {
                            break Ended::Stopped;
                        }
                    }
                    None => books.tally.all_read = true,
                },
                _ = tick.tick() => {
                    let now = broker.times();
                    if now != link && now.is_some() {
                        link = now;
                        books.doubt();
                    }
                    if looking.is_none() && publishing.is_empty() && books.wants_a_look() && now.is_some() {
                        looking = Some(Box::pin(look(&broker, span, &run, terms.clone())));
                    }
                    if now.is_some() {
                        self.keep().await?;
                    }
                    let missing = books.missing();
                    if missing > 0 {
                        broker.tell(Notice::Anew { jobs: missing });
                    }
                    if told.elapsed() >= Duration::from_secs(1) {
                        told = Instant::now();
                        if now.is_some() && rolled.is_none_or(|rolled| rolled.elapsed() >= ROLL) {
                            rolled = Some(Instant::now());
                            if let Ok(roll) = self.registry.roll().await {
                                books.tally.open = roll.workers.len();
                                if roll.workers.is_empty() && !nobody {
                                    broker.tell(Notice::NoWorker);
                                }
                                nobody = roll.workers.is_empty();
                            }
                        }
                        progress(&books.tally);
                    }
                }
            }
        };
        progress(&books.tally);
        let orderly = async {
            if ended == Ended::Answered {
                // What is left of a run that is over does no harm, and the next run of that name clears it away.
                let _ = broker.jetstream.delete_stream(jobs_stream(&run)).await;
                let _ = broker.jetstream.delete_stream(answers_stream(&run)).await;
                let _ = self.registry.forget(&run).await;
            }
            self.registry.release(self.lease.0).await;
            let _ = broker.jetstream.client().flush().await;
        };
        let _ = timeout(PARTING, orderly).await;
        Ok(ended)
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

type Looking<'a> = Pin<Box<dyn Future<Output = Result<Standing, BrokerError>> + 'a>>;

type Asking = Pin<Box<dyn Future<Output = Option<Batch>>>>;

/// What came of asking for answers.
enum Pulled {
    Begun(Option<Batch>),
    Message(Option<Result<Message, async_nats::Error>>),
}

/// Where a domain's mail goes.
type Found = Result<(Rc<Way>, u16), Judgement>;

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

/// A job without an answer.
struct Outstanding {
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
struct Books<'a> {
    run: &'a RunName,
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
    sought: VecDeque<MailDomain>,
    /// Jobs that the broker had when it was looked at last.
    there: RoaringTreemap,
    knowing: Knowing,
    missing: usize,
    heard: Instant,
    silence: Duration,
    tally: Tally,
}

impl<'a> Books<'a> {
    fn new(run: &'a RunName, window: usize, before: Option<Answered>, waits_for_disk: bool) -> Self {
        Self {
            run,
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
            there: RoaringTreemap::new(),
            knowing: Knowing::Draining(u64::MAX),
            missing: 0,
            heard: Instant::now(),
            silence: SILENCE,
            tally: Tally::default(),
        }
    }

    fn is_done(&self) -> bool {
        self.tally.all_read && self.outstanding.is_empty() && self.sought_lines == 0 && self.unwritten.is_empty()
    }

    fn has_room(&self) -> bool {
        self.outstanding.len() + self.sought_lines < self.window
    }

    fn is_settled(&self) -> bool {
        self.knowing == Knowing::Settled
    }

    /// What the broker has is not known any more.
    fn doubt(&mut self) {
        self.knowing = Knowing::Doubt;
    }

    /// Whether the broker is to be looked at.
    fn wants_a_look(&mut self) -> bool {
        if self.knowing == Knowing::Settled && !self.outstanding.is_empty() && self.heard.elapsed() >= self.silence {
            self.heard = Instant::now();
            self.silence = (self.silence * 2).min(LONGEST_SILENCE);
            self.knowing = Knowing::Doubt;
        }
        self.knowing == Knowing::Doubt
    }

    /// How many jobs had to be published anew since this was asked last.
    fn missing(&mut self) -> usize {
        std::mem::take(&mut self.missing)
    }

    /// The broker was looked at.
    fn stands(&mut self, standing: Standing) {
        self.there = standing.jobs;
        self.knowing = Knowing::Draining(standing.pending);
        if standing.pending == 0 {
            self.drained();
        }
    }

    /// All answers that were there have been seen: what is neither answered nor at the broker is published.
    fn drained(&mut self) {
        if !matches!(self.knowing, Knowing::Draining(left) if left < u64::MAX) {
            return;
        }
        self.knowing = Knowing::Settled;
        self.due.clear();
        for (line, job) in &mut self.outstanding {
            let is_there = self.there.contains(*line);
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
    fn next_job(&mut self) -> Option<(u64, String, PublishMessage)> {
        loop {
            let line = self.due.pop_front()?;
            let Some(job) = self.outstanding.get_mut(&line).filter(|job| job.is_due) else { continue };
            job.is_due = false;
            // The broker passes over what it has had under that name a short while ago.
            let name = if job.anew == 0 { line.to_string() } else { format!("{line}-{}", job.anew) };
            let message = PublishMessage::build().payload(job.payload.clone().into()).message_id(name);
            return Some((line, jobs_subject(self.run, job.partition), message));
        }
    }

    /// A job was published, or it is not known whether.
    fn published(&mut self, line: u64, is_there: bool) {
        if !is_there {
            return self.doubt();
        }
        if let Some(job) = self.outstanding.get_mut(&line) {
            job.is_there = true;
        }
    }

    /// Takes a line of the list.
    async fn read(&mut self, entry: Entry, knowledge: &Knowledge, answer: &mut impl FnMut(Answer) -> ControlFlow<()>) -> ControlFlow<()> {
        self.tally.read += 1;
        if let Some((early, acker)) = self.early.remove(&entry.line) {
            return self.give(early, Some(acker), answer).await;
        }
        let Entry { line, raw, mailbox } = entry;
        let mailbox = match mailbox {
            Ok(mailbox) => mailbox,
            Err(error) => {
                let invalid = Judgement::invalid(knowledge, error.to_string());
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
    async fn routed(&mut self, domain: MailDomain, found: Found, answer: &mut impl FnMut(Answer) -> ControlFlow<()>) -> ControlFlow<()> {
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
        if let Some((early, acker)) = self.early.remove(&line) {
            return self.give(early, Some(acker), answer).await;
        }
        let (way, partition) = match found {
            Ok((way, partition)) => (way, *partition),
            Err(judgement) => return self.give(judgement.answer((line, raw), Some(mailbox), None, None, 0), None, answer).await,
        };
        // A line has some thousand characters at most, an address fewer, and addresses are counted.
        let Ok(payload) = encode(&Job::new(line, raw, mailbox, way)) else { return ControlFlow::Continue(()) };
        let is_there = self.is_settled() && self.there.contains(line);
        self.outstanding.insert(line, Outstanding { partition, payload, is_there, is_due: !is_there, anew: 0 });
        if !is_there {
            self.due.push_back(line);
        }
        ControlFlow::Continue(())
    }

    /// Takes a message that should be an answer.
    async fn take(&mut self, broker: &Broker, message: Message, answer: &mut impl FnMut(Answer) -> ControlFlow<()>) -> ControlFlow<()> {
        self.heard = Instant::now();
        self.silence = SILENCE;
        let (message, acker) = message.split();
        let flow = match decode::<Outcome>(&message.payload) {
            Err(error) => {
                broker.tell(Notice::Misunderstood { what: "answer", why: error.to_string() });
                let _ = acker.ack_with(async_nats::jetstream::AckKind::Term).await;
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
                } else if self.outstanding.remove(&line).is_some() {
                    self.give(outcome.answer, Some(acker), answer).await
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
    async fn written(&mut self, lines: &[u64]) {
        for line in lines {
            if let Some(acker) = self.unwritten.remove(line) {
                let _ = acker.ack().await;
            }
        }
    }
}
