//! Pausing and resuming: nothing starts meanwhile, then the newest once, and the last word counts (S18-S20, D2, D20).

use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::TagRef;

const TAGS: [&str; 2] = ["debian", "node"];

/// `app` on both tags, built from A of each.
fn built() -> Mind {
    let mut mind = Mind::start([watch("app", &TAGS)]);
    mind.see("debian", "A");
    mind.see("node", "A");
    mind.complete("app-1");
    mind.pass(PATIENCE);
    mind
}

fn is_paused(mind: &Mind, on: &str) -> bool {
    mind.controller.pause_on(&app("app"), &tag(on)).is_some()
}

/// `paused debian by command`, `resumed app by until`: the lines about pauses in `notes`.
fn words(notes: &[Note]) -> Vec<String> {
    let on = |config: &ConfigKey, on: &Option<TagRef>| match on {
        Some(tag) => tag.repository().to_owned(),
        None => config.name().to_owned(),
    };
    let word = |note: &Note| {
        if let Note::TriggerPaused { config, tag, by, .. } = note {
            return Some(format!("paused {} by {}", on(config, tag), by.as_str()));
        }
        let Note::TriggerResumed { config, tag, by } = note else { return None };
        Some(format!("resumed {} by {}", on(config, tag), by.as_str()))
    };
    notes.iter().filter_map(word).collect()
}

#[test]
fn s18_what_moves_while_paused_is_one_build_of_the_newest_at_once_after_resume() {
    let mut mind = built();
    mind.pause("app", &TAGS);
    mind.see("debian", "B");
    mind.see("debian", "C");
    mind.restart();
    mind.see("debian", "C");
    mind.pass(DAY);
    assert_eq!(mind.builds(), ["app-1 Complete"]);

    let notes = mind.resume("app", &TAGS);
    assert_eq!(words(&notes), ["resumed debian by command", "resumed node by command"]);
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
    assert_eq!(mind.causes("app-2"), [("debian", digest("C"))]);
    let again = Event::Resume(pausable("app", &TAGS));
    assert!(mind.controller.decide(&again, mind.now).is_empty(), "there is nothing to resume twice");
}

#[test]
fn what_came_back_to_what_was_built_is_nothing_after_resume() {
    let mut mind = built();
    mind.pause("app", &TAGS);
    mind.see("debian", "B");
    mind.see("debian", "A");
    mind.resume("app", &TAGS);
    assert_eq!(mind.builds(), ["app-1 Complete"]);
}

#[test]
fn one_of_two_triggers_is_paused_and_stays_so_when_the_other_builds() {
    let mut mind = built();
    mind.pause("app", &["debian"]);
    mind.see("debian", "B");
    mind.see("node", "B");
    assert_eq!(mind.causes("app-2"), [("node", digest("B"))]);
    mind.complete("app-2");
    assert!(is_paused(&mind, "debian") && !is_paused(&mind, "node"));
    mind.see("debian", "C");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Complete"]);
    mind.resume("app", &["debian"]);
    assert_eq!(mind.causes("app-3"), [("debian", digest("C"))]);
}

#[test]
fn what_a_build_swallowed_of_a_paused_trigger_is_not_built_again_after_resume() {
    let mut mind = built();
    mind.pause("app", &["debian"]);
    mind.see("debian", "B");
    mind.see("node", "B");
    mind.complete("app-2");
    mind.resume("app", &["debian"]);
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Complete"], "app-2 has it (F17)");
}

/// A word about `app` on `debian`.
#[derive(Debug, Clone, Copy)]
enum Word {
    Pause,
    Resume,
    Load { paused: bool },
}

/// What words in this order come to, and who has the last one.
fn after(words: &[Word]) -> Option<PausedBy> {
    let load = |still: bool| match still {
        true => paused(watch("app", &["debian"]), &["debian"]),
        false => watch("app", &["debian"]),
    };
    let mut mind = Mind::start([]);
    for word in words {
        match word {
            Word::Pause => drop(mind.pause("app", &["debian"])),
            Word::Resume => drop(mind.resume("app", &["debian"])),
            Word::Load { paused } => drop(mind.load([load(*paused)])),
        }
        mind.restart();
    }
    mind.controller.pause_on(&app("app"), &tag("debian")).map(|pause| pause.by)
}

#[test]
fn the_last_word_counts_and_a_configuration_that_says_the_same_again_says_nothing() {
    use PausedBy::{Command, Config};
    use Word::{Load, Pause, Resume};
    let (on, off) = (Load { paused: true }, Load { paused: false });
    let cases: [(&[Word], Option<PausedBy>); 11] = [
        (&[off], None),
        (&[on], Some(Config)),
        (&[on, on], Some(Config)),
        (&[off, Pause], Some(Command)),
        (&[off, Pause, off], Some(Command)),
        (&[off, Pause, on], Some(Config)),
        (&[off, Pause, on, off], None),
        (&[on, Resume], None),
        (&[on, Resume, on], None),
        (&[on, Resume, off, on], Some(Config)),
        (&[on, Resume, on, Pause, on], Some(Command)),
    ];
    for (words, last) in cases {
        assert_eq!(after(words), last, "{words:?}");
    }
}

