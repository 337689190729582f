//! Whole traces, limits, and that no text is too odd.

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::route::{QueryName, Record, Records};
use crate::sender::zone::Zone;
use crate::sender::{Answered, Dns};

fn question(address: &str, sender: &str) -> Question {
    Question {
        address: address.parse().expect("an address"),
        sender: sender.to_owned(),
        hello: "probe.example.net".to_owned(),
        receiver: "mx.example.org".to_owned(),
        time: 1_700_000_000,
    }
}

fn check(zone: &impl Dns, question: &Question) -> Spf {
    check_host(question, zone).now_or_never().expect("a zone answers at once")
}

/// A line for each step: `  mx -> example.com [MX 2, A 1]: matched pass`.
fn lines(spf: &Spf) -> Vec<String> {
    let query = |query: &Query| match query.answer {
        Answered::Found(count) => format!("{} {count}", query.kind.as_str()),
        other => format!("{} {}", query.kind.as_str(), other.as_str()),
    };
    let line = |step: &Step| {
        let target = step.target.as_ref().map(|target| format!(" -> {target}")).unwrap_or_default();
        let asked: Vec<String> = step.queries.iter().map(query).collect();
        let asked = if asked.is_empty() { String::new() } else { format!(" [{}]", asked.join(", ")) };
        let outcome = match step.outcome {
            StepOutcome::Matched(result) | StepOutcome::Error(result) => format!("{} {}", step.outcome.as_str(), result.as_str()),
            StepOutcome::NoName(fault) => format!("no_name {fault:?}"),
            other => other.as_str().to_owned(),
        };
        format!("{}{}{target}{asked}: {outcome}", "  ".repeat(step.depth), step.term)
    };
    spf.trace.iter().map(line).collect()
}

#[test]
fn the_whole_way_to_a_result_is_told() {
    let zone = Zone(
        "example.com TXT some=thing
         example.com TXT v=spf1 ip4:198.51.100.0/24 a:gone.example.com include:_spf.example.net MX/28 ~all
         example.com MX 20 mx2.example.com
         example.com MX 10 mx1.example.com
         mx1.example.com A 203.0.113.7
         mx2.example.com A 192.0.2.17
         mx2.example.com A 203.0.113.8
         _spf.example.net TXT v=spf1 exists:%{ir}.%{l}.list.example.net -ip4:192.0.2.1 +all",
    );
    let spf = check(&zone, &question("::ffff:192.0.2.1", "anna@example.com"));
    assert_eq!(
        lines(&spf),
        [
            "ip4:198.51.100.0/24: not_matched",
            "a:gone.example.com -> gone.example.com [A nxdomain]: not_matched",
            "include:_spf.example.net -> _spf.example.net [TXT 1]: not_matched",
            "  exists:%{ir}.%{l}.list.example.net -> 1.2.0.192.anna.list.example.net [A nxdomain]: not_matched",
            "  -ip4:192.0.2.1: matched fail",
            "MX/28 -> example.com [MX 2, A 1, A 2]: not_matched",
            "~all: matched softfail",
        ]
    );
    assert_eq!((spf.result, spf.lookups, spf.void_lookups, spf.left_out), (SpfResult::SoftFail, 4, 2, 0));
    assert_eq!(spf.decision().map(|step| (step.term.as_str(), step.at, step.kind)), Some(("~all", 77, TermKind::All)));
    assert_eq!((spf.identity, spf.domain.as_str(), spf.address.to_string().as_str()), (Identity::MailFrom, "example.com", "192.0.2.1"));
    assert_eq!(
        spf.policies.iter().map(|policy| (policy.domain.as_str(), policy.depth)).collect::<Vec<_>>(),
        [("example.com", 0), ("_spf.example.net", 1)]
    );
    assert_eq!(spf.policies[0].query.answer, Answered::Found(2));
    assert!(spf.problem.is_none() && spf.explanation.is_none());
    assert_eq!(
        spf.remarks.iter().map(|r| (r.domain.as_str(), r.kind)).collect::<Vec<_>>(),
        [("_spf.example.net", RemarkKind::LetsEverybodyPass)]
    );
}

