//! How things stand at the broker, looked at from the beginning: after a start, after the connection was gone, and where nothing comes
//! any more.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config as PullConfig;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind, RetentionPolicy, StorageType, Stream};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::RunName;
use super::broker::{Broker, BrokerError};
use super::lease::Span;
use super::message::{Job, LONGEST, decode};
use super::partition::{all_jobs, answers_stream, answers_subject, jobs_stream, jobs_subject, of_subject};
use super::registry::Registry;

/// Partitions whose jobs are looked at side by side.
const BESIDE: usize = 32;
/// The name under which answers are collected.
const COLLECTOR: &str = "collector";
/// A message that was handed out and neither acknowledged nor asked for anew is handed out again after this. Whoever takes over asks anew.
pub(super) const WAIT: Duration = Duration::from_secs(3600);

/// How things stand.
pub(super) struct Standing {
    pub(super) registry: Registry,
    /// The lines whose jobs are at the broker, and what they read.
    pub(super) jobs: HashMap<u64, u64>,
    /// Where answers come from, all from the first that is there.
    pub(super) answers: PullConsumer,
    /// So many answers are there.
    pub(super) pending: u64,
}

/// Makes what is missing for the run, and looks at what is there.
pub(super) async fn look(broker: &Broker, span: Span, run: &RunName, terms: Vec<u8>) -> Result<Standing, BrokerError> {
    let registry = Registry::open(broker, span).await?;
    let jobs = broker.stream_made(jobs_config(run)).await?;
    let answers = broker.stream_made(answers_config(run)).await?;
    registry.announce(run, terms).await?;
    // First the jobs: what is answered meanwhile is among the answers.
    let there = lines(broker, run, &jobs).await?;
    let (answers, pending) = consumer(broker, &answers, COLLECTOR, None, 5000).await?;
    Ok(Standing { registry, jobs: there, answers, pending })
}

fn jobs_config(run: &RunName) -> Config {
    Config {
        name: jobs_stream(run),
        subjects: vec![all_jobs(run)],
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::File,
        max_message_size: i32::try_from(LONGEST).unwrap_or(i32::MAX),
        description: Some("smtpprobe: mailboxes to be asked for".to_owned()),
        ..Config::default()
    }
}

fn answers_config(run: &RunName) -> Config {
    Config {
        name: answers_stream(run),
        subjects: vec![answers_subject(run)],
        description: Some("smtpprobe: answers to be written down".to_owned()),
        ..jobs_config(run)
    }
}

/// A consumer of that name that begins with the first message that is there; what an earlier one had handed out comes again. Also how
/// many messages there are for it.
pub(super) async fn consumer(
    broker: &Broker,
    stream: &Stream,
    name: &str,
    subject: Option<String>,
    in_hand: i64,
) -> Result<(PullConsumer, u64), BrokerError> {
    // Where there is none yet, there is nothing to delete.
    let _ = stream.delete_consumer(name).await;
    let config = PullConfig {
        durable_name: Some(name.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: WAIT,
        max_ack_pending: in_hand,
        filter_subject: subject.unwrap_or_default(),
        ..PullConfig::default()
    };
    let made = stream.create_consumer(config).await.map_err(|error| broker.blame(BrokerError::failed("making a consumer", error)))?;
    let pending = made.cached_info().num_pending;
    Ok((made, pending))
}

/// The lines whose jobs are in the stream, and what they read.
async fn lines(broker: &Broker, run: &RunName, jobs: &Stream) -> Result<HashMap<u64, u64>, BrokerError> {
    let counted = broker.subjects(&jobs_stream(run), &all_jobs(run)).await?.unwrap_or_default();
    let partitions: Vec<u16> = counted.keys().filter_map(|subject| of_subject(subject)).collect();
    let each = stream::iter(partitions).map(|partition| lines_of(broker, jobs, jobs_subject(run, partition))).buffer_unordered(BESIDE);
    each.try_fold(HashMap::new(), async |mut all, some| {
        all.extend(some);
        Ok(all)
    })
    .await
}

async fn lines_of(broker: &Broker, jobs: &Stream, subject: String) -> Result<HashMap<u64, u64>, BrokerError> {
    let (mut all, mut next, mut ends) = (HashMap::new(), 1, 0);
    // A job that is done in this moment can look like the end.
    while ends < 2 {
        match jobs.raw_message_builder().sequence(next).next_by_subject(subject.clone()).send().await {
            Ok(message) => {
                (next, ends) = (message.sequence + 1, 0);
                // What is no job is the workers' to tell.
                all.extend(decode::<Job>(&message.payload).ok().map(|job| (job.line, job.mark())));
            }
            Err(error) if is_end(&error.kind()) => ends += 1,
            Err(error) => return Err(broker.blame(BrokerError::failed("looking at jobs", error))),
        }
    }
    Ok(all)
}

fn is_end(kind: &LastRawMessageErrorKind) -> bool {
    match kind {
        LastRawMessageErrorKind::NoMessageFound => true,
        LastRawMessageErrorKind::JetStream(error) => error.error_code() == async_nats::jetstream::ErrorCode::NO_MESSAGE_FOUND,
        _ => false,
    }
}
