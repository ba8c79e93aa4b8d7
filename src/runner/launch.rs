//! Starting the command of an attempt. All of it blocks; it runs on the blocking pool.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{AccessFlags, Pid, access};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::Settings;
use super::directory::{Directory, DirectoryError};
use super::environment::{self, Environment};
use super::handle::Handle;
use super::output::Sink;
use super::survivor::SurvivorError;
use crate::controller::{AttemptRef, BuildSpec};
use crate::failpoint;

/// How long a child that was killed at once may take to be gone.
const GONE: Duration = Duration::from_secs(1);
/// The wait between two looks whether it is.
const PAUSE: Duration = Duration::from_millis(2);

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
    #[error("start the attempt: its task stopped")]
    TaskStopped,
}

/// Lays out the build's files and starts its command, with nothing of the daemon but what it is given.
pub(super) fn launch(
    settings: &Settings,
    attempt: &AttemptRef,
    spec: &BuildSpec,
) -> Result<Launched, LaunchError> {
    let directory = Directory::of(&settings.builds_dir, &spec.build);
    failpoint::pass("runner-before-directory");
    directory.prepare(spec, attempt.attempt)?;
    let environment = environment::of(spec, attempt.attempt, &directory, &settings.inherited);
    let dir = spec.working_dir.as_deref().unwrap_or(directory.path());
    let log = directory.open_log(attempt.attempt, Timestamp::now(), settings.log_limit);
    let sink = Sink::new(attempt.clone(), log, settings.log_limit, settings.output);
    failpoint::pass("runner-before-spawn");
    let (child, handle, output) = spawn(&spec.command, dir, &environment)?;
    let at = Instant::now();
    // Best effort: it is told with `Accepted` too, and serves only who dies before that is stored.
    let _ = directory.write_handle(handle);
    Ok(Launched { child, handle, output, sink, directory, at })
}

fn spawn(
    command: &[String],
    dir: &Path,
    environment: &Environment,
) -> Result<(Child, Handle, pipe::Receiver), LaunchError> {
    let [program, arguments @ ..] = command else { return Err(LaunchError::EmptyCommand) };
    if let Err(source) = must_be_directory(dir) {
        return Err(LaunchError::WorkingDir { program: program.clone(), dir: dir.into(), source });
    }
    let path = environment.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
    let Some(found) = find(program, path, dir) else {
        let path = path.to_string_lossy().into_owned();
        return Err(LaunchError::NotFound { program: program.clone(), dir: dir.into(), path });
    };
    let failed = |source| LaunchError::Start { program: program.clone(), dir: dir.into(), source };
    let (output, stdout) = io::pipe().map_err(failed)?;
    let output = pipe::Receiver::from_owned_fd(output.into()).map_err(failed)?;
    let stderr = stdout.try_clone().map_err(failed)?;
    let child = Command::new(found)
        .arg0(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let (child, handle) = identified(child, identify).map_err(failed)?;
    Ok((child, handle, output))
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
    let killed = Instant::now();
    while killed.elapsed() < GONE && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(PAUSE);
    }
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
