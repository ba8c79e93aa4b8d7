//! Which image a build is made from, for each strategy and whatever started it (S3, S13, S15, S21, F23 to F25).

use crate::controller::tests::support::*;
use crate::controller::*;

const KINDS: [StrategyKind; 4] =
    [StrategyKind::Source, StrategyKind::Docker, StrategyKind::Custom, StrategyKind::Command];

fn pinned(name: &str, version: &str) -> String {
    format!("registry.test/{name}@{}", digest(version))
}

#[test]
fn s21_every_strategy_gets_its_image_pinned() {
    for kind in KINDS {
        let mut mind = Mind::start([long_form("app", kind, "ruby", &["ruby"])]);
        mind.see("ruby", "A");
        mind.complete("app-1");
        mind.see("ruby", "B");
        let spec = mind.spec("app-2");
        assert_eq!((spec.strategy, &*spec.base().reference), (kind, &*pinned("ruby", "B")));
        assert_eq!(spec.command, ["make", &format!("BASE={}", pinned("ruby", "B"))]);
    }
}

#[test]
fn s15_other_trigger_leaves_strategy_pinned_to_its_own_tag() {
    for kind in KINDS {
        let mut mind = Mind::start([long_form("app", kind, "ruby", &["ruby", "custom"])]);
        mind.see("ruby", "A");
        mind.see("custom", "A");
        mind.complete("app-1");
        mind.see("custom", "B");
        assert_eq!(mind.causes("app-2"), [("custom", digest("B"))]);
        assert_eq!(mind.spec("app-2").base_image, mind.spec("app-1").base_image, "{kind:?}");
        assert_eq!(&*mind.spec("app-2").base().reference, pinned("ruby", "A"));
    }
}

#[test]
fn s15_an_image_that_the_strategy_names_is_passed_on_as_it_is_written() {
    let mut config = long_form("app", StrategyKind::Docker, "ruby", &["custom"]);
    let text = "quay.io/org/ruby:2";
    config.strategy.from = Some(Base::Image { text: text.into(), tag: text.parse().unwrap() });
    let mut mind = Mind::start([config]);
    mind.see("custom", "A");
    let base = mind.spec("app-1").base();
    assert_eq!((&*base.reference, &base.digest), (text, &None));
    assert_eq!(mind.spec("app-1").command[1], format!("BASE={text}"));
    assert_eq!(mind.causes("app-1"), [("custom", digest("A"))]);
    assert!(!mind.controller.watches(&text.parse().unwrap()), "nobody asks about it");
}

#[test]
fn s13_cause_strategy_and_stored_id_are_from_one_look() {
    let mut mind = Mind::start([serial(watch("app", &["ruby", "custom"]))]);
    mind.see("ruby", "A");
    mind.see("custom", "A");
    mind.see("ruby", "B");
    // The tag moves again before the build starts, and what it is given does not.
    mind.see("ruby", "C");
    mind.complete("app-1");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running", "app-3 New"]);
    assert_eq!((mind.base("app-2"), mind.causes("app-2")), (digest("B"), vec![("ruby", digest("B"))]));
    assert_eq!((mind.base("app-3"), mind.causes("app-3")), (digest("C"), vec![("ruby", digest("C"))]));
    assert_eq!(mind.stored("app", "ruby"), Some(identity("C")));
}

#[test]
fn f25_what_a_build_has_of_a_moved_strategy_tag_starts_no_second_one() {
    let mut mind = Mind::start([long_form("app", StrategyKind::Source, "ruby", &["custom", "ruby"])]);
    mind.see("ruby", "A");
    mind.see("custom", "A");
    mind.complete("app-1");
    mind.pause("app", &["ruby"]);
    mind.see("ruby", "C");
    let notes = mind.see("custom", "B");
    assert_eq!((mind.base("app-2"), mind.causes("app-2")), (digest("C"), vec![("custom", digest("B"))]));
    assert_eq!(swallowed(&notes), [tag("ruby").to_string()], "the build has it");
    mind.resume("app", &["ruby"]);
    mind.see("ruby", "C");
    mind.restart();
    mind.see("ruby", "C");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
}

