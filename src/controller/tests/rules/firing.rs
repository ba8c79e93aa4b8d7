//! When a trigger fires, and for what (F12 to F17, D4, D5, D11, D15, D17).

use std::iter;

use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::{Descriptor, Polled};

/// The tag, fan-out, held and seen-before of the `image_changed` lines in `notes`.
fn image_changes(notes: &[Note]) -> Vec<(String, usize, usize, bool)> {
    let line = |note: &Note| {
        let Note::ImageChanged { tag, fan_out, held, seen_before, .. } = note else { return None };
        Some((tag.to_string(), *fan_out, *held, *seen_before))
    };
    notes.iter().filter_map(line).collect()
}

#[test]
fn a_tag_that_is_resolved_for_the_first_time_fires_once() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.complete("app-1");
    mind.pass(PATIENCE);
    mind.see("debian", "A");
    mind.restart();
    mind.see("debian", "A");
    assert_eq!(mind.builds(), ["app-1 Complete"]);
}

#[test]
fn an_unchanged_look_is_nothing_at_all() {
    let mut mind = Mind::start([watch("app", &["debian"]), paused(watch("lib", &["debian"]), &["debian"])]);
    mind.see("debian", "A");
    mind.see("debian", "B");
    mind.pass(PATIENCE);
    let look = Event::Observed { tag: tag("debian"), found: image("B") };
    assert!(mind.controller.decide(&look, mind.now).is_empty());
}

#[test]
fn the_first_look_after_a_restart_stores_nothing_if_nothing_moved() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.complete("app-1");
    mind.restart();
    let look = Event::Observed { tag: tag("debian"), found: image("A") };
    assert!(!mind.step(&look).is_durable());
    assert!(!mind.step(&Event::Tick).is_durable());
}

#[test]
fn several_changes_are_one_build_with_a_cause_each_in_the_order_of_the_triggers() {
    let tags = ["debian", "node", "redis"];
    let mut mind = Mind::start([watch("app", &tags)]);
    for name in ["redis", "debian", "node"] {
        mind.see(name, "A");
    }
    assert_eq!(mind.causes("app-1"), tags.map(|name| (name, digest("A"))));
    mind.complete("app-1");

    mind.load([paused(watch("app", &tags), &tags)]);
    mind.see("redis", "C");
    mind.see("debian", "B");
    mind.load([watch("app", &tags)]);
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
    assert_eq!(mind.causes("app-2"), [("debian", digest("B")), ("redis", digest("C"))]);
}

#[test]
fn a_tag_that_does_not_resolve_blocks_no_other() {
    let mut mind = Mind::start([watch("app", &["debian", "node"])]);
    mind.miss("node");
    mind.see("debian", "A");
    assert_eq!(mind.causes("app-1"), [("debian", digest("A"))]);
    mind.see("node", "A");
    mind.complete("app-1");
    assert_eq!(mind.causes("app-2"), [("node", digest("A"))], "it fires when it appears");
}

#[test]
fn a_build_swallows_what_its_paused_triggers_had_pending() {
    let tags = ["debian", "node"];
    let mut mind = Mind::start([watch("app", &tags)]);
    mind.see("debian", "A");
    mind.see("node", "A");
    mind.load([paused(watch("app", &tags), &["node"])]);
    mind.see("node", "B");
    assert!(mind.trigger("app", "node").unwrap().pending.is_some());
    let notes = mind.see("debian", "B");
    assert_eq!(swallowed(&notes), [tag("node").to_string()]);
    assert_eq!(mind.causes("app-2"), [("debian", digest("B"))]);
    mind.load([watch("app", &tags)]);
    assert_eq!(mind.builds().len(), 2, "unpausing after such a build fires nothing");
}

#[test]
fn an_outage_leaves_what_a_trigger_stored_alone() {
    let mut mind = Mind::start([watch("app", &["debian", "node"])]);
    mind.see("debian", "A");
    mind.see("node", "A");
    mind.miss("node");
    mind.see("debian", "B");
    mind.miss("node");
    mind.see("node", "A");
    assert_eq!(mind.trigger("app", "node").unwrap().stored, Some(identity("A")));
    assert_eq!(mind.controller.records().configs[&app("app")].last_number, 2, "debian's two, none for node");
}

