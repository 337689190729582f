//! `bulk`: a list in, an answer for each of its lines out.

mod descriptors;
mod metrics;
mod output;
mod progress;
#[cfg(feature = "queue")]
mod queue;
mod sink;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::Args as ClapArgs;
use clap::builder::BoolishValueParser;
use smtpprobe::bulk::input::{Entry, Form, InputError, List};
use smtpprobe::bulk::journal::Answered;
use smtpprobe::bulk::manners::{Limits, UnknownUsers};
use smtpprobe::bulk::overrides::Overrides;
use smtpprobe::bulk::{Guessing, Halt, Order, run as ask_all};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::settings::Settings;
use smtpprobe::smtp::{HelloName, StageTimes};
use tokio::sync::{mpsc, watch};

pub(super) use self::descriptors::enough_for;
use self::metrics::{Figures, Listen};
use self::output::Format;
use self::progress::Progress;
use self::sink::{Opened, Sink, Wanted, exit_code};
use super::args::{ControlsArg, RouteOptions, TlsArg, duration, sender};
use super::queue::QueueOptions;
use super::{INTERRUPTED, Trouble, runtime};

pub(super) const EXAMPLES: &str = "\
Examples:
  smtpprobe bulk addresses.txt                     one JSON object a line
  smtpprobe bulk --column email -o csv members.csv > answers.csv
  smtpprobe bulk --output-file answers.ndjson --summary addresses.txt   a journal: the same command goes on after a crash
  smtpprobe bulk --queue nats://queue.example.com --output-file a.ndjson list.txt   asked by workers
  grep -h @example.com *.txt | smtpprobe bulk --i-own-this-domain -
In the configuration file (--config) a destination can be treated otherwise than the rest:
  [destination.\"mx.example.net\"]  a mail host, by name or address; \"*.example.net\" all below it;
                                  \"@example.net\" those where mail for this domain goes
  rate = 5                        or \"unlimited\"
  connections = 1                 also recipients-per-session, recipients-per-transaction,
                                  retries, retry-after
Of several that fit, a host goes before a domain, and both before *; the rest is as the options say.
Exit codes: 4 if a mailbox could not be reached, else 3 if one was put off, else 1 if one was refused or is no address,
else 5 if one cannot be told, else 0; 2 wrong usage, 70 own failure, 130 stopped. Ctrl-C once ends what has begun, twice stops at once.
No message is delivered. Each destination gets 2 connections and 50 recipients a second, unless told otherwise.";

/// Lines that are looked over before the first mailbox is asked for.
const LOOKED_OVER: usize = 100_000;
/// Lines that are read ahead.
const AHEAD: usize = 1024;

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Manners")]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct BulkArgs {
    /// The list: one address a line, or a table with --column; - is standard input
    #[arg(value_name = "FILE|-")]
    list: PathBuf,
    /// The list is a table (CSV with a head, or one JSON object a line): the column with the addresses
    #[arg(long, value_name = "NAME", env = "SMTPPROBE_COLUMN", hide_env = true, help_heading = "List")]
    column: Option<String>,
    /// Ask on where users are mostly unknown, or addresses look made up
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_I_OWN_THIS_DOMAIN", hide_env = true, help_heading = "List")]
    i_own_this_domain: bool,

    /// Recipients a second at one destination, or unlimited
    #[arg(long, value_name = "N", default_value = "50", value_parser = rate, env = "SMTPPROBE_RATE", hide_env = true)]
    rate: Rate,
    /// Connections in all
    #[arg(long, value_name = "N", default_value = "500", value_parser = count, env = "SMTPPROBE_CONNECTIONS", hide_env = true)]
    connections: usize,
    /// Connections to one destination
    #[arg(long, value_name = "N", default_value = "2", value_parser = count, env = "SMTPPROBE_CONNECTIONS_PER_DESTINATION", hide_env = true)]
    connections_per_destination: usize,
    /// How often a mailbox is asked again that was put off
    #[arg(long, value_name = "N", default_value = "3", env = "SMTPPROBE_RETRIES", hide_env = true)]
    retries: u32,
    /// How long after, where the server names no time
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = duration, env = "SMTPPROBE_RETRY_AFTER", hide_env = true)]
    retry_after: Duration,

    /// Sender in MAIL FROM [default: <>, the null sender]
    #[arg(short, long, value_name = "ADDR", env = "SMTPPROBE_FROM", hide_env = true, help_heading = "Conversation")]
    from: Option<String>,
    /// Name in EHLO [default: this host's name, else its address]
    #[arg(long, value_name = "NAME", env = "SMTPPROBE_HELO", hide_env = true, help_heading = "Conversation")]
    helo: Option<HelloName>,
    /// How to use TLS [default: implicit on port 465, else STARTTLS where offered]
    #[arg(long, value_name = "HOW", env = "SMTPPROBE_TLS", hide_env = true, help_heading = "Conversation")]
    tls: Option<TlsArg>,
    /// When to ask each domain for a made-up address, too: where a mailbox was accepted, never, or after any reply
    #[arg(long, value_name = "WHEN", default_value = "auto", env = "SMTPPROBE_CONTROLS", hide_env = true, help_heading = "Conversation")]
    controls: ControlsArg,
    #[command(flatten)]
    route: RouteOptions,
    /// Destinations that the configuration file treats otherwise.
    #[arg(skip)]
    pub(super) overrides: Overrides,

    /// The run's name at the broker, 1 to 40 of a-z, 0-9, _ and - [default: made of the list, so that the same command has the same one]
    #[arg(long, value_name = "NAME", requires = "queue", env = "SMTPPROBE_QUEUE_RUN", hide_env = true, help_heading = "Queue")]
    #[cfg_attr(not(feature = "queue"), allow(dead_code, reason = "without the queue it is only complained about"))]
    queue_run: Option<String>,
    /// Have the broker forget this list, asked or not, and end; what is written already stays
    #[arg(long, requires = "queue", help_heading = "Queue")]
    #[cfg_attr(not(feature = "queue"), allow(dead_code, reason = "without the queue it is only complained about"))]
    queue_discard: bool,
    #[command(flatten)]
    queue: QueueOptions,

    /// How to show the answers
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "ndjson",
        env = "SMTPPROBE_BULK_OUTPUT",
        hide_env = true,
        help_heading = "Output"
    )]
    output: Format,
    /// Where to write them [default: standard output]. With ndjson that is a journal: after a crash or Ctrl-C the same command goes on
    /// where it stopped. With csv and json the file must not be there yet
    #[arg(long, value_name = "FILE", env = "SMTPPROBE_OUTPUT_FILE", hide_env = true, help_heading = "Output")]
    output_file: Option<PathBuf>,
    /// At the end, how many answers there were by outcome, reason and destination
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_SUMMARY", hide_env = true, help_heading = "Output")]
    summary: bool,
    /// The same as a page with charts
    #[arg(long, value_name = "FILE", env = "SMTPPROBE_SUMMARY_HTML", hide_env = true, help_heading = "Output")]
    summary_html: Option<PathBuf>,
    /// Figures for Prometheus while the run lasts, over HTTP at /metrics of this address: 127.0.0.1:9925, or :9925 for all addresses
    #[arg(long, value_name = "ADDR", value_parser = metrics::listen, env = "SMTPPROBE_METRICS", hide_env = true, help_heading = "Output")]
    metrics: Option<Listen>,
    /// Tell no progress
    #[arg(short, long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_QUIET", hide_env = true, help_heading = "Output")]
    quiet: bool,
}

