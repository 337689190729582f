//! The check itself (RFC 7208 §4): policy by policy, term by term, with everything that was asked written down.

use std::net::IpAddr;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::macros::{MacroString, Place, Values, reverse_name};
use super::record::{Directive, Mechanism, Modifier, is_meant_as_policy, is_policy, same_network};
use super::remarks::remarks;
use super::{
    Explanation, ExplanationFault, Identity, LOOKUP_LIMIT, NAMES_LIMIT, Policy, Problem, ProblemKind, Question, RECORD_LIMIT, Remark, Spf,
    SpfResult, Step, StepOutcome, TermKind, VOID_LIMIT,
};
use crate::route::{LookupKind, NameFault, QueryName, Record, Records};
use crate::sender::{Dns, Query};

/// Of the terms that ask nothing, the first so many are kept as steps.
const STEPS_KEPT: usize = 1000;
/// Remarks are kept up to this many.
const REMARKS_KEPT: usize = 100;
/// So many characters of an explanation are kept: more than any reply can hold.
const EXPLANATION_LIMIT: usize = 4096;
/// So many characters of a text that is no policy are kept to be shown.
const SHOWN: usize = 100;

/// Finds out whether the address may send mail for the sender (`check_host()`).
///
/// It ends, as each policy leads to others only through terms that count; the time is that of the answers.
pub async fn check_host<D: Dns>(question: &Question, dns: &D) -> Spf {
    let identity = if question.sender.is_empty() { Identity::Hello } else { Identity::MailFrom };
    let (local, domain) = match identity {
        Identity::Hello => ("", question.hello.as_str()),
        Identity::MailFrom => question.sender.rsplit_once('@').unwrap_or(("", &question.sender)),
    };
    let local = if local.is_empty() { "postmaster" } else { local };
    let mut check = Check {
        dns,
        question,
        local,
        sender_domain: domain,
        address: question.address.to_canonical(),
        policies: Vec::new(),
        trace: Vec::new(),
        left_out: 0,
        lookups: 0,
        void: 0,
        names: None,
        failed: None,
        remarks: Vec::new(),
    };
    let decision = match initial(domain) {
        Some(name) => check.policy(name, Way { depth: 0, step: None, included: false }).await,
        None => Err(Problem { domain: domain.to_owned(), kind: ProblemKind::NotADomain }),
    };
    let (result, decided_by, explanation, problem) = match decision {
        Ok(Decision { result, step, explain }) => {
            let explanation = match explain.filter(|_| result == SpfResult::Fail) {
                Some((domain, modifier)) => Some(check.explain(&domain, &modifier).await),
                None => None,
            };
            (result, step, explanation, None)
        }
        Err(problem) => (problem.kind.result(), check.failed, None, Some(problem)),
    };
    Spf {
        result,
        identity,
        sender: format!("{local}@{domain}"),
        domain: domain.to_owned(),
        address: check.address,
        policies: check.policies,
        trace: check.trace,
        left_out: check.left_out,
        lookups: check.lookups,
        void_lookups: check.void,
        decided_by,
        explanation,
        problem,
        remarks: check.remarks,
    }
}

/// The domain to begin with, if it is one (§4.3).
fn initial(domain: &str) -> Option<QueryName> {
    let is_literal = domain.starts_with('[') || domain.parse::<IpAddr>().is_ok();
    domain.parse().ok().filter(|name: &QueryName| !is_literal && name.is_qualified())
}

struct Check<'a, D> {
    dns: &'a D,
    question: &'a Question,
    local: &'a str,
    sender_domain: &'a str,
    address: IpAddr,
    policies: Vec<Policy>,
    trace: Vec<Step>,
    left_out: usize,
    lookups: usize,
    void: usize,
    /// The validated names of the address, once they were asked for.
    names: Option<Vec<QueryName>>,
    /// The step that could not be evaluated.
    failed: Option<usize>,
    remarks: Vec<Remark>,
}

/// How the check came to a policy.
#[derive(Clone, Copy)]
struct Way {
    depth: usize,
    /// The step that leads there; none for the sender's own.
    step: Option<usize>,
    /// Whether an `include` is on the way.
    included: bool,
}

/// What a policy comes to.
struct Decision {
    result: SpfResult,
    /// The step that matched; none if none did.
    step: Option<usize>,
    /// The policy's `exp=`, and the domain that it stands for.
    explain: Option<(QueryName, Modifier)>,
}

