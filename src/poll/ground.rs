//! What a plan comes to: which tag stands where, host by host, cohort by cohort.
//!
//! It never changes; another plan is another ground. Polls in flight hold the one they began on.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::cohort::{Cohort, Layout, gather};
use super::gate::HostGate;
use super::stretch::{Stretch, Stretched};
use super::{Limits, Plan, Until};
use crate::image::TagRef;
use crate::registry::{Depth, Known};

/// How many tags may share a token. Fewer than a cohort would waste tokens, many more would not fit in a header.
const GROUP: usize = 25;

/// Every tag and every host of a plan.
#[derive(Debug)]
pub(super) struct Ground {
    /// Host by host, cohort by cohort.
    pub(super) tags: Vec<TagRef>,
    /// As long as the tags.
    pub(super) depths: Vec<Depth>,
    /// As long as the tags.
    intervals: Vec<Duration>,
    /// As long as the tags: for which one success is enough.
    once: Box<[bool]>,
    /// In the order of the plan.
    pub(super) hosts: Vec<Host>,
}

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) limits: Limits,
    credential: Option<String>,
    /// What the budget makes of the shortest interval, if that is too short for it.
    pub(super) stretched: Option<Stretched>,
    /// The positions of its tags.
    pub(super) tags: Range<usize>,
    /// The one way to its budget.
    pub(super) gate: Arc<HostGate>,
}

/// A ground, and what the plan said besides.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) ground: Ground,
    pub(super) cohorts: Vec<Cohort>,
    /// As long as the tags: what each pointed to.
    pub(super) known: Vec<Option<Known>>,
    /// As long as the tags: which cannot wait.
    pub(super) eager: Vec<bool>,
    /// As long as the tags: how long each is polled without being asked for.
    pub(super) until: Vec<Until>,
}

/// Lays `plan` out; `gate` has the gate of each host.
pub(super) fn lay(plan: Plan, gate: impl Fn(&str, Limits) -> Arc<HostGate>) -> Laid {
    let mut layout = Layout::default();
    let mut hosts = Vec::with_capacity(plan.hosts.len());
    let mut cohorts = Vec::new();
    for (position, host) in plan.hosts.into_iter().enumerate() {
        let (name, limits, credential) = (host.host.clone(), host.limits, host.credential.clone());
        let (first, stretched) = (layout.tags.len(), Stretch::of(&host).told(&host));
        cohorts.extend(gather(position, host, &mut layout));
        let gate = gate(&name, limits);
        hosts.push(Host { name, limits, credential, stretched, tags: first..layout.tags.len(), gate });
    }
    let Layout { tags, depths, intervals, known, eager, until } = layout;
    let once = until.iter().map(|until| until.is_once()).collect();
    Laid { ground: Ground { tags, depths, intervals, once, hosts }, cohorts, known, eager, until }
}

impl Ground {
    /// Where each tag stands.
    pub(super) fn positions(&self) -> HashMap<&TagRef, usize> {
        self.tags.iter().enumerate().map(|(position, tag)| (tag, position)).collect()
    }

    /// The position of the host of the tag at `position`.
    pub(super) fn host_of(&self, position: usize) -> usize {
        self.hosts.partition_point(|host| host.tags.end <= position)
    }

    /// Whether `plan` would be laid out just like this: the same hosts and tags, asked as often and as politely.
    pub(super) fn is_of(&self, plan: &Plan, positions: &HashMap<&TagRef, usize>) -> bool {
        let tags: usize = plan.hosts.iter().map(|host| host.tags.len()).sum();
        let same_hosts = self.hosts.len() == plan.hosts.len()
            && self.hosts.iter().zip(&plan.hosts).all(|(host, plan)| {
                host.name == plan.host && host.limits == plan.limits && host.credential == plan.credential
            });
        let same_tag = |tag: &super::TagPlan| {
            positions.get(&tag.tag).is_some_and(|position| {
                self.intervals.get(*position) == Some(&tag.interval)
                    && self.depths.get(*position) == Some(&tag.depth)
                    && self.once.get(*position) == Some(&tag.until.is_once())
            })
        };
        same_hosts && self.tags.len() == tags && plan.hosts.iter().flat_map(|host| &host.tags).all(same_tag)
    }
}

impl Host {
    /// The tags that share a token with the one at `position`: blocks of what is polled one after the other, so that each
    /// tag belongs to exactly one and a round needs one token for each.
    pub(super) fn group<'t>(&self, tags: &'t [TagRef], position: usize) -> &'t [TagRef] {
        let first = position - position.saturating_sub(self.tags.start) % GROUP;
        tags.get(first..(first + GROUP).min(self.tags.end)).unwrap_or_default()
    }
}
