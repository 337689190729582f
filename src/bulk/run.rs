//! A run over a list: lookups, sessions and answers, as many at a time as manners allow.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Answer;
use super::input::Entry;
use super::ledger::{Ledger, Start};
use super::order::Order;
use super::plan::Way;
use super::pool::Pool;
use super::talk::Talk;
use super::tally::Tally;
use crate::knowledge::Knowledge;
use crate::route::{self, Resolver, Route};
use crate::sender;
use crate::settings::{Clock, Settings};
use crate::smtp::{Dialogue, Elapsed, FailureKind, Handshake, HelloName, Session, Stage, TlsUse};
use crate::target::{Host, MailDomain, Port, Target};
use crate::transport::{Line, Stop, TlsClient};

/// Progress is told this often.
const TICK: Duration = Duration::from_secs(1);

/// Lines that are taken in at once, before sessions get their turn.
const AT_ONCE: usize = 256;

/// Whether a run is to end before the list does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Halt {
    /// It is not.
    #[default]
    No,
    /// Nothing new is begun; what is being asked is asked to its end.
    Finish,
    /// At once, with QUIT where possible.
    Now,
}

/// One line to be answered, and where its mail goes if that is known already.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) entry: Entry,
    /// None if it is to be looked up.
    pub(super) way: Option<Way>,
}

impl From<Entry> for Wanted {
    fn from(entry: Entry) -> Self {
        Self { entry, way: None }
    }
}

/// Answers each of `lines` once, in whatever order the answers come; those that have none when the run is halted, or when `answer`
/// breaks, are left out. It ends when the channel of lines is closed and all are answered.
///
/// `progress` is called about once a second. What servers, resolver and network do is no error: it stands in the answers.
pub async fn run(
    (order, settings, knowledge): (&Order, &Settings, &Knowledge),
    lines: mpsc::Receiver<Entry>,
    halt: watch::Receiver<Halt>,
    answer: impl FnMut(Answer) -> ControlFlow<()>,
    progress: impl FnMut(&Tally),
) -> Tally {
    run_beside((order, settings, knowledge), (&Pool::new(order.connections), &|| true), lines, halt, answer, progress).await
}

/// The same beside other runs that take their connections from the same `pool`; [`Order::connections`] has no say then. Before each step of
/// a session it is asked whether it `may_go_on`; if not, it ends.
pub(super) async fn run_beside<W: Into<Wanted>>(
    (order, settings, knowledge): (&Order, &Settings, &Knowledge),
    (pool, may_go_on): (&Pool, &dyn Fn() -> bool),
    mut lines: mpsc::Receiver<W>,
    mut halt: watch::Receiver<Halt>,
    mut answer: impl FnMut(Answer) -> ControlFlow<()>,
    mut progress: impl FnMut(&Tally),
) -> Tally {
    let clock = Clock::start();
    let tls = TlsClient::new(&settings.extra_roots);
    let resolver = Resolver::new(settings, clock).remembering();
    let hello = settings.hello.clone().or_else(|| sender::host_name().map(HelloName::Domain));
    let wire = Line { settings, clock, tls: &tls, connect_timeout: settings.connect_timeout };
    let stir = Notify::new();
    let (stopper, stop) = watch::channel(None);
    let ledger = RefCell::new(Ledger::new((order, settings, knowledge), (clock, pool), &stir, &mut answer));
    let (mut lookups, mut sessions) = (FuturesUnordered::new(), FuturesUnordered::new());
    let mut read = Vec::new();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ledger.borrow_mut().due();
        while lookups.len() < order.lookups
            && let Some(domain) = { ledger.borrow_mut().next_sought() }
        {
            lookups.push(look_up(domain, settings, &resolver));
        }
        while let Some(start) = { ledger.borrow_mut().start() } {
            sessions.push(hold(start, &ledger, &wire, hello.clone(), (stop.clone(), may_go_on)));
        }
        let (room, wake, over) = {
            let ledger = ledger.borrow();
            let over = (ledger.is_done() || ledger.finishing) && ledger.is_silent();
            (if ledger.tally.all_read { 0 } else { ledger.room().min(AT_ONCE) }, ledger.wake(), over)
        };
        if over {
            break;
        }
        tokio::select! {
            biased;
            Ok(()) = halt.changed() => {
                let asked = *halt.borrow_and_update();
                ledger.borrow_mut().finishing |= asked >= Halt::Finish;
                if asked == Halt::Now {
                    let _ = stopper.send(Some(FailureKind::Interrupted));
                }
            }
            Some(()) = sessions.next(), if !sessions.is_empty() => {}
            Some((domain, target, route)) = lookups.next(), if !lookups.is_empty() => {
                ledger.borrow_mut().routed(&domain, &target, &route);
            }
            _ = tick.tick() => {
                let tally = ledger.borrow_mut().tally();
                progress(&tally);
            }
            count = lines.recv_many(&mut read, room), if room > 0 => {
                let mut ledger = ledger.borrow_mut();
                ledger.tally.all_read = count == 0;
                for wanted in read.drain(..) {
                    let Wanted { entry, way } = wanted.into();
                    ledger.read(entry, way);
                }
            }
            () = stir.notified() => {}
            () = pool.freed(), if pool.is_full() => {}
            () = sleep(wake.unwrap_or_default().since(clock.now())), if wake.is_some() => {}
        }
    }
    drop(sessions);
    let tally = Tally { open: 0, ..ledger.borrow_mut().tally() };
    progress(&tally);
    tally
}

pub(super) async fn look_up(domain: MailDomain, settings: &Settings, resolver: &Resolver) -> (MailDomain, Target, Route) {
    let target = match &domain {
        MailDomain::Name(name) => Target::Domain(name.clone()),
        MailDomain::Literal(address) => Target::Host { host: Host::Address(*address), port: None, scheme: None },
    };
    let (unheard, _) = mpsc::unbounded_channel();
    let route = route::resolve(&target, settings, resolver, unheard).await;
    (domain, target, route)
}

async fn hold(
    start: Start,
    ledger: &RefCell<Ledger<'_>>,
    wire: &Line<'_>,
    hello: Option<HelloName>,
    (stop, may_go_on): (Stop, &dyn Fn() -> bool),
) {
    let settings = wire.settings;
    let tls = match settings.tls {
        Some(TlsUse::IfOffered) | None if start.in_the_clear => TlsUse::Never,
        Some(tls) => tls,
        None if start.address.port() == Port::SUBMISSIONS.number() => TlsUse::Implicit,
        None => TlsUse::IfOffered,
    };
    let dialogue = Dialogue {
        protocol: settings.protocol,
        proxy_header: settings.proxy_header,
        xclient: settings.xclient.clone(),
        hello,
        tls,
        until: Stage::Rcpt,
        handshake: Handshake::Usual,
        pipelining: start.pipelining,
        login: None,
        times: settings.times,
    };
    let began: Elapsed = wire.clock.now();
    let mut session = Session::new(dialogue, began);
    session.bear(ledger.borrow().order.usage.errors);
    let mut talk = Talk::new(&start, tls, began);
    let go_on = |session: &mut Session| {
        if may_go_on() {
            talk.go_on(&mut ledger.borrow_mut(), session);
        } else {
            session.broke(wire.clock.now(), FailureKind::Interrupted.into());
        }
    };
    let transcript = wire.hold(&start.host, || None, start.address, session, stop, go_on).await;
    drop(start.permit);
    talk.ended(&mut ledger.borrow_mut(), &transcript);
}

#[cfg(test)]
mod tests;
