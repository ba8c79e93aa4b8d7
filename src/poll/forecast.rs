//! When each tag is polled next, as far as can be told now. Pure: time comes in.

use std::ops::Range;
use std::time::Duration;

use super::lane::{Lane, Step};
use super::progress::Progress;

impl Progress {
    /// How long until the tag of `step`, which is being polled, is due again; `None` if never.
    pub(super) fn next_poll(&self, step: &Step, now: Duration) -> Option<Duration> {
        let mut going = self.hosts.get(step.host)?.going.iter();
        let going = going.find(|going| going.name == step.round)?;
        let due = match going.round.cohort {
            Some(_) => self.schedule.due_after(&going.round, now),
            None => self.due_of(step.tag, now),
        };
        let held = self.hosts.get(step.host).and_then(|host| host.held).map(|held| held.until);
        due.map(|due| due.max(held.unwrap_or_default()).saturating_sub(now))
    }

    /// When the cohort of a tag is due, whether it waits for that or is being polled.
    fn due_of(&self, tag: usize, now: Duration) -> Option<Duration> {
        let waiting = self.schedule.waiting().find(|(tags, _)| tags.contains(&tag)).map(|(_, due)| due);
        let mut rounds = self.hosts.iter().flat_map(Lane::rounds);
        let going = || {
            let round = rounds.find(|round| self.schedule.tags_of(round).contains(&tag))?;
            self.schedule.due_after(round, now)
        };
        waiting.or_else(going)
    }

    /// How long until each tag is polled next: zero while it waits for its host, unless that is held. One that is being
    /// polled now waits for its next slot, as one that was polled.
    pub(super) fn next_polls(
        &self,
        tags: usize,
        tags_of_hosts: impl Iterator<Item = Range<usize>>,
        now: Duration,
    ) -> Vec<Option<Duration>> {
        let mut next = vec![None; tags];
        let mut set = |tags: Range<usize>, due: Option<Duration>| {
            let wait = due.map(|due| due.saturating_sub(now));
            next.get_mut(tags).unwrap_or_default().fill(wait);
        };
        for (tags, due) in self.schedule.waiting() {
            set(tags, Some(due));
        }
        for round in self.hosts.iter().flat_map(Lane::rounds) {
            set(self.schedule.tags_of(round), self.schedule.due_after(round, now));
        }
        for tags in self.hosts.iter().flat_map(Lane::waiting_tags) {
            set(tags, Some(now));
        }
        for (host, tags) in self.hosts.iter().zip(tags_of_hosts) {
            let Some(held) = host.held else { continue };
            let wait = held.until.saturating_sub(now);
            for next in next.get_mut(tags).unwrap_or_default().iter_mut().flatten() {
                *next = wait.max(*next);
            }
            for tag in &host.later {
                if let Some(next) = next.get_mut(*tag) {
                    *next = Some(wait);
                }
            }
        }
        next
    }
}
