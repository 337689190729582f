//! Replies of a server, read leniently (RFC 5321 §4.2, RFC 2034, RFC 3463).
//!
//! A diagnosis begins where a strict parser gives up, so the reader takes what servers really send: bare LF, a missing text or
//! separator, codes that do not exist, mixed codes in one reply, bytes that are not UTF-8. It keeps the bytes as they came and
//! notes each [`Flaw`]. What is no reply at all is handed over as [`Item::Garbage`]; everything is bounded.

use std::fmt;
use std::str::FromStr;

use super::Verb;

/// A line may have this many octets (RFC 5321 §4.5.3.1.5 allows 512; real servers send more).
const LINE_LIMIT: usize = 8 * 1024;
/// A reply may have this many octets in all.
const REPLY_LIMIT: usize = 64 * 1024;
/// A reply may have this many lines.
const LINES_LIMIT: usize = 512;
/// A line longer than this breaks RFC 5321 §4.5.3.1.5 and is noted.
const LINE_OF_THE_RFC: usize = 512;

/// The three digits of a reply, as sent; also codes that no document knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyCode(u16);

/// What the first digit says (RFC 5321 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodeClass {
    /// 2yz: done.
    Success,
    /// 3yz: go on.
    Intermediate,
    /// 4yz: not now.
    Transient,
    /// 5yz: no.
    Permanent,
    /// Anything else: no class that SMTP knows (1yz was never used).
    Unknown,
}

impl ReplyCode {
    /// The code, if the number has at most three digits.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number < 1000 { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// What its first digit says.
    #[must_use]
    pub const fn class(self) -> CodeClass {
        match self.0 / 100 {
            2 => CodeClass::Success,
            3 => CodeClass::Intermediate,
            4 => CodeClass::Transient,
            5 => CodeClass::Permanent,
            _ => CodeClass::Unknown,
        }
    }

    /// Whether it is a yes to what was asked (RFC 5321 §4.3.2): 3yz to DATA, 2yz to all else, but a 221 only to QUIT.
    #[must_use]
    pub const fn is_yes_to(self, verb: Verb) -> bool {
        match verb {
            Verb::Data => matches!(self.class(), CodeClass::Intermediate),
            Verb::Quit => matches!(self.class(), CodeClass::Success),
            _ => matches!(self.class(), CodeClass::Success) && !self.closes_channel(),
        }
    }

    /// Whether the server closes the channel with it, whatever it answers (RFC 5321 §3.8, §4.2.3).
    #[must_use]
    pub const fn closes_channel(self) -> bool {
        matches!(self.0, 221 | 421)
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl FromStr for ReplyCode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().map(Self).map_err(drop) } else { Err(()) }
    }
}

/// An enhanced status code `class.subject.detail` (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedCode {
    /// 2, 4 or 5.
    pub class: u8,
    /// 0 to 999; the RFC defines 0 to 7.
    pub subject: u16,
    /// 0 to 999.
    pub detail: u16,
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl FromStr for EnhancedCode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut part = |most: usize| {
            let digits = parts.next().filter(|p| (1..=most).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|p| p.parse::<u16>().ok()).ok_or(())
        };
        let (class, subject, detail) = (part(1)?, part(3)?, part(3)?);
        match (class, parts.next()) {
            (2 | 4 | 5, None) => Ok(Self { class: u8::try_from(class).map_err(drop)?, subject, detail }),
            _ => Err(()),
        }
    }
}

/// How a reply breaks the rules; none of it keeps it from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
    /// The lines do not all have the same code (RFC 5321 §4.2.1); the last line's code counts.
    MixedCodes,
    /// A line ends in LF without CR (RFC 5321 §2.3.8), or does not end at all before the connection does.
    BareLineFeed,
    /// The code is followed by neither a blank, a hyphen nor the line's end.
    NoSeparator,
    /// A line inside the reply has no code.
    LineWithoutCode,
    /// A line is longer than 512 octets (RFC 5321 §4.5.3.1.5).
    LongLine,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// The first digit is none of 2, 3, 4, 5.
    UnknownClass,
    /// The enhanced code's class is not the code's first digit (RFC 2034 §4).
    ClassMismatch,
    /// It repeated the password, which was taken out of it.
    RepeatsPassword,
}

/// One reply: a code, its lines, and the bytes they were read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code of the last line.
    pub code: ReplyCode,
    /// The first enhanced code found; none if none was sent.
    pub enhanced: Option<EnhancedCode>,
    /// What stands after code and separator in each line, with bytes that are not UTF-8 replaced; the enhanced code is still in it.
    pub lines: Vec<String>,
    /// The bytes as they came, line ends included.
    pub raw: Vec<u8>,
    /// Each rule it breaks, once.
    pub flaws: Vec<Flaw>,
}

