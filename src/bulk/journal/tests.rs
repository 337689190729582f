//! Journals that go on, are torn, full, shared, or of another list.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, Read as _};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::bulk::Settled;
use crate::knowledge::{Actor, Confidence, Reason};

/// A file name of its own, removed in the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("smtpprobe-journal-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn answer(line: u64) -> Answer {
    Answer {
        line,
        input: format!("user{line}@example.com"),
        address: Some(format!("user{line}@example.com")),
        outcome: Settled::Rejected,
        reason: Reason::UserUnknown,
        actor: Actor::Recipient,
        confidence: Confidence::Certain,
        code: Some(550),
        enhanced: Some("5.1.1".to_owned()),
        text: Some("no \"such\" user\nhere, \u{fc}ber".to_owned()),
        host: Some("mx.example.com".to_owned()),
        destination: None,
        catch_all: None,
        attempts: 1,
        at: "2026-01-02T03:04:05Z".to_owned(),
        error: None,
    }
}

fn identity(list: &str) -> Identity {
    let options = BTreeMap::from([("--column".to_owned(), "email".to_owned()), ("--from".to_owned(), String::new())]);
    Identity::of_stream("list.csv".to_owned(), list.as_bytes(), options).unwrap().0
}

fn opened(path: &Path, identity: &Identity) -> Result<(Journal, Repairs, Vec<u64>), JournalError> {
    let mut before = Vec::new();
    let (journal, repairs) = Journal::open(path, identity, Pace::default(), &mut |answer| before.push(answer.line))?;
    Ok((journal, repairs, before))
}

fn written(path: &Path, lines: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let (mut journal, _, mut all) = opened(path, &identity("a")).unwrap();
    let now = Instant::now();
    for line in lines {
        all.extend(journal.append(answer(line), now).unwrap().iter().map(|answer| answer.line));
    }
    all.extend(journal.commit().unwrap().iter().map(|answer| answer.line));
    all
}

#[test]
fn an_answer_is_given_back_once_it_is_safe() {
    let file = Place::new("group");
    let pace = Pace { every: Duration::from_millis(200), answers: 3 };
    let (mut journal, repairs) = Journal::open(&file.0, &identity("a"), pace, &mut |_| panic!("nothing was there")).unwrap();
    assert!(repairs.is_empty());
    let start = Instant::now();
    let lines = |answers: Vec<Answer>| answers.iter().map(|answer| answer.line).collect::<Vec<_>>();
    assert_eq!(journal.due(), None);
    assert_eq!(lines(journal.append(answer(5), start).unwrap()), [] as [u64; 0]);
    assert_eq!(journal.due(), Some(start + pace.every));
    assert_eq!((journal.safe(), journal.is_answered(5), journal.is_answered(4)), (0, true, false));
    let answered = journal.answered();
    assert_eq!((answered.len(), answered.contains(5), answered.contains(4)), (1, true, false));
    assert_eq!(fs::read_to_string(&file.0).unwrap().lines().count(), 1, "only the head is there");
    // The time is over.
    assert_eq!(lines(journal.append(answer(2), start + pace.every).unwrap()), [5, 2]);
    assert_eq!(fs::read_to_string(&file.0).unwrap().lines().count(), 3);
    assert_eq!(journal.due(), None);
    // The group is full.
    for line in [9, 7] {
        assert_eq!(lines(journal.append(answer(line), start).unwrap()), [] as [u64; 0]);
    }
    assert_eq!(lines(journal.append(answer(8), start).unwrap()), [9, 7, 8]);
    // Whoever waits no longer says so.
    assert!(journal.append(answer(1), start).unwrap().is_empty());
    assert_eq!(lines(journal.commit().unwrap()), [1]);
    assert_eq!(lines(journal.commit().unwrap()), [] as [u64; 0]);
    assert_eq!(journal.safe(), 6);
    // What is larger than a group does not wait.
    let large = Answer { text: Some("x".repeat(GROUP)), ..answer(3) };
    assert_eq!(lines(journal.append(large, start).unwrap()), [3]);
}

#[test]
fn a_line_is_answered_once() {
    let file = Place::new("once");
    assert_eq!(written(&file.0, [3, 1]), [3, 1]);
    let (mut journal, _, before) = opened(&file.0, &identity("a")).unwrap();
    assert_eq!(before, [3, 1]);
    let now = Instant::now();
    assert!(matches!(journal.append(answer(1), now), Err(JournalError::Answered(1))));
    journal.append(answer(2), now).unwrap();
    assert!(matches!(journal.append(answer(2), now), Err(JournalError::Answered(2))));
    assert_eq!(journal.commit().unwrap().len(), 1);
    drop(journal);
    // Somebody else wrote a second answer.
    let mut text = fs::read_to_string(&file.0).unwrap();
    text += &serde_json::to_string(&answer(3)).unwrap();
    fs::write(&file.0, text + "\n").unwrap();
    let (_, repairs, before) = opened(&file.0, &identity("a")).unwrap();
    assert_eq!(before, [3, 1, 2]);
    assert_eq!(repairs.to_string(), "repaired: 1 answer to a line that had one already");
}

