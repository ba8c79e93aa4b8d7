//! What was stored elsewhere: an import with status starts no storm (semantics.md §3).

use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::Identity;

/// `app`, of which this was imported for its trigger on `ruby`.
fn imported(last: Identity) -> BuildConfig {
    let mut config = watch("app", &["ruby"]);
    config.triggers[0].last = Some(Box::new(last));
    BuildConfig { last_version: 7, ..config }
}

#[test]
fn what_was_built_elsewhere_is_not_built_again_and_the_numbers_go_on() {
    let mut mind = Mind::start([imported(identity("A"))]);
    mind.see("ruby", "A");
    mind.pass(PATIENCE);
    assert!(mind.builds().is_empty());
    mind.see("ruby", "B");
    assert_eq!(mind.builds(), ["app-8 Running"]);
    assert_eq!(mind.build("app-8").urgency, Urgency::ImageChange, "it is no first sight");
}

#[test]
fn an_import_holds_only_where_nothing_is_stored() {
    let mut mind = Mind::start([imported(identity("A"))]);
    mind.see("ruby", "B");
    mind.complete("app-8");
    mind.load([imported(identity("A"))]);
    mind.restart();
    mind.see("ruby", "B");
    assert_eq!(mind.builds(), ["app-8 Complete"]);
    mind.load([BuildConfig { last_version: 3, ..imported(identity("Z")) }]);
    mind.see("ruby", "C");
    assert_eq!(mind.builds(), ["app-8 Complete", "app-9 Running"]);
}

#[test]
fn an_imported_index_is_known_by_its_digest_and_then_by_what_is_in_it() {
    let platforms = [("linux/amd64", "a")];
    let mut mind = Mind::start([imported(identity("I"))]);
    mind.find("ruby", unread("I"));
    assert!(mind.builds().is_empty());
    mind.find("ruby", index_after("J", &platforms, ("I", &platforms)));
    assert!(mind.builds().is_empty(), "nothing but attestations moved");
    mind.find("ruby", index("K", &[("linux/amd64", "b")]));
    assert_eq!(mind.builds(), ["app-8 Running"]);
}

#[test]
fn an_imported_child_is_unchanged_while_the_index_has_it_for_the_platform() {
    let mut mind = Mind::start([on(&legacy(), imported(identity("a")))]);
    mind.find("ruby", unread("I"));
    assert!(mind.builds().is_empty(), "nobody looked into it yet");
    mind.find("ruby", index("I", &[("linux/amd64", "a"), ("linux/arm64", "b")]));
    mind.find("ruby", index("J", &[("linux/amd64", "a"), ("linux/arm64", "c")]));
    assert!(mind.builds().is_empty());
    mind.find("ruby", index("K", &[("linux/amd64", "d"), ("linux/arm64", "a")]));
    assert_eq!(mind.causes("app-8"), [("ruby", digest("d"))], "another platform has it now");
    let Cause::ImageChange { old_digest, .. } = &mind.spec("app-8").causes[0] else { panic!() };
    assert_eq!(old_digest, &Some(digest("a")));
}

#[test]
fn an_imported_child_may_be_another_of_those_that_fit() {
    let index = index("I", &[("linux(1)/amd64", "a"), ("linux(2)/amd64", "b")]);
    let mut mind = Mind::start([on(&legacy(), imported(identity("b")))]);
    mind.find("ruby", index);
    assert!(mind.builds().is_empty());
}

#[test]
fn f44_an_imported_v1_tag_fires_once_when_it_has_a_digest() {
    let mut mind = Mind::start([imported(Identity::V1Tag)]);
    mind.see("ruby", "A");
    assert_eq!(mind.causes("app-8"), [("ruby", digest("A"))]);
    mind.complete("app-8");
    mind.see("ruby", "A");
    assert_eq!(mind.builds(), ["app-8 Complete"]);
}

#[test]
fn a_config_change_trigger_of_what_was_built_elsewhere_starts_nothing() {
    let mut mind = Mind::start([config_change(imported(identity("A")))]);
    mind.see("ruby", "A");
    mind.pass(PATIENCE);
    assert!(mind.builds().is_empty());
}

#[test]
fn d14_what_was_built_elsewhere_is_no_first_build_to_hold() {
    let again = |name| BuildConfig { key: app(name), ..config_change(imported(identity("A"))) };
    let configs = ["a", "b", "c"].map(again);
    let mut mind = Mind::over(Records::default(), Settings { hold_above: 0, ..settings(configs) });
    mind.see("ruby", "B");
    assert_eq!(mind.builds().len(), 3);
}
