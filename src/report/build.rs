//! From facts, findings and verdict to the [`Report`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::letter;
use super::published::{self, millis};
use super::verdict::Wording;
use super::{
    AddressPart, AnnotationPart, AnswerPart, CertificatePart, DanePart, DistrustPart, EventKind, EventPart, EvidencePart, FindingPart,
    HostPart, IcmpPart, IdentityPart, KeyPart, LeftOutPart, LookupPart, OldTlsPart, OwnPart, PaperPart, Report, RoutePart, SCHEMA,
    SessionPart, TargetKind, TargetPart, VantagePart, WaitPart,
};
use crate::annotation::Annotation;
use crate::diagnosis::{
    Case, Evidence, Finding, SessionCase, Verdict, as_sent, dane_words, days_left, distrust_about, distrust_words, failure_words,
};
use crate::knowledge::{Fix, Knowledge, Place};
use crate::policy::{DaneResult, DaneVerdict};
use crate::probe::{Facts, LeftOutWhy, WaitEnd, Waited};
use crate::route::{Identity, LookupResult, Origin};
use crate::settings::Question;
use crate::smtp::{
    Answers, CertificateFault, CertificateVerdict, Distrust, Elapsed, Event, IcmpError, LegacyTls, PublicKey, Purpose, SentCertificate,
    Stage, TlsFacts, TlsUse, Verb, challenge_text,
};
use crate::target::{MailDomain, Target};

/// Puts everything into the shape of the contract. `input` is the target as the user wrote it.
#[must_use]
pub fn report(input: &str, case: &Case<'_>, findings: &[Finding], verdict: &Verdict) -> Report {
    let facts = case.facts;
    Report {
        schema: SCHEMA.to_owned(),
        target: target(input, facts),
        started_at: timestamp(facts.started_at),
        duration_ms: millis(facts.duration),
        vantage: VantagePart {
            hostname: facts.vantage.hostname.clone(),
            helo: facts.vantage.hello.clone(),
            addresses: facts.vantage.addresses.clone(),
            egress: facts.vantage.egress.clone(),
            proxy: facts.vantage.proxy.clone(),
            own: facts.vantage.own.iter().map(|own| OwnPart { address: own.address, here: own.here }).collect(),
        },
        sender: facts.sender.as_deref().map(|sender| super::sender::part(sender, findings, case.knowledge)),
        route: route(case),
        message: letter::part(case),
        wait: facts.waited.map(wait),
        sessions: case.sessions.iter().map(|session| self::session(case, session)).collect(),
        findings: findings.iter().map(|finding| self::finding(case.knowledge, finding)).collect(),
        verdict: Wording::new(case).verdict(verdict),
    }
}

fn target(input: &str, facts: &Facts) -> TargetPart {
    let (kind, domain) = match &facts.target {
        Target::Mailbox(mailbox) => match mailbox.domain() {
            MailDomain::Name(name) => (TargetKind::Mailbox, Some(name.to_string())),
            MailDomain::Literal(_) => (TargetKind::Mailbox, None),
        },
        Target::Domain(domain) => (TargetKind::Domain, Some(domain.to_string())),
        Target::Host { .. } => (TargetKind::Host, None),
    };
    let question = match facts.question {
        Question::Mail => "mail",
        Question::Ports => "ports",
    };
    TargetPart {
        input: input.to_owned(),
        kind,
        mailbox: facts.target.mailbox().map(ToString::to_string),
        domain,
        question: question.to_owned(),
        until: facts.until,
        ports: facts.needed.iter().map(|port| port.number()).collect(),
    }
}

fn wait(waited: Waited) -> WaitPart {
    let (end, next) = match waited.end {
        WaitEnd::Answered => ("answered", None),
        WaitEnd::TooLong(next) => ("too_long", Some(next)),
        WaitEnd::BrokenOff => ("broken_off", None),
    };
    let (limit_ms, waited_ms) = (millis(waited.limit), millis(waited.waited));
    WaitPart { limit_ms, waited_ms, end: end.to_owned(), next_ms: next.map(millis) }
}

