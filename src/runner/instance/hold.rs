//! An instance that has a build: it sees its attempt through, and tells whoever is connected.

use std::future::pending;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::super::Settings;
use super::super::attempt::{Over, Stop, interrupt};
use super::super::exec::ask;
use super::session::{self, Follower};
use super::spool::{Spool, Stored, delete};
use super::{Line, blocking};
use crate::controller::AttemptRef;

/// How long an instance that is to end waits for a daemon to hear how its attempt ended.
const LAST_WORD: Duration = Duration::from_secs(5);

/// The attempt, as it runs.
pub(super) type Run = Pin<Box<dyn Future<Output = Over> + Send>>;

/// A build, and everybody who wants to know of it.
#[derive(Debug)]
pub(super) struct Hold {
    spool: Arc<Spool>,
    this: AttemptRef,
    settings: Arc<Settings>,
    shared: Arc<Shared>,
}

/// What all connections see, and what each may ask for.
#[derive(Debug)]
pub(super) struct Shared {
    /// Which attempt it is.
    pub(super) attempt: u32,
    /// Its output.
    pub(super) log: PathBuf,
    /// Tells that there is more of it, and how much there can be: no more is told, whatever the file has.
    pub(super) written: watch::Sender<u64>,
    /// How it ended.
    pub(super) ended: watch::Sender<Option<Arc<Stored>>>,
    /// Ends it.
    pub(super) stop: watch::Sender<Option<Stop>>,
    /// A daemon has stored how it ended.
    pub(super) acknowledged: watch::Sender<bool>,
}

impl Hold {
    pub(super) fn new(
        spool: Arc<Spool>,
        this: AttemptRef,
        settings: Arc<Settings>,
        written: watch::Sender<u64>,
        stop: watch::Sender<Option<Stop>>,
    ) -> Self {
        let shared = Shared {
            attempt: this.attempt,
            log: spool.log_file(),
            written,
            ended: watch::Sender::new(None),
            stop,
            acknowledged: watch::Sender::new(false),
        };
        Self { spool, this, settings, shared: Arc::new(shared) }
    }

    /// It is over already.
    pub(super) fn ended(&self, stored: Stored) {
        self.shared.ended.send_replace(Some(Arc::new(stored)));
    }

    /// Sees the attempt through, if it runs, and answers once nobody needs this instance any more: the end is
    /// acknowledged, or stored and nobody listens.
    pub(super) async fn run(self, first: Option<(Line, u64)>, run: Option<Run>, stop: watch::Receiver<bool>) {
        let mut sessions = JoinSet::new();
        if let Some((line, offset)) = first {
            sessions.spawn(session::serve(line, Follower::new(Arc::clone(&self.shared), offset)));
        }
        let listener = self.listen();
        let mut acknowledged = self.shared.acknowledged.subscribe();
        let mut work = run.map(tokio::spawn);
        // An end that could not be stored is known here and nowhere else.
        let mut is_stored = work.is_none();
        let (asked, last_word) = (until_stopped(stop.clone()), last_word(stop.clone()));
        tokio::pin!(asked, last_word);
        let mut is_asked = false;
        loop {
            if work.is_none() && is_stored && sessions.is_empty() {
                return;
            }
            // Cancel-safe: a connection that was taken is served, and the rest only watches.
            tokio::select! {
                over = finished(&mut work), if work.is_some() => {
                    work = None;
                    is_stored = self.finish(over).await;
                }
                Ok(()) = async { acknowledged.wait_for(|known| *known).await.map(drop) } => {
                    return self.forget(sessions, stop).await;
                }
                () = &mut asked, if !is_asked => {
                    is_asked = true;
                    ask(&self.shared.stop, Stop::CutOff);
                }
                // Whoever has not taken the end by now finds it in the spool.
                () = &mut last_word, if work.is_none() => return,
                Some(_) = sessions.join_next() => {}
                Some(stream) = accepted(listener.as_ref()) => {
                    let line = Line::of(stream);
                    sessions.spawn(session::join(line, Arc::clone(&self.shared)));
                }
            }
        }
    }