impl Reply {
    /// Reads a reply that stands alone, such as one pasted by a person; line ends may be missing.
    ///
    /// None if it does not begin with a three-digit code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = ReplyReader::default();
        reader.push(text.as_bytes());
        let item = match reader.next() {
            Some(item) => Some(item),
            None => reader.finish(),
        };
        match item {
            Some(Item::Reply(reply)) => Some(reply),
            _ => None,
        }
    }

    /// The words: all lines joined with one blank, enhanced codes removed, white space collapsed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.raw.len());
        for line in &self.lines {
            let line = enhanced_at_start(line).map_or(line.as_str(), |(_, rest)| rest);
            for word in line.split_whitespace() {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(word);
            }
        }
        text
    }

    /// What is left of a reply with `code` whose bytes had a secret in them; `repeated` says whether it was the password.
    pub(super) fn redacted(code: ReplyCode, raw: Vec<u8>, repeated: bool) -> Self {
        let read = Self::from_lines(&split_lines(&raw), raw.clone());
        let mut reply = read.unwrap_or(Self { code, enhanced: None, lines: Vec::new(), raw, flaws: Vec::new() });
        reply.flaws.extend(repeated.then_some(Flaw::RepeatsPassword));
        reply
    }

    fn from_lines(lines: &[Line<'_>], raw: Vec<u8>) -> Option<Self> {
        let code = lines.iter().rev().find_map(|line| line.code)?;
        let texts: Vec<String> = lines.iter().map(|line| String::from_utf8_lossy(line.text).into_owned()).collect();
        let enhanced =
            texts.iter().find_map(|t| enhanced_at_start(t).map(|(e, _)| e)).or_else(|| texts.iter().find_map(|t| enhanced_at_end(t)));
        let mut flaws = Vec::new();
        let mut note = |flaw, there| {
            if there {
                flaws.push(flaw);
            }
        };
        note(Flaw::MixedCodes, lines.iter().any(|line| line.code.is_some_and(|c| c != code)));
        note(Flaw::BareLineFeed, raw.split_inclusive(|b| *b == b'\n').any(|line| !line.ends_with(b"\r\n")));
        note(Flaw::NoSeparator, lines.iter().any(|line| line.code.is_some() && line.separator == Separator::None));
        note(Flaw::LineWithoutCode, lines.iter().any(|line| line.code.is_none()));
        note(Flaw::LongLine, raw.split_inclusive(|b| *b == b'\n').any(|line| line.len() > LINE_OF_THE_RFC));
        note(Flaw::NotUtf8, std::str::from_utf8(&raw).is_err());
        note(Flaw::UnknownClass, code.class() == CodeClass::Unknown);
        note(
            Flaw::ClassMismatch,
            enhanced.is_some_and(|e| u16::from(e.class) != code.number() / 100 && code.class() != CodeClass::Intermediate),
        );
        Some(Self { code, enhanced, lines: texts, raw, flaws })
    }
}

/// `5.1.1 text`, `#5.1.1 text`, `5.1.1: text`: the enhanced code at the start, and what follows it.
fn enhanced_at_start(line: &str) -> Option<(EnhancedCode, &str)> {
    let line = line.trim_start();
    let bare = line.strip_prefix('#').unwrap_or(line);
    let end = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
    let (token, rest) = bare.split_at(end);
    let code = token.parse().ok()?;
    let rest = rest.strip_prefix([':', ',']).unwrap_or(rest);
    (rest.is_empty() || rest.starts_with(char::is_whitespace) || rest.starts_with(['<', '-'])).then(|| (code, rest.trim_start()))
}

/// `text (#5.1.1)`, the form of the qmail family.
fn enhanced_at_end(line: &str) -> Option<EnhancedCode> {
    let inner = line.trim_end().strip_suffix(')')?;
    inner.rsplit_once("(#")?.1.parse().ok()
}

/// What the reader found next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A whole reply.
    Reply(Reply),
    /// A line that begins no reply; its bytes.
    Garbage(Vec<u8>),
    /// A line, or a reply, that exceeds every limit; what had come so far. Nothing can be read after it.
    TooLong(Vec<u8>),
}

/// Cuts a stream of bytes into replies, whatever pieces it comes in.
#[derive(Clone, Debug, Default)]
pub struct ReplyReader {
    buffer: Vec<u8>,
    /// Where the first line that was not looked at yet begins; the lines before it belong to an unfinished reply.
    scanned: usize,
    lines: usize,
    overflowed: bool,
}

