//! A server that knows no TLS but 1.0 (RFC 2246), as far as anybody sees who does not go on with it: its first flight is in the
//! clear, so that it takes no cryptography. After that it closes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The body of a record (RFC 2246 §6.2.1).
const RECORD_LIMIT: usize = 1 << 14;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_HELLO_DONE: u8 = 14;

/// TLS 1.0.
const VERSION: [u8; 2] = [3, 1];
/// `TLS_RSA_WITH_AES_128_CBC_SHA` (RFC 3268), whose key exchange takes no message of the server's own. The world's keys are none
/// for RSA, which nobody learns before the flight is over.
const SUITE: u16 = 0x002F;
/// The extension `supported_versions` (RFC 8446 §4.2.1): who sends it is of today.
const SUPPORTED_VERSIONS: u16 = 43;

/// Fatal alerts (RFC 2246 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fatal {
    UnexpectedMessage = 10,
    HandshakeFailure = 40,
    DecodeError = 50,
    ProtocolVersion = 70,
}

/// Reads the client's hello and answers it. `chain` are the certificates to show, in DER, the server's own first.
pub(super) async fn meet<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, chain: &[Vec<u8>]) -> io::Result<()> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).await?;
    let [kind, _, _, high, low] = header;
    let mut body = vec![0; usize::from(u16::from_be_bytes([high, low])).min(RECORD_LIMIT)];
    let answer = if kind == HANDSHAKE {
        stream.read_exact(&mut body).await?;
        let mut random = [0; 32];
        // No secret: nothing follows.
        random.fill_with(|| fastrand::u8(..));
        flight(&body, random, chain)
    } else {
        Err(Fatal::UnexpectedMessage)
    };
    let bytes = answer.unwrap_or_else(|fatal| record(ALERT, &[2, fatal as u8]));
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// The server's first flight, in answer to the message in a record.
fn flight(message: &[u8], random: [u8; 32], chain: &[Vec<u8>]) -> Result<Vec<u8>, Fatal> {
    let hello = hello(message)?;
    if hello.is_modern {
        return Err(Fatal::ProtocolVersion);
    }
    if !hello.suites.contains(&SUITE) {
        return Err(Fatal::HandshakeFailure);
    }
    // No session to resume, no compression.
    let server_hello = [&VERSION[..], &random, &[0], &SUITE.to_be_bytes(), &[0]].concat();
    let certificates: Vec<u8> = chain.iter().flat_map(|certificate| with_length(certificate)).collect();
    let messages = [(SERVER_HELLO, server_hello), (CERTIFICATE, with_length(&certificates)), (SERVER_HELLO_DONE, Vec::new())];
    let records = messages.iter().map(|(kind, body)| record(HANDSHAKE, &[&[*kind][..], &with_length(body)].concat()));
    Ok(records.collect::<Vec<_>>().concat())
}

/// What of a hello counts here.
struct Hello {
    suites: Vec<u16>,
    is_modern: bool,
}

fn hello(message: &[u8]) -> Result<Hello, Fatal> {
    if message.first() != Some(&CLIENT_HELLO) {
        return Err(Fatal::UnexpectedMessage);
    }
    fields(message).ok_or(Fatal::DecodeError)
}

/// Reads a hello (RFC 2246 §7.4.1.2, RFC 6066 §1.1 for what was added behind it). One in several records is none.
fn fields(message: &[u8]) -> Option<Hello> {
    // Kind and length, version and random.
    let rest = message.get(4 + 2 + 32..)?;
    let (_session, rest) = after_length(rest, 1)?;
    let (suites, rest) = after_length(rest, 2)?;
    let (_compressions, rest) = after_length(rest, 1)?;
    let suites = suites.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let mut extensions = if rest.is_empty() { rest } else { after_length(rest, 2)?.0 };
    let mut is_modern = false;
    while let Some((kind, rest)) = extensions.split_first_chunk::<2>() {
        is_modern |= u16::from_be_bytes(*kind) == SUPPORTED_VERSIONS;
        extensions = after_length(rest, 2)?.1;
    }
    Some(Hello { suites, is_modern })
}

