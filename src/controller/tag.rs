//! What a look at a tag means.

use super::Controller;
use super::event::{Note, Now, Transition, Volatile};
use super::record::{Record, TagRecord};
use super::trigger::{Look, Verdicts};
use crate::image::{Found, Image, TagRef};

impl Controller {
    /// A look succeeded. What it brought is compared with what is stored; the same again is nothing at all.
    pub(super) fn observed(&self, tag: &TagRef, found: &Found, now: Now, t: &mut Transition) {
        if self.is_first_look(tag) {
            t.volatile.push(Volatile::Looked(tag.clone()));
        }
        let known = self.records.tags.get(tag);
        let unwatched = known.is_some_and(|known| known.unwatched_since.is_some());
        if known.is_some_and(|known| known.observed.polled == found.polled)
            && found.children.is_none()
            && !unwatched
        {
            return;
        }
        let observed = Image::new(tag, found.polled.clone(), found.children.clone());
        let record = match known {
            Some(known) if known.observed.polled.digest() == found.polled.digest() => {
                TagRecord { observed, unwatched_since: None, ..(**known).clone() }
            }
            Some(known) => known.moved_to(observed, now),
            None => TagRecord { observed, since: now.wall, earlier: Vec::new(), unwatched_since: None },
        };
        let line = t.notes.len();
        let look = Look { controller: self, fresh: Some((tag, &record)), now };
        let mut sum = Verdicts::default();
        for config in self.configs_on(tag) {
            sum += look.evaluate(config, t);
        }
        if let Some(note) = news(tag, known.map(|known| &**known), &record, sum) {
            t.notes.insert(line, note);
        }
        t.records.push(Record::Tag(tag.clone(), Some(Box::new(record))));
    }

    /// A look did not succeed. It fires and clears nothing (D17), but who waits for it need not wait longer.
    pub(super) fn unresolved(&self, tag: &TagRef, t: &mut Transition) {
        if self.is_first_look(tag) {
            t.volatile.push(Volatile::Looked(tag.clone()));
        }
    }

    fn is_first_look(&self, tag: &TagRef) -> bool {
        self.patience.is_some() && !self.looked.contains(tag)
    }
}

impl TagRecord {
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

/// The one line about an image, however many configs it concerns.
fn news(tag: &TagRef, known: Option<&TagRecord>, record: &TagRecord, sum: Verdicts) -> Option<Note> {
    let image = &record.observed;
    let digest = image.polled.digest().cloned();
    let Some(known) = known else {
        return Some(Note::TagResolved { tag: tag.clone(), digest, reference: image.reference.clone() });
    };
    let old_digest = known.observed.polled.digest().cloned();
    (old_digest != digest).then(|| Note::ImageChanged {
        tag: tag.clone(),
        seen_before: digest.as_ref().is_some_and(|digest| known.earlier.contains(digest)),
        digest,
        old_digest,
        fan_out: sum.fired,
        held: sum.held,
    })
}
