//! What is a policy and what is not, each error with its line.

use proptest::prelude::*;

use super::*;

/// The example of RFC 8461 §3.2, with either end of line.
const EXAMPLE: &str = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmx: backupmx.example.com\nmax_age: 604800\n";

fn name(text: &str) -> DomainName {
    text.parse().expect(text)
}

fn errors(body: &[u8]) -> Vec<String> {
    Policy::parse(body).map(|policy| format!("{policy:?}")).expect_err("invalid").iter().map(ToString::to_string).collect()
}

fn record(records: &[&str]) -> Result<StsRecord, TxtError> {
    StsRecord::find(records)
}

#[test]
fn the_records_of_the_rfc_are_read() {
    let read = record(&["v=STSv1; id=20160831085700Z;"]).unwrap();
    assert_eq!(read, StsRecord { id: "20160831085700Z".to_owned(), extensions: vec![], repeated: vec![] });
    // Several strings make one text; other records do not disturb.
    let joined = txt::join(&["v=STSv1; id=2016", "0831085700Z; x-1_a.b=!/~"]);
    let read = StsRecord::find(&[b"v=spf1 -all".to_vec(), joined, b"\xff\0".to_vec()]).unwrap();
    assert_eq!(read.id, "20160831085700Z");
    assert_eq!(read.extensions, [("x-1_a.b".to_owned(), "!/~".to_owned())]);
}

#[test]
fn a_record_is_held_to_the_grammar() {
    for text in ["v=STSv1;id=1", "v=STSv1 \t; id=1 ;", "v=STSv1; a=b; id=1", "v=STSv1; id=abcdefghijklmnopqrstuvwxyzABCDEF;\t "] {
        assert!(record(&[text]).is_ok(), "{text}");
    }
    for (text, at, fault) in [
        ("v=STSv1; id=", 9, FieldFault::Id),
        ("v=STSv1; id=2016-08-31", 9, FieldFault::Id),
        ("v=STSv1; id=abcdefghijklmnopqrstuvwxyzABCDEFG", 9, FieldFault::Id),
        ("v=STSv1; id=\"1\"", 9, FieldFault::Id),
        ("v=STSv1; id = 1", 9, FieldFault::Name),
        ("v=STSv1;  id=1 x=2", 10, FieldFault::Id),
        ("v=STSv1; id=1; ; a=b", 15, FieldFault::Empty),
        ("v=STSv1;; id=1", 8, FieldFault::Empty),
        ("v=STSv1; id", 9, FieldFault::NoEquals),
        ("v=STSv1; id=1; _a=b", 15, FieldFault::Name),
        ("v=STSv1; id=1; a12345678901234567890123456789012=b", 15, FieldFault::Name),
        ("v=STSv1; id=1; a=b c", 15, FieldFault::Value),
        ("v=STSv1; id=1; a=b=c", 15, FieldFault::Value),
        ("v=STSv1; id=1; a=", 15, FieldFault::Value),
        ("v=STSv1; id=1; a=\u{fc}", 15, FieldFault::Value),
        ("v=STSv1; id=1; a=\0", 15, FieldFault::Value),
    ] {
        let error = record(&[text]).expect_err(text);
        assert!(matches!(error, TxtError::Field { at: a, fault: f, .. } if (a, f) == (at, fault)), "{text}: {error:?}");
    }
    assert_eq!(record(&["v=STSv1;"]), Err(TxtError::Missing("id")));
    assert_eq!(record(&["v=STSv1; ID=1"]), Err(TxtError::Missing("id")));
    assert_eq!(record(&[&format!("v=STSv1; id=1; a={}", "b".repeat(5000))]), Err(TxtError::TooLong(5017)));
}

#[test]
fn of_two_ids_the_first_counts() {
    let read = record(&["v=STSv1; id=1; id=2"]).unwrap();
    assert_eq!((read.id.as_str(), read.repeated), ("1", vec!["2".to_owned()]));
}

#[test]
fn not_one_record_is_none() {
    assert_eq!(record(&[]), Err(TxtError::Absent));
    assert_eq!(record(&["v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@example.com", ""]), Err(TxtError::Absent));
    assert_eq!(record(&["v=STSv1; id=1", "v=STSv1; id=1"]), Err(TxtError::Several(2)));
    for text in ["v=STSv1", "v=STSv1 id=1", "V=stsv1; id=1", " v=STSv1; id=1", "\"v=STSv1; id=1\"", "v=STSv2; id=1", "v = STSv1; id=1"] {
        assert!(matches!(record(&[text]), Err(TxtError::Misspelt { version: "v=STSv1", .. })), "{text}");
        assert!(record(&[text, "v=STSv1; id=2"]).is_ok(), "{text} does not count");
    }
}

