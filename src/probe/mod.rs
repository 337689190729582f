//! Which conversations to hold, with which hosts, how many at once, and which control questions to add.
//!
//! Looking up and connecting overlap: a host is connected to as soon as one of its addresses is known. What to connect to when is
//! the `Plan`'s business, and that of `Beside` for connections that nobody asked for but that tell whose fault it is; what to ask
//! beyond the target's own question is decided in `controls`.

mod beside;
mod controls;
mod course;
mod errands;
mod greylisting;
mod letter;
mod own_side;
mod plan;
mod policies;
mod policy_host;
mod recorded;
mod relay;
mod vantage;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

pub use self::controls::recipient as control_recipient;
use self::course::{Course, Happening};
use self::errands::News;
pub use self::greylisting::{ComeBack, Pause, WaitEnd, Waited};
use self::greylisting::{Patience, come_back};
pub use self::letter::Written;
use self::letter::{Desk, as_delivering};
use self::own_side::OwnSide;
use self::plan::{Attempt, Ending};
use self::policies::Policies;
pub use self::policies::{HostKeys, MtaSts, Published, Unread};
pub use self::policy_host::{PolicyFetch, fetch_policy};
pub use self::recorded::Recorded;
pub use self::vantage::{Own, Vantage};
use crate::knowledge::Knowledge;
use crate::message::Message;
use crate::policy::{DaneResult, DaneVerdict};
use crate::route::{self, Doubt, Identity, Lookup, LookupFailure, MailHost, Origin, Resolver, Route, Security, TlsaOutcome};
use crate::sender::{self, Sender};
use crate::settings::{Clock, Controls, Policies as PoliciesUse, Question, Settings, Walk};
use crate::smtp::{
    Answer, CodeClass, Connected, Dialogue, Event, FailureKind, Handling, Handshake, HelloName, Protocol, Purpose, Session, Stage,
    StageTimes, TlsUse, Transaction, Transcript, Verb,
};
use crate::target::{DomainName, Host, Port, Target};
use crate::transport::dane::verify;
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
    /// What was to be delivered; none if nothing was, or if it did not come to that.
    pub letter: Option<Written>,
    /// How it was to be handled.
    pub handling: Handling,
    /// What came of waiting for servers that greylist; none if that was not wanted, or none did.
    pub waited: Option<Waited>,
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
    /// What is published about how mail is to be sent there.
    pub published: Published,
    /// What the DNS says of names in greetings that look strange at their hosts.
    pub identities: Vec<Identity>,
    /// The sender's own side, as the receiver sees it; none if it was not looked at.
    pub sender: Option<Box<Sender>>,
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
    /// What TLSA records say of the certificate; none without TLS or without records that count.
    pub dane: Option<DaneResult>,
    /// When the server wants to be asked again; none if it does not greylist, or if a record does not tell.
    pub come_back: Option<ComeBack>,
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
    /// The question once more without TLS, after a handshake that failed, as mail servers do that take TLS only if they can get it.
    InClear,
    /// A host whose handshake failed is asked what old TLS it would speak.
    OldTls,
    /// Whether the server obeys inside TLS what was sent in the clear ahead of it.
    Injection,
    /// The question once more to a server that greylists, after the time that it wants to be left alone.
    Retry,
}

