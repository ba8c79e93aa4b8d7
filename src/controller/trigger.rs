//! Whether a trigger fires. What its firing makes is in `make`.

use std::borrow::Cow;
use std::sync::Arc;

use super::Controller;
use super::event::{HoldReason, Note, Now, Transition};
use super::key::TriggerKey;
use super::record::{FirstStart, PendingChange, Record, TagRecord, TriggerRecord};
use super::settings::{BuildConfig, OnFirst, StreamTag, Trigger};
use super::verdicts::Verdicts;
use crate::image::{Digest, Found, Identity, Image, Platform, TagRef};

/// One look at the state: every trigger of a config, its causes and its strategy see the same images (D1).
pub(super) struct Look<'a> {
    pub(super) controller: &'a Controller,
    /// What was just observed and is not stored yet.
    pub(super) fresh: &'a [Fresh<'a>],
    pub(super) now: Now,
}

/// What was just observed.
pub(super) struct Fresh<'a> {
    pub(super) tag: &'a TagRef,
    /// What becomes of the tag.
    pub(super) record: TagRecord,
    /// What also tells of the indexes that triggers have stored.
    pub(super) found: &'a Found,
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
pub(super) struct Weighed<'a> {
    pub(super) trigger: &'a Trigger,
    pub(super) key: TriggerKey,
    pub(super) image: &'a Image,
    /// With what was just learned of the indexes in it, which is not stored yet.
    pub(super) stored: Option<Cow<'a, TriggerRecord>>,
    /// Whether the image is another one than what is stored.
    pub(super) is_news: bool,
    /// The platforms it is for that the image lacks.
    missing: Vec<Platform>,
    /// Whether it waits for the same platforms already, which was told then.
    told_missing: bool,
    verdict: Verdict,
}

impl<'a> Look<'a> {
    /// Evaluates every trigger of `config`; all that fire are one build (F14).
    pub(super) fn evaluate(&self, config: &'a Arc<BuildConfig>, t: &mut Transition) -> Verdicts {
        let weighed = self.weigh_all(config);
        let held = weighed.iter().any(Weighed::is_held_news);
        let mut verdicts = Verdicts::default();
        for weighed in &weighed {
            if weighed.waits_and_lacks() && !weighed.told_missing {
                let digest = weighed.image.identity.digest().cloned();
                verdicts.lack(&weighed.key.tag, digest, &weighed.missing);
            }
        }
        let fires = weighed.iter().any(|weighed| weighed.verdict == Verdict::Fire);
        if fires || self.is_first_build_due(config) {
            self.fire(config, &weighed, t);
            verdicts.fired = usize::from(fires);
        } else {
            for weighed in &weighed {
                self.keep(config, weighed, t);
            }
            verdicts.held = usize::from(held);
        }
        verdicts
    }

    /// Whether the image of `tag` is news to a trigger of `config` on it; `None` if there is no such trigger.
    pub(super) fn is_news_to(&self, config: &'a BuildConfig, tag: &TagRef) -> Option<bool> {
        let weighed = self.weigh(config, config.trigger(tag)?)?;
        Some(weighed.is_newest_news())
    }

    /// Every trigger of `config` whose tag was ever resolved.
    pub(super) fn weigh_all(&self, config: &'a BuildConfig) -> Vec<Weighed<'a>> {
        config.triggers.iter().filter_map(|trigger| self.weigh(config, trigger)).collect()
    }

    fn fresh_on(&self, tag: &TagRef) -> Option<&'a Fresh<'a>> {
        self.fresh.iter().find(|fresh| fresh.tag == tag)
    }

    /// What `tag` points to, as far as is known.
    pub(super) fn image(&self, tag: &TagRef) -> Option<&'a Image> {
        match self.fresh_on(tag) {
            Some(fresh) => Some(fresh.record.admitted()),
            None => self.controller.records.tags.get(tag).map(|record| record.admitted()),
        }
    }

