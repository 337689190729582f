//! Whether a text holds what a pattern needs; most patterns that one word leads to are done with by that.
//!
//! What they need is worked out when the program is built (`literals`).

/// A text in small letters, and which pairs of octets stand in it: most words that are not there have a pair that is not.
pub(super) struct Text {
    pub(super) low: String,
    pairs: [u64; PAIRS / 64],
}

/// Bits for pairs.
const PAIRS: usize = 2048;

impl Text {
    pub(super) fn new(low: String) -> Self {
        let mut pairs = [0; PAIRS / 64];
        for pair in low.as_bytes().windows(2) {
            let bit = bit(pair);
            pairs[bit / 64] |= 1 << (bit % 64);
        }
        Self { low, pairs }
    }

    /// Whether it holds for one of the branches a word of each of its clauses. No needs are always met.
    pub(super) fn meets(&self, needs: &str) -> bool {
        let meets = |branch: &str| branch.split('\u{2}').all(|clause| clause.split('\u{3}').any(|word| self.holds(word.as_bytes())));
        needs.is_empty() || needs.split('\u{1}').any(meets)
    }

    fn holds(&self, word: &[u8]) -> bool {
        let has = |pair: &[u8]| (self.pairs[bit(pair) / 64] >> (bit(pair) % 64)) & 1 == 1;
        word.windows(2).all(has) && memchr::memmem::find(self.low.as_bytes(), word).is_some()
    }
}

/// The bit of a pair; five bits of each letter tell nearly all of them apart.
fn bit(pair: &[u8]) -> usize {
    let &[first, second] = pair else { return 0 };
    (usize::from(first) << 6 ^ usize::from(second)) % PAIRS
}

#[cfg(test)]
mod tests {
    use super::super::literals;
    use super::*;

    #[test]
    fn what_cannot_match_is_told_by_its_words() {
        for (pattern, text, met) in [
            ("over quota", "the box is over quota", true),
            ("over quota", "the box is over it", false),
            ("(?:certificate|tls) \\S+ (?:expired|revoked)", "tls is off", false),
            ("(?:certificate|tls) \\S+ (?:expired|revoked)", "the certificate has expired", true),
            ("mail ?box full|no space", "there is no space", true),
            ("mail ?box full|no space", "there is no room", false),
            ("größe \\S+", "die größe zählt", true),
            ("größe \\S+", "die grösse zählt", false),
            ("(?:quota)?", "nothing", true),
            ("a.b|\\d", "nothing", true),
            ("[éü]b", "nothing", true),
            ("", "nothing", true),
        ] {
            assert_eq!(Text::new(text.to_owned()).meets(&literals::of(pattern)), met, "{pattern} {text}");
        }
    }
}
