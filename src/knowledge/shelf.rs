//! A data file whose tables are parsed one by one, when they are asked for.
//!
//! A probe needs a dozen of several hundred entries, and has some milliseconds in all. So the build has noted where each stands; it is
//! parsed, and overlaid with another language's texts, when somebody wants it, and kept for whoever wants it again: a log file asks for
//! the same few a million times.

use std::any::Any;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;

/// The places of a file's entries, as the build has noted them.
#[derive(Debug)]
pub(super) struct Places {
    /// All keys, one behind the other.
    pub(super) keys: &'static str,
    /// Of each key where it begins in `keys`, and where its entry begins and ends in the file; in the order of the keys.
    pub(super) entries: &'static [(u32, u32, u32)],
}

impl Places {
    fn key(&self, place: usize) -> &'static str {
        let begin = |place: usize| self.entries.get(place).map(|(key, ..)| *key as usize);
        begin(place).and_then(|from| self.keys.get(from..begin(place + 1).unwrap_or(self.keys.len()))).unwrap_or_default()
    }

    fn find(&self, key: &str) -> Option<Range<usize>> {
        let (mut low, mut high) = (0, self.entries.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.key(middle).cmp(key) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return self.entries.get(middle).map(|(_, from, to)| *from as usize..*to as usize),
            }
        }
        None
    }
}

/// A file of top-level tables, by key.
#[derive(Debug)]
pub(super) struct Shelf {
    text: &'static str,
    places: &'static Places,
    overlay: BTreeMap<String, toml::Table>,
    /// What was parsed, by key; whoever asks knows the type.
    parsed: Mutex<HashMap<String, Arc<dyn Any + Send + Sync>>>,
}

impl Shelf {
    /// A file, and where its entries stand.
    pub(super) fn new(text: &'static str, places: &'static Places) -> Self {
        Self { text, places, overlay: BTreeMap::new(), parsed: Mutex::default() }
    }

    /// The keys, sorted.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        (0..self.places.entries.len()).map(|place| self.places.key(place))
    }

    /// Whether there is such an entry.
    pub(super) fn has(&self, key: &str) -> bool {
        self.places.find(key).is_some()
    }

    /// Lays another language's texts over the entries: same keys, same shape, texts only.
    pub(super) fn overlay(&mut self, texts: BTreeMap<String, toml::Table>) {
        self.overlay = texts;
        self.parsed = Mutex::default();
    }

    /// The entry `key`, parsed once; none if there is none.
    ///
    /// # Panics
    /// As [`Shelf::entry`].
    pub(super) fn shared<T: DeserializeOwned + Send + Sync + 'static>(&self, key: &str) -> Option<Arc<T>> {
        let known = self.parsed.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        if let Some(known) = known.and_then(|known| known.downcast::<T>().ok()) {
            return Some(known);
        }
        let entry: Arc<T> = Arc::new(self.entry(key)?);
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), Arc::clone(&entry) as Arc<dyn Any + Send + Sync>);
        Some(entry)
    }

    /// The entry `key`; none if there is none.
    ///
    /// # Panics
    /// If the entry is not of the type asked for: the files are part of the program, and a test parses every entry.
    pub(super) fn entry<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let slice = &self.text[self.places.find(key)?];
        // By way of a table also where nothing is laid over it: reading each type from text too would be as much code again.
        let parsed = slice.parse::<toml::Table>().and_then(|mut tables| {
            let mut entry = tables.remove(key);
            if let (Some(toml::Value::Table(entry)), Some(texts)) = (&mut entry, self.overlay.get(key)) {
                merge(entry, texts);
            }
            entry.map(T::deserialize).transpose()
        });
        match parsed {
            Ok(entry) => entry,
            Err(error) => panic!("the built-in entry {key} is wrong: {error}"),
        }
    }

    /// The entry `key`, which code asks for by name.
    ///
    /// # Panics
    /// If there is none: it is part of the program, like the code, and tests ask for every reason, finding and phrase.
    pub(super) fn required<T: DeserializeOwned>(&self, key: &str) -> T {
        self.entry(key).unwrap_or_else(|| missing(key))
    }

    /// The same, parsed once.
    ///
    /// # Panics
    /// As [`Shelf::required`].
    pub(super) fn expected<T: DeserializeOwned + Send + Sync + 'static>(&self, key: &str) -> Arc<T> {
        self.shared(key).unwrap_or_else(|| missing(key))
    }
}

fn missing(key: &str) -> ! {
    panic!("the built-in data have no entry {key}")
}

/// Replaces what both have, table by table; what only the overlay has is new text in an optional place.
fn merge(base: &mut toml::Table, texts: &toml::Table) {
    for (key, value) in texts {
        match (base.get_mut(key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(texts)) => merge(base, texts),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# head\n[552]\ntitle = \"a\"\n\n[552.at.RCPT]\ntitle = \"b\"\n\n[\"X.2.2\"]\ntitle = \"c\"\nfix = [\n  { text = \"d\" },\n]\n";

    const PLACES: Places = Places { keys: "552X.2.2", entries: &[(0, 7, 53), (3, 53, 103)] };

    #[test]
    fn tables_of_one_key_are_one_entry() {
        let found: Vec<_> = super::super::headings::places(TEXT).into_iter().collect();
        assert_eq!(found, [("552", 7..53), ("X.2.2", 53..TEXT.len())]);
        let shelf = Shelf::new(TEXT, &PLACES);
        assert_eq!(shelf.keys().collect::<Vec<_>>(), ["552", "X.2.2"]);
        let entry: toml::Table = shelf.entry("552").unwrap();
        assert_eq!(entry["at"]["RCPT"]["title"].as_str(), Some("b"));
        assert_eq!(shelf.entry::<toml::Table>("X.2.2").unwrap()["fix"][0]["text"].as_str(), Some("d"));
        assert!(shelf.entry::<toml::Table>("551").is_none());
    }

    #[test]
    fn another_language_is_laid_over_by_key() {
        let mut shelf = Shelf::new(TEXT, &PLACES);
        shelf.overlay(toml::from_str("[552.at.RCPT]\ntitle = \"voll\"\n").unwrap());
        let entry: toml::Table = shelf.entry("552").unwrap();
        assert_eq!((entry["title"].as_str(), entry["at"]["RCPT"]["title"].as_str()), (Some("a"), Some("voll")));
    }
}
