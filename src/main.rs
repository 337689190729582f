//! The command `smtpprobe`: arguments in, report out, exit code by outcome.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
