//! What tools say about a connection: that it begins, that TLS is up, that it failed.

use std::net::{IpAddr, SocketAddr};

use super::super::failure;
use crate::smtp::FailureKind;

/// What a tool's own line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// A connection is being opened, or stands.
    Begins { host: Option<String>, peer: Option<SocketAddr>, stands: bool },
    /// TLS is up.
    Secured { version: String, cipher: String },
    /// It failed, or is over.
    Broke(FailureKind),
}

/// Names in notes have at most this many octets.
const NAME: usize = 300;

pub(super) fn read(words: &str) -> Option<Note> {
    let words = words.trim();
    if let Some(rest) = words.strip_prefix("Trying ") {
        return Some(begins(rest.trim_end_matches('.'), false));
    }
    // Exim: `Connecting to mx.example.com [192.0.2.1]:25 ... connected`.
    if let Some(rest) = words.strip_prefix("Connecting to ") {
        let (place, stands) = rest.split_once(" ... ").map_or((rest, false), |(place, how)| (place, how.contains("connected")));
        return Some(begins(place.split(" [").next().unwrap_or_default(), stands));
    }
    if words.starts_with("CONNECTED(") {
        return Some(Note::Begins { host: None, peer: None, stands: true });
    }
    if let Some(rest) = words.strip_prefix("Connected to ") {
        return Some(connected(rest.trim_end_matches('.')));
    }
    // Sendmail: `... while talking to mx.example.com.:`.
    if let Some(host) = words.strip_prefix("... while talking to ") {
        return Some(begins(host.trim_end_matches([':', '.']), true));
    }
    if let Some(secured) = secured(words) {
        return Some(secured);
    }
    failure::of_tools(words).map(Note::Broke)
}

/// `mx.example.com:25`, `192.0.2.1:25`, `[2001:db8::1]:25`, `192.0.2.1`.
fn begins(place: &str, stands: bool) -> Note {
    let place = place.trim();
    if let Ok(peer) = place.parse() {
        return Note::Begins { host: None, peer: Some(peer), stands };
    }
    let name = match place.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => place,
    };
    Note::Begins { host: host(name), peer: None, stands }
}

/// `mx.example.com`, `mx.example.com (192.0.2.1) port 25 (#0)`.
fn connected(words: &str) -> Note {
    let Some((name, rest)) = words.split_once(" (") else { return begins(words, true) };
    let address = rest.split(')').next().and_then(|address| address.parse::<IpAddr>().ok());
    let port = rest.split_once(" port ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u16>().ok());
    Note::Begins { host: host(name), peer: address.zip(port).map(SocketAddr::from), stands: true }
}

/// A name that is one; an address is none.
fn host(name: &str) -> Option<String> {
    let is_name = name.contains('.') && name.len() <= NAME && name.parse::<IpAddr>().is_err() && !name.contains([' ', '/', '[']);
    is_name.then(|| name.to_owned())
}

fn secured(words: &str) -> Option<Note> {
    let note = |version: &str, cipher: &str| {
        let short = |text: &str| text.chars().take(NAME).collect::<String>();
        let version = version.trim().strip_prefix("TLSv").map_or_else(|| short(version.trim()), |number| format!("TLS {}", short(number)));
        let version = if version == "TLS 1" { "TLS 1.0".to_owned() } else { version };
        Some(Note::Secured { version, cipher: short(cipher.trim()) })
    };
    // swaks: `TLS started with cipher TLSv1.3:TLS_AES_256_GCM_SHA384:256`.
    if let Some(rest) = words.strip_prefix("TLS started with cipher ").or_else(|| words.strip_prefix("TLS started w/ cipher ")) {
        let mut parts = rest.split(':');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        return if first.starts_with("TLSv") || first.starts_with("SSLv") { note(first, second) } else { note("", first) };
    }
    // curl: `SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384 / X25519 / RSASSA-PSS`.
    if let Some(rest) = words.strip_prefix("SSL connection using ") {
        let mut parts = rest.split(" / ");
        return note(parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    }
    // openssl: `New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384`.
    if let Some((version, cipher)) = words.strip_prefix("New, ").and_then(|rest| rest.split_once(", Cipher is ")) {
        return if cipher == "(NONE)" { None } else { note(version, cipher) };
    }
    // Postfix: `Trusted TLS connection established to mx.example.com[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)`.
    if let Some((_, rest)) =
        words.split_once("TLS connection established to ").or_else(|| words.split_once("TLS connection established from "))
    {
        let (version, cipher) = rest.rsplit_once(": ")?.1.split_once(" with cipher ")?;
        return note(version, cipher.split(' ').next().unwrap_or_default());
    }
    // Ours: `TLS 1.3; certificate for mx.example.com, good for 61 more days`.
    let (version, rest) = words.split_once("; ")?;
    (version.starts_with("TLS 1.") && rest.starts_with("certificate")).then(|| note(version, "")).flatten()
}