    /// Without it a restarted daemon finds nobody who answers, and waits until the attempt is over.
    fn listen(&self) -> Option<UnixListener> {
        let listener = self.spool.listen().and_then(UnixListener::from_std);
        let AttemptRef { build, attempt, .. } = &self.this;
        listener
            .inspect_err(|error| {
                let event = "attempt_unreachable";
                tracing::error!(event, %build, attempt, %error, "a daemon that is restarted cannot reach it");
            })
            .ok()
    }

    /// Stores how the attempt ended, and only then tells. Answers whether it is stored.
    async fn finish(&self, over: Option<Over>) -> bool {
        let over = match over {
            Some(over) => over,
            None => self.panicked().await,
        };
        let stored = Stored::of(over);
        let is_stored = store(&self.spool, &self.this, &stored).await;
        self.ended(stored);
        is_stored
    }

    /// A bug; it is logged as such, and the build was interrupted by it.
    async fn panicked(&self) -> Over {
        let AttemptRef { build, attempt, .. } = &self.this;
        let error = "its task stopped";
        tracing::error!(event = "task_panicked", %build, attempt, error, "attempt task stopped");
        let settings = Arc::clone(&self.settings);
        interrupt(self.this.clone(), settings, self.spool.directory().clone()).await
    }

    /// Only when the build is free again the connections are closed, by which the daemon knows. What takes time comes
    /// behind that: where the instance is ended meanwhile, the next one goes on with it.
    async fn forget(&self, sessions: JoinSet<()>, stop: watch::Receiver<bool>) {
        let (spool, left) = (Arc::clone(&self.spool), self.is_left());
        let forgotten = blocking(move || spool.forget(left)).await;
        drop(sessions);
        let deleted = async { blocking(move || delete(&forgotten?)).await };
        // Cancel-safe: what is deleted stays so.
        let deleted = tokio::select! {
            deleted = deleted => deleted,
            () = until_stopped(stop) => return,
        };
        if let Err(error) = deleted {
            let (build, path) = (&self.this.build, self.spool.directory().path().display());
            tracing::warn!(event = "build_files_left", %build, %path, %error, "cannot remove a build's files");
        }
    }

    fn is_left(&self) -> bool {
        self.shared.ended.borrow().as_ref().is_some_and(|stored| stored.left)
    }
}

/// Stores how an attempt ended. Where that fails, a daemon that is connected is told all the same.
pub(super) async fn store(spool: &Arc<Spool>, this: &AttemptRef, stored: &Stored) -> bool {
    let AttemptRef { build, attempt, .. } = this;
    let (outcome, elapsed_ms) = (&stored.report.outcome, stored.report.elapsed.as_millis());
    tracing::info!(event = "attempt_ended", %build, attempt, ?outcome, elapsed_ms, "attempt ended");
    let (spool, stored) = (Arc::clone(spool), stored.clone());
    let done = blocking(move || spool.store(&stored)).await;
    if let Err(error) = &done {
        let event = "attempt_unstored";
        tracing::error!(event, %build, attempt, %error, "how it ended cannot be stored, and is kept in memory");
    }
    done.is_ok()
}

/// The end of the attempt; none if its task panicked.
async fn finished(work: &mut Option<JoinHandle<Over>>) -> Option<Over> {
    match work {
        Some(work) => work.await.ok(),
        None => pending().await,
    }
}

async fn accepted(listener: Option<&UnixListener>) -> Option<tokio::net::UnixStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(stream, _)| stream),
        None => pending().await,
    }
}

/// Resolves when the instance is to end, which may be never.
pub(super) async fn until_stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        pending::<()>().await;
    }
}

async fn last_word(stop: watch::Receiver<bool>) {
    until_stopped(stop).await;
    sleep(LAST_WORD).await;
}
