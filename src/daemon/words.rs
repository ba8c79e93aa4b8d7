//! The words that the log and the control socket use for the same things.

use std::time::Duration;

use crate::controller::{CancelReason, Failure, Outcome, Phase, Urgency};

/// What brought a build about, as in `BASEWATCH_CAUSE`. First sight is an image change too.
pub(super) fn cause(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Manual => "manual",
        Urgency::Rebuild => "rebuild",
        Urgency::ConfigChange => "config-change",
        Urgency::Webhook => "webhook",
        Urgency::ImageChange | Urgency::FirstSight => "image-change",
    }
}

/// Who asked for a build, where somebody did.
pub(super) fn actor(urgency: Urgency) -> Option<&'static str> {
    match urgency {
        Urgency::Manual | Urgency::Rebuild => Some("command"),
        Urgency::Webhook => Some("webhook"),
        Urgency::ConfigChange | Urgency::ImageChange | Urgency::FirstSight => None,
    }
}

/// Why a build was called off.
pub(super) fn cancel_reason(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::Asked => "asked",
        CancelReason::Superseded(_) => "superseded",
        CancelReason::ConfigRemoved => "config_removed",
    }
}

/// How an attempt ended, in a few words; none if all went well.
pub(super) fn outcome(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Complete => None,
        Outcome::Failed(failure) => Some(failed(*failure)),
        Outcome::NotStarted(error) => Some(format!("not started: {error}")),
        Outcome::Interrupted => Some("interrupted".to_owned()),
        Outcome::Cancelled => Some("cancelled".to_owned()),
    }
}

/// Why a build is in its phase, in a few words, where the phase alone does not say it.
pub(super) fn phase_reason(phase: &Phase) -> Option<String> {
    match phase {
        Phase::New | Phase::Pending { .. } | Phase::Running | Phase::Complete => None,
        Phase::Failed(failure) => Some(failed(*failure)),
        Phase::Error(error) => Some(error.to_string()),
        Phase::Cancelled(CancelReason::Superseded(number)) => Some(format!("superseded by {number}")),
        Phase::Cancelled(reason) => Some(cancel_reason(*reason).to_owned()),
    }
}

/// The exit code, if the command got so far.
pub(super) fn exit(outcome: &Outcome) -> Option<i32> {
    match outcome {
        Outcome::Complete => Some(0),
        Outcome::Failed(Failure::Exit(code)) => Some(*code),
        Outcome::Failed(Failure::Signal(_) | Failure::DeadlineExceeded)
        | Outcome::NotStarted(_)
        | Outcome::Interrupted
        | Outcome::Cancelled => None,
    }
}

/// A time as the fields have it that end in `_ms`.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn failed(failure: Failure) -> String {
    match failure {
        Failure::Exit(code) => format!("exit {code}"),
        Failure::Signal(signal) => format!("signal {signal}"),
        Failure::DeadlineExceeded => "DeadlineExceeded".to_owned(),
    }
}