fn route(case: &Case<'_>) -> RoutePart {
    let facts = case.facts;
    let route = &facts.route;
    let address = |ip: &IpAddr| AddressPart { ip: *ip, family: family(*ip) };
    RoutePart {
        origin: route.origin.as_str().to_owned(),
        failure: if let Origin::Failed(failure) = route.origin { Some(failure.as_str().to_owned()) } else { None },
        dnssec: route.security.as_str().to_owned(),
        hosts: route
            .hosts
            .iter()
            .enumerate()
            .map(|(place, host)| HostPart {
                name: host.name.to_string(),
                preference: host.preference,
                // A UNIX socket has none.
                addresses: host.addresses.iter().filter(|ip| !ip.is_unspecified()).map(address).collect(),
                cname: host.aliases.last().map(ToString::to_string),
                tlsa: published::tlsa(case, place),
                fault: host.fault.map(|fault| fault.as_str().to_owned()),
            })
            .collect(),
        mta_sts: published::mta_sts(case),
        tls_rpt: published::tls_rpt(case),
        delivery: published::delivery(case),
        lookups: route
            .lookups
            .iter()
            .map(|lookup| LookupPart {
                name: lookup.name.clone(),
                kind: lookup.kind.as_str().to_owned(),
                server: lookup.server.map(|server| server.to_string()),
                result: lookup.result.as_str().to_owned(),
                secure: lookup.security.as_str().to_owned(),
                secure_reason: lookup.security.reason().to_owned(),
                records: if let LookupResult::Found(records) = &lookup.result { records.clone() } else { Vec::new() },
                at_ms: millis(lookup.at.0),
                ms: millis(lookup.took),
                tcp: lookup.tcp,
            })
            .collect(),
        left_out: facts
            .left_out
            .iter()
            .map(|left| LeftOutPart {
                host: route.hosts.get(left.host).map(|host| host.name.to_string()).unwrap_or_default(),
                address: left.address.ip(),
                port: left.address.port(),
                why: match left.why {
                    LeftOutWhy::SameAddress => "same_address",
                    LeftOutWhy::EnoughOfTheHost => "enough_of_the_host",
                    LeftOutWhy::EnoughInAll => "enough_in_all",
                    LeftOutWhy::Answered => "answered",
                }
                .to_owned(),
            })
            .collect(),
        identities: facts.identities.iter().map(identity).collect(),
    }
}

fn identity(identity: &Identity) -> IdentityPart {
    IdentityPart {
        name: identity.name.to_string(),
        address: identity.address,
        addresses: identity.addresses.clone(),
        pointers: identity.pointers.iter().map(ToString::to_string).collect(),
        answered: identity.answered,
    }
}

fn session(case: &Case<'_>, session: &SessionCase<'_>) -> SessionPart {
    let facts = session.facts;
    let transcript = &facts.transcript;
    let secured = transcript.tls();
    let tls = match (facts.tls, secured) {
        (TlsUse::Implicit, _) => "implicit",
        (_, Some(_)) => "starttls",
        _ => "none",
    };
    let capabilities = transcript.capabilities().unwrap_or_default();
    SessionPart {
        role: facts.role,
        state: session.state,
        host: facts.name.to_string(),
        address: facts.address.ip(),
        port: facts.address.port(),
        family: family(facts.address.ip()),
        tls: tls.to_owned(),
        reached: transcript.reached,
        connect_ms: transcript.connect_time().map(millis),
        total_ms: millis(transcript.ended().since(transcript.began)),
        began_ms: millis(transcript.began.0),
        software: software(case.knowledge, session),
        capabilities: capabilities.iter().map(|c| (c.keyword.clone(), c.parameters.clone())).collect::<BTreeMap<_, _>>(),
        certificate: secured.map(|tls| certificate(case.knowledge, tls, case.facts.started_at)),
        dane: facts.dane.as_ref().map(|dane| self::dane(case, session, dane)),
        old_tls: transcript.legacy_tls().map(|(_, legacy)| old_tls(legacy, case.facts.started_at)),
        retry_after_ms: facts.come_back.map(|come_back| millis(come_back.after)),
        retry_named: facts.come_back.map(|come_back| come_back.named),
        answer: session.answer.as_ref().map(|answer| AnswerPart {
            outcome: answer.outcome,
            reason: answer.reason,
            confidence: answer.confidence,
            stage: answer.stage,
            event: answer.event,
        }),
        events: transcript.events.iter().enumerate().map(|(index, (at, what))| event(session, index, *at, what)).collect(),
    }
}

