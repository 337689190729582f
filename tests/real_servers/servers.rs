//! The servers: how Postfix, Unbound and dnsmasq are set up in a [`Lab`].

use std::fmt::Write as _;
use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::lab::Lab;
use super::loopback::{CLOSING, DEAD_V4, DEAD_V6, MX, MX_V6, SCREENED, SLOW};

/// The file that Postfix logs to.
pub(crate) const MAIL_LOG: &str = "mail.log";
/// Where the certificate of the authority lies that Postfix' own was issued by.
pub(crate) const AUTHORITY: &str = "tls/authority.pem";
/// Where Postfix' own lies.
pub(crate) const CERTIFICATE: &str = "tls/certificate.pem";
/// The names in it.
pub(crate) const CERTIFIED: [&str; 6] = ["mx.real.test", "real.test", "mx1.pair.test", "mx2.pair.test", "control.test", "mx.issuer.test"];
/// So many MX hosts has `many.test`: far more than fit into 1232 octets.
pub(crate) const MANY: usize = 40;

/// `known`, `full`, `quota` and `closing` are mailboxes in every domain under `test`; only `known` takes mail, and drops it. `keeper`
/// keeps it, and so does `grey`, where Postgrey lets it through.
const MAIN: &str = "\
compatibility_level = 3.6
queue_directory = @/queue
data_directory = @/data
maillog_file = @/mail.log
maillog_file_prefixes = @
myhostname = mx.real.test
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = all
inet_protocols = all
message_size_limit = 1000000
in_flow_delay = 0
virtual_mailbox_domains = regexp:@/postfix/domains
virtual_mailbox_maps = regexp:@/postfix/mailboxes
virtual_transport = discard:
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access regexp:@/postfix/answers
smtpd_tls_security_level = may
smtpd_tls_cert_file = @/tls/certificate.pem
smtpd_tls_key_file = @/tls/certificate-key.pem
closing_restrictions = check_client_access regexp:@/postfix/closing
sleeping_restrictions = sleep 2
virtual_mailbox_base = @/boxes
virtual_minimum_uid = 1
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
transport_maps = regexp:@/postfix/transports
greylisted = check_policy_service inet:127.0.0.1:10023
smtpd_restriction_classes = greylisted
postscreen_access_list =
postscreen_greet_action = enforce
postscreen_greet_wait = 2s
postscreen_cache_map = btree:$data_directory/postscreen
";
const ANSWERS: &str = "\
/^full@/ 452 4.2.2 The mailbox is full
/^quota@/ 552 5.2.2 Over quota
/^closing@/ 421 4.3.2 Service not available
/^grey@/ greylisted
";
const SERVICES: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
postlog unix-dgram n - n - 1 postlogd
smtpd pass - - n - - smtpd
";

/// Starts Postfix: plain on 25 and 587, TLS on 465 of [`MX`]; late, closing and with postscreen at addresses of their own.
pub(crate) fn postfix(lab: &Lab) {
    postfix_and(lab, "");
}

/// The same with these services, too.
pub(crate) fn postfix_and(lab: &Lab, more: &str) {
    let services = format!(
        "{MX}:25 inet n - n - - smtpd\n\
         [{MX_V6}]:25 inet n - n - - smtpd\n\
         {MX}:587 inet n - n - - smtpd\n\
         {MX}:465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n\
         {SLOW}:25 inet n - n - - smtpd -o smtpd_delay_reject=no -o smtpd_client_restrictions=$sleeping_restrictions\n\
         {CLOSING}:25 inet n - n - - smtpd -o smtpd_delay_reject=no -o smtpd_client_restrictions=$closing_restrictions\n\
         {SCREENED}:25 inet n - n - 1 postscreen\n\
         {more}"
    );
    postfix_with(lab, &services);
}

