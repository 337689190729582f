//! Finding which of ten thousand words are in a text.
//!
//! An automaton would find them faster, and takes ten milliseconds to build: longer than everything else that one reply needs. Here
//! words lie in chains by how they begin, and each place of the text looks at three chains, if a filter lets it. The chains of the
//! built-in words are laid when the program is built, which runs this file, too.

use std::borrow::Cow;

/// How many octets of a word count for its chain: as many as it has, of these. So many words begin with `recipient` that fewer would
/// make long chains.
const KEYS: [usize; 3] = [12, 6, 3];
/// A word needs so many octets to be found.
pub(super) const SHORTEST: usize = KEYS[2];
/// Chains, as a power of two.
const BITS: u32 = 13;
/// Bits of the filter for each chain, as a power of two: so most places of a text are done with when they have been held against it.
const FINER: u32 = 5;
/// The end of a chain. So many words are found, and none beyond.
const END: u16 = u16::MAX;

/// Words by how they begin.
#[derive(Debug)]
pub(super) struct Index {
    /// A bit for each way in which words begin.
    pub(super) filter: Cow<'static, [u64]>,
    /// The first word of each chain.
    pub(super) heads: Cow<'static, [u16]>,
    /// The next word in the chain of each.
    pub(super) next: Cow<'static, [u16]>,
}

impl Index {
    /// Builds it; a word below [`SHORTEST`] is never found.
    pub(super) fn of<'a>(words: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let (mut heads, mut next) = (vec![END; 1 << BITS], vec![END; words.len()]);
        let mut filter = vec![0_u64; (1 << (BITS + FINER)) / 64];
        for (place, word) in words.enumerate() {
            let Some(key) = KEYS.into_iter().find_map(|length| word.as_bytes().get(..length)) else { continue };
            let Some(place) = u16::try_from(place).ok().filter(|place| *place < END) else { break };
            let slot = slot(key.iter().chain(&[0; KEYS[0]][key.len()..]).copied().fold((0, 0), shifted));
            filter[slot / 64] |= 1 << (slot % 64);
            next[usize::from(place)] = std::mem::replace(&mut heads[slot >> FINER], place);
        }
        Self { filter: filter.into(), heads: heads.into(), next: next.into() }
    }

    /// Calls `found` with the place in `words` of each word that is in `text`, and with where it begins there; once for each time.
    pub(super) fn find<'a>(&self, text: &str, words: impl Fn(usize) -> &'a [u8], mut found: impl FnMut(usize, usize)) {
        let bytes = text.as_bytes();
        let (filter, heads, next) = (&*self.filter, &*self.heads, &*self.next);
        // Behind the end are NULs: what a key with some of them leads to is compared with the text like all else.
        let (first, rest) = bytes.split_at(bytes.len().min(KEYS[0] - 1));
        let (end, missing) = [0; KEYS[0] - 1].split_at(first.len());
        let mut ahead = first.iter().chain(missing).copied().fold((0, 0), shifted);
        for (at, octet) in rest.iter().chain(end).copied().enumerate() {
            ahead = shifted(ahead, octet);
            let short = |length: usize| (ahead.0 & ((1 << (8 * length)) - 1), 0);
            for key in [ahead, short(KEYS[1]), short(KEYS[2])] {
                let slot = slot(key);
                if (filter[slot / 64] >> (slot % 64)) & 1 == 0 {
                    continue;
                }
                let mut place = heads[slot >> FINER];
                while place != END {
                    let here = usize::from(place);
                    if bytes[at..].starts_with(words(here)) {
                        found(here, at);
                    }
                    place = next[here];
                }
            }
        }
    }
}

/// The eight octets that a key begins with as a number, the first one lowest, and the four behind them.
type Key = (u64, u64);

/// The key that begins an octet later, and ends with `octet`.
fn shifted((first, rest): Key, octet: u8) -> Key {
    ((first >> 8) | (rest << 56), (rest >> 8) | (u64::from(octet) << 24))
}

/// The bit of the filter for a key; its higher digits are those of the chain.
fn slot((first, rest): Key) -> usize {
    let mixed = (first ^ rest.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (u64::BITS - BITS - FINER)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(words: &[&str], text: &str) -> Vec<usize> {
        let mut places = Vec::new();
        Index::of(words.iter().copied()).find(text, |place| words[place].as_bytes(), |place, _| places.push(place));
        places.sort_unstable();
        places
    }

    #[test]
    fn words_are_found_wherever_they_begin() {
        let words = ["quota", "over quota", "ove", "mailbox full", "quot", "größe", "x", "over quota of the mailbox"];
        assert_eq!(found(&words, "mailbox over quota"), [0, 1, 2, 4]);
        assert_eq!(found(&words, "mailbox ful"), [0; 0]);
        assert_eq!(found(&words, "over quota of the mailbox"), [0, 1, 2, 4, 7]);
        assert_eq!(found(&words, "die größe, quota quota"), [0, 0, 4, 4, 5]);
        assert_eq!(found(&words, ""), [0; 0]);
        assert_eq!(found(&[], "quota"), [0; 0]);
    }

    proptest! {
        #[test]
        fn it_finds_what_a_search_for_each_finds(words in proptest::collection::vec("[abé ]{3,16}", 0..30), text in "[abé ]{0,60}") {
            let expected: Vec<usize> = (0..words.len()).filter(|place| text.contains(words[*place].as_str())).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut places = found(&words, &text);
            places.dedup();
            prop_assert_eq!(places, expected);
        }
    }
}
