//! Which tags are asked for together, and when. Pure.
//!
//! A hash decides both, so that a restart changes neither and nothing needs to be stored. A cohort is a range of
//! hashes of the tags of one host and interval: adding a tag can split one cohort and moves no other.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::plan::{HostPlan, TagPlan, Until};
use super::stretch::Stretch;
use crate::image::TagRef;
use crate::registry::{Depth, Known};

/// At most this many tags share a cohort: one connection and one token serve them all, and a host is still asked
/// evenly.
pub(super) const SIZE: usize = 20;

/// A shorter interval would be all work and no wait.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// Tags of one host and interval that are polled one after the other.
#[derive(Debug)]
pub(super) struct Cohort {
    /// The position of the host in the plan.
    pub(super) host: usize,
    /// The positions of the tags, those that cannot wait in front.
    pub(super) tags: Range<usize>,
    /// The positions of the tags that cannot wait for their slot at the start.
    pub(super) eager: Range<usize>,
    /// In nanoseconds, as all times here.
    interval: u64,
    phase: u64,
    seed: u64,
}

/// What there is to know of each tag, by position: host by host, cohort by cohort.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) tags: Vec<TagRef>,
    pub(super) depths: Vec<Depth>,
    pub(super) intervals: Vec<Duration>,
    pub(super) known: Vec<Option<Known>>,
    pub(super) eager: Vec<bool>,
    pub(super) until: Vec<Until>,
}

impl Layout {
    /// Makes room for just so many more tags: what they have is kept as it is for as long as the plan holds.
    fn reserve(&mut self, tags: usize) {
        self.tags.reserve_exact(tags);
        self.depths.reserve_exact(tags);
        self.intervals.reserve_exact(tags);
        self.known.reserve_exact(tags);
        self.eager.reserve_exact(tags);
        self.until.reserve_exact(tags);
    }
}

/// Lays the tags of `plan` out, cohort by cohort, at intervals that its host can bear.
pub(super) fn gather(host: usize, plan: HostPlan, layout: &mut Layout) -> Vec<Cohort> {
    let stretch = Stretch::of(&plan);
    layout.reserve(plan.tags.len());
    let mut by_interval: BTreeMap<Duration, Vec<Member>> = BTreeMap::new();
    for tag in plan.tags {
        let hash = hash(&[tag.tag.as_str().as_bytes()]);
        by_interval
            .entry(stretch.apply(tag.interval).max(SHORTEST_INTERVAL))
            .or_default()
            .push(Member { hash, tag });
    }
    let mut cohorts = Vec::new();
    for (interval, mut members) in by_interval {
        members.sort_by_key(|member| member.hash);
        let interval = nanos(interval);
        let credential = plan.credential.as_deref().unwrap_or_default();
        let seed = hash(&[plan.host.as_bytes(), credential.as_bytes(), &interval.to_be_bytes()]);
        let mut group = Group { host, interval, seed, layout, cohorts: &mut cohorts };
        group.split(&mut members, 0, u64::BITS);
    }
    cohorts
}

impl Cohort {
    /// When the cohort is due in `period`: at its phase, give or take a tenth of the interval (D9).
    pub(super) fn due(&self, period: u64) -> Duration {
        let jitter = hash(&[&self.seed.to_be_bytes(), &period.to_be_bytes()]) % (2 * self.tenth() + 1);
        let slot = period.saturating_mul(self.interval).saturating_add(self.phase);
        Duration::from_nanos(slot.saturating_add(jitter).saturating_sub(self.tenth()))
    }

    /// The first period in which the cohort is due after `at`.
    pub(super) fn period_after(&self, at: Duration) -> u64 {
        let latest_phase = self.phase.saturating_add(self.tenth());
        let first = nanos(at).saturating_sub(latest_phase) / self.interval;
        (first..).find(|period| self.due(*period) > at).unwrap_or(u64::MAX)
    }

    fn tenth(&self) -> u64 {
        self.interval / 10
    }
}

struct Member {
    hash: u64,
    tag: TagPlan,
}

/// The tags of one host and interval on their way into cohorts.
struct Group<'a> {
    host: usize,
    interval: u64,
    seed: u64,
    layout: &'a mut Layout,
    cohorts: &'a mut Vec<Cohort>,
}

impl Group<'_> {
    /// Halves the range of hashes that starts at `low` and is `bits` wide until each part is small enough.
    fn split(&mut self, members: &mut [Member], low: u64, bits: u32) {
        let Some(bits) = bits.checked_sub(1).filter(|_| members.len() > SIZE) else {
            return self.add(members, low);
        };
        let middle = low | 1 << bits;
        let half = members.partition_point(|member| member.hash < middle);
        let (lower, upper) = members.split_at_mut(half);
        self.split(lower, low, bits);
        self.split(upper, middle, bits);
    }

    fn add(&mut self, members: &mut [Member], low: u64) {
        if members.is_empty() {
            return;
        }
        members.sort_by_key(|member| !member.tag.eager);
        let start = self.layout.tags.len();
        let eager = start + members.iter().filter(|member| member.tag.eager).count();
        self.layout.tags.extend(members.iter().map(|member| member.tag.tag.clone()));
        self.layout.depths.extend(members.iter().map(|member| member.tag.depth));
        self.layout.intervals.extend(members.iter().map(|member| member.tag.interval));
        self.layout.eager.extend(members.iter().map(|member| member.tag.eager));
        self.layout.until.extend(members.iter().map(|member| member.tag.until));
        self.layout.known.extend(members.iter_mut().map(|member| member.tag.known.take()));
        self.cohorts.push(Cohort {
            host: self.host,
            tags: start..self.layout.tags.len(),
            eager: start..eager,
            interval: self.interval,
            phase: self.phase(low),
            seed: hash(&[&self.seed.to_be_bytes(), &low.to_be_bytes()]),
        });
    }

    /// Each group starts somewhere else, and its cohorts stand as far apart as their hashes: hashes are even, so a
    /// host is asked evenly.
    fn phase(&self, low: u64) -> u64 {
        let share = (u128::from(self.interval) * u128::from(low)) >> u64::BITS;
        let phase = (u128::from(self.seed) + share) % u128::from(self.interval);
        u64::try_from(phase).unwrap_or_default()
    }
}

/// The same in every process and version, unlike the standard library's.
pub(super) fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