impl<D: Dns> Check<'_, D> {
    /// Evaluates the policy of `domain`.
    fn policy(&mut self, domain: QueryName, way: Way) -> BoxFuture<'_, Result<Decision, Problem>> {
        async move {
            let record = self.fetch(&domain, way).await?;
            let explain = record.explanation.map(|modifier| (domain.clone(), modifier));
            for directive in &record.directives {
                let step = self.directive(directive, &domain, way).await?;
                if let Some(step) = step {
                    return Ok(Decision { result: directive.meant, step: Some(step), explain });
                }
            }
            match record.redirect {
                Some(redirect) => self.redirect(&redirect, &domain, way).await,
                None => Ok(Decision { result: SpfResult::Neutral, step: None, explain }),
            }
        }
        .boxed()
    }

    /// Looks the policy of `domain` up, and reads it (§4.4, §4.5).
    async fn fetch(&mut self, domain: &QueryName, way: Way) -> Result<super::record::Record, Problem> {
        let records = self.dns.ask(domain, LookupKind::Txt).await;
        let query = Query::new(domain, LookupKind::Txt, &records);
        if let Some(step) = way.step {
            // No limit is needed here: a policy that is not there ends the check.
            self.void += usize::from(query.answer.is_void());
            self.note(step, query.clone());
        }
        let selected = select(&records, domain);
        let mut policy = Policy { domain: domain.to_string(), depth: way.depth, query, text: None, faults: Vec::new() };
        let read = selected.and_then(|text| {
            let shown = text.get(..RECORD_LIMIT).unwrap_or(text);
            policy.text = Some(String::from_utf8_lossy(shown).into_owned());
            if text.len() > RECORD_LIMIT {
                return Err(ProblemKind::TooLong(text.len()));
            }
            super::record::Record::parse(text).map_err(|faults| {
                policy.faults = faults;
                policy.faults.first().cloned().map_or(ProblemKind::NoPolicy, ProblemKind::Syntax)
            })
        });
        self.policies.push(policy);
        let record = read.map_err(|kind| problem(domain, kind))?;
        let room = REMARKS_KEPT.saturating_sub(self.remarks.len());
        self.remarks.extend(remarks(&record, domain.as_str(), way.included).into_iter().take(room));
        Ok(record)
    }

    /// Looks at a mechanism. Returns its step if it matches.
    async fn directive(&mut self, directive: &Directive, domain: &QueryName, way: Way) -> Result<Option<usize>, Problem> {
        let kind = directive.mechanism.kind();
        let step = Step {
            depth: way.depth,
            domain: domain.to_string(),
            term: directive.written.text.clone(),
            at: directive.written.at,
            kind,
            target: None,
            queries: Vec::new(),
            outcome: StepOutcome::NotMatched,
        };
        let at_hand = match directive.mechanism {
            Mechanism::All => Some(true),
            Mechanism::Ip(network, bits) => Some(same_network(network, self.address, bits)),
            _ => None,
        };
        if at_hand == Some(false) && self.trace.len() >= STEPS_KEPT {
            self.left_out += 1;
            return Ok(None);
        }
        let index = self.trace.len();
        self.trace.push(step);
        let matched = match at_hand {
            Some(matched) => Ok(Ok(matched)),
            None => self.asking(index, &directive.mechanism, domain, way).await,
        };
        let outcome = match &matched {
            Ok(Ok(true)) => StepOutcome::Matched(directive.meant),
            Ok(Ok(false)) => StepOutcome::NotMatched,
            Ok(Err(fault)) => StepOutcome::NoName(*fault),
            Err(problem) => StepOutcome::Error(problem.kind.result()),
        };
        self.close(index, outcome);
        Ok(matched?.unwrap_or(false).then_some(index))
    }

    /// Evaluates a mechanism that asks the DNS; the inner error is that its name is none, so that it does not match.
    async fn asking(
        &mut self,
        index: usize,
        mechanism: &Mechanism,
        domain: &QueryName,
        way: Way,
    ) -> Result<Result<bool, NameFault>, Problem> {
        self.count(domain)?;
        let target = match mechanism {
            Mechanism::Include(target) | Mechanism::Exists(target) => Some(target),
            Mechanism::A(target, _) | Mechanism::Mx(target, _) | Mechanism::Ptr(target) => target.as_ref(),
            Mechanism::All | Mechanism::Ip(..) => None,
        };
        let name = match self.target(index, target, domain).await? {
            Ok(name) => name,
            // What has no name has no policy (§4.3), save where no name was to be expected (RFC 8616 §4).
            Err(fault) if matches!(mechanism, Mechanism::Include(_)) && fault != NameFault::NotAscii => {
                return Err(problem(domain, ProblemKind::NoName(fault)));
            }
            Err(fault) => return Ok(Err(fault)),
        };
        let matched = match mechanism {
            Mechanism::Include(_) => self.include(index, name, domain, way).await?,
            Mechanism::A(_, prefixes) => {
                let addresses = self.addresses(index, &name, domain).await?;
                addresses.iter().any(|address| prefixes.cover(*address, self.address))
            }
            Mechanism::Mx(_, prefixes) => {
                let mut matched = false;
                for host in self.mail_hosts(index, &name, domain).await? {
                    let addresses = self.addresses(index, &host, domain).await?;
                    if addresses.iter().any(|address| prefixes.cover(*address, self.address)) {
                        matched = true;
                        break;
                    }
                }
                matched
            }
            Mechanism::Ptr(_) => {
                self.validate(index, domain).await?;
                self.names.iter().flatten().any(|validated| validated.is_within(&name))
            }
            // The question is for an IPv4 address even if the sender's is none (§5.7).
            Mechanism::Exists(_) => !self.ask(index, &name, LookupKind::A, domain).await?.is_empty(),
            Mechanism::All | Mechanism::Ip(..) => false,
        };
        Ok(Ok(matched))
    }

    /// Whether the policy of `name` lets the address pass (§5.2).
    async fn include(&mut self, index: usize, name: QueryName, domain: &QueryName, way: Way) -> Result<bool, Problem> {
        let inner = Way { depth: way.depth + 1, step: Some(index), included: true };
        self.other(name, domain, inner).await.map(|decision| decision.result == SpfResult::Pass)
    }

    /// Takes the policy that `redirect=` names (§6.1).
    async fn redirect(&mut self, redirect: &Modifier, domain: &QueryName, way: Way) -> Result<Decision, Problem> {
        let index = self.trace.len();
        self.trace.push(Step {
            depth: way.depth,
            domain: domain.to_string(),
            term: redirect.written.text.clone(),
            at: redirect.written.at,
            kind: TermKind::Redirect,
            target: None,
            queries: Vec::new(),
            outcome: StepOutcome::Followed,
        });
        let followed = self.follow(index, redirect, domain, way).await;
        if let Err(problem) = &followed {
            self.close(index, StepOutcome::Error(problem.kind.result()));
        }
        followed
    }

    async fn follow(&mut self, index: usize, redirect: &Modifier, domain: &QueryName, way: Way) -> Result<Decision, Problem> {
        self.count(domain)?;
        let name = self.target(index, Some(&redirect.target), domain).await?;
        let name = name.map_err(|fault| problem(domain, ProblemKind::NoName(fault)))?;
        self.other(name, domain, Way { depth: way.depth + 1, step: Some(index), included: way.included }).await
    }

    /// Evaluates the policy of another domain, which has to have one.
    async fn other(&mut self, name: QueryName, domain: &QueryName, way: Way) -> Result<Decision, Problem> {
        let dangling = |name: String| problem(domain, ProblemKind::Dangling(name));
        if !name.is_qualified() {
            return Err(dangling(name.to_string()));
        }
        let text = name.to_string();
        self.policy(name, way).await.map_err(|inner| if inner.kind.result() == SpfResult::None { dangling(text) } else { inner })
    }

    /// The addresses of `name` of the family of the sender's.
    async fn addresses(&mut self, index: usize, name: &QueryName, domain: &QueryName) -> Result<Vec<IpAddr>, Problem> {
        let records = self.ask(index, name, address_kind(self.address), domain).await?;
        Ok(addresses(&records))
    }

    /// The mail hosts of `name`, the preferred first (§5.4).
    async fn mail_hosts(&mut self, index: usize, name: &QueryName, domain: &QueryName) -> Result<Vec<QueryName>, Problem> {
        let records = self.ask(index, name, LookupKind::Mx, domain).await?;
        if records.len() > NAMES_LIMIT {
            return Err(problem(domain, ProblemKind::TooManyHosts(records.len())));
        }
        let host = |record| if let Record::Exchange(preference, Some(host)) = record { Some((preference, host)) } else { None };
        let mut hosts: Vec<(u16, QueryName)> = records.into_iter().filter_map(host).collect();
        hosts.sort_by_key(|(preference, _)| *preference);
        Ok(hosts.into_iter().map(|(_, host)| host).collect())
    }

    /// Finds the names of the address that lead back to it, unless that was done before (§5.5).
    async fn validate(&mut self, index: usize, domain: &QueryName) -> Result<(), Problem> {
        let queries = self.find_names().await;
        let is_void = queries.first().is_some_and(|query| query.answer.is_void());
        for query in queries {
            self.note(index, query);
        }
        // Those that own the address decide which names it has: only that it has none counts for the policy.
        if is_void { self.count_void(domain) } else { Ok(()) }
    }

    /// Finds the names of the address that lead back to it. Returns what was asked: nothing if it was before.
    async fn find_names(&mut self) -> Vec<Query> {
        let mut queries = Vec::new();
        if self.names.is_some() {
            return queries;
        }
        let mut validated = Vec::new();
        if let Ok(reverse) = reverse_name(self.address) {
            let records = self.dns.ask(&reverse, LookupKind::Ptr).await;
            queries.push(Query::new(&reverse, LookupKind::Ptr, &records));
            let Records::Found(records) = records else {
                self.names = Some(validated);
                return queries;
            };
            let pointer = |record| if let Record::Pointer(name) = record { name } else { None };
            for name in records.into_iter().take(NAMES_LIMIT).filter_map(pointer) {
                let kind = address_kind(self.address);
                let records = self.dns.ask(&name, kind).await;
                queries.push(Query::new(&name, kind, &records));
                if matches!(records, Records::Found(records) if addresses(&records).contains(&self.address)) {
                    validated.push(name);
                }
            }
        }
        self.names = Some(validated);
        queries
    }

    /// The name that `%{p}` stands for in a policy of `domain` (§7.3).
    fn pointer(&self, domain: &QueryName) -> String {
        let names = || self.names.iter().flatten();
        let best = names().find(|name| *name == domain).or_else(|| names().find(|name| name.is_within(domain)));
        best.or_else(|| names().next()).map_or_else(|| "unknown".to_owned(), ToString::to_string)
    }

    /// The name that a term is about, and notes it; without one of its own it is the policy's domain.
    async fn target(
        &mut self,
        index: usize,
        target: Option<&MacroString>,
        domain: &QueryName,
    ) -> Result<Result<QueryName, NameFault>, Problem> {
        let name = match target {
            None => Ok(domain.clone()),
            Some(target) => {
                if target.needs_pointer() {
                    self.validate(index, domain).await?;
                }
                target.name(&self.values(domain, &self.pointer(domain)))
            }
        };
        if let (Ok(name), Some(step)) = (&name, self.trace.get_mut(index)) {
            step.target = Some(name.to_string());
        }
        Ok(name)
    }

    fn values<'v>(&'v self, domain: &'v QueryName, pointer: &'v str) -> Values<'v> {
        Values {
            local: self.local,
            sender_domain: self.sender_domain,
            domain: domain.as_str(),
            address: self.address,
            hello: &self.question.hello,
            receiver: &self.question.receiver,
            time: self.question.time,
            pointer,
        }
    }

    /// What the policy of `domain` has to say to those whom it refuses (§6.2). Nothing that is asked for it counts.
    async fn explain(&mut self, domain: &QueryName, modifier: &Modifier) -> Explanation {
        let mut queries = Vec::new();
        if modifier.target.needs_pointer() {
            queries.extend(self.find_names().await);
        }
        let name = modifier.target.name(&self.values(domain, &self.pointer(domain)));
        let text = match name {
            Err(fault) => Err(ExplanationFault::Name(fault)),
            Ok(name) => {
                let records = self.dns.ask(&name, LookupKind::Txt).await;
                queries.push(Query::new(&name, LookupKind::Txt, &records));
                only_text(&records).and_then(|text| {
                    let text = String::from_utf8_lossy(text).into_owned();
                    MacroString::parse(&text, Place::Explanation).map_err(|(at, fault)| ExplanationFault::Macro(at, fault))
                })
            }
        };
        let text = match text {
            Err(fault) => Err(fault),
            Ok(text) => {
                if text.needs_pointer() {
                    let asked = self.find_names().await;
                    queries.splice(..0, asked);
                }
                Ok(text.text(&self.values(domain, &self.pointer(domain))).chars().take(EXPLANATION_LIMIT).collect())
            }
        };
        Explanation { term: modifier.written.text.clone(), queries, text }
    }

    /// Asks for a term, and counts an answer that there is nothing.
    async fn ask(&mut self, index: usize, name: &QueryName, kind: LookupKind, domain: &QueryName) -> Result<Vec<Record>, Problem> {
        let records = self.dns.ask(name, kind).await;
        self.note(index, Query::new(name, kind, &records));
        match records {
            Records::Found(records) => Ok(records),
            Records::NoData | Records::NxDomain => self.count_void(domain).map(|()| Vec::new()),
            Records::Failed(failure) => Err(problem(domain, ProblemKind::Lookup { name: name.to_string(), kind, failure })),
        }
    }

    fn count(&mut self, domain: &QueryName) -> Result<(), Problem> {
        self.lookups += 1;
        if self.lookups > LOOKUP_LIMIT { Err(problem(domain, ProblemKind::TooManyLookups)) } else { Ok(()) }
    }

    fn count_void(&mut self, domain: &QueryName) -> Result<(), Problem> {
        self.void += 1;
        if self.void > VOID_LIMIT { Err(problem(domain, ProblemKind::TooManyVoid)) } else { Ok(()) }
    }

    fn note(&mut self, index: usize, query: Query) {
        if let Some(step) = self.trace.get_mut(index) {
            step.queries.push(query);
        }
    }

    fn close(&mut self, index: usize, outcome: StepOutcome) {
        if let Some(step) = self.trace.get_mut(index) {
            step.outcome = outcome;
        }
        // The innermost comes first.
        if matches!(outcome, StepOutcome::Error(_)) {
            self.failed.get_or_insert(index);
        }
    }
}

