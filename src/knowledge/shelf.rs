//! A data file whose tables are parsed one by one, when they are asked for.
//!
//! A probe needs a dozen of several hundred entries, and has some milliseconds in all. So a file is only scanned for its
//! headings; an entry is parsed, and overlaid with another language's texts, when somebody wants it, and kept for whoever wants it
//! again: a log file asks for the same few a million times.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;

/// A file of top-level tables, by key.
#[derive(Debug)]
pub(super) struct Shelf {
    text: &'static str,
    places: BTreeMap<&'static str, Range<usize>>,
    overlay: BTreeMap<String, toml::Table>,
    /// What was parsed, by key; whoever asks knows the type.
    parsed: Mutex<HashMap<String, Arc<dyn Any + Send + Sync>>>,
}

impl Shelf {
    /// Finds the headings. All tables of a key (`[552]`, `[552.at.RCPT]`) must stand together.
    pub(super) fn new(text: &'static str) -> Self {
        let mut places: BTreeMap<&'static str, Range<usize>> = BTreeMap::new();
        let mut current: Option<(&'static str, usize)> = None;
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            if let Some(key) = heading(line)
                && current.is_none_or(|(open, _)| open != key)
                && let Some((open, start)) = current.replace((key, offset))
            {
                places.insert(open, start..offset);
            }
            offset += line.len();
        }
        if let Some((open, start)) = current {
            places.insert(open, start..offset);
        }
        Self { text, places, overlay: BTreeMap::new(), parsed: Mutex::default() }
    }

    /// The keys, sorted.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.places.keys().copied()
    }

    /// Whether there is such an entry.
    pub(super) fn has(&self, key: &str) -> bool {
        self.places.contains_key(key)
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
        let slice = &self.text[self.places.get(key)?.clone()];
        let parsed = match self.overlay.get(key) {
            None => toml::from_str::<BTreeMap<String, T>>(slice).map(|mut tables| tables.remove(key)),
            Some(texts) => toml::from_str::<BTreeMap<String, toml::Value>>(slice).and_then(|mut tables| {
                let mut entry = tables.remove(key);
                if let Some(toml::Value::Table(entry)) = &mut entry {
                    merge(entry, texts);
                }
                entry.map(T::deserialize).transpose()
            }),
        };
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

/// The first part of a table heading's key.
fn heading(line: &'static str) -> Option<&'static str> {
    let inner = line.strip_prefix('[')?;
    match inner.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => inner.split(['.', ']']).next().filter(|key| !key.is_empty() && !key.starts_with('[')),
    }
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

    #[test]
    fn tables_of_one_key_are_one_entry() {
        let shelf = Shelf::new(TEXT);
        assert_eq!(shelf.keys().collect::<Vec<_>>(), ["552", "X.2.2"]);
        let entry: toml::Table = shelf.entry("552").unwrap();
        assert_eq!(entry["at"]["RCPT"]["title"].as_str(), Some("b"));
        assert_eq!(shelf.entry::<toml::Table>("X.2.2").unwrap()["fix"][0]["text"].as_str(), Some("d"));
        assert!(shelf.entry::<toml::Table>("551").is_none());
    }

    #[test]
    fn another_language_is_laid_over_by_key() {
        let mut shelf = Shelf::new(TEXT);
        shelf.overlay(toml::from_str("[552.at.RCPT]\ntitle = \"voll\"\n").unwrap());
        let entry: toml::Table = shelf.entry("552").unwrap();
        assert_eq!((entry["title"].as_str(), entry["at"]["RCPT"]["title"].as_str()), (Some("a"), Some("voll")));
    }
}