#[test]
fn the_policy_of_the_rfc_is_read_with_either_end_of_line() {
    for text in [EXAMPLE.to_owned(), EXAMPLE.replace('\n', "\r\n"), EXAMPLE.trim_end().to_owned(), EXAMPLE.replace('\n', " \t\r\n")] {
        let policy = Policy::parse(text.as_bytes()).unwrap();
        assert_eq!((policy.mode, policy.max_age, &policy.notes[..]), (Mode::Enforce, 604_800, &[][..]));
        let patterns: Vec<String> = policy.mx.iter().map(ToString::to_string).collect();
        assert_eq!(patterns, ["mail.example.com", "*.example.net", "backupmx.example.com"]);
    }
}

#[test]
fn each_error_is_told_with_its_line() {
    const GOOD: &str = "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 86400\n";
    for (from, to, expected) in [
        ("version: STSv1\n", "", "the line version is missing"),
        ("STSv1", "STSv2", "line 1: the version is \"STSv2\""),
        ("STSv1", "stsv1", "line 1: the version is \"stsv1\""),
        ("mode: enforce\n", "", "the line mode is missing"),
        ("mode", "Mode", "the line mode is missing"),
        ("enforce", "Enforce", "line 2: \"Enforce\" is no mode"),
        ("enforce", "report", "line 2: \"report\" is no mode"),
        ("enforce", "", "line 2: mode has no value"),
        ("mx: a.example\n", "", "no mx line names a host"),
        ("enforce\nmx: a.example\n", "testing\n", "no mx line names a host"),
        ("a.example", "a.example, b.example", "line 3: \"a.example, b.example\" cannot stand after mx: only one name"),
        ("a.example", "a*.example", "line 3: \"a*.example\" cannot stand after mx: a * can stand only"),
        ("a.example", "*", "line 3: \"*\" cannot stand after mx: a * can stand only"),
        ("a.example", "*.*.example", "a * can stand only"),
        ("a.example", "*.", "nothing is named"),
        ("a.example", ".a.example", "begins with a dot"),
        ("a.example", "a.example.", "ends with a dot"),
        ("a.example", "192.0.2.1", "it is an address"),
        ("a.example", "[2001:db8::1]", "it is an address"),
        ("a.example", "b\u{fc}cher.example", "it is not ASCII"),
        ("a.example", "a..example", "no host name"),
        ("a.example", "a@example.com", "no host name"),
        ("max_age: 86400\n", "", "the line max_age is missing"),
        ("86400", "31557601", "line 4: 31557601 seconds are more than"),
        ("86400", "9999999999", "line 4: 9999999999 seconds are more than"),
        ("86400", "00000086400", "line 4: \"00000086400\" is no number"),
        ("86400", "-1", "line 4: \"-1\" is no number"),
        ("86400", "+1", "line 4: \"+1\" is no number"),
        ("86400", "1d", "line 4: \"1d\" is no number"),
        ("86400", "86400;", "line 4: \"86400;\" is no number"),
        ("mode: ", "mode=", "line 2: \"mode=enforce\" has no colon"),
        ("mode: ", "mode : ", "line 2: \"mode \" is no key"),
        ("mode: ", " mode: ", "line 2: \" mode\" is no key"),
        ("enforce", "enf\0orce", "line 2: the control character with the number 0"),
        ("\nmode", "\rmode", "line 1: the control character with the number 13"),
        ("enforce", "\u{1b}[2J", "line 2: the control character with the number 27"),
        ("version", "\u{feff}version", "line 1: the file begins with a byte order mark"),
        ("version", "<!DOCTYPE html>\nversion", "this is a web page"),
    ] {
        let found = errors(GOOD.replacen(from, to, 1).as_bytes());
        assert!(found[0].contains(expected), "{from:?} -> {to:?}: {found:?}");
        assert_eq!(found.len(), 1, "{from:?} -> {to:?}: {found:?}");
    }
    assert_eq!(errors(b""), ["the policy is empty"]);
    assert_eq!(errors(b"\r\n \n"), ["the policy is empty"]);
    assert_eq!(errors(b"version: STSv1\nmode: \xff\n")[0], "line 2: it is not UTF-8");
    assert_eq!(errors(&vec![b'a'; 70_000]), ["the policy has 70000 octets, more than senders read"]);
}

#[test]
fn all_errors_are_told_up_to_a_bound() {
    assert_eq!(
        errors(b"version: 1\nmode: x\nmx: -\nmax_age: y\n").iter().map(|e| e.split(':').next().unwrap().to_owned()).collect::<Vec<_>>(),
        ["line 1", "line 2", "line 3", "line 4"]
    );
    let many = errors("x\n".repeat(10_000).as_bytes());
    assert_eq!((many.len(), many.last().map(String::as_str)), (20, Some("and more")));
}

