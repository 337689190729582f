//! Limits, and whatever else may happen: what holds for every course that a probe can take.

use proptest::prelude::*;

use super::super::*;
use crate::settings::Control;
use crate::smtp::{Connected, Event, Failure};

const SILENT: FailureKind = FailureKind::TimedOut(Duration::from_secs(10));
const NEAR: &str = "203.0.113.25";
const FAR: &str = "203.0.113.26";

/// Names with an address each.
type Hosts = &'static [(&'static str, &'static str)];

fn ms(millis: u64) -> Elapsed {
    Elapsed(Duration::from_millis(millis))
}

fn host(name: &str) -> Host {
    Host::Name(name.parse().expect(name))
}

fn asked(place: usize, address: &str) -> Attempt {
    let address: SocketAddr = address.parse().expect(address);
    let port = Port::try_from(address.port()).expect("a port");
    let (tls, until) = usual(port);
    let name = host(&format!("mx{place}.example.com"));
    Attempt { role: Role::Asked, host: Some(place), name, address, port, tls, until, connect_timeout: Duration::from_secs(10) }
}

/// A transcript that ends so, over a connection that stood if the stage is a later one.
fn broken(stage: Stage, failure: Failure, came: &[u8]) -> Transcript {
    let ends = Connected { local: "192.0.2.9:40000".parse().unwrap(), peer: "192.0.2.1:25".parse().unwrap() };
    let stood = stage > Stage::Connect;
    let early = (!came.is_empty()).then(|| Event::Premature { stage, began: ms(0), bytes: came.to_vec() });
    let events = stood.then_some(Event::Connected(ends)).into_iter().chain(early).chain([Event::Broke { stage, failure }]);
    Transcript { began: ms(0), events: events.map(|event| (ms(0), event)).collect(), reached: stood.then_some(Stage::Connect) }
}

