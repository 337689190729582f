//! `bulk --queue`: the same list and the same journal, asked by workers.

use std::time::SystemTime;

use smtpprobe::bulk::input::List;
use smtpprobe::bulk::journal::Identity;
use smtpprobe::bulk::queue::{Broker, Ended, Publisher, RunName, Source};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::report::safe;
use smtpprobe::target::Host;
use tokio::sync::mpsc;

use super::super::{INTERRUPTED, Trouble, queue, runtime};
use super::progress::Progress;
use super::sink::{Opened, Sink, Wanted, exit_code, open_list};
use super::{AHEAD, BulkArgs, read_ahead, read_through};

/// Runs it.
pub(super) fn run(args: &BulkArgs) -> Result<u8, Trouble> {
    let (settings, order) = (args.settings()?, args.order());
    if settings.servers.iter().any(|(host, _)| matches!(host, Host::Socket(_))) {
        return Err(Trouble::Usage("--server unix:PATH: a socket cannot be reached from other machines; leave out --queue".to_owned()));
    }
    if settings.bind.is_some() || settings.proxy.is_some() {
        eprintln!("smtpprobe: --bind and --proxy have no effect here: it is the workers that connect, each by its own");
    }
    let access = args.queue.access()?;
    args.look_over()?;
    let runtime = runtime()?;
    let (broker, told) = runtime.block_on(queue::connect(&access))?;
    if args.queue_discard {
        let (identity, _) = open_list(&args.list, args.identity())?;
        return discard(&runtime, broker, args, run_name(args, &identity)?);
    }
    let (written, safe_lines) = mpsc::unbounded_channel();
    let is_written = move |lines: Vec<u64>| drop(written.send(lines));
    let opened = Sink::open(&args.list, args.identity(), args.output, args.output_file.as_deref(), is_written)?;
    let (sink, Opened { input, answered, identity }) = opened;
    let run = run_name(args, &identity)?;
    let knowledge = Knowledge::english();
    let mut progress = Progress::new(args.quiet, args.output_file.as_ref(), "workers");
    let (feed, lines) = mpsc::channel(AHEAD);
    let reader = read_ahead(List::new(input, args.form()), answered.clone(), feed);
    let written = sink.is_journal().then_some(safe_lines);
    let source = Source { order: &order, settings: &settings, knowledge: &knowledge, lines, answered, written };
    let mut last = smtpprobe::bulk::Tally::default();
    let ended = runtime.block_on(async {
        let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let created = u64::try_from(created).unwrap_or(u64::MAX);
        // Without a handler for it, Ctrl-C ends the program as usual.
        let stop = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let publish = async {
            let publisher = Publisher::open(broker, args.queue.span(), run, created).await?;
            let answer = |answer| sink.take(answer);
            let show = |tally: &smtpprobe::bulk::Tally| {
                progress.show(tally);
                last.clone_from(tally);
            };
            Box::pin(publisher.run(source, answer, show, stop)).await
        };
        tokio::select! {
            ended = publish => ended.map_err(|error| queue::trouble(&error)),
            () = queue::tell(told) => Ok(Ended::Stopped),
        }
    });
    match &ended {
        Ok(_) => progress.end(&last),
        Err(_) => drop(progress),
    }
    runtime.shutdown_background();
    let summary = sink.close()?;
    let ended = ended?;
    let beside_answers = args.output_file.is_none();
    Wanted { table: args.summary, page: args.summary_html.as_ref(), beside_answers }.show(&summary, &args.list, &knowledge)?;
    if ended == Ended::Stopped {
        if !args.quiet {
            eprintln!("smtpprobe: stopped; what has been published stays with the broker, and the same command collects it");
        }
        // The thread may be waiting for standard input, which nobody closes.
        return Ok(INTERRUPTED);
    }
    read_through(reader)?;
    Ok(exit_code(&summary))
}

/// What the run is called at the broker.
fn run_name(args: &BulkArgs, identity: &Identity) -> Result<RunName, Trouble> {
    match &args.queue_run {
        Some(name) => name.parse().map_err(|error| Trouble::Usage(safe(&format!("--queue-run: {error}")))),
        None => Ok(RunName::of(identity)),
    }
}

/// Has the broker forget a run.
fn discard(runtime: &tokio::runtime::Runtime, broker: Broker, args: &BulkArgs, run: RunName) -> Result<u8, Trouble> {
    let name = run.to_string();
    let discarded = async { Publisher::open(broker, args.queue.span(), run, 0).await?.discard().await };
    let was_there = runtime.block_on(discarded).map_err(|error| queue::trouble(&error))?;
    if !args.quiet {
        let what = if was_there { "has forgotten" } else { "knows of no" };
        eprintln!("smtpprobe: the broker {what} run {name}");
    }
    Ok(0)
}
