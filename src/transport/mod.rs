//! Sockets: the one driver that holds a [`Session`] over TCP and TLS.
//!
//! [`Line::hold`] is a loop over [`Session::need`]: it writes, reads, shakes hands and waits, and decides nothing. Whatever goes
//! wrong with the connection is told to the session as a [`Failure`](crate::smtp::Failure) and stands in the transcript; it is no error of the program.

mod certificate;
pub mod dane;
mod endpoint;
mod error_queue;
mod fetch;
mod hyper_stream;
pub mod legacy;
mod overheard;
mod own;
mod proxy;
mod roots;
mod stream;
mod tcp;
mod tls;
mod verification;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

pub use self::endpoint::{Endpoint, Place};
pub use self::own::{is_own, source};
pub use self::roots::{RootsError, read_roots};
use self::tcp::{Exchanged, Wire};
pub use self::tls::TlsClient;
use self::tls::Unshaken;
use crate::settings::{Clock, Settings};
use crate::smtp::{FailureKind, Need, Session, Transcript};
use crate::target::{DomainName, Host};

/// Writing a few commands ends within this time, or the peer has stopped reading.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// After the probe was stopped, QUIT gets this long to leave, and so does the farewell of TLS.
const PARTING_LIMIT: Duration = Duration::from_millis(200);
/// Bytes read at once.
const READ_SIZE: usize = 4096;

/// Tells all conversations at once that they are to end, and why.
pub type Stop = watch::Receiver<Option<FailureKind>>;

/// What every connection of a probe has in common.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// How to connect.
    pub settings: &'a Settings,
    /// What time it is.
    pub clock: Clock,
    /// How TLS is done.
    pub tls: &'a TlsClient,
    /// How long connecting may take.
    pub connect_timeout: Duration,
}

impl Line<'_> {
    /// Connects to `address`, holds the conversation, and gives back what happened.
    ///
    /// `name` is what the certificate should prove, and what TLS asks the server for, unless `base` names another when it comes to that
    /// (RFC 7672 §3.2.1). `watch` is called whenever something has happened, before the next step; it
    /// may [enqueue](Session::enqueue) further transactions. A change of `stop` ends the conversation, with QUIT where possible.
    pub async fn hold(
        &self,
        name: &Host,
        base: impl Fn() -> Option<DomainName>,
        address: SocketAddr,
        mut session: Session,
        mut stop: Stop,
        mut watch: impl FnMut(&mut Session),
    ) -> Transcript {
        let connected = tokio::select! {
            biased;
            why = stopped(&mut stop) => Err(why.into()),
            connected = tcp::connect_to(self.settings, name, address, self.connect_timeout) => connected,
        };
        let mut wire = match connected {
            Ok((wire, ends)) => {
                session.connected(self.clock.now(), ends);
                wire
            }
            Err(failure) => {
                session.broke(self.clock.now(), failure);
                watch(&mut session);
                return session.into_transcript();
            }
        };
        loop {
            watch(&mut session);
            let need = session.need();
            if need == Need::Close {
                break;
            }
            let parting = stop.borrow().is_some();
            let ended = tokio::select! {
                biased;
                why = stopped(&mut stop), if !parting => Err(why.into()),
                done = self.step(need, &mut wire, &mut session, (name, base()), parting) => done,
            };
            if let Err(failure) = ended {
                session.broke(self.clock.now(), failure);
            }
        }
        // With a message broken off, a peer that reads nothing would hold up the farewell of TLS for ever.
        let _ = timeout(PARTING_LIMIT, wire.close()).await;
        session.into_transcript()
    }

    /// Does the one thing that is needed, and tells the session.
    async fn step(
        &self,
        need: Need,
        wire: &mut Wire,
        session: &mut Session,
        (name, base): (&Host, Option<DomainName>),
        parting: bool,
    ) -> Result<(), tcp::Broken> {
        // A stopped probe only says good-bye.
        if !parting
            && matches!(need, Need::Write(_) | Need::WriteSecret(_) | Need::Handshake(_) | Need::Survey(_))
            && let Some(early) = wire.pending().await
        {
            session.received(self.clock.now(), &early?);
            return Ok(());
        }
        match need {
            Need::Write(bytes) => {
                let limit = if parting { PARTING_LIMIT } else { WRITE_LIMIT };
                timeout(limit, wire.write(&bytes)).await.map_err(|_| FailureKind::TimedOut(limit))??;
                session.sent(self.clock.now());
            }
            Need::WriteSome(bytes, limit) => {
                match timeout(limit, wire.exchange(&bytes)).await.map_err(|_| FailureKind::TimedOut(limit))?? {
                    Exchanged::Written(count) => session.wrote(self.clock.now(), count),
                    Exchanged::Read(bytes) => session.received(self.clock.now(), &bytes),
                }
            }
            Need::WriteSecret(line) => {
                timeout(WRITE_LIMIT, wire.write(line.expose())).await.map_err(|_| FailureKind::TimedOut(WRITE_LIMIT))??;
                session.sent(self.clock.now());
            }
            Need::Read(limit) => {
                let mut bytes = [0; READ_SIZE];
                let length = timeout(limit, wire.read(&mut bytes)).await.map_err(|_| FailureKind::TimedOut(limit))??;
                session.received(self.clock.now(), &bytes[..length]);
            }
            Need::Rest(span) => {
                let mut bytes = [0; READ_SIZE];
                match timeout(span, wire.read(&mut bytes)).await {
                    Ok(length) => session.received(self.clock.now(), &bytes[..length?]),
                    Err(_) => session.rested(self.clock.now()),
                }
            }
            Need::Handshake(limit) => {
                let shaken = timeout(limit, wire.secure(self.tls, name, base.as_ref())).await;
                match shaken.map_err(|_| FailureKind::TimedOut(limit))? {
                    Ok((facts, binding)) => {
                        if let Some(binding) = binding {
                            session.binds(binding);
                        }
                        session.secured(self.clock.now(), facts);
                    }
                    Err(Unshaken { failure, bytes }) => {
                        if !bytes.is_empty() {
                            session.received(self.clock.now(), &bytes);
                        }
                        return Err(failure);
                    }
                }
            }
            Need::Survey(limit) => session.surveyed(self.clock.now(), wire.survey(name, limit).await?),
            Need::Close => {}
        }
        Ok(())
    }
}

/// Waits until the probe is stopped; for ever if it never is.
async fn stopped(stop: &mut Stop) -> FailureKind {
    loop {
        let why = stop.borrow_and_update().clone();
        if let Some(why) = why {
            return why;
        }
        if stop.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
