//! A mail taken apart (RFC 5322, RFC 2045-2047, RFC 6522): its head, what it tells a person, what it tells a program, what it returns.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use mail_parser::{Address, ContentType, HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::{boundary, html as html_text, returned, words};

/// So much of a mail is looked at.
const LIMIT: usize = 1 << 20;
/// So much of what it tells a person is looked at.
const PROSE: usize = 64 * 1024;
/// A mail may hold this many parts that hold others; each of them may make the parser look through all the rest.
const NESTS: usize = 200;
/// A mail may hold this many mails; they lie in each other.
const MAILS: usize = 50;
/// So much of a returned message's head is looked at.
const HEAD: usize = 32 * 1024;

/// A mail taken apart. Texts have LF line ends.
#[derive(Default)]
pub(super) struct Letter<'a> {
    /// The sender's address (From); lower case is not forced on it.
    pub(super) from: Option<String>,
    /// The sender's name.
    pub(super) from_name: String,
    /// Whom it is addressed to (To).
    pub(super) to: Vec<String>,
    /// The subject, decoded.
    pub(super) subject: String,
    message: Option<&'a Message<'a>>,
    /// The [`mark`] of each of its fields.
    names: u64,
    /// What a person is told.
    pub(super) prose: String,
    /// Where in it the notice's own words stand, and what it quotes.
    own: Range<usize>,
    quoted: Range<usize>,
    /// Each part with the fields of a delivery report (RFC 3464).
    pub(super) reports: Vec<String>,
    /// The part with the fields of a feedback report (RFC 5965).
    pub(super) feedback: Option<String>,
    /// The returned message's head, as it stands.
    pub(super) returned: String,
    /// The first mail that it holds.
    pub(super) attached: Option<&'a Message<'a>>,
}

impl Letter<'_> {
    /// What a person is told, without the message that is returned.
    pub(super) fn own_words(&self) -> &str {
        self.prose.get(self.own.clone()).unwrap_or_default()
    }

    /// What of it is quoted from the message that is returned.
    pub(super) fn quoted(&self) -> &str {
        self.prose.get(self.quoted.clone()).unwrap_or_default()
    }

    /// The value of the first field of that name, in one line; none if there is none.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        self.fields(name).next()
    }

    /// The values of all fields of that name.
    pub(super) fn fields<'n>(&self, name: &'n str) -> impl Iterator<Item = String> + use<'_, 'n> {
        let headers = self.message.filter(|_| self.names & mark(name) != 0).map(Message::headers).unwrap_or_default();
        headers.iter().filter(move |header| header.name().eq_ignore_ascii_case(name)).map(|header| {
            let raw =
                self.message.and_then(|message| message.raw_message.get(header.offset_start() as usize..header.offset_end() as usize));
            unfolded(raw.unwrap_or_default())
        })
    }
}

/// A bit for a field's name, whatever the case of its letters: most fields that are asked for are not there.
fn mark(name: &str) -> u64 {
    let last = name.bytes().last().unwrap_or_default().to_ascii_lowercase();
    1 << ((usize::from(last) * 31 + name.len()) % 64)
}

/// Takes the mail apart and hands it over.
pub(super) fn with<T>(mail: &[u8], then: impl FnOnce(&Letter<'_>) -> T) -> T {
    let (mail, returned) = bounded(mail);
    // Where a report was found, nobody asks for more than the head of the message that is returned, which may be long.
    if let Some(message) = returned.and_then(|end| parser().parse(&mail[..end])).filter(has_report) {
        return with_message(&message, then);
    }
    let Some(message) = parser().parse(mail.as_ref()) else { return then(&Letter::default()) };
    let supplied = boundary::supplied(&message);
    match supplied.as_ref().and_then(|mail| parser().parse(mail)) {
        Some(message) => with_message(&message, then),
        None => with_message(&message, then),
    }
}

fn has_report(message: &Message<'_>) -> bool {
    message.parts.iter().any(|part| is(part, "message", "delivery-status") || is(part, "message", "global-delivery-status"))
}

/// Whether a part has that type.
fn is(part: &MessagePart<'_>, main: &str, sub: &str) -> bool {
    part.content_type().is_some_and(|kind| {
        kind.ctype().eq_ignore_ascii_case(main) && kind.subtype().is_some_and(|subtype| subtype.eq_ignore_ascii_case(sub))
    })
}

/// A parser for what is asked of a head here; the many other fields are left as they are.
fn parser() -> &'static MessageParser {
    static PARSER: OnceLock<MessageParser> = OnceLock::new();
    PARSER.get_or_init(|| {
        let parser = MessageParser::new().with_mime_headers().header_text(HeaderName::Subject);
        parser.header_address(HeaderName::From).header_address(HeaderName::To).default_header_ignore()
    })
}

