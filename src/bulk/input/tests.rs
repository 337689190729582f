//! Lists as people keep them: lines, tables and JSON objects, and what is wrong with some of them.

use std::fmt::Write as _;
use std::io::{self, BufReader, Read};

use proptest::prelude::*;

use super::*;

fn shown(input: &[u8], form: Form) -> String {
    let mut shown = String::new();
    // Three octets at a time: what is read must not hang on how it comes.
    for entry in List::new(BufReader::with_capacity(3, input), form) {
        match entry {
            Ok(Entry { line, mailbox: Ok(mailbox), .. }) => writeln!(shown, "{line} {mailbox}").unwrap(),
            Ok(Entry { line, raw, mailbox: Err(wrong) }) => {
                writeln!(shown, "{line} {:?}: {wrong}", raw.chars().take(20).collect::<String>()).unwrap();
            }
            Err(error) => writeln!(shown, "error: {error}").unwrap(),
        }
    }
    shown
}

fn table(input: &str, column: &str) -> String {
    shown(input.as_bytes(), Form::Table { column: column.to_owned() })
}

#[test]
fn an_address_is_read_however_it_is_written_down() {
    for (text, expected) in [
        ("ann@example.com", "ann@example.com"),
        ("  ann@example.com\t", "ann@example.com"),
        ("<ann@example.com>", "ann@example.com"),
        ("\"ann@example.com\"", "ann@example.com"),
        ("'ann@example.com'", "ann@example.com"),
        ("\"<ann@example.com>\",", "ann@example.com"),
        ("ann@example.com;", "ann@example.com"),
        ("Ann <ann@example.com>", "ann@example.com"),
        ("\"Young, Ann <the one>\" <ann@example.com>", "ann@example.com"),
        ("Ann < ann@example.com >", "ann@example.com"),
        ("mailto:ann@example.com", "ann@example.com"),
        ("MAILTO:ann%2Bx@example.com?subject=a@b", "ann+x@example.com"),
        ("<mailto:ann@example.com>", "ann@example.com"),
        ("mailto:50%@example.com", "50%@example.com"),
        ("\"an na\"@example.com", "\"an na\"@example.com"),
        ("\"a>b\"@example.com", "\"a>b\"@example.com"),
        ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ("o'hara@example.com", "o'hara@example.com"),
    ] {
        assert_eq!(address(text).map(|mailbox| mailbox.to_string()), Ok(expected.to_owned()), "{text}");
    }
    for (text, word) in [
        ("", "no address"),
        ("\"\"", "no address"),
        ("Ann <>", "no address"),
        ("Ann", "no @"),
        ("ann@a.example, bob@b.example", "double quotes"),
        ("mailto:ann%0d%0aRCPT@example.com", "control character"),
        ("ann@", "nothing after"),
        (&format!("{}@example.com", "a".repeat(2000)), "longer than any"),
    ] {
        let wrong = address(text).expect_err(text).to_string();
        assert!(wrong.contains(word), "{text:?}: {wrong}");
    }
}

#[test]
fn blank_lines_and_comments_keep_their_numbers() {
    let list = b"\xef\xbb\xbfann@example.com\r\n\r\n# staff\n  # more\nbob@example.com\r\nnobody\n\xff@example.com\n{\"email\": \"x@y\"}\nlast@example.com";
    assert_eq!(
        shown(list, Form::Lines),
        "1 ann@example.com\n5 bob@example.com\n\
         6 \"nobody\": \"nobody\" is not an address: there is no @ in it; it should look like user@example.com\n\
         7 \"\u{fffd}@example.com\": octet 1 of it is not UTF-8: save the list as UTF-8\n\
         8 \"{\\\"email\\\": \\\"x@y\\\"}\": it is a JSON object: name the field that holds the address with --column\n\
         9 last@example.com\n"
    );
    assert_eq!(shown(b"", Form::Lines), "");
    assert_eq!(shown(b"\n# nothing\n", Form::Lines), "");
    assert_eq!(shown(b"\xff\xfea\0@\0", Form::Lines), "error: the list is UTF-16: save it as UTF-8\n");
}

#[test]
fn a_line_that_is_too_long_costs_no_other() {
    let long = "x".repeat(LONGEST + 1);
    for end in ["", "\r\n", "xxx\n"] {
        let list = format!("ann@example.com\n{long}{end}");
        let lines = "1 ann@example.com\n2 \"xxxxxxxxxxxxxxxxxxxx\": the line is longer than 64 KB: no address is\n";
        assert_eq!(shown(list.as_bytes(), Form::Lines), lines);
    }
    let list = format!("{long}\n{}\nann@example.com\n", "y".repeat(LONGEST));
    assert_eq!(
        shown(list.as_bytes(), Form::Lines),
        "1 \"xxxxxxxxxxxxxxxxxxxx\": the line is longer than 64 KB: no address is\n\
         2 \"yyyyyyyyyyyyyyyyyyyy\": it is longer than any address can be\n3 ann@example.com\n"
    );
}