impl Role {
    /// Whether the question itself is put.
    #[must_use]
    pub const fn asks_the_question(self) -> bool {
        matches!(self, Self::Asked | Self::InClear | Self::Retry)
    }
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
    /// A server that greylists is waited for; told about once a second.
    Waiting(Pause<'a>),
}

/// How far a probe of `target` goes.
#[must_use]
pub fn until(target: &Target, settings: &Settings) -> Stage {
    let usual = match settings.question {
        Question::Ports => Stage::Greeting,
        Question::Mail if target.mailbox().is_some() && settings.letter.is_some() => Stage::Message,
        Question::Mail if target.mailbox().is_some() => Stage::Rcpt,
        Question::Mail if settings.login.is_some() => Stage::Auth,
        Question::Mail => Stage::StartTls,
    };
    let until = settings.until.unwrap_or(usual);
    // Without a message there is nothing to go on with after 354.
    if settings.letter.is_none() { until.min(Stage::Data) } else { until }
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
    let settings = &*as_delivering(target, settings);
    let (clock, started_at) = (Clock::start(), SystemTime::now());
    let tls = TlsClient::new(&settings.extra_roots);
    let hostname = sender::host_name();
    let (tell, mut news) = mpsc::unbounded_channel();
    let line = Line { settings, clock, tls: &tls, connect_timeout: settings.connect_timeout };
    let until = until(target, settings);
    let hello = settings.hello.clone().or_else(|| hostname.clone().map(HelloName::Domain));
    let (state, progress) = (Shared::default(), &progress);
    let conversations = Conversations { target, settings, knowledge, until, hello, line: line.clone(), state, news: tell, progress };

    let (found, mut steps) = mpsc::unbounded_channel();
    let resolver = Resolver::new(settings, clock);
    let mut resolving = pin!(route::resolve(target, settings, &resolver, found));
    let wanted = wants_policies(target, settings);
    let policies = Policies::new(target.domain(), wanted, line, &resolver);
    let own_side = OwnSide::new(target, settings, conversations.hello.clone(), knowledge, &resolver);
    let mut course = Course::new(target, settings, &resolver, hostname.as_ref(), (policies, own_side), clock);
    let (mut interrupt, mut deadline) = (pin!(interrupt), pin!(sleep(settings.timeout)));
    let mut running = FuturesUnordered::new();
    let mut patience = Patience::new(settings, until);
    loop {
        while let Some(attempt) = course.next(conversations.state.speaking.get().is_some()) {
            let stop = course.stop(attempt.role);
            running.push(conversations.hold(attempt, stop));
        }
        if running.is_empty() && course.may_end() {
            if !conversations.wait(patience.as_mut(), &mut course, interrupt.as_mut()).await {
                break;
            }
            deadline.as_mut().reset(Instant::now() + settings.timeout);
            continue;
        }
        let (wake, halted) = (course.wake(), course.cut_short.is_some());
        let happening = tokio::select! {
            biased;
            () = &mut interrupt, if !halted => Happening::Stopped(FailureKind::Interrupted),
            // Nobody hangs up on a message that may be delivered already.
            () = &mut deadline, if !halted && conversations.state.delivering.get().is_none() => Happening::Stopped(FailureKind::ProbeTimeOver),
            Some(found) = steps.recv() => Happening::Step(found),
            done = &mut resolving, if course.route.is_none() && !halted => Happening::Routed(done),
            Some(news) = news.recv() => Happening::News(news),
            Some(done) = course.errands.next(), if !course.errands.is_empty() => Happening::Errand(done),
            () = course.policies.advance(), if !course.policies.is_empty() => Happening::Policy,
            () = course.own_side.advance(), if !course.own_side.is_empty() => Happening::OwnSide,
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
        if matches!(happening, Happening::Policy) {
            conversations.state.bases.replace(course.policies.bases());
        }
        course.take(happening);
        if let Some(hosts) = course.plan.just_routed() {
            progress(Progress::Routed(hosts));
        }
    }
    drop(running);

    let Course { plan, route, mut sessions, identities, own_name, cut_short, policies, own_side, .. } = course;
    let (published, lookups) = policies.into_parts();
    let route = whole(route, lookups).unwrap_or_else(|| plan.route_so_far(resolver.lookups()));
    for session in &mut sessions {
        session.dane = dane(session, &published, target, started_at);
        session.come_back = come_back(knowledge, session);
    }
    // Control hosts have no place in the route: they stand as they were called, however they ended.
    sessions.sort_by_key(|session| (session.role, plan::rank(&route, session.host, session.address), session.transcript.began));
    let sender = own_side.into_sender();
    Facts {
        target: target.clone(),
        question: settings.question,
        needed: plan.needed(),
        until,
        walk: settings.walked(),
        size: settings.size,
        letter: conversations.state.desk.into_inner().and_then(Result::ok),
        handling: settings.handling,
        waited: patience.and_then(Patience::into_waited),
        started_at,
        duration: clock.now().0,
        vantage: Vantage::of(&sessions, settings, hostname.as_ref(), &own_name).naming(sender.as_deref()),
        left_out: plan.left_out(&route),
        route,
        sessions,
        published,
        identities,
        sender,
        cut_short,
    }
}

/// The route with everything that was looked up; none if it was not resolved to its end.
fn whole(route: Option<Route>, lookups: Vec<Lookup>) -> Option<Route> {
    route.map(|route| Route { lookups: [route.lookups, lookups].concat(), ..route })
}

/// Whether what the domain publishes about transport security matters to the question.
fn wants_policies(target: &Target, settings: &Settings) -> bool {
    let of_mail = settings.question == Question::Mail && settings.protocol == Protocol::Smtp && until(target, settings) >= Stage::StartTls;
    of_mail && settings.policies == PoliciesUse::Auto && settings.tls != Some(TlsUse::Never)
}

/// What the records of a session's host say of the certificate that it showed; none if that cannot be told.
fn dane(session: &SessionFacts, published: &Published, target: &Target, now: SystemTime) -> Option<DaneResult> {
    let keys = published.keys_of(session.host?, Port::try_from(session.address.port()).ok()?)?;
    let (Some(base), Some(TlsaOutcome::Records(records)), Some(tls)) = (&keys.base, &keys.outcome, session.transcript.tls()) else {
        return None;
    };
    let chain: Vec<Vec<u8>> = tls.chain.iter().map(|sent| sent.der.clone()).collect();
    let references: Vec<DomainName> = std::iter::once(base).chain(target.domain()).cloned().collect();
    let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |passed| i64::try_from(passed.as_secs()).unwrap_or(i64::MAX));
    let result = verify(&chain, records, &references, now);
    let failed = matches!(result.verdict, DaneVerdict::Failed { .. });
    // Asked for another name a server may show another certificate.
    let asked_for_it = tls.server_name.as_deref() == Some(base.as_str());
    (asked_for_it || !failed).then_some(result)
}

/// What all conversations of one probe share.
struct Conversations<'a, P> {
    target: &'a Target,
    settings: &'a Settings,
    knowledge: &'a Knowledge,
    until: Stage,
    hello: Option<HelloName>,
    line: Line<'a>,
    state: Shared,
    news: mpsc::UnboundedSender<News>,
    progress: &'a P,
}

