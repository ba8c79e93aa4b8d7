//! Which runners cannot be reached, told when it begins, when it changes and when it ends, however many attempts wait.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::controller::AttemptRef;

/// The runners in trouble, by name and by where they were looked for: an attempt stays where it was accepted, also when the
/// runner has moved and answers there.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<BTreeMap<(Box<str>, PathBuf), Trouble>>);

#[derive(Debug)]
struct Trouble {
    since: Instant,
    count: u64,
    error: String,
}

impl Troubles {
    /// `runner` did not answer as it should.
    pub(super) fn met(&self, runner: &str, socket: &Path, this: &AttemptRef, error: &str) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Trouble { since: Instant::now(), count: 0, error: String::new() };
        let trouble = troubles.entry((runner.into(), socket.to_owned())).or_insert_with(fresh);
        trouble.count += 1;
        if trouble.error == error {
            return;
        }
        error.clone_into(&mut trouble.error);
        let (AttemptRef { build, attempt, .. }, socket) = (this, socket.display());
        let event = "runner_unreachable";
        tracing::warn!(event, runner, %socket, %build, attempt, error, "runner cannot be reached, and is tried again");
    }

    /// `runner` answered there.
    pub(super) fn over(&self, runner: &str, socket: &Path) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Trouble { since, count, .. }) = troubles.remove(&(runner.into(), socket.to_owned())) {
            let elapsed_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(event = "runner_recovered", runner, count, elapsed_ms, "runner answers again");
        }
    }
}
