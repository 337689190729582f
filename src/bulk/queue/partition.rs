//! Which destination is in which partition, and what streams, buckets and keys are called at the broker.

use ring::digest::{SHA256, digest};

use super::RunName;
use crate::bulk::plan::DestinationKey;

/// Into so many parts the world's destinations are divided; a worker takes whole parts. More would cost more leases, fewer would not
/// spread as well over many machines.
pub const PARTITIONS: u16 = 128;

/// The bucket of runs: their names and [`Terms`](super::Terms).
pub const RUNS: &str = "smtpprobe_runs";
/// The bucket of leases and of workers that are alive.
pub const LEASES: &str = "smtpprobe_leases";
/// The bucket that tells in which partition a destination is.
pub const DESTINATIONS: &str = "smtpprobe_destinations";

/// The stream with a run's jobs.
#[must_use]
pub fn jobs_stream(run: &RunName) -> String {
    format!("smtpprobe_{run}_jobs")
}

/// The stream with a run's answers.
#[must_use]
pub fn answers_stream(run: &RunName) -> String {
    format!("smtpprobe_{run}_answers")
}

/// Where jobs of a partition are published.
#[must_use]
pub fn jobs_subject(run: &RunName, partition: u16) -> String {
    format!("smtpprobe.{run}.jobs.{partition}")
}

/// The subjects of all jobs of a run.
#[must_use]
pub fn all_jobs(run: &RunName) -> String {
    format!("smtpprobe.{run}.jobs.*")
}

/// Where answers are published.
#[must_use]
pub fn answers_subject(run: &RunName) -> String {
    format!("smtpprobe.{run}.answers")
}

/// The partition whose jobs are published at `subject`; none if it is no such subject.
#[must_use]
pub fn of_subject(subject: &str) -> Option<u16> {
    subject.rsplit_once(".jobs.")?.1.parse().ok().filter(|partition| *partition < PARTITIONS)
}

/// What a destination is called in the bucket: 32 hexadecimal digits, whatever names and addresses it has.
#[must_use]
pub fn key(destination: &DestinationKey) -> String {
    let hash = hash(destination);
    hash.iter().take(16).fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}

/// Where a destination goes that is in no partition yet.
#[must_use]
pub fn natural(destination: &DestinationKey) -> u16 {
    let hash = hash(destination);
    let number = hash.iter().rev().take(4).fold(0_u32, |number, octet| number << 8 | u32::from(*octet));
    u16::try_from(number % u32::from(PARTITIONS)).unwrap_or(0)
}

fn hash(destination: &DestinationKey) -> Vec<u8> {
    let text = match destination {
        DestinationKey::Hosts(hosts) => hosts.iter().fold("hosts".to_owned(), |text, (name, port)| text + &format!("\n{name} {port}")),
        DestinationKey::Addresses(all) => all.iter().fold("addresses".to_owned(), |text, address| text + &format!("\n{address}")),
    };
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn hosts(name: &str) -> DestinationKey {
        DestinationKey::Hosts(BTreeSet::from([(name.to_owned(), 25)]))
    }

    #[test]
    fn a_destination_has_the_same_place_for_ever() {
        // These stand in brokers: a change of them needs another version of the messages.
        assert_eq!(key(&hosts("mx.example.com")), "4b46bfc4e402c71f693a0d5891a4064e");
        assert_eq!(natural(&hosts("mx.example.com")), 83);
        let address = DestinationKey::Addresses(BTreeSet::from(["192.0.2.1:25".parse().expect("an address")]));
        assert_eq!(key(&address), "a3867c57f6854bc3f98ed773ea9219ca");
    }

    #[test]
    fn destinations_spread_over_all_partitions() {
        let mut counts = vec![0; usize::from(PARTITIONS)];
        for n in 0..12_800 {
            counts[usize::from(natural(&hosts(&format!("mx{n}.test"))))] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }

    #[test]
    fn subjects_name_the_partition() {
        let run: RunName = "members-2026".parse().expect("a name");
        assert_eq!(jobs_subject(&run, 7), "smtpprobe.members-2026.jobs.7");
        for (subject, partition) in [
            ("smtpprobe.members-2026.jobs.7", Some(7)),
            ("smtpprobe.members-2026.jobs.127", Some(127)),
            ("smtpprobe.members-2026.jobs.128", None),
            ("smtpprobe.members-2026.jobs.-1", None),
            ("smtpprobe.members-2026.jobs.seven", None),
            ("smtpprobe.members-2026.answers", None),
        ] {
            assert_eq!(of_subject(subject), partition, "{subject}");
        }
    }
}
