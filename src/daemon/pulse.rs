//! What the service manager is told of the running daemon: that it is up, what it is doing, that it stops.
//!
//! The status is put together only when it may be told, so that a poll that changes nothing costs nothing.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::image::TagRef;
use crate::systemd::{Manager, State};

/// The status is told at most once in this time.
const PAUSE: Duration = Duration::from_secs(3);

/// How long a busy manager is waited for with what it must know: without `READY=1` it ends the daemon.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long with what comes again.
const NO_PATIENCE: Duration = Duration::ZERO;

/// The service manager, and what it was told.
#[derive(Debug)]
pub(super) struct Pulse {
    manager: Manager,
    looks: Looks,
    told: String,
    /// What it must know and could not be told yet.
    untold: Vec<State<'static>>,
    /// When the next status may be told; `None` if nothing has happened since the last one.
    due: Option<Instant>,
    last: Option<Instant>,
    /// The manager could not be told, and the log says so.
    unreachable: bool,
}

/// How the looks at the watched tags go.
#[derive(Debug, Default)]
pub(super) struct Looks {
    watched: usize,
    /// The watched tags that are not known to be well.
    not_ok: HashMap<TagRef, Why>,
    last_success: Option<Timestamp>,
}

/// Why a tag is not ok.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It was never seen.
    Unseen,
    /// The last look at it failed.
    Failing,
}

/// What is going on beside the looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) running: usize,
    pub(super) waiting: usize,
    pub(super) draining: bool,
    /// Why nothing can be decided now.
    pub(super) store_trouble: Option<&'a str>,
}

impl Pulse {
    /// Nothing was told yet.
    pub(super) fn new(manager: Manager) -> Self {
        let (looks, told) = (Looks::default(), String::new());
        Self { manager, looks, told, untold: Vec::new(), due: None, last: None, unreachable: false }
    }

    /// From now on these tags are watched; `is_seen` tells which of them were ever found.
    pub(super) fn watch<'t>(
        &mut self,
        tags: impl Iterator<Item = &'t TagRef>,
        is_seen: impl Fn(&TagRef) -> bool,
    ) {
        if self.manager.is_there() {
            self.looks.watch(tags, is_seen);
        }
    }

    /// A look at `tag` brought what it points to.
    pub(super) fn found(&mut self, tag: &TagRef) {
        if self.manager.is_there() {
            self.looks.found(tag);
        }
    }

    /// A look at `tag`, which is watched, brought nothing.
    pub(super) fn failed(&mut self, tag: &TagRef) {
        if self.manager.is_there() {
            self.looks.failed(tag);
        }
    }

    /// Something happened, so that the status may be another.
    pub(super) fn stir(&mut self) {
        if self.manager.is_there() && self.due.is_none() {
            let now = Instant::now();
            self.due = Some(self.last.map_or(now, |last| now.max(last + PAUSE)));
        }
    }

    /// When [`Pulse::tell`] has something to tell; `None` if there is nothing.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether [`Pulse::tell`] has something to tell now.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Tells that the daemon is up.
    pub(super) async fn ready(&mut self, work: Work<'_>) {
        self.send(Some(State::Ready), work, PATIENCE).await;
    }

    /// Tells that the daemon stops.
    pub(super) async fn stopping(&mut self, work: Work<'_>) {
        self.send(Some(State::Stopping), work, PATIENCE).await;
    }

    /// Tells the status, if it is another.
    pub(super) async fn tell(&mut self, work: Work<'_>) {
        self.send(None, work, NO_PATIENCE).await;
    }

    async fn send(&mut self, news: Option<State<'static>>, work: Work<'_>, patience: Duration) {
        if !self.manager.is_there() {
            return;
        }
        (self.due, self.last) = (None, Some(Instant::now()));
        let status = status(&self.looks, work);
        let changed = (status != self.told).then_some(State::Status(&status));
        self.untold.extend(news);
        let states: Vec<State<'_>> = self.untold.iter().copied().chain(changed).collect();
        if states.is_empty() {
            return;
        }
        match self.manager.tell(&states, patience).await {
            Ok(()) => {
                (self.told, self.unreachable) = (status, false);
                self.untold.clear();
            }
            Err(error) => self.meet_trouble(&error),
        }
    }

    /// The log tells it once. What the manager must know is tried again in a while, and the status as soon as something
    /// happens.
    fn meet_trouble(&mut self, error: &std::io::Error) {
        if !self.untold.is_empty() {
            self.due = Some(Instant::now() + PAUSE);
        }
        if !std::mem::replace(&mut self.unreachable, true) {
            tracing::warn!(
                event = "service_manager_unreachable",
                error = %error,
                "cannot tell the service manager how the daemon is doing"
            );
        }
    }
}

impl Looks {
    /// What failed before and is still watched fails on.
    fn watch<'t>(&mut self, tags: impl Iterator<Item = &'t TagRef>, is_seen: impl Fn(&TagRef) -> bool) {
        let before = std::mem::take(&mut self.not_ok);
        self.watched = 0;
        for tag in tags {
            self.watched += 1;
            let unseen = || (!is_seen(tag)).then_some(Why::Unseen);
            if let Some(why) = before.get(tag).copied().or_else(unseen) {
                self.not_ok.insert(tag.clone(), why);
            }
        }
    }

    /// Where all is well nothing is looked up.
    fn found(&mut self, tag: &TagRef) {
        self.last_success = Some(Timestamp::now());
        if !self.not_ok.is_empty() && self.not_ok.remove(tag).is_some() && self.not_ok.is_empty() {
            // As many as there are tags at a first start, and seldom any afterwards.
            self.not_ok.shrink_to_fit();
        }
    }

    fn failed(&mut self, tag: &TagRef) {
        self.not_ok.insert(tag.clone(), Why::Failing);
    }
}

/// `412 of 415 tags ok, 2 builds running, last poll 2026-11-02 10:15:04 UTC; trouble with 3 tags of 1 registry`
fn status(looks: &Looks, work: Work<'_>) -> String {
    let mut text = String::new();
    if work.draining {
        text.push_str("stopping: ");
    }
    // Writing to a string cannot fail.
    let ok = looks.watched.saturating_sub(looks.not_ok.len());
    let _ =
        write!(text, "{ok} of {} ok, {} running", count(looks.watched, "tag"), count(work.running, "build"));
    if work.waiting > 0 {
        let _ = write!(text, ", {} waiting", work.waiting);
    }
    let _ = match looks.last_success {
        Some(last) => write!(text, ", last poll {}", last.strftime("%F %T UTC")),
        None => write!(text, ", no poll has succeeded yet"),
    };
    let failing = looks.not_ok.iter().filter(|(_, why)| **why == Why::Failing).map(|(tag, _)| tag.host());
    let failing: Vec<&str> = failing.collect();
    if !failing.is_empty() {
        let hosts = failing.iter().collect::<BTreeSet<_>>().len();
        let hosts = if hosts == 1 { "1 registry".to_owned() } else { format!("{hosts} registries") };
        let _ = write!(text, "; trouble with {} of {hosts}", count(failing.len(), "tag"));
    }
    if let Some(error) = work.store_trouble {
        let _ = write!(text, "; the state cannot be stored, so nothing is decided: {error}");
    }
    text
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