fn dane(case: &Case<'_>, session: &SessionCase<'_>, dane: &DaneResult) -> DanePart {
    let (verdict, would_match) = match &dane.verdict {
        DaneVerdict::NoRecords => ("no_records", None),
        DaneVerdict::Authenticated { .. } => ("authenticated", None),
        DaneVerdict::Unusable { would_match } => ("unusable", would_match.as_ref()),
        DaneVerdict::Failed { would_match } => ("failed", would_match.as_ref()),
    };
    DanePart { verdict: verdict.to_owned(), records: dane_words(case, session), would_match: would_match.map(ToString::to_string) }
}

fn old_tls(legacy: &LegacyTls, now: SystemTime) -> OldTlsPart {
    OldTlsPart {
        version: legacy.version.to_string(),
        cipher: legacy.cipher.clone(),
        group_bits: legacy.group_bits,
        flaws: legacy.flaws().iter().map(|flaw| flaw.name().to_owned()).collect(),
        chain: legacy.chain.iter().map(|sent| paper(sent, now)).collect(),
    }
}

/// The software by the surest mark found: greeting first, then EHLO, then the other replies.
fn software(knowledge: &Knowledge, session: &SessionCase<'_>) -> Option<String> {
    let replies = || session.facts.transcript.replies();
    let place = |verb| match verb {
        Verb::Connect => Place::Greeting,
        Verb::Ehlo | Verb::Helo => Place::Ehlo,
        Verb::Quit => Place::Quit,
        _ => Place::Reply,
    };
    let found = replies().filter_map(|answer| knowledge.software(place(answer.verb), &as_sent(answer.reply)));
    found.reduce(|best, next| if next.confidence > best.confidence { next } else { best }).map(|software| software.name)
}

fn certificate(knowledge: &Knowledge, facts: &TlsFacts, now: SystemTime) -> CertificatePart {
    let reason = |fault: &CertificateFault| DistrustPart {
        kind: fault.why.name().to_owned(),
        certificate: fault.place,
        about: distrust_about(&fault.why),
        text: distrust_words(knowledge, facts, fault),
    };
    let chain: Vec<PaperPart> = facts.chain.iter().map(|sent| paper(sent, now)).collect();
    CertificatePart {
        version: facts.version.clone(),
        cipher: facts.cipher.clone(),
        server_name: facts.server_name.clone(),
        group: facts.group.clone(),
        trusted: facts.verdict == CertificateVerdict::Trusted,
        verdict: match facts.verdict.faults().first().map(|fault| &fault.why) {
            None if facts.verdict == CertificateVerdict::Unseen => "unseen".to_owned(),
            None => "trusted".to_owned(),
            Some(Distrust::Other(words)) => words.clone(),
            Some(why) => why.name().to_owned(),
        },
        reasons: facts.verdict.faults().iter().map(reason).collect(),
        own: chain.first().cloned().unwrap_or_default(),
        chain_length: facts.chain_length,
        chain,
    }
}

fn paper(sent: &SentCertificate, now: SystemTime) -> PaperPart {
    let sha256 = Some(sent.sha256.clone());
    let Some(read) = &sent.read else { return PaperPart { sha256, ..PaperPart::default() } };
    let date = |seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok();
    let curve = if let PublicKey::Ec { curve, .. } = &read.key { Some(curve.clone()) } else { None };
    PaperPart {
        subject: Some(read.subject.clone()),
        issuer: Some(read.issuer.clone()),
        names: read.names_shown(),
        serial: Some(read.serial.clone()),
        key: Some(KeyPart { kind: read.key.kind().to_owned(), bits: read.key.bits(), curve }),
        signature_algorithm: Some(read.signature_algorithm.clone()),
        not_before: date(read.not_before),
        not_after: date(read.not_after),
        days_left: Some(days_left(now, read.not_after)),
        sha256,
        spki_sha256: Some(read.spki_sha256.clone()),
        issuer_url: read.issuer_url.clone(),
    }
}

