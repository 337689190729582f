//! Findings about connections: which addresses cannot be reached, and how that shows.

use super::side::Shut;
use super::{Case, Evidence, PortState, Rule, SessionCase, Severity};
use crate::smtp::{Failure, FailureKind, ProxyFailure, Stage};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "port_silent",
        severity: Severity::Failure,
        reference: "RFC 9293 section 3.8.3",
        check: |case| failed(case, |k| matches!(k, FailureKind::TimedOut(_))),
    },
    Rule {
        id: "connection_refused",
        severity: Severity::Failure,
        reference: "RFC 9293 section 3.5.2",
        check: |case| failed(case, |k| *k == FailureKind::Refused),
    },
    Rule {
        id: "connection_rejected",
        severity: Severity::Failure,
        reference: "RFC 4443 section 3.1",
        check: |case| broken_at_connect(case, |s, k| *k == FailureKind::Rejected || is_rejected_as_unreachable(case, s)),
    },
    Rule {
        id: "host_unreachable",
        severity: Severity::Failure,
        reference: "RFC 1122 section 3.2.2.1",
        check: |case| broken_at_connect(case, |s, k| *k == FailureKind::HostUnreachable && !is_rejected_as_unreachable(case, s)),
    },
    Rule {
        id: "connect_reset",
        severity: Severity::Failure,
        reference: "RFC 9293 section 3.5.2",
        check: |case| failed(case, |k| matches!(k, FailureKind::Reset | FailureKind::Closed)),
    },
    Rule {
        id: "no_route_here",
        severity: Severity::Note,
        reference: "RFC 1122 section 3.2.2.1",
        check: |case| failed(case, |k| *k == FailureKind::NoRoute),
    },
    Rule {
        id: "local_trouble",
        severity: Severity::Warning,
        reference: "RFC 9293 section 3.10.1",
        check: |case| failed(case, |k| matches!(k, FailureKind::Local(_))),
    },
    Rule {
        id: "proxy_failed",
        severity: Severity::Failure,
        reference: "RFC 1928 section 6",
        check: |case| failed(case, |k| matches!(k, FailureKind::Proxy(_))),
    },
    Rule { id: "by_proxy", severity: Severity::Note, reference: "RFC 1928 section 4", check: by_proxy },
    Rule { id: "family_broken", severity: Severity::Failure, reference: "RFC 5321 section 5.2", check: family_broken },
    Rule { id: "first_host_dead", severity: Severity::Warning, reference: "RFC 5321 section 5.1", check: first_host_dead },
];

/// What is seen through a proxy is seen from elsewhere.
fn by_proxy(case: &Case<'_>) -> Vec<Evidence> {
    let proxy = case.facts.vantage.proxy.iter();
    proxy.map(|proxy| Evidence { quote: proxy.clone(), ..Evidence::default() }).collect()
}

/// Whether somebody says that the host cannot be got to, while another port of the same address answers: a rule about the port.
pub(super) fn is_rejected_as_unreachable(case: &Case<'_>, session: &SessionCase<'_>) -> bool {
    let lively =
        |other: &SessionCase<'_>| other.facts.address.ip() == session.facts.address.ip() && other.facts.transcript.reached.is_some();
    session.state == PortState::Unreachable && case.sessions.iter().any(lively)
}

/// Connections that never stood, of one kind.
fn failed(case: &Case<'_>, kind: impl Fn(&FailureKind) -> bool) -> Vec<Evidence> {
    broken_at_connect(case, |_, failure| kind(failure))
}

fn broken_at_connect(case: &Case<'_>, applies: impl Fn(&SessionCase<'_>, &FailureKind) -> bool) -> Vec<Evidence> {
    let at_connect = |session: &SessionCase<'_>| match session.facts.transcript.failure() {
        Some((event, Stage::Connect, failure)) if applies(session, &failure.kind) => Some((event, words(failure))),
        _ => None,
    };
    case.each()
        .filter(|(_, session)| case.is_needed(session))
        .filter_map(|(index, session)| at_connect(session).map(|(event, words)| Evidence::event(index, session, event, words)))
        .collect()
}

/// A failure in a few words: whoever sent an ICMP error is quoted, else the system's number stands behind them.
#[must_use]
pub fn words(failure: &Failure) -> String {
    if let Some(icmp) = &failure.icmp {
        let who = if icmp.here { "this machine".to_owned() } else { icmp.from.to_string() };
        return format!("{who} says: {icmp}");
    }
    let words = of_kind(&failure.kind);
    match failure.errno {
        Some(errno) => format!("{words} (errno {errno})"),
        None => words,
    }
}

