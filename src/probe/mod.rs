//! Which conversations to hold, with which hosts, how many at once, and which control questions to add.
//!
//! Looking up and connecting overlap: a host is connected to as soon as one of its addresses is known. What to connect to when is
//! the `Plan`'s business, and that of `Beside` for connections that nobody asked for but that tell whose fault it is; what to ask
//! beyond the target's own question is decided in `controls`.

mod beside;
mod controls;
mod course;
mod errands;
mod plan;
mod policy_host;
mod vantage;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use self::course::{Course, Happening};
use self::errands::News;
use self::plan::{Attempt, Ending};
pub use self::policy_host::{PolicyFetch, fetch_policy};
pub use self::vantage::{Own, Vantage};
use crate::knowledge::Knowledge;
use crate::route::{self, Doubt, Identity, Lookup, LookupFailure, MailHost, Origin, Resolver, Route, Security};
use crate::sender;
use crate::settings::{Clock, Question, Settings, Walk};
use crate::smtp::{
    CodeClass, Dialogue, FailureKind, HelloName, Purpose, Session, Stage, StageTimes, TlsUse, Transaction, Transcript, Verb,
};
use crate::target::{Host, Port, Target};
use crate::transport::{Line, Stop, TlsClient};

/// How long a connection beside those asked for may take to greet or to shake hands, at most.
const BESIDE_LIMIT: Duration = Duration::from_secs(5);
/// The same where next to nothing is left of the time for connecting.
const BESIDE_LEAST: Duration = Duration::from_secs(1);

/// What happened in one probe: plain facts, without any judgement.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was asked for.
    pub target: Target,
    /// What was to be found out about it.
    pub question: Question,
    /// The ports that have to be open: those that the settings or the target name, else 25.
    pub needed: Vec<Port>,
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
    /// The conversations: first those asked for in the route's order, then those beside them.
    pub sessions: Vec<SessionFacts>,
    /// What the DNS says of names in greetings that look strange at their hosts.
    pub identities: Vec<Identity>,
    /// What was not connected to, and why.
    pub left_out: Vec<LeftOut>,
    /// Why the probe was ended before it was through; none if it was not.
    pub cut_short: Option<FailureKind>,
}

/// One conversation.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// What it was held for.
    pub role: Role,
    /// The host's place in the route; none for a control host.
    pub host: Option<usize>,
    /// The host.
    pub name: Host,
    /// Where it was connected to.
    pub address: SocketAddr,
    /// How TLS was to be used.
    pub tls: TlsUse,
    /// What happened.
    pub transcript: Transcript,
}

/// What a conversation is held for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It was asked for.
    #[default]
    Asked,
    /// A second try in the other TLS mode, after a first one that looked like the wrong one.
    OtherMode,
    /// Another mail port of a host whose own port is shut.
    OtherPort,
    /// A host that is known to listen, to learn whose side shuts a port.
    Control,
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
    let usual = match settings.question {
        Question::Ports => Stage::Greeting,
        Question::Mail if target.mailbox().is_some() => Stage::Rcpt,
        Question::Mail => Stage::StartTls,
    };
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
    let (tell, mut news) = mpsc::unbounded_channel();
    let hello = settings.hello.clone().or_else(|| hostname.clone().map(HelloName::Domain));
    let conversations = Conversations {
        target,
        settings,
        knowledge,
        until: until(target, settings),
        hello,
        line: Line { settings, clock, tls: &tls, connect_timeout: settings.connect_timeout },
        asked: RefCell::default(),
        speaking: Cell::new(None),
        news: tell,
        progress: &progress,
    };

    let (found, mut steps) = mpsc::unbounded_channel();
    let resolver = Resolver::new(settings, clock);
    let mut resolving = pin!(route::resolve(target, settings, &resolver, found));
    let (halt, stop) = watch::channel(None);
    let mut course = Course::new(target, settings, &resolver, hostname.as_ref(), clock, halt);
    let (mut interrupt, mut deadline) = (pin!(interrupt), pin!(sleep(settings.timeout)));
    let mut running = FuturesUnordered::new();
    loop {
        while let Some(attempt) = course.next(conversations.speaking.get().is_some()) {
            running.push(conversations.hold(attempt, stop.clone()));
        }
        if running.is_empty() && course.is_over() {
            break;
        }
        let (wake, halted) = (course.wake(), course.cut_short.is_some());
        let happening = tokio::select! {
            biased;
            () = &mut interrupt, if !halted => Happening::Stopped(FailureKind::Interrupted),
            () = &mut deadline, if !halted => Happening::Stopped(FailureKind::ProbeTimeOver),
            Some(found) = steps.recv() => Happening::Step(found),
            done = &mut resolving, if course.route.is_none() && !halted => Happening::Routed(done),
            Some(news) = news.recv() => Happening::News(news),
            Some(done) = course.errands.next(), if !course.errands.is_empty() => Happening::Errand(done),
            Some((attempt, transcript)) = running.next(), if !running.is_empty() => Happening::Ended(attempt, transcript),
            () = sleep(wake.unwrap_or_default()), if wake.is_some() => Happening::Time,
        };
        if matches!(happening, Happening::Routed(_)) {
            while let Ok(step) = steps.try_recv() {
                course.take(Happening::Step(step));
            }
        }
        // What a conversation tells while it ends comes before its end, which may be that of the probe.
        while let Ok(told) = news.try_recv() {
            course.take(Happening::News(told));
        }
        course.take(happening);
        if let Some(hosts) = course.plan.just_routed() {
            progress(Progress::Routed(hosts));
        }
    }
    drop(running);

    let Course { plan, route, mut sessions, identities, own_name, cut_short, .. } = course;
    let route = route.unwrap_or_else(|| plan.route_so_far(resolver.lookups()));
    // Control hosts have no place in the route: they stand as they were called, however they ended.
    sessions.sort_by_key(|session| (session.role, plan::rank(&route, session.host, session.address), session.transcript.began));
    Facts {
        target: target.clone(),
        question: settings.question,
        needed: plan.needed(),
        until: conversations.until,
        walk: settings.walk,
        size: settings.size,
        started_at,
        duration: clock.now().0,
        vantage: Vantage::of(&sessions, settings, hostname.as_ref(), &own_name),
        left_out: plan.left_out(&route),
        route,
        sessions,
        identities,
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
    asked: RefCell<BTreeSet<(Option<usize>, Port, Purpose)>>,
    /// Walking as an MTA: the one address that is being talked to.
    speaking: Cell<Option<SocketAddr>>,
    news: mpsc::UnboundedSender<News>,
    progress: &'a P,
}

