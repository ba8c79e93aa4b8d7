//! One attempt, from the survivors of an earlier one to the last of its own processes.

use std::future::pending;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::Settings;
use super::directory::{Directory, WORK};
use super::handle::Handle;
use super::launch::{LaunchError, Launched, Search, prepare};
use super::output::{DRAIN, Log, Sink, pump};
use super::private::Private;
use super::result::{self, BuildResult};
use super::strategy::{Work, is_driven};
use super::survivor::SurvivorError;
use crate::controller::{AttemptRef, BuildSpec, Ended, Event, Failure, Outcome};
use crate::failpoint;

/// How long a child that is surely dead may take to be reaped.
const REAP: Duration = Duration::from_secs(1);
/// How long the look at the working directory and for the program may take, wherever they are mounted from.
const SEARCH: Duration = Duration::from_secs(30);
/// How long reading the result and closing the log may take.
const REPORT: Duration = Duration::from_secs(10);
/// How long removing a checkout may take.
const CLEAN: Duration = Duration::from_secs(60);
/// The reason of a failed start goes into a record that must stay small.
const REASON_LIMIT: usize = 300;

/// What a build says of itself, and its last lines.
type Report = (BuildResult, Vec<String>);

/// Why an attempt is to end before its command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A person asked.
    Cancel,
    /// The daemon stops and waits no longer.
    CutOff,
}

/// An attempt that is to be made.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) settings: Arc<Settings>,
    pub(super) this: AttemptRef,
    pub(super) spec: BuildSpec,
    /// Where its files are.
    pub(super) directory: Directory,
    /// What becomes of its output.
    pub(super) log: Log,
    /// What it is trusted with, where somebody else read that; otherwise it is read when the attempt starts.
    pub(super) private: Option<Private>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) stop: watch::Receiver<Option<Stop>>,
}

/// An attempt that is over.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) ended: Ended,
    /// What could not be ended for all that: no next attempt may start beside it.
    pub(super) left: Option<Handle>,
}

/// What is alive of a build, and why.
#[derive(Debug)]
struct Undead {
    error: SurvivorError,
    handle: Option<Handle>,
}

/// How the wait for a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    Exited,
    TimedOut,
    Stopped(Stop),
}

impl Attempt {
    /// Makes the attempt, and answers once nothing of it is alive, or nothing more can be done about it.
    pub(super) async fn run(mut self) -> Over {
        let over = self.see_through().await;
        clear_vault(&self.this, &self.settings, &self.directory).await;
        over
    }

    async fn see_through(&mut self) -> Over {
        if let Err(Undead { error, handle }) =
            end_survivors(&self.this, &self.settings, &self.directory).await
        {
            return Over { ended: unstarted(&self.this, not_started(&error.into())), left: handle };
        }
        let launched = match self.launch().await {
            Ok(launched) => launched,
            Err(outcome) => return Over { ended: unstarted(&self.this, outcome), left: None },
        };
        failpoint::pass("runner-before-accepted");
        let AttemptRef { build, attempt, .. } = self.this.clone();
        let handle = launched.handle.to_string().into();
        // Where nobody listens any more, nobody misses it.
        let _ = self.events.send(Event::Accepted { build, attempt, handle }).await;
        self.follow(launched).await
    }

    /// A stop that comes before the command is started prevents it, but only after survivors are ended: they would
    /// otherwise outlive a build that is cancelled for good.
    async fn launch(&mut self) -> Result<Launched, Outcome> {
        if let Some(stop) = *self.stop.borrow() {
            return Err(prevented(stop));
        }
        let (settings, this, spec) = (Arc::clone(&self.settings), self.this.clone(), self.spec.clone());
        let (directory, log, private) = (self.directory.clone(), self.log.clone(), self.private.take());
        let prepared = blocking(move || prepare(&settings, &this, spec, directory, log, private)).await?;
        let search = prepared.search();
        let program =
            unless_stopped(self.stop.clone(), SEARCH, blocking(move || Search::run(search))).await?;
        // Not bounded: whoever reported an end while this may yet start a command would break the promise.
        blocking(move || prepared.start(&program)).await
    }

    async fn follow(&mut self, launched: Launched) -> Over {
        let Launched { mut child, handle, output, sink, directory, at } = launched;
        let (over, is_over) = oneshot::channel();
        let pump = tokio::spawn(pump(output, sink, is_over));
        let waited = self.wait(&mut child).await;
        failpoint::pass("runner-before-end");
        let end = self.settings.remains(self.this.id, Some(handle)).end().await;
        let left = end.as_ref().err().map(|error| {
            survives(&self.this, error);
            handle
        });
        let status = timeout(REAP, child.wait()).await.ok().and_then(Result::ok);
        drop(over);
        let sink = self.drained(pump).await;
        let remark = remark(waited, end.unwrap_or_default());
        let (this, is_driven) = (self.this.clone(), is_driven(&self.spec));
        let reporting = spawn_blocking(move || report(&this, &directory, is_driven, sink, remark));
        let (BuildResult { images, commit }, tail) = self.reported(reporting).await;
        clean(&self.this, &self.directory).await;
        let AttemptRef { build, attempt, .. } = self.this.clone();
        let outcome = outcome(waited, status);
        Over { ended: Ended { build, attempt, outcome, images, commit, tail, elapsed: at.elapsed() }, left }
    }

