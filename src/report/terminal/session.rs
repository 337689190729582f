//! One session, line by line, with each reply explained.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{INDENT, View, duration};
use crate::diagnosis::fill;
use crate::probe::Role;
use crate::report::page::{BOLD, ODD, PLAIN, SENT, SOFT, name_in};
use crate::report::{CertificatePart, EventKind, EventPart, SessionPart};
use crate::smtp::{Capabilities, Purpose, Reply, Verb};

impl View<'_> {
    pub(super) fn session(&mut self, session: &SessionPart, place: &str) {
        let roles: BTreeMap<String, String> = self.knowledge.phrases("role");
        let role = (session.role != Role::Asked).then(|| name_in(&roles, session.role));
        if !has_words(session)
            && let Some(failed) = session.events.iter().find(|event| event.kind == EventKind::Failed)
        {
            let about: Vec<String> = role.into_iter().chain(failed.failure.clone()).collect();
            return self.page.ends(PLAIN, place, &about.join(", "));
        }
        let version = session.certificate.as_ref().map(|certificate| certificate.version.clone());
        let about: Vec<String> =
            role.into_iter().chain(session.software.clone()).chain(version).chain([duration(session.total_ms)]).collect();
        self.page.ends(BOLD, place, &about.join(", "));
        let mut last_sent = None;
        let mut secure = session.tls == "implicit";
        for (index, event) in session.events.iter().enumerate() {
            self.introduce_control(session, index);
            if self.is_hidden(event) {
                continue;
            }
            let again = event.kind == EventKind::Sent && last_sent == Some(event.at_ms);
            last_sent = (event.kind == EventKind::Sent).then_some(event.at_ms);
            let at = if again { String::new() } else { format!("{:.0}", (event.at_ms - session.began_ms).max(0.0)) };
            self.event(session, index, event, &at, secure);
            secure |= event.kind == EventKind::Secured;
        }
    }

    /// What belongs to a control question's set-up says nothing.
    fn is_hidden(&self, event: &EventPart) -> bool {
        let frame =
            matches!(event.answers, Some(Verb::Mail | Verb::Rset)) || event.command.as_ref().is_some_and(|c| !c.starts_with("RCPT"));
        // Open relays differ in what they make of senders, too.
        let telling = event.purpose == Some(Purpose::Relay) && event.command.as_ref().is_some_and(|c| c.starts_with("MAIL"));
        let yes = event.code.is_none_or(|code| code < 400);
        !self.look.verbose && (event.kind == EventKind::Connected || (event.purpose.is_some() && frame && yes && !telling))
    }

    fn introduce_control(&mut self, session: &SessionPart, index: usize) {
        let purpose = session.events[index].purpose;
        let known = session.events[..index].iter().any(|event| event.purpose == purpose);
        let words = match purpose {
            Some(Purpose::CatchAll) => &self.phrases.control_catch_all,
            Some(Purpose::Postmaster) => &self.phrases.control_postmaster,
            Some(Purpose::Relay) => &self.phrases.control_relay,
            Some(Purpose::Injection) => &self.phrases.injection,
            _ => return,
        };
        if !known {
            self.page.paragraph(SOFT, "      ==  ", INDENT, words);
        }
    }

    fn event(&mut self, session: &SessionPart, index: usize, event: &EventPart, at: &str, secure: bool) {
        let lead = |mark: &str| format!("{at:>5} {mark:<4}");
        match event.kind {
            EventKind::Connected => self.page.paragraph(SOFT, &lead("=="), INDENT, "TCP"),
            EventKind::Sent => {
                let mark = if secure { " ~>" } else { " ->" };
                self.page.paragraph(SENT, &lead(mark), INDENT, event.command.as_deref().unwrap_or_default());
            }
            EventKind::Reply => {
                let mark = match (event.unasked, secure) {
                    (true, _) => "**",
                    (false, true) => "<~",
                    (false, false) => "<-",
                };
                self.reply(session, index, event, &lead(mark));
            }
            EventKind::Premature => self.page.paragraph(ODD, &lead("**"), INDENT, event.text.as_deref().unwrap_or_default().trim_end()),
            EventKind::Secured => {
                let words = session.certificate.as_ref().map(|c| self.certificate(session, c)).unwrap_or_default();
                self.page.paragraph(SOFT, &lead("=="), INDENT, &words);
                if let Some(certificate) = session.certificate.as_ref().filter(|_| self.look.verbose) {
                    self.papers(certificate);
                }
            }
            EventKind::Content => {
                let mark = if secure { " ~>" } else { " ->" };
                let words = fill(&self.phrases.content, |_| event.text.clone());
                self.page.paragraph(SENT, &lead(mark), INDENT, &words);
            }
            EventKind::Surveyed => {
                let words = fill(&self.phrases.surveyed, |_| event.text.clone());
                self.page.paragraph(ODD, &lead("=="), INDENT, &words);
            }
            EventKind::Failed => self.page.paragraph(ODD, &lead("**"), INDENT, event.failure.as_deref().unwrap_or_default()),
        }
    }

    fn reply(&mut self, session: &SessionPart, index: usize, event: &EventPart, lead: &str) {
        let Some(code) = event.code else { return };
        let extensions = event.answers == Some(Verb::Ehlo) && code == 250;
        if extensions && !self.look.verbose {
            // The extensions in words are their own annotation.
            return self.page.paragraph(PLAIN, lead, INDENT, &format!("{code:03} {}", self.extensions(event)));
        }
        for (place, line) in as_sent(event, code).iter().enumerate() {
            let lead = if place == 0 { lead } else { INDENT };
            self.page.paragraph(PLAIN, lead, INDENT, line);
        }
        let Some(annotation) = &event.annotation else { return };
        let decides = event.purpose.is_none() && session.answer.as_ref().is_some_and(|answer| answer.event == Some(index));
        let challenge = event.challenge.as_deref().map(plain);
        let words = if let Some(challenge) = challenge.as_ref().filter(|_| !self.look.verbose) {
            format!("{}: \"{challenge}\"", annotation.title)
        } else if decides || self.look.verbose {
            format!("{}: {}", annotation.title, annotation.meaning)
        } else {
            format!("{}.", annotation.title)
        };
        self.page.paragraph(SOFT, INDENT, INDENT, &words);
        if let Some(challenge) = challenge.filter(|_| self.look.verbose) {
            self.page.paragraph(SOFT, INDENT, INDENT, &format!("\"{challenge}\""));
        }
        let goes_on = session.events[index + 1..].iter().any(|event| event.kind == EventKind::Content);
        if code == 354 && !goes_on {
            self.page.paragraph(SOFT, INDENT, INDENT, &self.phrases.dropped.clone());
        }
    }

    /// An EHLO reply in words: what an administrator wants to know of it, the most telling first.
    fn extensions(&self, event: &EventPart) -> String {
        let words: BTreeMap<String, String> = self.knowledge.phrases("keywords");
        let lines = event.lines.join("\r\n250-");
        let Some(reply) = Reply::parse(&format!("250-{lines}\r\n250 \r\n")) else { return String::new() };
        let offered = Capabilities::from_reply(&reply);
        let word = |key: &str| {
            let filled = fill(words.get(key)?, |slot| match slot {
                "size" => offered.size_limit().map(size),
                "mechanisms" => Some(offered.login_mechanisms().join(" ")),
                _ => None,
            });
            Some(filled)
        };
        let telling =
            [("SIZE", "size"), ("STARTTLS", "starttls"), ("AUTH", "login"), ("PIPELINING", "pipelining"), ("SMTPUTF8", "smtputf8")]
                .into_iter()
                .chain([("REQUIRETLS", "requiretls"), ("DSN", "dsn"), ("CHUNKING", "chunking")])
                .filter(|(keyword, _)| offered.has(keyword))
                .filter_map(|(keyword, key)| word(if keyword == "SIZE" && offered.size_limit().is_none() { "size_open" } else { key }));
        let masked = offered.masked().map(|capability| capability.keyword.clone());
        let said: Vec<String> = telling.chain(masked).collect();
        if said.is_empty() { word("none").unwrap_or_default() } else { said.join(", ") }
    }

    /// One line when all is well; else everything that is wrong.
    fn certificate(&self, session: &SessionPart, certificate: &CertificatePart) -> String {
        if certificate.trusted {
            let days = certificate.own.days_left.unwrap_or_default().to_string();
            let good =
                fill(&self.phrases.certificate_trusted, |slot| Some(if slot == "days" { days.clone() } else { session.host.clone() }));
            return self.tls_up(certificate, &good);
        }
        let why: Vec<&str> = certificate.reasons.iter().map(|reason| reason.text.as_str()).collect();
        self.tls_up(certificate, &fill(&self.phrases.certificate_unverified, |_| Some(why.join("; "))))
    }

    /// Everything about TLS and the certificates as sent.
    fn papers(&mut self, certificate: &CertificatePart) {
        let group = certificate.group.clone().unwrap_or_default();
        let name = certificate.server_name.clone().unwrap_or_default();
        let agreed = fill(&self.phrases.cipher, |slot| {
            Some(match slot {
                "cipher" => certificate.cipher.clone(),
                "group" => group.clone(),
                _ => name.clone(),
            })
        });
        self.page.paragraph(SOFT, INDENT, INDENT, &agreed);
        for (number, paper) in certificate.chain.iter().enumerate() {
            let number = (number + 1).to_string();
            let key = paper.key.as_ref().map(|key| {
                let size = key.curve.clone().or_else(|| key.bits.map(|bits| bits.to_string()));
                std::iter::once(key.kind.clone()).chain(size).collect::<Vec<_>>().join(" ")
            });
            let value = |slot: &str| match slot {
                "number" => Some(number.clone()),
                "subject" => paper.subject.clone(),
                "issuer" => paper.issuer.clone(),
                "names" => Some(paper.names.join(", ")),
                "from" => paper.not_before.clone(),
                "until" => paper.not_after.clone(),
                "serial" => paper.serial.clone(),
                "key" => key.clone(),
                "algorithm" => paper.signature_algorithm.clone(),
                _ => None,
            };
            self.page.paragraph(SOFT, INDENT, "            ", &fill(&self.phrases.subject, value));
            let read = paper.subject.is_some();
            let lines = [&self.phrases.issuer, &self.phrases.names, &self.phrases.validity, &self.phrases.key];
            let mut lines: Vec<String> = lines.into_iter().filter(|_| read).map(|template| fill(template, value)).collect();
            let digests = [(&self.phrases.fingerprint, &paper.sha256), (&self.phrases.key_fingerprint, &paper.spki_sha256)];
            lines.extend(
                digests.into_iter().filter_map(|(template, digest)| Some(fill(template, |_| digest.clone())).filter(|_| digest.is_some())),
            );
            for line in lines {
                self.page.paragraph(SOFT, "            ", "            ", &line);
            }
        }
    }

    fn tls_up(&self, certificate: &CertificatePart, words: &str) -> String {
        fill(&self.phrases.tls_up, |slot| Some(if slot == "version" { certificate.version.clone() } else { words.to_owned() }))
    }
}