#[test]
fn f25_a_strategy_tag_that_moves_after_the_look_is_a_build_of_its_own() {
    let mut mind = Mind::start([long_form("app", StrategyKind::Source, "ruby", &["ruby"])]);
    mind.see("ruby", "A");
    mind.see("ruby", "B");
    mind.complete("app-1");
    mind.see("ruby", "C");
    mind.complete("app-2");
    mind.complete("app-3");
    let bases = ["app-1", "app-2", "app-3"].map(|name| mind.base(name));
    assert_eq!(bases, ["A", "B", "C"].map(digest));
    assert_eq!(mind.builds().len(), 3, "one for each, and none twice");
}

#[test]
fn s03_whatever_started_it_the_last_build_is_of_what_the_tag_points_to() {
    let mut mind = Mind::start([long_form("app", StrategyKind::Source, "ruby", &["ruby", "custom"])]);
    mind.see("ruby", "A");
    mind.see("custom", "A");
    mind.see("ruby", "B");
    mind.start_build("app");
    mind.see("custom", "B");
    mind.pause("app", &["ruby"]);
    mind.see("ruby", "C");
    mind.see("ruby", "D");
    mind.resume("app", &["ruby"]);
    let last = mind.builds().len();
    assert_eq!((last, mind.base(&format!("app-{last}"))), (5, digest("D")));
}

#[test]
fn a_strategys_options_and_source_and_output_are_in_each_build() {
    let mut config = config_change(long_form("app", StrategyKind::Docker, "ruby", &["ruby"]));
    let options = StrategyOptions {
        dockerfile_path: Some("Dockerfile.prod".into()),
        build_args: words(&[("V", "1")]),
        no_cache: true,
        ..StrategyOptions::default()
    };
    config.strategy.options = Some(Box::new(options.clone()));
    let git = Git { uri: "https://git.test/app.git".into(), reference: Some("main".into()) };
    let source = Source { git: Some(git), directory: None, context_dir: Some("app".into()) };
    config.source = Some(Box::new(source.clone()));
    config.output = Some("registry.test/app:latest".into());
    let mut mind = Mind::start([config]);
    mind.see("ruby", "A");
    let text = serde_json::to_string(mind.spec("app-1")).unwrap();
    let read: BuildSpec = serde_json::from_str(&text).unwrap();
    assert_eq!(read, *mind.spec("app-1"));
    assert_eq!((read.options.as_deref(), read.source.as_deref()), (Some(&options), Some(&source)));
    assert_eq!(read.output.as_deref(), Some("registry.test/app:latest"));
}

#[test]
fn what_a_build_was_given_before_there_were_strategies_is_still_read() {
    let text = format!(
        r#"{{"build":"default/app-1","id":"{STORE}","created":"2027-01-15T08:00:00Z",
            "causes":[{{"type":"image-change","image":{{"named":"ruby","tag":"registry.test/ruby:1",
            "reference":"{base}","digest":"{digest}"}}}}],
            "base_image":{{"named":"ruby","tag":"registry.test/ruby:1","reference":"{base}","digest":"{digest}"}},
            "command":["make"],"timeout":{{"secs":3600,"nanos":0}}}}"#,
        base = pinned("ruby", "A"),
        digest = digest("A"),
    );
    let old: BuildSpec = serde_json::from_str(&text).unwrap();
    assert_eq!((old.strategy, old.base().digest.as_ref()), (StrategyKind::Command, Some(&digest("A"))));
    let mut mind = Mind::start([watch("app", &["ruby"])]);
    mind.tell(&Event::Rebuild(Box::new(Rebuild { of: Box::new(old), env: Vec::new(), key: None })));
    assert_eq!(mind.base("app-1"), digest("A"), "and can be made again");
}
