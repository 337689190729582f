//! The program that is measured: the one that users install.
//!
//! What `cargo bench` itself builds has features in it that only the tests' packages ask for (the tables of Unicode, most of all), and
//! takes more memory than the real one. So that is built apart.

use std::io;
use std::path::PathBuf;
use std::process::Command;

/// Where the program is; where figures do not matter, the one that is there already.
pub(crate) fn built(short: bool) -> io::Result<PathBuf> {
    if short {
        return Ok(PathBuf::from(env!("CARGO_BIN_EXE_smtpprobe")));
    }
    let root = env!("CARGO_MANIFEST_DIR");
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| format!("{root}/target").into())).join("measured");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--release", "--bin", "smtpprobe", "--target-dir"]).arg(&target).current_dir(root);
    let status = build.status()?;
    if status.success() { Ok(target.join("release/smtpprobe")) } else { Err(io::Error::other(format!("cargo build ended with {status}"))) }
}