#[test]
fn what_decides_is_named() {
    for (zone, sender, result, decided, problem) in [
        ("a.example TXT v=spf1 include:b.example -all\nb.example TXT v=spf1 ip4:192.0.2.1", "x@a.example", "pass", "include:b.example", ""),
        ("a.example TXT v=spf1 redirect=b.example\nb.example TXT v=spf1 -all", "x@a.example", "fail", "-all", ""),
        ("a.example TXT v=spf1 ip4:198.51.100.1", "x@a.example", "neutral", "", ""),
        ("a.example TXT v=spf1 mx moo", "x@a.example", "permerror", "", "syntax"),
        ("a.example TXT v=spf1 include:b.example\nb.example TXT v=spf1 moo", "x@a.example", "permerror", "include:b.example", "syntax"),
        ("a.example TXT v=spf1 include:b.example -all", "x@a.example", "permerror", "include:b.example", "dangling"),
        ("a.example TXT v=spf1 include:%{h1} -all", "x@a.example", "permerror", "include:%{h1}", "dangling"),
        ("a.example TXT v=spf1 redirect=b.example", "x@a.example", "permerror", "redirect=b.example", "dangling"),
        ("a.example TXT v=spf1 redirect=a..example", "x@a.example", "permerror", "redirect=a..example", "no_name"),
        ("a.example TXT v=spf1 a -all\na.example A SERVFAIL", "x@a.example", "temperror", "a", "lookup"),
        ("a.example TXT SERVFAIL", "x@a.example", "temperror", "", "lookup"),
        ("a.example TXT v=spf1 a:x.example a:y.example mx:z.example all", "x@a.example", "permerror", "mx:z.example", "too_many_void"),
        ("a.example TXT v=spf1 -all\na.example TXT V=SPF1", "x@a.example", "permerror", "", "several"),
        ("a.example TXT other", "x@a.example", "none", "", "no_policy"),
        ("a.example TXT \"v=spf1 -all\"", "x@a.example", "none", "", "misspelt"),
        ("b.example A 192.0.2.1", "x@a.example", "none", "", "no_policy"),
        ("b.example A 192.0.2.1", "x@[192.0.2.1]", "none", "", "not_a_domain"),
        ("b.example A 192.0.2.1", "x@192.0.2.1", "none", "", "not_a_domain"),
        ("b.example A 192.0.2.1", "x@localhost", "none", "", "not_a_domain"),
        ("probe.example.net TXT v=spf1 ip4:192.0.2.1 -all", "", "pass", "ip4:192.0.2.1", ""),
        // An address of the other family matches nothing, whatever the prefix.
        ("a.example TXT v=spf1 ip6:::/0 -all", "x@a.example", "fail", "-all", ""),
        // A local part that no name can have matches nothing (RFC 8616 section 4).
        ("a.example TXT v=spf1 exists:%{l}.a.example include:%{l}.b.example -all", "r\u{e9}mi@a.example", "fail", "-all", ""),
        // A null MX has no addresses; a host without any counts as void.
        ("a.example TXT v=spf1 mx ?all\na.example MX 0 .", "x@a.example", "neutral", "?all", ""),
        // Errors of a host that only says it has a name are not the policy's.
        (
            "a.example TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa PTR a.example\n1.2.0.192.in-addr.arpa PTR mx.a.example\na.example A SERVFAIL\nmx.a.example A 192.0.2.1",
            "x@a.example",
            "pass",
            "ptr",
            "",
        ),
        ("a.example TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa PTR SERVFAIL", "x@a.example", "fail", "-all", ""),
    ] {
        let spf = check(&Zone(zone), &question("192.0.2.1", sender));
        let found = (
            spf.result.as_str(),
            spf.decision().map_or("", |step| step.term.as_str()),
            spf.problem.as_ref().map_or("", |problem| problem.kind.as_str()),
        );
        assert_eq!(found, (result, decided, problem), "{zone} {sender}: {:?}", spf.trace);
        assert_eq!(spf.problem.as_ref().map(|problem| problem.kind.result()), spf.problem.as_ref().map(|_| spf.result));
    }
}

