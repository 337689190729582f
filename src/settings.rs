//! How to probe: one table of settings with its defaults, for library and command alike.

mod way;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

#[cfg(feature = "queue")]
pub(crate) use self::way::decoded;
pub use self::way::{Proxy, ProxyError, ProxyLogin};
use crate::message::Message;
use crate::message::dkim::Signer;
use crate::smtp::{Elapsed, Handling, HelloName, Login, Protocol, ProxyHeader, Stage, StageTimes, TlsUse, Xclient};
use crate::target::{DomainName, Host, Mailbox, Port};

/// Everything that a probe can be told. [`Settings::default`] is what the command does without options.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is to be found out.
    pub question: Question,
    /// The reverse-path in MAIL; none is the null sender `<>`, which no policy of a sender's domain can refuse.
    pub from: Option<Mailbox>,
    /// The name in EHLO; none takes the address literal of each connection's own address.
    pub hello: Option<HelloName>,
    /// The last stage to ask for; none is [`Stage::Rcpt`] for a mailbox ([`Stage::Message`] if there is one to send),
    /// [`Stage::StartTls`] for a domain or host, or [`Stage::Auth`] with a [`login`](Self::login), and for
    /// [`Question::Ports`] as far as it takes to tell what a port is: the greeting, or the TLS handshake on port 465.
    pub until: Option<Stage>,
    /// Who logs in, on the connections that were asked for; none if nobody does. Then the port is 587 unless another is named, the hosts
    /// are [walked](Settings::walked) one by one, and control questions are asked only [always](Controls::Always).
    pub login: Option<Login>,
    /// Octets to declare with SIZE in MAIL, where the server offers it (RFC 1870).
    pub size: Option<u64>,
    /// What to deliver to the mailbox; none delivers nothing. With one, hosts are asked one after the other, as in
    /// [`Walk::First`], so that it is delivered once.
    pub letter: Option<Letter>,
    /// How a message is to be handled.
    pub handling: Handling,
    /// How long to wait in all where a server greylists, before the question is put again; none does not wait.
    pub wait: Option<Duration>,
    /// The ports to ask; empty takes the target's own port, else 25, with a login 587, and for [`Question::Ports`] 25, 465 and 587.
    pub ports: Vec<Port>,
    /// Hosts to ask instead of those that MX names.
    pub servers: Vec<(Host, Option<Port>)>,
    /// Which address families to use.
    pub families: Families,
    /// Which hosts and addresses to ask.
    pub walk: Walk,
    /// When to ask control questions.
    pub controls: Controls,
    /// Whom to connect to when port 25 is shut everywhere, to learn whose side shuts it; empty forbids it.
    pub control: Vec<Control>,
    /// Whether to look at what the domain publishes about transport security: DANE, MTA-STS, TLS-RPT.
    pub policies: Policies,
    /// When to look at the sender's own side: addresses, their names, SPF, DMARC.
    pub sender_checks: SenderChecks,
    /// Selectors of DKIM keys of the sender's domain, looked up with its own side.
    pub selectors: Vec<String>,
    /// Which block lists are asked about the sender: after a refusal that a listing could explain, or with [`SenderChecks::Always`].
    pub block_lists: BlockLists,
    /// Whether to try, on one connection of its own, if a server obeys inside TLS what was sent in the clear ahead of it.
    pub check_injection: bool,
    /// How TLS is used; none is implicit on port 465 and STARTTLS where it is offered elsewhere.
    pub tls: Option<TlsUse>,
    /// Authorities trusted beside the system's, in DER.
    pub extra_roots: Vec<Vec<u8>>,
    /// DNS servers; empty takes the system's.
    pub resolvers: Vec<SocketAddr>,
    /// Whether the resolvers are believed when they say that they have validated an answer, because the way to them is safe.
    /// Those on this machine always are, and the system's if its `resolv.conf` says `trust-ad`.
    pub trust_ad: bool,
    /// Whether answers of the DNS are validated here, too.
    pub validation: Validation,
    /// Names that are not looked up, with their addresses.
    pub resolve: BTreeMap<DomainName, Vec<IpAddr>>,
    /// The local address to connect from; it also decides the family.
    pub bind: Option<IpAddr>,
    /// The PROXY protocol's header, sent to the hosts asked for ahead of everything else; none sends none.
    pub proxy_header: Option<ProxyHeader>,
    /// What the hosts asked for are told with XCLIENT about whom to take this client for; none tells them nothing.
    pub xclient: Option<Xclient>,
    /// Which protocol the hosts asked for speak.
    pub protocol: Protocol,
    /// An address of the user's own, at a domain that the server is not responsible for, to be asked for in the ways that open relays
    /// fall for; none does not.
    pub relay: Option<Mailbox>,
    /// The proxy that every TCP connection goes through; none connects directly.
    pub proxy: Option<Proxy>,
    /// For the whole probe, but for the waits that [`wait`](Self::wait) allows, each of which begins it anew; nor does it cut short
    /// a message that is being handed over.
    pub timeout: Duration,
    /// For each TCP connection, if the whole session has as much time.
    pub connect_timeout: Duration,
    /// For greeting, commands, TLS and farewell.
    pub times: StageTimes,
    /// Whether commands may be sent ahead where the server offers PIPELINING.
    pub pipelining: bool,
    /// Addresses that are really reached at another one, as a test bed or a tunnel needs it.
    pub connect_to: BTreeMap<SocketAddr, SocketAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            question: Question::default(),
            from: None,
            hello: None,
            until: None,
            login: None,
            size: None,
            letter: None,
            handling: Handling::default(),
            wait: None,
            ports: Vec::new(),
            servers: Vec::new(),
            families: Families::default(),
            walk: Walk::default(),
            controls: Controls::default(),
            control: CONTROL_DOMAINS.iter().filter_map(|domain| domain.parse().ok().map(Control::Domain)).collect(),
            policies: Policies::default(),
            sender_checks: SenderChecks::default(),
            selectors: Vec::new(),
            block_lists: BlockLists::default(),
            check_injection: false,
            tls: None,
            extra_roots: Vec::new(),
            resolvers: Vec::new(),
            trust_ad: false,
            validation: Validation::default(),
            resolve: BTreeMap::new(),
            bind: None,
            proxy: None,
            proxy_header: None,
            xclient: None,
            protocol: Protocol::default(),
            relay: None,
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            times: StageTimes::default(),
            pipelining: true,
            connect_to: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Which hosts and addresses are really asked: with a login one after the other, because each wrong password counts.
    #[must_use]
    pub const fn walked(&self) -> Walk {
        if self.login.is_some() { Walk::First } else { self.walk }
    }
}