/// What the conversations of one probe come to know together.
#[derive(Default)]
struct Shared {
    /// The names that TLS is to ask for, where they are not the hosts' own.
    bases: RefCell<BTreeMap<(usize, Port), DomainName>>,
    /// Control questions asked so far, by host and port: one of each kind is enough.
    asked: RefCell<BTreeSet<(Option<usize>, Port, Purpose)>>,
    /// Walking as an MTA: the one address that is being talked to.
    speaking: Cell<Option<SocketAddr>>,
    /// Where a message is being handed over.
    delivering: Cell<Option<SocketAddr>>,
    /// What is delivered.
    desk: Desk,
    /// The local address of each connection, to come back from the same one.
    locals: RefCell<BTreeMap<SocketAddr, IpAddr>>,
}

impl<P: Fn(Progress<'_>)> Conversations<'_, P> {
    async fn hold(&self, attempt: Attempt, stop: Stop) -> (Attempt, Transcript) {
        let relay = self.settings.relay.as_ref().filter(|_| attempt.role.asks_the_question());
        // A host that was not asked for knows nothing of what the user has agreed with the ones that were.
        let agreed = !matches!(attempt.role, Role::Control | Role::OtherPort);
        let dialogue = Dialogue {
            protocol: if agreed { self.settings.protocol } else { Protocol::Smtp },
            proxy_header: self.settings.proxy_header.filter(|_| agreed),
            xclient: self.settings.xclient.clone().filter(|_| attempt.role.asks_the_question()),
            hello: self.hello.clone(),
            tls: attempt.tls,
            until: if relay.is_some() { attempt.until.max(Stage::Rcpt) } else { attempt.until },
            handshake: match attempt.role {
                Role::OldTls => Handshake::Survey,
                Role::Injection => Handshake::Injection,
                _ => Handshake::Usual,
            },
            pipelining: self.settings.pipelining,
            login: self.settings.login.clone().filter(|_| attempt.role == Role::Asked),
            times: self.times(&attempt),
        };
        let mut session = Session::new(dialogue, self.line.clock.now());
        if attempt.until >= Stage::Mail {
            match self.letter(&attempt) {
                Ok(message) => session.enqueue(self.question(message)),
                Err(failure) => {
                    session.broke(self.line.clock.now(), failure.into());
                    return (attempt, session.into_transcript());
                }
            }
        }
        for transaction in relay.into_iter().flat_map(|own| relay::transactions(own, self.settings.from.as_ref(), &attempt.name)) {
            session.enqueue(transaction);
        }
        let mut considered = false;
        let mut told = errands::Told::default();
        let watch = |session: &mut Session| {
            self.keep_to_one(&attempt, session);
            if session.is_delivering() {
                self.state.delivering.set(Some(attempt.address));
            } else if self.state.delivering.get() == Some(attempt.address) {
                self.state.delivering.set(None);
            }
            let about_sender = told.about_sender(&attempt, session.transcript(), self.knowledge);
            for news in told.news(&attempt, session.transcript()).into_iter().chain(about_sender) {
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
                for purpose in controls::wanted(self.controls(), self.until, answer.reply.code, &reading) {
                    self.ask(purpose, &attempt, session);
                }
            }
            let (transcript, over) = (session.transcript(), session.is_answered());
            (self.progress)(Progress::Session { name: &attempt.name, address: attempt.address, transcript, over });
        };
        let in_all = self.settings.times.session.unwrap_or(Duration::MAX);
        let from_there = self.state.locals.borrow().get(&attempt.address).copied().filter(|_| attempt.role == Role::Retry);
        let bound = from_there.map(|local| Settings { bind: Some(local), ..self.settings.clone() });
        let settings = bound.as_ref().unwrap_or(self.settings);
        let line = Line { settings, connect_timeout: attempt.connect_timeout.min(in_all), ..self.line };
        let base = || self.state.bases.borrow().get(&(attempt.host?, attempt.port)).cloned();
        let transcript = line.hold(&attempt.name, base, attempt.address, session, stop, watch).await;
        for place in [&self.state.speaking, &self.state.delivering] {
            if place.get() == Some(attempt.address) {
                place.set(None);
            }
        }
        if let Some(ends) = ends(&transcript) {
            self.state.locals.borrow_mut().insert(attempt.address, ends.local.ip());
        }
        (attempt, transcript)
    }

    /// Nobody waits for the reply to QUIT where a port is all that was asked for. QUIT itself is sent. Nor is anybody waited for
    /// long who was not asked for: a host that is up to tell whose side shuts a port has no longer than it had to connect.
    fn times(&self, attempt: &Attempt) -> StageTimes {
        let limit = match attempt.role {
            Role::Asked | Role::InClear | Role::Retry => Duration::MAX,
            Role::OtherMode | Role::OldTls | Role::Injection => BESIDE_LIMIT,
            Role::OtherPort | Role::Control => attempt.connect_timeout.clamp(BESIDE_LEAST, BESIDE_LIMIT),
        };
        let StageTimes { greeting, handshake, .. } = self.settings.times;
        let times = StageTimes { greeting: greeting.min(limit), handshake: handshake.min(limit), ..self.settings.times };
        let brief = !attempt.role.asks_the_question() || self.settings.question == Question::Ports;
        if brief { StageTimes { farewell: Duration::ZERO, ..times } } else { times }
    }

    /// Whoever has logged in is let through for another reason than a stranger, so that the answers to control questions tell nothing.
    fn controls(&self) -> Controls {
        match self.settings.controls {
            Controls::Auto if self.settings.login.is_some() => Controls::Off,
            controls => controls,
        }
    }

    /// The transaction that asks what the user wants to know.
    fn question(&self, message: Option<Message>) -> Transaction {
        Transaction {
            from: self.settings.from.clone(),
            recipients: self.target.mailbox().cloned().into_iter().collect(),
            via: None,
            size: self.settings.size,
            handling: self.settings.handling,
            message,
            purpose: Purpose::Target,
        }
    }

    /// Adds a control question, in a transaction of its own, unless this host was asked it already on that port.
    fn ask(&self, purpose: Purpose, attempt: &Attempt, session: &mut Session) {
        let Some(recipient) = self.target.mailbox().and_then(|mailbox| controls::recipient(purpose, mailbox)) else { return };
        if self.state.asked.borrow_mut().insert((attempt.host, attempt.port, purpose)) {
            let (from, handling) = (self.settings.from.clone(), Handling::default());
            session.enqueue(Transaction { from, recipients: vec![recipient], via: None, size: None, handling, message: None, purpose });
        }
    }

    /// Walking as an MTA: of two connections that come to stand at the same time, only the first is talked over.
    fn keep_to_one(&self, attempt: &Attempt, session: &mut Session) {
        let connected = session.transcript().reached == Some(Stage::Connect);
        let one_at_a_time = attempt.role == Role::Asked || (self.until >= Stage::Message && attempt.role.asks_the_question());
        if self.settings.walked() == Walk::First && one_at_a_time && connected {
            match self.state.speaking.get() {
                None => self.state.speaking.set(Some(attempt.address)),
                Some(other) if other != attempt.address => session.broke(self.line.clock.now(), FailureKind::Overtaken.into()),
                Some(_) => {}
            }
        }
    }
}

/// The ends of the connection; none if it never stood.
fn ends(transcript: &Transcript) -> Option<&Connected> {
    transcript.events.iter().find_map(|(_, event)| if let Event::Connected(ends) = event { Some(ends) } else { None })
}

/// Whether a mail server would go no further: a yes or no to the question itself. Failures and 4yz send it to the next host
/// (RFC 5321 §5.1), and so does a host that is not willing to talk at all.
fn ending(transcript: &Transcript, until: Stage) -> Ending {
    let failure = transcript.failure().map(|(_, _, failure)| &failure.kind);
    if failure == Some(&FailureKind::Overtaken) {
        return Ending::Overtaken;
    }
    // Wherever else it was sent, it might arrive twice.
    if transcript.is_in_doubt() {
        return Ending::Definite;
    }
    let refused = transcript.replies().any(|answer| {
        answer.purpose == Purpose::Target && Stage::of(answer.verb) >= Stage::Mail && answer.reply.code.class() == CodeClass::Permanent
    });
    // A password goes out once: what the first server makes of it is the answer, and it may count how often it is wrong.
    let judged = |answer: Answer<'_>| answer.verb == Verb::Auth && !answer.is_yes() && !matches!(answer.reply.code.number(), 334 | 504);
    let given_up = matches!(failure, Some(FailureKind::Login(failure)) if !failure.is_untried());
    let refused = refused || given_up || transcript.replies().any(judged);
    let stage = if until == Stage::StartTls { Stage::Ehlo } else { until };
    // What happens after a yes to the question itself takes nothing back.
    let settled = failure.is_none() || stage >= Stage::Mail;
    let definite = refused || (transcript.reached >= Some(stage) && settled);
    if definite { Ending::Definite } else { Ending::Open }
}

impl Route {
    /// A route that was not resolved to its end.
    fn unfinished(target: &Target, given: bool, hosts: Vec<MailHost>, lookups: Vec<Lookup>) -> Self {
        let domain = target.domain().cloned();
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
