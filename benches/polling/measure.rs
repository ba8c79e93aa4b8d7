//! One number of tags: everything that is measured of it but instructions.

use std::time::Instant;

use anyhow::Context as _;

use super::bare::Bare;
use super::daemon::{Daemon, Home, RATE, cpu_time, peak_memory};
use super::numbers;
use super::registry::{Counts, Registry};
use super::report::{Pair, Size};

/// The checks of one turn: at a few ten microseconds each, enough for the kernel's clocks.
const CHECKS: u64 = 20_000;
/// How often each takes its turn.
const PAIRS: usize = 9;
/// Rounds of `run --once` whose requests are counted.
const ROUNDS: usize = 3;

/// Measures with this many tags.
pub(crate) fn size(tags: usize) -> anyhow::Result<Size> {
    let mut registry = Registry::start()?;
    let home = Home::new(registry.host(), tags)?;
    let measured = with(&mut registry, &home, tags);
    measured.with_context(|| format!("the log of the daemon ends with: {}", home.last_words()))
}

fn with(registry: &mut Registry, home: &Home, tags: usize) -> anyhow::Result<Size> {
    let all = u64::try_from(tags)?;
    let start = Instant::now();
    let daemon = home.start(&[])?;
    registry.wait(1)?;
    let first_poll = start.elapsed();
    // By then the first look at each tag was stored long ago.
    registry.wait(3 * all)?;
    let seen = start.elapsed();

    let (journal, before) = (home.journal_bytes()?, registry.counts()?);
    let pairs = pairs(registry, &daemon, tags)?;
    let peak_rss_bytes = peak_memory(daemon.pid())?;
    let polled = registry.counts()?.since(before);
    let grown = home.journal_bytes()?.saturating_sub(journal);
    daemon.resume()?;
    // After a day with changes a clean stop leaves a mark in the journal, which is not the polls'.
    daemon.stop()?;
    let bare_heads: u64 = pairs.iter().map(|pair| pair.bare_checks).sum::<u64>() + CHECKS / 10;

    let journal = home.journal_bytes()?;
    let asked = rounds(registry, home)?;
    let checks = all * u64::try_from(ROUNDS)?;
    Ok(Size {
        tags,
        checks,
        heads: asked.heads,
        gets: asked.gets + polled.gets,
        other_requests: asked.others + polled.others,
        unchanged_checks: checks + polled.heads.saturating_sub(bare_heads),
        journal_bytes: grown + home.journal_bytes()?.saturating_sub(journal),
        pairs,
        peak_rss_bytes,
        first_poll_ms: first_poll.as_secs_f64() * 1e3,
        three_rounds_ms: seen.as_secs_f64() * 1e3,
    })
}

/// The daemon and the bare loop in turns. The daemon stands still at the end.
fn pairs(registry: &mut Registry, daemon: &Daemon, tags: usize) -> anyhow::Result<Vec<Pair>> {
    daemon.pause()?;
    let mut bare = Bare::start(registry.host(), tags)?;
    // The same pace: many tags are more than either can bear, but where few are polled there are pauses, which cost.
    let rate = tags * RATE;
    bare.send(CHECKS / 10, rate)?;
    let count = numbers("BASEWATCH_BENCH_PAIRS", &[PAIRS])?.into_iter().max().unwrap_or(PAIRS);
    let mut pairs = Vec::with_capacity(count);
    for turn in 0..count {
        // Who begins changes, so that what drifts harms neither.
        let (bare_turn, daemon_turn) = match turn % 2 {
            0 => {
                let first = bare_turn(&mut bare, rate)?;
                (first, daemon_turn(registry, daemon)?)
            }
            _ => {
                let first = daemon_turn(registry, daemon)?;
                (bare_turn(&mut bare, rate)?, first)
            }
        };
        let ((bare_ns, bare_checks), (daemon_ns, daemon_checks)) = (bare_turn, daemon_turn);
        pairs.push(Pair { daemon_ns, daemon_checks, bare_ns, bare_checks });
    }
    bare.finish()?;
    Ok(pairs)
}

/// CPU time, and the checks it was spent on.
fn daemon_turn(registry: &mut Registry, daemon: &Daemon) -> anyhow::Result<(u64, u64)> {
    let (before, spent) = (registry.counts()?, cpu_time(daemon.pid())?);
    daemon.resume()?;
    registry.wait(before.heads + CHECKS)?;
    daemon.pause()?;
    let spent = cpu_time(daemon.pid())? - spent;
    Ok((spent, registry.counts()?.since(before).heads))
}

fn bare_turn(bare: &mut Bare, rate: usize) -> anyhow::Result<(u64, u64)> {
    let before = cpu_time(bare.pid())?;
    bare.send(CHECKS, rate)?;
    Ok((cpu_time(bare.pid())? - before, CHECKS))
}

/// What rounds that look at each tag exactly once ask for.
fn rounds(registry: &mut Registry, home: &Home) -> anyhow::Result<Counts> {
    let before = registry.counts()?;
    for _ in 0..ROUNDS {
        home.start(&["--once"])?.finish()?;
    }
    Ok(registry.counts()?.since(before))
}
