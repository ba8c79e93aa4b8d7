//! The other end of a socket runner: one process that looks after one attempt of one build, outside the daemon.
//!
//! systemd starts an instance for each connection of the daemon (`Accept=yes`), with the connection as standard input.
//! The first word makes it one of three:
//! - `start`: it takes the attempt, runs it as the exec runner would, and tells whoever is connected. It lives as long as
//!   the build, and then as long as somebody listens; a daemon that is gone, or does not read, holds nothing up.
//! - `attach`, and another instance has the attempt: it only joins its connection to that one.
//! - `attach`, and none has: it tells how the attempt ended, ends what is left of one that was cut off, or says that
//!   nothing is known. From then on the attempt cannot be started any more.
//!
//! # Files
//! ```text
//! <state_dir>/ID/           the build's own directory: build.json, result.json, handle
//!             home/         HOME of all builds, where the runner's own is none for them
//!             spool/ID/     lock          held by the instance that has the build; where nobody holds it, nobody lives
//!                           sock          where other instances join it
//!                           attempt       the highest attempt that was started, or told to be gone
//!                           log           its output
//!                           outcome.json  how it ended, until the daemon has stored that
//! ```
//! A name that ends in `.gone` is of what is only left to be deleted.
//!
//! What the instance relies on is not in the build's own directory: a build may empty that, or write a log there.
//!
//! # Two attempts never live together
//! Whoever starts, ends or forgets an attempt holds the lock. A start that comes late, behind an attach or a newer
//! attempt, finds its number in the file `attempt`; behind one that was forgotten, it finds that its daemon has hung up:
//! no daemon keeps a connection once it has asked on another.
//!
//! # Failure points
//! In this order: `instance-before-attempt` (the attempt is taken), `runner-before-…` of the runner's own,
//! `instance-before-outcome` (it is over, and nobody knows), `instance-before-ended` (the daemon is told), and
//! `instance-before-forget` (the files go).

mod attach;
mod hold;
mod home;
mod line;
mod session;
mod spool;
mod start;
mod sweep;
#[cfg(test)]
mod tests;

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use uuid::Uuid;

use super::Settings;
use super::wire::{Attach, Request, Start, WireError};
use attach::attach_attempt;
use hold::{Hold, Run, until_stopped};
use line::Line;
use start::start_attempt;

/// How long a daemon may take to say what it wants.
const FIRST_WORD: Duration = Duration::from_secs(60);
/// What an instance is told by who starts it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the builds of this runner are, and what is known of them.
    pub state_dir: PathBuf,
    /// Kept in memory: secrets of builds are below it.
    pub runtime_dir: Option<PathBuf>,
    /// Whether everything else in this process's control group is the build's, and is ended with it.
    pub own_cgroup: bool,
    /// The process's own values of [`INHERITED`](super::INHERITED).
    pub inherited: Vec<(String, String)>,
}

/// Why an instance has done nothing.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The connection is none.
    #[error("use the connection on standard input: {0}")]
    Connection(#[source] io::Error),
    /// The control group is everybody's.
    #[error("--own-cgroup: this process is in the root of all control groups: start it as a unit of its own")]
    RootCgroup,
    /// What was to be read or written in the state directory.
    #[error("{doing} in {dir}: {source}")]
    Files {
        /// What was being done.
        doing: &'static str,
        /// Where.
        dir: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// The other side.
    #[error("talk to the daemon: {0}")]
    Daemon(String),
    /// Another instance.
    #[error("talk to the instance that has the build: {0}")]
    Instance(String),
}

/// What a daemon may want first.
enum Asked {
    Start(Box<Start>),
    Attach(Attach),
}

/// An attempt that is looked after, who asked for it, and the attempt as it runs.
struct Held {
    hold: Hold,
    first: (Line, u64),
    run: Option<Run>,
}

/// Serves the daemon that is connected, until nothing is left to be done for it. `stop` becomes true when the instance is
/// to end: its build is cut off.
///
/// # Errors
/// If it could do nothing for the daemon.
pub async fn run(
    connection: StdStream,
    options: Options,
    stop: watch::Receiver<bool>,
) -> Result<(), InstanceError> {
    check_cgroup(&options)?;
    let mut line = Line::new(connection).map_err(InstanceError::Connection)?;
    // Cancel-safe: nothing is asked yet.
    let asked = tokio::select! {
        asked = question(&mut line) => asked?,
        () = until_stopped(stop.clone()) => None,
    };
    let Some(asked) = asked else { return Ok(()) };
    let (id, state_dir) = (asked.id(), options.state_dir.clone());
    // Cancel-safe: until the attempt is held, what is given up is asked again, and found as it is.
    let held = tokio::select! {
        held = asked.answer(line, options) => held?,
        () = until_stopped(stop.clone()) => return Ok(()),
    };
    if let Some(Held { hold, first, run }) = held {
        hold.run(Some(first), run, stop.clone()).await;
    }
    // Not before, and not this one: after a jump of the clock, the very end that is asked for may look old.
    // Cancel-safe: what is left is found by the next one.
    tokio::select! {
        _ = spawn_blocking(move || sweep::sweep(&state_dir, id)) => {}
        () = until_stopped(stop) => {}
    }
    Ok(())
}

/// Hears what the daemon wants. None if it hangs up without a word.
async fn question(line: &mut Line) -> Result<Option<Asked>, InstanceError> {
    let error = match timeout(FIRST_WORD, line.first()).await {
        Ok(Ok(Request::Start(start))) => return Ok(Some(Asked::Start(start))),
        Ok(Ok(Request::Attach(attach))) => return Ok(Some(Asked::Attach(attach))),
        Ok(Ok(other @ (Request::Cancel | Request::Acknowledge))) => WireError::Unexpected(other.name()),
        Ok(Err(WireError::Closed | WireError::Io(_))) => return Ok(None),
        Ok(Err(error)) => error,
        Err(_) => WireError::Silent(FIRST_WORD),
    };
    Err(line.refuse(error).await)
}

fn check_cgroup(options: &Options) -> Result<(), InstanceError> {
    let files = |source| InstanceError::Files { doing: "read cgroup", dir: "/proc/self".into(), source };
    match options.own_cgroup && super::cgroup::Cgroup::own().map_err(files)?.is_none() {
        true => Err(InstanceError::RootCgroup),
        false => Ok(()),
    }
}

fn settings(options: &Options, log_limit: u64) -> Settings {
    Settings {
        builds_dir: options.state_dir.clone(),
        output: crate::logging::BuildOutput::File,
        log_limit,
        grace: Settings::GRACE,
        own_cgroup: options.own_cgroup,
        runtime_dir: options.runtime_dir.clone(),
        inherited: options.inherited.clone(),
    }
}

fn files(doing: &'static str, options: &Options, source: io::Error) -> InstanceError {
    InstanceError::Files { doing, dir: options.state_dir.clone(), source }
}

async fn blocking<T: Send + 'static>(step: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(step).await.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
}

impl Asked {
    /// Of which build.
    fn id(&self) -> Uuid {
        match self {
            Self::Start(start) => start.spec.id,
            Self::Attach(attach) => attach.id,
        }
    }

    /// Does it, up to where the attempt is held. None where nothing more is to be done.
    async fn answer(self, line: Line, options: Options) -> Result<Option<Held>, InstanceError> {
        match self {
            Self::Start(start) => start_attempt(line, *start, options).await,
            Self::Attach(attach) => attach_attempt(line, attach, options).await,
        }
    }
}
