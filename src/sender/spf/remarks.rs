//! What is odd in a policy that is right: terms that do nothing, that nobody should use, or that let everybody pass.

use super::SpfResult;
use super::record::{Directive, Mechanism, Record, Written};

/// Something odd in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The domain whose policy it is.
    pub domain: String,
    /// Where the term begins in the policy, in octets counted from 0.
    pub at: usize,
    /// The term as it stands there; empty if it is about the end of the policy.
    pub term: String,
    /// What is odd.
    pub kind: RemarkKind,
}

/// What is odd about a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemarkKind {
    /// `+all`, or a network of no bits: everybody may send in the domain's name.
    LetsEverybodyPass,
    /// It stands after `all`, which ends the policy (RFC 7208 §5.1).
    AfterAll,
    /// `redirect=` beside `all`, which leaves nothing to it (§5.1).
    RedirectUnused,
    /// `ptr`, which should not be used any more (§5.5).
    Ptr,
    /// A modifier that nobody knows changes nothing (§6).
    UnknownModifier,
    /// A mechanism with an equals sign instead of a colon: it is taken for a modifier that nobody knows, and matches nothing.
    EqualsForColon,
    /// Neither `all` nor `redirect=` ends the policy, so that what matches nothing is neutral (§4.7).
    NoEnd,
}

impl RemarkKind {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LetsEverybodyPass => "lets_everybody_pass",
            Self::AfterAll => "after_all",
            Self::RedirectUnused => "redirect_unused",
            Self::Ptr => "ptr",
            Self::UnknownModifier => "unknown_modifier",
            Self::EqualsForColon => "equals_for_colon",
            Self::NoEnd => "no_end",
        }
    }
}

/// All that is odd in the policy of `domain`. `included` is whether it was included, so that its end does not matter.
pub(super) fn remarks(record: &Record, domain: &str, included: bool) -> Vec<Remark> {
    let remark = |written: &Written, kind| Remark { domain: domain.to_owned(), at: written.at, term: written.text.clone(), kind };
    let all = record.directives.iter().position(|directive| directive.mechanism == Mechanism::All);
    let mut found = Vec::new();
    for (index, directive) in record.directives.iter().enumerate() {
        let kind = match directive {
            _ if all.is_some_and(|all| index > all) => RemarkKind::AfterAll,
            Directive { meant: SpfResult::Pass, mechanism: Mechanism::All | Mechanism::Ip(_, 0), .. } => RemarkKind::LetsEverybodyPass,
            Directive { mechanism: Mechanism::Ptr(_), .. } => RemarkKind::Ptr,
            _ => continue,
        };
        found.push(remark(&directive.written, kind));
    }
    for written in &record.unknown {
        let name = written.text.split('=').next().unwrap_or_default().to_ascii_lowercase();
        let is_mechanism = matches!(name.as_str(), "all" | "include" | "a" | "mx" | "ptr" | "ip4" | "ip6" | "exists");
        found.push(remark(written, if is_mechanism { RemarkKind::EqualsForColon } else { RemarkKind::UnknownModifier }));
    }
    match &record.redirect {
        Some(redirect) if all.is_some() => found.push(remark(&redirect.written, RemarkKind::RedirectUnused)),
        None if all.is_none() && !included => {
            found.push(Remark { domain: domain.to_owned(), at: 0, term: String::new(), kind: RemarkKind::NoEnd });
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_is_told() {
        for (text, included, expected) in [
            ("v=spf1 mx -all", false, &[][..]),
            ("v=spf1 mx redirect=example.com", false, &[]),
            ("v=spf1 mx", true, &[]),
            ("v=spf1 mx", false, &[(0, "", RemarkKind::NoEnd)]),
            ("v=spf1 all mx", false, &[(7, "all", RemarkKind::LetsEverybodyPass), (11, "mx", RemarkKind::AfterAll)]),
            ("v=spf1 ip4:0.0.0.0/0 -all", false, &[(7, "ip4:0.0.0.0/0", RemarkKind::LetsEverybodyPass)]),
            ("v=spf1 ptr -all", false, &[(7, "ptr", RemarkKind::Ptr)]),
            (
                "v=spf1 include=a.example x=y -all",
                false,
                &[(7, "include=a.example", RemarkKind::EqualsForColon), (25, "x=y", RemarkKind::UnknownModifier)],
            ),
            ("v=spf1 redirect=a.example -all", false, &[(7, "redirect=a.example", RemarkKind::RedirectUnused)]),
        ] {
            let record = Record::parse(text.as_bytes()).expect(text);
            let found = remarks(&record, "example.com", included);
            assert_eq!(found.iter().map(|r| (r.at, r.term.as_str(), r.kind)).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
