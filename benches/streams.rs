//! How fast `explain` goes through many mails and replies, on one processor; and what one mail costs as a process.
//!
//! ```text
//! cargo bench --bench streams               # the best of five runs each, about half a minute
//! cargo bench --bench streams -- --short    # a tenth of it, once: only whether all of it works
//! ```
//!
//! The mails and replies are a folder `bounces` of labelled real ones, below `$SMTPPROBE_SHARED` or `../shared`; without it the
//! examples in `tests/mails`, which are fewer and smaller. Rates are by computing time, so that other work on the machine matters
//! less; the program has one thread.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    linux::print(std::env::args().any(|argument| argument == "--short"))
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("computing time is measured on Linux alone");
}

#[cfg(target_os = "linux")]
#[path = "line/program.rs"]
mod program;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File};
    use std::io::{self, BufWriter, Write as _};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use wait4::Wait4 as _;

    use super::program::built;

    /// Mails and lines that are gone through in one run.
    const MAILS: usize = 20_000;
    const LINES: usize = 600_000;
    const DIFFERENT: usize = 60_000;

    /// What one run took.
    struct Took {
        computing: Duration,
        real: Duration,
    }

    struct Inputs {
        mails: Vec<Vec<u8>>,
        replies: Vec<String>,
        whose: &'static str,
    }

    pub(super) fn print(short: bool) -> io::Result<()> {
        let program = built(short)?;
        let inputs = inputs()?;
        let (part, runs) = if short { (10, 1) } else { (1, 5) };
        let folder = std::env::temp_dir().join(format!("smtpprobe-streams-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        println!("{} {} mails and {} replies", inputs.whose, inputs.mails.len(), inputs.replies.len());
        println!("| explain | a second | at least | time | |\n|---|--:|--:|--:|---|");
        let mbox = folder.join("mbox");
        let count = write_mbox(&mbox, &inputs.mails, MAILS / part)?;
        rate("mails of an mbox, -o ndjson", count, Some(12_000.0), &best(&program, runs, &["-o", "ndjson"], &mbox)?, short);
        let lines = folder.join("replies");
        let count = write_lines(&lines, &inputs.replies, LINES / part, |reply, _| reply.to_owned())?;
        rate("replies, --lines -o ndjson", count, Some(300_000.0), &best(&program, runs, &["--lines", "-o", "ndjson"], &lines)?, short);
        let count = write_lines(&lines, &inputs.replies, DIFFERENT / part, |reply, number| format!("{reply} ({number:x})"))?;
        rate("the same, no two alike", count, None, &best(&program, runs, &["--lines", "-o", "ndjson"], &lines)?, short);
        let one = folder.join("one.eml");
        fs::write(&one, inputs.mails.first().map_or(&[][..], Vec::as_slice))?;
        let took = best(&program, if short { 1 } else { 50 }, &[], &one)?;
        let milliseconds = took.real.as_secs_f64() * 1000.0;
        println!("| one mail as a process | | 8 ms | {milliseconds:.1} ms | {} |", verdict(milliseconds <= 8.0, short));
        fs::remove_dir_all(folder)
    }

    /// A short run of a build for debugging is not what the limits are for.
    fn verdict(is_reached: bool, short: bool) -> &'static str {
        match (short, is_reached) {
            (true, _) => "not judged",
            (false, true) => "ok",
            (false, false) => "NOT reached",
        }
    }

    fn rate(what: &str, count: usize, least: Option<f64>, took: &Took, short: bool) {
        #[allow(clippy::cast_precision_loss, reason = "there are fewer than a million")]
        let rate = count as f64 / took.computing.as_secs_f64();
        let asked = least.map_or(String::new(), |least| format!("{least:.0}"));
        let reached = least.map_or("", |least| verdict(rate >= least, short));
        println!("| {what} | {rate:.0} | {asked} | {:.2} s | {reached} |", took.real.as_secs_f64());
    }

    /// The fastest of some runs of `explain` on a file.
    fn best(program: &Path, runs: usize, arguments: &[&str], file: &Path) -> io::Result<Took> {
        let mut best: Option<Took> = None;
        for _ in 0..runs {
            let began = Instant::now();
            let mut child =
                Command::new(program).arg("explain").args(arguments).arg(file).stdout(Stdio::null()).stdin(Stdio::null()).spawn()?;
            let used = child.wait4()?;
            if !matches!(used.status.code(), Some(0 | 1)) {
                return Err(io::Error::other(format!("explain ended with {}", used.status)));
            }
            let took = Took { computing: used.rusage.utime + used.rusage.stime, real: began.elapsed() };
            best = best.filter(|best| best.computing <= took.computing).or(Some(took));
        }
        best.ok_or_else(|| io::Error::other("there was no run"))
    }

    fn write_mbox(file: &Path, mails: &[Vec<u8>], count: usize) -> io::Result<usize> {
        let mut to = BufWriter::new(File::create(file)?);
        for mail in mails.iter().cycle().take(count) {
            to.write_all(b"From MAILER-DAEMON Mon Nov 30 12:00:00 2026\n")?;
            for line in mail.split_inclusive(|byte| *byte == b'\n') {
                if line.starts_with(b"From ") {
                    to.write_all(b">")?;
                }
                to.write_all(line)?;
            }
            to.write_all(b"\n\n")?;
        }
        to.flush()?;
        Ok(count)
    }

    fn write_lines(file: &Path, replies: &[String], count: usize, line: impl Fn(&str, usize) -> String) -> io::Result<usize> {
        let mut to = BufWriter::new(File::create(file)?);
        for (number, reply) in replies.iter().cycle().take(count).enumerate() {
            writeln!(to, "{}", line(reply, number))?;
        }
        to.flush()?;
        Ok(count)
    }

    fn inputs() -> io::Result<Inputs> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shared = std::env::var_os("SMTPPROBE_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from).join("bounces");
        let own = root.join("tests/mails");
        let (folder, whose) =
            if shared.join("corpus").is_dir() { (shared.join("corpus"), "labelled real ones:") } else { (own, "own examples:") };
        let mut files: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        files.retain(|file| file.is_file());
        files.sort();
        let mails = files.iter().map(fs::read).collect::<io::Result<_>>()?;
        let replies = match fs::read_to_string(shared.join("replies_dev.jsonl")) {
            Ok(lines) => lines.lines().filter_map(reply).collect(),
            Err(_) => OWN_REPLIES.iter().map(|reply| (*reply).to_owned()).collect(),
        };
        Ok(Inputs { mails, replies, whose })
    }

    fn reply(line: &str) -> Option<String> {
        let entry: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(entry.get("reply")?.as_str()?.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    const OWN_REPLIES: [&str; 6] = [
        "550 5.1.1 <anna@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
        "552 5.2.2 <anna@example.com>: Mailbox is over quota",
        "554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using zen.spamhaus.org",
        "450 4.2.0 <anna@example.com>: Recipient address rejected: Greylisted, try again in 300 seconds",
        "421 4.7.0 Too many connections from 192.0.2.10",
        "550 5.7.26 The mail was refused because neither SPF nor DKIM of example.com passed",
    ];
}
