//! What a reply talks about: the address that it turns away, the list that it names, where to read on, how long to wait.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mail::addresses;
use crate::smtp::{Reply, ReplyCode};

/// At most so many of a kind are kept.
const KEPT: usize = 8;
/// A word that is kept has at most this many octets.
const LONGEST: usize = 512;

/// What a reply names, as it stands there. That it is true is another matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mentions {
    /// IP addresses, but for the answers of block lists (127/8).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub addresses: Vec<IpAddr>,
    /// The block list that is named, by the zone that is asked for it or as the reply calls it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub list: Option<String>,
    /// The domain that is on that list, where the reply says that a name is, and not an address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub listed_name: Option<String>,
    /// Where to read on.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub urls: Vec<String>,
    /// The recipient's new address, from a 251 or 551 (RFC 5321 §3.4).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new_address: Option<String>,
    /// A limit that was met: `100 messages`, `10240000 bytes`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<String>,
    /// How long to wait before the next try, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wait: Option<u64>,
    /// The number under which the server has the message in its queue.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queue_id: Option<String>,
}

impl Mentions {
    /// Finds them in the reply's text.
    #[must_use]
    pub fn of(reply: &Reply) -> Self {
        Self::in_text(&reply.text(), reply.code)
    }

    /// The same, where the text is known.
    pub(crate) fn in_text(text: &str, code: ReplyCode) -> Self {
        let low = text.to_ascii_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let lows: Vec<&str> = low.split_whitespace().collect();
        let bares: Vec<&str> = lows.iter().map(|word| bare(word)).collect();
        let list = list(&lows);
        let listed_name = list.as_ref().and_then(|list| listed_name(&lows, list));
        let moved = matches!(code.number(), 251 | 551);
        Self {
            addresses: distinct(words.iter().filter_map(|word| address(word))),
            list,
            listed_name,
            urls: if text.contains("http") { distinct(words.iter().filter_map(|word| url(word))) } else { Vec::new() },
            new_address: if moved { addresses(text).pop() } else { None },
            limit: limit(&lows, &bares),
            wait: if asks_to_wait(&low) { wait(&lows, &bares) } else { None },
            queue_id: queue_id(&words, &bares),
        }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for one in all {
        if kept.len() < KEPT && !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept
}

/// A word without the punctuation round it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// `[192.0.2.1]`, `ip=192.0.2.1`, `(IPv6:2001:db8::1)`, `192.0.2.1:25`.
fn address(word: &str) -> Option<IpAddr> {
    // Most words are told from an address by their punctuation.
    let separators = word.bytes().filter(|octet| matches!(octet, b'.' | b':')).take(2).count();
    if separators < 2 || word.len() > LONGEST || word.contains("://") {
        return None;
    }
    let value = word.rsplit_once(['=', '[', '(']).map_or(word, |(_, value)| value);
    let value = value.split([']', ')', '>', ',', ';']).next().unwrap_or_default();
    let tagged = value.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("ipv6:"));
    let value = if tagged { &value[5..] } else { value };
    let found = value.trim_matches(|c: char| !c.is_ascii_hexdigit() && c != ':').parse::<IpAddr>();
    let found = found.or_else(|_| value.trim_matches(|c: char| !c.is_ascii_hexdigit()).parse::<IpAddr>());
    found.ok().filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

fn url(word: &str) -> Option<String> {
    let start = word.find("https://").or_else(|| word.find("http://"))?;
    let rest = &word[start..];
    let end = rest.find(['<', '>', '"', '\'', ')', ']']).unwrap_or(rest.len());
    let url = rest[..end].trim_end_matches(['.', ',', ';', ':', '!', '?']);
    (url.len() > 10 && url.len() <= LONGEST).then(|| url.to_owned())
}

/// A name of at least two labels, the last of letters.
fn is_domain(word: &str) -> bool {
    let labels: Vec<&str> = word.split('.').collect();
    let fine = |label: &&str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    labels.len() >= 2 && labels.iter().all(fine) && labels.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// What comes before the name of a list, as mail servers put it.
const LISTED: [(&str, &str); 9] = [
    ("blocked", "using"),
    ("listed", "at"),
    ("listed", "in"),
    ("listed", "on"),
    ("listed", "by"),
    ("rejected", "by"),
    ("found", "in"),
    ("blacklisted", "by"),
    ("blocked", "by"),
];

fn leads_to_list(first: &str, second: &str) -> bool {
    LISTED.contains(&(first, second))
}

fn list(words: &[&str]) -> Option<String> {
    let after = words.windows(3).filter(|three| leads_to_list(three[0], three[1])).find_map(|three| {
        let name = three[2].trim_start_matches("http://").trim_start_matches("https://");
        let name = bare(name.split('/').next().unwrap_or_default());
        is_domain(name).then(|| name.to_owned())
    });
    after.filter(|name| name.len() <= LONGEST)
}

/// The name before "blocked using" or "is listed at", if it is none of the list's own.
fn listed_name(words: &[&str], list: &str) -> Option<String> {
    let leads = words.windows(2).enumerate().filter(|(_, two)| leads_to_list(two[0], two[1])).map(|(lead, _)| lead);
    leads.into_iter().find_map(|lead| {
        // Whichever is nearest is what is listed, be it a name or an address.
        let nearest = words[..lead].iter().rev().take(4).map(|word| (bare(word), address(word).is_some()));
        let (name, is_address) = nearest.into_iter().find(|(name, is_address)| *is_address || is_domain(name) && *name != list)?;
        (!is_address).then(|| name.to_owned())
    })
}

/// What limits are counted in.
const UNITS: [&str; 22] = [
    "bytes",
    "octets",
    "byte",
    "kb",
    "kib",
    "kbytes",
    "mb",
    "mib",
    "mbytes",
    "gb",
    "megabytes",
    "kilobytes",
    "recipients",
    "recipient",
    "messages",
    "message",
    "mails",
    "emails",
    "e-mails",
    "connections",
    "connection",
    "errors",
];
/// What speaks of a limit.
const OF_LIMIT: [&str; 12] =
    ["limit", "limits", "limited", "max", "maximum", "maximal", "exceed", "exceeds", "exceeded", "quota", "most", "allowed"];

/// `bares` are the words without the punctuation round them.
fn limit(words: &[&str], bares: &[&str]) -> Option<String> {
    if !bares.iter().any(|word| OF_LIMIT.contains(&word.trim_end_matches(|c: char| !c.is_alphabetic()))) {
        return None;
    }
    let number = |word: &str| (1..=15).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    let pair = bares.windows(2).find(|two| number(two[0]) && UNITS.contains(&two[1]));
    let joined = || {
        let split = |word: &&str| {
            let at = word.find(|c: char| !c.is_ascii_digit())?;
            (at > 0 && UNITS.contains(&&word[at..])).then(|| format!("{} {}", &word[..at], &word[at..]))
        };
        bares.iter().find_map(split)
    };
    // "limit of 25", "limit: 25", "max 25".
    let alone = || {
        words.windows(3).zip(bares.windows(3)).find_map(|(three, bare)| {
            let lead = matches!(bare[0], "limit" | "maximum" | "max");
            let value = if matches!(three[1], "of" | "is" | "=" | ":") { bare[2] } else { bare[1] };
            (lead && number(value)).then(|| value.to_owned())
        })
    };
    pair.map(|two| two.join(" ")).or_else(joined).or_else(alone)
}

/// What leads to a time to wait, within a few words before it.
const BEFORE_WAIT: [&str; 9] = ["retry", "again", "wait", "delayed", "later", "back", "resend", "for", "after"];

fn asks_to_wait(low: &str) -> bool {
    ["retry", "again", "wait", "greylist", "back"].iter().any(|lead| low.contains(lead))
}

/// `bares` are the words without the punctuation round them.
fn wait(words: &[&str], bares: &[&str]) -> Option<u64> {
    let led = |at: usize| words[at.saturating_sub(4)..at].iter().any(|word| BEFORE_WAIT.iter().any(|lead| word.contains(lead)));
    bares.iter().enumerate().find_map(|(at, word)| {
        let split = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        let (digits, unit) = word.split_at(split);
        let number: u64 = digits.parse().ok().filter(|number| *number <= 1_000_000)?;
        if !led(at) {
            return None;
        }
        if unit.starts_with(':') {
            return clock(word);
        }
        let unit = if unit.is_empty() { bares.get(at + 1)? } else { unit };
        let seconds = match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 86_400,
            _ => return None,
        };
        Some(number * seconds)
    })
}

/// `00:05:00`, `05:00`.
fn clock(word: &str) -> Option<u64> {
    let parts: Option<Vec<u64>> = word.split(':').map(|part| part.parse().ok().filter(|value| *value < 1000)).collect();
    let parts = parts.filter(|parts| (2..=3).contains(&parts.len()))?;
    Some(parts.iter().fold(0, |seconds, part| seconds * 60 + part))
}

/// `bares` are the words in small letters without the punctuation round them.
fn queue_id(words: &[&str], bares: &[&str]) -> Option<String> {
    let after = |lead: [&str; 2]| bares.windows(2).position(|two| two == lead).map(|at| at + 2);
    let place = after(["queued", "as"]).or_else(|| after(["queue", "id"])).or_else(|| after(["queued", "mail"]));
    let named = place.and_then(|at| words.get(at)).map(|word| bare(word));
    // Exim's "OK id=1tpA02-0001Xy-2Z".
    let exim = words.iter().find_map(|word| word.strip_prefix("id=")).map(bare);
    let is_id = |id: &&str| (4..=64).contains(&id.len()) && id.bytes().any(|b| b.is_ascii_digit());
    named.or(exim).filter(is_id).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Mentions {
        Mentions::of(&Reply::parse(text).expect("a reply"))
    }

    #[test]
    fn what_a_reply_names_is_found() {
        let listed = of(
            "554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.10",
        );
        assert_eq!(listed.addresses, ["192.0.2.10".parse::<IpAddr>().unwrap()]);
        assert_eq!(listed.list.as_deref(), Some("zen.spamhaus.org"));
        assert_eq!(listed.listed_name, None);
        assert_eq!(listed.urls, ["https://www.spamhaus.org/query/ip/192.0.2.10"]);

        let name = of("554 5.7.1 Service unavailable; Sender address [anna@example.org] blocked using dbl.spamhaus.org");
        assert_eq!(name.listed_name, None, "{name:?}");
        let name = of("550 5.7.1 example.org is listed at dbl.spamhaus.org");
        assert_eq!((name.list.as_deref(), name.listed_name.as_deref()), (Some("dbl.spamhaus.org"), Some("example.org")));
        let second = of("554 5.7.1 Mail is blocked using dbl.spamhaus.org; domain example.net listed at dbl.spamhaus.org");
        assert_eq!(second.listed_name.as_deref(), Some("example.net"));

        assert_eq!(of("551 5.1.6 <anna@example.com>: please try <anna@example.net>").new_address.as_deref(), Some("anna@example.net"));
        assert_eq!(of("550 <anna@example.com>: no").new_address, None);
        assert_eq!(of("250 2.0.0 Ok: queued as 4Z001F0ABC").queue_id.as_deref(), Some("4Z001F0ABC"));
        assert_eq!(of("250 OK id=1tpA02-0001Xy-2Z").queue_id.as_deref(), Some("1tpA02-0001Xy-2Z"));
        assert_eq!(of("250 queued as usual").queue_id, None);
        assert!(of("250 2.1.0 Ok").is_empty());
    }

    #[test]
    fn addresses_stand_in_many_dresses() {
        for text in ["[192.0.2.7]", "(192.0.2.7)", "ip=192.0.2.7", "192.0.2.7:", "mx.example.com[192.0.2.7]:25", "192.0.2.7;"] {
            let found = of(&format!("550 no mail from {text} here")).addresses;
            assert_eq!(found, ["192.0.2.7".parse::<IpAddr>().unwrap()], "{text}");
        }
        for text in ["[2001:db8::7]", "[IPv6:2001:db8::7]", "2001:db8::7"] {
            assert_eq!(of(&format!("550 no mail from {text} here")).addresses, ["2001:db8::7".parse::<IpAddr>().unwrap()], "{text}");
        }
        assert_eq!(of("550 127.0.0.4 and 1.2.3 and 5.7.1 are none").addresses, Vec::<IpAddr>::new());
    }

    #[test]
    fn times_to_wait_are_seconds() {
        for (text, seconds) in [
            ("451 4.7.1 Greylisting in action, please come back in 00:05:00", Some(300)),
            ("450 4.2.0 Greylisted, try again in 300 seconds", Some(300)),
            ("450 Please retry after 15 minutes", Some(900)),
            ("451 try again in 1 hour", Some(3600)),
            ("421 wait 30s and retry", Some(30)),
            ("450 try again later", None),
            ("550 you sent 300 messages", None),
        ] {
            assert_eq!(of(text).wait, seconds, "{text}");
        }
    }

    #[test]
    fn limits_have_their_unit() {
        for (text, limit) in [
            ("552 5.3.4 Message size exceeds limit of 10240000 bytes", Some("10240000 bytes")),
            ("452 4.5.3 Too many recipients: at most 100 recipients are allowed", Some("100 recipients")),
            ("552 message exceeds maximum size of 25MB", Some("25 mb")),
            ("421 too many connections, limit is 10", Some("10")),
            ("550 5.1.1 user 4711 unknown", None),
        ] {
            assert_eq!(of(text).limit.as_deref(), limit, "{text}");
        }
    }
}
