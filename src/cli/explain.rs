//! `smtpprobe explain`: what a code, a reply, a bounce mail, a log or a transcript means.
//!
//! Inputs come one after the other, and each is answered when it has been read: a mailbox mail by mail, a log line by line. What
//! cannot be read is told in one line, and the others are answered all the same.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use clap::builder::BoolishValueParser;
use smtpprobe::knowledge::Knowledge;
use smtpprobe::reading::mailbox::{self, Entry};
use smtpprobe::reading::{self, Input, LogReader, Topic, mail};
use smtpprobe::report::explanation::{self, Explanation, Summary};
use smtpprobe::report::{Look, safe};
use smtpprobe::smtp::Verb;

use super::args::{OutputArgs, octets, resolver};
use super::lists::Lists;
use super::output::Output;
use super::utf16::Utf16;
use super::{Trouble, UNKNOWN};

pub(crate) const EXAMPLES: &str = "\
Examples:
  smtpprobe explain 552
  smtpprobe explain 552 5.2.2 452
  smtpprobe explain 550 5.1.1 user unknown
  smtpprobe explain --at RCPT 552
  smtpprobe explain bounce.eml              a bounce mail; also an mbox, a Maildir, a saved report
  smtpprobe explain /var/log/mail.log       a mail server's log, line by line
  smtpprobe explain --summary mail.log      how often what happens, by reason and destination
  smtpprobe explain --lines -o ndjson < replies.txt
  smtpprobe explain --check-lists bounce.eml   also ask the block list that it names
  smtpprobe explain < session.txt           what was pasted from telnet, openssl s_client or swaks

Several codes are explained one by one; all else is taken for the words of one reply.
Exit codes: 0 explained, 1 nothing is known of it or it cannot be read, 2 wrong usage.";

/// So much of a file tells what it is.
const HEAD: usize = 64 << 10;
/// A log begins within so many lines.
const HEAD_LINES: usize = 200;
/// So many octets of lines and their answers are remembered: a log says the same thing over and over.
const REMEMBERED: usize = 16 << 20;
/// Longer lines are not: they hardly come again.
const REMEMBERED_LINE: usize = 4096;

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// A code (552), an enhanced code (5.2.2, x.2.2), a reply's text, a file, a Maildir, or - for standard input
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    /// The command that was answered: greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, data-end (the final dot), ...
    #[arg(long, value_name = "COMMAND")]
    at: Option<Verb>,
    /// Take each line for a reply or log line of its own, and answer each
    #[arg(long)]
    lines: bool,
    /// Only count: how often what happens, by reason and destination
    #[arg(long)]
    summary: bool,
    /// Rules of your own, asked before those that are built in (TOML)
    #[arg(long, value_name = "FILE", env = "SMTPPROBE_RULES", hide_env = true)]
    rules: Option<PathBuf>,
    /// Ask the block list that a reply names whether it lists the address or domain: the one thing that goes online
    #[arg(long, env = "SMTPPROBE_CHECK_LISTS", hide_env = true, value_parser = BoolishValueParser::new())]
    check_lists: bool,
    /// DNS server to ask about lists, instead of the system's
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = resolver, requires = "check_lists", env = "SMTPPROBE_RESOLVER", hide_env = true)]
    resolver: Vec<SocketAddr>,
    /// The largest mail that is read; K, M and G are powers of 1024 [default: 32M]
    #[arg(long, value_name = "BYTES", value_parser = octets, env = "SMTPPROBE_MAX_MAIL", hide_env = true)]
    max_mail: Option<u64>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What is read line by line.
type Lines = BufReader<Box<dyn Read>>;

/// Where an input comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    File(String),
    Argument(String),
}

pub(crate) fn run(args: &ExplainArgs) -> Result<u8, Trouble> {
    let sources = if args.lines { files(&args.inputs)? } else { sources(&args.inputs)? };
    let knowledge = Knowledge::english();
    let knowledge = match &args.rules {
        None => knowledge,
        Some(file) => {
            let named = |error: &dyn std::fmt::Display| Trouble::Usage(safe(&format!("{}: {error}", file.display())));
            let text = fs::read_to_string(file).map_err(|error| named(&error))?;
            knowledge.with_rules(&text).map_err(|error| named(&one_line(&error.to_string())))?
        }
    };
    let limit = args.max_mail.map_or(mailbox::MAIL_LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut answers = Answers {
        knowledge: &knowledge,
        verb: args.at,
        limit,
        output: Output::open(&args.output)?,
        lists: args.check_lists.then(|| Lists::new(&args.resolver)).transpose()?,
        summary: args.summary.then(Summary::default),
        remembered: Memory::default(),
        unknown: false,
        complained: false,
    };
    for source in sources {
        match source {
            Source::Argument(text) => answers.argument(text)?,
            Source::File(name) if args.lines => answers.all_lines(&name)?,
            Source::File(name) => answers.file(&name)?,
        }
    }
    answers.finish()
}

/// toml's complaint in one line: where, which field, what is wrong.
fn one_line(text: &str) -> String {
    let drawn = |line: &&str| !line.trim_start().starts_with('|') && !line.trim().is_empty();
    let lines: Vec<&str> = text.lines().filter(drawn).map(str::trim).collect();
    lines.join("; ")
}

/// What is answered, and where the answers go.
struct Answers<'a> {
    knowledge: &'a Knowledge,
    verb: Option<Verb>,
    /// The largest mail.
    limit: usize,
    output: Output,
    /// The block lists that are asked; none if nothing goes online.
    lists: Option<Lists>,
    summary: Option<Summary>,
    /// What lines were answered with.
    remembered: Memory,
    /// Whether something could not be read or explained.
    unknown: bool,
    /// Whether a complaint was made of it.
    complained: bool,
}

