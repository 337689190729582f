//! A mail world inside the process: DNS, SMTP and web servers on loopback, played by a scenario file.
//!
//! A probe of it takes the very same path as a real one. Its DNS names documentation addresses (RFC 5737, RFC 3849), and
//! [`Settings::connect_to`] leads each of them to the loopback socket that plays it. So it needs neither network nor IPv6 nor
//! rights, and no packet leaves the machine.

mod dns_server;
mod logins;
mod manners;
mod old_tls;
mod policy_host;
mod scenario;
mod script;
mod smtp_server;
mod tls;
mod tlsa;
mod wire;
mod zone;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::policy_host::PolicyHost;
use self::scenario::Probe;
use self::script::{Conduct, Script, Server};
use self::smtp_server::{Log, Place, SmtpServer};
use self::tls::{Authority, Chain};
use self::zone::Zone;
use crate::settings::Settings;

pub use self::scenario::{Expectation, Scenario, ScenarioError};
pub use self::smtp_server::{Arrived, Said};

/// The ports that mail uses, and that of the policies about it. At each address of the zone, those without a server refuse.
const PORTS: [u16; 4] = [25, 465, 587, 443];
/// Connections that fill the queue of a silent host; with the smallest backlog one does on Linux, and a few more elsewhere.
const FILLERS: usize = 8;

/// The files that come with the program, from the plain to the odd.
const FILES: [(&str, &str); 62] = [
    ("accepted", include_str!("scenarios/accepted.toml")),
    ("domain", include_str!("scenarios/domain.toml")),
    ("delivered", include_str!("scenarios/delivered.toml")),
    ("refused-message", include_str!("scenarios/refused-message.toml")),
    ("closes-after-message", include_str!("scenarios/closes-after-message.toml")),
    ("unknown-user", include_str!("scenarios/unknown-user.toml")),
    ("mailbox-full", include_str!("scenarios/mailbox-full.toml")),
    ("mailbox-full-for-now", include_str!("scenarios/mailbox-full-for-now.toml")),
    ("disabled", include_str!("scenarios/disabled.toml")),
    ("greylisted", include_str!("scenarios/greylisted.toml")),
    ("too-many-recipients", include_str!("scenarios/too-many-recipients.toml")),
    ("message-too-big", include_str!("scenarios/message-too-big.toml")),
    ("relay-denied", include_str!("scenarios/relay-denied.toml")),
    ("blocklisted", include_str!("scenarios/blocklisted.toml")),
    ("refused-at-connect", include_str!("scenarios/refused-at-connect.toml")),
    ("refused-without-reason", include_str!("scenarios/refused-without-reason.toml")),
    ("catch-all", include_str!("scenarios/catch-all.toml")),
    ("forwarded", include_str!("scenarios/forwarded.toml")),
    ("will-attempt-delivery", include_str!("scenarios/will-attempt-delivery.toml")),
    ("disagreeing", include_str!("scenarios/disagreeing.toml")),
    ("shutting-down", include_str!("scenarios/shutting-down.toml")),
    ("lookup-trouble", include_str!("scenarios/lookup-trouble.toml")),
    ("unknown-domain", include_str!("scenarios/unknown-domain.toml")),
    ("null-mx", include_str!("scenarios/null-mx.toml")),
    ("implicit-mx", include_str!("scenarios/implicit-mx.toml")),
    ("alias-as-mx", include_str!("scenarios/alias-as-mx.toml")),
    ("mx-to-nothing", include_str!("scenarios/mx-to-nothing.toml")),
    ("mx-to-private-address", include_str!("scenarios/mx-to-private-address.toml")),
    ("dns-broken", include_str!("scenarios/dns-broken.toml")),
    ("dead-first-mx", include_str!("scenarios/dead-first-mx.toml")),
    ("ipv6-dead", include_str!("scenarios/ipv6-dead.toml")),
    ("no-answer", include_str!("scenarios/no-answer.toml")),
    ("blocked-here", include_str!("scenarios/blocked-here.toml")),
    ("blocked-there", include_str!("scenarios/blocked-there.toml")),
    ("refused-port", include_str!("scenarios/refused-port.toml")),
    ("ports", include_str!("scenarios/ports.toml")),
    ("slow-greeting", include_str!("scenarios/slow-greeting.toml")),
    ("no-greeting", include_str!("scenarios/no-greeting.toml")),
    ("drip", include_str!("scenarios/drip.toml")),
    ("hangs-up", include_str!("scenarios/hangs-up.toml")),
    ("torn-down", include_str!("scenarios/torn-down.toml")),
    ("not-smtp", include_str!("scenarios/not-smtp.toml")),
    ("broken-tls", include_str!("scenarios/broken-tls.toml")),
    ("wrong-name", include_str!("scenarios/wrong-name.toml")),
    ("expired", include_str!("scenarios/expired.toml")),
    ("self-signed", include_str!("scenarios/self-signed.toml")),
    ("old-tls", include_str!("scenarios/old-tls.toml")),
    ("dane", include_str!("scenarios/dane.toml")),
    ("dane-mismatch", include_str!("scenarios/dane-mismatch.toml")),
    ("mta-sts-unlisted", include_str!("scenarios/mta-sts-unlisted.toml")),
    ("implicit-tls", include_str!("scenarios/implicit-tls.toml")),
    ("login", include_str!("scenarios/login.toml")),
    ("login-refused", include_str!("scenarios/login-refused.toml")),
    ("login-app-password", include_str!("scenarios/login-app-password.toml")),
    ("login-withheld", include_str!("scenarios/login-withheld.toml")),
    ("wrong-mode", include_str!("scenarios/wrong-mode.toml")),
    ("old-server", include_str!("scenarios/old-server.toml")),
    ("masked", include_str!("scenarios/masked.toml")),
    ("speaks-ahead", include_str!("scenarios/speaks-ahead.toml")),
    ("injected", include_str!("scenarios/injected.toml")),
    ("intercepted", include_str!("scenarios/intercepted.toml")),
    ("utf8-address", include_str!("scenarios/utf8-address.toml")),
];

