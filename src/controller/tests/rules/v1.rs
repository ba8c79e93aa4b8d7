//! Tags on v1 registries, which fire once, and hosts that are remembered as v2 (S26, S27, F44, D10).

use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::{Found, Identity, ImageId, Polled};

fn image_id(seed: char) -> ImageId {
    ImageId::from_hex(&seed.to_string().repeat(64)).unwrap()
}

fn v1(seed: char) -> Found {
    Polled::V1(image_id(seed)).into()
}

/// A look at a tag finds this image on a v1 registry.
fn see_v1(mind: &mut Mind, name: &str, seed: char) -> Vec<Note> {
    mind.tell(&Event::Observed { tag: tag(name), found: v1(seed) })
}

/// A config that is recorded with on_first.
fn recording(name: &str, tags: &[&str]) -> BuildConfig {
    with(watch(name, tags), |policy| policy.on_first = OnFirst::Record)
}

fn registries(transition: &Transition) -> usize {
    transition.records.iter().filter(|record| matches!(record, Record::Registry(..))).count()
}

#[test]
fn s26_a_v1_tag_fires_when_it_is_first_found_and_never_again() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    let notes = see_v1(&mut mind, "debian", 'a');
    assert_eq!(mind.builds(), ["app-1 Running"]);
    assert!(notes.contains(&Note::V1FiresOnce { tag: tag("debian"), image_id: image_id('a') }), "{notes:?}");
    let spec = mind.spec("app-1");
    let reference = "registry.test/library/debian:1";
    assert_eq!((&*spec.base().reference, &spec.base().digest), (reference, &None));
    assert_eq!(spec.command[1], format!("BASE={reference}"));
    assert_eq!(spec.base().image_id, Some(image_id('a')));

    mind.complete("app-1");
    for seed in ['b', 'c', 'a'] {
        assert_eq!(see_v1(&mut mind, "debian", seed), []);
        assert_eq!(mind.restart(), []);
        assert_eq!(see_v1(&mut mind, "debian", seed), []);
    }
    assert_eq!(mind.builds(), ["app-1 Complete"]);
}

#[test]
fn s26_a_v1_tag_that_is_recorded_at_first_never_fires() {
    let mut mind = Mind::start([recording("app", &["debian"])]);
    for seed in ['a', 'b'] {
        see_v1(&mut mind, "debian", seed);
        mind.restart();
    }
    assert!(mind.builds().is_empty());
    assert_eq!(mind.trigger("app", "debian").unwrap().stored, Some(Identity::V1Tag));
}

#[test]
fn s26_a_paused_v1_tag_fires_once_after_the_pause_however_often_it_moved() {
    let mut mind = Mind::start([paused(watch("app", &["debian"]), &["debian"])]);
    let pending =
        |notes: &[Note]| notes.iter().filter(|note| matches!(note, Note::ChangePending { .. })).count();
    let counts = ['a', 'b', 'c'].map(|seed| pending(&see_v1(&mut mind, "debian", seed)));
    assert_eq!(counts, [1, 0, 0], "what waits is told once: one v1 image is like another");
    mind.load([watch("app", &["debian"])]);
    see_v1(&mut mind, "debian", 'd');
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn s26_a_v1_tag_beside_a_v2_tag_has_builds_of_the_v2_tag_alone() {
    let mut mind = Mind::start([serial(watch("app", &["debian", "node"]))]);
    see_v1(&mut mind, "debian", 'a');
    mind.see("node", "A");
    assert_eq!(mind.builds(), ["app-1 Running"]);
    see_v1(&mut mind, "debian", 'b');
    mind.see("node", "B");
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 New"]);
    assert_eq!(mind.causes("app-2"), [("node", digest("B"))]);
    assert_eq!(&*mind.spec("app-2").base().reference, "registry.test/library/debian:1");
}

#[test]
fn s27_an_id_that_moved_is_recorded_as_information_and_told_to_nobody() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    see_v1(&mut mind, "debian", 'a');
    let moved = mind.step(&Event::Observed { tag: tag("debian"), found: v1('b') });
    let [Record::Tag(_, Some(record))] = &moved.records[..] else { panic!("{:?}", moved.records) };
    assert_eq!((record.observed.polled.image_id(), record.earlier.len()), (Some(image_id('b')), 0));
    assert!(moved.notes.is_empty() && moved.effects.is_empty(), "{moved:?}");
    mind.pass(PATIENCE);
    let again = Event::Observed { tag: tag("debian"), found: v1('b') };
    assert!(mind.controller.decide(&again, mind.now).is_empty(), "an unchanged poll stores nothing");
}