#[test]
fn the_configurations_word_is_told_once_and_only_if_it_is_one() {
    let still = || paused(watch("app", &["debian"]), &["debian"]);
    let mut mind = Mind::start([]);
    assert_eq!(words(&mind.load([still()])), ["paused debian by config"]);
    assert_eq!(words(&mind.load([still()])), [""; 0]);
    assert_eq!(words(&mind.restart()), [""; 0]);
    assert_eq!(words(&mind.load([watch("app", &["debian"])])), ["resumed debian by config"]);
    mind.load([still()]);
    mind.resume("app", &["debian"]);
    assert_eq!(words(&mind.load([watch("app", &["debian"])])), [""; 0], "it was resumed before");
}

#[test]
fn a_pause_said_again_keeps_its_beginning_and_takes_the_new_reason() {
    let mut mind = built();
    let since = mind.now.wall;
    let what = pausable("app", &["debian"]);
    mind.tell(&Event::Pause { what: what.clone(), reason: None, until: Some(since + MINUTE + SECOND) });
    let pass = mind.now.wall + DAY;
    mind.pass(MINUTE);
    let event = Event::Pause { what, reason: Some("freeze".into()), until: Some(pass) };
    assert_eq!(words(&mind.tell(&event)), ["paused debian by command"]);
    let pause = mind.controller.pause_on(&app("app"), &tag("debian")).unwrap().clone();
    let expected = Pause { since, by: PausedBy::Command, reason: Some("freeze".into()), until: Some(pass) };
    assert_eq!(pause, expected);
    assert!(mind.controller.decide(&event, mind.now).is_empty(), "the same again is nothing");
}

#[test]
fn a_pause_ends_by_itself_also_while_nobody_was_there() {
    for restarted in [false, true] {
        let mut mind = built();
        let until = Some(mind.now.wall + DAY);
        mind.tell(&Event::Pause { what: pausable("app", &TAGS), reason: None, until });
        mind.see("debian", "B");
        assert_eq!(mind.controller.next_tick(mind.now), Some(DAY));
        mind.pass(DAY - SECOND);
        assert_eq!(mind.builds(), ["app-1 Complete"]);
        let notes = if restarted {
            mind.now.wall += SECOND;
            mind.restart()
        } else {
            mind.pass(SECOND)
        };
        assert_eq!(words(&notes), ["resumed debian by until", "resumed node by until"]);
        assert_eq!(mind.causes("app-2"), [("debian", digest("B"))]);
        assert!(!is_paused(&mind, "debian"));
        mind.complete("app-2");
        mind.pass(PATIENCE);
        assert_eq!(mind.controller.next_tick(mind.now), None, "no end is waited for any more");
    }
}

#[test]
fn an_end_that_another_word_took_away_ends_nothing() {
    let mut mind = built();
    let until = Some(mind.now.wall + MINUTE);
    mind.tell(&Event::Pause { what: pausable("app", &TAGS), reason: None, until });
    mind.pause("app", &TAGS);
    mind.see("debian", "B");
    mind.pass(DAY);
    assert!(is_paused(&mind, "debian"));
    assert_eq!(mind.builds(), ["app-1 Complete"]);
}

#[test]
fn all_builds_paused_hold_triggers_too_that_come_later() {
    let mut mind = built();
    let what = Pausable { configs: vec![app("app")], ..Pausable::default() };
    let notes = mind.tell(&Event::Pause { what: what.clone(), reason: None, until: None });
    assert_eq!(words(&notes), ["paused app by command"]);
    mind.load([watch("app", &["debian", "node", "redis"])]);
    mind.see("redis", "A");
    mind.see("debian", "B");
    mind.pass(PATIENCE);
    assert!(is_paused(&mind, "redis") && mind.controller.pause_of(&app("app")).is_some());
    assert_eq!(mind.builds(), ["app-1 Complete"]);
    mind.restart();
    mind.tell(&Event::Resume(what));
    assert_eq!(mind.causes("app-2"), [("debian", digest("B")), ("redis", digest("A"))]);
}