/// Two large domains that have nothing to do with each other, and whose mail hosts take connections on port 25 from everywhere.
const CONTROL_DOMAINS: [&str; 2] = ["gmail.com", "outlook.com"];

/// What is delivered.
#[derive(Clone, Debug)]
pub enum Letter {
    /// A test message that is composed for the target, and signed if there is a signer.
    Test(Option<Signer>),
    /// This one, as it is.
    Given(Message),
}

/// What is to be found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Question {
    /// Whether mail is taken.
    #[default]
    Mail,
    /// Which ports can be reached, at every address of every host.
    Ports,
}

/// A mail host that is known to listen on port 25.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// This one.
    Host(Host),
    /// The one that the domain's MX names first.
    Domain(DomainName),
}

/// Whether answers of the DNS are validated here, and where that begins (RFC 4033 §2, "trust anchor").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// No: the resolver has to say whether it has done so.
    #[default]
    Off,
    /// From the keys of the root that are known at large.
    FromRoot,
    /// From these keys alone.
    From(Vec<TrustAnchor>),
}

/// A key that is trusted to sign a zone (RFC 4034 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    /// The zone, with the final dot; the root is `.`.
    pub zone: String,
    /// The number of the algorithm.
    pub algorithm: u8,
    /// The public key as it stands in the DNSKEY record.
    pub key: Vec<u8>,
}

/// Which address families are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// IPv4 and IPv6.
    #[default]
    Both,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

impl Families {
    /// Whether addresses of the kind of `address` are used.
    #[must_use]
    pub const fn include(self, address: IpAddr) -> bool {
        match self {
            Self::Both => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// Which hosts and addresses are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Walk {
    /// Every MX host and address at once.
    #[default]
    All,
    /// As a mail server would: by preference, until one gives a definite answer.
    First,
}

/// When control questions are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Controls {
    /// Where the answer changes the verdict.
    #[default]
    Auto,
    /// Never.
    Off,
    /// After every answer to the target's own RCPT.
    Always,
}

/// When to look at what a domain publishes about transport security.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policies {
    /// Where mail is asked about and TLS is used.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// When to look at the sender's own side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SenderChecks {
    /// After a refusal that can be about the sender, and beside the conversations if a sender is named.
    #[default]
    Auto,
    /// Never.
    Off,
    /// In any case, block lists included.
    Always,
}

/// Which block lists are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BlockLists {
    /// A few that are well known, alive, and may be asked by everybody.
    #[default]
    Usual,
    /// These.
    These(Vec<DomainName>),
    /// None.
    None,
}

/// Tells how long the probe has been running.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    #[must_use]
    pub fn now(&self) -> Elapsed {
        Elapsed(self.0.elapsed())
    }
}
