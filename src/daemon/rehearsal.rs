//! Decisions that are only tried out: on the real mind, which is as it was once they are dropped.
//!
//! Nothing is stored, told or started, and nothing may be awaited meanwhile: the mind is another one as long as it lasts.

use std::time::Duration;

use super::group::Group;
use crate::controller::{Controller, Event, Now, Transition};

/// What would be decided.
pub(super) struct Rehearsal<'a> {
    controller: &'a mut Controller,
    group: Group,
    now: Now,
}

impl<'a> Rehearsal<'a> {
    /// Begins with what is due at `now`.
    pub(super) fn new(controller: &'a mut Controller, now: Now) -> Self {
        let mut rehearsal = Self { controller, group: Group::default(), now };
        rehearsal.wait(Duration::ZERO);
        rehearsal
    }

    /// Something happens, and whatever follows from it at once.
    pub(super) fn meet(&mut self, event: &Event) {
        self.group.decide(self.controller, event, self.now);
        self.group.tick(self.controller, self.now);
    }

    /// Time passes, by the clock that waits are measured by. For people it stands still, so that no pause ends.
    pub(super) fn wait(&mut self, time: Duration) {
        self.now.mono = self.now.mono.saturating_add(time);
        self.group.tick(self.controller, self.now);
    }

    /// The mind as it would be.
    pub(super) fn controller(&self) -> &Controller {
        self.controller
    }

    /// What was decided so far.
    pub(super) fn decided(&self) -> &[Transition] {
        self.group.transitions()
    }
}

impl Drop for Rehearsal<'_> {
    fn drop(&mut self) {
        std::mem::take(&mut self.group).take_back(self.controller);
    }
}

#[cfg(test)]
mod tests;
