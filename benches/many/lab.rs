//! What is on the line: Postfix for one domain and for a thousand, each with a host and an address of its own, and a server that
//! says yes to everything.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use crate::link;
use crate::measure::Cost;
use crate::namespaces::{Namespaces, inside, ip, start};

const CLIENT: &str = "198.51.100.1";
/// Where the bare client comes from, which knows no manners.
pub(crate) const BARE_CLIENT: &str = "198.51.100.9";
/// Postfix and the DNS server.
pub(crate) const SERVER: &str = "198.51.100.2";
/// Where the server that says yes listens.
pub(crate) const YES_PORT: u16 = 2525;

/// Postfix's own limits are the default ones; only its pause before the first recipient of whoever begins many transactions without
/// a message is left out, which is meant for a full queue.
const POSTFIX: &str = "\
compatibility_level = 3.6
queue_directory = @/queue
data_directory = @/data
maillog_file = @/mail.log
maillog_file_prefixes = @
myhostname = mx.one.test
mydestination =
alias_maps =
inet_interfaces = all
inet_protocols = ipv4
virtual_mailbox_domains = static:all
virtual_mailbox_maps = regexp:@/users
virtual_transport = discard:
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_cert_file = @/certificate.pem
smtpd_tls_key_file = @/key.pem
in_flow_delay = 0
";

/// Hosts of domains: `d0.test` and on.
pub(crate) const DOMAINS: u32 = 5000;

/// The namespaces with what runs in them.
pub(crate) struct Lab(Namespaces);

/// The address of a domain's only host.
pub(crate) fn address(domain: u32) -> String {
    format!("10.0.{}.{}", domain / 200, domain % 200 + 1)
}

impl Lab {
    /// Makes both namespaces and starts Postfix and the DNS server.
    pub(crate) fn open(round_trip: Duration) -> io::Result<Self> {
        let lab = Self(Namespaces::open(round_trip)?);
        let Namespaces { client, server, .. } = &lab.0;
        ip(client, &format!("address add {CLIENT}/24 dev {}", link::DEVICE))?;
        ip(client, &format!("address add {BARE_CLIENT}/24 dev {}", link::DEVICE))?;
        ip(server, &format!("address add {SERVER}/24 dev {}", link::DEVICE))?;
        ip(client, &format!("route add 10.0.0.0/16 via {SERVER}"))?;
        ip(server, "route add local 10.0.0.0/16 dev lo")?;
        let mut dns =
            format!("no-resolv\nno-hosts\nlocal=/test/\nbind-interfaces\nlisten-address={SERVER}\nuser=root\ndns-forward-max=2000\n");
        dns.push_str("mx-host=one.test,mx.one.test,10\nhost-record=mx.one.test,198.51.100.2\n");
        for domain in 0..DOMAINS {
            let _ = writeln!(dns, "mx-host=d{domain}.test,mx.d{domain}.test,10\nhost-record=mx.d{domain}.test,{}", address(domain));
        }
        lab.0.start_dns(SERVER, &dns)?;
        lab.0.write("users", "/^user/ ok\n")?;
        lab.0.start_postfix(POSTFIX)?;
        lab.0.wait_for(&[format!("{SERVER}:53"), "0.0.0.0:25".to_owned()])?;
        Ok(lab)
    }

    /// Starts the server that says yes once so many sessions are open, and gives the file that it writes their number into.
    pub(crate) fn say_yes(&self, wanted: u32) -> io::Result<(Child, PathBuf)> {
        let file = self.0.folder.join("sessions");
        let itself = std::env::current_exe()?;
        let child = start(inside(&self.0.server, &itself).arg("yes").args([YES_PORT.to_string(), wanted.to_string()]).arg(&file))?;
        self.0.wait_for(&[format!("0.0.0.0:{YES_PORT}")])?;
        Ok((child, file))
    }

    /// Writes a file and gives its whole name.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<String> {
        Ok(self.0.write(name, text)?.display().to_string())
    }

    /// Runs a command in the client's namespace.
    pub(crate) fn measure(&self, program: &str, arguments: &[&str]) -> io::Result<Cost> {
        self.0.measure(program, arguments)
    }

    /// The lines of Postfix' log that say that a client came too often, or made too many errors.
    pub(crate) fn limits_touched(&self) -> io::Result<usize> {
        let log = fs::read_to_string(self.0.folder.join("mail.log"))?;
        let touched = |line: &&str| line.contains("too many errors") || line.contains("limit exceeded");
        Ok(log.lines().filter(|line| line.contains(&format!("[{CLIENT}]"))).filter(touched).count())
    }
}
