//! The figures of a run over HTTP, for Prometheus.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use smtpprobe::bulk::Tally;
use smtpprobe::report::bulk::{METRICS_TYPE, metrics};
use smtpprobe::transport::{Endpoint, Place};

use super::super::Trouble;

/// Where they are to be had.
const PLACE: Place = Place { path: "/metrics", content_type: METRICS_TYPE };

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listen {
    /// At one address.
    At(SocketAddr),
    /// At all addresses of this machine.
    Everywhere(u16),
}

/// Reads what `--metrics` is given.
pub(super) fn listen(text: &str) -> Result<Listen, String> {
    let read = match text.strip_prefix(':') {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok().map(Listen::Everywhere),
        Some(_) => None,
        None => text.parse().ok().map(Listen::At),
    };
    read.ok_or_else(|| "it should be an address and a port, such as 127.0.0.1:9925, [::1]:9925 or :9925".to_owned())
}

impl Listen {
    fn bind(self) -> Result<Endpoint, Trouble> {
        let bound = match self {
            Self::At(address) => Endpoint::bind(address),
            Self::Everywhere(port) => match Endpoint::bind((Ipv6Addr::UNSPECIFIED, port).into()) {
                // Without IPv6 there are the IPv4 addresses.
                Err(error) if error.kind() != ErrorKind::AddrInUse => Endpoint::bind((Ipv4Addr::UNSPECIFIED, port).into()),
                bound => bound,
            },
        };
        let address = match self {
            Self::At(address) => address.to_string(),
            Self::Everywhere(port) => format!(":{port}"),
        };
        bound.map_err(|error| Trouble::Usage(format!("--metrics {address}: {error}")))
    }
}

/// How far the run has come, for whoever asks.
#[derive(Clone, Debug)]
pub(super) struct Figures(Arc<Mutex<Tally>>);

/// Where it can be asked.
#[derive(Debug)]
pub(super) struct Asked {
    endpoint: Endpoint,
    figures: Figures,
}

impl Figures {
    /// Listens where `listen` says; nowhere without.
    pub(super) fn open(listen: Option<Listen>) -> Result<(Self, Option<Asked>), Trouble> {
        let figures = Self(Arc::default());
        let asked = listen.map(|listen| listen.bind().map(|endpoint| Asked { endpoint, figures: figures.clone() })).transpose()?;
        Ok((figures, asked))
    }

    /// It has come so far.
    pub(super) fn take(&self, tally: &Tally) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(tally);
    }
}

impl Asked {
    /// Says where.
    pub(super) fn tell(&self, quiet: bool) -> Result<(), Trouble> {
        let address = self.endpoint.address()?;
        if !quiet {
            eprintln!("smtpprobe: figures are at http://{address}{}", PLACE.path);
        }
        Ok(())
    }

    /// Answers whoever asks, as long as the runtime lasts.
    pub(super) async fn serve(self) {
        let (began, clock) = (SystemTime::now(), Instant::now());
        let began = began.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let Figures(tally) = self.figures;
        // It is the run that matters: without a listener it goes on.
        let _ = self.endpoint.serve(PLACE, || metrics(&tally.lock().unwrap_or_else(PoisonError::into_inner), began, clock.elapsed())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_prometheus_writes_them() {
        for (text, expected) in [
            ("127.0.0.1:9925", Some(Listen::At(([127, 0, 0, 1], 9925).into()))),
            ("[::1]:9925", Some(Listen::At((Ipv6Addr::LOCALHOST, 9925).into()))),
            (":9925", Some(Listen::Everywhere(9925))),
            ("9925", None),
            (":", None),
            (":+1", None),
            (":70000", None),
            ("127.0.0.1", None),
            ("localhost:9925", None),
        ] {
            assert_eq!(listen(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn an_address_in_use_is_told() {
        let (_, first) = Figures::open(Some(Listen::At(([127, 0, 0, 1], 0).into()))).expect("a port");
        let address = first.expect("an endpoint").endpoint;
        let address_text = address.address().expect("an address");
        let error = Figures::open(Some(Listen::At(address_text))).expect_err("it is in use");
        assert!(error.to_string().starts_with(&format!("--metrics {address_text}: ")), "{error}");
        assert!(matches!(error, Trouble::Usage(_)));
    }
}
