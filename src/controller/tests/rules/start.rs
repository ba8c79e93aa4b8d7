//! Builds that a person or a webhook asks for (S24, S25, F17, F34, D4, D5, D6).

use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::Found;

/// `app`, built from `ruby` and started by it and by `custom`; both are resolved, and its first build is over.
fn built() -> Mind {
    let mut mind = Mind::start([long_form("app", StrategyKind::Source, "ruby", &["ruby", "custom"])]);
    mind.see("ruby", "A");
    mind.see("custom", "A");
    mind.complete("app-1");
    mind
}

/// As if the poller had looked just now for the sake of the build.
fn refreshed(name: &str, found: &[(&str, Found)]) -> Start {
    let fresh = found.iter().map(|(name, found)| (tag(name), found.clone())).collect();
    Start { fresh, ..manual(name) }
}

fn keyed(key: &str) -> Start {
    Start { key: Some(key.into()), ..manual("app") }
}

#[test]
fn s24_a_build_of_a_tag_that_was_never_resolved_is_refused_and_uses_no_number() {
    let mut config = long_form("app", StrategyKind::Source, "ruby", &["ruby"]);
    let named = StreamTag { named: "mynamespace/ruby-20-centos7:latest".into(), ..follow(&config) };
    config.strategy.from = Some(Base::Tag(named.into()));
    let mut mind = Mind::start([config]);
    let refused = mind.ask(manual("app")).unwrap_err().to_string();
    let sentence = "Error resolving ImageStreamTag ruby-20-centos7:latest in namespace mynamespace: \
                    unable to find latest tagged image";
    assert_eq!(refused, sentence);
    let anyway = mind.step(&Event::Start(Box::new(manual("app"))));
    assert!(anyway.is_empty(), "also if nobody asked whether it could be made");
    assert_eq!(mind.controller.next_build(&app("app")).number, 1);

    mind.see("ruby", "A");
    assert_eq!(mind.builds(), ["app-1 Running"], "the first image, and no build of before");
}

fn follow(config: &BuildConfig) -> StreamTag {
    config.strategy.stream_tag().unwrap().clone()
}

#[test]
fn s24_the_refusal_of_a_watch_names_the_image_as_it_is_written() {
    for (written, tag) in [
        ("registry.test/team/debian:1", "registry.test/team/debian:1"),
        ("debian:12", "docker.io/library/debian:12"),
        ("grafana/grafana", "docker.io/grafana/grafana:latest"),
    ] {
        let mut config = watch("app", &["debian"]);
        let from = StreamTag { named: written.into(), tag: tag.parse().unwrap(), ..follow(&config) };
        config.strategy.from = Some(Base::Tag(from.into()));
        config.triggers.clear();
        let refused = Mind::start([config]).ask(manual("app")).unwrap_err();
        let (named, namespace) = (written.into(), "default".into());
        assert_eq!(refused, StartRefused::Unresolved { named, namespace }, "{tag}");
    }
}

#[test]
fn s24_a_build_is_made_of_what_is_stored_while_the_registry_is_down_and_after_a_restart() {
    let mut mind = built();
    mind.miss("ruby");
    mind.start_build("app");
    mind.restart();
    mind.start_build("app");
    assert_eq!((mind.base("app-2"), mind.base("app-3")), (digest("A"), digest("A")));
    assert_eq!(mind.cause_names("app-2"), ["manual"]);
}

#[test]
fn s24_a_webhook_builds_from_the_stored_image_and_its_revision_is_recorded() {
    let mut mind = built();
    let revision = Some(Revision { commit: "0123abc".into(), ..Revision::default() });
    let origin = Origin::Webhook(HookKind::GitHub);
    mind.ask(Start { origin, revision: revision.clone(), ..manual("app") }).unwrap();
    let spec = mind.spec("app-2");
    assert_eq!(spec.causes, [Cause::Webhook { hook: HookKind::GitHub }]);
    assert_eq!(spec.revision.as_deref(), revision.as_ref());
    assert_eq!(spec.base().digest, Some(digest("A")));
    assert_eq!(mind.build("app-2").urgency, Urgency::Webhook);
}

