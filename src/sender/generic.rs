//! Whether the name of an address looks like one that a provider gives to each of its lines, and not like a mail server's.
//!
//! No standard tells them apart, so all that can be said is that a name looks generic. Receivers judge by the same two marks: the
//! address stands in the name, or a word that speaks of access lines does.

use std::net::IpAddr;

/// Parts of names that speak of access lines, as whole words.
const WORDS: [&str; 35] = [
    "adsl",
    "bband",
    "broadband",
    "cable",
    "catv",
    "cpe",
    "cust",
    "customer",
    "customers",
    "dhcp",
    "dial",
    "dialin",
    "dialup",
    "dip",
    "dsl",
    "dslb",
    "dyn",
    "dynamic",
    "dynamicip",
    "dynip",
    "ftth",
    "fttx",
    "lte",
    "mobile",
    "pool",
    "pools",
    "ppp",
    "pppoe",
    "residential",
    "staticip",
    "unassigned",
    "vdsl",
    "wireless",
    "wlan",
    "xdsl",
];

/// Parts that show that a name was given on purpose.
const MAIL_WORDS: [&str; 11] = ["mail", "mx", "smtp", "mta", "relay", "out", "outbound", "mailout", "email", "gw", "sender"];

/// So many octets of an IPv4 address in a row are no coincidence.
const OCTETS: usize = 3;
/// So many groups of an IPv6 address in a row.
const GROUPS: usize = 4;

/// What makes a name look generic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generic {
    /// The address stands in it, in whichever notation.
    Address,
    /// This word, which speaks of access lines.
    Word(String),
}

impl Generic {
    /// What of `name` makes it look generic for `address`; none if nothing does.
    #[must_use]
    pub fn of(name: &str, address: IpAddr) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        if holds(&name, address.to_canonical()) {
            return Some(Self::Address);
        }
        // The registered domain may be called as it likes.
        let host = name.rmatch_indices('.').nth(1).map_or("", |(dot, _)| &name[..dot]);
        let parts: Vec<&str> = host.split(['.', '-', '_']).filter(|part| !part.is_empty()).collect();
        let words: Vec<&str> = parts.iter().map(|part| part.trim_matches(|c: char| c.is_ascii_digit())).collect();
        if words.iter().any(|word| MAIL_WORDS.contains(word)) {
            return None;
        }
        let joined = words.windows(2).find(|pair| matches!(pair, ["static", "ip"] | ["ip", "static"])).map(|pair| pair.join("-"));
        joined.or_else(|| words.iter().find(|word| WORDS.contains(word)).map(|word| (*word).to_owned())).map(Self::Word)
    }
}

fn holds(name: &str, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let octets = v4.octets();
            let numbers: Vec<&str> = name.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty()).collect();
            let decimal: Vec<Option<u8>> = numbers.iter().map(|run| run.parse().ok()).collect();
            let padded = octets.map(|octet| format!("{octet:03}")).concat();
            let plain = octets.map(|octet| octet.to_string()).concat();
            // Fewer digits than eight stand in many a name by chance.
            let run_together = numbers.iter().any(|run| run.contains(&padded) || (plain.len() >= 8 && run.contains(&plain)));
            let hex = octets.map(|octet| format!("{octet:02x}")).concat();
            is_in_a_row(&octets.map(Some), &decimal, OCTETS) || run_together || hexadecimal(name).any(|run| run == hex)
        }
        IpAddr::V6(v6) => {
            let groups = v6.segments();
            let written: Vec<Option<u16>> = name
                .split(['.', '-', '_', 'x'])
                .map(|part| (part.len() <= 4).then(|| u16::from_str_radix(part, 16).ok()).flatten())
                .collect();
            let nibbles = groups.map(|group| format!("{group:04x}")).concat();
            let interface = nibbles.get(16..).unwrap_or_default();
            // A mostly empty address, such as one that ends in ::1, has zeros in a row that mean nothing.
            let telling = |group: &&u16| **group != 0;
            let in_a_row = groups.iter().filter(telling).count() >= GROUPS && is_in_a_row(&groups.map(Some), &written, GROUPS);
            let single: String = name.split('.').take_while(|part| part.len() == 1).collect();
            let turned: String = single.chars().rev().collect();
            let dense = interface.chars().filter(|c| *c != '0').count() >= 6;
            let run_together = hexadecimal(name).any(|run| run.contains(&nibbles) || (dense && run.contains(interface)));
            in_a_row || run_together || (single.len() >= 16 && (nibbles.starts_with(&turned) || nibbles.ends_with(&turned)))
        }
    }
}

