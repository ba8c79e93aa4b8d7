//! Images that a build uses besides the one it is made from (F29), and where a build runs.

use std::path::Path;

use crate::controller::tests::support::*;
use crate::controller::*;

/// `app`, built from `ruby` when that moves, with something of `assets`.
fn uses(triggers: &[&str]) -> BuildConfig {
    let mut config = long_form("app", StrategyKind::Docker, "ruby", triggers);
    let assets = watch("app", &["assets"]).triggers.remove(0).from;
    let of_use = ImageUse { aliases: vec!["assets".into()], paths: Vec::new() };
    config.image_sources = [ImageSource { from: Base::Tag(assets), of_use }].into();
    config
}

fn sources(mind: &Mind, name: &str) -> Vec<String> {
    mind.spec(name).image_sources.iter().map(|source| source.image.reference.to_string()).collect()
}

fn reference(version: &str) -> String {
    format!("registry.test/assets@{}", digest(version))
}

#[test]
fn f29_an_image_source_is_pinned_in_the_look_that_makes_the_build() {
    let mut mind = Mind::start([uses(&["ruby"])]);
    mind.see("assets", "A");
    mind.see("ruby", "A");
    assert_eq!(sources(&mind, "app-1"), [reference("A")]);
    // Its own move starts nothing, and the next build has it.
    mind.see("assets", "B");
    mind.complete("app-1");
    assert_eq!(mind.builds(), ["app-1 Complete"]);
    mind.see("ruby", "B");
    assert_eq!(sources(&mind, "app-2"), [reference("B")]);
    assert_eq!(mind.base("app-2"), digest("B"));
    assert_eq!(*mind.spec("app-2").image_sources[0].of_use.aliases, ["assets".into()]);
}

#[test]
fn f29_a_trigger_on_it_pins_an_input_and_leaves_the_strategy_alone() {
    let mut mind = Mind::start([uses(&["assets"])]);
    mind.see("ruby", "A");
    mind.see("assets", "A");
    mind.complete("app-1");
    mind.see("assets", "B");
    assert_eq!(sources(&mind, "app-2"), [reference("B")]);
    assert_eq!((mind.base("app-2"), mind.causes("app-2")), (digest("A"), vec![("assets", digest("B"))]));
}

#[test]
fn what_is_not_known_yet_holds_the_build_and_is_watched_for() {
    let mut mind = Mind::start([uses(&["ruby"])]);
    assert!(mind.controller.watches(&tag("assets")));
    mind.see("ruby", "A");
    mind.pass(2 * PATIENCE);
    assert_eq!(mind.builds(), [""; 0]);
    let refused = mind.ask(manual("app")).unwrap_err().to_string();
    assert!(refused.starts_with("Error resolving ImageStreamTag assets in namespace default: "), "{refused}");
    mind.see("assets", "A");
    assert_eq!(mind.builds(), ["app-1 Running"]);
    mind.complete("app-1");
    mind.ask(manual("app")).unwrap();
    assert_eq!(sources(&mind, "app-2"), [reference("A")]);
}

#[test]
fn an_image_source_that_is_named_outright_is_handed_on_as_it_is() {
    let mut config = uses(&["ruby"]);
    let text = "quay.io/org/tools:2";
    config.image_sources[0].from = Base::Image { text: text.into(), tag: text.parse().unwrap() };
    let mut mind = Mind::start([config]);
    mind.see("ruby", "A");
    assert_eq!(sources(&mind, "app-1"), [text]);
    assert!(!mind.controller.watches(&text.parse().unwrap()));
}

/// The same, of the source code at one of these places.
fn of_source(git: Option<&str>, directory: Option<&str>) -> BuildConfig {
    let git = git.map(|uri| Git { uri: uri.into(), reference: None });
    let source = Source { git, directory: directory.map(|path| Path::new(path).into()), context_dir: None };
    BuildConfig { source: Some(Box::new(source)), ..uses(&["ruby"]) }
}

