//! Tells the log what the controller decided: each note is one event, with the names of docs/events.md.

use std::path::Path;

use tracing::field::{DisplayValue, display};
use tracing::{error, info, warn};

use super::words;
use crate::controller::{BuiltImage, Finished, HoldReason, Note, Outcome, Phase};
use crate::image::{Digest, Platform, TagRef};
use crate::logging::LONGEST_VALUE;
use crate::runner;

/// How much of a failed build's output a line holds.
const LAST_LINES: usize = 20;

/// Logs `note`; `builds_dir` is where the logs of builds are.
pub(super) fn narrate(note: &Note, builds_dir: &Path) {
    match note {
        Note::TagResolved { tag, digest, reference } => info!(
            event = "tag_resolved", image = &**reference, %tag, registry = tag.host(), digest = shown(digest.as_ref()),
            "seen for the first time",
        ),
        Note::V1FiresOnce { tag, image_id } => info!(
            event = "v1_fires_once", image = tag.v1_reference(), %tag, registry = tag.host(), %image_id,
            "found on a v1 registry: it starts a build at most once, and never when it moves",
        ),
        Note::ImageChanged { tag, digest, old_digest, fan_out, held, seen_before } => info!(
            event = "image_changed", image = image(tag, digest.as_ref()), %tag, registry = tag.host(),
            digest = shown(digest.as_ref()), old_digest = shown(old_digest.as_ref()), fan_out, held, seen_before, "the tag points to another image",
        ),
        Note::IndexMoved { tag, digest, old_digest } => info!(
            event = "index_moved", image = image(tag, digest.as_ref()), %tag, registry = tag.host(),
            digest = shown(digest.as_ref()), old_digest = shown(old_digest.as_ref()),
            "no image in it changed that a build is for",
        ),
        Note::TagHeld { tag, digest, platforms } => warn!(
            event = "tag_held", %tag, registry = tag.host(), digest = shown(digest.as_ref()),
            platforms = listed(platforms), "the image lacks a platform that is built for: nothing starts until it is back",
        ),
        Note::TriggerFired { config, build, tag, digest, old_digest } => info!(
            event = "trigger_fired", build_config = %config, %build, image = image(tag, digest.as_ref()), %tag,
            digest = shown(digest.as_ref()), old_digest = shown(old_digest.as_ref()), "a build is made",
        ),
        Note::TriggerSwallowed { config, build, tag, digest } => info!(
            event = "trigger_swallowed", build_config = %config, %build, %tag, digest = shown(digest.as_ref()),
            "a build that it did not cause covers this image",
        ),
        Note::TriggerRecorded { config, tag, digest } => info!(
            event = "trigger_recorded", build_config = %config, %tag, digest = shown(digest.as_ref()),
            "the image is remembered, nothing is built",
        ),
        Note::TriggerPaused { config, tag, by, reason, until } => info!(
            event = "trigger_paused", build_config = %config, tag = tag.as_ref().map(display), actor = by.as_str(),
            reason = reason.as_deref(), until = until.as_ref().map(display), "its moves start nothing until it is resumed",
        ),
        Note::TriggerResumed { config, tag, by } => info!(
            event = "trigger_resumed", build_config = %config, tag = tag.as_ref().map(display), actor = by.as_str(),
            "its moves start builds again",
        ),
        Note::ChangePending { config, tag, digest, reason } => {
            change_pending(config.as_str(), tag, digest.as_ref(), *reason);
        }
        Note::BuildsHeld { held, hold_above } => warn!(
            event = "builds_held",
            held,
            hold_above,
            reason = HoldReason::FirstStart.as_str(),
            "too many first builds at once: let them go with `basewatch release --all`",
        ),
        Note::BuildsReleased { released } => {
            info!(event = "builds_released", released, "first builds are let go");
        }
        Note::BuildQueued { build, urgency } => info!(
            event = "build_queued", build_config = %build.config, %build, cause = words::cause(*urgency),
            actor = words::actor(*urgency),             "waits its turn",
        ),
        Note::BuildStarted { build, attempt } => info!(
            event = "build_started", build_config = %build.config, %build, attempt, "is started",
        ),
        Note::BuildRetrying { build, attempt, outcome, wait, tail } => warn!(
            event = "build_retrying", build_config = %build.config, %build, attempt,
            exit = words::exit(outcome), reason = words::outcome(outcome), next_attempt_ms = words::millis(*wait),
            tail = joined(tail), "the attempt failed and is repeated",
        ),
        Note::BuildSuperseded { build, by } => info!(
            event = "build_superseded", build_config = %build.config, %build, %by,
            "a newer build takes its place",
        ),
        Note::BuildCancelled { build, reason } => info!(
            event = "build_cancelled", build_config = %build.config, %build,
            reason = words::cancel_reason(*reason), "is called off",
        ),
        Note::BuildInterrupted { build, attempt } => warn!(
            event = "build_interrupted", build_config = %build.config, %build, attempt,
            "the attempt was cut off through no fault of the build",
        ),
        Note::BuildFinished(finished) => build_finished(finished, builds_dir),
    }
}