/// The same for a mail that was taken apart already.
pub(super) fn with_message<T>(message: &Message<'_>, then: impl FnOnce(&Letter<'_>) -> T) -> T {
    let names = message.headers().iter().fold(0, |names, header| names | mark(header.name()));
    let subject = message.subject().unwrap_or_default().to_owned();
    let mut letter = Letter { subject, message: Some(message), names, ..Letter::default() };
    if let Some(from) = message.from().and_then(Address::first) {
        letter.from = from.address().map(str::to_owned);
        from.name().unwrap_or_default().clone_into(&mut letter.from_name);
    }
    letter.to = message.to().into_iter().flat_map(Address::iter).filter_map(|to| to.address()).map(str::to_owned).collect();
    let mut html = Vec::new();
    for part in &message.parts {
        sort(part, &mut letter, &mut html);
    }
    // Some send nothing but HTML; where there is text beside it, that says the same.
    if letter.prose.trim().is_empty() {
        for text in html.iter().map(|text| html_text::text(text, PROSE)) {
            append(&mut letter.prose, &text);
        }
    }
    (letter.own, letter.quoted) = returned::own_words(&letter.prose);
    then(&letter)
}

/// Puts a part where it belongs.
fn sort<'a>(part: &'a MessagePart<'a>, letter: &mut Letter<'a>, html: &mut Vec<&'a str>) {
    match &part.body {
        PartType::Multipart(_) => {}
        PartType::Message(message) => {
            if letter.attached.is_none() {
                letter.attached = Some(message);
                let body = message.parts.first().map_or(0, MessagePart::raw_body_offset) as usize;
                let start = message.parts.first().map_or(0, MessagePart::raw_header_offset) as usize;
                letter.returned = text(message.raw_message.get(start..body).unwrap_or_default(), HEAD);
            }
        }
        _ if is(part, "message", "delivery-status") || is(part, "message", "global-delivery-status") => {
            letter.reports.push(text(part.contents(), LIMIT));
        }
        _ if is(part, "message", "feedback-report") => letter.feedback = Some(text(part.contents(), PROSE)),
        _ if is(part, "text", "rfc822-headers") || is(part, "message", "global-headers") || is(part, "message", "partial") => {
            if letter.returned.is_empty() {
                letter.returned = text(part.contents(), HEAD);
            }
        }
        PartType::Html(text) => html.push(text),
        PartType::Text(text) => {
            // A file that happens to be text is no part of what is told.
            let plain = part.content_type().is_none_or(|kind| kind.subtype() == Some("plain"));
            if plain || !part.content_disposition().is_some_and(ContentType::is_attachment) {
                append(&mut letter.prose, text);
            }
        }
        PartType::Binary(_) | PartType::InlineBinary(_) => {}
    }
}

fn append(prose: &mut String, more: &str) {
    let room = PROSE.saturating_sub(prose.len());
    if !prose.is_empty() && !prose.ends_with('\n') {
        prose.push('\n');
    }
    push_with_line_feeds(prose, words::cut(more, room));
}

fn text(bytes: &[u8], limit: usize) -> String {
    let mut text = String::with_capacity(bytes.len().min(limit));
    push_with_line_feeds(&mut text, &lossy(&bytes[..bytes.len().min(limit)]));
    text
}

/// As text; most of it is, which is soon seen.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Line ends become LF; a CR inside a line becomes one as well, since there are mails with nothing else.
fn push_with_line_feeds(target: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\r', rest.as_bytes()) {
        target.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let again = rest.trim_start_matches('\r');
        if again.starts_with('\n') {
            rest = again;
        } else {
            target.push('\n');
        }
    }
    target.push_str(rest);
}

