//! What a look at a tag means.

use std::collections::BTreeSet;

use super::Controller;
use super::event::{Note, Now, Transition, Volatile};
use super::key::ConfigKey;
use super::record::{Record, RegistryRecord, TagRecord, TriggerRecord};
use super::trigger::{Fresh, Look};
use super::verdicts::Verdicts;
use crate::image::{Found, Identity, Image, TagRef};

impl Controller {
    /// A look succeeded. What it brought is compared with what is stored; the same again is nothing at all.
    pub(super) fn observed(&self, tag: &TagRef, found: &Found, now: Now, t: &mut Transition) {
        if found.polled.digest().is_some() {
            self.remember_v2(tag.host(), now, t);
        }
        let known = self.records.tags.get(tag).map(|known| &**known);
        // Most looks end here. A record says by itself whether its tag is watched, and to find that out among all triggers
        // costs more than the rest of this.
        let is_watched = |known: &TagRecord| known.unwatched_since.is_none();
        let nothing_new = known.is_some_and(|known| is_watched(known) && known.knows(found));
        let is_first_look = self.is_first_look(tag);
        if nothing_new && !is_first_look {
            return;
        }
        if !self.watches(tag) {
            // It was on its way when a reload took the tag out.
            self.teach_unwatched(tag, found, t);
            return;
        }
        if is_first_look {
            t.volatile.push(Volatile::Looked(tag.clone()));
        }
        if nothing_new {
            return;
        }
        let found = [(tag.clone(), found.clone())];
        Finding::of(self, &found, now).tell(self, None, now, t);
    }

    /// The image that a look found, with what is known of its index from before.
    pub(super) fn image_of(&self, tag: &TagRef, found: &Found) -> Image {
        let known = self.records.tags.get(tag).filter(|known| known.is_of(found));
        let children = found.children.as_ref().or_else(|| known?.observed.identity.children());
        Image::new(found.polled.clone(), children.cloned())
    }

    /// What becomes of the record of a tag.
    fn tag_record(&self, tag: &TagRef, found: &Found, now: Now) -> TagRecord {
        let observed = self.image_of(tag, found);
        match self.records.tags.get(tag) {
            Some(known) if known.is_of(found) => {
                TagRecord { observed, unwatched_since: None, ..(**known).clone() }
            }
            Some(known) => known.moved_to(observed, now),
            None => TagRecord { observed, since: now.wall, earlier: Vec::new(), unwatched_since: None },
        }
    }

    /// Triggers that are not there now may return (D19), and are to know then what an index had in it.
    fn teach_unwatched(&self, tag: &TagRef, found: &Found, t: &mut Transition) {
        if found.read().next().is_none() {
            return;
        }
        let away = |record: &TriggerRecord| record.unwatched_since.is_some();
        for (key, record) in self.records.triggers.iter().filter(|(key, _)| key.tag == *tag) {
            if let Some(new) = record.learned_from(found).filter(away) {
                t.records.push(Record::Trigger(key.clone(), Some(Box::new(new))));
            }
        }
    }

    /// A look did not succeed. It fires and clears nothing (D17), but who waits for it need not wait longer.
    pub(super) fn unresolved(&self, tag: &TagRef, is_v2: bool, now: Now, t: &mut Transition) {
        self.note_look(tag, is_v2, now, t);
    }

    /// A tag was looked at, in vain or not: nobody waits for that any longer, and its host may be known better.
    pub(super) fn note_look(&self, tag: &TagRef, is_v2: bool, now: Now, t: &mut Transition) {
        if self.is_first_look(tag) && self.watches(tag) {
            t.volatile.push(Volatile::Looked(tag.clone()));
        }
        if is_v2 {
            self.remember_v2(tag.host(), now, t);
        }
    }

    /// A host was found to be a v2 registry. It is stored once and for good: what it seems to be later fires nothing (D10).
    fn remember_v2(&self, host: &str, now: Now, t: &mut Transition) {
        let known = self.records.registries.get(host);
        if known.is_none_or(|known| known.v2_since.is_none()) {
            let record = RegistryRecord { v2_since: Some(now.wall) };
            t.records.push(Record::Registry(host.into(), Some(Box::new(record))));
        }
    }

    fn is_first_look(&self, tag: &TagRef) -> bool {
        self.patience.is_some() && !self.looked.contains(tag)
    }
}

