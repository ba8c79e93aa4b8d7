//! The end of a history: the registry is well, nobody pushes, nothing crashes, and what must have come about has.

use super::Simulation;
use super::world::{Configured, TAGS};
use crate::controller::tests::ledger::Made;
use crate::controller::*;
use crate::image::Digest;

impl Simulation {
    /// Lets everything run until nothing is left to do. Ticks come only when the controller says that one is due.
    pub(super) fn come_to_rest(&mut self) {
        self.tell(|| "=== coming to rest".to_owned());
        // The last process may have been draining.
        self.crash("for the last time");
        let mut to_look_at = 0..TAGS.len();
        for _ in 0..1_000 {
            if !self.daemon.outbox.is_empty() {
                self.act();
            } else if !self.daemon.inbox.is_empty() || self.daemon.is_tick_due(self.world.now) {
                self.handle_well();
            } else if let Some(at) = to_look_at.next() {
                let event = self.world.observe(at, &mut self.daemon.known[at], false);
                self.tell(|| format!("a last look: {event:?}"));
                self.daemon.inbox.push_back(event);
            } else if self.world.processes.is_empty() {
                let Some(wait) = self.daemon.controller.next_tick(self.world.now) else { return };
                self.world.pass(wait);
            } else if self.world.processes[0].hangs {
                self.daemon.inbox.extend(self.world.time_out(0));
            } else {
                self.end_a_process();
            }
        }
        panic!("it does not come to rest");
    }

    fn handle_well(&mut self) {
        let events = self.daemon.take(1, self.world.now);
        self.tell(|| format!("decided {events:?}"));
        let group = self.daemon.decide(&events, self.world.now);
        self.world.commit(&group);
        self.daemon.release(group);
    }

    pub(super) fn check(&self) {
        assert_eq!(
            *self.daemon.controller.records(),
            self.world.ledger.records,
            "memory is not what is stored"
        );
        for (build, made) in &self.world.ledger.made {
            assert!(made.phase.is_terminal(), "{build} rests as {}", made.phase.name());
            self.check_superseded(build, made);
        }
        for configured in self.world.configs.iter().filter(|configured| configured.is_there) {
            let record = self.world.ledger.records.configs.get(&configured.config.key);
            if !record.is_some_and(|record| matches!(record.first_start, FirstStart::Held(_))) {
                self.check_config(configured);
                self.check_first(configured);
            }
        }
    }

    /// A build gives way only to a later one, which has newer images.
    fn check_superseded(&self, build: &BuildKey, made: &Made) {
        if let Phase::Cancelled(CancelReason::Superseded(by)) = made.phase {
            let by = BuildKey { config: build.config.clone(), number: by };
            assert!(by > *build && self.world.ledger.made.contains_key(&by), "{build} gave way to {by}");
        }
    }

    /// What each unpaused tag of a config points to now was built, or was recorded where that was asked for. What lacks
    /// a platform waits.
    fn check_config(&self, configured: &Configured) {
        let key = &configured.config.key;
        for trigger in configured.unpaused(&self.daemon.controller) {
            let newest = self.newest(&trigger.from.named);
            let on = TriggerKey { config: key.clone(), tag: trigger.from.tag.clone() };
            let waits = self.world.ledger.records.triggers[&on].pending.is_some();
            assert_eq!(waits, self.world.ledger.is_lacking(trigger, newest), "{on} waits for a platform");
            if waits {
                continue;
            }
            assert!(self.world.ledger.is_settled(key, trigger, newest), "{on} missed the last image");
            match &self.world.ledger.settled[&on].by {
                Some(build) => self.check_built(configured, build),
                None => assert_eq!(configured.config.policy.on_first, OnFirst::Record),
            }
        }
    }

    /// A config with a ConfigChange trigger was built, unless nothing of it is, or its image lacks a platform (F36).
    fn check_first(&self, configured: &Configured) {
        let BuildConfig { key, config_change, strategy, .. } = &configured.config;
        let from = strategy.stream_tag().unwrap();
        let on = configured.config.trigger(&from.tag).unwrap();
        let may_wait = self.daemon.controller.pause_of(key).is_some()
            || self.world.ledger.is_lacking(on, self.newest(&from.named));
        assert!(
            !config_change || may_wait || self.world.ledger.newest(key).is_some(),
            "{key} was never built"
        );
    }

    fn newest(&self, name: &str) -> &Digest {
        self.world.digest(TAGS.iter().position(|tag| *tag == name).unwrap())
    }

    /// The build that has the last image ended for good, and as its config lets it.
    fn check_built(&self, configured: &Configured, build: &BuildKey) {
        let made = &self.world.ledger.made[build];
        let allowed = configured.config.policy.retry.attempts;
        match &made.phase {
            Phase::Complete => self.check_current(configured, build),
            Phase::Cancelled(CancelReason::Asked) => {}
            Phase::Cancelled(CancelReason::ConfigRemoved) => assert!(configured.was_removed),
            Phase::Error(_) if configured.config.policy.on_interrupt == OnInterrupt::Fail => {}
            Phase::Error(_) if made.interruptions == 5 => {}
            Phase::Failed(_) | Phase::Error(_) => {
                assert!(configured.fails, "{build} has no reason to fail");
                assert!(
                    made.runs == allowed || configured.was_removed,
                    "{build} has runs left: {}",
                    made.runs
                );
            }
            phase @ (Phase::New
            | Phase::Pending { .. }
            | Phase::Running
            | Phase::Cancelled(CancelReason::Superseded(_))) => panic!("{build} is the last, and {phase:?}"),
        }
    }

    /// The last build stands on what its tags point to now (S3).
    fn check_current(&self, configured: &Configured, build: &BuildKey) {
        let spec = &self.world.ledger.made[build].spec;
        let causes = spec.causes.iter().filter_map(|cause| match cause {
            Cause::ImageChange { image, .. } => Some(image),
            Cause::Webhook { .. } | Cause::Manual | Cause::ConfigChange | Cause::Rebuild { .. } => None,
        });
        for image in causes.chain([spec.base()]) {
            let newest = self.newest(&image.named);
            // Of an index no more may have moved than what nobody builds for.
            let is_index = self.world.ledger.indexes.contains_key(newest);
            if configured.unpaused(&self.daemon.controller).any(|trigger| trigger.from.tag == image.tag)
                && !is_index
            {
                assert_eq!(image.digest.as_ref(), Some(newest), "{build} is stale");
            }
        }
    }
}
