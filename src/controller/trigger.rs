//! Whether a trigger fires, and what its firing makes.

use std::ops::AddAssign;
use std::sync::Arc;

use uuid::Uuid;

use super::build::{Fired, Firing};
use super::event::{HoldReason, Note, Now, Transition};
use super::key::{BuildKey, TriggerKey};
use super::record::{
    Build, ConfigRecord, FirstStart, PendingChange, Phase, Record, TagRecord, TriggerRecord, Urgency,
};
use super::settings::{BuildConfig, OnFirst, Trigger};
use super::{Controller, policy};
use crate::image::{Identity, Image, TagRef};

/// One look at the state: every trigger of a config, its causes and its strategy see the same images (D1).
pub(super) struct Look<'a> {
    pub(super) controller: &'a Controller,
    /// What was just observed and is not stored yet.
    pub(super) fresh: Option<(&'a TagRef, &'a TagRecord)>,
    pub(super) now: Now,
}

/// What a look did, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Verdicts {
    /// Configs that got a build.
    pub(super) fired: usize,
    /// Configs that would have, but for a hold.
    pub(super) held: usize,
}

/// What one trigger comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Nothing,
    /// Remember the image, build nothing (D14, D16).
    Record,
    Fire,
    Hold(HoldReason),
}

/// A trigger whose tag was resolved, and what came of it.
struct Weighed<'a> {
    trigger: &'a Trigger,
    key: TriggerKey,
    image: &'a Image,
    stored: Option<&'a TriggerRecord>,
    verdict: Verdict,
}

impl<'a> Look<'a> {
    /// Evaluates every trigger of `config`; all that fire are one build (F14).
    pub(super) fn evaluate(&self, config: &'a Arc<BuildConfig>, t: &mut Transition) -> Verdicts {
        let weighed: Vec<Weighed<'a>> =
            config.triggers.iter().filter_map(|trigger| self.weigh(config, trigger)).collect();
        let held = weighed.iter().any(|weighed| matches!(weighed.verdict, Verdict::Hold(_)));
        let base = self.image(&config.strategy.from);
        match base.filter(|_| weighed.iter().any(|weighed| weighed.verdict == Verdict::Fire)) {
            Some(base) => {
                self.fire(config, base, &weighed, t);
                Verdicts { fired: 1, held: 0 }
            }
            None => {
                for weighed in &weighed {
                    self.keep(config, weighed, t);
                }
                Verdicts { fired: 0, held: usize::from(held) }
            }
        }
    }

