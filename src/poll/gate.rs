//! The one way to a host's budget.

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::Limits;
use super::budget::Budget;
use crate::registry::Gate;

/// One host's budget, shared by all that ask this host (invariant 5).
#[derive(Debug)]
pub(super) struct HostGate {
    opened: Instant,
    /// Locked while its holder waits for the budget: the lock is fair, so requests leave in the order they came.
    budget: Mutex<Budget>,
}

impl HostGate {
    /// An untouched budget.
    pub(super) fn new(limits: Limits) -> Self {
        Self { opened: Instant::now(), budget: Mutex::new(Budget::new(limits)) }
    }
}

impl Gate for HostGate {
    /// Cancel safe: who stops waiting has spent nothing.
    async fn permit(&self) {
        let mut budget = self.budget.lock().await;
        while let Err(wait) = budget.take(self.opened.elapsed()) {
            sleep(wait).await;
        }
    }
}
