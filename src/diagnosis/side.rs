//! Findings about whose side shuts a port, and about who really answers: what connections beside those asked for tell.

use std::net::IpAddr;

use super::port::{in_other_mode, is_wrong_mode};
use super::timing::seconds;
use super::{Case, Evidence, PortState, Rule, SessionCase, Severity};
use crate::knowledge::Confidence;
use crate::probe::Role;
use crate::smtp::{Answer, FailureKind, Purpose, TlsUse, Verb};
use crate::target::{DomainName, Host, Port};

pub(super) const RULES: &[Rule] = &[
    Rule { id: "port_blocked_here", severity: Severity::Failure, reference: "RFC 5068 section 3.1", check: port_blocked_here },
    Rule { id: "local_firewall", severity: Severity::Failure, reference: "RFC 1812 section 5.2.7.1", check: local_firewall },
    Rule { id: "control_answered", severity: Severity::Note, reference: "RFC 9293 section 3.5", check: control_answered },
    Rule { id: "other_ports_answer", severity: Severity::Note, reference: "RFC 6409 section 3.1", check: other_ports_answer },
    Rule { id: "own_address", severity: Severity::Note, reference: "RFC 4787 section 6", check: own_address },
    Rule { id: "wrong_tls_mode", severity: Severity::Failure, reference: "RFC 8314 section 3.3", check: wrong_tls_mode },
    Rule { id: "intercepted", severity: Severity::Failure, reference: "RFC 5321 section 4.3.1", check: intercepted },
    Rule { id: "masked_here", severity: Severity::Warning, reference: "RFC 5321 section 4.2", check: |case| masked_at(case, true) },
    Rule { id: "masked_there", severity: Severity::Warning, reference: "RFC 5321 section 4.2", check: |case| masked_at(case, false) },
    Rule { id: "greeting_foreign", severity: Severity::Note, reference: "RFC 5321 section 4.3.1", check: greeting_foreign },
    Rule { id: "starttls_differs", severity: Severity::Warning, reference: "RFC 3207 section 6", check: starttls_differs },
];

/// Port 25 of everything that was asked over one address family cannot be reached.
pub(super) struct Shut {
    /// Whether it is IPv4.
    pub(super) v4: bool,
    /// The sessions that show it.
    pub(super) asked: Vec<usize>,
    /// Control hosts that cannot be reached either, in a like manner: what is silent and what refuses do not share a cause.
    pub(super) failed_controls: Vec<usize>,
    /// Control hosts that can.
    pub(super) open_controls: Vec<usize>,
    /// Other ports of the same hosts that can be connected to, over the same family.
    pub(super) other_ports: Vec<usize>,
    /// Whether one and the same router says no to the hosts and to a control.
    by_one_router: bool,
    /// Whether it is no port but the network that cannot be got to, for hosts and controls alike.
    no_way: bool,
}

/// Whose side it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// This machine's, or its network's.
    Ours(Confidence),
    /// This network's: it leads nowhere.
    NoWay,
    /// The target's.
    Theirs,
    /// It cannot be told.
    Unclear,
}

impl Shut {
    /// Each family in which port 25 is shut everywhere.
    pub(super) fn of(case: &Case<'_>) -> Vec<Self> {
        // By way of a proxy it is the proxy's network that is seen, through the proxy's eyes.
        if case.facts.vantage.proxy.is_some() {
            return Vec::new();
        }
        [true, false].into_iter().filter_map(|v4| Self::of_family(case, v4)).collect()
    }

    fn of_family(case: &Case<'_>, v4: bool) -> Option<Self> {
        let family = || case.sessions.iter().enumerate().filter(move |(_, session)| session.facts.address.is_ipv4() == v4);
        let on_25 = |session: &SessionCase<'_>| session.facts.address.port() == Port::SMTP.number();
        let asked: Vec<(usize, PortState)> = family()
            .filter(|(_, session)| session.facts.role == Role::Asked && on_25(session))
            .map(|(index, session)| (index, session.state))
            .filter(|(_, state)| !matches!(state, PortState::NoRoute | PortState::Untested))
            .collect();
        if asked.is_empty() || !asked.iter().all(|(_, state)| state.is_shut()) {
            return None;
        }
        let alike = |control: &SessionCase<'_>| asked.iter().all(|(index, _)| is_by_host(&case.sessions[*index]) == is_by_host(control));
        let controls = |open: bool| {
            let of_control = family().filter(move |(_, session)| session.facts.role == Role::Control);
            let counts = |s: &SessionCase<'_>| if open { is_standing(s) } else { s.state.is_shut() && alike(s) };
            of_control.filter(|(_, session)| counts(session)).map(|(index, _)| index).collect()
        };
        let (failed_controls, open_controls): (Vec<usize>, Vec<usize>) = (controls(false), controls(true));
        let unreachable = |index: &usize| case.sessions[*index].state == PortState::Unreachable;
        let asked: Vec<usize> = asked.into_iter().map(|(index, _)| index).collect();
        let by_one_router = failed_controls.iter().any(|control| {
            let router = offender(&case.sessions[*control]);
            router.is_some() && asked.iter().all(|index| offender(&case.sessions[*index]) == router)
        });
        let no_way = !failed_controls.is_empty() && asked.iter().chain(&failed_controls).all(unreachable);
        let same_host = |session: &SessionCase<'_>| asked.iter().any(|index| case.sessions[*index].facts.host == session.facts.host);
        let other_ports = family()
            .filter(|(_, s)| matches!(s.facts.role, Role::Asked | Role::OtherPort) && !on_25(s) && same_host(s) && answers(s))
            .map(|(index, _)| index)
            .collect();
        Some(Self { v4, asked, failed_controls, open_controls, other_ports, by_one_router, no_way })
    }

