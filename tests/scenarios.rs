//! Every scenario of the demo's mail world, and those in `tests/scenarios` beside it, probed by the very same path as a real
//! server: the whole transcript, the findings and the verdict are compared, and for some of them what a person sees.
//!
//! What differs from run to run is made equal first: times, ports of the loopback resolver, the made-up address, and which of a
//! host's sessions happened to ask the control question.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use smtpprobe::demo::{Scenario, World, scenarios};
use smtpprobe::diagnosis::{Case, diagnose, judge};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::probe::{Role, probe};
use smtpprobe::report::{EventKind, EventPart, LetterPart, Look, LookupPart, Report, SessionPart, headline, render, report};
use smtpprobe::settings::Settings;
use smtpprobe::smtp::{Purpose, Stage};

/// Scenarios that run at the same time; most of their time is spent waiting.
const AT_ONCE: usize = 8;

fn probed(scenario: &Scenario, knowledge: &Knowledge) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let target = scenario.address.parse().expect("a scenario's address is a target");
    runtime.block_on(async {
        let world = World::start(scenario).await.expect("loopback sockets");
        let base = Settings { hello: Some("probe.example.net".parse().expect("a name")), ..Settings::default() };
        let facts = probe(&target, &world.settings(base), knowledge, std::future::pending(), |_| {}).await;
        let case = Case::new(&facts, knowledge);
        report(&scenario.address, &case, &diagnose(&case), &judge(&case))
    })
}

/// The report with everything made equal that differs from run to run. It goes through JSON, as a saved report does.
fn settled(report: &Report) -> Report {
    let mut json = serde_json::to_string(report).expect("a report is JSON");
    for server in report.route.lookups.iter().filter_map(|lookup| lookup.server.as_ref()) {
        json = json.replace(server, "127.0.0.1:53");
    }
    let made_up =
        report.sessions.iter().flat_map(|s| &s.events).filter(|e| e.purpose == Some(Purpose::CatchAll)).filter_map(|e| e.command.as_ref());
    for local in made_up.filter_map(|c| c.strip_prefix("RCPT TO:<")?.split('@').next()).filter(|local| *local != "postmaster") {
        json = json.replace(local, "made-up");
    }
    let mut value = serde_json::from_str(&json).expect("what is written can be read");
    timeless_all(&mut value);
    let mut report: Report = serde_json::from_value(value).expect("what is written can be read");
    "2026-11-22T12:00:00Z".clone_into(&mut report.started_at);
    report.duration_ms = 100.0;
    report.vantage.hostname = None;
    for lookup in &mut report.route.lookups {
        (lookup.at_ms, lookup.ms) = (0.0, 1.0);
    }
    for session in &mut report.sessions {
        for paper in session.certificate.iter_mut().flat_map(|certificate| &mut certificate.chain) {
            paper.not_before = Some("2026-11-21T12:00:00Z".to_owned());
            paper.not_after = Some("2027-01-22T12:00:00Z".to_owned());
        }
        let began = std::mem::take(&mut session.began_ms);
        session.total_ms = 60.0;
        session.connect_ms = session.connect_ms.map(|_| 1.0);
        session.events.iter_mut().for_each(nonceless);
        let mut at = 0.0;
        let mut after_sent = false;
        let mut before = began;
        for event in &mut session.events {
            let sent = event.kind == EventKind::Sent;
            // What was sent in one go has one time; everything else is a millisecond apart, or whole seconds.
            if !(sent && after_sent) {
                at += ((event.at_ms - before) / 1000.0).floor().mul_add(1000.0, 1.0);
            }
            before = event.at_ms;
            after_sent = sent;
            event.at_ms = at;
        }
    }
    report
}

