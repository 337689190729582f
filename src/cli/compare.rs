//! `smtpprobe compare`: two codes side by side.

use clap::Args as ClapArgs;
use smtpprobe::knowledge::Knowledge;
use smtpprobe::reading;
use smtpprobe::report::comparison;
use smtpprobe::report::safe;

use super::args::OutputArgs;
use super::output::Output;
use super::{Trouble, UNKNOWN};

pub(crate) const EXAMPLES: &str = "\
Examples:
  smtpprobe compare 250 552
  smtpprobe compare 552 452
  smtpprobe compare 4.2.2 5.2.2
  smtpprobe compare 550 5.7.1

Exit codes: 0 compared, 1 nothing is known of one of them, 2 wrong usage.";

#[derive(Debug, ClapArgs)]
pub(crate) struct CompareArgs {
    /// Two codes: 552, 5.2.2, or x.2.2 for any first digit
    #[arg(required = true, value_name = "CODE")]
    codes: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &CompareArgs) -> Result<u8, Trouble> {
    let topics = reading::topics(&args.codes.join(" ")).map_err(|error| Trouble::Usage(safe(&error.to_string())))?;
    let [a, b] = topics[..] else {
        return Err(Trouble::Usage(format!("compare takes two codes, such as 250 552, and not {}", topics.len())));
    };
    let knowledge = Knowledge::english();
    let comparison = comparison::compare(&knowledge, a, b);
    let mut output = Output::open(&args.output)?;
    let render = |look| comparison::render(&comparison, &knowledge, look);
    output.item(&comparison, || comparison::headline(&comparison), render, || comparison::table(&comparison))?;
    output.close()?;
    Ok(if comparison.is_known() { 0 } else { UNKNOWN })
}