fn problem(domain: &QueryName, kind: ProblemKind) -> Problem {
    Problem { domain: domain.to_string(), kind }
}

/// The one policy among the TXT records of `domain` (§4.5).
fn select<'r>(records: &'r Records, domain: &QueryName) -> Result<&'r [u8], ProblemKind> {
    let records = match records {
        Records::Found(records) => records.as_slice(),
        Records::NoData | Records::NxDomain => &[],
        Records::Failed(failure) => {
            return Err(ProblemKind::Lookup { name: domain.to_string(), kind: LookupKind::Txt, failure: *failure });
        }
    };
    let texts = || records.iter().filter_map(text);
    let policies: Vec<&[u8]> = texts().filter(|text| is_policy(text)).collect();
    match policies[..] {
        [policy] => Ok(policy),
        [] => Err(texts()
            .find(|text| is_meant_as_policy(text))
            .map_or(ProblemKind::NoPolicy, |text| ProblemKind::Misspelt(String::from_utf8_lossy(text).chars().take(SHOWN).collect()))),
        _ => Err(ProblemKind::Several(policies.len())),
    }
}

/// The text of the only record.
fn only_text(records: &Records) -> Result<&[u8], ExplanationFault> {
    let records = match records {
        Records::Found(records) => records.as_slice(),
        Records::NoData | Records::NxDomain => &[],
        Records::Failed(failure) => return Err(ExplanationFault::Lookup(*failure)),
    };
    let texts: Vec<&[u8]> = records.iter().filter_map(text).collect();
    match texts[..] {
        [text] => Ok(text),
        [] => Err(ExplanationFault::Absent),
        _ => Err(ExplanationFault::Several(texts.len())),
    }
}

fn text(record: &Record) -> Option<&[u8]> {
    if let Record::Text(text) = record { Some(text) } else { None }
}

fn addresses(records: &[Record]) -> Vec<IpAddr> {
    records.iter().filter_map(|record| if let Record::Address(address) = record { Some(*address) } else { None }).collect()
}

const fn address_kind(address: IpAddr) -> LookupKind {
    if address.is_ipv4() { LookupKind::A } else { LookupKind::Aaaa }
}
