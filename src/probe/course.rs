//! The course of one probe: what has happened so far, and what is to be begun next.

use tokio::sync::watch;

use super::beside::Beside;
use super::errands::{Errand, Errands, News};
use super::own_side::OwnSide;
use super::plan::{Attempt, Ending, Plan};
use super::policies::Policies;
use super::{Role, SessionFacts, ending};
use crate::route::{Identity, Resolver, Route, Step};
use crate::settings::{Clock, Settings};
use crate::smtp::{FailureKind, Stage, Transcript};
use crate::target::{DomainName, Target};
use crate::transport::Stop;

/// What a probe waits for.
pub(super) enum Happening {
    /// The route has been found a step further.
    Step(Step),
    /// The route has been found.
    Routed(Route),
    /// A conversation has told something.
    News(News),
    /// Something has been looked up.
    Errand(Errand),
    /// Something about policies has become known.
    Policy,
    /// Something about the sender has become known.
    OwnSide,
    /// A conversation has ended.
    Ended(Attempt, Transcript),
    /// The probe has to stop.
    Stopped(FailureKind),
    /// Time has passed.
    Time,
}

/// What has happened so far.
pub(super) struct Course<'a> {
    clock: Clock,
    until: Stage,
    pub(super) plan: Plan,
    pub(super) beside: Beside,
    pub(super) errands: Errands<'a>,
    pub(super) policies: Policies<'a>,
    pub(super) own_side: OwnSide<'a>,
    pub(super) route: Option<Route>,
    pub(super) sessions: Vec<SessionFacts>,
    /// What is to be asked again after a wait.
    again: Vec<Attempt>,
    pub(super) identities: Vec<Identity>,
    /// The addresses of this host's own name, where they were looked up.
    pub(super) own_name: Vec<std::net::IpAddr>,
    pub(super) cut_short: Option<FailureKind>,
    /// Tells the conversations to end, each by what it is held for.
    halt: watch::Sender<Option<FailureKind>>,
    /// Tells those to end that are held whatever the others come to.
    halt_all: watch::Sender<Option<FailureKind>>,
}

impl<'a> Course<'a> {
    pub(super) fn new(
        target: &Target,
        settings: &'a Settings,
        resolver: &'a Resolver,
        hostname: Option<&'a DomainName>,
        (policies, own_side): (Policies<'a>, OwnSide<'a>),
        clock: Clock,
    ) -> Self {
        Self {
            clock,
            until: super::until(target, settings),
            plan: Plan::new(target, settings),
            beside: Beside::new(settings),
            errands: Errands::new(settings, resolver, hostname),
            policies,
            own_side,
            route: None,
            sessions: Vec::new(),
            again: Vec::new(),
            identities: Vec::new(),
            own_name: Vec::new(),
            cut_short: None,
            halt: watch::Sender::new(None),
            halt_all: watch::Sender::new(None),
        }
    }

    /// The next conversation to begin now; none if none is due. `speaking` says whether one is under way on a connection that stands.
    pub(super) fn next(&mut self, speaking: bool) -> Option<Attempt> {
        if let Some(attempt) = self.again.pop() {
            return Some(attempt);
        }
        let now = self.clock.now();
        let attempt = match self.plan.next(now, speaking) {
            Some(attempt) => {
                // An attempt that was overtaken and is made again has said nothing the first time.
                self.sessions.retain(|session| session.address != attempt.address);
                attempt
            }
            None if self.cut_short.is_none() && !self.plan.is_settled() => {
                let all_begun = self.all_begun();
                let attempt = self.beside.next(now, all_begun, |host, port| self.policies.let_go_in_the_clear(host, port));
                let limit = self.beside.time_left(now);
                if self.beside.wants_controls() {
                    self.errands.find_controls(limit);
                }
                for address in self.beside.silent(now) {
                    self.errands.find_own_name(address, limit);
                }
                attempt?
            }
            None if self.cut_short.is_none() => self.beside.next_in_any_case()?,
            None => return None,
        };
        self.beside.began(&attempt, now);
        Some(attempt)
    }

    /// Makes these the next conversations.
    pub(super) fn ask_again(&mut self, attempts: Vec<Attempt>) {
        self.again = attempts;
        // Whoever was told to end because another had answered is no longer about.
        self.halt = watch::Sender::new(None);
    }

