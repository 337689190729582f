//! Two network namespaces with a line between them: the probe in one, real servers in the other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::link;
use crate::measure::Cost;

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
/// A server is up within this time.
const PATIENCE: Duration = Duration::from_secs(10);

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
const SERVICES: &str = "\
smtp inet n - n - - smtpd
587 inet n - n - - smtpd
465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

/// The namespaces and what runs in them, until it is dropped.
pub(crate) struct Lab {
    client: String,
    server: String,
    folder: PathBuf,
}

impl Lab {
    /// Makes both namespaces and starts the servers.
    pub(crate) fn open(round_trip: Duration) -> io::Result<Self> {
        let id = process::id();
        let lab = Self {
            client: format!("round-trips-{id}1"),
            server: format!("round-trips-{id}2"),
            folder: PathBuf::from(format!("/tmp/round-trips-{id}")),
        };
        fs::create_dir(&lab.folder)?;
        for namespace in [&lab.client, &lab.server] {
            run(Command::new("ip").args(["netns", "add", namespace]))?;
            ip(namespace, "link set lo up")?;
        }
        link::join([&lab.client, &lab.server], round_trip / 2)?;
        lab.lay_out_network()?;
        lab.start_dns()?;
        lab.start_postfix()?;
        lab.start_policy_host()?;
        let itself = std::env::current_exe()?;
        start(inside(&lab.server, &itself).args(["serve", &format!("{AT_ONCE}:25")]))?;
        lab.wait_for_servers()?;
        Ok(lab)
    }

    fn lay_out_network(&self) -> io::Result<()> {
        ip(&self.client, &format!("address add {CLIENT}/24 dev {}", link::DEVICE))?;
        ip(&self.client, &format!("address add {CLIENT_V6}/64 dev {} nodad", link::DEVICE))?;
        ip(&self.server, &format!("address add {SERVER}/24 dev {}", link::DEVICE))?;
        for address in [AT_ONCE, SECOND] {
            ip(&self.server, &format!("address add {address}/32 dev {}", link::DEVICE))?;
        }
        for address in [SERVER_V6, SECOND_V6] {
            ip(&self.server, &format!("address add {address}/64 dev {} nodad", link::DEVICE))?;
        }
        // A tunnel that nobody reads.
        ip(&self.client, "tuntap add mode tun dev dead0")?;
        ip(&self.client, "link set dead0 up")?;
        ip(&self.client, &format!("route add {DEAD}/32 dev dead0"))?;
        ip(&self.client, &format!("-6 route add {DEAD_V6}/128 dev dead0"))
    }

    fn start_dns(&self) -> io::Result<()> {
        let file = self.write("dnsmasq.conf", DNS)?;
        let settings = format!("--conf-file={}", file.display());
        start(inside(&self.server, Path::new("dnsmasq")).args(["--keep-in-foreground", "--pid-file", &settings]))?;
        Ok(())
    }

    fn start_postfix(&self) -> io::Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=mx.postfix.test", "-keyout"]);
        run(openssl.arg(self.folder.join("key.pem")).arg("-out").arg(self.folder.join("certificate.pem")))?;
        self.write("main.cf", &POSTFIX.replace('@', &self.folder.display().to_string()))?;
        self.write("master.cf", SERVICES)?;
        for name in ["queue", "data"] {
            fs::create_dir(self.folder.join(name))?;
        }
        run(Command::new("chown").arg("postfix").arg(self.folder.join("data")))?;
        run(inside(&self.server, Path::new("postfix")).arg("-c").arg(&self.folder).arg("start"))
    }

    /// OpenSSL's web server, with a certificate of an authority of its own.
    fn start_policy_host(&self) -> io::Result<()> {
        let request = |more: &[&str]| {
            let mut openssl = Command::new("openssl");
            openssl.current_dir(&self.folder).args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
            run(openssl.args(["-days", "30"]).args(more))
        };
        request(&["-subj", "/CN=lab", "-keyout", "authority-key.pem", "-out", "authority.pem"])?;
        let issued = ["-CA", "authority.pem", "-CAkey", "authority-key.pem", "-keyout", "https-key.pem", "-out", "https.pem"];
        let named = ["-subj", "/CN=policy", "-addext", "subjectAltName=DNS:mta-sts.policy.test", "-addext", "basicConstraints=CA:FALSE"];
        request(&[&issued[..], &named].concat())?;
        fs::create_dir(self.folder.join(".well-known"))?;
        self.write(POLICY.0, POLICY.1)?;
        let mut server = inside(&self.server, Path::new("openssl"));
        server.current_dir(&self.folder).args(["s_server", "-quiet", "-WWW", "-accept", &format!("{SERVER}:443")]);
        start(server.args(["-cert", "https.pem", "-key", "https-key.pem"]))?;
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Waits until all of them listen.
    fn wait_for_servers(&self) -> io::Result<()> {
        let began = Instant::now();
        for place in
            [format!("{SERVER}:53"), format!("{SERVER}:25"), format!("[{SECOND_V6}]:465"), format!("{AT_ONCE}:25"), format!("{SERVER}:443")]
        {
            while !self.listens(&place)? {
                if began.elapsed() > PATIENCE {
                    return Err(io::Error::other(format!("nothing listens at {place}")));
                }
                sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    fn listens(&self, place: &str) -> io::Result<bool> {
        let output = inside(&self.server, Path::new("ss")).arg("-lntH").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == place))
    }

    /// Runs a command in the client's namespace, and in the folder in which `authority.pem` lies.
    pub(crate) fn measure(&self, program: &str, arguments: &[&str]) -> io::Result<Cost> {
        let mut command = inside(&self.client, &std::env::current_exe()?);
        let output = command.current_dir(&self.folder).args(["measure", program]).args(arguments).output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        Cost::read(&printed).ok_or_else(|| {
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            io::Error::other(format!("{program} {}: {printed}{complaint}", arguments.join(" ")))
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in [&self.client, &self.server] {
            let began = Instant::now();
            // Whatever runs in the namespaces was started by this lab; they live as long as one of them does.
            while began.elapsed() < PATIENCE {
                let Ok(output) = Command::new("ip").args(["netns", "pids", namespace]).stderr(Stdio::null()).output() else { break };
                let processes = String::from_utf8_lossy(&output.stdout).into_owned();
                if processes.trim().is_empty() {
                    break;
                }
                let _ = Command::new("kill").arg("-9").args(processes.split_whitespace()).stderr(Stdio::null()).status();
                sleep(Duration::from_millis(20));
            }
            let _ = Command::new("ip").args(["netns", "del", namespace]).stderr(Stdio::null()).status();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn ip(namespace: &str, arguments: &str) -> io::Result<()> {
    run(Command::new("ip").args(["-n", namespace]).args(arguments.split(' ')))
}

fn inside(namespace: &str, program: &Path) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program).stdin(Stdio::null());
    command
}

fn start(command: &mut Command) -> io::Result<Child> {
    command.stdout(Stdio::null()).spawn()
}

/// Runs a command that prints nothing of interest unless something is wrong.
pub(crate) fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output().map_err(|error| io::Error::new(error.kind(), format!("{command:?}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let words = [output.stdout, output.stderr].concat();
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&words).trim())))
}
