//! One run of a command: how long it took, and what it used.
//!
//! The kernel counts into a process' peak memory what the process that started it had. So each run is started by a small
//! process of its own: this program again, as `measure COMMAND…`, inside the client's namespace.

use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// From start to end.
    pub(crate) wall: Duration,
    /// Computing time, the kernel's share included.
    pub(crate) cpu: Duration,
    /// Peak memory in octets.
    pub(crate) memory: u64,
    /// The exit code; -1 if it was killed.
    pub(crate) code: i32,
}

/// Runs a command, throws its results away, and prints what it cost.
pub(crate) fn measure(mut command: impl Iterator<Item = OsString>) -> io::Result<()> {
    let program = command.next().ok_or(io::ErrorKind::InvalidInput)?;
    let began = Instant::now();
    let mut child = Command::new(program).args(command).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let used = child.wait4()?;
    let cost = Cost {
        wall: began.elapsed(),
        cpu: used.rusage.utime + used.rusage.stime,
        memory: used.rusage.maxrss,
        code: used.status.code().unwrap_or(-1),
    };
    println!("{} {} {} {}", cost.wall.as_micros(), cost.cpu.as_micros(), cost.memory, cost.code);
    Ok(())
}

impl Cost {
    /// Reads what [`measure`] printed; none if that is something else.
    pub(crate) fn read(printed: &str) -> Option<Self> {
        let numbers: Option<Vec<i64>> = printed.split_whitespace().map(|word| word.parse().ok()).collect();
        let [wall, cpu, memory, code] = numbers?.try_into().ok()?;
        let micros = |number| u64::try_from(number).ok().map(Duration::from_micros);
        Some(Self { wall: micros(wall)?, cpu: micros(cpu)?, memory: u64::try_from(memory).ok()?, code: i32::try_from(code).ok()? })
    }

    /// The middle one of several runs, part by part; the code that is not 0, if there is one.
    pub(crate) fn median(runs: &[Self]) -> Option<Self> {
        fn middle<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
            let mut values: Vec<T> = values.collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied()
        }
        Some(Self {
            wall: middle(runs.iter().map(|run| run.wall))?,
            cpu: middle(runs.iter().map(|run| run.cpu))?,
            memory: middle(runs.iter().map(|run| run.memory))?,
            code: runs.iter().map(|run| run.code).find(|code| *code != 0).unwrap_or(0),
        })
    }
}
