//! `smtpprobe codes`: what is known.

use clap::Args as ClapArgs;
use smtpprobe::knowledge::Knowledge;
use smtpprobe::report::{listing, safe};

use super::Trouble;
use super::args::OutputArgs;
use super::output::Output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  smtpprobe codes            all of them
  smtpprobe codes 4          those that begin with 4
  smtpprobe codes 5.7        enhanced codes of security and policy
  smtpprobe codes RCPT       those that can answer RCPT TO
  smtpprobe codes quota      those whose text has the word
  smtpprobe codes ip_blocklisted

Exit codes: 0 something was found, 1 nothing was, 2 wrong usage.";

#[derive(Debug, ClapArgs)]
pub(crate) struct CodesArgs {
    /// The beginning of a code, a command, a reason's name, or words of the text
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &CodesArgs) -> Result<u8, Trouble> {
    let filter = args.filter.join(" ");
    let knowledge = Knowledge::english();
    let listing = listing::list(&knowledge, &filter);
    if listing.codes.is_empty() {
        let text = format!("no code fits {filter:?}; try the beginning of a code (55, 5.7), a command (RCPT), a reason or a word");
        return Err(Trouble::Unknown(safe(&text)));
    }
    let mut output = Output::open(&args.output)?;
    let render = |look| listing::render(&listing, &knowledge, look);
    output.item(&listing, || listing::names(&listing), render, || listing::table(&listing))?;
    output.close()?;
    Ok(0)
}