/// Starts Postfix with these services on the network (lines of master.cf).
pub(crate) fn postfix_with(lab: &Lab, services: &str) {
    make_certificates(lab);
    let here = lab.path("").display().to_string();
    let main = lab.write("postfix/main.cf", &MAIN.replace('@', here.trim_end_matches('/')));
    // Postfix reads a file again and again until nobody has written to it for some seconds.
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    File::options().write(true).open(main).and_then(|main| main.set_modified(long_ago)).expect("a file has a time");
    lab.write("postfix/domains", "/\\.test$/ virtual\n");
    lab.write("postfix/mailboxes", "/^(known|full|quota|closing)@/ box\n/^keeper@/ keeper/\n/^grey@/ grey/\n");
    lab.write("postfix/transports", "/^(keeper|grey)@/ virtual:\n");
    lab.write("postfix/answers", ANSWERS);
    lab.write("postfix/closing", "/./ 421 4.3.2 Come back later\n");
    let settings = lab.write("postfix/master.cf", &format!("{services}{SERVICES}"));
    fs::create_dir(lab.path("queue")).expect("a folder can be made");
    fs::create_dir(lab.path("data")).expect("a folder can be made");
    run(Command::new("chown").arg("postfix").arg(lab.path("data")));
    run(lab.servers().command("postfix").arg("-c").arg(settings.parent().expect("a folder above")).arg("start"));
    lab.wait_for_line(MAIL_LOG, "daemon started");
}

/// A place for mailboxes, which Postfix fills as nobody.
pub(crate) fn mailboxes(lab: &Lab) {
    fs::create_dir(lab.path("boxes")).expect("a folder can be made");
    run(Command::new("chown").arg("65534:65534").arg(lab.path("boxes")));
}

/// What is in Postfix' queue: there should never be anything.
pub(crate) fn queued(lab: &Lab) -> Vec<String> {
    let files = |queue: &str| fs::read_dir(lab.path("queue").join(queue)).into_iter().flatten().flatten();
    let queues = ["maildrop", "incoming", "active", "deferred", "hold", "corrupt"];
    queues.into_iter().flat_map(files).filter(|entry| entry.path().is_file()).map(|entry| entry.path().display().to_string()).collect()
}

/// Makes an authority, and Postfix' certificate issued by it, which is followed by the authority's own.
fn make_certificates(lab: &Lab) {
    fs::create_dir(lab.path("tls")).expect("a folder can be made");
    request(lab, &["-newkey", "rsa:2048", "-keyout", "authority-key.pem", "-out", "authority.pem", "-subj", "/CN=The lab"]);
    certify(lab, "certificate", "rsa:2048", &CERTIFIED);
    let chain = [CERTIFICATE, AUTHORITY].map(|file| fs::read_to_string(lab.path(file)).expect("a certificate"));
    lab.write(CERTIFICATE, &chain.concat());
}

/// Makes the certificate `tls/NAME.pem` for these names, issued by the authority, and its key `tls/NAME-key.pem`.
pub(crate) fn certify(lab: &Lab, name: &str, key: &str, names: &[&str]) {
    let subject = format!("/CN={}", names[0]);
    let names = format!("subjectAltName=DNS:{}", names.join(",DNS:"));
    let issued =
        ["-CA", "authority.pem", "-CAkey", "authority-key.pem", "-addext", &names, "-addext", "basicConstraints=critical,CA:FALSE"];
    let (certificate, secret) = (format!("{name}.pem"), format!("{name}-key.pem"));
    request(lab, &[&issued[..], &["-newkey", key, "-keyout", &secret, "-out", &certificate, "-subj", &subject]].concat());
}

fn request(lab: &Lab, arguments: &[&str]) {
    run(Command::new("openssl").current_dir(lab.path("tls")).args(["req", "-x509", "-nodes", "-days", "30"]).args(arguments));
}

/// What a zone begins with.
pub(crate) const APEX: &str = "\
$TTL 60
@ SOA ns.test. hostmaster.test. 1 3600 600 86400 60
@ NS ns.test.
ns A 127.0.0.1
";

