use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::narrate;
use crate::controller::{
    BuildKey, BuiltImage, CancelReason, ConfigKey, Failure, Finished, HoldReason, Note, Outcome, PausedBy,
    Phase, ResumedBy, Urgency,
};
use crate::image::{Digest, ImageId, TagRef};
use crate::logging::{capture, catalog};

fn tag() -> TagRef {
    "registry.example.com:5000/base/ruby:2.0".parse().unwrap()
}

fn digest(seed: u8) -> Digest {
    Digest::sha256_of(&[seed])
}

fn config() -> ConfigKey {
    ConfigKey::new("default", "app")
}

fn build(number: u64) -> BuildKey {
    BuildKey { config: config(), number }
}

fn finished(phase: Phase, outcome: Option<Outcome>) -> Note {
    let tail = (1..=30).map(|line| format!("line {line}")).collect();
    let elapsed = Duration::from_millis(5210);
    Note::BuildFinished(Finished {
        build: build(7),
        phase,
        outcome,
        attempts: 3,
        elapsed,
        failures_in_row: 2,
        images: vec![BuiltImage { reference: "registry.example.com/app:1".into(), digest: digest(1) }],
        commit: Some("c0ffee".into()),
        tail,
    })
}

/// One of each, with the event and the level it must have.
fn notes() -> Vec<(Note, &'static str, &'static str)> {
    let reference = tag().pinned(&digest(1)).into();
    let failed = Outcome::Failed(Failure::Exit(2));
    let pending =
        |reason| Note::ChangePending { config: config(), tag: tag(), digest: Some(digest(1)), reason };
    let changed = Note::ImageChanged {
        tag: tag(),
        digest: Some(digest(2)),
        old_digest: Some(digest(1)),
        fan_out: 30,
        held: 1,
        seen_before: false,
    };
    let fired = Note::TriggerFired {
        config: config(),
        build: build(7),
        tag: tag(),
        digest: Some(digest(2)),
        old_digest: None,
    };
    let swallowed =
        Note::TriggerSwallowed { config: config(), build: build(7), tag: tag(), digest: Some(digest(2)) };
    let paused = Note::TriggerPaused {
        config: config(),
        tag: Some(tag()),
        by: PausedBy::Command,
        reason: Some("release freeze".into()),
        until: Some("2026-11-03T08:00:00Z".parse().unwrap()),
    };
    let resumed = Note::TriggerResumed { config: config(), tag: Some(tag()), by: ResumedBy::Until };
    let retrying = Note::BuildRetrying {
        build: build(7),
        attempt: 1,
        outcome: failed.clone(),
        wait: Duration::from_secs(300),
        tail: vec!["oh".into(), "no".into()],
    };
    vec![
        (Note::TagResolved { tag: tag(), digest: Some(digest(1)), reference }, "tag_resolved", "info"),
        (
            Note::V1FiresOnce { tag: tag(), image_id: ImageId::from_hex(&"1f".repeat(32)).unwrap() },
            "v1_fires_once",
            "info",
        ),
        (changed, "image_changed", "info"),
        (fired, "trigger_fired", "info"),
        (
            Note::IndexMoved { tag: tag(), digest: Some(digest(2)), old_digest: Some(digest(1)) },
            "index_moved",
            "info",
        ),
        (missing(), "tag_held", "warn"),
        (swallowed, "trigger_swallowed", "info"),
        (
            Note::TriggerRecorded { config: config(), tag: tag(), digest: Some(digest(1)) },
            "trigger_recorded",
            "info",
        ),
        (paused, "trigger_paused", "info"),
        (resumed, "trigger_resumed", "info"),
        (pending(HoldReason::Paused), "change_pending", "info"),
        (pending(HoldReason::StrategyUnresolved), "change_pending", "warn"),
        (Note::BuildsHeld { held: 60, hold_above: 50 }, "builds_held", "warn"),
        (Note::BuildsReleased { released: 60 }, "builds_released", "info"),
        (Note::BuildQueued { build: build(7), urgency: Urgency::FirstSight }, "build_queued", "info"),
        (Note::BuildStarted { build: build(7), attempt: 1 }, "build_started", "info"),
        (retrying, "build_retrying", "warn"),
        (Note::BuildSuperseded { build: build(7), by: build(8) }, "build_superseded", "info"),
        (
            Note::BuildCancelled { build: build(7), reason: CancelReason::ConfigRemoved },
            "build_cancelled",
            "info",
        ),
        (Note::BuildInterrupted { build: build(7), attempt: 1 }, "build_interrupted", "warn"),
        (finished(Phase::Complete, Some(Outcome::Complete)), "build_finished", "info"),
        (finished(Phase::Cancelled(CancelReason::Asked), None), "build_finished", "info"),
        (finished(Phase::Failed(Failure::Exit(2)), Some(failed)), "build_finished", "error"),
        (
            finished(Phase::Error("no such file".into()), Some(Outcome::NotStarted("no such file".into()))),
            "build_finished",
            "error",
        ),
    ]
}

