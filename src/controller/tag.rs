//! What a look at a tag means.

use super::Controller;
use super::event::{Note, Now, Transition, Volatile};
use super::record::{Record, TagRecord};
use super::trigger::{Look, Verdicts};
use crate::image::{Image, Polled, TagRef};

impl Controller {
    /// A look succeeded. What it brought is compared with what is stored; the same again is nothing at all.
    pub(super) fn observed(&self, tag: &TagRef, polled: &Polled, now: Now, t: &mut Transition) {
        if self.is_first_look(tag) {
            t.volatile.push(Volatile::Looked(tag.clone()));
        }
        let known = self.records.tags.get(tag);
        if known.is_some_and(|known| known.observed.polled == *polled && known.unwatched_since.is_none()) {
            return;
        }
        let record = match known {
            Some(known) if known.observed.polled.digest == polled.digest => TagRecord {
                observed: Image::new(tag, polled.clone()),
                unwatched_since: None,
                ..(**known).clone()
            },
            Some(known) => known.moved_to(Image::new(tag, polled.clone()), now),
            None => TagRecord {
                observed: Image::new(tag, polled.clone()),
                since: now.wall,
                earlier: Vec::new(),
                unwatched_since: None,
            },
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
        earlier.retain(|digest| *digest != self.observed.polled.digest);
        earlier.push(self.observed.polled.digest.clone());
        let surplus = earlier.len().saturating_sub(Self::EARLIER);
        earlier.drain(..surplus);
        Self { observed, since: now.wall, earlier, unwatched_since: None }
    }
}

/// The one line about an image, however many configs it concerns.
fn news(tag: &TagRef, known: Option<&TagRecord>, record: &TagRecord, sum: Verdicts) -> Option<Note> {
    let image = &record.observed;
    let digest = image.polled.digest.clone();
    let Some(known) = known else {
        return Some(Note::TagResolved { tag: tag.clone(), digest, reference: image.reference.clone() });
    };
    let old_digest = known.observed.polled.digest.clone();
    (old_digest != digest).then(|| Note::ImageChanged {
        tag: tag.clone(),
        seen_before: known.earlier.contains(&digest),
        digest,
        old_digest,
        fan_out: sum.fired,
        held: sum.held,
    })
}
