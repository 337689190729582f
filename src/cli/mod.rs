//! The command line: the only place that knows clap, prints, and decides exit codes.

mod args;
mod bulk;
mod codes;
mod compare;
mod config;
mod explain;
mod lines;
mod lists;
mod live;
mod login;
mod message;
mod output;
mod queue;
mod sender;
mod utf16;
mod way;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};
use smtpprobe::demo::{self, World};
use smtpprobe::diagnosis::{Case, Outcome, diagnose, judge};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::probe::probe;
use smtpprobe::report::{self, Report};
use smtpprobe::settings::Settings;
use smtpprobe::smtp::FailureKind;
use smtpprobe::target::Target;

use self::args::{Args, Command, OutputArgs, PortsArgs, ProbeArgs, ReportArgs, SchemaKind};
use self::config::Config;
use self::live::Live;
use self::output::Output;

/// Nothing is known of what was asked.
const UNKNOWN: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;
const INTERNAL: u8 = 70;

/// What ends the command without a result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The user asked for something that cannot be; one line that says what, and how it should look.
    #[error("{0}")]
    Usage(String),
    /// Nothing is known of what was asked; one line that says what is.
    #[error("{0}")]
    Unknown(String),
    /// Our own machine failed.
    #[error("{0}")]
    Machine(#[from] io::Error),
}

/// Runs the command.
pub(crate) fn main() -> ExitCode {
    end_on_defect();
    let args = match arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    match run(args) {
        Ok(code) => ExitCode::from(code),
        // Whoever closes the pipe has seen enough.
        Err(Trouble::Machine(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("smtpprobe: {trouble}");
            ExitCode::from(match trouble {
                Trouble::Usage(_) => USAGE,
                Trouble::Unknown(_) => UNKNOWN,
                Trouble::Machine(_) => INTERNAL,
            })
        }
    }
}

/// A defect of ours must not look like an answer about a mailbox, in whichever thread it shows.
fn end_on_defect() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |defect| {
        tell(defect);
        std::process::exit(INTERNAL.into());
    }));
}

/// The arguments, with the values of the configuration file where nothing else gives them; else the complaint is printed.
fn arguments() -> Result<Args, ExitCode> {
    let words = message::with_files(std::env::args_os());
    let matches = Args::command().try_get_matches_from(&words).map_err(|error| usage_error(&error, None))?;
    let args = Args::from_arg_matches(&matches).map_err(|error| usage_error(&error, None))?;
    let complain = |trouble: Trouble| {
        eprintln!("smtpprobe: {trouble}");
        ExitCode::from(USAGE)
    };
    let Some(config) = Config::read(args.config.as_deref()).map_err(complain)? else { return Ok(args) };
    let command = config.apply(Args::command(), &matches).map_err(complain)?;
    let parsed = command.try_get_matches_from(&words).and_then(|matches| Args::from_arg_matches(&matches));
    let mut args = parsed.map_err(|error| usage_error(&error, Some(&config)))?;
    if let Some(Command::Bulk(bulk)) = &mut args.command {
        bulk.overrides = config.destinations().clone();
    }
    Ok(args)
}

/// clap's complaint in one line, with the file it is about; help and version as they are.
fn usage_error(error: &clap::Error, config: Option<&Config>) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
        let missing = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        let _ = error.print();
        return if missing { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
    }
    let text = error.render().to_string();
    let before_usage = text.split("\n\nUsage:").next().unwrap_or_default().split("\n\nFor more").next().unwrap_or_default();
    let lines: Vec<&str> = before_usage.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = lines.join("; ").replace(":; ", ": ").replace("; [possible values: ", ": it should be one of ");
    let line = line.strip_suffix(']').unwrap_or(&line).to_owned();
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    eprintln!("smtpprobe: {}", config.map_or_else(|| line.to_owned(), |config| config.blame(line)));
    ExitCode::from(USAGE)
}

fn run(args: Args) -> Result<u8, Trouble> {
    match args.command {
        None => probes(&args.probe),
        Some(Command::Ports(args)) => ports(&args),
        Some(Command::Demo { address, options, output }) => demo(address.as_deref(), &options, &output),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Compare(args)) => compare::run(&args),
        Some(Command::Codes(args)) => codes::run(&args),
        Some(Command::Sender(args)) => sender::run(&args),
        Some(Command::Bulk(args)) => bulk::run(&args),
        Some(Command::Worker(args)) => worker::run(&args),
        Some(Command::Schema { kind }) => schema(kind),
    }
}

fn schema(kind: SchemaKind) -> Result<u8, Trouble> {
    let schema = match kind {
        SchemaKind::Report => report::schema::<Report>(),
        SchemaKind::Explanation => report::schema::<report::explanation::Explanation>(),
        SchemaKind::Summary => report::schema::<report::explanation::Summary>(),
        SchemaKind::Comparison => report::schema::<report::comparison::Comparison>(),
        SchemaKind::Codes => report::schema::<report::listing::Listing>(),
        SchemaKind::Sender => report::schema::<report::sender::SenderReport>(),
        SchemaKind::Bulk => report::schema::<smtpprobe::bulk::Answer>(),
    };
    Output::open(&OutputArgs::default())?.write(&schema.map_err(io::Error::from)?)?;
    Ok(0)
}