    fn stored(&self, key: &TriggerKey) -> Option<Cow<'a, TriggerRecord>> {
        let stored = self.controller.records.triggers.get(key).map(|record| &**record)?;
        let learned = self.fresh_on(&key.tag).and_then(|fresh| stored.learned_from(fresh.found));
        Some(learned.map_or(Cow::Borrowed(stored), Cow::Owned))
    }

    /// A trigger whose tag was never resolved weighs nothing and blocks no other (F14).
    fn weigh(&self, config: &BuildConfig, trigger: &'a Trigger) -> Option<Weighed<'a>> {
        let image = self.image(&trigger.from.tag)?;
        let key = TriggerKey { config: config.key.clone(), tag: trigger.from.tag.clone() };
        let stored = self.stored(&key);
        let before = stored.as_ref().and_then(|record| record.stored.as_ref());
        let platforms = &trigger.from.platforms;
        let is_news = before.is_none_or(|before| platforms.is_news(&image.identity, before));
        let missing = platforms.missing_in(&image.identity);
        let told_missing = self.missing_before(&key, trigger).is_some_and(|before| before == missing);
        let verdict = match (is_news, missing.is_empty(), self.is_paused(config, trigger)) {
            (true, _, true) => Verdict::Hold(HoldReason::Paused),
            (false, _, true) | (false, true, false) => Verdict::Nothing,
            (_, false, false) => Verdict::Hold(HoldReason::PlatformMissing),
            (true, true, false) if !platforms.is_answered_by(&image.identity) => {
                Verdict::Hold(HoldReason::PlatformsUnknown)
            }
            (true, true, false) => self.verdict(config, stored.as_deref()),
        };
        Some(Weighed { trigger, key, image, stored, is_news, missing, told_missing, verdict })
    }

    /// What comes of news that nothing at the trigger itself holds back.
    fn verdict(&self, config: &BuildConfig, stored: Option<&TriggerRecord>) -> Verdict {
        let first = stored.is_none_or(|record| record.stored.is_none());
        let record_next = stored.is_some_and(|record| record.record_next);
        if first && (record_next || config.policy.on_first == OnFirst::Record) {
            Verdict::Record
        } else if first && self.first_start_held(config) {
            Verdict::Hold(HoldReason::FirstStart)
        } else if first && self.awaits_first_look(config) {
            Verdict::Hold(HoldReason::FirstLook)
        } else if let Some(reason) = self.base_hold(config) {
            Verdict::Hold(reason)
        } else {
            Verdict::Fire
        }
    }

    /// Whether the config has a ConfigChange trigger that its first build waits for, and nothing else is waited for (F36):
    /// its images, at least in vain, and all platforms of what its strategy is made from.
    fn is_first_build_due(&self, config: &BuildConfig) -> bool {
        config.config_change
            && !self.controller.was_built(&config.key)
            && self.controller.pause_of(&config.key).is_none()
            && !self.first_start_held(config)
            && !self.awaits_first_look(config)
            && self.base_hold(config).is_none()
            && !self.base_lacks_platform(config)
    }

    /// Why what a build is made from cannot be pinned, if it has to be and cannot.
    pub(super) fn base_hold(&self, config: &BuildConfig) -> Option<HoldReason> {
        config.pinned_tags().find_map(|from| match self.image(&from.tag) {
            None => Some(HoldReason::StrategyUnresolved),
            Some(image) if !from.platforms.is_answered_by(&image.identity) => {
                Some(HoldReason::PlatformsUnknown)
            }
            Some(_) => None,
        })
    }

    fn base_lacks_platform(&self, config: &BuildConfig) -> bool {
        let missing = |from: &StreamTag| Some(from.platforms.missing_in(&self.image(&from.tag)?.identity));
        config.pinned_tags().filter_map(missing).any(|missing| !missing.is_empty())
    }

    /// What the image that waits at a trigger lacks, as far as that was known when it was stored.
    fn missing_before(&self, key: &TriggerKey, trigger: &Trigger) -> Option<Vec<Platform>> {
        let pending = self.controller.records.triggers.get(key)?.pending.as_ref()?;
        Some(trigger.from.platforms.missing_in(&pending.identity))
    }

    fn is_paused(&self, config: &BuildConfig, trigger: &Trigger) -> bool {
        self.controller.pause_on(&config.key, &trigger.from.tag).is_some()
    }

    fn first_start_held(&self, config: &BuildConfig) -> bool {
        let record = self.controller.records.configs.get(&config.key);
        record.is_some_and(|record| matches!(record.first_start, FirstStart::Held(_)))
    }

    /// Whether a tag of `config` was not looked at since the load. A first build then waits a moment, so that it is
    /// one build with all its images, none of them from before a long stop. What is paused need not be seen, nor what no
    /// registry is asked about; and what is known of a digest stays so.
    fn awaits_first_look(&self, config: &BuildConfig) -> bool {
        let controller = self.controller;
        let is_paused =
            |tag: &TagRef| config.trigger(tag).is_some_and(|trigger| self.is_paused(config, trigger));
        let never_moves =
            |from: &StreamTag| from.unasked || (from.tag.is_pinned() && self.image(&from.tag).is_some());
        let unseen = |from: &StreamTag| {
            self.fresh_on(&from.tag).is_none()
                && !controller.looked.contains(&from.tag)
                && !never_moves(from)
                && !is_paused(&from.tag)
        };
        controller.patience.is_some() && config.stream_tags().any(unseen)
    }

    /// Stores what a trigger that did not fire has to remember; nothing, if it remembers it already.
    fn keep(&self, config: &BuildConfig, weighed: &Weighed<'_>, t: &mut Transition) {
        let old = weighed.stored.as_deref().cloned().unwrap_or_default();
        let digest = weighed.digest();
        let new = match weighed.verdict {
            Verdict::Hold(reason) if remembers(reason) => {
                // What an image lacks is told of its tag, once for all.
                if reason != HoldReason::PlatformMissing && weighed.is_newest_news() {
                    let (config, tag) = (config.key.clone(), weighed.key.tag.clone());
                    t.notes.push(Note::ChangePending { config, tag, digest, reason });
                }
                let stored = if weighed.is_news { old.stored.clone() } else { weighed.followed() };
                TriggerRecord { stored, pending: Some(weighed.pending(self.now)), ..old }
            }
            Verdict::Record => {
                t.notes.push(Note::TriggerRecorded {
                    config: config.key.clone(),
                    tag: weighed.key.tag.clone(),
                    digest,
                });
                old.settled(Some(weighed.image.identity.clone()))
            }
            Verdict::Nothing => TriggerRecord { stored: weighed.followed(), pending: None, ..old },
            Verdict::Hold(_) | Verdict::Fire => old,
        };
        self.store(&weighed.key, new, t);
    }

    pub(super) fn store(&self, key: &TriggerKey, new: TriggerRecord, t: &mut Transition) {
        let is_stored = match self.controller.records.triggers.get(key) {
            Some(stored) => **stored == new,
            None => new == TriggerRecord::default(),
        };
        if !is_stored {
            t.records.push(Record::Trigger(key.clone(), Some(Box::new(new))));
        }
    }
}