impl<P: Fn(Progress<'_>)> Conversations<'_, P> {
    async fn hold(&self, attempt: Attempt, stop: Stop) -> (Attempt, Transcript) {
        let dialogue = Dialogue {
            hello: self.hello.clone(),
            tls: attempt.tls,
            until: attempt.until,
            pipelining: self.settings.pipelining,
            times: self.times(&attempt),
        };
        let mut session = Session::new(dialogue, self.line.clock.now());
        if attempt.until >= Stage::Mail {
            session.enqueue(self.question());
        }
        let mut considered = false;
        let mut told = errands::Told::default();
        let watch = |session: &mut Session| {
            self.keep_to_one(&attempt, session);
            for news in told.news(&attempt, session.transcript()) {
                // Whoever listens is gone only when the probe is over.
                let _ = self.news.send(news);
            }
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
        let in_all = self.settings.times.session.unwrap_or(Duration::MAX);
        let line = Line { connect_timeout: attempt.connect_timeout.min(in_all), ..self.line };
        let transcript = line.hold(&attempt.name, attempt.address, session, stop, watch).await;
        if self.speaking.get() == Some(attempt.address) {
            self.speaking.set(None);
        }
        (attempt, transcript)
    }

    /// Nobody waits for the reply to QUIT where a port is all that was asked for. QUIT itself is sent. Nor is anybody waited for
    /// long who was not asked for: a host that is up to tell whose side shuts a port has no longer than it had to connect.
    fn times(&self, attempt: &Attempt) -> StageTimes {
        let limit = match attempt.role {
            Role::Asked => Duration::MAX,
            Role::OtherMode => BESIDE_LIMIT,
            Role::OtherPort | Role::Control => attempt.connect_timeout.clamp(BESIDE_LEAST, BESIDE_LIMIT),
        };
        let StageTimes { greeting, handshake, .. } = self.settings.times;
        let times = StageTimes { greeting: greeting.min(limit), handshake: handshake.min(limit), ..self.settings.times };
        let brief = attempt.role != Role::Asked || self.settings.question == Question::Ports;
        if brief { StageTimes { farewell: Duration::ZERO, ..times } } else { times }
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
        if self.asked.borrow_mut().insert((attempt.host, attempt.port, purpose)) {
            session.enqueue(Transaction { from: self.settings.from.clone(), recipients: vec![recipient], size: None, purpose });
        }
    }

    /// Walking as an MTA: of two connections that come to stand at the same time, only the first is talked over.
    fn keep_to_one(&self, attempt: &Attempt, session: &mut Session) {
        let connected = session.transcript().reached == Some(Stage::Connect);
        if self.settings.walk == Walk::First && attempt.role == Role::Asked && connected {
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
        let unknown = Security::Unknown(Doubt::NoAnswer);
        let security = hosts.iter().map(MailHost::way).fold(unknown, Security::and);
        Self { origin, domain, hosts, security, lookups }
    }
}
