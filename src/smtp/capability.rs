//! What a server says it can do: the keywords of its EHLO reply (RFC 5321 §4.1.1.1), as sent.

use super::Reply;

/// One keyword with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The keyword in upper case.
    pub keyword: String,
    /// What follows it, split at blanks, as sent.
    pub parameters: Vec<String>,
}

/// All keywords of one EHLO reply, in the order sent; empty after HELO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<Capability>);

impl Capabilities {
    /// Reads an EHLO reply: the first line is a greeting, each further line a keyword. The old form `AUTH=LOGIN` is read as
    /// `AUTH LOGIN` and joined with a modern line, if there is one.
    #[must_use]
    pub fn from_reply(reply: &Reply) -> Self {
        let mut all: Vec<Capability> = Vec::new();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            let (keyword, glued) = match first.split_once('=') {
                Some((keyword, value)) if keyword.eq_ignore_ascii_case("AUTH") => (keyword, Some(value)),
                _ => (first, None),
            };
            let keyword = keyword.to_uppercase();
            let parameters = glued.into_iter().chain(words).filter(|word| !word.is_empty()).map(str::to_owned);
            match all.iter_mut().find(|known| known.keyword == keyword) {
                Some(known) => {
                    for parameter in parameters {
                        if !known.parameters.iter().any(|p| p.eq_ignore_ascii_case(&parameter)) {
                            known.parameters.push(parameter);
                        }
                    }
                }
                None => all.push(Capability { keyword, parameters: parameters.collect() }),
            }
        }
        Self(all)
    }

    /// Every keyword, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = &Capability> {
        self.0.iter()
    }

    /// Whether none was offered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parameters of `keyword` (in upper case); none if it was not offered.
    #[must_use]
    pub fn parameters(&self, keyword: &str) -> Option<&[String]> {
        self.0.iter().find(|known| known.keyword == keyword).map(|known| known.parameters.as_slice())
    }

    /// Whether `keyword` (in upper case) was offered.
    #[must_use]
    pub fn has(&self, keyword: &str) -> bool {
        self.parameters(keyword).is_some()
    }

    /// The largest message in octets that the server says it takes (RFC 1870 §4); none if SIZE was not offered, or without a
    /// number, or with 0, which mean that no limit is named.
    #[must_use]
    pub fn size_limit(&self) -> Option<u64> {
        self.parameters("SIZE")?.first()?.parse().ok().filter(|limit| *limit > 0)
    }

    /// The login mechanisms offered, in upper case; empty if none.
    #[must_use]
    pub fn login_mechanisms(&self) -> Vec<String> {
        self.parameters("AUTH").unwrap_or_default().iter().map(|m| m.to_uppercase()).collect()
    }

    /// Keywords that something on the path has painted over (`XXXXXXXA`), as inspecting firewalls do.
    pub fn masked(&self) -> impl Iterator<Item = &Capability> {
        self.0.iter().filter(|c| c.keyword.len() >= 4 && c.keyword.starts_with("XXXX") && c.keyword.trim_matches('X').len() <= 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Capabilities {
        Capabilities::from_reply(&Reply::parse(text).expect(text))
    }

    #[test]
    fn keywords_are_read_in_any_case_with_their_parameters() {
        let capabilities = read(
            "250-mx.example.com Hello\r\n250-size 52428800\r\n250-Pipelining\r\n250-auth LOGIN plain\r\n250-AUTH=PLAIN CRAM-MD5\r\n250-LIMITS RCPTMAX=100\r\n250 STARTTLS\r\n",
        );
        assert_eq!(capabilities.size_limit(), Some(52_428_800));
        assert!(capabilities.has("PIPELINING") && capabilities.has("STARTTLS") && !capabilities.has("DSN"));
        assert_eq!(capabilities.login_mechanisms(), ["LOGIN", "PLAIN", "CRAM-MD5"]);
        assert_eq!(capabilities.parameters("LIMITS"), Some(&["RCPTMAX=100".to_owned()][..]));
        assert_eq!(
            capabilities.iter().map(|c| c.keyword.as_str()).collect::<Vec<_>>(),
            ["SIZE", "PIPELINING", "AUTH", "LIMITS", "STARTTLS"]
        );
    }

    #[test]
    fn the_greeting_line_is_no_keyword_and_nothing_is_made_up() {
        assert!(read("250 STARTTLS").is_empty());
        assert_eq!(read("250-hi\r\n250 SIZE\r\n").size_limit(), None);
        assert_eq!(read("250-hi\r\n250 SIZE 0\r\n").size_limit(), None);
        assert_eq!(read("250-hi\r\n250 SIZE x\r\n").size_limit(), None);
        assert!(!read("250-hi\r\n250-\r\n250 \r\n").has(""));
    }

    #[test]
    fn painted_over_keywords_are_seen() {
        let capabilities = read("250-hi\r\n250-XXXXXXXA\r\n250-XXXB\r\n250-X-EXPS LOGIN\r\n250 XCLIENT NAME\r\n");
        assert_eq!(capabilities.masked().map(|c| c.keyword.as_str()).collect::<Vec<_>>(), ["XXXXXXXA"]);
    }
}
