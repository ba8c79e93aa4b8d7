//! Builds that a person asks for: what is refused, and in which words; what is told of one that is made.

use super::*;
use crate::control::protocol::{PauseQuery, RebuildQuery, Selection, StartQuery};
use crate::controller::{CUSTOM_BASE_IMAGE, Start, StartRefused};
use crate::image::Found;

fn query(build_config: &str) -> StartQuery {
    StartQuery { build_config: build_config.to_owned(), ..StartQuery::default() }
}

fn with_env(name: &str, value: &str) -> StartQuery {
    StartQuery { env: vec![(name.to_owned(), value.to_owned())], ..query("app") }
}

fn custom(mut config: BuildConfig) -> BuildConfig {
    config.strategy.kind = StrategyKind::Custom;
    config
}

fn found(seed: u8) -> Found {
    Descriptor { digest: digest(seed), media_type: OCI_MANIFEST.into(), accept_version: 1 }.into()
}

impl World {
    fn start(&self, query: &StartQuery) -> Result<Start, Refusal> {
        let start = check_start(&self.controller, query)?;
        let refused = |refused: StartRefused| not_startable(&self.controller, &refused);
        self.controller.check_start(&start).map_err(refused).map(|()| start)
    }

    fn now(&self) -> Now {
        Now { wall: at(self.seconds), mono: Duration::from_secs(self.seconds.unsigned_abs()) }
    }
}

#[test]
fn s24_a_tag_that_was_never_resolved_is_refused_in_openshifts_words() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    let refusal = world.start(&query("app")).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Invalid(problem) if problem.hint.is_none()),
        "nothing is added to them"
    );
    let sentence = format!(
        "Error resolving ImageStreamTag {BASE} in namespace default: unable to find latest tagged image"
    );
    assert_eq!(problem(refusal), sentence);

    world.observe(BASE, 1);
    assert!(world.start(&query("default/app")).is_ok(), "it is known now");
    assert!(matches!(world.start(&query("nope")), Err(Refusal::NotFound(_))));
}

#[test]
fn a_paused_build_config_is_refused_with_who_paused_it_and_how_it_goes_on() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    world.observe(BASE, 1);
    let what = Selection { build_configs: vec!["app".to_owned()], all_builds: true, ..Selection::default() };
    let pause = PauseQuery { what, reason: Some("release freeze".to_owned()), until: Some(at(9_000)) };
    let (_, event) = check_pause(&world.controller, &pause, at(world.seconds)).unwrap();
    world.feed(event);
    let Refusal::Conflict(problem) = world.start(&query("app")).unwrap_err() else {
        panic!("a pause is a conflict")
    };
    let since = at(world.seconds);
    let told = format!(
        "all builds of default/app are paused by command since {since}, until {} (release freeze)",
        at(9_000)
    );
    assert_eq!(problem.error, told);
    let hint = "`basewatch resume default/app --all-builds` lets them go on";
    assert_eq!(problem.hint.as_deref(), Some(hint));
}

#[test]
fn variables_must_be_some_and_the_askers_own() {
    let world = World::new(vec![config("default/app", &[BASE])], 50);
    let refused = |query: &StartQuery| match check_start(&world.controller, query) {
        Err(Refusal::Malformed(problem)) => problem.error,
        other => panic!("{query:?}: {other:?}"),
    };
    assert!(refused(&with_env("BASEWATCH_IMAGE", "x")).starts_with("BASEWATCH_IMAGE is not yours to set"));
    for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0")] {
        assert!(refused(&with_env(name, value)).contains("no variable"), "{name:?}");
    }
    let mut twice = with_env("A", "x");
    twice.env.push(("A".to_owned(), "y".to_owned()));
    assert_eq!(refused(&twice), "A is given twice");
    assert!(check_start(&world.controller, &with_env("EMPTY", "")).is_ok(), "a value may be empty");
}

#[test]
fn a_key_is_short_and_printable() {
    let world = World::new(vec![config("default/app", &[BASE])], 50);
    let asked =
        |key: &str| check_start(&world.controller, &StartQuery { key: Some(key.to_owned()), ..query("app") });
    assert!(asked(&"k".repeat(128)).is_ok());
    for key in [String::new(), "k".repeat(129), "two words".to_owned(), "line\n".to_owned(), "ü".to_owned()]
    {
        assert!(matches!(asked(&key), Err(Refusal::Malformed(_))), "{key:?}");
    }
}

#[test]
fn a_custom_builds_image_is_not_the_askers_to_set() {
    let configs = vec![custom(config("default/app", &[BASE])), config("default/web", &[BASE])];
    let mut world = World::new(configs, 50);
    world.observe(BASE, 1);
    let query = with_env(CUSTOM_BASE_IMAGE, "mine:latest");
    let start = world.start(&query).unwrap();
    let warnings = start_warnings(&world.controller, &start);
    assert!(warnings[0].starts_with(CUSTOM_BASE_IMAGE), "{warnings:?}");
    world.feed(Event::Start(Box::new(start)));
    let spec = world.specs.last().unwrap();
    let pinned = format!("one.example/base@{}", digest(1));
    assert_eq!(spec.env.last().unwrap(), &(CUSTOM_BASE_IMAGE.to_owned(), pinned));

    let plain = world.start(&StartQuery { build_config: "web".to_owned(), ..query }).unwrap();
    assert_eq!(start_warnings(&world.controller, &plain), Vec::<String>::new(), "elsewhere it means nothing");
}

