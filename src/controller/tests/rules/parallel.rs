//! Builds that run at once, and those beside which they do not (F38).

use crate::controller::RunPolicy::{Parallel, Serial};
use crate::controller::tests::support::*;
use crate::controller::*;

fn parallel(config: BuildConfig) -> BuildConfig {
    with(config, |policy| policy.run_policy = Parallel)
}

/// The running build of `app`, then these of another policy behind it, in the queue.
fn behind(first: RunPolicy, then: &[RunPolicy]) -> Mind {
    let of = |run_policy| with(watch("app", &["ruby"]), |policy| policy.run_policy = run_policy);
    let mut mind = Mind::start([of(first)]);
    mind.see("ruby", "A");
    for run_policy in then {
        mind.load([of(*run_policy)]);
        mind.start_build("app");
    }
    mind
}

#[test]
fn f38_parallel_builds_run_at_once_each_with_its_own_image() {
    let mut mind = Mind::start([parallel(watch("app", &["ruby"]))]);
    for version in ["A", "B", "C"] {
        mind.see("ruby", version);
    }
    mind.start_build("app");
    let running = [1, 2, 3, 4].map(|number| format!("app-{number} Running"));
    assert_eq!(mind.builds(), running, "none takes the place of another");
    let bases = ["app-1", "app-2", "app-3", "app-4"].map(|name| mind.base(name));
    assert_eq!(bases, ["A", "B", "C", "C"].map(digest));
}

#[test]
fn f38_parallel_builds_are_no_more_than_max_builds() {
    let limits = Settings { max_builds: 2, ..settings([parallel(watch("app", &["ruby"]))]) };
    let mut mind = Mind::over(Records::default(), limits);
    for version in ["A", "B", "C"] {
        mind.see("ruby", version);
    }
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 Running", "app-3 New"]);
    mind.complete("app-2");
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 Complete", "app-3 Running"]);
}

#[test]
fn f38_a_parallel_build_waits_for_the_serial_one_that_runs() {
    let mut mind = behind(Serial, &[Parallel, Parallel]);
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 New", "app-3 New"]);
    mind.complete("app-1");
    assert_eq!(
        mind.builds(),
        ["app-1 Complete", "app-2 Running", "app-3 Running"],
        "then they start together"
    );
}

#[test]
fn f38_a_serial_build_waits_for_all_that_run_and_the_later_ones_for_it() {
    let mut mind = behind(Parallel, &[Parallel, Serial, Parallel]);
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 Running", "app-3 New", "app-4 New"]);
    mind.complete("app-1");
    assert_eq!(mind.builds()[2..], ["app-3 New", "app-4 New"]);
    mind.complete("app-2");
    assert_eq!(mind.builds()[2..], ["app-3 Running", "app-4 New"], "alone, though there is room");
    mind.complete("app-3");
    assert_eq!(mind.builds()[3..], ["app-4 Running"]);
}

#[test]
fn f38_the_policy_of_a_build_is_the_one_it_was_made_under() {
    let mut mind = behind(Serial, &[Serial]);
    mind.load([parallel(watch("app", &["ruby"]))]);
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 New"], "a reload makes no queued build parallel");
}

#[test]
fn f38_a_serial_build_of_another_config_is_nobodys_business() {
    let mut mind = Mind::start([serial(watch("app", &["ruby"])), parallel(watch("lib", &["ruby"]))]);
    mind.see("ruby", "A");
    mind.see("ruby", "B");
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 New", "lib-1 Running", "lib-2 Running"]);
}

#[test]
fn an_interrupted_parallel_build_runs_again_beside_the_others() {
    let mut mind = behind(Parallel, &[Parallel]);
    mind.end("app-1", Outcome::Interrupted);
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 Running"]);
    assert_eq!(mind.build("app-1").attempts, 2);
}

#[test]
fn a_failed_image_build_is_not_tried_again_once_a_newer_one_was_there() {
    for newer in [Outcome::Complete, Outcome::Failed(Failure::Exit(2))] {
        let retry = Retry { attempts: 2, backoff: MINUTE };
        let mut mind = Mind::start([with(parallel(watch("app", &["ruby"])), |policy| policy.retry = retry)]);
        mind.see("ruby", "A");
        mind.see("ruby", "B");
        mind.end("app-2", newer);
        mind.fail("app-1");
        assert_eq!(mind.phase("app-1"), &Phase::Failed(Failure::Exit(1)), "it would put the old image back");
    }
    let mut mind = Mind::start([parallel(watch("app", &["ruby"]))]);
    mind.see("ruby", "A");
    mind.see("ruby", "B");
    mind.cancel("app-2");
    mind.end("app-2", Outcome::Cancelled);
    mind.fail("app-1");
    assert_eq!(mind.builds(), ["app-1 Pending", "app-2 Cancelled"], "what was called off made nothing");
}
