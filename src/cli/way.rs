//! Arguments about the way to a server.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use clap::Args as ClapArgs;
use clap::builder::BoolishValueParser;
use smtpprobe::settings::Proxy;
use smtpprobe::smtp::{Protocol, ProxyHeader, Xclient};
use smtpprobe::target::{Host, Mailbox, Port};
use zeroize::Zeroizing;

use super::Trouble;

/// A proxy's URL as it was given. clap repeats what it cannot read, so it is read later: there may be a password in it.
#[derive(Clone)]
pub(crate) struct ProxyUrl(Zeroizing<String>);

impl ProxyUrl {
    /// The proxy.
    pub(crate) fn read(&self) -> Result<Proxy, Trouble> {
        self.0.parse().map_err(|error| Trouble::Usage(format!("--proxy: {error}")))
    }
}

impl FromStr for ProxyUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUrl")
    }
}

/// Whether the servers can all be reached: one UNIX socket, which has nobody beside it and no way to it.
pub(super) fn one_socket_alone(servers: &[(Host, Option<Port>)], proxied: bool) -> Result<(), Trouble> {
    let socket = servers.iter().any(|(host, _)| matches!(host, Host::Socket(_)));
    match (socket, servers.len(), proxied) {
        (true, 2.., _) => {
            Err(Trouble::Usage("a UNIX socket is the only --server of a probe: ask the others in one of their own".to_owned()))
        }
        (true, _, true) => Err(Trouble::Usage("a UNIX socket is on this machine: no --proxy leads to it".to_owned())),
        _ => Ok(()),
    }
}

/// What is agreed on with a server of one's own, and would only puzzle anybody else's.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "A server of your own")]
pub(super) struct AgreedOptions {
    /// Begin with the header of the PROXY protocol, v2 unless said otherwise, from this connection's own address or the one given
    #[arg(long, value_name = "[v1|v2][,ADDR[:PORT]]", num_args = 0..=1, require_equals = true, default_missing_value = "v2", env = "SMTPPROBE_PROXY_PROTOCOL", hide_env = true)]
    pub(super) proxy_protocol: Option<ProxyHeader>,
    /// Be taken for another client, by XCLIENT, as in ADDR=192.0.2.1,NAME=mail.example.com; a value may be [UNAVAILABLE]
    #[arg(long, value_name = "NAME=VALUE[,…]", env = "SMTPPROBE_XCLIENT", hide_env = true)]
    pub(super) xclient: Option<Xclient>,
    /// Speak LMTP, on port 24 unless another is named
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_LMTP", hide_env = true)]
    pub(super) lmtp: bool,
    /// Does it relay for strangers? ADDR is an address of your own at a domain that the server has nothing to do with; asked at RCPT, no message is sent
    #[arg(long, value_name = "ADDR", env = "SMTPPROBE_RELAY_TEST", hide_env = true)]
    pub(super) relay_test: Option<Mailbox>,
}

impl AgreedOptions {
    /// Whether they can be said to these servers.
    pub(super) fn fit(&self, servers: &[(Host, Option<Port>)]) -> Result<(), Trouble> {
        let socket = servers.iter().any(|(host, _)| matches!(host, Host::Socket(_)));
        if socket && self.proxy_protocol.is_some() {
            return Err(Trouble::Usage("a UNIX socket has no addresses, so that no PROXY header can name them".to_owned()));
        }
        servers.iter().try_for_each(|(host, _)| self.is_foreign_to(host))
    }

    /// Whether the address of the relay test is at a domain that `host` has nothing to do with, as far as its name tells: to take
    /// mail for its own domain is what a mail server is there for.
    pub(super) fn is_foreign_to(&self, host: &Host) -> Result<(), Trouble> {
        let (Some(own), Host::Name(name)) = (&self.relay_test, host) else { return Ok(()) };
        let domain = own.domain().to_string();
        let below = name.as_str().strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        if below {
            return Err(Trouble::Usage(format!(
                "--relay-test {own}: {name} may well take mail for {domain}, which is no relaying; give an address of yours elsewhere"
            )));
        }
        Ok(())
    }

    /// The protocol asked for.
    pub(super) const fn protocol(&self) -> Protocol {
        if self.lmtp { Protocol::Lmtp } else { Protocol::Smtp }
    }

    /// Whether the server has to be named, because whoever MX names is not meant.
    pub(super) const fn is_of_one_server(&self) -> bool {
        self.proxy_protocol.is_some() || self.xclient.is_some() || self.lmtp || self.relay_test.is_some()
    }
}
