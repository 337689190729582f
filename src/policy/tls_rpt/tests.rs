//! Records that ask for reports, and what is wrong with others.

use proptest::prelude::*;

use super::*;

fn find(record: &str) -> Result<TlsRpt, TlsRptError> {
    TlsRpt::find(&[record])
}

fn addresses_of(record: &str) -> Vec<String> {
    find(record).expect(record).addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    assert_eq!(addresses_of("v=TLSRPTv1;rua=mailto:reports@example.com"), ["mailto:reports@example.com"]);
    let read = find("v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt").unwrap();
    let expected = ReportAddress::Https {
        host: "reporting.example.com".parse().map(Host::Name).unwrap(),
        port: None,
        url: "https://reporting.example.com/v1/tlsrpt".to_owned(),
    };
    assert_eq!(read.addresses, [expected]);
}

#[test]
fn what_the_grammar_allows_is_read() {
    for (record, expected) in [
        (
            "v=TLSRPTv1;rua=mailto:a@example.com,https://r.example:8443/x?y=z;",
            &["mailto:a@example.com", "https://r.example:8443/x?y=z"][..],
        ),
        ("v=TLSRPTv1 ; rua=mailto:a@example.com \t, mailto:b@example.com ;", &["mailto:a@example.com", "mailto:b@example.com"]),
        ("v=TLSRPTv1; x=y; rua=MAILTO:a%21b@example.com?subject=x", &["mailto:a!b@example.com"]),
        ("v=TLSRPTv1; rua=https://[2001:db8::1]/", &["https://[2001:db8::1]/"]),
    ] {
        assert_eq!(addresses_of(record), expected, "{record}");
    }
    assert_eq!(find("v=TLSRPTv1; x=y; rua=mailto:a@b.example").unwrap().extensions, [("x".to_owned(), "y".to_owned())]);
    assert_eq!(find("v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@b.example").unwrap().repeated, ["mailto:c@b.example"]);
}

#[test]
fn a_wrong_address_is_pointed_at_and_the_others_count() {
    use AddressFaultKind::*;
    const BEFORE: &str = "v=TLSRPTv1; rua=mailto:a@b.example, ";
    for (text, kind) in [
        ("", Empty),
        ("tls@example.com", NoMailto),
        ("example.com", NoScheme),
        ("http://r.example/", Http),
        ("ftp://r.example/", Scheme),
        ("mailto:", Mailbox),
        ("mailto:example.com", Mailbox),
        ("mailto://a@example.com", Mailbox),
        ("mailto:a%0d%0aDATA@example.com", Mailbox),
        ("mailto:a@example.com!10m", Character('!')),
        ("mailto:a b@example.com", Character(' ')),
        ("mailto:<a@example.com>", Character('<')),
        ("mailto:a%2@example.com", Percent),
        ("mailto:a%ff@example.com", Percent),
        ("mailto:a@example.com%", Percent),
        ("https:r.example", Host),
        ("https://", Host),
        ("https:///x", Host),
        ("https://u:p@r.example/", Host),
        ("https://r.example:0/", Host),
        ("https://r.example:99999/", Host),
    ] {
        let read = find(&format!("{BEFORE}{text}")).expect(text);
        assert_eq!(read.addresses.len(), 1, "{text}");
        let [fault] = &read.faults[..] else { panic!("{text}: {:?}", read.faults) };
        assert_eq!((fault.kind, fault.text.as_str()), (kind, text));
        // A blank at the very end belongs to the end of the field.
        assert!(fault.at == BEFORE.len() || text.is_empty(), "{text}: {}", fault.at);
        assert!(matches!(find(&format!("v=TLSRPTv1; rua={text}")), Err(TlsRptError::NoAddress(faults)) if faults[0].at == 16), "{text}");
    }
}

#[test]
fn not_one_record_with_addresses_is_none() {
    for (records, expected) in [
        (&[][..], TxtError::Absent),
        (&["v=STSv1; id=1"], TxtError::Absent),
        (&["v=TLSRPTv1; rua=mailto:a@b.example", "v=TLSRPTv1; rua=mailto:a@b.example"], TxtError::Several(2)),
        (&["v=TLSRPTv1;"], TxtError::Missing("rua")),
        (&["v=TLSRPTv1; RUA=mailto:a@b.example"], TxtError::Missing("rua")),
        (&["v=TLSRPTv1; rua=mailto:a@b.example; x"], TxtError::Field { at: 36, text: "x".to_owned(), fault: FieldFault::NoEquals }),
        (
            &["v=tlsrptv1; rua=mailto:a@b.example"],
            TxtError::Misspelt { version: "v=TLSRPTv1", text: "v=tlsrptv1; rua=mailto:a@b.example".to_owned() },
        ),
        (
            &["v=TLSRPTv1 rua=mailto:a@b.example"],
            TxtError::Misspelt { version: "v=TLSRPTv1", text: "v=TLSRPTv1 rua=mailto:a@b.example".to_owned() },
        ),
    ] {
        assert_eq!(TlsRpt::find(records), Err(expected.into()), "{records:?}");
    }
}

#[test]
fn a_long_list_is_bounded() {
    let list = "mailto:a@b.example,".repeat(150);
    assert_eq!(find(&format!("v=TLSRPTv1; rua={list}")).unwrap().addresses.len(), 100);
    assert!(matches!(find(&format!("v=TLSRPTv1; rua={}", "x,".repeat(1500))), Err(TlsRptError::NoAddress(faults)) if faults.len() == 100));
    assert!(matches!(find(&format!("v=TLSRPTv1; rua={}", "x,".repeat(5000))), Err(TlsRptError::Record(TxtError::TooLong(_)))));
}

proptest! {
    #[test]
    fn nothing_panics(rest in proptest::collection::vec(any::<u8>(), 0..300), text in "(mailto:|https://|,|%|[a-z@.:/?!\\[\\]]|\u{fc}){0,30}") {
        let _ = TlsRpt::find(&[[b"v=TLSRPTv1;".to_vec(), rest.clone()].concat(), rest]);
        if let Ok(read) = find(&format!("v=TLSRPTv1; rua={text}")) {
            prop_assert!(!read.addresses.is_empty());
        }
    }
}
