//! What there is to do, as the broker tells it.

use std::collections::{BTreeMap, BTreeSet};

use super::RunName;
use super::broker::{Broker, BrokerError};
use super::lease::Span;
use super::message::Terms;
use super::partition::{all_jobs, jobs_stream, of_subject};
use super::registry::{Registry, Roll};

/// What there is to do, as the broker tells it.
pub(super) struct Survey {
    pub(super) registry: Registry,
    pub(super) roll: Roll,
    /// The runs that are understood, the oldest first, with the partitions in which they have jobs.
    pub(super) runs: Vec<(RunName, Terms, BTreeSet<u16>)>,
    /// What is not understood.
    pub(super) strange: Vec<(RunName, String)>,
}

/// Looks at everything once.
async fn look(broker: &Broker, registry: Registry) -> Result<Survey, BrokerError> {
    let roll = registry.roll().await?;
    let (mut runs, mut strange) = (Vec::new(), Vec::new());
    for run in registry.runs().await? {
        // Nobody asks for what nobody waits for: a list rests while its publisher is away.
        let counted = if roll.publishers.contains(&run) {
            broker.subjects(&jobs_stream(&run), &all_jobs(&run)).await?.unwrap_or_default()
        } else {
            BTreeMap::new()
        };
        let partitions: BTreeSet<u16> = counted.keys().filter_map(|subject| of_subject(subject)).collect();
        match registry.terms(&run).await? {
            Some(Ok(terms)) => runs.push((run, terms, partitions)),
            Some(Err(error)) => strange.push((run, error.to_string())),
            None => {}
        }
    }
    runs.sort_by(|one, other| (one.1.created(), &one.0).cmp(&(other.1.created(), &other.0)));
    Ok(Survey { registry, roll, runs, strange })
}

/// Looks at everything; where something is missing, it is made.
pub(super) async fn survey(broker: &Broker, registry: Registry, span: Span) -> Result<Survey, BrokerError> {
    match look(broker, registry).await {
        Err(_) => look(broker, Registry::open(broker, span).await?).await,
        found => found,
    }
}