    pub(super) fn side(&self) -> Side {
        match (self.open_controls.is_empty(), self.failed_controls.len()) {
            (false, _) => Side::Theirs,
            (true, 0) => Side::Unclear,
            (true, _) if self.no_way && self.other_ports.is_empty() => Side::NoWay,
            // Without another port that answers it may be the whole network that does not work, and one control may be down itself.
            (true, controls) if !self.other_ports.is_empty() && (controls > 1 || self.by_one_router) => Side::Ours(Confidence::Certain),
            (true, _) => Side::Ours(Confidence::Likely),
        }
    }

    /// Whether it is shut on this side.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.side(), Side::Ours(_) | Side::NoWay)
    }

    pub(super) fn family(&self) -> &'static str {
        family(self.v4)
    }
}

pub(super) const fn family(v4: bool) -> &'static str {
    if v4 { "IPv4" } else { "IPv6" }
}

/// Whether a connection came about.
fn is_standing(session: &SessionCase<'_>) -> bool {
    session.facts.transcript.reached.is_some()
}

/// Who said no, if it was neither the host itself nor this machine.
fn offender(session: &SessionCase<'_>) -> Option<IpAddr> {
    let (_, _, failure) = session.facts.transcript.failure()?;
    failure.icmp.filter(|icmp| !icmp.here && icmp.from != session.facts.address.ip()).map(|icmp| icmp.from)
}

/// Whether a shut port was shut by an answer in the host's name, and not by silence or somebody else's word.
fn is_by_host(session: &SessionCase<'_>) -> bool {
    match session.state {
        PortState::Refused | PortState::Reset => true,
        PortState::Rejected => {
            let icmp = session.facts.transcript.failure().and_then(|(_, _, failure)| failure.icmp);
            icmp.is_some_and(|icmp| icmp.from == session.facts.address.ip())
        }
        _ => false,
    }
}

/// Whether the host gave any sign of life on a port: also that nothing listens there.
fn answers(session: &SessionCase<'_>) -> bool {
    is_standing(session) || session.state == PortState::Refused
}

/// What shows how a connection failed, or the event at which it stood.
fn sight(index: usize, session: &SessionCase<'_>) -> Evidence {
    let transcript = &session.facts.transcript;
    match (transcript.failure(), transcript.connect_time()) {
        (Some((event, _, failure)), None) => Evidence::event(index, session, event, super::connection::words(failure)),
        (_, time) => {
            let greeting = transcript.reply_to(Verb::Connect, Purpose::Target);
            let quote = greeting.map_or_else(|| format!("open, {}", seconds(time.unwrap_or_default())), |a| super::quote(a.reply));
            Evidence::event(index, session, greeting.map_or(0, |answer| answer.event), quote)
        }
    }
}

impl Evidence {
    /// The sight of session `index`, marked as one beside what was asked for.
    pub(super) fn beside(case: &Case<'_>, index: usize, role: &'static str) -> Self {
        let session = &case.sessions[index];
        let time = session.facts.transcript.connect_time().map(seconds).unwrap_or_default();
        sight(index, session).with("beside", role).with("time", time)
    }
}

fn port_blocked_here(case: &Case<'_>) -> Vec<Evidence> {
    let ours = Shut::of(case).into_iter().filter(|shut| matches!(shut.side(), Side::Ours(_)));
    ours.flat_map(|shut| {
        let family = shut.family();
        let control = list(shut.failed_controls.iter().map(|index| case.sessions[*index].place()));
        let asked = shut.asked.iter().map(|index| sight(*index, &case.sessions[*index]));
        let controls = shut.failed_controls.iter().map(|index| Evidence::beside(case, *index, "control"));
        asked.chain(controls).map(|e| e.with("family", family).with("control", control.clone())).collect::<Vec<_>>()
    })
    .collect()
}