/// Whether the server said anything at all; a session without is told in one line.
pub(super) fn has_words(session: &SessionPart) -> bool {
    session.events.iter().any(|event| matches!(event.kind, EventKind::Reply | EventKind::Premature | EventKind::Secured))
}

/// A reply's lines with their codes, as they came: from the bytes where the reply breaks a rule.
fn as_sent(event: &EventPart, code: u16) -> Vec<String> {
    if let Some(bytes) = event.raw.as_ref().and_then(|raw| BASE64.decode(raw).ok()) {
        return String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect();
    }
    let last = event.lines.len().saturating_sub(1);
    let separator = |place| if place < last { '-' } else { ' ' };
    event.lines.iter().enumerate().map(|(place, line)| format!("{code:03}{}{line}", separator(place)).trim_end().to_owned()).collect()
}

/// A challenge without the marks of JSON, which nobody needs for reading.
fn plain(challenge: &str) -> String {
    challenge.chars().filter(|c| !matches!(c, '{' | '}' | '"')).collect()
}

/// Octets in the unit that administrators think in: `50 MB` (of 1,048,576 octets, as servers set it) or the number.
fn size(octets: u64) -> String {
    const MEGA: u64 = 1 << 20;
    match octets {
        0..MEGA => format!("{octets} octets"),
        _ if octets.is_multiple_of(MEGA) || octets >= 100 * MEGA => format!("{} MB", octets / MEGA),
        _ => format!("{}.{} MB", octets / MEGA, (octets % MEGA) * 10 / MEGA),
    }
}
