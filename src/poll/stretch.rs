//! How much longer the intervals of a host become where its tags would ask for more than its budget. Pure.

use std::time::Duration;

use super::HostPlan;

/// The factor is rounded up to a part of this size, so that one tag more or less does not move all slots of the host.
const PARTS: f64 = 16.0;

/// What all intervals of a host are multiplied by: each tag bears its share (D9).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch(f64);

/// The shortest interval of a host whose budget is too small for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretched {
    /// As it is configured.
    pub wanted: Duration,
    /// As it is kept.
    pub interval: Duration,
}

impl Stretch {
    /// Each tag asks once in its interval, at the least; the host's budget must bear that.
    pub(super) fn of(plan: &HostPlan) -> Self {
        let wanted: f64 = lasting(plan).map(|interval| interval.as_secs_f64().recip()).sum();
        let factor = plan.limits.requests_per_second.map_or(1.0, |rate| wanted / rate);
        // A rate that makes no sense is the budget's to deal with.
        Self(if factor.is_finite() && factor > 1.0 { (factor * PARTS).ceil() / PARTS } else { 1.0 })
    }

    /// What becomes of an interval.
    pub(super) fn apply(self, interval: Duration) -> Duration {
        const LONGEST: Duration = Duration::from_hours(1_000_000);
        if self.0 > 1.0 {
            Duration::try_from_secs_f64(interval.as_secs_f64() * self.0).unwrap_or(LONGEST)
        } else {
            interval
        }
    }

    /// What to say of it; nothing if all intervals are kept.
    pub(super) fn told(self, plan: &HostPlan) -> Option<Stretched> {
        let wanted = lasting(plan).min()?;
        let interval = self.apply(wanted);
        (interval != wanted).then_some(Stretched { wanted, interval })
    }
}

/// The intervals of the tags that are polled for good: one success of another costs nothing that is worth counting.
fn lasting(plan: &HostPlan) -> impl Iterator<Item = Duration> {
    plan.tags.iter().filter(|tag| !tag.until.is_once()).map(|tag| tag.interval)
}