#[test]
fn s25_two_builds_without_a_look_between_them_are_given_the_same() {
    let mut mind = built();
    mind.start_build("app");
    mind.pass(DAY);
    mind.start_build("app");
    let (first, second) = (mind.spec("app-2"), mind.spec("app-3"));
    assert_eq!(first.base_image, second.base_image);
    assert_eq!(*first.base().reference, format!("registry.test/ruby@{}", digest("A")));
    let same = |spec: &BuildSpec| BuildSpec {
        build: build("app-9"),
        id: STORE,
        created: dawn().wall,
        ..spec.clone()
    };
    assert_eq!(same(first), same(second));
}

#[test]
fn f17_a_manual_build_swallows_what_waits_at_each_trigger_the_paused_ones_too() {
    let mut mind = built();
    mind.pause("app", &["custom"]);
    mind.see("custom", "B");
    let notes = mind.start_build("app");
    assert_eq!(swallowed(&notes), [tag("custom").to_string()]);
    assert_eq!(mind.stored("app", "custom"), Some(identity("B")));
    mind.complete("app-2");
    mind.resume("app", &["custom"]);
    mind.see("custom", "B");
    mind.restart();
    mind.see("custom", "B");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Complete"]);
    mind.see("custom", "C");
    assert_eq!(mind.causes("app-3"), [("custom", digest("C"))], "the next change builds again");
}

#[test]
fn d5_nothing_is_told_of_a_trigger_that_has_what_it_sees() {
    let mut mind = built();
    assert!(swallowed(&mind.start_build("app")).is_empty());
}

#[test]
fn d4_a_manual_build_takes_nothing_from_a_trigger_whose_tag_never_resolved() {
    let mut mind = Mind::start([long_form("app", StrategyKind::Source, "ruby", &["ruby", "custom"])]);
    mind.see("ruby", "A");
    mind.start_build("app");
    assert_eq!(mind.stored("app", "custom"), None);
    mind.see("custom", "A");
    assert_eq!(mind.causes("app-2"), [("custom", digest("A"))]);
}

#[test]
fn a_first_build_that_a_person_asks_for_is_all_that_its_first_images_start() {
    let mut mind = Mind::start([long_form("app", StrategyKind::Source, "ruby", &["ruby", "custom"])]);
    mind.see("ruby", "A");
    mind.start_build("app");
    mind.miss("custom");
    mind.pass(PATIENCE);
    mind.see("ruby", "A");
    assert_eq!(mind.builds(), ["app-1 Running"]);
}

#[test]
fn d6_variables_take_the_place_of_the_strategys_and_go_last() {
    let mut config = long_form("app", StrategyKind::Source, "ruby", &["ruby"]);
    config.strategy.env = words(&[("A", "1"), ("B", "2"), ("C", "3")]).into();
    let mut mind = Mind::start([config]);
    mind.see("ruby", "A");
    mind.ask(Start { env: words(&[("B", "x"), ("D", "y")]), ..manual("app") }).unwrap();
    assert_eq!(mind.spec("app-2").env, words(&[("A", "1"), ("C", "3"), ("B", "x"), ("D", "y")]));
}

#[test]
fn a_paused_config_makes_nothing_and_says_so() {
    let mut mind = built();
    mind.tell(&Event::Pause { what: all_builds("app"), reason: None, until: None });
    assert_eq!(mind.ask(manual("app")).unwrap_err(), StartRefused::Paused(app("app")));
    assert_eq!(mind.rebuild("app-1", &[]).unwrap_err(), StartRefused::Paused(app("app")));
    assert!(mind.step(&Event::Start(Box::new(manual("app")))).is_empty());
    mind.tell(&Event::Resume(all_builds("app")));
    mind.start_build("app");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
}

#[test]
fn paused_triggers_stop_nobody_who_asks() {
    let mut mind = built();
    mind.pause("app", &["ruby", "custom"]);
    mind.see("ruby", "B");
    mind.start_build("app");
    assert_eq!(mind.base("app-2"), digest("B"));
}

#[test]
fn what_is_not_configured_is_not_built() {
    let refused = built().ask(manual("lib")).unwrap_err();
    assert_eq!(refused.to_string(), "there is no build config default/lib");
}

