//! Which build starts next, and which never does (F38, D18, `max_builds`).

use std::time::Duration;

use crate::controller::tests::support::*;
use crate::controller::*;

/// A start over builds that wait in the queue: their name, what they are by, and their age in seconds.
fn queue(builds: &[(&str, Urgency, u64)], settings: Settings) -> Mind {
    let mut records = Records::default();
    for (name, urgency, age) in builds {
        let made = new_build(name, *urgency, dawn().wall - u32::try_from(*age).unwrap() * SECOND);
        records.put(Record::Build(build(name), Some(Box::new(made))));
    }
    Mind::over(records, settings)
}

fn one_at_a_time(configs: impl IntoIterator<Item = BuildConfig>) -> Settings {
    Settings { max_builds: 1, ..settings(configs) }
}

/// Lets every build complete, and answers the order in which they started.
fn run_all(mind: &mut Mind) -> Vec<String> {
    let mut order = Vec::new();
    loop {
        let started = mind.started();
        let [name] = &started[..] else { return order };
        mind.complete(name);
        order.extend(started);
    }
}

#[test]
fn a_person_comes_before_a_webhook_before_an_image_before_a_first_sight_then_age_decides() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let waiting = [
        ("a-1", Urgency::FirstSight, 90),
        ("b-1", Urgency::ImageChange, 10),
        ("c-1", Urgency::ImageChange, 80),
        ("d-1", Urgency::Webhook, 5),
        ("e-1", Urgency::Manual, 1),
        ("f-1", Urgency::Manual, 2),
    ];
    let mut mind = queue(&waiting, one_at_a_time(names.map(|name| watch(name, &["debian"]))));
    assert_eq!(run_all(&mut mind), ["f-1", "e-1", "d-1", "c-1", "b-1", "a-1"]);
}

#[test]
fn no_more_builds_run_than_max_builds() {
    let names = ["a", "b", "c", "d", "e"];
    let configs = names.map(|name| watch(name, &["debian"]));
    let mut mind = Mind::over(Records::default(), Settings { max_builds: 2, ..settings(configs) });
    mind.see("debian", "A");
    assert_eq!(mind.started(), ["a-1", "b-1"]);
    mind.fail("a-1");
    assert_eq!(mind.started(), ["c-1"], "a build that waits for a retry takes no room");
    mind.complete("b-1");
    mind.complete("c-1");
    assert_eq!(mind.started(), ["d-1", "e-1"]);
}

#[test]
fn serial_builds_run_in_number_order_whoever_asked_for_them() {
    let waiting = [
        ("app-1", Urgency::ImageChange, 30),
        ("app-2", Urgency::Manual, 20),
        ("app-3", Urgency::Webhook, 10),
    ];
    let mut mind = queue(&waiting, settings([serial(watch("app", &["debian"]))]));
    assert_eq!(run_all(&mut mind), ["app-1", "app-2", "app-3"]);
}

#[test]
fn serial_leaves_no_build_out_and_runs_one_at_a_time() {
    let mut mind = Mind::start([serial(watch("app", &["debian"]))]);
    for version in ["A", "B", "C"] {
        mind.see("debian", version);
    }
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 New", "app-3 New"]);
    assert_eq!(run_all(&mut mind), ["app-1", "app-2", "app-3"]);
    assert_eq!(mind.causes("app-2"), [("debian", digest("B"))], "each with its own pinned image");
}

#[test]
fn a_serial_build_that_waits_for_a_retry_lets_later_ones_pass() {
    let waiting = [("app-1", Urgency::Manual, 30), ("app-2", Urgency::Manual, 20)];
    let mut mind = queue(&waiting, settings([serial(watch("app", &["debian"]))]));
    mind.fail("app-1");
    assert_eq!(mind.builds(), ["app-1 Pending", "app-2 Running"]);
    mind.pass(5 * MINUTE);
    assert_eq!(mind.builds(), ["app-1 Pending", "app-2 Running"], "it is due, and waits for its turn");
    mind.complete("app-2");
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 Complete"]);
}

#[test]
fn the_latest_image_replaces_those_that_wait_but_not_the_one_that_runs() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.see("debian", "B");
    let notes = mind.see("debian", "C");
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 Cancelled", "app-3 New"]);
    assert_eq!(mind.phase("app-2"), &Phase::Cancelled(CancelReason::Superseded(3)));
    let superseded = Note::BuildSuperseded { build: build("app-2"), by: build("app-3") };
    let said = notes.iter().position(|note| *note == superseded).unwrap();
    assert!(matches!(notes[said + 1], Note::BuildFinished(_)), "why, then the end");
}

