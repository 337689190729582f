//! SPF with its whole trace, in the shape of the contract.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::spf_decision;
use crate::sender::spf::{Explanation, Fault, Policy, Spf, Step, StepOutcome};
use crate::sender::{Answered, Query};

/// What SPF says of an address, and how it comes to that (RFC 7208).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpfPart {
    /// `pass`, `fail`, `softfail`, `neutral`, `none`, `temperror` or `permerror`.
    pub result: String,
    /// Whose policy was asked: `mailfrom` or `helo`.
    pub identity: String,
    /// The sender that was checked.
    pub sender: String,
    /// The domain whose policy was asked.
    pub domain: String,
    /// What decided, in words.
    pub decision: String,
    /// Why there is no other result than none, temperror or permerror, by a name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// The policies that were read or looked for, the domain's own first.
    pub policies: Vec<PolicyPart>,
    /// The terms that were looked at, in that order.
    pub trace: Vec<StepPart>,
    /// So many terms that match nothing are left out of the trace.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub left_out: usize,
    /// The step that decided, by its place in the trace.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decided_by: Option<usize>,
    /// Terms that ask the DNS, of 10.
    pub lookups: usize,
    /// Answers that there is nothing, of 2.
    pub void_lookups: usize,
    /// What a receiver is to tell the sender.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub explanation: Option<ExplanationPart>,
    /// What is odd, though it is right.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub remarks: Vec<RemarkPart>,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyPart {
    /// The domain.
    pub domain: String,
    /// How many includes and redirects lead to it.
    pub depth: usize,
    /// The question for it.
    pub query: QueryPart,
    /// The policy; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub faults: Vec<PolicyFaultPart>,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyFaultPart {
    /// Where it is wrong, in octets counted from 0.
    pub at: usize,
    /// Where the term begins.
    pub term_at: usize,
    /// The term, or its beginning.
    pub term: String,
    /// What is wrong, in words.
    pub text: String,
}

/// A question for the DNS, with its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueryPart {
    /// The name asked for.
    pub name: String,
    /// The type of record.
    #[serde(rename = "type")]
    pub kind: String,
    /// `found`, `no_data`, `nxdomain`, or a failure.
    pub answer: String,
    /// How many records were found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub records: Option<usize>,
}

/// One term, looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepPart {
    /// How many includes and redirects lead to its policy.
    pub depth: usize,
    /// The domain whose policy that is.
    pub domain: String,
    /// The term as it stands there.
    pub term: String,
    /// Where it begins in the policy, in octets counted from 0.
    pub at: usize,
    /// `all`, `include`, `a`, `mx`, `ptr`, `ip4`, `ip6`, `exists` or `redirect`.
    pub kind: String,
    /// The name that it is about, macros replaced.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<String>,
    /// The questions asked for it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub queries: Vec<QueryPart>,
    /// `matched`, `not_matched`, `no_name`, `followed` or `error`.
    pub outcome: String,
    /// The result of its policy, if it decides that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result: Option<String>,
}

/// What a receiver is to tell the sender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplanationPart {
    /// The term.
    pub term: String,
    /// The text; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// Something odd in a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RemarkPart {
    /// The domain whose policy it is.
    pub domain: String,
    /// Where the term begins, in octets counted from 0.
    pub at: usize,
    /// The term; empty if it is about the end of the policy.
    pub term: String,
    /// What is odd, by a name.
    pub kind: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl SpfPart {
    pub(super) fn of(spf: &Spf) -> Self {
        Self {
            result: spf.result.as_str().to_owned(),
            identity: spf.identity.as_str().to_owned(),
            sender: spf.sender.clone(),
            domain: spf.domain.clone(),
            decision: spf_decision(spf),
            problem: spf.problem.as_ref().map(|problem| problem.kind.as_str().to_owned()),
            policies: spf.policies.iter().map(policy).collect(),
            trace: spf.trace.iter().map(step).collect(),
            left_out: spf.left_out,
            decided_by: spf.decided_by,
            lookups: spf.lookups,
            void_lookups: spf.void_lookups,
            explanation: spf.explanation.as_ref().map(explanation),
            remarks: spf
                .remarks
                .iter()
                .map(|remark| RemarkPart {
                    domain: remark.domain.clone(),
                    at: remark.at,
                    term: remark.term.clone(),
                    kind: remark.kind.as_str().to_owned(),
                })
                .collect(),
        }
    }
}

fn query(query: &Query) -> QueryPart {
    QueryPart {
        name: query.name.clone(),
        kind: query.kind.as_str().to_owned(),
        answer: query.answer.as_str().to_owned(),
        records: if let Answered::Found(count) = query.answer { Some(count) } else { None },
    }
}

fn policy(policy: &Policy) -> PolicyPart {
    let fault =
        |fault: &Fault| PolicyFaultPart { at: fault.at, term_at: fault.term_at, term: fault.term.clone(), text: fault.kind.to_string() };
    PolicyPart {
        domain: policy.domain.clone(),
        depth: policy.depth,
        query: query(&policy.query),
        text: policy.text.clone(),
        faults: policy.faults.iter().map(fault).collect(),
    }
}

fn step(step: &Step) -> StepPart {
    let result = match step.outcome {
        StepOutcome::Matched(result) | StepOutcome::Error(result) => Some(result.as_str().to_owned()),
        StepOutcome::NotMatched | StepOutcome::NoName(_) | StepOutcome::Followed => None,
    };
    StepPart {
        depth: step.depth,
        domain: step.domain.clone(),
        term: step.term.clone(),
        at: step.at,
        kind: step.kind.as_str().to_owned(),
        target: step.target.clone(),
        queries: step.queries.iter().map(query).collect(),
        outcome: step.outcome.as_str().to_owned(),
        result,
    }
}

fn explanation(explanation: &Explanation) -> ExplanationPart {
    ExplanationPart {
        term: explanation.term.clone(),
        text: explanation.text.as_ref().ok().cloned(),
        failure: explanation.text.as_ref().err().map(ToString::to_string),
    }
}
