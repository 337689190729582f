//! What a server would have chosen that knows only old TLS (RFC 2246, 4346, 5246), found out without any cryptography.
//!
//! The TLS that mail is probed with knows 1.2 and 1.3, and key exchanges that are still safe. A server that can do less answers it
//! with an alert, which does not say what it can do. So it is asked once more, on a connection of its own, by a hello that offers all
//! that was ever usual, the good things first. In TLS up to 1.2 the server's first flight is in the clear: version, cipher suite,
//! certificates, and the size of the Diffie-Hellman group. Then the connection is dropped; nothing is ever sent over it.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::certificate;
use super::tcp::Broken;
use crate::smtp::{CHAIN_LIMIT, FailureKind, HandshakeFailure, KeyExchange, LegacyTls, SentCertificate, TlsAlert, TlsVersion};
use crate::target::Host;

/// The server's first flight is read up to this size. A chain of ten large certificates has some 20 KB.
const FLIGHT_LIMIT: usize = 1 << 17;
/// A record's body (RFC 5246 §6.2.3: 2^14 and 2048 for what encryption adds).
const RECORD_LIMIT: usize = (1 << 14) + 2048;
/// So many warnings are passed over.
const WARNINGS_LIMIT: usize = 8;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

const FATAL: u8 = 2;
const CLOSE_NOTIFY: u8 = 0;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const SERVER_HELLO_DONE: u8 = 14;

