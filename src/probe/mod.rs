//! Which conversations to hold, with which hosts, how many at once, and which control questions to add.
//!
//! Looking up and connecting overlap: a host is connected to as soon as one of its addresses is known. What to connect to when is
//! the `Plan`'s business; what to ask beyond the target's own question is decided in `controls`.

mod controls;
mod plan;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use self::plan::{Attempt, Ending, Plan};
use crate::knowledge::Knowledge;
use crate::route::{self, Lookup, LookupFailure, MailHost, Origin, Resolver, Route};
use crate::sender;
use crate::settings::{Clock, Settings, Walk};
use crate::smtp::{CodeClass, Dialogue, Event, FailureKind, HelloName, Purpose, Session, Stage, TlsUse, Transaction, Transcript, Verb};
use crate::target::{Host, Target};
use crate::transport::{Line, Stop, TlsClient};

/// What happened in one probe: plain facts, without any judgement.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was asked for.
    pub target: Target,
    /// The last stage that was to be asked for.
    pub until: Stage,
    /// Which hosts and addresses were to be asked.
    pub walk: Walk,
    /// The octets declared with SIZE; none if none were.
    pub size: Option<u64>,
    /// When the probe began.
    pub started_at: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// From where it was held.
    pub vantage: Vantage,
    /// Where the mail goes.
    pub route: Route,
    /// The conversations, in the route's order.
    pub sessions: Vec<SessionFacts>,
    /// What was not connected to, and why.
    pub left_out: Vec<LeftOut>,
    /// Why the probe was ended before it was through; none if it was not.
    pub cut_short: Option<FailureKind>,
}

/// From where the probe was held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vantage {
    /// This host's name; none if it has none that is qualified.
    pub hostname: Option<String>,
    /// The name said in EHLO; none if nothing was said.
    pub hello: Option<String>,
    /// This machine's addresses, as its connections had them.
    pub addresses: Vec<IpAddr>,
}

/// One conversation.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// The host's place in the route.
    pub host: usize,
    /// The host.
    pub name: Host,
    /// Where it was connected to.
    pub address: SocketAddr,
    /// How TLS was to be used.
    pub tls: TlsUse,
    /// What happened.
    pub transcript: Transcript,
}

/// An address that was not connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The host's place in the route.
    pub host: usize,
    /// Its address.
    pub address: SocketAddr,
    /// Why.
    pub why: LeftOutWhy,
}

/// Why an address was not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOutWhy {
    /// Another host has the same address.
    SameAddress,
    /// Two addresses of its family and host were asked already.
    EnoughOfTheHost,
    /// The limit of connections of one probe was reached.
    EnoughInAll,
    /// Another address had given a definite answer.
    Answered,
}

/// What a caller may watch while a probe runs.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// The hosts are known.
    Routed(&'a [MailHost]),
    /// A conversation has gone on.
    Session {
        /// The host.
        name: &'a Host,
        /// The address.
        address: SocketAddr,
        /// What has happened so far.
        transcript: &'a Transcript,
        /// Whether it is over.
        over: bool,
    },
}

/// How far a probe of `target` goes.
#[must_use]
pub fn until(target: &Target, settings: &Settings) -> Stage {
    let usual = if target.mailbox().is_some() { Stage::Rcpt } else { Stage::StartTls };
    settings.until.unwrap_or(usual)
}