/// Whether so many neighbours among `wanted` stand side by side in `found`, forward or backward.
fn is_in_a_row<T: PartialEq>(wanted: &[Option<T>], found: &[Option<T>], count: usize) -> bool {
    wanted.windows(count).any(|some| found.windows(count).any(|run| run == some || (run.iter().eq(some.iter().rev()))))
}

/// The runs of hexadecimal digits.
fn hexadecimal(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_holds_its_address_looks_generic() {
        for (name, address) in [
            ("ec2-203-0-113-9.compute.example.com", "203.0.113.9"),
            ("static.9.113.0.203.clients.example.com", "203.0.113.9"),
            ("host-113-0-203.example.com", "203.0.113.9"),
            ("ip-203000113009.example.com", "203.0.113.9"),
            ("h20301139x.example.com", "203.0.113.9"),
            ("pcb007109.dip0.example.com", "203.0.113.9"),
            ("cb007109.example.com", "203.0.113.9"),
            ("2001-db8-a-b-c-d-e-f.example.com", "2001:db8:a:b:c:d:e:f"),
            ("20010db8000a000b0211aafffe00beef.example.com", "2001:db8:a:b:211:aaff:fe00:beef"),
            ("ip-0211aafffe00beef.example.com", "2001:db8:a:b:211:aaff:fe00:beef"),
            ("f.e.e.b.0.0.e.f.f.f.a.a.1.1.2.0.example.com", "2001:db8:a:b:211:aaff:fe00:beef"),
        ] {
            let address = address.parse().expect(address);
            assert_eq!(Generic::of(name, address), Some(Generic::Address), "{name}");
        }
    }

    #[test]
    fn words_of_access_lines_look_generic_unless_the_name_speaks_of_mail() {
        for (name, word) in [
            ("p5.dip0.example.com", Some("dip")),
            ("dyn-17.city.example.com", Some("dyn")),
            ("dhcp4.example.co.uk", Some("dhcp")),
            ("pool-12.isp.example.com", Some("pool")),
            ("static-ip-7.example.com", Some("static-ip")),
            ("cable.line3.example.com", Some("cable")),
            ("mail.dyn.com", None),
            ("a.pool.example", None),
            ("smtp-pool-1.example.com", None),
            ("mx1.example.com", None),
            ("static.example.com", None),
            ("cable.example", None),
            ("dynamo.example.com", None),
            ("out-12.smtp.example.com", None),
        ] {
            let found = Generic::of(name, "203.0.113.9".parse().expect("an address"));
            assert_eq!(found, word.map(|word| Generic::Word(word.to_owned())), "{name}");
        }
    }

    #[test]
    fn numbers_by_chance_are_no_address() {
        for (name, address) in [
            ("mail-203-0.example.com", "203.0.113.9"),
            ("mx9.example.com", "203.0.113.9"),
            ("mail1111.example.com", "1.1.1.1"),
            ("a0.0.0.0.example.com", "2001:db8::1"),
            ("mail.example.com", "2001:db8::1"),
            ("deadbeef.example.com", "203.0.113.9"),
        ] {
            assert_eq!(Generic::of(name, address.parse().expect(address)), None, "{name}");
        }
    }
}
