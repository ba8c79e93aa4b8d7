//! Decisions that were made part of the mind one after the other, and can be taken back together.

use std::time::Duration;

use crate::controller::{Controller, Event, Now, Transition, Undo};

/// What is stored together, or not at all.
#[derive(Debug, Default)]
pub(super) struct Group {
    transitions: Vec<Transition>,
    undo: Vec<Undo>,
}

impl Group {
    /// Decides on `event`. Answers whether anything came of it.
    pub(super) fn decide(&mut self, controller: &mut Controller, event: &Event, now: Now) -> bool {
        let transition = controller.decide(event, now);
        if transition.is_empty() {
            return false;
        }
        self.undo.push(controller.apply(&transition));
        self.transitions.push(transition);
        true
    }

    /// Ticks as long as the controller has something to do now.
    pub(super) fn tick(&mut self, controller: &mut Controller, now: Now) {
        let is_due = |controller: &Controller| controller.next_tick(now) == Some(Duration::ZERO);
        while is_due(controller) && self.decide(controller, &Event::Tick, now) {}
    }

    /// What was decided.
    pub(super) fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// The mind is as it was before all of it.
    pub(super) fn take_back(self, controller: &mut Controller) {
        self.undo.into_iter().rev().for_each(|undo| controller.undo(undo));
    }
}
