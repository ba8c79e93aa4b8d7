//! Steady time.

use std::future::pending;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

/// Time that no setting of the wall clock disturbs: the wall clock at the start, plus the time passed since.
#[derive(Debug)]
pub(super) struct Clock<W> {
    wall: W,
    steady: Steady,
}

/// The part of it that needs no wall clock any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steady {
    start: Instant,
    wall_at_start: Duration,
}

impl<W: Fn() -> Timestamp> Clock<W> {
    /// Starts now, at what `wall` says.
    pub(super) fn new(wall: W) -> Self {
        // A clock before 1970 was never set, and 1970 is as good a start.
        let wall_at_start = wall().as_duration().try_into().unwrap_or_default();
        Self { wall, steady: Steady { start: Instant::now(), wall_at_start } }
    }

    /// What tells the time to those that show none to people.
    pub(super) fn steady(&self) -> Steady {
        self.steady
    }

    /// Steady time, since 1970.
    pub(super) fn now(&self) -> Duration {
        self.steady.now()
    }

    /// What the wall clock says, for people.
    pub(super) fn wall(&self) -> Timestamp {
        (self.wall)()
    }

    /// Returns at `due`, or never. Cancel safe.
    pub(super) async fn reach(&self, due: Option<Duration>) {
        match due {
            Some(due) => sleep(due.saturating_sub(self.now())).await,
            None => pending().await,
        }
    }
}

impl Steady {
    /// Steady time, since 1970.
    pub(super) fn now(&self) -> Duration {
        self.wall_at_start.saturating_add(self.start.elapsed())
    }
}