#[test]
fn the_same_key_is_the_same_build_and_uses_no_number() {
    let mut mind = built();
    mind.ask(keyed("deploy-7")).unwrap();
    assert!(mind.step(&Event::Start(Box::new(keyed("deploy-7")))).is_empty());
    assert_eq!(mind.controller.asked_before(&app("app"), "deploy-7"), Some(&build("app-2")));
    mind.complete("app-2");
    mind.restart();
    assert!(mind.step(&Event::Start(Box::new(keyed("deploy-7")))).is_empty(), "once it ended, too");
    mind.ask(keyed("deploy-8")).unwrap();
    mind.start_build("app");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Complete", "app-3 Running", "app-4 New"]);
}

#[test]
fn s13_what_was_looked_at_for_a_build_is_in_it_and_stored_with_it() {
    let mut mind = built();
    let notes = mind.ask(refreshed("app", &[("ruby", image("B")), ("custom", image("C"))])).unwrap();
    assert_eq!(mind.base("app-2"), digest("B"));
    assert_eq!(swallowed(&notes), [tag("ruby").to_string(), tag("custom").to_string()]);
    mind.see("ruby", "B");
    mind.see("custom", "C");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"], "no second build for it");
}

#[test]
fn what_was_looked_at_for_a_build_starts_the_builds_of_others() {
    let mut mind = Mind::start([watch("app", &["ruby"]), watch("lib", &["ruby"])]);
    mind.see("ruby", "A");
    mind.complete("app-1");
    mind.complete("lib-1");
    mind.ask(refreshed("app", &[("ruby", image("B"))])).unwrap();
    assert_eq!(mind.cause_names("app-2"), ["manual"]);
    assert_eq!(mind.causes("lib-2"), [("ruby", digest("B"))]);
}

#[test]
fn a_first_look_for_a_build_is_enough_to_make_it_and_nobody_waits_for_another() {
    let mut mind = Mind::start([watch("app", &["ruby"]), watch("lib", &["ruby", "node"])]);
    mind.see("node", "A");
    assert!(mind.builds().is_empty());
    mind.ask(refreshed("app", &[("ruby", image("A"))])).unwrap();
    assert_eq!(mind.builds(), ["app-1 Running", "lib-1 Running"]);
    assert!(mind.controller.records().v2_hosts().contains("registry.test"));
}

#[test]
fn a_look_for_a_build_at_what_is_watched_no_longer_stores_nothing() {
    let mut mind = built();
    mind.ask(refreshed("app", &[("redis", image("A"))])).unwrap();
    assert!(!mind.controller.records().tags.contains_key(&tag("redis")));
    assert_eq!(mind.builds().len(), 2);
}

#[test]
fn a_strategy_that_names_an_image_or_nothing_needs_no_tag_to_be_resolved() {
    let written =
        Base::Image { text: "quay.io/org/ruby:2".into(), tag: "quay.io/org/ruby:2".parse().unwrap() };
    for (from, reference) in [(Some(written), Some("quay.io/org/ruby:2")), (None, None)] {
        let mut config = long_form("app", StrategyKind::Docker, "ruby", &[]);
        config.strategy.from = from;
        let mut mind = Mind::start([config]);
        mind.start_build("app");
        let base = mind.spec("app-1").base_image.as_ref();
        assert_eq!(base.map(|base| &*base.reference), reference, "passed through as it is written (F23)");
    }
}

#[test]
fn a_build_and_its_key_are_within_four_kilobytes() {
    let image = BuiltImage { reference: "x".repeat(255).into(), digest: digest("A") };
    let attempt = |number| Attempt {
        number,
        started: dawn().wall + SECOND / 7,
        handle: Some("12345678 1234567890".into()),
        outcome: Some(Outcome::Failed(Failure::Exit(-1))),
    };
    let made = Build {
        key: Some("k".repeat(Build::LONGEST_KEY).into()),
        history: (1..=8).map(attempt).collect(),
        images: vec![image; 3],
        ..new_build("app-1", Urgency::ConfigChange, dawn().wall)
    };
    let length = serde_json::to_vec(&made).unwrap().len();
    assert!(length < 4096, "{length}");
}
