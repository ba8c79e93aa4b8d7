//! What finds an attempt again, also after the daemon was killed.
//!
//! # When a process group is surely ours
//! The kernel gives a number to a new process only while no process, group or session has it. So as long as the child
//! that a handle names is there, with its start time, the group of that number is its own; and a child of another age
//! means that our group is gone. Where no process has the number, the group may have outlived its leader. Then a member
//! counts only if it is in the leader's session, which nobody can join but by being forked in it, and no older than the
//! leader: for a stranger to pass, all numbers must have been used up once, and a group with this one, in the session of
//! the daemon that died, must have lost its leader too. A handle of an earlier boot is never used.

use std::fmt;
use std::fs;

use nix::unistd::getpgrp;
use uuid::Uuid;

use super::process::{Process, Stat};

/// The child that an attempt started, leader of its process group: `PID:STARTTIME:SESSION:BOOT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle {
    process: Process,
    session: i32,
    boot: Uuid,
}

impl Handle {
    /// The handle of the child with this number, if there is one.
    pub(super) fn find(pid: i32) -> Option<Self> {
        let stat = Stat::read(pid)?;
        // Where the kernel does not tell, the handle serves as long as the daemon lives and is not believed later.
        Some(Self { process: stat.process, session: stat.session, boot: boot().unwrap_or_default() })
    }

    /// Reads a handle. None if it is not one, or is not of this boot: numbers and start times begin anew with it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_end().splitn(4, ':');
        let pid = parts.next()?.parse().ok().filter(|pid| *pid > 1)?;
        let started = parts.next()?.parse().ok()?;
        let session = parts.next()?.parse().ok()?;
        let boot_then = parts.next()?.parse().ok()?;
        (boot()? == boot_then).then_some(Self { process: Process { pid, started }, session, boot: boot_then })
    }

    /// The number of the child and of its group.
    pub(super) fn pid(self) -> i32 {
        self.process.pid
    }

    /// Whether the number is nobody else's by now.
    pub(super) fn is_current(self) -> bool {
        let ours = Process::find(self.pid()).is_none_or(|found| found == self.process);
        ours && self.pid() != getpgrp().as_raw()
    }

    /// Whether this is the child itself, in whatever group it is by now.
    pub(super) fn is_leader(self, stat: &Stat) -> bool {
        stat.process == self.process
    }

    /// Whether this is a member of the group. Only of worth while the handle is current.
    pub(super) fn has_member(self, stat: &Stat) -> bool {
        let in_group = stat.group == self.pid() && stat.session == self.session;
        in_group && stat.process.started >= self.process.started
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process: Process { pid, started }, session, boot } = self;
        write!(f, "{pid}:{started}:{session}:{boot}")
    }
}

/// The kernel's name for the time since it was booted.
fn boot() -> Option<Uuid> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim_end().parse().ok()
}