/// Everything that happened and was concluded, in a form that is easy to read and to compare.
fn account(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "route: {} {}", report.route.origin, report.route.failure.as_deref().unwrap_or_default());
    // That a domain publishes no policy is told by what senders do.
    let tells = |lookup: &&LookupPart| lookup.kind != "TXT" || !matches!(lookup.result.as_str(), "nxdomain" | "no_data");
    for lookup in report.route.lookups.iter().filter(tells) {
        let _ = writeln!(text, "  {} {}: {} {}", lookup.name, lookup.kind, lookup.result, lookup.records.join(", "));
    }
    for identity in &report.route.identities {
        let (addresses, pointers) = (&identity.addresses, &identity.pointers);
        let _ = writeln!(text, "  {} at {}: addresses {addresses:?}, names {pointers:?}", identity.name, identity.address);
    }
    for left in &report.route.left_out {
        let _ = writeln!(text, "  left out: {} {} ({})", left.host, left.address, left.why);
    }
    published(report, &mut text);
    own_side(report, &mut text);
    let mut controls: Vec<String> = Vec::new();
    for session in &report.sessions {
        let reached = session.reached.map_or("nothing", |stage| stage.as_str());
        let role = if session.role == Role::Asked { String::new() } else { format!(" ({:?})", session.role) };
        let state = format!("{:?}", session.state);
        let software = session.software.as_deref().unwrap_or("unknown software");
        let _ = writeln!(
            text,
            "\n{} {} port {}{role}: {state}, tls {}, reached {reached}, {software}",
            session.host, session.address, session.port, session.tls
        );
        for event in &session.events {
            let line = line(session, event);
            if event.purpose.is_some() {
                controls.push(format!("{} {line}", session.host));
            } else {
                let _ = writeln!(text, "  {line}");
            }
        }
    }
    if !controls.is_empty() {
        let _ = writeln!(text, "\ncontrol questions\n  {}", controls.join("\n  "));
    }
    if let Some(message) = &report.message {
        let LetterPart { state, size, sent, transfer, message_id, queue_id, session, .. } = message;
        let _ = writeln!(text, "\nmessage {state:?}, {sent} of {size} by {transfer}, session {session:?}, {message_id:?}, {queue_id:?}");
    }
    if let Some(wait) = &report.wait {
        let _ = writeln!(text, "\nwaited {} of {} ms, {}, next {:?}", wait.waited_ms, wait.limit_ms, wait.end, wait.next_ms);
    }
    text.push_str("\nfindings\n");
    for finding in &report.findings {
        let mut proof: Vec<String> = finding.evidence.iter().map(|evidence| dateless(&evidence.quote)).collect();
        proof.dedup();
        let _ = writeln!(text, "  {:?} {}: {}", finding.severity, finding.id, proof.join(" | "));
    }
    let knowledge = Knowledge::english();
    let verdict = &report.verdict;
    let _ = write!(
        text,
        "\nverdict\n  {:?} {:?} {:?} {:?} at {}\n  {}",
        verdict.outcome,
        verdict.reason,
        verdict.actor,
        verdict.confidence,
        verdict.stage,
        headline(report, &knowledge)
    );
    for fix in &verdict.fix {
        let _ = writeln!(text, "  {:?}: {}", fix.actor, fix.text);
    }
    let _ = writeln!(text, "  open: {}", verdict.unknown.as_deref().unwrap_or("nothing"));
    text
}

/// How receivers see the sender.
fn own_side(report: &Report, text: &mut String) {
    let Some(sender) = &report.sender else { return };
    let helo = sender.helo.as_ref().map(|helo| format!("{} at {:?} {:?}", helo.name, helo.addresses, helo.faults));
    let _ = writeln!(text, "  sender {}: {}, hidden {:?}", sender.state, helo.unwrap_or_default(), sender.hidden);
    for known in &sender.addresses {
        let names: Vec<String> = known.pointers.iter().map(|pointer| format!("{} leads {}", pointer.name, pointer.leads)).collect();
        let spf = known.spf.as_ref().map(|spf| format!("{} for {} ({})", spf.result, spf.sender, spf.decision));
        let _ = writeln!(text, "    {} {}: {names:?}, SPF {}", known.address, known.known, spf.unwrap_or_default());
    }
    if let Some(dmarc) = &sender.dmarc {
        let _ = writeln!(text, "    DMARC of {}: {:?}", dmarc.domain, dmarc.policy);
    }
    for listing in &sender.listings {
        let _ = writeln!(text, "    {} of {}: {:?} {:?}", listing.list, listing.subject, listing.answer, listing.addresses);
    }
}