#[test]
fn what_is_shown_of_a_line_is_bounded() {
    let list = format!("{} <ann@example.com>\n", "x".repeat(20_000));
    let entry = List::new(list.as_bytes(), Form::Lines).next().unwrap().unwrap();
    assert!(entry.mailbox.is_ok());
    assert_eq!(entry.raw.len(), SHOWN + 3);
}

#[test]
fn a_column_of_a_table_is_read() {
    assert_eq!(
        table("name,Email\r\n\"Young, Ann\",ann@example.com\n\nBob\n\"two\nlines\",Bob <bob@example.com>\n,\n", "email"),
        "2 ann@example.com\n4 \"\": the record ends before column \"email\"\n5 bob@example.com\n7 \"\": there is no address in it\n"
    );
    assert_eq!(table("a;email;b,c\n1;ann@example.com;2\n", "email"), "2 ann@example.com\n");
    assert_eq!(table("a\temail\n1\tann@example.com\n", "email"), "2 ann@example.com\n");
    assert_eq!(table("email,EMAIL\na@x.example,b@x.example\n", "EMAIL"), "2 b@x.example\n");
    assert_eq!(table("email\n\"ann@example.com\"", "email"), "2 ann@example.com\n");
    assert_eq!(
        table("name,mail\nAnn,ann@example.com\n", "email"),
        "error: there is no column \"email\" in the head of the list; its columns are name, mail\n"
    );
    assert_eq!(table("\n\n", "email"), "");
}

#[test]
fn a_quote_that_is_never_closed_costs_one_record() {
    let mut list = "name,email\n\"Ann,ann@example.com\n".to_owned();
    let many = LONGEST / 10;
    for number in 0..many {
        writeln!(list, "Bob,bob{number}@example.com").unwrap();
    }
    let read = table(&list, "email");
    assert!(
        read.starts_with("2 \"\\\"Ann,ann@example.com\": the record does not end within 64 KB: a quote is not closed\n3 bob0@"),
        "{read:.200}"
    );
    assert_eq!(read.lines().count(), 1 + many);
    assert_eq!(table("name,email\n\"Ann,ann@example.com\nBob,bob@example.com\n", "email").lines().last(), Some("3 bob@example.com"));
    let long = format!("name,email\n\"Ann\n{}\nBob,bob@example.com\n", "x".repeat(LONGEST + 1));
    let read = table(&long, "email");
    let lines: Vec<&str> = read.lines().collect();
    assert!(lines[0].starts_with("2 ") && lines[0].contains("not closed"), "{read}");
    assert!(lines[1].starts_with("3 ") && lines[1].contains("longer than 64 KB"), "{read}");
    assert_eq!(lines[2..], ["4 bob@example.com"]);
}

#[test]
fn a_field_of_json_objects_is_read() {
    let list =
        "\n{\"id\": 1, \"email\": \"ann@example.com\"}\n{\"email\": 5}\n{\"email\": \"bob@\n[1]\n{\"email\": \"Bob <bob@example.com>\"}";
    let read = table(list, "email");
    let lines: Vec<&str> = read.lines().collect();
    assert_eq!(lines[..2], ["2 ann@example.com", "3 \"{\\\"email\\\": 5}\": the JSON object has no text in \"email\""]);
    assert!(lines[2].starts_with("4 ") && lines[2].contains("not a JSON object"), "{read}");
    assert!(lines[3].starts_with("5 ") && lines[3].contains("not a JSON object"), "{read}");
    assert_eq!(lines[4..], ["6 bob@example.com"]);
}

/// An input that gives some lines and then an error.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::Error::other("the disk is gone")) } else { self.0.read(into) }
    }
}

#[test]
fn an_input_that_fails_ends_the_list() {
    let mut list = List::new(BufReader::new(Failing(b"ann@example.com\nbob@exam")), Form::Lines);
    assert!(matches!(list.next(), Some(Ok(Entry { line: 1, .. }))));
    assert_eq!(list.next().unwrap().unwrap_err().to_string(), "the list cannot be read after line 1: the disk is gone");
    assert!(list.next().is_none());
}

proptest! {
    #[test]
    fn every_line_is_answered_once_and_none_panics(list in proptest::collection::vec(any::<u8>(), 0..400), column in "[a-c]") {
        for form in [Form::Lines, Form::Table { column }] {
            let mut before = 0;
            for entry in List::new(list.as_slice(), form).flatten() {
                prop_assert!(entry.line > before);
                before = entry.line;
            }
            prop_assert!(before <= list.split(|octet| *octet == b'\n').count() as u64);
        }
    }

    #[test]
    fn tables_of_any_cells_give_their_column(cells in proptest::collection::vec("[a-z ,;\"\n]{0,12}", 1..20)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["note", "email"]).unwrap();
        for (number, cell) in cells.iter().enumerate() {
            writer.write_record([cell.as_str(), &format!("u{number}@example.com")]).unwrap();
        }
        let table = writer.into_inner().unwrap();
        let read: Vec<String> = List::new(table.as_slice(), Form::Table { column: "email".to_owned() })
            .map(|entry| entry.unwrap().mailbox.unwrap().to_string())
            .collect();
        let expected: Vec<String> = (0..cells.len()).map(|number| format!("u{number}@example.com")).collect();
        prop_assert_eq!(read, expected);
    }
}
