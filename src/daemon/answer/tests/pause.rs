//! Whom a person means when pausing, and what is told of it.

use super::*;
use crate::control::protocol::{PauseQuery, PollQuery, ResumeQuery, Selection};

/// `app` on BASE, and `web` of another team on OTHER and BASE.
fn two() -> World {
    let mut web = config("default/web", &[OTHER, BASE]);
    web.labels = BTreeMap::from([("team".to_owned(), "web".to_owned())]);
    World::new(vec![config("default/app", &[BASE]), web], 50)
}

fn named(names: &[&str], trigger: Option<&str>) -> Selection {
    Selection {
        build_configs: names.iter().map(ToString::to_string).collect(),
        trigger: trigger.map(str::to_owned),
        ..Selection::default()
    }
}

fn labelled(labels: &str, trigger: Option<&str>) -> Selection {
    Selection { labels: labels.to_owned(), ..named(&[], trigger) }
}

fn query(what: Selection) -> PauseQuery {
    PauseQuery { what, ..PauseQuery::default() }
}

/// The triggers that are meant.
fn meant(world: &World, what: Selection) -> Vec<String> {
    let (what, _) = check_pause(&world.controller, &query(what), at(world.seconds)).unwrap();
    what.triggers.iter().map(ToString::to_string).collect()
}

fn refused(world: &World, query: &PauseQuery) -> String {
    problem(check_pause(&world.controller, query, at(world.seconds)).unwrap_err())
}

/// What a person says, and does.
fn pause(world: &mut World, query: &PauseQuery) {
    let (_, event) = check_pause(&world.controller, query, at(world.seconds)).unwrap();
    world.feed(event);
}

#[test]
fn triggers_are_meant_by_config_by_label_and_by_tag() {
    let world = two();
    let [app_base, web_other, web_base] = [
        format!("default/app on {BASE}"),
        format!("default/web on {OTHER}"),
        format!("default/web on {BASE}"),
    ];
    assert_eq!(meant(&world, named(&["app"], None)), std::slice::from_ref(&app_base));
    assert_eq!(meant(&world, named(&["app", "default/app"], None)), std::slice::from_ref(&app_base), "once");
    let all = [app_base.clone(), web_other.clone(), web_base.clone()];
    assert_eq!(meant(&world, named(&["app", "default/web"], None)), all);
    assert_eq!(meant(&world, named(&["web"], Some(BASE))), [web_base]);
    assert_eq!(meant(&world, labelled("team=pay", None)), [app_base]);
    let mut both = two();
    both.load(vec![config("default/app", &[BASE]), config("default/web", &[OTHER])], 50);
    assert_eq!(meant(&both, labelled("team=pay", Some(OTHER))), [web_other], "those that have it");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let world = two();
    let cases = [
        (named(&["nope"], None), "there is no build config nope"),
        (named(&["app"], Some(OTHER)), "build config default/app has no trigger on two.example/other:1"),
        (
            labelled("team=pay", Some(OTHER)),
            "none of these build configs has a trigger on two.example/other:1",
        ),
        (labelled("team=x\nenv=y", None), "no build config has the label team=x, env=y"),
        (Selection::default(), "no build config is named, and no label"),
        (
            Selection { labels: "team=pay".to_owned(), ..named(&["app"], None) },
            "either build configs are named or labels",
        ),
        (
            Selection { all_builds: true, ..named(&["app"], Some(BASE)) },
            "either all builds are meant or those of one trigger",
        ),
    ];
    for (what, expected) in cases {
        assert_eq!(refused(&world, &query(what)), expected);
    }
    let late = PauseQuery { until: Some(at(world.seconds)), ..query(named(&["app"], None)) };
    assert!(refused(&world, &late).ends_with(" has passed: name an instant to come"));
    for reason in ["ü".repeat(101), "\u{1}".repeat(34)] {
        let long = PauseQuery { reason: Some(reason), ..query(named(&["app"], None)) };
        assert_eq!(refused(&world, &long), "the reason is longer than 200 bytes: shorten it");
    }
}

#[test]
fn a_pause_shows_in_configs_and_status_with_its_reason_and_its_end() {
    let mut world = two();
    let until = at(1_000);
    let freeze = PauseQuery {
        reason: Some("freeze".to_owned()),
        until: Some(until),
        ..query(named(&["web"], Some(BASE)))
    };
    pause(&mut world, &freeze);
    let expected = protocol::Pause {
        since: at(world.seconds),
        by: "command".to_owned(),
        reason: Some("freeze".to_owned()),
        until: Some(until),
    };
    let web = world.config("web");
    let of_trigger = |place: usize| (web.triggers[place].paused, web.triggers[place].pause.clone());
    assert_eq!(of_trigger(0), (false, None));
    assert_eq!(of_trigger(1), (true, Some(expected.clone())));
    assert_eq!(web.pause, None);
    assert_eq!(world.names(&filter(ConfigFilter::Paused)), ["web"]);
    let status = world.status("").unwrap();
    let paused = protocol::Paused {
        build_config: ConfigKey::new("default", "web"),
        tag: Some(BASE.parse().unwrap()),
        pause: expected,
    };
    assert_eq!((status.paused, status.totals.paused), (vec![paused], 1));
    assert_eq!(world.status(OTHER).unwrap().paused, [], "of that tag nothing is paused");

    world.observe(BASE, 1);
    assert_eq!(world.config("web").held[0].reason, "paused");
}

#[test]
fn what_is_paused_as_a_whole_is_resumed_as_a_whole() {
    let mut world = two();
    pause(&mut world, &query(Selection { all_builds: true, ..named(&["app"], None) }));
    let app = world.config("app");
    assert!(app.pause.is_some() && app.triggers[0].paused);
    let status = world.status("").unwrap();
    assert_eq!(status.paused.iter().map(|paused| paused.tag.is_none()).collect::<Vec<_>>(), [true]);
    let resume = |what| check_resume(&world.controller, &ResumeQuery { what });
    let refusal = resume(named(&["app"], None)).unwrap_err();
    assert!(matches!(&refusal, Refusal::Conflict(problem) if problem.hint.is_some()));
    assert_eq!(problem(refusal), "all builds of default/app are paused");
    let what = resume(Selection { all_builds: true, ..named(&["app"], None) }).unwrap();
    assert_eq!(paused_of(&world.controller, &what).len(), 1, "its trigger is not, for itself");
    world.feed(Event::Resume(what.clone()));
    assert_eq!(paused_of(&world.controller, &what), []);
    assert!(!world.config("app").triggers[0].paused);
}

#[test]
fn a_poll_is_of_tags_that_are_watched_or_of_all() {
    let world = two();
    let asked = |tags: &[&str]| {
        let query = PollQuery { tags: tags.iter().map(ToString::to_string).collect() };
        check_poll(&world.controller, &query)
    };
    assert_eq!(asked(&[BASE]).unwrap(), [BASE.parse().unwrap()]);
    assert_eq!(asked(&[]).unwrap().len(), 2, "each once");
    assert_eq!(
        problem(asked(&[BASE, "debian"]).unwrap_err()),
        "docker.io/library/debian:latest is not watched"
    );
    assert!(matches!(asked(&["NOT A TAG"]), Err(Refusal::Malformed(_))));
}
