//! A server's challenges, for reading: what stands behind 334 in base64 (RFC 4954 §4), and the errors in it (RFC 5802 §7, RFC 7628 §3.2.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::smtp::Reply;

/// A challenge of this many octets, decoded, is shown; of a longer one the beginning.
const SHOWN_LIMIT: usize = 1000;

/// The bytes of a challenge; none if it is not base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.trim()).ok()
}

/// A challenge in plain words, without control characters; none if `reply` is none, is empty, or holds no text.
#[must_use]
pub fn challenge_text(reply: &Reply) -> Option<String> {
    if reply.code.number() != 334 {
        return None;
    }
    let bytes = decode(&reply.lines.concat())?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let shown: String = text.chars().take(SHOWN_LIMIT).map(clean).collect();
    Some(shown.trim().to_owned()).filter(|shown| !shown.is_empty())
}

/// What a server says inside a login about why it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// Its name: `invalid-proof`, `invalid_token`, or an HTTP status such as `401`.
    pub name: String,
    /// The scope that a token should have had; none if it does not say.
    pub scope: Option<String>,
    /// Where the authorisation server describes itself; none if it does not say.
    pub configuration: Option<String>,
}

/// The error that a challenge names: SCRAM's `e=`, or the JSON of a token that was refused. None if it names none.
#[must_use]
pub fn server_error(reply: &Reply) -> Option<ServerError> {
    let text = challenge_text(reply)?;
    if let Some(name) = text.strip_prefix("e=") {
        let name = name.split(',').next().unwrap_or_default();
        return Some(ServerError { name: name.to_owned(), scope: None, configuration: None });
    }
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    let field = |name: &str| match json.get(name)? {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Some(ServerError { name: field("status")?, scope: field("scope"), configuration: field("openid-configuration") })
}