    fn image(&self, tag: &TagRef) -> Option<&'a Image> {
        match self.fresh {
            Some((fresh, record)) if fresh == tag => Some(record.admitted()),
            _ => self.controller.records.tags.get(tag).map(|record| record.admitted()),
        }
    }

    /// A trigger whose tag was never resolved weighs nothing and blocks no other (F14).
    fn weigh(&self, config: &BuildConfig, trigger: &'a Trigger) -> Option<Weighed<'a>> {
        let image = self.image(&trigger.tag)?;
        let key = TriggerKey { config: config.key.clone(), tag: trigger.tag.clone() };
        let stored = self.controller.records.triggers.get(&key).map(|record| &**record);
        let verdict = self.verdict(config, trigger, &image.identity, stored);
        Some(Weighed { trigger, key, image, stored, verdict })
    }

    fn verdict(
        &self,
        config: &BuildConfig,
        trigger: &Trigger,
        identity: &Identity,
        stored: Option<&TriggerRecord>,
    ) -> Verdict {
        let first = match stored.and_then(|record| record.stored.as_ref()) {
            Some(stored) if !identity.differs_from(stored) => return Verdict::Nothing,
            Some(_) => false,
            None => true,
        };
        let record_next = stored.is_some_and(|record| record.record_next);
        if self.is_paused(config, trigger) {
            Verdict::Hold(HoldReason::Paused)
        } else if first && (record_next || config.on_first == OnFirst::Record) {
            Verdict::Record
        } else if first && self.first_start_held(config) {
            Verdict::Hold(HoldReason::FirstStart)
        } else if first && self.awaits_first_look(config) {
            Verdict::Hold(HoldReason::FirstLook)
        } else if self.image(&config.strategy.from).is_none() {
            Verdict::Hold(HoldReason::StrategyUnresolved)
        } else {
            Verdict::Fire
        }
    }

    fn is_paused(&self, config: &BuildConfig, trigger: &Trigger) -> bool {
        self.controller.pause_on(&config.key, &trigger.tag).is_some()
    }

    fn first_start_held(&self, config: &BuildConfig) -> bool {
        let record = self.controller.records.configs.get(&config.key);
        record.is_some_and(|record| matches!(record.first_start, FirstStart::Held(_)))
    }

    /// Whether a tag of `config` was not looked at since the load. A first build then waits a moment, so that it is
    /// one build with all its images, none of them from before a long stop.
    fn awaits_first_look(&self, config: &BuildConfig) -> bool {
        let controller = self.controller;
        let is_fresh = |tag: &TagRef| self.fresh.is_some_and(|(fresh, _)| fresh == tag);
        let unseen = |trigger: &Trigger| {
            !is_fresh(&trigger.tag)
                && !controller.looked.contains(&trigger.tag)
                && !self.is_paused(config, trigger)
        };
        controller.patience.is_some() && config.triggers.iter().any(unseen)
    }

    /// Stores what a trigger that did not fire has to remember; nothing, if it remembers it already.
    fn keep(&self, config: &BuildConfig, weighed: &Weighed<'_>, t: &mut Transition) {
        let old = weighed.stored.cloned().unwrap_or_default();
        let digest = weighed.image.identity.digest().cloned();
        let new = match weighed.verdict {
            Verdict::Hold(reason) if remembers(reason) => {
                let since = old.pending.as_ref().map_or(self.now.wall, |pending| pending.since);
                let pending = PendingChange { identity: weighed.image.identity.clone(), since };
                if old.pending.as_ref() != Some(&pending) {
                    let (config, tag) = (config.key.clone(), weighed.key.tag.clone());
                    t.notes.push(Note::ChangePending { config, tag, digest, reason });
                }
                TriggerRecord { pending: Some(pending), ..old.clone() }
            }
            Verdict::Record => {
                t.notes.push(Note::TriggerRecorded {
                    config: config.key.clone(),
                    tag: weighed.key.tag.clone(),
                    digest,
                });
                old.settled(weighed.image.identity.clone())
            }
            Verdict::Nothing => TriggerRecord { pending: None, ..old.clone() },
            Verdict::Hold(_) | Verdict::Fire => old.clone(),
        };
        if new != old {
            t.records.push(Record::Trigger(weighed.key.clone(), Some(Box::new(new))));
        }
    }

    /// One build for all that fire. Every trigger of the config stores what it sees now, the held ones too (F17);
    /// one whose tag is unresolved keeps what it had (D4).
    fn fire(
        &self,
        config: &'a Arc<BuildConfig>,
        base: &'a Image,
        weighed: &[Weighed<'a>],
        t: &mut Transition,
    ) {
        let causes = weighed.iter().filter(|weighed| weighed.is_cause()).map(Weighed::fired).collect();
        let firing = Firing { config, base, causes };
        let build = self.make(&firing, t);
        for weighed in weighed {
            let old = weighed.stored.cloned().unwrap_or_default();
            let new = old.settled(weighed.image.identity.clone());
            if weighed.verdict != Verdict::Nothing && !weighed.is_cause() {
                t.notes.push(Note::TriggerSwallowed {
                    config: config.key.clone(),
                    build: build.clone(),
                    tag: weighed.key.tag.clone(),
                    digest: weighed.image.identity.digest().cloned(),
                });
            }
            if weighed.stored != Some(&new) {
                t.records.push(Record::Trigger(weighed.key.clone(), Some(Box::new(new))));
            }
        }
        policy::make_room(self.controller, config, &build, self.now, t);
    }

    /// The build's number, record and spec; all in the transition that stores the triggers (invariant 1).
    fn make(&self, firing: &Firing<'_>, t: &mut Transition) -> BuildKey {
        let config = firing.config;
        let old = self.controller.records.configs.get(&config.key).map(|record| (**record).clone());
        let old = old.unwrap_or_default();
        // A record may be missing after a loss of state; a number is used once all the same.
        let known =
            self.controller.records.builds_of(&config.key).next_back().map_or(0, |(key, _)| key.number);
        let number = old.last_number.max(known) + 1;
        let first_start = match old.first_start {
            FirstStart::Held(_) => FirstStart::None,
            other @ (FirstStart::None | FirstStart::Released) => other,
        };
        let record = ConfigRecord { last_number: number, first_start, ..old };
        let key = BuildKey { config: config.key.clone(), number };
        let id = Uuid::new_v5(&self.controller.store_id, key.to_string().as_bytes());
        let first_sight = firing.causes.iter().all(|fired| fired.old.is_none());
        let urgency = if first_sight { Urgency::FirstSight } else { Urgency::ImageChange };
        for fired in &firing.causes {
            t.notes.push(Note::TriggerFired {
                config: config.key.clone(),
                build: key.clone(),
                tag: fired.key.tag.clone(),
                digest: fired.image.identity.digest().cloned(),
                old_digest: fired.old.as_ref().and_then(Identity::digest).cloned(),
            });
        }
        t.notes.push(Note::BuildQueued { build: key.clone(), urgency });
        t.specs.push(firing.spec(key.clone(), id, self.now.wall));
        t.records.push(Record::Config(config.key.clone(), Some(Box::new(record))));
        let build = Build {
            id,
            urgency,
            run_policy: config.run_policy,
            supersede: config.supersede,
            created: self.now.wall,
            ended: None,
            phase: Phase::New,
            attempts: 0,
            interruptions: 0,
            cancel_asked: false,
            history: Vec::new(),
            images: Vec::new(),
        };
        t.records.push(Record::Build(key.clone(), Some(Box::new(build))));
        key
    }
}

impl<'a> Weighed<'a> {
    /// Whether a build of its config is also for this trigger's sake. One that only awaits the first look at another
    /// tag need not wait for it once there is a build.
    fn is_cause(&self) -> bool {
        matches!(self.verdict, Verdict::Fire | Verdict::Hold(HoldReason::FirstLook))
    }

    fn fired(&self) -> Fired<'a> {
        let old = self.stored.and_then(|record| record.stored.clone());
        Fired { key: self.key.clone(), named: &self.trigger.named, image: self.image, old }
    }
}

impl AddAssign for Verdicts {
    fn add_assign(&mut self, other: Self) {
        self.fired += other.fired;
        self.held += other.held;
    }
}

/// A moment's wait is not worth a record, nor is a first start, which is told in one line for all.
fn remembers(reason: HoldReason) -> bool {
    match reason {
        HoldReason::Paused | HoldReason::StrategyUnresolved => true,
        HoldReason::FirstStart | HoldReason::FirstLook => false,
    }
}