/// What is published, and what senders make of it.
fn published(report: &Report, text: &mut String) {
    if let Some(mta_sts) = report.route.mta_sts.as_ref().filter(|mta_sts| mta_sts.state != "absent") {
        let failure = mta_sts.failure.iter().chain(&mta_sts.errors).chain(&mta_sts.notes).cloned().collect::<Vec<_>>().join("; ");
        let _ = writeln!(text, "  MTA-STS: {}, mx {} {failure}", mta_sts.state, mta_sts.mx.join(" "));
    }
    if let Some(tls_rpt) = report.route.tls_rpt.as_ref().filter(|tls_rpt| tls_rpt.state != "absent") {
        let _ = writeln!(text, "  TLS-RPT: {} {} {}", tls_rpt.state, tls_rpt.addresses.join(" "), tls_rpt.errors.join("; "));
    }
    let mut rows: Vec<(String, String)> = Vec::new();
    for part in &report.route.delivery {
        let place = format!("{}:{}", part.host, part.port);
        let name = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let [sender, delivery, why] =
            [serde_json::to_value(part.sender), serde_json::to_value(part.delivery), serde_json::to_value(part.why)]
                .map(|value| name(value.expect("JSON")));
        let cell = format!("{sender} {delivery} ({why})");
        match rows.iter_mut().find(|(other, _)| *other == place) {
            Some((_, cells)) => cells.extend([", ", &cell]),
            None => rows.push((place, cell)),
        }
    }
    for (place, cells) in rows {
        let _ = writeln!(text, "  {place}: {cells}");
    }
}

fn line(session: &SessionPart, event: &EventPart) -> String {
    match event.kind {
        EventKind::Connected => "connected".to_owned(),
        EventKind::Sent => format!("-> {}", event.command.as_deref().unwrap_or_default()),
        EventKind::Reply => {
            let meaning = event.annotation.as_ref().map(|a| format!("{:?}, {:?}: {}", a.reason, a.confidence, a.title)).unwrap_or_default();
            let mark = if event.unasked { "**" } else { "<-" };
            let challenge = event.challenge.as_ref().map(|challenge| format!(" = {challenge:?}")).unwrap_or_default();
            format!("{mark} {} {:?}{challenge}  [{meaning}]", event.code.unwrap_or_default(), event.lines)
        }
        EventKind::Premature => format!("** {} {:?}", event.stage, event.text.as_deref().unwrap_or_default()),
        EventKind::Secured => {
            let certificate = session.certificate.as_ref().expect("what is secured has a certificate");
            format!("== {} {}, {:?} days left", certificate.version, certificate.verdict, certificate.own.days_left)
        }
        EventKind::Content => format!("-> (message) {}", event.text.as_deref().unwrap_or_default()),
        EventKind::Surveyed => format!("== would choose {}", event.text.as_deref().unwrap_or_default()),
        EventKind::Failed => format!("!! {} {}", event.stage, event.failure.as_deref().unwrap_or_default()),
    }
}

/// Nonces are made anew for each login, and all that follows from them.
fn nonceless(event: &mut EventPart) {
    if let Some((before, nonce)) = event.command.as_ref().and_then(|command| command.split_once(", nonce ")) {
        let end = nonce.find([',', '>']).unwrap_or(nonce.len());
        event.command = Some(format!("{before}, nonce NONCE{}", &nonce[end..]));
    }
    let settled = match event.challenge.as_ref().map(|challenge| challenge.split_at_checked(2)) {
        Some(Some(("r=", rest))) => format!("r=NONCE{}", &rest[rest.find(',').unwrap_or(rest.len())..]),
        Some(Some(("v=", _))) => "v=PROOF".to_owned(),
        _ => return,
    };
    event.lines = vec!["BASE64".to_owned()];
    event.text = Some("BASE64".to_owned());
    event.challenge = Some(settled);
}

/// Measured times differ a little from run to run: `3.2 s` and `184 ms` become `T s` and `T ms` wherever they stand.
fn timeless_all(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = digestless(&timeless(text)),
        serde_json::Value::Array(values) => values.iter_mut().for_each(timeless_all),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(timeless_all),
        _ => {}
    }
}

/// Keys are made anew for each run: digests in hexadecimal become `DIGEST`.
fn digestless(text: &str) -> String {
    let is_digest = |word: &str| word.len() >= 16 && word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
    let word = |word: &str| if is_digest(word) { "DIGEST".to_owned() } else { word.to_owned() };
    text.split_inclusive(|c: char| !c.is_ascii_alphanumeric())
        .map(|part| {
            let end = part.char_indices().next_back().filter(|(_, c)| !c.is_ascii_alphanumeric()).map_or(part.len(), |(at, _)| at);
            word(&part[..end]) + &part[end..]
        })
        .collect()
}