/// What happens to a probe.
#[derive(Clone, Debug)]
enum Step {
    /// An address of a host is connected to.
    Begins(usize, &'static str),
    /// The route is known to its end.
    AllBegun,
    /// The greeting at an address is strange.
    Doubted(&'static str),
    /// Control hosts are known, with their names and addresses.
    Found(Hosts),
}

use Step::{AllBegun, Begins, Doubted, Found};

/// A probe that holds no conversation, but asks what to call as a real one does.
struct Course {
    beside: Beside,
    attempts: Vec<Attempt>,
    all_begun: bool,
}

impl Course {
    fn new(settings: &Settings) -> Self {
        Self { beside: Beside::new(settings), attempts: Vec::new(), all_begun: false }
    }

    fn take(&mut self, at: u64, step: &Step) {
        let address = |text: &str| text.parse::<SocketAddr>().expect(text);
        match step {
            Begins(place, address) => {
                let attempt = asked(*place, address);
                self.beside.began(&attempt, ms(at));
                self.attempts.push(attempt);
            }
            AllBegun => self.all_begun = true,
            Doubted(at) => self.beside.doubt(address(at)),
            Found(controls) => {
                let found = controls.iter().map(|(name, address)| (host(name), address.parse().expect(address)));
                self.beside.found(found.collect());
            }
        }
    }

    /// What is called now.
    fn calls(&mut self, at: u64) -> Vec<Attempt> {
        let mut calls = Vec::new();
        while let Some(attempt) = self.beside.next(ms(at), self.all_begun, |_, _| Some(true)) {
            self.beside.began(&attempt, ms(at));
            self.attempts.push(attempt.clone());
            calls.push(attempt);
        }
        calls
    }

    /// The same in words: `control 203.0.113.25:25`, and `controls` if their addresses are wanted.
    fn told(&mut self, at: u64) -> String {
        let role = |role| match role {
            Role::Asked => "asked",
            Role::OtherMode => "other mode",
            Role::OtherPort => "other port",
            Role::Control => "control",
            Role::InClear => "in the clear",
            Role::OldTls => "old TLS",
            Role::Injection => "injection",
            Role::Retry => "retry",
        };
        let calls = self.calls(at);
        let wanted = self.beside.wants_controls().then(|| "controls".to_owned());
        let calls = calls.iter().map(|attempt| format!("{} {}", role(attempt.role), attempt.address));
        calls.chain(wanted).collect::<Vec<_>>().join(", ")
    }
}

/// Takes each step at its time, and compares what is called for then.
fn follow(settings: &Settings, steps: &[(u64, Step, &str)]) {
    let mut course = Course::new(settings);
    for (at, step, expected) in steps {
        course.take(*at, step);
        assert_eq!(course.told(*at), *expected, "at {at} {step:?}");
    }
}

fn ports() -> Settings {
    Settings { question: Question::Ports, ..Settings::default() }
}

const TARGET: &str = "192.0.2.1:25";
/// Where only time passes: everything is begun already.
const LATER: Step = AllBegun;

#[test]
fn second_tries_at_many_hosts_of_a_mailbox_come_to_an_end() {
    let tries = |settings: &Settings| {
        let mut course = Course::new(settings);
        for last in 1..=10 {
            let attempt = asked(last, &format!("192.0.2.{last}:25"));
            course.beside.began(&attempt, ms(0));
            course.beside.ended(&attempt, &alerted());
        }
        course.calls(1).len()
    };
    assert_eq!((tries(&Settings::default()), tries(&ports())), (3, 10));
}

#[test]
fn a_third_control_is_never_called() {
    const CONTROLS: Hosts = &[("mx.one.test", NEAR), ("mx.two.test", FAR), ("mx.three.test", "203.0.113.27")];
    let steps = [
        (0, Begins(0, TARGET), ""),
        (0, AllBegun, ""),
        (3000, LATER, "controls"),
        (3100, Found(CONTROLS), "control 203.0.113.25:25"),
        (4100, LATER, "control 203.0.113.26:25"),
        (60_000, LATER, ""),
    ];
    follow(&ports(), &steps);
}

#[test]
fn a_family_that_lies_inside_needs_no_control_though_the_other_does() {
    const BOTH: Hosts = &[("mx.one.test", NEAR), ("mx.one.test", "2001:db8:c::25")];
    let steps = [
        (0, Begins(0, TARGET), ""),
        (0, Begins(0, "[fd00::1]:25"), ""),
        (0, AllBegun, ""),
        (3000, LATER, "controls"),
        (3001, Found(BOTH), "control 203.0.113.25:25"),
        (60_000, LATER, ""),
    ];
    follow(&ports(), &steps);
}

/// A TLS alert came instead of a greeting.
fn alerted() -> Transcript {
    broken(Stage::Greeting, FailureKind::NotSmtp(ForeignProtocol::Tls).into(), b"\x15\x03\x01")
}

/// A target's addresses: of both families, public and not, and some with a further port.
const POOL: [&str; 8] =
    [TARGET, "192.0.2.2:25", "10.0.0.1:25", "[2001:db8::1]:25", "[2001:db8::2]:25", "[fd00::1]:25", "192.0.2.1:2525", "[2001:db8::1]:587"];
/// Control hosts, two of which are the target's own.
const CONTROL_POOL: Hosts = &[
    ("mx.one.test", NEAR),
    ("mx.one.test", "2001:db8:c::25"),
    ("smtp.example.com", "203.0.113.30"),
    ("mx.two.test", FAR),
    ("mx.two.test", "2001:db8:c::26"),
    ("mx.three.test", "203.0.113.27"),
    ("mx.same.test", "192.0.2.2"),
];

/// What was told of an attempt, kept apart from what [`Beside`] makes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Trying(u64),
    Open,
    Shut,
    Excused,
}

#[derive(Clone, Debug)]
enum Move {
    Begin(usize),
    AllBegun,
    /// One of those that try stands, or fails so.
    Fate(usize, Option<FailureKind>),
    Alert(usize),
    Doubt(usize),
    Found,
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let fates = prop_oneof![
        Just(None),
        Just(Some(SILENT)),
        Just(Some(FailureKind::Refused)),
        Just(Some(FailureKind::HostUnreachable)),
        Just(Some(FailureKind::NoRoute)),
        Just(Some(FailureKind::Forbidden)),
    ];
    let one = prop_oneof![
        4 => (0..POOL.len()).prop_map(Move::Begin),
        2 => Just(Move::AllBegun),
        4 => (0..16_usize, fates).prop_map(|(which, fate)| Move::Fate(which, fate)),
        2 => (0..POOL.len()).prop_map(Move::Alert),
        1 => (0..POOL.len()).prop_map(Move::Doubt),
        2 => Just(Move::Found),
        3 => (1..4000_u64).prop_map(Move::Wait),
    ];
    proptest::collection::vec(one, 1..40)
}

/// A probe to which things happen at random, with a record of what its calls may rest on.
struct Random {
    course: Course,
    now: u64,
    known: BTreeMap<SocketAddr, (Role, Known)>,
    /// For IPv4 and IPv6: whether there has been a reason to call a control.
    reasons: [bool; 2],
    wanted: bool,
    found: bool,
    beside: Vec<Attempt>,
}

impl Random {
    fn take(&mut self, step: &Move) {
        match *step {
            Move::Begin(place) => {
                let address = POOL[place].parse().unwrap();
                if !self.course.all_begun && !self.known.contains_key(&address) {
                    self.course.take(self.now, &Begins(place, POOL[place]));
                    self.known.insert(address, (Role::Asked, Known::Trying(self.now)));
                }
            }
            Move::AllBegun => self.course.take(self.now, &AllBegun),
            Move::Fate(which, ref fate) => self.decide(which, fate.as_ref()),
            Move::Alert(place) => {
                if let Some((Role::Asked, known @ Known::Trying(_))) = self.known.get_mut(&POOL[place].parse().unwrap()) {
                    *known = Known::Open;
                    self.course.beside.ended(&asked(place, POOL[place]), &alerted());
                }
            }
            Move::Doubt(place) => {
                let address: SocketAddr = POOL[place].parse().unwrap();
                if self.known.get(&address).is_some_and(|(_, known)| *known == Known::Open) {
                    self.course.take(self.now, &Doubted(POOL[place]));
                    self.reasons[usize::from(address.is_ipv6())] |= address.port() == 25;
                }
            }
            Move::Found => {
                if self.wanted && !std::mem::replace(&mut self.found, true) {
                    self.course.take(self.now, &Found(CONTROL_POOL));
                }
            }
            Move::Wait(millis) => self.now += millis,
        }
        for family in 0..2 {
            let of_family = || {
                let asked = self.known.iter().filter(move |(address, (role, known))| {
                    let here = address.port() == 25 && usize::from(address.is_ipv6()) == family;
                    here && *role == Role::Asked && *known != Known::Excused
                });
                asked.map(|(address, (_, known))| (address, *known))
            };
            let shut = |known| matches!(known, Known::Trying(since) if self.now - since >= 3000) || known == Known::Shut;
            let outside = of_family().any(|(address, _)| !is_nonpublic(address.ip()));
            let reason = self.course.all_begun && outside && of_family().all(|(_, known)| shut(known));
            self.reasons[family] |= reason;
        }
    }