#[test]
fn a_failed_look_fires_nothing_and_clears_nothing() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.pass(PATIENCE);
    let miss = Event::Unresolved { tag: tag("debian"), is_v2: true };
    assert!(mind.controller.decide(&miss, mind.now).is_empty());
}

#[test]
fn a_return_between_two_looks_is_nothing() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    // The tag pointed to B here, and nobody looked.
    assert!(mind.see("debian", "A").is_empty());
}

#[test]
fn a_return_over_two_looks_fires_for_the_return() {
    let mut mind = Mind::start([serial(watch("app", &["debian"]))]);
    mind.see("debian", "A");
    let away = image_changes(&mind.see("debian", "B"));
    let back = image_changes(&mind.see("debian", "A"));
    assert_eq!(away, [(tag("debian").to_string(), 1, 0, false)]);
    assert_eq!(back, [(tag("debian").to_string(), 1, 0, true)], "seen before");
    assert_eq!(mind.causes("app-3"), [("debian", digest("A"))]);
}

#[test]
fn a_failed_build_is_not_made_again_for_its_image_but_is_for_the_next() {
    let once = Retry { attempts: 1, backoff: MINUTE };
    let mut mind = Mind::start([with(watch("app", &["debian"]), |policy| policy.retry = once)]);
    mind.see("debian", "A");
    mind.fail("app-1");
    mind.pass(DAY);
    mind.see("debian", "A");
    assert_eq!(mind.builds(), ["app-1 Failed"]);
    mind.see("debian", "B");
    assert_eq!(mind.builds(), ["app-1 Failed", "app-2 Running"]);
}

#[test]
fn thirty_configs_on_one_tag_are_thirty_builds_and_one_line() {
    let names = (1..=30).map(|number| format!("app{number}"));
    let mut mind = Mind::start(names.map(|name| watch(&name, &["debian"])));
    mind.see("debian", "A");
    let notes = mind.see("debian", "B");
    assert_eq!(image_changes(&notes), [(tag("debian").to_string(), 30, 0, false)]);
    assert_eq!(mind.builds().len(), 60);
}

#[test]
fn the_line_of_an_image_counts_builds_and_holds_apart() {
    let held = paused(watch("held", &["debian"]), &["debian"]);
    let mut mind = Mind::start([watch("app", &["debian"]), held, watch("other", &["node"])]);
    mind.see("debian", "A");
    let notes = mind.see("debian", "B");
    assert_eq!(image_changes(&notes), [(tag("debian").to_string(), 1, 1, false)]);
    let pending = |note: &&Note| matches!(note, Note::ChangePending { .. });
    assert_eq!(notes.iter().filter(pending).count(), 1);
}

#[test]
fn a_trigger_that_watches_another_tag_now_fires() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.complete("app-1");
    mind.load([watch("app", &["ubuntu"])]);
    mind.see("ubuntu", "A");
    assert_eq!(mind.causes("app-2"), [("ubuntu", digest("A"))]);
}

#[test]
fn reordering_or_respelling_triggers_fires_nothing() {
    let mut mind = Mind::start([watch("app", &["debian", "node"])]);
    mind.see("debian", "A");
    mind.see("node", "A");
    mind.complete("app-1");
    let mut respelled = watch("app", &["node", "debian"]);
    for trigger in &mut respelled.triggers {
        let named = format!("mystream/{}:1", trigger.from.named);
        Arc::make_mut(&mut trigger.from).named = named.into();
    }
    mind.load([respelled]);
    assert_eq!(mind.builds(), ["app-1 Complete"]);
}

#[test]
fn another_media_type_for_the_same_digest_fires_nothing() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.complete("app-1");
    let index = "application/vnd.oci.image.index.v1+json".into();
    let manifest = Descriptor { media_type: index, accept_version: 2, ..manifest("A") };
    let notes = mind.tell(&Event::Observed { tag: tag("debian"), found: manifest.clone().into() });
    assert!(notes.is_empty());
    assert_eq!(mind.builds(), ["app-1 Complete"]);
    assert_eq!(mind.controller.records().tags[&tag("debian")].observed.polled, Polled::Manifest(manifest));
}

