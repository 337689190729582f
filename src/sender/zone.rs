//! A zone at hand, for tests: lines of a name, a type and what stands there.

use std::net::IpAddr;

use crate::route::{LookupFailure, LookupKind, QueryName, Record, Records};
use crate::sender::Dns;

/// Lines such as `example.com TXT v=spf1 -all`, `example.com MX 10 mx.example.com`, `example.com TXT SERVFAIL`.
pub(super) struct Zone<'a>(pub(super) &'a str);

impl Zone<'_> {
    fn lines(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.lines().map(str::trim_start).filter(|line| !line.is_empty()).map(|line| {
            let (name, rest) = line.split_once(' ').expect(line);
            let (kind, data) = rest.split_once(' ').expect(line);
            (name, kind, data)
        })
    }

    fn find(&self, name: &QueryName, kind: LookupKind) -> Records {
        let is_name = |line: &&(&str, &str, &str)| line.0.eq_ignore_ascii_case(name.as_str());
        let all: Vec<_> = self.lines().collect();
        let of_type: Vec<&str> = all.iter().filter(is_name).filter(|line| line.1 == kind.as_str()).map(|line| line.2).collect();
        if of_type == ["SERVFAIL"] {
            return Records::Failed(LookupFailure::ServFail);
        }
        if !of_type.is_empty() {
            return Records::Found(of_type.iter().map(|data| record(kind, data)).collect());
        }
        let below = format!(".{}", name.as_str().to_ascii_lowercase());
        let exists = all.iter().any(|line| is_name(&line) || line.0.to_ascii_lowercase().ends_with(&below));
        if exists { Records::NoData } else { Records::NxDomain }
    }
}

fn record(kind: LookupKind, data: &str) -> Record {
    match kind {
        LookupKind::Mx => {
            let (preference, host) = data.split_once(' ').expect(data);
            Record::Exchange(preference.parse().expect(data), host.parse().ok())
        }
        LookupKind::Ptr => Record::Pointer(data.parse().ok()),
        LookupKind::A | LookupKind::Aaaa => Record::Address(data.parse::<IpAddr>().expect(data)),
        _ => Record::Text(data.as_bytes().to_vec()),
    }
}

impl Dns for Zone<'_> {
    async fn ask(&self, name: &QueryName, kind: LookupKind) -> Records {
        self.find(name, kind)
    }
}