/// Recipients a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate(pub(super) Option<f64>);

pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let number = || text.parse::<f64>().ok().filter(|rate| (0.001..=1e6).contains(rate));
    match text {
        "unlimited" => Ok(Rate(None)),
        _ => number().map(|rate| Rate(Some(rate))).ok_or_else(|| "it should be a number such as 50 or 0.5, or unlimited".to_owned()),
    }
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse::<usize>().ok().filter(|count| *count > 0).ok_or_else(|| "it should be a number from 1 on".to_owned())
}

impl BulkArgs {
    fn settings(&self) -> Result<Settings, Trouble> {
        let base = self.route.settings()?;
        let times = match self.route.time() {
            Some(time) => StageTimes { greeting: time, command: time, ..base.times },
            None => base.times,
        };
        Ok(Settings {
            from: sender(self.from.as_deref())?,
            hello: self.helo.clone(),
            tls: self.tls.and_then(TlsArg::into_use),
            controls: self.controls.into(),
            connect_timeout: base.connect_timeout.min(self.route.time().unwrap_or(Duration::MAX)),
            times,
            ..base
        })
    }

    fn order(&self) -> Order {
        let base = Order::default();
        let unknown_users = if self.i_own_this_domain { UnknownUsers::Own } else { UnknownUsers::Stop };
        let limits = Limits { connections: self.connections_per_destination, rate: self.rate.0, unknown_users, ..base.limits };
        Order {
            limits,
            connections: enough_for(self.connections),
            retries: self.retries,
            retry_after: self.retry_after,
            overrides: self.overrides.clone(),
            ..base
        }
    }

    /// What decides the answers: the journal of other options is not gone on with.
    fn identity(&self) -> BTreeMap<String, String> {
        let given = |value: &Option<String>| value.clone().unwrap_or_default();
        BTreeMap::from([("--column".to_owned(), given(&self.column)), ("--from".to_owned(), given(&self.from))])
    }

    fn form(&self) -> Form {
        self.column.clone().map_or(Form::Lines, |column| Form::Table { column })
    }

