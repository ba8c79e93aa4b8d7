//! An attempt that is to be made.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::super::Settings;
use super::super::attempt::Attempt;
use super::super::output::Log;
use super::super::wire::Start;
use super::hold::Hold;
use super::line::Line;
use super::spool::Spool;
use super::{Held, InstanceError, Options, blocking, files, home, settings};
use crate::controller::AttemptRef;
use crate::failpoint;

/// How long the lock is waited for: whoever has it may just end what is left of an earlier attempt.
const LOCK: Duration = Duration::from_secs(60);

/// Takes the attempt and makes it. What must not be is refused.
pub(super) async fn start_attempt(
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
