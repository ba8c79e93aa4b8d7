//! How politely a host is asked. Pure: time comes in.

use std::time::Duration;

/// What a host may be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Polls in flight at once, at least 1.
    pub max_connections: usize,
    /// Requests that may leave in a second; `None` for no limit.
    pub requests_per_second: Option<f64>,
}

/// The requests that a host may still be sent, by the generic cell rate algorithm: one number instead of a bucket.
///
/// After a quiet while as many requests may leave at once as there are connections, but no more than a second's worth;
/// then one per gap.
#[derive(Debug)]
pub(super) struct Budget {
    /// The time between two requests at the full rate.
    gap: Duration,
    /// How far the requests may run ahead of the rate.
    ahead: Duration,
    /// When the next request would leave if all kept to the rate.
    next: Duration,
}

impl Budget {
    /// Nothing is spent yet.
    pub(super) fn new(limits: Limits) -> Self {
        let gap = limits.requests_per_second.map_or(Duration::ZERO, gap);
        Self { gap, ahead: gap.saturating_mul(burst(limits).saturating_sub(1)), next: Duration::ZERO }
    }

    /// Other limits hold from `now` on; the requests that are ahead of the rate are as many as before.
    pub(super) fn limit(&mut self, limits: Limits, now: Duration) {
        let spent = self.next.saturating_sub(now);
        let fresh = Self::new(limits);
        let requests = if self.gap.is_zero() { 0.0 } else { spent.div_duration_f64(self.gap) };
        let still_spent = Duration::try_from_secs_f64(fresh.gap.as_secs_f64() * requests);
        *self = Self { next: now.saturating_add(still_spent.unwrap_or_default()), ..fresh };
    }

    /// Whether at `now` fewer requests may leave than if none had left.
    pub(super) fn is_spent(&self, now: Duration) -> bool {
        self.next > now
    }

    /// Spends one request at the monotonic instant `now`.
    ///
    /// # Errors
    /// How long to wait before asking again, if none is left.
    pub(super) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let wait = self.next.saturating_sub(self.ahead).saturating_sub(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.next = self.next.max(now).saturating_add(self.gap);
        Ok(())
    }
}

/// How many requests may leave at once. Many connections are for answers that are slow, not for a flood: a hundred of
/// them at one request a second would send a hundred at the start. A rate that makes no sense becomes 0 here.
fn burst(limits: Limits) -> u32 {
    let connections = u32::try_from(limits.max_connections).unwrap_or(u32::MAX);
    let of_a_second = limits.requests_per_second.map_or(u32::MAX, |rate| rate.ceil() as u32);
    connections.min(of_a_second).max(1)
}

/// Rounded up, so that the rate is never exceeded; no rate is slower than one request an hour.
fn gap(rate: f64) -> Duration {
    const LONGEST: Duration = Duration::from_hours(1);
    const SECOND: f64 = 1e9;
    if rate > 0.0 { Duration::from_nanos((SECOND / rate).ceil() as u64).min(LONGEST) } else { LONGEST }
}