/// The scenarios that come with the program.
///
/// # Panics
/// Never: each of the files embedded is read by a test.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let read = |(name, text): &(&str, &str)| match Scenario::parse(text) {
        Ok(scenario) => Scenario { name: (*name).to_owned(), ..scenario },
        Err(error) => panic!("{name}: {error}"),
    };
    FILES.iter().map(read).collect()
}

/// Running servers. They stop when it is dropped.
#[derive(Debug)]
pub struct World {
    resolver: SocketAddr,
    /// Where each address of the world is really played.
    stage: BTreeMap<SocketAddr, SocketAddr>,
    root: Vec<u8>,
    probe: Probe,
    log: Arc<Log>,
    /// Sockets that do their part by being there.
    held: Vec<Socket>,
    tasks: JoinSet<()>,
}

impl World {
    /// Starts the servers of `scenario`, in the runtime that this is called in.
    ///
    /// # Errors
    /// If this machine has no socket or no key for it.
    pub async fn start(scenario: &Scenario) -> io::Result<Self> {
        let authority = Authority::new()?;
        let (udp, tcp) = dns_server::bind().await?;
        let mut world = Self {
            resolver: udp.local_addr()?,
            stage: BTreeMap::new(),
            root: authority.certificate().der,
            probe: scenario.probe.clone(),
            log: Arc::default(),
            held: Vec::new(),
            tasks: JoinSet::new(),
        };
        world.refuse(scenario)?;
        let mut talkers = Vec::new();
        for server in &scenario.servers {
            match &server.conduct {
                // As every address does at which nothing else is put.
                Conduct::Refuses => {}
                Conduct::Silent => world.keep_silent(&server.at)?,
                Conduct::Talks(script) => talkers.push((server, world.talk(server, script, &scenario.zone, &authority).await?)),
            }
        }
        for host in &scenario.policy_hosts {
            world.publish(host, &authority).await?;
        }
        let mut zone = scenario.zone.clone();
        zone.settle(&authority.certificate(), |owner| {
            let meant = talkers.iter().filter(|(server, _)| server.is_meant_by(owner, &scenario.zone));
            meant.filter_map(|(_, talker)| talker.certificate()).collect()
        });
        let zone = Arc::new(zone);
        world.tasks.spawn(dns_server::serve_udp(udp, Arc::clone(&zone)));
        world.tasks.spawn(dns_server::serve_tcp(tcp, zone));
        Ok(world)
    }

