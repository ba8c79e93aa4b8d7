//! The lines that polling writes: one per change of state, a poll as such only at debug.

use std::time::Duration;

use jiff::Timestamp;
use tracing::field::display;

use super::Stretched;
use super::condition::{Condition, News, Trouble};
use super::ground::Host;
use crate::image::{Found, TagRef};

/// A poll is over.
pub(super) fn polled(tag: &TagRef, result: &Result<Found, Trouble>, elapsed: Duration) {
    let elapsed_ms = millis(elapsed);
    let registry = tag.host();
    match result {
        Ok(Found { polled, .. }) => {
            let (digest, image_id) = (polled.digest().map(display), polled.image_id().map(display));
            tracing::debug!(event = "polled", %tag, registry, digest, image_id, elapsed_ms, "tag polled");
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

/// A host is left alone.
pub(super) fn backing_off(registry: &str, condition: &Condition, next_poll: Option<Duration>) {
    let Condition { trouble: Trouble { kind: reason, message: error, .. }, count, .. } = condition;
    let next_poll_ms = next_poll.map(millis);
    tracing::warn!(
        event = "registry_backing_off",
        registry,
        error,
        reason,
        count,
        next_poll_ms,
        "registry is in trouble and is left alone for a while"
    );
}

/// The login of a host is of no use.
pub(super) fn rejected(registry: &str, condition: &Condition) {
    let Trouble { kind: reason, message: error, .. } = &condition.trouble;
    tracing::error!(event = "credential_rejected", registry, error, reason, "login is of no use");
}

/// A host, or its login, is well again.
pub(super) fn host_recovered(registry: &str, condition: &Condition, now: Timestamp) {
    let Condition { trouble: Trouble { kind: reason, .. }, since, count } = condition;
    let elapsed_ms = millis(now.duration_since(*since).try_into().unwrap_or_default());
    tracing::info!(
        event = "registry_recovered", registry, reason, count, %since, elapsed_ms,
        "registry is well again"
    );
}

/// The tags of a host are polled less often than they should be.
pub(super) fn stretched(host: &Host) {
    let Some(Stretched { wanted, interval }) = host.stretched else { return };
    tracing::warn!(
        event = "registry_interval_stretched",
        registry = host.name,
        tags = host.tags.len(),
        interval_ms = millis(interval),
        wanted_ms = millis(wanted),
        "registry's requests_per_second is too low for its tags: they are polled less often"
    );
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
