//! The leases of a worker, and the work that is done under them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use super::broker::BrokerError;
use super::engine::{Fence, Fenced, Site, work};
use super::lease::{Age, Moment, View};
use super::message::Terms;
use super::partition::PARTITIONS;
use super::registry::{Registry, Taken};
use super::survey::{Survey, survey};
use super::worker::{Load, Worker};
use super::{Notice, RunName};
use crate::bulk::Halt;

/// Leases that are being taken at a time.
const TAKING: usize = 32;
/// Where several lists have jobs for a partition, each has it for so long.
const SLICE: Duration = Duration::from_secs(60);
/// A lease without jobs is kept for so long.
const IDLE: Duration = Duration::from_secs(5);

/// Ends work in an orderly way, unless it is being ended already.
fn finish(halt: &watch::Sender<Halt>) {
    halt.send_if_modified(|asked| {
        let is_new = *asked == Halt::No;
        *asked = (*asked).max(Halt::Finish);
        is_new
    });
}

/// What was done beside the work.
pub(super) enum Errand {
    Surveyed(Result<Box<Survey>, BrokerError>),
    Taken(u16, Moment, Taken),
    Renewed(u16, Moment, Taken),
    Here,
    Released,
}

/// A lease that is held.
struct Held {
    revision: u64,
    fence: Rc<Fence>,
    is_renewing: bool,
    /// The run that is being worked at, since when, and how to end that.
    at_work: Option<(RunName, Instant, watch::Sender<Halt>)>,
    /// The run that was worked at last.
    last: Option<RunName>,
    gives_up: bool,
    idle_since: Option<Instant>,
}

type Engine<'a> = Pin<Box<dyn Future<Output = (u16, Option<Result<(), BrokerError>>)> + 'a>>;

/// A worker at work: its leases, and what is done under them.
pub(super) struct Shop<'a> {
    worker: &'a Worker,
    site: &'a Site<'a>,
    pub(super) registry: Registry,
    weight: u64,
    began: Instant,
    turn: u16,
    held: BTreeMap<u16, Held>,
    taking: BTreeSet<u16>,
    pub(super) engines: FuturesUnordered<Engine<'a>>,
    pub(super) errands: FuturesUnordered<Pin<Box<dyn Future<Output = Errand> + 'a>>>,
    surveyed: Option<Box<Survey>>,
    is_surveying: bool,
    /// When it was told last that this worker is here.
    here: Option<Moment>,
    link: Option<u64>,
    /// No lease is taken before that: after the broker was gone it is first looked who is there.
    quiet_until: Instant,
    told_strange: HashSet<RunName>,
    /// Leases that could not be renewed in time, since that was told last.
    lapsed: usize,
}

impl<'a> Shop<'a> {
    pub(super) fn new(worker: &'a Worker, site: &'a Site<'a>, weight: u64) -> Self {
        let began = Instant::now();
        Self {
            worker,
            site,
            registry: worker.registry.clone(),
            weight,
            began,
            turn: fastrand::u16(..PARTITIONS),
            held: BTreeMap::new(),
            taking: BTreeSet::new(),
            engines: FuturesUnordered::new(),
            errands: FuturesUnordered::new(),
            surveyed: None,
            is_surveying: false,
            here: None,
            link: worker.broker.times(),
            quiet_until: began,
            told_strange: HashSet::new(),
            lapsed: 0,
        }
    }

    pub(super) fn load(&self) -> Load {
        let survey = self.surveyed.as_ref();
        Load {
            answered: self.site.answered.get(),
            partitions: self.held.len(),
            sessions: self.site.pool.open(),
            workers: survey.map_or(0, |survey| survey.roll.workers.len()),
            runs: survey.map_or(0, |survey| survey.runs.iter().filter(|(_, _, partitions)| !partitions.is_empty()).count()),
        }
    }

    /// All work is to be ended so.
    pub(super) fn halt(&self, how: Halt) {
        for (_, _, halt) in self.held.values().filter_map(|held| held.at_work.as_ref()) {
            let _ = halt.send(how);
        }
    }

