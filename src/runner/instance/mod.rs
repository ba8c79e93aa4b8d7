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

mod hold;
mod home;
mod session;
mod spool;
mod sweep;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::copy;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

use super::Settings;
use super::attempt::{Attempt, interrupt};
use super::output::Log;
use super::wire::{Attach, Incoming, Outgoing, Reply, Request, Start, WireError};
use crate::controller::AttemptRef;
use crate::failpoint;
use hold::{Hold, Run, until_stopped};
use spool::{Spool, Stored};

/// How long a daemon may take to say what it wants.
const FIRST_WORD: Duration = Duration::from_secs(60);
/// How long the lock is waited for: whoever has it may just end what is left of an earlier attempt.
const LOCK: Duration = Duration::from_secs(60);
/// How long an instance that holds the lock may take to be reachable, or to be gone; and then, to greet. Both together
/// are far less than a daemon waits for an answer.
const REACHABLE: Duration = Duration::from_secs(10);
/// The wait between two looks for it.
const PAUSE: Duration = Duration::from_millis(20);

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

/// A conversation with a daemon, both halves.
struct Line {
    incoming: Incoming<OwnedReadHalf>,
    outgoing: Outgoing<OwnedWriteHalf>,
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

/// Who has a build.
enum Found {
    /// We do, from now on.
    Free(Spool),
    /// Another instance, which is connected.
    Taken(UnixStream),
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

/// Takes the attempt and makes it. What must not be is refused.
async fn start_attempt(
    mut line: Line,
    start: Start,
    options: Options,
) -> Result<Option<Held>, InstanceError> {
    let Start { spec, attempt, log_limit, private } = start;
    let this = AttemptRef { build: spec.build.clone(), id: spec.id, attempt, runner: None, handle: None };
    let (state_dir, id) = (options.state_dir.clone(), spec.id);
    let spool = match timeout(LOCK, blocking(move || Spool::hold(&state_dir, id))).await {
        Ok(Ok(spool)) => Arc::new(spool),
        Ok(Err(source)) => {
            let error = files("take the lock of the build", &options, source);
            return line.decline(&this, &error.to_string()).await;
        }
        Err(_) => return line.decline(&this, "another instance has this build, and does not end").await,
    };
    if line.is_closed() {
        // Whoever asked has given up and asks on another connection what became of it: nothing.
        let reason = "the daemon hung up before it was started";
        tracing::warn!(event = "attempt_refused", build = %this.build, attempt, reason, "not started");
        return Ok(None);
    }
    failpoint::pass("instance-before-attempt");
    let taking = Arc::clone(&spool);
    match blocking(move || taking.take(attempt, log_limit)).await {
        Ok(true) => {}
        Ok(false) => {
            let reason =
                format!("attempt {attempt} was started before, or told to be gone, or a newer one was");
            return line.decline(&this, &reason).await;
        }
        Err(error) => return line.decline(&this, &format!("note the attempt: {error}")).await,
    }
    tracing::info!(event = "attempt_taken", build = %this.build, attempt, "attempt taken");
    let (written, _) = watch::channel(0);
    let (ask, asked) = watch::channel(None);
    let surroundings = options.clone();
    // Without any, a build has the usual places and its own directory.
    let inherited = blocking(move || Ok(home::inherited(&surroundings))).await.unwrap_or_default();
    let settings = Arc::new(Settings { inherited, ..settings(&options, log_limit) });
    let run = Attempt {
        settings: Arc::clone(&settings),
        this: this.clone(),
        spec,
        directory: spool.directory().clone(),
        log: Log::Followed { path: spool.log_file(), written: written.clone() },
        private: Some(private),
        // Nobody listens: whoever is connected was told when the attempt was taken.
        events: tokio::sync::mpsc::channel(1).0,
        stop: asked,
    };
    let hold = Hold::new(spool, this, settings, written, ask);
    Ok(Some(Held { hold, first: (line, 0), run: Some(Box::pin(run.run())) }))
}

/// Tells what became of the attempt.
async fn attach_attempt(
    mut line: Line,
    attach: Attach,
    options: Options,
) -> Result<Option<Held>, InstanceError> {
    let Attach { id, build, attempt, offset } = attach.clone();
    let this = AttemptRef { build, id, attempt, runner: None, handle: None };
    // Cancel-safe: whoever hangs up asks again, and nothing was done yet.
    let found = tokio::select! {
        () = line.incoming.hung_up() => return Ok(None),
        found = reach(&options, id) => found,
    };
    let spool = match found {
        Ok(Found::Free(spool)) => Arc::new(spool),
        Ok(Found::Taken(other)) => return join(line, other, attach).await,
        Err(error) => return Err(line.fail(error).await),
    };
    let settings = Arc::new(settings(&options, Settings::LOG_LIMIT));
    let knowing = Arc::clone(&spool);
    let known = blocking(move || knowing.find(attempt)).await;
    let (stored, length) =
        match known.map_err(|source| files("read what is known of the build", &options, source))? {
            spool::Known::Ended(stored, length) => (*stored, length),
            spool::Known::Started(length) => (cut_off(&spool, &this, &settings).await, length),
            spool::Known::Nothing => return unknown(line, &spool, &this, &options, settings).await,
        };
    // How much there is of it is not known, but how much there can be.
    let (written, _) = watch::channel(length);
    let hold = Hold::new(spool, this, settings, written, watch::channel(None).0);
    hold.ended(stored);
    Ok(Some(Held { hold, first: (line, offset), run: None }))
}

/// Takes the build, or else connects to the instance that has it. Where that cannot be reached, it has just begun, or
/// just ends.
async fn reach(options: &Options, id: Uuid) -> Result<Found, InstanceError> {
    let until = Instant::now() + REACHABLE;
    loop {
        let state_dir = options.state_dir.clone();
        let held = in_time(until, blocking(move || Spool::try_hold(&state_dir, id))).await;
        if let Some(spool) = held.map_err(|source| files("take the lock of the build", options, source))? {
            return Ok(Found::Free(spool));
        }
        match in_time(until, spool::connect(&options.state_dir, id)).await {
            Ok(other) => return Ok(Found::Taken(other)),
            Err(error) if Instant::now() >= until => {
                return Err(files("reach the instance that has the build", options, error));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn in_time<T>(until: Instant, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout_at(until, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The instance that had the attempt is gone, and did not say how it ended.
async fn cut_off(spool: &Arc<Spool>, this: &AttemptRef, settings: &Arc<Settings>) -> Stored {
    let over = interrupt(this.clone(), Arc::clone(settings), spool.directory().clone()).await;
    let stored = Stored::of(over);
    hold::store(spool, this, &stored).await;
    stored
}

/// From now on the attempt cannot be started; whatever an earlier one left is ended by the next.
async fn unknown(
    mut line: Line,
    spool: &Arc<Spool>,
    this: &AttemptRef,
    options: &Options,
    settings: Arc<Settings>,
) -> Result<Option<Held>, InstanceError> {
    let over = interrupt(this.clone(), settings, spool.directory().clone()).await;
    if over.left.is_some() {
        let reason = "a process of the build cannot be ended: see the runner's log";
        return line.decline(this, reason).await;
    }
    let (noting, attempt) = (Arc::clone(spool), this.attempt);
    let noted = blocking(move || noting.bury(attempt)).await;
    noted.map_err(|source| files("note that the attempt is gone", options, source))?;
    // A daemon that is gone asks again.
    let _ = line.outgoing.reply(&Reply::Unknown).await;
    Ok(None)
}

/// Joins the daemon to the instance that has its build.
async fn join(mut line: Line, other: UnixStream, attach: Attach) -> Result<Option<Held>, InstanceError> {
    let mut other = Line::of(other);
    let greeted = async {
        other.outgoing.hello().await?;
        other.incoming.hello().await?;
        other.outgoing.request(&Request::Attach(attach)).await
    };
    // Cancel-safe: a half-said greeting goes with its connection.
    let greeted = tokio::select! {
        () = line.incoming.hung_up() => return Ok(None),
        greeted = timeout(REACHABLE, greeted) => greeted,
    };
    match greeted.unwrap_or(Err(WireError::Silent(REACHABLE))) {
        Ok(()) => {}
        // It ended right now: whoever is not answered asks again.
        Err(WireError::Closed | WireError::Io(_)) => return Ok(None),
        Err(error) => return Err(line.fail(InstanceError::Instance(error.to_string())).await),
    }
    // What either of them has said already is held by neither: the daemon waits for an answer, and the instance
    // waited for the question.
    let (mut said, mut to_daemon) = (line.incoming.into_inner(), line.outgoing.into_inner());
    let (mut told, mut to_instance) = (other.incoming.into_inner(), other.outgoing.into_inner());
    // Cancel-safe: once either of them has hung up, in whatever way, nothing more is to be said to the other.
    tokio::select! {
        _ = copy(&mut told, &mut to_daemon) => {}
        _ = copy(&mut said, &mut to_instance) => {}
    }
    Ok(None)
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

impl Line {
    fn new(connection: StdStream) -> io::Result<Self> {
        connection.set_nonblocking(true)?;
        Ok(Self::of(UnixStream::from_std(connection)?))
    }

    fn of(stream: UnixStream) -> Self {
        let (read, write) = stream.into_split();
        Self { incoming: Incoming::new(read), outgoing: Outgoing::new(write) }
    }

    /// Says who we are, hears who they are, and what they want.
    async fn first(&mut self) -> Result<Request, WireError> {
        self.outgoing.hello().await?;
        self.incoming.hello().await?;
        self.incoming.request().await
    }

    /// Whether the daemon has hung up.
    fn is_closed(&self) -> bool {
        let stream: &UnixStream = self.incoming.inner().as_ref();
        let mut fds = [PollFd::new(stream.as_fd(), PollFlags::empty())];
        let polled = poll(&mut fds, PollTimeout::ZERO);
        let hung_up = PollFlags::POLLHUP | PollFlags::POLLERR;
        polled.is_ok() && fds.iter().any(|fd| fd.revents().is_some_and(|found| found.intersects(hung_up)))
    }

    /// Answers what was not understood.
    async fn refuse(&mut self, error: WireError) -> InstanceError {
        let reason = error.to_string();
        let _ = self.outgoing.reply(&Reply::Refused { reason: reason.as_str().into() }).await;
        InstanceError::Daemon(reason)
    }

    /// Tells why nothing can be said of an attempt yet. The daemon asks again.
    async fn fail(&mut self, error: InstanceError) -> InstanceError {
        let _ = self.outgoing.reply(&Reply::Refused { reason: error.to_string().into() }).await;
        error
    }

    /// Answers that an attempt is not started, and says why.
    async fn decline(&mut self, this: &AttemptRef, reason: &str) -> Result<Option<Held>, InstanceError> {
        let AttemptRef { build, attempt, .. } = this;
        tracing::warn!(event = "attempt_refused", %build, attempt, reason, "not started");
        // A daemon that is gone asks again.
        let _ = self.outgoing.reply(&Reply::Refused { reason: reason.into() }).await;
        Ok(None)
    }
}
