//! The address in a text as people and programs write it down (RFC 5322 §3.4, RFC 6068).

use super::Wrong;
use crate::target::Mailbox;

/// What is longer is not even looked at: a path has at most 256 octets (RFC 5321 §4.5.3.1.3), and escapes make three of one.
const LONGEST_ADDRESS: usize = 1024;

/// The mailbox in `text`: bare, in quotes, in angle brackets with or without a name before them, or as a `mailto:` URL; a comma or
/// semicolon that is left over at its end is not part of it.
///
/// # Errors
/// If there is none, or what is there is no address.
pub fn address(text: &str) -> Result<Mailbox, Wrong> {
    let bare = text.trim().trim_end_matches([',', ';']).trim_end();
    let bare = unquoted(bare);
    // `Ann <ann@example.com>`: a quoted local part may hold brackets as well, but then nothing follows its domain.
    let bare = match bare.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((_, inner)) => inner.trim(),
        None => bare,
    };
    let bare = unquoted(bare);
    if bare.is_empty() {
        return Err(Wrong::Nothing);
    }
    if bare.len() > LONGEST_ADDRESS {
        return Err(Wrong::NoAddress);
    }
    match bare.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).and_then(|_| bare.get(7..)) {
        Some(url) => Ok(decoded(url.split('?').next().unwrap_or_default()).parse()?),
        None => Ok(bare.parse()?),
    }
}

/// `text` without the quotes around all of it.
fn unquoted(text: &str) -> &str {
    ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).map_or(text, str::trim)
}

/// `%2B` as `+` (RFC 6068 §2); what is no such escape stays.
fn decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let escaped = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        octets.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&octets).into_owned()
}