    async fn wait(&mut self, child: &mut Child) -> Waited {
        let (stop, patience) = (&mut self.stop, self.spec.timeout);
        // Cancel-safe: all three only watch. A command that has ended has ended, whatever else came up meanwhile.
        tokio::select! {
            biased;
            _ = child.wait() => Waited::Exited,
            stop = asked(stop) => Waited::Stopped(stop),
            () = sleep(patience) => Waited::TimedOut,
        }
    }

    async fn reported(&self, reporting: JoinHandle<Report>) -> Report {
        match timeout(REPORT, reporting).await {
            Ok(report) => report.unwrap_or_default(),
            Err(_) => {
                let AttemptRef { build, attempt, .. } = &self.this;
                let error = "reading it did not end";
                tracing::warn!(event = "build_result_ignored", %build, attempt, error, "result file is not read");
                Report::default()
            }
        }
    }

    /// The pump ends by itself soon after `over`, unless writing the file hangs.
    async fn drained(&self, pump: JoinHandle<Sink>) -> Option<Sink> {
        let sink = timeout(DRAIN * 2, pump).await.ok().and_then(Result::ok);
        if sink.is_none() {
            let AttemptRef { build, attempt, .. } = &self.this;
            let error = "writing it did not end";
            tracing::warn!(event = "build_log_incomplete", %build, attempt, error, "build log is incomplete");
        }
        sink
    }
}

/// Ends whatever is alive of an attempt from before a restart. It was cut off, even if it had finished unseen: nobody
/// knows its exit code.
pub(super) async fn interrupt(this: AttemptRef, settings: Arc<Settings>, directory: Directory) -> Over {
    let left =
        end_survivors(&this, &settings, &directory).await.err().and_then(|Undead { error, handle }| {
            survives(&this, &error);
            handle
        });
    clear_vault(&this, &settings, &directory).await;
    clean(&this, &directory).await;
    Over { ended: unstarted(&this, Outcome::Interrupted), left }
}

/// The secrets go with the attempt. What cannot be removed is told: it is on a disk where nobody expects it.
async fn clear_vault(this: &AttemptRef, settings: &Settings, directory: &Directory) {
    let vault = settings.vault(this.id, directory);
    let path = vault.path().to_owned();
    let cleared = spawn_blocking(move || vault.clear()).await;
    if let Err(error) = cleared.unwrap_or_else(|stopped| Err(io::Error::other(stopped))) {
        let AttemptRef { build, attempt, .. } = this;
        let path = path.display();
        tracing::error!(event = "build_secrets_left", %build, attempt, %path, %error, "secrets cannot be removed");
    }
}

/// Removes what a built-in strategy made. What is left is removed after the next attempt, or with the build; it is in
/// nobody's way, also where the removal goes on when nobody waits for it any more.
async fn clean(this: &AttemptRef, directory: &Directory) {
    let path = directory.path().join(WORK);
    let directory = directory.clone();
    let cleaning = spawn_blocking(move || match Work::is_at(&directory.work_file()) {
        true => directory.set_work_aside().and_then(|()| directory.remove_old_work()),
        // What a command of its own calls so is its own.
        false => Ok(()),
    });
    let error = match timeout(CLEAN, cleaning).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(_)) | Err(_) => "it did not end".to_owned(),
    };
    let (build, path) = (&this.build, path.display());
    tracing::warn!(event = "build_files_left", %build, %path, %error, "cannot remove a build's files");
}

async fn end_survivors(this: &AttemptRef, settings: &Settings, directory: &Directory) -> Result<(), Undead> {
    failpoint::pass("runner-before-survivors");
    let leader = earlier(this, directory.clone()).await;
    let end = settings.remains(this.id, leader).end().await;
    let processes = end.map_err(|error| Undead { error, handle: leader })?;
    if processes > 0 {
        let AttemptRef { build, attempt, .. } = this;
        let event = "build_survivors_ended";
        tracing::warn!(event, %build, attempt, processes, "ended what an earlier attempt left running");
    }
    Ok(())
}

/// The leader of the attempt before, as it was told, or else from the file that is written before anyone is told.
async fn earlier(this: &AttemptRef, directory: Directory) -> Option<Handle> {
    if let Some(handle) = this.handle.as_deref().and_then(Handle::parse) {
        return Some(handle);
    }
    spawn_blocking(move || directory.read_handle()).await.ok().flatten()
}

async fn blocking<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, LaunchError> + Send + 'static,
) -> Result<T, Outcome> {
    let done = spawn_blocking(step).await.unwrap_or(Err(LaunchError::TaskStopped));
    done.map_err(|error| not_started(&error))
}

