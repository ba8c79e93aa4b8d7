//! How often builds of one config may be asked for: a bucket of permits that fills as time passes. Pure.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::controller::ConfigKey;

/// How long a config that nobody asked for may save up.
const SAVED: f64 = 5.0;

/// The least that can be asked for at once: a push of several branches is several calls.
const LEAST: f64 = 5.0;

/// The permits of every config that was asked for.
#[derive(Debug, Default)]
pub(super) struct Buckets(HashMap<ConfigKey, Bucket>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    permits: f64,
    filled: Instant,
}

impl Buckets {
    /// Takes a permit.
    ///
    /// # Errors
    /// How long until there is one.
    pub(super) fn take(&mut self, config: &ConfigKey, rate: f64, now: Instant) -> Result<(), Duration> {
        let size = (rate * SAVED).max(LEAST);
        let bucket = self.0.entry(config.clone()).or_insert(Bucket { permits: size, filled: now });
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.permits = (bucket.permits + passed * rate).min(size);
        bucket.filled = now;
        if bucket.permits < 1.0 {
            // A rate of next to nothing is a wait of more than a Duration can hold.
            let wait = (1.0 - bucket.permits) / rate;
            return Err(Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX));
        }
        bucket.permits -= 1.0;
        Ok(())
    }

    /// Forgets configs that have no hooks any more.
    pub(super) fn keep(&mut self, has_hooks: impl Fn(&ConfigKey) -> bool) {
        self.0.retain(|config, _| has_hooks(config));
    }
}
