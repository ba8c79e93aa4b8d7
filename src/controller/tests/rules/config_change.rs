//! ConfigChange triggers: the first build of a config that was never built (F36).

use crate::controller::tests::support::*;
use crate::controller::*;

fn fresh(triggers: &[&str]) -> BuildConfig {
    config_change(long_form("app", StrategyKind::Source, "ruby", triggers))
}

/// A config that is made of nothing that it names.
fn of_nothing(name: &str) -> BuildConfig {
    let mut config = config_change(long_form(name, StrategyKind::Docker, "ruby", &[]));
    config.strategy.from = None;
    config
}

#[test]
fn f36_the_config_and_its_first_images_are_one_build() {
    let mut mind = Mind::start([fresh(&["ruby", "custom"])]);
    assert!(mind.builds().is_empty(), "it waits for its images");
    mind.see("custom", "A");
    assert!(mind.builds().is_empty());
    mind.see("ruby", "A");
    assert_eq!(mind.builds(), ["app-1 Running"]);
    assert_eq!(mind.cause_names("app-1"), ["image-change", "image-change", "config-change"]);
    mind.complete("app-1");
    mind.pass(PATIENCE);
    mind.see("custom", "A");
    mind.restart();
    mind.see("ruby", "A");
    mind.pass(PATIENCE);
    assert_eq!(mind.builds(), ["app-1 Complete"]);
}

#[test]
fn f36_it_waits_for_its_strategys_image_also_where_no_trigger_is_on_it() {
    let mut mind = Mind::start([fresh(&[])]);
    mind.pass(PATIENCE);
    assert!(mind.builds().is_empty());
    mind.see("ruby", "A");
    assert_eq!(mind.builds(), ["app-1 Running"]);
    assert_eq!((mind.cause_names("app-1"), mind.base("app-1")), (vec!["config-change"], digest("A")));
    assert_eq!(mind.build("app-1").urgency, Urgency::ConfigChange);
}

#[test]
fn f36_it_is_not_made_of_an_image_from_before_a_long_stop() {
    let mut mind = Mind::start([watch("lib", &["ruby"])]);
    mind.see("ruby", "A");
    mind.pass(PATIENCE);
    mind.load([watch("lib", &["ruby"]), fresh(&[])]);
    assert_eq!(mind.builds().len(), 1, "it waits for a look");
    mind.see("ruby", "B");
    assert_eq!(mind.base("app-1"), digest("B"));
}

#[test]
fn f36_it_waits_no_longer_than_its_patience_for_what_it_need_not_have() {
    let mut mind = Mind::start([fresh(&["custom"])]);
    mind.see("ruby", "A");
    assert!(mind.builds().is_empty());
    mind.pass(PATIENCE);
    assert_eq!(mind.cause_names("app-1"), ["config-change"]);
    mind.see("custom", "A");
    assert_eq!(mind.causes("app-2"), [("custom", digest("A"))], "it fires when it appears (F21)");
}

#[test]
fn f36_a_config_of_nothing_is_built_at_once_and_once() {
    let mut mind = Mind::start([of_nothing("app")]);
    assert_eq!(mind.builds(), ["app-1 Running"]);
    let spec = mind.spec("app-1");
    assert_eq!((&spec.base_image, &spec.causes[..]), (&None, &[Cause::ConfigChange][..]));
    assert_eq!(spec.command[1], "BASE=", "there is nothing to fill in");
    mind.complete("app-1");
    mind.load([of_nothing("app")]);
    mind.restart();
    assert_eq!(mind.builds(), ["app-1 Complete"]);
}

#[test]
fn f36_a_trigger_that_joins_a_config_that_was_built_starts_nothing() {
    let mut mind = Mind::start([long_form("app", StrategyKind::Source, "ruby", &["ruby"])]);
    mind.see("ruby", "A");
    mind.complete("app-1");
    mind.load([fresh(&["ruby"])]);
    mind.see("ruby", "A");
    mind.pass(PATIENCE);
    assert_eq!(mind.builds(), ["app-1 Complete"]);
    mind.see("ruby", "B");
    assert_eq!(mind.causes("app-2"), [("ruby", digest("B"))]);
}