    /// What tells a conversation that is held for `role` to end.
    pub(super) fn stop(&self, role: Role) -> Stop {
        if role == Role::Injection { self.halt_all.subscribe() } else { self.halt.subscribe() }
    }

    /// Whether every address that was asked for is being asked.
    fn all_begun(&self) -> bool {
        self.route.is_some() && self.plan.is_done()
    }

    /// Whether nothing is to come, policies apart, once the conversations under way have ended.
    fn is_over(&self) -> bool {
        self.cut_short.is_some() || self.plan.is_settled() || (self.all_begun() && self.errands.is_empty())
    }

    /// Whether the probe is over, when no conversation is under way.
    pub(super) fn may_end(&mut self) -> bool {
        // From here on policies and the sender's own side are all that is waited for.
        let now = self.clock.now();
        let policies_over = self.is_over() && self.policies.may_end(now);
        let own_side_over = self.is_over() && self.own_side.may_end(now);
        let waits = self.beside.waits_for_policies() && !self.plan.is_settled();
        self.is_over() && ((policies_over && own_side_over && !waits) || self.cut_short.is_some())
    }

    /// How long nothing is to be done, if time alone will change that.
    pub(super) fn wake(&self) -> Option<std::time::Duration> {
        let now = self.clock.now();
        [self.plan.wake(now), self.beside.wake(now), self.policies.wake(now), self.own_side.wake(now)].into_iter().flatten().min()
    }

    /// Takes in what has happened.
    pub(super) fn take(&mut self, happening: Happening) {
        match happening {
            Happening::Step(step) => {
                if let Step::Done { host, found } = &step {
                    self.policies.located(*host, found, self.plan.ports_of(*host));
                }
                self.plan.take(step, self.clock.now());
            }
            Happening::Routed(route) => {
                self.plan.all_found();
                self.route = Some(route);
            }
            Happening::News(News::Stands(address)) => self.beside.stands(address),
            Happening::News(News::Masked(address)) => self.beside.doubt(address),
            Happening::News(News::Stranger(name, address)) => {
                self.errands.identify(name, address, self.beside.time_left(self.clock.now()));
            }
            Happening::Errand(Errand::Controls(found)) => self.beside.found(found),
            Happening::Errand(Errand::Identity(identity, address)) => {
                if identity.answered && !identity.holds() {
                    self.beside.doubt(address);
                }
                self.identities.push(identity);
            }
            Happening::Errand(Errand::OwnName(addresses)) => self.own_name = addresses,
            Happening::News(News::Seen(seen)) => self.own_side.take(seen),
            Happening::News(News::Refused(reason)) => self.own_side.refused(reason),
            Happening::Errand(Errand::Nothing) | Happening::Policy | Happening::OwnSide | Happening::Time => {}
            Happening::Ended(attempt, transcript) => self.ended(attempt, transcript),
            Happening::Stopped(why) => {
                self.plan.give_up();
                self.halt.send_replace(Some(why.clone()));
                self.halt_all.send_replace(Some(why.clone()));
                self.cut_short = Some(why);
            }
        }
    }

    fn ended(&mut self, attempt: Attempt, transcript: Transcript) {
        self.beside.ended(&attempt, &transcript);
        // A message that was taken, or may have been, is sent nowhere else.
        let elsewhere = attempt.role != Role::Asked && attempt.role.asks_the_question() && self.until >= Stage::Message;
        if elsewhere && ending(&transcript, self.until) == Ending::Definite {
            self.plan.give_up();
            self.halt.send_replace(Some(FailureKind::Overtaken));
        }
        if attempt.role == Role::Asked {
            if self.plan.finished(&attempt, ending(&transcript, self.until)) {
                self.halt.send_replace(Some(FailureKind::Overtaken));
            }
            if transcript.reached.is_none() {
                self.errands.find_own_name(attempt.address.ip(), self.beside.time_left(self.clock.now()));
            }
        }
        let Attempt { role, host, name, address, tls, .. } = attempt;
        self.sessions.push(SessionFacts { role, host, name, address, tls, transcript, dane: None, come_back: None });
    }
}