#[test]
fn what_counts_and_may_not_be_meant_is_noted() {
    use PolicyNoteKind::{Broad, EmptyLine, Repeated, RepeatedMx, UnknownKey, VersionNotFirst};
    // RFC 8461 3.2: unknown keys are passed over, and of repeated ones all but the first, however wrong they are.
    let body = "mode: testing\nversion: STSv1\nMode: none\nmode: bogus\n\nmax_age: 31557600\nmax_age: x\nmx: *.com\nmx: *.COM\nx-note: gr\u{fc}n\n";
    let policy = Policy::parse(body.as_bytes()).unwrap();
    assert_eq!((policy.mode, policy.max_age, policy.mx.len()), (Mode::Testing, MAX_AGE_LIMIT, 1));
    let com = || MxPattern { wildcard: true, name: name("com") };
    let expected = [
        (2, VersionNotFirst),
        (3, UnknownKey("Mode".to_owned())),
        (4, Repeated("mode".to_owned())),
        (5, EmptyLine),
        (7, Repeated("max_age".to_owned())),
        (8, Broad(com())),
        (9, RepeatedMx(com())),
        (10, UnknownKey("x-note".to_owned())),
    ];
    assert_eq!(policy.notes, expected.map(|(line, kind)| PolicyNote { line, kind }));
    let long = format!("version: STSv1\nmode: none\nmax_age: 0\n{}", "a: b\n".repeat(5_000));
    assert_eq!(Policy::parse(long.as_bytes()).unwrap().notes.len(), 20);
}

#[test]
fn mode_none_needs_no_host() {
    let policy = Policy::parse(b"version:STSv1\nmode:none\nmax_age:86400").unwrap();
    assert_eq!((policy.mode, policy.mx.len()), (Mode::None, 0));
}

#[test]
fn an_asterisk_stands_for_one_label() {
    for (pattern, host, fits) in [
        ("mail.example.com", "mail.example.com", true),
        ("MAIL.Example.com", "mail.EXAMPLE.com", true),
        ("mail.example.com", "mail2.example.com", false),
        ("mail.example.com", "a.mail.example.com", false),
        ("example.com", "mail.example.com", false),
        ("*.example.com", "mail.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", "a.b.example.com", false),
        ("*.example.com", "mail.badexample.com", false),
        ("*.example.com", "mailexample.com", false),
        ("*.xn--bcher-kva.example", "mx.b\u{fc}cher.example", true),
    ] {
        assert_eq!(pattern.parse::<MxPattern>().expect(pattern).matches(&name(host)), fits, "{pattern} {host}");
    }
}

#[test]
fn the_policy_that_would_be_right_is_right() {
    let hosts = [name("mx1.example.com"), name("mx2.example.net"), name("MX1.example.com")];
    let policy = Policy::for_hosts(Mode::Enforce, 604_800, &hosts).unwrap();
    assert_eq!(policy.to_string(), "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.com\r\nmx: mx2.example.net\r\nmax_age: 604800\r\n");
    assert_eq!(Policy::parse(policy.to_string().as_bytes()), Ok(policy.clone()));
    assert!(hosts.iter().all(|host| policy.pattern_for(host).is_some()));
    assert_eq!(policy.pattern_for(&name("mx3.example.com")), None);
    assert_eq!(Policy::for_hosts(Mode::Enforce, 1, []), None);
    assert_eq!(Policy::for_hosts(Mode::None, u32::MAX, []).unwrap().max_age, MAX_AGE_LIMIT);
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"version: STSv1\n".to_vec()),
        Just(b"mode: enforce\r\n".to_vec()),
        Just(b"mode: none\n".to_vec()),
        Just(b"max_age: 1\n".to_vec()),
        "mx: [*.a-z]{1,8}\n".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #[test]
    fn nothing_panics_and_all_is_bounded(lines in proptest::collection::vec(line(), 0..60)) {
        let body = lines.concat();
        match Policy::parse(&body) {
            Ok(policy) => {
                prop_assert!(policy.notes.len() <= 20 && (policy.mode == Mode::None || !policy.mx.is_empty()));
                let again = Policy::parse(policy.to_string().as_bytes()).unwrap();
                prop_assert_eq!((again.mode, again.max_age, again.mx), (policy.mode, policy.max_age, policy.mx));
            }
            Err(errors) => {
                prop_assert!(!errors.is_empty() && errors.len() <= 20);
                prop_assert!(errors.iter().all(|error| error.to_string().chars().count() < 1200));
            }
        }
    }

    #[test]
    fn a_record_never_panics(rest in proptest::collection::vec(any::<u8>(), 0..200), strings in proptest::collection::vec(".{0,20}", 0..5)) {
        let record = [b"v=STSv1;".to_vec(), rest.clone()].concat();
        let _ = StsRecord::find(&[record, rest]);
        let _ = StsRecord::find(&strings);
    }
}
