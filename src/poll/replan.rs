//! From one plan to the next without forgetting anything.
//!
//! A tag in both keeps its health and what it pointed to; a host in both keeps its gate, and with it what it was asked.
//! When a tag is due follows from hashes alone, so a slot that did not move is met as if nothing had happened.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::books::Books;
use super::condition::Health;
use super::gate::HostGate;
use super::ground::{Ground, Laid, lay};
use super::lane::{Going, Step};
use super::log;
use super::progress::Progress;
use super::schedule::{Round, Schedule};
use super::{Mode, Plan, Until};
use crate::registry::{Depth, Known};

/// No more gates of hosts are kept that no plan has any more.
const MOST_GONE: usize = 1_024;

impl Books {
    /// Goes on with `plan` from `now` on. Answers the rounds whose poll in flight is to be called off: its tag is gone.
    ///
    /// Polling once is over before a plan can change; there this does nothing.
    pub(super) fn replan(&mut self, plan: Plan, now: Duration, wall: Timestamp) -> Vec<u64> {
        match self.mode {
            Mode::Once => Vec::new(),
            Mode::Continuous if self.ground.is_of(&plan, &self.ground.positions()) => self.take_over(plan),
            Mode::Continuous => self.change(plan, now, wall),
        }
    }

    /// Nothing moves, but the plan may know better what the tags point to, and which of them cannot wait any more.
    fn take_over(&mut self, plan: Plan) -> Vec<u64> {
        let ground = Arc::clone(&self.ground);
        let positions = ground.positions();
        let mut due = Vec::new();
        for tag in plan.hosts.into_iter().flat_map(|host| host.tags) {
            let Some(&position) = positions.get(&tag.tag) else { continue };
            if let Some(known) = self.known.get_mut(position) {
                *known = fresher(known.take(), tag.known);
            }
            if let Some(eager) = self.eager.get_mut(position) {
                due.extend((tag.eager && !*eager).then_some(position));
                *eager = tag.eager;
            }
            if let Some(until) = self.until.get_mut(position) {
                *until = tag.until.going_on_from(*until);
            }
        }
        due.sort_unstable();
        self.due_now(&due);
        Vec::new()
    }

    fn change(&mut self, plan: Plan, now: Duration, wall: Timestamp) -> Vec<u64> {
        let old = Arc::clone(&self.ground);
        let at = |name: &str| old.hosts.iter().position(|host| host.name == name);
        let gate = |name: &str, limits| match at(name).and_then(|position| old.hosts.get(position)) {
            Some(host) => Arc::clone(&host.gate),
            None => match self.gone.get(name) {
                Some(gate) => Arc::clone(gate),
                None => Arc::new(HostGate::new(name, limits, self.clock)),
            },
        };
        let Laid { ground, cohorts, mut known, eager, mut until } = lay(plan, gate);
        let mut hosts = Vec::with_capacity(ground.hosts.len());
        for host in &ground.hosts {
            host.gate.limit(host.limits);
            let was = at(&host.name);
            if was.and_then(|was| old.hosts.get(was)).is_none_or(|old| old.stretched != host.stretched) {
                log::stretched(host);
            }
            hosts.push(was.and_then(|was| self.hosts.get_mut(was)).map(std::mem::take).unwrap_or_default());
        }

        let before = old.positions();
        let mut health = Vec::with_capacity(ground.tags.len());
        let mut due = Vec::new();
        for (position, tag) in ground.tags.iter().enumerate() {
            let was = before.get(tag).copied();
            let taken = was.and_then(|was| self.health.get_mut(was)).map(std::mem::take);
            health.push(taken.unwrap_or_default());
            if let (Some(was), Some(known)) = (was, known.get_mut(position)) {
                *known = fresher(self.known.get_mut(was).and_then(Option::take), known.take());
            }
            let deeper = looks_deeper(&old, was, &ground, position);
            if let (Some(before), Some(until)) =
                (was.and_then(|was| self.until.get(was)), until.get_mut(position))
            {
                // What was enough for the last plan may not be for this one.
                *until = if deeper { *until } else { until.going_on_from(*before) };
            }
            let was_eager = was.and_then(|was| self.eager.get(was)).copied().unwrap_or_default();
            let cannot_wait = eager.get(position).copied().unwrap_or_default() && !was_eager;
            due.extend((cannot_wait || deeper).then_some(position));
        }

        let connections = ground.hosts.iter().map(|host| host.limits.max_connections);
        let progress = Progress::new(Schedule::slots(cohorts, now), connections);
        let old_progress = std::mem::replace(&mut self.progress, progress);
        let after = ground.positions();
        let moved = |position: usize| {
            let position = *after.get(old.tags.get(position)?)?;
            Some((ground.host_of(position), position))
        };
        let is_scheduled = |position: usize| until.get(position) != Some(&Until::Asked);
        let gone = self.progress.go_on_from(old_progress, now, moved, is_scheduled);
        for (position, host) in ground.hosts.iter().enumerate() {
            if let Some(until) = host.gate.closed_until() {
                self.progress.hold(position, until);
            }
        }
        self.part(&old, &ground, wall);
        (self.health, self.known, self.hosts) = (health, known, hosts);
        (self.eager, self.until) = (eager, until);
        self.ground = Arc::new(ground);
        self.forget_logins(wall);
        self.due_now(&due);
        gone
    }