#[test]
fn the_same_key_is_the_same_build() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    world.observe(BASE, 1);
    world.end("default/app-1", Outcome::Complete);
    let query = StartQuery { key: Some("nightly".to_owned()), ..query("app") };
    let start = world.start(&query).unwrap();
    assert_eq!(started_before(&world.controller, &start.config, start.key.as_deref()), None);
    world.feed(Event::Start(Box::new(start.clone())));
    let before = started_before(&world.controller, &start.config, start.key.as_deref()).unwrap();
    assert_eq!((before.build.build.to_string().as_str(), before.existed), ("default/app-2", true));
    world.feed(Event::Start(Box::new(start.clone())));
    assert_eq!(world.specs.len(), 2);
    assert_eq!(started_before(&world.controller, &start.config, Some("other")), None);
    assert_eq!(started_before(&world.controller, &start.config, None), None, "without a key each is its own");
}

#[test]
fn a_dry_run_tells_what_the_build_would_be_given() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    world.observe(BASE, 1);
    world.end("default/app-1", Outcome::Complete);
    let start = world.start(&with_env("GREETING", "hush")).unwrap();
    let key = world.controller.next_build(&start.config);
    let transition = world.controller.decide(&Event::Start(Box::new(start)), world.now());
    let told = would_start(&key, &transition, Vec::new()).unwrap();
    assert_eq!((told.build.build.to_string().as_str(), told.dry_run), ("default/app-2", true));
    assert_eq!(told.build.cause, "manual");
    let spec = told.spec.as_ref().unwrap();
    assert_eq!(spec.command[1], format!("BASE=one.example/base@{}", digest(1)));
    assert_eq!((spec.causes[0].kind.as_str(), &*spec.strategy), ("manual", "Command"));
    assert_eq!(spec.env, ["TOKEN", "GREETING"]);
    assert!(!serde_json::to_string(&told).unwrap().contains("hush"), "values stay with the daemon");
    assert!(started(&world.controller, &key, Vec::new()).is_err(), "there is no such build");
    assert!(matches!(would_start(&key, &Default::default(), Vec::new()), Err(Refusal::Conflict(_))));
}

#[test]
fn what_was_looked_at_must_be_what_the_build_is_made_of() {
    let mut world = World::new(vec![config("default/app", &[BASE, OTHER])], 50);
    let start = check_start(&world.controller, &query("app")).unwrap();
    let both = vec![(BASE.parse().unwrap(), found(1)), (OTHER.parse().unwrap(), found(2))];
    let fresh = with_fresh(&world.controller, start.clone(), both.clone()).unwrap();
    assert!(world.controller.check_start(&fresh).is_ok(), "it was never resolved, and is now");

    let only = vec![(BASE.parse().unwrap(), found(1))];
    assert!(with_fresh(&world.controller, start.clone(), only).is_ok(), "the other tag blocks nothing");
    world.load(vec![config("default/app", &["one.example/third:1"])], 50);
    let refusal = with_fresh(&world.controller, start.clone(), both.clone()).unwrap_err();
    assert!(problem(refusal).contains("was loaded anew"), "a reload made it one of another image");
    world.load(Vec::new(), 50);
    let start = with_fresh(&world.controller, start, both).unwrap();
    assert!(matches!(world.controller.check_start(&start), Err(StartRefused::NoConfig(_))));
}

#[test]
fn s17_an_earlier_build_is_made_again_of_its_own_images() {
    let mut world = World::new(vec![custom(config("default/app", &[BASE]))], 50);
    for (number, seed) in [(1, 1), (2, 2)] {
        world.observe(BASE, seed);
        world.end(&format!("default/app-{number}"), Outcome::Complete);
    }
    let env = vec![(CUSTOM_BASE_IMAGE.to_owned(), "mine".to_owned())];
    let query = RebuildQuery { build: "app-1".to_owned(), env, key: Some("again".to_owned()) };
    let of = check_rebuild(&world.controller, &query).unwrap();
    let spec = world.specs.iter().find(|spec| spec.build == of).unwrap().clone();
    let rebuild = rebuild_of(spec, &query);
    assert_eq!(rebuild_warnings(&rebuild).len(), 1, "the variable is overridden");
    world.feed(Event::Rebuild(Box::new(rebuild.clone())));
    world.feed(Event::Rebuild(Box::new(rebuild)));
    let made = world.specs.last().unwrap();
    assert_eq!(made.build.to_string(), "default/app-3", "one build for a key");
    assert_eq!(made.base_image.as_ref().unwrap().digest, Some(digest(1)));
    let before = started_before(&world.controller, &of.config, Some("again")).unwrap();
    assert_eq!(before.build.build.number, 3);

    let gone = RebuildQuery { build: "app-9".to_owned(), ..query };
    assert!(matches!(check_rebuild(&world.controller, &gone), Err(Refusal::NotFound(_))));
}

#[test]
fn an_older_build_made_again_does_not_make_a_config_current() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    world.observe(BASE, 1);
    world.end("default/app-1", Outcome::Complete);
    world.observe(BASE, 2);
    world.end("default/app-2", failed());
    let stale = world.config("app").stale_since;
    assert!(stale.is_some());
    let query = RebuildQuery { build: "app-1".to_owned(), ..RebuildQuery::default() };
    let rebuild = rebuild_of(world.specs[0].clone(), &query);
    world.feed(Event::Rebuild(Box::new(rebuild)));
    world.end("default/app-3", Outcome::Complete);
    assert_eq!(world.config("app").stale_since, stale, "the newest image has no complete build");
}

#[test]
fn a_rebuild_of_what_was_never_immutable_says_so() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    world.observe(BASE, 1);
    let mut spec = world.specs[0].clone();
    spec.base_image.as_mut().unwrap().digest = None;
    let query = RebuildQuery { build: "app-1".to_owned(), ..RebuildQuery::default() };
    let warnings = rebuild_warnings(&rebuild_of(spec, &query));
    assert!(warnings[0].contains("is not immutable"), "{warnings:?}");
}