/// Lines, and what they were answered with, as it was written.
#[derive(Default)]
struct Memory {
    answers: HashMap<String, String>,
    octets: usize,
}

impl Memory {
    fn recall(&self, line: &str) -> Option<&str> {
        self.answers.get(line).map(String::as_str)
    }

    fn keep(&mut self, line: &str, answer: &str) {
        if line.len() > REMEMBERED_LINE {
            return;
        }
        self.octets += line.len() + answer.len();
        if self.octets > REMEMBERED {
            *self = Self { octets: line.len() + answer.len(), ..Self::default() };
        }
        self.answers.insert(line.to_owned(), answer.to_owned());
    }
}

impl Answers<'_> {
    fn argument(&mut self, text: String) -> Result<(), Trouble> {
        match reading::read(&text) {
            Ok(input) => self.answer(&input, |explanation| explanation.input = Some(text)),
            Err(error) => self.complain(&error.to_string()),
        }
    }

    /// One clear line about what cannot be read; the others are answered all the same.
    fn complain(&mut self, words: &str) -> Result<(), Trouble> {
        self.unknown = true;
        self.complained = true;
        self.output.flush()?;
        eprintln!("smtpprobe: {}", safe(words));
        Ok(())
    }

    fn answer(&mut self, input: &Input, name: impl FnOnce(&mut Explanation)) -> Result<(), Trouble> {
        let mut explanation = explanation::explain(self.knowledge, input, self.verb);
        if let Some(lists) = &mut self.lists {
            lists.check(&mut explanation, self.knowledge);
        }
        name(&mut explanation);
        self.give(&explanation)
    }

    fn give(&mut self, explanation: &Explanation) -> Result<(), Trouble> {
        self.unknown |= !explanation.is_known();
        if let Some(summary) = &mut self.summary {
            summary.add(explanation);
            return Ok(());
        }
        let knowledge = self.knowledge;
        self.output.item(
            explanation,
            || explanation::headline(explanation, knowledge),
            |look| explanation::render(explanation, knowledge, look),
            || explanation::table(explanation),
        )
    }

    /// A file of whatever kind, or standard input.
    fn file(&mut self, name: &str) -> Result<(), Trouble> {
        if name != "-" && Path::new(name).is_dir() {
            return match mailbox::maildir(Path::new(name)) {
                Ok(Some(files)) if files.is_empty() => self.complain(&format!("{name} holds no mail")),
                Ok(Some(files)) => files.iter().try_for_each(|file| self.file(&file.display().to_string())),
                Ok(None) => self.complain(&format!("{name} is a folder, and no Maildir: it has neither cur nor new")),
                Err(error) => self.complain(&format!("{name} cannot be read: {error}")),
            };
        }
        match open(name).and_then(head) {
            Ok((head, reader)) => self.contents(name, &head, reader),
            Err(error) => self.complain(&format!("{} cannot be read: {error}", called(name))),
        }
    }

    fn contents(&mut self, name: &str, head: &[u8], reader: Lines) -> Result<(), Trouble> {
        if head.starts_with(b"From ") || mail::looks_like_mail(head) {
            return self.mails(name, reader);
        }
        let mut log = LogReader::default();
        let text = String::from_utf8_lossy(head);
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        // A line by itself may be read as what it is; so may a single reply that was folded.
        let is_log = text.split(char::from(line_end(head))).take(HEAD_LINES).any(|line| log.read(without_end(line)).is_some());
        if is_log && text.contains(['\n', '\r']) {
            return self.log(name, reader);
        }
        if head.contains(&0) {
            return self.complain(&format!("{} is neither text nor a mail", called(name)));
        }
        let mut bytes = Vec::new();
        if let Err(error) = reader.take(reading::LIMIT as u64 + 1).read_to_end(&mut bytes) {
            return self.complain(&format!("{} cannot be read: {error}", called(name)));
        }
        match reading::read(&String::from_utf8_lossy(&bytes)) {
            Ok(input) => self.answer(&input, |explanation| explanation.file = Some(name.to_owned())),
            Err(error) => self.complain(&format!("{}: {error}", called(name))),
        }
    }

    /// An mbox, or one mail.
    fn mails(&mut self, name: &str, reader: Lines) -> Result<(), Trouble> {
        let called = called(name);
        let mut is_empty = true;
        for (place, entry) in mailbox::mails(reader, self.limit).enumerate() {
            is_empty = false;
            match entry {
                Ok(Entry::Mail(bytes)) => {
                    let notice = Input::Mail(Box::new(mail::read(&bytes)));
                    self.answer(&notice, |explanation| {
                        explanation.file = Some(name.to_owned());
                        explanation.number = Some(place + 1);
                    })?;
                }
                Ok(Entry::TooLarge { octets }) => {
                    self.complain(&format!("{called}: mail {} has {octets} octets, more than are read (--max-mail)", place + 1))?;
                }
                Err(error) => return self.complain(&format!("{called} cannot be read: {error}")),
            }
        }
        if is_empty { self.complain(&format!("{called} holds no mail")) } else { Ok(()) }
    }

    /// A log: one answer for each line that carries a reply or says what became of a message.
    fn log(&mut self, name: &str, reader: Lines) -> Result<(), Trouble> {
        let mut log = LogReader::default();
        self.output.close_up();
        self.each_line(name, reader, |this, line, number| {
            let Some(found) = log.read(line) else { return Ok(()) };
            this.answer(&Input::LogLine(Box::new(found)), |explanation| {
                explanation.file = Some(name.to_owned());
                explanation.number = Some(number);
            })
        })?;
        self.output.unfold();
        Ok(())
    }

    /// Each line by itself, whatever it is.
    fn all_lines(&mut self, name: &str) -> Result<(), Trouble> {
        let reader = match open(name) {
            Ok(reader) => reader,
            Err(error) => return self.complain(&format!("{} cannot be read: {error}", called(name))),
        };
        let mut log = LogReader::default();
        let mut is_empty = true;
        self.output.close_up();
        self.each_line(name, reader, |this, line, _| {
            if line.trim().is_empty() {
                return Ok(());
            }
            is_empty = false;
            if this.summary.is_none()
                && let Some(known) = this.remembered.recall(line)
            {
                return this.output.again(known);
            }
            let input = log.read(line).map(|line| Input::LogLine(Box::new(line))).map_or_else(|| reading::read(line), Ok);
            match input {
                Ok(input) => {
                    this.answer(&input, |explanation| explanation.input = Some(line.to_owned()))?;
                    this.remembered.keep(line, this.output.last_written());
                    Ok(())
                }
                Err(error) => this.give(&Explanation::nothing(line, &error.to_string())),
            }
        })?;
        if is_empty && !self.complained { self.complain(&format!("{} holds no line", called(name))) } else { Ok(()) }
    }

    /// Reads line by line; what is beyond the limit of a line is left out, and that is said.
    fn each_line(
        &mut self,
        name: &str,
        mut reader: Lines,
        mut each: impl FnMut(&mut Self, &str, usize) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let called = called(name);
        let mut bytes = Vec::new();
        let mut end = None;
        for number in 1.. {
            bytes.clear();
            // Nobody waits for an answer while the next line is waited for.
            if memchr::memchr(end.unwrap_or(b'\n'), reader.buffer()).is_none() {
                self.output.flush()?;
            }
            let read = match end {
                Some(end) => Ok(end),
                None => reader.fill_buf().map(line_end),
            };
            let read = read.and_then(|byte| {
                end = Some(byte);
                let length = reader.by_ref().take(reading::LIMIT as u64 + 1).read_until(byte, &mut bytes)?;
                let is_cut = length > reading::LIMIT && bytes.last() != Some(&byte);
                if is_cut {
                    reader.skip_until(byte)?;
                }
                Ok((length, is_cut))
            });
            match read {
                Ok((0, _)) => break,
                Ok((_, true)) => self.complain(&format!("{called}: line {number} is longer than {} MB", reading::LIMIT >> 20))?,
                Ok(_) => each(self, without_end(&String::from_utf8_lossy(&bytes)), number)?,
                Err(error) => return self.complain(&format!("{called} cannot be read: {error}")),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u8, Trouble> {
        if let Some(mut summary) = self.summary.take() {
            summary.close();
            if summary.total == 0 && self.complained && self.output.is_text() {
                // Why there is nothing was said.
                self.output.close()?;
                return Ok(UNKNOWN);
            }
            let render = |look: Look| summary.render(self.knowledge, look.width);
            self.output.item(&summary, || render(Look { width: usize::MAX, colour: false, verbose: false }), render, || summary.table())?;
        }
        self.output.close()?;
        Ok(if self.unknown { UNKNOWN } else { 0 })
    }
}

/// How a person calls an input.
fn called(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}

/// What lines end with, by the first of them: in very old files it is a carriage return alone.
fn line_end(head: &[u8]) -> u8 {
    if memchr::memchr(b'\n', head).is_none() && memchr::memchr(b'\r', head).is_some() { b'\r' } else { b'\n' }
}

/// The line without its end, and without the NULs that a crash leaves in a log.
fn without_end(line: &str) -> &str {
    line.trim_start_matches(['\0', '\n']).trim_end_matches(['\r', '\n'])
}

fn open(name: &str) -> io::Result<Lines> {
    let source: Box<dyn Read> = if name == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(name)?) };
    let mut reader = BufReader::with_capacity(HEAD, source);
    // What Windows' shells redirect into a file is UTF-16 with a mark before it.
    let order = match reader.fill_buf()? {
        [0xFF, 0xFE, ..] => Utf16::LITTLE,
        [0xFE, 0xFF, ..] => Utf16::BIG,
        _ => return Ok(reader),
    };
    Ok(BufReader::with_capacity(HEAD, Box::new(Utf16::new(reader, order))))
}

