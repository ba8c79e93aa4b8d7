//! Starting the command of an attempt, in three steps: lay out the files, look for the program, start it. All of them
//! block and run on the blocking pool. The second one touches places that are not ours, and may be given up.

use std::ffi::{OsStr, OsString};
use std::fmt;
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
use super::directory::{self, Directory, DirectoryError};
use super::environment::{self, Environment};
use super::handle::Handle;
use super::output::{Log, Sink};
use super::private::{Private, PrivateError};
use super::redact::Redactor;
use super::strategy::{self, Need, Work};
use super::survivor::SurvivorError;
use crate::controller::{AttemptRef, BuildSpec};
use crate::failpoint;

/// This program, wherever it was started from, and even if another version lies there by now.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// How long a child that was killed at once may take to be gone.
const GONE: Duration = Duration::from_secs(1);

/// An attempt that is ready but for its program.
#[derive(Debug)]
pub(super) struct Prepared {
    /// What is started: the build's own command, or the driver.
    command: Vec<String>,
    needs: Vec<Need>,
    is_driven: bool,
    dir: PathBuf,
    environment: Environment,
    directory: Directory,
    sink: Sink,
}

/// The search for a program.
#[derive(Debug)]
pub(super) struct Search {
    needs: Vec<Need>,
    is_driven: bool,
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
    #[error(
        "the build has no source code and no command: add source = {{ git = {{ uri = \"https://…\" }} }} or {{ directory = \"/path\" }}"
    )]
    NoSource,
    #[error("build the image: none of {tools} is in PATH={path}: install one of them")]
    NoTool { tools: String, path: String },
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
    let is_driven = strategy::is_driven(&spec);
    let dir = spec.working_dir.clone().filter(|_| !is_driven).unwrap_or_else(|| directory.path().to_owned());
    let file = match &log {
        Log::Kept => directory.open_log(attempt.attempt, Timestamp::now(), settings.log_limit),
        Log::Followed { path, written: _ } => directory::open_fresh(path),
    };
    let sink = Sink::new(attempt.clone(), file, settings.log_limit, settings.output);
    let sink = sink.told_to(log).redacting(Redactor::of(&private));
    let (command, needs) = if is_driven { driven(&spec, &directory)? } else { own(spec.command)? };
    Ok(Prepared { command, needs, is_driven, dir, environment, directory, sink })
}

impl Prepared {
    /// The search for the program, which comes before [`Prepared::start`].
    pub(super) fn search(&self) -> Search {
        let path = self.environment.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        Search { needs: self.needs.clone(), is_driven: self.is_driven, dir: self.dir.clone(), path }
    }

    /// Starts `program`, with nothing of the daemon but what it is given.
    pub(super) fn start(self, program: &Path) -> Result<Launched, LaunchError> {
        failpoint::pass("runner-before-spawn");
        let (child, handle, output) = self.spawn(program).map_err(|source| {
            let program = self.command.first().cloned().unwrap_or_default();
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
        let mut words = self.command.iter();
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
        let Self { needs, is_driven, dir, path } = self;
        if let Err(source) = must_be_directory(&dir) {
            let program = needs.first().map(Need::to_string).unwrap_or_default();
            return Err(LaunchError::WorkingDir { program, dir, source });
        }
        let mut last = None;
        for need in needs {
            last = Some(need.find(&path, &dir)?);
        }
        let own = is_driven.then(|| OWN_PROGRAM.into());
        own.or(last).ok_or(LaunchError::EmptyCommand)
    }
}

/// The build's own command.
fn own(command: Vec<String>) -> Result<(Vec<String>, Vec<Need>), LaunchError> {
    let program = command.first().cloned().ok_or(LaunchError::EmptyCommand)?;
    Ok((command, vec![Need::One(program)]))
}

/// The driver, and all that it will start. What it is told is written down.
fn driven(spec: &BuildSpec, directory: &Directory) -> Result<(Vec<String>, Vec<Need>), LaunchError> {
    if !strategy::has_source(spec) {
        return Err(LaunchError::NoSource);
    }
    let file = directory.write_work(|path| Work::write(spec, path))?;
    let command = ["basewatch".to_owned(), "strategy".to_owned(), file.to_string_lossy().into_owned()];
    Ok((command.into(), strategy::needs(spec)))
}

impl Need {
    fn find(self, path: &OsStr, dir: &Path) -> Result<PathBuf, LaunchError> {
        let found = match &self {
            Self::One(program) => find(program, path, dir),
            Self::Any(tools) => tools.iter().find_map(|tool| find(tool.as_str(), path, dir)),
        };
        found.ok_or_else(|| {
            let path = path.to_string_lossy().into_owned();
            match self {
                Self::One(program) => LaunchError::NotFound { program, dir: dir.to_owned(), path },
                Self::Any(_) => LaunchError::NoTool { tools: self.to_string(), path },
            }
        })
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(program) => f.write_str(program),
            Self::Any(tools) => {
                let tools: Vec<&str> = tools.iter().map(|tool| tool.as_str()).collect();
                f.write_str(&tools.join(", "))
            }
        }
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
pub(super) fn find(program: &str, path: &OsStr, dir: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(program.into());
    }
    let places = std::env::split_paths(path).map(|place| dir.join(place).join(program));
    places.into_iter().find(|place| place.is_file() && access(place, AccessFlags::X_OK).is_ok())
}
