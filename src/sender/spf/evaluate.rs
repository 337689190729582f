//! The check itself (RFC 7208 §4): policy by policy, term by term, with everything that was asked written down.

use std::net::IpAddr;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::record::{Directive, Mechanism, Modifier, is_meant_as_policy, is_policy, same_network};
use super::remarks::remarks;
use super::{Identity, Policy, Problem, ProblemKind, Question, RECORD_LIMIT, Remark, Spf, SpfResult, Step, StepOutcome, TermKind};
use crate::route::{LookupKind, NameFault, QueryName, Record, Records};
use crate::sender::{Dns, Query};

/// Of the terms that ask nothing, the first so many are kept as steps.
const STEPS_KEPT: usize = 1000;
/// Remarks are kept up to this many.
const REMARKS_KEPT: usize = 100;
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

/// A check in progress.
pub(super) struct Check<'a, D> {
    pub(super) dns: &'a D,
    pub(super) question: &'a Question,
    pub(super) local: &'a str,
    pub(super) sender_domain: &'a str,
    pub(super) address: IpAddr,
    pub(super) policies: Vec<Policy>,
    pub(super) trace: Vec<Step>,
    pub(super) left_out: usize,
    pub(super) lookups: usize,
    pub(super) void: usize,
    /// The validated names of the address, once they were asked for.
    pub(super) names: Option<Vec<QueryName>>,
    /// The step that could not be evaluated.
    pub(super) failed: Option<usize>,
    pub(super) remarks: Vec<Remark>,
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
        self.count()?;
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
                self.validate(index).await?;
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
        self.count()?;
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

/// The problem of a domain's policy.
pub(super) fn problem(domain: &QueryName, kind: ProblemKind) -> Problem {
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

/// The text of a TXT record.
pub(super) fn text(record: &Record) -> Option<&[u8]> {
    if let Record::Text(text) = record { Some(text) } else { None }
}
