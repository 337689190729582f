//! What is delivered, how it is to be handled, and whether greylisting is waited for: options, and how they become [`Settings`].

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::builder::BoolishValueParser;
use clap::{Args as ClapArgs, ValueEnum};
use smtpprobe::message::dkim::{Signer, SigningKey};
use smtpprobe::message::{Message, SIZE_LIMIT};
use smtpprobe::settings::{Letter, Settings};
use smtpprobe::smtp::{Handling, Notify, Ret, StageTimes, Transfer};
use smtpprobe::target::{DomainName, Target};

use super::Trouble;
use super::args::duration;

/// A private key in PEM is smaller by far.
const KEY_LIMIT: u64 = 64 * 1024;

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Message")]
pub(crate) struct MessageOptions {
    /// Deliver a test message, or the one in FILE (- is standard input). Without this option nothing is ever delivered, and it cannot be set elsewhere than here
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, conflicts_with_all = ["until", "size"])]
    #[allow(clippy::option_option, reason = "clap's form of an option that may stand without its value")]
    send: Option<Option<PathBuf>>,
    /// Ask for notifications of delivery: never, or some of success,failure,delay
    #[arg(long, value_name = "WHEN", env = "SMTPPROBE_NOTIFY", hide_env = true)]
    notify: Option<Notify>,
    /// How much of the message such a notification is to hold
    #[arg(long, value_name = "WHAT", env = "SMTPPROBE_RET", hide_env = true)]
    ret: Option<RetArg>,
    /// Have the message go by authenticated TLS alone, on every hop (RFC 8689)
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_REQUIRETLS", hide_env = true)]
    requiretls: bool,
    /// Hand the message over in chunks, with BDAT instead of DATA
    #[arg(long, value_parser = BoolishValueParser::new(), env = "SMTPPROBE_BDAT", hide_env = true)]
    bdat: bool,
    /// Sign the message that is sent with this private key (PEM, RSA or Ed25519)
    #[arg(long, value_name = "FILE", env = "SMTPPROBE_DKIM_KEY", hide_env = true)]
    dkim_key: Option<PathBuf>,
    /// The domain that signs (d=)
    #[arg(long, value_name = "DOMAIN", env = "SMTPPROBE_DKIM_DOMAIN", hide_env = true)]
    dkim_domain: Option<DomainName>,
    /// The name of its key below _domainkey (s=)
    #[arg(long, value_name = "NAME", env = "SMTPPROBE_DKIM_SELECTOR", hide_env = true)]
    dkim_selector: Option<DomainName>,
    /// Greylisted: wait as long as the server wants, and ask again from the same address; SECONDS in all at most [default: 900]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "900", value_parser = duration, env = "SMTPPROBE_WAIT", hide_env = true, help_heading = "Times")]
    wait: Option<Duration>,
    /// For the reply to the end of the message [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = duration, env = "SMTPPROBE_MESSAGE_TIMEOUT", hide_env = true, help_heading = "Times")]
    message_timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RetArg {
    Full,
    #[value(alias = "hdrs")]
    Headers,
}

impl MessageOptions {
    /// `base` with what the options stand for; the message and the key are read from their files.
    pub(crate) fn settings(&self, base: Settings) -> Result<Settings, Trouble> {
        let signer = self.signer()?;
        let letter = match &self.send {
            None => None,
            Some(None) => Some(Letter::Test(signer)),
            Some(Some(file)) => Some(Letter::Given(given(file, signer.as_ref())?)),
        };
        Ok(Settings {
            letter,
            handling: Handling {
                notify: self.notify,
                ret: self.ret.map(|ret| match ret {
                    RetArg::Full => Ret::Full,
                    RetArg::Headers => Ret::Headers,
                }),
                require_tls: self.requiretls,
                transfer: if self.bdat { Transfer::Chunks } else { Transfer::Data },
            },
            wait: self.wait,
            times: StageTimes { message: self.message_timeout.unwrap_or(base.times.message), ..base.times },
            ..base
        })
    }

    /// Whether a message can be delivered to `target`.
    pub(crate) fn fits(&self, target: &Target) -> Result<(), Trouble> {
        match (&self.send, target.mailbox()) {
            (Some(_), None) => Err(Trouble::Usage(format!(
                "--send delivers to a mailbox, such as user@example.com, and {target} is none; a message in a file is named with =, as in --send=letter.eml"
            ))),
            _ => Ok(()),
        }
    }

    fn signer(&self) -> Result<Option<Signer>, Trouble> {
        let Some(file) = self.dkim_key.as_deref().filter(|_| self.send.is_some()) else { return Ok(None) };
        let (Some(domain), Some(selector)) = (&self.dkim_domain, &self.dkim_selector) else {
            return Err(Trouble::Usage(
                "--dkim-key needs --dkim-domain and --dkim-selector: who signs, and where the public key stands".to_owned(),
            ));
        };
        let pem = read(file, KEY_LIMIT)?;
        let key = SigningKey::from_pem(&pem).map_err(|error| wrong(file, &error))?;
        Ok(Some(Signer { domain: domain.clone(), selector: selector.clone(), key }))
    }
}

/// The arguments with a file that stands behind `--send` joined to it. Without a file of that name the word is a target, or a mistake.
pub(crate) fn with_files(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    for word in words {
        let is_file = word == "-" || (!word.to_string_lossy().contains('@') && Path::new(&word).is_file());
        match joined.last_mut().filter(|last| *last == "--send" && is_file) {
            Some(send) => {
                send.push("=");
                send.push(word);
            }
            None => joined.push(word),
        }
    }
    joined
}

/// The message in a file, signed if it is to be.
fn given(file: &Path, signer: Option<&Signer>) -> Result<Message, Trouble> {
    let message = Message::new(read(file, SIZE_LIMIT as u64)?).map_err(|error| wrong(file, &error))?;
    match signer {
        Some(signer) => signer.sign(&message, SystemTime::now()).map_err(|error| wrong(file, &error)),
        None => Ok(message),
    }
}

/// At most `limit` octets of a file, or of standard input.
fn read(file: &Path, limit: u64) -> Result<Vec<u8>, Trouble> {
    let mut octets = Vec::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().lock().take(limit + 1).read_to_end(&mut octets)
    } else {
        File::open(file).and_then(|opened| opened.take(limit + 1).read_to_end(&mut octets))
    };
    read.map_err(|error| wrong(file, &error))?;
    if octets.len() as u64 > limit { Err(wrong(file, &format!("it has more than {limit} octets"))) } else { Ok(octets) }
}

fn wrong(file: &Path, what: &dyn std::fmt::Display) -> Trouble {
    Trouble::Usage(format!("{}: {what}", file.display()))
}
