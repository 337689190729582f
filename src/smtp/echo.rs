//! Servers that repeat a secret: in plain, or in base64, wherever it begins in it. It is taken out before anything is recorded.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::Secret;

/// What stands in the place of what was taken out.
const HIDDEN: &[u8] = b"***";
/// A secret that is shorter than this may stand in any word. What is left of a line it is taken out of would tell it.
const TELLING: usize = 4;
/// Base64 as it is found: with or without padding, with bits left over.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// What may not come back.
#[derive(Clone, Debug, Default)]
pub(super) struct Echo {
    secrets: Vec<Secret>,
}

impl Echo {
    /// From now on this must not be seen either.
    pub(super) fn watch(&mut self, secret: &Secret) {
        if !secret.is_empty() && !self.secrets.contains(secret) {
            self.secrets.push(secret.clone());
        }
    }

    /// What a server sent, without any secret; none if there is none in it.
    pub(super) fn hide(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.secrets.is_empty() {
            return None;
        }
        let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| self.hide_in(line)).collect();
        lines.iter().any(|(_, found)| *found).then(|| lines.into_iter().flat_map(|(line, _)| line).collect())
    }

    /// Whether the first secret of all, the password, is in `bytes`. What is very short stands in many a word by chance.
    pub(super) fn tells_the_password(&self, bytes: &[u8]) -> bool {
        let password = self.secrets.iter().take(1).filter(|secret| secret.expose().len() >= TELLING);
        Self { secrets: password.cloned().collect() }.hide(bytes).is_some()
    }

    /// One line, of which code, separator and line end stay as they are.
    fn hide_in(&self, line: &[u8]) -> (Vec<u8>, bool) {
        let start = match line {
            [a, b, c, b' ' | b'-' | b'\t', ..] if [a, b, c].into_iter().all(u8::is_ascii_digit) => 4,
            [a, b, c, ..] if [a, b, c].into_iter().all(u8::is_ascii_digit) => 3,
            _ => 0,
        };
        let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(start, |last| (last + 1).max(start));
        let text = &line[start.min(line.len())..end.min(line.len())];
        let mut marked = vec![false; text.len()];
        for secret in &self.secrets {
            mark_plain(text, secret, &mut marked);
        }
        for (from, to) in runs(text) {
            if self.secrets.iter().any(|secret| is_encoded(&text[from..to], secret)) {
                marked[from..to].fill(true);
            }
        }
        if !marked.contains(&true) {
            return (line.to_vec(), false);
        }
        let mut kept = line[..start.min(line.len())].to_vec();
        for (at, byte) in text.iter().enumerate() {
            match (marked[at], at > 0 && marked[at - 1]) {
                (true, true) => {}
                (true, false) => kept.extend_from_slice(HIDDEN),
                (false, _) => kept.push(*byte),
            }
        }
        kept.extend_from_slice(&line[end.min(line.len())..]);
        (kept, true)
    }
}

/// Marks each place where the secret stands as it is, in any case.
fn mark_plain(text: &[u8], secret: &Secret, marked: &mut [bool]) {
    let secret = secret.expose();
    for at in 0..(text.len() + 1).saturating_sub(secret.len()) {
        if text[at..at + secret.len()].eq_ignore_ascii_case(secret) {
            if secret.len() < TELLING {
                return marked.fill(true);
            }
            marked[at..at + secret.len()].fill(true);
        }
    }
}

/// Where letters of base64, in either alphabet, stand without a break.
fn runs(text: &[u8]) -> Vec<(usize, usize)> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    let mut runs = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|byte| is_letter(byte)).count();
        if length > 1 {
            runs.push((at, at + length));
        }
        at += length.max(1);
    }
    runs
}

/// Whether a part of `run`, taken for base64 from whichever of its letters, holds the secret.
fn is_encoded(run: &[u8], secret: &Secret) -> bool {
    // Words around it may bring a `=` of their own.
    run.split(|byte| *byte == b'=').any(|part| {
        let plain = |byte: &u8| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        };
        let letters = Zeroizing::new(part.iter().map(plain).collect::<Vec<u8>>());
        (0..letters.len().min(4)).any(|skipped| {
            let from = &letters[skipped..];
            // A single letter left over holds nothing.
            let whole = if from.len() % 4 == 1 { &from[..from.len() - 1] } else { from };
            let Ok(decoded) = LENIENT.decode(whole).map(Zeroizing::new) else { return false };
            decoded.windows(secret.expose().len()).any(|window| window.eq_ignore_ascii_case(secret.expose()))
        })
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn hidden(secret: &str, text: &str) -> String {
        let mut echo = Echo::default();
        echo.watch(&Secret::from(secret.to_owned()));
        String::from_utf8(echo.hide(text.as_bytes()).unwrap_or_else(|| text.as_bytes().to_vec())).expect("UTF-8")
    }

    #[test]
    fn what_comes_back_is_taken_out() {
        for (text, left) in [
            ("535 bad password 'hunter2'\r\n", "535 bad password '***'\r\n"),
            ("535 5.7.8 HUNTER2hunter2\r\n", "535 5.7.8 ***\r\n"),
            ("535-aHVudGVyMg==\r\n535 no\r\n", "535-***\r\n535 no\r\n"),
            ("535 got AGFubgBodW50ZXIy from you\r\n", "535 got *** from you\r\n"),
            ("535 \r\n", "535 \r\n"),
            ("535\r\n", "535\r\n"),
            ("535hunter2", "535***"),
            ("hunter2", "***"),
            ("535 5.7.8 Error: authentication failed\r\n", "535 5.7.8 Error: authentication failed\r\n"),
        ] {
            assert_eq!(hidden("hunter2", text), left, "{text}");
        }
        // What is short cannot be hidden alone.
        assert_eq!(hidden("ab", "535 bad absinthe\r\n"), "535 ***\r\n");
        assert_eq!(hidden("5", "535 no\r\n"), "535 no\r\n");
        assert_eq!(Echo::default().hide(b"535 hunter2\r\n"), None);
    }

    proptest! {
        /// In whichever of the three places of a group of base64 it begins, in either alphabet, with anything around it.
        #[test]
        fn no_alignment_lets_it_through(
            secret in "[ -~]{4,24}", before in "[a-z ]{0,5}", after in "[ -~]{0,5}", around in "(,|: |=|-|)",
        ) {
            let whole = format!("{before}{secret}{after}");
            for encoded in [BASE64.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
                let left = hidden(&secret, &format!("535 5.7.8 no{around}{encoded}\r\n"));
                prop_assert!(!left.contains(&encoded), "{}", left);
                prop_assert!(left.contains("***") && left.starts_with("535 ") && left.ends_with("\r\n"));
            }
            let left = hidden(&secret, &format!("535 {whole}\r\n"));
            prop_assert!(left == "535 ***\r\n" || !left.contains(&secret) , "{}", left);
        }
    }
}