#[test]
fn a_journal_has_one_writer() {
    let file = Place::new("lock");
    let (journal, ..) = opened(&file.0, &identity("a")).unwrap();
    let error = opened(&file.0, &identity("a")).unwrap_err();
    assert!(matches!(error, JournalError::Busy(_)));
    assert!(error.to_string().starts_with("another run is writing the journal "), "{error}");
    drop(journal);
    assert!(opened(&file.0, &identity("a")).is_ok());
}

#[test]
fn another_list_or_another_question_is_refused_and_the_file_left_alone() {
    let file = Place::new("other");
    written(&file.0, [1]);
    let before = fs::read(&file.0).unwrap();
    let refused = |identity: &Identity| opened(&file.0, identity).unwrap_err().to_string();
    let message = refused(&identity("b"));
    assert!(
        message.contains("is the journal of another list (list.csv, a stream, SHA-256 ca978112ca1b), and this is list.csv"),
        "{message}"
    );
    assert!(refused(&Identity { octets: Some(1), ..identity("a") }).contains("another list"));
    let options = BTreeMap::from([("--column".to_owned(), "mail".to_owned()), ("--from".to_owned(), "a@b.example".to_owned())]);
    let message = refused(&Identity { options, ..identity("a") });
    assert!(message.contains("was begun with --column email, no --from, and now it is --column mail, --from a@b.example"), "{message}");
    assert!(refused(&Identity { options: BTreeMap::new(), ..identity("a") }).contains("now it is no --column:"));
    // A list may be moved.
    assert!(opened(&file.0, &Identity { list: "elsewhere.csv".to_owned(), ..identity("a") }).is_ok());
    // An option that is not given is one that nobody knew of.
    let mut options = identity("a").options;
    options.remove("--from");
    assert!(opened(&file.0, &Identity { options, ..identity("a") }).is_ok());
    assert_eq!(fs::read(&file.0).unwrap(), before);
    for other in ["ann@example.com\n", "ann@example.com", "{}\n", "{\"schema\":\"smtpprobe.journal/2\"}\n", "\n"] {
        fs::write(&file.0, other).unwrap();
        assert!(matches!(opened(&file.0, &identity("a")), Err(JournalError::NotAJournal(_))), "{other:?}");
        assert_eq!(fs::read_to_string(&file.0).unwrap(), other);
    }
    assert!(matches!(opened(&std::env::temp_dir(), &identity("a")), Err(JournalError::NotAFile(_))));
    assert!(matches!(opened(Path::new("/nowhere/at/all"), &identity("a")), Err(JournalError::Open { .. })));
}

#[test]
fn what_a_power_cut_leaves_is_put_right() {
    let file = Place::new("power");
    written(&file.0, 1..=3);
    let whole = fs::read(&file.0).unwrap();
    let two = whole.len() - serde_json::to_vec(&answer(3)).unwrap().len() - 1;
    // The length of a page and none of its octets; a page lost in the middle, up to the end of a line; neither; a long tail.
    let holed: Vec<u8> = whole.iter().enumerate().map(|(at, octet)| if (two - 20..two + 30).contains(&at) { 0 } else { *octet }).collect();
    let zeros = |count: usize| [whole.as_slice(), &vec![0; count]].concat();
    for (left, lines, message) in [
        (zeros(37), vec![1, 2, 3], "repaired: 37 octets of a torn line"),
        (holed, vec![1], "repaired: 1 line that held no answer"),
        (
            [whole.as_slice(), b"garbage\n\n{\"line\":"].concat(),
            vec![1, 2, 3],
            "repaired: 8 octets of a torn line, 1 line that held no answer",
        ),
        (zeros(5_000_000), vec![1, 2, 3], "repaired: 5000000 octets of a torn line"),
        ([zeros(5_000_000).as_slice(), b"\n"].concat(), vec![1, 2, 3], "repaired: 1 line that held no answer"),
    ] {
        fs::write(&file.0, &left).unwrap();
        let (mut journal, repairs, before) = opened(&file.0, &identity("a")).unwrap();
        assert_eq!((before, repairs.to_string().as_str()), (lines.clone(), message));
        journal.append(answer(4), Instant::now()).unwrap();
        journal.commit().unwrap();
        drop(journal);
        let (_, repairs, before) = opened(&file.0, &identity("a")).unwrap();
        assert_eq!(before, [lines, vec![4]].concat());
        assert!(repairs.is_empty(), "{repairs}");
    }
    let damaged = [whole, b"x\n".repeat(10_001)].concat();
    fs::write(&file.0, &damaged).unwrap();
    assert!(matches!(opened(&file.0, &identity("a")), Err(JournalError::Damaged { .. })));
    assert_eq!(fs::read(&file.0).unwrap(), damaged);
}