/// Probes `target`, and gives back what happened. It ends by itself; when `interrupt` ends first, what had happened by then is
/// given back, after QUIT where possible.
///
/// Nothing that a peer, a resolver or the network does is an error: it stands in the [`Facts`].
pub async fn probe(
    target: &Target,
    settings: &Settings,
    knowledge: &Knowledge,
    interrupt: impl Future<Output = ()>,
    progress: impl Fn(Progress<'_>),
) -> Facts {
    let (clock, started_at) = (Clock::start(), SystemTime::now());
    let tls = TlsClient::new(&settings.extra_roots);
    let hostname = sender::host_name();
    let hello = settings.hello.clone().or_else(|| hostname.clone().map(HelloName::Domain));
    let conversations = Conversations {
        target,
        settings,
        knowledge,
        until: until(target, settings),
        hello,
        line: Line { settings, clock, tls: &tls },
        asked: RefCell::default(),
        speaking: Cell::new(None),
        progress: &progress,
    };

    let (found, mut steps) = mpsc::unbounded_channel();
    let resolver = Resolver::new(settings, clock);
    let mut resolving = pin!(route::resolve(target, settings, &resolver, found));
    let mut route: Option<Route> = None;
    let mut plan = Plan::new(target, settings);
    let (halt, stop) = watch::channel(None);
    let (mut interrupt, mut deadline) = (pin!(interrupt), pin!(sleep(settings.timeout)));
    let mut cut_short = None;
    let mut running = FuturesUnordered::new();
    let mut sessions = Vec::new();
    loop {
        while let Some(attempt) = plan.next(clock.now(), conversations.speaking.get().is_some()) {
            // An attempt that was overtaken and is made again has said nothing the first time.
            sessions.retain(|session: &SessionFacts| session.address != attempt.address);
            running.push(conversations.hold(attempt, stop.clone()));
        }
        let nothing_to_wait_for = cut_short.is_some() || plan.is_settled() || (route.is_some() && plan.is_done());
        if running.is_empty() && nothing_to_wait_for {
            break;
        }
        let wake = plan.wake(clock.now());
        let halted = cut_short.is_some();
        tokio::select! {
            biased;
            () = &mut interrupt, if !halted => cut_short = Some(FailureKind::Interrupted),
            () = &mut deadline, if !halted => cut_short = Some(FailureKind::ProbeTimeOver),
            Some(news) = steps.recv() => {
                plan.take(news, clock.now());
                if let Some(hosts) = plan.just_routed() {
                    progress(Progress::Routed(hosts));
                }
            }
            done = &mut resolving, if route.is_none() && !halted => {
                route = Some(done);
                while let Ok(step) = steps.try_recv() {
                    plan.take(step, clock.now());
                }
            }
            Some((attempt, transcript)) = running.next(), if !running.is_empty() => {
                if plan.finished(&attempt, ending(&transcript, conversations.until)) {
                    halt.send_replace(Some(FailureKind::Overtaken));
                }
                sessions.push(SessionFacts { host: attempt.host, name: attempt.name, address: attempt.address, tls: attempt.tls, transcript });
            }
            () = sleep(wake.unwrap_or_default()), if wake.is_some() => {}
        }
        if !halted && let Some(why) = &cut_short {
            plan.give_up();
            halt.send_replace(Some(why.clone()));
        }
    }
    drop(running);

    let route = route.unwrap_or_else(|| plan.route_so_far(resolver.lookups()));
    sessions.sort_by_key(|session: &SessionFacts| plan::rank(&route, session.host, session.address));
    let addresses: BTreeSet<IpAddr> = sessions.iter().filter_map(|s| local_address(&s.transcript)).collect();
    Facts {
        target: target.clone(),
        until: conversations.until,
        walk: settings.walk,
        size: settings.size,
        started_at,
        duration: clock.now().0,
        vantage: Vantage {
            hostname: hostname.map(|name| name.to_string()),
            hello: sessions.iter().find_map(|s| said_hello(&s.transcript)),
            addresses: addresses.into_iter().collect(),
        },
        left_out: plan.left_out(&route),
        route,
        sessions,
        cut_short,
    }
}

/// What all conversations of one probe share.
struct Conversations<'a, P> {
    target: &'a Target,
    settings: &'a Settings,
    knowledge: &'a Knowledge,
    until: Stage,
    hello: Option<HelloName>,
    line: Line<'a>,
    /// Control questions asked so far, by host and port: one of each kind is enough.
    asked: RefCell<BTreeSet<(usize, u16, Purpose)>>,
    /// Walking as an MTA: the one address that is being talked to.
    speaking: Cell<Option<SocketAddr>>,
    progress: &'a P,
}