/// Waits for `step`, which changes nothing, so that it may be left alone: a file system that does not answer must not
/// hold up a cancel or the daemon's end.
pub(super) async fn unless_stopped<T>(
    mut stop: watch::Receiver<Option<Stop>>,
    patience: Duration,
    step: impl Future<Output = Result<T, Outcome>>,
) -> Result<T, Outcome> {
    // Cancel-safe: what is dropped only looks.
    tokio::select! {
        biased;
        stop = asked(&mut stop) => Err(prevented(stop)),
        done = timeout(patience, step) => {
            done.unwrap_or_else(|_| Err(not_started(&LaunchError::NoAnswer(patience))))
        }
    }
}

/// How an attempt ends that was stopped before it began.
fn prevented(stop: Stop) -> Outcome {
    match stop {
        Stop::Cancel => Outcome::Cancelled,
        Stop::CutOff => Outcome::Interrupted,
    }
}

/// Resolves when somebody asks the attempt to stop, which may be never.
async fn asked(stop: &mut watch::Receiver<Option<Stop>>) -> Stop {
    let asked = stop.wait_for(Option::is_some).await.ok().and_then(|stop| *stop);
    match asked {
        Some(stop) => stop,
        None => pending().await,
    }
}

/// Cutting off wins over success: the end of a build that the daemon asked to stop proves nothing (D3). A person who
/// cancels gets to know that the build made it after all.
fn outcome(waited: Waited, status: Option<ExitStatus>) -> Outcome {
    match waited {
        Waited::TimedOut => Outcome::Failed(Failure::DeadlineExceeded),
        Waited::Stopped(Stop::CutOff) => Outcome::Interrupted,
        Waited::Stopped(Stop::Cancel) if status.is_some_and(|status| status.success()) => Outcome::Complete,
        Waited::Stopped(Stop::Cancel) => Outcome::Cancelled,
        Waited::Exited => status.map_or(Outcome::Interrupted, of_status),
    }
}

fn of_status(status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::Complete,
        (Some(code), _) => Outcome::Failed(Failure::Exit(code)),
        (None, Some(signal)) => Outcome::Failed(Failure::Signal(signal)),
        (None, None) => Outcome::Interrupted,
    }
}

/// What the build's log should say of its end, where it does not speak for itself.
fn remark(waited: Waited, left: usize) -> Option<String> {
    match waited {
        Waited::Exited if left == 0 => None,
        Waited::Exited => Some(format!("processes that outlived the command were ended: {left}")),
        Waited::TimedOut => Some("ended: it ran longer than its timeout".to_owned()),
        Waited::Stopped(Stop::Cancel) => Some("ended: cancelled".to_owned()),
        Waited::Stopped(Stop::CutOff) => Some("ended: the daemon stops".to_owned()),
    }
}

/// Reads the result file and closes the log. Blocking.
fn report(
    this: &AttemptRef,
    directory: &Directory,
    is_driven: bool,
    sink: Option<Sink>,
    remark: Option<String>,
) -> Report {
    let (mut result, wrong) = result::read(&directory.result_file());
    if is_driven && result.commit.is_none() {
        result.commit = result::read_commit(&directory.commit_file());
    }
    // The build wrote it, and may have written a secret.
    let shown = |text: &str| sink.as_ref().map_or_else(|| text.to_owned(), |sink| sink.redacted(text));
    result.images.iter_mut().for_each(|image| image.reference = shown(&image.reference).into());
    let wrong = wrong.map(|error| {
        let AttemptRef { build, attempt, .. } = this;
        let error = shown(&error.to_string());
        tracing::warn!(event = "build_result_ignored", %build, attempt, error, "result file is not all usable");
        format!("warning: result file: {error}")
    });
    let Some(mut sink) = sink else { return (result, Vec::new()) };
    sink.release();
    for line in remark.into_iter().chain(wrong) {
        sink.note(&line);
    }
    (result, sink.finish())
}

fn unstarted(this: &AttemptRef, outcome: Outcome) -> Ended {
    Ended {
        build: this.build.clone(),
        attempt: this.attempt,
        outcome,
        images: Vec::new(),
        commit: None,
        tail: Vec::new(),
        elapsed: Duration::ZERO,
    }
}

fn survives(this: &AttemptRef, error: &SurvivorError) {
    let AttemptRef { build, attempt, .. } = this;
    tracing::error!(event = "build_survives", %build, attempt, %error, "build cannot be ended");
}

fn not_started(error: &LaunchError) -> Outcome {
    Outcome::NotStarted(bounded(&error.to_string()))
}

pub(super) fn bounded(reason: &str) -> Box<str> {
    match reason.char_indices().nth(REASON_LIMIT) {
        Some((end, _)) => format!("{}…", reason.get(..end).unwrap_or_default()).into(),
        None => reason.into(),
    }
}