/// A field's value in one line.
fn unfolded(raw: &[u8]) -> String {
    let text = lossy(raw);
    let text = text.trim();
    if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none() {
        return text.to_owned();
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// The mail without the line that mbox puts before it, with line ends that the parser knows, and without what could keep it busy; and
/// where the head of the first mail that it holds ends, if a report stands before that.
fn bounded(mail: &[u8]) -> (Cow<'_, [u8]>, Option<usize>) {
    let mail = &mail[..mail.len().min(LIMIT)];
    let mut start = mail.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let bare = memchr::memchr(b'\n', mail).is_none();
    if mail[start..].starts_with(b"From ") {
        start += memchr::memchr(if bare { b'\r' } else { b'\n' }, &mail[start..]).map_or(0, |end| end + 1);
    }
    let mail = &mail[start..];
    let mail: Cow<'_, [u8]> =
        if bare { Cow::Owned(mail.iter().map(|b| if *b == b'\r' { b'\n' } else { *b }).collect()) } else { Cow::Borrowed(mail) };
    let (end, first) = nests(&mail);
    let returned = first.and_then(|at| end_of_head(&mail, at)).and_then(|at| end_of_head(&mail, at)).filter(|at| *at < end);
    let mail = match mail {
        Cow::Borrowed(mail) => Cow::Borrowed(&mail[..end]),
        Cow::Owned(mut mail) => {
            mail.truncate(end);
            Cow::Owned(mail)
        }
    };
    (mail, returned)
}

/// Behind the next blank line.
fn end_of_head(mail: &[u8], from: usize) -> Option<usize> {
    memchr::memchr_iter(b'\n', &mail[from..]).map(|at| from + at + 1).find_map(|next| match &mail[next..] {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

/// Where the mail is cut so that no more than [`NESTS`] and [`MAILS`] are in it, and where the first mail in it is announced, if a
/// report is before that.
fn nests(mail: &[u8]) -> (usize, Option<usize>) {
    let (mut nests, mut mails, mut has_report) = (0, 0, false);
    let (mut end, mut first) = (mail.len(), None);
    // Each type that holds others has one of these in it, and text has few of them.
    for at in memchr::memchr2_iter(b'/', b'8', mail) {
        let before = &mail[..at];
        match mail[at] {
            b'/' => {
                nests += usize::from(before.len() >= 9 && before[before.len() - 9..].eq_ignore_ascii_case(b"multipart"));
                let rest = &mail[at + 1..];
                let is_global = starts_ignoring_case(rest, b"global");
                mails += usize::from(is_global || starts_ignoring_case(rest, b"digest"));
                has_report |= is_global || starts_ignoring_case(rest, b"delivery-status");
            }
            // `message/rfc822`, however it is spaced; not the type of an address, which begins a field's value.
            b'8' if mail[at..].starts_with(b"822") && before.len() >= 3 && before[before.len() - 3..].eq_ignore_ascii_case(b"rfc") => {
                let last = before[..before.len() - 3].iter().rev().find(|b| !b.is_ascii_whitespace());
                mails += usize::from(last.is_some_and(|b| *b != b':'));
                if last == Some(&b'/') {
                    first = first.or(Some((at, has_report)));
                }
            }
            _ => {}
        }
        if nests > NESTS || mails > MAILS {
            end = at;
            break;
        }
    }
    (end, first.filter(|(_, has_report)| *has_report).map(|(at, _)| at))
}

fn starts_ignoring_case(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
}

/// Whether `text` begins with a mail's head.
pub(super) fn has_head(text: &[u8]) -> bool {
    const USUAL: [&[u8]; 12] = [
        b"from",
        b"to",
        b"subject",
        b"date",
        b"message-id",
        b"received",
        b"return-path",
        b"mime-version",
        b"content-type",
        b"delivered-to",
        b"reply-to",
        b"x-failed-recipients",
    ];
    let text = &text[..text.len().min(HEAD)];
    let start = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let mut usual = Vec::new();
    let mut lines = text[start..].split(|b| matches!(b, b'\n' | b'\r')).enumerate().filter(|(_, line)| !line.is_empty());
    for (at, line) in lines.by_ref() {
        if at == 0 && line.starts_with(b"From ") || matches!(line.first(), Some(b' ' | b'\t')) && at > 0 {
            continue;
        }
        let Some(colon) = memchr::memchr(b':', line) else { break };
        let name = line[..colon].trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            break;
        }
        if let Some(known) = USUAL.iter().find(|known| name.eq_ignore_ascii_case(known))
            && !usual.contains(known)
        {
            usual.push(known);
        }
    }
    usual.len() >= 2
}