impl<P: Fn(Progress<'_>)> Conversations<'_, P> {
    async fn hold(&self, attempt: Attempt, stop: Stop) -> (Attempt, Transcript) {
        let dialogue = Dialogue {
            hello: self.hello.clone(),
            tls: attempt.tls,
            until: self.until,
            pipelining: self.settings.pipelining,
            times: self.settings.times,
        };
        let mut session = Session::new(dialogue, self.line.clock.now());
        if self.until >= Stage::Mail {
            session.enqueue(self.question());
        }
        let mut considered = false;
        let watch = |session: &mut Session| {
            self.keep_to_one(&attempt, session);
            let sender_taken = session.transcript().reply_to(Verb::Mail, Purpose::Target).is_some_and(|mail| mail.is_yes());
            if !considered
                && sender_taken
                && let Some(answer) = session.transcript().reply_to(Verb::Rcpt, Purpose::Target)
            {
                considered = true;
                let reading = self.knowledge.read(answer.reply, Some(Verb::Rcpt));
                for purpose in controls::wanted(self.settings.controls, self.until, answer.reply.code, &reading) {
                    self.ask(purpose, &attempt, session);
                }
            }
            let (transcript, over) = (session.transcript(), session.is_answered());
            (self.progress)(Progress::Session { name: &attempt.name, address: attempt.address, transcript, over });
        };
        let transcript = self.line.hold(&attempt.name, attempt.address, session, stop, watch).await;
        if self.speaking.get() == Some(attempt.address) {
            self.speaking.set(None);
        }
        (attempt, transcript)
    }

    /// The transaction that asks what the user wants to know.
    fn question(&self) -> Transaction {
        Transaction {
            from: self.settings.from.clone(),
            recipients: self.target.mailbox().cloned().into_iter().collect(),
            size: self.settings.size,
            purpose: Purpose::Target,
        }
    }

    /// Adds a control question, in a transaction of its own, unless this host was asked it already on that port.
    fn ask(&self, purpose: Purpose, attempt: &Attempt, session: &mut Session) {
        let Some(recipient) = self.target.mailbox().and_then(|mailbox| controls::recipient(purpose, mailbox)) else { return };
        if self.asked.borrow_mut().insert((attempt.host, attempt.address.port(), purpose)) {
            session.enqueue(Transaction { from: self.settings.from.clone(), recipients: vec![recipient], size: None, purpose });
        }
    }

    /// Walking as an MTA: of two connections that come to stand at the same time, only the first is talked over.
    fn keep_to_one(&self, attempt: &Attempt, session: &mut Session) {
        let connected = session.transcript().reached == Some(Stage::Connect);
        if self.settings.walk == Walk::First && connected {
            match self.speaking.get() {
                None => self.speaking.set(Some(attempt.address)),
                Some(other) if other != attempt.address => session.broke(self.line.clock.now(), FailureKind::Overtaken.into()),
                Some(_) => {}
            }
        }
    }
}

/// Whether a mail server would go no further: a yes or no to the question itself. Failures and 4yz send it to the next host
/// (RFC 5321 §5.1), and so does a host that is not willing to talk at all.
fn ending(transcript: &Transcript, until: Stage) -> Ending {
    let failure = transcript.failure().map(|(_, _, failure)| &failure.kind);
    if failure == Some(&FailureKind::Overtaken) {
        return Ending::Overtaken;
    }
    let refused = transcript.replies().any(|answer| {
        answer.purpose == Purpose::Target && Stage::of(answer.verb) >= Stage::Mail && answer.reply.code.class() == CodeClass::Permanent
    });
    let stage = if until == Stage::StartTls { Stage::Ehlo } else { until };
    // What happens after a yes to the question itself takes nothing back.
    let settled = failure.is_none() || stage >= Stage::Mail;
    let definite = refused || (transcript.reached >= Some(stage) && settled);
    if definite { Ending::Definite } else { Ending::Open }
}

fn local_address(transcript: &Transcript) -> Option<IpAddr> {
    transcript.events.iter().find_map(|(_, event)| if let Event::Connected(ends) = event { Some(ends.local.ip()) } else { None })
}

fn said_hello(transcript: &Transcript) -> Option<String> {
    transcript.events.iter().find_map(|(_, event)| match event {
        Event::Sent { command: crate::smtp::Command::Ehlo(name), .. } => Some(name.to_string()),
        _ => None,
    })
}

impl Route {
    /// A route that was not resolved to its end.
    fn unfinished(target: &Target, given: bool, hosts: Vec<MailHost>, lookups: Vec<Lookup>) -> Self {
        let domain = match target {
            Target::Domain(domain) => Some(domain.clone()),
            Target::Mailbox(mailbox) => match mailbox.domain() {
                crate::target::MailDomain::Name(name) => Some(name.clone()),
                crate::target::MailDomain::Literal(_) => None,
            },
            Target::Host { .. } => None,
        };
        let origin = match hosts.first() {
            None => Origin::Failed(LookupFailure::TimedOut),
            Some(host) if host.preference.is_some() => Origin::Mx,
            Some(_) if given || domain.is_none() => Origin::Given,
            Some(_) => Origin::ImplicitMx,
        };
        Self { origin, domain, hosts, lookups }
    }
}
