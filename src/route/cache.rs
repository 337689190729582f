//! Answers that are used again for as long as they last: the hosts of a large provider are asked for by each of its domains.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::RData;
use tokio::sync::OnceCell;

use super::LookupFailure;
use super::exchange::Exchange;
use crate::settings::Clock;
use crate::smtp::Elapsed;

/// Answers that are kept at most.
const MOST: usize = 4096;
/// No answer is used longer than this.
const LONGEST: Duration = Duration::from_secs(86_400);
/// That there is nothing is not believed longer than this (RFC 2308 §5).
const LONGEST_NOTHING: Duration = Duration::from_secs(3 * 3600);

type Key = (SocketAddr, Query);

#[derive(Debug)]
struct Kept {
    tcp: bool,
    message: Arc<Message>,
    until: Elapsed,
}

/// What servers have answered.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<HashMap<Key, Arc<OnceCell<Kept>>>>);

impl Cache {
    /// The answer that is at hand, or else that of `exchange`. Whoever has the same question meanwhile waits for the same answer.
    pub(super) async fn ask(&self, key: Key, clock: Clock, exchange: impl Future<Output = Exchange>) -> Exchange {
        let kept = self.entry(key, clock.now());
        let asked = kept.get_or_try_init(|| async {
            let Exchange { tcp, answer } = exchange.await;
            let message = answer.map_err(|failure| (tcp, failure))?;
            let until = Elapsed(clock.now().0.saturating_add(lasts(&message)));
            Ok::<Kept, (bool, LookupFailure)>(Kept { tcp, message, until })
        });
        match asked.await {
            Ok(kept) => Exchange { tcp: kept.tcp, answer: Ok(Arc::clone(&kept.message)) },
            Err((tcp, failure)) => Exchange { tcp, answer: Err(failure) },
        }
    }

    fn entry(&self, key: Key, now: Elapsed) -> Arc<OnceCell<Kept>> {
        let lasts = |kept: &Arc<OnceCell<Kept>>| kept.get().is_none_or(|kept| kept.until > now);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = all.get(&key).filter(|kept| lasts(kept)) {
            return Arc::clone(kept);
        }
        if all.len() >= MOST {
            all.retain(|_, kept| lasts(kept));
        }
        if all.len() >= MOST {
            all.retain(|_, kept| kept.get().is_none());
        }
        let kept = Arc::default();
        all.insert(key, Arc::clone(&kept));
        kept
    }
}

/// How long an answer may be used: up to the shortest time of its records, or, where there are none, the zone's time for that
/// (RFC 2308 §5). What is neither a yes nor a no is not used again.
fn lasts(message: &Message) -> Duration {
    if !matches!(message.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Duration::ZERO;
    }
    let shortest = |seconds: Option<u32>, longest: Duration| seconds.map_or(Duration::ZERO, |s| Duration::from_secs(s.into()).min(longest));
    if !message.answers.is_empty() {
        return shortest(message.answers.iter().map(|record| record.ttl).min(), LONGEST);
    }
    let nothing = message.authorities.iter().filter_map(|record| match &record.data {
        RData::SOA(zone) => Some(record.ttl.min(zone.minimum)),
        _ => None,
    });
    shortest(nothing.min(), LONGEST_NOTHING)
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::OpCode;
    use hickory_resolver::proto::rr::rdata::{A, SOA};
    use hickory_resolver::proto::rr::{Name, Record, RecordType};

    use super::*;

    fn message(code: ResponseCode, answers: &[u32], zone: Option<(u32, u32)>) -> Message {
        let mut message = Message::response(1, OpCode::Query);
        message.metadata.response_code = code;
        let name = Name::root();
        let answer = |ttl: &u32| Record::from_rdata(name.clone(), *ttl, RData::A(A::new(192, 0, 2, 1)));
        message.answers = answers.iter().map(answer).collect();
        message.authorities = zone
            .map(|(ttl, minimum)| {
                Record::from_rdata(name.clone(), ttl, RData::SOA(SOA::new(name.clone(), name.clone(), 1, 2, 3, 4, minimum)))
            })
            .into_iter()
            .collect();
        message
    }

    #[test]
    fn an_answer_lasts_as_long_as_its_records_or_the_zone_say() {
        use ResponseCode::{NXDomain, NoError, Refused, ServFail};
        for (code, answers, zone, seconds) in [
            (NoError, &[300, 60, 3600][..], None, 60),
            (NoError, &[300], Some((5, 5)), 300),
            (NoError, &[0], None, 0),
            (NoError, &[u32::MAX], None, 86_400),
            (NoError, &[], Some((600, 120)), 120),
            (NXDomain, &[], Some((60, 3600)), 60),
            (NXDomain, &[], Some((86_400, 86_400)), 10_800),
            (NXDomain, &[], None, 0),
            (ServFail, &[300], None, 0),
            (Refused, &[], Some((600, 600)), 0),
        ] {
            assert_eq!(lasts(&message(code, answers, zone)), Duration::from_secs(seconds), "{code:?} {answers:?} {zone:?}");
        }
    }

    async fn ask(
        (cache, clock): (&Cache, Clock),
        host: usize,
        answer: Result<Message, LookupFailure>,
        asked: &mut usize,
    ) -> Result<usize, LookupFailure> {
        let name = Name::from_ascii(format!("h{host}.example.")).expect("a name");
        let key = (([192, 0, 2, 53], 53).into(), Query::query(name, RecordType::A));
        let exchange = async {
            *asked += 1;
            Exchange { tcp: false, answer: answer.map(Arc::new) }
        };
        cache.ask(key, clock, exchange).await.answer.map(|message| message.answers.len())
    }

    #[tokio::test]
    async fn a_question_is_asked_again_once_its_answer_is_over_or_was_none() {
        let (cache, clock, mut asked) = (&Cache::default(), Clock::start(), 0);
        let answer = |ttls: &[u32]| Ok(message(ResponseCode::NoError, ttls, None));
        assert_eq!(ask((cache, clock), 1, Err(LookupFailure::TimedOut), &mut asked).await, Err(LookupFailure::TimedOut));
        assert_eq!(ask((cache, clock), 1, answer(&[60, 60]), &mut asked).await, Ok(2));
        assert_eq!((ask((cache, clock), 1, answer(&[]), &mut asked).await, asked), (Ok(2), 2), "the one at hand");
        assert_eq!(ask((cache, clock), 2, answer(&[0]), &mut asked).await, Ok(1));
        assert_eq!((ask((cache, clock), 2, answer(&[0, 0]), &mut asked).await, asked), (Ok(2), 4), "it did not last");
    }

    #[tokio::test]
    async fn it_stays_bounded() {
        let (cache, clock, mut asked) = (&Cache::default(), Clock::start(), 0);
        for host in 0..3 * MOST {
            ask((cache, clock), host, Ok(message(ResponseCode::NoError, &[60], None)), &mut asked).await.expect("an answer");
        }
        assert!((cache.0.lock().expect("a map").len(), asked) <= (MOST, 3 * MOST));
    }
}