/// Probes each target in turn.
fn probes(args: &ProbeArgs) -> Result<u8, Trouble> {
    let mut settings = args.options.settings()?;
    let mut targets = Vec::new();
    for input in &args.targets {
        // `smtpprobe -q demo ...` is a command with an option in the wrong place, unless `--` says otherwise.
        let separated = std::env::args_os().any(|argument| argument == "--");
        if !separated && Args::command().find_subcommand(input).is_some() {
            let hint = format!("options stand after the command, as in `smtpprobe {input} ... -q`; a host of that name stands after --");
            return Err(Trouble::Usage(format!("{input} is a command: {hint}")));
        }
        let target: Target = input.parse().map_err(|error| Trouble::Usage(format!("{error}")))?;
        args.options.fits(&target)?;
        targets.push((input.as_str(), target));
    }
    let mut output = Output::of_reports(&args.output)?;
    hurry(&mut settings, &output);
    in_turn(&targets, &settings, &mut output)
}

/// Looks at the ports of each target in turn.
fn ports(args: &PortsArgs) -> Result<u8, Trouble> {
    let settings = args.settings()?;
    let mut targets = Vec::new();
    for input in &args.targets {
        let target: Target = input.parse().map_err(|error| Trouble::Usage(format!("{error}")))?;
        if target.mailbox().is_some() {
            return Err(Trouble::Usage(format!("{input} is a mailbox: ports are those of a host or domain, such as example.com")));
        }
        targets.push((input.as_str(), target));
    }
    in_turn(&targets, &settings, &mut Output::of_reports(&args.output)?)
}

/// The whole path for one target after the other.
fn in_turn(targets: &[(&str, Target)], settings: &Settings, output: &mut Output) -> Result<u8, Trouble> {
    let knowledge = Knowledge::english();
    let runtime = runtime()?;
    let mut reports = Vec::new();
    let mut interrupted = false;
    for (input, target) in targets {
        let (report, stopped) = runtime.block_on(one(input, target, settings, &knowledge, output));
        output.report(&report, &knowledge)?;
        reports.push(report);
        interrupted = stopped;
        if stopped {
            break;
        }
    }
    runtime.shutdown_background();
    output.close()?;
    Ok(if interrupted { INTERRUPTED } else { exit_code(&reports) })
}

/// Lists the demo's mailboxes, or probes one of them.
fn demo(address: Option<&str>, options: &args::ProbeOptions, output: &ReportArgs) -> Result<u8, Trouble> {
    let knowledge = Knowledge::english();
    let scenarios = demo::scenarios();
    let mut output = Output::of_reports(output)?;
    let Some(address) = address else {
        let phrases: BTreeMap<String, String> = knowledge.phrases("demo");
        output.write(&output::demo_list(&scenarios, &phrases, output.look()))?;
        return Ok(0);
    };
    let known = scenarios.iter().find(|scenario| scenario.address.eq_ignore_ascii_case(address) || scenario.name == address);
    let scenario = known.ok_or_else(|| {
        Trouble::Usage(format!("there is no {address:?} in the demo's world; `smtpprobe demo` lists what is, such as full@demo.test"))
    })?;
    let target: Target = scenario.address.parse().map_err(|error| Trouble::Usage(format!("{error}")))?;
    options.fits(&target)?;
    let runtime = runtime()?;
    let mut settings = options.settings()?;
    hurry(&mut settings, &output);
    let (report, stopped, arrived) = runtime.block_on(async {
        let world = World::start(scenario).await?;
        let (report, stopped) = one(&scenario.address, &target, &world.settings(settings), &knowledge, &output).await;
        Ok::<_, io::Error>((report, stopped, world.arrived()))
    })?;
    output.report(&report, &knowledge)?;
    if output.is_unfolded() {
        for message in &arrived {
            output.write(&output::arrived(message, &knowledge.phrases("demo")))?;
        }
    }
    runtime.shutdown_background();
    let reports = [report];
    output.close()?;
    Ok(if stopped { INTERRUPTED } else { exit_code(&reports) })
}

/// Nobody waits for the reply to QUIT who will not be shown it. QUIT itself is sent all the same.
fn hurry(settings: &mut Settings, output: &Output) {
    if output.is_verdict_alone() {
        settings.times.farewell = Duration::ZERO;
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// The whole path for one target; also whether the user stopped it.
async fn one(input: &str, target: &Target, settings: &Settings, knowledge: &Knowledge, output: &Output) -> (Report, bool) {
    let live = Live::new(output.is_live(), !output.is_verdict_alone());
    let interrupt = async {
        // Without a handler for it, Ctrl-C ends the program as usual.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let facts = probe(target, settings, knowledge, interrupt, |progress| live.show(progress)).await;
    drop(live);
    let case = Case::new(&facts, knowledge);
    let report = report::report(input, &case, &diagnose(&case), &judge(&case));
    (report, facts.cut_short == Some(FailureKind::Interrupted))
}

/// The exit code of the worst outcome, in the contract's order of concern.
fn exit_code(reports: &[Report]) -> u8 {
    const CONCERN: [(Outcome, u8); 5] =
        [(Outcome::Unreachable, 4), (Outcome::Deferred, 3), (Outcome::Rejected, 1), (Outcome::Inconclusive, 5), (Outcome::Accepted, 0)];
    let worst = CONCERN.iter().find(|(outcome, _)| reports.iter().any(|report| report.verdict.outcome == *outcome));
    worst.map_or(0, |(_, code)| *code)
}
