//! The lines of the log: what was received, and what was refused.

use std::net::IpAddr;

use super::refusals::Told;
use crate::controller::{BuildKey, ConfigKey, HookKind};

/// A call was taken. `build` is what was made for it; without one, `reason` says why nothing was.
pub fn tell_received(
    actor: IpAddr,
    config: &ConfigKey,
    hook: HookKind,
    build: Option<&BuildKey>,
    commit: Option<&str>,
    reason: Option<&str>,
) {
    tracing::info!(
        event = "webhook_received",
        build_config = %config,
        build = build.map(tracing::field::display),
        hook = hook.as_str(),
        %actor,
        commit,
        reason,
        "a webhook call was taken"
    );
}

/// Calls were refused, `told.count` of one kind.
pub(super) fn tell_refused(told: &Told) {
    let Told { actor, reason, config, error, count } = told;
    tracing::warn!(
        event = "webhook_refused",
        build_config = config.as_ref().map(tracing::field::display),
        actor = actor.as_ref().map(tracing::field::display),
        reason,
        error = error.as_deref(),
        count,
        "a webhook call was refused"
    );
}
