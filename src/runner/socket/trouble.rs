//! Which runners cannot be reached, told when it begins and when it ends, however many attempts wait for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::controller::AttemptRef;

/// The runners in trouble, by name.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<BTreeMap<Box<str>, Trouble>>);

#[derive(Debug)]
struct Trouble {
    since: Instant,
    count: u64,
}

impl Troubles {
    /// `runner` did not answer as it should.
    pub(super) fn met(&self, runner: &str, socket: &Path, this: &AttemptRef, error: &str) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = troubles.get_mut(runner) {
            trouble.count += 1;
            return;
        }
        troubles.insert(runner.into(), Trouble { since: Instant::now(), count: 1 });
        let (AttemptRef { build, attempt, .. }, socket) = (this, socket.display());
        let event = "runner_unreachable";
        tracing::warn!(event, runner, %socket, %build, attempt, error, "runner cannot be reached, and is tried again");
    }

    /// `runner` answered.
    pub(super) fn over(&self, runner: &str) {
        let trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(runner);
        if let Some(Trouble { since, count }) = trouble {
            let elapsed_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(event = "runner_recovered", runner, count, elapsed_ms, "runner answers again");
        }
    }
}