#[test]
fn the_limits_are_kept() {
    let at_limit = format!("a.example TXT v=spf1 {} ip4:192.0.2.1 -all\na.example A 198.51.100.1", "a ".repeat(10));
    let spf = check(&Zone(&at_limit), &question("192.0.2.1", "x@a.example"));
    assert_eq!((spf.result, spf.lookups), (SpfResult::Pass, 10));
    let beyond = format!("a.example TXT v=spf1 {} ip4:192.0.2.1 -all\na.example A 198.51.100.1", "a ".repeat(11));
    let spf = check(&Zone(&beyond), &question("192.0.2.1", "x@a.example"));
    assert_eq!((spf.result, spf.lookups, spf.decided_by), (SpfResult::PermError, 11, Some(10)));
    assert_eq!(spf.problem.map(|problem| problem.kind), Some(ProblemKind::TooManyLookups));

    let spf = check(&Zone("a.example TXT v=spf1 include:a.example"), &question("192.0.2.1", "x@a.example"));
    assert_eq!((spf.result, spf.policies.len(), spf.trace.len()), (SpfResult::PermError, 11, 11));
    assert_eq!(spf.decision().map(|step| step.depth), Some(10));
    let zone = format!("a.example TXT v=spf1 include:b.example\nb.example TXT v=spf1 {}\nb.example A 198.51.100.1", "a ".repeat(10));
    let spf = check(&Zone(&zone), &question("192.0.2.1", "x@a.example"));
    assert_eq!(spf.problem.map(|problem| problem.domain).as_deref(), Some("a.example"), "whoever includes too much has to mend it");

    let hosts = (0..11).map(|n| format!("a.example MX {n} mx{n}.example")).collect::<Vec<_>>().join("\n");
    let zone = format!("a.example TXT v=spf1 mx -all\n{hosts}");
    let spf = check(&Zone(&zone), &question("192.0.2.1", "x@a.example"));
    assert_eq!(spf.problem.map(|problem| problem.kind), Some(ProblemKind::TooManyHosts(11)));

    // The eleventh name of an address is not looked at.
    let names = (0..11).map(|n| format!("1.2.0.192.in-addr.arpa PTR n{n}.b.example")).collect::<Vec<_>>().join("\n");
    let zone = format!("a.example TXT v=spf1 ptr:b.example -all\n{names}\nn10.b.example A 192.0.2.1");
    let spf = check(&Zone(&zone), &question("192.0.2.1", "x@a.example"));
    assert_eq!((spf.result, spf.trace[0].queries.len(), spf.void_lookups), (SpfResult::Fail, 11, 0));

    let long = format!("a.example TXT v=spf1 {}", "ip4:198.51.100.1 ".repeat(600));
    let spf = check(&Zone(&long), &question("192.0.2.1", "x@a.example"));
    assert!(matches!(spf.problem, Some(Problem { kind: ProblemKind::TooLong(_), .. })), "{:?}", spf.problem);
    assert_eq!(spf.policies[0].text.as_ref().map(String::len), Some(RECORD_LIMIT));

    // Two policies of 1160 terms each: what matches nothing is left out, but never what decides.
    let long = "ip6:::1 ".repeat(1000);
    let zone = format!("a.example TXT v=spf1 {long} include:b.example -all\nb.example TXT v=spf1 {long} -ip4:192.0.2.1");
    let spf = check(&Zone(&zone), &question("192.0.2.1", "x@a.example"));
    assert_eq!((spf.trace.len(), spf.left_out), (1003, 1000));
    assert_eq!(spf.decision().map(|step| step.term.as_str()), Some("-all"));
}

#[test]
fn a_refusal_is_explained() {
    for (exp, texts, expected) in [
        (
            "exp.a.example",
            "exp.a.example TXT %{i} is not ours. See http://a.example/?s=%{S} %{t}",
            Ok("192.0.2.1 is not ours. See http://a.example/?s=x%40a.example 1700000000"),
        ),
        ("%{p}.a.example", "unknown.a.example TXT refused by %{r}", Ok("refused by mx.example.org")),
        ("exp.a.example", "", Err(ExplanationFault::Absent)),
        ("exp.a.example", "exp.a.example TXT SERVFAIL", Err(ExplanationFault::Lookup(LookupFailure::ServFail))),
        ("exp.a.example", "exp.a.example TXT one\nexp.a.example TXT two", Err(ExplanationFault::Several(2))),
        ("exp.a.example", "exp.a.example TXT 100%!", Err(ExplanationFault::Macro(3, MacroFault::Percent))),
        ("a..example", "", Err(ExplanationFault::Name(NameFault::EmptyLabel))),
    ] {
        let zone = format!("a.example TXT v=spf1 -all exp={exp}\n{texts}");
        let spf = check(&Zone(&zone), &question("192.0.2.1", "x@a.example"));
        let explanation = spf.explanation.expect("an explanation");
        assert_eq!(explanation.text.as_deref().map_err(|fault| *fault), expected, "{zone}");
        assert_eq!((spf.result, spf.lookups, spf.void_lookups), (SpfResult::Fail, 0, 0));
    }
    let spf = check(&Zone("a.example TXT v=spf1 ~all exp=b.example"), &question("192.0.2.1", "x@a.example"));
    assert_eq!((spf.result, spf.explanation), (SpfResult::SoftFail, None));
}

