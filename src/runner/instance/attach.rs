//! An attempt that is asked about: another instance has it, or it is told how it ended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

use super::super::Settings;
use super::super::attempt::interrupt;
use super::super::wire::{Attach, Reply, Request, WireError};
use super::hold::{self, Hold};
use super::line::Line;
use super::spool::{self, Spool, Stored};
use super::{Held, InstanceError, Options, blocking, files, settings};
use crate::controller::AttemptRef;

/// How long an instance that holds the lock may take to be reachable, or to be gone; and then, to greet. Both together
/// are far less than a daemon waits for an answer.
const REACHABLE: Duration = Duration::from_secs(10);
/// The wait between two looks for it.
const PAUSE: Duration = Duration::from_millis(20);

/// Who has a build.
enum Found {
    /// We do, from now on.
    Free(Spool),
    /// Another instance, which is connected.
    Taken(UnixStream),
}

/// Tells what became of the attempt.
pub(super) async fn attach_attempt(
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
