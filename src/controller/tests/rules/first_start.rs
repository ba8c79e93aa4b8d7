//! The first image a trigger sees, and the guard against a storm of first builds (D14, D16, S19).

use crate::controller::tests::support::*;
use crate::controller::*;

/// `app1` … on one tag, with the guard at `hold_above`.
fn fleet(size: usize, hold_above: usize) -> Settings {
    let names = (1..=size).map(|number| format!("app{number}"));
    Settings { hold_above, max_builds: 1000, ..settings(names.map(|name| watch(&name, &["debian"]))) }
}

fn start(settings: Settings) -> Mind {
    Mind::over(Records::default(), settings)
}

fn release_all() -> Event {
    Event::Release(Release::All)
}

#[test]
fn forty_configs_at_a_first_start_are_built_at_once() {
    let mut mind = start(fleet(40, 50));
    mind.see("debian", "A");
    assert_eq!(mind.started().len(), 40);
}

#[test]
fn sixty_configs_at_a_first_start_are_held_in_one_line_and_built_when_released() {
    let mut mind = Mind::start([]);
    let notes = mind.load_settings(fleet(60, 50));
    assert_eq!(notes, [Note::BuildsHeld { held: 60, hold_above: 50 }]);
    mind.see("debian", "A");
    mind.pass(PATIENCE);
    assert!(mind.builds().is_empty());

    let notes = mind.tell(&release_all());
    assert_eq!(notes.first(), Some(&Note::BuildsReleased { released: 60 }));
    assert_eq!(mind.started().len(), 60);
}

#[test]
fn exactly_as_many_as_the_guard_allows_are_not_held() {
    let mut mind = start(fleet(50, 50));
    mind.see("debian", "A");
    assert_eq!(mind.started().len(), 50);
}

#[test]
fn one_config_can_be_released_alone() {
    let mut mind = start(fleet(60, 50));
    mind.see("debian", "A");
    mind.tell(&Event::Release(Release::These(vec![app("app7")])));
    assert_eq!(mind.builds(), ["app7-1 Running"]);
    assert!(mind.tell(&Event::Release(Release::These(vec![app("app7")]))).is_empty(), "it is held no more");
}

#[test]
fn a_hold_survives_a_restart_and_a_release_too() {
    let mut mind = start(fleet(60, 50));
    mind.restart();
    mind.see("debian", "A");
    assert!(mind.builds().is_empty());

    mind.tell(&Event::Release(Release::All));
    let unbuilt = Records {
        builds: Default::default(),
        triggers: Default::default(),
        ..mind.controller.records().clone()
    };
    let mut mind = Mind::over(unbuilt, fleet(60, 50));
    mind.see("debian", "A");
    assert_eq!(mind.builds().len(), 60, "what was released is not held again");
}

#[test]
fn what_is_paused_or_only_records_does_not_count_as_a_first_build() {
    let mut crowd = fleet(60, 50);
    for (number, config) in crowd.build_configs.iter_mut().enumerate() {
        let calm = match number % 2 {
            0 => paused((**config).clone(), &["debian"]),
            _ => with((**config).clone(), |policy| policy.on_first = OnFirst::Record),
        };
        *config = calm.into();
    }
    crowd.build_configs.push(watch("new", &["debian"]).into());
    let mut mind = start(crowd);
    mind.see("debian", "A");
    assert_eq!(mind.builds(), ["new-1 Running"]);
}

#[test]
fn a_held_config_that_builds_for_another_reason_is_held_no_more() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.complete("app-1");
    mind.load_settings(Settings { hold_above: 0, ..settings([watch("app", &["debian", "node"])]) });
    mind.see("node", "A");
    assert_eq!(mind.builds(), ["app-1 Complete"]);
    mind.see("debian", "B");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
    assert_eq!(mind.controller.records().configs[&app("app")].first_start, FirstStart::None);
}

#[test]
fn s19_paused_from_the_start_builds_nothing_until_unpaused_then_the_newest_once() {
    let mut mind = Mind::start([paused(watch("app", &["debian"]), &["debian"])]);
    mind.see("debian", "A");
    mind.pass(PATIENCE);
    mind.see("debian", "B");
    mind.restart();
    mind.see("debian", "C");
    assert!(mind.builds().is_empty());

    mind.load([watch("app", &["debian"])]);
    mind.pass(PATIENCE);
    mind.see("debian", "C");
    assert_eq!(mind.builds(), ["app-1 Running"]);
    assert_eq!(mind.causes("app-1"), [("debian", digest("C"))]);
}

#[test]
fn on_first_record_remembers_the_first_image_and_builds_the_second() {
    let mut mind = Mind::start([with(watch("app", &["debian"]), |policy| policy.on_first = OnFirst::Record)]);
    let notes = mind.see("debian", "A");
    let recorded = |note: &Note| matches!(note, Note::TriggerRecorded { .. });
    assert!(notes.iter().any(recorded) && mind.builds().is_empty());
    mind.see("debian", "B");
    assert_eq!(mind.causes("app-1"), [("debian", digest("B"))]);
}