fn missing() -> Note {
    let platforms = ["linux/arm64", "linux/s390x"].map(|text| text.parse().unwrap()).to_vec();
    Note::TagHeld { tag: tag(), digest: Some(digest(2)), platforms }
}

fn told(note: &Note) -> Map<String, Value> {
    let mut lines = capture::lines(|| narrate(note, Path::new("/var/lib/basewatch/builds")));
    assert_eq!(lines.len(), 1, "{note:?} is one line");
    lines.remove(0)
}

#[test]
fn every_note_is_one_event_that_the_table_allows() {
    for (note, event, level) in notes() {
        let line = told(&note);
        assert_eq!(line["event"], event);
        assert_eq!(line["level"], level, "{note:?}");
        catalog::check(&line);
    }
}

#[test]
fn a_changed_image_is_told_with_both_digests_and_its_pinned_reference() {
    let line = told(&notes()[2].0);
    assert_eq!(line["image"], format!("registry.example.com:5000/base/ruby@{}", digest(2)));
    assert_eq!(line["registry"], "registry.example.com:5000");
    assert_eq!(line["digest"], digest(2).to_string());
    assert_eq!(line["old_digest"], digest(1).to_string());
    assert_eq!((&line["fan_out"], &line["held"]), (&json!(30), &json!(1)));
}

#[test]
fn a_tag_that_is_held_tells_what_its_image_lacks() {
    let line = told(&missing());
    assert_eq!(line["platforms"], "linux/arm64, linux/s390x");
    assert_eq!(line["registry"], "registry.example.com:5000");
}

#[test]
fn a_trigger_that_never_stored_an_image_has_no_old_digest() {
    let line = told(&notes()[3].0);
    assert!(!line.contains_key("old_digest"), "{line:?}");
}

#[test]
fn a_failure_is_told_with_its_exit_its_last_20_lines_and_its_log() {
    let line = told(&finished(Phase::Failed(Failure::Exit(2)), Some(Outcome::Failed(Failure::Exit(2)))));
    assert_eq!(line["exit"], 2);
    let tail = line["tail"].as_str().unwrap();
    assert_eq!((tail.lines().next(), tail.lines().count()), (Some("line 11"), 20));
    assert_eq!(line["log"], "/var/lib/basewatch/builds/default/app-7/log");
    assert_eq!((&line["failures_in_row"], &line["attempts"]), (&json!(2), &json!(3)));
    assert_eq!(line["elapsed_ms"], 5210);
}

#[test]
fn of_long_last_lines_the_very_last_are_told() {
    let long = |number: u32| format!("{number} {}", "x".repeat(4000));
    let retrying = |tail: Vec<String>| Note::BuildRetrying {
        build: build(7),
        attempt: 1,
        outcome: Outcome::Failed(Failure::Exit(2)),
        wait: Duration::ZERO,
        tail,
    };
    let line = told(&retrying((1..=20).map(long).collect()));
    let expected = [17, 18, 19, 20].map(long).join("\n");
    assert_eq!(line["tail"], expected);
    let line = told(&retrying(vec!["first".to_owned(), "x".repeat(100_000)]));
    assert!(line["tail"].as_str().unwrap().starts_with("xxx"), "one line that is too long is begun");
}

#[test]
fn an_end_without_an_exit_code_has_a_reason_instead() {
    let failed = |failure| (Phase::Failed(failure), Outcome::Failed(failure));
    let reasons = [
        (failed(Failure::DeadlineExceeded), "DeadlineExceeded"),
        (failed(Failure::Signal(9)), "signal 9"),
        (
            (Phase::Error("no such file".into()), Outcome::NotStarted("no such file".into())),
            "not started: no such file",
        ),
        ((Phase::Error("interrupted 5 times".into()), Outcome::Interrupted), "interrupted 5 times"),
    ];
    for ((phase, outcome), reason) in reasons {
        let line = told(&finished(phase, Some(outcome)));
        assert_eq!(line["reason"], reason);
        assert!(!line.contains_key("exit"), "{line:?}");
    }
}
