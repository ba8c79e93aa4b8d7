//! What `/proc` tells about one process.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

/// A process, told apart from a later one that got its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    /// Its number.
    pub(super) pid: i32,
    /// When it started, in the kernel's ticks since boot.
    pub(super) started: u64,
}

/// The part of `/proc/PID/stat` that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// Whose it is.
    pub(super) process: Process,
    /// The number of its process group.
    pub(super) group: i32,
    /// The number of its session.
    pub(super) session: i32,
    /// False for a zombie: it can do nothing any more and only waits to be reaped. One whose main thread alone has ended
    /// looks like a zombie, and its other threads run on.
    pub(super) alive: bool,
}

/// The kernel gives an environment at most 6 MiB; a process that rewrote its own may claim anything.
const ENVIRONMENT_LIMIT: u64 = 8 << 20;

impl Process {
    /// The process with this number, if there is one.
    pub(super) fn find(pid: i32) -> Option<Self> {
        Stat::read(pid).map(|stat| stat.process)
    }
}

impl Stat {
    /// None if there is no such process (any more).
    pub(super) fn read(pid: i32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(pid, &String::from_utf8_lossy(&stat))
    }

    /// Reads `PID (NAME) STATE PPID PGRP SESSION …`; the name is the process's own choice: any bytes, `)` among them.
    pub(super) fn parse(pid: i32, text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        let state = fields.next()?;
        let group = fields.nth(1)?.parse().ok()?;
        let session = fields.next()?.parse().ok()?;
        let threads: u64 = fields.nth(13)?.parse().ok()?;
        let started = fields.nth(1)?.parse().ok()?;
        let alive = threads > 1 || !matches!(state, "Z" | "X" | "x");
        Some(Self { process: Process { pid, started }, group, session, alive })
    }
}

/// The numbers of all processes that can be seen.
///
/// # Errors
/// If `/proc` cannot be read.
pub(super) fn all() -> io::Result<Vec<i32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// Whether process `pid` belongs to user `uid` and has `entry` (`NAME=VALUE`) in its environment. Whose it is does not
/// matter to root, whose builds may give up their user.
pub(super) fn carries(pid: i32, uid: u32, entry: &str) -> bool {
    let path = format!("/proc/{pid}");
    if !fs::metadata(&path).is_ok_and(|found| uid == 0 || found.uid() == uid) {
        return false;
    }
    let mut environ = Vec::new();
    let read = fs::File::open(path + "/environ")
        .and_then(|file| file.take(ENVIRONMENT_LIMIT).read_to_end(&mut environ));
    read.is_ok() && environ.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
}