/// The domains: what each is for is in its name. Only [`MX`] answers mail.
fn zone() -> String {
    let mut zone = format!(
        "\
real MX 10 mx.real
mx.real A {MX}
slow MX 10 mx.slow
mx.slow A {SLOW}
closing MX 10 mx.closing
mx.closing A {CLOSING}
screened MX 10 mx.screened
mx.screened A {SCREENED}
dual MX 10 mx.dual
mx.dual A {MX}
mx.dual AAAA {MX_V6}
half MX 10 mx.half
mx.half A {MX}
mx.half AAAA {DEAD_V6}
late MX 10 dead.late
late MX 20 mx.real
dead.late A {DEAD_V4}
null MX 0 .
plain A {MX}
alias CNAME real
odd MX 10 alias.odd
alias.odd CNAME mx.real
"
    );
    for number in 0..MANY {
        let _ = writeln!(zone, "many MX {} a-rather-long-name-for-a-mail-host-{number:02}.many", number + 10);
    }
    let _ = writeln!(zone, "a-rather-long-name-for-a-mail-host-00.many A {MX}");
    zone
}

/// Starts Unbound with the zone `test`, and with `broken.example` in the hands of a server that cannot be reached.
pub(crate) fn unbound(lab: &Lab) {
    unbound_with(lab, &zone());
}

/// The same with these records.
pub(crate) fn unbound_with(lab: &Lab, records: &str) {
    let zone = lab.write("unbound/zone", &format!("{APEX}{records}"));
    let sections = format!(
        "\
auth-zone:
  name: test.
  zonefile: {}
  for-upstream: no
forward-zone:
  name: broken.example.
  forward-addr: 198.51.100.1
",
        zone.display()
    );
    unbound_at(lab, "127.0.0.1", "module-config: iterator", &sections);
}

/// Starts Unbound at an address of the client's, with these lines about the server, and sections of its settings.
pub(crate) fn unbound_at(lab: &Lab, address: &str, lines: &str, sections: &str) {
    let settings = format!(
        "\
server:
  interface: {address}
  access-control: 0.0.0.0/0 allow
  {lines}
  do-daemonize: no
  chroot: \"\"
  username: \"\"
  directory: \"\"
  pidfile: \"\"
  use-syslog: no
  do-not-query-localhost: no
  local-zone: test. nodefault
remote-control:
  control-enable: no
{sections}"
    );
    let settings = lab.write(&format!("unbound/{address}.conf"), &settings);
    lab.serve("unbound", &["-d", "-c", &settings.display().to_string()], &format!("{address}:53"));
}

/// Starts dnsmasq with some of the same domains.
pub(crate) fn dnsmasq(lab: &Lab) {
    let mut settings = format!(
        "\
no-resolv
no-hosts
local=/test/
bind-interfaces
listen-address=127.0.0.1
user=root
mx-host=real.test,mx.real.test,10
host-record=mx.real.test,{MX}
mx-host=late.test,dead.late.test,10
mx-host=late.test,mx.real.test,20
host-record=dead.late.test,{DEAD_V4}
mx-host=half.test,mx.half.test,10
host-record=mx.half.test,{MX},{DEAD_V6}
dns-rr=null.test,15,000000
mx-host=odd.test,alias.odd.test,10
cname=alias.odd.test,mx.real.test
"
    );
    for number in 0..MANY {
        let _ = writeln!(settings, "mx-host=many.test,a-rather-long-name-for-a-mail-host-{number:02}.many.test,{}", number + 10);
    }
    let _ = writeln!(settings, "host-record=a-rather-long-name-for-a-mail-host-00.many.test,{MX}");
    let settings = lab.write("dnsmasq.conf", &settings);
    let file = format!("--conf-file={}", settings.display());
    lab.serve("dnsmasq", &["--keep-in-foreground", "--pid-file", &file], "127.0.0.1:53");
}

/// Runs a command that has to come to a good end, and returns what it prints.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}
