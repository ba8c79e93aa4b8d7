//! How many instructions a check takes, by valgrind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::bare::Bare;
use super::daemon::{Home, RATE};
use super::outputs;
use super::registry::Registry;
use super::report::Instructions;

/// Few, as valgrind takes fifty times as long.
const TAGS: usize = 100;
/// The checks of the short run, and of the long one.
const CHECKS: (u64, u64) = (1_000, 5_000);

/// A run: its checks, and all its instructions.
struct Run {
    checks: u64,
    instructions: u64,
}

/// Counts for the daemon and for the bare loop.
pub(crate) fn instructions() -> anyhow::Result<Instructions> {
    let daemon = difference(&daemon(CHECKS.0, "daemon-short")?, &daemon(CHECKS.1, "daemon")?)?;
    let bare = difference(&bare(CHECKS.0, "bare-short")?, &bare(CHECKS.1, "bare")?)?;
    Ok(Instructions { tags: TAGS, daemon, bare })
}

/// Instructions per check, without what both runs have in common.
fn difference(short: &Run, long: &Run) -> anyhow::Result<f64> {
    let checks = long.checks.checked_sub(short.checks).filter(|checks| *checks > 0);
    let instructions = long.instructions.checked_sub(short.instructions);
    let (checks, instructions) = checks.zip(instructions).context("the long run was the shorter one")?;
    Ok(instructions as f64 / checks as f64)
}

fn daemon(checks: u64, name: &str) -> anyhow::Result<Run> {
    let mut registry = Registry::start()?;
    let home = Home::new(registry.host(), TAGS)?;
    let (valgrind, output) = valgrind(name)?;
    let daemon = home.start_under(valgrind)?;
    registry.wait(checks).with_context(|| format!("the log ends with: {}", home.last_words()))?;
    daemon.stop().with_context(|| format!("the log ends with: {}", home.last_words()))?;
    Ok(Run { checks: registry.counts()?.heads, instructions: total(&output)? })
}

fn bare(checks: u64, name: &str) -> anyhow::Result<Run> {
    let registry = Registry::start()?;
    let (valgrind, output) = valgrind(name)?;
    let mut bare = Bare::start_under(valgrind, registry.host(), TAGS)?;
    bare.send(checks, TAGS * RATE)?;
    bare.finish()?;
    Ok(Run { checks, instructions: total(&output)? })
}

/// The command up to the program to run, and the file it will write of the main thread. What the other threads do at
/// the start differs from run to run, as sled's wait for one another without rest; a poll that finds nothing new is the
/// main thread's alone.
fn valgrind(name: &str) -> anyhow::Result<(Command, PathBuf)> {
    let all = outputs().join(format!("callgrind.{name}"));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet", "--separate-threads=yes"]);
    command.arg(format!("--callgrind-out-file={}", all.display()));
    let output = outputs().join(format!("callgrind.{name}-01"));
    // What an earlier run left must not be taken for this one's.
    match fs::remove_file(&output) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok((command, output)),
    }
}

/// The last `totals:` of a callgrind file.
fn total(output: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(output).with_context(|| format!("read {}", output.display()))?;
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    let total = total.with_context(|| format!("{} has no totals", output.display()))?;
    Ok(total.trim().parse()?)
}
