//! An earlier build, made again from the same images (S17, F35).

use crate::controller::tests::support::*;
use crate::controller::*;

/// `app`, built from `ruby`, whose tag moved from `B` to `C` after the second build.
fn moved() -> Mind {
    let mut config = serial(watch("app", &["ruby"]));
    config.strategy.env = words(&[("A", "1"), ("B", "2")]).into();
    let mut mind = Mind::start([config]);
    for (version, name) in [("A", "app-1"), ("B", "app-2"), ("C", "app-3")] {
        mind.see("ruby", version);
        mind.complete(name);
    }
    mind
}

#[test]
fn s17_a_rebuild_has_the_digests_of_the_old_build_after_the_tag_moved() {
    let mut mind = moved();
    mind.rebuild("app-2", &[]).unwrap();
    let (old, new) = (mind.spec("app-2"), mind.spec("app-4"));
    assert_eq!(new.base_image, old.base_image);
    assert_eq!(new.base().digest, Some(digest("B")));
    assert_eq!(new.causes[0], Cause::Rebuild { of: build("app-2") });
    assert_eq!(new.causes[1..], old.causes[..], "with the images that the old build was for");
    assert_eq!((new.build.number, new.id == old.id), (4, false));
    assert_eq!(new.env, old.env);
    assert_eq!(mind.build("app-4").urgency, Urgency::Rebuild);
}

#[test]
fn s17_a_rebuild_works_while_the_tag_is_gone_and_after_a_restart() {
    let mut mind = moved();
    mind.restart();
    mind.miss("ruby");
    mind.rebuild("app-1", &[]).unwrap();
    assert_eq!(mind.base("app-4"), digest("A"));
}

#[test]
fn s17_a_rebuild_has_the_revision_of_the_old_build() {
    let mut mind = moved();
    let revision = Some(Revision { commit: "0123abc".into(), ..Revision::default() });
    mind.ask(Start { revision: revision.clone(), ..manual("app") }).unwrap();
    mind.complete("app-4");
    mind.rebuild("app-4", &[]).unwrap();
    assert_eq!(mind.spec("app-5").revision.as_deref(), revision.as_ref());
    assert_eq!(mind.cause_names("app-5"), ["rebuild"]);
}

#[test]
fn a_rebuild_touches_no_trigger() {
    let mut mind = moved();
    mind.pause("app", &["ruby"]);
    mind.see("ruby", "D");
    let before = mind.trigger("app", "ruby").cloned();
    let notes = mind.rebuild("app-1", &[]).unwrap();
    assert!(swallowed(&notes).is_empty());
    assert_eq!(mind.trigger("app", "ruby").cloned(), before);
    mind.resume("app", &["ruby"]);
    assert_eq!(mind.causes("app-5"), [("ruby", digest("D"))], "what waited is still built");
}

#[test]
fn a_rebuild_is_given_more_variables_in_the_place_of_those_named_so() {
    let mut mind = moved();
    mind.rebuild("app-2", &[("A", "x"), ("C", "3")]).unwrap();
    assert_eq!(mind.spec("app-4").env, words(&[("B", "2"), ("A", "x"), ("C", "3")]));
}

#[test]
fn a_rebuild_of_a_custom_build_keeps_its_base_image_whatever_is_asked() {
    let mut mind = Mind::start([long_form("app", StrategyKind::Custom, "ruby", &["ruby"])]);
    mind.see("ruby", "A");
    mind.complete("app-1");
    mind.see("ruby", "B");
    mind.rebuild("app-1", &[(CUSTOM_BASE_IMAGE, "evil")]).unwrap();
    let reference = format!("registry.test/ruby@{}", digest("A"));
    assert_eq!(mind.spec("app-3").env, words(&[(CUSTOM_BASE_IMAGE, &reference)]));
}

#[test]
fn the_command_names_the_new_build_where_the_config_says_the_same_and_is_the_old_one_elsewhere() {
    let says = |word: &str| {
        let mut config = serial(watch("app", &["ruby"]));
        config.strategy.command = [word.to_owned(), "{build}".to_owned(), "{base_image}".to_owned()].into();
        config
    };
    let mut mind = Mind::start([says("make")]);
    mind.see("ruby", "A");
    mind.complete("app-1");
    let base = format!("registry.test/ruby@{}", digest("A"));
    mind.rebuild("app-1", &[]).unwrap();
    assert_eq!(mind.spec("app-2").command, ["make", "app-2", &base]);
    mind.load([says("ninja")]);
    mind.rebuild("app-1", &[]).unwrap();
    assert_eq!(mind.spec("app-3").command, ["make", "app-1", &base], "as it was run then");
}

#[test]
fn a_rebuild_takes_no_other_builds_place_and_waits_for_its_turn() {
    for supersede in [Supersede::Images, Supersede::All] {
        let config = with(watch("app", &["ruby"]), |policy| policy.supersede = supersede);
        let mut mind = Mind::start([config]);
        mind.see("ruby", "A");
        mind.see("ruby", "B");
        mind.rebuild("app-1", &[]).unwrap();
        assert_eq!(mind.builds(), ["app-1 Running", "app-2 New", "app-3 New"]);
    }
}

#[test]
fn a_rebuild_ends_no_retry_and_no_interrupted_build() {
    let mut mind = Mind::start([with(watch("app", &["ruby"]), |policy| policy.supersede = Supersede::All)]);
    mind.see("ruby", "A");
    mind.rebuild("app-1", &[]).unwrap();
    mind.end("app-1", Outcome::Interrupted);
    assert_eq!(mind.builds(), ["app-1 Running", "app-2 New"], "it runs again, before the one made of it");
    mind.fail("app-1");
    assert_eq!(mind.builds(), ["app-1 Pending", "app-2 Running"]);
}

#[test]
fn a_rebuild_is_refused_where_the_config_is_gone() {
    let mut mind = moved();
    mind.load([]);
    assert_eq!(mind.rebuild("app-1", &[]).unwrap_err(), StartRefused::NoConfig(app("app")));
}

#[test]
fn a_rebuild_with_a_key_is_made_once() {
    let mut mind = moved();
    let of = Box::new(mind.spec("app-1").clone());
    let again = Event::Rebuild(Box::new(Rebuild { of, env: Vec::new(), key: Some("once".into()) }));
    mind.tell(&again);
    mind.tell(&again);
    assert_eq!(mind.builds()[3..], ["app-4 Running"]);
    assert_eq!(mind.controller.asked_before(&app("app"), "once"), Some(&build("app-4")));
}

#[test]
fn a_rebuild_lets_no_held_first_build_go() {
    let mut mind = moved();
    let held = [watch("app", &["node"]), watch("lib", &["node"])];
    mind.load_settings(Settings { hold_above: 1, ..settings(held) });
    mind.rebuild("app-1", &[]).unwrap();
    mind.see("node", "A");
    mind.pass(PATIENCE);
    assert_eq!(mind.builds()[3..], ["app-4 Running"], "it waits for a person as before");
}
