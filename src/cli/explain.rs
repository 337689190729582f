//! `smtpprobe explain`: what a code or a reply means.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use clap::Args as ClapArgs;
use smtpprobe::knowledge::Knowledge;
use smtpprobe::reading::{self, Input, ReadingError, Topic};
use smtpprobe::report::explanation::{self, Explanation};
use smtpprobe::report::safe;
use smtpprobe::smtp::Verb;

use super::args::OutputArgs;
use super::output::Output;
use super::{Trouble, UNKNOWN};

pub(crate) const EXAMPLES: &str = "\
Examples:
  smtpprobe explain 552
  smtpprobe explain 552 5.2.2 452
  smtpprobe explain 550 5.1.1 user unknown
  smtpprobe explain --at RCPT 552
  smtpprobe explain reply.txt
  smtpprobe explain < reply.txt

Several codes are explained one by one; all else is taken for the words of one reply.
Exit codes: 0 explained, 1 nothing is known of it, 2 wrong usage.";

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// A code (552), an enhanced code (5.2.2, x.2.2), a reply's text, a file, or - for standard input
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    /// The command that was answered: greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, data-end (the final dot), ...
    #[arg(long, value_name = "COMMAND")]
    at: Option<Verb>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Where an input comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    File(String),
    Argument(String),
}

pub(crate) fn run(args: &ExplainArgs) -> Result<u8, Trouble> {
    let sources = sources(&args.inputs)?;
    let mut inputs = Vec::new();
    for source in sources {
        let text = match &source {
            Source::Argument(text) => text.clone(),
            Source::File(name) => contents(name)?,
        };
        let named = |error: ReadingError| match &source {
            Source::Argument(_) => Trouble::Unknown(safe(&error.to_string())),
            Source::File(name) => Trouble::Unknown(safe(&format!("{name}: {error}"))),
        };
        inputs.push((reading::read(&text).map_err(named)?, source));
    }
    let knowledge = Knowledge::english();
    let mut output = Output::open(&args.output)?;
    let mut explanations: Vec<Explanation> = Vec::new();
    for (input, source) in inputs {
        let mut explanation = explanation::explain(&knowledge, &input, args.at);
        match source {
            Source::File(name) => explanation.file = Some(name),
            Source::Argument(text) => explanation.input = Some(text),
        }
        output.item(
            &explanation,
            || explanation::headline(&explanation, &knowledge),
            |look| explanation::render(&explanation, &knowledge, look),
        )?;
        explanations.push(explanation);
    }
    output.finish(&explanations)?;
    Ok(if explanations.iter().all(Explanation::is_known) { 0 } else { UNKNOWN })
}

/// What the arguments stand for. Each that is an input by itself is one; else all of them are the words of one reply, as people
/// paste it without quotes.
fn sources(arguments: &[String]) -> Result<Vec<Source>, Trouble> {
    if arguments.is_empty() {
        if io::stdin().is_terminal() {
            return Err(Trouble::Usage("explain what? give a code (552), a reply's text, a file, or something on standard input".into()));
        }
        return Ok(vec![Source::File("-".into())]);
    }
    let alone: Option<Vec<Source>> = arguments.iter().map(|argument| by_itself(argument)).collect();
    let joined = || vec![Source::Argument(arguments.join(" "))];
    Ok(alone.filter(|_| !is_bare_reply(arguments)).unwrap_or_else(joined))
}

/// The input that one argument is without the others.
fn by_itself(argument: &str) -> Option<Source> {
    match reading::read(argument) {
        // A blank in it shows that it was quoted, so it is whole.
        Ok(Input::Topic(_)) => Some(Source::Argument(argument.to_owned())),
        Ok(Input::Replies(_)) if argument.contains(char::is_whitespace) => Some(Source::Argument(argument.to_owned())),
        _ if argument == "-" || Path::new(argument).is_file() => Some(Source::File(argument.to_owned())),
        _ => None,
    }
}

/// `552 5.2.2` is a reply that has no words.
fn is_bare_reply(arguments: &[String]) -> bool {
    let [code, enhanced] = arguments else { return false };
    let topic = |text: &str| reading::topics(text).ok().and_then(|topics| topics.first().copied());
    matches!((topic(code), topic(enhanced)), (Some(Topic::Code(_)), Some(Topic::Enhanced(pattern))) if pattern.class().is_some())
}

/// A file's text, or that of standard input; bytes that are not UTF-8 are replaced. One octet more than is read tells that it is
/// too long.
fn contents(name: &str) -> Result<String, Trouble> {
    let most = reading::LIMIT as u64 + 1;
    let mut bytes = Vec::new();
    if name == "-" {
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        let unreadable = |error: io::Error| Trouble::Usage(format!("{} cannot be read: {error}", safe(name)));
        File::open(name).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(unreadable)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_inputs_or_the_words_of_one() {
        let read = |line: &[&str]| sources(&line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap();
        let argument = |text: &str| Source::Argument(text.to_owned());
        for (line, expected) in [
            (&["552"][..], vec![argument("552")]),
            (&["552", "5.2.2", "452"], vec![argument("552"), argument("5.2.2"), argument("452")]),
            (&["552", "452"], vec![argument("552"), argument("452")]),
            (&["552", "5.2.2"], vec![argument("552 5.2.2")]),
            (&["550", "5.1.1", "user", "unknown"], vec![argument("550 5.1.1 user unknown")]),
            (&["550 user unknown", "552 full"], vec![argument("550 user unknown"), argument("552 full")]),
            (&["550", "user"], vec![argument("550 user")]),
            (&["-", "552"], vec![Source::File("-".into()), argument("552")]),
            (&["no-such-file"], vec![argument("no-such-file")]),
            (&["Cargo.toml"], vec![Source::File("Cargo.toml".into())]),
        ] {
            assert_eq!(read(line), expected, "{line:?}");
        }
    }
}
