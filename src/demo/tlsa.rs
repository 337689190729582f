//! TLSA records of a mail world (RFC 6698 §2), written as in a zone file, or by what they are to match: certificates are made when
//! the world starts, so that no file can have them.

use hickory_resolver::proto::rr::rdata::TLSA;
use ring::digest;

use super::tls::Certificate;

/// A record that may wait for a certificate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TlsaDraft {
    /// Usage, selector and matching type, whatever they are.
    numbers: [u8; 3],
    data: Data,
}

#[derive(Clone, Debug, PartialEq)]
enum Data {
    Octets(Vec<u8>),
    Of { whose: Whose, part: Part, digest: Option<&'static digest::Algorithm> },
}

/// Whose certificate is to be matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// That of the server at the host and port of the record's name.
    Own,
    /// That of the world's authority.
    Issuer,
}

/// What of it (RFC 6698 §2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Certificate,
    Key,
}

impl TlsaDraft {
    /// Reads `3 1 1 0123ab`, `3 1 1 own` or `2 0 1 issuer`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let wrong = "a TLSA record is three numbers up to 255 and data, such as \"3 1 1 own\"";
        let mut words = text.split_whitespace();
        let mut number = || words.next().and_then(|word| word.parse().ok()).ok_or(wrong);
        let numbers = [number()?, number()?, number()?];
        let of = |whose| matched(whose, numbers);
        // Blanks may stand anywhere in the data (RFC 6698 §2.2).
        let data = match words.collect::<String>().as_str() {
            "" => return Err(wrong),
            "own" => of(Whose::Own)?,
            "issuer" => of(Whose::Issuer)?,
            hex => Data::Octets(octets(hex).ok_or("the data of a TLSA record is hexadecimal, or one of the words own and issuer")?),
        };
        Ok(Self { numbers, data })
    }

    /// Whether it matches the server's own certificate.
    pub(super) fn is_own(&self) -> bool {
        matches!(self.data, Data::Of { whose: Whose::Own, .. })
    }

    /// The record; where it is to match several servers, one for each.
    pub(super) fn records(&self, own: &[&Certificate], issuer: &Certificate) -> Vec<TLSA> {
        let [usage, selector, matching] = self.numbers;
        let record = |data| TLSA::new(usage.into(), selector.into(), matching.into(), data);
        match &self.data {
            Data::Octets(octets) => vec![record(octets.clone())],
            Data::Of { whose: Whose::Own, part, digest } => own.iter().map(|one| record(association(one, *part, *digest))).collect(),
            Data::Of { whose: Whose::Issuer, part, digest } => vec![record(association(issuer, *part, *digest))],
        }
    }
}

fn matched(whose: Whose, [_, selector, matching]: [u8; 3]) -> Result<Data, &'static str> {
    let unknown = "own and issuer need the selector 0 or 1 and the matching type 0, 1 or 2";
    let part = match selector {
        0 => Part::Certificate,
        1 => Part::Key,
        _ => return Err(unknown),
    };
    let digest = match matching {
        0 => None,
        1 => Some(&digest::SHA256),
        2 => Some(&digest::SHA512),
        _ => return Err(unknown),
    };
    Ok(Data::Of { whose, part, digest })
}

fn association(certificate: &Certificate, part: Part, algorithm: Option<&'static digest::Algorithm>) -> Vec<u8> {
    let selected = match part {
        Part::Certificate => &certificate.der,
        Part::Key => &certificate.key,
    };
    algorithm.map_or_else(|| selected.clone(), |algorithm| digest::digest(algorithm, selected).as_ref().to_vec())
}

/// The port and the host that TLSA records at `owner` speak of: `_25._tcp.mx1.demo.test` (RFC 6698 §3); none for another name.
pub(super) fn place(owner: &str) -> Option<(u16, &str)> {
    let (port, host) = owner.strip_prefix('_')?.split_once("._tcp.")?;
    Some((port.parse().ok()?, host))
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    hex.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> Certificate {
        Certificate { der: format!("{name} certificate").into_bytes(), key: format!("{name} key").into_bytes() }
    }

    fn data(text: &str) -> Vec<Vec<u8>> {
        let (first, second, issuer) = (certificate("first"), certificate("second"), certificate("issuer"));
        let records = TlsaDraft::parse(text).expect(text).records(&[&first, &second], &issuer);
        records.into_iter().map(|record| record.cert_data).collect()
    }

    #[test]
    fn records_hold_what_is_written_or_what_matches() {
        let sha256 = |text: &str| digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec();
        let sha512 = |text: &str| digest::digest(&digest::SHA512, text.as_bytes()).as_ref().to_vec();
        for (text, expected) in [
            ("3 1 1 0123aB", vec![vec![0x01, 0x23, 0xab]]),
            ("9 8 255  01 2 3", vec![vec![0x01, 0x23]]),
            ("3 0 0 own", vec![b"first certificate".to_vec(), b"second certificate".to_vec()]),
            ("3 1 1 own", vec![sha256("first key"), sha256("second key")]),
            ("3 1 2 own", vec![sha512("first key"), sha512("second key")]),
            ("2 0 1 issuer", vec![sha256("issuer certificate")]),
            ("2 1 0 issuer", vec![b"issuer key".to_vec()]),
        ] {
            assert_eq!(data(text), expected, "{text}");
        }
        let record = TlsaDraft::parse("2 0 1 00").unwrap().records(&[], &certificate("issuer")).remove(0);
        let numbers: (u8, u8, u8) = (record.cert_usage.into(), record.selector.into(), record.matching.into());
        assert_eq!(numbers, (2, 0, 1));
        assert!(TlsaDraft::parse("3 1 1 own").unwrap().is_own() && !TlsaDraft::parse("2 1 1 issuer").unwrap().is_own());
    }

    #[test]
    fn what_is_no_record_is_said() {
        for (text, word) in [
            ("", "three numbers"),
            ("3 1 1", "three numbers"),
            ("3 1 own", "three numbers"),
            ("3 1 256 00", "three numbers"),
            ("3 1 1 012", "hexadecimal"),
            ("3 1 1 0g", "hexadecimal"),
            ("3 1 1 OWN", "hexadecimal"),
            ("3 1 1 \u{e4}", "hexadecimal"),
            ("3 2 1 own", "selector 0 or 1"),
            ("2 0 3 issuer", "matching type 0, 1 or 2"),
        ] {
            let error = TlsaDraft::parse(text).expect_err(text);
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn the_owner_names_port_and_host() {
        for (owner, expected) in [
            ("_25._tcp.mx1.demo.test", Some((25, "mx1.demo.test"))),
            ("_465._tcp.a._tcp.b", Some((465, "a._tcp.b"))),
            ("_25._udp.mx1.demo.test", None),
            ("_x._tcp.mx1.demo.test", None),
            ("25._tcp.mx1.demo.test", None),
            ("mx1.demo.test", None),
        ] {
            assert_eq!(place(owner), expected, "{owner}");
        }
    }
}