#[test]
fn f36_a_build_that_a_person_asks_for_is_the_first_one() {
    let mut mind = Mind::start([config_change(long_form("lib", StrategyKind::Source, "ruby", &["custom"]))]);
    mind.see("ruby", "A");
    mind.start_build("lib");
    mind.pass(PATIENCE);
    assert_eq!(mind.builds(), ["lib-1 Running"]);
}

#[test]
fn f36_paused_triggers_do_not_stop_it_and_it_takes_their_images() {
    let mut mind = Mind::start([paused(fresh(&["ruby", "custom"]), &["ruby", "custom"])]);
    mind.see("custom", "A");
    let notes = mind.see("ruby", "A");
    assert_eq!(mind.cause_names("app-1"), ["config-change"]);
    assert_eq!(swallowed(&notes), [tag("ruby").to_string(), tag("custom").to_string()]);
    mind.resume("app", &["ruby", "custom"]);
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn f36_a_paused_config_is_built_when_it_may() {
    let mut mind = Mind::start([all_paused(of_nothing("app"))]);
    mind.restart();
    assert!(mind.builds().is_empty());
    mind.load([of_nothing("app")]);
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn f36_first_images_that_are_only_recorded_do_not_stop_it() {
    let mut mind = Mind::start([with(fresh(&["ruby"]), |policy| policy.on_first = OnFirst::Record)]);
    mind.see("ruby", "A");
    assert_eq!(mind.cause_names("app-1"), ["config-change"]);
    assert_eq!(mind.stored("app", "ruby"), Some(identity("A")));
}

#[test]
fn d13_it_waits_for_a_platform_that_its_strategys_image_lacks() {
    let mut mind = Mind::start([on(&these(&["linux/amd64", "linux/arm64"]), fresh(&["ruby"]))]);
    mind.find("ruby", index("I", &[("linux/amd64", "a")]));
    mind.pass(PATIENCE);
    assert!(mind.builds().is_empty());
    mind.find("ruby", index("J", &[("linux/amd64", "a"), ("linux/arm64", "b")]));
    assert_eq!(mind.cause_names("app-1"), ["image-change", "config-change"]);
}

#[test]
fn d14_it_counts_among_the_first_builds_that_are_held_and_is_built_when_released() {
    let configs = ["a", "b", "c"].map(of_nothing);
    let recording = with(of_nothing("d"), |policy| policy.on_first = OnFirst::Record);
    let guarded = Settings { hold_above: 3, ..settings(configs.into_iter().chain([recording])) };
    let mut mind = Mind::over(Records::default(), guarded.clone());
    mind.load_settings(guarded);
    mind.restart();
    assert!(mind.builds().is_empty(), "all four are");
    mind.tell(&Event::Release(Release::All));
    assert_eq!(mind.builds(), ["a-1 Running", "b-1 Running", "c-1 Running", "d-1 Running"]);
}

#[test]
fn d14_a_config_that_is_paused_is_no_first_build_and_stays_paused() {
    let configs = [all_paused(of_nothing("a")), of_nothing("b")];
    let mind = Mind::over(Records::default(), Settings { hold_above: 1, ..settings(configs) });
    assert_eq!(mind.builds(), ["b-1 Running"], "one is as many as may be");

    let configs = ["a", "b", "c"].map(of_nothing);
    let mut held = settings(configs);
    held.build_configs[0] = all_paused(of_nothing("a")).into();
    let mut mind = Mind::over(Records::default(), Settings { hold_above: 1, ..held });
    mind.tell(&Event::Release(Release::All));
    assert_eq!(mind.builds(), ["b-1 Running", "c-1 Running"]);
    assert!(mind.controller.pause_of(&app("a")).is_some(), "a hold takes no pause away");
}

#[test]
fn d16_after_a_loss_of_state_it_starts_nothing() {
    let mut mind = Mind::start([of_nothing("lib"), fresh(&["ruby"])]);
    mind.restart_after_loss(Records::default());
    mind.restart();
    mind.see("ruby", "A");
    mind.pass(PATIENCE);
    assert!(mind.builds().is_empty());
    mind.see("ruby", "B");
    assert_eq!(mind.cause_names("app-1"), ["image-change"]);
}
