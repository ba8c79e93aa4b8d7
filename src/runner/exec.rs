//! Runs builds as children of the daemon, as the daemon's own user.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Settings;
use super::attempt::{Attempt, Over, Stop, interrupt};
use super::directory::{self, Directory};
use super::handle::Handle;
use super::output::Log;
use crate::controller::{AttemptRef, BuildKey, BuildSpec, Event};
use crate::failpoint;
use crate::logging::BuildOutput;

/// The exec runner. Cloning costs a counter; all clones are one runner.
///
/// Each attempt is a task that reports to the channel of events. Somebody must read from there all the time, also
/// while [`Exec::drain`] is awaited.
#[derive(Debug, Clone)]
pub struct Exec {
    /// What the next attempts are told; those under way keep what they were told.
    settings: Arc<watch::Sender<Arc<Settings>>>,
    events: mpsc::Sender<Event>,
    live: Arc<watch::Sender<Live>>,
}

/// The attempts whose end is not reported yet.
#[derive(Debug, Default)]
struct Live {
    attempts: BTreeMap<(BuildKey, u32), watch::Sender<Option<Stop>>>,
    /// What could not be ended of earlier attempts: the next one of the same build ends it first, or does not start.
    left: BTreeMap<BuildKey, Handle>,
    /// The daemon waits no longer: what is started now is cut off before it begins.
    closed: bool,
}

impl Exec {
    /// A runner that reports to `events`.
    #[must_use]
    pub fn new(settings: Settings, events: mpsc::Sender<Event>) -> Self {
        Self {
            settings: Arc::new(watch::Sender::new(Arc::new(settings))),
            events,
            live: Arc::new(watch::Sender::new(Live::default())),
        }
    }

    /// Where the output of the next attempts goes.
    pub fn set_output(&self, output: BuildOutput) {
        self.settings.send_modify(|settings| {
            *settings = Arc::new(Settings { output, ..(**settings).clone() });
        });
    }

    /// Starts `attempt`, whose record must be on disk: [`Event::Accepted`] once its command runs, and in any case one
    /// [`Event::Ended`].
    pub fn start(&self, mut attempt: AttemptRef, spec: BuildSpec) {
        if let Some(left) = self.live.borrow().left.get(&attempt.build) {
            attempt.handle = Some(left.to_string().into());
        }
        let stop = self.enter(&attempt);
        let settings = self.settings();
        let run = Attempt {
            directory: Directory::of(&settings.builds_dir, &attempt.build),
            log: Log::Kept,
            settings,
            this: attempt.clone(),
            spec,
            private: None,
            events: self.events.clone(),
            stop,
        };
        tokio::spawn(self.clone().see_through(attempt, run.run()));
    }

    /// Ends whatever is alive of `attempt` from before a restart, then reports it as interrupted.
    pub fn adopt(&self, attempt: AttemptRef) {
        self.enter(&attempt);
        let run = self.interrupt(attempt.clone());
        tokio::spawn(self.clone().see_through(attempt, run));
    }

    /// Ends `attempt`; its end is reported as for any other. One that is not alive has been reported already.
    pub fn cancel(&self, attempt: &AttemptRef) {
        if let Some(stop) = self.live.borrow().attempts.get(&key(attempt)) {
            ask(stop, Stop::Cancel);
        }
    }

    /// Waits until all attempts have ended, cuts them off after `patience`, and returns when all ends are reported.
    pub async fn drain(&self, patience: Duration) {
        let mut live = self.live.subscribe();
        if timeout(patience, live.wait_for(Live::is_empty)).await.is_err() {
            self.live.send_modify(Live::close);
            // The sender is part of `self`, so the wait ends with the last attempt and in no other way.
            let _ = live.wait_for(Live::is_empty).await;
        }
    }

    /// Removes the directory of a build whose record is gone. Best effort: what is left is swept at the next start.
    pub fn discard(&self, build: &BuildKey) {
        let directory = Directory::of(&self.settings().builds_dir, build);
        let build = build.clone();
        self.live.send_modify(|live| live.keep(&build, None));
        spawn_blocking(move || {
            failpoint::pass("runner-before-discard");
            if let Err(error) = directory::remove(directory.path()) {
                let path = directory.path().display();
                tracing::warn!(event = "build_files_left", %build, %path, %error, "cannot remove a build's files");
            }
        });
    }

    /// Removes the directories of builds that are not to be kept: what a crash left behind.
    pub async fn sweep(&self, keep: impl Fn(&BuildKey) -> bool) {
        let settings = self.settings();
        let dir = Arc::clone(&settings);
        let listed = spawn_blocking(move || directory::list(&dir.builds_dir)).await;
        match listed.unwrap_or_else(|stopped| Err(io::Error::other(stopped))) {
            Ok(builds) => builds.iter().filter(|build| !keep(build)).for_each(|build| self.discard(build)),
            Err(error) => {
                let path = settings.builds_dir.display();
                tracing::warn!(event = "build_files_left", %path, %error, "cannot look for orphaned build files");
            }
        }
    }

    fn interrupt(&self, attempt: AttemptRef) -> impl Future<Output = Over> + Send + 'static {
        let settings = self.settings();
        let directory = Directory::of(&settings.builds_dir, &attempt.build);
        interrupt(attempt, settings, directory)
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    fn enter(&self, attempt: &AttemptRef) -> watch::Receiver<Option<Stop>> {
        let (stop, asked) = watch::channel(None);
        self.live.send_modify(|live| {
            if live.closed {
                ask(&stop, Stop::CutOff);
            }
            live.attempts.insert(key(attempt), stop);
        });
        asked
    }

    /// Reports the end of an attempt, also of one whose task panicked: that is a bug, it is logged as such, and the
    /// build was interrupted by it.
    pub(super) async fn see_through(
        self,
        attempt: AttemptRef,
        run: impl Future<Output = Over> + Send + 'static,
    ) {
        let Over { ended, left } = match tokio::spawn(run).await {
            Ok(over) => over,
            Err(error) => {
                let AttemptRef { build, attempt: number, .. } = &attempt;
                tracing::error!(event = "task_panicked", %build, attempt = number, %error, "attempt task stopped");
                self.interrupt(attempt.clone()).await
            }
        };
        self.live.send_modify(|live| live.keep(&attempt.build, left));
        failpoint::pass("runner-before-ended");
        // Where nobody listens any more, the next start finds the attempt without an end, and adopts it.
        let _ = self.events.send(Event::Ended(ended)).await;
        self.live.send_modify(|live| drop(live.attempts.remove(&key(&attempt))));
    }
}

impl Live {
    fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    fn keep(&mut self, build: &BuildKey, left: Option<Handle>) {
        self.left.remove(build);
        self.left.extend(left.map(|left| (build.clone(), left)));
    }

    fn close(&mut self) {
        self.closed = true;
        self.attempts.values().for_each(|stop| ask(stop, Stop::CutOff));
    }
}

fn key(attempt: &AttemptRef) -> (BuildKey, u32) {
    (attempt.build.clone(), attempt.attempt)
}

/// The first reason to stop is the one that counts.
pub(super) fn ask(stop: &watch::Sender<Option<Stop>>, reason: Stop) {
    stop.send_if_modified(|asked| {
        let first = asked.is_none();
        asked.get_or_insert(reason);
        first
    });
}
