//! The variable that tells a custom build its own image, for every build, whatever started it (S22, S23, F26, F27, D6).

use crate::controller::tests::support::*;
use crate::controller::*;

/// A custom strategy with these variables of its own, which was started by its image.
fn custom(env: &[(&str, &str)]) -> Mind {
    let mut config = long_form("app", StrategyKind::Custom, "ruby", &["ruby"]);
    config.strategy.env = words(env).into();
    let mut mind = Mind::start([config]);
    mind.see("ruby", "A");
    mind.complete("app-1");
    mind
}

fn reference(version: &str) -> String {
    format!("registry.test/ruby@{}", digest(version))
}

#[test]
fn s22_the_variable_is_made_where_there_is_none() {
    let base = reference("A");
    assert_eq!(custom(&[]).spec("app-1").env, words(&[(CUSTOM_BASE_IMAGE, &base)]));
    let mind = custom(&[("A", "1"), ("B", "2")]);
    assert_eq!(mind.spec("app-1").env, words(&[("A", "1"), ("B", "2"), (CUSTOM_BASE_IMAGE, &base)]));
}

#[test]
fn s23_the_variable_is_replaced_in_its_place_between_two_others() {
    let mut mind = custom(&[("A", "1"), (CUSTOM_BASE_IMAGE, "ruby:latest"), ("B", "2")]);
    let between = |base: &str| words(&[("A", "1"), (CUSTOM_BASE_IMAGE, base), ("B", "2")]);
    assert_eq!(mind.spec("app-1").env, between(&reference("A")));
    mind.see("ruby", "B");
    mind.complete("app-2");
    mind.start_build("app");
    mind.rebuild("app-1", &[]).unwrap();
    let expected = [("app-2", "B"), ("app-3", "B"), ("app-4", "A")];
    for (name, version) in expected {
        assert_eq!(mind.spec(name).env, between(&reference(version)), "{name}");
    }
}

#[test]
fn s23_a_second_variable_of_that_name_says_the_same() {
    let mind = custom(&[(CUSTOM_BASE_IMAGE, "x"), ("A", "1"), (CUSTOM_BASE_IMAGE, "y")]);
    let base = reference("A");
    let expected = [(CUSTOM_BASE_IMAGE, &*base), ("A", "1"), (CUSTOM_BASE_IMAGE, &base)];
    assert_eq!(mind.spec("app-1").env, words(&expected));
}

#[test]
fn d6_who_asks_for_a_build_cannot_say_otherwise_and_is_told() {
    let mut mind = custom(&[("A", "1"), ("B", "2")]);
    let asked = Start { env: words(&[(CUSTOM_BASE_IMAGE, "evil"), ("A", "x")]), ..manual("app") };
    let config = mind.controller.config(&app("app")).unwrap();
    assert_eq!(asked.overridden(config), Some(CUSTOM_BASE_IMAGE));
    mind.ask(asked).unwrap();
    let base = reference("A");
    assert_eq!(mind.spec("app-2").env, words(&[("B", "2"), ("A", "x"), (CUSTOM_BASE_IMAGE, &base)]));
}

#[test]
fn the_variable_means_nothing_to_the_other_strategies() {
    for kind in [StrategyKind::Source, StrategyKind::Docker, StrategyKind::Command] {
        let mut mind = Mind::start([long_form("app", kind, "ruby", &["ruby"])]);
        mind.see("ruby", "A");
        assert!(mind.spec("app-1").env.is_empty(), "{kind:?}");
        let asked = Start { env: words(&[(CUSTOM_BASE_IMAGE, "mine")]), ..manual("app") };
        assert_eq!(asked.overridden(mind.controller.config(&app("app")).unwrap()), None);
        mind.ask(asked).unwrap();
        assert_eq!(mind.spec("app-2").env, words(&[(CUSTOM_BASE_IMAGE, "mine")]), "{kind:?}");
    }
}

#[test]
fn the_variable_says_what_the_build_is_given_of_another_repository() {
    let mut config = long_form("app", StrategyKind::Custom, "ruby", &[]);
    let mut from = config.strategy.stream_tag().unwrap().clone();
    from.given = Some("cache.test/hub/ruby".into());
    config.strategy.from = Some(Base::Tag(from.into()));
    let mut mind = Mind::start([config_change(config)]);
    mind.see("ruby", "A");
    let base = format!("cache.test/hub/ruby@{}", digest("A"));
    assert_eq!(mind.spec("app-1").env, words(&[(CUSTOM_BASE_IMAGE, &base)]));
    assert_eq!(mind.spec("app-1").command[1], format!("BASE={base}"));
}