    fn open(&self) -> Result<Box<dyn BufRead + Send>, Trouble> {
        if self.list.as_os_str() == "-" {
            return Ok(Box::new(BufReader::new(io::stdin())));
        }
        let file = File::open(&self.list).map_err(|error| Trouble::Usage(format!("{}: {error}", self.list.display())))?;
        Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
    }

    /// Refuses a list that can be read twice and looks made up, before anybody is asked.
    fn look_over(&self) -> Result<(), Trouble> {
        if self.i_own_this_domain || !self.list.is_file() {
            return Ok(());
        }
        let mut guessing = Guessing::default();
        for entry in List::new(self.open()?, self.form()).take(LOOKED_OVER) {
            let Entry { line, mailbox, .. } = entry.map_err(unreadable)?;
            if let Ok(mailbox) = mailbox
                && guessing.notice(&mailbox)
            {
                let what = "look counted up or spelt through, as for guessing (line";
                let advice = "--i-own-this-domain asks them all the same";
                return Err(Trouble::Usage(format!("the addresses at {} {what} {line}); {advice}", mailbox.domain())));
            }
        }
        Ok(())
    }
}

fn unreadable(error: InputError) -> Trouble {
    match error {
        InputError::Read { ref source, .. } => Trouble::Machine(io::Error::new(source.kind(), error.to_string())),
        other => Trouble::Usage(other.to_string()),
    }
}

/// Runs it.
pub(super) fn run(args: &BulkArgs) -> Result<u8, Trouble> {
    #[cfg(feature = "queue")]
    if args.queue.queue.is_some() {
        return queue::run(args);
    }
    #[cfg(not(feature = "queue"))]
    if args.queue.queue.is_some() {
        return Err(super::queue::missing());
    }
    let (settings, order) = (args.settings()?, args.order());
    let (figures, endpoint) = Figures::open(args.metrics)?;
    args.look_over()?;
    let opened = Sink::open(&args.list, args.identity(), args.output, args.output_file.as_deref(), |_| ())?;
    let (sink, Opened { input, answered, .. }) = opened;
    let before = answered.as_ref().map_or(0, Answered::len);
    let knowledge = Knowledge::english();
    let mut progress = Progress::new(args.quiet, args.output_file.as_ref(), "sessions");
    let (feed, lines) = mpsc::channel(AHEAD);
    let reader = read_ahead(List::new(input, args.form()), answered, feed);
    let (go, halt) = watch::channel(Halt::No);
    let runtime = runtime()?;
    if let Some(endpoint) = endpoint {
        endpoint.tell(args.quiet)?;
        runtime.spawn(endpoint.serve());
    }
    let tally = runtime.block_on(async {
        let ask = ask_all(
            (&order, &settings, &knowledge),
            lines,
            halt,
            |answer| sink.take(answer),
            |tally| {
                progress.show(tally);
                figures.take(tally);
            },
        );
        tokio::select! {
            tally = ask => tally,
            never = interrupted(&go) => match never {},
        }
    });
    let stopped = *go.borrow() != Halt::No;
    progress.end(&tally);
    runtime.shutdown_background();
    let summary = sink.close()?;
    let beside_answers = args.output_file.is_none();
    Wanted { table: args.summary, page: args.summary_html.as_ref(), beside_answers }.show(&summary, &args.list, &knowledge)?;
    if stopped {
        // The thread may be waiting for standard input, which nobody closes.
        return Ok(INTERRUPTED);
    }
    read_through(reader)?;
    progress.nothing(&tally, before);
    Ok(exit_code(&summary))
}

type Reader = JoinHandle<Result<(), InputError>>;

/// Reads the list on a thread of its own, without the lines that are `answered`: standard input may come as slowly as it likes, the
/// sessions do not wait for it.
fn read_ahead<R: BufRead + Send + 'static>(list: List<R>, answered: Option<Answered>, feed: mpsc::Sender<Entry>) -> Reader {
    thread::spawn(move || {
        for entry in list {
            let entry = entry?;
            if answered.as_ref().is_some_and(|answered| answered.contains(entry.line)) {
                continue;
            }
            // Whoever does not listen any more has been stopped.
            if feed.blocking_send(entry).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// What came of reading the list to its end.
fn read_through(reader: Reader) -> Result<(), Trouble> {
    match reader.join() {
        Ok(read) => read.map_err(unreadable),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Ctrl-C once ends what has begun, twice stops at once. Never returns.
pub(super) async fn interrupted(go: &watch::Sender<Halt>) -> Infallible {
    for halt in [Halt::Finish, Halt::Now] {
        // Without a handler for it, Ctrl-C ends the program as usual.
        if tokio::signal::ctrl_c().await.is_err() {
            break;
        }
        let _ = go.send(halt);
    }
    std::future::pending().await
}
