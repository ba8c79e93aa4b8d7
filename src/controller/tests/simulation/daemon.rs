//! The daemon's loop, taken apart into steps that a crash can come between.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::World;
use super::world::TAGS;
use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::Identity;
use crate::registry::Known;

/// One process: everything in it is gone after a crash.
pub(super) struct Daemon {
    /// Which process it is: of an earlier one's builds it hears nothing unless it adopts them.
    pub(super) life: u32,
    pub(super) controller: Controller,
    /// Events that wait to be decided.
    pub(super) inbox: VecDeque<Event>,
    /// Effects of what was stored, which are yet to leave.
    pub(super) outbox: VecDeque<Effect>,
    /// What the poller knows of each of [`TAGS`].
    pub(super) known: [Option<Known>; 3],
}

/// An applied decision, the settings it was made under, and how to take it back.
pub(super) struct Decided {
    pub(super) transition: Transition,
    pub(super) settings: Arc<Settings>,
    undo: Undo,
}

impl Daemon {
    /// The start of a process: what the disk has, then the settings, before anything else is heard.
    pub(super) fn wake(world: &mut World) -> Self {
        world.lives += 1;
        let controller = Controller::new(STORE, world.read_journal());
        let known = TAGS.map(|name| known(controller.records().tags.get(&tag(name))?));
        let (inbox, outbox) = (VecDeque::new(), VecDeque::new());
        let mut daemon = Self { life: world.lives, controller, inbox, outbox, known };
        let load = Event::Load { settings: Arc::clone(&world.settings), after_loss: false };
        let group = daemon.decide(&[Event::Boot, load], world.now);
        world.commit(&group);
        daemon.release(group);
        daemon
    }

    /// The next events: those that wait, or a tick if one is due.
    pub(super) fn take(&mut self, at_most: usize, now: Now) -> Vec<Event> {
        let waiting = at_most.min(self.inbox.len());
        let events: Vec<Event> = self.inbox.drain(..waiting).collect();
        match events.is_empty() && self.is_tick_due(now) {
            true => vec![Event::Tick],
            false => events,
        }
    }

    pub(super) fn is_tick_due(&self, now: Now) -> bool {
        self.controller.next_tick(now) == Some(Duration::ZERO)
    }

    pub(super) fn decide(&mut self, events: &[Event], now: Now) -> Vec<Decided> {
        let mut group = Vec::new();
        for event in events {
            let transition = self.controller.decide(event, now);
            let settings = Arc::clone(self.controller.settings());
            let undo = self.controller.apply(&transition);
            group.push(Decided { transition, settings, undo });
        }
        group
    }

    /// The group could not be stored: memory is as it was, and the events are decided again later.
    pub(super) fn take_back(&mut self, group: Vec<Decided>, events: Vec<Event>) {
        for decided in group.into_iter().rev() {
            self.controller.undo(decided.undo);
        }
        for event in events.into_iter().rev() {
            self.inbox.push_front(event);
        }
    }

    /// The group is stored: now its effects may leave.
    pub(super) fn release(&mut self, group: Vec<Decided>) {
        self.outbox.extend(group.into_iter().flat_map(|decided| decided.transition.effects));
    }
}

/// What a start tells the poller of a tag.
fn known(record: &TagRecord) -> Option<Known> {
    let identity = &record.observed.identity;
    let unread = matches!(identity, Identity::Index { children: None, .. });
    identity.digest().map(|digest| Known { digest: digest.clone(), unread })
}
