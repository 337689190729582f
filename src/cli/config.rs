//! The configuration file: long options and their values in TOML. The environment overrules it, and the command line both.
//!
//! ```toml
//! control = ["mx.example.net"]
//! connect-timeout = 5
//! ```
//!
//! Tables called `destination` are for [destinations] that are treated otherwise.

mod destinations;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use etcetera::BaseStrategy as _;
use etcetera::base_strategy::choose_native_strategy;
use smtpprobe::bulk::overrides::Overrides;
use toml::{Table, Value};

use super::Trouble;

/// What a file may hold in octets.
const SIZE_LIMIT: u64 = 64 * 1024;

/// The values of a file, by the names of the long options.
#[derive(Debug)]
pub(crate) struct Config {
    file: PathBuf,
    values: BTreeMap<String, Vec<String>>,
    destinations: Overrides,
}

impl Config {
    /// Reads `given`, or the file at the platform's usual place. None if there is none there.
    pub(crate) fn read(given: Option<&Path>) -> Result<Option<Self>, Trouble> {
        let usual = || usual_place().filter(|file| file.is_file());
        let Some(file) = given.map(Path::to_owned).or_else(usual) else { return Ok(None) };
        let wrong = |what: &dyn std::fmt::Display| Trouble::Usage(format!("{}: {what}", file.display()));
        if fs::metadata(&file).map_err(|error| wrong(&error))?.len() > SIZE_LIMIT {
            return Err(wrong(&"it is too large for a configuration file"));
        }
        let text = fs::read_to_string(&file).map_err(|error| wrong(&error))?;
        let at = |place: usize, what: &str| wrong(&format!("line {}: {what}", destinations::line(&text, place)));
        let table: Table = text.parse().map_err(|error: toml::de::Error| at(error.span().map_or(0, |span| span.start), error.message()))?;
        let destinations = destinations::read(&text).map_err(|mistake| at(mistake.at, &mistake.what))?;
        let mut values = BTreeMap::new();
        for (name, value) in table.into_iter().filter(|(name, _)| name != destinations::TABLE) {
            let words = words(&value).ok_or_else(|| wrong(&format!("{name} should be a text, a number, true, false or a list of them")))?;
            values.insert(name, words);
        }
        Ok(Some(Self { file, values, destinations }))
    }

    /// `command` with the file's values for defaults, except where `matches` has an option that rules the value out.
    pub(crate) fn apply(&self, command: Command, matches: &ArgMatches) -> Result<Command, Trouble> {
        let known = |name: &str| {
            let names =
                |command: &Command| command.get_arguments().any(|arg| arg.get_long() == Some(name) && !matches!(name, "config" | "send"));
            names(&command) || command.get_subcommands().any(names)
        };
        if let Some(name) = self.values.keys().find(|name| !known(name)) {
            let what = "is no option that can stand in a file; --help lists them, and here they stand without their hyphens in front";
            return Err(Trouble::Usage(format!("{}: {name} {what}", self.file.display())));
        }
        let given = innermost(matches);
        let whole = command.clone();
        let command = self.with_defaults(command, &whole, given);
        let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        Ok(names.into_iter().fold(command, |command, name| command.mut_subcommand(name, |inner| self.with_defaults(inner, &whole, given))))
    }

    /// Of `command`, which is `whole` or one of its subcommands.
    fn with_defaults(&self, command: Command, whole: &Command, given: &ArgMatches) -> Command {
        let ruled_out: Vec<String> = command
            .get_arguments()
            .filter(|arg| {
                command.get_arg_conflicts_with(arg).iter().any(|other| {
                    let source =
                        given.try_contains_id(other.get_id().as_str()).is_ok().then(|| given.value_source(other.get_id().as_str()));
                    matches!(source.flatten(), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
                })
            })
            .map(|arg| arg.get_id().to_string())
            .collect();
        command.mut_args(|arg| match arg.get_long().and_then(|name| self.values.get(name)) {
            Some(words) if !ruled_out.contains(&arg.get_id().to_string()) && !is_for_another(&arg, words, whole) => {
                arg.default_values(words.iter().map(OsString::from))
            }
            _ => arg,
        })
    }

    /// The destinations that are treated otherwise.
    pub(crate) fn destinations(&self) -> &Overrides {
        &self.destinations
    }

    /// A complaint about a value, with the file it stands in.
    pub(crate) fn blame(&self, complaint: &str) -> String {
        format!("{}: {complaint}", self.file.display())
    }
}

fn usual_place() -> Option<PathBuf> {
    Some(choose_native_strategy().ok()?.config_dir().join("smtpprobe").join("config.toml"))
}

/// The matches of the subcommand that was given, else of the command itself.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| inner)
}

/// Whether `arg` has no such values while the option of that name has them in another command: `until = "rcpt"` is meant for
/// probes, and `ports` goes by its own default.
fn is_for_another(arg: &Arg, words: &[String], whole: &Command) -> bool {
    let takes = |arg: &Arg| {
        let possible = arg.get_possible_values();
        possible.is_empty() || words.iter().all(|word| possible.iter().any(|value| value.matches(word, arg.is_ignore_case_set())))
    };
    let mut all = whole.get_arguments().chain(whole.get_subcommands().flat_map(Command::get_arguments));
    !takes(arg) && all.any(|other| other.get_long() == arg.get_long() && takes(other))
}

/// A value as it would stand on the command line; none if nothing there looks like it.
fn words(value: &Value) -> Option<Vec<String>> {
    let word = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(switch) => Some(switch.to_string()),
        _ => None,
    };
    match value {
        Value::Array(values) => values.iter().map(word).collect(),
        value => Some(vec![word(value)?]),
    }
}
