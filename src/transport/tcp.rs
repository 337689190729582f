//! TCP: connecting, and what the system's errors mean.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;

use super::READ_SIZE;
use super::error_queue::ErrorQueue;
use super::legacy;
use super::overheard::Overheard;
use super::own::source;
use super::proxy::{Negotiation, Step};
use super::stream::Stream;
use super::tls::{TlsClient, Unshaken, binding};
use crate::settings::{Proxy, Settings};
use crate::smtp::{ChannelBinding, Connected, Failure, FailureKind, IcmpError, LegacyTls, ProxyFailure, TlsFacts};
use crate::target::{DomainName, Host};

/// Why a step failed; also made from the system's errors by `?`.
pub(super) type Broken = Failure;

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::of_system(&error, None)
    }
}

impl Failure {
    /// What the system's error means, together with the ICMP error behind it.
    fn of_system(error: &io::Error, icmp: Option<IcmpError>) -> Self {
        use io::ErrorKind as Kind;
        let kind = match (icmp, error.kind()) {
            (Some(icmp), _) if icmp.is_refusal() => FailureKind::Rejected,
            (Some(_), _) => FailureKind::HostUnreachable,
            (_, Kind::ConnectionRefused) => FailureKind::Refused,
            (_, Kind::TimedOut) => FailureKind::TimedOut(Duration::ZERO),
            // A kernel without IPv6 says that it does not know the family.
            (_, Kind::NetworkUnreachable | Kind::NetworkDown | Kind::Unsupported) => FailureKind::NoRoute,
            // Linux tells of every ICMP error; what comes without one is a route that says "unreachable".
            (_, Kind::HostUnreachable) if cfg!(target_os = "linux") => FailureKind::NoRoute,
            (_, Kind::HostUnreachable) => FailureKind::HostUnreachable,
            (_, Kind::PermissionDenied) => FailureKind::Forbidden,
            (_, Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::NotConnected) => FailureKind::Reset,
            (_, Kind::UnexpectedEof) => FailureKind::Closed,
            _ if error.raw_os_error() == Some(EAFNOSUPPORT) => FailureKind::NoRoute,
            _ => FailureKind::Local(error.to_string()),
        };
        Self { kind, errno: error.raw_os_error(), icmp }
    }
}

/// "Address family not supported", which the standard library has no name for.
const EAFNOSUPPORT: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };

/// Opens a connection to `address`, or to where the settings say that it really is, within `limit`; by way of the proxy, if there
/// is one.
pub(super) async fn connect(settings: &Settings, address: SocketAddr, limit: Duration) -> Result<(Wire, Connected), Broken> {
    let real = settings.connect_to.get(&address).copied().unwrap_or(address);
    let (stream, bound) = match &settings.proxy {
        None => (open(settings.bind, real, limit).await?, None),
        Some(proxy) => through(proxy, settings.bind, real, limit).await?,
    };
    // Commands are small and each is waited for: nothing is gained by holding them back.
    stream.set_nodelay(true)?;
    // The server sees the proxy's address, not ours.
    let local = bound.map_or_else(|| stream.local_addr(), Ok)?;
    Ok((Wire::Plain(stream.into()), Connected { local, peer: address }))
}

/// Opens a connection to `host` at `address`, as [`connect`] does; a UNIX socket is not reached by its address.
pub(super) async fn connect_to(
    settings: &Settings,
    host: &Host,
    address: SocketAddr,
    limit: Duration,
) -> Result<(Wire, Connected), Broken> {
    let Host::Socket(path) = host else { return connect(settings, address, limit).await };
    let stream = match timeout(limit, Stream::unix(path.as_str())).await {
        Err(_) => return Err(FailureKind::TimedOut(limit).into()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(FailureKind::Local("there is no such socket".to_owned()).into());
        }
        Ok(stream) => stream?,
    };
    // Whoever is reached so is on this machine, and sees no address.
    Ok((Wire::Plain(stream), Connected { local: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), peer: address }))
}

