//! A session as somebody has recorded it: its events, and with whom it was held.

use std::net::SocketAddr;

use crate::smtp::{CertificateVerdict, TlsFacts, Transcript};

/// A session as somebody has recorded it. What the record leaves open is open here: times are zero where none are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The server's name; none if the record does not tell.
    pub host: Option<String>,
    /// The server's address and port; none if the record does not tell both.
    pub peer: Option<SocketAddr>,
    /// Whether it was held to answer the question asked; else beside it, to learn whose fault a failure is.
    pub asked: bool,
    /// What was said.
    pub transcript: Transcript,
}

impl Default for Conversation {
    fn default() -> Self {
        Self { host: None, peer: None, asked: true, transcript: Transcript::default() }
    }
}

/// TLS as far as a record names it; empty words for what it does not.
pub(super) fn tls_facts(version: &str, cipher: &str) -> TlsFacts {
    TlsFacts {
        version: version.to_owned(),
        cipher: cipher.to_owned(),
        server_name: None,
        group: None,
        chain: Vec::new(),
        chain_length: 0,
        verdict: CertificateVerdict::Unseen,
    }
}