/// Days on which certificates end differ from day to day: `2026-11-22` becomes `DAY`.
fn dateless(text: &str) -> String {
    let is_day =
        |word: &str| word.len() == 10 && word.split('-').map(str::len).eq([4, 2, 2]) && word.split('-').all(|n| n.parse::<u16>().is_ok());
    text.split(' ').map(|word| if is_day(word) { "DAY" } else { word }).collect::<Vec<_>>().join(" ")
}

fn timeless(text: &str) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for at in 1..words.len() {
        let unit = words[at].trim_end_matches(|c: char| c.is_ascii_punctuation()).to_owned();
        if matches!(unit.as_str(), "s" | "ms") && words[at - 1].parse::<f64>().is_ok() {
            "T".clone_into(&mut words[at - 1]);
            words[at] = words[at].replacen(&unit, "s", 1);
        }
    }
    words.join(" ")
}

/// The scenarios that are for tests alone.
fn own_scenarios() -> Vec<Scenario> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("a file");
        let mut scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        scenario.name = format!("own-{}", path.file_stem().expect("a name").to_string_lossy());
        scenario
    };
    files.iter().map(read).collect()
}

/// Probes all, some at a time, and gives the reports in the order of the scenarios.
fn all_probed(knowledge: &Knowledge) -> Vec<(Scenario, Report)> {
    let all: Vec<Scenario> = scenarios().into_iter().chain(own_scenarios()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let places = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let report = |place: usize| all.get(place).map(|scenario| (place, settled(&probed(scenario, knowledge))));
        places.map_while(report).collect::<Vec<_>>()
    };
    let mut reports: Vec<(usize, Report)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a probe does not panic")).collect()
    });
    reports.sort_by_key(|(place, _)| *place);
    all.into_iter().zip(reports.into_iter().map(|(_, report)| report)).collect()
}

/// Whose screens are kept: one for each kind of picture.
const SCREENS: &[&str] = &[
    "mailbox-full",
    "catch-all",
    "dead-first-mx",
    "disagreeing",
    "null-mx",
    "refused-port",
    "refused-without-reason",
    "speaks-ahead",
    "domain",
    "own-faulty-mx-set",
    "own-irregular",
    "blocked-here",
    "blocked-there",
    "intercepted",
    "ports",
    "wrong-mode",
    "own-blocked-here-ipv6",
    "own-open-but",
    "own-ports-blocked-here",
    "own-ports-blocked-there",
    "own-ports-noted",
    "own-ports-without-address",
    "dane",
    "dane-mismatch",
    "mta-sts-unlisted",
    "old-tls",
    "own-sts-broken-tls",
    "own-dane-no-starttls",
    "own-sts-invalid",
    "own-injectable",
    "delivered",
    "closes-after-message",
    "own-sent-refused-ahead",
    "own-waited-out",
    "own-waited-too-long",
    "greylisted",
    "login",
    "login-withheld",
    "own-login-repeated",
    "own-login-oauthbearer-wrong",
    "own-relay-percent",
    "own-relay-closed",
];

/// Of which the narrow and the verbose screen are kept, too.
const LOOKS: &[&str] = &["login", "mailbox-full", "blocked-here", "blocked-there", "ports", "dane-mismatch"];