#[test]
fn a_pause_gathers_changes_and_a_resume_builds_the_newest_once() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.complete("app-1");
    mind.load([paused(watch("app", &["debian"]), &["debian"])]);
    let since = mind.now.wall;
    mind.see("debian", "B");
    mind.pass(MINUTE);
    mind.see("debian", "C");
    mind.restart();
    let pending = mind.trigger("app", "debian").unwrap().pending.clone().unwrap();
    assert_eq!(*pending, PendingChange { identity: identity("C"), since }, "stale since the first of them");
    mind.load([watch("app", &["debian"])]);
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
    assert_eq!(mind.causes("app-2"), [("debian", digest("C"))]);
    assert_eq!(mind.trigger("app", "debian").unwrap().pending, None);
}

#[test]
fn a_pending_change_is_told_once_per_image() {
    let mut mind = Mind::start([paused(watch("app", &["debian"]), &["debian"])]);
    let told =
        |notes: &[Note]| notes.iter().filter(|note| matches!(note, Note::ChangePending { .. })).count();
    assert_eq!(told(&mind.see("debian", "A")), 1);
    assert_eq!(told(&mind.see("debian", "A")), 0);
    assert_eq!(told(&mind.restart()), 0);
    assert_eq!(told(&mind.see("debian", "B")), 1);
}

#[test]
fn a_paused_tag_that_returns_to_what_was_built_is_pending_no_more() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.load([paused(watch("app", &["debian"]), &["debian"])]);
    mind.see("debian", "B");
    mind.see("debian", "A");
    assert_eq!(mind.trigger("app", "debian").unwrap().pending, None);
    mind.load([watch("app", &["debian"])]);
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn s13_the_strategys_own_tag_is_pinned_from_the_look_that_fired() {
    let mut mind = Mind::start([serial(watch("app", &["debian", "node"]))]);
    mind.see("debian", "A");
    mind.see("node", "A");
    mind.see("node", "B");
    mind.see("debian", "B");
    let bases: Vec<_> = ["app-1", "app-2", "app-3"].map(|name| mind.spec(name).base().digest.clone()).into();
    let expected = ["A", "A", "B"].map(|version| Some(digest(version)));
    assert!(iter::zip(bases, expected).all(|(base, expected)| base == expected));
}

#[test]
fn a_trigger_that_awaits_a_first_look_is_a_cause_if_another_fires() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    mind.complete("app-1");
    mind.load([watch("app", &["debian", "node", "redis"])]);
    mind.see("node", "A");
    let notes = mind.see("debian", "B");
    assert_eq!(mind.causes("app-2"), [("debian", digest("B")), ("node", digest("A"))]);
    assert!(swallowed(&notes).is_empty());
}

/// A config that builds from `debian`, which none of its triggers watches.
fn built_from_elsewhere() -> BuildConfig {
    let mut config = watch("app", &["debian", "node"]);
    config.triggers.remove(0);
    config
}

#[test]
fn a_change_waits_for_the_strategys_own_tag_and_fires_when_it_resolves() {
    let mut mind = Mind::start([built_from_elsewhere()]);
    mind.see("node", "A");
    assert!(mind.builds().is_empty(), "a build must have its base pinned");
    mind.see("debian", "A");
    assert_eq!(mind.causes("app-1"), [("node", digest("A"))]);
    assert_eq!(mind.spec("app-1").base().digest, Some(digest("A")));
}

#[test]
fn the_strategys_own_tag_fires_nothing_where_no_trigger_watches_it() {
    let mut mind = Mind::start([built_from_elsewhere()]);
    mind.see("debian", "A");
    mind.see("node", "A");
    let notes = mind.see("debian", "B");
    assert_eq!(image_changes(&notes), [(tag("debian").to_string(), 0, 0, false)]);
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn the_strategys_own_tag_is_watched_even_where_no_trigger_is_on_it() {
    let mut mind = Mind::start([built_from_elsewhere()]);
    mind.see("debian", "A");
    mind.restart();
    assert_eq!(mind.controller.records().tags[&tag("debian")].unwatched_since, None);
}
