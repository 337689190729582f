//! `worker`: takes jobs of `bulk --queue`, on as many machines as one likes.

use std::net::IpAddr;

use clap::Args as ClapArgs;
use clap::builder::BoolishValueParser;
use smtpprobe::smtp::HelloName;

#[cfg(not(feature = "queue"))]
use super::Trouble;
use super::queue::QueueOptions;
use super::way::ProxyUrl;

pub(super) const EXAMPLES: &str = "\
Examples:
  smtpprobe worker --queue nats://queue.example.com      until Ctrl-C, for any list
  smtpprobe worker --queue tls://queue.example.com --queue-creds w.creds
On one machine, the list: smtpprobe bulk --queue nats://queue.example.com FILE
At most one worker talks to a destination at a time; how politely, whoever publishes the list decides.
Ctrl-C once (or SIGTERM) ends what has begun and leaves the rest to the others, twice stops at once. Exit codes: 0, 2 wrong usage, 70 own failure.";

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Worker")]
#[cfg_attr(not(feature = "queue"), allow(dead_code, reason = "without the queue they are only complained about"))]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    queue: QueueOptions,
    /// Connections in all; a worker that may have more gets more to do
    #[arg(long, value_name = "N", default_value = "500", value_parser = super::bulk::count, env = "SMTPPROBE_CONNECTIONS", hide_env = true)]
    connections: usize,
    /// Name in EHLO, where the list's publisher gives none [default: this host's name, else its address]
    #[arg(long, value_name = "NAME", env = "SMTPPROBE_HELO", hide_env = true)]
    helo: Option<HelloName>,
    /// Local address to connect from
    #[arg(long, value_name = "ADDR", env = "SMTPPROBE_BIND", hide_env = true)]
    bind: Option<IpAddr>,
    /// Connect to mail servers by way of this SOCKS5 proxy
    #[arg(long, value_name = "socks5://[USER:PASSWORD@]HOST[:PORT]", env = "SMTPPROBE_PROXY", hide_env = true)]
    proxy: Option<ProxyUrl>,
    /// Tell no progress
    #[arg(short, long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_QUIET", hide_env = true)]
    quiet: bool,
}

/// Runs it.
#[cfg(not(feature = "queue"))]
pub(super) fn run(_: &WorkerArgs) -> Result<u8, Trouble> {
    Err(super::queue::missing())
}

#[cfg(feature = "queue")]
pub(super) use at_work::run;

#[cfg(feature = "queue")]
mod at_work {
    use std::time::{Duration, Instant};

    use smtpprobe::bulk::Halt;
    use smtpprobe::bulk::queue::{Load, Worker};
    use smtpprobe::knowledge::Knowledge;
    use smtpprobe::settings::Settings;
    use tokio::sync::watch;

    use super::super::{Trouble, args, bulk, queue, runtime};
    use super::{ProxyUrl, WorkerArgs};

    /// How it is doing is told this often.
    const SELDOM: Duration = Duration::from_secs(60);

    impl WorkerArgs {
        fn settings(&self) -> Result<Settings, Trouble> {
            args::can_bind(self.bind)?;
            let proxy = self.proxy.as_ref().map(ProxyUrl::read).transpose()?;
            Ok(Settings { hello: self.helo.clone(), bind: self.bind, proxy, ..Settings::default() })
        }
    }

    /// Runs it.
    pub(in super::super) fn run(args: &WorkerArgs) -> Result<u8, Trouble> {
        let (settings, access, knowledge) = (args.settings()?, args.queue.access()?, Knowledge::english());
        let connections = bulk::enough_for(args.connections);
        let runtime = runtime()?;
        let done = runtime.block_on(async {
            let (broker, told) = queue::connect(&access).await?;
            let worker = Worker::open(broker, args.queue.span()).await.map_err(|error| queue::trouble(&error))?;
            if !args.quiet {
                eprintln!("smtpprobe: at work for {}", access.servers);
            }
            let (go, halt) = watch::channel(Halt::No);
            let mut progress = Progress { quiet: args.quiet, began: Instant::now(), told: Instant::now() };
            tokio::select! {
                load = worker.run((&settings, &knowledge), connections, halt, |load| progress.show(load)) => {
                    progress.end(&load);
                    Ok(0)
                }
                never = bulk::interrupted(&go) => match never {},
                () = terminated(&go) => Ok(0),
                () = queue::tell(told) => Ok(0),
            }
        });
        runtime.shutdown_background();
        done
    }

    /// Whoever ends services sends SIGTERM, and waits a while: that is the first Ctrl-C. Never returns.
    async fn terminated(go: &watch::Sender<Halt>) {
        #[cfg(unix)]
        if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            && terminate.recv().await.is_some()
        {
            go.send_modify(|halt| *halt = (*halt).max(Halt::Finish));
        }
        #[cfg(not(unix))]
        let _ = go;
        std::future::pending::<()>().await;
    }

    struct Progress {
        quiet: bool,
        began: Instant,
        told: Instant,
    }

    impl Progress {
        fn show(&mut self, load: &Load) {
            if !self.quiet && self.told.elapsed() >= SELDOM {
                self.told = Instant::now();
                eprintln!("smtpprobe: {}", words(load, self.began.elapsed()));
            }
        }

        fn end(&self, load: &Load) {
            if !self.quiet {
                eprintln!("smtpprobe: {}", words(load, self.began.elapsed()));
            }
        }
    }

    fn words(load: &Load, passed: Duration) -> String {
        let Load { answered, partitions, sessions, workers, runs } = load;
        #[allow(clippy::cast_precision_loss, reason = "a count of mailboxes")]
        let rate = *answered as f64 / passed.as_secs_f64().max(0.001);
        format!("{answered} answered, {rate:.0}/s, {sessions} sessions, {partitions} partitions, {workers} workers, {runs} lists")
    }

    #[test]
    fn the_line_tells_how_it_is_doing() {
        let load = Load { answered: 120, partitions: 7, sessions: 12, workers: 2, runs: 1 };
        assert_eq!(words(&load, Duration::from_secs(60)), "120 answered, 2/s, 12 sessions, 7 partitions, 2 workers, 1 lists");
    }
}