    /// Looks after leases, and what there is to do.
    pub(super) fn beat(&mut self, asked_to: Halt) {
        let now = Moment::now(self.began);
        let link = self.worker.broker.times();
        if link != self.link {
            self.link = link;
            self.quiet_until = Instant::now() + self.registry.span().length() / 3;
        }
        self.look_after_leases(now);
        if link.is_none() {
            return;
        }
        let is_due = self.here.is_none_or(|here| now.since(here) >= self.registry.span().length() / 4);
        if is_due && asked_to == Halt::No {
            self.here = Some(now);
            let (registry, key) = (self.registry.clone(), Registry::worker(&self.worker.name, self.weight));
            self.errands.push(Box::pin(async move {
                registry.be_here(&key).await;
                Errand::Here
            }));
        }
        if !self.is_surveying {
            self.is_surveying = true;
            let (broker, registry, span) = (&self.worker.broker, self.registry.clone(), self.worker.span);
            self.errands.push(Box::pin(async move {
                let found = Box::pin(survey(broker, registry, span)).await;
                Errand::Surveyed(found.map(Box::new))
            }));
        }
        if asked_to == Halt::No {
            self.begin_work();
        }
        self.give_back();
    }

    /// Renews what is due, and ends what cannot be renewed.
    fn look_after_leases(&mut self, now: Moment) {
        for (partition, held) in &mut self.held {
            let age = held.fence.age();
            if age >= Age::Ending
                && let Some((_, _, halt)) = &held.at_work
                && *halt.borrow() != Halt::Now
            {
                self.lapsed += 1;
                let _ = halt.send(Halt::Now);
            }
            if age >= Age::Due && age < Age::Void && !held.is_renewing && self.link.is_some() {
                held.is_renewing = true;
                let (registry, partition, revision, holder) = (self.registry.clone(), *partition, held.revision, self.worker.name.clone());
                self.errands.push(Box::pin(async move {
                    let taken = registry.renew(&Registry::partition(partition), &holder, revision).await;
                    Errand::Renewed(partition, now, taken)
                }));
            }
        }
        self.held.retain(|_, held| held.fence.age() < Age::Void || held.at_work.is_some());
        if self.lapsed > 0 {
            self.worker.broker.tell(Notice::Lapsed { partitions: std::mem::take(&mut self.lapsed) });
        }
    }

    pub(super) fn done(&mut self, errand: Errand) {
        match errand {
            Errand::Surveyed(found) => {
                self.is_surveying = false;
                match found {
                    Ok(survey) => {
                        self.registry = survey.registry.clone();
                        for (run, why) in &survey.strange {
                            if self.told_strange.insert(run.clone()) {
                                self.worker.broker.tell(Notice::Misunderstood { what: "run", why: format!("{run}: {why}") });
                            }
                        }
                        self.surveyed = Some(survey);
                        self.share_out();
                    }
                    Err(error) if self.worker.broker.times().is_some() => self.worker.broker.complain(&error),
                    Err(_) => {}
                }
            }
            Errand::Taken(partition, asked, taken) => {
                self.taking.remove(&partition);
                if let Taken::Held(revision) = taken {
                    let fence = Rc::new(Fence::new(self.began, self.registry.span(), asked));
                    let held = Held { revision, fence, is_renewing: false, at_work: None, last: None, gives_up: false, idle_since: None };
                    self.held.insert(partition, held);
                }
            }
            Errand::Renewed(partition, asked, taken) => {
                if let Some(held) = self.held.get_mut(&partition) {
                    held.is_renewing = false;
                    match taken {
                        Taken::Held(revision) => {
                            held.revision = revision;
                            held.fence.renew(asked);
                        }
                        Taken::Lost => {
                            self.lapsed += usize::from(held.at_work.is_some());
                            held.fence.lose();
                        }
                        Taken::Unknown(_) => {}
                    }
                }
            }
            Errand::Here | Errand::Released => {}
        }
    }

    /// Takes what is due to this worker, and notes what is others'.
    fn share_out(&mut self) {
        let Some(survey) = &self.surveyed else { return };
        let active: BTreeSet<u16> = survey.runs.iter().flat_map(|(_, _, partitions)| partitions.iter().copied()).collect();
        let others = survey.roll.workers.iter().filter(|(name, _)| **name != self.worker.name).map(|(_, weight)| *weight);
        let others = others.fold(0, u64::saturating_add);
        let own = self.held.keys().chain(&self.taking).copied().collect();
        let view = View { active, held: survey.roll.held.clone(), own, weight: self.weight, others };
        let moves = view.moves(self.turn);
        for (partition, held) in &mut self.held {
            let is_over = moves.give_up.contains(partition);
            if is_over
                && !std::mem::replace(&mut held.gives_up, true)
                && let Some((_, _, halt)) = &held.at_work
            {
                finish(halt);
            }
            held.idle_since = moves.idle.contains(partition).then(|| held.idle_since.unwrap_or_else(Instant::now));
        }
        let may_take = survey.roll.is_open && Instant::now() >= self.quiet_until && self.here.is_some();
        if !may_take {
            return;
        }
        let now = Moment::now(self.began);
        for partition in moves.take.into_iter().take(TAKING.saturating_sub(self.taking.len())) {
            self.taking.insert(partition);
            let (registry, holder) = (self.registry.clone(), self.worker.name.clone());
            self.errands.push(Box::pin(async move {
                let taken = registry.take(&Registry::partition(partition), &holder).await;
                Errand::Taken(partition, now, taken)
            }));
        }
    }

