//! Connections beside those asked for, and when to make them: plain computation over what became of the others, and the time.
//!
//! - A port that did not speak as expected is tried once more in the other TLS mode, after the first try has ended.
//! - Where a port stays shut at every address of a family, other mail ports of the same hosts are tried (unless they were asked
//!   for anyway), and where that port is 25, a control host is: a host that is known to listen tells whose side shuts it.
//! - Where a TLS handshake failed, the host is asked on a new connection what old TLS it would speak; and where no policy forbids it
//!   the question is put once more in the clear, as mail servers do that take TLS if they can get it.
//! - Where the user wants it, one connection tries whether what is sent ahead of TLS is obeyed inside it.
//! - Where a greeting is masked or names somebody else, a control host tells who it is that answers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Role;
use super::plan::Attempt;
use crate::settings::{Question, Settings};
use crate::smtp::{Elapsed, FailureKind, ForeignProtocol, HandshakeFailure, Stage, TlsUse, Transcript};
use crate::target::{Host, Port, is_nonpublic};

/// Whoever has not greeted after this time waits for the client to begin, most likely. Those that only let it wait to see whether
/// it speaks too early, and remember who does, have greeted by then.
const MUTE: Duration = Duration::from_secs(20);
/// An attempt to connect that is silent for this long is taken for shut; it goes on all the same.
const PATIENCE: Duration = Duration::from_secs(3);
/// A control host that is silent for this long is joined by the next one.
const CONTROL_PATIENCE: Duration = Duration::from_secs(1);
/// Control hosts called in one family, at most: that nobody answers is told by two, however many the user names.
const CONTROLS_LIMIT: usize = 2;
/// Connections beside those of the probe of a mailbox, at most.
const LIMIT: usize = 8;
/// Second tries in the other TLS mode among them, at most: the hosts of a target have one and the same people.
const SECOND_TRIES_LIMIT: usize = 3;

/// Hosts that are asked about old TLS, and asked once more in the clear, at most.
const HOSTS_WITHOUT_TLS_LIMIT: usize = 3;

/// What has become of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// No answer yet.
    Trying,
    /// The connection stands, or stood.
    Open,
    /// The connection stood, and was taken away before a word came: a firewall may do that as well as the host.
    Cut,
    /// No connection came about, by no fault of this machine's.
    Shut,
    /// No connection, and nothing can be concluded from it.
    Excused,
}

#[derive(Debug)]
struct Cell {
    attempt: Attempt,
    began: Elapsed,
    fate: Fate,
}

/// How far the control hosts are.
#[derive(Debug, Default)]
enum Controls {
    /// Nobody needs them.
    #[default]
    Unneeded,
    /// Their addresses are wanted.
    Wanted,
    /// Their addresses are being looked up.
    Sought,
    /// Their addresses: one host and address of each control host and family.
    Found(Vec<(Host, IpAddr)>),
}

/// What is done where a handshake fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fallback {
    /// The question is put once more without TLS, as mail servers do.
    InClear,
    /// Nothing: logins have no business there.
    None,
}

/// What to connect to beside what was asked for.
#[derive(Debug)]
pub(super) struct Beside {
    question: Question,
    connect_timeout: Duration,
    /// Nothing is to be waited for once a connection stands.
    just_connect: bool,
    /// No control may be asked.
    uncontrolled: bool,
    /// The families (IPv4: true) in which it can be seen whose side shuts a port: by way of a proxy, none.
    seen: &'static [bool],
    cells: BTreeMap<SocketAddr, Cell>,
    /// Families (IPv4: true) whose asked port is shut everywhere.
    shut: BTreeMap<bool, Vec<Port>>,
    /// Families of which it is in question whose side shuts port 25.
    in_question: Vec<bool>,
    /// Families in which something else than the hosts seems to answer.
    doubted: Vec<bool>,
    controls: Controls,
    /// Hosts and ports whose handshake failed.
    without_tls: Vec<(Option<usize>, Port)>,
    /// Attempts in the clear that wait until it is known that no policy forbids them.
    in_the_clear: Vec<Attempt>,
    /// Whether injection is still to be tried.
    check_injection: bool,
    /// What is done where TLS fails.
    fallback: Fallback,
    /// How many second tries in the other TLS mode there were.
    second_tries: usize,
    ready: Vec<Attempt>,
    /// How many connections were called for.
    called: usize,
}