fn of_kind(kind: &FailureKind) -> String {
    match kind {
        FailureKind::Refused => "connection refused".to_owned(),
        FailureKind::TimedOut(waited) => format!("no answer within {}", super::timing::seconds(*waited)),
        FailureKind::Stalled(waited) => format!("nothing more for {}", super::timing::seconds(*waited)),
        FailureKind::HostUnreachable => "host unreachable".to_owned(),
        FailureKind::NoRoute => "no route from this machine".to_owned(),
        FailureKind::Rejected => "administratively prohibited".to_owned(),
        FailureKind::Forbidden => "forbidden by this machine".to_owned(),
        FailureKind::Reset => "connection reset".to_owned(),
        FailureKind::Closed => "connection closed".to_owned(),
        FailureKind::NotSmtp(protocol) => format!("not SMTP ({})", protocol.as_str()),
        FailureKind::NotTls => "the server answered with something that is not TLS".to_owned(),
        FailureKind::ReplyTooLong => "endless reply".to_owned(),
        FailureKind::TlsNotOffered => "STARTTLS not offered".to_owned(),
        FailureKind::TlsHandshake(failure) => failure.to_string(),
        FailureKind::Proxy(failure) => of_proxy(failure),
        FailureKind::Local(words) => words.clone(),
        FailureKind::NotOffered(keyword) => format!("{keyword} not offered"),
        FailureKind::Unauthenticated => "REQUIRETLS, and the certificate does not verify".to_owned(),
        FailureKind::Login(failure) => failure.to_string(),
        FailureKind::SessionTimeOver => "the time for the session was over".to_owned(),
        FailureKind::ProbeTimeOver => "the time for the whole probe was over".to_owned(),
        FailureKind::Interrupted => "stopped by the user".to_owned(),
        FailureKind::Overtaken => "another address answered first".to_owned(),
    }
}

/// Each of them names the proxy, so that nobody takes it for the target's.
fn of_proxy(failure: &ProxyFailure) -> String {
    match failure {
        ProxyFailure::NoAddress => "the SOCKS proxy's name has no address".to_owned(),
        ProxyFailure::Unreachable(failure) => format!("the SOCKS proxy cannot be reached: {}", of_kind(failure)),
        ProxyFailure::Silent(waited) => format!("the SOCKS proxy did not answer within {}", super::timing::seconds(*waited)),
        ProxyFailure::Closed => "the SOCKS proxy closed the connection".to_owned(),
        ProxyFailure::NotSocks => "what should be the SOCKS proxy does not speak SOCKS5".to_owned(),
        ProxyFailure::NoMethod => "the SOCKS proxy takes no login that was offered".to_owned(),
        ProxyFailure::LoginRefused => "the SOCKS proxy refused the login".to_owned(),
        ProxyFailure::Said(reply) => format!("the SOCKS proxy answered: {reply}"),
    }
}

fn talked(session: &SessionCase<'_>) -> bool {
    session.facts.transcript.reached >= Some(Stage::Greeting)
}

/// Whether nobody answered at the address, for another reason than that this machine has no way there.
fn is_dead(session: &SessionCase<'_>) -> bool {
    let excused = |kind: &FailureKind| {
        matches!(
            kind,
            FailureKind::NoRoute
                | FailureKind::Overtaken
                | FailureKind::Local(_)
                | FailureKind::Proxy(_)
                | FailureKind::ProbeTimeOver
                | FailureKind::Interrupted
        )
    };
    session.facts.transcript.failure().is_some_and(|(_, stage, failure)| stage == Stage::Connect && !excused(&failure.kind))
}

/// Sessions that this side shut: they say nothing about the host.
fn shut_here(case: &Case<'_>) -> Vec<usize> {
    Shut::of(case).into_iter().filter(Shut::is_ours).flat_map(|shut| shut.asked).collect()
}

/// One host, one port, two families: one answers and the other does not.
fn family_broken(case: &Case<'_>) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    let here = shut_here(case);
    for (index, session) in case.each().filter(|(index, session)| is_dead(session) && case.is_needed(session) && !here.contains(index)) {
        let same_host = || {
            case.each()
                .map(|(_, other)| other)
                .filter(|other| other.facts.host == session.facts.host && other.facts.address.port() == session.facts.address.port())
        };
        let v4 = session.facts.address.is_ipv4();
        let own_family_works = same_host().any(|other| other.facts.address.is_ipv4() == v4 && talked(other));
        let other_family_works = same_host().any(|other| other.facts.address.is_ipv4() != v4 && talked(other));
        if other_family_works
            && !own_family_works
            && let Some((event, _, failure)) = session.facts.transcript.failure()
        {
            let (dead, alive) = (super::side::family(v4), super::side::family(!v4));
            evidence.push(Evidence::event(index, session, event, words(failure)).with("dead", dead).with("alive", alive));
        }
    }
    evidence
}

/// The host that senders try first answers on no address, while another host does.
fn first_host_dead(case: &Case<'_>) -> Vec<Evidence> {
    let hosts = &case.facts.route.hosts;
    let best = hosts.iter().filter_map(|host| host.preference).min();
    let is_best = |session: &SessionCase<'_>| {
        best.is_some() && session.facts.host.and_then(|host| hosts.get(host)).is_some_and(|host| host.preference == best)
    };
    let needed = case.each().filter(|(_, session)| case.is_needed(session));
    let (first, others): (Vec<_>, Vec<_>) = needed.partition(|(_, session)| is_best(session));
    let here = shut_here(case);
    let dead = |(index, session): &(usize, &SessionCase<'_>)| is_dead(session) && !here.contains(index);
    if first.is_empty() || !first.iter().all(dead) || !others.iter().any(|(_, session)| talked(session)) {
        return Vec::new();
    }
    case.each()
        .filter(|(_, session)| is_best(session))
        .filter_map(|(index, session)| {
            session.facts.transcript.failure().map(|(event, _, failure)| Evidence::event(index, session, event, words(failure)))
        })
        .collect()
}