    fn decide(&mut self, which: usize, fate: Option<&FailureKind>) {
        let trying = self.known.iter_mut().filter(|(_, (_, known))| matches!(known, Known::Trying(_)));
        let mut trying: Vec<_> = trying.collect();
        if trying.is_empty() {
            return;
        }
        let which = which % trying.len();
        let (address, (_, known)) = &mut trying[which];
        *known = match fate {
            None => Known::Open,
            Some(FailureKind::NoRoute | FailureKind::Forbidden) => Known::Excused,
            Some(_) => Known::Shut,
        };
        match fate {
            None => self.course.beside.stands(**address),
            Some(kind) => {
                let attempt = self.course.attempts.iter().rfind(|attempt| attempt.address == **address).expect("it was begun");
                self.course.beside.ended(attempt, &broken(Stage::Connect, kind.clone().into(), b""));
            }
        }
    }
}

proptest! {
    /// Whatever happens: no control without a reason, none too many, none at the target's own hosts, and nobody twice.
    #[test]
    fn no_control_without_a_reason_and_no_connection_too_many(allowed: bool, mail: bool, moves in moves()) {
        let question = if mail { Question::Mail } else { Question::Ports };
        let control = if allowed { vec![Control::Host(host("mx.one.test"))] } else { Vec::new() };
        let course = Course::new(&Settings { question, control, ..Settings::default() });
        let mut random =
            Random { course, now: 0, known: BTreeMap::new(), reasons: [false; 2], wanted: false, found: false, beside: Vec::new() };
        for step in moves {
            random.take(&step);
            for call in random.course.calls(random.now) {
                prop_assert!(call.role != Role::Asked && (call.role != Role::OtherPort || mail));
                if call.role == Role::OtherMode {
                    prop_assert_eq!(random.known.get(&call.address), Some(&(Role::Asked, Known::Open)));
                } else {
                    let before = random.known.insert(call.address, (call.role, Known::Trying(random.now)));
                    prop_assert!(before.is_none(), "called twice: {:?}", call);
                }
                if call.role == Role::Control {
                    let reason = random.reasons[usize::from(call.address.is_ipv6())];
                    prop_assert!(allowed && random.found && reason, "no reason for {:?}", call);
                    prop_assert!(call.name != host("smtp.example.com"));
                }
                random.beside.push(call);
            }
            if random.course.beside.wants_controls() {
                prop_assert!(allowed && !random.wanted && random.reasons.contains(&true));
                random.wanted = true;
            }
            for v4 in [true, false] {
                let controls = random.beside.iter().filter(|call| call.role == Role::Control && call.address.is_ipv4() == v4);
                prop_assert!(controls.count() <= 2);
            }
            prop_assert!(!mail || random.beside.len() <= 8);
            // A wait of no time would spin.
            prop_assert!(random.course.beside.wake(ms(random.now)).is_none_or(|left| !left.is_zero()));
        }
    }
}
