//! The questions that tell whether a server relays for strangers: the forms of recipients and senders that open relays fall for
//! (RFC 5321 §7.8 and appendix C, RFC 2505 §2.1). Each is a transaction of its own that ends at RCPT; no message is ever sent.

use std::net::{IpAddr, Ipv4Addr};

use crate::smtp::{Handling, Purpose, Transaction};
use crate::target::{Host, MailDomain, Mailbox};

/// The transactions to hold with `server`. `own` is the user's own address at a domain that the server is not responsible for; a
/// form that it does not fit into is left out. `from` is another sender to be a stranger than `own`.
pub(super) fn transactions(own: &Mailbox, from: Option<&Mailbox>, server: &Host) -> Vec<Transaction> {
    let here = match server {
        Host::Name(name) => MailDomain::Name(name.clone()),
        Host::Address(address) => MailDomain::Literal(*address),
        Host::Socket(_) => MailDomain::Literal(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    };
    let stranger = Some(from.unwrap_or(own).clone());
    let at_server = |local: &str| Mailbox::at(local, here.clone()).ok();
    let (local, domain) = (own.local(), own.domain());
    let of_the_house = at_server("postmaster");
    let routed = Some(own.clone());
    [
        (stranger.clone(), Some(own.clone()), None),
        (None, Some(own.clone()), None),
        (of_the_house.clone(), Some(own.clone()), None),
        (stranger.clone(), at_server(&format!("{local}%{domain}")), None),
        (stranger.clone(), at_server(&format!("{domain}!{local}")), None),
        (stranger.clone(), at_server(&format!("\"{local}@{domain}\"")), None),
        (stranger, routed, Some(here)),
    ]
    .into_iter()
    .filter_map(|(from, recipient, via)| {
        let (recipients, handling) = (vec![recipient?], Handling::default());
        Some(Transaction { from, recipients, via, size: None, handling, message: None, purpose: Purpose::Relay })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::Command;

    fn lines(own: &str, from: Option<&str>, server: &Host) -> Vec<(String, String)> {
        let own: Mailbox = own.parse().expect(own);
        let from: Option<Mailbox> = from.map(|from| from.parse().expect(from));
        let line = |transaction: Transaction| {
            let Transaction { from, mut recipients, via, purpose, .. } = transaction;
            assert_eq!((recipients.len(), purpose), (1, Purpose::Relay));
            let recipient = recipients.remove(0);
            let rcpt = match via {
                Some(via) => Command::RcptVia(via, recipient),
                None => Command::Rcpt { to: recipient, notify: None },
            };
            (from.map(|from| from.to_string()).unwrap_or_default(), rcpt.to_string())
        };
        transactions(&own, from.as_ref(), server).into_iter().map(line).collect()
    }

    #[test]
    fn the_forms_that_open_relays_fall_for() {
        let named = lines("anna@home.example", None, &Host::Name("mx.example.net".parse().expect("a name")));
        let expected = [
            ("anna@home.example", "RCPT TO:<anna@home.example>"),
            ("", "RCPT TO:<anna@home.example>"),
            ("postmaster@mx.example.net", "RCPT TO:<anna@home.example>"),
            ("anna@home.example", "RCPT TO:<anna%home.example@mx.example.net>"),
            ("anna@home.example", "RCPT TO:<home.example!anna@mx.example.net>"),
            ("anna@home.example", "RCPT TO:<\"anna@home.example\"@mx.example.net>"),
            ("anna@home.example", "RCPT TO:<@mx.example.net:anna@home.example>"),
        ];
        assert_eq!(named, expected.map(|(from, line)| (from.to_owned(), line.to_owned())));

        let literal = lines("anna@home.example", Some("x@other.example"), &Host::Address("192.0.2.1".parse().expect("an address")));
        assert!(literal.contains(&("x@other.example".to_owned(), "RCPT TO:<@[192.0.2.1]:anna@home.example>".to_owned())), "{literal:?}");

        // What cannot be quoted once more is left out.
        let quoted = lines("\"a b\"@home.example", None, &Host::Name("mx.example.net".parse().expect("a name")));
        assert_eq!(quoted.len(), 4, "{quoted:?}");
    }
}
