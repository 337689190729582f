//! The name of this host.

use std::fs;

use crate::target::DomainName;

/// The fully qualified name of this host, for EHLO (RFC 5321 §2.3.5); none if it has none that means anything elsewhere.
///
/// The system's name counts if it has a dot; else the hosts file's canonical name for it, as `hostname -f` finds it.
#[must_use]
pub fn host_name() -> Option<DomainName> {
    let short = gethostname::gethostname().into_string().ok()?;
    let hosts = || fs::read_to_string("/etc/hosts").unwrap_or_default();
    public(&short).or_else(|| public(canonical(&short, &hosts())?))
}

/// The first name on the line of a hosts file that carries `short`.
fn canonical<'a>(short: &str, hosts: &'a str) -> Option<&'a str> {
    hosts.lines().find_map(|line| {
        let names = || line.split('#').next().unwrap_or_default().split_whitespace().skip(1);
        names().any(|name| name.eq_ignore_ascii_case(short)).then(|| names().next()).flatten()
    })
}

/// The name, if it could mean this host to somebody else: qualified, and not one of those that every machine has.
fn public(name: &str) -> Option<DomainName> {
    let name: DomainName = name.parse().ok()?;
    let last = name.as_str().rsplit('.').next().unwrap_or_default();
    (name.is_qualified() && !matches!(last, "localdomain" | "localhost" | "local")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_others_can_use_is_told_to_them() {
        let told = |name: &str, hosts: &str| public(name).or_else(|| public(canonical(name, hosts)?)).map(|n| n.to_string());
        let hosts = "127.0.0.1 localhost\n127.0.1.1 probe.example.net probe # this host\n::1 localhost\n";
        assert_eq!(told("mail.example.net", "").as_deref(), Some("mail.example.net"));
        assert_eq!(told("probe", hosts).as_deref(), Some("probe.example.net"));
        assert_eq!(told("other", hosts), None);
        assert_eq!(told("localhost.localdomain", hosts), None);
        assert_eq!(told("macbook.local", hosts), None);
        assert_eq!(told("localhost", hosts), None);
    }
}