/// The beginning of a file, which stays to be read.
fn head(mut reader: Lines) -> io::Result<(Vec<u8>, Lines)> {
    let mut head = Vec::new();
    // A log that somebody follows may never have so much to tell: its first lines show what it is.
    while head.len() < HEAD && !is_surely_log(&head) {
        let more = reader.fill_buf()?;
        let length = more.len().min(HEAD - head.len());
        head.extend_from_slice(&more[..length]);
        reader.consume(length);
        if length == 0 {
            break;
        }
    }
    let whole: Box<dyn Read> = Box::new(io::Cursor::new(head.clone()).chain(reader));
    Ok((head, BufReader::with_capacity(HEAD, whole)))
}

/// Whether more than one whole line stands there, one of them a log's, and no mail's head.
fn is_surely_log(head: &[u8]) -> bool {
    let Some(end) = memchr::memrchr(b'\n', head).filter(|end| memchr::memchr(b'\n', head) != Some(*end)) else { return false };
    let text = String::from_utf8_lossy(&head[..end]);
    let mut log = LogReader::default();
    !mail::looks_like_mail(head) && text.lines().take(HEAD_LINES).any(|line| log.read(without_end(line)).is_some())
}

/// The files that are read line by line.
fn files(arguments: &[String]) -> Result<Vec<Source>, Trouble> {
    if arguments.is_empty() && io::stdin().is_terminal() {
        return Err(Trouble::Usage("explain which lines? give a file, or something on standard input".into()));
    }
    let named = arguments.iter().map(|argument| Source::File(argument.clone()));
    Ok(if arguments.is_empty() { vec![Source::File("-".into())] } else { named.collect() })
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
        Ok(_) if argument.contains(char::is_whitespace) => Some(Source::Argument(argument.to_owned())),
        _ if argument == "-" || Path::new(argument).exists() || names_a_file(argument) => Some(Source::File(argument.to_owned())),
        _ => None,
    }
}