    /// `base`, led into this world: its resolver, its sockets, its authority, and the times and sizes that the scenario asks for.
    /// A local address to bind to is dropped, because only loopback reaches loopback.
    #[must_use]
    pub fn settings(&self, base: Settings) -> Settings {
        let mut settings = Settings { resolvers: vec![self.resolver], bind: None, ..base };
        settings.connect_to.extend(&self.stage);
        settings.extra_roots.push(self.root.clone());
        self.probe.apply(&mut settings);
        settings
    }

    /// What clients have said so far to any of the SMTP servers, in the order in which it came.
    #[must_use]
    pub fn log(&self) -> Vec<Said> {
        self.log.said()
    }

    /// The messages that have arrived so far at any of the SMTP servers, in the order in which they came.
    #[must_use]
    pub fn arrived(&self) -> Vec<Arrived> {
        self.log.arrived()
    }

    /// Lets every port of every address refuse: a socket that is bound but does not listen keeps its port from others,
    /// and the system answers for it with a reset.
    fn refuse(&mut self, scenario: &Scenario) -> io::Result<()> {
        let socket = loopback_socket()?;
        let closed = local_address(&socket)?;
        self.held.push(socket);
        let played = scenario.servers.iter().flat_map(|server| &server.at);
        self.stage.extend(played.clone().map(|address| (*address, closed)));
        for ip in scenario.zone.addresses().chain(played.map(SocketAddr::ip)) {
            self.stage.extend(PORTS.map(|port| (SocketAddr::new(ip, port), closed)));
        }
        Ok(())
    }

    /// Lets `server` talk at each of its addresses, by the name that it has there.
    async fn talk(&mut self, server: &Server, script: &Script, zone: &Zone, authority: &Authority) -> io::Result<Arc<SmtpServer>> {
        let talker = Arc::new(SmtpServer::new(script.clone(), authority, Arc::clone(&self.log))?);
        for address in &server.at {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            self.stage.insert(*address, listener.local_addr()?);
            let names = zone.names_or_addresses(&[address.ip()]);
            let place = Place { at: *address, name: names.into_iter().next().unwrap_or_default() };
            self.tasks.spawn(Arc::clone(&talker).serve(listener, place));
        }
        Ok(talker)
    }

    /// Lets a policy be found at each address of its host.
    async fn publish(&mut self, host: &PolicyHost, authority: &Authority) -> io::Result<()> {
        let identity = authority.identity(std::slice::from_ref(&host.name), host.paper, Chain::Alone)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let really = listener.local_addr()?;
        self.stage.extend(host.at.iter().map(|address| (*address, really)));
        self.tasks.spawn(Arc::new(host.clone()).serve(listener, identity.acceptor));
        Ok(())
    }

    /// Lets `addresses` be silent: the system drops a SYN for which the listener's queue has no room, and nobody ever empties it.
    /// Windows answers such a SYN with a reset, so that there the host refuses.
    fn keep_silent(&mut self, addresses: &[SocketAddr]) -> io::Result<()> {
        let listener = loopback_socket()?;
        listener.listen(0)?;
        let mute = local_address(&listener)?;
        self.held.push(listener);
        for _ in 0..FILLERS {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            filler.set_nonblocking(true)?;
            // That it is in progress is no error here; most of them stay so.
            let _ = filler.connect(&mute.into());
            self.held.push(filler);
        }
        self.stage.extend(addresses.iter().map(|address| (*address, mute)));
        Ok(())
    }
}

fn loopback_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    Ok(socket)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
}

#[cfg(test)]
mod tests;
