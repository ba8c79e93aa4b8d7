//! A tag is found by the name that the configuration gives it, and by its image reference.

use super::*;
use crate::control::protocol::{PauseQuery, PollQuery, Selection};

/// A config that is built from a tag of an image stream, here called `base`.
fn of_stream(key: &str, named: &str, tag: &str) -> BuildConfig {
    let mut config = config(key, &[tag]);
    let from = StreamTag { named: named.into(), ..(*config.triggers[0].from).clone() };
    config.triggers[0].from = Arc::new(from);
    config.strategy.from = Some(Base::Tag(Arc::clone(&config.triggers[0].from)));
    config
}

fn world() -> World {
    World::new(vec![of_stream("team/app", "team/base:1", BASE), config("team/web", &[OTHER])], 50)
}

#[test]
fn a_tag_is_found_by_its_name_before_its_reference() {
    let world = world();
    let found = |text: &str| find_tag(&world.controller, text).map(|tag| tag.to_string());
    assert_eq!(found("team/base:1").as_deref(), Ok(BASE));
    assert_eq!(found(BASE).as_deref(), Ok(BASE), "a reference does as well");
    assert_eq!(problem(found("team/base:2").unwrap_err()), "docker.io/team/base:2 is not watched");
    assert!(matches!(found("NOT A TAG"), Err(Refusal::Malformed(_))));
}

#[test]
fn a_name_of_two_tags_is_refused_and_each_has_its_reference() {
    let configs = vec![of_stream("a/app", "team/base:1", BASE), of_stream("b/app", "team/base:1", OTHER)];
    let world = World::new(configs, 50);
    let refusal = find_tag(&world.controller, "team/base:1").unwrap_err();
    assert!(matches!(&refusal, Refusal::Conflict(_)));
    assert_eq!(problem(refusal), format!("team/base:1 may be {BASE} or {OTHER}"));
    assert_eq!(find_tag(&world.controller, OTHER).unwrap().as_str(), OTHER);
}

#[test]
fn every_call_about_a_tag_takes_its_name() {
    let mut world = world();
    world.observe(BASE, 1);
    let status = world.status("team/base:1").unwrap();
    assert_eq!(status.tags.iter().map(|tag| tag.tag.as_str()).collect::<Vec<_>>(), [BASE]);
    let poll = check_poll(&world.controller, &PollQuery { tags: vec!["team/base:1".to_owned()] });
    assert_eq!(poll.unwrap()[0].as_str(), BASE);

    let trigger = |text: &str| {
        let what = Selection {
            build_configs: vec!["app".to_owned()],
            trigger: Some(text.to_owned()),
            ..Selection::default()
        };
        check_pause(&world.controller, &PauseQuery { what, ..PauseQuery::default() }, at(0))
    };
    assert_eq!(trigger("team/base:1").unwrap().0.triggers[0].tag.as_str(), BASE);
    let refusal = trigger(OTHER).unwrap_err();
    assert_eq!(problem(refusal), format!("build config team/app has no trigger on {OTHER}"));
}

#[test]
fn a_tag_that_is_taken_as_it_is_written_is_not_looked_at() {
    let mut unasked = of_stream("team/app", "team/base:1", BASE);
    Arc::make_mut(&mut unasked.triggers[0].from).unasked = true;
    unasked.strategy.from = Some(Base::Tag(Arc::clone(&unasked.triggers[0].from)));
    let world = World::new(vec![unasked, config("team/web", &[OTHER])], 50);
    let asked = |tags: &[&str]| {
        let tags = tags.iter().map(ToString::to_string).collect();
        check_poll(&world.controller, &PollQuery { tags })
    };
    assert_eq!(asked(&[]).unwrap(), [OTHER.parse().unwrap()]);
    assert!(matches!(asked(&["team/base:1"]), Err(Refusal::Conflict(_))));
    assert!(tags_to_look_at(&world.controller, &"team/app".parse().unwrap()).is_empty());
}