/// A paused trigger is as its owner wants it; an image that cannot be resolved is not.
fn change_pending(build_config: &str, tag: &TagRef, digest: Option<&Digest>, why: HoldReason) {
    let (digest, reason) = (shown(digest), why.as_str());
    match why {
        HoldReason::Paused
        | HoldReason::FirstStart
        | HoldReason::FirstLook
        | HoldReason::PlatformMissing
        | HoldReason::PlatformsUnknown => {
            info!(
                event = "change_pending", build_config, %tag, digest, reason,
                "a newer image may not start a build yet",
            );
        }
        HoldReason::StrategyUnresolved => warn!(
            event = "change_pending", build_config, %tag, digest, reason,
            "a newer image cannot be built before the first of the watch's images is found",
        ),
    }
}

/// The end of a build. A failure is for a person: whatever could be repeated has been.
fn build_finished(finished: &Finished, builds_dir: &Path) {
    let Finished { build, phase, outcome, attempts, elapsed, failures_in_row, images, commit, tail } =
        finished;
    let images = made(images);
    let commit = commit.as_deref();
    let build_config = &build.config;
    let exit = outcome.as_ref().and_then(words::exit);
    let elapsed_ms = words::millis(*elapsed);
    if phase.is_failure() {
        error!(
            event = "build_finished", %build_config, %build, phase = phase.name(), exit,
            reason = reason(phase, outcome.as_ref()), attempts, elapsed_ms, failures_in_row, images, commit,
            tail = joined(tail), log = %runner::log_file(builds_dir, build).display(),
            "the build did not succeed",
        );
    } else {
        info!(
            event = "build_finished", %build_config, %build, phase = phase.name(), exit, attempts, elapsed_ms,
            images, commit, "the build is over",
        );
    }
}

/// Why a build failed: that an attempt could not start is told as where it is repeated, all else by the phase, which
/// knows more than the last attempt.
fn reason(phase: &Phase, outcome: Option<&Outcome>) -> Option<String> {
    match outcome {
        Some(outcome @ Outcome::NotStarted(_)) => words::outcome(outcome),
        Some(Outcome::Complete | Outcome::Failed(_) | Outcome::Interrupted | Outcome::Cancelled) | None => {
            words::phase_reason(phase)
        }
    }
}

/// What a build made, each by where it is and by its digest.
fn made(images: &[BuiltImage]) -> Option<String> {
    let images: Vec<String> =
        images.iter().map(|image| format!("{}@{}", image.reference, image.digest)).collect();
    (!images.is_empty()).then(|| images.join(", "))
}

fn image(tag: &TagRef, digest: Option<&Digest>) -> String {
    digest.map_or_else(|| tag.to_string(), |digest| tag.pinned(digest))
}

fn shown(digest: Option<&Digest>) -> Option<DisplayValue<&Digest>> {
    digest.map(display)
}

fn listed(platforms: &[Platform]) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The last lines, as many as the log can hold: what a build said at its end is worth more than what came before.
fn joined(tail: &[String]) -> Option<String> {
    let mut length = 0;
    let fits = |line: &&String| {
        length += line.len() + "\n".len();
        length <= LONGEST_VALUE
    };
    let count = tail.iter().rev().take(LAST_LINES).take_while(fits).count().max(1);
    let last = tail.get(tail.len().saturating_sub(count)..)?;
    (!last.is_empty()).then(|| last.join("\n"))
}

#[cfg(test)]
mod tests;
