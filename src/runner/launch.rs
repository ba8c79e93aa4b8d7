//! Starting the command of an attempt, in three steps: lay out the files, look for the program, start it. All of them
//! block and run on the blocking pool. The second one touches places that are not ours, and may be given up.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{AccessFlags, Pid, access};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::runtime;
use tokio::time::{Instant, timeout};

use super::Settings;
use super::directory::{Directory, DirectoryError};
use super::environment::{self, Environment};
use super::handle::Handle;
use super::output::{Log, Sink};
use super::private::{Private, PrivateError};
use super::redact::Redactor;
use super::survivor::SurvivorError;
use crate::controller::{AttemptRef, BuildSpec};
use crate::failpoint;

/// How long a child that was killed at once may take to be gone.
const GONE: Duration = Duration::from_secs(1);

/// An attempt that is ready but for its program.
#[derive(Debug)]
pub(super) struct Prepared {
    spec: BuildSpec,
    dir: PathBuf,
    environment: Environment,
    directory: Directory,
    sink: Sink,
}

/// The search for a program.
#[derive(Debug)]
pub(super) struct Search {
    program: String,
    dir: PathBuf,
    path: OsString,
}

/// A command that runs.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) child: Child,
    pub(super) handle: Handle,
    pub(super) output: pipe::Receiver,
    pub(super) sink: Sink,
    pub(super) directory: Directory,
    pub(super) at: Instant,
}

/// Why an attempt did not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchError {
    #[error("{0}")]
    Survivor(#[from] SurvivorError),
    #[error("{0}")]
    Directory(#[from] DirectoryError),
    #[error("{0}")]
    Private(#[from] PrivateError),
    #[error("the command is empty: give `run` a program")]
    EmptyCommand,
    #[error("start `{program}`: the working directory {dir} cannot be used: {source}")]
    WorkingDir { program: String, dir: PathBuf, source: io::Error },
    #[error(
        "start `{program}` in {dir}: no such program in PATH={path}: install it, or name it with its path"
    )]
    NotFound { program: String, dir: PathBuf, path: String },
    #[error("start `{program}` in {dir}: {source}")]
    Start { program: String, dir: PathBuf, source: io::Error },
    #[error(
        "start the attempt: the program or its working directory was not found out about within {0:?}: see what its file system waits for"
    )]
    NoAnswer(Duration),
    #[error("start the attempt: its task stopped")]
    TaskStopped,
}

/// Lays out the build's files.
pub(super) fn prepare(
    settings: &Settings,
    attempt: &AttemptRef,
    spec: BuildSpec,
    directory: Directory,
    log: Log,
    private: Option<Private>,
) -> Result<Prepared, LaunchError> {
    let private = private.map_or_else(|| Private::read(spec.venue.as_deref()), Ok)?;
    failpoint::pass("runner-before-directory");
    directory.prepare(&spec, attempt.attempt)?;
    let mut environment = environment::of(&spec, attempt.attempt, &directory, &settings.inherited);
    let variables = private.lay_out(&settings.vault(attempt.id, &directory))?;
    environment.extend(variables.into_iter().map(|(name, path)| (name.into(), path.into())));
    let dir = spec.working_dir.clone().unwrap_or_else(|| directory.path().to_owned());
    let file = match &log {
        Log::Kept => directory.open_log(attempt.attempt, Timestamp::now(), settings.log_limit),
        Log::Followed(_) => directory.open_fresh_log(),
    };
    let sink = Sink::new(attempt.clone(), file, settings.log_limit, settings.output);
    let sink = sink.told_to(log).redacting(Redactor::of(&private));
    Ok(Prepared { spec, dir, environment, directory, sink })
}

impl Prepared {
    /// The search for the program, which comes before [`Prepared::start`].
    pub(super) fn search(&self) -> Result<Search, LaunchError> {
        let program = self.spec.command.first().cloned().ok_or(LaunchError::EmptyCommand)?;
        let path = self.environment.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        Ok(Search { program, dir: self.dir.clone(), path })
    }

    /// Starts `program`, with nothing of the daemon but what it is given.
    pub(super) fn start(self, program: &Path) -> Result<Launched, LaunchError> {
        failpoint::pass("runner-before-spawn");
        let (child, handle, output) = self.spawn(program).map_err(|source| {
            let program = self.spec.command.first().cloned().unwrap_or_default();
            LaunchError::Start { program, dir: self.dir.clone(), source }
        })?;
        let at = Instant::now();
        let Self { directory, sink, .. } = self;
        // Best effort: it is told with `Accepted` too, and serves only who dies before that is stored.
        let _ = directory.write_handle(handle);
        Ok(Launched { child, handle, output, sink, directory, at })
    }

    fn spawn(&self, program: &Path) -> io::Result<(Child, Handle, pipe::Receiver)> {
        let (output, stdout) = io::pipe()?;
        let output = pipe::Receiver::from_owned_fd(output.into())?;
        let stderr = stdout.try_clone()?;
        let mut words = self.spec.command.iter();
        let child = Command::new(program)
            .arg0(words.next().map_or_else(|| program.as_os_str(), OsStr::new))
            .args(words)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()?;
        let (child, handle) = identified(child, identify)?;
        Ok((child, handle, output))
    }
}

impl Search {
    /// Where the program is. Changes nothing, so that nothing is lost where nobody waits for the answer any more.
    pub(super) fn run(self) -> Result<PathBuf, LaunchError> {
        let Self { program, dir, path } = self;
        if let Err(source) = must_be_directory(&dir) {
            return Err(LaunchError::WorkingDir { program, dir, source });
        }
        find(&program, &path, &dir).ok_or_else(|| {
            let path = path.to_string_lossy().into_owned();
            LaunchError::NotFound { program, dir, path }
        })
    }
}

fn must_be_directory(dir: &Path) -> io::Result<()> {
    match std::fs::metadata(dir)?.is_dir() {
        true => Ok(()),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

/// A child that could not be found again is ended at once: it would live on beside the next attempt.
pub(super) fn identified(
    mut child: Child,
    identify: impl FnOnce(&Child) -> Option<Handle>,
) -> io::Result<(Child, Handle)> {
    if let Some(handle) = identify(&child) {
        return Ok((child, handle));
    }
    // Nobody has reaped it yet, so the number is its own, and its group's.
    if let Some(pid) = child.id().and_then(|pid| pid.try_into().ok()) {
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let gone = async { timeout(GONE, child.wait()).await };
    let _ = runtime::Handle::current().block_on(gone);
    Err(io::Error::other("/proc does not show it, so it was ended at once"))
}

/// Nobody has reaped the child yet, so `/proc` has it even if it has ended.
fn identify(child: &Child) -> Option<Handle> {
    Handle::find(child.id()?.try_into().ok()?)
}

/// Looks a program up as `execvp` does, but in the child's PATH and from the child's directory. A name with a slash is
/// a path already. Finding it here gives a better message and keeps the cheaper `posix_spawn` possible.
fn find(program: &str, path: &OsStr, dir: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(program.into());
    }
    let places = std::env::split_paths(path).map(|place| dir.join(place).join(program));
    places.into_iter().find(|place| place.is_file() && access(place, AccessFlags::X_OK).is_ok())
}