impl Beside {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            question: settings.question,
            connect_timeout: settings.connect_timeout,
            just_connect: settings.until.is_some_and(|until| until <= Stage::Connect),
            uncontrolled: settings.control.is_empty(),
            seen: if settings.proxy.is_some() { &[] } else { &[true, false] },
            cells: BTreeMap::new(),
            shut: BTreeMap::new(),
            in_question: Vec::new(),
            doubted: Vec::new(),
            controls: Controls::default(),
            without_tls: Vec::new(),
            in_the_clear: Vec::new(),
            check_injection: settings.check_injection,
            fallback: if settings.login.is_some() { Fallback::None } else { Fallback::InClear },
            second_tries: 0,
            ready: Vec::new(),
            called: 0,
        }
    }

    /// An attempt is being made.
    pub(super) fn began(&mut self, attempt: &Attempt, now: Elapsed) {
        // The others are about a port that is open.
        if matches!(attempt.role, Role::Asked | Role::OtherPort | Role::Control) {
            self.cells.insert(attempt.address, Cell { attempt: attempt.clone(), began: now, fate: Fate::Trying });
        }
    }

    /// A connection stands.
    pub(super) fn stands(&mut self, address: SocketAddr) {
        if let Some(cell) = self.cells.get_mut(&address) {
            cell.fate = Fate::Open;
        }
    }

    /// An attempt has ended.
    pub(super) fn ended(&mut self, attempt: &Attempt, transcript: &Transcript) {
        if let Some(cell) = self.cells.get_mut(&attempt.address).filter(|cell| cell.attempt.role == attempt.role) {
            cell.fate = fate(transcript);
        }
        if attempt.role == Role::Asked
            && (self.question == Question::Ports || self.second_tries < SECOND_TRIES_LIMIT)
            && let Some(tls) = other_mode(attempt.tls, transcript)
        {
            self.second_tries += 1;
            let until = if tls == TlsUse::Implicit { Stage::Tls } else { Stage::Greeting };
            self.ready.push(Attempt { role: Role::OtherMode, tls, until, ..attempt.clone() });
        }
        if attempt.role == Role::Asked && self.question == Question::Mail {
            self.after_tls(attempt, transcript);
        }
    }

    /// What to do about a handshake that failed, and what to try where one did not.
    fn after_tls(&mut self, attempt: &Attempt, transcript: &Transcript) {
        if transcript.tls().is_some() && attempt.tls != TlsUse::Implicit && std::mem::take(&mut self.check_injection) {
            self.ready.push(Attempt { role: Role::Injection, until: Stage::StartTls, ..attempt.clone() });
        }
        let place = (attempt.host, attempt.port);
        let Some(failure) = failed_handshake(transcript) else { return };
        if self.without_tls.contains(&place) || self.without_tls.len() >= HOSTS_WITHOUT_TLS_LIMIT {
            return;
        }
        self.without_tls.push(place);
        // Whoever falls silent at a hello, or answers in plain text, does so at another one.
        if !matches!(failure, FailureKind::NotTls | FailureKind::TlsHandshake(HandshakeFailure::Hung(_))) {
            let until = if attempt.tls == TlsUse::Implicit { Stage::Tls } else { Stage::StartTls };
            self.ready.push(Attempt { role: Role::OldTls, until, ..attempt.clone() });
        }
        if attempt.tls == TlsUse::IfOffered && self.fallback == Fallback::InClear {
            self.in_the_clear.push(Attempt { role: Role::InClear, tls: TlsUse::Never, ..attempt.clone() });
        }
    }

    /// The attempt that the user wants whatever the others have come to; none if it is not due.
    pub(super) fn next_in_any_case(&mut self) -> Option<Attempt> {
        let place = self.ready.iter().position(|attempt| attempt.role == Role::Injection)?;
        Some(self.ready.remove(place))
    }

    /// Whether an attempt waits until it is known what policies forbid.
    pub(super) fn waits_for_policies(&self) -> bool {
        !self.in_the_clear.is_empty()
    }

    /// Makes the attempts in the clear ready that are allowed; `allowed` says nothing as long as it is not known.
    fn go_on_in_the_clear(&mut self, allowed: impl Fn(usize, Port) -> Option<bool>) {
        for attempt in std::mem::take(&mut self.in_the_clear) {
            match attempt.host.and_then(|host| allowed(host, attempt.port)) {
                Some(true) => self.ready.push(attempt),
                Some(false) => {}
                None => self.in_the_clear.push(attempt),
            }
        }
    }

    /// The greeting at `address` does not look like that of the host: a control host's would tell who answers there.
    pub(super) fn doubt(&mut self, address: SocketAddr) {
        let v4 = address.is_ipv4();
        if address.port() == Port::SMTP.number() && !self.doubted.contains(&v4) {
            self.doubted.push(v4);
            self.want_controls();
        }
    }

    /// Addresses of a control host; each host's come when they are known.
    pub(super) fn found(&mut self, controls: Vec<(Host, IpAddr)>) {
        let of_target = |host: &Host, address: &IpAddr| {
            self.cells.values().any(|cell| {
                let same_name = match (&cell.attempt.name, host) {
                    (Host::Name(one), Host::Name(other)) => one.may_be_kin(other),
                    _ => false,
                };
                same_name || cell.attempt.address.ip() == *address
            })
        };
        let known = if let Controls::Found(known) = std::mem::take(&mut self.controls) { known } else { Vec::new() };
        let added = controls.into_iter().filter(|(host, address)| !of_target(host, address));
        self.controls = Controls::Found(known.into_iter().chain(added).collect());
    }

    /// Whether the addresses of the control hosts are to be looked up now; says so once.
    pub(super) fn wants_controls(&mut self) -> bool {
        let wanted = matches!(self.controls, Controls::Wanted);
        if wanted {
            self.controls = Controls::Sought;
        }
        wanted
    }

    fn want_controls(&mut self) {
        if !self.uncontrolled && matches!(self.controls, Controls::Unneeded) {
            self.controls = Controls::Wanted;
        }
    }

    /// The next connection to make beside those asked for. `all_begun` says that no further address will be asked for, and
    /// `in_the_clear` whether a host may be sent to without TLS, once that is known.
    pub(super) fn next(&mut self, now: Elapsed, all_begun: bool, in_the_clear: impl Fn(usize, Port) -> Option<bool>) -> Option<Attempt> {
        if all_begun {
            self.go_on_in_the_clear(in_the_clear);
            for v4 in self.seen {
                self.look_at(*v4, now);
            }
        }
        self.call_controls(now);
        if self.ready.is_empty() || (self.question == Question::Mail && self.called >= LIMIT) {
            return None;
        }
        self.called += 1;
        let attempt = self.ready.remove(0);
        // None of them goes further than the user wants; beyond the greeting none goes at all.
        let until = if self.just_connect { Stage::Connect } else { attempt.until };
        Some(Attempt { until, ..attempt })
    }

    /// The addresses asked for that are taken for shut because nothing has come from them for some time.
    pub(super) fn silent(&self, now: Elapsed) -> impl Iterator<Item = IpAddr> {
        let silent = move |cell: &&Cell| cell.fate == Fate::Trying && now.since(cell.began) >= self.patience();
        let asked = self.cells.values().filter(|cell| cell.attempt.role == Role::Asked);
        asked.filter(silent).map(|cell| cell.attempt.address.ip())
    }

    /// When time alone may change what is to be done.
    pub(super) fn wake(&self, now: Elapsed) -> Option<Duration> {
        let limit = |cell: &Cell| if cell.attempt.role == Role::Control { self.control_patience() } else { self.patience() };
        let trying = self.cells.values().filter(|cell| cell.fate == Fate::Trying);
        trying.map(|cell| limit(cell).saturating_sub(now.since(cell.began))).filter(|left| !left.is_zero()).min()
    }

    fn patience(&self) -> Duration {
        PATIENCE.min(self.connect_timeout / 3)
    }

    fn control_patience(&self) -> Duration {
        CONTROL_PATIENCE.min(self.connect_timeout / 10)
    }

    fn of_role(&self, role: Role, v4: bool) -> impl Iterator<Item = &Cell> {
        self.cells.values().filter(move |cell| cell.attempt.role == role && cell.attempt.address.is_ipv4() == v4)
    }

    /// Notes which ports of a family have turned out to be shut everywhere.
    fn look_at(&mut self, v4: bool, now: Elapsed) {
        let mut ports: Vec<Port> = self.of_role(Role::Asked, v4).map(|cell| cell.attempt.port).collect();
        ports.sort_unstable();
        ports.dedup();
        let known = self.shut.entry(v4).or_default().clone();
        for port in ports.into_iter().filter(|port| !known.contains(port)) {
            let cells = || self.of_role(Role::Asked, v4).filter(|cell| cell.attempt.port == port && cell.fate != Fate::Excused);
            let shut = |cell: &Cell| match cell.fate {
                Fate::Trying => now.since(cell.began) >= self.patience(),
                fate => matches!(fate, Fate::Shut | Fate::Cut),
            };
            // What lies in this network does not tell what leaves it.
            let telling = cells().any(|cell| !is_nonpublic(cell.attempt.address.ip()));
            if cells().next().is_none() || !cells().all(shut) {
                continue;
            }
            let stands_nowhere = cells().all(|cell| cell.fate != Fate::Cut);
            self.shut.entry(v4).or_default().push(port);
            // A host that lets connections come about is there.
            if self.question == Question::Mail && stands_nowhere {
                self.try_other_ports(v4, now);
            }
            if port == Port::SMTP && telling {
                self.in_question.push(v4);
                self.want_controls();
            }
        }
    }

    /// Other mail ports at one address of the most preferred host.
    fn try_other_ports(&mut self, v4: bool, now: Elapsed) {
        let Some(first) = self.of_role(Role::Asked, v4).map(|cell| &cell.attempt).min_by_key(|attempt| attempt.host).cloned() else {
            return;
        };
        // A socket on this machine has none.
        if first.address.ip().is_unspecified() {
            return;
        }
        for port in [Port::SUBMISSION, Port::SUBMISSIONS] {
            let address = SocketAddr::new(first.address.ip(), port.number());
            if !self.cells.contains_key(&address) {
                let (tls, until) = usual(port);
                let connect_timeout = self.time_left(now);
                let other = Attempt { role: Role::OtherPort, address, port, tls, until, connect_timeout, ..first.clone() };
                // Known from now on, so that a second port that is shut does not make it once more.
                self.began(&other, now);
                self.ready.push(other);
            }
        }
    }

    /// Calls the first control host of each family that is in question, and the next one where that one stays silent.
    fn call_controls(&mut self, now: Elapsed) {
        let Controls::Found(found) = &self.controls else { return };
        let mut calls = Vec::new();
        for v4 in [true, false] {
            let called: Vec<&Cell> = self.of_role(Role::Control, v4).collect();
            let waiting = |cell: &&Cell| match cell.fate {
                Fate::Trying => now.since(cell.began) < self.control_patience(),
                fate => fate == Fate::Open,
            };
            // Who answers is told by one control host; that nobody does, by more than one.
            let needed = self.in_question.contains(&v4) || (self.doubted.contains(&v4) && called.is_empty());
            if !needed || called.len() >= CONTROLS_LIMIT || called.iter().any(waiting) {
                continue;
            }
            let uncalled = found
                .iter()
                .find(|(_, address)| address.is_ipv4() == v4 && called.iter().all(|cell| cell.attempt.address.ip() != *address));
            calls.extend(uncalled.map(|(name, address)| Attempt {
                role: Role::Control,
                host: None,
                name: name.clone(),
                address: SocketAddr::new(*address, Port::SMTP.number()),
                port: Port::SMTP,
                tls: TlsUse::Never,
                until: Stage::Greeting,
                connect_timeout: self.time_left(now),
            }));
        }
        for call in calls {
            // The same here: it is not called again before it has begun.
            self.began(&call, now);
            self.ready.push(call);
        }
    }

    /// What is left of the time that the hosts asked for have to connect: nobody waits longer for others. A third at least.
    pub(super) fn time_left(&self, now: Elapsed) -> Duration {
        let asked = self.cells.values().filter(|cell| cell.attempt.role == Role::Asked);
        let last = asked.map(|cell| cell.began).max().unwrap_or(now);
        self.connect_timeout.saturating_sub(now.since(last)).max(self.connect_timeout / 3)
    }
}

