//! Greylisting: when to come back, and coming back (RFC 6647).

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::course::{Course, Happening};
use super::plan::Attempt;
use super::{Conversations, Progress, Role, SessionFacts};
use crate::knowledge::{Knowledge, Reason, Speaker};
use crate::reading::Mentions;
use crate::settings::{Question, Settings, Walk};
use crate::smtp::{Answer, CodeClass, FailureKind, Purpose, Stage, Verb};
use crate::target::{Host, Port};

/// How long to stay away where the server does not say: Postgrey and rspamd turn a first contact away for 5 minutes.
const USUAL: Duration = Duration::from_secs(300);
/// How often whoever watches is told how long there is to wait.
const TICK: Duration = Duration::from_secs(1);
/// Coming back at the very second may be too early by a fraction of it.
const MARGIN: Duration = Duration::from_secs(1);

/// When to come back to a server that greylists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComeBack {
    /// The event of the reply that puts the client off.
    pub event: usize,
    /// How long to stay away from then on.
    pub after: Duration,
    /// Whether the server named that time; else it is the usual one.
    pub named: bool,
}

/// What came of waiting for a server that greylists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// How long to wait was allowed in all.
    pub limit: Duration,
    /// How long was waited in all.
    pub waited: Duration,
    /// How it ended.
    pub end: WaitEnd,
}

/// How waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEnd {
    /// The question was put again, and what came was not another wait.
    Answered,
    /// The next wait, of this length, would have been beyond the limit.
    TooLong(Duration),
    /// It was broken off.
    BrokenOff,
}

/// When a session's server wants to be asked again; none if it does not greylist.
pub(super) fn come_back(knowledge: &Knowledge, session: &SessionFacts) -> Option<ComeBack> {
    let transcript = &session.transcript;
    let put_off = |answer: &Answer<'_>| answer.purpose == Purpose::Target && answer.reply.code.class() == CodeClass::Transient;
    let answer = transcript.replies().find(put_off).filter(|_| session.role.asks_the_question())?;
    let greeting = transcript.reply_to(Verb::Connect, Purpose::Target).map(|answer| answer.reply.text());
    let host = session.name.to_string();
    let speaker = Speaker { host: Some(&host), greeting: greeting.as_deref(), ..Speaker::default() };
    let reading = knowledge.hear(speaker, answer.reply).answering(Some(answer.verb));
    let named = Mentions::of(answer.reply).wait.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    (reading.reason == Reason::Greylisted).then(|| ComeBack { event: answer.event, after: named.unwrap_or(USUAL), named: named.is_some() })
}

/// The waits of one probe.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    waited: Duration,
    /// Only the first host that greylists is asked again, as where one at a time is asked.
    alone: bool,
    until: Stage,
    end: Option<WaitEnd>,
}

/// A wait that is due, and what to ask after it.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) time: Duration,
    pub(super) attempts: Vec<Attempt>,
}

impl Patience {
    /// None if nothing is to be waited for.
    pub(super) fn new(settings: &Settings, until: Stage) -> Option<Self> {
        let limit = settings.wait.filter(|_| settings.question == Question::Mail && until >= Stage::Mail)?;
        Some(Self { limit, waited: Duration::ZERO, alone: settings.walk == Walk::First, until, end: None })
    }

    /// The next wait, if the conversations so far leave something to come back for.
    pub(super) fn next(&mut self, sessions: &[SessionFacts], knowledge: &Knowledge, connect_timeout: Duration) -> Option<Wait> {
        let mut last: Vec<&SessionFacts> = Vec::new();
        for session in sessions.iter().filter(|session| session.role.asks_the_question()) {
            last.retain(|other| other.address != session.address);
            last.push(session);
        }
        let settled = self.alone && last.iter().any(|session| session.transcript.is_in_doubt() || is_taken(session, self.until));
        let mut due: Vec<(&SessionFacts, ComeBack)> =
            last.into_iter().filter_map(|session| Some((session, come_back(knowledge, session)?))).collect();
        due.truncate(if self.alone { 1 } else { usize::MAX });
        let after = due.iter().map(|(_, come_back)| come_back.after).max().filter(|_| !settled);
        let Some(after) = after else {
            if self.end.is_none() && !self.waited.is_zero() {
                self.end = Some(WaitEnd::Answered);
            }
            return None;
        };
        let left = self.limit.saturating_sub(self.waited);
        if after > left {
            self.end = Some(WaitEnd::TooLong(after));
            return None;
        }
        let time = left.min(after + MARGIN);
        let again = |(session, _): &(&SessionFacts, ComeBack)| {
            Some(Attempt {
                role: Role::Retry,
                host: session.host,
                name: session.name.clone(),
                address: session.address,
                port: Port::try_from(session.address.port()).ok()?,
                tls: session.tls,
                until: self.until,
                connect_timeout,
            })
        };
        Some(Wait { time, attempts: due.iter().filter_map(again).collect() })
    }

    pub(super) fn has_waited(&mut self, time: Duration) {
        self.waited += time;
    }

    pub(super) fn broken_off(&mut self) {
        self.end = Some(WaitEnd::BrokenOff);
    }

    /// What came of it; none if there was nothing to wait for.
    pub(super) fn into_waited(self) -> Option<Waited> {
        Some(Waited { limit: self.limit, waited: self.waited, end: self.end? })
    }
}

fn is_taken(session: &SessionFacts, until: Stage) -> bool {
    session.transcript.reached >= Some(until)
}

/// What a probe is waiting for, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub struct Pause<'a> {
    /// The first host that is asked again then.
    pub name: &'a Host,
    /// Its address.
    pub address: SocketAddr,
    /// What is left.
    pub left: Duration,
    /// Whether it has just begun.
    pub begins: bool,
}

impl<P: Fn(Progress<'_>)> Conversations<'_, P> {
    /// Waits where servers greylist and waiting is wanted. Returns whether there is something to ask again.
    pub(super) async fn wait(
        &self,
        patience: Option<&mut Patience>,
        course: &mut Course<'_>,
        mut interrupt: Pin<&mut impl Future<Output = ()>>,
    ) -> bool {
        let Some(patience) = patience.filter(|_| course.cut_short.is_none()) else { return false };
        let Some(wait) = patience.next(&course.sessions, self.knowledge, self.settings.connect_timeout) else { return false };
        let began = Instant::now();
        loop {
            let waited = began.elapsed();
            let left = wait.time.saturating_sub(waited);
            if let Some(first) = wait.attempts.first() {
                let pause = Pause { name: &first.name, address: first.address, left, begins: waited < TICK };
                (self.progress)(Progress::Waiting(pause));
            }
            if left.is_zero() {
                break;
            }
            tokio::select! {
                biased;
                () = &mut interrupt => {
                    patience.has_waited(began.elapsed());
                    patience.broken_off();
                    course.take(Happening::Stopped(FailureKind::Interrupted));
                    return false;
                }
                () = sleep(left.min(TICK)) => {}
            }
        }
        patience.has_waited(wait.time);
        course.ask_again(wait.attempts);
        true
    }
}
