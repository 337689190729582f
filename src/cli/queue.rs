//! How to reach the broker of a queue: the options that `bulk` and `worker` have in common.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::args::duration;

#[derive(Debug, Args)]
#[command(next_help_heading = "Queue")]
pub(crate) struct QueueOptions {
    /// The broker, a nats-server that was started with -js. A password is better kept in the environment or a file than on the command line, where others can read it
    #[arg(long, value_name = "nats://HOST[:PORT]|tls://HOST[:PORT]", env = "SMTPPROBE_QUEUE", hide_env = true)]
    pub(super) queue: Option<QueueUrl>,
    /// Credentials for it, as nsc writes them
    #[arg(long, value_name = "FILE", env = "SMTPPROBE_QUEUE_CREDS", hide_env = true)]
    pub(super) queue_creds: Option<PathBuf>,
    /// Take the password of the user that --queue names, or without a user the token, from the first line of F [default: the environment's `SMTPPROBE_QUEUE_PASSWORD`]
    #[arg(long, value_name = "F", env = "SMTPPROBE_QUEUE_PASSWORD_FILE", hide_env = true)]
    pub(super) queue_password_file: Option<PathBuf>,
    /// Certificates of authorities to trust for it beside the system's (PEM)
    #[arg(long, value_name = "FILE", env = "SMTPPROBE_QUEUE_CA", hide_env = true)]
    pub(super) queue_ca: Option<PathBuf>,
    /// This machine's own certificate for it (PEM)
    #[arg(long, value_name = "FILE", requires = "queue_key", env = "SMTPPROBE_QUEUE_CERTIFICATE", hide_env = true)]
    pub(super) queue_certificate: Option<PathBuf>,
    /// And its key (PEM)
    #[arg(long, value_name = "FILE", requires = "queue_certificate", env = "SMTPPROBE_QUEUE_KEY", hide_env = true)]
    pub(super) queue_key: Option<PathBuf>,
    /// How long the destinations of a worker that died are left alone; all machines need the same
    #[arg(long, value_name = "SECONDS", value_parser = duration, hide = true, env = "SMTPPROBE_QUEUE_LEASE", hide_env = true)]
    pub(super) queue_lease: Option<Duration>,
}

/// The broker's address as given; there may be a password in it.
#[derive(Clone)]
#[cfg_attr(not(feature = "queue"), allow(dead_code, reason = "without the queue it is only complained about"))]
pub(super) struct QueueUrl(String);

impl FromStr for QueueUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueUrl(hidden)")
    }
}

/// What this build cannot do.
#[cfg(not(feature = "queue"))]
pub(super) fn missing() -> super::Trouble {
    let advice = "build it with cargo install smtpprobe --features queue";
    super::Trouble::Usage(format!("this smtpprobe was built without the queue: {advice}"))
}

#[cfg(feature = "queue")]
mod connected {
    use std::io;

    use smtpprobe::bulk::queue::{Access, Broker, BrokerError, Notice, Span};
    use smtpprobe::report::safe;
    use smtpprobe::smtp::Secret;
    use smtpprobe::transport::read_roots;
    use tokio::sync::mpsc;

    use super::super::{Trouble, login};
    use super::QueueOptions;

    /// The environment variable of the password or token. It is no option: --help would show the value.
    const VARIABLE: &str = "SMTPPROBE_QUEUE_PASSWORD";

    impl QueueOptions {
        /// How to reach the broker.
        pub(crate) fn access(&self) -> Result<Access, Trouble> {
            let Some(url) = &self.queue else {
                return Err(Trouble::Usage("name the broker with --queue nats://HOST".to_owned()));
            };
            let servers = url.0.parse().map_err(|error| Trouble::Usage(format!("--queue: {error}")))?;
            if let Some(file) = &self.queue_ca {
                read_roots(file).map_err(|error| Trouble::Usage(safe(&error.to_string())))?;
            }
            let secret = match &self.queue_password_file {
                Some(file) => Some(login::from_file("--queue-password-file", file)?),
                None => std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(|value| Secret::new(value.into_encoded_bytes())),
            };
            Ok(Access {
                servers,
                secret,
                credentials: self.queue_creds.clone(),
                authority: self.queue_ca.clone(),
                certificate: self.queue_certificate.clone().zip(self.queue_key.clone()),
            })
        }

        /// How long leases last.
        pub(crate) fn span(&self) -> Span {
            self.queue_lease.map_or_else(Span::default, Span::new)
        }
    }

    /// Connects; what is worth telling comes out of the second.
    pub(crate) async fn connect(access: &Access) -> Result<(Broker, mpsc::UnboundedReceiver<Notice>), Trouble> {
        let (notices, told) = mpsc::unbounded_channel();
        Ok((Broker::connect(access, notices).await.map_err(|error| trouble(&error))?, told))
    }

    /// Whose fault it is.
    pub(crate) fn trouble(error: &BrokerError) -> Trouble {
        let words = safe(&error.to_string());
        match error {
            BrokerError::Unreachable { .. } | BrokerError::Failed { .. } => Trouble::Machine(io::Error::other(words)),
            _ => Trouble::Usage(words),
        }
    }

    /// Tells what is worth it, on standard error. Ends with whoever has something to tell.
    pub(crate) async fn tell(mut told: mpsc::UnboundedReceiver<Notice>) {
        while let Some(notice) = told.recv().await {
            eprintln!("smtpprobe: {}", safe(&notice.to_string()));
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(feature = "queue")]
pub(super) use connected::{connect, tell, trouble};