/// A disk that has room for so many octets, and is told to fail at its syncs.
struct Disk {
    octets: Arc<Mutex<Vec<u8>>>,
    room: usize,
    syncs: bool,
    cuts: bool,
}

impl Write for Disk {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let mut octets = self.octets.lock().unwrap();
        let count = from.len().min(self.room - octets.len());
        octets.extend_from_slice(&from[..count]);
        if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Store for Disk {
    fn sync(&mut self) -> io::Result<()> {
        if self.syncs { Ok(()) } else { Err(io::Error::other("I/O error")) }
    }

    fn cut(&mut self, to: u64) -> io::Result<()> {
        if !self.cuts {
            return Err(io::Error::other("I/O error"));
        }
        self.octets.lock().unwrap().truncate(usize::try_from(to).unwrap());
        Ok(())
    }
}

#[test]
fn a_disk_that_is_full_or_fails_stops_the_journal_and_keeps_what_was_safe() {
    let file = Place::new("disk");
    for (room, syncs, cuts, word) in [
        (400, true, true, "no storage space"),
        (400, true, false, "no storage space"),
        (9000, false, true, "I/O error"),
        (9000, false, false, "I/O error"),
    ] {
        let _ = fs::remove_file(&file.0);
        written(&file.0, [1, 2]);
        let start = fs::read(&file.0).unwrap();
        let octets = Arc::new(Mutex::new(start.clone()));
        let (mut journal, ..) = opened(&file.0, &identity("a")).unwrap();
        journal.store = Box::new(Disk { octets: octets.clone(), room: start.len() + room, syncs, cuts });
        journal.append(answer(3), Instant::now()).unwrap();
        journal.append(answer(4), Instant::now()).unwrap();
        let error = journal.commit().unwrap_err();
        assert!(matches!(error, JournalError::Write { safe: 2, .. }), "{error}");
        assert!(error.to_string().contains(word) && error.to_string().contains("The 2 answers before that are safe"), "{error}");
        // It is not tried again, and not believed again.
        assert!(matches!(journal.commit(), Err(JournalError::Write { safe: 2, .. })));
        assert!(matches!(journal.append(answer(5), Instant::now()), Err(JournalError::Write { safe: 2, .. })));
        drop(journal);
        let left = octets.lock().unwrap().clone();
        assert_eq!(left == start, cuts);
        fs::write(&file.0, left).unwrap();
        let all =
            written(&file.0, (3..6).filter(|line| !opened(&file.0, &identity("a")).unwrap().0.is_answered(*line)).collect::<Vec<_>>());
        assert_eq!(all, [1, 2, 3, 4, 5]);
    }
}

#[test]
fn a_scribe_writes_what_it_is_handed_in_time() {
    let file = Place::new("scribe");
    let pace = Pace { every: Duration::from_millis(20), answers: 1000 };
    let (journal, _) = Journal::open(&file.0, &identity("a"), pace, &mut |_| ()).unwrap();
    let (report, reported) = std::sync::mpsc::channel();
    let scribe =
        Scribe::start(journal, move |answers| report.send(answers.iter().map(|answer| answer.line).collect::<Vec<_>>()).unwrap()).unwrap();
    scribe.hand(answer(1)).unwrap();
    // Nothing else comes, and it is written all the same.
    assert_eq!(reported.recv_timeout(Duration::from_secs(20)).unwrap(), [1]);
    for line in 2..=2500 {
        scribe.hand(answer(line)).unwrap();
    }
    assert_eq!(scribe.close().unwrap(), 2500);
    assert_eq!(reported.iter().flatten().collect::<Vec<_>>(), (2..=2500).collect::<Vec<_>>());
    assert_eq!(opened(&file.0, &identity("a")).unwrap().2.len(), 2500);
}

#[test]
fn a_scribe_whose_journal_fails_says_so() {
    let file = Place::new("scribe-fails");
    let pace = Pace { every: Duration::from_millis(1), answers: 1 };
    let (mut journal, _) = Journal::open(&file.0, &identity("a"), pace, &mut |_| ()).unwrap();
    journal.store = Box::new(Disk { octets: Arc::default(), room: 0, syncs: true, cuts: true });
    let scribe = Scribe::start(journal, |_| panic!("nothing is safe")).unwrap();
    let refused = (1..1_000_000).find(|line| scribe.hand(answer(*line)).is_err());
    assert!(refused.is_some());
    assert!(matches!(scribe.close(), Err(JournalError::Write { safe: 0, .. })));
    // A line that is answered twice costs none of the answers before it.
    let file = Place::new("scribe-twice");
    let (journal, ..) = opened(&file.0, &identity("a")).unwrap();
    let scribe = Scribe::start(journal, |_| ()).unwrap();
    for line in [1, 2, 1] {
        scribe.hand(answer(line)).unwrap();
    }
    assert!(matches!(scribe.close(), Err(JournalError::Answered(1))));
    assert_eq!(opened(&file.0, &identity("a")).unwrap().2, [1, 2]);
}

#[test]
fn a_list_is_known_by_its_beginning() {
    let file = Place::new("list");
    let known = |octets: &[u8]| {
        fs::write(&file.0, octets).unwrap();
        let (identity, mut input) = Identity::open(&file.0, BTreeMap::new()).unwrap();
        let mut read = Vec::new();
        input.read_to_end(&mut read).unwrap();
        assert!(read == octets, "it is read from its first octet");
        identity
    };
    let long = vec![b'x'; 1_100_000];
    let end = [&long[1..], b"y"].concat();
    let beginning = [b"y", &long[1..]].concat();
    assert_eq!(known(b"").octets, Some(0));
    assert_eq!(known(&long).octets, Some(1_100_000));
    assert!(known(&long).is_same_list(&known(&end)), "as is said");
    assert!(!known(&long).is_same_list(&known(&beginning)));
    assert!(!known(&long).is_same_list(&known(&[long.as_slice(), b"x"].concat())));
    // Of a stream the first line is enough, so that nobody waits for more.
    let (first, input) = Identity::of_stream("-".to_owned(), "ann@a.example\nbob@".as_bytes(), BTreeMap::new()).unwrap();
    assert_eq!(input.lines().map(Result::unwrap).collect::<Vec<_>>(), ["ann@a.example", "bob@"]);
    let (second, _) = Identity::of_stream("-".to_owned(), "ann@a.example\nzoe@".as_bytes(), BTreeMap::new()).unwrap();
    assert_eq!(first, second);
    assert_eq!(first.sha256.len(), 64);
}

#[test]
fn a_million_lines_take_little_memory() {
    let mut answered = RoaringTreemap::new();
    // In steps that leave no ranges while it fills.
    for line in 0..1_000_000_u64 {
        answered.insert(1 + line * 617_413 % 1_000_000);
    }
    assert_eq!(answered.len(), 1_000_000);
    assert!(answered.serialized_size() < 200_000, "{}", answered.serialized_size());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn any_truncation_leaves_a_prefix_and_can_go_on(order in Just((1..=12_u64).collect::<Vec<_>>()).prop_shuffle(), part in 0.0..=1.0_f64) {
        let file = Place::new("property");
        written(&file.0, order.iter().copied());
        let whole = fs::read(&file.0).unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a small file")]
        let cut = (whole.len() as f64 * part) as usize;
        fs::write(&file.0, &whole[..cut]).unwrap();
        let (mut journal, repairs, before) = opened(&file.0, &identity("a")).unwrap();
        prop_assert_eq!(&before[..], &order[..before.len()]);
        // Exactly the lines that are whole, and exactly the octets behind them.
        let ends = memchr::memchr_iter(b'\n', &whole[..cut]).count();
        prop_assert_eq!(before.len(), ends.saturating_sub(1));
        let torn = whole[..cut].iter().rev().take_while(|octet| **octet != b'\n').count();
        prop_assert_eq!(repairs, Repairs { torn: torn as u64, ..Repairs::default() });
        for line in 1..=12 {
            prop_assert_eq!(journal.is_answered(line), before.contains(&line));
            if !journal.is_answered(line) {
                journal.append(answer(line), Instant::now()).unwrap();
            }
        }
        journal.commit().unwrap();
        drop(journal);
        let (_, repairs, mut all) = opened(&file.0, &identity("a")).unwrap();
        all.sort_unstable();
        prop_assert_eq!(all, (1..=12).collect::<Vec<_>>());
        prop_assert!(repairs.is_empty());
    }
}