    /// Begins work at partitions that have jobs; where several runs have some, they take turns.
    fn begin_work(&mut self) {
        let Some(survey) = &self.surveyed else { return };
        for (partition, held) in &mut self.held {
            let mut runs = survey.runs.iter().filter(|(_, _, partitions)| partitions.contains(partition));
            if let Some((run, since, halt)) = &held.at_work {
                if !survey.roll.publishers.contains(run) {
                    finish(halt);
                }
                if since.elapsed() >= SLICE && runs.any(|(other, ..)| other != run) {
                    finish(halt);
                }
                continue;
            }
            if held.gives_up || held.fence.age() >= Age::Ending {
                continue;
            }
            let waiting: Vec<&(RunName, Terms, BTreeSet<u16>)> = runs.collect();
            let after = waiting.iter().position(|(run, ..)| Some(run) == held.last.as_ref()).map_or(0, |place| place + 1);
            let Some((run, terms, _)) = waiting.get(after).or_else(|| waiting.first()) else { continue };
            let (halt, halted) = watch::channel(Halt::No);
            held.at_work = Some((run.clone(), Instant::now(), halt));
            held.last = Some(run.clone());
            let (site, worker, run, terms, partition) = (self.site, self.worker, run.clone(), terms.clone(), *partition);
            let fence = Rc::clone(&held.fence);
            let work = async move { work(site, (&run, &terms), partition, (&worker.name, &fence), halted).await };
            let fenced = Fenced::new(work, Rc::clone(&held.fence));
            self.engines.push(Box::pin(async move { (partition, fenced.await) }));
        }
    }

    /// The work at a partition has ended.
    pub(super) fn ended(&mut self, partition: u16, done: Option<Result<(), BrokerError>>) {
        if let Some(Err(error)) = done
            && self.worker.broker.times().is_some()
        {
            self.worker.broker.complain(&error);
        }
        if let Some(held) = self.held.get_mut(&partition) {
            held.at_work = None;
        }
        self.held.retain(|_, held| held.fence.age() < Age::Void || held.at_work.is_some());
        // What was there when it was looked at last may have been answered since.
        if let Some(survey) = &mut self.surveyed {
            for (_, _, partitions) in &mut survey.runs {
                partitions.remove(&partition);
            }
        }
    }

    /// Gives back leases that are not needed any more.
    fn give_back(&mut self) {
        let outbox = self.site.outbox.borrow();
        let is_over = |partition: &u16, held: &Held| {
            let is_idle = held.idle_since.is_some_and(|since| since.elapsed() >= IDLE);
            (held.gives_up || is_idle) && held.at_work.is_none() && !held.is_renewing && !outbox.has(*partition)
        };
        let over: Vec<(u16, u64)> = self
            .held
            .iter()
            .filter(|(partition, held)| is_over(partition, held))
            .map(|(partition, held)| (*partition, held.revision))
            .collect();
        for (partition, revision) in over {
            self.held.remove(&partition);
            let registry = self.registry.clone();
            self.errands.push(Box::pin(async move {
                registry.release(revision).await;
                Errand::Released
            }));
        }
    }

    /// Leaves the fleet. Work that is not through is dropped, with its connections.
    pub(super) async fn leave(mut self) {
        self.engines = FuturesUnordered::new();
        if self.worker.broker.times().is_none() {
            return;
        }
        // A renewal that is on its way has a revision of its own.
        while self.held.values().any(|held| held.is_renewing) || !self.taking.is_empty() {
            let Some(done) = self.errands.next().await else { break };
            self.done(done);
        }
        for held in self.held.values() {
            self.registry.release(held.revision).await;
        }
        self.registry.be_gone(&Registry::worker(&self.worker.name, self.weight)).await;
        let _ = self.worker.broker.jetstream.client().flush().await;
    }
}
