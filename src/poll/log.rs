//! The lines that polling writes: one per change of state, a poll as such only at debug.

use std::time::Duration;

use super::condition::{News, Trouble};
use crate::image::{Found, Polled, TagRef};

/// A poll is over.
pub(super) fn polled(tag: &TagRef, result: &Result<Found, Trouble>, elapsed: Duration) {
    let elapsed_ms = millis(elapsed);
    let registry = tag.host();
    match result {
        Ok(Found { polled: Polled::Manifest(manifest), .. }) => {
            let digest = &manifest.digest;
            tracing::debug!(event = "polled", %tag, registry, %digest, elapsed_ms, "tag polled");
        }
        Ok(Found { polled: Polled::V1(image_id), .. }) => {
            tracing::debug!(event = "polled", %tag, registry, %image_id, elapsed_ms, "tag polled");
        }
        Err(Trouble { message, .. }) => {
            tracing::debug!(event = "polled", %tag, registry, error = message, elapsed_ms, "tag polled in vain");
        }
    }
}

/// A poll changed what is known about the tag's health.
pub(super) fn news(tag: &TagRef, news: &News<'_>, next_poll: Option<Duration>, elapsed: Duration) {
    let registry = tag.host();
    let next_poll_ms = next_poll.map(millis);
    let elapsed_ms = millis(elapsed);
    match news {
        News::Trouble(condition) => {
            let (error, count) = (&condition.trouble.message, condition.count);
            if condition.trouble.kind == Trouble::MISSING {
                tracing::warn!(
                    event = "tag_missing", %tag, registry, error, count, next_poll_ms, elapsed_ms,
                    "tag is missing"
                );
            } else {
                tracing::warn!(
                    event = "tag_unresolved", %tag, registry, error, count, next_poll_ms, elapsed_ms,
                    "tag cannot be resolved"
                );
            }
        }
        News::Recovered(condition) => {
            let (count, since) = (condition.count, condition.since);
            tracing::info!(
                event = "tag_recovered", %tag, registry, count, %since, next_poll_ms, elapsed_ms,
                "tag is resolved again"
            );
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