fn event(session: &SessionCase<'_>, index: usize, at: Elapsed, event: &Event) -> EventPart {
    let blank = |kind, stage| EventPart {
        at_ms: millis(at.0),
        began_ms: None,
        kind,
        stage,
        purpose: None,
        command: None,
        answers: None,
        unasked: false,
        code: None,
        enhanced: None,
        text: None,
        lines: Vec::new(),
        raw: None,
        challenge: None,
        failure: None,
        errno: None,
        icmp: None,
        annotation: None,
    };
    let began = |began: &Elapsed| Some(millis(began.0)).filter(|began| *began < millis(at.0));
    let control = |purpose: Purpose| (purpose != Purpose::Target).then_some(purpose);
    match event {
        Event::Connected(_) => blank(EventKind::Connected, Stage::Connect),
        Event::Secured(_) => blank(EventKind::Secured, Stage::Tls),
        Event::Content { written, of, whole } => {
            let unended = if !whole && written == of { " without their end" } else { "" };
            EventPart { text: Some(format!("{written} of {of} octets{unended}")), ..blank(EventKind::Content, Stage::Message) }
        }
        Event::Surveyed(legacy) => {
            EventPart { text: Some(format!("{} with {}", legacy.version, legacy.cipher)), ..blank(EventKind::Surveyed, Stage::Tls) }
        }
        Event::Sent { command, purpose } => EventPart {
            purpose: control(*purpose),
            command: Some(command.to_string()),
            ..blank(EventKind::Sent, Stage::of(command.verb()))
        },
        Event::Received { verb, answers, purpose, reply, began: first } => EventPart {
            began_ms: began(first),
            purpose: control(*purpose),
            answers: Some(*verb),
            unasked: *answers == Answers::Nothing,
            code: Some(reply.code.number()),
            enhanced: reply.enhanced.map(|enhanced| enhanced.to_string()),
            text: Some(reply.text()),
            lines: reply.lines.clone(),
            raw: (!reply.flaws.is_empty()).then(|| BASE64.encode(&reply.raw)),
            challenge: challenge_text(reply).filter(|_| *verb == Verb::Auth),
            annotation: session.annotation(index).map(annotation),
            ..blank(EventKind::Reply, Stage::of(*verb))
        },
        Event::Premature { stage, bytes, began: first } => EventPart {
            began_ms: began(first),
            text: Some(String::from_utf8_lossy(bytes).into_owned()),
            raw: Some(BASE64.encode(bytes)),
            ..blank(EventKind::Premature, *stage)
        },
        Event::Broke { stage, failure } => {
            let icmp = failure.icmp.map(|IcmpError { kind, code, from, here }| IcmpPart { kind, code, from, here });
            EventPart { failure: Some(failure_words(failure)), errno: failure.errno, icmp, ..blank(EventKind::Failed, *stage) }
        }
    }
}

fn annotation(annotation: &Annotation) -> AnnotationPart {
    AnnotationPart {
        reason: annotation.reason,
        confidence: annotation.confidence,
        permanence: annotation.permanence,
        title: annotation.title.clone(),
        meaning: annotation.meaning.clone(),
        when: annotation.when.clone(),
        fix: annotation.fix.clone(),
        actor: annotation.actor,
        references: annotation.references.clone(),
    }
}

pub(super) fn finding(knowledge: &Knowledge, finding: &Finding) -> FindingPart {
    let text = knowledge.finding(finding.rule.id);
    let filled = |fix: &Fix| Fix { actor: fix.actor, text: finding.fill(&fix.text) };
    FindingPart {
        id: finding.rule.id.to_owned(),
        severity: finding.rule.severity,
        title: finding.fill(&text.title),
        detail: finding.fill(&text.detail),
        actor: text.actor,
        fix: text.fix.iter().map(filled).collect(),
        publish: publish(&finding.evidence),
        evidence: finding.evidence.iter().map(evidence).collect(),
        references: vec![finding.rule.reference.to_owned()],
    }
}

/// What is ready to publish, each text once.
fn publish(evidence: &[Evidence]) -> Vec<String> {
    let mut texts: Vec<&[String]> = Vec::new();
    for text in evidence.iter().map(|evidence| evidence.publish.as_slice()) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.concat()
}

pub(super) fn evidence(evidence: &Evidence) -> EvidencePart {
    EvidencePart { session: evidence.session, event: evidence.event, lookup: evidence.lookup, quote: evidence.quote.clone() }
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 4 } else { 6 }
}

pub(super) fn timestamp(moment: SystemTime) -> String {
    OffsetDateTime::from(moment)
        .replace_millisecond(0)
        .ok()
        .and_then(|m| m.replace_nanosecond(0).ok())
        .and_then(|m| m.format(&Rfc3339).ok())
        .unwrap_or_default()
}