#[test]
fn f44_a_v1_tag_that_becomes_v2_fires_exactly_once_and_then_as_any_other() {
    let mut mind = Mind::start([serial(watch("app", &["debian"])), recording("lib", &["debian"])]);
    see_v1(&mut mind, "debian", 'a');
    assert_eq!(mind.builds(), ["app-1 Running"]);
    for _ in 0..3 {
        mind.see("debian", "A");
        mind.restart();
    }
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 New", "lib-1 Running"]);
    let Cause::ImageChange { image, old_digest } = &mind.spec("app-2").causes[0] else { panic!() };
    assert_eq!((&*image.reference, old_digest), (&*tag("debian").pinned(&digest("A")), &None));
    mind.see("debian", "B");
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 New", "app-3 New", "lib-1 Running", "lib-2 New"]);
    assert_eq!(mind.causes("app-3"), [("debian", digest("B"))]);
}

#[test]
fn d10_what_seems_to_be_v1_after_v2_fires_nothing_and_the_same_digest_later_neither() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    let notes = see_v1(&mut mind, "debian", 'a');
    assert_eq!(notes, [], "no build will come of it, and no digest can be told");
    assert_eq!(mind.builds(), ["app-1 Running"]);
    assert_eq!(mind.trigger("app", "debian").unwrap().stored, Some(identity("A")));
    mind.see("debian", "A");
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn d10_a_host_is_stored_as_v2_by_the_first_digest_once_and_for_good() {
    let mut mind = Mind::start([watch("app", &["debian", "node"])]);
    let see = |name: &str, version: &str| Event::Observed { tag: tag(name), found: image(version) };
    let first = mind.step(&see("debian", "A"));
    assert_eq!(registries(&first), 1);
    let since = mind.controller.records().registries["registry.test"].clone();
    assert_eq!(since.v2_since, Some(mind.now.wall));
    mind.pass(MINUTE);
    mind.restart();
    for (name, version) in [("debian", "A"), ("debian", "B"), ("node", "A")] {
        assert_eq!(registries(&mind.step(&see(name, version))), 0);
    }
    assert_eq!(mind.controller.records().registries["registry.test"], since);
    assert!(mind.controller.records().v2_hosts().contains("registry.test"));
    assert!(!mind.controller.records().v2_hosts().contains("other.test"));
}

#[test]
fn d10_a_look_in_vain_that_proves_v2_is_stored_once_and_one_that_proves_nothing_is_not() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    let miss = |is_v2| Event::Unresolved { tag: tag("debian"), is_v2 };
    assert_eq!(registries(&mind.step(&miss(false))), 0);
    assert_eq!(registries(&mind.step(&miss(true))), 1);
    assert!(mind.controller.records().v2_hosts().contains("registry.test"));
    mind.restart();
    assert_eq!(registries(&mind.step(&miss(true))), 0);
}

#[test]
fn d10_a_v1_tag_proves_nothing_about_its_host() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    see_v1(&mut mind, "debian", 'a');
    assert!(
        mind.controller.records().registries.is_empty()
            && !mind.controller.records().v2_hosts().contains("registry.test")
    );
}

#[test]
fn d10_a_state_from_before_hosts_were_stored_tells_v2_by_its_digests() {
    let mut mind = Mind::start([watch("app", &["debian"])]);
    mind.see("debian", "A");
    let mut records = mind.controller.records().clone();
    records.registries.clear();
    assert!(records.v2_hosts().contains("registry.test") && !records.v2_hosts().contains("registry"));
}
