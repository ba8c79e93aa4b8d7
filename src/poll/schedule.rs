//! When: which cohort is due, and which comes next. Pure: time comes in.
//!
//! Time here is steady: the wall clock as it stood when polling began, plus the time passed since. A clock that is
//! set back or forth later is not even noticed, so that it brings neither a burst nor a gap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::Duration;

use super::cohort::Cohort;
use super::plan::Mode;

/// All cohorts, by the time they are due.
#[derive(Debug)]
pub(super) struct Schedule {
    cohorts: Vec<Cohort>,
    queue: BinaryHeap<Reverse<Entry>>,
}

/// Tags that are to be polled now, one after the other: a cohort, or a part of it.
#[derive(Debug)]
pub(super) struct Round {
    /// Which cohort; `None` for tags that somebody asked for, whose slot stays where it is.
    pub(super) cohort: Option<usize>,
    /// The position of its host in the plan.
    pub(super) host: usize,
    /// The positions of the tags that are still to be polled.
    pub(super) tags: Range<usize>,
    turn: Turn,
}

/// Why a cohort is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// At the start, for the tags that cannot wait. The others are still due in this period.
    Eager { coming: u64 },
    /// In this period of its interval.
    Slot(u64),
    /// Never again after this.
    Only,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    due: Duration,
    cohort: usize,
    turn: Turn,
}

impl Schedule {
    /// What `mode` asks of these cohorts from `now` on.
    pub(super) fn new(cohorts: Vec<Cohort>, mode: Mode, now: Duration) -> Self {
        let first = |(position, cohort): (usize, &Cohort)| match mode {
            Mode::Once => Entry { due: now, cohort: position, turn: Turn::Only },
            Mode::Continuous if !cohort.eager.is_empty() => {
                let turn = Turn::Eager { coming: cohort.period_after(now) };
                Entry { due: now, cohort: position, turn }
            }
            Mode::Continuous => Entry::slot(position, cohort, cohort.period_after(now)),
        };
        let queue = cohorts.iter().enumerate().map(first).map(Reverse).collect();
        Self { cohorts, queue }
    }

    /// The slots of these cohorts after `now`: those of tags that wait for nothing else.
    pub(super) fn slots(cohorts: Vec<Cohort>, now: Duration) -> Self {
        let slot = |(position, cohort): (usize, &Cohort)| {
            Reverse(Entry::slot(position, cohort, cohort.period_after(now)))
        };
        let queue = cohorts.iter().enumerate().map(slot).collect();
        Self { cohorts, queue }
    }

    /// When the next cohort is due, if one ever is.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.queue.peek().map(|Reverse(entry)| entry.due)
    }

    /// A cohort that is due by `now`: the one that waits longest. It is not due again before [`Self::finish`].
    pub(super) fn take_due(&mut self, now: Duration) -> Option<Round> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse(Entry { cohort: position, turn, .. }) = self.queue.pop()?;
        let cohort = self.cohorts.get(position)?;
        let tags = match turn {
            Turn::Eager { .. } => cohort.eager.clone(),
            Turn::Slot(_) | Turn::Only => cohort.tags.clone(),
        };
        Some(Round { cohort: Some(position), host: cohort.host, tags, turn })
    }

    /// All tags of the round were polled: the cohort waits for its next slot.
    pub(super) fn finish(&mut self, round: &Round, now: Duration) {
        self.queue.extend(self.next_entry(round, now).map(Reverse));
    }

    /// The slots of the cohort that passed while the round waited count as this one's.
    pub(super) fn catch_up(&self, round: &mut Round, now: Duration) {
        let cohort = round.cohort.and_then(|cohort| self.cohorts.get(cohort));
        if let (Some(cohort), Turn::Slot(done)) = (cohort, &mut round.turn) {
            *done = cohort.period_after(now).saturating_sub(1).max(*done);
        }
    }

    /// When the cohort of a round that is going on is due again, if it ever is.
    pub(super) fn due_after(&self, round: &Round, now: Duration) -> Option<Duration> {
        self.next_entry(round, now).map(|entry| entry.due)
    }

    /// The cohorts that wait: the positions of their tags, and when they are due.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (Range<usize>, Duration)> {
        self.queue.iter().filter_map(|Reverse(entry)| {
            let cohort = self.cohorts.get(entry.cohort)?;
            Some((cohort.tags.clone(), entry.due))
        })
    }

    /// The positions of all tags of the round's cohort; none if it has none.
    pub(super) fn tags_of(&self, round: &Round) -> Range<usize> {
        let cohort = round.cohort.and_then(|cohort| self.cohorts.get(cohort));
        cohort.map(|cohort| cohort.tags.clone()).unwrap_or_default()
    }

    /// A slot that passed while the round waited or was going on is kept and is due at once, so that a host that cannot
    /// keep up is asked as often as it can bear (D9); of several such slots only the last is kept.
    fn next_entry(&self, round: &Round, now: Duration) -> Option<Entry> {
        let position = round.cohort?;
        let cohort = self.cohorts.get(position)?;
        let earliest = match round.turn {
            Turn::Only => return None,
            Turn::Eager { coming } => coming,
            Turn::Slot(done) => done.saturating_add(1),
        };
        let last_passed = cohort.period_after(now).saturating_sub(1);
        Some(Entry::slot(position, cohort, earliest.max(last_passed)))
    }
}

impl Round {
    /// Tags of a host that are due because somebody asked for them.
    pub(super) fn asked(host: usize, tags: Range<usize>) -> Self {
        Self { cohort: None, host, tags, turn: Turn::Only }
    }
}

impl Entry {
    fn slot(position: usize, cohort: &Cohort, period: u64) -> Self {
        Self { due: cohort.due(period), cohort: position, turn: Turn::Slot(period) }
    }
}
