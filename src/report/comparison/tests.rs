//! Every pair makes sense, and some are kept as they read.

use super::build::Comparer;
use super::relation::{Side, relation};
use super::text::View;
use super::*;
use crate::knowledge::Knowledge;
use crate::reading::{self, Topic};
use crate::report::Look;
use crate::report::explanation::tests::check;

const LOOK: Look = Look { width: 80, colour: false, verbose: false };

fn compared(knowledge: &Knowledge, codes: &str) -> Comparison {
    let topics = reading::topics(codes).expect(codes);
    compare(knowledge, topics[0], topics[1])
}

#[test]
fn pairs_read_well() {
    let knowledge = Knowledge::english();
    for codes in [
        "250 552",
        "552 452",
        "4.2.2 5.2.2",
        "250 250",
        "220 354",
        "552 5.2.2",
        "421 450",
        "5.1.1 5.7.1",
        "450 4.7.1",
        "571 550",
        "599 552",
        "x.2.2 5.2.2",
        "999 250",
    ] {
        let name = format!("compare_{}", codes.replace(' ', "_"));
        let text = render(&compared(&knowledge, codes), &knowledge, LOOK);
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
    }
    let narrow = render(&compared(&knowledge, "250 552"), &knowledge, Look { width: 50, ..LOOK });
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!("compare_250_552_narrow", narrow) });
}

#[test]
fn the_relation_finds_its_sentence() {
    let knowledge = Knowledge::english();
    let sisters = [["452".to_owned(), "552".to_owned()]];
    for (codes, key, first) in [
        ("250 250", "same_with_places", "250"),
        ("334 334", "same", "334"),
        ("552 452", "sisters", "452"),
        ("452 552", "sisters", "452"),
        ("5.2.2 4.2.2", "sisters_alike", "4.2.2"),
        ("5.2.2 x.2.2", "form_no", "X.2.2"),
        ("552 250", "yes_no", "250"),
        ("354 250", "yes_go", "250"),
        ("552 354", "go_no", "354"),
        ("550 451", "later_no", "451"),
        ("550 554", "both_no", "550"),
        ("500 554", "both_no_matters", "500"),
        ("5.1.1 5.7.1", "both_no_matters", "5.1.1"),
        ("5.7.1 5.7.26", "both_no", "5.7.1"),
        ("599 552", "unlisted", "552"),
        ("599 598", "unlisted_both", "599"),
        ("999 552", "none", "552"),
        ("999 199", "none_both", "999"),
        ("5.2.2 552", "beside_named", "552"),
        ("250 2.1.5", "beside_named_yes", "250"),
        ("552 x.2.2", "beside_named_open", "552"),
        ("552 5.5.5", "beside", "552"),
        ("450 5.1.1", "beside_contradiction", "450"),
        ("354 5.1.1", "beside_never", "354"),
        ("250 x.1.1", "beside_foreign", "250"),
    ] {
        let topics = reading::topics(codes).unwrap();
        let (a, b) = (Side::new(&knowledge, topics[0]), Side::new(&knowledge, topics[1]));
        let (found, spoken_first, _) = relation(&a, &b, &sisters);
        assert_eq!((found.as_str(), spoken_first.topic.to_string().as_str()), (key, first), "{codes}");
    }
}

#[test]
fn a_comparison_survives_json() {
    let comparison = compared(&Knowledge::english(), "250 5.2.2");
    let json = serde_json::to_string(&comparison).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&json).unwrap(), comparison);
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!(json["schema"], SCHEMA);
    assert_eq!(json["differences"][0]["id"], "decision");
}

/// Whole sentences, whatever two codes are put side by side: every code that is listed, each enhanced code in both classes, and
/// some that are listed nowhere.
#[test]
fn every_pair_makes_sense() {
    let knowledge = Knowledge::english();
    let mut topics: Vec<Topic> = knowledge.codes().into_iter().map(Topic::Code).collect();
    for (subject, detail) in knowledge.enhanced_details() {
        topics.extend(reading::topics(&format!("4.{subject}.{detail} 5.{subject}.{detail}")).unwrap());
    }
    let rare = "299 399 499 599 598 999 000 2.0.0 2.1.5 2.6.0 x.1.1 x.2.2 x.1.9 x.9.9 5.7.999 5.7.998 4.9.9";
    topics.extend(reading::topics(rare).unwrap());
    let sides: Vec<Side> = topics.iter().map(|topic| Side::new(&knowledge, *topic)).collect();
    let (comparer, view) = (Comparer::new(&knowledge), View::new(&knowledge));
    for (index, a) in sides.iter().enumerate() {
        for (other, b) in sides.iter().enumerate() {
            let what = format!("{} {}", a.topic, b.topic);
            let comparison = comparer.compare(a, b);
            whole_sentences(&comparison, &what);
            // To draw them all takes minutes without optimization; a few for each code are enough.
            if (other + sides.len() - index) % 53 < 2 {
                for width in [80, 40] {
                    check(&view.render(&comparison, Look { width, ..LOOK }), width, &what);
                }
            }
        }
    }
}

fn whole_sentences(comparison: &Comparison, what: &str) {
    assert_eq!(comparison.differences.first().map(|difference| difference.id), Some(DifferenceId::Decision), "{what}");
    for DifferencePart { id, text } in &comparison.differences {
        let wrong = ["  ", " ,", " .", "..", "{", "}", ":;", ".;", ".,"].into_iter().find(|wrong| text.contains(wrong));
        assert!(wrong.is_none() && text.ends_with('.') && text.len() > 20, "{what} {id:?}: {text}");
    }
    assert_eq!(headline(comparison).lines().count(), 1, "{what}");
}