impl ReplyReader {
    /// Adds what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.overflowed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether nothing is left that belongs to no item yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Everything that has arrived and is not part of an item; the reader is empty afterwards.
    pub fn take_rest(&mut self) -> Vec<u8> {
        (self.scanned, self.lines) = (0, 0);
        std::mem::take(&mut self.buffer)
    }

    /// What is left when the connection has ended: a last line without its line end still counts, a reply without its last
    /// line does not.
    pub fn finish(&mut self) -> Option<Item> {
        if self.buffer.is_empty() {
            return None;
        }
        let raw = self.take_rest();
        let lines = split_lines(&raw);
        let whole = lines.last().is_some_and(|last| last.code.is_some() && last.separator != Separator::Hyphen);
        let reply = if whole { Reply::from_lines(&lines, raw.clone()) } else { None };
        Some(reply.map_or(Item::Garbage(raw), Item::Reply))
    }

    fn take(&mut self, end: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(end);
        (self.scanned, self.lines) = (0, 0);
        std::mem::replace(&mut self.buffer, rest)
    }

    fn overflow(&mut self) -> Item {
        self.overflowed = true;
        let mut bytes = self.take_rest();
        bytes.truncate(REPLY_LIMIT);
        Item::TooLong(bytes)
    }
}

impl Iterator for ReplyReader {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            let Some(length) = self.buffer[self.scanned..].iter().position(|b| *b == b'\n') else {
                let open = self.buffer.len() - self.scanned;
                return (open > LINE_LIMIT || self.buffer.len() > REPLY_LIMIT).then(|| self.overflow());
            };
            let end = self.scanned + length + 1;
            if length > LINE_LIMIT || end > REPLY_LIMIT || self.lines >= LINES_LIMIT {
                return Some(self.overflow());
            }
            let line = parse_line(&self.buffer[self.scanned..end]);
            match (line.code, line.separator, self.scanned) {
                (None, _, 0) => return Some(Item::Garbage(self.take(end))),
                (Some(_), Separator::Hyphen, _) | (None, _, _) => {
                    self.scanned = end;
                    self.lines += 1;
                }
                (Some(_), _, _) => {
                    let raw = self.take(end);
                    return Reply::from_lines(&split_lines(&raw), raw.clone()).map(Item::Reply);
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Separator {
    Blank,
    Hyphen,
    End,
    None,
}

/// One line, read.
struct Line<'a> {
    code: Option<ReplyCode>,
    separator: Separator,
    text: &'a [u8],
}

fn split_lines(raw: &[u8]) -> Vec<Line<'_>> {
    raw.split_inclusive(|b| *b == b'\n').map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Line<'_> {
    let mut end = line.len();
    while end > 0 && matches!(line[end - 1], b'\r' | b'\n') {
        end -= 1;
    }
    let line = &line[..end];
    let none = Line { code: None, separator: Separator::None, text: line };
    let Some((digits, rest)) = line.split_first_chunk::<3>() else { return none };
    let Some(code) = std::str::from_utf8(digits).ok().and_then(|d| d.parse::<ReplyCode>().ok()) else { return none };
    let (separator, text) = match rest.split_first() {
        None => (Separator::End, rest),
        Some((b' ' | b'\t', text)) => (Separator::Blank, text),
        Some((b'-', text)) => (Separator::Hyphen, text),
        // A fourth digit makes it some other number ("2500 messages"), not a code.
        Some((b'0'..=b'9', _)) => return none,
        Some(_) => (Separator::None, rest),
    };
    Line { code: Some(code), separator, text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<Item> {
        let mut reader = ReplyReader::default();
        reader.push(bytes);
        let mut items: Vec<Item> = reader.by_ref().collect();
        items.extend(reader.finish());
        items
    }

    fn one(bytes: &[u8]) -> Reply {
        match <[Item; 1]>::try_from(read(bytes)) {
            Ok([Item::Reply(reply)]) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_servers_really_send_is_read() {
        use Flaw::{BareLineFeed, ClassMismatch, LineWithoutCode, MixedCodes, NoSeparator, NotUtf8, UnknownClass};
        type Row = (&'static [u8], u16, &'static str, &'static str, &'static [Flaw]);
        let table: [Row; 22] = [
            (b"250 Ok\r\n", 250, "", "Ok", &[]),
            (b"250\r\n", 250, "", "", &[]),
            (b"250 \r\n", 250, "", "", &[]),
            (b"421\r\n", 421, "", "", &[]),
            (b"250-a\r\n250-b\r\n250 c\r\n", 250, "", "a b c", &[]),
            (b"250-a\n250 c\n", 250, "", "a c", &[BareLineFeed]),
            (b"250 c", 250, "", "c", &[BareLineFeed]),
            (b"250OK\r\n", 250, "", "OK", &[NoSeparator]),
            (b"250\tOK\r\n", 250, "", "OK", &[]),
            (b"220-a\r\n554 b\r\n", 554, "", "a b", &[MixedCodes]),
            (b"550-a\r\nno code here\r\n550 b\r\n", 550, "", "a no code here b", &[LineWithoutCode]),
            (b"571 no\r\n", 571, "", "no", &[]),
            (b"099 odd\r\n", 99, "", "odd", &[UnknownClass]),
            (b"999 odd\r\n", 999, "", "odd", &[UnknownClass]),
            (b"550 5.1.1 <a@b>: unknown\r\n", 550, "5.1.1", "<a@b>: unknown", &[]),
            (b"550-5.7.26 one\r\n550-5.7.26 two\r\n550 5.7.26 three\r\n", 550, "5.7.26", "one two three", &[]),
            (b"550 #5.1.0 Address rejected\r\n", 550, "5.1.0", "Address rejected", &[]),
            (b"553 sorry (#5.7.1)\r\n", 553, "5.7.1", "sorry (#5.7.1)", &[]),
            (b"452 5.2.2 full\r\n", 452, "5.2.2", "full", &[ClassMismatch]),
            (b"220 4.1.1.1 hello\r\n", 220, "", "4.1.1.1 hello", &[]),
            (b"550 bo\xeete pleine\r\n", 550, "", "bo\u{fffd}te pleine", &[NotUtf8]),
            (b"250 lone\rreturn\r\r\n", 250, "", "lone return", &[]),
        ];
        for (bytes, code, enhanced, text, flaws) in table {
            let reply = one(bytes);
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(reply.code.number(), code, "{shown}");
            assert_eq!(reply.enhanced.map(|e| e.to_string()).unwrap_or_default(), enhanced, "{shown}");
            assert_eq!(reply.text(), text, "{shown}");
            assert_eq!(reply.flaws, flaws, "{shown}");
            assert_eq!(reply.raw, bytes, "{shown}");
        }
    }

    #[test]
    fn what_is_no_reply_is_handed_over_as_such() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\r\n",
            b"25 x\r\n",
            b"2500 messages\r\n",
            b"\x15\x03\x01\x00\x02\x02\x0a",
        ] {
            assert!(matches!(read(bytes).first(), Some(Item::Garbage(_))), "{bytes:?}");
        }
    }

    #[test]
    fn nothing_is_read_without_end() {
        for bytes in [vec![b'2'; 100_000], b"250-x\r\n".repeat(20_000), [b"250-".to_vec(), vec![b'x'; 9_000], b"\r\n".to_vec()].concat()] {
            let mut reader = ReplyReader::default();
            reader.push(&bytes);
            assert!(matches!(reader.next(), Some(Item::TooLong(kept)) if kept.len() <= REPLY_LIMIT));
            reader.push(&bytes);
            assert!(reader.is_empty(), "after an overflow nothing is kept");
        }
    }

    #[test]
    fn enhanced_codes_are_three_numbers_of_a_known_class() {
        for (text, good) in [
            ("5.1.1", true),
            ("2.0.0", true),
            ("4.7.999", true),
            ("3.1.1", false),
            ("5.1", false),
            ("5.1.1.1", false),
            ("5.1.1000", false),
            ("5..1", false),
            ("+5.1.1", false),
        ] {
            assert_eq!(text.parse::<EnhancedCode>().is_ok(), good, "{text}");
        }
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(b"250 ok\r\n".to_vec()),
            Just(b"250-5.1.1 more\r\n".to_vec()),
            Just(b"550 no\n".to_vec()),
            Just(b"rubbish\r\n".to_vec()),
            Just(b"421".to_vec()),
            Just(b"\r\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
        ]
    }

    proptest! {
        #[test]
        fn the_way_the_bytes_are_cut_changes_nothing(pieces in proptest::collection::vec(piece(), 0..20), cuts in proptest::collection::vec(0usize..400, 0..40)) {
            let bytes = pieces.concat();
            let mut reader = ReplyReader::default();
            let mut items = Vec::new();
            let mut from = 0;
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c < bytes.len()).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            for to in cuts {
                reader.push(&bytes[from..to]);
                items.extend(reader.by_ref());
                from = to;
            }
            items.extend(reader.finish());
            prop_assert_eq!(items, read(&bytes));
        }

        #[test]
        fn no_byte_is_lost_and_none_invented(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let together: Vec<u8> = read(&bytes).into_iter().flat_map(|item| match item {
                Item::Reply(reply) => reply.raw,
                Item::Garbage(raw) | Item::TooLong(raw) => raw,
            }).collect();
            prop_assert_eq!(together, bytes);
        }
    }
}