async fn open(local: Option<IpAddr>, real: SocketAddr, limit: Duration) -> Result<TcpStream, Broken> {
    let socket = if real.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let errors = ErrorQueue::of(&socket, real.is_ipv6());
    let stream = match timeout(limit, socket.connect(real)).await {
        Err(_) => return Err(FailureKind::TimedOut(limit).into()),
        Ok(Err(error)) => {
            let failure = of_connect(&error, real.ip(), errors.and_then(|errors| errors.take()));
            // A family that is switched off has no address to connect from; used-up ports and a wrong address to bind to do.
            let familyless = error.kind() == io::ErrorKind::AddrNotAvailable && source(real.ip()).is_none();
            return Err(if familyless { Failure { kind: FailureKind::NoRoute, ..failure } } else { failure });
        }
        Ok(Ok(stream)) => stream,
    };
    if let Some(errors) = errors {
        errors.close();
    }
    Ok(stream)
}

/// A connection to `to` by way of `proxy`, and the address that it comes from there, if the proxy tells. Whatever goes wrong is the
/// proxy's: that of an ICMP error too, which is about the way to it.
async fn through(proxy: &Proxy, local: Option<IpAddr>, to: SocketAddr, limit: Duration) -> Result<(TcpStream, Option<SocketAddr>), Broken> {
    let over = Instant::now() + limit;
    let of_proxy = |failure: ProxyFailure| Broken::from(FailureKind::Proxy(failure));
    let places: Vec<SocketAddr> = match &proxy.host {
        Host::Address(address) => vec![SocketAddr::new(*address, proxy.port.number())],
        Host::Name(name) => {
            let found = timeout_at(over, lookup_host((name.as_str(), proxy.port.number()))).await;
            found.ok().and_then(Result::ok).into_iter().flatten().collect()
        }
        Host::Socket(_) => Vec::new(),
    };
    let mut reached = Err(of_proxy(ProxyFailure::NoAddress));
    for place in places {
        let left = over.saturating_duration_since(Instant::now());
        // An address to bind to is of one family, which may not be the proxy's.
        let local = local.filter(|local| local.is_ipv4() == place.is_ipv4());
        match open(local, place, left).await {
            Ok(stream) => {
                reached = Ok(stream);
                break;
            }
            Err(Failure { kind, errno, .. }) => {
                let kind = if kind.is_of_time() { FailureKind::TimedOut(limit) } else { kind };
                let kind = FailureKind::Proxy(ProxyFailure::Unreachable(Box::new(kind)));
                reached = Err(Failure { kind, errno, icmp: None });
            }
        }
    }
    let mut stream = reached?;
    let mut negotiation = Negotiation::new(proxy.login.as_ref(), to);
    let talk = async {
        loop {
            match negotiation.step() {
                Step::Say(octets) => stream.write_all(&octets).await.map_err(|_| ProxyFailure::Closed)?,
                Step::Hear(count) => {
                    let mut octets = vec![0; count];
                    stream.read_exact(&mut octets).await.map_err(|_| ProxyFailure::Closed)?;
                    negotiation.heard(&octets)?;
                }
                Step::Done(bound) => return Ok(bound),
            }
        }
    };
    let bound = timeout_at(over, talk).await.unwrap_or(Err(ProxyFailure::Silent(limit))).map_err(of_proxy)?;
    Ok((stream, bound))
}

/// What a failed `connect` means: the same, but that "invalid" is what Linux says of a route that swallows packets, and of a
/// link-local address without the link, to which there is no way.
fn of_connect(error: &io::Error, address: IpAddr, icmp: Option<IcmpError>) -> Broken {
    let failure = Failure::of_system(error, icmp);
    if matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) && error.kind() == io::ErrorKind::InvalidInput {
        return Failure { kind: FailureKind::NoRoute, ..failure };
    }
    if cfg!(target_os = "linux") && error.kind() == io::ErrorKind::InvalidInput {
        return Failure { kind: FailureKind::Forbidden, ..failure };
    }
    failure
}