#[test]
fn every_scenario_comes_to_its_verdict() {
    let knowledge = Knowledge::english();
    let mut wrong = Vec::new();
    for (scenario, report) in all_probed(&knowledge) {
        let json = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let verdict = serde_json::to_value(&report.verdict).expect("JSON");
        let got = ["outcome", "reason", "actor", "confidence"].map(|field| json(verdict[field].clone()));
        let expect = &scenario.expect;
        let expected = [&expect.outcome, &expect.reason, &expect.actor, &expect.confidence].map(Clone::clone);
        if got != expected {
            wrong.push(format!("{}: expected {expected:?}, got {got:?}", scenario.name));
        }
        let missing = expect.findings.iter().filter(|id| !report.findings.iter().any(|finding| finding.id == **id));
        wrong.extend(missing.map(|id| format!("{}: the finding {id} is missing", scenario.name)));
        let compared = catch_unwind(AssertUnwindSafe(|| {
            insta::assert_snapshot!(format!("account-{}", scenario.name), account(&report));
            if SCREENS.contains(&scenario.name.as_str()) {
                let look = Look { width: 80, colour: false, verbose: false };
                insta::assert_snapshot!(format!("screen-{}", scenario.name), render(&report, &knowledge, look));
            }
            if LOOKS.contains(&scenario.name.as_str()) {
                let narrow = Look { width: 40, colour: false, verbose: false };
                insta::assert_snapshot!(format!("screen-{}-narrow", scenario.name), render(&report, &knowledge, narrow));
                let verbose = Look { width: 80, colour: false, verbose: true };
                insta::assert_snapshot!(format!("screen-{}-verbose", scenario.name), render(&report, &knowledge, verbose));
            }
        }));
        if compared.is_err() {
            wrong.push(format!("{}: not as it was", scenario.name));
        }
        screen_is_fit(&report, &knowledge, &scenario.name, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What holds for every screen: no gap left unfilled, no line too wide, no control character, a short verdict, and colours that
/// carry nothing.
fn screen_is_fit(report: &Report, knowledge: &Knowledge, name: &str, wrong: &mut Vec<String>) {
    for (width, verbose) in [(80, false), (80, true), (120, false), (40, false)] {
        let plain = render(report, knowledge, Look { width, colour: false, verbose });
        let coloured = render(report, knowledge, Look { width, colour: true, verbose });
        let mut uncoloured = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            uncoloured.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        uncoloured.push_str(rest);
        if uncoloured != plain {
            wrong.push(format!("{name}: colours change the text"));
        }
        for line in plain.lines() {
            if line.chars().count() > width {
                wrong.push(format!("{name}: wider than {width}: {line}"));
            }
            if line.chars().any(char::is_control) || (line.contains('{') && !line.contains("\\u{")) {
                wrong.push(format!("{name}: not fit to be shown: {line}"));
            }
        }
        let block = plain.rsplit("\n\n").next().unwrap_or_default().lines().count();
        if width >= 80 && block > 11 {
            wrong.push(format!("{name}: the verdict takes {block} lines"));
        }
    }
}

/// A lookup that stays silent, beside a host that answers.
const SILENT_LOOKUP: &str = r#"
address = "anna@silent-lookup.test"
title = "A lookup that stays silent"
teaches = "What is not needed is not waited for."
expect = { outcome = "accepted", reason = "accepted", actor = "nobody", confidence = "certain" }
[dns]
"silent-lookup.test MX" = ["10 mx1.silent-lookup.test", "20 mx2.silent-lookup.test"]
"mx1.silent-lookup.test A" = ["192.0.2.1"]
"mx1.silent-lookup.test AAAA" = "NODATA"
"mx2.silent-lookup.test ANY" = "TIMEOUT"
[[server]]
at = ["192.0.2.1:25"]
mailboxes = ["anna"]
"#;

/// What is known of the route when it was not waited for: `A found, MX found …`.
fn route_unwaited(change: impl Fn(Settings) -> Settings) -> (std::time::Duration, String, String) {
    let scenario = Scenario::parse(SILENT_LOOKUP).expect("a scenario");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let target = scenario.address.parse().expect("a target");
    let knowledge = Knowledge::english();
    let facts = runtime.block_on(async {
        let world = World::start(&scenario).await.expect("loopback sockets");
        let settings = change(world.settings(Settings::default()));
        probe(&target, &settings, &knowledge, std::future::pending(), |_| {}).await
    });
    let case = Case::new(&facts, &knowledge);
    let lookups = facts.route.lookups.iter().map(|lookup| format!("{} {}", lookup.kind.as_str(), lookup.result.as_str()));
    // Answers to questions that were asked together come in any order.
    let mut lookups: Vec<String> = lookups.collect();
    lookups.sort();
    (facts.duration, lookups.join(", "), format!("{:?}", judge(&case).outcome))
}

#[test]
fn a_lookup_that_is_not_needed_is_not_waited_for() {
    let (took, lookups, outcome) = route_unwaited(|settings| Settings { walk: smtpprobe::settings::Walk::First, ..settings });
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
    assert_eq!((lookups.as_str(), outcome.as_str()), ("A found, AAAA no_data, MX found, TXT nxdomain, TXT nxdomain", "Accepted"));
    let (took, lookups, _) = route_unwaited(|settings| Settings { timeout: std::time::Duration::from_millis(700), ..settings });
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
    assert_eq!(lookups, "A found, AAAA no_data, MX found, TXT nxdomain, TXT nxdomain");
}

#[test]
fn the_certificate_is_in_the_json_in_full() {
    let knowledge = Knowledge::english();
    for (scenario, verdict, reasons) in [
        ("accepted", "trusted", vec![]),
        ("self-signed", "self_signed", vec![("self_signed", "it is self-signed")]),
        ("wrong-name", "wrong_name", vec![("wrong_name", "it is for shared17.hosting.test only")]),
    ] {
        let scenario = scenarios().into_iter().find(|known| known.name == scenario).expect(scenario);
        let report = serde_json::to_value(probed(&scenario, &knowledge)).expect("JSON");
        let certificate = &report["sessions"][0]["certificate"];
        assert_eq!(certificate["verdict"], verdict);
        let told: Vec<_> =
            certificate["reasons"].as_array().into_iter().flatten().map(|r| (r["kind"].as_str(), r["text"].as_str())).collect();
        assert_eq!(told, reasons.iter().map(|(kind, text)| (Some(*kind), Some(*text))).collect::<Vec<_>>());
        assert_eq!(certificate["key"], serde_json::json!({ "type": "EC", "bits": 256, "curve": "P-256" }));
        assert_eq!(certificate["signature_algorithm"], "ecdsa-with-SHA256");
        assert_eq!((certificate["chain"].as_array().map(Vec::len), certificate["chain_length"].as_u64()), (Some(1), Some(1)));
        for field in ["subject", "issuer", "serial", "not_before", "not_after", "sha256", "spki_sha256"] {
            assert!(certificate[field].as_str().is_some_and(|text| text.len() > 8), "{field}");
            assert_eq!(certificate[field], certificate["chain"][0][field], "{field}");
        }
        let back: Report = serde_json::from_value(report.clone()).expect("a report");
        assert_eq!(serde_json::to_value(back).expect("JSON"), report);
    }
}

/// Two ports of one host, of which one offers STARTTLS.
const STARTTLS_AT_ONE: &str = r#"
address = "one.test"
title = "STARTTLS at one of two ports"
teaches = "What is asked for stands in the table."
expect = { outcome = "accepted", reason = "accepted", actor = "nobody", confidence = "certain" }
[probe]
ports = true
[dns]
"one.test MX" = ["10 mx1.one.test"]
"mx1.one.test A" = ["192.0.2.1"]
"mx1.one.test AAAA" = "NODATA"
[[server]]
at = ["192.0.2.1:25"]
tls = "none"
[[server]]
at = ["192.0.2.1:587"]
[[server]]
at = ["192.0.2.1:465"]
tls = "implicit"
"#;

#[test]
fn the_table_says_of_each_port_whether_it_offers_starttls_once_that_is_asked() {
    let scenario = Scenario::parse(STARTTLS_AT_ONE).expect("a scenario");
    let knowledge = Knowledge::english();
    for (until, expected) in [
        (None, ["open, 1 ms", "TLS, 1 ms", "open, 1 ms"]),
        (Some(Stage::Ehlo), ["open, 1 ms, no STARTTLS", "TLS, 1 ms", "open, 1 ms, STARTTLS"]),
        (Some(Stage::StartTls), ["open, 1 ms, no STARTTLS", "TLS, 1 ms", "open, 1 ms, STARTTLS"]),
    ] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let report = runtime.block_on(async {
            let world = World::start(&scenario).await.expect("loopback sockets");
            let settings = Settings { until, ..world.settings(Settings::default()) };
            let target = scenario.address.parse().expect("a target");
            let facts = probe(&target, &settings, &knowledge, std::future::pending(), |_| {}).await;
            let case = Case::new(&facts, &knowledge);
            settled(&smtpprobe::report::report(&scenario.address, &case, &diagnose(&case), &judge(&case)))
        });
        let screen = render(&report, &knowledge, Look { width: 120, colour: false, verbose: false });
        let row = screen.lines().find(|line| line.starts_with("  192.0.2.1")).expect("a row");
        let cells: Vec<&str> = row.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).skip(1).collect();
        assert_eq!(cells, expected, "{until:?}: {screen}");
    }
}
