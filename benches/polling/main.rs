//! What polling costs: `make bench`, or `cargo bench --bench polling -- [--check]`.
//!
//! The daemon's own program, compiled with the release profile, polls a registry that is a process of its own, one
//! image per tag, as fast as it can: the shortest interval there is, 16 connections, no limit of requests. Per number of
//! tags (1,000 and 10,000, or what `BASEWATCH_BENCH_TAGS` says, as in `100,500`) it is measured:
//!
//! - requests per check: what the registry counted over rounds of `run --once`, each of which looks at each tag once;
//! - journal bytes: how much the journal grew over all of that and over the running daemon's unchanged polls;
//! - CPU per check: user and system time of all the daemon's threads (`/proc/PID/task/*/schedstat`) between two counts
//!   of the registry, long after the start; beside it that of a bare reqwest loop that sends the same HEADs over as many
//!   connections, and no faster than the intervals ask for, from a process of its own. The two take turns, the other one
//!   stopped; the ratio is taken turn by turn, and its median is told, so that what the machine does besides matters
//!   little;
//! - peak memory: `VmHWM`, with the first sight of all tags in it;
//! - start to first poll: from the start of the process, without any state, to the first request;
//! - instructions per check: by valgrind's callgrind, as the difference of two runs that differ in how long they poll, so
//!   that starting and stopping cancel out; of the main thread, which polls alone; of the bare loop too.
//!
//! A table goes to standard output, all figures to `polling.json` in cargo's `target/tmp`, beside callgrind's files.
//! It fails if something could not be measured; with `--check` also if a figure is not what it should be.

mod bare;
mod callgrind;
mod child;
mod daemon;
mod measure;
mod registry;
mod report;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use report::Report;

/// Polls in flight at once: what a loopback host is allowed.
const CONNECTIONS: usize = 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["registry"] => registry::serve().map(|()| true),
        ["bare", host, tags] => bare::serve(host, tags).map(|()| true),
        // cargo itself adds `--bench`.
        others => bench(others.contains(&"--check")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is no better place to say that this cannot be said.
            let _ = writeln!(std::io::stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is as it should be, if that is asked.
fn bench(check: bool) -> anyhow::Result<bool> {
    let mut report = Report::default();
    for tags in numbers("BASEWATCH_BENCH_TAGS", &[1_000, 10_000])? {
        say(&format!("measuring with {tags} tags"))?;
        report.sizes.push(measure::size(tags).with_context(|| format!("measure with {tags} tags"))?);
    }
    say("counting instructions")?;
    report.instructions = Some(callgrind::instructions().context("count instructions")?);
    let mut out = std::io::stdout().lock();
    write!(out, "{}", report.table())?;
    let file = outputs().join("polling.json");
    std::fs::write(&file, serde_json::to_string_pretty(&report)?)?;
    writeln!(out, "\nall figures: {}", file.display())?;
    let missed = if check { report.missed() } else { Vec::new() };
    for missed in &missed {
        writeln!(out, "not as it should be: {missed}")?;
    }
    Ok(missed.is_empty())
}

/// Numbers that the environment may change.
fn numbers(variable: &str, default: &[usize]) -> anyhow::Result<Vec<usize>> {
    let Ok(text) = std::env::var(variable) else { return Ok(default.to_vec()) };
    let numbers: Result<Vec<usize>, _> = text.split(',').map(|number| number.trim().parse()).collect();
    numbers.with_context(|| format!("{variable}={text} is not a list of numbers"))
}

fn say(what: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr(), "bench: {what}")?)
}

/// Where files go that are to be looked at afterwards.
fn outputs() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}