/// Has the kernel acknowledge what comes next without delay. Some servers hold their reply back until their session tickets are
/// acknowledged, which would cost 40 ms. Each write takes the wish back, so it is to be made after it. Only Linux has the option.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn acknowledge_at_once(stream: &Stream) -> io::Result<()> {
    match stream {
        Stream::Tcp(stream) => SockRef::from(stream).set_tcp_quickack(true),
        Stream::Unix(_) => Ok(()),
    }
}

/// Elsewhere there is nothing to set.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn acknowledge_at_once(_: &Stream) -> io::Result<()> {
    Ok(())
}

/// What came first while something was to be written.
pub(super) enum Exchanged {
    /// So many bytes were written.
    Written(usize),
    /// These bytes came.
    Read(Vec<u8>),
}

/// A connection, before or after TLS.
pub(super) enum Wire {
    /// TCP alone, or a UNIX socket.
    Plain(Stream),
    /// TLS over that.
    Secure(Box<TlsStream<Overheard>>),
    /// The handshake took the connection and failed.
    Lost,
}

impl Wire {
    /// Reads at least one byte. What TLS still holds of what was written goes out meanwhile.
    pub(super) async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Broken> {
        let mut buffer = ReadBuf::new(bytes);
        poll_fn(|context| {
            if let Self::Secure(stream) = self {
                // Whether it goes out shows in what comes back.
                let _ = Pin::new(stream.as_mut()).poll_flush(context);
            }
            self.poll_read(context, &mut buffer)
        })
        .await?;
        let length = buffer.filled().len();
        if length == 0 { Err(FailureKind::Closed.into()) } else { Ok(length) }
    }