/// What stands behind a length of this many bytes, and what follows it.
fn after_length(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(size)?;
    rest.split_at_checked(length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

/// The bytes with their length before them, in 24 bits. All that is said here is far shorter than that.
fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[1..], bytes].concat()
}

/// The bytes in as many records as they need.
fn record(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let one = |body: &[u8]| {
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&[kind][..], &VERSION, &length, body].concat()
    };
    bytes.chunks(RECORD_LIMIT).flat_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello with these suites and extensions, each without a body.
    fn client_hello(suites: &[u16], extensions: Option<&[u16]>) -> Vec<u8> {
        let numbers = |numbers: &[u16]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
        let with_short_length = |bytes: Vec<u8>| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat();
        let extensions = extensions.map(|kinds| with_short_length(kinds.iter().flat_map(|kind| numbers(&[*kind, 0])).collect()));
        let body =
            [&[3, 3][..], &[7; 32], &[2, 9, 9], &with_short_length(numbers(suites)), &[1, 0], &extensions.unwrap_or_default()].concat();
        [&[CLIENT_HELLO][..], &with_length(&body)].concat()
    }

    #[test]
    fn a_hello_is_met_by_what_it_offers() {
        for (suites, extensions, expected) in [
            (&[0xC02F, 0x002F][..], None, None),
            (&[0x002F], Some(&[0, 13][..]), None),
            (&[0x002F], Some(&[]), None),
            (&[0x002F], Some(&[0, 43]), Some(Fatal::ProtocolVersion)),
            (&[0x1301], Some(&[43, 0]), Some(Fatal::ProtocolVersion)),
            (&[0x0035, 0x00FF], None, Some(Fatal::HandshakeFailure)),
        ] {
            let answer = flight(&client_hello(suites, extensions), [1; 32], &[]);
            assert_eq!(answer.err(), expected, "{suites:x?} {extensions:?}");
        }
        let whole = client_hello(&[0x002F], Some(&[0]));
        for length in 1..whole.len() {
            // Without its extensions a hello is still one.
            let expected = (length != whole.len() - 6).then_some(Fatal::DecodeError);
            assert_eq!(flight(&whole[..length], [1; 32], &[]).err(), expected, "{length}");
        }
        assert_eq!(flight(&[SERVER_HELLO], [1; 32], &[]).err(), Some(Fatal::UnexpectedMessage));
        assert_eq!(flight(&[], [1; 32], &[]).err(), Some(Fatal::UnexpectedMessage));
    }

    #[test]
    fn the_flight_shows_the_certificates() {
        let bytes = flight(&client_hello(&[0x002F], None), [1; 32], &[vec![8; 3], vec![9; 2]]).unwrap();
        let hello = [&[22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1][..], &[1; 32], &[0, 0, 0x2F, 0]].concat();
        let certificate = [22, 3, 1, 0, 18, 11, 0, 0, 14, 0, 0, 11, 0, 0, 3, 8, 8, 8, 0, 0, 2, 9, 9];
        let done = [22, 3, 1, 0, 4, 14, 0, 0, 0];
        assert_eq!(bytes, [&hello[..], &certificate, &done].concat());
        let long = flight(&client_hello(&[0x002F], None), [1; 32], &[vec![8; 20_000]]).unwrap();
        assert_eq!(long[47..52], [22, 3, 1, 0x40, 0]);
    }

    #[tokio::test]
    async fn what_is_no_hello_gets_an_alert() {
        for (sent, alert) in [
            (&[0x80, 46, 1, 3, 1][..], Fatal::UnexpectedMessage),
            (&[22, 3, 1, 0, 1, 1], Fatal::DecodeError),
            (&[22, 3, 1, 0, 1, 16], Fatal::UnexpectedMessage),
        ] {
            let (mut client, mut server) = tokio::io::duplex(64);
            client.write_all(sent).await.unwrap();
            meet(&mut server, &[]).await.unwrap();
            let mut answer = [0; 7];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, [21, 3, 1, 0, 2, 2, alert as u8], "{sent:?}");
        }
    }
}
