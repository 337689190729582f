//! What is on the line: the probe at one end, real servers at the other.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::link;
use crate::measure::Cost;
use crate::namespaces::{Namespaces, inside, ip, run, start};

/// The client.
const CLIENT: &str = "198.51.100.1";
/// Postfix and the DNS server.
pub(crate) const SERVER: &str = "198.51.100.2";
/// The server that sends at once.
const AT_ONCE: &str = "198.51.100.3";
/// Postfix again, as another host.
const SECOND: &str = "198.51.100.4";
const CLIENT_V6: &str = "2001:db8::1";
/// Both hosts over IPv6.
const SERVER_V6: &str = "2001:db8::2";
const SECOND_V6: &str = "2001:db8::4";
/// Addresses that swallow what is sent to them.
const DEAD: &str = "203.0.113.1";
const DEAD_V6: &str = "2001:db8:dead::1";

const DNS: &str = "\
no-resolv
no-hosts
local=/test/
bind-interfaces
listen-address=198.51.100.2
user=root
mx-host=postfix.test,mx.postfix.test,10
host-record=mx.postfix.test,198.51.100.2
mx-host=at-once.test,mx.at-once.test,10
host-record=mx.at-once.test,198.51.100.3
mx-host=late.test,dead.late.test,10
mx-host=late.test,mx.postfix.test,20
host-record=dead.late.test,203.0.113.1
mx-host=half.test,mx.half.test,10
host-record=mx.half.test,198.51.100.2,2001:db8:dead::1
mx-host=ports.test,mx1.postfix.test,10
mx-host=ports.test,mx2.postfix.test,20
host-record=mx1.postfix.test,198.51.100.2,2001:db8::2
host-record=mx2.postfix.test,198.51.100.4,2001:db8::4
mx-host=silent.test,mx1.postfix.test,10
mx-host=silent.test,mx2.silent.test,20
host-record=mx2.silent.test,203.0.113.1,2001:db8:dead::1
mx-host=policy.test,mx.postfix.test,10
txt-record=_mta-sts.policy.test,\"v=STSv1; id=1;\"
host-record=mta-sts.policy.test,198.51.100.2
mx-host=mute.test,mx.postfix.test,10
txt-record=_mta-sts.mute.test,\"v=STSv1; id=1;\"
host-record=mta-sts.mute.test,203.0.113.1
";
/// The policy of `policy.test`, in its place.
const POLICY: (&str, &str) = (".well-known/mta-sts.txt", "version: STSv1\r\nmode: testing\r\nmx: mx.postfix.test\r\nmax_age: 86400\r\n");
const POSTFIX: &str = "\
compatibility_level = 3.6
queue_directory = @/queue
data_directory = @/data
maillog_file = @/mail.log
maillog_file_prefixes = @
myhostname = mx.postfix.test
mydestination =
alias_maps =
inet_interfaces = 198.51.100.2, 198.51.100.4, 2001:db8::2, 2001:db8::4
inet_protocols = all
virtual_mailbox_domains = postfix.test, late.test, half.test, policy.test, mute.test
virtual_mailbox_maps = static:all
virtual_transport = discard:
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_cert_file = @/certificate.pem
smtpd_tls_key_file = @/key.pem
";
/// The namespaces with what runs in them.
pub(crate) struct Lab(Namespaces);

impl Lab {
    /// Makes both namespaces and starts the servers.
    pub(crate) fn open(round_trip: Duration) -> io::Result<Self> {
        let lab = Self(Namespaces::open(round_trip)?);
        lab.lay_out_network()?;
        lab.0.start_dns(SERVER, DNS)?;
        lab.0.start_postfix(POSTFIX)?;
        lab.start_policy_host()?;
        let itself = std::env::current_exe()?;
        start(inside(&lab.0.server, &itself).args(["serve", &format!("{AT_ONCE}:25")]))?;
        lab.0.wait_for(&[
            format!("{SERVER}:53"),
            format!("{SERVER}:25"),
            format!("[{SECOND_V6}]:465"),
            format!("{AT_ONCE}:25"),
            format!("{SERVER}:443"),
        ])?;
        Ok(lab)
    }

    fn lay_out_network(&self) -> io::Result<()> {
        ip(&self.0.client, &format!("address add {CLIENT}/24 dev {}", link::DEVICE))?;
        ip(&self.0.client, &format!("address add {CLIENT_V6}/64 dev {} nodad", link::DEVICE))?;
        ip(&self.0.server, &format!("address add {SERVER}/24 dev {}", link::DEVICE))?;
        for address in [AT_ONCE, SECOND] {
            ip(&self.0.server, &format!("address add {address}/32 dev {}", link::DEVICE))?;
        }
        for address in [SERVER_V6, SECOND_V6] {
            ip(&self.0.server, &format!("address add {address}/64 dev {} nodad", link::DEVICE))?;
        }
        // A tunnel that nobody reads.
        ip(&self.0.client, "tuntap add mode tun dev dead0")?;
        ip(&self.0.client, "link set dead0 up")?;
        ip(&self.0.client, &format!("route add {DEAD}/32 dev dead0"))?;
        ip(&self.0.client, &format!("-6 route add {DEAD_V6}/128 dev dead0"))
    }

    /// OpenSSL's web server, with a certificate of an authority of its own.
    fn start_policy_host(&self) -> io::Result<()> {
        let request = |more: &[&str]| {
            let mut openssl = Command::new("openssl");
            openssl.current_dir(&self.0.folder).args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
            run(openssl.args(["-days", "30"]).args(more))
        };
        request(&["-subj", "/CN=lab", "-keyout", "authority-key.pem", "-out", "authority.pem"])?;
        let issued = ["-CA", "authority.pem", "-CAkey", "authority-key.pem", "-keyout", "https-key.pem", "-out", "https.pem"];
        let named = ["-subj", "/CN=policy", "-addext", "subjectAltName=DNS:mta-sts.policy.test", "-addext", "basicConstraints=CA:FALSE"];
        request(&[&issued[..], &named].concat())?;
        fs::create_dir(self.0.folder.join(".well-known"))?;
        self.0.write(POLICY.0, POLICY.1)?;
        let mut server = inside(&self.0.server, Path::new("openssl"));
        server.current_dir(&self.0.folder).args(["s_server", "-quiet", "-WWW", "-accept", &format!("{SERVER}:443")]);
        start(server.args(["-cert", "https.pem", "-key", "https-key.pem"]))?;
        Ok(())
    }

    /// Runs a command in the client's namespace, and in the folder in which `authority.pem` lies.
    pub(crate) fn measure(&self, program: &str, arguments: &[&str]) -> io::Result<Cost> {
        self.0.measure(program, arguments)
    }
}