impl<'a> Weighed<'a> {
    /// Whether a build of its config is also for this trigger's sake. One that only awaits the first look at another
    /// tag need not wait for it once there is a build.
    pub(super) fn is_cause(&self) -> bool {
        matches!(self.verdict, Verdict::Fire | Verdict::Hold(HoldReason::FirstLook))
    }

    /// Whether the image waits for a platform.
    pub(super) fn lacks_platform(&self) -> bool {
        self.verdict == Verdict::Hold(HoldReason::PlatformMissing)
    }

    /// Whether there would be a build for its sake, but for a hold. What only lacks a platform may be no news.
    fn is_held_news(&self) -> bool {
        matches!(self.verdict, Verdict::Hold(_)) && self.is_news
    }

    /// Whether an image waits, for whatever reason, that lacks a platform: once it waits for nothing else, what it lacks
    /// is no news.
    fn waits_and_lacks(&self) -> bool {
        matches!(self.verdict, Verdict::Hold(_)) && !self.missing.is_empty()
    }

    pub(super) fn stored_identity(&self) -> Option<&Identity> {
        self.stored.as_ref().and_then(|record| record.stored.as_ref())
    }

    /// The digest that a build is given of the image; none on a v1 registry.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.trigger.from.platforms.digest(&self.image.identity).cloned()
    }

    /// The same of what is stored.
    pub(super) fn old_digest(&self) -> Option<Digest> {
        self.stored_identity().and_then(|old| self.trigger.from.platforms.digest(old)).cloned()
    }

    /// What is stored of an image that is no news.
    pub(super) fn followed(&self) -> Option<Identity> {
        self.stored_identity().map(|stored| match *stored == self.image.identity {
            true => stored.clone(),
            false => stored.followed_by(&self.image.identity),
        })
    }

    /// The image as one that waits, since the first of those that do.
    pub(super) fn pending(&self, now: Now) -> Box<PendingChange> {
        let before = self.stored.as_ref().and_then(|record| record.pending.as_ref());
        let since = before.map_or(now.wall, |pending| pending.since);
        Box::new(PendingChange { identity: self.image.identity.clone(), since })
    }

    /// Whether the image is news to what is stored, and to the newest one that waits.
    fn is_newest_news(&self) -> bool {
        let is_news = |new: &Identity, old: Option<&Identity>| {
            old.is_none_or(|old| self.trigger.from.platforms.is_news(new, old))
        };
        let pending = self.stored.as_ref().and_then(|record| record.pending.as_ref());
        let pending = pending.map(|pending| &pending.identity);
        // What waits only because it lacks a platform may be no news itself.
        let waits = pending.filter(|pending| is_news(pending, self.stored_identity()));
        is_news(&self.image.identity, waits.or_else(|| self.stored_identity()))
    }
}

/// A moment's wait is not worth a record, nor is a first start, which is told in one line for all.
fn remembers(reason: HoldReason) -> bool {
    match reason {
        HoldReason::Paused
        | HoldReason::StrategyUnresolved
        | HoldReason::PlatformMissing
        | HoldReason::PlatformsUnknown => true,
        HoldReason::FirstStart | HoldReason::FirstLook => false,
    }
}