#[test]
fn an_image_replaces_a_waiting_manual_build_only_where_all_are_superseded() {
    for (supersede, expected) in [(Supersede::Images, "app-2 New"), (Supersede::All, "app-2 Cancelled")] {
        let config = with(watch("app", &["debian"]), |policy| policy.supersede = supersede);
        let waiting = [("app-1", Urgency::Manual, 20), ("app-2", Urgency::Manual, 10)];
        let mut mind = queue(&waiting, settings([config.clone()]));
        let mut records = mind.controller.records().clone();
        let record = ConfigRecord { last_number: 2, ..ConfigRecord::default() };
        records.put(Record::Config(app("app"), Some(Box::new(record))));
        mind = Mind::over(records, settings([config]));
        mind.see("debian", "A");
        assert_eq!(mind.builds(), ["app-1 Running", expected, "app-3 New"]);
    }
}

#[test]
fn a_newer_image_build_ends_one_that_waits_for_a_retry_as_failed_under_either_policy() {
    for config in [watch("app", &["debian"]), serial(watch("app", &["debian"]))] {
        let mut mind = Mind::start([config]);
        mind.see("debian", "A");
        mind.end("app-1", Outcome::Failed(Failure::Signal(9)));
        assert_eq!(mind.builds(), ["app-1 Pending"]);
        let notes = mind.see("debian", "B");
        assert_eq!(mind.phase("app-1"), &Phase::Failed(Failure::Signal(9)));
        assert_eq!(finished(&notes), ["app-1 Failed"]);
        assert_eq!(mind.builds(), ["app-1 Failed", "app-2 Running"]);
    }
}

#[test]
fn a_failed_image_build_is_not_retried_while_a_newer_one_waits() {
    let mut mind = Mind::start([serial(watch("app", &["debian"]))]);
    mind.see("debian", "A");
    mind.see("debian", "B");
    mind.fail("app-1");
    assert_eq!(mind.builds(), ["app-1 Failed", "app-2 Running"]);
}

#[test]
fn an_interrupted_build_gives_way_to_a_newer_one_where_the_latest_counts() {
    let mut mind = Mind::start([watch("app", &["debian"]), serial(watch("lib", &["debian"]))]);
    mind.see("debian", "A");
    mind.see("debian", "B");
    mind.end("app-1", Outcome::Interrupted);
    mind.end("lib-1", Outcome::Interrupted);
    assert_eq!(mind.builds(), ["app-1 Cancelled", "app-2 Running", "lib-1 Running", "lib-2 New"]);
    assert_eq!(mind.build("lib-1").attempts, 2);
}

#[test]
fn nothing_starts_while_draining_and_all_of_it_in_the_next_process() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.tell(&Event::Drain);
    mind.see("debian", "A");
    assert_eq!(mind.builds(), ["app-1 New"]);
    mind.restart();
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn a_removed_config_cancels_its_queued_builds_and_lets_the_running_one_end() {
    let mut mind = Mind::start([serial(watch("app", &["debian"]))]);
    mind.see("debian", "A");
    mind.see("debian", "B");
    let notes = mind.load([]);
    assert_eq!(finished(&notes), ["app-2 Cancelled"]);
    assert_eq!(mind.phase("app-2"), &Phase::Cancelled(CancelReason::ConfigRemoved));
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 Cancelled"]);
    mind.fail("app-1");
    assert_eq!(mind.builds(), ["app-1 Failed", "app-2 Cancelled"], "there is no retry without a config");
}

#[test]
fn a_removed_config_cancels_its_waiting_retry() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.fail("app-1");
    mind.load([]);
    assert_eq!(mind.phase("app-1"), &Phase::Cancelled(CancelReason::ConfigRemoved));
    assert_eq!(mind.controller.next_tick(mind.now), Some(PATIENCE), "nothing but the load's own patience");
}

#[test]
fn the_policy_of_the_newer_build_is_the_one_it_was_made_under() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.see("debian", "B");
    mind.load([serial(watch("app", &["debian"]))]);
    mind.end("app-1", Outcome::Interrupted);
    assert_eq!(mind.builds(), ["app-1 Cancelled", "app-2 Running"]);
}

#[test]
fn a_tick_is_due_only_when_it_has_something_to_do() {
    let configs = [watch("app", &["debian"]), watch("lib", &["node"])];
    let mut mind = Mind::over(Records::default(), one_at_a_time(configs));
    mind.see("debian", "A");
    mind.fail("app-1");
    mind.see("node", "A");
    mind.pass(5 * MINUTE);
    assert_eq!(mind.builds(), ["app-1 Pending", "lib-1 Running"], "a retry is due, and there is no room");
    assert_eq!(mind.controller.next_tick(mind.now), None);
    let end = Event::Ended(ended(build("lib-1"), 1, Outcome::Complete));
    mind.step(&end);
    assert_eq!(mind.controller.next_tick(mind.now), Some(Duration::ZERO));
}