fn list(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// Whether this machine's own rules keep it from connecting.
pub(super) fn is_local_firewall(session: &SessionCase<'_>) -> bool {
    session.facts.transcript.failure().is_some_and(|(_, _, failure)| {
        failure.kind == FailureKind::Forbidden || (failure.kind == FailureKind::Rejected && failure.icmp.is_some_and(|icmp| icmp.here))
    })
}

fn local_firewall(case: &Case<'_>) -> Vec<Evidence> {
    let own = |session: &SessionCase<'_>| case.facts.vantage.own.iter().any(|own| own.here && own.address == session.facts.address.ip());
    case.each()
        .filter(|(_, session)| case.is_needed(session) && is_local_firewall(session) && !own(session))
        .map(|(index, session)| sight(index, session))
        .collect()
}

fn control_answered(case: &Case<'_>) -> Vec<Evidence> {
    let theirs = Shut::of(case).into_iter().filter(|shut| shut.side() == Side::Theirs);
    theirs
        .flat_map(|shut| {
            let family = shut.family();
            shut.open_controls.into_iter().map(|index| Evidence::beside(case, index, "control").with("family", family)).collect::<Vec<_>>()
        })
        .collect()
}

fn other_ports_answer(case: &Case<'_>) -> Vec<Evidence> {
    let all = Shut::of(case).into_iter().flat_map(|shut| shut.other_ports);
    all.filter(|index| is_standing(&case.sessions[*index])).map(|index| Evidence::beside(case, index, "other_port")).collect()
}

fn own_address(case: &Case<'_>) -> Vec<Evidence> {
    let of_session = |(index, session): (usize, &SessionCase<'_>)| {
        let own = case.facts.vantage.own.iter().find(|own| own.address == session.facts.address.ip())?;
        let quote = if own.here { "this machine" } else { "the same network, behind one public address" };
        Some(Evidence::event(index, session, 0, quote).with("own", own.address.to_string()))
    };
    let mut all: Vec<Evidence> = case.each().filter_map(of_session).collect();
    all.dedup_by_key(|evidence| evidence.slot("own").map(str::to_owned));
    all
}

fn wrong_tls_mode(case: &Case<'_>) -> Vec<Evidence> {
    let mut all = Vec::new();
    for (index, session) in case.each() {
        let Some((event, _, failure)) = session.facts.transcript.failure() else { continue };
        if !is_wrong_mode(session.facts, &case.facts.sessions) {
            continue;
        }
        let confirmed = in_other_mode(session.facts, &case.facts.sessions);
        let implicit = session.facts.tls == TlsUse::Implicit;
        let (spoken, expected) = if implicit { ("TLS", "plain text") } else { ("plain text", "TLS") };
        let with = |evidence: Evidence| evidence.with("spoken", spoken).with("expected", expected);
        all.push(with(Evidence::event(index, session, event, super::connection::words(failure))));
        all.extend(confirmed.map(|(other, _)| with(Evidence::beside(case, other, "other_mode"))));
    }
    all
}

/// The name that the server at a session gives itself in its greeting.
fn greeting_name<'a>(session: &'a SessionCase<'_>) -> Option<(Answer<'a>, DomainName)> {
    let answer = session.facts.transcript.reply_to(Verb::Connect, Purpose::Target)?;
    let name: DomainName = answer.reply.text().split_whitespace().next()?.parse().ok()?;
    name.is_qualified().then_some((answer, name))
}

/// One and the same name greets at the target and at a control host that has nothing to do with it.
pub(super) fn intercepted(case: &Case<'_>) -> Vec<Evidence> {
    let controls: Vec<(usize, DomainName)> = case
        .sessions
        .iter()
        .enumerate()
        .filter(|(_, session)| session.facts.role == Role::Control)
        .filter_map(|(index, session)| Some((index, greeting_name(session)?.1)))
        // One that greets as itself is itself: then both belong to it, and nobody stands in between.
        .filter(|(index, name)| !matches!(&case.sessions[*index].facts.name, Host::Name(own) if own.may_be_kin(name)))
        .collect();
    let mut all = Vec::new();
    // A host that greets with a name of its own is itself, whoever else has that name.
    let foreign = |session: &SessionCase<'_>, name: &DomainName| match session.facts.name {
        Host::Address(_) | Host::Socket(_) => true,
        Host::Name(_) => {
            let ip = session.facts.address.ip();
            case.facts.identities.iter().any(|identity| identity.name == *name && identity.address == ip && !identity.holds())
        }
    };
    for (index, session) in case.each() {
        let Some((answer, name)) = greeting_name(session).filter(|(_, name)| foreign(session, name)) else { continue };
        if let Some((control, _)) = controls.iter().find(|(_, other)| *other == name) {
            let place = case.sessions[*control].place();
            all.push(Evidence::reply(index, session, &answer).with("name", name.to_string()).with("control", place));
            all.push(Evidence::beside(case, *control, "control").with("name", name.to_string()));
        }
    }
    all
}