    /// Hosts that are not in the new plan are told of no more, but a plan that brings one back does not find it open before
    /// its time, nor its budget unspent.
    fn part(&mut self, old: &Ground, new: &Ground, wall: Timestamp) {
        let names: BTreeSet<&str> = new.hosts.iter().map(|host| host.name.as_str()).collect();
        for (host, health) in old.hosts.iter().zip(&mut self.hosts) {
            if !names.contains(host.name.as_str()) {
                health.opened(&host.name, wall);
                health.login_accepted(&host.name, wall);
                self.gone.insert(host.name.clone(), Arc::clone(&host.gate));
            }
        }
        self.gone.retain(|name, gate| !names.contains(name.as_str()) && gate.is_needed());
        while self.gone.len() > MOST_GONE {
            self.gone.pop_first();
        }
    }

    /// Nobody is left to tell that a login is accepted again where all tags that lacked it are gone.
    fn forget_logins(&mut self, wall: Timestamp) {
        for (host, host_health) in self.ground.hosts.iter().zip(&mut self.hosts) {
            let tags = self.health.get(host.tags.clone()).unwrap_or_default();
            if !tags.iter().any(Health::lacks_login) {
                host_health.login_accepted(&host.name, wall);
            }
        }
    }
}

impl Progress {
    /// Goes on where `old` stood, before another plan moved its tags: what is in flight stays so, and what was due or
    /// under way is due now. `moved` says where a tag of `old` stands now, and `is_scheduled` whether the one that stands
    /// there has slots. Answers the rounds whose tag in flight is gone.
    pub(super) fn go_on_from(
        &mut self,
        mut old: Self,
        now: Duration,
        moved: impl Fn(usize) -> Option<(usize, usize)>,
        is_scheduled: impl Fn(usize) -> bool,
    ) -> Vec<u64> {
        while let Some(round) = old.schedule.take_due(now) {
            old.wait(round);
        }
        self.next_round = old.next_round;
        let mut gone = Vec::new();
        let mut due: Vec<(usize, usize)> = Vec::new();
        for progress in old.hosts {
            for round in progress.rounds() {
                let is_wanted = |(_, tag): &(usize, usize)| round.cohort.is_none() || is_scheduled(*tag);
                due.extend(round.tags.clone().filter_map(&moved).filter(is_wanted));
            }
            // A slot that passed while its host could not keep up is kept; one that passed while it was left alone is not.
            for round in progress.rounds().filter(|_| progress.held.is_none()) {
                if old.schedule.due_after(round, now).is_some_and(|due| due <= now) {
                    let tags = old.schedule.tags_of(round).filter_map(&moved);
                    due.extend(tags.filter(|(_, tag)| is_scheduled(*tag)));
                }
            }
            for (host, tag) in progress.later.iter().copied().filter_map(&moved) {
                self.ask_later(&Step { host, tag, round: 0 });
            }
            let before = progress.held;
            for Going { name, tag, .. } in progress.going {
                let Some((host, tag)) = moved(tag) else {
                    gone.push(name);
                    continue;
                };
                if let Some(progress) = self.hosts.get_mut(host) {
                    // Its cohort's slot is in the new schedule, and the rest of its round is due now.
                    progress.going.push(Going { name, round: Round::asked(host, tag..tag), tag });
                    progress.held = before.filter(|held| held.prober == Some(name)).or(progress.held);
                }
            }
        }
        due.sort_unstable();
        // A tag may have been asked for beside its slot.
        due.dedup();
        for of_host in due.chunk_by(|(before, _), (after, _)| before == after) {
            let tags: Vec<usize> = of_host.iter().map(|(_, tag)| *tag).collect();
            self.ask(of_host.first().map_or(0, |(host, _)| *host), &tags);
        }
        gone
    }
}

/// Whether the index behind a tag matters now and did not before: it may never have been looked into.
fn looks_deeper(old: &Ground, was: Option<usize>, new: &Ground, position: usize) -> bool {
    let before: Option<&Depth> = was.and_then(|was| old.depths.get(was));
    before.is_some_and(|before| new.depths.get(position) > Some(before))
}

/// Polling has handed on whatever it knows, so where the two differ the plan was made before that was stored. Of one
/// digest the plan knows better: what it says was never looked into is not there.
fn fresher(running: Option<Known>, plan: Option<Known>) -> Option<Known> {
    match (running, plan) {
        (Some(running), Some(plan)) if running.digest == plan.digest => Some(plan),
        (Some(running), Some(_) | None) => Some(running),
        (None, plan) => plan,
    }
}
