//! Attempts: retries, cancelling, interruptions, and the id they all share (D3, D15).

use std::time::Duration;

use uuid::Uuid;

use crate::controller::tests::support::*;
use crate::controller::*;

/// One config, whose first build has just started.
fn running(config: BuildConfig) -> Mind {
    let mut mind = Mind::start([config]);
    mind.see("debian", "A");
    mind.effects.clear();
    mind
}

fn retrying(attempts: u32) -> BuildConfig {
    with(watch("app", &["debian"]), |policy| policy.retry = Retry { attempts, backoff: MINUTE })
}

fn attempt(mind: &Mind, number: u32) -> AttemptRef {
    AttemptRef {
        build: build("app-1"),
        id: mind.build("app-1").id,
        attempt: number,
        runner: None,
        handle: None,
    }
}

#[test]
fn the_wait_before_a_retry_doubles_and_the_last_failure_counts() {
    let mut mind = running(retrying(4));
    for minutes in [1, 2, 4] {
        mind.fail("app-1");
        assert_eq!(mind.phase("app-1"), &Phase::Pending { since: mind.now.wall, wait: minutes * MINUTE });
        mind.pass(minutes * MINUTE - SECOND);
        assert_eq!(mind.builds(), ["app-1 Pending"]);
        mind.pass(SECOND);
        assert_eq!(mind.builds(), ["app-1 Running"]);
    }
    mind.end("app-1", Outcome::Failed(Failure::DeadlineExceeded));
    assert_eq!(mind.phase("app-1"), &Phase::Failed(Failure::DeadlineExceeded));
    assert_eq!(mind.build("app-1").attempts, 4);
}

#[test]
fn no_wait_is_longer_than_a_day() {
    let mut mind = running(retrying(40));
    for _ in 0..30 {
        mind.fail("app-1");
        let Phase::Pending { wait, .. } = *mind.phase("app-1") else { panic!("retries are left") };
        assert!(wait <= DAY);
        mind.pass(wait);
    }
    assert_eq!(mind.build("app-1").history.len(), Build::ATTEMPTS_KEPT, "nor is the record");
}

#[test]
fn one_attempt_means_no_retry() {
    let mut mind = running(retrying(1));
    mind.fail("app-1");
    assert_eq!(mind.builds(), ["app-1 Failed"]);
}