/// Whether something on the way has made the greeting of `session` unreadable; none if there was no greeting.
pub(super) fn is_masked(session: &SessionCase<'_>) -> Option<bool> {
    let greeting = session.facts.transcript.reply_to(Verb::Connect, Purpose::Target)?;
    Some(greeting.reply.text().contains("****"))
}

/// A control host that tells at whose end the greeting of `session` is masked, and whether that is ours: another host's greeting
/// is masked as well, or is not.
pub(super) fn masked_here<'a>(case: &'a Case<'_>, session: &SessionCase<'_>) -> Option<(&'a SessionCase<'a>, bool)> {
    let v4 = session.facts.address.is_ipv4();
    let mut controls = case.sessions.iter().filter(|s| s.facts.role == Role::Control && s.facts.address.is_ipv4() == v4);
    controls.find_map(|control| is_masked(control).map(|masked| (control, masked)))
}

/// Masked greetings of which a control host tells that they are masked at our end, or at theirs.
fn masked_at(case: &Case<'_>, ours: bool) -> Vec<Evidence> {
    let masked = case.each().filter(|(_, session)| is_masked(session) == Some(true));
    masked
        .filter_map(|(index, session)| {
            let (control, _) = masked_here(case, session).filter(|(_, here)| *here == ours)?;
            let answer = session.facts.transcript.reply_to(Verb::Connect, Purpose::Target)?;
            Some(Evidence::reply(index, session, &answer).with("control", control.place()))
        })
        .collect()
}

fn greeting_foreign(case: &Case<'_>) -> Vec<Evidence> {
    let strange = case.facts.identities.iter().filter(|identity| identity.answered && !identity.holds());
    strange
        .filter_map(|identity| {
            let (index, session) = case.each().find(|(_, s)| s.facts.address.ip() == identity.address && named(s, &identity.name))?;
            let (answer, _) = greeting_name(session)?;
            let or_none = |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join(" ") };
            let evidence = Evidence::reply(index, session, &answer)
                .with("name", identity.name.to_string())
                .with("ip", identity.address.to_string())
                .with("addresses", or_none(identity.addresses.iter().map(ToString::to_string).collect()))
                .with("pointers", or_none(identity.pointers.iter().map(ToString::to_string).collect()));
            Some(evidence)
        })
        .collect()
}

fn named(session: &SessionCase<'_>, name: &DomainName) -> bool {
    matches!(session.facts.name, Host::Name(_)) && greeting_name(session).is_some_and(|(_, own)| own == *name)
}

/// A host offers STARTTLS at one port or over one family, and not at the other.
pub(super) fn starttls_differs(case: &Case<'_>) -> Vec<Evidence> {
    let offer = |session: &SessionCase<'_>| {
        let hello = session.facts.transcript.replies().find(|a| a.verb == Verb::Ehlo && a.is_yes())?.event;
        let plain = session.facts.tls != TlsUse::Implicit;
        let capabilities = crate::smtp::Capabilities::from_reply(reply_at(session, hello)?);
        plain.then(|| (hello, capabilities.has("STARTTLS")))
    };
    let offers: Vec<(usize, &SessionCase<'_>, usize, bool)> =
        case.each().filter_map(|(index, session)| offer(session).map(|(event, there)| (index, session, event, there))).collect();
    let elsewhere = |host: Option<usize>| offers.iter().find(|(_, other, _, there)| *there && other.facts.host == host);
    offers
        .iter()
        .filter(|(_, _, _, there)| !there)
        .filter_map(|(index, session, event, _)| {
            let (_, other, ..) = elsewhere(session.facts.host)?;
            Some(Evidence::event(*index, session, *event, "STARTTLS is not among the offers").with("elsewhere", other.place()))
        })
        .collect()
}

fn reply_at<'a>(session: &'a SessionCase<'_>, event: usize) -> Option<&'a crate::smtp::Reply> {
    session.facts.transcript.replies().find(|answer| answer.event == event).map(|answer| answer.reply)
}