#[test]
fn with_on_first_record_a_resume_records_too() {
    let config = with(watch("app", &["debian"]), |policy| policy.on_first = OnFirst::Record);
    let mut mind = Mind::start([paused(config.clone(), &["debian"])]);
    mind.see("debian", "A");
    mind.load([config]);
    assert!(mind.builds().is_empty());
    assert_eq!(mind.trigger("app", "debian").unwrap().stored, Some(identity("A")));
}

#[test]
fn after_a_loss_of_state_what_is_unknown_is_recorded_not_built() {
    let mut mind = start(fleet(60, 50));
    mind.tell(&release_all());
    mind.see("debian", "A");
    mind.restart_after_loss(Records::default());
    mind.restart();
    mind.see("debian", "B");
    assert!(mind.builds().is_empty(), "even if the process ended before the first look");
    mind.see("debian", "C");
    assert_eq!(mind.builds().len(), 60, "the next change builds");
}

#[test]
fn after_a_loss_of_state_what_is_known_still_fires() {
    let mut mind = Mind::start([watch("app", &["debian"]), watch("lib", &["debian"])]);
    mind.see("debian", "A");
    let mut left = mind.controller.records().clone();
    left.triggers.retain(|key, _| key.config == app("app"));
    left.builds.clear();
    left.tags.clear();
    mind.restart_after_loss(left);
    mind.see("debian", "B");
    assert_eq!(mind.builds(), ["app-2 Running"], "lib's trigger is among what was lost");
}

#[test]
fn a_first_build_waits_for_the_first_look_at_each_of_its_tags() {
    let mut mind = Mind::start([watch("app", &["debian", "node"])]);
    mind.see("debian", "A");
    assert!(mind.builds().is_empty());
    mind.see("node", "A");
    assert_eq!(mind.causes("app-1"), [("debian", digest("A")), ("node", digest("A"))]);
}

#[test]
fn a_first_build_waits_no_longer_than_its_patience_nor_for_paused_tags() {
    let tags = ["debian", "node"];
    let mut mind = Mind::start([watch("app", &tags), paused(watch("lib", &tags), &["node"])]);
    mind.see("debian", "A");
    assert_eq!(mind.builds(), ["lib-1 Running"]);
    assert_eq!(mind.controller.next_tick(mind.now), Some(PATIENCE));
    mind.pass(PATIENCE);
    assert_eq!(mind.causes("app-1"), [("debian", digest("A"))]);
}

#[test]
fn a_first_build_waits_no_longer_once_a_look_was_in_vain() {
    let mut mind = Mind::start([watch("app", &["debian", "node"])]);
    mind.see("debian", "A");
    mind.miss("node");
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn a_first_look_that_is_awaited_is_neither_told_nor_stored() {
    let mut mind = Mind::start([watch("app", &["debian", "node"])]);
    assert_eq!(mind.see("node", "A").len(), 1, "the tag's own line, nothing of a change that waits");
    assert_eq!(mind.trigger("app", "node"), None);
    mind.miss("debian");
    assert!(
        mind.trigger("app", "node").unwrap().pending.is_some(),
        "the strategy's tag is what it waits for now"
    );
}

#[test]
fn a_held_config_that_is_set_to_record_records() {
    let mut mind = start(fleet(60, 50));
    mind.see("debian", "A");
    let recording = (1..=60).map(|number| watch(&format!("app{number}"), &["debian"]));
    mind.load(recording.map(|config| with(config, |policy| policy.on_first = OnFirst::Record)));
    let held = |record: &ConfigRecord| record.first_start != FirstStart::None;
    assert!(
        !mind.controller.records().configs.values().any(|record| held(record)),
        "nothing is left to release"
    );
    mind.see("debian", "A");
    mind.pass(PATIENCE);
    assert!(mind.builds().is_empty());
    assert_eq!(mind.trigger("app7", "debian").unwrap().stored, Some(identity("A")));
}

#[test]
fn a_reload_that_holds_nothing_more_tells_of_no_hold_again() {
    let told = |notes: &[Note]| {
        let held = |note: &Note| {
            let Note::BuildsHeld { held, .. } = note else { return None };
            Some(*held)
        };
        notes.iter().find_map(held)
    };
    let mut mind = Mind::start([]);
    assert_eq!(told(&mind.load_settings(fleet(60, 50))), Some(60));
    assert_eq!(told(&mind.load_settings(fleet(60, 50))), None);
    assert_eq!(told(&mind.restart()), Some(60), "the log of a process tells what it holds");
    assert_eq!(told(&mind.load_settings(fleet(60, 50))), None);
    assert_eq!(told(&mind.load_settings(fleet(61, 50))), Some(61), "one more is held");
}