#[test]
fn a_restart_in_the_middle_of_a_wait_neither_ends_nor_stretches_it() {
    let mut mind = running(retrying(2));
    mind.fail("app-1");
    mind.pass(20 * SECOND);
    mind.restart();
    mind.pass(PATIENCE);
    assert_eq!(mind.controller.next_tick(mind.now), Some(30 * SECOND));
    mind.pass(29 * SECOND);
    assert_eq!(mind.builds(), ["app-1 Pending"]);
    mind.pass(SECOND);
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn a_clock_that_was_set_back_ends_a_wait_rather_than_stretching_it() {
    let mut mind = running(retrying(2));
    mind.fail("app-1");
    mind.now.wall -= DAY;
    mind.tell(&Event::Tick);
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn a_queued_build_is_cancelled_at_once() {
    let mut mind = running(serial(retrying(1)));
    mind.see("debian", "B");
    let notes = mind.cancel("app-2");
    assert_eq!(mind.phase("app-2"), &Phase::Cancelled(CancelReason::Asked));
    assert_eq!(notes[0], Note::BuildCancelled { build: build("app-2"), reason: CancelReason::Asked });
    assert_eq!(finished(&notes), ["app-2 Cancelled"]);
}

#[test]
fn a_build_that_waits_for_a_retry_is_cancelled_at_once() {
    let mut mind = running(retrying(2));
    mind.fail("app-1");
    mind.cancel("app-1");
    mind.pass(MINUTE);
    assert_eq!(mind.builds(), ["app-1 Cancelled"]);
}

#[test]
fn a_running_build_is_cancelled_once_its_attempt_has_ended() {
    let mut mind = running(retrying(3));
    mind.cancel("app-1");
    assert_eq!(mind.effects, [Effect::Cancel(attempt(&mind, 1))]);
    assert_eq!(mind.builds(), ["app-1 Running"]);
    let notes = mind.end("app-1", Outcome::Failed(Failure::Signal(15)));
    assert_eq!(mind.phase("app-1"), &Phase::Cancelled(CancelReason::Asked));
    assert_eq!(notes[0], Note::BuildCancelled { build: build("app-1"), reason: CancelReason::Asked });
}

#[test]
fn a_build_that_completed_before_the_cancel_reached_it_is_complete() {
    let mut mind = running(retrying(3));
    mind.cancel("app-1");
    mind.complete("app-1");
    assert_eq!(mind.builds(), ["app-1 Complete"]);
}

#[test]
fn an_ended_build_cannot_be_cancelled() {
    let mut mind = running(retrying(3));
    mind.complete("app-1");
    assert!(mind.cancel("app-1").is_empty());
    assert!(mind.cancel("app-9").is_empty(), "nor can one that never was");
}

#[test]
fn a_crash_after_a_cancel_does_not_bring_the_build_back() {
    let mut mind = running(retrying(3));
    mind.cancel("app-1");
    mind.restart();
    mind.end("app-1", Outcome::Interrupted);
    assert_eq!(mind.phase("app-1"), &Phase::Cancelled(CancelReason::Asked));
}

#[test]
fn what_may_be_alive_after_a_restart_is_looked_for_and_not_started_again() {
    let mut mind = running(retrying(1));
    mind.restart();
    assert_eq!(mind.effects, [Effect::Adopt(attempt(&mind, 1))]);
    mind.see("debian", "A");
    mind.pass(DAY);
    assert!(mind.started().is_empty(), "not before the runner said what became of it");
}

#[test]
fn an_interrupted_build_runs_again_under_the_same_id_and_uses_no_retry() {
    let mut mind = running(retrying(1));
    let id = mind.build("app-1").id;
    mind.restart();
    mind.effects.clear();
    let notes = mind.end("app-1", Outcome::Interrupted);
    assert_eq!(notes[0], Note::BuildInterrupted { build: build("app-1"), attempt: 1 });
    assert_eq!(
        mind.effects,
        [Effect::Start(AttemptRef { build: build("app-1"), id, attempt: 2, runner: None, handle: None })]
    );
    mind.end("app-1", Outcome::Interrupted);
    mind.fail("app-1");
    assert_eq!(mind.builds(), ["app-1 Failed"], "its one run of its own");
}

#[test]
fn the_fifth_interruption_is_an_error() {
    let mut mind = running(retrying(1));
    for _ in 0..4 {
        mind.end("app-1", Outcome::Interrupted);
        assert_eq!(mind.builds(), ["app-1 Running"]);
    }
    let notes = mind.end("app-1", Outcome::Interrupted);
    assert_eq!(finished(&notes), ["app-1 Error"]);
}

#[test]
fn on_interrupt_fail_makes_the_first_interruption_an_error() {
    let mut mind = running(with(retrying(3), |policy| policy.on_interrupt = OnInterrupt::Fail));
    mind.end("app-1", Outcome::Interrupted);
    assert_eq!(mind.builds(), ["app-1 Error"]);
}

#[test]
fn a_command_that_cannot_start_is_retried_and_ends_in_error() {
    let mut mind = running(retrying(2));
    mind.end("app-1", Outcome::NotStarted("no such file".into()));
    mind.pass(MINUTE);
    mind.end("app-1", Outcome::NotStarted("no such file".into()));
    assert_eq!(mind.phase("app-1"), &Phase::Error("no such file".into()));
}

#[test]
fn late_words_about_an_attempt_mean_nothing() {
    let mut mind = running(retrying(2));
    mind.fail("app-1");
    mind.pass(MINUTE);
    let late = [
        Event::Ended(ended(build("app-1"), 1, Outcome::Complete)),
        Event::Accepted { build: build("app-1"), attempt: 1, handle: "4711".into() },
        Event::Ended(ended(build("app-7"), 1, Outcome::Complete)),
    ];
    for event in late {
        assert!(mind.controller.decide(&event, mind.now).is_empty(), "{event:?}");
    }
    mind.complete("app-1");
    let twice = Event::Ended(ended(build("app-1"), 2, Outcome::Interrupted));
    assert!(mind.controller.decide(&twice, mind.now).is_empty());
}

#[test]
fn the_handle_of_an_attempt_is_stored_with_it() {
    let mut mind = running(retrying(2));
    mind.tell(&Event::Accepted { build: build("app-1"), attempt: 1, handle: "4711".into() });
    mind.restart();
    assert_eq!(mind.build("app-1").history[0].handle.as_deref(), Some("4711"));
}

#[test]
fn after_a_restart_the_runner_is_told_the_handle_of_the_attempt_that_ran() {
    let mut mind = running(retrying(2));
    mind.tell(&Event::Accepted { build: build("app-1"), attempt: 1, handle: "4711".into() });
    mind.restart();
    let known = AttemptRef { handle: Some("4711".into()), ..attempt(&mind, 1) };
    assert_eq!(mind.effects, [Effect::Adopt(known)]);
}

#[test]
fn failures_in_a_row_are_counted_until_a_build_completes() {
    let mut mind = running(serial(retrying(1)));
    let row = |notes: &[Note]| {
        let Some(Note::BuildFinished(finished)) =
            notes.iter().find(|note| matches!(note, Note::BuildFinished(_)))
        else {
            panic!("no end was told")
        };
        finished.failures_in_row
    };
    assert_eq!(row(&mind.fail("app-1")), 1);
    mind.see("debian", "B");
    assert_eq!(row(&mind.end("app-2", Outcome::NotStarted("no such file".into()))), 2);
    mind.see("debian", "C");
    mind.cancel("app-3");
    assert_eq!(row(&mind.end("app-3", Outcome::Cancelled)), 2, "a cancelled build is neither");
    mind.see("debian", "D");
    assert_eq!(row(&mind.complete("app-4")), 0);
}

#[test]
fn what_a_build_says_it_made_is_kept_up_to_a_limit() {
    let mut mind = running(retrying(1));
    let made = BuiltImage { reference: "registry.test/out:1".into(), digest: digest("out") };
    let mut end = ended(build("app-1"), 1, Outcome::Complete);
    end.images = vec![made.clone(); 100];
    mind.tell(&Event::Ended(end));
    assert_eq!(mind.build("app-1").images, vec![made; Build::IMAGES_KEPT]);
}

#[test]
fn a_build_id_is_made_of_the_store_and_the_name_and_of_nothing_else() {
    let mind = running(retrying(1));
    assert_eq!(mind.build("app-1").id, Uuid::new_v5(&STORE, b"default/app-1"));
    assert_eq!(mind.build("app-1").id, mind.spec("app-1").id);

    let mut elsewhere = Controller::new(Uuid::from_u128(2), Records::default());
    let load = Event::Load { settings: settings([retrying(1)]).into(), after_loss: false };
    elsewhere.apply(&elsewhere.decide(&load, dawn()));
    let look = Event::Observed { tag: tag("debian"), found: image("A") };
    elsewhere.apply(&elsewhere.decide(&look, dawn()));
    let other = elsewhere.records().builds[&build("app-1")].id;
    assert_ne!(other, mind.build("app-1").id, "a new store never reuses an id of a lost one");
}

#[test]
fn build_numbers_have_no_gaps_whatever_becomes_of_the_builds() {
    let history = History { successful: 0, failed: 0 };
    let mut mind = running(with(retrying(1), |policy| policy.history = history));
    for (round, version) in ["B", "C", "D", "E", "F"].iter().enumerate() {
        mind.see("debian", version);
        if round % 2 == 0 {
            mind.restart();
        }
    }
    assert_eq!(mind.builds(), ["app-1 Running", "app-6 New"], "the four between were superseded");
    let made: Vec<u64> = (1..=6).map(|number| mind.spec(&format!("app-{number}")).build.number).collect();
    assert_eq!(made, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_handle_of_the_first_attempt_is_not_the_second_ones() {
    let mut mind = running(retrying(2));
    mind.tell(&Event::Accepted { build: build("app-1"), attempt: 1, handle: "1".into() });
    mind.fail("app-1");
    mind.pass(Duration::from_secs(60));
    let handles: Vec<_> =
        mind.build("app-1").history.iter().map(|attempt| attempt.handle.as_deref()).collect();
    assert_eq!(handles, [Some("1"), None]);
}

#[test]
fn a_cancel_that_a_crash_may_have_swallowed_is_said_again() {
    let mut mind = running(retrying(3));
    mind.cancel("app-1");
    mind.restart();
    let attempt = attempt(&mind, 1);
    assert_eq!(mind.effects, [Effect::Adopt(attempt.clone()), Effect::Cancel(attempt)]);
}

#[test]
fn the_time_a_build_took_is_what_its_runner_measured() {
    let mut mind = running(retrying(1));
    mind.now.wall -= DAY;
    let notes = mind.complete("app-1");
    let Some(Note::BuildFinished(finished)) = notes.first() else { panic!("no end was told") };
    assert_eq!(finished.elapsed, SECOND);
}