/// How TLS is used on a port, and how far one has to go to see what it is.
pub(super) fn usual(port: Port) -> (TlsUse, Stage) {
    if port == Port::SUBMISSIONS { (TlsUse::Implicit, Stage::Tls) } else { (TlsUse::IfOffered, Stage::Greeting) }
}

fn fate(transcript: &Transcript) -> Fate {
    match transcript.failure() {
        Some((_, Stage::Greeting, failure)) if matches!(failure.kind, FailureKind::Reset | FailureKind::Closed) => Fate::Cut,
        _ if transcript.reached.is_some() => Fate::Open,
        Some((_, _, failure)) => match failure.kind {
            // That this machine forbids it needs no control.
            FailureKind::Rejected if failure.icmp.is_some_and(|icmp| icmp.here) => Fate::Excused,
            FailureKind::Refused
            | FailureKind::TimedOut(_)
            | FailureKind::HostUnreachable
            | FailureKind::Rejected
            | FailureKind::Reset
            | FailureKind::Closed => Fate::Shut,
            _ => Fate::Excused,
        },
        None => Fate::Excused,
    }
}

/// Why there is no TLS, where it was tried and came to nothing.
fn failed_handshake(transcript: &Transcript) -> Option<&FailureKind> {
    let (_, stage, failure) = transcript.failure()?;
    let of_tls =
        matches!(failure.kind, FailureKind::TlsHandshake(_)) || (failure.kind == FailureKind::NotTls && !transcript.speaks_plain_smtp());
    (stage == Stage::Tls && of_tls).then_some(&failure.kind)
}

/// The mode to try once more in, if what happened looks like the wrong one.
fn other_mode(tls: TlsUse, transcript: &Transcript) -> Option<TlsUse> {
    let (_, stage, failure) = transcript.failure()?;
    match (stage, &failure.kind) {
        // A server that begins with TLS waits for the client to speak first.
        (Stage::Greeting, FailureKind::TimedOut(waited)) if tls != TlsUse::Implicit && *waited >= MUTE => Some(TlsUse::Implicit),
        (_, FailureKind::NotSmtp(ForeignProtocol::Tls)) if tls != TlsUse::Implicit => Some(TlsUse::Implicit),
        (Stage::Tls, FailureKind::NotTls) if tls == TlsUse::Implicit && transcript.speaks_plain_smtp() => Some(TlsUse::Never),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