/// Whether it can hardly be anything but the name of a file, though there is none of that name.
fn names_a_file(argument: &str) -> bool {
    const ENDINGS: [&str; 6] = ["eml", "json", "log", "mbox", "msg", "txt"];
    let ending = Path::new(argument).extension().and_then(OsStr::to_str);
    let is_path = ["/", "./", "../"].iter().any(|start| argument.starts_with(start)) && !argument.contains(char::is_whitespace);
    is_path || ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)) && !argument.contains("://"))
}

/// `552 5.2.2` is a reply that has no words.
fn is_bare_reply(arguments: &[String]) -> bool {
    let [code, enhanced] = arguments else { return false };
    let topic = |text: &str| reading::topics(text).ok().and_then(|topics| topics.first().copied());
    matches!((topic(code), topic(enhanced)), (Some(Topic::Code(_)), Some(Topic::Enhanced(pattern))) if pattern.class().is_some())
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
            (&["no-such-file.eml", "552"], vec![Source::File("no-such-file.eml".into()), argument("552")]),
            (&["./no-such-file"], vec![Source::File("./no-such-file".into())]),
            (&["550", "see", "/etc/aliases"], vec![argument("550 see /etc/aliases")]),
            (&["550", "https://example.com/why.txt"], vec![argument("550 https://example.com/why.txt")]),
            (&["Cargo.toml"], vec![Source::File("Cargo.toml".into())]),
        ] {
            assert_eq!(read(line), expected, "{line:?}");
        }
    }
}