/// Says the same of every name.
struct Everywhere {
    text: Vec<u8>,
    other: Records,
}

impl Dns for Everywhere {
    async fn ask(&self, _: &QueryName, kind: LookupKind) -> Records {
        if kind == LookupKind::Txt { Records::Found(vec![Record::Text(self.text.clone())]) } else { self.other.clone() }
    }
}

/// Pieces of policies, and anything.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        "v=spf1 ",
        " ",
        "  ",
        "+",
        "-",
        "?",
        "~",
        "all",
        "include:",
        "a",
        "mx",
        "ptr",
        "ip4:",
        "ip6:",
        "exists:",
        "redirect=",
        "exp=",
        "%{",
        "}",
        "%",
        "%%",
        "%_",
        "%-",
        "d",
        "l",
        "s",
        "p",
        "i",
        "h",
        "c",
        "r",
        "2",
        "0",
        "999999999999999999999",
        ".",
        "..",
        "/",
        "//",
        "24",
        "example.com",
        "%{d}",
        "%{p}",
        "%{ir}.%{v}",
        "%{L1r-+}",
        ":",
        "=",
        "192.0.2.1",
        "2001:db8::",
        "\u{e9}",
        "\0",
        "\t",
        "x",
    ];
    prop_oneof![
        12 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => ".{0,8}",
        1 => "[a-z]{60,70}",
    ]
}

proptest! {
    #[test]
    fn no_policy_is_too_odd(
        version in prop_oneof![4 => Just("v=spf1 "), 1 => Just("")],
        pieces in proptest::collection::vec(piece(), 0..60),
        sender in prop_oneof![Just("anna@example.com".to_owned()), Just(String::new()), ".{0,40}"],
        address in prop_oneof![Just("192.0.2.1"), Just("2001:db8::1"), Just("::ffff:192.0.2.1")],
        other in prop_oneof![
            Just(Records::NxDomain),
            Just(Records::Failed(LookupFailure::ServFail)),
            Just(Records::Found(vec![Record::Address("192.0.2.1".parse().unwrap())])),
            Just(Records::Found(vec![Record::Exchange(0, "mx.example.com".parse().ok()), Record::Pointer("a.example.com".parse().ok())])),
        ],
    ) {
        let text = format!("{version}{}", pieces.concat());
        let spf = check(&Everywhere { text: text.clone().into_bytes(), other }, &question(address, &sender));
        prop_assert!(spf.lookups <= LOOKUP_LIMIT + 1 && spf.void_lookups <= VOID_LIMIT + 1);
        prop_assert!(spf.policies.len() <= LOOKUP_LIMIT + 1);
        prop_assert!(spf.trace.iter().all(|step| step.queries.len() <= 2 * (NAMES_LIMIT + 1) && step.depth <= LOOKUP_LIMIT));
        prop_assert!(spf.trace.len() <= 1000 + 2 * LOOKUP_LIMIT + 2);
        prop_assert!(spf.decided_by.is_none_or(|index| index < spf.trace.len()));
        let is_error = matches!(spf.result, SpfResult::None | SpfResult::TempError | SpfResult::PermError);
        prop_assert_eq!(spf.problem.is_some(), is_error);
        for fault in spf.policies.iter().flat_map(|policy| &policy.faults) {
            prop_assert!(fault.term_at <= fault.at && fault.at <= text.len());
        }
        for step in &spf.trace {
            prop_assert_eq!(text.get(step.at..step.at + step.term.len()), Some(step.term.as_str()));
        }
    }
}