#[test]
fn a_rebuild_of_a_directory_claims_no_commit() {
    let mut mind = Mind::start([of_source(None, Some("/srv/app"))]);
    mind.see("assets", "A");
    mind.see("ruby", "A");
    let end = ended(build("app-1"), 1, Outcome::Complete);
    mind.tell(&Event::Ended(Ended { commit: Some("0".repeat(40).into()), ..end }));
    mind.rebuild("app-1", &[]).unwrap();
    assert_eq!(mind.spec("app-2").revision, None, "it is built as it lies there now");
}

#[test]
fn s17_a_rebuild_has_the_commit_that_the_old_build_was_of() {
    let mut mind = Mind::start([of_source(Some("https://git.test/app"), None)]);
    mind.see("assets", "A");
    mind.see("ruby", "A");
    let commit: Box<str> = "0".repeat(40).into();
    let end = ended(build("app-1"), 1, Outcome::Complete);
    mind.tell(&Event::Ended(Ended { commit: Some(commit.clone()), ..end }));
    assert_eq!(mind.build("app-1").commit, Some(commit.clone()));
    mind.restart();
    mind.see("assets", "B");
    mind.rebuild("app-1", &[]).unwrap();
    let spec = mind.spec("app-2");
    assert_eq!(spec.revision.as_ref().map(|revision| &revision.commit), Some(&commit));
    assert_eq!(sources(&mind, "app-2"), [reference("A")]);
}

fn in_runner(runner: &str) -> BuildConfig {
    let venue = Venue { runner: Some(runner.into()), ..Venue::default() };
    with(watch("app", &["ruby"]), |policy| policy.venue = Some(Box::new(venue)))
}

fn runners(transition: &Transition) -> Vec<Option<&str>> {
    let of = |effect: &Effect| match effect {
        Effect::Start(attempt) | Effect::Adopt(attempt) | Effect::Acknowledge(attempt) => {
            Some(attempt.runner.clone())
        }
        Effect::Cancel(_) | Effect::Discard(_) => None,
    };
    let runners: Vec<_> = transition.effects.iter().filter_map(of).collect();
    runners.leak().iter().map(Option::as_deref).collect()
}

#[test]
fn an_attempt_stays_with_its_runner_whatever_is_loaded_meanwhile() {
    let mut mind = Mind::start([in_runner("docker")]);
    mind.see("ruby", "A");
    assert_eq!(mind.spec("app-1").venue.as_ref().and_then(|venue| venue.runner.as_deref()), Some("docker"));
    mind.load([in_runner("other")]);
    let records = reread(mind.controller.records());
    let mut again = Mind::over(records, settings([in_runner("other")]));
    let adopted: Vec<Effect> = std::mem::take(&mut again.effects);
    let is_adopted = |effect: &&Effect| matches!(effect, Effect::Adopt(_));
    let adopted: Vec<&Effect> = adopted.iter().filter(is_adopted).collect();
    assert!(matches!(adopted[..], [Effect::Adopt(attempt)] if attempt.runner.as_deref() == Some("docker")));
}

#[test]
fn the_end_of_an_attempt_is_acknowledged_to_a_runner_that_keeps_it() {
    let mut mind = Mind::start([in_runner("docker")]);
    mind.see("ruby", "A");
    let end = Event::Ended(ended(build("app-1"), 1, Outcome::Complete));
    assert_eq!(runners(&mind.step(&end)), [Some("docker")]);
    // Said twice, it is acknowledged twice, and decided once.
    let again = mind.step(&end);
    assert_eq!((runners(&again), again.records.len()), (vec![Some("docker")], 0));

    let mut mind = Mind::start([watch("app", &["ruby"])]);
    mind.see("ruby", "A");
    assert_eq!(runners(&mind.step(&Event::Ended(ended(build("app-1"), 1, Outcome::Complete)))), []);
}
