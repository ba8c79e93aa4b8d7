//! Ending what is left of a build: its process group, whatever else carries its id, and, where the build has a control
//! group to itself, whatever is in that.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, geteuid};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::cgroup::Cgroup;
use super::handle::Handle;
use super::process::{Process, Stat, all, carries};

/// How long a process is waited for after SIGKILL: it ends at once, unless the kernel holds it in a system call.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// The wait between two looks doubles from the first to the longest of these.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// A process in the middle of an `execve` shows an empty environment for an instant, so one clear look proves nothing.
const CLEAR_LOOKS: u32 = 2;

/// Everything that may be alive of one build.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remains {
    /// Whose.
    pub(super) build_id: Uuid,
    /// The child of the attempt, where it is known; its number is that of the process group.
    pub(super) leader: Option<Handle>,
    /// How long SIGTERM may take.
    pub(super) grace: Duration,
    /// Whether everything else in this process's control group is of the build.
    pub(super) own_cgroup: bool,
}

/// Why it is not certain that nothing of a build is alive.
#[derive(Debug, thiserror::Error)]
pub(super) enum SurvivorError {
    /// `/proc` did not answer.
    #[error("look through /proc for what an earlier attempt left running: {0}")]
    Look(#[source] io::Error),
    /// Not even SIGKILL ended it.
    #[error("process {pid} of this build is alive after SIGKILL: see what holds it, or end it by hand")]
    Alive {
        /// One of those that are left.
        pid: i32,
    },
}

/// One process of a build.
#[derive(Debug, Clone, Copy)]
struct Found {
    process: Process,
    in_group: bool,
}

impl Remains {
    /// Ends it all: SIGTERM, the grace, SIGKILL. Answers with how many there were, once they are gone.
    ///
    /// Dropping the future stops the ending half-way and harms nothing: it holds no state but what it has signalled.
    pub(super) async fn end(self) -> Result<usize, SurvivorError> {
        let begun = Instant::now();
        let mut told = BTreeSet::new();
        let mut clear = 0;
        let mut pause = FIRST_PAUSE;
        loop {
            let found = self.look().await?;
            clear = if found.is_empty() { clear + 1 } else { 0 };
            if clear == CLEAR_LOOKS {
                return Ok(told.len());
            }
            let left = self.grace.checked_sub(begun.elapsed());
            match (found.first(), left) {
                (Some(_), Some(_)) => self.ask(&found, &mut told),
                (Some(one), None) if begun.elapsed() > self.grace + KILL_PATIENCE => {
                    return Err(SurvivorError::Alive { pid: one.process.pid });
                }
                (Some(_), None) => self.kill(&found, &mut told),
                (None, _) => {}
            }
            sleep(left.map_or(pause, |left| pause.min(left))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn look(self) -> Result<Vec<Found>, SurvivorError> {
        let look = tokio::task::spawn_blocking(move || self.scan());
        look.await.unwrap_or_else(|stopped| Err(io::Error::other(stopped))).map_err(SurvivorError::Look)
    }

    fn scan(self) -> io::Result<Vec<Found>> {
        let ourselves = Pid::this().as_raw();
        let uid = geteuid().as_raw();
        let entry = format!("BASEWATCH_BUILD_ID={}", self.build_id);
        let leader = self.leader.filter(|leader| leader.is_current());
        let cgroup = if self.own_cgroup { Cgroup::own()? } else { None };
        let pids = all()?.into_iter().filter(|pid| *pid != ourselves);
        Ok(pids
            .filter_map(|pid| {
                let stat = Stat::read(pid).filter(|stat| stat.alive)?;
                let in_group = leader.is_some_and(|leader| leader.has_member(&stat));
                let is_leader = leader.is_some_and(|leader| leader.is_leader(&stat));
                let in_cgroup = || cgroup.as_ref().is_some_and(|cgroup| cgroup.has(pid));
                (in_group || is_leader || in_cgroup() || carries(pid, uid, &entry))
                    .then_some(Found { process: stat.process, in_group })
            })
            .collect())
    }

    /// SIGTERM, once and to those that are there now. What comes later may be what one of them starts in order to tidy
    /// up; it has the rest of the grace like all.
    fn ask(self, found: &[Found], told: &mut BTreeSet<Process>) {
        if told.is_empty() {
            told.extend(found.iter().map(|one| one.process));
            self.signal(found, Signal::SIGTERM);
        }
    }

    fn kill(self, found: &[Found], told: &mut BTreeSet<Process>) {
        told.extend(found.iter().map(|one| one.process));
        self.signal(found, Signal::SIGKILL);
    }

    /// The group is signalled as one, so that no member can fork its way out. A process that is gone by now is no
    /// error, and one that may not be signalled is found again by the next look.
    fn signal(self, found: &[Found], signal: Signal) {
        let leader = self.leader.filter(|_| found.iter().any(|one| one.in_group));
        if let Some(leader) = leader {
            let _ = killpg(Pid::from_raw(leader.pid()), signal);
        }
        for one in found.iter().filter(|one| leader.is_none() || !one.in_group) {
            let _ = kill(Pid::from_raw(one.process.pid), signal);
        }
    }
}