#[test]
fn a_paused_first_image_is_built_or_recorded_after_resume_as_the_config_asks() {
    for (on_first, builds) in [(OnFirst::Build, vec!["app-1 Running"]), (OnFirst::Record, vec![])] {
        let config = with(watch("app", &["debian"]), |policy| policy.on_first = on_first);
        let mut mind = Mind::start([paused(config, &["debian"])]);
        mind.see("debian", "A");
        mind.pass(PATIENCE);
        assert!(mind.builds().is_empty());
        mind.resume("app", &["debian"]);
        assert_eq!(mind.builds(), builds, "{on_first:?}");
        assert_eq!(mind.trigger("app", "debian").unwrap().stored, Some(identity("A")));
    }
}

#[test]
fn what_a_command_paused_is_no_first_build_to_hold() {
    let mut mind = Mind::over(Records::default(), Settings { hold_above: 1, ..settings([]) });
    mind.load([watch("app", &["debian"])]);
    mind.pause("app", &["debian"]);
    mind.load([watch("app", &["debian"]), watch("lib", &["debian"])]);
    mind.see("debian", "A");
    assert_eq!(mind.builds(), ["lib-1 Running"]);
}

#[test]
fn a_first_build_does_not_wait_for_a_look_at_what_a_command_paused() {
    let mut mind = Mind::start([watch("app", &TAGS)]);
    mind.pause("app", &["node"]);
    mind.see("debian", "A");
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn a_pause_outlives_its_config_for_thirty_days() {
    let mut mind = built();
    mind.pause("app", &["debian"]);
    mind.load([]);
    mind.pass(29 * DAY);
    mind.load([watch("app", &TAGS)]);
    assert!(is_paused(&mind, "debian"));
    mind.load([]);
    mind.pass(31 * DAY);
    mind.load([]);
    mind.load([watch("app", &TAGS)]);
    assert!(!is_paused(&mind, "debian"));
}

#[test]
fn a_state_from_before_pauses_were_stored_opens() {
    let records = [
        r#"{"trigger":[{"config":"default/app","tag":"registry.test/debian:1"},{"record_next":true}]}"#,
        r#"{"config":["default/app",{"last_number":7}]}"#,
    ];
    let mut stored = Records::default();
    for record in records {
        stored.put(serde_json::from_str(record).unwrap());
    }
    let trigger = stored.triggers.values().next().unwrap();
    assert_eq!((&trigger.pause, trigger.paused_in_config), (&None, false));
    let still = paused(watch("app", &["debian"]), &["debian"]);
    let mind = Mind::over(stored, settings([still]));
    assert!(is_paused(&mind, "debian"), "what the TOML says is its first word");
}

#[test]
fn a_pause_without_an_end_is_given_none_by_one_that_has_it() {
    let by_config = |mind: &mut Mind| drop(mind.load([paused(watch("app", &TAGS), &TAGS)]));
    let by_command = |mind: &mut Mind| drop(mind.pause("app", &TAGS));
    let all_builds = |mind: &mut Mind| {
        let what = Pausable { configs: vec![app("app")], ..Pausable::default() };
        mind.tell(&Event::Pause { what, reason: None, until: None });
    };
    for first in [by_config as fn(&mut Mind), by_command, all_builds] {
        let mut mind = built();
        first(&mut mind);
        mind.see("debian", "B");
        let what = Pausable { configs: vec![app("app")], ..pausable("app", &TAGS) };
        let until = Some(mind.now.wall + MINUTE);
        mind.tell(&Event::Pause { what, reason: Some("freeze".into()), until });
        mind.pass(DAY);
        assert_eq!(mind.builds(), ["app-1 Complete"]);
        assert_eq!(
            mind.controller.pause_on(&app("app"), &tag("debian")).unwrap().reason.as_deref(),
            Some("freeze")
        );
    }
}

#[test]
fn a_watch_that_is_added_again_is_paused_as_it_says_then() {
    let still = || paused(watch("app", &TAGS), &["debian"]);
    let mut mind = Mind::start([still()]);
    mind.resume("app", &["debian"]);
    mind.load([]);
    assert_eq!(
        words(&mind.load([still()])),
        ["paused debian by config"],
        "a resume is no word about the next"
    );
    mind.load([]);
    assert!(!is_paused(&mind, "debian"));
    mind.load([watch("app", &TAGS)]);
    assert!(!is_paused(&mind, "debian"));
}

#[test]
fn a_trigger_that_joins_those_that_a_person_paused_is_paused_with_them() {
    let swapped = || watch("app", &["debian", "redis"]);
    let mut mind = built();
    mind.pause("app", &TAGS);
    assert_eq!(words(&mind.load([swapped()])), ["paused redis by command"]);
    mind.see("redis", "A");
    mind.pass(PATIENCE);
    assert_eq!(mind.builds(), ["app-1 Complete"]);

    let mut mind = built();
    mind.pause("app", &["node"]);
    assert_eq!(words(&mind.load([swapped()])), [""; 0], "that was a word about one of two");
    assert!(!is_paused(&mind, "redis"));
}
