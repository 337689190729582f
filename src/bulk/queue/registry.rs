//! What the fleet knows in common, in three buckets of the broker: which runs there are, who holds which lease, and which
//! destination is in which partition.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};

use super::RunName;
use super::broker::{Broker, BrokerError};
use super::lease::Span;
use super::message::{MessageError, Terms, decode};
use super::partition::{DESTINATIONS, LEASES, PARTITIONS, RUNS};

/// So many names of destinations are kept; the oldest are forgotten.
const DESTINATIONS_KEPT: i64 = 1_000_000;
/// The key that is there for one span after the bucket of leases was made: leases may have been lost with an earlier one.
const OPENED: &str = "opened";

/// The three buckets.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    broker: Broker,
    runs: Store,
    leases: Store,
    destinations: Store,
    span: Span,
}

/// Who is there, and what is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Roll {
    /// Partitions that somebody holds.
    pub(super) held: BTreeSet<u16>,
    /// Runs whose publishers are there.
    pub(super) publishers: BTreeSet<RunName>,
    /// Workers with what they can do.
    pub(super) workers: BTreeMap<String, u64>,
    /// Whether leases may be taken.
    pub(super) is_open: bool,
}

/// What came of a try to take or renew a lease.
pub(super) enum Taken {
    /// It is held, in this revision.
    Held(u64),
    /// Somebody else holds it, or it has run out.
    Lost,
    /// The broker cannot tell now.
    Unknown(BrokerError),
}

impl Registry {
    /// Opens the buckets, and makes those that are missing; `span` is that of leases where nobody has decided on another.
    pub(super) async fn open(broker: &Broker, span: Span) -> Result<Self, BrokerError> {
        let (runs, _) = broker.bucket(RUNS, Duration::ZERO, -1).await?;
        let (leases, is_new) = broker.bucket(LEASES, span.length(), -1).await?;
        if is_new {
            leases.put(OPENED, "".into()).await.map_err(|error| broker.blame(BrokerError::failed("opening the leases", error)))?;
        }
        let status = leases.status().await.map_err(|error| broker.blame(BrokerError::failed("looking at the leases", error)))?;
        let (destinations, _) = broker.bucket(DESTINATIONS, Duration::ZERO, DESTINATIONS_KEPT).await?;
        Ok(Self { broker: broker.clone(), runs, leases, destinations, span: Span::new(status.max_age()) })
    }

    /// How long leases last.
    pub(super) const fn span(&self) -> Span {
        self.span
    }

    /// The names of all runs.
    pub(super) async fn runs(&self) -> Result<Vec<RunName>, BrokerError> {
        let there = self.keys(RUNS).await?;
        Ok(there.iter().filter_map(|key| key.parse().ok()).collect())
    }

    /// How a run is held, if that is understood; none if there is no such run.
    pub(super) async fn terms(&self, run: &RunName) -> Result<Option<Result<Terms, MessageError>>, BrokerError> {
        let value = self.runs.get(run.to_string()).await.map_err(|error| self.broker.blame(BrokerError::failed("a run", error)))?;
        Ok(value.map(|octets| decode(&octets)))
    }

    /// Makes a run known, or changes how it is held.
    pub(super) async fn announce(&self, run: &RunName, terms: Vec<u8>) -> Result<(), BrokerError> {
        let put = self.runs.put(run.to_string(), terms.into()).await;
        put.map(drop).map_err(|error| self.broker.blame(BrokerError::failed("announcing the run", error)))
    }

