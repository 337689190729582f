//! Whether an answer of the DNS can be relied upon (DNSSEC: RFC 4033 §5, RFC 6840 §5.7, RFC 8914).
//!
//! Two can tell: the resolver, which says with the bit AD that it has validated the answer, and whose word counts only if it
//! cannot be forged on the way; and validation here, from a trust anchor.

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};

/// What is known of the authenticity of an answer, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// Signatures lead from a trust anchor to the answer, be it that there is nothing.
    Secure(Validator),
    /// The answer is not signed, as far as the validator can see. A resolver that does not validate at all says the same.
    Insecure(Validator),
    /// The answer should be signed, and the signatures do not hold: the resolver refuses it with this extended error
    /// (RFC 8914 §4), none if it gave no such reason, and gives it away only to those who ask for it unchecked.
    Bogus(Option<u16>),
    /// Nobody can tell.
    Unknown(Doubt),
}

/// Who has found an answer to be secure or insecure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Validator {
    /// The resolver asked, which is trusted: it is on this machine, or the user or the system says so.
    Resolver,
    /// This program, from the trust anchor given.
    Here,
}

/// Why nobody can tell whether an answer is authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// The DNS was not asked: the answer was given, stood in the hosts file, or goes without saying.
    AtHand,
    /// The resolver is far, and not said to be reached safely: what it says of the answer could come from anybody.
    Untrusted {
        /// Whether it says that the answer is authentic.
        says_secure: bool,
    },
    /// There is no answer.
    NoAnswer,
    /// Validation here came to no end: a server on the way did not answer, or said what cannot be understood.
    Unproven,
}

impl Security {
    /// The name used in JSON: `secure`, `insecure`, `bogus`, `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secure(_) => "secure",
            Self::Insecure(_) => "insecure",
            Self::Bogus(_) => "bogus",
            Self::Unknown(_) => "unknown",
        }
    }

    /// The name of the reason, used in JSON.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Secure(Validator::Resolver) | Self::Insecure(Validator::Resolver) => "resolver",
            Self::Secure(Validator::Here) | Self::Insecure(Validator::Here) => "validation",
            Self::Bogus(_) => "refused_by_resolver",
            Self::Unknown(Doubt::AtHand) => "not_asked",
            Self::Unknown(Doubt::Untrusted { .. }) => "resolver_not_trusted",
            Self::Unknown(Doubt::NoAnswer) => "no_answer",
            Self::Unknown(Doubt::Unproven) => "unproven",
        }
    }

    /// Whether the answer is proven to be authentic.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Secure(_))
    }

    /// Whether the DNS was not asked at all.
    #[must_use]
    pub const fn is_at_hand(self) -> bool {
        matches!(self, Self::Unknown(Doubt::AtHand))
    }

    /// What holds for two answers that rest on each other: as much as for the weaker one. What the DNS was not asked for weakens
    /// nothing. That one of them is certainly not signed says more than that of one nothing is known.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other.weakness() > self.weakness() { other } else { self }
    }

    /// The same for any number; [`Doubt::AtHand`] for none.
    pub(super) fn of_all(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::Unknown(Doubt::AtHand), Self::and)
    }

    const fn weakness(self) -> u8 {
        match self {
            Self::Unknown(Doubt::AtHand) => 0,
            Self::Secure(_) => 1,
            Self::Unknown(Doubt::Untrusted { .. }) => 2,
            Self::Unknown(Doubt::Unproven) => 3,
            Self::Unknown(Doubt::NoAnswer) => 4,
            Self::Insecure(_) => 5,
            Self::Bogus(_) => 6,
        }
    }
}

/// What a resolver says of its own answer, if it is one (RFC 6840 §5.8).
pub(super) fn of_answer(message: &Message, trusted: bool) -> Security {
    let says_secure = message.metadata.authentic_data;
    match message.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain if !trusted => Security::Unknown(Doubt::Untrusted { says_secure }),
        ResponseCode::NoError | ResponseCode::NXDomain if says_secure => Security::Secure(Validator::Resolver),
        ResponseCode::NoError | ResponseCode::NXDomain => Security::Insecure(Validator::Resolver),
        _ => Security::Unknown(Doubt::NoAnswer),
    }
}

/// Why a resolver that can validate may have refused to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// It says that the answer does not validate, and by which extended error.
    Said(u16),
    /// It does not say why: many resolvers never do.
    Unsaid,
}

/// Whether a SERVFAIL may hide an answer that does not validate. Another reason given, such as that no server of the domain
/// could be reached, rules it out.
pub(super) fn suspicion(message: &Message) -> Option<Suspicion> {
    /// "Other Error", which says nothing.
    const OTHER: u16 = 0;
    if message.metadata.response_code != ResponseCode::ServFail {
        return None;
    }
    let errors = extended_errors(message);
    // "DNSSEC Bogus" to "NSEC Missing".
    match errors.iter().find(|code| (6..=12).contains(*code)) {
        Some(code) => Some(Suspicion::Said(*code)),
        None if errors.iter().all(|code| *code == OTHER) => Some(Suspicion::Unsaid),
        None => None,
    }
}