/// What looks at tags brought, all of it seen at once (D1).
pub(super) struct Finding<'a> {
    pub(super) fresh: Vec<Fresh<'a>>,
}

impl<'a> Finding<'a> {
    pub(super) fn of(controller: &Controller, found: &'a [(TagRef, Found)], now: Now) -> Self {
        // A reload may have taken a tag out while it was looked at.
        let watched = found.iter().filter(|(tag, _)| controller.watches(tag));
        let fresh = watched.map(|(tag, found)| {
            let record = controller.tag_record(tag, found, now);
            Fresh { tag, record, found }
        });
        Self { fresh: fresh.collect() }
    }

    /// Evaluates every config that one of the tags concerns, but for the one that was just built `asked`, and stores what
    /// was found.
    pub(super) fn tell(
        &self,
        controller: &'a Controller,
        asked: Option<&ConfigKey>,
        now: Now,
        t: &mut Transition,
    ) {
        let look = Look { controller, fresh: &self.fresh, now };
        let mut evaluated: BTreeSet<&ConfigKey> = asked.into_iter().collect();
        for Fresh { tag, record, found } in &self.fresh {
            let known = controller.records.tags.get(*tag).map(|known| &**known);
            let line = t.notes.len();
            let mut sum = Verdicts::default();
            for config in controller.configs_on(tag) {
                if let Some(is_news) = look.is_news_to(config, tag) {
                    sum.concern(is_news);
                }
                if evaluated.insert(&config.key) {
                    sum += look.evaluate(config, t);
                }
            }
            let news = news(tag, known, record, &sum);
            t.notes.splice(line..line, news.into_iter().chain(v1_news(tag, known, record)));
            sum.tell_missing(t);
            controller.teach_unwatched(tag, found, t);
            if known != Some(record) {
                t.records.push(Record::Tag((*tag).clone(), Some(Box::new(record.clone()))));
            }
        }
    }
}

impl TagRecord {
    /// Whether a look found the image that is here.
    fn is_of(&self, found: &Found) -> bool {
        self.observed.polled.digest() == found.polled.digest()
    }

    /// Whether a look found nothing that is not here already.
    fn knows(&self, found: &Found) -> bool {
        let children = self.observed.identity.children();
        self.observed.polled == found.polled
            && found.earlier.is_none()
            && (found.children.is_none() || found.children.as_ref() == children)
    }

    fn moved_to(&self, observed: Image, now: Now) -> Self {
        let mut earlier = self.earlier.clone();
        if let Some(last) = self.observed.polled.digest() {
            earlier.retain(|digest| digest != last);
            earlier.push(last.clone());
        }
        let surplus = earlier.len().saturating_sub(Self::EARLIER);
        earlier.drain(..surplus);
        Self { observed, since: now.wall, earlier, unwatched_since: None }
    }
}

/// The line about a tag that was found on a v1 registry, and never before: what was known of it starts nothing anew (D10).
fn v1_news(tag: &TagRef, known: Option<&TagRecord>, record: &TagRecord) -> Option<Note> {
    let image_id = record.observed.polled.image_id()?;
    known.is_none().then(|| Note::V1FiresOnce { tag: tag.clone(), image_id })
}

/// The one line about an image, however many configs it concerns.
fn news(tag: &TagRef, known: Option<&TagRecord>, record: &TagRecord, sum: &Verdicts) -> Option<Note> {
    let image = &record.observed;
    let digest = image.polled.digest().cloned();
    let Some(known) = known else {
        return Some(Note::TagResolved { tag: tag.clone(), digest, reference: image.reference(tag) });
    };
    let old_digest = known.observed.polled.digest().cloned();
    // A v2 registry that seems to be a v1 one is no news, and there is no digest to tell.
    if digest.is_none() || old_digest == digest {
        return None;
    }
    let is_index = |image: &Image| matches!(image.identity, Identity::Index { .. });
    if sum.is_quiet() && is_index(image) && is_index(&known.observed) {
        return Some(Note::IndexMoved { tag: tag.clone(), digest, old_digest });
    }
    Some(Note::ImageChanged {
        tag: tag.clone(),
        seen_before: digest.as_ref().is_some_and(|digest| known.earlier.contains(digest)),
        digest,
        old_digest,
        fan_out: sum.fired,
        held: sum.held,
    })
}
