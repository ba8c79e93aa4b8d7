//! What a look came to over all the configs that it concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use super::event::{Note, Transition};
use crate::image::{Digest, Platform, TagRef};

/// What a look did, in numbers.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// Configs that got a build.
    pub(super) fired: usize,
    /// Configs that would have, but for a hold.
    pub(super) held: usize,
    /// Triggers on the tag that was looked at, and those of them to which the image is news.
    concerned: usize,
    moved: usize,
    /// What images lack of the platforms that triggers are for, as far as that was not told before.
    missing: BTreeMap<TagRef, Missing>,
}

/// What an image lacks.
#[derive(Debug, Default)]
struct Missing {
    digest: Option<Digest>,
    platforms: BTreeSet<Platform>,
}

impl Verdicts {
    /// One more trigger is on the tag.
    pub(super) fn concern(&mut self, is_news: bool) {
        self.concerned += 1;
        self.moved += usize::from(is_news);
    }

    /// One more trigger waits for platforms.
    pub(super) fn lack(&mut self, tag: &TagRef, digest: Option<Digest>, platforms: &[Platform]) {
        let missing = self.missing.entry(tag.clone()).or_default();
        missing.digest = digest;
        missing.platforms.extend(platforms.iter().cloned());
    }

    /// Whether what was observed is no news to anyone whom it concerns.
    pub(super) fn is_quiet(&self) -> bool {
        self.concerned > 0 && self.moved == 0
    }

    /// One line for each tag whose image lacks a platform, however many configs wait for it.
    pub(super) fn tell_missing(self, t: &mut Transition) {
        for (tag, Missing { digest, platforms }) in self.missing {
            let platforms = platforms.into_iter().collect();
            t.notes.push(Note::TagHeld { tag, digest, platforms });
        }
    }
}

impl AddAssign for Verdicts {
    fn add_assign(&mut self, other: Self) {
        self.fired += other.fired;
        self.held += other.held;
        self.concerned += other.concerned;
        self.moved += other.moved;
        for (tag, Missing { digest, platforms }) in other.missing {
            let missing = self.missing.entry(tag).or_default();
            missing.digest = digest;
            missing.platforms.extend(platforms);
        }
    }
}