/// The codes of the Extended DNS Errors (RFC 8914 §2): the first two octets of each option 15, before text that is for people.
fn extended_errors(message: &Message) -> Vec<u16> {
    const OPTION: u16 = 15;
    const LIMIT: usize = 16;
    let Some(edns) = &message.edns else { return Vec::new() };
    let code = |(code, option): &(EdnsCode, EdnsOption)| match option {
        EdnsOption::Unknown(_, data) if u16::from(*code) == OPTION => data.first_chunk::<2>().map(|code| u16::from_be_bytes(*code)),
        _ => None,
    };
    edns.options().as_ref().iter().filter_map(code).take(LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::{Edns, OpCode};
    use hickory_resolver::proto::rr::rdata::OPT;

    use super::*;

    fn answer(code: ResponseCode) -> Message {
        let mut message = Message::response(1, OpCode::Query);
        message.metadata.response_code = code;
        message
    }

    #[test]
    fn only_a_trusted_resolver_is_believed() {
        for (code, says_secure, trusted, expected) in [
            (ResponseCode::NoError, true, true, Security::Secure(Validator::Resolver)),
            (ResponseCode::NXDomain, true, true, Security::Secure(Validator::Resolver)),
            (ResponseCode::NoError, false, true, Security::Insecure(Validator::Resolver)),
            (ResponseCode::NoError, true, false, Security::Unknown(Doubt::Untrusted { says_secure: true })),
            (ResponseCode::NXDomain, false, false, Security::Unknown(Doubt::Untrusted { says_secure: false })),
            // What is no answer is not secure, whatever bits it carries.
            (ResponseCode::ServFail, true, true, Security::Unknown(Doubt::NoAnswer)),
            (ResponseCode::Refused, true, true, Security::Unknown(Doubt::NoAnswer)),
        ] {
            let mut message = answer(code);
            message.metadata.authentic_data = says_secure;
            assert_eq!(of_answer(&message, trusted), expected, "{code} {says_secure} {trusted}");
        }
    }

    #[test]
    fn extended_errors_say_whether_a_failure_is_about_signatures() {
        let options = |list: &[(u16, &[u8])]| {
            let mut message = answer(ResponseCode::ServFail);
            let mut edns = Edns::new();
            let option = |(code, data): &(u16, &[u8])| (EdnsCode::from(*code), EdnsOption::Unknown(*code, data.to_vec()));
            *edns.options_mut() = OPT::new(list.iter().map(option).collect());
            message.edns = Some(edns);
            // As it comes from the wire.
            Message::from_vec(&message.to_vec().unwrap()).unwrap()
        };
        for (list, expected) in [
            (&[(15, &[0, 6][..])][..], Some(Suspicion::Said(6))),
            (&[(15, b"\0\x07signature expired")], Some(Suspicion::Said(7))),
            (&[(15, &[0, 12])], Some(Suspicion::Said(12))),
            (&[(15, &[0, 22]), (15, &[0, 9])], Some(Suspicion::Said(9))),
            (&[(15, &[0, 22])], None),
            (&[(15, &[0, 5])], None),
            (&[(15, &[0, 13])], None),
            (&[(15, &[1, 6])], None),
            (&[(15, &[0, 0])], Some(Suspicion::Unsaid)),
            // Cut off, or another option altogether.
            (&[(15, &[6])], Some(Suspicion::Unsaid)),
            (&[(16, &[0, 6])], Some(Suspicion::Unsaid)),
            (&[], Some(Suspicion::Unsaid)),
        ] {
            assert_eq!(suspicion(&options(list)), expected, "{list:?}");
        }
        assert_eq!(suspicion(&answer(ResponseCode::ServFail)), Some(Suspicion::Unsaid));
        assert_eq!(suspicion(&answer(ResponseCode::Refused)), None);
    }

    #[test]
    fn a_chain_is_as_strong_as_its_weakest_link() {
        let secure = Security::Secure(Validator::Resolver);
        let insecure = Security::Insecure(Validator::Resolver);
        let unknown = Security::Unknown(Doubt::Unproven);
        let at_hand = Security::Unknown(Doubt::AtHand);
        let bogus = Security::Bogus(Some(6));
        for (all, expected) in [
            (&[secure, secure][..], secure),
            (&[secure, unknown], unknown),
            (&[secure, insecure, unknown], insecure),
            (&[bogus, insecure, secure], bogus),
            (&[at_hand, secure], secure),
            (&[at_hand], at_hand),
            (&[], at_hand),
        ] {
            assert_eq!(Security::of_all(all.iter().copied()), expected);
            assert_eq!(Security::of_all(all.iter().rev().copied()), expected);
        }
    }
}
