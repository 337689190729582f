//! Who logs in: the options, and where the password comes from, which is never an argument that others can see in the list of processes.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::BoolishValueParser;
use smtpprobe::smtp::{Login, LoginOver, Mechanism, Secret, TlsUse};
use zeroize::Zeroizing;

use super::Trouble;

/// The environment variable of the password. It is no option: --help would show the value, and the configuration file would have it.
const VARIABLE: &str = "SMTPPROBE_AUTH_PASSWORD";
/// A password file is read up to this size; a token may have some thousands.
const FILE_LIMIT: u64 = 64 * 1024;

const USER: &str = "Log in as U, on port 587 unless another is given; the password is that in $SMTPPROBE_AUTH_PASSWORD, or is asked for";

#[derive(Debug, Args)]
#[command(next_help_heading = "Login")]
pub(crate) struct LoginArgs {
    /// The user's name.
    #[arg(help = USER, long = "auth-user", value_name = "U", env = "SMTPPROBE_AUTH_USER", hide_env = true)]
    user: Option<String>,
    /// Take the password, or the token, from the first line of F; - is standard input
    #[arg(long = "auth-password-file", value_name = "F", env = "SMTPPROBE_AUTH_PASSWORD_FILE", hide_env = true)]
    password_file: Option<PathBuf>,
    /// Log in by M alone: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256, each SCRAM also with -PLUS, XOAUTH2, OAUTHBEARER [default: the strongest offered for a password]
    #[arg(long = "auth-mechanism", value_name = "M", env = "SMTPPROBE_AUTH_MECHANISM", hide_env = true)]
    mechanism: Option<Mechanism>,
    /// Log in without TLS, too, or with a certificate that proves nothing: whoever listens can have the password
    #[arg(long = "auth-insecure", value_parser = BoolishValueParser::new(), env = "SMTPPROBE_AUTH_INSECURE", hide_env = true)]
    insecure: bool,
}

impl LoginArgs {
    /// Whether anybody logs in.
    pub(crate) const fn is_given(&self) -> bool {
        self.user.is_some()
    }

    /// Who logs in; none if nobody does. Asks for the password where it is not given; warns where it is not safe.
    pub(crate) fn login(&self, tls: Option<TlsUse>) -> Result<Option<Login>, Trouble> {
        let Some(user) = &self.user else {
            if self.password_file.is_some() || self.mechanism.is_some() || self.insecure {
                eprintln!("smtpprobe: without --auth-user nobody logs in, and the other options about it have no effect");
            }
            return Ok(None);
        };
        keep_out_of_cores();
        let from_environment = std::env::var_os(VARIABLE);
        let secret = match (&self.password_file, from_environment) {
            (Some(file), _) => from_file("--auth-password-file", file)?,
            (None, Some(value)) => Secret::new(value.into_encoded_bytes()),
            (None, None) => asked_for(user)?,
        };
        let login = Login::new(user, secret).map_err(|error| Trouble::Usage(format!("--auth-user: {error}")))?;
        let login = match self.mechanism {
            Some(mechanism) => login.by(mechanism),
            None => login,
        };
        if !self.insecure {
            if tls == Some(TlsUse::Never) {
                return Err(Trouble::Usage("--tls off sends the password in the clear; if that is meant, add --auth-insecure".to_owned()));
            }
            return Ok(Some(login));
        }
        eprintln!("smtpprobe: --auth-insecure: whoever is on the way to the server can read the password, or use it");
        Ok(Some(login.over(LoginOver::Anything)))
    }
}

/// Should the program crash, its memory is written nowhere from now on. Only Linux can be asked for that.
#[cfg(target_os = "linux")]
fn keep_out_of_cores() {
    // Where it is not to be had, the password is no worse off than in any other program.
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// Elsewhere there is nothing to ask for.
#[cfg(not(target_os = "linux"))]
fn keep_out_of_cores() {}

/// The first line of a file that `option` names.
pub(super) fn from_file(option: &str, file: &Path) -> Result<Secret, Trouble> {
    let wrong = |error: io::Error| Trouble::Usage(format!("{option} {}: {error}", file.display()));
    if file.as_os_str() == "-" {
        return first_line(io::stdin().lock()).map_err(wrong);
    }
    first_line(File::open(file).map_err(wrong)?).map_err(wrong)
}

/// The first line without its end, which may be missing.
fn first_line(from: impl Read) -> io::Result<Secret> {
    // As large as it may become, so that it never moves.
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(FILE_LIMIT).unwrap_or(usize::MAX)]);
    let mut from = from.take(FILE_LIMIT);
    let mut filled = 0;
    while filled < bytes.len() && !bytes[..filled].contains(&b'\n') {
        match from.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let line = bytes[..filled].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(Secret::new(line.to_vec()))
}

/// Asks on the terminal, which does not show what is typed.
fn asked_for(user: &str) -> Result<Secret, Trouble> {
    if !io::stderr().is_terminal() && !io::stdin().is_terminal() {
        let ways = "give it in a file (--auth-password-file), or in $SMTPPROBE_AUTH_PASSWORD";
        return Err(Trouble::Usage(format!("there is no terminal to ask for the password of {user}: {ways}")));
    }
    // What the user gave is shown back to the user; control characters are refused afterwards.
    let shown: String = user.chars().filter(|c| !c.is_control()).collect();
    let typed = rpassword::prompt_password(format!("Password of {shown}: "));
    typed.map(Secret::from).map_err(|error| Trouble::Usage(format!("the password cannot be asked for: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn no_core_holds_the_password() {
        keep_out_of_cores();
        assert_eq!(nix::sys::prctl::get_dumpable(), Ok(false));
    }

    #[test]
    fn a_password_is_the_first_line() {
        for (text, password) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\nmore\n", "secret"),
            (" se cret \n", " se cret "),
            ("\nsecret", ""),
            ("", ""),
        ] {
            let read = first_line(text.as_bytes()).expect("bytes can be read");
            assert_eq!(read, Secret::from(password.to_owned()), "{text:?}");
        }
        let endless = first_line(io::repeat(b'x')).expect("bytes can be read");
        assert_eq!(endless.expose().len() as u64, FILE_LIMIT);
    }
}
