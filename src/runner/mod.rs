//! Where builds run. [`Runners`] are all of them: the exec runner, [`Exec`], has a build as a child of the daemon, as the
//! daemon's own user; a socket runner (`socket/`) has it in a process elsewhere, an instance of `basewatch runner`
//! (`instance/`), which makes the same attempt in its own place. The two speak `wire.rs`.
//!
//! # What a runner owes
//! - It is given an attempt once its record is on disk, and answers with [`Event::Accepted`], which names what would
//!   find the attempt again after a restart, and with exactly one [`Event::Ended`], whatever happens.
//! - No two attempts of one build are alive together. Before an attempt starts, whatever still carries the build's id
//!   is ended; before `Ended` is reported, whatever the attempt left behind is ended too.
//! - The wait for what belongs to a build is bounded: for a command that ignores SIGTERM, for a pipe that a stray
//!   grandchild holds open, for a working directory whose file system hangs, for a log that cannot be written. Not
//!   bounded are laying out the build's files, on the disk that the daemon cannot live without anyway, and the instant
//!   of the start itself: an end that is told while a command may yet start would break the promise above.
//! - A build sees the variables of `environment.rs` and nothing else of the daemon (invariant 7). In the exec runner it
//!   shares the daemon's user, though: that is no security boundary.
//!
//! # How processes are found
//! By the attempt's process group, and by `BASEWATCH_BUILD_ID` in `/proc/PID/environ` among the processes of the
//! daemon's user; of all users, if that is root. The group is known by the attempt's handle (`handle.rs`), which is in
//! the build's record once the attempt is accepted, and in the file `handle` of the build's directory right after the
//! command was started. An instance that has a control group to itself (`--own-cgroup`) finds all that is in it, too.
//!
//! One that leaves the group *and* clears its environment *and* outlives its parent is not found; neither is one that
//! a service outside starts on the build's behalf, nor one that clears its environment, if the daemon is killed in the
//! instant between its start and the file. A helper that a build leaves running on purpose is ended with it.
//!
//! # Failure points
//! Here the daemon can be made to die; none of them can be made to fail. In this order, each before a side effect:
//! `runner-before-survivors` (signals to an earlier attempt), `runner-before-directory` (the build's files),
//! `runner-before-spawn`, `runner-before-accepted` (the child lives, and only the file `handle` tells),
//! `runner-before-end` (signals to this attempt), `runner-before-ended` (the attempt is gone, and nobody knows);
//! `runner-before-discard` whenever a build's record is gone.
//!
//! [`Event::Accepted`]: crate::controller::Event::Accepted
//! [`Event::Ended`]: crate::controller::Event::Ended

mod attempt;
mod cgroup;
mod custom;
mod directory;
mod environment;
mod exec;
mod handle;
mod instance;
mod launch;
mod output;
mod private;
mod process;
mod redact;
mod result;
mod runners;
mod socket;
pub mod strategy;
mod survivor;
mod tail;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

pub use environment::INHERITED;
pub use exec::Exec;
pub use instance::{InstanceError, Options, run as run_instance};
pub use runners::Runners;

use crate::controller::BuildKey;
use crate::logging::BuildOutput;
use directory::Directory;
use handle::Handle;
use private::Vault;
use survivor::Remains;

/// What a runner is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `<state_dir>/builds`: each build has a directory of its own below it.
    pub builds_dir: PathBuf,
    /// Whether output goes to the log too.
    pub output: BuildOutput,
    /// How many bytes of one attempt's output are kept in its file.
    pub log_limit: u64,
    /// How long a process may take to end after SIGTERM.
    pub grace: Duration,
    /// Whether everything else in this process's control group is of the one build that it runs.
    pub own_cgroup: bool,
    /// The unit's runtime directory, which is kept in memory: secrets of builds are below it. Without one they are in the
    /// build's own directory.
    pub runtime_dir: Option<PathBuf>,
    /// The process's own values of [`INHERITED`], read at the edge.
    pub inherited: Vec<(String, String)>,
}

impl Settings {
    /// [`Settings::log_limit`] unless told otherwise: 10 MiB.
    pub const LOG_LIMIT: u64 = 10 << 20;
    /// [`Settings::grace`] unless told otherwise: 10 s.
    pub const GRACE: Duration = Duration::from_secs(10);

    /// Whatever may be alive of a build.
    fn remains(&self, build_id: Uuid, leader: Option<Handle>) -> Remains {
        Remains { build_id, leader, grace: self.grace, own_cgroup: self.own_cgroup }
    }

    /// Where the secrets of a build are while an attempt of it lives.
    fn vault(&self, build_id: Uuid, directory: &Directory) -> Vault {
        Vault::of(self.runtime_dir.as_deref(), build_id, directory.path())
    }
}

/// Where the output of a build is kept.
#[must_use]
pub fn log_file(builds_dir: &Path, build: &BuildKey) -> PathBuf {
    Directory::of(builds_dir, build).log_file()
}

#[cfg(test)]
mod tests;