    /// Writes some of `bytes`, unless something can be read: then that comes first. Dropped before it is done, it has written nothing.
    pub(super) async fn exchange(&mut self, bytes: &[u8]) -> Result<Exchanged, Broken> {
        let mut come = [0; READ_SIZE];
        let mut buffer = ReadBuf::new(&mut come);
        let written = poll_fn(|context| match self.poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(None)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_write(context, bytes).map(|written| written.map(Some)),
        });
        match written.await? {
            Some(0) => Err(FailureKind::Closed.into()),
            Some(count) => Ok(Exchanged::Written(count)),
            None if buffer.filled().is_empty() => Err(FailureKind::Closed.into()),
            None => Ok(Exchanged::Read(buffer.filled().to_vec())),
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            Self::Lost => Poll::Ready(Ok(())),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
            Self::Lost => Poll::Ready(Ok(0)),
        }
    }

    /// Writes everything and flushes.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await?,
            Self::Secure(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await?;
                acknowledge_at_once(stream.get_ref().0.stream())?;
            }
            Self::Lost => return Err(FailureKind::Closed.into()),
        }
        Ok(())
    }

    /// What has arrived already, without waiting for more; none if nothing has.
    pub(super) async fn pending(&mut self) -> Option<Result<Vec<u8>, Broken>> {
        let mut bytes = [0; READ_SIZE];
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = poll_fn(|context| match self.poll_read(context, &mut buffer) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Ready(None),
        });
        match read.await? {
            Ok(()) if buffer.filled().is_empty() => Some(Err(FailureKind::Closed.into())),
            Ok(()) => Some(Ok(buffer.filled().to_vec())),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Does the TLS handshake over what was plain until now. Also gives what a login can be bound to.
    pub(super) async fn secure(
        &mut self,
        tls: &TlsClient,
        name: &Host,
        base: Option<&DomainName>,
    ) -> Result<(TlsFacts, Option<ChannelBinding>), Unshaken> {
        let Self::Plain(stream) = std::mem::replace(self, Self::Lost) else {
            return Err(Broken::from(FailureKind::Closed).into());
        };
        let (stream, facts) = tls.handshake(stream, name, base).await?;
        acknowledge_at_once(stream.get_ref().0.stream()).map_err(Broken::from)?;
        let binding = binding(stream.get_ref().1, &facts);
        *self = Self::Secure(Box::new(stream));
        Ok((facts, binding))
    }

    /// Learns what old TLS the server would speak, within `limit`; the connection is of no use afterwards.
    pub(super) async fn survey(&mut self, name: &Host, limit: Duration) -> Result<LegacyTls, Broken> {
        let Self::Plain(stream) = self else { return Err(FailureKind::Closed.into()) };
        Ok(legacy::ask(stream, name, limit).await?)
    }

    /// Ends the connection in order, without waiting for the peer.
    pub(super) async fn close(mut self) {
        // It may be gone already, which is all that is wanted.
        let _ = match &mut self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Secure(stream) => stream.shutdown().await,
            Self::Lost => Ok(()),
        };
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_icmp_error_tells_more_than_the_number() {
        const ENETUNREACH: i32 = 101;
        const EHOSTUNREACH: i32 = 113;
        let icmp = |from: &str, kind, code| Some(IcmpError { kind, code, from: from.parse().expect(from), here: false });
        for (errno, icmp, kind, words) in [
            // The very same numbers, with an ICMP error behind them and without.
            (111, None, FailureKind::Refused, ""),
            (111, icmp("192.0.2.1", 3, 3), FailureKind::Rejected, "port unreachable (ICMP 3/3)"),
            (111, icmp("2001:db8::1", 1, 4), FailureKind::Rejected, "port unreachable (ICMPv6 1/4)"),
            (ENETUNREACH, None, FailureKind::NoRoute, ""),
            (ENETUNREACH, icmp("192.0.2.1", 3, 0), FailureKind::HostUnreachable, "network unreachable (ICMP 3/0)"),
            (ENETUNREACH, icmp("192.0.2.1", 3, 9), FailureKind::Rejected, "network administratively prohibited (ICMP 3/9)"),
            (ENETUNREACH, icmp("2001:db8::1", 1, 0), FailureKind::HostUnreachable, "no route to destination (ICMPv6 1/0)"),
            (EHOSTUNREACH, icmp("192.0.2.1", 3, 1), FailureKind::HostUnreachable, "host unreachable (ICMP 3/1)"),
            (EHOSTUNREACH, icmp("192.0.2.1", 3, 10), FailureKind::Rejected, "host administratively prohibited (ICMP 3/10)"),
            (EHOSTUNREACH, icmp("192.0.2.1", 3, 13), FailureKind::Rejected, "administratively prohibited (ICMP 3/13)"),
            (EHOSTUNREACH, icmp("192.0.2.1", 11, 0), FailureKind::HostUnreachable, "time exceeded in transit (ICMP 11/0)"),
            (EHOSTUNREACH, icmp("2001:db8::1", 1, 3), FailureKind::HostUnreachable, "address unreachable (ICMPv6 1/3)"),
            (92, icmp("192.0.2.1", 3, 2), FailureKind::Rejected, "protocol unreachable (ICMP 3/2)"),
            (13, None, FailureKind::Forbidden, ""),
            (1, None, FailureKind::Forbidden, ""),
            (13, icmp("2001:db8::1", 1, 1), FailureKind::Rejected, "administratively prohibited (ICMPv6 1/1)"),
            (13, icmp("2001:db8::1", 1, 5), FailureKind::Rejected, "source address failed policy (ICMPv6 1/5)"),
            (13, icmp("2001:db8::1", 1, 6), FailureKind::Rejected, "reject route to destination (ICMPv6 1/6)"),
            (104, None, FailureKind::Reset, ""),
            (97, None, FailureKind::NoRoute, ""),
        ] {
            let failure = Failure::of_system(&io::Error::from_raw_os_error(errno), icmp);
            assert_eq!((failure.kind, failure.errno), (kind, Some(errno)), "{errno} {icmp:?}");
            assert_eq!(icmp.map(|icmp| icmp.to_string()).unwrap_or_default(), words);
        }
    }
}