    /// Forgets a run.
    pub(super) async fn forget(&self, run: &RunName) -> Result<(), BrokerError> {
        let failed = |error: &dyn std::fmt::Display| self.broker.blame(BrokerError::failed("removing the run", error));
        if let Some(entry) = self.runs.entry(run.to_string()).await.map_err(|error| failed(&error))? {
            self.runs.stream.delete_message(entry.revision).await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Who is there, and what is held.
    pub(super) async fn roll(&self) -> Result<Roll, BrokerError> {
        let keys = self.keys(LEASES).await?;
        let mut roll = Roll { is_open: !keys.iter().any(|key| key == OPENED), ..Roll::default() };
        for key in &keys {
            let mut parts = key.split('.');
            match (parts.next(), parts.next(), parts.next()) {
                (Some("partition"), Some(number), None) => {
                    roll.held.extend(number.parse::<u16>().ok().filter(|number| *number < PARTITIONS));
                }
                (Some("publisher"), Some(run), None) => roll.publishers.extend(run.parse()),
                (Some("worker"), Some(name), Some(weight)) => {
                    roll.workers.insert(name.to_owned(), weight.parse().unwrap_or(0));
                }
                _ => {}
            }
        }
        Ok(roll)
    }

    /// The key of a partition's lease.
    pub(super) fn partition(partition: u16) -> String {
        format!("partition.{partition}")
    }

    /// The key of a worker that is alive.
    pub(super) fn worker(name: &str, weight: u64) -> String {
        format!("worker.{name}.{weight}")
    }

    /// The key of a run's publisher.
    pub(super) fn publisher(run: &RunName) -> String {
        format!("publisher.{run}")
    }

    /// Takes a lease that nobody holds.
    pub(super) async fn take(&self, key: &str, holder: &str) -> Taken {
        match self.leases.create(key, holder.to_owned().into()).await {
            Ok(revision) => Taken::Held(revision),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Taken::Lost,
            Err(error) => Taken::Unknown(BrokerError::failed("taking a lease", error)),
        }
    }

    /// Renews a lease that was held in `revision`.
    pub(super) async fn renew(&self, key: &str, holder: &str, revision: u64) -> Taken {
        match self.leases.update(key, holder.to_owned().into(), revision).await {
            Ok(revision) => Taken::Held(revision),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Taken::Lost,
            Err(error) => Taken::Unknown(BrokerError::failed("renewing a lease", error)),
        }
    }

    /// Gives a lease back; where that fails, it runs out by itself.
    pub(super) async fn release(&self, revision: u64) {
        let _ = self.leases.stream.delete_message(revision).await;
    }

    /// Says that somebody is here; where that fails, it is said again soon.
    pub(super) async fn be_here(&self, key: &str) {
        let _ = self.leases.put(key, "".into()).await;
    }

    /// Says that somebody is not here any more.
    pub(super) async fn be_gone(&self, key: &str) {
        if let Ok(Some(entry)) = self.leases.entry(key).await {
            self.release(entry.revision).await;
        }
    }

    /// The partition that a destination's key is in; none if it is in none yet.
    pub(super) async fn partition_of(&self, key: &str) -> Result<Option<u16>, BrokerError> {
        let value = self.destinations.get(key).await.map_err(|error| self.broker.blame(BrokerError::failed("a destination", error)))?;
        let number = value.and_then(|octets| std::str::from_utf8(&octets).ok()?.parse::<u16>().ok());
        Ok(number.filter(|number| *number < PARTITIONS))
    }

    /// Puts a destination's key into a partition, unless somebody else has put it somewhere; whether it was put.
    pub(super) async fn assign(&self, key: &str, partition: u16) -> Result<bool, BrokerError> {
        match self.destinations.create(key, partition.to_string().into()).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.broker.blame(BrokerError::failed("a destination", error))),
        }
    }

    /// The keys that are in a bucket now.
    async fn keys(&self, bucket: &'static str) -> Result<Vec<String>, BrokerError> {
        let prefix = format!("$KV.{bucket}.");
        let found = self.broker.subjects(&format!("KV_{bucket}"), &format!("{prefix}>")).await?;
        let found = found.ok_or(BrokerError::Failed { at: "a bucket", why: format!("{bucket} is gone") })?;
        Ok(found.keys().filter_map(|subject| subject.strip_prefix(&prefix)).map(str::to_owned).collect())
    }
}

/// How long to wait before something is tried again that the broker could not do.
pub(super) const AGAIN: Duration = Duration::from_millis(500);