/// A cipher suite: its number, its IANA name without `TLS_`, its key exchange.
struct Suite(u16, &'static str, KeyExchange);

/// What is offered, in the order in which a server should choose: ephemeral keys before fixed ones, both before none; within them
/// modern ciphers before old ones. A server that picks an anonymous or broken one for all that can or will do no better.
const SUITES: &[Suite] = {
    use KeyExchange::{Anonymous, Dhe, Ecdhe, Rsa};
    &[
        Suite(0xC02B, "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Ecdhe),
        Suite(0xC02F, "ECDHE_RSA_WITH_AES_128_GCM_SHA256", Ecdhe),
        Suite(0xC02C, "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Ecdhe),
        Suite(0xC030, "ECDHE_RSA_WITH_AES_256_GCM_SHA384", Ecdhe),
        Suite(0xCCA9, "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", Ecdhe),
        Suite(0xCCA8, "ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Ecdhe),
        Suite(0xC027, "ECDHE_RSA_WITH_AES_128_CBC_SHA256", Ecdhe),
        Suite(0xC028, "ECDHE_RSA_WITH_AES_256_CBC_SHA384", Ecdhe),
        Suite(0xC009, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA", Ecdhe),
        Suite(0xC013, "ECDHE_RSA_WITH_AES_128_CBC_SHA", Ecdhe),
        Suite(0xC00A, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA", Ecdhe),
        Suite(0xC014, "ECDHE_RSA_WITH_AES_256_CBC_SHA", Ecdhe),
        Suite(0x009E, "DHE_RSA_WITH_AES_128_GCM_SHA256", Dhe),
        Suite(0x009F, "DHE_RSA_WITH_AES_256_GCM_SHA384", Dhe),
        Suite(0x0067, "DHE_RSA_WITH_AES_128_CBC_SHA256", Dhe),
        Suite(0x006B, "DHE_RSA_WITH_AES_256_CBC_SHA256", Dhe),
        Suite(0x0033, "DHE_RSA_WITH_AES_128_CBC_SHA", Dhe),
        Suite(0x0039, "DHE_RSA_WITH_AES_256_CBC_SHA", Dhe),
        Suite(0x0032, "DHE_DSS_WITH_AES_128_CBC_SHA", Dhe),
        Suite(0x009C, "RSA_WITH_AES_128_GCM_SHA256", Rsa),
        Suite(0x009D, "RSA_WITH_AES_256_GCM_SHA384", Rsa),
        Suite(0x003C, "RSA_WITH_AES_128_CBC_SHA256", Rsa),
        Suite(0x003D, "RSA_WITH_AES_256_CBC_SHA256", Rsa),
        Suite(0x002F, "RSA_WITH_AES_128_CBC_SHA", Rsa),
        Suite(0x0035, "RSA_WITH_AES_256_CBC_SHA", Rsa),
        Suite(0xC008, "ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA", Ecdhe),
        Suite(0xC012, "ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", Ecdhe),
        Suite(0x0016, "DHE_RSA_WITH_3DES_EDE_CBC_SHA", Dhe),
        Suite(0x0013, "DHE_DSS_WITH_3DES_EDE_CBC_SHA", Dhe),
        Suite(0x000A, "RSA_WITH_3DES_EDE_CBC_SHA", Rsa),
        Suite(0xC011, "ECDHE_RSA_WITH_RC4_128_SHA", Ecdhe),
        Suite(0x0005, "RSA_WITH_RC4_128_SHA", Rsa),
        Suite(0x0004, "RSA_WITH_RC4_128_MD5", Rsa),
        Suite(0xC018, "ECDH_anon_WITH_AES_128_CBC_SHA", Anonymous),
        Suite(0x00A6, "DH_anon_WITH_AES_128_GCM_SHA256", Anonymous),
        Suite(0x006C, "DH_anon_WITH_AES_128_CBC_SHA256", Anonymous),
        Suite(0x0034, "DH_anon_WITH_AES_128_CBC_SHA", Anonymous),
        Suite(0x003A, "DH_anon_WITH_AES_256_CBC_SHA", Anonymous),
        Suite(0x001B, "DH_anon_WITH_3DES_EDE_CBC_SHA", Anonymous),
        Suite(0x0018, "DH_anon_WITH_RC4_128_MD5", Anonymous),
        Suite(0x0009, "RSA_WITH_DES_CBC_SHA", Rsa),
        Suite(0x0003, "RSA_EXPORT_WITH_RC4_40_MD5", Rsa),
    ]
};

/// "I renegotiate safely" (RFC 5746 §3.3), without which some servers refuse.
const SAFE_RENEGOTIATION: u16 = 0x00FF;

/// The hello that offers everything old to the server called `name`, as one record.
#[must_use]
pub fn hello(name: &Host, random: [u8; 32]) -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut extend = |kind: u16, body: &[u8]| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(with_length(body));
    };
    if let Host::Name(name) = name
        && name.as_str().parse::<IpAddr>().is_err()
    {
        // One name, of the type "host name" (RFC 6066 §3).
        let entry = [&[0][..], &with_length(name.as_str().trim_end_matches('.').as_bytes())].concat();
        extend(0, &with_length(&entry));
    }
    // Groups: X25519, P-256, P-384, P-521, secp256k1, ffdhe2048 and 3072; points are not compressed (RFC 8422 §5.1).
    extend(10, &with_length(&numbers(&[0x001D, 0x0017, 0x0018, 0x0019, 0x0016, 0x0100, 0x0101])));
    extend(11, &[1, 0]);
    // Signatures, down to SHA-1 and MD5 (RFC 5246 §7.4.1.4.1).
    let signatures =
        [0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0301, 0x0402, 0x0203, 0x0201, 0x0202, 0x0101];
    extend(13, &with_length(&numbers(&signatures)));
    let mut suites: Vec<u16> = SUITES.iter().map(|suite| suite.0).collect();
    suites.push(SAFE_RENEGOTIATION);
    let body = [
        &TlsVersion::TLS_1_2.0.to_be_bytes()[..],
        &random,
        // No session to resume; one way to compress: none.
        &[0],
        &with_length(&numbers(&suites)),
        &[1, 0],
        &with_length(&extensions),
    ]
    .concat();
    let message = [&[CLIENT_HELLO, 0][..], &with_length(&body)].concat();
    // Old servers want the oldest version here (RFC 5246 appendix E.1).
    [&[HANDSHAKE][..], &TlsVersion::TLS_1_0.0.to_be_bytes(), &with_length(&message)].concat()
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// The bytes with their length before them, in 16 bits. All that is said here is far shorter than that.
fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length, bytes].concat()
}

/// Reads the server's first flight, however it is cut into pieces.
#[derive(Debug, Default)]
pub struct Reader {
    /// Bytes that are no whole record yet.
    raw: Vec<u8>,
    /// The records' bodies: bytes that are no whole message yet.
    messages: Vec<u8>,
    read: usize,
    warnings: usize,
    hello: Option<(TlsVersion, u16)>,
    chain: Vec<SentCertificate>,
    chain_length: usize,
    group_bits: Option<u32>,
}

impl Reader {
    /// Takes what came. None as long as it is not all; after that the answer, or why there is none.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Result<LegacyTls, FailureKind>> {
        self.read = self.read.saturating_add(bytes.len());
        if self.read > FLIGHT_LIMIT {
            return Some(Err(malformed("it has no end")));
        }
        self.raw.extend_from_slice(bytes);
        match self.advance() {
            Ok(done) => done.map(Ok),
            Err(failure) => Some(Err(failure)),
        }
    }

    /// Reads all whole records.
    fn advance(&mut self) -> Result<Option<LegacyTls>, FailureKind> {
        loop {
            match self.raw.first() {
                Some(CHANGE_CIPHER_SPEC..=24) | None => {}
                Some(_) => return Err(FailureKind::NotTls),
            }
            let Some((header, rest)) = self.raw.split_first_chunk::<5>() else { return Ok(None) };
            let [kind, major, _, high, low] = *header;
            let length = usize::from(u16::from_be_bytes([high, low]));
            if major != 3 {
                return Err(FailureKind::NotTls);
            }
            if length > RECORD_LIMIT {
                return Err(malformed("a record is too long"));
            }
            let Some(body) = rest.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
            self.raw.drain(..5 + length);
            match kind {
                ALERT => self.alert(&body)?,
                HANDSHAKE => {
                    self.messages.extend(body);
                    if let Some(done) = self.take_messages()? {
                        return Ok(Some(done));
                    }
                }
                _ => return Err(malformed("a record comes before its time")),
            }
        }
    }

    /// Warnings are passed over: some servers say that they do not know the name, and go on.
    fn alert(&mut self, body: &[u8]) -> Result<(), FailureKind> {
        let [level, description] = *body else { return Err(malformed("an alert has no two bytes")) };
        self.warnings += 1;
        if level == FATAL || description == CLOSE_NOTIFY || self.warnings > WARNINGS_LIMIT {
            return Err(FailureKind::TlsHandshake(HandshakeFailure::Alert(TlsAlert(description))));
        }
        Ok(())
    }

    /// Reads all whole messages.
    fn take_messages(&mut self) -> Result<Option<LegacyTls>, FailureKind> {
        loop {
            let Some(([kind, high, mid, low], rest)) = self.messages.split_first_chunk::<4>() else { return Ok(None) };
            let (kind, length) = (*kind, usize::try_from(u32::from_be_bytes([0, *high, *mid, *low])).unwrap_or(usize::MAX));
            if length > FLIGHT_LIMIT {
                return Err(malformed("a message is too long"));
            }
            let Some(body) = rest.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
            self.messages.drain(..4 + length);
            match (kind, self.hello) {
                (SERVER_HELLO, None) => self.hello = Some(server_hello(&body).ok_or(malformed("its hello cannot be read"))?),
                (_, None) => return Err(malformed("it does not begin with a hello")),
                (SERVER_HELLO, Some(_)) => return Err(malformed("it says hello twice")),
                (CERTIFICATE, _) => self.certificates(&body).ok_or(malformed("its certificates cannot be read"))?,
                (SERVER_KEY_EXCHANGE, Some((_, suite))) => self.group_bits = group_bits(suite, &body),
                (SERVER_HELLO_DONE, Some((version, suite))) => return Ok(Some(self.done(version, suite))),
                _ => {}
            }
        }
    }

    /// A list of certificates, each with its length in three bytes (RFC 5246 §7.4.2).
    fn certificates(&mut self, body: &[u8]) -> Option<()> {
        let mut list = part(body)?.0;
        while !list.is_empty() {
            let (certificate, rest) = part(list)?;
            if self.chain.len() < CHAIN_LIMIT {
                self.chain.push(certificate::read(certificate));
            }
            self.chain_length += 1;
            list = rest;
        }
        Some(())
    }

    fn done(&mut self, version: TlsVersion, suite: u16) -> LegacyTls {
        let known = SUITES.iter().find(|known| known.0 == suite);
        LegacyTls {
            version,
            cipher: known.map_or_else(|| format!("0x{suite:04X}"), |known| format!("TLS_{}", known.1)),
            exchange: known.map(|known| known.2),
            group_bits: self.group_bits,
            chain: std::mem::take(&mut self.chain),
            chain_length: self.chain_length,
        }
    }
}

/// What stands behind a length of three bytes, and what follows it.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([high, mid, low], rest) = bytes.split_first_chunk::<3>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes([0, *high, *mid, *low])).ok()?)
}

/// Version and cipher suite (RFC 5246 §7.4.1.3).
fn server_hello(body: &[u8]) -> Option<(TlsVersion, u16)> {
    let (version, rest) = body.split_first_chunk::<2>()?;
    let rest = rest.get(32..)?;
    let (session, rest) = rest.split_first()?;
    let (suite, rest) = rest.get(usize::from(*session)..)?.split_first_chunk::<2>()?;
    rest.first()?;
    Some((TlsVersion(u16::from_be_bytes(*version)), u16::from_be_bytes(*suite)))
}

/// The size of the Diffie-Hellman group, whose prime stands first (RFC 5246 §7.4.3); none for other key exchanges.
fn group_bits(suite: u16, body: &[u8]) -> Option<u32> {
    let known = SUITES.iter().find(|known| known.0 == suite)?;
    if !known.1.starts_with("DH") {
        return None;
    }
    let (length, rest) = body.split_first_chunk::<2>()?;
    Some(certificate::bits(rest.get(..usize::from(u16::from_be_bytes(*length)))?))
}

const fn malformed(what: &'static str) -> FailureKind {
    FailureKind::TlsHandshake(HandshakeFailure::Malformed(what))
}

/// Asks the server at the other end of `stream` what old TLS it would speak, and waits for no longer than `limit` in all. The stream
/// is where a handshake would begin (after the 220 to STARTTLS), and is of no use afterwards.
///
/// # Errors
/// Why there is no answer: an alert, a connection that is closed or reset, silence, or what is no TLS.
pub async fn ask<S>(stream: &mut S, name: &Host, limit: Duration) -> Result<LegacyTls, FailureKind>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let asking = async {
        let mut random = [0; 32];
        // No secret: nothing will be sent.
        random.fill_with(|| fastrand::u8(..));
        stream.write_all(&hello(name, random)).await?;
        stream.flush().await?;
        let mut reader = Reader::default();
        let mut bytes = vec![0; 4096];
        loop {
            let length = stream.read(&mut bytes).await?;
            if length == 0 {
                return Err(Broken::from(FailureKind::Closed));
            }
            if let Some(answer) = reader.push(&bytes[..length]) {
                return answer.map_err(Broken::from);
            }
        }
    };
    let answer = timeout(limit, asking).await.unwrap_or_else(|_| Err(FailureKind::TimedOut(limit).into()));
    answer.map_err(|failure| failure.kind.in_handshake())
}

#[cfg(test)]
mod tests;
